"""Further sample tables of a Xena data set: which lines and columns find their samples, real and simulated."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import claim, dataset, expression_test, study_values
from pydantic import TypeAdapter, ValidationError

from reclaim.dataset import Dataset, XenaDataset
from reclaim.errors import AbsentData, UserError
from reclaim.expression_dataset import FurtherTable
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.hgnc import hgnc_complete_set
from reclaim.simulate.internet import simulate_study
from reclaim.simulate.xena import clinical_matrix, matrix_gz
from reclaim.sources.further_tables import check_found, with_further_tables
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import requests_for
from reclaim.study import Study
from reclaim.symbols import SymbolTable

SURVIVAL = {"table": "survival/BRCA_survival.txt", "key": "sample"}
PURITY = {"gdc_file": "4f277128-f793-4354-a13d-30cc7fe9f6b5", "key": "array"}
LEUKOCYTES = {
    "gdc_file": "6f75c9d7-5134-4ed1-b8f3-72856c98a4e8",
    "columns": ["cancer", "aliquot", "leukocyte_fraction"],
    "key": "aliquot",
}
SAMPLES = ["TCGA-OR-A5J1-01", "TCGA-OR-A5J2-01", "TCGA-OR-A5J2-11"]


def described(*tables: dict[str, Any], **keys: Any) -> XenaDataset:
    values = dataset(
        source="xena", hub="tcga-xena-hub", matrix="TCGA.BRCA.sampleMap/HiSeqV2.gz", features="symbol",
        values="log2_normalised_count_plus_1", sample_table="TCGA.BRCA.sampleMap/BRCA_clinicalMatrix",
        sample_tables=list(tables), **keys,
    )  # fmt: skip
    del values["study"]
    return TypeAdapter(Dataset).validate_python(values)  # type: ignore[no-any-return]


def joined(
    text: str, spec: dict[str, Any], folder: Path, **columns: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, Counter[str]]:
    """One further table put beside a sample table of SAMPLES."""
    (folder / "t.txt").write_text(text)
    ledger: Counter[str] = Counter()
    samples = pd.DataFrame(columns, index=pd.Index(SAMPLES, name="sample"))
    tables = {"t": FurtherTable.model_validate(spec)}
    table, found = with_further_tables(samples, tables, {"t": folder / "t.txt"}, ledger)
    return table, found, +ledger


# Addresses


def test_further_tables_lie_at_the_hub_and_at_the_genomic_data_commons() -> None:
    requests = requests_for(described(SURVIVAL, PURITY, LEUKOCYTES), Path())
    hub = "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/"
    assert {request.name: request.url for request in requests} == {
        "matrix": f"{hub}TCGA.BRCA.sampleMap%2FHiSeqV2.gz",
        "sample_table": f"{hub}TCGA.BRCA.sampleMap%2FBRCA_clinicalMatrix",
        "sample_table_2": f"{hub}survival%2FBRCA_survival.txt",
        "sample_table_3": "https://api.gdc.cancer.gov/data/4f277128-f793-4354-a13d-30cc7fe9f6b5",
        "sample_table_4": "https://api.gdc.cancer.gov/data/6f75c9d7-5134-4ed1-b8f3-72856c98a4e8",
    }


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"key": "sample"}, "give either table"),
        (SURVIVAL | PURITY, "give either table"),
        (LEUKOCYTES | {"key": "aliqout"}, "the key 'aliqout' is none of the columns"),
        (LEUKOCYTES | {"columns": ["aliquot", "aliquot"]}, "a column stands twice"),
        (PURITY | {"gdc_file": "TCGA_mastercalls.abs_tables_JSedit.fixed.txt"}, "gdc_file"),
    ],
)
def test_what_a_further_table_must_say(spec: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        described(spec)


# Lines and columns


ABSOLUTE = (
    "array\tsample\tcall status\tpurity\tploidy\n"
    "TCGA-OR-A5J2-01\tTCGA-OR-A5J2-01A-11D-A29H-01\tcalled\tNA\tNA\n"  # a first line without values
    "TCGA-OR-A5J2-01\tTCGA-OR-A5J2-01A-21D-A29H-01\tcalled\t0.89\t1.3\n"
    "TCGA-OR-A5J1-01\tTCGA-OR-A5J1-01A-11D-A29H-01\tcalled\t0.9\t2\n"
    "TCGA-OR-A5J2-01\tTCGA-OR-A5J2-01A-31D-A29H-01\tcalled\t0.5\t4\n"
    "TCGA-02-0001-01\tTCGA-02-0001-01C-01D-0182-01\tcalled\t0.4\t2\n"  # another cancer
)


def test_lines_find_their_samples(tmp_path: Path) -> None:
    table, found, ledger = joined(ABSOLUTE, PURITY, tmp_path, _PATIENT=["a", "b", "b"])
    assert list(table.columns) == ["_PATIENT", "call status", "purity", "ploidy"]
    assert table["purity"].fillna("").tolist() == ["0.9", "0.89", ""]  # normal tissue has no line
    assert table["ploidy"].fillna("").tolist() == ["2", "1.3", ""]  # of the same line
    assert found["t"].tolist() == [True, True, False]
    assert ledger == {
        "columns of further sample tables that are there already": 1,  # `sample`: the name of the samples
        "lines of further sample tables that are of no sample here": 1,
        "lines of further sample tables that repeat a sample": 2,
    }


def test_a_file_without_a_header_gets_the_names_of_its_columns(tmp_path: Path) -> None:
    text = "ACC\tTCGA-OR-A5J1-01A-11D-A29I-05\t0.046\nACC\tTCGA-OR-A5J2-11A-11D-A29I-05\t0.2\n"
    table, found, _ = joined(text, LEUKOCYTES, tmp_path)
    assert table["leukocyte_fraction"].fillna("").tolist() == ["0.046", "", "0.2"]
    assert table["cancer"].fillna("").tolist() == ["ACC", "", "ACC"]
    assert found["t"].tolist() == [True, False, True]


def test_a_column_that_is_there_already_is_left_out(tmp_path: Path) -> None:
    text = "sample\t_PATIENT\tOS\tOS.time\nTCGA-OR-A5J1-01\tother\t1\t1677\n"
    table, _, ledger = joined(text, SURVIVAL, tmp_path, _PATIENT=["a", "b", "b"], OS=["x", "y", "z"])
    assert table.loc["TCGA-OR-A5J1-01"].to_dict() == {"_PATIENT": "a", "OS": "x", "OS.time": "1677"}
    assert ledger["columns of further sample tables that are there already"] == 2


def test_all_vials_of_a_sample_take_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("sample\tOS\nTCGA-OR-A5J1-01\t1\n")
    samples = pd.DataFrame(index=["TCGA-OR-A5J1-01A", "TCGA-OR-A5J1-01B", "GTEX-1117F-0226-SM-5GZZ7"])
    tables = {"t": FurtherTable.model_validate(SURVIVAL)}
    table, _ = with_further_tables(samples, tables, {"t": tmp_path / "t.txt"}, Counter())
    assert table["OS"].fillna("").tolist() == ["1", "1", ""]


def test_lines_that_lack_cells_at_their_end_are_counted_and_longer_ones_are_told(tmp_path: Path) -> None:
    table, _, ledger = joined("sample\tOS\tRedaction\nTCGA-OR-A5J1-01\t1\n", SURVIVAL, tmp_path)
    assert table["OS"].fillna("").tolist() == ["1", "", ""]
    assert ledger["lines with fewer cells than there are columns"] == 1
    with pytest.raises(UserError, match=r"t.txt:2: 3 cells; expected 2"):
        joined("sample\tOS\nTCGA-OR-A5J1-01\t1\t2\n", SURVIVAL, tmp_path)


def test_packed_and_latin_1_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(
        gzip.compress("sample\tsite\nTCGA-OR-A5J1-01\tBrust\u00e4\n".encode("latin-1"))
    )
    samples = pd.DataFrame(index=pd.Index(SAMPLES))
    tables = {"t": FurtherTable.model_validate(SURVIVAL)}
    table, _ = with_further_tables(samples, tables, {"t": tmp_path / "t.txt"}, Counter())
    assert table["site"].fillna("").tolist() == ["Brust\u00e4", "", ""]


def test_a_key_that_is_no_column_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(
        AbsentData, match=r"t.txt:1: no column 'aray'; did you mean array\? \(it has array, sample"
    ):
        joined(ABSOLUTE, PURITY | {"key": "aray"}, tmp_path)


@pytest.mark.parametrize(("lines", "fits"), [(3, False), (4, True)])
def test_a_table_of_fewer_than_a_tenth_of_the_samples_is_another_one(lines: int, fits: bool) -> None:
    found = pd.DataFrame({"t": np.arange(40) < lines})
    ledger: Counter[str] = Counter()
    tables = {"t": FurtherTable.model_validate(PURITY)}
    if fits:
        check_found(found, tables, ledger)
    else:
        with pytest.raises(
            AbsentData, match=r"4f277128.*: 3 of 40 samples have a line in it, by the barcodes of"
        ):
            check_found(found, tables, ledger)
    assert ledger["samples without a line in a further sample table"] == 40 - lines


# Through the loader


@pytest.fixture(scope="module")
def symbols(tmp_path_factory: pytest.TempPathFactory) -> SymbolTable:
    path = tmp_path_factory.mktemp("hgnc") / "hgnc.txt"
    path.write_bytes(hgnc_complete_set(["TREX1"]))
    return SymbolTable.read(path)


def loaded(one: XenaDataset, store: Path, symbols: SymbolTable, **tables: str) -> Any:
    files = {
        "matrix": matrix_gz(np.array([[3.0, 1, 7]]), ["TREX1"], SAMPLES, "log2_normalised_count_plus_1"),
        "sample_table": clinical_matrix(
            pd.DataFrame({"sample_type_id": ["01", "01", "11"]}, SAMPLES), ["p", "q", "q"]
        ),
    } | {name: text.encode() for name, text in tables.items()}
    requests = requests_for(one, store)
    for request in requests:
        path = store / store_path(str(request.url))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[request.name])
    return load_expression(one, make_receipt("a", requests, Access(store)), store, symbols)


def test_selections_and_derived_columns_may_rest_on_a_further_table(
    tmp_path: Path, symbols: SymbolTable
) -> None:
    one = described(
        PURITY, samples={"purity": {"at_least": 0.85}, "kind": "called"}, purity_column="purity",
        derive={"kind": {"from": "call status", "values": {"called": "called"}}},
    )  # fmt: skip
    data, ledger = loaded(one, tmp_path, symbols, sample_table_2=ABSOLUTE)
    assert data.obs["purity"].tolist() == ["0.9", "0.89"]
    assert "samples without a line in a further sample table" not in ledger.dropped
    data.write_h5ad(tmp_path / "a.h5ad", compression="gzip")


def test_a_table_of_other_samples_makes_the_data_absent(tmp_path: Path, symbols: SymbolTable) -> None:
    for number, samples in enumerate(({}, {"purity": {"at_least": 0.1}})):
        data, ledger = loaded(
            described(PURITY, samples=samples), tmp_path / str(number), symbols,
            sample_table_2="array\tpurity\nTCGA-02-0001-01\t0.4\n",
        )  # fmt: skip
        assert (ledger.status, data.n_obs) == ("absent", 0)
        assert "samples have a line in it, by the barcodes of column 'array'" in ledger.reason


# Simulated


def xena(matrix: str, *tables: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A data set of its own source: matrix and sample table are named alike."""
    values = {"source": "xena", "hub": "tcga-xena-hub", "matrix": f"{matrix}.gz", "features": "symbol"}
    values |= {"values": "log2_normalised_count_plus_1", "sample_table": f"{matrix}_clinical"}
    found = dataset(**values, sample_tables=list(tables), **keys)
    del found["study"]
    return found


