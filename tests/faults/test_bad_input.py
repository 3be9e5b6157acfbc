"""Bad input: one line that names file, place, expectation and remedy; nothing half-written stays."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from running import own_study, snakemake

STUDY = """\
id: mine
title: A claim on my own mutation calls
source: {kind: other, document: notebook, date: 2026-01-05}
datasets:
  cohort:
    source: file
    format: maf
    path: calls.maf
    sample_table: {path: samples.tsv, sample: SAMPLE, patient: PATIENT}
    tier: {disease: same, system: same, perturbation: same, readout: same, time: same}
    independent: true
claims:
  - id: C1
    statement: Most of my tumours carry a TP53 mutation.
    where: page 1
    gap: none
    tests:
      - id: tp53_share
        role: primary
        analysis: mutation_frequency
        datasets: [cohort]
        feature: {gene: TP53}
    decision: {rule: bound, bound: nearly_all}
"""
HEADER = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tHGVSp_Short\n"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A small study that runs, with its files beside it."""
    folder = tmp_path / "my study"
    folder.mkdir()
    samples = [f"S{number:02d}" for number in range(20)]
    (folder / "samples.tsv").write_text(
        "SAMPLE\tPATIENT\n" + "".join(f"{sample}\tP{sample}\n" for sample in samples)
    )
    (folder / "calls.maf").write_text(
        HEADER
        + "".join(f"TP53\t{sample}\tMissense_Mutation\tp.R175H\n" for sample in samples[:12])
        + "".join(f"KRAS\t{sample}\tMissense_Mutation\tp.G12D\n" for sample in samples[4:9])
    )
    (folder / "study.yaml").write_text(STUDY)
    return folder / "study.yaml"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def fails(tmp_path: Path, arguments: list[str], *expected: str) -> subprocess.CompletedProcess[str]:
    """The run fails with one line that holds every expected piece, without a traceback, and leaves
    neither temporary files nor verdicts."""
    done = snakemake(tmp_path / "work", *arguments)
    assert done.returncode != 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if all(piece in line for piece in expected)]
    assert lines, f"no line with {expected} in:\n{done.stdout}"
    assert "Traceback" not in done.stdout
    left = [path for path in (tmp_path / "work").rglob("*") if path.name.endswith(".part")]
    assert left == []
    assert not list((tmp_path / "work").glob("results/*/claims.*"))
    assert not list((tmp_path / "work").glob("results/*/report.html"))
    return done


def test_the_unspoilt_study_runs(study: Path, tmp_path: Path) -> None:
    done = snakemake(tmp_path / "work", "results/own/claims.tsv", *own_study(study))
    assert done.returncode == 0, done.stdout


def test_misspelt_study_key(study: Path, tmp_path: Path) -> None:
    edit(study, "statement:", "statment:")
    fails(
        tmp_path,
        own_study(study),
        f"{study}:14: claims.C1.statment: unknown key 'statment'",
        "did you mean statement?",
    )


def test_unknown_data_set_name(study: Path, tmp_path: Path) -> None:
    edit(study, "datasets: [cohort]", "datasets: [cohrt]")
    fails(
        tmp_path,
        own_study(study),
        f"{study}:21: claims.C1.tests.tp53_share.datasets: unknown data set 'cohrt'",
        "did you mean cohort?",
    )


def test_duplicate_claim_id(study: Path, tmp_path: Path) -> None:
    study.write_text(STUDY + "  - {id: C1, statement: Another., where: page 2, not_testable: an outlook}\n")
    fails(
        tmp_path,
        own_study(study),
        f"{study}:24: claims.C1.id: the claim id 'C1' stands twice",
        "give each claim",
    )


def test_two_primary_tests(study: Path, tmp_path: Path) -> None:
    second = (
        "      - {id: kras_share, role: primary, analysis: mutation_frequency, datasets: [cohort],"
        " feature: {gene: KRAS}}\n"
    )
    edit(study, "    decision:", second + "    decision:")
    fails(
        tmp_path,
        own_study(study),
        f"{study}:13: claims.C1: claim C1 has 2 primary tests (tp53_share, kras_share), expected one",
        "change a role",
    )


