"""Bound genes that respond: what is planted is found, what follows expression or busy promoters is not; guards, ranks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders import claim, dataset, evidence, expression_test, geo_dataset, study_values, write_study
from pydantic import ValidationError
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable

from reclaim import enrichment
from reclaim.analyses.baseline import Baseline, baselines
from reclaim.analyses.bound_and_deregulated import FEWEST_BOUND, bound_and_deregulated
from reclaim.analyses.differential_expression import differential_expression
from reclaim.analyses.region_job import Files, Inputs
from reclaim.claim_tests import BoundAndDeregulated, DifferentialExpression
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate
from reclaim.gene_strata import LEVELS, gene_strata
from reclaim.ledger import Ledger
from reclaim.margins import MARGIN
from reclaim.plan import make_plan
from reclaim.rank_product import rank_product
from reclaim.regions import EXPERIMENTS, PARTS, SCORES, Binding, as_regions, check_antigens, no_rows
from reclaim.report.evidence_view import evidence_table
from reclaim.report.forest_view import forest_view
from reclaim.report.measures import measure
from reclaim.report.naive import counts_in_words
from reclaim.report.operation import differences, subject
from reclaim.report.reading import read_claim
from reclaim.study import Study

FAR = 300_000
"""Bases from one gene to the next: no peak is near two genes."""
SEEDS = Path(__file__).parents[2] / "seeds"
VALUES: dict[str, Any] = {
    "id": "direct",
    "role": "primary",
    "analysis": "bound_and_deregulated",
    "datasets": ["a"],
    "query": "TFA",
    "response": "falls",
    "with": {"peaks": "peaks", "ranking": {"test": "up"}},
}


def a_test(**changes: Any) -> BoundAndDeregulated:
    return BoundAndDeregulated.model_validate(VALUES | changes)


def names_of(n: int) -> list[str]:
    return [f"G{i:05d}" for i in range(n)]


def annotation(n: int, biotype: str = "protein_coding") -> pd.DataFrame:
    """Gene i is the i-th on one long chromosome."""
    names = names_of(n)
    return pd.DataFrame(
        {"chrom": "chr1", "tss": FAR * np.arange(1, n + 1), "gene_id": names, "symbol": names, "biotype": biotype}
    )  # fmt: skip


def binding(**at: list[tuple[int, int]] | np.ndarray) -> Binding:
    """By antigen, pairs of a gene's number and the bases from its start to that of a peak of 200 bp; or, of an array of
    truth values, the genes with a peak at their start."""
    parts, rows = [], []
    for antigen, places in at.items():
        pairs = [(int(i), 0) for i in np.flatnonzero(places)] if isinstance(places, np.ndarray) else places
        start = np.array([FAR * (gene + 1) + offset for gene, offset in pairs], np.int64)
        parts.append(
            pd.DataFrame({"chrom": "chr1", "start": start, "end": start + 200, "experiment": f"SRX{antigen}"})
        )
        rows.append((f"SRX{antigen}", antigen, "MM.1S", "any", "same", len(pairs)))
    regions = pd.concat(parts, ignore_index=True)
    regions["chrom"] = regions["chrom"].astype("category")
    experiments = pd.DataFrame(rows, columns=list(EXPERIMENTS.columns))
    return Binding(as_regions(regions), EXPERIMENTS.validate(experiments), no_rows(SCORES))


def a_ranking(falls: np.ndarray, rises: np.ndarray | None = None, stratum: str = "all") -> pd.DataFrame:
    """Responding genes have q = 0.001 and a fold change of 2, the others q = 0.5."""
    rises = np.zeros_like(falls) if rises is None else rises
    effect = np.where(falls, -1.0, np.where(rises, 1.0, 0.1))
    p_value = np.where(falls | rises, 1e-5, 0.4)
    return pd.DataFrame(
        {
            "feature": names_of(len(falls)),
            "stratum": stratum,
            "effect": effect,
            "statistic": np.sign(effect) * stats.norm.isf(p_value / 2),
            "p_value": p_value,
            "q_value": np.where(falls | rises, 0.001, 0.5),
        }
    )


def level_of(values: np.ndarray, flags: tuple[str, ...] = (), stratum: str = "all") -> dict[str, Baseline]:
    level = pd.Series(np.asarray(values, float), index=names_of(len(values)))
    return {stratum: Baseline(level, {"case": 3, "control": 3}, flags)}


def run(
    bound: Binding, ranking: pd.DataFrame, baseline: dict[str, Baseline] | None = None, **changes: Any
) -> tuple[list[Estimate], pd.DataFrame]:
    n = len(ranking)
    baseline = baseline or level_of(np.zeros(n))
    return bound_and_deregulated(
        a_test(**changes), bound, ranking, baseline, annotation(n), "matched", seed=1
    )


def only(*args: Any, **changes: Any) -> Estimate:
    (found,), _ = run(*args, **changes)
    return found


def draw(seed: int, n: int = 6000) -> tuple[np.random.Generator, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator, generator.random(n) < 0.2


# Strata


def test_a_planted_association_is_found() -> None:
    generator, bound = draw(1)
    falls = generator.random(6000) < np.where(bound, 0.15, 0.05)
    level = generator.normal(size=6000)
    found = only(binding(TFA=bound, TFB=generator.random(6000) < 0.3), a_ranking(falls), level_of(level))
    planted = np.log(0.15 / 0.85 / (0.05 / 0.95))
    assert found.ci_low < planted < found.ci_high
    assert found.ci_low > np.log(2)
    assert found.p_value < 1e-20
    assert (found.feature, found.effect_name, found.tier) == ("TFA", "log_odds_ratio", "matched")
    assert (found.n, found.n_events) == (6000, (bound & falls).sum())
    assert found.groups == {"bound": bound.sum(), "falls": falls.sum(), "rises": 0, "case": 3, "control": 3}
    assert only(binding(TFA=bound), a_ranking(falls), expected="negative").p_value == pytest.approx(1)


def test_an_association_through_expression_alone_disappears_with_strata() -> None:
    """Binding and the power to be called both grow with expression, and nothing else joins them."""
    generator, _ = draw(2)
    level = generator.normal(size=6000)
    bound, falls = (generator.random(6000) < rate * (level > 0) + 0.02 for rate in (0.4, 0.2))
    args = (binding(TFA=bound), a_ranking(falls), level_of(level))
    crude, adjusted = only(*args, method="fisher"), only(*args)
    assert crude.ci_low > MARGIN["log_odds_ratio"]
    assert adjusted.ci_low < 0 < adjusted.ci_high
    assert adjusted.effect < np.log(1.2)
    assert f"without strata {np.exp(crude.effect):.2f}"[:-1] in adjusted.note
    assert "strata are those of expression alone" in adjusted.note


def test_an_association_through_busy_promoters_alone_disappears_with_strata() -> None:
    """Where many factors bind, the query does too, and such genes respond."""
    generator, _ = draw(3)
    busy = generator.random(6000) < 0.3
    others = {f"TF{i:02d}": generator.random(6000) < np.where(busy, 0.7, 0.02) for i in range(30)}
    bound, falls = (generator.random(6000) < np.where(busy, rate, 0.03) for rate in (0.5, 0.2))
    args = (binding(TFA=bound, **others), a_ranking(falls), level_of(generator.normal(size=6000)))
    crude, adjusted = only(*args, method="fisher"), only(*args)
    assert crude.ci_low > MARGIN["log_odds_ratio"]
    assert adjusted.ci_low < 0 < adjusted.ci_high
    assert "expression alone" not in adjusted.note


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("among", ["measured", "responding"])
def test_numbers_are_those_of_statsmodels(seed: int, among: str) -> None:
    generator, bound = draw(seed, 3000)
    level = generator.normal(size=3000)
    near = {f"TF{i}": generator.random(3000) < 0.4 for i in range(6)}
    falls = generator.random(3000) < np.where(bound, 0.4, 0.25)
    rises = ~falls & (generator.random(3000) < 0.4)
    found = only(binding(TFA=bound, **near), a_ranking(falls, rises), level_of(level), among=among)
    # Tenths by rank and bins of a count, as the documentation states them.
    tenth = np.argsort(np.argsort(level)) * 10 // 3000
    count = np.sum(list(near.values()), axis=0)
    bins = pd.cut(count, [-1, 0, 1, 3, 6], labels=False)
    counts = falls | rises if among == "responding" else np.ones(3000, bool)
    tables = [
        np.array([[(part & bound & falls).sum(), (part & bound & ~falls).sum()],
                  [(part & ~bound & falls).sum(), (part & ~bound & ~falls).sum()]])
        for i in range(10) for j in range(4) if (part := counts & (tenth == i) & (bins == j)).sum() > 1
    ]  # fmt: skip
    expected = StratifiedTable(tables)
    assert found.effect == pytest.approx(expected.logodds_pooled)
    assert found.se == pytest.approx(expected.logodds_pooled_se)
    assert (found.ci_low, found.ci_high) == pytest.approx(expected.logodds_pooled_confint())
    score = expected.test_null_odds()
    assert found.statistic == pytest.approx(score.statistic)
    one_sided = score.pvalue / 2 if found.effect > 0 else 1 - score.pvalue / 2
    assert found.p_value == pytest.approx(one_sided)
    assert found.n == counts.sum()


def test_among_responding_genes_the_outcome_is_which_way() -> None:
    """Bound genes respond more often, in either direction alike."""
    generator, bound = draw(4)
    responds = generator.random(6000) < np.where(bound, 0.5, 0.15)
    falls = responds & (generator.random(6000) < 0.5)
    args = (binding(TFA=bound), a_ranking(falls, responds & ~falls))
    measured, responding = only(*args), only(*args, among="responding")
    assert measured.ci_low > np.log(2)
    assert responding.ci_low < 0 < responding.ci_high
    assert responding.n == responds.sum() == responding.groups["falls"] + responding.groups["rises"]
    assert responding.groups["bound"] == (bound & responds).sum()
    rising = only(*args, among="responding", response="rises")
    assert rising.effect == pytest.approx(-responding.effect)
    assert rising.n_events == (bound & responds & ~falls).sum()


def test_strata_are_tenths_and_bins() -> None:
    codes = gene_strata(np.arange(100.0), np.zeros(100, int))
    assert (np.bincount(codes // 8) == 10).all()
    assert set(codes % 8) == {0}
    bins = gene_strata(np.zeros(9), [0, 1, 2, 3, 6, 10, 20, 40, 41])
    assert list(bins) == [0, 1, 2, 2, 3, 4, 5, 6, 7]
    # Equal values are not parted, and a gene without a value is in the lowest tenth.
    assert list(gene_strata([np.nan, 1, 1, 2], [0, 0, 0, 0]) // 8) == [0, 2, 2, 7]
    assert LEVELS == 10
    with pytest.raises(ValueError, match="not one per gene"):
        gene_strata([1.0], [1, 2])


def test_fisher_is_the_exact_test() -> None:
    generator, bound = draw(5, 2000)
    falls = generator.random(2000) < np.where(bound, 0.3, 0.15)
    table = pd.crosstab(bound, falls).to_numpy()
    exact = stats.contingency.odds_ratio(table)
    for expected, side in (("positive", "greater"), ("negative", "less")):
        found = only(binding(TFA=bound), a_ranking(falls), method="fisher", expected=expected)
        assert found.effect == pytest.approx(np.log(exact.statistic))
        assert (np.exp(found.ci_low), np.exp(found.ci_high)) == pytest.approx(exact.confidence_interval())
        assert found.p_value == pytest.approx(stats.fisher_exact(table, alternative=side).pvalue)
        assert found.method == "Fisher's exact test, conditional odds ratio"


# Which genes are bound


def test_a_gene_is_bound_within_the_window_of_any_start() -> None:
    """A peak of 200 bp that begins 5,000 bp after the start, one that begins a base later, one that ends 5,000 before."""
    peaks = binding(TFA=[(0, 5_000), (1, 5_001), (2, -5_199), (3, -5_200), (4, 50_000)])
    _, table = run(peaks, a_ranking(np.zeros(8, bool)))
    assert list(table["stratum"] == "bound") == [True, False, True, False, *[False] * 4]
    assert list(table["n"]) == [1, 0, 1, 0, 0, 0, 0, 0]
    assert list(table["n_events"]) == [0, 0, 0, 0, 1, 0, 0, 0]
    _, wide = run(peaks, a_ranking(np.zeros(8, bool)), window_bp=200_000)
    assert list(wide["n"]) == [1, 1, 1, 1, 1, 0, 0, 0]


def test_only_measured_protein_coding_genes_count() -> None:
    generator, bound = draw(6, 3000)
    falls = generator.random(3000) < np.where(bound, 0.4, 0.2)
    ranking = a_ranking(falls)
    ranking.loc[:99, "p_value"] = np.nan
    genes = annotation(3000)
    genes.loc[100:149, "biotype"] = "lncRNA"
    (found,), table = bound_and_deregulated(
        a_test(), binding(TFA=bound), ranking, level_of(np.zeros(3000)), genes, "matched", 1
    )
    assert found.n == len(table) == 2850
    assert found.groups["bound"] == bound[150:].sum()
    with pytest.raises(AbsentData, match="none of the 2,900 measured genes is a protein-coding gene"):
        bound_and_deregulated(
            a_test(), binding(TFA=bound), ranking, level_of(np.zeros(3000)),
            annotation(3000, "lncRNA"), "matched", 1,
        )  # fmt: skip


def test_a_gene_without_a_q_value_is_measured_and_does_not_respond() -> None:
    generator, bound = draw(7, 3000)
    ranking = a_ranking(generator.random(3000) < 0.3)
    ranking.loc[:999, "q_value"] = np.nan
    found = only(binding(TFA=bound), ranking)
    assert found.n == 3000
    assert found.groups["falls"] == (ranking["q_value"] < 0.05).sum()
    assert only(binding(TFA=bound), ranking, max_q=0.0005).groups["falls"] == 0


# Prerank


@pytest.fixture
def few_random_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs need no small p-values."""
    monkeypatch.setattr(enrichment, "PERMUTATIONS", 500)
    monkeypatch.setattr(enrichment, "SMALLEST_P", 1e-4)


