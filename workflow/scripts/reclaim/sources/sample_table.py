"""A local table of samples: one line per assayed sample."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from reclaim.dataset import SampleTable
from reclaim.errors import UserError, did_you_mean
from reclaim.sources.text_table import open_bytes, read_table


def read_sample_table(spec: SampleTable, path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """Lines with sample and patient, each sample once."""
    separator = "," if path.name.removesuffix(".gz").endswith(".csv") else "\t"
    with open_bytes(path) as handle:
        table, line = read_table(handle, str(path), separator=separator)
    for column in (spec.sample, spec.patient):
        if column not in table.columns:
            raise UserError(
                f"{path}:{line}: no column {column!r}{did_you_mean(column, table.columns)}; "
                "name a column of this table under sample_table"
            )
    named = table[spec.sample].notna() & table[spec.patient].notna()
    ledger["sample lines without sample or patient"] += int((~named).sum())
    table = table[named]
    repeated = table[spec.sample].duplicated()
    ledger["sample lines that repeat another"] += int(repeated.sum())
    return table[~repeated]
