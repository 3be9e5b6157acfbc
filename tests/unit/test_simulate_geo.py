"""What the simulator writes in GEO's formats is what the readers of real files read, traps included."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook

from reclaim.retrieve.content import check_whole, identify
from reclaim.simulate.geo import (
    ANNOTATION,
    count_table_gz,
    count_workbook,
    ncbi_annotation_gz,
    ncbi_counts_gz,
    platform_annotation_gz,
    series_matrix_gz,
)
from reclaim.simulate.probes import array_of, probe_values
from reclaim.sources.geo_counts import read_count_table, read_ncbi_counts
from reclaim.sources.platform_annotation import read_platform_annotation
from reclaim.sources.series_matrix import read_series_matrix

SAMPLES = pd.DataFrame(
    {
        "title": ["one", "two: DMSO", "three"],
        "source_name": ["cells", "cells", "tumour"],
        "organism": "Homo sapiens",
        "platform": "GPL1",
        "treatment": ["drug", "DMSO", ""],
        "time": ["0:30 h", "", "6 h"],
        "batch": ["1", "2", "3; 4"],
        "treatment (channel 2)": ["pool", "", "pool"],
    },
    index=["GSM1", "GSM2", "GSM3"],
)
VALUES = pd.DataFrame(
    [[8.125, 9.5, np.nan], [-1.25, 0.0, 12.3456]], index=["1007_s_at", "7892501"], columns=SAMPLES.index
)
COUNTS = pd.DataFrame([[5, 0], [7, 123456]], index=["TREX1", "CGAS"], columns=["A_1_.Read_Count", "B"])
OTHER = pd.DataFrame({"BAY.R_BAY_2._Read_Count": [900, 800]}, index=COUNTS.index)
NCBI = pd.DataFrame([[5, 0], [7, 8]], index=["11277", "115004"], columns=["GSM1", "GSM2"])
GENES = pd.DataFrame(
    {"GeneID": ["115004", "11277"], "Symbol": ["CGAS", "TREX1"], "GeneType": "protein-coding"}
)

PROBES = pd.DataFrame(
    {
        "title": ["three prime repair exonuclease 1", "one///two", ""],
        "symbol": ["TREX1", "DDR1///MIR4640", ""],
        "entrez": ["11277", "780///100616237", ""],
    },
    index=["ILMN_1", "1007_s_at", "AFFX-BioB-3_at"],
)

WRITERS: dict[str, Callable[[], bytes]] = {
    "series_matrix.txt.gz": lambda: series_matrix_gz("GSE1", SAMPLES, VALUES),
    "counts.tsv.gz": lambda: ncbi_counts_gz(NCBI),
    "annotation.tsv.gz": lambda: ncbi_annotation_gz(GENES),
    "annot.gz": lambda: platform_annotation_gz("GPL570", PROBES),
    "table.txt.gz": lambda: count_table_gz(COUNTS, "gene"),
    "workbook.xlsx": lambda: count_workbook(COUNTS, undeclared=OTHER),
}


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_every_file_is_known_as_simulated_and_whole(tmp_path: Path, name: str) -> None:
    content = identify(written(tmp_path, name, WRITERS[name]()))
    assert content.simulated
    check_whole(tmp_path / name, content.media_type)


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_bytes_whenever_they_are_written(name: str) -> None:
    assert WRITERS[name]() == WRITERS[name]()


def test_no_file_says_when_it_was_written() -> None:
    for name, write in WRITERS.items():
        if name.endswith(".gz"):
            assert write()[4:8] == bytes(4)  # MTIME, RFC 1952
    with zipfile.ZipFile(io.BytesIO(WRITERS["workbook.xlsx"]())) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}
        assert set(re.findall(rb"\d{4}-\d\d-\d\dT", archive.read("docProps/core.xml"))) == {b"1980-01-01T"}


def test_a_series_matrix_comes_back_as_it_was(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    data = read_series_matrix(written(tmp_path, "m.gz", series_matrix_gz("GSE1", SAMPLES, VALUES)), ledger)
    assert data.obs[SAMPLES.columns].to_dict() == {
        **SAMPLES.to_dict(),
        # the tags of every second sample stand in reverse order
        "batch": {"GSM1": "1", "GSM2": "2", "GSM3": "3; 4"},
    }
    pd.testing.assert_frame_equal(data.to_df().T, VALUES.astype(np.float32), check_names=False)
    assert +ledger == {"values that are missing": 1}


def test_characteristics_are_ragged() -> None:
    """A line mixes tags, as in GEOquery's issue 25 on GSE53963."""
    text = gzip.decompress(series_matrix_gz("GSE1", SAMPLES, None)).decode()
    lines = [
        line.split("\t")[1:] for line in text.splitlines() if line.startswith("!Sample_characteristics_ch1")
    ]
    assert lines == [
        ['"treatment: drug"', '"batch: 2"', '"time: 6 h"'],
        ['"time: 0:30 h"', '"treatment: DMSO"', '"batch: 3"'],
        ['"batch: 1"', '""', '"batch: 4"'],
    ]


