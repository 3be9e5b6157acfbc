"""ChIP-Atlas' list of all experiments, `experimentList.tab`, as an index from which one genome is read fast.

The list has no header and one line per experiment and genome: nine columns (experiment, genome, antigen class,
antigen, cell class, cell, cell description, `reads,%mapped,%duplicates,peaks`, title), then any number of `key=value`.
Quotes are plain text, single lines are not UTF-8, and descriptions, titles and metadata hold HTML entities.
Source: https://github.com/inutano/chip-atlas (CC BY 4.0)

The index is a parquet file, cut into pieces of one block of text each; within a piece rows are sorted by what is
asked for, so that statistics let a reader skip the rest. Splitting is left to arrow, a block at a time: 850,000 rows
are not worth a loop over cells.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.text_table import open_bytes
from reclaim.sources.xena_matrix import beginning, damage_told

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 32 * 2**20
ROW_GROUP = 16_384
"""Rows that are read or skipped together."""

LABELS = ("experiment", "genome", "antigen_class", "antigen", "cell_class", "cell")
STATISTICS = ("reads", "mapped_percent", "duplicate_percent", "peaks")
COLUMNS = (*LABELS, "cell_description", *STATISTICS, "title", "metadata")
FIXED = 9
"""Columns that every line has; what follows them is metadata."""

SORTED_BY = ("genome", "antigen_class", "antigen")
ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
NUMBER = r"\d+(?:\.\d+)?"

TOO_SHORT = f"lines of the experiment list with fewer than {FIXED} columns"
UNNAMED = "lines of the experiment list without an experiment or a genome"
REPEATED = "lines of the experiment list that repeat an experiment of the same genome"
REPLACED = "lines of the experiment list with bytes that are not UTF-8, replaced"
NO_STATISTICS = "experiments whose reads, shares or peaks are not all given"


@dataclass(frozen=True)
class Indexed:
    """Rows of the index, and counts of what was dropped, replaced or missing."""

    rows: int
    ledger: Counter[str]


def index_experiments(text: Path, index: Path) -> Indexed:
    """Write the list, plain or gzip, to the parquet file `index`; the same list gives the same bytes.

    The file is streamed once: memory is that of a few blocks and of 8 bytes per line. `index` is written in place: a
    caller who must not see half a file gives a temporary name (`reclaim.job.write_whole`). Of several lines of one
    experiment and genome the first counts. Raises UserError when no line has the shape of the list, or for a
    truncated gzip file.
    """
    from pyarrow import parquet

    ledger: Counter[str] = Counter()
    seen = np.empty(0, np.uint64)
    rows = 0
    options: dict[str, Any] = {"compression": "zstd", "write_statistics": list(SORTED_BY)}
    with damage_told(text), parquet.ParquetWriter(index, _schema(), **options) as writer:
        for block in _blocks(text):
            table, keys = _parsed(block, seen, ledger)
            seen = np.concatenate([seen, keys])
            rows += len(table)
            order = [(column, "ascending") for column in (*SORTED_BY, "experiment")]
            if len(table):
                writer.write_table(table.sort_by(order), row_group_size=ROW_GROUP)
    if not rows:
        with open_bytes(text) as handle:
            found = beginning(handle.read(200))
        raise UserError(
            f"{text}:1: begins {found!r}; expected ChIP-Atlas' experimentList.tab, lines of at least {FIXED} columns "
            "between tabs: delete it and fetch it again"
        )
    return Indexed(rows, ledger)


def read_experiments(
    index: Path, genome: str, antigen_class: str | None = None, antigens: Collection[str] | None = None
) -> pd.DataFrame:
    """Experiments of one genome, sorted by experiment: the columns COLUMNS.

    Text is as the list has it (`NA` where there is no cell description), metadata are joined by tabs. `reads` and
    `peaks` (q < 1e-5) are counts and the two shares percent, all of them float64 with NaN where the list has none.
    The table is empty when the genome has none of the `antigens`. Raises AbsentData when the list does not know the
    genome, or the antigen class in it; UserError when `index` is no index.
    """
    import pyarrow as pa
    from pyarrow import parquet

    filters: list[tuple[str, str, Any]] = [("genome", "==", genome)]
    if antigen_class is not None:
        filters.append(("antigen_class", "==", antigen_class))
    if antigens is not None:
        filters.append(("antigen", "in", sorted(antigens)))
    try:
        table = parquet.read_table(index, columns=list(COLUMNS), filters=filters, use_threads=False)
        if not len(table):
            known = parquet.read_table(index, columns=["genome", "antigen_class"]).to_pandas()
            _refuse_unknown(known, genome, antigen_class, index)
    except pa.ArrowInvalid as error:
        raise UserError(f"{index}: not an index of experiments ({error}); delete it and run again") from None
    experiments: pd.DataFrame = table.to_pandas()
    experiments[list(STATISTICS)] = experiments[list(STATISTICS)].astype(float)
    return experiments.sort_values("experiment", ignore_index=True)


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = dict.fromkeys(COLUMNS, pa.string())
    kinds |= dict.fromkeys(STATISTICS, pa.float64()) | dict.fromkeys(("reads", "peaks"), pa.int64())
    return pa.schema(list(kinds.items()))


def _refuse_unknown(known: pd.DataFrame, genome: str, antigen_class: str | None, index: Path) -> None:
    genomes = sorted(known["genome"].unique())
    if genome not in genomes:
        raise AbsentData(
            f"{index}: no experiment of genome {genome!r}{did_you_mean(genome, genomes)} "
            f"(genomes: {', '.join(genomes[:20])})"
        )
    classes = sorted(known.loc[known["genome"] == genome, "antigen_class"].unique())
    if antigen_class is not None and antigen_class not in classes:
        raise AbsentData(
            f"{index}: no experiment of antigen class {antigen_class!r}{did_you_mean(antigen_class, classes)} "
            f"in {genome} (classes: {', '.join(classes[:20])})"
        )


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes, whole lines at a time, about BLOCK_BYTES each."""
    with open_bytes(path) as handle:
        rest = handle.read(3).removeprefix(b"\xef\xbb\xbf")
        while block := handle.read(BLOCK_BYTES):
            whole, line_end, rest_of_block = block.rpartition(b"\n")
            if line_end:
                yield rest + whole
                rest = rest_of_block
            else:
                rest += block
        if rest:
            yield rest


