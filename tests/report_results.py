"""The results of a small study as the report reads them: made-up genes, counts a reader can redo."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import unescape
from math import log
from typing import Any

import builders
import pandas as pd

from reclaim.calibration.cap import Calibration
from reclaim.calibration.record import (
    Balance,
    ClaimCalibration,
    NullDistribution,
    Rate,
    StudyCalibration,
)
from reclaim.comparators import OTHER_CELLS, SAME_CELLS, comparators_of
from reclaim.evidence import EvidenceRow
from reclaim.experiments import Choice, Chosen, Excluded
from reclaim.ledger import FlowStep, Ledger
from reclaim.report.page import render_page
from reclaim.report.study_view import StudyResults, study_view
from reclaim.retrieve.receipt import MissingFile, Receipt, StoredFile
from reclaim.study import Study
from reclaim.verdict import assess

SCRIPT = "<script>alert('x')</script>"
NEARLY_ALL = {"rule": "bound", "bound": "nearly_all"}
VERSIONS = {"reclaim": "1.2.3"}
SPACE = "\u00a0"


def text_of(page: str) -> str:
    """What a reader sees: no tags, no style, single spaces."""
    body = re.sub(r"<(style|svg).*?</\1>", " ", page[page.index("<body") :], flags=re.DOTALL)
    body = re.sub(r"</?(a|b|code|em|span|strong)\b[^>]*>", "", body)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)).replace(SPACE, " "))


def section_of(page: str, claim: str) -> str:
    """The detail of one claim."""
    start = page.index(f'<article class="claim" id="a_study-{claim}"')
    return page[start : page.index("</article>", start)]


def small_study(**changes: Any) -> Study:
    """C1 nearly all (with an ungated specification), C2 and C3 not tested, C4 rare, C5 exclusive."""
    exome = builders.dataset(min_other_mutations=20, samples={"TYPE": "Primary"}, patients="pool_a")
    pair = {
        "id": "pair",
        "role": "primary",
        "analysis": "mutual_exclusivity",
        "datasets": ["a", "b"],
        "features": [{"gene": "GENE1"}, {"gene": "GENE2"}],
        "expected": "negative",
    }
    study = builders.study(
        builders.claim(
            builders.share_test(datasets=["a"]),
            builders.share_test(
                "ungated",
                "sensitivity",
                datasets=["a"],
                call_depth_gate=False,
                specification="every patient counts",
            ),
            builders.share_test("control", "gate", feature={"gene": "GENE3"}, passes={"at_least": 0.4}),
            statement=f"Nearly all tumours have GENE1 {SCRIPT} mutated.",
            central=True,
            values_known="the share of 81 % was known",
            decision=NEARLY_ALL,
        ),
        builders.claim(
            claim_id="C2",
            statement="GENE1 is phosphorylated.",
            central=True,
            no_public_data="phosphoproteomes of treated cells",
        )
        | {"tests": [], "decision": None},
        builders.claim(claim_id="C3", statement="Patients live longer.", not_testable="an outcome of trials")
        | {"tests": [], "decision": None},
        builders.claim(
            builders.share_test("rare"),
            builders.share_test("rare_ungated", "sensitivity", call_depth_gate=False),
            claim_id="C4",
            statement="GENE1 is rarely deleted.",
            decision={"rule": "bound", "bound": "rare"},
        ),
        builders.claim(pair, claim_id="C5", statement="GENE1 and GENE2 exclude each other."),
        a=exome,
        b=exome | {"patients": "pool_b", "study": "another_study"},
    )
    return study.model_copy(update=changes)


def small_evidence(data: str = "public") -> list[EvidenceRow]:
    """C1 has 114 of 141 patients after the call-depth gate, and 118 of 177 without it."""

    def share(test: str, name: str, k: int, n: int, **changes: Any) -> EvidenceRow:
        return builders.share_evidence(name, k, n, test=test, data=data, **changes)

    gate = {"assayed": 177, "below_call_depth": 36, "altered_below_call_depth": 4}
    naive = {"role": "sensitivity", "specification": "every patient counts"}
    odds = {
        "analysis": "mutual_exclusivity",
        "effect_name": "log_odds_ratio",
        "expected": "negative",
        "n": 100,
    }
    return [
        share("share", "a", 114, 141, expected="nearly_all", groups=gate, flags="call_depth"),
        share("ungated", "a", 118, 177, expected="nearly_all", **naive),
        share("control", "a", 60, 70, role="gate"),
        share("control", "b", 60, 71, role="gate"),
        share("rare", "a", 0, 200, claim="C4"),
        share("rare", "b", 1, 200, claim="C4"),
        share("rare_ungated", "a", 0, 240, claim="C4", role="sensitivity"),
        share("rare_ungated", "b", 1, 240, claim="C4", role="sensitivity"),
        builders.evidence("a", -2.0, 0.3, claim="C5", test="pair", data=data, groups={"both": 3}, **odds),
        builders.evidence("b", -1.5, 0.4, claim="C5", test="pair", data=data, groups={"both": 5}, **odds),
    ]


RELAPSE_A = {
    "time": "DAYS",
    "time_unit": "days",
    "event": "STATUS",
    "event_values": ["1"],
    "censored_values": ["0"],
}
RELAPSE_B = {"time": "RFS", "time_unit": "months", "event": "RFS_STATUS", "event_values": ["back", "Back"]}
ARMS = {"case": {"er": "Negative"}, "control": {"any_of": [{"er": "Positive"}, {"pr": "Positive"}]}}


def survival_test(test_id: str = "lived", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """The hazard of relapse per standard deviation of GENE1 on data sets a and b, claimed positive."""
    about = {} if "contrast" in changes else {"feature": {"gene": "GENE1"}}
    test = {
        "id": test_id,
        "role": role,
        "analysis": "survival",
        "datasets": ["a", "b"],
        "endpoint": "relapse",
    }
    return test | about | {"expected": "positive"} | changes


def pair_test(test_id: str = "together", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """GENE1 with GENE2 over the samples of data sets a and b, claimed positive."""
    return {
        "id": test_id,
        "role": role,
        "analysis": "coexpression",
        "datasets": ["a", "b"],
        "features": [{"gene": "GENE1"}, {"gene": "GENE2"}],
        "expected": "positive",
        **changes,
    }


def late_test(test_id: str = "late", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """The share of relapses after five years on data sets a and b."""
    test = {
        "id": test_id,
        "role": role,
        "analysis": "event_share",
        "datasets": ["a", "b"],
        "endpoint": "relapse",
    }
    return test | {"after_years": 5} | changes


def outcome_study(*claims: dict[str, Any], **changes: Any) -> Study:
    """S1 the hazard by a gene, S2 that between groups, X1 a correlation, E1 a share of late events."""
    both = claims or (
        builders.claim(
            survival_test(),
            survival_test(
                "after_five", "sensitivity", from_years=5, datasets=["a"], specification="after five years"
            ),
            survival_test("given_age", "sensitivity", covariates=["AGE"]),
            claim_id="S1",
            statement=f"Patients with much GENE1 {SCRIPT} relapse early.",
        ),
        builders.claim(survival_test("groups", contrast=ARMS, horizon_years=5), claim_id="S2"),
        builders.claim(
            pair_test(),
            pair_test("given_cells", "sensitivity", adjust=["AGE", "cells"]),
            claim_id="X1",
            statement="GENE1 and GENE2 go together.",
        ),
        builders.claim(late_test(), claim_id="E1", decision={"rule": "bound", "bound": "rare"}),
    )
    values = builders.study_values(
        *both,
        a=builders.geo_dataset(endpoints={"relapse": RELAPSE_A}, patients="pool_a"),
        b=builders.geo_dataset(series="GSE2", endpoints={"relapse": RELAPSE_B}, patients="pool_b"),
    )
    return Study.model_validate(values | {"gene_sets": {"cells": ["GENE7", "GENE8"]}} | changes)


def outcome_rows(data: str = "public", **effects: float) -> list[EvidenceRow]:
    """Rows of the tests of `outcome_study` with these effects, the same on every data set of a test: logarithms of
    hazard ratios with standard error 0.1, correlations with 0.1 on the scale of Fisher's z."""
    study = outcome_study()
    rows = []
    for claim, test in study.tests():
        for name in test.datasets:
            common: dict[str, Any] = {"claim": claim.id, "test": test.id, "role": test.role, "data": data}
            effect = effects.get(test.id, 0.7)
            if test.analysis == "event_share":
                rows.append(builders.share_evidence(name, 3, 200, **common, analysis=test.analysis))
                continue
            about: dict[str, Any] = {"effect_name": "spearman_rho", "n": 120, "analysis": test.analysis}
            if test.analysis == "survival":
                groups = "_groups" if test.id == "groups" else ""
                about |= {"effect_name": f"log_hazard_ratio{groups}", "n_events": 90}
            rows.append(builders.evidence(name, effect, **common, groups={}, **about))
    return rows


