"""Cox models of many features: lifelines, one feature at a time, and sums over risk sets written out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test
from scipy import stats

from reclaim import cox
from reclaim.cox import cox_fit, cox_score_test


def cohort(kind: str, samples: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Times (days) and events of which about 60 % are seen. `kind` may name `ties` (rounded times),
    `covariates` (three), `entry` (half of the samples enter late) and `strata` (three)."""
    generator = np.random.default_rng(seed)
    covariates = np.column_stack(
        [
            generator.normal(60, 10, samples),
            generator.random(samples) < 0.4,
            generator.normal(size=samples),
        ]
    )
    stratum = generator.integers(0, 3, samples)
    hazard = np.exp(0.03 * (covariates[:, 0] - 60) + 0.5 * covariates[:, 1] + 0.4 * stratum)
    time = 1 + generator.exponential(900 / hazard)
    if "ties" in kind:
        time = np.ceil(time / 90) * 90
    data = {"time": time, "event": generator.random(samples) < 0.6}
    if "covariates" in kind:
        data["covariates"] = covariates
    if "entry" in kind:
        late = generator.random(samples) < 0.5
        data["entry"] = np.where(late, np.floor(generator.random(samples) * time / 90) * 90, 0)
        data["entry"] = np.where(data["entry"] < time, data["entry"], 0)
    if "strata" in kind:
        data["strata"] = np.array(["lung", "colon", "skin"])[stratum]
    return data


def expression(data: dict[str, np.ndarray], features: int, seed: int = 1) -> np.ndarray:
    """log2 values; the first features fall with survival, and a binary and a skewed one are among them."""
    generator = np.random.default_rng(seed)
    values = generator.normal(7, 2, (len(data["time"]), features))
    values[:, 0] -= np.log(data["time"])
    values[:, 1] += 2 * np.log(data["time"])
    values[:, 2] = values[:, 2] > 9
    values[:, 3] = np.exp(values[:, 3] / 2)
    return values


def taken(data: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in data.items()}


KINDS = [
    "plain",
    "ties",
    "covariates",
    "ties covariates",
    "ties entry",
    "entry covariates",
    "ties strata",
    "ties covariates entry strata",
]


# Oracles


def fit_by_lifelines(values, time, event, covariates=None, entry=None, strata=None) -> pd.DataFrame:
    """One fit per feature, scaled to SD 1, with stopping rules well below lifelines' own: those leave up to
    2e-5 in a coefficient."""
    rows = []
    for column in values.T:
        frame = pd.DataFrame(
            {"feature": (column - column.mean()) / column.std(ddof=1), "t": time, "e": event}
        )
        for name, covariate in enumerate([] if covariates is None else covariates.T):
            frame[f"x{name}"] = covariate
        options = {"fit_options": {"precision": 1e-13, "r_precision": 1e-15}}
        if entry is not None:
            frame["entry"], options["entry_col"] = entry, "entry"
        if strata is not None:
            frame["stratum"], options["strata"] = strata, ["stratum"]
        one = CoxPHFitter().fit(frame, "t", "e", **options).summary.loc["feature"]
        rows.append(
            {
                "effect": one["coef"],
                "se": one["se(coef)"],
                "ci_low": one["coef lower 95%"],
                "ci_high": one["coef upper 95%"],
                "statistic": one["z"],
                "p_value": one["p"],
            }
        )
    return pd.DataFrame(rows)


def written_out(columns, coefficients, time, event, entry, strata) -> tuple[np.ndarray, np.ndarray]:
    """Score and information of Efron's likelihood, risk set by risk set."""
    k = columns.shape[1]
    score, information = np.zeros(k), np.zeros((k, k))
    hazard = np.exp(columns @ coefficients)
    for stratum in np.unique(strata):
        inside = strata == stratum
        for t in np.unique(time[inside & event]):
            dying = inside & event & (time == t)
            at_risk = inside & (entry < t) & (t <= time)
            score += columns[dying].sum(axis=0)
            for before in range(dying.sum()):
                weight = hazard * (at_risk - before / dying.sum() * dying)
                weight /= weight.sum()
                mean = weight @ columns
                score -= mean
                information += (columns - mean).T @ (weight[:, None] * (columns - mean))
    return score, information


