"""Pooling against independent integration, closed forms and published intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats
from scipy.special import expit, log_expit, xlogy

from reclaim.pooling import pool_effects, pool_shares, prevalence
from reclaim.proportions import clopper_pearson, exact_p_above, exact_p_below


def pool(effect, se, scale=0.5):
    return pool_effects(np.array(effect, float)[:, None], np.array(se, float)[:, None], scale)


# pool_effects


def posterior_by_quadrature(effect, se, scale):
    """Mean, sd, ends of the central 95 % interval, tail at or below 0 and mean of tau, from the joint
    density of mean and tau as it stands: adaptive in tau, Simpson's rule in the mean."""
    effect, se = np.array(effect), np.array(se)
    reach = np.ptp(effect) + 10 * (scale + se.max())
    mean = np.linspace(effect.mean() - reach, effect.mean() + reach, 4001)

    def joint(tau):
        spread = np.sqrt(se[:, None] ** 2 + tau**2)
        likelihood = np.exp(stats.norm.logpdf(effect[:, None], mean, spread).sum(axis=0))
        return likelihood * stats.halfnorm.pdf(tau, scale=scale) * np.array([[1.0], [tau]])

    density, by_tau = integrate.quad_vec(joint, 0, 12 * scale, epsrel=1e-10, limit=2000)[0]
    total = integrate.simpson(density, x=mean)
    centre = integrate.simpson(mean * density, x=mean) / total
    sd = np.sqrt(integrate.simpson((mean - centre) ** 2 * density, x=mean) / total)
    cdf = integrate.cumulative_simpson(density, x=mean, initial=0) / total
    low, high = np.interp([0.025, 0.975], cdf, mean)
    tau = integrate.simpson(by_tau, x=mean) / total
    return centre, sd, low, high, np.interp(0, mean, cdf), tau


@pytest.mark.parametrize(
    ("effect", "se", "scale"),
    [
        ([0.9, 1.1], [0.2, 0.3], 0.5),
        ([0.1, 1.4], [0.25, 0.2], 0.5),
        ([-0.2, 0.5, 0.3], [0.1, 0.15, 0.4], 0.3),
        ([0.5, 0.4, 0.6, 0.2, 0.9], [0.12, 0.2, 0.1, 0.3, 0.25], 0.15),
        ([2.0, -1.0, 0.5, 0.1], [1.0, 1.5, 0.8, 0.9], 0.5),
        (list(np.linspace(-1, 2, 16)), [0.3] * 16, 0.5),
    ],
)
def test_pooled_effect_is_the_posterior_mean_with_its_central_interval(effect, se, scale):
    mean, sd, low, high, below_zero, tau = posterior_by_quadrature(effect, se, scale)
    found = pool(effect, se, scale)
    close = 0.01 * sd
    assert found.effect[0] == pytest.approx(mean, abs=close)
    assert found.se[0] == pytest.approx(sd, rel=0.01)
    assert found.ci_low[0] == pytest.approx(low, abs=close)
    assert found.ci_high[0] == pytest.approx(high, abs=close)
    assert found.p_positive[0] == pytest.approx(below_zero, rel=0.02, abs=1e-6)
    assert found.p_negative[0] == pytest.approx(1 - below_zero, abs=1e-3)
    assert found.tau[0] == pytest.approx(tau, abs=0.01 * scale)


def test_without_room_for_spread_the_mean_is_weighted_by_inverse_variance():
    # weights 25 and 100: (25 * 1 + 100 * 2) / 125 = 1.8, standard error 1 / sqrt(125)
    found = pool([1.0, 2.0], [0.2, 0.1], scale=1e-6)
    assert found.effect[0] == pytest.approx(1.8)
    assert found.se[0] == pytest.approx(1 / np.sqrt(125))
    assert found.ci_low[0] == pytest.approx(1.8 - 1.959964 / np.sqrt(125), abs=1e-6)
    assert found.ci_high[0] == pytest.approx(1.8 + 1.959964 / np.sqrt(125), abs=1e-6)


def test_one_cohort_says_nothing_about_the_spread():
    # tau keeps its prior, whose mean is scale * sqrt(2 / pi), and the variances add: se^2 + scale^2.
    found = pool([0.7], [0.2], scale=0.5)
    assert found.effect[0] == pytest.approx(0.7)
    assert found.tau[0] == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=1e-3)
    assert found.se[0] == pytest.approx(np.sqrt(0.2**2 + 0.5**2), rel=2e-3)


