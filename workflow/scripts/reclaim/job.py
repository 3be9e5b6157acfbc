"""The rim of every script: logging, errors in one line, and files that appear whole or not at all."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from socket import gethostname
from typing import Any

from reclaim.errors import UserError

logger = logging.getLogger("reclaim")
progress_logger = logging.getLogger("reclaim.progress")
"""For lines that a bar on a terminal replaces: there they go to the log file only."""


@contextmanager
def job(log: str) -> Iterator[None]:
    """Log to `log` and to standard error. A user's mistake ends the job with one line and exit code 1;
    anything else leaves its traceback in the log."""
    on_screen = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        on_screen.addFilter(lambda record: record.name != progress_logger.name)
    handlers: list[logging.Handler] = [logging.FileHandler(log, mode="w"), on_screen]
    logging.getLogger("anndata").setLevel(logging.WARNING)  # it tells of every column that it writes
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", handlers=handlers, force=True)
    try:
        yield
    except UserError as error:
        for message in error.messages:
            logger.error(message)
        sys.exit(1)
    except OSError as error:
        if error.errno is None:
            logger.exception("stopped")
            raise
        place = error.filename or "while writing"
        logger.error("%s: %s; mend this and run again", place, os.strerror(error.errno))
        sys.exit(1)
    except Exception:
        logger.exception("stopped by an error of the program; please report it with this log")
        raise


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write under a temporary name in the same folder, then rename: a reader never sees half a file.

    What a killed writer of the same file left behind is removed; one that still lives, or may live on another
    machine, keeps its own.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = f".{path.name}.{gethostname()}."
    for part in path.parent.glob(f"{escape(mine)}*.part"):
        writer = part.name.removeprefix(mine).removesuffix(".part")
        if writer.isdigit() and not _is_alive(int(writer)):
            part.unlink(missing_ok=True)
    temporary = path.with_name(f"{mine}{os.getpid()}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON with sorted keys, whole."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
