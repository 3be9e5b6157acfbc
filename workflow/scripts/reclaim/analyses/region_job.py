"""The rim that scripts of analyses of regions share: read tables, run the tests, write the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from reclaim.analyses.testing import run_each
from reclaim.claim_tests import ClaimTest, DifferentialExpression, ResultOf
from reclaim.dataset import TIER_OF, Dataset, ExpressionKeys, Tier, TierName, kind_of
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate, Setting, rows_to_table, write_tsv
from reclaim.job import job, logger, write_whole
from reclaim.ledger import Ledger
from reclaim.regions import PARTS, Binding
from reclaim.retrieve.receipt import Receipt

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class Files:
    """What a job reads, by the name of the data set (or `test/dataset` of a ranking), and what is known of it."""

    datasets: Mapping[str, Dataset]
    ledgers: Mapping[str, Ledger]
    data: Mapping[str, list[str]]
    rankings: Mapping[str, str]
    ranked_by: Mapping[str, DifferentialExpression]
    """The tests whose results the rankings are, by their ids."""
    genome: Mapping[str, pd.DataFrame]
    """Transcription start sites and candidate elements, as far as the study needs them."""
    seed: int


@dataclass(frozen=True)
class Inputs:
    """What a test of regions may look at, besides itself. Files are read when they are first asked for."""

    test: ClaimTest
    name: str
    """The data set that the test runs on."""
    files: Files

    @property
    def genome(self) -> Mapping[str, pd.DataFrame]:
        return self.files.genome

    @property
    def seed(self) -> int:
        return self.files.seed

    @cached_property
    def binding(self) -> Binding:
        """Of the data set, or of that named under `with: {peaks: ...}`. Raises AbsentData when it is absent."""
        name = self._beside("peaks") or self.name
        return Binding(*(pd.read_parquet(path) for path in self._data(name)))

    @cached_property
    def expression(self) -> anndata.AnnData | None:
        """That named under `with: {expression: ...}`. Raises AbsentData when it is absent."""
        from anndata import read_h5ad

        name = self._beside("expression")
        return None if name is None else read_h5ad(self._data(name)[0])

    @cached_property
    def measured(self) -> anndata.AnnData:
        """The expression data set that the test runs on. Raises AbsentData when it is absent."""
        from anndata import read_h5ad

        return read_h5ad(self._data(self.name)[0])

    @property
    def source_column(self) -> str | None:
        """Of that data set: the column of projects or batches."""
        dataset = self.files.datasets[self.name]
        return dataset.source_column if isinstance(dataset, ExpressionKeys) else None

    @property
    def ranked_by(self) -> DifferentialExpression:
        """The test named under `with: {ranking: ...}`."""
        ranking = self.test.with_["ranking"]
        assert isinstance(ranking, ResultOf)
        return self.files.ranked_by[ranking.test]

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """Full results of that test, on the same data set."""
        return pd.read_parquet(self.files.rankings[f"{self.ranked_by.id}/{self.name}"])

    def tier(self, antigens: list[str]) -> TierName:
        """The worst of the data set, of the peaks beside it, and of the cells in which the antigens were seen."""
        tiers = [self.files.datasets[name].tier for name in (self.name, self._beside("peaks")) if name]
        return worst_tier(tiers, self.binding, antigens)

    def _beside(self, role: str) -> str | None:
        name = self.test.with_.get(role)
        return name if isinstance(name, str) else None

    def _data(self, name: str) -> list[str]:
        ledger = self.files.ledgers[name]
        if ledger.status == "absent":
            raise AbsentData(f"{name}: {ledger.reason}")
        return self.files.data[name]


def worst_tier(tiers: Sequence[Tier], binding: Binding, antigens: Sequence[str]) -> TierName:
    """The worst item of the tiers of data sets, and of the cells in which the antigens were seen."""
    experiments = binding.experiments
    seen = experiments.loc[experiments["antigen"].isin(antigens), "system"]
    items = [getattr(tier, item) for tier in tiers for item in Tier.model_fields] + list(seen)
    return TIER_OF[max(items, key=list(TIER_OF).index)]


Analyse = Callable[[Any, Inputs], tuple[list[Estimate], pd.DataFrame]]
LoadGenome = Callable[[Mapping[str, Receipt], Path], Mapping[str, pd.DataFrame]]
"""Receipts by name, and the store -> tables by name."""


def run_region_job(snakemake: Any, analyse: Analyse, load_genome: LoadGenome) -> None:
    """Everything between the `snakemake` object of a rule and its output files. `analyse` gives one estimate per
    stratum and the table of everything comparable, with `method` and `effect_name` in its `attrs`."""
    with job(snakemake.log[0]):
        parameters = snakemake.params
        files = _files(snakemake, load_genome)

        def run(
            test: Any, name: str, dataset: Dataset, setting: Setting
        ) -> tuple[list[Estimate], pd.DataFrame]:
            logger.info("%s on %s", test.id, name)
            found, table = analyse(test, Inputs(test, name, files))
            columns = {str(key): table[key] for key in table.columns}
            return found, setting.table(table.attrs["method"], table.attrs["effect_name"], columns)

        rows, tables = run_each(
            parameters.slice, snakemake.wildcards.run, files.ledgers, lambda name: set(), lambda test: [], run
        )
        for key, path in zip(parameters.results, snakemake.output.results, strict=True):
            write_whole(path, tables[key].to_parquet)
        write_whole(snakemake.output.evidence, lambda path: write_tsv(rows_to_table(rows), path))


def _files(snakemake: Any, load_genome: LoadGenome) -> Files:
    from pydantic import TypeAdapter

    parameters, inputs = snakemake.params, snakemake.input
    datasets: dict[str, Dataset] = {
        name: TypeAdapter(Dataset).validate_python(value)
        for name, value in parameters.slice["datasets"].items()
    }
    paths = iter(inputs.data)  # the files of each data set in turn
    data = {
        name: [next(paths) for _ in (PARTS if kind_of(datasets[name]) == "regions" else ("h5ad",))]
        for name in parameters.datasets
    }
    ledgers = {
        name: Ledger.model_validate_json(Path(path).read_bytes())
        for name, path in zip(parameters.datasets, inputs.ledgers, strict=True)
    }
    receipts = {
        name: Receipt.model_validate_json(Path(path).read_bytes())
        for name, path in zip(parameters.genome, inputs.genome, strict=True)
    }
    rankings = dict(zip(parameters.rankings, inputs.rankings, strict=True))
    ranked_by = {
        name: DifferentialExpression.model_validate(value)
        for name, value in parameters.slice["ranked_by"].items()
    }
    genome = load_genome(receipts, Path(parameters.store))
    return Files(datasets, ledgers, data, rankings, ranked_by, genome, parameters.slice["seed"])
