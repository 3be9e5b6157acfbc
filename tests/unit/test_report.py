"""The report page: what a reader must find on it, and what must never be on it."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from html import escape, unescape
from itertools import product
from pathlib import Path
from typing import Any, get_args

import builders
import pytest
from report_results import (
    NEARLY_ALL,
    SCRIPT,
    VERSIONS,
    calibrated,
    full_page,
    null_distribution,
    panel_evidence,
    panel_study,
    rate,
    section_of,
    small_calibration,
    small_evidence,
    small_page,
    small_results,
    small_study,
    text_of,
)

from reclaim.calibration.cap import Calibration, calibration_cap, is_specific, rule_to_calibrate
from reclaim.calibration.record import ClaimCalibration, Rate
from reclaim.claim_row import VERDICTS
from reclaim.claim_tests import MutationFeature
from reclaim.config import WORLDS
from reclaim.decisions import Bound, Pooled
from reclaim.evidence import Outcome
from reclaim.report.calibration_reading import calibration_reading
from reclaim.report.calibration_view import subject_noun
from reclaim.report.decision import Zone, rule_in_words, zones
from reclaim.report.naive import WORD_FOR
from reclaim.report.null_figure import null_figure
from reclaim.report.operation import differences, words_for
from reclaim.report.page import render_page
from reclaim.report.panel import as_it_should_be
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
from reclaim.study import Study
from reclaim.study_file import read_study

ROOT = Path(__file__).parents[2]
SPACE = "\u00a0"

page_of = cache(small_page)
full_page_of = cache(full_page)


def test_a_script_in_a_statement_is_shown_and_never_run() -> None:
    page = full_page_of()
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
    page = full_page_of("reversed")
    results = page[: page.index('<section id="method"')]
    captions = re.findall(r"<caption>(.*?)</caption>", results, flags=re.DOTALL)
    assert len(captions) > 10
    assert all("SIMULATED" in caption for caption in captions)
    assert all("SIMULATED" in caption for caption in re.findall(r"<figcaption>(.*?)</figcaption>", results))
    assert all("SIMULATED" in label for label in re.findall(r'role="img" aria-label="([^"]{40,})"', results))


def test_public_data_are_never_called_simulated() -> None:
    assert "simulated" not in full_page_of("public").lower()


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
    assert full_page("as_claimed") == full_page("as_claimed")
    first, second = (study_view(small_results(), "public", 1).figure for _ in range(2))
    assert first == second


@pytest.mark.parametrize("run", ["as_claimed", "public"])
def test_ids_are_unique_and_every_link_inside_the_page_arrives(run: str) -> None:
    page = full_page_of(run)
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


# Calibration


def calibrated_claim(**changes: Any) -> str:
    """The detail of C5, whose pooled odds ratio agrees."""
    return section_of(small_page(calibration=small_calibration(calibrated(**changes))), "C5")


def calibration_of(section: str) -> str:
    """What a reader sees of the calibration of a claim."""
    seen = text_of("<body>" + section)
    return seen[seen.index("Calibration: how often") : seen.index("From the claim to a test")]


def test_calibration_stands_beside_the_verdict_with_both_rates() -> None:
    seen = calibration_of(calibrated_claim())
    assert "Calibration: how often chance, or any other pair, would have passed" in seen
    assert "3.1 % of comparable pairs pass it too: the finding is about this pair." in seen
    assert "Permuted labels pass 0.4 % (0.1 to 1.0), of 1,000" in seen
    assert "Comparable pairs pass 3.1 % (1.9 to 4.6), of 1,000" in seen
    assert "Matched on mean, spread, detection and biotype 2.0 % (1.1 to 3.3), of 1,000" in seen
    assert "Matched also on loadings (purity and proliferation) 3.1 % (1.9 to 4.6), of 1,000" in seen
    assert "Which of the two counts The larger." in seen
    assert "Loadings not matched Immune score: fewer than half of its genes are measured." in seen
    assert "2.0 % (1.0 to 3.2), of 950; 50 pairs at |rho| > 0.5 to GENE1 left out" in seen
    assert "those of comparable pairs resample 120 modules of correlated genes as wholes." in seen


def test_a_calibrated_claim_is_told_so_once() -> None:
    section = calibrated_claim()
    assert "Not yet run" not in section
    assert text_of("<body>" + section).count("Calibration") == 1


def test_a_rate_that_is_missing_has_its_reason() -> None:
    seen = calibration_of(
        calibrated_claim(
            null_rate=None,
            null_gap="3 samples per arm are too few to permute.",
            background_rate=None,
            background_gap="no gene is alike",
            matched=None,
            matched_on_loadings=None,
            uncorrelated=None,
            distribution=None,
            loadings=[],
            loadings_gap="no score is measured",
            balance=[],
        )
    )
    assert "would pass this rule (3 samples per arm are too few to permute), nor" in seen
    assert "comparable pairs would (no gene is alike): the verdict is at most consistent." in seen
    assert "Permuted labels pass not known Comparable pairs pass not known" in seen
    assert "Loadings not matched No score is measured." in seen
    assert "correlated" not in seen
    assert "intervals" not in seen
    assert "How like" not in seen


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"correlated": 0}, "2.0 % (1.0 to 3.2), of 950; none is at |rho| > 0.5 to GENE1 In brackets"),
        ({"correlated": 1}, "of 950; 1 pair at |rho| > 0.5 to GENE1 left out"),
        ({"uncorrelated": None}, "None is left: 50 pairs are at |rho| > 0.5 to GENE1."),
        ({"uncorrelated": None, "correlated": 0, "relations_gap": "10 degrees"}, "Not known: 10 degrees."),
        ({"modules": 0}, "In brackets 95 % intervals. "),
    ],
)
def test_correlated_nulls_are_accounted_for(changes: dict[str, Any], words: str) -> None:
    assert words in calibration_of(calibrated_claim(**changes))


def test_a_rule_without_calibration_has_one_sentence() -> None:
    section = section_of(small_page(calibration=small_calibration()), "C1")
    assert calibration_of(section) == (
        "Calibration: how often chance, or any other gene, would have passed "
        "The bound is fixed, and no other gene is asked. "
    )
    assert section.count("</svg>") == 1


def test_a_subject_unlike_its_nulls_is_named() -> None:
    seen = calibration_of(calibrated_claim())
    assert "GENE1 lies outside the middle 90 % of its nulls in purity." in seen
    assert (
        "mean in the reference arm 7.50 7.25 7.50 7.75 purity 0.812 above the 95th percentile −0.250" in seen
    )
    like = calibrated().balance[:1]
    assert "GENE1 lies within the middle 90 % of its nulls in every property." in calibration_of(
        calibrated_claim(balance=like)
    )


def figure_of(section: str) -> tuple[str, str]:
    """The spoken label and the caption of the null distribution, which is the last figure of a claim."""
    label = re.findall(r'role="img" aria-label="([^"]+)"', section)[-1]
    caption = re.findall(r"<figcaption>(.*?)</figcaption>", section, flags=re.DOTALL)[-1]
    return unescape(label).replace(SPACE, " "), text_of("<body>" + caption)


# Of 1,000 comparable pairs 50 lie below -1 and 50 above 0.5: the middle 90 % reach from exp(-1) = 0.368
# to exp(0.5) = 1.65. Of 1,000 permutations 30 lie below -1 and none above 0.5.


def test_the_null_distribution_is_told_in_words() -> None:
    label, caption = figure_of(calibrated_claim())
    assert label == (
        "Null distribution of claim C5: odds ratio, GENE1 0.165; comparable pairs (1,000): at least 90 % between "
        "0.368 and 1.65; permuted labels (1,000): at least 90 % between 0.368 and 1.65"
    )
    assert "Claim C5: odds ratio, GENE1 (line) among comparable pairs and permuted labels." in caption
    assert "A pale bar with a triangle also holds everything beyond it." in caption
    assert "Tinted region: effects with which the rule can agree" in caption


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([90, 10, 0, 0, 0, 0], "at least 90 % below 0.368"),
        ([0, 0, 0, 0, 20, 80], "at least 90 % above 1.00"),
        ([40, 0, 20, 0, 0, 40], "spread over the whole axis"),
    ],
)
def test_nulls_in_the_outer_bins_have_no_end(counts: list[int], words: str) -> None:
    label, _ = figure_of(calibrated_claim(distribution=null_distribution(comparable=[], permuted=counts)))
    assert label.endswith(f"permuted labels (100): {words}")
    assert "comparable" not in label


def drawn(**changes: Any) -> str:
    """The figure of GENE1's nulls."""
    figure = null_figure(null_distribution(**changes), "GENE1", "gene", [], "name", "claim C5", False)
    assert figure is not None
    return str(figure.svg)


