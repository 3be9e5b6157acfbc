"""Correlation and survival on the report page: curves, plain words, and what a naive reader would make of them."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from functools import cache
from html import unescape
from typing import Any

import builders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_results import (
    ARMS,
    SCRIPT,
    SPACE,
    calibrated,
    curve,
    outcome_curves,
    outcome_page,
    outcome_rows,
    outcome_study,
    pair_test,
    rate,
    section_of,
    small_calibration,
    small_page,
    small_results,
    survival_test,
    text_of,
)

from reclaim.analyses.survival_curves import Curve as HandedOn
from reclaim.calibration.cap import Calibration, calibration_cap
from reclaim.calibration.record import ClaimCalibration, Rate
from reclaim.claim_tests import Dependency
from reclaim.decisions import Pooled
from reclaim.evidence import FLAGS
from reclaim.report.calibration_reading import calibration_reading
from reclaim.report.calibration_view import _matched_on, subject_noun, swapped_end
from reclaim.report.curve_labels import Label, place_labels, short_labels
from reclaim.report.curves import Curve
from reclaim.report.measures import endpoint_by_dataset, endpoint_in_words, measure
from reclaim.report.operation import differences, subject
from reclaim.report.study_view import study_view
from reclaim.report.survival_figure import shown_years, survival_panel
from reclaim.verdict import assess

page_of = cache(outcome_page)


def seen_of(claim: str, run: str = "public", **effects: float) -> str:
    """What a reader sees of one claim."""
    return text_of("<body>" + section_of(outcome_page(run, **effects), claim))


def labels_of(section: str) -> list[str]:
    """What a screen reader says of the curves."""
    found = re.findall(r'role="img" aria-label="([^"]+)"', section)
    told = [unescape(label).replace(SPACE, " ") for label in found]
    return [label for label in told if "Kaplan-Meier" in label or "Cumulative incidence" in label]


def captions_of(section: str) -> list[str]:
    return [
        text_of("<body>" + text) for text in re.findall(r"<figcaption>(.*?)</figcaption>", section, re.DOTALL)
    ]


def the_test(values: dict[str, Any]) -> Any:
    """A test as read from a study file."""
    return outcome_study(builders.claim(values)).claims[0].tests[0]


# Curves


def test_the_report_reads_the_curves_that_the_analysis_writes() -> None:
    assert set(Curve.model_fields) == {field.name for field in fields(HandedOn)}


def test_each_data_set_of_a_primary_survival_test_has_a_panel_and_no_other_test_has() -> None:
    labels = labels_of(page_of())
    assert [re.match(r"(.*? on \w)", label)[1] for label in labels] == [  # type: ignore[index]
        "Kaplan-Meier curves of test lived on a",
        "Kaplan-Meier curves of test lived on b",
        "Cumulative incidence (Aalen-Johansen) of test groups on a",
    ]
    assert labels_of(outcome_page(curves={})) == []


# Above the median 3 of 4 have the event, at 1, 2 and 3 years; up to it 1 of 4, at 2 years. exp(0.7) = 2.01, and
# exp(0.7 -+ 1.96 x 0.1) are 1.66 and 2.45.


def test_curves_are_told_in_numbers() -> None:
    first, _, groups = labels_of(page_of())
    assert first == (
        "Kaplan-Meier curves of test lived on a: GENE1 above its median: n 4, 3 events, without the event 75.0 % at 1, "
        "50.0 % at 2, 25.0 % at 3 and 25.0 % at 4 years; GENE1 up to its median: n 4, 1 event, without the event "
        "75.0 % at 2, 75.0 % at 4 and 75.0 % at 6 years; hazard ratio per SD 2.01 (1.66 to 2.45)"
    )
    assert "case: n 4, 2 events, with the event" in groups
    assert groups.endswith("hazard ratio, case to control, 2.01 (1.66 to 2.45)")


def test_the_caption_says_what_the_curves_are() -> None:
    page = page_of()
    by_gene, by_group = captions_of(section_of(page, "S1"))[1], captions_of(section_of(page, "S2"))[1]
    assert "Test lived, relapse: the share of patients without the event (Kaplan and Meier)" in by_gene
    assert (
        "Groups are the halves at the median of GENE1: for the figure only; the estimate uses the continuous value, and "
        "its hazard ratio is per standard deviation of the log2 value." in by_gene
    )
    assert "cut at" not in by_gene
    assert "cumulative incidence by Aalen and Johansen" in by_group
    assert "Case: er is Negative. Control: er is Positive or pr is Positive." in by_group
    assert "what rules it out counts as censored" in by_group
    assert "Follow-up is cut at 5 years." in by_group
    assert "median" not in by_group


def figure_of(test: dict[str, Any], **changes: Any) -> tuple[str, str]:
    """The page's section and the caption of the curves of one primary test on data set a."""
    study = outcome_study(builders.claim(test | {"datasets": ["a"]}))
    effect = "log_hazard_ratio" + ("_groups" if "contrast" in test else "")
    about: dict[str, Any] = {
        "test": test["id"],
        "effect_name": effect,
        "analysis": "survival",
        "n_events": 90,
    }
    row = builders.evidence("a", 0.7, n=120, groups={}, **about).model_copy(update=changes)
    curves = {f"{test['id']}/a": outcome_curves()["lived/a"]}
    section = section_of(small_page(study=study, rows=[row], curves=curves), "C1")
    return section, captions_of(section)[-1]


