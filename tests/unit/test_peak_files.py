"""Peaks of ChIP-Atlas and of anyone's own BED files, with what real ones hold."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaError

from reclaim.errors import AbsentData, UserError
from reclaim.regions import BEYOND, INVERTED, NEGATIVE, REPEATED, UNKNOWN, as_regions, in_order
from reclaim.sources import bed
from reclaim.sources.bed import read_bed
from reclaim.sources.peak_files import NO_CELL, TEXT_SCORES, UNNAMED, read_assembled, read_peaks

SIZES = {"chr2": 100_000, "chr1": 50_000, "chr10": 40_000}
"""Not in the order of names: the genome's order counts."""

# The first row is one of ChIP-Atlas; the others have a score that no cap stopped, and a file without p, q and summit.
NARROW = (
    "chr1\t32481\t32787\tSRX4150706.05_peak_1\t92\t.\t7.69231\t13.22648\t9.25988\t155\n"
    "chr10\t900\t1200\tSRX4150706.05_peak_3\t5218\t.\t80.1\t530.2\t521.88\t3\n"
    "chr2\t10\t20\tSRX4150706.05_peak_2\t70\t.\t5\t-1\t-1\t-1\n"
)
TRACK = 'track name="EPAS1 (@ All cell types) 50" url="http://chip-atlas.org/view?id=$$" gffTags="on"\n'
# Rows as ChIP-Atlas assembles them: blanks that are not encoded, and <br>.
ASSEMBLED = (
    TRACK
    + "chr1\t9869\t10464\tID=SRX968419;Name=EPAS1%20(@%20786-O);Title=GSM1642766:%20ChIP seq;Cell%20group=Kidney;"
    "<br>source_name=Renal%20Cancer Cell%20Line;cell%20line=786-O;\t1000\t.\t9869\t10464\t204,255,0\n"
    + "chr1\t9810\t10438\tID=SRX387603;Name=H3K4me3%20(@%20CD4%2B%20T%20cells%20(Th1));Title=x;<br>Name=y;Name=z;ID=w;\t222\t.\t9810"
    "\t10438\t0,226,255\n"
)


def write(folder: Path, text: str | bytes, packed: bool = False) -> Path:
    path = folder / ("peaks.bed.gz" if packed else "peaks.bed")
    raw = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


def peaks_of(
    folder: Path, text: str | bytes, sizes: dict[str, int] | None = None
) -> tuple[pd.DataFrame, Counter[str]]:
    ledger: Counter[str] = Counter()
    return read_peaks(write(folder, text), sizes, ledger), +ledger


def test_narrow_peaks(tmp_path: Path) -> None:
    peaks, ledger = peaks_of(tmp_path, NARROW, SIZES)
    assert list(peaks.columns) == ["chrom", "start", "end", "score", "fold", "p", "q", "summit"]
    assert list(peaks["chrom"]) == ["chr2", "chr1", "chr10"]
    assert list(peaks["chrom"].cat.categories) == ["chr2", "chr1", "chr10"]
    assert list(peaks["start"]) == [10, 32481, 900]
    assert list(peaks["end"]) == [20, 32787, 1200]
    assert [str(peaks[name].dtype) for name in ("start", "end", "score")] == ["int64", "int64", "float64"]
    assert list(peaks["score"]) == [70, 92, 5218]
    assert list(peaks["fold"]) == [5, 7.69231, 80.1]
    for name, values in (
        ("p", [np.nan, 13.22648, 530.2]),
        ("q", [np.nan, 9.25988, 521.88]),
        ("summit", [np.nan, 155, 3]),
    ):
        np.testing.assert_array_equal(peaks[name], values, err_msg=name)
    assert not ledger


@pytest.mark.parametrize(
    ("rest", "score"),
    [
        ("", np.nan),
        ("\t644.5", 644.5),  # chr, start, end, score
        ("\tSRX24935670", np.nan),  # chr, start, end, name
        ("\tSRX24935670\t644", 644),
        ("\tSRX663252_0000001\tTP63", np.nan),
        ("\tname of a peak\t7\t+", 7),
        ("\tn\t8\t.\t1\t2\t255,0,0", 8),  # BED9: what follows is no fold
        ("\tn\t.\t.", np.nan),
    ],
)
def test_bed_of_any_width(tmp_path: Path, rest: str, score: float) -> None:
    peaks, ledger = peaks_of(tmp_path, f"chr1\t5\t9{rest}\nchr1\t20\t30{rest}\n")
    np.testing.assert_array_equal(peaks["score"], [score] * 2)
    assert peaks[["fold", "p", "q", "summit"]].isna().all(axis=None)
    assert list(peaks["start"]) == [5, 20]
    assert ledger == ({TEXT_SCORES: 2} if rest.count("\t") > 1 and np.isnan(score) else {})


