"""Gene sets: reading GMT files, GSEA of a ranking, over-representation among hits."""

import os
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from math import comb
from pathlib import Path

import gseapy
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaim import enrichment
from reclaim.enrichment import over_representation, prerank, read_gmt
from reclaim.errors import UserError

ROOT = Path(__file__).parents[2]


# GMT files


def gmt(folder: Path, text: str) -> Path:
    path = folder / "sets.gmt"
    path.write_text(text)
    return path


def test_a_gmt_file_as_msigdb_writes_it(tmp_path):
    path = gmt(tmp_path, "HALLMARK_A\thttps://www.gsea-msigdb.org\tTP53\tMDM2\nHALLMARK_B\tna\tMYC\n")
    assert read_gmt(path) == {"HALLMARK_A": ["TP53", "MDM2"], "HALLMARK_B": ["MYC"]}


def test_a_gmt_file_as_enrichr_writes_it(tmp_path):
    # Second column empty, a weight after the comma, a tab at the end of the line.
    path = gmt(tmp_path, "Interferon Alpha Response\t\tISG15,1.0\tIFIT1,0.5\tMX1,1.0\t\r\n\n")
    assert read_gmt(path) == {"Interferon Alpha Response": ["ISG15", "IFIT1", "MX1"]}


def test_a_comma_that_no_weight_follows_belongs_to_the_name(tmp_path):
    assert read_gmt(gmt(tmp_path, "a\t\tHLA-A,B\tX,2\n")) == {"a": ["HLA-A,B", "X"]}


def test_genes_that_repeat_within_a_set_are_kept_once_and_counted(tmp_path):
    counts: Counter[str] = Counter()
    assert read_gmt(gmt(tmp_path, "a\t\tX\tY\tX\tX,1.0\nb\t\tX\n"), counts) == {"a": ["X", "Y"], "b": ["X"]}
    assert counts == {"genes that repeat within a set": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\t\tX\nb\tdescription\n", ":2: the set 'b' has no name or no genes"),
        ("a\t\tX\nb\t\t\t\n", ":2: the set 'b' has no name or no genes"),
        ("\t\tX\n", ":1: the set '' has no name or no genes"),
        ("a\t\tX\na\t\tY\n", ":2: the set 'a' stands twice"),
        ("<html>error</html>\n", ":1: no tab"),
        ("\n", ": no gene set"),
    ],
)
def test_a_file_that_is_no_gmt_is_told_with_its_line(tmp_path, text, message):
    path = gmt(tmp_path, text)
    with pytest.raises(UserError) as told:
        read_gmt(path)
    assert str(told.value).startswith(f"{path}{message}")


def test_a_library_name_is_no_file(tmp_path):
    with pytest.raises(UserError, match="no such file; gene sets are read from local GMT files only"):
        read_gmt(Path("MSigDB_Hallmark_2020"))


def test_a_compressed_file_is_told(tmp_path):
    path = tmp_path / "sets.gmt.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00\xff\xfe")
    with pytest.raises(UserError, match="expected a GMT file, not compressed"):
        read_gmt(path)


# GSEA of a ranking


def ranking_of(genes: int, seed: int = 0, shift: float = 0) -> pd.Series:
    """Values at least 0.01 from 0, so that gseapy's resolution plays no part."""
    values = np.random.default_rng(seed).standard_t(4, genes) + shift
    return pd.Series(values + np.where(values < 0, -0.01, 0.01), index=[f"g{i:04}" for i in range(genes)])


def sets_of(ranking: pd.Series, sizes: list[int], seed: int = 1) -> dict[str, list[str]]:
    """Random sets, the first half of them drawn to the upper end of the ranking."""
    generator = np.random.default_rng(seed)
    upper = np.exp(ranking.to_numpy()) / np.exp(ranking.to_numpy()).sum()
    return {
        f"set {k}": list(
            generator.choice(ranking.index, size, replace=False, p=upper if k < len(sizes) / 2 else None)
        )
        for k, size in enumerate(sizes)
    }


