"""Matplotlib figures as SVG text: the same bytes for the same figure, fit to stand inside a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

MEASURED_FONT = "DejaVu Sans"
"""Comes with matplotlib, so that the layout does not depend on the machine. It is wide: text drawn
by a browser in another font takes less room."""

SHOWN_FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Settings under which figures are drawn and written; `name` makes their ids unique."""
    settings: dict[Any, Any] = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.family": MEASURED_FONT,
        "font.size": 9.0,
        "axes.linewidth": 0.7,
        "hatch.linewidth": 0.4,
    }
    with matplotlib.rc_context(settings):
        yield


def svg_text(figure: Figure, name: str, title: str) -> str:
    """The figure as one `<svg>` element. Several may stand in one page: ids start with `name`, and
    nothing in it styles what is outside."""
    buffer = StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type")) | {"Title": title}
    figure.savefig(buffer, format="svg", metadata=metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*</defs>\s*", "", text)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    text = text.replace(f"'{MEASURED_FONT}'", SHOWN_FONTS)
    return _own_ids(text, name)


def _own_ids(text: str, name: str) -> str:
    """Drop ids that nothing refers to, and prefix the others."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))

    def keep(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r'\sid="([^"]*)"', keep, text)
    return re.sub(r'(url\(#|href="#)', rf"\1{name}-", text)
