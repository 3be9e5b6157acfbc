"""What a study file may say about any data set: how close it is to the claim, whose it is, which samples count."""

from __future__ import annotations

from typing import Literal

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
