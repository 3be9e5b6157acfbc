"""How often each decision rule is wrong, and how often right: docs/calibration.md, from simulated data.

For every seed and world the claims of calibrate.yaml go through the functions of the workflow's own jobs: simulate,
analyse, calibrate, assess. Only the services' wire formats are left out. So do the claims of the TREX1 study, with
the labels of their samples shuffled. Results depend on the seeds alone, not on the number of processes.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import anndata
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from calibration_data import draw_cohorts, draw_expression, shuffle_labels
from calibration_page import page
from calibration_results import BATCH, ROOT, RULES, SEEDS, SHUFFLED, TREX1, UNPLANTED, WORLDS, Result, plan_of

from reclaim.analyses import mutation_frequency, mutual_exclusivity
from reclaim.analyses.detection import detection
from reclaim.analyses.differential_expression import differential_expression
from reclaim.analyses.on_mutations import LoadedCohort, run_tests
from reclaim.analyses.testing import run_each
from reclaim.calibration.cap import Calibration, rule_to_calibrate
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.claim_tests import ClaimTest
from reclaim.config import World
from reclaim.dataset import Dataset
from reclaim.evidence import Estimate, EvidenceRow
from reclaim.job import write_whole
from reclaim.judging import gate_results, judge_claim
from reclaim.ledger import Ledger
from reclaim.mutations import Cohort
from reclaim.plan import Plan
from reclaim.simulate.effects import NUISANCE_SPREAD
from reclaim.study import Claim, Study
from reclaim.verdict import assess

ON_EXPRESSION = ("differential_expression", "detection")
ON_MUTATIONS: Mapping[str, tuple[Any, Any]] = {
    "mutation_frequency": (mutation_frequency.mutation_frequency, mutation_frequency.genes_of),
    "mutual_exclusivity": (mutual_exclusivity.mutual_exclusivity, mutual_exclusivity.genes_of),
}
"""The estimate of an analysis, and the genes that its tests name."""
PROCESSES = 2


# One simulation


@dataclass(frozen=True)
class Job:
    """One world and seed; of the claims `only` these, or all."""

    world: str
    seed: int
    only: frozenset[str] | None = None


def run(job: Job) -> list[Result]:
    """Simulate, analyse, calibrate and assess. Same job, same results."""
    gc.collect()
    gc.freeze()  # statsmodels collects garbage at every correction for many tests: not among what stays
    with threadpool_limits(limits=1):
        return _shuffled(job) if job.world == SHUFFLED else _rules(job)


def _rules(job: Job) -> list[Result]:
    study = _chosen(RULES, job)
    (whole,) = plan_of(RULES).studies.values()
    planted = _of(whole, *(claim for claim in whole.claims if claim.id not in UNPLANTED))
    named = "confounded" if job.world == BATCH else job.world
    (world,) = (one for one in get_args(World) if one == named)
    spread = 0.0 if job.world == BATCH else NUISANCE_SPREAD
    data = draw_expression(planted, _needed(study), world, job.seed, spread)
    cohorts = draw_cohorts(planted, _needed(study), world, job.seed)
    return _judged(job, plan_of(RULES), study, data, cohorts, {})


def _shuffled(job: Job) -> list[Result]:
    study = _chosen(TREX1, job)
    (whole,) = plan_of(TREX1).studies.values()
    data = draw_expression(whole, _needed(study), "as_claimed", job.seed)
    kept = {name: shuffle_labels(study, name, one, job.seed) for name, one in data.items()}
    return _judged(job, plan_of(TREX1), study, data, {}, kept)


def _chosen(path: Path, job: Job) -> Study:
    """The study with the claims that the job asks for, of those that this script can test; of BATCH those on
    expression."""
    (study,) = plan_of(path).studies.values()
    tested = ON_EXPRESSION if job.world == BATCH else (*ON_EXPRESSION, *ON_MUTATIONS)
    return _of(
        study,
        *(
            claim
            for claim in study.claims
            if claim.tests
            and all(test.analysis in tested for test in _deciding(claim))
            and (job.only is None or claim.id in job.only)
        ),
    )


def _of(study: Study, *claims: Claim) -> Study:
    """The study with these claims alone."""
    return study.model_copy(update={"claims": list(claims)})


def _deciding(claim: Claim) -> list[ClaimTest]:
    """The tests that are run."""
    return [test for test in claim.tests if test.role in ("primary", "gate")]


def _needed(study: Study) -> list[str]:
    """Data sets of the tests that are run."""
    tests = [test for claim in study.claims for test in _deciding(claim)]
    return list(dict.fromkeys(name for test in tests for name in test.datasets))


# From data to verdicts


def _judged(
    job: Job,
    plan: Plan,
    study: Study,
    data: Mapping[str, anndata.AnnData],
    cohorts: Mapping[str, Cohort],
    kept: Mapping[str, bool],
) -> list[Result]:
    """Every tested claim. Calibration is left out where the rule does not agree, for nothing rests on it there."""
    sets = {name: list(genes) for name, genes in study.gene_sets.items() if isinstance(genes, list)}
    rows, tables = _evidence(job, plan, study, data, cohorts, sets)
    gates = gate_results(study, rows)
    outcomes, calibration = {}, {}
    for claim in study.claims:
        own = [row for row in rows if row.claim == claim.id]
        outcomes[claim.id] = str(judge_claim(claim, own, gates, job.seed, {}).judgement.outcome[0])
        assert claim.decision is not None
        if outcomes[claim.id] == "agrees" and rule_to_calibrate(claim.decision) in CALIBRATED_RULES:
            material = Material(_of(study, claim), data.__getitem__, tables.__getitem__, sets, job.seed)
            (record,) = calibrate_study(material, rows).claims
            calibration[claim.id] = Calibration.of(record)
    found = []
    company = assess(study, rows, job.world, job.seed, calibration).claims
    for claim, together in zip(study.claims, company, strict=True):
        alone = together
        if outcomes[claim.id] in ("agrees", "opposite") and together.verdict != "supported":
            (alone,) = assess(_of(study, claim), rows, job.world, job.seed, calibration).claims
        found.append(
            Result(
                world=job.world,
                seed=job.seed,
                claim=claim.id,
                outcome=outcomes[claim.id],
                verdict=alone.verdict,
                in_company=together.verdict,
                reason=alone.reason,
                background=alone.background_rate,
                kept=sum(kept.get(name, False) for name in _needed(_of(study, claim))),
            )
        )
    return found


def _evidence(
    job: Job,
    plan: Plan,
    study: Study,
    data: Mapping[str, anndata.AnnData],
    cohorts: Mapping[str, Cohort],
    sets: Mapping[str, list[str]],
) -> tuple[list[EvidenceRow], dict[str, pd.DataFrame]]:
    """Rows and full results of the deciding tests of the study's claims, by the functions of the workflow's jobs."""
    present = Ledger(status="present", simulated=True)
    deciding = {test.id for claim in study.claims for test in _deciding(claim)}
    loaded = {name: LoadedCohort(one, present) for name, one in cohorts.items()}

    def analyse(
        test: Any, name: str, dataset: Dataset, setting: object
    ) -> tuple[list[Estimate], pd.DataFrame]:
        if test.analysis == "detection":
            return detection(test, data[name])
        named = test.feature.gene_set
        genes = sets[named] if isinstance(named, str) else named or []
        if genes:
            # A set has a model of its own. The table of single genes beside it is not used here: the quickest does.
            test = test.model_copy(update={"method": "moderated_t"})
        return differential_expression(test, data[name], genes, getattr(dataset, "source_column", None))

    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}
    for one in plan.analyses():
        tests = [entry for entry in one.slice["tests"] if entry["test"]["id"] in deciding]
        part = one.slice | {"tests": tests}
        new: list[EvidenceRow] = []
        if one.analysis in ON_EXPRESSION:
            new, more = run_each(
                part,
                job.world,
                dict.fromkeys(data, present),
                lambda name: set(data[name].var_names),
                lambda test: [test.feature.gene] if test.feature.gene else [],
                analyse,
            )
            tables |= more
        elif one.analysis in ON_MUTATIONS:
            estimate, genes_of = ON_MUTATIONS[one.analysis]
            new, _ = run_tests(part, job.world, loaded, estimate, lambda *_: pd.DataFrame(), genes_of)
        rows += new
    return rows, tables


# Many simulations


def measure(
    seeds: Sequence[int],
    apply: Callable[[Callable[[Job], list[Result]], Iterable[Job]], Iterable[list[Result]]] = map,
    only: Collection[str] | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> list[Result]:
    """Results of every world and seed, in this order; `apply` may be that of a pool that keeps the order."""
    chosen = None if only is None else frozenset(only)
    jobs = [Job(world, seed, chosen) for world in (*WORLDS, BATCH, SHUFFLED) for seed in seeds]
    found: list[Result] = []
    start = time.perf_counter()
    for world, done in groupby(zip(jobs, apply(run, jobs), strict=True), lambda one: one[0].world):
        for _, results in done:
            found += results
        tell(f"{world}: {len(seeds)} seeds, {time.perf_counter() - start:.0f} s since the start")
    return found


def main() -> None:
    """Measure on two cores, and write the page."""
    parser = argparse.ArgumentParser(
        description="How often each decision rule is wrong, and how often right."
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="seeds 1 to N (%(default)s)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "calibration.md", help="the page to write (%(default)s)"
    )
    asked = parser.parse_args()
    with get_context("fork").Pool(min(PROCESSES, os.cpu_count() or 1)) as pool:
        results = measure(range(1, asked.seeds + 1), pool.imap, tell=lambda line: print(line, flush=True))
    write_whole(asked.out, lambda path: path.write_text(page(results), encoding="utf-8"))
    print(f"written: {asked.out}")


if __name__ == "__main__":
    main()
