"""A bar on a terminal, plain lines in the log."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from faults_of_the_web import Drip
from public_internet import PublicInternet
from running import ROOT

URL = "https://datahub.assets.cbioportal.org/study.tar.gz"
CODE = """
import sys
from pathlib import Path
from reclaim.job import job
from reclaim.retrieve import progress
from reclaim.retrieve.fetch import Fetcher
from reclaim.retrieve.lock import DataLock
from reclaim.retrieve.receipt import Request
from reclaim.retrieve.retrieval import Access, make_receipt
progress.SECONDS_BETWEEN_LINES = 0.2
store = Path(sys.argv[1])
with job(sys.argv[2]):
    make_receipt("data", [Request("file", sys.argv[3])], Access(store, DataLock(store), Fetcher(store)))
"""


@pytest.fixture
def command(internet: PublicInternet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A process that downloads 200 kB in a second."""
    internet.put(URL, os.urandom(200_000))
    internet.fault(URL, Drip(bytes_per_second=200_000, chunk=10_000))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow" / "scripts"))
    return [sys.executable, "-c", CODE, str(tmp_path / "store"), str(tmp_path / "log"), URL]


def lines_of_progress(text: str) -> list[str]:
    return re.findall(r"^INFO study\.tar\.gz: [0-9.]+kB of 200kB$", text, re.MULTILINE)


def test_plain_lines_where_nobody_watches(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(lines_of_progress(done.stderr)) >= 2
    assert "\r" not in done.stderr
    assert f"INFO {URL}: downloading 200kB" in done.stderr
    assert (tmp_path / "log").read_text() == done.stderr


def test_a_bar_on_a_terminal(command: list[str], tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 100))
    with subprocess.Popen(command, stderr=inside) as process:
        os.close(inside)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the other end was closed
                break
            shown += piece
    os.close(terminal)
    assert process.returncode == 0
    text = shown.decode()
    assert re.search(r"\rstudy\.tar\.gz: +\d+%\|", text)
    assert lines_of_progress(text.replace("\r\n", "\n")) == []
    assert len(lines_of_progress((tmp_path / "log").read_text())) >= 2
