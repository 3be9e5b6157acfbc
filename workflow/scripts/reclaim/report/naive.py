"""What a naive reading would say: sensitivity tests that come out otherwise than the primary test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from reclaim.claim_tests import MutationTest
from reclaim.dataset import Dataset, MutationCalls
from reclaim.report.operation import differences
from reclaim.report.reading import ClaimReading, Reading, same_kind
from reclaim.report.words import VERDICT_MARKS, Mark, count, listing, percent
from reclaim.study import Claim

WORD_FOR: dict[str, str] = {
    "agrees": "supported",
    "opposite": "contradicted",
    "negligible": "not_supported",
    "unclear": "inconclusive",
}
"""The verdict that a reader without replication, calibration and gates would pronounce."""


@dataclass(frozen=True)
class NaiveReading:
    """A specification of the claim that its own rule would judge otherwise."""

    specification: str
    other: Reading
    primary: Reading
    mark: Mark
    why: list[str]

    @property
    def other_counts(self) -> str:
        return counts_in_words(self.other)

    @property
    def primary_counts(self) -> str:
        return counts_in_words(self.primary)


def naive_readings(
    claim: Claim, reading: ClaimReading, datasets: Mapping[str, Dataset]
) -> list[NaiveReading]:
    """Sensitivity tests whose outcome, by the claim's rule, is not that of the primary tests.

    A test that the rule cannot judge, or without any valid row, is no reading.
    """
    found = []
    for other in reading.sensitivity:
        if not same_kind(claim, other) or other.outcome in ("invalid", reading.outcome):
            continue
        primary = min(reading.primary, key=lambda part: len(differences(part.test, other.test)))
        changes = differences(primary.test, other.test)
        found.append(
            NaiveReading(
                other.test.specification or listing(changes),
                other,
                primary,
                VERDICT_MARKS[WORD_FOR[other.outcome]],
                [*_left_out(primary, other, datasets), *_changed(changes)],
            )
        )
    return found


def counts_in_words(reading: Reading) -> str:
    """`118 of 177 patients in 1 data set` for a share, else the number of patients or samples."""
    if not reading.valid:
        return "no valid row"
    sets = f"{len(reading.datasets)} data set{'' if len(reading.datasets) == 1 else 's'}"
    if reading.scale.name == "share":
        return f"{count(reading.n_events)} of {count(reading.n)} patients in {sets}"
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