def curve(label: str, times: Sequence[float], share: Sequence[float], **changes: Any) -> dict[str, Any]:
    """A line of a figure: four patients, one of whom has the event at each step."""
    years = range(int(times[-1]) + 1)
    events = len(times) - 1 - (share[-1] == share[-2])
    values = {
        "label": label,
        "quantity": "survival",
        "times": list(times),
        "share": list(share),
        "at_risk": [4 - sum(time < year for time in times[1:]) for year in years],
        "n": 4,
        "events": events,
    }
    return values | changes


def outcome_curves() -> dict[str, list[dict[str, Any]]]:
    """Of the primary tests on both data sets, and of a sensitivity test."""
    halves = [
        curve("GENE1 above its median", [0, 1, 2, 3, 4], [1, 0.75, 0.5, 0.25, 0.25]),
        curve("GENE1 up to its median", [0, 2, 6], [1, 0.75, 0.75]),
    ]
    arms = [
        curve("case", [0, 1, 2, 5], [0, 0.25, 0.5, 0.5], quantity="cumulative_incidence"),
        curve(
            "control", [0, 4, 5], [0, 0.25, 0.25], quantity="cumulative_incidence", n=1904, at_risk=[1904] * 6
        ),
    ]
    return {
        "lived/a": halves,
        "lived/b": halves,
        "after_five/a": [curve("GENE1 above its median", [5, 6, 7], [1, 0.75, 0.75])],
        "groups/a": arms,
        "groups/b": [],
    }


