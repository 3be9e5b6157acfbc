"""Against R's limma: eBayes with and without trend and robust, on designs of many kinds.

The tables, and the versions of R and its packages in their first lines, come from make_limma.R. They
hold 9 digits.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reclaim.moderated_t import moderated_t

HERE = Path(__file__).parent
COLUMNS = ["effect", "se", "df_total", "statistic", "p_value", "prior_df", "prior_variance"]


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(HERE / f"limma_{name}.tsv", sep="\t", comment="#")


VALUES, DESIGNS, RESULTS = golden("values"), golden("designs"), golden("results")


@pytest.mark.parametrize(
    ("name", "trend", "robust"),
    list(RESULTS.groupby(["set", "trend", "robust"], sort=False).groups),
    ids=lambda value: str(value),
)
def test_moderated_t_is_ebayes(name, trend, robust):
    values = VALUES[VALUES["set"] == name].filter(regex=r"^s\d+$").to_numpy(float).T
    rows = DESIGNS[DESIGNS["set"] == name].set_index("row").drop(columns="set").dropna(axis=1)
    design, contrast = rows.drop("contrast").to_numpy(float), rows.loc["contrast"].to_numpy(float)
    expected = RESULTS[(RESULTS["set"] == name) & (RESULTS["trend"] == trend) & (RESULTS["robust"] == robust)]
    found = moderated_t(values, design, contrast, trend=trend, robust=robust)
    assert len(found) == len(expected)
    for column in COLUMNS:
        # Effects of 0 differ by rounding. On 218 features the running lines of a robust trend differ by 2e-6.
        np.testing.assert_allclose(
            found[column],
            expected[column],
            rtol=1e-5 if trend and robust else 1e-7,
            atol=1e-12,
            err_msg=column,
        )


def test_the_sets_hold_what_they_are_for():
    tried = RESULTS.groupby("set")
    assert np.isinf(tried.get_group("same_variance")["prior_df"]).any()
    assert tried.get_group("outliers").query("robust")["prior_df"].nunique() > 2
    missing = tried.get_group("missing").query("not trend and not robust").set_index("feature")
    assert np.isnan(missing["p_value"][1])  # no case sample
    assert missing["df_total"][3] == pytest.approx(missing["prior_df"][3])  # no residual degrees of freedom
