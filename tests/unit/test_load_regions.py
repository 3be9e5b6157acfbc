"""From stored peak files to what is bound where, what is counted on the way, and why a data set is absent."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import MATCHED, claim, dataset, study_values

from reclaim.dataset import ChipAtlasDataset, FileDataset
from reclaim.errors import UserError
from reclaim.experiments import Choice, choose_experiments
from reclaim.ledger import Ledger
from reclaim.regions import BEYOND, INVERTED, REPEATED, UNKNOWN, Binding
from reclaim.retrieve.receipt import Receipt
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.genome import BEYOND_REAL, blacklist_gz, chromosome_sizes
from reclaim.simulate.internet import simulate_study
from reclaim.sources.chip_atlas_tables import ITSELF
from reclaim.sources.experiment_list import index_experiments, read_experiments
from reclaim.sources.load_regions import BLACKLISTED, NO_FILE, OTHER_GENOME, load_regions
from reclaim.sources.requests import CHIP_ATLAS_LIST, requests_for, requests_for_peaks
from reclaim.study import Study

# What the simulator hides in every peak file, one of each.
TRAPS = (INVERTED, UNKNOWN, REPEATED, BLACKLISTED)
FACTORS = ["IKZF1", "FOS", "JUN", "IRF4", "MYC", "BATF"]


@dataclass(frozen=True)
class Simulated:
    """A study in a store, and what was chosen from its list."""

    store: Path
    dataset: ChipAtlasDataset
    choice: Choice
    genome: dict[str, Path]

    def place(self, experiment: str, packed: bool = False) -> Path:
        (request,) = requests_for_peaks(self.dataset, [experiment])
        return self.store / store_path(request.alternatives[0] if packed else str(request.url))

    def receipt(self) -> Receipt:
        requests = [
            *requests_for(self.dataset, Path()),
            *requests_for_peaks(self.dataset, self.choice.experiments),
        ]
        return make_receipt("chip", requests, Access(self.store))

    def load(self) -> tuple[Binding, Ledger]:
        return load_regions(self.dataset, self.receipt(), self.store, self.genome, self.choice)

    def peaks_of(self, experiment: str) -> list[list[str]]:
        path = self.place(experiment)
        raw = (
            path.read_bytes()
            if path.is_file()
            else gzip.decompress(self.place(experiment, True).read_bytes())
        )
        return [line.split("\t") for line in raw.decode().splitlines()]


@pytest.fixture
def simulated(tmp_path: Path) -> Simulated:
    chip = {
        "source": "chip_atlas",
        "antigens": FACTORS,
        "cell_class": "Blood",
        "cells": [{"name": "MM.1S", "matches": r"MM\.?1S", "system": "similar"}],
        "exclude": ["JQ1"],
        "colocalization_tables": FACTORS,
        "target_tables": FACTORS,
        "tier": MATCHED,
        "independent": True,
    }
    test = {
        "id": "together",
        "role": "primary",
        "analysis": "peak_colocalization",
        "datasets": ["chip"],
        "query": "IKZF1",
        "partner": "FOS",
    }
    values = study_values(claim(test, decision={"rule": "specific"}))
    study = Study.model_validate(values | {"datasets": {"chip": chip}})
    store = tmp_path / "store"
    simulate_study(study, "as_claimed", 1, store)
    one = study.datasets["chip"]
    assert isinstance(one, ChipAtlasDataset)
    index_experiments(store / store_path(CHIP_ATLAS_LIST), tmp_path / "index")
    listed = read_experiments(tmp_path / "index", one.genome, one.antigen_class, one.antigens)
    return Simulated(store, one, choose_experiments(one, listed), reference(study, store))


def reference(study: Study, store: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in ("chromosomes", "blacklist"):
        found |= make_receipt(name, requests_for(study.references()[name], store), Access(store)).open(store)
    return found


def test_every_trap_is_counted_and_every_other_peak_is_kept(simulated: Simulated) -> None:
    binding, ledger = simulated.load()
    assert (ledger.status, ledger.simulated) == ("present", True)
    chosen = simulated.choice.experiments
    assert len(chosen) == len(FACTORS)
    assert {name: ledger.dropped[name] for name in TRAPS} == dict.fromkeys(TRAPS, len(chosen))
    assert NO_FILE not in ledger.dropped
    lines = {experiment: len(simulated.peaks_of(experiment)) - len(TRAPS) for experiment in chosen}
    table = binding.experiments.set_index("experiment")
    assert table["peaks"].to_dict() == lines
    assert binding.regions["experiment"].value_counts().to_dict() == lines
    assert list(table["antigen"]) == sorted(FACTORS)
    assert set(table["cells"]) == {"MM.1S"}
    assert set(table["system"]) == {"similar"}
    assert not binding.regions["chrom"].isna().any()
    assert list(binding.regions["chrom"].cat.categories)[:2] == ["chr1", "chr2"]


def test_peaks_are_those_of_their_file(simulated: Simulated) -> None:
    binding, _ = simulated.load()
    experiment = simulated.choice.experiments[2]
    own = binding.regions[binding.regions["experiment"] == experiment]
    expected = {
        (cells[0], int(cells[1]), int(cells[2]), int(cells[4]), int(cells[9]))
        for cells in simulated.peaks_of(experiment)[: -len(TRAPS)]
    }
    columns = ["chrom", "start", "end", "score", "summit"]
    assert set(own[columns].itertuples(index=False, name=None)) == expected


def test_an_experiment_without_a_file_is_left_out_and_counted(simulated: Simulated) -> None:
    whole, _ = simulated.load()
    lost, *others = simulated.choice.experiments
    for packed in (False, True):
        simulated.place(lost, packed).unlink(missing_ok=True)
    receipt = simulated.receipt()
    assert receipt.status == "present"
    (missing,) = [one for one in receipt.missing if one.name == lost]
    assert missing.url.endswith(f"/hg38/eachData/bed05/{lost}.05.bed")
    binding, ledger = simulated.load()
    assert ledger.dropped[NO_FILE] == 1
    assert list(binding.experiments["experiment"]) == others
    kept = whole.regions[whole.regions["experiment"] != lost]
    assert list(binding.regions["start"]) == list(kept["start"])
    assert lost not in binding.regions["experiment"].cat.categories


def test_no_file_of_any_experiment_is_an_absent_data_set(simulated: Simulated) -> None:
    for experiment in simulated.choice.experiments:
        for packed in (False, True):
            simulated.place(experiment, packed).unlink(missing_ok=True)
    binding, ledger = simulated.load()
    assert (ledger.status, ledger.reason) == ("absent", "ChIP-Atlas has no peaks of any chosen experiment")
    assert len(binding.regions) == len(binding.experiments) == len(binding.scores) == 0


def test_an_absent_receipt_is_an_absent_data_set(simulated: Simulated) -> None:
    receipt = simulated.receipt().model_copy(update={"status": "absent", "reason": "nothing meets it"})
    binding, ledger = load_regions(
        simulated.dataset, receipt, simulated.store, simulated.genome, simulated.choice
    )
    assert (ledger.status, ledger.reason) == ("absent", "nothing meets it")
    assert len(binding.experiments) == 0


def test_plain_and_packed_files_read_alike(simulated: Simulated) -> None:
    before, _ = simulated.load()
    for experiment in simulated.choice.experiments:
        plain, packed = simulated.place(experiment), simulated.place(experiment, True)
        if plain.is_file():
            packed.write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        else:
            plain.write_bytes(gzip.decompress(packed.read_bytes()))
            packed.unlink()
    swapped = {file.name: file.path for file in simulated.receipt().files}
    assert any(path.endswith(".bed.gz") for path in swapped.values())
    assert any(path.endswith(".bed") for path in swapped.values())
    after, _ = simulated.load()
    assert after.regions.equals(before.regions)


def test_a_file_of_another_genome_leaves_its_experiment_out(simulated: Simulated) -> None:
    first, *others = simulated.choice.experiments
    simulated.place(first, True).unlink(missing_ok=True)
    simulated.place(first).write_text("1\t10\t20\tpeak\t5\n")
    binding, ledger = simulated.load()
    assert list(binding.experiments["experiment"]) == others
    assert set(binding.regions["experiment"]) == set(others)
    assert ledger.status == "present"
    assert ledger.dropped[OTHER_GENOME] == 1


def test_files_of_another_genome_alone_make_the_data_set_absent(simulated: Simulated) -> None:
    for experiment in simulated.choice.experiments:
        simulated.place(experiment, True).unlink(missing_ok=True)
        simulated.place(experiment).write_text("1\t10\t20\tpeak\t5\n")
    _, ledger = simulated.load()
    assert ledger.status == "absent"
    assert "no region lies on a known chromosome (it has '1'" in ledger.reason


def test_an_experiment_whose_peaks_are_all_dropped_stays_with_none(simulated: Simulated) -> None:
    experiment = simulated.choice.experiments[0]
    simulated.place(experiment, True).unlink(missing_ok=True)
    simulated.place(experiment).write_text(f"chr1\t{BEYOND_REAL + 5}\t{BEYOND_REAL + 50}\tpeak\t5\n")
    binding, _ = simulated.load()
    assert binding.experiments.set_index("experiment").loc[experiment, "peaks"] == 0


# ChIP-Atlas' own tables


def test_tables_that_are_there_are_read_and_others_told_as_missing(simulated: Simulated) -> None:
    receipt = simulated.receipt()
    binding, ledger = simulated.load()
    there = {file.name.split("_")[1] for file in receipt.files if file.name.startswith("colo_")}
    assert 0 < len(there) < len(FACTORS)  # the simulator leaves some out
    missing = {one.name.split("_")[1] for one in receipt.missing if one.name.startswith("colo_")}
    assert there | missing == set(FACTORS)
    colo = binding.scores[binding.scores["table"] == "colo"]
    assert set(colo["antigen"]) <= there
    assert (colo["experiment"] != colo["row"]).all()
    assert ledger.dropped[ITSELF] == len(there)  # one experiment each, with itself


def test_scores_are_one_row_per_pair_above_zero(simulated: Simulated) -> None:
    """Written here by hand: a partner of two experiments, itself, and a gene without a peak."""
    fos = next(one.experiment for one in simulated.choice.chosen if one.antigen == "FOS")
    paths = {request.name: request.url for request in requests_for(simulated.dataset, Path())}
    for path in simulated.store.rglob("*.tsv"):
        path.unlink()
    colo = (
        f"Experiment\tCell_subclass\tProtein\tFOS|Average\t{fos}|MM.1S\tSRX2|K-562\tSTRING\n"
        f"SRX9\tMM.1S\tJUN\t7.5\t9\t6\t999\n{fos}\tMM.1S\tFOS\t4\t10\t4\t0\nSRX7\tHeLa\tMYC\t0\t0\t0\t0\n"
    )
    targets = f"Target_genes\tFOS|Average\t{fos}|MM.1S\tSTRING\nIRF4\t812\t812\t0\nTP53\t0\t0\t900\n"
    for name, text in (("colo_FOS", colo), ("targets_FOS", targets)):
        path = simulated.store / store_path(str(paths[name]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    binding, _ = simulated.load()
    assert list(binding.scores.itertuples(index=False, name=None)) == [
        ("colo", "FOS", fos, "SRX9", 9.0),
        ("colo", "FOS", "SRX2", "SRX9", 6.0),
        ("colo", "FOS", "SRX2", fos, 4.0),
        ("targets", "FOS", fos, "IRF4", 812.0),
    ]


# Local files


@pytest.fixture
def genome(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "sizes").write_bytes(chromosome_sizes())
    (tmp_path / "blacklist.bed.gz").write_bytes(blacklist_gz())
    return {"chromosomes": tmp_path / "sizes", "blacklist": tmp_path / "blacklist.bed.gz"}


def own_file(folder: Path, **keys: Any) -> tuple[FileDataset, Receipt]:
    """The data set of own.bed."""
    values = dataset(**{"source": "file", "format": "bed", "path": "own.bed", "genome": "hg38", **keys})
    del values["study"]
    one = FileDataset.model_validate(values)
    return one, make_receipt("own", requests_for(one, folder), Access(folder))


def local(folder: Path, genome: dict[str, Path], text: str, **keys: Any) -> tuple[Binding, dict[str, int]]:
    """What is read from a file with this text, and what was dropped."""
    (folder / "own.bed").write_text(text)
    one, receipt = own_file(folder, **keys)
    binding, ledger = load_regions(one, receipt, folder, genome, None)
    assert (ledger.status, ledger.simulated) == ("present", False)
    return binding, dict(ledger.dropped)


def test_column_4_names_the_antigen_of_each_region(tmp_path: Path, genome: dict[str, Path]) -> None:
    text = (
        "track name=own\nchr2\t10\t20\tIKZF1\t7\nchr1\t30\t40\tFOS\t8\nchr1\t30\t40\tIKZF1\t9\n"
        f"chr1\t{BEYOND_REAL + 10}\t{BEYOND_REAL + 20}\tFOS\t1\nchr1\t30\t40\tFOS\t8\nchr1\t5\t900000000\tFOS\t1\n"
    )
    binding, dropped = local(tmp_path, genome, text, cell="MM.1S", tier=MATCHED | {"system": "similar"})
    assert dropped == {BLACKLISTED: 1, REPEATED: 1, BEYOND: 1}
    columns = ["chrom", "start", "experiment", "score"]
    assert sorted(binding.regions[columns].itertuples(index=False, name=None)) == [
        ("chr1", 30, "FOS", 8.0),
        ("chr1", 30, "IKZF1", 9.0),
        ("chr2", 10, "IKZF1", 7.0),
    ]
    assert binding.experiments.to_dict("records") == [
        {
            "experiment": name,
            "antigen": name,
            "cell": "MM.1S",
            "cells": "",
            "system": "similar",
            "peaks": count,
        }
        for name, count in (("FOS", 1), ("IKZF1", 2))
    ]
    assert len(binding.scores) == 0


def test_a_narrow_peak_file_of_one_antigen(tmp_path: Path, genome: dict[str, Path]) -> None:
    text = "chr1\t10\t20\tpeak_1\t92\t.\t7.5\t13.5\t9.5\t4\nchr1\t50\t70\tpeak_2\t70\t.\t5\t-1\t-1\t-1\n"
    binding, dropped = local(tmp_path, genome, text, format="narrowpeak", antigen="FOS")
    assert not dropped
    assert list(binding.regions["experiment"]) == ["FOS", "FOS"]
    assert list(binding.regions["score"]) == [92, 70]
    np.testing.assert_array_equal(binding.regions["q"], [9.5, np.nan])
    np.testing.assert_array_equal(binding.regions["summit"], [4, np.nan])
    assert binding.experiments["peaks"].to_list() == [2]


def test_three_columns_are_enough_for_one_antigen(tmp_path: Path, genome: dict[str, Path]) -> None:
    binding, _ = local(tmp_path, genome, "chr1\t10\t20\nchr2\t5\t9\n", antigen="FOS")
    assert binding.experiments[["antigen", "peaks"]].to_numpy().tolist() == [["FOS", 2]]
    assert binding.regions["score"].isna().all()


def test_three_columns_without_an_antigen_are_a_mistake_of_the_user(
    tmp_path: Path, genome: dict[str, Path]
) -> None:
    with pytest.raises(UserError) as caught:
        local(tmp_path, genome, "chr1\t10\t20\n")
    (message,) = caught.value.messages
    assert message.startswith(f"{tmp_path / 'own.bed'}: 3 columns; column 4 would name the antigen")
    assert "antigen: FOS" in message


@pytest.mark.parametrize("antigen", [{}, {"antigen": "FOS"}])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\t10\t20\tFOS\n", "no region lies on a known chromosome (it has '1', the genome 'chr1')"),
        ("track name=nothing\n", "no region that can be used"),
        ("", "no region that can be used"),
    ],
)
def test_a_file_without_regions_of_this_genome_is_an_absent_data_set(
    text: str, expected: str, antigen: dict[str, str], tmp_path: Path, genome: dict[str, Path]
) -> None:
    (tmp_path / "own.bed").write_text(text)
    one, receipt = own_file(tmp_path, **antigen)
    binding, ledger = load_regions(one, receipt, tmp_path, genome, None)
    assert ledger.status == "absent"
    assert ledger.reason.startswith(f"{tmp_path / 'own.bed'}: ")
    assert expected in ledger.reason
    assert len(binding.regions) == len(binding.experiments) == 0
