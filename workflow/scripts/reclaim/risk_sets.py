"""Who is at risk at each event: sums over all risk sets as two products with a sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RiskSets:
    """Who is at risk at each event: linear maps between samples and events.

    Of d events at one time in a stratum, the l-th (from 0) has only 1 - l / d of each of these d samples at
    risk (Efron). The different times of events, stratum after stratum, are the leaves of a binary tree. A
    sample is at risk at a stretch of leaves, which is the union of a few whole branches, and `branches`
    (nodes x samples) has these. `paths` (events x nodes) has the nodes above each event. Every sum over a
    risk set is so made of additions only, and none of small differences of large sums.
    """

    dead: Integers
    branches: sparse.csr_array[np.float64]
    paths: sparse.csr_array[np.float64]

    @classmethod
    def of(cls, time: Floats, event: Mask, entry: Floats, stratum: Integers) -> RiskSets:
        """Of samples sorted by stratum and time."""
        samples, dead = len(time), np.flatnonzero(event)
        ranks = np.unique(np.concatenate([time, entry]), return_inverse=True)[1]
        last, before = stratum * len(ranks) + ranks[:samples], stratum * len(ranks) + ranks[samples:]
        times, start, leaf, size = np.unique(
            last[dead], return_index=True, return_inverse=True, return_counts=True
        )
        leaves, events = len(times), np.arange(len(dead))
        node, sample = _branches(
            np.searchsorted(times, before, side="right"), np.searchsorted(times, last, side="right"), leaves
        )
        above, event_above = _paths(leaf, leaves)
        tied = events[size[leaf] > 1]
        tie = 2 * leaves + leaf[tied]  # further nodes: the dead of each tie
        lost = (tied - start[leaf[tied]]) / size[leaf[tied]]
        nodes = 3 * leaves
        branches = _sparse(np.append(node, tie), np.append(sample, dead[tied]), (nodes, samples))
        paths = _sparse(
            np.append(event_above, tied),
            np.append(above, tie),
            (len(dead), nodes),
            np.append(np.ones(len(above)), -lost),
        )
        return cls(dead, branches, paths)

    def sums(self, quantity: Floats) -> Floats:
        """Over those at risk at each event: samples x features to events x features."""
        return np.asarray(self.paths @ (self.branches @ quantity))

    def spread(self, quantity: Floats) -> Floats:
        """Over the events each sample is at risk of: events x features to samples x features."""
        return np.asarray(self.branches.T @ (self.paths.T @ quantity))


def _branches(first: Integers, end: Integers, leaves: int) -> tuple[Integers, Integers]:
    """Nodes that together cover the leaves from `first` to before `end`, and for each node whose they are.
    The children of node i are 2i and 2i + 1; leaf i is node leaves + i."""
    whose, low, high = np.arange(len(first)), first + leaves, end + leaves
    nodes, owners = [], []
    while whose.size:
        some = low < high
        whose, low, high = whose[some], low[some], high[some]
        odd_low, odd_high = low % 2 == 1, high % 2 == 1
        nodes += [low[odd_low], high[odd_high] - 1]
        owners += [whose[odd_low], whose[odd_high]]
        low, high = (low + 1) // 2, high // 2
    return np.concatenate(nodes), np.concatenate(owners)


def _paths(leaf: Integers, leaves: int) -> tuple[Integers, Integers]:
    """Nodes from each leaf to the root, and for each node whose it is."""
    whose, node = np.arange(len(leaf)), leaf + leaves
    nodes, owners = [], []
    while node.size:
        nodes.append(node)
        owners.append(whose)
        some = node > 1
        whose, node = whose[some], node[some] // 2
    return np.concatenate(nodes), np.concatenate(owners)


def _sparse(
    row: Integers, column: Integers, shape: tuple[int, int], value: Floats | None = None
) -> sparse.csr_array[np.float64]:
    entries = np.ones(len(row)) if value is None else value
    return sparse.csr_array((entries, (row, column)), shape=shape)
