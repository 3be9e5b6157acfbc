"""Named genes against comparable ones: alike in their properties, and neighbours where the named ones are.

Neighbours share their surroundings, and so their peaks. Named genes that are neighbours form a block, which only a block
of neighbours can stand for; else one region would count as several independent ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from reclaim.intervals import Intervals, overlap_pairs
from reclaim.targets import DISTAL_BP

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

COMPARABLE = 200
"""Blocks that stand for a named one: the nearest."""
MIN_COMPARABLE = 20
"""With fewer there is no estimate."""


def standardised(properties: Floats, over: NDArray[np.bool_]) -> Floats:
    """Properties (genes x properties) in standard deviations over the genes that are marked; one that does not vary
    there tells no two genes apart and becomes 0."""
    spread = properties[over].std(axis=0) if over.any() else np.zeros(properties.shape[1])
    varies = spread > 0
    return np.where(varies, properties / np.where(varies, spread, 1.0), 0.0)


def neighbours(symbols: pd.Index, starts: pd.DataFrame, reach: int = DISTAL_BP) -> csr_array:
    """Which genes have starts at most `reach` bases apart on one chromosome: genes x genes, symmetric, 0 or 1.

    `starts` (symbol, chrom, tss) as `targets.gene_starts` gives them; rows of other symbols do not count.
    """
    gene = symbols.get_indexer(pd.Index(starts["symbol"]))
    known = gene >= 0
    gene, tss = gene[known], starts["tss"].to_numpy(np.int64)[known]
    chromosome = pd.factorize(starts["chrom"].astype(object))[0][known].astype(np.int64)
    around = Intervals(chromosome, np.maximum(0, tss - reach), tss + reach + 1)
    first, second = (gene[place] for place in overlap_pairs(around, Intervals(chromosome, tss, tss + 1)))
    pairs = np.unique(np.stack([first, second])[:, first != second], axis=1)
    size = (len(symbols), len(symbols))
    return csr_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=size)


def blocks_of(named: Integers, near: csr_array) -> list[Integers]:
    """The named genes (positions in `near`), those that are neighbours, or neighbours of neighbours, together; in
    the order of the first of each."""
    labels = connected_components(near[named][:, named], directed=False)[1]
    return [named[labels == label] for label in dict.fromkeys(labels)]


def comparable_blocks(
    block: Integers, properties: Floats, allowed: NDArray[np.bool_], near: csr_array
) -> Integers:
    """Blocks of as many genes that are most like `block`: up to COMPARABLE rows, one column per gene.

    `properties` (genes x properties, standardised) belong to all genes, of which those that are `allowed` are taken;
    ties go by position. For a block of one gene these are the nearest (Euclidean distance). For several every allowed
    gene stands in the place of the first one, and the place of each further one goes to the nearest gene that is not
    used yet and is a neighbour of those before it; genes without enough neighbours fall away. Of the same genes in
    two orders the nearer counts, and of all blocks those with the smallest summed distance.
    """
    distance = np.stack([np.linalg.norm(properties - properties[member], axis=1) for member in block])
    anchors = np.flatnonzero(allowed)
    if len(block) == 1:
        nearest = np.argsort(distance[0][anchors], kind="stable")[:COMPARABLE]
        return anchors[nearest].reshape(-1, 1)
    indices = near.indices.astype(np.int64)
    around = [own[allowed[own]] for own in np.split(indices, near.indptr[1:-1])]
    found = [_block_from(anchor, distance, around) for anchor in anchors.tolist()]
    whole = [one for one in found if one is not None]
    summed = [sum(float(distance[place, gene]) for place, gene in enumerate(one)) for one in whole]
    order = np.argsort(summed, kind="stable")
    of_genes = {frozenset(whole[i]): whole[i] for i in reversed(order)}
    chosen = [whole[i] for i in order if of_genes[frozenset(whole[i])] is whole[i]]
    return np.array(chosen[:COMPARABLE], np.int64).reshape(-1, len(block))


def _block_from(anchor: int, distance: Floats, around: Sequence[Integers]) -> tuple[int, ...] | None:
    """The block that starts with a gene; None where its neighbours do not suffice."""
    used = [anchor]
    reached = around[anchor]
    for place in range(1, len(distance)):
        free = reached[~np.isin(reached, used)]
        if not len(free):
            return None
        chosen = int(free[np.argmin(distance[place][free])])
        used.append(chosen)
        reached = np.union1d(reached, around[chosen])
    return tuple(used)


def outcome_distribution(outcomes: Integers, size: int) -> Floats:
    """Shares of the outcomes 0 to `size` of comparable blocks; one more observation is spread evenly over the
    outcomes, so that none is impossible."""
    counts = np.bincount(outcomes, minlength=size + 1) + 1 / (size + 1)
    return np.asarray(counts / counts.sum())
