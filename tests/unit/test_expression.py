"""Expression as the workflow keeps it: its contract, derived columns, selection."""

import numpy as np
import pandas as pd
import pytest
from builders import expression
from pydantic import ValidationError
from scipy import sparse

from reclaim.errors import AbsentData, UserError
from reclaim.expression import derive_columns, empty, select_samples, validated
from reclaim.expression_dataset import DerivedColumn


def derived(text: list, values: dict, source: str = "title"):
    table = pd.DataFrame({source: text}, index=[f"S{i}" for i in range(len(text))], dtype=object)
    rule = DerivedColumn.model_validate({"from": source, "values": values})
    return derive_columns(table, {"drug": rule})


# The contract


@pytest.mark.parametrize("unit", ["counts", "log2_intensity", "log2_tpm", "log2_normalised_count"])
def test_what_keeps_the_contract_is_handed_on(unit):
    data = expression({"A": [1, 0], "B": [2, 5]}, {"sex": ["F", "M"]}, unit)
    assert validated(data) is data


@pytest.mark.parametrize("unit", ["none", "intensity", "tpm", None])
def test_an_unknown_unit_breaks_the_contract(unit):
    data = expression({"A": [1.0]}, {"sex": ["F"]})
    data.uns["unit"] = unit
    with pytest.raises(
        ValueError, match="is none of counts, log2_intensity, log2_tpm, log2_normalised_count"
    ):
        validated(data)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan])
def test_counts_are_whole_and_not_negative(value, packed):
    data = expression({"A": [1.0, value]}, {"sex": ["F", "M"]})
    data.uns["unit"] = "counts"
    if packed:
        data.X = sparse.csr_matrix(data.X)
    with pytest.raises(ValueError, match="counts must be whole and not negative"):
        validated(data)


@pytest.mark.parametrize(("axis", "name"), [("obs", "sample 'S0'"), ("var", "gene 'A'")])
@pytest.mark.filterwarnings("ignore:.*names are not unique")
def test_names_stand_once(axis, name):
    data = expression({"A": [1.0, 2], "B": [3, 4]}, {"sex": ["F", "M"]})
    setattr(data, f"{axis}_names", [getattr(data, f"{axis}_names")[0]] * 2)
    with pytest.raises(ValueError, match=f"{name} stands twice"):
        validated(data)


def test_an_absent_data_set_keeps_the_contract():
    assert validated(empty()).shape == (0, 0)


# Derived columns


def test_the_value_whose_text_a_sample_holds():
    found = derived(
        ["H1944_DMSO_1", "H1944_BAY_1", "H1944_rev", "other"],
        {"DMSO": "_DMSO_", "MPS1 inhibitor": ["_BAY_", "_rev"]},
    )
    assert found["drug"].tolist() == ["DMSO", "MPS1 inhibitor", "MPS1 inhibitor", None]
    assert found["title"].tolist()[0] == "H1944_DMSO_1"  # the source stays


def test_texts_are_taken_as_they_are():
    found = derived(["a.b", "axb", "A.B"], {"dotted": "a.b"})
    assert found["drug"].tolist() == ["dotted", None, None]


def test_a_sample_without_text_fits_no_value():
    assert derived([None, "", "x"], {"X": "x"})["drug"].tolist() == [None, None, "X"]


def test_a_sample_that_fits_two_values_is_an_error():
    with pytest.raises(UserError) as caught:
        derived(["DMSO_1", "DMSO then BAY"], {"DMSO": "DMSO", "BAY": "BAY"})
    assert str(caught.value) == (
        "derive: drug: sample S1 ('DMSO then BAY') is both DMSO and BAY; give texts that only one of them holds"
    )


def test_two_texts_of_one_value_may_both_be_there():
    assert derived(["DMSO vehicle"], {"control": ["DMSO", "vehicle"]})["drug"].tolist() == ["control"]


def test_a_source_column_that_is_not_there_is_told_with_the_nearest():
    rule = DerivedColumn.model_validate({"from": "titel", "values": {"X": "x"}})
    with pytest.raises(AbsentData, match="no column 'titel'; did you mean title"):
        derive_columns(pd.DataFrame({"title": ["x"]}), {"drug": rule})


@pytest.mark.parametrize("marks", ["", [], ["x", ""]])
def test_an_empty_text_would_fit_every_sample(marks):
    with pytest.raises(ValidationError, match="'X' has no text or an empty one"):
        DerivedColumn.model_validate({"values": {"X": marks}})


def test_a_table_without_samples_gets_its_column():
    assert "drug" in derived([], {"X": "x"})


# Selection


DATA = expression(
    {"A": [1.0, 2, 3, 4]}, {"sex": ["F", "F", "M", "F"], "patient": ["P1", "P1", "P2", "P3"]}, "log2_tpm"
)


def test_the_flow_counts_samples_and_patients_of_every_step():
    data, flow = select_samples(DATA, {"sex": "F"})
    assert list(data.obs_names) == ["S0", "S1", "S3"]
    assert [(step.step, step.samples, step.patients) for step in flow] == [
        ("listed", 4, 3),
        ("sex is F", 3, 2),
    ]


def test_without_patients_every_sample_is_one():
    data = DATA.copy()
    del data.obs["patient"]
    _, flow = select_samples(data, {})
    assert [(step.samples, step.patients) for step in flow] == [(4, 4)]


def test_a_selection_that_nothing_meets_is_told():
    with pytest.raises(AbsentData, match="no sample meets: sex is X"):
        select_samples(DATA, {"sex": "X"})
    with pytest.raises(AbsentData, match="no sample meets: the sample table"):
        select_samples(empty(), {})


def test_a_shuffled_column_deals_the_same_values_out_anew():
    samples = pd.DataFrame(
        {"status": ["Positive"] * 30 + ["Negative"] * 20}, index=[f"s{i}" for i in range(50)]
    )
    rule = {"dealt": DerivedColumn.model_validate({"from": "status", "shuffle": True})}
    found = derive_columns(samples, rule)["dealt"]
    assert sorted(found) == sorted(samples["status"])
    # By the names alone: in another order every sample has the value that it had.
    mixed = derive_columns(samples.sample(frac=1, random_state=1), rule)["dealt"]
    assert mixed.reindex(samples.index).tolist() == found.tolist()
    agreement = (found == samples["status"]).mean()
    assert 0.3 < agreement < 0.75  # 0.52 is expected
