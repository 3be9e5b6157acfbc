"""The estimate of a test's subject under permuted labels: what chance alone would have found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.analyses.differential_expression import last_of, log2_values, method_of, model_matrix_of
from reclaim.analyses.groups import Comparison
from reclaim.claim_tests import DifferentialExpression
from reclaim.count_model import fit_rearranged
from reclaim.moderated_t import moderated_t, t_with_prior
from reclaim.rank_tests import rank_sum, signed_rank

if TYPE_CHECKING:
    import anndata

Floats = NDArray[np.float64]
COLUMNS = ("effect", "se", "ci_low", "ci_high")


def permuted_gene(
    test: DifferentialExpression,
    comparison: Comparison,
    data: anndata.AnnData,
    gene: str,
    order: NDArray[np.int64],
) -> pd.DataFrame:
    """COLUMNS for every row of `order` (arrangements x samples), by the test's own method.

    `data` holds the samples of the comparison. What all genes share stays as it is: size factors, and the
    priors of variances and dispersions.
    """
    method = method_of(test, data.uns["unit"])
    if method == "counts":
        counts = pd.DataFrame(
            np.asarray(data.X.toarray() if hasattr(data.X, "toarray") else data.X).astype(np.int64),
            index=data.obs_names,
            columns=data.var_names,
        )
        contrast = last_of(model_matrix_of(comparison).shape[1])
        found = fit_rearranged(counts, comparison.samples, comparison.formula, contrast, gene, order)
        effect, se = found["log2_fold_change"], found["se"]
        return pd.DataFrame(
            {"effect": effect, "se": se, "ci_low": effect - 1.96 * se, "ci_high": effect + 1.96 * se}
        )
    if method == "moderated_t":
        values, design = log2_values(data), model_matrix_of(comparison).to_numpy()
        place = data.var_names.get_loc(gene)
        every = moderated_t(values, design, last_of(design.shape[1]), trend=True).iloc[place]
        rearranged = values[:, place][order].T
        prior = float(every["prior_variance"]), float(every["prior_df"])
        return t_with_prior(rearranged, design, last_of(design.shape[1]), *prior)[list(COLUMNS)]
    rearranged = gene_values(data, gene)[order].T
    if test.pairs:
        return signed_rank(rearranged, comparison.case, list(comparison.samples["pair"]))[list(COLUMNS)]
    return rank_sum(rearranged, comparison.case)[list(COLUMNS)]


def permuted_score(comparison: Comparison, score: Floats, order: NDArray[np.int64]) -> pd.DataFrame:
    """As `permuted_gene`, for the score of a set: one value per sample."""
    return score_estimates(comparison, score[order].T)[list(COLUMNS)]


def score_estimates(comparison: Comparison, scores: Floats) -> pd.DataFrame:
    """The linear model of a set's mean, for every column of `scores` (samples x sets): COLUMNS, statistic."""
    design = model_matrix_of(comparison).to_numpy()
    return t_with_prior(scores, design, last_of(design.shape[1]))[[*COLUMNS, "statistic"]]


def gene_values(data: anndata.AnnData, gene: str) -> Floats:
    """log2 values of one gene; counts need all genes for their size factors."""
    if data.uns["unit"] == "counts":
        return np.asarray(log2_values(data)[:, data.var_names.get_loc(gene)])
    return np.asarray(log2_values(data[:, [gene]])[:, 0])
