"""log2 fold change between two groups: which method, what it says, and what it must not say."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from builders import (
    contrast_test,
    expression,
    expression_test,
    geo_dataset,
    group_column,
    setting,
    study_values,
    write_study,
)
from scipy import stats

from reclaim.analyses.differential_expression import (
    METHODS,
    differential_expression,
    least_squares,
    log2_values,
    one_sided,
)
from reclaim.analyses.testing import run_each
from reclaim.decisions import Pooled
from reclaim.errors import AbsentData, UserError
from reclaim.expression import empty
from reclaim.judging import margin_of
from reclaim.ledger import Ledger
from reclaim.moderated_t import moderated_t

RANDOM = np.random.default_rng(7)
CASES, CONTROLS = [5.1, 6.3, 5.8, 6.0], [4.0, 4.4, 3.1, 5.0, 4.2]
GROUP = group_column(4, 5)
KNOCK_OUT = {"case": {"line": "KO"}, "control": {"line": "WT"}}


def background(samples: int, genes: int = 60) -> dict[str, list[float]]:
    """Genes that no test is about, with noise for models of variance."""
    values = np.random.default_rng(samples).normal(8, 1, (genes, samples))
    return {f"OTHER{i}": list(row) for i, row in enumerate(values)}


def run(data, genes=(), source_column=None, **test):
    (found,), table = differential_expression(contrast_test(**test), data, list(genes), source_column)
    return found, table.set_index("feature")


def two_groups(unit="log2_intensity", **more):
    return expression(
        {"GENE1": CASES + CONTROLS, **background(9)}, {"group": GROUP, "age": [*"123456789"], **more}, unit
    )


# Methods


def test_tpm_are_compared_by_ranks_with_the_interval_of_welch():
    found, table = run(two_groups("log2_tpm"))
    welch = stats.ttest_ind(CASES, CONTROLS, equal_var=False)
    interval = welch.confidence_interval()
    assert found.method == METHODS["rank"]
    assert found.effect == pytest.approx(np.mean(CASES) - np.mean(CONTROLS))
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))
    whitney = stats.mannwhitneyu(CASES, CONTROLS, alternative="greater")
    assert found.p_value == pytest.approx(whitney.pvalue)
    assert (found.feature, found.n, found.groups) == ("GENE1", 9, {"case": 4, "control": 5})
    assert (found.flags, found.note, found.valid) == ((), "", True)
    assert set(table["stratum"]) == {"all"}
    assert set(table["n"]) == {9}
    assert len(table) == 61  # all genes, always


def test_the_statistic_that_genes_are_ranked_by_has_the_sign_of_the_effect():
    # Mann and Whitney's U is never negative: gene sets that fall would seem to rise.
    _, up = run(two_groups("log2_tpm"))
    swapped = {"case": {"group": "control"}, "control": {"group": "case"}}
    _, down = run(two_groups("log2_tpm"), contrast=swapped)
    assert up["statistic"]["GENE1"] > 0
    assert down["statistic"]["GENE1"] == pytest.approx(-up["statistic"]["GENE1"])


def test_pairs_of_tpm_are_compared_by_signed_ranks():
    patients = ["P0", "P1", "P2", "P3"]
    data = expression(
        {"GENE1": CASES + CONTROLS, **background(9)},
        {"group": GROUP, "patient": [*patients, *patients, "P9"]},
        "log2_tpm",
    )
    found, table = run(data, pairs="patient")
    interval = stats.ttest_rel(CASES, CONTROLS[:4]).confidence_interval()
    assert found.method == METHODS["paired_rank"]
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(stats.wilcoxon(CASES, CONTROLS[:4], alternative="greater").pvalue)
    assert (found.n, found.groups) == (8, {"case": 4, "control": 4})
    assert found.note == "Left out: 1 sample without a covariate, modifier or partner."
    assert table["statistic"]["GENE1"] > 0


def test_intensities_are_compared_by_a_linear_model_with_its_covariates():
    age = np.arange(1.0, 10)
    found, table = run(two_groups(), covariates=["age"])
    design = sm.add_constant(np.column_stack([age, np.array(GROUP) == "case"]).astype(float))
    assert found.method == METHODS["moderated_t"]
    assert found.effect == pytest.approx(sm.OLS(CASES + CONTROLS, design).fit().params[2])
    assert found.p_value == pytest.approx(table["p_value"]["GENE1"] / 2)
    assert found.q_value == pytest.approx(stats.false_discovery_control(table["p_value"])[0])
    assert found.ci_low < found.effect < found.ci_high


def test_the_prior_of_the_linear_model_follows_the_mean():
    """limma's trend; the golden tests hold the model itself to limma."""
    data = two_groups()
    data.X[:, 1:] += np.linspace(0, 6, 60) * np.random.default_rng(1).normal(1, 0.3, (9, 60))
    design = np.column_stack([np.ones(9), np.array(GROUP) == "case"])
    expected = moderated_t(data.X, design, [0, 1], trend=True)
    _, table = run(data)
    assert table["se"].tolist() == pytest.approx(expected["se"].tolist())
    assert table["se"].tolist() != pytest.approx(moderated_t(data.X, design, [0, 1])["se"].tolist())


