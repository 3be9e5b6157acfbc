"""Differential expression from counts: what it gives, in numbers a reader can redo, and what it refuses."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import cauchy, f, nbinom, norm

from reclaim.count_design import count_design
from reclaim.count_model import fit_counts, fit_rearranged
from reclaim.dispersion_search import _DispersionPosterior, gene_wise_dispersions
from reclaim.independent_filtering import filtered_q_values
from reclaim.negative_binomial import cauchy_scale, fit_coefficients, shrunken_coefficients

LN2 = np.log(2)


def described(**columns: list) -> pd.DataFrame:
    samples = pd.DataFrame(columns)
    return samples.set_axis([f"s{number}" for number in range(len(samples))])


def simulated(samples: pd.DataFrame, effect: dict[str, float] | None = None, seed: int = 0) -> pd.DataFrame:
    """300 genes, the first 100 of them steady; `effect` is the log2 fold change of group b in single genes."""
    generator = np.random.default_rng(seed)
    mean = np.exp(generator.normal(5, 1.5, 300))
    dispersion = 0.03 + 1 / mean
    dispersion[:100] = 1e-4
    genes = [f"gene{number}" for number in range(300)]
    fold = pd.Series(0.0, index=genes)
    fold.update(pd.Series(effect or {}, dtype=float))
    up = (samples["group"] == "b").to_numpy(float)
    expected = mean * 2 ** np.outer(up, fold)
    counts = generator.poisson(expected * generator.gamma(1 / dispersion, dispersion, expected.shape))
    return pd.DataFrame(counts, index=samples.index, columns=genes)


@pytest.fixture
def three_each() -> pd.DataFrame:
    return described(group=["a"] * 3 + ["b"] * 3, batch=["x", "y", "x", "y", "x", "y"])


@pytest.fixture
def counts(three_each: pd.DataFrame) -> pd.DataFrame:
    return simulated(three_each, {"gene150": 3.0})


CONTRAST = ["group", "b", "a"]


# --- What it gives ------------------------------------------------------------------------------------


def test_one_row_per_gene_with_these_columns(counts, three_each):
    table = fit_counts(counts, three_each, "~ batch + group", CONTRAST, shrink=True)
    assert list(table.index) == list(counts.columns)
    assert list(table.columns) == [
        "base_mean",
        "log2_fold_change",
        "se",
        "statistic",
        "p_value",
        "q_value",
        "dispersion",
        "shrunken_log2_fold_change",
        "all_zero",
        "cooks_outlier",
        "counts_replaced",
        "low_mean",
    ]


def test_a_planted_effect_is_found(counts, three_each):
    row = fit_counts(counts, three_each, "~ group", CONTRAST).loc["gene150"]
    assert row["log2_fold_change"] == pytest.approx(3, abs=0.6)
    assert row["q_value"] < 0.01


def test_base_mean_and_fold_change_are_those_of_normalised_means(counts, three_each):
    """With the same size factor s in a group, the estimate is the log ratio of the groups' means. Size
    factors are medians of ratios to the geometric mean over samples."""
    expressed = (counts > 0).all(axis=0)
    ratios = np.log(counts.loc[:, expressed]) - np.log(counts.loc[:, expressed]).mean(axis=0)
    size_factors = np.exp(ratios.median(axis=1))
    normalised = counts.div(size_factors, axis=0)
    table = fit_counts(counts, three_each, "~ group", CONTRAST)
    np.testing.assert_allclose(table["base_mean"], normalised.mean(axis=0), rtol=1e-10)
    in_b = three_each["group"] == "b"
    by_hand = np.log2(normalised[in_b].mean() / normalised[~in_b].mean())
    near = by_hand[counts.min() >= 10]
    np.testing.assert_allclose(table.loc[near.index, "log2_fold_change"], near, atol=0.02)


def test_error_statistic_and_p_value_follow_from_mean_and_dispersion(three_each):
    """Without differences in depth, a group of n samples with mean mu has information n mu / (1 + alpha mu)."""
    counts = simulated(three_each)
    counts.loc[:, [f"gene{number}" for number in range(100)]] = 500  # so that all size factors are 1
    counts["gene200"] = [90, 110, 100, 210, 190, 200]
    row = fit_counts(counts, three_each, "~ group", CONTRAST).loc["gene200"]
    information = [3 * mu / (1 + row["dispersion"] * mu) for mu in (100, 200)]
    assert row["log2_fold_change"] == pytest.approx(1, abs=1e-5)
    assert row["se"] == pytest.approx(np.sqrt(1 / information[0] + 1 / information[1]) / LN2, rel=1e-4)
    assert row["statistic"] == pytest.approx(row["log2_fold_change"] / row["se"])
    assert row["p_value"] == pytest.approx(2 * norm.sf(row["statistic"]))


def test_a_gene_silent_in_one_group_has_an_error_all_the_same(three_each):
    """Its fitted mean is held at half a count: 1 / (3 x 0.5) is nearly all of its variance."""
    counts = simulated(three_each)
    counts.loc[:, [f"gene{number}" for number in range(100)]] = 500
    counts["gene200"] = [0, 0, 0, 1000, 1100, 900]
    row = fit_counts(counts, three_each, "~ group", CONTRAST).loc["gene200"]
    held = 1.5 / (1 + 0.5 * row["dispersion"])
    fitted = 3000 / (1 + 1000 * row["dispersion"])
    assert row["se"] == pytest.approx(np.sqrt(1 / held + 1 / fitted) / LN2, rel=1e-3)
    assert row["p_value"] < 1e-3


def test_all_zero_genes_stay_and_are_flagged(counts, three_each):
    counts[["gene7", "gene8"]] = 0
    table = fit_counts(counts, three_each, "~ group", CONTRAST, shrink=True)
    assert list(table.index[table["all_zero"]]) == ["gene7", "gene8"]
    silent = table.loc["gene7"]
    assert silent["base_mean"] == 0
    assert silent[["log2_fold_change", "se", "p_value", "q_value", "shrunken_log2_fold_change"]].isna().all()
    assert not silent[["cooks_outlier", "counts_replaced", "low_mean"]].any()


def test_the_reverse_contrast_has_the_opposite_sign(counts, three_each):
    forward = fit_counts(counts, three_each, "~ batch + group", ["group", "b", "a"])
    back = fit_counts(counts, three_each, "~ batch + group", ["group", "a", "b"])
    np.testing.assert_allclose(forward["log2_fold_change"], -back["log2_fold_change"], atol=1e-3)
    np.testing.assert_allclose(forward["p_value"], back["p_value"], atol=1e-3)


def test_weights_and_names_give_the_same(counts, three_each):
    named = fit_counts(counts, three_each, "~ batch + group", CONTRAST)
    weighted = fit_counts(counts, three_each, "~ batch + group", np.array([0.0, 0, 1]))
    pd.testing.assert_frame_equal(named, weighted)


def test_order_of_samples_and_genes_does_not_matter(counts, three_each):
    shuffled = counts.sample(frac=1, axis=0, random_state=1).sample(frac=1, axis=1, random_state=1)
    table = fit_counts(counts, three_each, "~ batch + group", CONTRAST)
    again = fit_counts(shuffled, three_each, "~ batch + group", CONTRAST).loc[table.index]
    np.testing.assert_allclose(again["log2_fold_change"], table["log2_fold_change"], atol=1e-6)
    np.testing.assert_allclose(again["q_value"], table["q_value"], rtol=1e-4)


def test_an_interaction_by_weights():
    """In a saturated model, drug in the mutant is the log ratio of two cell means."""
    samples = described(
        genotype=["mutant"] * 6 + ["wild"] * 6,
        drug=(["no"] * 3 + ["yes"] * 3) * 2,
        group=["a"] * 9 + ["b"] * 3,
    )
    counts = simulated(samples)
    counts.loc[:, [f"gene{number}" for number in range(100)]] = 500
    counts["gene200"] = [90, 110, 100, 390, 410, 400, 300, 310, 290, 150, 160, 140]
    weights = {"mutant": [0, 0, 1, 0], "wild": [0, 0, 1, 1], "difference": [0, 0, 0, 1]}
    found = {
        name: fit_counts(counts, samples, "~ genotype * drug", np.array(weight, float)).loc["gene200"]
        for name, weight in weights.items()
    }
    expected = {"mutant": 2, "wild": -1, "difference": -3}
    for name, effect in expected.items():
        assert found[name]["log2_fold_change"] == pytest.approx(effect, abs=1e-4)


def test_pairs_take_out_what_differs_between_patients():
    patients = ["p1", "p2", "p3", "p4"]
    samples = described(patient=patients * 2, group=["a"] * 4 + ["b"] * 4)
    counts = simulated(samples)
    counts["gene200"] = [50, 500, 100, 1000, 100, 1000, 200, 2000]
    paired = fit_counts(counts, samples, "~ patient + group", CONTRAST).loc["gene200"]
    unpaired = fit_counts(counts, samples, "~ group", CONTRAST).loc["gene200"]
    assert paired["log2_fold_change"] == pytest.approx(1, abs=0.1)
    assert paired["p_value"] < 1e-4 < 0.05 < unpaired["p_value"]


def test_an_outlier_among_three_withholds_the_p_value(three_each):
    counts = simulated(three_each)
    counts["gene200"] = [20, 24, 22, 19, 21, 90_000]
    table = fit_counts(counts, three_each, "~ group", CONTRAST)
    assert table.loc["gene200", "cooks_outlier"]
    assert np.isnan(table.loc["gene200", ["p_value", "q_value"]].astype(float)).all()
    assert table.loc["gene200", "log2_fold_change"] > 5
    assert not table["counts_replaced"].any()
    assert table.attrs["settings"]["cooks_cutoff"] == pytest.approx(f.ppf(0.99, 2, 4))


def test_an_outlier_below_three_larger_counts_is_spared_in_a_two_group_design():
    samples = described(group=["a"] * 4 + ["b"] * 4, batch=["x", "y"] * 4)
    counts = simulated(samples)
    counts["gene200"] = [0, 0, 0, 3_000, 10_000, 12_000, 11_000, 9_000]
    assert not fit_counts(counts, samples, "~ group", CONTRAST).loc["gene200", "cooks_outlier"]


def test_with_three_groups_it_is_not():
    samples = described(group=["a"] * 4 + ["b"] * 4 + ["c"] * 4)
    counts = simulated(samples)
    counts["gene200"] = [0, 0, 0, 3_000, 10_000, 12_000, 11_000, 9_000, 10_000, 12_000, 11_000, 9_000]
    assert fit_counts(counts, samples, "~ group", CONTRAST).loc["gene200", "cooks_outlier"]


def test_with_seven_replicates_an_outlier_is_replaced():
    samples = described(group=["a"] * 7 + ["b"] * 7)
    counts = simulated(samples)
    counts["gene200"] = [20, 24, 22, 19, 21, 23, 20, 40, 44, 42, 39, 41, 43, 90_000]
    counts["gene201"] = [0] * 13 + [5_000]
    table = fit_counts(counts, samples, "~ group", CONTRAST)
    assert list(table.index[table["counts_replaced"]][-2:]) == ["gene200", "gene201"]
    assert table.loc["gene200", "log2_fold_change"] == pytest.approx(1, abs=0.25)
    assert table.loc["gene200", "p_value"] < 0.01
    assert not table["cooks_outlier"].any()
    # Nothing is left of the other one.
    assert table.loc["gene201", ["base_mean", "log2_fold_change", "p_value"]].tolist() == [0, 0, 1]


def test_a_gene_silent_in_the_groups_compared_has_no_effect():
    samples = described(group=["a"] * 3 + ["b"] * 3 + ["c"] * 3)
    counts = simulated(samples)
    counts["gene200"] = [100, 120, 110, 0, 0, 0, 0, 0, 0]
    row = fit_counts(counts, samples, "~ group", ["group", "c", "b"]).loc["gene200"]
    assert (row["log2_fold_change"], row["p_value"]) == (0, 1)


def test_a_numeric_column_is_a_covariate_unless_the_contrast_names_it():
    samples = described(group=["a", "b"] * 4, dose=[1, 1, 2, 2, 4, 4, 1, 2])
    assert count_design(samples, "~ dose + group", CONTRAST).matrix.shape[1] == 3
    assert count_design(samples, "~ dose + group", ["dose", 4, 1]).matrix.shape[1] == 4


def test_counts_without_overdispersion_can_be_fitted(three_each):
    generator = np.random.default_rng(1)
    values = generator.poisson(np.exp(generator.normal(4, 1, 50)), (6, 50))
    table = fit_counts(pd.DataFrame(values, index=three_each.index), three_each, "~ group", CONTRAST)
    assert (table["dispersion"] < 0.5).all()
    assert table["p_value"].notna().all()


def test_one_gene_can_be_fitted(three_each):
    counts = pd.DataFrame({"TREX1": [90, 110, 100, 210, 190, 200]}, index=three_each.index)
    table = fit_counts(counts, three_each, "~ group", CONTRAST)
    assert table.loc["TREX1", "q_value"] == table.loc["TREX1", "p_value"]


def test_the_settings_can_be_reported(counts, three_each):
    chosen = fit_counts(counts, three_each, "~ batch + group", CONTRAST, shrink=True, alpha=0.05).attrs
    assert json.loads(json.dumps(chosen)) == chosen
    assert (chosen["settings"]["residual_df"], chosen["settings"]["alpha"]) == (3, 0.05)
    assert chosen["settings"]["dispersion_trend"] == "parametric"


def test_nothing_is_printed_warned_of_or_changed(counts, three_each, capsys):
    before = counts.copy(), three_each.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = fit_counts(counts, three_each, "~ batch + group", CONTRAST, shrink=True)
        second = fit_counts(counts, three_each, "~ batch + group", CONTRAST, shrink=True)
    assert capsys.readouterr() == ("", "")
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    pd.testing.assert_frame_equal(counts, before[0])
    pd.testing.assert_frame_equal(three_each, before[1])


# --- Shrinkage ----------------------------------------------------------------------------------------


def test_shrinkage_pulls_towards_zero_and_leaves_p_values(counts, three_each):
    plain = fit_counts(counts, three_each, "~ group", CONTRAST)
    table = fit_counts(counts, three_each, "~ group", CONTRAST, shrink=True)
    pd.testing.assert_series_equal(table["p_value"], plain["p_value"])
    effect, shrunken = table["log2_fold_change"], table["shrunken_log2_fold_change"]
    assert (shrunken.abs() <= effect.abs() + 1e-6).all()
    assert (shrunken * effect >= -1e-9).all()
    assert shrunken["gene150"] > 0.8 * effect["gene150"]


def test_the_scale_of_the_shrinkage_prior():
    """With equal errors d^2 its square solves mean(estimate^2) - d^2 = scale^2, up to 1."""
    assert cauchy_scale(np.array([-0.5, 0.5, -0.5]), np.full(3, 0.3)) == pytest.approx(0.4)
    assert cauchy_scale(np.array([-5.0, 5.0]), np.full(2, 0.3)) == 1
    assert cauchy_scale(np.array([-0.1, 0.1]), np.full(2, 0.3)) == 0.001


FOLDS = [[8, 12, 10, 10, 8 * fold, 12 * fold, 10 * fold] for fold in (1, 8, 60, 400)]
CASES = [(counts, dispersion, 0.2) for counts in FOLDS for dispersion in (0.05, 0.5, 0.9, 1.2, 2.0)]
CASES.append(([7, 1212, 0, 3, 0, 0, 0], 3.209, 0.5))


@pytest.mark.parametrize(("counts", "dispersion", "scale"), CASES)
def test_the_highest_mode_of_the_posterior_is_found(counts, dispersion, scale):
    """Against a grid over the shrunken coefficient, the intercept at its best for each. Between two
    modes, one at 0 and one at the estimate, a search from one side alone would miss the other."""
    counts, group = np.array(counts, float), np.array([0.0] * 4 + [1] * 3)
    gene, design = counts[:, None], np.column_stack([np.ones(7), group])
    fitted = fit_coefficients(gene, np.ones(7), design, np.array([dispersion])).coefficients
    found = shrunken_coefficients(gene, np.ones(7), design, np.array([dispersion]), fitted, 1, scale)[0]
    effect, intercept = np.linspace(-9, 7, 801), np.linspace(0, 8, 401)
    mean = np.exp(intercept[:, None, None] + effect[:, None] * group)
    log_posterior = (
        nbinom.logpmf(counts, 1 / dispersion, 1 / (1 + dispersion * mean)).sum(axis=-1)
        + norm.logpdf(intercept, scale=15)[:, None]
        + cauchy.logpdf(effect, scale=scale)
    )
    assert found == pytest.approx(effect[log_posterior.max(axis=0).argmax()], abs=0.05)


# --- Single steps -------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 400), min_size=6, max_size=6), st.floats(0.001, 2))
@settings(deadline=None, max_examples=50)
def test_coefficients_are_log_means_of_groups(values, dispersion):
    counts = np.array(values, float)[:, None]
    design = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    found = fit_coefficients(counts, np.ones(6), design, np.array([dispersion]))
    reference, other = counts[:3].mean(), counts[3:].mean()
    np.testing.assert_allclose(
        found.coefficients[0], [np.log(reference), np.log(other / reference)], atol=2e-3
    )
    np.testing.assert_allclose(found.leverage[:, 0], 1 / 3, atol=1e-4)
    assert found.converged.all()


def test_a_runaway_coefficient_stops_within_bounds():
    design = np.column_stack([np.ones(4), [0, 0, 1, 1], [0.1, 0.9, 0.2, 0.8]])
    found = fit_coefficients(np.array([[0.0, 0, 0, 5000]]).T, np.ones(4), design, np.array([0.1]))
    assert np.isfinite(found.coefficients).all()
    assert (np.abs(found.coefficients) <= 30 * LN2 + 1e-9).all()


@given(st.lists(st.integers(0, 2000), min_size=6, max_size=6).filter(any))
@settings(deadline=None, max_examples=50)
def test_no_neighbouring_dispersion_is_much_likelier(values):
    """Neither half nor twice the dispersion found; R's search settles for a millionth of the likelihood."""
    counts = np.array(values, float)[:, None]
    design = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    mean = np.maximum(np.repeat(counts.reshape(2, 3).mean(axis=1), 3), 0.5)[:, None]
    found = gene_wise_dispersions(counts, design, mean, np.array([0.1])).dispersion
    likelihood = _DispersionPosterior(counts, design, mean)
    here = likelihood.value(np.log(found))
    for factor in (0.5, 2):
        there = np.clip(factor * found, 1e-8, 10)
        assert likelihood.value(np.log(there)) <= here + 1e-2


