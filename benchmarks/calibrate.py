"""How often each decision rule is wrong, and how often right, from simulated data: docs/calibration.md, and of claims on
peaks (--peaks) docs/calibration_peaks.md.

For every seed and world the claims of calibrate.yaml, or calibrate_peaks.yaml, go through the functions of the workflow's own jobs: simulate,
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
from typing import get_args

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from calibration_analyses import ON_EXPRESSION, TESTED, Drawn, datasets_of, deciding, evidence
from calibration_data import draw_bindings, draw_cohorts, draw_expression, draw_genome, shuffle_labels
from calibration_page import page
from calibration_peaks import peaks_page
from calibration_results import (
    BATCH,
    PEAKS,
    PEAKS_WORLDS,
    ROOT,
    RULES,
    SEEDS,
    SHUFFLED,
    TREX1,
    UNPLANTED,
    WORLDS,
    Result,
    plan_of,
)

from reclaim.calibration.cap import Calibration, rule_to_calibrate
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.claim_tests import PeakColocalization
from reclaim.comparators import comparators_of
from reclaim.config import World
from reclaim.job import write_whole
from reclaim.judging import gate_results, judge_claim
from reclaim.plan import Plan
from reclaim.simulate.effects import NUISANCE_SPREAD
from reclaim.study import Claim, Study
from reclaim.verdict import assess

PROCESSES = 2


@dataclass(frozen=True)
class Measurement:
    """A study file, the worlds in which its claims are measured, and the page that tells what came out."""

    study: Path
    worlds: tuple[str, ...]
    page: Callable[[Sequence[Result]], str]
    out: Path


WITHOUT_PEAKS = Measurement(RULES, (*WORLDS, BATCH, SHUFFLED), page, ROOT / "docs" / "calibration.md")
ON_PEAKS = Measurement(PEAKS, PEAKS_WORLDS, peaks_page, ROOT / "docs" / "calibration_peaks.md")


# One simulation


@dataclass(frozen=True)
class Job:
    """One world and seed of a study; of the claims `only` these, or all. SHUFFLED has a study of its own."""

    study: Path
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
    study = _chosen(job.study, job)
    (whole,) = plan_of(job.study).studies.values()
    planted = _of(whole, *(claim for claim in whole.claims if claim.id not in UNPLANTED))
    named = "confounded" if job.world == BATCH else job.world
    (world,) = (one for one in get_args(World) if one == named)
    spread = 0.0 if job.world == BATCH else NUISANCE_SPREAD
    names = datasets_of(study)
    bindings = draw_bindings(planted, names, world, job.seed)
    drawn = Drawn(
        draw_expression(planted, names, world, job.seed, spread),
        draw_cohorts(planted, names, world, job.seed),
        bindings,
        draw_genome(planted) if bindings else {},
    )
    return _judged(job, plan_of(job.study), study, drawn, {})


def _shuffled(job: Job) -> list[Result]:
    study = _chosen(TREX1, job)
    (whole,) = plan_of(TREX1).studies.values()
    data = draw_expression(whole, datasets_of(study), "as_claimed", job.seed)
    kept = {name: shuffle_labels(study, name, one, job.seed) for name, one in data.items()}
    return _judged(job, plan_of(TREX1), study, Drawn(data), kept)


def _chosen(path: Path, job: Job) -> Study:
    """The study with the claims that the job asks for, of those that this script can test; of BATCH and SHUFFLED
    those on expression."""
    (study,) = plan_of(path).studies.values()
    tested = ON_EXPRESSION if job.world in (BATCH, SHUFFLED) else TESTED
    return _of(
        study,
        *(
            claim
            for claim in study.claims
            if claim.tests
            and all(test.analysis in tested for test in deciding(claim))
            and (job.only is None or claim.id in job.only)
        ),
    )


def _of(study: Study, *claims: Claim) -> Study:
    """The study with these claims alone."""
    return study.model_copy(update={"claims": list(claims)})


# From data to verdicts


def _judged(
    job: Job,
    plan: Plan,
    study: Study,
    drawn: Drawn,
    kept: Mapping[str, bool],
) -> list[Result]:
    """Every tested claim. Calibration is left out where the rule does not agree, for nothing rests on it there."""
    sets = {name: list(genes) for name, genes in study.gene_sets.items() if isinstance(genes, list)}
    rows, tables = evidence(job.world, plan, study, drawn, sets, job.seed)
    ranked = {test.id for _, test in study.tests() if isinstance(test, PeakColocalization)}
    against = comparators_of({key: one for key, one in tables.items() if key.split("/")[0] in ranked})
    gates = gate_results(study, rows)
    outcomes, calibration = {}, {}
    for claim in study.claims:
        own = [row for row in rows if row.claim == claim.id]
        outcomes[claim.id] = str(judge_claim(claim, own, gates, job.seed, against).judgement.outcome[0])
        assert claim.decision is not None
        if outcomes[claim.id] == "agrees" and rule_to_calibrate(claim.decision) in CALIBRATED_RULES:
            material = Material(
                _of(study, claim),
                drawn.expression.__getitem__,
                tables.__getitem__,
                sets,
                job.seed,
                drawn.bindings.__getitem__,
                lambda: drawn.genome,
            )
            (record,) = calibrate_study(material, rows).claims
            calibration[claim.id] = Calibration.of(record)
    found = []
    company = assess(study, rows, job.world, job.seed, calibration, comparators=against).claims
    for claim, together in zip(study.claims, company, strict=True):
        alone = together
        if outcomes[claim.id] in ("agrees", "opposite") and together.verdict != "supported":
            (alone,) = assess(
                _of(study, claim), rows, job.world, job.seed, calibration, comparators=against
            ).claims
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
                kept=sum(kept.get(name, False) for name in datasets_of(_of(study, claim))),
            )
        )
    return found


# Many simulations


def measure(
    seeds: Sequence[int],
    apply: Callable[[Callable[[Job], list[Result]], Iterable[Job]], Iterable[list[Result]]] = map,
    only: Collection[str] | None = None,
    tell: Callable[[str], object] = lambda _: None,
    what: Measurement = WITHOUT_PEAKS,
) -> list[Result]:
    """Results of every world and seed, in this order; `apply` may be that of a pool that keeps the order."""
    chosen = None if only is None else frozenset(only)
    jobs = [Job(what.study, world, seed, chosen) for world in what.worlds for seed in seeds]
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
    parser.add_argument("--peaks", action="store_true", help="measure the claims on peaks, and no others")
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="seeds 1 to N (%(default)s)")
    parser.add_argument("--out", type=Path, help="the page to write (its place in docs/)")
    asked = parser.parse_args()
    what = ON_PEAKS if asked.peaks else WITHOUT_PEAKS
    out: Path = asked.out or what.out
    with get_context("fork").Pool(min(PROCESSES, os.cpu_count() or 1)) as pool:
        results = measure(
            range(1, asked.seeds + 1), pool.imap, tell=lambda line: print(line, flush=True), what=what
        )
    write_whole(out, lambda path: path.write_text(what.page(results), encoding="utf-8"))
    print(f"written: {out}")


if __name__ == "__main__":
    main()
