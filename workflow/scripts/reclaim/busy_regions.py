"""How closely a factor follows busy regions: those that many other factors bind."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from reclaim.region_universe import Occupancy

FEWEST_NUMBERS = 3
"""Different numbers of others that a slope needs."""


def busy_slopes(occupancy: Occupancy, query: int) -> NDArray[np.float64]:
    """One slope per column: by how much the log odds of a peak rise per unit of log(1 + others), over regions that
    another column binds; others is the number of columns with a peak there beside this one and the query, with which a
    partner may well go. The query's own entry counts all others.

    Two factors that follow busy regions closely meet there, whatever they have to do with each other, and strata of a
    count that is itself an estimate do not level out all of it. A logistic regression on counts of regions; 0 is a factor
    that does not mind, NaN one with too few numbers of others, or in all regions or none.
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    total = occupancy.columns_per_region() - occupancy.present(query)
    found = np.full(occupancy.n_columns, np.nan)
    for column in range(occupancy.n_columns):
        present = occupancy.present(column)
        others = total - present if column != query else total
        number = np.bincount(others)
        with_peak = np.bincount(others[present], minlength=len(number))
        there = np.flatnonzero(number[1:] > 0) + 1
        bound, unbound = with_peak[there], (number - with_peak)[there]
        if len(there) < FEWEST_NUMBERS or not bound.any() or not unbound.any():
            continue
        design = np.column_stack([np.ones(len(there)), np.log1p(there)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PerfectSeparationWarning)
            fit = GLM(np.column_stack([bound, unbound]), design, family=Binomial()).fit()
        found[column] = fit.params[1]
    return found