@pytest.mark.parametrize("test", [{"covariates": ["age"]}, {"interaction": KNOCK_OUT}])
def test_ranks_have_no_covariates_or_interactions(test):
    """By default the linear model takes them; asked for ranks, the test says why it cannot."""
    data = two_groups("log2_tpm", line=["KO", "KO", "WT", "WT", "KO", "KO", "WT", "WT", "WT"])
    assert run(data, **test)[0].method == METHODS["moderated_t"]
    found, _ = run(data, method="rank", **test)
    assert found.method == METHODS["direction"]
    assert found.flags[-1] == "not_estimable"
    assert "a rank test has no place for covariates or an interaction; use moderated_t" in found.note
    assert (found.se, found.p_value) == (None, None)


@pytest.mark.parametrize("unit", ["log2_tpm", "log2_intensity"])
def test_a_count_model_is_for_counts(unit):
    with pytest.raises(AbsentData, match=f"needs counts of reads; the data set holds {unit}"):
        run(two_groups(unit), method="counts")


def test_the_claimed_direction_decides_the_one_sided_p_value():
    up, table = run(two_groups())
    down, _ = run(two_groups(), expected="negative")
    assert up.p_value == pytest.approx(table["p_value"]["GENE1"] / 2)
    assert down.p_value == pytest.approx(1 - up.p_value)
    assert down.effect == up.effect  # natural sign


@pytest.mark.parametrize(
    ("p_value", "effect", "expected", "one"),
    [
        (0.04, 1.0, "positive", 0.02),
        (0.04, -1.0, "positive", 0.98),
        (0.04, -1.0, "negative", 0.02),
        (0.04, 1.0, "negative", 0.98),
        (1.0, 0.0, "positive", 0.5),
        (np.nan, 1.0, "positive", None),
    ],
)
def test_half_of_a_two_sided_p_value(p_value, effect, expected, one):
    assert one_sided(p_value, effect, expected) == one


def test_only_samples_of_the_test_are_compared_and_told():
    told = []
    data = two_groups(site=["a"] * 3 + ["b"] + ["a"] * 4 + ["b"])
    differential_expression(contrast_test(samples={"site": "a"}), data, [], log=told.append)
    assert told == ["all: case (3): S0, S1, S2; control (4): S4, S5, S6, S7"]


# Counts


def count_data():
    """3 against 3, libraries of size 1 and 2: GENE1 rises fourfold, GENE0 has no reads."""
    depth = np.array([1, 2, 1, 2, 1, 2])
    mean = RANDOM.uniform(50, 2000, 120)[:, None] * depth
    counts = RANDOM.negative_binomial(30, 30 / (30 + mean))
    gene = np.array([400, 810, 405, 200, 99, 201])
    genes = {"GENE1": gene, "GENE0": np.zeros(6), **{f"OTHER{i}": row for i, row in enumerate(counts)}}
    return expression(
        genes, {"group": group_column(3, 3), "batch": ["x", "x", "x", "y", "y", "y"]}, unit="counts"
    )