def test_few_discoveries_leave_out_only_silent_genes():
    """Benjamini-Hochberg by hand: 3 x 0.01, then 3/2 x 0.02 and 3/3 x 0.5."""
    found = filtered_q_values(np.array([np.nan, 0.01, 0.02, 0.5]), np.array([0, 1.0, 2, 3]), 0.1)
    np.testing.assert_allclose(found.q_value, [np.nan, 0.03, 0.03, 0.5])
    assert found.least_base_mean <= 1


def test_weak_genes_without_discoveries_are_left_out():
    generator = np.random.default_rng(3)
    base_mean = np.geomspace(0.1, 1e4, 2000)
    p_value = generator.uniform(size=2000)
    p_value[1000:] **= 4
    found = filtered_q_values(p_value, base_mean, 0.1)
    everything = filtered_q_values(p_value, np.ones(2000), 0.1)
    assert found.least_base_mean > base_mean[500]
    assert (found.q_value < 0.1).sum() > (everything.q_value < 0.1).sum()
    assert list(np.isnan(found.q_value)) == list(base_mean < found.least_base_mean)


@given(
    st.lists(
        st.lists(st.sampled_from([0, 0, 1, 2, 7, 50, 400, 30_000]), min_size=6, max_size=6),
        min_size=1,
        max_size=12,
    )
)
@settings(deadline=None, max_examples=60)
def test_any_counts_are_fitted_without_a_warning(values):
    """One gene without zeros, so that there are size factors; else anything."""
    samples = described(group=["a"] * 3 + ["b"] * 3)
    counts = pd.DataFrame([[90, 110, 100, 210, 190, 200], *values], columns=samples.index).T
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = fit_counts(counts, samples, "~ group", CONTRAST, shrink=True)
    assert list(table["all_zero"]) == list((counts == 0).all())
    fitted = table[~table["all_zero"]]
    assert np.isfinite(fitted[["log2_fold_change", "se", "dispersion", "shrunken_log2_fold_change"]]).all(
        None
    )
    assert list(fitted["p_value"].isna()) == list(fitted["cooks_outlier"])
    assert fitted["p_value"].dropna().between(0, 1).all()


