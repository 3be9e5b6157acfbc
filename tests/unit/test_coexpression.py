"""Correlation of two genes or scores over samples: scipy and numpy are the oracle."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import expression, geo_dataset, setting
from scipy import stats

from reclaim.analyses.coexpression import TABLE_COLUMNS, coexpression
from reclaim.analyses.coexpression_variables import MIN_SAMPLES, pair_values, samples_by_stratum
from reclaim.analyses.differential_expression import log2_values
from reclaim.claim_tests import Coexpression
from reclaim.correlation import partial_spearman
from reclaim.decisions import Pooled
from reclaim.errors import AbsentData
from reclaim.evidence import FLAGS, Estimate, read_evidence
from reclaim.judging import Estimates, judge_estimates
from reclaim.ledger import Ledger
from reclaim.margins import MARGIN

SCRIPT = Path(__file__).parents[2] / "workflow/scripts/coexpression.py"
SEED = 11
SETS = {"myeloid": ["M1", "M2", "M3"], "stroma": ["F1", "F2", "M3"], "with_a": ["A", "M1", "M2"]}


class InStrata(Coexpression):
    """The contract as it is once it has strata."""

    strata: str | None = None


def pair_test(*ends: str | list[str], **changes: Any) -> InStrata:
    """Of A and B unless told: a name in SETS or a list is a set, any other name a gene."""
    features = [
        {"gene_set": end} if isinstance(end, list) or end in SETS else {"gene": end}
        for end in ends or ("A", "B")
    ]
    values = {
        "id": "together",
        "role": "primary",
        "analysis": "coexpression",
        "datasets": ["a"],
        "features": features,
        "expected": "positive",
    }
    return InStrata.model_validate({**values, **changes})


def tissue(samples: int = 60, unit: str = "log2_intensity", seed: int = 3, **columns: Any):
    """A and B follow a cell type (M1, M2, M3) and each other; F1 and F2 are of another; 30 genes of neither."""
    draw = np.random.default_rng(seed).normal
    cells, link, other = draw(0, 1, samples), draw(0, 1, samples), draw(0, 1, samples)
    genes = {
        "A": 6 + cells + 0.7 * link + 0.5 * draw(0, 1, samples),
        "B": 5 + cells + 0.7 * link + 0.5 * draw(0, 1, samples),
        **{f"M{i}": 5 + i * (cells + 0.4 * draw(0, 1, samples)) for i in (1, 2, 3)},
        **{f"F{i}": 7 + other + draw(0, 1, samples) for i in (1, 2)},
        **{f"OTHER{i}": 6 + draw(0, 1, samples) for i in range(30)},
    }
    if unit == "counts":
        genes = {gene: np.random.default_rng(seed).poisson(2.0**values) for gene, values in genes.items()}
    purity = 0.5 - 0.1 * cells + 0.05 * draw(0, 1, samples)
    table = {
        "purity": [f"{value:.3f}" for value in purity],
        "site": list("xyz" * samples)[:samples],
        **columns,
    }
    return expression(genes, table, unit)


def run(data, *ends, seed=SEED, sets=SETS, **changes) -> tuple[Estimate, pd.DataFrame]:
    (found,), table = coexpression(pair_test(*ends, **changes), data, sets, seed)
    assert set(found.flags) <= set(FLAGS)
    return found, table.set_index("feature")


def values_of(data, gene: str) -> np.ndarray:
    return np.asarray(data.X)[:, data.var_names.get_loc(gene)]


def score_of(data, *genes: str) -> np.ndarray:
    return np.mean([stats.zscore(values_of(data, gene)) for gene in genes], axis=0)


def partial(x: np.ndarray, y: np.ndarray, *covariates: np.ndarray) -> tuple[float, float]:
    """Pearson's correlation of what least squares leaves of ranks, and its two-sided p-value."""
    ranks = np.column_stack([np.ones(len(x)), *(stats.rankdata(one) for one in covariates)])

    def left(values: np.ndarray) -> np.ndarray:
        own = stats.rankdata(values)
        return own - ranks @ np.linalg.lstsq(ranks, own, rcond=None)[0]

    rho = stats.pearsonr(left(x), left(y)).statistic
    df = len(x) - 1 - ranks.shape[1]
    return rho, 2 * stats.t.sf(abs(rho) * np.sqrt(df / (1 - rho**2)), df)


# Two genes


