"""Which factors bind where a query factor binds, beyond what busy regions have in common.

Regions that many factors bind make nearly all pairs of factors overlap. So overlap is counted on regions of
a universe (region_universe) within strata of occupancy: regions with the same number of other factors are
compared with each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from reclaim.evidence import MDE_FACTOR
from reclaim.mantel_haenszel import MantelHaenszel, mantel_haenszel
from reclaim.margins import MARGIN
from reclaim.moderated_t import benjamini_hochberg
from reclaim.region_universe import Occupancy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

OCCUPANCY_FROM = (1, 2, 4, 7, 11, 21, 41)
"""Other factors in a region: 0, 1, 2-3, 4-6, 7-10, 11-20, 21-40, 41 and more."""
SHIFTS = 1000
"""Circular shifts that a p-value of a claim rests on."""
FEWEST_REGIONS = 5
"""Strata with fewer regions are left out."""


def colocalization(
    occupancy: Occupancy, query: int, stratum: ArrayLike | None = None, lone_regions: bool = True
) -> pd.DataFrame:
    """Overlap of the query with each other column, one row per column, none left out.

    `query` is a column of `occupancy`; `stratum` has one label per region (promoter or distal), across which
    regions are not compared either. Columns, counts in regions: partner (column), n_regions, n_query,
    n_partner, n_both, jaccard (both / either), forbes (both x regions / (query x partner): Forbes 1907),
    crude_odds_ratio, effect (log odds ratio of Mantel & Haenszel over strata), se, ci_low, ci_high (95 %),
    statistic (Cochran, Mantel and Haenszel's chi-square without continuity correction), p_value (two-sided),
    q_value (Benjamini-Hochberg), n_informative (regions in strata where query and partner vary), mde,
    underpowered, reason. Strata are the number of columns with a peak in the region other than the two that
    are tested (bins: 0, 1, 2-3, 4-6, 7-10, 11-20, 21-40, 41+) x `stratum`; those with fewer than 5 regions
    are left out, and without `lone_regions` those where no other column has a peak: where regions are the
    peaks themselves, one that no other factor binds is a region only because one of the two binds it, so that the
    two never are both absent there, and look as if they avoided each other. mde is 2.8 standard errors that the partner's and the query's numbers of regions per
    stratum give at an odds ratio of 1, and a partner is underpowered when this exceeds the margin, log 1.5:
    then it could have been missed. This does not look at the overlap found, which would call a partner that
    is never there underpowered however many regions it has. See `mantel_haenszel` for zero cells and
    `reason`; a partner without any region has a row of NaN. Raises ValueError for a column out of range and
    for a label per region too few.
    """
    strata = _Strata(occupancy, query, stratum, lone_regions)
    partners = np.delete(np.arange(occupancy.n_columns), query)
    tables = np.zeros((len(partners), strata.n, 2, 2), np.int64)
    for table, partner in zip(tables, partners, strict=True):
        strata.count(occupancy.present(int(partner)), table)
    whole = tables.sum(axis=1)
    tables[tables.sum(axis=(2, 3)) < FEWEST_REGIONS] = 0
    tables[:, ~strata.counts] = 0
    return _table(partners, whole, mantel_haenszel(tables))


def circular_shift_p(
    occupancy: Occupancy,
    query: int,
    partners: Sequence[int],
    chromosome: ArrayLike,
    seed: int,
    draws: int = SHIFTS,
    stratum: ArrayLike | None = None,
    lone_regions: bool = True,
) -> pd.DataFrame:
    """How often the query, moved along the genome, overlaps a partner as much, one row per partner.

    `chromosome` has one code per region, in genome order. Each draw turns the query's presence over the
    regions of every chromosome by a number of regions of its own, uniform from 0 to their number less one, in
    a circle: neighbouring regions stay neighbours, which a test on independent regions ignores (circular
    randomisation as in regioneR: Gel et al. 2016, doi 10.1093/bioinformatics/btv562, here of regions rather
    than bases). With one code for all regions there is one circle. Strata are as in `colocalization` and stay
    where they are, since the query is not counted in them. Columns: partner, effect (log odds ratio of
    Mantel & Haenszel), p_greater and p_less: (1 + draws with an odds ratio at least, at most, as large) /
    (draws + 1). Draws without an odds ratio count in both; without one observed both are NaN. The null
    hypothesis is that the query lies anywhere, busy regions or not: a small p says that overlap is not
    chance, and not how much of it is left within strata, which is the effect. All partners see the same
    draws, and the same `seed` gives the same result. Raises ValueError for a column out of range, chromosomes
    that are not together, shapes that do not fit and no draws.
    """
    strata = _Strata(occupancy, query, stratum, lone_regions)
    circles = _circles(strata.query, chromosome, seed, draws)
    rows = []
    for partner in partners:
        if partner == query:
            raise ValueError(f"column {query} is the query itself")
        present = occupancy.present(partner)
        odds_ratio = _odds_ratios(_shifted(strata, present, circles, draws + 1))
        observed, moved = odds_ratio[0], odds_ratio[1:]
        with np.errstate(divide="ignore"):
            row = {"partner": partner, "effect": np.log(observed)}
        for name, short in (("p_greater", moved < observed), ("p_less", moved > observed)):
            row[name] = np.nan if np.isnan(observed) else (1 + (~short).sum()) / (draws + 1)
        rows.append(row)
    return pd.DataFrame(rows, columns=["partner", "effect", "p_greater", "p_less"])


def shifted_estimates(
    occupancy: Occupancy,
    query: int,
    partner: int,
    chromosome: ArrayLike,
    seed: int,
    draws: int = SHIFTS,
    stratum: ArrayLike | None = None,
    lone_regions: bool = True,
) -> pd.DataFrame:
    """The estimate of `colocalization` for one partner and each draw of `circular_shift_p`, which has the same
    arguments: effect, se, ci_low and ci_high, one row per draw. What chance makes of the pair."""
    strata = _Strata(occupancy, query, stratum, lone_regions)
    circles = _circles(strata.query, chromosome, seed, draws)
    both, only_query, only_partner, neither = _shifted(strata, occupancy.present(partner), circles, draws + 1)
    cells = np.array([[both, only_query], [only_partner, neither]])[..., 1:]  # the first is what was observed
    found = mantel_haenszel(cells.transpose(3, 2, 0, 1))
    return pd.DataFrame({name: getattr(found, name) for name in ("effect", "se", "ci_low", "ci_high")})


def rank_among(effect: ArrayLike, named: Sequence[int], comparator: ArrayLike | None = None) -> pd.DataFrame:
    """Where named factors stand among comparators, one row per named factor.

    `effect` has one adjusted estimate per factor, infinite ones included; NaN is not ranked. `named` are
    positions in it, `comparator` one truth value per factor (all, unless given); a factor is no comparator
    of itself. Columns: named, effect, rank (1 is the highest, ties have their mean rank), percentile
    (share of comparators below, half of those equal), n_comparators. NaN for a factor without an estimate;
    the percentile also without comparators. Raises ValueError for shapes that do not fit and for positions
    out of range.
    """
    values = np.asarray(effect, np.float64)
    allowed = np.ones(len(values), bool) if comparator is None else np.asarray(comparator, bool)
    if values.ndim != 1 or allowed.shape != values.shape:
        raise ValueError(f"effects {values.shape} and comparators {allowed.shape} are not one per factor")
    at = np.asarray(named, np.int64)
    if at.size and not (at.min() >= 0 and at.max() < len(values)):
        raise ValueError(f"positions {at.min()} to {at.max()} are not among {len(values)} factors")
    counts = allowed & ~np.isnan(values)
    others = counts & (np.arange(len(values)) != at[:, None])
    own = values[at]
    above = (others & (values > own[:, None])).sum(axis=1)
    equal = (others & (values == own[:, None])).sum(axis=1)
    n = others.sum(axis=1)
    known = ~np.isnan(own)
    with np.errstate(invalid="ignore"):
        percentile = np.where(known, (n - above - equal / 2) / np.where(n > 0, n, np.nan), np.nan)
    rank = np.where(known, 1 + above + equal / 2, np.nan)
    return pd.DataFrame(
        {"named": at, "effect": own, "rank": rank, "percentile": percentile, "n_comparators": n}
    )


class _Strata:
    """Strata of all partners of one query. A partner's own regions have one factor fewer besides the two
    than they would have if it were absent, so each region has two strata, whoever the partner is."""

    def __init__(
        self, occupancy: Occupancy, query: int, stratum: ArrayLike | None, lone_regions: bool
    ) -> None:
        self.query = occupancy.present(query)
        further, n_further = np.zeros(occupancy.n_regions, np.int64), 1
        if stratum is not None:
            labels, further = np.unique(np.asarray(stratum), return_inverse=True)
            n_further = max(1, len(labels))
        if further.shape != (occupancy.n_regions,):
            raise ValueError(f"{occupancy.n_regions} regions need one stratum each; found {further.shape}")
        self.n = (len(OCCUPANCY_FROM) + 1) * n_further
        self.counts = np.arange(self.n) >= (0 if lone_regions else n_further)
        others = occupancy.columns_per_region() - self.query
        self.if_absent, self.if_present = (
            np.searchsorted(OCCUPANCY_FROM, number, side="right") * n_further + further
            for number in (others, others - 1)
        )
        self._absent_cell = 2 * self.if_absent + self.query
        self._present_cell = 2 * self.if_present + self.query
        self._all_absent = np.bincount(self._absent_cell, minlength=2 * self.n)

    def count(self, present: Mask, table: Integers) -> None:
        """Fills strata x 2 x 2: [[both, only the query], [only the partner, neither]]."""
        at = np.flatnonzero(present)
        with_partner = np.bincount(self._present_cell[at], minlength=2 * self.n)
        without = self._all_absent - np.bincount(self._absent_cell[at], minlength=2 * self.n)
        table[:, ::-1, 0] = with_partner.reshape(-1, 2)
        table[:, ::-1, 1] = without.reshape(-1, 2)


def _table(partners: Integers, whole: Integers, adjusted: MantelHaenszel) -> pd.DataFrame:
    """`whole` is partners x 2 x 2, over all regions."""
    (both, only_query), (only_partner, neither) = np.moveaxis(whole.astype(np.float64), 0, 2)
    n_query, n_partner = both + only_query, both + only_partner
    n = n_query + only_partner + neither
    mde = MDE_FACTOR * adjusted.null_se
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(
            {
                "partner": partners,
                "n_regions": n.astype(np.int64),
                "n_query": n_query.astype(np.int64),
                "n_partner": n_partner.astype(np.int64),
                "n_both": both.astype(np.int64),
                "jaccard": both / (n_query + only_partner),
                "forbes": both * n / (n_query * n_partner),
                "crude_odds_ratio": both * neither / (only_query * only_partner),
                "effect": adjusted.effect,
                "se": adjusted.se,
                "ci_low": adjusted.ci_low,
                "ci_high": adjusted.ci_high,
                "statistic": adjusted.statistic,
                "p_value": adjusted.p_value,
                "q_value": benjamini_hochberg(adjusted.p_value),
                "n_informative": adjusted.n_informative,
                "mde": mde,
                "underpowered": mde > MARGIN["log_odds_ratio"],
                "reason": adjusted.reason,
            }
        )


Circle = tuple[slice, Integers, NDArray[np.complex128]]
"""A chromosome's regions, how far each draw turns it, and the query's presence there, transformed."""


def _circles(query: Mask, chromosome: ArrayLike, seed: int, draws: int) -> list[Circle]:
    codes = np.asarray(chromosome)
    if codes.shape != query.shape:
        raise ValueError(f"{len(query)} regions need one chromosome each; found {codes.shape}")
    if draws < 1:
        raise ValueError(f"{draws} draws give no p-value")
    first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.empty(0, np.int64)
    if len(first) != len(np.unique(codes)):
        raise ValueError("regions of one chromosome do not follow each other: sort them by place")
    generator = np.random.default_rng(seed)
    circles = []
    for start, end in zip(first, np.append(first[1:], len(codes)), strict=True):
        part = slice(int(start), int(end))
        moves = np.append(0, generator.integers(end - start, size=draws))  # the first is what was observed
        circles.append((part, moves, fft.rfft(query[part].astype(np.float64)).conj()))
    return circles


def _shifted(
    strata: _Strata, present: Mask, circles: list[Circle], draws: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Regions with both, only the query, only the partner and neither: strata x draws each. A Fourier transform
    gives the overlap with the query at every turn of a circle at once; counts are whole numbers, so that rounding
    leaves them exact."""
    group = np.where(present, strata.n + strata.if_present, strata.if_absent)
    size = np.bincount(group, minlength=2 * strata.n).reshape(2, strata.n)
    used = np.flatnonzero((size.sum(axis=0) >= FEWEST_REGIONS) & strata.counts)
    row_of = np.full(2 * strata.n, -1)
    row_of[np.append(used, strata.n + used)] = np.arange(2 * len(used))
    with_query = np.zeros((2 * len(used), draws))
    for part, moves, query in circles:
        row = row_of[group[part]]
        for i in np.unique(row[row >= 0]):
            overlap = fft.irfft(fft.rfft((row == i).astype(np.float64)) * query, n=len(row))
            with_query[i] += np.rint(overlap)[moves]
    only_query, both = with_query.reshape(2, len(used), draws)
    neither, only_partner = size[:, used, None] - np.array([only_query, both])
    return both, only_query, only_partner, neither


def _odds_ratios(cells: tuple[Floats, Floats, Floats, Floats]) -> Floats:
    """One per draw. Added up stratum after stratum: draws with the same counts have the same odds ratio to the last
    bit."""
    both, only_query, only_partner, neither = cells
    total = both + only_query + only_partner + neither
    with np.errstate(divide="ignore", invalid="ignore"):
        favour = np.add.reduce(both * neither / total, axis=0)
        return np.asarray(favour / np.add.reduce(only_query * only_partner / total, axis=0))
