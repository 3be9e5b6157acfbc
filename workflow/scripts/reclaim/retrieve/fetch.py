"""One URL -> one whole file: mirrors in order, resumed after a break, retried with patience.

`requests` does the transport (TLS, redirects, proxies from the environment). What is added here: nothing
partial is ever taken for complete, a server that asks for time is given it, and every failure says what to do.
"""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidSchema, MissingSchema, RequestException, TooManyRedirects
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

from reclaim import __version__
from reclaim.errors import UserError
from reclaim.retrieve.content import Content, Damaged, NotTheData, first_line
from reclaim.retrieve.lock import exclusively
from reclaim.retrieve.part import Part
from reclaim.retrieve.progress import Progress, size_in_words
from reclaim.retrieve.store import own_folder, served_at

logger = logging.getLogger("reclaim")

CHUNK_BYTES = 1 << 18
SLOWEST_BYTES_PER_SECOND = 1024
"""A connection that stays below this for the time-out is given up and resumed."""
PROGRESS_BYTES = 1 << 20
"""An attempt that brought this much does not count as a failed one: large files may break often."""
LONGEST_WAIT_SECONDS = 600
"""A server that asks for more time than this is left alone until the next run."""
PAUSE_SECONDS = 0.34
"""Between two requests to a host; NCBI asks for no more than three a second."""
MAX_REDIRECTS = 10
GONE = (404, 410)
BUSY = (408, 425, 429, 500, 502, 503, 504)


class NotThere(Exception):
    """The service answers that it does not have the file."""


class Refused(Exception):
    """One address cannot deliver; another may."""


class OtherBytes(Refused):
    """An address delivers other bytes than the lock demands, or than their publisher names."""


