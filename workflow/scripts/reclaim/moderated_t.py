"""Differential expression of log intensities: Smyth's moderated t for any linear model.

Every feature's residual variance is drawn towards a prior that all features share (Smyth 2004,
doi 10.2202/1544-6115.1027), as limma 3.54 does: `trend` lets the prior follow the mean log intensity
(Law 2014, doi 10.1186/gb-2014-15-2-r29), `robust` gives outlying variances a weaker prior (Phipson 2016,
doi 10.1214/16-AOAS920). Values are samples x features, log2; NaN is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import interpolate, optimize, special, stats

Floats = NDArray[np.float64]

FEATURES_AT_A_TIME = 4000
FEWEST_FOR_ROBUST_TREND = 200
SINGULAR = 1e-7
"""Columns, scaled to length 1, count as dependent below this singular value, relative to the largest."""


def moderated_t(
    values: ArrayLike, design: ArrayLike, contrast: ArrayLike, *, trend: bool = False, robust: bool = False
) -> pd.DataFrame:
    """Moderated t of one contrast for every feature, one row each, in the order of the columns.

    `values` is samples x features, `design` samples x coefficients, `contrast` one weight per
    coefficient. Columns: effect (log2), se (of the moderated t), df_total, statistic, p_value
    (two-sided), q_value (Benjamini-Hochberg), ci_low and ci_high (95 %), n (samples with a value), mean
    (log2), prior_df, prior_variance. A feature with missing values is fitted on its own samples, and is
    NaN where these cannot tell the contrast; one without residual degrees of freedom has its variance
    from the prior alone. Contrasts are exact also with missing values, where limma's contrasts.fit is
    approximate. Raises LinAlgError for a rank-deficient design or one without residual degrees of
    freedom, or where most features are constant, ValueError for shapes that do not fit, for infinite
    values, and for `trend` with `robust` on fewer than 200 features: the running line is statsmodels'
    lowess, which is R's to 1e-7 on thousands of features, to 1e-4 on hundreds, and not on dozens.
    """
    y, x, weights = (np.asarray(array, np.float64) for array in (values, design, contrast))
    _check(y, x, weights)
    fit = _linear_fits(y, x, weights)
    if trend and robust and (fit.df > 0).sum() < FEWEST_FOR_ROBUST_TREND:
        raise ValueError(f"a robust trend needs {FEWEST_FOR_ROBUST_TREND} features; leave out one of the two")
    prior_variance, prior_df = _prior(fit, trend, robust)
    return _moderated(fit, prior_variance, prior_df)


def t_with_prior(
    values: ArrayLike,
    design: ArrayLike,
    contrast: ArrayLike,
    prior_variance: float = 1.0,
    prior_df: float = 0.0,
) -> pd.DataFrame:
    """Moderated t of every column of `values` under one known prior; without one (`prior_df` 0) the ordinary
    t of a linear model. Arguments, columns and errors as in `moderated_t`."""
    y, x, weights = (np.asarray(array, np.float64) for array in (values, design, contrast))
    _check(y, x, weights)
    fit = _linear_fits(y, x, weights)
    features = len(fit.df)
    return _moderated(fit, np.full(features, prior_variance), np.full(features, prior_df), pooled_df=np.inf)


def _moderated(
    fit: _Fits, prior_variance: Floats, prior_df: Floats, pooled_df: float | None = None
) -> pd.DataFrame:
    """The table of `moderated_t`. No t has more degrees of freedom than all features have together."""
    df_total = np.minimum(fit.df + prior_df, fit.df.sum() if pooled_df is None else pooled_df)
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = np.where(np.isinf(prior_df), 1.0, prior_df / (fit.df + prior_df))
        variance = prior_variance * pull + np.where(fit.df > 0, fit.variance, 0.0) * (1 - pull)
        se = np.sqrt(variance) * fit.unscaled_sd
        statistic = fit.effect / se
    reach = stats.t.ppf(0.975, df_total) * se
    p_value = np.asarray(2 * stats.t.sf(np.abs(statistic), df_total), np.float64)
    return pd.DataFrame(
        {
            "effect": fit.effect,
            "se": se,
            "df_total": df_total,
            "statistic": statistic,
            "p_value": p_value,
            "q_value": benjamini_hochberg(p_value),
            "ci_low": fit.effect - reach,
            "ci_high": fit.effect + reach,
            "n": fit.n,
            "mean": fit.mean,
            "prior_df": prior_df,
            "prior_variance": prior_variance,
        }
    )


def paired_design(case: ArrayLike, pair: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Design with one column per pair and a last one for the case arm, and the contrast case - reference.

    `case` has one truth value per sample, `pair` its pair's id. A pair with only one arm adds a column
    and no information. Raises ValueError when no pair has both arms.
    """
    arm = np.asarray(case, bool)
    codes, pairs = pd.factorize(np.asarray(pair, object))
    if len(codes) != len(arm) or (codes < 0).any():
        raise ValueError(f"{len(arm)} samples need one pair id each; found {(codes >= 0).sum()}")
    if not np.intersect1d(codes[arm], codes[~arm]).size:
        raise ValueError("no pair has both a case and a reference sample")
    design = np.column_stack([codes[:, None] == np.arange(len(pairs)), arm]).astype(float)
    contrast = np.zeros(design.shape[1])
    contrast[-1] = 1
    return design, contrast


