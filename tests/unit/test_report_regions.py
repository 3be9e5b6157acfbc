"""Regions on the report page: chosen experiments, files in bulk or missing, and co-localisation with its rank."""

from __future__ import annotations

import re
from functools import cache
from math import exp, log
from typing import Any

import builders
import markupsafe
import numpy as np
import pytest
from report_results import (
    SCRIPT,
    SPACE,
    peaks_choice,
    peaks_page,
    peaks_ranking,
    peaks_receipt,
    peaks_results,
    peaks_row,
    peaks_scores,
    peaks_study,
    peaks_test,
    section_of,
    small_page,
    text_of,
)

from reclaim.analyses.peak_colocalization import peak_colocalization
from reclaim.claim_tests import PeakColocalization
from reclaim.colocalization import SHIFTS
from reclaim.evidence import FLAGS, Setting
from reclaim.regions import SCORES, no_rows
from reclaim.report.chip_atlas_view import SHOWN_AT_ONCE, q_limit
from reclaim.report.measures import measure
from reclaim.report.operation import differences, subject
from reclaim.report.page import FOLDED_FROM
from reclaim.report.ranking_view import RANKED, colo_scores, crude_odds_ratio
from reclaim.report.reading import leave_one_out, read_claim
from reclaim.report.study_view import study_view

page_of = cache(peaks_page)


def seen_of(**changes: Any) -> str:
    """What a reader sees of the claim."""
    return text_of("<body>" + section_of(peaks_page(**changes), "R1"))


def dataset_of(page: str) -> str:
    """The part about the data set."""
    start = page.index('<article class="dataset"')
    return page[start : page.index("</article>", start)]


