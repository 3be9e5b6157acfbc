"""Moderated t: arithmetic of its definition, limits where it is a plain t-test, designs, missing values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from reclaim import moderated_t as module
from reclaim.moderated_t import (
    average_duplicates,
    benjamini_hochberg,
    moderated_t,
    paired_design,
    t_with_prior,
    trigamma_inverse,
)

CASE = np.array([0, 0, 0, 0, 1, 1, 1, 1.0])
TWO_GROUPS = np.column_stack([np.ones(8), CASE])


def intensities(features: int, seed: int = 0, prior_df: float = 6, samples: int = 8) -> np.ndarray:
    """log2 intensities without effects: variances 0.3 * prior_df / chi-squared(prior_df)."""
    generator = np.random.default_rng(seed)
    variance = 0.3 * prior_df / generator.chisquare(prior_df, features)
    return generator.uniform(3, 13, features) + generator.normal(size=(samples, features)) * np.sqrt(variance)


def residual_variance(values: np.ndarray, case: np.ndarray) -> np.ndarray:
    """Within two groups, over n - 2 degrees of freedom."""
    squares = sum(
        ((values[arm] - values[arm].mean(axis=0)) ** 2).sum(axis=0) for arm in (case == 0, case == 1)
    )
    return squares / (len(values) - 2)


# Definition


@pytest.mark.parametrize("trend", [False, True])
def test_the_table_is_the_arithmetic_of_smyth_2004(trend):
    values = intensities(50)
    found = moderated_t(values, TWO_GROUPS, [0, 1], trend=trend)
    d0, s0 = found["prior_df"], found["prior_variance"]
    posterior = (d0 * s0 + 6 * residual_variance(values, CASE)) / (d0 + 6)
    np.testing.assert_allclose(found["effect"], values[4:].mean(axis=0) - values[:4].mean(axis=0))
    np.testing.assert_allclose(found["se"], np.sqrt(posterior * (1 / 4 + 1 / 4)))
    np.testing.assert_allclose(found["df_total"], d0 + 6)
    np.testing.assert_allclose(found["statistic"], found["effect"] / found["se"])
    np.testing.assert_allclose(found["p_value"], 2 * stats.t.cdf(-abs(found["statistic"]), d0 + 6))
    reach = stats.t.ppf(0.975, d0 + 6) * found["se"]
    np.testing.assert_allclose(found["ci_low"], found["effect"] - reach)
    np.testing.assert_allclose(found["ci_high"], found["effect"] + reach)
    np.testing.assert_allclose(found["mean"], values.mean(axis=0))
    assert set(found["n"]) == {8}
    assert (s0.nunique() == 50) == trend


def test_the_prior_is_the_one_the_variances_came_from():
    found = moderated_t(intensities(30_000, prior_df=5), TWO_GROUPS, [0, 1])
    assert found["prior_df"][0] == pytest.approx(5, rel=0.05)
    assert found["prior_variance"][0] == pytest.approx(0.3, rel=0.02)


def test_p_values_are_uniform_and_intervals_cover_without_an_effect():
    found = moderated_t(intensities(20_000, seed=1), TWO_GROUPS, [0, 1])
    assert stats.kstest(found["p_value"], "uniform").pvalue > 0.01
    covered = (found["ci_low"] < 0) & (found["ci_high"] > 0)
    assert covered.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 20_000))


def test_a_trend_follows_the_mean_intensity():
    # The variance halves with every unit of log2 intensity.
    generator = np.random.default_rng(2)
    mean = generator.uniform(3, 13, 5000)
    values = mean + generator.normal(size=(8, 5000)) * np.sqrt(2.0 ** -(mean - 8))
    found = moderated_t(values, TWO_GROUPS, [0, 1], trend=True)
    inside = (found["mean"] > 4) & (found["mean"] < 12)
    steepness = np.polyfit(found["mean"][inside], np.log2(found["prior_variance"][inside]), 1)[0]
    assert steepness == pytest.approx(-1, abs=0.05)
    assert found["prior_df"][0] > 10 * moderated_t(values, TWO_GROUPS, [0, 1])["prior_df"][0]


def test_robust_lets_an_outlying_variance_be_and_shrinks_the_others_more():
    values = intensities(200, prior_df=40)
    values[::2, :3] += 8  # unequal samples within both groups
    plain = moderated_t(values, TWO_GROUPS, [0, 1])
    robust = moderated_t(values, TWO_GROUPS, [0, 1], robust=True)
    assert (robust["prior_df"][:3] < plain["prior_df"][:3]).all()
    assert (robust["prior_df"][3:] > plain["prior_df"][3:]).mean() > 0.9


# Limits


def test_a_single_feature_has_the_ordinary_t_test():
    values = intensities(1)
    found = moderated_t(values, TWO_GROUPS, [0, 1]).iloc[0]
    expected = stats.ttest_ind(values[4:, 0], values[:4, 0])
    interval = expected.confidence_interval(0.95)
    assert found["prior_df"] == 0
    assert (found["statistic"], found["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((interval.low, interval.high))


def test_equal_variances_are_pooled_over_all_features():
    # The same values in another order, shifted: no spread of variances, so that prior_df is infinite and
    # the degrees of freedom are those of all features together.
    one = intensities(1)[:, 0]
    values = np.column_stack([one, one + 1, one[[1, 0, 2, 3, 4, 5, 7, 6]], one - 2])
    found = moderated_t(values, TWO_GROUPS, [0, 1])
    assert set(found["prior_df"]) == {np.inf}
    assert set(found["df_total"]) == {24}
    np.testing.assert_allclose(found["prior_variance"], residual_variance(values, CASE).mean())


@given(st.floats(-5, 6).map(lambda exponent: 10**exponent))
def test_trigamma_inverse_is_the_inverse(value):
    assert special.polygamma(1, trigamma_inverse(value)) == pytest.approx(value, rel=1e-7)


# Designs


def test_a_paired_design_is_the_paired_t_test():
    values = intensities(1, samples=10)
    case = np.arange(10) % 2 == 1
    design, contrast = paired_design(case, list("aabbccddee"))
    found = moderated_t(values, design, contrast).iloc[0]
    expected = stats.ttest_rel(values[case, 0], values[~case, 0])
    assert (found["statistic"], found["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert (found["effect"], found["df_total"]) == pytest.approx((expected._estimate, 4))


def test_an_unpaired_sample_adds_nothing_to_a_paired_design():
    values, pair = intensities(20, samples=9), list("aabbccddx")
    case = np.arange(9) % 2 == 1
    whole = moderated_t(values, *paired_design(case, pair))
    pairs = moderated_t(values[:8], *paired_design(case[:8], pair[:8]))
    pd.testing.assert_frame_equal(whole.drop(columns=["n", "mean"]), pairs.drop(columns=["n", "mean"]))


def test_a_paired_design_needs_a_pair():
    with pytest.raises(ValueError, match="no pair has both a case and a reference sample"):
        paired_design([True, False], ["a", "b"])
    with pytest.raises(ValueError, match="2 samples need one pair id each; found 1"):
        paired_design([True, False], ["a", None])


AGE = np.array([41, 66, 58, 73, 49, 62, 55, 70.0])
HOLES = np.random.default_rng(3).random((8, 40)) < 0.2


@pytest.mark.parametrize("holes", [np.zeros((8, 40), bool), HOLES], ids=["complete", "missing values"])
def test_the_same_model_written_otherwise_gives_the_same_table(holes):
    values = np.where(holes, np.nan, intensities(40))
    one = moderated_t(values, np.column_stack([np.ones(8), CASE, AGE]), [0, 1, 0])
    means = moderated_t(values, np.column_stack([1 - CASE, CASE, (AGE - 60) / 1000]), [-1, 1, 0])
    pd.testing.assert_frame_equal(one, means, rtol=1e-9)


def test_a_contrast_is_linear():
    # Groups a, b, c: c - (a + b) / 2, twice as large for twice the weights, with the same p.
    group = np.arange(9) % 3
    values, design = intensities(30, samples=9), (group[:, None] == np.arange(3)).astype(float)
    one, double = (moderated_t(values, design, np.array([-0.5, -0.5, 1]) * k) for k in (1, 2))
    a, b, c = (values[group == k].mean(axis=0) for k in range(3))
    np.testing.assert_allclose(one["effect"], c - (a + b) / 2)
    np.testing.assert_allclose(double["se"], 2 * one["se"])
    np.testing.assert_allclose(double["p_value"], one["p_value"])


def test_the_order_and_number_of_features_at_a_time_do_not_matter(monkeypatch):
    values = np.where(HOLES, np.nan, intensities(40))
    whole = moderated_t(values, TWO_GROUPS, [0, 1])
    monkeypatch.setattr(module, "FEATURES_AT_A_TIME", 3)
    pd.testing.assert_frame_equal(moderated_t(values, TWO_GROUPS, [0, 1]), whole)
    backwards = moderated_t(values[:, ::-1], TWO_GROUPS, [0, 1])
    pd.testing.assert_frame_equal(backwards[::-1].reset_index(drop=True), whole)


def test_single_precision_is_computed_in_double():
    values = intensities(20).astype(np.float32)
    one, other = (moderated_t(array, TWO_GROUPS, [0, 1]) for array in (values, values.astype(float)))
    pd.testing.assert_frame_equal(one, other)


# Missing values


@pytest.mark.parametrize("trend", [False, True])
def test_a_feature_without_any_value_is_missing_and_the_others_do_not_notice(trend):
    values = intensities(40)
    alone = moderated_t(values[:, 1:], TWO_GROUPS, [0, 1], trend=trend)
    values[:, 0] = np.nan
    found = moderated_t(values, TWO_GROUPS, [0, 1], trend=trend)
    assert found.loc[0].drop(["n", "df_total"]).isna().all()
    assert found.loc[0, "n"] == 0
    pd.testing.assert_frame_equal(found[1:].reset_index(drop=True), alone)


def test_a_feature_without_one_arm_has_no_effect_but_informs_the_prior():
    values = intensities(40)
    values[4:, 0] = np.nan
    found = moderated_t(values, TWO_GROUPS, [0, 1])
    assert found.loc[0, ["effect", "se", "p_value", "q_value"]].isna().all()
    assert found["q_value"].notna().sum() == 39
    without = moderated_t(values[:, 1:], TWO_GROUPS, [0, 1])
    assert found["prior_df"][1] != without["prior_df"][0]


def test_one_sample_per_arm_borrows_its_variance_from_the_prior():
    values = intensities(40)
    values[1:7, 0] = np.nan
    found = moderated_t(values, TWO_GROUPS, [0, 1]).loc[0]
    assert found["effect"] == pytest.approx(values[7, 0] - values[0, 0])
    assert found["se"] == pytest.approx(np.sqrt(2 * found["prior_variance"]))
    assert found["df_total"] == pytest.approx(found["prior_df"])


# Bad input


def test_dependent_columns_are_refused():
    design = np.column_stack([np.ones(8), CASE, 1 - CASE])
    with pytest.raises(np.linalg.LinAlgError, match="columns of the design depend on each other"):
        moderated_t(intensities(5), design, [0, 1, 0])


def test_no_residual_degrees_of_freedom_are_refused():
    with pytest.raises(np.linalg.LinAlgError, match="2 samples leave 2 coefficients no residual"):
        moderated_t(intensities(5, samples=2), [[1, 0], [1, 1]], [0, 1])


def test_mostly_constant_features_are_refused():
    values = intensities(9)
    values[:, :5] = 0.1
    with pytest.raises(np.linalg.LinAlgError, match="more than half of the features do not vary"):
        moderated_t(values, TWO_GROUPS, [0, 1])


def test_few_features_are_refused_a_robust_trend():
    with pytest.raises(ValueError, match="a robust trend needs 200 features"):
        moderated_t(intensities(199), TWO_GROUPS, [0, 1], trend=True, robust=True)


@pytest.mark.parametrize(
    ("values", "design", "contrast", "message"),
    [
        (np.zeros((7, 3)), TWO_GROUPS, [0, 1], "do not fit"),
        (np.zeros((8, 3)), TWO_GROUPS, [0, 1, 0], "do not fit"),
        (np.zeros(8), TWO_GROUPS, [0, 1], "two-dimensional"),
        (np.full((8, 3), -np.inf), TWO_GROUPS, [0, 1], "not infinite"),
        (np.zeros((8, 3)), TWO_GROUPS * np.nan, [0, 1], "finite"),
        (np.zeros((8, 3)), TWO_GROUPS, [0, 0], "not all 0"),
    ],
)
def test_arrays_that_make_no_model_are_refused(values, design, contrast, message):
    with pytest.raises(ValueError, match=message):
        moderated_t(values, design, contrast)


# Duplicates and false discoveries


def test_duplicates_are_averaged_in_order_of_appearance():
    values = np.array([[1.0, 2, 3, 4], [5, np.nan, np.nan, 8]])
    averaged, ids = average_duplicates(values, ["b", "a", "b", "a"])
    assert ids == ["b", "a"]
    np.testing.assert_array_equal(averaged, [[2, 3], [5, 8]])


def test_a_feature_that_is_missing_under_every_repeat_of_its_id_stays_missing():
    averaged, _ = average_duplicates(np.array([[np.nan, np.nan, 1.0]]), ["a", "a", "b"])
    np.testing.assert_array_equal(averaged, [[np.nan, 1]])


def test_every_feature_needs_an_id():
    with pytest.raises(ValueError, match="3 features need one id each; found 2"):
        average_duplicates(np.zeros((2, 3)), ["a", "b"])


def test_benjamini_hochberg_by_hand():
    # Four tests: 0.01 * 4 / 1, 0.02 * 4 / 2, 0.04 * 4 / 3 and 0.05 * 4 / 4, made monotone from the end.
    found = benjamini_hochberg(np.array([0.04, np.nan, 0.01, 0.05, 0.02]))
    np.testing.assert_allclose(found, [0.05, np.nan, 0.04, 0.05, 0.04])
    assert benjamini_hochberg(np.array([])).size == 0


# A known prior


@pytest.mark.parametrize("trend", [False, True])
def test_with_the_prior_that_was_found_every_feature_has_the_same_t(trend):
    values = intensities(500, 3)
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4)])
    every = moderated_t(values, design, [0, 1], trend=trend)
    for i in (0, 250, 499):
        prior = every.loc[i, "prior_variance"], every.loc[i, "prior_df"]
        alone = t_with_prior(values[:, [i]], design, [0, 1], *prior).iloc[0]
        pd.testing.assert_series_equal(
            alone.drop("q_value"), every.iloc[i].drop("q_value"), check_names=False, rtol=1e-9
        )


def test_without_a_prior_it_is_the_ordinary_t():
    values = intensities(20, 4)
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4)])
    found = t_with_prior(values, design, [0, 1])
    expected = stats.ttest_ind(values[4:], values[:4])
    np.testing.assert_allclose(found["statistic"], expected.statistic, rtol=1e-10)
    np.testing.assert_allclose(found["p_value"], expected.pvalue, rtol=1e-10)
    low, high = expected.confidence_interval()
    np.testing.assert_allclose(found[["ci_low", "ci_high"]], np.column_stack([low, high]), rtol=1e-10)
