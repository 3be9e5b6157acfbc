"""The workflow through profiles/slurm, on a real Slurm cluster of two nodes that is started here."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from running import ROOT, SNAKEMAKE, digests, snakemake
from slurm.cluster import NODES, Cluster, slurm_cluster, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

LOCAL_RULES = {"all", "retrieve"}
STUDY = "cdk46_egfr_pdac"
ONE_STUDY = ("--config", f"studies=[{STUDY}]")
"""One study goes through every kind of rule in half the time."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with slurm_cluster() as running:
        yield running


def snakemake_on(cluster: Cluster, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run in `folder` as a user does on a cluster without accounting."""
    folder.mkdir()
    profile = ("--workflow-profile", str(ROOT / "profiles" / "slurm"), "--slurm-status-command", "squeue")
    return subprocess.run(
        [SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), *profile, *arguments],
        cwd=folder,
        env={**os.environ, **cluster.environment, "XDG_CACHE_HOME": str(folder.parent / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        # The plugin waits for ever for a job that it lost sight of.
        timeout=600,
    )


def test_two_nodes_make_the_same_bytes_as_this_machine(cluster: Cluster, tmp_path: Path) -> None:
    """One job has too little memory at first: Slurm kills it, and the next attempt gets more."""
    rule = f"load_mutations_{STUDY}"
    too_little = f'{rule}:mem_mb=20 if attempt == 1 and wildcards.dataset == "pdac_msk" else 2000'
    on_nodes = snakemake_on(cluster, tmp_path / "nodes", "--set-resources", too_little, *ONE_STUDY)
    assert on_nodes.returncode == 0, on_nodes.stdout
    here = snakemake(tmp_path / "here", *ONE_STUDY)
    assert here.returncode == 0, here.stdout
    there, same = digests(tmp_path / "nodes"), digests(tmp_path / "here")
    assert [name for name in sorted(there | same) if there.get(name) != same.get(name)] == []

    jobs = cluster.jobs()
    ended_well = [job for job in jobs if job.state == "COMPLETED"]
    assert Counter(rule_of(job.comment) for job in ended_well) == planned_jobs(here.stdout, LOCAL_RULES)
    assert {job.node for job in ended_well} == set(NODES)
    killed, again = [job for job in jobs if job.comment.endswith("pdac_msk")]
    assert (killed.state, killed.memory) == ("FAILED", "20M")
    assert (again.state, again.memory) == ("COMPLETED", "2000M")


def rule_of(comment: str) -> str:
    """The rule of rule_<rule>_wildcards_as_claimed_..., the comment of a job."""
    return comment.removeprefix("rule_").partition("_wildcards_")[0]


def planned_jobs(output: str, without: set[str]) -> dict[str, int]:
    """Rule -> number of jobs, of the table that Snakemake prints."""
    table = re.findall(r"^(\w+) +(\d+)$", output[output.index("Job stats:") :], re.MULTILINE)
    return {rule: int(count) for rule, count in table if rule not in {"total", *without}}


def test_an_error_on_a_node_is_told(cluster: Cluster, tmp_path: Path) -> None:
    manifest = f"simulated/as_claimed/{STUDY}/simulation.json"
    assert snakemake(tmp_path / "here", manifest).returncode == 0
    store = (tmp_path / "here" / manifest).parent
    archive = store / "datahub.assets.cbioportal.org" / "paad_utsw_2015.tar.gz"
    os.truncate(archive, archive.stat().st_size // 2)

    config = f"data={{source: mirror, store: '{store}'}}"
    target = f"results/public/{STUDY}/data/pdac_utsw.ledger.json"
    arguments = ("--retries", "0", *ONE_STUDY, config, "--", target)
    done = snakemake_on(cluster, tmp_path / "nodes", *arguments)
    assert done.returncode != 0
    assert f"ERROR {archive}: truncated or not a tar archive" in done.stdout, done.stdout
    assert [(rule_of(job.comment), job.state) for job in cluster.jobs()] == [
        (f"load_mutations_{STUDY}", "FAILED")
    ]


def test_nothing_is_left_when_a_test_fails_while_a_job_runs() -> None:
    with suppress(InterruptedError), slurm_cluster() as cluster:
        cluster.ask("sbatch", "--output=/dev/null", "--wrap", "srun sleep 600")
        end = time.monotonic() + 30
        while "sleep" not in programs_of(cluster.folder) and time.monotonic() < end:
            time.sleep(0.1)
        running = {"munged", "slurmctld", "slurmd", "slurmstepd", "slurm_script", "srun", "sleep"}
        assert programs_of(cluster.folder) >= running
        raise InterruptedError
    assert programs_of(cluster.folder) == set()
    assert not cluster.folder.exists()


def programs_of(folder: Path) -> set[str]:
    """Names of the running programs whose command line or environment names `folder`."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if os.fsencode(folder) in told:
                found.add((process / "comm").read_text().strip())
    return found
