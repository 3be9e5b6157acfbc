"""Which experiments of ChIP-Atlas a data set rests on, why not the others, and what a study file may not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import claim, dataset, study_values, write_study
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaim.dataset import ChipAtlasDataset
from reclaim.errors import UserError
from reclaim.experiments import Choice, choose_experiments
from reclaim.sources.experiment_list import COLUMNS, index_experiments, read_experiments
from reclaim.study_file import read_study

TF = "TFs and others"
MYELOMA = [
    {"name": "MM.1S", "matches": r"MM\.?1S", "system": "same"},
    {"name": "other myeloma", "matches": "myeloma|U-?266", "system": "similar"},
    {"name": "plasmablast", "matches": "plasmablast", "system": "different"},
]


def chip_atlas(**keys: Any) -> dict[str, Any]:
    values: dict[str, Any] = dataset(
        **{"source": "chip_atlas", "cell_class": "Blood", "cells": MYELOMA, **keys}
    )
    del values["study"]
    return values


def described(**keys: Any) -> ChipAtlasDataset:
    return ChipAtlasDataset.model_validate(chip_atlas(**keys))


def row(experiment: str = "SRX1", **changes: Any) -> dict[str, Any]:
    """A good experiment of IKZF1 in MM.1S, as `read_experiments` gives it."""
    return {
        "experiment": experiment,
        "genome": "hg38",
        "antigen_class": TF,
        "antigen": "IKZF1",
        "cell_class": "Blood",
        "cell": "MM.1S",
        "cell_description": "NA",
        "reads": 30e6,
        "mapped_percent": 95.0,
        "duplicate_percent": 12.0,
        "peaks": 5000.0,
        "title": f"GSM1: {experiment}; Homo sapiens; ChIP-Seq",
        "metadata": "source_name=cells",
        **changes,
    }


def choose(*rows: dict[str, Any], **keys: Any) -> Choice:
    return choose_experiments(described(**keys), pd.DataFrame(list(rows), columns=list(COLUMNS)))


def reasons(choice: Choice) -> dict[str, str]:
    return {one.experiment: one.reason for one in choice.excluded}


# Cells


def test_the_first_step_that_has_an_experiment_counts_however_few_its_peaks() -> None:
    choice = choose(
        row("SRX1", cell="Plasmablast", peaks=90_000),
        row("SRX2", cell="U-266", peaks=50_000),
        row("SRX3", cell="MM.1S", peaks=1_000),
    )
    (chosen,) = choice.chosen
    assert (chosen.experiment, chosen.cells, chosen.system, chosen.peaks) == ("SRX3", "MM.1S", "same", 1000)
    preferred = "SRX3 is of preferred cells (MM.1S)"
    assert reasons(choice) == {"SRX1": preferred, "SRX2": preferred}
    assert [one.cells for one in choice.excluded] == ["plasmablast", "other myeloma"]


def test_each_antigen_falls_back_by_itself() -> None:
    choice = choose(
        row("SRX1", antigen="PRDM1", cell="U-266"),
        row("SRX2", antigen="IKZF1"),
        row("SRX3", antigen="IKZF1", cell="U-266", peaks=90_000),
        row("SRX4", antigen="FOS", cell="Plasmablast"),
    )
    assert [(one.antigen, one.experiment, one.system) for one in choice.chosen] == [
        ("FOS", "SRX4", "different"),
        ("IKZF1", "SRX2", "same"),
        ("PRDM1", "SRX1", "similar"),
    ]
    assert choice.experiments == ["SRX4", "SRX2", "SRX1"]


@pytest.mark.parametrize(
    "names",
    [
        {"cell": "MM.1S"},
        {"cell": "mm1s"},
        {"cell": "Multiple myeloma", "title": "GSM1: MM.1S Brd4 DMSO"},
        {"cell": "Multiple myeloma", "title": "GSM1: brd4 in mm1s"},
        {"cell": "Plasma Cells", "metadata": "source_name=x\tcell line=MM1S"},
    ],
)
def test_one_line_goes_by_several_names(names: dict[str, str]) -> None:
    """The label of MM.1S is `MM.1S`, `Multiple myeloma` or `Plasma Cells`: cell, title and metadata are searched."""
    (chosen,) = choose(row(**names)).chosen
    assert chosen.cells == "MM.1S"
    assert chosen.cell == names["cell"]


def test_a_label_without_the_line_is_of_the_later_step() -> None:
    (chosen,) = choose(row(cell="Multiple Myeloma")).chosen
    assert (chosen.cells, chosen.system) == ("other myeloma", "similar")


@pytest.mark.parametrize(
    "changes",
    [
        {"genome": "hg19"},
        {"antigen_class": "Histone"},
        {"cell_class": "Liver"},
        {"antigen": "GATA1"},
        {"antigen": "ikzf1"},  # ChIP-Atlas' names are exact
        {"cell": "K-562"},
    ],
)
def test_what_is_not_asked_for_is_no_candidate(changes: dict[str, str]) -> None:
    choice = choose(row("SRX1"), row("SRX2", **{"peaks": 9e5, **changes}), antigens=["IKZF1"])
    assert choice.experiments == ["SRX1"]
    assert not choice.excluded


def test_without_antigens_or_a_cell_class_all_are_candidates() -> None:
    choice = choose(row("SRX1"), row("SRX2", antigen="GATA1", cell_class="Liver"), cell_class=None)
    assert choice.experiments == ["SRX2", "SRX1"]


def test_one_experiment_under_two_genomes_is_one_candidate_with_the_peaks_of_the_genome() -> None:
    choice = choose(row("SRX1", genome="hg19", peaks=9_000), row("SRX1", genome="hg38", peaks=4_000))
    assert [(one.experiment, one.peaks) for one in choice.chosen] == [("SRX1", 4_000)]
    assert not choice.excluded


def test_an_empty_list_chooses_nothing() -> None:
    assert choose() == Choice(chosen=[], excluded=[])


# Treated cells

JQ1 = ("JQ1", "shRNA|siRNA")


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ({"title": "GSM1033752: MM.1S Brd4 JQ1 JL ChipSeq"}, "MM.1S Brd4 JQ1 JL ChipSeq"),
        ({"metadata": "source_name=x\ttreatment drug=jq1"}, "treatment drug=jq1"),
        # As SRX203395: one key says JQ1, the other DMSO.
        (
            {"metadata": "source_name=Med1 in MM.1S (500 nM JQ1)\ttreatment drug=DMSO"},
            "Med1 in MM.1S (500 nM JQ1) treatment drug=DMSO",
        ),
    ],
)
def test_treated_cells_are_left_out_and_the_reason_shows_where_it_says_so(
    texts: dict[str, str], shown: str
) -> None:
    choice = choose(row("SRX1", peaks=90_000, **texts), row("SRX2"), exclude=JQ1)
    assert choice.experiments == ["SRX2"]
    (left_out,) = choice.excluded
    assert left_out.reason.startswith("excluded by /JQ1/: ")
    assert shown in left_out.reason
    assert "\t" not in left_out.reason


def test_the_reason_of_a_long_text_shows_the_surroundings_alone() -> None:
    long = "x" * 5_000
    (left_out,) = choose(row(metadata=f"{long} siRNA {long}"), exclude=JQ1).excluded
    assert "siRNA" in left_out.reason
    assert len(left_out.reason) < 150


def test_the_name_of_the_cells_does_not_say_that_they_were_treated() -> None:
    assert choose(row(cell="MM.1S JQ1"), exclude=JQ1).experiments == ["SRX1"]


def test_being_treated_is_told_before_having_too_few_peaks() -> None:
    (left_out,) = choose(row(title="JQ1 MM.1S", peaks=3), exclude=JQ1).excluded
    assert left_out.reason.startswith("excluded by /JQ1/")


# Peaks


def test_an_experiment_with_too_few_peaks_has_failed_and_makes_way_for_other_cells() -> None:
    choice = choose(row("SRX1", peaks=999), row("SRX2", cell="U-266", peaks=1000))
    assert choice.experiments == ["SRX2"]
    assert reasons(choice) == {"SRX1": "999 peaks, 1,000 are needed"}


def test_an_unknown_number_of_peaks_is_left_out_unless_any_number_will_do() -> None:
    unknown = row("SRX1", peaks=np.nan)
    choice = choose(unknown, min_peaks=1)
    assert reasons(choice) == {"SRX1": "the list does not say how many peaks it has"}
    (chosen,) = choose(unknown, min_peaks=0).chosen
    assert chosen.peaks is None
    known = choose(unknown, row("SRX2", peaks=1), row("SRX3", peaks=0), min_peaks=0)
    assert known.experiments == ["SRX2"]  # a known number goes before


def test_those_with_most_peaks_are_used_and_equal_ones_by_accession() -> None:
    rows = [
        row("SRX5", peaks=2000),
        row("SRX3", peaks=3000),
        row("SRX4", peaks=3000),
        row("SRX2", peaks=1500),
    ]
    assert choose(*rows).experiments == ["SRX3"]
    choice = choose(*rows, per_antigen=3)
    assert choice.experiments == ["SRX3", "SRX4", "SRX5"]
    assert reasons(choice) == {"SRX2": "SRX3 has more peaks in the same cells"}


def test_further_experiments_of_an_antigen_are_not_taken_from_other_cells() -> None:
    choice = choose(row("SRX1"), row("SRX2", cell="U-266"), per_antigen=2)
    assert choice.experiments == ["SRX1"]
    assert reasons(choice) == {"SRX2": "SRX1 is of preferred cells (MM.1S)"}


def test_the_reason_for_leaving_out_an_experiment_with_as_many_peaks_is_true() -> None:
    choice = choose(row("SRX1", peaks=3000), row("SRX2", peaks=3000), row("SRX3", peaks=2999))
    assert choice.experiments == ["SRX1"]
    assert reasons(choice) == {
        "SRX2": "SRX1 comes first in the same cells",
        "SRX3": "SRX1 has more peaks in the same cells",
    }


some_rows = st.lists(
    st.builds(
        row,
        st.integers(1, 40).map(lambda number: f"SRX{number}"),
        genome=st.sampled_from(["hg38", "hg19"]),
        antigen=st.sampled_from(["IKZF1", "FOS", "GATA1"]),
        cell=st.sampled_from(["MM.1S", "U-266", "Plasmablasts", "K-562"]),
        peaks=st.sampled_from([np.nan, 0.0, 500.0, 1000.0, 2000.0]),
        title=st.sampled_from(["GSM1", "GSM1: JQ1", "GSM1: MM1S"]),
    ),
    max_size=12,
    unique_by=lambda one: (one["experiment"], one["genome"]),
)


@settings(max_examples=100, deadline=None)
@given(rows=some_rows, per_antigen=st.integers(1, 3), least=st.sampled_from([0, 1000]), data=st.data())
def test_every_candidate_is_chosen_or_left_out_once_whatever_the_order_of_the_list(
    rows: list[dict[str, Any]], per_antigen: int, least: int, data: st.DataObject
) -> None:
    keys = {"antigens": ["IKZF1", "FOS"], "exclude": JQ1, "per_antigen": per_antigen, "min_peaks": least}
    choice = choose(*rows, **keys)
    candidates = [
        one["experiment"]
        for one in rows
        if one["genome"] == "hg38"
        and one["antigen"] != "GATA1"
        and (one["cell"] != "K-562" or "MM1S" in one["title"])
    ]
    told = [one.experiment for one in (*choice.chosen, *choice.excluded)]
    assert sorted(told) == sorted(candidates)
    assert all(one.reason for one in choice.excluded)
    assert all("JQ1" not in one.title and (one.peaks or 0) >= least for one in choice.chosen)
    antigens = [one.antigen for one in choice.chosen]
    assert all(antigens.count(one) <= per_antigen for one in antigens)
    assert choose(*data.draw(st.permutations(rows)), **keys) == choice


def test_the_list_as_a_file_gives_the_same_choice(tmp_path: Path) -> None:
    """Through the index, entities and odd bytes included."""
    lines = [
        b"SRX1\thg38\tTFs and others\tIKZF1\tBlood\tMultiple myeloma\tNA\t1,2.0,3.0,2000\tGSM1: in MM.1S &amp; na\xefve",
        b"SRX2\thg38\tTFs and others\tIKZF1\tBlood\tMM.1S\tNA\t1,2.0,3.0,9000\tGSM2\ttreatment=500 nM&nbsp;JQ1",
        b"SRX1\thg19\tTFs and others\tIKZF1\tBlood\tMultiple myeloma\tNA\t1,2.0,3.0,9000\tGSM1: in MM.1S",
        b"SRX3\thg38\tTFs and others\tIKZF1\tBlood\tMM.1S\tNA\t-\tGSM3",
    ]
    (tmp_path / "experimentList.tab").write_bytes(b"\n".join(lines) + b"\n")
    index_experiments(tmp_path / "experimentList.tab", tmp_path / "index")
    listed = read_experiments(tmp_path / "index", "hg38", TF, ["IKZF1"])
    choice = choose_experiments(described(antigens=["IKZF1"], exclude=JQ1), listed)
    assert [(one.experiment, one.peaks) for one in choice.chosen] == [("SRX1", 2000)]
    assert "500 nM JQ1" in reasons(choice)["SRX2"]
    assert reasons(choice)["SRX3"] == "the list does not say how many peaks it has"


# What a study file says

PEAKS = {
    "id": "together",
    "role": "primary",
    "analysis": "peak_colocalization",
    "datasets": ["chip"],
    "query": "IKZF1",
    "partner": "FOS",
}
BED = {"source": "file", "format": "bed", "path": "peaks.bed", "genome": "hg38"}


def mistakes_of(one: dict[str, Any], folder: Path) -> list[tuple[int, str]]:
    """Line and text of what reading a study with this data set says."""
    values = study_values(claim(PEAKS, decision={"rule": "specific"}))
    path = write_study(values | {"datasets": {"chip": one}}, folder)
    with pytest.raises(UserError) as caught:
        read_study(path)
    told = [message.removeprefix(f"{path}:").split(": ", 1) for message in caught.value.messages]
    return [(int(line), text) for line, text in told]


def line_of(folder: Path, text: str) -> int:
    lines = (folder / "study.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_a_good_study_of_chip_atlas_is_read(tmp_path: Path) -> None:
    values = study_values(claim(PEAKS, decision={"rule": "specific"}))
    read = read_study(write_study(values | {"datasets": {"chip": chip_atlas()}}, tmp_path))
    assert list(read.references()) == ["chip_atlas_experiments", "chromosomes", "blacklist", "genes"]


@pytest.mark.parametrize(
    ("change", "at", "expected"),
    [
        ({"exclude": ["JQ1", "(dTAG"]}, '"(dTAG"', "'(dTAG' is not a regular expression"),
        ({"cells": [MYELOMA[0] | {"matches": "MM["}]}, '"matches": "MM["', "is not a regular expression"),
        ({"cells": []}, '"cells"', "cells"),
        ({"cells": [MYELOMA[0], MYELOMA[0]]}, '"chip"', "two steps of `cells` have the same name"),
        (
            {"colocalization_tables": ["IKZF1"], "cell_class": None},
            '"chip"',
            "add cell_class, such as cell_class: Blood",
        ),
        ({"genome": "hg19"}, '"genome"', "found 'hg19'"),
        ({"threshold": "50"}, '"threshold"', "found '50'"),
        ({"per_antigen": 0}, '"per_antigen"', "found 0"),
        ({"min_peak": 10}, '"min_peak"', "unknown key 'min_peak'; did you mean min_peaks?"),
    ],
)
def test_mistakes_in_a_selection_of_experiments_are_told_with_their_line(
    change: dict[str, Any], at: str, expected: str, tmp_path: Path
) -> None:
    ((line, text),) = mistakes_of(chip_atlas() | change, tmp_path)
    assert line == line_of(tmp_path, at)
    assert expected in text


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"format": "bed", "genome": None}, "add or remove genome: hg38"),
        ({"format": "narrowpeak"}, "say what was bound: antigen: FOS"),
        (
            {"format": "series_matrix", "genome": "hg38"},
            "bed and narrowpeak, and only they, say of which assembly they are",
        ),
        (
            {"format": "series_matrix", "genome": None, "antigen": "FOS"},
            "antigen and cell are keys of bed and narrowpeak; take them out",
        ),
        ({"format": "bed", "genome": "hg37"}, "found 'hg37'"),
    ],
)
def test_mistakes_in_a_file_of_regions_are_told_with_their_line(
    keys: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    local = dataset(**BED)
    del local["study"]
    values = {key: value for key, value in (local | keys).items() if value is not None}
    told = mistakes_of(values, tmp_path)
    at = line_of(tmp_path, '"genome"' if "found" in expected else '"chip"')
    assert [line for line, text in told if expected in text] == [at]
