"""Which samples a contrast compares, and the linear model that compares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reclaim.claim_tests import Contrast, DifferentialExpression
from reclaim.errors import AbsentData, did_you_mean
from reclaim.selection import describe, select, values_found

CASE, CONTROL = "case", "control"
NAMED_SAMPLES = 12


@dataclass(frozen=True)
class Comparison:
    """The samples of one contrast (in one stratum), ready for a model.

    `samples` is the table of a model: `group` (control, case), then `modifier` for an interaction, `pair`,
    and one column per covariate; its index are sample names. `formula` is the model in Wilkinson's
    notation; the last coefficient is the effect. `incomplete` samples of the two groups were left out,
    for want of a covariate, a modifier or a partner.
    """

    stratum: str
    samples: pd.DataFrame
    formula: str
    incomplete: int = 0

    @property
    def case(self) -> np.ndarray:
        return (self.samples["group"] == CASE).to_numpy()

    @property
    def sizes(self) -> dict[str, int]:
        """Samples per arm; with an interaction also those of the smallest of its four groups."""
        found = {CASE: int(self.case.sum()), CONTROL: int((~self.case).sum())}
        return found | ({"smallest_cell": self.smallest_cell} if "modifier" in self.samples else {})

    @property
    def smallest_cell(self) -> int:
        """Replicates of the smallest group; with an interaction, of its four."""
        by = ["group", "modifier"] if "modifier" in self.samples else ["group"]
        return int(self.samples.groupby(by, observed=False).size().min())

    def in_words(self) -> str:
        """The assignment, such as `case (2): A, B; control (2): C, D`."""
        parts = []
        for group in (CASE, CONTROL):
            names = [str(name) for name in self.samples.index[self.samples["group"] == group]]
            more = f" and {len(names) - NAMED_SAMPLES} more" if len(names) > NAMED_SAMPLES else ""
            parts.append(f"{group} ({len(names)}): {', '.join(names[:NAMED_SAMPLES])}{more}")
        return "; ".join(parts)


def comparisons(test: DifferentialExpression, samples: pd.DataFrame) -> tuple[list[Comparison], list[str]]:
    """One comparison, or one per stratum; and strata left out because a group is too small.

    Raises AbsentData for a column that is not there, for an empty group, and for a sample that belongs to
    both groups.
    """
    group = assign_groups(test.contrast, samples, "contrast")
    table = pd.DataFrame(
        {"group": pd.Categorical(group, [CONTROL, CASE])}, index=samples.index.rename("sample")
    )
    for number, name in enumerate(test.covariates):
        table[f"covariate_{number}"] = covariate_of(samples, name)
    if test.pairs:
        table["pair"] = column_of(samples, test.pairs)
    if test.interaction:
        modifier = assign_groups(test.interaction, samples, "interaction")
        table["modifier"] = pd.Categorical(modifier, [CONTROL, CASE])
    table = table.dropna(subset="group")
    strata = column_of(samples, test.strata).reindex(table.index) if test.strata else None
    found, left_out = [], []
    for stratum in ["all"] if strata is None else sorted(strata.dropna().unique()):
        grouped = table if strata is None else table[(strata == stratum).fillna(False)]
        part = grouped.dropna()
        if test.pairs:
            both = part.groupby("pair", observed=True)["group"].transform("nunique") == 2
            part = part[both]
        one = Comparison(
            str(stratum), _without_unused(part), _formula(part), incomplete=len(grouped) - len(part)
        )
        arms = (one.sizes[CASE], one.sizes[CONTROL])
        if min(arms) == 0 and strata is None:
            empty = CASE if arms[0] == 0 else CONTROL
            selection = test.contrast.case if empty == CASE else test.contrast.control
            raise AbsentData(
                f"no {'paired ' if test.pairs else ''}sample is in the {empty} group: {describe(selection)}"
                f"{values_found(samples, selection)}"
            )
        if strata is not None and min(arms) < max(1, test.min_per_group):
            if max(arms):
                left_out.append(f"{stratum} ({arms[0]} against {arms[1]})")
            continue
        found.append(one)
    if not found:
        raise AbsentData(f"no stratum of {test.strata} has {test.min_per_group} samples in both groups")
    return found, left_out


def two_groups(contrast: Contrast, samples: pd.DataFrame) -> Comparison:
    """The samples of a contrast, and nothing beside the group.

    Raises AbsentData for a column that is not there, for an empty group, and for a sample that belongs to both.
    """
    group = assign_groups(contrast, samples, "contrast")
    table = pd.DataFrame(
        {"group": pd.Categorical(group, [CONTROL, CASE])}, index=samples.index.rename("sample")
    ).dropna()
    for arm, selection in ((CASE, contrast.case), (CONTROL, contrast.control)):
        if not (table["group"] == arm).any():
            raise AbsentData(
                f"no sample is in the {arm} group: {describe(selection)}{values_found(samples, selection)}"
            )
    return Comparison("all", table, _formula(table))


def share_no_source(comparison: Comparison, samples: pd.DataFrame, column: str | None) -> bool:
    """Whether case and control come from different projects or batches throughout."""
    if column is None:
        return False
    source = column_of(samples, column).reindex(comparison.samples.index)
    case, control = (set(source[arm].dropna()) for arm in (comparison.case, ~comparison.case))
    return not case & control


def assign_groups(contrast: Contrast, samples: pd.DataFrame, name: str) -> np.ndarray:
    """case, control or None for every sample."""
    case, control = (
        np.asarray(select(samples, wanted), bool) for wanted in (contrast.case, contrast.control)
    )
    both = case & control
    if both.any():
        raise AbsentData(
            f"{name}: sample {samples.index[both][0]} is both case and control; make the two exclude each other"
        )
    return np.where(case, CASE, np.where(control, CONTROL, None))  # type: ignore[call-overload]


def _formula(table: pd.DataFrame) -> str:
    """The model of a table's columns. A covariate with one value tells nothing and is left out."""
    columns = map(str, table.columns)
    terms = [name for name in columns if name.startswith("covariate_") and table[name].nunique() > 1]
    terms += ["pair"] if "pair" in table else []
    terms += ["group", "modifier", "group:modifier"] if "modifier" in table else ["group"]
    return f"~ {' + '.join(terms)}"


def column_of(samples: pd.DataFrame, name: str) -> pd.Series:
    """A sample column as text; empty text, which is how tables on disk write it, is a missing value."""
    if name not in samples.columns:
        raise AbsentData(f"no column {name!r}{did_you_mean(name, samples.columns)}")
    text = samples[name].astype("string")
    return text.mask(text.str.strip() == "")


def covariate_of(samples: pd.DataFrame, name: str) -> pd.Series:
    """A sample column as numbers where every value is one, else as categories."""
    values = column_of(samples, name)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers if numbers.notna().equals(values.notna()) else values


def _without_unused(table: pd.DataFrame) -> pd.DataFrame:
    """Text columns as categories of what is left; group keeps both of its levels."""
    text: Mapping[str, pd.Series] = {
        str(name): table[name].astype(object).astype("category")
        for name in table.columns
        if isinstance(table[name].dtype, pd.StringDtype)
    }
    return table.assign(**text)
