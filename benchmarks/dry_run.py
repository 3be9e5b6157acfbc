"""How long `snakemake -n` takes beside an empty Snakefile's dry run, alternating in one run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
ROUNDS = 11


def seconds(folder: Path, snakefile: Path) -> float:
    """Wall time of one dry run."""
    snakemake = Path(sys.executable).with_name("snakemake")
    start = time.perf_counter()
    subprocess.run(
        [snakemake, "--snakefile", snakefile, "--dry-run", "--quiet"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Print both medians and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Snakefile").write_text("")
        times = [
            (seconds(folder, folder / "Snakefile"), seconds(folder, ROOT / "Snakefile"))
            for _ in range(ROUNDS)
        ]
    empty, ours = (median(column) for column in zip(*times, strict=True))
    print(
        f"dry run, median of {ROUNDS}: empty Snakefile {empty:.2f} s, reclaim {ours:.2f} s, ratio {ours / empty:.2f}"
    )


if __name__ == "__main__":
    main()
