"""The stand-in for public data services: what it serves, and that each fault is really on the wire."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from faults_of_the_web import (
    Drip,
    Fault,
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

URL = "https://datahub.assets.cbioportal.org/study.tar.gz"
CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicInternet]:
    with PublicInternet([tmp_path / "store", tmp_path / "second"]) as internet:
        for name, value in internet.environment.items():
            monkeypatch.setenv(name, value)
        internet.put(URL, CONTENT)
        yield internet


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(params=["origin", "mirror"])
def address(request: pytest.FixtureRequest, internet: PublicInternet) -> str:
    """The URL itself, and where the mirror has it."""
    return URL if request.param == "origin" else internet.mirror + URL.removeprefix("https:/")


def keep(folder: Path, location: str, content: bytes) -> None:
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    (folder / location).write_bytes(content)


def received(answer: requests.Response) -> tuple[bytes, type[BaseException] | None]:
    """What of the body arrived, and what ended it."""
    body = b""
    try:
        for piece in answer.iter_content(100):
            body += piece
    except requests.RequestException as error:
        return body, type(error)
    return body, None


# What it serves


def test_real_urls_are_served_from_stores_and_the_first_store_wins(internet, session, tmp_path):
    keep(tmp_path / "store", "media.githubusercontent.com/media/a b.txt", b"first")
    keep(tmp_path / "second", "media.githubusercontent.com/media/a b.txt", b"second")
    keep(tmp_path / "second", "example.org/only.txt", b"only here")
    answer = session.get("https://media.githubusercontent.com/media/a%20b.txt", timeout=5)
    assert (answer.content, answer.headers["Content-Type"]) == (b"first", "text/plain")
    assert session.get("http://example.org/only.txt", timeout=5).content == b"only here"
    assert [(record.url, record.via) for record in internet.requests] == [
        ("https://media.githubusercontent.com/media/a%20b.txt", "origin"),
        ("http://example.org/only.txt", "origin"),
    ]


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://Example.org/a%2Fb.gz", "example.org/a/b.gz"),
        ("http://example.org:8080//a/./b", "example.org:8080/a/./b"),
        ("https://example.org/f?x=1&y=%20", "example.org/f/@" + sha256(b"x=1&y=%20").hexdigest()),
        ("https://example.org/listing/", "example.org/listing/@index"),
        ("https://example.org", "example.org/@index"),
        ("https://example.org/100%25.txt", "example.org/100%.txt"),
    ],
)
def test_a_url_is_a_path(url, location):
    assert place(url) == location


def test_the_mirror_is_a_static_server_of_the_store(internet, session, tmp_path):
    query = "@" + sha256(b"q=1").hexdigest()
    keep(tmp_path / "store", f"example.org/100% a+b/{query}", b"answer")
    answer = session.get(f"{internet.mirror}/example.org/100%25%20a+b/{query}", timeout=5)
    assert answer.content == b"answer"
    assert session.get("https://example.org/100%25%20a+b?q=1", timeout=5).content == b"answer"
    assert session.get(f"{internet.mirror}/example.org/", timeout=5).status_code == 404
    assert [record.via for record in internet.requests] == ["mirror", "origin", "mirror"]
    assert internet.requests[2].url == "https://example.org/"


@pytest.mark.parametrize(
    "path", ["/../secret", "/example.org/%2e%2e/%2E%2E/secret", "/example.org/a%00", "/%ff"]
)
def test_nothing_outside_the_stores_is_served(internet, tmp_path, path):
    keep(tmp_path, "secret", b"secret")
    connection = http.client.HTTPConnection(urlsplit(internet.mirror).netloc, timeout=5)
    connection.request("GET", path)
    assert connection.getresponse().status == 400
    connection.close()


def test_what_is_nowhere_is_not_found(address, session):
    answer = session.get(address + ".absent", timeout=5)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert b"404 Not Found" in answer.content


def test_one_tunnel_carries_many_requests(internet, session):
    for _ in range(3):
        assert session.get(URL, timeout=5).content == CONTENT
    assert internet.tunnels == {"datahub.assets.cbioportal.org": 1}


def test_a_client_that_does_not_trust_the_ca_gets_nothing(internet, session):
    session.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        session.get(URL, proxies={"https": internet.mirror}, timeout=5)
    assert internet.requests == []


def test_a_subprocess_needs_the_environment_only(internet):
    program = f"import urllib.request; print(len(urllib.request.urlopen('{URL}').read()))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **internet.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "256000\n"


# What a static server does


def test_head_tells_what_get_would_send(address, session, internet):
    answer = session.head(address, timeout=5)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "256000"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "application/gzip"
    assert (internet.requests[0].method, internet.requests[0].bytes_sent) == ("HEAD", 0)


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=255990-", 206, "bytes 255990-255999/256000", CONTENT[-10:]),
        ("bytes=10-19", 206, "bytes 10-19/256000", CONTENT[10:20]),
        ("bytes=255999-999999", 206, "bytes 255999-255999/256000", CONTENT[-1:]),
        ("bytes=-5", 206, "bytes 255995-255999/256000", CONTENT[-5:]),
        ("bytes=256000-", 416, "bytes */256000", None),
        ("bytes=5-2", 200, None, CONTENT),
        ("bytes=0-1,5-6", 200, None, CONTENT),
        ("lines=1-2", 200, None, CONTENT),
    ],
)
def test_ranges(address, session, asked, status, content_range, body):
    answer = session.get(address, headers={"Range": asked}, timeout=5)
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, content_range)
    if body is not None:
        assert answer.content == body


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
def test_if_range_gives_the_rest_only_of_the_same_content(address, session, internet, validator):
    seen = session.head(address, timeout=5).headers[validator]
    asked = {"Range": "bytes=100-", "If-Range": seen}
    assert session.get(address, headers=asked, timeout=5).status_code == 206
    internet.put(URL, CONTENT[::-1])
    answer = session.get(address, headers=asked, timeout=5)
    assert (answer.status_code, answer.content) == (200, CONTENT[::-1])


def test_a_known_validator_gives_not_modified(address, session):
    seen = session.head(address, timeout=5).headers
    for condition, validator in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        assert session.get(address, headers={condition: seen[validator]}, timeout=5).status_code == 304
    assert session.get(address, headers={"If-None-Match": '"other"'}, timeout=5).status_code == 200


def test_headers_of_one_resource_can_be_chosen(internet, session):
    internet.put(URL, b"x", {"etag": '"mine"', "X-Amz-Version-Id": "7"})
    headers = session.get(URL, timeout=5).headers
    assert (headers["ETag"], headers["X-Amz-Version-Id"]) == ('"mine"', "7")


# Faults


def test_refuse_closes_without_an_answer(address, session, internet):
    internet.fault(URL, Refuse())
    with pytest.raises(requests.ConnectionError, match=r"RemoteDisconnected|EOF"):
        session.get(address, timeout=5)
    assert internet.requests[0].status is None
    assert session.get(address, timeout=5).content == CONTENT


@pytest.mark.parametrize(
    ("fault", "reason"), [(Refuse(), "RemoteDisconnected"), (Status(502), "502 Bad Gateway")]
)
def test_a_host_alone_stands_for_its_connect(session, internet, fault, reason):
    internet.fault("https://datahub.assets.cbioportal.org", fault)
    with pytest.raises(requests.ConnectionError, match=reason):  # ProxyError is one
        session.get(URL, timeout=5)
    assert session.get(URL, timeout=5).ok
    assert internet.tunnels["datahub.assets.cbioportal.org"] == 2


@pytest.mark.parametrize("after", [0, 1000, 200_000])
def test_reset_comes_after_so_many_bytes(address, session, internet, after):
    internet.fault(URL, Reset(after=after))
    with session.get(address, stream=True, timeout=5) as answer:
        assert answer.headers["Content-Length"] == "256000"
        body, error = received(answer)
    assert error in (requests.exceptions.ChunkedEncodingError, requests.ConnectionError)
    assert body == CONTENT[: len(body)]
    assert internet.requests[0].bytes_sent == after
    assert session.get(address, timeout=5).content == CONTENT


@pytest.mark.parametrize("tls", [False, True])
def test_reset_is_a_tcp_reset_and_loses_nothing_that_was_sent(internet, tls):
    internet.fault(URL, Reset(after=1000))
    proxy = urlsplit(internet.mirror)
    plain = socket.create_connection((proxy.hostname, proxy.port), timeout=5)
    if tls:
        plain.sendall(b"CONNECT datahub.assets.cbioportal.org:443 HTTP/1.1\r\n\r\n")
        assert plain.recv(1000).startswith(b"HTTP/1.1 200")
        context = ssl.create_default_context(cafile=internet.environment["SSL_CERT_FILE"])
        connection = context.wrap_socket(plain, server_hostname="datahub.assets.cbioportal.org")
        connection.sendall(b"GET /study.tar.gz HTTP/1.1\r\nHost: any\r\n\r\n")
    else:
        connection = plain
        connection.sendall(b"GET /datahub.assets.cbioportal.org/study.tar.gz HTTP/1.1\r\nHost: any\r\n\r\n")
    arrived = b""
    while len(arrived.partition(b"\r\n\r\n")[2]) < 1000:
        arrived += connection.recv(65_536)
    assert arrived.endswith(CONTENT[:1000])
    with connection, pytest.raises(ConnectionResetError):
        socket.socket.recv(connection, 1)  # below TLS, which makes a plain end of it


def test_drip_is_slow(address, session, internet):
    internet.put(URL, b"x" * 300)
    internet.fault(URL, Drip(bytes_per_second=500, chunk=100))
    start = time.monotonic()
    with session.get(address, stream=True, timeout=5) as answer:
        assert len(answer.raw.read(1)) == 1
        first = time.monotonic()
        assert len(answer.raw.read()) == 299
    assert time.monotonic() - start >= 0.6
    assert time.monotonic() - first > 0.1  # it came in pieces


def test_a_length_that_promises_more_than_comes(address, session, internet):
    internet.fault(URL, WrongLength(extra=7))
    with session.get(address, stream=True, timeout=5) as answer:
        assert answer.headers["Content-Length"] == "256007"
        body, error = received(answer)
    assert body == CONTENT
    assert error is requests.exceptions.ChunkedEncodingError


def test_a_length_that_promises_less_than_comes(address, session, internet):
    internet.fault(URL, WrongLength(extra=-6))
    answer = session.get(address, timeout=5)
    assert (answer.headers["Content-Length"], answer.content) == ("255994", CONTENT[:-6])
    assert internet.requests[0].bytes_sent == 256_000
    assert session.get(address, timeout=5).content == CONTENT


def test_statuses_come_in_order_and_then_the_file(address, session, internet):
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    internet.fault(URL, Status(429, retry_after=2))
    internet.fault(URL, Status(503, retry_after=when))
    internet.fault(URL, Status(500, body=b"oops"), times=2)
    internet.fault(URL, Status(403, headers={"Server": "CloudFront"}))
    answers = [session.get(address, timeout=5) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [429, 503, 500, 500, 403, 200]
    assert [answer.headers.get("Retry-After") for answer in answers[:3]] == [
        "2",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        None,
    ]
    assert answers[2].content == b"oops"
    assert b"<h1>403 Forbidden</h1>" in answers[4].content
    assert answers[4].headers["Server"] == "CloudFront"
    assert [record.status for record in internet.requests] == [429, 503, 500, 500, 403, 200]


def test_redirects(address, session, internet):
    internet.put("https://s3.example.org/key", b"from S3")
    internet.fault(URL, RedirectTo("https://s3.example.org/key", code=301))
    answer = session.get(address, timeout=5)
    assert (answer.url, answer.content) == ("https://s3.example.org/key", b"from S3")
    internet.fault(URL, RedirectLoop())
    with pytest.raises(requests.TooManyRedirects):
        session.get(address, timeout=5)
    internet.heal(URL)
    assert session.get(address, timeout=5).content == CONTENT


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (CONTENT[:-100], "application/gzip"),
        (html_page("Sign in"), "text/html; charset=utf-8"),
        (git_lfs_pointer(CONTENT), "application/gzip"),
    ],
)
def test_other_content_with_status_200(address, session, internet, other, kind):
    honest = session.head(address, timeout=5).headers
    internet.fault(URL, Replace(other))
    answer = session.get(address, headers={"Range": "bytes=5-", "If-Range": honest["ETag"]}, timeout=5)
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, other, kind)
    assert answer.headers["ETag"] != honest["ETag"]
    assert answer.headers["Last-Modified"] != honest["Last-Modified"]


def test_a_git_lfs_pointer_names_the_content():
    assert git_lfs_pointer(b"abc") == (  # sha256sum of "abc", from FIPS 180-2
        b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        b"size 3\n"
    )


def test_a_server_without_ranges(address, session, internet):
    internet.fault(URL, NoRange())
    answer = session.get(address, headers={"Range": "bytes=100-"}, timeout=5)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert "Accept-Ranges" not in answer.headers


def test_a_server_without_validators(address, session, internet):
    etag = session.head(address, timeout=5).headers["ETag"]
    internet.fault(URL, NoValidators(), times=2)
    answer = session.get(address, headers={"Range": "bytes=100-"}, timeout=5)
    assert answer.status_code == 206
    assert not {"ETag", "Last-Modified"} & set(answer.headers)
    asked = {"Range": "bytes=100-", "If-Range": etag}
    assert session.get(address, headers=asked, timeout=5).status_code == 200


@pytest.mark.parametrize("fault", [NoLength(), NoLength(close_delimited=True)])
def test_bodies_without_a_length(address, session, internet, fault):
    internet.fault(URL, fault)
    answer = session.get(address, timeout=5)
    assert "Content-Length" not in answer.headers
    assert ("Transfer-Encoding" in answer.headers) is not fault.close_delimited
    assert (answer.headers.get("Connection") == "close") is fault.close_delimited
    assert answer.content == CONTENT


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (NoLength(broken_after=1000), requests.exceptions.ChunkedEncodingError),
        (NoLength(broken_after=256_000), requests.exceptions.ChunkedEncodingError),
        (NoLength(close_delimited=True, broken_after=1000), None),  # nobody can tell
    ],
)
def test_bodies_without_a_length_that_break_off(address, session, internet, fault, error):
    internet.fault(URL, fault)
    with session.get(address, stream=True, timeout=5) as answer:
        body, ended = received(answer)
    assert ended is error
    assert body == CONTENT[: fault.broken_after]


def test_latency_delays_the_answer(address, session, internet):
    internet.fault(URL, Latency(0.3), times=2)
    start = time.monotonic()
    assert session.get(address, timeout=5).content == CONTENT
    assert time.monotonic() - start >= 0.3
    with pytest.raises(requests.exceptions.Timeout):
        session.get(address, timeout=0.1)


def test_faults_together_befall_one_request(address, session, internet):
    internet.fault(URL, NoValidators(), Reset(after=1000))
    with session.get(address, stream=True, timeout=5) as answer:
        assert "ETag" not in answer.headers
        assert received(answer)[1] is not None


def test_a_fault_can_wait_for_the_origin_or_the_mirror(internet, session):
    mirrored = internet.mirror + URL.removeprefix("https:/")
    internet.fault(URL, Status(500), via="origin", times=inf)
    internet.fault(URL, Status(404), via="mirror")
    statuses = [session.get(url, timeout=5).status_code for url in (mirrored, URL, mirrored, URL)]
    assert statuses == [404, 500, 200, 500]


def test_a_fault_finds_its_url_in_any_spelling(internet, session):
    internet.fault("https://example.org/a b?q=1", Status(503), times=2)
    internet.put("https://example.org/a%20b?q=1", b"found")
    for url in ("http://example.org/a%20b?q=1", "https://EXAMPLE.org/a%20%62?q=1"):
        assert session.get(url, timeout=5).status_code == 503
    assert session.get("https://example.org/a%20b?q=1", timeout=5).content == b"found"


# Counting and stopping


def test_requests_are_logged_with_what_was_sent(address, session, internet):
    before = time.time()
    session.get(address, headers={"User-Agent": "reclaim", "Range": "bytes=0-9"}, timeout=5)
    (record,) = internet.requests
    assert (record.method, record.url, record.status, record.bytes_sent) == ("GET", URL, 206, 10)
    assert (record.headers["user-agent"], record.headers["range"]) == ("reclaim", "bytes=0-9")
    assert before <= record.time <= time.time()


def test_peaks_count_simultaneous_requests(internet):
    urls = [f"https://{host}.org/{number}" for host in ("one", "two") for number in range(4)]
    for url in urls:
        internet.put(url, b"x")
        internet.fault(url, Latency(0.5))
    with ThreadPoolExecutor(8) as pool:
        assert all(answer.ok for answer in pool.map(lambda url: requests.get(url, timeout=5), urls))
    assert (internet.peak, internet.peak_of) == (8, {"one.org": 4, "two.org": 4})


def test_one_client_after_another_is_a_peak_of_one(internet):
    for _ in range(50):
        requests.get(URL, timeout=5)
        requests.get(internet.mirror + URL.removeprefix("https:/"), timeout=5)
    assert internet.peak == 1


@pytest.mark.parametrize("fault", [Drip(1), Latency(60), Fault()], ids=["drip", "latency", "unread"])
def test_it_stops_while_clients_hang(fault):
    with PublicInternet() as internet:
        internet.put("http://example.org/large", bytes(30_000_000))
        internet.fault("http://example.org/large", fault)
        proxy = urlsplit(internet.mirror)
        client = socket.create_connection((proxy.hostname, proxy.port), timeout=5)
        client.sendall(b"GET http://example.org/large HTTP/1.1\r\nHost: example.org\r\n\r\n")
        while not internet.requests:
            time.sleep(0.01)
        time.sleep(0.2)  # by now the server waits: for time, or for a client that does not read
        start = time.monotonic()
    assert time.monotonic() - start < 1.5
    assert internet.requests[0].bytes_sent < 30_000_000
    with client, suppress(ConnectionResetError):
        while client.recv(1_000_000):
            pass
