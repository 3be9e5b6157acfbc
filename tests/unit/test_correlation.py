"""Rank correlations of many features: scipy, one feature at a time, is the oracle."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from reclaim import correlation
from reclaim.correlation import bootstrap_spearman, correlation_matrix, partial_spearman, spearman

COLUMNS = ["n", "effect", "se", "ci_low", "ci_high", "statistic", "p_value", "q_value"]


def row_of(n: int, df: int, rho: float, p_value: float) -> dict[str, float]:
    """One line of the table; `df` is n less the rank of the covariates."""
    if df < 4 or np.isnan(rho):
        return {"n": n} | dict.fromkeys(COLUMNS[1:7], np.nan)
    se = np.sqrt(1.06 / (df - 3))
    with np.errstate(divide="ignore"):
        z = np.arctanh(rho)
    low, high = np.tanh(z + stats.norm.ppf([0.025, 0.975]) * se)
    return {
        "n": n,
        "effect": rho,
        "se": se,
        "ci_low": low,
        "ci_high": high,
        "statistic": z / se,
        "p_value": p_value,
    }


def table_of(rows: list[dict[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    known = table["p_value"].notna()
    table.loc[known, "q_value"] = stats.false_discovery_control(table["p_value"][known])
    return table


def spearman_by_scipy(values: np.ndarray, target: np.ndarray) -> pd.DataFrame:
    """The slow loop: missing values dropped, then scipy's correlation feature by feature."""
    rows = []
    for column in values.T:
        known = ~np.isnan(column) & ~np.isnan(target)
        rho, p_value = np.nan, np.nan
        if known.sum() > 2 and np.ptp(column[known]) and np.ptp(target[known]):
            rho, p_value = stats.spearmanr(column[known], target[known])
        if 1 - abs(rho) < 1e-14:
            rho, p_value = np.sign(rho), 0.0
        rows.append(row_of(known.sum(), known.sum(), rho, p_value))
    return table_of(rows)


def residuals(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, int]:
    """What least squares on x and an intercept leave of y, and how many columns of x counted."""
    x = np.column_stack([np.ones(len(y)), x])
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=1e-10)
    return y - x @ beta, int(rank) - 1


def partial_by_lstsq(values: np.ndarray, target: np.ndarray, covariates: np.ndarray) -> pd.DataFrame:
    """The slow loop: scipy's ranks, numpy's least squares, Pearson's correlation of the residuals."""
    rows = []
    for column in values.T:
        known = ~np.isnan(np.column_stack([column, target, covariates])).any(axis=1)
        n, rank, rho, p_value = int(known.sum()), 0, np.nan, np.nan
        if n > 1:
            x = stats.rankdata(covariates[known], axis=0)
            a, _ = residuals(stats.rankdata(column[known]), x)
            b, rank = residuals(stats.rankdata(target[known]), x)
            if min(a.std(), b.std()) > 1e-9 * n and n - rank > 3:
                rho = a @ b / np.sqrt((a @ a) * (b @ b))
                with np.errstate(divide="ignore"):
                    t = rho * np.sqrt((n - rank - 2) / (1 - rho**2))
                p_value = 2 * stats.t.sf(abs(t), n - rank - 2)
        rows.append(row_of(n, n - rank, rho, p_value))
    return table_of(rows)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    for column in expected.columns:
        np.testing.assert_allclose(
            found[column], expected[column], rtol=1e-9, atol=1e-12, err_msg=column, equal_nan=True
        )


def expression(kind: str, samples: int, features: int, seed: int = 0) -> np.ndarray:
    """log2 values: `continuous`; `counts` (many ties at 0); `rounded`; `missing` (a tenth is NaN); the last
    but one feature of each is constant."""
    generator = np.random.default_rng(seed)
    values = generator.normal(5, 2, (samples, features))
    if kind == "counts":
        values = np.log2(1 + generator.poisson(np.exp(generator.normal(0, 2, features)), (samples, features)))
    if kind == "rounded":
        values = np.round(values, 1) - 5
    if features > 1:
        values[:, -2] = 3
    if kind == "missing":
        values[generator.random(values.shape) < 0.1] = np.nan
        values[:, 0], values[:-1, 1] = np.nan, np.nan
        values[:-4, 2], values[4:, 3] = np.nan, np.nan
    return values