def outcome_page(
    run: str = "public", curves: Mapping[str, list[dict[str, Any]]] | None = None, **effects: float
) -> str:
    """The report page of the outcome study."""
    data = "public" if run == "public" else "simulated"
    drawn = outcome_curves() if curves is None else curves
    return small_page(run, outcome_study(), outcome_rows(data, **effects), curves=drawn)


def rate(passing: int, ci_low: float, ci_high: float, n: int = 1000) -> Rate:
    """`passing` of n nulls, with an interval that somebody computed."""
    return Rate(share=passing / n, ci_low=ci_low, ci_high=ci_high, n=n)


def null_distribution(**changes: Any) -> NullDistribution:
    """The odds ratio exp(-1.8) = 0.165 among nulls around 1; 5 comparable ones and 1 permutation at -1.5 or
    below."""
    values: dict[str, Any] = {
        "effect_name": "log_odds_ratio",
        "observed": -1.8,
        "edges": [-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0],
        "comparable": [5, 45, 150, 450, 300, 50],
        "permuted": [1, 29, 170, 400, 400, 0],
    }
    return NullDistribution(**(values | changes))


def calibrated(claim: str = "C5", **changes: Any) -> ClaimCalibration:
    """Both rates known and low enough for any claim: 0.4 % of permutations and 3.1 % of comparable pairs."""
    values: dict[str, Any] = {
        "claim": claim,
        "subject": "GENE1",
        "null_rate": rate(4, 0.001, 0.010),
        "background_rate": rate(31, 0.019, 0.046),
        "matched": rate(20, 0.011, 0.033),
        "matched_on_loadings": rate(31, 0.019, 0.046),
        "loadings": ["purity", "proliferation"],
        "loadings_gap": "immune score: fewer than half of its genes are measured",
        "uncorrelated": rate(19, 0.010, 0.032, n=950),
        "correlated": 50,
        "modules": 120,
        "balance": [
            Balance(name="mean in the reference arm", subject=7.5, low=7.25, middle=7.5, high=7.75),
            Balance(name="purity", subject=0.8125, low=-0.25, middle=0.125, high=0.5),
        ],
        "distribution": null_distribution(),
    }
    return ClaimCalibration(**(values | changes))


