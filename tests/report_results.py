"""The results of a small study as the report reads them: made-up genes, counts a reader can redo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import builders

from reclaim.evidence import EvidenceRow
from reclaim.ledger import FlowStep, Ledger
from reclaim.report.page import render_page
from reclaim.report.study_view import StudyResults, study_view
from reclaim.retrieve.receipt import Receipt, StoredFile
from reclaim.study import Study
from reclaim.verdict import assess

SCRIPT = "<script>alert('x')</script>"
NEARLY_ALL = {"rule": "bound", "bound": "nearly_all"}
VERSIONS = {"reclaim": "1.2.3"}


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


def small_results(
    run: str = "public", study: Study | None = None, rows: Sequence[EvidenceRow] | None = None
) -> StudyResults:
    """Assessed as the workflow does, with receipts and ledgers."""
    study = study or small_study()
    data = "public" if run == "public" else "simulated"
    assessed = assess(study, small_evidence(data) if rows is None else rows, run, seed=1)
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
    )


def small_page(
    run: str = "public", study: Study | None = None, rows: Sequence[EvidenceRow] | None = None
) -> str:
    """The report page of the small study."""
    return render_page(run, 1, [study_view(small_results(run, study, rows), run, 1)], VERSIONS)
