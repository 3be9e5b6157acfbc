"""Of the groups that a ranking compares: how strongly genes are expressed before they respond, and how sure the
comparison is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from reclaim.analyses.differential_expression import log2_values, tested_samples
from reclaim.analyses.groups import comparisons, share_no_source
from reclaim.claim_tests import DifferentialExpression

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class Baseline:
    """`level`: by gene, the mean log2 value of the control group. The mean of both groups would tell of the response
    itself. `sizes`: samples of each group, by name; `flags`: what a test with this ranking inherits of it."""

    level: pd.Series[float]
    sizes: dict[str, int]
    flags: tuple[str, ...] = ()


def baselines(
    ranked_by: DifferentialExpression, data: anndata.AnnData, source_column: str | None = None
) -> dict[str, Baseline]:
    """One per stratum of the ranking that `ranked_by` makes of `data`.

    Flags are one_replicate and two_replicates, by the smallest group, and source_confounded, where case and control
    share no value of `source_column`. Raises AbsentData where the groups cannot be formed.
    """
    chosen = tested_samples(ranked_by, data)
    found = {}
    for one in comparisons(ranked_by, chosen.obs)[0]:
        values = log2_values(chosen[one.samples.index])
        level = pd.DataFrame(values[~one.case], columns=chosen.var_names).mean()
        flags = {1: ("one_replicate",), 2: ("two_replicates",)}.get(max(1, one.smallest_cell), ())
        if share_no_source(one, chosen.obs, source_column):
            flags = (*flags, "source_confounded")
        found[one.stratum] = Baseline(level, one.sizes, flags)
    return found