def average_duplicates(values: ArrayLike, ids: Sequence[Hashable]) -> tuple[Floats, list[Hashable]]:
    """Mean over features of the same id, in the order of first appearance; NaN is left out (limma's
    avereps). `values` is samples x features; returns samples x ids, and the ids."""
    y = np.asarray(values, np.float64)
    codes, unique = pd.factorize(np.asarray(ids, object), use_na_sentinel=False)
    if len(codes) != y.shape[1]:
        raise ValueError(f"{y.shape[1]} features need one id each; found {len(codes)}")
    means = pd.DataFrame(y.T).groupby(codes, sort=False).mean()
    return np.ascontiguousarray(means.to_numpy(float).T), list(unique)


def benjamini_hochberg(p_value: Floats) -> Floats:
    """False discovery rate (Benjamini & Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x); NaN
    stays NaN and does not count as a test."""
    known = ~np.isnan(p_value)
    q = np.full(len(p_value), np.nan)
    q[known] = stats.false_discovery_control(p_value[known])
    return q


def _check(y: Floats, x: Floats, weights: Floats) -> None:
    if y.ndim != 2 or x.ndim != 2 or weights.ndim != 1:
        raise ValueError("values and design are two-dimensional, the contrast has one dimension")
    if len(x) != len(y) or x.shape[1] != len(weights):
        raise ValueError(f"values {y.shape}, design {x.shape} and contrast {weights.shape} do not fit")
    if np.isinf(y).any() or not np.isfinite(x).all() or not np.isfinite(weights).all() or not weights.any():
        raise ValueError("values may be missing but not infinite; design and contrast are finite, not all 0")
    rank = _Solved.of(x, weights).rank
    if rank < x.shape[1]:
        raise np.linalg.LinAlgError("the columns of the design depend on each other")
    if rank == len(x):
        raise np.linalg.LinAlgError(
            f"{len(x)} samples leave {rank} coefficients no residual degree of freedom"
        )


# Least squares


@dataclass(frozen=True)
class _Fits:
    """One entry per feature."""

    effect: Floats
    unscaled_sd: Floats
    variance: Floats
    df: Floats
    mean: Floats
    n: NDArray[np.int64]


@dataclass(frozen=True)
class _Solved:
    """A design: orthogonal basis of its columns, and the contrast in that basis (NaN when it is not
    estimable)."""

    basis: Floats
    weights: Floats
    rank: int

    @classmethod
    def of(cls, design: Floats, contrast: Floats) -> _Solved:
        length = np.linalg.norm(design, axis=0)
        length[length == 0] = 1
        left, singular, right = np.linalg.svd(design / length, full_matrices=False)
        kept = singular > SINGULAR * singular.max(initial=0.0)
        target = contrast / length
        shadow = right[kept] @ target
        estimable = np.linalg.norm(target - right[kept].T @ shadow) <= SINGULAR * np.linalg.norm(target)
        return cls(left[:, kept], shadow / singular[kept] * (1 if estimable else np.nan), int(kept.sum()))


