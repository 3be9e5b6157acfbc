"""UCSC Xena: genomic matrices, sample tables and probe maps, as its hubs serve them.

Formats: https://ucsc-xena.gitbook.io/project/how-do-i/how-do-i-format-my-data-files. A matrix is text, genes x
samples; what its values are stands only on the page of the data set, so the study file says it. The Toil matrices
(Vivian 2017, doi 10.1038/nbt.3772) have 60,498 genes x 19,109 samples, 8 GB of text: they are read in blocks,
one thread unpacking while others parse, and only the samples that are asked for are kept.

Precision: Xena writes four decimals, half a unit of which is 3.5e-5 of a count. Whole counts up to 14,524 come
back exactly, larger ones within one in 14,000. Parsing as float64 adds nothing to that; float32 alone would be
exact up to 757,390 at any number of decimals.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.text_table import open_bytes, read_table

if TYPE_CHECKING:
    from anndata import AnnData

SAMPLE_COLUMNS = ("sample", "sampleID")
"""What Xena's tables call the sample: Toil's and the survival tables, and the clinical matrices."""

BLOCK_BYTES = 32 * 2**20
PARSERS = 2
"""Blocks that are parsed at once; more gain nothing, for unpacking is one thread's work."""

SLAB_BYTES = 2**27
"""Parsed blocks are joined into pieces that the system takes back whole when they are freed."""

CEILING = 30.0
"""No gene has 2^30 reads: a value above this is no logarithm."""

ROUNDING = 1e-3
ENSEMBL = re.compile(r"ENSG([R\d]\d+)(\.\d+(?:_\d+)?)?(_PAR_Y)?")
PATIENT = re.compile(r"(TCGA-\w+-\w+|TARGET-\w+-\w+|GTEX-\w+)-.+")


@dataclass(frozen=True)
class _Values:
    """log2(x + offset), and the canonical unit that it becomes."""

    name: str
    offset: float
    unit: str


VALUES = {
    "log2_expected_count_plus_1": _Values("log2(expected_count + 1)", 1.0, "counts"),
    "log2_tpm_plus_0.001": _Values("log2(tpm + 0.001)", 0.001, "log2_tpm"),
}