def test_gene_symbol_that_is_not_in_the_data(study: Path, tmp_path: Path) -> None:
    edit(study, "gene: TP53", "gene: TP35")
    fails(
        tmp_path,
        own_study(study),
        f"{study}:22: claims.C1.tests.tp53_share.feature: gene 'TP35' is in none of its data sets (cohort)",
        "did you mean TP53?",
        "assayed_genes",
    )


def test_a_gene_listed_as_assayed_may_be_without_mutations(study: Path, tmp_path: Path) -> None:
    edit(study, "gene: TP53", "gene: RB1")
    edit(study, "    independent: true", "    independent: true\n    assayed_genes: [RB1]")
    done = snakemake(tmp_path / "work", "results/own/claims.tsv", *own_study(study))
    assert done.returncode == 0, done.stdout


def test_maf_without_a_needed_column(study: Path, tmp_path: Path) -> None:
    maf = study.with_name("calls.maf")
    edit(maf, "Variant_Classification", "Variant_Class")
    fails(
        tmp_path,
        own_study(study),
        f"{maf}:1: no column 'Variant_Classification'; did you mean Variant_Class?",
        "name the right one under `columns`",
    )


def test_empty_maf(study: Path, tmp_path: Path) -> None:
    maf = study.with_name("calls.maf")
    maf.write_text("#version 2.4\n" + HEADER)
    fails(tmp_path, own_study(study), f"{maf}:2: a header but no mutations", "use the file with the calls")


def test_maf_of_no_bytes(study: Path, tmp_path: Path) -> None:
    maf = study.with_name("calls.maf")
    maf.write_bytes(b"")
    fails(tmp_path, own_study(study), f"{maf}:1: empty; expected a header line and data")


def test_non_utf8_bytes_in_a_maf(study: Path, tmp_path: Path) -> None:
    maf = study.with_name("calls.maf")
    maf.write_bytes(maf.read_bytes().replace(b"p.R175H", b"p.R175\xe9", 1))
    fails(tmp_path, own_study(study), f"{maf}:2: byte 0xe9 is not UTF-8", "iconv")


def test_non_utf8_bytes_in_a_study_file(study: Path, tmp_path: Path) -> None:
    study.write_bytes(study.read_bytes().replace(b"A claim", b"A cl\xe4im"))
    fails(tmp_path, own_study(study), f"{study}:2: byte 0xe4 is not UTF-8", "iconv")


def test_file_that_is_not_there(study: Path, tmp_path: Path) -> None:
    study.with_name("calls.maf").unlink()
    fails(
        tmp_path,
        own_study(study),
        f"{study.with_name('calls.maf')}: there is no such file",
        "correct the path",
    )


def test_samples_that_do_not_match(study: Path, tmp_path: Path) -> None:
    edit(study, "sample: SAMPLE", "sample: PATIENT")
    fails(tmp_path, own_study(study), "none of its samples (such as 'S00')", "'PATIENT' (such as 'PS00')")


