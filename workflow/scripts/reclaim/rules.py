"""Decision rules: from the estimates of a test's cohorts to one outcome.

Every function works on cohorts x features at once, so that a claim (one feature) and its
calibration (thousands of random genes) go through the same code. Effects enter signed so that the
claimed direction is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reclaim.margins import MARGIN
from reclaim.pooling import TAU_SCALE, pool_effects, pool_shares, prevalence
from reclaim.proportions import clopper_pearson, exact_p_above, exact_p_below

Floats = NDArray[np.float64]
Words = NDArray[np.str_]

MARKED_LOG2_FOLD_CHANGE = 1.0
MANY, MOST = 1 / 3, 1 / 2
RARE_AGREES, RARE_OPPOSITE = 0.05, 0.10
NEARLY_ALL_AGREES, NEARLY_ALL_OPPOSITE = 0.85, 0.75
TOP_SHARE, MIN_COMPARATORS = 0.10, 20


def margin_for(effect_name: str, marked: bool = False, min_per_arm: int | None = None) -> float:
    """The margin of an effect; a log2 fold change needs 1.0 when the claim says marked, or with fewer
    than three samples per arm."""
    if effect_name == "log2_fold_change" and (marked or (min_per_arm is not None and min_per_arm < 3)):
        return MARKED_LOG2_FOLD_CHANGE
    return MARGIN[effect_name]


@dataclass(frozen=True)
class Judgement:
    """One entry per feature. `p_claimed` and `p_opposite` are one-sided; NaN where the rule has none.
    `remark` is empty, or why the outcome is not plainer."""

    outcome: Words
    effect: Floats
    ci_low: Floats
    ci_high: Floats
    p_claimed: Floats
    p_opposite: Floats
    remark: Words

    def only(self) -> Judgement:
        """Check that there is one feature, and return self."""
        assert len(self.outcome) == 1
        return self


def outcome_of(effect: Floats, ci_low: Floats, ci_high: Floats, margin: float | Floats) -> Words:
    """agrees, opposite, negligible, unclear, or invalid where there is no estimate."""
    known = np.isfinite(effect)
    low = np.where(np.isnan(ci_low), -np.inf, ci_low)
    high = np.where(np.isnan(ci_high), np.inf, ci_high)
    opposite = (high < 0) & (effect <= -margin)
    return np.select(
        [~known, (low > 0) & (effect >= margin), opposite, high < margin],
        ["invalid", "agrees", "opposite", "negligible"],
        "unclear",
    )


def judge_pooled(
    effect: Floats, se: Floats, ci_low: Floats, ci_high: Floats, effect_name: str, margin: float
) -> Judgement:
    """Random-effects mean over cohorts (k x F); a single cohort keeps its own interval.

    A pooled effect that agrees while a cohort is opposite is unclear, as is one that is opposite
    while a cohort agrees: the cohorts are heterogeneous. Correlations are pooled as Fisher's z
    (`se` is then on the z scale).
    """
    by_cohort = outcome_of(effect, ci_low, ci_high, margin)
    usable = np.isfinite(effect) & np.isfinite(se)
    forward, back = (np.arctanh, np.tanh) if effect_name == "spearman_rho" else (np.asarray, np.asarray)
    pooled = pool_effects(np.where(usable, forward(effect), np.nan), se, _tau_scale(effect_name, margin))
    single = np.isfinite(effect).sum(axis=0) == 1
    column = np.isfinite(effect).argmax(axis=0), np.arange(effect.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        z = forward(effect)[column] / se[column]
    centre = np.where(single, effect[column], back(pooled.effect))
    low = np.where(single, ci_low[column], back(pooled.ci_low))
    high = np.where(single, ci_high[column], back(pooled.ci_high))
    outcome = outcome_of(centre, low, high, margin)
    heterogeneous = ((outcome == "agrees") & (by_cohort == "opposite").any(axis=0)) | (
        (outcome == "opposite") & (by_cohort == "agrees").any(axis=0)
    )
    both = (by_cohort == "agrees").any(axis=0) & (by_cohort == "opposite").any(axis=0)
    return Judgement(
        np.where(heterogeneous, "unclear", outcome),
        centre,
        low,
        high,
        np.where(single, stats.norm.sf(z), pooled.p_positive),
        np.where(single, stats.norm.cdf(z), pooled.p_negative),
        np.where(heterogeneous | both, "heterogeneous", ""),
    )


def _tau_scale(effect_name: str, margin: float) -> float:
    """Scale of the prior on tau; for effects without one of their own, the margin."""
    name = "fisher_z" if effect_name == "spearman_rho" else effect_name.removesuffix("_groups")
    return TAU_SCALE.get(name, margin)


def judge_prevalence(
    effect: Floats, se: Floats, effect_name: str, margin: float, share: float, seed: int
) -> Judgement:
    """Share of strata (S x F) beyond the margin against `share` (MANY or MOST). Correlations count on
    the scale of Fisher's z, as does their `se`."""
    tau_scale = _tau_scale(effect_name, margin)
    if effect_name == "spearman_rho":
        effect, margin = np.arctanh(effect), float(np.arctanh(margin))
    found = prevalence(effect, se, tau_scale, margin, share, seed)
    none = np.atleast_1d(~np.isfinite(effect).any(axis=0))
    return Judgement(
        np.select(
            [none, found.ci_low >= share, found.p_reversed >= 0.95, found.ci_high < share],
            ["invalid", "agrees", "opposite", "negligible"],
            "unclear",
        ),
        found.share,
        found.ci_low,
        found.ci_high,
        found.p_share,
        1 - found.p_reversed,
        np.full(len(none), ""),
    )


