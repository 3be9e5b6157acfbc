"""What a study file may say, and how its mistakes are told."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from reclaim.claim_tests import NEEDS, ClaimTest
from reclaim.errors import UserError
from reclaim.marked_yaml import read_marked_yaml
from reclaim.study import Decision, read_study

ROOT = Path(__file__).parents[2]
STUDY = (ROOT / "tests" / "acceptance" / "paad_mc3.yaml").read_text()


def messages(tmp_path: Path, old: str, new: str, count: int = 1) -> list[str]:
    """What reading says after one edit of a good study file, without the path."""
    assert old in STUDY
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace(old, new, count))
    with pytest.raises(UserError) as caught:
        read_study(path)
    return [message.removeprefix(f"{path}:") for message in caught.value.messages]


def test_a_good_file_is_read() -> None:
    study = read_study(ROOT / "tests" / "acceptance" / "paad_mc3.yaml")
    assert [claim.id for claim in study.claims] == ["P1", "P2", "P6", "P18"]
    assert study.source.date == datetime.date(2026, 11, 21)
    assert study.datasets["paad_mc3"].tier.name == "matched"


def test_the_founding_study_holds_all_its_claims_with_a_reason_or_a_test() -> None:
    study = read_study(ROOT / "seeds" / "cdk46_egfr_pdac.yaml")
    assert [claim.id for claim in study.claims] == [f"P{number}" for number in range(1, 19)]
    assert [claim.id for claim in study.claims if claim.tests] == ["P1", "P2", "P6", "P18"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: paad_mc3\ntitle", "id: PAAD-MC3\ntitle", "2: id: found 'PAAD-MC3'"),
        ("disease: same", "disease: simlar", "disease: found 'simlar'; expected: input should be 'same'"),
        ("role: primary", "role: main", "role: found 'main'"),
        ("bound: nearly_all", "bound: most", "bound: found 'most'"),
        ("rule: bound, bound: nearly_all", "rule: pooled", "mutation_frequency is decided by rule bound"),
        ("rule: pooled", "rule: bound, bound: rare", "mutual_exclusivity is decided by rule other than bound"),
        ("analysis: mutation_frequency", "analysis: mutation_count", "found analysis: mutation_count"),
        ("    gap: none\n    values_known", "    values_known", "claim P1 is tested: say what separates"),
        ("    decision: {rule: pooled}\n", "", "claim P18: tests and decision go together"),
        ("passes: {at_least: 0.4}", "specification: none", "a gate, and only a gate, has `passes`"),
        ("gated_by: [tp53_recovered]", "gated_by: [tp53_share]", "'tp53_share' is not a gate of this study"),
        ("      - id: kras_rb1_exclusive", "      - id: data", "the test id 'data' is reserved"),
        ("      - id: g12c_share\n", "      - id: kras_share\n", "the test id 'kras_share' stands twice"),
        ("    sample_table:", "    sample_tabel:", "unknown key 'sample_tabel'; did you mean sample_table?"),
        ("gene: TP53", "gene: TP 53", "gene: found 'TP 53'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = messages(tmp_path, old, new)
    assert any(expected in message for message in found), found
    assert all("\n" not in message for message in found)


def test_a_maf_needs_its_denominator(tmp_path: Path) -> None:
    start, end = STUDY.index("    sample_table:"), STUDY.index("    samples:")
    found = messages(tmp_path, STUDY[start:end], "")
    assert any("does not say which samples were assayed; add sample_table" in message for message in found)


def test_a_data_set_nobody_uses(tmp_path: Path) -> None:
    extra = (
        "datasets:\n  spare:\n    source: cbioportal\n    study: paad_x\n    independent: true\n"
        "    tier: {disease: same, system: same, perturbation: same, readout: same, time: same}\n"
    )
    assert messages(tmp_path, "datasets:\n", extra) == [
        "10: datasets.spare: no test uses data set 'spare'; use it, or move it to `rejected` with the reason"
    ]


def test_cohorts_that_may_share_patients_are_not_pooled(tmp_path: Path) -> None:
    block = STUDY[STUDY.index("  paad_mc3:") : STUDY.index("claims:")]
    twin = block.replace("  paad_mc3:", "  paad_again:", 1)
    text = STUDY.replace(block, block + twin).replace(
        "datasets: [paad_mc3]", "datasets: [paad_mc3, paad_again]"
    )
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="2 data sets share the patients 'tcga_paad' and must not be pooled"):
        read_study(path)


def test_an_unconfirmed_data_set_says_what_it_must_look_like(tmp_path: Path) -> None:
    found = messages(tmp_path, "    independent: true", "    independent: true\n    confirmed: false")
    assert any("confirmed: false needs `expect`" in message for message in found)


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    found = messages(tmp_path, "id: paad_mc3\n", "id: paad_mc3\nid: other\n")
    assert found[0].startswith("3: found duplicate key")


def test_yaml_1_2_scalars_mean_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "scalars.yaml"
    path.write_text("a: no\nb: 1e-5\nc: 012\nd: on\ne: 2025-12-18\nf: [1, two]\n")
    data = read_marked_yaml(path).data
    assert data == {
        "a": "no",
        "b": 1e-5,
        "c": 12,
        "d": "on",
        "e": datetime.date(2025, 12, 18),
        "f": [1, "two"],
    }
    assert {type(value) for value in data.values()} == {str, float, int, datetime.date, list}


def members(union: Any) -> set[str]:
    import typing

    field = {"ClaimTest": "analysis", "Decision": "rule"}["ClaimTest" if union is ClaimTest else "Decision"]
    models = typing.get_args(typing.get_args(union)[0])
    return {typing.get_args(model.model_fields[field].annotation)[0] for model in models}


def test_every_rule_and_analysis_of_the_design_has_its_place() -> None:
    assert members(Decision) == {
        "pooled", "prevalence", "bound", "conjunction", "specific", "equivalence", "lookup"
    }  # fmt: skip
    assert members(ClaimTest) == set(NEEDS)
    assert members(ClaimTest) >= {
        "mutation_frequency", "mutual_exclusivity", "differential_expression", "gene_set_enrichment",
        "coexpression", "survival", "peak_colocalization", "target_genes", "bound_and_deregulated",
    }  # fmt: skip
