"""Studies and configuration -> jobs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from builders import (
    claim,
    dataset,
    enrichment_test,
    expression_test,
    geo_dataset,
    study_values,
    write_study,
)

from reclaim.config import WORLDS, check_config
from reclaim.errors import UserError
from reclaim.plan import AnalysisJob, make_plan

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds"
OWN = ROOT / "tests" / "acceptance" / "paad_mc3.yaml"


def test_all_seeds_are_found_by_being_there() -> None:
    assert set(make_plan({}, SEEDS).studies) == {path.stem for path in SEEDS.glob("*.yaml")}


def test_studies_by_id_and_by_path() -> None:
    plan = make_plan({"studies": ["cdk46_egfr_pdac", str(OWN)]}, SEEDS)
    assert list(plan.studies) == ["cdk46_egfr_pdac", "paad_mc3"]


def test_one_job_per_study_and_analysis() -> None:
    jobs = make_plan({"studies": [str(OWN)]}, SEEDS).analyses()
    assert [(job.analysis, len(job.slice["tests"]), job.datasets) for job in jobs] == [
        ("mutation_frequency", 8, ["paad_mc3"]),
        ("mutual_exclusivity", 1, ["paad_mc3"]),
    ]
    assert jobs[1].results == ["kras_rb1_exclusive/paad_mc3"]


def test_a_comment_in_a_study_file_changes_no_job(tmp_path: Path) -> None:
    """Jobs see their slice, not the file: Snakemake reruns what a change is about."""
    edited = tmp_path / OWN.name
    edited.write_text("# a comment\n\n" + OWN.read_text())
    before, after = (make_plan({"studies": [str(path)]}, SEEDS).analyses() for path in (OWN, edited))
    assert [{**job.slice, "file": ""} for job in before] == [{**job.slice, "file": ""} for job in after]


def test_the_run_is_named_after_the_world_or_public_or_as_wished() -> None:
    assert check_config({}).run_name == "as_claimed"
    assert check_config({"data": {"world": "reversed"}}).run_name == "reversed"
    assert check_config({"data": {"source": "mirror"}}).run_name == "public"
    assert check_config({"data": {"source": "mirror"}, "run": "mine"}).run_name == "mine"


def test_a_store_of_its_own_for_each_world_and_study() -> None:
    plan = make_plan({"data": {"source": "mirror", "store": "/data/mirror"}}, SEEDS)
    assert plan.store("public", "a") == "/data/mirror"
    assert {plan.store(world, "a") for world in WORLDS} == {f"simulated/{world}/a" for world in WORLDS}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"seed": -1}, "config: seed: found -1; expected: input should be greater than or equal to 0"),
        ({"seeed": 1}, "config: seeed: unknown key 'seeed'; did you mean seed?"),
        ({"studies": []}, "config: studies"),
        ({"run": "no_effect"}, "config: run: no_effect is the name of a simulated world"),
        ({"data": {"world": "perfect"}}, "config: data.world: found 'perfect'"),
        ({"studies": ["cdk46_egfr_padc"]}, "no study 'cdk46_egfr_padc'"),
        ({"studies": ["elsewhere/none.yaml"]}, "elsewhere/none.yaml: there is no such file"),
        ({"studies": [str(OWN), str(OWN)]}, "the study id 'paad_mc3' is also the id of"),
    ],
)
def test_mistakes_in_the_configuration(config: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(config, SEEDS)
    assert any(expected in message for message in caught.value.messages), caught.value.messages


def test_an_empty_seeds_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no study file"):
        make_plan({}, tmp_path)


def test_a_seed_file_is_named_after_its_study(tmp_path: Path) -> None:
    shutil.copy(OWN, tmp_path / "other.yaml")
    with pytest.raises(UserError, match=r"other.yaml:1: .* rename the file to paad_mc3.yaml"):
        make_plan({}, tmp_path)


def jobs_of(values: dict[str, Any], folder: Path) -> dict[str, AnalysisJob]:
    """By analysis."""
    plan = make_plan({"studies": [str(write_study(values, folder))]}, SEEDS)
    return {job.analysis: job for job in plan.analyses()}


def mistakes_of(values: dict[str, Any], folder: Path) -> list[str]:
    """Without the path, and without what comes after the first semicolon."""
    path = write_study(values, folder)
    with pytest.raises(UserError) as caught:
        make_plan({"studies": [str(path)]}, SEEDS)
    return [message.removeprefix(f"{path}: ").split(";")[0] for message in caught.value.messages]


def test_an_analysis_that_is_not_run_yet_is_told_at_once(tmp_path: Path) -> None:
    endpoint = {"time": "OS", "time_unit": "months", "event": "STATUS", "event_values": ["dead"]}
    survival = {
        "id": "os",
        "role": "primary",
        "analysis": "survival",
        "datasets": ["a"],
        "expected": "positive",
    }
    needed = {"id": "needed", "role": "supporting", "analysis": "target_shift", "datasets": ["b"]}
    tests = (
        survival | {"feature": {"gene": "KRAS"}, "endpoint": endpoint},
        needed | {"regulator": "KRAS", "expected": "negative"},
        expression_test("up", "supporting", datasets=["b"]),
    )
    arrays = geo_dataset(expression="series_matrix")
    values = study_values(claim(*tests), a=arrays, b=arrays | {"series": "GSE2"})
    assert mistakes_of(values, tmp_path) == [
        "test needed: analysis 'target_shift' is not run by this version",
    ]


def test_cells_that_would_have_to_be_summed_are_not_compared_as_samples(tmp_path: Path) -> None:
    values = expression_study(expression_test(pseudobulk={"by": ["patient"]}))
    assert mistakes_of(values, tmp_path)[0].startswith("test up: pseudobulk is not made by this version")


# Expression


def expression_study(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    values = study_values(claim(*tests), a=geo_dataset(), b=geo_dataset(series="GSE2"))
    return values | more


LIBRARIES = {
    "libraries": {
        "hallmark": {"source": "enrichr", "library": "MSigDB_Hallmark_2020"},
        "msigdb": {"source": "msigdb", "release": "2024.1.Hs", "collection": "h.all"},
    },
    "gene_sets": {
        "ifn": {"library": "hallmark", "set": "Interferon Alpha Response"},
        "hypoxia": {"library": "msigdb", "set": "HALLMARK_HYPOXIA"},
        "own": ["GENE1", "GENE2"],
    },
}


def test_every_kind_of_local_expression_is_read(tmp_path: Path) -> None:
    for format_ in ("series_matrix", "h5ad", "count_matrix"):
        local = dataset(
            source="file", format=format_, path="x", sample_table={"path": "s", "sample": "s", "patient": "p"}
        )
        del local["study"]
        job = jobs_of(
            expression_study(
                expression_test(),
            )
            | {"datasets": {"a": local, "b": local}},
            tmp_path,
        )
        assert job["differential_expression"].data == [
            "results/{run}/a_study/data/a.h5ad", "results/{run}/a_study/data/b.h5ad"
        ]  # fmt: skip


def test_a_job_of_expression_reads_its_data_sets_and_no_library_it_does_not_need(tmp_path: Path) -> None:
    gate = {"id": "seen", "role": "gate", "analysis": "detection", "datasets": ["b"], "feature": {"gene": "GENE1"},
            "at_least": 10, "passes": {"at_least": 0.75}}  # fmt: skip
    jobs = jobs_of(expression_study(expression_test(), enrichment_test(), gate, **LIBRARIES), tmp_path)
    assert list(jobs) == ["detection", "differential_expression", "gene_set_enrichment"]
    job = jobs["differential_expression"]
    assert (job.datasets, job.results) == (["a", "b"], ["up/a", "up/b"])
    assert job.ledgers == [f"results/{{run}}/a_study/data/{name}.ledger.json" for name in "ab"]
    assert (job.rankings, job.libraries, job.slice["subjects"]) == ({}, {}, {})
    assert (jobs["detection"].datasets, jobs["detection"].libraries) == (["b"], {})


def test_enrichment_reads_the_rankings_and_all_libraries_and_knows_whom_they_are_about(
    tmp_path: Path,
) -> None:
    by_set = expression_test("panel", "supporting", feature={"gene_set": "own"})
    job = jobs_of(expression_study(expression_test(), by_set, enrichment_test(), **LIBRARIES), tmp_path)
    enrichment = job["gene_set_enrichment"]
    assert enrichment.rankings == {
        f"up/{name}": f"results/{{run}}/a_study/up/{name}.parquet" for name in "ab"
    }
    assert enrichment.libraries == {
        name: f"results/{{run}}/a_study/receipts/{name}.json" for name in ("hallmark", "msigdb")
    }
    assert enrichment.slice["subjects"] == {"up": ["GENE1"]}
    assert enrichment.slice["gene_sets"] == LIBRARIES["gene_sets"]
    assert enrichment.slice["seed"] == 1


def test_the_mean_of_a_librarys_set_needs_that_library(tmp_path: Path) -> None:
    tests = [
        expression_test(),
        expression_test("mean", "supporting", feature={"gene_set": "hypoxia"}),
        expression_test("listed", "supporting", feature={"gene_set": ["GENE1", "GENE2"]}),
        enrichment_test(),
    ]
    job = jobs_of(expression_study(*tests, **LIBRARIES), tmp_path)["differential_expression"]
    assert list(job.libraries) == ["msigdb"]


def test_a_study_of_expression_needs_the_symbol_table_and_its_libraries(tmp_path: Path) -> None:
    path = write_study(
        expression_study(
            expression_test(), enrichment_test(), enrichment_test("other", gene_set="hypoxia"), **LIBRARIES
        ),
        tmp_path,
    )
    plan = make_plan({"studies": [str(path)]}, SEEDS)
    assert list(plan.studies["a_study"].references()) == ["hallmark", "msigdb", "hgnc"]
    assert plan.names_of("a_study", "expression") == ["a", "b"]
    assert plan.names_of("a_study", "mutations") == []
    told = plan.dataset_slice("a_study", "hallmark")
    assert told == {
        "name": "hallmark",
        "dataset": {"source": "enrichr", "library": "MSigDB_Hallmark_2020"},
        "beside": str(tmp_path),
    }
    assert plan.dataset_slice("a_study", "hgnc")["dataset"] == {"source": "hgnc"}
    assert plan.dataset_slice("a_study", "a")["dataset"]["series"] == "GSE1"


def test_mutations_need_no_symbol_table() -> None:
    assert make_plan({"studies": [str(OWN)]}, SEEDS).studies["paad_mc3"].references() == {}
