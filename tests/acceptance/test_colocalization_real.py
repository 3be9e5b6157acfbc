"""Overlaps and co-localisation of real peaks: TF-COMB, ChIPseeker, and IKZF1's partners in GM12878 cells.

The first two are counts that other software gave on the same files (README.md of the real data). The third
are figures on GM12878's sites on chromosome 4 from before there was this code; statistics.md quotes some.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from realfile import real_file

from reclaim.colocalization import circular_shift_p, colocalization, rank_among
from reclaim.intervals import Intervals, overlap_pairs
from reclaim.region_universe import Occupancy, merge_regions, occupancy_matrix

CHIPSEEKER = {
    "CBX7": "GSM1295077_CBX7_BF_ChipSeq_mergedReps_peaks.bed.gz",
    "AR, no androgen": "GSM1174480_ARmo_0M_peaks.bed.gz",
    "AR, 1 nM": "GSM1174481_ARmo_1nM_peaks.bed.gz",
    "AR, 100 nM": "GSM1174482_ARmo_100nM_peaks.bed.gz",
    "CBX6": "GSM1295076_CBX6_BF_ChipSeq_mergedReps_peaks.bed.gz",
}


def read_bed(path: Path) -> pd.DataFrame:
    table = pd.read_csv(real_file(path), sep="\t", header=None)
    return table.set_axis(["chromosome", "start", "end", "name", "score", "strand"][: table.shape[1]], axis=1)


def intervals(table: pd.DataFrame, chromosomes: list[str]) -> Intervals:
    return Intervals(
        pd.Index(chromosomes).get_indexer(table["chromosome"]),
        table["start"].to_numpy(),
        table["end"].to_numpy(),
    )


# ChIPseeker: overlap of CBX7 with four other peak sets


@pytest.mark.parametrize(
    ("other", "pairs", "hit"),
    [("AR, no androgen", 0, 0), ("AR, 1 nM", 8, 7), ("AR, 100 nM", 3, 3), ("CBX6", 968, 851)],
)
def test_overlaps_of_chipseeker(realdata: Path, other: str, pairs: int, hit: int) -> None:
    query, target = (read_bed(realdata / "coloc_chipseeker" / CHIPSEEKER[name]) for name in ("CBX7", other))
    assert len(query) == 1663
    chromosomes = sorted({*query["chromosome"], *target["chromosome"]})
    first, second = overlap_pairs(intervals(query, chromosomes), intervals(target, chromosomes))
    assert (len(first), len(second), len(np.unique(first))) == (pairs, pairs, hit)


# TF-COMB: sites that follow each other within 100 bp


@pytest.fixture(scope="module")
def sites(realdata: Path) -> pd.DataFrame:
    table = read_bed(realdata / "coloc_tfcomb" / "GM12878_hg38_chr4_TF_chipseq.bed.gz")
    assert (len(table), table["name"].nunique(), table["chromosome"].unique().tolist()) == (
        112109,
        151,
        ["chr4"],
    )
    return table


@pytest.fixture(scope="module")
def following(sites: pd.DataFrame) -> pd.Series:
    """Number of pairs of different factors, either first."""
    all_sites = intervals(sites, ["chr4"])
    first, second = overlap_pairs(all_sites, all_sites, within=100)
    names = sites["name"].to_numpy(str)
    pairs = pd.DataFrame(np.sort([names[first], names[second]], axis=0).T)
    return pairs[pairs[0] != pairs[1]].value_counts()


@pytest.mark.parametrize(
    ("one", "other", "count", "cosine"),
    [
        ("CTCF", "RAD21", 1751, 0.750038),
        ("RAD21", "SMC3", 1376, 0.718192),
        ("CTCF", "SMC3", 1361, 0.681898),
        ("IKZF1", "IKZF2", 1726, 0.662343),
    ],
)
def test_pairs_of_tfcomb(
    sites: pd.DataFrame, following: pd.Series, one: str, other: str, count: int, cosine: float
) -> None:
    assert following[one, other] == count
    n = sites["name"].value_counts()
    assert round(count / np.sqrt(n[one] * n[other]), 6) == cosine


# IKZF1 and its partners at regions that as many other factors bind

CRUDE = {"IKZF2": 109.2, "RELB": 48.9, "MTA2": 23.4, "EED": 32.7, "IRF4": 17.2, "BATF": 7.1, "JUNB": 5.9}
ADJUSTED = {"IKZF2": 18.3, "RELB": 6.9, "MTA2": 3.9, "EED": 3.9, "IRF4": 1.34, "BATF": 1.17, "JUNB": 0.91}
DIGITS = {"IRF4": 2, "BATF": 2, "JUNB": 2}


def on_regions(sites: pd.DataFrame, gap: int) -> tuple[Intervals, Occupancy, list[str]]:
    peaks = intervals(sites, ["chr4"])
    regions = merge_regions(peaks, gap)
    codes, names = pd.factorize(sites["name"], sort=True)
    return regions, occupancy_matrix(regions, peaks, codes, len(names)), list(names)


def of_ikzf1(sites: pd.DataFrame, gap: int) -> pd.DataFrame:
    _, occupancy, names = on_regions(sites, gap)
    table = colocalization(occupancy, names.index("IKZF1"))
    return table.set_index(np.array(names)[table["partner"]])


@pytest.fixture(scope="module")
def partners(sites: pd.DataFrame) -> pd.DataFrame:
    return of_ikzf1(sites, 300)


def test_all_other_factors_are_there(partners: pd.DataFrame) -> None:
    assert len(partners) == 150
    assert partners["n_regions"].unique().tolist() == [12402]
    assert partners["effect"].notna().all()


@pytest.mark.parametrize("factor", ADJUSTED)
def test_adjusted_odds_ratios(partners: pd.DataFrame, factor: str) -> None:
    assert round(np.exp(partners.loc[factor, "effect"]), DIGITS.get(factor, 1)) == ADJUSTED[factor]


def test_medians_of_all_factors(partners: pd.DataFrame) -> None:
    assert round(partners["crude_odds_ratio"].median(), 1) == 14.0
    assert round(np.exp(partners["effect"]).median(), 2) == 0.72


def test_crude_odds_ratios_as_they_were_printed(sites: pd.DataFrame) -> None:
    """They agree with half a region added to each cell (Haldane 1956) and with sites that join when the next
    *starts* at most 300 bp after the last start: sites have one base, so this is a gap of 299. No other gap
    from 200 to 419 bp, with or without the halves, gives all seven. The adjusted ones agree with both."""
    table = of_ikzf1(sites, 299)
    assert table["n_regions"].unique().tolist() == [12409]
    both, query, partner, n = (table[name] for name in ("n_both", "n_query", "n_partner", "n_regions"))
    neither = n - query - partner + both
    crude = (both + 0.5) * (neither + 0.5) / ((query - both + 0.5) * (partner - both + 0.5))
    assert {name: round(crude[name], 1) for name in CRUDE} == CRUDE
    assert round(crude.median(), 1) == 14.0
    adjusted = np.exp(table["effect"])
    assert {name: round(adjusted[name], DIGITS.get(name, 1)) for name in ADJUSTED} == ADJUSTED
    assert round(adjusted.median(), 2) == 0.72


def test_only_ikzf2_ranks_first(partners: pd.DataFrame) -> None:
    at = [partners.index.get_loc(name) for name in ("IKZF2", "BATF")]
    ranks = rank_among(partners["effect"], at)
    assert ranks["n_comparators"].tolist() == [149, 149]
    assert ranks["rank"][0] == 1
    assert ranks["percentile"][0] == 1
    assert ranks["percentile"][1] < 0.9


def test_crude_measures_do_not_agree_on_batf(partners: pd.DataFrame) -> None:
    """statistics.md: 17th, 127th or 117th by Jaccard, Forbes or the odds ratio."""
    at = [partners.index.get_loc("BATF")]
    ranks = [rank_among(partners[name], at)["rank"][0] for name in ("jaccard", "forbes", "crude_odds_ratio")]
    assert ranks == [17, 127, 117]


def test_a_factor_with_45_sites_is_underpowered(sites: pd.DataFrame, partners: pd.DataFrame) -> None:
    assert (sites["name"] == "FOS").sum() == 45
    fos = partners.loc["FOS"]
    assert fos["n_partner"] == 45
    assert fos["underpowered"]
    assert fos["mde"] > np.log(1.5)
    assert not partners.loc[["IKZF2", "BATF", "JUNB"], "underpowered"].any()


def test_circular_shifts(sites: pd.DataFrame) -> None:
    regions, occupancy, names = on_regions(sites, 300)
    named = [names.index(name) for name in ("IKZF2", "JUNB")]
    found = circular_shift_p(occupancy, names.index("IKZF1"), named, regions.chromosome, seed=0)
    assert found["p_greater"][0] == 1 / 1001
    assert found["p_less"][0] == 1
    assert found["p_greater"][1] > 0.05
