"""Where genes start, which regions are artefacts, which are regulatory elements, and how long chromosomes are.

Positions are 0-based and intervals half-open, whatever the file counts from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from reclaim.errors import UserError
from reclaim.regions import in_order
from reclaim.sources.bed import read_bed
from reclaim.sources.text_table import open_bytes
from reclaim.sources.xena_matrix import beginning, damage_told

GTF_COLUMNS = 9
ATTRIBUTES = {
    name: re.compile(rf'(?:^|[; ]){name} "([^"]*)"'.encode())
    for name in ("gene_id", "gene_name", "gene_type", "transcript_id")
}
"""How GENCODE names what is kept; Ensembl's own GTF has other names."""

NO_STRAND = "annotated features without a strand"
CCRE_COLUMNS = 6
CCRE_IDS = {4: "EH38D", 5: "EH38E"}


def read_tss(
    path: Path,
    sizes: Mapping[str, int] | None,
    ledger: Counter[str],
    feature: Literal["transcript", "gene"] = "transcript",
) -> pd.DataFrame:
    """Transcription start sites of GENCODE's GTF, plain or gzip, one per transcript (or per gene), in order.

    Columns chrom (category), tss (int64: `start - 1` on the plus strand, `end - 1` on the minus strand), strand,
    gene_id (without its version; the Y copy of a pseudoautosomal gene has the id of the gene on X), symbol, biotype
    (GENCODE's gene_type) and transcript_id (empty for genes). `sizes`: lengths of the chromosomes. Raises UserError,
    with file and line, for damaged lines and when the file has no such feature; AbsentData when no chromosome is known.
    Source: https://ftp.ebi.ac.uk/pub/databases/gencode/Gencode_human/release_44/gencode.v44.basic.annotation.gtf.gz
    """
    rows: list[tuple[str, int, str, str, str, str, str]] = []
    key = f"\t{feature}\t".encode()
    start = b""
    with damage_told(path), open_bytes(path) as handle:
        for number, line in enumerate(BufferedReader(cast(Any, handle), 2**20), start=1):
            start = start or line[:60]
            if key in line and not line.startswith(b"#"):
                cells = line.split(b"\t")
                if len(cells) > 2 and cells[2] == feature.encode():
                    rows.append(_site(cells, f"{path}:{number}"))
    if not rows:
        raise UserError(
            f"{path}:1: begins {beginning(start)!r} and has no {feature} line; expected GENCODE's GTF: delete it and "
            "fetch it again"
        )
    columns = ["chrom", "start", "strand", "gene_id", "symbol", "biotype", "transcript_id"]
    sites = pd.DataFrame(rows, columns=columns)
    stranded = sites["strand"].isin(["+", "-"])
    ledger[NO_STRAND] += int((~stranded).sum())
    sites = sites[stranded].assign(end=sites["start"] + 1)
    sites = in_order(sites, str(path), sizes, ledger)
    return sites.drop(columns="end").rename(columns={"start": "tss"})


def read_blacklist(path: Path, sizes: Mapping[str, int] | None, ledger: Counter[str]) -> pd.DataFrame:
    """Regions of artefacts, in order: chrom, start, end, reason (category; empty where the BED file names none).

    Source: https://github.com/Boyle-Lab/Blacklist. Raises as `reclaim.sources.bed.read_bed`.
    """
    bed = read_bed(path, 4)
    return in_order(bed.place.assign(reason=bed.text(4)), str(path), sizes, ledger)


