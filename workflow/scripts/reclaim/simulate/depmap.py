"""DepMap's CRISPRGeneEffect.csv and Model.csv, SIMULATED, with the tested gene effects in them.

The word SIMULATED heads the column of models, which has no fixed name, and begins the names of the cell lines. Models are
called ACH-9..., as no real one is. The traps: columns stand in another order than one may expect, cells hold
commas, values are missing, one gene has a second column under its previous symbol, one column has an unknown id, and
either file has models that the other lacks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reclaim.claim_tests import Dependency
from reclaim.config import World
from reclaim.dataset import DepmapDataset
from reclaim.decisions import Equivalence
from reclaim.margins import MARGIN
from reclaim.selection import Selection
from reclaim.simulate.cell_lines import MODEL_ID, selected, simulated_lines
from reclaim.simulate.effects import NUISANCE_SPREAD, follows_nuisance, tested_genes
from reclaim.simulate.hgnc import FIRST_ID, previous_symbol
from reclaim.simulate.variation import variation
from reclaim.sources.requests import requests_for
from reclaim.study import Claim, Study

EFFECT: dict[World, float] = {"as_claimed": 1.2, "no_effect": 0.0, "confounded": 0.0, "reversed": -0.8}
"""Gene effect of the case lines in the claimed direction."""
GATE_ROOM = 0.5
"""Beyond the limit of a gate, in every world."""
NUISANCE_EFFECT = -0.3
"""confounded: poorer screens of the case lines shift a share of all genes, the tested ones among them."""
ESSENTIAL_SHARE, ESSENTIAL_EFFECT = 0.1, -1.0
"""Genes that no test is about and that every line needs."""
GENE_SPREAD, LINE_SPREAD = 0.08, 0.15
"""Standard deviation of genes' means, and of a gene over lines."""
MARK = "SIMULATED"
UNKNOWN_ID = 89_999_999
MISSING_EVERY = (40, 7)
"""Every so many genes lack a value in every so many lines."""
UNMATCHED = 2
"""Models that only one of the files has."""


