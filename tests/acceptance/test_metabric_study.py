"""METABRIC's real clinical table through the whole workflow, as a user runs a study on local files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import own_study, snakemake

STUDY = """\
id: metabric
title: Triple-negative breast cancer, early and late
source: {{kind: other, document: METABRIC, date: 2012-04-18}}
datasets:
  metabric:
    source: file
    format: clinical_table
    path: {table}
    sample_column: Sample ID
    patient_column: Patient ID
    derive:
      er: {{from: ER Status}}
      pr: {{from: PR Status}}
      her2: {{from: HER2 Status}}
    samples: {{er: [Positive, Negative], pr: [Positive, Negative], her2: [Positive, Negative]}}
    endpoints:
      overall_survival:
        time: Overall Survival (Months)
        time_unit: months
        event: Overall Survival Status
        event_values: ["1:DECEASED"]
        censored_values: ["0:LIVING"]
    tier: {{disease: same, system: same, perturbation: same, readout: same, time: same}}
    independent: true
claims:
  - id: C1
    statement: Triple-negative tumours kill early.
    where: page 1
    gap: none
    tests:
      - id: early
        role: primary
        analysis: survival
        datasets: [metabric]
        endpoint: overall_survival
        contrast:
          case: {{er: Negative, pr: Negative, her2: Negative}}
          control: {{any_of: [{{er: Positive}}, {{pr: Positive}}, {{her2: Positive}}]}}
        horizon_years: 5
        expected: positive
      - id: late
        role: sensitivity
        analysis: survival
        datasets: [metabric]
        endpoint: overall_survival
        contrast:
          case: {{er: Negative, pr: Negative, her2: Negative}}
          control: {{any_of: [{{er: Positive}}, {{pr: Positive}}, {{her2: Positive}}]}}
        from_years: 5
        expected: positive
    decision: {{rule: pooled}}
  - id: C2
    statement: Nearly all deaths from breast cancer come after five years.
    where: page 1
    gap: none
    tests:
      - id: late_deaths
        role: primary
        analysis: event_share
        datasets: [metabric]
        endpoint:
          time: Overall Survival (Months)
          time_unit: months
          event: Patient's Vital Status
          event_values: [Died of Disease]
          competing_values: [Died of Other Causes]
          censored_values: [Living]
        after_years: 5
    decision: {{rule: bound, bound: nearly_all}}
"""


@pytest.fixture(scope="module")
def results(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metabric")
    table = realdata / "metabric" / "brca_metabric_clinical_data.tsv.gz"
    study = folder / "metabric.yaml"
    study.write_text(STUDY.format(table=table))
    done = snakemake(folder / "work", *own_study(study))
    assert done.returncode == 0, done.stdout
    return folder / "work" / "results" / "own"


def row(results: Path, test: str) -> pd.Series:
    table = pd.read_csv(results / "evidence.tsv", sep="\t").set_index("test")
    return table.loc[test]


def test_the_hazard_ratios_are_those_of_r(results: Path) -> None:
    """survival::coxph of R 4.2.2 on the same rows; test_metabric_survival.py has the call."""
    early, late = row(results, "early"), row(results, "late")
    assert early["n"] == 1980
    assert '"case": 320' in early["groups"]
    assert early["effect"] == pytest.approx(0.665321, abs=1e-4)
    assert np.exp(early["effect"]) == pytest.approx(1.95, abs=0.01)
    assert late["effect"] == pytest.approx(-0.559759, abs=1e-4)
    assert np.exp(late["effect"]) == pytest.approx(0.57, abs=0.01)


def test_late_deaths_are_counted_among_all_deaths_from_the_disease(results: Path) -> None:
    late = row(results, "late_deaths")
    assert (late["n_events"], late["n"]) == (309, 646)
    assert late["effect"] == pytest.approx(0.478, abs=0.001)


def test_a_single_cohort_is_consistent_whatever_its_size(results: Path) -> None:
    claims = pd.read_csv(results / "claims.tsv", sep="\t").set_index("claim")
    assert claims.loc["C1", "verdict"] == "consistent"
    assert "a single cohort" in claims.loc["C1", "reason"]
    assert claims.loc["C1", "null_rate"] < 0.02
    assert np.isnan(claims.loc["C1", "background_rate"])
    assert claims.loc["C2", "verdict"] == "not_supported"  # opposite to nearly all, in one cohort
    assert set(claims["data"]) == {"local"}
    page = (results / "report.html").read_text()
    assert "SIMULATED" not in page


R_CODE = """
suppressPackageStartupMessages(library(survival))
t <- read.delim(commandArgs(TRUE)[1], check.names = FALSE, quote = "", na.strings = "NA")
t$years <- t[["Overall Survival (Months)"]] / 12
t$dead <- as.integer(t[["Overall Survival Status"]] == "1:DECEASED")
receptors <- t[, c("ER Status", "PR Status", "HER2 Status")]
t$tnbc <- as.numeric(rowSums(receptors == "Negative") == 3)
t <- t[!is.na(t$tnbc) & !is.na(t$years) & !is.na(t$dead), c("years", "dead", "tnbc")]
s <- survSplit(Surv(years, dead) ~ ., t, cut = 5, episode = "part", zero = -1)
for (part in 1:2) {
  fit <- coxph(Surv(years, dead) ~ tnbc, s[s$part == part, ])
  cat(format(coef(fit), digits = 10), format(sqrt(vcov(fit)[1, 1]), digits = 10), "\\n")
}
"""


def test_r_says_the_same_today(results: Path, realdata: Path) -> None:
    if (
        not shutil.which("Rscript")
        or subprocess.run(["Rscript", "-e", "library(survival)"], check=False).returncode
    ):
        pytest.skip("no R with its package survival (Debian: r-cran-survival)")
    table = realdata / "metabric" / "brca_metabric_clinical_data.tsv.gz"
    done = subprocess.run(
        ["Rscript", "-", str(table)], input=R_CODE, capture_output=True, text=True, check=True
    )
    for line, test in zip(done.stdout.splitlines(), ("early", "late"), strict=True):
        effect, se = map(float, line.split())
        assert row(results, test)["effect"] == pytest.approx(effect, abs=1e-4)
        assert row(results, test)["se"] == pytest.approx(se, abs=1e-4)
