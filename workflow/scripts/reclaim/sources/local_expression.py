"""Local files of expression: a matrix of counts with its sample table, and AnnData."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reclaim.dataset import FileDataset
from reclaim.errors import UserError
from reclaim.expression import UNITS, validated
from reclaim.sources.sample_table import read_sample_table
from reclaim.sources.text_table import open_bytes, read_slices

if TYPE_CHECKING:
    import anndata


def read_count_matrix(
    dataset: FileDataset, files: Mapping[str, Path], ledger: Counter[str]
) -> tuple[anndata.AnnData, pd.DataFrame]:
    """Counts (first column: genes, one column per sample) and the sample table, indexed by sample."""
    from reclaim.sources.geo_counts import read_count_table

    assert dataset.sample_table is not None  # the model demands it of a count matrix
    samples = read_sample_table(dataset.sample_table, files["sample_table"], ledger)
    samples = samples.set_index(dataset.sample_table.sample, drop=False)
    samples["patient"] = samples[dataset.sample_table.patient]
    matrix = files["data"]
    separator = "," if matrix.name.removesuffix(".gz").endswith(".csv") else "\t"
    with open_bytes(matrix) as handle:
        header, line, _ = read_slices(handle, str(matrix), separator=separator)
    columns = {name: name for name in header[1:] if name in samples.index}
    if not columns:
        raise UserError(
            f"{matrix}:{line}: none of its columns (such as {header[1:2]}) is a sample of "
            f"{files['sample_table']} column {dataset.sample_table.sample!r}; name the column that matches"
        )
    return read_count_table(matrix, header[0], columns, None, ledger), samples


def read_h5ad_file(path: Path) -> anndata.AnnData:
    """An AnnData file as it is; its unit is read from `uns["unit"]`. Raises UserError for another file."""
    import anndata as ad

    try:
        data = ad.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: not an AnnData file ({reason}); give a file that AnnData.write_h5ad made"
        ) from None
    if data.uns.get("unit") not in UNITS:
        raise UserError(
            f"{path}: uns['unit'] is {data.uns.get('unit')!r}; say what the values are: one of {', '.join(UNITS)}"
        )
    if data.X is None:
        raise UserError(f"{path}: no values (X is empty); put them into X")
    try:
        validated(data)
    except ValueError as reason:
        raise UserError(f"{path}: {reason}; mend the file, or say another unit in uns['unit']") from None
    data.obs = data.obs.astype("string").astype(object)
    return data
