"""The rim that scripts of analyses of regions share: read tables, run the tests, write the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reclaim.analyses.testing import run_each
from reclaim.dataset import Dataset
from reclaim.evidence import Estimate, Setting, rows_to_table, write_tsv
from reclaim.job import job, logger, write_whole
from reclaim.ledger import Ledger
from reclaim.regions import PARTS, Binding
from reclaim.retrieve.receipt import Receipt


@dataclass(frozen=True)
class Inputs:
    """What a test of regions may look at, besides itself."""

    binding: Binding
    dataset: Dataset
    name: str
    genome: Mapping[str, pd.DataFrame]
    """Transcription start sites and candidate elements, as far as the study needs them."""
    seed: int


Analyse = Callable[[Any, Inputs], tuple[list[Estimate], pd.DataFrame]]
LoadGenome = Callable[[Mapping[str, Receipt], Path], Mapping[str, pd.DataFrame]]
"""Receipts by name, and the store -> tables by name."""


def run_region_job(snakemake: Any, analyse: Analyse, load_genome: LoadGenome) -> None:
    """Everything between the `snakemake` object of a rule and its output files. `analyse` gives one estimate per
    stratum and the table of everything comparable, with `method` and `effect_name` in its `attrs`."""
    with job(snakemake.log[0]):
        parameters, inputs = snakemake.params, snakemake.input
        ledgers = {
            name: Ledger.model_validate_json(Path(path).read_bytes())
            for name, path in zip(parameters.datasets, inputs.ledgers, strict=True)
        }
        files = iter(inputs.data)  # the parts of each data set in turn
        bindings = {
            name: Binding(*(pd.read_parquet(next(files)) for _ in PARTS)) for name in parameters.datasets
        }
        receipts = {
            name: Receipt.model_validate_json(Path(path).read_bytes())
            for name, path in zip(parameters.genome, inputs.genome, strict=True)
        }
        genome = load_genome(receipts, Path(parameters.store))

        def run(
            test: Any, name: str, dataset: Dataset, setting: Setting
        ) -> tuple[list[Estimate], pd.DataFrame]:
            logger.info("%s on %s", test.id, name)
            looked_at = Inputs(bindings[name], dataset, name, genome, parameters.slice["seed"])
            found, table = analyse(test, looked_at)
            columns = {str(key): table[key] for key in table.columns}
            return found, setting.table(table.attrs["method"], table.attrs["effect_name"], columns)

        rows, tables = run_each(
            parameters.slice, snakemake.wildcards.run, ledgers, lambda name: set(), lambda test: [], run
        )
        for key, path in zip(parameters.results, snakemake.output.results, strict=True):
            write_whole(path, tables[key].to_parquet)
        write_whole(snakemake.output.evidence, lambda path: write_tsv(rows_to_table(rows), path))
