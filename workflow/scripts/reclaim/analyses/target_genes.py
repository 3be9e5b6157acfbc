"""Does a factor bind near the named genes, more than near genes that are like them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from reclaim.analyses.differential_expression import log2_values
from reclaim.claim_tests import TargetGenes
from reclaim.dataset_base import TierName
from reclaim.errors import AbsentData, did_you_mean
from reclaim.evidence import Estimate
from reclaim.expression import select_samples
from reclaim.matched_genes import (
    MIN_COMPARABLE,
    blocks_of,
    comparable_blocks,
    neighbours,
    outcome_distribution,
    standardised,
)
from reclaim.regions import Binding, cells_of, check_antigens, overlaps_any
from reclaim.targets import (
    DISTAL_BP,
    gene_starts,
    near_genes,
    peaks_around,
    peaks_of,
    target_table,
)
from reclaim.tilted import TAIL, convolved, exact_tilt

if TYPE_CHECKING:
    import anndata

EFFECT = "log_odds_ratio"
METHOD = "exact odds ratio against all sets of matched genes"
RESULTS_EFFECT = "regulatory_potential"
"""What the full results hold of each gene."""


@dataclass(frozen=True)
class Genes:
    """Comparable and named genes, one row of `table` and of `properties` each, in the order of their symbols.

    `table`: as `targets.target_table`, of the peaks of the query, and `query` and `found`: peaks in the window, and
    those of them that count (with `partner`, where it has one too). `candidate`: comparable with each other.
    `properties` (genes x properties): what they are matched on. `starts`: theirs alone.
    """

    table: pd.DataFrame
    candidate: NDArray[np.bool_]
    properties: NDArray[np.float64]
    starts: pd.DataFrame
    named: list[str]
    """Those that can be looked at, in the order of the study file."""
    left_out: list[str]
    """Why each of the others cannot."""


def target_genes(
    test: TargetGenes,
    binding: Binding,
    annotation: pd.DataFrame,
    expression: anndata.AnnData | None,
    tier: TierName,
) -> tuple[list[Estimate], pd.DataFrame]:
    """The estimate for the named genes together, and one row of full results per comparable or named gene.

    `annotation` has one row per transcript (chrom, tss, gene_id, symbol, biotype). T, the number of named genes with a
    peak of the query at most `window_bp` from a start (with `partner`: one that shares a base with a peak of any
    partner), is held against random sets of comparable genes: of the same biotypes, measured in `expression` where that
    is given, and nearest in mean log2 expression and in the number of peaks of all other antigens in the window. With
    `partner` only genes that the query binds are comparable, matched on the number of its peaks instead; a named
    gene that it does not bind is no such target, so the claim fails for it: it counts as one without a peak, and is matched
    among the targets. Named genes that are neighbours are held against genes that are neighbours
    (`matched_genes.comparable_blocks`). The distribution of T over the random sets is the exact convolution over blocks,
    without random draws. The effect is the log odds ratio by which it must be tilted (`tilted.exact_tilt`); `p_value` is
    one-sided in the claimed direction, P(T >= t), for a negative expectation P(T <= t).

    There is no effect, and a flag, where a block has fewer than 20 comparable ones, and where even the most extreme T in
    the claimed direction has a p-value above 0.025. Raises AbsentData when the query or a partner has no experiment,
    when none of the named genes can be looked at, and when no sample of the expression meets the test's filter.
    """
    check_antigens(binding.experiments, (test.query, *test.partner))
    genes = located_genes(test, binding, annotation, expression)
    return [_estimate(test, genes, binding, tier)], _full_results(genes)


def located_genes(
    test: TargetGenes, binding: Binding, annotation: pd.DataFrame, expression: anndata.AnnData | None
) -> Genes:
    """What is known of the named genes and of those that may be compared with them. Raises as `target_genes`."""
    starts = gene_starts(annotation)
    biotype = starts.drop_duplicates("symbol").set_index("symbol")["biotype"]
    means = None if expression is None else _mean_expression(test, expression)
    named, left_out = _told_apart(test.genes, annotation, biotype.index, means)
    known = biotype.index[biotype.isin(biotype[named])]
    symbols = (known if means is None else known.intersection(means.index)).sort_values()
    starts = starts[starts["symbol"].isin(symbols)].reset_index(drop=True)

    peaks = peaks_of(binding, [test.query])
    pairs = near_genes(starts, peaks, max(DISTAL_BP, test.window_bp))
    inside = pairs[pairs["distance"] <= test.window_bp]
    counts = np.ones(len(peaks), bool)
    if test.partner:
        counts = overlaps_any(peaks, peaks_of(binding, test.partner))
    table = target_table(symbols, pairs[pairs["distance"] <= DISTAL_BP]).assign(
        query=_number(inside["symbol"], symbols),
        found=_number(inside.loc[counts[inside["peak"].to_numpy()], "symbol"], symbols),
    )
    candidate = np.ones(len(symbols), bool)
    if test.partner:
        candidate, around = table["query"].to_numpy() > 0, table["query"].to_numpy()
    else:
        others = sorted(set(binding.experiments["antigen"]) - {test.query})
        around = peaks_around(starts, peaks_of(binding, others), test.window_bp).loc[symbols].to_numpy()
    columns = [np.log1p(around)] if means is None else [np.log1p(around), means.loc[symbols].to_numpy()]
    # The named genes that cannot be compared still need a place among those that can.
    kept = candidate | symbols.isin(named)
    properties = standardised(np.stack(columns, axis=1)[kept], candidate[kept])
    return Genes(
        table[kept],
        candidate[kept],
        properties,
        starts[starts["symbol"].isin(symbols[kept])],
        named,
        left_out,
    )


def _mean_expression(test: TargetGenes, expression: anndata.AnnData) -> pd.Series[float]:
    """Mean log2 value of every gene that has one, over the samples that the test asks for."""
    data, _ = select_samples(expression, test.samples)
    values = log2_values(data)
    there = np.isfinite(values)
    number = there.sum(axis=0)
    means = np.where(there, values, 0.0).sum(axis=0) / np.maximum(number, 1)
    return pd.Series(means[number > 0], index=data.var_names[number > 0])


def _told_apart(
    genes: Sequence[str], annotation: pd.DataFrame, known: pd.Index, means: pd.Series[float] | None
) -> tuple[list[str], list[str]]:
    """The genes that can be looked at, and why the others cannot. Raises AbsentData when there is none."""
    named, left_out = [], []
    for gene in genes:
        if gene not in known and (annotation["symbol"] == gene).any():
            left_out.append(f"{gene}: several genes of the annotation bear this symbol")
        elif gene not in known:
            left_out.append(f"{gene}: not in the annotation{did_you_mean(gene, known)}")
        elif means is not None and gene not in means.index:
            left_out.append(f"{gene}: not measured{did_you_mean(gene, means.index)}")
        else:
            named.append(gene)
    if not named:
        raise AbsentData("none of the named genes can be looked at: " + "; ".join(left_out))
    return named, left_out


def _number(found: pd.Series[str], symbols: pd.Index) -> NDArray[np.int64]:
    return np.bincount(symbols.get_indexer(pd.Index(found)), minlength=len(symbols))


def _full_results(genes: Genes) -> pd.DataFrame:
    table = genes.table
    results = pd.DataFrame(
        {
            "feature": table.index,
            "stratum": np.where(table["found"] > 0, "target", "no target"),
            "n": table["found"].to_numpy(),
            "n_events": table["distal"].to_numpy(),
            "effect": table["potential"].to_numpy(),
        }
    )
    results.attrs |= {"method": METHOD, "effect_name": RESULTS_EFFECT}
    return results


def _estimate(test: TargetGenes, genes: Genes, binding: Binding, tier: TierName) -> Estimate:
    symbols = genes.table.index
    named = symbols.get_indexer(pd.Index(genes.named))
    bound = genes.table["found"].to_numpy() > 0
    found, number = int(bound[named].sum()), len(named)
    cells = cells_of(binding.experiments)
    flags = ["genes_left_out"] if genes.left_out else []
    flags += ["other_cells"] if any(cells[name] != cells[test.query] for name in test.partner) else []
    base = Estimate(
        method=METHOD,
        feature=", ".join(genes.named)
        if not test.partner
        else f"{_factors(test)} at {', '.join(genes.named)}",
        effect_name=EFFECT,
        n=number,
        n_events=found,
        tier=tier,
        flags=tuple(flags),
    )
    told = [*_clauses(test, genes), *genes.left_out]

    comparable = comparables_of(genes)
    smallest = len(symbols)
    for block, outcomes in comparable:
        smallest = min(smallest, len(outcomes))
        if len(outcomes) < MIN_COMPARABLE:
            reason = (
                f"only {len(outcomes)} comparable with {_listed(symbols[block])}, {MIN_COMPARABLE} are needed"
            )
            return replace(base, flags=(*flags, "few_comparable"), note="; ".join([reason, *told]))

    log_null = convolved([outcome_distribution(outcomes, len(block)) for block, outcomes in comparable])
    expected = float(np.exp(log_null) @ np.arange(number + 1))
    base = replace(base, groups={"comparable_blocks": smallest, "expected": round(expected, 2)})
    negative = test.expected == "negative"
    if np.exp(log_null[0 if negative else -1]) > TAIL:
        reason = (
            f"{100 * expected / number:.0f} % of comparable genes have such a peak, so that {'none' if negative else 'all'} "
            f"of {number} would be no surprise"
        )
        return replace(base, flags=(*flags, "underpowered"), note="; ".join([reason, *told]))
    tilt = exact_tilt(log_null, found)
    tail = log_null[: found + 1] if negative else log_null[found:]
    numbers = {"effect": tilt.estimate, "se": tilt.se, "ci_low": tilt.ci_low, "ci_high": tilt.ci_high}
    return replace(base, note="; ".join(told)).with_numbers(numbers, min(1.0, float(np.exp(logsumexp(tail)))))


def comparables_of(genes: Genes) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each block of named genes its positions, and in how many genes of each comparable block there is a peak."""
    symbols = genes.table.index
    named = symbols.get_indexer(pd.Index(genes.named))
    bound = genes.table["found"].to_numpy() > 0
    free = genes.candidate.copy()
    free[named] = False
    near = neighbours(symbols, genes.starts)
    return [
        (block, bound[comparable_blocks(block, genes.properties, free, near)].sum(axis=1))
        for block in blocks_of(named, near)
    ]