def score_test_written_out(values, time, event, covariates=None, entry=None, strata=None) -> pd.DataFrame:
    n = len(time)
    entry = np.zeros(n) if entry is None else entry
    strata = np.zeros(n) if strata is None else strata
    x = np.zeros((n, 0)) if covariates is None else stats.zscore(covariates)
    null = np.zeros(x.shape[1])
    for _ in range(12 if x.shape[1] else 0):
        score, information = written_out(x, null, time, event, entry, strata)
        null = null + np.linalg.solve(information, score)
    rows = []
    for column in values.T:
        columns = np.column_stack([x, (column - column.mean()) / column.std(ddof=1)])
        score, information = written_out(columns, np.append(null, 0), time, event, entry, strata)
        left = information[-1, -1] - information[-1, :-1] @ np.linalg.solve(
            information[:-1, :-1], information[:-1, -1]
        )
        z = score[-1] / np.sqrt(left)
        rows.append(
            {"effect": score[-1] / left, "se": left**-0.5, "statistic": z, "p_value": stats.chi2.sf(z**2, 1)}
        )
    return pd.DataFrame(rows)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame, **tolerance: float) -> None:
    for column in expected.columns:
        np.testing.assert_allclose(found[column], expected[column], err_msg=column, **tolerance)


# Definition


