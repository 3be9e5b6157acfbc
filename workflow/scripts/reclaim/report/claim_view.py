"""One claim for the page: its verdict, what was tested and how, and what every row says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reclaim.calibration.record import ClaimCalibration
from reclaim.claim_row import MEANING, ClaimRow
from reclaim.claim_tests import BoundAndDeregulated, PeakColocalization
from reclaim.decisions import Conjunction
from reclaim.evidence import EvidenceRow
from reclaim.judging import decision_for
from reclaim.report.calibration_view import CalibrationView, calibration_view
from reclaim.report.design import claim_as_test, gate_tests, passes_in_words
from reclaim.report.evidence_view import EvidenceTable, evidence_table
from reclaim.report.forest_view import FigureView, forest_view
from reclaim.report.measures import endpoint_by_dataset
from reclaim.report.naive import NaiveReading, counts_in_words, naive_readings
from reclaim.report.operation import differences, subject
from reclaim.report.ranking_view import Comparisons, RankingView, ranking_views, specificity_facts
from reclaim.report.reading import ClaimReading, Reading, WithoutDataset, leave_one_out, read_claim, same_kind
from reclaim.report.survival_view import SurvivalFigure, survival_figure
from reclaim.report.words import (
    MISSING,
    OUTCOME_MARKS,
    VERDICT_MARKS,
    Mark,
    capital,
    ended,
    listing,
    p_value,
    plural,
    quoted,
    sentence,
)
from reclaim.retrieve.registration import Registration
from reclaim.study import Claim, Study


@dataclass(frozen=True)
class TestView:
    """A test with its rows; `lines` say in words what it does."""

    id: str
    role: str
    title: str
    outcome: Mark | None
    estimate: str
    counts: str
    lines: list[tuple[str, str]]
    table: EvidenceTable


@dataclass(frozen=True)
class ClaimView:
    id: str
    anchor: str
    statement: str
    where: str
    central: bool
    note: str
    verdict: Mark
    meaning: str
    reason: str
    simulated: bool
    tested: bool
    effect_name: str = ""
    estimate: str = ""
    counts: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    operation: list[tuple[str, str]] = field(default_factory=list)
    figures: list[FigureView] = field(default_factory=list)
    survival: list[SurvivalFigure] = field(default_factory=list)
    rankings: list[RankingView] = field(default_factory=list)
    naive: list[NaiveReading] = field(default_factory=list)
    calibration: CalibrationView | None = None
    primary: list[TestView] = field(default_factory=list)
    gates: list[TestView] = field(default_factory=list)
    others: list[TestView] = field(default_factory=list)
    without: list[tuple[WithoutDataset, Mark]] = field(default_factory=list)
    without_summary: str = ""
    reading: ClaimReading | None = None

    @property
    def naive_words(self) -> list[str]:
        """Verdicts that naive readings would give, each once."""
        return list(dict.fromkeys(naive.mark.word for naive in self.naive))


def claim_view(
    study: Study,
    claim: Claim,
    row: ClaimRow,
    evidence: Sequence[EvidenceRow],
    seed: int,
    registration: Registration | None = None,
    calibration: ClaimCalibration | None = None,
    curves: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    compared: Comparisons | None = None,
) -> ClaimView:
    """Everything the page says of one claim; `evidence` holds the rows, `curves` those of survival tests by
    `test/dataset`, and `compared` what co-localisation is ranked among, of its whole study."""
    compared = compared or Comparisons()
    simulated = row.data == "simulated"
    untested = ClaimView(
        id=claim.id,
        anchor=f"{study.id}-{claim.id}",
        statement=claim.statement,
        where=claim.where,
        central=claim.central,
        note=claim.note or "",
        verdict=VERDICT_MARKS[row.verdict],
        meaning=quoted(MEANING[row.verdict]),
        # The verdict's own mark says SIMULATED already.
        reason=sentence(row.reason.removeprefix("SIMULATED data: ")),
        simulated=simulated,
        tested=claim.decision is not None,
    )
    if claim.decision is None:
        return untested
    own = [item for item in evidence if item.claim == claim.id]
    reading = read_claim(claim, own, seed, compared.rankings)
    left_out = leave_one_out(claim, own, seed, compared.rankings)
    decisive = reading.decisive
    return replace(
        untested,
        effect_name=decisive.scale.name,
        estimate=decisive.scale.estimate(row.effect, row.ci_low, row.ci_high),
        counts=counts_in_words(decisive),
        facts=_facts(claim, row, reading),
        operation=claim_as_test(study, claim, row, reading, registration, calibration is not None),
        figures=[
            forest_view(claim, part, f"{study.id}-{part.test.id}", simulated)
            for part in reading.primary
            if part.valid
        ],
        survival=[
            figure
            for part in reading.primary
            if (
                figure := survival_figure(part, curves or {}, f"{study.id}-{part.test.id}--curves", simulated)
            )
        ],
        rankings=[
            view
            for part in reading.primary
            for view in ranking_views(part, decision_for(claim, part.test.id), compared)
        ],
        naive=naive_readings(claim, reading, row.verdict, study),
        calibration=None
        if calibration is None
        else calibration_view(
            claim,
            calibration,
            reading,
            reading.outcome == "agrees" or row.verdict in ("supported", "consistent"),
            f"{study.id}-{claim.id}--nulls",
            simulated,
        ),
        primary=[_test_view(study, claim, part) for part in reading.primary],
        gates=_gates(study, claim, evidence),
        others=[
            _test_view(study, claim, part, reading.primary)
            for part in [*reading.sensitivity, *reading.supporting]
        ],
        without=[(item, OUTCOME_MARKS[item.outcome]) for item in left_out],
        without_summary=_without_summary(reading, left_out),
        reading=reading,
    )


def _facts(claim: Claim, row: ClaimRow, reading: ClaimReading) -> list[tuple[str, str]]:
    decisive = reading.decisive
    weakest = f" (weakest part: {decisive.test.id})" if isinstance(claim.decision, Conjunction) else ""
    outcomes = [
        f"{number} {word}"
        for number, word in (
            (row.n_agrees, "agree"),
            (row.n_opposite, "opposite"),
            (row.n_unclear, "unclear or negligible"),
            (row.n_tests - row.n_agrees - row.n_opposite - row.n_unclear, "invalid"),
        )
        if number
    ]
    return [
        (
            f"{capital(decisive.scale.name)}{weakest}",
            decisive.scale.estimate(row.effect, row.ci_low, row.ci_high),
        ),
        ("Rests on", counts_in_words(decisive)),
        *specificity_facts(decisive, decision_for(claim, decisive.test.id)),
        (
            f"p, one-sided as claimed{_as_if_independent(decisive)}",
            p_value(row.p_value),
        ),
        (plural(row.n_tests, "primary row"), listing(outcomes) or MISSING),
        ("Tier of the data", row.tier or "none valid"),
    ]


def _as_if_independent(decisive: Reading) -> str:
    """What a p-value takes for granted that is not so. Of co-localisation in one data set it counts draws."""
    if isinstance(decisive.test, BoundAndDeregulated):
        return ", as if genes were independent"
    several = len(decisive.valid) > 1 and isinstance(decisive.test, PeakColocalization)
    return ", as if regions were independent" if several else ""


def _gates(study: Study, claim: Claim, evidence: Sequence[EvidenceRow]) -> list[TestView]:
    views = []
    for test, owner in gate_tests(study, claim):
        rows = [row for row in evidence if row.test == test.id]
        failed = [row.dataset for row in rows if row.outcome != "agrees"]
        views.append(
            TestView(
                id=test.id,
                role=test.role,
                title=f"{subject(test)}, {passes_in_words(test)}"
                + ("" if owner is claim else f" (from claim {owner.id})"),
                outcome=None,
                estimate="",
                counts=f"fails on {listing(failed)}" if failed else "passes on every data set",
                lines=[],
                table=evidence_table(rows, gate=True),
            )
        )
    return views


def _test_view(study: Study, claim: Claim, reading: Reading, primary: Sequence[Reading] = ()) -> TestView:
    """A test with its rows; with `primary`, also how it departs from the nearest primary test."""
    test = reading.test
    judged = same_kind(claim, reading)
    ways = [differences(part.test, test) for part in primary]
    nearest = min(ways, key=len) if ways else []
    departs = "; ".join(nearest)
    lines = [("Other than the primary test", ended(departs or "nothing"))] if primary else []
    endpoint = endpoint_by_dataset(test, study.datasets)
    told = any(
        set(test.datasets) <= set(part.test.datasets)
        and getattr(test, "endpoint", None) == getattr(part.test, "endpoint", None)
        for part in primary
    )
    if primary and endpoint and not told:
        lines.append(("Endpoint", sentence(endpoint)))
    if not judged and reading.rows:
        lines.append(("Not judged", "the claim’s rule is for another kind of test; this one is only shown."))
    return TestView(
        id=test.id,
        role=test.role,
        title=test.specification or departs or subject(test),
        outcome=OUTCOME_MARKS[reading.outcome] if judged else None,
        estimate=f"{reading.scale.name} {reading.estimate}" if judged and reading.effect is not None else "",
        counts=counts_in_words(reading),
        lines=lines,
        table=evidence_table(reading.rows),
    )


def _without_summary(reading: ClaimReading, left_out: Sequence[WithoutDataset]) -> str:
    if not left_out:
        return "A single data set: nothing can be left out."
    flips = [f"{item.dataset} ({item.outcome})" for item in left_out if item.outcome != reading.outcome]
    if flips:
        return f"The rule’s outcome is {reading.outcome}; it changes without {listing(flips, 'or')}."
    return f"The rule’s outcome stays {reading.outcome} whichever data set is left out."