def _clauses(test: TargetGenes, genes: Genes) -> list[str]:
    """What is bound around each named gene, in words."""
    symbols = genes.table.index
    comparable = genes.table["potential"][genes.candidate & ~symbols.isin(genes.named)].to_numpy()
    clauses = []
    for gene, row in zip(genes.named, genes.table.loc[genes.named].to_dict("records"), strict=True):
        parts = [f"{_peaks(row['query'])} within {_distance(test.window_bp)}"]
        if test.partner:
            parts.append(f"{row['found']} of them with {_listed(test.partner, 'or')}")
        nearest = "none within 100 kb" if np.isnan(row["nearest"]) else f"nearest {row['nearest']:,.0f} bp"
        parts += [nearest, f"{row['distal']} distal"]
        if len(comparable):
            above = np.mean(comparable < row["potential"])
            parts.append(f"regulatory potential {row['potential']:.2g}, above {100 * above:.0f} % of genes")
        clauses.append(f"{gene}: {', '.join(parts)}")
    return clauses


def _factors(test: TargetGenes) -> str:
    return f"{test.query} with {_listed(test.partner, 'or')}"


def _listed(names: Sequence[str] | pd.Index, last: str = "and") -> str:
    """`A, B and C`."""
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else str(final)


def _peaks(number: int) -> str:
    return f"{number} peak{'' if number == 1 else 's'}"


def _distance(bases: int) -> str:
    return f"{bases:,} bp" if bases % 1000 else f"{bases // 1000:,} kb"
