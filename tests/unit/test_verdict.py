"""From evidence to a verdict: every word, and every road to it."""

import gc

import numpy as np
import pandas as pd
import pytest
from builders import (
    claim,
    dataset,
    enrichment_test,
    evidence,
    expression_test,
    geo_dataset,
    share_evidence,
    share_test,
    study,
    study_values,
)
from scipy import stats

from reclaim.calibration.cap import Calibration, calibration_cap
from reclaim.claim_row import MEANING, VERDICTS, ClaimRow, claims_table
from reclaim.evidence import Estimate, EvidenceRow
from reclaim.judging import judge
from reclaim.study import Study
from reclaim.verdict import assess


@pytest.fixture(autouse=True, scope="module")
def _quick_garbage_collection():
    """statsmodels collects all garbage at every Holm correction: keep what is there out of its way."""
    gc.freeze()
    yield
    gc.unfreeze()


CALIBRATED = Calibration(null_rate=0.02, null_rate_high=0.05, background_rate=0.01)


def assessed(a_study, rows, calibration=CALIBRATED, **options):
    """The assessment, every claim with the same calibration."""
    calibrations = {one.id: calibration for one in a_study.claims} if calibration else None
    return assess(a_study, rows, run="public", seed=1, calibration=calibrations, **options)


def verdict_on(rows, a_study=None, **options) -> ClaimRow:
    """The verdict of claim C1."""
    found = assessed(a_study or study(), rows, **options)
    return next(row for row in found.claims if row.claim == "C1")


def both(effect: float, se: float = 0.1, **changes) -> list[EvidenceRow]:
    return [evidence("a", effect, se, **changes), evidence("b", effect, se, **changes)]


UP, DOWN, NULL = both(2.0), both(-2.0), both(0.0)


def by_test(test: str, role: str, rows: list[EvidenceRow]) -> list[EvidenceRow]:
    return [row.model_copy(update={"test": test, "role": role}) for row in rows]


# supported, and each thing it needs


def test_supported():
    found = verdict_on(UP)
    assert found.verdict == "supported"
    assert found.reason == "the rule agrees"
    assert (found.tier, found.rule) == ("matched", "pooled")
    assert found.effect == pytest.approx(2.0)
    assert found.ci_low < 2.0 < found.ci_high
    assert found.p_value < 0.01
    assert (found.n_tests, found.n_agrees, found.n_opposite, found.n_unclear) == (2, 2, 0, 0)
    assert (found.null_rate, found.background_rate, found.post_hoc) == (0.02, 0.01, False)


@pytest.mark.parametrize("tier", ["substitute", "indirect"])
def test_one_data_set_that_is_not_matched_makes_it_consistent(tier):
    # The worst data set decides the tier.
    found = verdict_on([UP[0], evidence("b", 2.0, tier=tier)])
    assert (found.verdict, found.tier) == ("consistent", tier)
    assert f"the data are {tier}" in found.reason


def test_indirect_is_worse_than_substitute():
    rows = [evidence("a", 2.0, tier="indirect"), evidence("b", 2.0, tier="substitute")]
    assert verdict_on(rows).tier == "indirect"


def test_an_invalid_row_does_not_lower_the_tier():
    rows = [*UP, evidence("c", None, None, tier="indirect", outcome="invalid")]
    assert verdict_on(rows, study(c=dataset())).verdict == "supported"


def test_a_single_cohort_is_consistent():
    found = verdict_on(UP[:1])
    assert found.verdict == "consistent"
    assert "a single cohort" in found.reason


def test_a_direction_without_an_interval_is_no_second_cohort():
    """A model that could not be fitted still gives the difference of means, however many samples it had."""
    found = verdict_on([UP[0], evidence("b", 2.0, None)])
    assert found.verdict == "consistent"
    assert "a single cohort" in found.reason


def test_two_strata_of_one_data_set_are_a_single_cohort():
    rows = [evidence("a", 2.0, stratum="men"), evidence("a", 2.0, stratum="women")]
    assert "a single cohort" in verdict_on(rows).reason


def test_two_data_sets_of_the_same_patients_are_a_single_cohort():
    shared = study(a=dataset(patients="pool"), b=dataset(patients="pool"))
    found = verdict_on(UP, shared)
    assert found.verdict == "consistent"
    assert "a single cohort" in found.reason
    assert verdict_on(UP, study(a=dataset(patients="one"), b=dataset(patients="two"))).verdict == "supported"


def test_data_of_the_authors_alone_are_consistent():
    own = {"independent": False}
    rows = both(2.0, independent=False)
    found = verdict_on(rows, study(a=dataset(**own), b=dataset(**own)))
    assert found.verdict == "consistent"
    assert "only the authors' own data" in found.reason
    assert verdict_on(UP, study(a=dataset(**own))).verdict == "supported"  # one of two is enough


@pytest.mark.parametrize(("per_arm", "verdict"), [(3, "supported"), (2, "consistent")])
@pytest.mark.parametrize("small_arm", ["case", "control"])
def test_three_samples_per_arm(per_arm, verdict, small_arm):
    groups = {"case": 20, "control": 20} | {small_arm: per_arm}
    found = verdict_on([UP[0], evidence("b", 2.0, groups=groups)])
    assert found.verdict == verdict
    assert ("too few samples or events in b" in found.reason) == (verdict == "consistent")


def test_further_counts_are_not_arms():
    assert (
        verdict_on(both(2.0, groups={"case": 9, "control": 9, "below_call_depth": 0})).verdict == "supported"
    )


@pytest.mark.parametrize("effect_name", ["log_hazard_ratio", "log_hazard_ratio_groups"])
@pytest.mark.parametrize(("events", "verdict"), [(50, "supported"), (49, "consistent"), (None, "consistent")])
def test_fifty_events_for_a_hazard(effect_name, events, verdict):
    rows = [
        evidence(name, 2.0, effect_name=effect_name, groups={}, n_events=n)
        for name, n in (("a", 50), ("b", events))
    ]
    assert verdict_on(rows).verdict == verdict


def unclear_claims(count: int) -> tuple[list[dict], list[EvidenceRow]]:
    """Further claims whose primary p-value is one half."""
    names = [f"N{i}" for i in range(count)]
    claims = [
        claim(expression_test(f"null{i}", datasets=["a"]), claim_id=name) for i, name in enumerate(names)
    ]
    rows = [evidence("a", 0.0, 1.0, claim=name, test=f"null{i}") for i, name in enumerate(names)]
    return claims, rows


