"""Which genes are alike but for what is tested: as strongly expressed, in surroundings that as many factors bind."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reclaim.colocalization import OCCUPANCY_FROM

BIOTYPE = "protein_coding"
"""Genes that are compared. What else is measured (pseudogenes, long non-coding RNA) differs between platforms and is
rarely expressed enough for a change to be seen."""
LEVELS = 10
"""Strata of expression."""


def gene_strata(level: ArrayLike, peaks_near: ArrayLike) -> NDArray[np.int64]:
    """A code from 0 per gene: its tenth by expression x how many peaks of other factors are near.

    `level` is on any scale that grows with expression; genes with equal values are in one stratum, those without (NaN)
    in the lowest. `peaks_near` is counted in the bins of OCCUPANCY_FROM: 0, 1, 2-3 ... 41 and more. Raises ValueError
    when the two are not one per gene.
    """
    values, near = np.asarray(level, np.float64), np.asarray(peaks_near)
    if values.ndim != 1 or values.shape != near.shape:
        raise ValueError(f"levels {values.shape} and peaks {near.shape} are not one per gene")
    rank = stats.rankdata(np.where(np.isnan(values), -np.inf, values), method="min")
    tenth = ((rank - 1) * LEVELS // max(1, len(values))).astype(np.int64)
    return tenth * (len(OCCUPANCY_FROM) + 1) + np.searchsorted(OCCUPANCY_FROM, near, side="right")
