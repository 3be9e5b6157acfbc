"""One odds ratio over strata, for many pairs of tables at once: Mantel & Haenszel 1959."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Words = NDArray[np.str_]

NORMAL_95 = float(special.ndtri(0.975))

NOT_INFORMATIVE = "no stratum where both vary"
NONE_FOR = "no stratum with agreement: odds ratio 0, no upper end"
NONE_AGAINST = "no stratum with disagreement: odds ratio infinite, no lower end"


@dataclass(frozen=True)
class MantelHaenszel:
    """One entry per test. `effect` is the common log odds ratio; `se` its standard error; `statistic` the
    Cochran-Mantel-Haenszel chi-square with 1 degree of freedom. `null_se` is the standard error that
    the margins alone give at an odds ratio of 1. `n_informative`: units in strata where both vary. `reason`
    is empty, or why the interval is not whole."""

    effect: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    statistic: Floats
    p_value: Floats
    null_se: Floats
    n_informative: Integers
    reason: Words


def mantel_haenszel(tables: NDArray[Any]) -> MantelHaenszel:
    """Mantel and Haenszel's log odds ratio over strata, one per test.

    `tables` is tests x strata x 2 x 2, counts [[both, only first], [only second, neither]]. With a, b, c, d
    the cells and t the total of a stratum, the odds ratio is R / S = sum(a d / t) / sum(b c / t) (Mantel &
    Haenszel 1959, doi 10.1093/jnci/22.4.719); the standard error of its log is that of Robins, Breslow &
    Greenland (1986, doi 10.2307/2531052), valid for few large and for many sparse strata, the interval is
    Wald's, 95 %. The statistic is (sum of a - its expectation given the margins)^2 / the sum of its
    hypergeometric variances, without continuity correction; p from chi-square. A stratum where one side does
    not vary adds nothing to any of them; single zero cells need no correction. When R = 0 the effect is -inf,
    when S = 0 inf: the standard error and the end of the interval on the finite side are NaN (R = 0: -inf
    to NaN), the statistic and its p-value stand. Without an informative stratum all is NaN and null_se
    is infinite. Raises ValueError for another shape and for negative counts.
    """
    if tables.ndim != 4 or tables.shape[2:] != (2, 2):
        raise ValueError(f"tables {tables.shape} are not tests x strata x 2 x 2")
    if (tables < 0).any():
        raise ValueError("counts are not negative")
    cells = np.moveaxis(tables.astype(np.float64), [2, 3], [0, 1])
    (a, b), (c, d) = cells
    t = np.maximum(a + b + c + d, 1)  # an empty stratum has no part in any sum
    against, favour = b * c / t, a * d / t
    r, s = favour.sum(axis=1), against.sum(axis=1)
    p, q = (a + d) / t, (b + c) / t
    expected = (a + b) * (a + c) / t
    variance = expected * (c + d) * (b + d) / (t * np.maximum(t - 1, 1))
    information = variance.sum(axis=1)
    known = information > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.log(r / s)
        squared = (
            (p * favour).sum(axis=1) / r**2
            + (p * against + q * favour).sum(axis=1) / (r * s)
            + (q * against).sum(axis=1) / s**2
        ) / 2
        se = np.sqrt(np.where(np.isfinite(effect), squared, np.nan))
        statistic = np.where(known, (a - expected).sum(axis=1) ** 2 / information, np.nan)
        null_se = 1 / np.sqrt(information)
    reach = NORMAL_95 * se
    return MantelHaenszel(
        effect=effect,
        se=se,
        ci_low=np.where(r == 0, effect, effect - reach),
        ci_high=np.where(s == 0, effect, effect + reach),
        statistic=statistic,
        p_value=special.chdtrc(1, statistic),
        null_se=null_se,
        n_informative=np.where(variance > 0, t, 0).sum(axis=1).astype(np.int64),
        reason=np.select([~known, r == 0, s == 0], [NOT_INFORMATIVE, NONE_FOR, NONE_AGAINST], ""),
    )
