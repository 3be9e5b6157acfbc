"""The lock of a store: what is written is read, damage is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reclaim.errors import UserError
from reclaim.retrieve.lock import DataLock, LockedFile, RegisteredClaim
from reclaim.retrieve.verification import verify

text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=2000)
files = st.dictionaries(
    text, st.builds(LockedFile, sha256=st.none() | text, bytes=st.integers(0), etag=st.none() | text)
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=files)
def test_what_is_recorded_is_read(tmp_path: Path, files: dict[str, LockedFile]) -> None:
    lock = DataLock(tmp_path / "store")
    lock.change(lambda old: old.model_copy(update={"files": files}))
    assert DataLock(tmp_path / "store").read().files == files


def test_a_lock_reads_as_a_person_would_write_it(tmp_path: Path) -> None:
    (tmp_path / "data.lock.yaml").write_text(
        "files:\n- url: https://example.org/a\n  sha256: abc\n  bytes: 3\n"
        "claims:\n  a_study:\n    C1: {sha256: def, registered_at: '2026-01-02T03:04:05Z'}\n"
    )
    content = DataLock(tmp_path).read()
    assert content.files["https://example.org/a"] == LockedFile(sha256="abc", bytes=3)
    assert content.claims["a_study"]["C1"].registered_at == "2026-01-02T03:04:05Z"


def test_one_line_per_file_and_per_claim(tmp_path: Path) -> None:
    """So that a version control system shows which file changed."""
    lock = DataLock(tmp_path)
    for name in "ba":
        lock.record(f"https://example.org/{name}", LockedFile(sha256=name, bytes=1, etag='"x"'))
    claim = RegisteredClaim(sha256="d", registered_at="2026-01-02T03:04:05Z")
    lock.change(lambda old: old.model_copy(update={"claims": {"a_study": {"C-1": claim}}}))
    lines = lock.path.read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "version: 1",
        "files:",
        '  - {url: "https://example.org/a", sha256: "a", bytes: 1, etag: "\\"x\\""}',
        '  - {url: "https://example.org/b", sha256: "b", bytes: 1, etag: "\\"x\\""}',
        "claims:",
        "  a_study:",
        '    C-1: {sha256: "d", registered_at: "2026-01-02T03:04:05Z"}',
    ]


def test_a_change_by_another_process_is_seen(tmp_path: Path) -> None:
    mine, theirs = DataLock(tmp_path), DataLock(tmp_path)
    assert mine.file("https://example.org/a") is None
    theirs.record("https://example.org/a", LockedFile(sha256="a"))
    mine.record("https://example.org/b", LockedFile(sha256="b"))
    assert set(theirs.read().files) == {"https://example.org/a", "https://example.org/b"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("<<<<<<< ours\nfiles: []\n", ":2: the lock is damaged"),
        ("files:\n  - {url: a, sha256: x\n", ":3: the lock is damaged"),
        ("files:\n  - {url: a}\n  - {url: a}\n", "a stands twice; keep one of the two"),
        ("files:\n  - {sha256: a}\n", "entry 1 has no url"),
        ("version: 2\n", "version"),
        ("fils: []\n", "unknown key 'fils'"),
        ("just a word\n", "found 'just a word'"),
    ],
)
def test_damage_is_told(tmp_path: Path, damage: str, message: str) -> None:
    (tmp_path / "data.lock.yaml").write_text(damage)
    with pytest.raises(UserError) as caught:
        DataLock(tmp_path).read()
    assert caught.value.messages[0].startswith(str(tmp_path / "data.lock.yaml"))
    assert message in caught.value.messages[0]


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "data.lock.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        DataLock(tmp_path).read()


# Verification

# printf 'abc' | sha256sum
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def lock(tmp_path: Path) -> DataLock:
    """A store with one locked file that is there, and one that is not."""
    (tmp_path / "example.org").mkdir()
    (tmp_path / "example.org" / "a").write_bytes(b"abc")
    lock = DataLock(tmp_path)
    lock.record("https://example.org/a", LockedFile(sha256=ABC, bytes=3))
    lock.record("https://example.org/b", LockedFile(sha256="def", bytes=3))
    lock.record("https://example.org/c", LockedFile(absent="404 Not Found"))
    return lock


def test_an_intact_store(lock: DataLock) -> None:
    assert verify(lock) == [
        f"{lock.store}: 1 file holds the locked bytes, 1 is locked and not here",
    ]


def test_a_file_that_no_lock_names_is_listed(lock: DataLock) -> None:
    (lock.store / "example.org" / "z").write_bytes(b"")
    assert verify(lock)[1:] == [f"{lock.store / 'example.org' / 'z'}: not in the lock"]


@pytest.mark.parametrize("content", [b"abd", b"", b"<html>"])
def test_a_damaged_file_is_told(lock: DataLock, content: bytes) -> None:
    (lock.store / "example.org" / "a").write_bytes(content)
    with pytest.raises(UserError) as caught:
        verify(lock)
    (message,) = caught.value.messages
    assert message.startswith(
        f"{lock.store / 'example.org' / 'a'}: not the locked bytes (sha256 {ABC[:12]}..."
    )
    assert "from https://example.org/a" in message


def test_a_store_without_a_lock(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no lock"):
        verify(DataLock(tmp_path))
