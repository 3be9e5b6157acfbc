"""UCSC Xena's wire formats, SIMULATED: matrices, sample tables and probe maps.

None of them has comment lines. So a matrix has a first column named SIMULATED, and a table or probe map a first row
of that name: no sample table names that column, and no matrix has these rows, so readers leave them out.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from reclaim.sources.xena import VALUES

MARK = "SIMULATED"
ROW_MARK = "SIMULATED-by-reclaim"
"""Another name than the column's, or a sample would exist."""


def toil_matrix_gz(
    values: np.ndarray, gene_ids: Sequence[str], sample_ids: Sequence[str], unit: str
) -> bytes:
    """A matrix of genes x samples: linear `values` (counts or TPM) as log2(value + offset), four decimals.

    `unit` is a key of `sources.xena.VALUES`.
    """
    offset = VALUES[unit].offset
    text = io.StringIO()
    text.write("\t".join(["sample", MARK, *sample_ids]) + "\n")
    for gene, row in zip(gene_ids, np.log2(np.asarray(values, float) + offset), strict=True):
        text.write("\t".join([gene, f"{np.log2(offset):.4f}", *(f"{value:.4f}" for value in row)]) + "\n")
    return _packed(text.getvalue().encode())


def phenotype_gz(table: pd.DataFrame) -> bytes:
    """A sample table indexed by sample, Latin-1 as Toil's: the first row holds the letter Ê in every column."""
    first = "\t".join([ROW_MARK, *(f"{MARK}\u00ca" for _ in table.columns)])
    rows = table.rename_axis("sample").to_csv(sep="\t", lineterminator="\n", na_rep="")
    header, _, others = rows.partition("\n")
    return _packed(f"{header}\n{first}\n{others}".encode("latin-1"))


def probemap(table: pd.DataFrame) -> bytes:
    """A probe map indexed by gene id: columns gene, chrom, chromStart, chromEnd, strand."""
    columns = ["gene", "chrom", "chromStart", "chromEnd", "strand"]
    rows = table[columns].rename_axis("id").to_csv(sep="\t", lineterminator="\n")
    header, _, others = rows.partition("\n")
    first = "\t".join([ROW_MARK, MARK, "chr1", "1", "1", "+"])
    return f"{header}\n{first}\n{others}".encode()


def _packed(text: bytes) -> bytes:
    return gzip.compress(text, compresslevel=1, mtime=0)
