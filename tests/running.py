"""Run the workflow as a user does: the snakemake command in a folder of its own."""

from __future__ import annotations

import os
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
