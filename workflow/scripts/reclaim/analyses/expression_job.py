"""The rim that scripts of expression analyses share: read data, run the tests, write the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from reclaim.analyses.testing import run_each
from reclaim.dataset import Dataset, ExpressionKeys
from reclaim.evidence import Estimate, Setting, rows_to_table, write_tsv
from reclaim.job import job, logger, write_json, write_whole
from reclaim.ledger import Ledger

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class Inputs:
    """What a test of expression may look at, besides itself."""

    data: anndata.AnnData
    dataset: Dataset
    name: str
    sets: Mapping[str, list[str]]
    """Own gene sets of the study, and those it takes from libraries, by the study's name."""
    rankings: Mapping[str, pd.DataFrame]
    """Full results of other tests, by `test/dataset`."""
    seed: int

    @property
    def source_column(self) -> str | None:
        return self.dataset.source_column if isinstance(self.dataset, ExpressionKeys) else None


Analyse = Callable[[Any, Inputs], tuple[list[Estimate], pd.DataFrame]]
Draw = Callable[[Any, Inputs], list[dict[str, Any]]]


def run_expression_job(
    snakemake: Any,
    analyse: Analyse,
    genes_of: Callable[[Any], list[str]],
    draw: Draw | None = None,
) -> None:
    """Everything between the `snakemake` object of a rule and its output files.

    `analyse` gives one estimate per stratum and the table of everything comparable, which says in its
    `attrs` by which `method` it was made and what its effects are (`effect_name`). `draw` gives the curves of a
    figure, where the rule has them among its outputs.
    """
    from anndata import read_h5ad

    from reclaim.gene_sets import study_sets

    with job(snakemake.log[0]):
        parameters, inputs = snakemake.params, snakemake.input
        ledgers = {
            name: Ledger.model_validate_json(Path(path).read_bytes())
            for name, path in zip(parameters.datasets, inputs.ledgers, strict=True)
        }
        data = {name: read_h5ad(path) for name, path in zip(parameters.datasets, inputs.data, strict=True)}
        rankings = {
            key: pd.read_parquet(path) for key, path in zip(parameters.rankings, inputs.rankings, strict=True)
        }
        libraries = dict(zip(parameters.libraries, map(Path, inputs.libraries), strict=True))
        sets = study_sets(parameters.slice["gene_sets"], libraries, Path(parameters.store))

        curves: dict[str, list[dict[str, Any]]] = {}

        def run(
            test: Any, name: str, dataset: Dataset, setting: Setting
        ) -> tuple[list[Estimate], pd.DataFrame]:
            logger.info("%s on %s", test.id, name)
            seed = parameters.slice["seed"]
            looked_at = Inputs(data[name], dataset, name, sets, rankings, seed)
            found, table = analyse(test, looked_at)
            if draw:
                curves[f"{test.id}/{name}"] = draw(test, looked_at)
            columns = {str(key): table[key] for key in table.columns}
            return found, setting.table(table.attrs["method"], table.attrs["effect_name"], columns)

        rows, tables = run_each(
            parameters.slice,
            snakemake.wildcards.run,
            ledgers,
            lambda name: set(data[name].var_names),
            genes_of,
            run,
        )
        for key, path in zip(parameters.results, snakemake.output.results, strict=True):
            write_whole(path, tables[key].to_parquet)
        if draw:
            for key, path in zip(parameters.results, snakemake.output.curves, strict=True):
                write_json(path, curves.get(key, []))
        write_whole(snakemake.output.evidence, lambda path: write_tsv(rows_to_table(rows), path))
