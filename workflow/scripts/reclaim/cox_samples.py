"""What Cox's model is fitted to: values, follow-up, covariates and strata of samples, checked."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Samples:
    """Values samples x features and covariates samples x k, the others one per sample."""

    values: NDArray[np.floating]
    time: Floats
    event: Mask
    covariates: Floats
    entry: Floats
    stratum: Integers


def checked_samples(
    values: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike | None,
    entry: ArrayLike | None,
    strata: Sequence[Hashable] | None,
) -> Samples:
    """As arrays that fit together, else ValueError says which does not. Single precision of the values is kept
    until a block is copied: half the memory."""
    y, times, events = np.asarray(values), np.asarray(time, np.float64), np.asarray(event)
    if not np.issubdtype(y.dtype, np.floating):
        y = y.astype(np.float64)
    if y.ndim != 2 or times.shape != (len(y),):
        raise ValueError(f"values {y.shape} are not samples x features for times {times.shape}")
    n = len(y)
    if events.shape != (n,) or pd.isna(events).any() or not np.isin(events, (0, 1)).all():
        raise ValueError(f"{n} samples need one event each, true or false; found {events.shape}")
    x = np.zeros((n, 0)) if covariates is None else np.asarray(covariates, np.float64)
    if x.ndim != 2 or len(x) != n:
        raise ValueError(f"covariates {x.shape} are not samples x covariates for {n} samples")
    entries = np.zeros(n) if entry is None else np.asarray(entry, np.float64)
    if entries.shape != (n,):
        raise ValueError(f"{n} samples need one entry time each; found {entries.shape}")
    if not np.isfinite(times).all() or (times < 0).any():
        raise ValueError("times must be finite and not negative")
    if not np.isfinite(entries).all() or (entries < 0).any():
        raise ValueError("entry times must be finite and not negative")
    if (entries >= times).any():
        first = int(np.argmax(entries >= times))
        raise ValueError(
            f"{(entries >= times).sum()} samples enter no earlier than their time ends, the first at position "
            f"{first} (entry {entries[first]:g}, time {times[first]:g}): leave them out"
        )
    if not np.isfinite(x).all():
        raise ValueError("covariates must be finite: leave out samples that lack one")
    if any(np.isinf(row).any() for row in y):
        raise ValueError("values may be missing but not infinite")
    if not events.any():
        raise ValueError(f"none of {n} samples has an event")
    return Samples(y, times, events.astype(bool), x, entries, _codes(strata, n))


def _codes(strata: Sequence[Hashable] | None, samples: int) -> Integers:
    if strata is None:
        return np.zeros(samples, np.int64)
    codes = pd.factorize(pd.Series(list(strata), dtype=object))[0].astype(np.int64)
    if codes.shape != (samples,) or (codes < 0).any():
        raise ValueError(f"{samples} samples need one stratum each; found {(codes >= 0).sum()}")
    return codes
