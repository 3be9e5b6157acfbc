"""A URL is a path: where the bytes of a URL lie in a store."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from reclaim.errors import UserError


def store_path(url: str) -> PurePosixPath:
    """Path of `url` below a store: `<host>/<path>`, percent-decoded once.

    A query is stored as `<path>/@<sha256 of the query>`, a directory listing as `<path>/@index`.
    Raises UserError for a URL that is not http(s), has no host, or would leave the store.

    >>> str(store_path("https://example.org/a%2Fb.gz"))
    'example.org/a/b.gz'
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{url}: not a web address; expected http:// or https:// and a host")
    path = unquote(parts.path, errors="strict").lstrip("/")
    segments = path.split("/")
    if ".." in segments or "\0" in path or any(segment.startswith("@") for segment in segments):
        raise UserError(
            f"{url}: the path holds '..' or a segment that starts with '@'; such a URL cannot be stored"
        )
    if parts.query:
        segments.append("@" + sha256(parts.query.encode()).hexdigest())
    elif path == "" or path.endswith("/"):
        segments.append("@index")
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return PurePosixPath(host, *(segment for segment in segments if segment))


def served_at(mirror: str, url: str) -> str:
    """Where a store that is served over HTTP at the address `mirror` has the bytes of `url`.

    >>> served_at("http://intranet/store/", "https://example.org/a%2Fb c.gz")
    'http://intranet/store/example.org/a/b%20c.gz'
    """
    return f"{mirror.rstrip('/')}/{quote(str(store_path(url)), safe='/:@')}"


def is_listing(url: str) -> bool:
    """Whether the URL stands for a directory listing, which may be an HTML page."""
    return store_path(url).name == "@index"


def own_folder(store: Path) -> Path:
    """What is no data in a store: unfinished downloads and file locks. No host name begins with a dot."""
    return store / ".reclaim"
