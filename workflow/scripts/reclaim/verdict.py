"""From evidence to the verdict of every claim of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from pydantic import Field
from statsmodels.stats.multitest import multipletests

from reclaim.calibration.record import ClaimCalibration, Percentile
from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.claim_tests import Coexpression
from reclaim.dataset import TIER_OF, TierName
from reclaim.evidence import DataKind, EvidenceRow
from reclaim.judging import Comparators, JudgedClaim, arm_sizes, finite, gate_results, judge_claim
from reclaim.model import Model
from reclaim.study import Bound, Claim, Conjunction, Decision, Part, Study

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal[
    "supported",
    "consistent",
    "inconclusive",
    "not_supported",
    "contradicted",
    "no_public_data",
    "not_testable",
]
VERDICTS: tuple[str, ...] = get_args(Verdict)

HOLM_LEVEL = 0.05
MIN_PER_ARM, MIN_EVENTS = 3, 50
SENSITIVITY_SHARE = 0.8
NULL_RATE_CAP = 0.075
BACKGROUND_SPECIFIC = (0.05, 0.20)
BACKGROUND_DESCRIPTIVE = 0.20
HOLM_RULES = frozenset({"pooled", "prevalence", "bound", "conjunction", "specific", "equivalence"})

MEANING = {
    "supported": "The rule agrees on matched, replicated, independent data, and chance would rarely do so.",
    "consistent": "The rule agrees, but on weaker ground than `supported` needs; the reason says which.",
    "inconclusive": "The data cannot decide: see the interval and the smallest effect they could detect.",
    "not_supported": "The data are precise enough, and the claimed effect is not there.",
    "contradicted": "The data show the opposite, matched and replicated.",
    "no_public_data": "Testable in principle; the reason names the data that would do.",
    "not_testable": "Not a question that omics data answer.",
}


@dataclass(frozen=True)
class Calibration:
    """How often chance, or any other gene, would have passed the same rule."""

    null_rate: float | None = None
    null_rate_high: float | None = None
    background_rate: float | None = None
    gap: str = ""
    """Why a rate is missing."""
    needs_background: bool = True

    @classmethod
    def of(cls, record: ClaimCalibration) -> Calibration:
        """What the verdict needs of a claim's calibration."""
        null, background = record.null_rate, record.background_rate
        return cls(
            None if null is None else null.share,
            None if null is None else null.ci_high,
            None if background is None else background.share,
            "; ".join(dict.fromkeys(filter(None, [record.null_gap, record.background_gap]))),
            not record.no_background,
        )


class ClaimRow(Model):
    """One row of claims.tsv."""

    run: str
    data: DataKind | None = Field(description="what the verdict rests on; empty when nothing was tested")
    study: str
    claim: str
    statement: str
    verdict: Verdict
    tier: TierName | None
    rule: str | None
    effect: float | None = Field(description="natural sign and scale; a share for bound and prevalence")
    ci_low: float | None
    ci_high: float | None
    p_value: float | None = Field(description="one-sided, in the claimed direction")
    n_tests: int = Field(description="primary tests: one per data set and stratum")
    n_agrees: int
    n_opposite: int
    n_unclear: int = Field(description="unclear or negligible")
    null_rate: float | None
    background_rate: float | None
    post_hoc: bool = Field(description="the claim was edited or added after public data were first retrieved")
    reason: str


@dataclass(frozen=True)
class Assessment:
    """Evidence with outcomes filled in, and one row per claim."""

    evidence: list[EvidenceRow]
    claims: list[ClaimRow]


