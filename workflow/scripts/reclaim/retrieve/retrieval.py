"""A data set -> its receipt: bytes that are there are held to the lock, bytes that are not are fetched."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from pathlib import Path

from reclaim.config import WORLDS, Data
from reclaim.errors import UserError
from reclaim.retrieve.announcement import Budget
from reclaim.retrieve.content import Content, Damaged, NotTheData, check_whole, identify
from reclaim.retrieve.fetch import Fetcher, NotThere, OtherBytes
from reclaim.retrieve.lock import LOCK_NAME, DataLock, LockedFile
from reclaim.retrieve.receipt import MissingFile, Receipt, Request, StoredFile
from reclaim.retrieve.store import is_listing, store_path

logger = logging.getLogger("reclaim")


@dataclass(frozen=True)
class Access:
    """How a run reaches bytes: a store, what its lock demands, and the web where the run may use it."""

    store: Path
    lock: DataLock | None = None
    fetcher: Fetcher | None = None
    accept_changes: Sequence[str] = ()
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def of(cls, run: str, store: Path, data: Data, budget: Budget) -> Access:
        """For a run as configured. Simulated stores have no lock; a mirror is read and never written."""
        if run in WORLDS:
            return cls(store)
        fetcher = None
        if data.source == "public":
            fetcher = Fetcher(store, data.mirrors, data.retries, data.timeout)
        return cls(store, DataLock(store), fetcher, data.accept_changes, budget)

    def accepts(self, url: str) -> bool:
        """Whether the user accepts other bytes than the locked ones: by the address, or the start of one."""
        return any(
            url == accepted or (accepted.endswith("/") and url.startswith(accepted))
            for accepted in self.accept_changes
        )


def make_receipt(
    dataset: str,
    requests: Sequence[Request],
    access: Access,
    licence: str | None = None,
    citation: str | None = None,
) -> Receipt:
    """Identify every requested file, after fetching it where needed and allowed.

    A file that its service does not have, and that is not optional, makes the receipt `absent`. Raises UserError,
    with a line for each file, for files that are missing in a mirror, changed, or cannot be fetched.
    """
    files: list[StoredFile] = []
    lacking: list[MissingFile] = []
    problems: list[str] = []
    absent = ""
    for request in requests:
        try:
            files.append(_local(dataset, request) if request.url is None else _first_there(request, access))
        except NotThere as answer:
            if request.optional:
                lacking.append(MissingFile(name=request.name, url=str(request.url), reason=str(answer)))
            else:
                absent = absent or f"the service does not have {request.url} ({answer})"
        except _Missing as missing:
            problems.append(str(missing))
    if problems:
        raise UserError(problems)
    return Receipt(
        dataset=dataset,
        status="absent" if absent else "present",
        reason=absent,
        files=files,
        missing=lacking,
        licence=licence,
        citation=citation,
    )


class _Missing(Exception):
    """A file that only the user can bring; all of them are told at once."""


def _local(dataset: str, request: Request) -> StoredFile:
    assert request.path is not None
    if not request.path.is_file():
        raise _Missing(f"{request.path}: there is no such file; correct the path of data set {dataset!r}")
    try:
        content = identify(request.path)
    except NotTheData as stand_in:
        raise UserError(f"{request.path}:1: {stand_in}; {_remedy(stand_in)}") from None
    return StoredFile(
        name=request.name,
        path=str(request.path),
        sha256=content.sha256,
        bytes=content.bytes,
        media_type=content.media_type,
        simulated=content.simulated,
    )


def _first_there(request: Request, access: Access) -> StoredFile:
    """The file at the first of its URLs that the service has. Raises as _stored does."""
    urls = [str(request.url), *request.alternatives]
    missing: _Missing | None = None
    for url in urls[:-1]:
        try:
            return _stored(replace(request, url=url), access)
        except NotThere:
            continue
        except _Missing as problem:
            missing = missing or problem
    try:
        return _stored(replace(request, url=urls[-1]), access)
    except (NotThere, _Missing):
        # In a mirror without a lock nobody knows whether the service has the file at one of the other URLs.
        if missing and not request.optional:
            raise missing from None
        raise


def _stored(request: Request, access: Access) -> StoredFile:
    """A file of the store. Raises NotThere, _Missing or UserError."""
    assert request.url is not None
    url, path = request.url, access.store / store_path(request.url)
    if path.is_file():
        content, entry = _in_store(url, path, access, request.md5)
    elif access.fetcher is None:
        locked = access.lock.file(url) if access.lock else None
        if locked and locked.absent:
            raise NotThere(locked.absent)
        if access.lock is None and (request.optional or request.alternatives):
            raise NotThere("not in the simulated store")  # which is all that there is
        raise _Missing(f"{path}: missing in the store; copy it there from {url}")
    else:
        with access.fetcher.turn(url):
            # Another process may have brought it while this one waited.
            bring = _in_store if path.is_file() else _fetched
            content, entry = bring(url, path, access, request.md5)
    return StoredFile(
        name=request.name,
        url=url,
        path=str(store_path(url)),
        sha256=content.sha256,
        bytes=content.bytes,
        media_type=content.media_type,
        simulated=content.simulated,
        last_modified=entry.last_modified if entry else None,
        retrieved_at=entry.retrieved_at if entry else None,
    )


def _in_store(url: str, path: Path, access: Access, md5: str | None) -> tuple[Content, LockedFile | None]:
    """Hold a file of the store to the lock, or to its publisher's digest where it is not locked; in a store that may be
    written, lock one that is not yet."""
    try:
        content = identify(path, listing=is_listing(url))
        if access.lock is None:
            return content, None
        locked = access.lock.file(url)
        if locked and locked.sha256 == content.sha256:
            return content, locked
        if locked and not access.accepts(url):
            raise UserError(
                f"{path}: not the bytes of the lock ({_bytes(locked)} in {access.store / LOCK_NAME}, {_bytes(content)} "
                f"found): damaged or replaced. Delete it to have the locked bytes again, or {_accept(url)}"
            )
        if not locked:
            _hold_to_publisher(url, path, content, access, md5)
        if access.fetcher is None:
            return content, None
        check_whole(path, content.media_type)
    except OtherBytes as change:
        raise UserError(
            f"{path}: not the bytes that were published at {url}: {change}. Results would rest on other data: delete "
            f"it to fetch the file anew, or {_accept(url)}"
        ) from None
    except NotTheData as stand_in:
        raise UserError(f"{path}:1: {stand_in}; {_remedy(stand_in)}") from None
    except Damaged as damage:
        raise UserError(f"{path}: {damage}; delete it and run again") from None
    if locked:
        logger.warning(
            "%s: accepted other bytes than locked: %s, not %s", url, _bytes(content), _bytes(locked)
        )
    entry = LockedFile(sha256=content.sha256, bytes=content.bytes, media_type=content.media_type)
    access.lock.record(url, entry)
    return content, entry


def _fetched(url: str, path: Path, access: Access, md5: str | None) -> tuple[Content, LockedFile]:
    """Fetch, lock, then move to its place: what lies in the store is always whole and locked."""
    assert access.fetcher is not None
    assert access.lock is not None
    locked = access.lock.file(url)
    if access.accepts(url):
        demanded = None
    else:
        demanded = locked
        if locked and locked.absent:
            raise NotThere(f"{locked.absent}, locked; to ask again, {_accept(url)}")

    def check(part: Path) -> Content:
        content = identify(part, listing=is_listing(url))
        if demanded is None:
            check_whole(part, content.media_type)
            _hold_to_publisher(url, part, content, access, md5)
        elif content.sha256 != demanded.sha256:
            raise OtherBytes(f"{_bytes(content)} are there now, {_bytes(demanded)} were locked")
        return content

    try:
        fetched = access.fetcher.fetch(url, check, demanded.bytes if demanded else None, access.budget.left)
    except NotThere as answer:
        if demanded:
            raise UserError(
                f"{url}: gone ({answer}); {_bytes(demanded)} were locked on {demanded.retrieved_at or 'first sight'}. "
                f"Copy that file to {path}, or {_accept(url)}"
            ) from None
        access.lock.record(url, LockedFile(absent=str(answer)))
        raise
    except OtherBytes as change:
        if demanded is None:
            raise UserError(
                f"{url}: changed since it was published: {change}. Results would rest on other data: copy the published "
                f"file to {path}, or {_accept(url)}"
            ) from None
        raise UserError(
            f"{url}: changed since it was locked on {demanded.retrieved_at or 'first sight'}: {change}. Results "
            f"would rest on other data: copy the old file to {path}, or {_accept(url)}"
        ) from None
    content = fetched.content
    access.budget.spend(content.bytes)
    if locked and locked.sha256 != content.sha256:
        logger.warning("%s: accepted a change: %s, not %s", url, _bytes(content), _bytes(locked))
    if locked and locked.sha256 == content.sha256:
        entry = locked  # the same bytes came into this line of stores before
    else:
        entry = LockedFile(
            sha256=content.sha256,
            bytes=content.bytes,
            media_type=content.media_type,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            retrieved_at=fetched.retrieved_at,
        )
        access.lock.record(url, entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(fetched.part, path)
    return content, entry


def _hold_to_publisher(url: str, path: Path, content: Content, access: Access, md5: str | None) -> None:
    """Raise OtherBytes unless the file has the digest that its publisher names. Simulated bytes cannot have it, and the
    user may accept others."""
    if md5 is None or content.simulated:
        return
    with path.open("rb") as handle:
        found = file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found == md5:
        return
    if not access.accepts(url):
        raise OtherBytes(f"{_bytes(content)} and md5 {found} are there, md5 {md5} was published")
    logger.warning("%s: accepted other bytes than published: md5 %s, not %s", url, found, md5)


def _bytes(content: Content | LockedFile) -> str:
    if content.sha256 is None:
        return f"no file ({getattr(content, 'absent', '')})"
    return f"{content.bytes:,} bytes with sha256 {content.sha256[:12]}..."


def _accept(url: str) -> str:
    return f"accept what is there now: --config 'data={{accept_changes: [\"{url}\"]}}'"


def _remedy(stand_in: NotTheData) -> str:
    if "Git-LFS" in str(stand_in):
        return "fetch the file itself, for example from media.githubusercontent.com"
    return "delete it and fetch it again"
