"""Genes that are comparable to the subject of a test.

Matched on the mean in the reference arm (the mean over both arms would carry the effect itself), the spread
within groups, the share of samples in which the gene is detected, and the kind of gene; then also on how
the gene follows purity, immune cells, proliferation, and whatever makes a sample more like a case than others of its
own arm. The last needs no name: a nuisance that drives the contrast, and varies within the arms as purity does, moves
the subject and such genes alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from reclaim.calibration.markers import ARMS, MIN_MARKERS, PURITY, SCORES
from reclaim.calibration.modules import MIN_DEGREES, within_groups
from reclaim.calibration.record import Balance

Floats = NDArray[np.float64]

COMPARABLE = 1000
"""How many matched subjects the rule is run on."""
CALIPER = 2
"""Of the genes that are matched on loadings, so many times as many are looked at first."""
NEAREST_PER_MEMBER = 200
"""A member of a set is swapped for one of so many genes."""
MEAN, SPREAD, DETECTION = "mean in the reference arm", "spread within groups", "detection"
LOADING, CELL_TYPE = "loading on {}", "cell type {}"


def gene_properties(
    values: pd.DataFrame,
    case: NDArray[np.bool_],
    purity: Floats | None = None,
    cell_types: Mapping[str, Sequence[str]] | None = None,
    leave_out: Sequence[str] = (),
    is_expression: bool = True,
) -> pd.DataFrame:
    """Properties of every gene in the samples of one frame, indexed by gene.

    `values` is samples x genes on the log2 scale, 0 where nothing was detected; `purity` has one value per
    sample, NaN where unknown; `cell_types` are sets of genes whose mean tells the share of a kind of cell.
    Loadings are correlations with a score within groups; genes `leave_out` (the subject) are no part of a
    score, and a score with fewer than three measured markers is not there. Nor is the loading on the difference between
    the arms where there are none, or fewer than MIN_DEGREES residual degrees of freedom. What is no expression
    (`is_expression`), such as gene effects, is detected nowhere and has no markers.
    """
    y = values.to_numpy(float)
    groups = case.astype(np.int64)
    away = within_groups(y, groups)
    degrees = max(1, len(y) - len(np.unique(groups)))
    spread = np.sqrt((away**2).sum(axis=0) / degrees)
    found = {
        MEAN if case.any() else "mean": y[~case].mean(axis=0),
        SPREAD: spread,
    }
    if is_expression:
        found[DETECTION] = (y > 0).mean(axis=0)
    for pattern, sets in ((CELL_TYPE, cell_types or {}), (LOADING, SCORES if is_expression else {})):
        for name, score in _scores(sets, values.columns, away, spread, leave_out).items():
            found[pattern.format(name)] = _correlation(away, score)
    if purity is not None and np.isfinite(purity).sum() > 3:
        known = np.isfinite(purity)
        score = within_groups(purity[known, None], groups[known])[:, 0]
        found[LOADING.format(PURITY)] = _correlation(within_groups(y[known], groups[known]), score)
    if case.any() and degrees >= MIN_DEGREES:
        difference = y[case].mean(axis=0) - y[~case].mean(axis=0)
        difference[values.columns.isin(list(leave_out))] = 0
        found[LOADING.format(ARMS)] = _along(away, difference, spread)
    return pd.DataFrame(found, index=values.columns)


def _scores(
    sets: Mapping[str, Sequence[str]], genes: pd.Index, away: Floats, spread: Floats, leave_out: Sequence[str]
) -> dict[str, Floats]:
    """Score -> value per sample, the group's mean taken off."""
    found = {}
    for name, markers in sets.items():
        place = genes.get_indexer(pd.Index([gene for gene in markers if gene not in leave_out]))
        place = place[place >= 0]
        place = place[spread[place] > 0]
        if len(place) >= MIN_MARKERS:
            found[name] = np.asarray((away[:, place] / spread[place]).mean(axis=1))
    return found


def _along(away: Floats, difference: Floats, spread: Floats) -> Floats:
    """Correlation of each gene, within the arms, with how far a sample lies towards the case arm: its genes weighed by
    the difference between the arms, both scaled by the spread. Each gene is left out of its own score."""
    inverse = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    scaled, weight = away * inverse, difference * inverse
    score = scaled @ weight
    with_score, length = score @ scaled, (scaled**2).sum(axis=0)
    others = with_score - weight * length
    score_length = score @ score - 2 * weight * with_score + weight**2 * length
    size = np.sqrt(length * np.maximum(score_length, 0))
    return np.asarray(np.divide(others, size, out=np.zeros_like(others), where=size > 0))


def _correlation(away: Floats, score: Floats) -> Floats:
    """Pearson correlation of each gene with a score; 0 for one that does not vary."""
    length = np.linalg.norm(away, axis=0) * np.linalg.norm(score)
    return np.asarray(np.divide(score @ away, length, out=np.zeros(away.shape[1]), where=length > 0))


