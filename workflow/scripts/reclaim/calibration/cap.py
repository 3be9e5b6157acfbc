"""The best verdict that calibration allows: how often chance, or any other gene, would have passed the same rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reclaim.calibration.record import ClaimCalibration
from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.decisions import Conjunction, Decision, Part

NULL_RATE_CAP = 0.075
BACKGROUND_SPECIFIC = (0.05, 0.20)
BACKGROUND_DESCRIPTIVE = 0.20


@dataclass(frozen=True)
class Calibration:
    """How often chance, or any other gene, would have passed the same rule."""

    null_rate: float | None = None
    null_rate_high: float | None = None
    background_rate: float | None = None
    gap: str = ""
    """Why a rate is missing."""
    needs_background: bool = True
    nulls: str = "genes"
    """What was put in the subject's place."""

    @classmethod
    def of(cls, record: ClaimCalibration) -> Calibration:
        """What the verdict needs of a claim's calibration."""
        null, background = record.null_rate, record.background_rate
        return cls(
            None if null is None else null.share,
            None if null is None else null.ci_high,
            None if background is None else background.share,
            "; ".join(dict.fromkeys(filter(None, [record.null_gap, record.background_gap]))),
            not record.no_background,
            record.nulls,
        )


def calibration_cap(
    rule: str, specific: bool, calibration: Calibration
) -> tuple[Literal["supported", "consistent", "inconclusive"], str]:
    """The best verdict that calibration allows, and why.

    `specific` is true for claims of specificity or of a marked effect, where the base rate among
    comparable genes must be low.
    """
    if rule not in CALIBRATED_RULES:
        return "supported", ""
    background = calibration.background_rate
    if calibration.null_rate_high is not None and calibration.null_rate_high > NULL_RATE_CAP:
        return "inconclusive", f"permuted labels pass in up to {calibration.null_rate_high:.1%}"
    if specific and background is not None and background > BACKGROUND_SPECIFIC[1]:
        return "inconclusive", f"true of {background:.0%} of comparable {calibration.nulls}"
    lacking = background is None and calibration.needs_background
    if calibration.null_rate_high is None or lacking:
        what = [
            *(["chance"] if calibration.null_rate_high is None else []),
            *([f"comparable {calibration.nulls}"] if lacking else []),
        ]
        why = f": {calibration.gap}" if calibration.gap else ""
        return "consistent", f"not calibrated against {' and '.join(what)}{why}"
    if background is not None and background > (
        BACKGROUND_SPECIFIC[0] if specific else BACKGROUND_DESCRIPTIVE
    ):
        return "consistent", f"true of {background:.0%} of comparable {calibration.nulls}"
    return "supported", ""


def rule_to_calibrate(decision: Decision) -> str:
    """The rule; of a conjunction that of the first part that is calibrated."""
    rules: list[str] = [part.rule for part in _parts(decision)] or [decision.rule]
    return next((rule for rule in rules if rule in CALIBRATED_RULES), rules[0])


def is_specific(decision: Decision) -> bool:
    """Whether the claim, or a part of it, is one of specificity or of a marked effect."""
    every = (decision, *_parts(decision))
    return any(one.rule == "specific" or one.marked for one in every)


def _parts(decision: Decision) -> list[Part]:
    return list(decision.parts.values()) if isinstance(decision, Conjunction) else []
