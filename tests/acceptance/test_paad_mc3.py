"""TCGA-PAAD through the whole workflow: the counts are those of maftools on the same calls, per
patient; intervals are exact binomial ones."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from running import own_study, snakemake

STUDY = Path(__file__).with_name("paad_mc3.yaml")


@pytest.fixture(scope="module")
def results(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paad") / "work"
    done = snakemake(folder, *own_study(STUDY), environment={"RECLAIM_REALDATA": str(realdata)})
    assert done.returncode == 0, done.stdout
    return folder / "results" / "own"


@pytest.fixture(scope="module")
def evidence(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "evidence.tsv", sep="\t").set_index("test")


@pytest.fixture(scope="module")
def claims(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "claims.tsv", sep="\t").set_index("claim")


@pytest.mark.parametrize(
    ("test", "k", "n", "share", "low", "high"),
    [
        ("kras_share_ungated", 118, 177, 66.7, 59.2, 73.6),
        ("kras_share", 114, 141, 80.9, 73.4, 87.0),
        ("g12c_share_ungated", 1, 177, 0.6, 0.0, 3.1),
        ("rb1_truncating_share_ungated", 0, 177, 0.0, 0.0, 2.1),
        ("rb1_any_mutation_share", 1, 177, 0.6, 0.0, 3.1),
    ],
)
def test_shares_per_patient(
    evidence: pd.DataFrame, test: str, k: int, n: int, share: float, low: float, high: float
) -> None:
    row = evidence.loc[test]
    assert (row["n_events"], row["n"]) == (k, n)
    found = (100 * row[["effect", "ci_low", "ci_high"]].astype(float)).round(1)
    assert list(found) == [share, low, high]


def test_the_gate_left_out_36_patients_4_of_them_mutated(evidence: pd.DataFrame) -> None:
    groups = json.loads(evidence.loc["kras_share", "groups"])
    assert groups == {"assayed": 177, "below_call_depth": 36, "altered_below_call_depth": 4}


def test_kras_alleles_per_patient(results: Path) -> None:
    table = pd.read_parquet(results / "paad_mc3" / "g12c_share_ungated" / "paad_mc3.parquet")
    counts = table.set_index("feature")["n_events"].to_dict()
    assert counts == {
        "KRAS G12D": 49,
        "KRAS G12V": 33,
        "KRAS G12R": 26,
        "KRAS Q61H": 6,
        "KRAS Q61R": 2,
        "KRAS G12S": 1,
        "KRAS G13C": 1,
        "KRAS G12A": 1,
        "KRAS G12C": 1,
    }
    assert set(table["n"]) == {177}


def test_the_rb1_mutated_tumour_is_a_hypermutator_with_two_missense_changes(evidence: pd.DataFrame) -> None:
    note = evidence.loc["rb1_truncating_share_ungated", "note"]
    assert "TCGA-IB-7651 (K913R, P515T; 14,174 other mutations)" in note


def test_verdicts(claims: pd.DataFrame) -> None:
    assert claims["verdict"].to_dict() == {
        "P1": "inconclusive",
        "P2": "consistent",
        "P6": "consistent",
        "P18": "inconclusive",
    }
    assert "a single cohort" in claims.loc["P2", "reason"]
    assert "a single cohort" in claims.loc["P6", "reason"]
    assert set(claims["data"].dropna()) == {"local"}


def test_a_naive_reading_would_oppose_and_the_report_says_why(evidence: pd.DataFrame, results: Path) -> None:
    assert evidence.loc["kras_share_ungated", "outcome"] == "opposite"
    assert evidence.loc["kras_share", "outcome"] == "unclear"
    page = (results / "report.html").read_text()
    start = page.index("What a naive reading would say")
    box = page[start : start + 2500]
    assert "contradicted" in box
    assert "66.7" in box
    assert "36" in box
    assert "SIMULATED" not in page


def test_one_tumour_per_patient(results: Path) -> None:
    """One patient has a primary tumour and a metastasis; 178 samples are 177 patients."""
    ledger = json.loads((results / "paad_mc3" / "data" / "paad_mc3.ledger.json").read_text())
    assert [(step["samples"], step["patients"]) for step in ledger["flow"]] == [
        (178, 177),
        (178, 177),
        (177, 177),
        (177, 177),
    ]
