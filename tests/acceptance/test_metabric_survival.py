"""METABRIC's real clinical table: survival of triple-negative breast cancer, and how late breast cancer kills.

The expected numbers are those of R 4.2.2 with survival 3.5-3 on the same rows of the table:

    t <- read.delim("brca_metabric_clinical_data.tsv", check.names = FALSE, quote = "", na.strings = "NA")
    t$months <- t[["Overall Survival (Months)"]]
    t$years <- t$months / 12
    t$er <- t[["ER Status"]]
"""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from realfile import real_file

from reclaim.analyses.event_share import event_share, late_share
from reclaim.analyses.survival import survival
from reclaim.analyses.survival_curves import curves
from reclaim.claim_tests import EventShare, Survival
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint
from reclaim.follow_up import follow_up

RECEPTORS = ["ER Status", "PR Status", "HER2 Status"]
MONTHS = {"time": "Overall Survival (Months)", "time_unit": "months"}
OVERALL = MONTHS | {
    "event": "Overall Survival Status",
    "event_values": ["1:DECEASED"],
    "censored_values": ["0:LIVING"],
}
OF_DISEASE = MONTHS | {
    "event": "Patient's Vital Status",
    "event_values": ["Died of Disease"],
    "competing_values": ["Died of Other Causes"],
    "censored_values": ["Living"],
}


@pytest.fixture(scope="module")
def metabric(realdata: Path) -> ad.AnnData:
    path = real_file(realdata / "metabric" / "brca_metabric_clinical_data.tsv.gz")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3).set_index("Patient ID")
    known = (table[RECEPTORS] != "NA").all(axis=1)
    triple_negative = (table[RECEPTORS] == "Negative").all(axis=1)
    table["TNBC"] = np.select([known & triple_negative, known], ["yes", "no"], "")
    return ad.AnnData(obs=table, uns={"unit": "none"})


def tnbc(**keys: object) -> Survival:
    return Survival.model_validate(
        {
            "id": "tnbc",
            "role": "primary",
            "analysis": "survival",
            "datasets": ["metabric"],
            "endpoint": OVERALL,
            "contrast": {"case": {"TNBC": "yes"}, "control": {"TNBC": "no"}},
            "expected": "positive",
            **keys,
        }
    )


def test_who_is_followed(metabric: ad.AnnData) -> None:
    found = follow_up(Endpoint.model_validate(OVERALL), metabric.obs)
    who = metabric.obs.loc[found.table.index]
    assert len(metabric) == 2509
    assert found.left_out == {"no_time": 528}
    known = who[who["TNBC"] != ""]
    assert (len(known), (known["TNBC"] == "yes").sum()) == (1980, 320)
    # One of them, triple negative, has a time of 0 and no part in any hazard.
    seen = known[known["Overall Survival (Months)"].astype(float) > 0]
    assert (len(seen), (seen["TNBC"] == "yes").sum()) == (1979, 319)


@pytest.mark.parametrize(
    ("window", "n", "events", "effect", "se", "zph"),
    [
        # t$tnbc <- as.numeric(er == "Negative" & pr == "Negative" & her2 == "Negative"), all three known
        # s <- survSplit(Surv(years, dead) ~ ., t, cut = 5, episode = "part", zero = -1)
        # coxph(Surv(years, dead) ~ tnbc, s, subset = part == 1); cox.zph(.)
        ({"horizon_years": 5}, 1980, 427, 0.665321219, 0.112421661, 7.903e-05),
        # coxph(Surv(years, dead) ~ tnbc, s, subset = part == 2)
        ({"from_years": 5}, 1489, 716, -0.559759450, 0.132005618, 0.1283),
        # coxph(Surv(years, dead) ~ tnbc, t)
        ({}, 1980, 1143, 0.023339010, 0.083595358, 8.435e-14),
    ],
)
def test_triple_negative_breast_cancer_kills_early(
    metabric: ad.AnnData, window: dict[str, float], n: int, events: int, effect: float, se: float, zph: float
) -> None:
    (found,), _ = survival(tnbc(**window), metabric, [])
    assert (found.n, found.n_events) == (n, events)
    assert found.effect == pytest.approx(effect, abs=1e-7)
    assert found.se == pytest.approx(se, abs=1e-7)
    assert found.ci_low == pytest.approx(effect - 1.959964 * se, abs=1e-6)
    assert ("not_proportional" in found.flags) == (zph < 0.01)


def test_hazards_cross_at_five_years(metabric: ad.AnnData) -> None:
    (early,), _ = survival(tnbc(horizon_years=5), metabric, [])
    (late,), _ = survival(tnbc(from_years=5), metabric, [])
    assert early.effect is not None
    assert late.effect is not None
    assert np.exp(early.effect) == pytest.approx(1.95, abs=0.01)
    assert np.exp(late.effect) == pytest.approx(0.57, abs=0.005)
    assert early.groups == {"case": 320, "control": 1660, "case_events": 105, "control_events": 322}
    assert late.groups == {"case": 204, "control": 1285, "case_events": 63, "control_events": 653}


