"""Tests in plain words: what is computed, what its numbers mean, and how an endpoint is read from columns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from reclaim.claim_tests import (
    BoundAndDeregulated,
    ClaimTest,
    Coexpression,
    Contrast,
    Dependency,
    EventShare,
    GeneFeature,
    PeakColocalization,
    Survival,
    TargetGenes,
)
from reclaim.colocalization import OCCUPANCY_FROM, SHIFTS
from reclaim.dataset import Dataset, ExpressionKeys
from reclaim.endpoint import Endpoint
from reclaim.gene_strata import BIOTYPE, LEVELS
from reclaim.matched_genes import COMPARABLE
from reclaim.region_universe import GAP_BP
from reclaim.report.words import listing
from reclaim.selection import describe
from reclaim.study import LibrarySet
from reclaim.targets import DISTAL_BP

Sets = Mapping[str, Sequence[str] | LibrarySet]
LONGEST_SET = 12
"""Members of a set that are named one by one."""


def measure(test: ClaimTest, sets: Sets) -> str:
    """What the test computes and what its effect means; `sets` are the gene sets of the study."""
    match test:
        case Coexpression():
            return _coexpression(test, sets)
        case Survival():
            return _survival(test, sets)
        case EventShare():
            return (
                f"Of all events that were seen, the share that came after {test.after_years:g} years. Events that "
                "follow-up was too short to see are missing from it, most of them late ones: the note of each row "
                "therefore tells the cumulative incidence, with competing risks, at that time and at the end of "
                "follow-up."
            )
        case PeakColocalization():
            return _colocalization(test)
        case BoundAndDeregulated():
            return _bound_and_deregulated(test)
        case TargetGenes():
            return _target_genes(test)
        case Dependency():
            return _dependency(test)
    return kind(test)


def kind(test: ClaimTest) -> str:
    """What tests of this kind compute, from their documentation."""
    return " ".join((inspect.getdoc(type(test)) or test.analysis).split())


def _dependency(test: Dependency) -> str:
    lines = describe(test.contrast.case), describe(test.contrast.control)
    said = (
        f"Mean gene effect of knocking out {test.feature.gene} in cell lines with {lines[0]}"
        if test.effect == "mean"
        else f"Mean gene effect of knocking out {test.feature.gene} in cell lines with {lines[0]} minus that in lines "
        f"with {lines[1]}"
    )
    return (
        f"{said}. The scale is that of Chronos (Dempster et al. 2021, doi 10.1186/s13059-021-02540-7): 0 means that "
        "cells grow as before, −1 is the median of genes that nearly all cells need. "
        + (
            f"The note of each row tells the mean of the other lines ({lines[1]}), so that a gene that every cell needs shows "
            "as one."
            if test.effect == "mean"
            else "Below 0 the former need the gene more; the note of each row tells both means."
        )
    )


def _coexpression(test: Coexpression, sets: Sets) -> str:
    first, second = map(feature_in_words, test.features)
    said = [
        f"Spearman’s rank correlation over samples: do those with more of {first} have more of {second}? 1 means "
        "that they always do, 0 no relation, −1 that they always have less."
    ]
    scores = [name for name in test.adjust if name in sets]
    if test.adjust:
        given = [f"the score of {name}" if name in sets else name for name in test.adjust]
        leave = "this leaves" if len(given) == 1 else "these leave"
        said.append(
            f"Adjusted for {listing(given)}: correlated is what {leave} unexplained of the ranks of both (partial "
            "correlation)."
        )
    named = [feature.gene_set for feature in test.features if feature.gene is None]
    if named or scores:
        said.append(
            "The score of a set in a sample is the mean of its members, each scaled to a standard deviation of 1; "
            "genes that are tested are no members of what they are compared with or adjusted for."
        )
    said += _sets_in_words([*(name for name in named if isinstance(name, str)), *scores], sets)
    if test.strata:
        said.append(f"Each value of {test.strata} is tested by itself.")
    said.append("The 95 % interval is that of the bootstrap: samples drawn anew, with replacement.")
    return " ".join(said)


def _colocalization(test: PeakColocalization) -> str:
    among = (
        f"those that any antigen of the data set binds (peaks up to {GAP_BP} bp apart are one region)"
        if test.universe == "peaks"
        else "ENCODE’s candidate cis-regulatory elements"
    )
    strata = (
        f", and promoters (within {test.promoter_bp:,} bp of a transcription start) only with promoters"
        if test.promoter_bp
        else ""
    )
    lone = (
        ""
        if test.counts_lone_regions
        else f" Regions that no other antigen binds are left out: they are regions only because {test.query} or "
        f"{test.partner} binds them."
    )
    peaks = (
        f" Of every experiment the {test.top_peaks:,} strongest peaks count."
        if test.top_peaks is not None
        else ""
    )
    return (
        f"Odds ratio (Mantel and Haenszel): 2 means that the odds of {test.partner} are twice as high where "
        f"{test.query} binds as where it does not; 1 means no relation. Open regions are bound by most factors, so that regions are "
        f"compared only with those that as many other antigens bind ({_occupancy()}; {test.query} and {test.partner} do "
        f"not count){strata}. Regions are {among}.{lone}{peaks} Every other antigen is compared with {test.query} in the same way. "
        f"The p of a row is one-sided, of {SHIFTS:,} circular shifts of {test.query} along the regions."
    )


def _bound_and_deregulated(test: BoundAndDeregulated) -> str:
    near = f"with a peak of {test.query} within {test.window_bp:,} bp of a transcription start"
    verb = test.response.removesuffix("s")
    if test.method == "prerank":
        return (
            f"Normalised enrichment score of the genes {near} in the ranking of all {BIOTYPE.replace('_', '-')} genes by "
            "their response: below 0 when they stand among those that fall, above 0 among those that rise. It has no "
            "interval, and is shown only."
        )
    rather = f" rather than {'rise' if verb == 'fall' else 'fall'}" if test.among == "responding" else ""
    said = [
        f"Odds ratio ({'Mantel and Haenszel' if test.method == 'strata' else 'Fisher’s exact test'}): 2 means that the "
        f"odds to {verb}{rather} are twice as high for genes {near} as for other {BIOTYPE.replace('_', '-')} genes; 1 "
        "means no relation."
    ]
    if rather:
        said.append("Only genes that fall or rise count.")
    if test.method == "strata":
        said.append(
            "Bound genes are expressed genes with busy promoters, and expressed genes are those whose change can be seen. "
            f"Genes are therefore compared only with those that are as strongly expressed in the control group ({LEVELS} "
            f"classes of equal size) and that as many peaks of other antigens are near ({_occupancy()})."
        )
    else:
        said.append("Nothing is adjusted for: expressed genes are bound, and seen to change, more often.")
    said.append(
        f"A gene responds when its q-value is below {test.max_q:g}. Interval and p take genes as independent, though "
        "neighbours share peaks and genes of a pathway respond together."
    )
    return " ".join(said)


def _target_genes(test: TargetGenes) -> str:
    partners = listing(test.partner, "or")
    peak = f"a peak of {test.query}" + (f" that shares a base with one of {partners}" if test.partner else "")
    alike = ["expression"] if "expression" in test.with_ else []
    alike.append(
        f"the number of peaks of {test.query} in the window, among genes that it binds"
        if test.partner
        else "the number of peaks of all other antigens in the window"
    )
    unbound = (
        f" A named gene that {test.query} does not bind counts as one without such a peak."
        if test.partner
        else ""
    )
    return (
        f"Odds ratio: 2 means that the odds of {peak} within {test.window_bp:,} bp of a transcription start are twice as "
        f"high for the named genes as for comparable ones; 1 means no difference. Each gene is held against the {COMPARABLE} "
        f"genes of the same kind that are most like it in {listing(alike)}; genes up to {DISTAL_BP // 1000} kb apart "
        f"share their surroundings and are held against neighbours.{unbound} Interval and p are exact: those of all sets of "
        "comparable genes. The p of a row is one-sided, as claimed."
    )


def _occupancy() -> str:
    """The strata of occupancy: `0, 1, 2 to 3 ... or 41 and more`."""
    starts = [0, *OCCUPANCY_FROM]
    ends = [start - 1 for start in OCCUPANCY_FROM]
    bins = [
        f"{first}" if first == last else f"{first} to {last}"
        for first, last in zip(starts, ends, strict=False)
    ]
    return listing([*bins, f"{starts[-1]} and more"], "or")


def _survival(test: Survival, sets: Sets) -> str:
    said = []
    if test.feature:
        values = "log2 value" if test.feature.gene else "mean log2 value"
        said.append(
            f"Hazard ratio per standard deviation of the {values} of {feature_in_words(test.feature)} (Cox’s "
            "proportional hazards): 2 means that, at any time, the event strikes those still without it twice as often "
            "when they have one standard deviation more; 1 means no relation."
        )
        said += _sets_in_words(
            [test.feature.gene_set] if isinstance(test.feature.gene_set, str) else [], sets
        )
    elif test.contrast:
        said.append(
            "Hazard ratio of case to control (Cox’s proportional hazards): 2 means that, at any time, the event strikes "
            "those still without it twice as often in the case group; 1 means no difference."
        )
    if test.covariates:
        said.append(
            f"Adjusted for {listing(test.covariates)}, in patients who have {_all_of(test.covariates)}."
        )
    if test.from_years:
        said.append(
            f"Only what happens after {test.from_years:g} years counts, among those still under observation then."
        )
    if test.horizon_years:
        said.append(f"Follow-up is cut at {test.horizon_years:g} years: what happens later does not count.")
    return " ".join(said)


def _all_of(covariates: Sequence[str]) -> str:
    return "it" if len(covariates) == 1 else "both" if len(covariates) == 2 else "all of them"


def feature_in_words(feature: GeneFeature) -> str:
    """The gene, or the set by its name or its members."""
    if feature.gene:
        return feature.gene
    return feature.gene_set if isinstance(feature.gene_set, str) else listing(feature.gene_set or [])


def groups_in_words(contrast: Contrast) -> str:
    """Case against control."""
    return f"{describe(contrast.case)} against {describe(contrast.control)}"


def _sets_in_words(names: Sequence[str], sets: Sets) -> list[str]:
    """What stands behind the name of a set."""
    said = []
    for name in dict.fromkeys(names):
        one = sets.get(name)
        if isinstance(one, LibrarySet):
            said.append(f"{name} is the set {one.set} of {one.library}.")
        elif one:
            more = len(one) - LONGEST_SET
            members = list(one) if more <= 0 else [*one[:LONGEST_SET], f"{more} more"]
            said.append(f"{name} is {listing(members)}.")
    return said


def endpoint_name(test: Survival | EventShare) -> str:
    """A name for titles: that of the data sets, or the column of the event."""
    if isinstance(test.endpoint, Endpoint):
        return test.endpoint.event
    return test.endpoint.replace("_", " ")


def endpoint_in_words(endpoint: Endpoint) -> str:
    """Such as `event: STATUS is dead; nothing so far: alive (any other value is left out); time: DAYS, in days`."""
    parts = [f"event: {endpoint.event} is {listing(endpoint.event_values, 'or')}"]
    if endpoint.competing_values:
        parts.append(f"ruled out by {listing(endpoint.competing_values, 'or')}, which compete with it")
    if endpoint.censored_values:
        parts.append(
            f"nothing so far: {listing(endpoint.censored_values, 'or')} (any other value is left out)"
        )
    else:
        parts.append("any other value means nothing so far")
    parts.append(f"time: {endpoint.time}, in {endpoint.time_unit}")
    return "; ".join(parts)


def endpoint_by_dataset(test: ClaimTest, datasets: Mapping[str, Dataset]) -> str:
    """How the endpoint of a test is read from the columns of its data sets; empty for a test without one."""
    if not isinstance(test, Survival | EventShare):
        return ""
    if isinstance(test.endpoint, Endpoint):
        return endpoint_in_words(test.endpoint)
    by_words: dict[str, list[str]] = {}
    for name in test.datasets:
        dataset = datasets[name]
        known = dataset.endpoints if isinstance(dataset, ExpressionKeys) else {}
        words = endpoint_in_words(known[test.endpoint]) if test.endpoint in known else "not described"
        by_words.setdefault(words, []).append(name)
    described = [f"{listing(names)}: {words}" for words, names in by_words.items()]
    return f"{endpoint_name(test)}. {'. '.join(described)}"
