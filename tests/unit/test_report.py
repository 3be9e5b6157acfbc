"""The report page: what a reader must find on it, and what must never be on it."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, get_args

import builders
import pytest
from report_results import (
    NEARLY_ALL,
    SCRIPT,
    VERSIONS,
    small_evidence,
    small_page,
    small_results,
    small_study,
)

from reclaim.claim_tests import MutationFeature
from reclaim.config import WORLDS
from reclaim.evidence import Outcome
from reclaim.report.decision import Zone, rule_in_words, zones
from reclaim.report.naive import WORD_FOR
from reclaim.report.operation import differences, words_for
from reclaim.report.page import render_page
from reclaim.report.study_view import study_view
from reclaim.report.words import (
    OUTCOME_MARKS,
    VERDICT_MARKS,
    WORLD_MEANING,
    number,
    percent,
    scale_of,
    sentence,
)
from reclaim.study import Bound, Pooled, read_study
from reclaim.verdict import VERDICTS

ROOT = Path(__file__).parents[2]
SPACE = "\u00a0"

page_of = cache(small_page)


def text_of(page: str) -> str:
    """What a reader sees: no tags, no style, single spaces."""
    body = re.sub(r"<(style|svg).*?</\1>", " ", page[page.index("<body") :], flags=re.DOTALL)
    body = re.sub(r"</?(a|b|code|em|span|strong)\b[^>]*>", "", body)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)).replace(SPACE, " "))


def section_of(page: str, claim: str) -> str:
    """The detail of one claim."""
    start = page.index(f'<article class="claim" id="a_study-{claim}"')
    return page[start : page.index("</article>", start)]


def test_a_script_in_a_statement_is_shown_and_never_run() -> None:
    page = page_of()
    assert "<script" not in page
    assert SCRIPT in text_of(page)


@pytest.mark.parametrize("world", WORLDS)
def test_every_verdict_on_simulated_data_says_so_in_front_of_its_word(world: str) -> None:
    page = page_of(world)
    seen = text_of(page)
    assert seen.startswith(f" Skip to the verdicts SIMULATED DATA · world {world}: {WORLD_MEANING[world]}")
    assert "<title>SIMULATED: " in page
    for claim, verdict in (("C1", "inconclusive"), ("C4", "supported"), ("C5", "consistent")):
        assert f"SIMULATED {verdict}" in text_of("<body>" + section_of(page, claim))
    results = page[: page.index('<section id="method"')]
    badges = [badge[:300] for badge in results.split('<span class="verdict m-')[1:]]
    of_tested = [badge for badge in badges if not badge.startswith(("no_public_data", "not_testable"))]
    assert len(of_tested) == 8  # three at the top, three in place, two beside the naive reading
    assert all('<span class="sim">SIMULATED</span>' in badge for badge in of_tested)


def test_each_table_and_figure_of_simulated_data_is_marked() -> None:
    page = page_of("reversed")
    results = page[: page.index('<section id="method"')]
    captions = re.findall(r"<caption>(.*?)</caption>", results, flags=re.DOTALL)
    assert len(captions) > 10
    assert all("SIMULATED" in caption for caption in captions)
    assert all("SIMULATED" in caption for caption in re.findall(r"<figcaption>(.*?)</figcaption>", results))
    assert all("SIMULATED" in label for label in re.findall(r'role="img" aria-label="([^"]{40,})"', results))


def test_public_data_are_never_called_simulated() -> None:
    assert "simulated" not in page_of("public").lower()


def test_a_world_only_has_its_name_where_it_is_simulated() -> None:
    """Local data in a simulated run are told apart."""
    rows = [row.model_copy(update={"data": "local"}) for row in small_evidence()[:2]] + small_evidence(
        "simulated"
    )[2:]
    page = small_page("no_effect", rows=rows)
    assert "Rows marked local rest on files of the user" in text_of(page)
    assert "SIMULATED inconclusive" not in text_of("<body>" + section_of(page, "C1"))


@pytest.mark.parametrize(
    ("claim", "word", "reason"),
    [
        ("C2", "no public data", "Phosphoproteomes of treated cells."),
        ("C3", "not testable", "An outcome of trials."),
    ],
)
def test_an_untested_claim_has_its_reason_at_the_top_and_in_its_place(
    claim: str, word: str, reason: str
) -> None:
    page = page_of()
    glance = text_of("<body>" + page[page.index('id="glance"') : page.index('<section class="study"')])
    assert re.search(rf"{claim} .*? {word} {re.escape(reason)}", glance)
    detail = text_of("<body>" + section_of(page, claim))
    assert word in detail
    assert reason in detail


def test_central_claims_that_were_not_tested_are_named() -> None:
    seen = text_of(page_of())
    assert "The source’s main conclusion rests on 2 claims. Of these, 1 was not tested here" in seen
    assert re.search(r"against it: C2 GENE1 is phosphorylated. No public data: Phosphoproteomes", seen)


def test_verdicts_are_counted_per_study() -> None:
    page = page_of()
    table = page[page.index('<table class="verdicts"') :]
    cells = re.findall(r'<td class="number[^"]*" data-label="(?:. )?([^"]+)">(\d+)</td>', table)
    assert dict(cells) == {
        "claims": "5",
        "supported": "1",
        "consistent": "1",
        "inconclusive": "1",
        "not supported": "0",
        "contradicted": "0",
        "no public data": "1",
        "not testable": "1",
    }


# The naive reading: 118/177 = 66.7 %, of which 36 are left out, 4 of them altered: 114/141 = 80.9 %.
# Clopper-Pearson intervals from R: binom.test(118, 177), binom.test(114, 141).


def test_the_naive_reading_says_what_it_would_find_and_why_it_differs() -> None:
    seen = text_of("<body>" + section_of(page_of(), "C1"))
    box = seen[seen.index("What a naive reading would say") : seen.index("From the claim to a test")]
    assert "with this specification instead: every patient counts" in box
    assert "The rule would then say “opposite”" in box
    assert "contradicted share 66.7 % (59.2 to 73.6 %) 118 of 177 patients in 1 data set" in box
    assert "inconclusive share 80.9 % (73.4 to 87.0 %) 114 of 141 patients in 1 data set" in box
    assert "leaves out 36 of 177 patients: their tumours show fewer than 20 other non-silent mutations" in box
    assert "Only 4 of those 36 (11.1 %) carry the alteration, against 114 of the 141 (80.9 %)" in box


def test_the_naive_reading_is_announced_at_the_top() -> None:
    assert "A naive reading would say contradicted." in text_of(page_of())


@pytest.mark.parametrize("claim", ["C2", "C4", "C5"])
def test_no_naive_reading_where_specifications_agree_or_there_are_none(claim: str) -> None:
    assert "naive" not in section_of(page_of(), claim)


def test_a_sensitivity_test_without_a_valid_row_is_no_naive_reading() -> None:
    rows = [
        row.model_copy(update={"outcome": "invalid", "effect": None}) if row.test == "ungated" else row
        for row in small_evidence()
    ]
    page = small_page(rows=rows)
    assert "naive reading would" not in page


def test_every_outcome_but_invalid_has_a_naive_word() -> None:
    assert set(WORD_FOR) == set(get_args(Outcome)) - {"invalid"}
    assert set(WORD_FOR.values()) <= set(VERDICTS)


def test_a_claim_shows_how_it_was_tested() -> None:
    seen = text_of("<body>" + section_of(page_of(), "C1"))
    assert "Primary test GENE1 mutation. Share of patients with the alteration." in seen
    assert "Data sets a (TYPE is Primary)." in seen
    assert "at least 20 in a." in seen
    assert "Gate GENE3 mutation, passes with at least 40 %." in seen
    assert "starts at 85 % or above, opposite when it ends below 75 %" in seen
    assert "Not entirely. The share of 81 % was known." in seen
    assert "Not needed for this rule (bound)" in seen


def test_calibration_that_was_not_run_is_told_apart_from_one_that_is_not_needed() -> None:
    assert "Calibration Not yet run" in text_of("<body>" + section_of(page_of(), "C5"))


def test_a_log_odds_ratio_is_shown_as_an_odds_ratio() -> None:
    seen = text_of("<body>" + section_of(page_of(), "C5"))
    assert "0.135" in seen  # exp(-2.0)
    assert "0.223" in seen  # exp(-1.5)
    assert "−2.0" not in seen


def test_leaving_one_data_set_out_names_what_changes_the_outcome() -> None:
    rows = small_evidence()
    rows = [
        builders.share_evidence("a", 8, 100, test="rare", claim="C4")
        if (row.test, row.dataset) == ("rare", "a")
        else row
        for row in rows
    ]
    seen = text_of("<body>" + section_of(small_page(rows=rows), "C4"))
    assert "The rule’s outcome is unclear; it changes without a (agrees)." in seen
    assert "The rule’s outcome stays agrees" in text_of("<body>" + section_of(page_of(), "C4"))
    assert "A single data set: nothing can be left out." in text_of("<body>" + section_of(page_of(), "C1"))


def test_a_data_set_shows_its_bytes_flow_and_what_was_dropped() -> None:
    seen = text_of(page_of())
    assert "listed 110 patients, 120 samples one tumour per patient 89 patients, 89 samples" in seen
    assert "7 mutation lines that repeat another" in seen
    assert "1,234,567 1.2 MB " + "ab" * 32 in seen
    assert "pool pool_a, shared with no other data set of this study" in seen


def test_an_absent_data_set_says_why() -> None:
    results = small_results()
    absent = results.ledgers["a"].model_copy(update={"status": "absent", "reason": "no mutation file"})
    results = results.__class__(
        results.study, results.claims, results.evidence, results.receipts, {**results.ledgers, "a": absent}
    )
    page = render_page("public", 1, [study_view(results, "public", 1)], VERSIONS)
    assert "Absent: No mutation file. Its tests do not count." in text_of(page)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert small_page("as_claimed") == small_page("as_claimed")
    first, second = (study_view(small_results(), "public", 1).figure for _ in range(2))
    assert first == second


def test_ids_are_unique_and_every_link_inside_the_page_arrives() -> None:
    page = page_of("as_claimed")
    ids = Counter(re.findall(r'\sid="([^"]+)"', page))
    assert [name for name, times in ids.items() if times > 1] == []
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_the_figure_of_a_study_stands_alone() -> None:
    figure = str(study_view(small_results("confounded"), "confounded", 1).figure)
    assert figure.startswith("<svg ")
    assert "SIMULATED" in figure
    assert "<style" not in figure
    assert set(re.findall(r'"(https?://[^"]+)"', figure)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert SCRIPT not in figure


def test_a_study_without_any_tested_claim_has_a_page() -> None:
    untested = [claim for claim in small_study().claims if claim.decision is None]
    study = small_study(claims=untested, datasets={})
    page = small_page(study=study, rows=[])
    assert "2 claims from 1 study: 0 tested, 2 not." in text_of(page)
    assert "Tested claims" not in page


GATE = builders.expression_test("control", "gate", passes={"at_least": 0.0})


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"rule": "pooled"}, "the mean is at least 0.50; opposite"),
        ({"rule": "prevalence", "share": "many"}, "share of strata whose log2 fold change is at least 0.50"),
        ({"rule": "prevalence", "share": "most"}, "starts at 50.0 % or above"),
        ({"rule": "specific"}, "top 10.0 % of at least 20 comparators"),
        ({"rule": "equivalence", "positive_control": "control"}, "lies between −0.50 and 0.50"),
        ({"rule": "lookup"}, "Not being listed is no evidence"),
        ({"rule": "pooled", "margin": 0.25, "marked": True}, "the mean is at least 0.25; opposite"),
    ],
)
def test_every_rule_has_words_and_a_page(decision: dict[str, Any], words: str) -> None:
    tests = [builders.expression_test(), builders.expression_test("again", "sensitivity"), GATE]
    study = builders.study(builders.claim(*tests, decision=decision))
    rows = [
        builders.evidence(name, effect, stratum=stratum, n=40, test=test["id"], role=test["role"])
        for test in tests
        for name, stratum, effect in (("a", "one", 1.0), ("a", "two", 0.8), ("b", "one", 0.9))
    ]
    page = small_page(study=study, rows=rows)
    seen = text_of("<body>" + section_of(page, "C1"))
    assert words in seen
    assert "Log2 fold change" in seen or "Share of strata" in seen
    assert "a, two" in seen
    assert "<svg" in section_of(page, "C1")


def test_a_conjunction_shows_every_part() -> None:
    parts = {"share": NEARLY_ALL, "rare": {"rule": "bound", "bound": "rare"}}
    claim = builders.claim(
        builders.share_test(), builders.share_test("rare"), decision={"rule": "conjunction", "parts": parts}
    )
    rows = [builders.share_evidence(name, 190, 200, expected="nearly_all", rule="bound") for name in "ab"]
    rows += [builders.share_evidence(name, 60, 200, test="rare") for name in "ab"]
    section = section_of(small_page(study=builders.study(claim), rows=rows), "C1")
    seen = text_of("<body>" + section)
    assert section.count("</svg>") == 2
    assert "Share (weakest part: rare)" in seen
    assert "Rule for share Bound, “nearly all”" in seen
    assert "Rule for rare Bound, “rare”" in seen


def test_a_web_address_that_is_none_is_no_link() -> None:
    source = small_study().source.model_copy(update={"url": "javascript:alert(1)"})
    assert "javascript:" not in small_page(study=small_study(source=source))


def test_no_gene_and_no_study_is_named_in_the_code() -> None:
    names: set[str] = set()
    for path in sorted((ROOT / "seeds").glob("*.yaml")):
        study = read_study(path)
        names |= {study.id, *study.datasets}
        for _, test in study.tests():
            features = [getattr(test, "feature", None), *getattr(test, "features", [])]
            names |= {feature.gene for feature in features if isinstance(feature, MutationFeature)}
    assert names
    sources = [ROOT / "workflow/scripts/report.py", ROOT / "workflow/rules/report.smk"]
    sources += sorted((ROOT / "workflow/scripts/reclaim/report").iterdir()) + sorted(
        (ROOT / "workflow/report").iterdir()
    )
    for source in sources:
        if source.is_file():
            words = set(re.findall(r"\w+", source.read_text(encoding="utf-8")))
            assert not names & words, source


# Words and numbers


def test_every_verdict_and_outcome_has_a_mark_of_its_own() -> None:
    assert set(VERDICT_MARKS) == set(VERDICTS)
    assert set(OUTCOME_MARKS) == set(get_args(Outcome))
    assert len({mark.symbol for mark in VERDICT_MARKS.values()}) == len(VERDICTS)
    assert len({mark.symbol for mark in OUTCOME_MARKS.values()}) == len(OUTCOME_MARKS)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.4567, "0.457"), (-12.345, "−12.3"), (7346.2, "7,350"), (0.996, "0.996"), (0.9996, "1.00"),
     (8.3e-5, "8.30 × 10⁻⁵"), (math.inf, "inf")],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.6667, "66.7"), (0.0073, "0.73"), (0.0, "0.00"), (1.0, "100.0")]
)
def test_small_shares_have_one_more_decimal(share: float, text: str) -> None:
    assert percent(share) == f"{text}{SPACE}%"


def test_an_interval_with_an_open_end_says_so() -> None:
    odds = scale_of("log_odds_ratio")
    assert odds.estimate(math.log(2), math.log(0.5), math.log(8)) == "2.00 (0.500 to 8.00)"
    assert odds.interval(None, math.log(4)) == "up to 4.00"
    assert odds.interval(math.log(4), None) == "from 4.00"
    assert odds.estimate(None, None, 1.0) == "not estimable"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a trial", "A trial."), ("mRNA of cells", "mRNA of cells."), ("set_a and b", "set_a and b."), ("", ""),
     ("75 % of all!", f"75{SPACE}% of all!")],
)  # fmt: skip
def test_sentences_leave_names_as_they_are(text: str, shown: str) -> None:
    assert sentence(text) == shown


def test_regions_are_those_of_the_rule() -> None:
    rare = Bound(rule="bound", bound="rare")
    assert zones(rare, []) == [Zone(0, 0.05, "agrees"), Zone(0.10, 1, "opposite")]
    row = builders.evidence("a", -1.0, effect_name="log_odds_ratio", expected="negative")
    margin = math.log(1.5)
    assert zones(Pooled(rule="pooled"), [row]) == [
        Zone(-math.inf, -margin, "agrees"),
        Zone(-margin, margin, "negligible"),
        Zone(margin, math.inf, "opposite"),
    ]
    assert "Claimed: odds ratio below 1." in rule_in_words(Pooled(rule="pooled"), [row])
    assert "the mean is at most 0.667" in rule_in_words(Pooled(rule="pooled"), [row])


def test_tests_are_told_apart_in_words() -> None:
    tests = {test.id: test for _, test in small_study().tests()}
    assert differences(tests["share"], tests["ungated"]) == ["no call-depth gate"]
    assert differences(tests["rare"], tests["share"]) == ["not on b"]
    assert differences(tests["share"], tests["pair"])[0].startswith("another kind of test: Log odds ratio")
    truncating = MutationFeature(gene="GENE1", consequence="truncating", copy_number="deep_deletion")
    assert words_for([truncating, MutationFeature(gene="GENE2")]) == (
        "GENE1 truncating or deep deletion and GENE2 mutation"
    )
