"""Differential expression from counts: pydeseq2 with the numbers of R DESeq2.

pydeseq2 0.5.4 runs the steps of Love, Huber & Anders 2014 (doi 10.1186/s13059-014-0550-8) through its
public interface, and its Inference, the part made to be exchanged, is ours. Where stock pydeseq2 differs
from R DESeq2 1.38, and what stands in its place:

- trend of the dispersions and variance of their prior: dispersion.py
- search for each dispersion, also from fitted means of at least 0.5: dispersion_search.py
- standard errors from fitted means of at least 0.5 (else a gene that is silent in one group has none),
  ridge of the coefficients, apeglm's mode: negative_binomial.py
- the number of discoveries at each filter threshold, smoothed as by R's lowess: independent_filtering.py
- a Cook's outlier keeps its p-value for three larger counts only in a plain two-group design; a gene that
  is silent after replacement, or in all samples that the contrast compares, has p = 1: here
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f, norm

from reclaim.count_design import CountDesign, checked_counts, count_design, matching_samples
from reclaim.dispersion import DispersionPrior, DispersionTrend, dispersion_prior, dispersion_trend
from reclaim.dispersion_search import MIN_DISPERSION, gene_wise_dispersions, shrunken_dispersions
from reclaim.independent_filtering import filtered_q_values
from reclaim.negative_binomial import (
    MIN_MEAN,
    cauchy_scale,
    contrast_error,
    fit_coefficients,
    shrunken_coefficients,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

COOKS_QUANTILE = 0.99
REPLICATES_TO_FLAG = 3
REPLICATES_TO_REPLACE = 7


@dataclass(frozen=True)
class Settings:
    """What the fit chose by itself; `asdict` of it stands in the result's `attrs["settings"]`."""

    dispersion_trend: str
    asymptotic_dispersion: float
    extra_poisson: float
    prior_variance: float
    residual_df: int
    cooks_cutoff: float
    least_base_mean: float
    alpha: float
    shrinkage_scale: float | None


def fit_counts(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    design: str,
    contrast: Sequence[str] | Floats,
    *,
    alpha: float = 0.1,
    shrink: bool = False,
) -> pd.DataFrame:
    """Wald test of one contrast in every gene, as R's DESeq() and results(alpha=alpha) give it.

    `counts` is samples x genes, whole numbers from 0 on; `samples` has a row for each sample, found by
    its index, and the columns that the formula `design` names ("~ patient + group"; text is a group, a
    number a covariate). `contrast` is (column, level, reference), or for interactions an array with one
    weight per column of formulaic.model_matrix(design, samples).

    One row per gene, none dropped: base_mean (of normalised counts), log2_fold_change, se, statistic,
    p_value (two-sided), q_value (Benjamini-Hochberg after independent filtering at `alpha`), dispersion,
    with `shrink` shrunken_log2_fold_change (apeglm's posterior mode; p-values stay those of the unshrunken
    effect), and the flags all_zero (all else is NaN), cooks_outlier (p-value withheld, because one sample
    decides the fit), counts_replaced (an outlying count was replaced, with seven replicates or more) and
    low_mean (filtered: no q-value). The fitted `Settings` are in attrs["settings"].

    Raises ValueError for counts that are none, samples that do not match, genes or samples named twice, a
    sample or design that cannot be normalised or fitted, as count_design says, and for `shrink` with a
    contrast that is not a single coefficient.
    """
    whole = checked_counts(counts)
    samples = matching_samples(samples, counts.index)
    model = count_design(samples, design, contrast)
    if shrink and model.coefficient is None:
        raise ValueError("shrinkage needs a contrast that is a single coefficient of the design")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    with threadpool_limits(limits=1, user_api="blas"):  # so that sums are the same on any number of cores
        fitted, trend, prior = _fit(whole, model.matrix)
        table = _wald_test(fitted, model)
        cooks_cutoff = float(f.ppf(COOKS_QUANTILE, model.matrix.shape[1], model.residual_df))
        table["cooks_outlier"] = _cooks_outliers(fitted, model, cooks_cutoff)
        table["counts_replaced"] = fitted.var["replaced"].to_numpy(bool)
        _without_information(table, whole, model, contrast, samples)
        tested = filtered_q_values(table["p_value"].to_numpy(), table["base_mean"].to_numpy(), alpha)
        table.insert(5, "q_value", tested.q_value)
        table["low_mean"] = table["p_value"].notna() & table["q_value"].isna()
        scale = None
        if shrink:
            scale, shrunken = _shrunken(fitted, model, table)
            table.insert(7, "shrunken_log2_fold_change", shrunken)
    table.index = counts.columns
    table.attrs["settings"] = asdict(
        Settings(
            dispersion_trend=trend.kind,
            asymptotic_dispersion=trend.asymptotic,
            extra_poisson=trend.extra_poisson,
            prior_variance=prior.variance,
            residual_df=model.residual_df,
            cooks_cutoff=cooks_cutoff,
            least_base_mean=tested.least_base_mean,
            alpha=alpha,
            shrinkage_scale=scale,
        )
    )
    return table


