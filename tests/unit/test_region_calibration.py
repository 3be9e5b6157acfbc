"""Nulls of claims about regions: other experiments in the partner's place, and the query moved along the genome."""

from __future__ import annotations

from typing import Any

import anndata as ad
import builders
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from report_results import peaks_study, peaks_test

from reclaim.analyses.baseline import baselines
from reclaim.analyses.bound_and_deregulated import bound_and_deregulated
from reclaim.analyses.differential_expression import differential_expression
from reclaim.analyses.peak_colocalization import make_universe, peak_colocalization
from reclaim.analyses.target_genes import target_genes
from reclaim.calibration.cap import Calibration, calibration_cap
from reclaim.calibration.claims import calibrate_study
from reclaim.calibration.frames import Material
from reclaim.calibration.record import ClaimCalibration, StudyCalibration
from reclaim.calibration.region_nulls import SETS, comparable_subjects
from reclaim.claim_tests import BoundAndDeregulated, DifferentialExpression, PeakColocalization, TargetGenes
from reclaim.colocalization import SHIFTS, circular_shift_p, shifted_estimates
from reclaim.evidence import EvidenceRow, Setting
from reclaim.margins import MARGIN
from reclaim.regions import EXPERIMENTS, SCORES, Binding, as_regions, no_rows
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
    pooled = record(one_claim(decision={"rule": "pooled"}), binding).matched
    assert pooled is not None
    assert (pooled.share, pooled.n) == (3 / 22, 22)
    ranked = record(one_claim(), binding).matched
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
    assert one.matched is not None
    assert one.matched.n == 24
    # With TFC swapped, TFB and TFD remain: TFD passes in its place. With TFB swapped TFC must pass too, and TFB is then
    # above it: TFC is third among 24.
    assert one.matched.share == pytest.approx(2 / 24)
    assert one.background_rate is not None
    assert one.background_rate.share >= one.matched.share
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


def test_how_the_partner_follows_busy_regions_stands_beside() -> None:
    """As in a logistic regression on regions, one by one."""
    binding = builders.binding(follows={"TFB": 0.5})
    one = record(one_claim(), binding)
    (balance,) = one.balance
    (_, test), *_ = one_claim().tests()
    assert isinstance(test, PeakColocalization)
    universe = make_universe(test, binding, {})
    bound = {name: universe.occupancy.present(i) for i, name in enumerate(universe.antigens)}
    others = sum(present for name, present in bound.items() if name not in ("TFA", "TFB"))
    there = np.asarray(others) > 0
    design = sm.add_constant(np.log1p(np.asarray(others)[there]))
    slope = sm.Logit(bound["TFB"][there].astype(float), design).fit(disp=0).params[1]
    assert balance.subject == pytest.approx(slope, rel=1e-4)
    assert balance.low < balance.subject < balance.high  # following the query does not count
    assert one.matched is not None
    assert one.matched_on_loadings is not None
    assert one.background_rate == max(one.matched, one.matched_on_loadings, key=lambda rate: rate.share)


def busy(partner_slope: float, seed: int = 3) -> Binding:
    """Factors that follow open regions with slope 1, and a query and a partner that do so with another, and have nothing
    else in common."""
    generator = np.random.default_rng(seed)
    openness = generator.normal(0, 1.2, 9000)
    names = ["TFA", "TFB", *(f"OTHER{i:02d}" for i in range(1, 31))]
    parts = []
    for name in names:
        slope = partner_slope if name in ("TFA", "TFB") else generator.normal(1, 0.15)
        bound = generator.random(9000) < 1 / (1 + np.exp(2.2 - slope * openness))
        start = 10_000 * np.flatnonzero(bound)
        parts.append(
            pd.DataFrame({"chrom": "chr1", "start": start, "end": start + 500, "experiment": f"SRX{name}"})
        )
    peaks = pd.concat(parts, ignore_index=True)
    peaks["chrom"] = peaks["chrom"].astype("category")
    rows = [
        (f"SRX{name}", name, "LINE-1", "line one", "same", len(part))
        for name, part in zip(names, parts, strict=True)
    ]
    experiments = EXPERIMENTS.validate(pd.DataFrame(rows, columns=list(EXPERIMENTS.columns)))
    return Binding(as_regions(peaks), experiments, no_rows(SCORES))


def test_a_partner_that_follows_busy_regions_as_no_other_is_not_calibrated() -> None:
    """Query and partner meet in open regions alone, and rank first: no other antigen is like the partner in that."""
    one = record(one_claim(), busy(2.2))
    assert one.matched is not None
    assert one.matched.share < 0.1  # all others say that it is special
    assert one.background_rate is None
    assert one.background_gap.startswith(
        "0 of 30 other antigens follow busy regions as TFB does, 20 are needed"
    )
    cap, why = calibration_cap("specific", True, Calibration.of(one))
    assert cap == "consistent"
    assert "follow busy regions" in why
    assert record(one_claim(), busy(1.0)).background_rate is not None


