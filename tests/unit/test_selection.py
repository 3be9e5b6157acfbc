"""Structured filters on sample tables."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from reclaim.errors import AbsentData
from reclaim.selection import Selection, describe, select

TABLE = pd.DataFrame(
    {
        "CODE": ["PAAD", "NET", "PAAD", None],
        "AGE": ["41", "60", "n/a", "75"],
        "STAGE": ["I", "II", "IIA", "III"],
    }
)


def chosen(selection: dict[str, Any]) -> list[int]:
    parsed = TypeAdapter(Selection).validate_python(selection)
    return list(TABLE.index[select(TABLE, parsed)])


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"CODE": "PAAD"}, [0, 2]),
        ({"CODE": ["PAAD", "NET"]}, [0, 1, 2]),
        ({"CODE": {"not": "PAAD"}}, [1, 3]),
        ({"CODE": {"not": ["PAAD", "NET"]}}, [3]),
        ({"AGE": {"at_least": 60}}, [1, 3]),
        ({"AGE": {"at_least": 41, "at_most": 60}}, [0, 1]),
        ({"AGE": 60}, [1]),
        ({"STAGE": {"matches": "^II"}}, [1, 2, 3]),
        ({"STAGE": {"matches": "II", "not": {"matches": "III"}}}, [1, 2]),
        ({"CODE": "PAAD", "AGE": {"at_most": 50}}, [0]),
        ({"any_of": [{"CODE": "NET"}, {"STAGE": "III"}]}, [1, 3]),
        ({"any_of": [{"CODE": "PAAD", "STAGE": "I"}, {"AGE": {"at_least": 70}}]}, [0, 3]),
        ({"STAGE": {"matches": "^II"}, "any_of": [{"CODE": "PAAD"}, {"CODE": "NET"}]}, [1, 2]),
    ],
)
def test_select(selection: dict[str, Any], rows: list[int]) -> None:
    assert chosen(selection) == rows


def test_a_column_that_is_not_there_says_which_are() -> None:
    with pytest.raises(
        AbsentData, match=r"no column 'COD'; did you mean CODE\? \(columns: CODE, AGE, STAGE\)"
    ):
        chosen({"COD": "PAAD"})


@pytest.mark.parametrize("selection", [{"any_of": "PAAD"}, {"any_of": ["PAAD"]}, {"CODE": [{"STAGE": "I"}]}])
def test_alternatives_stand_under_any_of_and_only_there(selection: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="any_of"):
        chosen(selection)


def test_a_column_of_an_alternative_that_is_not_there_is_told() -> None:
    with pytest.raises(AbsentData, match="no column 'COD'"):
        chosen({"any_of": [{"CODE": "PAAD"}, {"COD": "NET"}]})


@pytest.mark.parametrize("condition", [{}, {"matches": "("}, {"matches": "a", "like": "b"}])
def test_bad_conditions_are_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        chosen({"CODE": condition})


def test_in_words() -> None:
    parsed = TypeAdapter(Selection).validate_python(
        {"CODE": ["PAAD", "NET"], "AGE": {"at_least": 20, "at_most": 90}, "STAGE": {"not": "I"}}
    )
    assert describe(parsed) == "CODE is one of PAAD, NET; AGE at least 20 and at most 90; STAGE not: is I"
    either = TypeAdapter(Selection).validate_python({"any_of": [{"CODE": "PAAD"}, {"STAGE": "I", "AGE": 60}]})
    assert describe(either) == "CODE is PAAD or STAGE is I; AGE is 60"
