"""JSON schemas of the contracts, generated from the models: `python -m reclaim.schemas` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reclaim.claim_row import ClaimRow
from reclaim.config import Config
from reclaim.evidence import EvidenceRow
from reclaim.model import Model
from reclaim.study import Study

FOLDER = Path(__file__).parents[2] / "schemas"
MODELS: dict[str, type[Model]] = {
    "study": Study,
    "config": Config,
    "evidence": EvidenceRow,
    "claims": ClaimRow,
}


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> JSON schema. The rows of a table are the items of an array."""
    found = {}
    for name, model in MODELS.items():
        schema = model.model_json_schema(by_alias=True)
        if name in ("evidence", "claims"):
            definitions = schema.pop("$defs", {})
            schema = {"type": "array", "items": schema, "title": name, "$defs": definitions}
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        found[f"{name}.schema.json"] = schema
    return found


def render(schema: dict[str, Any]) -> str:
    """The text of a schema file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file_name, content in schemas().items():
        (FOLDER / file_name).write_text(render(content), encoding="utf-8")
