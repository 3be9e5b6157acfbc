"""What the claim's own rule says of each of its tests, with and without single data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from reclaim.claim_tests import ClaimTest, Role
from reclaim.comparators import comparators_of
from reclaim.decisions import Bound, Conjunction, Equivalence
from reclaim.evidence import EvidenceRow
from reclaim.judging import SHOWN_ONLY, Comparators, decision_for, finite, judge
from reclaim.report.words import SHARE_OF_STRATA, Scale, scale_of
from reclaim.rules import Judgement, judge_conjunction
from reclaim.study import Claim


@dataclass(frozen=True)
class Reading:
    """One test, judged by the claim's rule. Effect and interval have their natural sign and scale; `comparators` are
    what a claim of specificity is ranked against."""

    test: ClaimTest
    rows: tuple[EvidenceRow, ...]
    judgement: Judgement
    scale: Scale
    sign: float
    comparators: Comparators = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return str(self.judgement.outcome[0])

    @property
    def remark(self) -> str:
        return str(self.judgement.remark[0])

    @property
    def effect(self) -> float | None:
        return finite(self.sign * float(self.judgement.effect[0]))

    @property
    def interval(self) -> tuple[float | None, float | None]:
        low, high = float(self.judgement.ci_low[0]), float(self.judgement.ci_high[0])
        low, high = (low, high) if self.sign > 0 else (-high, -low)
        return finite(low), finite(high)

    @property
    def estimate(self) -> str:
        """Effect and interval in words."""
        return self.scale.estimate(self.effect, *self.interval)

    @property
    def p_claimed(self) -> float | None:
        return finite(float(self.judgement.p_claimed[0]))

    @property
    def valid(self) -> list[EvidenceRow]:
        """Rows that the rule counts."""
        return [row for row in self.rows if row.outcome != "invalid" and row.effect is not None]

    @property
    def named(self) -> list[EvidenceRow]:
        """Rows that say what was measured, estimated or not: enough to state the rule."""
        return [row for row in self.rows if row.effect_name]

    @property
    def n(self) -> int:
        return sum(row.n or 0 for row in self.valid)

    @property
    def n_events(self) -> int:
        return sum(row.n_events or 0 for row in self.valid)

    @property
    def datasets(self) -> list[str]:
        """Data sets with a row that counts, in the order of the rows."""
        return list(dict.fromkeys(row.dataset for row in self.valid))


@dataclass(frozen=True)
class ClaimReading:
    """All tests of a claim that were run, and the outcome of its rule."""

    primary: list[Reading]
    sensitivity: list[Reading]
    supporting: list[Reading]
    outcome: str

    @property
    def decisive(self) -> Reading:
        """The primary test whose effect the claim's row states: the weakest part of a conjunction."""
        return max(self.primary, key=lambda reading: _or_infinite(reading.p_claimed))


def _or_infinite(p: float | None) -> float:
    return float("inf") if p is None else p


@dataclass(frozen=True)
class WithoutDataset:
    """The rule's outcome when one data set is left out."""

    dataset: str
    outcome: str
    estimate: str


def read_claim(
    claim: Claim,
    rows: Sequence[EvidenceRow],
    seed: int,
    rankings: Mapping[str, pd.DataFrame] | None = None,
) -> ClaimReading:
    """Judge every test of the claim by the claim's rule; `rows` is the evidence of the claim, `rankings` are the full
    results by `test/dataset` that hold comparators."""
    against = comparators_of(rankings or {})
    return ClaimReading(
        primary=(primary := _read_role("primary", claim, rows, seed, against)),
        sensitivity=_read_role("sensitivity", claim, rows, seed, against),
        supporting=_read_role("supporting", claim, rows, seed, against),
        outcome=_outcome(claim, primary),
    )


def leave_one_out(
    claim: Claim,
    rows: Sequence[EvidenceRow],
    seed: int,
    rankings: Mapping[str, pd.DataFrame] | None = None,
) -> list[WithoutDataset]:
    """The outcome without each data set in turn; empty when fewer than two have a row that counts."""
    datasets = dict.fromkeys(
        name for test in _read_role("primary", claim, rows, seed, {}) for name in test.datasets
    )
    found = []
    for name in datasets if len(datasets) > 1 else ():
        left = {key: table for key, table in (rankings or {}).items() if key.split("/")[1] != name}
        primary = _read_role(
            "primary", claim, [row for row in rows if row.dataset != name], seed, comparators_of(left)
        )
        reading = ClaimReading(primary, [], [], _outcome(claim, primary))
        found.append(WithoutDataset(name, reading.outcome, reading.decisive.estimate))
    return found


def _read_role(
    role: Role,
    claim: Claim,
    rows: Sequence[EvidenceRow],
    seed: int,
    comparators: Mapping[str, Comparators],
) -> list[Reading]:
    detected = _control_detected(claim, rows)
    return [
        _read_test(
            claim,
            test,
            [row for row in rows if row.test == test.id],
            seed,
            detected,
            comparators.get(test.id, {}),
        )
        for test in claim.tests
        if test.role == role
    ]


def _read_test(
    claim: Claim,
    test: ClaimTest,
    rows: Sequence[EvidenceRow],
    seed: int,
    control_detected: bool,
    comparators: Comparators,
) -> Reading:
    judgement = judge(claim, test.id, rows, seed, control_detected, comparators).only()
    rule = decision_for(claim, test.id).rule
    name = next((row.effect_name for row in rows if row.effect_name), "")
    reversed_ = rule not in ("prevalence", "bound") and any(row.expected == "negative" for row in rows)
    return Reading(
        test,
        tuple(rows),
        judgement,
        SHARE_OF_STRATA if rule == "prevalence" and name != "share" else scale_of(name, test.analysis),
        -1.0 if reversed_ else 1.0,
        comparators,
    )


def _outcome(claim: Claim, primary: Sequence[Reading]) -> str:
    if isinstance(claim.decision, Conjunction):
        return str(judge_conjunction([part.judgement for part in primary]).outcome[0])
    return primary[0].outcome


def _control_detected(claim: Claim, rows: Sequence[EvidenceRow]) -> bool:
    if not isinstance(claim.decision, Equivalence):
        return True
    control = claim.decision.positive_control
    return all(row.outcome == "agrees" for row in rows if row.test == control)


def same_kind(claim: Claim, reading: Reading) -> bool:
    """Whether the claim's rule can judge this test: a bound judges shares, and nothing else does; an effect
    without an interval is only shown."""
    names = {row.effect_name for row in reading.named}
    if names & SHOWN_ONLY:
        return False
    return not names or isinstance(decision_for(claim, reading.test.id), Bound) == ("share" in names)
