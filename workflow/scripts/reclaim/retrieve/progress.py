"""How far a download is: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import logging
import sys
import time

from tqdm import tqdm

from reclaim.job import progress_logger

logger = logging.getLogger("reclaim")

SECONDS_BETWEEN_LINES = 10


class Progress:
    """A bar on a terminal, a line every few seconds in the log."""

    def __init__(self, address: str, start: int, total: int | None) -> None:
        self.bytes = start
        self._name = address.rsplit("/", 1)[-1][:40] or address
        self._total = f" of {size_in_words(total)}" if total else ""
        self._said = time.monotonic()
        self._bar = tqdm(
            total=total, initial=start, unit="B", unit_scale=True, desc=self._name,
            disable=None, leave=False, file=sys.stderr,
        )  # fmt: skip
        if start:
            logger.info("%s: going on after %s%s", address, size_in_words(start), self._total)
        else:
            logger.info("%s: downloading%s", address, f" {size_in_words(total)}" if total else "")

    def advance(self, received: int) -> None:
        self.bytes += received
        self._bar.update(received)
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            progress_logger.info("%s: %s%s", self._name, size_in_words(self.bytes), self._total)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def size_in_words(number: int) -> str:
    """A number of bytes as people say it: `1.23 GB`."""
    return f"{tqdm.format_sizeof(number)}B" if number >= 1000 else f"{number} bytes"
