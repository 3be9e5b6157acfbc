"""Negative binomial regressions of many genes at once, as DESeq2 fits them.

Love, Huber & Anders 2014, doi 10.1186/s13059-014-0550-8: the count of sample j and gene i has mean
mu = s[j] q[j, i] and variance mu + alpha[i] mu^2, with log q = X beta (equations 1 and 2).

Arrays are samples x genes, design matrices samples x coefficients, coefficients genes x coefficients on
the natural log scale. All genes go through one set of array operations, which takes a fraction of the
time of pydeseq2, where genes are fitted one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import gammaln, xlogy

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_MEAN = 0.5
"""Fitted means below this are raised to it wherever they weight a sample."""

RIDGE = 1e-6 / np.log(2) ** 2
"""Penalty on each coefficient: a normal prior of variance 1e6 on the log2 scale."""

MAX_STEPS = 100
CELLS_AT_A_TIME = 2_000_000


@dataclass(frozen=True)
class Coefficients:
    """`mean` is as fitted, also below `MIN_MEAN`; `leverage` is the diagonal of the hat matrix."""

    coefficients: Floats
    mean: Floats
    leverage: Floats
    converged: Flags


def fit_coefficients(
    counts: Floats, size_factors: Floats, design: Floats, dispersion: Floats
) -> Coefficients:
    """Maximum-likelihood coefficients by iteratively reweighted least squares.

    `size_factors` has one value per sample, or samples x genes where every gene has its own.
    A gene is done when its deviance changes by less than 1e-8 of itself. One that is not after 100 steps,
    or whose coefficients exceed 30, is given to L-BFGS-B on the likelihood itself, as in R.
    """
    own = np.broadcast_to(size_factors if size_factors.ndim == 2 else size_factors[:, None], counts.shape)
    parts = [
        _fit_chunk(counts[:, genes], own[:, genes], design, dispersion[genes])
        for genes in gene_chunks(counts.shape[1], design)
    ]
    return Coefficients(
        np.concatenate([part.coefficients for part in parts]),
        np.concatenate([part.mean for part in parts], axis=1),
        np.concatenate([part.leverage for part in parts], axis=1),
        np.concatenate([part.converged for part in parts]),
    )


def _fit_chunk(counts: Floats, size_factors: Floats, design: Floats, dispersion: Floats) -> Coefficients:
    n_genes = counts.shape[1]
    penalty = RIDGE * np.eye(design.shape[1])
    logs = np.log(counts / size_factors + 0.1)
    beta: Floats = np.asarray(np.linalg.lstsq(design, logs, rcond=None)[0].T, np.float64)
    start = beta.copy()
    mean = np.maximum(size_factors * np.exp(design @ beta.T), MIN_MEAN)
    deviance = np.zeros(n_genes)
    converged = np.zeros(n_genes, bool)
    active = np.arange(n_genes)
    for step in range(MAX_STEPS):
        if not len(active):
            break
        y, alpha, mu = counts[:, active], dispersion[active], mean[:, active]
        weight = mu / (1 + alpha * mu)
        working = np.log(mu / size_factors[:, active]) + (y - mu) / mu
        information = cross_products(design, weight) + penalty
        new = np.linalg.solve(information, ((weight * working).T @ design)[..., None])[..., 0]
        beta[active] = new
        with np.errstate(over="ignore", invalid="ignore"):  # of genes that are lost
            mean[:, active] = mu = np.maximum(size_factors[:, active] * np.exp(design @ new.T), MIN_MEAN)
            new_deviance = -2 * log_likelihood(y, mu, alpha)
            change = np.abs(new_deviance - deviance[active]) / (np.abs(new_deviance) + 0.1)
        deviance[active] = new_deviance
        lost = (np.abs(new) > 30).any(axis=1) | ~np.isfinite(change)
        done = ~lost & (change < 1e-8) & (step > 0)
        converged[active[done]] = True
        active = active[~lost & ~done]
    for gene in np.flatnonzero(~converged):
        near = beta[gene] if (np.abs(beta[gene]) < 30 * np.log(2)).all() else start[gene]
        beta[gene], converged[gene] = _maximise(
            counts[:, gene], size_factors[:, gene], design, dispersion[gene], near
        )
    fitted = size_factors * np.exp(design @ beta.T)
    held = np.maximum(fitted, MIN_MEAN)
    weight = held / (1 + dispersion * held)
    inverse = np.linalg.inv(cross_products(design, weight) + penalty)
    leverage = weight * quadratic_forms(design, inverse)
    return Coefficients(beta, fitted, leverage, converged)


def _maximise(
    counts: Floats, size_factors: Floats, design: Floats, dispersion: float, start: Floats
) -> tuple[Floats, bool]:
    """The likelihood is concave in beta, so there is one maximum, within 2^-30 to 2^30."""

    def objective(beta: Floats) -> tuple[float, Floats]:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = size_factors * np.exp(design @ beta)
            value = float(log_likelihood(counts, mean, dispersion))
        if not np.isfinite(value):
            return 1e300, np.zeros_like(beta)
        slope = design.T @ ((counts - mean) / (1 + dispersion * mean))
        return -value + 0.5 * RIDGE * float(beta @ beta), RIDGE * beta - slope

    limit = 30 * np.log(2)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(-limit, limit)] * len(start))
    return found.x, bool(found.success)


def log_likelihood(counts: Floats, mean: Floats, dispersion: Floats | float) -> Floats:
    """Negative binomial log-likelihood, summed over samples."""
    size = 1 / np.asarray(dispersion)
    return np.asarray(
        (
            gammaln(counts + size)
            - gammaln(size)
            - gammaln(counts + 1)
            - size * np.log1p(mean / size)
            + xlogy(counts, mean / (mean + size))
        ).sum(axis=0)
    )


def contrast_error(mean: Floats, design: Floats, dispersion: Floats, contrast: Floats) -> Floats:
    """Standard error of a contrast of coefficients, one entry per gene, natural log scale.

    From the sandwich of the penalised information, with fitted means held at 0.5 or above (without
    that, a gene that is silent in one group has no precision at all).
    """
    penalty = RIDGE * np.eye(design.shape[1])
    errors = []
    for genes in gene_chunks(mean.shape[1], design):
        held = np.maximum(mean[:, genes], MIN_MEAN)
        information = cross_products(design, held / (1 + dispersion[genes] * held))
        weights = np.linalg.solve(
            information + penalty, np.broadcast_to(contrast, (len(information), len(contrast)))[..., None]
        )
        errors.append(np.sqrt((weights.transpose(0, 2, 1) @ information @ weights)[:, 0, 0]))
    return np.concatenate(errors)


NOT_SHRUNK_SD = 15.0
LONGEST_STEP = 5.0
"""Where fitted means are next to 0, the likelihood is so flat that Newton's steps go far beyond the mode."""


