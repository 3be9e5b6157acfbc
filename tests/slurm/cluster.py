"""A real Slurm cluster on this one machine: munged, slurmctld and one slurmd for each of two nodes.

All it reads and writes is in a folder below /tmp that goes when it stops; /etc is not touched. It has no
accounting, so the state of a job is what `squeue` says.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

NODES = ("node1", "node2")

# Needs neither cgroups nor systemd. Each node has one core whatever the machine has, so that two jobs at a
# time are on two nodes. Memory is looked at every second, and a job with too much of it killed. Ended
# jobs are remembered for an hour.
CONFIGURATION = """\
ClusterName=reclaim
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MinJobAge=3600
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=1 RealMemory=8000
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=batch Nodes=ALL Default=YES
"""

# Inside a job Snakemake's Slurm plugin calls srun without any variable whose name begins with SLURM.
SRUN = """\
#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""


def why_not() -> str:
    """What this machine lacks for a cluster; empty if nothing."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name)]
    if missing:
        return f"no {', '.join(missing)} here; apt-get install munge slurm-wlm"
    return "" if os.geteuid() == 0 else "only root can start a Slurm cluster"


@contextmanager
def slurm_cluster() -> Iterator[Cluster]:
    """A cluster with idle nodes. Whatever happens meanwhile, nothing of it is left."""
    # Not in pytest's folder: the path of a socket may have 107 characters, and munged wants the folders
    # above its own open to all.
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@dataclass(frozen=True)
class Job:
    """A job as Slurm knows it. The plugin writes rule and wildcards into the comment."""

    comment: str
    state: str
    node: str
    memory: str


@dataclass
class Cluster:
    """The daemons that run from one folder, and what a client needs to reach them."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make Slurm's commands, and with them Snakemake, use this cluster."""
        return {
            "SLURM_CONF": f"{self.folder}/slurm.conf",
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Return when all nodes are idle; raises RuntimeError with the daemons' output if they are not."""
        self._write_files()
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{option}={self.folder}/munge.{name}" for option, name in files.items()]
        self._run_daemon("munged", "--foreground", *options)
        self._wait(lambda: (self.folder / "munge.socket").exists())
        self._run_daemon("slurmctld", "-D")
        for node in NODES:
            self._run_daemon("slurmd", "-D", "-N", node)
        self._wait(lambda: self.ask("sinfo", "--Node", "--noheader", "--format=%t").split() == ["idle"] * 2)

    def stop(self) -> None:
        """Kill daemons and jobs: every process that was started with this cluster's SLURM_CONF."""
        while processes := self._processes():
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            for daemon in self.daemons:
                daemon.wait()

    def ask(self, *command: str) -> str:
        """Standard output of one of Slurm's commands."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    def jobs(self) -> list[Job]:
        """All jobs that were ever submitted, in that order."""
        lines = self.ask("squeue", "--states=all", "--sort=i", "--noheader", "--format=%k|%T|%N|%m")
        return [Job(*line.split("|")) for line in lines.splitlines()]

    def _write_files(self) -> None:
        self.folder.chmod(0o755)
        for name in ("bin", "state", *NODES):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        host = socket.gethostname().partition(".")[0]
        configuration = CONFIGURATION.format(host=host, folder=self.folder, nodes=NODES, ports=free_ports(3))
        (self.folder / "slurm.conf").write_text(configuration)
        srun = self.folder / "bin" / "srun"
        srun.write_text(SRUN.format(folder=self.folder, srun=shutil.which("srun")))
        srun.chmod(0o755)

    def _run_daemon(self, *command: str) -> None:
        with (self.folder / f"{len(self.daemons)}_{command[0]}.out").open("wb") as output:
            daemon = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests; they stop the cluster.
                start_new_session=True,
            )
        self.daemons.append(daemon)

    def _wait(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self.daemons):
                said = [f"{path.name}:\n{path.read_text()}" for path in sorted(self.folder.glob("*.out"))]
                raise RuntimeError("\n".join(["the Slurm cluster did not start", *said]))
            time.sleep(0.1)

    def _processes(self) -> list[int]:
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found


def free_ports(count: int) -> list[int]:
    """Different ports on which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