# --- What it refuses ----------------------------------------------------------------------------------


def changed(counts: pd.DataFrame, value: float | str | None) -> pd.DataFrame:
    table = counts.astype(object if isinstance(value, str) else float)
    table.loc["s2", "gene5"] = value
    return table


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (2.5, "not whole: give counts, neither TPM nor log values .gene5 of s2 is 2.5"),
        (-1, "1 counts are negative .gene5 of s2 is -1"),
        (None, "missing or infinite .gene5 of s2"),
        (np.inf, "missing or infinite .gene5 of s2"),
        ("many", "must be numbers"),
    ],
)
def test_refuses_what_is_no_count(counts, three_each, value, told):
    with pytest.raises(ValueError, match=told):
        fit_counts(changed(counts, value), three_each, "~ group", CONTRAST)


def test_refuses_names_that_stand_twice(counts, three_each):
    with pytest.raises(ValueError, match="gene gene0 stands twice"):
        fit_counts(counts[["gene0", "gene1", "gene0"]], three_each, "~ group", CONTRAST)
    with pytest.raises(ValueError, match="sample s1 stands twice"):
        fit_counts(counts.iloc[[0, 1, 1, 3, 4, 5]], three_each, "~ group", CONTRAST)
    with pytest.raises(ValueError, match="sample s1 is described twice"):
        fit_counts(counts, three_each.iloc[[0, 1, 1, 2, 3, 4, 5]], "~ group", CONTRAST)