def targets(kind: str, samples: int, seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    target = generator.normal(size=samples)
    if kind == "groups":
        target = np.arange(samples) % 3.0
    if kind == "missing":
        target[generator.random(samples) < 0.2] = np.nan
    return target


def covariates_of(kind: str, samples: int) -> np.ndarray:
    generator = np.random.default_rng(2)
    one = generator.normal(size=samples)
    swapped, order = one.copy(), np.argsort(one)
    swapped[order[[1, 2]]] = one[order[[2, 1]]]
    return {
        "none": np.empty((samples, 0)),
        "one": one[:, None],
        "three": np.column_stack([one, np.arange(samples) % 2, one + generator.normal(size=samples)]),
        "collinear": np.column_stack([one, np.full(samples, 7.0), np.exp(one), -one]),
        "all but collinear": np.column_stack([one, swapped]),
        "groups": np.equal.outer(np.arange(samples) // 2 % 3, np.arange(3)),
        "missing": np.column_stack([np.where(generator.random(samples) < 0.1, np.nan, one), one**2]),
    }[kind]


KINDS = ["continuous", "counts", "rounded", "missing"]
TARGETS = ["continuous", "groups", "missing"]
COVARIATES = ["none", "one", "three", "collinear", "all but collinear", "groups", "missing"]


# Spearman


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("samples", [4, 7, 30, 257])
def test_rho_and_p_are_scipys(kind, target, samples):
    values, x = expression(kind, samples, 40), targets(target, samples)
    found, expected = spearman(values, x), spearman_by_scipy(values, x)
    assert list(found.columns) == COLUMNS
    assert_same(found, expected)
    np.testing.assert_allclose(found["effect"], expected["effect"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_rho_of_a_large_cohort(kind):
    values = expression(kind, 1300, 25)
    x = targets("missing", 1300) + np.nan_to_num(values[:, 5])
    assert_same(spearman(values, x), spearman_by_scipy(values, x))


def test_rho_by_hand():
    # Ranks 1, 2, 3, 4, 5 and 2, 1, 4, 3, 5: squared differences 1 + 1 + 1 + 1 + 0 = 4,
    # rho = 1 - 6 * 4 / (5 * 24) = 0.8.
    found = spearman([[10.0], [20], [30], [40], [50]], [0.2, 0.1, 0.4, 0.3, 0.5]).iloc[0]
    assert found["effect"] == pytest.approx(0.8, abs=1e-15)
    assert found["se"] == pytest.approx(np.sqrt(1.06 / 2))
    assert found["statistic"] == pytest.approx(0.5 * np.log(1.8 / 0.2) / np.sqrt(0.53))
    # t = 0.8 * sqrt(3 / 0.36) with 3 degrees of freedom.
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(0.8 * np.sqrt(3 / 0.36), 3))


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("samples", [4, 50, 1200])
def test_a_perfect_rho_is_exact(direction, samples):
    values = np.sort(expression("rounded", samples, 1), axis=0)
    found = spearman(values, direction * np.exp(values[:, 0])).iloc[0]
    assert (found["effect"], found["ci_low"], found["ci_high"]) == (direction,) * 3
    assert (found["statistic"], found["p_value"]) == (direction * np.inf, 0)


def test_a_feature_without_rho_is_missing_and_does_not_count_as_a_test():
    values = expression("continuous", 20, 5)
    values[:, 0], values[3:, 1] = -0.0, np.nan
    values[::2, 0] = 0.0
    found = spearman(values, targets("continuous", 20))
    assert found.loc[[0, 1, 3], COLUMNS[1:]].isna().all(axis=None)
    assert list(found["n"]) == [20, 3, 20, 20, 20]
    alone = spearman(values[:, [2, 4]], targets("continuous", 20))
    np.testing.assert_array_equal(found.loc[[2, 4], "q_value"], alone["q_value"])


@pytest.mark.parametrize("target", [np.full(20, 2.0), np.full(20, np.nan), np.r_[1.0, 2, 3, [np.nan] * 17]])
def test_a_target_without_spread_or_samples_gives_no_rho(target):
    found = spearman(expression("continuous", 20, 3), target)
    assert found[COLUMNS[1:]].isna().all(axis=None)
    assert set(found["n"]) == {np.isfinite(target).sum()}


def test_a_target_that_is_constant_where_a_feature_has_values_gives_no_rho():
    values = np.where(np.arange(12)[:, None] < 6, np.arange(12.0)[:, None], np.nan)
    assert spearman(values, np.arange(12) >= 6)["effect"].isna().all()


def neighbours(values: np.ndarray, seed: int) -> np.ndarray:
    """Each value, or its next larger or smaller neighbour among the floating-point numbers."""
    step = np.random.default_rng(seed).integers(-1, 2, values.shape)
    return np.where(step == 0, values, np.nextafter(values, np.where(step > 0, np.inf, -np.inf)))


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_differ_in_their_last_bits_are_not_tied(kind):
    values = neighbours(neighbours(expression(kind, 60, 30), seed=2), seed=3)
    x = neighbours(targets("groups", 60), seed=4)
    assert_same(spearman(values, x), spearman_by_scipy(values, x))


ODD_VALUES = [0.0, -0.0, 1.0, 1 + 2**-52, 1 + 2**-51, -1.0, -1 - 2**-52, 5e-324, -5e-324, 1e308, np.nan]


@settings(deadline=None, max_examples=150)
@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 24), st.integers(2, 5)),
        elements=st.one_of(st.sampled_from(ODD_VALUES), st.floats(-20, 20)),
    )
)
def test_rho_is_that_of_scipys_ranks_for_any_values(values):
    found = spearman(values[:, 1:], values[:, 0])
    for (_, row), column in zip(found.iterrows(), values[:, 1:].T, strict=True):
        known = ~np.isnan(column) & ~np.isnan(values[:, 0])
        a, b = (stats.rankdata(side[known]) for side in (column, values[:, 0]))
        assert row["n"] == known.sum()
        if known.sum() < 4 or not np.ptp(a) or not np.ptp(b):
            assert np.isnan(row["effect"])
        else:
            assert row["effect"] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from(KINDS))
