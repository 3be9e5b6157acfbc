"""Wilcoxon's two tests for many features at once, each with a log2 fold change and its error.

Statistics and p-values are those of scipy.stats.mannwhitneyu and scipy.stats.wilcoxon with
method="auto"; only the loop over features is gone. A block of features is sorted in one go as
integers that order as the values do and carry the sample's arm in their lowest bit, so that nothing has
to be looked up after sorting. Values are samples x features, log2; NaN is missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from reclaim.feature_matrix import feature_matrix
from reclaim.moderated_t import benjamini_hochberg

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

VALUES_AT_A_TIME = 50_000
"""A block and its copies stay in the processor's cache."""

EXACT_ARM = 8
"""Rank-sum test without ties: exact when an arm has at most this many samples."""
EXACT_PAIRS = 50
"""Signed-rank test without ties and zeros: exact up to this many pairs."""
EXACT_TIED_PAIRS = 13
"""Signed-rank test: all sign flips up to this many pairs, also with ties and zeros."""


def rank_sum(values: ArrayLike, case: ArrayLike) -> pd.DataFrame:
    """Wilcoxon-Mann-Whitney test of case against reference samples, one row per feature.

    `values` is samples x features, `case` one truth value per sample. Columns: n_case, n_reference
    (samples with a value), effect (difference of mean log2 values, case - reference), se, ci_low and
    ci_high (Welch 1947, doi 10.1093/biomet/34.1-2.28, 95 %), statistic (Mann and Whitney's U of the
    case arm), z (its signed distance from chance in standard deviations: unlike U, fit to rank features
    by), p_value (two-sided), q_value (Benjamini-Hochberg). The p-value is exact when an arm has at most 8
    samples and no value repeats, else normal with corrections for ties and continuity (Mann & Whitney
    1947, doi 10.1214/aoms/1177730491). A constant feature has p = 1. NaN: statistic and p without a value
    in one arm; se and interval with fewer than two in one, or no spread in both. Raises ValueError for
    shapes that do not fit and for infinite values.
    """
    arm = np.asarray(case, bool)
    y = _checked(values, len(arm))
    return _table([_rank_sum_block(_features(y[:, part]), arm) for part in _blocks(y.shape)])


def signed_rank(values: ArrayLike, case: ArrayLike, pair: Sequence[Hashable]) -> pd.DataFrame:
    """Wilcoxon's signed-rank test over pairs of a case and a reference sample, one row per feature.

    `values` is samples x features; `case` and `pair` have one truth value and one id per sample.
    Columns: n_pairs (with both values), effect (mean of the differences case - reference, log2), se,
    ci_low and ci_high (paired t, 95 %), statistic (sum of the ranks of positive differences; scipy's is
    the smaller of this and its complement), z (its signed distance from chance in standard deviations),
    p_value (two-sided), q_value (Benjamini-Hochberg). Differences of 0 are left out of the ranks
    (Wilcoxon 1945, doi 10.2307/3001968). The p-value is exact up to 50 pairs without ties and zeros and up
    to 13 with them, else normal with correction for ties. Without any difference p = 1 (scipy: NaN beyond
    13 pairs). Samples whose pair lacks the other arm are left out. Raises ValueError for two samples of
    one arm in a pair, when no pair is complete, for shapes that do not fit and for infinite values.
    """
    arm = np.asarray(case, bool)
    y = _checked(values, len(arm))
    cases, references = _pairs(arm, pair)
    return _table(
        [
            _signed_rank_block(_features(y[cases, part]) - _features(y[references, part]))
            for part in _blocks((len(cases), y.shape[1]))
        ]
    )


def _checked(values: ArrayLike, samples: int) -> NDArray[np.floating]:
    y = feature_matrix(values, samples)
    if any(np.isinf(y[:, part]).any() for part in _blocks(y.shape)):
        raise ValueError("values may be missing but not infinite")
    return y


def _features(y: NDArray[np.floating]) -> Floats:
    """Samples x features to features x samples, each feature's values side by side."""
    return np.ascontiguousarray(y.T, np.float64)


