"""How simulated genes vary between samples, and together: immune cells, cell division, modules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reclaim.calibration.markers import SCORES

MARKERS = list(dict.fromkeys(gene for markers in SCORES.values() for gene in markers))
"""Genes that follow a score, simulated beside those of the study."""
MARKER_LOADING, GENE_LOADING = 0.85, 0.2
"""Loading of a marker on its score, and standard deviation of other genes' loadings."""
MODULES, IN_MODULE, MODULE_LOADING = 40, 0.5, 0.75
"""Modules, share of genes that belong to one, and their loading on it."""


def variation(samples: int, genes: Sequence[str], generator: np.random.Generator) -> np.ndarray:
    """Samples x genes, each gene with variance 1 over samples."""
    scores = list(SCORES)
    loadings = np.zeros((len(scores) + MODULES, len(genes)))
    loadings[: len(scores)] = generator.normal(0, GENE_LOADING, (len(scores), len(genes)))
    module = generator.integers(0, MODULES, len(genes))
    sign = generator.choice([-1, 1], len(genes))
    belongs = (generator.random(len(genes)) < IN_MODULE) & ~np.isin(genes, MARKERS)
    columns = np.flatnonzero(belongs)
    loadings[len(scores) + module[columns], columns] = MODULE_LOADING * sign[columns]
    for row, name in enumerate(scores):
        own = np.isin(genes, SCORES[name])
        loadings[:, own] = 0
        loadings[row, own] = MARKER_LOADING
    length = np.sqrt((loadings**2).sum(axis=0))
    loadings /= np.maximum(1, length / 0.95)
    factors = generator.normal(0, 1, (samples, len(loadings)))
    own_part = np.sqrt(1 - (loadings**2).sum(axis=0))
    return np.asarray(factors @ loadings + own_part * generator.normal(0, 1, (samples, len(genes))))
