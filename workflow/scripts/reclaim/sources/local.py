"""Files on disk, in the formats the field uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from reclaim.dataset import FileDataset
from reclaim.errors import UserError, did_you_mean
from reclaim.mutations import Cohort
from reclaim.sources.maf import read_maf
from reclaim.sources.text_table import open_bytes, read_table


def read_local_maf(dataset: FileDataset, files: Mapping[str, Path], ledger: Counter[str]) -> Cohort:
    """The cohort of a MAF and its sample table: every listed sample was sequenced."""
    table_spec = dataset.sample_table
    assert table_spec is not None  # the model demands it of a MAF
    path = files["sample_table"]
    separator = "," if path.name.removesuffix(".gz").endswith(".csv") else "\t"
    with open_bytes(path) as handle:
        clinical, line = read_table(handle, str(path), separator=separator)
    for column in (table_spec.sample, table_spec.patient):
        if column not in clinical.columns:
            raise UserError(
                f"{path}:{line}: no column {column!r}{did_you_mean(column, clinical.columns)}; "
                "name a column of this table under sample_table"
            )
    named = clinical[table_spec.sample].notna() & clinical[table_spec.patient].notna()
    ledger["sample lines without sample or patient"] += int((~named).sum())
    clinical = clinical[named]
    repeated = clinical[table_spec.sample].duplicated()
    ledger["sample lines that repeat another"] += int(repeated.sum())
    clinical = clinical[~repeated]

    maf = files["data"]
    with open_bytes(maf) as handle:
        mutations = read_maf(handle, str(maf), dataset.columns, ledger)
    listed = mutations["sample"].isin(clinical[table_spec.sample])
    ledger["mutations of samples outside the sample table"] += int((~listed).sum())
    if not listed.any():
        raise UserError(
            f"{maf}: none of its samples (such as {mutations['sample'].iloc[0]!r}) is in {path} column "
            f"{table_spec.sample!r} (such as {clinical[table_spec.sample].iloc[0]!r}); name the column that matches"
        )
    samples = pd.DataFrame(
        {
            "sample": clinical[table_spec.sample].to_numpy(),
            "patient": clinical[table_spec.patient].to_numpy(),
            "sequenced": True,
            "copy_number": False,
        }
    )
    return Cohort(
        mutations[listed].reset_index(drop=True),
        Cohort.empty().copy_number,
        samples,
        clinical.set_axis(pd.Index(samples["sample"], name="sample")),
    )
