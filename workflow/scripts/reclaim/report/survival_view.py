"""The survival curves of one primary test, a panel for each data set, with the words that stand for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reclaim.claim_tests import Survival
from reclaim.evidence import EvidenceRow
from reclaim.report.curves import Curve
from reclaim.report.measures import endpoint_name, feature_in_words
from reclaim.report.reading import Reading
from reclaim.report.survival_figure import shown_years, survival_panel
from reclaim.report.words import ended, listing, percent
from reclaim.selection import describe

KINDS = {"survival": "Kaplan-Meier curves", "cumulative_incidence": "Cumulative incidence (Aalen-Johansen)"}
SHARES = {
    "survival": "the share of patients without the event (Kaplan and Meier)",
    "cumulative_incidence": "the share of patients with the event, and nothing before that rules it out (cumulative "
    "incidence by Aalen and Johansen)",
}
TOLD_YEARS = 4
"""So many times at most are told with their shares."""


@dataclass(frozen=True)
class SurvivalPanel:
    """The curves of one data set: the drawing, and what a screen reader says of it."""

    svg: Markup
    label: str


@dataclass(frozen=True)
class SurvivalFigure:
    panels: list[SurvivalPanel]
    caption: str


def survival_figure(
    reading: Reading, curves: Mapping[str, Sequence[Mapping[str, Any]]], name: str, simulated: bool
) -> SurvivalFigure | None:
    """Panels and caption of a survival test; None for another kind of test and where there are no curves.

    `curves` are those of the study, by `test/dataset`; `name` is unique in the page.
    """
    test = reading.test
    if not isinstance(test, Survival):
        return None
    mark = "SIMULATED data. " if simulated else ""
    panels: list[SurvivalPanel] = []
    kinds = []
    for dataset in test.datasets:
        drawn = [Curve.model_validate(one) for one in curves.get(f"{test.id}/{dataset}", [])]
        if not drawn:
            continue
        kinds.append(drawn[0].quantity)
        row = next((row for row in reading.rows if row.dataset == dataset), None)
        estimate = _estimate(test, row, reading)
        title = f"{mark}{KINDS[drawn[0].quantity]} of test {test.id} on {dataset}"
        svg = survival_panel(drawn, dataset, estimate, test.from_years, f"{name}--{len(panels)}", title)
        said = "; ".join(_aloud(curve, shown_years(drawn), test.from_years) for curve in drawn)
        panels.append(SurvivalPanel(Markup(svg), f"{title}: {said}; {estimate}"))
    if not panels:
        return None
    return SurvivalFigure(panels, mark + _caption(test, list(dict.fromkeys(kinds))))


def _estimate(test: Survival, row: EvidenceRow | None, reading: Reading) -> str:
    """The hazard ratio of one data set with its interval."""
    name = "hazard ratio per SD" if test.feature else "hazard ratio, case to control,"
    if row is None or row.effect is None:
        return f"{name} not estimable"
    counts = "" if row.outcome != "invalid" else "; does not count"
    return f"{name} {reading.scale.estimate(row.effect, row.ci_low, row.ci_high)}{counts}"


def _aloud(curve: Curve, years: Sequence[int], from_years: float) -> str:
    """Size and shares of one curve in words."""
    inside = [year for year in years if year > from_years and curve.at(year) is not None]
    step = -(-len(inside) // TOLD_YEARS) or 1
    shares = [f"{percent(curve.at(year) or 0.0, 1)} at {year}" for year in inside[step - 1 :: step]]
    which = "without the event" if curve.quantity == "survival" else "with the event"
    told = f", {which} {listing(shares)} years" if shares else ""
    return f"{curve.label}: {curve.size}{told}"


def _caption(test: Survival, kinds: Sequence[str]) -> str:
    said = [
        f"Test {test.id}, {endpoint_name(test)}: {listing([SHARES[kind] for kind in kinds])} over the years, one panel "
        "per data set."
    ]
    if test.feature:
        value = "log2 value" if test.feature.gene else "members’ mean log2 value"
        said.append(
            f"Groups are the halves at the median of {feature_in_words(test.feature)}: for the figure only; the "
            f"estimate uses the continuous value, and its hazard ratio is per standard deviation of the {value}."
        )
    elif test.contrast:
        said += [
            f"Case: {ended(describe(test.contrast.case))}",
            f"Control: {ended(describe(test.contrast.control))}",
        ]
    if test.covariates:
        said.append(f"The hazard ratio is adjusted for {listing(test.covariates)}, the curves are not.")
    if "cumulative_incidence" in kinds:
        said.append("The hazard ratio is that of the event itself: what rules it out counts as censored.")
    if test.from_years:
        said.append(
            f"Hatched: the years before {test.from_years:g} do not count; all who are seen longer enter there."
        )
    if test.horizon_years:
        said.append(f"Follow-up is cut at {test.horizon_years:g} years.")
    said.append("Below the axis: patients still under observation.")
    return " ".join(said)
