"""GEO's wire formats, SIMULATED: series matrix, annotation of a platform, NCBI's counts and annotation, tables of
submitters.

Where the word SIMULATED stands: in the series title; in the title of an annotated platform; in the description of
every gene of NCBI's annotation; in the title and the title rows of a workbook; in a comment line above tables of
counts, which have no place for words (data.table::fread, with which NCBI's own script reads them, and this
project's readers pass over it; pandas needs `comment="#"`). The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

MARK = "SIMULATED by reclaim"
ATTRIBUTES = ("title", "source_name", "organism", "platform")
SECOND_CHANNEL = " (channel 2)"
ANNOTATION = (
    "GeneID", "Symbol", "Description", "Synonyms", "GeneType", "EnsemblGeneID", "Status", "ChrAcc", "ChrStart",
    "ChrStop", "Orientation", "Length", "GOFunctionID", "GOProcessID", "GOComponentID", "GOFunction", "GOProcess",
    "GOComponent",
)  # fmt: skip
"""Columns of NCBI's Human.GRCh38.p13.annot.tsv.gz."""

PLATFORM_ANNOTATION = (
    "ID", "Gene title", "Gene symbol", "Gene ID", "UniGene title", "UniGene symbol", "UniGene ID", "Nucleotide Title",
    "GI", "GenBank Accession", "Platform_CLONEID", "Platform_ORF", "Platform_SPOTID", "Chromosome location",
    "Chromosome annotation", "GO:Function", "GO:Process", "GO:Component", "GO:Function ID", "GO:Process ID",
    "GO:Component ID",
)  # fmt: skip
"""Columns of GEO's annotation of a platform."""


def series_matrix_gz(series: str, samples: pd.DataFrame, values: pd.DataFrame | None) -> bytes:
    """A series matrix. `values` are probes x samples, or None for the empty table of a sequencing series.

    `samples`: index GSM accession; columns title, source_name, organism, platform, and one per tag of the
    characteristics (`<tag> (channel 2)` for the second channel), text, empty where a sample has no value; a
    `; ` divides several values of a tag. As in real files the characteristics are ragged: a sample without a
    value moves its later ones up, and every second sample has its tags in reverse order.
    """
    second = any(str(column).endswith(SECOND_CHANNEL) for column in samples.columns)
    lines = [
        _line("!Series_title", [f"{MARK}: {series}"]),
        _line("!Series_geo_accession", [series]),
        _line("!Series_summary", [f'{MARK}: no sample is behind these data; a "quoted" word: and a colon.']),
        _line("!Series_sample_id", [" ".join(map(str, samples.index)) + " "]),
        "",
        _line("!Sample_title", samples["title"]),
        _line("!Sample_geo_accession", samples.index),
        _line("!Sample_channel_count", ["2" if second else "1"] * len(samples)),
        _line("!Sample_source_name_ch1", samples["source_name"]),
        _line("!Sample_organism_ch1", samples["organism"]),
        *_characteristics("!Sample_characteristics_ch1", _tags(samples, second=False)),
        *_characteristics("!Sample_characteristics_ch2", _tags(samples, second=True)),
        _line("!Sample_description", [f"{MARK}"] * len(samples)),
        _line("!Sample_platform_id", samples["platform"]),
        _line("!Sample_data_row_count", [str(0 if values is None else len(values))] * len(samples)),
        "!series_matrix_table_begin",
        _line('"ID_REF"', samples.index),
    ]
    if values is not None:
        ordered = values[list(samples.index)]
        for probe, row in zip(ordered.index, ordered.to_numpy(float), strict=True):
            lines.append("\t".join([f'"{probe}"', *("" if x != x else f"{x:.6g}" for x in row)]))
    return _gz("\n".join([*lines, "!series_matrix_table_end", ""]))


def platform_annotation_gz(platform: str, probes: pd.DataFrame) -> bytes:
    """The annotation of a platform: `probes` has its probes as index and the columns title, symbol and entrez (Entrez
    Gene id), text, empty for a probe without a gene, with `///` between several genes."""
    names = {"title": "Gene title", "symbol": "Gene symbol", "entrez": "Gene ID"}
    table = probes[list(names)].rename(columns=names).rename_axis("ID").reset_index()
    lines = [
        "^Annotation",
        "!Annotation_date = Jan 01 2000",
        f"!Annotation_platform = {platform}",
        f"!Annotation_platform_title = {MARK}",
        "!Annotation_platform_organism = Homo sapiens",
        *(f"#{column} = {MARK}" for column in PLATFORM_ANNOTATION),
        "!platform_table_begin",
    ]
    rows = _text(table.reindex(columns=list(PLATFORM_ANNOTATION)).fillna(""))
    return _gz("\n".join([*lines, f"{rows}!platform_table_end", ""]))


