"""Forest plots: one test over its cohorts, and the tested claims of one study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from reclaim.report.decision import Zone
from reclaim.report.forest_axes import (
    FAINT,
    INK,
    RULE,
    Span,
    axis_limits,
    draw_estimate,
    draw_pooled,
    draw_zones,
    label_zones,
    set_frame,
    set_ticks,
    write,
)
from reclaim.report.svg import drawing, svg_text
from reclaim.report.words import Mark, Scale, shorten

WIDTH = 10.0
ROW_HEIGHT = 0.30
LONGEST_LABEL = 34
STATEMENT_LINE = 46
LABELS, STATEMENTS, COUNTS, ESTIMATES, OUTCOMES = 0.004, 0.052, 0.70, 0.712, 0.905
"""Columns of text, as shares of the width; counts end there, the others begin."""

ANGULAR_TICKS = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.85, 0.95, 1.0)


@dataclass(frozen=True)
class ForestRow:
    """One cohort, or all of them pooled, as a line of a forest plot."""

    label: str
    span: Span
    counts: str
    estimate: str
    mark: Mark
    weight: float = 1.0
    pooled: bool = False


@dataclass(frozen=True)
class OverviewRow:
    """One tested claim: its effect beside the regions of its own rule."""

    claim: str
    statement: str
    span: Span
    estimate: str
    mark: Mark
    verdict: str
    scale: Scale
    zones: Sequence[Zone]


def forest(rows: Sequence[ForestRow], scale: Scale, zones: Sequence[Zone], name: str, title: str) -> str:
    """SVG of one test: a line per cohort, the pooled estimate as a diamond, the rule's regions behind.

    `name` is unique in the page; `title` says what is shown.
    """
    with drawing(name):
        labels = [shorten(row.label, LONGEST_LABEL) for row in rows]
        figure, axes = _canvas(len(rows), max(map(len, labels), default=0))
        axes.set_xlim(*axis_limits([row.span for row in rows], scale, zones))
        draw_zones(axes, zones, -0.5, len(rows) - 0.5)
        label_zones(axes, zones)
        _draw_null(axes, scale)
        heaviest = max((row.weight for row in rows), default=1.0) or 1.0
        for y, (row, label) in enumerate(zip(rows, labels, strict=True)):
            if row.pooled:
                axes.axhline(y - 0.5, color=RULE, linewidth=0.7)
                draw_pooled(axes, y, row.span, row.mark.colour)
            else:
                draw_estimate(axes, y, row.span, row.mark.colour, 5 + 45 * row.weight / heaviest)
            write_row = partial(write, axes, y=y, bold=row.pooled)
            write_row(LABELS, text=label)
            write_row(COUNTS, text=row.counts, align="right")
            write_row(ESTIMATES, text=row.estimate)
            write_row(OUTCOMES, text=f"{row.mark.symbol} {row.mark.word}", colour=row.mark.colour)
        set_ticks(axes, scale)
        return svg_text(figure, name, title)


def overview(rows: Sequence[OverviewRow], heading: str, footnote: str, name: str) -> str:
    """SVG of a study: each tested claim with its pooled effect; one panel per scale."""
    scales = dict.fromkeys(row.scale for row in rows)
    panels = [[row for row in rows if row.scale == scale] for scale in scales]
    heights = [len(panel) * 2 * ROW_HEIGHT + 0.62 for panel in panels]
    total = 0.5 + sum(heights) + 0.35
    with drawing(name):
        figure = Figure(figsize=(WIDTH, total))
        figure.text(LABELS, 1 - 0.2 / total, heading, fontsize=11, fontweight="bold", color=INK, va="center")
        figure.text(LABELS, 0.17 / total, footnote, fontsize=8, color=FAINT, va="center")
        top = total - 0.45
        for panel, height in zip(panels, heights, strict=True):
            body = height - 0.62
            axes = figure.add_axes((0.38, (top - body) / total, 0.32, body / total))
            _draw_panel(axes, panel)
            top -= height
        return svg_text(figure, name, heading)


def _draw_panel(axes: Axes, rows: Sequence[OverviewRow]) -> None:
    """Claims whose effects have one scale, each before the regions of its own rule."""
    scale = rows[0].scale
    set_frame(axes, len(rows))
    place = _angle if scale.kind == "share" else _as_it_is
    if scale.kind == "share":
        axes.set_xlim(_angle(0.0), _angle(1.0))
    else:
        ends = [axis_limits([row.span], scale, row.zones) for row in rows]
        axes.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    for y, row in enumerate(rows):
        zones = [Zone(place(zone.low), place(zone.high), zone.outcome) for zone in row.zones]
        draw_zones(axes, zones, y - 0.42, y + 0.42)
        effect, low, high = (
            None if x is None else place(x) for x in (row.span.effect, row.span.low, row.span.high)
        )
        draw_estimate(axes, y, Span(effect, low, high), row.mark.colour, 34)
        write(axes, LABELS, y, row.claim, bold=True)
        lines = _two_lines(row.statement)
        for i, text in enumerate(lines):
            write(axes, STATEMENTS, y + (0.4 * i - 0.2 if len(lines) > 1 else 0), text, size=8.5)
        verdict = f"{row.mark.symbol} {row.verdict}"
        write(axes, ESTIMATES, y - 0.2, verdict, bold=True, colour=row.mark.colour)
        write(axes, ESTIMATES, y + 0.2, f"{row.scale.name} {row.estimate}", colour=FAINT)
    _draw_null(axes, scale)
    set_ticks(axes, scale)
    if scale.kind == "share":
        axes.xaxis.set_major_locator(FixedLocator([_angle(tick) for tick in ANGULAR_TICKS]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * math.sin(x) ** 2:.0f}"))
        axes.set_xlabel(f"{scale.name}, % (angular scale: both ends are stretched)", color=FAINT)


def _draw_null(axes: Axes, scale: Scale) -> None:
    low, high = axes.get_xlim()
    if scale.kind != "share" and low < 0 < high:
        axes.axvline(0, color=INK, linewidth=0.8)


def _as_it_is(effect: float) -> float:
    return effect


def _angle(share: float) -> float:
    """The angular transformation, which gives shares near 0 and near 1 the room they need."""
    return math.asin(math.sqrt(min(max(share, 0.0), 1.0)))


def _two_lines(text: str) -> list[str]:
    if len(text) <= STATEMENT_LINE:
        return [text]
    cut = text[:STATEMENT_LINE].rsplit(" ", 1)[0]
    return [cut, shorten(text[len(cut) :].strip(), STATEMENT_LINE)]


def _canvas(rows: int, longest_label: int) -> tuple[Figure, Axes]:
    """Axes between the labels on the left, as wide as the longest needs, and the columns on the right."""
    above, body, below = 0.32, rows * ROW_HEIGHT, 0.48
    total = above + body + below
    figure = Figure(figsize=(WIDTH, total))
    left = LABELS + 0.022 + 0.0079 * longest_label
    axes = figure.add_axes((left, below / total, COUNTS - 0.10 - left, body / total))
    set_frame(axes, rows)
    return figure, axes
