"""The rule of a claim about regions, on swapped experiments and on moved queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reclaim.calibration.frames import Material
from reclaim.calibration.rates import exact_rate, null_distribution, only, repeated
from reclaim.calibration.record import ClaimCalibration, Percentile, Rate
from reclaim.calibration.region_nulls import (
    Alike,
    Nulls,
    alike_partners,
    comparable_subjects,
    draws_of_chance,
)
from reclaim.calibration.unswapped import CALIBRATED_RULES, RegionTest, rule_of, subject_of
from reclaim.claim_tests import PeakColocalization, TargetGenes
from reclaim.comparators import comparators_of
from reclaim.decisions import Bound, Conjunction, LookupDecision, Specific
from reclaim.evidence import EvidenceRow
from reclaim.judging import (
    Comparators,
    JudgedClaim,
    claimed_sign,
    decision_for,
    in_natural_sign,
    judge,
    judge_estimates,
)
from reclaim.rules import MIN_COMPARATORS, Judgement, judge_conjunction, judge_specific


@dataclass(frozen=True)
class _Part:
    """A primary test with its valid rows, what it is ranked among, and its nulls."""

    test: RegionTest
    rows: list[EvidenceRow]
    comparators: Comparators
    swapped: Nulls
    shifted: Nulls


@dataclass(frozen=True)
class _Swap:
    """One part with its subject swapped, as the rule judges it; `alike`: which of the nulls follow busy regions as the
    subject does."""

    part: _Part
    judgement: Judgement
    alike: Alike | None

    @property
    def all_others(self) -> Rate:
        return exact_rate(self.judgement)

    @property
    def like_it(self) -> Rate | None:
        if self.alike is None or self.alike.which.sum() < MIN_COMPARATORS:
            return None
        return exact_rate(only(self.judgement, self.alike.which))

    @property
    def rate(self) -> Rate:
        """The larger of the two."""
        rates = [self.all_others, *filter(None, [self.like_it])]
        return max(rates, key=lambda one: one.share)

    @property
    def gap(self) -> str:
        """Empty, or how few of the nulls follow busy regions as the subject does."""
        if self.alike is None or self.like_it is not None:
            return ""
        return (
            f"{self.alike.which.sum()} of {len(self.alike.which)} other antigens follow busy regions as "
            f"{subject_of(self.part.test)} does, {MIN_COMPARATORS} are needed"
        )

    def told(self, several: bool) -> dict[str, object]:
        """What the record says of it."""
        found: dict[str, object] = {
            "background_rate": self.rate,
            "swapped": subject_of(self.part.test) if several else "",
            "nulls": "sets of genes" if isinstance(self.part.test, TargetGenes) else "experiments",
            "relations_gap": "peaks have no samples over which nulls could correlate",
        }
        if self.alike is None:
            return found
        found |= {"matched": self.all_others, "balance": [self.alike.balance]}
        if self.like_it is not None:
            return found | {"matched_on_loadings": self.like_it, "loadings": [self.alike.balance.name]}
        return found | {"background_rate": None, "background_gap": self.gap, "loadings_gap": self.gap}


class RegionCalibration:
    """One claim whose primary tests look at regions."""

    def __init__(self, material: Material, judged: JudgedClaim) -> None:
        self.material, self.judged, self.claim = material, judged, judged.claim
        assert self.claim.decision is not None
        self.decision = self.claim.decision

    def record(self, base: ClaimCalibration) -> ClaimCalibration:
        """`base` with the rates. Each subject of a conjunction is swapped in turn while the others stay, and the largest
        rate counts."""
        parts = self._parts()
        if not parts or not all(part.rows for part in parts):
            gap = "no primary test is valid"
            return base.model_copy(update={"null_gap": gap, "background_gap": gap})
        found: dict[str, object] = {}
        shifted = swapped = None
        if gap := _gap([part.shifted for part in parts]):
            found["null_gap"] = gap
        else:
            shifted = self._on({part.test.id: self._chance(part) for part in parts})
            found["null_rate"] = exact_rate(shifted)
        if gap := _gap([part.swapped for part in parts]):
            found["background_gap"] = gap
        else:
            swaps = [self._swap(part, parts) for part in parts]
            most = max(swaps, key=lambda one: one.rate.share)
            chosen = next((one for one in swaps if one.gap), most)
            swapped = chosen.judgement
            found |= chosen.told(several=len(parts) > 1)
        if not isinstance(self.decision, Conjunction):
            found["distribution"] = null_distribution(
                parts[0].rows[0].effect_name,
                float(self.judged.judgement.effect[0]),
                self._effects(parts[0], swapped),
                self._effects(parts[0], shifted),
            )
        return base.model_copy(update=found)

    def percentiles(self) -> list[Percentile]:
        """Of every valid row, gates left out: where its effect stands among those of comparable subjects."""
        found = []
        for test in self.claim.tests:
            if test.role == "gate" or not isinstance(test, RegionTest):
                continue
            for row in self._valid(test.id):
                nulls = comparable_subjects(self.material, test, [row])
                if nulls.estimates is None or row.effect is None:
                    continue
                sign = claimed_sign(row)
                others = sign * nulls.estimates.effect[0]
                others = others[np.isfinite(others)]
                share = (1 + int((others >= sign * row.effect).sum())) / (len(others) + 1)
                found.append(
                    Percentile(
                        test=test.id,
                        dataset=row.dataset,
                        stratum=row.stratum,
                        null_percentile=float(f"{share:.6g}"),
                    )
                )
        return found

    def _valid(self, test: str) -> list[EvidenceRow]:
        return [
            row
            for row in self.judged.evidence
            if row.test == test and row.outcome != "invalid" and row.effect is not None
        ]

    def _parts(self) -> list[_Part]:
        parts = []
        for test in self.claim.tests:
            if test.role != "primary" or rule_of(self.claim, test) not in CALIBRATED_RULES:
                continue
            assert isinstance(test, RegionTest)
            rows = self._valid(test.id)
            if not rows:
                parts.append(_Part(test, [], {}, Nulls(None), Nulls(None)))
                continue
            nulls = (make(self.material, test, rows) for make in (comparable_subjects, draws_of_chance))
            parts.append(_Part(test, rows, self._comparators(test, rows), *nulls))
        return parts

    def _comparators(self, test: RegionTest, rows: list[EvidenceRow]) -> Comparators:
        if not isinstance(test, PeakColocalization):
            return {}
        keys = [f"{test.id}/{row.dataset}" for row in rows]
        return comparators_of({key: self.material.tables(key) for key in keys})[test.id]

    def _swap(self, part: _Part, parts: list[_Part]) -> _Swap:
        judgement = self._with_swapped(part, parts)
        alike = None
        if isinstance(part.test, PeakColocalization):
            alike = alike_partners(self.material, part.test, part.rows, part.swapped.names)
        return _Swap(part, judgement, alike)

    def _on(self, judged: Mapping[str, Judgement]) -> Judgement:
        if isinstance(self.decision, Conjunction):
            return judge_conjunction([judged[test] for test in self.decision.parts])
        return next(iter(judged.values()))

    def _chance(self, part: _Part) -> Judgement:
        """The margin on every draw. That a partner also ranks high is not asked for: this can only raise the rate."""
        return self._by_margin(part, part.shifted)

    def _with_swapped(self, part: _Part, parts: list[_Part]) -> Judgement:
        """The claim's rule with every null in the place of this part's subject; the other parts stay."""
        judged = {part.test.id: self._by_margin(part, part.swapped)}
        rule = decision_for(self.claim, part.test.id)
        names = part.swapped.names
        if isinstance(rule, Specific) and isinstance(part.test, PeakColocalization):
            others = {name: effect for name, effect in part.comparators.items() if name != part.test.query}
            effects = claimed_sign(part.rows[0]) * np.array(list(others.values()), float)
            ranked = np.repeat(effects[:, None], len(names), axis=1)
            for column, name in enumerate(names):
                ranked[list(others).index(name), column] = np.nan  # no comparator of itself
            none = np.zeros(len(effects), bool)
            judged[part.test.id] = judge_specific(judged[part.test.id], ranked, none)
        for other in parts:
            if other is not part:
                own = judge(
                    self.claim,
                    other.test.id,
                    other.rows,
                    self.material.seed,
                    comparators=other.comparators,
                )
                judged[other.test.id] = repeated(own, part.swapped.n)
        return self._on(judged)

    def _by_margin(self, part: _Part, nulls: Nulls) -> Judgement:
        rule = decision_for(self.claim, part.test.id)
        assert nulls.estimates is not None
        assert not isinstance(rule, Bound | LookupDecision)
        return judge_estimates(rule, part.rows, nulls.estimates, self.material.seed, single=True)

    def _effects(self, part: _Part, judgement: Judgement | None) -> NDArray[np.float64]:
        if judgement is None:
            return np.empty(0)
        turned = in_natural_sign(self.claim, judgement, part.test.id, part.rows)
        return np.asarray(turned.effect[np.isfinite(turned.effect)])


def _gap(nulls: list[Nulls]) -> str:
    return next((one.gap for one in nulls if one.estimates is None), "")
