"""A data set of ChIP-Atlas for the page: what it asked for, what was chosen, what was left out, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from reclaim.experiments import Choice
from reclaim.region_dataset import THRESHOLDS, ChipAtlasDataset
from reclaim.report.words import MISSING, count, listing, plural
from reclaim.retrieve.receipt import MissingFile

SHOWN_AT_ONCE = 12
"""Chosen experiments up to which all are shown; of more only those of antigens that a claim names."""


@dataclass(frozen=True)
class ChosenLine:
    """A chosen experiment; `absent` where ChIP-Atlas does not have its peaks."""

    antigen: str
    experiment: str
    url: str
    cell: str
    cells: str
    system: str
    peaks: str
    title: str
    absent: bool


@dataclass(frozen=True)
class ChoiceView:
    """`named` are experiments that stand open on the page, `others` are folded away. A line of `excluded` has as many
    cells as EXCLUDED_COLUMNS."""

    named: list[ChosenLine]
    others: list[ChosenLine]
    excluded: list[tuple[str, ...]]
    summary: str


EXCLUDED_COLUMNS = ("Antigen", "Experiment", "Cells as listed", "Step", "Peaks", "Title", "Why not")


@dataclass(frozen=True)
class MissingView:
    """Files of one kind that the service does not have, and what follows; a line is what it is, address, answer."""

    heading: str
    consequence: str
    lines: list[tuple[str, str, str]]


def q_limit(threshold: str) -> str:
    """The q value below which peaks were called, such as `1e-5`."""
    return f"{THRESHOLDS[threshold]:.0e}".replace("e-0", "e-")


def request_facts(dataset: ChipAtlasDataset) -> list[tuple[str, str]]:
    """Labelled lines about what the data set asked for."""
    cells = [
        f"{i}. {step.name}: /{step.matches}/, {step.system} as in the claim"
        if step.system == "same"
        else f"{i}. {step.name}: /{step.matches}/, {step.system}"
        for i, step in enumerate(dataset.cells, start=1)
    ]
    per_antigen = "the one" if dataset.per_antigen == 1 else f"the {dataset.per_antigen}"
    return [
        (
            "Candidates",
            f"{dataset.antigen_class}: {listing(dataset.antigens) or 'all antigens'}; cells: "
            f"{dataset.cell_class or 'of any class'}",
        ),
        ("Cells, in order of preference", "; ".join(cells)),
        ("Left out by words", listing([f"/{pattern}/" for pattern in dataset.exclude]) or "none"),
        ("Fewest peaks", f"{dataset.min_peaks:,} at q < {q_limit('05')}"),
        ("Of every antigen", f"{per_antigen} with the most peaks in the cells that come first"),
        ("Peaks that are used", f"called at q < {q_limit(dataset.threshold)}"),
    ]


def choice_view(
    choice: Choice, named: Collection[str], missing: Sequence[MissingFile], link: bool
) -> ChoiceView:
    """The experiments of a data set. `named` are antigens that claims speak of, `missing` the files that ChIP-Atlas does
    not have; `link` leads to its page of each chosen experiment."""
    gone = {file.name for file in missing}
    lines = [
        ChosenLine(
            antigen=one.antigen,
            experiment=one.experiment,
            url=f"https://chip-atlas.org/view?id={one.experiment}" if link else "",
            cell=one.cell,
            cells=one.cells,
            system=one.system,
            peaks=count(one.peaks),
            title=one.title,
            absent=one.experiment in gone,
        )
        for one in choice.chosen
    ]
    few = len(lines) <= SHOWN_AT_ONCE
    return ChoiceView(
        named=[line for line in lines if few or line.antigen in named],
        others=[line for line in lines if not few and line.antigen not in named],
        excluded=[
            (one.antigen, one.experiment, one.cell, one.cells, count(one.peaks), one.title, one.reason)
            for one in choice.excluded
        ],
        summary=_summary(choice),
    )


def _summary(choice: Choice) -> str:
    """How many experiments of how many antigens there are, and in which cells."""
    if not choice.chosen:
        return "No experiment of the list meets what was asked for."
    antigens = len({one.antigen for one in choice.chosen})
    steps = Counter(one.cells for one in choice.chosen)
    where = listing([f"{number:,} in {step}" for step, number in steps.items()])
    return f"{plural(len(choice.chosen), 'experiment')} of {plural(antigens, 'antigen')}: {where}."


def missing_views(
    dataset: ChipAtlasDataset, missing: Sequence[MissingFile], choice: Choice | None
) -> list[MissingView]:
    """Files that ChIP-Atlas does not have, by what follows from it."""
    tables = {f"colo_{name}": f"Colo table of {name}" for name in dataset.colocalization_tables}
    tables |= {f"targets_{name}": f"Target Genes table of {name}" for name in dataset.target_tables}
    chosen = {one.experiment: one for one in choice.chosen} if choice else {}
    peaks = {name: f"peaks of {name}, {one.antigen} in {one.cell}" for name, one in chosen.items()}
    no_peaks = [file for file in missing if file.name not in tables]
    no_table = [file for file in missing if file.name in tables]
    found = []
    if no_peaks:
        found.append(
            MissingView(
                f"Peaks that ChIP-Atlas does not have: {plural(len(no_peaks), 'experiment')}",
                f"{'It is' if len(no_peaks) == 1 else 'They are'} left out, and no other experiment takes the place.",
                _lines(no_peaks, peaks),
            )
        )
    if no_table:
        found.append(
            MissingView(
                f"Tables that ChIP-Atlas does not have: {len(no_table):,}",
                f"{'It is' if len(no_table) == 1 else 'They are'} not shown. No verdict rests on such a table.",
                _lines(no_table, tables),
            )
        )
    return found


def _lines(missing: Sequence[MissingFile], names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(names.get(file.name, file.name), file.url, file.reason or MISSING) for file in missing]
