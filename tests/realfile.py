"""Single files among the real public data."""

from __future__ import annotations

from pathlib import Path

import pytest


def real_file(path: Path) -> Path:
    """The file; the test that asks for it is skipped, visibly, where it is not."""
    if not path.is_file():
        pytest.skip(f"no real data at {path}: set RECLAIM_REALDATA")
    return path