def assess(
    study: Study,
    rows: Sequence[EvidenceRow],
    run: str,
    seed: int,
    calibration: Mapping[str, Calibration] | None = None,
    post_hoc: Mapping[str, str] | None = None,
    comparators: Mapping[str, Comparators] | None = None,
) -> Assessment:
    """Verdicts of all claims of one study.

    `rows` is the study's evidence, one row per test, data set and stratum; `calibration` is keyed by
    claim; `post_hoc` says of claims that were not fixed before public data were retrieved what happened;
    `comparators` holds, by test, what a claim of specificity is ranked against.
    """
    judged: dict[str, JudgedClaim] = {}
    gates = gate_results(study, rows)
    for claim in study.claims:
        if claim.decision is not None:
            own = [row for row in rows if row.claim == claim.id]
            judged[claim.id] = judge_claim(claim, own, gates, seed, comparators or {})
    holm = _holm({key: float(item.judgement.p_claimed[0]) for key, item in judged.items() if _in_holm(item)})
    holm_opposite = _holm(
        {key: float(item.judgement.p_opposite[0]) for key, item in judged.items() if _in_holm(item)}
    )
    claims = []
    for claim in study.claims:
        if claim.id in judged:
            claims.append(
                _decide(
                    study,
                    judged[claim.id],
                    run,
                    holm.get(claim.id),
                    holm_opposite.get(claim.id),
                    (calibration or {}).get(claim.id, Calibration()),
                    (post_hoc or {}).get(claim.id, ""),
                )
            )
        else:
            claims.append(_untested(study, claim, run, (post_hoc or {}).get(claim.id, "")))
    return Assessment([row for item in judged.values() for row in item.evidence], claims)


def _in_holm(item: JudgedClaim) -> bool:
    assert item.claim.decision is not None
    return item.claim.decision.rule in HOLM_RULES and bool(np.isfinite(item.judgement.p_claimed[0]))


def _holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm-adjusted p-values over the study's primary tests."""
    if not p_values:
        return {}
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, (float(p) for p in adjusted), strict=True))


def calibration_cap(
    rule: str, specific: bool, calibration: Calibration
) -> tuple[Literal["supported", "consistent", "inconclusive"], str]:
    """The best verdict that calibration allows, and why.

    `specific` is true for claims of specificity or of a marked effect, where the base rate among
    comparable genes must be low.
    """
    if rule not in CALIBRATED_RULES:
        return "supported", ""
    background = calibration.background_rate
    if calibration.null_rate_high is not None and calibration.null_rate_high > NULL_RATE_CAP:
        return "inconclusive", f"permuted labels pass in up to {calibration.null_rate_high:.1%}"
    if specific and background is not None and background > BACKGROUND_SPECIFIC[1]:
        return "inconclusive", f"true of {background:.0%} of comparable genes"
    lacking = background is None and calibration.needs_background
    if calibration.null_rate_high is None or lacking:
        what = [
            *(["chance"] if calibration.null_rate_high is None else []),
            *(["comparable genes"] if lacking else []),
        ]
        why = f": {calibration.gap}" if calibration.gap else ""
        return "consistent", f"not calibrated against {' and '.join(what)}{why}"
    if background is not None and background > (
        BACKGROUND_SPECIFIC[0] if specific else BACKGROUND_DESCRIPTIVE
    ):
        return "consistent", f"true of {background:.0%} of comparable genes"
    return "supported", ""


def rule_to_calibrate(decision: Decision) -> str:
    """The rule; of a conjunction that of the first part that is calibrated."""
    rules: list[str] = [part.rule for part in _parts(decision)] or [decision.rule]
    return next((rule for rule in rules if rule in CALIBRATED_RULES), rules[0])


def is_specific(decision: Decision) -> bool:
    """Whether the claim, or a part of it, is one of specificity or of a marked effect."""
    every = (decision, *_parts(decision))
    return any(one.rule == "specific" or one.marked for one in every)


def _parts(decision: Decision) -> list[Part]:
    return list(decision.parts.values()) if isinstance(decision, Conjunction) else []


