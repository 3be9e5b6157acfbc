"""What tests of claims and data are made of: small studies, evidence rows, cohorts and expression."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reclaim.claim_tests import DifferentialExpression
from reclaim.evidence import EvidenceRow, Setting
from reclaim.mutations import Cohort
from reclaim.regions import EXPERIMENTS, SCORES, Binding, as_regions, no_rows
from reclaim.study import Study

if TYPE_CHECKING:
    import anndata

# Studies

MATCHED = dict.fromkeys(("disease", "system", "perturbation", "readout", "time"), "same")


def dataset(**changes: Any) -> dict[str, Any]:
    """A matched, independent data set of a study file."""
    return {"source": "cbioportal", "study": "any_study", "tier": MATCHED, "independent": True, **changes}


def geo_dataset(**changes: Any) -> dict[str, Any]:
    """A matched, independent GEO series with counts by NCBI."""
    values = dataset(**{"source": "geo", "series": "GSE1", "expression": "ncbi_counts", **changes})
    del values["study"]
    return values


def expression_test(test_id: str = "up", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """A differential-expression test on data sets a and b, claimed positive."""
    return {
        "id": test_id,
        "role": role,
        "analysis": "differential_expression",
        "datasets": ["a", "b"],
        "feature": {"gene": "GENE1"},
        "contrast": {"case": {"group": "case"}, "control": {"group": "control"}},
        "expected": "positive",
        **changes,
    }


def share_test(test_id: str = "share", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """A mutation-frequency test on data sets a and b."""
    return {
        "id": test_id,
        "role": role,
        "analysis": "mutation_frequency",
        "datasets": ["a", "b"],
        "feature": {"gene": "GENE1"},
        **changes,
    }


def enrichment_test(test_id: str = "set_up", role: str = "supporting", **changes: Any) -> dict[str, Any]:
    """A gene-set test of set `ifn` in the ranking of the test `up` on data sets a and b, claimed positive."""
    return {
        "id": test_id,
        "role": role,
        "analysis": "gene_set_enrichment",
        "datasets": ["a", "b"],
        "gene_set": "ifn",
        "expected": "positive",
        "with": {"ranking": {"test": "up"}},
        **changes,
    }


def claim(
    *tests: dict[str, Any], claim_id: str = "C1", decision: Mapping[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A claim decided by the pooled rule on one expression test, unless told otherwise."""
    return {
        "id": claim_id,
        "statement": "GENE1 is up.",
        "where": "abstract",
        "gap": "none",
        "tests": list(tests) or [expression_test()],
        "decision": decision or {"rule": "pooled"},
        **changes,
    }


def study_values(*claims: dict[str, Any], **datasets: dict[str, Any]) -> dict[str, Any]:
    """A study file's content: data sets a and b and those given by name."""
    return {
        "id": "a_study",
        "title": "A study",
        "source": {"kind": "paper", "document": "paper.pdf", "date": "2025-01-31"},
        "datasets": {"a": dataset(), "b": dataset()} | datasets,
        "claims": list(claims) or [claim()],
    }


def study(*claims: dict[str, Any], **datasets: dict[str, Any]) -> Study:
    """A study on data sets a and b and those given by name."""
    return Study.model_validate(study_values(*claims, **datasets))


def write_study(values: Mapping[str, Any], folder: Path) -> Path:
    """The study file, in that part of YAML that is JSON: a line for each key."""
    path = folder / "study.yaml"
    path.write_text(json.dumps(values, indent=1))
    return path


# Evidence


def evidence(dataset: str, effect: float | None, se: float | None = 0.1, **changes: Any) -> EvidenceRow:
    """A row of the primary test of claim C1: a log2 fold change with a normal interval."""
    known = effect is not None and se is not None
    groups = changes.pop("groups", {"case": 20, "control": 20})
    values: dict[str, Any] = dict.fromkeys(EvidenceRow.model_fields) | {
        "run": "public",
        "study": "a_study",
        "claim": "C1",
        "test": "up",
        "role": "primary",
        "rule": "pooled",
        "analysis": "differential_expression",
        "method": "counts",
        "specification": "",
        "dataset": dataset,
        "tier": "matched",
        "independent": True,
        "data": "public",
        "stratum": "all",
        "feature": "GENE1",
        "effect_name": "log2_fold_change",
        "effect": effect,
        "se": se,
        "ci_low": effect - 1.96 * se if known else None,
        "ci_high": effect + 1.96 * se if known else None,
        "mde": None if se is None else 2.8 * se,
        "expected": "positive",
        "flags": "",
        "note": "",
    }
    return EvidenceRow.model_validate(values | changes | {"groups": json.dumps(groups)})


def share_evidence(dataset: str, k: int, n: int, **changes: Any) -> EvidenceRow:
    """A row with the share k of n patients, of the test `share`."""
    values = {"test": "share", "rule": "bound", "analysis": "mutation_frequency", "effect_name": "share"}
    return evidence(
        dataset, k / n, None, **(values | {"n": n, "n_events": k, "expected": "rare", "groups": {}} | changes)
    )


