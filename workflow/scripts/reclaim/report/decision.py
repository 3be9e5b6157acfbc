"""The decision rule of a claim: in words, and as regions of the effect for the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reclaim.claim_tests import ON_REGIONS
from reclaim.decisions import Bound, Decision, Equivalence, LookupDecision, Prevalence, Specific
from reclaim.evidence import EvidenceRow
from reclaim.judging import margin_of
from reclaim.report.words import listing, percent, scale_of
from reclaim.rules import (
    MANY,
    MIN_COMPARATORS,
    MOST,
    NEARLY_ALL_AGREES,
    NEARLY_ALL_OPPOSITE,
    RARE_AGREES,
    RARE_OPPOSITE,
    TOP_SHARE,
)


@dataclass(frozen=True)
class Zone:
    """A region of the effect, on its natural scale, in which an interval means this outcome."""

    low: float
    high: float
    outcome: str


def zones(decision: Decision, rows: Sequence[EvidenceRow]) -> list[Zone]:
    """Regions of a forest plot of `rows`, from left to right; none where the rule sets none."""
    if isinstance(decision, Bound):
        if decision.bound == "rare":
            return [Zone(0, RARE_AGREES, "agrees"), Zone(RARE_OPPOSITE, 1, "opposite")]
        return [Zone(0, NEARLY_ALL_OPPOSITE, "opposite"), Zone(NEARLY_ALL_AGREES, 1, "agrees")]
    if isinstance(decision, LookupDecision) or not rows:
        return []
    margin = margin_of(decision, rows)
    if isinstance(decision, Equivalence):
        found = [Zone(-margin, margin, "agrees"), Zone(margin, math.inf, "opposite")]
    else:
        found = [
            Zone(-math.inf, -margin, "opposite"),
            Zone(-margin, margin, "negligible"),
            Zone(margin, math.inf, "agrees"),
        ]
    if rows[0].expected == "negative":
        found = [Zone(-zone.high, -zone.low, zone.outcome) for zone in reversed(found)]
    return found


def zones_of_claim(decision: Decision, rows: Sequence[EvidenceRow]) -> list[Zone]:
    """Regions of the effect that the rule as a whole finds: for prevalence a share of strata."""
    if isinstance(decision, Prevalence):
        share = MANY if decision.share == "many" else MOST
        return [Zone(0, share, "negligible"), Zone(share, 1, "agrees")]
    return zones(decision, rows)


def rule_in_words(decision: Decision, rows: Sequence[EvidenceRow]) -> str:
    """What makes the rule agree, and what makes it say the opposite, with its numbers."""
    if isinstance(decision, Bound):
        return _bound_in_words(decision)
    if isinstance(decision, LookupDecision):
        return (
            "Lookup: agrees when the database lists the entry. Not being listed is no evidence, and an entry "
            "is no measurement, so that the verdict is consistent at best."
        )
    if not rows:
        return f"Rule {decision.rule}; there is no data set on which it could be applied."
    scale = scale_of(rows[0].effect_name)
    sign = -1 if rows[0].expected == "negative" else 1
    margin = margin_of(decision, rows)
    claimed, reverse = scale.point(sign * margin), scale.point(-sign * margin)
    beyond, behind = ("at most", "at least") if sign < 0 else ("at least", "at most")
    direction = f"{scale.name} {'below' if sign < 0 else 'above'} {scale.null}"
    if isinstance(decision, Prevalence):
        share = percent(MANY if decision.share == "many" else MOST)
        return (
            f"Prevalence, “{decision.share}”: the share of strata whose {scale.name} is {beyond} {claimed}, from "
            f"shrunken stratum effects with a bootstrap interval. Agrees when its 95 % interval starts at {share} "
            f"or above; negligible when it ends below; opposite when, with 95 % certainty, more strata lie {behind} "
            f"{reverse} than {beyond} {claimed}."
        )
    if isinstance(decision, Equivalence):
        return (
            f"Equivalence: agrees when the 95 % interval of the {scale.name} lies between {scale.point(-margin)} "
            f"and {scale.point(margin)} and the positive control is detected in the same data; opposite when it "
            f"lies wholly {'below' if sign < 0 else 'above'} {claimed}."
        )
    text = (
        "Pooled: random-effects mean over cohorts without shared patients; a single cohort keeps its own interval. "
        f"Claimed: {direction}. Agrees when the 95 % interval excludes {scale.null} on the claimed side and the mean "
        f"is {beyond} {claimed}; opposite when it excludes it on the other side and the mean is {behind} {reverse}; "
        f"negligible when the interval rules out {claimed} and beyond; else unclear. A cohort that says the opposite "
        "makes it unclear."
    )
    if rows[0].analysis in ON_REGIONS:
        text = text.replace("cohorts without shared patients", "data sets").replace("cohort", "data set")
    if isinstance(decision, Specific):
        text = text.replace("Pooled:", "Specific:", 1) + (
            f" The adjusted effect must also rank in the top {percent(TOP_SHARE)} of at least "
            f"{MIN_COMPARATORS} comparators from the same context."
        )
        if decision.family:
            text += (
                f" Relatives ({listing(decision.family)}) are left out of the rank; one whose effect reaches the "
                "interval is a tie, and told."
            )
    return text


def _bound_in_words(decision: Bound) -> str:
    how = (
        "One cohort has its exact (Clopper-Pearson) interval; several are pooled with a random intercept "
        "on the logit scale."
    )
    if decision.bound == "rare":
        return (
            f"Bound, “rare”: agrees when the whole 95 % interval of the share lies below {percent(RARE_AGREES, 0)}, "
            f"opposite when all of it lies above {percent(RARE_OPPOSITE, 0)}, else unclear. {how}"
        )
    return (
        f"Bound, “nearly all”: agrees when the 95 % interval of the share starts at "
        f"{percent(NEARLY_ALL_AGREES, 0)} or above, opposite when it ends below "
        f"{percent(NEARLY_ALL_OPPOSITE, 0)}, else unclear. {how}"
    )
