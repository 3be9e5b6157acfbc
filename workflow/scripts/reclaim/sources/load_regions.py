"""From stored peak files to canonical tables, with a ledger of everything dropped on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from reclaim.dataset import ChipAtlasDataset, FileDataset, RegionDataset
from reclaim.errors import AbsentData, UserError
from reclaim.experiments import Choice
from reclaim.ledger import Ledger
from reclaim.reference import BLACKLIST, CHROMOSOMES
from reclaim.regions import (
    REGIONS,
    SCORES,
    Binding,
    as_regions,
    in_order,
    no_rows,
    overlaps_any,
)
from reclaim.retrieve.receipt import Receipt
from reclaim.sources.bed import read_bed
from reclaim.sources.chip_atlas_tables import ScoreTable, read_colocalisation, read_target_genes
from reclaim.sources.genome_annotation import read_blacklist, read_chromosome_sizes
from reclaim.sources.peak_files import read_peaks

BLACKLISTED = "regions in the blacklist of regions that gather reads in every experiment"
NO_FILE = "chosen experiments whose peaks ChIP-Atlas does not have"
OTHER_GENOME = "chosen experiments whose peaks all lie on unknown chromosomes"


def load_regions(
    dataset: RegionDataset, receipt: Receipt, store: Path, genome: Mapping[str, Path], choice: Choice | None
) -> tuple[Binding, Ledger]:
    """Peaks of every experiment outside the blacklist, validated, and the ledger.

    `genome` are the files of the references CHROMOSOMES and BLACKLIST; `choice` the experiments that were chosen, for
    ChIP-Atlas. Data that their service does not have give empty tables and a ledger with status `absent`.
    """
    dropped: Counter[str] = Counter()
    try:
        if receipt.status == "absent":
            raise AbsentData(receipt.reason)
        sizes = read_chromosome_sizes(genome[CHROMOSOMES])
        blacklist = read_blacklist(genome[BLACKLIST], sizes, Counter())
        paths = receipt.open(store)
        if isinstance(dataset, FileDataset):
            binding = _local(dataset, paths["data"], sizes, blacklist, dropped)
        else:
            assert choice is not None
            binding = _chip_atlas(dataset, paths, choice, sizes, blacklist, dropped)
    except AbsentData as reason:
        return Binding.empty(), Ledger(status="absent", reason=str(reason), simulated=receipt.simulated)
    counts = {name: count for name, count in sorted(dropped.items()) if count}
    return binding.validated(), Ledger(status="present", simulated=receipt.simulated, dropped=counts)


def _chip_atlas(
    dataset: ChipAtlasDataset,
    paths: Mapping[str, Path],
    choice: Choice,
    sizes: Mapping[str, int],
    blacklist: pd.DataFrame,
    dropped: Counter[str],
) -> Binding:
    there, found, last = [], [], "ChIP-Atlas has no peaks of any chosen experiment"
    for one in choice.chosen:
        if one.experiment not in paths:
            dropped[NO_FILE] += 1
            continue
        try:
            peaks = read_peaks(paths[one.experiment], sizes, dropped)
        except AbsentData as reason:
            dropped[OTHER_GENOME] += 1
            last = str(reason)
            continue
        there.append(one)
        found.append(as_regions(_allowed(peaks, blacklist, dropped), one.experiment))
    if not there:
        raise AbsentData(last)
    experiments = pd.DataFrame(
        {
            "experiment": [one.experiment for one in there],
            "antigen": [one.antigen for one in there],
            "cell": [one.cell for one in there],
            "cells": [one.cells for one in there],
            "system": [one.system for one in there],
            "peaks": [len(regions) for regions in found],
        }
    )
    tables = [("colo", name, read_colocalisation) for name in dataset.colocalization_tables]
    tables += [("targets", name, read_target_genes) for name in dataset.target_tables]
    scores = [
        _scores(kind, name, read(paths[f"{kind}_{name}"], dropped))
        for kind, name, read in tables
        if f"{kind}_{name}" in paths
    ]
    return Binding(_together(found), experiments, pd.concat([no_rows(SCORES), *scores], ignore_index=True))


def _local(
    dataset: FileDataset, path: Path, sizes: Mapping[str, int], blacklist: pd.DataFrame, dropped: Counter[str]
) -> Binding:
    """A file of one antigen, or a BED file whose column 4 names the antigen of each region."""
    if dataset.antigen is None:
        regions = as_regions(_allowed(_named(path, sizes, dropped), blacklist, dropped))
    else:
        regions = as_regions(_allowed(read_peaks(path, sizes, dropped), blacklist, dropped), dataset.antigen)
    counts = regions["experiment"].value_counts(sort=False)
    names = sorted(map(str, counts.index))
    if not names:
        raise AbsentData(f"{path}: no region that can be used")
    experiments = pd.DataFrame(
        {
            "experiment": names,
            "antigen": names,
            "cell": dataset.cell or "",
            "cells": "",
            "system": dataset.tier.system,
            "peaks": counts.reindex(names).to_numpy(np.int64),
        }
    )
    return Binding(regions, experiments, no_rows(SCORES))


def _named(path: Path, sizes: Mapping[str, int], dropped: Counter[str]) -> pd.DataFrame:
    """Regions of a BED file with the name of their antigen as `experiment`."""
    bed = read_bed(path, 4, 5)
    if 0 < bed.width < 4:
        raise UserError(
            f"{path}: {bed.width} columns; column 4 would name the antigen of each region: add it, or say in the study "
            "file what was bound (antigen: FOS)"
        )
    named = bed.text(4).remove_unused_categories()  # a file without regions names none
    return in_order(bed.place.assign(experiment=named, score=bed.numbers(5)), str(path), sizes, dropped)


def _allowed(regions: pd.DataFrame, blacklist: pd.DataFrame, dropped: Counter[str]) -> pd.DataFrame:
    kept = regions[~overlaps_any(regions, blacklist)]
    dropped[BLACKLISTED] += len(regions) - len(kept)
    return kept


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The regions of all experiments, one after the other; all know the same chromosomes."""
    experiments = union_categoricals([part["experiment"] for part in parts])
    table = pd.concat([part.drop(columns="experiment") for part in parts], ignore_index=True)
    return table.assign(experiment=experiments)[list(REGIONS.columns)]


def _scores(kind: str, antigen: str, table: ScoreTable) -> pd.DataFrame:
    """What is above 0 in a table of ChIP-Atlas, one row per pair, in the table's order."""
    values = table.scores.to_numpy()
    rows, columns = np.nonzero(values > 0)
    return pd.DataFrame(
        {
            "table": kind,
            "antigen": antigen,
            "experiment": table.scores.columns.get_level_values("experiment").to_numpy(object)[columns],
            "row": table.scores.index.get_level_values(0).to_numpy(object)[rows],
            "score": values[rows, columns],
        }
    )