RANKING = ranking_of(1000)
SETS = sets_of(RANKING, [15, 20, 40, 90, 15, 21, 60, 80])


def test_prerank_is_gseapys_multilevel_prerank():
    found = prerank(RANKING, SETS, seed=7).table.set_index("set")
    theirs = gseapy.prerank(
        RANKING, SETS, method="multilevel", permutation_num=enrichment.PERMUTATIONS, seed=7, no_plot=True
    ).res2d.set_index("Term")
    columns = {
        "es": "ES",
        "nes": "NES",
        "p_value": "NOM p-val",
        "q_value": "FDR q-val",
        "log2_p_error": "log2err",
    }
    for ours, name in columns.items():
        np.testing.assert_allclose(found[ours], theirs[name].reindex(found.index), rtol=1e-9, err_msg=ours)
    assert (found["leading_edge"] == theirs["Lead_genes"].reindex(found.index)).all()
    assert list(found.index) == list(SETS)
    assert list(found["size"]) == [15, 20, 40, 90, 15, 21, 60, 80]
    assert (found["es"] > 0).any()
    assert (found["es"] < 0).any()


def test_the_enrichment_score_by_hand():
    # Hits 4 and -1 at places 1 and 5 of 6. Running sum: 4/5, then a fall of 1/4 at each of the other four.
    # After the first hit 0.8; before the second 0.8 - 3/4 = 0.05: the score is 0.8.
    ranking = pd.Series([4.0, 3, 2, 1, -1, -2], index=list("abcdef"))
    row = prerank(ranking, {"s": ["a", "e"]}, seed=1, min_size=1).table.iloc[0]
    assert (row["es"], row["leading_edge"], row["size"]) == (pytest.approx(0.8), "a", 2)
    # Hits 1 and -2 at places 4 and 6: -3/4 before the first, 1/3 - 1 = -2/3 before the second.
    row = prerank(ranking, {"s": ["d", "f"]}, seed=1, min_size=1).table.iloc[0]
    assert (row["es"], row["leading_edge"]) == (pytest.approx(-0.75), "f;d")


def test_turning_the_ranking_round_turns_the_score():
    up, down = prerank(RANKING, SETS, seed=1).table, prerank(-RANKING, SETS, seed=1).table
    np.testing.assert_allclose(up["es"], -down["es"], rtol=1e-9)
    np.testing.assert_allclose(up["nes"], -down["nes"], rtol=0.05)


def test_a_set_at_the_top_has_a_p_value_far_below_one_in_the_permutations():
    top = list(RANKING.sort_values().index[-40:])
    row = prerank(RANKING, {"top": top}, seed=1).table.iloc[0]
    assert row["es"] == pytest.approx(1)
    assert row["p_value"] < 1e-20
    assert row["leading_edge"].split(";") == top[::-1]


def test_p_values_of_random_sets_are_uniform():
    sets = sets_of(RANKING, [20] * 600)
    random = dict(list(sets.items())[300:])
    found = prerank(RANKING, random, seed=1).table
    assert (found["p_value"] < 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 300))
    assert found["q_value"].min() > 0.05


@pytest.mark.parametrize("threads", [2, 8])
def test_the_number_of_threads_does_not_matter(threads):
    one, many = prerank(RANKING, SETS, seed=3), prerank(RANKING, SETS, seed=3, threads=threads)
    pd.testing.assert_frame_equal(one.table, many.table, check_exact=True)


def test_orders_and_smaller_sets_do_not_matter(monkeypatch):
    whole = prerank(RANKING, SETS, seed=3).table
    reversed_sets = {name: SETS[name][::-1] for name in list(SETS)[::-1]}
    other_order = prerank(RANKING.sample(frac=1, random_state=0), reversed_sets, seed=3).table
    pd.testing.assert_frame_equal(whole, other_order[::-1].reset_index(drop=True), check_exact=True)
    # Without those that are neither asked for nor the largest.
    few = prerank(RANKING, {name: SETS[name] for name in ("set 1", "set 3")}, seed=3).table
    columns = ["set", "es", "nes", "p_value", "leading_edge"]
    pd.testing.assert_frame_equal(few[columns], whole.loc[[1, 3], columns].reset_index(drop=True))
    monkeypatch.setattr(enrichment, "SETS_AT_A_TIME", 3)
    pd.testing.assert_frame_equal(prerank(RANKING, SETS, seed=3).table, whole, check_exact=True)