def test_rho_and_p_of_two_genes_are_scipys():
    data = tissue()
    found, _ = run(data)
    oracle = stats.spearmanr(values_of(data, "A"), values_of(data, "B"), alternative="greater")
    assert found.effect == pytest.approx(oracle.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-6)
    assert found.se == pytest.approx(np.sqrt(1.06 / 57))
    assert found.statistic == pytest.approx(np.arctanh(oracle.statistic) / found.se)
    assert (found.effect_name, found.feature, found.stratum, found.n) == (
        "spearman_rho",
        "A and B",
        "all",
        60,
    )
    assert (found.groups, found.valid) == ({}, True)


def test_the_interval_is_that_of_the_percentile_bootstrap():
    data = tissue()
    x, y = values_of(data, "A"), values_of(data, "B")
    oracle = stats.bootstrap(
        (x, y),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(5),
    ).confidence_interval
    found, table = run(data)
    assert (found.ci_low, found.ci_high) == pytest.approx((oracle.low, oracle.high), abs=0.02)
    assert "bootstrap" in found.method
    # The table of all genes has Fisher's.
    z = np.arctanh(found.effect) + np.array([-1.96, 1.96]) * found.se
    assert table.loc["B", ["ci_low", "ci_high"]].tolist() == pytest.approx(np.tanh(z), abs=1e-4)


def test_p_is_one_sided_in_the_claimed_direction():
    positive, _ = run(tissue())
    negative, _ = run(tissue(), expected="negative")
    assert negative.effect == positive.effect
    assert positive.p_value < 1e-6
    assert negative.p_value == pytest.approx(1 - positive.p_value)


def test_the_table_holds_every_gene_but_the_first():
    data = tissue()
    found, table = run(data)
    assert table.index.tolist() == [gene for gene in data.var_names if gene != "A"]
    oracle = [stats.spearmanr(values_of(data, "A"), values_of(data, gene)) for gene in table.index]
    assert table["effect"].tolist() == pytest.approx([one.statistic for one in oracle])
    assert table["p_value"].tolist() == pytest.approx([one.pvalue for one in oracle])
    q_values = stats.false_discovery_control([one.pvalue for one in oracle])
    assert table["q_value"].tolist() == pytest.approx(q_values.tolist())
    assert found.q_value == pytest.approx(table["q_value"]["B"])
    assert found.effect == table["effect"]["B"]


def test_the_table_says_how_it_was_made():
    _, table = coexpression(pair_test(), tissue(), SETS, SEED)
    assert tuple(table.columns) == TABLE_COLUMNS
    assert table.attrs["effect_name"] == "spearman_rho"
    assert "Spearman" in table.attrs["method"]
    assert set(table["stratum"]) == {"all"}
    assert set(table["n"]) == {60}


def test_the_table_fits_an_evidence_setting():
    found, table = coexpression(pair_test(), tissue(), SETS, SEED)
    place = setting(analysis="coexpression", expected="positive")
    full = place.table(
        table.attrs["method"], table.attrs["effect_name"], {name: table[name] for name in table}
    )
    assert len(full) == len(table)
    row = place.row(found[0])
    claimed = judge_estimates(
        Pooled(rule="pooled"),
        [row],
        Estimates(*(np.array([[getattr(row, name)]]) for name in ("effect", "se", "ci_low", "ci_high"))),
        1,
    )
    assert claimed.outcome.tolist() == ["agrees"]
    assert row.ci_low > 0
    assert row.effect > MARGIN["spearman_rho"]


def test_counts_are_compared_after_normalisation_to_the_depth_of_each_sample():
    draw = np.random.default_rng(2)
    depth = draw.uniform(0.2, 5, 40)
    mean = {f"G{i}": draw.uniform(50, 500) * np.exp(draw.normal(0, 0.5, 40)) for i in range(40)}
    genes = {"A": 200 * np.exp(draw.normal(0, 0.5, 40)), "B": 300 * np.exp(draw.normal(0, 0.5, 40)), **mean}
    data = expression({name: draw.poisson(one * depth) for name, one in genes.items()}, {}, "counts")
    found, _ = run(data)
    values = log2_values(data)
    assert found.effect == pytest.approx(stats.spearmanr(values[:, 0], values[:, 1]).statistic)
    raw = stats.spearmanr(*np.asarray(data.X)[:, :2].T).statistic
    assert raw > 0.5  # deep samples have much of both
    assert abs(found.effect) < 0.35


def test_samples_without_reads_are_left_out_and_counted():
    draw = np.random.default_rng(2)
    counts = {name: draw.poisson(100, 20) * (np.arange(20) > 1) for name in ("A", "B", "C")}
    found, table = run(expression(counts, {}, "counts"))
    assert found.n == 18
    assert "Left out: 2 samples without any value." in found.note
    assert set(table["n"]) == {18}


# Rank


