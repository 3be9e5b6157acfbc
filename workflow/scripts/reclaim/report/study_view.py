"""One study for the page: its source, its claims, its data sets, and what was not tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from markupsafe import Markup

from reclaim.calibration.record import StudyCalibration
from reclaim.claim_row import VERDICTS, ClaimRow
from reclaim.config import WORLDS
from reclaim.dataset import kind_of
from reclaim.evidence import FLAGS, EvidenceRow
from reclaim.experiments import Choice
from reclaim.judging import decision_for
from reclaim.ledger import Ledger
from reclaim.reference import BLACKLIST, CHROMOSOMES, ELEMENTS, EXPERIMENTS, GENES, SYMBOLS
from reclaim.report.claim_view import ClaimView, claim_view
from reclaim.report.dataset_view import DatasetView, FileView, dataset_view, file_views, shared_pools
from reclaim.report.decision import zones_of_claim
from reclaim.report.figures import OverviewRow, overview
from reclaim.report.forest_axes import Span
from reclaim.report.panel import Control, controls
from reclaim.report.ranking_view import Comparisons
from reclaim.report.words import OUTCOME_MARKS, VERDICT_MARKS, Mark, listing, plural, scale_of
from reclaim.retrieve.receipt import Receipt
from reclaim.retrieve.registration import Registration
from reclaim.study import LibrarySet, Rejected, Source, Study


@dataclass(frozen=True)
class StudyResults:
    """What the report reads of one study; receipts and ledgers by data set, registrations by claim,
    receipts of references (symbols, gene sets) by name, what calibration found, where it ran, the curves of
    survival tests and the full results of co-localisation by `test/dataset`, and by data set of ChIP-Atlas the
    experiments that were chosen and the scores that it computed itself."""

    study: Study
    claims: Sequence[ClaimRow]
    evidence: Sequence[EvidenceRow]
    receipts: Mapping[str, Receipt]
    ledgers: Mapping[str, Ledger]
    registrations: Mapping[str, Registration] = field(default_factory=dict)
    references: Mapping[str, Receipt] = field(default_factory=dict)
    calibration: StudyCalibration | None = None
    curves: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    rankings: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    scores: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class CoverageCell:
    """What one data set says of one claim, or why it says nothing."""

    mark: Mark | None
    text: str
    remark: str


@dataclass(frozen=True)
class ReferenceView:
    """Files beside the data sets; `reason` where the service does not have them."""

    id: str
    about: str
    reason: str
    files: list[FileView]


@dataclass(frozen=True)
class StudyView:
    id: str
    anchor: str
    title: str
    source: list[tuple[str, str]]
    source_url: str
    conflicts: list[str]
    claims: list[ClaimView]
    counts: list[tuple[Mark, int]]
    untested_central: list[ClaimView]
    central: int
    figure: Markup
    figure_label: str
    coverage_columns: list[str]
    coverage: list[tuple[ClaimView, str, list[CoverageCell]]]
    datasets: list[DatasetView]
    of_patients: bool
    references: list[ReferenceView]
    shared: list[str]
    rejected: list[Rejected]
    simulated: bool
    local: bool
    panel: bool
    controls: list[Control]


def study_view(results: StudyResults, run: str, seed: int) -> StudyView:
    """Everything the page says of one study."""
    study = results.study
    rows = {row.claim: row for row in results.claims}
    calibrated = {one.claim: one for one in results.calibration.claims} if results.calibration else {}
    claims = [
        claim_view(
            study,
            claim,
            rows[claim.id],
            results.evidence,
            seed,
            results.registrations.get(claim.id),
            calibrated.get(claim.id),
            results.curves,
            Comparisons(results.rankings, results.scores, results.choices),
        )
        for claim in study.claims
    ]
    tally: Counter[str] = Counter(row.verdict for row in results.claims)
    central = [claim for claim in claims if claim.central]
    simulated = run in WORLDS or any(row.data == "simulated" for row in results.evidence)
    columns = list(study.datasets)
    return StudyView(
        id=study.id,
        anchor=f"study-{study.id}",
        title=study.title,
        source=_source(study.source),
        source_url=_web_address(study.source.url),
        conflicts=study.conflicts,
        claims=claims,
        counts=[(VERDICT_MARKS[verdict], tally[verdict]) for verdict in VERDICTS],
        untested_central=[claim for claim in central if not claim.tested],
        central=len(central),
        figure=Markup(_claims_figure(study, claims, rows)),
        figure_label=_figure_label(study, claims, simulated),
        coverage_columns=columns,
        coverage=_coverage(claims, results.evidence, columns),
        datasets=[
            dataset_view(
                study,
                name,
                results.receipts[name],
                results.ledgers[name],
                simulated,
                results.choices.get(name),
            )
            for name in study.datasets
        ],
        of_patients=any(kind_of(one) != "regions" for one in study.datasets.values()),
        references=[
            ReferenceView(name, _about(study, name), receipt.reason, file_views(receipt))
            for name, receipt in results.references.items()
        ],
        shared=shared_pools(study),
        rejected=study.rejected,
        simulated=simulated,
        local=any(row.data == "local" for row in results.evidence),
        panel=study.panel,
        controls=controls(study, claims),
    )


OF_THE_GENOME = {
    EXPERIMENTS: "ChIP-Atlas, list of all experiments",
    CHROMOSOMES: "lengths of the chromosomes",
    BLACKLIST: "ENCODE blacklist, regions that gather reads in every experiment",
    GENES: "GENCODE, where genes start",
    ELEMENTS: "ENCODE, candidate cis-regulatory elements",
}
"""Name of a reference -> what it is, for studies of regions."""


def _about(study: Study, name: str) -> str:
    """What a reference is for."""
    if name == SYMBOLS:
        return "HGNC, approved symbols of genes"
    if name in OF_THE_GENOME:
        return OF_THE_GENOME[name]
    library = study.libraries[name]
    sets = [
        f"{key} ({one.set})"
        for key, one in study.gene_sets.items()
        if isinstance(one, LibrarySet) and one.library == name
    ]
    licence = f"; {library.licence}" if library.licence else ""
    return f"gene sets: {listing(sets)}{licence}"


def _claims_figure(study: Study, claims: Sequence[ClaimView], rows: Mapping[str, ClaimRow]) -> str:
    """SVG with the effect, the regions of the rule and the verdict of every tested claim."""
    lines = []
    for claim, view in zip(study.claims, claims, strict=True):
        if view.reading is None:
            continue
        decisive, row = view.reading.decisive, rows[claim.id]
        decision = decision_for(claim, decisive.test.id)
        lines.append(
            OverviewRow(
                claim=claim.id,
                statement=claim.statement,
                span=Span(row.effect, row.ci_low, row.ci_high),
                estimate=view.estimate,
                mark=view.verdict,
                verdict=f"{'SIMULATED ' if view.simulated else ''}{view.verdict.word}",
                scale=decisive.scale,
                zones=zones_of_claim(decision, decisive.named),
            )
        )
    world = " SIMULATED data." if any(view.simulated for view in claims) else ""
    footnote = (
        "Effects with 95 % intervals. Tinted region: the rule agrees; hatched: the opposite; blank: neither. "
        f"Not tested: {plural(len(claims) - len(lines), 'claim')}."
    )
    heading = f"{study.id}: {plural(len(lines), 'claim')} tested.{world}"
    return overview(lines, heading, footnote, f"{study.id}--claims")


def _figure_label(study: Study, claims: Sequence[ClaimView], simulated: bool) -> str:
    said = "; ".join(
        f"{claim.id} {claim.verdict.word}, {claim.effect_name} {claim.estimate}"
        for claim in claims
        if claim.tested
    )
    return f"{'SIMULATED data. ' if simulated else ''}Tested claims of {study.id}: {said or 'none'}"


def _source(source: Source) -> list[tuple[str, str]]:
    lines = [
        ("Kind", source.kind),
        ("Title", source.title or ""),
        ("Journal", source.journal or ""),
        ("Date", source.date.isoformat() if source.date else "not told by the document"),
        ("DOI", source.doi or ""),
        ("PMID", str(source.pmid) if source.pmid else ""),
        ("Document read", source.document),
    ]
    return [(label, text) for label, text in lines if text]


def _web_address(url: str | None) -> str:
    """The URL when it is safe as a link, else nothing."""
    return url if url and url.startswith(("https://", "http://")) else ""


def _coverage(
    claims: Sequence[ClaimView], evidence: Sequence[EvidenceRow], columns: Sequence[str]
) -> list[tuple[ClaimView, str, list[CoverageCell]]]:
    """A line per primary test: what each data set alone says, and where the subject cannot be measured."""
    lines = []
    for claim in claims:
        for test in claim.primary:
            rows = [row for row in evidence if row.test == test.id]
            cells = [_cell([row for row in rows if row.dataset == name]) for name in columns]
            lines.append((claim, test.id, cells))
    return lines


def _cell(rows: Sequence[EvidenceRow]) -> CoverageCell:
    if not rows:
        return CoverageCell(None, "not used", "")
    if len(rows) > 1:
        tally = Counter(row.outcome or "unclear" for row in rows)
        text = ", ".join(f"{number} {outcome}" for outcome, number in sorted(tally.items()))
        return CoverageCell(None, text, "")
    row = rows[0]
    flags = [FLAGS.get(flag, flag) for flag in row.flags.split(",") if flag and flag != "call_depth"]
    scale = scale_of(row.effect_name, row.analysis)
    name = "" if scale.kind == "share" else f"{scale.name} "
    text = "" if row.effect is None else f"{name}{scale.point(row.effect, row.ci_high)}"
    return CoverageCell(OUTCOME_MARKS[row.outcome or "unclear"], text, " ".join(flags))