def test_monotone_scales_do_not_change_rho_and_falling_ones_turn_its_sign(seed, kind):
    values, x = np.round(expression(kind, 25, 6, seed), 3), targets("missing", 25, seed)
    one = spearman(values, x)
    pd.testing.assert_frame_equal(spearman(np.exp(values / 4) - 3, np.arctan(x)), one)
    turned = spearman(values, -x)
    np.testing.assert_array_equal(turned["effect"], -one["effect"])
    np.testing.assert_allclose(turned["ci_low"], -one["ci_high"], atol=1e-12)
    np.testing.assert_array_equal(turned["p_value"], one["p_value"])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from(KINDS))
def test_the_order_of_samples_does_not_matter(seed, kind):
    values, x, c = expression(kind, 25, 6, seed), targets("groups", 25), covariates_of("three", 25)
    order = np.random.default_rng(seed).permutation(25)
    pd.testing.assert_frame_equal(spearman(values[order], x[order]), spearman(values, x))
    assert_same(partial_spearman(values[order], x[order], c[order]), partial_spearman(values, x, c))


def test_nominal_p_values_and_intervals_under_no_effect():
    # 4,000 features without effect: the share below 0.05 is 0.05 +- 4 * sqrt(0.05 * 0.95 / 4000).
    values, x, c = (
        expression("continuous", 60, 4002, seed=5),
        targets("continuous", 60),
        covariates_of("three", 60),
    )
    for found in (spearman(values, x).dropna(), partial_spearman(values, x, c).dropna()):
        assert (found["p_value"] < 0.05).mean() == pytest.approx(0.05, abs=0.014)
        covered = (found["ci_low"] < 0) & (found["ci_high"] > 0)
        assert covered.mean() == pytest.approx(0.95, abs=0.014)


def test_single_precision_is_ranked_as_it_is():
    values, x = expression("rounded", 40, 10).astype(np.float32), targets("continuous", 40)
    assert_same(spearman(values, x), spearman_by_scipy(values.astype(float), x))


