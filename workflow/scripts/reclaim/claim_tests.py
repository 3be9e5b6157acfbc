"""What a study file may say about a test: one model per kind of analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from reclaim.endpoint import Endpoint
from reclaim.model import Model
from reclaim.selection import Selection

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Gene = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$", description="HGNC gene symbol.")]
Antigen = Annotated[str, Field(min_length=1, description="What was bound, as the data set names it.")]
Sign = Literal["positive", "negative"]
Role = Literal["primary", "gate", "supporting", "sensitivity"]


class ResultOf(Model):
    """Another test whose result is an input of this one."""

    test: Identifier


class Passes(Model):
    """The range in which a gate's effect must lie."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _a_bound(self) -> Passes:
        if self.at_least is None and self.at_most is None:
            raise ValueError("passes needs at_least, at_most or both")
        return self


class AnyTest(Model):
    id: Identifier = Field(description="Unique in the study; names the folder of its full results.")
    role: Role = Field(
        description="primary decides; a gate that fails makes the claim's tests on that data set invalid; "
        "supporting can only lower a verdict; sensitivity is printed."
    )
    datasets: list[Identifier] = Field(min_length=1, description="The test is repeated for each.")
    with_: dict[Identifier, Identifier | ResultOf] = Field(
        default_factory=dict,
        alias="with",
        description="Further inputs by role: a data set's name, or {test: id} for another test's result.",
    )
    samples: Selection = Field(
        default_factory=dict, description="Further filter on samples, on top of the data set's own."
    )
    specification: str | None = Field(None, description="What this variant does differently, in words.")
    passes: Passes | None = Field(None, description="For a gate: the range of the effect that passes.")

    @model_validator(mode="after")
    def _gate(self) -> AnyTest:
        if (self.role == "gate") != (self.passes is not None):
            raise ValueError("a gate, and only a gate, has `passes`; say {at_least: ...} or {at_most: ...}")
        return self


class MutationFeature(Model):
    """An alteration of one gene. Without further keys: any non-silent mutation.
    With several keys an altered tumour needs one of them."""

    gene: Gene
    protein_change: str | list[str] | None = Field(
        None, description="Amino-acid change such as G12C (a leading p. is allowed)."
    )
    consequence: Literal["non_silent", "truncating"] | None = Field(
        None, description="truncating: frame shift, stop gained, splice site, start lost."
    )
    copy_number: Literal["deep_deletion", "amplification"] | None = Field(
        None, description="Discrete calls -2 and 2; patients without copy-number calls do not count."
    )

    @property
    def label(self) -> str:
        """The alteration in words, such as `KRAS G12C` or `RB1 truncating or deep deletion`."""
        changes = [self.protein_change] if isinstance(self.protein_change, str) else self.protein_change or []
        parts = [change.removeprefix("p.") for change in changes]
        parts += [part.replace("_", " ") for part in (self.consequence, self.copy_number) if part]
        return f"{self.gene} {' or '.join(parts)}" if parts else f"{self.gene} mutation"


class MutationTest(AnyTest):
    call_depth_gate: bool = Field(
        True, description="false: also count patients below the data set's min_other_mutations."
    )


class MutationFrequency(MutationTest):
    """Share of patients with the alteration."""

    analysis: Literal["mutation_frequency"]
    feature: MutationFeature
    among: MutationFeature | None = Field(None, description="Only patients with this alteration count.")


class MutualExclusivity(MutationTest):
    """Log odds ratio between two alterations over patients; negative when they exclude each other."""

    analysis: Literal["mutual_exclusivity"]
    features: Annotated[list[MutationFeature], Field(min_length=2, max_length=2)]
    adjust: Literal["burden", "none"] = Field(
        "burden", description="burden: for the number of other mutations; none: Fisher's exact test."
    )
    expected: Sign


class Contrast(Model):
    """Two groups of samples; the effect is case minus control."""

    case: Selection
    control: Selection