def test_column_of_a_selection_that_is_not_there_makes_the_data_set_absent(
    study: Path, tmp_path: Path
) -> None:
    edit(study, "    independent: true", "    independent: true\n    samples: {GRDE: high}")
    done = snakemake(tmp_path / "work", "results/own/claims.tsv", *own_study(study))
    assert done.returncode == 0, done.stdout
    claims = (tmp_path / "work/results/own/claims.tsv").read_text()
    assert "\tinconclusive\t" in claims
    assert "no column 'GRDE'" in claims


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data in URL layout, made by the simulator."""
    folder = tmp_path_factory.mktemp("mirror") / "work"
    target = "simulated/as_claimed/cdk46_egfr_pdac/simulation.json"
    done = snakemake(folder, target)
    assert done.returncode == 0, done.stdout
    return folder / Path(target).parent


def spoil(
    mirror: Path, tmp_path: Path, change: Callable[[Path], object], host_and_path: str
) -> tuple[Path, list[str]]:
    store = tmp_path / "store"
    shutil.copytree(mirror, store)
    path = store / host_and_path
    change(path)
    return path, ["--config", "studies=[cdk46_egfr_pdac]", f"data={{source: mirror, store: '{store}'}}"]


ARCHIVE = "datahub.assets.cbioportal.org/paad_utsw_2015.tar.gz"
FILES = "media.githubusercontent.com/media/cBioPortal/datahub/master/public/paad_qcmg_uq_2016"


def test_truncated_archive(mirror: Path, tmp_path: Path) -> None:
    path, arguments = spoil(mirror, tmp_path, lambda p: os.truncate(p, p.stat().st_size // 2), ARCHIVE)
    done = fails(
        tmp_path, arguments, f"{path}: truncated or not a tar archive", "delete it and fetch it again"
    )
    assert not list((tmp_path / "work").glob("results/public/*/data/pdac_utsw.*")), done.stdout


def test_missing_store_file(mirror: Path, tmp_path: Path) -> None:
    path, arguments = spoil(mirror, tmp_path, Path.unlink, ARCHIVE)
    fails(tmp_path, arguments, f"{path}: missing in the store; copy it there from https://{ARCHIVE}")


def test_every_missing_file_of_a_data_set_is_listed(mirror: Path, tmp_path: Path) -> None:
    path, arguments = spoil(mirror, tmp_path, shutil.rmtree, FILES)
    done = fails(tmp_path, arguments, f"{path}/data_mutations.txt: missing in the store")
    assert len(set(re.findall(rf"{re.escape(str(path))}/(\S+): missing", done.stdout))) == 4


def test_lfs_pointer_in_place_of_data(mirror: Path, tmp_path: Path) -> None:
    def pointer(path: Path) -> None:
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 34323012\n")

    path, arguments = spoil(mirror, tmp_path, pointer, f"{FILES}/data_mutations.txt")
    fails(
        tmp_path,
        arguments,
        f"{path}:1: a Git-LFS pointer",
        "version https://git-lfs",
        "fetch the file itself",
    )


def test_html_page_in_place_of_data(mirror: Path, tmp_path: Path) -> None:
    def page(path: Path) -> None:
        path.write_text("<!DOCTYPE html>\n<html><title>403 Forbidden</title></html>\n")

    path, arguments = spoil(mirror, tmp_path, page, ARCHIVE)
    fails(tmp_path, arguments, f"{path}:1: an HTML page", "<!DOCTYPE html>", "fetch it again")


def test_unwritable_results_folder(tmp_path: Path) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    (work / "results").mkdir(parents=True)
    home.mkdir()
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        # As nobody, who may read everything here and write only what is theirs.
        for folder in (tmp_path, work, home):
            os.chown(folder, 65534, 65534)
        prefix = (
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
            *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
        )
    (work / "results").chmod(0o555)
    done = snakemake(work, prefix=prefix, environment={"HOME": str(home), "XDG_CACHE_HOME": str(home)})
    assert done.returncode != 0
    assert "results: cannot be written to" in done.stdout
    assert "make it writable, or run in another folder with --directory" in done.stdout
    assert "Traceback" not in done.stdout
    assert list((work / "results").iterdir()) == []


def test_unknown_study_and_unknown_config_key(tmp_path: Path) -> None:
    fails(
        tmp_path,
        ["--config", "studies=[cdk46_egfr_pdca]"],
        "no study 'cdk46_egfr_pdca'",
        "did you mean cdk46_egfr_pdac?",
    )
    fails(tmp_path, ["--config", "sed=3"], "config: sed: unknown key 'sed'", "did you mean seed?")
    fails(tmp_path, ["--config", "data={source: clay}"], "config: data.source: found 'clay'", "'simulated'")
