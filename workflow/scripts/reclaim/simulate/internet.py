"""All services of one study in one world, as a store in URL layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from reclaim.config import World
from reclaim.dataset import (
    CbioportalDataset,
    CbioportalExpressionDataset,
    ChipAtlasDataset,
    Dataset,
    DepmapDataset,
    GdcDataset,
    GeoDataset,
    XenaDataset,
)
from reclaim.errors import UserError
from reclaim.reference import ExperimentList, GenomeReference, SymbolReference
from reclaim.retrieve.store import store_path
from reclaim.simulate.cbioportal import write_study
from reclaim.simulate.cbioportal_expression import write_profiles
from reclaim.simulate.chip_atlas import chip_atlas_files
from reclaim.simulate.cohort import simulate_cohort
from reclaim.simulate.depmap import depmap_files
from reclaim.simulate.expression import (
    SimulatedExpression,
    all_genes,
    simulate_expression,
    write_expression,
)
from reclaim.simulate.further_tables import add_tables, moved_columns
from reclaim.simulate.gene_sets import gene_set_library
from reclaim.simulate.genome import blacklist_gz, candidate_elements, chromosome_sizes, gencode_gtf_gz
from reclaim.simulate.hgnc import hgnc_complete_set
from reclaim.simulate.truth import plant
from reclaim.sources.requests import requests_for
from reclaim.study import Study


def simulate_study(study: Study, world: World, seed: int, store: Path) -> dict[str, Any]:
    """Write every public data set of the study into `store`; returns what was planted.

    Local files (`source: file`) are the user's own and are not simulated.
    """
    manifest: dict[str, Any] = {
        "SIMULATED": True,
        "study": study.id,
        "world": world,
        "seed": seed,
        "datasets": {},
    }
    _refuse_two_archives(study)
    for name, dataset in study.datasets.items():
        if isinstance(dataset, CbioportalDataset):
            manifest["datasets"][name] = _mutations(study, name, dataset, world, seed, store)
    further: dict[str, pd.DataFrame] = {}
    for names in expression_sources(study).values():
        told = _expression(study, names, world, seed, store, further)
        manifest["datasets"] |= dict.fromkeys(names, told)
    for release, names in depmap_releases(study).items():
        drawn = random_generator(study, f"depmap {release}", world, seed)
        files, told = depmap_files(study, names, world, all_genes(study), drawn)
        for url, content in files.items():
            _write(store, url, content)
        told["urls"] = list(files)
        manifest["datasets"] |= dict.fromkeys(names, told)
    manifest["references"] = _references(study, seed, store)
    peaks = [name for name, one in study.datasets.items() if isinstance(one, ChipAtlasDataset)]
    if peaks:
        drawn = random_generator(study, "chip_atlas", world, seed)
        files, told = chip_atlas_files(study, world, all_genes(study), drawn)
        for url, content in files.items():
            _write(store, url, content)
        manifest["datasets"] |= {name: {"urls": len(files), **told} for name in peaks}
    return manifest


def expression_sources(study: Study) -> dict[str, list[str]]:
    """Expression data sets, those that are parts of one source together: they share samples and files."""
    found: dict[str, list[str]] = {}
    for name, dataset in study.datasets.items():
        if isinstance(dataset, GeoDataset):
            found.setdefault(dataset.series, []).append(name)
        elif isinstance(dataset, XenaDataset):
            found.setdefault(f"{dataset.hub}/{dataset.sample_table}", []).append(name)
        elif isinstance(dataset, GdcDataset):
            found.setdefault(dataset.project, []).append(name)
        elif isinstance(dataset, CbioportalExpressionDataset):
            found.setdefault(f"cbioportal/{dataset.study}", []).append(name)
    return found


def depmap_releases(study: Study) -> dict[str, list[str]]:
    """Data sets of each release of DepMap: they share their files."""
    found: dict[str, list[str]] = {}
    for name, dataset in study.datasets.items():
        if isinstance(dataset, DepmapDataset):
            found.setdefault(dataset.release, []).append(name)
    return found


def random_generator(study: Study, name: str, world: World, seed: int) -> np.random.Generator:
    """Random numbers of one part of a study (`name`: a data set, or the values of a source) in a world."""
    return np.random.default_rng([seed, crc32(world.encode()), crc32(f"{study.id}/{name}".encode())])


def _refuse_two_archives(study: Study) -> None:
    """Mutations and expression of one study of cBioPortal lie in one archive, which is made for either."""
    archives = {
        one.study: name
        for name, one in study.datasets.items()
        if isinstance(one, CbioportalDataset) and one.layout == "archive"
    }
    for name, one in study.datasets.items():
        if isinstance(one, CbioportalExpressionDataset) and one.study in archives:
            raise UserError(
                f"datasets: {archives[one.study]} and {name}: mutations and expression of the same study "
                f"{one.study} cannot be simulated; put their claims into two study files, or run on public data"
            )


def _mutations(
    study: Study, name: str, dataset: CbioportalDataset, world: World, seed: int, store: Path
) -> dict[str, Any]:
    truth = plant(study, name, world)
    asked = {
        column: wanted
        for _, test in study.tests()
        if name in test.datasets
        for column, wanted in test.samples.items()
    }
    columns = {**dataset.expect, **asked, **dataset.samples}
    cohort = simulate_cohort(name, dataset, columns, truth, random_generator(study, name, world, seed))
    return {
        "urls": write_study(cohort, dataset, world, store),
        "shares": {gene: shares.altered for gene, shares in truth.genes.items()},
        "odds_ratios": {f"{pair.first} {pair.second}": pair.odds_ratio for pair in truth.pairs},
        "low_content": truth.low_content,
    }


def _expression(
    study: Study,
    names: list[str],
    world: World,
    seed: int,
    store: Path,
    further: dict[str, pd.DataFrame],
) -> dict[str, Any]:
    """`further`: further sample tables that were written before, by URL."""
    expression, told = simulate_expression(
        study, names, world, random_generator(study, names[0], world, seed)
    )
    datasets = [study.datasets[name] for name in names]
    profiles = [one for one in datasets if isinstance(one, CbioportalExpressionDataset)]
    if profiles:
        drawn = random_generator(study, f"{names[0]} values", world, seed)
        return {"urls": [write_profiles(expression, profiles, store, drawn)], **told}
    files = _further_tables(expression, datasets, further)
    for url, content in files.items():
        _write(store, url, content)
    if files:
        moved = moved_columns([one for one in datasets if isinstance(one, XenaDataset)], expression.samples)
        expression = replace(expression, samples=expression.samples.drop(columns=moved))
    urls: dict[str, None] = {}
    for dataset in datasets:
        assert not isinstance(dataset, CbioportalDataset | ChipAtlasDataset)
        if isinstance(dataset, GeoDataset):
            dataset = _with_columns_of_all(dataset, datasets)
        drawn = random_generator(study, f"{names[0]} values", world, seed)
        urls |= dict.fromkeys(write_expression(expression, dataset, store, drawn))
    return {"urls": [*urls, *files], **told}


def _further_tables(
    expression: SimulatedExpression, datasets: Sequence[Dataset], written: dict[str, pd.DataFrame]
) -> Mapping[str, bytes]:
    files: dict[str, bytes] = {}
    for dataset in datasets:
        if isinstance(dataset, XenaDataset):
            files |= add_tables(written, expression.samples, dataset)
    return files


def _with_columns_of_all(dataset: GeoDataset, others: Sequence[Dataset]) -> GeoDataset:
    """The data set, with every column that any data set reads from its files: they are written once."""
    columns: dict[tuple[str, str | None], dict[str, str]] = {}
    for other in others:
        if isinstance(other, GeoDataset):
            for table in other.supplementary:
                columns.setdefault((table.file, table.sample), {}).update(table.columns_of)
    tables = [
        table.model_copy(update={"columns": columns[table.file, table.sample]})
        for table in dataset.supplementary
    ]
    return dataset.model_copy(update={"supplementary": tables})


def _references(study: Study, seed: int, store: Path) -> dict[str, Any]:
    """Symbol table and gene-set libraries, in which the study's sets have invented members."""
    told: dict[str, Any] = {}
    for name, reference in study.references().items():
        for request in requests_for(reference, Path()):
            if request.url is None:
                continue  # the user's own file
            if isinstance(reference, SymbolReference):
                content = hgnc_complete_set(all_genes(study))
            elif isinstance(reference, ExperimentList):
                continue  # made with the peaks that it lists
            elif isinstance(reference, GenomeReference):
                content = {
                    "chromosomes": chromosome_sizes,
                    "blacklist": blacklist_gz,
                    "genes": lambda: gencode_gtf_gz(all_genes(study)),
                    "elements": lambda: candidate_elements(all_genes(study)),
                }[reference.holds]()  # type: ignore[no-untyped-call]
            else:
                content = gene_set_library(study, name, np.random.default_rng([seed, crc32(name.encode())]))
            _write(store, request.url, content)
            told[name] = request.url
    return told


def _write(store: Path, url: str, content: bytes) -> None:
    path = store / store_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
