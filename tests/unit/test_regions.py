"""Regions in the one form that the workflow keeps, and which of them share a base with others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaError

from reclaim.regions import EXPERIMENTS, REGIONS, SCORES, Binding, as_regions, no_rows, overlaps_any

Region = tuple[str, int, int]


def table(*regions: Region) -> pd.DataFrame:
    chrom, start, end = zip(*regions, strict=True) if regions else ((), (), ())
    return pd.DataFrame(
        {"chrom": pd.Categorical(chrom), "start": np.array(start, int), "end": np.array(end, int)}
    )


def one_by_one(regions: list[Region], others: list[Region]) -> list[bool]:
    """Two half-open intervals share a base when each starts before the other ends."""
    return [
        any(chrom == other and start < last and first < end for other, first, last in others)
        for chrom, start, end in regions
    ]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], False),
        ([("chr1", 100, 200)], True),
        ([("chr1", 120, 130)], True),  # within
        ([("chr1", 0, 1000)], True),  # around
        ([("chr1", 199, 300)], True),  # one base
        ([("chr1", 50, 101)], True),
        ([("chr1", 200, 300)], False),  # touches
        ([("chr1", 50, 100)], False),
        ([("chr2", 100, 200)], False),
        (
            [("chr1", 500, 600), ("chr1", 0, 1000), ("chr1", 10, 20)],
            True,
        ),  # the long one neither first nor last
        ([("chr1", 0, 1000), ("chr1", 10, 20), ("chr1", 30, 40)], True),  # shorter ones start later
        ([("chr2", 0, 1000), ("chr1", 300, 400)], False),
        ([("chr2", 900, 901), ("chr1", 0, 10)], False),
    ],
)
def test_sharing_a_base(others: list[Region], expected: bool) -> None:
    found = overlaps_any(table(("chr1", 100, 200)), table(*others))
    assert found.dtype == bool
    assert list(found) == [expected]


def test_nothing_overlaps_when_there_are_no_regions() -> None:
    for others in ([], [("chr1", 0, 10)]):
        assert overlaps_any(table(), table(*others)).shape == (0,)


def test_answers_are_in_the_order_of_the_regions() -> None:
    regions = table(("chr2", 5, 6), ("chr1", 50, 60), ("chrUn", 5, 6), ("chr1", 5, 6))
    others = table(("chr2", 0, 10), ("chr1", 0, 10))
    assert list(overlaps_any(regions, others)) == [True, False, False, True]


def test_the_last_base_of_a_chromosome_is_not_the_first_of_the_next() -> None:
    regions = table(("chr1", 990, 1000), ("chr2", 0, 10))
    assert list(overlaps_any(regions, table(("chr1", 995, 1000)))) == [True, False]
    assert list(overlaps_any(regions, table(("chr2", 0, 5), ("chr1", 0, 1)))) == [False, True]


def test_positions_of_a_whole_genome_do_not_run_over() -> None:
    """24 chromosomes of 250 Mb side by side are 6e9 bases: more than 32 bits hold."""
    names = [f"chr{number}" for number in range(1, 25)]
    regions = table(*((name, 249_000_000, 249_000_100) for name in names))
    others = table(*((name, 249_000_050, 249_000_060) for name in names[::2]))
    small = others.astype({"start": "int32", "end": "int32"})
    assert list(overlaps_any(regions, small)) == [True, False] * 12


region = st.builds(
    lambda chrom, start, width: (chrom, start, start + width),
    st.sampled_from(["chr1", "chr2", "chrUn"]),
    st.integers(0, 40),
    st.integers(1, 20),
)


@settings(max_examples=300, deadline=None)
@given(regions=st.lists(region, max_size=12), others=st.lists(region, max_size=12))
def test_as_a_slow_loop_finds(regions: list[Region], others: list[Region]) -> None:
    """Unsorted, nested, touching, repeated; chromosomes that only one of the two has."""
    assert list(overlaps_any(table(*regions), table(*others))) == one_by_one(regions, others)


# The canonical form


def test_regions_have_small_types_and_what_a_file_lacks_is_missing() -> None:
    regions = as_regions(table(("chr1", 10, 20), ("chr2", 5, 9)).assign(score=[1, 2]), "SRX1")
    assert list(regions.columns) == ["chrom", "start", "end", "experiment", "score", "q", "summit"]
    assert {name: str(kind) for name, kind in regions.dtypes.items()} == {
        "chrom": "category",
        "start": "int32",
        "end": "int32",
        "experiment": "category",
        "score": "float32",
        "q": "float32",
        "summit": "float32",
    }
    assert list(regions["experiment"]) == ["SRX1", "SRX1"]
    assert regions[["q", "summit"]].isna().all(axis=None)


def test_chromosomes_stay_in_the_order_of_the_genome_also_those_without_a_region() -> None:
    peaks = table(("chr1", 10, 20))
    peaks["chrom"] = pd.Categorical(["chr1"], categories=["chr2", "chr1", "chr10"])
    assert list(as_regions(peaks, "SRX1")["chrom"].cat.categories) == ["chr2", "chr1", "chr10"]


def test_regions_that_name_their_experiment_keep_it_and_other_columns_go() -> None:
    peaks = table(("chr1", 10, 20), ("chr1", 30, 40)).assign(experiment=["b", "a"], fold=[1.0, 2.0])
    peaks.index = pd.Index([7, 3])
    regions = as_regions(peaks)
    assert list(regions["experiment"]) == ["b", "a"]
    assert list(regions.index) == [0, 1]
    assert "fold" not in regions


@pytest.mark.parametrize("wrong", [("chr1", 20, 20), ("chr1", -1, 20)])
def test_impossible_regions_break_the_contract(wrong: Region) -> None:
    with pytest.raises(SchemaError):
        as_regions(table(wrong), "SRX1")


def test_no_peaks_at_all_are_regions_too() -> None:
    regions = as_regions(table(), "SRX1")
    assert len(regions) == 0
    assert str(regions["start"].dtype) == "int32"


# What is bound


def test_the_binding_of_an_absent_data_set_meets_the_contract() -> None:
    nothing = Binding.empty()
    assert [len(one) for one in (nothing.regions, nothing.experiments, nothing.scores)] == [0, 0, 0]
    checked = nothing.validated()
    for part, schema in (("regions", REGIONS), ("experiments", EXPERIMENTS), ("scores", SCORES)):
        columns = {name: str(column.dtype) for name, column in schema.columns.items()}
        found = getattr(checked, part).dtypes
        assert {name: str(kind) for name, kind in found.items()} == columns


def test_a_repeated_experiment_breaks_the_contract() -> None:
    row = {"experiment": "SRX1", "antigen": "FOS", "cell": "", "cells": "", "system": "same", "peaks": 1}
    binding = Binding(no_rows(REGIONS), pd.DataFrame([row, row]), no_rows(SCORES))
    with pytest.raises(SchemaError):
        binding.validated()
