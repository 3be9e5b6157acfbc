"""What claims of specificity are ranked against: every other feature of the full results, in the same context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

SAME_CELLS, OTHER_CELLS = "same cells", "other cells"
"""Where full results say whether a feature was measured in the cells of the query: only such are comparators."""


def read_comparators(
    keys: Sequence[str], paths: Sequence[str | Path]
) -> dict[str, dict[str, dict[str, float]]]:
    """Study -> test -> feature -> effect, from full results whose keys are `study/test/dataset`."""
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for key, path in zip(keys, paths, strict=True):
        study, result = key.split("/", 1)
        found.setdefault(study, {})[result] = pd.read_parquet(path, columns=["feature", "stratum", "effect"])
    return {study: comparators_of(tables) for study, tables in found.items()}


def comparators_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Test -> feature -> effect, from full results by `test/dataset`.

    Only features of the same cells as the query count. Of several data sets the mean over those that have the feature.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for key, table in tables.items():
        found.setdefault(key.split("/")[0], []).append(table[table["stratum"] == SAME_CELLS])
    return {test: _effects(pd.concat(parts)) for test, parts in found.items()}


def _effects(table: pd.DataFrame) -> dict[str, float]:
    means = table.groupby("feature", sort=True)["effect"].mean()
    return {str(feature): float(effect) for feature, effect in means.items()}
