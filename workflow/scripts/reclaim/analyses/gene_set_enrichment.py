"""Whether the genes of a set rise (or fall) together in the ranking of another test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from reclaim.claim_tests import GeneSetEnrichment
from reclaim.errors import AbsentData
from reclaim.evidence import Estimate

MIN_SIZE, MAX_SIZE = 5, 500


def gene_set_enrichment(
    test: GeneSetEnrichment,
    ranking: pd.DataFrame,
    sets: Mapping[str, Sequence[str]],
    subjects: Sequence[str],
    seed: int,
) -> tuple[list[Estimate], pd.DataFrame]:
    """One estimate of the test's set per stratum, and the table of all `sets` (feature, stratum, n, effect,
    p_value, q_value).

    `ranking` is the full result of another test: its column statistic ranks the genes. `subjects` are the
    genes that the other test is about: as members they would speak for themselves, so they are removed.
    Raises AbsentData for a ranking without statistics.
    """
    estimates, tables = [], []
    for stratum, ranked in ranking.groupby("stratum", sort=False):
        statistic = ranked.dropna(subset=["statistic"]).set_index("feature")["statistic"]
        if statistic.empty:
            continue
        try:
            if test.method == "prerank":
                found, table = _prerank(test, statistic, sets, subjects, seed)
            else:
                found, table = _over_representation(test, ranked, sets, subjects)
        except ValueError as reason:
            raise AbsentData(f"the genes of {stratum} cannot be ranked: {reason}") from None
        estimates += [replace(one, stratum=str(stratum)) for one in found]
        tables.append(table.assign(stratum=stratum))
    if not estimates:
        raise AbsentData("the test that ranks the genes has no statistic on this data set")
    return estimates, pd.concat(tables, ignore_index=True)


def _prerank(
    test: GeneSetEnrichment,
    statistic: pd.Series[float],
    sets: Mapping[str, Sequence[str]],
    subjects: Sequence[str],
    seed: int,
) -> tuple[list[Estimate], pd.DataFrame]:
    from reclaim.enrichment import prerank

    found = prerank(statistic, sets, seed=seed, exclude=subjects, min_size=MIN_SIZE, max_size=MAX_SIZE)
    table = pd.DataFrame(
        {
            "feature": found.table["set"],
            "n": found.table["size"],
            "effect": found.table["nes"],
            "statistic": found.table["es"],
            "p_value": found.table["p_value"],
            "q_value": found.table["q_value"],
        }
    )
    method = "gene set enrichment, multilevel p-values (gseapy)"
    removed = found.circular.get(test.gene_set, ())
    return [_estimate(test, table, method, "normalised_enrichment_score", removed)], table


def _over_representation(
    test: GeneSetEnrichment,
    ranked: pd.DataFrame,
    sets: Mapping[str, Sequence[str]],
    subjects: Sequence[str],
) -> tuple[list[Estimate], pd.DataFrame]:
    from reclaim.enrichment import over_representation

    # Natural sign: a set that is frequent among falling genes has a negative effect.
    sign = -1 if test.expected == "negative" else 1
    as_claimed = sign * ranked["effect"] > 0
    background = ranked.dropna(subset=["p_value"])["feature"]
    hits = ranked.loc[as_claimed & (ranked["q_value"] < test.max_q), "feature"]
    found = over_representation(
        list(hits), list(background), sets, exclude=subjects, min_size=MIN_SIZE, max_size=MAX_SIZE
    )
    log_odds, low, high = (sign * np.log(found.table[name]) for name in ("odds_ratio", "ci_low", "ci_high"))
    table = pd.DataFrame(
        {
            "feature": found.table["set"],
            "n": found.table["size"],
            "n_events": found.table["overlap"],
            "effect": log_odds,
            "se": (high - low).abs() / (2 * 1.96),
            "ci_low": np.minimum(low, high),
            "ci_high": np.maximum(low, high),
            "p_value": found.table["p_value"],
            "q_value": found.table["q_value"],
        }
    )
    method = "over-representation among significant genes, Fisher's exact test, background: all tested genes"
    removed = found.circular.get(test.gene_set, ())
    return [_estimate(test, table, method, "log_odds_ratio", removed)], table


def _estimate(
    test: GeneSetEnrichment, table: pd.DataFrame, method: str, effect_name: str, removed: Sequence[str]
) -> Estimate:
    table.attrs = {"method": method, "effect_name": effect_name}
    base = Estimate(
        method,
        test.gene_set,
        effect_name,
        flags=("circular_members",) if removed else (),
        note=f"Removed from the set: {', '.join(removed)}." if removed else "",
    )
    row = table[table["feature"] == test.gene_set]
    if row.empty:
        told = f"The set has fewer than {MIN_SIZE} or more than {MAX_SIZE} measured members. {base.note}"
        return replace(base, flags=(*base.flags, "not_on_platform"), note=told.strip(), valid=False)
    numbers = {str(name): float(value) for name, value in row.iloc[0].drop("feature").items()}
    p_value = numbers["p_value"]
    if effect_name == "normalised_enrichment_score":  # its p-value is that of the side it is on
        p_value = p_value if (numbers["effect"] < 0) == (test.expected == "negative") else 1.0
    return replace(base, groups={"measured members": int(numbers["n"])}).with_numbers(numbers, p_value)
