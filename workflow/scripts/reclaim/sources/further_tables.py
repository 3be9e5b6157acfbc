"""Further sample tables of a Xena data set: follow-up at the hub, purity and the like at the Genomic Data Commons.

Tables speak of samples (TCGA-OR-A5J1-01), of vials (...-01A) or of aliquots (...-01A-11D-A29I-01); what they share
is the sample, the first 15 characters of the barcode.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from reclaim.errors import AbsentData, did_you_mean
from reclaim.expression_dataset import FurtherTable
from reclaim.sources.plain_table import read_plain_table
from reclaim.sources.table_rows import MISSING

SAMPLE = re.compile(r"(TCGA-\w+-\w+-\d\d).*")
SMALLEST_SHARE = 0.1
"""A table with a line for fewer of the samples is not theirs."""


def with_further_tables(
    samples: pd.DataFrame, tables: Mapping[str, FurtherTable], files: Mapping[str, Path], ledger: Counter[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sample table with the columns of further `tables` (named as in `files`), and which sample has a line in
    which of them (samples x tables).

    A column that is there already is left out. Of several lines of a sample the one with most values counts, of
    equals the first: a sample's values stay together. Cells that say NA are missing.
    Raises AbsentData for a key that is no column, UserError for damage.
    """
    found = pd.DataFrame(index=samples.index)
    for name, spec in tables.items():
        samples, found[name] = _joined(samples, spec, files[name], ledger)
    return samples, found


def check_found(found: pd.DataFrame, tables: Mapping[str, FurtherTable], ledger: Counter[str]) -> None:
    """Raise AbsentData where fewer than a tenth of the samples have a line in one of the tables."""
    for name, spec in tables.items():
        number = int(found[name].sum())
        ledger["samples without a line in a further sample table"] += len(found) - number
        if number < SMALLEST_SHARE * len(found):
            raise AbsentData(
                f"sample_tables: {spec.table or spec.gdc_file}: {number} of {len(found)} samples have a line in it, by "
                f"the barcodes of column {spec.key!r}; expected at least a tenth: name the table of these samples, or "
                "another key"
            )


def _joined(
    samples: pd.DataFrame, spec: FurtherTable, path: Path, ledger: Counter[str]
) -> tuple[pd.DataFrame, pd.Series]:
    table = read_plain_table(path, ledger, spec.columns, quoted=False)
    if spec.key not in table.columns:
        raise AbsentData(
            f"{path}:{table.attrs['header']}: no column {spec.key!r}{did_you_mean(spec.key, table.columns)} (it has "
            f"{', '.join(map(str, table.columns[:4]))}, ...); name the column of barcodes, or, of a file without a "
            "header, all its `columns`"
        )
    table = table.mask(table.isin(MISSING), None)
    there = {*samples.columns, samples.index.name, spec.key}
    new = [column for column in table.columns if column not in there]
    ledger["columns of further sample tables that are there already"] += table.shape[1] - len(new) - 1

    sample = samples.index.str.replace(SAMPLE, r"\1", regex=True)
    lines = table.set_index(table[spec.key].str.replace(SAMPLE, r"\1", regex=True))[new]
    here = lines.index.isin(sample)
    ledger["lines of further sample tables that are of no sample here"] += int((~here).sum())
    fullest = lines[here].iloc[lines[here].isna().sum(axis=1).argsort(kind="stable")]
    own = fullest[~fullest.index.duplicated()]
    ledger["lines of further sample tables that repeat a sample"] += len(fullest) - len(own)
    added = own.reindex(sample).set_axis(samples.index)
    return pd.concat([samples, added], axis=1), pd.Series(sample.isin(own.index), samples.index)
