"""The base of every model a file is checked against, and how its mistakes are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from reclaim.errors import did_you_mean, nearest

Path = tuple[str | int, ...]


class Model(BaseModel):
    """Unknown keys are refused and instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def explain(error: ValidationError, place: Callable[[Sequence[str | int]], str]) -> list[str]:
    """One line per mistake: place, what was found, what was expected, the remedy."""
    items = error.errors()
    missing = {item["loc"] for item in items if item["type"] == "missing"}
    lines = []
    for item in items:
        loc: Path = item["loc"]
        kind, found = item["type"], item["input"]
        if kind == "extra_forbidden":
            # A key that is missing beside it is what was meant, and needs no line of its own.
            beside = {str(other[-1]): other for other in missing if other[:-1] == loc[:-1]}
            name = str(loc[-1])
            meant = nearest(name, beside)
            missing -= {beside[meant]} if meant else set()
            known = {meant} if meant else _known_keys()
            text = f"unknown key {name!r}{did_you_mean(name, known)}; remove it or correct its name"
        elif kind == "missing":
            continue
        elif kind in ("value_error", "assertion_error"):
            text = str(item["ctx"]["error"])
        elif kind.startswith("union_tag"):
            text = (
                f"found {_tag(item)}; expected one of {item['ctx'].get('expected_tags', 'the known kinds')}"
            )
        else:
            text = f"found {_short(found)}; expected: {item['msg'][0].lower()}{item['msg'][1:]}"
        lines.append(f"{place(loc)}: {text}")
    lines += [
        f"{place(loc)}: the key {str(loc[-1])!r} is missing; add it" for loc in sorted(missing, key=str)
    ]
    return list(dict.fromkeys(lines))


def _tag(item: Any) -> str:
    key = str(item["ctx"]["discriminator"]).strip("'")
    return f"{key}: {item['ctx']['tag']}" if "tag" in item["ctx"] else f"no key {key!r}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys() -> set[str]:
    return {field.alias or name for model in _subclasses(Model) for name, field in model.model_fields.items()}


def _subclasses(model: type[Model]) -> Iterator[type[Model]]:
    for sub in model.__subclasses__():
        yield sub
        yield from _subclasses(sub)