def test_refuses_samples_without_description(counts, three_each):
    with pytest.raises(ValueError, match="1 samples with counts are not described, such as s5"):
        fit_counts(counts, three_each.iloc[:5], "~ group", CONTRAST)


def test_descriptions_of_other_samples_are_let_be(counts, three_each):
    fewer = fit_counts(counts.iloc[[0, 1, 3, 4]], three_each, "~ group", CONTRAST)
    same = fit_counts(counts.iloc[[0, 1, 3, 4]], three_each.iloc[[0, 1, 3, 4]], "~ group", CONTRAST)
    pd.testing.assert_frame_equal(fewer, same)


def test_refuses_what_cannot_be_normalised(counts, three_each):
    silent = counts.copy()
    silent.loc["s4"] = 0
    with pytest.raises(ValueError, match="sample s4 has no count"):
        fit_counts(silent, three_each, "~ group", CONTRAST)
    sparse = pd.DataFrame(np.eye(6, dtype=int), index=three_each.index)
    with pytest.raises(ValueError, match="every gene is 0 in some sample"):
        fit_counts(sparse, three_each, "~ group", CONTRAST)


@pytest.mark.parametrize(
    ("formula", "contrast", "told"),
    [
        ("~ batsch + group", CONTRAST, "names batsch, which the samples lack; did you mean batch?"),
        ("~ batch +", CONTRAST, "cannot be read"),
        ("~ batch", CONTRAST, "the contrast's column group is not in the design"),
        ("~ group", ["grup", "b", "a"], "no column grup; did you mean group?"),
        ("~ group", ["group", "c", "a"], "no sample has group c"),
        ("~ group", ["group", "a", "a"], "with itself"),
        ("~ group", ["group", "a"], "column, level, reference"),
        ("~ group", "group", "column, level, reference"),
        ("~ group", np.array([1.0]), r"2 weights, not all 0, for Intercept, group\[T.b\]; found"),
        ("~ group", np.array([0.0, 0]), "not all 0"),
        ("~ batch * group", CONTRAST, "takes part in an interaction.*give a weight for each of Intercept"),
        ("~ lane + group", CONTRAST, "lane is missing for 1 of 6 samples: s1"),
        ("~ copy + group", CONTRAST, r"rank-deficient: copy\[T.q\] and group\[T.b\] are confounded"),
        ("~ trio + group", CONTRAST, r"trio\[T.2\], trio\[T.3\] and group\[T.b\] are confounded"),
        ("~ trio * batch", np.ones(6), r"no sample has trio\[T.2\]:batch\[T.y\]"),
    ],
)
def test_refuses_designs_that_cannot_be(three_each, formula, contrast, told):
    three_each["copy"] = ["p"] * 3 + ["q"] * 3
    three_each["trio"] = ["1", "1", "1", "2", "2", "3"]
    three_each["lane"] = ["1", None, "1", "2", "2", "3"]
    three_each.loc["s3", "batch"] = "x"
    with pytest.raises(ValueError, match=told):
        count_design(three_each, formula, contrast)


