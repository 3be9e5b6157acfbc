"""The tested variable of a survival model: the log2 values of a gene, or their mean over a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.analyses.differential_expression import MIN_SET_SHARE, log2_values, measured_members
from reclaim.analyses.survival_cohort import Cohort
from reclaim.claim_tests import Survival

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class TestedFeature:
    """`values` is samples x genes, `one` the tested variable of each sample (NaN where missing). `missing`
    says why there is none; `counts` the members of a set."""

    label: str
    values: np.ndarray
    one: np.ndarray
    counts: dict[str, int | float | str]
    missing: str = ""


def tested_feature(test: Survival, part: anndata.AnnData, genes: Sequence[str]) -> TestedFeature:
    """Of the samples of `part`; `genes` are the members of the tested set, empty for a gene."""
    assert test.feature is not None
    values = log2_values(part) if part.n_obs else np.zeros(part.shape)
    nothing = np.full(part.n_obs, np.nan)
    if not genes:
        gene = str(test.feature.gene)
        if gene not in part.var_names:
            missing = f"{gene} is not among the {part.n_vars:,} genes of this data set."
            return TestedFeature(gene, values, nothing, {}, missing)
        return TestedFeature(gene, values, values[:, part.var_names.get_loc(gene)], {})
    measured = measured_members(genes, part.var_names, values)
    label = test.feature.gene_set if isinstance(test.feature.gene_set, str) else ", ".join(genes)
    counts: dict[str, int | float | str] = {"members": len(genes), "measured": len(measured)}
    if len(measured) < MIN_SET_SHARE * len(genes):
        missing = f"Only {len(measured)} of {len(genes)} members of the set are measured."
        return TestedFeature(label, values, nothing, counts, missing)
    return TestedFeature(label, values, values[:, part.var_names.get_indexer(measured)].mean(axis=1), counts)


def halves(tested: TestedFeature, cohort: Cohort) -> pd.Series:
    """A label per sample: whether its value is above the median. Missing without a value."""
    labels = [f"{tested.label} above its median", f"{tested.label} up to its median"]
    half = np.full(len(tested.one), None, object)
    there = ~np.isnan(tested.one)
    if there.any():
        half[there] = np.where(tested.one[there] > np.median(tested.one[there]), *labels)
    return pd.Series(half, cohort.table.index).astype(pd.CategoricalDtype(labels))
