"""ChIP-Atlas' lists and tables of scores, with what real ones hold."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaim.errors import AbsentData, UserError
from reclaim.sources.chip_atlas_tables import (
    ITSELF,
    REPEATED,
    assembled_file,
    read_analysis_list,
    read_colocalisation,
    read_file_list,
    read_target_genes,
    underscored,
)

TF = "TFs and others"

# The first line is one of ChIP-Atlas' documents; names stand for characters of antigens and cells.
FILES = (
    f"Oth.ALL.05.GATA2.AllCell\thg19\t{TF}\tGATA2\tAll cell types\t-\t05\tSRX070877,SRX070878\n"
    f"Oth.Bld.05.AAA.AllCell\thg38\t{TF}\tAAA\tBlood\t-\t05\tSRX1,SRX2\n"
    f"Oth.Bld.05.AAA.MMPERIOD1S\thg38\t{TF}\tAAA\tBlood\tMM.1S\t05\tSRX1\n"
    f"Oth.Bld.10.AAA.MMPERIOD1S\thg38\t{TF}\tAAA\tBlood\tMM.1S\t10\tSRX1\n"
    f"Oth.Bld.05.AAA.CD4PULUS_T_cells\thg38\t{TF}\tAAA\tBlood\tCD4+ T cells\t05\tSRX2\n"
    f"Oth.ALL.05.AllAg.AllCell\thg38\t{TF}\t-\tAll cell types\t-\t05\tSRX1,SRX2,SRX3\n"
    f"Oth.Bld.05.BBBBRACKETLphosphoBRACKETR.AllCell\thg38\t{TF}\tBBB(phospho)\tBlood\t-\t05\tSRX4\n"
)
COLO = (
    "Experiment\tCell_subclass\tProtein\tStat3|Average\tSRX1|CD4+_T_cells\tSRX2|MM.1S\tSTRING\n"
    "SRX9\tMM.1S\tFos\t7.500000\t6.000000\t9.000000\t900\n"
    "SRX1\tCD4+_T_cells\tStat3\t3.000000\t10.000000\t3.000000\t0\n"
    "SRX8\tK-562\tJun\t0\t0\t0\t0\n"
)
TARGETS = (
    "Target_genes\tStat3|Average\tSRX1|CD4+_T_cells\tSRX2|MM.1S\tSTRING\n"
    "Stat3\t1604.5\t665\t2544\t900\n"
    "Socs3\t150.0\t300\t0\t750\n"
    "Il6\t0\t0\t0\t400\n"
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_files_of_a_genome(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    files = read_file_list(write(tmp_path, FILES), "hg38", ledger)
    assert list(files.columns) == [
        "file",
        "antigen_class",
        "antigen",
        "cell_class",
        "cell",
        "threshold",
        "experiments",
    ]
    assert len(files) == 6
    assert list(read_file_list(write(tmp_path, FILES), "hg19", ledger)["experiments"]) == [
        "SRX070877,SRX070878"
    ]
    assert not +ledger


@pytest.mark.parametrize(
    ("asked", "name", "experiments"),
    [
        (
            {"antigen": "AAA", "cell_class": "Blood", "cell": "MM.1S"},
            "Oth.Bld.05.AAA.MMPERIOD1S",
            ("SRX1",),
        ),
        (
            {"antigen": "AAA", "cell_class": "Blood", "cell": "MM.1S", "threshold": "10"},
            "Oth.Bld.10.AAA.MMPERIOD1S",
            ("SRX1",),
        ),
        (
            {"antigen": "AAA", "cell_class": "Blood", "cell": "CD4+ T cells"},
            "Oth.Bld.05.AAA.CD4PULUS_T_cells",
            ("SRX2",),
        ),
        ({"antigen": "AAA", "cell_class": "Blood"}, "Oth.Bld.05.AAA.AllCell", ("SRX1", "SRX2")),
        (
            {"antigen": "BBB(phospho)", "cell_class": "Blood"},
            "Oth.Bld.05.BBBBRACKETLphosphoBRACKETR.AllCell",
            ("SRX4",),
        ),
        ({}, "Oth.ALL.05.AllAg.AllCell", ("SRX1", "SRX2", "SRX3")),
    ],
)
def test_a_name_is_looked_up(
    tmp_path: Path, asked: dict[str, str], name: str, experiments: tuple[str, ...]
) -> None:
    files = read_file_list(write(tmp_path, FILES), "hg38", Counter())
    found = assembled_file(files, antigen_class=TF, **asked)
    assert (found.name, found.experiments) == (name, experiments)


def test_files_that_do_not_exist_or_are_not_one(tmp_path: Path) -> None:
    files = read_file_list(write(tmp_path, FILES), "hg38", Counter())
    with pytest.raises(AbsentData, match=r"table.tsv: no assembled file of cell class 'Blod'; did you mean"):
        assembled_file(files, antigen_class=TF, antigen="AAA", cell_class="Blod")
    with pytest.raises(AbsentData, match="of antigen 'CCC'"):
        assembled_file(files, antigen_class=TF, antigen="CCC")
    with pytest.raises(AbsentData, match=r"genome 'hg17'; did you mean hg19\? \(genomes: hg19, hg38\)"):
        read_file_list(write(tmp_path, FILES), "hg17", Counter())
    twice = read_file_list(write(tmp_path, FILES * 2), "hg19", Counter())
    with pytest.raises(UserError, match=r"2 files .*expected one"):
        assembled_file(twice, antigen_class=TF, antigen="GATA2")


def test_a_file_may_hold_very_many_experiments_and_odd_bytes(tmp_path: Path) -> None:
    """All antigens in all cells: more characters than csv allows in a cell."""
    names = ",".join(f"SRX{number:07d}" for number in range(30_000))
    text = f"Oth.ALL.05.AllAg.AllCell\thg38\t{TF}\t-\tAll cell types\t-\t05\t{names}\n".encode()
    text += f'x\thg38\t{TF}\tA"A\tBlood\tM\u00fcller\t05\tSRX1\n'.encode("latin-1")
    ledger: Counter[str] = Counter()
    files = read_file_list(write(tmp_path, text), "hg38", ledger)
    assert len(assembled_file(files, antigen_class=TF).experiments) == 30_000
    assert list(files.iloc[1][["antigen", "cell"]]) == ['A"A', "Müller"]
    assert sum(ledger.values()) == 1


# Lines of the list of 2018, the last one of another genome.
ANALYSES = (
    "GATA2\t-\t+\thg19\nPRDM9\tUterus\t+\thg19\n"
    "MYB\tBreast,Cardiovascular,Digestive tract,Uterus\t-\thg19\nama-1\tAdult,Embryo\t+\tce10\n"
)


def test_analyses_of_a_genome(tmp_path: Path) -> None:
    table = read_analysis_list(write(tmp_path, ANALYSES), "hg19", Counter())
    assert list(table.index) == ["GATA2", "PRDM9", "MYB"]
    assert list(table["colocalisation"]) == [
        (),
        ("Uterus",),
        ("Breast", "Cardiovascular", "Digestive tract", "Uterus"),
    ]
    assert list(table["target_genes"]) == [True, True, False]
    assert list(read_analysis_list(write(tmp_path, ANALYSES), "ce10", Counter()).index) == ["ama-1"]


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        ("files", "<html>\n", r":1: 1 cells, '<html>'; expected 8"),
        ("files", FILES + "x\thg38\n", r":8: 2 cells"),
        ("files", "\n", "empty"),
        ("analyses", ANALYSES + "x\t-\t+\thg19\t\n", r":5: 5 cells, .*expected 4"),
        ("analyses", ANALYSES.replace("\t+\tce10", "\tyes\tce10"), r":4: target genes are 'yes'"),
        ("analyses", "", "empty"),
    ],
)
def test_other_lists_are_told_with_the_line(tmp_path: Path, reader: str, text: str, message: str) -> None:
    read = {"files": read_file_list, "analyses": read_analysis_list}[reader]
    with pytest.raises(UserError, match=message) as caught:
        read(write(tmp_path, text), "hg19", Counter())
    assert "\n" not in str(caught.value)


def test_colocalisation_has_a_column_for_each_experiment(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    table = read_colocalisation(write(tmp_path, COLO), ledger)
    assert table.antigen == "Stat3"
    assert list(table.scores.columns) == [("SRX1", "CD4+_T_cells"), ("SRX2", "MM.1S")]  # not the Average
    assert list(table.scores.index) == [
        ("SRX9", "MM.1S", "Fos"),
        ("SRX1", "CD4+_T_cells", "Stat3"),
        ("SRX8", "K-562", "Jun"),
    ]
    # 10 is the experiment itself.
    np.testing.assert_array_equal(table.scores.to_numpy(), [[6, 9], [np.nan, 3], [0, 0]])
    assert list(table.string) == [900, 0, 0]
    assert +ledger == {ITSELF: 1}


def test_scores_of_one_cell(tmp_path: Path) -> None:
    targets = read_target_genes(write(tmp_path, TARGETS), Counter())
    one = targets.scores.xs(underscored("CD4+ T cells"), axis=1, level="cell")
    assert list(one.columns) == ["SRX1"]
    assert list(one["SRX1"]) == [665, 300, 0]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (COLO.replace("\t10.000000", "\t0.000000"), ("SRX1", "CD4+_T_cells", "Stat3")),
        (COLO.replace("SRX1\t", "SRX1_again\t"), ("SRX1_again", "CD4+_T_cells", "Stat3")),
    ],
    ids=["by name", "by score"],
)
def test_an_experiment_is_itself_by_its_name_or_its_score(
    tmp_path: Path, text: str, row: tuple[str, ...]
) -> None:
    table = read_colocalisation(write(tmp_path, text), Counter())
    np.testing.assert_array_equal(table.scores.loc[row].to_numpy(), [np.nan, 3])


def test_target_genes(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    table = read_target_genes(write(tmp_path, TARGETS), ledger)
    assert (table.antigen, table.scores.index.name) == ("Stat3", "gene")
    assert table.scores.loc["Stat3"].to_list() == [665, 2544]  # not capped at 1000
    assert table.scores.loc["Il6"].to_list() == [0, 0]
    assert table.string.to_dict() == {"Stat3": 900, "Socs3": 750, "Il6": 400}
    assert not +ledger


def test_a_gene_on_two_rows_has_its_larger_scores(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    table = read_target_genes(write(tmp_path, TARGETS + "Socs3\t1\t5\t7\t800\n"), ledger)
    assert list(table.scores.index) == ["Stat3", "Socs3", "Il6"]
    assert table.scores.loc["Socs3"].to_list() == [300, 7]
    assert table.string["Socs3"] == 800
    assert +ledger == {REPEATED: 1}


@pytest.mark.parametrize("end", ["\n", "", "\r\n", "\n\n"])
@pytest.mark.parametrize(
    ("read", "text"), [(read_target_genes, TARGETS), (read_colocalisation, COLO)], ids=["target", "colo"]
)
def test_a_table_of_a_header_only_is_empty(tmp_path: Path, read, text: str, end: str) -> None:
    """As of antigens with thousands of experiments."""
    table = read(write(tmp_path, text.partition("\n")[0] + end), Counter())
    assert table.antigen == "Stat3"
    assert table.scores.shape == (0, 2)
    assert list(table.scores.columns.get_level_values("cell")) == ["CD4+_T_cells", "MM.1S"]
    assert list(table.scores.dtypes) == [float, float]
    assert len(table.string) == 0


def test_bytes_quotes_line_ends_and_gzip(tmp_path: Path) -> None:
    text = TARGETS.replace("Socs3", '"Socs3').replace("\n", "\r\n").encode()
    text = text.replace(b"Il6", "M\u00fc6".encode("latin-1"))
    for raw in (text, gzip.compress(text)):
        table = read_target_genes(write(tmp_path, raw), Counter())
        assert list(table.scores.index) == ["Stat3", '"Socs3', "M\ufffd6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: begins ''; expected the header Target_genes <antigen>\|Average"),
        ("<!DOCTYPE html>\n<html>\n", r":1: begins '<!DOCTYPE html>'; expected the header"),
        (COLO, r":1: begins 'Experiment\\tCell_subclass.*; expected the header Target_genes"),
        (TARGETS.replace("\tSTRING", ""), r":1: begins"),
        (TARGETS.replace("|Average", ""), r":1: begins"),
        (TARGETS.replace("SRX2|MM.1S", "SRX2"), r":1: begins"),
        ("Target_genes\tStat3|Average\tSTRING\n", r":1: begins"),
        (TARGETS.replace("SRX2|", "SRX1|"), r":1: the experiment SRX1 stands twice"),
        (TARGETS.replace("\t300", ""), r":3: 4 cells; expected 5"),
        (TARGETS.replace("\t300", "\tNA"), r":3: 'NA' where a score stands"),
        (TARGETS.replace("\t300", "\t"), r":3: '' where a score stands"),
        (TARGETS.replace("\t300", "\tnan"), r"row of Socs3 has nan for SRX1; expected a score from 0 to inf"),
        (TARGETS.replace("\t300", "\t-1"), r"row of Socs3 has -1 for SRX1"),
    ],
)
def test_another_table_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_target_genes(path, Counter())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_scores_that_colocalisation_cannot_have(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row of SRX9 has 665 for SRX1; expected a score from 0 to 10"):
        read_colocalisation(write(tmp_path, COLO.replace("\t6.000000", "\t665")), Counter())


SCORES = st.floats(0, 1e4, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(SCORES, min_size=width, max_size=width), min_size=1))
)  # fmt: skip
def test_scores_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:
    header = ["Target_genes", "T|Average", *(f"SRX{i}|C" for i in range(len(rows[0]))), "STRING"]
    lines = ["\t".join([f"G{i}", "0", *map(repr, row), "0"]) for i, row in enumerate(rows)]
    path = tmp_path_factory.mktemp("target") / "T.5.tsv"
    path.write_text("\n".join(["\t".join(header), *lines]))
    table = read_target_genes(path, Counter())
    assert table.scores.to_numpy().tolist() == rows
    assert list(table.scores.index) == [f"G{i}" for i in range(len(rows))]
