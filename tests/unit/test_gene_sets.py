"""Gene sets by the names a study gives them."""

from pathlib import Path

import pytest

from reclaim.errors import UserError
from reclaim.gene_sets import read_library, study_sets
from reclaim.retrieve.receipt import Request
from reclaim.retrieve.retrieval import Access, make_receipt

GMT = "Interferon Alpha Response\t\tCXCL10\tISG15\nHypoxia\t\tCA9,1.0\tVEGFA,1.0\n"


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    """The receipt of a library that lies on disk."""
    (tmp_path / "sets.gmt").write_text(GMT)
    found = make_receipt("hallmark", [Request("gmt", path=tmp_path / "sets.gmt")], Access(tmp_path / "store"))
    path = tmp_path / "hallmark.json"
    path.write_text(found.model_dump_json())
    return path


def test_own_sets_and_sets_of_libraries_by_the_studys_names(receipt, tmp_path):
    named = {"own": ["A", "B"], "ifn": {"library": "hallmark", "set": "Interferon Alpha Response"}}
    assert study_sets(named, {"hallmark": receipt}, tmp_path) == {
        "own": ["A", "B"],
        "ifn": ["CXCL10", "ISG15"],
    }


def test_a_library_holds_all_its_sets(receipt, tmp_path):
    assert read_library(receipt, tmp_path)["Hypoxia"] == ["CA9", "VEGFA"]


def test_sets_of_a_library_that_a_job_does_not_read_are_left_out(tmp_path):
    named = {"own": ["A"], "ifn": {"library": "hallmark", "set": "Interferon Alpha Response"}}
    assert study_sets(named, {}, tmp_path) == {"own": ["A"]}


def test_a_set_that_the_library_lacks_is_told_with_the_nearest(receipt, tmp_path):
    named = {"ifn": {"library": "hallmark", "set": "Interferon Alfa Response"}}
    with pytest.raises(UserError) as caught:
        study_sets(named, {"hallmark": receipt}, tmp_path)
    assert str(caught.value) == (
        "gene_sets: ifn: library 'hallmark' has no set 'Interferon Alfa Response'; "
        "did you mean Interferon Alpha Response?; correct its name"
    )


def test_a_library_that_changed_after_its_receipt_is_refused(receipt, tmp_path):
    (tmp_path / "sets.gmt").write_text(GMT.replace("ISG15", "ISG20"))
    with pytest.raises(UserError, match="not the bytes of its receipt"):
        read_library(receipt, tmp_path)


def test_an_empty_set_of_a_library_is_told_with_its_line(receipt, tmp_path):
    (tmp_path / "sets.gmt").write_text("Full\t\tA\nEmpty\t\t\n")
    again = make_receipt("hallmark", [Request("gmt", path=tmp_path / "sets.gmt")], Access(tmp_path / "store"))
    receipt.write_text(again.model_dump_json())
    with pytest.raises(UserError, match=r"sets.gmt:2: the set 'Empty' has no name or no genes"):
        read_library(receipt, tmp_path)