def test_the_caption_says_that_curves_are_not_adjusted() -> None:
    _, caption = figure_of(survival_test(covariates=["AGE", "GRADE"]))
    assert "The hazard ratio is adjusted for AGE and GRADE, the curves are not." in caption


def test_a_set_is_told_as_the_mean_of_its_members() -> None:
    _, caption = figure_of(survival_test(feature={"gene_set": "cells"}))
    assert "halves at the median of cells" in caption
    assert "per standard deviation of the members’ mean log2 value" in caption


def test_years_that_do_not_count_are_hatched() -> None:
    section, caption = figure_of(survival_test(from_years=2))
    assert "Hatched: the years before 2 do not count" in caption
    assert "<pattern" in section
    assert "<pattern" not in drawn()


def test_a_hazard_ratio_that_does_not_count_says_so() -> None:
    section, _ = figure_of(survival_test(), outcome="invalid", flags="gate_failed")
    assert "2.01 (1.66 to 2.45); does not count" in section
    section, _ = figure_of(survival_test(), effect=None, se=None, outcome="invalid", flags="not_estimable")
    assert "hazard ratio per SD not estimable" in section


def test_every_figure_of_simulated_data_is_marked() -> None:
    page = page_of("reversed")
    results = page[: page.index('<section id="method"')]
    assert len(labels_of(results)) == 3
    assert all(label.startswith("SIMULATED data. ") for label in labels_of(results))
    assert all("SIMULATED" in caption for caption in captions_of(results))
    titles = re.findall(r"<title>(.*?)</title>", results)
    assert sum("curves of test" in title for title in titles) == 2
    assert all("SIMULATED" in title for title in titles)
    assert "simulated" not in page_of("public").lower()


def test_the_same_input_gives_the_same_bytes() -> None:
    assert outcome_page("as_claimed") == outcome_page("as_claimed")


def test_ids_are_unique() -> None:
    ids = re.findall(r'\sid="([^"]+)"', page_of())
    assert len(ids) == len(set(ids))


def curves_of(*lines: dict[str, Any]) -> list[Curve]:
    return [Curve.model_validate(line) for line in lines or outcome_curves()["lived/a"]]


def drawn(*lines: dict[str, Any], from_years: float = 0) -> str:
    return survival_panel(curves_of(*lines), "a", "hazard ratio 2.01", from_years, "name", "title")


