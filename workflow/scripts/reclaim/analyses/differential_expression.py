"""log2 fold change of every gene between two groups of samples, and of a set's mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reclaim.analyses.groups import CASE, Comparison, comparisons, share_no_source
from reclaim.claim_tests import DifferentialExpression
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate, note_of

if TYPE_CHECKING:
    import anndata

METHODS = {
    "counts": "negative binomial model (pydeseq2), dispersion trend and prior as in R DESeq2, Wald test",
    "moderated_t": "linear model, moderated t with trend (Smyth 2004), as in R limma",
    "rank": "Wilcoxon rank-sum test (statistic: z); effect: difference of means with Welch's interval",
    "paired_rank": "Wilcoxon signed-rank test on pairs (statistic: z); effect: mean difference with its t interval",
    "direction": "difference of mean log2 values: too few replicates for an interval",
    "set": "linear model of the mean log2 expression of the set, t interval",
}
BY_UNIT = {
    "counts": "counts",
    "log2_intensity": "moderated_t",
    "log2_tpm": "rank",
    "log2_normalised_count": "rank",
}
MIN_SET_SHARE = 0.5
"""A set of which fewer members are measured is not the set of the claim."""

TABLE_COLUMNS = ("effect", "se", "ci_low", "ci_high", "statistic", "p_value", "q_value", "mean")
"""Of the table of all genes, indexed by gene; p-values two-sided, means on the log2 scale."""


def differential_expression(
    test: DifferentialExpression,
    data: anndata.AnnData,
    genes: Sequence[str],
    source_column: str | None = None,
    log: Callable[[str], object] = lambda _: None,
) -> tuple[list[Estimate], pd.DataFrame]:
    """One estimate of the test's feature per stratum, and the table of all genes.

    `genes` are the members of the tested set; empty for a single gene. The table has columns feature,
    stratum, n and TABLE_COLUMNS. `log` is told which samples are compared. Raises AbsentData where the
    groups cannot be formed.
    """
    chosen = tested_samples(test, data)
    found, left_out = comparisons(test, chosen.obs)
    estimates, tables = [], []
    for one in found:
        log(f"{one.stratum}: {one.in_words()}")
        part = chosen[one.samples.index]
        table, method, flags, note = fit(test, one, part)
        if share_no_source(one, chosen.obs, source_column):
            flags = (*flags, "source_confounded")
        told = [_incomplete(one), f"Too few samples in {', '.join(left_out)}." if left_out else ""]
        if genes:
            # The set has a model of its own: whether those of single genes could be fitted is nothing to it.
            flags = tuple(flag for flag in flags if flag != "not_estimable")
            estimates.append(_set_estimate(test, one, part, genes, flags, note_of(*told)))
        else:
            estimates.append(_gene_estimate(test, one, table, method, flags, note_of(note, *told)))
        tables.append(table.rename_axis("feature").reset_index().assign(stratum=one.stratum, n=part.n_obs))
    every = pd.concat(tables, ignore_index=True)
    every.attrs = {"method": method, "effect_name": "log2_fold_change"}
    return estimates, every


def fit(
    test: DifferentialExpression, comparison: Comparison, data: anndata.AnnData
) -> tuple[pd.DataFrame, str, tuple[str, ...], str]:
    """The table of all genes of one comparison, how it was made, flags and a note.

    A model that cannot be fitted (dependent columns, no residual degrees of freedom) gives directions
    without intervals, with the reason as note. Genes that are silent in all samples have no numbers but
    their mean. Raises AbsentData for a method that needs counts on other data.
    """
    table, method, flags, note = _fitted(test, comparison, data)
    if data.uns["unit"] != "log2_intensity":
        table.loc[table["mean"] == 0, table.columns != "mean"] = np.nan
    return table, method, flags, note


def method_of(test: DifferentialExpression, unit: str) -> str:
    """counts, moderated_t or rank: as the test says, else by the unit of the data."""
    by_unit = BY_UNIT[unit]
    if by_unit == "rank" and (test.covariates or test.interaction):
        by_unit = "moderated_t"
    return test.method or by_unit


def _fitted(
    test: DifferentialExpression, comparison: Comparison, data: anndata.AnnData
) -> tuple[pd.DataFrame, str, tuple[str, ...], str]:
    unit = data.uns["unit"]
    method = method_of(test, unit)
    if method == "counts" and unit != "counts":
        raise AbsentData(f"method counts needs counts of reads; the data set holds {unit}")
    if comparison.smallest_cell < 2:
        return _directions(comparison, data), METHODS["direction"], ("one_replicate",), ""
    flags, note = ("two_replicates",) if comparison.smallest_cell == 2 else (), ""
    try:
        if method == "counts":
            table, note = _by_counts(comparison, data)
        elif method == "moderated_t":
            table = _by_moderated_t(comparison, data)
        else:
            method, table = _by_ranks(test, comparison, data)
    except (ValueError, np.linalg.LinAlgError) as error:
        reason = str(error)
        for number, name in reversed(list(enumerate(test.covariates))):
            reason = reason.replace(f"covariate_{number}", name)
        return (
            _directions(comparison, data),
            METHODS["direction"],
            (*flags, "not_estimable"),
            f"The model could not be fitted: {reason}.",
        )
    return table, METHODS[method], flags, note


def _incomplete(comparison: Comparison) -> str:
    number = comparison.incomplete
    if not number:
        return ""
    return f"Left out: {number} sample{'s' if number > 1 else ''} without a covariate, modifier or partner."


def log2_values(data: anndata.AnnData) -> np.ndarray:
    """Samples x genes on the log2 scale; counts as log2(1 + counts / size factor), median of ratios."""
    values = _dense(data)
    if data.uns["unit"] != "counts":
        return values
    from pydeseq2.preprocessing import deseq2_norm

    expressed = (values > 0).all(axis=0)
    if expressed.any():
        normalised = deseq2_norm(values)[0]
    else:
        total = values.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # a sample without reads has no values
            normalised = values / (total / total.mean())
    return np.log2(1 + np.asarray(normalised, np.float64))


def _dense(data: anndata.AnnData) -> np.ndarray:
    values = data.X.toarray() if hasattr(data.X, "toarray") else np.asarray(data.X)
    return np.asarray(values, np.float64)


def tested_samples(test: DifferentialExpression, data: anndata.AnnData) -> anndata.AnnData:
    """The samples that meet the test's own filter."""
    from reclaim.selection import select

    return data[np.asarray(select(data.obs, test.samples), bool)] if test.samples else data


