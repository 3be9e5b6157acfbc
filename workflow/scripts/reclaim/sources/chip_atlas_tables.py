"""ChIP-Atlas' lists of what it has, and its tables of co-localisation and of target genes.

Names of assembled files are looked up in `fileList.tab`, never built: characters of antigens and cells stand in them as
words (MM.1S is MMPERIOD1S). Tables say in their header which experiment of the antigen a column is, and its cell, with
`_` for blanks. Their Average is over all cells and tissues, so it is not read: columns of experiments are.
Source: https://github.com/inutano/chip-atlas (CC BY 4.0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.table_rows import decoded_lines
from reclaim.sources.text_table import open_bytes
from reclaim.sources.xena_matrix import damage_told

FILE_COLUMNS = (
    "file",
    "genome",
    "antigen_class",
    "antigen",
    "cell_class",
    "cell",
    "threshold",
    "experiments",
)
ANALYSIS_COLUMNS = ("antigen", "colocalisation", "target_genes", "genome")
ALL = "-"
"""An antigen or cell that stands for all of them."""

ALL_CELLS = "All cell types"
NO_CLASS = "-"
TARGET_GENES = {"+": True, "-": False}

PARTNER = ("Experiment", "Cell_subclass", "Protein")
GENE = ("Target_genes",)
AVERAGE, STRING = "|Average", "STRING"
SELF = 10.0
"""The score of an experiment with itself; of two experiments it is 9 at most."""

REPEATED = "rows of a score table that repeat another, joined by the larger score"
ITSELF = "co-localisation scores of an experiment with itself"


@dataclass(frozen=True)
class AssembledFile:
    """Name of an assembled file, without its extension, and the experiments that it holds."""

    name: str
    experiments: tuple[str, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one antigen: `scores` are float64, one column per experiment of the antigen (levels experiment and
    cell); `string` is STRING's score of each row (0 to 1000).

    `scores.xs(cell, axis=1, level="cell")` are those of one cell, whose name `underscored` gives.
    """

    antigen: str
    scores: pd.DataFrame
    string: pd.Series[float]


def read_file_list(path: Path, genome: str, ledger: Counter[str]) -> pd.DataFrame:
    """Assembled files of one genome, from `fileList.tab`: FILE_COLUMNS but the genome, all text.

    `experiments` are joined by commas. Raises AbsentData when the list has no file of the genome; UserError, with
    file and line, for a line of other than eight columns.
    """
    rows, genomes = [], set()
    for _, cells in _rows(path, FILE_COLUMNS, "fileList.tab", ledger):
        genomes.add(cells[1])
        if cells[1] == genome:
            rows.append((cells[0], *cells[2:]))
    _refuse_absent(genome, genomes, path)
    files = pd.DataFrame(rows, columns=[name for name in FILE_COLUMNS if name != "genome"], dtype=object)
    files.attrs["path"] = str(path)
    return files


def assembled_file(
    files: pd.DataFrame,
    *,
    antigen_class: str,
    antigen: str = ALL,
    cell_class: str = ALL_CELLS,
    cell: str = ALL,
    threshold: str = "05",
) -> AssembledFile:
    """The one file of `files` (see `read_file_list`) with these contents; threshold 05 is q < 1e-5.

    Raises AbsentData when there is none, UserError when the list has several.
    """
    wanted = {
        "antigen_class": antigen_class,
        "antigen": antigen,
        "cell_class": cell_class,
        "cell": cell,
        "threshold": threshold,
    }
    left, path = files, files.attrs.get("path", "fileList.tab")
    for column, value in wanted.items():
        known, left = left[column], left[left[column] == value]
        if left.empty:
            raise AbsentData(
                f"{path}: no assembled file of {column.replace('_', ' ')} {value!r}"
                f"{did_you_mean(value, known.unique())} (asked for: {', '.join(wanted.values())})"
            )
    if len(left) > 1:
        raise UserError(
            f"{path}: {len(left)} files ({', '.join(left['file'])}) hold {', '.join(wanted.values())}; expected "
            "one: fetch the list again"
        )
    file = left.iloc[0]
    return AssembledFile(file["file"], tuple(filter(None, file["experiments"].split(","))))


