"""The page docs/calibration.md: how often each rule is wrong, and how often right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from calibration_findings import findings, percent
from calibration_pieces import described, introduction, rates, rule_words, table
from calibration_results import (
    BATCH,
    RULES,
    SHUFFLED,
    TREX1,
    UNPLANTED,
    WITHOUT_EFFECT,
    WORLDS,
    Found,
    Result,
    agrees,
    base_rate,
    by_world_and_claim,
    count,
    plan_of,
    supported,
)

from reclaim.claim_row import VERDICTS
from reclaim.simulate.effects import (
    EFFECT,
    EQUIVALENCE_EFFECT,
    NUISANCE_EFFECT,
    NUISANCE_SHARE,
    NUISANCE_SPREAD,
)
from reclaim.simulate.truth import LOW_CONTENT, ODDS_RATIO, SHARE
from reclaim.study import Claim

TITLE = "How often each rule is wrong, and how often right"
LINK = "Claims on peaks have a page of their own: [calibration_peaks.md](calibration_peaks.md).\n"


def page(results: Sequence[Result]) -> str:
    """docs/calibration.md."""
    seeds = sorted({one.seed for one in results})
    known = {one.claim for one in results}
    (study,) = plan_of(RULES).studies.values()
    claims = [claim for claim in study.claims if claim.id in known]
    rules = [claim for claim in claims if claim.id not in UNPLANTED]
    of = by_world_and_claim(results)
    claims_in_words = "one per decision rule and\nkind of data"
    parts = [introduction(TITLE, RULES, claims_in_words, _worlds(), seeds) + LINK]
    if rules:
        parts += [
            f"## Each rule\n\n{described(rules)}\n{rates(rules, of, WITHOUT_EFFECT)}",
            f"## What was found\n\n{findings(rules, of)}",
            f"## Base rates, and all claims together\n\n{_beside(claims, of)}",
        ]
    parts += [f"## Housekeeping genes\n\n{_housekeeping(of, name)}" for name in UNPLANTED if name in known]
    if any(one.world == BATCH for one in results):
        parts.append(f"## A nuisance that is the arm\n\n{_batch(claims, of)}")
    if any(one.world == SHUFFLED for one in results):
        parts.append(f"## Shuffled labels\n\n{_shuffled_labels(of)}")
    return "\n".join(parts)


def _worlds() -> dict[str, str]:
    return {
        "no_effect": f"""\
nothing is there. For a bound the truth lies on it ({percent(SHARE["rare"]["no_effect"])} for rare,
  {percent(SHARE["nearly_all"]["no_effect"])} for nearly all); for an equivalence the effect is {EQUIVALENCE_EFFECT["no_effect"]:g},
  as large as a set's margin.""",
        "confounded": f"""\
as no_effect, but a nuisance such as purity raises {percent(NUISANCE_SHARE)} of all genes in the case
  group by {NUISANCE_EFFECT:g} (log2, by a quarter more or less), the same ones in every cohort, and every gene that a claim is
  about. Within an arm it varies with a standard deviation of {NUISANCE_SPREAD:g} times that. Low tumour content hides most mutations of
  {percent(LOW_CONTENT["confounded"])} of the patients. For an equivalence the effect is {EQUIVALENCE_EFFECT["confounded"]:g}, hidden by the nuisance.""",
        "as_claimed": f"""\
every claim is true. The log2 fold change is {EFFECT["as_claimed"]:g}, {1.5 * EFFECT["as_claimed"]:g} where the claim
  says marked and {EQUIVALENCE_EFFECT["as_claimed"]:g} for an equivalence; shares are {percent(SHARE["rare"]["as_claimed"], 1)} and
  {percent(SHARE["nearly_all"]["as_claimed"])}; the odds ratio is {ODDS_RATIO["as_claimed"]:g}.""",
    }


