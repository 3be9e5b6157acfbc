"""Numbers and terms as the page prints them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reclaim.config import World

NO_BREAK = "\u00a0"
MISSING = "–"


@dataclass(frozen=True)
class Mark:
    """A verdict or an outcome: its word, and a symbol so that colour is never the only carrier."""

    key: str
    symbol: str
    colour: str

    @property
    def word(self) -> str:
        return self.key.replace("_", " ")


VERDICT_MARKS = {
    mark.key: mark
    for mark in (
        Mark("supported", "✓", "#0b6b4a"),
        Mark("consistent", "◐", "#2a6592"),
        Mark("inconclusive", "?", "#7c5c00"),
        Mark("not_supported", "○", "#9a4a12"),
        Mark("contradicted", "✗", "#a01535"),
        Mark("no_public_data", "□", "#505a68"),
        Mark("not_testable", "–", "#505a68"),
    )
}

OUTCOME_MARKS = {
    mark.key: mark
    for mark in (
        Mark("agrees", "✓", "#0b6b4a"),
        Mark("opposite", "✗", "#a01535"),
        Mark("negligible", "○", "#9a4a12"),
        Mark("unclear", "?", "#7c5c00"),
        Mark("invalid", "–", "#505a68"),
    )
}

OUTCOME_MEANING = {
    "agrees": "The 95 % interval lies where the claim says, beyond the bound or margin.",
    "opposite": "The 95 % interval lies where the claim says it should not.",
    "negligible": "A precise null: the interval rules out an effect as large as the margin.",
    "unclear": "The interval does not decide.",
    "invalid": "No estimate, or a gate failed on this data set; the row does not count.",
}

WORLD_MEANING: dict[World, str] = {
    "as_claimed": "every tested claim is true",
    "no_effect": "there is no effect; where a claim sets a bound, the truth lies on it",
    "reversed": "the opposite of every tested claim is true",
    "confounded": "there is no effect, but a hidden nuisance makes a naive reading find one",
}


@dataclass(frozen=True)
class Scale:
    """How an effect is printed: shares as percentages, logarithms of ratios as ratios with three
    significant digits, differences and correlations with two decimals."""

    name: str
    kind: Literal["share", "ratio", "difference"]

    @property
    def null(self) -> str:
        """No effect: a ratio of 1, a difference of 0."""
        return "1" if self.kind == "ratio" else "0"

    def point(self, effect: float | None, beside: float | None = None) -> str:
        """One value, such as `66.7 %` or `0.42`; a share has as many decimals as the larger one
        `beside` it."""
        if effect is None or math.isnan(effect):
            return MISSING
        if self.kind == "share":
            return percent(effect, _percent_digits(effect if beside is None else beside))
        if self.kind == "ratio":
            return number(math.exp(effect))
        return f"{effect:,.2f}".replace("-", "−")

    def interval(self, low: float | None, high: float | None) -> str:
        """Both ends, such as `59.2 to 73.6 %`; an end that is not estimable is left open."""
        if low is None or high is None:
            if low is None and high is None:
                return MISSING
            return f"from {self.point(low)}" if high is None else f"up to {self.point(high)}"
        if self.kind == "share":
            digits = _percent_digits(high)
            return f"{100 * low:.{digits}f} to {percent(high, digits)}"
        return f"{self.point(low)} to {self.point(high)}"

    def estimate(self, effect: float | None, low: float | None, high: float | None) -> str:
        """Value and interval, such as `66.7 % (59.2 to 73.6 %)`."""
        if effect is None:
            return "not estimable"
        if low is None and high is None:
            return self.point(effect)
        return f"{self.point(effect, high)} ({self.interval(low, high)})"


SHARE_OF_STRATA = Scale("share of strata", "share")
SHARE_OF_EVENTS = Scale("share of events", "share")
SCALES = {
    "share": Scale("share", "share"),
    "log_odds_ratio": Scale("odds ratio", "ratio"),
    "log_hazard_ratio": Scale("hazard ratio per SD", "ratio"),
    "log_hazard_ratio_groups": Scale("hazard ratio", "ratio"),
    "log2_fold_change": Scale("log2 fold change", "difference"),
    "set_log2_fold_change": Scale("mean log2 fold change of the set", "difference"),
    "normalised_enrichment_score": Scale("normalised enrichment score", "difference"),
    "spearman_rho": Scale("Spearman correlation", "difference"),
    "gene_effect": Scale("gene effect (Chronos)", "difference"),
    "gene_effect_difference": Scale("difference of gene effects (Chronos)", "difference"),
}


def scale_of(effect_name: str, analysis: str = "") -> Scale:
    """The scale of an effect; one that is not listed is printed as it is."""
    if effect_name == "share" and analysis == "event_share":
        return SHARE_OF_EVENTS
    return SCALES.get(effect_name, Scale(effect_name.replace("_", " "), "difference"))


def percent(share: float, digits: int | None = None) -> str:
    """A share as a percentage: one decimal from 10 % on, two below."""
    digits = _percent_digits(share) if digits is None else digits
    return f"{100 * share:.{digits}f}{NO_BREAK}%"


def _percent_digits(share: float) -> int:
    return 1 if abs(share) >= 0.1 else 2


def number(value: float, digits: int = 3) -> str:
    """A number with this many significant digits, a true minus sign and powers of ten."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value).replace("-", "−")
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    exponent = int(power)
    if -4 <= exponent < 6:
        text = f"{float(f'{mantissa}e{power}'):,.{max(0, digits - 1 - exponent)}f}"
    else:
        text = f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPT)}"
    return text.replace("-", "−")


_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def p_value(p: float | None) -> str:
    """A p-value with two significant digits."""
    if p is None:
        return MISSING
    return "below 10⁻³⁰⁰" if p == 0 else number(p, 2)


def count(value: int | None) -> str:
    """A count with thousands separators."""
    return MISSING if value is None else f"{value:,}"


def byte_size(size: int) -> str:
    """Bytes in the unit that a reader would choose."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f}{NO_BREAK}{unit}"
    return f"{size}{NO_BREAK}bytes"


def listing(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def plural(number_of: int, word: str) -> str:
    """`1 claim`, `2 claims`."""
    return f"{number_of:,} {word}{'' if number_of == 1 else 's'}"


def sentence(text: str) -> str:
    """Capitalised and ended; a first word that is no plain word, such as `mRNA`, stays as it is."""
    text = ended(text)
    first = re.match(r"[^\s,;:.]+", text)
    return capital(text) if first is not None and first[0].isalpha() and first[0].islower() else text


def capital(text: str) -> str:
    """The first letter raised, the others as they are."""
    return text[:1].upper() + text[1:]


def ended(text: str) -> str:
    """With a full stop, and percent signs kept with their numbers; for text that begins with a name."""
    text = text.strip().replace(" %", f"{NO_BREAK}%")
    return text + ("" if not text or text[-1] in ".?!" else ".")


def quoted(text: str) -> str:
    """`code` marks of a docstring as quotation marks."""
    return re.sub(r"`([^`]+)`", r"“\1”", text)


def shorten(text: str, width: int) -> str:
    """Cut at a word, with an ellipsis."""
    if len(text) <= width:
        return text
    cut = text[: width - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"
