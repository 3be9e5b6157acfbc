"""What a study file may say, and how its mistakes are told."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from builders import claim, dataset, enrichment_test, expression_test, geo_dataset, study_values, write_study

from reclaim.claim_tests import NEEDS, ClaimTest
from reclaim.decisions import Decision
from reclaim.errors import UserError
from reclaim.marked_yaml import read_marked_yaml
from reclaim.study_file import read_study

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


# Expression, libraries and gene sets


GATE = {"id": "seen", "role": "gate", "analysis": "detection", "datasets": ["a"], "feature": {"gene": "GENE1"},
        "at_least": 10, "passes": {"at_least": 0.75}}  # fmt: skip
HALLMARK = {"source": "enrichr", "library": "MSigDB_Hallmark_2020"}
IFN = {"library": "hallmark", "set": "Interferon Alpha Response"}


def expression_study(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A good file: a gene, and a set of a library in its ranking."""
    values = study_values(
        claim(*(tests or (expression_test(), enrichment_test()))),
        a=geo_dataset(),
        b=geo_dataset(series="GSE2"),
    )
    return values | {"libraries": {"hallmark": HALLMARK}, "gene_sets": {"ifn": IFN}} | more


def mistakes_of(values: dict[str, Any], folder: Path) -> list[str]:
    """What reading says, with the line but without the file."""
    path = write_study(values, folder)
    with pytest.raises(UserError) as caught:
        read_study(path)
    assert all(message.startswith(f"{path}:") for message in caught.value.messages)
    return [message.removeprefix(f"{path}:") for message in caught.value.messages]


def line_of(folder: Path, text: str) -> int:
    """The first line with this key or pair, in the study file that was written last."""
    lines = (folder / "study.yaml").read_text().splitlines()
    key = text if text.startswith('"') else f'"{text}": '
    return next(number for number, line in enumerate(lines, start=1) if key in line)


def test_a_good_file_of_expression_is_read(tmp_path: Path) -> None:
    study = read_study(write_study(expression_study(), tmp_path))
    assert list(study.references()) == ["hallmark", "hgnc"]


PROBES = {"expression": "series_matrix", "features": "probe", "annotation": "GPL570"}