@pytest.mark.parametrize(("others", "verdict"), [(0, "supported"), (6, "supported"), (7, "consistent")])
def test_holm_over_the_primary_tests_of_the_study(others, verdict):
    # Effects 0.9 and 1.1 with errors 0.2 and 0.3 have the p-value 0.00696 (golden/random_effects.tsv):
    # times 7 claims 0.0487, times 8 claims 0.0557.
    claims, rows = unclear_claims(others)
    found = verdict_on([evidence("a", 0.9, 0.2), evidence("b", 1.1, 0.3), *rows], study(claim(), *claims))
    assert found.verdict == verdict
    assert ("Holm-adjusted p is 0.056" in found.reason) == (verdict == "consistent")


def test_holm_by_hand():
    # p 0.01, 0.04, 0.03: the smallest times 3 is 0.03, the next times 2 is 0.06, and the largest,
    # 0.04 times 1, may not be smaller than the one before it: 0.06.
    p_values = {"P1": 0.01, "P2": 0.04, "P3": 0.03}
    claims = [claim(expression_test(f"t{name[1]}", datasets=["a"]), claim_id=name) for name in p_values]
    rows = [
        evidence("a", 1.0, 1 / stats.norm.isf(p), claim=name, test=f"t{name[1]}", ci_low=0.1, ci_high=1.9)
        for name, p in p_values.items()
    ]
    found = {row.claim: row for row in assessed(study(*claims), rows).claims}
    assert [found[name].p_value for name in p_values] == pytest.approx(list(p_values.values()))
    assert "Holm" not in found["P1"].reason
    assert "Holm-adjusted p is 0.06;" in found["P2"].reason + ";"
    assert "Holm-adjusted p is 0.06;" in found["P3"].reason + ";"


@pytest.mark.parametrize(("p", "met"), [(0.049999, True), (0.050001, False)])
def test_holm_needs_to_be_below_five_percent(p, met):
    row = evidence("a", 1.0, 1 / stats.norm.isf(p), ci_low=0.1, ci_high=1.9)
    assert ("Holm-adjusted p is 0.05" in verdict_on([row]).reason) != met


def test_invalid_claims_and_lookups_take_no_part_in_holm():
    rows = [evidence("a", 0.9, 0.2), evidence("b", 1.1, 0.3)]
    claims, nulls = unclear_claims(7)
    invalid = [row.model_copy(update={"outcome": "invalid", "effect": None}) for row in nulls]
    assert verdict_on(rows + invalid, study(claim(), *claims)).verdict == "supported"
    lookups = [{**one, "decision": {"rule": "lookup"}} for one in claims]
    assert verdict_on(rows + nulls, study(claim(), *lookups)).verdict == "supported"


# Calibration


@pytest.mark.parametrize(
    ("calibration", "verdict", "reason"),
    [
        (Calibration(0.02, 0.075, 0.20), "supported", "the rule agrees"),
        (Calibration(0.05, 0.0751, 0.01), "inconclusive", "permuted labels pass in up to 7.5%"),
        (Calibration(0.02, 0.05, 0.21), "consistent", "true of 21% of comparable genes"),
        (Calibration(0.02, 0.05, 0.90), "consistent", "true of 90% of comparable genes"),
        (Calibration(None, None, 0.01), "consistent", "not calibrated"),
        (Calibration(0.02, 0.05, None), "consistent", "not calibrated"),
        (Calibration(), "consistent", "not calibrated"),
        (Calibration(0.05, 0.09, None), "inconclusive", "permuted labels"),
        (None, "consistent", "not calibrated"),
    ],
)
def test_calibration_of_a_descriptive_claim(calibration, verdict, reason):
    found = verdict_on(UP, calibration=calibration)
    assert found.verdict == verdict
    assert reason in found.reason


@pytest.mark.parametrize(
    ("background", "verdict"),
    [(0.05, "supported"), (0.051, "consistent"), (0.20, "consistent"), (0.201, "inconclusive")],
)
def test_calibration_of_a_marked_claim(background, verdict):
    marked = study(claim(decision={"rule": "pooled", "marked": True}))
    found = verdict_on(UP, marked, calibration=Calibration(0.02, 0.05, background))
    assert found.verdict == verdict


def test_a_marked_claim_with_a_common_effect_is_inconclusive_even_without_permutations():
    marked = study(claim(decision={"rule": "pooled", "marked": True}))
    assert verdict_on(UP, marked, calibration=Calibration(None, None, 0.3)).verdict == "inconclusive"


@pytest.mark.parametrize("rule", ["bound", "equivalence", "lookup"])
def test_some_rules_are_not_calibrated(rule):
    assert calibration_cap(rule, False, Calibration()) == ("supported", "")


@pytest.mark.parametrize("rule", ["pooled", "prevalence", "conjunction", "specific"])
def test_the_other_rules_need_their_calibration(rule):
    assert calibration_cap(rule, False, Calibration())[0] == "consistent"


def test_calibration_says_nothing_about_an_opposite_effect():
    assert verdict_on(DOWN, calibration=None).verdict == "contradicted"


# post hoc


def test_a_claim_edited_after_data_were_seen_is_at_best_consistent():
    found = verdict_on(UP, post_hoc={"C1": "edited after the data had come"})
    assert (found.verdict, found.post_hoc) == ("consistent", True)
    assert found.reason.endswith("post hoc: the claim was edited after the data had come")
    assert verdict_on(UP, post_hoc={"C2": "edited", "C1": ""}).verdict == "supported"


def test_a_claim_edited_after_data_were_seen_is_at_worst_not_supported():
    """The cap holds in both directions: an edit could also have made the opposite come out."""
    assert verdict_on(DOWN).verdict == "contradicted"
    found = verdict_on(DOWN, post_hoc={"C1": "edited after the data had come"})
    assert (found.verdict, found.post_hoc) == ("not_supported", True)


def test_a_claim_that_was_withdrawn_from_testing_after_data_were_seen_says_so():
    withdrawn = claim(not_testable="an outlook") | {"tests": [], "decision": None}
    (row,) = assess(study(withdrawn), [], "public", 1, post_hoc={"C1": "edited later"}).claims
    assert row.post_hoc
    assert row.reason == "an outlook; post hoc: the claim was edited later"


# contradicted, and each thing it needs


def test_contradicted():
    found = verdict_on(DOWN)
    assert found.verdict == "contradicted"
    assert found.reason == "the rule is opposite"
    assert (found.n_agrees, found.n_opposite) == (0, 2)
    assert found.effect == pytest.approx(-2.0)
    assert found.p_value > 0.99


