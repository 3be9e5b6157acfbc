"""Intervals on chromosomes, half-open and 0-based as in BED, and the pairs of them that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Integers = NDArray[np.int64]
AnyIntegers = NDArray[np.integer[Any]]

INTERVALS_AT_A_TIME = 1 << 22
"""A block's 64-bit copies take 32 MB each, whatever the number of peaks."""

CHROMOSOME_BITS = 32
"""Chromosome and position make one key: the chromosome above these bits, the position, below 2^31, in
them."""


@dataclass(frozen=True)
class Intervals:
    """One entry per interval: `chromosome` is a code from 0, `start` <= position < `end`, in bp. Integer
    arrays of any width; the narrowest that fits takes the least memory (int16, int32, int32: 10 bytes).

    Raises ValueError for arrays that are not of one length or not integers, for a negative code or start
    and for intervals without a base, which have no place of their own: leave these out before.
    """

    chromosome: AnyIntegers
    start: AnyIntegers
    end: AnyIntegers

    def __post_init__(self) -> None:
        columns = (self.chromosome, self.start, self.end)
        if any(x.ndim != 1 or len(x) != len(self.start) for x in columns):
            raise ValueError(f"chromosomes, starts and ends {[x.shape for x in columns]} are not one each")
        if not all(np.issubdtype(x.dtype, np.integer) for x in columns):
            raise ValueError(
                f"chromosomes, starts and ends are integers, not {[str(x.dtype) for x in columns]}"
            )
        if not len(self):
            return
        if self.chromosome.min() < 0 or self.start.min() < 0:
            raise ValueError("codes of chromosomes and starts are not negative")
        if self.chromosome.max() >= 2**31 or self.end.max() >= 2**31:
            raise ValueError("codes of chromosomes and ends are below 2^31")
        without = sum(int((self.end[part] <= self.start[part]).sum()) for part in blocks(len(self)))
        if without:
            raise ValueError(
                f"{without} of {len(self)} intervals end at or before their start: leave them out"
            )

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: NDArray[Any]) -> Intervals:
        """Those at positions, or where a mask is true."""
        return Intervals(self.chromosome[which], self.start[which], self.end[which])


def blocks(length: int) -> Iterator[slice]:
    """Slices that cover so many intervals in order."""
    return (slice(i, i + INTERVALS_AT_A_TIME) for i in range(0, length, INTERVALS_AT_A_TIME))


def keys(chromosome: AnyIntegers, position: AnyIntegers) -> Integers:
    """One integer per position, in the order of chromosomes, then positions."""
    return chromosome.astype(np.int64) << CHROMOSOME_BITS | position


def overlap_pairs(a: Intervals, b: Intervals, within: int | None = None) -> tuple[Integers, Integers]:
    """Positions in `a` and in `b` of all pairs that share a base, or that follow each other.

    Without `within`: pairs with at least one base in common, as `bedtools intersect`; intervals that only
    touch have none. With `within` (bp, >= 0): pairs in which b starts at or after the end of a and at most
    `within` after it, 0 <= start of b - end of a <= within, as TF-COMB counts pairs of sites (Bentsen et
    al. 2022, doi 10.1016/j.csbj.2022.07.025). Both come back in the order of a, then b, one entry per pair;
    `a` and `b` may have any order, nested and equal intervals, and chromosomes the other lacks.
    `np.unique` of the first counts the intervals of a with a partner. Raises ValueError for a negative
    distance.
    """
    if within is not None:
        if within < 0:
            raise ValueError(f"a distance of {within} bp is negative")
        # The places where b may start, and where it does.
        a = Intervals(a.chromosome, a.end.astype(np.int64), a.end.astype(np.int64) + within + 1)
        b = Intervals(b.chromosome, b.start, b.start.astype(np.int64) + 1)
    if not len(a) or not len(b):
        return np.empty(0, np.int64), np.empty(0, np.int64)

    from pyranges import PyRanges  # type: ignore[import-untyped]  # takes a second

    joined = PyRanges(_frame(a, "a")).join(PyRanges(_frame(b, "b"))).df
    if not len(joined):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first, second = joined["a"].to_numpy(np.int64), joined["b"].to_numpy(np.int64)
    order = np.lexsort([second, first])
    return first[order], second[order]


def _frame(intervals: Intervals, name: str) -> pd.DataFrame:
    """In pyranges' own columns, with the position of each interval."""
    return pd.DataFrame(
        {
            "Chromosome": intervals.chromosome,
            "Start": intervals.start.astype(np.int64),
            "End": intervals.end.astype(np.int64),
            name: np.arange(len(intervals)),
        }
    )