def ncbi_counts_gz(counts: pd.DataFrame) -> bytes:
    """NCBI's table of counts: `counts` are genes (index GeneID) x samples (columns GSM), whole numbers."""
    return count_table_gz(counts, "GeneID")


def ncbi_annotation_gz(genes: pd.DataFrame) -> bytes:
    """NCBI's annotation: `genes` has GeneID, Symbol and any other of ANNOTATION; what it lacks is empty."""
    table = genes.reindex(columns=list(ANNOTATION)).fillna("")
    table["Description"] = [f"{MARK} {text}".strip() for text in table["Description"]]
    return _gz(_text(table))


def count_table_gz(counts: pd.DataFrame, feature: str, separator: str = "\t") -> bytes:
    """A submitter's table: `counts` are features (index) x columns; `feature` names the first column."""
    return _gz(f"# {MARK}\n" + _text(counts.rename_axis(feature).reset_index(), separator))


def count_workbook(
    counts: pd.DataFrame, feature: str = "Gene_Symbol", undeclared: pd.DataFrame | None = None
) -> bytes:
    """A submitter's .xlsx, like those of GSE252340: `counts` are features (index) x columns.

    A sheet of notes stands before the sheet of counts; the header stands on row 2, below a title, and begins with
    a column `IDs`. `undeclared` (features x columns) are columns that no study should read: they stand beside
    the counts and on a third sheet again.
    """
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    workbook.properties.title = MARK
    notes = workbook.create_sheet("Notes")
    notes.append([f"{MARK}: counts of reads"])
    beside = counts if undeclared is None else counts.join(undeclared)
    _write_sheet(workbook.create_sheet("Counts"), beside, feature)
    if undeclared is not None:
        _write_sheet(workbook.create_sheet("Other experiment"), undeclared, feature)
    packed = io.BytesIO()
    workbook.save(packed)
    return _repacked(packed.getvalue())


def _write_sheet(sheet: WriteOnlyWorksheet, table: pd.DataFrame, feature: str) -> None:
    sheet.append([f"{MARK}: {sheet.title}"])
    sheet.append(["IDs", feature, *map(str, table.columns)])
    for number, (name, row) in enumerate(zip(table.index, table.to_numpy().tolist(), strict=True), start=1):
        sheet.append([f"SIM{number:06d}", name, *row])


def _repacked(workbook: bytes) -> bytes:
    """The same workbook without its times of writing.

    The properties come first and unpacked, so that the mark stands near the beginning of the file.
    """
    first, fixed = "docProps/core.xml", (1980, 1, 1, 0, 0, 0)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in sorted(old.namelist(), key=lambda name: (name != first, name)):
            content = old.read(name)
            if name == first:
                content = re.sub(rb">\d{4}-\d\d-\d\dT[\d:]+Z<", b">1980-01-01T00:00:00Z<", content)
            kind = zipfile.ZIP_STORED if name == first else zipfile.ZIP_DEFLATED
            new.writestr(zipfile.ZipInfo(name, fixed), content, kind, compresslevel=1)
    return packed.getvalue()


def _tags(samples: pd.DataFrame, *, second: bool) -> pd.DataFrame:
    """The characteristics of one channel, columns named by tag."""
    tags = [
        column
        for column in samples.columns
        if column not in ATTRIBUTES and str(column).endswith(SECOND_CHANNEL) == second
    ]
    return samples[tags].rename(columns=lambda column: str(column).removesuffix(SECOND_CHANNEL))


def _characteristics(attribute: str, tags: pd.DataFrame) -> list[str]:
    of_samples = []
    for number, values in enumerate(tags.fillna("").astype(str).to_dict("records")):
        own = [
            f"{tag}: {value}" for tag, several in values.items() for value in several.split("; ") if several
        ]
        of_samples.append(own[::-1] if number % 2 else own)
    return [_line(attribute, fields) for fields in zip_longest(*of_samples, fillvalue="")]


def _line(attribute: str, fields: Sequence[str] | pd.Index | pd.Series) -> str:
    return "\t".join([attribute, *(f'"{field}"' for field in fields)])


def _text(table: pd.DataFrame, separator: str = "\t") -> str:
    return str(table.to_csv(sep=separator, index=False, lineterminator="\n"))


def _gz(text: str) -> bytes:
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)