def test_of_a_conjunction_no_partner_may_lack_antigens_like_it() -> None:
    tests = [peaks_test(promoter_bp=0), peaks_test(id="another", partner="OTHER01", promoter_bp=0)]
    parts = {"rule": "conjunction", "parts": {tests[0]["id"]: SPECIFIC, "another": SPECIFIC}}
    one = record(one_claim(*tests, decision=parts), busy(2.2))
    assert one.background_rate is None
    assert "as TFB does" in one.background_gap
    assert one.swapped == "TFB"


# Genes that are bound


SYMBOLS = [f"G{number:04d}" for number in range(1500)]


def annotation() -> pd.DataFrame:
    """Genes far apart on one chromosome; each third has a second start."""
    places = 400_000 * np.arange(1, len(SYMBOLS) + 1)
    first = pd.DataFrame(
        {"chrom": "chr1", "tss": places, "gene_id": SYMBOLS, "symbol": SYMBOLS, "biotype": "protein_coding"}
    )
    return pd.concat([first, first.iloc[::3].assign(tss=places[::3] + 20_000)], ignore_index=True)


def bound_at_genes(antigens: int = 23, **planted: np.ndarray) -> Binding:
    """By antigen the genes with a peak at their first start, or, of each third gene, sometimes at the second."""
    generator = np.random.default_rng(4)
    shares = {f"TF{i:02d}": generator.random(len(SYMBOLS)) < 0.2 for i in range(antigens)} | planted
    parts, rows = [], []
    for antigen, bound in shares.items():
        genes = np.flatnonzero(bound)
        second = 20_000 * ((genes % 3 == 0) & (generator.random(len(genes)) < 0.4))
        start = 400_000 * (genes + 1) + second + generator.integers(-4000, 4000, len(genes))
        parts.append(
            pd.DataFrame({"chrom": "chr1", "start": start, "end": start + 200, "experiment": f"SRX{antigen}"})
        )
        rows.append((f"SRX{antigen}", antigen, "LINE-1", "line one", "same", len(genes)))
    peaks = pd.concat(parts, ignore_index=True)
    peaks["chrom"] = peaks["chrom"].astype("category")
    experiments = EXPERIMENTS.validate(pd.DataFrame(rows, columns=list(EXPERIMENTS.columns)))
    return Binding(as_regions(peaks), experiments, no_rows(SCORES))


def lines(falls: np.ndarray) -> ad.AnnData:
    """Six treated and six untreated samples; genes that fall do so by a factor of four."""
    generator = np.random.default_rng(6)
    level = generator.normal(7, 1.5, len(SYMBOLS))
    values = level + generator.normal(0, 0.3, (12, len(SYMBOLS)))
    values[:6, falls] -= 2
    return ad.AnnData(
        np.clip(values, 0, None),
        obs=pd.DataFrame({"group": builders.group_column(6, 6)}, index=[f"s{i}" for i in range(12)]),
        var=pd.DataFrame(index=SYMBOLS),
        uns={"unit": "log2_tpm"},
    )


def response_study(**changes: Any) -> Study:
    ranking = builders.expression_test("up", "supporting", feature={"gene": "G0000"}, datasets=["a"])
    direct = {
        "id": "direct", "role": "primary", "analysis": "bound_and_deregulated", "datasets": ["a"], "query": "TFA",
        "response": "falls", "with": {"peaks": "peaks", "ranking": {"test": "up"}}, **changes,
    }  # fmt: skip
    peaks = builders.dataset(source="file", format="bed", path="x.bed", genome="hg38")
    del peaks["study"]
    one = builders.claim(ranking, direct, decision={"rule": "pooled"})
    return builders.study(one, a=builders.geo_dataset(), peaks=peaks)


def response_of(
    study: Study, binding: Binding, data: ad.AnnData
) -> tuple[StudyCalibration, dict[str, pd.DataFrame]]:
    claim, direct = next(pair for pair in study.tests() if isinstance(pair[1], BoundAndDeregulated))
    up = next(test for _, test in study.tests() if isinstance(test, DifferentialExpression))
    (_, ranked) = differential_expression(up, data, [])
    expressed = baselines(up, data)
    assert isinstance(direct, BoundAndDeregulated)
    estimates, _ = bound_and_deregulated(direct, binding, ranked, expressed, annotation(), "matched", seed=1)
    setting = builders.setting(
        claim=claim.id, test=direct.id, rule="pooled", analysis=direct.analysis, expected=direct.expected
    )
    rows = [setting.row(estimate) for estimate in estimates]
    tables = {"up/a": setting.table("any", "log2_fold_change", {str(key): ranked[key] for key in ranked})}
    genome = {"genes": annotation()}
    material = Material(
        study, lambda name: data, tables.__getitem__, {}, 1, lambda name: binding, lambda: genome
    )
    return calibrate_study(material, rows), tables


