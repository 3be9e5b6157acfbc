"""How often each decision rule is wrong, and how often right: docs/calibration.md, from simulated data.

For every seed and world the claims of calibrate.yaml go through the functions of the workflow's own jobs: simulate,
analyse, calibrate, assess. Only the services' wire formats are left out. So do the claims of the TREX1 study, with
the labels of their samples shuffled. Results depend on the seeds alone, not on the number of processes.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args
from zlib import crc32

import anndata
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

import reclaim
from reclaim.analyses import mutation_frequency, mutual_exclusivity
from reclaim.analyses.detection import detection
from reclaim.analyses.differential_expression import differential_expression
from reclaim.analyses.on_mutations import LoadedCohort, run_tests
from reclaim.analyses.testing import run_each
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.calibration.modules import exact_interval
from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.claim_tests import ClaimTest, DifferentialExpression
from reclaim.config import World
from reclaim.dataset import CbioportalDataset, Dataset, GeoDataset, XenaDataset
from reclaim.evidence import Estimate, EvidenceRow
from reclaim.expression import derive_columns, select_samples
from reclaim.job import write_whole
from reclaim.judging import gate_results, judge_claim
from reclaim.ledger import Ledger
from reclaim.mutations import Cohort, one_tumour_per_patient
from reclaim.plan import Plan, make_plan
from reclaim.pooling import TAU_SCALE, pool_effects
from reclaim.rules import MARGIN
from reclaim.simulate import expression as simulated
from reclaim.simulate import internet
from reclaim.simulate.cohort import simulate_cohort
from reclaim.simulate.effects import (
    EFFECT,
    EQUIVALENCE_EFFECT,
    NUISANCE_EFFECT,
    NUISANCE_SHARE,
    NUISANCE_SPREAD,
)
from reclaim.simulate.truth import LOW_CONTENT, ODDS_RATIO, SHARE, plant
from reclaim.sources.xena_matrix import VALUES
from reclaim.study import Claim, Equivalence, Study
from reclaim.verdict import (
    BACKGROUND_DESCRIPTIVE,
    VERDICTS,
    Calibration,
    assess,
    rule_to_calibrate,
)

ROOT = Path(__file__).parents[1]
RULES, TREX1 = ROOT / "benchmarks" / "calibrate.yaml", ROOT / "seeds" / "trex1_sting.yaml"
WITHOUT_EFFECT: tuple[World, ...] = ("no_effect", "confounded")
WORLDS: tuple[World, ...] = (*WITHOUT_EFFECT, "as_claimed")
SHUFFLED = "shuffled labels"
BATCH = "batch"
"""As confounded, but the nuisance is the same in all samples of an arm."""
UNPLANTED = ("HOUSEKEEPING",)
"""Claims for which nothing is simulated: their genes are as all others."""
ON_EXPRESSION = ("differential_expression", "detection")
ON_MUTATIONS: Mapping[str, tuple[Any, Any]] = {
    "mutation_frequency": (mutation_frequency.mutation_frequency, mutation_frequency.genes_of),
    "mutual_exclusivity": (mutual_exclusivity.mutual_exclusivity, mutual_exclusivity.genes_of),
}
"""The estimate of an analysis, and the genes that its tests name."""
SEEDS, PROCESSES = 200, 2
LIMIT = 0.05
"""Share of false support that a rule is meant to stay below."""
ENOUGH_POWER = 0.8


@dataclass(frozen=True)
class Result:
    """What became of one claim in one simulation. `world` may be BATCH or SHUFFLED.

    `verdict` is that of the claim as the only one of its study, `in_company` that among all others, which Holm's
    correction counts. `kept`: data sets in which shuffling left every label as it was.
    """

    world: str
    seed: int
    claim: str
    outcome: str
    verdict: str
    in_company: str
    reason: str
    background: float | None
    kept: int = 0


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
    kept = {name: _shuffle_labels(study, name, one, job.seed) for name, one in data.items()}
    return _judged(job, plan_of(TREX1), study, data, {}, kept)


@cache
def plan_of(path: Path) -> Plan:
    """The plan of one study alone."""
    return make_plan({"studies": [str(path)], "panel": False}, ROOT / "seeds")


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


# Data in memory, as the loaders would give them


def draw_expression(
    study: Study, names: Collection[str], world: World, seed: int, nuisance_spread: float = NUISANCE_SPREAD
) -> dict[str, anndata.AnnData]:
    """Canonical expression of those data sets `names` that hold any; the same values as in the simulated store."""
    found = {}
    for source in internet._same_source(study).values():
        if set(source) & set(names):
            generator = internet._generator(study, source[0], world, seed)
            drawn, _ = simulated.simulate_expression(study, source, world, generator, nuisance_spread)
            for name in source:
                if name in names:
                    generator = internet._generator(study, f"{source[0]} values", world, seed)
                    found[name] = _canonical(drawn, study.datasets[name], generator)
    return found


def _canonical(
    drawn: simulated.SimulatedExpression, dataset: Dataset, generator: np.random.Generator
) -> anndata.AnnData:
    reads, samples = simulated.counts(drawn, generator), drawn.samples
    values, unit = reads, "counts"
    if isinstance(dataset, XenaDataset):
        unit = VALUES[dataset.values].unit
        if unit != "counts":
            values = np.log2(1 + simulated._normalised(reads, dataset.values)).astype(np.float32)
    elif isinstance(dataset, GeoDataset) and dataset.expression == "series_matrix":
        values, unit = np.log2(1 + reads), "log2_intensity"
    elif isinstance(dataset, GeoDataset) and dataset.expression == "supplementary":
        own = samples.index.isin([name for table in dataset.supplementary for name in table.columns_of])
        values, samples = reads[own], samples[own]
    data = anndata.AnnData(
        values,
        obs=derive_columns(samples, getattr(dataset, "derive", {})),
        var=pd.DataFrame({"locus_group": "protein-coding gene"}, index=pd.Index(drawn.genes)),
        uns={"unit": unit},
    )
    return select_samples(data, dataset.samples)[0].copy()


def draw_cohorts(study: Study, names: Collection[str], world: World, seed: int) -> dict[str, Cohort]:
    """Cohorts of mutations, one tumour per patient, of those data sets `names` that are studies of cBioPortal;
    without copy number."""
    found = {}
    for name in names:
        dataset = study.datasets[name]
        if not isinstance(dataset, CbioportalDataset):
            continue
        columns = {**dataset.expect, **dataset.samples}
        generator = internet._generator(study, name, world, seed)
        drawn = simulate_cohort(name, dataset, columns, plant(study, name, world), generator)
        table, maf = drawn.samples, drawn.mutations
        mutations = {
            "sample": maf["Tumor_Sample_Barcode"],
            "gene": maf["Hugo_Symbol"],
            "classification": maf["Variant_Classification"],
            "protein_change": maf["HGVSp_Short"].str.removeprefix("p."),
        }
        samples = {
            "sample": table["SAMPLE_ID"],
            "patient": table["PATIENT_ID"],
            "sequenced": table["SAMPLE_ID"].isin(drawn.sequenced),
            "copy_number": False,
        }
        whole = Cohort(
            pd.DataFrame(mutations),
            Cohort.empty().copy_number,
            pd.DataFrame(samples),
            table.set_index("SAMPLE_ID").rename_axis("sample"),
        )
        found[name] = one_tumour_per_patient(whole, dataset.samples)[0].validated()
    return found


def _shuffle_labels(study: Study, name: str, data: anndata.AnnData, seed: int) -> bool:
    """Deal out anew, within strata, the columns that tell case from control. Whether all fell as they were."""
    tests = [
        test
        for _, test in study.tests()
        if isinstance(test, DifferentialExpression) and test.role == "primary" and name in test.datasets
    ]
    labels = sorted({column for test in tests for column in (*test.contrast.case, *test.contrast.control)})
    strata = next((test.strata for test in tests if test.strata), None)
    generator = np.random.default_rng([seed, crc32(f"shuffled {name}".encode())])
    order = np.arange(data.n_obs)
    parts = data.obs.groupby(strata).indices.values() if strata else [order.copy()]
    for part in parts:
        order[part] = generator.permutation(part)
    before = data.obs[labels].to_numpy(object)
    data.obs[labels] = before[order]
    return bool((before == before[order]).all())


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


# The page


@dataclass(frozen=True)
class Count:
    """k of n, with the exact interval."""

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        return exact_interval(self.k, self.n)

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = (100 * end for end in self.interval)
        return f"{self.k}/{self.n} ({100 * self.k / self.n:.1f} %, {low:.1f} to {high:.1f})"


def count(results: Sequence[Result], meets: Callable[[Result], bool]) -> Count:
    """How many of the results meet a condition."""
    return Count(sum(map(meets, results)), len(results))


def agrees(one: Result) -> bool:
    """Whether the claim's rule agrees, before replication and calibration."""
    return one.outcome == "agrees"


