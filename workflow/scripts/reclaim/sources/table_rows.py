"""Tables as submitters upload them to GEO: delimited text or workbooks, as rows of text cells.

Nothing but the name of one column is known of such a file. The header may stand below a title or comments,
the delimiter is whatever the submitter's program wrote, a workbook has several sheets, and single lines may
be Latin-1.
"""

from __future__ import annotations

import csv
import gzip
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.text_table import open_bytes

if TYPE_CHECKING:
    from openpyxl import Workbook

HEADER_WITHIN = 50
"""The header is looked for in so many rows."""

DELIMITERS = ("\t", ",", ";", " ")
MISSING = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "Null"})
"""How the cells of submitters say that there is no value."""

LATIN_1 = "lines that are not UTF-8, read as Latin-1"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ZIP, _OLE, _UTF16 = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", (b"\xff\xfe", b"\xfe\xff")

NumberedRows = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True)
class FeatureTable:
    """A table with the column that was looked for. `place` names it in errors."""

    place: str
    sheet: str | None
    header: list[str]
    line: int
    rows: Callable[[Counter[str]], NumberedRows]
    """Line number and cells of every row below the header, as many cells as the header has."""


def find_tables(path: Path, feature: str, sheet: str | None = None) -> list[FeatureTable]:
    """Every table of the file that has the column `feature`: the sheets of a workbook, or the text itself.

    An empty `feature` is the column without a name in which R's write.csv and write.table put row names.
    Raises AbsentData when there is none, or no sheet of that name; UserError for a damaged file.
    """
    with open_bytes(path) as handle:
        start = handle.read(4)
        packed = handle.read() if start == _ZIP else b""
    if start == _OLE:
        raise AbsentData(f"{path}: a workbook of the old .xls format; expected .xlsx or delimited text")
    if start.startswith(_UTF16):
        raise AbsentData(f"{path}: UTF-16 text; expected UTF-8")
    if packed:
        workbook = _workbook(path, start + packed)
        tables = _sheets(path, workbook, feature, sheet)
        seen = f"sheets: {', '.join(workbook.sheetnames)}"
    else:
        tables = _text(path, feature)
        seen = _beginning(path)
    if not tables:
        named = f"column {feature!r}" if feature else "column of row names without a name"
        raise AbsentData(
            f"{path}{f'!{sheet}' if sheet else ''}: no {named} in the first {HEADER_WITHIN} rows ({seen}); "
            "name the column of genes under `feature`"
        )
    return tables


def decoded_lines(path: Path, ledger: Counter[str]) -> Iterator[str]:
    """Lines without their ends, unpacked; lines that are not UTF-8 are read as Latin-1 and counted.

    Raises UserError for a truncated or damaged gzip file.
    """
    with open_bytes(path) as handle:
        try:
            for number, raw in enumerate(handle):
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError:
                    ledger[LATIN_1] += 1
                    line = raw.decode("latin-1")
                yield (line if number else line.removeprefix("\ufeff")).rstrip("\r\n")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{path}: truncated or damaged ({error}); delete it and fetch it again") from None


def _text(path: Path, feature: str) -> list[FeatureTable]:
    lines = list(islice(decoded_lines(path, Counter()), HEADER_WITHIN))
    for delimiter in DELIMITERS:
        found = _header([_split(line, delimiter) for line in lines], feature)
        if found:
            above, header = found
            rows = partial(_text_rows, path, above, header, delimiter)
            return [FeatureTable(str(path), None, header, above + 1, rows)]
    return []


def _text_rows(
    path: Path, above: int, header: list[str], delimiter: str, ledger: Counter[str]
) -> NumberedRows:
    width = len(header)
    for line, text in enumerate(islice(decoded_lines(path, ledger), above + 1, None), start=above + 2):
        if not text.strip():
            continue
        cells = _split(text, delimiter)
        if len(cells) < width or any(cells[width:]):
            raise UserError(
                f"{path}:{line}: {len(cells)} cells, but the header in line {above + 1} has {width}: truncated or "
                "not a table; fetch the file again, or use another one"
            )
        yield line, cells[:width]


def _split(line: str, delimiter: str) -> list[str]:
    """A cell never spans lines: an unbalanced quote damages its own line only, and that is told."""
    cells = next(csv.reader([line], delimiter=delimiter), []) if '"' in line else line.split(delimiter)
    return [cell.strip() for cell in cells]


def _header(rows: list[list[str]], feature: str) -> tuple[int, list[str]] | None:
    """How many rows stand above the header, and its cells.

    Where row names have no name, their header cell is empty (write.csv) or left out (write.table).
    """
    for above, row in enumerate(rows):
        if feature:
            if feature in row:
                return above, row
        elif len(row) > 1 and all(row[1:]):
            if not row[0]:
                return above, row
            if above + 1 < len(rows) and len(rows[above + 1]) == len(row) + 1:
                return above, ["", *row]
    return None


def _beginning(path: Path) -> str:
    line = next((line for line in decoded_lines(path, Counter()) if line.strip()), "")
    return f"it begins {line[:80]!r}" if line else "it is empty"


def _workbook(path: Path, packed: bytes) -> Workbook:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that do not concern values
            return load_workbook(BytesIO(packed), read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path}: not a whole .xlsx workbook ({error}); delete it and fetch it again"
        ) from None


def _sheets(path: Path, workbook: Workbook, feature: str, sheet: str | None) -> list[FeatureTable]:
    names = [worksheet.title for worksheet in workbook.worksheets]  # charts have no rows
    if sheet is not None and sheet not in names:
        raise AbsentData(
            f"{path}: no sheet {sheet!r}{did_you_mean(sheet, names)} (sheets: {', '.join(names)})"
        )
    tables = []
    for name in names if sheet is None else [sheet]:
        found = _header(list(islice(_sheet_cells(path, workbook, name), HEADER_WITHIN)), feature)
        if found:
            above, header = found
            while len(header) > 1 and not header[-1]:
                header = header[:-1]
            rows = partial(_sheet_rows, path, workbook, name, above, len(header))
            tables.append(FeatureTable(f"{path}!{name}", name, header, above + 1, rows))
    return tables


def _sheet_rows(
    path: Path, workbook: Workbook, name: str, above: int, width: int, ledger: Counter[str]
) -> NumberedRows:
    """Rows of a sheet end with their last value, so short ones are whole; the ledger has nothing to tell."""
    for line, cells in enumerate(_sheet_cells(path, workbook, name), start=1):
        if line > above + 1 and any(cells):
            yield line, (cells + [""] * width)[:width]


def _sheet_cells(path: Path, workbook: Workbook, name: str) -> Iterator[list[str]]:
    worksheet = workbook[name]
    worksheet.reset_dimensions()  # some programs write a wrong one, which would cut the sheet
    try:
        for row in worksheet.iter_rows(values_only=True):
            yield [_cell(value) for value in row]
    except (zipfile.BadZipFile, zlib.error, EOFError, SyntaxError) as error:  # XML errors are SyntaxErrors
        raise UserError(f"{path}!{name}: damaged ({error}); delete it and fetch it again") from None


def _cell(value: object) -> str:
    """A cell's value as text; a date as the workbook shows a mangled gene symbol, `2-Sep` for SEPT2."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return f"{value.day}-{MONTHS[value.month - 1]}"
    return str(value).strip()
