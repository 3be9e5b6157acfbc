"""Annotation of a genome: where genes start, blacklists, cCREs, sizes of chromosomes."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaim.errors import AbsentData, UserError
from reclaim.regions import BEYOND, INVERTED, REPEATED, UNKNOWN
from reclaim.sources.genome_annotation import (
    NO_STRAND,
    has_class,
    read_blacklist,
    read_ccres,
    read_chromosome_sizes,
    read_tss,
    unversioned,
)

SIZES = {"chr1": 250_000_000, "chrX": 156_040_895, "chrY": 57_227_415}


def feature(chrom: str, kind: str, start: int | str, end: int | str, strand: str, attributes: str) -> str:
    return f"{chrom}\tHAVANA\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n"


# Lines of GENCODE 42; the gene of the minus strand and the Y copy are written like them.
GTF = (
    "##description: evidence-based annotation of the human genome (GRCh38), version 42 (Ensembl 108)\n"
    "##format: gtf\n"
    + feature("chr1", "gene", 173477330, 173488815, "+", 'gene_id "ENSG00000117592.9"; gene_type "protein_coding"; gene_name "PRDX6"; level 2; hgnc_id "HGNC:16753"; havana_gene "OTTHUMG00000034804.2";')
    + feature("chr1", "transcript", 173477330, 173481971, "+", 'gene_id "ENSG00000117592.9"; transcript_id "ENST00000460950.1"; gene_type "protein_coding"; gene_name "PRDX6"; transcript_type "processed_transcript"; transcript_name "PRDX6-202"; level 2; havana_gene "OTTHUMG00000034804.2"; havana_transcript "OTTHUMT00000084223.1";')
    + feature("chr1", "exon", 173477330, 173477492, "+", 'gene_id "ENSG00000117592.9"; transcript_id "ENST00000460950.1"; gene_type "protein_coding"; gene_name "PRDX6";')
    + feature("chr1", "gene", 1001, 2000, "-", 'gene_id "ENSG00000000007.3"; gene_type "lncRNA"; gene_name "MINUS1";')
    + feature("chr1", "transcript", 1001, 2000, "-", 'gene_id "ENSG00000000007.3"; transcript_id "ENST00000000008.2"; gene_type "lncRNA"; gene_name "MINUS1"; transcript_type "retained_intron";')
    + feature("chrX", "transcript", 101, 900, "+", 'gene_id "ENSG00000182378.15"; transcript_id "ENST00000381192.10"; gene_type "protein_coding"; gene_name "PLCXD1";')
    + feature("chrY", "transcript", 101, 900, "+", 'gene_id "ENSG00000182378.15_PAR_Y"; transcript_id "ENST00000381192.10_PAR_Y"; gene_type "protein_coding"; gene_name "PLCXD1"; tag "PAR";')
)  # fmt: skip


def write(folder: Path, text: str | bytes, packed: bool = False) -> Path:
    path = folder / ("annotation.gz" if packed else "annotation")
    raw = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_transcripts_start_at_their_first_base_on_their_strand(tmp_path: Path, packed: bool) -> None:
    """GTF counts from 1 and includes the end: base 1001 is position 1000, base 2000 position 1999."""
    ledger: Counter[str] = Counter()
    sites = read_tss(write(tmp_path, GTF, packed), SIZES, ledger)
    assert list(sites.columns) == [
        "chrom",
        "tss",
        "strand",
        "gene_id",
        "symbol",
        "biotype",
        "transcript_id",
    ]
    assert sites.astype(object).to_numpy().tolist() == [
        ["chr1", 1999, "-", "ENSG00000000007", "MINUS1", "lncRNA", "ENST00000000008.2"],
        ["chr1", 173477329, "+", "ENSG00000117592", "PRDX6", "protein_coding", "ENST00000460950.1"],
        ["chrX", 100, "+", "ENSG00000182378", "PLCXD1", "protein_coding", "ENST00000381192.10"],
        ["chrY", 100, "+", "ENSG00000182378", "PLCXD1", "protein_coding", "ENST00000381192.10_PAR_Y"],
    ]
    assert (str(sites["chrom"].dtype), sites["tss"].dtype) == ("category", np.int64)
    assert not +ledger


def test_genes(tmp_path: Path) -> None:
    genes = read_tss(write(tmp_path, GTF), None, Counter(), "gene")
    assert list(genes["symbol"]) == ["MINUS1", "PRDX6"]
    assert list(genes["tss"]) == [1999, 173477329]
    assert list(genes["transcript_id"]) == ["", ""]


def test_attributes_that_are_missing_and_words_within_others(tmp_path: Path) -> None:
    text = feature(
        "chr1", "transcript", 5, 9, "+", 'havana_gene_id "X"; note "\ttranscript\t"; gene_id "ENSG1";'
    )
    with pytest.raises(UserError, match=r"annotation:1: 11 columns; expected 9"):
        read_tss(write(tmp_path, text), None, Counter())
    sites = read_tss(write(tmp_path, text.replace('note "\ttranscript\t"; ', "")), None, Counter())
    assert sites.iloc[0][["gene_id", "symbol", "biotype", "transcript_id"]].to_list() == ["ENSG1", "", "", ""]


def test_sites_that_cannot_be_are_counted(tmp_path: Path) -> None:
    name = 'gene_id "ENSG00000000009.1"; gene_name "N";'
    text = (
        GTF
        + feature("chr1", "transcript", 5, 9, ".", name)
        + feature("KI270728.1", "transcript", 5, 9, "+", name)
        + feature("chrY", "transcript", 57_227_415, 57_227_416, "-", name)
        + feature("chrY", "transcript", 57_227_000, 57_227_415, "-", name)
    )
    ledger: Counter[str] = Counter()
    sites = read_tss(write(tmp_path, text), SIZES, ledger)
    assert sites["tss"].iloc[-1] == 57_227_414
    assert +ledger == {NO_STRAND: 1, UNKNOWN: 1, BEYOND: 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: begins 'with nothing' and has no transcript line; expected GENCODE's GTF"),
        ("<!DOCTYPE html>\n<html>\n", r":1: begins '<!DOCTYPE html>' and has no transcript line"),
        (GTF.replace("\ttranscript\t", "\tmRNA\t"), r":1: begins '##description.* has no transcript line"),
        (GTF.replace("\t173477330\t173481971", "\tx\t173481971"), r":4: the start is 'x'; expected a whole"),
        (GTF.replace("\t2000\t", "\t-2\t"), r":7: the end is '-2'"),
        (GTF.replace('gene_id "ENSG00000182378.15";', ""), r":8: no gene_id"),
        (GTF[: GTF.rindex("\t.\tgene_id")], r":9: 7 columns; expected 9"),
    ],
)
def test_other_annotations_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_tss(path, None, Counter())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_cut_gzip_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress((GTF * 99).encode())[:-20])
    with pytest.raises(UserError, match=r"cut.gz: truncated or damaged"):
        read_tss(path, None, Counter())


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        ("ENSG00000182378.15", "ENSG00000182378"),
        ("ENSG00000182378.15_PAR_Y", "ENSG00000182378"),
        ("ENSGR0000182378.9", "ENSG00000182378"),
        ("ENSG00000223972.5_2", "ENSG00000223972"),
        ("ENSMUSG00000051951.6", "ENSMUSG00000051951"),
        ("ENSG00000182378", "ENSG00000182378"),
    ],
)
def test_versions_of_genes(given_id: str, expected: str) -> None:
    assert unversioned(given_id) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**5), st.sampled_from("+-")), min_size=1))
def test_a_site_is_the_first_base_that_is_read(
    tmp_path_factory: pytest.TempPathFactory, genes: list[tuple[int, int, str]]
) -> None:
    path = tmp_path_factory.mktemp("gtf") / "x.gtf"
    path.write_text(
        "".join(
            feature("chr1", "gene", start, start + length, strand, f'gene_id "G{number}";')
            for number, (start, length, strand) in enumerate(genes)
        )
    )
    sites = read_tss(path, None, Counter(), "gene").set_index("gene_id")["tss"]
    for number, (start, length, strand) in enumerate(genes):
        bases = range(start, start + length + 1)  # counted from 1, both ends included
        assert sites[f"G{number}"] == (bases[0] if strand == "+" else bases[-1]) - 1
    assert list(sites) == sorted(sites)


@pytest.mark.parametrize("packed", [False, True])
def test_blacklists_of_three_four_and_six_columns(tmp_path: Path, packed: bool) -> None:
    for rest, reason in (
        ("", ""),
        ("\tHigh Signal Region", "High Signal Region"),
        ("\tBSR/Beta\t1000\t.", "BSR/Beta"),
    ):
        text = (
            f"chrX\t0\t45700{rest}\nchr1\t38481300\t38596500{rest}\nchr1\t9\t9{rest}\nchrX\t0\t45700{rest}\n"
        )
        ledger: Counter[str] = Counter()
        regions = read_blacklist(write(tmp_path, text, packed), SIZES, ledger)
        assert regions.astype(object).to_numpy().tolist() == [
            ["chr1", 38481300, 38596500, reason],
            ["chrX", 0, 45700, reason],
        ]
        assert +ledger == {INVERTED: 1, REPEATED: 1}


CCRES = (
    "chr1\t181251\t181601\tEH38D2001\tEH38E1001\tpELS,CTCF-bound\n"
    "chr1\t190865\t191071\tEH38D2002\tEH38E1002\tdELS\n"
    "chr1\t778562\t778912\tEH38D2003\tEH38E1003\tPLS\n"
    "chr1\t779000\t779100\tEH38D2004\tEH38E1004\tCTCF-only,CTCF-bound\n"
)


def test_ccres_and_their_classes(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    ccres = read_ccres(write(tmp_path, CCRES), SIZES, ledger)
    assert list(ccres.columns) == ["chrom", "start", "end", "dnase", "ccre", "classes"]
    assert ccres.iloc[0].to_list() == ["chr1", 181251, 181601, "EH38D2001", "EH38E1001", "pELS,CTCF-bound"]
    assert has_class(ccres, "pELS").tolist() == [True, False, False, False]
    assert has_class(ccres, "CTCF-bound").tolist() == [True, False, False, True]
    assert has_class(ccres, "PLS").tolist() == [False, False, True, False]  # not part of another word
    assert not has_class(ccres, "ELS").any()
    assert not +ledger
    empty = read_ccres(write(tmp_path, ""), SIZES, ledger)
    assert has_class(empty, "PLS").shape == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CCRES.replace("\tpELS,CTCF-bound", "").splitlines(True)[0], "5 columns; expected ENCODE's cCREs"),
        (CCRES.replace("EH38E1003", "EM10E1003"), "'EM10E1003' in column 5; expected ENCODE's cCREs"),
        ("chr1\t5\t9\tname\t7\t+\n", "'name' in column 4; expected"),
        ("chr1\tx\t9\tEH38D1\tEH38E1\tPLS\n", ":1: the start is 'x'"),
    ],
)
def test_other_files_than_ccres_are_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_ccres(write(tmp_path, text), None, Counter())
    assert "\n" not in str(caught.value)


def test_sizes_keep_the_order_of_their_file(tmp_path: Path) -> None:
    text = "# hg38\nchr2\t242193529\r\nchr10\t133797422\n\nchr1\t248956422"
    for packed in (False, True):
        sizes = read_chromosome_sizes(write(tmp_path, text, packed))
        assert list(sizes.items()) == [("chr2", 242193529), ("chr10", 133797422), ("chr1", 248956422)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": empty; expected chromosomes"),
        ("chrom\tsize\nchr1\t5\n", r":1: 'chrom\\tsize'; expected a chromosome and its length"),
        ("chr1\t5\nchr2\t0\n", ":2: "),
        ("chr1\t5\nchr2\n", ":2: 'chr2'"),
        ("chr1\t5\t6\n", ":1: "),
        ("chr1\t-5\n", ":1: "),
        ("chr1\t5\nchr1\t5\n", ":2: the chromosome chr1 stands twice"),
        ("<!DOCTYPE html>\n", ":1: '<!DOCTYPE html>'"),
    ],
)
def test_other_files_than_sizes_are_told(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_chromosome_sizes(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_annotation_of_another_naming_is_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentData, match="no region lies on a known chromosome"):
        read_tss(write(tmp_path, GTF.replace("chr", "")), SIZES, Counter())