ENDPOINT = {
    "time": "OS.time",
    "time_unit": "days",
    "event": "OS",
    "event_values": ["1"],
    "censored_values": ["0"],
}


def simulated(store: Path, **datasets: dict[str, Any]) -> Study:
    """A study whose tests use purity, leukocyte fraction and follow-up of all of its data sets."""
    survival = {"id": "os", "role": "supporting", "analysis": "survival", "datasets": list(datasets),
                "expected": "positive", "feature": {"gene": "GENE1"}, "endpoint": ENDPOINT}  # fmt: skip
    tests = [expression_test(datasets=list(datasets), covariates=["purity"]), survival]
    study = Study.model_validate(study_values(claim(*tests)) | {"datasets": datasets})
    simulate_study(study, "as_claimed", 1, store)
    return study


def reloaded(study: Study, name: str, store: Path) -> Any:
    hgnc = next(request.url for request in requests_for(study.references()["hgnc"], store))
    table = SymbolTable.read(store / store_path(str(hgnc)))
    one = study.datasets[name]
    receipt = make_receipt(name, requests_for(one, store), Access(store))
    assert all(file.simulated for file in receipt.files)
    return load_expression(one, receipt, store, table)  # type: ignore[arg-type]


def test_what_is_planted_comes_back_through_the_further_tables(tmp_path: Path) -> None:
    study = simulated(tmp_path, a=xena("BRCA", SURVIVAL, PURITY, LEUKOCYTES, purity_column="purity"))
    clinical = (
        tmp_path / store_path("https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/BRCA_clinical")
    ).read_text()
    assert not {"OS", "OS.time", "purity"} & set(clinical.splitlines()[0].split("\t"))
    data, ledger = reloaded(study, "a", tmp_path)
    assert (ledger.status, ledger.reason) == ("present", "")
    assert set(data.obs["OS"]) == {"0", "1"}
    assert data.obs["OS.time"].astype(float).gt(0).all()
    assert data.obs["purity"].astype(float).between(0.3, 0.95).all()
    assert data.obs["purity"].nunique() > data.n_obs / 2
    assert data.obs["leukocyte_fraction"].astype(float).between(0, 1).all()
    assert ledger.dropped["lines of further sample tables that repeat a sample"] == 2
    assert ledger.dropped["lines of further sample tables that are of no sample here"] >= 9
    data.write_h5ad(tmp_path / "a.h5ad", compression="gzip")


