"""Genes near peaks: loops over every pair of a start and a peak are the oracle."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaim.regions import SCORES, Binding, as_regions, no_rows
from reclaim.targets import DISTAL_BP, gene_starts, near_genes, peaks_around, peaks_of, target_table

Start = tuple[str, str, int]
Peak = tuple[str, int, int]

# Few places close together: touching, nested and repeated peaks come up all the time, and each side has a chromosome
# that the other lacks. Several starts per gene, also on two chromosomes, as those of the genes that X and Y share.
start = st.tuples(
    st.sampled_from("ABCD"), st.sampled_from(["chr1", "chrX", "chrY", "chrG"]), st.integers(0, 60)
)
peak = st.builds(
    lambda chrom, first, length: (chrom, first, first + length),
    st.sampled_from(["chr1", "chrX", "chrY", "chrP"]),
    st.integers(0, 60),
    st.integers(1, 20),
)
start_lists = st.lists(start, max_size=12, unique=True)
peak_lists = st.lists(peak, max_size=20)
many_examples = settings(max_examples=200, deadline=None)


def starts_of(rows: list[Start]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["symbol", "chrom", "tss"]).astype({"tss": "int64"})
    return table.assign(biotype="protein_coding")


def peaks_table(rows: list[Peak]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["chrom", "start", "end"]).astype({"start": "int32", "end": "int32"})
    return table.astype({"chrom": "category"})


def gap(tss: int, first: int, end: int) -> int:
    """Bases from a start to the nearest base of a peak."""
    return min(abs(base - tss) for base in range(first, end))


def pairs_by_hand(
    starts: list[Start], peaks: list[Peak], reach: int
) -> dict[tuple[str, int], tuple[int, int]]:
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for symbol, chrom, tss in starts:
        for place, (on, first, end) in enumerate(peaks):
            if on == chrom and gap(tss, first, end) <= reach:
                own = gap(tss, first, end), abs((first + end) // 2 - tss)
                known = found.get((symbol, place), own)
                found[symbol, place] = min(own[0], known[0]), min(own[1], known[1])
    return found


@many_examples
@given(start_lists, peak_lists, st.integers(0, 40))
def test_pairs_are_those_of_a_loop(starts: list[Start], peaks: list[Peak], reach: int) -> None:
    pairs = near_genes(starts_of(starts), peaks_table(peaks), reach)
    found = {(row.symbol, row.peak): (row.distance, row.from_centre) for row in pairs.itertuples()}
    assert found == pairs_by_hand(starts, peaks, reach)
    assert len(found) == len(pairs)
    assert list(pairs[["symbol", "peak"]].itertuples(index=False, name=None)) == sorted(found)


@many_examples
@given(start_lists, peak_lists, st.integers(0, 40))
def test_the_peaks_around_a_gene_are_those_of_a_loop(
    starts: list[Start], peaks: list[Peak], reach: int
) -> None:
    expected: dict[str, int] = {}
    for symbol, chrom, tss in starts:
        number = sum(on == chrom and gap(tss, first, end) <= reach for on, first, end in peaks)
        expected[symbol] = max(number, expected.get(symbol, 0))
    found = peaks_around(starts_of(starts), peaks_table(peaks), reach)
    assert found.to_dict() == expected


# Positions up to 300 kb around three starts, so that peaks lie in every window and beyond the last.
far_peak = st.builds(
    lambda first, length: ("chr1", first, first + length), st.integers(0, 700_000), st.integers(1, 30_000)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(far_peak, max_size=20))
def test_the_table_of_a_gene_counts_its_peaks(peaks: list[Peak]) -> None:
    starts = [("A", "chr1", 200_000), ("A", "chr1", 212_000), ("B", "chr1", 305_000), ("C", "chr2", 5)]
    pairs = near_genes(starts_of(starts), peaks_table(peaks))
    table = target_table(pd.Index(["C", "B", "A", "not there"]), pairs)
    assert list(table.index) == ["C", "B", "A", "not there"]
    for symbol in "AB":
        own = [tss for name, _, tss in starts if name == symbol]
        # A peak's nearest base, without a loop over all bases of a long one.
        gaps = [min(max(0, first - tss, tss - (end - 1)) for tss in own) for _, first, end in peaks]
        centres = [min(abs((first + end) // 2 - tss) for tss in own) for _, first, end in peaks]
        row = table.loc[symbol]
        for reach in (1_000, 5_000, 10_000):
            assert row[f"within_{reach}"] == sum(one <= reach for one in gaps)
        assert row["distal"] == sum(10_000 < one <= 100_000 for one in gaps)
        near = [one for one in gaps if one <= 100_000]
        assert row["nearest"] == min(near) if near else math.isnan(row["nearest"])
        potential = sum(math.exp(-(0.5 + 4 * one / 100_000)) for one in centres if one <= 100_000)
        assert row["potential"] == pytest.approx(potential)
    for nothing in ("C", "not there"):
        assert table.loc[nothing].fillna(-1).to_list() == [0, 0, 0, 0, -1, 0]


def test_the_last_base_of_a_peak_is_the_one_before_its_end() -> None:
    """A start at 100: a peak that ends at 100 is 1 base away, one that begins at 101 as well."""
    peaks: list[Peak] = [("chr1", 90, 100), ("chr1", 90, 101), ("chr1", 100, 110), ("chr1", 101, 110)]
    pairs = near_genes(starts_of([("A", "chr1", 100)]), peaks_table(peaks), 5)
    assert list(pairs["distance"]) == [1, 0, 0, 1]
    assert list(near_genes(starts_of([("A", "chr1", 100)]), peaks_table(peaks), 0)["peak"]) == [1, 2]


def test_a_peak_on_the_start_has_the_largest_weight() -> None:
    """exp(-0.5), and exp(-4.5) at 100 kb."""
    for distance, weight in ((0, math.exp(-0.5)), (DISTAL_BP, math.exp(-4.5))):
        middle = 500_000 + distance
        pairs = near_genes(
            starts_of([("A", "chr1", 500_000)]), peaks_table([("chr1", middle - 50, middle + 50)])
        )
        assert target_table(pd.Index(["A"]), pairs)["potential"].to_list() == [pytest.approx(weight)]


def test_starts_are_of_genes_that_their_symbol_tells_apart() -> None:
    columns = ["chrom", "tss", "gene_id", "symbol", "biotype"]
    rows = [
        ("chr1", 10, "G1", "ONE", "protein_coding"),
        ("chr1", 10, "G1", "ONE", "protein_coding"),  # another transcript from the same start
        ("chr1", 90, "G1", "ONE", "protein_coding"),
        ("chr2", 10, "G2", "TWICE", "snoRNA"),
        ("chr3", 10, "G3", "TWICE", "snoRNA"),
        ("chr2", 50, "G4", "", "lncRNA"),
        ("chrX", 10, "G5", "PAR", "protein_coding"),
        ("chrY", 10, "G5", "PAR", "protein_coding"),
    ]
    starts = gene_starts(pd.DataFrame(rows, columns=columns))
    assert list(starts[["symbol", "chrom", "tss"]].itertuples(index=False, name=None)) == [
        ("ONE", "chr1", 10), ("ONE", "chr1", 90), ("PAR", "chrX", 10), ("PAR", "chrY", 10)
    ]  # fmt: skip


def test_peaks_of_an_antigen_are_those_of_all_its_experiments_each_once() -> None:
    rows = [
        ("chr1", 5, 9, "E1"),
        ("chr1", 5, 9, "E2"),
        ("chr1", 6, 9, "E2"),
        ("chr1", 5, 9, "E3"),
        ("chr2", 1, 2, "E3"),
    ]
    peaks = pd.DataFrame(rows, columns=["chrom", "start", "end", "experiment"]).astype({"chrom": "category"})
    experiments = pd.DataFrame({"experiment": ["E1", "E2", "E3"], "antigen": ["TFA", "TFA", "TFB"]})
    binding = Binding(as_regions(peaks), experiments, no_rows(SCORES))

    def found(*antigens: str) -> list[tuple[str, int, int]]:
        return list(peaks_of(binding, list(antigens)).itertuples(index=False, name=None))

    assert found("TFA") == [("chr1", 5, 9), ("chr1", 6, 9)]
    assert found("TFA", "TFB") == [("chr1", 5, 9), ("chr1", 6, 9), ("chr2", 1, 2)]
    assert found("TFC") == []
    assert np.issubdtype(peaks_of(binding, ["TFC"])["start"].dtype, np.integer)
