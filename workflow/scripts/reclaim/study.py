"""What a study file may say: claims, data sets, tests and decision rules, fixed before data are read.

The models here and in `dataset.py` and `claim_tests.py` are the only authority on the format; the
JSON schema in `workflow/schemas/` is generated from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from reclaim.claim_tests import (
    NEEDS,
    BoundAndDeregulated,
    ClaimTest,
    Gene,
    Identifier,
    PeakColocalization,
    ResultOf,
    TargetGenes,
)
from reclaim.dataset import ChipAtlasDataset, Dataset, kind_of
from reclaim.errors import UserError, did_you_mean
from reclaim.marked_yaml import MarkedDocument, Step, read_marked_yaml
from reclaim.model import Model, explain
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

RESERVED_IDS = {"data", "receipts", "evidence", "figures"}
"""Folders of results/<run>/<study>/ that a test's own folder must not hide."""


class Source(Model):
    """The document that makes the claims."""

    kind: Literal["press release", "paper", "preprint", "report", "other"]
    document: str = Field(description="File name or identifier of the document that was read.")
    title: str | None = None
    journal: str | None = None
    date: date
    doi: str | None = None
    pmid: int | None = None
    url: str | None = None


class AnyDecision(Model):
    margin: float | None = Field(
        None, gt=0, description="Smallest effect that matters; the rule's own when not given."
    )
    marked: bool = Field(False, description="true when the claim says marked, strong or the like.")


class Pooled(AnyDecision):
    """Random-effects mean over all patient-disjoint cohorts; no cohort may be opposite."""

    rule: Literal["pooled"]


class Prevalence(AnyDecision):
    """Share of strata in which the effect exceeds the margin: many (1/3) or most (1/2)."""

    rule: Literal["prevalence"]
    share: Literal["many", "most"]


class Bound(AnyDecision):
    """A share lies beyond a bound: rare (below 5 %) or nearly all (at least 85 %)."""

    rule: Literal["bound"]
    bound: Literal["rare", "nearly_all"]


class Specific(AnyDecision):
    """The adjusted effect agrees and ranks in the top 10 % of at least 20 comparators."""

    rule: Literal["specific"]
    family: list[Gene] = Field(
        default_factory=list, description="Relatives; a tie with them is about the family, not the subject."
    )


class Equivalence(AnyDecision):
    """The effect lies within the margin, and a positive control is detected in the same data."""

    rule: Literal["equivalence"]
    positive_control: Identifier = Field(description="The test (a gate) that must be detected.")


class LookupDecision(AnyDecision):
    """A database lists the entry; consistent at best."""

    rule: Literal["lookup"]


Part = Annotated[Pooled | Prevalence | Bound | Specific | Equivalence, Field(discriminator="rule")]


class Conjunction(AnyDecision):
    """Every part agrees. Each part names a primary test and is judged by a rule of its own."""

    rule: Literal["conjunction"]
    parts: dict[Identifier, Part] = Field(min_length=2)


Decision = Annotated[
    Pooled | Prevalence | Bound | Conjunction | Specific | Equivalence | LookupDecision,
    Field(discriminator="rule"),
]


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
        if "expression" in kinds:
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


def read_study(path: Path) -> Study:
    """Read and check one study file; raises UserError with one line per mistake."""
    document = read_marked_yaml(path)
    try:
        study = Study.model_validate(document.data)
    except ValidationError as error:
        raise UserError(explain(error, document.place)) from None
    mistakes = [f"{document.place(where)}: {text}" for where, text in _mistakes(study)]
    if mistakes:
        raise UserError(mistakes)
    return study


def test_path(document: MarkedDocument, test_id: str) -> list[Step]:
    """The path of a test in a study document."""
    for i, claim in enumerate(document.data.get("claims", [])):
        for j, test in enumerate(claim.get("tests", [])):
            if test.get("id") == test_id:
                return ["claims", i, "tests", j]
    return []


