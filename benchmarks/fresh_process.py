"""Time and peak memory of a program, measured from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import NamedTuple


class Run(NamedTuple):
    """Wall time and processor time in seconds, peak resident memory in GB."""

    seconds: float
    processor: float
    peak: float


def measure(command: list[str]) -> Run:
    """One process, which a fresh process starts and waits for: only so is the peak its own."""
    code = (
        "import json, resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9]))"
    )  # ru_maxrss is in KB on Linux
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, stdout=subprocess.PIPE, text=True
    )
    return Run(*json.loads(done.stdout))
