"""Where the labels of curves stand: beside their own curve, and away from all else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reclaim.report.curves import Curve, end_of
from reclaim.report.words import shorten

LETTER, LINE_HEIGHT, PAD = 0.076, 0.15, 0.03
"""Inches: a letter of a label, a line of it, and its distance from the curve."""

LONGEST_LABEL = 26
HIGHEST = 1.09
"""Share up to which a label may stand above the curves."""

TRIED = 80
"""Places along the axis where a label might hang."""


@dataclass(frozen=True)
class Box:
    """Where a label stands, in years and shares."""

    left: float
    right: float
    bottom: float
    top: float

    def distance(self, low: float, high: float) -> float:
        """From a range of shares; 0 when they meet."""
        return max(self.bottom - high, low - self.top, 0.0)

    def meets(self, other: Box) -> bool:
        apart = self.right < other.left or other.right < self.left
        return not apart and self.distance(other.bottom, other.top) == 0


@dataclass(frozen=True)
class Label:
    """A label, its lines parted by line ends, and its place; `curve` is the number of its curve."""

    curve: int
    text: str
    box: Box


def place_labels(curves: Sequence[Curve], width: float, height: float) -> list[Label]:
    """Labels of the curves that have room for one, in one line or two, on axes so many inches wide and high."""
    placed: list[Label] = []
    for i, label in enumerate(short_labels(curves)):
        for text in (label, _in_two_lines(label)):
            lines = text.split("\n")
            size = max(map(len, lines)) * LETTER * end_of(curves) / width, len(lines) * LINE_HEIGHT / height
            box = _place(curves, i, *size, PAD / height, [other.box for other in placed])
            if box is not None:
                placed.append(Label(i, text, box))
                break
    return placed


def short_labels(curves: Sequence[Curve]) -> list[str]:
    """Labels without the words that all of them begin with."""
    words = [curve.label.split() for curve in curves]
    shared = 0
    while len(words) > 1 and all(
        len(one) > shared + 1 and one[: shared + 1] == words[0][: shared + 1] for one in words
    ):
        shared += 1
    return [shorten(" ".join(one[shared:]), LONGEST_LABEL) for one in words]


def _in_two_lines(text: str) -> str:
    """Broken at the space that is nearest to its middle."""
    spaces = [i for i, letter in enumerate(text) if letter == " "]
    cut = min(spaces, key=lambda i: abs(2 * i - len(text)), default=None)
    return text if cut is None else f"{text[:cut]}\n{text[cut + 1 :]}"


def _place(
    curves: Sequence[Curve], own: int, width: float, height: float, pad: float, taken: Sequence[Box]
) -> Box | None:
    """The free place at a curve that is furthest from what else is drawn; None where there is none."""
    end = end_of(curves)
    best, furthest = None, 0.0
    for i in range(TRIED + 1):
        years = end * i / TRIED
        share = curves[own].at(years)
        if share is None:
            continue
        for left in (years, years - width):
            for bottom in (share + pad, share - pad - height):
                box = Box(left, left + width, bottom, bottom + height)
                room = _room(box, curves, own, taken)
                inside = left >= 0 and box.right <= end and bottom >= 0 and box.top <= HIGHEST
                if inside and room > furthest:
                    best, furthest = box, room
    return best


def _room(box: Box, curves: Sequence[Curve], own: int, taken: Sequence[Box]) -> float:
    """How far a label is from the other curves; 0 where it meets one, its own or another label, or is nearer to
    another curve than to its own."""
    if any(box.meets(other) for other in taken):
        return 0.0
    found = [
        box.distance(*reach) if (reach := curve.between(box.left, box.right)) else math.inf
        for curve in curves
    ]
    others = min((distance for i, distance in enumerate(found) if i != own), default=math.inf)
    if not found[own] or found[own] >= others:
        return 0.0
    # Beyond this nothing is gained; the earliest place then wins.
    return min(others, 0.3)
