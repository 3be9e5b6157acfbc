"""What calibration finds for the claims of a study: results/<run>/<study>/calibration.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from reclaim.evidence import EvidenceRow
from reclaim.model import Model


class Rate(Model):
    """Share of nulls on which the claim's rule agrees, with its 95 % interval."""

    share: float
    ci_low: float
    ci_high: float
    n: int = Field(description="nulls that were judged")


class NullDistribution(Model):
    """The effect that the rule judges, for the claim's subject and for its nulls, in natural sign."""

    effect_name: str = Field(description="as in evidence.tsv; share_of_strata for a prevalence")
    observed: float
    edges: list[float] = Field(description="of the bins, ascending; the outer ones hold all beyond")
    comparable: list[int] = Field(description="matched subjects per bin; empty when there are none")
    permuted: list[int] = Field(description="permutations of the labels per bin; empty when there are none")


class Balance(Model):
    """How like the subject its nulls are, in one property."""

    name: str = Field(description="mean in the reference arm, spread within groups, detection, or a loading")
    subject: float
    low: float = Field(description="5th percentile of the matched subjects")
    middle: float
    high: float = Field(description="95th percentile")


class ClaimCalibration(Model):
    """What stands beside the verdict of one claim."""

    claim: str
    subject: str = Field(description="the gene or set that was swapped")
    nulls: str = Field("genes", description="what was put in its place: genes, experiments or sets of genes")
    not_calibrated: str = Field("", description="why the rule of this claim needs no calibration")
    null_rate: Rate | None = Field(None, description="over permutations of the labels")
    null_gap: str = Field("", description="why there is no null_rate")
    background_rate: Rate | None = Field(
        None,
        description="over subjects matched on mean, spread and detection, or also on loadings: the larger",
    )
    background_gap: str = Field("", description="why there is no background_rate")
    no_background: str = Field("", description="why this claim needs no background_rate")
    swapped: str = Field("", description="of a pair, the end whose swap gave the larger rate")
    matched: Rate | None = Field(None, description="matched on mean, spread, detection and biotype")
    matched_on_loadings: Rate | None = Field(None, description="and on loadings")
    loadings: list[str] = Field(default_factory=list, description="scores that were matched on as loadings")
    loadings_gap: str = Field("", description="why some or all loadings could not be matched")
    uncorrelated: Rate | None = Field(
        None, description="background_rate without nulls at |rho| > 0.5 to the subject"
    )
    correlated: int = Field(0, description="nulls at |rho| > 0.5 to the subject")
    relations_gap: str = Field("", description="why it is not known which nulls are correlated")
    modules: int = Field(0, description="modules of correlated genes that the intervals resample")
    balance: list[Balance] = Field(default_factory=list)
    distribution: NullDistribution | None = None


class Percentile(Model):
    """Where the statistic of one evidence row stands among those of matched subjects."""

    test: str
    dataset: str
    stratum: str
    null_percentile: float = Field(description="(1 + nulls at least as extreme as claimed) / (N + 1)")


class StudyCalibration(Model):
    """Calibration of one study."""

    study: str
    claims: list[ClaimCalibration]
    percentiles: list[Percentile]


def read_calibrations(paths: Sequence[str | Path]) -> dict[str, StudyCalibration]:
    """By study."""
    found = [StudyCalibration.model_validate_json(Path(path).read_bytes()) for path in paths]
    return {one.study: one for one in found}


def with_percentiles(rows: Sequence[EvidenceRow], percentiles: Sequence[Percentile]) -> list[EvidenceRow]:
    """The rows with their null_percentile, where one was found."""
    found = {(one.test, one.dataset, one.stratum): one.null_percentile for one in percentiles}
    return [
        row.model_copy(update={"null_percentile": found.get((row.test, row.dataset, row.stratum))})
        for row in rows
    ]
