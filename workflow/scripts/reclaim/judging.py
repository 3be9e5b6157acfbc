"""What the evidence of a claim says under its rule, before replication, Holm and calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from reclaim.claim_tests import Coexpression
from reclaim.decisions import (
    AnyDecision,
    Bound,
    Conjunction,
    Equivalence,
    LookupDecision,
    Part,
    Pooled,
    Prevalence,
    Specific,
)
from reclaim.evidence import EvidenceRow
from reclaim.rules import (
    MANY,
    MOST,
    Floats,
    Judgement,
    judge_bound,
    judge_conjunction,
    judge_equivalence,
    judge_lookup,
    judge_pooled,
    judge_prevalence,
    judge_specific,
    margin_for,
)
from reclaim.study import Claim, Study

Comparators = Mapping[str, float]
"""Effects, in natural sign, of what a subject is ranked against, by gene or experiment."""


SHOWN_ONLY = {"normalised_enrichment_score"}
"""Effects without an interval or a margin: printed, and judged by no rule."""

OWN_P = frozenset({"peak_colocalization", "target_genes", "dependency"})
"""Analyses whose rows have a better p-value than their standard errors give: counted over draws that keep neighbours
together, exact, or Student's. Of one cohort it is the claim's."""
SMALLEST_P = 1 / 1001
"""Of 1,000 draws."""

Gates = Mapping[tuple[str, str], bool]
"""Whether a gate passed, by test and data set."""


Mixture = Literal["", "not repeated", "not shown"]


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with the outcomes of all its rows and its primary judgement.

    `judgement` has its effect and interval in natural sign. `sensitivity` holds the outcome of each
    sensitivity test, `opposed_by` the supporting tests that are opposite on matched data. `mixture` says why a
    correlation in bulk tissue may come from the share of a kind of cell alone; empty when it was shown beyond."""

    claim: Claim
    evidence: list[EvidenceRow]
    primary: list[EvidenceRow]
    judgement: Judgement
    sensitivity: list[str]
    opposed_by: list[str]
    mixture: Mixture = ""


def arm_sizes(row: EvidenceRow) -> list[int]:
    """Samples per arm, of a test that compares two groups; with an interaction, of the smallest of its four."""
    arms = ("case", "control", "smallest_cell")
    return [count for key, count in json.loads(row.groups).items() if key in arms]


def margin_of(decision: AnyDecision, rows: Sequence[EvidenceRow]) -> float:
    """Smallest effect that matters to a decision on these rows."""
    smallest = min((count for row in rows for count in arm_sizes(row)), default=None)
    return decision.margin or margin_for(rows[0].effect_name, decision.marked, smallest)


def gate_results(study: Study, rows: Sequence[EvidenceRow]) -> dict[tuple[str, str], bool]:
    """Whether each gate of the study passed on each of its data sets, in every stratum."""
    limits = {test.id: test.passes for _, test in study.tests() if test.passes is not None}
    results: dict[tuple[str, str], bool] = {}
    for row in rows:
        if row.test in limits:
            passed = _passes(limits[row.test].at_least, limits[row.test].at_most, row)
            key = row.test, row.dataset
            results[key] = results.get(key, True) and passed
    return results


def judge_claim(
    claim: Claim,
    rows: list[EvidenceRow],
    gates: Gates,
    seed: int,
    comparators: Mapping[str, Comparators],
) -> JudgedClaim:
    """Judge every row of a claim on its own, then its primary, sensitivity and supporting tests."""
    own_gates = {test.id for test in claim.tests if test.role == "gate"} | set(claim.gated_by)
    relevant = {key: passed for key, passed in gates.items() if key[0] in own_gates}
    evidence = [_with_outcome(claim, row, relevant, seed) for row in rows]
    by_test: dict[str, list[EvidenceRow]] = {}
    for row in evidence:
        by_test.setdefault(row.test, []).append(row)
    primary = [row for row in evidence if row.role == "primary"]
    if isinstance(claim.decision, Conjunction):
        tests = list(claim.decision.parts)
    else:
        tests = [test.id for test in claim.tests if test.role == "primary"]
    parts = []
    for test in tests:
        own = by_test.get(test, [])
        detected = control_detected(claim, test, own, evidence)
        found = judge(claim, test, own, seed, detected, comparators.get(test, {}))
        parts.append(in_natural_sign(claim, found, test, own))
    judgement = judge_conjunction(parts) if isinstance(claim.decision, Conjunction) else parts[0]
    sensitivity = [
        str(judge(claim, test.id, by_test[test.id], seed).outcome[0])
        for test in claim.tests
        if test.role == "sensitivity"
        and any(row.effect_name not in SHOWN_ONLY for row in by_test.get(test.id, []))
    ]
    opposed_by = [
        test.id
        for test in claim.tests
        if test.role == "supporting"
        and judge(claim, test.id, _matched(by_test.get(test.id, [])), seed).outcome[0] == "opposite"
    ]
    mixture = _mixture(claim, by_test, seed)
    return JudgedClaim(claim, evidence, primary, judgement.only(), sensitivity, opposed_by, mixture)