COUNTS = count_data()


def normalised(data) -> np.ndarray:
    """Counts by size factors: the median ratio to the geometric mean (Anders & Huber 2010, equation 5)."""
    counts = np.asarray(data.X, float)
    full = counts[:, (counts > 0).all(axis=0)]
    factors = np.median(full / stats.gmean(full, axis=0), axis=1)
    return counts / factors[:, None]


@pytest.fixture(scope="module")
def fitted_counts():
    """One fit for several tests."""
    return {gene: run(COUNTS, feature={"gene": gene}) for gene in ("GENE1", "GENE0")}


def test_counts_are_fitted_by_a_negative_binomial_model(fitted_counts):
    found, table = fitted_counts["GENE1"]
    means = normalised(COUNTS)[:, 0].reshape(2, 3).mean(axis=1)
    assert found.method == METHODS["counts"]
    assert found.effect == pytest.approx(np.log2(means[0] / means[1]), abs=0.02)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * found.se)
    # Wald: normal, one-sided as claimed.
    assert found.p_value == pytest.approx(stats.norm.sf(found.effect / found.se))
    assert found.statistic == pytest.approx(found.effect / found.se)
    assert found.flags == ()
    assert "4 residual degrees of freedom" in found.note
    shrunken = float(found.note.split("Shrunken (apeglm): ")[1].split(". Model")[0])
    assert 0 < shrunken <= found.effect + 0.005  # two decimals are printed
    assert table["mean"]["GENE1"] == pytest.approx(np.log2(1 + normalised(COUNTS)[:, 0].mean()), abs=1e-6)


def test_a_gene_without_reads_is_invalid_and_says_so(fitted_counts):
    found, table = fitted_counts["GENE0"]
    assert (found.valid, found.flags, found.effect) == (False, ("not_detected",), None)
    assert found.note.startswith("GENE0 has no reads")
    assert "GENE0" in table.index  # no silent drop


def test_counts_are_seen_as_log2_of_normalised_ones():
    assert log2_values(COUNTS) == pytest.approx(np.log2(1 + normalised(COUNTS)))


def test_where_every_gene_is_zero_somewhere_the_totals_normalise():
    data = expression({"A": [0, 30], "B": [10, 0]}, {"group": ["case", "control"]}, "counts")
    # Totals 10 and 30, mean 20: factors 0.5 and 1.5.
    assert log2_values(data) == pytest.approx(np.log2(1 + np.array([[0, 20], [20, 0]])))


# Guards: replicates


@pytest.mark.parametrize("unit", ["counts", "log2_tpm", "log2_intensity"])
def test_one_replicate_gives_a_direction_only(unit):
    data = expression(
        {"GENE1": [8, 3, 1], "GENE2": [2, 2, 2], "GENE3": [5, 5, 5]}, {"group": group_column(1, 2)}, unit
    )
    found, table = run(data)
    # Of counts two genes of three are the same, so that all size factors are 1.
    expected = np.log2(9) - np.log2([4, 2]).mean() if unit == "counts" else 8 - 2
    assert found.effect == pytest.approx(expected)
    assert (found.method, found.flags) == (METHODS["direction"], ("one_replicate",))
    assert (found.se, found.ci_low, found.ci_high, found.p_value, found.q_value) == (None,) * 5
    assert table[["p_value", "q_value", "statistic"]].isna().all(axis=None)


def test_two_replicates_are_flagged_and_need_twice_the_margin():
    data = expression({"GENE1": [6, 7, 4, 5, 5.5], **background(5)}, {"group": group_column(2, 3)})
    found, _ = run(data)
    assert found.flags == ("two_replicates",)
    assert found.se is not None
    row = setting(analysis="differential_expression").row(found)
    assert margin_of(Pooled(rule="pooled"), [row]) == 1.0
    three, _ = run(two_groups())
    assert three.flags == ()
    assert margin_of(Pooled(rule="pooled"), [setting().row(three)]) == 0.5


