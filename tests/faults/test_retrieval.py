"""A web that misbehaves: the right bytes or a clear error, nothing partial in the store, the next run finishes."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from faults_of_the_web import (
    Drip,
    Latency,
    NoLength,
    NoRange,
    NoValidators,
    RedirectLoop,
    RedirectTo,
    Refuse,
    Replace,
    Reset,
    Status,
    WrongLength,
    git_lfs_pointer,
    html_page,
)
from public_internet import PublicInternet, place
from running import ROOT

from reclaim.errors import UserError
from reclaim.retrieve import fetch
from reclaim.retrieve.announcement import Announcement, Budget, announce
from reclaim.retrieve.fetch import Fetcher
from reclaim.retrieve.lock import DataLock
from reclaim.retrieve.receipt import Receipt, Request
from reclaim.retrieve.retrieval import Access, make_receipt

URL = "https://datahub.assets.cbioportal.org/study.tar.gz"
CONTENT = gzip.compress(os.urandom(300_000), mtime=0)
OTHER = gzip.compress(os.urandom(300_000), mtime=0)
SEEN_PAUSE = 0.8 * fetch.PAUSE_SECONDS
"""Between two arrivals at the server, whose threads may note the first one late."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def public(store: Path, *, retries: int = 1, timeout: float = 2, mirrors: tuple[str, ...] = (),
           accept: tuple[str, ...] = (), budget: Budget | None = None) -> Access:  # fmt: skip
    """Access as `data.source: public` gives it."""
    fetcher = Fetcher(store, mirrors, retries, timeout)
    return Access(store, DataLock(store), fetcher, accept, budget or Budget())


def retrieve(access: Access, *urls: str) -> Receipt:
    return make_receipt("data", [Request(f"file{i}", url) for i, url in enumerate(urls or (URL,))], access)


def holds(store: Path, content: bytes = CONTENT, url: str = URL) -> bool:
    """The store has the file, whole and locked, and nothing unfinished."""
    unfinished = list((store / ".reclaim" / "unfinished").glob("*"))
    locked = DataLock(store).file(url)
    assert all(path.suffix == ".json" for path in unfinished), unfinished
    assert locked is not None
    return (store / place(url)).read_bytes() == content and locked.sha256 == sha256(content)


def is_empty(store: Path) -> bool:
    """No data file, whole or partial, lies where a reader would look."""
    return not [path for path in store.rglob("*") if path.is_file() and ".reclaim" not in path.parts
                and path.name != "data.lock.yaml"]  # fmt: skip


def failure(access: Access, *urls: str) -> str:
    """The one line a user sees; the store stays as it was."""
    with pytest.raises(UserError) as caught:
        retrieve(access, *urls)
    (message,) = caught.value.messages
    assert "\n" not in message
    return message