def test_interval_ends_are_quantiles_of_the_mixture_over_tau():
    # With one cohort the posterior of the mean is a normal of sd sqrt(se^2 + tau^2) mixed over the prior.
    found = pool([0.0], [0.2], scale=0.5)

    def below(x):
        return integrate.quad(
            lambda tau: stats.halfnorm.pdf(tau, scale=0.5) * stats.norm.cdf(x / np.hypot(0.2, tau)), 0, 6
        )[0]

    expected = optimize.brentq(lambda x: below(x) - 0.975, 0, 5)
    assert found.ci_high[0] == pytest.approx(expected, rel=2e-3)
    assert found.ci_low[0] == pytest.approx(-expected, rel=2e-3)
    assert expected > 1.96 * np.hypot(0.2, 0.5) * 1.05  # heavier tails than a normal of the same sd


def test_tau_follows_the_scatter_of_the_cohorts():
    errors = [0.1] * 8
    alike, apart = pool([0.5] * 8, errors), pool(list(np.linspace(-1.5, 2.5, 8)), errors)
    assert alike.tau[0] < 0.1
    assert apart.tau[0] == pytest.approx(np.std(np.linspace(-1.5, 2.5, 8), ddof=1), rel=0.25)
    assert apart.se[0] > 3 * alike.se[0]


def test_more_features_than_fit_in_one_piece_change_nothing():
    generator = np.random.default_rng(2)
    effect, se = generator.normal(0, 1, (3, 4003)), generator.uniform(0.1, 1, (3, 4003))
    effect[1, 5] = np.nan
    effect[:, 4001] = np.nan
    together = pool_effects(effect, se, 0.5)
    for j in (0, 5, 1999, 2000, 2001, 4000, 4001, 4002):
        alone = pool_effects(effect[:, [j]], se[:, [j]], 0.5)
        for name in ("effect", "se", "ci_low", "ci_high", "p_positive", "p_negative", "tau"):
            np.testing.assert_allclose(
                getattr(together, name)[j], getattr(alone, name)[0], rtol=1e-9, atol=1e-12
            )
    assert np.isnan(together.effect[4001])


cohorts = st.lists(
    st.tuples(st.floats(-5, 5, allow_nan=False), st.floats(0.05, 3, allow_nan=False)), min_size=1, max_size=7
)


@given(cohorts)
def test_pooled_mean_lies_among_the_cohorts_and_within_its_interval(values):
    effect, se = np.array(values).T
    found = pool(effect, se)
    assert effect.min() - 1e-9 <= found.effect[0] <= effect.max() + 1e-9
    assert found.ci_low[0] < found.effect[0] < found.ci_high[0]
    assert 0 <= found.p_positive[0] <= 1
    assert found.p_positive[0] + found.p_negative[0] == pytest.approx(1)


@given(cohorts, st.floats(-4, 4))
def test_pooling_commutes_with_a_shift_and_a_sign_flip(values, shift):
    effect, se = np.array(values).T
    found, moved, flipped = pool(effect, se), pool(effect + shift, se), pool(-effect, se)
    assert moved.ci_low[0] == pytest.approx(found.ci_low[0] + shift, abs=1e-6)
    assert moved.effect[0] == pytest.approx(found.effect[0] + shift, abs=1e-6)
    assert flipped.ci_low[0] == pytest.approx(-found.ci_high[0], abs=1e-6)
    assert flipped.p_positive[0] == pytest.approx(found.p_negative[0], abs=1e-9)


@given(cohorts)
def test_the_interval_is_never_shorter_than_the_fixed_effect_one(values):
    effect, se = np.array(values).T
    found = pool(effect, se)
    assert found.ci_high[0] - found.ci_low[0] >= 2 * 1.9599 / np.sqrt((1 / se**2).sum())


# pool_shares


