"""One data set's survival curves: steps, labels beside them, and how many patients are still at risk below."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from reclaim.model import Model
from reclaim.report.forest_axes import FAINT, INK, RULE
from reclaim.report.svg import drawing, svg_text
from reclaim.report.words import count, plural, shorten

Quantity = Literal["survival", "cumulative_incidence"]

WIDTH, LEFT, RIGHT = 5.0, 0.66, 0.14
ABOVE, BODY, AXIS, PER_LINE = 0.66, 1.8, 0.44, 0.37
"""Inches: the panel, its margins, and from above the headings, the curves, their axis and two lines of text for
each of them."""

Dashes = str | tuple[float, tuple[float, ...]]

STYLES: tuple[tuple[str, Dashes], ...] = (
    ("#1d4f86", "-"),
    ("#b3470a", (0, (4, 1.6))),
    ("#3b3b3b", (0, (1, 1.2))),
    ("#7a2f6e", (0, (6, 1.5, 1, 1.5))),
)
"""Blue and orange are told apart by all kinds of colour vision, solid and dashed without any colour."""

AXIS_NAME = {"survival": "without the event", "cumulative_incidence": "with the event"}
YEARS = (1, 2, 5, 10, 20, 50)
LETTER, LETTERS_HIGH, PAD = 0.076, 0.15, 0.03
"""Inches: a letter of a label, its height, and its distance from the curve."""

DIGIT, BETWEEN = 0.07, 0.13
"""Inches: a digit of a number at risk, and the room between two numbers."""

LONGEST_LABEL, LONGEST_HEADING, LONGEST_GROUP = 26, 52, 46
TRIED = 80


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
            axes.axvspan(0, from_years, facecolor="#f1f2f4", edgecolor=RULE, hatch="....", linewidth=0, zorder=0)
        for curve, (colour, dashes) in zip(curves, _styles(curves), strict=True):
            steps = axes.step(curve.times, curve.share, where="post", color=colour, linewidth=1.7, zorder=3)
            steps[0].set_linestyle(dashes)
        _label_curves(axes, curves)
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
    end = _end(curves)
    longest = max(len(count(number)) for curve in curves for number in [*curve.at_risk, 0])
    most = (WIDTH - LEFT - RIGHT) / (longest * DIGIT + BETWEEN)
    step = next((step for step in YEARS if end / step <= most), YEARS[-1])
    return list(range(0, int(end) + 1, step))


def short_labels(curves: Sequence[Curve]) -> list[str]:
    """Labels without the words that all of them begin with."""
    labels = [curve.label for curve in curves]
    shared = commonprefix(labels).rpartition(" ")[0] if len(labels) > 1 else ""
    return [shorten(label.removeprefix(shared).strip(), LONGEST_LABEL) for label in labels]


def _styles(curves: Sequence[Curve]) -> list[tuple[str, Dashes]]:
    return [STYLES[i % len(STYLES)] for i in range(len(curves))]


def _end(curves: Sequence[Curve]) -> float:
    return max(curve.times[-1] for curve in curves)


def _set_frame(axes: Axes, curves: Sequence[Curve]) -> None:
    """Years from 0, shares from 0 to 100 %."""
    axes.set_xlim(0, _end(curves))
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
    end, inner = _end(curves), WIDTH - LEFT - RIGHT

    def text_at(x: float, y: float, words: str, align: str = "left", colour: str = INK, size: float = 8) -> None:
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
                text_at(LEFT + inner * year / end, top - 0.25, number, align="center")
        top -= PER_LINE


@dataclass(frozen=True)
class _Box:
    """Where a label would stand, in years and shares, and the point that it hangs on."""

    left: float
    right: float
    bottom: float
    top: float

    def distance(self, low: float, high: float) -> float:
        """From a range of shares; 0 when they meet."""
        return max(self.bottom - high, low - self.top, 0.0)

    def meets(self, other: _Box) -> bool:
        apart = self.right < other.left or other.right < self.left
        return not apart and self.distance(other.bottom, other.top) == 0


def _label_curves(axes: Axes, curves: Sequence[Curve]) -> None:
    """Each label beside its own curve, as far from the others as there is room; none where there is no room, for
    the line stands below with its label."""
    taken: list[_Box] = []
    for i, (curve, text) in enumerate(zip(curves, short_labels(curves), strict=True)):
        found = ((_place(curves, i, words, taken), words) for words in (text, _in_two_lines(text)))
        box, text = next(((box, words) for box, words in found if box), (None, text))
        if box is None:
            continue
        taken.append(box)
        axes.text(
            (box.left + box.right) / 2,
            (box.bottom + box.top) / 2,
            text,
            ha="center",
            va="center",
            linespacing=1.0,
            fontsize=8.5,
            color=_styles(curves)[i][0],
            zorder=4,
            parse_math=False,
        )


def _in_two_lines(text: str) -> str:
    """Broken at the space that is nearest to its middle."""
    spaces = [i for i, letter in enumerate(text) if letter == " "]
    cut = min(spaces, key=lambda i: abs(2 * i - len(text)), default=None)
    return text if cut is None else f"{text[:cut]}\n{text[cut + 1 :]}"


def _place(curves: Sequence[Curve], own: int, text: str, taken: Sequence[_Box]) -> _Box | None:
    """The free place at a curve that is furthest from what else is drawn."""
    end = _end(curves)
    lines = text.split("\n")
    width = max(map(len, lines)) * LETTER * end / (WIDTH - LEFT - RIGHT)
    height, pad = len(lines) * LETTERS_HIGH / BODY, PAD / BODY
    best, furthest = None, 0.0
    for i in range(TRIED + 1):
        years = end * i / TRIED
        share = curves[own].at(years)
        if share is None:
            continue
        for left in (years, years - width):
            for bottom in (share + pad, share - pad - height):
                box = _Box(left, left + width, bottom, bottom + height)
                room = _room(box, curves, own, taken)
                if 0 <= left and box.right <= end and 0 <= bottom and box.top <= 1.09 and room > furthest:
                    best, furthest = box, room
    return best


def _room(box: _Box, curves: Sequence[Curve], own: int, taken: Sequence[_Box]) -> float:
    """How far a label is from the other curves; 0 where it meets one, its own or another label, or is nearer to
    another curve than to its own."""
    if any(box.meets(other) for other in taken):
        return 0.0
    found = [
        box.distance(*reach) if (reach := curve.between(box.left, box.right)) else math.inf for curve in curves
    ]
    others = min((distance for i, distance in enumerate(found) if i != own), default=math.inf)
    if not found[own] or found[own] >= others:
        return 0.0
    # Beyond this nothing is gained; the earliest place then wins.
    return min(others, 0.3)
