"""What is planted: the true share of every tested alteration, by world.

as_claimed: every claim is true. no_effect: nothing is there; for a bound, the truth lies on it.
reversed: the opposite is true. confounded: as no_effect, but low tumour content hides mutations in
many patients, so that a naive reading finds what is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reclaim.claim_tests import MutationFeature, MutationFrequency, MutualExclusivity
from reclaim.config import World
from reclaim.decisions import Bound, Conjunction
from reclaim.study import Claim, Study

SHARE: dict[str, dict[World, float]] = {
    "rare": {"as_claimed": 0.012, "no_effect": 0.05, "confounded": 0.05, "reversed": 0.30},
    "nearly_all": {"as_claimed": 0.95, "no_effect": 0.85, "confounded": 0.85, "reversed": 0.50},
}
ODDS_RATIO: dict[World, float] = {"as_claimed": 0.05, "no_effect": 1.0, "confounded": 1.0, "reversed": 8.0}
"""Of two alterations claimed to exclude each other; inverted when they are claimed to go together."""

UNTOLD_SHARE = 0.03
"""Of a gene that tests name without saying how often it should be altered."""

LOW_CONTENT: dict[World, float] = {"as_claimed": 0.1, "no_effect": 0.1, "reversed": 0.1, "confounded": 0.4}
"""Share of tumours with so few cancer cells that most mutations are missed."""


@dataclass
class GeneTruth:
    """Shares of patients, by kind of alteration of one gene. `altered` includes all kinds."""

    altered: float = 0.0
    alleles: dict[str, float] = field(default_factory=dict)
    truncating: float = 0.0
    deep_deletion: float = 0.0
    amplification: float = 0.0


@dataclass(frozen=True)
class PairTruth:
    """The second gene is altered in carriers of the first with this odds ratio."""

    first: str
    second: str
    odds_ratio: float


@dataclass(frozen=True)
class Truth:
    """Everything planted for one data set."""

    world: World
    genes: dict[str, GeneTruth]
    pairs: list[PairTruth]
    low_content: float


def plant(study: Study, dataset: str, world: World) -> Truth:
    """The truth of one data set: a claim's primary tests first, then gates, then what is only named."""
    genes: dict[str, GeneTruth] = {}
    pairs: list[PairTruth] = []
    tests = [(claim, test) for claim, test in study.tests() if dataset in test.datasets]
    for claim, primary in study.tests():
        if isinstance(primary, MutationFrequency) and primary.role == "primary" and primary.among is None:
            bound = _bound(claim, primary.id)
            # A data set that only a variant of the test uses holds the same truth.
            told = {
                test.feature.gene
                for own, test in tests
                if own is claim and isinstance(test, MutationFrequency)
            }
            if bound and primary.feature.gene in told:
                _set_share(genes, primary.feature, SHARE[bound][world])
    for _, test in tests:
        if isinstance(test, MutationFrequency):
            if test.passes is not None and test.passes.at_least is not None:
                share = (1 + test.passes.at_least) / 2
                _set_share(genes, test.feature, share if test.passes.at_most is None else test.passes.at_most)
            for feature in (test.feature, test.among):
                if feature and feature.gene not in genes:
                    _set_share(genes, feature, UNTOLD_SHARE)
        if isinstance(test, MutualExclusivity):
            ratio = ODDS_RATIO[world] if test.expected == "negative" else 1 / ODDS_RATIO[world]
            first, second = (feature.gene for feature in test.features)
            for feature in test.features:
                if feature.gene not in genes:
                    _set_share(genes, feature, UNTOLD_SHARE)
            if PairTruth(first, second, ratio) not in pairs:
                pairs.append(PairTruth(first, second, ratio))
    for gene in genes.values():
        parts = sum(gene.alleles.values()) + gene.truncating + gene.deep_deletion + gene.amplification
        gene.altered = max(gene.altered, parts)
    return Truth(world, genes, pairs, LOW_CONTENT[world])


def _bound(claim: Claim, test_id: str) -> str | None:
    decision = claim.decision
    if isinstance(decision, Conjunction):
        part = decision.parts.get(test_id)
        return part.bound if isinstance(part, Bound) else None
    return decision.bound if isinstance(decision, Bound) else None


def _set_share(genes: dict[str, GeneTruth], feature: MutationFeature, share: float) -> None:
    """Split a share over the kinds of alteration that the feature counts; the first to set a kind wins."""
    gene = genes.setdefault(feature.gene, GeneTruth())
    changes = (
        [feature.protein_change] if isinstance(feature.protein_change, str) else feature.protein_change or []
    )
    if not changes and feature.consequence != "truncating" and feature.copy_number is None:
        gene.altered = gene.altered or share
        return
    kinds = len(changes) + (feature.consequence == "truncating") + (feature.copy_number is not None)
    for change in changes:
        gene.alleles.setdefault(change.removeprefix("p."), share / kinds)
    if feature.consequence == "truncating":
        gene.truncating = gene.truncating or share / kinds
    if feature.copy_number == "deep_deletion":
        gene.deep_deletion = gene.deep_deletion or share / kinds
    if feature.copy_number == "amplification":
        gene.amplification = gene.amplification or share / kinds


def conditional_shares(first: float, second: float, odds_ratio: float) -> tuple[float, float]:
    """Shares of the second alteration without and with the first, given both marginal shares and the
    odds ratio, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(80):
        without = (low + high) / 2
        odds = odds_ratio * without / (1 - without) if without < 1 else float("inf")
        with_first = odds / (1 + odds)
        if (1 - first) * without + first * with_first < second:
            low = without
        else:
            high = without
    return without, with_first
