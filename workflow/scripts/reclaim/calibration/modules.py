"""Modules of genes that go together: a thousand genes are fewer than a thousand independent answers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from reclaim.calibration.record import Rate
from reclaim.proportions import clopper_pearson

Floats = NDArray[np.float64]

TOGETHER = 0.5
"""Genes of a module correlate at more than this on average; as do those that are too like the subject."""
MIN_DEGREES = 20
"""Residual degrees of freedom below which correlations cannot be told from chance."""
RESAMPLINGS = 2000


def correlations(parts: Iterable[tuple[Floats, NDArray[np.int64]]]) -> tuple[Floats | None, int]:
    """Spearman correlation between genes within groups, over several sets of samples.

    Each part is values (samples x genes) and the group of each sample, from which the group's mean is taken
    first. Returns genes x genes, or None with too few samples, and the residual degrees of freedom.
    """
    total: Floats | None = None
    degrees = 0
    for values, groups in parts:
        df = len(values) - len(np.unique(groups))
        if df < 2:
            continue
        ranks = stats.rankdata(within_groups(values, groups), axis=0)
        ranks -= ranks.mean(axis=0)
        length = np.linalg.norm(ranks, axis=0)
        ranks /= np.where(length > 0, length, 1)
        share = df * (ranks.T @ ranks)
        total = share if total is None else total + share
        degrees += df
    if total is None or degrees < MIN_DEGREES:
        return None, degrees
    found = total / degrees
    np.fill_diagonal(found, 1.0)
    return found, degrees


def within_groups(values: Floats, groups: NDArray[np.int64]) -> Floats:
    """Values less the mean of their group."""
    found = np.array(values, np.float64)
    for group in np.unique(groups):
        found[groups == group] -= found[groups == group].mean(axis=0)
    return found


def gene_modules(correlation: Floats) -> NDArray[np.int64]:
    """Module of each gene: average linkage on 1 - |rho|, cut where modules correlate at TOGETHER."""
    distance = np.clip(1 - np.abs(correlation), 0, 1)
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), method="average")
    return np.asarray(hierarchy.fcluster(tree, 1 - TOGETHER, criterion="distance"), np.int64)


def rate_over_modules(passes: NDArray[np.bool_], weights: Floats | None, seed: int) -> Rate:
    """Share of passes, its interval by resampling modules.

    `weights` is nulls x modules and says how much of a null belongs to each module (a gene to one, a set to
    those of its members); None where modules are not known, which leaves the exact binomial interval. The interval
    is never shorter than that one: sets that draw on the same modules are draws all the same. When all nulls
    pass or none, resampling has nothing to tell: the interval is the exact binomial one of as many trials as
    there are modules.
    """
    k, n = int(passes.sum()), len(passes)
    if weights is None or k in (0, n):
        trials = n if weights is None else min(n, weights.shape[1])
        low, high = exact_interval(trials if k == n else k if weights is None else 0, trials)
        return Rate(share=k / n, ci_low=low, ci_high=high, n=n)
    generator = np.random.default_rng(seed)
    modules = weights.shape[1]
    drawn = generator.multinomial(modules, np.full(modules, 1 / modules), size=RESAMPLINGS)
    passing, every = weights[passes].sum(axis=0), weights.sum(axis=0)
    shares = (drawn @ passing) / (drawn @ every)
    low, high = np.quantile(shares, [0.025, 0.975])
    least, most = exact_interval(k, n)
    return Rate(share=k / n, ci_low=float(min(low, least)), ci_high=float(max(high, most)), n=n)


def exact_interval(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of k of n."""
    low, high = clopper_pearson(np.array([k]), np.array([n]))
    return float(low[0]), float(high[0])