def test_curves_are_told_apart_without_colour() -> None:
    """The second is dashed, where it is drawn and where it is named."""
    paths = re.findall(r"<path [^>]*style=\"([^\"]*stroke-width: 1.7[^\"]*)\"", drawn())
    by_colour: dict[str, set[bool]] = {}
    for style in paths:
        colour = re.search(r"stroke: (#\w+)", style)
        assert colour
        by_colour.setdefault(colour[1], set()).add("stroke-dasharray" in style)
    assert sorted(map(sorted, by_colour.values())) == [[False], [True]]
    assert len(paths) == 4


def words_in(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)]


def test_patients_at_risk_stand_below_the_years() -> None:
    words = words_in(drawn())
    assert [word for word in words if word.isdigit()] == [
        *"0123456", "0", "25", "50", "75", "100", *"4432100", *"4443333",
    ]  # fmt: skip
    assert words.count("at risk") == 2
    assert "GENE1 above its median: n 4, 3 events" in words
    assert "without the event, %" in words


def test_nobody_is_at_risk_before_the_years_that_count() -> None:
    line = curve("late", [2, 3, 5], [1, 0.75, 0.75], at_risk=[0, 0, 4, 4, 3, 3])
    assert [word for word in words_in(drawn(line, from_years=2)) if word.isdigit()][-4:] == [*"4433"]


def long_curve(years: int, patients: int) -> Curve:
    return Curve.model_validate(
        curve("long", [0, years / 2, years], [1, 0.5, 0.5], n=patients, at_risk=[patients] * (years + 1))
    )


@pytest.mark.parametrize("patients", [8, 117, 1904, 12345])
@pytest.mark.parametrize("years", [1, 5, 9, 18, 30, 60])
def test_numbers_at_risk_stand_apart(years: int, patients: int) -> None:
    """At 4.2 inches of axis a digit takes 0.07 inch, and a comma no more."""
    shown = shown_years([long_curve(years, patients)])
    apart = 4.2 * (shown[1] - shown[0]) / years
    assert apart > 0.07 * len(f"{patients:,}") + 0.1
    assert shown[0] == 0
    assert shown[-1] <= years


def test_labels_leave_out_what_they_share() -> None:
    assert short_labels(curves_of()) == ["above its median", "up to its median"]
    assert short_labels(curves_of(curve("case", [0, 1], [1, 1]), curve("control", [0, 1], [1, 1]))) == [
        "case",
        "control",
    ]
    assert short_labels(curves_of(curve("case of", [0, 1], [1, 1]))) == ["case of"]


def text_boxes(placed: list[Label], width: float, height: float, end: float) -> list[tuple[float, ...]]:
    """left, right, bottom, top of each label; a letter is at most 0.076 inch wide, and a line 0.15 inch high."""
    for label in placed:
        lines = label.text.split("\n")
        needed = 0.076 * max(map(len, lines)) * end / width, 0.15 * len(lines) / height
        assert label.box.right - label.box.left == pytest.approx(needed[0])
        assert label.box.top - label.box.bottom == pytest.approx(needed[1])
    return [(one.box.left, one.box.right, one.box.bottom, one.box.top) for one in placed]


@st.composite
def random_curve(draw: st.DrawFn, label: str, rising: bool) -> Curve:
    """A step function of up to 12 steps."""
    steps = draw(st.lists(st.floats(0.1, 20), min_size=1, max_size=12, unique=True))
    heights = sorted(
        draw(st.lists(st.floats(0, 1), min_size=len(steps), max_size=len(steps))), reverse=not rising
    )
    quantity = "cumulative_incidence" if rising else "survival"
    times, share = [0.0, *sorted(steps)], [float(not rising), *heights]
    return Curve(label=label, quantity=quantity, times=times, share=share, at_risk=[9], n=9, events=1)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans())
