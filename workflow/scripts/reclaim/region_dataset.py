"""What a study file may say about regions of the genome: which experiments of ChIP-Atlas, and how they are chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from reclaim.dataset_base import Closeness, DatasetBase
from reclaim.model import Model
from reclaim.selection import regular_expression

Pattern = Annotated[str, AfterValidator(regular_expression)]
Genome = Literal["hg38"]
"""The only human assembly that ChIP-Atlas still extends, and the one of the annotation that is read."""

THRESHOLDS = {"05": 1e-5, "10": 1e-10, "20": 1e-20}
"""Names of ChIP-Atlas' peak folders -> the q-value below which a peak was called."""


class Cells(Model):
    """One step in the order of preference: a kind of cell, and how close it is to that of the claim."""

    name: str = Field(description="For the report, such as MM.1S or other myeloma.")
    matches: Pattern = Field(
        description="Regular expression, case does not matter, found in the cell's name, in the title or in the "
        "metadata: one line goes by several names."
    )
    system: Closeness = Field(description="How close these cells are to what the claim speaks of.")


class ChipAtlasDataset(DatasetBase):
    """Peaks of experiments of ChIP-Atlas, chosen from its list at run time: of every antigen the best ones in the
    cells that come first. The choice is recorded in the lock, and the report shows every candidate."""

    source: Literal["chip_atlas"]
    genome: Genome = "hg38"
    antigen_class: str = Field("TFs and others", description="ChIP-Atlas' class of antigens.")
    antigens: list[str] = Field(
        default_factory=list, description="As ChIP-Atlas names them; all antigens of the class when empty."
    )
    cell_class: str | None = Field(None, description="ChIP-Atlas' class of cells, such as Blood.")
    cells: list[Cells] = Field(
        min_length=1,
        description="In order of preference. An experiment counts among the first that it matches.",
    )
    exclude: list[Pattern] = Field(
        default_factory=list,
        description="Regular expressions, case does not matter, on title and metadata: experiments that were treated.",
    )
    min_peaks: int = Field(
        1000, ge=0, description="Fewer peaks than this (at q < 1e-5) and the experiment has failed."
    )
    per_antigen: int = Field(
        1, ge=1, description="How many experiments of an antigen are used: those with the most peaks."
    )
    threshold: Literal["05", "10", "20"] = Field(
        "05", description="Peaks called at q < 1e-5, 1e-10 or 1e-20."
    )
    colocalization_tables: list[str] = Field(
        default_factory=list,
        description="Antigens whose Colo table of `cell_class` is shown beside; ChIP-Atlas lacks many of them.",
    )
    target_tables: list[str] = Field(
        default_factory=list, description="Antigens whose Target Genes table (5 kb) is shown beside."
    )

    @model_validator(mode="after")
    def _tables(self) -> ChipAtlasDataset:
        if self.colocalization_tables and self.cell_class is None:
            raise ValueError(
                "a Colo table is one of an antigen and a cell class; add cell_class, such as cell_class: Blood"
            )
        names = [step.name for step in self.cells]
        if len(set(names)) < len(names):
            raise ValueError("two steps of `cells` have the same name; give each its own")
        return self