class GeneFeature(Model):
    """The gene, or the genes of a named or listed set, that a test is about."""

    gene: Gene | None = None
    gene_set: str | list[Gene] | None = None

    @model_validator(mode="after")
    def _one(self) -> GeneFeature:
        if (self.gene is None) == (self.gene_set is None):
            raise ValueError("give either gene or gene_set")
        return self


class Pseudobulk(Model):
    """Cells summed per patient before any inference."""

    by: list[str] = Field(min_length=1, description="Columns that make a pseudobulk sample.")
    cells: Selection = Field(default_factory=dict)
    min_cells: int = Field(20, ge=1)


class DifferentialExpression(AnyTest):
    """log2 fold change of a gene, or the mean of a set, between two groups."""

    analysis: Literal["differential_expression"]
    feature: GeneFeature
    contrast: Contrast
    method: Literal["counts", "moderated_t", "rank"] | None = Field(
        None,
        description="pydeseq2, Smyth's moderated t, or Wilcoxon; by the unit of the data when not given.",
    )
    covariates: list[str] = Field(default_factory=list)
    pairs: str | None = Field(None, description="Column that pairs case and control samples.")
    interaction: Contrast | None = None
    strata: str | None = Field(None, description="Column whose values are tested one by one.")
    min_per_group: int = Field(2, ge=1, description="Smaller strata are left out and listed.")
    pseudobulk: Pseudobulk | None = None
    expected: Sign


class Detection(AnyTest):
    """Share of samples in which a gene is measured at all: a gate for everything said of that gene."""

    analysis: Literal["detection"]
    feature: GeneFeature
    at_least: float = Field(
        gt=0, description="Smallest value that counts as detected, in the unit of the data (10 counts, say)."
    )


class GeneSetEnrichment(AnyTest):
    """Normalised enrichment score of a set in the ranking of another test, or the log odds ratio of its
    over-representation among that test's significant genes."""

    analysis: Literal["gene_set_enrichment"]
    gene_set: Identifier = Field(description="A name under gene_sets.")
    method: Literal["prerank", "over_representation"] = "prerank"
    max_q: float = Field(0.05, gt=0, le=1, description="For over_representation: which genes count as hits.")
    expected: Sign

    @model_validator(mode="after")
    def _ranking(self) -> GeneSetEnrichment:
        if not isinstance(self.with_.get("ranking"), ResultOf):
            raise ValueError(
                "gene_set_enrichment ranks genes by another test; add with: {ranking: {test: ID of a "
                "differential_expression test}}"
            )
        return self


class Coexpression(AnyTest):
    """Spearman correlation of two genes or scores over samples."""

    analysis: Literal["coexpression"]
    features: Annotated[list[GeneFeature], Field(min_length=2, max_length=2)]
    adjust: list[str] = Field(
        default_factory=list,
        description="Covariates of the partial correlation: sample columns, or gene sets of the study (their mean). "
        "A gene set is a score of cell types, which may lie between the two genes.",
    )
    strata: str | None = Field(None, description="Column whose values are tested one by one.")
    pseudobulk: Pseudobulk | None = None
    expected: Sign


class Survival(AnyTest):
    """Log hazard ratio per standard deviation of a feature, or between two groups."""

    analysis: Literal["survival"]
    endpoint: Endpoint | Identifier = Field(
        description="Follow-up time and event; or the name under `endpoints` of each data set."
    )
    feature: GeneFeature | None = None
    contrast: Contrast | None = None
    horizon_years: float | None = Field(None, gt=0, description="Follow-up is cut here.")
    from_years: float = Field(0, ge=0, description="Only follow-up after this counts.")
    covariates: list[str] = Field(default_factory=list)
    expected: Sign

    @model_validator(mode="after")
    def _one(self) -> Survival:
        if (self.feature is None) == (self.contrast is None):
            raise ValueError("give either feature (hazard per SD) or contrast (hazard between groups)")
        return self


