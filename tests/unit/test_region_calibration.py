"""Nulls of claims about regions: other experiments in the partner's place, and the query moved along the genome."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
from report_results import peaks_study, peaks_test

from reclaim.analyses.peak_colocalization import make_universe, peak_colocalization
from reclaim.calibration.cap import Calibration, calibration_cap
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.calibration.record import ClaimCalibration, StudyCalibration
from reclaim.claim_tests import PeakColocalization
from reclaim.colocalization import SHIFTS, circular_shift_p, shifted_estimates
from reclaim.evidence import EvidenceRow, Setting
from reclaim.regions import Binding
from reclaim.rules import MARGIN
from reclaim.study import Study

SPECIFIC = {"rule": "specific"}


def calibrated(study: Study, binding: Binding, **changes: Any) -> StudyCalibration:
    """After its analysis, as the workflow hands it on."""
    rows: list[EvidenceRow] = []
    tables = {}
    for claim, test in study.tests():
        assert isinstance(test, PeakColocalization)
        assert claim.decision is not None
        estimates, table = peak_colocalization(test, binding, {}, "matched", seed=1)
        setting = Setting(
            run="public", study=study.id, claim=claim.id, test=test.id, role=test.role, rule=claim.decision.rule,
            analysis=test.analysis, specification="", dataset="peaks", tier="matched", independent=True, data="public",
            expected=test.expected,
        )  # fmt: skip
        rows += [setting.row(estimate).model_copy(update=changes) for estimate in estimates]
        tables[f"{test.id}/peaks"] = setting.table(
            "any", "log_odds_ratio", {str(key): table[key] for key in table}
        )
    material = Material(study, {}.__getitem__, tables.__getitem__, {}, 1, lambda name: binding, dict)
    return calibrate_study(material, rows)


def one_claim(*tests: dict[str, Any], decision: dict[str, Any] = SPECIFIC) -> Study:
    found = [dict(test) for test in tests] or [peaks_test(promoter_bp=0)]
    return peaks_study(builders.claim(*found, claim_id="R1", decision=decision))


def record(study: Study, binding: Binding, **changes: Any) -> ClaimCalibration:
    (found,) = calibrated(study, binding, **changes).claims
    return found


def test_a_real_partner_stands_out_from_both_nulls() -> None:
    one = record(one_claim(), builders.binding(follows={"TFB": 0.5}))
    assert one.subject == "TFB"
    assert one.null_rate is not None
    assert one.null_rate.share == 0
    assert one.null_rate.n == SHIFTS
    assert one.background_rate is not None
    assert (one.background_rate.share, one.background_rate.n) == (0, 22)
    assert one.distribution is not None
    assert sum(one.distribution.comparable) == 22
    assert sum(one.distribution.permuted) == SHIFTS
    assert calibration_cap("specific", True, Calibration.of(one)) == ("supported", "")


def test_partners_that_many_others_match_are_capped() -> None:
    """By the rule of the margin alone, three of 22 others pass as well; by rank, only those in the top tenth."""
    binding = builders.binding(follows={"TFB": 0.5, "TFC": 0.6, "TFD": 0.55, "TFE": 0.52}, others=19)
    pooled = record(one_claim(decision={"rule": "pooled"}), binding).background_rate
    assert pooled is not None
    assert (pooled.share, pooled.n) == (3 / 22, 22)
    ranked = record(one_claim(), binding).background_rate
    assert ranked is not None
    assert ranked.share == 2 / 22  # a tenth of 22 others and itself: two


def test_few_others_leave_no_rate_and_the_verdict_is_capped() -> None:
    one = record(one_claim(), builders.binding(follows={"TFB": 0.5}, others=12))
    assert one.background_rate is None
    assert one.background_gap == "12 other antigens of the same cells, 20 are needed"
    cap, why = calibration_cap("specific", True, Calibration.of(one))
    assert cap == "consistent"
    assert "12 other antigens" in why


def test_antigens_of_other_cells_are_no_nulls() -> None:
    elsewhere = {"OTHER01": "line two", "OTHER02": "line two"}
    one = record(one_claim(), builders.binding(follows={"TFB": 0.5}, **elsewhere))
    assert one.background_rate is not None
    assert one.background_rate.n == 20


def test_partners_of_a_conjunction_are_swapped_in_turn_and_the_larger_rate_counts() -> None:
    tests = [
        peaks_test(promoter_bp=0),
        peaks_test(id="another", partner="TFC", promoter_bp=0),
    ]
    parts = {"rule": "conjunction", "parts": {tests[0]["id"]: SPECIFIC, "another": SPECIFIC}}
    binding = builders.binding(follows={"TFB": 0.6, "TFC": 0.5, "TFD": 0.55})
    one = record(one_claim(*tests, decision=parts), binding)
    assert one.subject == "TFB, TFC"
    assert one.background_rate is not None
    assert one.background_rate.n == 24
    # With TFC swapped, TFB and TFD remain: TFD passes in its place. With TFB swapped TFC must pass too, and TFB is then
    # above it: TFC is third among 24.
    assert one.background_rate.share == pytest.approx(2 / 24)
    assert one.distribution is None


def test_no_valid_row_says_so() -> None:
    one = record(one_claim(), builders.binding(follows={"TFB": 0.5}), outcome="invalid")
    assert one.null_gap == one.background_gap == "no primary test is valid"


def test_every_row_has_the_place_of_its_effect_among_the_others() -> None:
    found = calibrated(one_claim(), builders.binding(follows={"TFB": 0.5}))
    (one,) = found.percentiles
    assert one.null_percentile == pytest.approx(1 / 23, rel=1e-5)


def test_a_claim_of_avoidance_is_swapped_in_its_own_direction() -> None:
    study = one_claim(peaks_test(promoter_bp=0, expected="negative"))
    one = record(study, builders.binding(follows={"TFB": 0.5}))
    assert one.background_rate is not None
    assert one.background_rate.share == 0
    assert one.null_rate is not None
    assert one.null_rate.share == 0


def test_shifted_estimates_are_the_draws_of_the_p_value() -> None:
    binding = builders.binding(follows={"TFB": 0.02})
    (_, test), *_ = one_claim().tests()
    assert isinstance(test, PeakColocalization)
    universe = make_universe(test, binding, {})
    query, partner = (universe.antigens.index(name) for name in ("TFA", "TFB"))
    chromosome = universe.regions.chromosome
    drawn = shifted_estimates(universe.occupancy, query, partner, chromosome, 1)
    told = circular_shift_p(universe.occupancy, query, [partner], chromosome, 1).iloc[0]
    assert told["p_greater"] == pytest.approx(
        (1 + (drawn["effect"] >= told["effect"] - 1e-12).sum()) / (SHIFTS + 1)
    )
    z = drawn["effect"] / drawn["se"]
    assert abs(z.mean()) < 0.15
    assert z.std() == pytest.approx(1, abs=0.1)  # regions are independent here: the interval is right
    assert ((drawn["ci_low"] > 0) & (drawn["effect"] >= MARGIN["log_odds_ratio"])).sum() == 0
    assert np.isfinite(drawn.to_numpy()).all()
