"""The report page: results of a run in, one self-contained HTML document out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reclaim.config import WORLDS
from reclaim.report.study_view import StudyView
from reclaim.report.words import (
    OUTCOME_MARKS,
    OUTCOME_MEANING,
    VERDICT_MARKS,
    WORLD_MEANING,
    capital,
    listing,
    plural,
    quoted,
)
from reclaim.verdict import MEANING, VERDICTS


def render_page(run: str, seed: int, studies: Sequence[StudyView], versions: Mapping[str, str]) -> str:
    """HTML of the whole run. The same input gives the same text, to the byte.

    `versions` names the packages that computed the results. Every text from a study file or a data
    source is escaped.
    """
    simulated = any(study.simulated for study in studies)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["capital"] = capital
    environment.globals.update(listing=listing, plural=plural)
    return environment.get_template("page.html.jinja").render(
        run=run,
        seed=seed,
        versions=versions,
        studies=studies,
        tally=_tally(studies),
        tested=sum(claim.tested for study in studies for claim in study.claims),
        simulated=simulated,
        world=run if run in WORLDS else "",
        world_meaning=next((text for world, text in WORLD_MEANING.items() if world == run), ""),
        local=any(study.local for study in studies),
        verdicts=[(VERDICT_MARKS[verdict], quoted(MEANING[verdict])) for verdict in VERDICTS],
        outcomes=[(mark, OUTCOME_MEANING[key]) for key, mark in OUTCOME_MARKS.items()],
    )


def _tally(studies: Sequence[StudyView]) -> list[int]:
    """Verdicts of the whole run, in the order of VERDICTS."""
    total: Counter[str] = Counter()
    for study in studies:
        total.update({mark.key: number for mark, number in study.counts})
    return [total[verdict] for verdict in VERDICTS]
