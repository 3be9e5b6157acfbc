"""Does a 95 % interval hold the truth in 95 % of repetitions?

Averaged over the half-normal prior of the between-cohort spread tau the intervals promise 95 %. At
one fixed tau they may promise more (at 0) or less (far out in the prior); both are measured here.
"""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from statsmodels.stats.meta_analysis import combine_effects

from reclaim.pooling import pool_effects, pool_shares, prevalence

SCALE = 0.5
TRUTH = 0.4
MANY_REPLICATES = 6000
"""Monte-Carlo standard error 0.3 % at a coverage of 95 %."""


def spreads(tau: float | None, replicates: int) -> np.ndarray:
    """One tau per replicate: fixed, or evenly spaced quantiles of the prior."""
    if tau is None:
        return stats.halfnorm.ppf((np.arange(replicates) + 0.5) / replicates, scale=SCALE)
    return np.full(replicates, tau)


def cohorts(
    k: int, tau: float | None, se: float, replicates: int = MANY_REPLICATES, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of k cohorts around TRUTH and their errors (k x replicates); errors differ up to fourfold."""
    generator = np.random.default_rng([seed, k])
    error = se * np.exp(generator.uniform(-0.7, 0.7, (k, replicates)))
    spread = spreads(tau, replicates)
    noise = generator.standard_normal((2, k, replicates))
    return TRUTH + spread * noise[0] + error * noise[1], error


def coverage_of_effects(k: int, tau: float | None, se: float) -> float:
    found = pool_effects(*cohorts(k, tau, se), SCALE)
    return float(((found.ci_low <= TRUTH) & (found.ci_high >= TRUTH)).mean())


# pool_effects


@pytest.mark.parametrize("se", [0.05, 0.4], ids=["precise", "noisy"])
@pytest.mark.parametrize("k", [2, 3, 5, 16])
def test_pooled_effects_cover_under_the_prior(k, se):
    assert 0.94 <= coverage_of_effects(k, None, se) <= 0.96


@pytest.mark.parametrize("k", [2, 3, 5, 16])
def test_pooled_effects_cover_at_half_the_prior_scale(k):
    assert 0.94 <= coverage_of_effects(k, 0.25, 0.2) <= 1.0


@pytest.mark.parametrize("k", [2, 3, 5, 16])
def test_pooled_effects_over_cover_when_cohorts_do_not_differ(k):
    assert coverage_of_effects(k, 0.0, 0.2) >= 0.97


@pytest.mark.parametrize("k", [2, 3, 5, 16])
def test_pooled_effects_cover_at_the_prior_scale(k):
    # A tau this large or larger has a prior chance of one in three.
    assert coverage_of_effects(k, 0.5, 0.2) >= 0.92


def test_a_tau_far_out_in_the_prior_is_not_covered():
    # tau at two scales, prior chance 4.6 %: what the interval does not promise.
    assert coverage_of_effects(2, 1.0, 0.2) < 0.85


@pytest.mark.parametrize("k", [2, 3, 5, 16])
def test_tails_are_p_values(k):
    effect, se = cohorts(k, None, 0.2)
    found = pool_effects(effect - TRUTH, se, SCALE)
    for level in (0.025, 0.1):
        assert (found.p_positive <= level).mean() == pytest.approx(level, abs=0.01)
        assert (found.p_negative <= level).mean() == pytest.approx(level, abs=0.01)


# Why not DerSimonian-Laird


def dersimonian_laird(effect: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard error and tau squared, cut at 0 (DerSimonian & Laird 1986)."""
    weight = 1 / se**2
    mean = (weight * effect).sum(axis=0) / weight.sum(axis=0)
    excess = (weight * (effect - mean) ** 2).sum(axis=0) - (len(effect) - 1)
    raw = excess / (weight.sum(axis=0) - (weight**2).sum(axis=0) / weight.sum(axis=0))
    weight = 1 / (se**2 + np.maximum(raw, 0))
    return (weight * effect).sum(axis=0) / weight.sum(axis=0), weight.sum(axis=0) ** -0.5, raw


def test_the_reference_is_dersimonian_laird_as_others_compute_it():
    effect, se = cohorts(5, None, 0.2, replicates=60)
    mean, error, tau_squared = dersimonian_laird(effect, se)
    apart = np.flatnonzero(tau_squared > 0)
    assert len(apart) > 20
    for j in apart:
        other = combine_effects(effect[:, j], se[:, j] ** 2, method_re="dl")
        assert other.tau2 == pytest.approx(tau_squared[j])
        assert (other.mean_effect_re, other.sd_eff_w_re) == pytest.approx((mean[j], error[j]))


@pytest.mark.parametrize(("k", "at_most"), [(2, 0.85), (3, 0.89), (5, 0.91)])
def test_dersimonian_laird_covers_too_little_with_few_cohorts(k, at_most):
    mean, error, _ = dersimonian_laird(*cohorts(k, None, 0.2))
    covered = (np.abs(mean - TRUTH) <= 1.959964 * error).mean()
    assert covered < at_most
    assert coverage_of_effects(k, None, 0.2) > covered + 0.04


def test_statsmodels_lets_the_variance_between_cohorts_be_negative():
    # Two cohorts that agree by chance: 0.40 and 0.41, each with an error of 0.2. Two independent
    # measurements give an error of 0.2 / sqrt(2) = 0.141 at best; it says 0.005.
    found = combine_effects(np.array([0.40, 0.41]), np.array([0.04, 0.04]), method_re="dl")
    assert found.tau2 < 0
    assert found.sd_eff_w_re == pytest.approx(0.005)
    pooled = pool_effects(np.array([[0.40], [0.41]]), np.array([[0.2], [0.2]]), SCALE)
    assert pooled.se[0] > 0.141


# pool_shares


def coverage_of_shares(k: int, tau: float | None, share: float) -> float:
    """Cohorts of 75 to 300 patients; the Monte-Carlo standard error is 1.2 to 1.7 %."""
    replicates = 300 if k <= 5 else 160
    generator = np.random.default_rng([2, k, round(100 * share)])
    covered = 0
    for spread in spreads(tau, replicates):
        n = generator.integers(75, 301, k)
        altered = generator.binomial(n, expit(logit(share) + spread * generator.standard_normal(k)))
        found = pool_shares(altered, n, SCALE)
        covered += found.ci_low <= share <= found.ci_high
    return covered / replicates


@pytest.mark.parametrize(("k", "share"), [(2, 0.03), (2, 0.9), (3, 0.3), (5, 0.05), (16, 0.9)])
def test_pooled_shares_cover_under_the_prior(k, share):
    assert 0.92 <= coverage_of_shares(k, None, share) <= 0.98


@pytest.mark.parametrize(("k", "share"), [(2, 0.03), (3, 0.9)])
def test_pooled_shares_over_cover_when_cohorts_do_not_differ(k, share):
    assert coverage_of_shares(k, 0.0, share) >= 0.95


# prevalence


@pytest.mark.parametrize("se", [0.1, 0.3, 0.9], ids=["precise", "noisy", "noisier than the margin"])
def test_half_of_the_strata_are_rarely_judged_to_be_few(se):
    """Strata normal around the margin, so that half of all strata lie beyond it."""
    generator = np.random.default_rng(3)
    strata, features, margin = 12, 400, 0.5
    error = se * np.exp(generator.uniform(-0.4, 0.4, (strata, features)))
    truth = margin + 0.4 * generator.standard_normal((strata, features))
    estimate = truth + error * generator.standard_normal((strata, features))
    found = prevalence(estimate, error, SCALE, margin, 1 / 2, seed=4, draws=1000)
    assert ((found.ci_low <= 0.5) & (found.ci_high >= 0.5)).mean() >= 0.92
    assert (found.ci_low >= 1 / 2).mean() <= 0.06
    assert (found.ci_high < 1 / 3).mean() <= 0.025