@pytest.mark.usefixtures("few_random_sets")
def test_prerank_scores_the_bound_genes_in_their_natural_sign() -> None:
    """More of them than a gene set usually has."""
    generator, bound = draw(8, 4000)
    ranking = a_ranking(np.zeros(4000, bool))
    ranking["statistic"] = generator.normal(size=4000) - 0.5 * bound
    args = (binding(TFA=bound), ranking)
    found = only(*args, method="prerank", role="sensitivity")
    assert bound.sum() > 500
    assert (found.effect_name, found.ci_low) == ("normalised_enrichment_score", None)
    assert found.effect < -1.5
    assert found.statistic < 0
    assert found.p_value < 0.01
    assert "Claimed: a score below 0." in found.note
    # The same score whatever is claimed; the other side has no small p-value.
    for other in ({"response": "rises"}, {"expected": "negative"}):
        against = only(*args, method="prerank", role="sensitivity", **other)
        assert (against.effect, against.p_value) == (found.effect, 1.0)
        assert "Claimed: a score above 0." in against.note
    both = only(*args, method="prerank", role="sensitivity", response="rises", expected="negative")
    assert both.p_value == found.p_value


def test_prerank_needs_some_genes_inside_and_outside() -> None:
    few = np.arange(500) < FEWEST_BOUND - 1
    for bound in (few, np.ones(500, bool)):
        found = only(binding(TFA=bound), a_ranking(few), method="prerank", role="sensitivity")
        assert (found.effect, found.p_value, found.flags) == (None, None, ("not_estimable",))
        assert "bound genes have no score: 5 to 499 would." in found.note


