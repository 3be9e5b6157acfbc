"""GDC's wire formats, SIMULATED: the answer of the files endpoint, and tables of STAR counts.

The answer tells so in its `warnings`, first of all; a table in its line of the gene model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reclaim.sources.gdc import COLUMNS

GENE_MODEL = "GENCODE v36"
SUMMARY = ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")
HEADER = (
    "gene_id",
    "gene_name",
    "gene_type",
    "unstranded",
    "stranded_first",
    "stranded_second",
    "tpm_unstranded",
    "fpkm_unstranded",
    "fpkm_uq_unstranded",
)
GENE_LENGTH = 2000
"""Every gene's, in bases, for TPM and FPKM."""


def files_answer(table: pd.DataFrame) -> bytes:
    """What `sources.gdc.files_query_url` gets: a hit for every row, columns `sources.gdc.COLUMNS`."""
    hits = [
        _hit(dict(zip(COLUMNS, row, strict=True))) for row in table[list(COLUMNS)].itertuples(index=False)
    ]
    pagination = {
        "count": len(hits),
        "total": len(hits),
        "size": 20_000,
        "from": 0,
        "sort": "file_id:asc",
        "page": 1,
        "pages": 1,
    }
    answer = {
        "warnings": {"reclaim": "SIMULATED: no patient is behind these files"},
        "data": {"hits": hits, "pagination": pagination},
    }
    return (json.dumps(answer, indent=1) + "\n").encode()


def _hit(file: Mapping[str, str]) -> dict[str, object]:
    portions = [{"analytes": [{"aliquots": [{"submitter_id": file["aliquot"]}]}]}]
    sample = {
        "submitter_id": file["sample"],
        "sample_type": file["sample_type"],
        "preservation_method": file["preservation"] or None,
        "portions": portions,
    }
    return {
        "id": file["file_id"],
        "file_id": file["file_id"],
        "cases": [{"submitter_id": file["patient"], "samples": [sample]}],
    }


def star_counts_tsv(
    counts: Sequence[int] | np.ndarray,
    gene_ids: Sequence[str],
    symbols: Sequence[str],
    in_no_gene: Sequence[int] = (0, 0, 0, 0),
) -> bytes:
    """The table of one aliquot: whole `counts` per gene, and reads `in_no_gene` in the order of SUMMARY."""
    reads_of_genes = np.asarray(counts, np.int64)
    per_million = 1e6 / max(1, int(reads_of_genes.sum()))
    lines = [f"# gene-model: {GENE_MODEL} (SIMULATED by reclaim)", "\t".join(HEADER)]
    lines += [
        f"{name}\t\t\t{reads}\t{reads}\t{reads}\t\t\t"
        for name, reads in zip(SUMMARY, in_no_gene, strict=True)
    ]
    for gene, symbol, count in zip(gene_ids, symbols, reads_of_genes, strict=True):
        half = count // 2
        tpm = count * per_million
        fpkm = tpm * 1000 / GENE_LENGTH
        lines.append(
            f"{gene}\t{symbol}\tprotein_coding\t{count}\t{half}\t{count - half}\t{tpm:.4f}\t{fpkm:.4f}\t{fpkm:.4f}"
        )
    return ("\n".join(lines) + "\n").encode()
