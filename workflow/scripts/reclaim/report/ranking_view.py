"""Where the partner of a co-localisation stands among all antigens that were compared with the query."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reclaim.claim_tests import PeakColocalization
from reclaim.comparators import SAME_CELLS
from reclaim.decisions import Specific
from reclaim.evidence import EvidenceRow
from reclaim.experiments import Choice
from reclaim.margins import MARGIN
from reclaim.report.reading import Reading
from reclaim.report.words import MISSING, count, listing, number, scale_of
from reclaim.rules import FAMILY, MIN_COMPARATORS, TOP_SHARE

RANKED = ["feature", "stratum", "n_events", "effect", "ci_low", "ci_high", "mde"]
"""Columns of full results that the page shows."""

EFFECT = "log_odds_ratio"
ODDS = scale_of(EFFECT)


@dataclass(frozen=True)
class Comparisons:
    """Of a study: full results of co-localisation by `test/dataset`; by data set of ChIP-Atlas, what it computed itself
    and the experiments that were chosen."""

    rankings: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    scores: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True)
class RankingLine:
    """An antigen; `kind` is `tested`, `relative` or empty."""

    rank: str
    antigen: str
    kind: str
    remark: str
    odds_ratio: str
    interval: str
    both: str
    score: str


@dataclass(frozen=True)
class RankingView:
    """All antigens of one data set in their order; `scored` tells whether ChIP-Atlas has scores of any of them."""

    query: str
    partner: str
    dataset: str
    reading: str
    summary: str
    lines: list[RankingLine]
    scored: bool


def ranking_views(reading: Reading, decision: object, compared: Comparisons) -> list[RankingView]:
    """One per data set of a co-localisation test that has full results; none for another kind of test."""
    test = reading.test
    if not isinstance(test, PeakColocalization):
        return []
    family = decision.family if isinstance(decision, Specific) else []
    found = []
    for row in reading.rows:
        table = compared.rankings.get(f"{test.id}/{row.dataset}")
        if table is None or table.empty:
            continue
        scores, choice = compared.scores.get(row.dataset), compared.choices.get(row.dataset)
        beside = {} if scores is None or choice is None else colo_scores(test.query, choice, scores)
        lines = _lines(table, test, family, beside)
        ranked = sum(line.rank != MISSING for line in lines)
        found.append(
            RankingView(
                query=test.query,
                partner=test.partner,
                dataset=row.dataset,
                reading=_reading(test, row, lines, ranked),
                summary=f"All {len(lines):,} antigens, ranked by their odds ratio with {test.query}",
                lines=lines,
                scored=bool(beside),
            )
        )
    return found


def colo_scores(query: str, choice: Choice, scores: pd.DataFrame) -> dict[str, float]:
    """Antigen -> ChIP-Atlas' co-localisation score with the query, between the chosen experiments of both.

    The table of either antigen tells it; of several experiments of an antigen the largest counts.
    """
    antigen = {one.experiment: one.antigen for one in choice.chosen}
    colo = scores[scores["table"] == "colo"]
    ends = colo["experiment"].map(antigen), colo["row"].map(antigen)
    found: dict[str, float] = {}
    for own, other in (ends, ends[::-1]):
        pairs = colo[(own == query) & other.notna() & (other != query)]
        for name, score in zip(other[pairs.index], pairs["score"], strict=True):
            found[name] = max(float(score), found.get(name, 0.0))
    return found


def crude_odds_ratio(row: EvidenceRow, test: PeakColocalization) -> float | None:
    """The odds ratio over all regions, without strata, from the counts of a row; None without counts."""
    bound = json.loads(row.groups)
    if row.n is None or row.n_events is None or not {test.query, test.partner} <= set(bound):
        return None
    both, query, partner = row.n_events, bound[test.query], bound[test.partner]
    for_, against = both * (row.n - query - partner + both), (query - both) * (partner - both)
    return for_ / against if against else math.inf if for_ else None


def specificity_facts(reading: Reading, decision: object) -> list[tuple[str, str]]:
    """Labelled lines about a co-localisation: the odds ratio without strata, and the rank that rule `specific` asks for."""
    test = reading.test
    if not isinstance(test, PeakColocalization):
        return []
    crude = [
        (row.dataset, number(value))
        for row in reading.rows
        if (value := crude_odds_ratio(row, test)) is not None
    ]
    told = [text if len(crude) == 1 else f"{text} on {name}" for name, text in crude]
    facts = [("Without strata (decides nothing)", listing(told))] if told else []
    if isinstance(decision, Specific):
        facts.append(("Rank among antigens of the same cells", _rank_of_rule(reading, decision)))
        if tied := _tied(reading, decision):
            facts.append(("Relatives that reach the interval", listing(tied)))
    return facts


def _tied(reading: Reading, decision: Specific) -> list[str]:
    """Relatives whose effect reaches the interval of a rule that agrees: then the finding is about the family."""
    low = float(reading.judgement.ci_low[0])
    known = {name: reading.sign * effect for name, effect in reading.comparators.items()}
    return [
        name for name in decision.family if reading.remark == FAMILY and known.get(name, -math.inf) >= low
    ]


def _rank_of_rule(reading: Reading, decision: Specific) -> str:
    """The rank as rule `specific` counts it, and what it asks for."""
    if any("other_cells" in row.flags.split(",") for row in reading.valid):
        return "none: query and partner are of different cells"
    signed = float(reading.judgement.effect[0])
    if math.isnan(signed):
        return "none: no estimate"
    subjects = {row.feature for row in reading.valid}
    others = [
        reading.sign * effect
        for name, effect in reading.comparators.items()
        if name not in subjects and name not in decision.family
    ]
    known = sum(map(math.isfinite, others))
    relatives = [name for name in decision.family if name in reading.comparators]
    without = f", without {listing(relatives)}" if relatives else ""
    if known < MIN_COMPARATORS:
        return f"not judged: {known} others{without}, {MIN_COMPARATORS} are needed"
    rank = 1 + sum(effect >= signed for effect in others)
    last = math.floor(TOP_SHARE * (known + 1))
    return f"{rank:,} of {known + 1:,}{without} (the rule asks for {f'1 to {last:,}' if last > 1 else '1'})"


def _lines(
    table: pd.DataFrame, test: PeakColocalization, family: list[str], scores: Mapping[str, float]
) -> list[RankingLine]:
    """Antigens of the same cells in order, the strongest in the claimed direction first; then those without a rank."""
    sign = -1.0 if test.expected == "negative" else 1.0
    effect = table["effect"].astype(float)
    counts = (table["stratum"] == SAME_CELLS) & effect.notna()
    rank = (sign * effect[counts]).rank(ascending=False, method="min")
    order = table.assign(rank=rank, strength=sign * effect).sort_values(
        ["rank", "strength", "feature"], ascending=[True, False, True], kind="stable"
    )
    lines = []
    for row in order.to_dict("records"):
        name = str(row["feature"])
        kind = "tested" if name == test.partner else "relative" if name in family else ""
        lines.append(
            RankingLine(
                rank=MISSING if math.isnan(row["rank"]) else f"{row['rank']:,.0f}",
                antigen=name,
                kind=kind,
                remark="; ".join(_remarks(row, kind)),
                odds_ratio=_odds(row["effect"]),
                interval=ODDS.interval(_finite(row["ci_low"]), _finite(row["ci_high"])),
                both=MISSING if pd.isna(row["n_events"]) else count(int(row["n_events"])),
                score=f"{scores[name]:g}" if name in scores else MISSING,
            )
        )
    return lines


def _remarks(row: Mapping[Hashable, Any], kind: str) -> list[str]:
    mde = float(row["mde"])
    return [
        text
        for text, true in (
            ("tested", kind == "tested"),
            ("relative, not counted by the rule", kind == "relative"),
            ("other cells", row["stratum"] != SAME_CELLS),
            ("too few regions to be told", mde > MARGIN[EFFECT]),
        )
        if true
    ]


def _reading(test: PeakColocalization, row: EvidenceRow, lines: list[RankingLine], ranked: int) -> str:
    """The partner's place, in a sentence."""
    own = next((line for line in lines if line.kind == "tested"), None)
    crude = crude_odds_ratio(row, test)
    said = []
    if crude is not None and own is not None:
        said.append(
            f"On {row.dataset} the odds ratio of {test.query} and {test.partner} is {number(crude)} over all regions, "
            f"and {own.odds_ratio} among regions that as many other antigens bind."
        )
    if own is not None and own.rank != MISSING:
        order = "lowest" if test.expected == "negative" else "highest"
        said.append(
            f"The latter is number {own.rank} of {ranked:,} antigens of the same cells, the {order} first, relatives "
            "included."
        )
    elif own is not None:
        said.append(f"{test.partner} has no rank there.")
    return " ".join(said)


def _odds(effect: float) -> str:
    if math.isinf(effect):
        return "∞" if effect > 0 else "0"
    return ODDS.point(effect)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
