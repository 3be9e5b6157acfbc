"""A local MAF with its sample table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from reclaim.dataset import FileDataset
from reclaim.errors import UserError
from reclaim.mutations import Cohort
from reclaim.sources.maf import read_maf
from reclaim.sources.sample_table import read_sample_table
from reclaim.sources.text_table import open_bytes


def read_local_maf(dataset: FileDataset, files: Mapping[str, Path], ledger: Counter[str]) -> Cohort:
    """The cohort of a MAF and its sample table: every listed sample was sequenced."""
    table_spec = dataset.sample_table
    assert table_spec is not None  # the model demands it of a MAF
    path = files["sample_table"]
    clinical = read_sample_table(table_spec, path, ledger)
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
