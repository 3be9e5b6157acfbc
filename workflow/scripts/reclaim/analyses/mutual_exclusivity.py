"""Do two alterations exclude each other, or go together, over patients?"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reclaim.claim_tests import MutualExclusivity
from reclaim.evidence import Estimate, Setting
from reclaim.mutations import (
    Cohort,
    alterations,
    altered,
    assayed,
    depth_without_each_gene,
    other_mutations,
)
from reclaim.odds_ratios import firth_logistic, fisher_pair

EFFECT = "log_odds_ratio"
FEW_EXPECTED = 5


def mutual_exclusivity(test: MutualExclusivity, cohort: Cohort, min_other_mutations: int) -> Estimate:
    """Log odds ratio over patients assayed for both alterations and above the call-depth gate."""
    first, second = test.features
    label = f"{first.label} and {second.label}"
    method = (
        "Firth logistic regression on the other alteration and log10 mutation burden"
        if test.adjust == "burden"
        else "Fisher's exact test, conditional odds ratio"
    )
    counts = assayed(cohort, first) & assayed(cohort, second)
    if (first.copy_number or second.copy_number) and not counts.any():
        return Estimate(
            method,
            label,
            EFFECT,
            flags=("no_copy_number",),
            valid=False,
            note="This cohort has no discrete copy-number calls.",
        )
    others = other_mutations(cohort, {first.gene, second.gene}).to_numpy()
    deep = others >= (min_other_mutations if test.call_depth_gate else 0)
    keep = counts & deep
    a, b = altered(cohort, first)[keep], altered(cohort, second)[keep]
    n = int(keep.sum())
    pair = fisher_pair(a, b)
    groups: dict[str, int | float | str] = {
        "assayed": int(counts.sum()),
        "below_call_depth": int((counts & ~deep).sum()),
        "neither": pair.neither,
        "both": pair.both,
        "only_first": pair.only_first,
        "only_second": pair.only_second,
    }
    flags = [
        name
        for name, gene in (("gene_not_listed", first.gene), ("gene_not_listed", second.gene))
        if gene not in cohort.genes
    ]
    flags = list(dict.fromkeys(flags))
    if groups["below_call_depth"]:
        flags.append("call_depth")
    found = partial(Estimate, method, label, EFFECT, n=n, n_events=pair.both, groups=groups)
    if n == 0 or a.all() or b.all() or not a.any() or not b.any():
        flags.append("no_patients" if n == 0 else "single_class")
        note = f"{first.label}: {int(a.sum())} of {n} patients; {second.label}: {int(b.sum())} of {n}."
        return found(flags=tuple(flags), valid=False, note=note)
    if n * a.mean() * b.mean() < FEW_EXPECTED:
        flags.append("few_events")
    note = ""
    if test.adjust == "burden":
        design = np.column_stack([np.ones(n), a.astype(float), np.log10(others[keep] + 1)])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            note = "Not adjusted: the burden is the same for all, or follows the first alteration."
            design = design[:, :2]
        try:
            beta, se = firth_logistic(design, b.astype(float))
        except np.linalg.LinAlgError as failure:
            return found(flags=(*flags, "not_estimable"), valid=False, note=f"{failure}.")
        effect, error = float(beta[1]), float(se[1])
        low, high = effect - 1.96 * error, effect + 1.96 * error
        z = effect / error
        p_value = float(stats.norm.cdf(z) if test.expected == "negative" else stats.norm.sf(z))
    else:
        with np.errstate(divide="ignore"):
            effect, low, high = (float(np.log(x)) for x in (pair.odds_ratio, pair.ci_low, pair.ci_high))
        error = (high - low) / (2 * 1.96)
        p_value = pair.p_value
        note = "The p-value is two-sided."
        if not np.isfinite(effect):
            note += " A cell of the table is empty: no finite odds ratio, not pooled."
    return found(
        effect=_finite(effect),
        se=_finite(error),
        ci_low=_finite(low),
        ci_high=_finite(high),
        p_value=p_value,
        flags=tuple(flags),
        note=note,
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def every_partner(
    test: MutualExclusivity, cohort: Cohort, min_other_mutations: int, setting: Setting
) -> pd.DataFrame:
    """The first alteration against the same kind of alteration in every gene with at least five
    carriers: log odds ratio with half a patient added to each cell (Haldane 1956), unadjusted. Same
    gate, each partner left out of its own call depth; the subject's own partner is always listed."""
    first, second = test.features
    counts = assayed(cohort, first) & assayed(cohort, second)
    samples = cohort.samples.loc[counts, "sample"]
    carriers = pd.Series(altered(cohort, first)[counts], index=samples.to_numpy())
    threshold = min_other_mutations if test.call_depth_gate else 0
    total, own = depth_without_each_gene(cohort, samples, {first.gene})
    # A partner's own mutations do not count for its gate: only its carriers can fall below because of it.
    lost = own[(own["others"] < threshold) & (own["sample"].map(total) >= threshold)]
    pairs = alterations(cohort, second)
    partner = (pairs["gene"] != first.gene) | (pairs["gene"] == second.gene)
    pairs = pairs[pairs["sample"].isin(samples) & partner]
    pairs = pairs.merge(own, on=["gene", "sample"], how="left")
    pairs = pairs[pairs["others"].fillna(pairs["sample"].map(total)) >= threshold]
    size = pairs.groupby("gene").size()
    listed = sorted(set(size.index[size >= FEW_EXPECTED]) | {second.gene})

    def per_partner(table: pd.DataFrame, with_first: bool = False) -> NDArray[np.integer]:
        rows = table[table["sample"].map(carriers).astype(bool)] if with_first else table
        return rows.groupby("gene").size().reindex(listed, fill_value=0).to_numpy(np.int64)

    deep = total >= threshold
    n = int(deep.sum()) - per_partner(lost)
    both = per_partner(pairs, with_first=True)
    only_second = per_partner(pairs) - both
    only_first = int((deep & carriers).sum()) - per_partner(lost, with_first=True) - both
    neither = n - both - only_second - only_first
    cells = [cell + 0.5 for cell in (neither, both, only_first, only_second)]
    # Where all patients, or none, have one of the two there is nothing to estimate.
    with_first, with_second = both + only_first, both + only_second
    known = (with_first > 0) & (with_first < n) & (with_second > 0) & (with_second < n)
    effect = np.where(known, np.log(cells[0] * cells[1] / (cells[2] * cells[3])), np.nan)
    se = np.where(known, np.sqrt(sum(1 / cell for cell in cells)), np.nan)
    kind = second.label.removeprefix(second.gene)
    return setting.table(
        "log odds ratio, half a patient added to each cell",
        EFFECT,
        {
            "feature": [f"{first.label} and {gene}{kind}" for gene in listed],
            "stratum": "all",
            "n": n,
            "n_events": both,
            "effect": effect,
            "se": se,
            "ci_low": effect - 1.96 * se,
            "ci_high": effect + 1.96 * se,
        },
    )


def genes_of(test: MutualExclusivity) -> list[str]:
    """Genes that the test names."""
    return [feature.gene for feature in test.features]
