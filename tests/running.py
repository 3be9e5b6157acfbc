"""Run the workflow as a user does: the snakemake command in a folder of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))


def snakemake(
    folder: Path,
    *arguments: str,
    root: Path = ROOT,
    prefix: tuple[str, ...] = (),
    cores: int = 2,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run in `folder` with the Snakefile of `root`; standard output and error are in one text."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*prefix, SNAKEMAKE, "--snakefile", str(root / "Snakefile"), "--cores", str(cores), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache"), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def own_study(*paths: Path) -> list[str]:
    """Arguments that run study files on local data alone, into results/own/."""
    return ["--config", f"studies=[{','.join(map(str, paths))}]", "data={source: mirror}", "run=own"]


def without_network() -> tuple[str, ...]:
    """A prefix that takes the network away, where the machine allows it."""
    prefix = ("unshare", "--map-root-user", "--net")
    allowed = shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False).returncode == 0
    return prefix if allowed else ()


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file that a run makes, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("results", "simulated")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file()
    }


def planned(folder: Path, root: Path, *arguments: str) -> dict[str, int]:
    """Rule -> number of jobs that a dry run would start."""
    done = snakemake(folder, "--dry-run", *arguments, root=root)
    assert done.returncode == 0, done.stdout
    block = done.stdout[done.stdout.index("Job stats:") :] if "Job stats:" in done.stdout else ""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", block, re.MULTILINE)}