def _parsed(block: bytes, seen: np.ndarray, ledger: Counter[str]) -> tuple[pa.Table, np.ndarray]:
    """Rows of one block as the index keeps them, and their keys; `seen` are the keys of the blocks before."""
    import pyarrow as pa
    from pyarrow import compute

    lines = compute.split_pattern(pa.array([_decoded(block, ledger)]), "\n").flatten()
    lines = lines.filter(compute.greater(compute.binary_length(lines), 0))
    cells = compute.split_pattern(lines, "\t", max_splits=FIXED)
    whole = compute.greater_equal(compute.list_value_length(cells), FIXED)
    ledger[TOO_SHORT] += len(cells) - compute.sum(whole).as_py() if len(cells) else 0
    cells = cells.filter(whole)
    columns = [compute.list_element(cells, number) for number in range(FIXED)]
    named = compute.and_(*(compute.greater(compute.binary_length(columns[number]), 0) for number in (0, 1)))
    keys = _keys(columns[0], columns[1])
    first = ~(pd.Series(keys).duplicated() | pd.Series(keys).isin(seen)).to_numpy()
    named = named.to_numpy(zero_copy_only=False)
    ledger[UNNAMED] += int((~named).sum())
    ledger[REPEATED] += int((named & ~first).sum())
    kept = pa.array(named & first)
    cells = cells.filter(kept)
    columns = [column.filter(kept) for column in columns]
    values: dict[str, Any] = dict(zip((*LABELS, "cell_description"), columns, strict=False))
    values |= _statistics(columns[7], ledger)
    values |= {"title": columns[8], "metadata": _metadata(cells)}
    for name in ("cell_description", "title", "metadata"):
        values[name] = _unescaped(values[name])
    return pa.table([values[name] for name in COLUMNS], schema=_schema()), keys[named & first]


def _decoded(block: bytes, ledger: Counter[str]) -> str:
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        lines = (line for line in block.split(b"\n") if not line.isascii())
        ledger[REPLACED] += sum("\ufffd" in line.decode("utf-8", "replace") for line in lines)
        return block.decode("utf-8", "replace")


def _keys(experiments: pa.Array, genomes: pa.Array) -> np.ndarray:
    """A 64-bit number for each pair: among a million, two pairs share one with a probability of 3e-8."""
    from pyarrow import compute

    pairs = compute.binary_join_element_wise(experiments, genomes, "\t")
    return pd.util.hash_array(pairs.to_numpy(zero_copy_only=False), categorize=False)


def _metadata(cells: pa.Array) -> pa.Array:
    """What follows the title, empty for lines that end there."""
    import pyarrow as pa
    from pyarrow import compute

    longer = compute.greater(compute.list_value_length(cells), FIXED)
    further = compute.list_element(cells.filter(longer), FIXED)
    empty = pa.array([""]).take(pa.array(np.zeros(len(cells), np.int8)))
    return compute.utf8_rtrim(compute.replace_with_mask(empty, longer, further), "\t")


def _statistics(texts: pa.Array, ledger: Counter[str]) -> dict[str, pa.Array]:
    """The four numbers of column 8; those of lines that do not give all of them, one by one."""
    import pyarrow as pa
    from pyarrow import compute

    usual = compute.match_substring_regex(texts, rf"^\d{{1,18}},{NUMBER},{NUMBER},\d{{1,18}}$")
    odd = np.flatnonzero(~usual.to_numpy(zero_copy_only=False))
    ledger[NO_STATISTICS] += len(odd)
    parts = compute.split_pattern(compute.if_else(usual, texts, "0,0,0,0"), ",").flatten()
    found = {}
    for place, name in enumerate(STATISTICS):
        kind = _schema().field(name).type
        numbers = parts.take(pa.array(np.arange(place, 4 * len(texts), 4))).cast(kind)
        corrected = pa.array([_number(texts[int(row)].as_py(), place, name) for row in odd], kind)
        found[name] = compute.replace_with_mask(numbers, compute.invert(usual), corrected)
    return found


def _number(text: str, place: int, name: str) -> float | int | None:
    """One of the four numbers, when there are four and this one is a number."""
    parts = text.split(",")
    if len(parts) != len(STATISTICS):
        return None
    if name in ("reads", "peaks"):
        return int(parts[place]) if re.fullmatch(r"\d{1,18}", parts[place], re.ASCII) else None
    return float(parts[place]) if re.fullmatch(NUMBER, parts[place], re.ASCII) else None


def _unescaped(texts: pa.Array) -> pa.Array:
    """HTML entities as the characters that they mean; white space among them as a blank, tabs part metadata."""
    import pyarrow as pa
    from pyarrow import compute

    escaped = compute.match_substring_regex(texts, ENTITY.pattern)
    distinct = texts.filter(escaped).dictionary_encode()
    plain = [ENTITY.sub(_character, text) for text in distinct.dictionary.to_pylist()]
    return compute.replace_with_mask(texts, escaped, pa.array(plain, pa.string()).take(distinct.indices))


def _character(entity: re.Match[str]) -> str:
    character = html.unescape(entity[0])
    return " " if character.isspace() else character
