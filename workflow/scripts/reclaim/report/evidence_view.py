"""Evidence rows as a table for the page: only the columns that say something."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from reclaim.evidence import FLAGS, EvidenceRow
from reclaim.report.words import (
    MISSING,
    OUTCOME_MARKS,
    Mark,
    Scale,
    count,
    p_value,
    percent,
    scale_of,
    sentence,
)

NULL_PERCENTILE = (
    "Null percentile: the share of comparable genes, sets or experiments, the tested one included, that are at least as "
    "extreme in the claimed direction. Small is extreme."
)


SHIFTED = (
    "p: one-sided, of circular shifts of the query along the regions. It says whether overlap is chance; the odds ratio "
    "is what is left of it within strata."
)
REGIONS = "peak_colocalization"
"""The analysis that counts regions."""
GENES = {"bound_and_deregulated": "bound and respond", "target_genes": "with a peak"}
"""Analyses that count genes, and which of them."""


@dataclass(frozen=True)
class EvidenceLine:
    dataset: str
    tier: str
    data: str
    cells: list[str]
    outcome: Mark | None
    passed: str
    remarks: list[str]


@dataclass(frozen=True)
class EvidenceTable:
    """Columns between data set and outcome have their names in `columns`; `explained` says what those mean
    that no reader would guess."""

    columns: list[str]
    lines: list[EvidenceLine]
    methods: list[str]
    simulated: bool
    explained: list[str]


def evidence_table(rows: Sequence[EvidenceRow], gate: bool = False) -> EvidenceTable:
    """Rows of one test. Flags are told in words; a gate's outcome is that it passes or fails."""
    named = next((row for row in rows if row.effect_name), None)
    scale = scale_of(named.effect_name, named.analysis) if named else scale_of("")
    has_p = any(row.p_value is not None for row in rows)
    has_mde = any(row.mde is not None for row in rows)
    has_percentile = any(row.null_percentile is not None for row in rows)
    has_events = any(row.n_events is not None for row in rows)
    counts = _counts(named.analysis if named else "", scale)
    columns = [*counts[: 1 + has_events], scale.name, "95 % interval"]
    columns += ["p"] * has_p + ["null percentile"] * has_percentile + ["detectable"] * has_mde
    lines = [
        EvidenceLine(
            dataset=row.dataset if row.stratum == "all" else f"{row.dataset}, {row.stratum}",
            tier=f"{row.tier}{'' if row.independent else ', authors’ own'}",
            data=row.data,
            cells=[
                count(row.n),
                *([count(row.n_events)] if has_events else []),
                scale.point(row.effect, row.ci_high),
                scale.interval(row.ci_low, row.ci_high),
                *([p_value(row.p_value)] if has_p else []),
                *([_percentile(row)] if has_percentile else []),
                *([_detectable(row, scale)] if has_mde else []),
            ],
            outcome=OUTCOME_MARKS[row.outcome] if row.outcome else None,
            passed=("passes" if row.outcome == "agrees" else "fails") if gate else "",
            remarks=_remarks(row),
        )
        for row in rows
    ]
    methods = list(dict.fromkeys(row.method for row in rows))
    explained = [NULL_PERCENTILE] if has_percentile else []
    explained += [SHIFTED] if has_p and any(row.analysis == REGIONS for row in rows) else []
    return EvidenceTable(columns, lines, methods, any(row.data == "simulated" for row in rows), explained)


def _counts(analysis: str, scale: Scale) -> tuple[str, str]:
    """What n is of a test of this kind, and what is counted among it."""
    if analysis == "event_share":
        return "events", "late"
    if analysis == "detection":
        return "n", "detected"
    if analysis == REGIONS:
        return "regions", "with both"
    if analysis in GENES:
        return "genes", GENES[analysis]
    return "n", "altered" if scale.kind == "share" else "events"


def _percentile(row: EvidenceRow) -> str:
    """Where the row stands among its nulls, the most extreme in the claimed direction first."""
    return MISSING if row.null_percentile is None else percent(row.null_percentile)


def _detectable(row: EvidenceRow, scale: Scale) -> str:
    """The smallest effect that the row could have detected, on the side that was claimed. That of a correlation
    is kept on the scale of Fisher's z."""
    if row.mde is None:
        return MISSING
    smallest = math.tanh(row.mde) if row.effect_name == "spearman_rho" else row.mde
    return scale.point(-smallest if row.expected == "negative" else smallest)


def _remarks(row: EvidenceRow) -> list[str]:
    flags = [FLAGS.get(flag, flag) for flag in row.flags.split(",") if flag]
    counts = "" if row.effect_name == "share" else _further_counts(row)
    return [text for text in (*flags, sentence(row.note), counts) if text]


def _further_counts(row: EvidenceRow) -> str:
    """Counts by name, such as the cells of a two-by-two table. Those of a share stand in its note."""
    groups = json.loads(row.groups).items()
    if row.analysis == REGIONS:
        return (
            sentence("regions bound: " + ", ".join(f"{value:,} by {name}" for name, value in groups))
            if groups
            else ""
        )
    return sentence(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in groups))
