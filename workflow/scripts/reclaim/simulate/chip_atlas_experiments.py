"""Experiments of ChIP-Atlas, SIMULATED: which there are, and the peaks of each.

Some experiments are there to be left out: treated cells, failed ones, other cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd

from reclaim.claim_tests import antigens_of
from reclaim.config import World
from reclaim.dataset import ChipAtlasDataset
from reclaim.decisions import Specific
from reclaim.errors import UserError
from reclaim.region_dataset import THRESHOLDS
from reclaim.simulate.binding import RegionClaim, peaks_dataset, simulated_binding, simulated_regions
from reclaim.simulate.genome import CHROMOSOMES
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


@dataclass(frozen=True)
class Drawn:
    """What the experiments of a study hold.

    `counts`: peaks of every listed experiment; `peaks`: those of all that a data set may choose (chrom, start, width,
    q), in genomic order; `bound`: which regions the good ones bind.
    """

    counts: dict[Listed, int]
    peaks: dict[Listed, pd.DataFrame]
    bound: dict[Listed, np.ndarray]


def simulated_experiments(
    study: Study, world: World, genes: Sequence[str], generator: np.random.Generator
) -> Drawn:
    """Peaks of all experiments that the study's data sets may ask for. Same generator state, same peaks."""
    datasets = chip_atlas_datasets(study)
    listed = list(dict.fromkeys(one for dataset in datasets for one in _listed(study, dataset)))
    regions = simulated_regions(genes, generator)
    antigens = sorted({one.antigen for one in listed})
    bound = {
        cell: simulated_binding(tests, world, antigens, genes, regions, generator)
        for cell, tests in _claimed_of_cells(study).items()
    }
    drawn = Drawn({}, {}, {})
    for one in listed:
        if one.kind == "elsewhere":
            drawn.counts[one] = int(generator.integers(2_000, 40_000))
            continue
        kept = bound[one.cell][one.antigen].copy()
        if one.kind == "good":
            drawn.bound[one] = kept
        if one.kind == "failed":
            kept &= generator.random(len(regions)) < 0.05
        least = 0 if one.kind == "failed" else max(dataset.min_peaks for dataset in datasets)
        peaks = _peaks(regions[kept], max(OWN_PEAKS, int(1.1 * least) - int(kept.sum())), generator)
        drawn.counts[one], drawn.peaks[one] = len(peaks), peaks
    return drawn


def best_experiments(study: Study, dataset: ChipAtlasDataset) -> list[Listed]:
    """Those that the data set chooses, by antigen: untreated, in the first step of cells; there is one of each antigen."""
    cell = _cells(dataset)[0]
    good = [one for one in _listed(study, dataset) if one.kind == "good" and one.cell == cell]
    return sorted(good, key=lambda one: one.antigen)


def called_peaks(peaks: pd.DataFrame, dataset: ChipAtlasDataset) -> pd.DataFrame:
    """Those below the q-value of the data set."""
    called: pd.DataFrame = peaks[peaks["q"] > -np.log10(THRESHOLDS[dataset.threshold])]
    return called


def chip_atlas_datasets(study: Study) -> list[ChipAtlasDataset]:
    """Those of the study that are of ChIP-Atlas."""
    return [one for one in study.datasets.values() if isinstance(one, ChipAtlasDataset)]


def _cells(dataset: ChipAtlasDataset) -> list[str]:
    """A kind of cells of each step."""
    return [_example(step.matches, step.name, "cells") for step in dataset.cells]


def _listed(study: Study, dataset: ChipAtlasDataset) -> Iterator[Listed]:
    """Of every antigen an experiment in each step of cells, and in the first one also what must be left out."""
    asked = dataset.antigens or [*_named(study), *(f"SIMTF{number:02d}" for number in range(1, FACTORS + 1))]
    cell_class = dataset.cell_class or "Blood"
    cells = _cells(dataset)
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
            for cell in _cells(dataset):
                known = found.setdefault(cell, [])
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
