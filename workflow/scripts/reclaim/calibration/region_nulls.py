"""What stands in the place of the subject of a test about peaks: other experiments, comparable genes, and the query moved
along the genome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.analyses.baseline import baselines
from reclaim.analyses.bound_and_deregulated import association, called
from reclaim.analyses.peak_colocalization import make_universe
from reclaim.analyses.target_genes import comparables_of, located_genes
from reclaim.busy_regions import busy_slopes
from reclaim.calibration.frames import FIELDS, Material
from reclaim.calibration.record import Balance
from reclaim.calibration.subjects import estimates
from reclaim.calibration.unswapped import RegionTest
from reclaim.claim_tests import (
    BoundAndDeregulated,
    DifferentialExpression,
    PeakColocalization,
    ResultOf,
    TargetGenes,
)
from reclaim.colocalization import shifted_estimates
from reclaim.comparators import SAME_CELLS
from reclaim.dataset import ExpressionKeys
from reclaim.evidence import EvidenceRow
from reclaim.gene_strata import BIOTYPE, gene_strata
from reclaim.judging import SHOWN_ONLY, Estimates
from reclaim.margins import MARGIN
from reclaim.matched_genes import outcome_distribution
from reclaim.regions import cells_of
from reclaim.rules import MIN_COMPARATORS
from reclaim.targets import gene_starts, peaks_at_starts
from reclaim.tilted import convolved, exact_tilt

SETS = 1000
"""Random sets of comparable genes."""
SLOPE_CALIPER = 0.5
"""Log odds per unit of log(1 + others). The slopes of 151 factors in GM12878 cells have a standard deviation of 0.6."""


@dataclass(frozen=True)
class Nulls:
    """Estimates of nulls, rows x nulls; None where there are none, for the reason in `gap`. `names`: which experiments
    stand in the place of the subject; empty for draws of chance."""

    estimates: Estimates | None
    names: tuple[str, ...] = ()
    gap: str = ""

    @property
    def n(self) -> int:
        return 0 if self.estimates is None else self.estimates.effect.shape[1]


def comparable_subjects(material: Material, test: RegionTest, rows: Sequence[EvidenceRow]) -> Nulls:
    """Others in the subject's place: of co-localisation partners, of bound genes that respond queries, each every other
    antigen of the same cells; of named genes random sets of comparable ones."""
    if isinstance(test, TargetGenes):
        return _matched_sets(material, test, rows)
    if any(row.effect_name in SHOWN_ONLY for row in rows):
        return Nulls(None, gap="the effect is shown and decides nothing")
    if isinstance(test, PeakColocalization):
        subject, tables = test.partner, [_partners(material, test, row) for row in rows]
    else:
        subject, tables = test.query, [_queries(material, test, row) for row in rows]
    names = reduce(lambda left, right: left.intersection(right), (table.index for table in tables))
    names = names.drop(subject, errors="ignore").sort_values()
    if len(names) < MIN_COMPARATORS:
        return Nulls(None, gap=f"{len(names)} other antigens of the same cells, {MIN_COMPARATORS} are needed")
    return Nulls(estimates([table.loc[names, list(FIELDS)] for table in tables]), tuple(names))


def draws_of_chance(material: Material, test: RegionTest, rows: Sequence[EvidenceRow]) -> Nulls:
    """What stands for permuted labels: the query of a co-localisation turned along the chromosomes, as for its p-value,
    with the same draws for all partners of a query."""
    if isinstance(test, TargetGenes):
        return Nulls(
            None, gap="named genes have no labels to permute; sets of comparable genes stand for them"
        )
    if isinstance(test, BoundAndDeregulated):
        return Nulls(
            None, gap="labels of the ranking are not permuted: all genes would have to be tested anew"
        )
    found = []
    for row in rows:
        universe = make_universe(test, material.regions(row.dataset), material.genome())
        query, partner = (universe.antigens.index(name) for name in (test.query, test.partner))
        found.append(
            shifted_estimates(
                universe.occupancy,
                query,
                partner,
                universe.regions.chromosome,
                material.seed,
                stratum=universe.promoter,
                lone_regions=test.counts_lone_regions,
            )
        )
    return Nulls(estimates(found))


@dataclass(frozen=True)
class Alike:
    """Which of the antigens that stand for a partner follow busy regions as it does, and how like it they are."""

    which: NDArray[np.bool_]
    balance: Balance


def alike_partners(
    material: Material, test: PeakColocalization, rows: Sequence[EvidenceRow], names: Sequence[str]
) -> Alike:
    """Of `names` those whose slope on busy regions (busy_regions) differs by at most SLOPE_CALIPER from the partner's, in
    the data set of each row; the balance is that of the first."""
    slopes = [_slopes(material, test, row) for row in rows]
    near = [
        np.abs(slope[list(names)].to_numpy() - float(slope[test.partner])) <= SLOPE_CALIPER
        for slope in slopes
    ]
    others = slopes[0][list(names)].to_numpy()
    low, middle, high = (float(f"{value:.6g}") for value in np.nanpercentile(others, [5, 50, 95]))
    own = float(f"{slopes[0][test.partner]:.6g}")
    return Alike(
        np.logical_and.reduce(near),
        Balance(name="slope on busy regions", subject=own, low=low, middle=middle, high=high),
    )


def _slopes(material: Material, test: PeakColocalization, row: EvidenceRow) -> pd.Series[float]:
    universe = make_universe(test, material.regions(row.dataset), material.genome())
    query = universe.antigens.index(test.query)
    return pd.Series(busy_slopes(universe.occupancy, query), index=universe.antigens)


def _partners(material: Material, test: PeakColocalization, row: EvidenceRow) -> pd.DataFrame:
    """Other partners, from the full results. One with too few regions for the margin to be seen has no estimate, as the
    claim would have none."""
    table = material.tables(f"{test.id}/{row.dataset}")
    others = table[table["stratum"] == SAME_CELLS].set_index("feature")[list(FIELDS)]
    seen = table.set_index("feature").loc[others.index, "mde"] <= MARGIN["log_odds_ratio"]
    found: pd.DataFrame = others.where(seen & np.isfinite(others["effect"]))
    return found


def _queries(material: Material, test: BoundAndDeregulated, row: EvidenceRow) -> pd.DataFrame:
    """The estimate with every other antigen of the same cells in the query's place; those whose odds ratio is finite."""
    binding = material.regions(str(test.with_["peaks"]))
    starts = gene_starts(material.genome()["genes"])
    starts = starts[starts["biotype"] == BIOTYPE].sort_values("symbol", kind="stable")
    symbols, first = np.unique(starts["symbol"].astype(str), return_index=True)
    cells = cells_of(binding.experiments)
    peaks = {
        str(antigen): peaks_at_starts(
            starts, binding.regions[binding.regions["experiment"].isin(own)], test.window_bp
        )
        for antigen, own in binding.experiments.groupby("antigen")["experiment"]
    }
    every = np.sum(list(peaks.values()), axis=0)
    response, level = _response(material, test, row)
    rows = {}
    for antigen, own in peaks.items():
        if cells[antigen] != cells[test.query]:
            continue
        near = pd.DataFrame(
            {"own": np.maximum.reduceat(own, first), "others": np.maximum.reduceat(every - own, first)},
            index=symbols,
        )
        genes = response.join(near, how="inner")
        strata = gene_strata(level.reindex(genes.index), genes["others"])
        found = association(test, genes.assign(bound=genes["own"] > 0, alike=strata))
        if np.isfinite(found.effect[0]) and np.isfinite(found.se[0]):
            rows[antigen] = [float(getattr(found, name)[0]) for name in FIELDS]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(FIELDS))


