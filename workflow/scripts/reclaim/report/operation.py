"""Tests in words: what they are about, in whom, and how two tests differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from reclaim.claim_tests import (
    AnyTest,
    BoundAndDeregulated,
    ClaimTest,
    Coexpression,
    Contrast,
    Dependency,
    EventShare,
    MutationFeature,
    MutationTest,
    PeakColocalization,
    ResultOf,
    Survival,
    TargetGenes,
)
from reclaim.dataset import Dataset, MutationCalls, kind_of
from reclaim.endpoint import Endpoint
from reclaim.report.measures import (
    endpoint_in_words,
    endpoint_name,
    feature_in_words,
    groups_in_words,
    kind,
)
from reclaim.report.words import listing
from reclaim.selection import Condition, describe

TOLD_ELSEWHERE = {*AnyTest.model_fields, "analysis", "call_depth_gate", "expected"}
PHRASES = {
    "adjust": "adjusted for",
    "covariates": "adjusted for",
    "horizon_years": "follow-up to",
    "from_years": "follow-up from",
    "after_years": "events after",
    "universe": "regions:",
    "promoter_bp": "promoters:",
    "top_peaks": "peaks of each experiment:",
    "window_bp": "peaks within",
}
"""Keys that read on in their values."""

UNSET = {
    "adjusted for": "nothing",
    "follow-up to": "its end",
    "follow-up from": "its start",
    "promoters:": "",
    "peaks of each experiment:": "all",
    "regions:": "",
    "peaks near a gene:": "",
}

UNIVERSES = {
    "peaks": "those that any antigen of the data set binds",
    "elements": "ENCODE’s candidate cis-regulatory elements",
}


def subject(test: ClaimTest) -> str:
    """What the test is about: its features in words."""
    match test:
        case Coexpression():
            about = listing([feature_in_words(feature) for feature in test.features])
            each = f"in each {test.strata}" if test.strata else ""
            return ", ".join(filter(None, [about, _adjusted(test.adjust), each]))
        case Survival():
            about = (
                f"{endpoint_name(test)} by {feature_in_words(test.feature)}"
                if test.feature
                else f"{endpoint_name(test)}, {groups_in_words(test.contrast)}"
                if test.contrast
                else endpoint_name(test)
            )
            return ", ".join(filter(None, [about, window(test), _adjusted(test.covariates)]))
        case EventShare():
            return f"{endpoint_name(test)} after {test.after_years:g} years"
        case PeakColocalization():
            return f"{test.query} and {test.partner} on the same regions"
        case BoundAndDeregulated():
            other = "rise" if test.response == "falls" else "fall"
            rather = f" rather than {other}" if test.among == "responding" else ""
            near = f"with a peak of {test.query} within {test.window_bp:,} bp"
            return f"genes {near} that {test.response.removesuffix('s')}{rather}"
        case TargetGenes():
            factors = f"{test.query} with {listing(test.partner, 'or')}" if test.partner else test.query
            return f"peaks of {factors} within {test.window_bp:,} bp of {listing(test.genes)}"
        case Dependency():
            groups = groups_in_words(test.contrast)
            return f"knock-out of {test.feature.gene}, {groups}" + (
                " (difference)" if test.effect == "difference" else ""
            )
    return "; ".join(
        value if name.startswith("feature") else f"{name} {value}" if name in UNSET else f"{name}: {value}"
        for name, value in _own_keys(test).items()
    )


def window(test: Survival) -> str:
    """Which years of follow-up count, such as `up to 5 years`; empty where all do."""
    if test.horizon_years and test.from_years:
        return f"from {test.from_years:g} to {test.horizon_years:g} years"
    if test.from_years:
        return f"from {test.from_years:g} years on"
    return f"up to {test.horizon_years:g} years" if test.horizon_years else ""


def _adjusted(names: list[str]) -> str:
    return f"adjusted for {listing(names)}" if names else ""


def _own_keys(test: ClaimTest) -> dict[str, str]:
    """Keys of this kind of test that say something, in words."""
    found = {}
    for name in type(test).model_fields:
        value = getattr(test, name)
        if name in TOLD_ELSEWHERE or value in (None, [], {}) or (name == "from_years" and not value):
            continue
        phrase = name != "adjust" or isinstance(value, list)
        found[PHRASES.get(name, _key(name)) if phrase else _key(name)] = _with_unit(name, value)
    return found


def _with_unit(name: str, value: Any) -> str:
    """The value of a key, with what its name tells of it."""
    match name:
        case "universe":
            return UNIVERSES[value]
        case "promoter_bp":
            return f"within {value:,} bp of a transcription start" if value else "no strata of their own"
        case "top_peaks":
            return f"the {value:,} strongest"
        case "window_bp":
            return f"{value:,} bp of a transcription start"
    return f"{words_for(value)}{' years' if name.endswith('_years') else ''}"


def _key(name: str) -> str:
    return name.rstrip("_").replace("_", " ")


def words_for(value: Any) -> str:
    """Any value of a study file in words."""
    if isinstance(value, MutationFeature):
        return value.label
    if isinstance(value, Contrast):
        return groups_in_words(value)
    if isinstance(value, Endpoint):
        return endpoint_in_words(value)
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
        regions = kind_of(datasets[name]) == "regions"
        selection = "" if regions else describe(datasets[name].samples) or "all samples"
        by_selection.setdefault(selection, []).append(name)
    found = [
        f"{listing(names)} ({selection})" if selection else listing(names)
        for selection, names in by_selection.items()
    ]
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
        found.append(f"another kind of test: {kind(other).rstrip('.')}, {subject(other)}")
        ours = theirs = {}
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            colon, unset = ("", UNSET[name]) if name in UNSET else (":", "not set")
            found.append(f"{name}{colon} {theirs.get(name, unset)} instead of {ours.get(name, unset)}")
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