def test_both_nulls_share_one_axis() -> None:
    both, one = drawn(), drawn(comparable=[])
    assert "comparable genes (1,000)" in both
    assert "permuted labels (1,000)" in both
    assert both.count("odds ratio (log scale)") == one.count("odds ratio (log scale)") == 1
    assert "comparable" not in one
    assert both.count("GENE1: 0.165") == one.count("GENE1: 0.165") == 1


def test_without_nulls_there_is_no_figure() -> None:
    empty = null_distribution(comparable=[], permuted=[])
    assert null_figure(empty, "GENE1", "gene", [], "name", "claim C5", False) is None
    assert calibrated_claim(distribution=empty).count("</svg>") == 1


def test_a_subject_beyond_all_bins_is_still_on_the_axis() -> None:
    beyond = drawn(observed=3.0)
    assert "GENE1: 20.1" in beyond  # exp(3)
    assert ">10<" not in drawn()
    assert ">10<" in beyond


def test_shares_of_strata_are_shown_as_percentages() -> None:
    shares = {"effect_name": "share_of_strata", "observed": 0.625, "edges": [0.0, 0.25, 0.5, 0.75, 1.0]}
    nulls = null_distribution(**shares, comparable=[900, 60, 30, 10], permuted=[])
    figure = null_figure(nulls, "GENE1", "gene", [], "name", "claim C5", False)
    assert figure is not None
    assert "GENE1: 62.5" in figure.svg
    assert "share of strata, %" in figure.svg
    assert figure.caption == "Claim C5: share of strata, GENE1 (line) among comparable genes."
    assert figure.label.replace(SPACE, " ").endswith("at least 90 % between 0.00 % and 50.0 %")


