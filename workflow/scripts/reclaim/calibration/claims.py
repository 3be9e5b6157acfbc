"""The rule of every claim, run on permuted labels and on matched subjects.

Only the subject is swapped: gates, labels and cohorts stay as they are, and the judging is that of the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reclaim.calibration.arrangements import PERMUTATIONS
from reclaim.calibration.frames import Frame, Material, frames_of
from reclaim.calibration.markers import ARMS, PURITY, SCORES
from reclaim.calibration.matching import LOADING
from reclaim.calibration.modules import MIN_DEGREES, TOGETHER, rate_over_modules
from reclaim.calibration.rates import SHARE_OF_STRATA, exact_rate, null_distribution, repeated
from reclaim.calibration.record import (
    ClaimCalibration,
    NullDistribution,
    Percentile,
    Rate,
    StudyCalibration,
)
from reclaim.calibration.region_claims import RegionCalibration
from reclaim.calibration.subjects import Nulls, Subject, estimates, why_not_permutable_at
from reclaim.calibration.unswapped import (
    CALIBRATED_RULES,
    REGION_TESTS,
    SWAPPED_TESTS,
    SwappedTest,
    rule_of,
    without_nulls,
)
from reclaim.decisions import Bound, Conjunction, Prevalence
from reclaim.evidence import EvidenceRow
from reclaim.judging import (
    Estimates,
    JudgedClaim,
    claimed_sign,
    decision_for,
    gate_results,
    in_natural_sign,
    judge,
    judge_claim,
    judge_estimates,
)
from reclaim.rules import Judgement, judge_conjunction

NO_SUBJECT = "the claim is about a group of patients: there is no gene to swap"


def calibrate_study(material: Material, rows: Sequence[EvidenceRow]) -> StudyCalibration:
    """Calibration of all tested claims; `rows` is the study's evidence, before assessment."""
    study = material.study
    gates = gate_results(study, rows)
    claims, percentiles = [], []
    for claim in study.claims:
        if claim.decision is None:
            continue
        judged = judge_claim(claim, [row for row in rows if row.claim == claim.id], gates, material.seed, {})
        one = _Calibration(material, judged)
        of_regions = RegionCalibration(material, judged)
        base = without_nulls(claim)
        if base.not_calibrated or base.null_gap:
            claims.append(base)
        elif any(test.role == "primary" and isinstance(test, REGION_TESTS) for test in claim.tests):
            claims.append(of_regions.record(base))
        else:
            claims.append(one.record(base))
        percentiles += one.percentiles() + of_regions.percentiles()
    return StudyCalibration(study=study.id, claims=claims, percentiles=percentiles)


@dataclass(frozen=True)
class _Part:
    """A primary test with its valid rows and their frames."""

    test: SwappedTest
    rows: list[EvidenceRow]
    frames: list[Frame]


