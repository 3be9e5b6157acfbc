"""Do two factors bind the same regions, more than any two factors that follow open chromatin?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.claim_tests import PeakColocalization
from reclaim.colocalization import SHIFTS, circular_shift_p, colocalization, rank_among
from reclaim.comparators import OTHER_CELLS, SAME_CELLS
from reclaim.dataset_base import TierName
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate
from reclaim.intervals import Intervals
from reclaim.region_universe import Occupancy, merge_regions, occupancy_matrix, top_peaks
from reclaim.regions import Binding, cells_of, check_antigens, overlaps_any

EFFECT, METHOD = "log_odds_ratio", "mantel_haenszel_over_occupancy"


@dataclass(frozen=True)
class Universe:
    """Regions of a data set with what binds them; `promoter` is one truth value per region, None where no strata are
    made of it."""

    regions: Intervals
    occupancy: Occupancy
    antigens: list[str]
    few: list[str]
    """Antigens with fewer peaks than were asked for."""
    promoter: NDArray[np.bool_] | None


def peak_colocalization(
    test: PeakColocalization,
    binding: Binding,
    genome: Mapping[str, pd.DataFrame],
    tier: TierName,
    seed: int,
) -> tuple[list[Estimate], pd.DataFrame]:
    """The estimate for query and partner, and one row of full results per antigen but the query.

    `genome` holds the tables `genes` (chrom, tss) and `elements` (chrom, start, end), as far as the test needs them.
    The effect is the Mantel-Haenszel log odds ratio over strata of occupancy and of promoters; its p-value (one-sided,
    as claimed) is that of circular shifts of the query, those of the full results are Cochran, Mantel and Haenszel's. A partner
    with too few regions for the margin to be seen has no effect, and says so. Raises AbsentData when the query or the
    partner has no experiment.
    """
    check_antigens(binding.experiments, (test.query, test.partner))
    universe = make_universe(test, binding, genome)
    query, partner = (universe.antigens.index(name) for name in (test.query, test.partner))
    found = colocalization(universe.occupancy, query, universe.promoter, test.counts_lone_regions)
    cells = cells_of(binding.experiments)
    table = found.assign(
        feature=[universe.antigens[i] for i in found["partner"]],
        n=found["n_regions"],
        n_events=found["n_both"],
    )
    table["stratum"] = np.where(cells.loc[table["feature"]] == cells[test.query], SAME_CELLS, OTHER_CELLS)
    table.attrs |= {"method": METHOD, "effect_name": EFFECT}
    shifted = circular_shift_p(
        universe.occupancy,
        query,
        [partner],
        universe.regions.chromosome,
        seed,
        SHIFTS,
        universe.promoter,
        test.counts_lone_regions,
    ).iloc[0]
    p_value = float(shifted["p_less" if test.expected == "negative" else "p_greater"])
    own = table[table["partner"] == partner].iloc[0]
    return [_estimate(test, universe, table, own, p_value, tier)], table.drop(columns="partner")


def make_universe(test: PeakColocalization, binding: Binding, genome: Mapping[str, pd.DataFrame]) -> Universe:
    """Regions that any antigen binds, or candidate elements, and which antigens bind them. Several experiments of an
    antigen count as one. Raises AbsentData when the strongest peaks are asked for and peaks have no score."""
    regions, experiments = binding.regions, binding.experiments.set_index("experiment")
    antigens = sorted(set(experiments["antigen"]))
    chromosomes = [str(name) for name in regions["chrom"].cat.categories]
    peaks = Intervals(
        regions["chrom"].cat.codes.to_numpy(np.int32),
        regions["start"].to_numpy(),
        regions["end"].to_numpy(),
    )
    experiment = regions["experiment"].cat.codes.to_numpy(np.int32)
    names = experiments["antigen"].loc[list(regions["experiment"].cat.categories)]
    antigen = pd.Index(antigens).get_indexer(pd.Index(names)).astype(np.int32)
    few: list[str] = []
    if test.top_peaks is not None:
        scores = regions["score"].to_numpy()
        if np.isnan(scores).any():
            raise AbsentData("top_peaks asks for the strongest peaks, but there are peaks without a score")
        top = top_peaks(peaks, experiment, scores, test.top_peaks)
        peaks, experiment = peaks.take(top.kept), experiment[top.kept]
        few = sorted(set(names.iloc[np.flatnonzero(top.few)]))
    places = merge_regions(peaks)
    if test.universe == "elements":
        places = merge_regions(_intervals(genome["elements"], chromosomes), 0)
    promoter = None
    if test.promoter_bp:
        promoter = _near_a_start(places, chromosomes, genome["genes"], test.promoter_bp)
    occupancy = occupancy_matrix(places, peaks, antigen[experiment], len(antigens))
    return Universe(places, occupancy, antigens, few, promoter)


def _intervals(table: pd.DataFrame, chromosomes: Sequence[str]) -> Intervals:
    """Rows of a table on chromosomes that the regions know."""
    code = pd.Index(chromosomes).get_indexer(pd.Index(table["chrom"].astype(object))).astype(np.int32)
    known = code >= 0
    start, end = (table[name].to_numpy(np.int32)[known] for name in ("start", "end"))
    return Intervals(code[known], start, end)


def _near_a_start(
    places: Intervals, chromosomes: Sequence[str], genes: pd.DataFrame, reach: int
) -> NDArray[np.bool_]:
    """Which regions lie within `reach` bases of a transcription start."""
    around = {"chrom": genes["chrom"], "start": genes["tss"] - reach, "end": genes["tss"] + reach + 1}
    chrom = np.array(chromosomes, object)[places.chromosome]
    regions = pd.DataFrame({"chrom": chrom, "start": places.start, "end": places.end})
    return overlaps_any(regions, pd.DataFrame(around))


def _estimate(
    test: PeakColocalization,
    universe: Universe,
    table: pd.DataFrame,
    own: pd.Series,
    p_value: float,
    tier: TierName,
) -> Estimate:
    flags: list[str] = []
    notes = [f"odds ratio {own['crude_odds_ratio']:.3g} without strata"]
    comparable = (table["stratum"] == SAME_CELLS).to_numpy()
    claimed = table["effect"] * (-1 if test.expected == "negative" else 1)
    ranked = rank_among(claimed, [int(np.flatnonzero(table.index == own.name)[0])], comparable)
    rank, others = ranked["rank"].iloc[0], int(ranked["n_comparators"].iloc[0])
    if own["stratum"] == OTHER_CELLS:
        flags.append("other_cells")
    elif np.isfinite(rank):
        notes.append(f"rank {rank:g} among {others} other antigens of the same cells")
    estimate = Estimate(
        method=METHOD,
        feature=test.partner,
        effect_name=EFFECT,
        n=int(own["n_regions"]),
        n_events=int(own["n_both"]),
        groups={test.query: int(own["n_query"]), test.partner: int(own["n_partner"])},
        tier=tier,
    )
    if set(universe.few) & {test.query, test.partner}:
        flags.append("few_peaks")
    if own["underpowered"] or not np.isfinite(own["effect"]):
        flags.append("underpowered")
        notes.insert(
            0,
            f"only {int(own['n_partner']):,} regions: odds ratios below {np.exp(own['mde']):.3g} could be missed"
            if np.isfinite(own["mde"])
            else str(own["reason"]),
        )
    else:
        names = ("effect", "se", "ci_low", "ci_high", "statistic")
        estimate = estimate.with_numbers({name: float(own[name]) for name in names}, p_value)
    return replace(estimate, flags=tuple(flags), note="; ".join(notes))