def shares_by_quadrature(k, n, scale):
    """Median and central 95 % interval of the typical share, its tail at or below 5 %, and the mean of
    tau: Gauss-Hermite over each cohort's intercept, Simpson's rule in tau and in the logit."""
    node, weight = np.polynomial.hermite_e.hermegauss(100)
    logit, tau = np.linspace(-20, 10, 1501), np.linspace(0, 5 * scale, 61)
    log_joint = np.empty((len(tau), len(logit)))
    for i, spread in enumerate(tau):
        shifted = logit[:, None] + spread * node
        altered, not_altered = log_expit(shifted), log_expit(-shifted)
        by_cohort = [
            np.exp(a * altered + (b - a) * not_altered - xlogy(a, a / b) - xlogy(b - a, 1 - a / b)) @ weight
            for a, b in zip(k, n, strict=True)
        ]
        with np.errstate(divide="ignore"):
            log_joint[i] = np.log(by_cohort).sum(axis=0) + stats.halfnorm.logpdf(spread, scale=scale)
    typical = expit(logit)
    joint = np.exp(log_joint - log_joint.max()) * np.sqrt(typical * (1 - typical))  # Jeffreys on the logit
    density = integrate.simpson(joint, x=tau, axis=0)
    cdf = integrate.cumulative_simpson(density, x=logit, initial=0)
    cdf /= cdf[-1]
    low, median, high = expit(np.interp([0.025, 0.5, 0.975], cdf, logit))
    return median, low, high, np.interp(np.log(0.05 / 0.95), logit, cdf)


@pytest.mark.parametrize(
    ("k", "n"),
    [
        ([3, 9], [150, 210]),
        ([118, 92], [177, 99]),
        ([1, 0, 2], [60, 45, 200]),
        ([60, 75, 40, 95, 30], [120, 150, 90, 160, 70]),
        ([0, 0], [80, 90]),
        ([20, 2100], [24, 2336]),
    ],
)
def test_pooled_share_is_the_posterior_median_with_its_central_interval(k, n):
    median, low, high, below_5_percent = shares_by_quadrature(k, n, 0.5)
    found = pool_shares(np.array(k), np.array(n), 0.5)
    tolerance = 0.015 * (high - low)
    if any(k):
        assert found.share == pytest.approx(median, abs=tolerance)
        assert found.ci_low == pytest.approx(low, abs=tolerance)
    else:
        assert (found.share, found.ci_low) == (0, 0)
    assert found.ci_high == pytest.approx(high, abs=tolerance)
    assert found.p_above(0.05) == pytest.approx(below_5_percent, abs=0.004)
    assert found.p_below(0.05) == pytest.approx(1 - below_5_percent, abs=0.004)


def test_large_cohorts_that_agree_recover_their_share():
    found = pool_shares(np.array([300] * 12), np.array([1000] * 12), 0.5)
    assert found.share == pytest.approx(0.3, abs=0.003)
    assert found.ci_low < 0.3 < found.ci_high
    assert found.ci_high - found.ci_low < 0.05
    assert found.tau < 0.1


def test_spread_between_cohorts_widens_the_share():
    alike = pool_shares(np.array([60, 60, 60]), np.array([200] * 3), 0.5)
    apart = pool_shares(np.array([20, 60, 120]), np.array([200] * 3), 0.5)
    assert apart.tau > 2 * alike.tau
    assert apart.ci_high - apart.ci_low > 1.5 * (alike.ci_high - alike.ci_low)


def test_tails_of_a_share_are_two_sides_of_one_distribution():
    found = pool_shares(np.array([10, 14]), np.array([150, 180]), 0.5)
    assert found.p_below(found.ci_high) == pytest.approx(0.025, abs=1e-6)
    assert found.p_above(found.ci_low) == pytest.approx(0.025, abs=1e-6)
    assert found.p_below(0.05) + found.p_above(0.05) == pytest.approx(1)
    assert found.p_below(0.05) > found.p_below(0.10)


sizes = st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=2, max_size=4)


@settings(max_examples=25, deadline=None)
@given(sizes)
def test_a_pooled_share_is_mirrored_when_altered_and_unaltered_swap(values):
    n = np.array([size for size, _ in values])
    k = np.round(n * [part for _, part in values]).astype(int)
    found, mirrored = pool_shares(k, n, 0.5), pool_shares(n - k, n, 0.5)
    assert 0 <= found.ci_low <= found.share <= found.ci_high <= 1
    assert mirrored.share == pytest.approx(1 - found.share, abs=1e-6)
    assert mirrored.ci_low == pytest.approx(1 - found.ci_high, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 120), st.integers(0, 119), st.integers(1, 120))
