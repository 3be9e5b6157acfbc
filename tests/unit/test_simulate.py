"""The claims plant their own test data: shares, odds ratios, and the traps of real studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reclaim.claim_tests import MutationFeature
from reclaim.mutations import altered, non_silent
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.simulate.internet import simulate_study
from reclaim.simulate.truth import conditional_shares, plant
from reclaim.sources.load_mutations import load_mutations
from reclaim.sources.requests import requests_for
from reclaim.study import Study
from reclaim.study_file import read_study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(ROOT / "seeds" / "cdk46_egfr_pdac.yaml")


def test_worlds_plant_what_they_say(study: Study) -> None:
    """nearly all: 85 % is the bound, rare: 5 % (statistics of the bound rule)."""
    truth = {
        world: plant(study, "pdac_tcga", world).genes for world in ("as_claimed", "no_effect", "reversed")
    }  # type: ignore[arg-type]
    assert truth["as_claimed"]["KRAS"].altered > 0.9
    assert truth["no_effect"]["KRAS"].altered == 0.85
    assert truth["reversed"]["KRAS"].altered < 0.75
    assert truth["as_claimed"]["KRAS"].alleles["G12C"] < 0.05
    assert truth["no_effect"]["KRAS"].alleles["G12C"] == 0.05
    assert truth["reversed"]["RB1"].altered > 0.1
    assert truth["no_effect"]["RB1"].truncating + truth["no_effect"]["RB1"].deep_deletion == 0.05


@pytest.mark.parametrize(("first", "second", "ratio"), [(0.9, 0.05, 0.05), (0.5, 0.3, 8.0), (0.2, 0.2, 1.0)])
def test_conditional_shares_meet_margin_and_odds_ratio(first: float, second: float, ratio: float) -> None:
    without, with_first = conditional_shares(first, second, ratio)
    assert (1 - first) * without + first * with_first == pytest.approx(second)
    assert with_first / (1 - with_first) / (without / (1 - without)) == pytest.approx(ratio)


def test_same_seed_same_bytes_other_seed_other_bytes(study: Study, tmp_path: Path) -> None:
    def files(name: str, seed: int) -> dict[str, bytes]:
        simulate_study(study, "as_claimed", seed, tmp_path / name)
        return {
            path.relative_to(tmp_path / name).as_posix(): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }

    first = files("a", 1)
    assert first == files("b", 1)
    other = files("c", 2)
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name.endswith((".gz", "data_mutations.txt")))


def test_a_simulated_cohort_reads_back_with_the_traps_of_a_real_one(study: Study, tmp_path: Path) -> None:
    simulate_study(study, "confounded", 1, tmp_path)
    dataset = study.datasets["pdac_tcga"]
    receipt = make_receipt("pdac_tcga", requests_for(dataset, Path()), Access(tmp_path))
    cohort, ledger = load_mutations(dataset, receipt, tmp_path)
    listed, sequenced, eligible, patients = (step.samples for step in ledger.flow)
    assert listed > sequenced > eligible >= patients == len(cohort.samples)
    share = altered(cohort, MutationFeature(gene="KRAS")).mean()
    assert share < 0.75  # most mutations of tumours with few cancer cells are missed ...
    burden = non_silent(cohort)["sample"].value_counts().reindex(cohort.samples["sample"], fill_value=0)
    deep = (burden >= 25).to_numpy()
    gated = altered(cohort, MutationFeature(gene="KRAS"))[deep].mean()
    assert gated == pytest.approx(
        0.85, abs=3 * np.sqrt(0.85 * 0.15 / deep.sum()) + 0.02
    )  # ... others are not


def test_every_file_says_that_it_is_simulated(study: Study, tmp_path: Path) -> None:
    import tarfile

    simulate_study(study, "reversed", 1, tmp_path)
    for path in tmp_path.rglob("*.tar.gz"):
        with tarfile.open(path) as tar:
            for name in ("meta_study.txt", "data_mutations.txt"):
                member = next(item for item in tar.getmembers() if item.name.endswith(name))
                handle = tar.extractfile(member)
                assert handle is not None
                assert b"SIMULATED" in handle.read(400)
