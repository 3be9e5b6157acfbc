"""Survival curves for a figure, which no estimate rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from reclaim.analyses.survival_cohort import by_group, cohort_of
from reclaim.analyses.survival_feature import halves, tested_feature
from reclaim.claim_tests import Survival
from reclaim.cumulative_incidence import cumulative_incidence
from reclaim.endpoint import Endpoint

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class Curve:
    """One line of a figure, a step function of time.

    `share` of the patients is, from each of `times` (years) on, still without any event (`survival`), or has
    had the event with nothing else before it (`cumulative_incidence`). `at_risk` counts patients under
    observation at 0, 1, 2 ... years.
    """

    label: str
    quantity: Literal["survival", "cumulative_incidence"]
    times: list[float]
    share: list[float]
    at_risk: list[int]
    n: int
    events: int


def curves(
    test: Survival,
    data: anndata.AnnData,
    genes: Sequence[str],
    endpoints: Mapping[str, Endpoint] | None = None,
) -> list[dict[str, Any]]:
    """The curves of a test's figure, ready for JSON: one per group that has samples.

    Case and control of a contrast; of a feature the halves at the median, which no estimate rests on. With
    competing events cumulative incidences, else Kaplan and Meier's curves. Empty for a feature without
    values. Raises what `survival` does.
    """
    cohort = cohort_of(test, data, endpoints or {})
    groups = cohort.group
    if groups is None:
        tested = tested_feature(test, data[cohort.table.index], genes)
        if tested.missing:
            return []
        groups = halves(tested, cohort)
    draw = incidence_curves if cohort.endpoint.competing_values else kaplan_meier
    return [asdict(curve) for curve in draw(cohort.table, groups)]


def kaplan_meier(table: pd.DataFrame, groups: pd.Series) -> list[Curve]:
    """Kaplan and Meier's curve of each group; competing events are censored.

    `table` is that of a FollowUp; `groups` has a label per sample, missing for those in none. Groups come in
    the order of their categories, else by name.
    """
    from lifelines import KaplanMeierFitter  # type: ignore[import-untyped, unused-ignore]

    found = []
    for label, part in by_group(table, groups):
        fitted = KaplanMeierFitter().fit(part["time"], part["event"], entry=part["entry"])
        share = fitted.survival_function_.iloc[:, 0]
        found.append(_curve(label, "survival", share[fitted.event_table["observed"] > 0], part))
    return found


def incidence_curves(table: pd.DataFrame, groups: pd.Series) -> list[Curve]:
    """Aalen and Johansen's cumulative incidence of each group; arguments as of `kaplan_meier`."""
    found = []
    for label, part in by_group(table, groups):
        one = cumulative_incidence(part["time"], part["event"], part["competing"], part["entry"])
        rises = np.diff(one.event, prepend=0) > 0
        found.append(
            _curve(label, "cumulative_incidence", pd.Series(one.event[rises], one.times[rises]), part)
        )
    return found


def _curve(
    label: str,
    quantity: Literal["survival", "cumulative_incidence"],
    steps: pd.Series,
    part: pd.DataFrame,
) -> Curve:
    """`steps` are heights by time, where they change."""
    begin, end = float(part["entry"].min()), float(part["time"].max())
    heights = pd.concat([pd.Series({begin: 1.0 if quantity == "survival" else 0.0}), steps])
    if heights.index[-1] < end:
        heights[end] = heights.iloc[-1]
    years = np.arange(int(end) + 1)
    seen = (part["entry"].to_numpy()[:, None] <= years) & (part["time"].to_numpy()[:, None] >= years)
    return Curve(
        label,
        quantity,
        [round(float(time), 6) for time in heights.index],
        [round(float(height), 6) for height in heights],
        seen.sum(axis=0).tolist(),
        len(part),
        int(part["event"].sum()),
    )