def test_the_partner_is_ranked_among_all_genes():
    data = tissue()
    found, table = run(data)
    rank = 1 + (table["effect"] > table["effect"]["B"]).sum()
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank, "th")
    assert f"B ranks {rank}{ending} of 36 genes by rho with A." in found.note


def test_the_rank_is_from_the_claimed_end():
    draw = np.random.default_rng(0)
    a = draw.normal(0, 1, 30)
    genes = {"A": a, "B": -a + 0.1 * draw.normal(0, 1, 30), "UP": a, "NOISE": draw.normal(0, 1, 30)}
    data = expression({**genes, "FLAT": np.full(30, 2.0)}, {})
    up, _ = run(data)
    down, _ = run(data, expected="negative")
    assert "B ranks 3rd of 3 genes by rho with A." in up.note  # a flat gene has no rho
    assert "B ranks 1st of 3 genes by rho with A, lowest first." in down.note


@pytest.mark.parametrize(
    ("above", "words"), [(0, "1st"), (1, "2nd"), (2, "3rd"), (10, "11th"), (20, "21st"), (111, "112th")]
)
def test_ranks_are_told_as_ordinals(above, words):
    draw = np.random.default_rng(0)
    a = draw.normal(0, 1, 25)
    genes = {
        "A": a,
        "B": a + draw.normal(0, 1, 25),
        **{f"UP{i}": a + (0.01 + i / 1e5) * a for i in range(above)},
    }
    found, _ = run(expression({**genes, "DOWN": -a}, {}))
    assert f"B ranks {words} of {above + 2} genes" in found.note


# Covariates


def test_rho_given_columns_and_a_score_is_that_of_the_residuals_of_ranks():
    data = tissue(grade=list("123321" * 10))
    found, table = run(data, adjust=["purity", "site", "grade", "myeloid"])
    numbers = data.obs["purity"].astype(float), data.obs["grade"].astype(float)
    sites = [(data.obs["site"] == level).to_numpy(float) for level in "yz"]
    score = score_of(data, "M1", "M2", "M3")
    rho, p_value = partial(values_of(data, "A"), values_of(data, "B"), *numbers, *sites, score)
    assert found.effect == pytest.approx(rho)
    assert found.p_value == pytest.approx(p_value / 2, rel=1e-6)
    assert found.se == pytest.approx(np.sqrt(1.06 / (60 - 5 - 3)))
    assert found.ci_low < rho < found.ci_high
    assert found.effect < run(data)[0].effect
    assert "given purity and site and grade and the score of myeloid" in found.method
    others = [
        partial(values_of(data, "A"), values_of(data, gene), *numbers, *sites, score)[0]
        for gene in ("F1", "OTHER3")
    ]
    assert table["effect"][["F1", "OTHER3"]].tolist() == pytest.approx(others)


def test_what_two_genes_share_with_a_cell_type_is_gone_once_adjusted():
    draw = np.random.default_rng(4).normal
    cells = draw(0, 1, 300)
    genes = {name: cells + 0.5 * draw(0, 1, 300) for name in ("A", "B", *(f"M{i}" for i in range(20)))}
    sets = {"myeloid": [f"M{i}" for i in range(20)]}
    plain, _ = run(expression(genes, {}), sets=sets)
    given, _ = run(expression(genes, {}), sets=sets, adjust=["myeloid"])
    assert plain.effect > 0.7
    assert abs(given.effect) < 0.2
    assert given.ci_low < 0.1


def test_samples_without_a_covariate_are_left_out_and_counted():
    data = tissue()
    data.obs.loc[["S0", "S1"], "purity"] = [None, " "]
    data.obs.loc["S2", "site"] = None
    data.obs.loc["S3", "purity"] = "inf"
    found, table = run(data, adjust=["purity", "site"])
    kept, _ = run(data[4:].copy(), adjust=["purity", "site"])
    assert found.n == 56
    assert "Left out: 4 samples without a covariate." in found.note
    assert found.effect == pytest.approx(kept.effect)
    assert (found.ci_low, found.ci_high) == (kept.ci_low, kept.ci_high)
    assert set(table["n"]) == {56}


def test_one_sample_without_a_covariate_is_told_in_the_singular():
    data = tissue()
    data.obs.loc["S7", "purity"] = None
    assert "Left out: 1 sample without a covariate." in run(data, adjust=["purity"])[0].note


def test_constant_covariates_are_left_out_and_said():
    data = tissue(batch=["one"] * 60, dose=["3"] * 60)
    found, _ = run(data, adjust=["batch", "purity", "dose"])
    alone, _ = run(data, adjust=["purity"])
    assert found.effect == alone.effect
    assert found.se == alone.se
    assert "Left out, being the same in all samples: batch, dose." in found.note


