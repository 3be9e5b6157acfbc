"""Do genes that a factor binds near respond to a perturbation more often than others?

Bound genes are expressed genes with open promoters, and only expressed genes have the reads to be called. So genes
are compared with those that are as strongly expressed, and that as many peaks of other factors surround.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reclaim.analyses.baseline import Baseline
from reclaim.analyses.differential_expression import one_sided
from reclaim.claim_tests import BoundAndDeregulated
from reclaim.dataset_base import TierName
from reclaim.errors import AbsentData
from reclaim.evidence import MDE_FACTOR, Estimate, note_of
from reclaim.gene_strata import BIOTYPE, gene_strata
from reclaim.mantel_haenszel import MantelHaenszel, mantel_haenszel
from reclaim.rank_product import rank_product
from reclaim.regions import Binding, check_antigens
from reclaim.targets import DISTAL_BP, gene_starts, near_genes, peaks_around, peaks_of, target_table

EFFECT, SCORE = "log_odds_ratio", "normalised_enrichment_score"
METHODS = {
    "strata": "Mantel-Haenszel odds ratio over strata of expression and of other peaks near the gene",
    "fisher": "Fisher's exact test, conditional odds ratio",
    "prerank": "gene set enrichment of the bound genes, multilevel p-values (gseapy)",
}
FEWEST_INFORMATIVE = 5
"""Variance of the number of bound genes that respond, were the two unrelated: below it an interval by the normal
distribution says nothing."""
FEWEST_BOUND = 5
"""A smaller set has no enrichment score."""
SHOWN = 5
"""Genes with the smallest rank products, which the note names."""
BOUND, NOT_BOUND = "bound", "not bound"


def bound_and_deregulated(
    test: BoundAndDeregulated,
    binding: Binding,
    ranking: pd.DataFrame,
    baseline: Mapping[str, Baseline],
    annotation: pd.DataFrame,
    tier: TierName,
    seed: int,
) -> tuple[list[Estimate], pd.DataFrame]:
    """One estimate of the query per stratum of the ranking, and one row of full results per gene.

    `ranking` is the full result of a comparison of two groups (feature, stratum, effect, statistic, p_value, q_value),
    `baseline` has its strata, `annotation` one row per transcript (as GENCODE's). Genes are those of BIOTYPE that are
    measured (have a p-value) and have a place; bound are those with a peak of any experiment of the query at most
    `window_bp` from a start. Full results hold the response of each gene (effect, p_value, q_value), in `statistic` its
    rank product, in `n` and `n_events` peaks in the window and distal ones; `stratum` is bound or not bound, after the
    ranking's own stratum where it has several. p-values of estimates are one-sided, as claimed. Raises AbsentData
    without an experiment of the query, for a ranking without results, and when no gene of it has a place.
    """
    check_antigens(binding.experiments, [test.query])
    if ranking.empty:
        raise AbsentData("the test that ranks the genes has no result on this data set")
    starts = gene_starts(annotation)
    starts = starts[starts["biotype"] == BIOTYPE]
    places = _places(test, binding, starts)
    estimates, tables = [], []
    strata = ranking.groupby("stratum", sort=False)
    for stratum, ranked in strata:
        before = baseline[str(stratum)]
        base = Estimate(
            METHODS[test.method],
            test.query,
            SCORE if test.method == "prerank" else EFFECT,
            groups={**before.sizes},
            stratum=str(stratum),
            tier=tier,
            flags=before.flags,
        )
        if ranked["p_value"].isna().all():
            estimates.append(_without_p_values(base))
            continue
        genes = _genes(test, ranked, places, before)
        found = _with_counts(base, test, genes)
        if test.method == "prerank":
            found = _prerank(test, found, genes, seed)
        else:
            found = _odds_ratio(test, found, genes)
        alone = (places["others"] == 0).all() and test.method == "strata"
        told = (
            "No peak of another antigen is near a gene: strata are those of expression alone."
            if alone
            else ""
        )
        estimates.append(replace(found, note=note_of(found.note, _told(genes), told, _top(genes))))
        tables.append(_full_results(genes, "" if len(strata) == 1 else f"{stratum}, "))
    table = pd.concat(tables, ignore_index=True) if tables else _full_results(_no_genes(places), "")
    table.attrs = {"method": METHODS[test.method], "effect_name": "log2_fold_change"}
    return estimates, table


def _places(test: BoundAndDeregulated, binding: Binding, starts: pd.DataFrame) -> pd.DataFrame:
    """By symbol, what lies around each gene: within (peaks in the window), distal and potential of the query, and others
    (peaks of all other antigens in the window)."""
    symbols = pd.Index(np.unique(starts["symbol"].astype(object)))
    pairs = near_genes(starts, peaks_of(binding, [test.query]), max(DISTAL_BP, test.window_bp))
    around = target_table(symbols, pairs[pairs["distance"] <= DISTAL_BP])
    row = symbols.get_indexer(pd.Index(pairs.loc[pairs["distance"] <= test.window_bp, "symbol"]))
    experiments = binding.experiments
    others = experiments.loc[experiments["antigen"] != test.query, "experiment"]
    regions = binding.regions[binding.regions["experiment"].isin(others)]
    return pd.DataFrame(
        {
            "within": np.bincount(row, minlength=len(symbols)),
            "distal": around["distal"],
            "potential": around["potential"],
            "others": peaks_around(starts, regions, test.window_bp).reindex(symbols),
        },
        index=symbols,
    )


def _genes(
    test: BoundAndDeregulated, ranked: pd.DataFrame, places: pd.DataFrame, before: Baseline
) -> pd.DataFrame:
    """Measured genes that have a place, by symbol: their response, what is bound, and their stratum."""
    genes = called(test, ranked).join(places, how="inner")
    if genes.empty:
        raise AbsentData(
            f"none of the {ranked['p_value'].notna().sum():,} measured genes is a protein-coding gene of the annotation by "
            "its symbol"
        )
    claimed = -1 if test.response == "falls" else 1
    return genes.assign(
        bound=genes["within"] > 0,
        alike=gene_strata(before.level.reindex(genes.index), genes["others"]),
        rank_product=rank_product(genes["potential"], claimed * genes["statistic"]),
    )


def called(test: BoundAndDeregulated, ranked: pd.DataFrame) -> pd.DataFrame:
    """Measured genes of a ranking, by symbol: effect, statistic, p_value and q_value, and whether they fall or rise."""
    response = ranked.set_index("feature")[["effect", "statistic", "p_value", "q_value"]].astype(float)
    response = response[response["p_value"].notna()]
    responds = response["q_value"] < test.max_q
    return response.assign(
        falls=responds & (response["effect"] < 0), rises=responds & (response["effect"] > 0)
    )


def association(test: BoundAndDeregulated, genes: pd.DataFrame) -> MantelHaenszel:
    """Odds ratio between columns bound and falls (or rises), within strata of `alike` unless the test has none; one
    entry. `genes` as `called` gives them, with bound and alike."""
    counted = _counted(test, genes)
    bound, responds = (counted[name].to_numpy(bool) for name in ("bound", test.response))
    stratum = counted["alike"].to_numpy() if test.method == "strata" else np.zeros(len(counted), np.int64)
    return _over(stratum, bound, responds)


def _counted(test: BoundAndDeregulated, genes: pd.DataFrame) -> pd.DataFrame:
    """The genes that are compared with each other."""
    return genes[genes["falls"] | genes["rises"]] if test.among == "responding" else genes


def _with_counts(base: Estimate, test: BoundAndDeregulated, genes: pd.DataFrame) -> Estimate:
    """With n, n_events and groups, of the genes that are compared."""
    counted = _counted(test, genes)
    groups = {name: int(counted[name].sum()) for name in ("bound", "falls", "rises")}
    both = int((counted["bound"] & counted[test.response]).sum())
    return replace(base, n=len(counted), n_events=both, groups={**groups, **base.groups})


def _odds_ratio(test: BoundAndDeregulated, found: Estimate, genes: pd.DataFrame) -> Estimate:
    """With effect, interval and p-value where there are genes enough for them and the odds ratio is finite."""
    counted = _counted(test, genes)
    bound, responds = (counted[name].to_numpy(bool) for name in ("bound", test.response))
    adjusted = association(test, genes)
    null_se, effect, reason = float(adjusted.null_se[0]), float(adjusted.effect[0]), str(adjusted.reason[0])
    if null_se**-2 < FEWEST_INFORMATIVE:
        told = (
            f"Odds ratios below {np.exp(MDE_FACTOR * null_se):.3g} could be missed."
            if np.isfinite(null_se)
            else f"No odds ratio: {reason}."
        )
        return replace(found, flags=(*found.flags, "underpowered"), note=told)
    if not np.isfinite(effect):
        return replace(found, flags=(*found.flags, "not_estimable"), note=f"No odds ratio: {reason}.")
    if test.method == "fisher":
        return found.with_numbers(*_exact(bound, responds, test.expected))
    crude = np.exp(float(_over(np.zeros(len(counted), np.int64), bound, responds).effect[0]))
    numbers = {
        name: float(getattr(adjusted, name)[0]) for name in ("effect", "se", "ci_low", "ci_high", "statistic")
    }
    p_value = one_sided(float(adjusted.p_value[0]), effect, test.expected)
    told = f"Odds ratio {np.exp(effect):.3g}, without strata {crude:.3g}."
    return replace(found.with_numbers(numbers, p_value), note=told)


def _over(
    stratum: NDArray[np.int64], bound: NDArray[np.bool_], responds: NDArray[np.bool_]
) -> MantelHaenszel:
    """The common odds ratio over strata; one entry per gene."""
    n = int(stratum.max(initial=0)) + 1
    cell = 4 * stratum + 2 * ~bound + ~responds
    return mantel_haenszel(np.bincount(cell, minlength=4 * n).reshape(1, n, 2, 2))


def _exact(
    bound: NDArray[np.bool_], responds: NDArray[np.bool_], expected: str
) -> tuple[dict[str, float], float]:
    """Numbers of Fisher's exact test, its standard error that of the interval, and its p-value in the claimed direction."""
    from reclaim.odds_ratios import fisher_pair

    pair = fisher_pair(bound, responds)
    effect, low, high = (float(np.log(value)) for value in (pair.odds_ratio, pair.ci_low, pair.ci_high))
    margins = (len(bound), int(bound.sum()), int(responds.sum()))
    p_value = float(
        stats.hypergeom.cdf(pair.both, *margins)
        if expected == "negative"
        else stats.hypergeom.sf(pair.both - 1, *margins)
    )
    return {"effect": effect, "se": (high - low) / (2 * 1.96), "ci_low": low, "ci_high": high}, p_value


def _prerank(test: BoundAndDeregulated, found: Estimate, genes: pd.DataFrame, seed: int) -> Estimate:
    """With the score of the bound genes in the ranking by statistic: below 0 where they fall, whatever was claimed."""
    from reclaim.enrichment import prerank

    n_bound, limit = int(genes["bound"].sum()), len(genes) - 1
    if not FEWEST_BOUND <= n_bound <= limit:
        told = f"{n_bound:,} bound genes have no score: {FEWEST_BOUND} to {limit:,} would."
        return replace(found, flags=(*found.flags, "not_estimable"), note=told)
    members = {test.query: list(genes.index[genes["bound"]])}
    try:
        row = prerank(
            genes["statistic"], members, seed=seed, min_size=FEWEST_BOUND, max_size=limit
        ).table.iloc[0]
    except ValueError as reason:
        raise AbsentData(f"the genes of {found.stratum} cannot be ranked: {reason}") from None
    score, p_value = float(row["nes"]), float(row["p_value"])
    if not np.isfinite(score):
        told = "Hardly any random set of genes scores on the side of the bound genes: no score."
        return replace(found, flags=(*found.flags, "not_estimable"), note=told)
    down = (test.response == "falls") == (test.expected == "positive")
    # The p-value is that of the side the score is on.
    found = found.with_numbers(
        {"effect": score, "statistic": float(row["es"])}, p_value if (score < 0) == down else 1.0
    )
    return replace(found, note=f"Claimed: a score {'below' if down else 'above'} 0.")


def _without_p_values(base: Estimate) -> Estimate:
    """A ranking by direction alone: nothing says which genes respond."""
    single = "one_replicate" in base.flags
    flags = base.flags if single else (*base.flags, "not_estimable")
    reason = "a group has a single sample" if single else "its model could not be fitted"
    return replace(base, flags=flags, note=f"The ranking has no p-values ({reason}): no gene can be called.")


def _told(genes: pd.DataFrame) -> str:
    """How many genes there are of each kind."""
    falls, rises, bound = (genes[name] for name in ("falls", "rises", "bound"))
    return (
        f"Measured genes: {len(genes):,}; bound: {bound.sum():,}; falling: {falls.sum():,}, {(bound & falls).sum():,} of "
        f"them bound; rising: {rises.sum():,}, {(bound & rises).sum():,} of them bound."
    )


def _top(genes: pd.DataFrame) -> str:
    """The genes that are most likely direct targets."""
    ranked = genes["rank_product"].dropna().sort_index().sort_values(kind="stable")
    names = ", ".join(map(str, ranked.index[:SHOWN]))
    return f"Smallest rank products of binding and response: {names}." if names else ""


def _full_results(genes: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """One row per gene, in the order of the ranking."""
    return pd.DataFrame(
        {
            "feature": genes.index,
            "stratum": np.where(genes["bound"], f"{prefix}{BOUND}", f"{prefix}{NOT_BOUND}"),
            "n": genes["within"].to_numpy(),
            "n_events": genes["distal"].to_numpy(),
            **{name: genes[name].to_numpy() for name in ("effect", "p_value", "q_value")},
            "statistic": genes["rank_product"].to_numpy(),
        }
    )


def _no_genes(places: pd.DataFrame) -> pd.DataFrame:
    """Genes of a ranking that calls none."""
    columns = ("bound", "effect", "p_value", "q_value", "rank_product")
    return places.iloc[:0].assign(**{name: pd.Series(dtype=float) for name in columns})
