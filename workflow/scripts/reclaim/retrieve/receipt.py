"""Receipts: which bytes a data set rests on, and the way from a receipt back to those bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from reclaim.errors import UserError
from reclaim.model import Model
from reclaim.retrieve.content import NotTheData, identify


@dataclass(frozen=True)
class Request:
    """One file of a data set, by the name its reader uses: at a URL, or at a local path.

    `alternatives` are asked in turn when the service does not have the URL. An `optional` file may be missing:
    the receipt says so, and the data set is there all the same. `md5` is the digest that the publisher names; the
    simulator's files are not held to it.
    """

    name: str
    url: str | None = None
    path: Path | None = None
    alternatives: tuple[str, ...] = ()
    optional: bool = False
    md5: str | None = None


class StoredFile(Model):
    """A file and what identifies its bytes."""

    name: str
    url: str | None = None
    path: str = Field(description="Below the store for a URL; as the study names it for a local file.")
    sha256: str
    bytes: int
    media_type: str
    simulated: bool = False
    last_modified: str | None = Field(None, description="What the server said of the file's age.")
    retrieved_at: str | None = Field(None, description="When these bytes first came into the store, UTC.")


class MissingFile(Model):
    """An optional file that the service does not have."""

    name: str
    url: str
    reason: str


class Receipt(Model):
    """What a data set rests on; `absent` with the reason where the service does not have it."""

    dataset: str
    status: Literal["present", "absent"] = "present"
    reason: str = ""
    files: list[StoredFile]
    missing: list[MissingFile] = Field(default_factory=list)
    licence: str | None = None
    citation: str | None = None

    @property
    def simulated(self) -> bool:
        """Whether any of the files says of itself that it was made by the simulator."""
        return any(file.simulated for file in self.files)

    def open(self, store: Path) -> dict[str, Path]:
        """Where each file lies, by the name its reader uses, after its bytes were checked.

        Raises UserError for a file that is gone or no longer holds the bytes of the receipt.
        """
        paths: dict[str, Path] = {}
        for file in self.files:
            path = store / file.path if file.url else Path(file.path)
            try:
                found = identify(path, listing=file.media_type == "text/html").sha256
            except NotTheData as stand_in:
                found = str(stand_in)
            if found != file.sha256:
                raise UserError(
                    f"{path}: not the bytes of its receipt (expected sha256 {file.sha256[:12]}..., found "
                    f"{found[:12]}...): it changed during the run; run `snakemake --forcerun retrieve`"
                )
            paths[file.name] = path
        return paths
