"""Which genes a factor may regulate directly: near its binding, and responding."""

from __future__ import annotations

import pandas as pd


def rank_product(potential: pd.Series[float], response: pd.Series[float]) -> pd.Series[float]:
    """Rank product of regulatory potential and response (BETA: Wang et al. 2013, doi 10.1038/nprot.2013.150).

    Both have one entry per gene, in the same order. Genes with a potential above 0 and a response are ranked by each,
    the largest first, equal values at their mean rank; each rank is divided by the number of genes ranked, and the two
    are multiplied: between 1 / number^2 and 1, small for a gene that is high in both. NaN for genes that are not ranked.
    """
    ranked = (potential > 0) & response.notna()
    parts = [values[ranked].rank(ascending=False) / ranked.sum() for values in (potential, response)]
    return (parts[0] * parts[1]).reindex(potential.index)