def _blocks(shape: tuple[int, ...]) -> list[slice]:
    step = max(8, VALUES_AT_A_TIME // max(1, shape[0]))
    return [slice(i, i + step) for i in range(0, max(1, shape[1]), step)]


def _table(parts: list[dict[str, NDArray[np.generic]]]) -> pd.DataFrame:
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(np.float64))
    return table


def _pairs(case: Mask, pair: Sequence[Hashable]) -> tuple[Integers, Integers]:
    """Positions of the case and the reference sample of each complete pair."""
    codes, ids = pd.factorize(np.asarray(pair, object))
    if len(codes) != len(case) or (codes < 0).any():
        raise ValueError(f"{len(case)} samples need one pair id each; found {(codes >= 0).sum()}")
    position = np.full((2, len(ids)), -1, np.int64)
    for arm, of_arm in enumerate((case, ~case)):
        often = np.bincount(codes[of_arm], minlength=len(ids)) > 1
        if often.any():
            name = ("case", "reference")[arm]
            raise ValueError(f"pair {ids[often][0]!r} has more than one {name} sample; choose one or average")
        position[arm, codes[of_arm]] = np.flatnonzero(of_arm)
    complete = (position >= 0).all(axis=0)
    if not complete.any():
        raise ValueError("no pair has both a case and a reference sample")
    return position[0, complete], position[1, complete]


# Means


def _moments(y: Floats) -> tuple[Integers, Floats, Floats]:
    """Number, mean and variance of each feature's values, features x samples; missing ones left out."""
    seen = ~np.isnan(y)
    n = seen.sum(axis=1)
    complete = bool(seen.all())
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (y if complete else np.where(seen, y, 0.0)).sum(axis=1) / n
        away = y - mean[:, None]
        squares = away if complete else np.where(seen, away, 0.0)
        variance = np.einsum("ij,ij->i", squares, squares) / (n - 1.0)
    return n, mean, np.where(n > 1, variance, np.nan)


def _interval(effect: Floats, squared_se: Floats, df: Floats) -> dict[str, Floats]:
    """Without any spread there is no error to speak of, rather than none."""
    se = np.sqrt(np.where(squared_se > 0, squared_se, np.nan))
    reach = special.stdtrit(df, 0.975) * se
    return {"effect": effect, "se": se, "ci_low": effect - reach, "ci_high": effect + reach}


# Ranks of sorted keys: an unsigned integer in the order of the values, the mark in its lowest bit

MISSING = np.uint64(0xFFFFFFFFFFFFFFFE)
"""Sorts last and has no mark."""
SIGN = np.uint64(1 << 63)
ONE = np.uint64(1)


