"""Studies and configuration -> jobs. Light imports only: Snakemake runs this at every start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reclaim.claim_tests import ClaimTest
from reclaim.config import WORLDS, Config, check_config
from reclaim.dataset import FileDataset, kind_of
from reclaim.errors import UserError, did_you_mean
from reclaim.study import Bound, Claim, Conjunction, Study, read_study

ANALYSES = ("mutation_frequency", "mutual_exclusivity")
"""Kinds of test that this version runs."""

READERS = {"mutations"}
"""Kinds of data set that this version reads."""


@dataclass(frozen=True)
class AnalysisJob:
    """All tests of one study with the same kind of analysis."""

    study: str
    analysis: str
    datasets: list[str]
    results: list[str]
    slice: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What the rules need, as lists and dictionaries."""

    config: Config
    studies: dict[str, Study]
    files: dict[str, Path]

    @property
    def run(self) -> str:
        """The run that the default target makes."""
        return self.config.run_name

    def is_simulated(self, run: str) -> bool:
        return run in WORLDS

    def store(self, run: str, study: str) -> str:
        """Folder in URL layout from which a run reads."""
        return f"simulated/{run}/{study}" if self.is_simulated(run) else self.config.data.store

    def dataset_slice(self, study: str, name: str) -> dict[str, Any]:
        """One data set, for the jobs that fetch and load it."""
        return {
            "name": name,
            "dataset": _plain(self.studies[study].datasets[name]),
            "beside": self.beside(study),
        }

    def beside(self, study: str) -> str:
        """The folder of a study file, from which its local paths are seen."""
        return str(self.files[study].parent)

    def registration(self, run: str) -> list[str]:
        """What a run on public data knows of the lock; simulated data have none."""
        return [] if self.is_simulated(run) else [f"results/{run}/registration.json"]

    def study_slice(self, study: str) -> dict[str, Any]:
        """The whole study, for assessment, simulation and report."""
        return _plain(self.studies[study])

    def analyses(self) -> list[AnalysisJob]:
        """One job per study and analysis kind."""
        return [
            self._analysis(study, analysis)
            for study in self.studies.values()
            for analysis in ANALYSES
            if any(test.analysis == analysis for _, test in study.tests())
        ]

    def _analysis(self, study: Study, analysis: str) -> AnalysisJob:
        tests = [(claim, test) for claim, test in study.tests() if test.analysis == analysis]
        names = [name for name in study.datasets if any(name in test.datasets for _, test in tests)]
        return AnalysisJob(
            study=study.id,
            analysis=analysis,
            datasets=names,
            results=[f"{test.id}/{name}" for _, test in tests for name in test.datasets],
            slice={
                "study": study.id,
                "file": str(self.files[study.id]),
                "tests": [_test_slice(claim, test) for claim, test in tests],
                "datasets": {name: _plain(study.datasets[name]) for name in names},
            },
        )


def make_plan(values: dict[str, Any], seeds: Path) -> Plan:
    """Read the configuration and every selected study; raises UserError with one line per mistake."""
    config = check_config(values)
    studies: dict[str, Study] = {}
    files: dict[str, Path] = {}
    for path in _study_files(config, seeds):
        study = read_study(path)
        if path.parent == seeds and path.stem != study.id:
            raise UserError(
                f"{path}:1: the file name and the study id {study.id!r} differ; rename the file to {study.id}.yaml"
            )
        if study.id in studies:
            raise UserError(
                f"{path}:1: the study id {study.id!r} is also the id of {files[study.id]}; give each study its own id"
            )
        studies[study.id], files[study.id] = study, path
    mistakes = [message for name, study in studies.items() for message in _not_runnable(study, files[name])]
    if mistakes:
        raise UserError(mistakes)
    return Plan(config, studies, files)


def check_writable(folder: Path) -> None:
    """Raise UserError when `folder`, or its nearest parent that exists, cannot be written to."""
    existing = next(parent for parent in [folder, *folder.absolute().parents] if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(
            f"{folder}: cannot be written to ({existing} refuses it); make it writable, "
            "or run in another folder with --directory"
        )


def _study_files(config: Config, seeds: Path) -> list[Path]:
    in_seeds = {path.stem: path for path in sorted(seeds.glob("*.yaml"))}
    if config.studies == "all":
        if not in_seeds:
            raise UserError(
                f"{seeds}: no study file (*.yaml); add one, or name a path under studies in the config"
            )
        return list(in_seeds.values())
    chosen = []
    for name in config.studies:
        if name in in_seeds:
            chosen.append(in_seeds[name])
        elif "/" in name or name.endswith((".yaml", ".yml")):
            chosen.append(Path(name))
        else:
            raise UserError(
                f"config: studies: no study {name!r} in {seeds}{did_you_mean(name, in_seeds)}; expected one of: "
                f"{', '.join(in_seeds) or 'none is there'}, or a path that ends in .yaml"
            )
    return chosen


def _not_runnable(study: Study, path: Path) -> list[str]:
    """Tests that the format knows and this version cannot run yet."""
    messages = [
        f"{path}: test {test.id}: analysis {test.analysis!r} is not run by this version; it runs: "
        f"{', '.join(ANALYSES)}. State the claim as no_public_data until then"
        for _, test in study.tests()
        if test.analysis not in ANALYSES
    ]
    messages += [
        f"{path}: data set {name}: format {dataset.format!r} is not read by this version; it reads: maf"
        for name, dataset in study.datasets.items()
        if isinstance(dataset, FileDataset) and kind_of(dataset) not in READERS
    ]
    return messages


def _test_slice(claim: Claim, test: ClaimTest) -> dict[str, Any]:
    decision = claim.decision
    if isinstance(decision, Conjunction):
        decision = decision.parts.get(test.id, decision)
    assert decision is not None
    expected = decision.bound if isinstance(decision, Bound) else getattr(test, "expected", "positive")
    if test.passes is not None:
        limits = [("at least", test.passes.at_least), ("at most", test.passes.at_most)]
        expected = " and ".join(f"{word} {value:g}" for word, value in limits if value is not None)
    return {"claim": claim.id, "rule": decision.rule, "expected": expected, "test": _plain(test)}


def _plain(model: Any) -> dict[str, Any]:
    """A model as plain, JSON-like values: what Snakemake compares to see whether a job changed."""
    return dict(model.model_dump(mode="json", by_alias=True, exclude_none=True))
