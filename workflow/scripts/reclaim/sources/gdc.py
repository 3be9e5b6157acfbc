"""STAR counts of the Genomic Data Commons: a query of files, one aliquot per sample, one table per aliquot.

API: https://docs.gdc.cancer.gov/API/Users_Guide/Search_and_Retrieval/. Tables:
https://docs.gdc.cancer.gov/Data/Bioinformatics_Pipelines/Expression_mRNA_Pipeline/. Light imports only, because
the plan needs the URLs.

STAR counts a read only when it fits one gene alone: reads where genes overlap are in no gene's count
(`N_ambiguous`). A gene that lies on another reads low, in all samples alike; RSEM divides such reads. Which
genes these are the tables do not tell, so `uns["note"]` warns of all, with the share of such reads.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from reclaim.errors import AbsentData, UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData

Column = Literal["unstranded", "stranded_first", "stranded_second"]
"""TCGA's libraries are not stranded."""

FILES = "https://api.gdc.cancer.gov/files"
DATA = "https://api.gdc.cancer.gov/data/"
FIELDS = (
    "file_id",
    "cases.submitter_id",
    "cases.samples.submitter_id",
    "cases.samples.sample_type",
    "cases.samples.preservation_method",
    "cases.samples.portions.analytes.aliquots.submitter_id",
)
MOST_FILES = 20_000
"""Asked for at once: more than any project has."""

COLUMNS = ("file_id", "aliquot", "sample", "patient", "sample_type", "preservation")
SUMMARY = "N_"
"""STAR's four rows about reads that are in no gene: unmapped, multimapping, noFeature, ambiguous."""

ANALYTES = "TRH"
"""TCGA's codes of RNA extracts, the preferred one last; see `one_aliquot_per_sample`."""
BARCODE = re.compile(r"TCGA-\w+-\w+-\w+-\d+(?P<analyte>[A-Z])-(?P<plate>\w+)-\w+")


def files_query_url(project: str) -> str:
    """URL of the list of a project's open files of STAR counts (GET, JSON), sorted by id to be the same at
    every call."""
    conditions = {
        "cases.project.project_id": project,
        "data_type": "Gene Expression Quantification",
        "analysis.workflow_type": "STAR - Counts",
        "access": "open",
    }
    filters = {
        "op": "and",
        "content": [
            {"op": "in", "content": {"field": field, "value": [value]}} for field, value in conditions.items()
        ],
    }
    query = {
        "filters": json.dumps(filters, separators=(",", ":")),
        "fields": ",".join(FIELDS),
        "format": "JSON",
        "size": str(MOST_FILES),
        "sort": "file_id:asc",
    }
    return f"{FILES}?{urlencode(query)}"


def data_url(file_id: str) -> str:
    """URL of one file's content."""
    return DATA + file_id