def supported(one: Result) -> bool:
    """Whether the verdict is supported."""
    return one.verdict == "supported"


Found = Mapping[tuple[str, str], Sequence[Result]]
"""Results by world and claim, one per seed."""


def page(results: Sequence[Result]) -> str:
    """docs/calibration.md."""
    seeds = sorted({one.seed for one in results})
    known = {one.claim for one in results}
    (study,) = plan_of(RULES).studies.values()
    claims = [claim for claim in study.claims if claim.id in known]
    rules = [claim for claim in claims if claim.id not in UNPLANTED]
    of: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        of.setdefault((one.world, one.claim), []).append(one)
    parts = [_introduction(seeds)]
    if rules:
        parts += [
            f"## Each rule\n\n{_described(rules)}\n{_rates(rules, of)}",
            f"## What was found\n\n{_findings(rules, of)}",
            f"## Base rates, and all claims together\n\n{_beside(claims, of)}",
        ]
    parts += [f"## Housekeeping genes\n\n{_housekeeping(of, name)}" for name in UNPLANTED if name in known]
    if any(one.world == BATCH for one in results):
        parts.append(f"## A nuisance that is the arm\n\n{_batch(claims, of)}")
    if any(one.world == SHUFFLED for one in results):
        parts.append(f"## Shuffled labels\n\n{_shuffled_labels(of)}")
    return "\n".join(parts)


