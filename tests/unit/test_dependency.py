"""Gene effects of knock-outs: against scipy's t tests, with every guard, as planned and as calibrated."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders import claim, contrast_test, dataset, study_values
from builders import expression as samples_of
from pydantic import ValidationError
from scipy import stats

from reclaim.analyses.dependency import dependency
from reclaim.calibration.arrangements import PERMUTATIONS
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import DependencyFrame, Material, frames_of
from reclaim.calibration.record import ClaimCalibration
from reclaim.claim_tests import Dependency
from reclaim.errors import AbsentData, UserError
from reclaim.evidence import Estimate, EvidenceRow, Setting
from reclaim.expression import GENE_EFFECT, validated
from reclaim.judging import judge_claim
from reclaim.margins import MARGIN
from reclaim.mean_tests import one_sample_t, welch_t
from reclaim.plan import make_plan
from reclaim.report.measures import measure
from reclaim.report.operation import subject
from reclaim.report.words import scale_of
from reclaim.study import Study
from reclaim.study_file import read_study
from reclaim.study_mistakes import mistakes_of

GENES = [f"G{number:04d}" for number in range(1300)]
CASE, CONTROL = 12, 40


def screens(case: int = CASE, control: int = CONTROL, seed: int = 1, **means: float) -> ad.AnnData:
    """Lines x 1,300 genes and those named, of which `means` are the mean gene effects of the case lines; a tenth of the
    others is essential, and GAPS lacks a value in every third line."""
    generator = np.random.default_rng(seed)
    names = ["GAPS", "ALL", *means, *GENES]
    level = np.where(np.arange(len(names)) % 10 == 3, -1.0, 0.0)
    level[: 2 + len(means)] = 0
    level[1] = -1.1
    values = level + generator.normal(0, 0.2, (case + control, len(names)))
    for gene, mean in means.items():
        values[:case, names.index(gene)] += mean
    values[::3, 0] = np.nan
    obs = pd.DataFrame({"disease": ["Myeloma"] * case + ["Other"] * control}, dtype=object)
    obs.index = pd.Index([f"ACH-{i:06d}" for i in range(len(obs))])
    return ad.AnnData(
        values.astype(np.float32),
        obs=obs,
        var=pd.DataFrame({"locus_group": "protein-coding gene"}, index=names),
        uns={"unit": GENE_EFFECT},
    )


def values_of(test_id: str = "needed", gene: str = "IRF4", **changes: Any) -> dict[str, Any]:
    return {
        "id": test_id,
        "role": "primary",
        "analysis": "dependency",
        "datasets": ["a"],
        "feature": {"gene": gene},
        "contrast": {"case": {"disease": "Myeloma"}, "control": {"disease": {"not": "Myeloma"}}},
        **changes,
    }


def needed(**changes: Any) -> Dependency:
    return Dependency.model_validate(values_of(**changes))


def only(test: Dependency, data: ad.AnnData) -> Estimate:
    (found,), _ = dependency(test, data)
    return found


DATA = screens(IRF4=-1.2)


# Numbers


@pytest.mark.parametrize("gene", ["IRF4", "ALL", "GAPS", "G0000", "G0001"])
def test_the_mean_is_that_of_scipy(gene: str) -> None:
    found = only(needed(gene=gene), DATA)
    values = DATA[:CASE, gene].X[:, 0].astype(float)
    values = values[~np.isnan(values)]
    theirs = stats.ttest_1samp(values, 0, alternative="less")
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    assert found.effect == pytest.approx(values.mean())
    assert found.se == pytest.approx(stats.sem(values))
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))
    assert found.statistic == pytest.approx(theirs.statistic)
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert (found.n, found.groups["case"], found.effect_name) == (len(values), len(values), "gene_effect")


@pytest.mark.parametrize("gene", ["IRF4", "ALL", "GAPS", "G0000", "G0001"])
def test_the_difference_is_that_of_scipy(gene: str) -> None:
    found = only(needed(gene=gene, effect="difference", expected="positive"), DATA)
    values = DATA[:, gene].X[:, 0].astype(float)
    theirs = stats.ttest_ind(values[:CASE], values[CASE:], equal_var=False, nan_policy="omit")
    interval = theirs.confidence_interval()
    assert found.effect == pytest.approx(np.nanmean(values[:CASE]) - np.nanmean(values[CASE:]))
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))
    assert found.statistic == pytest.approx(theirs.statistic)
    assert found.p_value == pytest.approx(theirs.pvalue / 2 if found.effect > 0 else 1 - theirs.pvalue / 2)
    known = ~np.isnan(values)
    assert found.groups == {"case": known[:CASE].sum(), "control": known[CASE:].sum()}
    assert found.n == known.sum()
    assert found.effect_name == "gene_effect_difference"


@pytest.mark.parametrize("effect", ["mean", "difference"])
def test_the_table_holds_every_gene_and_the_estimate_is_its_row(effect: str) -> None:
    test = needed(effect=effect)
    (found,), table = dependency(test, DATA)
    assert list(table["feature"]) == list(DATA.var_names)
    row = table.set_index("feature").loc["IRF4"]
    assert (row["n"], row["stratum"]) == (found.n, "all")
    assert row[["effect", "se", "ci_low", "ci_high", "statistic", "q_value"]].tolist() == pytest.approx(
        [found.effect, found.se, found.ci_low, found.ci_high, found.statistic, found.q_value]
    )
    assert row["p_value"] == pytest.approx(2 * found.p_value)  # two-sided
    known = table["p_value"].dropna()
    assert table["q_value"].dropna().to_numpy() == pytest.approx(stats.false_discovery_control(known))
    assert table.attrs["effect_name"] == found.effect_name


def test_features_without_spread_or_with_one_value_have_no_interval() -> None:
    values = np.array([[1.0, 2.0, np.nan], [1.0, np.nan, np.nan], [1.0, np.nan, np.nan]])
    mean = one_sample_t(values)
    assert mean["n"].tolist() == [3, 1, 0]
    assert mean["effect"].tolist()[:2] == [1, 2]
    assert np.isnan(mean["effect"][2])
    assert mean[["se", "ci_low", "ci_high", "statistic", "p_value", "q_value"]].isna().all(axis=None)
    both = welch_t(np.vstack([values, values]), [True] * 3 + [False] * 3)
    assert both["effect"].tolist()[:2] == [0, 0]
    assert both[["se", "p_value"]].isna().all(axis=None)


def test_eighteen_thousand_genes_are_many_blocks_and_the_same_numbers(monkeypatch: Any) -> None:
    whole = welch_t(DATA.X, np.arange(CASE + CONTROL) < CASE)
    monkeypatch.setattr("reclaim.mean_tests.VALUES_AT_A_TIME", 600)
    pd.testing.assert_frame_equal(whole, welch_t(DATA.X, np.arange(CASE + CONTROL) < CASE))


# What a reader is told


def test_both_means_and_the_difference_are_told_whatever_the_effect() -> None:
    mean, difference = (only(needed(effect=effect), DATA) for effect in ("mean", "difference"))
    values = DATA[:, "IRF4"].X[:, 0].astype(float)
    welch = stats.ttest_ind(values[:CASE], values[CASE:], equal_var=False).confidence_interval()
    assert mean.note == difference.note
    assert mean.note == (
        f"Mean gene effect {values[:CASE].mean():.2f} in 12 case lines and "
        f"{np.round(values[CASE:].mean(), 2) + 0.0:.2f} in 40 control lines; difference "
        f"{values[:CASE].mean() - values[CASE:].mean():.2f} (95 % interval {welch.low:.2f} to {welch.high:.2f})."
    )


def test_a_gene_that_every_line_needs_shows_as_one() -> None:
    found = only(needed(gene="ALL"), DATA)
    assert "The control lines need the gene, too." in found.note
    assert found.effect is not None
    assert found.effect < -1
    assert abs(only(needed(gene="ALL", effect="difference"), DATA).effect or 9) < 0.3


def test_lines_without_a_value_are_left_out_and_told() -> None:
    assert "Left out: 18 lines without a value of the gene." in only(needed(gene="GAPS"), DATA).note


def test_the_words_of_the_report() -> None:
    mean, difference = needed(), needed(effect="difference")
    assert scale_of("gene_effect").name == "gene effect (Chronos)"
    assert scale_of("gene_effect_difference").name == "difference of gene effects (Chronos)"
    assert MARGIN["gene_effect"] == MARGIN["gene_effect_difference"] == 0.5
    assert subject(mean) == "knock-out of IRF4, disease is Myeloma against disease not: is Myeloma"
    assert subject(difference).endswith("(difference)")
    assert "10.1186/s13059-021-02540-7" in measure(mean, {})
    assert "minus that in lines with" in measure(difference, {})


# Guards


@pytest.mark.parametrize(
    ("case", "flag"), [(1, ("one_replicate",)), (2, ("two_replicates",)), (3, ())], ids=str
)
@pytest.mark.parametrize("effect", ["mean", "difference"])
def test_fewer_than_three_case_lines_have_a_direction_only(case: int, flag: tuple[str], effect: str) -> None:
    found = only(needed(effect=effect), screens(case=case, IRF4=-1.2))
    assert found.flags == flag
    assert found.valid
    assert found.effect is not None
    assert found.effect < -0.8
    missing = [found.se, found.ci_low, found.ci_high, found.p_value, found.statistic]
    assert all(number is None for number in missing) == bool(flag)
    assert ("interval" in found.note) == (case > 2)


def test_few_control_lines_are_nothing_to_a_mean() -> None:
    data = screens(control=2, IRF4=-1.2)
    assert only(needed(), data).flags == ()
    assert only(needed(effect="difference"), data).flags == ("two_replicates",)


def test_a_gene_that_is_not_there() -> None:
    found = only(needed(gene="NONE"), DATA)
    assert (found.valid, found.flags, found.effect) == (False, ("not_on_platform",), None)
    assert "NONE is not among the 1,303 genes" in found.note


def test_a_gene_without_values() -> None:
    data = DATA.copy()
    data.X[:CASE, 2] = np.nan
    found = only(needed(), data)
    assert (found.valid, found.flags, found.effect) == (False, ("not_detected",), None)
    assert found.note.startswith("No case line has a value of the gene.")
    data.X[:, 2] = 0.25
    assert only(needed(), data).flags == ("not_estimable",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"samples": {"disease": "X"}}, "no cell line meets: disease is X .disease holds: Myeloma, Other."),
        (
            {"contrast": {"case": {"disease": {"matches": "^PCM"}}, "control": {"disease": "Other"}}},
            "no sample is in the case group: disease matches /.PCM/ .disease holds: Myeloma, Other.",
        ),
        (
            {"contrast": {"case": {"disease": "Other"}, "control": {"disease": "X"}}},
            "no sample is in the control group: disease is X .disease holds: Myeloma, Other.",
        ),
        (
            {"contrast": {"case": {"disease": "Other"}, "control": {"disease": {"not": "X"}}}},
            "is both case and control",
        ),
        ({"contrast": {"case": {"diseas": "O"}, "control": {"disease": "X"}}}, "no column 'diseas'; did you"),
    ],
)
def test_groups_that_cannot_be_formed(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(AbsentData, match=told):
        dependency(needed(**changes), DATA)


def test_lines_of_different_projects() -> None:
    data = DATA.copy()
    data.obs["project"] = data.obs["disease"]
    for effect, flags in (("mean", ()), ("difference", ("source_confounded",))):
        (found,), _ = dependency(needed(effect=effect), data, "project")
        assert found.flags == flags


# The study file and the plan


def a_study(*tests: dict[str, Any], **changes: Any) -> dict[str, Any]:
    crispr = dataset(source="depmap", release="24Q4")
    del crispr["study"]
    claims = [claim(test, claim_id=f"C{i}") for i, test in enumerate(tests or [values_of()], 1)]
    return study_values(*claims) | {"datasets": {"a": crispr}} | changes


def test_expression_and_gene_effects_are_not_taken_for_each_other() -> None:
    assert validated(DATA) is DATA
    wrong = contrast_test().model_dump(by_alias=True, exclude_none=True)
    (mistake,) = mistakes_of(Study.model_validate(a_study(wrong)))
    assert "differential_expression runs on expression, but data set 'a' holds dependency" in mistake[1]
    geo = dataset(source="geo", series="GSE1", expression="ncbi_counts")
    del geo["study"]
    (mistake,) = mistakes_of(Study.model_validate(a_study(datasets={"a": geo})))
    assert "dependency runs on dependency, but data set 'a' holds expression" in mistake[1]


def test_a_set_is_refused() -> None:
    test = values_of()
    test["feature"] = {"gene_set": ["IRF4", "IRF8"]}
    (mistake,) = mistakes_of(Study.model_validate(a_study(test)))
    assert "dependency looks at one gene; name it under gene" in mistake[1]


def test_another_effect_is_refused() -> None:
    with pytest.raises(ValidationError, match="mean"):
        needed(effect="median")


def test_the_plan_reads_symbols_and_hands_full_results_to_calibration(tmp_path: Any) -> None:
    path = tmp_path / "a_study.yaml"
    path.write_text(json.dumps(a_study()))
    plan = make_plan({"studies": [str(path)]}, tmp_path)
    assert plan.names_of("a_study", "dependency") == ["a"]
    assert list(read_study(path).references()) == ["hgnc"]
    (job,) = plan.analyses()
    assert (job.analysis, job.data) == ("dependency", ["results/{run}/a_study/data/a.h5ad"])
    (calibration,) = plan.calibrations()
    assert calibration.tables == {"needed/a": "results/{run}/a_study/needed/a.parquet"}
    assert calibration.expression == {"a": "results/{run}/a_study/data/a.h5ad"}


def test_a_misspelt_file_is_one_line(tmp_path: Any) -> None:
    test = values_of()
    test["effekt"] = "mean"
    path = tmp_path / "a_study.yaml"
    path.write_text(json.dumps(a_study(test), indent=1))
    with pytest.raises(UserError, match="unknown key 'effekt'; did you mean effect"):
        read_study(path)


# Calibration


def analysed(study: Study, data: ad.AnnData) -> tuple[Material, list[EvidenceRow]]:
    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}
    for one, test in study.tests():
        assert isinstance(test, Dependency)
        found, table = dependency(test, data)
        setting = Setting(
            run="own", study=study.id, claim=one.id, test=test.id, role=test.role, rule="pooled",
            analysis=test.analysis, specification="", dataset="a", tier="matched", independent=True,
            data="local", expected=test.expected,
        )  # fmt: skip
        rows += [setting.row(estimate) for estimate in found]
        columns = {str(key): table[key] for key in table.columns}
        tables[f"{test.id}/a"] = setting.table(table.attrs["method"], table.attrs["effect_name"], columns)
    return Material(study, lambda name: data, tables.__getitem__, {}, 1), rows


def calibrated(data: ad.AnnData, **changes: Any) -> ClaimCalibration:
    found = calibrate_study(*analysed(Study.model_validate(a_study(values_of(**changes))), data))
    (one,) = found.claims
    return one


def test_a_difference_is_held_against_permuted_labels_and_comparable_genes() -> None:
    one = calibrated(DATA, effect="difference")
    assert one.null_rate is not None
    # Dealt out among 52 lines, 12 low ones give a difference of 0.5 once in a while.
    assert one.null_rate.share < 0.02
    assert one.null_rate.n == PERMUTATIONS
    assert one.background_rate is not None
    assert (one.background_rate.share, one.background_rate.n) == (0, 1000)


def test_a_mean_has_no_labels_and_is_held_against_comparable_genes() -> None:
    one = calibrated(DATA)
    assert one.null_rate is None
    assert one.null_gap == "a mean of one group of lines has no labels to permute (a)"
    assert one.background_rate is not None
    assert one.background_rate.share < 0.2


def test_of_a_gene_that_every_line_needs_comparable_genes_pass_too() -> None:
    one = calibrated(DATA, gene="ALL")
    assert one.matched is not None
    # 130 of 1,300 genes are as low in the control lines, and the nearest 1,000 hold all of them.
    assert one.matched.share == pytest.approx(0.13, abs=0.005)


def test_genes_are_not_matched_on_what_only_expression_has() -> None:
    one = calibrated(DATA, effect="difference")
    assert [item.name for item in one.balance][:2] == ["mean in the reference arm", "spread within groups"]
    assert "detection" not in [item.name for item in one.balance]
    assert one.loadings == ["the difference between the arms"]


def test_lines_without_a_value_of_the_subject_are_no_part_of_its_calibration() -> None:
    data = screens(IRF4=-1.2)
    data.X[[1, 30], 2] = np.nan
    study = Study.model_validate(a_study(values_of(effect="difference")))
    material, rows = analysed(study, data)
    judged = judge_claim(study.claims[0], rows, {}, 1, {})
    (test,) = [test for _, test in study.tests()]
    (frame,) = frames_of(material, test, judged.primary)
    assert isinstance(frame, DependencyFrame)
    assert (frame.part.n_obs, frame.case.sum()) == (CASE + CONTROL - 2, CASE - 1)
    assert frame.purity is None
    # The estimate of the subject in its own place is that of the row.
    own = frame.numbers(np.array([["IRF4"]], object), 0)
    assert own["effect"].tolist() == pytest.approx([rows[0].effect])
    assert calibrate_study(material, rows).claims[0].background_gap == ""


def test_permuted_labels_are_those_of_a_plain_loop() -> None:
    study = Study.model_validate(a_study(values_of(effect="difference")))
    material, rows = analysed(study, DATA)
    judged = judge_claim(study.claims[0], rows, {}, 1, {})
    (test,) = [test for _, test in study.tests()]
    (frame,) = frames_of(material, test, judged.primary)
    found = frame.permuted()
    assert len(found) == PERMUTATIONS
    assert abs(found["effect"].mean()) < 0.05
    again = replace(frame).permuted()
    pd.testing.assert_frame_equal(found, again)
    values = DATA[:, "IRF4"].X[:, 0].astype(float)
    generator = frame.generator()
    order = generator.permuted(np.tile(np.arange(len(values)), (PERMUTATIONS, 1)), axis=1)
    for number in (0, 7, 999):
        shuffled = values[order[number]]
        theirs = stats.ttest_ind(shuffled[:CASE], shuffled[CASE:], equal_var=False).confidence_interval()
        assert found.iloc[number][["ci_low", "ci_high"]].tolist() == pytest.approx([theirs.low, theirs.high])


def test_too_few_lines_have_no_labels_to_permute() -> None:
    one = calibrated(screens(case=4, IRF4=-1.2), effect="difference")
    assert one.null_gap == "4 samples in the smaller arm, 5 are needed (a)"


def test_gene_effects_are_no_unit_of_expression() -> None:
    with pytest.raises(ValueError, match=r"unit .gene_effects. is none of counts, .*, gene_effect$"):
        validated(samples_of({"A": [1.0]}, {"x": ["y"]}, "gene_effects"))
