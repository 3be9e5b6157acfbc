"""Toil's real phenotype gives the numbers of tumours, adjacent normals and pairs that were counted in it before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from realfile import real_file

from reclaim.sources.xena import patients, read_phenotype, tumour_normal_counts

# Counted by another program in the whole file, 19,131 rows: primary tumours, adjacent normals, pairs.
EXPECTED = {
    "Breast Invasive Carcinoma": (1092, 113, 112),
    "Kidney Clear Cell Carcinoma": (530, 72, 72),
    "Lung Adenocarcinoma": (513, 59, 58),
    "Thyroid Carcinoma": (504, 59, 59),
    "Prostate Adenocarcinoma": (495, 52, 52),
    "Lung Squamous Cell Carcinoma": (498, 50, 50),
    "Liver Hepatocellular Carcinoma": (369, 50, 50),
    "Head & Neck Squamous Cell Carcinoma": (518, 44, 43),
    "Colon Adenocarcinoma": (288, 41, 26),
    "Stomach Adenocarcinoma": (414, 36, 33),
    "Kidney Papillary Cell Carcinoma": (288, 32, 32),
    "Kidney Chromophobe": (66, 25, 25),
    "Uterine Corpus Endometrioid Carcinoma": (180, 23, 7),
    "Bladder Urothelial Carcinoma": (407, 19, 19),
    "Esophageal Carcinoma": (181, 13, 13),
    "Rectum Adenocarcinoma": (92, 10, 6),
}


@pytest.fixture(scope="module")
def phenotype(realdata: Path) -> pd.DataFrame:
    path = real_file(realdata / "xena" / "TcgaTargetGTEX_phenotype.txt.gz")
    return read_phenotype(path, Counter())


def test_every_sample_is_read(phenotype: pd.DataFrame) -> None:
    assert phenotype["_study"].value_counts().to_dict() == {"TCGA": 10_535, "GTEX": 7_862, "TARGET": 734}
    assert phenotype.index.is_unique
    assert "Sympathetic\u00caNervous System" in set(phenotype["_primary_site"])


def test_sixteen_cancers_have_ten_adjacent_normals(phenotype: pd.DataFrame) -> None:
    found = tumour_normal_counts(phenotype, min_normals=10)
    assert {row.Index: tuple(row)[1:] for row in found.itertuples()} == EXPECTED


def test_a_lower_bound_adds_cholangiocarcinoma(phenotype: pd.DataFrame) -> None:
    found = tumour_normal_counts(phenotype, min_normals=9)
    assert set(found.index) - set(EXPECTED) == {"Cholangiocarcinoma"}
    assert tuple(found.loc["Cholangiocarcinoma"]) == (36, 9, 9)


def test_barcodes_tell_patients(phenotype: pd.DataFrame) -> None:
    """Every barcode of the three programmes is known; what is left are the samples of the cell line K-562."""
    same = phenotype.index[patients(phenotype.index) == phenotype.index]
    assert {sample.split("-SM-")[0] for sample in same} <= {"K-562"}
    tcga = phenotype[phenotype["_study"] == "TCGA"]
    assert list(patients(tcga.index)) == [sample[:12] for sample in tcga.index]