def fit_rearranged(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    design: str,
    contrast: Floats,
    gene: str,
    order: NDArray[np.int64],
) -> pd.DataFrame:
    """Wald test of one gene with its samples rearranged: columns log2_fold_change and se, a row per row of `order`.

    Each row of `order` (arrangements x samples) says which sample's count and size factor stand at each place.
    Size factors, dispersion trend and prior are those of all genes as they are; the gene's own dispersion
    and coefficients are fitted anew. Outlying counts stay. Other arguments and errors as in `fit_counts`.
    """
    whole = checked_counts(counts)
    samples = matching_samples(samples, counts.index)
    model = count_design(samples, design, contrast)
    matrix, place = model.matrix.to_numpy(), counts.columns.get_loc(gene)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        fitted, trend, prior = _fit(whole, model.matrix)
        size_factors = fitted.obs["size_factors"].to_numpy()[order].T
        reads = whole[:, place].astype(float)[order].T
        normalised = reads / size_factors
        level = trend.at(np.array([normalised[:, 0].mean()]))[0]
        inference = _inference()
        rough = np.minimum(
            inference.fit_rough_dispersions(normalised, model.matrix),
            inference.fit_moments_dispersions(normalised, fitted.obs["size_factors"].to_numpy()),
        )
        rough = np.clip(rough, MIN_DISPERSION, max(10.0, len(reads)))
        if len(np.unique(matrix, axis=0)) == matrix.shape[1]:
            mean = size_factors * (matrix @ np.linalg.lstsq(matrix, normalised, rcond=None)[0])
        else:
            mean = fit_coefficients(reads, size_factors, matrix, rough).mean
        mean = np.maximum(mean, MIN_MEAN)
        own = gene_wise_dispersions(reads, matrix, mean, rough).dispersion
        around = np.full(len(own), level)
        dispersion = shrunken_dispersions(reads, matrix, mean, own, around, prior.variance).dispersion
        dispersion = np.where(np.log(own) > np.log(level) + 2 * prior.spread, own, dispersion)
        found = fit_coefficients(reads, size_factors, matrix, dispersion)
        return pd.DataFrame(
            {
                "log2_fold_change": found.coefficients @ model.contrast / np.log(2),
                "se": contrast_error(found.mean, matrix, dispersion, model.contrast) / np.log(2),
            }
        )