def test_a_sequencing_series_has_an_empty_table(tmp_path: Path) -> None:
    data = read_series_matrix(written(tmp_path, "m.gz", series_matrix_gz("GSE1", SAMPLES, None)), Counter())
    assert data.shape == (3, 0)


def test_ncbi_files_come_back(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    data = read_ncbi_counts(
        written(tmp_path, "c.gz", ncbi_counts_gz(NCBI)),
        written(tmp_path, "a.gz", ncbi_annotation_gz(GENES)),
        ledger,
    )
    assert data.to_df().T.to_dict() == NCBI.to_dict()
    assert data.var["symbol"].to_dict() == {"11277": "TREX1", "115004": "CGAS"}
    assert not +ledger
    header = gzip.decompress(ncbi_annotation_gz(GENES)).decode().splitlines()[0]
    assert header.split("\t") == list(ANNOTATION)


def test_the_annotation_of_a_platform_comes_back(tmp_path: Path) -> None:
    content = platform_annotation_gz("GPL570", PROBES)
    ledger: Counter[str] = Counter()
    table = read_platform_annotation(written(tmp_path, "GPL570.annot.gz", content), ledger)
    assert table.to_dict() == PROBES[["symbol", "entrez"]].to_dict()
    assert table.attrs["platform"] == "GPL570"
    assert not +ledger
    lines = gzip.decompress(content).decode().splitlines()
    assert (lines[0], lines[-1]) == ("^Annotation", "!platform_table_end")
    header = lines[lines.index("!platform_table_begin") + 1].split("\t")
    assert header[:5] == ["ID", "Gene title", "Gene symbol", "Gene ID", "UniGene title"]
    assert header[-1] == "GO:Component ID"
    assert len(header) == 21


def test_an_array_has_the_traps_of_real_ones_around_every_kind_of_gene() -> None:
    array = array_of([f"G{number}" for number in range(60)])
    assert array.index.is_unique
    assert array["kind"].value_counts().to_dict() == {"main": 60, "dim": 20, "shared": 9, "geneless": 3}
    assert (array["symbol"].str.contains("///") == (array["kind"] == "shared")).all()
    assert ((array["symbol"] == "") == (array["kind"] == "geneless")).all()
    main = array[array["kind"] == "main"]
    old = main["symbol"].str.startswith("SIMOLD")  # named by the Entrez id alone
    assert main["entrez"][old].ne("").all()
    without_id = main["entrez"] == ""  # named by the symbol alone
    assert old.sum() == 12
    assert without_id.sum() == 12


def test_a_main_probe_reads_its_gene_and_the_others_read_something_else() -> None:
    array = array_of(["A", "B"])
    genes = pd.DataFrame([[4.0, 6.0], [3.0, 9.0]], index=["A", "B"], columns=["GSM1", "GSM2"])
    values = probe_values(array, genes, np.random.default_rng(1))
    by_kind = {(row.kind, row.gene): values.loc[str(probe)].tolist() for probe, row in array.iterrows()}
    assert by_kind["main", 0] == [4, 6]
    assert by_kind["main", 1] == [3, 9]
    assert by_kind["dim", 0] == [2, 3]
    assert by_kind["shared", 0] == [5, 10]
    assert list(array["kind"]) == ["dim", "main", "shared", "geneless", "main"]


@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_submitters_table_comes_back(tmp_path: Path, separator: str) -> None:
    path = written(tmp_path, "t.gz", count_table_gz(COUNTS, "gene", separator))
    data = read_count_table(path, "gene", {"a": "A_1_.Read_Count", "b": "B"}, None, Counter())
    assert data.to_df().to_dict("index") == {"a": {"TREX1": 5, "CGAS": 7}, "b": {"TREX1": 0, "CGAS": 123456}}


def test_a_workbook_comes_back_without_the_other_experiment(tmp_path: Path) -> None:
    path = written(tmp_path, "w.xlsx", count_workbook(COUNTS, undeclared=OTHER))
    ledger: Counter[str] = Counter()
    data = read_count_table(path, "Gene_Symbol", {"a": "A_1_.Read_Count"}, None, ledger)
    assert data.to_df().to_dict("index") == {"a": {"TREX1": 5, "CGAS": 7}}
    assert +ledger == {"columns not declared, left out: IDs, B, BAY.R_BAY_2._Read_Count": 3}


def test_a_workbook_has_the_traps_of_gse252340() -> None:
    book = load_workbook(io.BytesIO(count_workbook(COUNTS, undeclared=OTHER)))
    assert book.sheetnames == ["Notes", "Counts", "Other experiment"]
    rows = list(book["Counts"].iter_rows(values_only=True))
    assert rows[0][0] == "SIMULATED by reclaim: Counts"
    assert rows[1] == ("IDs", "Gene_Symbol", "A_1_.Read_Count", "B", "BAY.R_BAY_2._Read_Count")
    assert rows[2] == ("SIM000001", "TREX1", 5, 0, 900)
    assert book.properties.title == "SIMULATED by reclaim"
