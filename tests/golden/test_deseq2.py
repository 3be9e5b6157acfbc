"""Against R DESeq2 on counts that this project simulates: seven designs, from four pairs to unequal groups.

The tables come from make_deseq2.R: counts and sample descriptions, R's results for every gene, what R fitted
over all genes (trend and prior of the dispersions, filter threshold, scale of the shrinkage prior).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reclaim.count_model import fit_counts
from reclaim.dispersion import dispersion_prior, dispersion_trend

HERE = Path(__file__).parent
DESIGNS = ["batches", "pairs", "replicates", "unequal", "three_groups", "interaction", "covariate"]


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(HERE / f"deseq2_{name}.tsv", sep="\t", comment="#")


def counts_of(design: str) -> pd.DataFrame:
    rows = golden("counts").query("set == @design").set_index("gene")["counts"]
    counts = pd.DataFrame([list(map(int, row.split())) for row in rows], index=rows.index).T
    return counts.set_axis(samples_of(design).index)


def samples_of(design: str) -> pd.DataFrame:
    rows = golden("samples").query("set == @design").set_index("sample")["description"]
    described = pd.DataFrame(
        [dict(item.split("=") for item in row.split()) for row in rows], index=rows.index
    )
    return described.assign(purity=described["purity"].astype(float)) if "purity" in described else described


def r_fit_of(design: str) -> pd.Series:
    return golden("fits").set_index("set").loc[design]


@pytest.fixture(scope="module", params=DESIGNS)
def both(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Our table, R's table, and what R fitted over all genes."""
    fit = r_fit_of(request.param)
    contrast = fit["contrast"].split(",")
    ours = fit_counts(
        counts_of(request.param),
        samples_of(request.param),
        fit["formula"],
        contrast if contrast[0] == "group" else np.array(contrast, float),
        shrink=np.isfinite(fit["shrinkage_scale"]),
    )
    return ours, golden("results").query("set == @request.param").set_index("gene"), fit


@pytest.mark.parametrize("name", ["counts", "samples", "fits", "results", "trend"])
def test_every_table_names_the_versions_that_made_it(name):
    first = (HERE / f"deseq2_{name}.tsv").read_text().splitlines()[0]
    assert first.startswith("# made by make_deseq2.R with R version ")
    assert "DESeq2 1.38" in first


def test_every_gene_is_kept_in_order(both):
    ours, r, _ = both
    assert list(ours.index) == list(r.index)


@pytest.mark.parametrize("column", ["base_mean", "log2_fold_change", "se", "p_value", "dispersion"])
def test_numbers_are_those_of_r(both, column):
    """To the eight digits of R's tables and what least squares leave at a deviance settled to 1e-8."""
    ours, r, fit = both
    sharp = r["by_optim"] == 0
    # R gets c against b from two coefficients that its ridge pulls to 0; ours is a coefficient itself.
    tolerance = 1e-4 if fit.name == "three_groups" else 3e-6
    np.testing.assert_allclose(ours[column][sharp], r[column][sharp], rtol=tolerance, atol=tolerance / 10)


def test_fold_changes_that_r_searches_by_optim_are_near(both):
    """Genes whose weighted least squares run away. R's optim, without a gradient, stops on the flat."""
    ours, r, _ = both
    by_optim = r["by_optim"] == 1
    effect, expected = ours["log2_fold_change"][by_optim], r["log2_fold_change"][by_optim]
    near = (effect - expected).abs() <= 0.2 * r["se"][by_optim]
    both_huge = (effect * expected > 0) & (effect.abs() > 8) & (expected.abs() > 8)
    assert (near | both_huge).all()


def test_q_values_are_those_of_r(both):
    ours, r, _ = both
    np.testing.assert_allclose(ours["q_value"], r["q_value"], rtol=2e-4, atol=1e-7)
    assert list(ours["q_value"] < 0.1) == list(r["q_value"] < 0.1)


def test_counts_were_replaced_where_r_replaces_them(both):
    ours, r, _ = both
    assert list(ours["counts_replaced"]) == list(r["replaced"] == 1)


def test_a_withheld_p_value_is_explained_by_a_flag(both):
    ours, r, _ = both
    assert list(ours["all_zero"] | ours["cooks_outlier"]) == list(r["p_value"].isna())


def test_what_the_fit_chose_over_all_genes_is_what_r_chose(both):
    ours, _, fit = both
    settings = ours.attrs["settings"]
    assert settings["dispersion_trend"] == "parametric"
    for name in ("asymptotic_dispersion", "extra_poisson", "prior_variance", "least_base_mean"):
        assert settings[name] == pytest.approx(fit[name], rel=1e-6), name


@pytest.mark.parametrize("design", ["batches", "pairs", "replicates"])
def test_shrunken_fold_changes_are_the_mode_of_apeglms_posterior(design):
    fit, r = r_fit_of(design), golden("results").query("set == @design").set_index("gene")
    ours = fit_counts(counts_of(design), samples_of(design), fit["formula"], ["group", "b", "a"], shrink=True)
    assert ours.attrs["settings"]["shrinkage_scale"] == pytest.approx(fit["shrinkage_scale"], rel=1e-5)
    np.testing.assert_allclose(ours["shrunken_log2_fold_change"], r["shrunken"], rtol=1e-4, atol=1e-5)


def test_trend_and_prior_by_themselves():
    """Four pairs leave three residual degrees of freedom, so the prior is matched by simulation."""
    genes, fit = golden("trend"), r_fit_of("pairs")
    trend = dispersion_trend(genes["mean"].to_numpy(), genes["dispersion"].to_numpy())
    assert trend.kind == "parametric"
    assert trend.asymptotic == pytest.approx(fit["asymptotic_dispersion"], rel=1e-6)
    assert trend.extra_poisson == pytest.approx(fit["extra_poisson"], rel=1e-6)
    prior = dispersion_prior(genes["dispersion"].to_numpy(), trend.at(genes["mean"].to_numpy()), 3)
    assert prior.variance == pytest.approx(fit["prior_variance"], rel=1e-7)
    assert prior.spread**2 == pytest.approx(fit["squared_spread"], rel=1e-6)


def test_the_tables_hold_every_special_case():
    r = golden("results")
    tested = r["p_value"].notna()
    seen = {
        "all zero": r["log2_fold_change"].isna(),
        "Cook's outlier": r["log2_fold_change"].notna() & ~tested,
        "replaced and tested": (r["replaced"] == 1) & tested & (r["base_mean"] > 0),
        "silent after replacement": (r["replaced"] == 1) & (r["base_mean"] == 0),
        "silent where the contrast looks": (r["p_value"] == 1) & (r["base_mean"] > 0),
        "filtered": tested & r["q_value"].isna(),
        "discovery": r["q_value"] < 0.1,
    }
    assert {name: int(rows.sum()) for name, rows in seen.items() if rows.sum() < 3} == {}
