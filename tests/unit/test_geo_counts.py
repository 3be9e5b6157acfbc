"""Count tables of GEO: NCBI's and submitters', with the traps real ones hold."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from reclaim.errors import AbsentData, UserError
from reclaim.sources.geo_counts import join_samples, read_count_table, read_ncbi_counts

TEXT = "gene_id\tgene_name\tA_1\tA_2\tB_1\nG1\tTREX1\t10\t20\t30\nG2\tCGAS\t0\t1\t2\n"
COLUMNS = {"case": "A_1", "control": "B_1"}


def write(folder: Path, content: str | bytes, name: str = "counts.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def workbook(folder: Path, sheets: Mapping[str, list[list[Any]]], name: str = "counts.xlsx") -> Path:
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(folder / name)
    return folder / name


def read(
    path: Path,
    feature: str = "gene_name",
    columns: Mapping[str, str] | str = COLUMNS,
    sheet: str | None = None,
) -> tuple[ad.AnnData, dict[str, int]]:
    ledger: Counter[str] = Counter()
    data = read_count_table(path, feature, columns, sheet, ledger)
    return data, {key: count for key, count in ledger.items() if count}


def table(data: ad.AnnData) -> dict[str, dict[str, int]]:
    return data.to_df().to_dict("index")


EXPECTED = {"case": {"TREX1": 10, "CGAS": 0}, "control": {"TREX1": 30, "CGAS": 2}}


# ---- delimited text


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " "])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("above", ["", '# Program:featureCounts v2.0.1; Command:"x" -a\n\n', "A title\n"])
def test_delimiter_packing_and_what_stands_above_the_header_are_found(
    tmp_path: Path, delimiter: str, packed: bool, above: str
) -> None:
    content = (above + TEXT.replace("\t", delimiter)).encode()
    data, ledger = read(write(tmp_path, gzip.compress(content) if packed else content))
    assert table(data) == EXPECTED
    assert data.X.dtype == np.int32
    assert data.uns["unit"] == "counts"
    assert list(data.obs["title"]) == ["case", "control"]
    assert ledger == {"columns not declared, left out: gene_id, A_2": 2}


def test_quoted_cells_may_hold_the_delimiter(tmp_path: Path) -> None:
    text = 'gene_name,description,A_1,B_1\n"TREX1","exonuclease, 3\'",10,30\n"CGAS","a ""synthase""",0,2\n'
    assert table(read(write(tmp_path, text))[0]) == EXPECTED


@pytest.mark.parametrize("corner", ['"",', ""])
def test_row_names_of_r_have_no_header_cell_or_an_empty_one(tmp_path: Path, corner: str) -> None:
    text = f'{corner}"A_1","B_1"\n"TREX1",10,30\n"CGAS",0,2\n'
    assert table(read(write(tmp_path, text), feature="")[0]) == EXPECTED


def test_row_names_without_header_never_shift_the_columns(tmp_path: Path) -> None:
    """write.table's header is one cell short: read as it stands, every count would be its neighbour's."""
    text = "gene_name\tA_1\tB_1\n1\tTREX1\t10\t30\n2\tCGAS\t0\t2\n"
    with pytest.raises(UserError, match=r":2: 4 cells, but the header in line 1 has 3"):
        read(write(tmp_path, text))