@pytest.mark.parametrize("kind", KINDS)
def test_the_fit_is_that_of_lifelines(kind):
    data = cohort(kind, 150)
    values = expression(data, 5)
    found = cox_fit(values, **data)
    assert_same(found, fit_by_lifelines(values, **data), rtol=1e-6, atol=1e-6)
    assert found["converged"].all()
    assert (set(found["n"]), set(found["n_events"])) == ({150}, {data["event"].sum()})
    np.testing.assert_allclose(found["q_value"], stats.false_discovery_control(found["p_value"]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_test_is_that_of_sums_written_out(kind):
    data = cohort(kind, 90, seed=3)
    values = expression(data, 5)
    found = cox_score_test(values, **data)
    assert_same(found, score_test_written_out(values, **data), rtol=1e-8, atol=1e-10)
    assert (set(found["n"]), set(found["n_events"])) == ({90}, {data["event"].sum()})
    np.testing.assert_allclose(found["q_value"], stats.false_discovery_control(found["p_value"]))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(5, 25), st.sampled_from(KINDS))
def test_the_score_test_of_small_cohorts(seed, samples, kind):
    data = cohort(kind.replace("covariates", ""), samples, seed)
    if data["event"].any():
        values = np.random.default_rng(seed).normal(size=(samples, 3))
        with np.errstate(all="ignore"):
            expected = score_test_written_out(values, **data)
        if np.isfinite(expected).all(axis=None):
            assert_same(cox_score_test(values, **data), expected, rtol=1e-7, atol=1e-9)


def test_two_groups_without_ties_are_a_log_rank_test():
    data = cohort("plain", 200)
    group = np.random.default_rng(2).random((200, 6)) < 0.4
    found = cox_score_test(group.astype(float), **data)
    expected = [
        logrank_test(
            data["time"][arm], data["time"][~arm], data["event"][arm], data["event"][~arm]
        ).test_statistic
        for arm in group.T
    ]
    np.testing.assert_allclose(found["statistic"] ** 2, expected, rtol=1e-8)


def test_score_by_hand():
    # The first of three dies first: score 1 - 1/3, information 1/3 * 2/3, z = (2/3) / sqrt(2/9) = sqrt(2).
    values = [[1.0], [0], [0]]
    found = cox_score_test(values, [1, 2, 3], [True, True, False]).iloc[0]
    assert found["statistic"] == pytest.approx(np.sqrt(2))
    # In units of the SD, sqrt(1/3): effect (2/3) / (2/9) = 3.
    assert found["effect"] == pytest.approx(3 * np.sqrt(1 / 3))


def test_ties_by_hand():
    # Two of three die at once. Efron: means 1/3, then 1/2 / (1/2 + 1/2 + 1) = 1/4: score 1 - 1/3 - 1/4 = 5/12,
    # information 1/3 * 2/3 + 1/4 * 3/4 = 59/144.
    found = cox_score_test([[1.0], [0], [0]], [1, 1, 3], [True, True, False])
    assert found["statistic"][0] == pytest.approx(5 / np.sqrt(59))


def test_strata_by_hand():
    # Three pairs, of which the sample with the feature dies first in two: likelihood r^2 / (1 + r)^3, largest
    # at r = 2, where the information is 3 * 2/3 * 1/3. The feature's SD is sqrt(6 * 0.25 / 5).
    values = np.array([[1.0], [0], [1], [0], [0], [1]])
    pair = [("a", 1), ("a", 1), ("b", 1), ("b", 1), ("b", 2), ("b", 2)]
    found = cox_fit(values, [1, 2, 1, 2, 1, 2], np.ones(6, bool), strata=pair).iloc[0]
    assert found["effect"] == pytest.approx(np.log(2) * np.sqrt(0.3))
    assert found["statistic"] == pytest.approx(np.log(2) * np.sqrt(2 / 3))


def test_entry_by_hand():
    # The third sample enters at the time of the first death and so is not at risk of it: score 1 - 1/2.
    found = cox_score_test([[1.0], [0], [0]], [1, 2, 3], [True, False, False], entry=[0, 0, 1])
    assert found["statistic"][0] == pytest.approx(0.5 / np.sqrt(0.25))


# Properties


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_nominal_p_values_under_no_effect(test):
    # 4,000 features without effect: the share below 0.05 is 0.05 +- 4 * sqrt(0.05 * 0.95 / 4000).
    data = cohort("ties covariates", 200)
    found = test(np.random.default_rng(5).normal(size=(200, 4000)), **data)
    assert (found["p_value"] < 0.05).mean() == pytest.approx(0.05, abs=0.014)


def test_the_planted_hazard_ratio_is_found():
    # Hazard exp(0.7 z) with z of SD 1; 95 % of intervals hold 0.7, +- 4 * sqrt(0.95 * 0.05 / 400).
    generator = np.random.default_rng(6)
    covered = []
    for _ in range(400):
        z = stats.zscore(generator.normal(size=100), ddof=1)
        time = generator.exponential(np.exp(-0.7 * z))
        found = cox_fit(z[:, None], time, time < 1.5).iloc[0]
        covered.append(found["ci_low"] < 0.7 < found["ci_high"])
    assert np.mean(covered) == pytest.approx(0.95, abs=0.044)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_samples_and_the_scale_of_values_do_not_matter(test, kind):
    data = cohort(kind, 80)
    values, shuffled = expression(data, 6), np.random.default_rng(0).permutation(80)
    found = test(values, **data)
    other = test(1000 - 50 * values[shuffled], **taken(data, shuffled))
    for column in ("effect", "statistic"):
        np.testing.assert_allclose(other[column], -found[column], rtol=1e-6)
    assert_same(other, found[["se", "p_value", "q_value", "n"]], rtol=1e-6)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_samples_that_are_never_at_risk_only_count_in_the_scale(test):
    data = cohort("ties covariates", 80)
    values = stats.zscore(expression(data, 4), ddof=1)
    after = {
        "time": np.append(data["time"], [1e4, 0.5]),
        "event": np.append(data["event"], [False, False]),
        "covariates": np.vstack([data["covariates"], [[0, 0, 9], [90, 1, -9]]]),
        "entry": np.append(np.zeros(80), [9e3, 0]),
    }
    found = test(np.vstack([values, np.zeros((2, 4))]), **after)
    expected = test(values, **data)
    np.testing.assert_allclose(found["statistic"], expected["statistic"], rtol=1e-6)
    np.testing.assert_allclose(found["effect"], expected["effect"] * np.sqrt(79 / 81), rtol=1e-6)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_leave_their_samples_out(test, kind):
    data = cohort(kind, 120)
    values = expression(data, 12)
    values[np.random.default_rng(4).random(120) < 0.2, 3:7] = np.nan
    values[np.random.default_rng(5).random(values.shape) < 0.05] = np.nan
    values[:, 10], values[1:, 11] = np.nan, np.nan
    found = test(values, **data)
    for feature in range(10):
        rows = ~np.isnan(values[:, feature])
        alone = test(values[rows][:, [feature]], **taken(data, rows)).drop(columns="q_value")
        pd.testing.assert_frame_equal(found.loc[[feature], alone.columns].reset_index(drop=True), alone)
    assert found.loc[10:, ["effect", "se", "statistic", "p_value", "q_value"]].isna().all(axis=None)
    assert (*found.loc[10:, "n"],) == (0, 1)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_blocks_do_not_change_the_result(monkeypatch, test):
    data = cohort("ties covariates entry strata", 60)
    values = expression(data, 33)
    whole = test(values, **data)
    monkeypatch.setattr(cox, "VALUES_AT_A_TIME", 1)
    pd.testing.assert_frame_equal(test(values, **data), whole)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_single_precision_and_an_input_left_alone(test):
    data = cohort("ties", 60)
    values = expression(data, 6).astype(np.float32)
    before = values.copy()
    pd.testing.assert_frame_equal(test(values, **data), test(values.astype(float), **data))
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_no_features_give_an_empty_table(test):
    found = test(np.empty((30, 0)), **cohort("ties", 30))
    assert found.empty
    assert "q_value" in found


# Where there is no maximum


NUMBERS = ["effect", "se", "statistic", "p_value", "q_value"]


def test_features_that_order_the_deaths_perfectly_have_no_maximum():
    data = cohort("covariates", 80)
    values = expression(data, 6)
    first = data["time"] == data["time"][data["event"]].min()
    values[:, 1], values[:, 3], values[:, 5] = -data["time"], 1 / data["time"], first
    found = cox_fit(values, **data)
    assert list(found["converged"]) == [True, False, True, False, True, False]
    assert found.loc[[1, 3, 5], [*NUMBERS, "ci_low", "ci_high"]].isna().all(axis=None)
    alone = cox_fit(values[:, [0, 2, 4]], **data)
    pd.testing.assert_frame_equal(found.loc[[0, 2, 4]].reset_index(drop=True), alone)


def test_a_group_without_events_has_no_maximum_but_a_score_test():
    data = cohort("ties", 100)
    group = np.arange(100) < 20
    data["event"] &= ~group
    assert not cox_fit(group[:, None].astype(float), **data)["converged"][0]
    assert cox_score_test(group[:, None].astype(float), **data)["statistic"][0] < -2


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_a_covariate_with_a_group_without_events_leaves_that_group_out(test):
    data = cohort("ties covariates", 120)
    group = np.arange(120) < 30
    data["event"] &= ~group
    values = stats.zscore(expression(data, 5)[~group], ddof=1)
    whole = np.zeros((120, 5))
    whole[~group] = values
    covariates = np.column_stack([group, data["covariates"]])
    whole = np.column_stack([whole, np.arange(120) < 15])  # varies in that group only
    found = test(whole, **(data | {"covariates": covariates}))
    expected = test(values, **taken(data, ~group))
    np.testing.assert_allclose(found["statistic"][:5], expected["statistic"], rtol=1e-6)
    np.testing.assert_allclose(found["effect"][:5], expected["effect"] * np.sqrt(89 / 119), rtol=1e-6)
    assert found.loc[5, NUMBERS].isna().all()


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_covariates_that_depend_on_others_or_do_not_vary_count_once(test):
    data = cohort("ties covariates strata", 120)
    x = data["covariates"]
    within = np.unique(data["strata"], return_inverse=True)[1]
    more = np.column_stack([np.ones(120), x, x[:, 0] - 3 * x[:, 2], within])
    values = expression(data, 5)
    found = test(values, **(data | {"covariates": more}))
    assert_same(found, test(values, **data).drop(columns="q_value"), rtol=1e-6)


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_features_that_do_not_vary_beyond_the_covariates_are_missing(test):
    data = cohort("ties covariates", 60)
    values = expression(data, 5)
    values[:, 0], values[:, 1], values[:, 2] = 0.1, 0, data["covariates"] @ [1, 2, 3]
    values[:, 3] = data["time"] < data["time"][data["event"]].min()  # only before the first death
    data["time"][0], data["event"][0] = 1, False
    values[0, 3] = 1
    found = test(values, **data)
    assert found.loc[:3, NUMBERS].isna().all(axis=None)
    assert found["p_value"].notna()[4]
    assert found["q_value"][4] == found["p_value"][4]


def test_strata_of_one_sample_say_nothing():
    data = cohort("plain", 30) | {"strata": np.arange(30)}
    found = cox_fit(np.random.default_rng(0).normal(size=(30, 2)), **data)
    assert not found["converged"].any()


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
def test_fewer_events_than_coefficients_give_no_numbers(test):
    data = cohort("covariates", 60)
    values = expression(data, 4)
    dead = np.flatnonzero(data["event"])
    data["event"] = np.isin(np.arange(60), dead[:4])
    assert test(values, **data)["n_events"].eq(4).all()
    assert test(values, **data)["p_value"].notna().any()
    values[dead[0], 0] = np.nan
    found = test(values, **data)
    assert (found.loc[0, "n"], found.loc[0, "n_events"]) == (59, 3)
    assert found.loc[0, NUMBERS].isna().all()
    data["event"] = np.isin(np.arange(60), dead[:3])
    assert test(values, **data)[NUMBERS].isna().all(axis=None)


# Bad input


BAD = {
    "none of 4 samples has an event": {"event": np.zeros(4, bool)},
    "times must be finite and not negative": {"time": [1, 2, -3, 4]},
    "times must be finite": {"time": [1, 2, np.nan, 4]},
    r"1 samples enter no earlier .* position 2 \(entry 0, time 0\)": {"time": [1, 2, 0, 4]},
    r"2 samples enter no earlier .* position 1 \(entry 2, time 2\)": {"entry": [0, 2, 1, 5]},
    "entry times must be finite and not negative": {"entry": [0, 0, np.inf, 0]},
    "need one entry time each": {"entry": [0, 0]},
    "need one event each, true or false": {"event": [True, False]},
    "4 samples need one event each": {"event": [0, 1, 2, 1]},
    "4 samples need one event each, true": {"event": [0, 1, None, 1]},
    r"covariates \(4,\) are not samples x covariates": {"covariates": np.zeros(4)},
    r"covariates \(3, 1\) are not samples x covariates": {"covariates": np.zeros((3, 1))},
    "covariates must be finite": {"covariates": [[0], [np.nan], [1], [2]]},
    "4 samples need one stratum each; found 3": {"strata": ["a", "b", "a"]},
    "one stratum each; found 3": {"strata": ["a", "b", None, "a"]},
    r"values \(4,\) are not samples x features": {"values": np.zeros(4)},
    r"values \(3, 2\) are not samples x features": {"values": np.zeros((3, 2))},
    "values may be missing but not infinite": {"values": [[0.0], [1], [np.inf], [1]]},
}


@pytest.mark.parametrize("test", [cox_score_test, cox_fit])
@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused(test, message):
    good = {"values": np.arange(8.0).reshape(4, 2), "time": [1, 2, 3, 4], "event": [True, False, True, True]}
    with pytest.raises(ValueError, match=message):
        test(**(good | BAD[message]))
