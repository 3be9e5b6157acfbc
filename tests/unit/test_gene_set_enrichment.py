"""Sets in the ranking of another test: score, direction, and genes that must not speak for themselves."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reclaim import enrichment
from reclaim.analyses.gene_set_enrichment import gene_set_enrichment
from reclaim.claim_tests import GeneSetEnrichment
from reclaim.errors import AbsentData


@pytest.fixture(autouse=True)
def _few_random_sets(monkeypatch):
    """Signs need no small p-values: a tenth of the random sets, and few levels, are quick."""
    monkeypatch.setattr(enrichment, "PERMUTATIONS", 1000)
    monkeypatch.setattr(enrichment, "SMALLEST_P", 1e-4)


GENES = [f"G{i:03d}" for i in range(200)]
TOP, BOTTOM, SPREAD = GENES[:20], GENES[-20:], GENES[::10]
SETS = {"top": TOP, "bottom": BOTTOM, "spread": SPREAD}


def ranking(stratum="all", sign=1) -> pd.DataFrame:
    """G000 has the largest statistic, G199 the smallest; the outer 20 on either side are significant."""
    statistic = sign * np.linspace(5, -5, 200)
    return pd.DataFrame(
        {"feature": GENES, "stratum": stratum, "effect": statistic / 2, "statistic": statistic,
         "p_value": 2 * stats.norm.sf(abs(statistic)), "q_value": np.where(abs(statistic) > 4.0, 0.01, 0.5)}
    )  # fmt: skip


def run(gene_set="top", table=None, subjects=(), sets=SETS, **keys):
    test = GeneSetEnrichment.model_validate(
        {"id": "set", "role": "supporting", "analysis": "gene_set_enrichment", "datasets": ["a"],
         "gene_set": gene_set, "expected": "positive", "with": {"ranking": {"test": "up"}}, **keys}
    )  # fmt: skip
    return gene_set_enrichment(test, ranking() if table is None else table, sets, subjects, seed=1)


def only(*args, **keys):
    (found,), _ = run(*args, **keys)
    return found


# Prerank


def test_a_set_at_the_top_has_a_positive_score_and_one_at_the_bottom_a_negative():
    top, bottom = only("top"), only("bottom", expected="negative")
    assert top.effect_name == "normalised_enrichment_score"
    assert top.effect > 2
    assert bottom.effect < -2
    # All 20 members stand before all others: the running sum reaches 1.
    assert (top.statistic, bottom.statistic) == (pytest.approx(1), pytest.approx(-1))
    assert top.p_value < 1e-3
    assert top.groups == {"measured members": 20}
    assert (top.flags, top.note, top.ci_low) == ((), "", None)


def test_a_score_on_the_other_side_has_no_support():
    assert only("top", expected="negative").p_value == 1
    assert only("bottom").p_value == 1


def test_the_table_has_all_sets():
    _, table = run()
    assert list(table["feature"]) == ["top", "bottom", "spread"]
    assert set(table["n"]) == {20}
    assert set(table["stratum"]) == {"all"}
    assert table["q_value"].tolist() == pytest.approx(stats.false_discovery_control(table["p_value"]))


def test_the_same_seed_gives_the_same_score():
    assert only("spread") == only("spread")


def test_the_gene_that_makes_the_ranking_does_not_speak_for_itself():
    found = only(subjects=["G000"])
    assert found.flags == ("circular_members",)
    assert found.note == "Removed from the set: G000."
    assert found.groups == {"measured members": 19}
    assert only("bottom", subjects=["G000"]).flags == ()


@pytest.mark.parametrize("method", ["prerank", "over_representation"])
def test_a_set_that_is_too_small_is_invalid_and_says_so(method):
    few = {"few": [*GENES[:5], "NOT_THERE"]}
    assert only("few", sets=few, method=method).valid  # five measured members are enough
    found = only("few", sets=few, subjects=["G001"], method=method)
    assert (found.valid, found.flags) == (False, ("circular_members", "not_on_platform"))
    assert found.note == (
        "The set has fewer than 5 or more than 500 measured members. Removed from the set: G001."
    )


def test_genes_without_a_statistic_are_not_ranked():
    table = ranking()
    table.loc[:4, "statistic"] = np.nan
    assert only(table=table).groups == {"measured members": 15}


def directions() -> pd.DataFrame:
    return ranking().assign(statistic=np.nan, p_value=np.nan, q_value=np.nan)


@pytest.mark.parametrize("table", [directions(), ranking().iloc[:0]])
def test_directions_or_nothing_rank_no_genes(table):
    with pytest.raises(AbsentData, match="no statistic on this data set"):
        run(table=table)


def test_what_cannot_be_ranked_is_told():
    table = ranking()
    table.loc[0, "statistic"] = np.inf
    with pytest.raises(AbsentData, match="cannot be ranked: 'G000' has an infinite value"):
        run(table=table)


def test_every_stratum_has_its_own_ranking():
    table = pd.concat([ranking("A"), ranking("B", sign=-1)], ignore_index=True)
    found, full = run(table=table)
    assert [(one.stratum, one.effect > 0) for one in found] == [("A", True), ("B", False)]
    assert full.groupby("stratum").size().to_dict() == {"A": 3, "B": 3}


def test_a_stratum_with_directions_only_is_left_out_and_others_stay():
    found, _ = run(table=pd.concat([directions().assign(stratum="A"), ranking("B")], ignore_index=True))
    assert [one.stratum for one in found] == ["B"]


# Over-representation


def test_over_representation_is_fishers_test_against_all_tested_genes():
    found = only("top", method="over_representation")
    hits = set(GENES[:20])  # statistic above 4: the first 20 of 200
    assert found.effect_name == "log_odds_ratio"
    both, only_set, only_hit, neither = 20.5, 0.5, 0.5, 180.5  # half a gene added to each cell
    assert found.effect == pytest.approx(np.log(both * neither / (only_set * only_hit)))
    error = np.sqrt(1 / both + 1 / only_set + 1 / only_hit + 1 / neither)
    assert (found.ci_low, found.ci_high) == pytest.approx(
        (found.effect - 1.96 * error, found.effect + 1.96 * error)
    )
    assert found.se == pytest.approx(error)
    table = [[len(hits & set(TOP)), 0], [0, 180]]
    assert found.p_value == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)


def test_a_set_among_falling_genes_has_a_negative_effect_as_claimed():
    """Natural sign: else the rule, which turns effects claimed negative, would call agreement opposite."""
    falls = only("bottom", method="over_representation", expected="negative")
    rises = only("top", method="over_representation")
    assert falls.effect == pytest.approx(-rises.effect)
    assert (falls.ci_low, falls.ci_high) == pytest.approx((-rises.ci_high, -rises.ci_low))
    assert falls.ci_low < falls.effect < falls.ci_high < 0
    assert falls.se == pytest.approx(rises.se)
    assert falls.p_value == pytest.approx(rises.p_value)


def test_hits_are_significant_genes_on_the_claimed_side():
    table = ranking()
    assert table["q_value"].lt(0.05).sum() == 40
    _, full = run("bottom", method="over_representation")
    assert dict(zip(full["feature"], full["n_events"], strict=True)) == {"top": 20, "bottom": 0, "spread": 2}
    _, strict = run("top", method="over_representation", max_q=0.01)  # below, not at
    assert strict["n_events"].sum() == 0


def test_genes_that_were_not_tested_are_no_background():
    table = ranking()
    table.loc[100:149, "p_value"] = np.nan
    found = only("top", table=table, method="over_representation")
    both, only_set, only_hit, neither = 20.5, 0.5, 0.5, 130.5
    assert found.effect == pytest.approx(np.log(both * neither / (only_set * only_hit)))


def test_circular_members_are_removed_here_too():
    found = only("top", subjects=["G003"], method="over_representation")
    assert (found.flags, found.groups) == (("circular_members",), {"measured members": 19})
