"""The public data services on 127.0.0.1, as a proxy that serves real URLs from stores and never goes out.

    with PublicInternet([store]) as internet:
        internet.fault("https://example.org/a.gz", Reset(after=1000))
        subprocess.run(command, env={**os.environ, **internet.environment})

Clients reach it through HTTPS_PROXY and HTTP_PROXY. TLS ends here, with a certificate of a CA of its own.
The same port is a static mirror of the stores: `GET /<host>/<path>`.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from fcntl import ioctl
from hashlib import sha256
from http.client import responses
from http.server import BaseHTTPRequestHandler
from math import inf
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from tempfile import TemporaryDirectory
from termios import TIOCOUTQ
from threading import Event, Lock, Thread, current_thread
from typing import Literal
from urllib.parse import unquote, urlsplit

import trustme
from faults_of_the_web import Answer, Fault, Frame, RedirectLoop, Resource, error_answer

Via = Literal["origin", "mirror"]
FIRST_PUT = 1_767_225_600  # 2026-01-01; every put is an hour later, so that Last-Modified tells puts apart


@dataclass
class Request:
    """One GET or HEAD as the server saw it. It is in the log from the start; the last two fields grow."""

    method: str
    url: str  # of a mirror request: the https URL that its path stands for
    headers: Mapping[str, str]  # names in lower case
    time: float  # seconds since 1970
    via: Via
    status: int | None = None  # None: not answered
    bytes_sent: int = 0  # of the body


@dataclass
class _Plan:
    faults: tuple[Fault, ...]
    times: float
    via: Via | None
    method: str | None


class PublicInternet:
    """Serves `stores` (the first that has the file wins) and what was `put`; see the module's docstring."""

    mirror: str  # address of the static mirror
    environment: dict[str, str]  # variables that lead a program here

    def __init__(self, stores: Sequence[Path] = ()):
        self.requests: list[Request] = []
        self.tunnels: Counter[str] = Counter()  # CONNECTs by host, refused ones included
        self.peak = 0  # most requests at one time
        self.peak_of: Counter[str] = Counter()  # the same by host; mirror requests count for 127.0.0.1
        self._stores = [Path(store) for store in stores]
        self._put: dict[str, Resource] = {}
        self._puts = 0
        self._plans: defaultdict[str, deque[_Plan]] = defaultdict(deque)
        self._present: Counter[str] = Counter()
        self._connections: set[_Connection] = set()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._ca = trustme.CA()
        self._lock = Lock()
        self._stopping = Event()

    def put(self, url: str, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Serve `content` at `url`, before any store."""
        with self._lock:
            modified = FIRST_PUT + 3600 * self._puts
            self._put[place(url)] = Resource.of(content, urlsplit(url).path, modified, headers or {})
            self._puts += 1

    def fault(
        self,
        url: str,
        *faults: Fault,
        times: float | None = None,
        via: Via | None = None,
        method: str | None = None,
    ) -> None:
        """Plan `faults`, together, for one request of `url` (or `times` of them; math.inf: for ever).

        Plans of one URL are used up in order; http and https are one URL. `via` limits a plan to requests
        of the origin or of the mirror, `method` to GET or HEAD. `https://host` without a path stands for the CONNECT to that host.
        """
        if times is None:
            times = inf if any(isinstance(fault, RedirectLoop) for fault in faults) else 1
        with self._lock:
            self._plans[_target_of_fault(url)].append(_Plan(faults, times, via, method))

    def heal(self, url: str | None = None) -> None:
        """Forget the plans that remain for `url`, or all."""
        with self._lock:
            if url is None:
                self._plans.clear()
            else:
                self._plans.pop(_target_of_fault(url), None)

    def __enter__(self) -> PublicInternet:
        self._folder = TemporaryDirectory(prefix="public_internet_")
        ca = Path(self._folder.name, "ca.pem")
        self._ca.cert_pem.write_to_path(ca)
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.internet = self
        self.mirror = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.environment = {
            **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), self.mirror),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), str(ca)),
        }
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.interrupt()
        for connection in connections:
            connection.thread.join(timeout=2)
        self._folder.cleanup()

    # What the connections ask of it

    def find(self, location: str) -> Resource | None:
        with self._lock:
            if location in self._put:
                return self._put[location]
        for path in (store / location for store in self._stores):
            if path.is_file():
                return Resource.of(path.read_bytes(), path.name, path.stat().st_mtime, {})
        return None

    def faults_of(self, location: str, via: Via, method: str | None = None) -> tuple[Fault, ...]:
        """The faults of the next plan, which is thereby used up once."""
        with self._lock:
            plans = self._plans.get(location, deque())
            plan = next(
                (one for one in plans if one.via in (None, via) and one.method in (None, method)), None
            )
            if plan is None:
                return ()
            plan.times -= 1
            if plan.times <= 0:
                plans.remove(plan)
            return plan.faults

    def tunnel_faults(self, authority: str) -> tuple[Fault, ...]:
        with self._lock:
            self.tunnels[authority] += 1
        return self.faults_of(f"CONNECT {authority}", "origin")

    @contextmanager
    def counted(self, request: Request, host: str) -> Iterator[None]:
        """Log the request, and count it as present until the end of the block."""
        with self._lock:
            self.requests.append(request)
            self._present[host] += 1
            self.peak = max(self.peak, self._present.total())
            self.peak_of[host] = max(self.peak_of[host], self._present[host])
        try:
            yield
        finally:
            with self._lock:
                self._present[host] -= 1

    def tls(self, host: str) -> ssl.SSLContext:
        with self._lock:
            if host not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.set_alpn_protocols(["http/1.1"])
                self._ca.issue_cert(host).configure_cert(context)
                self._contexts[host] = context
            return self._contexts[host]

    def wait(self, seconds: float) -> None:
        """Sleep; raises ConnectionAbortedError as soon as the internet stops."""
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError("the public internet has stopped")

    def register(self, connection: _Connection, present: bool) -> None:
        with self._lock:
            (self._connections.add if present else self._connections.discard)(connection)


def place(url: str) -> str:
    """Where a store keeps `url`; written anew from the layout's description, not from the product.

    Raises ValueError for what a store cannot hold.
    """
    parts = urlsplit(url)
    segments = unquote(parts.path, errors="strict").split("/")
    if any(segment.startswith("@") for segment in segments):
        raise ValueError(f"{url}: '@' starts a name of the store's own")
    if parts.query:
        segments.append("@" + sha256(parts.query.encode()).hexdigest())
    elif segments[-1] == "":
        segments.append("@index")
    return _location([_authority(url), *segments])


def _location(segments: Sequence[str]) -> str:
    if ".." in segments or any("\0" in segment for segment in segments):
        raise ValueError(f"{'/'.join(segments)}: would leave the store")
    return "/".join(segment for segment in segments if segment)


def _authority(url: str) -> str:
    """Host, and the port where it is not the usual one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url}: not a web address")
    return parts.hostname if parts.port in (None, 80, 443) else f"{parts.hostname}:{parts.port}"


