"""The forest plot of one primary test, with the words that stand for it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reclaim.claim_tests import BoundAndDeregulated, PeakColocalization, Survival, TargetGenes
from reclaim.judging import decision_for
from reclaim.report.decision import zones
from reclaim.report.figures import ForestRow, forest
from reclaim.report.forest_axes import Span
from reclaim.report.reading import Reading
from reclaim.report.words import OUTCOME_MARKS, capital, count, scale_of
from reclaim.study import Claim


@dataclass(frozen=True)
class FigureView:
    svg: Markup
    label: str
    caption: str


def forest_view(claim: Claim, reading: Reading, name: str, simulated: bool) -> FigureView:
    """Figure, spoken label and caption of a test with at least one valid row; `name` is unique in the page."""
    rows = reading.valid
    scale = scale_of(rows[0].effect_name, rows[0].analysis)
    decision = decision_for(claim, reading.test.id)
    regions = zones(decision, rows)

    hazards, regions_counted, responding, named = (
        isinstance(reading.test, kind)
        for kind in (Survival, PeakColocalization, BoundAndDeregulated, TargetGenes)
    )

    def counts(n_events: int | None, n: int | None) -> str:
        if regions_counted or responding:
            return f"{count(n_events)} both"
        several = hazards or named or scale.kind == "share"
        return f"{count(n_events)} / {count(n)}" if several else f"n {count(n)}"

    lines = [
        ForestRow(
            label=row.dataset if row.stratum == "all" else f"{row.dataset}, {row.stratum}",
            span=Span(row.effect, row.ci_low, row.ci_high),
            counts=counts(row.n_events, row.n),
            estimate=scale.estimate(row.effect, row.ci_low, row.ci_high),
            mark=OUTCOME_MARKS[row.outcome or "unclear"],
            weight=float(row.n or 1) if scale.kind == "share" else 1 / (row.se or 1.0) ** 2,
        )
        for row in rows
    ]
    pooled = len(rows) > 1 and decision.rule not in ("prevalence", "lookup")
    if pooled:
        lines.append(
            ForestRow(
                label="pooled",
                span=Span(reading.effect, *reading.interval),
                counts=counts(reading.n_events, reading.n),
                estimate=reading.estimate,
                mark=OUTCOME_MARKS[reading.outcome],
                pooled=True,
            )
        )
    mark = "SIMULATED data. " if simulated else ""
    label = f"{mark}Forest plot of {reading.test.id}: " + "; ".join(
        f"{line.label} {line.counts}, {scale.name} {line.estimate}, {line.mark.word}" for line in lines
    )
    of_samples = "cohort" if rows[0].stratum == "all" else "stratum"
    unit = "data set" if regions_counted or named else of_samples
    caption = [f"{mark}{capital(scale.name)} per {unit} with its 95 % interval (test {reading.test.id})."]
    if hazards:
        caption.append("Counts are events / patients.")
    if regions_counted:
        caption.append("Counts are regions with both.")
    if responding:
        caption.append("Counts are genes that are bound and respond as claimed.")
    if named:
        caption.append("Counts are named genes with a peak / named genes.")
    if len(rows) > 1:
        caption.append("A larger square is a more precise estimate.")
    if pooled:
        caption.append("The diamond is the pooled estimate.")
    if regions:
        caption.append("Tinted region: the rule agrees; hatched: the opposite; blank: neither.")
    return FigureView(
        Markup(forest(lines, scale, regions, name, f"{mark}Test {reading.test.id}")), label, " ".join(caption)
    )
