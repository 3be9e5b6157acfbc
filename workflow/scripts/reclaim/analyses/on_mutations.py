"""Run tests of somatic mutations on their cohorts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from reclaim.analyses.testing import run_each
from reclaim.claim_tests import MutationTest
from reclaim.dataset import Dataset, MutationCalls
from reclaim.evidence import Estimate, EvidenceRow, Setting
from reclaim.ledger import Ledger
from reclaim.mutations import Cohort
from reclaim.selection import select

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
    """Apply `estimate` and `every_feature` to each test and data set of a job's slice, as `run_each`."""

    def analyse(
        test: Test, name: str, dataset: Dataset, setting: Setting
    ) -> tuple[list[Estimate], pd.DataFrame]:
        assert isinstance(dataset, MutationCalls)
        cohort = restrict(loaded[name].cohort, test)
        depth = dataset.min_other_mutations
        return [estimate(test, cohort, depth)], every_feature(test, cohort, depth, setting)

    def known_genes(name: str) -> set[str]:
        return set(loaded[name].cohort.genes) | set(slice_["datasets"][name].get("assayed_genes", []))

    ledgers = {name: one.ledger for name, one in loaded.items()}
    return run_each(slice_, run, ledgers, known_genes, genes_of, analyse)


def restrict(cohort: Cohort, test: MutationTest) -> Cohort:
    """The patients that meet the test's own sample filter. Raises AbsentData for an unknown column."""
    if not test.samples:
        return cohort
    keep = cohort.samples["sample"].isin(cohort.clinical.index[select(cohort.clinical, test.samples)])
    return Cohort(
        cohort.mutations, cohort.copy_number, cohort.samples[keep].reset_index(drop=True), cohort.clinical
    )