def test_a_pooled_share_rises_with_every_altered_patient(n, k, other):
    k = min(k, n - 1)
    fewer = pool_shares(np.array([k, other // 3]), np.array([n, other]), 0.5)
    more = pool_shares(np.array([k + 1, other // 3]), np.array([n, other]), 0.5)
    assert more.share >= fewer.share
    assert more.ci_low >= fewer.ci_low
    assert more.ci_high >= fewer.ci_high


# One share


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (118, 177, 59.2, 73.6),
        (114, 141, 73.4, 87.0),
        (1, 177, 0.0, 3.1),
        (0, 177, 0.0, 2.1),
        (177, 177, 97.9, 100.0),
    ],
)
def test_exact_intervals_in_percent(k, n, low, high):
    found = clopper_pearson(k, n)
    assert [round(100 * float(x), 1) for x in found] == [low, high]


def test_exact_interval_of_no_patients_is_unknown():
    low, high = clopper_pearson(np.array([0, 1]), np.array([0, 4]))
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_exact_interval_is_that_of_binomtest(n, part, level):
    k = round(n * part)
    expected = stats.binomtest(k, n).proportion_ci(confidence_level=level, method="exact")
    low, high = clopper_pearson(k, n, level)
    assert float(low) == pytest.approx(expected.low, abs=1e-9)
    assert float(high) == pytest.approx(expected.high, abs=1e-9)
    assert low <= k / n <= high


@given(st.integers(1, 400), st.integers(0, 399))
def test_exact_interval_rises_with_k_and_mirrors(n, k):
    k = min(k, n - 1)
    (low, higher_low), (high, higher_high) = clopper_pearson(np.array([k, k + 1]), np.array([n, n]))
    assert low < higher_low or (k == 0 and low == 0)
    assert high < higher_high
    mirrored_low, mirrored_high = clopper_pearson(n - k, n)
    assert float(mirrored_low) == pytest.approx(1 - high, abs=1e-12)
    assert float(mirrored_high) == pytest.approx(1 - low, abs=1e-12)


def test_exact_tail_probabilities():
    # 1 of 20 at a chance of one half: (1 + 20) / 2^20 at most, and 1 - 2^-20 at least
    assert float(exact_p_below(1, 20, 0.5)) == pytest.approx(21 / 2**20)
    assert float(exact_p_above(1, 20, 0.5)) == pytest.approx(1 - 2**-20)
    assert float(exact_p_above(0, 20, 0.5)) == 1.0
    assert float(exact_p_below(20, 20, 0.5)) == 1.0


# prevalence


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_prevalence_recovers_a_known_share_of_clear_strata(share):
    generator = np.random.default_rng(4)
    strata, features = 24, 40
    above = np.arange(strata)[:, None] < round(strata * share)
    effect = np.where(above, 2.0, 0.0) + 0.1 * generator.standard_normal((strata, features))
    found = prevalence(effect, np.full(effect.shape, 0.1), 0.5, 0.5, 1 / 3, seed=1)
    np.testing.assert_allclose(found.share, share, atol=0.01)
    assert ((found.ci_low < share) & (share < found.ci_high)).all()


def test_prevalence_recovers_the_share_of_a_normal_population():
    # A quarter of all strata lie beyond the mean plus 0.6745 standard deviations.
    generator = np.random.default_rng(6)
    strata, features, tau = 40, 60, 0.6
    margin = 0.1 + 0.6745 * tau
    truth = 0.1 + tau * generator.standard_normal((strata, features))
    se = generator.uniform(0.1, 0.4, truth.shape)
    found = prevalence(truth + se * generator.standard_normal(truth.shape), se, 0.5, margin, 1 / 3, seed=1)
    assert found.share.mean() == pytest.approx(0.25, abs=0.03)
    assert ((found.ci_low <= 0.25) & (found.ci_high >= 0.25)).mean() >= 0.9


def test_prevalence_depends_on_nothing_but_its_seed():
    generator = np.random.default_rng(8)
    effect, se = generator.normal(0.5, 1, (10, 3)), np.full((10, 3), 0.4)
    first, again, other = (prevalence(effect, se, 0.5, 0.5, 1 / 3, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.p_share, again.p_share)
    assert (first.p_share != other.p_share).any()
    np.testing.assert_allclose(first.p_share, other.p_share, atol=0.03)
