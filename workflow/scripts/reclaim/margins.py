"""Smallest effects that matter, fixed before data are read."""

from __future__ import annotations

import numpy as np

MARGIN = {
    "log2_fold_change": 0.5,
    "spearman_rho": 0.2,
    "log_hazard_ratio": float(np.log(1.2)),
    "log_hazard_ratio_groups": float(np.log(1.5)),
    "set_log2_fold_change": 0.25,
    "log_odds_ratio": float(np.log(1.5)),
    "gene_effect": 0.5,
    "gene_effect_difference": 0.5,
}
"""Smallest effect that matters, by effect name: hazard ratios 1.2 per SD and 1.5 between groups,
odds ratio 1.5, dependency 0.5 Chronos units."""
