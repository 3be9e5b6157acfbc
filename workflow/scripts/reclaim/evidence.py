"""The row every analysis hands on: one per test, data set and stratum."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field

from reclaim.claim_tests import Role
from reclaim.dataset import TierName
from reclaim.model import Model

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["agrees", "opposite", "negligible", "unclear", "invalid"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
DataKind = Literal["public", "simulated", "local"]


MDE_FACTOR = 2.8
"""Minimum detectable effect in standard errors: 80 % power at a two-sided 5 % level."""


class EvidenceRow(Model):
    """Effects keep their natural sign and scale; `expected` says which direction was claimed."""

    run: str = Field(description="public, a simulated world, or a name from the config")
    study: str
    claim: str
    test: str
    role: Role
    rule: str = Field(description="decision rule of the claim, or of the conjunction's part")
    analysis: str
    method: str
    specification: str = Field(description="what this variant does, in words")
    dataset: str
    tier: TierName
    independent: bool = Field(description="not the data of the claim's authors")
    data: DataKind
    stratum: str
    feature: str
    n: int | None = Field(description="patients, samples or regions that count")
    n_events: int | None = Field(description="altered patients, deaths, overlapping regions")
    groups: str = Field(description="JSON object: further counts by name")
    effect_name: str
    effect: float | None
    se: float | None
    ci_low: float | None = Field(description="lower end of the 95 % interval")
    ci_high: float | None = Field(description="upper end of the 95 % interval")
    statistic: float | None
    p_value: float | None = Field(
        description="one-sided in the claimed direction unless the method says otherwise"
    )
    q_value: float | None = Field(description="genome-wide false discovery rate")
    expected: str
    outcome: Outcome | None = Field(description="filled in by the assessment")
    mde: float | None = Field(description="minimum detectable effect, 2.8 standard errors")
    null_percentile: float | None
    flags: str = Field(description="codes of the guards that spoke, comma-separated")
    note: str


COLUMNS = list(EvidenceRow.model_fields)
INTEGERS = ("n", "n_events")

FLAGS = {
    "absent": "The data set could not be had or does not match its description.",
    "no_copy_number": "The data set has no discrete copy-number calls.",
    "gene_not_listed": "The gene has no entry in this data set; it counts as not altered.",
    "no_patients": "No patient is left after selection.",
    "call_depth": "Patients below the call-depth gate were left out.",
    "no_denominator": "No patient has the alteration that defines the denominator.",
    "single_class": "One of the two alterations is present in all patients or in none.",
    "few_events": "Fewer than five patients are expected to carry both alterations, or there are fewer than ten "
    "events for each coefficient of a hazard model.",
    "not_estimable": "The model could not be fitted to these data.",
    "not_proportional": "The hazard ratio changes with time: it is an average over the follow-up.",
    "not_on_platform": "The gene, or most of the set, is not measured in this data set.",
    "not_detected": "The gene has no reads, or no values, in these samples.",
    "one_replicate": "A group has a single sample: only a direction can be given.",
    "two_replicates": "A group has two samples: never decided on an adjusted p-value alone.",
    "source_confounded": "Case and control come from different projects: never the sole basis of a verdict.",
    "circular_members": "Genes of the set that the test itself is about were removed.",
    "tissue_mixture": "Bulk tissue: a correlation may come from the share of a cell type alone; see the adjusted test.",
    "underpowered": "Nothing can be said: too few regions are bound for an odds ratio of 1.5 to be seen, or so few genes "
    "are named that even the most extreme finding would be no surprise.",
    "few_peaks": "Fewer peaks than the test asks for: compared at another number than the other antigens.",
    "other_cells": "Query and partner were measured in different cells: that their peaks meet need not mean that they do, "
    "and there is no rank among antigens of the same cells.",
    "genes_left_out": "Named genes that cannot be told in the annotation, or are not measured, do not count.",
    "few_comparable": "Too few genes, or groups of neighbouring genes, are comparable with the named ones.",
    "gate_failed": "A gate of the claim failed on this data set.",
}
"""Codes of the guards, in words."""


@dataclass(frozen=True)
class Estimate:
    """What an analysis finds for one test on one data set and stratum; None where not estimable."""

    method: str
    feature: str
    effect_name: str
    n: int | None = None
    n_events: int | None = None
    groups: dict[str, int | float | str] = field(default_factory=dict)
    effect: float | None = None
    se: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    q_value: float | None = None
    stratum: str = "all"
    tier: TierName | None = None
    """Where it is not that of the data set."""
    flags: tuple[str, ...] = ()
    note: str = ""
    valid: bool = True

    def with_numbers(self, numbers: Mapping[str, float], p_value: float | None) -> Estimate:
        """Effect, se, interval, statistic and q-value by their names, and the p-value; what is not finite is
        None."""

        def number(name: str) -> float | None:
            value = numbers.get(name, math.nan)
            return value if math.isfinite(value) else None

        return replace(
            self,
            effect=number("effect"),
            se=number("se"),
            ci_low=number("ci_low"),
            ci_high=number("ci_high"),
            statistic=number("statistic"),
            q_value=number("q_value"),
            p_value=p_value if p_value is not None and math.isfinite(p_value) else None,
        )


@dataclass(frozen=True)
class Setting:
    """Everything of an evidence row that is known before the analysis runs."""

    run: str
    study: str
    claim: str
    test: str
    role: Role
    rule: str
    analysis: str
    specification: str
    dataset: str
    tier: TierName
    independent: bool
    data: DataKind
    expected: str

    def row(self, estimate: Estimate) -> EvidenceRow:
        """The evidence row of one estimate."""
        found = asdict(estimate)
        valid, tier = found.pop("valid"), found.pop("tier")
        found["groups"] = json.dumps(found["groups"], ensure_ascii=False)
        found["flags"] = ",".join(estimate.flags)
        return EvidenceRow(
            **{**asdict(self), "tier": tier or self.tier},
            **found,
            outcome=None if valid else "invalid",
            mde=None if estimate.se is None else MDE_FACTOR * estimate.se,
            null_percentile=None,
        )

    def table(self, method: str, effect_name: str, columns: dict[str, Any]) -> pd.DataFrame:
        """Full results: one row per feature, `columns` as arrays of equal length."""
        import pandas as pd

        table = pd.DataFrame(columns)
        for name, value in {**asdict(self), "method": method, "effect_name": effect_name}.items():
            table[name] = value
        return table.reindex(columns=COLUMNS)


def rows_to_table(rows: Iterable[EvidenceRow]) -> pd.DataFrame:
    """The evidence table, columns in contract order."""
    import pandas as pd

    table = pd.DataFrame([row.model_dump() for row in rows], columns=COLUMNS)
    return table.astype(dict.fromkeys(INTEGERS, "Int64"))


def table_to_rows(table: pd.DataFrame) -> list[EvidenceRow]:
    """Rows of a table as read by `read_tsv`."""
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    return [
        EvidenceRow.model_validate({str(key): value for key, value in record.items()}) for record in records
    ]


def write_tsv(table: pd.DataFrame, path: Path) -> None:
    """Tab-separated, UTF-8, floats with 6 significant digits, missing values empty."""
    table.to_csv(path, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def read_evidence(path: Path) -> list[EvidenceRow]:
    """Rows of an evidence file."""
    import pandas as pd

    text = [name for name, field in EvidenceRow.model_fields.items() if field.annotation is str]
    types: dict[str, Any] = dict.fromkeys(text, str) | dict.fromkeys(INTEGERS, "Int64")
    table = pd.read_csv(path, sep="\t", dtype=types, keep_default_na=False, na_values=[""])
    table[text] = table[text].fillna("")
    return table_to_rows(table)


def note_of(*sentences: str) -> str:
    """One note of several sentences; empty ones are nothing to tell."""
    return " ".join(filter(None, sentences))
