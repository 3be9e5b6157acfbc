"""What calibration means for one claim, in a sentence for a reader in a hurry."""

from __future__ import annotations

from reclaim.calibration.cap import (
    BACKGROUND_DESCRIPTIVE,
    BACKGROUND_SPECIFIC,
    NULL_RATE_CAP,
    Calibration,
    calibration_cap,
    is_specific,
    rule_to_calibrate,
)
from reclaim.calibration.record import ClaimCalibration, Rate
from reclaim.decisions import Decision
from reclaim.report.words import NO_BREAK, percent


def calibration_reading(
    calibration: ClaimCalibration, decision: Decision, agrees: bool, noun: str = "gene", swapped: str = ""
) -> str:
    """Both rates, what they mean, and the best verdict that they allow, as `calibration_cap` decides.

    `agrees` tells whether the claim's rule does; `noun` is what was swapped: gene, set, pair or experiment;
    `swapped` names the end of a pair that was.
    """
    specific = is_specific(decision)
    null = calibration.null_rate
    rates = Calibration.of(calibration)
    cap, _ = calibration_cap(rule_to_calibrate(decision), specific, rates)
    by_chance = null is not None and null.ci_high > NULL_RATE_CAP
    known = _rates_in_words(calibration, by_chance, agrees, noun, swapped)
    if cap == "supported":
        return f"{known}: {_no_cap(rates, agrees, noun)}."
    reasons = ["chance passes too often"] if by_chance else []
    share = rates.background_rate or 0.0
    if specific and share > BACKGROUND_SPECIFIC[0]:
        limit = BACKGROUND_SPECIFIC[share > BACKGROUND_SPECIFIC[1]]
        reasons.append(f"too many for a claim that this {noun} stands out (limit {limit_in_words(limit)})")
    elif share > BACKGROUND_DESCRIPTIVE:
        reasons.append(f"true, but of many {noun}s" if agrees and not by_chance else f"many {noun}s pass")
    because = " and ".join(reasons)
    if not agrees:
        because += "; " if because else ""
        return f"{known}: {because}had the rule agreed here, the verdict would have been at most {cap}."
    because += ", so " if because else ""
    return f"{known}: {because}the verdict is at most {cap}."


def limit_in_words(share: float) -> str:
    """A limit of the rules as a percentage, such as `7.5 %`."""
    return f"{100 * share:g}{NO_BREAK}%"


def _no_cap(rates: Calibration, agrees: bool, noun: str) -> str:
    """What rates say that lower no verdict."""
    background = rates.background_rate
    if not agrees:
        return "had the rule agreed here, calibration would not have lowered the verdict"
    if background is None:
        return "chance alone would hardly have done so"
    if background > BACKGROUND_SPECIFIC[0]:
        return (
            f"other {noun}s share the finding, but too few of them to lower the verdict "
            f"(limit {limit_in_words(BACKGROUND_DESCRIPTIVE)})"
        )
    return f"the finding is about this {noun}"


def _rates_in_words(
    calibration: ClaimCalibration, by_chance: bool, agrees: bool, noun: str, swapped: str
) -> str:
    """How often permuted labels and comparable subjects pass, or why that is not known."""
    null, background = calibration.null_rate, calibration.background_rate
    null_gap, background_gap = _gap(calibration.null_gap), _gap(calibration.background_gap)
    if null is None and background is None and null_gap == background_gap:
        null_gap = ""  # one reason for both, told once
    others = _others_in_words(background, agrees, noun, swapped) if background else ""
    if calibration.no_background:
        others = (
            f"a rate among comparable genes is not needed ({calibration.no_background.strip().rstrip('.')})"
        )
    if null is None and others:
        return f"How often permuted labels would pass this rule is not known{null_gap}, and {others}"
    if null is None:
        return (
            f"It is not known how often permuted labels would pass this rule{null_gap}, nor how many "
            f"comparable {noun}s would{background_gap}"
        )
    cases = f"{percent(null.share, 1)} of cases" if null.share else f"none of {null.n:,} cases"
    chance = f"Under permuted labels this rule would agree in {cases}"
    if by_chance:
        chance += f" (up to {percent(null.ci_high, 1)}; limit {limit_in_words(NULL_RATE_CAP)})"
    if not others:
        return f"{chance}, and how many comparable {noun}s would pass it is not known{background_gap}"
    return f"{chance}, and {others}"


def _others_in_words(background: Rate, agrees: bool, noun: str, swapped: str) -> str:
    which = f"comparable {noun}s" + (f" with {swapped} swapped" if swapped else "")
    if not background.share:
        return f"none of {background.n:,} {which} passes it"
    return f"{percent(background.share, 1)} of {which} pass it{' too' if agrees else ''}"


def _gap(text: str) -> str:
    return f" ({text.strip().rstrip('.')})" if text.strip() else ""
