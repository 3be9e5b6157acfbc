"""Who carries an alteration, who could have, and who counts."""

import numpy as np
import pandas as pd
import pytest
from builders import background, cohort
from pandera.errors import SchemaError

from reclaim.claim_tests import MutationFeature
from reclaim.errors import AbsentData
from reclaim.mutations import (
    PARTS,
    Cohort,
    alterations,
    altered,
    assayed,
    depth_without_each_gene,
    non_silent,
    one_tumour_per_patient,
    other_mutations,
    read_cohort,
)
from reclaim.selection import Condition


def carriers(a_cohort: Cohort, **feature) -> list[str]:
    """Samples that carry the alteration of RB1, unless another gene is named."""
    found = altered(a_cohort, MutationFeature(**({"gene": "RB1"} | feature)))
    return list(a_cohort.samples["sample"][found])


# Alteration calling

CLASSES = {
    # classification: changes the protein, truncates it
    "Missense_Mutation": (True, False),
    "In_Frame_Del": (True, False),
    "In_Frame_Ins": (True, False),
    "Nonstop_Mutation": (True, False),
    "Frame_Shift_Del": (True, True),
    "Frame_Shift_Ins": (True, True),
    "Nonsense_Mutation": (True, True),
    "Splice_Site": (True, True),
    "Translation_Start_Site": (True, True),
    "Silent": (False, False),
    "Intron": (False, False),
    "3'UTR": (False, False),
    "5'UTR": (False, False),
    "5'Flank": (False, False),
    "Splice_Region": (False, False),
    "RNA": (False, False),
}


@pytest.mark.parametrize(("classification", "expected"), CLASSES.items())
def test_which_classes_of_a_maf_count(classification, expected):
    one = cohort(1, [("S0", "RB1", classification)])
    assert (carriers(one) == ["S0"], carriers(one, consequence="truncating") == ["S0"]) == expected
    assert carriers(one) == carriers(one, consequence="non_silent")


def test_other_genes_do_not_count():
    assert carriers(cohort(2, [("S0", "RBL1"), ("S1", "RB10")])) == []


CHANGES = cohort(
    6,
    [
        ("S0", "KRAS", "Missense_Mutation", "G12C"),
        ("S1", "KRAS", "Missense_Mutation", "G12D"),
        ("S2", "KRAS", "Missense_Mutation", "G12"),
        ("S3", "NRAS", "Missense_Mutation", "G12C"),
        ("S4", "KRAS", "Silent", "G12C"),
        ("S5", "KRAS", "Missense_Mutation", ""),
    ],
)


@pytest.mark.parametrize(
    ("change", "samples"),
    [
        ("G12C", ["S0"]),
        ("p.G12C", ["S0"]),
        (["G12C", "p.G12D"], ["S0", "S1"]),
        ("G12", ["S2"]),
        ("G13D", []),
    ],
)
def test_a_protein_change_is_matched_whole(change, samples):
    assert carriers(CHANGES, gene="KRAS", protein_change=change) == samples


def test_any_change_counts_when_none_is_named():
    assert carriers(CHANGES, gene="KRAS") == ["S0", "S1", "S2", "S5"]


COPIES = cohort(
    5,
    [("S4", "RB1", "Nonsense_Mutation"), ("S3", "RB1")],
    [("S0", "RB1", -2), ("S1", "RB1", -1), ("S2", "RB1", 2), ("S3", "RB1", 1), ("S3", "CDKN2A", -2)],
)


@pytest.mark.parametrize(
    ("feature", "samples"),
    [
        ({"copy_number": "deep_deletion"}, ["S0"]),  # one lost copy is not a deep deletion
        ({"copy_number": "amplification"}, ["S2"]),  # one gained copy is not an amplification
        ({"copy_number": "deep_deletion", "consequence": "truncating"}, ["S0", "S4"]),
        ({"copy_number": "deep_deletion", "consequence": "non_silent"}, ["S0", "S3", "S4"]),
        ({"gene": "CDKN2A", "copy_number": "deep_deletion"}, ["S3"]),
    ],
)
def test_several_keys_of_a_feature_are_alternatives(feature, samples):
    assert carriers(COPIES, **feature) == samples