def test_quotes_are_text(tmp_path: Path) -> None:
    peaks, _ = peaks_of(tmp_path, 'chr1\t5\t9\t"a\t7\nchr1\t20\t30\tb"\t8\n')
    assert list(peaks["score"]) == [7, 8]


def test_a_single_score_that_is_no_number(tmp_path: Path) -> None:
    peaks, ledger = peaks_of(tmp_path, "chr1\t5\t9\ta\t7\nchr1\t20\t30\tb\t.\n")
    np.testing.assert_array_equal(peaks["score"], [7, np.nan])
    assert ledger == {TEXT_SCORES: 1}


@pytest.mark.parametrize("text", ["", "\n", TRACK, TRACK.strip(), "#chrom\tstart\tend\n", "browser position chr1\n# x\n"])  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_without_peaks_is_empty(tmp_path: Path, text: str, packed: bool) -> None:
    for read in (read_peaks, read_assembled):
        ledger: Counter[str] = Counter()
        peaks = read(write(tmp_path, text, packed), SIZES, ledger)
        assert len(peaks) == 0
        assert (str(peaks["chrom"].dtype), peaks["start"].dtype) == ("category", np.int64)
        assert not +ledger
        assert len(as_regions(peaks, None if "experiment" in peaks else "SRX1")) == 0


def test_headers_line_ends_and_gzip_change_nothing(tmp_path: Path) -> None:
    whole, _ = peaks_of(tmp_path, NARROW)
    first, second, third = NARROW.splitlines(True)
    headed = TRACK + "# comment\nbrowser hide all\n" + first + TRACK + second + "\n#x\n" + third
    for text in (headed, NARROW.replace("\n", "\r\n"), NARROW.rstrip("\n"), headed.replace("\n", "\r\n")):
        for packed in (False, True):
            pd.testing.assert_frame_equal(read_peaks(write(tmp_path, text, packed), None, Counter()), whole)
    (tmp_path / "named.bed").write_bytes(gzip.compress(NARROW.encode()))  # packed, whatever its name
    pd.testing.assert_frame_equal(read_peaks(tmp_path / "named.bed", None, Counter()), whole)


def test_blocks_of_any_size_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = NARROW + NARROW.replace("chr2", "chr7") + "chr2\t11\t20\tx\ty\t.\t5\t-1\t-1\t-1\n"
    whole, counted = peaks_of(tmp_path, text)
    assert (len(whole), counted) == (5, {TEXT_SCORES: 1, REPEATED: 2})
    assembled = read_assembled(write(tmp_path, ASSEMBLED), None, Counter())
    monkeypatch.setattr(bed, "BLOCK_BYTES", 300)  # longer than a line, shorter than the file
    pd.testing.assert_frame_equal(peaks_of(tmp_path, text)[0], whole)
    pd.testing.assert_frame_equal(read_assembled(write(tmp_path, ASSEMBLED), None, Counter()), assembled)


def test_without_sizes_chromosomes_come_as_in_the_file(tmp_path: Path) -> None:
    peaks, _ = peaks_of(tmp_path, "chrB\t30\t40\nchrA\t5\t9\nchrB\t10\t20\nchrB\t10\t15\n")
    assert peaks.iloc[:, :3].astype(object).to_numpy().tolist() == [
        ["chrB", 10, 15],
        ["chrB", 10, 20],
        ["chrB", 30, 40],
        ["chrA", 5, 9],
    ]


def test_impossible_and_repeated_peaks_are_dropped_and_counted(tmp_path: Path) -> None:
    text = (
        "chr1\t100\t100\n"  # no length
        "chr1\t100\t90\n"
        "chr1\t-5\t10\n"
        "chrUn_GL000195v1\t1\t2\n"
        "chr1\t49999\t50001\n"
        "chr1\t49999\t50000\n"  # the last base
        "chr1\t0\t10\n"
        "chr1\t0\t10\n"
        "chr1\t0\t11\n"
        "chrUn\t-5\t-5\n"  # counted once
    )
    peaks, ledger = peaks_of(tmp_path, text, SIZES)
    assert peaks[["start", "end"]].to_numpy().tolist() == [[0, 10], [0, 11], [49999, 50000]]
    assert ledger == {INVERTED: 3, NEGATIVE: 1, UNKNOWN: 1, BEYOND: 1, REPEATED: 1}
    peaks, ledger = peaks_of(tmp_path, text)
    assert len(peaks) == 5
    assert ledger == {INVERTED: 3, NEGATIVE: 1, REPEATED: 1}


