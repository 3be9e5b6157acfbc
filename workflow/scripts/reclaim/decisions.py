"""The rules that decide a claim, as a study file names them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reclaim.claim_tests import Gene, Identifier
from reclaim.model import Model


class AnyDecision(Model):
    margin: float | None = Field(
        None, gt=0, description="Smallest effect that matters; the rule's own when not given."
    )
    marked: bool = Field(False, description="true when the claim says marked, strong or the like.")


class Pooled(AnyDecision):
    """Random-effects mean over all patient-disjoint cohorts; no cohort may be opposite."""

    rule: Literal["pooled"]


class Prevalence(AnyDecision):
    """Share of strata in which the effect exceeds the margin: many (1/3) or most (1/2)."""

    rule: Literal["prevalence"]
    share: Literal["many", "most"]


class Bound(AnyDecision):
    """A share lies beyond a bound: rare (below 5 %) or nearly all (at least 85 %)."""

    rule: Literal["bound"]
    bound: Literal["rare", "nearly_all"]


class Specific(AnyDecision):
    """The adjusted effect agrees and ranks in the top 10 % of at least 20 comparators."""

    rule: Literal["specific"]
    family: list[Gene] = Field(
        default_factory=list, description="Relatives; a tie with them is about the family, not the subject."
    )


class Equivalence(AnyDecision):
    """The effect lies within the margin, and a positive control is detected in the same data."""

    rule: Literal["equivalence"]
    positive_control: Identifier = Field(description="The test (a gate) that must be detected.")


class LookupDecision(AnyDecision):
    """A database lists the entry; consistent at best."""

    rule: Literal["lookup"]


Part = Annotated[Pooled | Prevalence | Bound | Specific | Equivalence, Field(discriminator="rule")]


class Conjunction(AnyDecision):
    """Every part agrees. Each part names a primary test and is judged by a rule of its own."""

    rule: Literal["conjunction"]
    parts: dict[Identifier, Part] = Field(min_length=2)


Decision = Annotated[
    Pooled | Prevalence | Bound | Conjunction | Specific | Equivalence | LookupDecision,
    Field(discriminator="rule"),
]
