"""Odds ratios of two alterations over patients: exact, and adjusted for a covariate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize, root
from scipy.special import expit, log_expit

Floats = NDArray[np.float64]

SETTLED = 1e-6
"""Largest score, in patients, at which Firth's regression counts as settled."""


@dataclass(frozen=True)
class PairTable:
    """Fisher's exact test of two alterations. The odds ratio is the conditional maximum-likelihood
    estimate, as in R's fisher.test and maftools' somaticInteractions."""

    neither: int
    both: int
    only_first: int
    only_second: int
    odds_ratio: float
    ci_low: float
    ci_high: float
    p_value: float


def fisher_pair(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairTable:
    """Two-sided exact test over patients; both arrays have one entry per patient."""
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    table = np.array([[neither, only_second], [only_first, both]])
    result = stats.contingency.odds_ratio(table, kind="conditional")
    interval = result.confidence_interval(0.95)
    return PairTable(
        neither,
        both,
        only_first,
        only_second,
        float(result.statistic),
        float(interval.low),
        float(interval.high),
        float(stats.fisher_exact(table).pvalue),
    )


def firth_logistic(design: Floats, outcome: Floats) -> tuple[Floats, Floats]:
    """Coefficients and standard errors of a logistic regression with Jeffreys' penalty, which stays
    finite when an outcome never occurs in a group.

    `design` is n x p with its intercept, `outcome` n zeros and ones. The log-likelihood plus half the
    log determinant of the information is maximised (Firth 1993, doi 10.1093/biomet/80.1.27; Heinze &
    Schemper 2002, doi 10.1002/sim.1047), by BFGS, because Newton steps may run away in sparse data;
    standard errors are Wald's, from the information. Columns may have any scale. Raises
    numpy.linalg.LinAlgError for a rank-deficient design, or when no maximum is found.
    """
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise np.linalg.LinAlgError("the columns of the design depend on each other")
    orthogonal, triangle = np.linalg.qr(design)  # well-conditioned steps
    basis = orthogonal * np.sqrt(len(design))

    def objective(beta: Floats) -> tuple[float, Floats]:
        linear = basis @ beta
        p = expit(linear)
        weight = p * expit(-linear)
        information = basis.T @ (basis * weight[:, None])
        sign, log_determinant = np.linalg.slogdet(information)
        if sign <= 0 or not np.isfinite(log_determinant):
            return np.inf, np.zeros_like(beta)
        leverage = weight * np.einsum("ij,ji->i", basis, np.linalg.solve(information, basis.T))
        value = float((outcome * log_expit(linear) + (1 - outcome) * log_expit(-linear)).sum())
        score = basis.T @ (outcome - p + leverage * (0.5 - p))
        return -value - 0.5 * float(log_determinant), -score

    def score_at(beta: Floats) -> Floats:
        value, slope = objective(beta)
        return slope if np.isfinite(value) else np.full_like(beta, np.nan)

    # The maximiser comes near from anywhere; the root of the score is not limited by the rounding of
    # the likelihood.
    near = minimize(objective, np.zeros(design.shape[1]), jac=True, method="BFGS").x
    found = root(score_at, near, tol=1e-10)
    beta = found.x
    if not np.abs(score_at(beta)).max() <= SETTLED:  # also where it is not a number
        raise np.linalg.LinAlgError("Firth's regression found no maximum")
    weight = expit(basis @ beta) * expit(-basis @ beta)
    covariance = np.linalg.inv(design.T @ (design * weight[:, None]))
    coefficients = np.linalg.solve(triangle, beta) * np.sqrt(len(design))
    return coefficients, np.sqrt(np.diag(covariance))
