"""Share of patients with an alteration, after the call-depth gate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reclaim.claim_tests import MutationFeature, MutationFrequency
from reclaim.evidence import Estimate, Setting
from reclaim.mutations import (
    Cohort,
    alterations,
    altered,
    assayed,
    depth_without_each_gene,
    non_silent,
    other_mutations,
)
from reclaim.proportions import clopper_pearson

METHOD = "share of patients, Clopper-Pearson interval"
EFFECT = "share"
CARRIERS_NAMED = 5


def mutation_frequency(test: MutationFrequency, cohort: Cohort, min_other_mutations: int) -> Estimate:
    """Share of the cohort's patients (one row each) that carry the alteration.

    The gate leaves out patients with fewer than `min_other_mutations` non-silent mutations outside
    the tested gene: there the caller may have missed the alteration too.
    """
    feature = test.feature
    genes = {feature.gene} | ({test.among.gene} if test.among else set())
    counts = assayed(cohort, feature)
    flags: list[str] = []
    if feature.copy_number and not counts.any():
        return Estimate(
            METHOD,
            feature.label,
            EFFECT,
            flags=("no_copy_number",),
            valid=False,
            note="This cohort has no discrete copy-number calls.",
        )
    if feature.gene not in cohort.genes:
        flags.append("gene_not_listed")
    carries = altered(cohort, feature)
    if test.among:
        counts = counts & altered(cohort, test.among)
    others = other_mutations(cohort, genes).to_numpy()
    deep = others >= (min_other_mutations if test.call_depth_gate else 0)
    shallow = counts & ~deep
    if shallow.any():
        flags.append("call_depth")
    n, k = int((counts & deep).sum()), int((counts & deep & carries).sum())
    groups: dict[str, int | float | str] = {
        "assayed": int(counts.sum()),
        "below_call_depth": int(shallow.sum()),
        "altered_below_call_depth": int((shallow & carries).sum()),
    }
    if n == 0:
        flags.append("no_denominator" if test.among else "no_patients")
        return Estimate(METHOD, feature.label, EFFECT, n=0, groups=groups, flags=tuple(flags), valid=False)
    low, high = clopper_pearson(k, n)
    return Estimate(
        METHOD,
        feature.label if test.among is None else f"{feature.label} among {test.among.label}",
        EFFECT,
        n=n,
        n_events=k,
        groups=groups,
        effect=k / n,
        ci_low=float(low),
        ci_high=float(high),
        flags=tuple(flags),
        note=_note(test, cohort, groups, min_other_mutations),
    )


def every_feature(
    test: MutationFrequency, cohort: Cohort, min_other_mutations: int, setting: Setting
) -> pd.DataFrame:
    """The same share for every comparable feature: all protein changes of the gene when the test
    names one, else all genes. Same gate, each gene left out of its own call depth."""
    feature = test.feature
    pairs, of_gene = _pairs(cohort, feature)
    counts = assayed(cohort, feature)
    if test.among:
        counts = counts & altered(cohort, test.among)
    samples = cohort.samples.loc[counts, "sample"]
    threshold = min_other_mutations if test.call_depth_gate else 0

    total, own = depth_without_each_gene(cohort, samples, {test.among.gene} if test.among else set())
    # A gene's own mutations do not count for its gate: only its carriers can fall below because of it.
    lost = own[(own["others"] < threshold) & (own["sample"].map(total) >= threshold)].groupby("gene").size()
    pairs = pairs[pairs["sample"].isin(samples)]
    pairs = pairs.merge(own, on=["gene", "sample"], how="left")
    depth = pairs["others"].fillna(pairs["sample"].map(total))
    carriers = pairs[depth >= threshold].groupby("feature").size()

    features = pd.Index(sorted(set(pairs["feature"]) | {feature.label}), name="feature")
    of_gene[feature.label] = feature.gene
    n = int((total >= threshold).sum()) - np.array([lost.get(of_gene[name], 0) for name in features])
    k = carriers.reindex(features, fill_value=0).to_numpy(int)
    low, high = clopper_pearson(k, n)
    return setting.table(
        METHOD,
        EFFECT,
        {
            "feature": features,
            "stratum": "all",
            "n": n,
            "n_events": k,
            "effect": np.divide(k, n, out=np.full(len(n), np.nan), where=n > 0),
            "ci_low": low,
            "ci_high": high,
        },
    )


def _pairs(cohort: Cohort, feature: MutationFeature) -> tuple[pd.DataFrame, dict[str, str]]:
    """Distinct carriers of every comparable feature, and the gene of each feature's label."""
    if feature.protein_change and not (feature.consequence or feature.copy_number):
        mutations = non_silent(cohort)
        mutations = mutations[(mutations["gene"] == feature.gene) & (mutations["protein_change"] != "")]
        each = mutations[["sample", "gene"]].assign(feature=feature.gene + " " + mutations["protein_change"])
        subject = alterations(cohort, feature).query("gene == @feature.gene").assign(feature=feature.label)
        pairs = pd.concat([each, subject])  # the subject may be several changes together
    else:
        pairs = alterations(cohort, feature)
        kind = feature.label.removeprefix(feature.gene)
        pairs["feature"] = pairs["gene"] + kind
    pairs = pairs.drop_duplicates(["sample", "feature"])
    return pairs, dict(zip(pairs["feature"], pairs["gene"], strict=True))


def _note(test: MutationFrequency, cohort: Cohort, groups: dict[str, int | float | str], minimum: int) -> str:
    parts = []
    if groups["below_call_depth"]:
        parts.append(
            f"Left out: {groups['below_call_depth']} of {groups['assayed']} patients with fewer than {minimum} "
            f"other non-silent mutations ({groups['altered_below_call_depth']} of them altered)."
        )
    uncounted = _carriers_of_other_changes(test.feature, cohort)
    if uncounted:
        parts.append(f"Other changes of {test.feature.gene}, not counted: {uncounted}.")
    return " ".join(parts)


def _carriers_of_other_changes(feature: MutationFeature, cohort: Cohort) -> str:
    """Patients with another non-silent change of the gene, where a narrow feature finds few."""
    if not (feature.consequence == "truncating" or feature.copy_number):
        return ""
    carriers = set(cohort.samples.loc[altered(cohort, feature), "sample"])
    mutations = non_silent(cohort)
    others_of_cohort = set(cohort.samples["sample"]) - carriers
    rest = mutations[(mutations["gene"] == feature.gene) & mutations["sample"].isin(others_of_cohort)]
    others = other_mutations(cohort, {feature.gene})
    patient = cohort.samples.set_index("sample")["patient"]
    named = [
        f"{patient[sample]} ({', '.join(sorted(changes))}; {others[sample]:,} other mutations)"
        for sample, changes in rest.groupby("sample")["protein_change"]
    ]
    more = f" and {len(named) - CARRIERS_NAMED} more patients" if len(named) > CARRIERS_NAMED else ""
    return ", ".join(named[:CARRIERS_NAMED]) + more


def genes_of(test: MutationFrequency) -> list[str]:
    """Genes that the test names."""
    return [test.feature.gene] + ([test.among.gene] if test.among else [])
