"""kill -9 at random moments: the next run ends with the results of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from faults_of_the_web import Drip
from public_internet import PublicInternet, place
from running import ROOT, SNAKEMAKE, digests, snakemake
from small_study import ONE, STUDY, TWO, public, services_of

ROUNDS = 30
VICTIMS = ("snakemake", "everything", "downloader", "job")


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody interfered with."""

    services: Path
    lock: bytes
    results: dict[str, str]
    seconds: float


def slow_web(internet: PublicInternet, services: Path) -> None:
    """Two files that take half a second each, so that a download is there to be killed."""
    for url in (ONE, TWO):
        content = (services / place(url)).read_bytes()
        internet.put(url, content)
        internet.fault(url, Drip(bytes_per_second=2 * len(content)), times=20)


def results(folder: Path) -> dict[str, str]:
    """What a run made, but for what it announced to download: that depends on what was there."""
    return {name: digest for name, digest in digests(folder).items() if not name.endswith("downloads.json")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    services = services_of(folder / "services", seed=1)
    (folder / "small.yaml").write_text(STUDY)
    with PublicInternet() as internet:
        slow_web(internet, services)
        start = time.monotonic()
        done = snakemake(
            folder / "work",
            *public(folder / "small.yaml", folder / "store"),
            environment=internet.environment,
        )
        seconds = time.monotonic() - start
    assert done.returncode == 0, done.stdout
    return Undisturbed(
        services, (folder / "store" / "data.lock.yaml").read_bytes(), results(folder / "work"), seconds
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose processes, orphans included, end with the test."""
    yield tmp_path
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(tmp_path):
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def victim(run: subprocess.Popen[bytes], kind: str) -> int | None:
    """The process to kill, when there is one now."""
    if kind in ("snakemake", "everything"):
        return run.pid
    script = "retrieve.py" if kind == "downloader" else ".py"
    try:
        for process in psutil.Process(run.pid).children(recursive=True):
            command = process.cmdline()
            if len(command) > 1 and ".snakemake/scripts/" in command[-1] and command[-1].endswith(script):
                return process.pid
    except psutil.NoSuchProcess:
        return None
    return None


def kill(run: subprocess.Popen[bytes], kind: str, after: float) -> bool:
    """kill -9 after a while, as soon as there is what is to be killed. False: the run ended before."""
    time.sleep(after)
    while run.poll() is None:
        pid = victim(run, kind)
        if pid is not None:
            try:
                if kind == "everything":
                    os.killpg(run.pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_next_run_ends_as_if_nothing_had_happened(
    number: int, undisturbed: Undisturbed, internet: PublicInternet, folder: Path
) -> None:
    (folder / "small.yaml").write_text(STUDY)
    kind = VICTIMS[number % len(VICTIMS)]
    # A download lasts as long as a third of the run; the others may be hit at any time.
    after = random.Random(number).uniform(0.3, undisturbed.seconds * (0.4 if kind == "downloader" else 0.9))
    for attempt in range(6):
        store, work = folder / f"store{attempt}", folder / f"work{attempt}"
        arguments = public(folder / "small.yaml", store)
        slow_web(internet, undisturbed.services)
        store.mkdir()
        work.mkdir()
        # The lock of the undisturbed run, so that dates of retrieval are the same.
        (store / "data.lock.yaml").write_bytes(undisturbed.lock)
        with (folder / "first.txt").open("wb") as said:
            run = subprocess.Popen(
                [SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *arguments],
                cwd=work, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
            )  # fmt: skip
            hit = kill(run, kind, after)
            run.wait(timeout=60)
        if hit:
            break
        after /= 2  # it had ended before: a round counts only when something was killed
    assert hit
    # Where only Snakemake died, its jobs live on while the next run begins.
    unlocked = snakemake(work, "--unlock", *arguments)
    assert unlocked.returncode == 0, unlocked.stdout
    done = snakemake(work, *arguments)
    assert done.returncode == 0, done.stdout
    assert results(work) == undisturbed.results
    assert (store / "data.lock.yaml").read_bytes() == undisturbed.lock
    for url in (ONE, TWO):
        assert (store / place(url)).read_bytes() == (undisturbed.services / place(url)).read_bytes()