def _linear_fits(y: Floats, design: Floats, contrast: Floats) -> _Fits:
    """Features with values in the same samples are fitted together."""
    features = y.shape[1]
    effect, unscaled, variance, mean = (np.full(features, np.nan) for _ in range(4))
    df, n = np.zeros(features), np.zeros(features, np.int64)
    seen = ~np.isnan(y)
    if seen.all():
        groups = [np.arange(features)]
    else:
        _, codes = np.unique(np.packbits(seen, axis=0), axis=1, return_inverse=True)
        order = np.argsort(codes, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    for group in groups:
        rows = seen[:, group[0]] if len(group) else np.ones(len(y), bool)
        if not rows.any():
            continue
        solved = _Solved.of(design[rows], contrast)
        n[group], df[group] = rows.sum(), rows.sum() - solved.rank
        unscaled[group] = np.linalg.norm(solved.weights)
        for start in range(0, len(group), FEATURES_AT_A_TIME):
            part = group[start : start + FEATURES_AT_A_TIME]
            here = y[np.ix_(rows, part)]
            scores = solved.basis.T @ here
            effect[part], mean[part] = solved.weights @ scores, here.mean(axis=0)
            if df[group[0]] > 0:
                variance[part] = ((here - solved.basis @ scores) ** 2).sum(axis=0) / df[group[0]]
                rounding = (1e-14 * np.abs(here).max(axis=0)) ** 2
                variance[part] = np.where(variance[part] <= rounding, 0.0, variance[part])
    return _Fits(effect, unscaled, variance, df, mean, n)


# The prior of the variances: s^2 ~ s0^2 F(df, df0)


def _prior(fit: _Fits, trend: bool, robust: bool) -> tuple[Floats, Floats]:
    """Prior variance and degrees of freedom of every feature (limma's squeezeVar). Features without
    residual degrees of freedom say nothing about the prior and get theirs from the others."""
    scale, df0 = np.full(len(fit.df), np.nan), np.full(len(fit.df), np.nan)
    tells, rest = fit.df > 0, (fit.df == 0) & (fit.n > 0)
    if tells.sum() < 2:
        scale[tells], df0[tells] = fit.variance[tells], 0.0
        return scale, df0
    if np.median(fit.variance[tells]) == 0:
        raise np.linalg.LinAlgError("more than half of the features do not vary: leave out what is constant")
    covariate = fit.mean if trend else np.zeros(len(fit.df))
    curve, common_df0 = _fit_f(fit.variance[tells], fit.df[tells], covariate[tells])
    scale[tells], scale[rest] = curve(covariate[tells]), curve(covariate[rest])
    df0[tells], df0[rest] = common_df0, common_df0
    if robust and tells.sum() >= 10:  # of fewer variances none lies in the tails
        scale[tells], df0[tells], df0[rest] = _fit_f_robustly(
            fit.variance[tells], fit.df[tells], covariate[tells], scale[tells], common_df0
        )
        along = pd.Series(np.log(scale[tells])).groupby(covariate[tells]).mean()
        scale[rest] = np.exp(np.interp(covariate[rest], along.index.to_numpy(float), along.to_numpy(float)))
    return scale, df0


def _fit_f(s2: Floats, df: Floats, covariate: Floats) -> tuple[Callable[[Floats], Floats], float]:
    """Moments of log variances (Smyth 2004, section 6.2; limma's fitFDist): the prior variance as a
    function of the covariate, and the prior degrees of freedom. A constant covariate is none."""
    s2 = np.maximum(s2, 1e-5 * np.median(s2))
    e = np.log(s2) - special.digamma(df / 2) + np.log(df / 2)
    columns = 1 + (len(e) >= 3) + (len(e) >= 6) + (len(e) >= 30)
    columns = min(columns, len(np.unique(covariate)))
    spline = _natural_spline(covariate, columns)
    beta, _, rank, _ = np.linalg.lstsq(spline(covariate), e, rcond=SINGULAR)
    spread = float(((e - spline(covariate) @ beta) ** 2).sum()) / (len(e) - int(rank))
    excess = spread - float(special.polygamma(1, df / 2).mean())
    if excess > 0:
        df0 = 2 * trigamma_inverse(excess)
        shift = float(special.digamma(df0 / 2) - np.log(df0 / 2))
    else:
        df0 = np.inf
        shift = 0.0 if columns > 1 else float(np.log(s2.mean()) - e.mean())
    return lambda at: np.exp(spline(at) @ beta + shift), df0


def trigamma_inverse(value: float) -> float:
    """The y with trigamma(y) = value > 0, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y


def _natural_spline(covariate: Floats, columns: int) -> Callable[[Floats], Floats]:
    """Basis of the cubic splines that are linear beyond the data, with knots at quantiles (R's
    splines::ns with an intercept); one column is a constant."""
    if columns == 1:
        return lambda at: np.ones((len(at), 1))
    low, high = float(covariate.min()), float(covariate.max())
    inner = np.quantile(covariate, np.linspace(0, 1, columns)[1:-1])
    knots = np.sort(np.concatenate([np.repeat([low, high], 4), inner]))
    cubic = interpolate.BSpline(knots, np.eye(len(knots) - 4), 3)
    ends, slopes, bends = (cubic([low, high], nu=nu) for nu in range(3))
    linear_ends = np.linalg.svd(bends)[2][2:].T

    def basis(at: Floats) -> Floats:
        inside = np.clip(at, low, high)
        at_end = (at > high).astype(int)
        outside = (at - inside)[:, None]
        value = np.where(outside == 0, cubic(inside), ends[at_end] + outside * slopes[at_end])
        return np.asarray(value @ linear_ends)

    return basis


WINSORIZED = (0.05, 0.1)
"""Shares of log variances that are winsorized below and above."""


def _fit_f_robustly(
    s2: Floats, df: Floats, covariate: Floats, plain_scale: Floats, plain_df0: float
) -> tuple[Floats, Floats, float]:
    """Prior variance and degrees of freedom per feature, and those of a feature that is no outlier
    (Phipson 2016; limma's fitFDistRobustly)."""
    n = len(s2)
    s2 = np.maximum(s2, np.median(s2) * 1e-12)
    df1 = float(df.max())
    fewer = df < df1 - 1e-14
    if fewer.any():  # to the same tail probability at the largest df
        ratio = s2[fewer] / plain_scale[fewer]
        old, new = _f(df[fewer], plain_df0), _f(df1, plain_df0)
        upper, lower = old.sf(ratio), old.cdf(ratio)
        s2[fewer] = plain_scale[fewer] * np.where(upper < lower, new.isf(upper), new.ppf(lower))
    z = np.log(s2)
    if np.ptp(covariate) == 0:
        centre = np.full(n, stats.trim_mean(z, WINSORIZED[1]))
    else:
        from statsmodels.nonparametric.smoothers_lowess import lowess

        delta = 0.01 * np.ptp(covariate)
        centre = lowess(z, covariate, frac=0.4, it=3, delta=delta, return_sorted=False)
    winsorized = np.clip(z - centre, *np.quantile(z - centre, [WINSORIZED[0], 1 - WINSORIZED[1]]))
    observed = float(winsorized.var(ddof=1))

    def excess(link: float) -> float:
        return float(np.log(observed / _winsorized_moments(_f(df1, _unlink(link)))[1]))

    if excess(1.0) <= 0:
        df0 = np.inf
    elif np.isinf(plain_df0):
        return plain_scale, np.full(n, plain_df0), plain_df0
    else:
        least = plain_df0 / (1 + plain_df0)
        df0 = plain_df0 if excess(least) >= 0 else _unlink(optimize.brentq(excess, least, 1.0, xtol=1e-13))
    centre = centre + winsorized.mean() - _winsorized_moments(_f(df1, df0))[0]
    f = np.exp(z - centre)
    with np.errstate(divide="ignore"):
        log_tail = np.log(_f(df1, df0).sf(f))
    expected = np.log(n - stats.rankdata(f) + 0.5) - np.log(n)
    log_regular = np.minimum(log_tail - expected, 0)
    return np.exp(centre), _outlier_df0(f, df1, df0, log_tail, np.exp(log_regular)), df0


def _outlier_df0(f: Floats, df1: float, df0: float, log_tail: Floats, regular: Floats) -> Floats:
    """Prior degrees of freedom per feature, falling with the probability of being an outlier."""
    n = len(f)
    if (regular >= 1).all():
        return np.full(n, df0)
    order = np.argsort(log_tail, kind="stable")
    own = np.empty(n)
    if np.isinf(df0):
        shrunk = np.where(regular < 1, regular * n * df1, np.inf)
        own[order] = np.maximum.accumulate(shrunk[order])
        return own
    least = 0.0
    if np.isfinite(log_tail.min()):
        least = np.log(0.5) / log_tail.min() * df0
        least *= np.log(0.5) / np.log(_f(df1, least).sf(np.array(f.max())))
    shrunk = (regular * df0 + (1 - regular) * least)[order]
    means = np.cumsum(shrunk) / np.arange(1, n + 1)
    lowest = int(np.argmin(means))
    shrunk[: lowest + 1] = means[lowest]
    own[order] = np.maximum.accumulate(shrunk)
    return own


def _f(df1: float | Floats, df2: float) -> Any:
    """The F distribution; with infinite `df2` a scaled chi-squared one."""
    return stats.chi2(df1, scale=1 / df1) if np.isinf(df2) else stats.f(df1, df2)


def _winsorized_moments(f: Any) -> tuple[float, float]:
    """Mean and variance of log f, winsorized, by Gauss' quadrature on f / (1 + f)."""
    nodes, weights = np.polynomial.legendre.leggauss(128)
    ends = f.ppf(np.array([WINSORIZED[0], 1 - WINSORIZED[1]]))
    low, high = ends / (1 + ends)
    link = low + (high - low) * (nodes + 1) / 2
    at = link / (1 - link)
    density = (high - low) * weights / 2 * f.pdf(at) / (1 - link) ** 2
    tails = np.array(WINSORIZED)
    mean = float(density @ np.log(at) + tails @ np.log(ends))
    return mean, float(density @ (np.log(at) - mean) ** 2 + tails @ (np.log(ends) - mean) ** 2)


def _unlink(link: float) -> float:
    return link / (1 - link) if link < 1 else np.inf
