"""Peaks of one experiment (narrowPeak, BED), and of many in one file as ChIP-Atlas assembles them.

ChIP-Atlas calls its files per experiment .bed, but they are narrowPeak, with scores of 10 x -log10 q that are not
capped. Assembled files are BED9 whose column 4 holds the attributes,
`ID=SRX...;Name=ANTIGEN%20(@%20CELL);...;<br>...`, and whose scores end at 1000.
narrowPeak: https://macs3-project.github.io/MACS/docs/narrowPeak.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from reclaim.errors import UserError
from reclaim.regions import in_order
from reclaim.sources.bed import read_bed

NARROW_PEAK = 10
"""Columns of narrowPeak: BED6, fold, -log10 p, -log10 q, summit."""

NAMES = ("experiment", "antigen", "cell")
ANTIGEN_AND_CELL = re.compile(r"(.+) \(@ (.+)\)", re.DOTALL)

TEXT_SCORES = "peaks whose score is no number"
UNNAMED = "assembled peaks without an experiment"
NO_CELL = "assembled peaks whose name does not tell antigen and cell"


def read_peaks(path: Path, sizes: Mapping[str, int] | None, ledger: Counter[str]) -> pd.DataFrame:
    """Peaks of one experiment, in order: chrom (category), start, end, score, fold, p, q, summit (float64).

    p and q are -log10, summit counts bases from start. Of ten columns all are read, -1 for a missing p, q or summit.
    Other widths are BED: the score is column 5; of four columns it is column 4, if that holds numbers. What a file
    does not have is NaN. `sizes`: lengths of the chromosomes. Impossible and repeated peaks are dropped and counted
    (`reclaim.regions.in_order`); so are scores that are text, but their peaks kept. Raises UserError as `read_bed`
    does, AbsentData when no chromosome is known.
    """
    bed = read_bed(path, 4, 5, *range(7, NARROW_PEAK + 1))
    narrow = bed.width == NARROW_PEAK
    absent: np.ndarray = np.full(len(bed.place), np.nan)
    peaks = bed.place.assign(score=bed.numbers(4 if bed.width == 4 else 5))
    if bed.width > 4:
        ledger[TEXT_SCORES] += int(peaks["score"].isna().sum())
    for column, name in enumerate(("fold", "p", "q", "summit"), start=7):
        peaks[name] = bed.numbers(column) if narrow else absent
    for name in ("p", "q", "summit"):
        peaks[name] = peaks[name].where(peaks[name] >= 0)
    return in_order(peaks, str(path), sizes, ledger)


def read_assembled(path: Path, sizes: Mapping[str, int] | None, ledger: Counter[str]) -> pd.DataFrame:
    """Peaks of many experiments, in order: chrom, start, end, experiment, antigen, cell (categories), score (float64).

    Peaks without an experiment are dropped and counted, names that do not tell antigen and cell are counted and leave
    both empty; the rest as `read_peaks`. Raises UserError also when no line has attributes in column 4.
    """
    bed = read_bed(path, 4, 5)
    attributes = bed.text(4)
    names = pd.DataFrame([_attributes(text) for text in attributes.categories], columns=list(NAMES))
    if bed.width and (names["experiment"] == "").all():
        example = str(attributes.categories[0])[:60]
        raise UserError(
            f"{path}: column 4 is {example!r}; expected attributes such as ID=...;Name=...: use a file from ChIP-Atlas' "
            "assembled/, or read it as the peaks of one experiment"
        )
    peaks = bed.place.assign(**{name: pd.Categorical(names[name]).take(attributes.codes) for name in NAMES})
    peaks["score"] = bed.numbers(5)
    named = (peaks["experiment"] != "").to_numpy()
    ledger[UNNAMED] += int((~named).sum())
    ledger[NO_CELL] += int((named & (peaks["cell"] == "").to_numpy()).sum())
    ledger[TEXT_SCORES] += int((named & peaks["score"].isna().to_numpy()).sum())
    peaks = peaks[named]
    for name in NAMES:
        peaks[name] = peaks[name].cat.remove_unused_categories()
    return in_order(peaks, str(path), sizes, ledger)


def _attributes(text: str) -> tuple[str, str, str]:
    """Experiment, antigen and cell; empty where the attributes do not tell."""
    backwards = reversed(text.split(";"))  # the first of a key counts
    pairs = dict(part.strip().partition("=")[::2] for part in backwards)
    match = ANTIGEN_AND_CELL.fullmatch(unquote(pairs.get("Name", "")))
    antigen, cell = match.groups() if match else ("", "")
    return unquote(pairs.get("ID", "")).strip(), antigen, cell