def test_a_label_meets_no_curve_and_no_other_label(data: st.DataObject, rising: bool) -> None:
    lines = [
        data.draw(random_curve(label, rising))
        for label in ("GENE1 above its median", "GENE1 up to its median")
    ]
    placed = place_labels(lines, 4.2, 1.8)
    end = max(line.times[-1] for line in lines)
    boxes = text_boxes(placed, 4.2, 1.8, end)
    for label, (left, right, bottom, top) in zip(placed, boxes, strict=True):
        assert left >= 0
        assert right <= end
        assert bottom >= 0
        distances = []
        for line in lines:
            heights = [
                share for i in range(201) if (share := line.at(left + (right - left) * i / 200)) is not None
            ]
            low, high = min(heights, default=math.inf), max(heights, default=math.inf)
            distances.append(max(bottom - high, low - top) if heights else math.inf)
        assert min(distances) > 0
        assert distances[label.curve] == min(distances)
    if len(boxes) == 2:
        (left, right, bottom, top), (other_left, other_right, other_bottom, other_top) = boxes
        assert right < other_left or other_right < left or top < other_bottom or other_top < bottom


def test_curves_with_room_have_their_labels() -> None:
    assert [label.text for label in place_labels(curves_of(), 4.2, 1.8)] == [
        "above its median",
        "up to its median",
    ]


# Words


def words_of(test: dict[str, Any]) -> tuple[str, str]:
    """Subject and measure of a test."""
    study = outcome_study(builders.claim(test))
    found = study.claims[0].tests[0]
    return subject(found), measure(found, study.gene_sets)


def test_a_correlation_is_told_in_plain_words() -> None:
    about, computed = words_of(pair_test(adjust=["AGE", "cells"], strata="subtype"))
    assert about == "GENE1 and GENE2, adjusted for AGE and cells, in each subtype"
    assert computed == (
        "Spearman’s rank correlation over samples: do those with more of GENE1 have more of GENE2? 1 means that they "
        "always do, 0 no relation, −1 that they always have less. Adjusted for AGE and the score of cells: correlated is "
        "what these leave unexplained of the ranks of both (partial correlation). The score of a set in a sample is the "
        "mean of its members, each scaled to a standard deviation of 1; genes that are tested are no members of what they "
        "are compared with or adjusted for. cells is GENE7 and GENE8. Each value of subtype is tested by itself. The 95 % "
        "interval is that of the bootstrap: samples drawn anew, with replacement."
    )
    about, computed = words_of(pair_test())
    assert about == "GENE1 and GENE2"
    assert "set" not in computed
    assert "djusted" not in computed


def test_the_samples_of_a_correlation_are_named() -> None:
    study = outcome_study(builders.claim(pair_test(samples=ARMS["control"])))
    rows = [row for row in outcome_rows() if row.test == "together"]
    rows = [row.model_copy(update={"claim": "C1"}) for row in rows]
    seen = text_of("<body>" + section_of(small_page(study=study, rows=rows), "C1"))
    assert (
        "Data sets a and b (all samples); of these only samples with er is Positive or pr is Positive."
        in seen
    )


@pytest.mark.parametrize(
    ("changes", "about", "words"),
    [
        ({}, "relapse by GENE1", "Hazard ratio per standard deviation of the log2 value of GENE1 (Cox’s"),
        ({"feature": {"gene_set": "cells"}}, "relapse by cells", "of the mean log2 value of cells (Cox’s"),
        ({"feature": {"gene_set": "cells"}}, "relapse by cells", "1 means no relation. cells is GENE7 and GENE8."),
        ({"contrast": ARMS}, "relapse, er is Negative against er is Positive or pr is Positive",
         "Hazard ratio of case to control (Cox’s proportional hazards)"),
        ({"horizon_years": 5}, "relapse by GENE1, up to 5 years", "Follow-up is cut at 5 years"),
        ({"from_years": 5}, "relapse by GENE1, from 5 years on", "Only what happens after 5 years counts, among those"),
        ({"from_years": 5, "horizon_years": 10}, "relapse by GENE1, from 5 to 10 years", "cut at 10 years"),
        ({"covariates": ["AGE", "GRADE"]}, "relapse by GENE1, adjusted for AGE and GRADE",
         "Adjusted for AGE and GRADE, in patients who have both."),
    ],
)  # fmt: skip
def test_a_survival_test_is_told_in_plain_words(changes: dict[str, Any], about: str, words: str) -> None:
    found, computed = words_of(survival_test(**changes))
    assert found == about
    assert words in computed


