"""Regions, occupancy and adjusted overlap: statsmodels, bedtools and plain loops are the oracles."""

from __future__ import annotations

import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable

from reclaim import intervals, region_universe
from reclaim.colocalization import circular_shift_p, colocalization, rank_among
from reclaim.intervals import Intervals, overlap_pairs
from reclaim.mantel_haenszel import NONE_AGAINST, NONE_FOR, NOT_INFORMATIVE, mantel_haenszel
from reclaim.region_universe import Occupancy, merge_regions, occupancy_matrix, top_peaks

BEDTOOLS = shutil.which("bedtools")
needs_bedtools = pytest.mark.skipif(
    BEDTOOLS is None, reason="bedtools is not installed: apt-get install bedtools"
)

Row = tuple[int, int, int]


def of(rows: list[Row]) -> Intervals:
    table = np.array(rows, np.int32).reshape(-1, 3)
    return Intervals(table[:, 0].astype(np.int16), table[:, 1], table[:, 2])


def rows_of(found: Intervals) -> list[Row]:
    return list(zip(found.chromosome.tolist(), found.start.tolist(), found.end.tolist(), strict=True))


# Close together on three chromosomes: touching, nested and equal intervals come up all the time.
interval = st.builds(lambda c, start, length: (c, start, start + length), st.integers(0, 2), st.integers(0, 40), st.integers(1, 15))  # fmt: skip
interval_sets = st.lists(interval, max_size=25)


@pytest.fixture(params=[3, 1 << 22], ids=["blocks of 3", "one block"])
def block_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(intervals, "INTERVALS_AT_A_TIME", request.param)
    return request.param


several_examples = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# Intervals


def test_an_interval_without_a_base_is_refused():
    with pytest.raises(ValueError, match="1 of 2 intervals end at or before their start"):
        of([(0, 5, 6), (0, 7, 7)])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [1, 2], [3, 4]), "not one each"),
        (([0, 0], [1.0, 2.0], [3, 4]), "integers"),
        (([0, -1], [1, 2], [3, 4]), "not negative"),
        (([0, 0], [-1, 2], [3, 4]), "not negative"),
        (([0, 0], [1, 2], [3, 2**31]), "below"),
    ],
)
def test_arrays_that_are_no_intervals_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Intervals(*map(np.array, columns))


# Regions


def merged_by_loop(rows: list[Row], gap: int) -> list[Row]:
    regions: list[list[int]] = []
    for chromosome, start, end in sorted(rows):
        if regions and regions[-1][0] == chromosome and start - regions[-1][2] <= gap:
            regions[-1][2] = max(regions[-1][2], end)
        else:
            regions.append([chromosome, start, end])
    return [(c, start, end) for c, start, end in regions]


def test_peaks_join_up_to_the_gap_and_not_beyond():
    peaks = [(0, 1000, 1100), (0, 1400, 1500), (0, 1801, 1900), (0, 1900, 1950), (1, 0, 10)]
    # 1400 - 1100 = 300 joins, 1801 - 1500 = 301 does not, 1900 - 1900 = 0 does.
    assert rows_of(merge_regions(of(peaks))) == [(0, 1000, 1500), (0, 1801, 1950), (1, 0, 10)]
    assert rows_of(merge_regions(of(peaks), gap=0)) == [
        (0, 1000, 1100), (0, 1400, 1500), (0, 1801, 1950), (1, 0, 10)
    ]  # fmt: skip


@several_examples
@given(rows=interval_sets, gap=st.integers(0, 12))
def test_regions_are_those_of_a_loop(block_size, rows, gap):
    assert rows_of(merge_regions(of(rows), gap)) == merged_by_loop(rows, gap)


def test_the_end_of_a_chromosome_does_not_reach_the_next():
    far = 2**31 - 1
    assert rows_of(merge_regions(of([(0, far - 5, far), (1, 0, 5)]), gap=2**31 - 1)) == [
        (0, far - 5, far), (1, 0, 5)
    ]  # fmt: skip


