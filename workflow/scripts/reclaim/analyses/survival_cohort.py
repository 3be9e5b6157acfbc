"""Who is followed: the samples of a data set that enter a test's model, with their times, groups and covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.analyses.groups import CASE, CONTROL, Comparison, assign_groups
from reclaim.claim_tests import Survival
from reclaim.endpoint import Endpoint
from reclaim.errors import AbsentData
from reclaim.evidence import note_of
from reclaim.follow_up import FollowUp, follow_up, named_endpoint, stated
from reclaim.selection import select

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class Cohort:
    """The samples that enter a test's model.

    `table` is the follow-up of those with all covariates; `group` (case or control) and `covariates` (numbers,
    one column per coefficient) have its rows. `told` says what was left out.
    """

    endpoint: Endpoint
    follow_up: FollowUp
    table: pd.DataFrame
    group: pd.Series | None
    covariates: pd.DataFrame
    told: str

    @property
    def events(self) -> int:
        return int(self.table["event"].sum())

    def among(self, samples: np.ndarray) -> Cohort:
        """Of these rows (true or false)."""
        group = None if self.group is None else self.group[samples]
        return replace(self, table=self.table[samples], group=group, covariates=self.covariates[samples])


def cohort_of(test: Survival, data: anndata.AnnData, endpoints: Mapping[str, Endpoint]) -> Cohort:
    """The samples of a data set that enter a test's model. Raises what `survival` does."""
    samples = data.obs
    chosen = np.asarray(select(samples, test.samples), bool) if test.samples else np.ones(len(samples), bool)
    arms = np.full(len(samples), None, object)
    if test.contrast:
        arms[chosen] = assign_groups(test.contrast, samples[chosen], "contrast")
        chosen &= pd.notna(arms)
    elif data.n_vars == 0:
        raise AbsentData("the data set holds no genes; expected values of the tested feature")
    endpoint = named_endpoint(test.endpoint, endpoints)
    found = follow_up(endpoint, samples, test.horizon_years, test.from_years, chosen)
    followed = samples.loc[found.table.index]
    columns = pd.DataFrame({name: _covariate(followed, name) for name in test.covariates}, followed.index)
    complete = columns.notna().all(axis=1).to_numpy()
    columns = columns[complete]
    constant = [name for name in test.covariates if len(columns) and columns[name].nunique() < 2]
    told = [found.left_out_in_words()]
    if not endpoint.censored_values:
        told.append(found.censored_in_words())
    if not complete.all():
        number = int((~complete).sum())
        told.append(f"Left out for want of a covariate: {number:,} sample{'s' * (number > 1)}.")
    if constant:
        told.append(f"Not in the model, with one value in all samples: {', '.join(constant)}.")
    table = found.table[complete]
    group = pd.Series(arms, samples.index)[table.index].astype(pd.CategoricalDtype([CASE, CONTROL]))
    return Cohort(
        endpoint,
        found,
        table,
        group if test.contrast else None,
        _coefficients(columns.drop(columns=constant)),
        note_of(*told),
    )


def _covariate(samples: pd.DataFrame, name: str) -> pd.Series:
    """As numbers where every value is one, else as categories."""
    values = stated(samples, name)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers if numbers.notna().equals(values.notna()) else values


def _coefficients(columns: pd.DataFrame) -> pd.DataFrame:
    """A category has a column for each of its values but the first."""
    parts = [
        columns[[name]]
        if pd.api.types.is_float_dtype(columns[name].dtype)
        else pd.get_dummies(columns[name].astype(object), prefix=name, prefix_sep="=", drop_first=True)
        for name in map(str, columns)
    ]
    return pd.concat(parts, axis=1).astype(float) if parts else columns.astype(float)


def in_words(cohort: Cohort) -> str:
    """Who is followed, for the log."""
    words = f"{len(cohort.table):,} samples, {cohort.events:,} events"
    if cohort.group is not None:
        words += f"; {Comparison('all', pd.DataFrame({'group': cohort.group}), '').in_words()}"
    return note_of(f"{words}.", cohort.told)


def by_group(table: pd.DataFrame, groups: pd.Series) -> list[tuple[str, pd.DataFrame]]:
    """Label and follow-up of each group that has samples."""
    grouped = table.groupby(groups.reindex(table.index), observed=True)
    return [(str(label), part) for label, part in grouped]
