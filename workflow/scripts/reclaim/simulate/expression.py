"""Simulated expression data sets: counts, log intensities and TPM in their services' wire formats."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from reclaim.claim_tests import Coexpression, EventShare, Survival
from reclaim.config import World
from reclaim.dataset import ExpressionDataset, GdcDataset, GeoDataset, XenaDataset
from reclaim.expression import PATIENT, derive_columns
from reclaim.expression_dataset import SupplementaryTable
from reclaim.retrieve.store import store_path
from reclaim.simulate.design import (
    COVARIATE,
    Sampled,
    derived_columns,
    describe_design,
    drawn_covariates,
    kind_of_design,
    purity_columns,
    simulated_samples,
    strata_of,
)
from reclaim.simulate.effects import (
    NUISANCE_SPREAD,
    named_genes,
    planted,
    shifts,
    tested_genes,
)
from reclaim.simulate.gdc import files_answer, star_counts_tsv
from reclaim.simulate.geo import (
    count_table_gz,
    count_workbook,
    ncbi_annotation_gz,
    ncbi_counts_gz,
    platform_annotation_gz,
    series_matrix_gz,
)
from reclaim.simulate.hgnc import FIRST_ID
from reclaim.simulate.outcomes import Outcomes, endpoint_of
from reclaim.simulate.pairs import couple
from reclaim.simulate.probes import array_of, probe_values
from reclaim.simulate.variation import MARKERS, variation
from reclaim.simulate.xena import clinical_matrix, matrix_gz, phenotype_gz, probemap, with_old_names
from reclaim.sources.gdc import data_url
from reclaim.sources.requests import requests_for
from reclaim.study import Study

BACKGROUND_GENES = 2000
GENE_SPREAD, NOISE = 2.0, {"lines": 0.12, "stratum": 0.7, "cohort": 0.7}
"""Standard deviation of log2 means over genes, and of a gene over samples of lines and of tissues."""
DISPERSION = 0.03
NAMED_LEVEL, NAMED_SPREAD = 8.0, 0.7
"""log2 mean of tested genes, which are well measured, and its standard deviation over them."""
PURITY = (0.3, 0.95)
"""Tumour purity is uniform between these."""


@dataclass(frozen=True)
class SimulatedExpression:
    """log2 expected expression, samples x genes, with the sample table."""

    samples: pd.DataFrame
    genes: list[str]
    log2_mean: np.ndarray


def all_genes(study: Study) -> list[str]:
    """Tested genes first, then markers of scores, then as many that no test is about."""
    background = (f"SIMG{number:04d}" for number in range(BACKGROUND_GENES))
    return list(dict.fromkeys([*named_genes(study), *MARKERS, *background]))


def simulate_expression(
    study: Study,
    names: Sequence[str],
    world: World,
    generator: np.random.Generator,
    nuisance_spread: float = NUISANCE_SPREAD,
) -> tuple[SimulatedExpression, dict[str, Any]]:
    """The samples and genes of one source, for all data sets `names` that are parts of it, and what was
    planted. Same generator state, same data. `nuisance_spread`: how much the nuisance of confounded varies within an
    arm, as a multiple of what lies between the arms."""
    datasets = [study.datasets[name] for name in names]
    tests = [
        test
        for _, test in study.tests()
        if isinstance(test, get_args(Sampled)) and set(names) & set(test.datasets)
    ]
    samples = simulated_samples(datasets, tests)
    for column in drawn_covariates(datasets, tests):
        if column in study.gene_sets:
            continue  # a score of genes
        samples[column] = [f"{value:.1f}" for value in generator.uniform(*COVARIATE, len(samples))]
    for column in purity_columns(datasets):
        samples[column] = [f"{purity:.3f}" for purity in generator.uniform(*PURITY, len(samples))]
    genes = all_genes(study)
    effects = planted(study, names, world, genes)
    strata = next(filter(None, map(strata_of, tests)), None)
    level = generator.normal(6, GENE_SPREAD, len(genes))
    tested = np.isin(genes, tested_genes(study))
    level[tested] = generator.normal(NAMED_LEVEL, NAMED_SPREAD, tested.sum())
    pairs = [test for test in tests if isinstance(test, Coexpression)]
    # It is one nuisance: where pairs are tested, the share of a cell type is what varies within the arms.
    spread = 0.0 if pairs else nuisance_spread
    moved = shifts(derived_columns(datasets), samples, genes, effects, strata, world, generator, spread)
    varied = variation(len(samples), genes, generator)
    couple(varied, genes, pairs, study, world, generator)
    log2_mean = level + moved + NOISE[kind_of_design(datasets, tests)] * varied
    table = derive_columns(samples, derived_columns(datasets))
    for column, values in (
        _outcomes(study, names, tests).columns(table, log2_mean, genes, world, generator).items()
    ):
        samples[column] = values
    return SimulatedExpression(samples, genes, log2_mean), {
        "design": describe_design(samples),
        "effects": [
            {
                "genes": list(one.genes)[:10],
                "case": one.contrast.model_dump(mode="json")["case"],
                "log2_fold_change": one.effect,
            }
            for one in effects
        ],
    }


def _outcomes(study: Study, names: Sequence[str], tests: Sequence[Sampled]) -> Outcomes:
    found = []
    for test in tests:
        if isinstance(test, Survival | EventShare):
            own = [endpoint_of(test, study.datasets[name]) for name in names if name in test.datasets]
            found += [(test, endpoint) for endpoint in own if endpoint is not None]
    return Outcomes(study, found)


def counts(expression: SimulatedExpression, generator: np.random.Generator) -> np.ndarray:
    """Negative-binomial reads, samples x genes, with libraries of different size."""
    depth = generator.uniform(0.7, 1.4, (len(expression.samples), 1))
    mean = depth * 2.0**expression.log2_mean
    return generator.negative_binomial(1 / DISPERSION, 1 / (1 + DISPERSION * mean))


def write_expression(
    expression: SimulatedExpression,
    dataset: ExpressionDataset,
    store: Path,
    generator: np.random.Generator,
) -> list[str]:
    """Write the data set where its URLs point, and return the URLs."""
    ids = ensembl_ids(expression.genes)
    if isinstance(dataset, XenaDataset):
        files = _xena(expression, dataset, ids, generator)
    elif isinstance(dataset, GdcDataset):
        files = _gdc(expression, dataset, ids, generator)
    elif isinstance(dataset, GeoDataset):
        files = _geo(expression, dataset, ids, generator)
    else:
        return []  # the user's own files
    for url, content in files.items():
        path = store / store_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(files)


def _urls(dataset: ExpressionDataset) -> dict[str, str]:
    return {one.name: one.url for one in requests_for(dataset, Path()) if one.url}


def ensembl_ids(genes: Sequence[str]) -> list[str]:
    """As the simulated symbol table has them."""
    return [f"ENSG{FIRST_ID + number:011d}" for number in range(len(genes))]


def _xena(
    expression: SimulatedExpression, dataset: XenaDataset, ids: Sequence[str], generator: np.random.Generator
) -> dict[str, bytes]:
    values = normalised(counts(expression, generator), dataset.values).T
    names = [f"{one}.{1 + number % 9}" for number, one in enumerate(ids)]
    urls, files = _urls(dataset), {}
    if dataset.features == "symbol":
        values, names = with_old_names(values, expression.genes, generator)
    else:
        probes = pd.DataFrame({"gene": expression.genes}, index=names)
        probes = probes.assign(chrom="chr1", chromStart=1, chromEnd=1000, strand="+")
        files[urls["probe_map"]] = probemap(probes)
    files[urls["matrix"]] = matrix_gz(values, names, list(expression.samples.index), dataset.values)
    table = expression.samples.drop(columns=[PATIENT])
    packed = dataset.sample_table.endswith(".gz")  # the forms of Toil's table and of the TCGA hub's
    files[urls["sample_table"]] = (
        phenotype_gz(table) if packed else clinical_matrix(table, list(expression.samples[PATIENT]))
    )
    return files


def normalised(reads: np.ndarray, values: str) -> np.ndarray:
    """Reads, samples x genes, as the matrix holds them before the logarithm."""
    if values == "log2_tpm_plus_0.001":
        reads = 1e6 * reads / reads.sum(axis=1, keepdims=True)
    elif values == "log2_normalised_count_plus_1":
        reads = 1000 * reads / np.quantile(reads, 0.75, axis=1, keepdims=True)
    return reads


def _gdc(
    expression: SimulatedExpression, dataset: GdcDataset, ids: Sequence[str], generator: np.random.Generator
) -> dict[str, bytes]:
    reads = counts(expression, generator)
    names = expression.samples.index
    files = pd.DataFrame(
        {
            "file_id": [f"00000000-0000-4000-8000-{number:012d}" for number in range(len(names))],
            "aliquot": [f"{name}A-11R-SIM{number:03d}-07" for number, name in enumerate(names)],
            "sample": [f"{name}A" for name in names],
            "patient": expression.samples[PATIENT].to_numpy(),
            "sample_type": list(expression.samples.get("sample_type", ["Primary Tumor"] * len(names))),
            "preservation": "",
        }
    )
    versioned = [f"{one}.{1 + number % 9}" for number, one in enumerate(ids)]
    found = {_urls(dataset)["files"]: files_answer(files)}
    for file_id, row in zip(files["file_id"], reads, strict=True):
        found[data_url(file_id)] = star_counts_tsv(row, versioned, expression.genes)
    return found


def _geo(
    expression: SimulatedExpression, dataset: GeoDataset, ids: Sequence[str], generator: np.random.Generator
) -> dict[str, bytes]:
    urls = _urls(dataset)
    reads = pd.DataFrame(
        counts(expression, generator).T, index=expression.genes, columns=expression.samples.index
    )
    if dataset.expression == "supplementary":
        return {
            urls[table.file]: _supplementary(table, reads, dataset, ids) for table in dataset.supplementary
        }
    accessions = [f"GSM{90_000_000 + number}" for number in range(reads.shape[1])]
    samples = expression.samples.set_axis(accessions)
    platform = dataset.annotation or dataset.platform or samples.get("platform", "GPL0")
    samples = samples.assign(source_name="SIMULATED", organism="Homo sapiens", platform=platform)
    if "title" not in samples:
        samples["title"] = [f"SIMULATED sample {number}" for number in range(1, len(samples) + 1)]
    reads.columns = pd.Index(accessions)
    if dataset.expression == "series_matrix":
        files, values = {}, reads.map(lambda n: float(np.log2(1 + n)))
        if dataset.annotation:
            array = array_of(expression.genes)
            values = probe_values(array, values, generator)
            files[urls["annotation"]] = platform_annotation_gz(dataset.annotation, array)
        return {urls["series_matrix"]: series_matrix_gz(dataset.series, samples, values), **files}
    genes = pd.DataFrame(
        {"GeneID": [str(FIRST_ID + number) for number in range(len(ids))], "Symbol": expression.genes}
    )
    return {
        urls["series_matrix"]: series_matrix_gz(dataset.series, samples, None),
        urls["counts"]: ncbi_counts_gz(reads.set_axis(pd.Index(genes["GeneID"]))),
        urls["annotation"]: ncbi_annotation_gz(genes),
    }


def _supplementary(
    table: SupplementaryTable, reads: pd.DataFrame, dataset: GeoDataset, ids: Sequence[str]
) -> bytes:
    columns = table.columns_of
    own = reads[list(columns)].set_axis(pd.Index(list(columns.values())), axis=1)
    if dataset.features == "ensembl":
        own.index = pd.Index(ids)
    if table.file.endswith(".xlsx"):
        undeclared = own.rename(columns=lambda column: f"SIMULATED.R_{column}")
        return count_workbook(own, table.feature, undeclared)
    content = count_table_gz(own, table.feature)
    return content if table.file.endswith(".gz") else gzip.decompress(content)
