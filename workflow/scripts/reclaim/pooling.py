"""Several cohorts, one answer: random effects with a half-normal prior on the spread.

With two to five cohorts the usual DerSimonian-Laird interval is too short. Here the between-cohort
standard deviation tau has a half-normal prior (Röver 2020, doi 10.18637/jss.v093.i06) and is
integrated out on a grid. Arrays are cohorts x features; NaN marks a cohort without an estimate.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logsumexp, ndtr

Floats = NDArray[np.float64]

TAU_SCALE = {
    "log_hazard_ratio": 0.3,
    "log2_fold_change": 0.5,
    "set_log2_fold_change": 0.5,
    "fisher_z": 0.15,
    "share": 0.5,
    "log_odds_ratio": 0.5,
}
"""Scale of the half-normal prior on tau, by the scale on which cohorts are pooled."""

TAU_NODES = 81
TAU_REACH = 4.0
"""The grid reaches this many scales: the prior holds 6e-5 of its mass beyond."""

FEATURES_AT_A_TIME = 2000


@dataclass(frozen=True)
class Pooled:
    """One entry per feature. `p_positive` is the posterior tail at or below 0 (small when the effect
    is positive), `p_negative` the tail at or above 0."""

    effect: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    p_positive: Floats
    p_negative: Floats
    tau: Floats


def pool_effects(effect: Floats, se: Floats, scale: float) -> Pooled:
    """Random-effects mean of normal estimates, with its central 95 % interval.

    `effect` and `se` are k x F. A feature without any estimate gets NaN.
    """
    parts = [
        _pool_chunk(effect[:, i : i + FEATURES_AT_A_TIME], se[:, i : i + FEATURES_AT_A_TIME], scale)
        for i in range(0, effect.shape[1], FEATURES_AT_A_TIME)
    ]
    return Pooled(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Pooled.__annotations__)
    )


def _pool_chunk(effect: Floats, se: Floats, scale: float) -> Pooled:
    tau, log_prior = _tau_grid(scale)
    known = np.isfinite(effect) & np.isfinite(se)
    y = np.where(known, effect, 0.0)
    variance = np.where(known, se, 1.0) ** 2 + tau[:, None, None] ** 2  # tau x k x F
    weight = known / variance
    total = weight.sum(axis=1)  # tau x F
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weight * y).sum(axis=1) / total
        # Likelihood with a flat prior on the mean integrated out.
        log_likelihood = 0.5 * (
            np.where(known, np.log(weight), 0.0).sum(axis=1)
            - np.log(total)
            - (weight * (y - mean[:, None, :]) ** 2).sum(axis=1)
        )
        posterior = log_likelihood + log_prior[:, None]
        share = np.exp(posterior - logsumexp(posterior, axis=0))
        sd = 1 / np.sqrt(total)
        centre = (share * mean).sum(axis=0)
        spread = np.sqrt((share * (sd**2 + (mean - centre) ** 2)).sum(axis=0))
        return Pooled(
            effect=centre,
            se=spread,
            ci_low=_quantile(0.025, share, mean, sd),
            ci_high=_quantile(0.975, share, mean, sd),
            p_positive=(share * ndtr(-mean / sd)).sum(axis=0),
            p_negative=(share * ndtr(mean / sd)).sum(axis=0),
            tau=(share * tau[:, None]).sum(axis=0),
        )


def _tau_grid(scale: float) -> tuple[Floats, Floats]:
    """Midpoints of equal steps, so that the sum is the integral; log prior up to a constant."""
    step = TAU_REACH * scale / TAU_NODES
    tau: Floats = (np.arange(TAU_NODES, dtype=float) + 0.5) * step
    return tau, -0.5 * (tau / scale) ** 2


def _quantile(level: float, share: Floats, mean: Floats, sd: Floats) -> Floats:
    """Quantile of a mixture of normals, by bisection."""
    low: Floats = (mean - 9 * sd).min(axis=0)
    high: Floats = (mean + 9 * sd).max(axis=0)
    for _ in range(60):
        middle = (low + high) / 2
        below = (share * ndtr((middle - mean) / sd)).sum(axis=0) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


LOGIT_STEP = 0.04
LOGIT_REACH = 14.0


@dataclass(frozen=True)
class PooledShare:
    """A share over cohorts: that of a typical cohort, the median of the random intercept.
    `cdf` is the posterior distribution of the share's logit on the grid `logit`."""

    share: float
    ci_low: float
    ci_high: float
    tau: float
    logit: Floats
    cdf: Floats

    def p_below(self, bound: float) -> float:
        """One-sided p-value of `share < bound`: the posterior tail at or above the bound."""
        return 1 - float(np.interp(_logit(bound), self.logit, self.cdf))

    def p_above(self, bound: float) -> float:
        """One-sided p-value of `share > bound`: the posterior tail at or below the bound."""
        return float(np.interp(_logit(bound), self.logit, self.cdf))