def test_a_pattern_names_the_samples(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    assert list(read(path, columns=r"[AB]_\d")[0].obs_names) == ["A_1", "A_2", "B_1"]
    assert list(read(path, columns=r"A_(\d)")[0].obs_names) == ["1", "2"]
    assert list(read(path, columns=r"A_1")[0].obs_names) == ["A_1"]
    with pytest.raises(AbsentData, match="as a whole"):
        read(path, columns="A")


def test_lines_of_one_feature_are_added(tmp_path: Path) -> None:
    data, ledger = read(write(tmp_path, TEXT + "G3\tTREX1\t5\t5\t7\nG4\tTREX1\t1\t1\t1\n"))
    assert table(data) == {"case": {"TREX1": 16, "CGAS": 0}, "control": {"TREX1": 38, "CGAS": 2}}
    assert ledger["lines added to another of the same feature"] == 2


def test_lines_that_are_no_gene_are_dropped_and_counted(tmp_path: Path) -> None:
    extra = "G3\t\t5\t5\t7\nG4\tNA\t1\t1\t1\n__no_feature\t__no_feature\t9\t9\t9\nG5\tIFNB1\t3\t3\t\n\n"
    data, ledger = read(write(tmp_path, TEXT + extra))
    assert table(data) == EXPECTED
    del ledger["columns not declared, left out: gene_id, A_2"]
    assert ledger == {
        "lines without a feature name": 2,
        "summary lines of a counting program (__no_feature, ...)": 1,
        "features without a count in every sample": 1,
    }


def test_counts_that_arithmetic_left_just_beside_whole_numbers_are_rounded(tmp_path: Path) -> None:
    data, ledger = read(write(tmp_path, TEXT.replace("\t10\t", "\t9.9999999\t").replace("\t30", "\t30.0")))
    assert table(data) == EXPECTED
    assert ledger["counts rounded by less than 1e-06"] == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.5", ":2: 10.5 for TREX1 in the column of case; expected whole counts"),
        ("-3", ":2: -3 for TREX1 in the column of case; expected whole counts"),
        ("inf", ":2: inf for TREX1"),
        ("3e9", ":2: 3e+09 for TREX1"),
        ("high", ":2: 'high' in the column of case; expected a count"),
        ("1,024", ":2: '1,024' in the column of case; expected a count"),
    ],
)
def test_values_that_are_not_counts_are_absent_data(tmp_path: Path, value: str, message: str) -> None:
    with pytest.raises(AbsentData) as caught:
        read(write(tmp_path, TEXT.replace("\t10\t", f"\t{value}\t")))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_of_a_wrong_value_far_below_is_told(tmp_path: Path) -> None:
    lines = "".join(f"G\tN{number}\t1\t1\t1\n" for number in range(4999))
    with pytest.raises(AbsentData, match=r":5003: 0\.5 for LAST in the column of control"):
        read(write(tmp_path, f"{TEXT}{lines}G\tLAST\t1\t1\t0.5\n"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"feature": "Gene"}, "no column 'Gene' in the first 50 rows (it begins 'gene_id"),
        ({"columns": {"case": "A_1", "control": "B_2"}}, ":1: no column 'B_2'; did you mean"),
        ({"columns": {"case": "A_1", "control": "A_1"}}, "the column 'A_1' stands twice, or for two samples"),
        ({"columns": "([AB])_[12]"}, "2 columns for the sample 'A'"),
        ({"columns": "C_.*"}, "no column that 'C_.*' matches as a whole (columns: gene_id, gene_name, A_1"),
    ],
)
def test_what_does_not_match_the_description_is_absent(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(AbsentData) as caught:
        read(write(tmp_path, TEXT), **keys)
    assert message in str(caught.value)


def test_a_declared_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AbsentData, match="'A_1' stands twice"):
        read(write(tmp_path, TEXT.replace("A_2", "A_1")))


def test_a_wrong_pattern_is_a_mistake_of_the_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a regular expression"):
        read(write(tmp_path, TEXT), columns="(A_")


def test_a_header_alone_holds_no_counts(tmp_path: Path) -> None:
    with pytest.raises(AbsentData, match="no counts"):
        read(write(tmp_path, TEXT.splitlines()[0] + "\n"))


def test_a_cut_line_and_a_cut_archive_are_damage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r":3: 3 cells, but the header in line 1 has 5: truncated"):
        read(write(tmp_path, TEXT.removesuffix("\t1\t2\n")))
    packed = gzip.compress(TEXT.encode() * 100)
    with pytest.raises(UserError, match="fetch it again"):
        read(write(tmp_path, packed[:-30]))


def test_an_unbalanced_quote_does_not_swallow_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=":2: 2 cells"):
        read(write(tmp_path, TEXT.replace("TREX1", '"TREX1')))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old .xls format"),
        (TEXT.encode("utf-16"), "UTF-16"),
        (b"", "it is empty"),
    ],
)
def test_formats_that_are_not_read_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(AbsentData, match=message):
        read(write(tmp_path, content))


# ---- workbooks, like those of GSE252340


def sheet(*columns: str) -> list[list[Any]]:
    """A title, the header on row 2, TREX1 and CGAS: the n-th column holds 10 n and n."""
    numbers = range(1, len(columns) + 1)
    return [
        ["Differentially expressed genes", None],
        ["IDs", "Gene_Symbol", *columns],
        ["ENSG1", "TREX1", *(10 * number for number in numbers)],
        ["ENSG2", "CGAS", *(float(number) for number in numbers)],
    ]


DECLARED = {"DMSO_1": "H1944_DMSO_1_.Read_Count"}
RESISTANT = ("BAY.R_DMSO_1_.Read_Count", "BAY.R_BAY_2._Read_Count")