def shrunken_coefficients(
    counts: Floats,
    size_factors: Floats,
    design: Floats,
    dispersion: Floats,
    fitted: Floats,
    which: int,
    scale: float,
) -> Floats:
    """Posterior mode of coefficient `which`, one entry per gene, under a Cauchy prior of that scale.

    The other coefficients have normal priors of standard deviation 15 (Zhu, Ibrahim & Love 2019, doi
    10.1093/bioinformatics/bty895, apeglm). `fitted` are maximum-likelihood coefficients. The posterior may
    have two modes, one near 0 and one near the estimate; the higher one counts, where apeglm takes the one
    that its search runs into.
    """
    modes = []
    for genes in gene_chunks(counts.shape[1], design):
        posterior = _CauchyPosterior(
            counts[:, genes], size_factors[:, None], design, dispersion[genes], which, scale
        )
        null = fitted[genes].copy()
        null[:, which] = 0
        near_null, null_value = posterior.mode(null)
        near_fit, fit_value = posterior.mode(fitted[genes])
        modes.append(np.where(fit_value < null_value, near_fit[:, which], near_null[:, which]))
    return np.concatenate(modes)


def cauchy_scale(estimate: Floats, se: Floats) -> float:
    """Scale of apeglm's prior: the standard deviation of true effects by the estimator of Efron & Morris
    1975 (doi 10.1080/01621459.1975.10479864), between 0.001 and 1. Both arrays hold one entry per gene."""

    def excess(variance: float) -> float:
        weight = 1 / (variance + se**2) ** 2
        return float(((estimate**2 - se**2) * weight).sum() / weight.sum()) - variance

    if excess(1e-6) < 0:
        return 1e-3
    return 1.0 if excess(1.0) > 0 else float(np.sqrt(brentq(excess, 1e-6, 1.0)))