def read_analysis_list(path: Path, genome: str, ledger: Counter[str]) -> pd.DataFrame:
    """What ChIP-Atlas computed for each antigen of a genome, from `analysisList.tab`.

    Indexed by antigen: `colocalisation`, a tuple of the cell classes that have a table (often none), and
    `target_genes` (bool). Raises AbsentData when the list has no antigen of the genome; UserError, with file and
    line, for a line that is not of this list.
    """
    rows, genomes = {}, set()
    for line, (antigen, classes, targets, found) in _rows(path, ANALYSIS_COLUMNS, "analysisList.tab", ledger):
        if targets not in TARGET_GENES:
            raise UserError(
                f"{path}:{line}: target genes are {targets!r}; expected + or -, as in ChIP-Atlas' analysisList.tab: "
                "delete it and fetch it again"
            )
        genomes.add(found)
        if found == genome:
            colocalisation = () if classes == NO_CLASS else tuple(filter(None, classes.split(",")))
            rows[antigen] = (colocalisation, TARGET_GENES[targets])
    _refuse_absent(genome, genomes, path)
    table = pd.DataFrame(list(rows.values()), columns=list(ANALYSIS_COLUMNS[1:3]))
    return table.set_index(pd.Index(list(rows), name="antigen", dtype=object))


def underscored(name: str) -> str:
    """A cell or cell class as the headers of tables and the names of their files write it."""
    return name.replace(" ", "_")


def read_colocalisation(path: Path, ledger: Counter[str]) -> ScoreTable:
    """A co-localisation table: partner experiments (levels experiment, cell, antigen) x experiments of the antigen.

    Scores are 0 (none) to 9, NaN for an experiment with itself. A table without rows is empty. Raises UserError, with
    file and line, for another header, rows of another length and cells that are no such scores.
    """
    table = _score_table(path, PARTNER, "colo/", SELF, ledger)
    experiments = table.scores.columns.get_level_values("experiment").to_numpy()
    partners = table.scores.index.get_level_values("experiment").to_numpy()
    values = table.scores.to_numpy()
    itself = (values == SELF) | (partners[:, None] == experiments)
    ledger[ITSELF] += int(itself.sum())
    return ScoreTable(table.antigen, table.scores.mask(itself), table.string)


def read_target_genes(path: Path, ledger: Counter[str]) -> ScoreTable:
    """A table of target genes: genes x experiments of the antigen, highest MACS2 score (10 x -log10 q) near a TSS.

    0 is no peak. A row of zeros may be a gene that only STRING knows: ChIP-Atlas appends those. Tables of antigens with
    very many experiments have a header only and are empty. Raises UserError as `read_colocalisation`.
    """
    return _score_table(path, GENE, "target/", np.inf, ledger)