def test_the_columns_of_another_experiment_are_left_out_and_told(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        {
            "Notes": [["no table here"]],
            "resistant": sheet(*RESISTANT),
            "acute": sheet("H1944_DMSO_1_.Read_Count", RESISTANT[1], "log2FC"),
        },
    )
    data, ledger = read(path, "Gene_Symbol", DECLARED)
    assert table(data) == {"DMSO_1": {"TREX1": 10, "CGAS": 1}}
    assert ledger == {
        "columns not declared, left out: IDs, BAY.R_DMSO_1_.Read_Count, BAY.R_BAY_2._Read_Count, log2FC": 4
    }


def test_a_pattern_of_the_series_does_not_catch_the_other_experiment(tmp_path: Path) -> None:
    path = workbook(tmp_path, {"all": sheet("H1944_DMSO_1_.Read_Count", *RESISTANT)})
    data, _ = read(path, "Gene_Symbol", r"H1944_(.*)_\.Read_Count")
    assert list(data.obs_names) == ["DMSO_1"]


def test_the_whole_table_is_preferred_to_a_list_of_selected_genes(tmp_path: Path) -> None:
    whole = sheet("H1944_DMSO_1_.Read_Count")
    path = workbook(tmp_path, {"up": whole[:3], "all": whole, "down": [*whole[:2], whole[3]]})
    data, ledger = read(path, "Gene_Symbol", DECLARED)
    assert list(data.var_names) == ["TREX1", "CGAS"]
    assert ledger["sheets with the same columns as all, left out: up, down"] == 2
    assert list(read(path, "Gene_Symbol", DECLARED, "up")[0].var_names) == ["TREX1"]


def test_a_sheet_that_is_not_there_is_absent_and_the_sheets_are_named(tmp_path: Path) -> None:
    path = workbook(tmp_path, {"Counts": sheet("H1944_DMSO_1_.Read_Count"), "Notes": [["x"]]})
    with pytest.raises(
        AbsentData, match=r"no sheet 'Count'; did you mean Counts\? \(sheets: Counts, Notes\)"
    ):
        read(path, "Gene_Symbol", DECLARED, "Count")
    with pytest.raises(AbsentData, match="no column 'Gene' in the first 50 rows"):
        read(path, "Gene", DECLARED)


def test_columns_on_several_sheets_are_not_mixed(tmp_path: Path) -> None:
    path = workbook(tmp_path, {"one": sheet("a"), "two": sheet("b")})
    with pytest.raises(AbsentData, match="!one:2: no column 'b'"):
        read(path, "Gene_Symbol", {"x": "a", "y": "b"})


def test_a_pattern_that_matches_other_columns_on_another_sheet_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, {"acute": sheet("H_1.Read_Count"), "resistant": sheet("BAY.R_1.Read_Count")})
    with pytest.raises(AbsentData, match=r"sheet acute \(H_1.Read_Count\) than on sheet resistant"):
        read(path, "Gene_Symbol", r".*Read_Count")
    assert list(read(path, "Gene_Symbol", r".*Read_Count", "acute")[0].obs_names) == ["H_1.Read_Count"]


def test_symbols_that_a_spreadsheet_took_for_dates_are_shown_as_it_shows_them(tmp_path: Path) -> None:
    rows = sheet("H1944_DMSO_1_.Read_Count")
    rows += [["ENSG3", datetime(2023, 9, 2), 5], ["ENSG4", "1-Mar", 6], [None, None, None], ["x", None, 7]]
    data, ledger = read(workbook(tmp_path, {"s": rows}), "Gene_Symbol", DECLARED)
    assert list(data.var_names) == ["TREX1", "CGAS", "2-Sep", "1-Mar"]
    assert ledger["lines without a feature name"] == 1


def test_numeric_ids_are_text_without_a_point(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["GeneID", "S1"], [11277.0, 4], [115004, 5]]
    assert list(read(workbook(tmp_path, {"s": rows}), "GeneID", "S1")[0].var_names) == ["11277", "115004"]


