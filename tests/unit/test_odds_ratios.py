"""Odds ratios of two alterations: Fisher's exact test and Firth's regression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit

from reclaim.odds_ratios import firth_logistic, fisher_pair

# Fisher's exact test


def test_fisher_counts_and_conditional_odds_ratio():
    # One patient in each cell: the odds ratio is 1 and the lower end solves
    # (4 x + x^2) / (1 + 4 x + x^2) = 0.025, x = sqrt(4 + 1/39) - 2; the upper end is 1/x.
    found = fisher_pair(np.array([0, 1, 0, 1], bool), np.array([0, 0, 1, 1], bool))
    assert (found.neither, found.only_first, found.only_second, found.both) == (1, 1, 1, 1)
    x = np.sqrt(4 + 1 / 39) - 2
    assert found.odds_ratio == pytest.approx(1, rel=1e-6)
    assert (found.ci_low, found.ci_high) == pytest.approx((x, 1 / x), rel=1e-4)
    assert found.p_value == pytest.approx(1)


def test_fisher_p_value_by_hand():
    # Three of three against none of three: 2 of choose(6, 3) = 20 tables are as extreme.
    first = np.array([1, 1, 1, 0, 0, 0], bool)
    assert fisher_pair(first, first).p_value == pytest.approx(2 / 20)
    assert fisher_pair(first, first).odds_ratio == np.inf
    assert fisher_pair(first, ~first).odds_ratio == 0


@given(st.lists(st.integers(1, 15), min_size=4, max_size=4))
def test_fisher_does_not_mind_which_alteration_comes_first(cells):
    first = np.repeat([False, True, False, True], cells)
    second = np.repeat([False, False, True, True], cells)
    one, other = fisher_pair(first, second), fisher_pair(second, first)
    assert other.odds_ratio == pytest.approx(one.odds_ratio, rel=1e-5)
    assert (other.only_first, other.only_second) == (one.only_second, one.only_first)
    negated = fisher_pair(~first, second)
    assert negated.odds_ratio == pytest.approx(1 / one.odds_ratio, rel=1e-4)
    assert negated.p_value == pytest.approx(one.p_value, rel=1e-6)


# Firth's logistic regression


def penalised(beta: np.ndarray, design: np.ndarray, outcome: np.ndarray) -> float:
    """Log-likelihood with Jeffreys' penalty, half the log determinant of the information."""
    linear = design @ beta
    p = 1 / (1 + np.exp(-linear))
    information = design.T @ (design * (p * (1 - p))[:, None])
    return float((outcome * linear - np.logaddexp(0, linear)).sum() + 0.5 * np.linalg.slogdet(information)[1])


def test_firth_of_a_share_adds_half_an_event_to_each_side():
    # With an intercept only, Jeffreys' penalty gives the share (k + 1/2) / (n + 1): 3.5 / 11 here.
    beta, se = firth_logistic(np.ones((10, 1)), np.array([1.0] * 3 + [0.0] * 7))
    assert beta[0] == pytest.approx(np.log(3.5 / 7.5))
    assert se[0] == pytest.approx(1 / np.sqrt(10 * (3.5 / 11) * (7.5 / 11)))


def test_firth_of_a_two_by_two_table_adds_half_a_patient_to_each_cell():
    cells = np.array([20, 9, 6, 3])  # neither, only first, only second, both
    first = np.repeat([0.0, 1, 0, 1], cells)
    second = np.repeat([0.0, 0, 1, 1], cells)
    beta, _ = firth_logistic(np.column_stack([np.ones(38), first]), second)
    assert beta[1] == pytest.approx(np.log((20.5 * 3.5) / (9.5 * 6.5)))


@pytest.mark.parametrize("seed", range(4))
def test_firth_maximises_the_penalised_likelihood(seed):
    generator = np.random.default_rng(seed)
    design = np.column_stack([np.ones(40), generator.random(40) < 0.4, generator.normal(1.5, 0.4, 40)])
    outcome = (generator.random(40) < 0.25).astype(float)
    beta, _ = firth_logistic(design, outcome)
    best = optimize.minimize(
        lambda b: -penalised(b, design, outcome), np.zeros(3), method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000},
    )  # fmt: skip
    np.testing.assert_allclose(beta, best.x, atol=1e-4)


