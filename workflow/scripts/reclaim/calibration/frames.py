"""The samples on which one row of evidence rests, and how its estimate is made of anything in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reclaim.analyses.coexpression_variables import PairValues, pair_values, samples_by_stratum
from reclaim.analyses.dependency import compared_lines
from reclaim.analyses.differential_expression import log2_values, measured_members, tested_samples
from reclaim.analyses.groups import CASE, Comparison, comparisons
from reclaim.analyses.survival import fit_cohort
from reclaim.analyses.survival_cohort import Cohort, cohort_of
from reclaim.calibration.arrangements import MIN_PER_ARM, PERMUTATIONS, arrangements, why_not_permutable
from reclaim.calibration.permuted import gene_values, permuted_gene, permuted_score, score_estimates
from reclaim.calibration.unswapped import SwappedTest
from reclaim.claim_tests import (
    ClaimTest,
    Coexpression,
    Dependency,
    DifferentialExpression,
    GeneFeature,
    Survival,
)
from reclaim.correlation import partial_spearman
from reclaim.dataset import ExpressionKeys
from reclaim.evidence import EvidenceRow
from reclaim.mean_tests import welch_t
from reclaim.regions import Binding
from reclaim.study import Study

if TYPE_CHECKING:
    import anndata

Floats = NDArray[np.float64]
Names = NDArray[np.object_]
FIELDS = ("effect", "se", "ci_low", "ci_high")
NUMBERS = (*FIELDS, "statistic")


@dataclass(frozen=True)
class Material:
    """Everything that the calibration of a study looks at.

    `data` gives the expression of a data set, `tables` the full results of `test/dataset`; `sets` are the
    study's gene sets by name. `regions` gives what is bound in a data set of regions, `genome` the tables of the
    genome by name.
    """

    study: Study
    data: Callable[[str], anndata.AnnData]
    tables: Callable[[str], pd.DataFrame]
    sets: Mapping[str, Sequence[str]]
    seed: int
    regions: Callable[[str], Binding] = lambda name: Binding.empty()
    genome: Callable[[], Mapping[str, pd.DataFrame]] = dict

    def genes(self, feature: GeneFeature) -> tuple[str, ...]:
        """The gene of a feature, or the genes of its set."""
        if feature.gene:
            return (feature.gene,)
        named = feature.gene_set
        return tuple(self.sets[named] if isinstance(named, str) else named or ())


@dataclass(frozen=True)
class Frame(ABC):
    """Samples of one valid row. `part` holds them; `ends` are the subjects of the test that can be swapped (one
    gene or set, the two ends of a pair, none for a contrast of patients)."""

    material: Material
    test: SwappedTest
    row: EvidenceRow
    part: anndata.AnnData

    @property
    def place(self) -> str:
        """Data set and stratum."""
        return f"{self.row.dataset}/{self.row.stratum}"

    @property
    def place_in_words(self) -> str:
        return self.row.dataset + ("" if self.row.stratum == "all" else f", {self.row.stratum}")

    @property
    def ends(self) -> list[tuple[str, ...]]:
        """Genes of each subject."""
        feature = getattr(self.test, "feature", None)
        return [self.material.genes(feature)] if feature else []

    @property
    def case(self) -> NDArray[np.bool_]:
        """Which samples are in the case arm; none where there are no arms."""
        return np.zeros(self.part.n_obs, bool)

    @property
    def is_expression(self) -> bool:
        """Whether the values tell how much of a gene there is, so that markers tell of which cells a sample is made."""
        return True

    @property
    def cell_types(self) -> dict[str, Sequence[str]]:
        """Sets of genes that say of which kind of cell a gene is: nulls are matched on them."""
        return {}

    @property
    def purity(self) -> Floats | None:
        """Of each sample, where the data set names a column of it."""
        dataset = self.material.study.datasets[self.row.dataset]
        column = dataset.purity_column if isinstance(dataset, ExpressionKeys) else None
        if not self.is_expression or not column or column not in self.part.obs:
            return None
        return np.asarray(pd.to_numeric(self.part.obs[column], errors="coerce"), float)

    def values(self, genes: Sequence[str] | None = None) -> pd.DataFrame:
        """Samples x genes, log2; all genes by default."""
        counts = self.part.uns["unit"] == "counts"
        data = self.part if counts or genes is None else self.part[:, list(genes)]
        found = pd.DataFrame(log2_values(data), index=data.obs_names, columns=data.var_names)
        return found if genes is None else found[list(genes)]

    def scores(self, names: Names) -> Floats:
        """Samples x subjects: the mean of each row of `names` (subjects x genes)."""
        genes = pd.Index(np.unique(names.ravel().astype(str)))
        values = self.scaled(self.values(list(genes)).to_numpy(), names.shape[1])
        total = np.zeros((len(values), len(names)))
        for j in range(names.shape[1]):
            total += values[:, genes.get_indexer(pd.Index(names[:, j].astype(str)))]
        return np.asarray(total / names.shape[1])

    def scaled(self, values: Floats, members: int) -> Floats:
        """Values of genes as the test averages them over the `members` of a set."""
        return values

    def own_score(self, genes: Sequence[str]) -> Floats:
        """The value of a subject itself in every sample."""
        if len(genes) == 1:
            return gene_values(self.part, genes[0])
        values = self.values()
        measured = measured_members(genes, values.columns, values.to_numpy())
        return self.scores(np.array([measured], object))[:, 0]

    def usable(self, genes: pd.Index, end: int) -> NDArray[np.bool_]:
        """Which genes can stand in the place of the subject."""
        return np.ones(len(genes), bool)

    @abstractmethod
    def numbers(self, names: Names, end: int) -> pd.DataFrame:
        """NUMBERS with each row of `names` (nulls x genes) in the place of the subject."""

    @abstractmethod
    def why_not_permutable(self) -> str:
        """Empty when labels can be permuted, else the reason."""

    @abstractmethod
    def permuted(self) -> pd.DataFrame:
        """FIELDS of the subject under PERMUTATIONS of the labels."""

    def table(self) -> pd.DataFrame:
        """The full results behind the row, by gene."""
        table = self.material.tables(f"{self.test.id}/{self.row.dataset}")
        return table[table["stratum"] == self.row.stratum].set_index("feature")

    def estimable(self, table: pd.DataFrame, genes: pd.Index) -> NDArray[np.bool_]:
        """Which genes have as much of an estimate in the full results as the row has."""
        needed = ["effect", *(["se"] if self.row.se is not None else [])]
        return np.asarray(np.isfinite(table.reindex(genes)[needed].to_numpy(float)).all(axis=1))

    def generator(self) -> np.random.Generator:
        """The same for all tests on the same samples: parts of a claim share their permutations."""
        return np.random.default_rng([self.material.seed, crc32(self.place.encode())])


@dataclass(frozen=True)
class ContrastFrame(Frame):
    """Expression compared between two groups."""

    test: DifferentialExpression
    comparison: Comparison = field(kw_only=True)

    @property
    def case(self) -> NDArray[np.bool_]:
        return np.asarray(self.comparison.case)

    @property
    def is_set(self) -> bool:
        return self.test.feature.gene is None

    @cached_property
    def _table(self) -> pd.DataFrame:
        return self.table()

    def usable(self, genes: pd.Index, end: int) -> NDArray[np.bool_]:
        return np.ones(len(genes), bool) if self.is_set else self.estimable(self._table, genes)

    def numbers(self, names: Names, end: int) -> pd.DataFrame:
        if not self.is_set:
            return self._table.loc[list(names[:, 0]), list(NUMBERS)]
        scores = self.scores(names)
        if self.row.se is None:
            effect = scores[self.case].mean(axis=0) - scores[~self.case].mean(axis=0)
            return pd.DataFrame({"effect": effect}).reindex(columns=list(NUMBERS))
        return score_estimates(self.comparison, scores)

    def why_not_permutable(self) -> str:
        return why_not_permutable(self.comparison)

    def permuted(self) -> pd.DataFrame:
        order = arrangements(self.comparison, self.generator())
        (genes,) = self.ends
        if self.is_set:
            return permuted_score(self.comparison, self.own_score(genes), order)
        return permuted_gene(self.test, self.comparison, self.part, genes[0], order)


@dataclass(frozen=True)
class DependencyFrame(Frame):
    """Gene effects of some cell lines, against those of others; `part` holds the lines that have a value of the
    tested gene."""

    test: Dependency
    comparison: Comparison = field(kw_only=True)

    @property
    def case(self) -> NDArray[np.bool_]:
        return np.asarray(self.comparison.case)

    @property
    def is_expression(self) -> bool:
        return False

    @cached_property
    def _table(self) -> pd.DataFrame:
        return self.table()

    def usable(self, genes: pd.Index, end: int) -> NDArray[np.bool_]:
        return self.estimable(self._table, genes)

    def numbers(self, names: Names, end: int) -> pd.DataFrame:
        return self._table.loc[list(names[:, 0]), list(NUMBERS)]

    def why_not_permutable(self) -> str:
        if self.test.effect == "mean":
            return "a mean of one group of lines has no labels to permute"
        return why_not_permutable(self.comparison)

    def permuted(self) -> pd.DataFrame:
        order = arrangements(self.comparison, self.generator())
        (genes,) = self.ends
        return welch_t(gene_values(self.part, genes[0])[order].T, self.case)[list(FIELDS)]


@dataclass(frozen=True)
class PairFrame(Frame):
    """Two genes or scores correlated over samples."""

    test: Coexpression
    pair: PairValues = field(kw_only=True)

    @property
    def ends(self) -> list[tuple[str, ...]]:
        first, second = (self.material.genes(feature) for feature in self.test.features)
        return [
            tuple(gene for gene in own if len(own) == 1 or gene not in other)
            for own, other in ((first, second), (second, first))
        ]

    @property
    def cell_types(self) -> dict[str, Sequence[str]]:
        tests = [
            test
            for claim, test in self.material.study.tests()
            if claim.id == self.row.claim and isinstance(test, Coexpression)
        ]
        names = dict.fromkeys(name for test in tests for name in test.adjust if name in self.material.sets)
        return {name: self.material.sets[name] for name in names}

    def scaled(self, values: Floats, members: int) -> Floats:
        if members == 1:
            return values
        spread = values.std(axis=0, ddof=1)
        return np.asarray(values / np.where(spread > 0, spread, 1))

    def usable(self, genes: pd.Index, end: int) -> NDArray[np.bool_]:
        """Neither genes of the other end nor of sets that the test adjusts for."""
        taken = {gene for own in self.ends for gene in own}
        taken |= {gene for name in self.test.adjust for gene in self.material.sets.get(name, ())}
        return np.asarray(~genes.isin(list(taken)) | genes.isin(list(self.ends[end])))

    def numbers(self, names: Names, end: int) -> pd.DataFrame:
        other = self.pair.y if end == 0 else self.pair.x
        return partial_spearman(self.scores(names), other, self.pair.covariates)[list(NUMBERS)]

    def why_not_permutable(self) -> str:
        few = len(self.pair.x) < 2 * MIN_PER_ARM
        return f"{len(self.pair.x)} samples, {2 * MIN_PER_ARM} are needed" if few else ""

    def permuted(self) -> pd.DataFrame:
        """The first end, among samples that are alike in the covariates: of its ranks what the covariates leave
        is permuted (Freedman & Lane 1983, doi 10.1080/07350015.1983.10509354)."""
        ranks = stats.rankdata(self.pair.x)
        given = np.column_stack([np.ones(len(ranks)), stats.rankdata(self.pair.covariates, axis=0)])
        fitted = given @ np.linalg.lstsq(given, ranks, rcond=None)[0]
        order = self.generator().permuted(np.tile(np.arange(len(ranks)), (PERMUTATIONS, 1)), axis=1)
        shuffled = fitted[:, None] + (ranks - fitted)[order].T
        return partial_spearman(shuffled, self.pair.y, self.pair.covariates)[list(FIELDS)]


@dataclass(frozen=True)
class SurvivalFrame(Frame):
    """A hazard ratio per standard deviation of a subject, or between two groups of patients."""

    test: Survival
    cohort: Cohort = field(kw_only=True)

    def numbers(self, names: Names, end: int) -> pd.DataFrame:
        return fit_cohort(self.scores(names), self.cohort)[list(NUMBERS)]

    def why_not_permutable(self) -> str:
        few = self.cohort.events < 2 * MIN_PER_ARM
        return f"{self.cohort.events} events, {2 * MIN_PER_ARM} are needed" if few else ""

    def permuted(self) -> pd.DataFrame:
        """The subject's values dealt out anew among the patients; follow-up and covariates stay together."""
        if self.cohort.group is not None:
            own = np.asarray(self.cohort.group == CASE, np.float64)
        else:
            own = self.own_score(self.ends[0])
        order = self.generator().permuted(np.tile(np.arange(len(own)), (PERMUTATIONS, 1)), axis=1)
        found = fit_cohort(own[order].T, self.cohort)[list(FIELDS)]
        return found if self.cohort.group is None else found / float(np.std(own, ddof=1))


