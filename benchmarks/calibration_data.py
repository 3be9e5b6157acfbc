"""Simulated data in memory, as the loaders would give them from the simulated store."""

from __future__ import annotations

from collections.abc import Collection
from zlib import crc32

import anndata
import numpy as np
import pandas as pd

from reclaim.claim_tests import DifferentialExpression
from reclaim.config import World
from reclaim.dataset import CbioportalDataset, Dataset, GeoDataset, XenaDataset
from reclaim.expression import derive_columns, select_samples
from reclaim.mutations import Cohort, one_tumour_per_patient
from reclaim.simulate import expression as simulated
from reclaim.simulate.cohort import simulate_cohort
from reclaim.simulate.effects import NUISANCE_SPREAD
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