def pool_shares(k: NDArray[np.int64], n: NDArray[np.int64], scale: float) -> PooledShare:
    """Share over cohorts with k[i] of n[i]: binomial with a random intercept on the logit scale.

    tau has its half-normal prior, the typical share Jeffreys' prior Beta(1/2, 1/2), and the interval
    is the central 95 %. (A profile-likelihood interval covers only 87 % with two cohorts of a few
    hundred patients.) As for a single Jeffreys interval (Brown 2001, doi 10.1214/ss/1009213286), it
    reaches 0 when no patient is altered and 1 when all are.
    """
    tau, log_prior = _tau_grid(scale)
    logit = np.arange(-LOGIT_REACH, LOGIT_REACH + LOGIT_STEP / 2, LOGIT_STEP)
    by_cohort = k[:, None] * log_expit(logit) + (n - k)[:, None] * log_expit(-logit)
    likelihood = np.exp(by_cohort - by_cohort.max(axis=1, keepdims=True))
    log_terms = np.empty((len(tau), len(logit)))
    for j, (spread, prior) in enumerate(zip(tau, log_prior, strict=True)):
        log_terms[j] = np.log(np.maximum(_smooth(likelihood, spread), 1e-300)).sum(axis=0) + prior
    log_density = logsumexp(log_terms, axis=0) + 0.5 * (log_expit(logit) + log_expit(-logit))
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    cdf = np.cumsum(density) - density / 2  # at the middle of each step
    low, centre, high = (float(expit(np.interp(level, cdf, logit))) for level in (0.025, 0.5, 0.975))
    weight = np.exp(log_terms - log_terms.max()).sum(axis=1)
    none, every = not k.any(), bool((k == n).all())
    return PooledShare(
        share=0.0 if none else 1.0 if every else centre,
        ci_low=0.0 if none else low,
        ci_high=1.0 if every else high,
        tau=float((weight * tau).sum() / weight.sum()),
        logit=logit,
        cdf=cdf,
    )


def _smooth(likelihood: Floats, spread: float) -> Floats:
    """Each cohort's likelihood averaged over a normal random intercept; ends continue flat."""
    half = int(6 * spread / LOGIT_STEP) + 1
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * LOGIT_STEP / spread) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(likelihood, ((0, 0), (half, half)), mode="edge")
    return np.array([np.convolve(row, kernel, mode="valid") for row in padded])


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


@dataclass(frozen=True)
class Prevalence:
    """Share of strata beyond the margin, one entry per feature."""

    share: Floats
    ci_low: Floats
    ci_high: Floats
    p_share: Floats
    p_reversed: Floats


def prevalence(
    effect: Floats, se: Floats, scale: float, margin: float, share: float, seed: int, draws: int = 4000
) -> Prevalence:
    """Share of strata whose true effect exceeds `margin`, over S strata (S x F).

    Stratum effects are shrunken by empirical Bayes: normal with the pooled mean and the posterior
    mean of tau. Each bootstrap draw resamples strata and draws their effects and the mean they are
    shrunken to: without the mean's error, strata of pure noise would look like a precise null.
    `p_share` is the tail of draws at or below `share`; `p_reversed` the chance that the share below
    -margin is larger. A feature without any estimate gets NaN.
    """
    pooled = pool_effects(effect, se, scale)
    known = np.isfinite(effect) & np.isfinite(se)
    variance = np.where(known, se, np.inf) ** 2
    own_weight = pooled.tau**2 / (pooled.tau**2 + variance)
    centre = own_weight * np.where(known, effect, 0.0) + (1 - own_weight) * pooled.effect
    spread = np.sqrt(own_weight * np.where(known, variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(known, ndtr((centre - margin) / spread), np.nan)
    generator = np.random.default_rng(seed)
    shares, reversed_ = np.empty((draws, effect.shape[1])), np.empty((draws, effect.shape[1]), bool)
    for draw in range(draws):
        strata = generator.integers(0, len(effect), len(effect))
        noise = generator.standard_normal((len(effect), 1))
        mean_error = pooled.se * generator.standard_normal()
        theta = (centre + (1 - own_weight) * mean_error)[strata] + spread[strata] * noise
        count = known[strata].sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            up = (known[strata] & (theta > margin)).sum(axis=0) / count
            down = (known[strata] & (theta < -margin)).sum(axis=0) / count
        shares[draw], reversed_[draw] = up, down > up
    # A draw that holds no known stratum says nothing.
    usable = np.isfinite(shares).sum(axis=0)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # features without any estimate
        return Prevalence(
            share=np.nanmean(above, axis=0),
            ci_low=np.nanquantile(shares, 0.025, axis=0),
            ci_high=np.nanquantile(shares, 0.975, axis=0),
            p_share=np.where(usable > 0, (1 + (shares <= share).sum(axis=0)) / (usable + 1), np.nan),
            p_reversed=reversed_.sum(axis=0) / usable,
        )
