"""What a study file may say about a data set: where it comes from and how close it is to the claim."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reclaim.model import Model
from reclaim.selection import Selection

Closeness = Literal["same", "similar", "different"]
TierName = Literal["matched", "substitute", "indirect"]
TIER_OF: dict[str, TierName] = {"same": "matched", "similar": "substitute", "different": "indirect"}


class Tier(Model):
    """How close the data are to what the claim speaks of. The worst item decides the tier:
    all `same` is matched, any `similar` substitute, any `different` indirect."""

    disease: Closeness = Field(description="The disease or tissue the claim names.")
    system: Closeness = Field(description="Patients, animals, cell lines: as in the claim?")
    perturbation: Closeness = Field(description="The drug, knock-out or exposure; none counts as same.")
    readout: Closeness = Field(description="What is measured: mutation, mRNA, protein, binding.")
    time: Closeness = Field(description="The time scale of the effect; none counts as same.")

    @property
    def name(self) -> TierName:
        """The tier of the worst item."""
        items = [self.disease, self.system, self.perturbation, self.readout, self.time]
        return TIER_OF[max(items, key=list(TIER_OF).index)]


class DatasetBase(Model):
    title: str | None = Field(None, description="The data set in a few words, for the report.")
    tier: Tier
    independent: bool = Field(description="true when these are not the data of the claim's authors.")
    confirmed: bool = Field(
        True,
        description="false when the accession was never opened by anyone on the project; "
        "`expect` then says what the data must look like.",
    )
    expect: Selection = Field(
        default_factory=dict, description="Sample columns and values that must be found in the data."
    )
    patients: str | None = Field(
        None,
        description="A name for the pool of patients. Data sets with the same name may share patients "
        "and are never pooled in one test.",
    )
    samples: Selection = Field(
        default_factory=dict,
        description="Which samples belong to the cohort, by columns of its sample table.",
    )
    note: str | None = Field(None, description="Anything a reader of the report should know.")
    licence: str | None = None
    citation: str | None = None

    @model_validator(mode="after")
    def _expectation(self) -> DatasetBase:
        if not self.confirmed and not self.expect:
            raise ValueError(
                "confirmed: false needs `expect`, a selection that the right data would meet; add it"
            )
        return self


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


class FileDataset(DatasetBase, MutationCalls):
    """Files on disk, in the formats the field uses. Paths are relative to the study file and may
    hold environment variables as ${NAME}."""

    source: Literal["file"]
    format: Literal["maf", "count_matrix", "series_matrix", "bed", "narrowpeak", "h5ad", "clinical_table"]
    path: str
    sample_table: SampleTable | None = Field(None, description="Needed for maf and count_matrix.")
    columns: MafColumns = Field(default_factory=MafColumns)

    @model_validator(mode="after")
    def _denominator(self) -> FileDataset:
        if self.format in ("maf", "count_matrix") and self.sample_table is None:
            raise ValueError(
                f"a {self.format} does not say which samples were assayed; "
                "add sample_table: {path: ..., sample: COLUMN, patient: COLUMN}"
            )
        return self


Dataset = Annotated[CbioportalDataset | FileDataset, Field(discriminator="source")]


def kind_of(dataset: CbioportalDataset | FileDataset) -> str:
    """What the data set holds once loaded: mutations, expression, regions or clinical."""
    if isinstance(dataset, CbioportalDataset):
        return "mutations"
    return {
        "maf": "mutations",
        "count_matrix": "expression",
        "series_matrix": "expression",
        "h5ad": "expression",
        "bed": "regions",
        "narrowpeak": "regions",
        "clinical_table": "clinical",
    }[dataset.format]