@pytest.mark.parametrize(
    ("rows", "datasets"),
    [
        pytest.param([DOWN[0], evidence("b", -2.0, tier="substitute")], {}, id="not matched"),
        pytest.param(DOWN[:1], {}, id="a single cohort"),
        pytest.param(
            DOWN, {"a": dataset(patients="pool"), "b": dataset(patients="pool")}, id="same patients"
        ),
        pytest.param(DOWN, {"a": dataset(independent=False), "b": dataset(independent=False)}, id="own data"),
        pytest.param([DOWN[0], evidence("b", -2.0, groups={"case": 2, "control": 9})], {}, id="too small"),
    ],
)
def test_opposite_without_replication_is_not_supported(rows, datasets):
    found = verdict_on(rows, study(**datasets))
    assert found.verdict == "not_supported"
    assert found.reason.startswith("the rule is opposite: but ")


@pytest.mark.parametrize(("others", "verdict"), [(6, "contradicted"), (7, "not_supported")])
def test_contradicting_takes_holm_too(others, verdict):
    claims, rows = unclear_claims(others)
    found = verdict_on([evidence("a", -0.9, 0.2), evidence("b", -1.1, 0.3), *rows], study(claim(), *claims))
    assert found.verdict == verdict
    assert ("Holm-adjusted p of the opposite is 0.056" in found.reason) == (verdict == "not_supported")


@pytest.mark.parametrize(
    ("opposite", "others", "verdict"),
    [(5, 0, "contradicted"), (4, 1, "contradicted"), (3, 2, "not_supported"), (0, 1, "not_supported")],
)
def test_contradicting_takes_four_fifths_of_the_sensitivity_specifications(opposite, others, verdict):
    names = [f"s{i}" for i in range(opposite + others)]
    a_study = study(claim(expression_test(), *(expression_test(name, "sensitivity") for name in names)))
    rows = [*DOWN]
    for i, name in enumerate(names):
        rows += by_test(name, "sensitivity", DOWN if i < opposite else NULL)
    found = verdict_on(rows, a_study)
    assert found.verdict == verdict
    if verdict == "not_supported":
        assert f"only {opposite} of {opposite + others} sensitivity specifications" in found.reason


# negligible, unclear


def test_a_precise_null_on_matched_data_is_not_supported():
    found = verdict_on(NULL[:1])
    assert (found.verdict, found.reason) == ("not_supported", "a precise estimate within the margin")
    assert (found.n_agrees, found.n_opposite, found.n_unclear) == (0, 0, 1)


@pytest.mark.parametrize("tier", ["substitute", "indirect"])
def test_a_precise_null_elsewhere_is_inconclusive(tier):
    found = verdict_on([evidence("a", 0.0, tier=tier)])
    assert found.verdict == "inconclusive"
    assert "not on matched data" in found.reason


def test_an_unclear_effect_is_inconclusive_and_says_what_could_have_been_seen():
    # Smallest detectable effects 2.8 x 0.5 = 1.4 and 2.8 x 0.8 = 2.24.
    found = verdict_on([evidence("a", 0.3, 0.5), evidence("b", 0.4, 0.8)])
    assert found.verdict == "inconclusive"
    assert "smallest detectable effect of a cohort: 1.4" in found.reason


def test_cohorts_that_agree_and_oppose_at_once_are_inconclusive():
    found = verdict_on([evidence("a", 2.0), evidence("b", -2.0)])
    assert found.verdict == "inconclusive"
    assert "heterogeneous" in found.reason
    assert (found.n_agrees, found.n_opposite) == (1, 1)


def test_without_a_valid_row_the_verdict_is_inconclusive_and_says_why():
    rows = [
        evidence("a", None, None, outcome="invalid", note="not the right organism"),
        evidence("b", None, None, outcome="invalid", flags="absent"),
    ]
    found = verdict_on(rows)
    assert found.verdict == "inconclusive"
    assert found.reason == "no valid test (a: not the right organism; b: absent)"
    assert (found.tier, found.effect, found.ci_low, found.p_value) == (None, None, None, None)
    assert (found.n_tests, found.n_agrees, found.n_opposite, found.n_unclear) == (2, 0, 0, 0)


def test_a_cohort_without_a_finite_effect_is_unclear_and_no_second_data_set():
    # Such as an odds ratio of 0: the test ran, but adds nothing to the pooled estimate.
    found = verdict_on([UP[0], evidence("b", None, None)])
    assert (found.verdict, found.n_agrees, found.n_unclear) == ("consistent", 1, 1)
    assert "a single cohort" in found.reason
    assert verdict_on([evidence("a", None, None)]).verdict == "inconclusive"


def test_without_any_row_the_verdict_is_inconclusive():
    found = verdict_on([])
    assert (found.verdict, found.reason, found.data, found.n_tests) == (
        "inconclusive",
        "no valid test",
        None,
        0,
    )


# Margins of a claim


def test_the_margin_of_the_claim_replaces_that_of_the_effect():
    wide = study(claim(decision={"rule": "pooled", "margin": 2.1}))
    assert verdict_on(UP, wide).verdict == "inconclusive"
    narrow = study(claim(decision={"rule": "pooled", "margin": 0.3}))
    assert verdict_on([evidence("a", 0.4)], narrow).verdict == "consistent"
    assert verdict_on([evidence("a", 0.4)]).verdict == "inconclusive"


def test_a_marked_claim_needs_twice_the_fold_change():
    marked = study(claim(decision={"rule": "pooled", "marked": True}))
    assert verdict_on([evidence("a", 0.8)]).n_agrees == 1
    assert verdict_on([evidence("a", 0.8)], marked).n_agrees == 0
    assert verdict_on([evidence("a", 1.0)], marked).n_agrees == 1


def test_fewer_than_three_samples_per_arm_need_twice_the_fold_change():
    assert verdict_on([evidence("a", 0.8, groups={"case": 2, "control": 30})]).n_agrees == 0
    assert verdict_on([evidence("a", 0.8, groups={"case": 3, "control": 30})]).n_agrees == 1


# Gates


def gate(test_id: str = "control", **changes) -> dict:
    return expression_test(test_id, "gate", **({"passes": {"at_least": 1.0}} | changes))


GATED = study(claim(expression_test(), gate()))


def gate_row(name: str, effect: float | None, test: str = "control", **changes) -> EvidenceRow:
    return evidence(name, effect, None, test=test, role="gate", **changes)


def outcomes(a_study, rows, test: str = "up") -> dict[str, str]:
    found = assessed(a_study, rows).evidence
    return {row.dataset: row.outcome for row in found if row.test == test}


