"""What a test of co-expression correlates, stratum by stratum: the values of its two ends and of its covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.analyses.coexpression_scores import (
    Floats,
    Sets,
    Variable,
    gene_variable,
    members_of,
    score_variable,
    varies,
)
from reclaim.analyses.differential_expression import log2_values
from reclaim.analyses.groups import column_of, covariate_of
from reclaim.claim_tests import Coexpression
from reclaim.errors import AbsentData, did_you_mean
from reclaim.selection import describe, select

if TYPE_CHECKING:
    import anndata

MIN_SAMPLES = 10
"""Fewer tell nothing: the interval of rho = 0 would reach from -0.64 to 0.64."""


@dataclass(frozen=True)
class PairValues:
    """The two ends of a test in one stratum, and what their correlation is given.

    `samples` are those that have all values; `x` and `y` (the first and the second feature) have one value
    per sample on the log2 scale, `covariates` is samples x k. Nothing is missing.
    """

    samples: pd.Index
    x: Floats
    y: Floats
    covariates: Floats


def pair_values(test: Coexpression, data: anndata.AnnData, sets: Sets) -> PairValues:
    """What `coexpression` correlates, of one stratum: `data` holds the samples of that stratum, as from
    `samples_by_stratum`; the test's own filter is applied (once more).

    `partial_spearman(pair.y[:, None], pair.x, pair.covariates)` is the estimate. Covariates are the sample
    columns (categories as 0/1 columns), then the scores of gene sets. Raises AbsentData, with the reason, where
    an end or the score of an adjusting set is not measured.
    """
    variables = Variables.of(test, _chosen(test, data), sets)
    if variables.unmeasured:
        raise AbsentData(variables.unmeasured.told)
    return variables.pair()


def samples_by_stratum(
    test: Coexpression, data: anndata.AnnData
) -> tuple[dict[str, anndata.AnnData], list[str]]:
    """The samples that meet the test's filter, by stratum (`all` for a test without strata); and strata left out
    because they have fewer than MIN_SAMPLES, with their numbers.

    Raises AbsentData when nothing is left, and for a column that is not there.
    """
    chosen = _chosen(test, data)
    column = test.strata
    if column is None:
        return {"all": chosen}, []
    stratum = column_of(chosen.obs, column)
    found, left_out = {}, []
    for name, number in stratum.value_counts().sort_index().items():
        if number < MIN_SAMPLES:
            left_out.append(f"{name} ({number})")
        else:
            found[str(name)] = chosen[(stratum == name).fillna(False).to_numpy(bool)]
    if not found:
        raise AbsentData(f"no stratum of {column} has {MIN_SAMPLES} samples")
    return found, left_out


def _chosen(test: Coexpression, data: anndata.AnnData) -> anndata.AnnData:
    if not test.samples:
        return data
    keep = np.asarray(select(data.obs, test.samples), bool)
    if not keep.any():
        raise AbsentData(f"no sample meets: {describe(test.samples)}")
    return data[keep]


@dataclass(frozen=True)
class Variables:
    """All that a test looks at in one stratum. `values` (samples x `genes`, log2) and all else is of the samples
    that have all covariates; `told` are sentences about what was left out."""

    samples: pd.Index
    genes: pd.Index
    values: Floats
    unit: str
    ends: Sequence[Variable]
    scores: Sequence[Variable]
    columns: Floats
    circular: bool
    told: Sequence[str]

    @classmethod
    def of(cls, test: Coexpression, data: anndata.AnnData, sets: Sets) -> Variables:
        """Of the samples of one stratum."""
        given = _column_covariates(test, data.obs, sets)
        complete = given.notna().all(axis=1).to_numpy(bool)
        genes, values = data.var_names, _values(data[complete])
        read = ~np.asarray(np.isnan(values).all(axis=1), np.bool_)
        values = values if read.all() else values[read]
        columns, constant = _as_numbers(given.loc[complete].loc[read])
        ends, adjusting = members_of(test, sets)
        x, y, *scores = (
            score_variable(one, genes, values) if one.is_set else gene_variable(one.label, genes, values)
            for one in (*ends, *adjusting)
        )
        both = ~np.isnan(x.values) & ~np.isnan(y.values)
        measured = not (x.flag or y.flag)
        circular = [one for one in (*ends, *adjusting) if one.removed]
        told = [
            *(
                f"Removed from {one.label} (part of what is tested): {', '.join(one.removed)}."
                for one in circular
            ),
            *(_silent(one, genes, values) for one in (x, y, *scores)),
            f"Left out, being the same in all samples: {', '.join(constant)}." if constant else "",
            _left_out(int((~complete).sum()), "without a covariate"),
            _left_out(int((~read).sum()), "without any value"),
            _left_out(int((~both).sum()), f"without a value of {x.label} or {y.label}") if measured else "",
        ]
        samples, unit = data.obs_names[complete][read], data.uns["unit"]
        return cls(samples, genes, values, unit, (x, y), scores, columns, bool(circular), told)

    @property
    def unmeasured(self) -> Variable | None:
        """The first end or score without any value."""
        return next((one for one in (*self.ends, *self.scores) if one.flag), None)

    @property
    def covariates(self) -> Floats:
        return np.column_stack([self.columns, *(score.values for score in self.scores)])

    def pair(self) -> PairValues:
        """Both ends, in the samples where they have values."""
        x, y = (end.values for end in self.ends)
        both = ~np.isnan(x) & ~np.isnan(y)
        return PairValues(self.samples[both], x[both], y[both], self.covariates[both])


def _values(data: anndata.AnnData) -> Floats:
    """Samples x genes on the log2 scale; NaN for what is no number."""
    values: Floats = log2_values(data) if data.n_obs else np.empty(data.shape)
    strange = np.isinf(values)
    return np.where(strange, np.nan, values) if strange.any() else values


def _column_covariates(test: Coexpression, samples: pd.DataFrame, sets: Sets) -> pd.DataFrame:
    """Samples x adjusting columns, as numbers or as text; a name that is also a set's means the set."""
    found = pd.DataFrame(index=samples.index)
    for name in test.adjust:
        if name in sets:
            continue
        if name not in samples.columns:
            near = did_you_mean(name, [*map(str, samples.columns), *sets])
            raise AbsentData(f"adjust: {name!r} is neither a sample column nor a gene set of the study{near}")
        values = covariate_of(samples, name)
        if pd.api.types.is_float_dtype(values):
            values = values.where(np.isfinite(values))
        found[name] = values
    return found


def _as_numbers(covariates: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Samples x k: numbers as they are, categories as one 0/1 column per level but the first; and the names of
    covariates that are the same in all samples and left out."""
    columns: list[Floats] = []
    constant = []
    for name, values in covariates.items():
        if values.nunique() < 2:
            constant += [str(name)] if len(values) else []
        elif pd.api.types.is_float_dtype(values):
            columns.append(values.to_numpy(float))
        else:
            text = values.to_numpy(object)
            columns += [(text == level).astype(float) for level in sorted(set(text))[1:]]
    shape = (len(covariates), len(columns))
    return (np.column_stack(columns) if columns else np.empty(shape)), constant


def _silent(score: Variable, genes: pd.Index, values: Floats) -> str:
    """Members that are measured and tell nothing."""
    if not score.is_set or score.flag or len(values) < MIN_SAMPLES:
        return ""
    vary = varies(values[:, genes.get_indexer(pd.Index(score.genes))])
    if vary.all():
        return ""
    return f"{(~vary).sum()} of {len(vary)} measured members of {score.label} are the same in all samples."


def _left_out(number: int, why: str) -> str:
    return f"Left out: {number} sample{'s' if number > 1 else ''} {why}." if number else ""