@pytest.mark.parametrize("platform", [{}, {"platform": "GPL570"}])
def test_probes_come_with_the_platform_that_names_their_genes(
    platform: dict[str, str], tmp_path: Path
) -> None:
    values = expression_study()
    values["datasets"]["a"] |= PROBES | platform
    read_study(write_study(values, tmp_path))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"annotation": None}, "features: probe and annotation go together"),
        ({"features": "symbol"}, "features: probe and annotation go together"),
        ({"expression": "ncbi_counts"}, "and only with expression: series_matrix"),
        ({"platform": "GPL96"}, "the probes of platform GPL96 are not those of annotation GPL570"),
        ({"annotation": "hgu133plus2"}, "annotation: found 'hgu133plus2'"),
    ],
)
def test_probes_without_their_annotation_are_told(
    changes: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    values = expression_study()
    values["datasets"]["a"] |= PROBES | changes
    (found,) = mistakes_of(values, tmp_path)
    assert expected in found


def test_an_unknown_set_is_told_with_the_nearest(tmp_path: Path) -> None:
    found = mistakes_of(
        expression_study(expression_test(), enrichment_test(), enrichment_test("b", gene_set="inf")), tmp_path
    )
    line = line_of(tmp_path, '"gene_set": "inf"')
    assert found == [
        f"{line}: claims.C1.tests.b.gene_set: unknown gene set 'inf'; did you mean ifn?; expected one of: ifn"
    ]


def test_an_unknown_set_of_a_mean_is_told_too(tmp_path: Path) -> None:
    mean = expression_test("mean", "supporting", feature={"gene_set": "panel"})
    (found,) = mistakes_of(expression_study(expression_test(), enrichment_test(), mean), tmp_path)
    assert "tests.mean: unknown gene set 'panel'" in found


def test_an_unknown_library_is_told_with_the_nearest(tmp_path: Path) -> None:
    sets = {"ifn": IFN, "other": IFN | {"library": "halmark"}}
    found = mistakes_of(expression_study(gene_sets=sets), tmp_path)
    assert found == [
        f"{line_of(tmp_path, 'other')}: gene_sets.other: unknown library 'halmark'; did you mean hallmark?; "
        "expected one of: hallmark"
    ]


def test_a_library_of_which_no_set_is_taken_is_told(tmp_path: Path) -> None:
    libraries = {"hallmark": HALLMARK, "spare": HALLMARK}
    found = mistakes_of(expression_study(libraries=libraries), tmp_path)
    assert found == [
        f"{line_of(tmp_path, 'spare')}: libraries.spare: no gene set is taken from library 'spare'; "
        "use it or take it out"
    ]


def test_empty_sets_are_told(tmp_path: Path) -> None:
    mean = expression_test("mean", "supporting", feature={"gene_set": []})
    found = mistakes_of(
        expression_study(expression_test(), enrichment_test(), mean, gene_sets={"ifn": IFN, "none": []}),
        tmp_path,
    )
    assert [message.split(": ", 1)[1] for message in found] == [
        "claims.C1.tests.mean.feature: the gene set is empty; list its genes",
        "gene_sets.none: the gene set 'none' is empty; list its genes, or take it out",
    ]


@pytest.mark.parametrize("name", ["hgnc", "hallmark"])
def test_a_data_set_has_not_the_name_of_a_reference(name: str, tmp_path: Path) -> None:
    values = expression_study(expression_test(datasets=["a", "b", name]), enrichment_test())
    values["datasets"][name] = geo_dataset(series="GSE3")
    (found,) = mistakes_of(values, tmp_path)
    assert found.startswith(f"{line_of(tmp_path, name)}: datasets.{name}: ")
    assert "is also the name of a library or of a table that the study needs; choose another" in found


def test_a_ranking_is_of_a_test_that_is_there(tmp_path: Path) -> None:
    wrong = enrichment_test(**{"with": {"ranking": {"test": "upp"}}})
    (found,) = mistakes_of(expression_study(expression_test(), wrong), tmp_path)
    assert "tests.set_up.with: no test 'upp'; did you mean up?; name a test of this study" in found


def test_a_ranking_is_of_genes(tmp_path: Path) -> None:
    wrong = enrichment_test(datasets=["a"], **{"with": {"ranking": {"test": "seen"}}})
    (found,) = mistakes_of(expression_study(expression_test(), wrong, GATE), tmp_path)
    assert "test 'seen' is detection and ranks no genes; name a differential_expression test" in found


def test_a_ranking_is_of_the_same_data_set(tmp_path: Path) -> None:
    (found,) = mistakes_of(expression_study(expression_test(datasets=["b"]), enrichment_test()), tmp_path)
    assert "tests.set_up.with: test 'up' does not run on a; add that to its data sets" in found


def test_enrichment_needs_a_ranking(tmp_path: Path) -> None:
    without = enrichment_test()
    del without["with"]
    (found,) = mistakes_of(expression_study(expression_test(), without), tmp_path)
    assert "gene_set_enrichment ranks genes by another test; add with: {ranking: {test:" in found


def test_a_score_without_an_interval_is_no_primary_test(tmp_path: Path) -> None:
    tests = enrichment_test(role="primary"), expression_test(role="supporting")
    (found,) = mistakes_of(expression_study(*tests), tmp_path)
    assert "test set_up: gene_set_enrichment without an interval decides nothing; make it a gate" in found


def test_over_representation_has_an_interval_and_may_decide(tmp_path: Path) -> None:
    tests = enrichment_test(role="primary", method="over_representation"), expression_test(role="supporting")
    assert read_study(write_study(expression_study(*tests), tmp_path)).claims[0].decision is not None


def test_detection_looks_at_one_gene(tmp_path: Path) -> None:
    wrong = GATE | {"feature": {"gene_set": "ifn"}}
    (found,) = mistakes_of(expression_study(expression_test(), enrichment_test(), wrong), tmp_path)
    assert "tests.seen.feature: detection looks at one gene; name it under gene" in found


def test_an_analysis_of_expression_needs_expression(tmp_path: Path) -> None:
    values = expression_study()
    values["datasets"]["a"] = dataset()
    found = mistakes_of(values, tmp_path)
    assert len(found) == 2
    assert "differential_expression runs on expression, but data set 'a' holds mutations" in found[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"expression": "supplementary"}, "has a list `supplementary` of its files"),
        ({"supplementary": [{"file": "x", "feature": "gene", "columns": ["A"]}]}, "has a list `supplementary`"),
        ({"series": "GSM1"}, "series: found 'GSM1'"),
        ({"derive": {"drug": {"values": {"X": ""}}}}, "'X' has no text or an empty one"),
        ({"derive": {"drug": {"values": {}}}}, "say which column it comes from"),
        ({"derive": {"drug": {"values": {"X": "x"}, "shuffle": True}}}, "give values, or shuffle: true"),
        ({"confirmed": False}, "confirmed: false needs `expect`"),
    ],
)  # fmt: skip
def test_mistakes_in_a_series_are_told(change: dict[str, Any], expected: str, tmp_path: Path) -> None:
    values = expression_study()
    values["datasets"]["a"] |= change
    found = mistakes_of(values, tmp_path)
    assert any(expected in message for message in found), found


XENA = {"source": "xena", "hub": "a-hub", "matrix": "m.gz", "sample_table": "p", "independent": True}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, "rows that are Ensembl ids need `probe_map`"),
        ({"features": "ensembl"}, "or say features: symbol where symbols name the rows"),
        ({"features": "symbol", "probe_map": "genes"}, "features: symbol has no `probe_map`"),
        ({"features": "symbol", "probe_map": ""}, "probe_map: found ''"),
        ({"features": "entrez"}, "features: found 'entrez'"),
    ],
)
def test_what_names_the_rows_of_a_matrix_and_its_probe_map_go_together(
    names: dict[str, str], expected: str, tmp_path: Path
) -> None:
    values = expression_study()
    tier = values["datasets"]["a"]["tier"]
    values["datasets"]["a"] = XENA | {"tier": tier, "values": "log2_normalised_count_plus_1"} | names
    (found,) = mistakes_of(values, tmp_path)
    assert re.match(r"\d+: datasets\.a", found)
    assert expected in found
    assert "\n" not in found


@pytest.mark.parametrize("names", [{"probe_map": "genes"}, {"features": "symbol"}])
def test_a_matrix_of_either_names_is_read(names: dict[str, str], tmp_path: Path) -> None:
    values = expression_study()
    tier = values["datasets"]["a"]["tier"]
    normalised = {"values": "log2_normalised_count_plus_1", "purity_column": "purity"}
    values["datasets"]["a"] = XENA | {"tier": tier} | normalised | names
    assert read_study(write_study(values, tmp_path)).datasets["a"].purity_column == "purity"  # type: ignore[union-attr]


def test_the_trex1_study_holds_all_its_claims_with_a_reason_or_a_test() -> None:
    study = read_study(ROOT / "seeds" / "trex1_sting.yaml")
    assert [claim.id for claim in study.claims] == [f"T{number}" for number in range(1, 16)]
    assert all(claim.tests or claim.no_public_data or claim.not_testable for claim in study.claims)