def test_a_claim_is_not_decided_by_prerank() -> None:
    peaks = dataset(source="file", format="bed", path="x.bed", genome="hg38")
    del peaks["study"]
    tests = (expression_test("up", "supporting"), VALUES | {"method": "prerank"})
    with pytest.raises(ValidationError, match="bound_and_deregulated without an interval decides nothing"):
        Study.model_validate(study_values(claim(*tests), a=geo_dataset(), b=geo_dataset(), peaks=peaks))


# Guards


def test_too_few_genes_say_nothing() -> None:
    generator, bound = draw(9, 90)
    falls = generator.random(90) < 0.2
    found = only(binding(TFA=bound), a_ranking(falls))
    assert (found.effect, found.se, found.p_value, found.flags) == (None, None, None, ("underpowered",))
    # The hypergeometric variance of one stratum.
    n, b, f = 90, int(bound.sum()), int(falls.sum())
    variance = stats.hypergeom(n, b, f).var()
    assert f"Odds ratios below {np.exp(2.8 / np.sqrt(variance)):.3g} could be missed." in found.note
    assert found.n_events == (bound & falls).sum()


@pytest.mark.parametrize("method", ["strata", "fisher"])
def test_without_bound_or_responding_genes_there_is_no_odds_ratio(method: str) -> None:
    none, some = np.zeros(500, bool), np.arange(500) % 3 == 0
    for bound, falls in ((some, none), (np.ones(500, bool), some)):
        found = only(binding(TFA=bound), a_ranking(falls), method=method)
        assert (found.effect, found.flags) == (None, ("underpowered",))
        assert "No odds ratio: no stratum where both vary." in found.note