def _introduction(seeds: Sequence[int]) -> str:
    packages = ("numpy", "scipy", "pandas", "statsmodels", "pydeseq2", "anndata")
    versions = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    versions += [f"{name} {version(name)}" for name in packages]
    command = "make calibrate" if len(seeds) == SEEDS else f"benchmarks/calibrate.py --seeds {len(seeds)}"
    return f"""# How often each rule is wrong, and how often right

Everything on this page is **SIMULATED**. It says how the rules behave where the truth is known, and nothing about
any real claim.

`{command}` takes the claims of [benchmarks/calibrate.yaml](../benchmarks/calibrate.yaml), one per decision rule and
kind of data, through the workflow's own analysis, calibration and assessment, in data that are drawn anew for each of
{len(seeds)} seeds and three worlds. Only the file formats of the services are left out. Nothing was tuned to what came
out, and the same seeds give the same page
({", ".join(versions)}; reclaim {reclaim.__version__}).

- **no_effect**: nothing is there. For a bound the truth lies on it ({_percent(SHARE["rare"]["no_effect"])} for rare,
  {_percent(SHARE["nearly_all"]["no_effect"])} for nearly all); for an equivalence the effect is {EQUIVALENCE_EFFECT["no_effect"]:g},
  as large as a set's margin.
- **confounded**: as no_effect, but a nuisance such as purity raises {_percent(NUISANCE_SHARE)} of all genes in the case
  group by {NUISANCE_EFFECT:g} (log2, by a quarter more or less), the same ones in every cohort, and every gene that a claim is
  about. Within an arm it varies with a standard deviation of {NUISANCE_SPREAD:g} times that. Low tumour content hides most mutations of
  {_percent(LOW_CONTENT["confounded"])} of the patients. For an equivalence the effect is {EQUIVALENCE_EFFECT["confounded"]:g}, hidden by the nuisance.
- **as_claimed**: every claim is true. The log2 fold change is {EFFECT["as_claimed"]:g}, {1.5 * EFFECT["as_claimed"]:g} where the claim
  says marked and {EQUIVALENCE_EFFECT["as_claimed"]:g} for an equivalence; shares are {_percent(SHARE["rare"]["as_claimed"], 1)} and
  {_percent(SHARE["nearly_all"]["as_claimed"])}; the odds ratio is {ODDS_RATIO["as_claimed"]:g}.

Beside each number of seeds stands its share with the exact binomial 95 % interval. A claim is assessed as if it were
alone in its study: no rate is low only because Holm's correction counts its neighbours.
"""


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _described(rules: Sequence[Claim]) -> str:
    rows = [(claim.id, claim.statement.rstrip("."), _rule_words(claim)) for claim in rules]
    return _table(("claim", "says", "rule"), rows)


