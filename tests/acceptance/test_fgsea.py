"""GSEA of a public ranking: fgsea's table of 586 mouse Reactome sets, made with 100,000 random sets.

fgsea's p is (k + 1) / (n + 1): k of the n random sets with a score of the same sign are as extreme.
Both sides are estimates, so they agree to within their standard errors. All sets share the random sets
of their size, so their errors go together: one tolerance holds for all.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reclaim.enrichment import PERMUTATIONS, prerank, read_gmt

DRAWN = 100_000
STANDARD_ERRORS = 4.5
"""Exceeded by chance once in 150,000; there are 586 sets."""
MOST_VARIABLE = 0.4
"""No set size has null scores of one sign that vary by more than this share of their mean."""


@pytest.fixture(scope="module")
def sets(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    path = tmp_path_factory.mktemp("sets") / "mouse.reactome.gmt"
    path.write_bytes(gzip.decompress((realdata / "gsea_fgsea" / "mouse.reactome.gmt.gz").read_bytes()))
    return read_gmt(path)


@pytest.fixture(scope="module")
def ranking(realdata: Path) -> pd.Series[float]:
    path = realdata / "gsea_fgsea" / "naive.vs.th1.rnk.gz"
    return pd.read_csv(path, sep="\t", dtype={"ID": str}).set_index("ID")["t"]


@pytest.fixture(scope="module")
def found(realdata: Path, ranking: pd.Series[float], sets: dict[str, list[str]]) -> pd.DataFrame:
    """Our table with fgsea's beside it, and n, the number of its random sets of the same sign."""
    result = prerank(ranking, sets, seed=20251126)
    assert (result.counts["sets"], result.counts["ranked genes that share their value"]) == (1457, 0)
    table = result.table.assign(pathway=result.table["set"].str.partition("_")[0]).set_index("pathway")
    fgsea = pd.read_csv(realdata / "gsea_fgsea" / "fgsea_res.tsv", sep="\t", dtype={"pathway": str})
    fgsea = fgsea.set_index("pathway").rename(columns={"size": "fgsea_size", "nMoreExtreme": "k"})
    assert set(table.index) == set(fgsea.index)
    joined = table.join(fgsea)
    joined["n"] = (joined["k"] + 1) / joined["pval"] - 1
    return joined


def test_the_same_586_sets_with_the_same_sizes(found: pd.DataFrame) -> None:
    assert len(found) == 586
    assert (found["size"] == found["fgsea_size"]).all()


def test_enrichment_scores(found: pd.DataFrame) -> None:
    np.testing.assert_allclose(found["es"], found["ES"], rtol=0, atol=1e-9)


def test_normalised_scores(found: pd.DataFrame) -> None:
    # NES is ES over the mean of the null scores of its sign, n of fgsea's 100,000 and as large a share of
    # our 10,000: its relative error is that of a mean.
    share = found["n"] / DRAWN
    error = MOST_VARIABLE * np.sqrt(1 / found["n"] + 1 / (share * PERMUTATIONS))
    off = np.abs(found["nes"] / found["NES"] - 1)
    assert (off < STANDARD_ERRORS * error).all()
    assert off.median() < 0.01


def test_p_values_of_sets_that_fgsea_resolves(found: pd.DataFrame) -> None:
    # log p of fgsea has the relative error of a binomial share; ours is the one reported.
    known = found[found["k"] >= 10]
    assert len(known) == 530
    theirs = np.sqrt((1 - known["pval"]) / (known["k"] + 1))
    ours = known["log2_p_error"] * np.log(2)
    off = np.abs(np.log(known["p_value"] / known["pval"])) / np.hypot(theirs, ours)
    assert off.max() < STANDARD_ERRORS
    assert off.median() < 1


def test_p_values_beyond_fgseas_resolution(found: pd.DataFrame) -> None:
    # With k of n random sets as extreme, p lies in the exact interval of a share, at the level of the
    # other tolerances. Multilevel p-values reach far below 1e-5.
    few = found[found["k"] < 10]
    tail = stats.norm.sf(STANDARD_ERRORS)
    high = stats.beta.isf(tail, few["k"] + 1, few["n"] - few["k"])
    low = np.where(few["k"] > 0, stats.beta.ppf(tail, few["k"], few["n"] - few["k"] + 1), 0)
    reach = np.exp(STANDARD_ERRORS * few["log2_p_error"].fillna(0) * np.log(2))
    assert (few["p_value"] < high * reach).all()
    assert (few["p_value"] > low / reach).all()
    assert few["p_value"].min() < 1e-20


def test_the_same_sets_are_called(found: pd.DataFrame) -> None:
    ours, theirs = set(found.index[found["q_value"] < 0.01]), set(found.index[found["padj"] < 0.01])
    assert len(theirs) == 78
    assert len(ours ^ theirs) <= 4  # those at the threshold


def test_the_leading_edge_starts_at_the_end_of_the_ranking(
    found: pd.DataFrame, ranking: pd.Series[float]
) -> None:
    genes = found.loc["5990980", "leading_edge"].split(";")  # cell cycle, at the upper end
    assert found.loc["5990980", "es"] > 0
    assert (np.diff(ranking[genes]) <= 0).all()
