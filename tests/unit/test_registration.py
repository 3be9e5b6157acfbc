"""Claims are registered before their data come; what decides them may not change afterwards."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from reclaim.retrieve.lock import LockContent
from reclaim.retrieve.registration import fingerprint, register, registrations
from reclaim.study import Study

FIRST, LATER = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


def two_claims(**changes: Any) -> Study:
    """C1 is decided by a share on data sets a and b, and gated by a test of C2."""
    gate = builders.share_test(
        "gate", "gate", datasets=["b"], feature={"gene": "GENE3"}, passes={"at_least": 0.4}
    )
    first = builders.claim(
        builders.share_test(), decision={"rule": "bound", "bound": "rare"}, gated_by=["gate"], **changes
    )
    second = builders.claim(
        builders.share_test("other", datasets=["b"]), gate,
        claim_id="C2", decision={"rule": "bound", "bound": "rare"},
    )  # fmt: skip
    return builders.study(first, second)


def changed(path: list[str | int], value: Any) -> Study:
    """The study with one value of its file replaced."""
    plain = two_claims().model_dump(mode="json", by_alias=True, exclude_none=True)
    place: Any = plain
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return Study.model_validate(plain)


def digest(study: Study, claim: str = "C1") -> str:
    return fingerprint(study, next(one for one in study.claims if one.id == claim))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["claims", 0, "where"], "elsewhere"),
        (["claims", 0, "gap"], "mouse -> human"),
        (["claims", 0, "note"], "a remark"),
        (["claims", 0, "central"], True),
        (["claims", 0, "values_known"], "the share was known"),
        (["datasets", "a", "title"], "A better title"),
        (["datasets", "a", "citation"], "Somebody 2020"),
        (["title"], "Another title"),
        (["claims", 0, "tests", 0, "call_depth_gate"], True),  # the default, spelt out
        (["claims", 1, "statement"], "Another claim."),
    ],
)
def test_explanations_decide_nothing(path: list[str | int], value: Any) -> None:
    assert digest(changed(path, value)) == digest(two_claims())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["claims", 0, "statement"], "GENE1 is down."),
        (["claims", 0, "decision", "bound"], "nearly_all"),
        (["claims", 0, "decision", "margin"], 0.1),
        (["claims", 0, "tests", 0, "feature", "gene"], "GENE2"),
        (["claims", 0, "tests", 0, "datasets"], ["a"]),
        (["claims", 0, "gated_by"], []),
        (["claims", 1, "tests", 1, "passes", "at_least"], 0.1),  # of the gate that the claim borrows
        (["datasets", "b", "min_other_mutations"], 20),
        (["datasets", "a", "samples"], {"TYPE": "Primary"}),
        (["datasets", "a", "independent"], False),
    ],
)
def test_everything_that_decides_counts(path: list[str | int], value: Any) -> None:
    assert digest(changed(path, value)) != digest(two_claims())


def test_a_data_set_of_other_claims_does_not_count() -> None:
    study = changed(["datasets", "a", "min_other_mutations"], 20)
    assert digest(study, "C2") == digest(two_claims(), "C2")


def test_gene_sets_count_for_the_claims_that_name_them() -> None:
    def study(genes: list[str]) -> Study:
        named = builders.expression_test(feature={"gene_set": "panel"})
        other = builders.expression_test("other")
        made = builders.study(builders.claim(named), builders.claim(other, claim_id="C2"))
        return made.model_copy(update={"gene_sets": {"panel": genes}})

    assert digest(study(["G1"])) != digest(study(["G2"]))
    assert digest(study(["G1"]), "C2") == digest(study(["G2"]), "C2")


def after(first: Study, later: Study, *, unseen: bool = False) -> dict[str, tuple[str | None, str]]:
    """Registered as `first`, run again as `later`: (date, post hoc) by claim."""
    content = register(LockContent(), [first], [first.id], FIRST)
    content = register(content, [later], [later.id] if unseen else [], LATER)
    return {
        claim: (found.registered_at, found.post_hoc)
        for claim, found in registrations(content, [later])[later.id].items()
    }


def test_an_unchanged_claim_keeps_its_date() -> None:
    assert after(two_claims(), two_claims()) == {"C1": (FIRST, ""), "C2": (FIRST, "")}


def test_an_edited_claim_is_post_hoc_and_stays_so() -> None:
    found = after(two_claims(), changed(["claims", 0, "decision", "bound"], "nearly_all"))
    assert found["C1"] == (FIRST, f"edited after data for the study had been retrieved ({FIRST})")
    assert found["C2"] == (FIRST, "")


def test_an_edit_that_is_taken_back_is_no_edit() -> None:
    content = register(LockContent(), [two_claims()], ["a_study"], FIRST)
    content = register(content, [changed(["claims", 0, "decision", "bound"], "nearly_all")], [], LATER)
    assert registrations(content, [two_claims()])["a_study"]["C1"].post_hoc == ""


def test_an_edit_before_any_data_came_is_no_edit() -> None:
    found = after(two_claims(), changed(["claims", 0, "decision", "bound"], "nearly_all"), unseen=True)
    assert found["C1"] == (LATER, "")


def test_a_claim_that_is_added_later_is_post_hoc() -> None:
    one = builders.study(builders.claim(builders.share_test(), decision={"rule": "bound", "bound": "rare"}))
    assert after(one, two_claims())["C2"] == (
        None,
        f"added after data for the study had been retrieved ({FIRST})",
    )


def test_a_study_that_the_lock_does_not_know_is_not_registered() -> None:
    found = registrations(LockContent(), [two_claims()])["a_study"]["C1"]
    assert (found.registered_at, found.post_hoc) == (None, "")
