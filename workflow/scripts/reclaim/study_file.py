"""Reading a study file, and finding a place in it again."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from reclaim.errors import UserError
from reclaim.marked_yaml import MarkedDocument, Step, read_marked_yaml
from reclaim.model import explain
from reclaim.study import Study
from reclaim.study_mistakes import mistakes_of


def read_study(path: Path) -> Study:
    """Read and check one study file; raises UserError with one line per mistake."""
    document = read_marked_yaml(path)
    try:
        study = Study.model_validate(document.data)
    except ValidationError as error:
        raise UserError(explain(error, document.place)) from None
    mistakes = [f"{document.place(where)}: {text}" for where, text in mistakes_of(study)]
    if mistakes:
        raise UserError(mistakes)
    return study


def test_path(document: MarkedDocument, test_id: str) -> list[Step]:
    """The path of a test in a study document."""
    for i, claim in enumerate(document.data.get("claims", [])):
        for j, test in enumerate(claim.get("tests", [])):
            if test.get("id") == test_id:
                return ["claims", i, "tests", j]
    return []