def test_gates_that_pass_leave_the_verdict_alone():
    rows = [*UP, gate_row("a", 1.0), gate_row("b", 3.0)]
    assert verdict_on(rows, GATED).verdict == "supported"
    assert outcomes(GATED, rows, "control") == {"a": "agrees", "b": "agrees"}


def test_a_gate_voids_the_tests_on_its_own_data_set():
    rows = [*UP, gate_row("a", 0.99), gate_row("b", 3.0)]
    found = assessed(GATED, rows)
    assert outcomes(GATED, rows) == {"a": "invalid", "b": "agrees"}
    assert outcomes(GATED, rows, "control") == {"a": "invalid", "b": "agrees"}
    assert [row.flags for row in found.evidence if row.test == "up"] == ["gate_failed", ""]
    assert found.claims[0].verdict == "consistent"
    assert "a single cohort" in found.claims[0].reason


def test_gates_that_fail_everywhere_leave_nothing():
    found = verdict_on([*UP, gate_row("a", 0.0), gate_row("b", 0.0)], GATED)
    assert found.verdict == "inconclusive"
    assert "no valid test" in found.reason
    assert "gate_failed" in found.reason


def test_a_failed_gate_keeps_an_opposite_effect_from_contradicting():
    assert verdict_on([*DOWN, gate_row("a", 0.0), gate_row("b", 0.0)], GATED).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("passes", "effect", "passed"),
    [
        ({"at_least": 1.0}, 1.0, True),
        ({"at_least": 1.0}, 0.999999, False),
        ({"at_most": 1.0}, 1.0, True),
        ({"at_most": 1.0}, 1.000001, False),
        ({"at_least": 0.4, "at_most": 0.9}, 0.65, True),
        ({"at_least": 0.4, "at_most": 0.9}, 0.95, False),
        ({"at_least": 0.4, "at_most": 0.9}, 0.3, False),
        ({"at_least": 1.0}, None, False),
    ],
)
def test_the_range_of_a_gate_is_closed(passes, effect, passed):
    gated = study(claim(expression_test(), gate(passes=passes)))
    rows = [*UP, gate_row("a", effect), gate_row("b", effect)]
    assert set(outcomes(gated, rows).values()) == {"agrees" if passed else "invalid"}


def test_a_gate_without_a_valid_estimate_fails():
    rows = [*UP, gate_row("a", 3.0, outcome="invalid"), gate_row("b", 3.0)]
    assert outcomes(GATED, rows) == {"a": "invalid", "b": "agrees"}


@pytest.mark.parametrize(("effect", "verdict"), [(3.0, "supported"), (0.0, "inconclusive")])
def test_a_gate_on_other_data_sets_decides_for_the_whole_claim(effect, verdict):
    elsewhere = study(claim(expression_test(), gate(datasets=["c"])), c=dataset())
    assert verdict_on([*UP, gate_row("c", effect)], elsewhere).verdict == verdict


def test_each_gate_decides_for_itself_where_it_applies():
    # One gate passes on the test's own data sets; another ran elsewhere only, and failed.
    two = study(
        claim(expression_test(), gate("here"), gate("elsewhere", datasets=["c"])),
        c=dataset(),
    )
    passed = [*UP, gate_row("a", 3.0, "here"), gate_row("b", 3.0, "here")]
    assert verdict_on([*passed, gate_row("c", 3.0, "elsewhere")], two).verdict == "supported"
    assert verdict_on([*passed, gate_row("c", 0.0, "elsewhere")], two).verdict == "inconclusive"


def test_both_gates_of_a_data_set_must_pass():
    two = study(claim(expression_test(), gate("first"), gate("second")))
    rows = [*UP]
    for name in ("a", "b"):
        rows += [gate_row(name, 3.0, "first"), gate_row(name, 0.0 if name == "a" else 3.0, "second")]
    assert outcomes(two, rows) == {"a": "invalid", "b": "agrees"}


def test_every_stratum_of_a_gate_must_pass():
    rows = [*UP, gate_row("a", 0.0, stratum="men"), gate_row("a", 3.0, stratum="women"), gate_row("b", 3.0)]
    assert outcomes(GATED, rows) == {"a": "invalid", "b": "agrees"}


def test_a_gate_of_another_claim_counts_only_where_it_is_named():
    other = claim(expression_test("other"), gate(), claim_id="C2")
    rows = [
        *UP,
        *(row.model_copy(update={"claim": "C2", "test": "other"}) for row in UP),
        gate_row("a", 0.0, claim="C2"),
        gate_row("b", 0.0, claim="C2"),
    ]
    named = verdict_on(rows, study(claim(gated_by=["control"]), other))
    unnamed = verdict_on(rows, study(claim(), other))
    assert (named.verdict, unnamed.verdict) == ("inconclusive", "supported")


def test_a_failed_gate_is_added_to_the_flags():
    rows = [evidence("a", 2.0, flags="call_depth"), UP[1], gate_row("a", 0.0), gate_row("b", 3.0)]
    found = assessed(GATED, rows).evidence
    assert found[0].flags == "call_depth,gate_failed"


def test_gates_void_sensitivity_and_supporting_tests_too():
    a_study = study(
        claim(expression_test(), expression_test("support", "supporting"), gate()),
    )
    rows = [*UP, *by_test("support", "supporting", DOWN), gate_row("a", 0.0), gate_row("b", 3.0)]
    assert outcomes(a_study, rows, "support") == {"a": "invalid", "b": "opposite"}


# Supporting and sensitivity tests

SUPPORTED_BY = study(claim(expression_test(), expression_test("support", "supporting", datasets=["a", "b"])))


def test_an_opposite_supporting_test_lowers_by_one_step():
    found = verdict_on([*UP, *by_test("support", "supporting", DOWN)], SUPPORTED_BY)
    assert found.verdict == "consistent"
    assert "the supporting test support is opposite" in found.reason
    assert (
        verdict_on([UP[0], *by_test("support", "supporting", DOWN)], SUPPORTED_BY).verdict == "inconclusive"
    )


def test_an_opposite_supporting_test_does_not_lower_inconclusive():
    support = by_test("support", "supporting", DOWN)
    found = verdict_on([*UP, *support], SUPPORTED_BY, calibration=Calibration(0.05, 0.09, 0.01))
    assert found.verdict == "inconclusive"
    assert verdict_on([evidence("a", 0.3, 0.5), *support], SUPPORTED_BY).verdict == "inconclusive"


@pytest.mark.parametrize("tier", ["substitute", "indirect"])
def test_an_opposite_supporting_test_on_unmatched_data_lowers_nothing(tier):
    support = by_test("support", "supporting", both(-2.0, tier=tier))
    assert verdict_on([*UP, *support], SUPPORTED_BY).verdict == "supported"