def read_ccres(path: Path, sizes: Mapping[str, int] | None, ledger: Counter[str]) -> pd.DataFrame:
    """ENCODE's candidate cis-regulatory elements of GRCh38, in order: chrom, start, end, dnase (EH38D...), ccre
    (EH38E...) and classes (category, such as `pELS,CTCF-bound`; see `has_class`).

    Source: https://downloads.wenglab.org/V3/GRCh38-cCREs.bed. Raises UserError for a file of another kind.
    """
    bed = read_bed(path, 4, 5, 6)
    ids = {column: bed.text(column) for column in CCRE_IDS}
    for column, prefix in CCRE_IDS.items():
        wrong = [name for name in ids[column].categories if not name.startswith(prefix)] if bed.width else []
        if wrong or 0 < bed.width < CCRE_COLUMNS:
            found = f"{bed.width} columns" if bed.width < CCRE_COLUMNS else f"{wrong[0]!r} in column {column}"
            raise UserError(
                f"{path}: {found}; expected ENCODE's cCREs of GRCh38, chrom, start, end, EH38D..., EH38E..., class: "
                "delete it and fetch it again"
            )
    return in_order(
        bed.place.assign(dnase=ids[4].astype(object), ccre=ids[5].astype(object), classes=bed.text(6)),
        str(path),
        sizes,
        ledger,
    )


def has_class(ccres: pd.DataFrame, name: str) -> np.ndarray:
    """Which rows of `read_ccres` have the class, alone or among others."""
    classes = ccres["classes"].cat
    having = np.array([name in each.split(",") for each in classes.categories], dtype=bool)
    return having[classes.codes.to_numpy()] if len(having) else np.zeros(len(ccres), bool)


def read_chromosome_sizes(path: Path) -> dict[str, int]:
    """Length of every chromosome, in bases, in the order of the file: `.genome` or `.chrom.sizes`, two columns.

    Raises UserError, with file and line, for another shape, a length that is not positive, a chromosome that stands
    twice, and an empty file.
    """
    sizes: dict[str, int] = {}
    with damage_told(path), open_bytes(path) as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.decode("utf-8", "replace").strip()
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != 2 or not re.fullmatch(r"0*[1-9][0-9]{0,17}", cells[1]):
                raise UserError(
                    f"{path}:{number}: {line[:60]!r}; expected a chromosome and its length in bases between a tab: use a "
                    ".chrom.sizes file, or delete it and fetch it again"
                )
            if cells[0] in sizes:
                raise UserError(f"{path}:{number}: the chromosome {cells[0]} stands twice; remove one line")
            sizes[cells[0]] = int(cells[1])
    if not sizes:
        raise UserError(
            f"{path}: empty; expected chromosomes and their lengths: delete it and fetch it again"
        )
    return sizes


def _site(cells: list[bytes], place: str) -> tuple[str, int, str, str, str, str, str]:
    """Chromosome, position, strand, gene, symbol, biotype and transcript of a line."""
    if len(cells) != GTF_COLUMNS:
        raise UserError(
            f"{place}: {len(cells)} columns; expected {GTF_COLUMNS}, as in GTF: delete it and fetch it again"
        )
    chrom, strand = cells[0].decode("utf-8", "replace"), cells[6].decode("utf-8", "replace")
    position = cells[4] if strand == "-" else cells[3]
    if not position.isdigit():
        raise UserError(
            f"{place}: the {'end' if strand == '-' else 'start'} is {position.decode('utf-8', 'replace')!r}; expected a "
            "whole number of bases: delete it and fetch it again"
        )
    found = {name: pattern.search(cells[8]) for name, pattern in ATTRIBUTES.items()}
    gene, symbol, biotype, transcript = (
        match[1].decode("utf-8", "replace") if match else ""
        for match in (found[name] for name in ("gene_id", "gene_name", "gene_type", "transcript_id"))
    )
    if not gene:
        raise UserError(f"{place}: no gene_id; expected GENCODE's GTF: delete it and fetch it again")
    return chrom, int(position) - 1, strand, unversioned(gene), symbol, biotype, transcript


def unversioned(gene: str) -> str:
    """An Ensembl gene id without version: of `ENSG00000182378.15_PAR_Y`, and of `ENSGR0000182378.9` as older releases
    write it, ENSG00000182378."""
    return gene.partition(".")[0].replace("ENSGR", "ENSG0", 1)
