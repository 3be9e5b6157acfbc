"""Do two alterations exclude each other? Who counts, the estimate of a pair, and full results."""

import numpy as np
import pytest
from builders import background, cohort, setting
from scipy import optimize, stats

from reclaim.analyses.mutual_exclusivity import every_partner, genes_of, mutual_exclusivity
from reclaim.claim_tests import MutualExclusivity
from reclaim.evidence import FLAGS
from reclaim.mutations import Cohort


def pair_test(first: dict | None = None, second: dict | None = None, **keys) -> MutualExclusivity:
    return MutualExclusivity(
        **{
            "id": "exclusive",
            "role": "primary",
            "datasets": ["a"],
            "analysis": "mutual_exclusivity",
            "features": [{"gene": "KRAS"} | (first or {}), {"gene": "RB1"} | (second or {})],
            "expected": "negative",
            **keys,
        }
    )


def exclusivity(a_cohort: Cohort, minimum: int = 0, **keys):
    return mutual_exclusivity(pair_test(**keys), a_cohort, minimum)


def pair_cohort(neither: int, only_first: int, only_second: int, both: int, depth: int = 2) -> Cohort:
    """Patients in the order of the arguments, with 1 to `depth` mutations elsewhere."""
    first = np.repeat([False, True, False, True], [neither, only_first, only_second, both])
    second = np.repeat([False, False, True, True], [neither, only_first, only_second, both])
    mutations = [m for i in range(len(first)) for m in background(f"S{i}", 1 + i % depth)]
    mutations += [(f"S{i}", "KRAS") for i in np.flatnonzero(first)]
    mutations += [(f"S{i}", "RB1") for i in np.flatnonzero(second)]
    return cohort(len(first), mutations)


# The estimate of one pair


def penalised(beta: np.ndarray, design: np.ndarray, outcome: np.ndarray) -> float:
    """Log-likelihood with Jeffreys' penalty, half the log determinant of the information."""
    linear = design @ beta
    p = 1 / (1 + np.exp(-linear))
    information = design.T @ (design * (p * (1 - p))[:, None])
    return float((outcome * linear - np.logaddexp(0, linear)).sum() + 0.5 * np.linalg.slogdet(information)[1])


def test_counts_of_a_pair():
    found = exclusivity(pair_cohort(40, 12, 9, 3))
    assert (found.n, found.n_events) == (64, 3)
    cells = {"neither": 40, "only_first": 12, "only_second": 9, "both": 3}
    assert found.groups == {"assayed": 64, "below_call_depth": 0, **cells}
    assert found.feature == "KRAS mutation and RB1 mutation"
    assert found.effect_name == "log_odds_ratio"
    assert (found.valid, found.note) == (True, "")


def test_adjusted_effect_is_the_coefficient_of_the_first_alteration():
    a_cohort = pair_cohort(40, 12, 9, 3, depth=5)
    found = exclusivity(a_cohort)
    first = np.repeat([0.0, 1, 0, 1], [40, 12, 9, 3])
    second = np.repeat([0.0, 0, 1, 1], [40, 12, 9, 3])
    burden = np.log10(1 + np.arange(64) % 5 + 1)
    design = np.column_stack([np.ones(64), first, burden])
    best = optimize.minimize(lambda b: -penalised(b, design, second), np.zeros(3), tol=1e-10).x
    assert found.effect == pytest.approx(best[1], abs=1e-4)
    assert found.ci_low == pytest.approx(found.effect - 1.96 * found.se)
    assert found.ci_high == pytest.approx(found.effect + 1.96 * found.se)


def test_burden_that_tells_nothing_apart_is_left_out_of_the_regression_and_the_note_says_so():
    same = pair_cohort(20, 9, 6, 3, depth=1)
    follows = cohort(38, [("S0", "KRAS"), ("S0", "BACKGROUND0"), ("S1", "RB1"), ("S2", "RB1")])
    assert exclusivity(same).effect == pytest.approx(np.log((20.5 * 3.5) / (9.5 * 6.5)))
    assert exclusivity(follows).effect == pytest.approx(np.log((35.5 * 0.5) / (1.5 * 2.5)))
    assert "Not adjusted" in exclusivity(same).note
    assert "Not adjusted" in exclusivity(follows).note
    assert exclusivity(pair_cohort(20, 9, 6, 3, depth=3)).note == ""


def test_burden_explains_a_pair_that_only_goes_with_many_mutations():
    # Both alterations sit in the patients with many mutations, independently of each other there.
    deep = [m for i in range(40) for m in background(f"S{i}", 200)]
    shallow = [m for i in range(40, 100) for m in background(f"S{i}", 5)]
    first = [(f"S{i}", "KRAS") for i in range(20)] + [("S50", "KRAS")]
    second = [(f"S{i}", "RB1") for i in (*range(10), *range(20, 30))] + [("S60", "RB1")]
    a_cohort = cohort(100, deep + shallow + first + second)
    naive, adjusted = exclusivity(a_cohort, adjust="none"), exclusivity(a_cohort)
    assert naive.ci_low > 0
    assert naive.effect > 1.5
    assert adjusted.ci_low < 0 < adjusted.ci_high
    assert abs(adjusted.effect) < 0.7


