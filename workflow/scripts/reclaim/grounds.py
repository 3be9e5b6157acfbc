"""On what ground a claim's evidence stands: matched, replicated, independent, large enough, not confounded."""

from __future__ import annotations

from collections.abc import Sequence

from reclaim.claim_tests import Coexpression
from reclaim.evidence import DataKind, EvidenceRow
from reclaim.judging import arm_sizes
from reclaim.study import Claim, Study

MIN_PER_ARM, MIN_EVENTS = 3, 50


def shortfalls_of(study: Study, valid: list[EvidenceRow], tier: str | None) -> list[str]:
    """What the primary rows lack of what `supported` and `contradicted` both need."""
    found = []
    if tier != "matched":
        found.append(f"the data are {tier}")
    names = {row.dataset for row in valid}
    pools = {study.datasets[name].patients or name for name in names}
    if len(pools) < 2:
        found.append("a single cohort")
    if not any(study.datasets[name].independent for name in names):
        found.append("only the authors' own data")
    small = sorted({row.dataset for row in valid if not _large_enough(row)})
    if small:
        found.append(f"too few samples or events in {', '.join(small)}")
    return found


def source_confounded(valid: Sequence[EvidenceRow], outcome: str) -> bool:
    """Whether the outcome rests on nothing but groups from different projects, which differ in all that the
    projects do differently. A conjunction agrees by all its parts, and is opposite by those that are."""
    by_test: dict[str, list[EvidenceRow]] = {}
    for row in valid:
        by_test.setdefault(row.test, []).append(row)
    parts = list(by_test.values())
    alone = [all("source_confounded" in row.flags.split(",") for row in rows) for rows in parts]
    if outcome == "opposite":
        against = [any(row.outcome == "opposite" for row in rows) for rows in parts]
        alone = [one for one, is_against in zip(alone, against, strict=True) if is_against] or alone
        return bool(alone) and all(alone)
    return any(alone)


def mediated(study: Study, claim: Claim) -> bool:
    """Whether a primary correlation is adjusted for a score of genes."""
    return any(
        test.role == "primary" and isinstance(test, Coexpression) and set(test.adjust) & set(study.gene_sets)
        for test in claim.tests
    )


def is_direction(row: EvidenceRow) -> bool:
    """Two groups compared without an interval: no cohort that could replicate another."""
    return bool(arm_sizes(row)) and row.ci_low is None and row.ci_high is None


def _large_enough(row: EvidenceRow) -> bool:
    if row.effect_name.startswith("log_hazard_ratio"):
        return (row.n_events or 0) >= MIN_EVENTS
    return min(arm_sizes(row), default=MIN_PER_ARM) >= MIN_PER_ARM


def data_of(rows: Sequence[EvidenceRow]) -> DataKind | None:
    """simulated as soon as anything is; else public before local."""
    kinds = {row.data for row in rows}
    order: tuple[DataKind, ...] = ("simulated", "public", "local")
    return next((kind for kind in order if kind in kinds), None)