class EventShare(AnyTest):
    """Share of events that happen after a time, with competing risks."""

    analysis: Literal["event_share"]
    endpoint: Endpoint | Identifier = Field(
        description="Follow-up time and event; or the name under `endpoints` of each data set."
    )
    after_years: float = Field(gt=0)


class PeakColocalization(AnyTest):
    """Occupancy-adjusted log odds ratio of overlap between a query and a partner, ranked among all other antigens
    of the data set."""

    analysis: Literal["peak_colocalization"]
    query: Antigen
    partner: Antigen
    universe: Literal["peaks", "elements"] = Field(
        "peaks",
        description="The regions that count: those that any antigen of the data set binds, or ENCODE's candidate "
        "cis-regulatory elements.",
    )
    lone_regions: Literal["leave_out", "count"] | None = Field(
        None,
        description="Regions of peaks that no other antigen binds: they are there only because query or partner binds "
        "them, which makes the two look as if they avoided each other. Left out unless count is said; elements always "
        "count.",
    )
    promoter_bp: int = Field(
        1000,
        ge=0,
        description="Regions this near to a transcription start are compared with each other only; 0: with all others.",
    )
    top_peaks: int | None = Field(
        None, ge=1, description="The strongest peaks of each experiment; all when not given."
    )
    expected: Sign = "positive"

    @model_validator(mode="after")
    def _of_peaks(self) -> PeakColocalization:
        if self.universe == "elements" and self.lone_regions is not None:
            raise ValueError("elements are there whatever binds them, and all count; take lone_regions out")
        return self

    @property
    def counts_lone_regions(self) -> bool:
        """Whether regions count that no other antigen binds."""
        return self.universe == "elements" or self.lone_regions == "count"


class TargetGenes(AnyTest):
    """Log odds ratio of named genes to have a peak near their transcription start, against comparable genes:
    equally expressed, and in surroundings that as many other peaks share."""

    analysis: Literal["target_genes"]
    query: Antigen
    genes: list[Gene] = Field(min_length=1)
    window_bp: int = Field(5000, ge=1, description="How far a peak may lie from a transcription start.")
    partner: list[Antigen] = Field(
        default_factory=list,
        description="A peak counts only where one of these has a peak too. Genes that the query binds are then "
        "compared with each other.",
    )
    expected: Sign = "positive"

    @model_validator(mode="after")
    def _inputs(self) -> TargetGenes:
        _check_inputs(self, {}, {"expression": "DATA_SET"})
        if len(set(self.genes)) < len(self.genes):
            raise ValueError("a gene stands twice; name each once")
        if self.query in self.partner:
            raise ValueError(f"{self.query} is its own partner; name others")
        if self.samples and "expression" not in self.with_:
            raise ValueError(
                "samples are those of the expression; add with: {expression: DATA_SET}, or take them out"
            )
        return self


class BoundAndDeregulated(AnyTest):
    """Log odds ratio between having a peak near the transcription start and responding to a perturbation, within
    strata of expression and of how many other peaks are near."""

    analysis: Literal["bound_and_deregulated"]
    query: Antigen
    window_bp: int = Field(5000, ge=1, description="How far a peak may lie from a transcription start.")
    response: Literal["falls", "rises"] = Field(description="What the bound genes do.")
    among: Literal["measured", "responding"] = Field(
        "measured",
        description="measured: against all other genes. responding: only among genes that fall or rise, which of "
        "the two.",
    )
    method: Literal["strata", "fisher", "prerank"] = Field(
        "strata",
        description="strata: Mantel-Haenszel over strata; fisher: without strata; prerank: enrichment of the bound "
        "genes in the ranking of the response.",
    )
    max_q: float = Field(0.05, gt=0, le=1, description="Genes that respond: q-values below this.")
    expected: Sign = "positive"

    @model_validator(mode="after")
    def _inputs(self) -> BoundAndDeregulated:
        _check_inputs(
            self, {"peaks": "DATA_SET", "ranking": "{test: ID of a differential_expression test}"}, {}
        )
        if self.samples:
            raise ValueError("its samples are those of its ranking; write samples there")
        if self.method == "prerank" and self.among == "responding":
            raise ValueError(
                "prerank ranks all genes; take `among: responding` out, or choose another method"
            )
        return self


