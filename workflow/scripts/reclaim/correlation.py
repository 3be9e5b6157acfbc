"""Spearman's rank correlation of many features at once, plain and given covariates.

Values are samples x features; NaN is missing. A block of features is ranked in one sort, of integers that
order as the values do and carry the sample's position in their lowest bits. Ranks are kept doubled and
less their mean: whole numbers, whose sums of products are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reclaim.feature_matrix import feature_matrix
from reclaim.moderated_t import benjamini_hochberg

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

VALUES_AT_A_TIME = 20_000
"""A block and its copies stay in the processor's cache; of larger ones the C library gives memory back to
the system after each block, which takes as long as ranking."""

FEWEST = 4
"""Samples, less the rank of the covariates: with fewer the error is not defined."""

SINGULAR = 1e-9
"""What is left of ranks after the covariates counts as nothing below this share of their length."""

NORMAL_95 = float(special.ndtri(0.975))


def spearman(values: ArrayLike, target: ArrayLike) -> pd.DataFrame:
    """Spearman's rho of each feature and the target, one row per feature.

    `values` is samples x features, `target` one value per sample. Columns: n (samples with both values),
    effect (rho, of mean ranks where values are equal), se (of Fisher's z = atanh(rho),
    sqrt(1.06 / (n - 3)): Fieller, Hartley & Pearson 1957, doi 10.1093/biomet/44.3-4.470), ci_low and
    ci_high (95 %, z +- 1.96 se, back on rho's scale), statistic (z / se), p_value (two-sided, Student's t
    with n - 2 degrees of freedom, as scipy.stats.spearmanr), q_value (Benjamini-Hochberg). A feature is
    ranked in the samples where it and the target have values. rho = +-1 has an infinite statistic and
    p = 0 however few the samples. All but n is NaN for fewer than 4 samples and where the feature or the
    target is constant. Raises ValueError for shapes that do not fit and for infinite values.
    """
    return partial_spearman(values, target, np.empty((np.size(target), 0)))


def partial_spearman(values: ArrayLike, target: ArrayLike, covariates: ArrayLike) -> pd.DataFrame:
    """Spearman's rho of each feature and the target given covariates, one row per feature.

    `values` is samples x features, `target` one value per sample, `covariates` samples x k. rho is
    Pearson's correlation of what least squares on the covariates' ranks, with an intercept, leave of the
    feature's and of the target's ranks; for one covariate this is Yule's recursion on the three rhos (1907,
    doi 10.1098/rspa.1907.0028). Columns as in `spearman`, with n in the error and the degrees of freedom
    less the rank of the covariates' ranks: constant and dependent ones do not count (Fisher 1924, Metron 3:
    329-332). A sample without the target or a covariate is left out; where a feature lacks values, it, the
    target and the covariates are ranked without these samples. All but n is NaN where n less that rank is
    below 4, and where the covariates leave nothing of the feature or the target. Raises as `spearman`.
    """
    given = _given(target, covariates)
    y = feature_matrix(values, given.shape[1])
    complete = ~np.isnan(given).any(axis=0)
    given = given[:, complete]
    whole = _Target.of(given[:, None])
    used = slice(None) if complete.all() else complete
    parts = [_of_block(block[:, used], given, whole) for block in _blocks(y)]
    return _table(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def correlation_matrix(values: ArrayLike) -> Floats:
    """Spearman's rho of all pairs of features, features x features.

    `values` is samples x features without missing values, of any number of samples. Rows and columns of
    constant features are NaN, on the diagonal too. Takes 8 bytes per pair of features. Raises ValueError for another shape and for missing or infinite values.
    """
    y = np.asarray(values)
    y = feature_matrix(y, len(y) if y.ndim else 0)
    scores = np.empty(y.shape[::-1])
    done = 0
    for block in _blocks(y):
        if np.isnan(block).any():
            raise ValueError("a matrix of correlations needs values without missing ones")
        scores[done : done + len(block)] = _scores(block)
        done += len(block)
    rho: Floats = scores @ scores.T
    squares = rho.diagonal().copy()
    squares[squares == 0] = np.nan
    for row, square in zip(rho, squares, strict=True):
        row /= np.sqrt(square * squares)
    return rho


def bootstrap_spearman(
    x: ArrayLike, y: ArrayLike, seed: int, draws: int = 2000, *, covariates: ArrayLike | None = None
) -> tuple[float, float]:
    """95 % interval of Spearman's rho by the percentile bootstrap (Efron 1979, doi
    10.1214/aos/1176344552).

    `x` and `y` have one value per sample, `covariates` is samples x k: with it rho is partial, as in
    `partial_spearman`. Each draw takes as many complete samples, with replacement, and ranks anew; draws
    where a side is constant, or nothing of it is left by the covariates, are left out. The same `seed`
    gives the same interval. NaN when the complete samples, less the rank of the covariates, are fewer than
    4, or no draw is left. Raises ValueError for shapes that do not fit, infinite values and no draws.
    """
    first = np.asarray(x, np.float64)
    others = _given(y, np.empty((np.size(y), 0)) if covariates is None else covariates)
    if first.shape != others.shape[1:]:
        raise ValueError(f"{first.shape} and {others.shape[1:]} values are not one pair per sample")
    if np.isinf(first).any():
        raise ValueError("values may be missing but not infinite")
    if draws < 1:
        raise ValueError(f"{draws} draws give no interval")
    whole = np.vstack([first, others])
    whole = whole[:, ~np.isnan(whole).any(axis=0)]
    n = whole.shape[1]
    if n - _Target.of(whole[1:, None]).rank[0] < FEWEST:
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    step = max(1, VALUES_AT_A_TIME // n)
    found = []
    for start in range(0, draws, step):
        drawn = generator.integers(n, size=(min(step, draws - start), n))
        found.append(_Target.of(row[drawn] for row in whole[1:]).rho(whole[0, drawn]))
    rho = np.concatenate(found)
    rho = rho[~np.isnan(rho)]
    if not rho.size:
        return float("nan"), float("nan")
    low, high = np.quantile(rho, [0.025, 0.975])
    return float(low), float(high)


def _given(target: ArrayLike, covariates: ArrayLike) -> Floats:
    """The target and the covariates, one row each."""
    x, c = np.asarray(target, np.float64), np.asarray(covariates, np.float64)
    if x.ndim != 1 or c.ndim != 2 or len(c) != len(x):
        raise ValueError(
            f"target {x.shape} and covariates {c.shape} are not one value and one row per sample"
        )
    if np.isinf(x).any() or np.isinf(c).any():
        raise ValueError("target and covariates may be missing but not infinite")
    return np.vstack([x, c.T])


def _blocks(y: NDArray[np.floating]) -> Iterator[Floats]:
    """Features x samples, each feature's values side by side."""
    step = max(8, VALUES_AT_A_TIME // max(1, len(y)))
    for start in range(0, max(1, y.shape[1]), step):
        block = np.ascontiguousarray(y[:, start : start + step].T, np.float64)
        if np.isinf(block).any():
            raise ValueError("values may be missing but not infinite")
        yield block


def _table(n: Integers, rank: Integers, rho: Floats) -> pd.DataFrame:
    df = np.where((n - rank >= FEWEST) & ~np.isnan(rho), n - rank, np.nan)
    rho = np.where(np.isnan(df), np.nan, rho)
    se = np.sqrt(1.06 / (df - 3))
    with np.errstate(divide="ignore"):
        z = np.arctanh(rho)
        t = rho * np.sqrt((df - 2) / ((1 + rho) * (1 - rho)))
    p_value = 2 * special.stdtr(df - 2, -np.abs(t))
    return pd.DataFrame(
        {
            "n": n,
            "effect": rho,
            "se": se,
            "ci_low": np.tanh(z - NORMAL_95 * se),
            "ci_high": np.tanh(z + NORMAL_95 * se),
            "statistic": z / se,
            "p_value": p_value,
            "q_value": benjamini_hochberg(p_value),
        }
    )


# Correlation of ranks


@dataclass(frozen=True)
class _Target:
    """What the covariates leave of the target's ranks: one row per feature, or a single row for all."""

    left: Floats
    squares: Floats
    basis: list[Floats]
    rank: Integers

    @classmethod
    def of(cls, rows: Iterable[Floats]) -> _Target:
        """From values: the target, then the covariates. Gram and Schmidt make these orthonormal; one that
        depends on those before becomes 0 and does not count in the rank."""
        target, *covariates = [_scores(row) for row in rows]
        basis: list[Floats] = []
        rank = np.zeros(len(target), np.int64)
        for covariate in covariates:
            left = _left(covariate, basis)
            squares = _squares(left, covariate)
            kept = ~np.isnan(squares)
            basis.append(left / np.sqrt(np.where(kept, squares, np.inf))[:, None])
            rank += kept
        left = _left(target, basis)
        return cls(left, _squares(left, target), basis, rank)

    def rho(self, y: Floats) -> Floats:
        """With each row of features x samples, which has values where the target has."""
        scores = _scores(y)
        left = _left(scores, self.basis)
        rho: Floats = np.vecdot(left, self.left) / np.sqrt(_squares(left, scores) * self.squares)
        # What rounding alone keeps from +-1 is +-1.
        return np.where(np.abs(rho) > 1 - 1e-14, np.sign(rho), rho)


def _of_block(y: Floats, given: Floats, target: _Target) -> tuple[Integers, Integers, Floats]:
    """Number of samples, rank of the covariates and rho, per feature of features x samples. `given` has the
    values that made `target`."""
    missing = np.isnan(y)
    n = np.count_nonzero(~missing, axis=1)
    gaps = n < y.shape[1]
    if not gaps.any():
        return n, np.repeat(target.rank, len(y)), target.rho(y)
    rank, rho = np.empty(len(y), np.int64), np.empty(len(y))
    rank[~gaps], rho[~gaps] = target.rank, target.rho(y[~gaps])
    own = _Target.of(np.where(missing[gaps], np.nan, row) for row in given)
    rank[gaps], rho[gaps] = own.rank, own.rho(y[gaps])
    return n, rank, rho


def _left(scores: Floats, basis: Sequence[Floats]) -> Floats:
    """Scores less their projection on the basis; the second round takes what rounding left."""
    for column in [*basis, *basis]:
        scores = scores - np.vecdot(scores, column)[:, None] * column
    return scores


def _squares(left: Floats, scores: Floats) -> Floats:
    """Sum of squares of what is left of scores, NaN where that is nothing but rounding."""
    squares: Floats = np.vecdot(left, left)
    return np.where(squares > SINGULAR**2 * np.vecdot(scores, scores), squares, np.nan)


# Ranks

SIGN = np.uint64(1 << 63)
MISSING = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Sorts last."""


def _scores(y: Floats) -> Floats:
    """Twice the mean rank of each value in its row, less the mean of these; 0 where it is missing."""
    missing = np.isnan(y)
    bits = (y + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    flipped = (bits.view(np.int64) >> 63).view(np.uint64)  # all bits of negative values,
    flipped |= SIGN  # the sign of the others
    bits ^= flipped
    bits[missing] = MISSING
    order, ordered = _sorted(bits)
    new = np.ones(y.shape, np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    start = np.flatnonzero(new)
    size = np.diff(start, append=y.size)
    scores: Floats = np.empty(y.shape)
    scores.ravel()[order.ravel()] = np.repeat((2 * start + size).astype(np.float64), size)
    scores -= 2.0 * _begin(y) + np.count_nonzero(~missing, axis=1)[:, None]
    scores[missing] = 0
    return scores


def _sorted(bits: NDArray[np.uint64]) -> tuple[Integers, NDArray[np.uint64]]:
    """Each row's order, as positions in the flat array, and the row in this order. The position takes the
    place of a value's lowest bits; a row where this changes the order is sorted again by itself."""
    width = bits.shape[1]
    low = np.uint64((1 << width.bit_length()) - 1)
    key = bits & ~low
    key |= np.arange(width, dtype=np.uint64)
    key.sort(axis=1)
    key &= low
    order = key.view(np.int64)
    order += _begin(bits)
    ordered = bits.ravel()[order]
    wrong = np.flatnonzero((ordered[:, 1:] < ordered[:, :-1]).any(axis=1))
    if wrong.size:
        order[wrong] = np.argsort(bits[wrong], axis=1) + _begin(bits)[wrong]
        ordered[wrong] = np.sort(bits[wrong], axis=1)
    return order, ordered


def _begin(rows: NDArray[np.generic]) -> Integers:
    """Position of each row's first value in the flat array, as a column."""
    begin: Integers = np.arange(len(rows))[:, None] * rows.shape[1]
    return begin
