"""ChIP-Atlas, SIMULATED: its list of experiments with the traps that the real one holds, and peaks.

Some experiments are there to be left out: treated cells, failed ones, other cells, other assemblies.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from reclaim.claim_tests import PeakColocalization, antigens_of
from reclaim.config import World
from reclaim.dataset import ChipAtlasDataset
from reclaim.decisions import Specific
from reclaim.errors import UserError
from reclaim.region_dataset import THRESHOLDS
from reclaim.simulate.binding import (
    RegionClaim,
    peaks_dataset,
    planted_log_odds,
    simulated_binding,
    simulated_regions,
)
from reclaim.simulate.genome import BEYOND_REAL, CHROMOSOMES
from reclaim.sources.requests import CHIP_ATLAS_LIST, requests_for, requests_for_peaks
from reclaim.study import Study

FACTORS = 30
"""Other factors of a data set that asks for all antigens."""
OWN_PEAKS = 60
"""Of each experiment, where nothing else is bound."""
FIRST_SRX = 90_000_000


@dataclass(frozen=True)
class Listed:
    """One experiment of the list; `kind` is good, treated, failed or elsewhere (other cells, nothing to do with it)."""

    antigen: str
    cell: str
    cell_class: str
    antigen_class: str
    kind: str
    words: str = ""

    @property
    def accession(self) -> str:
        """The same for the same experiment, whichever data set asks for it."""
        return f"SRX{FIRST_SRX + crc32(f'{self.antigen} {self.cell} {self.kind} {self.words}'.encode()) % 9_000_000}"


def chip_atlas_files(
    study: Study, world: World, genes: Sequence[str], generator: np.random.Generator
) -> tuple[dict[str, bytes], dict[str, object]]:
    """URL -> content of the list and of all peak files that data sets may choose, and what was planted."""
    datasets = [one for one in study.datasets.values() if isinstance(one, ChipAtlasDataset)]
    listed = list(dict.fromkeys(one for dataset in datasets for one in _listed(study, dataset)))
    regions = simulated_regions(genes, generator)
    antigens = sorted({one.antigen for one in listed})
    bound = {
        cell: simulated_binding(tests, world, antigens, genes, regions, generator)
        for cell, tests in _claimed_of_cells(study).items()
    }
    files: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    good: dict[Listed, np.ndarray] = {}
    for one in listed:
        if one.kind == "elsewhere":
            counts[one.accession] = int(generator.integers(2_000, 40_000))
            continue
        kept = bound[one.cell][one.antigen].copy()
        if one.kind == "good":
            good[one] = kept
        if one.kind == "failed":
            kept &= generator.random(len(regions)) < 0.05
        least = 0 if one.kind == "failed" else max(dataset.min_peaks for dataset in datasets)
        peaks = _peaks(regions[kept], max(OWN_PEAKS, int(1.1 * least) - int(kept.sum())), generator)
        counts[one.accession] = len(peaks)
        for dataset in datasets:
            (request,) = requests_for_peaks(dataset, [one.accession])
            text = _narrow_peak(peaks, one.accession, dataset.threshold)
            if crc32(one.accession.encode()) % 4:
                files[str(request.url)] = text
            else:  # ChIP-Atlas packs its files as it goes
                files[request.alternatives[0]] = gzip.compress(text, mtime=0)
    files[CHIP_ATLAS_LIST] = _list(listed, counts, {one.genome for one in datasets}, generator)
    for dataset in datasets:
        files |= _tables(dataset, good, genes, generator)
    planted = {
        f"{test.query} {test.partner}": planted_log_odds(test, world)
        for _, test in study.tests()
        if isinstance(test, PeakColocalization)
    }
    return files, {"experiments": len(listed), "log_odds_ratios": planted}


def _listed(study: Study, dataset: ChipAtlasDataset) -> Iterator[Listed]:
    """Of every antigen an experiment in each step of cells, and in the first one also what must be left out."""
    asked = dataset.antigens or [*_named(study), *(f"SIMTF{number:02d}" for number in range(1, FACTORS + 1))]
    cell_class = dataset.cell_class or "Blood"
    cells = [_example(step.matches, step.name, "cells") for step in dataset.cells]
    treatments = [_example(pattern, pattern, "exclude") for pattern in dataset.exclude]
    for antigen in asked:
        few = antigen.startswith("SIMTF")
        for cell in cells[: 1 if few else None]:
            yield Listed(antigen, cell, cell_class, dataset.antigen_class, "good")
        if few:
            continue
        for words in treatments[:2]:
            yield Listed(antigen, cells[0], cell_class, dataset.antigen_class, "treated", words)
        if dataset.min_peaks:
            yield Listed(antigen, cells[0], cell_class, dataset.antigen_class, "failed")
        yield Listed(antigen, "SIMULATED other cells", "Liver", dataset.antigen_class, "elsewhere")
    yield Listed("H3K27ac", cells[0], cell_class, "Histone", "elsewhere")


def _claimed_of_cells(study: Study) -> dict[str, list[RegionClaim]]:
    """Kind of cells -> tests on data sets in which it occurs; primary ones first."""
    found: dict[str, list[RegionClaim]] = {}
    tests = [test for _, test in study.tests() if isinstance(test, RegionClaim)]
    for name, dataset in study.datasets.items():
        if isinstance(dataset, ChipAtlasDataset):
            own = [test for test in tests if name in peaks_dataset(test)]
            for step in dataset.cells:
                known = found.setdefault(_example(step.matches, step.name, "cells"), [])
                known += [test for test in own if test not in known]
    return {cell: sorted(tests, key=lambda one: one.role != "primary") for cell, tests in found.items()}


def _named(study: Study) -> list[str]:
    """Antigens of the study's tests, and of families beside them."""
    found: list[str] = []
    for claim, test in study.tests():
        found += antigens_of(test)
        if isinstance(claim.decision, Specific):
            found += claim.decision.family
    return list(dict.fromkeys(found))