class _Calibration:
    """One claim."""

    def __init__(self, material: Material, judged: JudgedClaim) -> None:
        self.material, self.judged, self.claim = material, judged, judged.claim
        self._known: dict[tuple[str, ...], Subject] = {}
        assert self.claim.decision is not None
        self.decision = self.claim.decision

    def record(self, base: ClaimCalibration) -> ClaimCalibration:
        """`base` with the rates, and what they rest on."""
        tests = [test for test in self.claim.tests if test.role == "primary"]
        if any(rule_of(self.claim, test) in CALIBRATED_RULES and not self._valid(test.id) for test in tests):
            gap = "no primary test is valid"
            return base.model_copy(update={"null_gap": gap, "background_gap": gap})
        parts = []
        for test in tests:
            if rule_of(self.claim, test) in CALIBRATED_RULES:
                assert isinstance(test, SWAPPED_TESTS)
                rows = self._valid(test.id)
                parts.append(_Part(test, rows, frames_of(self.material, test, rows)))
        permuted, null_gap = self._permuted(parts)
        record = base.model_copy(update={"null_gap": null_gap})
        if permuted is not None:
            record = record.model_copy(update={"null_rate": exact_rate(permuted)})
        swapped, found = self._background(parts)
        record = record.model_copy(update=found)
        return record.model_copy(update={"distribution": self._distribution(parts, swapped, permuted)})

    def _valid(self, test: str) -> list[EvidenceRow]:
        return [
            row
            for row in self.judged.evidence
            if row.test == test and row.outcome != "invalid" and row.effect is not None
        ]

    # Labels

    def _permuted(self, parts: Sequence[_Part]) -> tuple[Judgement | None, str]:
        gap = why_not_permutable_at([frame for part in parts for frame in part.frames])
        if gap:
            return None, gap
        found = {part.test.id: estimates([frame.permuted() for frame in part.frames]) for part in parts}
        return self._judge(parts, found, PERMUTATIONS), ""

    # Subjects

    def _background(self, parts: Sequence[_Part]) -> tuple[Judgement | None, dict[str, object]]:
        """The rule on matched subjects, and what the record says of it. Where there are several subjects,
        the ends of a pair or those of a conjunction, each is swapped in turn, the others stay, and the largest rate
        counts."""
        swaps = self._swaps(parts)
        if not swaps:
            return None, {"no_background": NO_SUBJECT}
        gap = next(filter(None, (one.subject.gap() for one in swaps)), "")
        if gap:
            return None, {"background_gap": gap}
        basic = max((self._swapped(parts, one, loadings=False) for one in swaps), key=_share)
        found: dict[str, object] = {"matched": basic.rate}
        chosen = basic
        there = [set(one.subject.space.loadings) for one in swaps]
        names = [
            name for name in (PURITY, *SCORES, ARMS) if all(LOADING.format(name) in one for one in there)
        ]
        # Gene effects of knock-outs have neither purity nor markers.
        scored = any(frame.is_expression for part in parts for frame in part.frames)
        gaps = [f"no score of {name}" for name in (PURITY, *SCORES) if scored and name not in names]
        if ARMS not in names and any(frame.case.any() for part in parts for frame in part.frames):
            gaps.append(f"fewer than {MIN_DEGREES} residual degrees of freedom for that of {ARMS}")
        if gaps:
            found["loadings_gap"] = f"these data have {' and '.join(gaps)}"
        if names:
            further = max((self._swapped(parts, one, loadings=True) for one in swaps), key=_share)
            found |= {"matched_on_loadings": further.rate, "loadings": names}
            chosen = max(basic, further, key=_share)
        found |= {
            "background_rate": chosen.rate,
            "swapped": chosen.subject if len(swaps) > 1 else "",
            "uncorrelated": chosen.uncorrelated,
            "correlated": chosen.correlated,
            "modules": chosen.modules,
            "relations_gap": chosen.nulls.relations_gap,
            "balance": chosen.nulls.balance,
        }
        return chosen.judgement, found

    def _swaps(self, parts: Sequence[_Part]) -> list[_Swap]:
        """Every subject of the claim with the parts that are about it."""
        found: dict[tuple[int, tuple[str, ...]], list[_Part]] = {}
        for part in parts:
            for end, genes in enumerate(part.frames[0].ends):
                found.setdefault((end, genes), []).append(part)
        return [
            _Swap(
                self._subject(genes, [frame for part in own for frame in part.frames], end),
                [part.test.id for part in own],
            )
            for (end, genes), own in found.items()
        ]

    def _swapped(self, parts: Sequence[_Part], swap: _Swap, loadings: bool) -> _Swapped:
        """Parts about the subject swap it together; the others stay as they are."""
        nulls = swap.subject.nulls(loadings)
        found = {
            part.test.id: estimates([frame.numbers(nulls.names, swap.subject.end) for frame in part.frames])
            for part in parts
            if part.test.id in swap.tests
        }
        judgement = self._judge(parts, found, len(nulls.names))
        passes = judgement.outcome == "agrees"
        related = np.zeros(len(passes), bool) if nulls.rho is None else np.abs(nulls.rho) > TOGETHER
        uncorrelated = None
        if nulls.rho is not None and not related.all():
            weights = None if nulls.modules is None else nulls.modules[~related]
            if weights is not None:
                weights = weights[:, weights.any(axis=0)]
            uncorrelated = rate_over_modules(passes[~related], weights, self.material.seed)
        return _Swapped(
            ", ".join(swap.subject.members),
            judgement,
            nulls,
            rate_over_modules(passes, nulls.modules, self.material.seed),
            uncorrelated,
            int(related.sum()),
        )

    def _subject(self, members: tuple[str, ...], frames: Sequence[Frame], end: int) -> Subject:
        """The same object for the same members and frames: what it has computed is kept."""
        key = (str(end), *members, *(f"{frame.test.id}/{frame.place}" for frame in frames))
        return self._known.setdefault(key, Subject(members, frames, end, self.material.seed))

    def _judge(self, parts: Sequence[_Part], found: Mapping[str, Estimates], nulls: int) -> Judgement:
        """The claim's rule on every null; parts that are not swapped stay as they are."""
        judged = []
        by_test = {part.test.id: part for part in parts}
        tests = self.decision.parts if isinstance(self.decision, Conjunction) else [parts[0].test.id]
        for test in tests:
            if test in found:
                rule = decision_for(self.claim, test)
                assert not isinstance(rule, Bound)
                judged.append(
                    judge_estimates(rule, by_test[test].rows, found[test], self.material.seed)  # type: ignore[arg-type]
                )
            else:
                own = judge(self.claim, test, self._valid(test), self.material.seed)
                judged.append(repeated(own, nulls))
        return judge_conjunction(judged) if isinstance(self.decision, Conjunction) else judged[0]

    def _distribution(
        self, parts: Sequence[_Part], swapped: Judgement | None, permuted: Judgement | None
    ) -> NullDistribution | None:
        """Of a conjunction its first swapped part has none to show: effects of other parts differ in kind."""
        if (swapped is None and permuted is None) or isinstance(self.decision, Conjunction):
            return None
        part = parts[0]
        share = isinstance(self.decision, Prevalence)

        def natural(judgement: Judgement | None) -> NDArray[np.float64]:
            if judgement is None:
                return np.empty(0)
            turned = in_natural_sign(self.claim, judgement, part.test.id, part.rows)
            return np.asarray(turned.effect[np.isfinite(turned.effect)])

        return null_distribution(
            SHARE_OF_STRATA if share else part.rows[0].effect_name,
            float(self.judged.judgement.effect[0]),
            natural(swapped),
            natural(permuted),
        )

    # Single rows

    def percentiles(self) -> list[Percentile]:
        """Of every valid row that compares expression, gates left out."""
        found = []
        for test in self.claim.tests:
            if test.role == "gate" or not isinstance(test, SWAPPED_TESTS):
                continue
            rows = [row for row in self._valid(test.id) if row.statistic is not None]
            if not rows:
                continue
            frames = frames_of(self.material, test, rows)
            # Of a pair the partner: how the first end goes with every other one.
            end = len(frames[0].ends) - 1
            if end < 0:
                continue
            subject = self._subject(frames[0].ends[end], frames, end)
            if subject.gap():
                continue
            nulls = subject.nulls(loadings=False, related=False)
            for frame in frames:
                sign = claimed_sign(frame.row)
                others = sign * frame.numbers(nulls.names, end)["statistic"].to_numpy(float)
                own = sign * float(frame.row.statistic or 0.0)
                others = others[np.isfinite(others)]
                share = (1 + int((others >= own).sum())) / (len(others) + 1)
                found.append(
                    Percentile(
                        test=test.id,
                        dataset=frame.row.dataset,
                        stratum=frame.row.stratum,
                        null_percentile=float(f"{share:.6g}"),
                    )
                )
        return found


@dataclass(frozen=True)
class _Swap:
    """A subject, and the primary tests that are about it."""

    subject: Subject
    tests: list[str]


def _share(one: _Swapped) -> float:
    return one.rate.share


@dataclass(frozen=True)
class _Swapped:
    subject: str
    judgement: Judgement
    nulls: Nulls
    rate: Rate
    uncorrelated: Rate | None
    correlated: int

    @property
    def modules(self) -> int:
        return 0 if self.nulls.modules is None else self.nulls.modules.shape[1]
