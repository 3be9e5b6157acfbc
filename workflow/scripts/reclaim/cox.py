"""Cox's proportional hazards for many features at once, each the only covariate not shared with the others.

Partial likelihood of Cox (1972, doi 10.1111/j.2517-6161.1972.tb00899.x) with Efron's handling of ties
(1977, doi 10.1080/01621459.1977.10480613), late entry and strata. Sums over all risk sets are two products
with a sparse matrix, made once, for a block of features at a time. Times are equal only when they are the
same number. Values are samples x features; NaN is missing, and a feature is tested on the samples that have
it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, special

from reclaim.moderated_t import benjamini_hochberg

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

VALUES_AT_A_TIME = 100_000
"""A block and its copies stay in the processor's cache."""

SINGULAR = 1e-12
"""Information below this share of the sum of squares it is left of is rounding."""
LEAST = 1e-6
"""Information on a feature below this is none: a death between two samples 1 SD apart gives up to 1/4."""
ENOUGH = 1e-10
"""Newton's steps end when the next would raise the log likelihood by half of this."""
MOST_STEPS = 60
FINITE = 0.01
"""Most that the last step may change any sample's log hazard: on the way to an infinite maximum every step
changes it by about 1."""
ROUNDING = 1e-12
"""Of a log likelihood or a mean, relative."""


