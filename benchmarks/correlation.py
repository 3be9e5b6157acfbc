"""Rank correlations of all features at once beside a loop of scipy over features, alternating in one run.

The loops run over a subset of the features and their time is scaled to all of them."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from reclaim.correlation import bootstrap_spearman, partial_spearman, spearman

FEATURES, SAMPLES, COVARIATES = 20_000, 1_200, 2
LOOPED = 2_000
ROUNDS = 3


def expression(seed: int) -> np.ndarray:
    """log2 values, samples x features, single precision; a third of the features is 0 in half of the
    samples (ties)."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((SAMPLES, FEATURES), np.float32)
    values *= 2
    values[:, 1::3] += 7
    values[:, 2::3] += 7
    np.maximum(values[:, ::3], 0, out=values[:, ::3])
    return values


def spearman_loop(values: np.ndarray, target: np.ndarray) -> list[float]:
    """rho of the first features, one at a time."""
    return [float(stats.spearmanr(values[:, i], target).statistic) for i in range(LOOPED)]


def missing_loop(values: np.ndarray, target: np.ndarray) -> list[float]:
    """The same in each feature's own samples."""
    known = ~np.isnan(values[:, :LOOPED])
    return [
        float(stats.spearmanr(values[known[:, i], i], target[known[:, i]]).statistic) for i in range(LOOPED)
    ]


def partial_loop(values: np.ndarray, target: np.ndarray, covariates: np.ndarray) -> list[float]:
    """Correlation of the residuals of the ranks; target and covariates are ranked once."""
    x = np.column_stack([np.ones(len(target)), stats.rankdata(covariates, axis=0)])

    def left(y: np.ndarray) -> np.ndarray:
        ranks = stats.rankdata(y)
        return ranks - x @ np.linalg.lstsq(x, ranks, rcond=None)[0]

    b = left(target)
    return [float(stats.pearsonr(left(values[:, i]), b).statistic) for i in range(LOOPED)]


def seconds(task: Callable[[], object]) -> tuple[float, object]:
    """Wall time and result."""
    start = time.perf_counter()
    result = task()
    return time.perf_counter() - start, result


def compare(name: str, slow: Callable[[], list[float]], fast: Callable[[], pd.DataFrame]) -> None:
    """Print both medians and their ratio, and stop when the correlations differ."""
    times = []
    for _ in range(ROUNDS):
        (slow_time, expected), (fast_time, table) = seconds(slow), seconds(fast)
        np.testing.assert_allclose(table["effect"][:LOOPED], expected, rtol=0, atol=1e-12)
        times.append((slow_time * FEATURES / LOOPED, fast_time))
    loop, ours = (median(column) for column in zip(*times, strict=True))
    print(f"{name}: scipy loop {loop:.2f} s, reclaim {ours:.2f} s, ratio {loop / ours:.1f}")


def peak() -> float:
    """Largest memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main() -> None:
    """Both correlations on a full-size matrix, missing values, the bootstrap and the peak of memory."""
    values, generator = expression(0), np.random.default_rng(1)
    target, covariates = generator.normal(size=SAMPLES), generator.normal(size=(SAMPLES, COVARIATES))
    before = peak()
    print(
        f"{FEATURES:,} features x {SAMPLES:,} samples, median of {ROUNDS}; "
        f"the loops run over {LOOPED:,} features, their time is scaled"
    )
    compare("spearman", lambda: spearman_loop(values, target), lambda: spearman(values, target))
    compare(
        f"partial_spearman, {COVARIATES} covariates",
        lambda: partial_loop(values, target, covariates),
        lambda: partial_spearman(values, target, covariates),
    )
    after = peak()
    values[generator.integers(10, size=values.shape, dtype=np.int8) == 0] = np.nan
    compare(
        "spearman, a tenth missing", lambda: missing_loop(values, target), lambda: spearman(values, target)
    )
    drawn, _ = seconds(lambda: bootstrap_spearman(values[:, 0], target, seed=0))
    print(f"bootstrap_spearman, 2,000 draws: {drawn:.2f} s")
    print(
        f"peak memory {after:.2f} GB before the missing values, {after - before:.2f} GB above making the input"
    )


if __name__ == "__main__":
    main()
