"""How dispersion depends on the mean over all genes, and how far single genes stray from that: the two
numbers that DESeq2 shrinks dispersions with.

Love, Huber & Anders 2014, doi 10.1186/s13059-014-0550-8, "Estimation of dispersions" (equations 5, 6
and 8 and the text around them), as done by R DESeq2 1.38 in parametricDispersionFit and
estimateDispersionsPriorVar. pydeseq2 0.5.4 has its own versions of both, which differ: it keeps genes at
the lowest dispersion in the trend, never takes a left-out gene back, and does not match simulated
residuals when few degrees of freedom are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma
from scipy.stats import trim_mean

from reclaim.dispersion_search import MIN_DISPERSION

Floats = NDArray[np.float64]

ESTIMATED = 100 * MIN_DISPERSION
"""Gene-wise dispersions at or below this only say that none was found; trend and prior leave them out."""

LEAST_PRIOR_VARIANCE = 0.25
MAD_OF_A_NORMAL = 1.4826
"""Standard deviation over median absolute deviation, to R's digits."""

SIMULATED_RESIDUALS = Path(__file__).with_name("dispersion_residuals.tsv")


@dataclass(frozen=True)
class DispersionTrend:
    """Expected dispersion `asymptotic + extra_poisson / mean` at a mean of normalised counts (equation 6).
    `kind` is "parametric", or "mean" when no such curve fits: then extra_poisson is 0."""

    asymptotic: float
    extra_poisson: float
    kind: str

    def at(self, mean: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(
                self.asymptotic + (self.extra_poisson / mean if self.extra_poisson else 0 * mean)
            )


def dispersion_trend(mean: Floats, dispersion: Floats) -> DispersionTrend:
    """The trend over genes, from base means and gene-wise dispersions (one entry each, means above 0).

    A regression of the gamma family with identity link is repeated on the genes whose dispersion is
    between 1e-4 and 15 times the curve before, until the coefficients settle. If they do not within ten
    repeats, or turn negative, the trend is the mean of the dispersions, 0.1 % trimmed at either end (R
    would fit a local regression).
    """
    found = dispersion > ESTIMATED
    fitted = _parametric_trend(mean[found], dispersion[found]) if found.sum() > 1 else None
    if fitted is not None:
        return DispersionTrend(float(fitted[0]), float(fitted[1]), "parametric")
    above = dispersion[dispersion > 10 * MIN_DISPERSION]
    average = float(trim_mean(above, 0.001)) if len(above) else 10 * MIN_DISPERSION
    return DispersionTrend(average, 0.0, "mean")


def _parametric_trend(mean: Floats, dispersion: Floats) -> Floats | None:
    coefficients = np.array([0.1, 1.0])
    for _ in range(11):
        ratio = dispersion / (coefficients[0] + coefficients[1] / mean)
        near = (ratio > 1e-4) & (ratio < 15)
        fitted, converged = _gamma_regression(1 / mean[near], dispersion[near], coefficients)
        if fitted is None or (fitted <= 0).any():
            return None
        change = float((np.log(fitted / coefficients) ** 2).sum())
        coefficients = fitted
        if change < 1e-6 and converged:
            return coefficients
    return None


def _gamma_regression(x: Floats, y: Floats, start: Floats) -> tuple[Floats | None, bool]:
    """Gamma regression of y on x with identity link and intercept, by reweighted least squares from
    `start` until the deviance changes by less than 1e-8 of itself, or 25 times. A step that makes a
    fitted value negative is halved; None when that does not help."""
    design = np.column_stack([np.ones_like(x), x])

    def deviance(fitted: Floats) -> float:
        return -2 * float((np.log(y / fitted) - (y - fitted) / fitted).sum())

    beta = start
    last = deviance(design @ beta) if len(x) else np.nan
    for _ in range(25):
        weight = 1 / (design @ beta)[:, None]
        new, _, rank, _ = np.linalg.lstsq(design * weight, y * weight[:, 0], rcond=None)
        if rank < 2:
            return None, False
        halvings = 0
        while (design @ new <= 0).any():
            new, halvings = (new + beta) / 2, halvings + 1
            if halvings > 25:
                return None, False
        beta = np.asarray(new, np.float64)
        now = deviance(design @ beta)
        if abs(now - last) / (abs(now) + 0.1) < 1e-8:
            return beta, True
        last = now
    return beta, False


@dataclass(frozen=True)
class DispersionPrior:
    """`variance` is that of the normal prior on log dispersions around the trend; `spread` the standard
    deviation of their residuals, by which outliers are told."""

    variance: float
    spread: float


def dispersion_prior(dispersion: Floats, trend: Floats, residual_df: int) -> DispersionPrior:
    """Prior of log dispersions, from gene-wise dispersions and the trend at each gene.

    The residuals' variance, from their median absolute deviation, less the sampling variance of a log
    dispersion, trigamma(residual_df / 2), and at least 0.25 (equation 8
    and below). With three residual
    degrees of freedom or fewer their distribution is too skewed for that: the variance is then the one
    whose simulated residuals, log chi-square plus normal, are nearest to the observed ones.
    """
    estimated = dispersion >= ESTIMATED
    residuals = np.log(dispersion[estimated]) - np.log(trend[estimated])
    if not len(residuals):
        return DispersionPrior(LEAST_PRIOR_VARIANCE, 0.0)
    spread = MAD_OF_A_NORMAL * float(np.median(np.abs(residuals - np.median(residuals))))
    if residual_df <= 3:
        variance = _matched_variance(residuals, residual_df)
    else:
        variance = spread**2 - float(polygamma(1, residual_df / 2))
    return DispersionPrior(max(variance, LEAST_PRIOR_VARIANCE), spread)


def _matched_variance(residuals: Floats, residual_df: int) -> float:
    """The variance on [0, 8] whose simulated residuals have the least Kullback-Leibler divergence from
    the observed ones, both as histograms of 40 bins between -10 and 10.

    R draws 10,000 residuals at each of 200 variances, always from the same seed, and smooths the
    divergences by loess. Its histograms are therefore constants, kept in dispersion_residuals.tsv as R
    4.2.2 drew them. Exact densities would be the cleaner idea; but on the airway data another seed moves
    R's result by one step of 0.008, and that step moves 5 % of the log2 fold changes by more than 1e-4.
    """
    edges = np.arange(-20, 21) / 2
    inside = residuals[(residuals > -10) & (residuals < 10)]
    if not len(inside):
        return LEAST_PRIOR_VARIANCE
    # R's bins are closed on the right.
    observed = np.histogram(-inside, edges)[0][::-1] / (len(inside) * 0.5)
    simulated = _simulated_densities()[residual_df]
    positive = np.where(simulated > 0, simulated, np.inf).min(axis=1)
    least = np.minimum(positive, observed[observed > 0].min())[:, None]
    divergence = (observed * (np.log(observed + least) - np.log(simulated + least))).sum(axis=1)
    variances, fine = np.linspace(0, 8, 200), np.linspace(0, 8, 1000)
    return float(fine[_loess(variances, divergence, fine).argmin()])


@cache
def _simulated_densities() -> dict[int, Floats]:
    """By residual degrees of freedom: 200 variances x 40 bins."""
    table = np.loadtxt(SIMULATED_RESIDUALS, comments="#")
    return {
        df: counts / (counts.sum(axis=1, keepdims=True) * 0.5)
        for df, counts in ((df, table[table[:, 0] == df, 1:]) for df in (1, 2, 3))
    }


def _loess(x: Floats, y: Floats, at: Floats) -> Floats:
    """Local quadratic regression over the nearest fifth of evenly spaced points, as R's loess with
    span = 0.2 does it (Cleveland & Grosse 1991, doi 10.1007/bf01890836): fitted at the cuts of a
    k-d tree and one margin beyond the ends, and continued between these by cubic Hermite polynomials.
    The cuts matter: a fit at every point would move the least divergence by two steps."""
    margin = 0.005 * (x[-1] - x[0])
    knots = np.array(sorted([x[0] - margin, x[-1] + margin, *x[_cuts(0, len(x) - 1, len(x) // 25)]]))
    values, slopes = np.array([_local_quadratic(x, y, knot, len(x) // 5) for knot in knots]).T
    left = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    width = knots[left + 1] - knots[left]
    u = (at - knots[left]) / width
    return np.asarray(
        values[left] * (1 + 2 * u) * (1 - u) ** 2
        + values[left + 1] * (3 - 2 * u) * u**2
        + width * (slopes[left] * u * (1 - u) ** 2 - slopes[left + 1] * u**2 * (1 - u))
    )


def _cuts(first: int, last: int, leaf: int) -> list[int]:
    """Where a k-d tree splits points first..last until no cell holds more than `leaf`."""
    if last - first + 1 <= leaf:
        return []
    middle = (first + 1 + last + 1) // 2 - 1
    return [middle, *_cuts(first, middle, leaf), *_cuts(middle + 1, last, leaf)]


def _local_quadratic(x: Floats, y: Floats, centre: float, neighbours: int) -> tuple[float, float]:
    """Value and slope at `centre`, points weighted by the tricube of their distance."""
    distance = np.abs(x - centre)
    reach = np.sort(distance)[neighbours - 1]
    weight = np.sqrt(np.clip(1 - (distance / reach) ** 3, 0, None) ** 3)
    design = np.column_stack([np.ones_like(x), x - centre, (x - centre) ** 2])
    fitted = np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)[0]
    return float(fitted[0]), float(fitted[1])
