"""Share of samples in which a gene is measured at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reclaim.claim_tests import Detection
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate
from reclaim.proportions import clopper_pearson
from reclaim.selection import describe, select

if TYPE_CHECKING:
    import anndata

METHOD = "share of samples at or above the detection limit, Clopper-Pearson interval"
UNIT_WORDS = {
    "counts": "counts",
    "log2_intensity": "log2 intensity",
    "log2_tpm": "log2(TPM + 1)",
    "log2_normalised_count": "log2(normalised count + 1)",
}


def detection(test: Detection, data: anndata.AnnData) -> tuple[list[Estimate], pd.DataFrame]:
    """The share for the tested gene, and a table of all genes (feature, n, n_events, effect).

    A gene that the data set does not list was not looked for: its share is shown and invalid. Raises
    AbsentData when no sample is left.
    """
    chosen = data if not test.samples else data[np.asarray(select(data.obs, test.samples), bool)]
    if chosen.n_obs == 0:
        raise AbsentData(f"no sample meets: {describe(test.samples)}")
    seen = np.asarray((test.at_least <= chosen.X).sum(axis=0)).ravel().astype(int)
    n = chosen.n_obs
    table = pd.DataFrame({"feature": chosen.var_names, "n": n, "n_events": seen, "effect": seen / n})
    table.attrs = {"method": METHOD, "effect_name": "share"}
    gene = str(test.feature.gene)
    there = gene in chosen.var_names
    known = table.set_index("feature")["n_events"]
    k = int(known.get(gene, 0))
    low, high = clopper_pearson(k, n)
    return [
        Estimate(
            METHOD,
            gene,
            "share",
            n=n,
            n_events=k,
            groups={"limit": test.at_least, "unit": UNIT_WORDS[chosen.uns["unit"]]},
            effect=k / n,
            ci_low=float(low),
            ci_high=float(high),
            flags=() if there else ("not_on_platform",),
            note="" if there else f"{gene} is not among the {len(table):,} genes of this data set.",
            valid=there,
        )
    ], table