@pytest.mark.parametrize("events_with_first", [0, 10])
def test_firth_stays_finite_when_one_group_has_no_event_or_nothing_else(events_with_first):
    first = np.array([1.0] * 10 + [0.0] * 30)
    second = np.zeros(40)
    second[:events_with_first] = 1
    second[30:38] = 1
    beta, se = firth_logistic(np.column_stack([np.ones(40), first]), second)
    assert np.isfinite([*beta, *se]).all()
    expected = np.log((events_with_first + 0.5) / (10.5 - events_with_first)) - np.log(8.5 / 22.5)
    assert beta[1] == pytest.approx(expected)


def test_firth_refuses_a_rank_deficient_design():
    with pytest.raises(np.linalg.LinAlgError):
        firth_logistic(np.ones((20, 2)), np.array([1.0] * 5 + [0.0] * 15))


def sparse_data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Patients with an alteration and a burden; the outcome is random, separated by one of the two, or
    the alteration itself."""
    generator = np.random.default_rng(seed)
    n = generator.integers(8, 300)
    first = (generator.random(n) < generator.choice([0.02, 0.1, 0.5])).astype(float)
    burden = np.log10(np.round(np.exp(generator.normal(3.5, generator.choice([0.1, 0.8, 2.0]), n))) + 1)
    outcome = (generator.random(n) < generator.choice([0.02, 0.1, 0.5])).astype(float)
    kinds = (outcome, outcome * (1 - first), (burden > np.quantile(burden, 0.9)).astype(float), first)
    return np.column_stack([np.ones(n), first, burden]), kinds[generator.integers(4)]


def test_firth_settles_on_the_maximum_however_sparse_the_data():
    # At the maximum the modified score of Heinze & Schemper 2002 is 0: a further step would be far
    # smaller than the standard errors. Plain Newton steps fail on some 7 % of such data.
    settled = 0
    for seed in range(250):
        design, outcome = sparse_data(seed)
        if np.linalg.matrix_rank(design) < 3:
            continue
        beta, se = firth_logistic(design, outcome)
        p = expit(design @ beta)
        weight = p * expit(-design @ beta)
        covariance = np.linalg.inv(design.T @ (design * weight[:, None]))
        leverage = weight * np.einsum("ij,ji->i", design, covariance @ design.T)
        step = covariance @ design.T @ (outcome - p + leverage * (0.5 - p))
        assert np.abs(step / se).max() < 1e-3, seed
        settled += 1
    assert settled > 200


def test_firth_settles_where_a_burden_separates_two_carriers_from_the_rest():
    # A long ridge: one line search from 0 gives up half way.
    burden = [
        5,
        7,
        8,
        8,
        10,
        10,
        10,
        11,
        11,
        12,
        12,
        12,
        12,
        13,
        13,
        14,
        15,
        17,
        17,
        17,
        17,
        20,
        20,
        22,
        24,
        24,
    ]
    burden += [24, 25, 25, 26, 26, 26, 28, 29, 30, 30, 31, 33, 33, 34, 35, 36, 36, 40, 40, 42, 47, 50, 51, 51]
    burden += [51, 52, 52, 56, 56, 68, 69, 72, 74, 85, 85, 97, 203]
    first = np.isin(np.arange(63), [40, 61])
    design = np.column_stack([np.ones(63), first, np.log10(np.array(burden) + 1)])
    outcome = (np.arange(63) >= 56).astype(float)
    beta, _ = firth_logistic(design, outcome)
    best = optimize.minimize(
        lambda b: -penalised(b, design, outcome), beta, method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000},
    )  # fmt: skip
    assert penalised(beta, design, outcome) == pytest.approx(-best.fun, abs=1e-6)
