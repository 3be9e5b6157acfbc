"""Share of patients with an alteration: denominators, the call-depth gate, notes and full results."""

import numpy as np
import pytest
from builders import background, cohort, setting

from reclaim.analyses.mutation_frequency import every_feature, genes_of, mutation_frequency
from reclaim.analyses.on_mutations import restrict
from reclaim.claim_tests import MutationFrequency
from reclaim.evidence import FLAGS
from reclaim.mutations import Cohort


def share(a_cohort: Cohort, minimum: int = 0, **keys):
    return mutation_frequency(frequency_test(**keys), a_cohort, minimum)


def frequency_test(feature: dict | None = None, **keys) -> MutationFrequency:
    return MutationFrequency(
        id="share",
        role="primary",
        datasets=["a"],
        analysis="mutation_frequency",
        feature={"gene": "RB1"} | (feature or {}),
        **keys,
    )


# The share and its interval


def test_share_of_patients_with_its_exact_interval():
    found = share(cohort(177, [("S0", "RB1")]))
    assert (found.n, found.n_events, found.effect) == (177, 1, pytest.approx(1 / 177))
    assert found.ci_low == pytest.approx(0.000143, abs=1e-6)
    assert found.ci_high == pytest.approx(0.031075, abs=1e-6)
    assert (found.effect_name, found.se, found.valid, found.flags, found.note) == (
        "share",
        None,
        True,
        (),
        "",
    )
    assert found.feature == "RB1 mutation"


def test_the_denominator_is_the_sample_table_and_not_the_patients_with_a_mutation():
    # 10 sequenced patients, of whom 4 have any mutation at all and 2 the tested one.
    mutations = [("S0", "RB1"), ("S1", "RB1"), ("S2", "TP53"), ("S3", "TP53")]
    found = share(cohort(10, mutations))
    assert (found.n_events, found.n) == (2, 10)
    with_mutation = {sample for sample, _ in mutations}
    assert found.n > len(with_mutation)


def test_patients_who_were_not_sequenced_do_not_count():
    found = share(cohort(10, [("S0", "RB1"), ("S9", "RB1")], not_sequenced=["S8", "S9"]))
    assert (found.n_events, found.n) == (1, 8)


def test_several_mutations_of_a_patient_count_once():
    assert share(cohort(4, [("S0", "RB1")] * 3)).n_events == 1


def test_nobody_and_everybody():
    nobody = share(cohort(72, [("S0", "TP53")], [("S0", "RB1", -1)]))
    assert (nobody.effect, nobody.ci_low) == (0, 0)
    assert nobody.ci_high == pytest.approx(1 - 0.025 ** (1 / 72))
    everybody = share(cohort(23, [(f"S{i}", "RB1") for i in range(23)]))
    assert (everybody.effect, everybody.ci_high) == (1, 1)
    assert everybody.ci_low == pytest.approx(0.025 ** (1 / 23))


# The call-depth gate


def gated_cohort() -> Cohort:
    """Five patients with 3, 3, 2, 0 and 3 mutations outside RB1; S0, S2 and S3 carry RB1."""
    mutations = [
        mutation
        for sample, n in zip(range(5), (3, 3, 2, 0, 3), strict=True)
        for mutation in background(f"S{sample}", n)
    ]
    return cohort(5, [*mutations, ("S0", "RB1"), ("S2", "RB1"), ("S2", "RB1"), ("S3", "RB1")])


def test_patients_below_the_call_depth_are_left_out_and_counted():
    found = share(gated_cohort(), minimum=3)
    assert (found.n_events, found.n) == (1, 3)  # S0 of S0, S1, S4
    assert found.groups == {"assayed": 5, "below_call_depth": 2, "altered_below_call_depth": 2}
    assert found.flags == ("call_depth",)
    assert (
        found.note
        == "Left out: 2 of 5 patients with fewer than 3 other non-silent mutations (2 of them altered)."
    )


def test_the_gate_is_computed_without_the_tested_gene():
    # S2 has two mutations elsewhere and two in RB1: with its own gene it would pass a gate of 3 or 4.
    # A gate that counted them would keep just the altered ones of the shallow patients.
    assert share(gated_cohort(), minimum=3).n == 3
    assert share(gated_cohort(), minimum=2).n == 4


def test_the_gate_is_inclusive():
    exactly = cohort(2, [*background("S0", 20), *background("S1", 19)])
    assert share(exactly, minimum=20).n == 1


def test_silent_mutations_show_no_call_depth():
    silent = cohort(2, [(*mutation, "Silent") for mutation in background("S0", 9)] + background("S1", 9))
    assert share(silent, minimum=9).n == 1


def test_the_gate_can_be_switched_off():
    found = share(gated_cohort(), minimum=3, call_depth_gate=False)
    assert (found.n_events, found.n, found.flags) == (3, 5, ())


