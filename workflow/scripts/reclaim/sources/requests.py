"""Which files each kind of data set needs. Light imports only: no reader is loaded."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from urllib.parse import quote

from reclaim.dataset import (
    CbioportalDataset,
    CbioportalExpressionDataset,
    ChipAtlasDataset,
    Dataset,
    DepmapDataset,
    FileDataset,
    GdcDataset,
    GeoDataset,
    XenaDataset,
)
from reclaim.errors import UserError
from reclaim.reference import (
    EnrichrLibrary,
    ExperimentList,
    GeneSetFile,
    GenomeReference,
    MsigdbCollection,
    Reference,
    SymbolReference,
)
from reclaim.retrieve.receipt import Request
from reclaim.sources.gdc import data_url, files_query_url

DATAHUB_ARCHIVE = "https://datahub.assets.cbioportal.org/{study}.tar.gz"
DATAHUB_FILE = "https://media.githubusercontent.com/media/cBioPortal/datahub/master/public/{study}/{file}"
DATAHUB_FILES = (
    "data_mutations.txt",
    "data_clinical_sample.txt",
    "data_clinical_patient.txt",
    "case_lists/cases_sequenced.txt",
)
DATAHUB_COPY_NUMBER_FILES = ("data_cna.txt", "case_lists/cases_cna.txt")


HGNC = "https://storage.googleapis.com/public-download-files/hgnc/tsv/tsv/hgnc_complete_set.txt"
ENRICHR = "https://maayanlab.cloud/Enrichr/geneSetLibrary?mode=text&libraryName={library}"
MSIGDB = (
    "https://data.broadinstitute.org/gsea-msigdb/msigdb/release/{release}/{collection}.v{release}.symbols.gmt"
)
XENA = "https://{hub}.s3.us-east-1.amazonaws.com/download/{path}"
GEO_SERIES = "https://ftp.ncbi.nlm.nih.gov/geo/series/{stub}/{series}"
GEO_SAMPLE = "https://ftp.ncbi.nlm.nih.gov/geo/samples/{stub}/{sample}"
GEO_ANNOTATION = "https://ftp.ncbi.nlm.nih.gov/geo/platforms/{stub}/{platform}/annot/{platform}.annot.gz"
NCBI_COUNTS = (
    "https://www.ncbi.nlm.nih.gov/geo/download/?type=rnaseq_counts&acc={series}&format=file"
    "&file={series}_raw_counts_GRCh38.p13_NCBI.tsv.gz"
)
NCBI_ANNOTATION = (
    "https://www.ncbi.nlm.nih.gov/geo/download/?format=file&type=rnaseq_counts"
    "&file=Human.GRCh38.p13.annot.tsv.gz"
)
FIGSHARE_FILE = "https://ndownloader.figshare.com/files/{number}"
DEPMAP_FILES = {
    "24Q4": {
        "gene_effect": (51064667, "6edf7ade09b9b34199210b559d4745d3"),
        "models": (51065297, "675210d17675f3517b0ce39a3c274f16"),
    },
}
"""Release -> name of a file -> its number at Figshare, and its MD5 as published there. The files are
CRISPRGeneEffect.csv and Model.csv."""
CHIP_ATLAS = "https://chip-atlas.dbcls.jp/data"
CHIP_ATLAS_LIST = f"{CHIP_ATLAS}/metadata/experimentList.tab"
CHIP_ATLAS_PEAKS = CHIP_ATLAS + "/{genome}/eachData/bed{threshold}/{experiment}.{threshold}.bed"
CHIP_ATLAS_COLO = CHIP_ATLAS + "/{genome}/colo/{antigen}.{cell_class}.tsv"
CHIP_ATLAS_TARGETS = CHIP_ATLAS + "/{genome}/target/{antigen}.5.tsv"
GENOME_FILES = {
    "chromosomes": "https://raw.githubusercontent.com/arq5x/bedtools2/master/genomes/human.{genome}.genome",
    "blacklist": "https://raw.githubusercontent.com/Boyle-Lab/Blacklist/master/lists/{genome}-blacklist.v2.bed.gz",
    "genes": "https://ftp.ebi.ac.uk/pub/databases/gencode/Gencode_human/release_44/gencode.v44.basic.annotation.gtf.gz",
    "elements": "https://downloads.wenglab.org/V3/GRCh38-cCREs.bed",
}


def requests_for(dataset: Dataset | Reference, beside: Path) -> list[Request]:
    """Every file of a data set or reference that is known beforehand; local paths are relative to `beside`."""
    match dataset:
        case FileDataset():
            requests = [Request("data", path=expand_path(dataset.path, beside))]
            if dataset.sample_table:
                requests.append(Request("sample_table", path=expand_path(dataset.sample_table.path, beside)))
            return requests
        case GeneSetFile():
            return [Request("gmt", path=expand_path(dataset.path, beside))]
        case SymbolReference():
            return [Request("symbols", url=HGNC)]
        case EnrichrLibrary():
            return [Request("gmt", url=ENRICHR.format(library=dataset.library))]
        case MsigdbCollection():
            return [Request("gmt", url=MSIGDB.format(release=dataset.release, collection=dataset.collection))]
        case ExperimentList():
            return [Request("experiments", url=CHIP_ATLAS_LIST)]
        case GenomeReference():
            return [Request(dataset.holds, url=GENOME_FILES[dataset.holds].format(genome=dataset.genome))]
        case ChipAtlasDataset():
            return _tables_of_chip_atlas(dataset)
        case XenaDataset():
            return requests_for_xena(dataset)
        case GeoDataset():
            return _geo(dataset)
        case DepmapDataset():
            return [
                Request(name, url=FIGSHARE_FILE.format(number=number), md5=md5)
                for name, (number, md5) in DEPMAP_FILES[dataset.release].items()
            ]
        case GdcDataset():
            return [Request("files", url=files_query_url(dataset.project))]
        case CbioportalDataset(layout="archive") | CbioportalExpressionDataset():
            return [Request("archive", url=DATAHUB_ARCHIVE.format(study=dataset.study))]
    names = DATAHUB_FILES + (DATAHUB_COPY_NUMBER_FILES if dataset.copy_number else ())
    return [Request(name, url=DATAHUB_FILE.format(study=dataset.study, file=name)) for name in names]


def further_requests(dataset: Dataset | Reference, files: Mapping[str, Path]) -> list[Request]:
    """Files that only a fetched one names: the aliquots in GDC's answer."""
    if not isinstance(dataset, GdcDataset):
        return []
    from reclaim.sources.gdc import one_aliquot_per_sample, read_files_answer

    dropped: Counter[str] = Counter()
    chosen = one_aliquot_per_sample(read_files_answer(files["files"], dropped), dropped)
    return [Request(str(file_id), url=data_url(str(file_id))) for file_id in chosen["file_id"]]