def _fit(counts: NDArray[np.int64], matrix: pd.DataFrame) -> tuple[Any, DispersionTrend, DispersionPrior]:
    """The steps of DESeq(); genes go by number. A fitted pydeseq2.dds.DeseqDataSet, trend and prior."""
    with warnings.catch_warnings():  # pydeseq2 and anndata have opinions on index types and few samples
        warnings.simplefilter("ignore")
        from pydeseq2.dds import DeseqDataSet  # type: ignore[import-untyped, unused-ignore]

        genes = [str(i) for i in range(counts.shape[1])]
        names = [str(i) for i in range(len(counts))]
        fitted = DeseqDataSet(
            counts=pd.DataFrame(counts, index=names, columns=genes),
            metadata=pd.DataFrame(index=names),
            design=matrix.set_axis(names),
            min_replicates=REPLICATES_TO_REPLACE,
            inference=_inference(),
            quiet=True,
        )
        fitted.fit_size_factors()
        fitted.fit_genewise_dispersions()
        seen = fitted.var["non_zero"].to_numpy(bool)
        means = fitted.var["_normed_means"].to_numpy()[seen]
        gene_wise = fitted.var["genewise_dispersions"].to_numpy()[seen]
        trend = dispersion_trend(means, gene_wise)
        prior = dispersion_prior(gene_wise, trend.at(means), len(counts) - matrix.shape[1])
        fitted.uns["disp_function_type"] = trend.kind
        fitted.uns["trend_coeffs"] = pd.Series({"a0": trend.asymptotic, "a1": trend.extra_poisson})
        fitted.uns["mean_disp"] = trend.asymptotic
        fitted.var["fitted_dispersions"] = np.full(counts.shape[1], np.nan)
        fitted.var.loc[seen, "fitted_dispersions"] = trend.at(means)
        fitted.uns["prior_disp_var"] = np.float64(prior.variance)
        fitted.uns["_squared_logres"] = prior.spread**2
        fitted.fit_MAP_dispersions()
        fitted.fit_LFC()
        fitted.calculate_cooks()
        fitted.refit()
    return fitted, trend, prior


def _inference() -> Any:
    """A pydeseq2 Inference that fits all genes at once, by R's searches."""
    from pydeseq2.default_inference import DefaultInference  # type: ignore[import-untyped, unused-ignore]

    class GenesAtOnce(DefaultInference):  # type: ignore[misc, unused-ignore]
        gene_wise: Floats

        def lin_reg_mu(
            self, counts: Floats, size_factors: Floats, design_matrix: Floats, min_mu: float
        ) -> Floats:
            normalised = counts / size_factors[:, None]
            coefficients = np.linalg.lstsq(design_matrix, normalised, rcond=None)[0]
            return np.maximum(size_factors[:, None] * (design_matrix @ coefficients), min_mu)

        def irls(
            self, counts: Floats, size_factors: Floats, design_matrix: Floats, disp: Floats, **_: Any
        ) -> tuple[Floats, Floats, Floats, Flags]:
            found = fit_coefficients(counts, size_factors, design_matrix, disp)
            return found.coefficients, found.mean, found.leverage, found.converged

        def alpha_mle(
            self,
            counts: Floats,
            design_matrix: Floats,
            mu: Floats,
            alpha_hat: Floats,
            prior_disp_var: float | None = None,
            **_: Any,
        ) -> tuple[Floats, Flags]:
            """Gene by gene first; then, with a prior around `alpha_hat`, from there."""
            mean = np.maximum(mu, MIN_MEAN)
            if prior_disp_var is None:
                found = gene_wise_dispersions(counts, design_matrix, mean, alpha_hat)
                self.gene_wise = found.dispersion
            else:
                found = shrunken_dispersions(
                    counts, design_matrix, mean, self.gene_wise, alpha_hat, prior_disp_var
                )
            return found.dispersion, found.converged

    return GenesAtOnce(n_cpus=1)