def test_two_summits_of_one_interval_are_two_peaks(tmp_path: Path) -> None:
    row = "chr1\t100\t400\ta\t92\t.\t7.7\t13.2\t9.3\t"
    peaks, ledger = peaks_of(tmp_path, f"{row}250\n{row}80\n{row}80\n")
    assert list(peaks["summit"]) == [250, 80]
    assert ledger == {REPEATED: 1}


def test_peaks_of_another_naming_are_absent(tmp_path: Path) -> None:
    with pytest.raises(AbsentData, match=r"peaks.bed: no region lies on a known chromosome \(it has '1', the genome 'chr2'\)"):  # fmt: skip
        peaks_of(tmp_path, "1\t5\t9\n2\t5\t9\n", SIZES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html>\n<html></html>\n", r":1: 1 column, '<!DOCTYPE html>'; expected chromosome, start"),
        ("chr1 5 9\n", r":1: 1 column, 'chr1 5 9'"),
        ("chr1\t5\n", r":1: 2 columns"),
        (TRACK + "chr1\t5\t9\nchr1\tx\t9\n", r":3: the start is 'x'; expected a whole number"),
        ("chrom\tstart\tend\nchr1\t5\t9\n", r":1: the start is 'start'"),
        ("chr1\t5\t9.5\n", r":1: the end is '9.5'"),
        ("chr1\t5\t\n", r":1: the end is ''"),
        ("chr1\t5\tNA\n", r":1: the end is 'NA'"),
        ("chr1\t5\t1e3\n", r":1: the end is '1e3'"),
        ("chr1\t5\t9\ta\n\nchr1\t5\t9\n", r":3: 3 columns; expected 4, as in the first line"),
        ("chr1\t5\t9\nchr1\t5\t9\ta\n", r":2: 4 columns; expected 3"),
        (NARROW + "chr1\t5", r":4: 2 columns"),
        ("chr1\t5\t99999999999999999999\n", r"not a BED file"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_files_are_told_with_the_line(tmp_path: Path, text: str, message: str, packed: bool) -> None:
    path = write(tmp_path, text, packed)
    for read in (read_peaks, read_assembled):
        with pytest.raises(UserError, match=message) as caught:
            read(path, SIZES, Counter())
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_a_cut_gzip_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed.gz"
    path.write_bytes(gzip.compress((NARROW * 999).encode())[:100])
    with pytest.raises(UserError, match=r"peaks.bed.gz: truncated or damaged"):
        read_peaks(path, None, Counter())


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    text = "chr1\t5\t9\tM\u00fcller\t7\nchr\u00e4\t5\t9\tb\t8\nchr\u00fc\t5\t9\tb\t8\n".encode("latin-1")
    peaks, _ = peaks_of(tmp_path, text)
    assert list(peaks["chrom"]) == [
        "chr1",
        "chr\ufffd",
    ]  # two names that read alike are one, and so the peaks
    assert list(peaks["score"]) == [7, 8]
    text = ASSEMBLED.replace("786-O", "H\u00e9La").encode("latin-1")
    assert "H\ufffdLa" in set(read_assembled(write(tmp_path, text), None, Counter())["cell"])


def test_assembled_peaks(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    for packed in (False, True):
        peaks = read_assembled(write(tmp_path, ASSEMBLED, packed), SIZES, ledger)
        assert list(peaks.columns) == ["chrom", "start", "end", "experiment", "antigen", "cell", "score"]
        assert peaks.astype(object).to_numpy().tolist() == [
            ["chr1", 9810, 10438, "SRX387603", "H3K4me3", "CD4+ T cells (Th1)", 222],
            ["chr1", 9869, 10464, "SRX968419", "EPAS1", "786-O", 1000],
        ]
        assert [str(peaks[name].dtype) for name in ("experiment", "antigen", "cell")] == ["category"] * 3
    assert not +ledger


def test_assembled_peaks_without_experiment_or_cell(tmp_path: Path) -> None:
    text = (
        ASSEMBLED
        + "chr1\t1\t2\tName=A%20(@%20B);\t5\n".replace("\n", "\t.\t1\t2\t0\n")
        + "chr1\t3\t4\tID=SRX1;Name=EPAS1;\t5\t.\t3\t4\t0\n"
        + "chr1\t5\t6\tID=SRX2\tx\t.\t5\t6\t0\n"
        + "chr1\t5\t5\tID=SRX3;Name=A%20(@%20B)\t1\t.\t5\t6\t0\n"
    )
    ledger: Counter[str] = Counter()
    peaks = read_assembled(write(tmp_path, text), None, ledger)
    assert list(peaks["experiment"]) == ["SRX1", "SRX2", "SRX387603", "SRX968419"]
    assert list(peaks["cell"])[:2] == ["", ""]
    assert +ledger == {UNNAMED: 1, NO_CELL: 2, TEXT_SCORES: 1, INVERTED: 1}


def test_equal_intervals_of_two_experiments_are_two_peaks(tmp_path: Path) -> None:
    rows = [f"chr1\t1\t9\tID=SRX{number};Name=A%20(@%20B)\t5\t.\t1\t9\t0\n" for number in (2, 1, 2)]
    ledger: Counter[str] = Counter()
    peaks = read_assembled(write(tmp_path, "".join(rows)), None, ledger)
    assert list(peaks["experiment"]) == ["SRX2", "SRX1"]
    assert +ledger == {REPEATED: 1}


def test_peaks_of_one_experiment_are_no_assembled_file(tmp_path: Path) -> None:
    for text, found in ((NARROW, "'SRX4150706.05_peak_1'"), ("chr1\t1\t2\n", "''")):
        with pytest.raises(UserError, match=f"column 4 is {found}; expected attributes"):
            read_assembled(write(tmp_path, text), None, Counter())


def test_canonical_regions(tmp_path: Path) -> None:
    one = as_regions(peaks_of(tmp_path, NARROW, SIZES)[0], "SRX4150706")
    assert list(one.columns) == ["chrom", "start", "end", "experiment", "score", "q", "summit"]
    assert set(one["experiment"]) == {"SRX4150706"}
    assert list(one["summit"])[1:] == [155, 3]
    many = as_regions(read_assembled(write(tmp_path, ASSEMBLED), SIZES, Counter()))
    assert list(many["experiment"]) == ["SRX387603", "SRX968419"]
    assert many[["q", "summit"]].isna().all(axis=None)
    with pytest.raises(SchemaError):
        as_regions(one.assign(end=one["start"]))
    with pytest.raises(SchemaError):
        as_regions(one.assign(start=-1))


CHROMOSOMES = st.sampled_from(["chr1", "chr2", "chr10", "chrUn"])
INTERVALS = st.lists(st.tuples(CHROMOSOMES, st.integers(-3, 60_000), st.integers(-3, 60_000)), max_size=30)


@settings(max_examples=100, deadline=None)
@given(INTERVALS)
def test_what_is_kept_and_what_is_counted_is_all(intervals: list[tuple[str, int, int]]) -> None:
    """A set and a sort tell the same; every interval is either kept or counted."""
    possible = {
        (chrom, start, end)
        for chrom, start, end in intervals
        if chrom in SIZES and 0 <= start < end <= SIZES[chrom]
    }
    table = pd.DataFrame(intervals, columns=["chrom", "start", "end"]).astype({"start": int, "end": int})
    ledger: Counter[str] = Counter()
    if intervals and all(chrom not in SIZES for chrom, _, _ in intervals):
        with pytest.raises(AbsentData):
            in_order(table, "x", SIZES, ledger)
        return
    found = [tuple(row) for row in in_order(table, "x", SIZES, ledger).itertuples(index=False)]
    order = list(SIZES)
    assert found == sorted(possible, key=lambda one: (order.index(one[0]), one[1], one[2]))
    assert len(found) + sum(ledger.values()) == len(intervals)


NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs", "S")), min_size=1, max_size=9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 1000)), min_size=1, max_size=6))
def test_names_come_back_from_their_attributes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]]
) -> None:
    """Whatever characters an antigen and a cell have, as long as they are encoded."""
    text = "".join(
        f"chr1\t{place}\t{place + 9}\tID=SRX{place};Name={quote(f'{antigen} (@ {cell})')};Title=a b;<br>c=d;\t{score}\t.\n"
        for place, (antigen, cell, score) in enumerate(rows)
    )
    path = tmp_path_factory.mktemp("assembled") / "x.bed"
    path.write_text(text, encoding="utf-8")
    peaks = read_assembled(path, None, Counter())
    assert [f"{row.antigen} (@ {row.cell})" for row in peaks.itertuples()] == [
        f"{antigen} (@ {cell})" for antigen, cell, _ in rows
    ]
    assert list(peaks["score"]) == [score for _, _, score in rows]


def test_columns_that_a_bed_file_lacks(tmp_path: Path) -> None:
    found = read_bed(write(tmp_path, "chr1\t1\t2\nchr1\t3\t4\n"), 4, 5)
    assert list(found.text(4)) == ["", ""]
    assert np.isnan(found.numbers(5)).all()