def test_without_residual_degrees_of_freedom_there_is_only_a_direction():
    samples = described(patient=["p1", "p1"], group=["a", "b"])
    with pytest.raises(ValueError, match=r"2 samples for 2 coefficients .* only a direction can be given"):
        count_design(samples, "~ group", CONTRAST)


@pytest.mark.parametrize("formula", ["~ group", "~ batch + group"])
def test_a_group_of_one_gives_only_a_direction(formula):
    samples = described(group=["a"] * 4 + ["b"], batch=["x", "y", "x", "y", "x"])
    with pytest.raises(ValueError, match="rests on s4 without a replicate: only a direction can be given"):
        count_design(samples, formula, CONTRAST)


def test_a_cell_of_one_gives_only_a_direction():
    samples = described(group=["a", "a", "b", "b", "a", "a", "b"], drug=["no"] * 4 + ["yes"] * 3)
    with pytest.raises(ValueError, match="rests on s6 without a replicate"):
        count_design(samples, "~ group * drug", np.array([0.0, 0, 0, 1]))
    assert count_design(samples, "~ group * drug", np.array([0.0, 1, 0, 0])).residual_df == 3


def test_a_patient_without_a_partner_does_no_harm():
    samples = described(patient=["p1", "p1", "p2", "p2", "p3"], group=["a", "b", "a", "b", "a"])
    assert count_design(samples, "~ patient + group", CONTRAST).residual_df == 1


