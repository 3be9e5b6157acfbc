"""What a naive reading would say: sensitivity tests that come out otherwise than the primary test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from reclaim.claim_tests import (
    BoundAndDeregulated,
    ClaimTest,
    Coexpression,
    EventShare,
    MutationTest,
    PeakColocalization,
    Survival,
    TargetGenes,
)
from reclaim.dataset import Dataset, MutationCalls
from reclaim.report.operation import differences, window
from reclaim.report.reading import ClaimReading, Reading, same_kind
from reclaim.report.words import SHARE_OF_STRATA, VERDICT_MARKS, Mark, count, listing, percent
from reclaim.study import Claim, Study

WORD_FOR: dict[str, str] = {
    "agrees": "supported",
    "opposite": "contradicted",
    "negligible": "not_supported",
    "unclear": "inconclusive",
}
"""The verdict that a reader without replication, calibration and gates would pronounce."""

SAME_SIDE = {"agrees": {"supported", "consistent"}, "opposite": {"contradicted", "not_supported"}}
"""Verdicts that say no less than an outcome does."""


@dataclass(frozen=True)
class NaiveReading:
    """A specification of the claim that its own rule would judge otherwise: `other` is the naive reader's test,
    `primary` stands against it. With `crude` the naive reader reads the primary test itself, and what stands
    against it adjusts for more."""

    specification: str
    other: Reading
    primary: Reading
    mark: Mark
    why: list[str]
    crude: bool = False

    @property
    def other_counts(self) -> str:
        return counts_in_words(self.other)

    @property
    def primary_counts(self) -> str:
        return counts_in_words(self.primary)


def naive_readings(claim: Claim, reading: ClaimReading, verdict: str, study: Study) -> list[NaiveReading]:
    """Sensitivity tests whose outcome, by the claim's rule, is not that of the primary tests; and a primary
    correlation by itself, where an adjusted one turns the `verdict` away from what it says.

    A test that the rule cannot judge, or without any valid row, is no reading; nor is one that adjusts for more
    than the primary test does.
    """
    found = []
    for other in reading.sensitivity:
        if not same_kind(claim, other) or other.outcome in ("invalid", reading.outcome):
            continue
        primary = min(reading.primary, key=lambda part: len(differences(part.test, other.test)))
        if adjusted_for(other.test) > adjusted_for(primary.test):
            continue
        changes = differences(primary.test, other.test)
        found.append(
            NaiveReading(
                other.test.specification or listing(changes),
                other,
                primary,
                VERDICT_MARKS[WORD_FOR[other.outcome]],
                [*_left_out(primary, other, study.datasets), *_window(primary, other), *_changed(changes)],
            )
        )
    return [*_crude_readings(claim, reading, verdict, study), *found]


def adjusted_for(test: ClaimTest) -> set[str]:
    """Columns and scores that a test takes into account."""
    named = [getattr(test, key, None) for key in ("adjust", "covariates")]
    return {name for names in named if isinstance(names, list) for name in names}


def _crude_readings(claim: Claim, reading: ClaimReading, verdict: str, study: Study) -> list[NaiveReading]:
    """Primary correlations that say more than the same ones do when they are adjusted, each with the first such."""
    found = []
    for crude in reading.primary:
        if not isinstance(crude.test, Coexpression) or verdict in SAME_SIDE.get(crude.outcome, {verdict}):
            continue
        against = [
            other
            for other in reading.sensitivity
            if isinstance(other.test, Coexpression)
            and other.test.features == crude.test.features
            and other.outcome not in ("invalid", crude.outcome)
            and same_kind(claim, other)
            and adjusted_for(other.test) > adjusted_for(crude.test)
        ]
        if not against:
            continue
        # A score of cell types before a column, which does not tell which cells the tissue is made of.
        adjusted = min(against, key=lambda other: not adjusted_for(other.test) & set(study.gene_sets))
        assert isinstance(adjusted.test, Coexpression)
        added = [name for name in adjusted.test.adjust if name not in crude.test.adjust]
        found.append(
            NaiveReading(
                f"not adjusted for {listing(added)}",
                crude,
                adjusted,
                VERDICT_MARKS[WORD_FOR[crude.outcome]],
                [_mixture(added, adjusted, study)],
                crude=True,
            )
        )
    return found


def _mixture(added: list[str], adjusted: Reading, study: Study) -> str:
    """Why a correlation in tissue may have to do with neither gene."""
    scores = [name for name in added if name in study.gene_sets]
    text = f"Adjusted for {listing(added)}, the rule says “{adjusted.outcome}”."
    if not scores:
        return text
    return (
        f"{text} A sample with more of a kind of cell has more of all genes of that cell: two of them rise together "
        f"from sample to sample although neither acts on the other. The score of {listing(scores)} stands for the share "
        "of such cells. It may also lie between the two, so that what it takes away is no evidence against the claim."
    )


def _window(primary: Reading, other: Reading) -> list[str]:
    """Survival over other years says something else, and no more or less about the claim."""
    if not (isinstance(primary.test, Survival) and isinstance(other.test, Survival)):
        return []
    ours, theirs = window(primary.test), window(other.test)
    if ours == theirs:
        return []
    return [
        f"The two look at other years: this one {theirs or 'at all follow-up'}, the primary test "
        f"{ours or 'at all follow-up'}. Where a hazard ratio changes with time, one of the two says nothing of the "
        "other, and one number for all years would hide both."
    ]


def counts_in_words(reading: Reading) -> str:
    """`118 of 177 patients in 1 data set` for a share, else the number of patients or samples; of survival also
    the events; of co-localisation regions, of genes that are bound those that respond, or are named."""
    if not reading.valid:
        return "no valid row"
    sets = f"{len(reading.datasets)} data set{'' if len(reading.datasets) == 1 else 's'}"
    if reading.scale.kind == "share" and reading.scale != SHARE_OF_STRATA:
        whom = "events" if isinstance(reading.test, EventShare) else "patients"
        return f"{count(reading.n_events)} of {count(reading.n)} {whom} in {sets}"
    if isinstance(reading.test, Survival):
        return f"{count(reading.n_events)} events, n = {count(reading.n)} in {sets}"
    if isinstance(reading.test, PeakColocalization):
        return f"{count(reading.n_events)} of {count(reading.n)} regions with both, in {sets}"
    if isinstance(reading.test, BoundAndDeregulated):
        responds = reading.test.response.removesuffix("s")
        return f"{count(reading.n_events)} of {count(reading.n)} genes are bound and {responds}, in {sets}"
    if isinstance(reading.test, TargetGenes):
        return f"{count(reading.n_events)} of {count(reading.n)} named genes with a peak, in {sets}"
    return f"n = {count(reading.n)} in {sets}"


def _left_out(primary: Reading, other: Reading, datasets: Mapping[str, Dataset]) -> list[str]:
    """What the call-depth gate took away, when only the primary test has one."""
    if not (isinstance(primary.test, MutationTest) and isinstance(other.test, MutationTest)):
        return []
    if other.test.call_depth_gate or not primary.test.call_depth_gate:
        return []
    groups = [json.loads(row.groups) for row in primary.valid]
    assayed = sum(group.get("assayed", 0) for group in groups)
    below = sum(group.get("below_call_depth", 0) for group in groups)
    if not below:
        return []
    minima = sorted(
        {
            one.min_other_mutations
            for row in primary.valid
            if "call_depth" in row.flags and isinstance(one := datasets[row.dataset], MutationCalls)
        }
    )
    text = (
        f"The primary test leaves out {below:,} of {assayed:,} patients: their tumours show fewer than "
        f"{listing([str(minimum) for minimum in minima], 'or')} other non-silent mutations."
    )
    if all("altered_below_call_depth" in group for group in groups) and primary.n:
        altered = sum(group["altered_below_call_depth"] for group in groups)
        share_below, share_kept = altered / below, primary.n_events / primary.n
        text += (
            f" {'Only ' if share_below < share_kept else ''}{altered:,} of those {below:,} ({percent(share_below)}) "
            f"carry the alteration, against {primary.n_events:,} of the {primary.n:,} ({percent(share_kept)}) "
            "that count."
        )
    return [
        text
        + " Where so few mutations were found, as in a sample with little tumour DNA, the tested one may "
        "have been missed as well: such a patient says little either way."
    ]


def _changed(changes: list[str]) -> list[str]:
    rest = [change for change in changes if change != "no call-depth gate"]
    return [f"What it does otherwise: {'; '.join(rest)}."] if rest else []
