"""Exact inference for one share: k altered of n patients. All functions are vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Counts = int | NDArray[np.integer]


def clopper_pearson(k: Counts, n: Counts, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact interval of a share (Clopper & Pearson 1934, doi 10.1093/biomet/26.4.404).

    NaN where n is 0.
    """
    hits, total = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    tail = (1 - level) / 2
    low = np.where(hits == 0, 0.0, stats.beta.ppf(tail, hits, total - hits + 1))
    high = np.where(hits == total, 1.0, stats.beta.ppf(1 - tail, hits + 1, total - hits))
    empty = total == 0
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def exact_p_below(k: Counts, n: Counts, bound: float) -> Floats:
    """p-value of `share < bound`: chance of at most k when the share is the bound."""
    return np.asarray(stats.binom.cdf(k, n, bound), float)


def exact_p_above(k: Counts, n: Counts, bound: float) -> Floats:
    """p-value of `share > bound`: chance of at least k when the share is the bound."""
    return np.asarray(stats.binom.sf(np.asarray(k) - 1, n, bound), float)
