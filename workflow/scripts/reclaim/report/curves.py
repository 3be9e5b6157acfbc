"""Survival curves as the survival analysis hands them on: results/<run>/<study>/<test>/<dataset>.curves.json."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from reclaim.model import Model
from reclaim.report.words import count, plural

Quantity = Literal["survival", "cumulative_incidence"]


class Curve(Model):
    """One line, as the survival analysis hands it on: a step function of time.

    `share` is from each of `times` (years) on; `at_risk` counts patients under observation at 0, 1, 2 ... years.
    """

    label: str
    quantity: Quantity
    times: list[float]
    share: list[float]
    at_risk: list[int]
    n: int
    events: int

    def at(self, years: float) -> float | None:
        """The share at a time; None before the curve begins and after it ends."""
        if not self.times[0] <= years <= self.times[-1]:
            return None
        return self.share[bisect_right(self.times, years) - 1]

    def between(self, first: float, last: float) -> tuple[float, float] | None:
        """Its lowest and highest share from one time to another."""
        first, last = max(first, self.times[0]), min(last, self.times[-1])
        ends = [share for share in (self.at(first), self.at(last)) if share is not None]
        return (min(ends), max(ends)) if first <= last else None

    def under_observation(self, year: int) -> int:
        """Patients at risk at a whole year."""
        return self.at_risk[year] if year < len(self.at_risk) else 0

    @property
    def size(self) -> str:
        return f"n {count(self.n)}, {plural(self.events, 'event')}"


def end_of(curves: Sequence[Curve]) -> float:
    """Where the longest follow-up ends, in years."""
    return max(curve.times[-1] for curve in curves)