def _rows(
    path: Path, columns: tuple[str, ...], name: str, ledger: Counter[str]
) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every line that is not blank. Quotes are text, and no cell is too long."""
    for line, text in enumerate(decoded_lines(path, ledger), start=1):
        if text.strip():
            cells = text.split("\t")
            if len(cells) != len(columns):
                raise UserError(
                    f"{path}:{line}: {len(cells)} cells, {text[:60]!r}; expected {len(columns)} between tabs, as in "
                    f"ChIP-Atlas' {name}: delete it and fetch it again"
                )
            yield line, cells


def _refuse_absent(genome: str, genomes: set[str], path: Path) -> None:
    if not genomes:
        raise UserError(f"{path}: empty; expected a list of ChIP-Atlas: delete it and fetch it again")
    if genome not in genomes:
        raise AbsentData(
            f"{path}: nothing of genome {genome!r}{did_you_mean(genome, genomes)} "
            f"(genomes: {', '.join(sorted(genomes))})"
        )


def _score_table(
    path: Path, labels: tuple[str, ...], folder: str, ceiling: float, ledger: Counter[str]
) -> ScoreTable:
    """Rows named by `labels`, scores from 0 to `ceiling`."""
    with damage_told(path), open_bytes(path) as handle:
        first, _, text = handle.read().partition(b"\n")
    header = first.decode("utf-8", "replace").rstrip("\r").split("\t")
    antigen, experiments = _header(header, labels, path, folder)
    lead = len(labels)
    if not text.strip():
        cells = pd.DataFrame(columns=range(len(header)), dtype=float)
        cells[list(range(lead))] = cells[list(range(lead))].astype(object)
    else:
        cells = _cells(path, text, len(header), lead)
    values = cells[range(lead + 1, len(header))].to_numpy(float)
    wrong = np.argwhere(~((values[:, :-1] >= 0) & (values[:, :-1] <= ceiling)))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(
            f"{path}: the row of {cells.iloc[row, 0]} has {values[row, column]:g} for {experiments[column][0]}; expected "
            f"a score from 0 to {ceiling:g}: delete it and fetch it again"
        )
    names = pd.MultiIndex.from_tuples(experiments, names=["experiment", "cell"])
    rows = (
        pd.MultiIndex.from_frame(cells[list(range(lead))], names=["experiment", "cell", "antigen"])
        if lead > 1
        else pd.Index(cells[0], name="gene", dtype=object)
    )
    scores = pd.DataFrame(values[:, :-1], index=rows, columns=names)
    string = pd.Series(values[:, -1], index=rows, name="string")
    if rows.has_duplicates:
        ledger[REPEATED] += int(rows.duplicated().sum())
        levels = list(range(lead))
        scores = scores.groupby(level=levels, sort=False).max()
        string = string.groupby(level=levels, sort=False).max()
    return ScoreTable(antigen, scores, string)


def _header(
    header: list[str], labels: tuple[str, ...], path: Path, folder: str
) -> tuple[str, list[tuple[str, ...]]]:
    """The antigen, and experiment and cell of each column of scores."""
    lead = len(labels)
    experiments = [tuple(cell.split("|", 1)) for cell in header[lead + 1 : -1]]
    if (
        tuple(header[:lead]) != labels
        or not header[lead : lead + 1]
        or not header[lead].endswith(AVERAGE)
        or header[-1] != STRING
        or not experiments
        or any(len(pair) != 2 for pair in experiments)
    ):
        raise UserError(
            f"{path}:1: begins {chr(9).join(header)[:60]!r}; expected the header {' '.join(labels)} <antigen>{AVERAGE} "
            f"<experiment>|<cell> ... {STRING} of ChIP-Atlas' {folder}: delete it and fetch it again"
        )
    twice = [each for each, number in Counter(each for each, _ in experiments).items() if number > 1]
    if twice:
        raise UserError(f"{path}:1: the experiment {twice[0]} stands twice; delete it and fetch it again")
    return header[lead].removesuffix(AVERAGE), experiments


def _cells(path: Path, text: bytes, width: int, lead: int) -> pd.DataFrame:
    """Columns by number: the first `lead` are text, the others numbers."""
    import pyarrow as pa
    from pyarrow import csv

    kinds: dict[str, Any] = {
        str(number): pa.string() if number < lead else pa.float64() for number in range(width)
    }
    text = text if _is_utf8(text) else text.decode("utf-8", "replace").encode()
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(column_names=list(kinds), block_size=len(text) + 1, use_threads=False),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=kinds, null_values=[]),
        )
    except pa.ArrowInvalid as error:
        raise _wrong_line(path, text, width, lead, str(error)) from None
    cells: pd.DataFrame = table.to_pandas()
    return cells.set_axis(range(width), axis=1)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _wrong_line(path: Path, text: bytes, width: int, lead: int, reason: str) -> UserError:
    for line, raw in enumerate(text.splitlines(), start=2):
        cells = raw.decode("utf-8", "replace").split("\t")
        if not raw:
            continue
        if len(cells) != width:
            return UserError(
                f"{path}:{line}: {len(cells)} cells; expected {width}, as in the header: truncated or damaged; delete "
                "it and fetch it again"
            )
        for cell in cells[lead:]:
            try:
                float(cell)
            except ValueError:
                return UserError(
                    f"{path}:{line}: {cell!r} where a score stands; expected a number: delete it and fetch it again"
                )
    return UserError(f"{path}: not a table of scores ({reason}); delete it and fetch it again")
