"""Wilcoxon's tests over many features: scipy, one feature at a time, is the oracle."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from reclaim import rank_tests
from reclaim.rank_tests import rank_sum, signed_rank


def rank_sum_by_scipy(values: np.ndarray, case: np.ndarray) -> pd.DataFrame:
    """The slow loop: missing values dropped, then scipy's tests and intervals feature by feature."""
    rows = []
    for column in values.T:
        known = ~np.isnan(column)
        x, y = column[case & known], column[~case & known]
        row = dict.fromkeys(("effect", "statistic", "p_value", "se", "ci_low", "ci_high"), np.nan)
        if len(x) and len(y):
            test = stats.mannwhitneyu(x, y, method="auto")
            row |= {"effect": x.mean() - y.mean(), "statistic": test.statistic, "p_value": test.pvalue}
        if len(x) > 1 and len(y) > 1 and (np.ptp(x) or np.ptp(y)):
            welch = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
            row |= {"se": np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))}
            row |= {"ci_low": welch.low, "ci_high": welch.high}
        rows.append(row | {"n_case": len(x), "n_reference": len(y)})
    return pd.DataFrame(rows)


def signed_rank_by_scipy(values: np.ndarray, case: np.ndarray, pair: np.ndarray) -> pd.DataFrame:
    order = np.unique(pair)
    x, y = (np.array([values[arm & (pair == one)][0] for one in order]) for arm in (case, ~case))
    rows = []
    for d in (x - y).T:
        d = d[~np.isnan(d)]
        row = dict.fromkeys(("effect", "statistic", "p_value", "se", "ci_low", "ci_high"), np.nan)
        if len(d):
            row |= {"effect": d.mean(), "statistic": stats.rankdata(np.abs(d[d != 0]))[d[d != 0] > 0].sum()}
            row["p_value"] = stats.wilcoxon(d, method="auto").pvalue if d.any() else 1.0
        if len(d) > 1 and np.ptp(d):
            interval = stats.ttest_1samp(d, 0).confidence_interval(0.95)
            row |= {"se": stats.sem(d), "ci_low": interval.low, "ci_high": interval.high}
        rows.append(row | {"n_pairs": len(d)})
    return pd.DataFrame(rows)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    for column in expected.columns:
        np.testing.assert_allclose(
            found[column], expected[column], rtol=1e-9, atol=1e-12, err_msg=column, equal_nan=True
        )


def expression(kind: str, samples: int, features: int, seed: int = 0) -> np.ndarray:
    """log2 values: `continuous`; `counts` (many ties at 0); `rounded`; `missing` (a tenth is NaN)."""
    generator = np.random.default_rng(seed)
    values = generator.normal(5, 2, (samples, features))
    if kind == "counts":
        values = np.log2(1 + generator.poisson(np.exp(generator.normal(0, 2, features)), (samples, features)))
    if kind == "rounded":
        values = np.round(values, 1) - 5
    if kind == "missing":
        values[generator.random(values.shape) < 0.1] = np.nan
        values[:, 0], values[:-1, 1] = np.nan, np.nan
    return values


def halves(samples: int) -> np.ndarray:
    return np.arange(samples) % 2 == 0


# Of features whose values are all but equal scipy warns that the interval has few good digits.
pytestmark = pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")

KINDS = ["continuous", "counts", "rounded", "missing"]


# Rank-sum test


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cases", [1, 3, 8, 9, 20])
def test_rank_sum_is_mannwhitneyu_with_welchs_interval(kind, cases):
    values = expression(kind, 30, 40)
    case = np.arange(30) < cases
    assert_same(rank_sum(values, case), rank_sum_by_scipy(values, case))


@pytest.mark.parametrize("kind", KINDS)
def test_rank_sum_of_a_large_cohort(kind):
    values = expression(kind, 700, 25)
    case = np.random.default_rng(1).random(700) < 0.6
    assert_same(rank_sum(values, case), rank_sum_by_scipy(values, case))


def test_rank_sum_by_hand():
    # Cases 5, 6, 7 against 1, 2, 3, 4: all 12 pairs are won, one of choose(7, 3) = 35 orders each way.
    found = rank_sum([[5.0], [6], [7], [1], [2], [3], [4]], np.arange(7) < 3).iloc[0]
    assert found["statistic"] == 12
    assert found["p_value"] == pytest.approx(2 / 35)
    assert found["effect"] == pytest.approx(3.5)
    assert found["se"] == pytest.approx(np.sqrt(1 / 3 + (5 / 3) / 4))
    # U has mean 3 * 4 / 2 = 6 and variance 3 * 4 * 8 / 12 = 8.
    assert found["z"] == pytest.approx(6 / np.sqrt(8))


