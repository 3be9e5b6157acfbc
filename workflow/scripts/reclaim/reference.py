"""What a study file may say about reference files: gene sets that others publish."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reclaim.model import Model
from reclaim.region_dataset import Genome


class AnyReference(Model):
    title: str | None = None
    licence: str | None = None
    citation: str | None = None


class EnrichrLibrary(AnyReference):
    """A library of gene sets as Enrichr serves it."""

    source: Literal["enrichr"]
    library: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        description="Enrichr's name of the library, such as MSigDB_Hallmark_2020."
    )


class MsigdbCollection(AnyReference):
    """A collection of MSigDB, gene symbols."""

    source: Literal["msigdb"]
    release: Annotated[str, Field(pattern=r"^\d{4}\.\d+\.Hs$")] = Field(description="Such as 2024.1.Hs.")
    collection: Annotated[str, Field(pattern=r"^[a-z0-9.]+$")] = Field(description="Such as h.all.")


class GeneSetFile(AnyReference):
    """A GMT file on disk; relative to the study file, may hold ${NAME}."""

    source: Literal["gmt"]
    path: str


class ExperimentList(AnyReference):
    """ChIP-Atlas' list of all experiments, from which data sets choose theirs."""

    source: Literal["chip_atlas"]


class GenomeReference(AnyReference):
    """What data sets of regions need of the genome: sizes of chromosomes, regions that gather reads in every
    experiment, genes, and candidate regulatory elements."""

    source: Literal["genome"]
    genome: Genome
    holds: Literal["chromosomes", "blacklist", "genes", "elements"]


class SymbolReference(AnyReference):
    """The HGNC complete set: approved, previous and alias symbols. Every expression data set needs it."""

    source: Literal["hgnc"]


GeneSetLibrary = Annotated[EnrichrLibrary | MsigdbCollection | GeneSetFile, Field(discriminator="source")]
Reference = Annotated[
    EnrichrLibrary | MsigdbCollection | GeneSetFile | SymbolReference | ExperimentList | GenomeReference,
    Field(discriminator="source"),
]

SYMBOLS = "hgnc"
"""The name under which the symbol table is retrieved for every study that needs it."""
EXPERIMENTS = "chip_atlas_experiments"
CHROMOSOMES, BLACKLIST, GENES, ELEMENTS = "chromosomes", "blacklist", "genes", "elements"
"""The names of what studies with regions need of the genome."""
