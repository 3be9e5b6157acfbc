"""Cox's proportional hazards for many features at once, each the only covariate not shared with the others.

Partial likelihood of Cox (1972, doi 10.1111/j.2517-6161.1972.tb00899.x) with Efron's handling of ties
(1977, doi 10.1080/01621459.1977.10480613), late entry and strata. Sums over all risk sets are two products
with a sparse matrix, made once, for a block of features at a time. Times are equal only when they are the
same number. Values are samples x features; NaN is missing, and a feature is tested on the samples that have
it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reclaim.cox_samples import Floats, Integers, Samples, checked_samples
from reclaim.moderated_t import benjamini_hochberg
from reclaim.partial_likelihood import PartialLikelihood, standardised

VALUES_AT_A_TIME = 100_000
"""A block and its copies stay in the processor's cache."""

LEAST = 1e-6
"""Information on a feature below this is none: a death between two samples 1 SD apart gives up to 1/4."""
FINITE = 0.01
"""Most that the last step may change any sample's log hazard: on the way to an infinite maximum every step
changes it by about 1."""


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
    samples = checked_samples(values, time, event, covariates, entry, strata)
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
    samples = checked_samples(values, time, event, covariates, entry, strata)
    table = _table(samples, ("effect", "se", "ci_low", "ci_high", "statistic", "p_value"), _fit_block)
    return table.assign(converged=table["effect"].notna())


# Features in blocks


def _table(
    samples: Samples,
    names: Sequence[str],
    test: Callable[[PartialLikelihood, Floats, Floats], dict[str, Floats]],
) -> pd.DataFrame:
    """`test` takes the model, the covariates' coefficients without any feature and standardised values."""
    features, k = samples.values.shape[1], samples.covariates.shape[1]
    n, n_events = np.zeros(features, np.int64), np.zeros(features, np.int64)
    columns = {name: np.full(features, np.nan) for name in names}
    for rows, group in _patterns(samples.values):
        n[group], n_events[group] = len(rows), samples.event[rows].sum()
        if samples.event[rows].sum() < k + 1:
            continue
        model = PartialLikelihood.of(samples, rows)
        null = model.null()
        if null is None:
            continue
        step = max(8, VALUES_AT_A_TIME // len(rows))
        for start in range(0, len(group), step):
            part = group[start : start + step]
            z = standardised(samples.values[np.ix_(model.order, part)])
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


def _score_block(model: PartialLikelihood, null: Floats, z: Floats) -> dict[str, Floats]:
    _, score, inverse = model.derivatives(model.x @ null, model.x, z)
    variance = _known(inverse[-1, -1])
    return _test(score[-1] * variance, np.sqrt(variance))


def _fit_block(model: PartialLikelihood, null: Floats, z: Floats) -> dict[str, Floats]:
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
