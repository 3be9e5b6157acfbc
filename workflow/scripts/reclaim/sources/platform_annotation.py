"""GEO's annotation of a platform: the gene that each probe of an array measures.

Format: text, packed with gzip. Lines that begin with `^`, `!` or `#` describe the file and its columns; the table
stands between `!platform_table_begin` and `!platform_table_end`, with tabs between cells. A probe of several genes
has them joined by `///`, a probe of none has empty cells. NCBI maps probes to Entrez Gene and has such a file for
common arrays only. Symbols are those of the file's date, often years ago; Entrez ids last, so they come first here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.sources.table_rows import decoded_lines
from reclaim.symbols import SEVERAL_GENES

if TYPE_CHECKING:
    import anndata

    from reclaim.symbols import SymbolTable

BEGIN, END = "!platform_table_begin", "!platform_table_end"
PLATFORM = "!Annotation_platform ="
COLUMNS = {"ID": "probe", "Gene symbol": "symbol", "Gene ID": "entrez"}

Lines = Iterator[tuple[int, str]]


def read_platform_annotation(path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """One row per probe: index probe, columns symbol and entrez (Entrez Gene id), as text.

    Both are empty where a probe has no gene, and `A///B` where it has several; a gene that is repeated counts once.
    `attrs["platform"]` is the accession that the file names, empty where it names none. Of lines that repeat a probe
    the first counts. Raises UserError, with file and line, for a truncated or damaged file and for one of another kind.
    Source: https://ftp.ncbi.nlm.nih.gov/geo/platforms/GPLnnn/GPL570/annot/GPL570.annot.gz
    """
    lines: Lines = enumerate(decoded_lines(path, ledger), start=1)
    platform = _platform_above_the_table(path, lines)
    places = _places(path, lines)
    found: dict[str, tuple[str, str]] = {}
    for number, line in lines:
        if line.startswith(END):
            break
        if not line.strip():
            continue
        cells = line.split("\t", max(places) + 1)
        if len(cells) <= max(places):
            raise UserError(
                f"{path}:{number}: {len(cells)} cells; expected {' and '.join(COLUMNS)}, as in its header: damaged; "
                "delete it and fetch it again"
            )
        probe, symbol, entrez = (cells[place].strip() for place in places)
        if not probe or probe in found:
            what = "lines that repeat a probe" if probe else "lines without a probe"
            ledger[f"{what} in the platform's annotation"] += 1
            continue
        found[probe] = _each_once(symbol), _each_once(entrez)
    else:
        raise UserError(_truncated(path))
    if not found:
        raise UserError(_empty(path))
    table = pd.DataFrame.from_dict(found, orient="index", columns=["symbol", "entrez"], dtype=object)
    table.attrs["platform"] = platform
    return table.rename_axis("probe")


def with_genes(
    data: anndata.AnnData, annotation: pd.DataFrame, table: SymbolTable, ledger: Counter[str]
) -> anndata.AnnData:
    """For `to_symbols` with key `given`: the probes (`var_names`) that measure one gene or none known.

    `annotation` is as read_platform_annotation returns it. A probe of several genes is dropped: what it measures
    cannot be told apart. `var` gets `symbol` and `entrez` as the annotation has them, and `given`: the approved
    symbol of the Entrez id, else the annotation's symbol, else empty. Raises AbsentData when no probe has a gene.
    """
    genes = annotation.reindex(data.var_names)
    listed = genes["symbol"].notna()
    genes = genes.fillna("")
    several = genes["symbol"].str.contains(SEVERAL_GENES) | genes["entrez"].str.contains(SEVERAL_GENES)
    found = table.by_entrez(genes["entrez"])["symbol"].set_axis(genes.index)
    known = found != ""
    genes["given"] = np.where(known, found, genes["symbol"])
    if not (~several & (genes["given"] != "")).any():
        example = f" (such as {data.var_names[0]})" if data.n_vars else ""
        raise AbsentData(
            f"the platform's annotation lists {int(listed.sum())} of the {data.n_vars} probes{example} and names the "
            "one gene of none; expected the probes of its platform"
        )
    unnamed = (genes["symbol"] == "") & (genes["entrez"] == "")
    for what, which in {
        "probes of several genes, dropped": several,
        "probes that the platform's annotation does not list": ~listed,
        "probes that the platform's annotation names no gene of": listed & unnamed,
        "probes whose gene has another symbol today than in the platform's annotation": known
        & (genes["symbol"] != "")
        & (genes["symbol"] != found)
        & ~several,
        "probes looked up by symbol, for want of an Entrez id that HGNC knows": ~known & ~unnamed & ~several,
    }.items():
        ledger[what] += int(which.sum())
    data = data[:, ~several.to_numpy(bool)].copy()
    data.var = data.var.join(genes[~several])
    return data


def _platform_above_the_table(path: Path, lines: Lines) -> str:
    """The accession in the lines above the table, which are consumed."""
    platform = first = ""
    for _, line in lines:
        first = first or line.strip()
        if line.startswith(BEGIN):
            return platform
        if line.startswith(PLATFORM):
            platform = line.removeprefix(PLATFORM).strip()
    begins = f"begins {first[:60]!r}" if first else "is empty"
    raise UserError(
        f"{path}: {begins} and has no line {BEGIN}; expected GEO's annotation of a platform (GPL....annot.gz): delete "
        "it and fetch it again"
    )


def _places(path: Path, lines: Lines) -> list[int]:
    """Where the columns COLUMNS stand, from the header, which is consumed."""
    number, line = next(lines, (0, END))
    if line.startswith(END):
        raise UserError(_truncated(path) if not number else _empty(path))
    header = [name.strip() for name in line.split("\t")]
    for column in COLUMNS:
        if column not in header:
            raise UserError(
                f"{path}:{number}: no column {column!r}{did_you_mean(column, header)}; expected those of GEO's "
                f"annotation of a platform ({', '.join(COLUMNS)}, ...): delete it and fetch it again"
            )
    return [header.index(column) for column in COLUMNS]


def _truncated(path: Path) -> str:
    return f"{path}: no line {END}: truncated; delete it and fetch it again"


def _empty(path: Path) -> str:
    return f"{path}: its table has no probes: damaged; delete it and fetch it again"


def _each_once(genes: str) -> str:
    if SEVERAL_GENES not in genes:
        return genes
    names = (name.strip() for name in genes.split(SEVERAL_GENES))
    return SEVERAL_GENES.join(dict.fromkeys(filter(None, names)))
