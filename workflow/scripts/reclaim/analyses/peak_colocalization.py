"""Do two factors bind the same regions, more than any two factors that follow open chromatin?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.claim_tests import PeakColocalization
from reclaim.colocalization import circular_shift_p, colocalization, rank_among
from reclaim.comparators import OTHER_CELLS, SAME_CELLS
from reclaim.dataset_base import TIER_OF, Closeness, Tier
from reclaim.errors import AbsentData, did_you_mean
from reclaim.evidence import Estimate
from reclaim.intervals import Intervals
from reclaim.region_universe import Occupancy, merge_regions, occupancy_matrix, top_peaks
from reclaim.regions import Binding, overlaps_any

EFFECT, METHOD = "log_odds_ratio", "mantel_haenszel_over_occupancy"
SHIFTS = 1000


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
    test: PeakColocalization, binding: Binding, genome: Mapping[str, pd.DataFrame], tier: Tier, seed: int
) -> tuple[list[Estimate], pd.DataFrame]:
    """The estimate for query and partner, and one row of full results per antigen but the query.

    `genome` holds the tables `genes` (chrom, tss) and `elements` (chrom, start, end), as far as the test needs them.
    The effect is the Mantel-Haenszel log odds ratio over strata of occupancy and of promoters; its p-value (two-sided)
    is that of circular shifts of the query, those of the full results are Cochran, Mantel and Haenszel's. A partner
    with too few regions for the margin to be seen has no effect, and says so. Raises AbsentData when the query or the
    partner has no experiment.
    """
    for antigen in (test.query, test.partner):
        known = set(binding.experiments["antigen"])
        if antigen not in known:
            raise AbsentData(
                f"no experiment of {antigen} was chosen{did_you_mean(antigen, known)} ({len(known)} antigens have one)"
            )
    universe = make_universe(test, binding, genome)
    query, partner = (universe.antigens.index(name) for name in (test.query, test.partner))
    found = colocalization(universe.occupancy, query, universe.promoter)
    cells = binding.experiments.groupby("antigen")["cells"].first()
    table = found.assign(
        feature=[universe.antigens[i] for i in found["partner"]],
        n=found["n_regions"],
        n_events=found["n_both"],
    )
    table["stratum"] = np.where(cells.loc[table["feature"]] == cells[test.query], SAME_CELLS, OTHER_CELLS)
    table.attrs |= {"method": METHOD, "effect_name": EFFECT}
    shifted = circular_shift_p(
        universe.occupancy, query, [partner], universe.regions.chromosome, seed, SHIFTS, universe.promoter
    ).iloc[0]
    p_value = min(1.0, 2 * min(shifted["p_greater"], shifted["p_less"]))
    own = table[table["partner"] == partner].iloc[0]
    return [_estimate(test, binding, universe, table, own, p_value, tier)], table.drop(columns="partner")


def make_universe(test: PeakColocalization, binding: Binding, genome: Mapping[str, pd.DataFrame]) -> Universe:
    """Regions that any antigen binds, or candidate elements, and which antigens bind them."""
    experiments = binding.experiments.sort_values("antigen", kind="stable")
    antigens = list(dict.fromkeys(experiments["antigen"]))
    regions = binding.regions
    peaks = Intervals(
        regions["chrom"].cat.codes.to_numpy(np.int32),
        regions["start"].to_numpy(),
        regions["end"].to_numpy(),
    )
    code_of = experiments.set_index("experiment")["antigen"].map({name: i for i, name in enumerate(antigens)})
    column = code_of.loc[list(regions["experiment"].cat.categories)].to_numpy(np.int32)[
        regions["experiment"].cat.codes
    ]
    few: list[str] = []
    if test.top_peaks is not None:
        experiment = regions["experiment"].cat.codes.to_numpy(np.int32)
        scores = regions["score"].to_numpy()
        if np.isnan(scores).any():
            raise AbsentData("top_peaks asks for the strongest peaks, but there are peaks without a score")
        top = top_peaks(peaks, experiment, scores, test.top_peaks)
        short = regions["experiment"].cat.categories[top.few]
        few = sorted(set(experiments.set_index("experiment")["antigen"].loc[short]))
        peaks, column = peaks.take(top.kept), column[top.kept]
    chromosomes = list(regions["chrom"].cat.categories)
    if test.universe == "elements":
        elements = genome["elements"]
        codes = pd.Index(chromosomes).get_indexer(pd.Index(elements["chrom"].astype(object)))
        known = codes >= 0
        all_regions = merge_regions(
            Intervals(
                codes[known].astype(np.int32),
                elements["start"].to_numpy(np.int32)[known],
                elements["end"].to_numpy(np.int32)[known],
            ),
            0,
        )
    else:
        all_regions = merge_regions(peaks)
    promoter = None
    if test.promoter_bp is not None:
        tss = genome["genes"]
        near = pd.DataFrame(
            {
                "chrom": tss["chrom"],
                "start": tss["tss"] - test.promoter_bp,
                "end": tss["tss"] + test.promoter_bp + 1,
            }
        )
        places = pd.DataFrame(
            {
                "chrom": np.array(chromosomes, object)[all_regions.chromosome],
                "start": all_regions.start,
                "end": all_regions.end,
            }
        )
        promoter = overlaps_any(places, near)
    occupancy = occupancy_matrix(all_regions, peaks, column, len(antigens))
    return Universe(all_regions, occupancy, antigens, few, promoter)


def _estimate(
    test: PeakColocalization,
    binding: Binding,
    universe: Universe,
    table: pd.DataFrame,
    own: pd.Series,
    p_value: float,
    tier: Tier,
) -> Estimate:
    flags: list[str] = []
    notes = [f"odds ratio {own['crude_odds_ratio']:.3g} without strata"]
    comparable = (table["stratum"] == SAME_CELLS).to_numpy()
    ranked = rank_among(table["effect"], [int(np.flatnonzero(table.index == own.name)[0])], comparable)
    rank, others = ranked["rank"].iloc[0], int(ranked["n_comparators"].iloc[0])
    if own["stratum"] == OTHER_CELLS:
        flags.append("other_cells")
    elif np.isfinite(rank):
        notes.append(f"rank {rank:g} among {others} other antigens of the same cells")
    pair = binding.experiments[binding.experiments["antigen"].isin([test.query, test.partner])]
    worst: Closeness = max(pair["system"], key=list(TIER_OF).index)
    system = max(tier.system, worst, key=list(TIER_OF).index)
    estimate = Estimate(
        method=METHOD,
        feature=test.partner,
        effect_name=EFFECT,
        n=int(own["n_regions"]),
        n_events=int(own["n_both"]),
        groups={test.query: int(own["n_query"]), test.partner: int(own["n_partner"])},
        tier=tier.model_copy(update={"system": system}).name,
    )
    if set(universe.few) & {test.query, test.partner}:
        flags.append("few_peaks")
    if own["underpowered"] or not np.isfinite(own["effect"]):
        flags.append("underpowered")
        notes.append(
            f"only {int(own['n_partner']):,} regions: odds ratios below {np.exp(own['mde']):.3g} could be missed"
            if np.isfinite(own["mde"])
            else str(own["reason"])
        )
    else:
        names = ("effect", "se", "ci_low", "ci_high", "statistic")
        estimate = estimate.with_numbers({name: float(own[name]) for name in names}, p_value)
    return replace(estimate, flags=tuple(flags), note="; ".join(notes))