def test_a_matched_row_without_a_result_does_not_make_its_test_matched():
    support = by_test(
        "support",
        "supporting",
        [evidence("a", None, None, outcome="invalid"), evidence("b", -2.0, tier="substitute")],
    )
    assert verdict_on([*UP, *support], SUPPORTED_BY).verdict == "supported"


def test_supporting_tests_never_raise_a_verdict():
    support = by_test("support", "supporting", UP)
    assert verdict_on([UP[0], *support], SUPPORTED_BY).verdict == "consistent"
    assert verdict_on([evidence("a", 0.3, 0.5), *support], SUPPORTED_BY).verdict == "inconclusive"
    assert verdict_on([*DOWN, *support], SUPPORTED_BY).verdict == "contradicted"


def test_a_supporting_test_has_a_direction_of_its_own():
    reverse = study(claim(expression_test(), expression_test("support", "supporting", expected="negative")))
    expected = both(-2.0, expected="negative")
    against = both(2.0, expected="negative")
    assert verdict_on([*UP, *by_test("support", "supporting", expected)], reverse).verdict == "supported"
    assert verdict_on([*UP, *by_test("support", "supporting", against)], reverse).verdict == "consistent"


def test_sensitivity_tests_never_change_a_supported_claim():
    a_study = study(claim(expression_test(), expression_test("naive", "sensitivity")))
    assert verdict_on([*UP, *by_test("naive", "sensitivity", DOWN)], a_study).verdict == "supported"


def test_supporting_and_sensitivity_rows_are_not_counted_as_tests():
    rows = [*UP, *by_test("support", "supporting", NULL)]
    assert verdict_on(rows, SUPPORTED_BY).n_tests == 2


# Direction


DOWNWARD = study(claim(expression_test(expected="negative")))


def test_a_claim_of_a_decrease_is_supported_by_a_decrease():
    found = verdict_on(both(-2.0, expected="negative"), DOWNWARD)
    assert (found.verdict, found.n_agrees) == ("supported", 2)
    assert found.effect == pytest.approx(-2.0)  # natural sign
    assert found.ci_low < -2.0 < found.ci_high < 0
    assert found.p_value < 0.01


def test_a_claim_of_a_decrease_is_contradicted_by_an_increase():
    found = verdict_on(both(2.0, expected="negative"), DOWNWARD)
    assert (found.verdict, found.n_opposite) == ("contradicted", 2)
    assert 0 < found.ci_low < found.effect < found.ci_high


def test_evidence_keeps_its_natural_sign():
    found = assessed(DOWNWARD, both(-2.0, expected="negative")).evidence
    assert [(row.effect, row.outcome) for row in found] == [(-2.0, "agrees")] * 2


# The other rules, from rows to verdict


def strata(count: int, effect: float, name: str = "a", **changes) -> list[EvidenceRow]:
    return [evidence(name, effect, 0.05, stratum=f"{name}{i}", **changes) for i in range(count)]


def test_prevalence_over_strata_of_two_data_sets():
    many = study(claim(decision={"rule": "prevalence", "share": "many"}))
    rows = strata(20, 3.0) + strata(20, 0.0, "b")
    found = verdict_on(rows, many)
    assert (found.verdict, found.rule, found.n_tests, found.n_agrees) == ("supported", "prevalence", 40, 20)
    assert found.effect == pytest.approx(0.5, abs=1e-6)
    most = study(claim(decision={"rule": "prevalence", "share": "most"}))
    assert verdict_on(rows, most).verdict == "inconclusive"


def test_a_stratum_alone_is_judged_by_the_margin():
    many = study(claim(decision={"rule": "prevalence", "share": "many"}))
    rows = [evidence("a", 0.7, 0.3, stratum="one"), evidence("a", 0.4, 0.1, stratum="other")]
    assert [row.outcome for row in assessed(many, rows).evidence] == ["agrees", "unclear"]


def test_a_share_of_strata_has_no_sign():
    many = study(
        claim(expression_test(expected="negative"), decision={"rule": "prevalence", "share": "many"})
    )
    found = verdict_on(
        strata(10, -3.0, expected="negative") + strata(10, -3.0, "b", expected="negative"), many
    )
    assert found.verdict == "supported"
    assert (found.effect, found.ci_high) == pytest.approx((1.0, 1.0))


RARE = study(claim(share_test(), decision={"rule": "bound", "bound": "rare"}))
NEARLY_ALL = study(claim(share_test(), decision={"rule": "bound", "bound": "nearly_all"}))


@pytest.mark.parametrize(
    ("a_study", "counts", "verdict"),
    [
        (RARE, [(1, 177), (2, 300)], "supported"),
        (RARE, [(1, 177)], "consistent"),
        (RARE, [(60, 177), (90, 300)], "contradicted"),
        (RARE, [(60, 177)], "not_supported"),
        (RARE, [(14, 177), (20, 300)], "inconclusive"),
        (NEARLY_ALL, [(170, 177), (290, 300)], "supported"),
        (NEARLY_ALL, [(90, 177), (160, 300)], "contradicted"),
        (NEARLY_ALL, [(118, 177)], "not_supported"),
        (NEARLY_ALL, [(114, 141)], "inconclusive"),
    ],
)
def test_bounds_need_no_calibration(a_study, counts, verdict):
    rows = [share_evidence(name, *count) for name, count in zip("ab", counts, strict=False)]
    assert verdict_on(rows, a_study, calibration=None).verdict == verdict


def test_an_undecided_bound_shows_its_interval():
    assert (
        "from 73.4 to 87.0 % does not lie above 85 % or below 75 %"
        in verdict_on([share_evidence("a", 114, 141)], NEARLY_ALL).reason
    )


def test_p_value_of_a_share_is_filled_in_from_its_rule():
    row = assessed(RARE, [share_evidence("a", 0, 72)]).evidence[0]
    assert (row.outcome, row.p_value) == ("agrees", pytest.approx(0.95**72))
    assert assessed(RARE, [share_evidence("a", 0, 72, p_value=0.5)]).evidence[0].p_value == 0.5


def test_a_supporting_test_of_another_kind_is_only_shown():
    a_study = study(
        claim(
            share_test(),
            expression_test("support", "supporting"),
            decision={"rule": "bound", "bound": "rare"},
        )
    )
    rows = [share_evidence("a", 1, 177), share_evidence("b", 2, 300)]
    support = by_test("support", "supporting", DOWN)
    assert verdict_on([*rows, *support], a_study, calibration=None).verdict == "supported"
    assert outcomes(a_study, [*rows, *support], "support") == {"a": "unclear", "b": "unclear"}


