"""Genes and scores of gene sets as variables: one value per sample, for what a test correlates or adjusts for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.analyses.differential_expression import MIN_SET_SHARE, measured_members
from reclaim.claim_tests import Coexpression, GeneFeature
from reclaim.errors import AbsentData, did_you_mean

Floats = NDArray[np.float64]
Sets = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Member:
    """An end of the test or a set that it adjusts for: its genes, and those that were taken out of it."""

    label: str
    is_set: bool
    genes: Sequence[str]
    removed: Sequence[str]


@dataclass(frozen=True)
class Variable:
    """One value per sample; NaN, with the flag and the words of why, where there is none at all. `genes` are
    those it is made of."""

    label: str
    is_set: bool
    genes: Sequence[str]
    values: Floats
    flag: str = ""
    told: str = ""


def members_of(test: Coexpression, sets: Sets) -> tuple[list[Member], list[Member]]:
    """The ends, and the adjusting sets. Genes of one end are taken out of the other end's set, and out of
    adjusting sets: they would be compared with, or adjusted for, themselves."""
    first, second = (_genes_of(feature, sets) for feature in test.features)
    ends = [
        _without(_label_of(feature), feature.gene is None, genes, others if feature.gene is None else [])
        for feature, genes, others in zip(test.features, (first, second), (second, first), strict=True)
    ]
    names = dict.fromkeys(name for name in test.adjust if name in sets)
    return ends, [_without(name, True, sets[name], [*first, *second]) for name in names]


def _without(label: str, is_set: bool, genes: Sequence[str], others: Sequence[str]) -> Member:
    every = dict.fromkeys(genes)
    return Member(
        label, is_set, [gene for gene in every if gene not in others], [g for g in every if g in others]
    )


def _genes_of(feature: GeneFeature, sets: Sets) -> Sequence[str]:
    if feature.gene is not None:
        return [feature.gene]
    named = feature.gene_set or []
    if isinstance(named, str) and named not in sets:
        raise AbsentData(f"no gene set {named!r}{did_you_mean(named, sets)}")
    return sets[named] if isinstance(named, str) else named


def _label_of(feature: GeneFeature) -> str:
    if feature.gene is not None:
        return feature.gene
    return feature.gene_set if isinstance(feature.gene_set, str) else ", ".join(feature.gene_set or [])


def gene_variable(gene: str, genes: pd.Index, values: Floats) -> Variable:
    """`values` is samples x `genes`."""
    place = genes.get_indexer(pd.Index([gene]))[0]
    own: Floats = values[:, place] if place >= 0 else np.full(len(values), np.nan)
    flag, told = "", ""
    if place < 0:
        flag, told = "not_on_platform", f"{gene} is not among the {len(genes):,} genes of this data set."
    elif len(own) and np.isnan(own).all():
        flag, told = "not_detected", f"{gene} has no values in these samples."
    return Variable(gene, False, [gene], own, flag, told)


def score_variable(member: Member, genes: pd.Index, values: Floats) -> Variable:
    """The mean of the measured members, each scaled to standard deviation 1 over the samples; those without
    variation add nothing."""
    label, wanted = member.label, member.genes
    measured = measured_members(wanted, genes, values)
    if not measured or len(measured) < MIN_SET_SHARE * len(wanted):
        told = f"Only {len(measured)} of {len(wanted)} members of {label} are measured."
        told = told if wanted else f"No member of {label} is left."
        return Variable(label, True, measured, np.full(len(values), np.nan), "not_on_platform", told)
    own = values[:, genes.get_indexer(pd.Index(measured))]
    own = own[:, varies(own)]
    score = (own / own.std(axis=0)).mean(axis=1) if own.shape[1] else np.zeros(len(own))
    return Variable(label, True, measured, np.asarray(score, np.float64))


def varies(values: Floats) -> NDArray[np.bool_]:
    """Whether the values (of each column) differ; none is missing."""
    return np.asarray((values != values[:1]).any(axis=0))
