"""What the judgements of nulls come to: a rate, and a distribution of effects."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from reclaim.calibration.modules import exact_interval
from reclaim.calibration.record import NullDistribution, Rate
from reclaim.judging import finite
from reclaim.rules import Judgement

Floats = NDArray[np.float64]

BINS = 40
SHARE_OF_STRATA = "share_of_strata"


def exact_rate(judgement: Judgement) -> Rate:
    """Share of nulls that agree; of independent draws, with the exact binomial interval."""
    passes = judgement.outcome == "agrees"
    k, n = int(passes.sum()), len(passes)
    low, high = exact_interval(k, n)
    return Rate(share=k / n, ci_low=low, ci_high=high, n=n)


def repeated(judgement: Judgement, times: int) -> Judgement:
    """A part that is not swapped, beside every null of the others."""
    return Judgement(*(np.repeat(getattr(judgement, one.name), times) for one in fields(judgement)))


def only(judgement: Judgement, which: NDArray[np.bool_]) -> Judgement:
    """Of some of the nulls."""
    return Judgement(*(getattr(judgement, one.name)[which] for one in fields(judgement)))


def null_distribution(
    effect_name: str, observed: float, comparable: Floats, permuted: Floats
) -> NullDistribution | None:
    """The observed effect among finite effects of its nulls, in natural sign; None where there is nothing to show."""
    every = np.concatenate([comparable, permuted])
    if not len(every) or not np.isfinite(observed):
        return None
    if effect_name == SHARE_OF_STRATA:
        edges = np.linspace(0, 1, BINS + 1)
    else:
        low, high = np.quantile(every, [0.005, 0.995])
        low, high = min(low, observed), max(high, observed)
        room = 0.05 * max(high - low, 1e-6)
        edges = np.linspace(low - room, high + room, BINS + 1)
    return NullDistribution(
        effect_name=effect_name,
        observed=finite(observed) or 0.0,
        edges=[float(f"{edge:.6g}") for edge in edges],
        comparable=_counts(comparable, edges),
        permuted=_counts(permuted, edges),
    )


def _counts(values: Floats, edges: Floats) -> list[int]:
    if not len(values):
        return []
    return [int(count) for count in np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]]
