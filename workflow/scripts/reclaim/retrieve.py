"""Bytes a data set rests on: find them in a store or on disk, and write the receipt."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from string import Template

from reclaim.errors import UserError
from reclaim.model import Model
from reclaim.store import store_path

HEAD_BYTES = 16_384
GZIP = b"\x1f\x8b"
SIMULATED_MARK = b"SIMULATED"
"""Simulated files carry this word near their beginning, so that they are known in any store."""


@dataclass(frozen=True)
class Request:
    """One file of a data set, by the name its reader uses: at a URL, or at a local path."""

    name: str
    url: str | None = None
    path: Path | None = None


class StoredFile(Model):
    """A file and what identifies its bytes."""

    name: str
    url: str | None = None
    path: str
    sha256: str
    bytes: int
    media_type: str
    simulated: bool = False
    last_modified: str | None = None
    retrieved_at: str | None = None


class Receipt(Model):
    """What a data set rests on."""

    dataset: str
    status: str = "present"
    files: list[StoredFile]
    licence: str | None = None
    citation: str | None = None

    @property
    def simulated(self) -> bool:
        """Whether any of the files says of itself that it was made by the simulator."""
        return any(file.simulated for file in self.files)

    def path(self, name: str) -> Path:
        """Where the file that the reader calls `name` lies."""
        return Path(next(file.path for file in self.files if file.name == name))


def make_receipt(
    dataset: str,
    requests: Sequence[Request],
    store: Path | None,
    licence: str | None = None,
    citation: str | None = None,
) -> Receipt:
    """Identify every requested file. Raises UserError that lists all files that are not there.

    `store` is the folder in URL layout; requests of local files do not need it.
    """
    missing, files = [], []
    for request in requests:
        path = _locate(request, store)
        if path.is_file():
            files.append(_identify(request, path))
        elif request.url:
            missing.append(f"{path}: missing in the store; copy it there from {request.url}")
        else:
            missing.append(f"{path}: there is no such file; correct the path of data set {dataset!r}")
    if missing:
        raise UserError(missing)
    return Receipt(dataset=dataset, files=files, licence=licence, citation=citation)


def expand_path(text: str, beside: Path) -> Path:
    """A path of a study file: ${NAME} from the environment, relative paths beside the study file."""
    try:
        return beside / Template(text).substitute(os.environ)
    except KeyError as error:
        name = error.args[0]
        raise UserError(f"{text}: the environment variable {name} is not set; export {name}=...") from None
    except ValueError:
        raise UserError(
            f"{text}: a lone $; write ${{NAME}} for an environment variable, $$ for a dollar"
        ) from None


def _locate(request: Request, store: Path | None) -> Path:
    if request.url is None:
        assert request.path is not None
        return request.path
    assert store is not None
    return store / store_path(request.url)


def _identify(request: Request, path: Path) -> StoredFile:
    try:
        with path.open("rb") as handle:
            head = handle.read(HEAD_BYTES)
            handle.seek(0)
            digest = file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable") from None
    return StoredFile(
        name=request.name,
        url=request.url,
        path=str(path),
        sha256=digest,
        bytes=path.stat().st_size,
        media_type=_media_type(head, path),
        simulated=SIMULATED_MARK in _unpacked(head),
    )


def _unpacked(head: bytes) -> bytes:
    """The beginning of a file, without gzip around it."""
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""  # its reader tells the damage


def _media_type(head: bytes, path: Path) -> str:
    """By content. Raises UserError for what servers send instead of data."""
    start = head.lstrip()[:64].lower()
    first_line = head.splitlines()[0][:80].decode("utf-8", "replace") if head.strip() else ""
    if head.startswith(b"version https://git-lfs"):
        raise UserError(
            f"{path}:1: a Git-LFS pointer ({first_line!r}), not the data; fetch the file itself, "
            "for example from media.githubusercontent.com"
        )
    if start.startswith((b"<!doctype html", b"<html")):
        raise UserError(
            f"{path}:1: an HTML page ({first_line!r}), not the data; delete it and fetch it again"
        )
    if head.startswith(GZIP):
        return "application/gzip"
    return "application/octet-stream" if b"\0" in head else "text/plain"
