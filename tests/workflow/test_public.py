"""Public data through the whole workflow, from services on this machine: fetched, locked, copied, verified."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
from faults_of_the_web import Replace, Status
from public_internet import PublicInternet, place
from running import ROOT, digests, planned, snakemake, without_network
from small_study import ONE, STUDY, TWO, public, services_of

from reclaim.simulate.internet import simulate_study
from reclaim.study_file import read_study


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return services_of(tmp_path_factory.mktemp("services"), seed=1)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def web(internet: PublicInternet, services: Path) -> PublicInternet:
    for url in (ONE, TWO):
        internet.put(url, (services / place(url)).read_bytes())
    return internet


def runs(folder: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> str:
    done = snakemake(folder, *arguments, prefix=prefix)
    assert done.returncode == 0, done.stdout
    return done.stdout


def fails(folder: Path, *arguments: str) -> str:
    done = snakemake(folder, *arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def claims(folder: Path, run: str = "public") -> pd.DataFrame:
    return pd.read_csv(folder / "results" / run / "claims.tsv", sep="\t").set_index("claim")


def test_a_store_is_filled_copied_and_read_without_a_network(
    web: PublicInternet, study: Path, tmp_path: Path
) -> None:
    said = runs(tmp_path / "first", *public(study, tmp_path / "store"))
    assert "to download into" in said
    assert "2 files" in said
    assert len([request for request in web.requests if request.status == 200]) == 2
    shutil.copytree(tmp_path / "store", tmp_path / "copy", ignore=shutil.ignore_patterns(".reclaim"))
    runs(tmp_path / "second", *public(study, tmp_path / "copy", source="mirror"), prefix=without_network())
    first, second = digests(tmp_path / "first"), digests(tmp_path / "second")
    assert {"results/public/claims.tsv", "results/public/report.html"} <= set(first)
    different = {name for name in first | second if first.get(name) != second.get(name)}
    assert different == {"results/public/downloads.json"}  # a mirror announces nothing
    assert not (tmp_path / "copy" / ".reclaim").exists()

    # Nothing is done twice, nor because of how the web is reached.
    assert planned(tmp_path / "first", ROOT, *public(study, tmp_path / "store")) == {}
    settings = {"mirrors": [web.mirror], "max_gb": 1, "retries": 3, "accept_changes": [ONE]}
    assert planned(tmp_path / "first", ROOT, *public(study, tmp_path / "store", **settings)) == {}


def test_an_edited_claim_is_marked_and_its_data_are_left_alone(
    web: PublicInternet, study: Path, tmp_path: Path
) -> None:
    arguments = public(study, tmp_path / "store")
    runs(tmp_path / "work", *arguments)
    found = claims(tmp_path / "work")
    assert found.loc["C2", "verdict"] == "supported"
    assert not found["post_hoc"].any()
    registered = json.loads((tmp_path / "work/results/public/registration.json").read_text())["small"]
    page = (tmp_path / "work/results/public/report.html").read_text()
    assert f"Registered in the lock of the store at {registered['C1']['registered_at']}" in page

    study.write_text(STUDY.replace("protein_change: G12C}", "protein_change: G12S}"))
    jobs = planned(tmp_path / "work", ROOT, *arguments)
    assert "announce" in jobs
    assert not [rule for rule in jobs if rule.startswith(("retrieve", "load"))]
    runs(tmp_path / "work", *arguments)
    found = claims(tmp_path / "work")
    assert list(found["post_hoc"]) == [False, True]
    assert found.loc["C2", "verdict"] == "consistent"
    assert "post hoc: the claim was edited after data" in found.loc["C2", "reason"]
    assert (
        "No (post hoc): the claim was edited after"
        in (tmp_path / "work/results/public/report.html").read_text()
    )


def test_a_data_set_that_its_service_does_not_have_is_absent_and_the_run_goes_on(
    web: PublicInternet, study: Path, tmp_path: Path
) -> None:
    web.fault(TWO, Status(404), times=math.inf)
    runs(tmp_path / "first", *public(study, tmp_path / "store"))
    evidence = pd.read_csv(tmp_path / "first/results/public/evidence.tsv", sep="\t")
    rows = evidence[evidence["dataset"] == "two"]
    assert set(rows["outcome"]) == {"invalid"}
    assert rows["flags"].str.contains("absent").all()
    assert claims(tmp_path / "first").loc["C2", "verdict"] == "consistent"
    page = (tmp_path / "first/results/public/report.html").read_text()
    assert f"The service does not have {TWO} (404" in page
    runs(tmp_path / "second", *public(study, tmp_path / "store", source="mirror"))
    first, second = digests(tmp_path / "first"), digests(tmp_path / "second")
    assert {name for name in first if first[name] != second[name]} == {"results/public/downloads.json"}


def test_a_change_upstream_stops_the_run_until_it_is_accepted(
    web: PublicInternet, services: Path, study: Path, tmp_path: Path
) -> None:
    runs(tmp_path / "first", *public(study, tmp_path / "store"))
    another = tmp_path / "another"
    another.mkdir()
    shutil.copy2(tmp_path / "store" / "data.lock.yaml", another)
    other = services_of(tmp_path / "other", seed=2)
    web.put(ONE, (other / place(ONE)).read_bytes())
    said = fails(tmp_path / "work", *public(study, another))
    assert f"ERROR {ONE}: changed since it was locked on" in said
    (accepting,) = {line.split("--config ")[1] for line in said.splitlines() if "--config '" in line}
    assert accepting == f"'data={{accept_changes: [\"{ONE}\"]}}'"
    runs(tmp_path / "work", *public(study, another, accept_changes=[ONE]))
    assert (another / place(ONE)).read_bytes() == (other / place(ONE)).read_bytes()
    assert "hold the locked bytes" in runs(tmp_path / "work", "verify", *public(study, another))


def test_verify_finds_a_flipped_bit(web: PublicInternet, study: Path, tmp_path: Path) -> None:
    arguments = public(study, tmp_path / "store")
    runs(tmp_path / "work", *arguments)
    assert "2 files hold the locked bytes, 0 are locked" in runs(tmp_path / "work", "verify", *arguments)
    path = tmp_path / "store" / place(ONE)
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    assert f"ERROR {path}: not the locked bytes" in fails(tmp_path / "work", "verify", *arguments)


def test_more_than_the_user_meant(web: PublicInternet, study: Path, tmp_path: Path) -> None:
    said = fails(tmp_path / "work", *public(study, tmp_path / "store", max_gb=1e-5))
    assert "ERROR config: data.max_gb: this run would download" in said
    assert ONE in said
    assert TWO in said
    assert not list((tmp_path / "store").rglob("*.tar.gz"))


def test_an_error_of_one_data_set_leaves_the_others_in_the_store(
    web: PublicInternet, study: Path, tmp_path: Path
) -> None:
    web.fault(TWO, Replace(b"<html><title>Maintenance</title></html>"), times=math.inf)
    said = fails(tmp_path / "work", "--keep-going", *public(study, tmp_path / "store"))
    assert f"ERROR {TWO}: could not be fetched: the server sent an HTML page ('<html><title>Maint" in said
    web.heal()
    asked = len(web.requests)
    runs(tmp_path / "work", *public(study, tmp_path / "store"))
    assert {request.url for request in web.requests[asked:]} == {TWO}


def test_bytes_that_change_during_a_run_are_noticed(web: PublicInternet, study: Path, tmp_path: Path) -> None:
    arguments = public(study, tmp_path / "store")
    runs(tmp_path / "work", "--until", "retrieve", *arguments)
    path = tmp_path / "store" / place(ONE)
    path.write_bytes(path.read_bytes() + b"\0")
    assert f"ERROR {path}: not the bytes of its receipt" in fails(tmp_path / "work", *arguments)


def test_every_file_of_every_study_is_found_where_its_url_says(tmp_path: Path) -> None:
    """All sources and references, also files that only a fetched one names (aliquots of the GDC)."""
    services = tmp_path / "services"
    for path in [*sorted((ROOT / "seeds").glob("*.yaml")), *(ROOT / "tests" / "panel").glob("*.yaml")]:
        simulate_study(read_study(path), "as_claimed", 1, services)
    config = {"source": "public", "store": str(tmp_path / "store"), "retries": 0, "timeout": 20}
    with PublicInternet([services]) as internet:
        done = snakemake(
            tmp_path / "work",
            *("--until", "retrieve", "--config", f"data={json.dumps(config)}"),
            environment=internet.environment,
        )
        assert internet.peak <= 2  # downloads at once
    assert done.returncode == 0, done.stdout
    receipts = [
        json.loads(path.read_text()) for path in (tmp_path / "work/results/public").glob("*/receipts/*.json")
    ]
    assert len(receipts) >= 15
    assert {receipt["status"] for receipt in receipts} == {"present"}
    fetched = {file["path"] for receipt in receipts for file in receipt["files"]}
    there = {str(path.relative_to(services)) for path in services.rglob("*") if path.is_file()}
    assert fetched <= there
    # Of studies in single files only those are fetched that are read, of ChIP-Atlas the experiments that are chosen.
    left = {name for name in there - fetched if "/eachData/" not in name}
    assert {Path(name).name.partition("_")[0] for name in left} <= {"meta"}