def test_regions_are_tinted_where_the_effect_is_that_of_the_rule() -> None:
    other = null_distribution(effect_name="spearman_rho")
    assert "Tinted" in figure_of(calibrated_claim())[1]
    assert "Tinted" not in figure_of(calibrated_claim(distribution=other))[1]


def test_what_was_swapped_has_its_name() -> None:
    found = {
        test.id: subject_noun(test)
        for _, test in builders.study(
            builders.claim(
                builders.expression_test(),
                builders.expression_test("of_a_set", "sensitivity", feature={"gene_set": "ifn"}),
                builders.enrichment_test(),
            )
        ).tests()
    }
    found |= {test.id: subject_noun(test) for _, test in small_study().tests()}
    assert (
        found | {"up": "gene", "of_a_set": "set", "set_up": "set", "share": "gene", "pair": "pair"} == found
    )


def test_a_name_in_a_calibration_is_escaped() -> None:
    section = calibrated_claim(subject=SCRIPT, null_rate=None, null_gap=SCRIPT)
    assert "<script" not in section
    assert escape(SCRIPT, quote=False)[:15] in section


NULL_RATES = {"rare": rate(4, 0.001, 0.010), "often": rate(60, 0.046, 0.081), "missing": None}
BACKGROUND_RATES = {
    "few": rate(31, 0.019, 0.046),
    "some": rate(120, 0.100, 0.142),
    "many": rate(310, 0.281, 0.340),
    "missing": None,
}
DESCRIPTIVE, MARKED = Pooled(rule="pooled"), Pooled(rule="pooled", marked=True)