def frames_of(material: Material, test: ClaimTest, rows: Sequence[EvidenceRow]) -> list[Frame]:
    """One frame per row, in order; `rows` are valid rows of the test."""
    by_place: dict[str, Frame] = {}
    for name in dict.fromkeys(row.dataset for row in rows):
        own = {row.stratum: row for row in rows if row.dataset == name}
        for frame in _frames(material, test, name, own):
            by_place[frame.place] = frame
    return [by_place[f"{row.dataset}/{row.stratum}"] for row in rows]


def _frames(material: Material, test: ClaimTest, name: str, rows: Mapping[str, EvidenceRow]) -> list[Frame]:
    data = material.data(name)
    if isinstance(test, DifferentialExpression):
        chosen = tested_samples(test, data)
        formed, _ = comparisons(test, chosen.obs)
        return [
            ContrastFrame(material, test, rows[one.stratum], chosen[one.samples.index], comparison=one)
            for one in formed
            if one.stratum in rows
        ]
    if isinstance(test, Dependency):
        lines, comparison = compared_lines(test, data)
        known = ~np.isnan(gene_values(lines, str(test.feature.gene)))
        own = replace(comparison, samples=comparison.samples[known])
        return [DependencyFrame(material, test, rows["all"], lines[known], comparison=own)]
    if isinstance(test, Coexpression):
        strata, _ = samples_by_stratum(test, data)
        pairs = {
            stratum: pair_values(test, part, material.sets)
            for stratum, part in strata.items()
            if stratum in rows
        }
        return [
            PairFrame(material, test, rows[stratum], data[pair.samples], pair=pair)
            for stratum, pair in pairs.items()
        ]
    assert isinstance(test, Survival)
    dataset = material.study.datasets[name]
    endpoints = dataset.endpoints if isinstance(dataset, ExpressionKeys) else {}
    cohort = cohort_of(test, data, endpoints)
    return [SurvivalFrame(material, test, rows["all"], data[cohort.table.index], cohort=cohort)]
