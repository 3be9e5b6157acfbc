"""Run the tests of one job on their data sets: evidence rows, and full results per test and data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from reclaim.claim_tests import ClaimTest, MutationTest
from reclaim.config import WORLDS
from reclaim.dataset import Dataset, FileDataset
from reclaim.errors import AbsentData, UserError, did_you_mean
from reclaim.evidence import DataKind, Estimate, EvidenceRow, Setting, rows_to_table
from reclaim.ledger import Ledger
from reclaim.marked_yaml import read_marked_yaml
from reclaim.study_file import test_path

Analyse = Callable[[Any, str, Dataset, Setting], tuple[list[Estimate], pd.DataFrame]]
"""A test, the name and description of a data set, and the setting -> one estimate per stratum, full results."""


def run_each(
    slice_: Mapping[str, Any],
    run: str,
    ledgers: Mapping[str, Ledger],
    known_genes: Callable[[str], set[str]],
    genes_of: Callable[[Any], list[str]],
    analyse: Analyse,
) -> tuple[list[EvidenceRow], dict[str, pd.DataFrame]]:
    """Apply `analyse` to each test and data set of a job's slice. Full results are keyed `test/dataset`.

    A data set that is absent, or lacks what the test asks for (AbsentData), gives one invalid row. Raises
    UserError for a gene that no data set of its test knows: most likely a misspelt symbol.
    """
    datasets: dict[str, Dataset] = {
        name: TypeAdapter(Dataset).validate_python(value) for name, value in slice_["datasets"].items()
    }
    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}
    for entry in slice_["tests"]:
        test: Any = TypeAdapter(ClaimTest).validate_python(entry["test"])
        present = [name for name in test.datasets if ledgers[name].status == "present"]
        _check_genes(genes_of(test), test, present, known_genes, Path(slice_["file"]))
        for name in test.datasets:
            dataset, ledger = datasets[name], ledgers[name]
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
                found, table = analyse(test, name, dataset, setting)
            except AbsentData as absent:
                found = [Estimate("not run", "", "", flags=("absent",), note=str(absent), valid=False)]
                table = rows_to_table([])
            tables[f"{test.id}/{name}"] = table
            rows += [setting.row(one) for one in found]
    return rows, tables


def data_kind(dataset: Dataset, run: str, ledger: Ledger) -> DataKind:
    """simulated, public or local: what a row rests on. Simulated bytes stay so wherever they lie."""
    if ledger.simulated:
        return "simulated"
    if isinstance(dataset, FileDataset):
        return "local"
    return "simulated" if run in WORLDS else "public"


def _check_genes(
    genes: list[str],
    test: Any,
    present: list[str],
    known_genes: Callable[[str], set[str]],
    study_file: Path,
) -> None:
    known: set[str] = set()
    for name in present:
        known |= known_genes(name)
    remedy = "correct the symbol"
    if isinstance(test, MutationTest):
        remedy += ", or, when the gene was sequenced and never found mutated, list it under assayed_genes of the data set"
    for gene in genes:
        if present and gene not in known:
            document = read_marked_yaml(study_file)
            raise UserError(
                f"{document.place([*test_path(document, test.id), 'feature'])}: gene {gene!r} is in none of its data "
                f"sets ({', '.join(present)}){did_you_mean(gene, known)}; {remedy}"
            )