def test_a_small_arm_against_a_cohort_is_exact():
    # One case above 1,200 reference samples: p = 2 / 1201. Eight: 2 / choose(1208, 8).
    values = np.arange(1208.0)[:, None]
    assert rank_sum(values[:1201], np.arange(1201) == 1200)["p_value"][0] == pytest.approx(2 / 1201)
    found = rank_sum(values, np.arange(1208) >= 1200)["p_value"][0]
    assert found == pytest.approx(2 * stats.hypergeom.pmf(8, 1208, 8, 8), rel=1e-9)


def test_a_constant_feature_has_no_error_and_p_1():
    found = rank_sum(np.full((20, 1), 3.0), halves(20)).iloc[0]
    assert (found["effect"], found["p_value"], found["z"]) == (0, 1, 0)
    assert found[["se", "ci_low", "ci_high"]].isna().all()


def test_a_feature_without_values_in_one_arm_is_missing_and_does_not_count_as_a_test():
    values = expression("continuous", 20, 3)
    values[halves(20), 1] = np.nan
    found = rank_sum(values, halves(20))
    assert found.loc[1, ["effect", "statistic", "z", "p_value", "q_value"]].isna().all()
    assert found.loc[1, "n_case"] == 0
    alone = rank_sum(values[:, [0, 2]], halves(20))
    np.testing.assert_array_equal(found["q_value"].drop(1), alone["q_value"])


def test_zero_and_minus_zero_are_equal():
    assert rank_sum([[0.0], [-0.0], [0.0], [-0.0]], halves(4))["p_value"][0] == 1


def neighbours(values: np.ndarray, seed: int) -> np.ndarray:
    """Each value, or its next larger or smaller neighbour among the floating-point numbers."""
    step = np.random.default_rng(seed).integers(-1, 2, values.shape)
    return np.where(step == 0, values, np.nextafter(values, np.where(step > 0, np.inf, -np.inf)))


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_differ_in_their_last_bit_are_not_tied(kind):
    values = neighbours(expression(kind, 40, 60), seed=2)
    assert_same(rank_sum(values, halves(40)), rank_sum_by_scipy(values, halves(40)))


@settings(deadline=None, max_examples=150)
@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(2, 24), st.integers(1, 4)),
        elements=st.one_of(
            st.sampled_from([0.0, -0.0, 1.0, 1 + 2**-52, -1.0, -1 - 2**-52, 5e-324, -5e-324, np.nan]),
            st.floats(-20, 20),
        ),
    ),
    st.data(),
)
def test_rank_sum_is_scipys_for_any_values(values, data):
    case = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    columns = ["statistic", "p_value", "n_case", "n_reference"]
    assert_same(rank_sum(values, case), rank_sum_by_scipy(values, case)[columns])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from(KINDS))