class Dependency(AnyTest):
    """Mean gene effect of a gene's knock-out in some cell lines, or how it differs from that in others."""

    analysis: Literal["dependency"]
    feature: GeneFeature = Field(description="One gene.")
    contrast: Contrast = Field(description="Cell lines by columns of the table of models.")
    effect: Literal["mean", "difference"] = Field(
        "mean",
        description="mean: mean gene effect of the case lines (0: none, -1: the median of common essential genes). "
        "difference: case minus control.",
    )
    expected: Sign = "negative"


class TargetShift(AnyTest):
    """Shift of a statistic in predicted targets of a regulator against matched non-targets."""

    analysis: Literal["target_shift"]
    regulator: str
    expected: Sign


class Lookup(AnyTest):
    """Whether a database lists an entry."""

    analysis: Literal["lookup"]
    entry: Selection = Field(min_length=1)
    exclude: Selection = Field(
        default_factory=dict, description="Rows that must not count, such as own papers."
    )


def antigens_of(test: AnyTest) -> list[str]:
    """Query and partners of a test; none of one that is not about peaks."""
    query, partner = (getattr(test, key, None) for key in ("query", "partner"))
    partners = partner if isinstance(partner, list) else [partner]
    return [name for name in (query, *partners) if isinstance(name, str)]


def _check_inputs(test: AnyTest, needed: Mapping[str, str], allowed: Mapping[str, str]) -> None:
    """Inputs under `with` that a test must, or may, have: name -> what stands there."""
    every = {**needed, **allowed}
    for name, form in needed.items():
        if name not in test.with_:
            raise ValueError(f"needs a further input; add with: {{{name}: {form}}}")
    for name, value in test.with_.items():
        if name not in every:
            raise ValueError(f"with: {name} is no input of this test; expected {' and '.join(every)}")
        if isinstance(value, ResultOf) != every[name].startswith("{"):
            raise ValueError(f"with: {name} is of another kind; expected {{{name}: {every[name]}}}")


ClaimTest = Annotated[
    MutationFrequency
    | MutualExclusivity
    | DifferentialExpression
    | Detection
    | GeneSetEnrichment
    | Coexpression
    | Survival
    | EventShare
    | PeakColocalization
    | TargetGenes
    | BoundAndDeregulated
    | Dependency
    | TargetShift
    | Lookup,
    Field(discriminator="analysis"),
]

NEEDS: dict[str, frozenset[str]] = {
    "mutation_frequency": frozenset({"mutations"}),
    "mutual_exclusivity": frozenset({"mutations"}),
    "differential_expression": frozenset({"expression"}),
    "detection": frozenset({"expression"}),
    "gene_set_enrichment": frozenset({"expression"}),
    "coexpression": frozenset({"expression"}),
    "survival": frozenset({"expression", "clinical"}),
    "event_share": frozenset({"expression", "clinical"}),
    "peak_colocalization": frozenset({"regions"}),
    "target_genes": frozenset({"regions"}),
    "bound_and_deregulated": frozenset({"expression"}),
    "dependency": frozenset({"dependency"}),
    "target_shift": frozenset({"expression"}),
    "lookup": frozenset({"clinical"}),
}
"""Analysis -> the kinds of data set it runs on."""

BESIDE: dict[str, str] = {"peaks": "regions", "expression": "expression"}
"""Name of a further input -> the kind of data set it is."""

ON_REGIONS = frozenset({"peak_colocalization", "target_genes", "bound_and_deregulated"})
"""Analyses that look at regions of the genome, in their data sets or beside them."""
