"""A human genome, SIMULATED: chromosomes, genes in GENCODE's format, and a blacklist."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import numpy as np
import pandas as pd

CHROMOSOMES = [*(f"chr{number}" for number in range(1, 23)), "chrX"]
LENGTH = 250_000_000
"""Of every chromosome: longer than any real one, so that a user's own regions lie on them."""
BEYOND_REAL = 249_500_000
"""Here no real chromosome reaches: a simulated blacklist must not take a user's own regions away."""
DISTAL = 12_000
"""Regulatory regions far from genes."""
SPACING = 150_000
"""Bases from one simulated gene to the next: too far to share surroundings, as genes do that a study names."""
FIRST_GENE = 90_000_000
"""Simulated Ensembl numbers start here, far above real ones."""


def chromosome_sizes() -> bytes:
    """Two columns, as bedtools' `.genome` files; the last name says what they are."""
    lines = [f"{name}\t{LENGTH}" for name in CHROMOSOMES] + ["chrUn_SIMULATED\t1000"]
    return ("\n".join(lines) + "\n").encode()


def blacklist_gz() -> bytes:
    """One region per chromosome, as the ENCODE blacklist."""
    lines = [
        f"{name}\t{BEYOND_REAL}\t{BEYOND_REAL + 20_000}\tHigh Signal Region SIMULATED" for name in CHROMOSOMES
    ]
    return gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)


def gene_sites(genes: Sequence[str]) -> pd.DataFrame:
    """Where the genes lie: symbol, chrom, start (0-based), end, strand. Neighbours in the list are neighbours."""
    number = np.arange(len(genes))
    per_chromosome = -(-len(genes) // len(CHROMOSOMES))
    start = 1_000_000 + SPACING * (number % per_chromosome)
    return pd.DataFrame(
        {
            "symbol": list(genes),
            "chrom": [CHROMOSOMES[i] for i in number // per_chromosome],
            "start": start,
            "end": start + 8_000,
            "strand": np.where(number % 2, "-", "+"),
        }
    )


def distal_sites() -> pd.DataFrame:
    """Where regulatory regions lie that are far from all genes: chrom, middle."""
    number = np.arange(DISTAL)
    chromosomes = np.array(CHROMOSOMES)[number % len(CHROMOSOMES)]
    return pd.DataFrame({"chrom": chromosomes, "middle": 150_000_000 + 5_000 * number})


def transcription_starts(genes: Sequence[str]) -> pd.DataFrame:
    """Where the genes begin: chrom, middle."""
    sites = gene_sites(genes)
    start = np.where(sites["strand"] == "+", sites["start"], sites["end"] - 1)
    return pd.DataFrame({"chrom": sites["chrom"], "middle": start})


def candidate_elements(genes: Sequence[str]) -> bytes:
    """ENCODE's candidate cis-regulatory elements: a promoter per gene, and the distal regions."""
    parts = [(transcription_starts(genes), "PLS,CTCF-bound"), (distal_sites(), "dELS")]
    lines: list[str] = []
    for sites, kind in parts:
        for chrom, middle in sites.itertuples(index=False):
            number = 9_000_000 + len(lines)
            ids = f"EH38D{number}_SIMULATED\tEH38E{number}"
            lines.append(f"{chrom}\t{middle - 150}\t{middle + 150}\t{ids}\t{kind}")
    return ("\n".join(lines) + "\n").encode()


def gencode_gtf_gz(genes: Sequence[str]) -> bytes:
    """GENCODE's basic annotation: a gene, its transcript and an exon each."""
    lines = ["##description: evidence-based annotation of the human genome, SIMULATED", "##format: gtf"]
    for number, site in enumerate(gene_sites(genes).itertuples()):
        ids = f'gene_id "ENSG{FIRST_GENE + number:011d}.1"; '
        named = f'gene_type "protein_coding"; gene_name "{site.symbol}";'
        transcript = f'transcript_id "ENST{FIRST_GENE + number:011d}.1"; '
        place = f"{site.start + 1}\t{site.end}\t.\t{site.strand}\t."  # type: ignore[operator]
        for feature, text in (
            ("gene", ids + named),
            ("transcript", ids + transcript + named),
            ("exon", ids + transcript + named),
        ):
            lines.append(f"{site.chrom}\tHAVANA\t{feature}\t{place}\t{text}")
    return gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)