def requests_for_peaks(dataset: ChipAtlasDataset, experiments: Sequence[str]) -> list[Request]:
    """The peaks of chosen experiments. ChIP-Atlas lacks a few, and packs its files as it goes."""
    requests = []
    for experiment in experiments:
        url = CHIP_ATLAS_PEAKS.format(
            genome=dataset.genome, threshold=dataset.threshold, experiment=experiment
        )
        requests.append(Request(experiment, url=url, alternatives=(f"{url}.gz",), optional=True))
    return requests


def _tables_of_chip_atlas(dataset: ChipAtlasDataset) -> list[Request]:
    """What ChIP-Atlas computed itself, where it did."""
    cell_class = (dataset.cell_class or "").replace(" ", "_")
    colo = {
        f"colo_{antigen}": CHIP_ATLAS_COLO.format(
            genome=dataset.genome, antigen=quote(antigen), cell_class=quote(cell_class)
        )
        for antigen in dataset.colocalization_tables
    }
    targets = {
        f"targets_{antigen}": CHIP_ATLAS_TARGETS.format(genome=dataset.genome, antigen=quote(antigen))
        for antigen in dataset.target_tables
    }
    return [Request(name, url=url, optional=True) for name, url in {**colo, **targets}.items()]


def requests_for_xena(dataset: XenaDataset) -> list[Request]:
    """Its matrix, its tables at the hub, and those at the Genomic Data Commons."""
    paths = {name: getattr(dataset, name) for name in ("matrix", "sample_table", "probe_map")}
    paths |= {name: one.table for name, one in dataset.further_tables.items()}
    requests = [
        Request(name, url=XENA.format(hub=dataset.hub, path=quote(path, safe="")))
        for name, path in paths.items()
        if path
    ]
    further = dataset.further_tables.items()
    return requests + [Request(name, url=data_url(one.gdc_file)) for name, one in further if one.gdc_file]


def _geo(dataset: GeoDataset) -> list[Request]:
    series = GEO_SERIES.format(stub=_stub(dataset.series), series=dataset.series)
    platform = f"-{dataset.platform}" if dataset.platform else ""
    matrix = Request("series_matrix", url=f"{series}/matrix/{dataset.series}{platform}_series_matrix.txt.gz")
    if dataset.expression == "series_matrix":
        named = dataset.annotation
        if named is None:
            return [matrix]
        # Of the array's probes; that of ncbi_counts below is of genes.
        url = GEO_ANNOTATION.format(stub=_stub(named), platform=named)
        return [matrix, Request("annotation", url=url)]
    if dataset.expression == "ncbi_counts":
        return [
            matrix,
            Request("counts", url=NCBI_COUNTS.format(series=dataset.series)),
            Request("annotation", url=NCBI_ANNOTATION),
        ]
    return [
        Request(
            table.file,
            url=f"{GEO_SAMPLE.format(stub=_stub(table.sample), sample=table.sample) if table.sample else series}"
            f"/suppl/{quote(table.file)}",
        )
        for table in dataset.supplementary
    ]


def _stub(accession: str) -> str:
    """GEO's folder of an accession: the last three digits as nnn, GSE31421 -> GSE31nnn."""
    return re.sub(r"\d{1,3}$", "nnn", accession)


def expand_path(text: str, beside: Path) -> Path:
    """A path of a study file: ${NAME} from the environment, relative paths beside the study file."""
    try:
        return beside / Template(text).substitute(os.environ)
    except KeyError as error:
        name = error.args[0]
        raise UserError(f"{text}: the environment variable {name} is not set; export {name}=...") from None
    except ValueError:
        raise UserError(
            f"{text}: a lone $; write ${{NAME}} for an environment variable, $$ for a dollar"
        ) from None