@needs_bedtools
@settings(max_examples=30, deadline=None)
@given(rows=interval_sets.filter(bool), gap=st.integers(0, 12))
def test_regions_are_those_of_bedtools_merge(rows, gap):
    bed = "".join(f"chr{c}\t{start}\t{end}\n" for c, start, end in sorted(rows))
    out = subprocess.run(
        [str(BEDTOOLS), "merge", "-d", str(gap), "-i", "stdin"], input=bed, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    expected = [(int(c[3:]), int(start), int(end)) for c, start, end in map(str.split, out.splitlines())]
    assert rows_of(merge_regions(of(rows), gap)) == expected


def test_a_negative_gap_is_refused():
    with pytest.raises(ValueError, match="gap of -1 bp"):
        merge_regions(of([(0, 1, 2)]), gap=-1)


def test_many_peaks_are_merged_in_little_memory(monkeypatch):
    monkeypatch.setattr(intervals, "INTERVALS_AT_A_TIME", 1 << 16)
    generator = np.random.default_rng(0)
    start = generator.integers(0, 5_000, 2_000_000).astype(np.int32) * 1000
    peaks = Intervals(np.zeros(len(start), np.int16), start, start + 200)
    tracemalloc.start()
    regions = merge_regions(peaks)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(regions) == 5_000
    assert most < 4e6  # a 64-bit copy of the starts alone is 16 MB


# The strongest peaks


def test_the_strongest_peaks_of_each_experiment():
    peaks = of([(0, 10 * i, 10 * i + 5) for i in range(7)])
    experiment = np.array([0, 1, 0, 1, 0, 3, 0], np.int16)
    found = top_peaks(peaks, experiment, [1, 9, 5, 8, 3, 2, 4], 2)
    assert np.flatnonzero(found.kept).tolist() == [1, 2, 3, 5, 6]
    assert found.found.tolist() == [4, 2, 0, 1]
    assert found.few.tolist() == [False, False, True, True]


@several_examples
@given(
    rows=st.lists(st.tuples(interval, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
    n=st.integers(1, 6),
    seed=st.integers(0, 9),
)
def test_ties_go_to_the_first_in_place_whatever_the_order(rows, n, seed):
    expected = []
    for code in range(4):
        own = sorted((-score, row) for row, experiment, score in rows if experiment == code)
        expected += [(code, row) for _, row in own[:n]]
    for order in (sorted(range(len(rows)), key=lambda i: rows[i][1]), np.random.default_rng(seed).permutation(len(rows))):  # fmt: skip
        shuffled = [rows[i] for i in order]
        peaks = of([row for row, _, _ in shuffled])
        codes = np.array([experiment for _, experiment, _ in shuffled], np.int16)
        kept = top_peaks(peaks, codes, [score for _, _, score in shuffled], n).kept
        found = zip(codes[kept].tolist(), rows_of(peaks.take(kept)), strict=True)
        assert sorted(found) == sorted(expected)


def test_scores_that_are_missing_are_refused():
    with pytest.raises(ValueError, match="none missing"):
        top_peaks(of([(0, 1, 2)]), np.array([0]), [np.nan], 1)


# Occupancy


@several_examples
@given(rows=interval_sets, others=interval_sets, gap=st.integers(0, 12))
def test_presence_is_that_of_a_loop(block_size, rows, others, gap):
    """Also of peaks that are not part of the universe: they may lie in no region or in several."""
    regions = merge_regions(of(rows), gap)
    peaks = rows + others
    columns = np.array([i % 5 for i in range(len(peaks))], np.int16)
    expected = np.zeros((5, len(regions)), bool)
    for (chromosome, start, end), column in zip(peaks, columns, strict=True):
        for i, (c, first, last) in enumerate(rows_of(regions)):
            expected[column, i] |= c == chromosome and start < last and first < end
    found = occupancy_matrix(regions, of(peaks), columns, 5)
    assert (found.n_columns, found.n_regions) == expected.shape
    np.testing.assert_array_equal([found.present(i) for i in range(5)], expected)
    np.testing.assert_array_equal(found.columns_per_region(), expected.sum(axis=0))


def test_a_peak_of_the_universe_lies_in_one_region():
    generator = np.random.default_rng(1)
    start = generator.integers(0, 10**6, 3000)
    peaks = Intervals(generator.integers(0, 4, 3000), start, start + generator.integers(1, 800, 3000))
    regions = merge_regions(peaks)
    found = occupancy_matrix(regions, peaks, np.arange(3000), 3000)
    assert [found.present(i).sum() for i in range(3000)] == [1] * 3000


def test_more_columns_in_a_region_than_a_byte_counts():
    peaks = of([(0, 0, 10)] * 700)
    found = occupancy_matrix(merge_regions(peaks), peaks, np.arange(700), 700)
    assert found.columns_per_region().tolist() == [700]


@pytest.mark.parametrize(
    ("regions", "column", "message"),
    [
        ([(0, 0, 10), (0, 9, 20)], [0, 1], "overlap or are not sorted"),
        ([(1, 0, 10), (0, 9, 20)], [0, 1], "overlap or are not sorted"),
        ([(0, 0, 10)], [0, 2], "0 to 2 are not from 0 to 1"),
        ([(0, 0, 10)], [-1, 1], "-1 to 1 are not from 0 to 1"),
        ([(0, 0, 10)], [0], "found 1"),
    ],
)
def test_occupancy_refuses(regions, column, message):
    with pytest.raises(ValueError, match=message):
        occupancy_matrix(of(regions), of([(0, 0, 5), (0, 3, 8)]), np.array(column), 2)


# Overlaps


def of_bedtools(a: list[Row], b: list[Row], folder: Path) -> tuple[list[tuple[int, int]], int]:
    """Pairs of `bedtools intersect`, and the number of a that `-u` reports."""
    paths = []
    for name, rows in (("a.bed", a), ("b.bed", b)):
        paths.append(folder / name)
        paths[-1].write_text("".join(f"chr{c}\t{s}\t{e}\t{i}\n" for i, (c, s, e) in enumerate(rows)))
    command = [str(BEDTOOLS), "intersect", "-a", str(paths[0]), "-b", str(paths[1])]
    pairs = subprocess.run([*command, "-wa", "-wb"], capture_output=True, text=True, check=True).stdout
    hit = subprocess.run([*command, "-u"], capture_output=True, text=True, check=True).stdout
    fields = [line.split("\t") for line in pairs.splitlines()]
    return sorted((int(line[3]), int(line[7])) for line in fields), len(hit.splitlines())


def pairs_of(a: list[Row], b: list[Row], within: int | None = None) -> list[tuple[int, int]]:
    first, second = overlap_pairs(of(a), of(b), within)
    return list(zip(first.tolist(), second.tolist(), strict=True))


ADVERSARIAL = {
    "touching": ([(0, 0, 5), (0, 10, 15)], [(0, 5, 10), (0, 15, 16)]),
    "one base": ([(0, 0, 5)], [(0, 4, 5), (0, 5, 6)]),
    "nested": ([(0, 0, 100), (0, 10, 20), (0, 12, 13)], [(0, 5, 50), (0, 12, 13), (0, 13, 19)]),
    "duplicated": ([(0, 3, 9)] * 3, [(0, 8, 12)] * 2 + [(0, 9, 12)]),
    "unsorted": ([(1, 50, 60), (0, 70, 80), (1, 5, 9)], [(1, 55, 56), (0, 1, 75), (1, 0, 6)]),
    "unknown chromosomes": ([(0, 1, 5), (2, 1, 5)], [(1, 1, 5), (2, 4, 9)]),
    "nothing in common": ([(0, 1, 5)], [(1, 1, 5)]),
    "none at all": ([(0, 1, 5)], []),
    "far out": ([(0, 2**31 - 9, 2**31 - 1)], [(0, 2**31 - 2, 2**31 - 1), (0, 0, 2**31 - 9)]),
}


@needs_bedtools
@pytest.mark.parametrize("name", [name for name in ADVERSARIAL if name != "far out"])
def test_adversarial_overlaps_are_those_of_bedtools(name, tmp_path):
    a, b = ADVERSARIAL[name]
    expected, hit = of_bedtools(a, b, tmp_path)
    assert pairs_of(a, b) == expected
    assert len(np.unique(overlap_pairs(of(a), of(b))[0])) == hit


@needs_bedtools
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=interval_sets, b=interval_sets)
def test_overlaps_are_those_of_bedtools(a, b, tmp_path):
    expected, hit = of_bedtools(a, b, tmp_path)
    assert pairs_of(a, b) == expected
    assert len(np.unique(overlap_pairs(of(a), of(b))[0])) == hit


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_adversarial_overlaps_are_those_of_a_loop(name):
    a, b = ADVERSARIAL[name]
    assert pairs_of(a, b) == [
        (i, j)
        for i, (c, start, end) in enumerate(a)
        for j, (d, first, last) in enumerate(b)
        if c == d and start < last and first < end
    ]


@settings(max_examples=60, deadline=None)
@given(a=interval_sets, b=interval_sets, within=st.integers(0, 9))
def test_what_follows_within_a_distance(a, b, within):
    assert pairs_of(a, b, within) == [
        (i, j)
        for i, (c, _, end) in enumerate(a)
        for j, (d, start, _) in enumerate(b)
        if c == d and 0 <= start - end <= within
    ]


def test_a_negative_distance_is_refused():
    with pytest.raises(ValueError, match="distance of -1 bp"):
        overlap_pairs(of([(0, 1, 2)]), of([(0, 1, 2)]), within=-1)


# The odds ratio over strata


def random_tables(seed: int, tests: int = 40, strata: int = 9) -> np.ndarray:
    """From sparse to rich; some strata are empty or do not vary."""
    generator = np.random.default_rng(seed)
    mean = generator.choice([1.0, 5, 40, 500], (tests, 1, 1, 1))
    tables = generator.poisson(mean * generator.gamma(1, 1, (tests, strata, 2, 2)))
    tables[:, 0, generator.integers(2)] = 0
    tables[:, 1] = 0
    return tables


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning:statsmodels")
@pytest.mark.parametrize("seed", range(5))
def test_log_odds_ratio_interval_and_statistic_are_those_of_statsmodels(seed):
    tables = random_tables(seed)
    found = mantel_haenszel(tables)
    compared = 0
    for i, strata in enumerate(tables):
        kept = strata[strata.sum(axis=(1, 2)) > 1]
        oracle = StratifiedTable([table.astype(float) for table in kept])
        test = oracle.test_null_odds(correction=False)
        assert found.statistic[i] == pytest.approx(test.statistic, rel=1e-9, nan_ok=True)
        assert found.p_value[i] == pytest.approx(test.pvalue, rel=1e-9, nan_ok=True)
        assert np.isnan(test.statistic) == (found.reason[i] == NOT_INFORMATIVE)
        if found.reason[i]:
            continue
        compared += 1
        assert found.effect[i] == pytest.approx(oracle.logodds_pooled, abs=1e-9)
        assert found.se[i] == pytest.approx(oracle.logodds_pooled_se, rel=1e-9)
        expected = oracle.logodds_pooled_confint()
        assert (found.ci_low[i], found.ci_high[i]) == pytest.approx(expected, abs=1e-9)
    assert compared > 30


def test_one_stratum_has_the_plain_odds_ratio_and_woolf_error():
    found = mantel_haenszel(np.array([[[[12, 5], [7, 30]]]]))
    assert found.effect[0] == pytest.approx(np.log(12 * 30 / (5 * 7)))
    assert found.se[0] == pytest.approx(np.sqrt(1 / 12 + 1 / 5 + 1 / 7 + 1 / 30))
    # Hypergeometric variance 17 * 37 * 19 * 35 / (54^2 * 53).
    assert found.null_se[0] == pytest.approx((17 * 37 * 19 * 35 / (54**2 * 53)) ** -0.5)
    assert found.n_informative[0] == 54


def test_zero_cells():
    stands = [[5, 4], [3, 6]]
    tables = np.array(
        [
            [[[0, 4], [3, 6]], stands],  # a stratum with a zero is used as it is
            [[[0, 4], [3, 6]], [[0, 2], [9, 8]]],
            [[[7, 0], [2, 6]], [[3, 0], [9, 8]]],
            [[[0, 0], [2, 6]], [[3, 9], [0, 0]]],
        ]
    )
    found = mantel_haenszel(tables)
    assert found.reason.tolist() == ["", NONE_FOR, NONE_AGAINST, NOT_INFORMATIVE]
    assert found.effect[0] == pytest.approx(np.log((5 * 6 / 18) / (4 * 3 / 13 + 4 * 3 / 18)))
    assert found.effect[1:3].tolist() == [-np.inf, np.inf]
    assert np.isnan(found.se[1:]).all()
    assert found.ci_low[1] == -np.inf
    assert np.isnan(found.ci_high[1])
    assert np.isnan(found.ci_low[2])
    assert found.ci_high[2] == np.inf
    assert np.isfinite(found.p_value[:3]).all()
    for values in (found.effect, found.ci_low, found.ci_high, found.statistic, found.p_value):
        assert np.isnan(values[3])
    assert found.null_se[3] == np.inf
    assert found.n_informative.tolist() == [13 + 18, 13 + 19, 15 + 20, 0]


def test_tables_of_another_shape_and_negative_counts_are_refused():
    with pytest.raises(ValueError, match="tests x strata x 2 x 2"):
        mantel_haenszel(np.ones((3, 2, 2)))
    with pytest.raises(ValueError, match="not negative"):
        mantel_haenszel(-np.ones((1, 3, 2, 2)))


# Co-localisation


def occupied(presence: np.ndarray) -> Occupancy:
    """From columns x regions: one base per region, 1000 bp apart."""
    column, region = np.nonzero(presence)
    start = np.arange(presence.shape[1]) * 1000
    regions = Intervals(np.zeros(len(start), np.int16), start, start + 1)
    return occupancy_matrix(regions, regions.take(region), column, len(presence))


def busy(seed: int, columns: int = 30, regions: int = 3000) -> np.ndarray:
    """Factors that share nothing but regions that are busy for all."""
    generator = np.random.default_rng(seed)
    logit = generator.normal(-1.5, 2, regions) + generator.normal(0, 1, (columns, 1))
    return generator.random((columns, regions)) < 1 / (1 + np.exp(-logit))


def table_by_loop(presence: np.ndarray, query: int, partner: int, stratum: np.ndarray) -> np.ndarray:
    """Strata x 2 x 2 from one region after the other."""
    bins = [(0, 0), (1, 1), (2, 3), (4, 6), (7, 10), (11, 20), (21, 40), (41, 10**9)]
    strata: dict[tuple[int, object], np.ndarray] = {}
    for region in range(presence.shape[1]):
        a, b = presence[query, region], presence[partner, region]
        others = sum(presence[i, region] for i in range(len(presence)) if i not in (query, partner))
        number = next(i for i, (low, high) in enumerate(bins) if low <= others <= high)
        table = strata.setdefault((number, stratum[region]), np.zeros((2, 2)))
        table[int(not a), int(not b)] += 1
    return np.array([table for table in strata.values() if table.sum() >= 5])


@pytest.mark.parametrize("seed", range(3))
def test_each_partner_is_that_of_a_loop_and_statsmodels(seed):
    presence = busy(seed, columns=60, regions=400)[:12]
    presence = np.vstack([presence, np.zeros(400, bool)])  # one factor without any region
    promoter = np.random.default_rng(seed).choice(["promoter", "distal"], 400)
    table = colocalization(occupied(presence), 3, promoter).set_index("partner")
    assert table.index.tolist() == [i for i in range(13) if i != 3]
    for partner, row in table.drop(index=12).iterrows():
        a, b = presence[3], presence[partner]
        both, either = (a & b).sum(), (a | b).sum()
        assert (row["n_regions"], row["n_query"], row["n_partner"]) == (400, a.sum(), b.sum())
        assert row["n_both"] == both
        assert row["jaccard"] == pytest.approx(both / either)
        assert row["forbes"] == pytest.approx(both * 400 / (a.sum() * b.sum()))
        assert row["crude_odds_ratio"] == pytest.approx(
            both * (400 - either) / ((a & ~b).sum() * (b & ~a).sum())
        )
        oracle = StratifiedTable(list(table_by_loop(presence, 3, partner, promoter)))
        assert row["effect"] == pytest.approx(oracle.logodds_pooled, abs=1e-9)
        assert row["se"] == pytest.approx(oracle.logodds_pooled_se, rel=1e-9)
        assert row["statistic"] == pytest.approx(oracle.test_null_odds().statistic, rel=1e-9)
    absent = table.loc[12]
    assert absent["underpowered"]
    assert (absent["n_partner"], absent["jaccard"], absent["reason"]) == (0, 0, NOT_INFORMATIVE)
    assert absent[["forbes", "effect", "p_value", "q_value"]].isna().all()


def test_busy_regions_alone_make_no_partners():
    """Crude odds ratios are far above 1, adjusted ones are not: with 29 factors in some 3,000 regions the
    strata are wide enough to leave a little."""
    table = colocalization(occupied(busy(7)), 0)
    assert (table["crude_odds_ratio"] > 2).all()
    assert abs(table["effect"].median()) < np.log(1.5)


def test_a_true_partner_stands_out_of_busy_regions():
    presence = busy(8)
    own = np.random.default_rng(8).random(presence.shape[1]) < 0.3
    presence[5] = np.where(own, presence[0], presence[5])
    table = colocalization(occupied(presence), 0)
    ranked = rank_among(table["effect"], [table.index[table["partner"] == 5][0]])
    assert ranked.loc[0, ["rank", "percentile", "n_comparators"]].tolist() == [1, 1, 28]


@pytest.mark.parametrize(("n_partner", "underpowered"), [(40, True), (160, True), (230, False)])
def test_a_partner_with_few_regions_is_underpowered(n_partner, underpowered):
    """Every second of 2,000 regions has the query: the overlap has a variance of
    n / 4 x (2000 - n) / 1999, and needs (2.8 / log 1.5)^2 = 47.7, n of some 213."""
    presence = np.zeros((2, 2000), bool)
    presence[0, ::2] = True
    presence[1, :n_partner] = True
    (row,) = colocalization(occupied(presence), 0).to_dict("records")
    assert row["mde"] == pytest.approx(2.8 / np.sqrt(n_partner / 4 * (2000 - n_partner) / 1999))
    assert row["underpowered"] == underpowered
    assert row["effect"] == pytest.approx(0)


def test_a_partner_that_is_never_there_is_not_underpowered():
    presence = np.zeros((2, 2000), bool)
    presence[0, ::2] = True
    presence[1, 1::2] = True
    (row,) = colocalization(occupied(presence), 0).to_dict("records")
    assert (row["effect"], row["reason"], row["underpowered"]) == (-np.inf, NONE_FOR, False)
    assert row["p_value"] < 1e-100


def test_strata_with_fewer_than_five_regions_are_left_out():
    presence = np.zeros((2, 9), bool)
    presence[0, [0, 1, 4, 5]] = True
    presence[1, [0, 2, 4, 6]] = True
    label = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    whole, part = (colocalization(occupied(presence), 0, s).iloc[0] for s in (None, label))
    assert whole["n_informative"] == 9
    assert part["n_informative"] == 5
    assert part["effect"] == pytest.approx(np.log(1 * 2 / (1 * 1)))


@pytest.mark.parametrize("number", range(1, 46))
def test_bins_of_occupancy(number):
    """Both are in all regions with `number` other factors and in none with one fewer: when these are one
    stratum they always agree, when they are two neither varies."""
    presence = np.zeros((50, 16), bool)
    presence[:2, :8] = True
    presence[2 : 2 + number, :8] = True
    presence[2 : 1 + number, 8:] = True
    row = colocalization(occupied(presence), 0).iloc[0]
    assert row["reason"] == (NOT_INFORMATIVE if number in (1, 2, 4, 7, 11, 21, 41) else NONE_AGAINST)


def test_colocalization_refuses_a_column_that_is_not_there_and_labels_that_do_not_fit():
    with pytest.raises(ValueError, match="column 30 is not one of 30"):
        colocalization(occupied(busy(0)), 30)
    with pytest.raises(ValueError, match="need one stratum each"):
        colocalization(occupied(busy(0)), 0, np.zeros(7))


# Circular shifts


def shifted_by_loop(
    presence: np.ndarray, query: int, partner: int, moves: list[int], label: np.ndarray
) -> float:
    moved = presence.copy()
    moved[query] = np.concatenate(
        [np.roll(presence[query, label == c], k) for c, k in zip(np.unique(label), moves, strict=True)]
    )
    tables = table_by_loop(moved, query, partner, np.zeros(len(label)))
    return float(mantel_haenszel(tables[None]).effect[0])


@pytest.mark.parametrize("chromosomes", [1, 3])
def test_shifts_are_those_of_a_loop(chromosomes):
    presence, draws, seed = busy(4, columns=12, regions=211), 25, 17
    label = np.sort(np.arange(211) % chromosomes)
    found = circular_shift_p(occupied(presence), 2, [7, 9], label, seed, draws)
    generator = np.random.default_rng(seed)
    sizes = [int((label == c).sum()) for c in range(chromosomes)]
    moves = np.array([generator.integers(size, size=draws) for size in sizes])
    for _, row in found.iterrows():
        partner = int(row["partner"])
        observed = shifted_by_loop(presence, 2, partner, [0] * chromosomes, label)
        null = np.array([shifted_by_loop(presence, 2, partner, list(move), label) for move in moves.T])
        assert row["effect"] == pytest.approx(observed, abs=1e-9)
        assert row["p_greater"] == (1 + (null >= observed - 1e-9).sum()) / (draws + 1)
        assert row["p_less"] == (1 + (null <= observed + 1e-9).sum()) / (draws + 1)


def test_a_full_turn_is_the_identity():
    """In circles of one region every turn is full, and so every draw is what was observed; in circles of two
    that are both bound or both free as well."""
    presence = busy(5, columns=10, regions=300)
    found = circular_shift_p(occupied(presence), 0, [3], np.arange(300), seed=1, draws=50)
    assert found.loc[0, ["p_greater", "p_less"]].tolist() == [1, 1]
    presence[0] = np.repeat(presence[0, ::2], 2)
    found = circular_shift_p(occupied(presence), 0, [3], np.arange(300) // 2, seed=1, draws=50)
    assert found.loc[0, ["p_greater", "p_less"]].tolist() == [1, 1]


def test_the_circle_has_no_first_region():
    """Turning all factors together changes neither the effect nor the shifts' distribution."""
    presence = busy(6, columns=10, regions=300)
    one, other = (
        circular_shift_p(occupied(p), 0, [3, 4], np.zeros(300), 1, 200)
        for p in (presence, np.roll(presence, 101, axis=1))
    )
    pd.testing.assert_frame_equal(one, other)


def test_the_effect_is_that_of_colocalization_and_a_seed_decides():
    occupancy = occupied(busy(9))
    table = colocalization(occupancy, 4).set_index("partner")
    first, again, another = (
        circular_shift_p(occupancy, 4, [1, 20], np.zeros(3000), seed, 300) for seed in (3, 3, 4)
    )
    assert first["effect"].tolist() == pytest.approx(table.loc[[1, 20], "effect"].tolist(), abs=1e-12)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(another)


def test_shifts_leave_out_the_strata_that_colocalization_does():
    occupancy = occupied(busy(13, columns=8, regions=300))
    label = np.random.default_rng(0).integers(0, 25, 300)
    table = colocalization(occupancy, 0, label)
    found = circular_shift_p(occupancy, 0, range(1, 8), np.zeros(300), 0, 5, label)
    np.testing.assert_allclose(found["effect"], table["effect"], rtol=0, atol=1e-12)
    assert (table["n_informative"] < 250).all()


def test_p_is_uniform_for_a_query_that_lies_anywhere_in_clusters():
    """300 worlds in which query and partners come in runs of regions, independently. Shifts by a uniform
    number are a group, so p is exactly uniform but for steps of 1/200; Kolmogorov and Smirnov's distance
    stays below 1.95 / sqrt(300) + 1/200 = 0.118 in 99.9 % of such runs. A test on independent regions has
    far too many small p-values in the same worlds."""
    p_values, naive = [], []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        level = generator.normal(size=(8, 640))
        runs = np.repeat(level[:, ::16], 16, axis=1) + 0.5 * level
        occupancy = occupied(np.roll(runs, generator.integers(640), axis=1) > 0.5)
        (found,) = circular_shift_p(occupancy, 0, [1], np.zeros(640), seed, 199).to_dict("records")
        p_values.append(found["p_greater"])
        naive.append(colocalization(occupancy, 0)["p_value"][0])
    distance = stats.kstest(p_values, "uniform").statistic
    assert distance < 1.95 / np.sqrt(300) + 1 / 200
    assert np.mean(np.array(naive) < 0.05) > 0.2


def test_a_planted_overlap_has_the_smallest_p_in_its_direction():
    presence = busy(10, columns=20, regions=1000)
    presence[1] = presence[0] ^ (np.random.default_rng(0).random(1000) < 0.1)
    presence[2] = ~presence[0] & presence[2]
    found = circular_shift_p(occupied(presence), 0, [1, 2], np.repeat([0, 1], 500), 0)
    assert found["p_greater"].tolist() == [1 / 1001, 1]
    assert found["p_less"].tolist() == [1, 1 / 1001]


def test_without_an_odds_ratio_there_is_no_p_value():
    presence = busy(11, columns=5, regions=100)
    presence[3] = False
    found = circular_shift_p(occupied(presence), 0, [3], np.zeros(100), 0, 20)
    assert found.loc[0, ["effect", "p_greater", "p_less"]].isna().all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chromosome": np.zeros(7)}, "need one chromosome each"),
        ({"chromosome": np.arange(100) % 2}, "do not follow each other"),
        ({"draws": 0}, "0 draws"),
        ({"partners": [0]}, "the query itself"),
        ({"partners": [9]}, "not one of 5"),
    ],
)
def test_circular_shifts_refuse(changed, message):
    arguments = {"partners": [1], "chromosome": np.zeros(100), "seed": 0, "draws": 10} | changed
    with pytest.raises(ValueError, match=message):
        circular_shift_p(occupied(busy(0, 5, 100)), 0, **arguments)


# Ranks


def test_rank_and_percentile():
    effect = [0.5, 2.0, np.nan, 0.5, -1.0, np.inf]
    found = rank_among(effect, [0, 1, 2, 5])
    assert found["n_comparators"].tolist() == [4, 4, 5, 4]
    # 0.5 has inf and 2.0 above and its equal beside: places 3 and 4.
    assert found["rank"].tolist()[:2] == [3.5, 2]
    assert np.isnan(found["rank"][2])
    assert found["rank"][3] == 1
    assert found["percentile"].tolist()[:2] == [(1 + 0.5) / 4, 3 / 4]
    assert found["percentile"][3] == 1


def test_ranks_are_those_of_scipy():
    effect = np.random.default_rng(0).integers(0, 9, 40).astype(float)
    found = rank_among(effect, range(40))
    np.testing.assert_array_equal(found["rank"], stats.rankdata(-effect))


def test_only_comparators_count():
    found = rank_among([1.0, 2, 3, 4], [0, 3], [True, True, False, False])
    assert found["n_comparators"].tolist() == [1, 2]
    assert found["rank"].tolist() == [2, 1]
    alone = rank_among([1.0, 2], [0], [True, False])
    assert alone["n_comparators"].tolist() == [0]
    assert np.isnan(alone["percentile"][0])


def test_ranks_refuse_positions_that_are_not_there():
    with pytest.raises(ValueError, match="not among 2 factors"):
        rank_among([1.0, 2], [2])


def test_blocks_of_columns_do_not_matter(monkeypatch):
    presence = busy(12)
    whole = colocalization(occupied(presence), 0)
    monkeypatch.setattr(region_universe, "COLUMNS_AT_A_TIME", 7)
    pd.testing.assert_frame_equal(colocalization(occupied(presence), 0), whole)
