"""A study that runs in seconds, and what the public services hold for it, made by the simulator."""

from __future__ import annotations

import json
from pathlib import Path

from reclaim.simulate.internet import simulate_study
from reclaim.study_file import read_study

STUDY = """\
id: small
title: Two claims on two cohorts
source: {kind: other, document: notebook, date: 2026-01-05}
datasets:
  one: &cohort
    source: cbioportal
    study: paad_utsw_2015
    tier: {disease: same, system: same, perturbation: same, readout: same, time: same}
    independent: true
    patients: one
  two:
    source: cbioportal
    study: paad_cptac_2021
    tier: {disease: same, system: same, perturbation: same, readout: same, time: same}
    independent: true
    patients: two
claims:
  - id: C1
    statement: Nearly all pancreatic cancers carry a KRAS mutation.
    where: page 1
    gap: none
    tests:
      - {id: kras, role: primary, analysis: mutation_frequency, datasets: [one, two], feature: {gene: KRAS}}
    decision: {rule: bound, bound: nearly_all}
  - id: C2
    statement: KRAS G12C is very rare.
    where: page 1
    gap: none
    tests:
      - id: g12c
        role: primary
        analysis: mutation_frequency
        datasets: [one, two]
        feature: {gene: KRAS, protein_change: G12C}
    decision: {rule: bound, bound: rare}
"""
ONE, TWO = (
    f"https://datahub.assets.cbioportal.org/{name}.tar.gz" for name in ("paad_utsw_2015", "paad_cptac_2021")
)


def services_of(folder: Path, seed: int) -> Path:
    """The services' files as a store, in `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(STUDY)
    simulate_study(read_study(folder / "small.yaml"), "as_claimed", seed, folder / "store")
    return folder / "store"


def public(study: Path, store: Path, **data: object) -> list[str]:
    """Arguments of a run on public data."""
    keys = {"source": "public", "store": str(store), "retries": 0, "timeout": 5} | data
    return ["--config", f"studies=[{study}]", f"data={json.dumps(keys)}"]