def test_a_share_of_late_events_is_told_in_plain_words() -> None:
    late = next(test for _, test in outcome_study().tests() if test.id == "late")
    about, computed = subject(late), measure(late, {})
    assert about == "relapse after 5 years"
    assert computed.startswith("Of all events that were seen, the share that came after 5 years.")
    seen = seen_of("E1")
    assert "Share of events 1.56 %" in seen
    assert "Rests on 6 of 400 events in 2 data sets" in seen
    assert "Data set events late share of events" in seen


def test_tests_differ_in_plain_words() -> None:
    def between(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
        return differences(the_test(first), the_test(second))

    assert between(pair_test(), pair_test(adjust=["cells"])) == ["adjusted for cells instead of nothing"]
    assert between(survival_test(horizon_years=5), survival_test(from_years=5)) == [
        "follow-up to its end instead of 5 years",
        "follow-up from 5 years instead of its start",
    ]
    assert between(survival_test(), survival_test(endpoint="survival")) == [
        "endpoint: survival instead of relapse"
    ]


def test_an_endpoint_is_told_by_its_columns() -> None:
    study = outcome_study(builders.claim(survival_test()))
    test = study.claims[0].tests[0]
    assert endpoint_by_dataset(test, study.datasets) == (
        "relapse. a: event: STATUS is 1; nothing so far: 0 (any other value is left out); time: DAYS, in days. "
        "b: event: RFS_STATUS is back or Back; any other value means nothing so far; time: RFS, in months"
    )
    own = {"time": "DAYS", "time_unit": "days", "event": "STATUS", "event_values": ["back"]}
    inline = the_test(survival_test(endpoint=own | {"competing_values": ["dead"]}))
    assert "event: STATUS is back; ruled out by dead, which compete with it" in endpoint_in_words(
        inline.endpoint
    )
    assert subject(inline) == "STATUS by GENE1"
    unknown = the_test(survival_test(endpoint="elsewhere"))
    assert endpoint_by_dataset(unknown, study.datasets) == "elsewhere. a and b: not described"
    assert endpoint_by_dataset(the_test(pair_test()), study.datasets) == ""


def test_an_endpoint_stands_with_its_data_set_and_its_test() -> None:
    page = page_of()
    assert "Endpoint Relapse. a: event: STATUS is 1;" in text_of("<body>" + section_of(page, "S1"))
    data = text_of(page)
    assert "Endpoint relapse Event: STATUS is 1; nothing so far: 0 (any other value is left out)" in data
    assert "Endpoint relapse Event: RFS_STATUS is back or Back; any other value means nothing so far" in data


def test_a_sensitivity_test_names_an_endpoint_of_its_own_only() -> None:
    sensitivity = survival_test("other", "sensitivity", endpoint="elsewhere", datasets=["a"])
    study = outcome_study(builders.claim(survival_test(), survival_test("same", "sensitivity"), sensitivity))
    seen = text_of("<body>" + section_of(small_page(study=study, rows=[]), "C1"))
    assert seen.count("Endpoint: ") == 1
    assert "Endpoint: Elsewhere. a: not described." in seen


def test_columns_as_they_are_and_shuffled_ones_are_told_apart() -> None:
    derive = {"er": {"from": "receptor"}, "lot": {"from": "er", "shuffle": True}}
    study = builders.study(a=builders.geo_dataset(derive=derive), b=builders.geo_dataset())
    seen = text_of(small_page(study=study, rows=[]))
    assert "Derived columns er from receptor, as it is; lot from er, dealt out anew" in seen


# Evidence


@pytest.mark.parametrize("flag", ["tissue_mixture", "not_proportional", "few_events"])
def test_flags_are_explained(flag: str) -> None:
    rows = [
        row.model_copy(update={"flags": flag}) if (row.test, row.dataset) == ("lived", "a") else row
        for row in outcome_rows()
    ]
    page = small_page(study=outcome_study(), rows=rows)
    assert text_of("<body>" + section_of(page, "S1")).count(FLAGS[flag]) == 1
    coverage = text_of("<body>" + page[page.index('<table class="coverage"') : page.index("Claim by claim")])
    assert coverage.count(FLAGS[flag]) == 1


# The standard error 0.1 belongs to Fisher's z: 2.8 x 0.1 = 0.28, and tanh(0.28) = 0.273. exp(0.28) = 1.32.


def test_the_smallest_detectable_correlation_is_one() -> None:
    rows = [row.model_copy(update={"mde": 0.9}) if row.dataset == "a" else row for row in outcome_rows()]
    seen = text_of("<body>" + section_of(small_page(study=outcome_study(), rows=rows), "X1"))
    assert " 0.72 ✓ agrees" in seen  # tanh(0.9)
    assert " 0.27 ✓ agrees" in seen
    assert "0.90 ✓" not in seen
    assert " 1.32 ✓ agrees" in seen_of("S1")


def test_a_reason_tells_a_detectable_effect_as_readers_know_it() -> None:
    wide = [
        row.model_copy(update={"effect": 0.0, "se": 0.4, "ci_low": -0.8, "ci_high": 0.8, "mde": 0.9})
        for row in outcome_rows()
    ]
    found = {row.claim: row.reason for row in assess(outcome_study(), wide, "public", seed=1).claims}
    assert "smallest detectable effect of a cohort: 0.72" in found["X1"]
    assert "hazard ratio per SD 2.5 or 0.41" in found["S1"]  # exp(0.9), exp(-0.9)
    assert "cohort: hazard ratio 2.5 or 0.41" in found["S2"]


def test_events_are_counted_where_they_decide() -> None:
    assert "Rests on 180 events, n = 240 in 2 data sets" in seen_of("S1")
    assert "Rests on n = 240 in 2 data sets" in seen_of("X1")
    section = section_of(page_of(), "S1")
    assert "180 / 240" in section
    assert "Counts are events / patients." in section
    assert "Data set n Spearman correlation" in seen_of("X1")


# Naive readings


def naive_box(seen: str) -> str:
    start = seen.index("What a naive reading would say")
    return seen[start : seen.index("From the claim to a test")]


def mixed_page(**changes: Any) -> str:
    """A correlation of 0.7 that comes to nothing when cells are adjusted for."""
    rows = [
        row.model_copy(update={"flags": "tissue_mixture"}) if row.test == "together" else row
        for row in outcome_rows(given_cells=0.0)
    ]
    return small_page(study=outcome_study(), rows=[row.model_copy(update=changes) for row in rows])


def test_a_crude_correlation_is_what_a_naive_reader_would_believe() -> None:
    page = mixed_page()
    box = naive_box(text_of("<body>" + section_of(page, "X1")))
    assert "Read the correlation by itself, not adjusted for AGE and cells. The rule says “agrees”" in box
    assert "supported Spearman correlation 0.70" in box
    assert "Naive reading, test together ? inconclusive Spearman correlation 0.00" in box
    assert "This page’s verdict, adjusted test given_cells, outcome “unclear”" in box
    assert "The score of cells stands for the share of such cells. It may also lie between the two" in box
    assert box.count("Naive reading, test") == 1
    assert "A naive reading would say supported." in text_of(page)


def test_a_crude_correlation_that_holds_is_no_naive_reading() -> None:
    assert "naive" not in section_of(page_of(), "X1")


def test_an_adjusted_test_is_never_the_naive_one() -> None:
    """A hazard that age explains; the verdict rests on the primary test all the same."""
    assert "naive" not in section_of(outcome_page(given_age=0.0), "S1")


def test_of_adjusted_correlations_that_of_cells_counts() -> None:
    adjusted = [pair_test(f"given_{name.lower()}", "sensitivity", adjust=[name]) for name in ("AGE", "cells")]
    study = outcome_study(builders.claim(pair_test(), *adjusted))
    about: dict[str, Any] = {
        "effect_name": "spearman_rho",
        "n": 120,
        "analysis": "coexpression",
        "groups": {},
    }
    rows = [
        builders.evidence(
            name, 0.7 if test == "together" else 0.0, test=test, role=role, flags=flags, **about
        )
        for test, role, flags in (
            ("together", "primary", "tissue_mixture"),
            ("given_age", "sensitivity", "tissue_mixture"),
            ("given_cells", "sensitivity", ""),
        )
        for name in "ab"
    ]
    box = naive_box(text_of("<body>" + section_of(small_page(study=study, rows=rows), "C1")))
    assert "not adjusted for cells" in box
    assert "given_age" not in box


def test_other_years_may_say_the_opposite() -> None:
    box = naive_box(seen_of("S1", after_five=-0.7))
    assert "with this specification instead: after five years. The rule would then say “opposite”" in box
    assert "contradicted hazard ratio per SD 0.497 (0.408 to 0.604) 90 events, n = 120 in 1 data set" in box
    assert (
        "The two look at other years: this one from 5 years on, the primary test at all follow-up. Where a hazard ratio "
        "changes with time" in box
    )


# Calibration


NO_GENE = "the claim is about a group of patients: there is no gene to swap"


def calibrated_page(claim: str, **changes: Any) -> str:
    """The calibration of one claim as a reader sees it; no other claim is calibrated."""
    study = small_calibration(calibrated(claim, distribution=None, **changes))
    study = study.model_copy(update={"claims": study.claims[-1:]})
    page = small_page(study=outcome_study(), rows=outcome_rows(), calibration=study)
    seen = text_of("<body>" + section_of(page, claim))
    return seen[seen.index("Calibration:") : seen.index("From the claim to a test")]


def test_a_claim_about_groups_of_patients_needs_no_background_rate() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("background_rate", "matched", "matched_on_loadings", "uncorrelated")
    )
    nothing |= {"loadings": [], "loadings_gap": "", "balance": [], "modules": 0, "correlated": 0}
    seen = calibrated_page("S2", no_background=NO_GENE, **nothing)
    assert seen.startswith(
        "Calibration: how often chance would have passed Under permuted labels this rule would"
    )
    assert (
        "in 0.4 % of cases, and a rate among comparable genes is not needed (the claim is about a group of patients: "
        "there is no gene to swap): chance alone would hardly have done so." in seen
    )
    assert (
        "Comparable genes Not needed: the claim is about a group of patients: there is no gene to swap."
        in seen
    )
    assert "Permuted labels The groups are dealt out anew among the patients." in seen
    assert "not known" not in seen
    assert "In brackets 95 % intervals." in seen


