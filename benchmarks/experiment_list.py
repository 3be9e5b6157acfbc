"""Time and peak memory of indexing ChIP-Atlas' list of experiments, and of reading from the index, beside a loop of
`line.split` over the same file.

The list has as many lines as the real one and about as wide: two genomes per experiment, a cell description for a third
of them, six pieces of metadata, single entities and bytes that are not UTF-8. `--small` is a try with a fiftieth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fresh_process import measure

ROOT = Path(__file__).parents[1]
LINES, SEED, ROUNDS = 850_000, 1, 2
GENOMES = ("hg38", "hg19", "mm10", "mm9", "rn6", "dm6", "dm3", "ce11", "ce10", "sacCer3")
CLASSES = ("TFs and others", "Histone", "Input control", "ATAC-Seq")
DESCRIPTION = "Primary Tissue=Blood|Tissue Diagnosis=Leukemia Chronic Myelogenous &amp; others"


def main() -> None:
    """Print the file's size; for each program the fastest round, its ratio to the loop, and the largest peak."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true", help="a fiftieth of the lines")
    arguments.add_argument("--run", nargs=2, metavar=("PROGRAM", "FOLDER"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.run:
        sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
        PROGRAMS[given.run[0]](Path(given.run[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = LINES // 50 if given.small else LINES
        size = write_list(folder / "experimentList.tab", lines)
        commands = {program: [sys.executable, __file__, "--run", program, name] for program in PROGRAMS}
        rounds = [{program: measure(command) for program, command in commands.items()} for _ in range(ROUNDS)]
        index = (folder / "experiments.parquet").stat().st_size
    print(f"{lines:,} lines, {size / 1e6:.0f} MB of text; index {index / 1e6:.0f} MB")
    fastest = {
        program: min((one[program] for one in rounds), key=lambda run: run.seconds) for program in commands
    }
    for program, run in fastest.items():
        peak = max(one[program].peak for one in rounds)
        print(
            f"{program:<22} {run.seconds:5.1f} s  ratio {run.seconds / fastest['loop of line.split'].seconds:.2f}  "
            f"processor time {run.processor:5.1f} s  peak {peak:.2f} GB"
        )


def write_list(path: Path, lines: int) -> int:
    """Write the list and return its bytes."""
    generator = np.random.default_rng(SEED)
    drawn = zip(
        generator.integers(len(GENOMES) // 2, size=lines),
        generator.integers(len(CLASSES), size=lines),
        generator.zipf(1.4, lines) % 1700,
        generator.integers(900, size=lines),
        generator.integers(10**6, 10**8, lines),
        generator.integers(10**5, size=lines),
        strict=True,
    )
    with path.open("wb") as file:
        for number, (pair, antigen_class, antigen, cell, reads, peaks) in enumerate(drawn):
            genome = GENOMES[2 * pair + number % 2]
            description = DESCRIPTION if cell % 3 == 0 else "NA"
            statistics = (
                f"{reads},{90 + reads % 100 / 10:.1f},{reads % 400 / 10:.1f},{peaks}" if peaks % 100 else "NA"
            )
            text = (
                f"SRX{1_000_000 + number // 2}\t{genome}\t{CLASSES[antigen_class]}\tAG{antigen}\tClass {cell % 20}\t"
                f"Cell {cell}\t{description}\t{statistics}\tGSM{number}: ChIP-seq AG{antigen} rep{number % 3}; ChIP-Seq\t"
                f"source_name=line {cell}\tcell line=C{cell}\tantibody=vendor, {antigen}\ttreatment=none\tage={cell}\tbatch={peaks}\n"
            )
            if number % 5_000 == 0:
                file.write(text.replace("none", "5 \u00b5M").encode("latin-1"))
            else:
                file.write(text.encode())
    return path.stat().st_size


def loop(folder: Path) -> None:
    """What a reader would have to do at least: cells of every line of one genome, in Python."""
    with (folder / "experimentList.tab").open(encoding="utf-8", errors="replace") as file:
        kept = [cells for cells in (line.rstrip("\n").split("\t") for line in file) if cells[1] == "hg38"]
    assert kept


def index(folder: Path) -> None:
    """The whole list."""
    from reclaim.sources.experiment_list import index_experiments

    indexed = index_experiments(folder / "experimentList.tab", folder / "experiments.parquet")
    assert indexed.rows


def one_genome(folder: Path) -> None:
    """Every experiment of one genome, from the index."""
    from reclaim.sources.experiment_list import read_experiments

    assert len(read_experiments(folder / "experiments.parquet", "hg38"))


def few_antigens(folder: Path) -> None:
    """What a study asks for, from the index."""
    from reclaim.sources.experiment_list import read_experiments

    assert len(read_experiments(folder / "experiments.parquet", "hg38", "TFs and others", ["AG1", "AG7"]))


PROGRAMS: dict[str, Callable[[Path], None]] = {
    "loop of line.split": loop,
    "index": index,
    "one genome of the index": one_genome,
    "two antigens of it": few_antigens,
}

if __name__ == "__main__":
    main()