def _mixture(claim: Claim, by_test: Mapping[str, Sequence[EvidenceRow]], seed: int) -> Mixture:
    """Whether each correlation that the share of a cell type could make was repeated with such a score as
    covariate, and agrees there too."""
    pairs = [test for test in claim.tests if isinstance(test, Coexpression)]
    open_to_it = [
        test
        for test in pairs
        if test.role == "primary"
        and any("tissue_mixture" in row.flags.split(",") for row in by_test.get(test.id, []))
    ]
    worst: Mixture = ""
    for test in open_to_it:
        # Adjusted for more than columns: only a test with a score of genes lacks the flag.
        adjusted = [
            other.id
            for other in pairs
            if other.role != "primary"
            and other.features == test.features
            and any("tissue_mixture" not in row.flags.split(",") for row in by_test.get(other.id, []))
        ]
        if not adjusted:
            worst = worst or "not repeated"
        elif any(judge(claim, other, by_test[other], seed).outcome[0] != "agrees" for other in adjusted):
            worst = "not shown"
    return worst


def judge(
    claim: Claim,
    test_id: str,
    rows: Sequence[EvidenceRow],
    seed: int,
    control_detected: bool = True,
    comparators: Comparators | None = None,
    single: bool = False,
) -> Judgement:
    """The claim's rule on the rows of one test, as arrays with one feature.

    Rows that are invalid count as missing. With `single` a row is judged on its own: shares of
    strata and ranks among comparators need more than one row, there the margin decides.
    """
    decision = decision_for(claim, test_id)
    valid = [row for row in rows if row.outcome != "invalid" and row.effect is not None]
    if not valid:
        # A row without a finite effect, such as an odds ratio of 0, is no invalid test.
        return _nothing("unclear" if any(row.outcome != "invalid" for row in rows) else "invalid")
    name = valid[0].effect_name
    if isinstance(decision, Bound) != (name == "share") or name in SHOWN_ONLY:
        return _nothing("unclear")  # a supporting or sensitivity test of another kind is only shown
    if isinstance(decision, Bound):
        return judge_bound(
            _column(valid, "n_events").astype(int), _column(valid, "n").astype(int), decision.bound
        )
    if isinstance(decision, LookupDecision):
        return judge_lookup(np.array([any(row.effect for row in valid)]))
    estimates = Estimates(*(_column(valid, field) for field in ("effect", "se", "ci_low", "ci_high")))
    found = judge_estimates(decision, valid, estimates, seed, control_detected, comparators, single)
    own = valid[0].p_value
    about_zero = isinstance(decision, Pooled | Specific)
    if len(valid) > 1 or own is None or valid[0].analysis not in OWN_P or not about_zero:
        return found
    return replace(
        found,
        p_claimed=np.array([own]),
        p_opposite=np.maximum(found.p_opposite, max(1 - own, SMALLEST_P)),
    )


@dataclass(frozen=True)
class Estimates:
    """Rows x features, in natural sign: one column for the claim itself, thousands for its nulls."""

    effect: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats

    def signed(self, sign: float) -> Estimates:
        """With `sign` -1 turned round, so that the claimed direction is positive."""
        if sign > 0:
            return self
        return Estimates(-self.effect, self.se, -self.ci_high, -self.ci_low)


def judge_estimates(
    decision: Part,
    rows: Sequence[EvidenceRow],
    estimates: Estimates,
    seed: int,
    control_detected: bool = True,
    comparators: Comparators | None = None,
    single: bool = False,
) -> Judgement:
    """The rule on every column of `estimates`; `rows` are the valid rows of one test that they belong to,
    which say what the numbers mean. Signed so that the claimed direction is positive."""
    assert not isinstance(decision, Bound)
    name = rows[0].effect_name
    sign = claimed_sign(rows[0])
    claimed = estimates.signed(sign)
    columns = claimed.effect, claimed.se, claimed.ci_low, claimed.ci_high
    margin = margin_of(decision, rows)
    if isinstance(decision, Prevalence) and not single:
        share = MANY if decision.share == "many" else MOST
        return judge_prevalence(claimed.effect, claimed.se, name, margin, share, seed)
    pooled = judge_pooled(*columns, name, margin)
    if isinstance(decision, Equivalence):
        error = (pooled.ci_high - pooled.ci_low) / (2 * 1.96)
        return judge_equivalence(
            pooled.effect, error, pooled.ci_low, pooled.ci_high, margin, control_detected
        )
    if isinstance(decision, Specific) and not single:
        # Of other cells than the query there is no rank.
        ranked = not any("other_cells" in row.flags.split(",") for row in rows)
        subjects = {row.feature for row in rows}
        others = {name: one for name, one in (comparators or {}).items() if ranked and name not in subjects}
        family = np.array([feature in decision.family for feature in others], bool)
        return judge_specific(pooled, sign * np.array([list(others.values())], float).T, family)
    return pooled