@pytest.mark.parametrize("method", ["strata", "fisher"])
def test_an_infinite_odds_ratio_is_none(method: str) -> None:
    bound = np.arange(4000) % 2 == 0
    falls = bound & (np.arange(4000) % 4 == 0)
    found = only(binding(TFA=bound), a_ranking(falls), method=method)
    assert (found.effect, found.flags) == (None, ("not_estimable",))
    assert "odds ratio infinite" in found.note


def test_a_ranking_by_direction_calls_no_gene() -> None:
    ranking = a_ranking(np.arange(500) % 2 == 0).assign(p_value=np.nan, q_value=np.nan, statistic=np.nan)
    bound = binding(TFA=np.arange(500) % 3 == 0)
    (found,), table = run(bound, ranking, level_of(np.zeros(500), ("one_replicate",)))
    assert (found.effect, found.flags, len(table)) == (None, ("one_replicate",), 0)
    assert "no p-values (a group has a single sample)" in found.note
    assert only(bound, ranking).flags == ("not_estimable",)


def test_an_antigen_without_an_experiment_is_absent() -> None:
    peaks = binding(TFA1=np.ones(3, bool))
    told = r"no experiment of TFA was chosen; did you mean TFA1\? \(1 antigens have one\)"
    with pytest.raises(AbsentData, match=told):
        run(peaks, a_ranking(np.ones(3, bool)))
    with pytest.raises(AbsentData, match=told):
        check_antigens(peaks.experiments, ["TFA1", "TFA"])
    check_antigens(peaks.experiments, ["TFA1"])


