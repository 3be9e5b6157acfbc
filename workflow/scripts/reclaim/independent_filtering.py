"""Benjamini-Hochberg over the genes that are expressed enough to be found at all, as DESeq2 chooses them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

Floats = NDArray[np.float64]

CANDIDATES = 50
FEW_DISCOVERIES = 10


@dataclass(frozen=True)
class Filtered:
    """`q_value` is NaN where there is no p-value or the base mean is below `least_base_mean`."""

    q_value: Floats
    least_base_mean: float


def filtered_q_values(p_value: Floats, base_mean: Floats, alpha: float) -> Filtered:
    """Q-values of the genes above the base mean that gives most discoveries at `alpha`; one entry per gene.

    Love, Huber & Anders 2014, doi 10.1186/s13059-014-0550-8, "Automatic independent filtering", after
    Bourgon, Gentleman & Huber 2010, doi 10.1073/pnas.0914005107: the base mean does not depend on the
    p-value under the null hypothesis, so genes too weak to be found may be left out beforehand. Fifty
    quantiles of the base mean are tried, from the share of silent genes to 95 %. The first one counts
    whose number of discoveries comes within the residual error of the highest point of a lowess curve
    (Cleveland 1979, doi 10.1080/01621459.1979.10481038) through all fifty. With ten discoveries or fewer
    at each, only silent genes are left out.
    """
    silent = float((base_mean == 0).mean())
    shares = np.linspace(silent, 0.95 if silent < 0.95 else 1.0, CANDIDATES)
    cutoffs = np.quantile(base_mean, shares)
    discoveries = np.array(
        [(_benjamini_hochberg(p_value, base_mean >= cutoff) < alpha).sum() for cutoff in cutoffs]
    )
    cutoff = float(cutoffs[_chosen(shares, discoveries)])
    return Filtered(_benjamini_hochberg(p_value, base_mean >= cutoff), cutoff)


def _chosen(shares: Floats, discoveries: NDArray[np.int64]) -> int:
    if discoveries.max() <= FEW_DISCOVERIES:
        return 0
    from statsmodels.nonparametric.smoothers_lowess import lowess

    curve = lowess(discoveries.astype(float), shares, frac=0.2, it=3, delta=0.0, return_sorted=False)
    some = discoveries > 0
    error = np.sqrt(np.mean((discoveries[some] - curve[some]) ** 2))
    enough = np.flatnonzero(discoveries > curve.max() - error)
    return int(enough[0]) if len(enough) else 0


def _benjamini_hochberg(p_value: Floats, among: NDArray[np.bool_]) -> Floats:
    tested = among & np.isfinite(p_value)
    q_value = np.full(len(p_value), np.nan)
    if tested.any():
        q_value[tested] = false_discovery_control(p_value[tested])
    return q_value