def small_calibration(*claims: ClaimCalibration, study: str = "a_study") -> StudyCalibration:
    """The bounds C1 and C4 need none; C5, or the claims given, is calibrated."""
    fixed = "the bound is fixed, and no other gene is asked"
    return StudyCalibration(
        study=study,
        claims=[
            *(ClaimCalibration(claim=name, subject="GENE1", not_calibrated=fixed) for name in ("C1", "C4")),
            *(claims or [calibrated()]),
        ],
        percentiles=[],
    )


def panel_study() -> Study:
    """Control claims: K1 and K2 are known to be true, K3 is known to be false."""
    claims = [
        builders.claim(
            builders.expression_test(f"known_{i}"),
            claim_id=f"K{i}",
            statement=f"Control {i} {SCRIPT} is up.",
            known=i < 3,
        )
        for i in (1, 2, 3)
    ]
    values = builders.study_values(*claims) | {"id": "a_panel", "title": "Known answers", "panel": True}
    return Study.model_validate(values)


def panel_evidence(*effects: float, data: str = "public") -> list[EvidenceRow]:
    """The same effect on both data sets, for K1, K2 and K3 in turn."""
    return [
        builders.evidence(name, effect, study="a_panel", claim=f"K{i}", test=f"known_{i}", data=data)
        for i, effect in enumerate(effects, start=1)
        for name in "ab"
    ]


def small_results(
    run: str = "public",
    study: Study | None = None,
    rows: Sequence[EvidenceRow] | None = None,
    calibration: StudyCalibration | None = None,
    curves: Mapping[str, list[dict[str, Any]]] | None = None,
) -> StudyResults:
    """Assessed as the workflow does, with receipts and ledgers."""
    study = study or small_study()
    data = "public" if run == "public" else "simulated"
    rates = {one.claim: Calibration.of(one) for one in calibration.claims} if calibration else {}
    assessed = assess(study, small_evidence(data) if rows is None else rows, run, seed=1, calibration=rates)
    file = StoredFile(
        name="archive",
        url="https://example.org/archive.tar.gz",
        path="example.org/archive.tar.gz",
        sha256="ab" * 32,
        bytes=1_234_567,
        media_type="application/gzip",
    )
    flow = [
        FlowStep(step="listed", samples=120, patients=110),
        FlowStep(step="one tumour per patient", samples=89, patients=89),
    ]
    return StudyResults(
        study,
        assessed.claims,
        assessed.evidence,
        {name: Receipt(dataset=name, files=[file]) for name in study.datasets},
        {
            "a": Ledger(status="present", flow=flow, dropped={"mutation lines that repeat another": 7}),
            "b": Ledger(status="present", flow=flow),
        },
        calibration=calibration,
        curves=curves or {},
    )


