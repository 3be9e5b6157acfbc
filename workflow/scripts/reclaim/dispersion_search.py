"""Dispersion of every gene: by itself, and shrunken towards the trend, as DESeq2 searches for it.

Love, Huber & Anders 2014, doi 10.1186/s13059-014-0550-8. The search is R's own line search, step by step,
because where it stops decides thousands of genes: it leaves a gene at its rough starting value when the
likelihood hardly rises. Arrays are samples x genes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from reclaim.negative_binomial import MAX_STEPS, cross_products, gene_chunks, quadratic_forms

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_DISPERSION = 1e-8


@dataclass(frozen=True)
class Dispersions:
    """One entry per gene."""

    dispersion: Floats
    converged: Flags


def gene_wise_dispersions(counts: Floats, design: Floats, mean: Floats, rough: Floats) -> Dispersions:
    """Dispersion of each gene by itself: the maximum of the Cox-Reid adjusted likelihood
    (equation 7), searched from `rough` (one entry per gene).

    As in R, a gene whose log-likelihood rises by less than a millionth keeps `rough`, and a search that
    did not settle is repeated on a grid. Values lie between 1e-8 and max(10, number of samples).
    """
    highest = max(10.0, len(counts))

    def fit(genes: slice) -> tuple[Floats, Flags]:
        likelihood = _DispersionPosterior(counts[:, genes], design, mean[:, genes])
        start = np.clip(rough[genes], MIN_DISPERSION, highest)
        search = _line_search(likelihood, np.log(start))
        flat = search.value < search.start_value + np.abs(search.start_value) / 1e6
        found = np.where(flat, start, np.minimum(np.exp(search.log_dispersion), highest))
        settled = (search.steps < MAX_STEPS) & (search.steps > 1)
        again = ~settled & (found > 10 * MIN_DISPERSION)
        found[again] = np.exp(_grid_search(likelihood.of(again), highest))
        return found, settled

    return _in_chunks(fit, counts, design, highest)


def shrunken_dispersions(
    counts: Floats, design: Floats, mean: Floats, start: Floats, trend: Floats, prior_variance: float
) -> Dispersions:
    """Posterior mode of each dispersion, whose log has a normal prior around the log of `trend`
    (equations 5 and 9).

    The search starts at the gene-wise estimate `start`, or at the trend where that is ten times larger.
    """
    highest = max(10.0, len(counts))

    def fit(genes: slice) -> tuple[Floats, Flags]:
        posterior = _DispersionPosterior(
            counts[:, genes], design, mean[:, genes], np.log(trend[genes]), prior_variance
        )
        first = np.where(start[genes] > 0.1 * trend[genes], start[genes], trend[genes])
        search = _line_search(posterior, np.log(first))
        found = np.exp(search.log_dispersion)
        settled = search.steps < MAX_STEPS
        found[~settled] = np.exp(_grid_search(posterior.of(~settled), highest))
        return found, settled

    return _in_chunks(fit, counts, design, highest)


def _in_chunks(
    fit: Callable[[slice], tuple[Floats, Flags]], counts: Floats, design: Floats, highest: float
) -> Dispersions:
    parts = [fit(genes) for genes in gene_chunks(counts.shape[1], design)]
    dispersion = np.concatenate([part[0] for part in parts])
    return Dispersions(
        np.clip(dispersion, MIN_DISPERSION, highest), np.concatenate([part[1] for part in parts])
    )


class _DispersionPosterior:
    """Log-posterior of log alpha, one per gene; without a prior, the adjusted log-likelihood."""

    def __init__(
        self,
        counts: Floats,
        design: Floats,
        mean: Floats,
        log_prior_mean: Floats | None = None,
        prior_variance: float = np.inf,
    ) -> None:
        self.counts, self.mean, self.design = counts, mean, design
        self.prior_variance = prior_variance
        self.log_prior_mean = np.zeros(counts.shape[1]) if log_prior_mean is None else log_prior_mean

    def of(self, genes: Flags) -> _DispersionPosterior:
        return _DispersionPosterior(
            self.counts[:, genes],
            self.design,
            self.mean[:, genes],
            self.log_prior_mean[genes],
            self.prior_variance,
        )

    def value(self, log_dispersion: Floats) -> Floats:
        alpha = np.exp(log_dispersion)
        size = 1 / alpha
        mean, counts = self.mean, self.counts
        likelihood = (
            gammaln(counts + size)
            - gammaln(size)
            - counts * np.log(mean + size)
            - size * np.log(1 + mean * alpha)
        ).sum(axis=0)
        _, log_determinant = np.linalg.slogdet(cross_products(self.design, 1 / (1 / mean + alpha)))
        prior = (log_dispersion - self.log_prior_mean) ** 2 / self.prior_variance
        return np.asarray(likelihood - 0.5 * log_determinant - 0.5 * prior)

    def slope(self, log_dispersion: Floats) -> Floats:
        alpha = np.exp(log_dispersion)
        size = 1 / alpha
        mean, counts = self.mean, self.counts
        scaled = mean * alpha
        likelihood = size**2 * (
            digamma(size)
            - digamma(counts + size)
            + np.log(1 + scaled)
            - scaled / (1 + scaled)
            + counts / (mean + size)
        ).sum(axis=0)
        weight = 1 / (1 / mean + alpha)
        inverse = np.asarray(np.linalg.inv(cross_products(self.design, weight)), np.float64)
        adjustment = 0.5 * (weight**2 * quadratic_forms(self.design, inverse)).sum(axis=0)
        prior = (log_dispersion - self.log_prior_mean) / self.prior_variance
        return np.asarray((likelihood + adjustment) * alpha - prior)


@dataclass(frozen=True)
class _Search:
    log_dispersion: Floats
    start_value: Floats
    value: Floats
    steps: NDArray[np.int64]


def _line_search(posterior: _DispersionPosterior, start: Floats) -> _Search:
    """Uphill along the slope with Armijo's rule for the step, each gene with its own.

    A step is accepted when the value rises by at least 1e-4 of what the slope promises, else halved;
    after an accepted one it grows by a tenth up to 1, and every fifth accepted one halves it. A gene
    is done when an accepted step raises its value by less than 1e-6, or leads below log(1e-9).
    """
    here = start.copy()
    value = posterior.value(here)
    start_value = value.copy()
    slope = posterior.slope(here)
    step, accepted = np.ones_like(here), np.zeros(len(here), dtype=np.int64)
    steps = np.zeros(len(here), dtype=np.int64)
    active = np.arange(len(here))
    for _ in range(MAX_STEPS):
        if not len(active):
            break
        current = posterior.of(np.isin(np.arange(len(here)), active, assume_unique=True))
        steps[active] += 1
        with np.errstate(divide="ignore", invalid="ignore"):
            proposal = here[active] + step[active] * slope[active]
            too_low, too_high = proposal < -30, proposal > 10
            step[active[too_low]] = ((-30 - here[active]) / slope[active])[too_low]
            step[active[too_high]] = ((10 - here[active]) / slope[active])[too_high]
        proposal = here[active] + step[active] * slope[active]
        proposed = current.value(proposal)
        good = proposed >= value[active] + 1e-4 * step[active] * slope[active] ** 2
        step[active[~good]] /= 2
        moved = active[good]
        rise = proposed[good] - value[moved]
        here[moved] = proposal[good]
        accepted[moved] += 1
        settled = rise < 1e-6
        vanishing = ~settled & (here[moved] < np.log(MIN_DISPERSION / 10))
        value[moved[~vanishing]] = proposed[good][~vanishing]
        going = moved[~settled & ~vanishing]
        if len(going):
            slope[going] = posterior.of(np.isin(np.arange(len(here)), going)).slope(here[going])
            step[going] = np.minimum(1.1 * step[going], 1.0)
            step[going[accepted[going] % 5 == 0]] /= 2
        active = np.setdiff1d(active, moved[settled | vanishing], assume_unique=True)
    return _Search(here, start_value, value, steps)


def _grid_search(posterior: _DispersionPosterior, highest: float) -> Floats:
    """Log alpha at the best of 20 points, then of 20 points around that."""
    coarse = np.linspace(np.log(MIN_DISPERSION), np.log(highest), 20)
    n_genes = posterior.counts.shape[1]
    if not n_genes:
        return np.empty(0)
    values = np.array([posterior.value(np.full(n_genes, point)) for point in coarse])
    best = coarse[values.argmax(axis=0)]
    offsets = np.linspace(-1, 1, 20) * (coarse[1] - coarse[0])
    values = np.array([posterior.value(best + offset) for offset in offsets])
    return np.asarray(best + offsets[values.argmax(axis=0)])
