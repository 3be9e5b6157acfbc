"""The cell lines of a simulated table of models: for every group that a test of gene effects selects, lines that meet it.

Selections may be anything that a study file allows, regular expressions among them. No word here is a promise of how
the real table spells anything: a selection that finds lines here may find none there, and then says what there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reclaim.claim_tests import Dependency
from reclaim.dataset import DepmapDataset
from reclaim.errors import AbsentData, UserError
from reclaim.expression import derive_columns
from reclaim.expression_dataset import DerivedColumn
from reclaim.selection import (
    ANY_OF,
    Condition,
    Selection,
    Wanted,
    alternatives,
    columns_of,
    describe,
    select,
)

NAMES = ("ModelID", "CellLineName")
COLUMNS = ("OncotreeLineage", "OncotreePrimaryDisease", "OncotreeSubtype")
KINDS: tuple[tuple[int, str, str, str], ...] = (
    (10, "Lung", "Non-Small Cell Lung Cancer", "Lung Adenocarcinoma"),
    (8, "CNS/Brain", "Diffuse Glioma", "Glioblastoma"),
    (8, "Lymphoid", "Mature B-Cell Neoplasms", "Diffuse Large B-Cell Lymphoma, NOS"),
    (6, "Skin", "Melanoma", "Cutaneous Melanoma"),
    (6, "Bowel", "Colorectal Adenocarcinoma", "Colon Adenocarcinoma"),
    (6, "Ovary/Fallopian Tube", "Ovarian Epithelial Tumor", "High-Grade Serous Ovarian Cancer"),
    (5, "Breast", "Invasive Breast Carcinoma", "Breast Invasive Ductal Carcinoma"),
    (5, "Pancreas", "Pancreatic Adenocarcinoma", "Pancreatic Adenocarcinoma"),
    (5, "Esophagus/Stomach", "Esophagogastric Adenocarcinoma", "Stomach Adenocarcinoma"),
    (4, "Myeloid", "Acute Myeloid Leukemia", "AML, NOS"),
    (4, "Kidney", "Renal Cell Carcinoma", "Renal Clear Cell Carcinoma"),
    (3, "Bone", "Ewing Sarcoma", "Ewing Sarcoma"),
)
"""Lines of each kind that are there whatever the tests say."""
CASE_LINES, OTHER_LINES, EXPECTED_LINES = 18, 30, 3
"""At least so many lines for each group of cases, of controls, and of what `expect` names."""
OTHER = "SIMULATED other"
MODEL_ID = "ACH-9{:05d}"


@dataclass(frozen=True)
class Group:
    """`size` lines that a data set must have: all of `selections` hold, and `not_in` does not. Cases are of no other kind
    than they are selected for."""

    dataset: DepmapDataset
    selections: tuple[Selection, ...]
    size: int
    not_in: Selection | None = None
    are_cases: bool = False


def simulated_lines(
    datasets: Mapping[str, DepmapDataset], tests: Sequence[Dependency]
) -> dict[str, list[str]]:
    """Columns of the table of models: ModelID, CellLineName, COLUMNS, and all that selections name, empty where missing.

    Raises UserError for a selection that no line can be made for.
    """
    rows = [dict(zip(COLUMNS, kind, strict=True)) for number, *kind in KINDS for _ in range(number)]
    for group in _groups(datasets, tests):
        there = int(in_group(group, rows).sum())
        rows += [_line(group, number) for number in range(there, group.size)]
    rows = _each_once(rows)
    own = {
        "ModelID": [MODEL_ID.format(number) for number in range(1, len(rows) + 1)],
        "CellLineName": [f"SIMULATED-{number:04d}" for number in range(1, len(rows) + 1)],
    }
    for name, invented in own.items():
        own[name] = [row.get(name) or other for row, other in zip(rows, invented, strict=True)]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in own]
    return {**own, **{name: [row.get(name, "") for row in rows] for name in names}}


def _each_once(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Of lines that a selection calls by the same name the first."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        names = {(name, row[name]) for name in NAMES if row.get(name)}
        if not names & seen:
            kept.append(row)
        seen |= names
    return kept


def in_group(group: Group, rows: Sequence[Mapping[str, str]]) -> np.ndarray:
    """Which lines meet every selection of the group."""
    table = pd.DataFrame(list(rows)).replace("", None)
    sources = [rule.source for rule in group.dataset.derive.values()]
    named = [name for one in group.selections for option in _options(one) for name in option]
    for column in (*sources, *named):
        if column not in table and column not in group.dataset.derive:
            table[column] = None
    table = derive_columns(table, group.dataset.derive)
    keep = [np.asarray(select(table, one), bool) for one in group.selections]
    return np.asarray(np.logical_and.reduce([np.ones(len(table), bool), *keep]), bool)


def _groups(datasets: Mapping[str, DepmapDataset], tests: Sequence[Dependency]) -> Iterator[Group]:
    for dataset in datasets.values():
        if dataset.expect:
            yield Group(dataset, (dataset.expect,), EXPECTED_LINES)
    for test in tests:
        case, control = test.contrast.case, test.contrast.control
        for name in test.datasets:
            beside = (datasets[name].samples, test.samples)
            yield Group(datasets[name], (*beside, case), CASE_LINES, control, are_cases=True)
            yield Group(datasets[name], (*beside, control), OTHER_LINES, case)


def _line(group: Group, number: int) -> dict[str, str]:
    """A line that meets the group's selections; `number` chooses among alternatives."""
    kinds = [kind for _, *kind in KINDS]
    row = dict(zip(COLUMNS, kinds[number % len(kinds)], strict=True))
    if group.are_cases:
        row = dict.fromkeys(COLUMNS, OTHER)
    demands: dict[str, list[Wanted]] = {}
    for selection in group.selections:
        options = _options(selection)
        for column, one in options[number % len(options)].items():
            demands.setdefault(column, []).append(one)
    for column, wanted in demands.items():
        _meet(row, column, wanted, group.dataset.derive, number)
    if group.not_in is not None and in_group(Group(group.dataset, (group.not_in,), 0), [row]).all():
        for column, avoided in columns_of(group.not_in):
            if column not in demands:
                _meet(row, column, [Condition.model_validate({"not": avoided})], group.dataset.derive, number)
    if not in_group(group, [row]).all():
        words = "; ".join(filter(None, map(describe, group.selections)))
        raise UserError(
            f"datasets: the simulator cannot make a cell line with {words}; select by other columns, or run on public data"
        )
    return row