@pytest.mark.parametrize("agrees", [True, False])
@pytest.mark.parametrize(
    "null", [rate(4, 0.001, 0.010), rate(60, 0.046, 0.081), None], ids=["rare", "often", "missing"]
)
def test_without_a_background_the_sentence_and_the_verdict_have_the_same_cap(
    null: Rate | None, agrees: bool
) -> None:
    record = ClaimCalibration(
        claim="C1",
        subject="groups",
        null_rate=null,
        null_gap="" if null else "9 events",
        no_background=NO_GENE,
    )
    decision = Pooled(rule="pooled")
    cap, _ = calibration_cap("pooled", False, Calibration.of(record))
    said = calibration_reading(record, decision, agrees, "group")
    assert re.findall(r"at most (\w+)", said) == ([] if cap == "supported" else [cap])
    assert ("had the rule agreed here" in said) is not agrees
    assert NO_GENE in said
    assert "how many" not in said


def test_the_swapped_end_of_a_pair_is_named() -> None:
    seen = calibrated_page("X1", subject="GENE1 and GENE2", swapped="GENE2")
    assert "3.1 % of comparable pairs with GENE2 swapped pass it too: the finding is about this pair." in seen
    assert "Comparable pairs pass, with GENE2 swapped 3.1 % (1.9 to 4.6), of 1,000" in seen
    assert (
        "Which end was swapped Each in turn; the larger rate counts, which is that with GENE2 swapped."
        in seen
    )
    assert "50 pairs at |rho| > 0.5 to GENE2 left out" in seen
    assert "How like GENE2 the comparable pairs are. GENE2 lies outside" in seen
    assert "Permuted labels One end of the pair is dealt out anew among the samples." in seen
    assert "Matched on mean, spread, detection and biotype" in seen


