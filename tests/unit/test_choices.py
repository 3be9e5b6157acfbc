"""The lock remembers which experiments were chosen, and a run says when the choice is another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reclaim.errors import UserError
from reclaim.experiments import Choice, Choices, Chosen
from reclaim.retrieve.choices import record_choices, told_changes
from reclaim.retrieve.lock import DataLock, LockContent, LockedChoice, LockedFile

FIRST, LATER = "2026-01-02T03:04:05Z", "2026-02-03T04:05:06Z"


def choices(**experiments: list[str]) -> Choices:
    """Data set -> its experiments."""
    return Choices(
        datasets={
            name: Choice(
                chosen=[
                    Chosen(experiment=one, antigen="FOS", cell="MM.1S", title="", peaks=1, system="same")
                    for one in those
                ],
                excluded=[],
            )
            for name, those in experiments.items()
        }
    )


@pytest.fixture
def known() -> LockContent:
    return record_choices(LockContent(), "a_study", choices(one=["SRX1", "SRX2"], two=["SRX3"]), FIRST)


def test_a_first_choice_is_recorded_and_no_change(known: LockContent) -> None:
    assert known.experiments == {
        "a_study": {
            "one": LockedChoice(experiments=["SRX1", "SRX2"], chosen_at=FIRST),
            "two": LockedChoice(experiments=["SRX3"], chosen_at=FIRST),
        }
    }
    assert list(told_changes(LockContent(), "a_study", choices(one=["SRX1"]))) == []
    assert list(told_changes(known, "another", choices(one=["SRX9"]))) == []


def test_an_unchanged_choice_keeps_its_date(known: LockContent) -> None:
    same = choices(one=["SRX1", "SRX2"], two=["SRX3"])
    assert list(told_changes(known, "a_study", same)) == []
    assert record_choices(known, "a_study", same, LATER) == known
    later = record_choices(known, "a_study", choices(one=["SRX1", "SRX2"], two=["SRX4"]), LATER)
    assert {name: one.chosen_at for name, one in later.experiments["a_study"].items()} == {
        "one": FIRST,
        "two": LATER,
    }


def test_what_went_and_what_came_is_told(known: LockContent) -> None:
    (line,) = told_changes(known, "a_study", choices(one=["SRX2", "SRX8", "SRX9"], two=["SRX3"]))
    assert line.startswith("a_study: one: other experiments than those chosen on " + FIRST)
    assert "SRX1 left out, SRX8, SRX9 added" in line
    assert "SRX2" not in line
    assert "two" not in line


def test_only_gone_or_only_new_is_told_as_none(known: LockContent) -> None:
    gone, new = told_changes(known, "a_study", choices(one=["SRX1"], two=["SRX3", "SRX4"]))
    assert "SRX2 left out, none added" in gone
    assert "none left out, SRX4 added" in new


def test_other_parts_of_the_lock_stay(known: LockContent) -> None:
    files = {"https://example.org/a": LockedFile(sha256="a", bytes=1)}
    old = known.model_copy(update={"files": files})
    new = record_choices(old, "another", choices(one=["SRX7"]), LATER)
    assert new.files == files
    assert new.experiments["a_study"] == known.experiments["a_study"]
    assert new.experiments["another"]["one"].experiments == ["SRX7"]


def test_a_data_set_that_is_no_longer_in_the_study_is_forgotten(known: LockContent) -> None:
    assert list(record_choices(known, "a_study", choices(two=["SRX3"]), LATER).experiments["a_study"]) == [
        "two"
    ]
    assert record_choices(known, "a_study", choices(), LATER).experiments == {}


# In the file


def test_one_line_per_data_set(tmp_path: Path, known: LockContent) -> None:
    lock = DataLock(tmp_path)
    lock.change(lambda old: record_choices(old, "b_study", choices(one=[]), FIRST))
    lock.change(
        lambda old: record_choices(old, "a_study", choices(one=["SRX1", "SRX2"], two=["SRX3"]), FIRST)
    )
    assert [line for line in lock.path.read_text().splitlines() if not line.startswith("#")] == [
        "version: 1",
        "files: {}",
        "claims: {}",
        "experiments:",
        "  a_study:",
        f'    one: {{experiments: ["SRX1", "SRX2"], chosen_at: "{FIRST}"}}',
        f'    two: {{experiments: ["SRX3"], chosen_at: "{FIRST}"}}',
        "  b_study:",
        f'    one: {{experiments: [], chosen_at: "{FIRST}"}}',
    ]
    assert DataLock(tmp_path).read().experiments["a_study"] == known.experiments["a_study"]


# What a study file may call a study or a data set, words and numbers of YAML among them.
identifier = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True) | st.sampled_from(["null", "no", "on", "007"])
accessions = st.lists(st.integers(1, 10**8).map(lambda number: f"SRX{number}"), max_size=3)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    experiments=st.dictionaries(
        identifier,
        st.dictionaries(
            identifier,
            st.builds(LockedChoice, experiments=accessions, chosen_at=st.just(FIRST)),
            min_size=1,
            max_size=3,
        ),
        max_size=3,
    )
)
def test_what_is_recorded_is_read(tmp_path: Path, experiments: dict[str, dict[str, LockedChoice]]) -> None:
    DataLock(tmp_path).change(lambda old: old.model_copy(update={"experiments": experiments}))
    assert DataLock(tmp_path).read().experiments == experiments


def test_a_lock_of_before_there_were_choices_is_read(tmp_path: Path) -> None:
    (tmp_path / "data.lock.yaml").write_text(
        'version: 1\nfiles:\n  - {url: "https://example.org/a", sha256: "abc", bytes: 3}\nclaims: {}\n'
    )
    lock = DataLock(tmp_path)
    assert lock.read().experiments == {}
    lock.change(lambda old: record_choices(old, "a_study", choices(one=["SRX1"]), FIRST))
    assert lock.file("https://example.org/a") == LockedFile(sha256="abc", bytes=3)
    assert DataLock(tmp_path).read().experiments["a_study"]["one"].experiments == ["SRX1"]


def test_a_lock_without_choices_is_as_it_was(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    lock.record("https://example.org/a", LockedFile(sha256="a"))
    assert "experiments" not in lock.path.read_text()


def test_a_damaged_choice_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.lock.yaml").write_text("experiments:\n  a_study:\n    one: {chosen_at: x}\n")
    with pytest.raises(UserError, match="the lock is damaged: experiments a_study one experiments"):
        DataLock(tmp_path).read()
