"""Which regions each factor binds in each kind of cells, SIMULATED.

Regions differ in how open they are, and open regions are bound by most factors: crude overlaps are large in every world.
What a claim says comes on top of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from reclaim.claim_tests import (
    BoundAndDeregulated,
    ClaimTest,
    PeakColocalization,
    TargetGenes,
    antigens_of,
)
from reclaim.config import World
from reclaim.simulate.effects import FALLS, RISES, response_of
from reclaim.simulate.genome import distal_sites, transcription_starts

PARTNER: dict[World, float] = {"as_claimed": 1.2, "no_effect": 0.0, "confounded": 0.0, "reversed": -1.5}
"""Log odds ratio between query and partner beyond how open a region is, in the claimed direction."""
RESPONSE: dict[World, float] = {"as_claimed": 2.0, "no_effect": 0.0, "confounded": 0.0, "reversed": -2.0}
"""The same between a peak of the query at a promoter and the response of its gene."""
OPENNESS: dict[World, float] = {"as_claimed": 1.0, "no_effect": 1.0, "confounded": 2.0, "reversed": 1.0}
"""How much more query and partner follow open regions than other factors do: in `confounded` they meet there only."""
TOLD_LOG_ODDS, OTHER_LOG_ODDS, ANTIGEN_SPREAD = -3.0, -2.0, 0.3
"""Of being bound, in a region as open as most, by antigens that a test names and by others, and the standard deviation over
antigens. Others bind more, so that how many there are tells how open a region is."""
REGION_SPREAD, PROMOTER_OPENNESS = 1.2, 0.8
"""Standard deviation of openness over regions, and by how much promoters are more open."""
OPENNESS_SPREAD = 0.25
"""Standard deviation, over other factors, of how much they follow open regions."""
CONFOUNDED_OPENNESS = 2.0
"""confounded: by how much promoters of the genes that a claim is about are more open than others."""

RegionClaim = PeakColocalization | TargetGenes | BoundAndDeregulated


def simulated_regions(genes: Sequence[str], generator: np.random.Generator) -> pd.DataFrame:
    """Promoters of the genes, in their order, and distal regions: chrom, middle, openness."""
    promoters = transcription_starts(genes)
    regions = pd.concat([promoters, distal_sites()], ignore_index=True)
    openness = generator.normal(0, REGION_SPREAD, len(regions))
    openness[: len(promoters)] += PROMOTER_OPENNESS
    return regions.assign(openness=openness)


def peaks_dataset(test: ClaimTest) -> list[str]:
    """Data sets whose peaks a test looks at."""
    peaks = test.with_.get("peaks")
    return [peaks] if isinstance(peaks, str) else test.datasets


def simulated_binding(
    tests: Sequence[RegionClaim],
    world: World,
    antigens: Sequence[str],
    genes: Sequence[str],
    regions: pd.DataFrame,
    generator: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Antigen -> which regions it binds in one kind of cells (one truth value each), as the tests on these cells claim.

    A partner follows its query as planted, a query the genes that respond, and both are at the genes that a test names;
    all else follows open regions only.
    """
    openness = regions["openness"].to_numpy().copy()
    if world == "confounded":
        openness[: len(genes)] += CONFOUNDED_OPENNESS * np.isin(genes, _told_genes(tests, genes))
    told = {name for test in tests for name in antigens_of(test)}
    log_odds = {
        antigen: generator.normal(TOLD_LOG_ODDS if antigen in told else OTHER_LOG_ODDS, ANTIGEN_SPREAD)
        + (OPENNESS[world] if antigen in told else generator.normal(1.0, OPENNESS_SPREAD)) * openness
        for antigen in sorted(antigens)
    }
    found: dict[str, np.ndarray] = {}
    queries = {test.query for test in tests}
    for antigen in sorted(antigens, key=lambda name: (name not in queries, name)):
        log_odds[antigen] += _of_response(tests, antigen, world, genes, len(regions))
        log_odds[antigen] += _of_query(tests, antigen, world, found)
        found[antigen] = generator.random(len(regions)) < expit(log_odds[antigen])
    _at_named_genes(tests, world, genes, found)
    return found


def planted_log_odds(test: PeakColocalization, world: World) -> float:
    """Between query and partner."""
    return PARTNER[world] * (-1 if test.expected == "negative" else 1)


def _told_genes(tests: Sequence[RegionClaim], genes: Sequence[str]) -> list[str]:
    """Genes that a test names, and those that respond."""
    named = [gene for test in tests if isinstance(test, TargetGenes) for gene in test.genes]
    responding = any(isinstance(test, BoundAndDeregulated) for test in tests)
    return [*named, *(gene for gene in genes if responding and response_of(gene) == FALLS)]


def _of_response(
    tests: Sequence[RegionClaim], antigen: str, world: World, genes: Sequence[str], regions: int
) -> np.ndarray:
    """What the first primary test of this query adds at the promoters of genes that respond."""
    added = np.zeros(regions)
    for test in tests:
        if isinstance(test, BoundAndDeregulated) and test.query == antigen and test.role == "primary":
            responding = FALLS if test.response == "falls" else RISES
            sign = -1 if test.expected == "negative" else 1
            at = np.array([response_of(gene) == responding for gene in genes])
            added[: len(genes)] = sign * RESPONSE[world] * at
            break
    return added


def _of_query(
    tests: Sequence[RegionClaim], antigen: str, world: World, found: Mapping[str, np.ndarray]
) -> np.ndarray | float:
    for test in tests:
        if isinstance(test, PeakColocalization) and test.partner == antigen and test.query in found:
            follows = found[test.query]
            return np.asarray(planted_log_odds(test, world) * (follows - follows.mean()))
    return 0.0


def _at_named_genes(
    tests: Sequence[RegionClaim], world: World, genes: Sequence[str], found: dict[str, np.ndarray]
) -> None:
    """Query and partners at the promoters of the genes that a test names, or not, in the worlds that tell. The first
    test of a gene and a query decides; with partners the query is there either way."""
    if PARTNER[world] == 0:
        return
    decided: set[tuple[str, str]] = set()
    place = {gene: i for i, gene in enumerate(genes)}
    for test in tests:
        if not isinstance(test, TargetGenes):
            continue
        there = (PARTNER[world] > 0) == (test.expected == "positive")
        for gene in test.genes:
            for antigen in test.partner[:1] or [test.query]:
                if (antigen, gene) not in decided:
                    decided.add((antigen, gene))
                    found[antigen][place[gene]] = there
            if test.partner and (test.query, gene) not in decided:
                decided.add((test.query, gene))
                found[test.query][place[gene]] = True
