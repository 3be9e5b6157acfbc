"""Claims about expression plant their own test data: every group a test asks for, and what is planted there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import claim, enrichment_test, expression_test, study_values
from builders import geo_dataset as geo

from reclaim.claim_tests import DifferentialExpression
from reclaim.config import World
from reclaim.enrichment import read_gmt
from reclaim.errors import UserError
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.design import simulated_samples
from reclaim.simulate.effects import (
    EFFECT,
    GATE_EFFECT,
    NUISANCE_SPREAD,
    named_genes,
    planted,
    shifts,
)
from reclaim.simulate.expression import all_genes
from reclaim.simulate.internet import simulate_study
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import further_requests, requests_for
from reclaim.study import Study
from reclaim.symbols import SymbolTable


def supplementary(*columns: str, **keys: Any) -> dict[str, Any]:
    """Samples by their columns in one table of a series."""
    table = {"file": "counts.txt.gz", "feature": "gene", "columns": list(columns)}
    return geo(expression="supplementary", supplementary=[table], **keys)


def xena(**keys: Any) -> dict[str, Any]:
    values = geo(source="xena", hub="a-hub", matrix="m.gz", sample_table="p.gz", probe_map="probes", **keys)
    del values["series"], values["expression"]
    return {"values": "log2_tpm_plus_0.001", **values}


def small(*tests: dict[str, Any], decision: dict[str, Any] | None = None, **datasets: Any) -> Study:
    """A study of these data sets and tests alone, a and b by default of two series."""
    values = study_values(claim(*tests, decision=decision))
    return Study.model_validate(values | {"datasets": datasets or {"a": geo(), "b": geo(series="GSE2")}})


def samples(a_study: Study, *names: str) -> pd.DataFrame:
    tests = [test for _, test in a_study.tests() if isinstance(test, DifferentialExpression)]
    return simulated_samples([a_study.datasets[name] for name in names or a_study.datasets], tests)


def loaded(a_study: Study, name: str, store: Path) -> Any:
    """The data set as the workflow reads it."""
    hgnc = next(request.url for request in requests_for(a_study.references()["hgnc"], store))
    symbols = SymbolTable.read(store / store_path(str(hgnc)))
    one = a_study.datasets[name]
    requests = requests_for(one, store)
    receipt = make_receipt(name, requests, Access(store))
    further = further_requests(one, receipt.open(store))
    if further:
        receipt = make_receipt(name, [*requests, *further], Access(store))
    return load_expression(one, receipt, store, symbols)  # type: ignore[arg-type]


# Samples


def test_every_group_of_every_test_has_its_replicates() -> None:
    drug = expression_test("drug", contrast={"case": {"drug": ["x", "y"]}, "control": {"drug": "none"}})
    line = expression_test("line", "supporting", contrast={"case": {"line": "KO"}, "control": {"line": "WT"}})
    table = samples(small(drug, line))
    sizes = table.groupby(["drug", "line"]).size()
    assert set(sizes.index) == {(drug, line) for drug in ("x", "y", "none") for line in ("KO", "WT")}
    assert (sizes == 4).all()
    assert table["patient"].is_unique


def test_groups_derived_from_titles_have_titles_that_tell_them() -> None:
    derive = {"drug": {"values": {"DMSO": "_DMSO_", "inhibitor": ["_BAY_", "_REV_"]}}}
    test = expression_test(contrast={"case": {"drug": "inhibitor"}, "control": {"drug": "DMSO"}})
    table = samples(small(test, a=geo(derive=derive), b=geo(series="GSE2", derive=derive)))
    assert "drug" not in table
    assert table["title"].is_unique
    assert table["title"].str.contains("_DMSO_").sum() == 4
    assert table["title"].str.contains("_BAY_").sum() == 4


def test_samples_that_the_study_names_are_those() -> None:
    table = samples(small(a=supplementary("A_1", "B_1"), b=supplementary("B_1", "C_1")))
    assert list(table.index) == ["A_1", "B_1", "C_1"]
    assert list(table["title"]) == list(table.index)


def test_sixteen_strata_of_a_cohort_with_pairs() -> None:
    test = expression_test(strata="organ", pairs="patient", contrast={"case": {"kind": "tumour"}, "control": {"kind": "normal"}})  # fmt: skip
    table = samples(small(test))
    sizes = table.groupby(["organ", "kind"]).size().unstack()
    assert len(sizes) == 16
    assert set(sizes["tumour"]) == {20}
    assert set(sizes["normal"]) == {12}
    kinds = table.groupby("patient")["kind"].agg(list)
    assert sum(sorted(kind) == ["normal", "tumour"] for kind in kinds) == 16 * 12
    assert table.groupby("patient")["organ"].nunique().max() == 1


@pytest.mark.parametrize("column", ["patient", "donor"])
def test_pairs_without_strata_are_pairs_too(column: str) -> None:
    table = samples(small(expression_test(pairs=column)))
    assert [sorted(kind) for kind in table.groupby(column)["group"].agg(list)] == [["case", "control"]] * 4
    assert table.index.is_unique


def test_a_value_for_a_condition_cannot_be_invented() -> None:
    contrast = {"case": {"age": {"at_least": 50}}, "control": {"age": "40"}}
    with pytest.raises(UserError, match="samples: age: a simulated sample cannot be made for a condition"):
        samples(small(expression_test(contrast=contrast)))


# Effects


@pytest.mark.parametrize(("world", "up"), [("as_claimed", 1.6), ("no_effect", 0), ("confounded", 0), ("reversed", -1.6)])  # fmt: skip
def test_each_world_plants_its_effect_in_the_claimed_direction(world: World, up: float) -> None:
    for expected, sign in (("positive", 1), ("negative", -1)):
        (one,) = planted(small(expression_test(expected=expected)), ["a"], world)
        assert (one.genes, one.effect) == (("GENE1",), sign * up)
        assert EFFECT[world] == up


def test_gates_pass_in_every_world_and_marked_effects_are_larger() -> None:
    gate = expression_test("gate", "gate", feature={"gene": "GENE2"}, passes={"at_least": 1})
    low = expression_test("low", "gate", feature={"gene": "GENE3"}, passes={"at_most": -1})
    marked = {"rule": "pooled", "marked": True}
    found = planted(small(expression_test(), gate, low, decision=marked), ["a"], "reversed")
    assert {one.genes[0]: one.effect for one in found} == {
        "GENE2": GATE_EFFECT, "GENE3": -GATE_EFFECT, "GENE1": -1.6 * 1.5
    }  # fmt: skip


def test_the_primary_test_of_a_gene_decides_and_sets_take_what_is_left() -> None:
    other = expression_test("other", "supporting", expected="negative")
    both = expression_test(
        "both", "supporting", feature={"gene_set": ["GENE1", "GENE2"]}, expected="negative"
    )
    found = planted(small(other, both, expression_test()), ["a"], "as_claimed")
    assert [(one.genes, one.effect) for one in found] == [(("GENE1",), 1.6), (("GENE2",), -1.6)]


def test_other_data_sets_have_effects_of_their_own() -> None:
    a_study = small(
        expression_test(datasets=["a"]),
        expression_test("other", "supporting", datasets=["b"], feature={"gene": "GENE2"}),
    )
    assert [one.genes for one in planted(a_study, ["b"], "as_claimed")] == [("GENE2",)]
    assert named_genes(a_study) == ["GENE1", "GENE2"]


def shifted(
    a_study: Study, world: World, genes: list[str], seed: int = 1, nuisance_spread: float = NUISANCE_SPREAD
) -> pd.DataFrame:
    table = samples(a_study)
    effects = planted(a_study, list(a_study.datasets), world)
    found = shifts({}, table, genes, effects, None, world, np.random.default_rng(seed), nuisance_spread)
    return pd.DataFrame(found, columns=genes, index=table.index).join(table)


def test_cases_are_shifted_and_controls_are_not() -> None:
    found = shifted(small(expression_test()), "as_claimed", ["GENE1", "GENE2"])
    assert found.groupby("group")["GENE1"].agg(["min", "max"]).to_numpy().tolist() == [[1.6, 1.6], [0, 0]]
    assert not found["GENE2"].any()


def test_an_interaction_is_planted_as_a_difference_of_differences() -> None:
    interaction = {"case": {"line": "KO"}, "control": {"line": "WT"}}
    found = shifted(small(expression_test(interaction=interaction)), "as_claimed", ["GENE1"])
    mean = found.groupby(["line", "group"])["GENE1"].mean()
    difference = mean.xs("case", level="group") - mean.xs("control", level="group")
    assert difference["KO"] - difference["WT"] == pytest.approx(1.6)


def test_the_confounded_world_moves_tested_genes_and_a_third_of_the_others_with_the_cases() -> None:
    genes = ["GENE1", *(f"OTHER{i}" for i in range(400))]
    found = shifted(small(expression_test()), "confounded", genes, nuisance_spread=0)
    case, control = (found.loc[found["group"] == arm, genes] for arm in ("case", "control"))
    assert case["GENE1"].nunique() == 1
    assert not control.to_numpy().any()
    moved = case.iloc[0][case.iloc[0] != 0]
    assert len(moved) / len(genes) == pytest.approx(0.3, abs=0.1)
    assert moved.between(0.75 * 1.2, 1.25 * 1.2).all()
    assert moved.mean() == pytest.approx(1.2, abs=0.06)
    # It is one nuisance: in another data set it moves the same genes.
    elsewhere = shifted(small(expression_test()), "confounded", genes, seed=2)
    assert set(moved.index) == {gene for gene in genes if elsewhere[gene].any()}


def test_the_nuisance_varies_within_the_arms_and_moves_its_genes_together() -> None:
    genes = ["GENE1", *(f"OTHER{i}" for i in range(400))]
    found = shifted(small(expression_test()), "confounded", genes)
    moved = found[genes].loc[:, found[genes].any()]
    assert "GENE1" in moved
    within = moved - moved.groupby(found["group"]).transform("mean")
    assert np.abs(within).to_numpy().min() > 0
    assert np.linalg.matrix_rank(within.to_numpy(), tol=1e-9) == 1


# The services


def derived() -> dict[str, Any]:
    return {"group": {"values": {"case": "_BAY_", "control": "_DMSO_"}}}


ALL = [f"{line}_{drug}_{i}" for line in "AB" for drug in ("BAY", "DMSO") for i in (1, 2, 3)]


@pytest.mark.parametrize("order", [["a", "b", "both"], ["both", "b", "a"]])
def test_data_sets_that_read_parts_of_one_file_find_their_columns(order: list[str], tmp_path: Path) -> None:
    """The file is written once, with the columns of all, whichever data set comes last."""
    parts = {
        "a": supplementary(*ALL[:6], derive=derived()),
        "b": supplementary(*ALL[6:], derive=derived()),
        "both": supplementary(*ALL, derive=derived()),
    }
    a_study = small(expression_test(datasets=order), **{name: parts[name] for name in order})
    simulate_study(a_study, "as_claimed", 1, tmp_path)
    values = {}
    for name in order:
        data, ledger = loaded(a_study, name, tmp_path)
        assert (ledger.status, ledger.reason, ledger.simulated) == ("present", "", True)
        assert sorted(data.obs_names) == sorted(a_study.datasets[name].supplementary[0].columns_of)
        values[name] = data.to_df()["GENE1"]
    assert pd.concat([values["a"], values["b"]]).to_dict() == values["both"].to_dict()
    drug = values["a"].index.str.contains("_BAY_")
    assert 2 < values["a"][drug].mean() / values["a"][~drug].mean() < 4.5  # 2 to the power of 1.6 is 3.0


def test_one_series_as_counts_of_ncbi_and_as_tables_of_the_submitters(tmp_path: Path) -> None:
    parts = {"a": supplementary(*ALL, derive=derived()), "b": geo(derive=derived())}
    a_study = small(**parts)
    simulate_study(a_study, "as_claimed", 1, tmp_path)
    for name in parts:
        data, ledger = loaded(a_study, name, tmp_path)
        assert (ledger.status, data.n_obs) == ("present", 12)


def test_pairs_of_a_series_read_back(tmp_path: Path) -> None:
    a_study = small(
        expression_test(pairs="patient"), a=geo(), b=geo(series="GSE2", expression="series_matrix")
    )
    simulate_study(a_study, "as_claimed", 1, tmp_path)
    for name, unit in (("a", "counts"), ("b", "log2_intensity")):
        data, _ = loaded(a_study, name, tmp_path)
        assert data.uns["unit"] == unit
        pairs = data.obs.groupby("patient")["group"].agg(list)
        assert [sorted(pair) for pair in pairs] == [["case", "control"]] * 4


def array(**keys: Any) -> dict[str, Any]:
    """A series whose rows are probes."""
    return geo(expression="series_matrix", features="probe", annotation="GPL570", **keys)


def test_arrays_of_probes_come_back_as_the_genes_that_were_planted(tmp_path: Path) -> None:
    """Two series of one platform: one annotation names the probes of both."""
    probes = small(a=array(samples={"platform": "GPL570"}), b=array(series="GSE2"))
    genes = small(a=geo(expression="series_matrix"), b=geo(series="GSE2", expression="series_matrix"))
    simulate_study(probes, "as_claimed", 1, tmp_path / "probes")
    simulate_study(genes, "as_claimed", 1, tmp_path / "genes")
    for name in "ab":
        data, ledger = loaded(probes, name, tmp_path / "probes")
        plain, _ = loaded(genes, name, tmp_path / "genes")
        assert (ledger.status, ledger.simulated) == ("present", True)
        assert set(data.obs["platform"]) == {"GPL570"}
        # Read gene by gene, the same values: no dim, shared or foreign probe has taken a gene's place.
        named = [gene for gene in data.var_names if not gene.startswith("ILMN_")]
        assert sorted(named) == sorted(plain.var_names) == sorted(all_genes(probes))
        assert np.asarray(data[:, plain.var_names].X) == pytest.approx(np.asarray(plain.X))
        effect = data.to_df()["GENE1"].groupby(data.obs["group"]).mean()
        assert effect["case"] - effect["control"] > EFFECT["as_claimed"] / 2
        for what in (
            "probes of several genes, dropped",
            "probes that the platform's annotation names no gene of",
        ):
            assert ledger.dropped[what] > 50
        assert data.n_vars > len(named)  # those of no gene, under their own names


def test_a_series_of_a_chosen_platform_has_its_samples(tmp_path: Path) -> None:
    a_study = small(a=geo(expression="series_matrix", platform="GPL96"), b=geo(series="GSE2"))
    simulate_study(a_study, "as_claimed", 1, tmp_path)
    assert set(loaded(a_study, "a", tmp_path)[0].obs["platform"]) == {"GPL96"}


def test_two_matrices_of_a_hub_hold_the_same_samples(tmp_path: Path) -> None:
    counts = xena() | {"matrix": "c.gz", "values": "log2_expected_count_plus_1"}
    a_study = small(a=xena(), b=counts)
    simulate_study(a_study, "as_claimed", 1, tmp_path)
    (tpm, _), (reads, _) = (loaded(a_study, name, tmp_path) for name in "ab")
    assert (tpm.uns["unit"], reads.uns["unit"]) == ("log2_tpm", "counts")
    assert list(tpm.obs_names) == list(reads.obs_names)
    assert tpm.obs.equals(reads.obs)
    per_million = 1e6 * reads.X / reads.X.sum(axis=1, keepdims=True)
    assert np.asarray(tpm.X) == pytest.approx(np.log2(per_million + 1), abs=0.01)


def hiseq(**keys: Any) -> dict[str, Any]:
    """A matrix of the TCGA hub with its clinical matrix."""
    values = xena(values="log2_normalised_count_plus_1", features="symbol", **keys)
    del values["probe_map"]
    return values | {"matrix": "X/HiSeqV2.gz", "sample_table": "X/X_clinicalMatrix"}


TUMOUR_NORMAL = {"case": {"sample_type_id": "01"}, "control": {"sample_type_id": "11"}}


def test_a_matrix_of_old_symbols_reads_back_with_its_traps(tmp_path: Path) -> None:
    a_study = small(expression_test(datasets=["a"], contrast=TUMOUR_NORMAL), a=hiseq())
    told = simulate_study(a_study, "as_claimed", 1, tmp_path)
    (clinical,) = [url for url in told["datasets"]["a"]["urls"] if url.endswith("clinicalMatrix")]
    text = (tmp_path / store_path(clinical)).read_text()
    assert text.startswith("sampleID\t")
    data, ledger = loaded(a_study, "a", tmp_path)
    assert (ledger.status, ledger.simulated, data.uns["unit"]) == ("present", True, "log2_normalised_count")
    # The tested gene stands under its previous symbol, one in ten as well; no gene is lost.
    assert data.var.loc["GENE1", "how"] == "previous"
    genes, dropped = all_genes(a_study), ledger.dropped
    assert set(genes) <= set(data.var_names)
    assert dropped["features renamed from a previous symbol"] == len(genes[::10])
    assert dropped["features renamed from an alias"] == len(genes[5::100]) + 1  # the second row of one gene
    assert dropped["features left out for a brighter one of the same gene"] == 1
    assert dropped["features that HGNC does not know"] == 10
    assert dropped["features whose symbol is ambiguous"] == 1
    assert dropped["features whose symbol was withdrawn"] == 1
    assert dropped["samples of the sample table that the matrix lacks"] == 3 + 1  # the mark
    assert sum("?|" in name for name in data.var_names) == 10
    # Barcodes say what the samples are; normal tissue only where the study asks for it.
    assert data.obs_names.str[-2:].tolist() == data.obs["sample_type_id"].tolist()
    assert (data.obs["patient"] == data.obs["_PATIENT"]).all()
    # Each sample's upper quartile is 1000, without the rows that were added.
    normalised = 2 ** data.to_df()[genes] - 1
    assert normalised.quantile(0.75, axis=1).to_numpy() == pytest.approx(1000, rel=1e-3)
    values = data.to_df()["GENE1"]
    tumour = data.obs["sample_type_id"] == "01"
    assert values[tumour].mean() - values[~tumour].mean() == pytest.approx(1.6, abs=0.6)


def test_subtypes_of_a_tumour_are_all_tumours() -> None:
    contrast = {"case": {"ER": "Negative"}, "control": {"ER": "Positive"}}
    by_code = small(
        expression_test(datasets=["a"], contrast=contrast), a=hiseq(samples={"sample_type_id": "01"})
    )
    assert set(samples(by_code).index.str[-3:]) == {"-01"}
    by_number = small(
        expression_test(datasets=["a"], contrast=contrast), a=hiseq(samples={"sample_type_id": 1})
    )
    assert set(samples(by_number).index.str[-3:]) == {"-01"}


@pytest.mark.parametrize("make", [xena, hiseq, geo])
def test_the_purity_is_drawn_and_nothing_else_is_invented_for_its_column(make: Any, tmp_path: Path) -> None:
    test = expression_test(datasets=["a"], covariates=["purity"])
    named = small(test, a=make(purity_column="purity", expect={"purity": {"at_least": 0.3}}))
    simulate_study(named, "as_claimed", 1, tmp_path)
    data, ledger = loaded(named, "a", tmp_path)
    assert ledger.status == "present"
    # As many samples as without a covariate: no value of it makes a group.
    assert data.n_obs == len(samples(small(expression_test(datasets=["a"]), a=make())))
    purity = data.obs["purity"]
    assert purity.str.fullmatch(r"0\.\d{3}").all()
    assert purity.astype(float).between(0.3, 0.95).all()
    assert purity.nunique() > data.n_obs / 2
    # Without the key the column is a covariate like any other: of lines a factor, of patients a number.
    if make is geo:
        assert set(samples(small(test, a=make()))["purity"]) == {"A", "B"}
    else:
        assert "purity" not in samples(small(test, a=make()))
        again = small(test, a=make())
        simulate_study(again, "as_claimed", 1, tmp_path / "again")
        drawn = loaded(again, "a", tmp_path / "again")[0].obs["purity"].astype(float)
        assert drawn.between(30, 80).all()
        assert drawn.nunique() > 50


def test_the_same_seed_gives_the_same_bytes_and_worlds_differ(tmp_path: Path) -> None:
    a_study = small()

    def files(name: str, world: World, seed: int) -> dict[str, bytes]:
        simulate_study(a_study, world, seed, tmp_path / name)
        found = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in found}

    first = files("one", "as_claimed", 1)
    assert first == files("two", "as_claimed", 1)
    for world, seed in (("as_claimed", 2), ("reversed", 1)):
        other = files(f"{world}{seed}", world, seed)  # type: ignore[arg-type]
        assert first.keys() == other.keys()
        assert any(first[name] != other[name] for name in first)


def test_the_manifest_says_what_was_planted(tmp_path: Path) -> None:
    told = simulate_study(small(), "as_claimed", 1, tmp_path)
    assert told["SIMULATED"] is True
    one = told["datasets"]["a"]
    assert one["effects"] == [{"genes": ["GENE1"], "case": {"group": "case"}, "log2_fold_change": 1.6}]
    assert one["design"]["samples"] == 8
    assert all((tmp_path / store_path(url)).is_file() for url in one["urls"])


# Libraries of gene sets


@pytest.mark.parametrize(
    ("library", "about"),
    [
        ({"source": "enrichr", "library": "Hallmark"}, ""),
        ({"source": "msigdb", "release": "2024.1.Hs", "collection": "h.all"}, "SIMULATED"),
    ],
)
def test_a_library_holds_the_studys_sets_with_the_trap_of_the_tested_gene(
    library: dict[str, Any], about: str, tmp_path: Path
) -> None:
    values = study_values(claim(expression_test(), enrichment_test())) | {
        "datasets": {"a": geo(), "b": geo(series="GSE2")},
        "libraries": {"hallmark": library},
        "gene_sets": {"ifn": {"library": "hallmark", "set": "Interferon"}},
    }
    a_study = Study.model_validate(values)
    told = simulate_study(a_study, "as_claimed", 1, tmp_path)
    path = tmp_path / store_path(told["references"]["hallmark"])
    sets = read_gmt(path)
    assert {line.split("\t")[1] for line in path.read_text().splitlines()} == {about}
    assert "GENE1" in sets["Interferon"]
    assert len(sets["Interferon"]) == 41
    others = [gene for name, genes in sets.items() if name != "Interferon" for gene in genes]
    assert not set(others) & set(sets["Interferon"])
    # Its members are planted in the contrast of the test that ranks the genes.
    effects = {gene: one.effect for one in planted(a_study, ["a"], "reversed") for gene in one.genes}
    assert effects["GENE1"] == -1.6
    assert {effects[gene] for gene in sets["Interferon"]} == {-1.6}
