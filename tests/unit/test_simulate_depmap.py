"""Claims of gene effects plant their own cell lines and screens, in all four worlds."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import claim, dataset, study_values

from reclaim.analyses.dependency import dependency
from reclaim.calibration.cap import Calibration
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.claim_tests import Dependency
from reclaim.config import WORLDS, World
from reclaim.errors import UserError
from reclaim.evidence import EvidenceRow, Setting
from reclaim.retrieve.content import identify
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.cell_lines import CASE_LINES, OTHER_LINES, example_of
from reclaim.simulate.internet import simulate_study
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import requests_for
from reclaim.study import Study
from reclaim.symbols import SymbolTable
from reclaim.verdict import assess

MYELOMA = {"OncotreePrimaryDisease": {"matches": "Plasma (Cell|cell) [mM]yeloma|Multiple Myeloma"}}
OTHERS = {"OncotreePrimaryDisease": {"not": MYELOMA["OncotreePrimaryDisease"]}}


def screens(**keys: Any) -> dict[str, Any]:
    values = dataset(source="depmap", release="24Q4", **keys)
    del values["study"]
    return values


def needed(test_id: str = "needed", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """Myeloma lines need IRF4."""
    return {
        "id": test_id,
        "role": role,
        "analysis": "dependency",
        "datasets": ["a"],
        "feature": {"gene": "IRF4"},
        "contrast": {"case": MYELOMA, "control": OTHERS},
        **changes,
    }


def a_study(*tests: dict[str, Any], decision: dict[str, Any] | None = None, **keys: Any) -> Study:
    claims = [
        claim(test, claim_id=f"C{i}", decision=decision) for i, test in enumerate(tests or [needed()], 1)
    ]
    return Study.model_validate(study_values(*claims) | {"datasets": {"a": screens(**keys)}})


def loaded(one: Study, store: Path, name: str = "a") -> Any:
    """The data set as the workflow reads it."""
    hgnc = next(request.url for request in requests_for(one.references()["hgnc"], store))
    receipt = make_receipt(name, requests_for(one.datasets[name], store), Access(store))
    assert all(file.simulated for file in receipt.files)
    symbols = SymbolTable.read(store / store_path(str(hgnc)))
    data, ledger = load_expression(one.datasets[name], receipt, store, symbols)  # type: ignore[arg-type]
    assert ledger.status == "present", ledger.reason
    return data, ledger


def simulated(one: Study, world: World, store: Path) -> Any:
    simulate_study(one, world, 1, store)
    return loaded(one, store)[0]


def sizes(one: Study, store: Path) -> list[int]:
    """Case and control lines of the study's test."""
    (test,) = [test for _, test in one.tests()]
    assert isinstance(test, Dependency)
    (found,), _ = dependency(test, simulated(one, "as_claimed", store))
    return [int(found.groups["case"]), int(found.groups["control"])]


# Lines


def test_every_selection_finds_its_lines(tmp_path: Path) -> None:
    case, control = sizes(a_study(), tmp_path)
    assert case == CASE_LINES
    assert 60 <= case + control <= 120


@pytest.mark.parametrize(
    ("contrast", "keys"),
    [
        ({"case": {"OncotreeLineage": "Plasma"}, "control": {"OncotreeLineage": ["Blood", "Skin"]}}, {}),
        ({"case": {"Age": {"at_least": 60}}, "control": {"Age": {"at_most": 40}}}, {}),
        ({"case": {"Age": {"not": {"at_least": 60}}}, "control": {"Age": {"at_least": 60}}}, {}),
        ({"case": MYELOMA, "control": {"OncotreeLineage": {"not": "Skin"}}}, {}),
        (
            {
                "case": {"any_of": [{"OncotreeSubtype": "X"}, {"OncotreeLineage": "Y"}]},
                "control": {"Kind": "z"},
            },
            {},
        ),
        (
            {"case": {"kind": "myeloma"}, "control": {"kind": "rest"}},
            {
                "derive": {
                    "kind": {
                        "from": "OncotreeSubtype",
                        "values": {"myeloma": ["PCM", "MM"], "rest": "NOS-"},
                    }
                }
            },
        ),
        (
            {"case": MYELOMA, "control": OTHERS},
            {"samples": {"Growth": ["a", "b"]}, "expect": {"Origin": "c"}},
        ),
    ],
)
def test_selections_of_every_kind_are_honoured(
    tmp_path: Path, contrast: dict[str, Any], keys: dict[str, Any]
) -> None:
    case, control = sizes(a_study(needed(contrast=contrast), **keys), tmp_path)
    assert case >= CASE_LINES
    assert control >= OTHER_LINES


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Myeloma", "Myeloma"),
        ("^[Mm]yeloma$", "Myeloma"),
        ("Plasma (?:Cell|cell) [mM]yeloma", "Plasma Cell myeloma"),
        (r"\bplasma\s+cell.*tumou?r", "plasma celltumour"),
        ("(?i)MYELOMA|plasma", "MYELOMA"),
        (r"A\.B", "A.B"),
    ],
)
def test_a_text_for_a_regular_expression(pattern: str, text: str) -> None:
    assert example_of(pattern, "Disease") == text


