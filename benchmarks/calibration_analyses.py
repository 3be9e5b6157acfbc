"""The evidence of one simulation, by the functions of the workflow's jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anndata
import pandas as pd

from reclaim.analyses import mutation_frequency, mutual_exclusivity
from reclaim.analyses.baseline import baselines
from reclaim.analyses.bound_and_deregulated import bound_and_deregulated
from reclaim.analyses.detection import detection
from reclaim.analyses.differential_expression import differential_expression
from reclaim.analyses.on_mutations import LoadedCohort, run_tests
from reclaim.analyses.peak_colocalization import peak_colocalization
from reclaim.analyses.region_job import worst_tier
from reclaim.analyses.target_genes import target_genes
from reclaim.analyses.testing import run_each
from reclaim.claim_tests import ClaimTest, DifferentialExpression, ResultOf, antigens_of
from reclaim.dataset import Dataset
from reclaim.evidence import Estimate, EvidenceRow, Setting
from reclaim.ledger import Ledger
from reclaim.mutations import Cohort
from reclaim.plan import Plan
from reclaim.reference import GENES
from reclaim.regions import Binding
from reclaim.study import Claim, Study

ON_EXPRESSION = ("differential_expression", "detection")
ON_MUTATIONS: Mapping[str, tuple[Any, Any]] = {
    "mutation_frequency": (mutation_frequency.mutation_frequency, mutation_frequency.genes_of),
    "mutual_exclusivity": (mutual_exclusivity.mutual_exclusivity, mutual_exclusivity.genes_of),
}
"""The estimate of an analysis, and the genes that its tests name."""
ON_PEAKS = ("peak_colocalization", "target_genes", "bound_and_deregulated")
TESTED = (*ON_EXPRESSION, *ON_MUTATIONS, *ON_PEAKS)
"""Analyses that can be run here."""

Found = tuple[list[Estimate], pd.DataFrame]


@dataclass(frozen=True)
class Drawn:
    """The data sets of one simulation by their names, and the tables of the genome."""

    expression: Mapping[str, anndata.AnnData]
    cohorts: Mapping[str, Cohort] = field(default_factory=dict)
    bindings: Mapping[str, Binding] = field(default_factory=dict)
    genome: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def deciding(claim: Claim) -> list[ClaimTest]:
    """The tests that are run: primary ones, gates, and what ranks the genes for them."""
    own = [test for test in claim.tests if test.role in ("primary", "gate")]
    beside = [value for test in own for value in test.with_.values()]
    rankings = {value.test for value in beside if isinstance(value, ResultOf)}
    return [test for test in claim.tests if test in own or test.id in rankings]


def datasets_of(study: Study) -> list[str]:
    """Data sets of the tests that are run, and those that they look at beside."""
    tests = [test for claim in study.claims for test in deciding(claim)]
    names = [
        name
        for test in tests
        for name in (*test.datasets, *(value for value in test.with_.values() if isinstance(value, str)))
    ]
    return list(dict.fromkeys(names))


def evidence(
    world: str, plan: Plan, study: Study, drawn: Drawn, sets: Mapping[str, list[str]], seed: int
) -> tuple[list[EvidenceRow], dict[str, pd.DataFrame]]:
    """Rows and full results (by `test/dataset`) of the deciding tests of the study's claims; `plan` is that of the whole
    study."""
    present = Ledger(status="present", simulated=True)
    own = {test.id for claim in study.claims for test in deciding(claim)}
    loaded = {name: LoadedCohort(one, present) for name, one in drawn.cohorts.items()}
    ledgers = dict.fromkeys([*drawn.expression, *drawn.bindings], present)
    rows: list[EvidenceRow] = []
    tables: dict[str, pd.DataFrame] = {}

    def on_expression(test: Any, name: str, dataset: Dataset, setting: Setting) -> Found:
        return _on_expression(test, drawn.expression[name], dataset, sets)

    def on_peaks(test: Any, name: str, dataset: Dataset, setting: Setting) -> Found:
        found, table = _on_peaks(test, name, study, drawn, tables, seed)
        columns = {str(key): table[key] for key in table.columns}
        return found, setting.table(table.attrs["method"], table.attrs["effect_name"], columns)

    for one in plan.analyses():  # rankings come before what they rank for
        tests = [entry for entry in one.slice["tests"] if entry["test"]["id"] in own]
        part = one.slice | {"tests": tests}
        if one.analysis in ON_EXPRESSION:
            new, more = run_each(
                part,
                world,
                ledgers,
                lambda name: set(drawn.expression[name].var_names),
                lambda test: [test.feature.gene] if test.feature.gene else [],
                on_expression,
            )
        elif one.analysis in ON_PEAKS:
            new, more = run_each(part, world, ledgers, lambda name: set(), lambda test: [], on_peaks)
        elif one.analysis in ON_MUTATIONS:
            estimate, genes_of = ON_MUTATIONS[one.analysis]
            new, more = run_tests(part, world, loaded, estimate, lambda *_: pd.DataFrame(), genes_of)[0], {}
        else:
            continue
        rows += new
        tables |= more
    return rows, tables


def _on_expression(
    test: Any, data: anndata.AnnData, dataset: Dataset, sets: Mapping[str, Sequence[str]]
) -> Found:
    if test.analysis == "detection":
        return detection(test, data)
    named = test.feature.gene_set
    genes = sets[named] if isinstance(named, str) else named or []
    if genes:
        # A set has a model of its own. The table of single genes beside it is not used here: the quickest does.
        test = test.model_copy(update={"method": "moderated_t"})
    return differential_expression(test, data, genes, getattr(dataset, "source_column", None))


def _on_peaks(
    test: Any, name: str, study: Study, drawn: Drawn, tables: Mapping[str, pd.DataFrame], seed: int
) -> Found:
    peaks = test.with_.get("peaks", name)
    binding = drawn.bindings[peaks]
    tiers = [study.datasets[one].tier for one in dict.fromkeys((name, peaks))]
    tier = worst_tier(tiers, binding, antigens_of(test))
    if test.analysis == "peak_colocalization":
        return peak_colocalization(test, binding, drawn.genome, tier, seed)
    genes = drawn.genome[GENES]
    if test.analysis == "target_genes":
        expression = drawn.expression.get(test.with_.get("expression"))
        return target_genes(test, binding, genes, expression, tier)
    ranking = test.with_["ranking"].test
    ranked_by = next(one for _, one in study.tests() if one.id == ranking)
    assert isinstance(ranked_by, DifferentialExpression)
    expressed = baselines(
        ranked_by, drawn.expression[name], getattr(study.datasets[name], "source_column", None)
    )
    return bound_and_deregulated(test, binding, tables[f"{ranking}/{name}"], expressed, genes, tier, seed)
