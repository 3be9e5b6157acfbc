"""From evidence to the verdict of every claim of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.multitest import multipletests

from reclaim.calibration.cap import Calibration, calibration_cap, is_specific, rule_to_calibrate
from reclaim.claim_row import ClaimRow
from reclaim.dataset import TIER_OF
from reclaim.decisions import Bound
from reclaim.evidence import EvidenceRow
from reclaim.grounds import data_of, is_direction, mediated, shortfalls_of, source_confounded
from reclaim.judging import Comparators, JudgedClaim, finite, gate_results, judge_claim
from reclaim.rules import NOT_IN_THE_TOP, TOO_FEW_COMPARATORS
from reclaim.study import Claim, Study

HOLM_LEVEL = 0.05
SENSITIVITY_SHARE = 0.8
HOLM_RULES = frozenset({"pooled", "prevalence", "bound", "conjunction", "specific", "equivalence"})


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
        if row.outcome != "invalid" and row.effect is not None and not is_direction(row)
    ]
    tier = max((row.tier for row in valid), key=list(TIER_OF.values()).index, default=None)
    shortfalls = shortfalls_of(study, valid, tier)
    if post_hoc:
        shortfalls.append(f"post hoc: the claim was {post_hoc}")
    cap, cap_reason = calibration_cap(
        rule_to_calibrate(claim.decision), is_specific(claim.decision), calibration
    )

    confounded = source_confounded(valid, outcome)
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
    elif outcome == "negligible" and mediated(study, claim):
        verdict = "inconclusive"
        reason = "next to nothing is left: but the score adjusted for may lie between the two"
    elif outcome == "negligible" and tier == "matched" and not confounded:
        verdict, reason = "not_supported", "a precise estimate within the margin"
    else:
        verdict = "inconclusive"
        reason = _why_unclear(item, outcome, remark)

    counts = Counter(row.outcome for row in item.primary)
    data = data_of(item.primary)
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
    silent = [row for row in item.primary if row.outcome != "invalid" and row.effect is None]
    if silent and len(silent) == len([row for row in item.primary if row.outcome != "invalid"]):
        told = sorted({f"{row.dataset}: {_first(row.note) or row.flags}" for row in silent})
        return f"no estimate ({'; '.join(told)})"
    if remark in (TOO_FEW_COMPARATORS, NOT_IN_THE_TOP):
        return f"the adjusted effect agrees: but {remark}"
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


def _first(note: str) -> str:
    """What a note says first."""
    return note.split("; ")[0].split(". ")[0].rstrip(".")


def _effect_words(row: EvidenceRow, effect: float) -> str:
    """A smallest detectable effect as readers know it: log ratios as ratios, Fisher's z as a correlation."""
    if row.effect_name.startswith("log_"):
        name = row.effect_name.removeprefix("log_").removesuffix("_groups").replace("_", " ")
        name += " per SD" if row.effect_name == "log_hazard_ratio" else ""
        return f"{name} {np.exp(effect):.2g} or {np.exp(-effect):.2g}"
    return f"{np.tanh(effect) if row.effect_name == 'spearman_rho' else effect:.2g}"


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
