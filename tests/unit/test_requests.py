"""Which files each source needs: addresses as the services have them (facts, seen in public code)."""

from pathlib import Path

import pytest
from builders import dataset
from pydantic import TypeAdapter

from reclaim.dataset import Dataset
from reclaim.errors import UserError
from reclaim.reference import Reference
from reclaim.sources.requests import expand_path, further_requests, requests_for


def urls(kind=Dataset, **keys) -> dict[str, str | None]:
    values = {key: value for key, value in dataset(**keys).items() if key != "study" or "study" in keys}
    if kind is Reference:
        values = keys
    one = TypeAdapter(kind).validate_python(values)
    return {request.name: request.url for request in requests_for(one, Path("beside"))}


XENA = {
    "source": "xena",
    "hub": "toil-xena-hub",
    "matrix": "TcgaTargetGtex_rsem_gene_tpm.gz",
    "values": "log2_tpm_plus_0.001",
    "sample_table": "TcgaTargetGTEX_phenotype.txt.gz",
    "probe_map": "probeMap/gencode.v23.annotation.gene.probemap",
}


def test_xena_from_the_storage_of_its_hubs():
    assert urls(**XENA) == {
        "matrix": "https://toil-xena-hub.s3.us-east-1.amazonaws.com/download/TcgaTargetGtex_rsem_gene_tpm.gz",
        "sample_table": "https://toil-xena-hub.s3.us-east-1.amazonaws.com/download/TcgaTargetGTEX_phenotype.txt.gz",
        "probe_map": "https://toil-xena-hub.s3.us-east-1.amazonaws.com/download/probeMap%2Fgencode.v23.annotation.gene.probemap",
    }


HISEQ = {
    "source": "xena",
    "hub": "tcga-xena-hub",
    "matrix": "TCGA.BRCA.sampleMap/HiSeqV2.gz",
    "values": "log2_normalised_count_plus_1",
    "features": "symbol",
    "sample_table": "TCGA.BRCA.sampleMap/BRCA_clinicalMatrix",
}


def test_a_matrix_of_symbols_needs_no_probe_map_and_a_path_at_a_hub_is_one_segment():
    assert urls(**HISEQ) == {
        "matrix": "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.BRCA.sampleMap%2FHiSeqV2.gz",
        "sample_table": "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download/TCGA.BRCA.sampleMap%2FBRCA_clinicalMatrix",
    }


def test_a_series_matrix():
    geo = {"source": "geo", "expression": "series_matrix"}
    assert urls(series="GSE42872", **geo) == {
        "series_matrix": "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE42nnn/GSE42872/matrix/GSE42872_series_matrix.txt.gz"
    }
    assert urls(series="GSE19536", platform="GPL6480", **geo) == {
        "series_matrix": "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE19nnn/GSE19536/matrix/GSE19536-GPL6480_series_matrix.txt.gz"
    }


@pytest.mark.parametrize(
    ("series", "folder"), [("GSE31", "GSEnnn"), ("GSE999", "GSEnnn"), ("GSE1000", "GSE1nnn")]
)
def test_the_last_three_digits_of_a_series_are_its_folder(series, folder):
    (url,) = urls(source="geo", series=series, expression="series_matrix").values()
    assert f"/geo/series/{folder}/{series}/matrix/" in url


@pytest.mark.parametrize(
    ("platform", "folder"), [("GPL10558", "GPL10nnn"), ("GPL6480", "GPL6nnn"), ("GPL570", "GPLnnn"), ("GPL96", "GPLnnn")]
)  # fmt: skip
def test_probes_with_the_annotation_of_their_platform(platform, folder):
    found = urls(
        source="geo", series="GSE42872", expression="series_matrix", features="probe", annotation=platform
    )
    assert found == {
        "series_matrix": "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE42nnn/GSE42872/matrix/GSE42872_series_matrix.txt.gz",
        "annotation": f"https://ftp.ncbi.nlm.nih.gov/geo/platforms/{folder}/{platform}/annot/{platform}.annot.gz",
    }


def test_counts_of_ncbi():
    found = urls(source="geo", series="GSE270890", expression="ncbi_counts")
    assert found == {
        "series_matrix": "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE270nnn/GSE270890/matrix/GSE270890_series_matrix.txt.gz",
        "counts": "https://www.ncbi.nlm.nih.gov/geo/download/?type=rnaseq_counts&acc=GSE270890&format=file&file=GSE270890_raw_counts_GRCh38.p13_NCBI.tsv.gz",
        "annotation": "https://www.ncbi.nlm.nih.gov/geo/download/?format=file&type=rnaseq_counts&file=Human.GRCh38.p13.annot.tsv.gz",
    }


