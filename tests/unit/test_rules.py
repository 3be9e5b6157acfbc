"""The decision rules at their edges: from estimates of cohorts to one word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reclaim.rules import (
    FAMILY,
    MANY,
    MOST,
    Judgement,
    judge_bound,
    judge_conjunction,
    judge_equivalence,
    judge_lookup,
    judge_pooled,
    judge_prevalence,
    judge_specific,
    margin_for,
    outcome_of,
)

HAIR = 1e-9
NAN = np.nan


def column(*values: float) -> np.ndarray:
    """One feature, one entry per cohort."""
    return np.array(values, float)[:, None]


def pooled(effect, se, effect_name="log2_fold_change", margin=0.5, half_width=1.96) -> Judgement:
    """The pooled rule on cohorts with symmetric intervals, one feature unless 2-D."""
    effect, se = (np.asarray(x, float) for x in (effect, se))
    if effect.ndim == 1:
        effect, se = effect[:, None], se[:, None]
    return judge_pooled(effect, se, effect - half_width * se, effect + half_width * se, effect_name, margin)


def word(judgement: Judgement) -> str:
    return str(judgement.only().outcome[0])


# Margins


@pytest.mark.parametrize(
    ("effect_name", "margin"),
    [
        ("log2_fold_change", 0.5),
        ("spearman_rho", 0.2),
        ("log_hazard_ratio", 0.1823216),  # ln 1.2
        ("log_hazard_ratio_groups", 0.4054651),  # ln 1.5
        ("set_log2_fold_change", 0.25),
        ("log_odds_ratio", 0.4054651),
        ("gene_effect", 0.5),
    ],
)
def test_margin_of_each_effect(effect_name, margin):
    assert margin_for(effect_name) == pytest.approx(margin, abs=1e-7)


@pytest.mark.parametrize(
    ("marked", "min_per_arm", "margin"),
    [(False, None, 0.5), (False, 3, 0.5), (False, 2, 1.0), (True, None, 1.0), (True, 30, 1.0)],
)
def test_fold_change_margin_doubles_when_marked_or_fewer_than_three_per_arm(marked, min_per_arm, margin):
    assert margin_for("log2_fold_change", marked, min_per_arm) == margin


def test_only_fold_changes_have_a_marked_margin():
    assert margin_for("spearman_rho", marked=True, min_per_arm=1) == 0.2


# One test: L > 0 and theta >= delta agrees; U < 0 and theta <= -delta is opposite; U < delta is negligible


@pytest.mark.parametrize(
    ("effect", "ci_low", "ci_high", "outcome"),
    [
        pytest.param(0.5, HAIR, 1.0, "agrees", id="at the margin, interval just above 0"),
        pytest.param(0.5, 0.0, 1.0, "unclear", id="interval touches 0"),
        pytest.param(0.5 - HAIR, 0.1, 0.9, "unclear", id="a hair below the margin"),
        pytest.param(3.0, -HAIR, 6.0, "unclear", id="large, but the interval holds 0"),
        pytest.param(-0.5, -1.0, -HAIR, "opposite", id="at minus the margin"),
        pytest.param(-0.5, -1.0, 0.0, "negligible", id="interval touches 0 from below: not opposite"),
        pytest.param(-0.5 + HAIR, -0.9, -0.1, "negligible", id="below 0 but within the margin"),
        pytest.param(0.0, -0.4, 0.5 - HAIR, "negligible", id="upper end a hair within the margin"),
        pytest.param(0.0, -0.4, 0.5, "unclear", id="upper end on the margin"),
        pytest.param(0.3, 0.2, 0.45, "negligible", id="above 0 and surely smaller than the margin"),
        pytest.param(0.0, -2.0, 2.0, "unclear", id="wide"),
        pytest.param(NAN, NAN, NAN, "invalid", id="no estimate"),
        pytest.param(np.inf, 1.0, np.inf, "invalid", id="infinite estimate"),
        pytest.param(2.0, NAN, NAN, "unclear", id="direction without an interval"),
        pytest.param(-2.0, NAN, NAN, "unclear", id="opposite direction without an interval"),
        pytest.param(2.0, 0.5, np.inf, "agrees", id="open above"),
        pytest.param(0.1, -np.inf, 0.3, "negligible", id="open below"),
    ],
)
def test_outcome_of_one_estimate(effect, ci_low, ci_high, outcome):
    assert outcome_of(np.array([effect]), np.array([ci_low]), np.array([ci_high]), 0.5)[0] == outcome


def test_each_feature_may_have_its_own_margin():
    estimates = np.array([0.7, 0.7]), np.array([0.2, 0.2]), np.array([1.2, 1.2])
    assert list(outcome_of(*estimates, np.array([0.5, 1.0]))) == ["agrees", "unclear"]


# Rule 1, pooled


def test_one_cohort_keeps_its_own_interval():
    found = judge_pooled(column(0.8), column(0.25), column(0.2), column(1.9), "log2_fold_change", 0.5)
    assert (found.effect[0], found.ci_low[0], found.ci_high[0]) == (0.8, 0.2, 1.9)
    assert word(found) == "agrees"
    assert found.p_claimed[0] == pytest.approx(6.871379e-4, rel=1e-5)  # normal tail beyond 0.8 / 0.25 = 3.2
    assert found.p_opposite[0] == pytest.approx(1 - 6.871379e-4, rel=1e-5)


@pytest.mark.parametrize("effect", [0.5, 0.5 - HAIR])
def test_one_cohort_at_the_margin(effect):
    assert word(pooled([effect], [0.1])) == ("agrees" if effect == 0.5 else "unclear")


def test_missing_cohorts_do_not_count():
    alone = judge_pooled(column(0.8), column(0.25), column(0.2), column(1.9), "log2_fold_change", 0.5)
    among_missing = judge_pooled(
        column(NAN, 0.8, NAN), column(NAN, 0.25, NAN), column(NAN, 0.2, NAN), column(NAN, 1.9, NAN), "log2_fold_change", 0.5
    )  # fmt: skip
    assert word(among_missing) == word(alone)
    assert (among_missing.ci_low[0], among_missing.ci_high[0]) == (0.2, 1.9)
    two = pooled([0.9, 1.1], [0.2, 0.3])
    with_missing = pooled([0.9, NAN, 1.1], [0.2, NAN, 0.3])
    assert with_missing.ci_low[0] == pytest.approx(two.ci_low[0])
    assert with_missing.p_claimed[0] == pytest.approx(two.p_claimed[0])


def test_a_cohort_without_standard_error_is_not_pooled():
    two = pooled([0.9, 1.1], [0.2, 0.3])
    third = judge_pooled(
        column(0.9, 1.1, -0.2), column(0.2, 0.3, NAN), column(0.5, 0.5, NAN), column(1.3, 1.7, NAN), "log2_fold_change", 0.5
    )  # fmt: skip
    assert third.effect[0] == pytest.approx(two.effect[0])


def test_without_any_cohort_the_test_is_invalid():
    found = pooled([NAN, NAN], [NAN, NAN])
    assert word(found) == "invalid"
    assert np.isnan([found.effect[0], found.ci_low[0], found.ci_high[0], found.p_claimed[0]]).all()


def test_two_alike_cohorts_agree_with_the_interval_that_numerical_integration_gives():
    # golden/random_effects.tsv, set two_alike, integrated by R
    found = pooled([0.9, 1.1], [0.2, 0.3])
    assert word(found) == "agrees"
    assert found.effect[0] == pytest.approx(0.97879, abs=1e-3)
    assert found.ci_low[0] == pytest.approx(0.32897, abs=2e-3)
    assert found.ci_high[0] == pytest.approx(1.65424, abs=2e-3)
    assert found.p_claimed[0] == pytest.approx(0.0069579, abs=1e-4)
    assert found.p_opposite[0] == pytest.approx(1 - 0.0069579, abs=1e-4)


def test_two_cohorts_that_each_agree_can_be_too_few_together():
    cohorts = [(0.6, 0.25), (0.7, 0.25)]
    assert [word(pooled([effect], [se])) for effect, se in cohorts] == ["agrees", "agrees"]
    assert word(pooled(*zip(*cohorts, strict=True))) == "unclear"


def test_many_precise_nulls_are_negligible():
    found = pooled([0.0] * 16, [0.05] * 16)
    assert word(found) == "negligible"
    assert found.ci_high[0] > 1.96 * 0.05 / 4  # never shorter than the fixed-effect interval


def test_a_sign_flip_turns_agrees_into_opposite():
    forward, backward = pooled([0.9, 1.1], [0.2, 0.3]), pooled([-0.9, -1.1], [0.2, 0.3])
    assert (word(forward), word(backward)) == ("agrees", "opposite")
    assert backward.p_opposite[0] == pytest.approx(forward.p_claimed[0])
    assert backward.ci_low[0] == pytest.approx(-forward.ci_high[0])


def test_no_cohort_may_be_opposite():
    effects, errors = [3.0, 3.0, 3.0, 3.0, 3.0, -0.8], [0.1] * 6
    assert word(pooled(effects[:5], errors[:5])) == "agrees"
    assert word(pooled([*effects[:5], 0.0], errors)) == "agrees"  # a null cohort may stand among them
    found = pooled(effects, errors)
    assert found.ci_low[0] > 0  # the mean alone would agree
    assert (word(found), found.remark[0]) == ("unclear", "heterogeneous")


def test_an_opposite_mean_is_heterogeneous_too_when_a_cohort_agrees():
    found = pooled([-3.0, -3.0, -3.0, -3.0, -3.0, 0.8], [0.1] * 6)
    assert found.ci_high[0] < 0
    assert (word(found), found.remark[0]) == ("unclear", "heterogeneous")


def test_cohorts_that_agree_and_oppose_at_once_are_called_heterogeneous():
    found = pooled([1.5, -1.5], [0.1, 0.1])
    assert (word(found), found.remark[0]) == ("unclear", "heterogeneous")


@pytest.mark.parametrize("effects", [[0.9, 1.1], [-0.9, -1.1], [0.9, 0.0], [-0.9, 0.0]])
def test_cohorts_without_contradiction_carry_no_remark(effects):
    assert pooled(effects, [0.1, 0.1]).remark[0] == ""


def test_correlations_are_pooled_as_fisher_z_and_reported_as_correlations():
    z = np.array([0.45, 0.30, 0.38, 0.10])  # golden/random_effects.tsv, set correlations
    se = np.array([0.06, 0.10, 0.08, 0.12])
    found = judge_pooled(
        *(x[:, None] for x in (np.tanh(z), se, np.tanh(z - 1.96 * se), np.tanh(z + 1.96 * se))), "spearman_rho", 0.2
    )  # fmt: skip
    assert found.effect[0] == pytest.approx(np.tanh(0.336869), abs=1e-3)
    assert found.ci_low[0] == pytest.approx(np.tanh(0.162405), abs=1e-3)
    assert found.ci_high[0] == pytest.approx(np.tanh(0.484602), abs=1e-3)
    assert word(found) == "agrees"


def test_one_correlation_has_its_p_value_on_the_z_scale():
    found = judge_pooled(column(0.5), column(0.25), column(0.05), column(0.77), "spearman_rho", 0.2)
    assert found.p_claimed[0] == pytest.approx(stats.norm.sf(0.5493061 / 0.25), rel=1e-5)  # artanh 0.5
    assert found.effect[0] == 0.5


@pytest.mark.parametrize("effect_name", ["log_hazard_ratio", "log_hazard_ratio_groups"])
def test_hazard_ratios_have_a_narrower_prior(effect_name):
    # golden/random_effects.tsv, set three_hazards, prior scale 0.3
    found = pooled([0.35, 0.10, 0.28], [0.10, 0.12, 0.20], effect_name, margin=0.18)
    assert found.ci_low[0] == pytest.approx(-0.047898, abs=1e-3)
    assert found.ci_high[0] == pytest.approx(0.533332, abs=1e-3)


@pytest.mark.parametrize(
    "name",
    ["log2_fold_change", "set_log2_fold_change", "log_odds_ratio"],
)
def test_fold_changes_and_odds_have_the_prior_scale_one_half(name):
    found = pooled([0.9, 1.1], [0.2, 0.3], name)
    assert found.ci_low[0] == pytest.approx(0.32897, abs=2e-3)  # golden, set two_alike, prior scale 0.5


def test_many_features_at_once_are_judged_as_one_by_one():
    generator = np.random.default_rng(5)
    effect = generator.normal(0, 1.2, 60) + generator.normal(0, 0.4, (4, 60))
    se = generator.uniform(0.05, 0.6, (4, 60))
    missing = generator.random((4, 60)) < 0.3
    effect[missing], se[missing] = NAN, NAN
    effect[:, 7] = NAN
    together = pooled(effect, se)
    assert {"agrees", "opposite", "unclear", "invalid"} <= set(together.outcome)
    for j in range(60):
        alone = pooled(effect[:, j], se[:, j])
        assert together.outcome[j] == word(alone)
        assert together.remark[j] == alone.remark[0]
        for name in ("effect", "ci_low", "ci_high", "p_claimed", "p_opposite"):
            np.testing.assert_allclose(
                getattr(together, name)[j], getattr(alone, name)[0], rtol=1e-9, atol=1e-12
            )


finite = st.floats(-3, 3, allow_nan=False)
error = st.floats(0.03, 2, allow_nan=False)


@given(st.lists(st.tuples(finite, error), min_size=1, max_size=6))
def test_the_pooled_rule_knows_no_direction_and_no_order(cohorts):
    effect, se = np.array(cohorts).T
    forward, backward = pooled(effect, se), pooled(-effect[::-1], se[::-1])
    swapped = {"agrees": "opposite", "opposite": "agrees"}
    if word(forward) in swapped:
        assert word(backward) == swapped[word(forward)]
    assert backward.effect[0] == pytest.approx(-forward.effect[0], abs=1e-6)
    assert backward.p_claimed[0] == pytest.approx(forward.p_opposite[0], abs=1e-6)
    assert forward.ci_low[0] <= forward.effect[0] <= forward.ci_high[0]


# Rule 2, prevalence. Effects far from the margin against their error leave only the bootstrap over
# strata, whose shares are then binomial: the expected values below are quantiles of that binomial.


def strata(up: int = 0, flat: int = 0, down: int = 0, by: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    effect = np.array([by] * up + [0.0] * flat + [-by] * down)[:, None]
    return effect, np.full(effect.shape, 0.05)


def prevalent(share: float, **counts: int) -> Judgement:
    return judge_prevalence(*strata(**counts), "log2_fold_change", 0.5, share, seed=11)


def test_the_share_of_strata_beyond_the_margin_with_its_bootstrap_interval():
    found = prevalent(MANY, up=20, flat=20)
    assert found.effect[0] == pytest.approx(0.5, abs=1e-6)
    assert found.ci_low[0] == pytest.approx(stats.binom.ppf(0.025, 40, 0.5) / 40, abs=0.026)
    assert found.ci_high[0] == pytest.approx(stats.binom.ppf(0.975, 40, 0.5) / 40, abs=0.026)
    assert found.p_claimed[0] == pytest.approx(
        stats.binom.cdf(13, 40, 0.5), abs=0.008
    )  # 13/40 <= 1/3 < 14/40


@pytest.mark.parametrize(
    ("share", "counts", "outcome"),
    [
        (MANY, {"up": 20, "flat": 20}, "agrees"),  # 2.5 % of binomial(40, 1/2): 14 of 40
        (MOST, {"up": 20, "flat": 20}, "unclear"),
        (MANY, {"up": 16, "flat": 24}, "unclear"),  # binomial(40, 0.4): 10 to 22 of 40
        (MOST, {"up": 28, "flat": 12}, "agrees"),  # binomial(40, 0.7): 22 of 40
        (MOST, {"up": 25, "flat": 15}, "unclear"),  # binomial(40, 0.625): 19 to 31 of 40
        (MANY, {"up": 8, "flat": 32}, "negligible"),  # binomial(40, 0.2): up to 13 of 40
        (MANY, {"up": 9, "flat": 31}, "unclear"),  # binomial(40, 0.225): up to 14 of 40
        (MOST, {"up": 10, "flat": 30}, "negligible"),  # binomial(40, 0.25): up to 16 of 40
        (MOST, {"up": 16}, "agrees"),
        (MANY, {"flat": 16}, "negligible"),
        (MANY, {"down": 16}, "opposite"),
    ],
)
def test_prevalence_against_many_and_most(share, counts, outcome):
    assert word(prevalent(share, **counts)) == outcome


def test_more_reversed_than_claimed_strata_with_95_percent_chance_are_opposite():
    # With d of 16 strata reversed and none in the claimed direction, a draw misses all of them with
    # chance (1 - d/16)^16: 3.6 % for three, 11.8 % for two.
    three, two = prevalent(MANY, flat=13, down=3), prevalent(MANY, flat=14, down=2)
    assert (word(three), word(two)) == ("opposite", "negligible")
    assert three.p_opposite[0] == pytest.approx((13 / 16) ** 16, abs=0.012)
    assert two.p_opposite[0] == pytest.approx((14 / 16) ** 16, abs=0.02)


def test_claimed_strata_beside_reversed_ones_keep_prevalence_from_being_opposite():
    assert word(prevalent(MOST, up=8, down=8)) == "unclear"


def test_strata_of_noise_decide_nothing():
    # Errors ten times the margin: the effects say nothing about any stratum, nor about their mean.
    found = judge_prevalence(
        column(*np.linspace(-6, 6, 16)), np.full((16, 1), 5.0), "log2_fold_change", 0.5, MANY, seed=1
    )
    assert word(found) == "unclear"
    assert found.ci_low[0] < 0.05
    assert found.ci_high[0] > 0.8


def test_noisy_strata_are_shrunken_to_their_mean():
    # Eight strata scatter around 0 by no more than their errors: beyond 0.5 lie three only by chance.
    effect = column(-0.9, -0.6, -0.3, -0.1, 0.2, 0.6, 0.7, 0.8)
    found = judge_prevalence(effect, np.full((8, 1), 0.6), "log2_fold_change", 0.5, MANY, seed=1)
    assert found.effect[0] < 3 / 8


def test_correlations_of_strata_are_counted_on_the_z_scale():
    # Correlations of 0.95 are 7 errors of 0.05 above 0.9 on the z scale (1.83 against 1.47), though only
    # one on their own.
    rho = column(*[0.95] * 12, *[0.5] * 4)
    found = judge_prevalence(rho, np.full((16, 1), 0.05), "spearman_rho", 0.9, MOST, seed=1)
    assert word(found) == "agrees"
    assert found.effect[0] == pytest.approx(12 / 16, abs=0.01)


@pytest.mark.parametrize(
    "effect_name", ["log_hazard_ratio", "log_hazard_ratio_groups", "log_odds_ratio", "gene_effect"]
)
def test_every_effect_can_be_counted_over_strata(effect_name):
    found = judge_prevalence(*strata(up=16), effect_name, margin_for(effect_name), MOST, seed=1)
    assert word(found) == "agrees"


def test_missing_strata_do_not_count():
    effect, se = strata(up=20, flat=20)
    gaps = np.full((10, 1), NAN)
    found = judge_prevalence(
        np.vstack([effect, gaps]), np.vstack([se, gaps]), "log2_fold_change", 0.5, MANY, seed=11
    )
    assert found.effect[0] == pytest.approx(0.5, abs=1e-6)


def test_without_any_stratum_prevalence_is_invalid_and_has_no_p_value():
    nothing = np.full((5, 1), NAN)
    found = judge_prevalence(nothing, nothing, "log2_fold_change", 0.5, MANY, seed=1)
    assert word(found) == "invalid"
    assert np.isnan(found.p_claimed[0])
    assert np.isnan(found.p_opposite[0])


def test_strata_that_are_never_drawn_do_not_make_a_p_value_small():
    # Two of eight strata are known, both flat: every draw that holds one of them has the share 0.
    effect = column(0.0, 0.0, *[NAN] * 6)
    found = judge_prevalence(effect, effect + 0.05, "log2_fold_change", 0.5, MANY, seed=1)
    assert found.p_claimed[0] == pytest.approx(1.0)


def test_prevalence_of_many_features_is_that_of_each():
    generator = np.random.default_rng(3)
    effect = generator.normal(0.4, 1, (12, 25))
    se = generator.uniform(0.1, 0.5, (12, 25))
    effect[:3, 4] = NAN
    together = judge_prevalence(effect, se, "log2_fold_change", 0.5, MANY, seed=7)
    for j in range(25):
        alone = judge_prevalence(effect[:, [j]], se[:, [j]], "log2_fold_change", 0.5, MANY, seed=7)
        assert together.outcome[j] == word(alone)
        for name in ("effect", "ci_low", "ci_high", "p_claimed", "p_opposite"):
            np.testing.assert_allclose(getattr(together, name)[j], getattr(alone, name)[0], rtol=1e-9)


# Rule 3, bound. With none or all altered the exact ends are closed: U = 1 - 0.025^(1/n) at 0 of n,
# L = 0.025^(1/n) at n of n, so that each edge can be redone by hand.


def bound(k: list[int], n: list[int], which: str) -> Judgement:
    return judge_bound(np.array(k)[:, None], np.array(n)[:, None], which)


@pytest.mark.parametrize(
    ("which", "k", "n", "outcome"),
    [
        ("rare", 0, 72, "agrees"),  # 0.95^72 = 0.0249 < 0.025, so U < 0.05
        ("rare", 0, 71, "unclear"),  # 0.95^71 = 0.0262
        ("rare", 2, 2, "opposite"),  # 0.10^2 = 0.01 < 0.025, so L > 0.10
        ("rare", 1, 1, "unclear"),  # L = 0.025
        ("rare", 1, 177, "agrees"),  # 0.0 to 3.1 %
        ("rare", 5, 100, "unclear"),  # 1.6 to 11.3 %
        ("rare", 60, 120, "opposite"),
        ("nearly_all", 23, 23, "agrees"),  # 0.85^23 = 0.0238 < 0.025, so L > 0.85
        ("nearly_all", 22, 22, "unclear"),  # 0.85^22 = 0.0280
        ("nearly_all", 0, 3, "opposite"),  # 0.25^3 = 0.0156 < 0.025, so U < 0.75
        ("nearly_all", 0, 2, "unclear"),  # 0.25^2 = 0.0625
        ("nearly_all", 118, 177, "opposite"),  # 59.2 to 73.6 %
        ("nearly_all", 114, 141, "unclear"),  # 73.4 to 87.0 %
        ("nearly_all", 950, 1000, "agrees"),  # 93.5 to 96.3 %
        ("nearly_all", 800, 1000, "unclear"),  # 77.4 to 82.4 %: between the bounds
        ("rare", 80, 1000, "unclear"),  # 6.4 to 9.9 %: between the bounds
    ],
)
def test_one_cohort_against_a_bound(which, k, n, outcome):
    assert word(bound([k], [n], which)) == outcome


@pytest.mark.parametrize(
    ("which", "k", "n", "claimed", "opposite"),
    [
        ("rare", 0, 72, 0.95**72, 1.0),
        ("rare", 2, 2, 1.0, 0.10**2),
        ("nearly_all", 23, 23, 0.85**23, 1.0),
        ("nearly_all", 0, 3, 1.0, 0.25**3),
        ("rare", 1, 20, 0.95**20 + 20 * 0.05 * 0.95**19, 1 - 0.9**20),
        ("nearly_all", 19, 20, 20 * 0.85**19 * 0.15 + 0.85**20, 1 - 0.75**20),
    ],
)
def test_exact_p_values_of_one_cohort(which, k, n, claimed, opposite):
    found = bound([k], [n], which)
    assert found.p_claimed[0] == pytest.approx(claimed, rel=1e-9)
    assert found.p_opposite[0] == pytest.approx(opposite, rel=1e-9)


def test_an_empty_cohort_leaves_the_exact_interval_of_the_other():
    found, alone = bound([0, 1], [0, 177], "rare"), bound([1], [177], "rare")
    assert found.ci_high[0] == alone.ci_high[0] == pytest.approx(0.0310747, abs=1e-7)
    assert found.effect[0] == pytest.approx(1 / 177)
    assert found.p_claimed[0] == alone.p_claimed[0]


def test_no_patients_at_all_is_invalid():
    found = bound([0, 0], [0, 0], "rare")
    assert word(found) == "invalid"
    assert np.isnan([found.effect[0], found.p_claimed[0], found.p_opposite[0]]).all()


@pytest.mark.parametrize(
    ("which", "k", "n", "outcome"),
    [
        ("rare", [1, 2, 1], [177, 300, 140], "agrees"),
        ("rare", [0, 0, 0], [150, 150, 150], "agrees"),
        ("rare", [40, 60, 35], [150, 200, 140], "opposite"),
        ("rare", [8, 14, 9], [110, 200, 130], "unclear"),  # near 7 %, between the bounds
        ("rare", [0, 30], [150, 150], "unclear"),  # cohorts far apart
        ("nearly_all", [140, 190, 133], [150, 200, 140], "agrees"),
        ("nearly_all", [150, 150, 150], [150, 150, 150], "agrees"),
        ("nearly_all", [70, 95, 60], [150, 200, 140], "opposite"),
        ("nearly_all", [120, 160, 112], [150, 200, 140], "unclear"),  # 80 %, between the bounds
    ],
)
def test_several_cohorts_against_a_bound(which, k, n, outcome):
    found = bound(k, n, which)
    assert word(found) == outcome
    small = {"agrees": found.p_claimed[0], "opposite": found.p_opposite[0]}
    assert (found.p_claimed[0] <= 0.025) == (outcome == "agrees")
    assert (found.p_opposite[0] <= 0.025) == (outcome == "opposite")
    assert small.get(outcome, 0) <= 0.025


def test_none_and_all_altered_reach_the_end_of_the_scale():
    none, every = bound([0, 0], [80, 90], "rare"), bound([80, 90], [80, 90], "nearly_all")
    assert (none.effect[0], none.ci_low[0]) == (0, 0)
    assert (every.effect[0], every.ci_high[0]) == (1, 1)
    assert every.ci_low[0] == pytest.approx(1 - none.ci_high[0], abs=1e-9)
    assert 0 < none.ci_high[0] < 0.05


def test_two_cohorts_are_less_certain_than_their_sum():
    apart, together = bound([3, 3], [150, 150], "rare"), bound([6], [300], "rare")
    assert apart.ci_high[0] > together.ci_high[0]


def test_bounds_of_many_features_are_those_of_each():
    generator = np.random.default_rng(9)
    n = generator.integers(0, 200, (3, 40)) * (generator.random((3, 40)) < 0.7)
    n[:, 0], n[:, 1] = 0, (90, 0, 0)
    k = generator.binomial(n, generator.choice([0.01, 0.3, 0.97], 40))
    for which in ("rare", "nearly_all"):
        together = judge_bound(k, n, which)
        assert {"agrees", "opposite", "unclear", "invalid"} <= set(together.outcome)
        for j in range(40):
            alone = bound(list(k[:, j]), list(n[:, j]), which)
            assert together.outcome[j] == word(alone)
            for name in ("effect", "ci_low", "ci_high", "p_claimed", "p_opposite"):
                np.testing.assert_array_equal(getattr(together, name)[j], getattr(alone, name)[0])


# Rule 4, conjunction


def part(outcome: str, p_claimed: float = 0.001, effect: float = 1.0, p_opposite: float = 0.9) -> Judgement:
    return Judgement(
        np.array([outcome]), *(np.array([x]) for x in (effect, effect - 0.3, effect + 0.3, p_claimed, p_opposite)), np.array([""])
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        (["agrees", "agrees"], "agrees"),
        (["agrees", "agrees", "agrees"], "agrees"),
        (["agrees", "unclear"], "unclear"),
        (["agrees", "negligible"], "negligible"),
        (["unclear", "negligible"], "negligible"),
        (["agrees", "opposite"], "opposite"),
        (["negligible", "opposite"], "opposite"),
        (["invalid", "opposite"], "opposite"),
        (["agrees", "invalid"], "unclear"),
        (["invalid", "invalid"], "invalid"),
        (["agrees", "agrees", "opposite"], "opposite"),
    ],
)
def test_conjunction_of_outcomes(parts, outcome):
    for order in (parts, parts[::-1]):
        assert word(judge_conjunction([part(name) for name in order])) == outcome


def test_a_conjunction_is_as_strong_as_its_weakest_part():
    found = judge_conjunction(
        [part("agrees", 0.001, 2.0), part("agrees", 0.03, 0.7), part("agrees", 0.01, 1.5)]
    )
    assert (found.p_claimed[0], found.effect[0]) == (0.03, 0.7)
    assert (found.ci_low[0], found.ci_high[0]) == pytest.approx((0.4, 1.0))


def test_a_conjunction_with_an_invalid_part_has_no_p_value_and_says_why():
    found = judge_conjunction([part("agrees", 0.001), part("invalid", NAN)])
    assert np.isnan(found.p_claimed[0])
    assert found.remark[0] == "a part is invalid"
    assert judge_conjunction([part("agrees"), part("unclear")]).remark[0] == ""


def test_the_opposite_of_a_conjunction_pays_for_having_several_chances():
    # Any part may be the opposite one: Bonferroni over the parts that have a p-value.
    found = judge_conjunction([part("agrees", p_opposite=0.9), part("opposite", p_opposite=0.004)])
    assert found.p_opposite[0] == pytest.approx(0.008)
    one_valid = judge_conjunction([part("invalid", NAN, p_opposite=NAN), part("opposite", p_opposite=0.004)])
    assert one_valid.p_opposite[0] == pytest.approx(0.004)
    assert judge_conjunction([part("agrees"), part("agrees")]).p_opposite[0] == 1.0


def test_conjunctions_of_many_features_are_those_of_each():
    words = np.array(["agrees", "opposite", "negligible", "unclear", "invalid"])
    first, second = (grid.ravel() for grid in np.meshgrid(words, words))
    p = np.linspace(0.001, 0.9, 25)

    def many(outcome: np.ndarray, p_claimed: np.ndarray) -> Judgement:
        return Judgement(
            outcome, p_claimed * 2, p_claimed, p_claimed * 3, p_claimed, 1 - p_claimed, np.full(25, "")
        )

    together = judge_conjunction([many(first, p), many(second, p[::-1])])
    for j in range(25):
        alone = judge_conjunction(
            [
                Judgement(*(np.array([getattr(many(o, q), name)[j]]) for name in Judgement.__annotations__))
                for o, q in ((first, p), (second, p[::-1]))
            ]
        )
        for name in Judgement.__annotations__:
            assert getattr(together, name)[j] == getattr(alone, name)[0]


# Rule 5, specific


def agreeing(effect: float = 2.0, ci_low: float = 1.5) -> Judgement:
    return Judgement(
        np.array(["agrees"]), *(np.array([x]) for x in (effect, ci_low, 2.5, 1e-4, 0.9)), np.array([""])
    )  # fmt: skip


def ranked(above: int, below: int, relatives: tuple[float, ...] = (), **subject: float) -> Judgement:
    """The subject with an effect of 2 among comparators of 3 (above) and 1 (below)."""
    comparators = column(*[3.0] * above, *[1.0] * below, *relatives)
    family = np.array([False] * (above + below) + [True] * len(relatives), bool)
    return judge_specific(agreeing(**subject), comparators, family)


@pytest.mark.parametrize(
    ("above", "below", "outcome"),
    [
        (0, 20, "agrees"),  # rank 1 of 21
        (1, 19, "agrees"),  # rank 2 of 21: 2 <= 2.1
        (2, 18, "unclear"),  # rank 3 of 21
        (2, 27, "agrees"),  # rank 3 of 30: exactly the top tenth
        (2, 26, "unclear"),  # rank 3 of 29
        (9, 90, "agrees"),  # rank 10 of 100: exactly the top tenth
        (10, 89, "unclear"),
    ],
)
def test_the_subject_ranks_in_the_top_tenth_of_its_comparators(above, below, outcome):
    found = ranked(above, below)
    assert word(found) == outcome
    assert found.remark[0] == ("" if outcome == "agrees" else "not in the top tenth of its comparators")


@pytest.mark.parametrize(("count", "outcome"), [(20, "agrees"), (19, "unclear"), (0, "unclear")])
def test_fewer_than_twenty_comparators_cannot_show_specificity(count, outcome):
    found = ranked(0, count)
    assert word(found) == outcome
    assert found.remark[0] == ("" if outcome == "agrees" else "too few comparators for specificity")


def test_a_comparator_with_the_same_effect_ranks_before_the_subject():
    comparators = column(2.0, 2.0, *[1.0] * 18)
    assert word(judge_specific(agreeing(), comparators, np.zeros(20, bool))) == "unclear"


def test_comparators_without_an_estimate_do_not_count():
    comparators = column(*[1.0] * 19, NAN)
    found = judge_specific(agreeing(), comparators, np.zeros(20, bool))
    assert found.remark[0] == "too few comparators for specificity"


def test_a_relative_that_reaches_the_interval_is_a_tie_within_the_family():
    tied, apart = ranked(0, 25, (1.5,), ci_low=1.5), ranked(0, 25, (1.5 - HAIR,), ci_low=1.5)
    assert (word(tied), tied.remark[0]) == ("agrees", FAMILY)
    assert (word(apart), apart.remark[0]) == ("agrees", "")


def test_relatives_neither_count_nor_rank():
    assert word(ranked(0, 20, (9.0, 9.0, 9.0))) == "agrees"
    assert ranked(0, 19, (1.0, 1.0)).remark[0] == "too few comparators for specificity"


@pytest.mark.parametrize("outcome", ["opposite", "negligible", "unclear", "invalid"])
def test_a_rank_never_rescues_an_effect_that_does_not_agree(outcome):
    found = judge_specific(part(outcome, effect=9.0), column(*[1.0] * 40), np.zeros(40, bool))
    assert word(found) == outcome


# Rule 6, equivalence


def equivalent(
    effect: float, ci_low: float, ci_high: float, se: float = 0.1, control: bool = True
) -> Judgement:
    return judge_equivalence(
        *(np.array([x]) for x in (effect, se, ci_low, ci_high)), margin=0.5, control_detected=control
    )


@pytest.mark.parametrize(
    ("effect", "ci_low", "ci_high", "outcome"),
    [
        (0.0, -0.2, 0.2, "agrees"),
        (0.3, 0.1, 0.5, "agrees"),  # up to the margin and no further
        (0.3, 0.1, 0.5 + HAIR, "unclear"),
        (-0.3, -0.5, -0.1, "agrees"),
        (-0.3, -0.5 - HAIR, -0.1, "unclear"),
        (0.9, 0.5 + HAIR, 1.3, "opposite"),
        (0.9, 0.5, 1.3, "unclear"),
        (-0.9, -1.3, -0.6, "unclear"),  # a strong effect in the other direction is not the opposite
        (0.0, -2.0, 2.0, "unclear"),
        (NAN, NAN, NAN, "invalid"),
    ],
)
def test_equivalence_needs_the_interval_within_the_margin(effect, ci_low, ci_high, outcome):
    assert word(equivalent(effect, ci_low, ci_high)) == outcome


def test_equivalence_needs_its_positive_control():
    found = equivalent(0.0, -0.2, 0.2, control=False)
    assert (word(found), found.remark[0]) == ("unclear", "the positive control was not detected")
    assert word(equivalent(0.9, 0.6, 1.3, control=False)) == "opposite"  # an effect was seen
    assert equivalent(0.0, -2.0, 2.0, control=False).remark[0] == ""


def test_p_value_of_equivalence_is_the_larger_of_two_one_sided_tests():
    assert equivalent(0.1, -0.1, 0.3).p_claimed[0] == pytest.approx(3.167124e-5, rel=1e-5)  # tail beyond 4 SE
    assert equivalent(-0.1, -0.3, 0.1).p_claimed[0] == pytest.approx(3.167124e-5, rel=1e-5)
    assert equivalent(0.7, 0.5, 0.9).p_opposite[0] == pytest.approx(0.02275013, rel=1e-5)  # beyond 2 SE


# Rule 7, lookup


def test_a_database_entry_agrees_and_its_absence_says_nothing():
    found = judge_lookup(np.array([True, False]))
    assert list(found.outcome) == ["agrees", "unclear"]
    assert found.remark[0] == ""
    assert "no evidence" in found.remark[1]
    assert np.isnan(found.p_claimed).all()
