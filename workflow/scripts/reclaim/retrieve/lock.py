"""The lock of a store: which bytes each URL stands for, and the claims registered before they came.

`<store>/data.lock.yaml` is the memory of a store: the first retrieval of a URL is recorded, later ones are
held to it. It is read inside jobs and changed under a file lock, so that runs may share a store.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reclaim.errors import UserError
from reclaim.job import write_whole
from reclaim.model import Model, explain
from reclaim.retrieve.store import own_folder

LOCK_NAME = "data.lock.yaml"
NOT_PRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
PLAIN_KEY = re.compile(r"(?!(?:true|false|yes|no|on|off|null|y|n)$)[a-z][a-z0-9_-]*", re.IGNORECASE)
"""A name that YAML takes for nothing but text."""
HEADING = """\
# Written by reclaim. The bytes that each address stood for when it was first retrieved into this store, and
# the claims as they were before. Keep this file with the store; in an empty store it demands the same bytes.
"""


class LockedFile(Model):
    """The bytes of one URL, or why there are none."""

    sha256: str | None = None
    bytes: int = 0
    media_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    retrieved_at: str | None = None
    absent: str | None = Field(None, description="What the service answered instead of a file.")


class RegisteredClaim(Model):
    """A claim as it was when data for its study were first retrieved."""

    sha256: str
    registered_at: str


class LockedChoice(Model):
    """The experiments that a data set was found to rest on."""

    experiments: list[str]
    chosen_at: str


class LockContent(Model):
    """Everything a lock holds: files by URL, claims by study and id, experiments by study and data set."""

    version: int = Field(1, ge=1, le=1)
    files: dict[str, LockedFile] = Field(default_factory=dict)
    claims: dict[str, dict[str, RegisteredClaim]] = Field(default_factory=dict)
    experiments: dict[str, dict[str, LockedChoice]] = Field(default_factory=dict)

    @field_validator("files", mode="before")
    @classmethod
    def _by_url(cls, files: Any) -> Any:
        """The file holds a list of entries with a `url` each."""
        if not isinstance(files, list):
            return files
        found: dict[str, Any] = {}
        for number, entry in enumerate(files, start=1):
            url = entry.get("url") if isinstance(entry, dict) else None
            if not isinstance(url, str):
                raise ValueError(f"entry {number} has no url; take it out")
            if url in found:
                raise ValueError(f"{url} stands twice; keep one of the two")
            found[url] = {key: value for key, value in entry.items() if key != "url"}
        return found


class DataLock:
    """The lock of the store in the folder `store`; an empty one where there is no such file yet."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.path = store / LOCK_NAME
        self._read_at: tuple[int, int] | None = None
        self._content = LockContent()

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    def read(self) -> LockContent:
        """What the lock holds now. Raises UserError, with the line, for a damaged lock."""
        stamp = self._stamp()
        if stamp is None:
            self._content = LockContent()
        elif stamp != self._read_at:
            self._content = _parse(self.path)
        self._read_at = stamp
        return self._content

    def file(self, url: str) -> LockedFile | None:
        """The entry of one URL."""
        return self.read().files.get(url)

    def record(self, url: str, entry: LockedFile) -> None:
        """Lock the bytes of one URL, whatever was locked before."""
        self.change(lambda old: old.model_copy(update={"files": {**old.files, url: entry}}))

    def change(self, edit: Callable[[LockContent], LockContent]) -> LockContent:
        """Apply `edit` to what the lock holds now, as one step among all processes; returns the result."""
        with exclusively(own_folder(self.store) / LOCK_NAME):
            old = self.read()
            new = edit(old)
            if new != old:
                write_whole(self.path, lambda part: part.write_text(_render(new), encoding="utf-8"))
                self._content, self._read_at = new, self._stamp()
        return new

    def _stamp(self) -> tuple[int, int] | None:
        """Changes with every rewrite of the file; None where there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns


@contextmanager
def exclusively(path: Path, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """One process at a time may be here; a process that dies makes way. `waiting` is called before a wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            raise UserError(
                f"{path}: the file system has no file locks ({error.strerror}); put data.store on one that has"
            ) from None
        yield


def _render(content: LockContent) -> str:
    """YAML with one line per file and per claim, so that versions of a lock can be compared."""
    lines = [HEADING.rstrip(), f"version: {content.version}", "files:" if content.files else "files: {}"]
    # As values: a key of YAML ends after 1,024 characters, a query may be longer.
    lines += [f"  - {{url: {_flow(url)}, {_entry(content.files[url])}}}" for url in sorted(content.files)]
    lines += ["claims:" if content.claims else "claims: {}"]
    for study in sorted(content.claims):
        lines += [f"  {_key(study)}:"]
        lines += [f"    {_key(name)}: {{{_entry(claim)}}}" for name, claim in content.claims[study].items()]
    lines += ["experiments:"] if content.experiments else []
    for study in sorted(content.experiments):
        lines += [f"  {_key(study)}:"]
        lines += [f"    {_key(name)}: {{{_entry(one)}}}" for name, one in content.experiments[study].items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if PLAIN_KEY.fullmatch(name) else _flow(name)


def _entry(value: Model) -> str:
    pairs = value.model_dump(exclude_defaults=True).items()
    return ", ".join(f"{key}: {_flow(item)}" for key, item in pairs)


def _flow(value: object) -> str:
    """A scalar: JSON's are YAML's, but for characters that YAML wants escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _parse(path: Path) -> LockContent:
    remedy = "mend the line, or take the file from a copy of the store"
    try:
        data = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        return LockContent.model_validate(data)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UserError(f"{path}:{line}: the lock is damaged ({error.problem}); {remedy}") from None
    except YAMLError as error:
        raise UserError(f"{path}: the lock is damaged ({str(error).splitlines()[0]}); {remedy}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: the lock is damaged (not UTF-8); {remedy}") from None
    except ValidationError as error:
        raise UserError(
            explain(error, lambda loc: f"{path}: the lock is damaged: {' '.join(map(str, loc))}")
        ) from None
