"""Run the tests of one job on their cohorts: evidence rows, and full results per test and data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import TypeAdapter

from reclaim.claim_tests import ClaimTest, MutationTest
from reclaim.config import WORLDS
from reclaim.dataset import CbioportalDataset, Dataset, FileDataset
from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.evidence import DataKind, Estimate, EvidenceRow, Setting, rows_to_table
from reclaim.ledger import Ledger
from reclaim.marked_yaml import read_marked_yaml
from reclaim.mutations import Cohort
from reclaim.selection import select
from reclaim.study import test_path

Test = TypeVar("Test", bound=MutationTest)


@dataclass(frozen=True)
class LoadedCohort:
    """A cohort with the ledger of its loading."""

    cohort: Cohort
    ledger: Ledger


def run_tests(
    slice_: Mapping[str, Any],
    run: str,
    loaded: Mapping[str, LoadedCohort],
    estimate: Callable[[Test, Cohort, int], Estimate],
    every_feature: Callable[[Test, Cohort, int, Setting], pd.DataFrame],
    genes_of: Callable[[Test], list[str]],
) -> tuple[list[EvidenceRow], dict[str, pd.DataFrame]]:
    """Apply `estimate` and `every_feature` to each test and data set of a job's slice.

    Full results are keyed `test/dataset`. Raises UserError for a gene that no data set of the test
    knows: most likely a misspelt symbol.
    """
    datasets: dict[str, CbioportalDataset | FileDataset] = {
        name: TypeAdapter(Dataset).validate_python(value) for name, value in slice_["datasets"].items()
    }
    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}
    for entry in slice_["tests"]:
        test: Any = TypeAdapter(ClaimTest).validate_python(entry["test"])
        _check_genes(genes_of(test), test, datasets, loaded, Path(slice_["file"]))
        for name in test.datasets:
            dataset, ledger, cohort = datasets[name], loaded[name].ledger, loaded[name].cohort
            setting = Setting(
                run=run,
                study=slice_["study"],
                claim=entry["claim"],
                test=test.id,
                role=test.role,
                rule=entry["rule"],
                analysis=test.analysis,
                specification=test.specification or "",
                dataset=name,
                tier=dataset.tier.name,
                independent=dataset.independent,
                data=data_kind(dataset, run, ledger),
                expected=entry["expected"],
            )
            try:
                if ledger.status == "absent":
                    raise AbsentData(ledger.reason)
                cohort = restrict(cohort, test)
            except AbsentData as absent:
                found = Estimate("not run", "", "", flags=("absent",), note=str(absent), valid=False)
                tables[f"{test.id}/{name}"] = rows_to_table([])
            else:
                found = estimate(test, cohort, dataset.min_other_mutations)
                tables[f"{test.id}/{name}"] = every_feature(
                    test, cohort, dataset.min_other_mutations, setting
                )
            rows.append(setting.row(found))
    return rows, tables


def data_kind(dataset: CbioportalDataset | FileDataset, run: str, ledger: Ledger) -> DataKind:
    """simulated, public or local: what a row rests on. Simulated bytes stay so wherever they lie."""
    if ledger.simulated:
        return "simulated"
    if isinstance(dataset, FileDataset):
        return "local"
    return "simulated" if run in WORLDS else "public"


def restrict(cohort: Cohort, test: MutationTest) -> Cohort:
    """The patients that meet the test's own sample filter. Raises AbsentData for an unknown column."""
    if not test.samples:
        return cohort
    keep = cohort.samples["sample"].isin(cohort.clinical.index[select(cohort.clinical, test.samples)])
    return Cohort(
        cohort.mutations, cohort.copy_number, cohort.samples[keep].reset_index(drop=True), cohort.clinical
    )


def _check_genes(
    genes: list[str],
    test: MutationTest,
    datasets: Mapping[str, CbioportalDataset | FileDataset],
    loaded: Mapping[str, LoadedCohort],
    study_file: Path,
) -> None:
    present = [name for name in test.datasets if loaded[name].ledger.status == "present"]
    known: set[str] = set()
    for name in present:
        known |= loaded[name].cohort.genes | set(datasets[name].assayed_genes)
    for gene in genes:
        if present and gene not in known:
            document = read_marked_yaml(study_file)
            raise UserError(
                f"{document.place([*test_path(document, test.id), 'feature'])}: gene {gene!r} is in none of its data "
                f"sets ({', '.join(present)}){did_you_mean(gene, known)}; correct the symbol, or, when the gene was "
                "sequenced and never found mutated, list it under assayed_genes of the data set"
            )
