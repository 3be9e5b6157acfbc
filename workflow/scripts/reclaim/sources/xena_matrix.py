"""The text of a Xena matrix (rows x samples of log2 values), turned into numbers block by block.

Toil's matrices have 60,498 rows x 19,109 samples, 8 GB of text: one thread unpacks while others parse, and only
the rows and samples that are asked for are kept. Whatever the file, packed or plain:

- **Order.** Rows come as in the file, samples as asked for. Neither the size of the blocks nor the number of threads
  changes a value.
- **Nothing damaged passes.** Each kept row has as many cells as the header, each kept cell is a number that its
  logarithm can be; a repeated column, text or a cut gzip file is a UserError of one line that names
  the file, and the line where there is one.
- **Memory.** The values once, in pieces of SLAB_BYTES, and half a gigabyte for the blocks that are being read.
- **Precision.** Xena writes four decimals, half a unit of which is 3.5e-5 of a count. Whole counts up to 14,524 come
  back exactly, larger ones within one in 14,000. Parsing as float64 adds nothing to that; float32 alone would be
  exact up to 757,390 at any number of decimals.

What the rows are called is nothing to this module.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError
from reclaim.sources.text_table import open_bytes

BLOCK_BYTES = 32 * 2**20
PARSERS = 2
"""Blocks that are parsed at once; more gain nothing, for unpacking is one thread's work."""

SLAB_BYTES = 2**27
"""Parsed blocks are joined into pieces that the system takes back whole when they are freed."""

CEILING = 30.0
"""No gene has 2^30 reads: a value above this is no logarithm."""

ROUNDING = 1e-3


@dataclass(frozen=True)
class Values:
    """log2(x + offset), and the canonical unit that it becomes."""

    name: str
    offset: float
    unit: str


VALUES = {
    "log2_expected_count_plus_1": Values("log2(expected_count + 1)", 1.0, "counts"),
    "log2_tpm_plus_0.001": Values("log2(tpm + 0.001)", 0.001, "log2_tpm"),
    "log2_normalised_count_plus_1": Values("log2(norm_count + 1)", 1.0, "log2_normalised_count"),
}


@dataclass
class Rows:
    """Rows of a matrix: `samples` and row `names`, and `slabs` of values, rows x samples, that follow each other.

    Of unit counts whole numbers (int32, RSEM's fractions rounded), of others log2(x + 1) (float32).
    """

    samples: list[str]
    names: list[str]
    slabs: list[np.ndarray]


def read_rows(
    path: Path,
    samples: pd.Index,
    values: Values,
    ledger: Counter[str],
    wanted: Callable[[str], bool] | None = None,
) -> Rows:
    """The rows whose name is `wanted` (all by default) for those of the `samples` that the matrix has.

    `ledger` counts samples that only the table or only the matrix has. Raises AbsentData when the matrix has none of
    the samples; UserError, with file and line, for damage, for a sample that stands twice, a row of another length,
    a cell that is no number, and values that cannot be `values`.
    """
    with damage_told(path), open_bytes(path) as handle:
        lines = BufferedReader(cast(Any, handle), 2**20)
        header = _header(lines, path)
        kept = _kept_samples(header, samples, path, ledger)
        names, slabs = _parsed(lines, _Parser(path, header, kept, values), wanted)
    return Rows(kept, names, slabs)


def stacked(slabs: list[np.ndarray], place: np.ndarray, rows: int, values: Values) -> np.ndarray:
    """One array of as many `rows`: each row of the slabs at its `place`, those of one place added up on the linear
    scale. Empties `slabs`, so that values are held once."""
    result: np.ndarray = np.empty((rows, slabs[0].shape[1]), slabs[0].dtype)
    first = ~pd.Series(place).duplicated().to_numpy()
    start = 0
    slabs.reverse()
    while slabs:
        slab = slabs.pop()
        for row, target, new in zip(slab, place[start:], first[start:], strict=False):
            if new:
                result[target] = row
            elif values.unit == "counts":
                result[target] += row
            else:
                result[target] = np.log2(np.exp2(result[target]) + np.exp2(row) - 1)
        start += len(slab)
    return result


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Damage of a packed file as one line that names the file and the remedy."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); delete it and fetch it again") from None


def beginning(raw: bytes) -> str:
    """The first words of a file, for an error that shows them."""
    return raw[:60].decode("utf-8", "replace").splitlines()[0] if raw.strip() else "with nothing"


def _header(lines: BufferedReader, path: Path) -> list[str]:
    raw = lines.readline()
    header = raw.decode("utf-8", "replace").rstrip("\r\n").split("\t")
    if len(header) < 2:
        raise UserError(
            f"{path}:1: begins {beginning(raw)!r}; expected a header of samples between tabs: fetch it again"
        )
    twice = [sample for sample, number in Counter(header).items() if number > 1]
    if twice:
        raise UserError(f"{path}:1: the sample {twice[0]!r} stands twice; use a matrix with one column each")
    return header