CONJUNCTION = study(
    claim(
        expression_test("down", expected="negative"),
        share_test(),
        decision={
            "rule": "conjunction",
            "parts": {"down": {"rule": "pooled"}, "share": {"rule": "bound", "bound": "rare"}},
        },
    )
)
FALLS = by_test("down", "primary", both(-2.0, expected="negative"))
RISES = by_test("down", "primary", both(2.0, expected="negative"))
RARELY = [share_evidence("a", 1, 177), share_evidence("b", 2, 300)]
OFTEN = [share_evidence("a", 60, 177), share_evidence("b", 90, 300)]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (FALLS + RARELY, "supported"),
        (FALLS + OFTEN, "contradicted"),
        (RISES + RARELY, "contradicted"),
        (FALLS, "inconclusive"),
        ([*FALLS, share_evidence("a", 14, 177)], "inconclusive"),
    ],
)
def test_a_conjunction_judges_each_part_by_its_own_rule(rows, verdict):
    assert verdict_on(rows, CONJUNCTION).verdict == verdict


def test_a_conjunction_without_one_of_its_parts_says_so():
    assert "a part is invalid" in verdict_on(FALLS, CONJUNCTION).reason


def test_a_conjunction_shows_its_weakest_part_in_natural_sign():
    weak_share = [share_evidence("a", 0, 72)]  # p = 0.95^72 = 0.025
    found = verdict_on(FALLS + weak_share, CONJUNCTION)
    assert found.p_value == pytest.approx(0.95**72)
    assert (found.effect, found.ci_low) == (0, 0)
    assert found.ci_high == pytest.approx(1 - 0.025 ** (1 / 72))
    weak_fall = by_test("down", "primary", [evidence("a", -2.0, 0.9, expected="negative")])
    found = verdict_on(weak_fall + RARELY, CONJUNCTION)
    assert (found.effect, found.ci_low) == pytest.approx((-2.0, -2.0 - 1.96 * 0.9))


def test_a_conjunction_with_a_marked_or_specific_part_is_calibrated_as_one():
    parts = {"down": {"rule": "pooled", "marked": True}, "share": {"rule": "bound", "bound": "rare"}}
    marked = study(
        claim(
            expression_test("down", expected="negative"),
            share_test(),
            decision={"rule": "conjunction", "parts": parts},
        )
    )
    common = Calibration(0.02, 0.05, 0.15)
    assert verdict_on(FALLS + RARELY, CONJUNCTION, calibration=common).verdict == "supported"
    assert verdict_on(FALLS + RARELY, marked, calibration=common).verdict == "consistent"


def test_a_conjunction_of_bounds_needs_no_calibration():
    two = study(
        claim(
            share_test("first"),
            share_test("second"),
            decision={
                "rule": "conjunction",
                "parts": {key: {"rule": "bound", "bound": "rare"} for key in ("first", "second")},
            },
        )
    )
    rows = by_test("first", "primary", RARELY) + by_test("second", "primary", RARELY)
    assert verdict_on(rows, two, calibration=None).verdict == "supported"


def specific_study(**decision) -> object:
    return study(claim(decision={"rule": "specific", **decision}))


COMMON = {f"G{i}": 0.1 for i in range(20)}


def test_specificity_ranks_the_subject_among_comparators():
    assert verdict_on(UP, specific_study(), comparators={"up": COMMON}).verdict == "supported"
    louder = COMMON | {f"H{i}": 5.0 for i in range(3)}
    assert verdict_on(UP, specific_study(), comparators={"up": louder}).verdict == "inconclusive"


def test_specificity_without_comparators_is_inconclusive():
    found = verdict_on(UP, specific_study())
    assert found.verdict == "inconclusive"
    assert "too few comparators" in found.reason
    assert found.n_agrees == 2  # each cohort on its own does show the effect


def test_a_tie_within_the_family_is_consistent():
    found = verdict_on(UP, specific_study(family=["KIN"]), comparators={"up": COMMON | {"KIN": 3.0}})
    assert found.verdict == "consistent"
    assert "family" in found.reason


def test_comparators_are_ranked_in_the_claimed_direction():
    downward = study(claim(expression_test(expected="negative"), decision={"rule": "specific"}))
    rows = both(-2.0, expected="negative")
    louder = COMMON | {f"H{i}": 5.0 for i in range(3)}  # up, where the claim says down
    assert verdict_on(rows, downward, comparators={"up": louder}).verdict == "supported"
    quieter = COMMON | {f"H{i}": -5.0 for i in range(3)}
    assert verdict_on(rows, downward, comparators={"up": quieter}).verdict == "inconclusive"


def test_specificity_takes_the_strict_background_rate():
    found = verdict_on(
        UP, specific_study(), comparators={"up": COMMON}, calibration=Calibration(0.02, 0.05, 0.15)
    )
    assert found.verdict == "consistent"


def equivalence_study(**gate_changes) -> object:
    decision = {"rule": "equivalence", "positive_control": "control", "margin": 2.0}
    return study(claim(expression_test(), gate(**gate_changes), decision=decision), c=dataset())


def test_equivalence_with_its_positive_control():
    passed = [gate_row("a", 3.0), gate_row("b", 3.0)]
    assert verdict_on(NULL + passed, equivalence_study(), calibration=None).verdict == "supported"
    assert verdict_on(both(4.0, 0.05) + passed, equivalence_study()).verdict == "contradicted"
    assert verdict_on(both(2.0) + passed, equivalence_study()).verdict == "inconclusive"


def test_equivalence_without_its_positive_control_is_inconclusive():
    failed = [gate_row("a", 0.0), gate_row("b", 0.0)]
    assert verdict_on(NULL + failed, equivalence_study()).verdict == "inconclusive"
    assert verdict_on(NULL, equivalence_study()).verdict == "inconclusive"  # it never ran


def test_equivalence_rests_on_the_data_in_which_the_control_was_detected():
    found = verdict_on([*NULL, gate_row("a", 3.0), gate_row("b", 0.0)], equivalence_study())
    assert found.verdict == "consistent"
    assert "a single cohort" in found.reason


def test_a_control_in_other_data_does_not_show_that_these_could_have_seen_an_effect():
    found = verdict_on([*NULL, gate_row("c", 3.0)], equivalence_study(datasets=["c"]))
    assert found.verdict == "inconclusive"
    assert "the positive control was not detected" in found.reason


