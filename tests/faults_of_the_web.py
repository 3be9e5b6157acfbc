"""What goes wrong on the way to public data: the faults that PublicInternet plays on demand.

A fault is a pure change: `corrupt` of what the server holds, `spoil` of how it answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime, formatdate, parsedate_to_datetime
from hashlib import sha256
from http.client import responses
from math import inf
from mimetypes import guess_type
from typing import Literal

Frame = tuple[bytes | memoryview, int]  # bytes for the wire, and how many of them are body
HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class Resource:
    """What a server holds at one URL. It honours ranges and conditions only as its headers announce them."""

    content: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, content: bytes, name: str, modified: float, headers: Mapping[str, str]) -> Resource:
        kind, packed = guess_type(name)
        usual = {
            "Content-Type": "application/gzip" if packed == "gzip" else kind or "application/octet-stream",
            "ETag": _etag(content),
            "Last-Modified": formatdate(modified, usegmt=True),
            "Accept-Ranges": "bytes",
        }
        given = {key.lower() for key in headers}
        return cls(content, {key: usual[key] for key in usual if key.lower() not in given} | dict(headers))

    def without(self, *headers: str) -> Resource:
        return replace(self, headers={key: self.headers[key] for key in self.headers if key not in headers})


@dataclass(frozen=True)
class Answer:
    """One response as it goes over the wire."""

    status: int | None  # None: no answer at all
    headers: Mapping[str, str]
    body: bytes = b""
    target: str = ""  # of the request, as the client wrote it
    framing: Literal["length", "chunked", "close"] = "length"
    length_error: int = 0
    stops_after: int | None = None  # body bytes
    ending: Literal["proper", "close", "reset"] = "proper"
    latency_s: float = 0
    bytes_per_second: float = inf
    piece_bytes: int = 65_536

    def frames(self) -> Iterator[Frame]:
        """What follows the head."""
        body = memoryview(self.body)[: self.stops_after]
        for start in range(0, len(body), self.piece_bytes):
            piece = body[start : start + self.piece_bytes]
            chunked = self.framing == "chunked"
            yield (b"%x\r\n%b\r\n" % (len(piece), bytes(piece)) if chunked else piece), len(piece)
        if self.framing == "chunked" and self.ending == "proper":
            yield b"0\r\n\r\n", 0


class Fault:
    """No fault: what the kinds below depart from."""

    def corrupt(self, resource: Resource | None) -> Resource | None:
        return resource

    def spoil(self, answer: Answer) -> Answer:
        return answer


@dataclass(frozen=True)
class Refuse(Fault):
    """The connection is closed without any answer."""

    def spoil(self, answer: Answer) -> Answer:
        return replace(answer, status=None, ending="close")


@dataclass(frozen=True)
class Latency(Fault):
    """The answer starts late."""

    seconds: float

    def spoil(self, answer: Answer) -> Answer:
        return replace(answer, latency_s=self.seconds)


@dataclass(frozen=True)
class Reset(Fault):
    """TCP RST once the client's side has received the head and `after` bytes of the body."""

    after: int = 0

    def spoil(self, answer: Answer) -> Answer:
        return replace(answer, stops_after=self.after, ending="reset")


@dataclass(frozen=True)
class Drip(Fault):
    """A slow body, in pieces of `chunk` bytes (by default ten a second)."""

    bytes_per_second: float
    chunk: int | None = None

    def spoil(self, answer: Answer) -> Answer:
        chunk = self.chunk or max(1, int(self.bytes_per_second / 10))
        return replace(answer, bytes_per_second=self.bytes_per_second, piece_bytes=chunk)


@dataclass(frozen=True)
class WrongLength(Fault):
    """Content-Length is `extra` bytes more (or less) than the body; the connection closes after the body."""

    extra: int

    def spoil(self, answer: Answer) -> Answer:
        return replace(answer, length_error=self.extra, ending="close")


@dataclass(frozen=True)
class NoLength(Fault):
    """No Content-Length: chunked, or ended by closing. `broken_after` body bytes it ends without its end."""

    close_delimited: bool = False
    broken_after: int | None = None

    def spoil(self, answer: Answer) -> Answer:
        ending: Literal["proper", "close"] = "proper" if self.broken_after is None else "close"
        framing: Literal["close", "chunked"] = "close" if self.close_delimited else "chunked"
        return replace(answer, framing=framing, ending=ending, stops_after=self.broken_after)


@dataclass(frozen=True)
class NoRange(Fault):
    """Range is ignored: the whole body with status 200, and no Accept-Ranges."""

    def corrupt(self, resource: Resource | None) -> Resource | None:
        return resource and resource.without("Accept-Ranges")


@dataclass(frozen=True)
class NoValidators(Fault):
    """Neither ETag nor Last-Modified; If-Range never holds."""

    def corrupt(self, resource: Resource | None) -> Resource | None:
        return resource and resource.without("ETag", "Last-Modified")


@dataclass(frozen=True)
class Replace(Fault):
    """Other content at the same URL with status 200; ETag and Last-Modified (a day later) follow it."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def corrupt(self, resource: Resource | None) -> Resource | None:
        before = dict(resource.headers) if resource else {}
        modified = before.get("Last-Modified", formatdate(0, usegmt=True))
        later = formatdate(parsedate_to_datetime(modified).timestamp() + 86_400, usegmt=True)
        page = HTML if self.content.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")) else {}
        changed = {"ETag": _etag(self.content), "Last-Modified": later, "Accept-Ranges": "bytes"}
        return Resource(self.content, before | changed | page | dict(self.headers))


@dataclass(frozen=True)
class Status(Fault):
    """Another status, with a small HTML page unless `body` is given. `retry_after` in seconds, or a UTC time."""

    code: int
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: int | datetime | None = None

    def spoil(self, answer: Answer) -> Answer:
        body = (
            html_page(f"{self.code} {responses.get(self.code, 'Unknown')}")
            if self.body is None
            else self.body
        )
        return replace(answer, status=self.code, body=body, headers=HTML | self._wait() | dict(self.headers))

    def _wait(self) -> dict[str, str]:
        if self.retry_after is None:
            return {}
        when = self.retry_after
        return {"Retry-After": str(when) if isinstance(when, int) else format_datetime(when, usegmt=True)}


@dataclass(frozen=True)
class RedirectTo(Fault):
    url: str
    code: int = 302

    def spoil(self, answer: Answer) -> Answer:
        return Status(self.code, headers={"Location": self.url}).spoil(answer)


@dataclass(frozen=True)
class RedirectLoop(Fault):
    """Redirects to itself, for ever unless `times` says how often."""

    def spoil(self, answer: Answer) -> Answer:
        return RedirectTo(answer.target).spoil(answer)


def html_page(title: str) -> bytes:
    """A small web page, as servers send instead of data."""
    head = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>"
    return f"{head}<body><h1>{title}</h1></body></html>\n".encode()


def git_lfs_pointer(content: bytes) -> bytes:
    """What raw.githubusercontent.com sends in place of a file that Git LFS keeps."""
    oid = sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n".encode()


def error_answer(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    """A status with its HTML page."""
    return Status(code, headers=headers or {}).spoil(Answer(code, {}))


def _etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:32]}"'