# Guards: genes


def test_a_gene_that_is_not_measured_is_invalid_and_says_so():
    found, _ = run(two_groups(), feature={"gene": "GENE9"})
    assert (found.valid, found.flags) == (False, ("not_on_platform",))
    assert found.note == "GENE9 is not among the 61 genes of this data set."
    assert (found.n, found.groups) == (9, {"case": 4, "control": 5})


@pytest.mark.parametrize("test", [{}, {"covariates": ["age"]}])
def test_a_gene_without_transcripts_anywhere_is_no_precise_null(test):
    data = two_groups("log2_tpm")
    data.X[:, 0] = 0
    found, table = run(data, **test)
    assert (found.valid, found.flags, found.effect) == (False, ("not_detected",), None)
    assert table.loc["GENE1", "mean"] == 0
    assert table.loc["GENE1", ["effect", "p_value", "statistic"]].isna().all()


def test_an_intensity_of_zero_is_a_value():
    data = two_groups()
    data.X[:, 0] = [2, 2, 3, 1, -1, -2, -1, -3, -1]  # centred: their mean is 0
    assert run(data)[0].valid


def test_a_probe_without_values_is_invalid_and_says_so():
    data = two_groups()
    data.X[:, 0] = np.nan
    found, _ = run(data)
    assert (found.valid, found.flags) == (False, ("not_detected",))


# Guards: designs


@pytest.mark.parametrize("unit", ["counts", "log2_intensity"])
def test_a_group_that_goes_with_a_covariate_gives_a_direction_and_the_reason(unit):
    data = COUNTS if unit == "counts" else two_groups(batch=GROUP)
    found, _ = run(data, covariates=["batch"])
    assert (found.method, found.flags) == (METHODS["direction"], ("not_estimable",))
    assert found.note.startswith("The model could not be fitted: ")
    assert "covariate_0" not in found.note  # the study's name of it, or none
    assert (found.se, found.p_value, found.valid) == (None, None, True)
    assert found.effect > 0


def test_without_residual_degrees_of_freedom_there_is_a_direction():
    table = {"group": group_column(2, 2), "age": ["1", "2", "5", "9"], "dose": ["3", "1", "4", "1"]}
    data = expression({"GENE1": [6, 7, 4, 5], **background(4)}, table)
    found, _ = run(data, covariates=["age", "dose"])
    assert found.flags == ("two_replicates", "not_estimable")
    assert found.effect == pytest.approx(2.0)


def test_a_sample_without_reads_gives_no_number_and_the_reason():
    data = COUNTS.copy()
    data.X[0] = 0
    found, _ = run(data)
    assert "sample S0 has no count at all" in found.note
    assert (found.effect, found.valid) == (None, False)


# Interactions


def crossed(per_cell: int, **genes):
    """KO and WT, case and control, `per_cell` samples each."""
    group = ["case", "control"] * 2 * per_cell
    line = ["KO", "KO", "WT", "WT"] * per_cell
    return expression({**genes, **background(4 * per_cell)}, {"group": group, "line": line})


# KO: 9 - 4 = 5. WT: 6 - 3 = 3. The drug does 2 more in KO.
FOUR = [9.0, 4.0, 6.0, 3.0]


@pytest.mark.parametrize("per_cell", [1, 2, 3])
def test_an_interaction_is_the_difference_of_differences(per_cell):
    found, _ = run(crossed(per_cell, GENE1=FOUR * per_cell), interaction=KNOCK_OUT)
    assert found.effect == pytest.approx(2.0)
    assert found.flags == {1: ("one_replicate",), 2: ("two_replicates",), 3: ()}[per_cell]
    assert (found.p_value is None) == (per_cell == 1)
    assert found.groups == {"case": 2 * per_cell, "control": 2 * per_cell, "smallest_cell": per_cell}


def test_the_smallest_of_four_groups_decides_the_margin():
    two, three = (run(crossed(n, GENE1=FOUR * n), interaction=KNOCK_OUT)[0] for n in (2, 3))
    margins = [margin_of(Pooled(rule="pooled"), [setting().row(found)]) for found in (two, three)]
    assert margins == [1.0, 0.5]


