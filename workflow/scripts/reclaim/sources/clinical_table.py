"""A local table of patients or samples without any expression."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.dataset import FileDataset
from reclaim.errors import UserError, did_you_mean
from reclaim.expression import NO_VALUES, PATIENT
from reclaim.sources.plain_table import read_plain_table

if TYPE_CHECKING:
    import anndata

MISSING = "NA"
"""What R and cBioPortal's downloads write where there is no value."""


def read_clinical_table(dataset: FileDataset, path: Path, ledger: Counter[str]) -> anndata.AnnData:
    """Samples without genes, the columns of the table as `obs` (all text, missing where empty or NA).

    Raises UserError with file and line for a column that is not there, and for a sample that stands twice.
    """
    import anndata as ad

    table = read_plain_table(path, ledger)
    key = str(table.columns[0]) if dataset.sample_column is None else dataset.sample_column
    for name, column in (("sample_column", key), ("patient_column", dataset.patient_column)):
        if column is not None and column not in table.columns:
            raise UserError(
                f"{path}:{table.attrs['header']}: no column {column!r}{did_you_mean(column, table.columns)}; "
                f"name a column of this table under {name}"
            )
    unsaid = table == MISSING
    ledger[f"cells that say {MISSING}, read as missing"] += int(unsaid.to_numpy().sum())
    table = table.mask(unsaid, None)
    named = table[key].notna()
    ledger["sample lines without a sample"] += int((~named).sum())
    table = table[named].copy()
    _refuse_repeated(table[key], path)
    if dataset.patient_column is not None:
        table[PATIENT] = table[dataset.patient_column]
    samples = table.set_index(table[key].to_numpy()).drop(columns="", errors="ignore")
    return ad.AnnData(np.zeros((len(samples), 0), np.float32), obs=samples, uns={"unit": NO_VALUES})


def _refuse_repeated(samples: pd.Series[str], path: Path) -> None:
    """`samples` is indexed by line."""
    again = samples[samples.duplicated()]
    if len(again):
        sample = again.iloc[0]
        raise UserError(
            f"{path}:{again.index[0]}: the sample {sample!r} stands already in line "
            f"{samples.index[samples == sample][0]}; leave one line for each sample"
        )
