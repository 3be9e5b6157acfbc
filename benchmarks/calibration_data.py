"""Simulated data in memory, as the loaders would give them from the simulated store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from zlib import crc32

import anndata
import numpy as np
import pandas as pd

from reclaim.claim_tests import DifferentialExpression
from reclaim.config import World
from reclaim.dataset import CbioportalDataset, ChipAtlasDataset, Dataset, GeoDataset, XenaDataset
from reclaim.expression import derive_columns, select_samples
from reclaim.mutations import Cohort, one_tumour_per_patient
from reclaim.reference import GENES
from reclaim.regions import SCORES, Binding, as_regions, in_order, no_rows
from reclaim.simulate import expression as simulated
from reclaim.simulate.chip_atlas_experiments import (
    Listed,
    best_experiments,
    called_peaks,
    simulated_experiments,
)
from reclaim.simulate.cohort import simulate_cohort
from reclaim.simulate.effects import NUISANCE_SPREAD
from reclaim.simulate.genome import FIRST_GENE, chromosome_sizes, gene_sites
from reclaim.simulate.internet import expression_sources, random_generator
from reclaim.simulate.truth import plant
from reclaim.sources.xena_matrix import VALUES
from reclaim.study import Study


def draw_expression(
    study: Study, names: Collection[str], world: World, seed: int, nuisance_spread: float = NUISANCE_SPREAD
) -> dict[str, anndata.AnnData]:
    """Canonical expression of those data sets `names` that hold any; the same values as in the simulated store."""
    found = {}
    for source in expression_sources(study).values():
        if set(source) & set(names):
            generator = random_generator(study, source[0], world, seed)
            drawn, _ = simulated.simulate_expression(study, source, world, generator, nuisance_spread)
            for name in source:
                if name in names:
                    generator = random_generator(study, f"{source[0]} values", world, seed)
                    found[name] = _canonical(drawn, study.datasets[name], generator)
    return found


def draw_cohorts(study: Study, names: Collection[str], world: World, seed: int) -> dict[str, Cohort]:
    """Cohorts of mutations, one tumour per patient, of those data sets `names` that are studies of cBioPortal;
    without copy number."""
    found = {}
    for name in names:
        dataset = study.datasets[name]
        if not isinstance(dataset, CbioportalDataset):
            continue
        columns = {**dataset.expect, **dataset.samples}
        generator = random_generator(study, name, world, seed)
        drawn = simulate_cohort(name, dataset, columns, plant(study, name, world), generator)
        table, maf = drawn.samples, drawn.mutations
        mutations = {
            "sample": maf["Tumor_Sample_Barcode"],
            "gene": maf["Hugo_Symbol"],
            "classification": maf["Variant_Classification"],
            "protein_change": maf["HGVSp_Short"].str.removeprefix("p."),
        }
        samples = {
            "sample": table["SAMPLE_ID"],
            "patient": table["PATIENT_ID"],
            "sequenced": table["SAMPLE_ID"].isin(drawn.sequenced),
            "copy_number": False,
        }
        whole = Cohort(
            pd.DataFrame(mutations),
            Cohort.empty().copy_number,
            pd.DataFrame(samples),
            table.set_index("SAMPLE_ID").rename_axis("sample"),
        )
        found[name] = one_tumour_per_patient(whole, dataset.samples)[0].validated()
    return found


def draw_bindings(study: Study, names: Collection[str], world: World, seed: int) -> dict[str, Binding]:
    """Peaks of those data sets `names` that are of ChIP-Atlas, of the experiments that each chooses; the same as in the
    simulated store."""
    asked = {name: one for name in names if isinstance(one := study.datasets[name], ChipAtlasDataset)}
    if not asked:
        return {}
    generator = random_generator(study, "chip_atlas", world, seed)
    peaks = simulated_experiments(study, world, simulated.all_genes(study), generator).peaks
    return {name: _binding(study, dataset, peaks) for name, dataset in asked.items()}


def draw_genome(study: Study) -> dict[str, pd.DataFrame]:
    """Where the genes start, by the name of the reference; as `read_tss` gives it."""
    sites = gene_sites(simulated.all_genes(study))
    forward = sites["strand"] == "+"
    numbers = [f"{FIRST_GENE + number:011d}" for number in range(len(sites))]
    starts = {
        "chrom": pd.Categorical(sites["chrom"], categories=sites["chrom"].unique()),
        "tss": sites["start"].where(forward, sites["end"] - 1),
        "strand": sites["strand"],
        "gene_id": [f"ENSG{number}" for number in numbers],
        "symbol": sites["symbol"],
        "biotype": "protein_coding",
        "transcript_id": [f"ENST{number}.1" for number in numbers],
    }
    return {GENES: pd.DataFrame(starts)}


def shuffle_labels(study: Study, name: str, data: anndata.AnnData, seed: int) -> bool:
    """Deal out anew, within strata, the columns that tell case from control. Whether all fell as they were."""
    tests = [
        test
        for _, test in study.tests()
        if isinstance(test, DifferentialExpression) and test.role == "primary" and name in test.datasets
    ]
    labels = sorted({column for test in tests for column in (*test.contrast.case, *test.contrast.control)})
    strata = next((test.strata for test in tests if test.strata), None)
    generator = np.random.default_rng([seed, crc32(f"shuffled {name}".encode())])
    order = np.arange(data.n_obs)
    parts = data.obs.groupby(strata).indices.values() if strata else [order.copy()]
    for part in parts:
        order[part] = generator.permutation(part)
    before = data.obs[labels].to_numpy(object)
    data.obs[labels] = before[order]
    return bool((before == before[order]).all())


def _canonical(
    drawn: simulated.SimulatedExpression, dataset: Dataset, generator: np.random.Generator
) -> anndata.AnnData:
    reads, samples = simulated.counts(drawn, generator), drawn.samples
    values, unit = reads, "counts"
    if isinstance(dataset, XenaDataset):
        unit = VALUES[dataset.values].unit
        if unit != "counts":
            values = np.log2(1 + simulated.normalised(reads, dataset.values)).astype(np.float32)
    elif isinstance(dataset, GeoDataset) and dataset.expression == "series_matrix":
        values, unit = np.log2(1 + reads), "log2_intensity"
    elif isinstance(dataset, GeoDataset) and dataset.expression == "supplementary":
        own = samples.index.isin([name for table in dataset.supplementary for name in table.columns_of])
        values, samples = reads[own], samples[own]
    data = anndata.AnnData(
        values,
        obs=derive_columns(samples, getattr(dataset, "derive", {})),
        var=pd.DataFrame({"locus_group": "protein-coding gene"}, index=pd.Index(drawn.genes)),
        uns={"unit": unit},
    )
    return select_samples(data, dataset.samples)[0].copy()


def _binding(study: Study, dataset: ChipAtlasDataset, peaks: Mapping[Listed, pd.DataFrame]) -> Binding:
    lengths = (line.split("\t") for line in chromosome_sizes().decode().splitlines())
    sizes = {chrom: int(length) for chrom, length in lengths}
    chosen = best_experiments(study, dataset)
    found = [_located(called_peaks(peaks[one], dataset), one.accession, sizes) for one in chosen]
    regions = pd.concat(found, ignore_index=True)
    order = [one.accession for one in chosen]
    experiments = pd.DataFrame(
        {
            "experiment": order,
            "antigen": [one.antigen for one in chosen],
            "cell": [one.cell for one in chosen],
            "cells": dataset.cells[0].name,
            "system": dataset.cells[0].system,
            "peaks": [len(table) for table in found],
        }
    )
    known = regions.assign(experiment=pd.Categorical(regions["experiment"], categories=order))
    return Binding(as_regions(known), experiments, no_rows(SCORES)).validated()


def _located(peaks: pd.DataFrame, accession: str, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Simulated peaks with the columns that narrowPeak has."""
    table = pd.DataFrame(
        {
            "chrom": peaks["chrom"],
            "start": peaks["start"],
            "end": peaks["start"] + peaks["width"],
            "score": (10 * peaks["q"]).astype(int),
            "q": peaks["q"],
            "summit": peaks["width"] // 2,
        }
    )
    return in_order(table, accession, sizes, Counter()).assign(experiment=accession)
