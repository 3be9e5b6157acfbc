"""What the pages on calibration share: how they begin, and their tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from calibration_findings import listed, percent
from calibration_results import (
    LIMIT,
    SEEDS,
    Found,
    agrees,
    better_than_inconclusive,
    count,
    holds,
    supported,
    too_often,
)

import reclaim
from reclaim.study import Claim

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "pydeseq2", "anndata")
NUMBERS = {3: "three", 4: "four"}


def introduction(
    title: str, study: Path, claims: str, worlds: Mapping[str, str], seeds: Sequence[int], option: str = ""
) -> str:
    """Title, what was done, and what is planted in each of the worlds; `claims` are those of the study in words,
    `option` asks the script for them."""
    versions = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    versions += [f"{name} {version(name)}" for name in PACKAGES]
    command = "make calibrate"
    if len(seeds) != SEEDS:
        command = f"benchmarks/calibrate.py{option} --seeds {len(seeds)}"
    planted = "\n".join(f"- **{world}**: {told}" for world, told in worlds.items())
    return f"""# {title}

Everything on this page is **SIMULATED**. It says how the rules behave where the truth is known, and nothing about
any real claim.

`{command}` takes the claims of [benchmarks/{study.name}](../benchmarks/{study.name}), {claims}, through the workflow's own analysis, calibration and assessment, in data that are drawn anew for each of
{len(seeds)} seeds and {NUMBERS[len(worlds)]} worlds. Only the file formats of the services are left out. Nothing was tuned to what came
out, and the same seeds give the same page
({", ".join(versions)}; reclaim {reclaim.__version__}).

{planted}

Beside each number of seeds stands its share with the exact binomial 95 % interval. A claim is assessed as if it were
alone in its study: no rate is low only because Holm's correction counts its neighbours.
"""


def described(rules: Sequence[Claim]) -> str:
    """A table of what each claim says."""
    rows = [(claim.id, claim.statement.rstrip("."), rule_words(claim)) for claim in rules]
    return table(("claim", "says", "rule"), rows)


def rule_words(claim: Claim) -> str:
    """The rule of a claim, and what it asks for."""
    decision = claim.decision
    assert decision is not None
    detail = getattr(decision, "share", None) or getattr(decision, "bound", None)
    detail = detail or ("marked" if decision.marked else "")
    return f"{decision.rule} ({detail.replace('_', ' ')})" if detail else decision.rule


def rates(rules: Sequence[Claim], of: Found, without_effect: Sequence[str]) -> str:
    """A table of errors in the worlds in which the claims are not true, and of power in as_claimed."""
    rows = []
    for claim in rules:
        row: list[object] = [claim.id]
        for world in without_effect:
            here = of[world, claim.id]
            false = count(here, supported)
            row += [count(here, agrees), f"**{false}**" if too_often(claim, world, of) else false]
        here = of["as_claimed", claim.id]
        better = count(here, better_than_inconclusive)
        rows.append([*row, count(here, agrees), better, count(here, supported)])
    header = ["claim"]
    header += [f"{world}: {what}" for world in without_effect for what in ("rule agrees", "supported")]
    header += [f"as_claimed: {what}" for what in ("rule agrees", "consistent or better", "supported")]
    note = (
        f"In {listed(without_effect)} these are errors, in as_claimed they are power. **Bold**: the interval of "
        f"false support reaches above {percent(LIMIT)}, which the rule is meant to stay below."
    )
    true = [claim.id for claim in rules if holds(claim, "confounded")]
    if true:
        note += f" Of {listed(true)} nothing is an error in confounded, where the truth is as claimed."
    return f"{table(header, rows)}\n{note}\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
