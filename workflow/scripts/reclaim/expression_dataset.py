"""What a study file may say about expression data: GEO, UCSC Xena, the Genomic Data Commons, cBioPortal; and about
the gene effects of DepMap, which are kept like them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from reclaim.dataset_base import DatasetBase
from reclaim.endpoint import Endpoint
from reclaim.model import Model

Unit = Literal["counts", "log2_intensity", "log2_tpm", "log2_normalised_count"]
"""counts: reads per gene. log2_intensity: arrays. log2_tpm: log2(TPM + 1). log2_normalised_count:
log2(normalised count + 1), of RSEM with the upper quartile of each sample made equal; never for a count model."""


class DerivedColumn(Model):
    """A new sample column: from the words of another one, such as the title, or that one shuffled or as it is."""

    source: str = Field("title", alias="from", description="Column that is searched; GEO's sample title.")
    values: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Value of the new column -> text that the other one holds, or several such texts. A sample "
        "that fits no value has none; one that fits two is an error.",
    )
    shuffle: bool = Field(
        False,
        description="true instead of values: the other column's values, dealt out anew by a digest of the sample "
        "names. A contrast of it must come to nothing: a control.",
    )

    @model_validator(mode="after")
    def _texts(self) -> DerivedColumn:
        if self.shuffle and self.values:
            raise ValueError("give values, or shuffle: true, or neither for the column as it is")
        if not self.values and "source" not in self.model_fields_set:
            raise ValueError("say which column it comes from, or give values that the title holds")
        for value, marks in self.values.items():
            texts = [marks] if isinstance(marks, str) else marks
            if not texts or not all(texts):
                raise ValueError(
                    f"{value!r} has no text or an empty one; give the text that tells its samples"
                )
        return self


class ExpressionKeys(Model):
    """Keys of every data set of expression."""

    derive: dict[str, DerivedColumn] = Field(
        default_factory=dict, description="New sample columns, for sources whose sample table lacks them."
    )
    endpoints: dict[str, Endpoint] = Field(
        default_factory=dict, description="Follow-up by name, for tests on data sets whose columns differ."
    )
    source_column: str | None = Field(
        None,
        description="Column that says which project or batch a sample comes from. Groups that do not share a "
        "value of it are confounded with it: flagged, and never the sole basis of a verdict.",
    )
    purity_column: str | None = Field(
        None,
        description="Sample column with the tumour purity, 0 to 1; comparable genes are then also matched on how "
        "they follow it.",
    )


class SupplementaryTable(Model):
    """One table of counts among a series' supplementary files."""

    file: str = Field(pattern=r"^[^/\s]+$", description="File name as GEO lists it.")
    sample: Annotated[str, Field(pattern=r"^GSM\d+$")] | None = Field(
        None, description="For the file of one sample: its accession. Else the file lies with the series."
    )
    sheet: str | None = Field(
        None, description="Sheet of an xlsx workbook; by default the longest that holds all columns."
    )
    feature: str = Field(description="Column that names the gene.")
    columns: list[str] | dict[str, str] = Field(
        min_length=1,
        description="Columns of the samples, or sample name -> column. All other columns are left out, and counted.",
    )

    @property
    def columns_of(self) -> dict[str, str]:
        """Sample name -> column."""
        return dict(self.columns) if isinstance(self.columns, dict) else {name: name for name in self.columns}


class GeoDataset(DatasetBase, ExpressionKeys):
    """A GEO series: its sample table, and expression from one of three places."""

    source: Literal["geo"]
    series: Annotated[str, Field(pattern=r"^GSE\d+$")]
    expression: Literal["series_matrix", "ncbi_counts", "supplementary"] = Field(
        description="series_matrix: the submitters' values (arrays). ncbi_counts: counts that NCBI made of human "
        "RNA-seq. supplementary: count tables among the supplementary files."
    )
    platform: Annotated[str, Field(pattern=r"^GPL\d+$")] | None = Field(
        None, description="Which platform's series matrix, where the series has several."
    )
    features: Literal["symbol", "ensembl", "entrez", "probe"] = Field(
        "symbol",
        description="What names the features of supplementary tables or of the series matrix. probe: names of an "
        "array's probes, which need `annotation`.",
    )
    annotation: Annotated[str, Field(pattern=r"^GPL\d+$")] | None = Field(
        None, description="The platform whose annotation names the gene of each probe, with features: probe."
    )
    supplementary: list[SupplementaryTable] = Field(default_factory=list)

    @model_validator(mode="after")
    def _tables(self) -> GeoDataset:
        if (self.expression == "supplementary") != bool(self.supplementary):
            raise ValueError(
                "expression: supplementary, and only that, has a list `supplementary` of its files; "
                "add or remove it"
            )
        return self

    @model_validator(mode="after")
    def _probes(self) -> GeoDataset:
        probes = self.features == "probe"
        if probes != bool(self.annotation) or (probes and self.expression != "series_matrix"):
            raise ValueError(
                "features: probe and annotation go together, and only with expression: series_matrix; give both or "
                "neither: annotation is the platform that names the gene of each probe, such as GPL570"
            )
        if self.annotation and self.platform not in (None, self.annotation):
            raise ValueError(
                f"the probes of platform {self.platform} are not those of annotation {self.annotation}; give the "
                "same accession"
            )
        return self