def folded(page: str) -> dict[str, str]:
    """What is folded away, by the line that stays open."""
    found = re.findall(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", page, re.DOTALL)
    return {text_of("<body>" + line).strip(): content for line, content in found}


def rows_of(table: str) -> list[list[str]]:
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    return [
        [
            text_of("<body>" + cell).strip()
            for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    ]


# Experiments


def test_a_data_set_says_what_it_asked_for() -> None:
    seen = text_of("<body>" + dataset_of(page_of()))
    assert "ChIP-Atlas, hg38, peaks at q < 1e-5" in seen
    assert "Candidates TFs and others: all antigens; cells: Blood" in seen
    assert r"1. line one: /LINE\.?1/, same as in the claim; 2. others: /LINE2|LINE3/, similar" in seen
    assert "Left out by words /inhibitor/ and /shRNA|siRNA/" in seen
    assert "Fewest peaks 1,000 at q < 1e-5" in seen
    assert "Peaks that are used called at q < 1e-5" in seen
    assert [q_limit(name) for name in ("05", "10", "20")] == ["1e-5", "1e-10", "1e-20"]


def test_regions_have_neither_patients_nor_samples() -> None:
    page = page_of()
    assert not re.search(r"patient|sample", text_of("<body>" + section_of(page, "R1")))
    assert not re.search(r"[Pp]atient|[Ss]ample", text_of("<body>" + dataset_of(page)))
    assert "No pool of patients" not in page
    assert "No pool of patients" in small_page()


def test_chosen_experiments_stand_with_their_cells_and_peaks() -> None:
    seen = text_of("<body>" + dataset_of(page_of()))
    assert "Chosen from ChIP-Atlas’ list: 27 experiments of 27 antigens: 27 in line one." in seen
    table = re.search(r'<table class="experiments">.*?</table>', page_of(), re.DOTALL)
    assert table
    assert rows_of(table[0]) == [
        ["TFA", "SRX1", "LINE-1", "line one, same", "12,345", f"SRX1 {SCRIPT}"],
        ["TFB", "SRX2", "LINE-1", "line one, same", "12,345 no file: left out", f"SRX2 {SCRIPT}"],
        ["TFC", "SRX3", "LINE-1", "line one, same", "12,345", f"SRX3 {SCRIPT}"],
    ]
    assert "those that claims name" in table[0]
    further = folded(page_of())["24 further experiments, of other antigens"]
    assert [row[0] for row in rows_of(further)] == [f"OTHER{i:02d}" for i in range(1, 25)]


def test_few_experiments_are_all_in_sight() -> None:
    few = peaks_choice(others=SHOWN_AT_ONCE - 3, excluded=0)
    part = dataset_of(
        peaks_page(choices={"peaks": few}, receipts={"peaks": peaks_receipt(files=2, missing=())})
    )
    assert "<details>" not in part
    assert len(rows_of(part)) == SHOWN_AT_ONCE
    assert "No other candidate in these cells." in part


def test_accessions_lead_to_chip_atlas_unless_they_are_made_up() -> None:
    assert 'href="https://chip-atlas.org/view?id=SRX1"' in page_of("public")
    assert "chip-atlas.org/view" not in page_of("as_claimed")


def test_every_candidate_that_was_left_out_has_its_reason() -> None:
    candidates = folded(page_of())["1 candidate in these cells that was not used, and why"]
    assert rows_of(candidates) == [
        ["TFA", "SRX9000", "LINE-1", "line one", "–", f"SRX9000 {SCRIPT}", "the list does not say <how many>"]
    ]


def test_thousands_of_candidates_keep_the_page_light() -> None:
    """A line costs its own text and the tags of its seven cells."""
    few, many = (peaks_page(choices={"peaks": peaks_choice(excluded=number)}) for number in (2, 3002))
    text = ["TFA", "SRX99999", "LINE-1", "line one", "–", f"SRX99999 {markupsafe.escape(SCRIPT)}", markupsafe.escape("the list does not say <how many>")]  # fmt: skip
    tags = len("<tr></tr>\n") + 7 * len("<td></td>")
    assert (len(many) - len(few)) / 3000 < len("".join(text)) + tags + 1
    assert "3,002 candidates in these cells that were not used, and why" in many


def test_titles_with_markup_stay_text() -> None:
    page = page_of()
    assert "<script" not in page
    assert page.count(str(markupsafe.escape(f"SRX9000 {SCRIPT}"))) == 1


def test_no_experiment_at_all_is_said() -> None:
    seen = text_of(peaks_page(choices={"peaks": peaks_choice(0).model_copy(update={"chosen": []})}))
    assert "No experiment of the list meets what was asked for." in seen


def test_a_local_file_says_what_was_bound() -> None:
    own = builders.dataset(source="file", format="bed", path="own.bed", genome="hg38", cell="LINE-1")
    del own["study"]
    page = peaks_page(study=peaks_study(datasets={"peaks": own}), choices={}, scores={})
    seen = text_of("<body>" + dataset_of(page))
    assert "Antigen named by column 4 for each region" in seen
    assert "Cells LINE-1" in seen
    assert "Colo score" not in page


# Files


@pytest.mark.parametrize(("files", "fold"), [(FOLDED_FROM, False), (FOLDED_FROM + 1, True)])
def test_many_files_are_folded_with_their_number_and_bytes(files: int, fold: bool) -> None:
    part = dataset_of(peaks_page(receipts={"peaks": peaks_receipt(files, missing=())}))
    line = f"{files} files that peaks rests on, {files},000 bytes in all ({files}.0 kB), each with its sha256"
    lists = folded(part)
    assert (line in lists) is fold
    assert all(f"{i:064x}" in (lists[line] if fold else part) for i in range(1, files + 1))


def test_what_the_service_lacks_stands_with_what_follows() -> None:
    seen = text_of("<body>" + dataset_of(page_of()))
    assert (
        "Peaks that ChIP-Atlas does not have: 1 experiment. It is left out, and no other experiment takes the place."
        in seen
    )
    assert "peaks of SRX2, TFB in LINE-1 https://example.org/SRX2 404 Not Found" in seen
    assert (
        "Tables that ChIP-Atlas does not have: 2. They are not shown. No verdict rests on such a table."
        in seen
    )
    assert "Colo table of TFA https://example.org/colo_TFA 404 Not Found" in seen
    assert "Target Genes table of TFA https://example.org/targets_TFA" in seen
    complete = peaks_page(receipts={"peaks": peaks_receipt(missing=())})
    assert "does not have" not in complete


def test_many_missing_files_are_folded() -> None:
    names = [f"SRX{100 + i}" for i in range(1, 15)]
    part = dataset_of(peaks_page(receipts={"peaks": peaks_receipt(missing=names)}))
    assert "Peaks that ChIP-Atlas does not have: 14 experiments. They are left out" in text_of(
        "<body>" + part
    )
    assert len(rows_of(folded(part)["Which 14"])) == 14


# Co-localisation


def words_of(**changes: Any) -> tuple[str, str]:
    test = peaks_study(builders.claim(peaks_test(**changes))).claims[0].tests[0]
    return subject(test), measure(test, {})


def test_a_colocalisation_is_told_in_plain_words() -> None:
    about, computed = words_of()
    assert about == "TFA and TFB on the same regions"
    assert "2 means that the odds of TFB are twice as high where TFA binds as where it does not" in computed
    assert (
        "(0, 1, 2 to 3, 4 to 6, 7 to 10, 11 to 20, 21 to 40 or 41 and more; TFA and TFB do not count)"
        in computed
    )
    assert "promoters (within 1,000 bp of a transcription start) only with promoters" in computed
    assert "Regions are those that any antigen of the data set binds (peaks up to 300 bp apart" in computed
    assert "strongest" not in computed
    assert f"of {SHIFTS:,} circular shifts of TFA" in computed
    _, computed = words_of(universe="elements", promoter_bp=0, top_peaks=2000)
    assert "ENCODE’s candidate cis-regulatory elements" in computed
    assert "promoter" not in computed
    assert "Of every experiment the 2,000 strongest peaks count." in computed


def test_colocalisations_differ_in_plain_words() -> None:
    tests = [
        peaks_test(),
        peaks_test("other", "sensitivity", universe="elements", promoter_bp=2000, top_peaks=2000),
        peaks_test("plain", "sensitivity", promoter_bp=0),
    ]
    first, other, plain = peaks_study(builders.claim(*tests)).claims[0].tests
    assert differences(first, other) == [
        "regions: ENCODE’s candidate cis-regulatory elements instead of those that any antigen of the data set binds",
        "promoters: within 2,000 bp of a transcription start instead of within 1,000 bp of a transcription start",
        "peaks of each experiment: the 2,000 strongest instead of all",
    ]
    assert differences(first, plain) == [
        "promoters: no strata of their own instead of within 1,000 bp of a transcription start"
    ]


def test_the_decisive_numbers_are_those_of_regions() -> None:
    seen = seen_of()
    assert "Odds ratio 4.00 (3.29 to 4.87)" in seen  # exp(-+ 1.96 x 0.1) = 0.822 and 1.217
    assert "Rests on 120 of 1,000 regions with both, in 1 data set" in seen
    assert "Without strata (decides nothing) 5.17" in seen
    assert "p, one-sided as claimed" in seen
    assert "as if regions were independent" not in seen  # one data set: its p counts draws
    assert "Data set regions with both odds ratio" in seen
    assert "Regions bound: 200 by TFA, 300 by TFB." in seen
    assert "Data sets peaks. Rule Specific: random-effects mean over data sets;" in seen
    assert "Relatives (TFC) are left out of the rank" in seen
    assert "one-sided, of circular shifts of the query along the regions" in seen
    label = re.search(r'aria-label="(Forest plot[^"]+)"', page_of())
    assert label
    assert label[1].replace(SPACE, " ") == (
        "Forest plot of bound: peaks 120 both, odds ratio 4.00 (3.29 to 4.87), agrees"
    )


def test_the_odds_ratio_without_strata_is_that_of_the_counts() -> None:
    test = peaks_study().claims[0].tests[0]
    assert isinstance(test, PeakColocalization)
    assert crude_odds_ratio(peaks_row(), test) == pytest.approx(120 * 620 / (80 * 180))
    assert crude_odds_ratio(peaks_row(n_events=200), test) == np.inf
    assert crude_odds_ratio(peaks_row(n_events=0), test) == 0
    assert crude_odds_ratio(peaks_row(groups={}), test) is None


# TFB at 4 is above 24 others and FAR does not count; TFC, at 5, is a relative: 1 of 25, and a tenth of 25 is 2.


def test_the_rank_of_the_rule_leaves_out_relatives_and_other_cells() -> None:
    assert (
        "Rank among antigens of the same cells 1 of 25, without TFC (the rule asks for 1 to 2)" in seen_of()
    )
    others = {"OTHER05": 6.0, "OTHER06": 6.0}
    seen = seen_of(rankings={"bound/peaks": peaks_ranking(**others)})
    assert "3 of 25, without TFC (the rule asks for 1 to 2)" in seen
    seen = seen_of(rankings={"bound/peaks": peaks_ranking(others=19)})
    assert "not judged: 19 others, without TFC, 20 are needed" in seen


def test_relatives_that_tie_are_named() -> None:
    """The interval of TFB starts at 3.29."""
    assert "Relatives that reach the interval TFC" in seen_of()
    for below in (3.2, 1.0):
        assert "Relatives that reach" not in seen_of(rankings={"bound/peaks": peaks_ranking(TFC=below)})


def test_other_cells_have_no_rank() -> None:
    table = peaks_ranking()
    table.loc[table["feature"] == "TFB", "stratum"] = "other cells"
    seen = seen_of(rows=[peaks_row(flags="other_cells")], rankings={"bound/peaks": table})
    assert "Rank among antigens of the same cells none: query and partner are of different cells" in seen
    assert "TFB has no rank there." in seen
    assert FLAGS["other_cells"] in seen


def test_the_page_judges_as_the_workflow_does() -> None:
    """A rank needs its comparators: without them the page would contradict the verdict."""
    results = peaks_results()
    assert results.claims[0].verdict == "consistent"
    claim = results.study.claims[0]
    assert read_claim(claim, results.evidence, 1, results.rankings).outcome == "agrees"
    assert read_claim(claim, results.evidence, 1).outcome == "unclear"
    low = {"bound/peaks": peaks_ranking(OTHER05=6.0, OTHER06=6.0)}
    assert read_claim(claim, results.evidence, 1, low).outcome == "unclear"


def test_leaving_a_data_set_out_leaves_out_its_comparators() -> None:
    study = peaks_study(
        builders.claim(peaks_test(datasets=["peaks", "more"]), claim_id="R1", decision={"rule": "specific"}),
        datasets={name: peaks_results().study.datasets["peaks"].model_dump() for name in ("peaks", "more")},
    )
    rows = [peaks_row(), peaks_row().model_copy(update={"dataset": "more"})]
    rankings = {"bound/peaks": peaks_ranking(TFC=1.0), "bound/more": peaks_ranking(others=5)}
    left = {item.dataset: item.outcome for item in leave_one_out(study.claims[0], rows, 1, rankings)}
    assert left == {"peaks": "unclear", "more": "agrees"}


def test_all_antigens_are_ranked_in_a_table() -> None:
    seen = seen_of()
    assert (
        "On peaks the odds ratio of TFA and TFB is 5.17 over all regions, and 4.00 among regions that as many other "
        "antigens bind. The latter is number 2 of 26 antigens of the same cells, the highest first, relatives included."
    ) in seen
    table = folded(section_of(page_of(), "R1"))["All 27 antigens, ranked by their odds ratio with TFA, peaks"]
    assert "is not used for the verdict" in table
    rows = rows_of(table)
    assert rows[0] == ["1", "TFC", "5.00", "4.09 to 6.11", "1,001", "–", "relative, not counted by the rule"]
    assert rows[1] == ["2", "TFB", "4.00", "3.27 to 4.89", "1,002", "6", "tested"]
    assert rows[2][:3] == ["3", "OTHER24", "1.24"]
    assert rows[25] == ["26", "OTHER01", "1.01", "0.827 to 1.23", "1,004", "9", "too few regions to be told"]
    assert rows[26][:2] == ["–", "FAR"]
    assert rows[26][-1] == "other cells"


def test_a_negative_claim_is_ranked_from_the_other_end() -> None:
    claim = builders.claim(peaks_test(expected="negative"), claim_id="R1", decision={"rule": "specific"})
    row = peaks_row(expected="negative").model_copy(
        update={"effect": log(0.25), "ci_low": log(0.2), "ci_high": log(0.3)}
    )
    page = peaks_page(study=peaks_study(claim), rows=[row], rankings={"bound/peaks": peaks_ranking(TFB=0.25)})
    seen = text_of("<body>" + section_of(page, "R1"))
    assert "1 of 26 (the rule asks for 1 to 2)" in seen
    assert "number 1 of 26 antigens of the same cells, the lowest first" in seen


def test_antigens_without_an_estimate_come_last() -> None:
    table = peaks_ranking()
    table.loc[table["feature"] == "OTHER07", ["effect", "ci_low", "ci_high", "mde"]] = np.nan
    table.loc[table["feature"] == "OTHER08", ["effect", "ci_high"]] = np.inf
    page = section_of(peaks_page(rankings={"bound/peaks": table}), "R1")
    rows = rows_of(folded(page)["All 27 antigens, ranked by their odds ratio with TFA, peaks"])
    assert rows[0][:3] == ["1", "OTHER08", "∞"]
    assert ["–", "OTHER07", "–", "–"] in [row[:4] for row in rows[-2:]]


def test_scores_are_those_between_the_chosen_experiments() -> None:
    assert colo_scores("TFA", peaks_choice(), peaks_scores()) == {"TFB": 6.0, "OTHER01": 9.0}
    assert colo_scores("TFC", peaks_choice(), peaks_scores()) == {}
    assert colo_scores("TFA", peaks_choice(), no_rows(SCORES)) == {}
    page = peaks_page(scores={"peaks": no_rows(SCORES)})
    assert "Colo score" not in page


def test_without_full_results_there_is_no_table() -> None:
    page = peaks_page(rankings={"bound/peaks": peaks_ranking().iloc[:0]})
    assert '<table class="ranking">' not in page
    assert "not judged: 0 others, 20 are needed" in text_of("<body>" + section_of(page, "R1"))


def test_a_pooled_colocalisation_has_no_rank_that_counts() -> None:
    page = peaks_page(study=peaks_study(builders.claim(peaks_test(), claim_id="R1")))
    seen = text_of("<body>" + section_of(page, "R1"))
    assert "Rank among" not in seen
    assert "relative, not counted" not in seen
    assert "number 2 of 26 antigens" in seen


@pytest.mark.parametrize("flag", ["underpowered", "few_peaks", "other_cells"])
def test_flags_are_explained(flag: str) -> None:
    assert seen_of(rows=[peaks_row(flags=flag)]).count(FLAGS[flag]) == 1


def test_an_underpowered_partner_has_a_page() -> None:
    nothing = dict.fromkeys(("effect", "se", "ci_low", "ci_high", "statistic", "p_value", "mde"))
    row = peaks_row(flags="underpowered").model_copy(update=nothing)
    seen = seen_of(rows=[row])
    assert "Odds ratio not estimable Rests on no valid row" in seen
    assert "Rank among antigens of the same cells none: no estimate" in seen


def test_tables_and_figures_of_simulated_regions_are_marked() -> None:
    page = page_of("as_claimed")
    results = page[: page.index('<section id="method"')]
    captions = re.findall(r"<caption>(.*?)</caption>", results, flags=re.DOTALL)
    assert len(captions) > 8
    assert all("SIMULATED" in caption for caption in captions)
    assert "simulated" not in page_of("public").lower()


def test_ids_are_unique_and_the_same_input_gives_the_same_bytes() -> None:
    ids = re.findall(r'\sid="([^"]+)"', page_of())
    assert len(ids) == len(set(ids))
    assert peaks_page() == peaks_page()


# From peaks to the page: 24 antigens on 4,000 places, of which TFB follows TFA.


def test_the_page_of_a_claim_from_peaks() -> None:
    study = peaks_study(
        builders.claim(peaks_test(promoter_bp=0), claim_id="R1", decision={"rule": "specific"})
    )
    test = study.claims[0].tests[0]
    assert isinstance(test, PeakColocalization)
    (estimate,), found = peak_colocalization(
        test, builders.binding(follows={"TFB": 0.5}), {}, "matched", seed=1
    )
    known = {name: getattr(peaks_row(), name) for name in Setting.__dataclass_fields__}
    setting = Setting(**known | {"run": "public"})
    full = setting.table("any", "log_odds_ratio", {str(key): found[key] for key in found})
    row = setting.row(estimate)
    page = peaks_page(study=study, rows=[row], rankings={"bound/peaks": full[RANKED]}, choices={}, scores={})
    seen = text_of("<body>" + section_of(page, "R1"))
    own = found[found["feature"] == "TFB"].iloc[0]
    assert crude_odds_ratio(row, test) == pytest.approx(own["crude_odds_ratio"])
    assert f"Odds ratio {exp(own['effect']):.2f} (" in seen
    assert "Rank among antigens of the same cells 1 of 23 (the rule asks for 1 to 2)" in seen
    assert "rank 1 among 22 other antigens of the same cells" in seen
    rows = rows_of(
        folded(section_of(page, "R1"))["All 23 antigens, ranked by their odds ratio with TFA, peaks"]
    )
    assert rows[0][1] == "TFB"
    assert len(rows) == 23
    view = study_view((peaks_results(study=study, rows=[row], rankings={"bound/peaks": full})), "public", 1)
    assert view.claims[0].reading is not None
    assert view.claims[0].reading.outcome == "agrees"