def judge_bound(k: NDArray[np.int64], n: NDArray[np.int64], bound: str) -> Judgement:
    """Shares k of n (cohorts x features) against `rare` or `nearly_all`.

    One cohort: Clopper-Pearson and exact p-values. Several: random-intercept logit, posterior tails.
    Cohorts with n = 0 do not count.
    """
    features = k.shape[1]
    share, low, high = (np.full(features, np.nan) for _ in range(3))
    p_claimed, p_opposite = np.full(features, np.nan), np.full(features, np.nan)
    rare = bound == "rare"
    agrees_at, opposite_at = (
        (RARE_AGREES, RARE_OPPOSITE) if rare else (NEARLY_ALL_AGREES, NEARLY_ALL_OPPOSITE)
    )
    counts = (n > 0).sum(axis=0)
    single = counts == 1
    if single.any():
        k1, n1 = k.sum(axis=0)[single], n.sum(axis=0)[single]
        share[single] = k1 / n1
        low[single], high[single] = clopper_pearson(k1, n1)
        p_claimed[single] = (exact_p_below if rare else exact_p_above)(k1, n1, agrees_at)
        p_opposite[single] = (exact_p_above if rare else exact_p_below)(k1, n1, opposite_at)
    for j in np.flatnonzero(counts > 1):
        use = n[:, j] > 0
        pooled = pool_shares(k[use, j], n[use, j], TAU_SCALE["share"])
        share[j], low[j], high[j] = pooled.share, pooled.ci_low, pooled.ci_high
        p_claimed[j] = pooled.p_below(agrees_at) if rare else pooled.p_above(agrees_at)
        p_opposite[j] = pooled.p_above(opposite_at) if rare else pooled.p_below(opposite_at)
    with np.errstate(invalid="ignore"):
        agrees = high < agrees_at if rare else low >= agrees_at
        opposite = low > opposite_at if rare else high < opposite_at
    return Judgement(
        np.select([counts == 0, agrees, opposite], ["invalid", "agrees", "opposite"], "unclear"),
        share,
        low,
        high,
        p_claimed,
        p_opposite,
        np.full(features, ""),
    )


