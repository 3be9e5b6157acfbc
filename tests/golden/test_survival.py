"""Against R's survival: Cox models with horizons, late starts, covariates and competing events, and incidences.

The tables, and the versions of R and its package in their first lines, come from make_survival.R. They hold 10
digits. Follow-up is in whole months, so that many events tie; two patients have a time of 0.
"""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from reclaim.analyses.survival import survival
from reclaim.claim_tests import Survival
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.follow_up import follow_up
from reclaim.proportionality import proportionality

HERE = Path(__file__).parent
COLUMNS = ["effect", "se", "ci_low", "ci_high", "statistic", "p_value"]
DISEASE, OTHER = "Died of Disease", "Died of Other Causes"
GROUPS = {"case": {"group": "A"}, "control": {"group": "B"}}

MODELS = {
    "group": {},
    "group_to_4": {"horizon_years": 4},
    "group_from_4": {"from_years": 4},
    "group_from_2_to_6": {"from_years": 2, "horizon_years": 6},
    "group_covariates": {"covariates": ["age", "stage"]},
    "group_disease": {},
    "gene": {"feature": {"gene": "gene1"}},
    "gene_covariates_to_6": {
        "feature": {"gene": "gene1"},
        "covariates": ["age", "stage"],
        "horizon_years": 6,
    },
    "gene_disease_from_1": {"feature": {"gene": "gene2"}, "covariates": ["age"], "from_years": 1},
}


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(
        HERE / f"survival_{name}.tsv", sep="\t", comment="#", dtype={"months": str, "age": str}
    )


PATIENTS = golden("patients").set_index("sample")
FITS = golden("coxph").set_index("model")
INCIDENCE = golden("incidence").astype({"months": float})


def model(name: str) -> Survival:
    cause = (
        {"event_values": [DISEASE], "competing_values": [OTHER]}
        if "disease" in name
        else {"event_values": [DISEASE, OTHER]}
    )
    values = {
        "id": name,
        "role": "primary",
        "analysis": "survival",
        "datasets": ["a"],
        "endpoint": {"time": "months", "time_unit": "months", "event": "status", **cause},
        "expected": "positive",
    }
    return Survival.model_validate(
        values | ({} if "feature" in MODELS[name] else {"contrast": GROUPS}) | MODELS[name]
    )


def data() -> ad.AnnData:
    genes = ["gene1", "gene2"]
    return ad.AnnData(
        PATIENTS[genes].to_numpy(float),
        obs=PATIENTS.drop(columns=genes),
        var=pd.DataFrame(index=genes),
        uns={"unit": "log2_intensity"},
    )


@pytest.mark.parametrize("name", list(MODELS))
def test_hazard_ratios_are_those_of_coxph(name):
    (found,), table = survival(model(name), data(), [])
    expected = FITS.loc[name]
    assert (found.n, found.n_events) == (expected["n"], expected["n_events"])
    row = table.set_index("feature").loc[found.feature]
    np.testing.assert_allclose(row[COLUMNS].astype(float), expected[COLUMNS].astype(float), rtol=1e-6)
    assert found.effect == pytest.approx(expected["effect"], rel=1e-6)
    assert found.p_value == pytest.approx(
        expected["p_value"] / 2 if expected["effect"] > 0 else 1 - expected["p_value"] / 2, rel=1e-6
    )


@pytest.mark.parametrize("name", list(MODELS))
def test_proportional_hazards_are_tested_as_with_the_scaled_schoenfeld_residuals_of_r(name):
    test, expected = model(name), FITS.loc[name]
    table = follow_up(test.endpoint, PATIENTS, test.horizon_years, test.from_years).table
    who = PATIENTS.loc[table.index]
    covariates = pd.DataFrame(index=who.index)
    if "age" in test.covariates:
        covariates["age"] = who["age"].astype(float)
    if "stage" in test.covariates:
        covariates["II"], covariates["III"] = who["stage"] == "II", who["stage"] == "III"
    value = who[test.feature.gene] if test.feature else who["group"] == "A"
    p_value = proportionality(value.to_numpy(float), table, covariates)
    assert p_value == pytest.approx(expected["p_scaled_residuals"], rel=1e-6)
    # Since survival 3.0 cox.zph makes a score test, of which this is the approximation.
    assert abs(np.log(p_value / expected["p_zph"])) < 1
    (found,), _ = survival(test, data(), [])
    assert ("not_proportional" in found.flags) == (expected["p_zph"] < 0.01)
    assert f"Proportional hazards: p = {p_value:.2g}" in found.note


@pytest.mark.parametrize("name", ["A", "B", "late_entry"])
def test_cumulative_incidences_are_those_of_survfit(name):
    part = PATIENTS if name == "late_entry" else PATIENTS[PATIENTS["group"] == name]
    months = part["months"].astype(float)
    if name == "late_entry":
        part, months = part[months > 0], months[months > 0]
    found = cumulative_incidence(
        months,
        part["status"] == DISEASE,
        part["status"] == OTHER,
        part["entry"] if name == "late_entry" else None,
    )
    expected = INCIDENCE[INCIDENCE["set"] == name]
    assert found.times.tolist() == expected["months"].tolist()
    assert found.at_risk.tolist() == expected["at_risk"].tolist()
    for column, values in {"free": found.free, "disease": found.event, "other": found.competing}.items():
        np.testing.assert_allclose(values, expected[column], rtol=1e-8, atol=1e-10, err_msg=column)


def test_the_tables_hold_what_they_are_for():
    assert PATIENTS["months"].duplicated().sum() > 50  # ties
    assert set(PATIENTS.loc[PATIENTS["months"] == "0", "status"]) >= {DISEASE, "Living"}
    assert FITS.loc["group_to_4", "effect"] > 0 > FITS.loc["group_from_4", "effect"]  # hazards cross
    assert (FITS["p_zph"] < 0.01).any()
    assert (FITS["p_zph"] > 0.01).any()
    assert (PATIENTS["entry"] > 0).sum() > 50
