"""Control claims: claims whose answer is known, which go through the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reclaim.report.claim_view import ClaimView
from reclaim.study import Study

PASSING = frozenset({"supported", "consistent"})


@dataclass(frozen=True)
class Control:
    """A claim with its known answer; `right` tells whether the verdict is as it should be."""

    claim: ClaimView
    known: bool
    right: bool


def controls(study: Study, views: Sequence[ClaimView]) -> list[Control]:
    """Control claims with their known answers, which hold in every simulated world as well."""
    return [
        Control(view, claim.known, as_it_should_be(claim.known, view.verdict.key))
        for claim, view in zip(study.claims, views, strict=True)
        if claim.known is not None
    ]


def as_it_should_be(known: bool, verdict: str) -> bool:
    """A known truth is supported or consistent; a known falsehood is neither."""
    return (verdict in PASSING) == known