def judge_conjunction(parts: Sequence[Judgement]) -> Judgement:
    """Every part agrees; opposite when any valid part is; negligible when any is a precise null.
    The claimed p-value is the largest of the parts, effect and interval are those of that part. The
    opposite has one chance per valid part: its p-value is the smallest, times their number."""
    outcomes = np.array([part.outcome for part in parts])
    p_claimed = np.array([part.p_claimed for part in parts])
    weakest = np.where(np.isnan(p_claimed), np.inf, p_claimed).argmax(axis=0)
    column = np.arange(outcomes.shape[1])

    def of_weakest(name: str) -> Floats:
        return np.asarray(np.array([getattr(part, name) for part in parts])[weakest, column])

    return Judgement(
        np.select(
            [
                (outcomes == "invalid").all(axis=0),
                (outcomes == "opposite").any(axis=0),
                (outcomes == "agrees").all(axis=0),
                (outcomes == "negligible").any(axis=0),
            ],
            ["invalid", "opposite", "agrees", "negligible"],
            "unclear",
        ),
        of_weakest("effect"),
        of_weakest("ci_low"),
        of_weakest("ci_high"),
        of_weakest("p_claimed"),
        _any_of(np.array([part.p_opposite for part in parts])),
        np.where((outcomes == "invalid").any(axis=0), "a part is invalid", ""),
    )


def _any_of(p_values: Floats) -> Floats:
    """Bonferroni over the parts (rows) that have a p-value; NaN where none has."""
    smallest: Floats = np.where(np.isnan(p_values), np.inf, p_values).min(axis=0)
    counted = np.isfinite(p_values).sum(axis=0)
    return np.where(counted > 0, np.minimum(1.0, smallest * np.maximum(counted, 1)), np.nan)


TOO_FEW_COMPARATORS = "too few comparators for specificity"
NOT_IN_THE_TOP = "not in the top tenth of its comparators"
FAMILY = "a relative reaches it as well: the family, and not this one alone"
"""What `judge_specific` remarks."""


def judge_specific(adjusted: Judgement, comparators: Floats, family: NDArray[np.bool_]) -> Judgement:
    """The adjusted effect agrees and ranks in the top tenth of its comparators.

    `comparators` is C x F, signed like the subject, NaN where not estimable; `family` marks the
    comparators that are relatives of the subject. Relatives are left out of the rank; one whose
    effect reaches the subject's interval is a tie, which is about the family and not the subject.
    """
    outsiders = comparators[~family]
    count = np.isfinite(outsiders).sum(axis=0)
    rank = 1 + (outsiders >= adjusted.effect).sum(axis=0)
    top = rank <= TOP_SHARE * (count + 1)
    tied = (comparators[family] >= adjusted.ci_low).any(axis=0)
    few = count < MIN_COMPARATORS
    agrees = adjusted.outcome == "agrees"
    remark = np.select(
        [agrees & few, agrees & ~top, agrees & tied],
        [TOO_FEW_COMPARATORS, NOT_IN_THE_TOP, FAMILY],
        adjusted.remark,
    )
    return replace(
        adjusted, outcome=np.where(agrees & (few | ~top), "unclear", adjusted.outcome), remark=remark
    )


def judge_equivalence(
    effect: Floats, se: Floats, ci_low: Floats, ci_high: Floats, margin: float, control_detected: bool
) -> Judgement:
    """The effect (one entry per feature) lies within the margin, and the positive control is seen.
    p is the larger of two one-sided tests (Schuirmann 1987, doi 10.1007/BF01068419)."""
    within = (ci_low >= -margin) & (ci_high <= margin)
    p_claimed = np.maximum(stats.norm.sf((effect + margin) / se), stats.norm.cdf((effect - margin) / se))
    return Judgement(
        np.select(
            [~np.isfinite(effect), ci_low > margin, within & control_detected],
            ["invalid", "opposite", "agrees"],
            "unclear",
        ),
        effect,
        ci_low,
        ci_high,
        p_claimed,
        stats.norm.sf((effect - margin) / se),
        np.where(within & (not control_detected), "the positive control was not detected", ""),
    )


def judge_lookup(found: NDArray[np.bool_]) -> Judgement:
    """A database lists the entry. Not being listed is no evidence."""
    nothing = np.full(len(found), np.nan)
    return Judgement(
        np.where(found, "agrees", "unclear"),
        found.astype(float),
        nothing,
        nothing,
        nothing,
        nothing,
        np.where(found, "", "not listed, which is no evidence against it"),
    )
