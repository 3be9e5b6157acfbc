"""Against R: exact tests, Firth's regression, Holm and a random-effects posterior.

The tables, and the versions of R and its packages in their first lines, come from make_golden.R.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reclaim.odds_ratios import firth_logistic, fisher_pair
from reclaim.pooling import pool_effects
from reclaim.proportions import clopper_pearson, exact_p_above, exact_p_below
from reclaim.verdict import _holm

HERE = Path(__file__).parent


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(HERE / f"{name}.tsv", sep="\t", comment="#")


@pytest.mark.parametrize("table", sorted(HERE.glob("*.tsv")), ids=lambda path: path.stem)
def test_every_table_names_the_r_version_that_made_it(table):
    assert re.match(r"# made by make_\w+\.R with R version ", table.read_text())


def test_exact_intervals_are_those_of_binom_test():
    table = golden("binomial")
    low, high = clopper_pearson(table["k"].to_numpy(), table["n"].to_numpy())
    np.testing.assert_allclose(low, table["ci_low"], atol=1e-10)
    np.testing.assert_allclose(high, table["ci_high"], atol=1e-10)


def test_one_sided_exact_p_values_are_those_of_binom_test():
    table = golden("binomial")
    k, n = table["k"].to_numpy(), table["n"].to_numpy()
    np.testing.assert_allclose(exact_p_below(k, n, 0.05), table["p_below_5_percent"], rtol=1e-8)
    np.testing.assert_allclose(exact_p_above(k, n, 0.85), table["p_above_85_percent"], rtol=1e-8)


@pytest.mark.parametrize(
    "row", list(golden("fisher").itertuples()), ids=lambda row: "-".join(map(str, row[1:5]))
)
def test_fisher_pair_is_fisher_test(row):
    cells = [row.neither, row.only_first, row.only_second, row.both]
    first = np.repeat([False, True, False, True], cells)
    second = np.repeat([False, False, True, True], cells)
    found = fisher_pair(first, second)
    assert [found.neither, found.only_first, found.only_second, found.both] == cells
    assert found.p_value == pytest.approx(row.p_value, rel=1e-7)
    if first.any() and second.any():  # else the odds ratio is not defined, and R reports 0
        # R's search is coarse: for 1-1-1-1 the exact lower end is sqrt(4 + 1/39) - 2 = 0.00640, R says 0.00641.
        assert found.odds_ratio == pytest.approx(row.odds_ratio, rel=3e-3)
        assert found.ci_low == pytest.approx(row.ci_low, rel=3e-3)
        assert found.ci_high == pytest.approx(row.ci_high, rel=3e-3)


@pytest.mark.parametrize("name", ["ordinary", "separated", "rare"])
def test_firth_regression_is_brglm2_and_the_maximum_of_the_penalised_likelihood(name):
    patients = golden("firth_patients").query("set == @name")
    expected = golden("firth_coefficients").query("set == @name")
    burden = np.log10(patients["other_mutations"].to_numpy(float) + 1)
    design = np.column_stack([np.ones(len(patients)), patients["first"].to_numpy(float), burden])
    beta, se = firth_logistic(design, patients["second"].to_numpy(float))
    np.testing.assert_allclose(beta, expected["brglm2"], rtol=1e-5)
    np.testing.assert_allclose(se, expected["brglm2_se"], rtol=1e-5)
    np.testing.assert_allclose(beta, expected["maximised"], rtol=1e-4)


def test_the_separated_patients_really_are_separated():
    patients = golden("firth_patients").query("set == 'separated'")
    assert patients["first"].any()
    assert not (patients["first"] & patients["second"]).any()


@pytest.mark.parametrize("family", golden("holm")["family"].unique())
def test_holm_is_p_adjust(family):
    table = golden("holm").query("family == @family")
    adjusted = _holm({str(i): p for i, p in enumerate(table["p"])})
    np.testing.assert_allclose(list(adjusted.values()), table["adjusted"], rtol=1e-12)


@pytest.mark.parametrize("row", list(golden("random_effects").itertuples()), ids=lambda row: row.set)
def test_pooled_effect_is_the_posterior_that_r_integrates(row):
    cohorts = golden("random_effects_cohorts").query("set == @row.set")
    found = pool_effects(cohorts[["effect"]].to_numpy(), cohorts[["se"]].to_numpy(), row.scale)
    close = 0.005 * row.sd
    assert found.effect[0] == pytest.approx(row.mean, abs=close)
    assert found.se[0] == pytest.approx(row.sd, rel=0.005)
    assert found.ci_low[0] == pytest.approx(row.ci_low, abs=2 * close)
    assert found.ci_high[0] == pytest.approx(row.ci_high, abs=2 * close)
    assert found.p_positive[0] == pytest.approx(row.below_zero, rel=0.02)
    assert found.p_negative[0] == pytest.approx(1 - row.below_zero, abs=1e-3)
    assert found.tau[0] == pytest.approx(row.tau, rel=0.005)
