"""Studies and configuration -> jobs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from reclaim.config import WORLDS, check_config
from reclaim.errors import UserError
from reclaim.plan import make_plan

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


def test_an_analysis_that_is_not_run_yet_is_told_at_once(tmp_path: Path) -> None:
    text = OWN.read_text()
    start = text.index("      - id: kras_rb1_exclusive")
    test = (
        "      - {id: os, role: primary, analysis: survival, datasets: [arrays], expected: positive,\n"
        "         feature: {gene: KRAS}, endpoint: {time: OS, time_unit: months, event: STATUS, event_values: [dead]}}\n"
        "    decision: {rule: pooled}\n"
    )
    arrays = (
        "  arrays:\n    source: file\n    format: series_matrix\n    path: x.txt\n    independent: true\n"
        "    tier: {disease: same, system: same, perturbation: same, readout: same, time: same}\n"
    )
    path = tmp_path / "later.yaml"
    path.write_text(text[:start].replace("claims:\n", arrays + "claims:\n", 1) + test)
    with pytest.raises(UserError) as caught:
        make_plan({"studies": [str(path)]}, SEEDS)
    assert [message.split(";")[0] for message in caught.value.messages] == [
        f"{path}: test os: analysis 'survival' is not run by this version",
        f"{path}: data set arrays: format 'series_matrix' is not read by this version",
    ]
