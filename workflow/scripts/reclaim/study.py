"""What a study file may say: claims, data sets, tests and decision rules, fixed before data are read.

The models here and in `decisions.py`, `dataset.py` and `claim_tests.py` are the only authority on the
format; the JSON schema in `workflow/schemas/` is generated from them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from reclaim.claim_tests import (
    BoundAndDeregulated,
    ClaimTest,
    Gene,
    Identifier,
    PeakColocalization,
    TargetGenes,
)
from reclaim.dataset import ChipAtlasDataset, Dataset, kind_of
from reclaim.decisions import Conjunction, Decision, Equivalence
from reclaim.model import Model
from reclaim.reference import (
    BLACKLIST,
    CHROMOSOMES,
    ELEMENTS,
    EXPERIMENTS,
    GENES,
    SYMBOLS,
    ExperimentList,
    GeneSetLibrary,
    GenomeReference,
    Reference,
    SymbolReference,
)


class Source(Model):
    """The document that makes the claims."""

    kind: Literal["press release", "paper", "preprint", "report", "other"]
    document: str = Field(description="File name or identifier of the document that was read.")
    title: str | None = None
    journal: str | None = None
    date: datetime.date | None = Field(None, description="When the document says.")
    doi: str | None = None
    pmid: int | None = None
    url: str | None = None


class Claim(Model):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    statement: str = Field(description="The claim in our own words.")
    where: str = Field(description="Its place in the source.")
    central: bool = Field(False, description="true when the source's main conclusion rests on it.")
    gap: str | None = Field(
        None, description="What separates the claim from the test: protein -> mRNA, mouse -> human, none."
    )
    values_known: str | None = Field(
        None, description="When thresholds were written after someone had seen values: which values."
    )
    note: str | None = None
    known: bool | None = Field(
        None, description="In a panel of control claims: whether the claim is known to be true."
    )
    tests: list[ClaimTest] = Field(default_factory=list)
    gated_by: list[Identifier] = Field(
        default_factory=list, description="Gates of other claims that also void this claim's tests."
    )
    decision: Decision | None = None
    not_testable: str | None = Field(None, description="Why this is not an omics question.")
    no_public_data: str | None = Field(None, description="Exactly which data would test it.")

    @model_validator(mode="after")
    def _one_way(self) -> Claim:
        ways = [bool(self.tests), self.not_testable is not None, self.no_public_data is not None]
        if sum(ways) != 1:
            raise ValueError(
                f"claim {self.id} has {sum(ways)} of tests, not_testable and no_public_data; give exactly one"
            )
        if bool(self.tests) != (self.decision is not None):
            raise ValueError(f"claim {self.id}: tests and decision go together; add the missing one")
        if self.tests and self.gap is None:
            raise ValueError(
                f"claim {self.id} is tested: say what separates claim and test in `gap` (or none)"
            )
        return self

    @model_validator(mode="after")
    def _one_primary(self) -> Claim:
        if self.decision is None:
            return self
        primary = [test.id for test in self.tests if test.role == "primary"]
        if isinstance(self.decision, Conjunction):
            if set(primary) != set(self.decision.parts):
                raise ValueError(
                    f"claim {self.id}: the parts of its conjunction ({', '.join(self.decision.parts)}) must be "
                    f"its primary tests ({', '.join(primary) or 'none'}); make the two lists equal"
                )
        elif len(primary) != 1:
            raise ValueError(
                f"claim {self.id} has {len(primary)} primary tests ({', '.join(primary) or 'none'}), expected one; "
                "change a role to supporting or sensitivity, or decide by rule: conjunction"
            )
        if isinstance(self.decision, Equivalence):
            gates = [test.id for test in self.tests if test.role == "gate"]
            if self.decision.positive_control not in gates:
                raise ValueError(
                    f"claim {self.id}: positive_control {self.decision.positive_control!r} is not one of its gates "
                    f"({', '.join(gates) or 'none'}); add that test with role: gate"
                )
        return self

    @model_validator(mode="after")
    def _effects_fit_rule(self) -> Claim:
        parts = self.decision.parts if isinstance(self.decision, Conjunction) else {}
        for test in self.tests:
            if test.role != "primary" or self.decision is None:
                continue
            if test.analysis == "detection" or getattr(test, "method", None) == "prerank":
                raise ValueError(
                    f"test {test.id}: {test.analysis} without an interval decides nothing; make it a gate, "
                    "supporting or sensitivity, and name another test as primary"
                )
            rule = parts[test.id].rule if parts else self.decision.rule
            shares = test.analysis in ("mutation_frequency", "event_share")
            if shares != (rule == "bound"):
                raise ValueError(
                    f"test {test.id}: {test.analysis} is decided by rule {'bound' if shares else 'other than bound'}, "
                    f"found rule {rule}; change the rule or the analysis"
                )
        return self


class Rejected(Model):
    """A data set that was considered and is not used."""

    name: str
    reason: str


class LibrarySet(Model):
    """A set of a published library, by its name there."""

    library: Identifier = Field(description="A name under libraries.")
    set: str


class Study(Model):
    id: Identifier
    title: str
    source: Source
    datasets: dict[Identifier, Dataset] = Field(default_factory=dict)
    libraries: dict[Identifier, GeneSetLibrary] = Field(
        default_factory=dict, description="Published gene sets, fetched like data sets."
    )
    gene_sets: dict[Identifier, list[Gene] | LibrarySet] = Field(
        default_factory=dict, description="Sets by name: own lists of genes, or a set of a library."
    )
    rejected: list[Rejected] = Field(
        default_factory=list, description="Considered data sets, and why not used."
    )
    conflicts: list[str] = Field(default_factory=list, description="Where the source contradicts itself.")
    panel: bool = Field(
        False, description="true for control claims, whose answer is known: they show whether the rules work."
    )
    claims: list[Claim] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_in_panels(self) -> Study:
        for claim in self.claims:
            if self.panel != (claim.known is not None) or (self.panel and not claim.tests):
                raise ValueError(
                    f"claim {claim.id}: every claim of a panel has tests and says `known: true` or `known: false`, "
                    "and no other claim does"
                )
        return self

    def references(self) -> dict[str, Reference]:
        """Files beside the data sets: gene-set libraries, the symbol table that expression needs, and what regions
        need of the genome."""
        found: dict[str, Reference] = dict(self.libraries)
        kinds = {kind_of(dataset) for dataset in self.datasets.values()}
        if kinds & {"expression", "dependency"}:
            found[SYMBOLS] = SymbolReference(source="hgnc")
        if any(isinstance(dataset, ChipAtlasDataset) for dataset in self.datasets.values()):
            found[EXPERIMENTS] = ExperimentList(source="chip_atlas")
        if "regions" in kinds:
            found |= {
                name: GenomeReference.model_validate({"source": "genome", "genome": "hg38", "holds": name})
                for name in (CHROMOSOMES, BLACKLIST, *self.genome_tables())
            }
        return found

    def genome_tables(self) -> list[str]:
        """What the study's tests need of the genome beyond its data sets."""
        tests = [test for _, test in self.tests()]
        genes = any(
            isinstance(test, TargetGenes | BoundAndDeregulated)
            or (isinstance(test, PeakColocalization) and test.promoter_bp > 0)
            for test in tests
        )
        elements = any(isinstance(test, PeakColocalization) and test.universe == "elements" for test in tests)
        return [name for name, needed in ((GENES, genes), (ELEMENTS, elements)) if needed]

    def tests(self) -> Iterator[tuple[Claim, ClaimTest]]:
        """Every test with its claim, in file order."""
        for claim in self.claims:
            for test in claim.tests:
                yield claim, test