def read_aloud(null: Rate | None, background: Rate | None, decision: Pooled, agrees: bool = True) -> str:
    found = ClaimCalibration(
        claim="C1",
        subject="GENE1",
        null_rate=null,
        null_gap="" if null else "3 samples per arm",
        background_rate=background,
        background_gap="" if background else "no gene is alike",
    )
    return calibration_reading(found, decision, agrees).replace(SPACE, " ")


@pytest.mark.parametrize(
    ("null", "background", "decision", "sentence"),
    [
        ("rare", "few", DESCRIPTIVE,
         "Under permuted labels this rule would agree in 0.4 % of cases, and 3.1 % of comparable genes pass it "
         "too: the finding is about this gene."),
        ("rare", "few", MARKED,
         "Under permuted labels this rule would agree in 0.4 % of cases, and 3.1 % of comparable genes pass it "
         "too: the finding is about this gene."),
        ("rare", "some", DESCRIPTIVE,
         "Under permuted labels this rule would agree in 0.4 % of cases, and 12.0 % of comparable genes pass it "
         "too: other genes share the finding, but too few of them to lower the verdict (limit 20 %)."),
        ("rare", "some", MARKED,
         "Under permuted labels this rule would agree in 0.4 % of cases, and 12.0 % of comparable genes pass it "
         "too: too many for a claim that this gene stands out (limit 5 %), so the verdict is at most consistent."),
        ("rare", "many", DESCRIPTIVE,
         "Under permuted labels this rule would agree in 0.4 % of cases, and 31.0 % of comparable genes pass it "
         "too: true, but of many genes, so the verdict is at most consistent."),
        ("rare", "many", MARKED,
         "Under permuted labels this rule would agree in 0.4 % of cases, and 31.0 % of comparable genes pass it "
         "too: too many for a claim that this gene stands out (limit 20 %), so the verdict is at most "
         "inconclusive."),
        ("rare", "missing", DESCRIPTIVE,
         "Under permuted labels this rule would agree in 0.4 % of cases, and how many comparable genes would pass "
         "it is not known (no gene is alike): the verdict is at most consistent."),
        ("often", "few", DESCRIPTIVE,
         "Under permuted labels this rule would agree in 6.0 % of cases (up to 8.1 %; limit 7.5 %), and 3.1 % of "
         "comparable genes pass it too: chance passes too often, so the verdict is at most inconclusive."),
        ("often", "many", DESCRIPTIVE,
         "Under permuted labels this rule would agree in 6.0 % of cases (up to 8.1 %; limit 7.5 %), and 31.0 % of "
         "comparable genes pass it too: chance passes too often and many genes pass, so the verdict is at most "
         "inconclusive."),
        ("often", "missing", MARKED,
         "Under permuted labels this rule would agree in 6.0 % of cases (up to 8.1 %; limit 7.5 %), and how many "
         "comparable genes would pass it is not known (no gene is alike): chance passes too often, so the verdict "
         "is at most inconclusive."),
        ("missing", "few", DESCRIPTIVE,
         "How often permuted labels would pass this rule is not known (3 samples per arm), and 3.1 % of comparable "
         "genes pass it too: the verdict is at most consistent."),
        ("missing", "many", DESCRIPTIVE,
         "How often permuted labels would pass this rule is not known (3 samples per arm), and 31.0 % of comparable "
         "genes pass it too: true, but of many genes, so the verdict is at most consistent."),
        ("missing", "many", MARKED,
         "How often permuted labels would pass this rule is not known (3 samples per arm), and 31.0 % of comparable "
         "genes pass it too: too many for a claim that this gene stands out (limit 20 %), so the verdict is at most "
         "inconclusive."),
        ("missing", "missing", DESCRIPTIVE,
         "It is not known how often permuted labels would pass this rule (3 samples per arm), nor how many "
         "comparable genes would (no gene is alike): the verdict is at most consistent."),
    ],
)  # fmt: skip
def test_a_sentence_says_what_calibration_means(
    null: str, background: str, decision: Pooled, sentence: str
) -> None:
    assert read_aloud(NULL_RATES[null], BACKGROUND_RATES[background], decision) == sentence


