"""Axes of forest plots: their limits, the regions of a rule, estimates, and text in columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from reclaim.report.decision import Zone
from reclaim.report.words import Scale

INK, FAINT, RULE = "#1c2128", "#5b6470", "#c9ced6"
ZONE_FILL = {"agrees": "#e0f0e8", "opposite": "#f8e3e7", "negligible": "none"}
ZONE_INK = {"agrees": "#0b6b4a", "opposite": "#a01535", "negligible": "#6d5f45"}
ZONE_HATCH = {"agrees": "", "opposite": "////", "negligible": ""}
RATIO_TICKS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000)
RATIO_DECADES = (0.001, 0.01, 0.1, 1, 10, 100, 1000)
RATIO_FINE = (0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4)
RATIO_REACH = math.log(1000)
"""Odds and hazard ratios beyond 1000 either way are cut, and marked by an arrow."""


@dataclass(frozen=True)
class Span:
    """An effect with the ends of its interval; None where not estimable."""

    effect: float | None
    low: float | None
    high: float | None


def set_frame(axes: Axes, rows: int) -> None:
    """Rows from top to bottom, nothing but the axis of the effect drawn."""
    axes.set_ylim(rows - 0.5, -0.5)
    axes.yaxis.set_major_locator(NullLocator())
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=FAINT, labelsize=8.5, length=3)
    axes.patch.set_visible(False)


def axis_limits(spans: Sequence[Span], scale: Scale, zones: Sequence[Zone]) -> tuple[float, float]:
    """Ends of the axis: all intervals and every limit of the rule, with some room."""
    known = [x for span in spans for x in (span.effect, span.low, span.high) if x is not None]
    known += [x for zone in zones for x in (zone.low, zone.high)]
    whole = (0.0, 1.0) if scale.kind == "share" else ()  # where a region of shares ends by nature
    known = [x for x in known if math.isfinite(x) and x not in whole]
    if scale.kind == "share":
        known = known or [0.0, 1.0]
        low, high = min(known), max(known)
        room = 0.25 * max(high - low, 0.1)
        return (0.0 if low < 0.25 else max(0.0, low - room), 1.0 if high > 0.75 else min(1.0, high + room))
    known += [0.0]
    low, high = min(known), max(known)
    room = 0.12 * max(high - low, 0.5)
    low, high = low - room, high + room
    return (max(low, -RATIO_REACH), min(high, RATIO_REACH)) if scale.kind == "ratio" else (low, high)


def draw_zones(axes: Axes, zones: Sequence[Zone], top: float, bottom: float) -> None:
    """The regions of a rule from row `top` to row `bottom`, their limits dashed."""
    low, high = axes.get_xlim()
    for zone in zones:
        left, right = max(zone.low, low), min(zone.high, high)
        if right <= left:
            continue
        axes.add_patch(
            Rectangle(
                (left, top),
                right - left,
                bottom - top,
                facecolor=ZONE_FILL[zone.outcome],
                edgecolor="#eecbd2" if ZONE_HATCH[zone.outcome] else "none",
                hatch=ZONE_HATCH[zone.outcome],
                linewidth=0,
                zorder=0,
            )
        )
        for limit in (zone.low, zone.high):
            if low < limit < high:
                axes.plot(
                    [limit, limit], [top, bottom], color=FAINT, linewidth=0.7, linestyle=(0, (3, 2)), zorder=1
                )


def label_zones(axes: Axes, zones: Sequence[Zone], y: float = -0.68) -> None:
    """Names above the regions, where they are wide enough to carry them; `y` in units of the axes."""
    low, high = axes.get_xlim()
    for zone in zones:
        left, right = max(zone.low, low), min(zone.high, high)
        if right - left > 0.16 * (high - low):
            axes.text(
                (left + right) / 2,
                y,
                zone.outcome,
                ha="center",
                va="bottom",
                fontsize=8,
                color=ZONE_INK[zone.outcome],
            )


def draw_estimate(axes: Axes, y: float, span: Span, colour: str, size: float) -> None:
    """A square with its interval in row `y`; an arrow where the interval leaves the axis."""
    if span.effect is None:
        return
    low, high, left, right = _cut(axes, span)
    axes.plot([left, right], [y, y], color=colour, linewidth=1.4, zorder=2)
    if low <= span.effect <= high:
        axes.scatter([span.effect], [y], s=size, marker="s", color=colour, zorder=3)
    if span.low is None or span.low < low:
        axes.scatter([low], [y], s=22, marker="<", color=colour, zorder=3, clip_on=False)
    if span.high is None or span.high > high:
        axes.scatter([high], [y], s=22, marker=">", color=colour, zorder=3, clip_on=False)


def draw_pooled(axes: Axes, y: float, span: Span, colour: str) -> None:
    """A diamond as wide as the interval."""
    if span.effect is None:
        return
    low, high, left, right = _cut(axes, span)
    centre = min(max(span.effect, low), high)
    corners = [(left, y), (centre, y - 0.3), (right, y), (centre, y + 0.3)]
    axes.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor="none", zorder=3))


def _cut(axes: Axes, span: Span) -> tuple[float, float, float, float]:
    """Ends of the axis, and those of the interval within it."""
    low, high = axes.get_xlim()
    left = low if span.low is None else max(span.low, low)
    right = high if span.high is None else min(span.high, high)
    return low, high, left, right


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    align: str = "left",
    bold: bool = False,
    colour: str = INK,
    size: float = 9.0,
) -> None:
    """Text in a column: x as a share of the figure's width, y in rows of the axes."""
    figure = axes.get_figure()
    assert figure is not None
    axes.text(
        x,
        y,
        text,
        ha=align,
        va="center_baseline",
        color=colour,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        transform=blended_transform_factory(figure.transFigure, axes.transData),
        clip_on=False,
        parse_math=False,
    )


def set_ticks(axes: Axes, scale: Scale) -> None:
    """Ticks in the unit that is printed: percent, ratios on their log scale, or the effect itself."""
    if scale.kind == "ratio":
        low, high = axes.get_xlim()
        shown = (
            RATIO_DECADES
            if high - low > math.log(60)
            else RATIO_FINE
            if high - low < math.log(4)
            else RATIO_TICKS
        )
        axes.xaxis.set_major_locator(FixedLocator([math.log(tick) for tick in shown]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{math.exp(x):g}"))
    else:
        factor = 100 if scale.kind == "share" else 1
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{factor * x:.6g}".replace("-", "−")))
    name = {"share": f"{scale.name}, %", "ratio": f"{scale.name} (log scale)"}.get(scale.kind, scale.name)
    axes.set_xlabel(name, color=FAINT)
