"""ChIP-Atlas' list of experiments, with what the real one holds."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from reclaim.errors import AbsentData, UserError
from reclaim.sources import experiment_list
from reclaim.sources.experiment_list import (
    COLUMNS,
    NO_STATISTICS,
    REPEATED,
    REPLACED,
    TOO_SHORT,
    UNNAMED,
    Indexed,
    index_experiments,
    read_experiments,
)

TF = "TFs and others"


def line(experiment: str = "SRX1", genome: str = "hg38", *, statistics: str = "100,98.3,9.2,50", antigen_class: str = TF,
         antigen: str = "AAA", description: str = "NA", title: str = "GSM1: a title", metadata: str = "") -> str:  # fmt: skip
    cells = [
        experiment,
        genome,
        antigen_class,
        antigen,
        "Blood",
        "MM.1S",
        description,
        statistics,
        title,
        metadata,
    ]
    return "\t".join(cells).rstrip("\t") + "\n"


def indexed(folder: Path, text: str | bytes, packed: bool = False) -> tuple[Path, Counter[str]]:
    """The index, and what was counted."""
    raw = text.encode() if isinstance(text, str) else text
    (folder / "experimentList.tab").write_bytes(gzip.compress(raw) if packed else raw)
    index = folder / "experiments.parquet"
    return index, +index_experiments(folder / "experimentList.tab", index).ledger


# A row of ChIP-Atlas' documents, and one of hg38 with quotes.
DOCUMENTED = (
    "SRX097088\thg19\tTFs and others\tGATA2\tBlood\tK-562\tPrimary Tissue=Blood|Tissue Diagnosis=Leukemia Chronic "
    "Myelogenous\t30180878,82.3,42.1,6691\tGSM722415: GATA2 K562bmp r1 110325 3\tsource_name=GATA2\tcell line=K562\n"
    'SRX5\thg38\tTFs and others\tAAA\tBlood\tMM.1S\tNA\t27922422,98.3,9.2,50146\t"GSM5: a 5" tail\tantibody="x\n'
)


def test_every_column_is_read(tmp_path: Path) -> None:
    index, ledger = indexed(tmp_path, DOCUMENTED)
    table = read_experiments(index, "hg19")
    assert tuple(table.columns) == COLUMNS
    assert table.to_dict("records") == [
        {
            "experiment": "SRX097088",
            "genome": "hg19",
            "antigen_class": TF,
            "antigen": "GATA2",
            "cell_class": "Blood",
            "cell": "K-562",
            "cell_description": "Primary Tissue=Blood|Tissue Diagnosis=Leukemia Chronic Myelogenous",
            "reads": 30180878,
            "mapped_percent": 82.3,
            "duplicate_percent": 42.1,
            "peaks": 6691,
            "title": "GSM722415: GATA2 K562bmp r1 110325 3",
            "metadata": "source_name=GATA2\tcell line=K562",
        }
    ]
    assert not ledger


def test_quotes_are_text(tmp_path: Path) -> None:
    index, _ = indexed(tmp_path, DOCUMENTED)
    row = read_experiments(index, "hg38").iloc[0]
    assert (row["title"], row["metadata"]) == ('"GSM5: a 5" tail', 'antibody="x')


def test_an_experiment_is_listed_once_per_genome(tmp_path: Path) -> None:
    text = line("SRX1", "hg19", statistics="9,1.0,1.0,111") + line("SRX1", "hg38", statistics="9,1.0,1.0,222")
    index, ledger = indexed(tmp_path, text)
    assert list(read_experiments(index, "hg19")["peaks"]) == [111]
    assert list(read_experiments(index, "hg38")["peaks"]) == [222]
    assert not ledger


def test_a_line_that_repeats_an_experiment_is_counted_and_the_first_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = line(title="first") + line(title="second") + line("SRX2") + line(title="third")
    for size in (1, 10**6):  # within a block, and in another one
        monkeypatch.setattr(experiment_list, "BLOCK_BYTES", size)
        index, ledger = indexed(tmp_path, text)
        assert list(read_experiments(index, "hg38")["title"]) == ["first", "GSM1: a title"]
        assert ledger == {REPEATED: 2}


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        ("46067636,63.6,22.9,35670", (46067636, 63.6, 22.9, 35670)),
        ("1124594,94.3,79.6,0", (1124594, 94.3, 79.6, 0)),
        ("7,100,0,3", (7, 100, 0, 3)),
        ("NA", (np.nan,) * 4),
        ("-", (np.nan,) * 4),
        ("", (np.nan,) * 4),
        ("1,2,3", (np.nan,) * 4),
        ("1,2,3,4,5", (np.nan,) * 4),
        ("12,NA,9.2,50", (12, np.nan, 9.2, 50)),
        ("12.5,1.0,9.2,", (np.nan, 1.0, 9.2, np.nan)),
        ("-1,1.0,9.2,1e3", (np.nan, 1.0, 9.2, np.nan)),
        ("1" * 30 + ",1.0,9.2,1", (np.nan, 1.0, 9.2, 1)),
    ],
)
def test_statistics_that_are_not_numbers_are_missing(
    tmp_path: Path, statistics: str, expected: tuple[float, ...]
) -> None:
    index, ledger = indexed(tmp_path, line(statistics=statistics) + line("SRX2"))
    table = read_experiments(index, "hg38")[list(experiment_list.STATISTICS)]
    assert set(table.dtypes.map(str)) == {"float64"}
    np.testing.assert_array_equal(table.iloc[0].to_numpy(), expected)
    np.testing.assert_array_equal(table.iloc[1].to_numpy(), (100, 98.3, 9.2, 50))
    assert ledger == ({NO_STATISTICS: 1} if np.isnan(expected).any() else {})


def test_ragged_lines_blanks_and_lines_without_a_name(tmp_path: Path) -> None:
    short = "SRX9\thg38\tInput control\n"
    text = (
        "\n"
        + line("SRX1", metadata="a=1\tb=2\tc=3")
        + short
        + line("")
        + line("SRX4", "")
        + line("SRX2", metadata="a=1\t\t\t")
        + line("SRX3")
    )
    index, ledger = indexed(tmp_path, text)
    table = read_experiments(index, "hg38")
    assert list(table["experiment"]) == ["SRX1", "SRX2", "SRX3"]
    assert list(table["metadata"]) == ["a=1\tb=2\tc=3", "a=1", ""]
    assert ledger == {TOO_SHORT: 1, UNNAMED: 2}


def test_bytes_that_are_not_utf8_are_replaced_and_counted(tmp_path: Path) -> None:
    """A latin-1 copy of two titles among lines of UTF-8."""
    text = (
        line("SRX1", title="β-catenin").encode()
        + line("SRX2", title="Müller").encode("latin-1")
        + line("SRX3", metadata="dose=5 µM").encode("latin-1")
        + line("SRX4").encode()
    )
    index, ledger = indexed(tmp_path, text)
    table = read_experiments(index, "hg38")
    assert list(table["title"])[:2] == ["β-catenin", "M\ufffdller"]
    assert table["metadata"][2] == "dose=5 \ufffdM"
    assert len(table) == 4
    assert ledger == {REPLACED: 2}


def test_entities_are_unescaped_in_descriptions_titles_and_metadata(tmp_path: Path) -> None:
    text = line(
        "SRX1",
        antigen="A&amp;B",
        description="Stem &amp; Progenitor",
        title="p &lt; 0.05 &#916;&#x3b2; R&D AT&T; &nosuch; a&lt",
        metadata="vendor=&quot;x&quot;\tnote=a&#9;b&nbsp;c&amp;lt;",
    )
    row = read_experiments(indexed(tmp_path, text)[0], "hg38").iloc[0]
    assert row["cell_description"] == "Stem & Progenitor"
    assert row["title"] == "p < 0.05 Δβ R&D AT&T; &nosuch; a&lt"
    assert row["metadata"] == 'vendor="x"\tnote=a b c&lt;'  # a tab would begin another key; once only
    assert row["antigen"] == "A&amp;B"  # names are keys of other files


def test_antigen_class_and_antigens_are_selected(tmp_path: Path) -> None:
    text = (
        line("SRX3", antigen="AAA")
        + line("SRX1", antigen="BBB")
        + line("SRX2", antigen="AAA", antigen_class="Histone")
        + line("SRX4", antigen="CCC")
        + line("SRX5", "mm10", antigen="AAA")
    )
    index, _ = indexed(tmp_path, text)
    assert list(read_experiments(index, "hg38")["experiment"]) == ["SRX1", "SRX2", "SRX3", "SRX4"]
    assert list(read_experiments(index, "hg38", TF, ["BBB", "AAA"])["experiment"]) == ["SRX1", "SRX3"]
    assert list(read_experiments(index, "hg38", antigens={"AAA"})["experiment"]) == ["SRX2", "SRX3"]
    empty = read_experiments(index, "hg38", TF, ["nothing"])
    assert len(empty) == 0
    assert tuple(empty.columns) == COLUMNS
    assert empty["peaks"].dtype == float


def test_genomes_and_classes_that_the_list_does_not_know(tmp_path: Path) -> None:
    index, _ = indexed(tmp_path, line() + line("SRX2", "mm10", antigen_class="Histone"))
    with pytest.raises(AbsentData, match=r"'hg18'; did you mean hg38\? \(genomes: hg38, mm10\)"):
        read_experiments(index, "hg18")
    with pytest.raises(AbsentData, match=r"'Histone' in hg38 \(classes: TFs and others\)"):
        read_experiments(index, "hg38", "Histone")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<!DOCTYPE html>\n<html><body>404</body></html>\n", "<!DOCTYPE html>"),
        ("", "with nothing"),
        ("\n\n", "with nothing"),
        ("a,b,c,d,e,f,g,h,i,j\n", "a,b,c"),
        ("\t" * 12 + "x\n", ""),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_another_file_is_told_in_one_line(tmp_path: Path, text: str, found: str, packed: bool) -> None:
    with pytest.raises(UserError, match=r"experimentList.tab:1: begins .*expected ChIP-Atlas'") as caught:
        indexed(tmp_path, text, packed)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_gzip_file_is_told(tmp_path: Path) -> None:
    whole = gzip.compress("".join(line(f"SRX{number}") for number in range(5000)).encode())
    (tmp_path / "list.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"list.gz: truncated or damaged"):
        index_experiments(tmp_path / "list.gz", tmp_path / "index")


def test_something_else_than_an_index_is_told(tmp_path: Path) -> None:
    (tmp_path / "index").write_text(line())
    with pytest.raises(UserError, match="not an index of experiments"):
        read_experiments(tmp_path / "index", "hg38")


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_blocks_of_any_size_packed_or_plain_and_line_ends_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    text = "".join(line(f"SRX{number}", title="ß" * number, metadata="k=v\tl=w") for number in range(30))
    whole = read_experiments(indexed(tmp_path, text)[0], "hg38")
    monkeypatch.setattr(experiment_list, "BLOCK_BYTES", size)
    for raw in (text, text.rstrip("\n"), text.replace("\n", "\r\n"), "\ufeff" + text):
        for packed in (False, True):
            index, ledger = indexed(tmp_path, raw, packed)
            pd.testing.assert_frame_equal(read_experiments(index, "hg38"), whole)
            assert not ledger


def test_the_same_list_gives_the_same_bytes(tmp_path: Path) -> None:
    text = "".join(line(f"SRX{number}", ["hg38", "mm10"][number % 2]) for number in range(200))
    first = indexed(tmp_path, text)[0].read_bytes()
    assert indexed(tmp_path, text, packed=True)[0].read_bytes() == first


def test_a_reader_of_one_genome_can_skip_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment_list, "ROW_GROUP", 10)
    genomes = ["hg38", "mm10", "dm6", "rn6"]
    index, _ = indexed(tmp_path, "".join(line(f"SRX{number}", genomes[number % 4]) for number in range(200)))
    metadata = parquet.ParquetFile(index).metadata
    place = COLUMNS.index("genome")
    ranges = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
    assert len(ranges) == 20
    assert sum(one.min <= "mm10" <= one.max for one in ranges) == 5  # 50 rows of 200, ten at a time


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n&"), max_size=8)
ROWS = st.lists(
    st.tuples(
        st.text("SRX0123", max_size=3), st.sampled_from(["hg38", "mm10", ""]), st.lists(CELLS, max_size=12)
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_the_index_holds_what_a_plain_loop_over_lines_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, list[str]]]
) -> None:
    lines = ["\t".join([experiment, genome, *cells]) for experiment, genome, cells in rows]
    split = [text.split("\t") for text in lines if text]
    expected: dict[tuple[str, str], tuple[str, str]] = {}
    for cells in split:
        if len(cells) >= 9 and cells[0] and cells[1]:
            expected.setdefault((cells[0], cells[1]), (cells[8], "\t".join(cells[9:]).rstrip("\t")))
    folder = tmp_path_factory.mktemp("list")
    path, index = folder / "list.tab", folder / "index"
    path.write_bytes("\n".join(["", *lines]).encode())
    if not expected:
        with pytest.raises(UserError):
            index_experiments(path, index)
        return
    result: Indexed = index_experiments(path, index)
    dropped = sum(result.ledger[reason] for reason in (TOO_SHORT, UNNAMED, REPEATED))
    assert result.rows == len(expected) == len(split) - dropped
    for genome in {genome for _, genome in expected}:
        table = read_experiments(index, genome)
        found = {row.experiment: (row.title, row.metadata) for row in table.itertuples()}
        assert found == {name: value for (name, where), value in expected.items() if where == genome}
