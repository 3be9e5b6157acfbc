"""ChIP-Atlas through the whole workflow: experiments chosen from its list, locked, and told when they change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from public_internet import PublicInternet, place
from running import ROOT, digests, planned, snakemake, without_network
from small_study import public

from reclaim.retrieve.lock import DataLock
from reclaim.simulate.internet import simulate_study
from reclaim.sources.requests import CHIP_ATLAS_LIST
from reclaim.study_file import read_study

STUDY = """\
id: small
title: Two factors at the same regions
source: {kind: other, document: notebook, date: 2026-01-05}
datasets:
  chip:
    source: chip_atlas
    cell_class: Blood
    cells:
      - {name: MM.1S, matches: 'MM\\.?1S', system: same}
      - {name: other myeloma, matches: myeloma, system: similar}
    exclude: [JQ1]
    colocalization_tables: [IKZF1, FOS]
    target_tables: [IKZF1, FOS]
    tier: {disease: same, system: same, perturbation: same, readout: same, time: same}
    independent: true
claims:
  - id: C1
    statement: FOS lies where IKZF1 lies, more than other factors do.
    where: page 1
    gap: none
    tests:
      - id: together
        role: primary
        analysis: peak_colocalization
        datasets: [chip]
        query: IKZF1
        partner: FOS
    decision: {rule: specific}
"""
RESULTS = Path("results/public")
RECEIPT = "results/public/small/receipts/chip.json"
"""As a target: `--until retrieve` stops at the list, from which the files are known that are retrieved next."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def web(internet: PublicInternet, study: Path, tmp_path: Path) -> PublicInternet:
    """All services, as the simulator makes them."""
    services = tmp_path / "services"
    simulate_study(read_study(study), "as_claimed", 1, services)
    for path in services.rglob("*"):
        if path.is_file():
            internet.put(f"https://{path.relative_to(services)}", path.read_bytes())
    return internet


def runs(folder: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> str:
    done = snakemake(folder, *arguments, prefix=prefix)
    assert done.returncode == 0, done.stdout
    return done.stdout


def without(experiments: bytes, accession: str) -> bytes:
    """The list after an experiment was withdrawn."""
    lines = experiments.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(accession.encode() + b"\t")]
    assert len(kept) < len(lines)
    return b"".join(kept)


def test_experiments_are_chosen_locked_and_told_when_the_list_changes(
    web: PublicInternet, study: Path, tmp_path: Path
) -> None:
    store, first = tmp_path / "store", tmp_path / "first"
    runs(first, *public(study, store))

    # The choice: in the results, in the lock, and in the receipt.
    choice = json.loads((first / RESULTS / "small/experiments.json").read_text())["datasets"]["chip"]
    chosen = {one["antigen"]: one["experiment"] for one in choice["chosen"]}
    assert {"IKZF1", "FOS"} < set(chosen)
    assert len(chosen) == 32
    locked = DataLock(store).read().experiments["small"]["chip"]
    assert locked.experiments == list(chosen.values())
    receipt = json.loads((first / RECEIPT).read_text())
    assert receipt["status"] == "present"
    names = [file["name"] for file in receipt["files"]]
    assert set(chosen.values()) <= set(names)
    assert receipt["missing"]  # tables of which the simulator has none
    assert {Path(file["path"]).suffix for file in receipt["files"]} == {".bed", ".gz", ".tsv"}
    asked = {request.url for request in web.requests}
    assert not [
        url for url in asked if "/eachData/" in url and not any(one in url for one in chosen.values())
    ]

    # The claim, from peaks to verdict.
    claims = pd.read_csv(first / RESULTS / "claims.tsv", sep="\t").set_index("claim")
    assert claims.loc["C1", "verdict"] == "consistent"  # it is one data set
    evidence = pd.read_csv(first / RESULTS / "evidence.tsv", sep="\t")
    (row,) = evidence.to_dict("records")
    assert row["feature"] == "FOS"
    assert row["effect"] > 0.5
    assert "rank 1 among 30 other antigens" in row["note"]
    assert planned(first, ROOT, *public(study, store)) == {}

    # A mirror gives the same, without a network.
    copy = shutil.copytree(store, tmp_path / "copy", ignore=shutil.ignore_patterns(".reclaim"))
    runs(tmp_path / "second", *public(study, copy, source="mirror"), prefix=without_network())
    before, after = digests(first), digests(tmp_path / "second")
    assert {name for name in before | after if before.get(name) != after.get(name)} == {
        str(RESULTS / "downloads.json")
    }

    # The list changes upstream: another store with this lock demands the list that the results rest on.
    another = shutil.copytree(copy, tmp_path / "another")
    (another / place(CHIP_ATLAS_LIST)).unlink()
    experiments = (store / place(CHIP_ATLAS_LIST)).read_bytes()
    web.put(CHIP_ATLAS_LIST, without(experiments, chosen["FOS"]))
    done = snakemake(tmp_path / "third", RECEIPT, *public(study, another))
    assert done.returncode != 0
    assert f"ERROR {CHIP_ATLAS_LIST}: changed since it was locked on" in done.stdout
    assert "Traceback" not in done.stdout
    assert DataLock(another).read().experiments["small"]["chip"] == locked

    # Accepted, it goes on with other experiments, and says so.
    said = runs(tmp_path / "third", RECEIPT, *public(study, another, accept_changes=[CHIP_ATLAS_LIST]))
    (warning,) = [line for line in said.splitlines() if "other experiments than those chosen" in line]
    assert warning.startswith(
        f"WARNING small: chip: other experiments than those chosen on {locked.chosen_at}"
    )
    changed = json.loads((tmp_path / "third" / RESULTS / "small/experiments.json").read_text())["datasets"][
        "chip"
    ]
    (fos,) = [one for one in changed["chosen"] if one["antigen"] == "FOS"]
    assert (fos["cells"], fos["system"]) == ("other myeloma", "similar")
    assert f"{chosen['FOS']} left out, {fos['experiment']} added" in warning
    now = DataLock(another).read().experiments["small"]["chip"]
    assert fos["experiment"] in now.experiments
    assert chosen["FOS"] not in now.experiments


def test_a_class_of_antigens_that_the_list_does_not_know_is_an_absent_data_set(
    web: PublicInternet, study: Path, tmp_path: Path
) -> None:
    study.write_text(
        STUDY.replace("    cell_class: Blood\n", "    antigen_class: TF and others\n    cell_class: Blood\n")
    )
    said = runs(tmp_path / "work", RECEIPT, *public(study, tmp_path / "store"))
    assert "no experiment of antigen class 'TF and others'; did you mean TFs and others?" in said
    receipt = json.loads((tmp_path / "work" / RECEIPT).read_text())
    assert receipt["status"] == "absent"
    assert receipt["reason"] == "no experiment of ChIP-Atlas meets what the study file asks for"