def _beside(claims: Sequence[Claim], of: Found) -> str:
    rows = []
    for claim in claims:
        rates = [base_rate(of[world, claim.id]) for world in WORLDS]
        together = [count(of[world, claim.id], lambda one: one.in_company == "supported") for world in WORLDS]
        rows.append([claim.id, *("" if rate is None else percent(rate, 1) for rate in rates), *together])
    header = [f"{world}: {what}" for what in ("base rate", "supported") for world in WORLDS]
    return (
        "First the share of comparable genes or sets on which the rule agrees as well (`background_rate`; the median over "
        "the seeds in which it agrees on the claim itself). Then how often a claim is supported when all "
        f"{len(claims)} stand in one study and Holm's correction counts them all.\n\n"
        + table(["claim", *header], rows)
    )


def _housekeeping(of: Found, name: str) -> str:
    rows = []
    for world in WORLDS:
        here = of[world, name]
        by_verdict = Counter(one.verdict for one in here)
        others = [f"{by_verdict[verdict]} {verdict}" for verdict in VERDICTS if by_verdict[verdict]]
        rows.append([world, count(here, agrees), count(here, supported), ", ".join(others)])
    rate = base_rate(of["confounded", name])
    return (
        "A claim that eleven housekeeping genes as a set are higher in case than in control, in two cohorts. Nothing is "
        "planted for it in any world: its genes are like those that no claim is about, so that in confounded each of them has "
        f"the chance of any other gene to be raised, {percent(NUISANCE_SHARE)}. It should be supported in no world.\n\n"
        + table(["world", "rule agrees", "supported", "verdicts"], rows)
        + (
            f"\nWhere the rule agrees in confounded, comparable sets pass as well: {percent(rate)} of them (median).\n"
            if rate is not None
            else ""
        )
    )


def _batch(claims: Sequence[Claim], of: Found) -> str:
    rows = []
    for claim in claims:
        here = of.get((BATCH, claim.id))
        if here:
            rate = base_rate(here)
            rows.append(
                (
                    claim.id,
                    count(here, agrees),
                    "" if rate is None else percent(rate, 1),
                    count(here, supported),
                )
            )
    return (
        "As confounded, but the nuisance is the same in all samples of an arm, as when each arm is a batch of its own. Nothing "
        "within the arms shows it then, so that no matching on the data can. What remains is how many of all genes it moves: "
        "where it moves many, the base rate caps; where it moves a set as a whole, and few others, it looks like the claim. "
        "Against that only the design helps: arms that share their batches. Data sets that name the project of each sample "
        "(`source_column`) are told apart from such ones, and case and control that never share a project decide nothing.\n\n"
        + table(("claim", "rule agrees", "base rate (median)", "supported"), rows)
    )


def _shuffled_labels(of: Found) -> str:
    (study,) = plan_of(TREX1).studies.values()
    claims = [claim for claim in study.claims if (SHUFFLED, claim.id) in of]
    rows = []
    for claim in claims:
        here = of[SHUFFLED, claim.id]
        true, mixed = ([one for one in here if bool(one.kept) is kept] for kept in (True, False))
        some = [count(part, agrees) for part in (here, true, mixed)]
        rows.append([claim.id, rule_words(claim), *some, count(here, supported)])
    header = [
        "claim",
        "rule",
        "rule agrees",
        "where a data set kept its labels",
        "where none did",
        "supported",
    ]
    return (
        "The study [trex1_sting](../seeds/trex1_sting.yaml) in as_claimed, with the labels of its samples (drug or none, tumour "
        "or normal tissue) dealt out anew within each data set and stratum. Its primary tests and gates are run.\n\n"
        + table(header, rows)
        + "\n"
        + SHUFFLED_FINDING
    )


SHUFFLED_FINDING = """\
Supported cannot come out here, shuffled or not: T1, T2, T5 and T6 rest on lines with two or three samples per arm, whose
labels are too few to be permuted, and T3 on strata of one data set. What tells is how often the rule agrees. Two against
two can be dealt out in 6 ways, three against three in 20, and one of these is the true one, so that in 25 % of the seeds
at least one of the three lines keeps its labels. There the effect is truly in the data. It decides T1 the more, since its
gate (CXCL10 must rise) voids the lines whose labels were mixed. This is why permutation needs five samples per arm, and why
claims without it are consistent at best. T3 has 20 against 12 in each of 16 strata.
"""