def _decide(
    study: Study,
    item: JudgedClaim,
    run: str,
    holm: float | None,
    holm_opposite: float | None,
    calibration: Calibration,
    post_hoc: str,
) -> ClaimRow:
    claim, judgement = item.claim, item.judgement
    assert claim.decision is not None
    outcome, remark = str(judgement.outcome[0]), str(judgement.remark[0])
    valid = [
        row
        for row in item.primary
        if row.outcome != "invalid" and row.effect is not None and not _is_direction(row)
    ]
    tier = max((row.tier for row in valid), key=list(TIER_OF.values()).index, default=None)
    shortfalls = _shortfalls(study, valid, tier)
    if post_hoc:
        shortfalls.append(f"post hoc: the claim was {post_hoc}")
    cap, cap_reason = calibration_cap(
        rule_to_calibrate(claim.decision), is_specific(claim.decision), calibration
    )

    confounded = _source_confounded(valid, outcome)
    if confounded and outcome in ("agrees", "opposite"):
        verdict = "inconclusive"
        reason = f"the rule {'agrees' if outcome == 'agrees' else 'is opposite'}: but case and control always come from different projects"
    elif outcome == "agrees" and item.mixture == "not shown":
        verdict = "inconclusive"
        reason = (
            "the rule agrees: but not beyond the share of a kind of cell, which the adjusted test takes away"
        )
    elif outcome == "agrees":
        if item.mixture:
            shortfalls.append("bulk tissue, and not repeated with a score of cell types as covariate")
        if holm is not None and holm >= HOLM_LEVEL:
            shortfalls.append(f"Holm-adjusted p is {holm:.2g}")
        if claim.decision.rule == "lookup":
            shortfalls.append("a database entry is no measurement")
        if remark:
            shortfalls.append(remark)
        if cap != "supported":
            shortfalls.append(cap_reason)
        order = ["supported", "consistent", "inconclusive"]
        step = 2 if cap == "inconclusive" else 1 if shortfalls else 0
        if item.opposed_by:
            step = min(2, step + 1)
            shortfalls.append(f"the supporting test {', '.join(item.opposed_by)} is opposite")
        verdict = order[step]
        reason = "the rule agrees" + (": but " + "; ".join(shortfalls) if shortfalls else "")
    elif outcome == "opposite":
        against = sum(found == "opposite" for found in item.sensitivity)
        if item.sensitivity and against < SENSITIVITY_SHARE * len(item.sensitivity):
            shortfalls.append(
                f"only {against} of {len(item.sensitivity)} sensitivity specifications are opposite"
            )
        if holm_opposite is None or holm_opposite >= HOLM_LEVEL:
            shortfalls.append(f"Holm-adjusted p of the opposite is {holm_opposite or 1:.2g}")
        verdict = "not_supported" if shortfalls else "contradicted"
        reason = "the rule is opposite" + (": but " + "; ".join(shortfalls) if shortfalls else "")
    elif outcome == "negligible" and _mediated(study, claim):
        verdict = "inconclusive"
        reason = "next to nothing is left: but the score adjusted for may lie between the two"
    elif outcome == "negligible" and tier == "matched" and not confounded:
        verdict, reason = "not_supported", "a precise estimate within the margin"
    else:
        verdict = "inconclusive"
        reason = _why_unclear(item, outcome, remark)

    counts = Counter(row.outcome for row in item.primary)
    data = _data_of(item.primary)
    return ClaimRow(
        run=run,
        data=data,
        study=study.id,
        claim=claim.id,
        statement=claim.statement,
        verdict=verdict,
        tier=tier,
        rule=claim.decision.rule,
        effect=finite(float(judgement.effect[0])),
        ci_low=finite(float(judgement.ci_low[0])),
        ci_high=finite(float(judgement.ci_high[0])),
        p_value=finite(float(judgement.p_claimed[0])),
        n_tests=len(item.primary),
        n_agrees=counts["agrees"],
        n_opposite=counts["opposite"],
        n_unclear=counts["unclear"] + counts["negligible"],
        null_rate=calibration.null_rate,
        background_rate=calibration.background_rate,
        post_hoc=bool(post_hoc),
        reason=("SIMULATED data: " if data == "simulated" else "") + reason,
    )


def _source_confounded(valid: Sequence[EvidenceRow], outcome: str) -> bool:
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


def _mediated(study: Study, claim: Claim) -> bool:
    """Whether a primary correlation is adjusted for a score of genes."""
    return any(
        test.role == "primary" and isinstance(test, Coexpression) and set(test.adjust) & set(study.gene_sets)
        for test in claim.tests
    )


def _shortfalls(study: Study, valid: list[EvidenceRow], tier: str | None) -> list[str]:
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


