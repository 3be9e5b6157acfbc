"""Exact inference on a tilted count: scipy's binomial intervals and enumeration are the oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from reclaim.tilted import convolved, exact_tilt, tilted

RATES = {
    "one gene": [0.2],
    "two genes": [0.5, 0.03],
    "equal": [0.3] * 6,
    "unequal": [0.01, 0.1, 0.2, 0.4, 0.4, 0.7, 0.95],
    "rare": [0.003] * 12,
}


def null_of(rates: list[float]) -> np.ndarray:
    return convolved([np.array([1 - rate, rate]) for rate in rates])


@pytest.mark.parametrize("size", [1, 4, 11])
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.5])
def test_genes_of_one_rate_have_the_odds_ratio_of_a_binomial_share(size: int, rate: float) -> None:
    log_null = np.log(stats.binom.pmf(np.arange(size + 1), size, rate))
    for found in range(size + 1):
        tilt = exact_tilt(log_null, found)
        interval = stats.binomtest(found, size).proportion_ci(0.95, "exact")  # Clopper and Pearson
        for ours, share in ((tilt.ci_low, interval.low), (tilt.ci_high, interval.high)):
            assert ours == pytest.approx(logit(share) - logit(rate), abs=1e-8)
        # P(T >= found) and P(T <= found) are 1/2 at these shares.
        halves = [stats.beta.ppf(0.5, found, size - found + 1)] if found else []
        halves += [stats.beta.ppf(0.5, found + 1, size - found)] if found < size else []
        expected = np.mean(logit(halves)) - logit(rate)
        if len(halves) == 1:
            expected = max(expected, 0) if found else min(expected, 0)
        assert tilt.estimate == pytest.approx(expected, abs=1e-8)
        share = 1 / (1 + math.exp(-tilt.estimate - logit(rate)))
        assert tilt.se == pytest.approx(1 / math.sqrt(size * share * (1 - share)))


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES.keys())
def test_the_interval_covers_in_at_least_95_percent(rates: list[float]) -> None:
    log_null = null_of(rates)
    intervals = [exact_tilt(log_null, found) for found in range(len(rates) + 1)]
    for theta in np.linspace(-6, 6, 49):
        covers = np.array([one.ci_low <= theta <= one.ci_high for one in intervals])
        assert tilted(log_null, theta) @ covers >= 0.95 - 1e-9


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES.keys())
def test_more_genes_raise_the_estimate_which_lies_in_its_interval(rates: list[float]) -> None:
    log_null = null_of(rates)
    tilts = [exact_tilt(log_null, found) for found in range(len(rates) + 1)]
    assert (np.diff([tilt.estimate for tilt in tilts]) > 0).all()
    assert all(tilt.ci_low < tilt.estimate < tilt.ci_high for tilt in tilts)


def test_a_tilt_multiplies_the_odds_of_every_gene() -> None:
    rates, theta = np.array(RATES["unequal"]), 0.8
    odds = np.exp(theta) * rates / (1 - rates)
    raised = convolved([np.array([1, one]) / (1 + one) for one in odds])
    assert tilted(null_of(RATES["unequal"]), theta) == pytest.approx(np.exp(raised))


def test_a_sum_is_convolved() -> None:
    parts = [np.array([0.5, 0.2, 0.3]), np.array([0.9, 0.1]), np.array([0.0, 1.0])]
    expected = np.convolve(np.convolve(parts[0], parts[1]), parts[2])
    assert np.exp(convolved(parts)) == pytest.approx(expected)
    assert np.exp(null_of([0.25] * 5)) == pytest.approx(stats.binom.pmf(range(6), 5, 0.25))


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES.keys())
def test_the_other_way_round_is_the_same_with_the_other_sign(rates: list[float]) -> None:
    log_null = null_of(rates)
    for found in range(len(rates) + 1):
        one, other = exact_tilt(log_null, found), exact_tilt(log_null[::-1], len(rates) - found)
        assert one.estimate == pytest.approx(-other.estimate, abs=1e-9)
        assert (one.se, one.ci_low, one.ci_high) == pytest.approx((other.se, -other.ci_high, -other.ci_low))


def test_a_count_at_an_end_that_is_a_median_of_the_null_speaks_for_no_tilt() -> None:
    """P_0(T = 0) is 0.9^3 = 0.73. Were the estimate the positive theta at which it is 1/2, data sets in which none of
    the genes is bound would add up to a finding."""
    none = exact_tilt(null_of([0.1] * 3), 0)
    assert (none.estimate, none.se) == (0, pytest.approx(1 / math.sqrt(3 * 0.1 * 0.9)))
    every = exact_tilt(null_of([0.9] * 3), 3)
    assert (every.estimate, every.se) == (0, pytest.approx(none.se))


def test_ends_are_open() -> None:
    log_null = null_of([0.5] * 3)
    none, every = exact_tilt(log_null, 0), exact_tilt(log_null, 3)
    assert (none.ci_low, every.ci_high) == (-math.inf, math.inf)
    assert none.estimate < 0 < every.estimate
    assert all(map(math.isfinite, (none.se, none.ci_high, every.se, every.ci_low)))


def test_many_genes_of_small_rates_do_not_underflow() -> None:
    """P(T = 400) is 10^-1200."""
    tilt = exact_tilt(null_of([1e-3] * 400), 400)
    assert math.isfinite(tilt.estimate)
    assert math.isfinite(tilt.se)


@pytest.mark.parametrize(
    ("log_null", "found"), [([0.0], 0), ([-1, -1], 2), ([-1, -1], -1), ([0, -np.inf], 1)]
)
def test_a_count_that_cannot_be_is_refused(log_null: list[float], found: int) -> None:
    with pytest.raises(ValueError, match="has no place"):
        exact_tilt(np.array(log_null, float), found)