def test_an_interaction_with_an_empty_group_says_so():
    data = crossed(3, GENE1=FOUR * 3)
    data = data[~((data.obs["group"] == "case") & (data.obs["line"] == "KO"))].copy()
    for test in ({}, {"feature": {"gene_set": ["GENE1", "OTHER1"]}}):
        found, _ = run(data, test.get("feature", {}).get("gene_set", ()), interaction=KNOCK_OUT, **test)
        assert found.effect is None
        assert not found.valid
        assert found.flags == ("one_replicate", "not_estimable")
        assert found.note == "One of the four groups of the interaction is empty."


def test_an_interaction_of_counts_is_fitted_as_such():
    """Two per group of noiseless data: GENE1 is 16-fold up in KO and fourfold in WT."""
    mean = np.linspace(60, 900, 80).round()
    counts = {f"OTHER{i}": np.full(8, value) + RANDOM.integers(-9, 10, 8) for i, value in enumerate(mean)}
    data = expression(
        {"GENE1": [1600, 100, 400, 100] * 2, **counts},
        {"group": ["case", "control"] * 4, "line": ["KO", "KO", "WT", "WT"] * 2},
        "counts",
    )
    found, _ = run(data, interaction=KNOCK_OUT)
    assert found.method == METHODS["counts"]
    assert found.effect == pytest.approx(2.0, abs=0.05)


# Sets


SET = {"feature": {"gene_set": ["GENE1", "GENE2"]}}


def set_data(**more):
    second = [value + 1 for value in CASES] + [value - 0.5 for value in CONTROLS]
    return expression({"GENE1": CASES + CONTROLS, "GENE2": second, **background(9)}, {"group": GROUP, **more})


def test_a_set_is_its_mean_with_the_interval_of_a_linear_model():
    found, table = run(set_data(), ["GENE1", "GENE2"], **SET)
    cases, controls = np.array(CASES) + 0.5, np.array(CONTROLS) - 0.25
    student = stats.ttest_ind(cases, controls)
    interval = student.confidence_interval()
    assert (found.effect_name, found.feature) == ("set_log2_fold_change", "GENE1, GENE2")
    assert found.effect == pytest.approx(cases.mean() - controls.mean())
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(student.pvalue / 2)
    assert found.groups == {"case": 4, "control": 5, "members": 2, "measured": 2}
    assert len(table) == 62


def test_a_named_set_is_told_by_its_name():
    assert run(set_data(), ["GENE1", "GENE2"], feature={"gene_set": "panel"})[0].feature == "panel"


def test_half_of_a_set_is_enough_and_less_is_not():
    half, _ = run(set_data(), ["GENE1", "GENE2", "GENE8", "GENE9"], **SET)
    assert half.valid
    assert half.groups["measured"] == 2
    less, _ = run(set_data(), ["GENE1", "GENE2", "GENE7", "GENE8", "GENE9"], **SET)
    assert (less.valid, less.flags, less.effect) == (False, ("not_on_platform",), None)
    assert less.note == "Only 2 of 5 members of the set are measured."


def test_a_member_without_a_value_in_some_sample_does_not_count_as_measured():
    data = set_data()
    data.X[3, 1] = np.nan
    found, _ = run(data, ["GENE1", "GENE2"], **SET)
    assert found.groups["measured"] == 1
    assert found.effect == pytest.approx(np.mean(CASES) - np.mean(CONTROLS))


def test_a_set_with_one_replicate_has_a_direction_only():
    # Three residual degrees of freedom would give a p-value to a group of one.
    data = expression({"GENE1": [8, 3, 1, 2, 2], "GENE2": [6, 3, 1, 2, 2]}, {"group": group_column(1, 4)})
    found, _ = run(data, ["GENE1", "GENE2"], **SET)
    assert found.effect == pytest.approx(7 - 2)
    assert (found.p_value, found.se, found.ci_low) == (None, None, None)
    assert (found.flags, found.method) == (("one_replicate",), METHODS["direction"])