def test_the_seed_matters():
    one, other = (prerank(RANKING, SETS, seed=seed).table for seed in (1, 2))
    pd.testing.assert_series_equal(one["es"], other["es"])
    assert (one["p_value"] != other["p_value"]).any()


def test_equal_values_are_counted_and_ordered_by_gene_name():
    ranking = pd.Series({"z": 2.0, "b": 1.0, "c": 1.0, "a": 1.0, "y": -1.0, "x": -2.0})
    found = prerank(ranking, {"s": ["a", "c"]}, seed=1, min_size=1)
    assert found.counts["ranked genes that share their value"] == 3
    # z, a, b, c, y, x: -1/4, then hit a to 1/4, miss b to 0, hit c to 1/2.
    assert found.table["es"][0] == pytest.approx(0.5)
    assert found.table["leading_edge"][0] == "a;c"


def test_symbols_keep_their_case():
    # gseapy's front end would take mouse symbols for the upper-case ones of the sets.
    ranking = RANKING.rename(lambda gene: f"Gene{gene}")
    upper = {name: [f"GENE{gene.upper()}" for gene in genes] for name, genes in SETS.items()}
    assert prerank(ranking, upper, seed=1).table.empty


def test_excluded_genes_are_removed_and_told():
    removed = [SETS["set 2"][0], SETS["set 2"][1]]
    found = prerank(RANKING, SETS, seed=1, exclude=removed)
    assert found.circular["set 2"] == tuple(removed)
    assert found.counts["sets with circular members"] == sum(
        any(gene in removed for gene in genes) for genes in SETS.values()
    )
    cleaned = {name: [gene for gene in genes if gene not in removed] for name, genes in SETS.items()}
    pd.testing.assert_frame_equal(found.table, prerank(RANKING.drop(removed), cleaned, seed=1).table)


def test_sets_outside_the_sizes_are_left_out_and_counted():
    # Exactly half of them: there gseapy's own reader of libraries fails.
    found = prerank(RANKING, SETS, seed=1, min_size=20, max_size=60)
    assert list(found.table["set"]) == ["set 1", "set 2", "set 5", "set 6"]
    assert found.counts["sets"] == 8
    assert found.counts["sets that are too small"] == 2
    assert found.counts["sets that are too large"] == 2


def test_a_set_of_all_ranked_genes_has_no_outside():
    found = prerank(RANKING, {"all": list(RANKING.index)}, seed=1, max_size=1000)
    assert found.table.empty
    assert found.counts["sets that are too large"] == 1


def test_without_any_set_of_the_right_size_the_table_is_empty():
    found = prerank(RANKING, {"s": ["unknown"]}, seed=1)
    assert found.table.empty
    assert list(found.table.columns) == [
        "set", "size", "es", "nes", "p_value", "log2_p_error", "q_value", "leading_edge",
    ]  # fmt: skip


def test_genes_without_a_value_are_dropped_and_counted():
    ranking = RANKING.copy()
    ranking.iloc[:10] = np.nan
    found = prerank(ranking, SETS, seed=1)
    assert (found.counts["ranked genes"], found.counts["genes without a value"]) == (990, 10)
    known = prerank(ranking.dropna(), SETS, seed=1)
    pd.testing.assert_frame_equal(found.table, known.table)


