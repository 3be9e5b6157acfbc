"""What can be said of the calibration of a claim without looking at data."""

from __future__ import annotations

from typing import get_args

from reclaim.calibration.record import ClaimCalibration, StudyCalibration
from reclaim.claim_tests import (
    BoundAndDeregulated,
    ClaimTest,
    Coexpression,
    Dependency,
    DifferentialExpression,
    PeakColocalization,
    Survival,
    TargetGenes,
)
from reclaim.decisions import Conjunction
from reclaim.selection import describe
from reclaim.study import Claim, Study

CALIBRATED_RULES = frozenset({"pooled", "prevalence", "conjunction", "specific"})

NOT_CALIBRATED = {
    "bound": "a share is judged against a bound that was fixed beforehand; other genes say nothing about it",
    "equivalence": "most genes are equal between groups, so that passing is no distinction; the positive control stands for it",
    "lookup": "an entry in a database is no measurement that chance could have made",
}

SwappedTest = DifferentialExpression | Coexpression | Survival | Dependency
"""Tests of expression or gene effects whose subject can be swapped."""
SWAPPED_TESTS = get_args(SwappedTest)
RegionTest = PeakColocalization | TargetGenes | BoundAndDeregulated
"""Tests of regions whose subject can be swapped."""
REGION_TESTS = get_args(RegionTest)


def study_without_nulls(study: Study) -> StudyCalibration:
    """Of a study none of whose subjects can be swapped."""
    claims = [without_nulls(claim) for claim in study.claims if claim.decision is not None]
    return StudyCalibration(study=study.id, claims=claims, percentiles=[])


def without_nulls(claim: Claim) -> ClaimCalibration:
    """Subject of a tested claim, and why it needs no calibration, or cannot have one; else nothing more."""
    tests = [test for test in claim.tests if test.role == "primary"]
    subjects = dict.fromkeys(subject_of(test) for test in tests)
    base = ClaimCalibration(claim=claim.id, subject=", ".join(subjects))
    calibrated = [test for test in tests if rule_of(claim, test) in CALIBRATED_RULES]
    if not calibrated:
        return base.model_copy(update={"not_calibrated": NOT_CALIBRATED[rule_of(claim, tests[0])]})
    gap = ""
    for test in calibrated:
        if not isinstance(test, (*SWAPPED_TESTS, *REGION_TESTS)):
            gap = f"the subject of a {test.analysis} test is not swapped by this version"
    if len({isinstance(test, REGION_TESTS) for test in calibrated}) > 1:
        gap = "parts about regions and parts about expression are not swapped together by this version"
    return base.model_copy(update={"null_gap": gap, "background_gap": gap}) if gap else base


def rule_of(claim: Claim, test: ClaimTest) -> str:
    """The rule that judges a primary test: of a conjunction that of its part."""
    decision = claim.decision
    assert decision is not None
    return decision.parts[test.id].rule if isinstance(decision, Conjunction) else decision.rule


def subject_of(test: ClaimTest) -> str:
    """The gene, set, pair, group or factor of a test in words."""
    if isinstance(test, PeakColocalization):
        return test.partner
    if isinstance(test, TargetGenes):
        return ", ".join(test.genes)
    if isinstance(test, BoundAndDeregulated):
        return test.query
    features = getattr(test, "features", None) or [getattr(test, "feature", None)]
    words: list[str] = []
    for feature in filter(None, features):
        named = getattr(feature, "gene_set", None)
        listed = ", ".join(named) if isinstance(named, list) else named
        words.append(str(getattr(feature, "label", None) or feature.gene or listed))
    contrast = getattr(test, "contrast", None)
    return " and ".join(words) or (describe(contrast.case) if contrast else test.id)
