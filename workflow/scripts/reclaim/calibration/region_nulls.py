"""What stands in the place of the subject of a test of regions: other experiments, and the query moved along the genome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from reclaim.analyses.peak_colocalization import make_universe
from reclaim.calibration.frames import FIELDS, Material
from reclaim.calibration.subjects import estimates
from reclaim.claim_tests import PeakColocalization
from reclaim.colocalization import shifted_estimates
from reclaim.comparators import SAME_CELLS
from reclaim.evidence import EvidenceRow
from reclaim.judging import Estimates
from reclaim.rules import MARGIN, MIN_COMPARATORS


@dataclass(frozen=True)
class Nulls:
    """Estimates of nulls, rows x nulls; None where there are none, for the reason in `gap`. `names`: what was put in the
    place of the subject; empty for draws of chance."""

    estimates: Estimates | None
    names: tuple[str, ...] = ()
    gap: str = ""


def swapped_experiments(material: Material, test: PeakColocalization, rows: Sequence[EvidenceRow]) -> Nulls:
    """Every other antigen of the same cells in the partner's place, as far as it has regions enough for the margin to be
    seen in each of the rows' data sets."""
    tables = [_powered(material, test, row) for row in rows]
    names = reduce(lambda left, right: left.intersection(right), (table.index for table in tables))
    names = names.drop(test.partner, errors="ignore").sort_values()
    if len(names) < MIN_COMPARATORS:
        return Nulls(None, gap=f"{len(names)} other antigens of the same cells, {MIN_COMPARATORS} are needed")
    return Nulls(estimates([table.loc[names, list(FIELDS)] for table in tables]), tuple(names))


def _powered(material: Material, test: PeakColocalization, row: EvidenceRow) -> pd.DataFrame:
    table = material.tables(f"{test.id}/{row.dataset}")
    seen = (table["stratum"] == SAME_CELLS) & (table["mde"] <= MARGIN["log_odds_ratio"])
    powered: pd.DataFrame = table[seen & np.isfinite(table["effect"])]
    return powered.set_index("feature")


def shifted_queries(material: Material, test: PeakColocalization, rows: Sequence[EvidenceRow]) -> Nulls:
    """The query turned along the chromosomes, as for the p-value: the same draws for all partners of a query."""
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