def test_pairs_are_matched_on_the_kind_of_cell() -> None:
    balance = [one.model_copy(update={"name": "cell type cells"}) for one in calibrated().balance]
    seen = calibrated_page("X1", swapped="GENE2", balance=balance)
    assert "Matched on cell type, mean, spread, detection and biotype" in seen


def test_gene_effects_are_not_matched_on_detection() -> None:
    values = {
        "id": "x",
        "role": "primary",
        "analysis": "dependency",
        "datasets": ["a"],
        "feature": {"gene": "A"},
    }
    contrast = {"case": {"x": "1"}, "control": {"x": "2"}}
    test = Dependency.model_validate({**values, "contrast": contrast})
    assert _matched_on([], test) == ["mean", "spread", "biotype"]


def pair(*features: dict[str, Any]) -> Any:
    return the_test(pair_test(features=list(features)))


@pytest.mark.parametrize(
    ("genes", "features", "name"),
    [
        ("", [{"gene": "GENE1"}, {"gene": "GENE2"}], ""),
        ("GENE1", [{"gene": "GENE1"}, {"gene_set": "cells"}], "GENE1"),
        ("GENE7, GENE8", [{"gene": "GENE1"}, {"gene_set": "cells"}], "cells"),
        ("GENE7", [{"gene_set": ["GENE7", "GENE9"]}, {"gene_set": ["GENE8"]}], "GENE7 and GENE9"),
        # Members of sets by name are not known to the page.
        ("GENE7, GENE8", [{"gene_set": "cells"}, {"gene_set": "cells"}], "GENE7, GENE8"),
    ],
)
def test_a_swapped_end_has_the_name_of_its_feature(
    genes: str, features: list[dict[str, Any]], name: str
) -> None:
    assert swapped_end(genes, [pair(*features)]) == name


def test_parts_of_a_conjunction_are_swapped_together() -> None:
    parts = [pair({"gene": "GENE1"}, {"gene_set": ["GENE7"]}), pair({"gene": "GENE1"}, {"gene": "GENE9"})]
    assert swapped_end("GENE7", parts) == "GENE7 and GENE9"
    assert swapped_end("GENE1", parts) == "GENE1"
    many = ", ".join(f"GENE{i}" for i in range(40))
    both = pair({"gene_set": "cells"}, {"gene_set": "cells"})
    assert len(swapped_end(many, [both])) <= 40


def test_what_was_swapped_has_its_name() -> None:
    tests = {test.id: subject_noun(test) for _, test in outcome_study().tests()}
    assert tests | {"lived": "gene", "groups": "group", "together": "pair"} == tests


# The whole


def test_a_script_in_a_statement_is_shown_and_never_run() -> None:
    page = page_of()
    assert "<script" not in page
    assert SCRIPT in text_of(page)


def test_a_study_without_curves_has_a_page() -> None:
    results = replace(small_results(study=outcome_study(), rows=outcome_rows()), curves={})
    assert study_view(results, "public", 1).claims[0].survival == []