def test_a_ranking_without_results_is_absent() -> None:
    with pytest.raises(AbsentData, match="has no result on this data set"):
        run(binding(TFA=np.ones(3, bool)), a_ranking(np.ones(0, bool)))


def test_flags_of_the_ranking_are_inherited() -> None:
    generator, bound = draw(10)
    falls = generator.random(6000) < 0.2
    found = only(binding(TFA=bound), a_ranking(falls), level_of(np.zeros(6000), ("source_confounded",)))
    assert found.flags == ("source_confounded",)
    assert found.effect is not None


# Full results and the rank product


def test_the_rank_product_by_hand() -> None:
    """Four genes are ranked; those without a peak or a response are not."""
    potential = pd.Series([0.6, 0.2, 0.4, 0.0, 0.2, 0.5], index=list("ABCDEF"))
    response = pd.Series([3.0, 1.0, 5.0, 9.0, 1.0, np.nan], index=list("ABCDEF"))
    # Ranks by potential A 1, C 2, B and E 3.5; by response C 1, A 2, B and E 3.5.
    expected = [1 / 4 * 2 / 4, (3.5 / 4) ** 2, 2 / 4 * 1 / 4, np.nan, (3.5 / 4) ** 2, np.nan]
    np.testing.assert_allclose(rank_product(potential, response), expected)


def test_full_results_hold_every_gene_and_the_note_names_the_likeliest_targets() -> None:
    """Peaks that begin 0, 20 and 60 kb from the starts of genes 0, 1, 2; gene 2 falls most, then 0, then 1."""
    ranking = a_ranking(np.array([True, False, True, False]))
    ranking["statistic"] = [-4.0, -1.0, -9.0, -20.0]
    peaks = binding(TFA=[(0, 0), (1, 20_000), (2, 60_000)])
    (found,), table = run(peaks, ranking)
    assert table.attrs["effect_name"] == "log2_fold_change"
    assert list(table["feature"]) == names_of(4)
    assert list(table["stratum"]) == ["bound", "not bound", "not bound", "not bound"]
    assert list(table["effect"]) == [-1, 0.1, -1, 0.1]
    assert list(table["q_value"]) == [0.001, 0.5, 0.001, 0.5]
    assert list(table["n_events"]) == [0, 1, 1, 0]
    np.testing.assert_allclose(table["statistic"], [1 / 3 * 2 / 3, 2 / 3, 1 / 3, np.nan])
    assert "Smallest rank products of binding and response: G00000, G00002, G00001." in found.note
    told = "Measured genes: 4; bound: 1; falling: 2, 1 of them bound; rising: 0, 0 of them bound."
    assert told in found.note
    (_,), rising = run(peaks, ranking, response="rises")
    np.testing.assert_allclose(rising["statistic"], [1 / 3 * 2 / 3, 2 / 3 * 1 / 3, 1, np.nan])


