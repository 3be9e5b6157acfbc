"""Experiments chosen from real rows of ChIP-Atlas' list: the myeloma factors, and drug-treated cells left out.

Accessions are those of https://chip-atlas.org; how their cells were treated stands in their titles.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import dataset
from realfile import real_file

from reclaim.dataset import ChipAtlasDataset
from reclaim.experiments import Choice, choose_experiments
from reclaim.sources.experiment_list import index_experiments, read_experiments

TF = "TFs and others"
NATIVE = "DERIVED_experimentList_hg38_TF_native.tab.gz"
ALL = "kadan_hg38_TF_all_experiments.csv.gz"
MM1S = {"name": "MM.1S", "matches": r"MM\.?1S", "system": "same"}
MYELOMA = {"name": "other myeloma", "matches": "myeloma|NCI-H929|OPM-?2|U-?266", "system": "similar"}


@pytest.fixture(scope="module")
def index(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows that are whole, and of further experiments the four columns that a third party kept."""
    folder = tmp_path_factory.mktemp("list")
    whole = gzip.decompress(real_file(realdata / "chipatlas" / NATIVE).read_bytes())
    known = {line.split(b"\t", 1)[0].decode() for line in whole.splitlines()}
    with gzip.open(real_file(realdata / "chipatlas" / ALL), "rt", encoding="utf-8") as handle:
        short = [
            "\t".join([one["Experimental ID"], "hg38", TF, one["Track type"], one["Cell type class"],
                       one["Cell type"], "NA", "NA", "NA"])
            for one in csv.DictReader(handle)
            if one["Experimental ID"] not in known
        ]  # fmt: skip
    (folder / "experimentList.tab").write_bytes(
        whole.rstrip(b"\n") + b"\n" + "\n".join(short).encode() + b"\n"
    )
    indexed = index_experiments(folder / "experimentList.tab", folder / "index")
    assert indexed.rows == len(known) + len(short)
    return folder / "index"


def choose(index: Path, antigens: Sequence[str] = (), **keys: Any) -> Choice:
    values = {
        "source": "chip_atlas",
        "antigens": list(antigens),
        "cell_class": "Blood",
        "cells": [MM1S, MYELOMA],
        "exclude": ["JQ1", "dTAG", "shRNA|siRNA"],
        "min_peaks": 0,
    }
    described = dataset(**(values | keys))
    del described["study"]
    one = ChipAtlasDataset.model_validate(described)
    return choose_experiments(
        one, read_experiments(index, one.genome, one.antigen_class, one.antigens or None)
    )


def test_the_myeloma_factors(index: Path) -> None:
    choice = choose(index, ["IKZF1", "FOS", "IRF4", "PRDM1"])
    assert {one.antigen: (one.experiment, one.cell, one.cells, one.system) for one in choice.chosen} == {
        "IKZF1": ("SRX13899568", "MM.1S", "MM.1S", "same"),
        "FOS": ("SRX13899352", "MM.1S", "MM.1S", "same"),
        "IRF4": ("SRX327760", "MM.1S", "MM.1S", "same"),
        "PRDM1": ("SRX3070540", "U-266", "other myeloma", "similar"),
    }
    assert {one.experiment: one.reason for one in choice.excluded} == {
        "SRX518679": "SRX327760 is of preferred cells (MM.1S)"  # IRF4 in NCI-H929
    }


def test_cells_with_jq1_are_left_out(index: Path) -> None:
    """The last of them says JQ1 in its title and source, and DMSO as its treatment."""
    treated = {
        "SRX203387": "BRD4",
        "SRX203389": "MYC",
        "SRX203390": "CDK9",
        "SRX203394": "MAX",
        "SRX203395": "MED1",
    }
    choice = choose(index, ["BRD4", "MYC", "CDK9", "MAX", "MED1"])
    left_out = {one.experiment: one for one in choice.excluded}
    for experiment, antigen in treated.items():
        assert left_out[experiment].antigen == antigen
        assert left_out[experiment].reason.startswith("excluded by /JQ1/: ")
        assert "MM.1S" in left_out[experiment].reason
    # The label of these cells is "Plasma Cells"; titles name the line. DMSO is no treatment.
    chosen = {one.antigen: one for one in choice.chosen}
    assert {name: chosen[name].experiment for name in ("BRD4", "CDK9")} == {
        "BRD4": "SRX203388",
        "CDK9": "SRX203391",
    }
    assert (chosen["BRD4"].cell, chosen["BRD4"].cells, chosen["BRD4"].peaks) == (
        "Plasma Cells",
        "MM.1S",
        11_485,
    )
    assert chosen["CDK9"].peaks == 18_708
    assert "MAX" not in chosen


def test_without_words_to_exclude_treated_cells_would_be_taken(index: Path) -> None:
    """What the words of `exclude` are there for."""
    assert choose(index, ["MAX"], exclude=[]).experiments == ["SRX203394"]


def test_experiments_that_failed_are_left_out(index: Path) -> None:
    cells = [
        {"name": "stem cells", "matches": "Hematopoietic Stem Cells", "system": "different"},
        {"name": "pre-B", "matches": "Pre-B", "system": "different"},
    ]
    choice = choose(index, ["IKZF1"], cells=cells, min_peaks=1000)
    assert [(one.experiment, one.cells, one.peaks) for one in choice.chosen] == [
        ("SRX3460917", "pre-B", 50_146)
    ]
    reasons = {one.experiment: one.reason for one in choice.excluded}
    assert reasons["SRX038912"] == "180 peaks, 1,000 are needed"
    assert reasons["SRX038913"] == "103 peaks, 1,000 are needed"
    assert choose(index, ["IKZF1"], cells=cells).experiments == ["SRX038912"]  # any number will do


def test_a_list_that_does_not_tell_peaks_gives_none_by_default(index: Path) -> None:
    choice = choose(index, ["IKZF1", "FOS"], min_peaks=1000)
    assert not choice.chosen
    unknown = "the list does not say how many peaks it has"
    assert {one.experiment: one.reason for one in choice.excluded} == {
        "SRX13899352": unknown,
        "SRX13899568": unknown,
    }


def test_all_factors_of_a_line_are_comparators(index: Path) -> None:
    choice = choose(index, cells=[MM1S])
    antigens = [one.antigen for one in choice.chosen]
    assert antigens == sorted(set(antigens))
    assert {"BRD4", "CDK7", "FOS", "IKZF1", "IRF3", "IRF4", "MED1"} <= set(antigens)
    assert not {"SRX203387", "SRX203389", "SRX203390", "SRX203394", "SRX203395"} & set(choice.experiments)
