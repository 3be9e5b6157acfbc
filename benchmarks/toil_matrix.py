"""Time and peak memory of reading a full-size Toil matrix, beside `gzip -dc` on the same file.

The file is a single gzip member like Xena's, 60,498 genes x 19,109 samples: a few hundred distinct rows of counts as
log2 text, repeated under new gene ids. About 1.2 GB packed and 8 GB of text; the real TPM matrix has 1.3 GB.
Needs 3.5 GB in the folder for temporary files and 6 GB of memory. `--small` is a try with a fiftieth of the genes.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from fresh_process import measure

if TYPE_CHECKING:
    from anndata import AnnData

ROOT = Path(__file__).parents[1]
GENES, SAMPLES, KEPT, DISTINCT = 60_498, 19_109, 7_500, 300
SEED, ROUNDS = 1, 2


def main() -> None:
    """Print the file's size; for each program the fastest round, its ratio to `gzip -dc`, and the largest peak."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true", help="a fiftieth of the genes")
    arguments.add_argument("--run", nargs=2, metavar=("PROGRAM", "FOLDER"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.run:
        sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
        PROGRAMS[given.run[0]](Path(given.run[1]))
        return
    genes = GENES // 50 if given.small else GENES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        text = write_matrix(folder / "matrix.gz", genes)
        packed = (folder / "matrix.gz").stat().st_size
        print(
            f"{genes:,} genes x {SAMPLES:,} samples: {packed / 1e9:.2f} GB packed, {text / 1e9:.2f} GB of text, "
            f"written in {time.perf_counter() - start:.0f} s; {KEPT:,} samples kept"
        )
        commands = {"gzip -dc": ["gzip", "-dc", str(folder / "matrix.gz")]}
        for program in PROGRAMS:
            commands[program] = [sys.executable, __file__, "--run", program, name]
        rounds = [{program: measure(command) for program, command in commands.items()} for _ in range(ROUNDS)]
    gunzip = min(one["gzip -dc"].seconds for one in rounds)
    for program in commands:
        fastest = min((one[program] for one in rounds), key=lambda run: run.seconds)
        peak = max(one[program].peak for one in rounds)
        print(
            f"{program:<20} {fastest.seconds:6.1f} s  ratio {fastest.seconds / gunzip:.2f}  "
            f"processor time {fastest.processor:5.1f} s  peak {peak:.2f} GB"
        )


def write_matrix(path: Path, genes: int) -> int:
    """Write the matrix and return the bytes of its text.

    Rows are compressed once and pasted into one deflate stream: after a full flush no byte refers to one before.
    """
    generator = np.random.default_rng(SEED)
    header = ("sample\t" + "\t".join(sample_names()) + "\n").encode()
    rows = [row.encode() for row in (row_text(generator) for _ in range(min(DISTINCT, genes)))]
    packed_rows = [deflated(row, level=6) for row in rows]
    checksum = zlib.crc32(header)
    size = len(header)
    with path.open("wb") as file:
        file.write(b"\x1f\x8b\x08" + bytes(6) + b"\xff" + deflated(header, level=6))
        for gene in range(genes):
            name = f"ENSG{gene:011d}.1".encode()
            row = rows[gene % len(rows)]
            checksum = zlib.crc32(row, zlib.crc32(name, checksum))
            size += len(name) + len(row)
            file.write(deflated(name, level=1) + packed_rows[gene % len(rows)])
        file.write(b"\x03\x00" + struct.pack("<II", checksum, size & 0xFFFFFFFF))  # last block, crc, length
    return size


def deflated(text: bytes, level: int) -> bytes:
    """A piece of a deflate stream that stands for itself."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH)


def row_text(generator: np.random.Generator) -> str:
    """log2(count + 1) of one gene, four decimals: six of ten genes are expressed, the others nearly not."""
    mean = 2 ** generator.normal(3 if generator.random() < 0.6 else -4, 4)
    counts = generator.poisson(mean * generator.gamma(1.5, 1 / 1.5, SAMPLES))
    return "\t" + "\t".join(f"{value:.4f}" for value in np.log2(counts + 1.0)) + "\n"


def sample_names() -> list[str]:
    """As many as the matrix has columns."""
    return [f"TCGA-XX-{number:04d}-01" for number in range(SAMPLES)]


def read(folder: Path, genes: list[str] | None = None) -> AnnData:
    """The canonical object, for a random share of the samples."""
    from reclaim.sources.xena import read_matrix

    kept = np.random.default_rng(SEED).permutation(sample_names())[:KEPT]
    return read_matrix(
        folder / "matrix.gz",
        pd.DataFrame(index=pd.Index(sorted(kept), dtype=object)),
        "log2_expected_count_plus_1",
        pd.DataFrame({"gene": pd.Series(dtype=str)}),
        Counter(),
        genes=genes,
    )


def write_h5ad(folder: Path) -> None:
    """Read, and write what the workflow keeps."""
    read(folder).write_h5ad(folder / "matrix.h5ad")
    (folder / "matrix.h5ad").unlink()


PROGRAMS: dict[str, Callable[[Path], object]] = {
    "to AnnData": read,
    "to h5ad": write_h5ad,
    "one gene to AnnData": lambda folder: read(folder, ["ENSG00000000007"]),
}

if __name__ == "__main__":
    main()
