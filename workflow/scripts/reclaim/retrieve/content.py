"""What the bytes of a file are: digest, size, media type, whether whole, whether simulated."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from reclaim.errors import UserError

HEAD_BYTES = 16_384
GZIP, ZIP, HDF5 = b"\x1f\x8b", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
MAGIC = {GZIP: "application/gzip", ZIP: "application/zip", HDF5: "application/x-hdf5"}
SIMULATED_MARK = b"SIMULATED"
"""Simulated files carry this word near their beginning, so that they are known in any store."""


class NotTheData(Exception):
    """A stand-in that servers send instead of the data: the text says which."""


class Damaged(Exception):
    """Bytes that cannot be whole: the text says why."""


@dataclass(frozen=True)
class Content:
    """What identifies the bytes of a file."""

    sha256: str
    bytes: int
    media_type: str
    simulated: bool


def identify(path: Path, *, listing: bool = False) -> Content:
    """Digest and kind of a file. A directory `listing` may be an HTML page.

    Raises NotTheData for what servers send instead of data, UserError for an unreadable file.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(HEAD_BYTES)
            media_type = _media_type(head, listing)
            handle.seek(0)
            digest = file_digest(handle, "sha256").hexdigest()
            size = handle.tell()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable") from None
    return Content(digest, size, media_type, SIMULATED_MARK in _unpacked(head))


def check_whole(path: Path, media_type: str) -> None:
    """Raise Damaged for a truncated or corrupt gzip or zip file, which is read to its end."""
    try:
        if media_type == MAGIC[GZIP]:
            with gzip.open(path) as unpacked:
                while unpacked.read(1 << 20):
                    pass
        elif media_type == MAGIC[ZIP]:
            with zipfile.ZipFile(path) as archive:
                if broken := archive.testzip():
                    raise Damaged(f"its member {broken} is corrupt")
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise Damaged(f"truncated or corrupt ({error})") from None


def _media_type(head: bytes, listing: bool) -> str:
    start = head.lstrip()[:64].lower()
    if head.startswith(b"version https://git-lfs"):
        raise NotTheData(f"a Git-LFS pointer ({first_line(head)!r}), not the data")
    if start.startswith((b"<!doctype html", b"<html")):
        if not listing:
            raise NotTheData(f"an HTML page ({first_line(head)!r}), not the data")
        return "text/html"
    for magic, media_type in MAGIC.items():
        if head.startswith(magic):
            return media_type
    return "application/octet-stream" if b"\0" in head else "text/plain"


def first_line(text: bytes) -> str:
    """The first line that says something, shortened."""
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0].strip()[:80] if lines else ""


def _unpacked(head: bytes) -> bytes:
    """The beginning of a file, without gzip around it."""
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""  # its reader tells the damage