def _is_direction(row: EvidenceRow) -> bool:
    """Two groups compared without an interval: no cohort that could replicate another."""
    return bool(arm_sizes(row)) and row.ci_low is None and row.ci_high is None


def _large_enough(row: EvidenceRow) -> bool:
    if row.effect_name.startswith("log_hazard_ratio"):
        return (row.n_events or 0) >= MIN_EVENTS
    return min(arm_sizes(row), default=MIN_PER_ARM) >= MIN_PER_ARM


def _why_unclear(item: JudgedClaim, outcome: str, remark: str) -> str:
    if outcome == "invalid":
        notes = sorted({f"{row.dataset}: {(row.note or row.flags).rstrip('.')}" for row in item.primary})
        return "no valid test" + (f" ({'; '.join(notes)})" if notes else "")
    if outcome == "negligible":
        but = (
            "case and control always come from different projects"
            if item.primary[0].tier == "matched" and all(row.tier == "matched" for row in item.primary)
            else "not on matched data"
        )
        return f"a precise estimate within the margin, but {but}"
    parts = [remark] if remark else []
    if isinstance(item.claim.decision, Bound):
        words = {"rare": "above 10 % or below 5 %", "nearly_all": "above 85 % or below 75 %"}
        low, high = 100 * float(item.judgement.ci_low[0]), 100 * float(item.judgement.ci_high[0])
        parts.append(
            f"the interval from {low:.1f} to {high:.1f} % does not lie {words[item.claim.decision.bound]}"
        )
    else:
        detectable = [row.mde for row in item.primary if row.mde is not None and row.outcome != "invalid"]
        parts.append("the interval does not decide")
        if detectable:
            parts.append(
                f"smallest detectable effect of a cohort: {_effect_words(item.primary[0], min(detectable))}"
            )
    return "; ".join(parts)


def _effect_words(row: EvidenceRow, effect: float) -> str:
    """A smallest detectable effect as readers know it: log ratios as ratios, Fisher's z as a correlation."""
    if row.effect_name.startswith("log_"):
        name = row.effect_name.removeprefix("log_").removesuffix("_groups").replace("_", " ")
        name += " per SD" if row.effect_name == "log_hazard_ratio" else ""
        return f"{name} {np.exp(effect):.2g} or {np.exp(-effect):.2g}"
    return f"{np.tanh(effect) if row.effect_name == 'spearman_rho' else effect:.2g}"


def _data_of(rows: Sequence[EvidenceRow]) -> DataKind | None:
    """simulated as soon as anything is; else public before local."""
    kinds = {row.data for row in rows}
    order: tuple[DataKind, ...] = ("simulated", "public", "local")
    return next((kind for kind in order if kind in kinds), None)


def with_percentiles(rows: Sequence[EvidenceRow], percentiles: Sequence[Percentile]) -> list[EvidenceRow]:
    """The rows with their null_percentile, where one was found."""
    found = {(one.test, one.dataset, one.stratum): one.null_percentile for one in percentiles}
    return [
        row.model_copy(update={"null_percentile": found.get((row.test, row.dataset, row.stratum))})
        for row in rows
    ]


def claims_table(claims: Sequence[ClaimRow]) -> pd.DataFrame:
    """The table of claims.tsv, columns in contract order."""
    import pandas as pd

    return pd.DataFrame([claim.model_dump() for claim in claims], columns=list(ClaimRow.model_fields))


def _untested(study: Study, claim: Claim, run: str, post_hoc: str) -> ClaimRow:
    why = (claim.no_public_data or claim.not_testable or "").rstrip(".")
    return ClaimRow(
        run=run,
        data=None,
        study=study.id,
        claim=claim.id,
        statement=claim.statement,
        verdict="no_public_data" if claim.no_public_data else "not_testable",
        tier=None,
        rule=None,
        effect=None,
        ci_low=None,
        ci_high=None,
        p_value=None,
        n_tests=0,
        n_agrees=0,
        n_opposite=0,
        n_unclear=0,
        null_rate=None,
        background_rate=None,
        post_hoc=bool(post_hoc),
        reason=f"{why}; post hoc: the claim was {post_hoc}" if post_hoc else why,
    )