@pytest.mark.parametrize("changes", [{}, {"method": "fisher"}, {"window_bp": 1000}])
def test_every_other_antigen_is_asked_as_the_query_was(changes: dict[str, Any]) -> None:
    """Each swapped estimate is that of the analysis with the other antigen as its query."""
    generator = np.random.default_rng(3)
    falls = generator.random(len(SYMBOLS)) < 0.2
    bound = np.where(falls, generator.random(len(SYMBOLS)) < 0.6, generator.random(len(SYMBOLS)) < 0.15)
    binding, data, study = bound_at_genes(TFA=bound), lines(falls), response_study(**changes)
    (_, ranked) = differential_expression(
        next(test for _, test in study.tests() if isinstance(test, DifferentialExpression)), data, []
    )
    direct = next(test for _, test in study.tests() if isinstance(test, BoundAndDeregulated))
    tables = {"up/a": ranked}
    material = Material(
        study,
        lambda name: data,
        tables.__getitem__,
        {},
        1,
        lambda name: binding,
        lambda: {"genes": annotation()},
    )
    row = builders.evidence("a", 1.0, test="direct", effect_name="log_odds_ratio")
    nulls = comparable_subjects(material, direct, [row])
    assert nulls.estimates is not None
    assert len(nulls.names) == 23
    up = next(test for _, test in study.tests() if isinstance(test, DifferentialExpression))
    for number in (0, 11, 22):
        other = direct.model_copy(update={"query": nulls.names[number]})
        ((estimate,), _) = bound_and_deregulated(
            other, binding, ranked, baselines(up, data), annotation(), "matched", seed=1
        )
        rel = (
            0.02 if direct.method == "fisher" else 1e-9
        )  # Mantel and Haenszel's of one stratum is no exact one
        assert nulls.estimates.effect[0, number] == pytest.approx(estimate.effect, rel=rel)


def test_bound_genes_that_respond_stand_out_from_those_of_other_antigens() -> None:
    generator = np.random.default_rng(3)
    falls = generator.random(len(SYMBOLS)) < 0.2
    bound = np.where(falls, generator.random(len(SYMBOLS)) < 0.6, generator.random(len(SYMBOLS)) < 0.15)
    found, _ = response_of(response_study(), bound_at_genes(TFA=bound), lines(falls))
    (one,) = found.claims
    assert one.subject == "TFA"
    assert one.nulls == "experiments"
    assert one.background_rate is not None
    assert (one.background_rate.share, one.background_rate.n) == (0, 23)
    assert one.null_rate is None
    assert "labels of the ranking are not permuted" in one.null_gap
    cap, why = calibration_cap("pooled", False, Calibration.of(one))
    assert cap == "consistent"
    assert why.startswith("not calibrated against chance")
    (place,) = found.percentiles
    assert place.null_percentile == pytest.approx(1 / 24, rel=1e-5)


def test_named_genes_are_held_against_random_sets() -> None:
    named = SYMBOLS[:4]
    bound = np.random.default_rng(5).random(len(SYMBOLS)) < 0.1
    bound[:4] = True
    test = {
        "id": "at", "role": "primary", "analysis": "target_genes", "datasets": ["peaks"], "query": "TFA", "genes": named,
    }  # fmt: skip
    study = one_claim(test, decision={"rule": "pooled"})
    binding = bound_at_genes(TFA=bound)
    (_, parsed), *_ = study.tests()
    assert isinstance(parsed, TargetGenes)
    (estimate,), _ = target_genes(parsed, binding, annotation(), None, "matched")
    row = builders.setting(
        claim="R1", test="at", rule="pooled", analysis="target_genes", dataset="peaks", expected="positive"
    ).row(estimate)
    material = Material(
        study, {}.__getitem__, {}.__getitem__, {}, 1, lambda name: binding, lambda: {"genes": annotation()}
    )
    (one,) = calibrate_study(material, [row]).claims
    assert one.subject == ", ".join(named)
    assert one.nulls == "sets of genes"
    assert one.background_rate is not None
    assert one.background_rate.n == SETS
    # The rule agrees at three or four of four with a peak: the rate is that of the exact distribution.
    assert estimate.p_value is not None
    assert one.background_rate.ci_low <= 0.025
    assert one.null_gap.startswith("named genes have no labels to permute")
