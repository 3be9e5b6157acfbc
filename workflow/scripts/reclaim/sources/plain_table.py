"""Small tables as people and services keep them: tabs or commas, UTF-8 or Latin-1, header or not. All text.

Cells are counted in every line: where row names have no header cell, as R writes them, a reader that goes by the
header alone would put each value under its neighbour's name.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reclaim.errors import UserError
from reclaim.sources.table_rows import decoded_lines


def read_plain_table(
    path: Path, ledger: Counter[str], columns: Sequence[str] = (), *, quoted: bool = True
) -> pd.DataFrame:
    """Every cell as text, missing where empty, indexed by the number of its line; `attrs["header"]` is that of the
    header, 0 without one.

    Lines on top that start with `#` are skipped. A tab in the first two lines after them makes it tab-separated, else
    commas do. `columns` names the columns of a file without a header. `quoted`: whether quotes hold a cell together.
    Cells that a line lacks at its end are missing, and such lines are counted. Raises UserError with file and line
    for a line that has more cells, a column that stands twice, an open quote, and an empty file.
    """
    lines = list(decoded_lines(path, ledger))
    above = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if above is None:
        raise UserError(f"{path}: empty; expected {'data' if columns else 'a header line and data'}")
    rows = csv.reader(
        (f"{line}\n" for line in lines[above:]),
        delimiter="\t" if any("\t" in line for line in lines[above : above + 2]) else ",",
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    numbers, cells = [], []
    try:
        header = list(columns) or next(rows)
        header_line = 0 if columns else above + rows.line_num
        _refuse_repeated(header, path, header_line)
        for row in rows:
            if any(row):
                numbers.append(above + rows.line_num)
                cells.append(_fitted(row, header, f"{path}:{numbers[-1]}", ledger))
    except csv.Error as error:
        raise UserError(
            f"{path}:{above + rows.line_num}: quotes do not match ({error}); mend that line, or the one where they open"
        ) from None
    table = pd.DataFrame(cells, index=pd.Index(numbers, name="line"), columns=header, dtype=object)
    table.attrs["header"] = header_line
    return table


def _refuse_repeated(header: Sequence[str], path: Path, line: int) -> None:
    twice = [column for column, number in Counter(header).items() if number > 1]
    if twice:
        raise UserError(f"{path}:{line}: the column {twice[0]!r} stands twice; rename one of them")


def _fitted(row: list[str], header: list[str], place: str, ledger: Counter[str]) -> list[str | None]:
    """As many cells as the header has."""
    if any(row[len(header) :]):
        raise UserError(
            f"{place}: {len(row)} cells; expected {len(header)}, as many as there are names of columns: "
            "give every column a name, or fetch the file again"
        )
    ledger["lines with fewer cells than there are columns"] += len(row) < len(header)
    return [cell or None for cell in (row + [""] * len(header))[: len(header)]]
