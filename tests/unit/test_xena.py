"""UCSC Xena's tables and matrices, with what real ones hold."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reclaim.errors import AbsentData, UserError
from reclaim.retrieve.content import identify
from reclaim.simulate.xena import clinical_matrix, matrix_gz, phenotype_gz, probemap
from reclaim.sources import xena_matrix
from reclaim.sources.xena import (
    patients,
    read_matrix,
    read_phenotype,
    read_probemap,
    strip_versions,
    tumour_normal_counts,
)

COUNTS, TPM = "log2_expected_count_plus_1", "log2_tpm_plus_0.001"
NORMALISED = "log2_normalised_count_plus_1"
PROBES = pd.DataFrame(
    [
        ("ENSG00000000003.14", "AAA", "chrX", 100627109, 100639991, "-"),
        ("ENSG00000182378.13", "BBB", "chrX", 276322, 303356, "+"),
        ("ENSGR0000182378.13", "BBB", "chrY", 276322, 303356, "+"),
    ],
    columns=["id", "gene", "chrom", "chromStart", "chromEnd", "strand"],
).set_index("id")

# By hand: log2(0 + 1) = 0, log2(7 + 1) = 3, log2(2.7 + 1) = 1.8875, log2(14524 + 1) = 13.8263.
MATRIX = (
    "sample\tS1\tS2\tS3\tS4\n"
    "ENSG00000000003.14\t0.0000\t3.0000\t1.8875\t13.8263\n"
    "ENSG00000182378.13\t1.0000\t2.0000\t0.0000\t0.0000\n"
    "ENSGR0000182378.13\t1.0000\t0.0000\t3.0000\t0.0000\n"
    "ENSG00000000005.5\t0.0000\t0.0000\t0.0000\t1.0000\n"
)


def table(*samples: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"_study": ["TCGA"] * len(samples)}, index=pd.Index(samples, name="sample", dtype=object)
    )


def write(folder: Path, text: str | bytes, packed: bool = True) -> Path:
    path = folder / "matrix.gz"
    raw = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


def read(path: Path, *samples: str, values: str = COUNTS, **keys: Any) -> tuple[Any, Counter[str]]:
    ledger: Counter[str] = Counter()
    data = read_matrix(path, table(*samples), values, PROBES, ledger, **keys)
    return data, Counter({name: number for name, number in ledger.items() if number})


def test_counts_come_back_whole_for_the_samples_of_the_table_in_its_order(tmp_path: Path) -> None:
    data, ledger = read(write(tmp_path, MATRIX), "S4", "S1", "absent", "S3")
    assert list(data.obs_names) == ["S4", "S1", "S3"]
    assert list(data.obs["_study"]) == ["TCGA"] * 3
    assert list(data.var_names) == ["ENSG00000000003", "ENSG00000182378", "ENSG00000000005"]
    assert list(data.var["symbol"]) == ["AAA", "BBB", ""]
    # 2.7 reads are RSEM's: rounded, 3. The copies of BBB add up: S1 1 + 1, S3 0 + 7.
    assert data.X.tolist() == [[14524, 0, 1], [0, 2, 0], [3, 7, 0]]
    assert data.X.dtype == np.int32
    assert (data.uns["unit"], data.uns["source_unit"]) == ("counts", "log2(expected_count + 1)")
    assert ledger == {
        "samples of the sample table that the matrix lacks": 1,
        "samples of the matrix that were not asked for": 1,
        "Ensembl ids whose version was stripped": 4,
        "Ensembl ids of the Y copy of a pseudoautosomal gene": 1,
        "gene rows added to another of the same Ensembl id": 1,
        "genes without a symbol in the probe map": 1,
    }


def test_tpm_get_an_offset_of_one(tmp_path: Path) -> None:
    """By hand: -9.9658 is 0 TPM, log2(4 + 0.001) is 2.0004, log2(3 + 4 + 1) is 3."""
    text = (
        "sample\tS1\tS2\n"
        "ENSG00000000003.14\t-9.9658\t2.0004\n"
        "ENSG00000182378.13\t1.5854\t-9.9658\n"  # 3 TPM
        "ENSG00000182378.13_PAR_Y\t2.0004\t-9.9658\n"  # 4 TPM
    )
    data, _ = read(write(tmp_path, text), "S1", "S2", values=TPM)
    assert data.X.dtype == np.float32
    np.testing.assert_allclose(data.X, [[0, 3], [np.log2(5), 0]], atol=1e-4)
    assert data.X[0, 0] == 0
    assert data.X[1, 1] == 0
    assert (data.uns["unit"], data.uns["source_unit"]) == ("log2_tpm", "log2(tpm + 0.001)")


# Rows of HiSeqV2: old symbols, no symbol, a repeated one. By hand: log2(7 + 1) = 3, log2(1.5 + 1) = 1.3219.
SYMBOLS = "sample\tS1\tS2\nTMEM173\t3.0000\t0.0000\n?|100130426\t0.0000\t1.3219\nAAA\t1.0000\t2.0000\nAAA\t0.0000\t1.0000\n"


@pytest.mark.filterwarnings("ignore:.*names are not unique")
def test_rows_named_by_symbol_keep_their_names_and_values(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    data = read_matrix(write(tmp_path, SYMBOLS), table("S2", "S1", "S3"), NORMALISED, None, ledger)
    assert list(data.var_names) == ["TMEM173", "?|100130426", "AAA", "AAA"]  # none is added to another
    assert list(data.var) == []
    np.testing.assert_allclose(data.X, [[0, 1.3219, 2, 1], [3, 0, 1, 0]], atol=1e-6)
    assert data.X.dtype == np.float32
    assert (data.uns["unit"], data.uns["source_unit"]) == ("log2_normalised_count", "log2(norm_count + 1)")
    assert {name: number for name, number in ledger.items() if number} == {
        "samples of the sample table that the matrix lacks": 1
    }


@pytest.mark.filterwarnings("ignore:.*names are not unique")
def test_symbols_that_are_asked_for(tmp_path: Path) -> None:
    ledger: Counter[str] = Counter()
    genes = ["AAA", "STING1"]
    data = read_matrix(write(tmp_path, SYMBOLS), table("S1"), NORMALISED, None, ledger, genes)
    assert data.X.tolist() == [[1, 0]]
    assert ledger["genes asked for that the matrix lacks"] == 1


def test_the_largest_count_that_four_decimals_tell_exactly(tmp_path: Path) -> None:
    """Half a unit of the fourth decimal is 5e-5 x ln 2 = 3.5e-5 of a count: half a read at 14,427 or so."""
    numbers = np.arange(14_526)
    path = tmp_path / "matrix.gz"
    genes = [f"G{number}" for number in numbers]
    path.write_bytes(matrix_gz(numbers[:, None], genes, ["S1"], COUNTS))
    found = read(path, "S1")[0].X[0]
    assert list(np.flatnonzero(found != numbers)) == [14_525]
    assert found[14_525] == 14_524  # log2(14526) = 13.82635 is written 13.8263: 14524.498


def test_a_large_count_is_not_rounded_by_its_type(tmp_path: Path) -> None:
    """2^24 + 1 reads, which float32 cannot hold, from text with all decimals."""
    text = f"sample\tS1\nG1\t{np.log2(2**24 + 2):.17g}\n"
    assert read(write(tmp_path, text), "S1")[0].X.tolist() == [[2**24 + 1]]


def test_only_genes_that_are_asked_for_are_kept(tmp_path: Path) -> None:
    data, ledger = read(
        write(tmp_path, MATRIX), "S1", genes=["ENSG00000182378.99", "ENSG00000000005", "ENSG00000999999"]
    )
    assert list(data.var_names) == ["ENSG00000182378", "ENSG00000000005"]
    assert data.X.tolist() == [[2, 0]]
    assert ledger["genes asked for that the matrix lacks"] == 1


@pytest.mark.parametrize("size", [1, 60, 10**6])
def test_blocks_of_any_size_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    whole, _ = read(write(tmp_path, MATRIX), "S2", "S3")
    monkeypatch.setattr(xena_matrix, "BLOCK_BYTES", size)
    data, _ = read(write(tmp_path, MATRIX), "S2", "S3")
    assert (data.X == whole.X).all()


def test_gzip_of_several_members_line_ends_and_plain_text_read_alike(tmp_path: Path) -> None:
    whole, _ = read(write(tmp_path, MATRIX), "S1")
    middle = MATRIX.index("\n", 60) - 3
    members = gzip.compress(MATRIX[:middle].encode()) + gzip.compress(MATRIX[middle:].encode())
    for raw, packed in (
        (members, False),
        (MATRIX.replace("\n", "\r\n").encode(), True),
        (MATRIX.encode(), False),
    ):
        assert (read(write(tmp_path, raw, packed), "S1")[0].X == whole.X).all()


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        (MATRIX.replace("3.0000", "-9.9658", 1), COUNTS, r":2: -9.9658 in column S2; expected log2\(expected"),
        (MATRIX.replace("13.8263", "14524.0"), COUNTS, r":2: 14524 in column S4; .* give `values`"),
        (MATRIX.replace("3.0000", "", 1), COUNTS, r":2: no value in column S2"),
        (MATRIX.replace("3.0000", "NA", 1), TPM, r":2: no value in column S2"),
        (MATRIX.replace("2.0000", "two"), COUNTS, r":3: 'two' in column S2; expected a number"),
        (MATRIX[:-12], COUNTS, r":5: 4 cells; expected 5, as in the header: truncated"),
        (MATRIX.replace("\tS3", "\tS2"), COUNTS, r":1: the sample 'S2' stands twice"),
        (MATRIX.replace("ENSG00000000005.5", "ENSG00000000003.14"), COUNTS, "ENSG00000000003.14 stands twice"),
        (MATRIX.replace("3.0000", "-0.5000", 1), NORMALISED, r":2: -0.5 in column S2; expected log2\(norm_count"),
        ("<!DOCTYPE html>\n<html></html>\n", COUNTS, r":1: begins '<!DOCTYPE html>'; expected a header"),
        ("", COUNTS, r":1: begins 'with nothing'|expected a header"),
    ],
)  # fmt: skip
def test_bad_matrices_are_told_with_the_line(tmp_path: Path, text: str, values: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read(path, "S1", "S2", "S3", "S4", values=values)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_tpm_that_are_given_as_counts_are_refused(tmp_path: Path) -> None:
    """Every sample adds up to a million."""
    shares = np.random.default_rng(1).dirichlet(np.ones(50), 3).T * 1e6
    path = tmp_path / "matrix.gz"
    genes, samples = [f"G{number}" for number in range(50)], ["S1", "S2", "S3"]
    path.write_bytes(matrix_gz(shares, genes, samples, COUNTS))
    with pytest.raises(UserError, match="adds up to a million, so these are TPM"):
        read(path, *samples)
    path.write_bytes(matrix_gz(shares * [1, 1, 1.1], genes, samples, COUNTS))
    read(path, *samples)


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
def test_a_truncated_matrix_is_an_error_that_names_it(tmp_path: Path, share: float) -> None:
    numbers = np.random.default_rng(1).poisson(100, (400, 20))
    packed = matrix_gz(numbers, [f"G{i}" for i in range(400)], [f"S{i}" for i in range(20)], COUNTS)
    path = write(tmp_path, packed[: int(len(packed) * share)], packed=False)
    with pytest.raises(UserError, match=r"truncated or damaged .*; delete it and fetch it again"):
        read(path, "S1")


def test_a_matrix_without_the_samples_or_genes_is_absent_data(tmp_path: Path) -> None:
    with pytest.raises(AbsentData, match=r"none of the samples asked for \(such as 'X'\)"):
        read(write(tmp_path, MATRIX), "X")
    with pytest.raises(AbsentData, match="no row of genes among those asked for"):
        read(write(tmp_path, MATRIX), "S1", genes=["ENSG00000999999"])


def test_versions_and_y_copies() -> None:
    ledger: Counter[str] = Counter()
    names, place = strip_versions(
        ["ENSG00000000003.14", "TSPAN6", "ENSGR0000182378.13", "ENSG00000182378", "ENSG00000000005.6_2",
         "ENSG00000182378.15_PAR_Y"],
        ledger,
    )  # fmt: skip
    assert names == ["ENSG00000000003", "TSPAN6", "ENSG00000182378", "ENSG00000000005"]
    assert list(place) == [0, 1, 2, 2, 3, 2]
    assert ledger == {
        "Ensembl ids whose version was stripped": 4,
        "Ensembl ids of the Y copy of a pseudoautosomal gene": 2,
        "gene rows added to another of the same Ensembl id": 2,
    }


PHENOTYPE = (
    "sample\tdetailed_category\tprimary disease or tissue\t_primary_site\t_sample_type\t_gender\t_study\n"
    "TCGA-AA-0001-01\tLung\tLung\tLung\tPrimary Tumor\tMale\tTCGA\n"
    "TCGA-AA-0001-11\tLung\tLung\tLung\tSolid Tissue Normal\tMale\tTCGA\n"
    "TCGA-AA-0002-01\tLung\tLung\tLung\tPrimary Tumor\tNA\tTCGA\n"
    "TCGA-AA-0003-11\tLung\tLung\tLung\tSolid Tissue Normal\tMale\tTCGA\n"
    "TCGA-AA-0004-06\tSkin\tSkin\tSkin\tMetastatic\t\tTCGA\n"
    "TCGA-AA-0005-01\tColon\tColon\tColon\tPrimary Tumor\tMale\tTCGA\n"
    "GTEX-1117F-0226-SM-5GZZ7\tColon\tColon\tColon\tSolid Tissue Normal\tMale\tGTEX\n"
    "TARGET-30-PATYIL-02\tNeuroblastoma\tNeuroblastoma\tSympathetic\u00caNervous System\tx\tMale\tTARGET\n"
)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_the_phenotype_is_read_in_both_encodings_it_is_found_in(tmp_path: Path, encoding: str) -> None:
    found = read_phenotype(write(tmp_path, PHENOTYPE.encode(encoding)), Counter())
    assert found.index.name == "sample"
    assert "primary disease or tissue" in found.columns
    assert found.loc["TARGET-30-PATYIL-02", "_primary_site"] == "Sympathetic\u00caNervous System"
    assert found.loc["TCGA-AA-0002-01", "_gender"] == "NA"
    assert pd.isna(found.loc["TCGA-AA-0004-06", "_gender"])


def test_tumours_adjacent_normals_and_pairs_are_those_of_tcga(tmp_path: Path) -> None:
    phenotype = read_phenotype(write(tmp_path, PHENOTYPE), Counter())
    assert tumour_normal_counts(phenotype, 0).to_dict("index") == {
        "Lung": {"tumours": 2, "normals": 2, "pairs": 1},
        "Colon": {"tumours": 1, "normals": 0, "pairs": 0},
    }
    assert list(tumour_normal_counts(phenotype, 2).index) == ["Lung"]


def test_a_clinical_matrix_names_its_samples_otherwise(tmp_path: Path) -> None:
    path = write(
        tmp_path, "sampleID\tER_Status\nTCGA-AA-0001-01\tPositive\nTCGA-AA-0001-01\tPositive\n", packed=False
    )
    ledger: Counter[str] = Counter()
    found = read_phenotype(path, ledger)
    assert found.to_dict("index") == {"TCGA-AA-0001-01": {"ER_Status": "Positive"}}
    assert found.index.name == "sample"
    assert ledger["sample lines that repeat another"] == 1


def test_the_key_is_the_first_column_of_a_samples_name(tmp_path: Path) -> None:
    found = read_phenotype(write(tmp_path, "sampleID\tsample\nTCGA-AA-0001-01\tx\n"), Counter())
    assert found.to_dict("index") == {"TCGA-AA-0001-01": {"sample": "x"}}


def test_a_simulated_clinical_matrix_is_plain_text_with_samples_beyond_those_of_the_matrix(
    tmp_path: Path,
) -> None:
    samples = pd.DataFrame(
        {"ER": ["Positive", ""], "sample_type_id": ["01", "11"]}, index=["TCGA-AA-0001-01", "TCGA-AA-0001-11"]
    )
    raw = clinical_matrix(samples, ["TCGA-AA-0001"] * 2)
    assert raw.startswith(b"sampleID\tER\tsample_type_id\t_PATIENT\nSIMULATED")
    path = write(tmp_path, raw, packed=False)
    assert identify(path).simulated
    found = read_phenotype(path, Counter())
    assert found.loc["TCGA-AA-0001-01"].to_dict() == {
        "ER": "Positive", "sample_type_id": "01", "_PATIENT": "TCGA-AA-0001"
    }  # fmt: skip
    assert pd.isna(found.loc["TCGA-AA-0001-11", "ER"])
    more = found.index.difference([*samples.index, "SIMULATED-by-reclaim"])
    assert list(more) == ["TCGA-SIMX-0000-01", "TCGA-SIMX-0001-01"]
    assert list(patients(more)) == list(found.loc[more, "_PATIENT"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>\n", r":1: no column 'sample' or 'sampleID' \(it begins '<html>'\)"),
        ("", "empty; expected a header"),
        ("sample\tx\nS1\ta\nS1\tb\n", "the sample S1 stands on lines that differ"),
    ],
)
def test_bad_sample_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_phenotype(write(tmp_path, text), Counter())


def test_patients_of_donors_with_many_samples() -> None:
    samples = ["GTEX-1117F-0226-SM-5GZZ7", "GTEX-1117F-2926-SM-5GZYI", "GTEX-S4Q7-0003-SM-3NM8M", "TCGA-V4-A9EE-01",
               "TARGET-30-PATYIL-02", "K-562-SM-26GMQ"]  # fmt: skip
    assert list(patients(pd.Index(samples))) == [
        "GTEX-1117F", "GTEX-1117F", "GTEX-S4Q7", "TCGA-V4-A9EE", "TARGET-30-PATYIL", "K-562-SM-26GMQ",
    ]  # fmt: skip


def test_the_probe_map(tmp_path: Path) -> None:
    path = tmp_path / "probemap"
    path.write_bytes(probemap(PROBES))
    found = read_probemap(path)
    assert found.loc["ENSG00000000003.14"].to_dict() == {
        "gene": "AAA", "chrom": "chrX", "chromStart": 100627109, "chromEnd": 100639991, "strand": "-",
    }  # fmt: skip
    path.write_text("id\tgene\tchrom\tchromStart\tchromEnd\nG1\tAAA\tchr1\t1\t2\n")
    with pytest.raises(UserError, match=":1: no column 'strand'"):
        read_probemap(path)
    path.write_text("id\tgene\tchrom\tchromStart\tchromEnd\tstrand\nG1\tAAA\tchr1\tx\t2\t+\n")
    with pytest.raises(UserError, match="a position that is no number"):
        read_probemap(path)


def test_simulated_files_say_so_and_read_back(tmp_path: Path) -> None:
    """The marks are no sample and no gene of the result."""
    samples, genes = ["S1", "S2"], list(PROBES.index[:2])
    numbers = np.array([[5, 0], [1000, 3]])
    written = {
        "matrix": matrix_gz(numbers, genes, samples, COUNTS),
        "phenotype": phenotype_gz(table(*samples)),
        "probemap": probemap(PROBES),
    }
    assert written["matrix"] == matrix_gz(numbers, genes, samples, COUNTS)
    for name, raw in written.items():
        (tmp_path / name).write_bytes(raw)
        assert identify(tmp_path / name).simulated
    with pytest.raises(UnicodeDecodeError):
        gzip.decompress(written["phenotype"]).decode("utf-8")
    phenotype = read_phenotype(tmp_path / "phenotype", Counter())
    ledger: Counter[str] = Counter()
    probes = read_probemap(tmp_path / "probemap")
    data = read_matrix(tmp_path / "matrix", phenotype, COUNTS, probes, ledger)
    assert data.X.tolist() == [[5, 1000], [0, 3]]
    assert list(data.obs_names) == samples
    assert list(data.var["symbol"]) == ["AAA", "BBB"]
    assert ledger["samples of the matrix that were not asked for"] == 1
    assert ledger["samples of the sample table that the matrix lacks"] == 1