@pytest.mark.parametrize("expected", ["negative", "positive"])
def test_the_adjusted_p_value_is_one_sided_in_the_claimed_direction(expected):
    found = exclusivity(pair_cohort(40, 12, 9, 3), expected=expected)
    z = found.effect / found.se
    assert found.p_value == pytest.approx(stats.norm.cdf(z if expected == "negative" else -z))


def test_unadjusted_is_fishers_test_on_the_log_scale_with_a_two_sided_p_value():
    # golden/fisher.tsv, first row: 1.494920 (0.380405 to 5.012148), p 0.538084
    found = exclusivity(pair_cohort(90, 20, 15, 5), adjust="none")
    assert found.effect == pytest.approx(np.log(1.494920), abs=1e-3)
    assert found.ci_low == pytest.approx(np.log(0.380405), abs=1e-3)
    assert found.ci_high == pytest.approx(np.log(5.012148), abs=1e-3)
    assert found.p_value == pytest.approx(0.538084, abs=1e-5)
    assert "two-sided" in found.note
    assert "Fisher" in found.method


def test_an_empty_cell_has_no_finite_unadjusted_odds_ratio_and_says_so():
    found = exclusivity(pair_cohort(50, 10, 12, 0), adjust="none")
    assert (found.effect, found.ci_low, found.se) == (None, None, None)
    assert found.ci_high == pytest.approx(np.log(2.191291), abs=1e-3)  # golden/fisher.tsv, third row
    assert "no finite odds ratio" in found.note
    adjusted = exclusivity(pair_cohort(50, 10, 12, 0))
    assert adjusted.effect < 0
    assert np.isfinite([adjusted.effect, adjusted.se, adjusted.ci_low, adjusted.ci_high]).all()


# Who counts


def test_the_gate_is_computed_without_either_gene():
    # S0 has two mutations in each tested gene and one elsewhere, S1 three elsewhere.
    mutations = [
        ("S0", "KRAS"),
        ("S0", "KRAS"),
        ("S0", "RB1"),
        ("S0", "RB1"),
        *background("S0", 1),
        *background("S1", 3),
    ]
    found = exclusivity(cohort(2, mutations), minimum=3)
    assert (found.n, found.groups["below_call_depth"], found.groups["neither"]) == (1, 1, 1)
    assert "call_depth" in found.flags
    assert exclusivity(cohort(2, mutations), minimum=3, call_depth_gate=False).n == 2


def test_patients_must_be_assayed_for_both():
    a_cohort = cohort(
        8,
        [(f"S{i}", "KRAS") for i in range(4)],
        [("S0", "RB1", -2), ("S5", "RB1", -2)],
        not_sequenced=["S7"],
        without_copy_number=["S3"],
    )
    found = exclusivity(a_cohort, second={"copy_number": "deep_deletion"})
    assert found.n == 6
    cells = [found.groups[name] for name in ("neither", "only_first", "only_second", "both")]
    assert cells == [2, 2, 1, 1]
    assert exclusivity(a_cohort, first={"copy_number": "amplification"}).n == 6


@pytest.mark.parametrize(
    ("mutations", "told"),
    [
        ([("S0", "KRAS")], "KRAS mutation: 1 of 6 patients; RB1 mutation: 0 of 6."),
        ([("S0", "RB1")], "KRAS mutation: 0 of 6 patients; RB1 mutation: 1 of 6."),
        ([("S0", "RB1"), *((f"S{i}", "KRAS") for i in range(6))], "KRAS mutation: 6 of 6 patients"),
        ([("S0", "KRAS"), *((f"S{i}", "RB1") for i in range(6))], "RB1 mutation: 6 of 6."),
    ],
)
@pytest.mark.parametrize("adjust", ["burden", "none"])
def test_an_alteration_of_all_or_of_nobody_is_invalid_with_a_flag(mutations, told, adjust):
    found = exclusivity(cohort(6, mutations), adjust=adjust)
    assert (found.valid, found.effect) == (False, None)
    assert "single_class" in found.flags
    assert told in found.note


def test_no_patient_above_the_gate_is_invalid():
    found = exclusivity(pair_cohort(9, 3, 3, 3), minimum=50)
    assert (found.valid, found.n) == (False, 0)
    assert found.flags == ("call_depth", "no_patients")


def test_a_cohort_without_copy_number_calls_is_invalid_for_a_copy_number():
    a_cohort = cohort(2, [("S0", "KRAS"), ("S1", "RB1")], without_copy_number=["S0", "S1"])
    found = exclusivity(a_cohort, second={"copy_number": "deep_deletion"})
    assert (found.valid, found.flags) == (False, ("no_copy_number",))


def test_a_cohort_without_patients_does_not_blame_copy_number():
    found = exclusivity(Cohort.empty())
    assert (found.valid, found.n) == (False, 0)
    assert "no_patients" in found.flags
    assert "copy-number" not in found.note