def small_page(
    run: str = "public",
    study: Study | None = None,
    rows: Sequence[EvidenceRow] | None = None,
    calibration: StudyCalibration | None = None,
    curves: Mapping[str, list[dict[str, Any]]] | None = None,
) -> str:
    """The report page of the small study, or of another one."""
    results = small_results(run, study, rows, calibration, curves)
    return render_page(run, 1, [study_view(results, run, 1)], VERSIONS)


# Regions: factors TFA and TFB, relative TFC, and OTHER01 to OTHER24


def peaks_test(test_id: str = "bound", role: str = "primary", **changes: Any) -> dict[str, Any]:
    """TFA with TFB on the regions of data set `peaks`, claimed positive."""
    return {
        "id": test_id,
        "role": role,
        "analysis": "peak_colocalization",
        "datasets": ["peaks"],
        "query": "TFA",
        "partner": "TFB",
        **changes,
    }


def peaks_dataset(**changes: Any) -> dict[str, Any]:
    """Experiments of blood cells, in two steps of preference."""
    values = builders.dataset(
        source="chip_atlas",
        cell_class="Blood",
        cells=[
            {"name": "line one", "matches": r"LINE\.?1", "system": "same"},
            {"name": "others", "matches": "LINE2|LINE3", "system": "similar"},
        ],
        exclude=["inhibitor", "shRNA|siRNA"],
        colocalization_tables=["TFA"],
        target_tables=["TFA"],
    )
    del values["study"]
    return values | changes


def peaks_study(*claims: dict[str, Any], **changes: Any) -> Study:
    """R1: TFB rather than any other factor is a partner of TFA; TFC is a relative."""
    specific = builders.claim(
        peaks_test(),
        claim_id="R1",
        decision={"rule": "specific", "family": ["TFC"]},
        statement="TFA and TFB.",
    )
    values = builders.study_values(*claims or [specific])
    return Study.model_validate(values | {"datasets": {"peaks": peaks_dataset()}} | changes)


def peaks_row(data: str = "public", **changes: Any) -> EvidenceRow:
    """Odds ratio 4 within strata. Without: 120 regions with both, 80 only TFA, 180 only TFB, 620 neither of 1,000, so
    that it is 120 x 620 / (80 x 180) = 5.17."""
    values: dict[str, Any] = {
        "claim": "R1",
        "test": "bound",
        "rule": "specific",
        "analysis": "peak_colocalization",
        "method": "mantel_haenszel_over_occupancy",
        "feature": "TFB",
        "effect_name": "log_odds_ratio",
        "n": 1000,
        "n_events": 120,
        "groups": {"TFA": 200, "TFB": 300},
        "data": data,
    }
    return builders.evidence("peaks", log(4), 0.1, **(values | changes))


def peaks_ranking(others: int = 24, **odds_ratios: float) -> pd.DataFrame:
    """Full results: TFC 5, TFB 4, OTHER01 1.01, OTHER02 1.02 and so on, and FAR, which was measured in other cells."""
    ratios = {"TFC": 5.0, "TFB": 4.0, "FAR": 9.0}
    ratios |= {f"OTHER{i:02d}": 1 + i / 100 for i in range(1, others + 1)} | odds_ratios
    table = pd.DataFrame({"feature": list(ratios), "effect": [log(ratio) for ratio in ratios.values()]})
    return table.assign(
        stratum=[OTHER_CELLS if name == "FAR" else SAME_CELLS for name in ratios],
        n_events=range(1001, 1001 + len(ratios)),
        ci_low=table["effect"] - 0.2,
        ci_high=table["effect"] + 0.2,
        mde=[0.5 if name == "OTHER01" else 0.3 for name in ratios],
    )


