"""Counts of RNA-seq reads from GEO: NCBI's own tables, and the tables of submitters.

NCBI counts the reads of most human series in one way: https://www.ncbi.nlm.nih.gov/geo/info/rnaseqcounts.html.
A submitter's table has any shape, so the study file says which column names the feature and which columns hold
counts. Every other column is left out and told: GSE252340's workbooks hold a second experiment (`BAY.R_*`) that
the series does not describe.

What does not match the description (a sheet or column that is not there, values that are not counts) raises
AbsentData: nobody can mend a public file. Damage raises UserError: fetching it again mends it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.table_rows import MISSING, FeatureTable, find_tables
from reclaim.sources.text_table import open_bytes, read_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData

ROWS_AT_A_TIME = 500
ROUNDING = 1e-6
"""Counts may differ from whole numbers by so much: programs that calculate with them leave it."""

MOST = 2**31 - 1
"""The largest count that int32 holds; no gene has as many reads."""

SHARED_AT_LEAST = 0.5
"""Files of one pipeline name the same features. Below this share of the union they are not of one pipeline."""

NAMED = 8
"""So many columns are named in the ledger."""


def read_ncbi_counts(counts: Path, annotation: Path, ledger: Counter[str]) -> AnnData:
    """Samples (GSM) x genes: counts of reads (int32) as NCBI made them on GRCh38.p13.

    obs: index GSM; what is known of the samples stands in the series matrix. var: index GeneID (Entrez) as text, `symbol` (empty where the annotation has no such gene), and `biotype`
    (NCBI's GeneType) where the annotation has that column. uns["unit"] = "counts".
    Raises as read_count_table does; UserError for an annotation without GeneID and Symbol.
    """
    found = read_count_table(counts, "GeneID", r"GSM\d+", None, ledger)
    genes = _annotation(annotation, ledger)
    ledger["genes without a line in NCBI's annotation"] += int((~found.var_names.isin(genes.index)).sum())
    found.var = genes.reindex(found.var_names).fillna("")
    return found


def read_count_table(
    path: Path, feature: str, columns: Mapping[str, str] | str, sheet: str | None, ledger: Counter[str]
) -> AnnData:
    """Samples x features: counts of reads (int32) from delimited text (may be gzip) or an .xlsx workbook.

    `feature` is the column of gene symbols or ids; an empty name means R's row names. `columns` maps sample
    names to columns, or is a regular expression that whole column names meet: the sample is then its first
    group, or the column's name. Without `sheet` the sheet that holds all of this is read; of several the
    longest, because lists of selected genes repeat the columns of the whole table. Features keep the order of
    the file; counts of features of the same name are added. obs: index sample, `title` (the same).
    uns["unit"] = "counts".

    Raises AbsentData for a missing sheet or column and for values that are not counts, UserError for damage.
    """
    tables = find_tables(path, feature, sheet)
    choices = [(table, chosen) for table in tables if (chosen := _chosen(table, columns, feature))]
    if not choices:
        raise AbsentData(_nothing_chosen(tables, columns))
    for table, chosen in choices:
        if chosen != choices[0][1]:
            raise AbsentData(
                f"{path}: {columns!r} matches other columns on sheet {choices[0][0].sheet} ({_listed([*choices[0][1]])}) "
                f"than on sheet {table.sheet} ({_listed([*chosen])}); name one of them under `sheet`"
            )
    read = []
    for table, chosen in choices:
        told: Counter[str] = Counter()
        read.append((_counts(table, chosen, feature, told), told, table, chosen))
    counts, told, table, chosen = max(read, key=lambda one: one[0].n_vars)
    ledger.update(told)
    others = [str(other.sheet) for other, _ in choices if other is not table]
    if others:
        ledger[f"sheets with the same columns as {table.sheet}, left out: {_listed(others)}"] += len(others)
    left_out = _undeclared(tables, {feature, *chosen.values()})
    if left_out:
        ledger[f"columns not declared, left out: {_listed(left_out)}"] += len(left_out)
    return counts


def join_samples(parts: Sequence[AnnData], ledger: Counter[str]) -> AnnData:
    """The samples of several files of one series, over the features that every file has, in the first's order.

    A feature that one file lacks is left out and counted. Zero in its place would be an invention: a file may
    leave out genes that were filtered or are named differently as well as genes without reads, and an invented
    zero beside real counts looks like a strong effect. Raises AbsentData when the files share less than half
    of their features, or a sample stands in two of them.
    """
    import anndata as ad
    import pandas as pd

    samples = pd.Index([sample for part in parts for sample in part.obs_names])
    if not samples.is_unique:
        raise AbsentData(f"the sample {samples[samples.duplicated()][0]!r} stands in two files of the series")
    shared, every = parts[0].var_names, parts[0].var_names
    for part in parts[1:]:
        shared, every = (
            shared.intersection(part.var_names, sort=False),
            every.union(part.var_names, sort=False),
        )
    if len(shared) < SHARED_AT_LEAST * len(every):
        raise AbsentData(
            f"the files of {samples[0]} to {samples[-1]} share {len(shared)} of {len(every)} features; expected "
            "tables of one pipeline"
        )
    ledger["features that only some files of the series have"] += len(every) - len(shared)
    joined = ad.concat([part[:, shared] for part in parts], join="inner", merge="first")
    joined.uns["unit"] = parts[0].uns["unit"]
    return joined


def _annotation(path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """GeneID -> symbol, and biotype where there."""
    names = {"GeneID": "GeneID", "Symbol": "symbol", "GeneType": "biotype"}
    with open_bytes(path) as handle:
        table, line = read_table(handle, str(path), wanted=list(names))
    for column in ("GeneID", "Symbol"):
        if column not in table.columns:
            raise UserError(
                f"{path}:{line}: no column {column!r}{did_you_mean(column, table.attrs['header'])}; expected NCBI's "
                "annotation of human genes (Human.GRCh38.p13.annot.tsv.gz)"
            )
    before = len(table)
    table = table.fillna("").drop_duplicates("GeneID").rename(columns=names).set_index("GeneID")
    ledger["lines of NCBI's annotation that repeat a GeneID"] += before - len(table)
    return table


def _chosen(table: FeatureTable, columns: Mapping[str, str] | str, feature: str) -> dict[str, str]:
    """Sample -> column of one table; empty when the table does not hold what was declared.

    Raises AbsentData when that is ambiguous.
    """
    if isinstance(columns, str):
        try:
            pattern = re.compile(columns)
        except re.error as error:
            raise UserError(
                f"columns: {columns!r} is not a regular expression ({error}); correct it"
            ) from None
        matches = [pattern.fullmatch(name) for name in table.header if name and name != feature]
        pairs = [
            (match.group(1) or match.group() if match.re.groups else match.group(), match.group())
            for match in matches
            if match
        ]
    elif set(columns.values()) <= set(table.header):
        pairs = [*columns.items()]
    else:
        return {}
    samples, names = Counter(sample for sample, _ in pairs), Counter(name for _, name in pairs)
    for name in names:
        if names[name] > 1 or table.header.count(name) > 1:
            raise AbsentData(
                f"{table.place}:{table.line}: the column {name!r} stands twice, or for two samples"
            )
    for sample, times in samples.items():
        if times > 1:
            raise AbsentData(
                f"{table.place}:{table.line}: {times} columns for the sample {sample!r}; let `columns` tell them apart"
            )
    return dict(pairs)


def _nothing_chosen(tables: Sequence[FeatureTable], columns: Mapping[str, str] | str) -> str:
    """The message for the table that comes nearest to what was declared."""
    if isinstance(columns, str):
        table, wanted = tables[0], f"column that {columns!r} matches as a whole"
    else:
        table = max(tables, key=lambda one: len(set(columns.values()) & set(one.header)))
        missing = next(name for name in columns.values() if name not in table.header)
        wanted = f"column {missing!r}{did_you_mean(missing, filter(None, table.header))}"
    header = [name for name in table.header if name]
    return f"{table.place}:{table.line}: no {wanted} (columns: {_listed(header)}); mend `columns`"


def _undeclared(tables: Sequence[FeatureTable], declared: set[str]) -> list[str]:
    """Columns of all sheets that are neither the feature nor a sample, each once."""
    names = dict.fromkeys(name for table in tables for name in table.header if name)
    return [name for name in names if name not in declared]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


@dataclass(frozen=True)
class _Slice:
    """Lines of a table: their numbers, features, and numbers (lines x samples, NaN where missing)."""

    lines: list[int]
    features: list[str]
    values: np.ndarray


def _counts(table: FeatureTable, chosen: Mapping[str, str], feature: str, ledger: Counter[str]) -> AnnData:
    import anndata as ad
    import numpy as np
    import pandas as pd

    features: list[str] = []
    parts = [np.empty((0, len(chosen)), np.int32)]
    for part in _slices(table, chosen, feature, ledger):
        complete = ~np.isnan(part.values).any(axis=1)
        ledger["features without a count in every sample"] += int((~complete).sum())
        parts.append(_whole(part, table.place, list(chosen), ledger)[complete])
        features += [name for name, kept in zip(part.features, complete, strict=True) if kept]
    if not features:
        raise AbsentData(f"{table.place}:{table.line}: a header but no counts; use the file with the counts")
    values = np.concatenate(parts)
    codes, names = pd.factorize(np.asarray(features, dtype=object))
    ledger["lines added to another of the same feature"] += len(features) - len(names)
    if len(names) < len(features):
        values = pd.DataFrame(values, dtype="int64").groupby(codes, sort=False).sum().to_numpy()
        if values.max() > MOST:
            raise AbsentData(f"{table.place}: counts above {MOST}; these are not reads of one gene")
    return ad.AnnData(
        np.ascontiguousarray(values.T, dtype=np.int32),
        obs=pd.DataFrame({"title": list(chosen)}, index=pd.Index(list(chosen), dtype=object), dtype=object),
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        uns={"unit": "counts"},
    )


def _slices(
    table: FeatureTable, chosen: Mapping[str, str], feature: str, ledger: Counter[str]
) -> Iterator[_Slice]:
    """The table in parts of bounded size, without lines that name no feature."""
    import numpy as np

    name_at = table.header.index(feature)
    at = [table.header.index(column) for column in chosen.values()]
    rows = table.rows(ledger)
    while part := list(islice(rows, ROWS_AT_A_TIME)):
        named = [(line, cells) for line, cells in part if cells[name_at] not in MISSING]
        ledger["lines without a feature name"] += len(part) - len(named)
        genes = [(line, cells) for line, cells in named if not cells[name_at].startswith("__")]
        ledger["summary lines of a counting program (__no_feature, ...)"] += len(named) - len(genes)
        texts = [[cells[position] for position in at] for _, cells in genes]
        try:
            values = np.array(texts, dtype=np.float64).reshape(len(texts), len(at))
        except ValueError:
            values = _with_gaps(table.place, genes, at, list(chosen))
        yield _Slice([line for line, _ in genes], [cells[name_at] for _, cells in genes], values)


def _with_gaps(
    place: str, rows: Sequence[tuple[int, list[str]]], at: Sequence[int], samples: Sequence[str]
) -> np.ndarray:
    """Cell by cell, where numpy met something that is not a number: missing, or an error."""
    import numpy as np

    values = np.full((len(rows), len(at)), np.nan)
    for row, (line, cells) in enumerate(rows):
        for column, position in enumerate(at):
            if cells[position] not in MISSING:
                try:
                    values[row, column] = float(cells[position])
                except ValueError:
                    raise AbsentData(
                        f"{place}:{line}: {cells[position]!r} in the column of {samples[column]}; expected a count of "
                        "reads; name the columns with counts under `columns`"
                    ) from None
    return values


def _whole(part: _Slice, place: str, samples: Sequence[str], ledger: Counter[str]) -> np.ndarray:
    """int32, zero where missing. Raises AbsentData for numbers that are no counts."""
    import numpy as np

    values = np.nan_to_num(part.values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    rounded = np.rint(np.clip(values, 0, MOST))
    difference = np.abs(values - rounded)
    if (wrong := np.argwhere(difference > ROUNDING)).size:
        row, column = wrong[0]
        raise AbsentData(
            f"{place}:{part.lines[row]}: {values[row, column]:g} for {part.features[row]} in the column of "
            f"{samples[column]}; expected whole counts of reads: values that were normalised or are logarithms "
            "cannot stand in for them; name the columns with counts under `columns`"
        )
    ledger[f"counts rounded by less than {ROUNDING:g}"] += int((difference > 0).sum())
    whole: np.ndarray = rounded.astype(np.int32)
    return whole