def test_a_covariate_may_be_constant_only_where_the_others_are_known():
    data = tissue(batch=["one"] * 59 + ["two"])
    data.obs.loc["S59", "purity"] = None
    found, _ = run(data, adjust=["batch", "purity"])
    assert "the same in all samples: batch" in found.note
    assert found.se == pytest.approx(np.sqrt(1.06 / (59 - 1 - 3)))


@pytest.mark.parametrize(("name", "near"), [("puritty", "purity"), ("myelod", "myeloid"), ("zzz", None)])
def test_a_covariate_that_is_neither_column_nor_set_is_absent_data(name, near):
    with pytest.raises(AbsentData, match=f"{name}' is neither a sample column nor a gene set") as found:
        run(tissue(), adjust=[name])
    assert str(found.value).endswith(f"did you mean {near}?") == (near is not None)


def test_a_name_of_a_set_means_the_set_whatever_columns_there_are():
    data = tissue(myeloid=["1"] * 60)
    found, _ = run(data, adjust=["myeloid"])
    assert found.effect == run(tissue(), adjust=["myeloid"])[0].effect
    assert "the score of myeloid" in found.method


# Scores of gene sets


def test_a_set_counts_by_the_mean_of_its_scaled_members():
    data = tissue()
    found, table = run(data, "A", "myeloid")
    oracle = stats.spearmanr(values_of(data, "A"), score_of(data, "M1", "M2", "M3"))
    assert found.effect == pytest.approx(oracle.statistic)
    assert found.feature == "A and myeloid"
    assert found.q_value is None  # a score is none of the genes of the table
    assert "ranks" not in found.note
    assert len(table) == 36


def test_a_listed_set_may_be_an_end():
    data = tissue()
    found, _ = run(data, ["M1", "M2", "M1"], "B")
    oracle = stats.spearmanr(score_of(data, "M1", "M2"), values_of(data, "B"))
    assert found.effect == pytest.approx(oracle.statistic)
    assert found.feature == "M1, M2, M1 and B"


def test_members_of_the_first_set_do_not_stand_in_its_table():
    data = tissue()
    found, table = run(data, "myeloid", "B")
    assert not {"M1", "M2", "M3"} & set(table.index)
    assert "B ranks 2nd of 34 genes by rho with myeloid." in found.note  # after A


def test_half_of_a_set_must_be_measured():
    data = tissue()
    half, _ = run(data, "A", ["M1", "M2", "NO1", "NO2"])
    assert half.valid
    assert half.effect == run(data, "A", ["M1", "M2"])[0].effect
    less, table = run(data, "A", ["M1", "M2", "NO1", "NO2", "NO3"])
    assert (less.valid, less.effect, less.flags[-1]) == (False, None, "not_on_platform")
    assert "Only 2 of 5 members" in less.note
    assert len(table) == 36  # the first feature is there


def test_a_member_that_misses_values_is_not_measured():
    data = tissue()
    data.X[3, data.var_names.get_loc("M3")] = np.nan
    assert run(data, "A", "myeloid")[0].effect == run(data, "A", ["M1", "M2"])[0].effect


def test_a_silent_member_adds_nothing_and_is_told():
    data = tissue()
    data.X[:, data.var_names.get_loc("M3")] = 0
    found, _ = run(data, "A", "myeloid")
    assert found.effect == run(data, "A", ["M1", "M2"])[0].effect
    assert "1 of 3 measured members of myeloid are the same in all samples." in found.note


def test_a_silent_set_is_not_detected():
    data = tissue()
    data.X[:, data.var_names.get_indexer(["M1", "M2", "M3"])] = 0
    found, _ = run(data, "A", "myeloid")
    assert (found.valid, found.flags) == (False, ("tissue_mixture", "not_detected"))


def test_an_adjusting_set_that_is_not_measured_leaves_no_estimate():
    found, table = run(tissue(), adjust=["lost"], sets={"lost": ["NO1", "NO2", "M1"]})
    assert (found.valid, found.flags) == (False, ("not_on_platform",))
    assert "Only 1 of 3 members of lost are measured." in found.note
    assert table.empty


def test_an_unknown_set_is_absent_data():
    with pytest.raises(AbsentData, match="no gene set 'myeloid'; did you mean myeloids"):
        run(tissue(), "A", "myeloid", sets={"myeloids": ["M1"]})


# A gene is not compared with, or adjusted for, itself


