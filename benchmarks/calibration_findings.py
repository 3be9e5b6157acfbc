"""What docs/calibration.md says of its main table, in words; all numbers are taken from the results."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from calibration_results import (
    LIMIT,
    WORLDS,
    Count,
    Found,
    agrees,
    base_rate,
    count,
    holds,
    is_contradicted,
    supported,
    too_often,
)

from reclaim.decisions import Equivalence
from reclaim.margins import MARGIN
from reclaim.pooling import TAU_SCALE, pool_effects
from reclaim.study import Claim

ENOUGH_POWER = 0.8


def findings(rules: Sequence[Claim], of: Found) -> str:
    """What the table shows, in words; all numbers are taken from it."""
    parts = [
        _without_effect(rules, of),
        _with_nuisance(rules, of),
        power(rules, of),
        _too_few_cohorts(rules),
        _contradicted(rules, of),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _without_effect(rules: Sequence[Claim], of: Found) -> str:
    false = {claim.id: count(of["no_effect", claim.id], supported) for claim in rules}
    never = [name for name, one in false.items() if not one.k]
    seeds = max(one.n for one in false.values())
    limit = percent(Count(0, seeds).interval[1], 1)
    text = f"**no_effect.** {len(never)} of {len(rules)} claims were supported in no seed"
    text += f", which leaves less than {limit} for each. " if never else ". "
    some = [f"{name} was in {one}" for name, one in false.items() if one.k]
    if some:
        text += f"{listed(some)}. "
    text += (
        "For bounds and equivalences the truth lies on the limit itself, where the 95 % interval of a single cohort errs "
        "on this side in 2.5 %. Those of several cohorts err less: the prior on how much cohorts differ makes them wide."
    )
    if any(too_often(claim, "no_effect", of) for claim in rules):
        allowed = max((k for k in range(seeds) if Count(k, seeds).interval[1] <= LIMIT), default=None)
        text += (
            f" With {seeds} seeds the interval stays below {percent(LIMIT)} when no more than {allowed} of them err."
            if allowed is not None
            else f" {seeds} seeds are too few for any interval below {percent(LIMIT)}."
        )
    return text


def _with_nuisance(rules: Sequence[Claim], of: Found) -> str:
    false = {
        claim.id: count(of["confounded", claim.id], supported)
        for claim in rules
        if not holds(claim, "confounded")
    }
    some = [f"{name} in {one}" for name, one in false.items() if one.k]
    often = [name for name, one in false.items() if one.k > LIMIT * one.n]
    unsure = [name for name, one in false.items() if name not in often and one.interval[1] > LIMIT]
    text = f"**confounded.** {len(false) - len(some)} of {len(false)} claims were supported in no seed"
    text += f"; {listed(some)}. " if some else ". "
    if often:
        rates = [rate for name in often if (rate := base_rate(of["confounded", name])) is not None]
        told = f"medians {percent(min(rates), 1)} to {percent(max(rates), 1)}" if rates else "not computed"
        text += (
            f"For {listed(often)} this is more than {percent(LIMIT)}: the base rate among comparable genes ({told}) does not "
            "always reach its cap. "
        )
    if unsure:
        text += (
            f"For {listed(unsure)} the share itself is below {percent(LIMIT)}, and the upper end of its interval is not: more "
            "seeds would tell. "
        )
    if not often and not unsure:
        text += f"All intervals end below {percent(LIMIT)}. "
    return text + SEEN_BY_BASE_RATE


SEEN_BY_BASE_RATE = (
    "A nuisance goes with the case group: permuted labels cannot show it, and the interval is right about a difference that "
    "is in the data. Only the base rate among comparable genes tells, and only because genes are matched on their loading on "
    "the difference between the arms: among random genes the nuisance is too rare, and no random set has all its members "
    "moved by it."
)


def power(rules: Sequence[Claim], of: Found) -> str:
    """How many claims are supported where they are true, and why the others are not."""
    found = {claim.id: count(of["as_claimed", claim.id], supported) for claim in rules}
    weak = [name for name, one in found.items() if one.k < ENOUGH_POWER * one.n]
    text = f"**as_claimed.** {len(rules) - len(weak)} of {len(rules)} claims were supported in {percent(ENOUGH_POWER)} of the seeds or more."
    if weak:
        text += " The others, with the reason that most seeds give:\n"
    for name in weak:
        here = [one for one in of["as_claimed", name] if not supported(one)]
        held = [one for one in here if agrees(one)] or here
        reasons = Counter(re.sub(r"\d[\d.e-]*", "#", one.reason) for one in held)
        usual = reasons.most_common(1)[0][0]
        shown = next(one for one in held if re.sub(r"\d[\d.e-]*", "#", one.reason) == usual)
        text += f'\n- {name}: {found[name]}. "{shown.reason.removeprefix("SIMULATED data: ")}" (seed {shown.seed})'
    return text


def _too_few_cohorts(rules: Sequence[Claim]) -> str:
    few = [
        claim.id
        for claim in rules
        if isinstance(claim.decision, Equivalence) and any(len(test.datasets) == 2 for test in claim.tests)
    ]
    if not few:
        return ""
    name = "set_log2_fold_change"
    ends = pool_effects(np.zeros((2, 1)), np.full((2, 1), 1e-3), TAU_SCALE[name])
    return (
        f"Two cohorts, however large, cannot show an equivalence of sets ({listed(few)}). They say little about how much "
        f"cohorts differ, so that the interval of their mean reaches {float(ends.ci_high[0]):.2f} to either side even without "
        f"any error of their own, and the margin is {MARGIN[name]:g}. Five cohorts can."
    )


def _contradicted(rules: Sequence[Claim], of: Found) -> str:
    """In none of these worlds is the opposite of a claim true."""
    found = []
    for world in WORLDS:
        wrong = {claim.id: count(of[world, claim.id], is_contradicted) for claim in rules}
        named = [f"{name} in {one}" for name, one in wrong.items() if one.k]
        found.append(f"in {world} {listed(named) if named else 'no claim'}")
    text = f"**Contradicted**, which would be wrong in all three worlds, was {listed(found)}."
    if any(map(is_contradicted, (one for claim in rules for one in of["confounded", claim.id]))):
        text += (
            " The nuisance raises genes, so that it speaks against claims of a fall or of no difference as loudly as it "
            "speaks for claims of a rise. Calibration caps agreement only: nothing asks how many comparable genes are opposite "
            "too. Read a `contradicted` with the base rate in mind."
        )
    return text


def percent(share: float, digits: int = 0) -> str:
    """A share as percentage."""
    return f"{100 * share:.{digits}f} %"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
