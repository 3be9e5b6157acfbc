"""GEO series matrices with the traps real ones hold; every file here is written by hand."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st

from reclaim.errors import UserError
from reclaim.sources.series_matrix import detect_unit, read_series_matrix

HEAD = (
    '!Series_title\t"A title with a ""quoted"" word"\n'
    '!Series_sample_id\t"GSM1 GSM2 GSM3 "\n'
    "\n"
    '!Sample_title\t"line A, DMSO"\t"line A, drug"\t"line B: "DMSO""\n'
    '!Sample_geo_accession\t"GSM1"\t"GSM2"\t"GSM3"\n'
    '!Sample_source_name_ch1\t"cells"\t"cells"\t""\n'
    '!Sample_organism_ch1\t"Homo sapiens"\t"Homo sapiens"\t"Homo sapiens"\n'
    '!Sample_organism_ch1\t"Homo sapiens"\t"Mus musculus"\t""\n'
    '!Sample_characteristics_ch1\t"treatment: DMSO"\t"treatment: drug"\t"time: 6 h"\n'
    '!Sample_characteristics_ch1\t"time: 0:30 h"\t"sex:female"\t"treatment: DMSO"\n'
    '!Sample_characteristics_ch1\t"batch: 1"\t"batch: 2"\t"from the second clinic"\n'
    '!Sample_characteristics_ch1\t"batch: 1"\t"batch: 3"\t""\n'
    '!Sample_characteristics_ch1\t"title: mine"\t"empty: "\t""\n'
    '!Sample_characteristics_ch2\t"treatment: pool"\t""\t"treatment: pool"\n'
    '!Sample_platform_id\t"GPL570"\t"GPL570"\t"GPL570"\n'
)
TABLE = (
    "!series_matrix_table_begin\n"
    '"ID_REF"\t"GSM1"\t"GSM2"\t"GSM3"\n'
    '"1007_s_at"\t8.1\t8.3\t7.5\n'
    "7892501\t6.5\t\t5.25\n"
    '"1053_at"\t"4.5"\tnull\tNA\n'
    "!series_matrix_table_end\n"
)


def read(folder: Path, text: str | bytes, packed: bool = True) -> tuple[AnnData, Counter[str]]:
    path = folder / "GSE1_series_matrix.txt.gz"
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if packed else content)
    ledger: Counter[str] = Counter()
    return read_series_matrix(path, ledger), Counter({key: count for key, count in ledger.items() if count})


@pytest.fixture
def data(tmp_path: Path) -> AnnData:
    return read(tmp_path, HEAD + TABLE)[0]


def test_samples_are_rows_and_probes_columns(data: AnnData) -> None:
    assert list(data.obs_names) == ["GSM1", "GSM2", "GSM3"]
    assert list(data.var_names) == ["1007_s_at", "7892501", "1053_at"]
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(
        data.X, np.array([[8.1, 6.5, 4.5], [8.3, np.nan, np.nan], [7.5, 5.25, np.nan]], np.float32)
    )
    assert data.uns["unit"] == "log2_intensity"


def test_missing_values_are_counted(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + TABLE)[1] == {"values that are missing": 3}


def test_attributes_of_samples(data: AnnData) -> None:
    assert list(data.obs["title"]) == ["line A, DMSO", "line A, drug", 'line B: "DMSO"']
    assert list(data.obs["source_name"]) == ["cells", "cells", ""]
    assert list(data.obs["organism"]) == ["Homo sapiens", "Homo sapiens; Mus musculus", "Homo sapiens"]
    assert list(data.obs["platform"]) == ["GPL570"] * 3


def test_a_tag_is_one_column_whichever_line_it_stands_in(data: AnnData) -> None:
    assert list(data.obs["treatment"]) == ["DMSO", "drug", "DMSO"]
    assert list(data.obs["time"]) == ["0:30 h", "", "6 h"]
    assert list(data.obs["sex"]) == ["", "female", ""]


def test_several_values_of_a_tag_are_joined_and_equal_ones_are_one(data: AnnData) -> None:
    assert list(data.obs["batch"]) == ["1", "2; 3", ""]


def test_no_column_hides_another(data: AnnData) -> None:
    assert list(data.obs["title (characteristic)"]) == ["mine", "", ""]
    assert list(data.obs["treatment (channel 2)"]) == ["pool", "", "pool"]
    assert list(data.obs["characteristics"]) == ["", "", "from the second clinic"]
    assert list(data.obs["empty"]) == ["", "", ""]
    assert data.obs.columns.is_unique


def test_a_tag_may_hold_a_colon(tmp_path: Path) -> None:
    head = HEAD.replace("batch: ", "batch (a:b): ")
    assert list(read(tmp_path, head + TABLE)[0].obs["batch (a:b)"]) == ["1", "2; 3", ""]


def test_the_table_may_have_another_order_of_samples(tmp_path: Path) -> None:
    table = TABLE.replace('"GSM1"\t"GSM2"\t"GSM3"', '"GSM3"\t"GSM1"\t"GSM2"')
    data = read(tmp_path, HEAD + table)[0]
    assert list(data.obs_names) == ["GSM1", "GSM2", "GSM3"]
    np.testing.assert_array_equal(data[:, "1007_s_at"].X.ravel(), np.array([8.3, 7.5, 8.1], np.float32))


@pytest.mark.parametrize("header", ["", '"ID_REF"\t"GSM1"\t"GSM2"\t"GSM3"\n'])
def test_a_sequencing_series_has_samples_and_no_values(tmp_path: Path, header: str) -> None:
    data, ledger = read(tmp_path, f"{HEAD}!series_matrix_table_begin\n{header}!series_matrix_table_end\n")
    assert data.shape == (3, 0)
    assert data.uns["unit"] == "none"
    assert list(data.obs["treatment"]) == ["DMSO", "drug", "DMSO"]
    assert not ledger


def test_repeated_and_nameless_probes_and_infinite_values_are_told(tmp_path: Path) -> None:
    table = TABLE.replace(
        "7892501\t6.5\t\t5.25\n", '"1007_s_at"\t1\t1\t1\n""\t2\t2\t2\n7892501\t-inf\t5\t5\n'
    )
    data, ledger = read(tmp_path, HEAD + table)
    assert list(data.var_names) == ["1007_s_at", "7892501", "1053_at"]
    assert data["GSM1", "1007_s_at"].X.item() == pytest.approx(8.1)
    assert ledger == {
        "lines that repeat a probe": 1,
        "probes without a name": 1,
        "values that are infinite, taken as missing": 1,
        "values that are missing": 3,
    }


def test_lines_that_are_latin_1_are_read_and_counted(tmp_path: Path) -> None:
    raw = (HEAD + TABLE).replace("time: 6 h", "dose: 10 µM").encode("latin-1")
    data, ledger = read(tmp_path, raw)
    assert list(data.obs["dose"]) == ["", "", "10 µM"]
    assert ledger["lines that are not UTF-8, read as Latin-1"] == 1


def test_unpacked_text_with_carriage_returns_reads_the_same(tmp_path: Path, data: AnnData) -> None:
    other = read(tmp_path, (HEAD + TABLE).replace("\n", "\r\n"), packed=False)[0]
    np.testing.assert_array_equal(other.X, data.X)
    assert other.obs.equals(data.obs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "no line !series_matrix_table_begin: truncated"),
        (HEAD + TABLE[:-26], "no line !series_matrix_table_end: truncated"),
        ("one\ttwo\n", "no line !series_matrix_table_begin"),
        (TABLE, "0 lines !Sample_geo_accession; expected one"),
        (HEAD.replace("GSM2", "GSM1") + TABLE, ":5: the sample 'GSM1' stands twice"),
        (
            HEAD.replace('\t"batch: 3"', "") + TABLE,
            ":12: 2 values of !Sample_characteristics_ch1 for 3 samples",
        ),
        (HEAD + TABLE.replace("GSM3", "GSM4"), ":17: the table is not of the samples that are described"),
        (HEAD + TABLE.replace("8.3\t", ""), ":18: 2 values for 3 samples: damaged"),
        (HEAD + TABLE.replace("8.3", "8,3"), ":18: '8,3' where a value should stand"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "fetch" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_gzip_is_told(tmp_path: Path) -> None:
    whole = gzip.compress((HEAD + TABLE).encode())
    with pytest.raises(UserError, match="truncated or damaged"):
        read(tmp_path, whole[: len(whole) // 2], packed=False)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([2.0, 5.0, 8.0, 14.0], "log2_intensity"),
        ([0.0, 0.5, 1.5, 2.0], "log2_intensity"),  # ratios; the older rule took the logarithm of them
        ([-6.0, -1.0, 0.0, 6.0], "log2_intensity"),  # two colours
        ([1.0, 50.0, 400.0, 60_000.0], "intensity"),
        ([2.0, 4.0, 8.0, 60.0], "intensity"),  # range 58, lower quartile 3.5
        ([-30.0, -4.0, 8.0, 30.0], "log2_intensity"),  # range 60, but the lower quartile is -10.5
        ([5.0, 5.0, np.nan, 5.0], "log2_intensity"),
    ],
)
def test_detect_unit(values: list[float], unit: str) -> None:
    assert detect_unit(np.array([values], np.float32)) == unit


def test_one_outlier_in_a_thousand_does_not_make_logarithms_linear() -> None:
    """The 99th percentile, not the maximum, is held against 100."""
    values = np.concatenate([np.linspace(-7, 7, 999), [120.0]])
    assert detect_unit(values) == "log2_intensity"


def test_detect_unit_needs_a_value() -> None:
    with pytest.raises(ValueError, match="no values"):
        detect_unit(np.full((2, 2), np.nan))


texts = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=5)


@given(
    st.lists(st.dictionaries(texts.map(lambda tag: f"t{tag}"), texts, max_size=4), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_no_order_of_characteristics_changes_the_sample_table(tmp_path_factory, samples, random) -> None:
    lines = [[f"{tag}: {value}" for tag, value in sample.items()] for sample in samples]
    depth = max(map(len, lines))
    for of_sample in lines:
        of_sample += [""] * (depth - len(of_sample))
        random.shuffle(of_sample)
    accessions = "\t".join(f'"GSM{number}"' for number in range(len(samples)))
    text = f"!Sample_geo_accession\t{accessions}\n" + "".join(
        "!Sample_characteristics_ch1\t" + "\t".join(f'"{field}"' for field in fields) + "\n"
        for fields in zip(*lines, strict=True)
    )
    text += "!series_matrix_table_begin\n!series_matrix_table_end\n"
    found = read(tmp_path_factory.getbasetemp(), text)[0].obs
    for sample, tags in zip(found.index, samples, strict=True):
        row = found.loc[sample].drop(["title", "source_name", "organism", "platform"])
        assert {tag: value for tag, value in row.items() if value} == tags
