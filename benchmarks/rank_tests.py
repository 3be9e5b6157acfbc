"""Rank tests of all features at once beside a loop of scipy over features, alternating in one run."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from reclaim.rank_tests import rank_sum, signed_rank

FEATURES, SAMPLES = 20_000, 1_200
ROUNDS = 3


def expression(seed: int) -> np.ndarray:
    """log2 values, samples x features; a third of the features is 0 in half of the samples (ties)."""
    generator = np.random.default_rng(seed)
    values = generator.normal(7, 2, (SAMPLES, FEATURES))
    values[:, ::3] = np.maximum(values[:, ::3] - 7, 0)
    return values


def seconds(task: Callable[[], object]) -> tuple[float, object]:
    """Wall time and result."""
    start = time.perf_counter()
    result = task()
    return time.perf_counter() - start, result


def compare(name: str, slow: Callable[[], object], fast: Callable[[], object]) -> None:
    """Print both medians and their ratio, and stop when the p-values differ."""
    times = []
    for _ in range(ROUNDS):
        (slow_time, expected), (fast_time, table) = seconds(slow), seconds(fast)
        np.testing.assert_allclose(table["p_value"], expected, rtol=1e-9)
        times.append((slow_time, fast_time))
    loop, ours = (median(column) for column in zip(*times, strict=True))
    print(f"{name}: scipy loop {loop:.2f} s, reclaim {ours:.2f} s, ratio {loop / ours:.1f}")


def main() -> None:
    """Both tests on a full-size matrix, then the peak of memory."""
    values, case = expression(0), np.arange(SAMPLES) < 700
    pair, first = np.arange(SAMPLES) % (SAMPLES // 2), np.arange(SAMPLES) < SAMPLES // 2
    print(f"{FEATURES:,} features x {SAMPLES:,} samples, median of {ROUNDS}; the loops make p-values only")
    columns = list(values.T)
    compare(
        "rank-sum",
        lambda: [stats.mannwhitneyu(column[case], column[~case]).pvalue for column in columns],
        lambda: rank_sum(values, case),
    )
    compare(
        "signed-rank",
        lambda: [stats.wilcoxon(column[first] - column[~first]).pvalue for column in columns],
        lambda: signed_rank(values, first, list(pair)),
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} GB")


if __name__ == "__main__":
    main()
