"""What is planted into expression: log2 fold changes of every tested gene and set, by world."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from reclaim.claim_tests import (
    BoundAndDeregulated,
    ClaimTest,
    Contrast,
    DifferentialExpression,
    GeneSetEnrichment,
    ResultOf,
)
from reclaim.config import World
from reclaim.decisions import Equivalence
from reclaim.expression import derive_columns
from reclaim.expression_dataset import DerivedColumn
from reclaim.selection import select
from reclaim.study import Claim, LibrarySet, Study

EFFECT: dict[World, float] = {"as_claimed": 1.6, "no_effect": 0.0, "confounded": 0.0, "reversed": -1.6}
"""log2 fold change in the claimed direction."""
EQUIVALENCE_EFFECT: dict[World, float] = {
    "as_claimed": 0.0,
    "no_effect": 0.25,
    "confounded": 0.0,
    "reversed": 1.6,
}
"""Where the claim is that there is no effect, its absence is the claim, and the margin of a set (rules.MARGIN) the bound
that is no support for it."""
GATE_EFFECT = 2.5
"""Positive controls work in every world."""
NUISANCE_EFFECT, NUISANCE_SHARE = 1.2, 0.3
"""confounded: a nuisance that goes with the case arm moves this share of all genes, the tested ones among them. It is
one nuisance, such as purity: the same genes in every data set, by a quarter more or less than its mean effect."""
NUISANCE_SPREAD = 0.3
"""The nuisance varies among the samples of an arm with so many times the difference between the arms, as purity does: about
0.2 within tumours and 0.7 between tumour and normal tissue. A batch that is the arm would have 0."""
RESPONSE_EFFECT, RESPONSE_SHARE = 1.2, 0.08
"""Where a test asks whether bound genes respond, the perturbation lowers this share of all genes and raises as many, in
every world: what differs between worlds is which genes are bound."""
FALLS, RISES = -1, 1
STRATUM_SPREAD = 0.25
"""Standard deviation of an effect between strata."""
LIBRARY_SET_SIZE = 40


@dataclass(frozen=True)
class Planted:
    """Genes that differ between two groups of samples by `effect` (log2); within `modifier`, where given."""

    genes: tuple[str, ...]
    contrast: Contrast
    modifier: Contrast | None
    effect: float


def members(study: Study, name: str) -> list[str]:
    """Genes of a named set: the study's own, or invented ones for a set of a library."""
    genes = study.gene_sets[name]
    if isinstance(genes, LibrarySet):
        return [f"SIM{name.upper().replace('_', '')}{number:02d}" for number in range(LIBRARY_SET_SIZE)]
    return list(genes)


def named_genes(study: Study) -> list[str]:
    """Every gene that a test or a set of the study names, once."""
    return list(
        dict.fromkeys(
            [gene for name in study.gene_sets for gene in members(study, name)] + tested_genes(study)
        )
    )


def tested_genes(study: Study) -> list[str]:
    """Every gene that a test names, also as a member of one of the study's own sets."""
    own = [name for name, genes in study.gene_sets.items() if not isinstance(genes, LibrarySet)]
    genes = [gene for name in own for gene in members(study, name)]
    for _, test in study.tests():
        features = [getattr(test, "feature", None), *getattr(test, "features", [])]
        for feature in features:
            genes += [feature.gene] if getattr(feature, "gene", None) else []
            listed = getattr(feature, "gene_set", None)
            genes += listed if isinstance(listed, list) else []
        genes += getattr(test, "genes", [])
    return list(dict.fromkeys(genes))


def response_of(gene: str) -> int:
    """Whether a perturbation lowers the gene (FALLS), raises it (RISES) or leaves it (0): a matter of the gene, so that
    peaks and expression agree about it."""
    share = int(sha256(f"response {gene}".encode()).hexdigest()[:8], 16) / 16**8
    return FALLS if share < RESPONSE_SHARE else RISES if share < 2 * RESPONSE_SHARE else 0