def test_a_gene_is_taken_out_of_the_set_at_the_other_end():
    data = tissue()
    for ends in (("A", "with_a"), ("with_a", "A")):
        found, table = run(data, *ends)
        oracle = stats.spearmanr(values_of(data, "A"), score_of(data, "M1", "M2"))
        assert found.effect == pytest.approx(oracle.statistic)
        assert found.flags == ("tissue_mixture", "circular_members")
        assert "Removed from with_a (part of what is tested): A." in found.note
    assert "A" in table.index  # the partner of a set it is no part of any more


def test_a_gene_is_taken_out_of_the_sets_that_are_adjusted_for():
    data = tissue()
    found, _ = run(data, adjust=["both"], sets={"both": ["B", "M1", "A", "M2"]})
    rho, _ = partial(values_of(data, "A"), values_of(data, "B"), score_of(data, "M1", "M2"))
    assert found.effect == pytest.approx(rho)
    assert found.flags == ("circular_members",)
    assert "Removed from both (part of what is tested): B, A." in found.note


def test_members_of_an_end_are_taken_out_of_the_sets_that_are_adjusted_for():
    data = tissue()
    found, _ = run(data, "A", "myeloid", adjust=["stroma"])
    rho, _ = partial(values_of(data, "A"), score_of(data, "M1", "M2", "M3"), score_of(data, "F1", "F2"))
    assert found.effect == pytest.approx(rho)
    assert "Removed from stroma (part of what is tested): M3." in found.note


def test_what_two_sets_share_is_in_neither():
    data = tissue()
    found, _ = run(data, "myeloid", "stroma")
    oracle = stats.spearmanr(score_of(data, "M1", "M2"), score_of(data, "F1", "F2"))
    assert found.effect == pytest.approx(oracle.statistic)
    assert found.flags == ("tissue_mixture", "circular_members")
    assert "Removed from myeloid (part of what is tested): M3." in found.note
    assert "Removed from stroma (part of what is tested): M3." in found.note


@pytest.mark.parametrize(
    ("ends", "changes"),
    [
        (("A", ["A"]), {}),
        (("myeloid", ["M3", "M2", "M1"]), {}),
        (("A", "B"), {"adjust": ["pair"], "sets": {"pair": ["A", "B"]}}),
    ],
)
def test_a_set_of_which_nothing_is_left_gives_no_estimate(ends, changes):
    found, _ = run(tissue(), *ends, **changes)
    assert (found.valid, found.effect) == (False, None)
    assert found.flags == ("circular_members", "not_on_platform") or "tissue_mixture" in found.flags
    assert "is left." in found.note


def test_a_gene_is_not_compared_with_itself():
    found, _ = run(tissue(), "A", "A")
    assert (found.valid, found.effect) == (False, None)
    assert "not_estimable" in found.flags


# What cannot be estimated


def test_a_gene_that_is_not_on_the_platform_is_invalid():
    for ends in (("A", "NO1"), ("NO1", "A")):
        found, table = run(tissue(), *ends)
        assert (found.valid, found.effect, found.n) == (False, None, 60)
        assert found.flags == ("tissue_mixture", "not_on_platform")
        assert "NO1 is not among the 37 genes of this data set." in found.note
    assert table.empty
    assert list(table.reset_index().columns) == list(TABLE_COLUMNS)


@pytest.mark.parametrize("gene", ["A", "B"])
@pytest.mark.parametrize("value", [0.0, 4.2, np.nan])
def test_a_constant_gene_is_not_detected(gene, value):
    data = tissue()
    data.X[:, data.var_names.get_loc(gene)] = value
    found, table = run(data)
    assert (found.valid, found.effect) == (False, None)
    assert found.flags == ("tissue_mixture", "not_detected")
    assert found.note.startswith(f"{gene} has no ")
    assert len(table) == (0 if gene == "A" and np.isnan(value) else 36)


@pytest.mark.parametrize("samples", [0, 1, 2, 3, 4, 9])
@pytest.mark.parametrize("unit", ["log2_intensity", "log2_tpm", "counts"])
@pytest.mark.parametrize("changes", [{}, {"adjust": ["purity", "site", "others"]}])
def test_fewer_than_ten_samples_are_unclear(samples, unit, changes):
    data = tissue(20, unit)[:samples].copy()
    for ends in (("A", "B"), ("A", "myeloid")):
        found, table = run(data, *ends, sets={**SETS, "others": ["F1", "F2"]}, **changes)
        assert (found.valid, found.effect, found.p_value, found.n) == (True, None, None, samples)
        assert found.flags[-1] == "not_estimable"
        assert f"in {samples} samples; 10 are needed" in found.note
        assert table.empty


def test_ten_samples_are_estimated():
    found, table = run(tissue(MIN_SAMPLES))
    assert found.effect is not None
    assert "not_estimable" not in found.flags
    assert len(table) == 36


