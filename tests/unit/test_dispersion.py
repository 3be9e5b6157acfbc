"""Trend and prior of dispersions: planted curves come back, and the arithmetic can be redone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import chi2

from reclaim.dispersion import (
    DispersionTrend,
    _loess,
    _simulated_densities,
    dispersion_prior,
    dispersion_trend,
)

MEANS = np.geomspace(1, 1e4, 200)


@given(asymptotic=st.floats(0.005, 1), extra_poisson=st.floats(0.1, 20))
@settings(deadline=None)
def test_a_planted_curve_comes_back(asymptotic, extra_poisson):
    trend = dispersion_trend(MEANS, asymptotic + extra_poisson / MEANS)
    assert trend.kind == "parametric"
    assert trend.asymptotic == pytest.approx(asymptotic, rel=1e-6)
    assert trend.extra_poisson == pytest.approx(extra_poisson, rel=1e-6)


def test_the_trend_at_a_mean():
    np.testing.assert_allclose(DispersionTrend(0.01, 4, "parametric").at(np.array([2.0, 400])), [2.01, 0.02])
    np.testing.assert_allclose(DispersionTrend(0.3, 0, "mean").at(np.array([0.0, 400])), [0.3, 0.3])


@pytest.mark.parametrize("factor", [1e-6, 20.0])
def test_genes_far_from_the_curve_are_left_out(factor):
    """Below 1e-4 or above 15 times the curve."""
    curve = 0.1 + 2 / MEANS
    strayed = curve.copy()
    strayed[::20] *= factor
    trend = dispersion_trend(MEANS, strayed)
    assert (trend.asymptotic, trend.extra_poisson) == pytest.approx((0.1, 2), rel=1e-6)


def test_genes_within_15_times_the_curve_count():
    strayed = 0.1 + 2 / MEANS
    strayed[::20] *= 5
    assert dispersion_trend(MEANS, strayed).asymptotic > 0.11


def test_genes_without_a_dispersion_do_not_count():
    """Gene-wise estimates at 1e-6 or below say only that none was found."""
    curve = 0.1 + 2 / MEANS
    with_floor = dispersion_trend(np.append(MEANS, MEANS), np.append(curve, np.full(len(MEANS), 1e-6)))
    assert (with_floor.asymptotic, with_floor.extra_poisson) == pytest.approx((0.1, 2), rel=1e-6)


def test_a_trend_that_rises_with_the_mean_is_replaced_by_the_mean():
    rising = 0.001 * MEANS
    trend = dispersion_trend(MEANS, rising)
    assert trend.kind == "mean"
    assert trend.asymptotic == pytest.approx(rising.mean())
    assert trend.extra_poisson == 0


@pytest.mark.parametrize("dispersions", [[], [1e-8], [1e-8, 1e-8, 1e-8]])
def test_without_any_dispersion_the_trend_is_next_to_none(dispersions):
    trend = dispersion_trend(np.full(len(dispersions), 10.0), np.array(dispersions))
    assert (trend.kind, trend.asymptotic) == ("mean", pytest.approx(1e-7))


@given(st.permutations(range(12)))
@settings(deadline=None)
def test_the_order_of_genes_does_not_matter(order):
    means = np.geomspace(1, 1e3, 12)
    dispersions = (0.1 + 2 / means) * np.exp(np.sin(np.arange(12.0)))
    trend = dispersion_trend(means, dispersions)
    shuffled = dispersion_trend(means[order], dispersions[order])
    assert shuffled.asymptotic == pytest.approx(trend.asymptotic, rel=1e-9)
    assert shuffled.extra_poisson == pytest.approx(trend.extra_poisson, rel=1e-9)


def test_the_prior_is_the_spread_less_the_sampling_variance():
    """Residuals -2, -1, 0, 1, 2 have median absolute deviation 1; trigamma(6 / 2) = pi^2 / 6 - 1 - 1/4."""
    trend = np.full(5, 0.1)
    prior = dispersion_prior(trend * np.exp([-2.0, -1, 0, 1, 2]), trend, 6)
    assert prior.spread == pytest.approx(1.4826)
    assert prior.variance == pytest.approx(1.4826**2 - (np.pi**2 / 6 - 1.25))


def test_the_prior_has_a_variance_of_a_quarter_at_least():
    trend = np.full(5, 0.1)
    assert dispersion_prior(trend, trend, 6).variance == 0.25
    assert dispersion_prior(trend, trend, 2).variance == 0.25


@pytest.mark.parametrize("residual_df", [2, 6])
def test_without_any_dispersion_the_prior_is_the_narrowest(residual_df):
    prior = dispersion_prior(np.full(4, 1e-8), np.full(4, 0.1), residual_df)
    assert (prior.variance, prior.spread) == (0.25, 0.0)


@pytest.mark.parametrize("residual_df", [1, 2, 3])
@pytest.mark.parametrize("variance", [0.6, 1.5, 4.0])
def test_with_few_degrees_of_freedom_the_prior_is_matched(residual_df, variance):
    generator = np.random.default_rng(7)
    residuals = np.log(generator.chisquare(residual_df, 20_000) / residual_df)
    residuals += generator.normal(0, np.sqrt(variance), 20_000)
    prior = dispersion_prior(0.1 * np.exp(residuals), np.full(20_000, 0.1), residual_df)
    assert prior.variance == pytest.approx(variance, rel=0.15, abs=0.15)


@pytest.mark.parametrize("residual_df", [1, 2, 3])
@pytest.mark.parametrize("row", [0, 60, 199])
def test_the_stored_simulation_has_its_distribution(residual_df, row):
    """Log chi-square over df plus a normal, in 40 bins: 10,000 draws stray by 1 / sqrt(10,000 p) of p."""
    densities = _simulated_densities()[residual_df]
    assert densities.shape == (200, 40)
    sd = np.sqrt(8 * row / 199) + 1e-9
    middles = (np.arange(20_000) + 0.5) / 20_000
    log_chi_square = np.log(chi2.ppf(middles, residual_df) / residual_df)
    below = np.array([ndtr((edge - log_chi_square) / sd).mean() for edge in np.arange(-20, 21) / 2])
    expected = np.diff(below) / (below[-1] - below[0])
    strayed = np.abs(densities[row] * 0.5 - expected)
    assert (strayed <= 5 * np.sqrt(expected / 10_000) + 2e-4).all()


@given(st.tuples(*[st.floats(-3, 3)] * 3))
@settings(deadline=None)
def test_loess_keeps_a_parabola(coefficients):
    """Locally quadratic fits, joined by cubics that meet their values and slopes."""
    x, at = np.linspace(0, 8, 200), np.linspace(0, 8, 1000)
    smooth = _loess(x, np.polyval(coefficients, x), at)
    np.testing.assert_allclose(smooth, np.polyval(coefficients, at), atol=1e-9)
