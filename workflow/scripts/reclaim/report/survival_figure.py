"""One data set's survival curves: steps, labels beside them, and how many patients are still at risk below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from reclaim.report.curve_labels import Label, place_labels
from reclaim.report.curves import Curve, end_of
from reclaim.report.forest_axes import FAINT, INK, RULE
from reclaim.report.svg import drawing, svg_text
from reclaim.report.words import count, shorten

WIDTH, LEFT, RIGHT = 5.0, 0.66, 0.14
ABOVE, BODY, AXIS, PER_LINE = 0.66, 1.8, 0.44, 0.37
"""Inches: the panel, its margins, and from above the headings, the curves, their axis and two lines of text for
each of them."""

Dashes = Literal["-"] | tuple[float, tuple[float, ...]]

STYLES: tuple[tuple[str, Dashes], ...] = (
    ("#1d4f86", "-"),
    ("#b3470a", (0, (4, 1.6))),
    ("#3b3b3b", (0, (1, 1.2))),
    ("#7a2f6e", (0, (6, 1.5, 1, 1.5))),
)
"""Blue and orange are told apart by all kinds of colour vision, solid and dashed without any colour."""

AXIS_NAME = {"survival": "without the event", "cumulative_incidence": "with the event"}
YEARS = (1, 2, 5, 10, 20, 50)
DIGIT, BETWEEN = 0.07, 0.13
"""Inches: a digit of a number at risk, and the room between two numbers."""

LONGEST_HEADING, LONGEST_GROUP = 52, 46


def survival_panel(
    curves: Sequence[Curve], heading: str, estimate: str, from_years: float, name: str, title: str
) -> str:
    """SVG of the curves of one data set; `estimate` stands below the heading, `name` is unique in the page, and
    `title` says what is shown. Time before `from_years` does not count."""
    total = ABOVE + BODY + AXIS + len(curves) * PER_LINE + 0.06
    with drawing(name):
        figure = Figure(figsize=(WIDTH, total))
        axes = figure.add_axes(
            (LEFT / WIDTH, (total - ABOVE - BODY) / total, (WIDTH - LEFT - RIGHT) / WIDTH, BODY / total)
        )
        _set_frame(axes, curves)
        if from_years:
            axes.axvspan(
                0, from_years, facecolor="#f1f2f4", edgecolor=RULE, hatch="....", linewidth=0, zorder=0
            )
        for curve, (colour, dashes) in zip(curves, _styles(curves), strict=True):
            (steps,) = axes.step(
                curve.times, curve.share, where="post", color=colour, linewidth=1.7, zorder=3
            )
            steps.set(linestyle=dashes, clip_on=False)
        for label in place_labels(curves, WIDTH - LEFT - RIGHT, BODY):
            _write_label(axes, label, _styles(curves)[label.curve][0])
        for y, text, bold in ((0.15, shorten(heading, LONGEST_HEADING), True), (0.34, estimate, False)):
            figure.text(
                0.06 / WIDTH,
                1 - y / total,
                text,
                fontsize=9,
                fontweight="bold" if bold else "normal",
                color=INK,
                va="center_baseline",
                parse_math=False,
            )
        _write_numbers(figure, curves, from_years, total)
        return svg_text(figure, name, title)


def shown_years(curves: Sequence[Curve]) -> list[int]:
    """Whole years that have a tick, and the patients at risk below it: so few that their numbers stand apart."""
    end = end_of(curves)
    longest = max(len(count(number)) for curve in curves for number in [*curve.at_risk, 0])
    most = (WIDTH - LEFT - RIGHT) / (longest * DIGIT + BETWEEN)
    step = next((step for step in YEARS if end / step <= most), YEARS[-1])
    return list(range(0, int(end) + 1, step))


def _styles(curves: Sequence[Curve]) -> list[tuple[str, Dashes]]:
    return [STYLES[i % len(STYLES)] for i in range(len(curves))]


def _set_frame(axes: Axes, curves: Sequence[Curve]) -> None:
    """Years from 0, shares from 0 to 100 %."""
    axes.set_xlim(0, end_of(curves))
    axes.set_ylim(0, 1)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.patch.set_visible(False)
    axes.tick_params(colors=FAINT, labelsize=8, length=3)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=RULE, linewidth=0.5)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
    axes.xaxis.set_major_locator(FixedLocator(shown_years(curves)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda year, _: f"{year:.0f}"))
    axes.set_xlabel("years", color=FAINT, labelpad=2)
    axes.set_ylabel(f"{AXIS_NAME[curves[0].quantity]}, %", color=FAINT)
    axes.yaxis.set_label_coords(-0.44 / (WIDTH - LEFT - RIGHT), 0.5)


def _write_numbers(figure: Figure, curves: Sequence[Curve], from_years: float, total: float) -> None:
    """Of each curve its line, its label with its size, and the patients at risk below the ticks of the axis."""
    end, inner = end_of(curves), WIDTH - LEFT - RIGHT

    def text_at(
        x: float, y: float, words: str, align: str = "left", colour: str = INK, size: float = 8
    ) -> None:
        figure.text(
            x / WIDTH,
            y / total,
            words,
            ha=align,
            va="center_baseline",
            fontsize=size,
            color=colour,
            parse_math=False,
        )

    top = total - ABOVE - BODY - AXIS
    for curve, (colour, dashes) in zip(curves, _styles(curves), strict=True):
        y = (top - 0.08) / total
        sample = Line2D([0.06 / WIDTH, 0.50 / WIDTH], [y, y], color=colour, linestyle=dashes, linewidth=1.7)
        sample.set_transform(figure.transFigure)
        figure.add_artist(sample)
        text_at(LEFT, top - 0.08, f"{shorten(curve.label, LONGEST_GROUP)}: {curve.size}", colour=colour)
        text_at(0.06, top - 0.25, "at risk", colour=FAINT, size=7.5)
        for year in shown_years(curves):
            if year >= from_years:
                number = count(curve.under_observation(year))
                rightmost = WIDTH - len(number) * DIGIT / 2
                text_at(min(LEFT + inner * year / end, rightmost), top - 0.25, number, align="center")
        top -= PER_LINE


def _write_label(axes: Axes, label: Label, colour: str) -> None:
    axes.text(
        (label.box.left + label.box.right) / 2,
        (label.box.bottom + label.box.top) / 2,
        label.text,
        ha="center",
        va="center",
        linespacing=1.0,
        fontsize=8.5,
        color=colour,
        zorder=4,
        parse_math=False,
    )