def _target_of_fault(url: str) -> str:
    parts = urlsplit(url)
    return place(url) if parts.path or parts.query else f"CONNECT {_authority(url)}"


def static_answer(method: str, resource: Resource | None, asked: Mapping[str, str]) -> Answer:
    """What a static server says (RFC 9110): conditions, one range, If-Range; several ranges are ignored."""
    if resource is None:
        return error_answer(404)
    if _unchanged(resource, asked):
        return Answer(304, resource.headers)
    size = len(resource.content)
    span = _range(resource, asked) if method == "GET" else None
    if span is None:
        return Answer(200, resource.headers, resource.content)
    if not span:
        return error_answer(416, {"Content-Range": f"bytes */{size}"})
    part = {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}"}
    return Answer(206, {**resource.headers, **part}, resource.content[span.start : span.stop])


def _unchanged(resource: Resource, asked: Mapping[str, str]) -> bool:
    for condition, validator in (("if-none-match", "ETag"), ("if-modified-since", "Last-Modified")):
        if condition in asked:
            return asked[condition] == resource.headers.get(validator)
    return False


def _range(resource: Resource, asked: Mapping[str, str]) -> range | None:
    """The bytes asked for, empty if there are none; None for the whole."""
    unit, _, span = asked.get("range", "").partition("=")
    first, dash, last = span.strip().partition("-")
    sound = unit == "bytes" and dash and (first + last).isdecimal()
    validators = (resource.headers.get("ETag"), resource.headers.get("Last-Modified"))
    if not sound or resource.headers.get("Accept-Ranges") != "bytes":
        return None
    if "if-range" in asked and asked["if-range"] not in validators:
        return None
    size = len(resource.content)
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _marking_the_last(frames: Iterator[Frame]) -> Iterator[tuple[bytes | memoryview, int, bool]]:
    ahead = next(frames, None)
    while ahead is not None:
        frame, ahead = ahead, next(frames, None)
        yield *frame, ahead is None


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    request_queue_size = 256
    internet: PublicInternet