@dataclass(frozen=True)
class Space:
    """Candidates with their properties over all comparisons of a test.

    `position` is genes x (comparisons x properties), as normal scores of ranks, so that a step means the
    same in every property and data set; `average` is genes x properties, in their own units.
    """

    genes: pd.Index
    kind: NDArray[np.object_]
    position: pd.DataFrame
    average: pd.DataFrame

    @property
    def basic(self) -> list[str]:
        """Properties that nulls always share with the subject."""
        return [name for name in map(str, self.average.columns) if name not in self.loadings]

    @property
    def loadings(self) -> list[str]:
        """Properties that the second null adds."""
        return [name for name in map(str, self.average.columns) if name.startswith(LOADING.format(""))]


def make_space(properties: Sequence[pd.DataFrame], kinds: Mapping[str, str]) -> Space:
    """The genes that every comparison has properties of; loadings that every comparison has."""
    genes = properties[0].index
    for one in properties[1:]:
        genes = genes.intersection(one.index)
    names = [name for name in properties[0].columns if all(name in one.columns for one in properties)]
    tables = [one.loc[genes, names] for one in properties]
    scores = [special.ndtri((stats.rankdata(table, axis=0) - 0.5) / len(table)) for table in tables]
    columns = pd.MultiIndex.from_product([range(len(tables)), names])
    return Space(
        genes,
        np.array([kinds.get(str(gene), "") for gene in genes], object),
        pd.DataFrame(np.hstack(scores), index=genes, columns=columns),
        pd.DataFrame(np.mean([table.to_numpy() for table in tables], axis=0), index=genes, columns=names),
    )


def nearest(
    space: Space, gene: str, allowed: NDArray[np.bool_], loadings: bool, most: int = COMPARABLE
) -> list[str]:
    """Genes in order of their distance to `gene`, of its own kind, at most `most`; equals by name.

    With `loadings`, only CALIPER times `most` genes are looked at: those whose loading on the difference between the
    arms is nearest (a caliper on the property that matters most, Rosenbaum 1985, doi 10.1080/00031305.1985.10479383).
    """
    names = [*space.basic, *(space.loadings if loadings else [])]
    place = int(space.genes.get_indexer(pd.Index([gene]))[0])
    same = allowed & (space.kind == space.kind[place])
    same[place] = False
    there = np.flatnonzero(same)
    key = LOADING.format(ARMS)
    if key in names:
        along = space.position.xs(key, axis=1, level=1).to_numpy().mean(axis=1)
        order = np.lexsort((space.genes[there].to_numpy(str), np.abs(along[there] - along[place])))
        there = np.sort(there[order[: CALIPER * most]])
    table = space.position.loc[:, space.position.columns.get_level_values(1).isin(names)]
    positions = table.to_numpy()
    distance = ((positions[there] - positions[place]) ** 2).sum(axis=1)
    order = np.lexsort((space.genes[there].to_numpy(str), distance))[:most]
    return [str(name) for name in space.genes[there[order]]]


def matched_sets(
    space: Space,
    members: Sequence[str],
    allowed: NDArray[np.bool_],
    loadings: bool,
    most_genes: int,
    seed: int,
) -> NDArray[np.object_]:
    """COMPARABLE x members: sets in which each member has given place to one of its nearest genes, none of
    them a member. No gene stands twice in a set; large sets choose from fewer genes per member, so that no
    more than `most_genes` are met, or about as many as there are members."""
    choose_from = max(2 * len(members), min(NEAREST_PER_MEMBER, most_genes // len(members)))
    outside = allowed & ~space.genes.isin(list(members))
    choices = [nearest(space, gene, outside, loadings, choose_from) for gene in members]
    generator = np.random.default_rng(seed)
    found = np.empty((COMPARABLE, len(members)), object)
    for row in found:
        taken: set[str] = set()
        for j, near in enumerate(choices):
            free = [gene for gene in near if gene not in taken]
            row[j] = free[generator.integers(len(free))]
            taken.add(row[j])
    return found


def balance(
    space: Space, members: Sequence[str], nulls: NDArray[np.object_], loadings: bool
) -> list[Balance]:
    """How like the subject its nulls are, property by property; of sets the mean over members."""
    found = []
    for name in [*space.basic, *(space.loadings if loadings else [])]:
        column = space.average[name]
        own = float(column.loc[list(members)].mean())
        others = column.reindex(nulls.ravel()).to_numpy(float).reshape(nulls.shape).mean(axis=1)
        low, middle, high = (float(x) for x in np.quantile(others, [0.05, 0.5, 0.95]))
        found.append(Balance(name=name, subject=own, low=low, middle=middle, high=high))
    return found
