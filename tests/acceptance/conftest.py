"""Real public data, found through RECLAIM_REALDATA; the tests are skipped where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def realdata() -> Path:
    folder = Path(os.environ.get("RECLAIM_REALDATA", ROOT.parent / "shared" / "realdata"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set RECLAIM_REALDATA")
    return folder