class _Connection(BaseHTTPRequestHandler):
    """A client's connection: plain, or TLS from its CONNECT on."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    origin = ""  # scheme and host of the tunnel

    def setup(self) -> None:
        super().setup()
        self.thread = current_thread()
        self.server.internet.register(self, present=True)

    def handle(self) -> None:
        with suppress(ConnectionError, ssl.SSLError):  # the client has gone, or does not trust the CA
            super().handle()

    def finish(self) -> None:
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.fileno() >= 0:
            self.connection.settimeout(0)  # say goodbye, and do not wait for the client's
            with suppress(OSError, ValueError):
                self.connection.unwrap()
        super().finish()
        self.server.shutdown_request(self.connection)
        self.server.internet.register(self, present=False)

    def interrupt(self) -> None:
        """Wake the thread from whatever it reads or writes (called by another thread)."""
        with suppress(OSError):
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)

    def do_CONNECT(self) -> None:
        internet = self.server.internet
        authority = _authority(f"https://{self.path}")
        answer = Answer(200, {})
        for fault in internet.tunnel_faults(authority):
            answer = fault.spoil(answer)
        if answer.status != 200 or answer.ending != "proper":
            self.close_connection = True
            self._send(answer, Request("CONNECT", "", {}, 0, "origin"), ExitStack())
            return
        internet.wait(answer.latency_s)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = internet.tls(urlsplit(f"//{authority}").hostname or "").wrap_socket(
            self.connection, server_side=True, do_handshake_on_connect=False
        )
        self.connection.do_handshake()
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.origin = f"https://{authority}"
        self.close_connection = False

    def do_GET(self) -> None:
        url, via = self._asked()
        asked = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, url, asked, time.time(), via)
        host = "127.0.0.1" if via == "mirror" else urlsplit(url).hostname or ""
        with ExitStack() as presence:
            presence.enter_context(self.server.internet.counted(request, host))
            self._send(self._answer(request), request, presence)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing: `requests` is the log."""

    def _asked(self) -> tuple[str, Via]:
        if self.path.startswith(("http://", "https://")):
            return self.path, "origin"
        if self.origin:
            return self.origin + self.path, "origin"
        return f"https:/{self.path}", "mirror"

    def _answer(self, request: Request) -> Answer:
        internet = self.server.internet
        try:
            if request.via == "mirror":
                location = _location(unquote(urlsplit(self.path).path, errors="strict").split("/"))
            else:
                location = place(request.url)
        except ValueError:
            return error_answer(400)
        faults = internet.faults_of(location, request.via, request.method)
        resource = internet.find(location)
        for fault in faults:
            resource = fault.corrupt(resource)
        answer = replace(static_answer(request.method, resource, request.headers), target=self.path)
        for fault in faults:
            answer = fault.spoil(answer)
        return answer

    def _send(self, answer: Answer, request: Request, presence: ExitStack) -> None:
        """Put the answer on the wire. The request is over before its last bytes: the client may be faster."""
        internet = self.server.internet
        internet.wait(answer.latency_s)
        if answer.framing == "close" or answer.length_error:  # said in the head, so that nobody reuses it
            self.close_connection = True
        request.status = answer.status
        for frame, body_bytes, is_last in _marking_the_last(self._frames(answer)):
            internet.wait(body_bytes / answer.bytes_per_second)
            request.bytes_sent += body_bytes
            if is_last:
                presence.close()
            self.connection.sendall(frame)
        if answer.ending != "proper":
            self.close_connection = True
        if answer.ending == "reset":
            self._reset()

    def _frames(self, answer: Answer) -> Iterator[Frame]:
        if answer.status is not None:
            yield self._head(answer, answer.status), 0
            if self.command != "HEAD" and answer.status != 304:
                yield from answer.frames()

    def _head(self, answer: Answer, status: int) -> bytes:
        headers = {"Date": self.date_time_string(), **answer.headers}
        if answer.framing == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        elif answer.framing == "length" and status != 304:
            headers["Content-Length"] = str(max(0, len(answer.body) + answer.length_error))
        if self.close_connection:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _reset(self) -> None:
        """End the connection with a TCP RST, after the client's side has acknowledged what was sent."""
        deadline = time.monotonic() + 5
        while any(ioctl(self.connection, TIOCOUTQ, bytes(4))) and time.monotonic() < deadline:
            self.server.internet.wait(0.001)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (self.rfile, self.wfile, self.connection):
            end.close()
        raise ConnectionAbortedError("reset on demand")