def claimed_sign(row: EvidenceRow) -> float:
    """-1 where the claim expects a negative effect, else 1."""
    return -1.0 if row.expected == "negative" else 1.0


def decision_for(claim: Claim, test_id: str) -> Part | LookupDecision:
    """The rule that judges a test: in a conjunction that of its part, or of the first part."""
    if isinstance(claim.decision, Conjunction):
        return claim.decision.parts.get(test_id, next(iter(claim.decision.parts.values())))
    assert claim.decision is not None
    return claim.decision


def control_detected(
    claim: Claim, test_id: str, rows: Sequence[EvidenceRow], evidence: Sequence[EvidenceRow]
) -> bool:
    """Whether the positive control of an equivalence was seen in every data set that counts.

    `rows` are those of the test, `evidence` all rows of the claim, both with their outcomes. True for
    rules without a positive control."""
    decision = decision_for(claim, test_id)
    if not isinstance(decision, Equivalence):
        return True
    control = decision.positive_control
    seen = {row.dataset for row in evidence if row.test == control and row.outcome == "agrees"}
    return all(row.dataset in seen for row in rows if row.outcome != "invalid")


def in_natural_sign(
    claim: Claim, judgement: Judgement, test_id: str, rows: Sequence[EvidenceRow]
) -> Judgement:
    """The judgement with effect and interval turned back; a share has no sign."""
    shares = isinstance(decision_for(claim, test_id), (Bound, Prevalence))
    if shares or not any(row.expected == "negative" for row in rows):
        return judgement
    return replace(judgement, effect=-judgement.effect, ci_low=-judgement.ci_high, ci_high=-judgement.ci_low)


def _matched(rows: Sequence[EvidenceRow]) -> list[EvidenceRow]:
    return [row for row in rows if row.tier == "matched"]


def _column(rows: Sequence[EvidenceRow], name: str) -> np.ndarray:
    values = [getattr(row, name) for row in rows]
    return np.array([[np.nan if value is None else value] for value in values], float)


def _nothing(outcome: str = "invalid") -> Judgement:
    missing = np.array([np.nan])
    return Judgement(np.array([outcome]), missing, missing, missing, missing, missing, np.array([""]))


def _with_outcome(claim: Claim, row: EvidenceRow, gates: Gates, seed: int) -> EvidenceRow:
    """The row with its own outcome: a gate passes or not, other rows are judged as single cohorts."""
    if row.role == "gate":
        return row.model_copy(update={"outcome": "agrees" if gates[row.test, row.dataset] else "invalid"})
    if not _gates_pass(gates, row.dataset):
        flags = ",".join(filter(None, [row.flags, "gate_failed"]))
        return row.model_copy(update={"outcome": "invalid", "flags": flags})
    if row.outcome == "invalid":
        return row
    judged = judge(claim, row.test, [row], seed, single=True)
    p_value = finite(float(judged.p_claimed[0])) if row.p_value is None else row.p_value
    return row.model_copy(update={"outcome": str(judged.outcome[0]), "p_value": p_value})


def _gates_pass(gates: Gates, dataset: str) -> bool:
    """Every gate passed: on this data set where it ran there, else wherever it ran."""
    by_gate: dict[str, dict[str, bool]] = {}
    for (test, where), passed in gates.items():
        by_gate.setdefault(test, {})[where] = passed
    return all(found.get(dataset, all(found.values())) for found in by_gate.values())


def _passes(at_least: float | None, at_most: float | None, row: EvidenceRow) -> bool:
    return (
        row.effect is not None
        and row.outcome != "invalid"
        and (at_least is None or row.effect >= at_least)
        and (at_most is None or row.effect <= at_most)
    )


def finite(value: float) -> float | None:
    """The value with 6 significant digits, or None for what is not a number or infinite."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