@pytest.mark.parametrize("agrees", [True, False])
@pytest.mark.parametrize(("null", "background"), list(product(NULL_RATES, BACKGROUND_RATES)))
@pytest.mark.parametrize("decision", [DESCRIPTIVE, MARKED])
def test_the_sentence_and_the_verdict_have_the_same_cap(
    null: str, background: str, decision: Pooled, agrees: bool
) -> None:
    chance, others = NULL_RATES[null], BACKGROUND_RATES[background]
    record = ClaimCalibration(claim="C1", subject="GENE1", null_rate=chance, background_rate=others)
    cap, _ = calibration_cap("pooled", decision.marked, Calibration.of(record))
    said = read_aloud(chance, others, decision, agrees)
    assert re.findall(r"at most (\w+)", said) == ([] if cap == "supported" else [cap])
    assert ("had the rule agreed here" in said) is not agrees
    if not agrees:
        assert not re.search(r"the finding|true|too:", said)


def test_a_rule_that_does_not_agree_is_read_as_such() -> None:
    few, many = BACKGROUND_RATES["few"], BACKGROUND_RATES["many"]
    assert read_aloud(NULL_RATES["rare"], few, DESCRIPTIVE, agrees=False).endswith(
        "pass it: had the rule agreed here, calibration would not have lowered the verdict."
    )
    assert read_aloud(NULL_RATES["rare"], many, DESCRIPTIVE, agrees=False).endswith(
        "31.0 % of comparable genes pass it: many genes pass; had the rule agreed here, the verdict would have "
        "been at most consistent."
    )


def test_a_rate_of_nothing_is_told_as_none() -> None:
    nothing = rate(0, 0.0, 0.004)
    assert read_aloud(nothing, nothing, DESCRIPTIVE) == (
        "Under permuted labels this rule would agree in none of 1,000 cases, and none of 1,000 comparable genes "
        "passes it: the finding is about this gene."
    )


def test_one_reason_for_both_rates_is_told_once() -> None:
    gap = "no primary test is valid"
    found = ClaimCalibration(claim="C1", subject="GENE1", null_gap=gap, background_gap=gap)
    assert calibration_reading(found, DESCRIPTIVE, agrees=False) == (
        "It is not known how often permuted labels would pass this rule, nor how many comparable genes would "
        "(no primary test is valid): had the rule agreed here, the verdict would have been at most consistent."
    )


def test_a_part_makes_a_conjunction_one_of_specificity() -> None:
    def decision(**parts: dict[str, Any]) -> Any:
        tests = [builders.expression_test(name) for name in parts]
        return (
            builders.study(builders.claim(*tests, decision={"rule": "conjunction", "parts": parts}))
            .claims[0]
            .decision
        )

    plain, marked = {"rule": "pooled"}, {"rule": "pooled", "marked": True}
    equal = {"rule": "prevalence", "share": "many"}
    assert not is_specific(decision(one=plain, two=equal))
    assert is_specific(decision(one=plain, two=marked))
    assert is_specific(decision(one=plain, two={"rule": "specific"}))
    assert rule_to_calibrate(decision(one=equal, two=plain)) == "prevalence"
    assert rule_to_calibrate(Bound(rule="bound", bound="rare")) == "bound"