def read_phenotype(path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """A sample table: all columns as text under their own names (missing where empty), indexed by `sample`.

    Files that are not UTF-8 are Latin-1: Toil's phenotype holds byte 0xCA (a no-break space of Mac OS Roman,
    read as Ê) in `_primary_site`. Raises UserError without a column of samples, for a sample on two lines that
    differ, and for damage.
    """
    with _told(path), open_bytes(path) as handle:
        raw = handle.read()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raw = raw.decode("latin-1").encode()
    table, line = read_table(BytesIO(raw), str(path))
    key = next((column for column in SAMPLE_COLUMNS if column in table.columns), None)
    if key is None:
        raise UserError(
            f"{path}:{line}: no column {' or '.join(map(repr, SAMPLE_COLUMNS))} (it begins "
            f"{_start(raw)!r}); expected a sample table of Xena: name another file, or fetch it again"
        )
    named = table[key].notna()
    ledger["sample lines without a sample"] += int((~named).sum())
    before = table[named]
    table = before.drop_duplicates()
    ledger["sample lines that repeat another"] += len(before) - len(table)
    twice = table[key][table[key].duplicated()]
    if len(twice):
        raise UserError(
            f"{path}: the sample {twice.iloc[0]} stands on lines that differ; fetch the file again"
        )
    return table.set_index(key).rename_axis("sample")


def read_probemap(path: Path) -> pd.DataFrame:
    """Columns gene (symbol), chrom, chromStart, chromEnd (from 1, both included) and strand, indexed by `id`.

    Raises UserError when a column or a number is missing.
    """
    columns = ["id", "gene", "chrom", "chromStart", "chromEnd", "strand"]
    with _told(path), open_bytes(path) as handle:
        table, line = read_table(handle, str(path), wanted=columns)
    for column in columns:
        if column not in table.columns:
            raise UserError(
                f"{path}:{line}: no column {column!r}{did_you_mean(column, table.attrs['header'])}; "
                "expected a probe map of Xena: name another file, or fetch it again"
            )
    try:
        return table.fillna("").astype({"chromStart": "int64", "chromEnd": "int64"}).set_index("id")
    except ValueError as error:
        raise UserError(f"{path}: a position that is no number ({error}); fetch the file again") from None


def patients(samples: pd.Index) -> pd.Index:
    """The patient or donor of each sample, by the barcodes of TCGA, TARGET and GTEx; else the sample itself.

    A cut at twelve characters would part the samples of a GTEx donor: GTEX-1117F-0226-..., GTEX-1117F-2926-...
    """
    return pd.Index([PATIENT.sub(r"\1", str(sample)) for sample in samples], dtype=object)


def tumour_normal_counts(phenotype: pd.DataFrame, min_normals: int) -> pd.DataFrame:
    """Columns tumours, normals and pairs for TCGA cancers with at least `min_normals` adjacent normals.

    Indexed by `detailed_category` as in the file (Toil's phenotype), most normals first. Tumours are
    primary tumours, pairs are patients with both.
    """
    tcga = phenotype[phenotype["_study"] == "TCGA"]
    tcga = tcga.assign(patient=patients(tcga.index))
    by_type = {
        name: tcga[tcga["_sample_type"] == kind]
        for name, kind in {"tumours": "Primary Tumor", "normals": "Solid Tissue Normal"}.items()
    }
    counts = pd.DataFrame({name: rows.groupby("detailed_category").size() for name, rows in by_type.items()})
    keys = ["detailed_category", "patient"]
    both = by_type["tumours"][keys].drop_duplicates().merge(by_type["normals"][keys].drop_duplicates())
    counts["pairs"] = both.groupby("detailed_category").size()
    counts = counts.fillna(0).astype(int)
    return counts[counts["normals"] >= min_normals].sort_values(
        ["normals", "tumours"], ascending=False, kind="stable"
    )


def read_matrix(
    path: Path,
    samples: pd.DataFrame,
    values: str,
    probemap: pd.DataFrame,
    ledger: Counter[str],
    genes: Collection[str] | None = None,
) -> AnnData:
    """Samples x genes of a matrix: the samples of the table (index: sample), in its order, with its columns.

    `values` is a key of VALUES. log2(expected_count + 1) becomes whole counts (int32, RSEM's fractions
    rounded); log2(tpm + 0.001) becomes log2(TPM + 1) (float32), the project's unit: an offset of 0.001
    makes noise near zero look like large changes. `uns`: `unit`, and `source_unit` as Xena writes it.

    `genes`: Ensembl ids to keep (versions do not matter), all by default. `var` is indexed by Ensembl id without
    version, with `symbol` from the probe map (empty when it has none). The Y copy of a pseudoautosomal gene
    (`_PAR_Y`, or `ENSGR...` before GENCODE 25), and any two versions of one id, are added up on the linear
    scale: where the aligner had both copies, each has part of the gene's reads.

    X is stored gene by gene (Fortran order). Memory: X and half a gigabyte. Raises AbsentData when the matrix
    has none of the samples or genes; UserError, with file and line, for damage, for a sample or gene that
    stands twice, a row of another length, a cell that is no number, and values that cannot be `values`.
    """
    import anndata

    meaning = VALUES[values]
    wanted = None if genes is None else {_parts(gene)[0] for gene in genes}
    with _told(path), open_bytes(path) as handle:
        lines = BufferedReader(cast(Any, handle), 2**20)
        header = _header(lines, path)
        kept = _kept_samples(header, samples.index, path, ledger)
        parser = _Parser(path, header, kept, meaning)
        ids, slabs = _parsed(lines, parser, wanted)
    if not ids:
        raise AbsentData(f"{path}: no row of genes{'' if genes is None else ' among those asked for'}")
    twice = [gene for gene, number in Counter(ids).items() if number > 1]
    if twice:
        raise UserError(f"{path}: the gene {twice[0]} stands twice; fetch the file again")
    names, place = strip_versions(ids, ledger)
    if wanted is not None:
        ledger["genes asked for that the matrix lacks"] += len(wanted - set(names))
    by_gene = _stacked(slabs, place, len(names), meaning)
    if meaning.unit == "counts" and wanted is None:
        _refuse_tpm(by_gene, path)
    symbol_of = dict(zip((_parts(gene)[0] for gene in probemap.index), probemap["gene"], strict=True))
    symbols = [symbol_of.get(name, "") for name in names]
    ledger["genes without a symbol in the probe map"] += symbols.count("")
    return anndata.AnnData(
        X=by_gene.T,
        obs=samples.loc[kept],
        var=pd.DataFrame({"symbol": symbols}, index=pd.Index(names, dtype=object, name="gene")),
        uns={"unit": meaning.unit, "source_unit": meaning.name},
    )


def strip_versions(ids: Sequence[str], ledger: Counter[str]) -> tuple[list[str], np.ndarray]:
    """Ensembl ids without version, each once, and for every given id its place among them.

    The Y copy of a pseudoautosomal gene takes the place of the gene on X. Other ids stay as they are.
    """
    parts = [_parts(gene) for gene in ids]
    ledger["Ensembl ids whose version was stripped"] += sum(version for _, version, _ in parts)
    ledger["Ensembl ids of the Y copy of a pseudoautosomal gene"] += sum(par_y for _, _, par_y in parts)
    place, names = pd.factorize(np.array([bare for bare, _, _ in parts], dtype=object))
    ledger["gene rows added to another of the same Ensembl id"] += len(ids) - len(names)
    return list(names), place


def _parts(gene: str) -> tuple[str, bool, bool]:
    """The id without version, whether it had one, and whether it is the Y copy."""
    match = ENSEMBL.fullmatch(gene)
    if match is None:
        return gene, False, False
    number, version, par_y = match.groups()
    return "ENSG" + number.replace("R", "0"), version is not None, par_y is not None or number[0] == "R"


def _header(lines: BufferedReader, path: Path) -> list[str]:
    raw = lines.readline()
    header = raw.decode("utf-8", "replace").rstrip("\r\n").split("\t")
    if len(header) < 2:
        raise UserError(
            f"{path}:1: begins {_start(raw)!r}; expected a header of samples between tabs: fetch it again"
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
    meaning: _Values

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
        floor = np.log2(self.meaning.offset)
        if not (logs.min() >= floor - ROUNDING and logs.max() <= CEILING):
            raise self._wrong_value(logs, numbers, floor)
        return self._undone(logs)

    def _undone(self, logs: np.ndarray) -> np.ndarray:
        linear: np.ndarray = np.exp2(logs)
        linear -= self.meaning.offset
        values: np.ndarray
        if self.meaning.unit == "counts":
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
            f"{self.kept[column]}; expected {self.meaning.name}, {floor:.4g} to {CEILING:g}: give `values` that "
            "Xena's page of the data set names"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parsed(
    lines: BufferedReader, parser: _Parser, wanted: Collection[str] | None
) -> tuple[list[str], list[np.ndarray]]:
    """Ids of the rows and their values in slabs, in the order of the file."""
    ids: list[str] = []
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
                ids += found
                running.append(pool.submit(parser, rows, numbers))
                collect(left=PARSERS)
            collect(left=0)
        finally:
            pool.shutdown(cancel_futures=True)
    return ids, slabs


def _blocks(
    lines: IO[bytes], wanted: Collection[str] | None
) -> Iterator[tuple[list[bytes], list[int], list[str]]]:
    """Lines of wanted genes, their numbers in the file and their ids, about BLOCK_BYTES at a time."""
    rows: list[bytes] = []
    numbers: list[int] = []
    ids: list[str] = []
    size = 0
    for number, line in enumerate(lines, start=2):
        if line.isspace():
            continue
        gene = line[: line.find(b"\t")].decode("utf-8", "replace")
        if wanted is not None and _parts(gene)[0] not in wanted:
            continue
        rows.append(line)
        numbers.append(number)
        ids.append(gene)
        size += len(line)
        if size >= BLOCK_BYTES:
            yield rows, numbers, ids
            rows, numbers, ids, size = [], [], [], 0
    if rows:
        yield rows, numbers, ids


def _stacked(slabs: list[np.ndarray], place: np.ndarray, rows: int, meaning: _Values) -> np.ndarray:
    """One array; rows with the same place are added up. Empties `slabs`, so that values are held once."""
    stacked: np.ndarray = np.empty((rows, slabs[0].shape[1]), slabs[0].dtype)
    first = ~pd.Series(place).duplicated().to_numpy()
    start = 0
    slabs.reverse()
    while slabs:
        slab = slabs.pop()
        for row, target, new in zip(slab, place[start:], first[start:], strict=False):
            if new:
                stacked[target] = row
            elif meaning.unit == "counts":
                stacked[target] += row
            else:
                stacked[target] = np.log2(np.exp2(stacked[target]) + np.exp2(row) - 1)
        start += len(slab)
    return stacked


def _refuse_tpm(by_gene: np.ndarray, path: Path) -> None:
    """Counts of real libraries differ in their sums; TPM add up to a million in each."""
    totals = by_gene.sum(axis=0, dtype=np.int64)
    if len(totals) > 1 and (np.abs(totals - 1_000_000) < 20_000).all():
        raise UserError(
            f"{path}: every sample adds up to a million, so these are TPM, not counts; give `values` that Xena's "
            "page of the data set names"
        )


def _start(raw: bytes) -> str:
    return raw[:60].decode("utf-8", "replace").splitlines()[0] if raw.strip() else "with nothing"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Damage of a packed file as one line that names the file and the remedy."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); delete it and fetch it again") from None
