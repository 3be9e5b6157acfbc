"""The probes of a simulated array: which genes they measure, what they read, and the traps of real arrays.

The same genes give the same probes, so that all data sets of a study share the annotation of their platform.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reclaim.simulate.hgnc import FIRST_ID, previous_symbol
from reclaim.symbols import SEVERAL_GENES

DIM_EVERY, SHARED_EVERY, GENELESS_EVERY = 3, 7, 20
"""Every so many genes there is a second, dimmer probe, one shared with the next gene, and one of no gene."""

OLD_SYMBOL_EVERY, NO_ID_EVERY = 5, 4
"""Every so many genes the annotation has the gene's previous symbol, or lacks its Entrez id; never both."""

GENELESS_LEVEL, GENELESS_SPREAD = 5.0, 0.5
"""log2 intensity of probes of no gene, and its standard deviation."""


def array_of(genes: Sequence[str]) -> pd.DataFrame:
    """The probes of an array for `genes`, numbered as the simulated symbol table numbers them.

    Index probe; columns `kind` (main, dim, shared, geneless), `gene` and `other` (positions in `genes`, -1 for none),
    and as the annotation has them symbol, entrez and title. Every gene has its main probe, which is the brightest of
    those that measure it alone; a dim one stands before it.
    """
    rows: list[tuple[str, int, int]] = []
    for gene in range(len(genes)):
        rows += [("dim", gene, -1)] * (gene % DIM_EVERY == 0)
        rows += [("main", gene, -1)]
        rows += [("shared", gene, gene + 1)] * (gene % SHARED_EVERY == 0 and gene + 1 < len(genes))
        rows += [("geneless", -1, -1)] * (gene % GENELESS_EVERY == 0)
    array = pd.DataFrame(rows, columns=["kind", "gene", "other"])
    array.index = pd.Index([f"ILMN_{FIRST_ID + number}" for number in range(len(array))], name="probe")
    measured = [
        [gene for gene in pair if gene >= 0] for pair in zip(array["gene"], array["other"], strict=True)
    ]
    for column, told in (("symbol", _symbol), ("entrez", _entrez), ("title", _title)):
        array[column] = [SEVERAL_GENES.join(told(gene, genes[gene]) for gene in own) for own in measured]
    return array


def probe_values(array: pd.DataFrame, genes: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Probes x samples, log2 intensity, from `genes` x samples (not negative) in the order of array_of's genes.

    Main probes read their gene; dim ones half of its logarithm; shared ones twice the brighter of their genes.
    """
    values = genes.to_numpy(float)
    own, other = values[array["gene"]], values[array["other"]]
    noise = generator.normal(GENELESS_LEVEL, GENELESS_SPREAD, own.shape)
    kind = array["kind"].to_numpy()[:, None]
    read = np.select(
        [kind == "main", kind == "dim", kind == "shared"], [own, own / 2, np.maximum(own, other) + 1], noise
    )
    return pd.DataFrame(read, index=array.index, columns=genes.columns)


def _symbol(number: int, gene: str) -> str:
    return previous_symbol(number) if _is_old(number) else gene


def _entrez(number: int, gene: str) -> str:
    return "" if number % NO_ID_EVERY == 1 and not _is_old(number) else str(FIRST_ID + number)


def _title(number: int, gene: str) -> str:
    return f"SIMULATED gene {number}"


def _is_old(number: int) -> bool:
    return number % OLD_SYMBOL_EVERY == 2