def test_a_gate_that_nobody_passes_is_invalid():
    found = share(gated_cohort(), minimum=99)
    assert (found.n, found.effect, found.valid) == (0, None, False)
    assert found.flags == ("call_depth", "no_patients")
    assert found.groups["below_call_depth"] == 5


# Among


def test_only_patients_with_the_other_alteration_count():
    a_cohort = cohort(6, [("S0", "KRAS"), ("S1", "KRAS"), ("S2", "KRAS"), ("S0", "RB1"), ("S5", "RB1")])
    found = share(a_cohort, among={"gene": "KRAS"})
    assert (found.n_events, found.n) == (1, 3)
    assert found.feature == "RB1 mutation among KRAS mutation"
    assert found.groups["assayed"] == 3


def test_the_gate_leaves_out_the_gene_that_defines_the_denominator():
    # Every patient of the denominator has a KRAS mutation: it tells nothing about the depth of calls.
    a_cohort = cohort(2, [("S0", "KRAS"), ("S1", "KRAS"), *background("S1", 1), ("S0", "RB1")])
    found = share(a_cohort, minimum=1, among={"gene": "KRAS"})
    assert (found.n_events, found.n) == (0, 1)


def test_without_anybody_in_the_denominator_the_share_is_invalid():
    found = share(cohort(6, [("S0", "RB1")]), among={"gene": "KRAS"})
    assert (found.n, found.valid, found.flags) == (0, False, ("no_denominator",))


# Copy number


def test_patients_without_copy_number_calls_do_not_count_for_a_copy_number():
    a_cohort = cohort(
        6, [("S5", "RB1", "Nonsense_Mutation")], [("S0", "RB1", -2)], without_copy_number=["S4", "S5"]
    )
    found = share(a_cohort, feature={"consequence": "truncating", "copy_number": "deep_deletion"})
    assert (found.n_events, found.n) == (1, 4)  # the truncated S5 has no copy-number calls
    assert (share(a_cohort, feature={"consequence": "truncating"}).n_events) == 1
    assert share(a_cohort, feature={"consequence": "truncating"}).n == 6


def test_a_cohort_without_copy_number_calls_is_invalid_for_a_copy_number():
    a_cohort = cohort(3, [("S0", "RB1")], without_copy_number=["S0", "S1", "S2"])
    found = share(a_cohort, feature={"copy_number": "deep_deletion"})
    assert (found.valid, found.effect, found.flags) == (False, None, ("no_copy_number",))
    assert found.note
    assert share(a_cohort).valid


def test_a_cohort_without_patients_is_invalid():
    found = share(Cohort.empty())
    assert (found.valid, found.n) == (False, 0)
    assert "no_patients" in found.flags


# Flags and notes


def test_a_gene_that_is_nowhere_listed_is_flagged_and_counts_as_not_altered():
    found = share(cohort(4, [("S0", "TP53")]))
    assert (found.n_events, found.n, found.flags) == (0, 4, ("gene_not_listed",))


def test_flags_are_known_codes():
    for found in (
        share(gated_cohort(), minimum=99),
        share(cohort(2)),
        share(cohort(2, [("S0", "RB1")]), among={"gene": "KRAS"}),
        share(cohort(1, without_copy_number=["S0"]), feature={"copy_number": "amplification"}),
    ):
        assert found.flags
        assert set(found.flags) <= set(FLAGS)


def test_a_narrow_feature_names_the_patients_with_other_changes_of_the_gene():
    a_cohort = cohort(
        8,
        [
            ("S0", "RB1", "Nonsense_Mutation", "R320*"),
            ("S1", "RB1", "Missense_Mutation", "R661W"),
            ("S1", "RB1", "Missense_Mutation", "C706F"),
            ("S2", "RB1", "Silent", "L1L"),
            *background("S1", 12),
        ],
    )
    found = share(a_cohort, feature={"consequence": "truncating"})
    assert found.note == "Other changes of RB1, not counted: P-S1 (C706F, R661W; 12 other mutations)."
    assert share(a_cohort).note == ""


def test_the_note_names_five_patients_and_counts_the_rest():
    seven = cohort(9, [(f"S{i}", "RB1", "Missense_Mutation", "R661W") for i in range(7)])
    note = share(seven, feature={"consequence": "truncating"}).note
    assert note.count("R661W") == 5
    assert note.endswith("and 2 more patients.")


def test_genes_that_a_test_names():
    assert genes_of(frequency_test()) == ["RB1"]
    assert genes_of(frequency_test(among={"gene": "KRAS"})) == ["RB1", "KRAS"]


# A test's own filter on samples


