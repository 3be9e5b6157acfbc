"""Real extracts of ChIP-Atlas and of reference annotation; counts are those of awk, sort and uniq on the same files."""

from __future__ import annotations

import csv
import gzip
import html
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from realfile import real_file

from reclaim.regions import BEYOND, REPEATED, UNKNOWN
from reclaim.sources.chip_atlas_tables import (
    ITSELF,
    read_analysis_list,
    read_colocalisation,
    read_target_genes,
)
from reclaim.sources.experiment_list import index_experiments, read_experiments
from reclaim.sources.genome_annotation import read_blacklist, read_chromosome_sizes
from reclaim.sources.peak_files import TEXT_SCORES, read_peaks

TF = "TFs and others"
NATIVE = "DERIVED_experimentList_hg38_TF_native.tab.gz"


@pytest.fixture(scope="module")
def chipatlas(realdata: Path) -> Path:
    return realdata / "chipatlas"


@pytest.fixture(scope="module")
def reference(realdata: Path) -> Path:
    return realdata / "reference"


@pytest.fixture(scope="module")
def hg38(reference: Path) -> dict[str, int]:
    return read_chromosome_sizes(real_file(reference / "human.hg38.genome"))


@pytest.fixture(scope="module")
def native(chipatlas: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    index = tmp_path_factory.mktemp("native") / "index.parquet"
    indexed = index_experiments(real_file(chipatlas / NATIVE), index)
    assert (indexed.rows, +indexed.ledger) == (2946, {})
    return read_experiments(index, "hg38")


def test_experiments_read_as_by_a_loop_over_lines(native: pd.DataFrame, chipatlas: Path) -> None:
    """html.unescape alone would also touch a bare ampersand; no word follows one here."""
    rows = []
    for line in gzip.open(real_file(chipatlas / NATIVE), "rt", encoding="utf-8"):
        cells = line.rstrip("\n").split("\t")
        description, title, *metadata = (html.unescape(cell) for cell in (cells[6], *cells[8:]))
        rows.append((*cells[:6], description, *map(float, cells[7].split(",")), title, "\t".join(metadata)))
    expected = sorted(rows)
    assert [tuple(row) for row in native.itertuples(index=False)] == expected


def test_known_experiments(native: pd.DataFrame) -> None:
    """Peaks as other notes have them."""
    peaks = native.set_index("experiment")["peaks"]
    known = {"SRX3460917": 50_146, "SRX3460916": 23_200, "SRX038912": 180, "SRX4345362": 3_963}
    assert {name: peaks[name] for name in known} == known
    assert (peaks == 0).sum() == 4
    assert (native["antigen"] == "CTCF").sum() == 711
    assert native["metadata"].str.contains("Stem & Progenitor", regex=False).sum() > 0
    assert not native[["cell_description", "title", "metadata"]].agg(" ".join, axis=1).str.contains("&amp;").any()  # fmt: skip


def test_antigens_of_the_list(chipatlas: Path, native: pd.DataFrame, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index_experiments(real_file(chipatlas / NATIVE), index)
    chosen = read_experiments(index, "hg38", TF, ["IKZF1", "IKZF3"])
    assert list(chosen["experiment"]) == list(
        native.loc[native["antigen"].isin(["IKZF1", "IKZF3"]), "experiment"]
    )
    assert dict(zip(chosen["experiment"], chosen["cell"], strict=True))["SRX3460917"] == "Pre-B cells"


def test_accessibility_experiments(chipatlas: Path, tmp_path: Path) -> None:
    indexed = index_experiments(real_file(chipatlas / "experimentList_sample10_ATAC.tab"), tmp_path / "index")
    assert (indexed.rows, +indexed.ledger) == (10, {})
    table = read_experiments(tmp_path / "index", "hg38", "ATAC-Seq").set_index("experiment")
    assert table.loc["SRX7478479", "peaks"] == 0
    assert table.loc["SRX7401800", "mapped_percent"] == 81.6
    assert table.loc["SRX7644735", "metadata"].split("\t")[1] == "cell line=143B"


def test_the_public_extract_names_the_same_experiments(native: pd.DataFrame, chipatlas: Path) -> None:
    """A third party's list, of all transcription factors: what both have, both call alike."""
    with gzip.open(real_file(chipatlas / "kadan_hg38_TF_all_experiments.csv.gz"), "rt") as handle:
        listed = {row["Experimental ID"]: row for row in csv.DictReader(handle)}
    both = native[native["experiment"].isin(listed)]
    assert len(both) > 0
    assert list(both["cell_class"]) == [listed[name]["Cell type class"] for name in both["experiment"]]


def test_the_list_of_analyses(chipatlas: Path) -> None:
    ledger: Counter[str] = Counter()
    path = real_file(chipatlas / "analysisList.tab")
    sizes = {genome: len(read_analysis_list(path, genome, ledger)) for genome in ("ce10", "dm3", "hg19", "mm9", "sacCer3")}  # fmt: skip
    assert sizes == {"ce10": 31, "dm3": 93, "hg19": 583, "mm9": 362, "sacCer3": 8}
    assert not +ledger
    human = read_analysis_list(path, "hg19", ledger)
    assert (human["colocalisation"].map(len) == 0).sum() == 64
    assert human["target_genes"].sum() == 582
    assert human.loc["IKZF1"].to_list() == [(), True]
    assert human.loc["FOS", "colocalisation"] == ("Breast", "Cardiovascular", "Digestive tract", "Uterus")


def test_the_upstream_fixtures_of_tables(chipatlas: Path) -> None:
    """Made by ChIP-Atlas for its own tests."""
    ledger: Counter[str] = Counter()
    colo = read_colocalisation(real_file(chipatlas / "FIXTURE_synthetic_colo_sample.tsv"), ledger)
    assert colo.antigen == "Stat3"
    assert list(colo.scores.index.get_level_values("experiment")) == [
        "SRX100002",
        "SRX100003",
        "SRX111111",
        "SRX100001",
    ]
    np.testing.assert_array_equal(colo.scores.to_numpy(), [[0, 9], [4, 6], [np.nan, 3], [9, 4]])
    assert +ledger == {ITSELF: 1}
    targets = read_target_genes(real_file(chipatlas / "FIXTURE_synthetic_target_genes_sample.tsv"), ledger)
    assert targets.scores.loc["Stat3"].to_list() == [665, 2544]
    assert list(targets.scores.columns) == [("SRX361677", "Astrocytes"), ("SRX400001", "Neuron")]
    assert targets.string["Myc"] == 950


@pytest.mark.parametrize(
    ("name", "rows", "bases", "repeated"),
    [
        ("native", 52_498, 12_066_032, 0),
        ("non_native", 37_906, 7_048_825, 2),  # two intervals of two experiments each; bases are of all
    ],
)
def test_peaks_of_several_experiments(
    chipatlas: Path, hg38: dict[str, int], name: str, rows: int, bases: int, repeated: int
) -> None:
    ledger: Counter[str] = Counter()
    path = real_file(chipatlas / f"kadan_Keratinocytes_tp63_{name}.bed.gz")
    peaks = read_peaks(path, hg38, ledger)
    assert len(peaks) == rows
    whole = pd.read_csv(path, sep="\t", header=None)
    assert (whole[2] - whole[1]).sum() == bases
    twice = whole[whole.duplicated([0, 1, 2])]
    assert (peaks["end"] - peaks["start"]).sum() == bases - (twice[2] - twice[1]).sum()
    assert peaks["score"].isna().all()  # column 5 is the antigen
    assert +ledger == +Counter({TEXT_SCORES: len(whole), REPEATED: repeated})
    codes = peaks["chrom"].cat.codes.to_numpy()
    assert (np.diff(codes) >= 0).all()
    assert (np.diff(peaks["start"])[np.diff(codes) == 0] >= 0).all()


@pytest.mark.parametrize(
    ("name", "genome", "rows", "bases"),
    [
        ("example_hg38_bedA.txt", "hg38", 1000, 148_260),
        ("example_hg38_bedB.txt", "hg38", 1997, 402_089),
        ("example_hg19_bedA.txt", "hg19", 1000, 148_260),
        ("example_hg19_bedB.txt", "hg19", 2000, 402_814),
    ],
)
def test_example_regions(
    chipatlas: Path, reference: Path, name: str, genome: str, rows: int, bases: int
) -> None:
    ledger: Counter[str] = Counter()
    sizes = read_chromosome_sizes(real_file(reference / f"human.{genome}.genome"))
    regions = read_peaks(real_file(chipatlas / name), sizes, ledger)
    assert len(regions) == rows
    assert (regions["end"] - regions["start"]).sum() == bases
    assert not +ledger


def test_regions_of_another_genome_are_counted(chipatlas: Path, hg38: dict[str, int]) -> None:
    """hg19's regions read as hg38's: 5 chromosomes have another name, 25 regions end beyond theirs (awk)."""
    ledger: Counter[str] = Counter()
    assert len(read_peaks(real_file(chipatlas / "example_hg19_bedB.txt"), hg38, ledger)) == 1970
    assert +ledger == {UNKNOWN: 5, BEYOND: 25}


@pytest.mark.parametrize(
    ("name", "rows", "bases", "reasons"),
    [
        ("hg38-blacklist.v2.bed.gz", 636, 227_162_400, {"High Signal Region": 594, "Low Mappability": 42}),
        ("hg19-blacklist.v2.bed.gz", 834, 274_970_000, {"High Signal Region": 583, "Low Mappability": 251}),
        ("hg19-blacklist.v1.bed.gz", 411, 11_588_272, {"BSR/Beta": 78, "centromeric_repeat": 76, "(CATTC)n": 6}),
    ],
)  # fmt: skip
def test_blacklists(reference: Path, name: str, rows: int, bases: int, reasons: dict[str, int]) -> None:
    ledger: Counter[str] = Counter()
    sizes = read_chromosome_sizes(real_file(reference / f"human.{name[:4]}.genome"))
    regions = read_blacklist(real_file(reference / name), sizes, ledger)
    assert len(regions) == rows
    assert (regions["end"] - regions["start"]).sum() == bases
    counts = regions["reason"].value_counts()
    assert {reason: counts[reason] for reason in reasons} == reasons
    assert not +ledger


def test_sizes_of_chromosomes(reference: Path, hg38: dict[str, int]) -> None:
    assert len(hg38) == 456
    assert (next(iter(hg38)), hg38["chr1"], hg38["chrX"]) == ("chr1", 248_956_422, 156_040_895)
    assert len(read_chromosome_sizes(real_file(reference / "human.hg19.genome"))) == 94  # and a blank line


@pytest.mark.parametrize(("genome", "build", "sites"), [("hg38", "GRCh38", 60_107), ("hg19", "GRCh37", 49_741)])  # fmt: skip
def test_start_sites_of_genes_lie_on_their_chromosomes(
    reference: Path, genome: str, build: str, sites: int
) -> None:
    """BED6 without scores of its own."""
    ledger: Counter[str] = Counter()
    sizes = read_chromosome_sizes(real_file(reference / f"human.{genome}.genome"))
    regions = read_peaks(
        real_file(reference / f"ChIPpeakAnno_TSS.human.{build}.ensembl.bed.gz"), sizes, ledger
    )
    assert len(regions) + ledger[REPEATED] == sites
    assert set(+ledger) <= {REPEATED}
    assert (regions["end"] - regions["start"] == 1).all()