class FurtherTable(Model):
    """A table of samples beside the main one: at the same hub, or at the Genomic Data Commons."""

    table: str | None = Field(None, min_length=1, description="Path of the table at the hub.")
    gdc_file: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] | None = Field(
        None, description="UUID of an open file of the Genomic Data Commons."
    )
    key: str = Field(
        description="Column with TCGA barcodes. They are compared up to the sample, 15 characters."
    )
    columns: list[str] = Field(
        default_factory=list, description="Names of all columns, for a file without a header."
    )

    @model_validator(mode="after")
    def _one_place(self) -> FurtherTable:
        if (self.table is None) == (self.gdc_file is None):
            raise ValueError("give either table (a path at the hub) or gdc_file (a UUID)")
        if self.columns and self.key not in self.columns:
            raise ValueError(
                f"the key {self.key!r} is none of the columns ({', '.join(self.columns)}); name the column of barcodes"
            )
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column stands twice; give each its own name")
        return self


class XenaDataset(DatasetBase, ExpressionKeys):
    """A genomic matrix of UCSC Xena with its sample table."""

    source: Literal["xena"]
    hub: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = Field(
        description="Name of the hub's storage, such as toil-xena-hub or tcga-xena-hub."
    )
    matrix: str = Field(description="Path of the matrix at the hub, such as TcgaTargetGtex_rsem_gene_tpm.gz.")
    values: Literal["log2_expected_count_plus_1", "log2_tpm_plus_0.001", "log2_normalised_count_plus_1"] = (
        Field(description="What the matrix holds, as Xena's page of the data set says.")
    )
    sample_table: str = Field(description="Path of the phenotype or clinical table at the hub.")
    sample_tables: list[FurtherTable] = Field(
        default_factory=list,
        description="Further tables whose columns are put beside those of the sample table: follow-up, purity.",
    )
    features: Literal["ensembl", "symbol"] = Field(
        "ensembl", description="What names the rows: Ensembl ids, which need a probe map, or symbols."
    )
    probe_map: str | None = Field(
        None, min_length=1, description="Path of the table of Ensembl ids and symbols at the hub."
    )

    @property
    def further_tables(self) -> dict[str, FurtherTable]:
        """The further tables by the names of their files in the receipt."""
        return {f"sample_table_{number}": one for number, one in enumerate(self.sample_tables, start=2)}

    @model_validator(mode="after")
    def _names(self) -> XenaDataset:
        if self.features == "ensembl" and self.probe_map is None:
            raise ValueError(
                "rows that are Ensembl ids need `probe_map`, the hub's table of their symbols; add it, or say "
                "features: symbol where symbols name the rows"
            )
        if self.features == "symbol" and self.probe_map is not None:
            raise ValueError(
                "features: symbol has no `probe_map`, for symbols name the rows already; take it out, or say "
                "features: ensembl where Ensembl ids name them"
            )
        return self


class GdcDataset(DatasetBase, ExpressionKeys):
    """STAR counts of one project of the Genomic Data Commons, one aliquot per sample."""

    source: Literal["gdc"]
    project: Annotated[str, Field(pattern=r"^[A-Z0-9-]+$")] = Field(description="Such as TCGA-KICH.")


class CbioportalExpressionDataset(DatasetBase, ExpressionKeys):
    """Expression of a study of cBioPortal's data hub, with its clinical tables. One sample of each patient."""

    source: Literal["cbioportal_expression"]
    study: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", description="cBioPortal's study identifier.")]
    profile: str = Field(
        pattern=r"^[^/\s]+$", description="File of the expression profile in the study's archive."
    )
    values: Unit = Field(description="What the profile holds, as its meta file says.")


class DepmapDataset(DatasetBase, ExpressionKeys):
    """A release of DepMap: Chronos gene effects of CRISPR knock-outs in cell lines, with the table of models."""

    source: Literal["depmap"]
    release: Literal["24Q4"]
    citation: str | None = "DepMap 24Q4, doi 10.25452/figshare.plus.27993248.v1"