def _rule_words(claim: Claim) -> str:
    decision = claim.decision
    assert decision is not None
    detail = getattr(decision, "share", None) or getattr(decision, "bound", None)
    detail = detail or ("marked" if decision.marked else "")
    return f"{decision.rule} ({detail.replace('_', ' ')})" if detail else decision.rule


def _rates(rules: Sequence[Claim], of: Found) -> str:
    rows = []
    for claim in rules:
        row: list[object] = [claim.id]
        for world in WITHOUT_EFFECT:
            here = of[world, claim.id]
            false = count(here, supported)
            row += [count(here, agrees), f"**{false}**" if _too_often(claim, world, of) else false]
        here = of["as_claimed", claim.id]
        better = count(here, lambda one: one.verdict in ("supported", "consistent"))
        rows.append([*row, count(here, agrees), better, count(here, supported)])
    header = ["claim"]
    header += [f"{world}: {what}" for world in WITHOUT_EFFECT for what in ("rule agrees", "supported")]
    header += [f"as_claimed: {what}" for what in ("rule agrees", "consistent or better", "supported")]
    note = (
        "In no_effect and confounded these are errors, in as_claimed they are power. **Bold**: the interval of "
        f"false support reaches above {_percent(LIMIT)}, which the rule is meant to stay below."
    )
    true = [claim.id for claim in rules if _holds(claim, "confounded")]
    if true:
        note += f" Of {_listed(true)} nothing is an error in confounded, where the truth is as claimed."
    return f"{_table(header, rows)}\n{note}\n"


def _too_often(claim: Claim, world: str, of: Found) -> bool:
    """Whether false support may be more frequent than it is meant to be."""
    return not _holds(claim, world) and count(of[world, claim.id], supported).interval[1] > LIMIT


def _holds(claim: Claim, world: str) -> bool:
    """Whether the claim is true although nothing is planted for it."""
    return world == "confounded" and isinstance(claim.decision, Equivalence)