class Interrupted(Exception):
    """An attempt failed in a way that may pass; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Fetched:
    """A whole file that waits under a temporary name to be moved to its place."""

    part: Path
    content: Content
    etag: str | None
    last_modified: str | None
    retrieved_at: str


class Fetcher:
    """Fetches into one store. Make one per job: connections are kept open.

    `mirrors` are addresses of stores served over HTTP, asked in order before the service itself;
    `retries` counts further attempts per address, `timeout` seconds without an answer.
    """

    def __init__(
        self, store: Path, mirrors: Sequence[str] = (), retries: int = 5, timeout: float = 60
    ) -> None:
        self._folder = own_folder(store) / "unfinished"
        self._hosts = own_folder(store) / "hosts"
        self._mirrors = tuple(mirrors)
        self._retries = retries
        self._timeout = timeout
        self._silent: set[str] = set()
        self._session = requests.Session()
        self._session.max_redirects = MAX_REDIRECTS
        # Bytes are stored as they are: a server must not pack them for the journey.
        self._session.headers = {"User-Agent": f"reclaim/{__version__}", "Accept-Encoding": "identity"}

    @contextmanager
    def turn(self, url: str) -> Iterator[None]:
        """One process at a time asks a host, with a pause between requests."""
        host = urlsplit(url).hostname or ""
        path = self._hosts / host
        with exclusively(path, lambda: logger.info("%s: waiting for another download from it", host)):
            since = time.time() - path.stat().st_mtime
            time.sleep(min(PAUSE_SECONDS, max(0.0, PAUSE_SECONDS - since)))
            try:
                yield
            finally:
                path.touch()

    def size(self, url: str) -> int | None:
        """Bytes that the first address announces that has the file; None when none says.

        A host that does not answer is not asked again: without a network each would cost a time-out.
        """
        for address in self._addresses(url):
            host = urlsplit(address).netloc
            if host in self._silent:
                continue
            try:
                with self.turn(address), self._get(address, {"Range": "bytes=0-0"}) as response:
                    if response.status_code in (200, 206):
                        return _total(response)
            except (RequestException, HTTPError):
                self._silent.add(host)
        return None

    def fetch(
        self,
        url: str,
        check: Callable[[Path], Content],
        expected_bytes: int | None = None,
        limit_bytes: int | None = None,
    ) -> Fetched:
        """Download `url`; the caller moves `part` to its place, and keeps `turn` until then.

        `check` identifies the bytes and raises NotTheData, Damaged or OtherBytes. Raises NotThere when the
        service does not have the file, OtherBytes when it has a changed one, UserError for anything else.
        """
        failures: list[tuple[str, Exception]] = []
        for address in self._addresses(url):
            part = Part(self._folder, address)
            try:
                return self._persist(address, part, check, expected_bytes, limit_bytes)
            except (NotThere, Refused) as failure:
                failures.append((address, failure))
                if address != url:
                    logger.warning("%s: %s; trying the next address", address, failure)
        _, last = failures[-1]
        if isinstance(last, NotThere | OtherBytes):
            raise last
        told = (
            str(last)
            if len(failures) == 1
            else "; ".join(f"{address}: {failure}" for address, failure in failures)
        )
        raise UserError(
            f"{url}: could not be fetched: {told}. Run again to go on from here, name another address under "
            "data.mirrors, or put the file into the store by hand"
        )

    def _addresses(self, url: str) -> list[str]:
        return [*(served_at(mirror, url) for mirror in self._mirrors), url]

    def _persist(
        self,
        address: str,
        part: Part,
        check: Callable[[Path], Content],
        expected_bytes: int | None,
        limit_bytes: int | None,
    ) -> Fetched:
        """Attempts at one address until the file is whole. Raises NotThere or Refused."""
        attempt = 0
        while True:
            had = part.size
            try:
                if not part.complete:
                    self._download(address, part, expected_bytes, limit_bytes)
                return self._finish(part, check)
            except Interrupted as problem:
                attempt = 0 if part.size - had >= PROGRESS_BYTES else attempt + 1
                if attempt > self._retries:
                    tries = "once" if attempt == 1 else f"{attempt} times"
                    raise Refused(f"{problem} (tried {tries})") from None
                wait = min(60, 2 ** (attempt - 1)) if problem.wait is None else problem.wait
                if wait > LONGEST_WAIT_SECONDS:
                    raise Refused(f"{problem}; the server asks to wait {wait:.0f} s") from None
                logger.warning("%s: %s; next attempt in %g s", address, problem, wait)
                time.sleep(wait)

    def _finish(self, part: Part, check: Callable[[Path], Content]) -> Fetched:
        try:
            content = check(part.path)
        except Damaged as damage:
            part.discard()
            raise Interrupted(str(damage)) from None
        except NotTheData as stand_in:
            part.discard()
            raise Refused(f"the server sent {stand_in}") from None
        except OtherBytes:
            part.discard()
            raise
        note = part.note
        return Fetched(
            part.path, content, note.get("etag"), note.get("last_modified"), str(note["retrieved_at"])
        )

    def _get(self, address: str, headers: dict[str, str]) -> requests.Response:
        return self._session.get(
            address, headers=headers, stream=True, timeout=(min(30, self._timeout), self._timeout)
        )

    def _download(
        self, address: str, part: Part, expected_bytes: int | None, limit_bytes: int | None
    ) -> None:
        """One request; afterwards `part` is whole. Raises Interrupted, NotThere, Refused or UserError."""
        try:
            with self._get(address, part.range_headers(expected_bytes is not None)) as response:
                if response.headers.get("Content-Range") == f"bytes */{part.size}":
                    part.end()  # it was whole, although an earlier answer had promised more
                    return
                start = _start(response, part)
                total = _total(response)
                if expected_bytes is not None and total is not None and total != expected_bytes:
                    part.discard()
                    raise OtherBytes(f"{total:,} bytes are there now, {expected_bytes:,} were locked")
                if start == 0:
                    part.begin(response, total)
                _check_room(part, address, start, total, limit_bytes)
                with part.path.open("ab") as out, Progress(address, start, total) as progress:
                    for chunk in self._chunks(response):
                        out.write(chunk)
                        progress.advance(len(chunk))
                        if limit_bytes is not None and progress.bytes > limit_bytes:
                            raise _too_much(address, progress.bytes, limit_bytes)
                if total is not None and part.size != total:
                    raise Interrupted(f"broke off after {part.size:,} bytes (of {total:,})")
                part.end()
        except TooManyRedirects:
            raise Refused(f"redirected more than {MAX_REDIRECTS} times, in a circle") from None
        except (MissingSchema, InvalidSchema) as error:
            raise Refused(f"not a web address ({error})") from None
        except RequestException as error:
            raise Interrupted(f"no connection ({_innermost(error)})") from None
        except HTTPError as error:
            how = "nothing came any more" if isinstance(error, ReadTimeoutError) else "broke off"
            raise Interrupted(f"{how} after {part.size:,} bytes ({_innermost(error)})") from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UserError(
                f"{part.path.parents[2]}: the disk is full; make room and run again, which goes on from here, "
                "or set data.store to a larger disk"
            ) from None

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it arrives. Raises Interrupted when it comes too slowly."""
        since, received = time.monotonic(), 0
        while chunk := response.raw.read1(CHUNK_BYTES):
            yield chunk
            received += len(chunk)
            passed = time.monotonic() - since
            if passed >= self._timeout:
                if received < SLOWEST_BYTES_PER_SECOND * passed:
                    raise Interrupted(f"only {received:,} bytes came in {passed:.0f} s")
                since, received = time.monotonic(), 0


