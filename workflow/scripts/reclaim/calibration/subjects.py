"""A gene or set over all samples in which a claim looks at it, and the nulls that stand in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.calibration.frames import FIELDS, Frame, Names
from reclaim.calibration.matching import (
    COMPARABLE,
    Space,
    balance,
    gene_properties,
    make_space,
    matched_sets,
    nearest,
)
from reclaim.calibration.modules import MIN_DEGREES, correlations, gene_modules
from reclaim.calibration.record import Balance
from reclaim.judging import Estimates

Floats = NDArray[np.float64]
GENES_OF_SETS = 3000
"""Their correlations must fit into memory."""


@dataclass(frozen=True)
class Nulls:
    """Matched subjects: nulls x members, with how they relate to the subject and to each other.

    `rho` is their correlation with the subject, `modules` (nulls x modules) how much of each null belongs
    to a module; both None where the samples are too few to tell, as `relations_gap` says.
    """

    names: Names
    balance: list[Balance]
    rho: Floats | None
    modules: Floats | None
    relations_gap: str = ""


class Subject:
    """Genes of one subject, and the frames of which it is end number `end`."""

    def __init__(self, members: Sequence[str], frames: Sequence[Frame], end: int, seed: int) -> None:
        self.members, self.frames, self.end, self.seed = list(members), frames, end, seed

    @property
    def is_set(self) -> bool:
        return len(self.members) > 1

    @cached_property
    def space(self) -> Space:
        """The genes that every frame measured, with their properties."""
        kinds: dict[str, str] = {}
        properties = []
        for frame in self.frames:
            values = frame.values().dropna(axis=1)
            properties.append(
                gene_properties(
                    values, frame.case, frame.purity, frame.cell_types, self.members, frame.is_expression
                )
            )
            if "locus_group" in frame.part.var:
                kinds |= dict(frame.part.var["locus_group"].astype(str))
        return make_space(properties, kinds)

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """Which genes of the space can stand in the place of the subject."""
        usable = [frame.usable(self.space.genes, self.end) for frame in self.frames]
        return np.asarray(np.logical_and.reduce(usable), bool)

    @property
    def measured(self) -> list[str]:
        """Members in the space."""
        return [gene for gene in self.members if gene in self.space.genes]

    def gap(self) -> str:
        """Why the subject cannot be swapped; empty when it can."""
        if not self.measured:
            return "the subject does not have a value in every sample"
        kinds = {self.space.kind[self.space.genes.get_loc(gene)] for gene in self.measured}
        rivals = min(int((self.allowed & (self.space.kind == kind)).sum()) - 1 for kind in kinds)
        if rivals < COMPARABLE:
            return f"only {max(rivals, 0):,} comparable genes are measured, {COMPARABLE:,} are needed"
        return ""

    def nulls(self, loadings: bool, related: bool = True) -> Nulls:
        """Subjects matched on the basic properties, or on loadings too; `related`: also rho and modules."""
        if self.is_set:
            names = matched_sets(self.space, self.measured, self.allowed, loadings, GENES_OF_SETS, self.seed)
        else:
            names = np.array(nearest(self.space, self.members[0], self.allowed, loadings), object)[:, None]
        alike = balance(self.space, self.measured, names, loadings)
        return Nulls(names, alike, *(self._relations(names) if related else (None, None)))

    def _relations(self, names: Names) -> tuple[Floats | None, Floats | None, str]:
        """Correlation with the subject, modules, and why they are missing."""

        def with_subject() -> Iterator[tuple[Floats, NDArray[np.int64]]]:
            for frame in self.frames:
                together = np.column_stack([frame.own_score(self.members), frame.scores(names)])
                yield together, frame.case.astype(np.int64)

        together, degrees = correlations(with_subject())
        if together is None:
            return None, None, f"{degrees} residual degrees of freedom, {MIN_DEGREES} are needed"
        if not self.is_set:
            module = gene_modules(together[1:, 1:])
            return together[0, 1:], (module[:, None] == np.unique(module)).astype(float), ""
        genes = [str(gene) for gene in np.unique(names.ravel().astype(str))]
        among, _ = correlations(
            (frame.values(genes).to_numpy(), frame.case.astype(np.int64)) for frame in self.frames
        )
        assert among is not None
        module = gene_modules(among)[pd.Index(genes).get_indexer(pd.Index(names.ravel()))].reshape(
            names.shape
        )
        weights = np.stack([(module == one).mean(axis=1) for one in np.unique(module)], axis=1)
        return together[0, 1:], weights, ""


def estimates(tables: Sequence[pd.DataFrame]) -> Estimates:
    """Rows x nulls, from one table of nulls per row."""
    return Estimates(*(np.array([table[name].to_numpy(float) for table in tables]) for name in FIELDS))


def why_not_permutable_at(frames: Sequence[Frame]) -> str:
    """The first reason why labels cannot be permuted, with its place; empty when all can be."""
    for frame in frames:
        reason = frame.why_not_permutable()
        if reason:
            return f"{reason} ({frame.place_in_words})"
    return ""
