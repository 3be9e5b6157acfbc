"""Co-localisation of one query with thousands of peak sets: time and memory of each step; then beside bedtools
and pyranges on some of the same peaks as sorted BED files, alternating in one run.

The peers only count the query's peaks that overlap, set by set; reclaim makes regions, presence and adjusted
odds ratios of the same files. All three read them from disk. `--small` takes a tenth of the experiments."""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from reclaim.colocalization import circular_shift_p, colocalization
from reclaim.intervals import Intervals, overlap_pairs
from reclaim.region_universe import merge_regions, occupancy_matrix, top_peaks

EXPERIMENTS, PEAKS = 5_000, 30_000
CHROMOSOMES, SITES, SPACING_BP = 24, 12_500, 10_000
"""300,000 sites where peaks may lie, on a grid."""
TOP = 20_000
FILES = 100
ROUNDS = 3
PARTNERS = (1, 2, 3)

T = TypeVar("T")


def peak_sets(experiments: int, seed: int) -> tuple[Intervals, np.ndarray]:
    """Peaks sorted within each experiment, of 200 to 600 bp. Some sites are far busier than others."""
    generator = np.random.default_rng(seed)
    site = generator.permutation(CHROMOSOMES * SITES).astype(np.int32)  # from the busiest to the rarest
    n = experiments * PEAKS
    chromosome, start, end = (np.empty(n, kind) for kind in (np.int16, np.int32, np.int32))
    for i in range(0, n, PEAKS):
        own = np.sort(site[(len(site) * generator.random(PEAKS) ** 2).astype(np.int64)])
        part = slice(i, i + PEAKS)
        chromosome[part], place = np.divmod(own, SITES)
        start[part] = place * SPACING_BP + generator.integers(100, size=PEAKS)
        end[part] = start[part] + generator.integers(200, 600, PEAKS)
    return Intervals(chromosome, start, end), np.repeat(np.arange(experiments, dtype=np.int16), PEAKS)


def seconds(task: Callable[[], T]) -> tuple[float, T]:
    """Wall time and result."""
    start = time.perf_counter()
    result = task()
    return time.perf_counter() - start, result


def peak() -> float:
    """Largest memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def write_bed(peaks: Intervals, path: Path) -> Path:
    """As `sort -k1,1 -k2,2n` has it: codes with two digits sort as numbers and as text."""
    table = pd.DataFrame({"chromosome": peaks.chromosome, "start": peaks.start, "end": peaks.end})
    table["chromosome"] = table["chromosome"].map("chr{:02d}".format)
    table.sort_values(["chromosome", "start", "end"]).to_csv(path, sep="\t", header=False, index=False)
    return path


def read_beds(paths: list[Path]) -> tuple[Intervals, np.ndarray]:
    """Peaks of all files, and the number of each peak's file."""
    tables = [
        pd.read_csv(path, sep="\t", header=None, dtype={0: "category", 1: np.int32, 2: np.int32})
        for path in paths
    ]
    names = pd.Index(sorted({name for table in tables for name in table[0].cat.categories}))
    chromosomes = [names.get_indexer(table[0].cat.categories)[table[0].cat.codes] for table in tables]
    peaks = Intervals(
        np.concatenate(chromosomes).astype(np.int16),
        np.concatenate([table[1].to_numpy() for table in tables]),
        np.concatenate([table[2].to_numpy() for table in tables]),
    )
    return peaks, np.repeat(np.arange(len(tables), dtype=np.int16), [len(table) for table in tables])


def by_reclaim(paths: list[Path]) -> pd.DataFrame:
    """From files to adjusted odds ratios; the first file is the query."""
    peaks, column = read_beds(paths)
    return colocalization(occupancy_matrix(merge_regions(peaks), peaks, column, len(paths)), 0)


def by_bedtools(paths: list[Path]) -> list[int]:
    """Peaks of the query that overlap each other file, one process per pair."""
    command = ["bedtools", "intersect", "-u", "-sorted", "-a", str(paths[0]), "-b"]
    outputs = (subprocess.run([*command, str(path)], capture_output=True, check=True) for path in paths[1:])
    return [output.stdout.count(b"\n") for output in outputs]


