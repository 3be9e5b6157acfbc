"""Where a claim's effect lies among its nulls: two small histograms above one axis, and their words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reclaim.calibration.record import NullDistribution
from reclaim.report.decision import Zone
from reclaim.report.figures import LABELS, WIDTH
from reclaim.report.forest_axes import FAINT, INK, RULE, draw_zones, label_zones, set_frame, set_ticks
from reclaim.report.forest_view import FigureView
from reclaim.report.svg import drawing, svg_text
from reclaim.report.words import SHARE_OF_STRATA, Scale, capital, listing, scale_of, shorten

ABOVE, PANEL, GAP, BELOW = 0.58, 0.72, 0.12, 0.46
"""Inches: room for the names of regions and subject, a histogram, between two, and for the axis."""

LEFT, RIGHT = 0.27, 0.97
BAR, OUTER_BAR = "#7d8a9a", "#c3cad3"
LONGEST_SUBJECT = 40
ENDS = {"share_of_strata": (0.0, 1.0), "spearman_rho": (-1.0, 1.0)}
"""Of effects that have any."""


@dataclass(frozen=True)
class Histogram:
    """Nulls of one kind: how many, of what, and their counts per bin."""

    name: str
    counts: Sequence[int]

    @property
    def label(self) -> str:
        return f"{self.name} ({sum(self.counts):,})"


def null_figure(
    distribution: NullDistribution,
    subject: str,
    noun: str,
    zones: Sequence[Zone],
    name: str,
    about: str,
    simulated: bool,
) -> FigureView | None:
    """Figure, spoken label and caption; None where there is no null to draw.

    `noun` is what was swapped (gene, set, ...), `name` is unique in the page, `about` says whose effect it is.
    """
    kinds = (f"comparable {noun}s", distribution.comparable), ("permuted labels", distribution.permuted)
    panels = [Histogram(kind, counts) for kind, counts in kinds if sum(counts)]
    if not panels:
        return None
    scale = scale_of_distribution(distribution)
    observed = f"{shorten(subject, LONGEST_SUBJECT)}: {scale.point(distribution.observed)}"
    mark = "SIMULATED data. " if simulated else ""
    svg = _draw(distribution, panels, scale, zones, observed, name, f"{mark}Nulls of {about}")
    spread = "; ".join(f"{panel.label}: {_middle(panel.counts, distribution, scale)}" for panel in panels)
    among = listing([panel.name for panel in panels])
    caption = [f"{mark}{capital(about)}: {scale.name}, {subject} (line) among {among}."]
    if any(panel.counts[i] for panel in panels for i in _open_bins(distribution)):
        caption.append("A pale bar with a triangle also holds everything beyond it.")
    if zones:
        opposite = "; hatched: the opposite" if any(zone.outcome == "opposite" for zone in zones) else ""
        caption.append(
            f"Tinted region: effects with which the rule can agree, if their interval does too{opposite}."
        )
    label = f"{mark}Null distribution of {about}: {scale.name}, {subject} {scale.point(distribution.observed)}; {spread}"
    return FigureView(Markup(svg), label, " ".join(caption))


def scale_of_distribution(distribution: NullDistribution) -> Scale:
    """How effects of a null distribution are printed."""
    if distribution.effect_name == "share_of_strata":
        return SHARE_OF_STRATA
    return scale_of(distribution.effect_name)


def _middle(counts: Sequence[int], distribution: NullDistribution, scale: Scale) -> str:
    """Between which edges the middle 90 % lie, as far as bins tell."""
    edges, is_open = distribution.edges, _open_bins(distribution)
    total = sum(counts)
    below = list(accumulate(counts))
    first = next(i for i, number in enumerate(below) if 20 * number > total)
    last = next(i for i, number in enumerate(below) if 20 * number >= 19 * total)
    open_below, open_above = first == 0 and 0 in is_open, last == len(counts) - 1 and -1 in is_open
    low, high = scale.point(edges[first]), scale.point(edges[last + 1])
    if open_below and open_above:
        return "spread over the whole axis"
    if open_below:
        return f"at least 90 % below {high}"
    if open_above:
        return f"at least 90 % above {low}"
    return f"at least 90 % between {low} and {high}"


def _open_bins(distribution: NullDistribution) -> list[int]:
    """Outer bins that hold everything beyond them; nothing lies beyond the ends of a share or a correlation."""
    lowest, highest = ENDS.get(distribution.effect_name, (-math.inf, math.inf))
    first = [0] if distribution.edges[0] > lowest else []
    return first + ([-1] if distribution.edges[-1] < highest else [])


def _draw(
    distribution: NullDistribution,
    panels: Sequence[Histogram],
    scale: Scale,
    zones: Sequence[Zone],
    observed: str,
    name: str,
    title: str,
) -> str:
    total = ABOVE + len(panels) * PANEL + (len(panels) - 1) * GAP + BELOW
    limits = _limits(distribution)
    with drawing(name):
        figure = Figure(figsize=(WIDTH, total))
        top = total - ABOVE
        for i, panel in enumerate(panels):
            axes = figure.add_axes((LEFT, (top - PANEL) / total, RIGHT - LEFT, PANEL / total))
            axes.set_xlim(*limits)
            last = i == len(panels) - 1
            _draw_histogram(axes, panel, distribution, zones)
            axes.axvline(
                distribution.observed,
                ymax=1.0 if i else 1.14,
                ymin=0.0 if last else -GAP / PANEL,
                color=INK,
                linewidth=1.8,
                clip_on=False,
                zorder=4,
            )
            figure.text(
                LABELS, (top - PANEL / 2) / total, panel.label, fontsize=9, color=INK, va="center_baseline"
            )
            if i == 0:
                label_zones(axes, zones, y=1.12 * axes.get_ylim()[1])
                _label_observed(axes, distribution.observed, observed)
            if last:
                set_ticks(axes, scale)
            else:
                axes.tick_params(axis="x", length=0, labelbottom=False)
            top -= PANEL + GAP
        return svg_text(figure, name, title)


def _limits(distribution: NullDistribution) -> tuple[float, float]:
    """All bins and the observed effect, with room for the triangles."""
    low = min(distribution.edges[0], distribution.observed)
    high = max(distribution.edges[-1], distribution.observed)
    room = 0.025 * (high - low)
    return low - room, high + room


def _draw_histogram(
    axes: Axes, panel: Histogram, distribution: NullDistribution, zones: Sequence[Zone]
) -> None:
    """Bars before the regions of the rule; paler and with a triangle where they hold everything beyond."""
    set_frame(axes, 1)
    axes.spines["bottom"].set_color(RULE)
    peak = max(panel.counts)
    axes.set_ylim(0, 1.08 * peak)
    draw_zones(axes, zones, 1.08 * peak, 0)
    edges = distribution.edges
    axes.stairs(panel.counts, edges, fill=True, color=BAR, linewidth=0, zorder=2)
    low, high = axes.get_xlim()
    for i in _open_bins(distribution):
        if not panel.counts[i]:
            continue
        ends, beyond, marker = (edges[:2], edges[0], "<") if i == 0 else (edges[-2:], edges[-1], ">")
        aside = 0.009 * (high - low) * (-1 if i == 0 else 1)
        axes.stairs([panel.counts[i]], ends, fill=True, color=OUTER_BAR, linewidth=0, zorder=2.5)
        axes.scatter([beyond + aside], [0.1 * peak], s=20, marker=marker, color=FAINT, linewidth=0, zorder=3)
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.tick_params(axis="y", labelsize=7.5, length=0)


def _label_observed(axes: Axes, observed: float, text: str) -> None:
    """The subject and its value above its line, kept within the figure."""
    low, high = axes.get_xlim()
    place = (observed - low) / (high - low)
    align = "left" if place < 0.2 else "right" if place > 0.8 else "center"
    axes.text(
        observed,
        1.40 * axes.get_ylim()[1],
        text,
        ha=align,
        va="bottom",
        fontsize=9,
        fontweight="bold",
        color=INK,
        clip_on=False,
        parse_math=False,
    )