def test_few_expected_patients_with_both_are_flagged():
    # Expected with both: n x share x share. 100 x 0.25 x 0.2 = 5 is enough, 100 x 0.25 x 0.16 = 4 is not.
    enough = exclusivity(pair_cohort(60, 20, 15, 5))
    few = exclusivity(pair_cohort(63, 21, 12, 4))
    assert (enough.flags, few.flags) == ((), ("few_events",))
    assert few.valid


def test_a_gene_that_is_not_listed_is_flagged_once():
    found = exclusivity(cohort(4, [("S0", "TP53")]))
    assert found.flags == ("gene_not_listed", "single_class")
    assert set(found.flags) <= set(FLAGS)


def test_genes_that_a_test_names():
    assert genes_of(pair_test()) == ["KRAS", "RB1"]


# Full results: every partner at once, against one by one


def random_cohort(seed: int) -> Cohort:
    generator = np.random.default_rng(seed)
    genes = ["RB1", "KRAS", "TP53", "CDKN2A", "SMAD4", "TTN", "MUC16", "ARID1A"]
    chance = np.array([3, 12, 10, 4, 4, 8, 6, 2]) / 49
    mutations = [
        (f"S{s}", str(generator.choice(genes, p=chance)), str(generator.choice(["Missense_Mutation", "Nonsense_Mutation", "Silent"])))
        for s in range(160)
        for _ in range(generator.integers(0, 12))
    ]  # fmt: skip
    calls = {
        (f"S{generator.integers(160)}", str(generator.choice(genes)), int(generator.choice([-2, -1, 2])))
        for _ in range(700)
    }
    return cohort(160, mutations, sorted(calls), not_sequenced=["S7"], without_copy_number=["S1", "S2", "S3"])


KINDS = [
    {},
    {"consequence": "truncating"},
    {"copy_number": "deep_deletion"},
    {"consequence": "truncating", "copy_number": "deep_deletion"},
]


@pytest.mark.parametrize("minimum", [0, 3, 5])
@pytest.mark.parametrize("second", KINDS, ids=lambda keys: "+".join(keys.values()) or "any")
def test_every_partner_at_once_is_every_partner_alone(second, minimum):
    a_cohort = random_cohort(minimum)
    table = every_partner(pair_test(second=second), a_cohort, minimum, setting())
    kind = pair_test(second=second).features[1].label.removeprefix("RB1")
    partners = [
        row.feature.removeprefix("KRAS mutation and ").removesuffix(kind) for row in table.itertuples()
    ]
    assert "RB1" in partners
    assert "KRAS" not in partners
    assert len(set(partners)) == len(partners) >= 3
    for gene, row in zip(partners, table.itertuples(), strict=True):
        alone = exclusivity(a_cohort, minimum, second=second | {"gene": gene})
        assert (row.n, row.n_events) == (alone.n, alone.n_events)
        neither, only_first, only_second, both = (
            alone.groups[name] + 0.5 for name in ("neither", "only_first", "only_second", "both")
        )
        assert row.effect == pytest.approx(np.log(neither * both / (only_first * only_second)))
        assert row.se == pytest.approx(np.sqrt(1 / neither + 1 / only_first + 1 / only_second + 1 / both))
        assert (row.ci_low, row.ci_high) == pytest.approx(
            (row.effect - 1.96 * row.se, row.effect + 1.96 * row.se)
        )


def test_partners_have_five_carriers_and_the_subject_is_always_listed():
    mutations = [(f"S{i}", "KRAS") for i in range(0, 20, 2)]
    mutations += [(f"S{i}", "FIVE") for i in range(5)] + [(f"S{i}", "FOUR") for i in range(4)]
    mutations += [("S3", "RB1")]
    table = every_partner(pair_test(), cohort(20, mutations), 0, setting())
    assert list(table["feature"]) == ["KRAS mutation and FIVE mutation", "KRAS mutation and RB1 mutation"]


def test_a_subject_without_carriers_is_listed_without_an_effect():
    table = every_partner(pair_test(), cohort(6, [("S0", "KRAS")]), 0, setting())
    assert list(table["feature"]) == ["KRAS mutation and RB1 mutation"]
    assert np.isnan(table["effect"][0])
    assert np.isnan(table["ci_low"][0])


def test_two_changes_of_one_gene_can_be_held_against_each_other():
    mutations = [("S0", "KRAS", "Missense_Mutation", "G12D"), ("S1", "KRAS", "Missense_Mutation", "G12V")]
    keys = {"first": {"protein_change": "G12D"}, "second": {"gene": "KRAS", "protein_change": "G12V"}}
    a_cohort = cohort(6, mutations)
    alone = exclusivity(a_cohort, **keys)
    table = every_partner(pair_test(**keys), a_cohort, 0, setting())
    assert list(table["feature"]) == ["KRAS G12D and KRAS G12V"]
    assert (table["n"][0], table["n_events"][0]) == (alone.n, alone.n_events) == (6, 0)
    assert table["effect"][0] == pytest.approx(np.log(4.5 * 0.5 / 1.5**2))


def test_full_results_of_an_empty_cohort_have_no_effect():
    table = every_partner(pair_test(), Cohort.empty(), 3, setting())
    assert list(table["n"]) == [0]
    assert np.isnan(table["effect"][0])