def test_a_change_or_a_truncation():
    both = cohort(
        3, [("S0", "RB1", "Missense_Mutation", "C706F"), ("S1", "RB1", "Splice_Site"), ("S2", "RB1")]
    )
    assert carriers(both, protein_change="C706F", consequence="truncating") == ["S0", "S1"]


def test_two_mutations_of_a_sample_are_one_carrier():
    twice = cohort(2, [("S0", "RB1"), ("S0", "RB1", "Nonsense_Mutation"), ("S1", "TP53")])
    pairs = alterations(twice, MutationFeature(gene="RB1"))
    assert sorted(pairs.itertuples(index=False, name=None)) == [("S0", "RB1"), ("S1", "TP53")]


def test_a_feature_in_words():
    label = {
        "RB1 mutation": {},
        "RB1 truncating or deep deletion": {"consequence": "truncating", "copy_number": "deep_deletion"},
        "RB1 C706F or R661W": {"protein_change": ["p.C706F", "R661W"]},
    }
    assert [MutationFeature(gene="RB1", **keys).label for keys in label.values()] == list(label)


# Denominators


def test_every_sequenced_sample_is_assayed_though_nothing_was_found_in_it():
    # One of five has a mutation: the share is 1 of 5. Counting only samples in the mutation table
    # would make it 1 of 1.
    quiet = cohort(5, [("S0", "RB1")])
    assert assayed(quiet, MutationFeature(gene="RB1")).sum() == 5


def test_samples_that_were_not_sequenced_are_not_assayed():
    some = cohort(4, not_sequenced=["S1"], without_copy_number=["S2"])
    by_mutation = assayed(some, MutationFeature(gene="RB1"))
    by_copies = assayed(some, MutationFeature(gene="RB1", copy_number="deep_deletion"))
    either = assayed(some, MutationFeature(gene="RB1", consequence="truncating", copy_number="deep_deletion"))
    assert list(by_mutation) == [True, False, True, True]
    assert list(by_copies) == list(either) == [True, False, False, True]


# Call depth


def test_other_mutations_leave_out_the_tested_genes_and_silent_ones():
    a_cohort = cohort(
        3, [("S0", "RB1"), ("S0", "RB1"), ("S0", "KRAS"), *background("S0", 4), ("S1", "TTN", "Silent")]
    )
    assert list(other_mutations(a_cohort, {"RB1"})) == [5, 0, 0]
    assert list(other_mutations(a_cohort, {"RB1", "KRAS"})) == [4, 0, 0]
    assert list(other_mutations(a_cohort, set())) == [7, 0, 0]
    assert list(other_mutations(a_cohort, set()).index) == ["S0", "S1", "S2"]


def test_call_depth_of_every_gene_is_that_of_each():
    generator = np.random.default_rng(1)
    genes = [f"G{i}" for i in range(8)]
    mutations = [
        (f"S{s}", str(gene), str(generator.choice(["Missense_Mutation", "Silent"])))
        for s in range(12)
        for gene in generator.choice(genes, generator.integers(0, 9))
    ]
    a_cohort = cohort(14, mutations)
    samples = a_cohort.samples["sample"][:10]
    total, own = depth_without_each_gene(a_cohort, samples, {"G0"})
    assert list(total) == list(other_mutations(a_cohort, {"G0"})[:10])
    assert set(own["sample"]) <= set(samples)
    assert "G0" not in set(own["gene"])
    expected = {
        (gene, sample): other_mutations(a_cohort, {"G0", gene})[sample]
        for gene, sample in set(zip(*non_silent(a_cohort)[["gene", "sample"]].to_numpy().T, strict=True))
        if gene != "G0" and sample in set(samples)
    }
    assert own.set_index(["gene", "sample"])["others"].to_dict() == expected


# One tumour per patient


