"""BED files of any width, plain or gzip: the three columns that all have, and further ones as bytes.

Lines that start with `track`, `browser` or `#` are no data, wherever they stand. Columns are apart by tabs: names and
attributes hold blanks. Format: https://genome.ucsc.edu/FAQ/FAQformat
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reclaim.errors import UserError
from reclaim.sources.text_table import open_bytes
from reclaim.sources.xena_matrix import damage_told

if TYPE_CHECKING:
    import pyarrow as pa

HEADERS = (b"track", b"browser", b"#")
BLOCK_BYTES = 16 * 2**20
"""Text that is split at once; no line is longer."""


@dataclass(frozen=True)
class Bed:
    """`place` are the columns chrom (category), start and end (int64), one row per data line, in the file's order;
    `width` is how many columns the file has, 0 when it has no data."""

    place: pd.DataFrame
    width: int
    further: dict[int, pa.ChunkedArray]

    def text(self, column: int) -> pd.Categorical:
        """A column, counted from 1, as text; bytes that are not UTF-8 are replaced. Empty text when not there."""
        if column not in self.further:
            return pd.Categorical.from_codes([0] * len(self.place), categories=pd.Index([""], dtype=object))
        return _text(self.further[column])

    def numbers(self, column: int) -> np.ndarray:
        """A column, counted from 1, as float64; NaN for cells that are no numbers, and when it is not there."""
        import pyarrow as pa

        if column not in self.further:
            return np.full(len(self.place), np.nan)
        try:
            found: np.ndarray = self.further[column].cast(pa.string()).cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            words = self.text(column)
            known: pd.Series[float] = pd.to_numeric(pd.Series(words.categories), errors="coerce")
            found = known.to_numpy(float)[words.codes]
        return found


def read_bed(path: Path, *further: int) -> Bed:
    """The file's intervals and, of the columns that are asked for by number, those it has.

    The whole file is held in memory, as text and in columns: two to three times its size unpacked. A file of 0 bytes
    or of header lines alone has no intervals. Raises UserError, with file and line, for fewer than three columns, a
    line of another width than the first, coordinates that are not whole numbers, and a damaged gzip file.
    """
    import pyarrow as pa
    from pyarrow import csv

    with damage_told(path), open_bytes(path) as handle:
        text = handle.read()
    text = _data(text)
    width = text[: text.find(b"\n") if b"\n" in text else None].count(b"\t") + 1 if text.strip() else 0
    if not width:
        none: np.ndarray = np.empty(0, np.int64)
        return Bed(pd.DataFrame({"chrom": pd.Categorical([]), "start": none, "end": none}), 0, {})
    kinds: dict[str, Any] = {"1": pa.binary(), "2": pa.int64(), "3": pa.int64()}
    kinds |= {str(column): pa.binary() for column in further if column <= width}
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(
                column_names=[str(number + 1) for number in range(width)],
                block_size=BLOCK_BYTES,
                use_threads=False,
            ),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(
                include_columns=list(kinds), column_types=kinds, null_values=[], check_utf8=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _wrong_line(path, width, str(error)) from None
    start, end = (table.column(name).to_numpy() for name in ("2", "3"))
    place = pd.DataFrame({"chrom": _text(table.column("1")), "start": start, "end": end})
    return Bed(place, width, {int(name): table.column(name) for name in kinds if int(name) > 3})


def _data(text: bytes) -> bytes:
    """The lines that are data. Only in the rare file whose header lines are not all on top is every line looked at."""
    while text.startswith((*HEADERS, b"\n", b"\r\n")):
        text = text[text.find(b"\n") + 1 :] if b"\n" in text else b""
    if any(b"\n" + header in text for header in HEADERS):
        text = b"".join(line for line in text.splitlines(True) if not line.startswith(HEADERS))
    return text


def _text(cells: pa.ChunkedArray) -> pd.Categorical:
    """Bytes as text, each distinct value decoded once."""
    distinct = cells.dictionary_encode().combine_chunks()
    words = [word.decode("utf-8", "replace") for word in distinct.dictionary.to_pylist()]
    known = pd.Index(words, dtype=object)
    codes = distinct.indices.to_numpy(zero_copy_only=False)
    if known.is_unique:
        return pd.Categorical.from_codes(codes, categories=known)
    place, names = pd.factorize(known)  # damaged bytes may differ and read alike
    return pd.Categorical.from_codes(place[codes], categories=names)


def _wrong_line(path: Path, width: int, reason: str) -> UserError:
    """The first line that made arrow stop, in words of a user."""
    with open_bytes(path) as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.rstrip(b"\r\n").decode("utf-8", "replace")
            if not line or raw.startswith(HEADERS):
                continue
            cells = line.split("\t")
            if len(cells) < 3:
                return UserError(
                    f"{path}:{number}: {len(cells)} column{'s' * (len(cells) > 1)}, {line[:60]!r}; "
                    "expected chromosome, start and end between tabs: use a BED file, or delete it and fetch it again"
                )
            for name, cell in zip(("start", "end"), cells[1:3], strict=True):
                if not cell.removeprefix("-").isdecimal():
                    return UserError(
                        f"{path}:{number}: the {name} is {cell!r}; expected a whole number of bases: use a BED file, "
                        "or delete it and fetch it again"
                    )
            if len(cells) != width:
                return UserError(
                    f"{path}:{number}: {len(cells)} columns; expected {width}, as in the first line: truncated or "
                    "damaged; delete it and fetch it again"
                )
    return UserError(f"{path}: not a BED file ({reason}); delete it and fetch it again")
