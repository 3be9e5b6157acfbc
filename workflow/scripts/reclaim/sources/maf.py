"""Mutation Annotation Format: one line per mutation, `#` lines first.

Format: https://docs.gdc.cancer.gov/Data/File_Formats/MAF_Format and cBioPortal's File-Formats.
"""

from __future__ import annotations

from collections import Counter
from typing import IO

import pandas as pd

from reclaim.dataset import MafColumns
from reclaim.errors import UserError, did_you_mean
from reclaim.sources.text_table import read_table


def read_maf(handle: IO[bytes], name: str, columns: MafColumns, ledger: Counter[str]) -> pd.DataFrame:
    """Columns sample, gene, classification, protein_change (`G12C`, empty when not given).

    `name` names the file in errors. What is dropped is counted in `ledger`. Raises UserError for a
    missing column, a file without mutations, or text that is not UTF-8.
    """
    standard = {
        columns.sample: "sample",
        columns.gene: "gene",
        columns.classification: "classification",
        columns.protein_change: "protein_change",
    }
    position = ("Chromosome", "Start_Position")  # tells two equal changes from a repeated line
    table, line = read_table(handle, name, wanted=[*standard, *position])
    for column in standard:
        if column not in table.columns:
            raise UserError(
                f"{name}:{line}: no column {column!r}{did_you_mean(column, table.attrs['header'])}; "
                "a MAF needs it: name the right one under `columns`, or use another file"
            )
    if table.empty:
        raise UserError(f"{name}:{line}: a header but no mutations; use the file with the calls")
    before = len(table)
    table = table.drop_duplicates()
    ledger["mutation lines that repeat another"] += before - len(table)
    table = table[list(standard)].rename(columns=standard).fillna("")
    named = (table["gene"] != "") & (table["gene"] != "Unknown") & (table["sample"] != "")
    ledger["mutation lines without gene or sample"] += int((~named).sum())
    table = table[named].reset_index(drop=True)
    table["protein_change"] = table["protein_change"].str.removeprefix("p.")
    return table
