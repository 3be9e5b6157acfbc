"""Further sample tables, SIMULATED: follow-up at a hub of Xena, purity and the like at the Genomic Data Commons.

What the simulated samples have in such a column stands there instead of the main sample table. The traps: lines of
samples of other cancers, a second line of a sample without values before the one that has them, the column `sample`
that the main table has under the same name, and files without a header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pandas as pd

from reclaim.dataset import XenaDataset
from reclaim.errors import UserError
from reclaim.expression import PATIENT
from reclaim.expression_dataset import FurtherTable
from reclaim.simulate.xena import MARK
from reclaim.sources.requests import requests_for_xena

FOLLOW_UP = ("OS", "OS.time", "DSS", "DSS.time", "DFI", "DFI.time", "PFI", "PFI.time")
"""Columns of TCGA's tables of follow-up at the hubs."""
OTHER_SAMPLES = 3


def moved_columns(datasets: Sequence[XenaDataset], samples: pd.DataFrame) -> list[str]:
    """Columns of the simulated samples that every one of the data sets reads from a further table."""
    return [
        str(column)
        for column in samples.columns
        if all(any(column in _own(samples, spec, one) for spec in one.sample_tables) for one in datasets)
    ]


def add_tables(
    written: dict[str, pd.DataFrame], samples: pd.DataFrame, dataset: XenaDataset
) -> Mapping[str, bytes]:
    """URL -> content of the further tables of one data set. `written` holds what stands there for others, by URL:
    its lines are kept, as all cancers share such files."""
    urls = {one.name: str(one.url) for one in requests_for_xena(dataset)}
    files = {}
    for name, spec in dataset.further_tables.items():
        table, before = _table(samples, spec, dataset), written.get(urls[name])
        if before is not None:
            if spec.columns and list(before.columns) != spec.columns:
                raise UserError(
                    f"sample_tables: {spec.gdc_file or spec.table}: its columns have other names in another data set; "
                    "name them alike"
                )
            table = pd.concat([before, table]).drop_duplicates()
        written[urls[name]] = table
        files[urls[name]] = _text(table, header=not spec.columns)
    return files


def _own(samples: pd.DataFrame, spec: FurtherTable, dataset: XenaDataset) -> list[str]:
    """Columns of the samples that the table holds."""
    purity = [dataset.purity_column] if dataset.purity_column else []
    wanted: Sequence[str] = spec.columns or (FOLLOW_UP if spec.table else purity)
    return [column for column in wanted if column in samples.columns and column != spec.key]


def _table(samples: pd.DataFrame, spec: FurtherTable, dataset: XenaDataset) -> pd.DataFrame:
    others = [f"TCGA-SIMY-{number:04d}-01" for number in range(OTHER_SAMPLES)]
    names = pd.Series([*samples.index, *others])
    values = samples[_own(samples, spec, dataset)].reset_index(drop=True).reindex(range(len(names)))
    if spec.table:
        patients = [*samples[PATIENT], *(name.removesuffix("-01") for name in others)]
        named = {spec.key: names, "_PATIENT": patients}
        return pd.concat([pd.DataFrame(named), values.drop(columns="_PATIENT", errors="ignore")], axis=1)
    aliquots = names.str.replace(r"(-\d\d)[A-Z]?$", r"\1A-11D-SIM0-01", regex=True)
    if spec.columns:
        invented = {
            column: _invented(str(spec.gdc_file), column, len(names))
            for column in spec.columns
            if column not in values and column != spec.key
        }
        table = values.assign(**invented, **{spec.key: aliquots})[spec.columns]
    else:
        values.insert(0, "sample", aliquots)
        table = values.drop(columns=spec.key, errors="ignore")
        table.insert(0, spec.key, names)
    return pd.concat([_without_values(table, spec.key), table], ignore_index=True)


def _without_values(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """The first line, NA in all columns but the key."""
    first = table.iloc[:1].copy()
    first.loc[:, [column for column in table.columns if column != key]] = "NA"
    return first


def _invented(file: str, column: str, number: int) -> list[str]:
    generator = np.random.default_rng(crc32(f"{file}/{column}".encode()))
    return [f"{value:.4f}" for value in generator.uniform(0, 1, number)]


def _text(table: pd.DataFrame, header: bool) -> bytes:
    """Tab-separated, with a first line of marks."""
    marked = pd.concat([pd.DataFrame([[MARK] * table.shape[1]], columns=table.columns), table])
    text = marked.to_csv(sep="\t", index=False, header=header, lineterminator="\n", na_rep="")
    return str(text).encode()
