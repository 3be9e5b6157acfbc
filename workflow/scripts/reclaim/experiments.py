"""Which experiments of ChIP-Atlas a data set rests on, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from reclaim.dataset_base import Closeness
from reclaim.model import Model
from reclaim.region_dataset import ChipAtlasDataset

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 100
"""Characters of a text around what made an experiment be left out."""


class Experiment(Model):
    """A candidate as the list describes it."""

    experiment: str = Field(description="SRX, ERX or DRX accession")
    antigen: str
    cell: str
    cells: str = Field("", description="the step of the order of preference that it matches")
    peaks: int | None = Field(description="at q < 1e-5, of any threshold that is used; null: not listed")
    title: str


class Chosen(Experiment):
    """A candidate that is used."""

    system: Closeness = Field(description="how close its cells are to those of the claim")


class Excluded(Experiment):
    """A candidate that is not used."""

    reason: str


class Choice(Model):
    """The experiments of one data set: chosen ones by antigen, the others in the order of the list."""

    chosen: list[Chosen]
    excluded: list[Excluded]

    @property
    def experiments(self) -> list[str]:
        return [one.experiment for one in self.chosen]


class Choices(Model):
    """Those of a study, by data set: results/<run>/<study>/experiments.json."""

    datasets: dict[str, Choice]


def choose_experiments(dataset: ChipAtlasDataset, listed: pd.DataFrame) -> Choice:
    """Of every antigen the experiments with the most peaks among the preferred cells.

    `listed` has the columns of `read_experiments`, one row per experiment. Candidates are those of the genome, the
    class of antigens, the antigens and the class of cells, and of cells that the data set names. In this order they
    are left out: treated, too few peaks, another experiment of the antigen in preferred cells, one with more peaks in
    the same cells (equal numbers: the accession that comes first).
    """
    steps = [re.compile(step.matches, re.IGNORECASE) for step in dataset.cells]
    treated = [re.compile(pattern, re.IGNORECASE) for pattern in dataset.exclude]
    excluded: list[Excluded] = []
    usable: dict[str, list[tuple[int, int, str, Chosen]]] = {}
    for one, metadata in _candidates(dataset, listed):
        texts = (one.cell, one.title, metadata)
        step = next((i for i, cells in enumerate(steps) if any(map(cells.search, texts))), None)
        if step is None:
            continue
        known = one.model_dump() | {"cells": dataset.cells[step].name}
        reason = _treatment(treated, texts[1:]) or _too_few(one.peaks, dataset.min_peaks)
        if reason:
            excluded.append(Excluded(**known, reason=reason))
        else:
            fit = Chosen(**known, system=dataset.cells[step].system)
            usable.setdefault(one.antigen, []).append((step, -(one.peaks or 0), one.experiment, fit))
    chosen: list[Chosen] = []
    for antigen in sorted(usable):
        ranked = sorted(usable[antigen], key=lambda place: place[:3])
        best = ranked[0][0]
        taken = [one for step, _, _, one in ranked if step == best][: dataset.per_antigen]
        chosen += taken
        for step, _, _, one in ranked:
            if one not in taken:
                reason = f"{taken[0].experiment} is of preferred cells ({taken[0].cells})"
                if step == best:
                    ahead = "has more peaks" if (taken[0].peaks or 0) > (one.peaks or 0) else "comes first"
                    reason = f"{taken[0].experiment} {ahead} in the same cells"
                excluded.append(Excluded(**one.model_dump(exclude={"system"}), reason=reason))
    return Choice(chosen=chosen, excluded=sorted(excluded, key=lambda one: (one.antigen, one.experiment)))


def _candidates(dataset: ChipAtlasDataset, listed: pd.DataFrame) -> Iterator[tuple[Experiment, str]]:
    """Rows of the list that are of the genome, classes and antigens asked for, each with its metadata."""
    keep = (listed["genome"] == dataset.genome) & (listed["antigen_class"] == dataset.antigen_class)
    if dataset.antigens:
        keep &= listed["antigen"].isin(dataset.antigens)
    if dataset.cell_class:
        keep &= listed["cell_class"] == dataset.cell_class
    part = listed[keep]
    known = part["peaks"].notna()
    for row, there in zip(part.itertuples(), known, strict=True):
        peaks = int(row.peaks) if there else None  # type: ignore[arg-type]
        yield (
            Experiment(
                experiment=str(row.experiment),
                antigen=str(row.antigen),
                cell=str(row.cell),
                peaks=peaks,
                title=str(row.title),
            ),
            str(row.metadata),
        )


def _treatment(patterns: Sequence[re.Pattern[str]], texts: Sequence[str]) -> str:
    """What says that the cells were treated, with its surroundings."""
    for pattern in patterns:
        for text in texts:
            if found := pattern.search(text):
                return f"excluded by /{pattern.pattern}/: {_around(text, *found.span())}"
    return ""


def _around(text: str, start: int, end: int) -> str:
    """A place in a text with whole words before and after it."""
    before, after = text[:start], text[end:]
    head, tail = before[-SHOWN // 2 :], after[: SHOWN // 2]
    if len(head) < len(before):
        head = "... " + re.sub(r"^\S*\s", "", head)
    if len(tail) < len(after):
        tail = re.sub(r"\s\S*$", "", tail) + " ..."
    return " ".join(f"{head}{text[start:end]}{tail}".split())


def _too_few(peaks: int | None, least: int) -> str:
    if peaks is None:
        return "the list does not say how many peaks it has" if least else ""
    return f"{peaks:,} peaks, {least:,} are needed" if peaks < least else ""