def test_each_stratum_of_the_ranking_has_an_estimate() -> None:
    generator, bound = draw(11, 3000)
    ranking = pd.concat(
        [
            a_ranking(generator.random(3000) < rate, stratum=name)
            for name, rate in (("LUAD", 0.3), ("BRCA", 0.2))
        ]
    )
    baseline = level_of(np.zeros(3000), stratum="LUAD") | level_of(np.zeros(3000), stratum="BRCA")
    found, table = bound_and_deregulated(
        a_test(), binding(TFA=bound), ranking, baseline, annotation(3000), "indirect", 1
    )
    assert [(one.stratum, one.tier) for one in found] == [("LUAD", "indirect"), ("BRCA", "indirect")]
    assert set(table["stratum"]) == {
        f"{name}, {kind}" for name in ("LUAD", "BRCA") for kind in ("bound", "not bound")
    }
    assert len(table) == 6000


# The groups of the ranking


def arrays(control: int = 3, case: int = 3) -> ad.AnnData:
    group = ["control"] * control + ["case"] * case + ["other"] * 2
    obs = pd.DataFrame({"group": group, "project": group}, index=[f"S{i}" for i in range(len(group))])
    values = np.array([[i, 10.0 * i] for i in range(len(group))])
    data = ad.AnnData(values, obs=obs, uns={"unit": "log2_intensity"})
    data.var_names = ["G00000", "G00001"]
    return data


def ranked_by(**changes: Any) -> DifferentialExpression:
    return DifferentialExpression.model_validate(expression_test(feature={"gene": "G00000"}, **changes))


def test_the_level_is_that_of_the_control_group_of_the_contrast() -> None:
    found = baselines(ranked_by(), arrays())
    assert list(found) == ["all"]
    assert found["all"].level.to_dict() == {"G00000": 1.0, "G00001": 10.0}
    assert (found["all"].sizes, found["all"].flags) == ({"case": 3, "control": 3}, ())
    kept = baselines(ranked_by(samples={"group": {"not": "other"}}), arrays())
    assert kept["all"].level.to_dict() == found["all"].level.to_dict()


def test_few_replicates_and_projects_are_flagged() -> None:
    assert baselines(ranked_by(), arrays(1))["all"].flags == ("one_replicate",)
    assert baselines(ranked_by(), arrays(2))["all"].flags == ("two_replicates",)
    assert baselines(ranked_by(), arrays(), "project")["all"].flags == ("source_confounded",)


def test_strata_of_a_ranking_are_those_of_its_baselines() -> None:
    data = arrays(4, 4)
    data.obs["cancer"] = ["A", "B"] * 5
    test = ranked_by(strata="cancer")
    _, table = differential_expression(test, data, [])
    assert set(table["stratum"]) == set(baselines(test, data)) == {"A", "B"}
    assert baselines(test, data)["A"].level["G00000"] == 1.0


# The job


def test_a_job_hands_on_the_peaks_beside_the_ranking_and_the_samples(tmp_path: Path) -> None:
    peaks, ranking, data = binding(TFA=[(0, 0)]), a_ranking(np.ones(2, bool)), arrays()
    data.write_h5ad(tmp_path / "a.h5ad")
    ranking.to_parquet(tmp_path / "up.parquet")
    paths = [str(tmp_path / part) for part in PARTS]
    for path, table in zip(paths, (peaks.regions, peaks.experiments, peaks.scores), strict=True):
        table.to_parquet(path)
    study = Study.model_validate(the_study(VALUES))
    ledgers = {name: Ledger(status="present") for name in ("a", "peaks")}
    files = Files(
        datasets=study.datasets,
        ledgers=ledgers,
        data={"a": [str(tmp_path / "a.h5ad")], "peaks": paths},
        rankings={"up/a": str(tmp_path / "up.parquet")},
        ranked_by={"up": ranked_by()},
        genome={"genes": annotation(2)},
        seed=1,
    )
    inputs = Inputs(a_test(), "a", files)
    assert inputs.measured.obs["group"].tolist() == data.obs["group"].tolist()
    assert (inputs.ranked_by, inputs.source_column) == (ranked_by(), None)
    pd.testing.assert_frame_equal(inputs.ranking, ranking)
    pd.testing.assert_frame_equal(inputs.binding.experiments, peaks.experiments)
    absent = ledgers | {"a": Ledger(status="absent", reason="no such series")}
    with pytest.raises(AbsentData, match="a: no such series"):
        _ = Inputs(a_test(), "a", replace(files, ledgers=absent)).measured