@pytest.mark.parametrize("size", [1, 3, 15])
@pytest.mark.parametrize("zeros", [0.5, 0.9])
def test_many_values_of_0_are_no_trouble(size, zeros):
    # gseapy panics when all weights of a random set come out as 0.
    values = np.random.default_rng(1).normal(size=1000)
    values[: int(zeros * 1000)] = 0
    ranking = pd.Series(values, index=[f"g{i:03}" for i in range(1000)]).sort_values(ascending=False)
    sets = {"top": list(ranking.index[:size]), "zeros": [f"g{i:03}" for i in range(size)]}
    found = prerank(ranking, sets, seed=1, min_size=1).table.set_index("set")
    assert np.isfinite(found[["es", "nes", "p_value"]]).all(axis=None)
    assert found.loc["top", "es"] == pytest.approx(1)


def test_a_ranking_of_one_sign_says_nothing_about_its_low_end():
    # All random sets score above 0, so there is nothing to hold a score below 0 against.
    ranking = RANKING.abs().sort_values()
    sets = {"low": list(ranking.index[:100]), "high": list(ranking.index[-20:])}
    found = prerank(ranking, sets, seed=1).table.set_index("set")
    assert found.loc["low", "es"] == pytest.approx(-1)
    assert found.loc["low", ["nes", "p_value", "q_value"]].isna().all()
    assert found.loc["high", "q_value"] == found.loc["high", "p_value"]


@pytest.mark.parametrize(
    ("ranking", "message"),
    [
        (pd.Series([1.0, 2.0], index=["a", "a"]), "'a' stands twice"),
        (pd.Series([1.0, np.inf], index=["a", "b"]), "'b' has an infinite value"),
        (pd.Series([1.0, np.nan], index=["a", "b"]), "needs two genes"),
        (pd.Series([0.0, 0.0], index=["a", "b"]), "a value other than 0"),
    ],
)
def test_a_series_that_ranks_nothing_is_refused(ranking, message):
    with pytest.raises(ValueError, match=message):
        prerank(ranking, {"s": ["a"]}, seed=1)


OFFLINE = """
import sys

def refuse(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostby", "urllib.Request")):
        raise RuntimeError(f"the network was asked: {event} {arguments}")
    if event == "open" and "gseapy" in str(arguments[0]) and ".cache" in str(arguments[0]):
        raise RuntimeError(f"a user's cache was read: {arguments}")

sys.addaudithook(refuse)
import pandas as pd
from reclaim.enrichment import over_representation, prerank, read_gmt
from pathlib import Path

sets = read_gmt(Path(sys.argv[1]))
ranking = pd.Series({f"G{i}": 50.5 - i for i in range(100)})
assert prerank(ranking, sets, seed=1, min_size=2).table["set"].tolist() == ["MSigDB_Hallmark_2020"]
assert over_representation({"G1"}, set(ranking.index), sets, min_size=2).table["overlap"].tolist() == [1]
"""


