"""DepMap's gene effects of CRISPR knock-outs: CRISPRGeneEffect.csv with Model.csv.

Chronos (Dempster et al. 2021, doi 10.1186/s13059-021-02540-7) scales a screen so that 0 is no effect on growth and -1
the median of common essential genes. A matrix has one line per model, whose id stands first under any header or none,
and one column per gene, `SYMBOL (ENTREZ)`. Cells may be empty.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.expression import GENE_EFFECT
from reclaim.sources.text_table import open_bytes, read_table

if TYPE_CHECKING:
    import anndata

MODEL = "ModelID"
"""Column of Model.csv with the name of a cell line, as the matrix has it."""
GENE = re.compile(r"\s*(?P<symbol>.+?)\s*\((?P<entrez>\d+)\)\s*")
MISSING = ["", "NA", "NaN", "nan"]
BLOCK_BYTES = 2**25
REMEDY = "delete it and fetch it again"


def read_models(path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """Model.csv, indexed by model: every column as text, missing where empty.

    Columns are found by name, in any order. Lines without a model and lines that repeat one are left out and counted.
    Raises AbsentData without the column ModelID, UserError for damage.
    """
    with open_bytes(path) as handle:
        table, line = read_table(handle, str(path), separator=",")
    if MODEL not in table:
        raise AbsentData(f"{path.name}:{line}: no column {MODEL!r}{did_you_mean(MODEL, table.columns)}")
    named = table[MODEL].notna()
    repeated = named & table[MODEL].duplicated()
    ledger["lines of models without an id"] += int((~named).sum())
    ledger["lines of models that repeat another"] += int(repeated.sum())
    table = table[named & ~repeated]
    return table.set_index(pd.Index(table[MODEL].to_numpy(object), dtype=object))


def read_gene_effects(path: Path, models: pd.DataFrame, ledger: Counter[str]) -> anndata.AnnData:
    """Cell lines x genes (float32, NaN where empty) of the lines that `models` lists, in the order of the matrix.

    `obs`: the columns of `models`. `var`: indexed by Entrez id, with the symbol as `given`. `uns["unit"]`: gene_effect.
    Lines without a model and columns that name no gene are left out and counted. Memory: twice the values, and a block
    of the text. Raises AbsentData for a table without genes or without a model of `models`; UserError, with file and
    line, for damage, a line that stands twice and a value that is infinite.
    """
    import anndata as ad

    genes, names, values = _matrix(path)
    _refuse_repeated(names, path)
    known = names.isin(models.index)
    ledger["lines of gene effects without a model"] += int((~known).sum())
    ledger["models without gene effects"] += len(models) - int(known.sum())
    if not known.any():
        raise AbsentData(
            f"{path.name}: none of its lines (such as {', '.join(names[:1])}) is a model of Model.csv"
        )
    entrez = genes["entrez"].notna().to_numpy()
    ledger["columns that name no gene, SYMBOL (ENTREZ)"] += int((~entrez).sum())
    values = values[np.ix_(known, entrez)]
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        where = f"{path}:{2 + np.flatnonzero(known)[row]}"
        raise UserError(
            f"{where}: an infinite gene effect of {genes['symbol'][entrez].iloc[column]}; {REMEDY}"
        )
    ledger["gene effects that are missing"] += int(np.isnan(values).sum())
    return ad.AnnData(
        values,
        obs=models.loc[names[known]],
        var=pd.DataFrame(
            {"given": genes["symbol"][entrez].to_numpy(object)},
            index=pd.Index(genes["entrez"][entrez].to_numpy(object), dtype=object),
        ),
        uns={"unit": GENE_EFFECT},
    )


def _matrix(path: Path) -> tuple[pd.DataFrame, pd.Index, np.ndarray]:
    """Of every column after the first symbol and entrez (missing where it names no gene); models; values."""
    with open_bytes(path) as opened:
        handle = opened if hasattr(opened, "peek") else BufferedReader(opened)  # type: ignore[type-var]
        header = _header(handle.readline(), path)
        genes = pd.Series(header[1:], dtype=object).str.extract(f"^{GENE.pattern}$")
        if GENE.fullmatch(header[0]) or genes["entrez"].isna().all():
            raise AbsentData(
                f"{path.name}:1: expected a column of models, then genes as SYMBOL (ENTREZ); found "
                f"{', '.join(header[:3])}"
            )
        models, slabs = _slabs(cast(BufferedReader, handle), path, len(header))
    values = np.concatenate(slabs) if slabs else np.empty((0, len(genes)), np.float32)
    return genes, pd.Index(models, dtype=object), values


def _header(line: bytes, path: Path) -> list[str]:
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError(f"{path}:1: not UTF-8; {REMEDY}") from None
    if not text:
        raise UserError(f"{path}:1: empty; expected a header line and data")
    return next(csv.reader([text]))


def _slabs(handle: BufferedReader, path: Path, columns: int) -> tuple[list[str], list[np.ndarray]]:
    """Models, and their values block by block."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    # Numbers for names: two columns may have the same.
    names = [str(number) for number in range(columns)]
    types = {names[0]: pa.string(), **dict.fromkeys(names[1:], pa.float32())}
    models: list[str] = []
    slabs: list[np.ndarray] = []
    if not handle.peek(1):
        return models, slabs
    try:
        blocks = arrow.open_csv(
            handle,
            arrow.ReadOptions(column_names=names, block_size=BLOCK_BYTES, use_threads=False),
            arrow.ParseOptions(),
            arrow.ConvertOptions(column_types=types, null_values=MISSING, strings_can_be_null=True),
        )
        for block in blocks:
            models += [text or "" for text in block.column(0).to_pylist()]
            slabs.append(block.select(names[1:]).to_tensor(null_to_nan=True, row_major=True).to_numpy())
    except pa.ArrowInvalid as error:
        told = re.sub(r"\s+", " ", str(error))[:200]
        row = re.search(r"Row #(\d+): ", told)
        place = f"{path}:{1 + int(row[1])}" if row else str(path)
        raise UserError(f"{place}: {told}; {REMEDY}") from None
    return models, slabs


def _refuse_repeated(names: pd.Index, path: Path) -> None:
    twice = np.flatnonzero(names.duplicated())
    if len(twice):
        raise UserError(f"{path}:{2 + twice[0]}: the model {names[twice[0]]!r} stands twice; {REMEDY}")