def test_the_null_percentile_is_shown_where_a_row_has_one() -> None:
    rows = [
        row.model_copy(update={"null_percentile": 0.0125})
        if (row.test, row.dataset) == ("pair", "b")
        else row
        for row in small_evidence()
    ]
    section = section_of(small_page(rows=rows), "C5")
    seen = text_of("<body>" + section)
    assert "that are at least as extreme in the claimed direction. Small is extreme." in seen
    assert "95 % interval p null percentile detectable" in seen
    assert "0.102 to 0.489 8.8 × 10⁻⁵ 1.25 % 0.326" in seen
    assert "null percentile" not in page_of()


def test_the_page_explains_calibration_with_the_limits_of_the_rules() -> None:
    seen = text_of(page_of())
    assert (
        "the upper 95 % bound of the first rate lies above 7.5 %, the verdict is at most inconclusive" in seen
    )
    assert "Where more than 20 % of comparable genes pass, it is at most consistent" in seen
    assert "more than 5 % make it at most consistent and more than 20 % at most inconclusive" in seen
    assert "This holds for the rules conjunction, pooled, prevalence and specific" in seen


# Control claims: effects 1 (agrees on two cohorts, not calibrated: consistent) and 0 (not supported).


def test_control_claims_stand_last_and_do_not_count() -> None:
    page = full_page_of()
    assert page.index('id="study-a_study"') < page.index('id="study-a_panel"')
    seen = text_of(page)
    assert "5 claims from 1 study: 3 tested, 2 not." in seen
    assert "3 of 3 control claims came out as they should" in seen
    assert "Study a_panel: Known answersControl claims" in seen
    glance = page[page.index('<section id="glance"') : page.index('<section class="study"')]
    assert "K1" not in glance
    assert 'data-label="claims">5<' in glance


def test_a_control_claim_shows_what_was_known_and_what_came_out() -> None:
    seen = text_of(full_page_of())
    shown = escape(SCRIPT, quote=False)
    assert unescape(f"K1 Control 1 {shown} is up. true ◐ consistent ✓ as it should be") in seen
    assert unescape(f"K3 Control 3 {shown} is up. false ○ not supported ✓ as it should be") in seen
    assert "Not as it should be" not in seen


def test_a_control_claim_that_fails_is_seen_at_the_top() -> None:
    page = full_page(effects=(1.0, 0.0, 1.0))
    glance = text_of(
        "<body>" + page[page.index('<section id="glance"') : page.index('<section class="study"')]
    )
    assert "1 of 3 control claims came out as they should" in glance
    assert "Not as it should be: 2 control claims." in glance
    assert "is up. Known to be true; verdict: ○ not supported" in glance
    assert "is up. Known to be false; verdict: ◐ consistent" in glance
    assert text_of(page).count("✗ not as it should be") == 2


def test_known_answers_hold_in_simulated_worlds_too() -> None:
    page = full_page("reversed", effects=(1.0, 1.0, 1.0))
    glance = text_of(
        "<body>" + page[page.index('<section id="glance"') : page.index('<section class="study"')]
    )
    assert "2 of 3 control claims came out as they should" in glance
    assert "Known to be false; verdict: ◐ SIMULATED consistent" in glance


def test_a_page_may_have_nothing_but_control_claims() -> None:
    results = small_results(study=panel_study(), rows=panel_evidence(1.0, 1.0, 0.0))
    seen = text_of(render_page("public", 1, [study_view(results, "public", 1)], VERSIONS))
    assert "0 claims from 0 studies: 0 tested, 0 not." in seen
    assert "3 of 3 control claims came out as they should" in seen


def test_a_study_is_no_panel_unless_it_says_so() -> None:
    view = study_view(small_results(), "public", 1)
    assert isinstance(small_study(), Study)
    assert (view.panel, view.controls) == (False, [])
    assert "control claim" not in page_of().lower()


@pytest.mark.parametrize(
    ("known", "right"),
    [(True, {"supported", "consistent"}), (False, set(VERDICTS) - {"supported", "consistent"})],
)
def test_which_verdicts_a_control_claim_should_get(known: bool, right: set[str]) -> None:
    assert {verdict for verdict in VERDICTS if as_it_should_be(known, verdict)} == right


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
