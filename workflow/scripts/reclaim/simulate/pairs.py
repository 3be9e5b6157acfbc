"""Genes that go together: planted correlations of the tests of co-expression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reclaim.claim_tests import Coexpression
from reclaim.config import World
from reclaim.simulate.effects import follows_nuisance, members
from reclaim.study import Study

RHO: dict[World, float] = {"as_claimed": 0.6, "no_effect": 0.0, "reversed": -0.6, "confounded": 0.0}
"""Correlation of the two ends in the claimed direction, beyond what they share with a cell type."""
MEMBER = 0.7
"""Loading of the members of a set on its score."""
SHARED = 0.75
"""In `confounded`: loading on the share of a cell type, of both ends, of the gene sets that tests adjust for, and of
all genes that follow the nuisance: those that this kind of cell makes."""


def couple(
    variation: np.ndarray,
    genes: Sequence[str],
    tests: Sequence[Coexpression],
    study: Study,
    world: World,
    generator: np.random.Generator,
) -> None:
    """Make the ends of each pair go together in `variation` (samples x genes, variance 1), in place.

    The second end follows the first as it is, so that one gene can have several partners. The first test to
    name a pair decides. In `confounded` nothing follows anything but the share of a cell type, which many other genes
    follow as well.
    """
    place = {gene: i for i, gene in enumerate(genes)}
    samples = len(variation)

    def noise() -> np.ndarray:
        return generator.normal(0, 1, samples)

    if world == "confounded":
        named = [gene for test in tests for feature in test.features for gene in _genes(study, feature)]
        named += [
            gene
            for test in tests
            for name in test.adjust
            if name in study.gene_sets
            for gene in members(study, name)
        ]
        named += [gene for gene in genes if follows_nuisance(gene)] if tests else []
        cell_type = noise()
        for gene in dict.fromkeys(named):
            variation[:, place[gene]] = SHARED * cell_type + np.sqrt(1 - SHARED**2) * noise()
        return
    done: set[tuple[tuple[str, ...], ...]] = set()
    for test in tests:
        first, second = (tuple(_genes(study, feature)) for feature in test.features)
        if (first, second) in done or not RHO[world]:
            continue
        done.add((first, second))
        leading = variation[:, [place[gene] for gene in first]].mean(axis=1)
        rho = RHO[world] * (-1 if test.expected == "negative" else 1)
        score = rho * leading / leading.std() + np.sqrt(1 - rho**2) * noise()
        for gene in second:
            alone = len(second) == 1
            variation[:, place[gene]] = score if alone else MEMBER * score + np.sqrt(1 - MEMBER**2) * noise()


def _genes(study: Study, feature: object) -> list[str]:
    gene, named = getattr(feature, "gene", None), getattr(feature, "gene_set", None)
    if gene:
        return [gene]
    return members(study, named) if isinstance(named, str) else list(named or [])