def _start(response: requests.Response, part: Part) -> int:
    """Where in the file the body of the answer begins. Raises NotThere, Refused or Interrupted."""
    status = response.status_code
    said = f"{status} {response.reason}".strip()
    if status == 200:
        return 0
    if status == 206:
        asked = f"bytes {part.size}-"
        same = response.headers.get("ETag") in (None, part.note.get("etag"))
        if response.headers.get("Content-Range", "").startswith(asked) and same:
            return part.size
        part.discard()
        raise Interrupted("the server sent another part than the one asked for", wait=0)
    if status == 416:
        part.discard()
        raise Interrupted("the file is shorter than the part that is here already", wait=0)
    if status in GONE:
        raise NotThere(said)
    if status in BUSY:
        raise Interrupted(said, wait=Retry().get_retry_after(response.raw))
    page = first_line(response.raw.read(2000, decode_content=True) or b"")
    raise Refused(f"{said}{f', {page!r}' if page else ''}")


def _total(response: requests.Response) -> int | None:
    """Bytes of the whole file, as far as the answer says."""
    length = response.headers.get("Content-Range", "").rpartition("/")[2]
    if response.status_code != 206:
        length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _check_room(part: Part, address: str, start: int, total: int | None, limit: int | None) -> None:
    """Raise UserError when the file would not fit: into the disk, or into what the user allowed."""
    if total is None:
        return
    if limit is not None and total > limit:
        raise _too_much(address, total, limit)
    free = shutil.disk_usage(part.path.parent).free
    if total - start > free:
        raise UserError(
            f"{address}: needs {size_in_words(total - start)}, but {size_in_words(free)} are free in {part.path.parents[2]}; "
            "make room, or set data.store to a larger disk"
        )


def _too_much(address: str, found: int, limit: int) -> UserError:
    return UserError(
        f"{address}: {size_in_words(found)} are more than the {size_in_words(limit)} that data.max_gb leaves for it; "
        "raise data.max_gb if the file is meant"
    )


def _innermost(error: BaseException) -> str:
    """The first cause of a failed connection, without the addresses that the errors around it repeat."""
    inner = getattr(error, "reason", None)
    inner = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
    if inner is not None:
        return _innermost(inner)
    return str(error).partition("\n")[0] or type(error).__name__