def test_only_samples_with_both_values_count():
    data = tissue()
    data.X[:5, data.var_names.get_loc("A")] = np.nan
    data.X[4:7, data.var_names.get_loc("B")] = np.nan
    found, table = run(data)
    oracle = stats.spearmanr(values_of(data, "A")[7:], values_of(data, "B")[7:])
    assert (found.n, found.effect) == (53, pytest.approx(oracle.statistic))
    assert "Left out: 7 samples without a value of A or B." in found.note
    assert (table["n"]["B"], table["n"]["F1"]) == (53, 55)
    data.X[9:, data.var_names.get_loc("B")] = np.nan
    few, _ = run(data)
    assert (few.valid, few.n, few.effect) == (True, 2, None)
    assert "Left out: 58 samples" in few.note


def test_infinite_values_count_as_missing():
    data = tissue()
    data.X[:2, data.var_names.get_loc("A")] = [-np.inf, np.inf]
    found, _ = run(data)
    assert found.n == 58
    assert np.isinf(data.X).sum() == 2  # the data are as they were


def test_covariates_that_leave_nothing_are_unclear():
    data = tissue(16, name=[f"P{i}" for i in range(16)])
    found, _ = run(data, adjust=["name"])
    assert (found.valid, found.effect) == (True, None)
    assert found.flags == ("tissue_mixture", "not_estimable")
    data = tissue()
    data.obs["own"] = [str(value) for value in values_of(data, "A")]
    found, _ = run(data, adjust=["own"])
    assert (found.valid, found.effect, found.flags[-1]) == (True, None, "not_estimable")
    assert "leave nothing of A or B" in found.note


def test_a_covariate_that_nobody_has_is_unclear():
    found, _ = run(tissue(ploidy=[""] * 60), adjust=["ploidy"])
    assert (found.valid, found.n, found.flags[-1]) == (True, 0, "not_estimable")
    assert "Left out: 60 samples without a covariate." in found.note


def test_the_same_gene_twice_on_a_platform_has_a_perfect_rho():
    data = tissue()
    data.X[:, data.var_names.get_loc("B")] = values_of(data, "A")
    found, _ = run(data)
    assert (found.effect, found.ci_low, found.ci_high, found.p_value) == (1, 1, 1, 0)
    assert found.statistic is None  # infinite


# Detection


@pytest.mark.parametrize("unit", ["log2_tpm", "log2_normalised_count", "log2_intensity"])
def test_genes_that_most_samples_lack_are_told(unit):
    data = tissue(60, unit)
    data.X[:31, data.var_names.get_loc("B")] = 0
    data.X[:30, data.var_names.get_loc("A")] = 1e-9  # what is left of nothing when a log is taken back
    found, _ = run(data)
    arrays = unit == "log2_intensity"
    assert ("B is detected in 29 of 60 samples." in found.note) != arrays
    assert "A is detected" not in found.note


# Tissue mixture


@pytest.mark.parametrize(
    ("ends", "changes", "flagged"),
    [
        (("A", "B"), {}, True),
        (("A", "B"), {"adjust": ["purity"]}, True),
        (("A", "B"), {"adjust": ["purity", "myeloid"]}, False),
        (("A", "B"), {"adjust": ["myeloid"]}, False),
        (("A", "B"), {"expected": "negative"}, False),
        (("A", "myeloid"), {}, True),
        (("A", "B"), {"pseudobulk": {"by": ["site"]}}, False),
        (("A", "NO1"), {}, True),
    ],
)
def test_genes_of_bulk_tissue_need_an_adjustment_for_cell_types(ends, changes, flagged):
    found, _ = run(tissue(), *ends, **changes)
    assert ("tissue_mixture" in found.flags) == flagged


# Samples and strata


def test_only_samples_of_the_test_are_compared_and_told():
    data, told = tissue(), []
    test = pair_test(samples={"site": ["x", "y"]}, adjust=["purity"])
    (found,), _ = coexpression(test, data, SETS, SEED, told.append)
    alone, _ = run(data[data.obs["site"] != "z"].copy(), adjust=["purity"])
    assert (found.n, found.effect, found.ci_low) == (40, alone.effect, alone.ci_low)
    assert told == ["all: A and B in 40 samples; partial Spearman correlation given purity"]


def test_a_filter_that_no_sample_meets_is_absent_data():
    with pytest.raises(AbsentData, match="no sample meets: site is w"):
        run(tissue(), samples={"site": "w"})


def cancers() -> list[str | None]:
    return ["KIRC"] * 20 + ["BRCA"] * 25 + ["LUAD"] * 9 + ["UVM"] * 1 + [None] * 3 + [" "] * 2


