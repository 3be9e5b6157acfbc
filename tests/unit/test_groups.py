"""Which samples a contrast compares, and with which model."""

import numpy as np
import pandas as pd
import pytest
from builders import contrast_test, group_column

from reclaim.analyses.groups import Comparison, comparisons, share_no_source
from reclaim.errors import AbsentData


def samples(**columns) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=[f"S{i}" for i in range(length)], dtype=object)


def only(table: pd.DataFrame, **test) -> Comparison:
    (found,), left_out = comparisons(contrast_test(**test), table)
    assert left_out == []
    return found


# Groups


def test_samples_of_neither_group_do_not_count():
    found = only(samples(group=["case", "other", "control", None, "case"]))
    assert list(found.samples.index) == ["S0", "S2", "S4"]
    assert found.case.tolist() == [True, False, True]
    assert (found.stratum, found.sizes, found.smallest_cell) == ("all", {"case": 2, "control": 1}, 1)
    assert (found.formula, found.incomplete) == ("~ group", 0)


def test_the_assignment_can_be_read_in_the_log():
    assert only(samples(group=["case", "control", "case"])).in_words() == "case (2): S0, S2; control (1): S1"
    many = only(samples(group=group_column(14, 1))).in_words()
    assert many.startswith("case (14): S0, S1, ")
    assert "S11 and 2 more; control (1): S14" in many


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (["control", "control"], "no sample is in the case group: group is case"),
        (["case", "case"], "no sample is in the control group: group is control"),
        (["other", "other"], "no sample is in the case group"),
    ],
)
def test_an_empty_group_is_told(group, message):
    with pytest.raises(AbsentData, match=message):
        comparisons(contrast_test(), samples(group=group))


def test_a_sample_in_both_groups_is_told_by_name():
    contrast = {"case": {"group": "case"}, "control": {"age": {"at_least": 50}}}
    table = samples(group=["case", "case", "other"], age=["40", "60", "70"])
    with pytest.raises(AbsentData, match="contrast: sample S1 is both case and control"):
        comparisons(contrast_test(contrast=contrast), table)


@pytest.mark.parametrize(
    "test",
    [
        {"contrast": {"case": {"grup": "case"}, "control": {"group": "control"}}},
        {"covariates": ["grup"]},
        {"pairs": "grup"},
        {"strata": "grup"},
        {"interaction": {"case": {"grup": "x"}, "control": {"grup": "y"}}},
    ],
)
def test_a_column_that_is_not_there_is_told_with_the_nearest(test):
    with pytest.raises(AbsentData, match="no column 'grup'; did you mean group"):
        comparisons(contrast_test(**test), samples(group=["case", "control"]))


# Pairs


def test_only_complete_pairs_count_and_the_others_are_counted():
    # P1 is complete; P2 has a case only, P3 a control only, P4 a control and a sample of neither group.
    table = samples(
        group=["case", "control", "case", "control", "control", "other"],
        patient=["P1", "P1", "P2", "P3", "P4", "P4"],
    )
    found = only(table, pairs="patient")
    assert list(found.samples.index) == ["S0", "S1"]
    assert (found.incomplete, found.formula) == (3, "~ pair + group")
    assert list(found.samples["pair"].cat.categories) == ["P1"]


@pytest.mark.parametrize("missing", [None, "", " "])
def test_samples_without_a_patient_are_no_pair(missing):
    # A table on disk writes a missing value as empty text: two such samples are not of one patient.
    table = samples(group=["case", "control"] * 2, patient=["P1", "P1", missing, missing])
    found = only(table, pairs="patient")
    assert list(found.samples.index) == ["S0", "S1"]
    assert found.incomplete == 2


def test_without_any_complete_pair_the_test_cannot_run():
    table = samples(group=["case", "control"], patient=["P1", "P2"])
    with pytest.raises(AbsentData, match="no paired sample is in the case group"):
        comparisons(contrast_test(pairs="patient"), table)


# Strata


def stratified(**test):
    """A: 3 against 2. B: 1 against 3. C: 2 against none. D has neither. One sample has no stratum."""
    table = samples(
        group=["case"] * 3
        + ["control"] * 2
        + ["case"]
        + ["control"] * 3
        + ["case"] * 2
        + ["other"]
        + ["case"],
        organ=["A"] * 5 + ["B"] * 4 + ["C"] * 2 + ["D"] + [""],
    )
    return comparisons(contrast_test(strata="organ", **test), table)


def test_one_comparison_per_stratum_and_small_ones_are_listed():
    found, left_out = stratified()
    assert [(one.stratum, one.sizes) for one in found] == [("A", {"case": 3, "control": 2})]
    assert list(found[0].samples.index) == ["S0", "S1", "S2", "S3", "S4"]
    assert left_out == ["B (1 against 3)", "C (2 against 0)"]


