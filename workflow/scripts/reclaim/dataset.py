"""What a study file may say about a data set: where it comes from, and what it holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reclaim.dataset_base import TIER_OF, DatasetBase, Tier, TierName
from reclaim.expression_dataset import (
    CbioportalExpressionDataset,
    DepmapDataset,
    ExpressionKeys,
    FurtherTable,
    GdcDataset,
    GeoDataset,
    XenaDataset,
)
from reclaim.model import Model
from reclaim.region_dataset import ChipAtlasDataset, Genome

__all__ = [
    "TIER_OF",
    "CbioportalDataset",
    "CbioportalExpressionDataset",
    "ChipAtlasDataset",
    "Dataset",
    "DatasetBase",
    "DepmapDataset",
    "ExpressionDataset",
    "ExpressionKeys",
    "FileDataset",
    "FurtherTable",
    "GdcDataset",
    "GeoDataset",
    "MutationDataset",
    "RegionDataset",
    "Tier",
    "TierName",
    "XenaDataset",
    "kind_of",
]


class MutationCalls(Model):
    """Keys of every data set of somatic mutations."""

    min_other_mutations: int = Field(
        0,
        ge=0,
        description="Call-depth gate: a patient counts only with at least this many non-silent mutations "
        "in genes other than the tested ones. About 20 for an exome, 1 for a gene panel.",
    )
    assayed_genes: list[str] = Field(
        default_factory=list,
        description="Genes known to have been sequenced although no mutation of theirs is listed.",
    )


class CbioportalDataset(DatasetBase, MutationCalls):
    """A study of cBioPortal's data hub: somatic mutations, copy number, clinical tables."""

    source: Literal["cbioportal"]
    study: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", description="cBioPortal's study identifier.")]
    layout: Literal["archive", "files"] = Field(
        "archive", description="archive: one {study}.tar.gz; files: single files of the data hub."
    )
    copy_number: bool = Field(True, description="false when the study holds no discrete copy-number calls.")


class SampleTable(Model):
    """A table with one row per assayed sample: the denominator of every share."""

    path: str = Field(description="Tab- or comma-separated file, by its ending, .gz allowed.")
    sample: str = Field(description="Column with the sample name used in the data file.")
    patient: str = Field(description="Column with the patient (or donor, or line) of the sample.")


class MafColumns(Model):
    """Names of the needed columns, where a MAF departs from the standard ones."""

    gene: str = "Hugo_Symbol"
    sample: str = "Tumor_Sample_Barcode"
    classification: str = "Variant_Classification"
    protein_change: str = "HGVSp_Short"


class FileDataset(DatasetBase, MutationCalls, ExpressionKeys):
    """Files on disk, in the formats the field uses. Paths are relative to the study file and may
    hold environment variables as ${NAME}."""

    source: Literal["file"]
    features: Literal["symbol", "ensembl", "entrez"] = Field(
        "symbol", description="What names the features of a count matrix or a series matrix."
    )
    format: Literal["maf", "count_matrix", "series_matrix", "bed", "narrowpeak", "h5ad", "clinical_table"]
    path: str
    sample_table: SampleTable | None = Field(None, description="Needed for maf and count_matrix.")
    columns: MafColumns = Field(default_factory=MafColumns)
    sample_column: str | None = Field(
        None, description="For clinical_table: the column with the sample; the first one when not given."
    )
    patient_column: str | None = Field(None, description="For clinical_table: the column with the patient.")
    genome: Genome | None = Field(
        None, description="For bed and narrowpeak: the assembly of the coordinates."
    )
    antigen: str | None = Field(
        None,
        description="For bed and narrowpeak: what was bound; without it column 4 names it for each region.",
    )
    cell: str | None = Field(None, description="For bed and narrowpeak: the cells, for the report.")

    @model_validator(mode="after")
    def _clinical_keys(self) -> FileDataset:
        clinical = self.format == "clinical_table"
        if clinical and self.sample_table is not None:
            raise ValueError("a clinical_table is its own sample table; take sample_table out")
        if not clinical and (self.sample_column or self.patient_column):
            raise ValueError(
                "sample_column and patient_column are keys of a clinical_table; "
                "other formats name these columns under sample_table"
            )
        return self

    @model_validator(mode="after")
    def _region_keys(self) -> FileDataset:
        regions = self.format in ("bed", "narrowpeak")
        if regions != (self.genome is not None):
            raise ValueError(
                "bed and narrowpeak, and only they, say of which assembly they are; add or remove genome: hg38"
            )
        if not regions and (self.antigen or self.cell):
            raise ValueError("antigen and cell are keys of bed and narrowpeak; take them out")
        if self.format == "narrowpeak" and self.antigen is None:
            raise ValueError("column 4 of a narrowPeak file names peaks; say what was bound: antigen: FOS")
        return self

    @model_validator(mode="after")
    def _denominator(self) -> FileDataset:
        if self.format in ("maf", "count_matrix") and self.sample_table is None:
            raise ValueError(
                f"a {self.format} does not say which samples were assayed; "
                "add sample_table: {path: ..., sample: COLUMN, patient: COLUMN}"
            )
        return self


ExpressionDataset = (
    GeoDataset | XenaDataset | GdcDataset | CbioportalExpressionDataset | DepmapDataset | FileDataset
)
"""Data sets that become samples x genes."""
MutationDataset = CbioportalDataset | FileDataset
RegionDataset = ChipAtlasDataset | FileDataset
Dataset = Annotated[
    CbioportalDataset
    | CbioportalExpressionDataset
    | GeoDataset
    | XenaDataset
    | GdcDataset
    | DepmapDataset
    | ChipAtlasDataset
    | FileDataset,
    Field(discriminator="source"),
]


def kind_of(dataset: Dataset) -> str:
    """What the data set holds once loaded: mutations, expression, dependency, regions or clinical."""
    if isinstance(dataset, CbioportalDataset):
        return "mutations"
    if isinstance(dataset, ChipAtlasDataset):
        return "regions"
    if isinstance(dataset, DepmapDataset):
        return "dependency"
    if not isinstance(dataset, FileDataset):
        return "expression"
    return {
        "maf": "mutations",
        "count_matrix": "expression",
        "series_matrix": "expression",
        "h5ad": "expression",
        "bed": "regions",
        "narrowpeak": "regions",
        "clinical_table": "clinical",
    }[dataset.format]
