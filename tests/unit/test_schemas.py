"""The JSON schemas in workflow/schemas are generated; run `make schemas` when a test here fails."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import jsonschema
import pytest

from reclaim.config import Config, check_config
from reclaim.marked_yaml import read_marked_yaml
from reclaim.schemas import FOLDER, render, schemas

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(schemas()))
def test_not_stale(name: str) -> None:
    written, generated = (FOLDER / name).read_text(), render(schemas()[name])
    diff = "".join(
        difflib.unified_diff(written.splitlines(True), generated.splitlines(True), name, "generated")
    )
    assert not diff, f"run `make schemas`:\n{diff}"


def test_nothing_else_lies_there() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(schemas())


@pytest.mark.parametrize("path", sorted((ROOT / "seeds").glob("*.yaml")), ids=lambda path: path.stem)
def test_seeds_meet_the_schema_that_editors_use(path: Path) -> None:
    document = json.loads(json.dumps(read_marked_yaml(path).data, default=str))
    jsonschema.validate(document, schemas()["study.schema.json"])
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=../workflow/schemas/study.schema.json\n"
    )


def test_the_shipped_configuration_is_the_default() -> None:
    document = read_marked_yaml(ROOT / "config" / "config.yaml")
    assert check_config(document.data) == Config()
    assert set(document.data) == set(Config.model_fields)
