"""Cox models of all features at once beside a loop of lifelines over some features, alternating in one run."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from reclaim.cox import cox_fit, cox_score_test

FEATURES, SAMPLES = 20_000, 1_200
LOOPED = 24
"""Features of the loop; its time is scaled to all."""
ROUNDS = 3

Test = Callable[..., pd.DataFrame]


def cohort(seed: int, covariates: int) -> dict[str, np.ndarray]:
    """Times in whole days (some are tied), half of them of events."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(SAMPLES, covariates))
    days = np.ceil(generator.exponential(1000 * np.exp(-0.3 * x.sum(axis=1))))
    return {"time": days, "event": generator.random(SAMPLES) < 0.5, "covariates": x}


def loop(values: np.ndarray, time: np.ndarray, event: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Coefficients per SD of the first features."""
    found = []
    for column in values[:, :LOOPED].T:
        frame = pd.DataFrame(covariates).add_prefix("x")
        frame["feature"] = (column - column.mean()) / column.std(ddof=1)
        frame["time"], frame["event"] = time, event
        found.append(CoxPHFitter().fit(frame, "time", "event").params_["feature"])
    return np.array(found)


def seconds(task: Callable[[], object]) -> tuple[float, object]:
    """Wall time and result."""
    start = time.perf_counter()
    result = task()
    return time.perf_counter() - start, result


def compare(values: np.ndarray, covariates: int) -> None:
    """Print the medians and their ratios, and stop when the fits differ."""
    data = cohort(1, covariates)
    times = []
    for _ in range(ROUNDS):
        slow, expected = seconds(lambda: loop(values, **data))
        score, _ = seconds(lambda: cox_score_test(values, **data))
        fit, table = seconds(lambda: cox_fit(values, **data))
        # lifelines stops up to 2e-5 from the maximum.
        np.testing.assert_allclose(table["effect"][:LOOPED], expected, atol=1e-4)
        times.append((slow * FEATURES / LOOPED, score, fit))
    slow, score, fit = (median(column) for column in zip(*times, strict=True))
    print(
        f"{covariates} covariates: lifelines loop {slow:.0f} s, score test {score:.2f} s, "
        f"ratio {slow / score:.0f}, fit {fit:.2f} s, ratio {slow / fit:.0f}"
    )


def peak() -> float:
    """GB this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main() -> None:
    """Memory beyond the input, then times without and with covariates."""
    values = np.random.default_rng(0).normal(7, 2, (SAMPLES, FEATURES))
    print(
        f"{FEATURES:,} features x {SAMPLES:,} samples, median of {ROUNDS}; loop of {LOOPED} features, scaled"
    )
    before = peak()
    tests: tuple[Test, ...] = (cox_score_test, cox_fit)
    for test in tests:
        test(values, **cohort(1, 3))
        print(
            f"{test.__name__}: {peak() - before:.2f} GB beyond the {values.nbytes / 1024**3:.2f} GB of values"
        )
    for covariates in (0, 3):
        compare(values, covariates)


if __name__ == "__main__":
    main()
