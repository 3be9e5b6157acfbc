"""Tab- and comma-separated files, with errors that name file and line."""

from __future__ import annotations

import csv
import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd

from reclaim.errors import UserError


def open_bytes(path: Path) -> IO[bytes]:
    """A file, unpacked when its content is gzip."""
    handle = path.open("rb")
    if handle.peek(2)[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.GzipFile(fileobj=handle))
    return handle


def read_table(
    handle: IO[bytes], name: str, wanted: Sequence[str] | None = None, separator: str = "\t"
) -> tuple[pd.DataFrame, int]:
    """Every value as text (empty as missing), and the line number of the header.

    Lines that start with `#` before the header are skipped. With `wanted`, only those columns are
    kept, as far as they are there. `attrs["header"]` holds all column names.
    """
    header, line, slices = read_slices(handle, name, wanted=wanted, separator=separator)
    parts = list(slices)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=header, dtype=str)
    table.attrs["header"] = header
    return table, line


def read_slices(
    handle: IO[bytes],
    name: str,
    wanted: Sequence[str] | None = None,
    separator: str = "\t",
    rows: int = 100_000,
) -> tuple[list[str], int, Iterator[pd.DataFrame]]:
    """Column names, line of the header, and the table in slices of `rows` lines: bounded memory."""
    buffered = cast(BufferedReader, handle if hasattr(handle, "peek") else BufferedReader(cast(Any, handle)))
    with _told(handle, name):
        header_line, line = buffered.readline(), 1
        while header_line.startswith(b"#"):
            header_line, line = buffered.readline(), line + 1
    header = _decode(header_line, name, line).rstrip("\r\n").removeprefix("\ufeff").split(separator)
    if separator != "\t":
        header = next(csv.reader([separator.join(header)], delimiter=separator))
    if header in ([], [""]):
        raise UserError(f"{name}:{line}: empty; expected a header line and data")
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise UserError(f"{name}:{line}: the column {repeated[0]!r} stands twice; rename one of them")

    def slices() -> Iterator[pd.DataFrame]:
        with _told(handle, name):
            yield from pd.read_csv(
                buffered,
                sep=separator,
                names=header,
                usecols=[column for column in header if wanted is None or column in wanted],
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL,
                index_col=False,
                encoding="utf-8",
                chunksize=rows,
            )

    return header, line, slices()


@contextmanager
def _told(handle: IO[bytes], name: str) -> Iterator[None]:
    """Damage of the file as one line that names the file and the remedy."""
    try:
        yield
    except UnicodeDecodeError:
        raise UserError(_not_utf8(handle, name)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise UserError(f"{name}: truncated or damaged ({error}); delete it and fetch it again") from None
    except pd.errors.EmptyDataError:
        return
    except pd.errors.ParserError as error:
        raise UserError(
            f"{name}: not a table: {str(error).strip()}; mend that line or fetch the file again"
        ) from None


def _decode(raw: bytes, name: str, line: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(_bad_byte(name, line, raw[error.start])) from None


def _not_utf8(handle: IO[bytes], name: str) -> str:
    """The message for the first line that is not UTF-8."""
    handle.seek(0)
    for line, raw in enumerate(handle, start=1):
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as error:
            return _bad_byte(name, line, raw[error.start])
    return f"{name}: not UTF-8; save it as UTF-8"


def _bad_byte(name: str, line: int, byte: int) -> str:
    return (
        f"{name}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8 "
        "(for example: iconv -f latin1 -t utf-8)"
    )
