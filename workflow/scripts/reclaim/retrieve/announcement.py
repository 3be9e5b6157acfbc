"""What a run will download, said before it does: sizes, and what the user's limit leaves for each file."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from reclaim.errors import UserError
from reclaim.model import Model
from reclaim.retrieve.fetch import Fetcher
from reclaim.retrieve.progress import size_in_words
from reclaim.retrieve.store import store_path

logger = logging.getLogger("reclaim")


class Announcement(Model):
    """Files that were not in the store, with the bytes that their servers announced; null: not said."""

    files: dict[str, int | None] = Field(default_factory=dict)
    there: int = Field(
        0, description="Files that were in the store; another may have to come in their place."
    )
    open_ended: int = Field(0, description="Data sets whose files only a list names that is yet to come.")

    @property
    def known_bytes(self) -> int:
        return sum(size for size in self.files.values() if size is not None)

    def budget(self, urls: Iterable[str], max_gb: float, open_ended: bool = False) -> Budget:
        """What a job may download for these files and for those that only they, or another list, name, so that all
        jobs of a run together stay below its limit: the announced sizes, and an equal part of what they leave."""
        parts = len(self.files) + self.there + self.open_ended
        share = max(0, int(max_gb * 1e9) - self.known_bytes) // max(1, parts)
        return Budget(sum((self.files.get(url) or 0) + share for url in urls) + share * open_ended)


@dataclass
class Budget:
    """Bytes that a job may still download; None: as many as it likes."""

    left: int | None = None

    def spend(self, downloaded: int) -> None:
        if self.left is not None:
            self.left -= downloaded


def announce(
    urls: Iterable[str], store: Path, fetcher: Fetcher, max_gb: float, open_ended: int = 0
) -> Announcement:
    """Ask for the sizes of all files that are not in the store, and log them. `open_ended`: data sets whose files are
    not known yet.

    Raises UserError, with the files, when they are more than `max_gb` in all.
    """
    wanted = dict.fromkeys(urls)
    missing = [url for url in wanted if not (store / store_path(url)).is_file()]
    sizes = {url: fetcher.size(url) for url in missing}
    found = Announcement(files=sizes, there=len(wanted) - len(missing), open_ended=open_ended)
    unknown = sum(size is None for size in found.files.values())
    total = size_in_words(found.known_bytes) + (f" and {unknown} of unknown size" if unknown else "")
    if not missing:
        logger.info("nothing to download: every file is in %s", store)
        return found
    hosts = sorted({urlsplit(url).hostname or "" for url in missing})
    logger.info("to download into %s: %d files, %s, from %s", store, len(missing), total, ", ".join(hosts))
    largest = sorted(missing, key=lambda url: -(found.files[url] or 0))
    lines = [f"  {_size(found.files[url]):>12}  {url}" for url in largest]
    if found.known_bytes > max_gb * 1e9:
        raise UserError(
            [
                f"config: data.max_gb: this run would download {total}, more than the {max_gb:g} GB allowed; raise "
                f"data.max_gb, or run fewer studies:",
                *lines,
            ]
        )
    for line in lines:
        logger.info(line)
    return found


def _size(size: int | None) -> str:
    return "unknown" if size is None else size_in_words(size)