# Cohorts of mutations


def cohort(
    samples: int | Sequence[str],
    mutations: Iterable[Sequence[str]] = (),
    copy_number: Iterable[tuple[str, str, int]] = (),
    *,
    patients: Mapping[str, str] | None = None,
    not_sequenced: Iterable[str] = (),
    without_copy_number: Iterable[str] = (),
    clinical: Mapping[str, Sequence[Any]] | None = None,
) -> Cohort:
    """A cohort of samples S0, S1, ... (or as named), each of a patient of its own.

    A mutation is (sample, gene), (sample, gene, classification) or (..., protein change); missense
    when not said.
    """
    names = [f"S{i}" for i in range(samples)] if isinstance(samples, int) else list(samples)
    defaults = ("", "", "Missense_Mutation", "")
    rows = [tuple(mutation) + defaults[len(mutation) :] for mutation in mutations]
    without = set(without_copy_number)
    return Cohort(
        pd.DataFrame(rows, columns=["sample", "gene", "classification", "protein_change"], dtype=str),
        pd.DataFrame(list(copy_number), columns=["sample", "gene", "call"]).astype(
            {"sample": str, "gene": str, "call": "int8"}
        ),
        pd.DataFrame(
            {
                "sample": names,
                "patient": [(patients or {}).get(name, f"P-{name}") for name in names],
                "sequenced": [name not in set(not_sequenced) for name in names],
                "copy_number": [name not in without for name in names],
            }
        ),
        pd.DataFrame(dict(clinical or {}), index=pd.Index(names, name="sample")),
    ).validated()


def background(sample: str, count: int) -> list[tuple[str, str]]:
    """`count` mutations of a sample in genes that no test is about."""
    return [(sample, f"BACKGROUND{i}") for i in range(count)]


def setting(**changes: Any) -> Setting:
    """Where full results of a mutation test belong."""
    values: dict[str, Any] = {
        "run": "public",
        "study": "a_study",
        "claim": "C1",
        "test": "share",
        "role": "primary",
        "rule": "bound",
        "analysis": "mutation_frequency",
        "specification": "",
        "dataset": "a",
        "tier": "matched",
        "independent": True,
        "data": "public",
        "expected": "rare",
    }
    return Setting(**(values | changes))


# Regions


def binding(
    others: int = 22,
    regions: int = 4000,
    follows: Mapping[str, float] | None = None,
    seed: int = 5,
    **cells: str,
) -> Binding:
    """Peaks of TFA, of the antigens in `follows`, which bind so many of its regions beside their own, and of `others`,
    all in line one unless `cells` says otherwise."""
    generator = np.random.default_rng(seed)
    shares = follows or {}
    names = ["TFA", *shares, *(f"OTHER{i:02d}" for i in range(1, others + 1))]
    bound = generator.random((regions, len(names))) < 0.2
    for column, share in enumerate(shares.values(), start=1):
        bound[:, column] |= bound[:, 0] & (generator.random(regions) < share)
    parts = []
    for i, name in enumerate(names):
        start = 10_000 * np.flatnonzero(bound[:, i])
        parts.append(
            pd.DataFrame({"chrom": "chr1", "start": start, "end": start + 500, "experiment": f"SRX{name}"})
        )
    peaks = pd.concat(parts, ignore_index=True)
    experiments = pd.DataFrame(
        {
            "experiment": [f"SRX{name}" for name in names],
            "antigen": names,
            "cell": "LINE-1",
            "cells": [cells.get(name, "line one") for name in names],
            "system": "same",
            "peaks": bound.sum(axis=0),
        }
    )
    peaks["chrom"] = peaks["chrom"].astype("category")
    return Binding(as_regions(peaks), EXPERIMENTS.validate(experiments), no_rows(SCORES))


# Expression


def expression(
    genes: Mapping[str, Sequence[float]],
    samples: Mapping[str, Sequence[Any]],
    unit: str = "log2_intensity",
) -> anndata.AnnData:
    """Samples S0, S1, ... x genes, by columns: the values of each gene, the columns of the sample table."""
    import anndata as ad

    values = np.array(list(genes.values()), float).T
    names = [f"S{i}" for i in range(len(values))]
    return ad.AnnData(
        values.astype(np.int32) if unit == "counts" else values,
        obs=pd.DataFrame(dict(samples), index=pd.Index(names), dtype=object),
        var=pd.DataFrame(index=pd.Index(list(genes))),
        uns={"unit": unit},
    )


def group_column(cases: int, controls: int) -> list[str]:
    """`case` for the first samples, `control` for the others."""
    return ["case"] * cases + ["control"] * controls


def contrast_test(**changes: Any) -> DifferentialExpression:
    """A test of GENE1, column `group`: case against control, claimed positive."""
    return DifferentialExpression.model_validate(expression_test(**{"datasets": ["a"], **changes}))