def test_a_test_may_look_at_some_patients_only():
    a_cohort = cohort(
        6,
        [("S0", "RB1", "Nonsense_Mutation"), ("S1", "RB1", "Missense_Mutation", "R661W"), ("S3", "RB1")],
        clinical={"SEX": ["F", "F", "F", "M", "M", "M"]},
    )
    test = frequency_test({"consequence": "truncating"}, samples={"SEX": "F"})
    found = mutation_frequency(test, restrict(a_cohort, test), 0)
    assert (found.n_events, found.n) == (1, 3)
    assert "P-S1" in found.note
    assert "P-S3" not in found.note  # who carries another change, but is a man
    assert found.flags == ()
    table = every_feature(test, restrict(a_cohort, test), 0, setting())
    assert list(table["n"]) == [3]


# Full results: every comparable feature at once, against one by one


def random_cohort(seed: int) -> Cohort:
    """60 patients of unequal depth, some without copy number or not sequenced, few genes."""
    generator = np.random.default_rng(seed)
    genes = ["RB1", "KRAS", "TP53", "CDKN2A", "SMAD4", "TTN", "MUC16", "ARID1A"]
    chance = np.array([3, 12, 10, 4, 4, 8, 6, 2]) / 49
    classes = ["Missense_Mutation", "Nonsense_Mutation", "Frame_Shift_Del", "Silent"]
    changes = ["G12C", "G12D", "G12V", "R100*", ""]
    mutations = [
        (f"S{s}", *(str(generator.choice(x, p=p)) for x, p in ((genes, chance), (classes, None), (changes, None))))
        for s in range(60)
        for _ in range(generator.integers(0, 7))
    ]  # fmt: skip
    calls = {
        (f"S{generator.integers(60)}", str(generator.choice(genes)), int(generator.choice([-2, -1, 1, 2])))
        for _ in range(60)
    }
    return cohort(
        60,
        mutations,
        sorted(calls),
        not_sequenced=["S7", "S8"],
        without_copy_number=["S1", "S2", "S3", "S8", "S9"],
    )


FEATURES = [
    {},
    {"consequence": "truncating"},
    {"copy_number": "deep_deletion"},
    {"copy_number": "amplification", "consequence": "non_silent"},
    {"consequence": "truncating", "copy_number": "deep_deletion"},
    {"protein_change": "G12C", "consequence": "truncating"},
]


@pytest.mark.parametrize("among", [None, {"gene": "KRAS"}, {"gene": "RB1"}], ids=["all", "KRAS", "RB1"])
@pytest.mark.parametrize("minimum", [0, 2, 4])
@pytest.mark.parametrize("feature", FEATURES, ids=lambda keys: "+".join(map(str, keys)) or "any")
def test_every_gene_at_once_is_every_gene_alone(feature, minimum, among):
    a_cohort = random_cohort(len(feature) + minimum)
    table = every_feature(frequency_test(feature, among=among), a_cohort, minimum, setting())
    assert f"{frequency_test(feature).feature.label}" in set(table["feature"])
    assert table["feature"].is_unique
    kind = frequency_test(feature).feature.label.removeprefix("RB1")
    for row in table.itertuples():
        gene = row.feature.removesuffix(kind)
        alone = share(a_cohort, minimum, feature=feature | {"gene": gene}, among=among)
        assert (row.n, row.n_events) == (alone.n, alone.n_events or 0)
        if alone.valid:
            assert (row.effect, row.ci_low, row.ci_high) == (alone.effect, alone.ci_low, alone.ci_high)
        else:
            assert np.isnan(row.effect)


@pytest.mark.parametrize("minimum", [0, 2, 4])
@pytest.mark.parametrize("change", ["G12C", "p.G12D", ["G12C", "G12V"], "Q61H"], ids=str)
def test_every_change_of_the_gene_at_once_is_every_change_alone(change, minimum):
    a_cohort = random_cohort(9)
    subject = frequency_test({"gene": "KRAS", "protein_change": change})
    table = every_feature(subject, a_cohort, minimum, setting()).set_index("feature")
    assert {"KRAS G12C", "KRAS G12D", "KRAS G12V", subject.feature.label} <= set(table.index)
    assert not any(label == "KRAS " for label in table.index)
    for label, row in table.iterrows():
        named = label.removeprefix("KRAS ").split(" or ")
        alone = share(a_cohort, minimum, feature={"gene": "KRAS", "protein_change": named})
        assert (row["n"], row["n_events"]) == (alone.n, alone.n_events)
        assert row["effect"] == alone.effect


def test_full_results_of_cohorts_with_nothing_to_count():
    none = every_feature(frequency_test(), Cohort.empty(), 3, setting())
    assert list(none["feature"]) == ["RB1 mutation"]
    assert (none["n"][0], none["n_events"][0]) == (0, 0)
    assert np.isnan(none["effect"][0])


def test_full_results_say_where_they_belong():
    table = every_feature(frequency_test(), cohort(3, [("S0", "RB1")]), 0, setting(dataset="b", test="t9"))
    assert set(table["dataset"]) == {"b"}
    assert set(table["test"]) == {"t9"}
    assert set(table["effect_name"]) == {"share"}
