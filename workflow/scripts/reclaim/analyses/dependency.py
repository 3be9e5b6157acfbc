"""Gene effect of a knock-out in some cell lines: its mean there, or how it differs from that in others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.analyses.differential_expression import one_sided
from reclaim.analyses.groups import CASE, CONTROL, Comparison, share_no_source, two_groups
from reclaim.claim_tests import Dependency
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate, note_of
from reclaim.margins import MARGIN
from reclaim.mean_tests import one_sample_t, welch_t
from reclaim.selection import describe, select, values_found

if TYPE_CHECKING:
    import anndata

METHODS = {
    "mean": "mean Chronos gene effect of the case lines (Dempster 2021), t interval",
    "difference": "difference of mean Chronos gene effects (Dempster 2021), Welch's t interval",
}
EFFECTS = {"mean": "gene_effect", "difference": "gene_effect_difference"}
MIN_LINES = 3
"""Fewer lines have a direction and no interval."""
NUMBERS = ("se", "ci_low", "ci_high", "statistic", "p_value")


def dependency(
    test: Dependency,
    data: anndata.AnnData,
    source_column: str | None = None,
    log: Callable[[str], object] = lambda _: None,
) -> tuple[list[Estimate], pd.DataFrame]:
    """The estimate for the tested gene, and the same of every gene: feature, stratum, n, effect and what belongs to it.

    `data`: cell lines x genes, missing values as NaN; a gene's lines are those that have a value of it. Whatever the
    effect, the note tells the mean of the control lines and the difference, so that a gene that every cell needs shows
    as one. p-values of the table are two-sided, that of the estimate is one-sided. Raises AbsentData where the groups
    cannot be formed.
    """
    lines, comparison = compared_lines(test, data)
    log(comparison.in_words())
    values = np.asarray(lines.X)
    table = every_gene(test, values, comparison.case).set_axis(lines.var_names)
    found = _estimate(test, comparison, lines, table)
    if test.effect == "difference" and share_no_source(comparison, lines.obs, source_column):
        found = replace(found, flags=(*found.flags, "source_confounded"))
    every = table.rename_axis("feature").reset_index().assign(stratum="all")
    every.attrs = {"method": METHODS[test.effect], "effect_name": EFFECTS[test.effect]}
    return [found], every


def compared_lines(test: Dependency, data: anndata.AnnData) -> tuple[anndata.AnnData, Comparison]:
    """The lines of the two groups, and which are which. Raises AbsentData where a group is empty."""
    chosen = data[np.asarray(select(data.obs, test.samples), bool)] if test.samples else data
    if chosen.n_obs == 0:
        raise AbsentData(
            f"no cell line meets: {describe(test.samples)}{values_found(data.obs, test.samples)}"
        )
    comparison = two_groups(test.contrast, chosen.obs)
    return chosen[comparison.samples.index], comparison


def every_gene(test: Dependency, values: np.ndarray, case: np.ndarray) -> pd.DataFrame:
    """n, effect, se, ci_low, ci_high, statistic, p_value, q_value of each column of `values` (lines x genes); without
    an interval where one of the groups that the effect compares has fewer than MIN_LINES values."""
    if test.effect == "mean":
        table = one_sample_t(values[case])
        few = table["n"] < MIN_LINES
    else:
        table = welch_t(values, case)
        few = table[["n_case", "n_control"]].min(axis=1) < MIN_LINES
    table.loc[few, [*NUMBERS, "q_value"]] = np.nan
    return table.drop(columns=["n_case", "n_control"], errors="ignore")


def _estimate(
    test: Dependency, comparison: Comparison, lines: anndata.AnnData, table: pd.DataFrame
) -> Estimate:
    gene = str(test.feature.gene)
    base = Estimate(METHODS[test.effect], gene, EFFECTS[test.effect], groups=dict(comparison.sizes))
    if gene not in table.index:
        told = f"{gene} is not among the {len(table):,} genes of this data set."
        return replace(base, n=lines.n_obs, flags=("not_on_platform",), note=told, valid=False)
    values = np.asarray(lines.X[:, lines.var_names.get_loc(gene)], np.float64)
    difference = welch_t(values[:, None], comparison.case).iloc[0]
    sizes = {CASE: int(difference["n_case"]), CONTROL: int(difference["n_control"])}
    row = dict(zip(table.columns, table.loc[[gene]].to_numpy(float)[0].tolist(), strict=True))
    told = _in_words(values, comparison.case, sizes, difference)
    base = replace(base, n=int(row["n"]), groups=dict(sizes), note=told)
    if not np.isfinite(row["effect"]):
        return replace(base, flags=("not_detected",), valid=False)
    return replace(base, flags=_flags(test, sizes, row["se"])).with_numbers(
        row, one_sided(row["p_value"], row["effect"], test.expected)
    )


def _flags(test: Dependency, sizes: dict[str, int], se: float) -> tuple[str, ...]:
    smallest = sizes[CASE] if test.effect == "mean" else min(sizes.values())
    if smallest < MIN_LINES:
        return ("one_replicate",) if smallest == 1 else ("two_replicates",)
    return () if np.isfinite(se) else ("not_estimable",)


def _in_words(values: np.ndarray, case: np.ndarray, sizes: dict[str, int], difference: pd.Series) -> str:
    """Both means and their difference; which lines have no value; and whether the control lines need the gene, too."""
    missing = int(np.isnan(values).sum())
    left_out = (
        f"Left out: {missing} line{'s' if missing > 1 else ''} without a value of the gene."
        if missing
        else ""
    )
    empty = [arm for arm, number in sizes.items() if not number]
    if empty:
        return note_of(f"No {' and no '.join(empty)} line has a value of the gene.", left_out)
    means = {CASE: float(np.nanmean(values[case])), CONTROL: float(np.nanmean(values[~case]))}
    parts = [f"{_number(means[arm])} in {sizes[arm]} {arm} lines" for arm in (CASE, CONTROL)]
    interval = (
        f" (95 % interval {_number(difference['ci_low'])} to {_number(difference['ci_high'])})"
        if min(sizes.values()) >= MIN_LINES and np.isfinite(difference["se"])
        else ""
    )
    needed = means[CONTROL] <= -MARGIN["gene_effect"]
    return note_of(
        f"Mean gene effect {' and '.join(parts)}; difference {_number(difference['effect'])}{interval}.",
        "The control lines need the gene, too." if needed else "",
        left_out,
    )


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # no minus before a rounded 0
