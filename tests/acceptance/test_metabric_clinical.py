"""METABRIC's real clinical table as a local clinical_table: the numbers that others counted in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest
from builders import dataset
from pydantic import TypeAdapter
from realfile import real_file

from reclaim.dataset import Dataset
from reclaim.ledger import Ledger
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import requests_for

DOWNLOAD = "brca_metabric_clinical_data.tsv.gz"
WITH_GENES = "metabric_clinical_and_expression_data.csv.gz"


def load(realdata: Path, name: str, **keys: Any) -> tuple[anndata.AnnData, Ledger]:
    path = real_file(realdata / "metabric" / name)
    values = dataset(source="file", format="clinical_table", path=str(path), **keys)
    del values["study"]
    one = TypeAdapter(Dataset).validate_python(values)
    receipt = make_receipt("metabric", requests_for(one, Path()), Access(Path()))
    return load_expression(one, receipt, Path(), None)


@pytest.fixture(scope="module")
def metabric(realdata: Path) -> pd.DataFrame:
    data, ledger = load(realdata, DOWNLOAD, sample_column="Sample ID", patient_column="Patient ID")
    assert (ledger.status, data.shape, data.uns["unit"]) == ("present", (2509, 0), "none")
    assert list(ledger.dropped) == ["cells that say NA, read as missing"]
    samples: pd.DataFrame = data.obs
    return samples


def test_every_patient_is_there_once(metabric: pd.DataFrame) -> None:
    assert metabric.index[0] == "MB-0000"
    assert metabric["patient"].is_unique
    assert metabric.shape[1] == 35 + 1


def test_labels_are_spelled_as_in_the_table_and_missing_ones_are_empty(metabric: pd.DataFrame) -> None:
    assert metabric["ER status measured by IHC"].value_counts().to_dict() == {
        "Positve": 1817,
        "Negative": 609,
        "": 83,
    }
    # 528 patients have no status of survival and 529 no subtype; the label NC is one.
    assert metabric["Overall Survival Status"].value_counts().to_dict() == {
        "1:DECEASED": 1144,
        "0:LIVING": 837,
        "": 528,
    }
    subtype = metabric["Pam50 + Claudin-low subtype"].value_counts()
    assert (subtype[""], subtype["NC"], "NA" in subtype) == (529, 6, False)
    assert (metabric["3-Gene classifier subtype"] == "ER-/HER2-").sum() == 309


def test_breast_cancer_deaths_come_late(metabric: pd.DataFrame) -> None:
    """646 of them, 48 % after five years and 20 % after ten."""
    died = metabric["Patient's Vital Status"] == "Died of Disease"
    months = metabric.loc[died, "Overall Survival (Months)"].astype(float)
    assert len(months) == 646
    assert [round(100 * (months > 12 * years).mean()) for years in (5, 10)] == [48, 20]


def test_tumours_without_the_three_receptors_are_selected(realdata: Path) -> None:
    negative = {"ER_status": "Negative", "PR_status": "Negative", "HER2_status": "Negative"}
    data, ledger = load(realdata, WITH_GENES, samples=negative)
    assert [step.samples for step in ledger.flow] == [1904, 299]
    assert data.n_obs == 299
