"""The calibration of one claim for the page: how often chance, or any other gene, would have passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reclaim.calibration.record import Balance, ClaimCalibration, Rate
from reclaim.claim_tests import (
    ClaimTest,
    Coexpression,
    Dependency,
    GeneFeature,
    PeakColocalization,
    Survival,
    TargetGenes,
)
from reclaim.judging import decision_for
from reclaim.report.calibration_reading import calibration_reading
from reclaim.report.decision import zones_of_claim
from reclaim.report.forest_view import FigureView
from reclaim.report.measures import feature_in_words
from reclaim.report.null_figure import null_figure, scale_of_distribution
from reclaim.report.reading import ClaimReading
from reclaim.report.words import ended, listing, number, percent, plural, sentence, shorten
from reclaim.study import Claim

DETECTION = "detection"
MATCHED_ON = ("mean", "spread", DETECTION, "biotype")
CELL_TYPE = "cell type"
"""Begins the names of properties that say of which kind of cell a gene is."""

LONGEST_SUBJECT = 40
CORRELATED = "|rho| > 0.5"


@dataclass(frozen=True)
class BalanceLine:
    """One property of the subject beside those of its nulls."""

    name: str
    subject: str
    remark: str
    low: str
    middle: str
    high: str


@dataclass(frozen=True)
class CalibrationView:
    """`reading` is all there is where the rule needs no calibration. `subject` is what the nulls stand for: of a
    pair the end that was swapped."""

    heading: str
    noun: str
    subject: str
    reading: str
    rates: list[tuple[str, str]] = field(default_factory=list)
    figure: FigureView | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)
    balance: list[BalanceLine] = field(default_factory=list)
    balance_summary: str = ""


def calibration_view(
    claim: Claim,
    calibration: ClaimCalibration,
    reading: ClaimReading,
    agrees: bool,
    name: str,
    simulated: bool,
) -> CalibrationView:
    """Everything the page says of a claim's calibration; `agrees` tells whether its rule does, `name` is
    unique in the page."""
    noun = subject_noun(reading.decisive.test)
    others = "" if calibration.no_background else f", or any other {noun},"
    heading = f"Calibration: how often chance{others} would have passed"
    if calibration.not_calibrated:
        return CalibrationView(heading, noun, calibration.subject, sentence(calibration.not_calibrated))
    assert claim.decision is not None
    tests = [part.test for part in reading.primary]
    swapped = swapped_end(calibration.swapped, tests)
    # Of a conjunction the balance is that of its first part.
    subject = swapped_end(calibration.swapped, tests[:1]) or calibration.subject
    rates = [("Permuted labels pass", rate_in_words(calibration.null_rate))]
    if not calibration.no_background:
        which = f", with {swapped} swapped" if swapped else ""
        rates.append((f"Comparable {noun}s pass{which}", rate_in_words(calibration.background_rate)))
    return CalibrationView(
        heading=heading,
        noun=noun,
        subject=subject,
        reading=calibration_reading(calibration, claim.decision, agrees, noun, swapped),
        rates=rates,
        figure=_figure(claim, calibration, reading, noun, name, simulated),
        facts=[
            *_permuted(calibration, reading.decisive.test),
            *_facts(calibration, noun, swapped, reading.decisive.test),
        ],
        balance=[_balance_line(one) for one in calibration.balance],
        balance_summary=_balance_summary(calibration, subject),
    )


def swapped_end(genes: str, tests: Sequence[ClaimTest]) -> str:
    """Of the pairs of these tests the end that was swapped, by its name; `genes` are its members, or empty.

    The parts of a conjunction are swapped at the same end, and may differ in it.
    """
    pairs = [test.features for test in tests if isinstance(test, Coexpression)]
    if not genes or not pairs:
        return genes
    ends = [end for end in (0, 1) if _may_be(pairs[0][end], genes)]
    if len(ends) != 1:
        return shorten(genes, LONGEST_SUBJECT)
    return listing(list(dict.fromkeys(feature_in_words(pair[ends[0]]) for pair in pairs)))


def _may_be(feature: GeneFeature, genes: str) -> bool:
    """Whether these are the measured genes of a feature; those behind the name of a set are not known here."""
    if feature.gene:
        return genes == feature.gene
    members = set(genes.split(", "))
    return isinstance(feature.gene_set, str) or members <= set(feature.gene_set or [])


def _matched_on(balance: Sequence[Balance], test: ClaimTest) -> list[str]:
    """What the nulls of the first rate share with the subject. Gene effects are not detected."""
    kinds = [CELL_TYPE] if any(one.name.startswith(CELL_TYPE) for one in balance) else []
    return [*kinds, *(name for name in MATCHED_ON if name != DETECTION or not isinstance(test, Dependency))]


def subject_noun(test: ClaimTest) -> str:
    """What calibration swaps in a test like this."""
    if isinstance(test, TargetGenes):
        return "set"
    feature = getattr(test, "feature", None)
    if feature is None and getattr(test, "contrast", None) is not None:
        return "group"
    if getattr(feature, "gene_set", None) is not None or getattr(test, "gene_set", None) is not None:
        return "set"
    if hasattr(test, "features"):
        return "pair"
    return "experiment" if hasattr(test, "query") else "gene"


def rate_in_words(rate: Rate | None) -> str:
    """`0.4 % (0.1 to 1.0), of 1,000`: share of nulls that pass, its 95 % interval, how many there are."""
    if rate is None:
        return "not known"
    interval = f"{100 * rate.ci_low:.1f} to {100 * rate.ci_high:.1f}"
    return f"{percent(rate.share, 1)} ({interval}), of {rate.n:,}"


def _figure(
    claim: Claim,
    calibration: ClaimCalibration,
    reading: ClaimReading,
    noun: str,
    name: str,
    simulated: bool,
) -> FigureView | None:
    distribution = calibration.distribution
    if distribution is None:
        return None
    part = reading.decisive
    zones = (
        zones_of_claim(decision_for(claim, part.test.id), part.named)
        if part.scale == scale_of_distribution(distribution)
        else []
    )
    subject = "case to control" if noun == "group" else calibration.subject
    return null_figure(distribution, subject, noun, zones, name, f"claim {claim.id}", simulated)


def _permuted(calibration: ClaimCalibration, test: ClaimTest) -> list[tuple[str, str]]:
    """What labels are, where no groups are compared by their expression."""
    if calibration.null_rate is None or not isinstance(test, Coexpression | Survival | PeakColocalization):
        return []
    if isinstance(test, PeakColocalization):
        what = f"{test.query} is turned along the chromosomes, neighbours together; that the partner also ranks high is "
        what += "not asked for, which can only raise this rate"
    elif isinstance(test, Coexpression):
        what = "one end of the pair is dealt out anew among the samples"
        what += ", as far as what is adjusted for leaves it unexplained" if test.adjust else ""
    else:
        what = f"the {'values' if test.feature else 'groups'} are dealt out anew among the patients"
        what += ", while follow-up and covariates stay together" if test.covariates else ""
    return [("Permuted labels", sentence(what))]


def _facts(calibration: ClaimCalibration, noun: str, swapped: str, test: ClaimTest) -> list[tuple[str, str]]:
    lines = []
    if calibration.no_background:
        lines.append(("Comparable genes", sentence(f"not needed: {calibration.no_background}")))
    if swapped:
        lines.append(
            (
                "Which end was swapped",
                f"Each in turn; the larger rate counts, which is that with {swapped} swapped.",
            )
        )
    experiments = calibration.nulls == "experiments"
    if calibration.matched is not None:
        all_others = (
            "All other antigens of the same cells"
            if experiments
            else f"Matched on {listing(_matched_on(calibration.balance, test))}"
        )
        lines.append((all_others, rate_in_words(calibration.matched)))
    if calibration.matched_on_loadings is not None:
        alike = (
            "Those that follow busy regions alike"
            if experiments
            else f"Matched also on loadings ({listing(calibration.loadings)})"
        )
        lines.append((alike, rate_in_words(calibration.matched_on_loadings)))
        if calibration.matched is not None:
            lines.append(("Which of the two counts", "The larger."))
    if calibration.loadings_gap:
        which = "Not known" if experiments else "Loadings not matched"
        lines.append((which, sentence(calibration.loadings_gap)))
    if calibration.background_rate is not None:
        lines.append(
            (f"Without correlated {noun}s", _uncorrelated(calibration, noun, swapped or calibration.subject))
        )
    if calibration.null_rate is not None or calibration.background_rate is not None:
        lines.append(("In brackets", _intervals(calibration, noun)))
    return lines


def _uncorrelated(calibration: ClaimCalibration, noun: str, subject: str) -> str:
    """The rate without nulls that go with the subject, and how many were left out for it."""
    limit = f"at {CORRELATED} to {subject}"
    if calibration.uncorrelated is not None:
        left_out = plural(calibration.correlated, noun) if calibration.correlated else "none is"
        return f"{rate_in_words(calibration.uncorrelated)}; {left_out} {limit}" + (
            " left out" if calibration.correlated else ""
        )
    if calibration.correlated:
        return f"None is left: {plural(calibration.correlated, noun)} are {limit}."
    return f"Not known: {calibration.relations_gap or 'no correlation could be had'}."


def _intervals(calibration: ClaimCalibration, noun: str) -> str:
    modules = ""
    if calibration.background_rate is not None and calibration.modules:
        resampled = plural(calibration.modules, "module")
        modules = f"; those of comparable {noun}s resample {resampled} of correlated genes as wholes"
    return ended(f"95 % intervals{modules}")


def _balance_line(balance: Balance) -> BalanceLine:
    return BalanceLine(
        name=balance.name,
        subject=number(balance.subject),
        remark=_outside(balance),
        low=number(balance.low),
        middle=number(balance.middle),
        high=number(balance.high),
    )


def _outside(balance: Balance) -> str:
    """Where the subject lies when it is unlike its nulls."""
    if balance.subject < balance.low:
        return "below the 5th percentile"
    return "above the 95th percentile" if balance.subject > balance.high else ""


def _balance_summary(calibration: ClaimCalibration, subject: str) -> str:
    unlike = [one.name for one in calibration.balance if _outside(one)]
    if unlike:
        return f"{subject} lies outside the middle 90 % of its nulls in {listing(unlike)}."
    return f"{subject} lies within the middle 90 % of its nulls in every property."
