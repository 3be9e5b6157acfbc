"""The samples of a simulated expression data set: every group that a test of the study asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from reclaim.claim_tests import Coexpression, Contrast, DifferentialExpression, EventShare, Survival
from reclaim.dataset import CbioportalExpressionDataset, Dataset, ExpressionKeys, GeoDataset, XenaDataset
from reclaim.errors import UserError
from reclaim.expression import PATIENT
from reclaim.expression_dataset import DerivedColumn
from reclaim.selection import ANY_OF, Condition, Selection, Wanted, alternatives, columns_of

Sampled = DifferentialExpression | Coexpression | Survival | EventShare
"""Tests that say which samples there are."""

STRATA = 16
"""Strata of a data set that is tested by stratum, such as cancer types."""
REPLICATES = {"lines": (4, 4), "stratum": (20, 12), "cohort": (120, 30)}
"""Case and control samples of each group: of cell lines, of each stratum of a cohort, of a whole one."""
COVARIATE = (30.0, 80.0)
"""A covariate of patients that no selection names is uniform between these."""
TYPE_CODE = "sample_type_id"
"""TCGA's column of the two digits that end a barcode: 01 primary tumour, 11 normal tissue."""


def simulated_samples(datasets: Sequence[Dataset], tests: Sequence[Sampled]) -> pd.DataFrame:
    """The sample table that all tests on the data sets of one source can run on, values as text, indexed by
    sample.

    Where the study names the samples (columns of supplementary tables), these; else a full cross of all
    values that selections ask for, with replicates. Strata get invented names. Raises UserError for a
    selection by regular expression, of which no value can be invented. Covariates of patients that no selection
    names, purities and follow-up are not here: they are drawn.
    """
    named = [
        name
        for dataset in datasets
        if isinstance(dataset, GeoDataset)
        for table in dataset.supplementary
        for name in table.columns_of
    ]
    if named:
        names = list(dict.fromkeys(named))
        return pd.DataFrame({"title": names}, index=pd.Index(names))
    factors = _factors(datasets, tests)
    strata = {column for column in map(strata_of, tests) if column}
    for column in strata:
        told = factors.get(column, [])  # strata that the study names
        invented = [f"SIMULATED stratum {number:02d}" for number in range(1, STRATA + 1)]
        factors[column] = [*told, *invented[len(told) :]]
    cases, controls = REPLICATES[kind_of_design(datasets, tests)]
    dealt = shuffled_columns(datasets)
    controls_of = [
        contrast.control
        for test in tests
        for contrast in contrasts_of(test)[:1]
        if not dealt & {column for column, _ in columns_of(contrast.control)}
    ]
    rows: list[dict[str, str]] = []
    for values in product(*factors.values()):
        cell = dict(zip(factors, values, strict=True))
        is_control = any(_meets(cell, selection) for selection in controls_of)
        for number in range(controls if is_control else cases):
            rows.append({**cell, "_number": str(number), "_arm": "control" if is_control else "case"})
    table = pd.DataFrame(rows)
    # Barcodes like TCGA's, because they tell patients. Pairs: the first case and the first control of a stratum are of one patient, and so on.
    pairs = [test.pairs for test in tests if isinstance(test, DifferentialExpression) and test.pairs]
    paired = bool(strata or pairs)
    place = table.groupby([*strata, "_number"], sort=False).ngroup() if paired else table.index
    table[PATIENT] = [f"TCGA-SIM{i // 10_000}-{i % 10_000:04d}" for i in place]
    for column in pairs:
        if column not in table:
            table[column] = table[PATIENT]
    return _titled(table.drop(columns=["_number"]), _worded(derived_columns(datasets)))


def kind_of_design(datasets: Sequence[Dataset], tests: Sequence[Sampled]) -> str:
    """A key of REPLICATES. Matrices of Xena and cBioPortal are of patients; what else is tested as a whole, of cell
    lines."""
    if any(map(strata_of, tests)):
        return "stratum"
    of_patients = (XenaDataset, CbioportalExpressionDataset)
    return "cohort" if any(isinstance(dataset, of_patients) for dataset in datasets) else "lines"


def contrasts_of(test: Sampled) -> list[Contrast]:
    """The contrast of a test, and that of its interaction."""
    both = [getattr(test, "contrast", None), getattr(test, "interaction", None)]
    return [contrast for contrast in both if contrast is not None]


def strata_of(test: Sampled) -> str | None:
    """The column that a test goes by, if any."""
    return test.strata if isinstance(test, DifferentialExpression | Coexpression) else None


def drawn_covariates(datasets: Sequence[Dataset], tests: Sequence[Sampled]) -> list[str]:
    """Covariates of patients that no selection names and no set of genes is meant by: numbers."""
    if kind_of_design(datasets, tests) == "lines":
        return []
    named = set(_factors(datasets, tests))
    sources = {rule.source for rule in derived_columns(datasets).values()}
    asked = [
        name for test in tests for name in [*getattr(test, "covariates", []), *getattr(test, "adjust", [])]
    ]
    return [
        name for name in dict.fromkeys(asked) if name not in named | sources | set(purity_columns(datasets))
    ]