def model_matrix_of(comparison: Comparison) -> pd.DataFrame:
    """Samples x coefficients; the last coefficient is the effect."""
    from formulaic import model_matrix

    matrix: pd.DataFrame = model_matrix(comparison.formula, comparison.samples)
    return matrix.astype(float)


def last_of(columns: int) -> np.ndarray:
    """The contrast of the last of so many coefficients."""
    contrast = np.zeros(columns)
    contrast[-1] = 1
    return contrast


def _by_counts(comparison: Comparison, data: anndata.AnnData) -> tuple[pd.DataFrame, str]:
    """The table, with apeglm's shrunken effect beside the unshrunken one, and the settings of the model."""
    from reclaim.count_model import fit_counts

    counts = pd.DataFrame(_dense(data).astype(np.int64), index=data.obs_names, columns=data.var_names)
    contrast = last_of(model_matrix_of(comparison).shape[1])
    fitted = fit_counts(counts, comparison.samples, comparison.formula, contrast, shrink=True)
    se, settings = fitted["se"], fitted.attrs["settings"]
    table = pd.DataFrame(
        {
            "effect": fitted["log2_fold_change"],
            "se": se,
            "ci_low": fitted["log2_fold_change"] - 1.96 * se,
            "ci_high": fitted["log2_fold_change"] + 1.96 * se,
            "statistic": fitted["statistic"],
            "p_value": fitted["p_value"],
            "q_value": fitted["q_value"],
            "mean": np.log2(1 + fitted["base_mean"]),
            "shrunken": fitted["shrunken_log2_fold_change"],
        }
    )
    return table, f"Model settings: {_settings_in_words(settings)}."


