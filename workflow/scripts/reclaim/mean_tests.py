"""Student's and Welch's t tests of means, of all features at once, where values may be missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reclaim.feature_matrix import feature_matrix
from reclaim.moderated_t import benjamini_hochberg

Floats = NDArray[np.float64]
COLUMNS = ("n", "effect", "se", "ci_low", "ci_high", "statistic", "p_value", "q_value")
VALUES_AT_A_TIME = 2**22


def one_sample_t(values: ArrayLike) -> pd.DataFrame:
    """The mean of each column of `values` (samples x features, NaN where missing) against 0 (Student 1908, doi
    10.1093/biomet/6.1.1): COLUMNS, one row per feature.

    n: samples with a value; effect: their mean; 95 % interval and two-sided p-value of t with n - 1 degrees of freedom;
    q_value: Benjamini-Hochberg. NaN: effect without a value; all behind it with fewer than two, or where all are equal.
    """
    y = feature_matrix(values, len(np.asarray(values)))
    n, mean, variance = _moments(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _table(n, mean, variance / n, np.asarray(n - 1.0, np.float64))


def welch_t(values: ArrayLike, case: ArrayLike) -> pd.DataFrame:
    """Mean of the case samples minus that of the others, of each column of `values` (samples x features, NaN where
    missing; `case`: a truth value per sample): COLUMNS, and n_case and n_control, the samples with a value.

    Variances may differ between the groups (Welch 1947, doi 10.1093/biomet/34.1-2.28). Intervals, p-values and what is
    NaN as in `one_sample_t`, with fewer than two in either group.
    """
    arm = np.asarray(case, bool)
    y = feature_matrix(values, len(arm))
    n_case, mean_case, variance_case = _moments(y[arm])
    n_control, mean_control, variance_control = _moments(y[~arm])
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = variance_case / n_case, variance_control / n_control
        degrees = (a + b) ** 2 / (a**2 / (n_case - 1.0) + b**2 / (n_control - 1.0))
    table = _table(n_case + n_control, mean_case - mean_control, a + b, degrees)
    return table.assign(n_case=n_case, n_control=n_control)


def _moments(y: NDArray[np.floating]) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Number, mean and variance (n - 1) of the values of each column; NaN where there are too few."""
    n = np.zeros(y.shape[1], np.int64)
    mean, variance = np.full(y.shape[1], np.nan), np.full(y.shape[1], np.nan)
    step = max(1, VALUES_AT_A_TIME // max(1, len(y)))
    for start in range(0, y.shape[1], step):
        part = slice(start, start + step)
        block = np.asarray(y[:, part], np.float64)
        there = ~np.isnan(block)
        n[part] = there.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean[part] = block.sum(axis=0, where=there) / n[part]
            squares = ((block - mean[part]) ** 2).sum(axis=0, where=there)
            variance[part] = np.where(n[part] > 1, squares / (n[part] - 1), np.nan)
    return n, mean, variance


def _table(n: NDArray[np.int64], effect: Floats, squared_se: Floats, degrees: Floats) -> pd.DataFrame:
    se = np.sqrt(np.where(squared_se > 0, squared_se, np.nan))
    statistic = effect / se
    half = stats.t.ppf(0.975, degrees) * se
    p_value = np.asarray(2 * stats.t.sf(np.abs(statistic), degrees), np.float64)
    columns = (n, effect, se, effect - half, effect + half, statistic, p_value, benjamini_hochberg(p_value))
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