def test_lines_that_are_called_by_name_are_there_once(tmp_path: Path) -> None:
    named = {"ModelID": ["ACH-000001", "ACH-000002", "ACH-000003"]}
    contrast = {"case": named, "control": {"ModelID": {"not": named["ModelID"]}}}
    case, control = sizes(a_study(needed(contrast=contrast)), tmp_path)
    assert case == 3
    assert control >= OTHER_LINES


def test_what_cannot_be_made_is_told() -> None:
    with pytest.raises(UserError, match="Disease: the simulator finds no text"):
        example_of(r"(a)\1(?=b)", "Disease")


def test_a_selection_against_itself_is_told(tmp_path: Path) -> None:
    one = a_study(needed(contrast={"case": {"Kind": "x"}, "control": {"Kind": "y"}}), samples={"Kind": "z"})
    with pytest.raises(UserError, match="cannot make a cell line with Kind is z; Kind is x"):
        simulate_study(one, "as_claimed", 1, tmp_path)


# Files


def test_files_are_known_as_simulated_and_hold_the_traps_of_the_format(tmp_path: Path) -> None:
    one = a_study()
    simulate_study(one, "as_claimed", 1, tmp_path)
    effects, models = (
        tmp_path / store_path(str(request.url)) for request in requests_for(one.datasets["a"], tmp_path)
    )
    assert identify(effects).simulated
    assert identify(models).simulated
    table = pd.read_csv(models)
    assert table.columns[0] != "ModelID"
    assert table["ModelID"].str.startswith("ACH-9").all()
    assert table["SimulatedNote"].str.contains(",").all()
    _, ledger = loaded(one, tmp_path)
    assert ledger.dropped == {
        "features left out for a brighter one of the same gene": 1,
        "features that HGNC does not know": 1,
        "gene effects that are missing": ledger.dropped["gene effects that are missing"],
        "lines of gene effects without a model": 2,
        "models without gene effects": 2,
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = a_study()
    digests = []
    for folder in (tmp_path / "1", tmp_path / "2"):
        simulate_study(one, "confounded", 3, folder)
        digests.append(
            [
                identify(folder / store_path(str(request.url))).sha256
                for request in requests_for(one.datasets["a"], folder)
            ]
        )
    assert digests[0] == digests[1]


def test_a_tenth_of_the_genes_is_needed_by_every_line(tmp_path: Path) -> None:
    means = simulated(a_study(), "as_claimed", tmp_path).to_df().mean()
    assert 0.07 < (means < -0.5).mean() < 0.13
    assert means[means < -0.5].median() == pytest.approx(-1, abs=0.05)


# Worlds

STUDY = a_study(
    needed(),
    needed("more", effect="difference", feature={"gene": "IKZF1"}),
    needed("less", effect="difference", feature={"gene": "CDK6"}, expected="positive"),
)


@cache
def verdicts(world: World, folder: Path) -> dict[str, str]:
    """Simulated, read, analysed, calibrated and judged."""
    data = simulated(STUDY, world, folder / world)
    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}
    for one, test in STUDY.tests():
        assert isinstance(test, Dependency)
        found, table = dependency(test, data)
        setting = Setting(
            run=world, study=STUDY.id, claim=one.id, test=test.id, role=test.role, rule="pooled",
            analysis=test.analysis, specification="", dataset="a", tier="matched", independent=True,
            data="simulated", expected=test.expected,
        )  # fmt: skip
        rows += [setting.row(estimate) for estimate in found]
        columns = {str(key): table[key] for key in table.columns}
        tables[f"{test.id}/a"] = setting.table(table.attrs["method"], table.attrs["effect_name"], columns)
    material = Material(STUDY, lambda name: data, tables.__getitem__, {}, 1)
    nulls = calibrate_study(material, rows)
    calibration = {one.claim: Calibration.of(one) for one in nulls.claims}
    return {one.claim: one.verdict for one in assess(STUDY, rows, world, 1, calibration, {}, {}).claims}


@pytest.mark.parametrize("world", WORLDS)
def test_only_what_was_claimed_is_found(world: World, tmp_path: Path) -> None:
    found = set(verdicts(world, tmp_path).values())
    if world == "as_claimed":
        assert found == {"consistent"}  # a single cohort
    elif world == "reversed":
        assert found == {"not_supported"}
    else:
        assert found <= {"not_supported", "inconclusive"}


def test_the_nuisance_of_confounded_moves_the_tested_genes_with_the_case_lines(tmp_path: Path) -> None:
    data = simulated(STUDY, "confounded", tmp_path)
    case = np.asarray(data.obs["OncotreePrimaryDisease"].str.contains("yeloma"))
    assert case.sum() == CASE_LINES
    moved = data.to_df()[case].mean() - data.to_df()[~case].mean()
    assert moved[["IRF4", "IKZF1", "CDK6"]].lt(-0.1).all()
    assert 0.2 < (moved < -0.15).mean() < 0.45


def test_a_gate_passes_in_every_world(tmp_path: Path) -> None:
    gate = needed("gate", "gate", feature={"gene": "POLR2A"}, passes={"at_most": -0.5})
    values = study_values(claim(needed(), gate)) | {"datasets": {"a": screens()}}
    one = Study.model_validate(values)
    for world in WORLDS:
        data = simulated(one, world, tmp_path / world)
        (test,) = [test for _, test in one.tests() if test.role == "gate"]
        assert isinstance(test, Dependency)
        (found,), _ = dependency(test, data)
        assert found.effect is not None
        assert found.effect < -0.7