def depmap_files(
    study: Study, names: Sequence[str], world: World, genes: Sequence[str], generator: np.random.Generator
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files of a release by URL, for the data sets `names` that rest on it, and what was planted. `genes` are those of the
    simulated symbol table, in its order. Same generator state, same bytes."""
    datasets = {name: one for name in names if isinstance(one := study.datasets[name], DepmapDataset)}
    tests = [
        (claim, test)
        for claim, test in study.tests()
        if isinstance(test, Dependency) and set(test.datasets) & set(names)
    ]
    lines = pd.DataFrame(simulated_lines(datasets, [test for _, test in tests]))
    effects, told, cases = _planted(datasets, tests, lines, genes, world)
    values = gene_effects(effects, cases, genes, tested_genes(study), world, generator)
    urls = {one.name: str(one.url) for one in requests_for(next(iter(datasets.values())), Path())}
    return {
        urls["gene_effect"]: gene_effect_csv(values, genes, list(lines["ModelID"]), tested_genes(study)),
        urls["models"]: model_csv(lines),
    }, {"lines": len(lines), "case_lines": int(cases.sum()), "effects": told}


def gene_effects(
    effects: np.ndarray,
    cases: np.ndarray,
    genes: Sequence[str],
    tested: Sequence[str],
    world: World,
    generator: np.random.Generator,
) -> np.ndarray:
    """Lines x genes: `effects` (the same shape) on top of what every gene does without a claim; `cases` tells the lines
    that the nuisance of `confounded` goes with."""
    about = np.isin(genes, tested)
    level = generator.normal(0, GENE_SPREAD, len(genes))
    level += ESSENTIAL_EFFECT * np.array([is_essential(gene) for gene in genes])
    level[about] = 0
    strength = 0.75 + 0.5 * generator.random(len(genes))
    moved = about | np.array([follows_nuisance(gene) for gene in genes])
    found = level + effects + LINE_SPREAD * variation(len(effects), genes, generator)
    nuisance = cases + NUISANCE_SPREAD * generator.standard_normal(len(cases))
    if world == "confounded":
        found += NUISANCE_EFFECT * np.outer(nuisance, strength * moved)
    return np.asarray(found)


def is_essential(gene: str) -> bool:
    """Whether every line needs a gene that no test is about: a matter of the gene alone."""
    return int(sha256(gene.encode()).hexdigest()[8:16], 16) < ESSENTIAL_SHARE * 16**8


def _planted(
    datasets: Mapping[str, DepmapDataset],
    tests: Sequence[tuple[Claim, Dependency]],
    lines: pd.DataFrame,
    genes: Sequence[str],
    world: World,
) -> tuple[np.ndarray, list[dict[str, Any]], np.ndarray]:
    """Lines x genes of effects, what they are, and the case lines of all tests. The first test to name a gene in a line
    decides: gates, then primary tests, then the others."""
    order = ("gate", "primary", "supporting", "sensitivity")
    place = {gene: number for number, gene in enumerate(genes)}
    found = np.full((len(lines), len(genes)), np.nan)
    told: list[dict[str, Any]] = []
    cases = np.zeros(len(lines), bool)
    table = lines.replace("", None)
    for claim, test in sorted(tests, key=lambda one: order.index(one[1].role)):
        own = np.zeros(len(lines), bool)
        for name in test.datasets:
            dealt = {column for column, rule in datasets[name].derive.items() if rule.shuffle}
            if not dealt & set(test.contrast.case):
                wanted: list[Selection] = [datasets[name].samples, test.samples, test.contrast.case]
                own |= selected(table, datasets[name], wanted)
        gene = str(test.feature.gene)
        free = own & np.isnan(found[:, place[gene]])
        effect = _effect(claim, test, world)
        found[free, place[gene]] = effect
        cases |= own
        told.append({"test": test.id, "gene": gene, "lines": int(free.sum()), "gene_effect": effect})
    return np.nan_to_num(found), told, cases


def _effect(claim: Claim, test: Dependency, world: World) -> float:
    if test.passes is not None:
        low, high = test.passes.at_least, test.passes.at_most
        if low is not None and high is not None:
            return (low + high) / 2
        return low + GATE_ROOM if low is not None else float(high or 0.0) - GATE_ROOM
    sign = -1.0 if test.expected == "negative" else 1.0
    if claim.known is not None:  # a control claim is as true in one world as in another
        world = "as_claimed" if claim.known else "no_effect"
    if isinstance(claim.decision, Equivalence):
        margin = claim.decision.margin or MARGIN["gene_effect"]
        bound = {"as_claimed": 0.0, "no_effect": margin, "confounded": 0.0, "reversed": 2.4 * margin}
        return sign * bound[world]
    return sign * EFFECT[world]


def gene_effect_csv(
    values: np.ndarray, genes: Sequence[str], models: Sequence[str], tested: Sequence[str]
) -> bytes:
    """The matrix of models x genes: a column of models, then `SYMBOL (ENTREZ)`, with the traps of the module's docstring.
    Tested genes (the first ones) have no missing value."""
    names = [f"{gene} ({FIRST_ID + number})" for number, gene in enumerate(genes)]
    every_gene, every_line = MISSING_EVERY
    values = np.array(values, float)
    gaps = np.array([gene not in set(tested) for gene in genes]) & (np.arange(len(genes)) % every_gene == 0)
    values[np.ix_(np.arange(len(models)) % every_line == 0, gaps)] = np.nan
    last = len(genes) - 1
    # The poorer column of the last gene: the one with the higher mean is kept.
    values = np.column_stack([values, values[:, last] - 0.5, values[:, last]])
    names += [f"{previous_symbol(last)} ({FIRST_ID + last})", f"SIMNOGENE ({UNKNOWN_ID})"]
    values = np.vstack([values, values[:UNMATCHED]])
    lines = [*models, *(MODEL_ID.format(99_000 + number) for number in range(UNMATCHED))]
    text = io.StringIO()
    text.write(",".join([MARK, *names]) + "\n")
    for model, row in zip(lines, values, strict=True):
        text.write(",".join([model, *("" if np.isnan(value) else f"{value:.6f}" for value in row)]) + "\n")
    return text.getvalue().encode()


def model_csv(lines: pd.DataFrame) -> bytes:
    """The table of models: names first, a column that nobody asked for, and two models that were never screened."""
    more = lines.iloc[:UNMATCHED].assign(
        ModelID=[MODEL_ID.format(98_000 + number) for number in range(UNMATCHED)],
        CellLineName=f"{MARK}-not-screened",
    )
    table = pd.concat([lines, more])
    table.insert(0, "SimulatedNote", f"{MARK} by reclaim, no cells are behind it")
    first = ["CellLineName", "SimulatedNote", "ModelID"]
    table = table[[*first, *(name for name in table.columns if name not in first)]]
    return table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).encode()
