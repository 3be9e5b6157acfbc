"""A local clinical table: samples without genes, in the form that tests of follow-up read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from builders import claim, dataset, expression_test, geo_dataset, study_values
from pydantic import TypeAdapter, ValidationError

from reclaim.config import check_config
from reclaim.dataset import Dataset, kind_of
from reclaim.errors import UserError
from reclaim.expression import validated
from reclaim.ledger import Ledger
from reclaim.plan import CANONICAL, Plan
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import requests_for
from reclaim.study import Study

TABLE = "Sample ID\tPatient ID\tER status\tMonths\nS1\tP1\tPositve\t140.5\nS2\tP2\tNC\tNA\nS3\tP2\t\t12\n"


def described(**keys: Any) -> Any:
    values = dataset(**{"source": "file", "format": "clinical_table", "path": "t.tsv"} | keys)
    del values["study"]
    return TypeAdapter(Dataset).validate_python(values)


def load(folder: Path, content: str | bytes = TABLE, **keys: Any) -> tuple[anndata.AnnData, Ledger]:
    (folder / "t.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    one = described(**keys)
    receipt = make_receipt("a", requests_for(one, folder), Access(folder))
    return load_expression(one, receipt, folder, None)


def test_a_clinical_table_is_samples_without_genes(tmp_path: Path) -> None:
    data, ledger = load(tmp_path, patient_column="Patient ID")
    assert data.shape == (3, 0)
    assert data.uns["unit"] == "none"
    assert list(data.obs_names) == ["S1", "S2", "S3"]
    assert {column: list(data.obs[column]) for column in data.obs} == {
        "Sample ID": ["S1", "S2", "S3"],
        "Patient ID": ["P1", "P2", "P2"],
        "ER status": ["Positve", "NC", ""],  # as it is spelled there
        "Months": ["140.5", "", "12"],
        "patient": ["P1", "P2", "P2"],
    }
    assert ledger.dropped == {"cells that say NA, read as missing": 1}
    assert [(step.step, step.samples, step.patients) for step in ledger.flow] == [("listed", 3, 2)]


def test_it_survives_its_file(tmp_path: Path) -> None:
    data, _ = load(tmp_path, TABLE.replace("ER status", "ER/IHC"))
    data.write_h5ad(tmp_path / "a.h5ad", compression="gzip")
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert validated(again).shape == (3, 0)
    assert again.obs["ER or IHC"].tolist() == ["Positve", "NC", ""]
    assert "patient" not in again.obs


def test_samples_are_selected_and_columns_derived(tmp_path: Path) -> None:
    derive = {"er": {"from": "ER status", "values": {"positive": "Pos"}}}
    data, ledger = load(tmp_path, derive=derive, samples={"er": "positive"}, expect={"Months": 12})
    assert list(data.obs_names) == ["S1"]
    assert [step.samples for step in ledger.flow] == [3, 1]
    data, ledger = load(tmp_path, samples={"ER status": "Positive"})
    assert ledger.status == "absent"
    assert ledger.reason == "no sample meets: ER status is Positive (ER status holds: NC, Positve)"


@pytest.mark.parametrize(
    "content",
    [
        TABLE.replace("\t", ","),
        f"# a download\n#of a portal\n{TABLE}",
        TABLE.replace("\n", "\r\n"),
        "\ufeff" + TABLE,
        TABLE.replace("S1", '"S1"').replace("Patient ID", '"Patient ID"'),
        TABLE.rstrip("\n"),
        TABLE.replace("S2\t", "\n\nS2\t"),
    ],
    ids=["commas", "comments", "windows", "byte order mark", "quotes", "no end of line", "blank lines"],
)
def test_forms_of_a_table(content: str, tmp_path: Path) -> None:
    plain, _ = load(tmp_path)
    data, _ = load(tmp_path, content)
    pd.testing.assert_frame_equal(data.obs, plain.obs)


def test_a_quoted_cell_may_hold_what_parts_cells(tmp_path: Path) -> None:
    data, _ = load(tmp_path, 'id,site\nS1,"Breast, NOS"\nS2,"two\nlines ""here"""\n')
    assert data.obs["site"].tolist() == ["Breast, NOS", 'two\nlines "here"']