def test_neither_the_network_nor_a_cache_is_asked(tmp_path):
    path = gmt(tmp_path, "MSigDB_Hallmark_2020\t\tG1\tG2\tG3\n")
    cache = tmp_path / "home" / ".cache" / "gseapy"
    cache.mkdir(parents=True)
    (cache / "Enrichr.MSigDB_Hallmark_2020.gmt").write_text("stale\t\tG1\tG2\n")
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT / "workflow" / "scripts"),
    }
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_home_that_cannot_be_written_is_no_trouble(tmp_path):
    path = gmt(tmp_path, "MSigDB_Hallmark_2020\t\tG1\tG2\tG3\n")
    environment = os.environ | {"HOME": "/dev/null", "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Over-representation

BACKGROUND = [f"g{i}" for i in range(100)]


def test_over_representation_by_hand():
    # 4 of 10 set genes among 20 hits of 100 genes: the tail of the hypergeometric distribution.
    found = over_representation(BACKGROUND[:20], BACKGROUND, {"s": BACKGROUND[16:26]}, min_size=1).table.iloc[
        0
    ]
    tail = sum(Fraction(comb(10, k) * comb(90, 20 - k), comb(100, 20)) for k in range(4, 11))
    assert found["p_value"] == pytest.approx(float(tail))
    assert (found["size"], found["overlap"], found["expected"]) == (10, 4, 2)
    assert found["genes"] == "g16;g17;g18;g19"
    odds_ratio = (4.5 * 74.5) / (6.5 * 16.5)
    reach = 1.96 * np.sqrt(1 / 4.5 + 1 / 6.5 + 1 / 16.5 + 1 / 74.5)
    assert found["odds_ratio"] == pytest.approx(odds_ratio)
    assert found["ci_low"] == pytest.approx(odds_ratio * np.exp(-reach))
    assert found["ci_high"] == pytest.approx(odds_ratio * np.exp(reach))


def test_over_representation_is_gseapys_enrich_with_a_background():
    background = list(RANKING.index)
    hits = list(RANKING.sort_values().index[-100:])
    found = over_representation(hits, background, SETS).table.set_index("set")
    theirs = gseapy.enrich(hits, SETS, background=set(background), outdir=None, no_plot=True).res2d
    shared = [name for name in SETS if found.loc[name, "overlap"] > 0]
    assert len(theirs) == len(shared)  # gseapy leaves out the others
    theirs, found = theirs.set_index("Term").loc[shared], found.loc[shared]
    np.testing.assert_allclose(found["p_value"], theirs["P-value"], rtol=1e-9)
    np.testing.assert_allclose(found["odds_ratio"], theirs["Odds Ratio"], rtol=1e-9)
    assert [f"{k}/{n}" for k, n in zip(found["overlap"], found["size"], strict=True)] == list(
        theirs["Overlap"]
    )


def test_a_set_without_hits_is_a_test_too():
    # gseapy's own enrich leaves it out, which makes the other q-values too small.
    sets = {"some": BACKGROUND[:10], "none": BACKGROUND[50:60]}
    found = over_representation(BACKGROUND[:5], BACKGROUND, sets, min_size=1).table.set_index("set")
    assert found.loc["none", "p_value"] == 1
    assert found.loc["none", "overlap"] == 0
    assert found.loc["some", "q_value"] == pytest.approx(2 * found.loc["some", "p_value"])


def test_only_the_background_counts():
    sets = {"s": [*BACKGROUND[:10], "unmeasured"]}
    found = over_representation([*BACKGROUND[:5], "elsewhere", "other"], BACKGROUND, sets, min_size=1)
    assert found.table.loc[0, "size"] == 10
    assert found.counts["hits"] == 5
    assert found.counts["hits outside the background"] == 2
    larger = over_representation(BACKGROUND[:5], [*BACKGROUND, *"abcdefgh"], sets, min_size=1)
    assert larger.table.loc[0, "p_value"] < found.table.loc[0, "p_value"]


def test_excluded_genes_are_left_out_of_hits_background_and_sets():
    sets = {"s": BACKGROUND[:10]}
    found = over_representation(BACKGROUND[:5], BACKGROUND, sets, exclude=["g0"], min_size=1)
    without = over_representation(BACKGROUND[1:5], BACKGROUND[1:], {"s": BACKGROUND[1:10]}, min_size=1)
    pd.testing.assert_frame_equal(found.table, without.table)
    assert found.circular == {"s": ("g0",)}
    assert found.counts["hits outside the background"] == 0


def test_an_empty_background_is_refused():
    with pytest.raises(ValueError, match="an empty background"):
        over_representation(["a"], [], {"s": ["a"]})


def test_without_any_set_the_table_of_over_representation_is_empty():
    assert over_representation(["g1"], BACKGROUND, {}).table.empty


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 10_000))
def test_p_values_are_exact_tails_and_intervals_hold_their_odds_ratio(hits, size, seed):
    generator = np.random.default_rng(seed)
    drawn, members = (list(generator.choice(BACKGROUND, n, replace=False)) for n in (hits, size))
    row = over_representation(drawn, BACKGROUND, {"s": members}, min_size=1).table.iloc[0]
    most = min(hits, size)
    ways = sum(comb(size, k) * comb(100 - size, hits - k) for k in range(int(row["overlap"]), most + 1))
    assert row["p_value"] == pytest.approx(float(Fraction(ways, comb(100, hits))), rel=1e-9)
    assert row["ci_low"] < row["odds_ratio"] < row["ci_high"]