def _wald_test(fitted: Any, model: CountDesign) -> pd.DataFrame:
    genes = fitted.var
    seen = genes["non_zero"].to_numpy(bool)
    effect, se, dispersion = (np.full(len(genes), np.nan) for _ in range(3))
    coefficients, matrix = fitted.varm["LFC"].to_numpy()[seen], model.matrix.to_numpy()
    dispersion[seen] = genes["dispersions"].to_numpy()[seen]
    mean = fitted.obs["size_factors"].to_numpy()[:, None] * np.exp(matrix @ coefficients.T)
    effect[seen] = coefficients @ model.contrast / np.log(2)
    se[seen] = contrast_error(mean, matrix, dispersion[seen], model.contrast) / np.log(2)
    statistic = effect / se
    return pd.DataFrame(
        {
            "base_mean": genes["_normed_means"].to_numpy(),
            "log2_fold_change": effect,
            "se": se,
            "statistic": statistic,
            "p_value": 2 * norm.sf(np.abs(statistic)),
            "dispersion": dispersion,
            "all_zero": ~seen,
        }
    )


def _cooks_outliers(fitted: Any, model: CountDesign, cutoff: float) -> Flags:
    """Genes with Cook's distance above the cutoff in a sample with two or more replicates, unless it was
    replaced. With two groups, a gene where three samples count more than its outlier is spared."""
    cooks = np.nan_to_num(fitted.layers["cooks"])
    considered = _replicates(model.matrix) >= REPLICATES_TO_FLAG
    if fitted.var["refitted"].any():
        considered &= ~fitted.obs["replaceable"].to_numpy(bool)
    outlier: Flags = (cooks[considered] > cutoff).any(axis=0)
    if model.two_groups:
        outlying = fitted.X[cooks.argmax(axis=0), np.arange(cooks.shape[1])]
        outlier &= (outlying < fitted.X).sum(axis=0) < 3
    return outlier


def _replicates(matrix: pd.DataFrame) -> NDArray[np.int64]:
    """How many samples have the same row of the design, for each sample."""
    _, group, sizes = np.unique(matrix.to_numpy(), axis=0, return_inverse=True, return_counts=True)
    return np.asarray(sizes[group.ravel()])


def _without_information(
    table: pd.DataFrame,
    counts: NDArray[np.int64],
    model: CountDesign,
    contrast: Sequence[str] | Floats,
    samples: pd.DataFrame,
) -> None:
    """Sets effect 0 and p = 1 for genes that are silent where the contrast looks; withholds p-values of
    Cook's outliers."""
    if isinstance(contrast, np.ndarray):
        one_sided = (contrast >= 0).all() or (contrast <= 0).all()
        compared = (model.matrix.to_numpy() @ (contrast != 0) != 0) & (not one_sided)
    else:
        column, level, reference = contrast
        compared = samples[column].isin([level, reference]).to_numpy()
    silent = ~table["all_zero"] & (counts[compared] == 0).all(axis=0) & compared.any()
    table.loc[silent, ["log2_fold_change", "statistic", "p_value"]] = [0.0, 0.0, 1.0]
    table.loc[table["cooks_outlier"], "p_value"] = np.nan
    emptied = table["counts_replaced"] & (table["base_mean"] == 0)
    table.loc[emptied, ["log2_fold_change", "se", "statistic", "p_value"]] = [0.0, 0.0, 0.0, 1.0]


def _shrunken(fitted: Any, model: CountDesign, table: pd.DataFrame) -> tuple[float, Floats]:
    """Scale of the prior (natural log) and the shrunken log2 fold changes."""
    seen = ~table["all_zero"].to_numpy(bool)
    # Genes that replacement left without counts have no error; R takes it for perfect knowledge.
    natural = table.loc[table["se"] > 0, ["log2_fold_change", "se"]].to_numpy().T * np.log(2)
    scale = cauchy_scale(*natural)
    which = model.coefficient
    assert which is not None
    shrunken = np.full(len(table), np.nan)
    shrunken[seen] = shrunken_coefficients(
        fitted.X[:, seen].astype(float),
        fitted.obs["size_factors"].to_numpy(),
        model.matrix.to_numpy(),
        table.loc[seen, "dispersion"].to_numpy(),
        fitted.varm["LFC"].to_numpy()[seen],
        which,
        scale,
    ) / np.log(2)
    return scale, shrunken
