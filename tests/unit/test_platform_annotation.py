"""GEO's annotation of a platform, as its files are written: good rows, several genes, none, and damage."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from reclaim.errors import UserError
from reclaim.sources.platform_annotation import read_platform_annotation

ABOVE = """\
^Annotation
!Annotation_date = Aug 09 2016
!Annotation_platform = GPL570
!Annotation_platform_title = an array
#ID = the probe
#Gene symbol = a symbol
!platform_table_begin
"""
HEADER = "ID\tGene title\tGene symbol\tGene ID\tUniGene title\tGO:Component ID\n"
ROWS = (
    '1552269_at\tprime "repair" 5\'-exonuclease\tTREX1\t11277\t\tGO:0005634///GO:0005829\n'
    "1007_s_at\tone///two\tMIR4640///DDR1\t100616237///780\t\t\n"
    "AFFX-BioB-3_at\t\t\t\t\t\n"
)
END = "!platform_table_end\n"


def read(folder: Path, text: str | bytes, ledger: Counter[str] | None = None, *, packed: bool = True):
    path = folder / "GPL570.annot.gz"
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if packed else content)
    return read_platform_annotation(path, Counter() if ledger is None else ledger)


@pytest.mark.parametrize("packed", [True, False])
def test_each_probe_has_its_gene_several_or_none(packed, tmp_path):
    ledger: Counter[str] = Counter()
    table = read(tmp_path, ABOVE + HEADER + ROWS + END, ledger, packed=packed)
    assert table.to_dict("index") == {
        "1552269_at": {"symbol": "TREX1", "entrez": "11277"},
        "1007_s_at": {"symbol": "MIR4640///DDR1", "entrez": "100616237///780"},
        "AFFX-BioB-3_at": {"symbol": "", "entrez": ""},
    }
    assert table.index.name == "probe"
    assert table.attrs["platform"] == "GPL570"
    assert not +ledger


def test_columns_are_found_by_name_and_need_no_others(tmp_path):
    text = ABOVE + "Gene ID\tID\tGene symbol\n11277\tILMN_1\tTREX1\n" + END
    assert read(tmp_path, text).loc["ILMN_1"].to_dict() == {"symbol": "TREX1", "entrez": "11277"}


def test_a_gene_that_stands_twice_is_one_gene(tmp_path):
    text = ABOVE + HEADER + "p\t\tTREX1 /// TREX1\t11277///11277\t\t\n" + END
    assert read(tmp_path, text).loc["p"].to_dict() == {"symbol": "TREX1", "entrez": "11277"}


def test_probes_that_are_numbers_stay_text(tmp_path):
    assert list(read(tmp_path, ABOVE + HEADER + "0017\t\tTREX1\t11277\t\t\n" + END).index) == ["0017"]


def test_lines_that_repeat_a_probe_or_name_none_are_counted(tmp_path):
    ledger: Counter[str] = Counter()
    rows = ROWS + "1007_s_at\t\tTREX1\t11277\t\t\n\t\tTREX1\t11277\t\t\n"
    table = read(tmp_path, ABOVE + HEADER + rows + END, ledger)
    assert table.loc["1007_s_at", "symbol"] == "MIR4640///DDR1"
    assert +ledger == {
        "lines that repeat a probe in the platform's annotation": 1,
        "lines without a probe in the platform's annotation": 1,
    }


def test_a_title_in_latin_1_does_no_harm(tmp_path):
    text = (ABOVE + HEADER + "p\tSj\u00f6gren\tTRIM21\t6737\t\t\n" + END).encode("latin-1")
    assert read(tmp_path, text).loc["p", "entrez"] == "6737"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ABOVE + HEADER + ROWS, ": no line !platform_table_end: truncated; delete"),
        (ABOVE + HEADER + "1552269_at\tprime\n" + END, ":9: 2 cells; expected ID and Gene symbol and Gene ID"),
        (ABOVE + HEADER + END, ": its table has no probes: damaged"),
        (ABOVE + HEADER.replace("Gene ID", "GeneID") + ROWS + END, ":8: no column 'Gene ID'; did you mean GeneID?"),
        (ABOVE, ": no line !platform_table_end: truncated"),
        (ABOVE + END, ": its table has no probes: damaged"),
        (ABOVE.replace("!platform_table_begin\n", ""), ": begins '^Annotation' and has no line !platform_table_begin"),
        ("<!DOCTYPE html>\n<html>not found</html>\n", ": begins '<!DOCTYPE html>' and has no line !platform"),
        ("", ": is empty and has no line !platform_table_begin"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_another_file_or_a_damaged_one_is_told_in_one_line(packed, text, told, tmp_path):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text, packed=packed)
    (message,) = caught.value.messages
    assert message.startswith(f"{tmp_path / 'GPL570.annot.gz'}{told}")
    assert message.endswith("delete it and fetch it again")
    assert "\n" not in message


def test_a_file_that_was_cut_is_told(tmp_path):
    packed = gzip.compress((ABOVE + HEADER + ROWS * 50 + END).encode())
    with pytest.raises(
        UserError, match=r"GPL570.annot.gz: truncated or damaged .*; delete it and fetch it again"
    ):
        read(tmp_path, packed[: len(packed) // 2], packed=False)
