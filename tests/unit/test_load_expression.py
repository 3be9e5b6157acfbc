"""From stored bytes to the canonical object, and why a data set is absent."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad
from builders import dataset, expression
from pydantic import TypeAdapter

from reclaim.dataset import Dataset
from reclaim.errors import UserError
from reclaim.expression import validated
from reclaim.retrieve.receipt import Receipt
from reclaim.retrieve.retrieval import Access, make_receipt
from reclaim.retrieve.store import store_path
from reclaim.simulate.gdc import files_answer, star_counts_tsv
from reclaim.simulate.geo import (
    count_table_gz,
    ncbi_annotation_gz,
    ncbi_counts_gz,
    platform_annotation_gz,
    series_matrix_gz,
)
from reclaim.simulate.hgnc import FIRST_ID, hgnc_complete_set
from reclaim.simulate.xena import clinical_matrix, matrix_gz, phenotype_gz, probemap
from reclaim.sources.gdc import data_url
from reclaim.sources.load_expression import load_expression
from reclaim.sources.requests import further_requests, requests_for
from reclaim.symbols import SymbolTable

GENES = ["TREX1", "STING1", "CXCL10"]
IDS = [f"ENSG{FIRST_ID + i:011d}.{i + 1}" for i in range(3)]
COUNTS = pd.DataFrame([[5, 6, 7], [0, 1, 2], [9, 9, 9]], index=GENES, columns=["A_1", "B_1", "B_2"])


@pytest.fixture(scope="module")
def symbols(tmp_path_factory) -> SymbolTable:
    path = tmp_path_factory.mktemp("hgnc") / "hgnc.txt"
    path.write_bytes(hgnc_complete_set(GENES))
    return SymbolTable.read(path)


def described(**keys):
    values = dataset(**keys)
    if "study" not in keys:
        del values["study"]
    return TypeAdapter(Dataset).validate_python(values)


def load(one, store: Path, symbols, files: dict[str, bytes] | None = None):
    """Write files by the name of their request, then load the data set."""
    requests = requests_for(one, store)
    for request in requests:
        if request.url and files:
            path = store / store_path(request.url)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[request.name])
    receipt = make_receipt("a", requests, Access(store))
    further = further_requests(one, receipt.open(store))
    if further:
        receipt = make_receipt("a", [*requests, *further], Access(store))
    return load_expression(one, receipt, store, symbols)


def why_absent(*args) -> str:
    data, ledger = load(*args)
    assert ledger.status == "absent"
    assert data.shape == (0, 0)
    assert validated(data) is data
    return ledger.reason


# GEO: series matrix and NCBI's counts


def samples(**changes) -> pd.DataFrame:
    table = {
        "title": ["DMSO 1", "BAY 1", "BAY 2"],
        "source_name": "cells",
        "organism": "Homo sapiens",
        "platform": "GPL1",
        "batch": ["x", "y", "y"],
    }
    return pd.DataFrame(table | changes, index=["GSM1", "GSM2", "GSM3"])


def series(values=None, **changes) -> bytes:
    return series_matrix_gz("GSE1", samples(**changes), values)


LOG2 = pd.DataFrame([[8.0, 9, 10], [4, 5, 6.5]], index=["TREX1", "SIMOLD1"], columns=["GSM1", "GSM2", "GSM3"])
DERIVE = {"drug": {"values": {"DMSO": "DMSO", "drug": "BAY"}}}


def arrays(**keys):
    return described(source="geo", series="GSE1", expression="series_matrix", **keys)


def ncbi(**keys):
    return described(source="geo", series="GSE1", expression="ncbi_counts", **keys)


def ncbi_files(**changes) -> dict[str, bytes]:
    counts = COUNTS.set_axis([str(FIRST_ID + i) for i in range(3)]).set_axis(["GSM1", "GSM2", "GSM9"], axis=1)
    genes = pd.DataFrame({"GeneID": counts.index, "Symbol": GENES})
    return {
        "series_matrix": series(**changes),
        "counts": ncbi_counts_gz(counts),
        "annotation": ncbi_annotation_gz(genes),
    }


def test_an_array_comes_under_approved_symbols_with_derived_columns(tmp_path, symbols):
    data, ledger = load(arrays(derive=DERIVE), tmp_path, symbols, {"series_matrix": series(LOG2)})
    assert (data.uns["unit"], ledger.status, ledger.simulated) == ("log2_intensity", "present", True)
    assert data.to_df().to_dict("list") == {"TREX1": [8, 9, 10], "STING1": [4, 5, 6.5]}  # SIMOLD1 is STING1
    assert data.obs["drug"].tolist() == ["DMSO", "drug", "drug"]
    assert [(step.step, step.samples) for step in ledger.flow] == [("listed", 3)]


def test_linear_intensities_are_logged_and_those_below_zero_are_missing(tmp_path, symbols):
    values = pd.DataFrame([[256.0, 40000, 1024], [-3, 0, 64]], index=GENES[:2], columns=LOG2.columns)
    data, _ = load(arrays(), tmp_path, symbols, {"series_matrix": series(values)})
    assert data.uns["unit"] == "log2_intensity"
    trex1, sting1 = data.to_df()["TREX1"].tolist(), data.to_df()["STING1"].tolist()
    assert trex1 == pytest.approx([8, np.log2(40000), 10])
    assert np.isnan(sting1[:2]).all()
    assert sting1[2] == 6


def test_a_series_matrix_without_values_is_absent_and_says_why(tmp_path, symbols):
    reason = why_absent(arrays(), tmp_path, symbols, {"series_matrix": series(None)})
    assert reason == "the series matrix holds no values; expected those of an array"


def test_a_series_matrix_of_missing_values_is_absent_too(tmp_path, symbols):
    values = LOG2 * np.nan
    reason = why_absent(arrays(), tmp_path, symbols, {"series_matrix": series(values)})
    assert "holds no values" in reason


@pytest.mark.parametrize("one", [arrays(), ncbi()])
def test_another_organism_is_absent(one, tmp_path, symbols):
    organism = ["Homo sapiens", "Mus musculus", "Mus musculus"]
    files = ncbi_files(organism=organism) | {"series_matrix": series(LOG2, organism=organism)}
    assert why_absent(one, tmp_path, symbols, files) == "organism: Mus musculus; expected Homo sapiens"


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"drug": "reversine"}, "not the data that were expected: no sample with drug is reversine"),
        ({"dose": "1"}, "no column 'dose'"),
    ],
)
def test_data_that_are_not_as_expected_are_absent(expect, reason, tmp_path, symbols):
    one = arrays(confirmed=False, expect=expect, derive=DERIVE)
    assert why_absent(one, tmp_path, symbols, {"series_matrix": series(LOG2)}).startswith(reason)


def test_data_that_are_as_expected_are_there(tmp_path, symbols):
    one = arrays(confirmed=False, expect={"drug": "drug"}, derive=DERIVE)
    assert load(one, tmp_path, symbols, {"series_matrix": series(LOG2)})[1].status == "present"


def test_a_selection_that_nothing_meets_is_absent(tmp_path, symbols):
    one = arrays(samples={"batch": "z"})
    reason = why_absent(one, tmp_path, symbols, {"series_matrix": series(LOG2)})
    assert reason == "no sample meets: batch is z (batch holds: x, y)"


def test_a_derived_column_that_fits_twice_stops_the_run(tmp_path, symbols):
    one = arrays(derive={"drug": {"values": {"any": "1", "BAY": "BAY"}}})
    with pytest.raises(UserError, match=r"sample GSM2 .* is both any and BAY"):
        load(one, tmp_path, symbols, {"series_matrix": series(LOG2)})


def test_counts_of_ncbi_take_their_samples_from_the_series_matrix(tmp_path, symbols):
    data, ledger = load(ncbi(derive=DERIVE), tmp_path, symbols, ncbi_files())
    assert data.to_df().to_dict("list") == {"TREX1": [5, 6], "STING1": [0, 1], "CXCL10": [9, 9]}
    assert data.obs["drug"].tolist() == ["DMSO", "drug"]
    assert ledger.dropped["samples with counts and without a line in the sample table"] == 1  # GSM9
    assert ledger.dropped["samples in the sample table and without counts"] == 1  # GSM3


def test_counts_of_other_samples_are_absent(tmp_path, symbols):
    files = ncbi_files()
    files["series_matrix"] = series_matrix_gz("GSE1", samples().set_axis(["GSM7", "GSM8", "GSM6"]), None)
    reason = why_absent(ncbi(), tmp_path, symbols, files)
    assert reason == "none of the samples with counts is in the sample table"


def test_what_the_service_does_not_have_is_absent(tmp_path, symbols):
    receipt = Receipt(dataset="a", status="absent", reason="404 Not Found", files=[])
    data, ledger = load_expression(arrays(), receipt, tmp_path, symbols)
    assert (ledger.status, ledger.reason, data.n_obs) == ("absent", "404 Not Found", 0)


# GEO: probes

PROBE_VALUES = pd.DataFrame(
    [[5.0, 5, 5], [8, 9, 10], [4, 5, 6.5], [7, 7, 7], [12, 12, 12], [3, 3, 3], [2, 2, 2]],
    index=["dim", "bright", "old", "no_id", "shared", "control", "unlisted"],
    columns=["GSM1", "GSM2", "GSM3"],
)


def probes(**keys):
    return arrays(features="probe", annotation="GPL1", **keys)


def probe_files(rows=None, **changes) -> dict[str, bytes]:
    """TREX1 by two probes; STING1 under its previous symbol; CXCL10 without an Entrez id; a probe of two genes."""
    first, second = str(FIRST_ID), str(FIRST_ID + 1)
    rows = rows or {
        "dim": ("TREX1", first),
        "bright": ("TREX1", first),
        "old": ("SIMOLD1", second),
        "no_id": ("CXCL10", ""),
        "shared": ("TREX1///SIMOLD1", f"{first}///{second}"),
        "control": ("", ""),
        "elsewhere": ("CXCL10", ""),
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["symbol", "entrez"]).assign(title="")
    return {
        "series_matrix": series_matrix_gz("GSE1", samples(**changes), PROBE_VALUES),
        "annotation": platform_annotation_gz("GPL1", table),
    }


def test_probes_come_under_the_approved_symbols_of_their_genes(tmp_path, symbols):
    data, ledger = load(probes(), tmp_path, symbols, probe_files())
    assert data.to_df().to_dict("list") == {
        "TREX1": [8, 9, 10],  # the brighter of its own two, though a third, of two genes, is brighter still
        "STING1": [4, 5, 6.5],
        "CXCL10": [7, 7, 7],
        "control": [3, 3, 3],
        "unlisted": [2, 2, 2],
    }
    assert data.var["feature"].tolist() == ["bright", "old", "no_id", "control", "unlisted"]
    assert data.var["entrez"].tolist() == [str(FIRST_ID), str(FIRST_ID + 1), "", "", ""]
    assert (ledger.status, ledger.simulated) == ("present", True)
    assert ledger.dropped == {
        "probes of several genes, dropped": 1,
        "probes that the platform's annotation names no gene of": 1,
        "probes that the platform's annotation does not list": 1,
        "probes whose gene has another symbol today than in the platform's annotation": 1,
        "probes looked up by symbol, for want of an Entrez id that HGNC knows": 1,
        "features left out for a brighter one of the same gene": 1,
        "features without a symbol, under their own id": 2,
    }


def test_the_entrez_id_decides_where_the_symbol_could_mean_two_genes(tmp_path, symbols):
    files = probe_files(rows={"old": ("SIMSHARED", str(FIRST_ID + 1))})
    data, _ = load(probes(), tmp_path, symbols, files)
    assert data.to_df()["STING1"].tolist() == [4, 5, 6.5]


def test_linear_intensities_of_probes_are_logged(tmp_path, symbols):
    files = probe_files()
    files["series_matrix"] = series_matrix_gz("GSE1", samples(), 2**PROBE_VALUES)
    data, _ = load(probes(), tmp_path, symbols, files)
    assert data.uns["unit"] == "log2_intensity"
    assert data.to_df()["TREX1"].tolist() == pytest.approx([8, 9, 10])


@pytest.mark.parametrize(
    ("platform", "found"), [(["GPL1", "GPL96", "GPL96"], "GPL96"), ("GPL9", "GPL9"), ("", "none named")]
)
def test_samples_of_another_platform_are_absent(platform, found, tmp_path, symbols):
    reason = why_absent(probes(), tmp_path, symbols, probe_files(platform=platform))
    assert reason == f"platform: {found}; expected GPL1, whose annotation names the probes"


@pytest.mark.parametrize(
    ("rows", "listed"), [({"another": ("TREX1", "")}, 0), ({"dim": ("", ""), "shared": ("A///B", "")}, 2)]
)
def test_probes_without_any_gene_are_absent(rows, listed, tmp_path, symbols):
    reason = why_absent(probes(), tmp_path, symbols, probe_files(rows=rows))
    assert reason == (
        f"the platform's annotation lists {listed} of the 7 probes (such as dim) and names the one gene of none; "
        "expected the probes of its platform"
    )


def test_the_annotation_of_another_platform_stops_the_run(tmp_path, symbols):
    files = probe_files()
    files["annotation"] = platform_annotation_gz("GPL96", PROBE_VALUES.assign(symbol="", entrez="", title=""))
    with pytest.raises(
        UserError, match=r"GPL1.annot.gz: the annotation of GPL96; expected that of GPL1: delete"
    ):
        load(probes(), tmp_path, symbols, files)


# GEO: supplementary tables


def test_supplementary_tables_are_joined_over_the_genes_they_share(tmp_path, symbols):
    tables = [
        {"file": "one.txt.gz", "feature": "gene", "columns": {"DMSO 1": "A_1"}},
        {"file": "two.txt.gz", "feature": "gene", "columns": ["B_1", "B_2"]},
    ]
    one = described(source="geo", series="GSE1", expression="supplementary", supplementary=tables)
    files = {
        "one.txt.gz": count_table_gz(COUNTS[["A_1"]], "gene"),
        "two.txt.gz": count_table_gz(COUNTS[["B_1", "B_2"]].iloc[:2], "gene"),
    }
    data, ledger = load(one, tmp_path, symbols, files)
    assert data.obs["title"].tolist() == ["DMSO 1", "B_1", "B_2"]
    assert data.to_df().to_dict("list") == {"TREX1": [5, 6, 7], "STING1": [0, 1, 2]}
    assert ledger.dropped["features that only some files of the series have"] == 1


def test_normalised_values_in_place_of_counts_are_absent(tmp_path, symbols):
    tables = [{"file": "one.txt.gz", "feature": "gene", "columns": ["A_1"]}]
    one = described(source="geo", series="GSE1", expression="supplementary", supplementary=tables)
    files = {"one.txt.gz": count_table_gz(COUNTS[["A_1"]] + 0.25, "gene")}
    assert "expected whole counts of reads" in why_absent(one, tmp_path, symbols, files)


# Xena


def xena(**keys):
    return described(
        source="xena", hub="a-hub", matrix="m.gz", values="log2_tpm_plus_0.001", sample_table="p.gz",
        probe_map="probes", **keys,
    )  # fmt: skip


BARCODES = ["TCGA-AA-0001-01", "TCGA-AA-0001-11", "GTEX-1117F-0226-SM-5GZZ7"]


def xena_files() -> dict[str, bytes]:
    tpm = np.array([[3.0, 1, 7], [0, 0, 0], [1, 3, 15]])
    table = pd.DataFrame({"_study": ["TCGA", "TCGA", "GTEX"], "site": ["Tumor a", "Normal b", "b"]}, BARCODES)
    probes = pd.DataFrame({"gene": GENES}, index=IDS)
    probes = probes.assign(chrom="chr1", chromStart=1, chromEnd=9, strand="+")
    return {
        "matrix": matrix_gz(tpm, IDS, BARCODES, "log2_tpm_plus_0.001"),
        "sample_table": phenotype_gz(table),
        "probe_map": probemap(probes),
    }


def test_xena_with_the_patients_of_its_barcodes(tmp_path, symbols):
    data, _ = load(xena(), tmp_path, symbols, xena_files())
    assert data.uns["unit"] == "log2_tpm"
    assert data.to_df()["TREX1"].tolist() == pytest.approx([2, 1, 3], abs=1e-3)  # log2(TPM + 1)
    assert data.obs["patient"].tolist() == ["TCGA-AA-0001", "TCGA-AA-0001", "GTEX-1117F"]


def test_xena_reads_only_the_samples_asked_for(tmp_path, symbols):
    data, ledger = load(xena(samples={"_study": "TCGA"}), tmp_path, symbols, xena_files())
    assert list(data.obs_names) == BARCODES[:2]
    assert ledger.dropped["samples of the matrix that were not asked for"] == 2  # GTEx's, the mark
    reason = why_absent(xena(samples={"_study": "TARGET"}), tmp_path, symbols, xena_files())
    assert "none of the samples asked for" in reason


# A matrix of the TCGA hub: rows by old symbols, and its clinical matrix


def hiseq(**keys):
    return described(
        source="xena", hub="tcga-xena-hub", matrix="TCGA.BRCA.sampleMap/HiSeqV2.gz",
        values="log2_normalised_count_plus_1", features="symbol",
        sample_table="TCGA.BRCA.sampleMap/BRCA_clinicalMatrix", **keys,
    )  # fmt: skip


def hiseq_files() -> dict[str, bytes]:
    """STING1 under its previous symbol, TREX1 twice (the second under an alias, dimmer), three rows of no gene."""
    rows = ["TREX1", "SIMOLD1", "SIMALIAS0", "?|100130426", "SIMSHARED", "SIMWITHDRAWN"]
    linear = np.array([[3.0, 1, 7], [0, 7, 15], [1, 0, 1], [0, 1, 0], [3, 3, 3], [1, 1, 1]])
    columns = ["TCGA-AA-0001-01", "TCGA-AA-0001-11", "TCGA-AA-0002-01"]
    table = pd.DataFrame({"ER": ["Positive", None], "sample_type_id": ["01", "11"]}, columns[:2])
    return {
        "matrix": matrix_gz(linear, rows, columns, "log2_normalised_count_plus_1"),
        "sample_table": clinical_matrix(table, ["TCGA-AA-0001"] * 2),
    }


def test_a_matrix_of_old_symbols_with_its_clinical_matrix(tmp_path, symbols):
    data, ledger = load(hiseq(), tmp_path, symbols, hiseq_files())
    assert data.uns["unit"] == "log2_normalised_count"
    values = data.to_df()
    # The sample without a clinical row is left out, as are the clinical rows without values.
    assert list(values.index) == ["TCGA-AA-0001-01", "TCGA-AA-0001-11"]
    assert values.columns.tolist() == ["TREX1", "STING1", "?|100130426", "SIMSHARED", "SIMWITHDRAWN"]
    assert values["TREX1"].tolist() == pytest.approx([2, 1])  # log2(3 + 1), log2(1 + 1): of the brighter row
    assert values["STING1"].tolist() == pytest.approx([0, 3])
    assert data.var.loc["STING1", ["feature", "how"]].tolist() == ["SIMOLD1", "previous"]
    assert data.obs["ER"].tolist() == ["Positive", ""]  # missing
    assert data.obs["patient"].tolist() == data.obs["_PATIENT"].tolist() == ["TCGA-AA-0001"] * 2
    assert ledger.simulated
    assert ledger.dropped == {
        "features renamed from a previous symbol": 1,
        "features renamed from an alias": 1,
        "features left out for a brighter one of the same gene": 1,
        "features that HGNC does not know": 1,
        "features whose symbol is ambiguous": 1,
        "features whose symbol was withdrawn": 1,
        "samples of the matrix that were not asked for": 2,  # the patient without a row, the mark
        "samples of the sample table that the matrix lacks": 3,  # two more, the mark
    }


@pytest.mark.parametrize("code", ["01", 1])
def test_normal_tissue_of_a_clinical_matrix_is_left_out_by_its_code(code, tmp_path, symbols):
    data, _ = load(hiseq(samples={"sample_type_id": code}), tmp_path, symbols, hiseq_files())
    assert list(data.obs_names) == ["TCGA-AA-0001-01"]


def test_a_clinical_matrix_may_be_packed(tmp_path, symbols):
    files = hiseq_files()
    packed = files | {"sample_table": gzip.compress(files["sample_table"])}
    plain, _ = load(hiseq(), tmp_path / "plain", symbols, files)
    data, _ = load(hiseq(), tmp_path / "packed", symbols, packed)
    assert data.obs.equals(plain.obs)


def test_a_sample_table_without_samples_is_told(tmp_path, symbols):
    files = hiseq_files() | {"sample_table": b"bcr_sample_barcode\tSIMULATED\nTCGA-AA-0001-01\tx\n"}
    with pytest.raises(UserError, match=r"no column 'sample' or 'sampleID' .*: name another file"):
        load(hiseq(), tmp_path, symbols, files)


def test_a_derived_column_may_take_the_name_of_its_source(tmp_path, symbols):
    # Derived twice, the second time from its own values, it would be empty.
    derive = {"site": {"from": "site", "values": {"lesion": "Tumor", "healthy": "Normal"}}}
    data, _ = load(
        xena(derive=derive, samples={"site": ["lesion", "healthy"]}), tmp_path, symbols, xena_files()
    )
    assert data.obs["site"].tolist() == ["lesion", "healthy"]


# GDC


def test_gdc_with_one_aliquot_per_sample(tmp_path, symbols):
    aliquots = [
        "TCGA-AA-0001-01A-11R-0001-07",
        "TCGA-AA-0001-01A-11R-0002-07",
        "TCGA-AA-0001-11A-11R-0001-07",
    ]
    table = pd.DataFrame(
        {
            "file_id": ["f1", "f2", "f3"],
            "aliquot": aliquots,
            "sample": [name[:16] for name in aliquots],
            "patient": "TCGA-AA-0001",
            "sample_type": ["Primary Tumor", "Primary Tumor", "Solid Tissue Normal"],
            "preservation": "",
        }
    )
    for number, file_id in enumerate(table["file_id"], start=1):
        path = tmp_path / store_path(data_url(file_id))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(star_counts_tsv([number, 10 * number, 0], IDS, GENES))
    one = described(source="gdc", project="TCGA-XX", samples={"sample_type": "Primary Tumor"})
    data, ledger = load(one, tmp_path, symbols, {"files": files_answer(table)})
    assert data.to_df().to_dict("list") == {"TREX1": [2], "STING1": [20], "CXCL10": [0]}
    assert data.obs["patient"].tolist() == ["TCGA-AA-0001"]
    assert [(step.samples, step.patients) for step in ledger.flow] == [(2, 1), (1, 1)]


# Local files


def local(format_: str, path: str, **keys):
    return described(source="file", format=format_, path=path, **keys)


def matrix(folder: Path, text: str, table: str, symbols, name="counts.tsv", **keys):
    (folder / name).write_text(text)
    (folder / "samples.tsv").write_text(table)
    spec = {"path": "samples.tsv", "sample": "id", "patient": "donor"}
    return local("count_matrix", name, sample_table=spec, **keys)


TEXT = "gene\tS1\tS2\tS9\nTREX1\t5\t6\t7\nSIMOLD1\t0\t1\t2\nTREX1\t1\t1\t1\n"
TABLE = "id\tdonor\tgroup\nS1\tD1\tcase\nS2\tD2\tcontrol\nS3\tD3\tcontrol\n"


@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_count_matrix_with_its_sample_table(separator, tmp_path, symbols):
    name = "counts.tsv" if separator == "\t" else "counts.csv"
    one = matrix(tmp_path, TEXT.replace("\t", separator), TABLE, symbols, name)
    data, ledger = load(one, tmp_path, symbols)
    assert data.uns["unit"] == "counts"
    assert data.to_df().to_dict("list") == {"TREX1": [6, 7], "STING1": [0, 1]}  # lines of a gene add up
    assert data.obs["patient"].tolist() == ["D1", "D2"]
    assert data.obs["group"].tolist() == ["case", "control"]
    assert ledger.dropped["samples in the sample table and without counts"] == 1
    assert ledger.simulated is False


def test_a_count_matrix_by_ensembl_id(tmp_path, symbols):
    text = "gene\tS1\tS2\n" + "".join(f"{one}\t{i}\t{i}\n" for i, one in enumerate(IDS))
    data, _ = load(matrix(tmp_path, text, TABLE, symbols, features="ensembl"), tmp_path, symbols)
    assert list(data.var_names) == GENES


def test_a_count_matrix_of_other_samples_is_told_with_its_line(tmp_path, symbols):
    one = matrix(tmp_path, TEXT, TABLE.replace("S", "X"), symbols)
    with pytest.raises(UserError, match=r"counts.tsv:1: none of its columns \(such as \['S1'\]\)"):
        load(one, tmp_path, symbols)


def test_a_sample_table_without_the_column_is_told_with_the_nearest(tmp_path, symbols):
    one = matrix(tmp_path, TEXT, TABLE.replace("donor", "doner"), symbols)
    with pytest.raises(UserError, match=r"samples.tsv:1: no column 'donor'; did you mean doner"):
        load(one, tmp_path, symbols)


@pytest.mark.parametrize(("old", "new"), [("\t5\t", "\t-5\t"), ("\t5\t", "\t5.5\t"), ("\t5\t", "\tfive\t")])
def test_cells_that_are_no_counts_are_told(old, new, tmp_path, symbols):
    one = matrix(tmp_path, TEXT.replace(old, new), TABLE, symbols)
    reason = why_absent(one, tmp_path, symbols)
    assert "counts.tsv:2: " in reason
    assert "count" in reason


def test_a_sample_that_stands_twice_in_a_matrix_is_told(tmp_path, symbols):
    one = matrix(tmp_path, TEXT.replace("S9", "S1"), TABLE, symbols)
    with pytest.raises(UserError, match=r"counts.tsv:1: the column 'S1' stands twice"):
        load(one, tmp_path, symbols)


def annotated(unit="counts", values=(1.0, 2.0)):
    """GENES by symbol, two samples; one of them without a sex."""
    data = expression({"TREX1": values, "SIMOLD1": [3.0, 4.0]}, {"sex": ["F", None]})
    data.uns["unit"] = unit
    return data


def written(data, folder: Path):
    data.write_h5ad(folder / "mine.h5ad")
    return local("h5ad", "mine.h5ad")


def test_an_anndata_file_as_it_is(tmp_path, symbols):
    data, _ = load(written(annotated(), tmp_path), tmp_path, symbols)
    assert data.to_df().to_dict("list") == {"TREX1": [1, 2], "STING1": [3, 4]}
    assert data.obs["sex"].tolist() == ["F", ""]


def test_an_anndata_file_says_its_unit(tmp_path, symbols):
    with pytest.raises(UserError, match=r"mine.h5ad: uns\['unit'\] is 'tpm'; say what the values are"):
        load(written(annotated("tpm"), tmp_path), tmp_path, symbols)


@pytest.mark.parametrize("value", [-1.0, 0.5])
def test_an_anndata_file_of_counts_holds_counts(value, tmp_path, symbols):
    with pytest.raises(UserError, match=r"mine.h5ad: counts must be whole and not negative; mend"):
        load(written(annotated(values=(1.0, value)), tmp_path), tmp_path, symbols)


@pytest.mark.filterwarnings("ignore:.*names are not unique")
def test_an_anndata_file_names_each_sample_once(tmp_path, symbols):
    data = annotated()
    data.obs_names = ["S1", "S1"]
    with pytest.raises(UserError, match=r"mine.h5ad: sample 'S1' stands twice"):
        load(written(data, tmp_path), tmp_path, symbols)


def test_an_anndata_file_without_values_is_told(tmp_path, symbols):
    data = annotated()
    data.X = None
    with pytest.raises(UserError, match="no values"):
        load(written(data, tmp_path), tmp_path, symbols)


def test_what_is_no_anndata_file_is_told(tmp_path, symbols):
    (tmp_path / "mine.h5ad").write_text("gene\tS1\n")
    with pytest.raises(UserError, match=r"mine.h5ad: not an AnnData file"):
        load(local("h5ad", "mine.h5ad"), tmp_path, symbols)


def test_a_local_series_matrix(tmp_path, symbols):
    (tmp_path / "mine.txt.gz").write_bytes(series(LOG2))
    data, _ = load(local("series_matrix", "mine.txt.gz"), tmp_path, symbols)
    assert data.uns["unit"] == "log2_intensity"
    (tmp_path / "mine.txt.gz").write_bytes(series(None))
    assert "no values" in why_absent(local("series_matrix", "mine.txt.gz"), tmp_path, symbols)


# What is kept


def test_the_object_survives_its_file(tmp_path, symbols):
    text = TABLE.replace("group", "tumor/normal").replace("D2\tcontrol", "D2\t")
    data, _ = load(matrix(tmp_path, TEXT, text, symbols), tmp_path, symbols)
    data.write_h5ad(tmp_path / "a.h5ad", compression="gzip")
    data.write_h5ad(tmp_path / "b.h5ad", compression="gzip")
    again = read_h5ad(tmp_path / "a.h5ad")
    assert again.obs["tumor or normal"].tolist() == ["case", ""]  # a slash is no name there
    assert again.to_df().equals(data.to_df())