def test_a_damaged_workbook_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path, {"s": sheet("H1944_DMSO_1_.Read_Count")})
    whole = path.read_bytes()
    for cut in (whole[: len(whole) // 2], b"PK\x03\x04 no archive"):
        path.write_bytes(cut)
        with pytest.raises(UserError, match=r"not a whole \.xlsx workbook .*fetch it again"):
            read(path, "Gene_Symbol", DECLARED)


# ---- several files of one series


def part(sample: str, **counts: int) -> ad.AnnData:
    return ad.AnnData(
        np.array([list(counts.values())], np.int32),
        obs=pd.DataFrame({"title": [sample]}, index=[sample]),
        var=pd.DataFrame(index=list(counts)),
        uns={"unit": "counts"},
    )


def test_files_are_joined_by_feature_name(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    joined = join_samples([part("s1", A=1, B=2, C=3), part("s2", C=30, A=10, B=20)], ledger)
    assert table(joined) == {"s1": {"A": 1, "B": 2, "C": 3}, "s2": {"A": 10, "B": 20, "C": 30}}
    assert list(joined.var_names) == ["A", "B", "C"]
    assert list(joined.obs["title"]) == ["s1", "s2"]
    assert joined.uns["unit"] == "counts"
    assert joined.X.dtype == np.int32
    assert not +ledger


def test_a_feature_that_one_file_lacks_is_left_out_and_never_zero(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    joined = join_samples([part("s1", A=1, B=2, C=3), part("s2", A=10, B=20, D=9)], ledger)
    assert list(joined.var_names) == ["A", "B"]
    assert ledger == {"features that only some files of the series have": 2}


def test_files_of_different_pipelines_are_not_joined() -> None:
    with pytest.raises(AbsentData, match="share 1 of 3 features; expected tables of one pipeline"):
        join_samples([part("s1", A=1, B=2), part("s2", A=10, ENSG1=20)], Counter())


def test_a_sample_stands_in_one_file_only() -> None:
    with pytest.raises(AbsentData, match="the sample 's1' stands in two files"):
        join_samples([part("s1", A=1), part("s1", A=10)], Counter())


def test_one_file_is_a_series_too() -> None:
    assert table(join_samples([part("s1", A=1)], Counter())) == {"s1": {"A": 1}}


# ---- NCBI's counts

NCBI = "GeneID\tGSM1\tGSM2\n11277\t7\t8\n115004\t0\t3\n999999999\t1\t1\n"
ANNOTATION = (
    "GeneID\tSymbol\tDescription\tSynonyms\tGeneType\tEnsemblGeneID\n"
    '115004\tCGAS\tcyclic "GMP-AMP synthase\tMB21D1\tprotein-coding\tENSG00000164430\n'
    "11277\tTREX1\tthree prime repair exonuclease 1\tAGS1\tprotein-coding\tENSG00000213689\n"
    "11277\tTREX1\trepeated\t\tprotein-coding\t\n"
)


def ncbi(folder: Path, counts: str = NCBI, annotation: str = ANNOTATION) -> tuple[ad.AnnData, dict[str, int]]:
    ledger: Counter[str] = Counter()
    data = read_ncbi_counts(
        write(folder, gzip.compress(counts.encode()), "counts.tsv.gz"),
        write(folder, gzip.compress(annotation.encode()), "annotation.tsv.gz"),
        ledger,
    )
    return data, {key: count for key, count in ledger.items() if count}


def test_ncbi_counts_have_symbols_and_biotypes_by_gene_id(tmp_path: Path) -> None:
    data, ledger = ncbi(tmp_path)
    assert table(data) == {
        "GSM1": {"11277": 7, "115004": 0, "999999999": 1},
        "GSM2": {"11277": 8, "115004": 3, "999999999": 1},
    }
    assert list(data.var["symbol"]) == ["TREX1", "CGAS", ""]
    assert list(data.var["biotype"]) == ["protein-coding", "protein-coding", ""]
    assert data.uns["unit"] == "counts"
    assert ledger == {
        "genes without a line in NCBI's annotation": 1,
        "lines of NCBI's annotation that repeat a GeneID": 1,
    }


def test_ncbi_columns_are_found_by_name(tmp_path: Path) -> None:
    other = "Symbol\tGeneID\nTREX1\t11277\nCGAS\t115004\n"
    data, _ = ncbi(tmp_path, annotation=other)
    assert list(data.var.columns) == ["symbol"]
    assert list(data.var["symbol"]) == ["TREX1", "CGAS", ""]


def test_a_table_of_tpm_in_place_of_ncbi_counts_is_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentData, match="expected whole counts"):
        ncbi(tmp_path, counts=NCBI.replace("\t7\t", "\t7.25\t"))


def test_another_table_in_place_of_the_annotation_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"annotation.tsv.gz:1: no column 'GeneID'.*expected NCBI's annotation"
    ):
        ncbi(tmp_path, annotation="ID\tSymbol\n1\tA\n")
