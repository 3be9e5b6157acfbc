"""Studies and configuration -> jobs. Light imports only: Snakemake runs this at every start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reclaim.calibration.unswapped import REGION_TESTS, SWAPPED_TESTS
from reclaim.claim_tests import (
    BESIDE,
    ON_REGIONS,
    ClaimTest,
    Dependency,
    DifferentialExpression,
    PeakColocalization,
    ResultOf,
)
from reclaim.config import WORLDS, Config, check_config
from reclaim.dataset import ChipAtlasDataset, kind_of
from reclaim.decisions import Bound, Conjunction, Specific
from reclaim.errors import UserError, did_you_mean
from reclaim.study import Claim, LibrarySet, Study
from reclaim.study_file import read_study

ANALYSES = (
    "mutation_frequency",
    "mutual_exclusivity",
    "detection",
    "differential_expression",
    "gene_set_enrichment",
    "coexpression",
    "survival",
    "event_share",
    "peak_colocalization",
    "dependency",
    "target_genes",
    "bound_and_deregulated",
)
"""Kinds of test that this version runs."""

CANONICAL: dict[str, list[str]] = {
    "mutations": [f"{part}.parquet" for part in ("mutations", "copy_number", "samples", "clinical")],
    "expression": ["h5ad"],
    "dependency": ["h5ad"],
    "clinical": ["h5ad"],
    "regions": [f"{part}.parquet" for part in ("regions", "experiments", "scores")],
}
"""Kinds of data set that this version reads -> endings of their canonical files."""


@dataclass(frozen=True)
class AnalysisJob:
    """All tests of one study with the same kind of analysis."""

    study: str
    analysis: str
    datasets: list[str]
    """Those that tests run on, and those that they take in beside."""
    data: list[str]
    """Canonical files of each data set in turn."""
    ledgers: list[str]
    rankings: dict[str, str]
    """Full results of other tests that this job reads, by `test/dataset`."""
    libraries: dict[str, str]
    """Receipts of gene-set libraries, by name."""
    genome: dict[str, str]
    """Receipts of what the tests need of the genome, by name."""
    results: list[str]
    curves: list[str]
    """Curves of figures that the job makes, by `test/dataset`."""
    slice: dict[str, Any]


@dataclass(frozen=True)
class CalibrationJob:
    """The nulls of all claims of one study."""

    study: str
    evidence: list[str]
    expression: dict[str, str]
    """Canonical expression by data set, of the tests whose subject is swapped."""
    tables: dict[str, str]
    """Full results of those that compare groups, by `test/dataset`."""
    libraries: dict[str, str]
    """Receipts of gene-set libraries, by name."""
    datasets: list[str]
    """Data sets of regions, of the tests whose partner is swapped."""
    regions: list[str]
    """Canonical files of each of them in turn."""
    genome: dict[str, str]
    """Receipts of what their tests need of the genome, by name."""


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

    def names_of(self, study: str, kind: str) -> list[str]:
        """Data sets of one kind."""
        return [name for name, one in self.studies[study].datasets.items() if kind_of(one) == kind]

    def dataset_slice(self, study: str, name: str) -> dict[str, Any]:
        """One data set or reference, for the jobs that fetch and load it."""
        one = self.studies[study]
        return {
            "name": name,
            "dataset": _plain(one.datasets[name] if name in one.datasets else one.references()[name]),
            "beside": self.beside(study),
        }

    def beside(self, study: str) -> str:
        """The folder of a study file, from which its local paths are seen."""
        return str(self.files[study].parent)

    def choices(self, run: str, study: str, name: str) -> list[str]:
        """Where it is said which experiments a data set of ChIP-Atlas rests on; other data sets choose none."""
        return [f"results/{run}/{study}/experiments.json"] if name in self.chosen_names(study) else []

    def chosen_names(self, study: str) -> list[str]:
        """Data sets of ChIP-Atlas."""
        datasets = self.studies[study].datasets
        return [name for name, one in datasets.items() if isinstance(one, ChipAtlasDataset)]

    def choosing(self) -> list[str]:
        """Studies with data sets of ChIP-Atlas."""
        return [study for study in self.studies if self.chosen_names(study)]

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

    def calibrations(self) -> list[CalibrationJob]:
        """One job per study with a subject that can be swapped."""
        return [
            self._calibration(study)
            for study in self.studies.values()
            if any(isinstance(test, (*SWAPPED_TESTS, *REGION_TESTS)) for _, test in study.tests())
        ]

    def comparators(self) -> dict[str, str]:
        """Full results in which claims of specificity find what they are ranked against, by `study/test/dataset`."""
        found = {}
        for study in self.studies.values():
            for claim, test in study.tests():
                if isinstance(test, PeakColocalization) and is_specific_test(claim, test.id):
                    for name in test.datasets:
                        key = f"{study.id}/{test.id}/{name}"
                        found[key] = f"results/{{run}}/{key}.parquet"
        return found

    def _calibration(self, study: Study) -> CalibrationJob:
        folder = f"results/{{run}}/{study.id}"
        swapped = [test for _, test in study.tests() if test.role != "gate"]
        tests = [test for test in swapped if isinstance(test, SWAPPED_TESTS)]
        on_regions = [test for test in swapped if isinstance(test, REGION_TESTS)]
        used = {name for test in [*tests, *on_regions] for name in [*test.datasets, *_beside(test)]}
        names, regions = (
            [
                name
                for name, one in study.datasets.items()
                if name in used and (kind_of(one) == "regions") == of_regions
            ]
            for of_regions in (False, True)
        )
        with_tables = [
            f"{test.id}/{name}"
            for test in [*tests, *on_regions]
            if isinstance(test, DifferentialExpression | Dependency | PeakColocalization)
            for name in test.datasets
        ]
        with_tables += [key for test in on_regions for key in _rankings(test)]
        libraries = _libraries(study, "differential_expression", tests)
        return CalibrationJob(
            study=study.id,
            evidence=[
                f"{folder}/evidence/{analysis}.tsv"
                for analysis in ANALYSES
                if any(test.analysis == analysis for _, test in study.tests())
            ],
            expression={name: f"{folder}/data/{name}.h5ad" for name in names},
            tables={key: f"{folder}/{key}.parquet" for key in dict.fromkeys(with_tables)},
            libraries={name: f"{folder}/receipts/{name}.json" for name in libraries},
            datasets=regions,
            regions=[f"{folder}/data/{name}.{ending}" for name in regions for ending in CANONICAL["regions"]],
            genome={name: f"{folder}/receipts/{name}.json" for name in study.genome_tables() if on_regions},
        )

    def _analysis(self, study: Study, analysis: str) -> AnalysisJob:
        tests = [(claim, test) for claim, test in study.tests() if test.analysis == analysis]
        used = {name for _, test in tests for name in [*test.datasets, *_beside(test)]}
        names = [name for name in study.datasets if name in used]
        folder = f"results/{{run}}/{study.id}"
        rankings = [key for _, test in tests for key in _rankings(test)]
        ranked_by = {key.split("/")[0] for key in rankings}
        libraries = _libraries(study, analysis, [test for _, test in tests])
        return AnalysisJob(
            study=study.id,
            analysis=analysis,
            datasets=names,
            data=[
                f"{folder}/data/{name}.{ending}"
                for name in names
                for ending in CANONICAL[kind_of(study.datasets[name])]
            ],
            ledgers=[f"{folder}/data/{name}.ledger.json" for name in names],
            rankings={key: f"{folder}/{key}.parquet" for key in dict.fromkeys(rankings)},
            libraries={name: f"{folder}/receipts/{name}.json" for name in libraries},
            genome={
                name: f"{folder}/receipts/{name}.json"
                for name in study.genome_tables()
                if analysis in ON_REGIONS
            },
            results=(results := [f"{test.id}/{name}" for _, test in tests for name in test.datasets]),
            curves=results if analysis == "survival" else [],
            slice={
                "study": study.id,
                "file": str(self.files[study.id]),
                "tests": [_test_slice(claim, test) for claim, test in tests],
                "datasets": {name: _plain(study.datasets[name]) for name in names},
                "gene_sets": study.model_dump(mode="json", include={"gene_sets"})["gene_sets"],
                "subjects": {
                    test.id: [test.feature.gene]
                    for _, test in study.tests()
                    if isinstance(test, DifferentialExpression) and test.feature.gene
                }
                if rankings
                else {},
                "ranked_by": {
                    test.id: _plain(test)
                    for _, test in study.tests()
                    if analysis in ON_REGIONS and test.id in ranked_by
                },
                "seed": self.config.seed,
            },
        )


def make_plan(values: dict[str, Any], seeds: Path, panel: Path | None = None) -> Plan:
    """Read the configuration, every selected study, and the file of control claims when the configuration asks
    for it; raises UserError with one line per mistake."""
    config = check_config(values)
    studies: dict[str, Study] = {}
    files: dict[str, Path] = {}
    chosen = _study_files(config, seeds)
    if panel and config.with_panel:
        chosen.append(panel)
    for path in chosen:
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


def _libraries(study: Study, analysis: str, tests: Sequence[ClaimTest]) -> list[str]:
    """Libraries that the tests need: those of their sets; for enrichment all, as its tables hold every set."""
    if analysis == "gene_set_enrichment":
        return list(study.libraries)
    named = [name for test in tests for name in _named_sets(test)]
    sets = [one for name, one in study.gene_sets.items() if name in named]
    used = {one.library for one in sets if isinstance(one, LibrarySet)}
    return [name for name in study.libraries if name in used]


def _rankings(test: ClaimTest) -> list[str]:
    """Full results, by `test/dataset`, of the test that ranks the genes of this one."""
    ranking = test.with_.get("ranking")
    return [f"{ranking.test}/{name}" for name in test.datasets] if isinstance(ranking, ResultOf) else []


def _beside(test: ClaimTest) -> list[str]:
    """Data sets that a test takes in beside those it runs on."""
    return [name for role, name in test.with_.items() if role in BESIDE and isinstance(name, str)]


def _named_sets(test: ClaimTest) -> list[str]:
    """Gene sets that a test takes by name."""
    features = [getattr(test, "feature", None), *getattr(test, "features", [])]
    named = [getattr(feature, "gene_set", None) for feature in features]
    return [name for name in named if isinstance(name, str)] + list(getattr(test, "adjust", []))


def _not_runnable(study: Study, path: Path) -> list[str]:
    """Tests that the format knows and this version cannot run yet."""
    messages = [
        f"{path}: test {test.id}: analysis {test.analysis!r} is not run by this version; it runs: "
        f"{', '.join(ANALYSES)}. State the claim as no_public_data until then"
        for _, test in study.tests()
        if test.analysis not in ANALYSES
    ]
    messages += [
        f"{path}: test {test.id}: pseudobulk is not made by this version. State the claim as no_public_data until then"
        for _, test in study.tests()
        if test.analysis in ANALYSES and getattr(test, "pseudobulk", None)
    ]
    messages += [
        f"{path}: data set {name}: {kind_of(dataset)} are not read by this version; it reads: "
        f"{', '.join(CANONICAL)}"
        for name, dataset in study.datasets.items()
        if kind_of(dataset) not in CANONICAL
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


def is_specific_test(claim: Claim, test_id: str) -> bool:
    """Whether a test is judged by its rank among comparators."""
    decision = claim.decision
    if isinstance(decision, Conjunction):
        decision = decision.parts.get(test_id)
    return isinstance(decision, Specific)


def _plain(model: Any) -> dict[str, Any]:
    """A model as plain, JSON-like values: what Snakemake compares to see whether a job changed."""
    return dict(model.model_dump(mode="json", by_alias=True, exclude_none=True))