def test_a_file_comes_whole_and_is_identified(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    (file,) = retrieve(public(store)).files
    assert (file.url, file.path) == (URL, "datahub.assets.cbioportal.org/study.tar.gz")
    assert (file.sha256, file.bytes) == (sha256(CONTENT), len(CONTENT))
    assert file.media_type == "application/gzip"
    assert file.last_modified
    assert file.retrieved_at
    age = datetime.now(UTC) - datetime.fromisoformat(file.retrieved_at)
    assert timedelta() <= age < timedelta(seconds=60)
    assert holds(store)


def test_what_is_in_the_store_is_not_asked_for_again(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    first = retrieve(public(store))
    asked = len(internet.requests)
    assert retrieve(public(store)) == first
    assert len(internet.requests) == asked


# Connections that fail


def test_connection_refused(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault("https://datahub.assets.cbioportal.org", Refuse(), times=2)
    message = failure(public(store))
    assert message.startswith(f"{URL}: could not be fetched: no connection (")
    assert "(tried 2 times). Run again to go on from here" in message
    assert is_empty(store)
    retrieve(public(store))
    assert holds(store)


def test_no_proxy_and_no_network(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert "Connection refused" in failure(public(store, retries=0))


def test_a_broken_connection_is_resumed(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Reset(after=100_000))
    retrieve(public(store))
    assert holds(store)
    first, second = internet.requests
    assert "range" not in first.headers
    had = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < had <= 100_000
    assert second.headers["if-range"].startswith('"')
    assert second.status == 206
    assert second.bytes_sent == len(CONTENT) - had


def test_what_one_run_had_is_where_the_next_one_goes_on(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Reset(after=100_000))
    assert "broke off" in failure(public(store, retries=0))
    assert is_empty(store)
    retrieve(public(store, retries=0))
    assert holds(store)
    assert internet.requests[-1].status == 206


def test_a_file_that_changes_between_two_attempts_is_never_a_mixture(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Reset(after=100_000))
    failure(public(store, retries=0))
    internet.put(URL, OTHER)
    retrieve(public(store, retries=0))
    assert holds(store, OTHER)
    assert (internet.requests[-1].status, internet.requests[-1].bytes_sent) == (200, len(OTHER))


def test_a_server_without_ranges_starts_anew(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Reset(after=100_000))
    internet.fault(URL, NoRange())
    retrieve(public(store))
    assert holds(store)
    assert "range" in internet.requests[-1].headers
    assert internet.requests[-1].status == 200


def test_without_a_validator_the_rest_is_asked_for_only_where_the_lock_can_judge_the_whole(
    internet: PublicInternet, store: Path, tmp_path: Path
) -> None:
    internet.put(URL, CONTENT)
    for _ in range(2):
        internet.fault(URL, NoValidators(), Reset(after=100_000))
        internet.fault(URL, NoValidators())
    retrieve(public(store))
    assert holds(store)
    assert "range" not in internet.requests[-1].headers

    another = tmp_path / "another"
    another.mkdir()
    (another / "data.lock.yaml").write_bytes((store / "data.lock.yaml").read_bytes())
    retrieve(public(another))
    assert holds(another)
    assert internet.requests[-1].headers["range"].startswith("bytes=")


def test_a_slow_drip_is_given_up_and_resumed(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Drip(bytes_per_second=200, chunk=20))
    start = time.monotonic()
    retrieve(public(store, timeout=1))
    assert holds(store)
    assert time.monotonic() - start < 10  # at 200 bytes a second it would have taken 25 minutes
    assert internet.requests[-1].status == 206


def test_a_silent_server_is_given_up(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Latency(30), times=math.inf)
    assert "timed out" in failure(public(store, timeout=0.5)).lower()


def test_a_length_that_is_too_large_is_found_out_by_asking_for_the_rest(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, WrongLength(extra=1000))
    retrieve(public(store))
    assert holds(store)
    assert internet.requests[-1].status == 416


def test_a_length_that_is_too_large_and_no_ranges(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, NoRange(), WrongLength(extra=1000), times=math.inf)
    message = failure(public(store))
    assert f"broke off after {len(CONTENT):,} bytes" in message
    assert is_empty(store)
    internet.heal()
    retrieve(public(store))
    assert holds(store)


def test_a_length_that_is_too_small(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, WrongLength(extra=-1000), times=math.inf)
    assert "truncated or corrupt" in failure(public(store))
    assert is_empty(store)
    internet.heal()
    retrieve(public(store))
    assert holds(store)


def test_no_length_at_all(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, NoLength())
    retrieve(public(store, retries=0))
    assert holds(store)


@pytest.mark.parametrize("close_delimited", [False, True])
def test_no_length_and_broken_off(internet: PublicInternet, store: Path, close_delimited: bool) -> None:
    """Where the end of the connection is the end of the file, only the content tells that it is not whole."""
    internet.put(URL, CONTENT)
    internet.fault(URL, NoLength(close_delimited=close_delimited, broken_after=100_000))
    failure(public(store, retries=0))
    assert is_empty(store)
    retrieve(public(store, retries=0))
    assert holds(store)


# Answers that are no data


@pytest.mark.parametrize("code", [404, 410])
def test_a_file_that_its_service_does_not_have_makes_the_data_set_absent(
    internet: PublicInternet, store: Path, code: int
) -> None:
    internet.fault(URL, Status(code), times=math.inf)
    receipt = retrieve(public(store))
    assert (receipt.status, receipt.files) == ("absent", [])
    assert receipt.reason.startswith(f"the service does not have {URL} ({code}")
    assert len(internet.requests) == 1  # a definite answer is not asked for again
    assert is_empty(store)


def test_absence_is_locked_like_bytes_are(internet: PublicInternet, store: Path) -> None:
    first = retrieve(public(store))
    assert first.status == "absent"
    internet.put(URL, CONTENT)
    again = retrieve(public(store))
    assert again.status == "absent"
    assert "accept_changes" in again.reason
    mirror = retrieve(Access(store, DataLock(store)))
    assert mirror == first
    assert retrieve(public(store, accept=(URL,))).status == "present"
    assert holds(store)


def test_403_with_a_page(internet: PublicInternet, store: Path) -> None:
    internet.fault(URL, Status(403, body=html_page("Access denied")), times=math.inf)
    message = failure(public(store))
    assert "could not be fetched: 403" in message
    assert "<!DOCTYPE html>" in message or "<html" in message
    assert len(internet.requests) == 1
    assert is_empty(store)
    internet.heal()
    internet.put(URL, CONTENT)
    retrieve(public(store))
    assert holds(store)


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_asks_for_time_is_given_it(internet: PublicInternet, store: Path, code: int) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Status(code, retry_after=3))
    retrieve(public(store))
    assert holds(store)
    first, second = internet.requests
    assert second.time - first.time >= 3


def test_a_date_to_come_back_is_understood(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    then = datetime.now(UTC) + timedelta(seconds=4)
    internet.fault(URL, Status(503, retry_after=then))
    retrieve(public(store))
    assert holds(store)
    assert datetime.now(UTC) >= then.replace(microsecond=0)


def test_a_server_that_asks_for_an_hour_is_left_alone(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Status(429, retry_after=3600), times=math.inf)
    message = failure(public(store, retries=3))
    assert "429" in message
    assert "asks to wait 3600 s" in message
    assert len(internet.requests) == 1


def test_a_server_that_stays_busy(internet: PublicInternet, store: Path) -> None:
    internet.fault(URL, Status(500), times=math.inf)
    assert "500" in failure(public(store, retries=2))
    first, second, third = internet.requests
    assert second.time - first.time >= 1
    assert third.time - second.time >= 2  # the pause doubles


def test_a_redirect_loop(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, RedirectLoop())
    assert "redirected more than 10 times" in failure(public(store))
    internet.heal()
    retrieve(public(store))
    assert holds(store)


def test_a_redirect_to_another_host_is_stored_under_the_url_asked_for(
    internet: PublicInternet, store: Path
) -> None:
    elsewhere = "https://bucket.s3.us-east-1.amazonaws.com/key?signature=abc"
    internet.put(elsewhere, CONTENT)
    internet.fault(URL, RedirectTo(elsewhere))
    (file,) = retrieve(public(store)).files
    assert file.url == URL
    assert holds(store)
    assert not (store / "bucket.s3.us-east-1.amazonaws.com").exists()


def test_a_truncated_gzip_file(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Replace(CONTENT[:150_000]), times=math.inf)
    message = failure(public(store))
    assert "truncated or corrupt (Compressed file ended before the end-of-stream marker" in message
    assert is_empty(store)
    internet.heal()
    retrieve(public(store))
    assert holds(store)


def test_an_html_page_instead_of_data(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Replace(html_page("Scheduled maintenance")))
    message = failure(public(store))
    assert "the server sent an HTML page ('<" in message
    assert is_empty(store)
    retrieve(public(store))
    assert holds(store)


def test_a_git_lfs_pointer_instead_of_data(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Replace(git_lfs_pointer(CONTENT)))
    message = failure(public(store))
    assert "the server sent a Git-LFS pointer ('version https://git-lfs.github.com/spec/v1')" in message
    assert is_empty(store)
    retrieve(public(store))
    assert holds(store)


def test_a_directory_listing_is_a_page(internet: PublicInternet, store: Path) -> None:
    url = "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE270nnn/GSE270890/suppl/"
    internet.put(url, html_page("Index of /geo/series/GSE270nnn/GSE270890/suppl"))
    (file,) = retrieve(public(store), url).files
    assert file.media_type == "text/html"
    assert (store / "ftp.ncbi.nlm.nih.gov/geo/series/GSE270nnn/GSE270890/suppl/@index").is_file()


# What the lock says


@pytest.fixture
def locked(internet: PublicInternet, store: Path) -> Path:
    """An empty store whose lock demands CONTENT, with OTHER of the same size at the URL."""
    internet.put(URL, CONTENT)
    retrieve(public(store))
    (store / place(URL)).unlink()
    internet.put(URL, OTHER)
    return store


def test_a_change_since_the_lock_is_loud(locked: Path) -> None:
    message = failure(public(locked))
    assert message.startswith(f"{URL}: changed since it was locked on 20")
    assert sha256(OTHER)[:12] in message
    assert sha256(CONTENT)[:12] in message
    assert f'accept_changes: ["{URL}"]' in message
    assert is_empty(locked)
    assert DataLock(locked).file(URL).sha256 == sha256(CONTENT)  # type: ignore[union-attr]


@pytest.mark.parametrize("accepted", [URL, "https://datahub.assets.cbioportal.org/"])
def test_a_change_is_accepted_by_its_address_or_the_beginning_of_it(
    locked: Path, accepted: str, caplog: pytest.LogCaptureFixture
) -> None:
    retrieve(public(locked, accept=(accepted,)))
    assert holds(locked, OTHER)
    assert "accepted a change" in caplog.text


def test_another_address_does_not_accept_a_change(locked: Path) -> None:
    failure(public(locked, accept=("https://datahub.assets.cbioportal.org", URL + ".bak")))


def test_a_change_of_size_is_noticed_before_it_is_downloaded(internet: PublicInternet, locked: Path) -> None:
    internet.put(URL, OTHER + b"\0" * 5_000_000)
    before = len(internet.requests)
    assert "bytes are there now" in failure(public(locked))
    assert internet.requests[before].bytes_sent < 5_000_000


def test_a_locked_file_that_is_gone_is_an_error_and_not_an_absence(
    internet: PublicInternet, locked: Path
) -> None:
    internet.fault(URL, Status(404), times=math.inf)
    message = failure(public(locked))
    assert f"{URL}: gone (404" in message
    assert sha256(CONTENT)[:12] in message


def test_bytes_of_the_lock_come_back_with_their_dates(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    first = retrieve(public(store))
    (store / place(URL)).unlink()
    internet.put(URL, CONTENT)  # the same bytes, with a later Last-Modified
    assert retrieve(public(store)) == first


@pytest.mark.parametrize("with_network", [True, False])
def test_a_file_that_changed_in_the_store(internet: PublicInternet, store: Path, with_network: bool) -> None:
    internet.put(URL, CONTENT)
    retrieve(public(store))
    path = store / place(URL)
    path.write_bytes(CONTENT[:-1] + b"x")
    access = public(store) if with_network else Access(store, DataLock(store))
    message = failure(access)
    assert message.startswith(f"{path}: not the bytes of the lock")
    path.unlink()
    if with_network:
        retrieve(access)
        assert holds(store)


def test_a_file_that_a_user_put_into_the_store_is_locked_as_it_is(
    internet: PublicInternet, store: Path
) -> None:
    (store / place(URL)).parent.mkdir(parents=True)
    (store / place(URL)).write_bytes(CONTENT)
    (file,) = retrieve(public(store)).files
    assert file.retrieved_at is None
    assert holds(store)
    assert internet.requests == []


def test_half_a_file_that_a_user_put_into_the_store_is_not_locked(
    internet: PublicInternet, store: Path
) -> None:
    (store / place(URL)).parent.mkdir(parents=True)
    (store / place(URL)).write_bytes(CONTENT[:1000])
    assert "truncated or corrupt" in failure(public(store))
    assert DataLock(store).file(URL) is None


def test_a_mirror_is_never_written_to(store: Path) -> None:
    (store / place(URL)).parent.mkdir(parents=True)
    (store / place(URL)).write_bytes(CONTENT)
    retrieve(Access(store, DataLock(store)))
    assert [path.name for path in store.rglob("*") if path.is_file()] == ["study.tar.gz"]


# Files that a service may lack, and files that it may have packed

PEAKS = "https://chip-atlas.dbcls.jp/data/hg38/eachData/bed05/SRX1.05.bed"
PACKED = f"{PEAKS}.gz"
BED = b"chr1\t10\t20\tSRX1.05_peak_1\t92\n"
PACKED_BED = gzip.compress(BED, mtime=0)


def retrieve_peaks(access: Access, *, optional: bool = True) -> Receipt:
    """A data set of one file that is always there, and one that may be missing or packed."""
    peaks = Request("SRX1", PEAKS, alternatives=(PACKED,), optional=optional)
    return make_receipt("data", [Request("list", URL), peaks], access)


def asked(internet: PublicInternet) -> list[tuple[str, int | None]]:
    return [(request.url, request.status) for request in internet.requests if request.url != URL]


@pytest.mark.parametrize("optional", [True, False])
def test_a_packed_file_stands_for_the_plain_one(
    internet: PublicInternet, store: Path, optional: bool
) -> None:
    internet.put(URL, CONTENT)
    internet.put(PACKED, PACKED_BED)
    receipt = retrieve_peaks(public(store), optional=optional)
    assert (receipt.status, receipt.missing) == ("present", [])
    assert [(file.name, file.url) for file in receipt.files] == [("list", URL), ("SRX1", PACKED)]
    assert receipt.open(store)["SRX1"] == store / place(PACKED)
    assert asked(internet) == [(PEAKS, 404), (PACKED, 200)]
    assert holds(store, PACKED_BED, PACKED)
    absent = DataLock(store).file(PEAKS)
    assert absent is not None
    assert str(absent.absent).startswith("404")

    before = len(internet.requests)
    assert retrieve_peaks(public(store), optional=optional) == receipt
    assert retrieve_peaks(Access(store, DataLock(store)), optional=optional) == receipt  # a mirror
    assert len(internet.requests) == before


def test_the_plain_file_is_taken_first(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.put(PEAKS, BED)
    internet.put(PACKED, PACKED_BED)
    assert retrieve_peaks(public(store)).files[1].url == PEAKS
    assert asked(internet) == [(PEAKS, 200)]


def test_an_optional_file_that_is_nowhere_is_missing_and_the_data_set_is_there(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    receipt = retrieve_peaks(public(store))
    assert (receipt.status, receipt.reason) == ("present", "")
    assert [file.name for file in receipt.files] == ["list"]
    (missing,) = receipt.missing
    assert (missing.name, missing.url) == ("SRX1", PEAKS)
    assert missing.reason.startswith("404")
    for url in (PEAKS, PACKED):
        locked = DataLock(store).file(url)
        assert locked is not None
        assert str(locked.absent).startswith("404")

    before = len(internet.requests)
    again = retrieve_peaks(public(store))
    mirror = retrieve_peaks(Access(store, DataLock(store)))
    assert len(internet.requests) == before
    for later in (again, mirror):
        assert later.status == "present"
        assert [(one.name, one.url) for one in later.missing] == [("SRX1", PEAKS)]


def test_a_run_and_its_mirror_write_the_same_receipt_of_a_missing_file(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    first = retrieve_peaks(public(store))
    assert retrieve_peaks(Access(store, DataLock(store))) == first


def test_a_required_file_that_is_nowhere_makes_the_data_set_absent(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    receipt = retrieve_peaks(public(store), optional=False)
    assert receipt.status == "absent"
    assert receipt.reason.startswith(f"the service does not have {PEAKS} (404")
    assert receipt.missing == []


def test_a_file_that_came_to_the_service_is_asked_for_when_its_address_is_accepted(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    retrieve_peaks(public(store))
    internet.put(PEAKS, BED)
    assert retrieve_peaks(public(store)).missing
    accepted = retrieve_peaks(public(store, accept=(PEAKS,)))
    assert [file.url for file in accepted.files] == [URL, PEAKS]
    assert holds(store, BED, PEAKS)


@pytest.mark.parametrize("optional", [True, False])
def test_a_server_in_trouble_does_not_make_a_file_missing(
    internet: PublicInternet, store: Path, optional: bool
) -> None:
    internet.put(URL, CONTENT)
    internet.put(PACKED, PACKED_BED)
    internet.fault(PEAKS, Status(403), times=math.inf)
    with pytest.raises(UserError, match="403"):
        retrieve_peaks(public(store, retries=0), optional=optional)
    assert DataLock(store).file(PEAKS) is None


def test_a_locked_optional_file_that_is_gone_is_an_error(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.put(PEAKS, BED)
    retrieve_peaks(public(store))
    (store / place(PEAKS)).unlink()
    internet.fault(PEAKS, Status(404), times=math.inf)
    with pytest.raises(UserError, match=r"SRX1\.05\.bed: gone \(404"):
        retrieve_peaks(public(store))


def test_a_mirror_without_a_file_that_its_lock_names_says_so(internet: PublicInternet, store: Path) -> None:
    """An optional file is not silently taken for missing."""
    internet.put(URL, CONTENT)
    internet.put(PEAKS, BED)
    retrieve_peaks(public(store))
    (store / place(PEAKS)).unlink()
    with pytest.raises(UserError, match="missing in the store; copy it there from") as caught:
        retrieve_peaks(Access(store, DataLock(store)))
    assert PEAKS in str(caught.value)


def test_a_simulated_store_lacks_what_it_does_not_hold(store: Path) -> None:
    for url, content in ((URL, CONTENT), (PACKED, PACKED_BED)):
        (store / place(url)).parent.mkdir(parents=True, exist_ok=True)
        (store / place(url)).write_bytes(content)
    assert [file.url for file in retrieve_peaks(Access(store)).files] == [URL, PACKED]
    (store / place(PACKED)).unlink()
    receipt = retrieve_peaks(Access(store))
    assert (receipt.status, [one.name for one in receipt.missing]) == ("present", ["SRX1"])


# Addresses

AWKWARD = {
    "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.BRCA.sampleMap%2FHiSeqV2.gz": (
        "tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.BRCA.sampleMap/HiSeqV2.gz"
    ),
    "https://www.ncbi.nlm.nih.gov/geo/download/?type=rnaseq_counts&acc=GSE270890&format=file": None,
    "https://api.gdc.cancer.gov/files?filters=%7B%22op%22%3A%22and%22%2C%22content%22%3A%5B"
    + "%2C".join(f"%7B%22op%22%3A%22in%22%2C%22value%22%3A%22TCGA-{i:03d}%22%7D" for i in range(20))
    + "%5D%7D&size=2000": None,
    "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE31nnn/GSE31421/matrix/": (
        "ftp.ncbi.nlm.nih.gov/geo/series/GSE31nnn/GSE31421/matrix/@index"
    ),
    "http://duffel.rail.bio/recount3/human/data%20sources/a%2520b+c.gz": (
        "duffel.rail.bio/recount3/human/data sources/a%20b+c.gz"
    ),
}


@pytest.mark.parametrize("url", AWKWARD)
@pytest.mark.parametrize("from_mirror", [False, True])
def test_awkward_addresses(
    internet: PublicInternet, store: Path, tmp_path: Path, url: str, from_mirror: bool
) -> None:
    """Fetched from the service and from a store that is served over HTTP, and stored at the same place."""
    internet.put(url, CONTENT)
    mirrors = (internet.mirror,) if from_mirror else ()
    retrieve(public(store, mirrors=mirrors), url)
    assert holds(store, url=url)
    assert (store / (AWKWARD[url] or place(url))).is_file()
    assert {request.via for request in internet.requests} == {"mirror" if from_mirror else "origin"}
    assert retrieve(Access(store, DataLock(store)), url).files[0].url == url


# Mirrors


def test_mirrors_are_asked_in_order_and_then_the_service(internet: PublicInternet, store: Path) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, Status(404), via="mirror", times=math.inf)
    (file,) = retrieve(public(store, retries=0, mirrors=("http://127.0.0.1:9/closed", internet.mirror))).files
    assert holds(store)
    assert file.url == URL
    assert [request.via for request in internet.requests] == ["mirror", "origin"]


def test_a_mirror_that_holds_other_bytes_than_the_lock_is_passed_over(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    retrieve(public(store))
    (store / place(URL)).unlink()
    internet.fault(URL, Replace(OTHER), via="mirror", times=math.inf)
    retrieve(public(store, mirrors=(internet.mirror,)))
    assert holds(store)


def test_when_every_address_fails_each_is_named(internet: PublicInternet, store: Path) -> None:
    internet.fault(URL, Status(403, body=b"no"), times=math.inf)
    message = failure(public(store, retries=0, mirrors=("http://127.0.0.1:9", internet.mirror)))
    assert "http://127.0.0.1:9/datahub.assets.cbioportal.org/study.tar.gz: no connection" in message
    assert f"{internet.mirror}/datahub.assets.cbioportal.org/study.tar.gz: 403" in message
    assert f"; {URL}: 403" in message


# Limits


def test_a_run_that_would_download_too_much_stops_before_it_begins(
    internet: PublicInternet, store: Path
) -> None:
    other = "https://datahub.assets.cbioportal.org/other.tar.gz"
    internet.put(URL, CONTENT)
    internet.put(other, OTHER)
    fetcher = Fetcher(store)
    with pytest.raises(UserError, match=r"data\.max_gb: this run would download 60\dkB") as caught:
        announce([URL, other], store, fetcher, max_gb=0.0005)
    assert {line.split()[-1] for line in caught.value.messages[1:]} == {URL, other}
    assert sum(request.bytes_sent for request in internet.requests) < 1000
    assert announce([URL, other], store, fetcher, max_gb=0.001).known_bytes == len(CONTENT) + len(OTHER)


def test_a_server_that_does_not_say_how_much_is_held_to_the_limit_all_the_same(
    internet: PublicInternet, store: Path
) -> None:
    internet.put(URL, CONTENT)
    internet.fault(URL, NoRange(), NoLength(), times=math.inf)
    announced = announce([URL], store, Fetcher(store), max_gb=0.0001)
    assert announced.files == {URL: None}
    message = failure(public(store, budget=announced.budget([URL], 0.0001)))
    assert "are more than the 100kB that data.max_gb leaves" in message
    assert is_empty(store)
    retrieve(public(store, budget=announced.budget([URL], 0.001)))  # the remedy that the message names
    assert holds(store)


def test_all_files_of_a_job_share_its_budget_also_those_that_only_another_file_names(
    internet: PublicInternet, store: Path
) -> None:
    named = [f"https://api.gdc.cancer.gov/data/{number}" for number in range(3)]
    for url in named:
        internet.put(url, CONTENT)
    access = public(store, budget=Budget(2 * len(CONTENT) + 10))
    with pytest.raises(UserError, match=r"more than the 10 bytes that data\.max_gb leaves"):
        retrieve(access, *named)
    assert [(store / place(url)).exists() for url in named] == [True, True, False]


def test_jobs_share_what_announced_sizes_leave() -> None:
    announced = Announcement(files={"a": 400, "b": None, "c": None})
    budgets = [announced.budget(urls, 1e-6).left for urls in ("a", "bc")]
    assert budgets == [400 + 200, 200 + 200]  # 1,000 bytes in all
    assert Budget().left is None


def test_jobs_whose_files_are_yet_to_be_named_have_their_part() -> None:
    """Peaks of ChIP-Atlas: a list names them that comes first."""
    announced = Announcement(files={"list": 400, "table": None}, open_ended=1)
    budgets = [announced.budget(["list"], 1e-6).left, announced.budget(["table"], 1e-6, open_ended=True).left]
    assert budgets == [400 + 200, 200 + 200]


def test_jobs_stay_below_the_limit_also_when_the_store_holds_files_of_theirs(
    internet: PublicInternet, store: Path
) -> None:
    """Those that are there have a part each: they may be deleted, and come again without being announced."""
    urls = [f"https://chip-atlas.dbcls.jp/data/{name}" for name in ("list", "colo", "target", "new")]
    for url in urls:
        internet.put(url, CONTENT)
    retrieve(public(store), *urls[:3])
    limit = 10 * len(CONTENT)
    announced = announce(urls, store, Fetcher(store), max_gb=limit / 1e9, open_ended=2)
    assert announced.files == {urls[3]: len(CONTENT)}
    jobs = [
        announced.budget(urls[:1], limit / 1e9),
        announced.budget(urls[1:3], limit / 1e9, open_ended=True),
        announced.budget(urls[3:], limit / 1e9, open_ended=True),
    ]
    assert all(job.left for job in jobs)
    assert sum(job.left or 0 for job in jobs) <= limit


def test_a_host_that_is_silent_is_asked_for_a_size_once(internet: PublicInternet, store: Path) -> None:
    urls = [f"https://datahub.assets.cbioportal.org/{number}" for number in range(5)]
    internet.fault("https://datahub.assets.cbioportal.org", Refuse(), times=math.inf)
    assert set(announce(urls, store, Fetcher(store), max_gb=1).files.values()) == {None}
    assert internet.tunnels["datahub.assets.cbioportal.org"] == 1


def test_sizes_are_asked_for_with_the_same_pause(internet: PublicInternet, store: Path) -> None:
    urls = [f"https://datahub.assets.cbioportal.org/{number}" for number in range(3)]
    for url in urls:
        internet.put(url, CONTENT)
    announce(urls, store, Fetcher(store), max_gb=1)
    times = [request.time for request in internet.requests]
    assert min(later - before for before, later in itertools.pairwise(times)) >= SEEN_PAUSE


def test_one_connection_to_a_host_at_a_time_and_one_download_of_a_file(
    internet: PublicInternet, store: Path
) -> None:
    urls = [f"https://datahub.assets.cbioportal.org/{name}" for name in "ab"]
    for url in urls:
        internet.put(url, CONTENT)
        internet.fault(url, Drip(bytes_per_second=300_000))
    code = (
        "import sys; from pathlib import Path; from reclaim.retrieve.fetch import Fetcher\n"
        "from reclaim.retrieve.lock import DataLock; from reclaim.retrieve.receipt import Request\n"
        "from reclaim.retrieve.retrieval import Access, make_receipt\n"
        "store = Path(sys.argv[1]); access = Access(store, DataLock(store), Fetcher(store))\n"
        "print(make_receipt('data', [Request('file', sys.argv[2])], access).files[0].sha256)"
    )
    assert set(side_by_side(code, [(store, url) for url in urls * 3])) == {sha256(CONTENT)}
    assert len(internet.requests) == 2
    assert internet.peak_of["datahub.assets.cbioportal.org"] == 1
    first, second = sorted(request.time for request in internet.requests)
    assert second - first >= SEEN_PAUSE


def test_many_processes_write_one_lock(store: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from reclaim.retrieve.lock import DataLock, LockedFile\n"
        "lock = DataLock(Path(sys.argv[1]))\n"
        "for i in range(20): lock.record(f'https://example.org/{sys.argv[2]}/{i}', LockedFile(sha256='a'))"
    )
    side_by_side(code, [(store, number) for number in range(4)])
    assert len(DataLock(store).read().files) == 80


def side_by_side(code: str, arguments: list[tuple[object, ...]]) -> list[str]:
    """Run the code in one process per entry, all at once; returns what each printed."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, *map(str, entry)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")},
            stdout=subprocess.PIPE,
            text=True,
        )
        for entry in arguments
    ]
    printed = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return printed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small tmpfs cannot be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_full_disk(internet: PublicInternet, small_disk: Path, says_its_size: bool) -> None:
    internet.put(URL, CONTENT)
    if not says_its_size:
        internet.fault(URL, NoLength())
    message = failure(public(small_disk))
    if says_its_size:
        assert "needs 300kB" in message
        parts = (small_disk / ".reclaim" / "unfinished").glob("????????????????????????????????")
        assert not [part for part in parts if part.stat().st_size]  # noticed before the first byte
    else:
        assert f"{small_disk}: the disk is full" in message
    assert is_empty(small_disk)
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    retrieve(public(small_disk))
    assert holds(small_disk)
    if not says_its_size:
        assert internet.requests[-1].status == 206  # it went on from what had fitted
