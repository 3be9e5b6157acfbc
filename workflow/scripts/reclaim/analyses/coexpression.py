"""Spearman correlation of two genes or scores over samples, plain or given covariates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pandas as pd

from reclaim.analyses.coexpression_scores import Floats, Sets, Variable, varies
from reclaim.analyses.coexpression_variables import MIN_SAMPLES, PairValues, Variables, samples_by_stratum
from reclaim.analyses.differential_expression import one_sided
from reclaim.claim_tests import Coexpression
from reclaim.correlation import bootstrap_spearman, partial_spearman
from reclaim.evidence import Estimate, note_of

if TYPE_CHECKING:
    import anndata

EFFECT = "spearman_rho"
DETECTED = 1e-6
"""Logs that are taken back leave so much of nothing; one read is far more."""

TABLE_COLUMNS = (
    "feature", "stratum", "n", "effect", "se", "ci_low", "ci_high", "statistic", "p_value", "q_value",
)  # fmt: skip
"""Of the table of all genes; p-values two-sided, se on the scale of Fisher's z."""


def coexpression(
    test: Coexpression,
    data: anndata.AnnData,
    sets: Sets,
    seed: int,
    log: Callable[[str], object] = lambda _: None,
) -> tuple[list[Estimate], pd.DataFrame]:
    """One estimate of rho per stratum, and the table of every gene against the first feature.

    `sets` are the study's gene sets by name. An estimate's interval is that of the percentile bootstrap, its se
    belongs to Fisher's z. The table has TABLE_COLUMNS, with Fisher's interval, and the adjustment of the
    estimate; the first feature, or the genes of its score, are left out. Genes of an adjusting set stand in it,
    though adjusted for themselves. `log` is told what is compared. Raises AbsentData when no sample is left,
    and for a covariate that is neither a sample column nor a set.
    """
    strata, left_out = samples_by_stratum(test, data)
    too_few = f"Fewer than {MIN_SAMPLES} samples in {', '.join(left_out)}." if left_out else ""
    method = _method(test, sets)
    flags = ("tissue_mixture",) if _open_to_mixture(test, sets) else ()
    estimates, tables = [], []
    for stratum, part in strata.items():
        variables = Variables.of(test, part, sets)
        x, y = variables.ends
        base = Estimate(
            f"{method}; bootstrap percentile interval",
            f"{x.label} and {y.label}",
            EFFECT,
            stratum=stratum,
            flags=(*flags, *(["circular_members"] if variables.circular else [])),
        )
        table = _table(variables, stratum)
        found = _estimate(test, base, variables, table, crc32(f"{seed} {stratum}".encode()))
        found = replace(found, note=note_of(found.note, *variables.told, too_few))
        log(f"{stratum}: {found.feature} in {found.n} samples; {method}")
        estimates.append(found)
        tables.append(table)
    filled = [table for table in tables if len(table)]
    every = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(TABLE_COLUMNS))
    every.attrs = {"method": f"{method}; interval by Fisher's z", "effect_name": EFFECT}
    return estimates, every


def _estimate(
    test: Coexpression, base: Estimate, variables: Variables, table: pd.DataFrame, seed: int
) -> Estimate:
    x, y = variables.ends
    pair = variables.pair()
    base = replace(base, n=len(variables.samples if variables.unmeasured else pair.samples))
    why_not = _why_not(variables, pair)
    if why_not:
        flag, told, valid = why_not
        return replace(base, flags=(*base.flags, flag), note=told, valid=valid)
    partner = table[table["feature"] == y.label] if not y.is_set else table.iloc[:0]
    found = partner if len(partner) else partial_spearman(pair.y[:, None], pair.x, pair.covariates)
    numbers = {name: float(found[name].iloc[0]) for name in ("effect", "se", "statistic", "p_value")}
    if np.isnan(numbers["effect"]):
        told = f"The covariates leave nothing of {x.label} or {y.label}, or are too many for the samples."
        return replace(base, flags=(*base.flags, "not_estimable"), note=told)
    low, high = bootstrap_spearman(pair.x, pair.y, seed, covariates=pair.covariates)
    numbers |= {"ci_low": low, "ci_high": high}
    rank = ""
    if len(partner):
        numbers["q_value"] = float(partner["q_value"].iloc[0])
        rank = _rank(test, x.label, y.label, numbers["effect"], table["effect"])
    seen = [_detected(end, values, variables.unit) for end, values in ((x, pair.x), (y, pair.y))]
    p_value = one_sided(numbers["p_value"], numbers["effect"], test.expected)
    return replace(base, note=note_of(rank, *seen)).with_numbers(numbers, p_value)


def _why_not(variables: Variables, pair: PairValues) -> tuple[str, str, bool] | None:
    """Flag, words and whether the test is valid all the same, when it has no rho."""
    x, y = variables.ends
    if variables.unmeasured:
        return variables.unmeasured.flag, variables.unmeasured.told, False
    if list(x.genes) == list(y.genes):
        return "not_estimable", f"{x.label} is not compared with itself.", False
    if len(pair.samples) < MIN_SAMPLES:
        told = f"All values are there in {len(pair.samples)} samples; {MIN_SAMPLES} are needed."
        return "not_estimable", told, True
    for end, values in ((x, pair.x), (y, pair.y)):
        if not varies(values):
            return "not_detected", f"{end.label} has no reads, or one value only, in these samples.", False
    return None


def _table(variables: Variables, stratum: str) -> pd.DataFrame:
    """Every gene against the first feature; empty where that, or an adjusting score, has no values, and for too
    few samples."""
    first = variables.ends[0]
    unmeasured = any(one.flag for one in (first, *variables.scores))
    if unmeasured or len(variables.samples) < MIN_SAMPLES:
        return pd.DataFrame(columns=list(TABLE_COLUMNS))
    others = ~variables.genes.isin(list(first.genes))
    found = partial_spearman(variables.values[:, others], first.values, variables.covariates)
    found = found.assign(feature=variables.genes[others].to_numpy(object), stratum=stratum)
    return found[list(TABLE_COLUMNS)]


def _method(test: Coexpression, sets: Sets) -> str:
    if not test.adjust:
        return "Spearman's rank correlation"
    given = [f"the score of {name}" if name in sets else name for name in test.adjust]
    return f"partial Spearman correlation given {' and '.join(given)}"


def _open_to_mixture(test: Coexpression, sets: Sets) -> bool:
    """Genes of one cell type rise together with its share of a tissue; purity does not tell which cells the
    rest are."""
    return (
        test.pseudobulk is None
        and test.expected == "positive"
        and not any(name in sets for name in test.adjust)
    )


def _rank(test: Coexpression, first: str, partner: str, rho: float, others: pd.Series[float]) -> str:
    """Where the partner stands among all genes that have a rho, itself among them."""
    negative = test.expected == "negative"
    beyond = int((others < rho).sum() if negative else (others > rho).sum())
    order = ", lowest first" if negative else ""
    known = int(others.notna().sum())
    return f"{partner} ranks {_ordinal(beyond + 1)} of {known:,} genes by rho with {first}{order}."


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _detected(end: Variable, values: Floats, unit: str) -> str:
    """Said of a gene that most samples have none of; arrays always show some intensity."""
    seen = int((values > DETECTED).sum())
    if end.is_set or unit == "log2_intensity" or 2 * seen >= len(values):
        return ""
    return f"{end.label} is detected in {seen} of {len(values)} samples."