def _keys(y: Floats, mark: Mask) -> NDArray[np.uint64]:
    """Sorted keys of features x samples. The mark takes the place of a value's lowest bit; where this
    would make values equal that are not, their dense ranks stand in for them."""
    bits = (y + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    missing = np.isnan(y)
    rounded = (bits & ONE).any(axis=1)
    bits = np.where(bits & SIGN, ~bits, bits | SIGN)
    key = np.where(missing, MISSING, bits & ~ONE | mark)
    key.sort(axis=1)
    doubtful = np.flatnonzero(rounded & _ties(key).any(axis=1))
    if doubtful.size:
        whole = np.sort(np.where(missing[doubtful], MISSING, bits[doubtful]), axis=1)
        steps = whole[:, 1:] ^ whole[:, :-1]
        merged = doubtful[((steps == ONE) & (whole[:, 1:] < MISSING)).any(axis=1)]
        for row in merged:
            seen = ~missing[row]
            codes = stats.rankdata(y[row, seen], method="dense").astype(np.uint64) << ONE
            key[row] = MISSING
            key[row, : seen.sum()] = np.sort(codes | mark[seen])
    return key


def _ties(key: NDArray[np.uint64]) -> Mask:
    """Which neighbours have equal values; two missing ones have not."""
    return ((key[:, 1:] ^ key[:, :-1]) <= ONE) & (key[:, 1:] < MISSING)


def _mid_ranks(key: NDArray[np.uint64]) -> tuple[Integers, Integers]:
    """Twice the mean rank, and the number of equal values."""
    width = key.shape[1]
    new = np.pad(~_ties(key), ((0, 0), (1, 1)), constant_values=True)
    position = np.arange(width)
    start = np.maximum.accumulate(np.where(new[:, :-1], position, 0), axis=1)
    end = np.minimum.accumulate(np.where(new[:, 1:], position, width)[:, ::-1], axis=1)[:, ::-1]
    return start + end + 2, end - start + 1


def _rank_sums(key: NDArray[np.uint64], skipped: Integers) -> tuple[Floats, Floats]:
    """Per feature: sum of the mean ranks of marked values, not counting the `skipped` first (unmarked)
    ones, and the sum of t^3 - t over the other groups of t equal values."""
    mark = (key & ONE).astype(np.float64)
    marked = mark @ np.arange(1.0, key.shape[1] + 1)
    ties = np.zeros(len(key))
    tied = np.flatnonzero(_ties(key).any(axis=1))
    if tied.size:
        doubled, size = _mid_ranks(key[tied])
        marked[tied] = (mark[tied] * doubled).sum(axis=1) / 2
        size[np.arange(key.shape[1]) < skipped[tied, None]] = 1
        ties[tied] = (size**2 - 1).sum(axis=1)
    return marked - skipped * mark.sum(axis=1), ties


# Rank-sum test


def _rank_sum_block(y: Floats, arm: Mask) -> dict[str, NDArray[np.generic]]:
    n_case, mean_case, variance_case = _moments(y[:, arm])
    n_reference, mean_reference, variance_reference = _moments(y[:, ~arm])
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = variance_case / n_case, variance_reference / n_reference
        df = (a + b) ** 2 / (a**2 / (n_case - 1) + b**2 / (n_reference - 1))
    marked, ties = _rank_sums(_keys(y, arm), np.zeros(len(y), np.int64))
    known = (n_case > 0) & (n_reference > 0)
    u = np.where(known, marked - n_case * (n_case + 1) / 2, np.nan)
    z, p_value = _normal_u(u, n_case, n_reference, ties)
    exact = known & (ties == 0) & (np.minimum(n_case, n_reference) <= EXACT_ARM)
    for fewer, more in {
        (min(pair), max(pair)) for pair in zip(n_case[exact], n_reference[exact], strict=True)
    }:
        here = exact & (np.minimum(n_case, n_reference) == fewer) & (np.maximum(n_case, n_reference) == more)
        low = np.minimum(u[here], fewer * more - u[here]).astype(np.int64)
        p_value[here] = np.minimum(2 * _u_distribution(int(fewer), int(more))[low], 1)
    return {
        "n_case": n_case,
        "n_reference": n_reference,
        **_interval(mean_case - mean_reference, a + b, df),
        "statistic": u,
        "z": z,
        "p_value": p_value,
    }


def _normal_u(u: Floats, n_case: Integers, n_reference: Integers, ties: Floats) -> tuple[Floats, Floats]:
    """Deviation of U in standard deviations, and the two-sided p-value with correction for continuity."""
    n = (n_case + n_reference).astype(np.float64)
    product = n_case * n_reference.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(product / 12 * ((n + 1) - ties / (n * (n - 1))))
        away = u - product / 2
        z = np.where((away == 0) & (sd == 0), 0.0, away / sd)
        p_value = 2 * special.ndtr((0.5 - np.abs(away)) / sd)
    return z, np.where((away == 0) & (sd == 0), 1.0, np.minimum(p_value, 1))


def _u_distribution(fewer: int, more: int) -> Floats:
    """P(U <= u) for u up to half of fewer * more, from the coefficients of Gauss' binomial in exact
    integers (Mann & Whitney 1947)."""
    half = fewer * more // 2
    ways = [1] + [0] * half
    for i in range(1, fewer + 1):
        for u in range(half, more + i - 1, -1):
            ways[u] -= ways[u - more - i]
        for u in range(i, half + 1):
            ways[u] += ways[u - i]
    total, below, cdf = comb(fewer + more, fewer), 0, []
    for count in ways:
        below += count
        cdf.append(below / total)
    return np.array(cdf)


# Signed-rank test


def _signed_rank_block(difference: Floats) -> dict[str, NDArray[np.generic]]:
    n, mean, variance = _moments(difference)
    zeros = (difference == 0).sum(axis=1)
    ranked = n - zeros
    magnitude = np.abs(difference).view(np.uint64) << ONE  # the sign bit makes room for the mark
    key = np.sort(np.where(np.isnan(difference), MISSING, magnitude | (difference > 0)), axis=1)
    w, ties = _rank_sums(key, zeros)
    z, p_value = _normal_w(w, ranked, ties)
    exact = (n > EXACT_TIED_PAIRS) & (n <= EXACT_PAIRS) & (zeros == 0) & (ties == 0)
    for pairs in np.unique(n[exact]):
        here = exact & (n == pairs)
        low = np.minimum(w[here], pairs * (pairs + 1) / 2 - w[here]).astype(np.int64)
        p_value[here] = np.minimum(2 * _w_distribution(int(pairs))[low], 1)
    few = np.flatnonzero((n > 0) & (n <= EXACT_TIED_PAIRS))
    if few.size:
        p_value[few] = _all_sign_flips(key[few], w[few], zeros[few], ranked[few])
    with np.errstate(invalid="ignore", divide="ignore"):
        squared_se = variance / n
    return {
        "n_pairs": n,
        **_interval(mean, squared_se, (n - 1).astype(np.float64)),
        "statistic": np.where(n > 0, w, np.nan),
        "z": np.where(n > 0, z, np.nan),
        "p_value": np.where(n > 0, p_value, np.nan),
    }


def _normal_w(w: Floats, n: Integers, ties: Floats) -> tuple[Floats, Floats]:
    """Deviation of the rank sum in standard deviations, and the two-sided p-value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (w - n * (n + 1) / 4) / np.sqrt((n * (n + 1.0) * (2 * n + 1) - ties / 2) / 24)
    z = np.where(n > 0, z, 0.0)
    return z, np.asarray(2 * special.ndtr(-np.abs(z)))


def _w_distribution(pairs: int) -> Floats:
    """P(W <= w): each rank is positive or not; counts below 2^53 are exact."""
    ways = np.zeros(pairs * (pairs + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, pairs + 1):
        ways[rank:] += ways[:-rank].copy()
    return np.cumsum(ways) / 2.0**pairs


def _all_sign_flips(key: NDArray[np.uint64], w: Floats, zeros: Integers, ranked: Integers) -> Floats:
    """Two-sided p-value over all signs of at most 13 differences, whatever their ties."""
    doubled, _ = _mid_ranks(key)
    total = ranked * (ranked + 1)  # twice the sum of all ranks
    ways = np.zeros((len(key), EXACT_TIED_PAIRS * (EXACT_TIED_PAIRS + 1) + 1))
    ways[:, 0] = 1
    sums = np.arange(ways.shape[1])
    for i in range(int(ranked.max(initial=0))):
        at = np.minimum(zeros + i, key.shape[1] - 1)
        rank = np.where(i < ranked, doubled[np.arange(len(key)), at] - 2 * zeros, 0)
        before = sums - rank[:, None]
        ways += np.where(before >= 0, np.take_along_axis(ways, np.maximum(before, 0), axis=1), 0.0)
    low = np.minimum(2 * w, total - 2 * w).astype(np.int64)
    share = np.take_along_axis(np.cumsum(ways, axis=1), low[:, None], axis=1)[:, 0] / ways.sum(axis=1)
    return np.asarray(np.minimum(2 * share, 1))