def test_latin_1_is_read_and_counted(tmp_path: Path) -> None:
    data, ledger = load(tmp_path, "id\tsite\nS1\tBrust\u00e4\nS2\tx\n".encode("latin-1"))
    assert data.obs["site"].tolist() == ["Brust\u00e4", "x"]
    assert ledger.dropped == {"lines that are not UTF-8, read as Latin-1": 1}


def test_the_sample_stands_in_the_first_column_or_in_the_one_named(tmp_path: Path) -> None:
    data, _ = load(tmp_path, sample_column="Months")
    assert list(data.obs_names) == ["140.5", "12"]
    data, ledger = load(tmp_path, TABLE + "\tP9\tx\t1\n")
    assert list(data.obs_names) == ["S1", "S2", "S3"]
    assert ledger.dropped["sample lines without a sample"] == 1


def test_row_names_without_a_name_are_the_samples(tmp_path: Path) -> None:
    data, _ = load(tmp_path, '"","age"\n"S1","40"\n"S2","50"\n')
    assert list(data.obs_names) == ["S1", "S2"]
    assert list(data.obs.columns) == ["age"]
    data.write_h5ad(tmp_path / "a.h5ad", compression="gzip")


@pytest.mark.parametrize(
    ("content", "keys", "told"),
    [
        (TABLE + "S9\tP9\t\t\nS1\tP1\t\t\n", {}, "t.tsv:6: the sample 'S1' stands already in line 2; leave one"),
        (TABLE, {"sample_column": "Sample id"}, "t.tsv:1: no column 'Sample id'; did you mean Sample ID?; name a column of this table under sample_column"),
        (f"#x\n{TABLE}", {"patient_column": "patient"}, "t.tsv:2: no column 'patient'; did you mean Patient ID?; name a column of this table under patient_column"),
        ('"age"\n"S1"\t40\n', {}, "t.tsv:2: 2 cells; expected 1, as many as there are names of columns"),  # R's write.table
        ("a\ta\nS1\t1\n", {}, "t.tsv:1: the column 'a' stands twice; rename one of them"),
        ('id\tsite\nS1\t"open\nS2\tx\n', {}, "t.tsv:3: quotes do not match (unexpected end of data); mend that line"),
        ("", {}, "t.tsv: empty; expected a header line and data"),
        ("# nothing\n", {}, "t.tsv: empty; expected a header line and data"),
    ],
)  # fmt: skip
def test_mistakes_in_a_table_are_told_with_their_line(
    content: str, keys: dict[str, str], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, content, **keys)
    assert told in str(error.value)


def test_keys_of_a_clinical_table_are_its_own() -> None:
    with pytest.raises(ValidationError, match="a clinical_table is its own sample table"):
        described(sample_table={"path": "s", "sample": "s", "patient": "p"})
    with pytest.raises(
        ValidationError, match="sample_column and patient_column are keys of a clinical_table"
    ):
        described(format="h5ad", sample_column="s")


def test_only_samples_without_genes_have_no_unit() -> None:
    data = anndata.AnnData(np.zeros((2, 1), np.float32), uns={"unit": "none"})
    with pytest.raises(ValueError, match="unit 'none' is none of counts"):
        validated(data)
    assert validated(data[:, :0].copy()).n_vars == 0


def test_the_plan_knows_where_it_lies_and_that_it_needs_no_symbols() -> None:
    clinical = dataset(source="file", format="clinical_table", path="t.tsv")
    del clinical["study"]
    endpoint = {"time": "Months", "time_unit": "months", "event": "Status", "event_values": ["dead"]}
    contrast = {"case": {"ER status": "Negative"}, "control": {"ER status": "Positive"}}
    survival = {"id": "os", "role": "primary", "analysis": "survival", "datasets": ["c"], "expected": "positive",
                "contrast": contrast, "endpoint": endpoint}  # fmt: skip
    alone = study_values(claim(survival)) | {"datasets": {"c": clinical}}
    tests = [survival, expression_test("up", "supporting", datasets=["a"])]
    beside = study_values(claim(*tests)) | {"datasets": {"a": geo_dataset(), "c": clinical}}
    for values, references in ((alone, []), (beside, ["hgnc"])):
        study = Study.model_validate(values)
        assert list(study.references()) == references
        plan = Plan(check_config({}), {"a_study": study}, {"a_study": Path("a_study.yaml")})
        assert plan.names_of("a_study", "clinical") == ["c"]
    assert CANONICAL[kind_of(described())] == ["h5ad"]
