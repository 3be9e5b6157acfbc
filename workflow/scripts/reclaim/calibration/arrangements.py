"""Permutations of the labels of a contrast."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.analyses.groups import Comparison

PERMUTATIONS = 1000
MIN_PER_ARM = 5
"""With fewer there are too few ways to share out the labels."""


def why_not_permutable(comparison: Comparison) -> str:
    """Empty when the labels can be permuted, else the reason."""
    smaller = min(comparison.case.sum(), (~comparison.case).sum())
    if smaller < MIN_PER_ARM:
        return f"{smaller} samples in the smaller arm, {MIN_PER_ARM} are needed"
    if "modifier" in comparison.samples:
        return "the labels of an interaction cannot be exchanged"
    if any(pd.api.types.is_float_dtype(comparison.samples[name]) for name in _beside(comparison)):
        return "labels cannot be exchanged between samples with different values of a numeric covariate"
    return ""


def arrangements(comparison: Comparison, generator: np.random.Generator) -> NDArray[np.int64]:
    """PERMUTATIONS x samples: which sample's values stand at each place.

    Samples change places within their pair and their covariates' categories only, so that giving values the
    labels of another sample is as good as permuting the labels.
    """
    samples = len(comparison.samples)
    order = np.tile(np.arange(samples), (PERMUTATIONS, 1))
    names = _beside(comparison)
    blocks = comparison.samples.groupby(names, observed=True).ngroup() if names else np.zeros(samples, int)
    for block in np.unique(blocks):
        members = np.flatnonzero(np.asarray(blocks) == block)
        order[:, members] = generator.permuted(order[:, members], axis=1)
    return order


def _beside(comparison: Comparison) -> list[str]:
    """Columns of the model beside the group."""
    return [str(name) for name in comparison.samples.columns if name != "group"]
