"""Files appear whole or not at all, and killed writers leave nothing for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from socket import gethostname

import pytest

from reclaim.job import write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path) -> None:
    write_whole(path, lambda part: part.write_text("new"))


def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    write(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "new"
    assert names(tmp_path) == ["a"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write_whole(tmp_path / "a", fail)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from reclaim.job import write_whole\n"
        "def write(part): part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_whole(Path(sys.argv[1]), write)"
    )
    scripts = str(Path(__file__).parents[2] / "workflow" / "scripts")
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "[a]")],
        env={**os.environ, "PYTHONPATH": scripts},
        check=False,
    )
    assert killed.returncode == -9
    assert len(names(tmp_path)) == 1
    write(tmp_path / "[a]")
    assert names(tmp_path) == ["[a]"]


def test_parts_of_living_writers_of_other_machines_and_of_other_files_stay(tmp_path: Path) -> None:
    others = {
        f".a.{gethostname()}.{os.getppid()}.part",  # alive
        ".a.another-node.999999999.part",
        f".b.{gethostname()}.999999999.part",
    }
    for name in others:
        (tmp_path / name).touch()
    write(tmp_path / "a")
    assert set(names(tmp_path)) == {"a", *others}