def _settings_in_words(settings: Mapping[str, Any]) -> str:
    trend = (
        f"{settings['asymptotic_dispersion']:.3g} + {settings['extra_poisson']:.3g}/mean"
        if settings["dispersion_trend"] == "parametric"
        else settings["dispersion_trend"]
    )
    return (
        f"dispersion trend {trend}, prior variance {settings['prior_variance']:.3g}, "
        f"{settings['residual_df']} residual degrees of freedom"
    )


def _by_moderated_t(comparison: Comparison, data: anndata.AnnData) -> pd.DataFrame:
    from reclaim.moderated_t import moderated_t

    design = model_matrix_of(comparison).to_numpy()
    table = moderated_t(log2_values(data), design, last_of(design.shape[1]), trend=True)
    return table[list(TABLE_COLUMNS)].set_axis(data.var_names)


def _by_ranks(
    test: DifferentialExpression, comparison: Comparison, data: anndata.AnnData
) -> tuple[str, pd.DataFrame]:
    from reclaim.rank_tests import rank_sum, signed_rank

    if test.covariates or test.interaction:
        raise ValueError("a rank test has no place for covariates or an interaction; use moderated_t")
    values = log2_values(data)
    if test.pairs:
        table = signed_rank(values, comparison.case, list(comparison.samples["pair"]))
    else:
        table = rank_sum(values, comparison.case)
    # Genes are ranked by the statistic for gene sets: U and W have no sign, their z has.
    table = table.set_axis(data.var_names).assign(mean=values.mean(axis=0), statistic=table["z"].to_numpy())
    return ("paired_rank" if test.pairs else "rank"), table[list(TABLE_COLUMNS)]


def _directions(comparison: Comparison, data: anndata.AnnData) -> pd.DataFrame:
    """Differences of means, without intervals; of an interaction, of differences."""
    values = log2_values(data)
    table = pd.DataFrame(np.nan, index=data.var_names, columns=list(TABLE_COLUMNS))
    table["mean"] = values.mean(axis=0)
    table["effect"] = _difference(comparison, values)
    return table


def _difference(comparison: Comparison, values: np.ndarray) -> np.ndarray:
    """Case minus control; of an interaction its difference between the modifier's groups. NaN where one of
    these groups is empty. `values` has one row per sample."""
    case = comparison.case
    if "modifier" not in comparison.samples:
        return np.asarray(values[case].mean(axis=0) - values[~case].mean(axis=0))
    modified = (comparison.samples["modifier"] == CASE).to_numpy()
    if comparison.smallest_cell == 0:
        return np.full(values.shape[1:], np.nan)
    within = [
        values[case & side].mean(axis=0) - values[~case & side].mean(axis=0) for side in (modified, ~modified)
    ]
    return np.asarray(within[0] - within[1])


def _gene_estimate(
    test: DifferentialExpression,
    comparison: Comparison,
    table: pd.DataFrame,
    method: str,
    flags: tuple[str, ...],
    note: str,
) -> Estimate:
    gene = str(test.feature.gene)
    base = Estimate(
        method,
        gene,
        "log2_fold_change",
        n=len(comparison.samples),
        groups=dict(comparison.sizes),
        stratum=comparison.stratum,
        flags=flags,
        note=note,
    )
    if gene not in table.index:
        told = f"{gene} is not among the {len(table):,} genes of this data set."
        return replace(base, flags=(*flags, "not_on_platform"), note=told, valid=False)
    row = dict(zip(table.columns, table.loc[[gene]].to_numpy(float)[0].tolist(), strict=True))
    if comparison.smallest_cell == 0:
        return _without_a_group(base)
    if not np.isfinite(row["effect"]):
        told = note_of(f"{gene} has no reads, or too few values, in these samples.", note)
        return replace(base, flags=(*flags, "not_detected"), note=told, valid=False)
    if np.isfinite(row.get("shrunken", np.nan)):
        note = f"Shrunken (apeglm): {row['shrunken']:.2f}. {note}".strip()
    p_value = one_sided(row["p_value"], row["effect"], test.expected)
    return replace(base, note=note).with_numbers(row, p_value)


