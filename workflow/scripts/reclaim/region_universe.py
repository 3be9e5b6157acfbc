"""The regions that peaks are compared on, and which factors have a peak in which of them.

A set of peaks is not judged against the whole genome but against all regions where any factor was found:
peaks of all experiments, merged where they are near each other (Sheffield & Bock 2016, doi
10.1093/bioinformatics/btv612, on the choice of a universe). pyranges also merges, but on tables of several
times the memory; here up to 150 million peaks pass in blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reclaim.intervals import CHROMOSOME_BITS, AnyIntegers, Intervals, blocks, keys

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

GAP_BP = 300
COLUMNS_AT_A_TIME = 64


def merge_regions(peaks: Intervals, gap: int = GAP_BP) -> Intervals:
    """Regions: peaks of all experiments, joined where the next starts at most `gap` bp after the end of those
    before, as `bedtools merge -d`.

    Overlapping and book-ended peaks join at any gap, and peaks exactly `gap` bp apart join too. Regions are
    disjoint and sorted by chromosome and start; each lies more than `gap` bp from the next. `peaks` may have
    any order. Memory besides the peaks: 200 MB and 100 bytes per region. Raises ValueError for a negative
    gap.
    """
    if not 0 <= gap < 2**31:
        raise ValueError(f"a gap of {gap} bp is not between 0 and 2^31")
    starts = ends = np.empty(0, np.int64)
    for part in blocks(len(peaks)):
        # Regions so far count as peaks: all that lies in their inner gaps is near enough to join.
        starts = np.concatenate([starts, keys(peaks.chromosome[part], peaks.start[part])])
        ends = np.concatenate([ends, keys(peaks.chromosome[part], peaks.end[part])])
        starts.sort()
        ends.sort()
        # Before the i-th start a region ends when as many peaks have ended: no need to know which.
        apart = starts[1:] > ends[:-1] + gap
        starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    position = (1 << CHROMOSOME_BITS) - 1
    return Intervals(
        (starts >> CHROMOSOME_BITS).astype(np.int32),
        (starts & position).astype(np.int32),
        (ends & position).astype(np.int32),
    )


@dataclass(frozen=True)
class TopPeaks:
    """`kept`: one truth value per peak. `found`: peaks per experiment code, before; an experiment with
    fewer than were asked for keeps all (`few`), and is compared at another number than the rest."""

    kept: Mask
    found: Integers
    few: Mask


def top_peaks(peaks: Intervals, experiment: AnyIntegers, score: ArrayLike, n: int) -> TopPeaks:
    """The `n` peaks of each experiment with the highest score.

    `experiment` (codes from 0) and `score` have one entry per peak. Of equal scores the first by
    chromosome, start and end are kept, so that the order of the peaks does not matter. Codes without a peak
    are `few`. Raises ValueError for shapes that do not fit, scores that are not numbers and n < 1.
    """
    scores = np.asarray(score)
    if not len(peaks) == len(experiment) == len(scores):
        raise ValueError(f"{len(peaks)} peaks, {len(experiment)} experiments and {len(scores)} scores")
    if n < 1:
        raise ValueError(f"{n} peaks per experiment leave nothing to compare")
    if np.isnan(scores).any():
        raise ValueError("scores of peaks are numbers, none missing")
    n_codes = int(experiment.max(initial=-1)) + 1
    found = np.zeros(n_codes, np.int64)
    for part in blocks(len(peaks)):
        found += np.bincount(experiment[part], minlength=n_codes)
    kept = np.ones(len(peaks), bool)
    grouped = bool((experiment[1:] >= experiment[:-1]).all())
    order = None if grouped else np.argsort(experiment, kind="stable")
    last = np.cumsum(found)
    for code in np.flatnonzero(found > n):
        own = np.arange(last[code] - found[code], last[code])
        if order is not None:
            own = order[own]
        value = scores[own]
        least = np.partition(value, -n)[-n]
        kept[own[value < least]] = False
        tied = own[value == least]
        by_place = np.lexsort([peaks.end[tied], peaks.start[tied], peaks.chromosome[tied]])
        kept[tied[by_place[n - np.count_nonzero(value > least) :]]] = False
    return TopPeaks(kept, found, found < n)


@dataclass(frozen=True)
class Occupancy:
    """Which columns (factors or experiments) have a peak in which regions: one bit each, `bits` is
    columns x bytes, the first region in the lowest bit. 5,000 columns x 300,000 regions take 190 MB."""

    bits: NDArray[np.uint8]
    n_regions: int

    @property
    def n_columns(self) -> int:
        return len(self.bits)

    def present(self, column: int) -> Mask:
        """One truth value per region."""
        if not 0 <= column < self.n_columns:
            raise ValueError(f"column {column} is not one of {self.n_columns}")
        return self._unpacked(self.bits[column]).view(bool)

    def columns_per_region(self) -> Integers:
        """Number of columns with a peak in each region."""
        total = np.zeros(self.n_regions, np.int64)
        for i in range(0, self.n_columns, COLUMNS_AT_A_TIME):
            # At most 64 fit 8 bits, and narrow sums are fast.
            total += self._unpacked(self.bits[i : i + COLUMNS_AT_A_TIME]).sum(axis=0, dtype=np.uint8)
        return total

    def _unpacked(self, bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.unpackbits(bits, axis=-1, count=self.n_regions, bitorder="little")


def occupancy_matrix(regions: Intervals, peaks: Intervals, column: AnyIntegers, n_columns: int) -> Occupancy:
    """Which columns have a peak in which regions.

    `regions` are disjoint and sorted, as `merge_regions` makes them; `column` has one code from 0 to
    n_columns - 1 per peak: its experiment, or its factor, when several experiments of an antigen count as
    one. A peak counts in every region it shares a base with, and nowhere when it has none. Memory besides
    the input: one bit per region and column, and 300 MB. Raises ValueError for regions that overlap or are
    not sorted, codes out of range and shapes that do not fit.
    """
    if len(column) != len(peaks):
        raise ValueError(f"{len(peaks)} peaks need one column each; found {len(column)}")
    if len(column) and not (column.min() >= 0 and column.max() < n_columns):
        raise ValueError(f"columns {column.min()} to {column.max()} are not from 0 to {n_columns - 1}")
    starts, ends = keys(regions.chromosome, regions.start), keys(regions.chromosome, regions.end)
    if (starts[1:] < ends[:-1]).any():
        raise ValueError("regions overlap or are not sorted: make them with merge_regions")
    starts = np.append(starts, np.iinfo(np.int64).max)  # no peak reaches the region after the last
    width = (len(regions) + 7) // 8
    bits = np.zeros(n_columns * width, np.uint8)
    for part in blocks(len(peaks)):
        # The first region that ends after the peak starts; from there on, all that start before it ends.
        region = np.searchsorted(ends, keys(peaks.chromosome[part], peaks.start[part]), side="right")
        peak_end, of_column = keys(peaks.chromosome[part], peaks.end[part]), column[part].astype(np.int64)
        while region.size:
            hit = starts[region] < peak_end
            region, peak_end, of_column = region[hit], peak_end[hit], of_column[hit]
            bit = np.left_shift(1, region & 7).astype(np.uint8)
            np.bitwise_or.at(bits, of_column * width + (region >> 3), bit)
            region += 1
    return Occupancy(bits.reshape(n_columns, width), len(regions))
