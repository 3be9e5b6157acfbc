"""Exact inference on how much likelier a count is than its null distribution makes it.

The null distribution of a count T is tilted: P_theta(T = k) is proportional to P_0(T = k) exp(theta k). For independent
yes-or-no outcomes with any rates this multiplies the odds of each by exp(theta), so that theta is their common log odds
ratio to the null; it is the conditional distribution of exact logistic regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

Floats = NDArray[np.float64]

TAIL = 0.025
"""In each tail of the interval."""


@dataclass(frozen=True)
class Tilt:
    """Log odds ratio with its exact 95 % interval, infinite on an open side."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float


def exact_tilt(log_null: Floats, found: int) -> Tilt:
    """The tilt theta under which a count of `found` is no surprise.

    `log_null`: natural logarithms of P_0(T = 0) ... P_0(T = n), all finite, n at least 1. Estimate: the median unbiased
    one, the mean of the theta at which P(T >= found) = 1/2 and of that at which P(T <= found) = 1/2 (Hirji, Tsiatis and
    Mehta 1989, The American Statistician 43:7-11). At an end, where only one of them is finite, `found` is a median of
    T under every theta beyond it, and the one nearest to 0 is taken: none of three genes, at rates of 0.1, speaks for
    no tilt and not for the positive one at which P(T = 0) = 1/2.
    Interval: exact tails of 0.025 each, so that it covers in at least 95 %. `se` is one by the square root of T's
    variance under the estimate. Raises ValueError for a count that the null distribution does not know.
    """
    if len(log_null) < 2 or not 0 <= found < len(log_null) or not np.isfinite(log_null).all():
        raise ValueError(
            f"a count of {found} has no place in a null distribution over 0 to {len(log_null) - 1}"
        )
    low, middle_low = (_where_at_least(log_null, found, share) for share in (TAIL, 0.5))
    # P(T <= found) is a tail upwards of the count told from the other end, where theta has the other sign.
    mirrored = log_null[::-1], len(log_null) - 1 - found
    high, middle_high = (-_where_at_least(*mirrored, share) for share in (TAIL, 0.5))
    if found == 0:
        estimate = min(0.0, middle_high)
    elif found == len(log_null) - 1:
        estimate = max(0.0, middle_low)
    else:
        estimate = (middle_low + middle_high) / 2
    return Tilt(estimate, 1 / math.sqrt(_variance(log_null, estimate)), low, high)


def convolved(distributions: Sequence[Floats]) -> Floats:
    """Logarithm of the distribution of a sum of independent counts, from the distribution of each over 0, 1, 2 ..."""
    total = np.zeros(1)
    for one in distributions:
        last = len(one) - 1
        with np.errstate(divide="ignore"):
            parts = [
                np.pad(total + log, (k, last - k), constant_values=-np.inf)
                for k, log in enumerate(np.log(one))
            ]
        total = logsumexp(parts, axis=0)
    return total


def tilted(log_null: Floats, theta: float) -> Floats:
    """P_theta(T = k) for every k."""
    log = log_null + theta * np.arange(len(log_null))
    return np.asarray(np.exp(log - logsumexp(log)))


def _where_at_least(log_null: Floats, found: int, share: float) -> float:
    """The theta at which P(T >= found) is `share`; minus infinity where every count is that large."""
    if found == 0:
        return -math.inf
    counts = np.arange(len(log_null))

    def above(theta: float) -> float:
        """Log odds of the tail to what is asked for: rises with theta from minus to plus infinity."""
        log = log_null + theta * counts
        return float(logsumexp(log[found:]) - logsumexp(log[:found])) - math.log(share / (1 - share))

    reach = 1.0
    while above(-reach) > 0 or above(reach) < 0:
        reach *= 2
    return float(brentq(above, -reach, reach, xtol=1e-12))


def _variance(log_null: Floats, theta: float) -> float:
    share, counts = tilted(log_null, theta), np.arange(len(log_null))
    return float(share @ (counts - share @ counts) ** 2)