def test_the_study_decides_what_is_small():
    found, left_out = stratified(min_per_group=1)
    assert [one.stratum for one in found] == ["A", "B"]
    assert left_out == ["C (2 against 0)"]


def test_without_any_stratum_that_is_large_enough_the_test_cannot_run():
    with pytest.raises(AbsentData, match="no stratum of organ has 4 samples in both groups"):
        stratified(min_per_group=4)


def test_pairs_are_made_within_a_stratum():
    table = samples(
        group=["case", "control"] * 2, patient=["P1", "P1", "P2", "P2"], organ=["A", "A", "A", "B"]
    )
    found, left_out = comparisons(contrast_test(strata="organ", pairs="patient", min_per_group=1), table)
    assert [(one.stratum, list(one.samples.index)) for one in found] == [("A", ["S0", "S1"])]
    assert left_out == []


# Covariates and interactions


def test_covariates_are_numbers_where_all_values_are():
    table = samples(group=group_column(2, 2), age=["40", "50", "61.5", "70"], sex=["F", "M", "F", "M"])
    found = only(table, covariates=["age", "sex"])
    assert found.formula == "~ covariate_0 + covariate_1 + group"
    assert found.samples["covariate_0"].tolist() == [40, 50, 61.5, 70]
    assert list(found.samples["covariate_1"].cat.categories) == ["F", "M"]


def test_a_sample_without_a_covariate_is_left_out_and_counted():
    # With S4's empty text as a value, every age would be a category of its own.
    table = samples(group=group_column(3, 3), age=["40", "50", "60", "70", "", "45"])
    found = only(table, covariates=["age"])
    assert found.incomplete == 1
    assert "S4" not in found.samples.index
    assert found.samples["covariate_0"].dtype == np.float64


@pytest.mark.parametrize("constant", ["F", "7"])
def test_a_constant_covariate_tells_nothing_and_is_left_out(constant):
    table = samples(group=group_column(2, 2), same=[constant] * 4, age=["1", "2", "1", "3"])
    assert only(table, covariates=["same", "age"]).formula == "~ covariate_1 + group"


def test_an_interaction_has_four_groups_of_which_the_smallest_counts():
    table = samples(
        group=["case", "case", "control", "control", "case", "control", "control", "case"],
        line=["KO", "WT", "KO", "WT", "KO", "WT", "KO", "other"],
    )
    found = only(table, interaction={"case": {"line": "KO"}, "control": {"line": "WT"}})
    assert found.formula == "~ group + modifier + group:modifier"
    # KO: 2 against 2; WT: 1 against 2.
    assert (found.sizes, found.smallest_cell) == ({"case": 3, "control": 4, "smallest_cell": 1}, 1)
    assert found.incomplete == 1  # S7 is of neither line


def test_an_empty_group_of_an_interaction_is_the_smallest():
    table = samples(group=["case", "control", "control"], line=["KO", "KO", "WT"])
    found = only(table, interaction={"case": {"line": "KO"}, "control": {"line": "WT"}})
    assert found.smallest_cell == 0


def test_a_sample_in_both_groups_of_an_interaction_is_told():
    interaction = {"case": {"line": "KO"}, "control": {"group": "case"}}
    with pytest.raises(AbsentData, match="interaction: sample S0 is both case and control"):
        comparisons(
            contrast_test(interaction=interaction), samples(group=["case", "control"], line=["KO", "KO"])
        )


# Groups from different sources


@pytest.mark.parametrize(
    ("study", "confounded"),
    [
        (["TCGA", "TCGA", "GTEX", "GTEX"], True),
        (["TCGA", "TCGA", "TCGA", "GTEX"], False),
        (["TCGA", "GTEX", "GTEX", "GTEX"], False),
        (["TCGA", "", "", "GTEX"], True),  # two samples of unknown source share none
    ],
)
def test_groups_that_share_no_source_are_confounded_with_it(study, confounded):
    table = samples(group=group_column(2, 2), study=study)
    found = only(table)
    assert share_no_source(found, table, "study") is confounded
    assert share_no_source(found, table, None) is False


def test_only_samples_that_are_compared_tell_of_sources():
    table = samples(group=["case", "control", "other"], study=["TCGA", "GTEX", "TCGA"])
    assert share_no_source(only(table), table, "study")


def test_a_source_column_that_is_not_there_is_told():
    table = samples(group=["case", "control"])
    with pytest.raises(AbsentData, match="no column 'study'"):
        share_no_source(only(table), table, "study")
