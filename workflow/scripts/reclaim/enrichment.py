"""Gene sets: are their genes at one end of a ranking, or over-represented among hits?

Sets are always given, from a local file or a study file: nothing here asks a server or reads a cache.
The compiled core of gseapy is called without its front end, which changes the case of symbols and
reuses ~/.cache/gseapy by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reclaim.errors import UserError
from reclaim.moderated_t import benjamini_hochberg

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Sets = Mapping[str, Sequence[str]]

PERMUTATIONS = 10_000
"""Random sets per set size that NES and p-values above 1e-3 rest on: NES to about 1 %."""
SAMPLES = 101
"""Sets per level of the multilevel split (fgsea's default)."""
SMALLEST_P = 1e-50
SETS_AT_A_TIME = 2000
"""gseapy keeps a running sum over the ranking for each set: 160 kB for 20,000 genes."""


@dataclass(frozen=True)
class SetTests:
    """`table`: one row per tested set, in the order given. `counts`: what was ranked or drawn, tied,
    dropped or left out. `circular`: by set, the members that were removed because they are excluded."""

    table: pd.DataFrame
    counts: dict[str, int]
    circular: dict[str, tuple[str, ...]]


def read_gmt(path: Path, counts: Counter[str] | None = None) -> dict[str, list[str]]:
    """Sets of a local GMT file: name, description, genes, separated by tabs.

    Enrichr's weights (`GENE,1.0`) are stripped. A gene that stands twice in a set is kept once and counted
    in `counts`. Raises UserError for a file that is not there or no GMT, an empty set, or a name that
    stands twice.
    """
    counts = Counter() if counts is None else counts
    if not path.is_file():
        raise UserError(f"{path}: no such file; gene sets are read from local GMT files only, never by name")
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; expected a GMT file, not compressed") from None
    sets: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        genes = [_without_weight(field) for field in rest[1:] if field]
        if not rest:
            raise UserError(
                f"{path}:{number}: no tab; a GMT line is name, description and genes between tabs"
            )
        if not name or not genes:
            raise UserError(
                f"{path}:{number}: the set {name!r} has no name or no genes; mend or delete the line"
            )
        if name in sets:
            raise UserError(f"{path}:{number}: the set {name!r} stands twice; rename or delete one")
        sets[name] = list(dict.fromkeys(genes))
        counts["genes that repeat within a set"] += len(genes) - len(sets[name])
    if not sets:
        raise UserError(f"{path}: no gene set; expected lines of name, description and genes between tabs")
    return sets


def prerank(
    ranking: pd.Series[float],
    sets: Sets,
    *,
    seed: int,
    exclude: Collection[str] = (),
    min_size: int = 15,
    max_size: int = 500,
    threads: int = 1,
) -> SetTests:
    """Gene set enrichment of a ranking (Subramanian 2005, doi 10.1073/pnas.0506580102), weight 1, with
    fgsea's multilevel p-values (Korotkevich 2021, doi 10.1101/060012) as gseapy has them.

    `ranking` is a signed statistic by gene. Genes without a value are dropped; equal values are ordered by
    gene name, A first, so that the result does not depend on the order of the input. Genes in `exclude`
    are left out of ranking and sets. Sets of `min_size` to `max_size` ranked genes are tested. Columns:
    set, size, es, nes, p_value (among random sets with a score of the same sign), log2_p_error (standard
    error of log2 p; NaN at the smallest, 1e-50), q_value (Benjamini-Hochberg over the tested sets),
    leading_edge (genes, the most extreme first). A set has NaN where hardly any random set scores with
    its sign, as at the low end of a ranking that is not centred on 0. Random steps depend on `seed` (modulo 2^32) and the size of the largest tested set, not on
    `threads`, the other sets or any order. Raises ValueError for a gene that stands twice, infinite
    values, or a ranking without two genes and a value other than 0.
    """
    ordered, counts = _ordered(ranking, exclude)
    kept, circular = _kept_sets(sets, set(ordered.index), exclude, min_size, max_size, counts)
    place = {gene: i for i, gene in enumerate(ordered.index)}
    hits = {name: np.sort([place[gene] for gene in genes]) for name, genes in kept.items()}
    values = np.asarray(ordered, np.float64)
    found = _multilevel(values, hits, seed, threads)
    rows = []
    for name, at in hits.items():
        side, nes, p_value, error = found[name]
        es, leading = _enrichment_score(np.abs(values), at, side)
        genes = ";".join(ordered.index[leading])
        rows.append((name, len(at), es, nes, p_value, error, genes))
    columns = ["set", "size", "es", "nes", "p_value", "log2_p_error", "leading_edge"]
    table = pd.DataFrame(rows, columns=columns).astype(
        {"size": np.int64} | dict.fromkeys(columns[2:6], float)
    )
    table.insert(6, "q_value", benjamini_hochberg(table["p_value"].to_numpy(float)))
    return SetTests(table, counts, circular)


def over_representation(
    hits: Collection[str],
    background: Collection[str],
    sets: Sets,
    *,
    exclude: Collection[str] = (),
    min_size: int = 15,
    max_size: int = 500,
) -> SetTests:
    """Are the genes of a set more frequent among hits than in the rest of the background?

    `background` holds every gene that could have been a hit; sets are cut to it, and hits outside it are
    dropped and counted. Genes in `exclude` are left out of all three. Sets with `min_size` to `max_size`
    genes of the background are tested, those without any hit too. Columns: set, size, overlap, expected,
    odds_ratio, ci_low, ci_high (half a gene added to each cell, Haldane 1956, doi
    10.1111/j.1469-1809.1955.tb01285.x; 95 %, Wald's on the log scale), p_value (one-sided,
    hypergeometric: Fisher's exact test), q_value (Benjamini-Hochberg over the tested sets), genes. Raises
    ValueError for an empty background.
    """
    universe = set(background) - set(exclude)
    if not universe:
        raise ValueError("an empty background; give all genes that were tested")
    drawn = set(hits) & universe
    counts = {
        "genes in the background": len(universe),
        "hits": len(drawn),
        "hits outside the background": len(set(hits) - set(exclude) - universe),
    }
    kept, circular = _kept_sets(sets, universe, exclude, min_size, max_size, counts)
    shared = [sorted(drawn.intersection(genes)) for genes in kept.values()]
    size = np.array([len(genes) for genes in kept.values()], np.int64)
    overlap = np.array([len(genes) for genes in shared], np.int64)
    cells = [overlap, size - overlap, len(drawn) - overlap, len(universe) - size - len(drawn) + overlap]
    both, only_set, only_hit, neither = (cell + 0.5 for cell in cells)
    log_odds = np.log(both * neither / (only_set * only_hit))
    reach = 1.96 * np.sqrt(1 / both + 1 / only_set + 1 / only_hit + 1 / neither)
    p_value = np.asarray(stats.hypergeom.sf(overlap - 1, len(universe), size, len(drawn)), np.float64)
    table = pd.DataFrame(
        {
            "set": pd.Series(list(kept), dtype=object),
            "size": size,
            "overlap": overlap,
            "expected": size * len(drawn) / len(universe),
            "odds_ratio": np.exp(log_odds),
            "ci_low": np.exp(log_odds - reach),
            "ci_high": np.exp(log_odds + reach),
            "p_value": p_value,
            "q_value": benjamini_hochberg(p_value),
            "genes": pd.Series([";".join(genes) for genes in shared], dtype=object),
        }
    )
    return SetTests(table, counts, circular)


def _without_weight(field: str) -> str:
    gene, comma, weight = field.rpartition(",")
    try:
        float(weight)
    except ValueError:
        return field
    return gene if comma else field


def _ordered(ranking: pd.Series[float], exclude: Collection[str]) -> tuple[pd.Series[float], dict[str, int]]:
    """From the largest value to the smallest, equal values by gene name."""
    if ranking.index.has_duplicates:
        raise ValueError(f"{ranking.index[ranking.index.duplicated()][0]!r} stands twice in the ranking")
    known = ranking[ranking.notna() & ~ranking.index.isin(list(exclude))].astype(float)
    if np.isinf(known).any():
        raise ValueError(f"{known.index[np.isinf(known)][0]!r} has an infinite value in the ranking")
    if len(known) < 2 or not known.any():
        raise ValueError("a ranking needs two genes and a value other than 0")
    counts = {
        "ranked genes": len(known),
        "genes without a value": int(ranking.isna().sum()),
        "ranked genes that share their value": int(known.duplicated(keep=False).sum()),
    }
    return known.sort_index().sort_values(ascending=False, kind="stable"), counts


def _kept_sets(
    sets: Sets,
    known: set[str],
    exclude: Collection[str],
    min_size: int,
    max_size: int,
    counts: dict[str, int],
) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Sets cut to known genes, each gene once, and what was removed as circular; adds to `counts`."""
    kept: dict[str, list[str]] = {}
    circular: dict[str, tuple[str, ...]] = {}
    left_out = Counter({"sets that are too small": 0, "sets that are too large": 0})
    for name, genes in sets.items():
        members = list(dict.fromkeys(genes))
        removed = tuple(gene for gene in members if gene in exclude)
        if removed:
            circular[name] = removed
        inside = [gene for gene in members if gene in known]
        if len(inside) < max(min_size, 1):
            left_out["sets that are too small"] += 1
        elif len(inside) > max_size or len(inside) == len(known):  # a set of all genes has no outside
            left_out["sets that are too large"] += 1
        else:
            kept[name] = inside
    counts |= {"sets": len(sets), **left_out, "sets with circular members": len(circular)}
    return kept, circular


def _multilevel(
    values: Floats, hits: dict[str, Integers], seed: int, threads: int
) -> dict[str, tuple[float, float, float, float]]:
    """By set: the score's sign (times its size), NES, p-value and standard error of log2 p."""
    from gseapy.gse import fgsea_rs

    # gseapy counts weights in units of their sum / 2^30 and panics when all those of a set come out as 0.
    least = np.abs(values).sum() / 2**29
    weights = np.where(values < 0, -1, 1) * np.maximum(np.abs(values), least)
    genes, names = [str(i) for i in range(len(values))], list(hits)
    found: dict[str, tuple[float, float, float, float]] = {}
    # gseapy draws random sets as large as the largest that it is given, so each part has that one.
    largest = max(names, key=lambda name: len(hits[name]), default="")
    for start in range(0, len(names), SETS_AT_A_TIME):
        part = {*names[start : start + SETS_AT_A_TIME], largest}
        members = {name: [genes[i] for i in hits[name]] for name in sorted(part)}
        summary = fgsea_rs(
            genes, weights.tolist(), members, 1.0, 1, len(genes), SAMPLES, PERMUTATIONS, SMALLEST_P,
            threads, seed % 2**32,
        )  # fmt: skip
        found |= {one.term: (one.es, one.nes, one.pval, one.log2err) for one in summary.summaries}
    return found


def _enrichment_score(weights: Floats, hits: Integers, side: float) -> tuple[float, Integers]:
    """Largest deviation of the running sum on the given side, and the hits up to it, the most extreme
    first (Subramanian 2005, appendix)."""
    own = weights[hits]
    share = np.cumsum(own) / own.sum() if own.any() else np.arange(1, len(hits) + 1) / len(hits)
    missed = (hits - np.arange(len(hits))) / (len(weights) - len(hits))
    if side >= 0:
        peak = int(np.argmax(share - missed))
        return float(share[peak] - missed[peak]), hits[: peak + 1]
    before = np.concatenate([[0.0], share[:-1]]) - missed
    trough = int(np.argmin(before))
    return float(before[trough]), hits[trough:][::-1]