def read_files_answer(path: Path, ledger: Counter[str]) -> pd.DataFrame:
    """One row per file, by file_id, all text: columns COLUMNS (`sample_type` such as Primary Tumor;
    `preservation` such as FFPE, empty where not told).

    Files of several aliquots, or of none, are left out and counted. Raises AbsentData when the answer lists no
    file, UserError when it is no whole answer.
    """
    import pandas as pd

    try:
        answer = json.loads(path.read_bytes())
        hits, total = answer["data"]["hits"], int(answer["data"]["pagination"]["total"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not an answer of GDC's files endpoint ({error!r}); delete it and fetch it again"
        ) from None
    if len(hits) < total:
        raise UserError(f"{path}: {len(hits)} of {total} files; delete it and fetch it again")
    if not hits:
        raise AbsentData("GDC lists no open file of STAR counts for this project")
    rows = [row for hit in hits for row in _aliquots(hit)]
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    alone = ~table["file_id"].duplicated(keep=False)
    ledger["files of several aliquots or of none"] += len(hits) - int(alone.sum())
    return table[alone].sort_values("file_id", ignore_index=True)


def _aliquots(hit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each aliquot of a file."""
    return [
        (
            str(hit["file_id"]),
            str(aliquot["submitter_id"]),
            str(sample.get("submitter_id", "")),
            str(case.get("submitter_id", "")),
            str(sample.get("sample_type") or ""),
            str(sample.get("preservation_method") or ""),
        )
        for case in hit.get("cases", ())
        for sample in case.get("samples", ())
        for portion in sample.get("portions", ())
        for analyte in portion.get("analytes", ())
        for aliquot in analyte.get("aliquots", ())
    ]


def one_aliquot_per_sample(table: pd.DataFrame, ledger: Counter[str]) -> pd.DataFrame:
    """One row of each patient and sample type: of several aliquots the one that Broad's Firehose takes.

    Its rule (https://gdac.broadinstitute.org/runs/gdc/report_2017_07_22/TCGA-LAML_Replicate_Samples.html, RNA): analyte
    H before R before T, then the later plate, then the barcode that sorts last. Firehose had left out samples
    fixed in formalin, so FFPE comes after all others here. Barcodes of other programmes have no analyte and
    plate to tell: the last in order is taken. The result is in the order of samples.
    """
    order = [_rank(*row) for row in zip(table["aliquot"], table["preservation"], strict=True)]
    ranked = table.iloc[sorted(range(len(order)), key=order.__getitem__)]
    ranked = ranked.drop_duplicates(["patient", "sample_type"], keep="last")
    ledger["aliquots passed over for another of the same patient and sample type"] += len(table) - len(ranked)
    return ranked.sort_values(["sample", "file_id"], ignore_index=True)


def _rank(aliquot: str, preservation: str) -> tuple[bool, int, str, str]:
    """Sorts the aliquot to take last."""
    match = BARCODE.fullmatch(aliquot)
    analyte, plate = (match["analyte"], match["plate"]) if match else ("", "")
    return preservation.upper() != "FFPE", ANALYTES.find(analyte) if analyte else -1, plate, aliquot


def join_star_counts(
    table: pd.DataFrame, files: Mapping[str, Path], ledger: Counter[str], column: Column = "unstranded"
) -> AnnData:
    """Samples x genes, whole counts (int32): one sample for each row of `table`, `files` by file_id.

    `obs` is indexed by `sample` with the other columns of `table`; `var` by Ensembl id without version (the Y
    copy of a pseudoautosomal gene added to the gene), with `symbol`. `uns`: `unit`, `gene_model`, `note`.
    Raises UserError for damage, and for a table whose genes differ from those of the first.
    """
    import anndata
    import numpy as np
    import pandas as pd

    from reclaim.sources.xena import strip_versions

    twice = table["sample"][table["sample"].duplicated()]
    if len(twice):
        raise ValueError(f"sample {twice.iloc[0]} stands twice; choose one aliquot first")
    counts: np.ndarray = np.zeros((0, 0), np.int32)
    first = None
    ambiguous = []
    for row, file_id in enumerate(table["file_id"]):
        found = read_star_counts(files[file_id], column)
        if first is None:
            first = found
            names, place = strip_versions(list(found.counts.index), ledger)
            symbols = pd.Series(found.symbols).groupby(place).first()
            counts = np.empty((len(table), len(names)), np.int32)
        elif not found.counts.index.equals(first.counts.index):
            raise UserError(
                f"{files[file_id]}: its genes ({found.gene_model}) are not those of {files[table['file_id'].iloc[0]]} "
                f"({first.gene_model}); fetch both again"
            )
        # Sums of float64 are exact for counts.
        counts[row] = np.bincount(place, found.counts, minlength=len(names))
        ledger[f"STAR's summary rows ({SUMMARY}...)"] += len(found.summary)
        ambiguous.append(
            found.summary.get("N_ambiguous", 0) / max(1, found.summary.sum() + found.counts.sum())
        )
    if first is None:
        raise AbsentData("no file of STAR counts to join")
    return anndata.AnnData(
        X=counts,
        obs=table.set_index("sample"),
        var=pd.DataFrame({"symbol": symbols.to_numpy()}, index=pd.Index(names, dtype=object, name="gene")),
        uns={
            "unit": "counts",
            "gene_model": first.gene_model,
            "note": "STAR counts leave out reads that fit several genes "
            f"({np.median(ambiguous):.1%} of all, median of the samples), so a gene that overlaps another reads low; "
            "compare such a gene with RSEM's counts",
        },
    )


@dataclass(frozen=True)
class StarCounts:
    """One aliquot: `counts` by gene id as in the file (with version), `symbols` beside them, and STAR's four
    `summary` rows of reads in no gene, by name."""

    counts: pd.Series[int]
    symbols: np.ndarray
    summary: pd.Series[int]
    gene_model: str


def read_star_counts(path: Path, column: Column = "unstranded") -> StarCounts:
    """A table of GDC: a `# gene-model` line, a header, STAR's summary rows, and one row per gene.

    Raises UserError for a missing column, cells that are no counts, a gene on two rows, and damage.
    """
    import pyarrow as pa
    from pyarrow import csv

    from reclaim.sources.text_table import open_bytes

    try:
        with open_bytes(path) as handle:
            text = handle.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: truncated or damaged ({error}); delete it and fetch it again") from None
    lines, comments = BytesIO(text), []
    while (raw := lines.readline()).startswith(b"#"):
        comments.append(raw.decode("utf-8", "replace"))
    header = raw.decode("utf-8", "replace").rstrip("\r\n").split("\t")
    columns: dict[str, pa.DataType] = {"gene_id": pa.string(), "gene_name": pa.string(), column: pa.int64()}
    for name in columns:
        if name not in header:
            raise UserError(
                f"{path}:{len(comments) + 1}: no column {name!r}{did_you_mean(name, header)}; expected a table of STAR counts "
                "from GDC: delete it and fetch it again"
            )
    try:
        table = csv.read_csv(
            pa.BufferReader(text[lines.tell() - len(raw) :]),
            csv.ReadOptions(use_threads=False),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(include_columns=list(columns), column_types=columns),
        ).to_pandas()
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not whole counts in rows of one length ({error}); fetch it again") from None
    rows = table.set_index("gene_id")
    in_no_gene = rows.index.str.startswith(SUMMARY)
    counts = rows.loc[~in_no_gene, column]
    if counts.empty or counts.hasnans or counts.min() < 0 or counts.index.has_duplicates:
        raise UserError(
            f"{path}: no gene, a gene twice, or a count that is missing or negative; fetch it again"
        )
    model = next((comment.split(":", 1)[1].strip() for comment in comments if "gene-model:" in comment), "")
    symbols = rows.loc[~in_no_gene, "gene_name"].fillna("").to_numpy(object)
    return StarCounts(counts, symbols, rows.loc[in_no_gene, column], model)
