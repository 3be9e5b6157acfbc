"""What a claim is about, where it was measured, and the nulls that stand in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.analyses.differential_expression import log2_values, measured_members, tested_samples
from reclaim.analyses.groups import Comparison, comparisons
from reclaim.calibration.arrangements import arrangements, why_not_permutable
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
from reclaim.calibration.permuted import gene_values, permuted_gene, permuted_score, score_estimates
from reclaim.calibration.record import Balance
from reclaim.claim_tests import DifferentialExpression
from reclaim.dataset import ExpressionKeys
from reclaim.evidence import EvidenceRow
from reclaim.judging import Estimates
from reclaim.study import Study

if TYPE_CHECKING:
    import anndata

Floats = NDArray[np.float64]
FIELDS = ("effect", "se", "ci_low", "ci_high")
GENES_OF_SETS = 3000
"""Their correlations must fit into memory."""


@dataclass(frozen=True)
class Material:
    """Everything that the calibration of a study looks at.

    `data` gives the expression of a data set, `tables` the full results of `test/dataset`; `sets` are the
    study's gene sets by name.
    """

    study: Study
    data: Callable[[str], anndata.AnnData]
    tables: Callable[[str], pd.DataFrame]
    sets: Mapping[str, Sequence[str]]
    seed: int

    def members(self, test: DifferentialExpression) -> tuple[str, ...]:
        """The gene of a test, or the genes of its set."""
        feature = test.feature
        if feature.gene:
            return (feature.gene,)
        return tuple(
            self.sets[feature.gene_set] if isinstance(feature.gene_set, str) else feature.gene_set or ()
        )


@dataclass(frozen=True)
class Frame:
    """The samples on which one valid row of evidence rests."""

    test: DifferentialExpression
    row: EvidenceRow
    comparison: Comparison
    part: anndata.AnnData
    purity: Floats | None

    @property
    def place(self) -> str:
        return f"{self.row.dataset}/{self.row.stratum}"

    @property
    def is_set(self) -> bool:
        return self.test.feature.gene is None

    @property
    def groups(self) -> NDArray[np.int64]:
        return self.comparison.case.astype(np.int64)

    def values(self, genes: Sequence[str] | None = None) -> pd.DataFrame:
        """Samples x genes, log2; all genes by default."""
        counts = self.part.uns["unit"] == "counts"
        data = self.part if counts or genes is None else self.part[:, list(genes)]
        found = pd.DataFrame(log2_values(data), index=data.obs_names, columns=data.var_names)
        return found if genes is None else found[list(genes)]


def frames_of(material: Material, test: DifferentialExpression, rows: Sequence[EvidenceRow]) -> list[Frame]:
    """One frame per row, in order; `rows` are valid rows of the test."""
    found: list[Frame] = []
    by_place: dict[str, Frame] = {}
    for name in dict.fromkeys(row.dataset for row in rows):
        chosen = tested_samples(test, material.data(name))
        dataset = material.study.datasets[name]
        column = dataset.purity_column if isinstance(dataset, ExpressionKeys) else None
        formed, _ = comparisons(test, chosen.obs)
        own = {row.stratum: row for row in rows if row.dataset == name}
        for one in formed:
            if one.stratum in own:
                part = chosen[one.samples.index]
                purity = None
                if column:
                    purity = pd.to_numeric(part.obs[column], errors="coerce").to_numpy(float)
                by_place[f"{name}/{one.stratum}"] = Frame(test, own[one.stratum], one, part, purity)
    for row in rows:
        found.append(by_place[f"{row.dataset}/{row.stratum}"])
    return found


@dataclass(frozen=True)
class Nulls:
    """Matched subjects: nulls x members, with how they relate to the subject and to each other.

    `rho` is their correlation with the subject, `modules` (nulls x modules) how much of each null belongs
    to a module; both None where the samples are too few to tell, as `relations_gap` says.
    """

    names: NDArray[np.object_]
    balance: list[Balance]
    rho: Floats | None
    modules: Floats | None
    relations_gap: str = ""


class Subject:
    """One gene or set, over all frames in which a claim (or one test) looks at it."""

    def __init__(self, material: Material, members: Sequence[str], frames: Sequence[Frame]) -> None:
        self.material, self.members, self.frames = material, list(members), frames
        self.is_set = frames[0].is_set

    @cached_property
    def space(self) -> Space:
        """The genes that every frame measured, with their properties."""
        kinds: dict[str, str] = {}
        properties = []
        for frame in self.frames:
            values = frame.values().dropna(axis=1)
            properties.append(gene_properties(values, frame.comparison.case, frame.purity, self.members))
            if "locus_group" in frame.part.var:
                kinds |= dict(frame.part.var["locus_group"].astype(str))
        return make_space(properties, kinds)

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """Which genes of the space have the numbers that the subject has."""
        return np.asarray(np.logical_and.reduce([self._usable(frame) for frame in self.frames]), bool)

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
            names = matched_sets(
                self.space, self.measured, self.allowed, loadings, GENES_OF_SETS, self.material.seed
            )
        else:
            names = np.array(nearest(self.space, self.members[0], self.allowed, loadings), object)[:, None]
        alike = balance(self.space, self.measured, names, loadings)
        return Nulls(names, alike, *(self._relations(names) if related else (None, None)))

    def _usable(self, frame: Frame) -> NDArray[np.bool_]:
        """Genes of the space whose numbers are there as those of the subject are."""
        if frame.is_set:
            return np.ones(len(self.space.genes), bool)
        table = self._table(frame).reindex(self.space.genes)
        needed = ["effect", *(["se"] if frame.row.se is not None else [])]
        return np.asarray(np.isfinite(table[needed].to_numpy(float)).all(axis=1), bool)

    def _table(self, frame: Frame) -> pd.DataFrame:
        table = self.material.tables(f"{frame.test.id}/{frame.row.dataset}")
        return table[table["stratum"] == frame.row.stratum].set_index("feature")

    def numbers(self, frame: Frame, names: NDArray[np.object_]) -> pd.DataFrame:
        """Effect, se, interval and statistic of each null in one frame."""
        if not self.is_set:
            return self._table(frame).loc[list(names[:, 0]), [*FIELDS, "statistic"]]
        if frame.row.se is None:
            scores = self.scores(frame, names)
            case = frame.comparison.case
            effect = scores[case].mean(axis=0) - scores[~case].mean(axis=0)
            return pd.DataFrame({"effect": effect}).reindex(columns=[*FIELDS, "statistic"])
        return score_estimates(frame.comparison, self.scores(frame, names))

    def scores(self, frame: Frame, names: NDArray[np.object_]) -> Floats:
        """Samples x sets: the mean of each set's genes."""
        genes = pd.Index(np.unique(names.ravel().astype(str)))
        values = frame.values(list(genes)).to_numpy()
        total = np.zeros((len(values), len(names)))
        for j in range(names.shape[1]):
            total += values[:, genes.get_indexer(pd.Index(names[:, j].astype(str)))]
        return np.asarray(total / names.shape[1])

    def own_score(self, frame: Frame) -> Floats:
        """The value of the subject itself in every sample."""
        if not self.is_set:
            return gene_values(frame.part, self.members[0])
        values = frame.values()
        measured = measured_members(self.members, values.columns, values.to_numpy())
        return np.asarray(values[measured].to_numpy().mean(axis=1))

    def permuted(self, frame: Frame) -> pd.DataFrame:
        """Effect, se and interval of the subject under permuted labels of one frame."""
        order = arrangements(frame.comparison, self.material.seed, frame.place)
        if self.is_set:
            return permuted_score(frame.comparison, self.own_score(frame), order)
        return permuted_gene(frame.test, frame.comparison, frame.part, self.members[0], order)

    def _relations(self, names: NDArray[np.object_]) -> tuple[Floats | None, Floats | None, str]:
        """Correlation with the subject, modules, and why they are missing."""

        def with_subject() -> Iterator[tuple[Floats, NDArray[np.int64]]]:
            for frame in self.frames:
                yield np.column_stack([self.own_score(frame), self.scores(frame, names)]), frame.groups

        together, degrees = correlations(with_subject())
        if together is None:
            return None, None, f"{degrees} residual degrees of freedom, {MIN_DEGREES} are needed"
        if not self.is_set:
            module = gene_modules(together[1:, 1:])
            return together[0, 1:], (module[:, None] == np.unique(module)).astype(float), ""
        genes = [str(gene) for gene in np.unique(names.ravel().astype(str))]
        among, _ = correlations((frame.values(genes).to_numpy(), frame.groups) for frame in self.frames)
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
        reason = why_not_permutable(frame.comparison)
        if reason:
            where = frame.row.dataset + ("" if frame.row.stratum == "all" else f", {frame.row.stratum}")
            return f"{reason} ({where})"
    return ""