def test_whole_numbers_truth_values_and_frames_are_taken():
    values, x = np.arange(24).reshape(12, 2) % 7, np.arange(12) % 3 == 0
    expected = spearman_by_scipy(values.astype(float), x.astype(float))
    assert_same(spearman(pd.DataFrame(values), pd.Series(x)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_do_not_change_the_result(monkeypatch, kind):
    values, x, c = expression(kind, 24, 33), targets("missing", 24), covariates_of("three", 24)
    whole = spearman(values, x), partial_spearman(values, x, c)
    monkeypatch.setattr(correlation, "VALUES_AT_A_TIME", 100)
    pd.testing.assert_frame_equal(spearman(values, x), whole[0])
    assert_same(partial_spearman(values, x, c), whole[1])


def test_the_input_is_left_alone():
    values, x, c = (
        expression("missing", 20, 5).T.copy().T,
        targets("missing", 20),
        covariates_of("missing", 20),
    )
    before = [array.copy() for array in (values, x, c)]
    partial_spearman(values, x, c)
    bootstrap_spearman(values[:, 4], x, 0, 10, covariates=c)
    for now, then in zip((values, x, c), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_single_precision_is_never_copied_whole():
    values, x = expression("continuous", 1000, 5000).astype(np.float32), targets("continuous", 1000)
    tracemalloc.start()
    try:
        spearman(values, x)
        partial_spearman(values, x, covariates_of("three", 1000))
        bootstrap_spearman(values[:, 0], x, seed=0, draws=300)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < values.nbytes / 2


@pytest.mark.parametrize("samples", [0, 6])
def test_no_features_give_an_empty_table(samples):
    found = spearman(np.empty((samples, 0)), np.zeros(samples))
    assert found.empty
    assert list(found.columns) == COLUMNS


def test_no_samples_give_no_rho():
    found = partial_spearman(np.empty((0, 2)), [], np.empty((0, 1)))
    assert list(found["n"]) == [0, 0]
    assert found["effect"].isna().all()


# Partial


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("given", COVARIATES)
@pytest.mark.parametrize("samples", [6, 9, 40, 301])
def test_partial_rho_is_that_of_residual_ranks(kind, target, given, samples):
    values, x, c = expression(kind, samples, 20), targets(target, samples), covariates_of(given, samples)
    found, expected = partial_spearman(values, x, c), partial_by_lstsq(values, x, c)
    np.testing.assert_allclose(found["effect"], expected["effect"], rtol=0, atol=1e-11)
    sure = ~(expected["effect"].abs() > 1 - 1e-9)  # beyond, z and t are those of rounding
    assert_same(found[sure], expected.loc[sure, COLUMNS[:7]])


def test_partial_rho_given_one_covariate_is_yules_recursion():
    values, x, c = expression("rounded", 80, 15), targets("groups", 80), covariates_of("one", 80)
    values = values + c + x[:, None]
    a = [stats.spearmanr(column, x).statistic for column in values.T]
    b = [stats.spearmanr(column, c[:, 0]).statistic for column in values.T]
    d = stats.spearmanr(x, c[:, 0]).statistic
    expected = (np.array(a) - np.array(b) * d) / np.sqrt((1 - np.square(b)) * (1 - d**2))
    np.testing.assert_allclose(partial_spearman(values, x, c)["effect"], expected, atol=1e-12)


def test_without_covariates_partial_is_plain():
    values, x = expression("missing", 30, 8), targets("missing", 30)
    pd.testing.assert_frame_equal(partial_spearman(values, x, np.empty((30, 0))), spearman(values, x))


def test_constant_and_dependent_covariates_change_nothing():
    values, x = expression("missing", 30, 8), targets("continuous", 30)
    one, many = (partial_spearman(values, x, covariates_of(kind, 30)) for kind in ("one", "collinear"))
    assert_same(many, one)
    constant = partial_spearman(values, x, np.full((30, 2), 5.0))
    pd.testing.assert_frame_equal(constant, spearman(values, x))


def test_the_rank_of_the_covariates_is_that_of_a_features_own_samples():
    # The covariate is constant where the first feature has values.
    values = expression("continuous", 30, 4)
    values[10:, 0] = np.nan
    covariate = np.maximum(np.arange(30.0) - 10, 0)
    found = partial_spearman(values, targets("continuous", 30), covariate[:, None])
    np.testing.assert_allclose(found["se"][[0, 1]], np.sqrt(1.06 / np.array([10 - 3, 30 - 1 - 3])))


def test_a_feature_or_target_that_the_covariates_explain_has_no_rho():
    c = covariates_of("one", 30)
    values = np.column_stack([expression("continuous", 30, 1), c**3])
    found = partial_spearman(values, targets("continuous", 30), c)
    assert list(found["effect"].isna()) == [False, True]
    assert partial_spearman(values, -c[:, 0], c)["effect"].isna().all()


def test_partial_rho_of_the_target_itself_is_exactly_1():
    x = targets("continuous", 30)
    found = partial_spearman(np.column_stack([x, -x]), x, covariates_of("three", 30))
    assert list(found["effect"]) == [1, -1]
    assert list(found["p_value"]) == [0, 0]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_any_monotone_scale_and_order_of_covariates_gives_the_same_partial_rho(seed, k):
    generator = np.random.default_rng(seed)
    values, x, c = generator.normal(size=(25, 5)), generator.normal(size=25), generator.normal(size=(25, k))
    one = partial_spearman(values, x, c)
    assert_same(partial_spearman(values**3, np.exp(x), -np.arctan(c[:, ::-1])), one)


# Matrix


@pytest.mark.parametrize("kind", ["continuous", "counts", "rounded"])
@pytest.mark.parametrize("samples", [5, 120])
def test_the_matrix_is_scipys(kind, samples):
    values = expression(kind, samples, 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the constant feature
        expected = stats.spearmanr(values).statistic
    expected[np.ptp(values, axis=0) == 0, np.ptp(values, axis=0) == 0] = np.nan
    found = correlation_matrix(values)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    assert set(np.diag(found)[~np.isnan(np.diag(found))]) == {1.0}
    assert np.isnan(found[-2]).all()
    assert np.isnan(found[:, -2]).all()


def test_the_matrix_agrees_with_the_table_whatever_the_blocks(monkeypatch):
    values = expression("counts", 24, 33)
    whole = correlation_matrix(values)
    monkeypatch.setattr(correlation, "VALUES_AT_A_TIME", 100)
    np.testing.assert_array_equal(correlation_matrix(values), whole)
    np.testing.assert_array_equal(spearman(values, values[:, 4])["effect"], whole[4])


@pytest.mark.parametrize("values", [np.empty((5, 0)), np.ones((1, 2)), np.empty((0, 2))])
def test_a_matrix_of_nothing(values):
    found = correlation_matrix(values)
    assert found.shape == (values.shape[1],) * 2
    assert np.isnan(found).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, np.nan]] * 5, "without missing"),
        ([[1.0, np.inf]] * 5, "not infinite"),
        (np.ones(4), "not samples x"),
        (1.0, "not samples x"),
    ],
)
def test_a_matrix_of_bad_values_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        correlation_matrix(values)