def _kept_samples(header: list[str], wanted: pd.Index, path: Path, ledger: Counter[str]) -> list[str]:
    there = set(header[1:])
    kept = [str(sample) for sample in wanted if sample in there]
    ledger["samples of the sample table that the matrix lacks"] += len(wanted) - len(kept)
    ledger["samples of the matrix that were not asked for"] += len(there) - len(kept)
    if not kept:
        example = f"such as {wanted[0]!r}" if len(wanted) else "none"
        raise AbsentData(
            f"{path}: none of the samples asked for ({example}) is in the matrix (such as {header[1]!r})"
        )
    return kept


@dataclass
class _Parser:
    """Turns lines into values: genes x samples of one block."""

    path: Path
    header: list[str]
    kept: list[str]
    values: Values

    def __call__(self, lines: list[bytes], numbers: list[int]) -> np.ndarray:
        import pyarrow as pa
        from pyarrow import csv

        text = b"".join(lines)
        try:
            table = csv.read_csv(
                pa.BufferReader(text),
                csv.ReadOptions(column_names=self.header, block_size=len(text) + 1, use_threads=False),
                csv.ParseOptions(delimiter="\t", quote_char=False),
                csv.ConvertOptions(
                    include_columns=self.kept, column_types=dict.fromkeys(self.kept, pa.float64())
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._wrong_line(lines, numbers, str(error)) from None
        (batch,) = table.to_batches()
        logs: np.ndarray = batch.to_tensor(null_to_nan=True, row_major=True).to_numpy()
        floor = np.log2(self.values.offset)
        if not (logs.min() >= floor - ROUNDING and logs.max() <= CEILING):
            raise self._wrong_value(logs, numbers, floor)
        return self._undone(logs)

    def _undone(self, logs: np.ndarray) -> np.ndarray:
        linear: np.ndarray = np.exp2(logs)
        linear -= self.values.offset
        values: np.ndarray
        if self.values.unit == "counts":
            values = np.rint(linear, out=linear).astype(np.int32)
        else:
            values = np.log1p(np.maximum(linear, 0, out=linear), out=linear)
            values = (values / np.log(2)).astype(np.float32)
        return values

    def _wrong_line(self, lines: list[bytes], numbers: list[int], reason: str) -> UserError:
        for number, line in zip(numbers, lines, strict=True):
            cells = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            if len(cells) != len(self.header):
                return UserError(
                    f"{self.path}:{number}: {len(cells)} cells; expected {len(self.header)}, as in the header: "
                    "truncated or damaged; delete it and fetch it again"
                )
            for sample, cell in zip(self.header[1:], cells[1:], strict=True):
                if sample in self.kept and not _is_number(cell):
                    return UserError(
                        f"{self.path}:{number}: {cell!r} in column {sample}; expected a number; fetch it again"
                    )
        return UserError(f"{self.path}: not a matrix ({reason}); delete it and fetch it again")

    def _wrong_value(self, logs: np.ndarray, numbers: list[int], floor: float) -> UserError:
        row, column = np.argwhere(~((logs >= floor - ROUNDING) & (logs <= CEILING)))[0]
        value = logs[row, column]
        return UserError(
            f"{self.path}:{numbers[row]}: {'no value' if np.isnan(value) else f'{value:g}'} in column "
            f"{self.kept[column]}; expected {self.values.name}, {floor:.4g} to {CEILING:g}: give `values` that "
            "Xena's page of the data set names"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parsed(
    lines: BufferedReader, parser: _Parser, wanted: Callable[[str], bool] | None
) -> tuple[list[str], list[np.ndarray]]:
    """Names of the rows and their values in slabs, in the order of the file."""
    names: list[str] = []
    slabs: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    running: deque[Future[np.ndarray]] = deque()

    def collect(left: int) -> None:
        while len(running) > left:
            parts.append(running.popleft().result())
        if parts and (left == 0 or sum(part.nbytes for part in parts) > SLAB_BYTES):
            slabs.append(np.concatenate(parts))
            parts.clear()

    with ThreadPoolExecutor(PARSERS) as pool:
        try:
            for rows, numbers, found in _blocks(lines, wanted):
                names += found
                running.append(pool.submit(parser, rows, numbers))
                collect(left=PARSERS)
            collect(left=0)
        finally:
            pool.shutdown(cancel_futures=True)
    return names, slabs


def _blocks(
    lines: IO[bytes], wanted: Callable[[str], bool] | None
) -> Iterator[tuple[list[bytes], list[int], list[str]]]:
    """Lines of wanted rows, their numbers in the file and their names, about BLOCK_BYTES at a time."""
    rows: list[bytes] = []
    numbers: list[int] = []
    names: list[str] = []
    size = 0
    for number, line in enumerate(lines, start=2):
        if line.isspace():
            continue
        name = line[: line.find(b"\t")].decode("utf-8", "replace")
        if wanted is not None and not wanted(name):
            continue
        rows.append(line)
        numbers.append(number)
        names.append(name)
        size += len(line)
        if size >= BLOCK_BYTES:
            yield rows, numbers, names
            rows, numbers, names, size = [], [], [], 0
    if rows:
        yield rows, numbers, names
