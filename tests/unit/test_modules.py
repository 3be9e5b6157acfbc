"""Modules of correlated genes, and intervals that resample them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reclaim.calibration.modules import correlations, exact_interval, gene_modules, rate_over_modules

GENERATOR = np.random.default_rng(1)


def in_modules(samples: int, modules: int, size: int, loading: float, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    factors = np.repeat(generator.normal(0, 1, (samples, modules)), size, axis=1)
    return loading * factors + np.sqrt(1 - loading**2) * generator.normal(0, 1, (samples, modules * size))


def test_the_correlation_is_spearmans_within_groups() -> None:
    values = in_modules(40, 3, 2, 0.8)
    groups = np.repeat([0, 1], 20)
    values[groups == 1] += 10  # what the groups differ by is no correlation
    found, degrees = correlations([(values, groups)])
    assert degrees == 38
    assert found is not None
    centred = values - np.where(groups[:, None] == 1, values[20:].mean(axis=0), values[:20].mean(axis=0))
    np.testing.assert_allclose(found, stats.spearmanr(centred).statistic, atol=1e-12)


def test_several_sets_of_samples_count_by_their_degrees_of_freedom() -> None:
    small, large = in_modules(12, 2, 2, 0.9, 1), in_modules(100, 2, 2, 0.0, 2)
    both, degrees = correlations([(small, np.zeros(12, int)), (large, np.zeros(100, int))])
    assert degrees == 110
    one, two = (
        stats.spearmanr(small - small.mean(0)).statistic,
        stats.spearmanr(large - large.mean(0)).statistic,
    )
    assert both is not None
    np.testing.assert_allclose(both, (11 * one + 99 * two) / 110, atol=1e-12)


def test_few_samples_tell_nothing() -> None:
    assert correlations([(in_modules(10, 2, 2, 0.9), np.repeat([0, 1], 5))]) == (None, 8)


def test_modules_are_found_whatever_the_sign() -> None:
    values = in_modules(200, 5, 8, 0.9)
    values[:, ::2] *= -1
    found, _ = correlations([(values, np.zeros(200, int))])
    assert found is not None
    module = gene_modules(found)
    assert len(np.unique(module)) == 5
    assert all(len(set(module[i * 8 : i * 8 + 8])) == 1 for i in range(5))


def weights_of(module: np.ndarray) -> np.ndarray:
    return (module[:, None] == np.unique(module)).astype(float)


def test_genes_that_pass_together_make_the_interval_wider() -> None:
    module = np.repeat(np.arange(50), 20)
    together = np.isin(module, np.arange(5))  # all genes of 5 of 50 modules
    apart = np.arange(1000) % 10 == 0
    wide = rate_over_modules(together, weights_of(module), 1)
    narrow = rate_over_modules(apart, weights_of(module), 1)
    assert wide.share == narrow.share == 0.1
    assert wide.ci_high - wide.ci_low > 3 * (narrow.ci_high - narrow.ci_low)
    least, most = exact_interval(100, 1000)  # never shorter than of as many draws
    assert (narrow.ci_low, narrow.ci_high) == (least, most)
    assert wide.ci_low < 0.05
    assert wide.ci_high > 0.15


def test_the_interval_covers_the_rate_of_modules_that_were_not_drawn() -> None:
    covered = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        passing = np.repeat(generator.random(60) < 0.2, 15)
        found = rate_over_modules(passing, weights_of(np.repeat(np.arange(60), 15)), seed)
        covered.append(found.ci_low <= 0.2 <= found.ci_high)
    assert 0.88 < np.mean(covered) <= 1


@pytest.mark.parametrize("passing", [False, True])
def test_when_all_pass_or_none_there_are_as_many_trials_as_modules(passing: bool) -> None:
    found = rate_over_modules(np.full(1000, passing), weights_of(np.repeat(np.arange(50), 20)), 1)
    assert (found.ci_low, found.ci_high) == exact_interval(50 * passing, 50)


def test_without_modules_the_interval_is_the_exact_one() -> None:
    passes = np.arange(1000) < 40
    found = rate_over_modules(passes, None, 1)
    assert (found.ci_low, found.ci_high) == exact_interval(40, 1000)