def peaks_choice(others: int = 24, excluded: int = 1) -> Choice:
    """SRX1, SRX2 and SRX3 of TFA, TFB and TFC, SRX101 and so on of others; titles hold markup."""
    antigens = {f"SRX{i}": name for i, name in enumerate(("TFA", "TFB", "TFC"), start=1)}
    antigens |= {f"SRX{100 + i}": f"OTHER{i:02d}" for i in range(1, others + 1)}

    def about(experiment: str, antigen: str) -> dict[str, Any]:
        title = f"{experiment} {SCRIPT}"
        return {
            "experiment": experiment,
            "antigen": antigen,
            "cell": "LINE-1",
            "cells": "line one",
            "title": title,
        }

    return Choice(
        chosen=[
            Chosen(**about(experiment, antigen), peaks=12_345, system="same")
            for experiment, antigen in antigens.items()
        ],
        excluded=[
            Excluded(**about(f"SRX{9000 + i}", "TFA"), peaks=None, reason="the list does not say <how many>")
            for i in range(excluded)
        ],
    )


def peaks_scores() -> pd.DataFrame:
    """ChIP-Atlas' table of TFA: 6 with TFB; of OTHER01: 9 with TFA; and genes."""
    rows = [
        ("colo", "TFA", "SRX1", "SRX2", 6.0),
        ("colo", "TFA", "SRX77", "SRX3", 9.0),  # an experiment that was not chosen
        ("colo", "OTHER01", "SRX101", "SRX1", 9.0),
        ("targets", "TFA", "SRX1", "GENE1", 1000.0),
    ]
    return pd.DataFrame(rows, columns=["table", "antigen", "experiment", "row", "score"])


def peaks_receipt(files: int = 30, missing: Sequence[str] = ("SRX2", "colo_TFA", "targets_TFA")) -> Receipt:
    """Files of 1,000 bytes each, and those that ChIP-Atlas lacks."""
    kept = [
        StoredFile(
            name=f"SRX{100 + i}",
            url=f"https://example.org/SRX{100 + i}.bed",
            path=f"example.org/SRX{100 + i}.bed",
            sha256=f"{i:064x}",
            bytes=1000,
            media_type="text/plain",
        )
        for i in range(1, files + 1)
    ]
    lacking = [
        MissingFile(name=name, url=f"https://example.org/{name}", reason="404 Not Found") for name in missing
    ]
    return Receipt(dataset="peaks", files=kept, missing=lacking)


def peaks_results(
    run: str = "public",
    study: Study | None = None,
    rows: Sequence[EvidenceRow] | None = None,
    rankings: Mapping[str, pd.DataFrame] | None = None,
    **changes: Any,
) -> StudyResults:
    """Results of the study of regions, assessed as the workflow does."""
    study = study or peaks_study()
    rows = [peaks_row("public" if run == "public" else "simulated")] if rows is None else rows
    ranked = {"bound/peaks": peaks_ranking()} if rankings is None else rankings
    assessed = assess(study, rows, run, seed=1, comparators=comparators_of(ranked))
    results = StudyResults(
        study,
        assessed.claims,
        assessed.evidence,
        {"peaks": peaks_receipt()},
        {"peaks": Ledger(status="present")},
        rankings=ranked,
        choices={"peaks": peaks_choice()},
        scores={"peaks": peaks_scores()},
    )
    return replace(results, **changes)


def peaks_page(run: str = "public", **changes: Any) -> str:
    """The report page of the study of regions."""
    return render_page(run, 1, [study_view(peaks_results(run, **changes), run, 1)], VERSIONS)


def full_page(run: str = "public", effects: Sequence[float] = (1.0, 1.0, 0.0)) -> str:
    """The small study, calibrated, after a panel of control claims with these effects."""
    data = "public" if run == "public" else "simulated"
    panel = small_results(run, panel_study(), panel_evidence(*effects, data=data))
    study = small_results(run, calibration=small_calibration())
    return render_page(run, 1, [study_view(results, run, 1) for results in (panel, study)], VERSIONS)
