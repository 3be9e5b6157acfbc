"""Whether hazards are proportional, as Cox's model takes them to be."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd


def proportionality(value: np.ndarray, table: pd.DataFrame, covariates: pd.DataFrame) -> float | None:
    """p-value that the log hazard ratio of `value` is the same at all times; None where no model is found.

    Grambsch & Therneau (1994, doi 10.1093/biomet/81.3.515): scaled Schoenfeld residuals against 1 - Kaplan
    and Meier's curve, as R's cox.zph did before survival 3.0; the score test it has become gives nearly the
    same. `table` is that of a FollowUp, in which all samples enter at once: late entry changes no risk set.
    """
    from lifelines import CoxPHFitter  # type: ignore[import-untyped, unused-ignore]
    from lifelines.exceptions import ConvergenceError  # type: ignore[import-untyped, unused-ignore]
    from lifelines.statistics import proportional_hazard_test  # type: ignore[import-untyped, unused-ignore]

    columns = np.column_stack([covariates.to_numpy(float), value])
    columns = columns[:, np.ptp(columns, axis=0) > 0]
    model = pd.DataFrame((columns - columns.mean(axis=0)) / columns.std(axis=0, ddof=1))
    model["time"], model["event"] = table["time"].to_numpy(), table["event"].to_numpy()
    precise = {"precision": 1e-12, "r_precision": 1e-14}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fitted = CoxPHFitter().fit(model, "time", "event", fit_options=precise)
            found = proportional_hazard_test(fitted, model, time_transform="km")
        except (ConvergenceError, ValueError, np.linalg.LinAlgError):
            return None
    p_value = float(np.ravel(found.p_value)[-1])
    return p_value if np.isfinite(p_value) else None