def test_refuses_to_shrink_what_is_no_coefficient(counts, three_each):
    with pytest.raises(ValueError, match="a single coefficient"):
        fit_counts(counts, three_each, "~ batch + group", np.array([0.0, 1, 1]), shrink=True)


# One gene with its samples rearranged


@pytest.mark.parametrize("formula", ["~ group", "~ patient + group"])
def test_the_arrangement_as_it_is_gives_the_fit_of_all_genes(formula):
    samples = described(group=["a", "b"] * 6, patient=[f"p{i // 2}" for i in range(12)])
    reads = simulated(samples, seed=3)
    weights = np.zeros(2 if formula == "~ group" else 7)
    weights[-1] = 1
    every = fit_counts(reads, samples, formula, weights)
    for gene in every.index[::40]:
        if every.loc[gene, "counts_replaced"]:
            continue
        order = np.arange(12)[None, :]
        found = fit_rearranged(reads, samples, formula, weights, gene, order).iloc[0]
        assert found["log2_fold_change"] == pytest.approx(every.loc[gene, "log2_fold_change"], rel=1e-6)
        assert found["se"] == pytest.approx(every.loc[gene, "se"], rel=1e-6)


def test_a_swap_of_the_groups_turns_the_sign_and_rearranging_within_them_does_nothing():
    samples = described(group=["a", "b"] * 6)
    reads = simulated(samples, seed=4)
    gene = reads.columns[7]
    as_it_is = np.arange(12)
    swapped = as_it_is.reshape(6, 2)[:, ::-1].ravel()
    within = np.array([2, 1, 0, 3, 6, 5, 4, 9, 8, 7, 10, 11])
    found = fit_rearranged(
        reads, samples, "~ group", np.array([0.0, 1.0]), gene, np.array([as_it_is, swapped, within])
    )
    effect = found["log2_fold_change"]
    assert effect[1] == pytest.approx(-effect[0], rel=1e-5)
    assert effect[2] == pytest.approx(effect[0], rel=1e-5)
    assert found["se"][2] == pytest.approx(found["se"][0], rel=1e-5)