def test_with_age_and_grade_in_the_model(metabric: ad.AnnData) -> None:
    # coxph(Surv(years, dead) ~ age + factor(grade) + tnbc, s, subset = part == 1)
    data = metabric.copy()
    grade = data.obs["Neoplasm Histologic Grade"]
    data.obs["grade"] = np.where(grade == "NA", "", "G" + grade)
    (found,), _ = survival(tnbc(horizon_years=5, covariates=["Age at Diagnosis", "grade"]), data, [])
    assert (found.n, found.n_events) == (1892, 415)
    assert found.effect == pytest.approx(0.462108636, abs=1e-7)
    assert found.se == pytest.approx(0.120323805, abs=1e-7)
    assert "Left out for want of a covariate: 88 samples." in found.note


def test_the_curves_cross(metabric: ad.AnnData) -> None:
    case, control = curves(tnbc(), metabric, [])
    assert (case["n"], control["n"]) == (320, 1660)

    def alive(curve: dict[str, list[float]], years: float) -> float:
        return curve["share"][np.searchsorted(curve["times"], years, side="right") - 1]

    assert alive(case, 5) < alive(control, 5)
    assert alive(case, 20) > alive(control, 20)


# D7: deaths of breast cancer


def deaths(metabric: ad.AnnData, after_years: float, er: str | None = None) -> tuple[int, int]:
    test = EventShare.model_validate(
        {
            "id": "late",
            "role": "primary",
            "analysis": "event_share",
            "datasets": ["metabric"],
            "endpoint": OF_DISEASE,
            "after_years": after_years,
            "samples": {"ER Status": er} if er else {},
        }
    )
    (found,), _ = event_share(test, metabric)
    assert found.n is not None
    assert found.n_events is not None
    return found.n, found.n_events


@pytest.mark.parametrize(
    ("er", "after_years", "n", "late"),
    [
        # with(v[v$status == "Died of Disease", ], table(er, months > 60)), and > 120
        (None, 5, 646, 309),
        (None, 10, 646, 131),
        ("Positive", 5, 452, 272),
        ("Positive", 10, 452, 117),
        ("Negative", 5, 194, 37),
        ("Negative", 10, 194, 14),
    ],
)
def test_late_deaths_are_counted(
    metabric: ad.AnnData, er: str | None, after_years: float, n: int, late: int
) -> None:
    assert deaths(metabric, after_years, er) == (n, late)


def test_half_of_the_deaths_come_after_five_years_and_a_fifth_after_ten(metabric: ad.AnnData) -> None:
    shares = [late / n for n, late in (deaths(metabric, years) for years in (5, 10))]
    assert shares == pytest.approx([0.48, 0.20], abs=0.005)


@pytest.mark.parametrize(
    ("er", "of_disease", "of_other_causes"),
    [
        # v$status <- factor(v[["Patient's Vital Status"]], c("Living", "Died of Disease", "Died of Other Causes"))
        # f <- survfit(Surv(start, months, status) ~ er, v, id = id)   (start = -1, one row per patient)
        # summary(f, times = c(60, 120, 240))$pstate
        (
            "Negative",
            (0.339085225334, 0.392581486356, 0.447362090711),
            (0.0323529585614, 0.0925108710714, 0.1661989507451),
        ),
        (
            "Positive",
            (0.121791257202, 0.235816667410, 0.347636380433),
            (0.0507536486696, 0.1471511338056, 0.3796230832969),
        ),
    ],
)
def test_cumulative_incidences_are_those_of_survfit(
    metabric: ad.AnnData, er: str, of_disease: tuple[float, ...], of_other_causes: tuple[float, ...]
) -> None:
    table = follow_up(Endpoint.model_validate(OF_DISEASE), metabric.obs).table
    part = table[metabric.obs.loc[table.index, "ER Status"] == er]
    found = cumulative_incidence(part["time"], part["event"], part["competing"])
    other = cumulative_incidence(part["time"], part["competing"], part["event"])
    assert [found.at(years) for years in (5, 10, 20)] == pytest.approx(of_disease, abs=1e-10)
    assert [other.at(years) for years in (5, 10, 20)] == pytest.approx(of_other_causes, abs=1e-10)


def test_of_all_who_will_die_of_it_more_than_half_do_so_late(metabric: ad.AnnData) -> None:
    # survfit(Surv(start, months, status) ~ 1, v, id = id) at 60 months and at the end, 355.2
    table = follow_up(Endpoint.model_validate(OF_DISEASE), metabric.obs).table
    early, total, late = late_share(table, 5)
    assert (early, total) == pytest.approx((0.173530554490, 0.449291668004), abs=1e-10)
    assert late == pytest.approx(1 - 0.173530554490 / 0.449291668004)


def test_median_follow_up_is_that_of_the_reverse_curve(metabric: ad.AnnData) -> None:
    # survfit(Surv(months, status == "Living") ~ 1, v): median 195.53333 months
    found = follow_up(Endpoint.model_validate(OF_DISEASE), metabric.obs)
    assert found.left_out == {"no_time": 528, "no_status": 1}
    assert 12 * found.median_years == pytest.approx(195.53333, abs=1e-5)
