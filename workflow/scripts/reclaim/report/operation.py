"""Tests in words: what is measured, in whom, and how two tests differ."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from reclaim.claim_tests import AnyTest, ClaimTest, MutationFeature, MutationTest, ResultOf
from reclaim.dataset import Dataset, MutationCalls
from reclaim.report.words import listing
from reclaim.selection import Condition, describe

TOLD_ELSEWHERE = {*AnyTest.model_fields, "analysis", "call_depth_gate", "expected"}


def measure(test: ClaimTest) -> str:
    """What the test computes, from the documentation of its kind."""
    return " ".join((inspect.getdoc(type(test)) or test.analysis).split())


def subject(test: ClaimTest) -> str:
    """What the test is about: its features in words."""
    return "; ".join(
        value if name.startswith("feature") else f"{name}: {value}" for name, value in _own_keys(test).items()
    )


def _own_keys(test: ClaimTest) -> dict[str, str]:
    """Keys of this kind of test that say something, in words."""
    named = {
        name: value
        for name in type(test).model_fields
        if (value := getattr(test, name)) not in (None, [], {})
    }
    return {_key(name): words_for(value) for name, value in named.items() if name not in TOLD_ELSEWHERE}


def _key(name: str) -> str:
    return name.rstrip("_").replace("_", " ")


def words_for(value: Any) -> str:
    """Any value of a study file in words."""
    if isinstance(value, MutationFeature):
        return value.label
    if isinstance(value, ResultOf):
        return f"result of {value.test}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        plain = all(isinstance(item, str | int | float | list | Condition) for item in value.values())
        return describe(dict(value)) if plain else _keys_in_words(value)
    if isinstance(value, BaseModel):
        return _keys_in_words({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, list | tuple):
        return listing([words_for(item) for item in value])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _keys_in_words(values: Mapping[str, Any]) -> str:
    said = [(name, value) for name, value in values.items() if value not in (None, [], {}, False)]
    if len(said) == 1 and said[0][0].startswith("gene"):
        return words_for(said[0][1])
    return ", ".join(f"{_key(name)} {words_for(value)}" for name, value in said)


def cohorts(test: ClaimTest, datasets: Mapping[str, Dataset]) -> list[str]:
    """Data sets of a test, those with the same selection of samples together."""
    by_selection: dict[str, list[str]] = {}
    for name in test.datasets:
        selection = describe(datasets[name].samples) or "all samples"
        by_selection.setdefault(selection, []).append(name)
    found = [f"{listing(names)} ({selection})" for selection, names in by_selection.items()]
    if test.samples:
        found.append(f"of these only samples with {describe(test.samples)}")
    if test.with_:
        found.append("further inputs: " + _inputs(test))
    return found


def _inputs(test: ClaimTest) -> str:
    return ", ".join(f"{_key(role)}: {words_for(value)}" for role, value in test.with_.items())


def call_depth_gate(test: ClaimTest, datasets: Mapping[str, Dataset]) -> str | None:
    """The call-depth gate of a test on mutations, or None for another kind of test."""
    if not isinstance(test, MutationTest):
        return None
    if not test.call_depth_gate:
        return "Switched off: every sequenced patient counts."
    by_minimum: dict[int, list[str]] = {}
    for name in test.datasets:
        by_minimum.setdefault(_minimum(datasets[name]), []).append(name)
    parts = [
        f"at least {minimum} in {listing(names)}" if minimum else f"none asked for in {listing(names)}"
        for minimum, names in sorted(by_minimum.items(), reverse=True)
    ]
    return f"A patient counts with enough non-silent mutations outside the tested genes: {'; '.join(parts)}."


def _minimum(dataset: Dataset) -> int:
    """Other mutations that a patient needs to count."""
    return dataset.min_other_mutations if isinstance(dataset, MutationCalls) else 0


def differences(primary: ClaimTest, other: ClaimTest) -> list[str]:
    """How `other` departs from the primary test, key by key, in words."""
    found = []
    ours, theirs = _own_keys(primary), _own_keys(other)
    if type(primary) is not type(other):
        found.append(f"another kind of test: {measure(other).rstrip('.')}, {subject(other)}")
        ours = theirs = {}
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            found.append(f"{name}: {theirs.get(name, 'not set')} instead of {ours.get(name, 'not set')}")
    if getattr(primary, "call_depth_gate", None) != getattr(other, "call_depth_gate", None):
        found.append(
            "with the call-depth gate" if getattr(other, "call_depth_gate", False) else "no call-depth gate"
        )
    added = [name for name in other.datasets if name not in primary.datasets]
    dropped = [name for name in primary.datasets if name not in other.datasets]
    if added:
        found.append(f"also on {listing(added)}")
    if dropped:
        found.append(f"not on {listing(dropped)}")
    if primary.samples != other.samples:
        found.append(f"samples: {describe(other.samples) or 'no further filter'}")
    if primary.with_ != other.with_:
        found.append(f"further inputs: {_inputs(other) or 'none'}")
    return found