# Bootstrap


def correlated(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x, noise, c = generator.normal(size=(3, samples))
    return x + 0.5 * c, np.round(x + noise, 1), c[:, None]


@pytest.mark.parametrize("samples", [12, 300])
@pytest.mark.parametrize("partial", [False, True])
def test_the_interval_is_that_of_a_slow_loop(samples, partial):
    x, y, c = correlated(samples, seed=3)
    rhos = []
    for drawn in np.random.default_rng(8).integers(samples, size=(400, samples)):
        if partial:
            rhos.append(partial_by_lstsq(x[drawn, None], y[drawn], c[drawn])["effect"][0])
        else:
            rhos.append(stats.spearmanr(x[drawn], y[drawn]).statistic)
    found = bootstrap_spearman(x, y, 8, 400, covariates=c if partial else None)
    np.testing.assert_allclose(found, np.nanpercentile(rhos, [2.5, 97.5]), atol=1e-12)


def test_the_interval_is_that_of_its_seed_and_of_complete_samples():
    x, y, c = correlated(40, seed=1)
    assert bootstrap_spearman(x, y, 5) == bootstrap_spearman(x, y, 5)
    assert bootstrap_spearman(x, y, 5) != bootstrap_spearman(x, y, 6)
    gaps = [np.append(side, [np.nan, 1.0]) for side in (x, y)]
    gaps[1][-1] = np.nan
    assert bootstrap_spearman(*gaps, 5) == bootstrap_spearman(x, y, 5)
    without = np.append(c, [[np.nan]], axis=0)
    found = bootstrap_spearman(np.append(x, 0), np.append(y, 0), 5, covariates=without)
    assert found == bootstrap_spearman(x, y, 5, covariates=c)


def test_chunks_do_not_change_the_interval(monkeypatch):
    x, y, _ = correlated(31, seed=1)
    whole = bootstrap_spearman(x, y, 5, 200)
    monkeypatch.setattr(correlation, "VALUES_AT_A_TIME", 100)
    assert bootstrap_spearman(x, y, 5, 200) == whole


@pytest.mark.parametrize("partial", [False, True])
def test_the_interval_covers_rho(partial):
    # Of bivariate normal values with correlation r, rho is 6 / pi * asin(r / 2). 300 intervals cover it in
    # 0.95 +- 4 * sqrt(0.95 * 0.05 / 300); the percentile interval of 60 samples is a little short.
    r, samples = 0.6, 60
    rho = 6 / np.pi * np.arcsin(r / 2)
    covered = []
    for seed in range(300):
        x, noise, c = np.random.default_rng(seed).normal(size=(3, samples))
        y = r * x + np.sqrt(1 - r**2) * noise
        low, high = bootstrap_spearman(x, y, seed, 300, covariates=c[:, None] if partial else None)
        covered.append(low < rho < high)
    assert np.mean(covered) == pytest.approx(0.94, abs=0.05)


def test_the_interval_agrees_with_fishers_z():
    x, y, c = correlated(400, seed=2)
    for table, covariates in ((spearman(x[:, None], y), None), (partial_spearman(x[:, None], y, c), c)):
        found = bootstrap_spearman(x, y, 0, covariates=covariates)
        np.testing.assert_allclose(found, table.loc[0, ["ci_low", "ci_high"]].astype(float), atol=0.02)


def test_draws_where_a_side_is_constant_are_left_out():
    # One of 5 values differs; a draw lacks it with probability 0.8^5 = 0.33.
    low, high = bootstrap_spearman([0, 0, 0, 0, 1], [1, 2, 3, 4, 5], 0)
    assert -1 <= low <= high <= 1


@pytest.mark.parametrize(
    ("x", "y", "covariates"),
    [
        ([1, 2, 3], [1, 2, 3], None),
        ([1, 2, 3, 4, np.nan], [1, np.nan, 3, 4, 5], None),
        ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], None),
        ([], [], None),
        ([1, 2, 3, 4], [1, 3, 2, 4], [[1], [3], [4], [2]]),
        ([1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5], [[1], [2], [3], [4], [5], [6]]),
    ],
)
def test_too_few_or_constant_samples_have_no_interval(x, y, covariates):
    assert np.isnan(bootstrap_spearman(x, y, 0, 50, covariates=covariates)).all()