# Plan and words


def test_samples_are_chosen_by_the_ranking() -> None:
    with pytest.raises(ValidationError, match="its samples are those of its ranking"):
        a_test(samples={"group": "case"})


def the_study(*tests: dict[str, Any]) -> dict[str, Any]:
    peaks = dataset(source="file", format="bed", path="x.bed", genome="hg38")
    del peaks["study"]
    ranking = expression_test("up", "supporting", datasets=["a", "b"])
    return study_values(claim(ranking, *tests), a=geo_dataset(), b=geo_dataset(series="GSE2"), peaks=peaks)


def test_a_job_reads_expression_peaks_rankings_and_genes(tmp_path: Path) -> None:
    sensitivity = VALUES | {"id": "ranked", "role": "sensitivity", "method": "prerank"}
    path = write_study(the_study(VALUES | {"datasets": ["a", "b"]}, sensitivity), tmp_path)
    plan = make_plan({"studies": [str(path)]}, SEEDS)
    job = next(one for one in plan.analyses() if one.analysis == "bound_and_deregulated")
    folder = "results/{run}/a_study"
    assert job.datasets == ["a", "b", "peaks"]
    assert job.data[:2] == [f"{folder}/data/a.h5ad", f"{folder}/data/b.h5ad"]
    assert job.data[2:] == [
        f"{folder}/data/peaks.{part}.parquet" for part in ("regions", "experiments", "scores")
    ]
    assert job.rankings == {f"up/{name}": f"{folder}/up/{name}.parquet" for name in "ab"}
    assert job.results == ["direct/a", "direct/b", "ranked/a"]
    assert list(job.genome) == ["genes"]
    assert job.slice["ranked_by"] == {"up": ranked_up(plan.studies["a_study"])}
    other = next(one for one in plan.analyses() if one.analysis == "differential_expression")
    assert other.slice["ranked_by"] == {}


def ranked_up(study: Study) -> dict[str, Any]:
    test = next(test for _, test in study.tests() if test.id == "up")
    return test.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_the_page_counts_genes() -> None:
    study = Study.model_validate(the_study(VALUES))
    row = evidence(
        "a", 0.9, test="direct", analysis="bound_and_deregulated", effect_name="log_odds_ratio", feature="TFA",
        n=6000, n_events=150, groups={"bound": 1200, "falls": 420, "rises": 0, "case": 3, "control": 3},
        outcome="agrees",
    )  # fmt: skip
    reading = read_claim(study.claims[0], [row], 1).primary[0]
    assert counts_in_words(reading) == "150 of 6,000 genes are bound and fall, in 1 data set"
    figure = forest_view(study.claims[0], reading, "figure", False)
    assert "direct: a 150 both, odds ratio 2.46" in figure.label
    assert "Counts are genes that are bound and respond as claimed." in figure.caption
    table = evidence_table([row])
    assert table.columns[:2] == ["genes", "bound and respond"]
    assert table.lines[0].cells[:2] == ["6,000", "150"]


def test_the_page_says_what_is_compared() -> None:
    said = measure(a_test(), {})
    assert "the odds to fall are twice as high for genes with a peak of TFA within 5,000 bp" in said
    assert "(10 classes of equal size)" in said
    assert "(0, 1, 2 to 3, 4 to 6, 7 to 10, 11 to 20, 21 to 40 or 41 and more)" in said
    assert "q-value is below 0.05" in said
    responding = measure(a_test(among="responding", response="rises", method="fisher"), {})
    assert "odds to rise rather than fall" in responding
    assert "Nothing is adjusted for" in responding
    assert "shown only" in measure(a_test(method="prerank"), {})
    assert subject(a_test()) == "genes with a peak of TFA within 5,000 bp that fall"
    assert subject(a_test(among="responding")).endswith("that fall rather than rise")
    other = a_test(method="fisher", window_bp=1000)
    assert differences(a_test(), other) == [
        "peaks within: 1,000 bp of a transcription start instead of 5,000 bp of a transcription start",
        "method: fisher instead of strata",
    ]
    assert not re.search(r"_", said)