def test_one_tumour_per_patient_is_the_first_by_name():
    a_cohort = cohort(
        ["P2-06", "P1-02", "P1-01", "P3-01"],
        [("P1-02", "RB1"), ("P1-01", "KRAS"), ("P2-06", "RB1")],
        [("P1-02", "RB1", -2), ("P3-01", "RB1", -2)],
        patients={name: name[:2] for name in ("P2-06", "P1-02", "P1-01", "P3-01")},
        clinical={"TYPE": ["metastasis", "primary", "primary", "primary"]},
    )
    kept, flow = one_tumour_per_patient(a_cohort, {})
    assert list(kept.samples["sample"]) == ["P1-01", "P2-06", "P3-01"]
    assert list(kept.samples["patient"]) == ["P1", "P2", "P3"]
    assert sorted(kept.mutations["sample"]) == ["P1-01", "P2-06"]  # those of the second tumour are gone
    assert list(kept.copy_number["sample"]) == ["P3-01"]
    assert sorted(kept.clinical.index) == ["P1-01", "P2-06", "P3-01"]
    assert [(step.samples, step.patients) for step in flow] == [(4, 3), (4, 3), (3, 3)]


def test_the_selection_comes_before_the_choice_of_a_tumour():
    # The patient's first sample is a metastasis: her primary tumour must not be lost with it.
    a_cohort = cohort(
        ["P1-01", "P1-02", "P2-01"],
        patients={"P1-01": "P1", "P1-02": "P1", "P2-01": "P2"},
        clinical={"TYPE": ["Metastasis", "Primary", "Primary"]},
    )
    kept, flow = one_tumour_per_patient(a_cohort, {"TYPE": "Primary"})
    assert list(kept.samples["sample"]) == ["P1-02", "P2-01"]
    assert [step.step for step in flow] == [
        "listed",
        "sequenced",
        "TYPE is Primary",
        "one tumour per patient",
    ]


def test_samples_that_were_not_sequenced_leave_before_the_choice_of_a_tumour():
    a_cohort = cohort(["P1-01", "P1-02"], patients={"P1-01": "P1", "P1-02": "P1"}, not_sequenced=["P1-01"])
    kept, _ = one_tumour_per_patient(a_cohort, {})
    assert list(kept.samples["sample"]) == ["P1-02"]


def test_selections_may_be_conditions():
    a_cohort = cohort(3, clinical={"AGE": ["30", "70", ""]})
    kept, _ = one_tumour_per_patient(a_cohort, {"AGE": Condition(at_least=50)})
    assert list(kept.samples["sample"]) == ["S1"]


@pytest.mark.parametrize(
    ("selection", "told"),
    [({"TYPE": "Metastasis"}, "TYPE is Metastasis"), ({"TYP": "Primary"}, "did you mean TYPE")],
)
def test_a_cohort_without_a_patient_left_is_absent(selection, told):
    a_cohort = cohort(2, clinical={"TYPE": ["Primary", "Primary"]})
    with pytest.raises(AbsentData, match=told):
        one_tumour_per_patient(a_cohort, selection)


# Tables


def test_an_empty_cohort_meets_its_own_contract():
    empty = Cohort.empty().validated()
    assert len(empty.samples) == 0
    assert empty.genes == frozenset()


def test_genes_are_those_of_both_tables():
    assert cohort(2, [("S0", "RB1")], [("S1", "CDKN2A", -2)]).genes == {"RB1", "CDKN2A"}


@pytest.mark.parametrize("call", [0, 3, -3])
def test_copy_number_calls_are_discrete_and_not_neutral(call):
    with pytest.raises(SchemaError):
        cohort(1, copy_number=[("S0", "RB1", call)])


def test_a_sample_stands_once_in_the_sample_table():
    with pytest.raises(SchemaError):
        cohort(["S0", "S0"])


def test_a_cohort_survives_its_files(tmp_path):
    written = cohort(3, [("S0", "RB1")], [("S1", "RB1", -2)], clinical={"AGE": [1, 2, 3]})
    paths = {part: tmp_path / f"{part}.parquet" for part in PARTS}
    for part, path in paths.items():
        getattr(written, part).to_parquet(path)
    read = read_cohort(paths).validated()
    for part in PARTS:
        pd.testing.assert_frame_equal(getattr(read, part), getattr(written, part))
