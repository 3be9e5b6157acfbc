"""The page docs/calibration_peaks.md: how often rules on peaks are wrong, and how often right.

All numbers are taken from the simulator and from the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calibration_findings import listed, percent, power
from calibration_pieces import described, introduction, rates
from calibration_results import (
    LIMIT,
    PEAKS,
    PEAKS_WITHOUT_EFFECT,
    Found,
    Result,
    agrees,
    base_rate,
    better_than_inconclusive,
    by_world_and_claim,
    count,
    is_contradicted,
    plan_of,
    supported,
    without_estimate,
)

from reclaim.decisions import Specific
from reclaim.simulate.binding import CONFOUNDED_OPENNESS, OPENNESS, PARTNER, REGION_SPREAD, RESPONSE
from reclaim.simulate.effects import NUISANCE_EFFECT, NUISANCE_SHARE, RESPONSE_EFFECT, RESPONSE_SHARE
from reclaim.study import Claim

TITLE = "How often rules on peaks are wrong, and how often right"
LINK = "Claims on expression and on mutations: [calibration.md](calibration.md).\n"


def peaks_page(results: Sequence[Result]) -> str:
    """docs/calibration_peaks.md."""
    seeds = sorted({one.seed for one in results})
    known = {one.claim for one in results}
    (study,) = plan_of(PEAKS).studies.values()
    claims = [claim for claim in study.claims if claim.id in known]
    of = by_world_and_claim(results)
    parts = [
        introduction(TITLE, PEAKS, "one per analysis of\npeaks", _worlds(), seeds, " --peaks") + LINK,
        f"## Each rule\n\n{described(claims)}\n{rates(claims, of, PEAKS_WITHOUT_EFFECT)}",
        f"## What was found\n\n{peaks_findings(claims, of)}",
    ]
    return "\n".join(parts)


def _worlds() -> dict[str, str]:
    return {
        "no_effect": f"""\
factors follow open regions only: openness moves the log odds of being bound with a standard deviation
  of {REGION_SPREAD:g} over regions, alike for all factors. In the case group of the series {percent(RESPONSE_SHARE)} of all genes fall and as
  many rise, by {RESPONSE_EFFECT:g} (log2): here, and in all other worlds, for what differs is which genes are bound.""",
        "confounded": f"""\
as no_effect, but the factors that a claim names follow open regions {OPENNESS["confounded"]:g} times as strongly as
  others do, and promoters of the genes that a claim is about are more open by {CONFOUNDED_OPENNESS:g} (log odds). A nuisance such as
  purity raises {percent(NUISANCE_SHARE)} of all genes in the case group by {NUISANCE_EFFECT:g}, and all that respond, so that few are seen to fall.""",
        "reversed": f"""\
the opposite of every claim is true. A partner avoids its query (log odds ratio {PARTNER["reversed"]:g} beyond openness),
  the named genes are not bound, and genes that fall are avoided ({RESPONSE["reversed"]:g}).""",
        "as_claimed": f"""\
every claim is true. A partner follows its query (log odds ratio {PARTNER["as_claimed"]:g} beyond openness), every named
  gene is bound, and genes that fall are preferred ({RESPONSE["as_claimed"]:g}).""",
    }


def peaks_findings(claims: Sequence[Claim], of: Found) -> str:
    """What the table shows, in words."""
    parts = [
        _false_support(claims, of),
        _in_confounded(claims, of),
        power(claims, of),
        _at_best_consistent(claims, of),
        _contradicted(claims, of),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _false_support(claims: Sequence[Claim], of: Found) -> str:
    told = [
        f"in {world} {_named(claims, world, of, supported, 'no claim')}" for world in PEAKS_WITHOUT_EFFECT
    ]
    return f"**Supported**, which is wrong in all worlds but as_claimed, was {listed(told)}."


def _in_confounded(claims: Sequence[Claim], of: Found) -> str:
    """Open regions are to claims on peaks what a nuisance is to those on expression."""
    text = "**confounded.** "
    for claim in claims:
        here = of["confounded", claim.id]
        rate, missing = base_rate(here), count(here, without_estimate)
        text += f"The rule of {claim.id} agrees in {count(here, agrees)}"
        text += "" if rate is None else f" (where it does, the median base rate is {percent(rate, 1)})"
        text += f"; it had no estimate in {missing}. " if missing.k else ". "
    often = [claim.id for claim in claims if isinstance(claim.decision, Specific) and _often(claim, of)]
    if often:
        text += (
            f"{listed(often)}, supported in more than {percent(LIMIT)}: how many factors bind a region tells how open it is only "
            "roughly, and within a stratum the more open regions are still those where query and partner meet. Neither the rank "
            "nor the base rate shows it, for the other factors follow open regions less. Nor do shifts along the chromosomes. "
            "Read `supported` of such a claim as: more than factors that follow open regions as most do."
        )
    return text.rstrip()


def _often(claim: Claim, of: Found) -> bool:
    false = count(of["confounded", claim.id], supported)
    return false.k > LIMIT * false.n


def _at_best_consistent(claims: Sequence[Claim], of: Found) -> str:
    """Of claims that nothing supports even where they are true, how often they are consistent where they are not."""
    capped = [
        claim
        for claim in claims
        if not count(of["as_claimed", claim.id], supported).k
        and count(of["as_claimed", claim.id], better_than_inconclusive).k
    ]
    if not capped:
        return ""
    told = [
        f"in {world} {_named(capped, world, of, better_than_inconclusive, 'none of them')}"
        for world in PEAKS_WITHOUT_EFFECT
    ]
    names = listed([claim.id for claim in capped])
    return f"**Consistent at best**: {names}. Where they are wrong, consistent was {listed(told)}."


def _contradicted(claims: Sequence[Claim], of: Found) -> str:
    *others, last = (
        f"in {world} {_named(claims, world, of, is_contradicted, 'no claim')}"
        for world in ("no_effect", "confounded", "as_claimed", "reversed")
    )
    return f"**Contradicted**, which is right in reversed alone, was {listed(others)}; {last}."


def _named(
    claims: Sequence[Claim], world: str, of: Found, meets: Callable[[Result], bool], nobody: str
) -> str:
    """Claims that meet a condition in any seed of a world, and in how many."""
    counts = {claim.id: count(of[world, claim.id], meets) for claim in claims}
    return listed([f"{name} in {one}" for name, one in counts.items() if one.k] or [nobody])