def test_a_set_whose_groups_go_with_a_covariate_has_a_direction_and_the_reason():
    found, _ = run(set_data(batch=GROUP), ["GENE1", "GENE2"], covariates=["batch"], **SET)
    assert (found.flags, found.p_value, found.method) == (("not_estimable",), None, METHODS["direction"])
    assert found.effect > 0
    assert "could not be fitted" in found.note


def test_an_interaction_of_a_set_is_the_difference_of_differences():
    noisy = [value + step for value, step in zip(FOUR * 3, RANDOM.normal(0, 0.01, 12), strict=True)]
    for per_cell, gene in ((3, noisy), (1, FOUR)):
        data = crossed(per_cell, GENE1=gene, GENE2=[2 * value for value in gene])
        found, _ = run(data, ["GENE1", "GENE2"], interaction=KNOCK_OUT, **SET)
        assert found.effect == pytest.approx(3.0, abs=0.05)  # the mean of 2 and 4
        assert (found.p_value is None) == (per_cell == 1)


def test_that_models_of_genes_fail_is_nothing_to_a_set():
    """Every gene is 0 in some sample: no size factors for a count model, and a mean all the same."""
    group = group_column(3, 3)
    genes = {"GENE1": [9, 9, 9, 0, 1, 1], "GENE2": [0, 9, 8, 2, 1, 1], "OTHER": [5, 5, 5, 5, 0, 5]}
    found, _ = run(expression(genes, {"group": group}, "counts"), ["GENE1", "GENE2"], **SET)
    assert found.flags == ()
    assert found.p_value is not None


def test_least_squares_agrees_with_student_and_refuses_what_has_no_answer():
    design = np.column_stack([np.ones(9), np.array(GROUP) == "case"]).astype(float)
    found = least_squares(np.array(CASES + CONTROLS), design, np.array([0.0, 1.0]))
    student = stats.ttest_ind(CASES, CONTROLS)
    assert (found["statistic"], found["p_value"]) == pytest.approx((student.statistic, student.pvalue))
    assert least_squares(np.ones(9), np.ones((9, 2)), np.array([0.0, 1.0])) is None
    assert least_squares(np.ones(2), np.array([[1.0, 0], [1, 1]]), np.array([0.0, 1.0])) is None


# Strata and sources


def test_every_stratum_has_its_estimate_and_small_ones_are_listed():
    organ = ["A", "A", "A", "B", "A", "A", "A", "B", "B"]
    (found,), table = differential_expression(
        contrast_test(strata="organ"), two_groups("log2_tpm", organ=organ), []
    )
    assert (found.stratum, found.n) == ("A", 6)
    assert found.effect == pytest.approx(np.mean(CASES[:3]) - np.mean(CONTROLS[:3]))
    assert found.note == "Too few samples in B (1 against 2)."
    both, table = differential_expression(
        contrast_test(strata="organ", min_per_group=1), two_groups("log2_tpm", organ=organ), []
    )
    assert [(one.stratum, one.flags) for one in both] == [("A", ()), ("B", ("one_replicate",))]
    assert table.groupby("stratum")["n"].first().to_dict() == {"A": 6, "B": 3}
    assert pd.Series(table["stratum"]).value_counts().to_dict() == {"A": 61, "B": 61}


@pytest.mark.parametrize("genes", [(), ("GENE1", "OTHER1")])
def test_groups_of_different_sources_are_flagged(genes):
    test = {"feature": {"gene_set": list(genes)}} if genes else {}
    apart = two_groups(study=["TCGA"] * 4 + ["GTEX"] * 5)
    assert run(apart, genes, "study", **test)[0].flags == ("source_confounded",)
    together = two_groups(study=["TCGA"] * 5 + ["GTEX"] * 4)
    assert run(together, genes, "study", **test)[0].flags == ()
    assert run(apart, genes, None, **test)[0].flags == ()


# In a job: several data sets, some of which cannot be used