def _findings(rules: Sequence[Claim], of: Found) -> str:
    """What the table shows, in words; all numbers are taken from it."""
    parts = [
        _without_effect(rules, of),
        _with_nuisance(rules, of),
        _power(rules, of),
        _too_few_cohorts(rules),
        _contradicted(rules, of),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _without_effect(rules: Sequence[Claim], of: Found) -> str:
    false = {claim.id: count(of["no_effect", claim.id], supported) for claim in rules}
    never = [name for name, one in false.items() if not one.k]
    seeds = max(one.n for one in false.values())
    limit = _percent(Count(0, seeds).interval[1], 1)
    text = f"**no_effect.** {len(never)} of {len(rules)} claims were supported in no seed"
    text += f", which leaves less than {limit} for each. " if never else ". "
    some = [f"{name} was in {one}" for name, one in false.items() if one.k]
    if some:
        text += f"{_listed(some)}. "
    text += (
        "For bounds and equivalences the truth lies on the limit itself, where the 95 % interval of a single cohort errs "
        "on this side in 2.5 %. Those of several cohorts err less: the prior on how much cohorts differ makes them wide."
    )
    if any(_too_often(claim, "no_effect", of) for claim in rules):
        allowed = max((k for k in range(seeds) if Count(k, seeds).interval[1] <= LIMIT), default=None)
        text += (
            f" With {seeds} seeds the interval stays below {_percent(LIMIT)} when no more than {allowed} of them err."
            if allowed is not None
            else f" {seeds} seeds are too few for any interval below {_percent(LIMIT)}."
        )
    return text


def _with_nuisance(rules: Sequence[Claim], of: Found) -> str:
    false = {claim.id: count(of["confounded", claim.id], supported) for claim in rules}
    often = [claim.id for claim in rules if _too_often(claim, "confounded", of) and false[claim.id].k]
    if not often:
        limit = max(false[claim.id].interval[1] for claim in rules if not _holds(claim, "confounded"))
        few = "" if limit <= LIMIT else f" (more seeds are needed to tell it from {_percent(LIMIT)})"
        return (
            "**confounded.** No claim was supported more often than is meant: all intervals end at or below "
            f"{_percent(limit, 1)}{few}. {SEEN_BY_BASE_RATE}"
        )
    rates = [rate for name in often if (rate := _base_rate(of["confounded", name])) is not None]
    told = f"medians {_percent(min(rates), 1)} to {_percent(max(rates), 1)}" if rates else "not computed"
    return (
        f"**confounded.** {_listed(often)} were called supported more often than is meant, although nothing is there but the "
        f"nuisance: the base rate among comparable genes ({told}) does not always reach the cap of "
        f"{_percent(BACKGROUND_DESCRIPTIVE)}. {SEEN_BY_BASE_RATE}"
    )


SEEN_BY_BASE_RATE = (
    "A nuisance goes with the case group: permuted labels cannot show it, and the interval is right about a difference that "
    "is in the data. Only the base rate among comparable genes tells, and only because genes are matched on their loading on "
    "the difference between the arms: among random genes the nuisance is too rare, and no random set has all its members "
    "moved by it."
)


def _batch(claims: Sequence[Claim], of: Found) -> str:
    rows = []
    for claim in claims:
        here = of.get((BATCH, claim.id))
        if here:
            rate = _base_rate(here)
            rows.append(
                (
                    claim.id,
                    count(here, agrees),
                    "" if rate is None else _percent(rate, 1),
                    count(here, supported),
                )
            )
    return (
        "As confounded, but the nuisance is the same in all samples of an arm, as when each arm is a batch of its own. Nothing "
        "within the arms shows it then, so that no matching on the data can. What remains is how many of all genes it moves: "
        "where it moves many, the base rate caps; where it moves a set as a whole, and few others, it looks like the claim. "
        "Against that only the design helps: arms that share their batches. Data sets that name the project of each sample "
        "(`source_column`) are told apart from such ones, and case and control that never share a project decide nothing.\n\n"
        + _table(("claim", "rule agrees", "base rate (median)", "supported"), rows)
    )


def _power(rules: Sequence[Claim], of: Found) -> str:
    power = {claim.id: count(of["as_claimed", claim.id], supported) for claim in rules}
    weak = [name for name, one in power.items() if one.k < ENOUGH_POWER * one.n]
    text = f"**as_claimed.** {len(rules) - len(weak)} of {len(rules)} claims were supported in {_percent(ENOUGH_POWER)} of the seeds or more."
    if weak:
        text += " The others, with the reason that most seeds give:\n"
    for name in weak:
        here = [one for one in of["as_claimed", name] if not supported(one)]
        held = [one for one in here if agrees(one)] or here
        reasons = Counter(re.sub(r"\d[\d.e-]*", "#", one.reason) for one in held)
        usual = reasons.most_common(1)[0][0]
        shown = next(one for one in held if re.sub(r"\d[\d.e-]*", "#", one.reason) == usual)
        text += f'\n- {name}: {power[name]}. "{shown.reason.removeprefix("SIMULATED data: ")}" (seed {shown.seed})'
    return text


def _too_few_cohorts(rules: Sequence[Claim]) -> str:
    few = [
        claim.id
        for claim in rules
        if isinstance(claim.decision, Equivalence) and any(len(test.datasets) == 2 for test in claim.tests)
    ]
    if not few:
        return ""
    name = "set_log2_fold_change"
    ends = pool_effects(np.zeros((2, 1)), np.full((2, 1), 1e-3), TAU_SCALE[name])
    return (
        f"Two cohorts, however large, cannot show an equivalence of sets ({_listed(few)}). They say little about how much "
        f"cohorts differ, so that the interval of their mean reaches {float(ends.ci_high[0]):.2f} to either side even without "
        f"any error of their own, and the margin is {MARGIN[name]:g}. Five cohorts can."
    )


def _contradicted(rules: Sequence[Claim], of: Found) -> str:
    """In none of these worlds is the opposite of a claim true."""
    found = []
    for world in WORLDS:
        wrong = {claim.id: count(of[world, claim.id], _is_contradicted) for claim in rules}
        named = [f"{name} in {one}" for name, one in wrong.items() if one.k]
        found.append(f"in {world} {_listed(named) if named else 'no claim'}")
    text = f"**Contradicted**, which would be wrong in all three worlds, was {_listed(found)}."
    if any(map(_is_contradicted, (one for claim in rules for one in of["confounded", claim.id]))):
        text += (
            " The nuisance raises genes, so that it speaks against claims of a fall or of no difference as loudly as it "
            "speaks for claims of a rise. Calibration caps agreement only: nothing asks how many comparable genes are opposite "
            "too. Read a `contradicted` with the base rate in mind."
        )
    return text


def _is_contradicted(one: Result) -> bool:
    return one.verdict == "contradicted"


def _base_rate(results: Sequence[Result]) -> float | None:
    """Median over the seeds that have one."""
    rates = [one.background for one in results if one.background is not None]
    return float(np.median(rates)) if rates else None


def _beside(claims: Sequence[Claim], of: Found) -> str:
    rows = []
    for claim in claims:
        rates = [_base_rate(of[world, claim.id]) for world in WORLDS]
        together = [count(of[world, claim.id], lambda one: one.in_company == "supported") for world in WORLDS]
        rows.append([claim.id, *("" if rate is None else _percent(rate, 1) for rate in rates), *together])
    header = [f"{world}: {what}" for what in ("base rate", "supported") for world in WORLDS]
    return (
        "First the share of comparable genes or sets on which the rule agrees as well (`background_rate`; the median over "
        "the seeds in which it agrees on the claim itself). Then how often a claim is supported when all "
        f"{len(claims)} stand in one study and Holm's correction counts them all.\n\n"
        + _table(["claim", *header], rows)
    )


def _housekeeping(of: Found, name: str) -> str:
    rows = []
    for world in WORLDS:
        here = of[world, name]
        by_verdict = Counter(one.verdict for one in here)
        others = [f"{by_verdict[verdict]} {verdict}" for verdict in VERDICTS if by_verdict[verdict]]
        rows.append([world, count(here, agrees), count(here, supported), ", ".join(others)])
    rate = _base_rate(of["confounded", name])
    return (
        "A claim that eleven housekeeping genes as a set are higher in case than in control, in two cohorts. Nothing is "
        "planted for it in any world: its genes are like those that no claim is about, so that in confounded each of them has "
        f"the chance of any other gene to be raised, {_percent(NUISANCE_SHARE)}. It should be supported in no world.\n\n"
        + _table(["world", "rule agrees", "supported", "verdicts"], rows)
        + (
            f"\nWhere the rule agrees in confounded, comparable sets pass as well: {_percent(rate)} of them (median).\n"
            if rate is not None
            else ""
        )
    )


def _shuffled_labels(of: Found) -> str:
    (study,) = plan_of(TREX1).studies.values()
    claims = [claim for claim in study.claims if (SHUFFLED, claim.id) in of]
    rows = []
    for claim in claims:
        here = of[SHUFFLED, claim.id]
        true, mixed = ([one for one in here if bool(one.kept) is kept] for kept in (True, False))
        some = [count(part, agrees) for part in (here, true, mixed)]
        rows.append([claim.id, _rule_words(claim), *some, count(here, supported)])
    header = [
        "claim",
        "rule",
        "rule agrees",
        "where a data set kept its labels",
        "where none did",
        "supported",
    ]
    return (
        "The study [trex1_sting](../seeds/trex1_sting.yaml) in as_claimed, with the labels of its samples (drug or none, tumour "
        "or normal tissue) dealt out anew within each data set and stratum. Its primary tests and gates are run.\n\n"
        + _table(header, rows)
        + "\n"
        + SHUFFLED_FINDING
    )


SHUFFLED_FINDING = """\
Supported cannot come out here, shuffled or not: T1, T2, T5 and T6 rest on lines with two or three samples per arm, whose
labels are too few to be permuted, and T3 on strata of one data set. What tells is how often the rule agrees. Two against
two can be dealt out in 6 ways, three against three in 20, and one of these is the true one, so that in 25 % of the seeds
at least one of the three lines keeps its labels. There the effect is truly in the data. It decides T1 the more, since its
gate (CXCL10 must rise) voids the lines whose labels were mixed. This is why permutation needs five samples per arm, and why
claims without it are consistent at best. T3 has 20 against 12 in each of 16 strata.
"""


def _listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


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
