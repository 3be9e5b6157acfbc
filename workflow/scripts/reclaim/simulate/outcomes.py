"""Follow-up of simulated patients: hazards that depend on what the tests of survival are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reclaim.claim_tests import EventShare, Survival
from reclaim.config import World
from reclaim.dataset import Dataset
from reclaim.endpoint import Endpoint
from reclaim.selection import select
from reclaim.simulate.effects import members
from reclaim.study import Study

LOG_HAZARD_PER_SD: dict[World, float] = {
    "as_claimed": 0.6,
    "no_effect": 0.0,
    "reversed": -0.6,
    "confounded": 0.0,
}
"""Of a gene or a set, in the claimed direction."""
LOG_HAZARD_OF_GROUP: dict[World, float] = {
    "as_claimed": 1.0,
    "no_effect": 0.0,
    "reversed": -1.0,
    "confounded": 0.0,
}
MEAN_YEARS, LONGEST_YEARS = 6.0, 20.0
"""Mean time to the event without any effect; censoring is uniform up to the longest follow-up."""
COMPETING = 0.35
"""Hazard of a competing event, relative to that of the event, where the endpoint names one."""
PER_YEAR = {"days": 365.25, "months": 12.0, "years": 1.0}


@dataclass(frozen=True)
class Outcomes:
    """Tests of follow-up on the data sets of one source, each with its endpoint."""

    study: Study
    tests: Sequence[tuple[Survival | EventShare, Endpoint]]

    def columns(
        self,
        table: pd.DataFrame,
        log2_mean: np.ndarray,
        genes: Sequence[str],
        world: World,
        generator: np.random.Generator,
    ) -> dict[str, list[str]]:
        """Time and event of every endpoint, as text. `table` has the derived columns of the samples."""
        found: dict[str, list[str]] = {}
        for endpoint in dict.fromkeys(endpoint.model_dump_json() for _, endpoint in self.tests):
            one = Endpoint.model_validate_json(endpoint)
            tests = [test for test, own in self.tests if own == one and isinstance(test, Survival)]
            log_hazard = self._log_hazard(tests, table, log2_mean, genes, world)
            years = generator.exponential(MEAN_YEARS * np.exp(-log_hazard))
            ends = generator.uniform(1, LONGEST_YEARS, len(table))
            status = np.where(years <= ends, one.event_values[0], _event_free(one))
            if one.competing_values:
                others = generator.exponential(MEAN_YEARS / COMPETING, len(table))
                first = (others < years) & (others <= ends)
                status = np.where(first, one.competing_values[0], status)
                years = np.minimum(years, others)
            time = np.minimum(years, ends) * PER_YEAR[one.time_unit]
            found[one.time] = [f"{value:.4f}" for value in np.maximum(time, 1e-4)]
            found[one.event] = [str(value) for value in status]
        return found

    def _log_hazard(
        self,
        tests: Sequence[Survival],
        table: pd.DataFrame,
        log2_mean: np.ndarray,
        genes: Sequence[str],
        world: World,
    ) -> np.ndarray:
        """The sum of what the tests claim. The first test of a subject decides."""
        place = {gene: i for i, gene in enumerate(genes)}
        total = np.zeros(len(table))
        done: set[str] = set()
        for test in tests:
            sign = -1 if test.expected == "negative" else 1
            subject = test.feature or test.contrast
            assert subject is not None
            if subject.model_dump_json() in done:
                continue
            done.add(subject.model_dump_json())
            if test.contrast:
                case = np.asarray(select(table, test.contrast.case), bool)
                total += sign * LOG_HAZARD_OF_GROUP[world] * case
            else:
                among = np.asarray(select(table, test.samples), bool)
                columns = [place[gene] for gene in self._members(test)]
                score = log2_mean[:, columns].mean(axis=1)
                scaled = (score - score[among].mean()) / max(score[among].std(), 1e-9)
                total += sign * LOG_HAZARD_PER_SD[world] * scaled * among
        return total

    def _members(self, test: Survival) -> list[str]:
        assert test.feature is not None
        if test.feature.gene:
            return [test.feature.gene]
        named = test.feature.gene_set
        return members(self.study, named) if isinstance(named, str) else list(named or [])


def endpoint_of(test: Survival | EventShare, dataset: Dataset) -> Endpoint | None:
    """The endpoint of a test on one data set; None where the data set lacks the name."""
    if isinstance(test.endpoint, Endpoint):
        return test.endpoint
    endpoints: dict[str, Endpoint] = getattr(dataset, "endpoints", {})
    return endpoints.get(test.endpoint)


def _event_free(endpoint: Endpoint) -> str:
    return endpoint.censored_values[0] if endpoint.censored_values else "0"