PRESENT = Ledger(status="present")
ABSENT = Ledger(status="absent", reason="organism: Mus musculus; expected Homo sapiens")


def job(data, ledgers, run_name="public", a=None, file="study.yaml", **test):
    """The rows and tables of one test on data sets a and b."""
    slice_ = {
        "study": "a_study",
        "file": file,
        "datasets": {"a": a or geo_dataset(), "b": geo_dataset(series="GSE2")},
        "tests": [
            {"claim": "C1", "rule": "pooled", "expected": "positive", "test": expression_test(**test)},
        ],
    }

    def analyse(one, name, described, where):
        found, table = differential_expression(one, data[name], [])
        return found, where.table(
            found[0].method, "log2_fold_change", {str(key): table[key] for key in table}
        )

    def known(name):
        return set(data[name].var_names)

    return run_each(
        slice_,
        run_name,
        dict(zip("ab", ledgers, strict=True)),
        known,
        lambda one: [one.feature.gene],
        analyse,
    )


def test_an_absent_data_set_is_invalid_and_the_others_go_on():
    rows, tables = job({"a": empty(), "b": two_groups()}, (ABSENT, PRESENT))
    assert [(row.dataset, row.outcome, row.flags, row.n) for row in rows] == [
        ("a", "invalid", "absent", None),
        ("b", None, "", 9),
    ]
    assert rows[0].note == "organism: Mus musculus; expected Homo sapiens"
    assert {key: len(table) for key, table in tables.items()} == {"up/a": 0, "up/b": 61}
    assert tables["up/a"].columns.tolist() == tables["up/b"].columns.tolist()


def test_groups_that_a_data_set_lacks_are_invalid_there():
    other = two_groups()
    other.obs["group"] = "case"
    rows, _ = job({"a": two_groups(), "b": other}, (PRESENT, PRESENT))
    assert [(row.outcome, row.flags) for row in rows] == [(None, ""), ("invalid", "absent")]
    assert rows[1].note == "no sample is in the control group: group is control (group holds: case)"


def test_a_gene_that_one_data_set_lacks_is_invalid_there():
    other = two_groups()[:, 1:].copy()
    rows, _ = job({"a": two_groups(), "b": other}, (PRESENT, PRESENT))
    assert [(row.outcome, row.flags) for row in rows] == [(None, ""), ("invalid", "not_on_platform")]


def test_a_gene_that_no_data_set_knows_is_most_likely_misspelt(tmp_path):
    file = write_study(study_values(), tmp_path)
    data = {"a": two_groups(), "b": two_groups()}
    with pytest.raises(UserError) as caught:
        job(data, (PRESENT, PRESENT), file=str(file), feature={"gene": "GEEN1"})
    line = next(i for i, text in enumerate(file.read_text().splitlines(), start=1) if '"feature"' in text)
    assert str(caught.value).startswith(f"{file}:{line}: claims.C1.tests.up.feature: ")
    assert "gene 'GEEN1' is in none of its data sets (a, b); did you mean GENE1?" in str(caught.value)


def test_without_any_data_set_no_gene_is_called_unknown():
    rows, _ = job({"a": empty(), "b": empty()}, (ABSENT, ABSENT))
    assert [row.outcome for row in rows] == ["invalid", "invalid"]


@pytest.mark.parametrize(
    ("run_name", "simulated", "local", "kind"),
    [
        ("public", False, False, "public"),
        ("as_claimed", False, False, "simulated"),
        ("public", True, False, "simulated"),
        ("public", False, True, "local"),
        ("as_claimed", False, True, "local"),  # the user's own files are not simulated
        ("public", True, True, "simulated"),  # unless they say so themselves
    ],
)
def test_a_row_says_what_it_rests_on(run_name, simulated, local, kind):
    own = geo_dataset(source="file", format="h5ad", path="x.h5ad")
    del own["series"], own["expression"]
    ledger = Ledger(status="present", simulated=simulated)
    data = {"a": two_groups(), "b": two_groups()}
    rows, _ = job(data, (ledger, PRESENT), run_name, a=own if local else None)
    assert rows[0].data == kind