def _set_estimate(
    test: DifferentialExpression,
    comparison: Comparison,
    data: anndata.AnnData,
    genes: Sequence[str],
    flags: tuple[str, ...],
    note: str,
) -> Estimate:
    """The mean log2 expression of the set's measured members as one variable per sample."""
    values = log2_values(data)
    measured = measured_members(genes, data.var_names, values)
    base = Estimate(
        METHODS["set" if comparison.smallest_cell >= 2 else "direction"],
        test.feature.gene_set if isinstance(test.feature.gene_set, str) else ", ".join(genes),
        "set_log2_fold_change",
        n=data.n_obs,
        groups={**comparison.sizes, "members": len(genes), "measured": len(measured)},
        stratum=comparison.stratum,
        flags=flags,
        note=note,
    )
    if len(measured) < MIN_SET_SHARE * len(genes):
        told = note_of(f"Only {len(measured)} of {len(genes)} members of the set are measured.", note)
        return replace(base, flags=(*flags, "not_on_platform"), note=told, valid=False)
    if comparison.smallest_cell == 0:
        return _without_a_group(base)
    score = values[:, data.var_names.get_indexer(measured)].mean(axis=1)
    if comparison.smallest_cell < 2:
        return base.with_numbers({"effect": float(_difference(comparison, score))}, None)
    design = model_matrix_of(comparison).to_numpy()
    fitted = least_squares(score, design, last_of(design.shape[1]))
    if fitted is None:
        told = note_of("The model could not be fitted: too few samples, or groups that go together.", note)
        found = replace(base, method=METHODS["direction"], flags=(*flags, "not_estimable"), note=told)
        return found.with_numbers({"effect": float(_difference(comparison, score))}, None)
    return base.with_numbers(fitted, one_sided(fitted["p_value"], fitted["effect"], test.expected))


def measured_members(genes: Sequence[str], names: pd.Index, values: np.ndarray) -> list[str]:
    """Members of a set that have a value in every sample; `values` is samples x `names`."""
    complete = set(names[~np.isnan(values).any(axis=0)])
    return [gene for gene in genes if gene in complete]


def _without_a_group(base: Estimate) -> Estimate:
    told = note_of("One of the four groups of the interaction is empty.", base.note)
    return replace(base, flags=(*base.flags, "not_estimable"), note=told, valid=False)


def least_squares(values: np.ndarray, design: np.ndarray, contrast: np.ndarray) -> Mapping[str, float] | None:
    """Ordinary least squares of one variable; None without residual degrees of freedom or full rank."""
    import statsmodels.api as sm

    if np.linalg.matrix_rank(design) < design.shape[1] or len(values) <= design.shape[1]:
        return None
    found = sm.OLS(values, design).fit().t_test(contrast)
    low, high = found.conf_int()[0]
    return {
        "effect": float(found.effect[0]),
        "se": float(np.ravel(found.sd)[0]),
        "ci_low": float(low),
        "ci_high": float(high),
        "statistic": float(np.ravel(found.tvalue)[0]),
        "p_value": float(np.ravel(found.pvalue)[0]),
    }


def one_sided(p_value: float, effect: float, expected: str) -> float | None:
    """The p-value in the claimed direction, from a two-sided one."""
    if not np.isfinite(p_value):
        return None
    as_claimed = effect < 0 if expected == "negative" else effect > 0
    return float(p_value / 2 if as_claimed else 1 - p_value / 2)
