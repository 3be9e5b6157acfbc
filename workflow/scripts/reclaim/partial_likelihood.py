"""Cox's partial likelihood of many features at once: its derivatives and its maximum.

Cox (1972, doi 10.1111/j.2517-6161.1972.tb00899.x), with Efron's handling of ties (1977, doi
10.1080/01621459.1977.10480613).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reclaim.cox_samples import Floats, Integers, Mask, Samples
from reclaim.risk_sets import RiskSets

SINGULAR = 1e-12
"""Information below this share of the sum of squares it is left of is rounding."""
ENOUGH = 1e-10
"""Newton's steps end when the next would raise the log likelihood by half of this."""
MOST_STEPS = 60
ROUNDING = 1e-12
"""Of a log likelihood or a mean, relative."""


@dataclass(frozen=True)
class PartialLikelihood:
    """The samples some features have: `order` are their positions in the input, `x` their standardised
    covariates."""

    order: Integers
    x: Floats
    risk: RiskSets

    @classmethod
    def of(cls, samples: Samples, rows: Integers) -> PartialLikelihood:
        order = rows[np.lexsort((samples.time[rows], samples.stratum[rows]))]
        stratum, event = samples.stratum[order], samples.event[order]
        risk = RiskSets.of(samples.time[order], event, samples.entry[order], stratum)
        return cls(order, standardised(samples.covariates[order]), risk)

    def null(self) -> Floats | None:
        """Coefficients (k x 1) of the covariates alone, or None when there is no maximum to be found."""
        k = self.x.shape[1]
        if k == 0:
            return np.zeros((0, 1))
        with np.errstate(all="ignore"):
            found = self.maximum(np.zeros((k - 1, 1)), self.x[:, :-1], self.x[:, -1:])
        return found.coefficients if found.settled[0] else None

    def maximum(self, start: Floats, x: Floats, z: Floats) -> Maximum:
        """Newton's method with step halving for every column of z beside all of x, from the coefficients
        `start` (k x 1) of x and 0 for z."""
        shape = (x.shape[1] + 1, z.shape[1])
        found = Maximum(np.zeros(shape), np.zeros(shape[1]), np.zeros(shape[1]), np.zeros(shape[1], bool))
        best, score, inverse = self.derivatives(x @ start, x, z)
        at = np.repeat(np.vstack([start, [[0.0]]]), shape[1], axis=1)
        step = _times(inverse, score)
        active = np.arange(shape[1])
        for _ in range(MOST_STEPS):
            trial = at + step
            value, score, inverse = self.derivatives(x @ trial[:-1] + z * trial[-1], x, z)
            better = np.isfinite(value) & (value >= best - ROUNDING * np.abs(best))
            at, best = np.where(better, trial, at), np.where(better, value, best)
            step = np.where(better, _times(inverse, score), step / 2)
            done = better & ((score * step).sum(axis=0) < ENOUGH)
            if not done.any():
                continue
            found.coefficients[:, active[done]] = (at + step)[:, done]
            found.variance[active[done]] = inverse[-1, -1, done]
            found.last_step[active[done]] = step[-1, done]
            found.settled[active[done]] = True
            if done.all():
                break
            left = ~done
            active, z, at, best, step = active[left], z[:, left], at[:, left], best[left], step[:, left]
        return found

    def derivatives(self, log_hazard: Floats, x: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Log likelihood, score (k + 1 x features) and inverse information (k + 1 x k + 1 x features) of the
        coefficients of x and, last, of every column of z. `log_hazard` is samples x features, or samples x 1
        where all features share it."""
        columns = [*(column[:, None] for column in x.T), z]
        relative = log_hazard - log_hazard.max(axis=0)
        hazard = np.exp(relative)
        total = self.risk.sums(hazard)
        value = relative[self.risk.dead].sum(axis=0) - np.log(total).sum(axis=0)
        share = 1 / total
        expected = hazard * self.risk.spread(share)
        weighted = [expected * column for column in columns]
        means = [self.risk.sums(hazard * column) * share for column in columns]
        score = np.empty((len(columns), z.shape[1]))
        squares = np.empty((len(columns), *score.shape))
        information = np.empty_like(squares)
        for i, column in enumerate(columns):
            score[i] = column[self.risk.dead].sum(axis=0) - weighted[i].sum(axis=0)
            for j in range(i, len(columns)):
                squares[i, j] = _dot(column, weighted[j])
                information[i, j] = information[j, i] = squares[i, j] - _dot(means[i], means[j])
        return value, score, _inverse(information, SINGULAR * np.diagonal(squares).T)


@dataclass(frozen=True)
class Maximum:
    """Coefficients k + 1 x features, the feature's own last; the others one entry per feature."""

    coefficients: Floats
    variance: Floats
    last_step: Floats
    settled: Mask


def standardised(y: NDArray[np.floating]) -> Floats:
    """Mean 0 and SD 1 of each column, or 0 where it is constant."""
    mean = y.mean(axis=0, dtype=np.float64)
    z: Floats = y - mean
    sd = np.sqrt(np.einsum("ij,ij->j", z, z) / max(1, len(z) - 1))
    z /= np.where(sd > ROUNDING * np.abs(mean), sd, np.inf)
    return z


def _dot(a: Floats, b: Floats) -> Floats:
    """Of each column of a with that of b."""
    return np.asarray(np.einsum("ij,ij->j", a, b))


def _times(matrix: Floats, vector: Floats) -> Floats:
    return np.asarray(np.einsum("ijm,jm->im", matrix, vector))


def _inverse(matrix: Floats, least: Floats) -> Floats:
    """Inverse of symmetric matrices p x p x m by Gauss and Jordan's sweeps. A row whose pivot does not exceed
    `least` (p x m) depends on those before it: 0 in the inverse."""
    a = matrix.copy()
    for j in range(len(a)):
        pivot = np.where(a[j, j] > least[j], a[j, j], np.inf)
        row = a[j] / pivot
        a -= a[:, j, None] * row
        a[j], a[:, j], a[j, j] = row, row, -1 / pivot
    return -a