def _example(pattern: str, name: str, key: str) -> str:
    """A text that a regular expression finds: the name given to it, or the words between its bars."""
    plain = [re.sub(r"\\b|[\\?^$()]", "", part) for part in pattern.split("|")]
    for text in (name, *plain):
        if re.search(pattern, text, re.IGNORECASE) and not re.search(r"[\\|*+\[\]]", text):
            return text
    raise UserError(
        f"datasets: {key}: the simulator finds no text that /{pattern}/ matches; write it as words between bars "
        "(JQ1|dTAG), or run on public data"
    )


def _peaks(regions: pd.DataFrame, others: int, generator: np.random.Generator) -> pd.DataFrame:
    """Peaks in the regions, and `others` of this experiment alone; columns of narrowPeak that differ between peaks."""
    width = generator.integers(150, 450, len(regions) + others)
    chromosome = np.array(CHROMOSOMES)[generator.integers(0, len(CHROMOSOMES), others)]
    chrom = np.concatenate([regions["chrom"], chromosome])
    middle = np.concatenate(
        [
            regions["middle"] + generator.integers(-40, 41, len(regions)),
            generator.integers(210_000_000, 240_000_000, others),
        ]
    )
    strength = np.concatenate([regions["openness"], generator.normal(-2, 0.5, others)])
    q = np.round(np.exp(generator.normal(3 + 0.4 * strength, 0.4)) + 5, 5)
    table = pd.DataFrame({"chrom": chrom, "start": middle - width // 2, "width": width, "q": q})
    return table.sort_values(["chrom", "start"], ignore_index=True)


def _narrow_peak(peaks: pd.DataFrame, accession: str, threshold: str) -> bytes:
    """Ten columns, scores uncapped; the traps: a repeated peak, one on a chromosome that is not there, one in the
    blacklist, one without length."""
    kept = peaks[peaks["q"] > -np.log10(THRESHOLDS[threshold])]
    lines = [
        f"{chrom}\t{start}\t{start + width}\tSIMULATED_{accession}.{threshold}_peak_{number}\t{int(10 * q)}\t.\t"
        f"{2 + q / 10:.5f}\t{q + 4:.5f}\t{q:.5f}\t{width // 2}"
        for number, (chrom, start, width, q) in enumerate(kept.itertuples(index=False), start=1)
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
    listed: Sequence[Listed],
    counts: Mapping[str, int],
    genomes: set[str],
    generator: np.random.Generator,
) -> bytes:
    """experimentList.tab: ragged, not all of it UTF-8, entities in texts, one line per assembly."""
    lines: list[bytes] = []
    for number, one in enumerate(listed):
        statistics = f"{generator.integers(10_000_000, 60_000_000)},95.1,12.3,{counts[one.accession]}"
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