def test_a_lookup_is_consistent_at_best():
    lookup = study(claim(decision={"rule": "lookup"}))
    found = verdict_on([evidence("a", 1.0, None), evidence("b", 1.0, None)], lookup)
    assert found.verdict == "consistent"
    assert "a database entry is no measurement" in found.reason
    missing = verdict_on([evidence("a", 0.0, None)], lookup)
    assert missing.verdict == "inconclusive"
    assert "no evidence against it" in missing.reason


# Groups from different sources, and scores without an interval


APART = {"flags": "source_confounded"}


@pytest.mark.parametrize(("effect", "word"), [(2.0, "agrees"), (-2.0, "is opposite")])
def test_groups_from_different_sources_are_never_the_sole_basis(effect, word):
    found = verdict_on(both(effect, **APART))
    assert found.verdict == "inconclusive"
    assert found.reason == f"the rule {word}: but case and control always come from different projects"
    assert found.effect == pytest.approx(effect)  # shown all the same


def test_nor_do_they_show_that_there_is_no_effect():
    found = verdict_on(both(0.0, **APART))
    assert found.verdict == "inconclusive"
    assert found.reason == (
        "a precise estimate within the margin, but case and control always come from different projects"
    )
    assert verdict_on(NULL).verdict == "not_supported"


def test_beside_a_cohort_of_one_source_they_count():
    assert verdict_on([UP[0], evidence("b", 2.0, **APART)]).verdict == "supported"
    assert verdict_on([DOWN[0], evidence("b", -2.0, **APART)]).verdict == "contradicted"


def test_an_invalid_row_of_one_source_is_no_basis():
    rows = [evidence("a", 2.0, **APART), evidence("b", None, None, outcome="invalid")]
    assert verdict_on(rows).verdict == "inconclusive"


def test_other_flags_are_no_matter():
    assert verdict_on(both(2.0, flags="source_confounded,circular_members")).verdict == "inconclusive"
    assert verdict_on(both(2.0, flags="circular_members")).verdict == "supported"


PARTS = ("first", "second")


def in_two_parts(first, second, first_flags="", second_flags=""):
    decision = {"rule": "conjunction", "parts": {name: {"rule": "pooled"} for name in PARTS}}
    a_study = study(claim(*(expression_test(name) for name in PARTS), decision=decision))
    rows = [
        evidence(name, effect, test=test, flags=flags)
        for test, effect, flags in zip(PARTS, (first, second), (first_flags, second_flags), strict=True)
        for name in "ab"
    ]
    return verdict_on(rows, a_study)


def test_a_part_that_rests_on_different_sources_alone_decides_no_conjunction():
    assert in_two_parts(2.0, 2.0).verdict == "supported"
    assert in_two_parts(2.0, 2.0, second_flags="source_confounded").verdict == "inconclusive"


def test_a_conjunction_is_opposite_by_a_part_of_one_source():
    assert in_two_parts(-2.0, 2.0).verdict == "contradicted"
    assert in_two_parts(-2.0, 2.0, first_flags="source_confounded").verdict == "inconclusive"
    assert in_two_parts(-2.0, 2.0, second_flags="source_confounded").verdict == "contradicted"


def scores(effect, role, test="set_up"):
    """Normalised enrichment scores: no error, no interval."""
    name = "normalised_enrichment_score"
    return [
        evidence(one, effect, None, test=test, role=role, analysis="gene_set_enrichment", effect_name=name)
        for one in "ab"
    ]


def with_scores(role):
    values = study_values(claim(expression_test(), enrichment_test(role=role)))
    return Study.model_validate(values | {"gene_sets": {"ifn": ["GENE2"]}})


@pytest.mark.parametrize("role", ["supporting", "sensitivity"])
@pytest.mark.parametrize("effect", [-3.0, 3.0])
def test_an_enrichment_score_is_shown_and_judged_by_no_rule(role, effect):
    found = assessed(with_scores(role), [*UP, *scores(effect, role)])
    assert found.claims[0].verdict == "supported"
    shown = [row for row in found.evidence if row.test == "set_up"]
    assert [(row.outcome, row.effect) for row in shown] == [("unclear", effect)] * 2


def test_a_score_among_sensitivity_tests_does_not_stand_in_the_way_of_a_contradiction():
    assert (
        verdict_on([*DOWN, *scores(3.0, "sensitivity")], with_scores("sensitivity")).verdict == "contradicted"
    )


def test_direction_only_decides_nothing():
    assert (
        verdict_on(both(5.0, None, flags="one_replicate", groups={"case": 1, "control": 1})).verdict
        == "inconclusive"
    )


@pytest.mark.parametrize(("smallest", "outcome"), [(2, "unclear"), (3, "agrees")])
def test_two_replicates_need_an_effect_of_one(smallest, outcome):
    for groups in ({"case": smallest, "control": 9}, {"case": 9, "control": 9, "smallest_cell": smallest}):
        rows = assessed(study(), both(0.8, 0.2, groups=groups)).evidence
        assert {row.outcome for row in rows} == {outcome}


# Numbers of an estimate


def test_what_is_not_finite_is_no_number():
    numbers = {"effect": 1.0, "se": np.nan, "ci_low": -np.inf, "ci_high": np.inf, "q_value": 0.2, "mean": 7.0}
    found = Estimate("method", "GENE1", "log2_fold_change", n=3).with_numbers(numbers, np.nan)
    assert found == Estimate("method", "GENE1", "log2_fold_change", n=3, effect=1.0, q_value=0.2)
    assert found.with_numbers({"statistic": 2.0}, 0.01) == Estimate(
        "method", "GENE1", "log2_fold_change", n=3, statistic=2.0, p_value=0.01
    )


# Claims without a test, and the table


def test_untested_claims_say_why():
    a_study = study(
        claim(),
        {
            "id": "C2",
            "statement": "Mice live longer.",
            "where": "results",
            "not_testable": "an outcome in mice",
        },
        {"id": "C3", "statement": "ERK falls.", "where": "results", "no_public_data": "a time course"},
    )
    found = assessed(a_study, UP)
    verdicts = {row.claim: (row.verdict, row.reason) for row in found.claims}
    assert verdicts["C2"] == ("not_testable", "an outcome in mice")
    assert verdicts["C3"] == ("no_public_data", "a time course")
    untested = found.claims[1]
    assert (untested.data, untested.tier, untested.rule, untested.effect) == (None, None, None, None)
    assert (untested.p_value, untested.n_tests, untested.post_hoc) == (None, 0, False)


def test_claims_keep_the_order_of_the_study():
    claims, rows = unclear_claims(3)
    found = assessed(study(claims[2], claim(), claims[0], claims[1]), [*rows, *UP])
    assert [row.claim for row in found.claims] == ["N2", "C1", "N0", "N1"]


