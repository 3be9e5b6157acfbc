"""Share of samples that had an event by a time, while another event may come first.

The estimator of Aalen & Johansen (1978, Scand J Stat 5:141-150): the hazards of both kinds of event at each
time, times the share of samples still free of both. Events at one time count together, whatever their kind:
nothing is moved apart. Without competing events it is 1 less Kaplan and Meier's curve. Times are equal only
when they are the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CumulativeIncidence:
    """Step functions, one entry per time of an event of either kind."""

    times: Floats
    at_risk: NDArray[np.int64]
    """Samples under observation just before."""
    free: Floats
    """Share without any event, from this time on."""
    event: Floats
    """Share that has had the event."""
    competing: Floats
    """Share for which something else came first."""

    def at(self, time: float) -> float:
        """Share that has had the event by `time`, itself included. After the last time it stays as it is."""
        known = np.searchsorted(self.times, time, side="right")
        return float(self.event[known - 1]) if known else 0.0

    @property
    def median(self) -> float:
        """First time at which at most half are free of any event; infinite where that is never so."""
        reached = self.free <= 0.5 + 1e-12
        return float(self.times[reached.argmax()]) if reached.any() else float("inf")


def cumulative_incidence(
    time: ArrayLike, event: ArrayLike, competing: ArrayLike | None = None, entry: ArrayLike | None = None
) -> CumulativeIncidence:
    """Aalen and Johansen's estimate from one time, event and competing event (true or false) per sample.

    A sample is at risk at t when entry < t <= time; without `entry`, from the start. Raises ValueError for
    shapes that do not fit, a sample with both events, and one that enters no earlier than its time ends.
    """
    times, happened = np.asarray(time, np.float64), np.asarray(event, bool)
    other = np.zeros(len(times), bool) if competing is None else np.asarray(competing, bool)
    start = np.full(len(times), -np.inf) if entry is None else np.asarray(entry, np.float64)
    if not times.shape == happened.shape == other.shape == start.shape == (len(times),):
        raise ValueError(f"{len(times)} samples need one time, event, competing event and entry each")
    if (happened & other).any():
        raise ValueError("a sample has either the event or a competing one; the first counts")
    if not (start < times).all():
        raise ValueError("samples must enter before their time ends")
    steps, kind = np.unique(times[happened | other], return_inverse=True)
    which = happened[happened | other]
    events = np.bincount(kind[which], minlength=len(steps))
    others = np.bincount(kind[~which], minlength=len(steps))
    ended, entered = np.sort(times), np.sort(start)
    at_risk = np.searchsorted(entered, steps, side="left") - np.searchsorted(ended, steps, side="left")
    free = np.cumprod(1 - (events + others) / at_risk)
    before = np.concatenate([[1.0], free[:-1]])
    return CumulativeIncidence(
        steps,
        at_risk,
        free,
        np.cumsum(before * events / at_risk),
        np.cumsum(before * others / at_risk),
    )
