"""The tests of a job on its cohorts: evidence rows, full results, and what cannot be run."""

import json

import pytest
from builders import background, cohort, dataset, share_test

from reclaim.analyses.mutation_frequency import every_feature, genes_of, mutation_frequency
from reclaim.analyses.on_mutations import LoadedCohort, run_tests
from reclaim.ledger import Ledger
from reclaim.mutations import Cohort

PRESENT = LoadedCohort(
    cohort(
        4,
        [("S0", "GENE1"), *background("S0", 3), *background("S1", 3), *background("S2", 1)],
        clinical={"SEX": ["F", "M", "F", "M"]},
    ),
    Ledger(status="present"),
)
ABSENT = LoadedCohort(Cohort.empty(), Ledger(status="absent", reason="the archive holds no mutations"))


def run(loaded, run_name="public", datasets=None, **keys):
    slice_ = {
        "study": "a_study",
        "file": "study.yaml",
        "datasets": {"a": dataset(), "b": dataset()} | (datasets or {}),
        "tests": [{"claim": "C1", "rule": "bound", "expected": "rare", "test": share_test(**keys)}],
    }
    return run_tests(slice_, run_name, loaded, mutation_frequency, every_feature, genes_of)


def test_one_row_and_one_table_per_data_set():
    rows, tables = run({"a": PRESENT, "b": PRESENT}, specification="as it is")
    assert [(row.dataset, row.n_events, row.n) for row in rows] == [("a", 1, 4), ("b", 1, 4)]
    first = rows[0]
    assert (first.study, first.claim, first.test, first.role, first.rule) == (
        "a_study",
        "C1",
        "share",
        "primary",
        "bound",
    )
    assert (first.tier, first.independent, first.specification, first.expected) == (
        "matched",
        True,
        "as it is",
        "rare",
    )
    assert first.outcome is None  # filled in by the assessment
    assert json.loads(first.groups)["assayed"] == 4
    assert set(tables) == {"share/a", "share/b"}
    assert "GENE1 mutation" in set(tables["share/a"]["feature"])


def test_each_data_set_has_its_own_call_depth():
    rows, _ = run({"a": PRESENT, "b": PRESENT}, datasets={"b": dataset(min_other_mutations=2)})
    assert [row.n for row in rows] == [4, 2]


def test_a_row_says_what_is_not_the_tests_own():
    similar = dataset(independent=False, tier=dataset()["tier"] | {"disease": "similar"})
    rows, _ = run({"a": PRESENT, "b": PRESENT}, datasets={"b": similar})
    assert [(row.tier, row.independent) for row in rows] == [("matched", True), ("substitute", False)]


@pytest.mark.parametrize(("run_name", "data"), [("public", "public"), ("as_claimed", "simulated")])
def test_a_row_says_what_kind_of_data_it_rests_on(run_name, data):
    rows, _ = run({"a": PRESENT, "b": PRESENT}, run_name)
    assert {row.data for row in rows} == {data}


def test_an_absent_data_set_is_invalid_and_the_others_go_on():
    rows, tables = run({"a": ABSENT, "b": PRESENT})
    assert [(row.outcome, row.flags, row.n) for row in rows] == [("invalid", "absent", None), (None, "", 4)]
    assert rows[0].note == "the archive holds no mutations"
    assert len(tables["share/a"]) == 0


def test_a_filter_on_a_column_that_a_data_set_lacks_is_invalid_there():
    without = LoadedCohort(cohort(4, [("S0", "GENE1")]), Ledger(status="present"))
    rows, tables = run({"a": without, "b": PRESENT}, samples={"SEX": "F"})
    assert [(row.outcome, row.flags) for row in rows] == [("invalid", "absent"), (None, "")]
    assert "no column 'SEX'" in rows[0].note
    assert (rows[1].n_events, rows[1].n) == (1, 2)
    assert len(tables["share/a"]) == 0