def planted(
    study: Study, datasets: Collection[str], world: World, background: Sequence[str] = ()
) -> list[Planted]:
    """Effects of the data sets of one source; `background` are all genes, some of which respond to what the study tests.
    The first test to name a gene in a contrast decides: gates, then primary
    tests, then the others, single genes before sets."""
    order = {"gate": 0, "primary": 1, "supporting": 2, "sensitivity": 3}
    asked = [
        (order[test.role], bool(len(genes) > 1), genes, contrast, modifier, _effect(claim, test, world))
        for claim, test in study.tests()
        if set(datasets) & set(test.datasets)
        for genes, contrast, modifier in _asked(study, test)
    ]
    asked += [
        (len(order), True, list(genes), contrast, modifier, direction * RESPONSE_EFFECT)
        for _, test in study.tests()
        if isinstance(test, BoundAndDeregulated) and set(datasets) & set(test.datasets)
        for contrast, modifier in [_ranked_contrast(study, test)]
        for direction in (FALLS, RISES)
        if (genes := [gene for gene in background if response_of(gene) == direction])
    ]
    found: list[Planted] = []
    taken: set[tuple[str, str]] = set()
    for _, _, genes, contrast, modifier, effect in sorted(asked, key=lambda one: one[:2]):
        key = f"{contrast.model_dump_json()} {modifier.model_dump_json() if modifier else ''}"
        new = tuple(gene for gene in genes if (gene, key) not in taken)
        taken |= {(gene, key) for gene in new}
        if new:
            found.append(Planted(new, contrast, modifier, effect))
    return found


def _asked(study: Study, test: ClaimTest) -> Iterator[tuple[list[str], Contrast, Contrast | None]]:
    """The genes that a test is about, and the contrast in which it looks at them."""
    if isinstance(test, DifferentialExpression):
        yield _genes(study, test), test.contrast, test.interaction
    if isinstance(test, GeneSetEnrichment):
        yield members(study, test.gene_set), *_ranked_contrast(study, test)


def _ranked_contrast(
    study: Study, test: GeneSetEnrichment | BoundAndDeregulated
) -> tuple[Contrast, Contrast | None]:
    """The contrast of the test that ranks the genes, and that of its interaction."""
    ranking = test.with_["ranking"]
    assert isinstance(ranking, ResultOf)
    source = next(one for _, one in study.tests() if one.id == ranking.test)
    assert isinstance(source, DifferentialExpression)
    return source.contrast, source.interaction


def _genes(study: Study, test: DifferentialExpression) -> list[str]:
    feature = test.feature
    if feature.gene:
        return [feature.gene]
    return members(study, feature.gene_set) if isinstance(feature.gene_set, str) else feature.gene_set or []


def _effect(claim: Claim, test: ClaimTest, world: World) -> float:
    sign = -1.0 if getattr(test, "expected", "positive") == "negative" else 1.0
    if test.role == "gate":
        at_most = test.passes is not None and test.passes.at_least is None
        return -GATE_EFFECT if at_most else GATE_EFFECT
    if claim.known is not None:  # a control claim is as true in one world as in another
        world = "as_claimed" if claim.known else "no_effect"
    if isinstance(claim.decision, Equivalence):
        effect = EQUIVALENCE_EFFECT[world]
        return sign * (claim.decision.margin or effect if world == "no_effect" else effect)
    marked = claim.decision is not None and claim.decision.marked
    return sign * EFFECT[world] * (1.5 if marked else 1.0)


def shifts(
    derive: Mapping[str, DerivedColumn],
    samples: pd.DataFrame,
    genes: Sequence[str],
    effects: Sequence[Planted],
    strata: str | None,
    world: World,
    generator: np.random.Generator,
    nuisance_spread: float = NUISANCE_SPREAD,
) -> np.ndarray:
    """log2 shift of every gene (columns) in every sample (rows)."""
    table = derive_columns(samples, {name: rule for name, rule in derive.items() if name not in samples})
    place = {gene: i for i, gene in enumerate(genes)}
    found = np.zeros((len(samples), len(genes)))
    stratum = pd.factorize(table[strata])[0] if strata else np.zeros(len(table), int)
    strength = 0.75 + 0.5 * generator.random(len(genes))
    moved = np.array([follows_nuisance(gene) for gene in genes])
    for one in effects:
        case = np.asarray(select(table, one.contrast.case), bool)
        if one.modifier:
            case &= np.asarray(select(table, one.modifier.case), bool)
        columns = [place[gene] for gene in one.genes]
        spread = generator.normal(0, STRATUM_SPREAD, stratum.max() + 1) if strata else np.zeros(1)
        size = (one.effect + spread[stratum]) * case
        found[:, columns] += size[:, None]
        moved[columns] = True
    if world == "confounded":
        cases = np.zeros(len(table), bool)
        dealt = {name for name, rule in derive.items() if rule.shuffle}
        for one in effects:
            if not dealt & set(one.contrast.case):
                cases |= np.asarray(select(table, one.contrast.case), bool)
        nuisance = cases + nuisance_spread * generator.standard_normal(len(table))
        found += NUISANCE_EFFECT * np.outer(nuisance, strength * moved)
    return found


def follows_nuisance(gene: str) -> bool:
    """Whether a gene that no test is about is moved by the nuisance: a matter of the gene, not of the data set."""
    return int(sha256(gene.encode()).hexdigest()[:8], 16) < NUISANCE_SHARE * 16**8