# Bad input


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.zeros(4), np.zeros((4, 2, 1))])
def test_shapes_that_do_not_fit_are_refused(values):
    with pytest.raises(ValueError, match="not samples x features"):
        spearman(values, np.arange(4))


@pytest.mark.parametrize("covariates", [np.zeros((3, 1)), np.zeros(4)])
def test_covariates_that_do_not_fit_are_refused(covariates):
    with pytest.raises(ValueError, match="one value and one row per sample"):
        partial_spearman(np.zeros((4, 2)), np.arange(4), covariates)
    with pytest.raises(ValueError, match="one value and one row per sample"):
        bootstrap_spearman(np.arange(4), np.arange(4), 0, covariates=covariates)


def test_a_target_of_two_dimensions_is_refused():
    with pytest.raises(ValueError, match="one value and one row per sample"):
        spearman(np.zeros((4, 2)), np.zeros((4, 1)))


def test_infinite_values_are_refused():
    finite = np.arange(4.0)
    infinite = np.append(finite[:3], -np.inf)
    with pytest.raises(ValueError, match="not infinite"):
        spearman(infinite[:, None], finite)
    with pytest.raises(ValueError, match="not infinite"):
        spearman(infinite.astype(np.float32)[:, None], np.append(finite[:3], np.nan))
    with pytest.raises(ValueError, match="not infinite"):
        spearman(finite[:, None], infinite)
    with pytest.raises(ValueError, match="not infinite"):
        partial_spearman(finite[:, None], finite, infinite[:, None])
    for pair in ((finite, infinite), (infinite, finite)):
        with pytest.raises(ValueError, match="not infinite"):
            bootstrap_spearman(*pair, 0)


def test_a_bootstrap_of_unequal_vectors_or_no_draws_is_refused():
    with pytest.raises(ValueError, match="not one pair per sample"):
        bootstrap_spearman(np.arange(5), np.arange(4), 0)
    with pytest.raises(ValueError, match="0 draws"):
        bootstrap_spearman(np.arange(4), np.arange(4), 0, 0)