def test_each_stratum_has_an_estimate_of_its_own():
    data = tissue(cancer=cancers())
    found, table = coexpression(pair_test(strata="cancer", adjust=["purity", "myeloid"]), data, SETS, SEED)
    assert [(one.stratum, one.n) for one in found] == [("BRCA", 25), ("KIRC", 20)]
    for one in found:
        part = data[data.obs["cancer"] == one.stratum].copy()
        alone, own = run(part, adjust=["purity", "myeloid"])
        assert one.effect == alone.effect
        assert one.q_value == pytest.approx(alone.q_value)
        mine = table[table["stratum"] == one.stratum].set_index("feature")
        pd.testing.assert_series_equal(mine["effect"], own["effect"])
        assert "Fewer than 10 samples in LUAD (9), UVM (1)." in one.note
    assert len(table) == 72


def test_a_stratum_with_few_complete_samples_is_unclear_and_the_others_go_on():
    data = tissue(cancer=cancers())
    data.obs.loc[data.obs_names[:15], "purity"] = None
    found, table = coexpression(pair_test(strata="cancer", adjust=["purity"]), data, SETS, SEED)
    assert [(one.stratum, one.n, one.valid, one.effect is None) for one in found] == [
        ("BRCA", 25, True, False),
        ("KIRC", 5, True, True),
    ]
    assert set(table["stratum"]) == {"BRCA"}


def test_strata_draw_for_themselves():
    data = tissue(20)
    twice = expression(
        {gene: [*data[:, gene].X.ravel()] * 2 for gene in data.var_names}, {"part": ["a"] * 20 + ["b"] * 20}
    )
    (a, b), _ = coexpression(pair_test(strata="part"), twice, SETS, SEED)
    assert a.effect == b.effect
    assert (a.ci_low, a.ci_high) != (b.ci_low, b.ci_high)


def test_no_stratum_with_enough_samples_is_absent_data():
    with pytest.raises(AbsentData, match="no stratum of cancer has 10 samples"):
        run(tissue(cancer=[f"C{i % 10}" for i in range(60)]), strata="cancer")
    with pytest.raises(AbsentData, match="no column 'cancr'; did you mean cancer"):
        run(tissue(cancer=cancers()), strata="cancr")


def test_without_strata_there_is_one():
    strata, left_out = samples_by_stratum(pair_test(), tissue())
    assert list(strata) == ["all"]
    assert left_out == []


# The two ends, for calibration


@pytest.mark.parametrize("ends", [("A", "B"), ("myeloid", "B"), ("A", "with_a")])
@pytest.mark.parametrize("adjust", [[], ["purity", "site", "stroma"]])
def test_the_two_ends_give_the_estimate(ends, adjust):
    data = tissue(cancer=cancers())
    data.obs.loc["S22", "purity"] = None
    data.X[30, data.var_names.get_loc("B")] = np.nan
    test = pair_test(*ends, adjust=adjust, strata="cancer")
    found, _ = coexpression(test, data, SETS, SEED)
    parts, left_out = samples_by_stratum(test, data)
    assert left_out == ["LUAD (9)", "UVM (1)"]
    for one in found:
        pair = pair_values(test, parts[one.stratum], SETS)
        row = partial_spearman(pair.y[:, None], pair.x, pair.covariates).iloc[0]
        assert row["effect"] == pytest.approx(one.effect)
        assert row["se"] == pytest.approx(one.se)
        assert len(pair.samples) == len(pair.x) == len(pair.y) == one.n
        assert pair.covariates.shape == (one.n, 4 if adjust else 0)
        assert not np.isnan(np.column_stack([pair.x, pair.y, pair.covariates])).any()


def test_the_two_ends_are_those_of_the_samples_of_the_test():
    data = tissue()
    pair = pair_values(pair_test(samples={"site": "x"}, adjust=["purity", "site"]), data, SETS)
    assert pair.samples.tolist() == data.obs_names[data.obs["site"] == "x"].tolist()
    np.testing.assert_array_equal(pair.x, values_of(data, "A")[::3])
    np.testing.assert_array_equal(pair.covariates[:, 0], data.obs["purity"][::3].astype(float))
    assert pair.covariates.shape == (20, 1)  # site is the same in all


@pytest.mark.parametrize(("ends", "adjust"), [(("A", "NO1"), []), (("A", "B"), ["lost"])])
def test_ends_that_are_not_measured_have_no_values(ends, adjust):
    with pytest.raises(AbsentData, match=r"NO1 is not among|Only 0 of 1 members of lost"):
        pair_values(pair_test(*ends, adjust=adjust), tissue(), {**SETS, "lost": ["NO1"]})