def _response(
    material: Material, test: BoundAndDeregulated, row: EvidenceRow
) -> tuple[pd.DataFrame, pd.Series[float]]:
    """Which genes fall or rise, and how strongly each is expressed before."""
    ranking = test.with_["ranking"]
    assert isinstance(ranking, ResultOf)
    ranked_by = next(one for _, one in material.study.tests() if one.id == ranking.test)
    assert isinstance(ranked_by, DifferentialExpression)
    dataset = material.study.datasets[row.dataset]
    source = dataset.source_column if isinstance(dataset, ExpressionKeys) else None
    table = material.tables(f"{ranking.test}/{row.dataset}")
    before = baselines(ranked_by, material.data(row.dataset), source)[row.stratum]
    return called(test, table[table["stratum"] == row.stratum]), before.level


def _matched_sets(material: Material, test: TargetGenes, rows: Sequence[EvidenceRow]) -> Nulls:
    if len(rows) > 1:
        return Nulls(None, gap="genes that are comparable in one data set are not so in another")
    (row,) = rows
    beside = test.with_.get("expression")
    expression = material.data(beside) if isinstance(beside, str) else None
    genes = located_genes(test, material.regions(row.dataset), material.genome()["genes"], expression)
    blocks = comparables_of(genes)
    generator = np.random.default_rng([material.seed, crc32(test.id.encode())])
    found = sum(outcomes[generator.integers(len(outcomes), size=SETS)] for _, outcomes in blocks)
    log_null = convolved([outcome_distribution(outcomes, len(block)) for block, outcomes in blocks])
    tilts = [exact_tilt(log_null, number) for number in range(len(log_null))]
    by_number = pd.DataFrame(
        [(one.estimate, one.se, one.ci_low, one.ci_high) for one in tilts], columns=list(FIELDS)
    )
    return Nulls(estimates([by_number.iloc[np.asarray(found)]]))
