"""How a claim became a test: what is measured, in whom, gated by what, decided how, fixed when."""

from __future__ import annotations

from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.claim_row import ClaimRow
from reclaim.claim_tests import ClaimTest
from reclaim.decisions import Conjunction
from reclaim.judging import decision_for
from reclaim.report.decision import rule_in_words
from reclaim.report.measures import endpoint_by_dataset, measure
from reclaim.report.operation import call_depth_gate, cohorts, subject
from reclaim.report.reading import ClaimReading
from reclaim.report.words import NO_BREAK, ended, listing, percent, sentence
from reclaim.retrieve.registration import Registration
from reclaim.study import Claim, Study


def claim_as_test(
    study: Study,
    claim: Claim,
    row: ClaimRow,
    reading: ClaimReading,
    registration: Registration | None,
    calibrated: bool = False,
) -> list[tuple[str, str]]:
    """The claim as a test: what is measured, in whom, gated by what, decided how, fixed when; with
    `calibrated` its calibration is told elsewhere."""
    lines = [("Gap between claim and test", sentence(claim.gap or "not stated"))]
    for part in reading.primary:
        label = f"Primary test {part.test.id}" if len(reading.primary) > 1 else "Primary test"
        lines += [
            (label, f"{sentence(subject(part.test))} {measure(part.test, study.gene_sets)}"),
            ("Data sets", ended("; ".join(cohorts(part.test, study.datasets)))),
        ]
        endpoint = endpoint_by_dataset(part.test, study.datasets)
        if endpoint:
            lines.append(("Endpoint", sentence(endpoint)))
        gate = call_depth_gate(part.test, study.datasets)
        if gate:
            lines.append(("Call-depth gate", gate))
    for test, owner in gate_tests(study, claim):
        borrowed = "" if owner is claim else f" (a gate of claim {owner.id})"
        lines.append(("Gate", ended(f"{subject(test)}, {passes_in_words(test)}{borrowed}")))
    if isinstance(claim.decision, Conjunction):
        lines.append(("Rule", "Conjunction: every part must agree; the claim is opposite when any part is."))
    for part in reading.primary:
        label = f"Rule for {part.test.id}" if len(reading.primary) > 1 else "Rule"
        lines.append((label, rule_in_words(decision_for(claim, part.test.id), part.named)))
    lines.append(("Fixed before the data were read", _registration(claim, registration)))
    if not calibrated:
        lines.append(("Calibration", _calibration(row)))
    return lines


def _registration(claim: Claim, registration: Registration | None) -> str:
    """When the claim was fixed. `registration` is None on simulated data, which have no lock."""
    parts = []
    if registration and registration.post_hoc:
        parts.append(f"No (post hoc): the claim was {ended(registration.post_hoc)}")
    elif registration and registration.registered_at:
        parts.append(f"Registered in the lock of the store at {registration.registered_at}.")
    elif registration:
        parts.append("Not registered: the lock of the store does not know the claim.")
    if claim.values_known:
        parts.append(f"Not entirely. {sentence(claim.values_known)}")
    else:
        parts.append("The study file names no value that was known when the rule was written.")
    return " ".join(parts)


def _calibration(row: ClaimRow) -> str:
    if row.rule not in CALIBRATED_RULES:
        return f"Not needed for this rule ({row.rule}): it compares with fixed limits, not with other genes."
    if row.null_rate is None and row.background_rate is None:
        return "Not yet run: how often chance, or a comparable gene, would pass the same rule is not known."
    rates = [
        f"{words} {percent(rate)}"
        for words, rate in (
            ("permuted labels pass the rule in", row.null_rate),
            ("comparable subjects pass it in", row.background_rate),
        )
        if rate is not None
    ]
    return sentence("; ".join(rates))


def gate_tests(study: Study, claim: Claim) -> list[tuple[ClaimTest, Claim]]:
    """Gates of the claim, and those of other claims that it names."""
    return [
        (test, owner)
        for owner, test in study.tests()
        if test.role == "gate" and (owner is claim or test.id in claim.gated_by)
    ]


def passes_in_words(test: ClaimTest) -> str:
    """The range in which a gate's effect must lie; shares as percentages."""
    assert test.passes is not None
    shares = test.analysis in ("mutation_frequency", "event_share")
    limits = (("at least", test.passes.at_least), ("at most", test.passes.at_most))
    words = [
        f"{word} {100 * limit:g}{NO_BREAK}%" if shares else f"{word} {limit:g}"
        for word, limit in limits
        if limit is not None
    ]
    return f"passes with {listing(words)}"