class _CauchyPosterior:
    """Negative log-posterior of all genes' coefficients, and its minimum by damped Newton steps."""

    def __init__(
        self,
        counts: Floats,
        size_factors: Floats,
        design: Floats,
        dispersion: Floats,
        which: int,
        scale: float,
    ) -> None:
        self.counts, self.size_factors, self.design = counts, size_factors, design
        self.dispersion, self.which, self.scale = dispersion, which, scale

    def mode(self, start: Floats) -> tuple[Floats, Floats]:
        """Coefficients of every gene at the minimum below `start`, and the values there."""
        beta, value = start.copy(), self._value(start, np.arange(len(start)))
        active = np.arange(len(beta))
        for _ in range(MAX_STEPS):
            step, promise = self._newton(beta[active], active)
            last = promise < 1e-10 * (1 + np.abs(value[active]))
            beta[active[last]] -= step[last]
            active, step, promise = active[~last], step[~last], promise[~last]
            if not len(active):
                break
            moved = self._downhill(beta, value, active, step, promise)
            active = active[moved]
        return beta, value

    def _downhill(
        self, beta: Floats, value: Floats, genes: NDArray[np.int64], step: Floats, promise: Floats
    ) -> Flags:
        """Takes off the step, halved until the value falls by 1e-4 of what the slope promises; tells for
        which genes it did."""
        waiting = np.arange(len(genes))
        for halvings in range(30):
            length = 0.5**halvings
            chosen = genes[waiting]
            new = beta[chosen] - length * step[waiting]
            new_value = self._value(new, chosen)
            low = new_value <= value[chosen] - 1e-4 * length * promise[waiting]
            beta[chosen[low]], value[chosen[low]] = new[low], new_value[low]
            waiting = waiting[~low]
            if not len(waiting):
                break
        return ~np.isin(np.arange(len(genes)), waiting)

    def _value(self, beta: Floats, genes: NDArray[np.int64]) -> Floats:
        """Up to a constant that the counts and the dispersion make."""
        counts, size = self.counts[:, genes], 1 / self.dispersion[genes]
        prior = beta**2 / (2 * NOT_SHRUNK_SD**2)
        prior[:, self.which] = np.log1p((beta[:, self.which] / self.scale) ** 2)
        linear = self.design @ beta.T
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far is not a number
            mean = self.size_factors * np.exp(linear)
            likelihood = counts * linear - (counts + size) * np.log1p(mean / size)
            return np.asarray(prior.sum(axis=1) - likelihood.sum(axis=0))

    def _newton(self, beta: Floats, genes: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """The step to take off, and the slope along it."""
        counts, alpha, shrunk = self.counts[:, genes], self.dispersion[genes], beta[:, self.which]
        mean = self.size_factors * np.exp(self.design @ beta.T)
        slope = ((mean - counts) / (1 + alpha * mean)).T @ self.design + beta / NOT_SHRUNK_SD**2
        spread = self.scale**2 + shrunk**2
        slope[:, self.which] += 2 * shrunk / spread - shrunk / NOT_SHRUNK_SD**2
        curvature = cross_products(self.design, mean * (1 + alpha * counts) / (1 + alpha * mean) ** 2)
        others = np.full(self.design.shape[1], 1 / NOT_SHRUNK_SD**2)
        others[self.which] = 0
        curvature += np.diag(others)
        # Where the Cauchy prior bends down more than the likelihood bends up, its majoriser stands in.
        bend = 2 * (self.scale**2 - shrunk**2) / spread**2
        curvature[:, self.which, self.which] += bend
        downward = np.linalg.inv(curvature)[:, self.which, self.which] <= 0
        curvature[downward, self.which, self.which] += (2 / spread - bend)[downward]
        step: Floats = np.asarray(np.linalg.solve(curvature, slope[..., None])[..., 0], np.float64)
        step /= np.maximum(np.abs(step).max(axis=1, keepdims=True) / LONGEST_STEP, 1)
        return step, np.asarray((step * slope).sum(axis=1))


def gene_chunks(n_genes: int, design: Floats) -> Iterator[slice]:
    """Consecutive genes, so few at a time that their arrays stay small."""
    n_samples, n_coefficients = design.shape
    step = max(1, CELLS_AT_A_TIME // (n_samples + n_coefficients**2))
    for first in range(0, max(n_genes, 1), step):
        yield slice(first, first + step)


def cross_products(design: Floats, weight: Floats) -> Floats:
    """X' W X of every gene (genes x coefficients x coefficients), for weights samples x genes."""
    n_coefficients = design.shape[1]
    return np.asarray((weight.T @ _products(design)).reshape(-1, n_coefficients, n_coefficients))


def quadratic_forms(design: Floats, matrices: Floats) -> Floats:
    """x' M x for every row x of the design and every gene's matrix M, samples x genes."""
    return np.asarray(_products(design) @ matrices.reshape(len(matrices), -1).T)


def _products(design: Floats) -> Floats:
    """x x' of every row x of the design, flattened."""
    return np.asarray((design[:, :, None] * design[:, None, :]).reshape(len(design), -1))