def by_pyranges(paths: list[Path]) -> list[int]:
    """The same with pyranges, one file after the other."""
    import pyranges

    query = pyranges.read_bed(str(paths[0]))
    counts = (query.count_overlaps(pyranges.read_bed(str(path))).NumberOverlaps for path in paths[1:])
    return [int((count > 0).sum()) for count in counts]


def full_size(peaks: Intervals, column: np.ndarray, experiments: int) -> None:
    """Each step on all experiments, once."""
    print(
        f"{experiments:,} experiments x {PEAKS:,} peaks; memory with the peaks loaded {peak():.2f} GB",
        flush=True,
    )
    merging, regions = seconds(lambda: merge_regions(peaks))
    presence, occupancy = seconds(lambda: occupancy_matrix(regions, peaks, column, experiments))
    overlap, table = seconds(lambda: colocalization(occupancy, 0))
    print(f"merge_regions: {merging:.1f} s, {len(regions):,} regions")
    print(f"occupancy_matrix: {presence:.1f} s, {occupancy.bits.nbytes / 1e6:.0f} MB")
    print(f"colocalization: {overlap:.1f} s, {len(table):,} partners")
    print(f"together: {merging + presence + overlap:.1f} s, peak memory {peak():.2f} GB")
    shifting, _ = seconds(lambda: circular_shift_p(occupancy, 0, PARTNERS, regions.chromosome, seed=0))
    print(f"circular_shift_p, {len(PARTNERS)} partners x 1,000 shifts: {shifting:.1f} s")
    score = np.random.default_rng(1).random(len(peaks), np.float32)
    choosing, best = seconds(lambda: top_peaks(peaks, column, score, TOP))
    print(
        f"top_peaks, {TOP:,} of each: {choosing:.1f} s, {best.kept.sum():,} peaks; with all scores {peak():.2f} GB",
        flush=True,
    )


def side_by_side(peaks: Intervals, column: np.ndarray, folder: Path) -> None:
    """Medians and ratios; stops when the counts differ."""
    sets = [peaks.take(np.flatnonzero(column == i)) for i in range(FILES + 1)]
    paths = [write_bed(own, folder / f"{i:03d}.bed") for i, own in enumerate(sets)]
    tasks: dict[str, Callable[[], object]] = {"reclaim": lambda: by_reclaim(paths)}
    if shutil.which("bedtools"):
        tasks["bedtools"] = lambda: by_bedtools(paths)
    else:
        print("bedtools is not installed and left out: apt-get install bedtools")
    tasks["pyranges"] = lambda: by_pyranges(paths)
    expected = [len(np.unique(overlap_pairs(sets[0], other)[0])) for other in sets[1:]]
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            taken, found = seconds(task)
            times[name].append(taken)
            if name != "reclaim" and found != expected:
                raise SystemExit(f"{name} counts other overlaps than overlap_pairs")
    print(f"a query and {FILES} files of {PEAKS:,} peaks, median of {ROUNDS}, all from disk:")
    ours, reading = (
        median(times["reclaim"]),
        median(seconds(lambda: read_beds(paths))[0] for _ in range(ROUNDS)),
    )
    print(f"  reclaim {ours:.2f} s (regions, presence, adjusted odds ratios), {reading:.2f} s of it to read")
    for name in [name for name in tasks if name != "reclaim"]:
        print(
            f"  {name} {median(times[name]):.2f} s (overlapping peaks only), ratio {median(times[name]) / ours:.1f}"
        )


def main() -> None:
    """The steps at full size, then the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the experiments")
    experiments = EXPERIMENTS // 10 if parser.parse_args().small else EXPERIMENTS
    peaks, column = peak_sets(experiments, seed=0)
    full_size(peaks, column, experiments)
    few = slice((FILES + 1) * PEAKS)
    with tempfile.TemporaryDirectory() as folder:
        side_by_side(
            Intervals(peaks.chromosome[few], peaks.start[few], peaks.end[few]), column[few], Path(folder)
        )


if __name__ == "__main__":
    main()
