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

from reclaim.simulate.hgnc import SHARED_ALIAS, WITHDRAWN, alias, previous_symbol
from reclaim.sources.xena_matrix import VALUES

MARK = "SIMULATED"
ROW_MARK = "SIMULATED-by-reclaim"
"""Another name than the column's, or a sample would exist."""

WITHOUT_A_SYMBOL = 10
"""Rows of a matrix of symbols whose gene had none."""

WITHOUT_EXPRESSION = 3
"""Lines of a clinical matrix whose sample no expression matrix has."""


def matrix_gz(values: np.ndarray, names: Sequence[str], sample_ids: Sequence[str], unit: str) -> bytes:
    """A matrix of genes x samples: linear `values` (counts or TPM) as log2(value + offset), four decimals.

    `unit` is a key of `VALUES`.
    """
    offset = VALUES[unit].offset
    text = io.StringIO()
    text.write("\t".join(["sample", MARK, *sample_ids]) + "\n")
    for gene, row in zip(names, np.log2(np.asarray(values, float) + offset), strict=True):
        text.write("\t".join([gene, f"{np.log2(offset):.4f}", *(f"{value:.4f}" for value in row)]) + "\n")
    return _packed(text.getvalue().encode())


def with_old_names(
    values: np.ndarray, genes: Sequence[str], generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """Linear `values` of genes x samples and the names of their rows, as in a matrix of symbols of 2011 or so.

    The traps: the first gene and every tenth after it stands under its previous symbol, one in a hundred under an
    alias. Rows are added that are no symbol, could mean two genes, or were withdrawn, and one gene has a second,
    silent row under its alias.
    """
    names = [
        previous_symbol(number) if number % 10 == 0 else alias(number) if number % 100 == 5 else gene
        for number, gene in enumerate(genes)
    ]
    names += [f"{MARK}?|{number}" for number in range(1, WITHOUT_A_SYMBOL + 1)]
    names += [SHARED_ALIAS, WITHDRAWN, alias(1)]
    more = generator.poisson(2, (len(names) - len(values), values.shape[1]))
    more[-1] = 0
    return np.concatenate([values, more]), names


def clinical_matrix(table: pd.DataFrame, patients: Sequence[str]) -> bytes:
    """A clinical matrix of the TCGA hub: plain text, the sample as `sampleID`, its patient as `_PATIENT`.

    `table` is indexed by sample. A few lines are added, alike the first ones, of samples that have no expression.
    """
    table = table.assign(_PATIENT=list(patients))
    more = table.iloc[:WITHOUT_EXPRESSION].copy()
    more["_PATIENT"] = [f"TCGA-SIMX-{number:04d}" for number in range(len(more))]
    more.index = more["_PATIENT"] + "-01"
    return _with_mark(pd.concat([table, more]).rename_axis("sampleID"), [MARK] * table.shape[1])


def phenotype_gz(table: pd.DataFrame) -> bytes:
    """A sample table indexed by sample, Latin-1 as Toil's: the first row holds the letter Ê in every column."""
    text = _with_mark(table.rename_axis("sample"), [f"{MARK}\u00ca"] * table.shape[1])
    return _packed(text.decode().encode("latin-1"))


def probemap(table: pd.DataFrame) -> bytes:
    """A probe map indexed by gene id: columns gene, chrom, chromStart, chromEnd, strand."""
    columns = ["gene", "chrom", "chromStart", "chromEnd", "strand"]
    return _with_mark(table[columns].rename_axis("id"), [MARK, "chr1", "1", "1", "+"])


def _with_mark(table: pd.DataFrame, cells: Sequence[str]) -> bytes:
    """The table as text, with the row of the mark before all others."""
    header, _, rows = table.to_csv(sep="\t", lineterminator="\n", na_rep="").partition("\n")
    return "\n".join([header, "\t".join([ROW_MARK, *cells]), rows]).encode()


def _packed(text: bytes) -> bytes:
    return gzip.compress(text, compresslevel=1, mtime=0)
