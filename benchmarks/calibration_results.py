"""What is measured: in which worlds, and what became of each claim in how many simulations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from reclaim.calibration.modules import exact_interval
from reclaim.config import World
from reclaim.decisions import Equivalence
from reclaim.plan import Plan, make_plan
from reclaim.study import Claim

ROOT = Path(__file__).parents[1]
RULES, TREX1 = ROOT / "benchmarks" / "calibrate.yaml", ROOT / "seeds" / "trex1_sting.yaml"
PEAKS = ROOT / "benchmarks" / "calibrate_peaks.yaml"
WITHOUT_EFFECT: tuple[World, ...] = ("no_effect", "confounded")
WORLDS: tuple[World, ...] = (*WITHOUT_EFFECT, "as_claimed")
PEAKS_WITHOUT_EFFECT: tuple[World, ...] = (*WITHOUT_EFFECT, "reversed")
PEAKS_WORLDS: tuple[World, ...] = (*PEAKS_WITHOUT_EFFECT, "as_claimed")
SHUFFLED = "shuffled labels"
BATCH = "batch"
"""As confounded, but the nuisance is the same in all samples of an arm."""
UNPLANTED = ("HOUSEKEEPING",)
"""Claims for which nothing is simulated: their genes are as all others."""
SEEDS = 200
LIMIT = 0.05
"""Share of false support that a rule is meant to stay below."""


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


Found = Mapping[tuple[str, str], Sequence[Result]]
"""Results by world and claim, one per seed."""


@cache
def plan_of(path: Path) -> Plan:
    """The plan of one study alone."""
    return make_plan({"studies": [str(path)], "panel": False}, ROOT / "seeds")


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


def is_contradicted(one: Result) -> bool:
    """Whether the verdict is contradicted."""
    return one.verdict == "contradicted"


def better_than_inconclusive(one: Result) -> bool:
    """Whether the verdict is consistent or supported."""
    return one.verdict in ("supported", "consistent")


def supported(one: Result) -> bool:
    """Whether the verdict is supported."""
    return one.verdict == "supported"


def holds(claim: Claim, world: str) -> bool:
    """Whether the claim is true although nothing is planted for it."""
    return world == "confounded" and isinstance(claim.decision, Equivalence)


def without_estimate(one: Result) -> bool:
    """Whether no data set gave a number that the rule could judge."""
    return "no estimate" in one.reason


def too_often(claim: Claim, world: str, of: Found) -> bool:
    """Whether false support may be more frequent than it is meant to be."""
    return not holds(claim, world) and count(of[world, claim.id], supported).interval[1] > LIMIT


def by_world_and_claim(results: Iterable[Result]) -> dict[tuple[str, str], list[Result]]:
    """The results of every world and claim, in their order."""
    of: dict[tuple[str, str], list[Result]] = {}
    for one in results:
        of.setdefault((one.world, one.claim), []).append(one)
    return of


def base_rate(results: Sequence[Result]) -> float | None:
    """Median over the seeds that have one."""
    rates = [one.background for one in results if one.background is not None]
    return float(np.median(rates)) if rates else None