def _options(selection: Selection) -> list[dict[str, Wanted]]:
    """A selection as the selections that its `any_of` allows, each without one."""
    plain = dict(columns_of({column: wanted for column, wanted in selection.items() if column != ANY_OF}))
    return [plain | option for option in alternatives(selection[ANY_OF])] if ANY_OF in selection else [plain]


def _meet(
    row: dict[str, str],
    column: str,
    wanted: Sequence[Wanted],
    derive: Mapping[str, DerivedColumn],
    number: int,
) -> None:
    """Give the row a value of the column that is all of `wanted`."""
    rule = derive.get(column)
    if rule is not None and rule.shuffle:
        return  # dealt out when the table is read
    if rule is not None and rule.values:
        fitting = [value for value in rule.values if _fits(column, value, wanted)]
        marks = rule.values[fitting[number % len(fitting)]] if fitting else []
        text = marks if isinstance(marks, str) else next(iter(marks), "")
        if not text or text not in row.get(rule.source, ""):
            row[rule.source] = text
        return
    column = column if rule is None else rule.source
    if not _fits(column, row.get(column, ""), wanted):
        tried = [text for one in wanted for text in _candidates(column, one)]
        fitting = [text for text in dict.fromkeys(tried) if _fits(column, text, wanted)]
        row[column] = fitting[number % len(fitting)] if fitting else ""


def _fits(column: str, text: str, wanted: Sequence[Wanted]) -> bool:
    table = pd.DataFrame({column: [text or None]}, dtype=object)
    return all(bool(select(table, {column: one}).all()) for one in wanted)


def _candidates(column: str, wanted: Wanted) -> list[str]:
    """Texts that may meet a condition."""
    if isinstance(wanted, list):
        return [str(one) for one in wanted]
    if not isinstance(wanted, Condition):
        return [str(wanted)]
    found = [OTHER]
    if wanted.matches is not None:
        found.insert(0, example_of(wanted.matches, column))
    refused = wanted.not_ if isinstance(wanted.not_, Condition) else None
    if refused is not None and refused.not_ is not None:
        found += _candidates(column, refused.not_)
    for one in filter(None, (wanted, refused)):  # what is not "at least 3" lies below it
        limits = [limit for limit in (one.at_least, one.at_most) if limit is not None]
        found += [f"{limit + step:g}" for limit in limits for step in (0, -1, 1)]
    return found


def example_of(pattern: str, column: str) -> str:
    """A text that a regular expression finds, such as `Plasma Cell myeloma` for `Plasma (Cell|cell) [mM]yeloma`: of
    alternatives the first, of a class of characters its first one, of what may be missing nothing.

    Raises UserError, naming the column, for a pattern that is beyond this.
    """
    text = re.sub(r"\(\?[a-zA-Z]+\)", "", pattern)
    before = ""
    while before != text:
        before, text = text, re.sub(r"\((?:\?:)?([^()|]*)(?:\|[^()]*)?\)", r"\1", text)
    for made in text.split("|"):
        for old, new in (
            (r"\[\^[^\]]*\]", "~"),
            (r"\[(.)[^\]]*\]", r"\1"),
            (r"\\[bB]|[\^$]", ""),
            (r"\\s", " "),
            (r"\\d", "1"),
            (r"\\w", "a"),
            (r"\.[*?]", ""),
            (r"(?<!\\)\.", "x"),
            (r"(?<!\\)(?:[*+?]|\{[^}]*\})", ""),
            (r"\\(.)", r"\1"),
        ):
            made = re.sub(old, new, made)
        if made.strip() and re.search(pattern, made):
            return made
    raise UserError(
        f"samples: {column}: the simulator finds no text that /{pattern}/ matches; write it as words between bars "
        "(Myeloma|myeloma), or run on public data"
    )


def selected(table: pd.DataFrame, dataset: DepmapDataset, selections: Sequence[Selection]) -> np.ndarray:
    """Which lines of the finished table, missing values as None, meet every selection."""
    try:
        derived = derive_columns(table, dataset.derive)
        kept = [np.asarray(select(derived, one), bool) for one in selections]
    except AbsentData as lacking:
        raise UserError(
            f"datasets: the simulator cannot make the cell lines: {lacking}; correct the column, or run on public data"
        ) from None
    return np.asarray(np.logical_and.reduce(kept), bool)
