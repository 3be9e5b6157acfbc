"""Which genes a factor binds near: peaks around transcription starts, distal peaks, and regulatory potential.

A gene has one row, whatever the number of its transcripts: of each peak the nearest start counts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reclaim.intervals import Intervals, overlap_pairs
from reclaim.regions import Binding

WINDOWS_BP = (1_000, 5_000, 10_000)
"""Reach of ChIP-Atlas' own tables of target genes."""
DISTAL_BP = 100_000
"""Beyond the last window and up to here a peak is distal; also the decay length of the regulatory potential."""


def gene_starts(annotation: pd.DataFrame) -> pd.DataFrame:
    """Starts of genes that can be told apart by their symbol: columns symbol, chrom, tss, biotype, one row per
    distinct start.

    `annotation` has one row per transcript (chrom, tss, gene_id, symbol, biotype), as GENCODE's. A symbol that
    several genes bear, and a gene without one, are left out: nothing says which of them is meant. The copies of a
    gene on X and Y have one id, and are one gene.
    """
    named = annotation[annotation["symbol"].astype(bool)]
    genes = named.groupby("symbol")["gene_id"].transform("nunique")
    starts = named.loc[genes == 1, ["symbol", "chrom", "tss", "biotype"]]
    return starts.drop_duplicates(["symbol", "chrom", "tss"]).reset_index(drop=True)


def peaks_of(binding: Binding, antigens: list[str]) -> pd.DataFrame:
    """Peaks of all experiments of the antigens (chrom, start, end), each place once."""
    experiments = binding.experiments
    chosen = set(experiments.loc[experiments["antigen"].isin(antigens), "experiment"])
    regions = binding.regions
    own = regions.loc[regions["experiment"].isin(chosen), ["chrom", "start", "end"]]
    return own.drop_duplicates().reset_index(drop=True)


def near_genes(starts: pd.DataFrame, peaks: pd.DataFrame, reach: int = DISTAL_BP) -> pd.DataFrame:
    """Pairs of a gene and a peak with at most `reach` bases between its nearest start and the peak.

    `starts` as `gene_starts` gives them, `peaks` with chrom, start and end. Columns: symbol, peak (position in
    `peaks`), distance (bases between the start and the peak, 0 for a start inside it) and from_centre (bases from
    the start to the middle of the peak); one row per pair, in the order of symbols and peaks.
    """
    chromosomes = pd.Index(pd.unique(starts["chrom"].astype(object)))
    code = chromosomes.get_indexer(pd.Index(peaks["chrom"].astype(object)))
    known = np.flatnonzero(code >= 0)
    start, end = (peaks[name].to_numpy(np.int64)[known] for name in ("start", "end"))
    tss = starts["tss"].to_numpy(np.int64)
    around = Intervals(
        chromosomes.get_indexer(pd.Index(starts["chrom"].astype(object))).astype(np.int64),
        np.maximum(0, tss - reach),
        tss + reach + 1,
    )
    gene, place = overlap_pairs(around, Intervals(code[known].astype(np.int64), start, end))
    at = tss[gene]
    pairs = pd.DataFrame(
        {
            "symbol": starts["symbol"].to_numpy(object)[gene],
            "peak": known[place],
            "distance": np.maximum(0, np.maximum(start[place] - at, at - (end[place] - 1))),
            "from_centre": np.abs((start[place] + end[place]) // 2 - at),
        }
    )
    return pairs.groupby(["symbol", "peak"], as_index=False, sort=True).min()


def target_table(symbols: pd.Index, pairs: pd.DataFrame) -> pd.DataFrame:
    """What a factor binds around each gene: one row per symbol, in their order.

    `pairs` as `near_genes` gives them for DISTAL_BP. Columns: within_1000, within_5000, within_10000 (peaks at most
    so many bases from a start), distal (peaks beyond the last window, up to 100 kb), nearest (bases to the nearest
    peak, NaN without one) and potential: the sum over peaks up to 100 kb of exp(-(0.5 + 4 d / 100 kb)), d from the
    middle of the peak (regulatory potential of BETA, Wang et al. 2013, doi 10.1038/nprot.2013.150).
    """
    row = symbols.get_indexer(pd.Index(pairs["symbol"]))
    known = row >= 0
    row, pairs = row[known], pairs[known]
    distance = pairs["distance"].to_numpy()

    def counted(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(row[which], minlength=len(symbols))

    table = {f"within_{reach}": counted(distance <= reach) for reach in WINDOWS_BP}
    table["distal"] = counted(distance > WINDOWS_BP[-1])
    nearest = np.full(len(symbols), np.inf)
    np.minimum.at(nearest, row, distance)
    centre = pairs["from_centre"].to_numpy()
    near = centre <= DISTAL_BP
    weight = np.exp(-(0.5 + 4 * centre[near] / DISTAL_BP))
    potential = np.bincount(row[near], weight, minlength=len(symbols))
    nearest[np.isinf(nearest)] = np.nan
    return pd.DataFrame({**table, "nearest": nearest, "potential": potential}, index=symbols)


def peaks_around(starts: pd.DataFrame, peaks: pd.DataFrame, reach: int) -> pd.Series[int]:
    """How busy the surroundings of each gene are: peaks at most `reach` bases from a start, of the start that has
    the most. Index: symbol, in their order. For the peaks of many experiments: counts, no pairs."""
    found = pd.Series(peaks_at_starts(starts, peaks, reach), index=starts["symbol"])
    return found.groupby(level=0, sort=True).max()


def peaks_at_starts(starts: pd.DataFrame, peaks: pd.DataFrame, reach: int) -> NDArray[np.int64]:
    """Peaks at most `reach` bases from each start, in the order of `starts`."""
    found = np.zeros(len(starts), np.int64)
    chrom_of_peaks = peaks["chrom"].astype(object).to_numpy()
    chrom = starts["chrom"].astype(object).to_numpy()
    tss = starts["tss"].to_numpy(np.int64)
    for name in pd.unique(chrom):
        own, rows = chrom_of_peaks == name, chrom == name
        first, last = (np.sort(peaks[column].to_numpy(np.int64)[own]) for column in ("start", "end"))
        # Those that start before the window ends, less those that end before it starts.
        begun = np.searchsorted(first, tss[rows] + reach, side="right")
        over = np.searchsorted(last, tss[rows] - reach, side="right")
        found[rows] = begun - over
    return found