def _mistakes(study: Study) -> Iterator[tuple[list[Step], str]]:
    """Mistakes that only the whole file shows."""
    yield from _repeated(study)
    used: set[str] = set()
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            where: list[Step] = ["claims", i, "tests", j]
            yield from _unknown_sets(study, test, where)
            if test.id in RESERVED_IDS:
                yield [*where, "id"], f"the test id {test.id!r} is reserved; choose another"
            names = list(test.datasets)
            names += [name for name in test.with_.values() if isinstance(name, str)]
            used.update(names)
            for name in names:
                if name not in study.datasets:
                    yield (
                        [*where, "datasets"],
                        f"unknown data set {name!r}{did_you_mean(name, study.datasets)}; "
                        f"expected one of: {', '.join(study.datasets) or 'none is listed'}",
                    )
            for name in test.datasets:
                if name in study.datasets and kind_of(study.datasets[name]) not in NEEDS[test.analysis]:
                    yield (
                        [*where, "datasets"],
                        f"{test.analysis} runs on {' or '.join(sorted(NEEDS[test.analysis]))}, but data set {name!r} "
                        f"holds {kind_of(study.datasets[name])}; name another data set",
                    )
            pools = Counter(
                study.datasets[name].patients
                for name in set(test.datasets)
                if name in study.datasets and study.datasets[name].patients
            )
            for pool, count in pools.items():
                if count > 1:
                    yield (
                        [*where, "datasets"],
                        f"{count} data sets share the patients {pool!r} and must not be pooled; keep one of them",
                    )
    for name, gene_set in study.gene_sets.items():
        if not gene_set:
            yield ["gene_sets", name], f"the gene set {name!r} is empty; list its genes, or take it out"
        if isinstance(gene_set, LibrarySet) and gene_set.library not in study.libraries:
            yield (
                ["gene_sets", name],
                f"unknown library {gene_set.library!r}{did_you_mean(gene_set.library, study.libraries)}; "
                f"expected one of: {', '.join(study.libraries) or 'none is listed under libraries'}",
            )
    for name in study.references():
        if name in study.datasets:
            yield (
                ["datasets", name],
                f"{name!r} is also the name of a library or of a table that the study needs; choose another",
            )
    named = {part.library for part in study.gene_sets.values() if isinstance(part, LibrarySet)}
    for name in study.libraries:
        if name not in named:
            yield ["libraries", name], f"no gene set is taken from library {name!r}; use it or take it out"
    known = {test.id: test for _, test in study.tests()}
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            for role, value in test.with_.items():
                if isinstance(value, ResultOf) and value.test not in known:
                    yield (
                        ["claims", i, "tests", j, "with"],
                        f"no test {value.test!r}{did_you_mean(value.test, known)}; name a test of this study",
                    )
                elif isinstance(value, ResultOf) and role == "ranking":
                    yield from _unfit_ranking(test, known[value.test], ["claims", i, "tests", j, "with"])
    gates = {test.id for _, test in study.tests() if test.role == "gate"}
    for i, claim in enumerate(study.claims):
        for name in claim.gated_by:
            if name not in gates:
                yield (
                    ["claims", i, "gated_by"],
                    f"{name!r} is not a gate of this study{did_you_mean(name, gates)}; "
                    f"expected one of: {', '.join(sorted(gates)) or 'no gate is defined'}",
                )
    for name in study.datasets:
        if name not in used:
            yield (
                ["datasets", name],
                f"no test uses data set {name!r}; use it, or move it to `rejected` with the reason",
            )


def _unknown_sets(study: Study, test: ClaimTest, where: list[Step]) -> Iterator[tuple[list[Step], str]]:
    """Names of gene sets that the study does not list."""
    features = [getattr(test, "feature", None), *getattr(test, "features", [])]
    names = [getattr(feature, "gene_set", None) for feature in features] + [getattr(test, "gene_set", None)]
    for name in names:
        if isinstance(name, str) and name not in study.gene_sets:
            yield (
                [*where, "gene_set"],
                f"unknown gene set {name!r}{did_you_mean(name, study.gene_sets)}; "
                f"expected one of: {', '.join(study.gene_sets) or 'none is listed under gene_sets'}",
            )
        if isinstance(name, list) and not name:
            yield [*where, "feature"], "the gene set is empty; list its genes"
    if test.analysis == "detection" and test.feature.gene is None:
        yield [*where, "feature"], "detection looks at one gene; name it under gene"


def _unfit_ranking(
    test: ClaimTest, ranking: ClaimTest, where: list[Step]
) -> Iterator[tuple[list[Step], str]]:
    """A ranking is of all genes, and on the same data set."""
    if ranking.analysis != "differential_expression":
        yield (
            where,
            f"test {ranking.id!r} is {ranking.analysis} and ranks no genes; name a differential_expression test",
        )
        return
    lacking = [name for name in test.datasets if name not in ranking.datasets]
    if lacking:
        yield (
            where,
            f"test {ranking.id!r} does not run on {', '.join(lacking)}; add that to its data sets, or take it out of this test's",
        )


def _repeated(study: Study) -> Iterator[tuple[list[Step], str]]:
    seen: set[str] = set()
    tests_seen: set[str] = set()
    for i, claim in enumerate(study.claims):
        if claim.id in seen:
            yield ["claims", i, "id"], f"the claim id {claim.id!r} stands twice; give each claim its own id"
        seen.add(claim.id)
        for j, test in enumerate(claim.tests):
            if test.id in tests_seen:
                yield (
                    ["claims", i, "tests", j, "id"],
                    f"the test id {test.id!r} stands twice; give each test of the study its own id",
                )
            tests_seen.add(test.id)