def cox_score_test(
    values: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    strata: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Score test of each feature's hazard ratio, one row per feature; of two groups, a log-rank test.

    `values` is samples x features; `time` (> 0) and `event` (true or false) have one entry per sample;
    `covariates` is samples x k, none missing; `entry` is the time from which a sample is seen (0), in the
    unit of `time`: it is at risk at t when entry < t <= time; every label of `strata` has its own baseline
    hazard. Columns: n, n_events (of samples with a value), effect (score / information, the first step
    towards the log hazard ratio per SD of the feature, ddof = 1), se (1 / sqrt(information)), statistic
    (effect / se; its square is the score statistic), p_value (two-sided, normal), q_value
    (Benjamini-Hochberg). Score and information are those left by the covariates, whose model is fitted once.
    All but n and n_events are NaN for features that do not vary beyond the covariates in any risk set, with
    fewer than k + 1 events, and where the covariates' model is not found in 60 steps. Covariates that depend on others count once, and one with an infinite
    coefficient (a group without events) is taken to this limit. Raises ValueError for data without any
    event, times that are not finite, negative or not after entry, covariates that are not finite, infinite
    values and shapes that do not fit.
    """
    samples = _checked(values, time, event, covariates, entry, strata)
    return _table(samples, ("effect", "se", "statistic", "p_value"), _score_block)


def cox_fit(
    values: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    strata: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Maximum of the partial likelihood of each feature with the covariates, one row per feature.

    Takes and raises what `cox_score_test` does. Columns: n, n_events (of samples with a value), effect (log
    hazard ratio per SD of the feature, ddof = 1), se, ci_low, ci_high (Wald, 95 %), statistic (effect / se),
    p_value (two-sided, normal), q_value (Benjamini-Hochberg), converged. Not converged, and NaN: features
    whose maximum is at infinity (they order the deaths perfectly) or not found in 60 steps, that do not vary
    beyond the covariates in any risk set, or with fewer than k + 1 events.
    """
    samples = _checked(values, time, event, covariates, entry, strata)
    table = _table(samples, ("effect", "se", "ci_low", "ci_high", "statistic", "p_value"), _fit_block)
    return table.assign(converged=table["effect"].notna())


# Input


@dataclass(frozen=True)
class _Samples:
    """Values samples x features and covariates samples x k, the others one per sample."""

    values: NDArray[np.floating]
    time: Floats
    event: Mask
    covariates: Floats
    entry: Floats
    stratum: Integers


def _checked(
    values: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike | None,
    entry: ArrayLike | None,
    strata: Sequence[Hashable] | None,
) -> _Samples:
    """Single precision is kept until a block is copied: half the memory."""
    y, times, events = np.asarray(values), np.asarray(time, np.float64), np.asarray(event)
    if not np.issubdtype(y.dtype, np.floating):
        y = y.astype(np.float64)
    if y.ndim != 2 or times.shape != (len(y),):
        raise ValueError(f"values {y.shape} are not samples x features for times {times.shape}")
    n = len(y)
    if events.shape != (n,) or pd.isna(events).any() or not np.isin(events, (0, 1)).all():
        raise ValueError(f"{n} samples need one event each, true or false; found {events.shape}")
    x = np.zeros((n, 0)) if covariates is None else np.asarray(covariates, np.float64)
    if x.ndim != 2 or len(x) != n:
        raise ValueError(f"covariates {x.shape} are not samples x covariates for {n} samples")
    entries = np.zeros(n) if entry is None else np.asarray(entry, np.float64)
    if entries.shape != (n,):
        raise ValueError(f"{n} samples need one entry time each; found {entries.shape}")
    if not np.isfinite(times).all() or (times < 0).any():
        raise ValueError("times must be finite and not negative")
    if not np.isfinite(entries).all() or (entries < 0).any():
        raise ValueError("entry times must be finite and not negative")
    if (entries >= times).any():
        first = int(np.argmax(entries >= times))
        raise ValueError(
            f"{(entries >= times).sum()} samples enter no earlier than their time ends, the first at position "
            f"{first} (entry {entries[first]:g}, time {times[first]:g}): leave them out"
        )
    if not np.isfinite(x).all():
        raise ValueError("covariates must be finite: leave out samples that lack one")
    if any(np.isinf(row).any() for row in y):
        raise ValueError("values may be missing but not infinite")
    if not events.any():
        raise ValueError(f"none of {n} samples has an event")
    return _Samples(y, times, events.astype(bool), x, entries, _codes(strata, n))


def _codes(strata: Sequence[Hashable] | None, samples: int) -> Integers:
    if strata is None:
        return np.zeros(samples, np.int64)
    codes = pd.factorize(pd.Series(list(strata), dtype=object))[0].astype(np.int64)
    if codes.shape != (samples,) or (codes < 0).any():
        raise ValueError(f"{samples} samples need one stratum each; found {(codes >= 0).sum()}")
    return codes


# Features in blocks


def _table(
    samples: _Samples, names: Sequence[str], test: Callable[[_Model, Floats, Floats], dict[str, Floats]]
) -> pd.DataFrame:
    """`test` takes the model, the covariates' coefficients without any feature and standardised values."""
    features, k = samples.values.shape[1], samples.covariates.shape[1]
    n, n_events = np.zeros(features, np.int64), np.zeros(features, np.int64)
    columns = {name: np.full(features, np.nan) for name in names}
    for rows, group in _patterns(samples.values):
        n[group], n_events[group] = len(rows), samples.event[rows].sum()
        if samples.event[rows].sum() < k + 1:
            continue
        model = _Model.of(samples, rows)
        null = model.null()
        if null is None:
            continue
        step = max(8, VALUES_AT_A_TIME // len(rows))
        for start in range(0, len(group), step):
            part = group[start : start + step]
            z = _standardised(samples.values[np.ix_(model.order, part)])
            with np.errstate(all="ignore"):
                for name, column in test(model, null, z).items():
                    columns[name][part] = column
    table = pd.DataFrame({"n": n, "n_events": n_events, **columns})
    table["q_value"] = benjamini_hochberg(columns["p_value"])
    return table


def _patterns(y: NDArray[np.floating]) -> Iterator[tuple[Integers, Integers]]:
    """Samples with values, and the features that have theirs in just these."""
    seen = ~np.isnan(y)
    if seen.all():
        yield np.arange(len(y)), np.arange(y.shape[1])
        return
    _, codes = np.unique(np.packbits(seen, axis=0), axis=1, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        yield np.flatnonzero(seen[:, group[0]]), group


def _standardised(y: NDArray[np.floating]) -> Floats:
    """Mean 0 and SD 1 of each column, or 0 where it is constant."""
    mean = y.mean(axis=0, dtype=np.float64)
    z: Floats = y - mean
    sd = np.sqrt(np.einsum("ij,ij->j", z, z) / max(1, len(z) - 1))
    z /= np.where(sd > ROUNDING * np.abs(mean), sd, np.inf)
    return z


def _score_block(model: _Model, null: Floats, z: Floats) -> dict[str, Floats]:
    _, score, inverse = model.derivatives(model.x @ null, model.x, z)
    variance = _known(inverse[-1, -1])
    return _test(score[-1] * variance, np.sqrt(variance))


def _fit_block(model: _Model, null: Floats, z: Floats) -> dict[str, Floats]:
    found = model.maximum(null, model.x, z)
    finite = np.abs(found.last_step) * np.abs(z).max(axis=0) < FINITE
    se = np.sqrt(np.where(found.settled & finite, _known(found.variance), np.nan))
    effect = np.where(np.isnan(se), np.nan, found.coefficients[-1])
    reach = special.ndtri(0.975) * se
    return {"ci_low": effect - reach, "ci_high": effect + reach, **_test(effect, se)}


def _test(effect: Floats, se: Floats) -> dict[str, Floats]:
    z = effect / se
    return {"effect": effect, "se": se, "statistic": z, "p_value": 2 * special.ndtr(-np.abs(z))}


def _known(variance: Floats) -> Floats:
    return np.where((variance > 0) & (variance < 1 / LEAST), variance, np.nan)


# Partial likelihood


@dataclass(frozen=True)
class _Maximum:
    """Coefficients k + 1 x features, the feature's own last; the others one entry per feature."""

    coefficients: Floats
    variance: Floats
    last_step: Floats
    settled: Mask


@dataclass(frozen=True)
class _Model:
    """The samples some features have: `order` are their positions in the input, `x` their standardised
    covariates."""

    order: Integers
    x: Floats
    risk: _RiskSets

    @classmethod
    def of(cls, samples: _Samples, rows: Integers) -> _Model:
        order = rows[np.lexsort((samples.time[rows], samples.stratum[rows]))]
        stratum, event = samples.stratum[order], samples.event[order]
        risk = _RiskSets.of(samples.time[order], event, samples.entry[order], stratum)
        return cls(order, _standardised(samples.covariates[order]), risk)

    def null(self) -> Floats | None:
        """Coefficients (k x 1) of the covariates alone, or None when there is no maximum to be found."""
        k = self.x.shape[1]
        if k == 0:
            return np.zeros((0, 1))
        with np.errstate(all="ignore"):
            found = self.maximum(np.zeros((k - 1, 1)), self.x[:, :-1], self.x[:, -1:])
        return found.coefficients if found.settled[0] else None

    def maximum(self, start: Floats, x: Floats, z: Floats) -> _Maximum:
        """Newton's method with step halving for every column of z beside all of x, from the coefficients
        `start` (k x 1) of x and 0 for z."""
        shape = (x.shape[1] + 1, z.shape[1])
        found = _Maximum(np.zeros(shape), np.zeros(shape[1]), np.zeros(shape[1]), np.zeros(shape[1], bool))
        best, score, inverse = self.derivatives(x @ start, x, z)
        at = np.repeat(np.vstack([start, [[0.0]]]), shape[1], axis=1)
        step = _times(inverse, score)
        active = np.arange(shape[1])
        for _ in range(MOST_STEPS):
            trial = at + step
            value, score, inverse = self.derivatives(x @ trial[:-1] + z * trial[-1], x, z)
            better = np.isfinite(value) & (value >= best - ROUNDING * np.abs(best))
            at, best = np.where(better, trial, at), np.where(better, value, best)
            step = np.where(better, _times(inverse, score), step / 2)
            done = better & ((score * step).sum(axis=0) < ENOUGH)
            if not done.any():
                continue
            found.coefficients[:, active[done]] = (at + step)[:, done]
            found.variance[active[done]] = inverse[-1, -1, done]
            found.last_step[active[done]] = step[-1, done]
            found.settled[active[done]] = True
            if done.all():
                break
            left = ~done
            active, z, at, best, step = active[left], z[:, left], at[:, left], best[left], step[:, left]
        return found

    def derivatives(self, log_hazard: Floats, x: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Log likelihood, score (k + 1 x features) and inverse information (k + 1 x k + 1 x features) of the
        coefficients of x and, last, of every column of z. `log_hazard` is samples x features, or samples x 1
        where all features share it."""
        columns = [*(column[:, None] for column in x.T), z]
        relative = log_hazard - log_hazard.max(axis=0)
        hazard = np.exp(relative)
        total = self.risk.sums(hazard)
        value = relative[self.risk.dead].sum(axis=0) - np.log(total).sum(axis=0)
        share = 1 / total
        expected = hazard * self.risk.spread(share)
        weighted = [expected * column for column in columns]
        means = [self.risk.sums(hazard * column) * share for column in columns]
        score = np.empty((len(columns), z.shape[1]))
        squares = np.empty((len(columns), *score.shape))
        information = np.empty_like(squares)
        for i, column in enumerate(columns):
            score[i] = column[self.risk.dead].sum(axis=0) - weighted[i].sum(axis=0)
            for j in range(i, len(columns)):
                squares[i, j] = _dot(column, weighted[j])
                information[i, j] = information[j, i] = squares[i, j] - _dot(means[i], means[j])
        return value, score, _inverse(information, SINGULAR * np.diagonal(squares).T)


def _dot(a: Floats, b: Floats) -> Floats:
    """Of each column of a with that of b."""
    return np.asarray(np.einsum("ij,ij->j", a, b))


def _times(matrix: Floats, vector: Floats) -> Floats:
    return np.asarray(np.einsum("ijm,jm->im", matrix, vector))


def _inverse(matrix: Floats, least: Floats) -> Floats:
    """Inverse of symmetric matrices p x p x m by Gauss and Jordan's sweeps. A row whose pivot does not exceed
    `least` (p x m) depends on those before it: 0 in the inverse."""
    a = matrix.copy()
    for j in range(len(a)):
        pivot = np.where(a[j, j] > least[j], a[j, j], np.inf)
        row = a[j] / pivot
        a -= a[:, j, None] * row
        a[j], a[:, j], a[j, j] = row, row, -1 / pivot
    return -a


# Risk sets


@dataclass(frozen=True)
class _RiskSets:
    """Who is at risk at each event: linear maps between samples and events.

    Of d events at one time in a stratum, the l-th (from 0) has only 1 - l / d of each of these d samples at
    risk (Efron). The different times of events, stratum after stratum, are the leaves of a binary tree. A
    sample is at risk at a stretch of leaves, which is the union of a few whole branches, and `branches`
    (nodes x samples) has these. `paths` (events x nodes) has the nodes above each event. Every sum over a
    risk set is so made of additions only, and none of small differences of large sums.
    """

    dead: Integers
    branches: sparse.csr_array[np.float64]
    paths: sparse.csr_array[np.float64]

    @classmethod
    def of(cls, time: Floats, event: Mask, entry: Floats, stratum: Integers) -> _RiskSets:
        """Of samples sorted by stratum and time."""
        samples, dead = len(time), np.flatnonzero(event)
        ranks = np.unique(np.concatenate([time, entry]), return_inverse=True)[1]
        last, before = stratum * len(ranks) + ranks[:samples], stratum * len(ranks) + ranks[samples:]
        times, start, leaf, size = np.unique(
            last[dead], return_index=True, return_inverse=True, return_counts=True
        )
        leaves, events = len(times), np.arange(len(dead))
        node, sample = _branches(
            np.searchsorted(times, before, side="right"), np.searchsorted(times, last, side="right"), leaves
        )
        above, event_above = _paths(leaf, leaves)
        tied = events[size[leaf] > 1]
        tie = 2 * leaves + leaf[tied]  # further nodes: the dead of each tie
        lost = (tied - start[leaf[tied]]) / size[leaf[tied]]
        nodes = 3 * leaves
        branches = _sparse(np.append(node, tie), np.append(sample, dead[tied]), (nodes, samples))
        paths = _sparse(
            np.append(event_above, tied),
            np.append(above, tie),
            (len(dead), nodes),
            np.append(np.ones(len(above)), -lost),
        )
        return cls(dead, branches, paths)

    def sums(self, quantity: Floats) -> Floats:
        """Over those at risk at each event: samples x features to events x features."""
        return np.asarray(self.paths @ (self.branches @ quantity))

    def spread(self, quantity: Floats) -> Floats:
        """Over the events each sample is at risk of: events x features to samples x features."""
        return np.asarray(self.branches.T @ (self.paths.T @ quantity))


def _branches(first: Integers, end: Integers, leaves: int) -> tuple[Integers, Integers]:
    """Nodes that together cover the leaves from `first` to before `end`, and for each node whose they are.
    The children of node i are 2i and 2i + 1; leaf i is node leaves + i."""
    whose, low, high = np.arange(len(first)), first + leaves, end + leaves
    nodes, owners = [], []
    while whose.size:
        some = low < high
        whose, low, high = whose[some], low[some], high[some]
        odd_low, odd_high = low % 2 == 1, high % 2 == 1
        nodes += [low[odd_low], high[odd_high] - 1]
        owners += [whose[odd_low], whose[odd_high]]
        low, high = (low + 1) // 2, high // 2
    return np.concatenate(nodes), np.concatenate(owners)


def _paths(leaf: Integers, leaves: int) -> tuple[Integers, Integers]:
    """Nodes from each leaf to the root, and for each node whose it is."""
    whose, node = np.arange(len(leaf)), leaf + leaves
    nodes, owners = [], []
    while node.size:
        nodes.append(node)
        owners.append(whose)
        some = node > 1
        whose, node = whose[some], node[some] // 2
    return np.concatenate(nodes), np.concatenate(owners)


def _sparse(
    row: Integers, column: Integers, shape: tuple[int, int], value: Floats | None = None
) -> sparse.csr_array[np.float64]:
    entries = np.ones(len(row)) if value is None else value
    return sparse.csr_array((entries, (row, column)), shape=shape)
