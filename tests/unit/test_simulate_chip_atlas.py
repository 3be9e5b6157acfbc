"""A simulated ChIP-Atlas has the traps of the real one, and in it what a world plants is found again."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import MATCHED, claim, study_values

from reclaim.analyses.peak_colocalization import peak_colocalization
from reclaim.claim_tests import PeakColocalization
from reclaim.colocalization import rank_among
from reclaim.comparators import SAME_CELLS
from reclaim.config import WORLDS, World
from reclaim.dataset import ChipAtlasDataset
from reclaim.errors import UserError
from reclaim.experiments import choose_experiments
from reclaim.retrieve.content import identify
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.internet import simulate_study
from reclaim.sources.experiment_list import (
    NO_STATISTICS,
    REPLACED,
    TOO_SHORT,
    index_experiments,
    read_experiments,
)
from reclaim.sources.genome_annotation import read_tss
from reclaim.sources.load_regions import load_regions
from reclaim.sources.requests import CHIP_ATLAS_LIST, requests_for, requests_for_peaks
from reclaim.study import Study

MARGIN = np.log(1.5)
"""Of a log odds ratio: what is nearer to 0 is no effect."""


def study(expected: str = "positive", **keys: Any) -> Study:
    """IKZF1 and FOS together in MM.1S, ranked among all factors of the list."""
    chip = {
        "source": "chip_atlas",
        "cell_class": "Blood",
        "cells": [
            {"name": "MM.1S", "matches": r"MM\.?1S", "system": "same"},
            {"name": "other myeloma", "matches": "myeloma|U-?266", "system": "similar"},
        ],
        "exclude": ["JQ1", "shRNA|siRNA"],
        "colocalization_tables": ["IKZF1", "FOS", "JUN"],
        "target_tables": ["IKZF1", "FOS", "JUN"],
        "tier": MATCHED,
        "independent": True,
        **keys,
    }
    test = {
        "id": "together",
        "role": "primary",
        "analysis": "peak_colocalization",
        "datasets": ["chip"],
        "query": "IKZF1",
        "partner": "FOS",
        "expected": expected,
    }
    values = study_values(claim(test, decision={"rule": "specific", "family": ["JUN"]}))
    return Study.model_validate(values | {"datasets": {"chip": chip}})


def simulate(a_study: Study, folder: Path, world: World = "as_claimed", seed: int = 1) -> dict[str, bytes]:
    """Every file of the store, by its place."""
    simulate_study(a_study, world, seed, folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    simulate(study(), folder)
    return folder


def lines_of(store: Path) -> list[bytes]:
    return (store / store_path(CHIP_ATLAS_LIST)).read_bytes().splitlines()


# The list


def test_the_list_is_ragged_and_not_all_of_it_is_text(store: Path) -> None:
    lines = lines_of(store)
    widths = Counter(line.count(b"\t") + 1 for line in lines)
    assert {9 + further for further in (1, 2, 3)} < set(widths)
    assert min(widths) < 9
    with pytest.raises(UnicodeDecodeError):
        b"\n".join(lines).decode("utf-8")
    assert any(b"&amp;" in line for line in lines)


def test_the_list_is_read_with_its_traps_counted(store: Path, tmp_path: Path) -> None:
    found = index_experiments(store / store_path(CHIP_ATLAS_LIST), tmp_path / "index")
    assert found.ledger[TOO_SHORT] == 1
    assert found.ledger[REPLACED] == 1
    assert found.ledger[NO_STATISTICS] > 0
    listed = read_experiments(tmp_path / "index", "hg38", "TFs and others")
    assert listed["experiment"].is_unique
    assert len(read_experiments(tmp_path / "index", "hg19")) >= len(listed)  # one line per assembly


def test_every_kind_of_experiment_that_must_be_left_out_is_there(store: Path, tmp_path: Path) -> None:
    index_experiments(store / store_path(CHIP_ATLAS_LIST), tmp_path / "index")
    one = study().datasets["chip"]
    assert isinstance(one, ChipAtlasDataset)
    choice = choose_experiments(one, read_experiments(tmp_path / "index", "hg38", one.antigen_class))
    assert {"IKZF1", "FOS", "JUN"} < {chosen.antigen for chosen in choice.chosen}
    assert len(choice.chosen) == 3 + 30  # tested ones, the family, and others to rank among
    for antigen in ("IKZF1", "FOS", "JUN"):
        reasons = [left_out.reason for left_out in choice.excluded if left_out.antigen == antigen]
        for beginning in ("excluded by /JQ1/", "excluded by /shRNA|siRNA/"):
            assert sum(reason.startswith(beginning) for reason in reasons) == 1
        assert sum(reason.endswith("peaks, 1,000 are needed") for reason in reasons) == 1
        assert sum("is of preferred cells" in reason for reason in reasons) == 1
    assert {chosen.cells for chosen in choice.chosen} == {"MM.1S"}


def test_numbers_of_peaks_in_the_list_are_those_of_the_files(store: Path) -> None:
    listed = {
        line.split(b"\t")[0].decode(): line.split(b"\t") for line in lines_of(store) if b"\thg38\t" in line
    }
    one = study().datasets["chip"]
    assert isinstance(one, ChipAtlasDataset)
    checked = 0
    for experiment, cells in listed.items():
        (request,) = requests_for_peaks(one, [experiment])
        plain, packed = (store / store_path(url) for url in (str(request.url), *request.alternatives))
        if plain.is_file() or packed.is_file():
            raw = plain.read_bytes() if plain.is_file() else gzip.decompress(packed.read_bytes())
            assert int(cells[7].split(b",")[3]) == raw.count(b"\n") - 4  # the traps at its end
            checked += 1
    assert checked > 40


def test_stricter_thresholds_have_fewer_peaks(tmp_path: Path) -> None:
    def peaks(threshold: str) -> int:
        files = simulate(study(threshold=threshold, min_peaks=0), tmp_path / threshold)
        found = {name: raw for name, raw in files.items() if f"/bed{threshold}/" in name}
        assert found
        return sum(
            (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).count(b"\n") for raw in found.values()
        )

    assert peaks("05") > peaks("10") > peaks("20") > 0


# The files


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again = (simulate(study(), tmp_path / name) for name in ("first", "again"))
    assert first == again
    other = simulate(study(), tmp_path / "other", seed=2)
    assert other != first
    assert set(other) == set(first)


def test_every_file_says_that_it_is_simulated(store: Path) -> None:
    files = [path for path in store.rglob("*") if path.is_file()]
    assert {"colo", "target", "bed05", "metadata"} <= {path.parent.name for path in files}
    assert [path for path in files if not identify(path).simulated] == []


def test_some_files_are_packed_and_some_tables_are_not_there(store: Path) -> None:
    endings = Counter(path.suffix for path in store.rglob("eachData/*/*"))
    assert endings[".bed"] > endings[".gz"] > 0
    one = study().datasets["chip"]
    tables = [store / store_path(str(request.url)) for request in requests_for(one, Path())]
    assert 0 < sum(path.is_file() for path in tables) < len(tables)


# What is planted


def recovered(a_study: Study, world: World, folder: Path) -> tuple[float, float, float]:
    """Effect, crude log odds ratio and rank of the partner, through the readers of the workflow."""
    simulate(a_study, folder / "store", world)
    store, one, (_, test) = folder / "store", a_study.datasets["chip"], next(a_study.tests())
    assert isinstance(one, ChipAtlasDataset)
    assert isinstance(test, PeakColocalization)
    index_experiments(store / store_path(CHIP_ATLAS_LIST), folder / "index")
    choice = choose_experiments(one, read_experiments(folder / "index", "hg38", one.antigen_class))
    receipt = make_receipt("chip", requests_for_peaks(one, choice.experiments), Access(store))
    genome: dict[str, Path] = {}
    for name in ("chromosomes", "blacklist", "genes"):
        genome |= make_receipt(name, requests_for(a_study.references()[name], store), Access(store)).open(
            store
        )
    binding, _ = load_regions(one, receipt, store, genome, choice)
    sites = {"genes": read_tss(genome["genes"], None, Counter())}
    (estimate,), table = peak_colocalization(test, binding, sites, one.tier.name, seed=1)
    own = int(np.flatnonzero(table["feature"] == "FOS")[0])
    comparable = (table["stratum"] == SAME_CELLS).to_numpy()
    rank = rank_among(table["effect"], [own], comparable)["rank"].iloc[0]
    assert estimate.effect is not None
    return estimate.effect, float(np.log(table["crude_odds_ratio"].iloc[own])), float(rank)


@pytest.mark.parametrize("world", WORLDS)
def test_what_a_world_plants_is_recovered(world: World, tmp_path: Path) -> None:
    effect, crude, rank = recovered(study(), world, tmp_path)
    if world == "as_claimed":
        assert effect > MARGIN
        assert rank == 1
    elif world == "reversed":
        assert effect < -MARGIN
        assert rank > 25  # the last of 32
    else:
        assert crude > 2 * MARGIN  # open chromatin: what overlaps show without strata
        if world == "no_effect":
            assert abs(effect) < MARGIN
        else:  # strata take most of it away where the two follow open chromatin more than all others do, not all
            assert abs(effect) < crude / 2


def test_a_claim_that_factors_avoid_each_other_is_planted_the_other_way_round(tmp_path: Path) -> None:
    effect, _, _ = recovered(study("negative"), "as_claimed", tmp_path)
    assert effect < -MARGIN


# What cannot be invented


@pytest.mark.parametrize(
    ("keys", "pattern"),
    [
        ({"exclude": [r"\d+ nM"]}, r"/\d+ nM/"),
        ({"cells": [{"name": "lines", "matches": r"^MM[.]?1[A-Z]$", "system": "same"}]}, "/^MM[.]?1[A-Z]$/"),
    ],
)
def test_a_regular_expression_that_no_text_is_found_for_is_told(
    keys: dict[str, Any], pattern: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        simulate(study(**keys), tmp_path)
    (message,) = caught.value.messages
    assert pattern in message
    assert "write it as words between bars (JQ1|dTAG), or run on public data" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "pattern", [r"MM\.?1S", "NCI-H929|OPM-?2", "plasmablast", r"\bKMS-?11\b", "(U-?266)"]
)
def test_cells_as_the_documentation_writes_them_are_invented(pattern: str, tmp_path: Path) -> None:
    cells = [{"name": "a line", "matches": pattern, "system": "same"}]
    simulate(study(cells=cells, exclude=[]), tmp_path)
    index_experiments(tmp_path / store_path(CHIP_ATLAS_LIST), tmp_path / "index")
    one = study(cells=cells, exclude=[]).datasets["chip"]
    assert isinstance(one, ChipAtlasDataset)
    listed = read_experiments(tmp_path / "index", "hg38", one.antigen_class)
    assert {"IKZF1", "FOS"} < {chosen.antigen for chosen in choose_experiments(one, listed).chosen}