def derived_columns(datasets: Sequence[Dataset]) -> dict[str, DerivedColumn]:
    """The derived columns of all data sets of one source."""
    return {
        column: rule
        for dataset in datasets
        if isinstance(dataset, ExpressionKeys)
        for column, rule in dataset.derive.items()
    }


def shuffled_columns(datasets: Sequence[Dataset]) -> set[str]:
    """Derived columns that are another one shuffled."""
    return {column for column, rule in derived_columns(datasets).items() if rule.shuffle}


def _worded(derive: Mapping[str, DerivedColumn]) -> dict[str, DerivedColumn]:
    """Derived columns whose values stand in the words of another one."""
    return {column: rule for column, rule in derive.items() if not rule.shuffle}


def purity_columns(datasets: Sequence[Dataset]) -> list[str]:
    """Columns of the tumour purity that the data sets of one source name."""
    named = [dataset.purity_column for dataset in datasets if isinstance(dataset, ExpressionKeys)]
    return list(dict.fromkeys(filter(None, named)))


def _factors(datasets: Sequence[Dataset], tests: Sequence[Sampled]) -> dict[str, list[str]]:
    """Column -> the values that occur. Purities are numbers, drawn for themselves."""
    derive, dealt = _worded(derived_columns(datasets)), shuffled_columns(datasets)
    factors: dict[str, list[str]] = {column: list(rule.values) for column, rule in derive.items()}
    selections: list[Selection] = [one for dataset in datasets for one in (dataset.samples, dataset.expect)]
    for test in tests:
        selections += [
            test.samples,
            *(side for one in contrasts_of(test) for side in (one.case, one.control)),
        ]
    derived_from = {rule.source for rule in derive.values()}
    purities = purity_columns(datasets)
    for selection in selections:
        for column, wanted in columns_of(selection):
            if column in derived_from | dealt or column in purities:
                continue  # made of the marks, or drawn
            known = factors.setdefault(column, [])
            known += [value for value in _values(column, wanted) if value not in known]
    if kind_of_design(datasets, tests) == "lines":
        for test in tests:
            for column in getattr(test, "covariates", []):
                if column not in purities:
                    factors.setdefault(column, ["A", "B"])
    # A derived column that no selection names says nothing about what it may hold.
    return {column: values for column, values in factors.items() if values}


def _values(column: str, wanted: Wanted) -> list[str]:
    if isinstance(wanted, Condition):
        raise UserError(
            f"samples: {column}: a simulated sample cannot be made for a condition; name the values themselves"
        )
    return [str(value) for value in (wanted if isinstance(wanted, list) else [wanted])]


def _meets(cell: Mapping[str, str], selection: Selection) -> bool:
    def fits(column: str, wanted: Any) -> bool:
        if column == ANY_OF:
            return any(_meets(cell, dict(option)) for option in alternatives(wanted))
        return column not in cell or cell[column] in _values(column, wanted)

    return all(fits(column, wanted) for column, wanted in selection.items())


def _titled(table: pd.DataFrame, derive: Mapping[str, DerivedColumn]) -> pd.DataFrame:
    """Titles that hold the marks of every derived column, and sample names."""
    arm = table.pop("_arm")
    marks: dict[str, list[str]] = {}
    for column, rule in derive.items():
        if column not in table:
            continue
        first = {value: text if isinstance(text, str) else text[0] for value, text in rule.values.items()}
        marks.setdefault(rule.source, [""] * len(table))
        marks[rule.source] = [
            f"{before} {first.get(value, value)}".strip()
            for before, value in zip(marks[rule.source], table[column], strict=True)
        ]
    for source, texts in marks.items():
        number = source == "title"  # titles are all different
        table[source] = [f"{text} {i}" if number else text for i, text in enumerate(texts, start=1)]
    table = table.drop(columns=[column for column in derive if column in table and column not in marks])
    suffix = np.where(arm == "case", "01", "11")
    if TYPE_CODE in table:
        suffix = table[TYPE_CODE].str.zfill(2).to_numpy(object)
    names = table[PATIENT].to_numpy(object) + "-" + suffix
    repeated = pd.Series(names).groupby(names).cumcount()
    table.index = pd.Index(
        [f"{name}{'' if i == 0 else chr(64 + i)}" for name, i in zip(names, repeated, strict=True)]
    )
    return table


def describe_design(samples: pd.DataFrame) -> dict[str, Any]:
    """For the manifest: how many samples, and the values of columns with few of them."""
    few = {str(c): sorted(samples[c].unique()) for c in samples if samples[c].nunique() <= STRATA}
    return {"samples": len(samples), "columns": few}
