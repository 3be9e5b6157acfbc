"""Ikaros' partners in GM12878 as a study on a local file, through the whole workflow: the figures of the functions
(test_colocalization_real.py) arrive at verdicts, and a factor with few sites is underpowered, not absent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from realfile import real_file
from running import own_study, snakemake

from reclaim.retrieve.store import store_path
from reclaim.sources.requests import GENOME_FILES

STUDY = Path(__file__).with_name("gm12878_chr4.yaml")


@pytest.fixture(scope="module")
def results(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gm12878") / "work"
    real_file(realdata / "coloc_tfcomb" / "GM12878_hg38_chr4_TF_chipseq.bed.gz")
    for name, file in (("chromosomes", "human.hg38.genome"), ("blacklist", "hg38-blacklist.v2.bed.gz")):
        place = folder / "store" / store_path(GENOME_FILES[name].format(genome="hg38"))
        place.parent.mkdir(parents=True)
        shutil.copy(real_file(realdata / "reference" / file), place)
    arguments = [f"data={{source: mirror, store: '{folder / 'store'}'}}" if one.startswith("data=") else one
                 for one in own_study(STUDY)]  # fmt: skip
    done = snakemake(folder, *arguments, environment={"RECLAIM_REALDATA": str(realdata)})
    assert done.returncode == 0, done.stdout
    return folder / "results" / "own"


@pytest.fixture(scope="module")
def evidence(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "evidence.tsv", sep="\t").set_index("test")


@pytest.mark.parametrize(("test", "odds_ratio"), [("ikzf2", 18.3), ("batf", 1.17), ("mta2", 3.9)])
def test_adjusted_odds_ratios(evidence: pd.DataFrame, test: str, odds_ratio: float) -> None:
    assert np.exp(evidence.loc[test, "effect"]) == pytest.approx(odds_ratio, rel=0.01)
    # Less than any of 1,000 shifts, but for BATF.
    assert (evidence.loc[test, "p_value"] > 0.01) == (test == "batf")


def test_regions_of_one_factor_alone_make_factors_look_apart(evidence: pd.DataFrame) -> None:
    assert evidence.loc["ikzf2_without_lone_regions", "effect"] > evidence.loc["ikzf2", "effect"] + 0.5


def test_a_factor_with_few_sites_is_underpowered(evidence: pd.DataFrame) -> None:
    row = evidence.loc["fos"]
    assert row["flags"] == "underpowered"
    assert np.isnan(row["effect"])
    assert row["outcome"] == "unclear"
    assert json.loads(row["groups"])["FOS"] == 45


def test_verdicts(results: Path) -> None:
    claims = pd.read_csv(results / "claims.tsv", sep="\t").set_index("claim")
    assert claims["verdict"].to_dict() == {
        "IKZF2": "consistent",  # one cohort
        "BATF": "not_supported",  # a precise estimate within the margin
        "FOS": "inconclusive",
        "MTA2": "consistent",
    }
    assert "a single cohort" in claims.loc["IKZF2", "reason"]
    assert "45 regions" in claims.loc["FOS", "reason"]
    # The top tenth of 150 factors are 15; those of them that have sites enough pass as well.
    assert claims.loc["IKZF2", "null_rate"] == 0
    assert 0.05 < claims.loc["IKZF2", "background_rate"] < 0.15
    assert "of comparable experiments" in claims.loc["IKZF2", "reason"]
