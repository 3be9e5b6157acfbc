"""The default study in the four simulated worlds, through the whole workflow."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from running import ROOT, digests, planned, snakemake, without_network

PDAC, TREX1, GPNMB, PANEL = "cdk46_egfr_pdac", "trex1_sting", "gpnmb_siglec9_tnbc", "control_claims"
IKAROS = "ikaros_fos_myeloma"
TESTED_T = ("T1", "T2", "T3", "T5", "T6")
TESTED_G = ("G1", "G2", "G3", "G4", "G5", "G7", "G8", "G16", "G20")
TESTED_M = ("M-B1", "M1", "M2a", "M2b", "M3", "M7", "M11", "M12", "M13")
UNTESTED = ("no_public_data", "not_testable")
WORLDS = ("as_claimed", "no_effect", "reversed", "confounded")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `snakemake worlds` has run."""
    folder = tmp_path_factory.mktemp("worlds") / "work"
    done = snakemake(folder, "worlds")
    assert done.returncode == 0, done.stdout
    return folder


def verdicts(folder: Path, world: str, study: str = "") -> dict[str, str]:
    """Verdict of every claim, of one study or of all; control claims only by name."""
    table = pd.read_csv(folder / "results" / world / "claims.tsv", sep="\t")
    table = table[table["study"] == study] if study else table[table["study"] != PANEL]
    return dict(zip(table["claim"], table["verdict"], strict=True))


def test_every_claim_has_a_verdict(worlds: Path) -> None:
    assert list(verdicts(worlds, "as_claimed", TREX1)) == [f"T{number}" for number in range(1, 16)]
    found = verdicts(worlds, "as_claimed", PDAC)
    assert list(found) == [f"P{number}" for number in range(1, 19)]
    assert {
        claim for claim, verdict in found.items() if verdict not in ("not_testable", "no_public_data")
    } == {
        "P1",
        "P2",
        "P6",
        "P18",
    }
    assert {claim for claim, verdict in found.items() if verdict == "no_public_data"} >= {
        "P7",
        "P9",
        "P11",
        "P12",
    }