def test_swapping_the_arms_turns_the_sign(seed, kind):
    values = expression(kind, 22, 6, seed)
    case = np.random.default_rng(seed).random(22) < 0.4
    one, other = rank_sum(values, case), rank_sum(values, ~case)
    np.testing.assert_allclose(one["p_value"], other["p_value"])
    won = (one["n_case"] * one["n_reference"]).where(one["statistic"].notna())
    np.testing.assert_allclose(one["statistic"] + other["statistic"], won)
    for column, opposite in [("effect", "effect"), ("z", "z"), ("ci_low", "ci_high")]:
        np.testing.assert_allclose(one[column], -other[opposite], atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_ranks_do_not_mind_a_monotone_scale(seed):
    values = np.round(expression("continuous", 30, 5, seed), 1)
    one, other = rank_sum(values, halves(30)), rank_sum(np.exp(values / 4) - 3, halves(30))
    assert_same(one, other[["statistic", "z", "p_value"]])


def test_nominal_p_values_under_no_effect():
    # 4,000 features without effect: the share below 0.05 is 0.05 +- 4 * sqrt(0.05 * 0.95 / 4000).
    found = rank_sum(expression("continuous", 120, 4000, seed=5), halves(120))
    assert (found["p_value"] < 0.05).mean() == pytest.approx(0.05, abs=0.014)
    covered = (found["ci_low"] < 0) & (found["ci_high"] > 0)
    assert covered.mean() == pytest.approx(0.95, abs=0.014)


def test_single_precision_is_ranked_as_it_is():
    values = expression("rounded", 40, 10).astype(np.float32)
    assert_same(rank_sum(values, halves(40)), rank_sum_by_scipy(values.astype(float), halves(40)))


def test_blocks_do_not_change_the_result(monkeypatch):
    values, case, pair = expression("missing", 24, 33), halves(24), np.arange(24) // 2
    whole = rank_sum(values, case), signed_rank(values, case, pair)
    monkeypatch.setattr(rank_tests, "VALUES_AT_A_TIME", 100)
    pd.testing.assert_frame_equal(rank_sum(values, case), whole[0])
    pd.testing.assert_frame_equal(signed_rank(values, case, pair), whole[1])


def test_the_input_is_left_alone():
    values = expression("missing", 20, 5)
    before = values.copy()
    rank_sum(values, halves(20))
    signed_rank(values, halves(20), np.arange(20) // 2)
    np.testing.assert_array_equal(values, before)


def test_no_features_give_an_empty_table():
    found = rank_sum(np.empty((6, 0)), halves(6))
    assert found.empty
    assert "q_value" in found


# Signed-rank test


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pairs", [1, 2, 5, 13, 14, 50, 51, 113])
def test_signed_rank_is_wilcoxon_with_a_paired_interval(kind, pairs):
    features = 4 if pairs == 13 else 25  # scipy goes through all 8,192 signs, at a second per feature
    values = expression(kind, 2 * pairs, features)
    case, pair = halves(2 * pairs), np.arange(2 * pairs) // 2
    assert_same(signed_rank(values, case, pair), signed_rank_by_scipy(values, case, pair))


def test_signed_rank_by_hand():
    # Differences 1, 2, 3, -4: positive ranks 1 + 2 + 3 = 6 of 10. Of 16 signs, 7 give at most 4
    # (0, 1, 2, 3, 4, 1 + 2, 1 + 3), so p = 14 / 16.
    values = np.array([[2.0], [1], [4], [2], [6], [3], [1], [5]])
    found = signed_rank(values, halves(8), list("aabbccdd")).iloc[0]
    assert (found["statistic"], found["n_pairs"], found["effect"]) == (6, 4, 0.5)
    assert found["p_value"] == pytest.approx(14 / 16)
    # W has mean 4 * 5 / 4 = 5 and variance 4 * 5 * 9 / 24 = 7.5.
    assert found["z"] == pytest.approx(1 / np.sqrt(7.5))


def test_ties_and_zeros_in_few_pairs_are_exact():
    # Differences 0, 1, 1, 1: three equal ranks of 2, all positive: 2 of 8 signs.
    values = np.array([[0.0], [0], [1], [0], [1], [0], [1], [0]])
    assert signed_rank(values, halves(8), list("aabbccdd"))["p_value"][0] == pytest.approx(2 / 8)


@pytest.mark.parametrize("pairs", [4, 40])
def test_without_any_difference_p_is_1(pairs):
    found = signed_rank(np.ones((2 * pairs, 1)), halves(2 * pairs), np.arange(2 * pairs) // 2).iloc[0]
    assert (found["effect"], found["p_value"], found["z"]) == (0, 1, 0)
    assert np.isnan(found["se"])


@settings(deadline=None, max_examples=100)
@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 17).map(lambda pairs: 2 * pairs), st.integers(1, 3)),
        elements=st.sampled_from([0.0, 0.5, 1.0, 1 + 2**-52, 2.0, -3.0, np.nan]),
    )
)
def test_signed_rank_is_scipys_for_ties_zeros_and_missing_values(values):
    case, pair = halves(len(values)), np.arange(len(values)) // 2
    columns = ["statistic", "p_value", "n_pairs"]
    assert_same(signed_rank(values, case, pair), signed_rank_by_scipy(values, case, pair)[columns])


def test_pairs_are_found_by_id_in_any_order_and_singles_are_left_out():
    values = expression("continuous", 21, 4)
    case, pair = halves(21), np.append(np.arange(20) // 2, 99)
    shuffled = np.random.default_rng(0).permutation(21)
    found = signed_rank(values[shuffled], case[shuffled], pair[shuffled].astype(str))
    assert_same(found, signed_rank_by_scipy(values[:20], case[:20], pair[:20]))
    assert set(found["n_pairs"]) == {10}


# Bad input


def test_a_pair_with_two_samples_of_one_arm_is_refused():
    with pytest.raises(ValueError, match="pair 'a' has more than one case sample"):
        signed_rank(np.zeros((3, 1)), [True, True, False], ["a", "a", "a"])


def test_no_complete_pair_is_refused():
    with pytest.raises(ValueError, match="no pair has both"):
        signed_rank(np.zeros((2, 1)), [True, False], ["a", "b"])


def test_a_sample_without_pair_id_is_refused():
    with pytest.raises(ValueError, match="2 samples need one pair id each; found 1"):
        signed_rank(np.zeros((2, 1)), [True, False], ["a", None])


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.zeros(4)])
def test_shapes_that_do_not_fit_are_refused(values):
    with pytest.raises(ValueError, match="not samples x features"):
        rank_sum(values, halves(4))


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="not infinite"):
        rank_sum([[0.0], [-np.inf]], [True, False])