# In a job: several data sets, some of which cannot be used


def test_the_job_writes_evidence_and_full_results(tmp_path, monkeypatch):
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)  # pytest keeps its own handlers
    data = {"a": tissue(), "b": tissue(seed=4)}
    del data["b"].obs["purity"]
    for name, one in data.items():
        one.obs = one.obs.astype(str)
        one.write_h5ad(tmp_path / f"{name}.h5ad")
    (tmp_path / "ledger.json").write_text(Ledger(status="present").model_dump_json())
    test = pair_test(datasets=["a", "b"], adjust=["purity", "myeloid"])
    plain = test.model_dump(mode="json", by_alias=True, exclude_none=True)
    job = SimpleNamespace(
        log=[str(tmp_path / "job.log")],
        wildcards=SimpleNamespace(run="public"),
        input=SimpleNamespace(
            ledgers=[tmp_path / "ledger.json"] * 2,
            data=[tmp_path / "a.h5ad", tmp_path / "b.h5ad"],
            rankings=[],
            libraries=[],
        ),
        params=SimpleNamespace(
            datasets=["a", "b"],
            rankings=[],
            libraries=[],
            store="",
            results=["together/a", "together/b"],
            slice={
                "study": "a_study",
                "file": "study.yaml",
                "datasets": {"a": geo_dataset(), "b": geo_dataset(series="GSE2")},
                "tests": [{"claim": "C1", "rule": "pooled", "expected": "positive", "test": plain}],
                "gene_sets": SETS,
                "seed": SEED,
            },
        ),
        output=SimpleNamespace(
            evidence=tmp_path / "evidence.tsv", results=[tmp_path / "a.parquet", tmp_path / "b.parquet"]
        ),
    )
    runpy.run_path(str(SCRIPT), {"snakemake": job})
    first, second = read_evidence(tmp_path / "evidence.tsv")
    expected, table = run(tissue(), adjust=["purity", "myeloid"])
    assert (first.effect, first.ci_low) == pytest.approx((expected.effect, expected.ci_low), rel=1e-5)
    assert (first.feature, first.flags, first.expected) == ("A and B", "", "positive")
    assert (second.outcome, second.flags) == ("invalid", "absent")
    assert "'purity' is neither a sample column nor a gene set" in second.note
    full = pd.read_parquet(tmp_path / "a.parquet")
    assert full["effect"].tolist() == pytest.approx(table["effect"].tolist())
    assert set(full["effect_name"]) == {"spearman_rho"}
    assert pd.read_parquet(tmp_path / "b.parquet").empty


# The interval over many data sets


@pytest.mark.parametrize(("given", "samples"), [(False, 50), (True, 50), (False, 15)])
def test_the_interval_covers_the_true_rho(given, samples):
    """Normal values, of which rho is 6 / pi * asin(r / 2); given a covariate by Yule's recursion."""
    between = 6 / np.pi * np.arcsin((2 / 3 if given else 1 / 2) / 2)
    shared = 6 / np.pi * np.arcsin(np.sqrt(1 / 3) / 2) if given else 0
    truth = (between - shared**2) / (1 - shared**2)
    covered = []
    for seed in range(120):
        draw = np.random.default_rng([seed, samples]).normal
        link, cells = draw(0, 1, samples), draw(0, 1, samples) * given
        genes = {name: cells + link + draw(0, 1, samples) for name in ("A", "B")}
        data = expression(genes, {"cells": [str(value) for value in cells]})
        found, _ = run(data, adjust=["cells"] if given else [], seed=seed)
        covered.append(found.ci_low <= truth <= found.ci_high)
    # 95 % less what a percentile bootstrap of few samples falls short, within three binomial errors.
    assert np.mean(covered) >= 0.86


def test_the_same_seed_gives_the_same_interval_and_the_table_has_none_of_chance():
    (one, first), (two, second), (other, third) = (run(tissue(), seed=seed) for seed in (1, 1, 2))
    assert one == two
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(first, third)
    assert (one.effect, one.p_value) == (other.effect, other.p_value)
    assert (one.ci_low, one.ci_high) != (other.ci_low, other.ci_high)


def test_the_data_are_left_as_they_were():
    for unit in ("log2_intensity", "counts"):
        data = tissue(unit=unit)
        before, columns = np.array(data.X), data.obs.copy()
        coexpression(pair_test(adjust=["purity", "myeloid"], strata="site"), data, SETS, SEED)
        np.testing.assert_array_equal(data.X, before)
        pd.testing.assert_frame_equal(data.obs, columns)