def test_the_readme_shows_the_verdicts_of_the_default_run(worlds: Path) -> None:
    """`claim  verdict  rule  numbers  statement`, of a run without any setting: the world as_claimed."""
    table = pd.read_csv(worlds / "results" / "as_claimed" / "claims.tsv", sep="\t").set_index("claim")
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```")
    shown = next(block for block in blocks if block.startswith("text\nclaim  verdict"))
    rows = [re.split("  +", line) for line in shown.splitlines()[2:]]
    assert rows
    for claim, verdict, *rule_and_numbers, statement in rows:
        row = table.loc[claim]
        assert row["verdict"] == verdict
        assert row["statement"].startswith(statement.removesuffix(" ..."))
        if rule_and_numbers:
            rule, *numbers = rule_and_numbers
            assert rule == row["rule"]
            digits = 3 if rule == "bound" else 2
            assert numbers == [f"{row[name]:.{digits}f}" for name in ("effect", "ci_low", "ci_high")]


def test_as_claimed_supports(worlds: Path) -> None:
    found = verdicts(worlds, "as_claimed")
    assert {found[claim] for claim in ("P1", "P2", "P6", *TESTED_T, *TESTED_G)} <= {"supported", "consistent"}
    assert {found[claim] for claim in ("P1", "P2", "P6", "G1", "G2", "G3", "G16")} == {"supported"}


@pytest.mark.parametrize("world", ["no_effect", "confounded"])
def test_nothing_is_supported_where_nothing_is(worlds: Path, world: str) -> None:
    assert "supported" not in verdicts(worlds, world).values()


def test_expression_claims_are_not_even_consistent_where_nothing_is(worlds: Path) -> None:
    """Positive controls work in that world too, and must not speak for the claims they gate."""
    found = verdicts(worlds, "no_effect")
    assert {found[claim] for claim in (*TESTED_T, *TESTED_G)} <= {"not_supported", "inconclusive"}


def test_what_moves_many_genes_is_seen_by_comparison_with_others(worlds: Path) -> None:
    """A nuisance that lifts 30 % of all genes makes expression claims agree; other genes tell."""
    claims = pd.read_csv(worlds / "results" / "confounded" / "claims.tsv", sep="\t").set_index("claim")
    # Of the 30 % of genes that it moves, as many pass as the rule is precise enough for.
    for claim in ("T3", "C1"):
        assert 0.1 < claims.loc[claim, "background_rate"] < 0.36
        assert claims.loc[claim, "null_rate"] < 0.01
    assert claims["reason"].str.contains("of comparable genes").any()
    assert "supported" not in set(claims["verdict"])


def test_control_claims_come_out_as_they_should(worlds: Path) -> None:
    known = {"C1": True, "C2": True, "C3": True, "C4": False, "C5": False}
    for world in ("as_claimed", "no_effect", "reversed"):
        found = verdicts(worlds, world, PANEL)
        right = {claim: verdict in ("supported", "consistent") for claim, verdict in found.items()}
        assert right == known, (world, found)
        page = (worlds / "results" / world / "report.html").read_text()
        assert "5 of 5 control claims came out as they should" in page
    # In the world of the nuisance they show that something is wrong with the data.
    found = verdicts(worlds, "confounded", PANEL)
    assert found["C3"] not in ("supported", "consistent")
    assert "5 of 5 control claims" not in (worlds / "results" / "confounded" / "report.html").read_text()


def test_rates_and_percentiles_stand_in_the_tables(worlds: Path) -> None:
    claims = pd.read_csv(worlds / "results" / "as_claimed" / "claims.tsv", sep="\t").set_index("claim")
    assert claims.loc["T3", "null_rate"] == 0
    assert claims.loc["T3", "background_rate"] < 0.02
    assert "2 samples in the smaller arm" in claims.loc["T1", "reason"]
    rows = pd.read_csv(worlds / "results" / "as_claimed" / "evidence.tsv", sep="\t")
    compared = rows[(rows["analysis"] == "differential_expression") & (rows["role"] != "gate")]
    assert compared["null_percentile"].between(1 / 1001, 1).all()
    assert rows.loc[rows["analysis"] == "mutation_frequency", "null_percentile"].isna().all()


def test_a_correlation_that_a_cell_type_makes_is_not_supported(worlds: Path) -> None:
    """In the confounded world both genes follow the share of myeloid cells, and nothing beyond."""
    rows = pd.read_csv(worlds / "results" / "confounded" / "evidence.tsv", sep="\t")

    def rho(test: str) -> float:
        return float(rows.loc[rows["test"] == test, "effect"].mean())

    assert rho("gpnmb_siglec9") > 0.25
    assert rho("gpnmb_siglec9_myeloid") < rho("gpnmb_siglec9") / 2
    claims = pd.read_csv(worlds / "results" / "confounded" / "claims.tsv", sep="\t").set_index("claim")
    # The score of four genes does not take all of it away; that genes of this kind of cell all do so tells.
    assert claims.loc["G2", "verdict"] in ("consistent", "inconclusive")
    assert claims.loc["G2", "background_rate"] > 0.2


def test_every_claim_of_the_gpnmb_study_is_decided(worlds: Path) -> None:
    found = verdicts(worlds, "as_claimed", GPNMB)
    assert list(found) == [f"G{number}" for number in range(1, 21)]
    coming = {"G6", "G9", "G17"}
    table = pd.read_csv(worlds / "results" / "as_claimed" / "claims.tsv", sep="\t").set_index("claim")
    assert {found[claim] for claim in coming} == {"no_public_data"}
    assert table.loc[sorted(coming), "reason"].str.contains("coming").all()
    untested = {claim for claim, verdict in found.items() if verdict in ("no_public_data", "not_testable")}
    assert set(found) - untested == set(TESTED_G)


def test_the_ikaros_study(worlds: Path) -> None:
    """Peaks, their genes, the response to lenalidomide and knock-outs: sixteen claims, nine of them tested."""
    found = {world: verdicts(worlds, world, IKAROS) for world in WORLDS}
    numbered = [f"M{number}" for number in range(3, 14)]
    assert list(found["as_claimed"]) == ["M-B1", "M-B2", "M1", "M2a", "M2b", *numbered]
    coming = pd.read_csv(worlds / "results" / "as_claimed" / "claims.tsv", sep="\t").set_index("claim")
    assert "coming" in coming.loc["M8", "reason"]
    tested = {claim for claim, verdict in found["as_claimed"].items() if verdict not in UNTESTED}
    assert tested == set(TESTED_M)
    # Where Fos is at many targets of Ikaros, four named ones cannot tell more than that.
    assert {found["as_claimed"][claim] for claim in TESTED_M if claim != "M3"} <= {"supported", "consistent"}
    assert found["as_claimed"]["M-B1"] == "supported"
    for world in ("no_effect", "reversed"):
        assert {found[world][claim] for claim in TESTED_M} <= {
            "inconclusive",
            "not_supported",
            "contradicted",
        }
    for claim in ("M7", "M11", "M12"):
        assert found["no_effect"][claim] == found["reversed"][claim] == "not_supported"
    rows = pd.read_csv(worlds / "results" / "as_claimed" / "evidence.tsv", sep="\t").set_index("test")
    controls = [test for test in rows.index if test.endswith(("b_lymphoblasts", "t_cells")) and "fos" in test]
    assert len(controls) == 3
    assert (rows.loc[controls, "tier"] == "indirect").all()  # negative controls decide nothing
    assert rows.loc["ikaros_fos", "null_percentile"] < 0.1


def test_a_naive_reading_of_the_confounded_world_would_be_wrong(worlds: Path) -> None:
    """Where many tumours hide their mutations, the ungated share falls below the bound of 75 %,
    although the truth is 85 %."""
    table = pd.read_csv(worlds / "results" / "confounded" / "evidence.tsv", sep="\t")

    def pooled_share(test: str) -> float:
        rows = table[(table["test"] == test) & (table["dataset"] != "pdac_msk")]
        return float(rows["n_events"].sum() / rows["n"].sum())

    assert pooled_share("kras_share_ungated") < 0.75 < pooled_share("kras_share")


def test_reversed_is_never_supported_or_consistent(worlds: Path) -> None:
    found = verdicts(worlds, "reversed")
    assert {found[claim] for claim in ("P1", "P2", "P6", "P18", *TESTED_T)} <= {
        "contradicted",
        "not_supported",
    }
    assert {found[claim] for claim in TESTED_G} <= {"contradicted", "not_supported", "inconclusive"}
    assert found["G1"] == found["G16"] == "contradicted"
    assert found["P1"] == found["P2"] == "contradicted"


def test_everything_that_a_person_sees_is_marked_simulated(worlds: Path) -> None:
    for world in WORLDS:
        folder = worlds / "results" / world
        assert "SIMULATED" in (folder / "report.html").read_text()
        claims = pd.read_csv(folder / "claims.tsv", sep="\t")
        tested = claims[claims["rule"].notna()]
        assert set(tested["data"]) == {"simulated"}
        assert tested["reason"].str.startswith("SIMULATED").all()
        assert set(pd.read_csv(folder / "evidence.tsv", sep="\t")["data"]) == {"simulated"}


def test_a_second_run_does_nothing_and_says_so(worlds: Path) -> None:
    done = snakemake(worlds, "worlds")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout
    assert "report.html" in done.stdout


def test_same_bytes_without_a_network_and_on_one_core(worlds: Path, tmp_path: Path) -> None:
    again = tmp_path / "work"
    only = ("--config", f"studies=[{GPNMB}]")
    done = snakemake(again, *only, prefix=without_network(), cores=1)
    assert done.returncode == 0, done.stdout
    assert f"Report: {again / 'results/as_claimed/report.html'}" in done.stdout
    # Tables and page of the run hold the other studies too.
    first, second = (
        {name: digest for name, digest in digests(folder).items() if GPNMB in name}
        for folder in (worlds, again)
    )
    assert len(second) > 50
    assert {name: first[name] for name in second} == second


def test_simulated_bytes_stay_simulated_in_a_store_of_public_data(worlds: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(worlds / "simulated" / "as_claimed", tmp_path / "as_claimed")
    for study in (PDAC, TREX1):
        (tmp_path / "as_claimed" / study / "simulation.json").unlink()
        shutil.copytree(tmp_path / "as_claimed" / study, store, dirs_exist_ok=True)
    config = f"data={{source: mirror, store: '{store}'}}"
    # Studies that share a file (the symbol table) cannot share a simulated store: one of expression at most.
    done = snakemake(tmp_path / "work", "--config", config, f"studies=[{PDAC},{TREX1}]")
    assert done.returncode == 0, done.stdout
    claims = pd.read_csv(tmp_path / "work" / "results" / "public" / "claims.tsv", sep="\t")
    assert set(claims["data"].dropna()) == {"simulated"}
    assert "SIMULATED" in (tmp_path / "work" / "results" / "public" / "report.html").read_text()


def test_stable_files_of_a_run(worlds: Path) -> None:
    run = worlds / "results" / "as_claimed"
    assert sorted(path.name for path in run.iterdir()) == [
        "cdk46_egfr_pdac",
        "claims.json",
        "claims.tsv",
        "control_claims",
        "evidence.tsv",
        "gpnmb_siglec9_tnbc",
        "ikaros_fos_myeloma",
        "report.html",
        "trex1_sting",
    ]
    data = sorted(path.name for path in (run / "cdk46_egfr_pdac" / "data").glob("pdac_tcga.*"))
    assert data == [f"pdac_tcga.{part}" for part in DATA_PARTS]
    table = pd.read_parquet(run / "cdk46_egfr_pdac" / "kras_share" / "pdac_tcga.parquet")
    assert list(table.columns) == list(pd.read_csv(run / "evidence.tsv", sep="\t").columns)
    assert len(table) > 300


DATA_PARTS = (
    "clinical.parquet",
    "copy_number.parquet",
    "ledger.json",
    "mutations.parquet",
    "samples.parquet",
)


def test_report_archive(worlds: Path, tmp_path: Path) -> None:
    done = snakemake(worlds, "--report", str(tmp_path / "report.zip"))
    assert done.returncode == 0, done.stdout
    shutil.unpack_archive(tmp_path / "report.zip", tmp_path / "report")
    pages = [path for path in (tmp_path / "report").rglob("*") if path.is_file()]
    assert any(path.name == "report.html" and "data" in path.parts for path in pages), pages


def test_editing_a_library_module_reruns_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    root, work = tmp_path / "clone", tmp_path / "work"
    root.mkdir()
    for part in ("config", "profiles", "seeds", "workflow", "envs"):
        shutil.copytree(ROOT / part, root / part)
    shutil.copy2(ROOT / "Snakefile", root)
    only = ("--config", f"studies=[{PDAC}]")
    assert snakemake(work, *only, root=root).returncode == 0
    assert planned(work, root, *only) == {}
    library = root / "workflow" / "scripts" / "reclaim"

    def touch_up(module: str) -> dict[str, int]:
        path = library / module
        before = path.read_bytes()
        path.write_bytes(before + b"\n# edited\n")
        jobs = planned(work, root, *only)
        path.write_bytes(before)
        return jobs

    study = PDAC
    downstream = {"assess": 1, "report_page": 1, "all": 1}
    jobs = touch_up("analyses/mutual_exclusivity.py")
    assert jobs.pop("total")
    assert jobs == {f"mutual_exclusivity_{study}": 1, **downstream}
    jobs = touch_up("pooling.py")
    assert jobs.pop("total")
    assert jobs == downstream
    jobs = touch_up("sources/maf.py")
    assert set(jobs) == {
        f"load_mutations_{study}",
        f"mutation_frequency_{study}",
        f"mutual_exclusivity_{study}",
        *downstream,
        "total",
    }