def test_supplementary_files_of_a_series_and_of_single_samples():
    of_sample = {"file": "GSM7999701_H1944_DMSO_1.xlsx", "sample": "GSM7999701", "feature": "Gene_Symbol", "columns": ["A"]}  # fmt: skip
    of_series = {"file": "GSE315942_gene_count.txt.gz", "feature": "gene_id", "columns": ["B"]}
    found = urls(
        source="geo", series="GSE315942", expression="supplementary", supplementary=[of_sample, of_series]
    )
    assert found == {
        "GSM7999701_H1944_DMSO_1.xlsx": "https://ftp.ncbi.nlm.nih.gov/geo/samples/GSM7999nnn/GSM7999701/suppl/GSM7999701_H1944_DMSO_1.xlsx",
        "GSE315942_gene_count.txt.gz": "https://ftp.ncbi.nlm.nih.gov/geo/series/GSE315nnn/GSE315942/suppl/GSE315942_gene_count.txt.gz",
    }


def test_gdc_is_asked_for_its_files_first():
    from urllib.parse import parse_qs, urlsplit

    (name, url), *others = urls(source="gdc", project="TCGA-KICH").items()
    assert (name, others) == ("files", [])
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "api.gdc.cancer.gov", "/files")
    filters = parse_qs(parts.query)["filters"][0]
    for text in ("TCGA-KICH", "Gene Expression Quantification", "STAR - Counts", '"access"', '"open"'):
        assert text in filters


def test_gdc_then_for_one_aliquot_of_each_sample(tmp_path):
    import pandas as pd

    from reclaim.simulate.gdc import files_answer

    columns = ["file_id", "aliquot", "sample", "patient", "sample_type", "preservation"]
    row = ("TCGA-KL-8323-01A", "TCGA-KL-8323", "Primary Tumor", "")
    table = pd.DataFrame(
        [("f1", "TCGA-KL-8323-01A-11R-2315-07", *row), ("f2", "TCGA-KL-8323-01A-21R-2999-07", *row)],
        columns=columns,
    )
    (tmp_path / "files.json").write_bytes(files_answer(table))
    gdc = TypeAdapter(Dataset).validate_python(
        {key: value for key, value in dataset(source="gdc", project="TCGA-KICH").items() if key != "study"}
    )
    found = further_requests(gdc, {"files": tmp_path / "files.json"})
    assert [(one.name, one.url) for one in found] == [("f2", "https://api.gdc.cancer.gov/data/f2")]


def test_other_sources_name_all_files_beforehand():
    xena = {key: value for key, value in dataset(**XENA).items() if key != "study"}
    assert further_requests(TypeAdapter(Dataset).validate_python(xena), {}) == []


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            {"source": "enrichr", "library": "MSigDB_Hallmark_2020"},
            {"gmt": "https://maayanlab.cloud/Enrichr/geneSetLibrary?mode=text&libraryName=MSigDB_Hallmark_2020"},
        ),
        (
            {"source": "msigdb", "release": "2024.1.Hs", "collection": "h.all"},
            {"gmt": "https://data.broadinstitute.org/gsea-msigdb/msigdb/release/2024.1.Hs/h.all.v2024.1.Hs.symbols.gmt"},
        ),
        (
            {"source": "hgnc"},
            {"symbols": "https://storage.googleapis.com/public-download-files/hgnc/tsv/tsv/hgnc_complete_set.txt"},
        ),
        ({"source": "gmt", "path": "sets.gmt"}, {"gmt": None}),
    ],
)  # fmt: skip
def test_references(reference, expected):
    assert urls(Reference, **reference) == expected


def test_cbioportal():
    assert urls(study="brca_metabric") == {
        "archive": "https://datahub.assets.cbioportal.org/brca_metabric.tar.gz"
    }
    files = urls(study="brca_metabric", layout="files", copy_number=False)
    assert files["data_mutations.txt"] == (
        "https://media.githubusercontent.com/media/cBioPortal/datahub/master/public/brca_metabric/data_mutations.txt"
    )
    assert "data_cna.txt" not in files
    assert "data_cna.txt" in urls(study="brca_metabric", layout="files")


def test_local_files_lie_beside_the_study_or_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("MY_DATA", "/data")
    local = dataset(
        source="file", format="count_matrix", path="${MY_DATA}/counts.tsv",
        sample_table={"path": "samples.tsv", "sample": "s", "patient": "p"},
    )  # fmt: skip
    del local["study"]
    found = requests_for(TypeAdapter(Dataset).validate_python(local), Path("seeds"))
    assert [(one.name, one.url, one.path) for one in found] == [
        ("data", None, Path("/data/counts.tsv")),
        ("sample_table", None, Path("seeds/samples.tsv")),
    ]


def test_what_the_environment_lacks_is_told():
    with pytest.raises(UserError, match="environment variable NOT_SET_ANYWHERE is not set; export"):
        expand_path("${NOT_SET_ANYWHERE}/x", Path())
    with pytest.raises(UserError, match="a lone"):
        expand_path("a $ b", Path())