@pytest.mark.parametrize(
    ("kinds", "data"),
    [
        (("public", "public"), "public"),
        (("simulated", "public"), "simulated"),
        (("local", "simulated"), "simulated"),
        (("local", "public"), "public"),
        (("local", "local"), "local"),
    ],
)
def test_a_verdict_says_what_kind_of_data_it_rests_on(kinds, data):
    rows = [evidence(name, 2.0, data=kind) for name, kind in zip("ab", kinds, strict=True)]
    found = verdict_on(rows)
    assert found.data == data
    assert found.reason.startswith("SIMULATED data: ") == (data == "simulated")


def test_every_verdict_is_explained():
    assert set(MEANING) == set(VERDICTS)


def test_the_table_of_claims_has_the_columns_of_the_contract():
    table = claims_table(assessed(study(), UP).claims)
    contract = (
        "run data study claim statement verdict tier rule effect ci_low ci_high p_value n_tests n_agrees "
        "n_opposite n_unclear null_rate background_rate post_hoc reason"
    )
    assert list(table.columns) == contract.split()
    assert list(claims_table([]).columns) == contract.split()
    assert isinstance(table, pd.DataFrame)


def test_the_same_evidence_gives_the_same_verdict_in_any_order():
    many = study(claim(decision={"rule": "prevalence", "share": "many"}))
    generator = np.random.default_rng(1)
    rows = [evidence("ab"[i % 2], e, 0.3, stratum=str(i)) for i, e in enumerate(generator.normal(1, 1, 12))]
    first, again = verdict_on(rows, many), verdict_on(rows, many)
    assert first == again
    assert verdict_on(UP[::-1]).p_value == pytest.approx(verdict_on(UP).p_value)


# --- Tissue mixture -----------------------------------------------------------------------------------


def pair_study(*others: dict, adjust: list[str] | None = None) -> Study:
    pair = {
        "id": "up",
        "role": "primary",
        "analysis": "coexpression",
        "datasets": ["a", "b"],
        "features": [{"gene": "GENE1"}, {"gene": "GENE2"}],
        "adjust": adjust or [],
        "expected": "positive",
    }
    values = study_values(claim(pair, *(pair | other for other in others)))
    series = {name: geo_dataset(series=f"GSE{number}") for number, name in enumerate("ab", 1)}
    return Study.model_validate(values | {"datasets": series, "gene_sets": {"myeloid": ["CD68", "CD14"]}})


def pair_rows(rho, test="up", role="primary", flags="tissue_mixture", se=0.1):
    rows = [
        evidence(name, rho, se, test=test, role=role, flags=flags, effect_name="spearman_rho", groups={})
        for name in "ab"
    ]
    return [
        row.model_copy(
            update={"ci_low": np.tanh(np.arctanh(rho) - 2 * se), "ci_high": np.tanh(np.arctanh(rho) + 2 * se)}
        )
        for row in rows
    ]


ADJUSTED = {"id": "given", "role": "sensitivity", "adjust": ["myeloid"]}


def test_a_correlation_that_holds_given_the_cell_type_is_supported():
    rows = pair_rows(0.6) + pair_rows(0.5, "given", "sensitivity", "")
    assert verdict_on(rows, pair_study(ADJUSTED)).verdict == "supported"


@pytest.mark.parametrize("given", [0.05, -0.3])
def test_a_correlation_that_the_cell_type_takes_away_is_inconclusive(given):
    rows = pair_rows(0.6) + pair_rows(given, "given", "sensitivity", "")
    found = verdict_on(rows, pair_study(ADJUSTED))
    assert found.verdict == "inconclusive"
    assert "beyond the share of a kind of cell" in found.reason


def test_a_correlation_in_bulk_that_is_not_repeated_is_consistent():
    found = verdict_on(pair_rows(0.6), pair_study())
    assert found.verdict == "consistent"
    assert "not repeated with a score of cell types" in found.reason
    purity_only = ADJUSTED | {"adjust": ["purity"]}
    rows = pair_rows(0.6) + pair_rows(0.5, "given", "sensitivity")
    assert verdict_on(rows, pair_study(purity_only)).verdict == "consistent"


def test_what_vanishes_given_a_possible_mediator_is_inconclusive_and_not_refuted():
    found = verdict_on(pair_rows(0.01, flags="", se=0.03), pair_study(adjust=["myeloid"]))
    assert found.verdict == "inconclusive"
    assert "may lie between the two" in found.reason
    assert verdict_on(pair_rows(0.01, se=0.03), pair_study()).verdict == "not_supported"


def test_a_group_of_patients_needs_no_comparable_genes():
    rows = [evidence(name, 0.9, 0.15, effect_name="log_hazard_ratio_groups", n_events=80) for name in "ab"]
    needs_none = Calibration(0.0, 0.004, None, needs_background=False)
    assert verdict_on(rows, calibration=needs_none).verdict == "supported"
    lacking = Calibration(0.0, 0.004, None, gap="too few genes")
    found = verdict_on(rows, calibration=lacking)
    assert found.verdict == "consistent"
    assert "not calibrated against comparable genes: too few genes" in found.reason


# The p-value of a single cohort


def of_one(own_p: float | None, decision: dict[str, str] | None = None, **changes) -> float:
    """The claimed p-value of one cohort with an effect of 0.3 +- 0.1, whose row has a p-value of its own."""
    gate = expression_test("control", "gate", passes={"at_least": 1.0})
    a_study = study(claim(expression_test(), gate, decision=decision or {"rule": "pooled"}))
    row = evidence("a", 0.3, 0.1, p_value=own_p, **changes)
    return float(judge(a_study.claims[0], "up", [row], seed=1).p_claimed[0])


def test_a_p_value_counted_over_draws_or_students_is_the_claims():
    assert of_one(0.04, analysis="dependency") == 0.04
    assert of_one(0.04, analysis="peak_colocalization") == 0.04
    assert of_one(0.04) == pytest.approx(stats.norm.sf(3))  # elsewhere that of the interval
    assert of_one(None, analysis="dependency") == pytest.approx(stats.norm.sf(3))


def test_such_a_p_value_is_about_zero_and_not_about_a_margin():
    equal = {"rule": "equivalence", "positive_control": "control"}
    assert of_one(0.04, equal, analysis="dependency") == of_one(None, equal, analysis="dependency")
    assert of_one(0.04, equal, analysis="dependency") == pytest.approx(stats.norm.sf(2))  # from 0.3 to 0.5
