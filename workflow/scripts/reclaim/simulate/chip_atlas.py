"""ChIP-Atlas' files, SIMULATED: its list of experiments with the traps that the real one holds, peaks, and its own tables."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from reclaim.claim_tests import PeakColocalization
from reclaim.config import World
from reclaim.dataset import ChipAtlasDataset
from reclaim.simulate.binding import planted_log_odds
from reclaim.simulate.chip_atlas_experiments import (
    Listed,
    called_peaks,
    chip_atlas_datasets,
    simulated_experiments,
)
from reclaim.simulate.genome import BEYOND_REAL
from reclaim.sources.requests import CHIP_ATLAS_LIST, requests_for, requests_for_peaks
from reclaim.study import Study


def chip_atlas_files(
    study: Study, world: World, genes: Sequence[str], generator: np.random.Generator
) -> tuple[dict[str, bytes], dict[str, object]]:
    """URL -> content of the list and of all peak files that data sets may choose, and what was planted."""
    datasets = chip_atlas_datasets(study)
    drawn = simulated_experiments(study, world, genes, generator)
    files: dict[str, bytes] = {}
    for one, peaks in drawn.peaks.items():
        for dataset in datasets:
            (request,) = requests_for_peaks(dataset, [one.accession])
            text = _narrow_peak(called_peaks(peaks, dataset), one.accession, dataset.threshold)
            if crc32(one.accession.encode()) % 4:
                files[str(request.url)] = text
            else:  # ChIP-Atlas packs its files as it goes
                files[request.alternatives[0]] = gzip.compress(text, mtime=0)
    files[CHIP_ATLAS_LIST] = _list(drawn.counts, {one.genome for one in datasets}, generator)
    for dataset in datasets:
        files |= _tables(dataset, drawn.bound, genes, generator)
    planted = {
        f"{test.query} {test.partner}": planted_log_odds(test, world)
        for _, test in study.tests()
        if isinstance(test, PeakColocalization)
    }
    return files, {"experiments": len(drawn.counts), "log_odds_ratios": planted}


def _narrow_peak(peaks: pd.DataFrame, accession: str, threshold: str) -> bytes:
    """Ten columns, scores uncapped; the traps: a repeated peak, one on a chromosome that is not there, one in the
    blacklist, one without length."""
    lines = [
        f"{chrom}\t{start}\t{start + width}\tSIMULATED_{accession}.{threshold}_peak_{number}\t{int(10 * q)}\t.\t"
        f"{2 + q / 10:.5f}\t{q + 4:.5f}\t{q:.5f}\t{width // 2}"
        for number, (chrom, start, width, q) in enumerate(peaks.itertuples(index=False), start=1)
    ]
    tail = "\t60\t.\t2.50000\t10.00000\t6.00000\t10"
    lines += [
        lines[0],
        f"chrUn_KI270742v1\t10\t400\tSIMULATED_{accession}_a{tail}",
        f"chr1\t{BEYOND_REAL + 100}\t{BEYOND_REAL + 500}\tSIMULATED_{accession}_b{tail}",
        f"chr2\t5000\t5000\tSIMULATED_{accession}_c{tail}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _tables(
    dataset: ChipAtlasDataset,
    good: Mapping[Listed, np.ndarray],
    genes: Sequence[str],
    generator: np.random.Generator,
) -> dict[str, bytes]:
    """ChIP-Atlas' own tables. It lacks those of some antigens, and so do these."""
    files = {}
    for request in requests_for(dataset, Path()):
        kind, antigen = request.name.split("_", 1)
        own = [one for one in good if one.antigen == antigen]
        if own and crc32(antigen.encode()) % 3:
            table = _colo(own, good, generator) if kind == "colo" else _targets(own, good, genes, generator)
            files[str(request.url)] = table
    return files


def _colo(own: Sequence[Listed], good: Mapping[Listed, np.ndarray], generator: np.random.Generator) -> bytes:
    """Partners x experiments: products of the strength of two groups of peaks, 10 for an experiment with itself."""
    rows = []
    for partner, bound in good.items():
        scores = []
        for one in own:
            shared = (bound & good[one]).sum() / max(1, (bound | good[one]).sum())
            scores.append(10 if one is partner else (0, 1, 2, 3, 4, 6, 9)[min(6, int(10 * shared))])
        others = [score for score in scores if score < 10]
        average = sum(others) / len(others) if others else 0.0
        names = (partner.accession, partner.cell, partner.antigen)
        rows.append((average, int(generator.integers(0, 1000)), names, scores))
    head = ["Experiment", "Cell_subclass", "Protein", f"{own[0].antigen}|Average"]
    head += [f"{one.accession}|{one.cell} SIMULATED" for one in own] + ["STRING"]
    lines = [head]
    for average, string, names, scores in sorted(rows, key=lambda row: row[:2], reverse=True):
        lines.append([*names, f"{average:.6f}", *map(str, scores), str(string)])
    return "".join("\t".join(line).replace(" ", "_") + "\n" for line in lines).encode()


def _targets(
    own: Sequence[Listed],
    good: Mapping[Listed, np.ndarray],
    genes: Sequence[str],
    generator: np.random.Generator,
) -> bytes:
    """Genes x experiments: the highest score of a peak near the start, 0 for none; STRING's genes come last."""
    head = ["Target_genes", f"{own[0].antigen}|Average"]
    lines = [[*head, *(f"{one.accession}|{one.cell} SIMULATED" for one in own), "STRING"]]
    for number, gene in enumerate(genes):
        scores = [int(good[one][number]) * int(generator.integers(50, 2000)) for one in own]
        if any(scores):
            lines.append([gene, f"{np.mean(scores):.6f}", *map(str, scores), "0"])
    lines.append(["SIMULATED_STRING_ONLY", "0", *("0" for _ in own), "900"])
    return "".join("\t".join(line).replace(" ", "_") + "\n" for line in lines).encode()


def _list(
    counts: Mapping[Listed, int],
    genomes: set[str],
    generator: np.random.Generator,
) -> bytes:
    """experimentList.tab: ragged, not all of it UTF-8, entities in texts, one line per assembly."""
    lines: list[bytes] = []
    for number, (one, peaks) in enumerate(counts.items()):
        statistics = f"{generator.integers(10_000_000, 60_000_000)},95.1,12.3,{peaks}"
        if one.kind == "elsewhere":
            statistics = "NA"
        title = f"GSM{9_000_000 + number}: SIMULATED {one.antigen} in cells; Homo sapiens; ChIP-Seq"
        metadata = [f"antibody={one.antigen}", "source_name=SIMULATED"]
        if one.kind == "treated":
            metadata.append(f"treatment={one.words}")
        description = "Tissue=Blood|Note=made up &amp; not real" if number % 2 else "NA"
        # Ragged: a line has as many pairs as its submitter gave.
        pairs = metadata if one.kind == "treated" else metadata[: 1 + number % len(metadata)]
        about = [one.antigen_class, one.antigen, one.cell_class, one.cell, description, statistics, title]
        for genome in sorted({*genomes, "hg19"}):
            lines.append("\t".join([one.accession, genome, *about, *pairs]).encode())
    lines.append(b"SRX1\thg38\tcut off")
    lines.append(b"SRX2\thg38\tInput control\tInput control\tBlood\tK-562\tNA\t-\tna\xefve bytes")
    return b"\n".join(lines) + b"\n"
