"""The report page: results of a run in, one self-contained HTML document out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reclaim.calibration.cap import BACKGROUND_DESCRIPTIVE, BACKGROUND_SPECIFIC, NULL_RATE_CAP
from reclaim.calibration.unswapped import CALIBRATED_RULES
from reclaim.claim_row import MEANING, VERDICTS
from reclaim.config import WORLDS
from reclaim.report.calibration_reading import limit_in_words
from reclaim.report.chip_atlas_view import EXCLUDED_COLUMNS
from reclaim.report.study_view import StudyView
from reclaim.report.words import (
    OUTCOME_MARKS,
    OUTCOME_MEANING,
    VERDICT_MARKS,
    WORLD_MEANING,
    byte_size,
    capital,
    count,
    listing,
    plural,
    quoted,
)

FOLDED_FROM = 12
"""Files of a data set that stand open on the page; the list of more is folded away."""


def render_page(run: str, seed: int, studies: Sequence[StudyView], versions: Mapping[str, str]) -> str:
    """HTML of the whole run, panels of control claims last. The same input gives the same text, to the byte.

    `versions` names the packages that computed the results. Every text from a study file or a data
    source is escaped.
    """
    simulated = any(study.simulated for study in studies)
    ordinary = [study for study in studies if not study.panel]
    panels = [study for study in studies if study.panel]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(capital=capital, byte_size=byte_size, count_of=count)
    environment.globals.update(
        listing=listing, plural=plural, folded_from=FOLDED_FROM, excluded_columns=EXCLUDED_COLUMNS
    )
    return environment.get_template("page.html.jinja").render(
        run=run,
        seed=seed,
        versions=versions,
        studies=ordinary,
        panels=panels,
        controls=[control for panel in panels for control in panel.controls],
        tally=_tally(ordinary),
        tested=sum(claim.tested for study in ordinary for claim in study.claims),
        simulated=simulated,
        world=run if run in WORLDS else "",
        world_meaning=next((text for world, text in WORLD_MEANING.items() if world == run), ""),
        local=any(study.local for study in studies),
        verdicts=[(VERDICT_MARKS[verdict], quoted(MEANING[verdict])) for verdict in VERDICTS],
        outcomes=[(mark, OUTCOME_MEANING[key]) for key, mark in OUTCOME_MARKS.items()],
        calibrated_rules=sorted(CALIBRATED_RULES),
        null_limit=limit_in_words(NULL_RATE_CAP),
        specific_limits=[limit_in_words(share) for share in BACKGROUND_SPECIFIC],
        descriptive_limit=limit_in_words(BACKGROUND_DESCRIPTIVE),
    )


def _tally(studies: Sequence[StudyView]) -> list[int]:
    """Verdicts of the whole run, in the order of VERDICTS."""
    total: Counter[str] = Counter()
    for study in studies:
        total.update({mark.key: number for mark, number in study.counts})
    return [total[verdict] for verdict in VERDICTS]