def test_data_sets_of_several_cancers_share_a_file_of_all(tmp_path: Path) -> None:
    """The file at the Genomic Data Commons holds the samples of both, whichever is written last."""
    parts = {
        "a": xena("BRCA", PURITY, purity_column="purity"),
        "b": xena("LUAD", PURITY, purity_column="purity"),
    }
    parts["b"]["samples"] = {"stage": ["I", "II", "III"]}  # more samples than a has
    for order in ("ab", "ba"):
        study = simulated(tmp_path / order, **{name: parts[name] for name in order})
        for name in order:
            data, ledger = reloaded(study, name, tmp_path / order)
            assert (ledger.status, ledger.reason) == ("present", "")
            assert (data.obs["purity"] != "").all()


def test_a_main_table_keeps_what_a_data_set_without_further_tables_reads(tmp_path: Path) -> None:
    study = simulated(
        tmp_path, a=xena("BRCA", PURITY, purity_column="purity"), b=xena("BRCA", purity_column="purity")
    )
    (one, _), (other, _) = (reloaded(study, name, tmp_path) for name in "ab")
    assert one.obs["purity"].tolist() == other.obs["purity"].tolist()


def test_a_file_has_one_set_of_names(tmp_path: Path) -> None:
    other = LEUKOCYTES | {"columns": ["cancer", "aliquot", "leukocytes"]}
    with pytest.raises(UserError, match=r"6f75c9d7.*: its columns have other names in another data set"):
        simulated(tmp_path, a=xena("BRCA", LEUKOCYTES), b=xena("LUAD", other))
