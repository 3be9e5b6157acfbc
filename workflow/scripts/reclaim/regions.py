"""Regions of a genome as the workflow keeps them: half-open, 0-based, on known chromosomes, each once, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from reclaim.errors import AbsentData, did_you_mean

REGIONS = pa.DataFrameSchema(
    {
        "chrom": pa.Column("category"),
        "start": pa.Column("int32", pa.Check.ge(0), description="first base, counted from 0"),
        "end": pa.Column("int32", description="base after the last one"),
        "experiment": pa.Column("category", description="accession that the region comes from"),
        "score": pa.Column("float32", nullable=True, description="as the file has it; assembled peaks: up to 1000"),
        "q": pa.Column("float32", pa.Check.ge(0), nullable=True, description="-log10 of MACS2's q value"),
        "summit": pa.Column("float32", pa.Check.ge(0), nullable=True, description="bases from start"),
    },
    checks=pa.Check(lambda table: table["end"] > table["start"], error="a region ends after it starts"),
    strict=True,
    ordered=True,
)  # fmt: skip

EXPERIMENTS = pa.DataFrameSchema(
    {
        "experiment": pa.Column("object", unique=True, description="accession, or the antigen of a local file"),
        "antigen": pa.Column("object"),
        "cell": pa.Column("object", description="as the source names it"),
        "cells": pa.Column("object", description="the step of the order of preference; empty for local files"),
        "system": pa.Column("object", description="how close the cells are to those of the claim"),
        "peaks": pa.Column("int64", pa.Check.ge(0), description="regions that were kept"),
    },
    strict=True,
    ordered=True,
)  # fmt: skip
SCORES = pa.DataFrameSchema(
    {
        "table": pa.Column("object", pa.Check.isin(["colo", "targets"]), description="ChIP-Atlas' own analysis"),
        "antigen": pa.Column("object", description="whose table it is"),
        "experiment": pa.Column("object", description="of the antigen: a column of the table"),
        "row": pa.Column("object", description="an experiment of another antigen, or a gene"),
        "score": pa.Column("float64", description="above 0; a pair that is not here has none"),
    },
    strict=True,
    ordered=True,
)  # fmt: skip

PARTS = ("regions", "experiments", "scores")

NAMED = ("chrom", "experiment")
"""Columns that are categories."""

INVERTED = "regions of no length or that end before they start"
NEGATIVE = "regions that start before the chromosome does"
UNKNOWN = "regions on chromosomes that the genome does not have"
BEYOND = "regions that end beyond their chromosome"
REPEATED = "regions that repeat another"


@dataclass(frozen=True)
class Binding:
    """What is bound where: REGIONS, EXPERIMENTS, and what ChIP-Atlas says itself (SCORES)."""

    regions: pd.DataFrame
    experiments: pd.DataFrame
    scores: pd.DataFrame

    @classmethod
    def empty(cls) -> Binding:
        """Of a data set that is absent."""
        return cls(*(no_rows(schema) for schema in (REGIONS, EXPERIMENTS, SCORES)))

    def validated(self) -> Binding:
        """Itself, after its tables were held to their schemas."""
        return Binding(
            REGIONS.validate(self.regions),
            EXPERIMENTS.validate(self.experiments),
            SCORES.validate(self.scores),
        )


def check_antigens(experiments: pd.DataFrame, antigens: Iterable[str]) -> None:
    """Raise AbsentData when one of the antigens has no experiment."""
    known = set(experiments["antigen"])
    for antigen in antigens:
        if antigen not in known:
            raise AbsentData(
                f"no experiment of {antigen} was chosen{did_you_mean(antigen, known)} ({len(known)} antigens have one)"
            )


def cells_of(experiments: pd.DataFrame) -> pd.Series[str]:
    """In which step of the order of preference each antigen was measured; index: antigen."""
    return experiments.groupby("antigen")["cells"].first()


def no_rows(schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The table without a row."""
    return pd.DataFrame(
        {name: pd.Series([], dtype=str(column.dtype)) for name, column in schema.columns.items()}
    )


def as_regions(peaks: pd.DataFrame, experiment: str | None = None) -> pd.DataFrame:
    """Peaks of any reader in the canonical form, validated; columns that a file does not have are missing (NaN).

    `experiment` names the file's one experiment, for peaks without a column of that name. Raises pandera's SchemaError
    when the table breaks the contract.
    """
    experiments = peaks["experiment"] if experiment is None else pd.Series(experiment, index=peaks.index)
    regions = peaks.assign(experiment=experiments.astype("category")).reindex(columns=list(REGIONS.columns))
    kinds = {name: str(column.dtype) for name, column in REGIONS.columns.items() if name not in NAMED}
    return REGIONS.validate(regions.astype(kinds).reset_index(drop=True))


def overlaps_any(regions: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Which regions share a base with any of `others`; both have columns chrom, start and end.

    One search for all, without the cost of a join: thousands of files are held against one blacklist.
    """
    names = [str(name) for name in pd.unique(others["chrom"])]
    # Chromosomes side by side on one line, those that `others` lack at its end.
    reach = 1 + max((int(table["end"].max()) for table in (regions, others) if len(table)), default=0)

    def on_line(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        place = pd.Index(names).get_indexer(pd.Index(table["chrom"].astype(object)))
        offset = np.where(place < 0, len(names), place).astype(np.int64) * reach
        return offset + table["start"].to_numpy(np.int64), offset + table["end"].to_numpy(np.int64)

    start, end = on_line(others)
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order]) if len(end) else end
    first, last = on_line(regions)
    at = np.searchsorted(end, first, side="right")
    there = at < len(end)
    found: np.ndarray = there & (np.append(start, 0)[at] < last)
    return found


def in_order(
    regions: pd.DataFrame, name: str, sizes: Mapping[str, int] | None, ledger: Counter[str]
) -> pd.DataFrame:
    """Regions (columns chrom, start, end, others) that can be, each once, sorted by chromosome, start and end.

    `sizes` are the lengths of all chromosomes, in bases; they decide which chromosomes there are, and their order.
    Without, the order is that of first appearance, and neither chromosomes nor ends are checked. What is dropped is
    counted in `ledger`, once, by the first reason. Raises AbsentData when none of the regions lies on a known
    chromosome; `name` names the file there.
    """
    chromosomes = list(sizes) if sizes is not None else list(pd.unique(regions["chrom"]))
    chrom = pd.Categorical(regions["chrom"], categories=chromosomes)
    length = np.array([sizes[each] for each in chromosomes] if sizes else [], dtype=np.int64)
    codes = chrom.codes
    start, end = regions["start"].to_numpy(), regions["end"].to_numpy()
    if len(codes) and (codes < 0).all():
        raise AbsentData(
            f"{name}: no region lies on a known chromosome (it has {regions['chrom'].iloc[0]!r}, the genome "
            f"{chromosomes[0] if chromosomes else 'none'!r}): not regions of this genome"
        )
    keep: np.ndarray = np.ones(len(regions), bool)
    beyond = (codes >= 0) & (end > length[codes]) if len(length) else ~keep
    for reason, wrong in (
        (INVERTED, end <= start),
        (NEGATIVE, start < 0),
        (UNKNOWN, codes < 0),
        (BEYOND, beyond),
    ):
        ledger[reason] += int((keep & wrong).sum())
        keep &= ~wrong
    order = np.lexsort((end[keep], start[keep], codes[keep]))
    kept = regions.assign(chrom=chrom)[keep].iloc[order]
    repeated = kept.duplicated()
    ledger[REPEATED] += int(repeated.sum())
    return kept[~repeated].reset_index(drop=True)
