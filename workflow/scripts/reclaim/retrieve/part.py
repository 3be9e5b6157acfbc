"""An unfinished download: its bytes so far, and a note that says of what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response


class Part:
    """An unfinished download, and a note of what it is the beginning of."""

    def __init__(self, folder: Path, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.path = folder / sha256(address.encode()).hexdigest()[:32]
        self._note = self.path.with_suffix(".json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def note(self) -> dict[str, Any]:
        """What the server said when the download began; empty when that is not known."""
        try:
            return dict(json.loads(self._note.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    @property
    def complete(self) -> bool:
        return bool(self.note.get("whole")) and self.path.is_file()

    def range_headers(self, verified: bool) -> dict[str, str]:
        """Ask for the rest, provided that the file is still the same one.

        Without a validator the rest is asked for only when the whole is `verified` against the lock.
        """
        note = self.note
        if not self.size or not note:
            return {}
        etag = note.get("etag") or ""
        validator = etag if etag and not etag.startswith("W/") else note.get("last_modified")
        if validator:
            return {"Range": f"bytes={self.size}-", "If-Range": str(validator)}
        return {"Range": f"bytes={self.size}-"} if verified else {}

    def begin(self, response: Response, total: int | None) -> None:
        """Start anew, and note what is being downloaded."""
        self.discard()
        note = {
            "address": self.address,
            "etag": response.headers.get("ETag"),
            "last_modified": response.headers.get("Last-Modified"),
            "total": total,
        }
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def end(self) -> None:
        """Note that every byte is there."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._note.write_text(json.dumps({**self.note, "whole": True, "retrieved_at": now}), encoding="utf-8")

    def discard(self) -> None:
        self._note.unlink(missing_ok=True)  # first: a note alone must not make other bytes complete
        self.path.unlink(missing_ok=True)
