"""Every example of the documentation is run: YAML blocks through the readers, file formats against the models."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from running import snakemake

from reclaim.analyses.differential_expression import BY_UNIT, MIN_SET_SHARE
from reclaim.analyses.gene_set_enrichment import MAX_SIZE, MIN_SIZE
from reclaim.claim_row import VERDICTS, ClaimRow
from reclaim.claim_tests import (
    NEEDS,
    AnyTest,
    BoundAndDeregulated,
    Coexpression,
    Dependency,
    Detection,
    DifferentialExpression,
    EventShare,
    GeneSetEnrichment,
    MutationFrequency,
    MutualExclusivity,
    PeakColocalization,
    Role,
    Survival,
    TargetGenes,
)
from reclaim.config import WORLDS, Config, Data, check_config
from reclaim.count_model import fit_counts
from reclaim.dataset import (
    CbioportalDataset,
    CbioportalExpressionDataset,
    ChipAtlasDataset,
    DatasetBase,
    DepmapDataset,
    ExpressionKeys,
    FileDataset,
    FurtherTable,
    GdcDataset,
    GeoDataset,
    MutationCalls,
    XenaDataset,
)
from reclaim.endpoint import Endpoint
from reclaim.errors import UserError
from reclaim.evidence import FLAGS, OUTCOMES, EvidenceRow
from reclaim.expression import UNITS
from reclaim.expression_dataset import DerivedColumn, SupplementaryTable
from reclaim.features import to_symbols
from reclaim.grounds import MIN_PER_ARM
from reclaim.judging import SHOWN_ONLY
from reclaim.margins import MARGIN
from reclaim.plan import ANALYSES, make_plan
from reclaim.pooling import prevalence
from reclaim.reference import EnrichrLibrary, GeneSetFile, MsigdbCollection
from reclaim.region_dataset import Cells
from reclaim.report.words import SCALES
from reclaim.rules import MARKED_LOG2_FOLD_CHANGE
from reclaim.simulate import depmap
from reclaim.simulate.cell_lines import CASE_LINES, KINDS, OTHER_LINES
from reclaim.simulate.design import REPLICATES, STRATA
from reclaim.simulate.effects import (
    EFFECT,
    GATE_EFFECT,
    LIBRARY_SET_SIZE,
    NUISANCE_EFFECT,
    NUISANCE_SHARE,
    STRATUM_SPREAD,
)
from reclaim.simulate.expression import BACKGROUND_GENES
from reclaim.simulate.hgnc import hgnc_complete_set
from reclaim.simulate.truth import LOW_CONTENT, ODDS_RATIO, SHARE
from reclaim.study import Claim, LibrarySet, Source, Study
from reclaim.study_file import read_study
from reclaim.study_mistakes import RESERVED_IDS
from reclaim.symbols import How, SymbolTable

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "config/README.md",
    "seeds/README.md",
    "docs/output.md",
    "docs/verdicts.md",
]
TIER = "tier: {disease: same, system: same, perturbation: same, readout: same, time: same}"
SAMPLE_TABLE = "sample_table: {path: samples.tsv, sample: S, patient: P}"
LINES = f"source: geo, expression: ncbi_counts, independent: true, {TIER}"
DRUG = "drug: {values: {active: inhibitor, vehicle: DMSO}}"
GENOTYPE = "genotype: {values: {knock-out: KO, wild type: WT}}"
TISSUE = (
    "source: xena, hub: a-hub, matrix: tpm.gz, values: log2_tpm_plus_0.001, sample_table: samples.txt, "
    "probe_map: genes.probemap, source_column: study, samples: {study: S}"
)
ENDPOINTS = "endpoints: {overall_survival: {time: OS_MONTHS, time_unit: months, event: OS_STATUS, event_values: [DEAD]}}"
RECEPTORS = "derive: {er: {from: ER_STATUS}, pr: {from: PR_STATUS}}"
TUMOURS = (
    "source: xena, hub: a-hub, matrix: HiSeqV2.gz, values: log2_normalised_count_plus_1, features: symbol, "
    f"sample_table: clinical, {ENDPOINTS}, {RECEPTORS}"
)
PATIENTS = (
    "source: cbioportal_expression, study: e, profile: data_mrna.txt, values: log2_intensity, "
    f"{ENDPOINTS}, {RECEPTORS}"
)
DATASETS = {
    "cohort_a": f"{{source: cbioportal, study: a, patients: a, independent: true, {TIER}}}",
    "cohort_b": f"{{source: cbioportal, study: b, patients: b, independent: true, {TIER}}}",
    "counts": f"{{source: file, format: count_matrix, path: c.tsv, {SAMPLE_TABLE}, independent: true, {TIER}}}",
    "lines_a": f"{{{LINES}, series: GSE1, patients: a, derive: {{{DRUG}, {GENOTYPE}}}}}",
    "lines_b": f"{{{LINES}, series: GSE2, patients: b, derive: {{{DRUG}}}}}",
    "myeloma_lines": f"{{{LINES}, series: GSE3, patients: f}}",
    "tissue": f"{{{TISSUE}, patients: c, independent: true, {TIER}}}",
    "tumours_a": f"{{{TUMOURS}, patients: d, independent: true, {TIER}}}",
    "tumours_b": f"{{{PATIENTS}, patients: e, independent: true, {TIER}}}",
    "myeloma_factors": "{source: chip_atlas, cells: [{name: MM.1S, matches: 'MM.?1S', system: same}], "
    f"{TIER}, independent: true}}",
    "crispr": f"{{source: depmap, release: 24Q4, independent: true, {TIER}}}",
}
"""Data sets that claims of the documentation name."""

HEAD = """\
id: example
title: An example of the documentation
source: {kind: other, document: a page, date: 2026-01-01}
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its tag (`yaml claim`), its text, and where it stands."""

    page: str
    line: int
    tag: str
    text: str


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+ ?\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            found.append(Block(page, text[: match.start()].count("\n") + 1, match[1], match[2]))
    return found


def tagged(tag: str) -> list[Any]:
    return [pytest.param(block, id=f"{block.page}:{block.line}") for block in blocks() if block.tag == tag]


def indent(text: str, by: int) -> str:
    return re.sub(r"^(?=.)", " " * by, text, flags=re.MULTILINE)


def study_file(folder: Path, text: str) -> Path:
    identifier = re.search(r"^id: (\w+)", text, re.MULTILINE)
    assert identifier
    path = folder / f"{identifier[1]}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def with_claims(folder: Path, claims: str) -> Path:
    """A study of these claims, with the data sets that they name."""
    named = [
        name
        for name in DATASETS
        if re.search(rf"(datasets: \[[^]]*|\b(?:peaks|expression): )\b{name}\b", claims)
    ]
    datasets = "".join(f"  {name}: {DATASETS[name]}\n" for name in named)
    sets = the_sets().text if "gene_set" in claims else ""
    return study_file(folder, f"{HEAD}{sets}datasets:\n{datasets}claims:\n{indent(claims, 2)}")


def the_sets() -> Block:
    """The example of libraries and gene sets."""
    return next(block for block in blocks() if block.tag == "yaml sets")


MUTATED = "analysis: mutation_frequency, feature: {gene: KRAS}"
CHANGED = (
    "analysis: differential_expression, feature: {gene: KRAS}, expected: positive, "
    "contrast: {case: {drug: drug}, control: {drug: vehicle}}"
)

LIVED = (
    "analysis: survival, endpoint: {time: months, time_unit: months, event: status, event_values: [dead]}, "
    "contrast: {case: {drug: drug}, control: {drug: vehicle}}, expected: positive"
)

NEEDED = (
    "analysis: dependency, feature: {gene: KRAS}, contrast: {case: {drug: drug}, control: {drug: vehicle}}"
)

BOUND = "analysis: peak_colocalization, query: IKZF1, partner: FOS"


def with_datasets(folder: Path, datasets: str) -> Path:
    """A study whose one claim uses each of these data sets, which are all of one kind."""
    names = ", ".join(re.findall(r"^(\w+):", datasets, re.MULTILINE))
    mutations = re.search(r"^  (source: cbioportal|format: maf)$", datasets, re.MULTILINE)
    clinical = re.search(r"^  format: clinical_table$", datasets, re.MULTILINE)
    regions = re.search(r"^  (source: chip_atlas|genome: hg38)", datasets, re.MULTILINE)
    knock_outs = re.search(r"^  source: depmap$", datasets, re.MULTILINE)
    test = (
        MUTATED
        if mutations
        else LIVED
        if clinical
        else BOUND
        if regions
        else NEEDED
        if knock_outs
        else CHANGED
    )
    claim = f"""\
claims:
  - id: C1
    statement: KRAS is mutated in nearly all, or higher.
    where: page 1
    gap: none
    tests:
      - {{id: one, role: primary, datasets: [{names}], {test}}}
    decision: {"{rule: bound, bound: nearly_all}" if mutations else "{rule: pooled}"}
"""
    return study_file(folder, f"{HEAD}datasets:\n{indent(datasets, 2)}{claim}")


def runs(path: Path) -> Study:
    """The study, read and planned: this version would run it."""
    plan = make_plan({"studies": [str(path)]}, ROOT / "seeds")
    return next(iter(plan.studies.values()))


def test_every_yaml_block_is_run() -> None:
    tags = {block.tag for block in blocks() if block.tag.startswith("yaml")}
    assert tags == {
        f"yaml {kind}" for kind in ("study", "claim", "dataset", "samples", "sets", "format", "config")
    }


@pytest.mark.parametrize("block", tagged("yaml study"))
def test_whole_study(block: Block, tmp_path: Path) -> None:
    runs(study_file(tmp_path, block.text))


@pytest.mark.parametrize("block", tagged("yaml claim"))
def test_claims(block: Block, tmp_path: Path) -> None:
    assert runs(with_claims(tmp_path, block.text)).claims


@pytest.mark.parametrize("block", tagged("yaml dataset"))
def test_datasets(block: Block, tmp_path: Path) -> None:
    assert runs(with_datasets(tmp_path, block.text)).datasets


def expression_claims() -> Block:
    return next(
        block for block in blocks() if block.tag == "yaml claim" and "gene_set_enrichment" in block.text
    )


def test_sets(tmp_path: Path) -> None:
    study = runs(with_claims(tmp_path, expression_claims().text))
    assert {library.source for library in study.libraries.values()} == {"enrichr", "msigdb", "gmt"}
    assert {type(one) for one in study.gene_sets.values()} == {list, LibrarySet}


def test_claims_of_expression_agree_where_they_are_planted(tmp_path: Path) -> None:
    """Through the whole workflow, in the world in which the claims are true."""
    path = with_claims(tmp_path, expression_claims().text)
    (tmp_path / "sets.gmt").write_text("RESPONSE\t\tA\tB\n", encoding="utf-8")
    done = snakemake(tmp_path / "work", "results/as_claimed/claims.tsv", "--config", f"studies=['{path}']")
    assert done.returncode == 0, done.stdout
    results = tmp_path / "work" / "results" / "as_claimed"
    rows = pd.read_csv(results / "evidence.tsv", sep="\t", keep_default_na=False)
    assert set(rows["analysis"]) == {"differential_expression", "detection", "gene_set_enrichment"}
    decides = rows[
        rows["role"].isin(["gate", "primary", "supporting"]) & (rows["test"] != "trex1_tumour_normal")
    ]
    assert set(decides["outcome"]) == {"agrees"}
    assert len(rows[rows["test"] == "trex1_tumour_normal"]) == STRATA
    ranked = rows[rows["effect_name"] == "normalised_enrichment_score"]
    assert set(ranked["outcome"]) == {"unclear"}
    assert set(ranked["flags"]) == {"circular_members"}
    claims = pd.read_csv(results / "claims.tsv", sep="\t").set_index("claim")
    assert set(claims["verdict"]) == {"consistent"}
    assert "a single cohort" in claims.loc["E3", "reason"]
    assert "a single cohort" not in claims.loc["E1", "reason"]


@pytest.mark.parametrize("block", tagged("yaml samples"))
def test_samples(block: Block, tmp_path: Path) -> None:
    cohort = f"cohort:\n  source: cbioportal\n  study: a\n  independent: true\n  {TIER}\n  samples:\n"
    study = runs(with_datasets(tmp_path, cohort + indent(block.text, 4)))
    assert study.datasets["cohort"].samples


@pytest.mark.parametrize("block", tagged("yaml format"))
def test_format_that_is_not_run_yet(block: Block, tmp_path: Path) -> None:
    path = with_claims(tmp_path, block.text)
    assert read_study(path).claims
    with pytest.raises(UserError, match="is not run by this version"):
        runs(path)


@pytest.mark.parametrize("block", tagged("yaml config"))
def test_config(block: Block) -> None:
    check_config(YAML(typ="safe").load(block.text))


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """Words in backticks in the first cell of every table row."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def section(text: str, title: str) -> str:
    """From the heading that starts with `title` to the next one of its level or above."""
    start = re.search(rf"^(#+) {re.escape(title)}", text, re.MULTILINE)
    assert start, title
    end = re.search(rf"^#{{1,{len(start[1])}}} ", text[start.end() :], re.MULTILINE)
    return text[start.start() : start.end() + end.start() if end else None]


def test_config_page_explains_every_key() -> None:
    keys = {key for key in Config.model_fields if key != "data"} | {
        f"data.{key}" for key in Data.model_fields
    }
    assert first_cells(page("config/README.md")) == keys


def test_study_page_explains_every_key() -> None:
    text = page("seeds/README.md")
    words = set(re.findall(r"[a-z0-9_]+", text))
    models = (Study, Source, Claim, DatasetBase, MutationCalls, CbioportalDataset, FileDataset)
    of_expression = (
        ExpressionKeys,
        DerivedColumn,
        GeoDataset,
        SupplementaryTable,
        XenaDataset,
        FurtherTable,
        GdcDataset,
        CbioportalExpressionDataset,
        DepmapDataset,
    )
    of_regions = (ChipAtlasDataset, Cells)
    sets = (LibrarySet, EnrichrLibrary, MsigdbCollection, GeneSetFile)
    tests = (MutationFrequency, MutualExclusivity, DifferentialExpression, Detection, GeneSetEnrichment)
    tests = (
        *tests,
        Coexpression,
        Survival,
        EventShare,
        PeakColocalization,
        Dependency,
        TargetGenes,
        BoundAndDeregulated,
    )
    assert len(tests) == len(ANALYSES)
    for model in (*models, *of_expression, *of_regions, *sets, *tests, Endpoint):
        keys = {field.alias or name for name, field in model.model_fields.items()}
        assert keys <= words, model
    assert set(get_args(Role)) <= first_cells(section(text, "6"))


# The examples of tests on peaks and knock-outs, through the whole workflow in one run

RUN = (
    "analysis: peak_colocalization",
    "analysis: target_genes",
    "analysis: bound_and_deregulated",
    "analysis: dependency",
)
"""What their blocks hold."""


@pytest.fixture(scope="module")
def run_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results in the world in which the claims are true, with the report, and in the reversed one."""
    folder = tmp_path_factory.mktemp("examples")
    text = [
        next(one.text for one in blocks() if one.tag == "yaml claim" and analysis in one.text)
        for analysis in RUN
    ]
    path = with_claims(folder, "".join(text))
    targets = ["results/as_claimed/report.html", "results/reversed/claims.tsv"]
    done = snakemake(folder / "work", *targets, "--config", f"studies=['{path}']", "panel=false")
    assert done.returncode == 0, done.stdout
    return folder / "work" / "results"


def rows_of(results: Path, world: str, analysis: str) -> pd.DataFrame:
    rows = pd.read_csv(results / world / "evidence.tsv", sep="\t", keep_default_na=False)
    rows = rows[rows["analysis"] == analysis].set_index("test")
    return rows.assign(n_events=pd.to_numeric(rows["n_events"], errors="coerce"))


def claims_of(results: Path, world: str) -> pd.DataFrame:
    return pd.read_csv(results / world / "claims.tsv", sep="\t").set_index("claim")


def test_the_claim_of_peaks_agrees_where_it_is_planted(run_of_examples: Path) -> None:
    """Regions that any antigen binds, and candidate elements at the strongest peaks."""
    rows = rows_of(run_of_examples, "as_claimed", "peak_colocalization")
    assert list(rows["outcome"]) == ["agrees", "agrees"]
    assert rows["note"].str.contains(r"rank 1 among \d\d other antigens of the same cells").all()
    # Other regions, and another number of peaks.
    assert rows.loc["ikzf1_fos", "n"] != rows.loc["ikzf1_fos_strongest", "n"]
    assert json.loads(rows.loc["ikzf1_fos_strongest", "groups"])["FOS"] <= 2000
    assert claims_of(run_of_examples, "as_claimed").loc["R1", "verdict"] == "consistent"


def test_the_claim_of_target_genes_agrees_where_it_is_planted(run_of_examples: Path) -> None:
    """With expression beside the peaks, and with a partner."""
    found = {world: rows_of(run_of_examples, world, "target_genes") for world in ("as_claimed", "reversed")}
    assert found["as_claimed"].loc["ikzf1_targets", "outcome"] == "agrees"
    assert set(found["as_claimed"]["n_events"]) == {8}
    assert "agrees" not in set(found["reversed"]["outcome"])
    assert set(found["reversed"]["n_events"]) == {0}
    full = pd.read_parquet(run_of_examples / "as_claimed/example/ikzf1_targets/myeloma_factors.parquet")
    assert set(full["effect_name"]) == {"regulatory_potential"}
    assert len(full) > 1000
    report = (run_of_examples / "as_claimed" / "report.html").read_text(encoding="utf-8")
    for told in (
        "8 of 8 named genes with a peak",
        "that shares a base with one of FOS",
        "named genes with a peak / named",
    ):
        assert told in report


def test_the_claim_of_bound_genes_agrees_where_it_is_planted(run_of_examples: Path) -> None:
    found = {
        world: rows_of(run_of_examples, world, "bound_and_deregulated")
        for world in ("as_claimed", "reversed")
    }
    outcomes = {world: set(rows.loc[rows["role"] == "primary", "outcome"]) for world, rows in found.items()}
    assert outcomes["as_claimed"] == {"agrees"}
    assert "agrees" not in outcomes["reversed"]
    assert claims_of(run_of_examples, "as_claimed").loc["R2", "verdict"] == "consistent"


def test_the_claims_of_gene_effects_agree_where_they_are_planted(run_of_examples: Path) -> None:
    rows = rows_of(run_of_examples, "as_claimed", "dependency")
    assert set(rows["outcome"]) == {"agrees"}
    assert rows["effect_name"].to_dict() == {
        "irf4_needed": "gene_effect",
        "polr2a_needed": "gene_effect",
        "irf4_more": "gene_effect_difference",
    }
    claims = claims_of(run_of_examples, "as_claimed")
    assert list(claims.loc[["D1", "D2"], "verdict"]) == ["consistent", "consistent"]
    assert "a mean of one group of lines has no labels to permute" in claims.loc["D1", "reason"]
    assert claims.loc["D2", "null_rate"] < 0.05
    # A single cohort keeps its own p-value, Student's.
    assert claims.loc["D1", "p_value"] == pytest.approx(float(rows.loc["irf4_needed", "p_value"]), rel=1e-4)


def choices(model: Any, key: str) -> set[str]:
    """The words that a key may hold."""
    schema = model.model_json_schema()["properties"][key]
    return {word for option in schema.get("anyOf", [schema]) for word in option.get("enum", [])}


def test_study_page_names_every_choice_of_expression() -> None:
    text = page("seeds/README.md")
    data, tests = section(text, "Expression"), section(text, "6")
    for model, key in (
        (GeoDataset, "expression"),
        (GeoDataset, "features"),
        (XenaDataset, "values"),
    ):
        assert choices(model, key)
        assert all(f"`{word}`" in data for word in choices(model, key)), key
    for model in (DifferentialExpression, GeneSetEnrichment):
        assert all(f"`{word}`" in tests for word in choices(model, "method"))
    assert set(UNITS) <= first_cells(data)
    default = {
        unit.strip(" `"): method.strip(" `")
        for unit, method in re.findall(r"^\| (`\w+`) \| (`\w+`) \|", tests, re.MULTILINE)
    }
    assert {unit: default.get(unit) for unit in UNITS} == BY_UNIT
    own = set(DifferentialExpression.model_fields) - set(AnyTest.model_fields) - {"analysis", "pseudobulk"}
    assert own <= first_cells(section(tests, "Differential expression"))


def test_study_page_says_which_analyses_run() -> None:
    text = section(page("seeds/README.md"), "6")
    assert set(ANALYSES) <= first_cells(text)
    later = text[text.index("not run yet") : text.index("Their keys")]
    assert set(re.findall(r"`([a-z_]+)`", later)) - {"no_public_data"} == set(NEEDS) - set(ANALYSES)
    reserved = re.search(r"are none of ([^.]*)\.", page("seeds/README.md"))
    assert reserved
    assert set(re.findall(r"`(\w+)`", reserved[1])) == RESERVED_IDS


def test_study_page_says_what_is_planted() -> None:
    rows = {
        cells[1]: cells[2:-1]
        for line in section(page("seeds/README.md"), "8").splitlines()
        if (cells := [cell.strip() for cell in line.split("|")]) and len(cells) == 7
    }
    assert [cell.strip("`") for cell in rows[""]] == list(WORLDS)

    def percent(shares: dict[Any, float]) -> list[str]:
        return [f"{100 * shares[world]:g} %" for world in WORLDS]

    assert rows["primary share, `rare`"] == percent(SHARE["rare"])
    assert rows["primary share, `nearly_all`"] == percent(SHARE["nearly_all"])
    assert rows["odds ratio, `expected: negative`"] == [f"{ODDS_RATIO[world]:g}" for world in WORLDS]
    assert rows["tumours of low content, mutations missed"] == percent(LOW_CONTENT)
    assert rows["log2 fold change, `expected: positive`"] == [f"{EFFECT[world]:g}" for world in WORLDS]
    assert rows["log2 fold change of a gate"] == [f"{GATE_EFFECT:g}"] * len(WORLDS)
    assert rows[f"genes that are {NUISANCE_EFFECT:g} higher (log2) in the case group"] == percent(
        {world: NUISANCE_SHARE if world == "confounded" else 0.0 for world in WORLDS}
    )
    assert rows["gene effect of the case lines, `expected: negative`"] == [
        f"{-depmap.EFFECT[world] or 0:g}" for world in WORLDS
    ]
    assert rows[f"genes whose effect is {-depmap.NUISANCE_EFFECT:g} lower in the case lines"] == percent(
        {world: NUISANCE_SHARE if world == "confounded" else 0.0 for world in WORLDS}
    )
    text = re.sub(r"\s+", " ", section(page("seeds/README.md"), "8"))
    lines, cohort, stratum = (REPLICATES[kind] for kind in ("lines", "cohort", "stratum"))
    assert lines[0] == lines[1]
    for told in (
        f"among {BACKGROUND_GENES} others",
        f"elsewhere {lines[0]} of every combination",
        f"{cohort[0]} case and {cohort[1]} control samples",
        f"{STRATA} strata with {stratum[0]} case and {stratum[1]} control samples",
        f"standard deviation of {STRATUM_SPREAD:g}",
        f"{LIBRARY_SET_SIZE} invented members",
        f"{sum(number for number, *_ in KINDS)} lines of several diseases",
        f"{CASE_LINES} case and {OTHER_LINES} control lines",
        f"lies {depmap.GATE_ROOM:g} beyond its limit",
    ):
        assert told in text


MISTAKES = {
    "unknown key 'statment'; did you mean statement?": ("statement:", "statment:"),
    "the key 'where' is missing; add it": ("    where: results, paragraph 2\n", ""),
    "unknown data set 'pdac_utws'; did you mean pdac_utsw?": ("[pdac_utsw,", "[pdac_utws,"),
    "no test uses data set 'pdac_cptac'": ("[pdac_utsw, pdac_cptac]", "[pdac_utsw]"),
    "2 data sets share the patients 'utsw' and must not be pooled": ("patients: cptac", "patients: utsw"),
    "give exactly one": ("not_testable:", "note:"),
    "tests and decision go together": ("    decision: {rule: bound, bound: rare}\n", ""),
    "has 2 primary tests": (
        "    decision:",
        "      - {id: two, role: primary, analysis: mutation_frequency, datasets: [pdac_utsw],"
        " feature: {gene: KRAS}}\n    decision:",
    ),
    "a gate, and only a gate, has passes": ("role: primary", "role: gate"),
    "mutation_frequency is decided by rule bound": ("{rule: bound, bound: rare}", "{rule: pooled}"),
    "confirmed: false needs expect": ("patients: utsw", "confirmed: false"),
    "the claim id 'B1' stands twice": ("- id: B2", "- id: B1"),
    "is not a regular expression": ("SAMPLE_TYPE: Primary", 'SAMPLE_TYPE: {matches: "("}'),
}
"""Message -> the edit of the page's first example that gives it."""


@pytest.mark.parametrize("message", MISTAKES)
def test_errors_read_as_documented(message: str, tmp_path: Path) -> None:
    old, new = MISTAKES[message]
    example = next(block.text for block in blocks() if block.tag == "yaml study")
    assert old in example
    path = study_file(tmp_path, example.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        runs(path)
    assert message in str(error.value).replace("`", "")


OF_EXPRESSION = {
    "features: probe and annotation go together": (
        "expression: ncbi_counts",
        "expression: series_matrix, features: probe",
    ),
    "are not those of annotation GPL96": (
        "expression: ncbi_counts",
        "expression: series_matrix, features: probe, platform: GPL570, annotation: GPL96",
    ),
    "has a list supplementary of its files": ("expression: ncbi_counts", "expression: supplementary"),
    "runs on expression, but data set 'cohort_a' holds mutations": ("[tissue]", "[tissue, cohort_a]"),
    "give either gene or gene_set": ("{gene: CXCL10}", "{gene: CXCL10, gene_set: sting_panel}"),
    "unknown gene set 'sting_pannel'; did you mean sting_panel?": (
        "{gene_set: sting_panel}",
        "{gene_set: sting_pannel}",
    ),
    "unknown library 'halmark'; did you mean hallmark?": ("library: hallmark", "library: halmark"),
    "no gene set is taken from library 'reactome'": ("library: reactome", "library: hallmark"),
    "gene_set_enrichment ranks genes by another test": ("        with: {ranking: {test: trex1_drug}}\n", ""),
    "is detection and ranks no genes": ("{ranking: {test: trex1_drug}}", "{ranking: {test: trex1_detected}}"),
    "does not run on lines_b": ("datasets: [lines_a, lines_b]", "datasets: [lines_a]"),
    "detection looks at one gene": (
        "{gene: TREX1}\n        at_least: 10",
        "{gene_set: sting_panel}\n        at_least: 10",
    ),
}
"""The same for its claims of expression."""


@pytest.mark.parametrize("message", OF_EXPRESSION)
def test_errors_of_expression_read_as_documented(message: str, tmp_path: Path) -> None:
    path = with_claims(tmp_path, expression_claims().text)
    old, new = OF_EXPRESSION[message]
    text = path.read_text(encoding="utf-8").replace(
        "datasets:\n", f"datasets:\n  cohort_a: {DATASETS['cohort_a']}\n", 1
    )
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError) as error:
        runs(path)
    assert message in str(error.value).replace("`", "")


def test_every_documented_error_is_tried() -> None:
    listed = first_cells(section(page("seeds/README.md"), "9"))
    assert listed == {*MISTAKES, *OF_EXPRESSION, "is not run by this version"}


def test_errors_of_data_are_those_of_the_code() -> None:
    text = section(page("seeds/README.md"), "9")
    later = re.sub(r"\s+", " ", text[text.index("Later, once") :])
    code = "".join(path.read_text() for path in (ROOT / "workflow/scripts/reclaim").rglob("*.py"))
    code = re.sub(r'"\n\s*f?"', "", code)  # one string over several lines
    told = set(re.findall(r"`([^`]+)`", later)) - {"assayed_genes", "derive", 'uns["unit"]'}
    assert len(told) > 8
    assert {message for message in told if message not in code} == set()


def columns_described(name: str, title: str) -> list[str]:
    """Names in the first column of the first table of a section, in order."""
    table = re.search(r"(?:^\|.*\n)+", section(page(name), title), re.MULTILINE)
    assert table
    return [word for row in table[0].splitlines() for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_output_page_describes_every_column() -> None:
    for title, model in (("`evidence.tsv`", EvidenceRow), ("`claims.tsv`", ClaimRow)):
        assert columns_described("docs/output.md", title) == list(model.model_fields)


def test_output_page_describes_every_outcome_and_flag() -> None:
    text = page("docs/output.md")
    assert set(FLAGS) <= first_cells(section(text, "Flags"))
    assert all(f"`{outcome}`" in text for outcome in OUTCOMES)


def test_output_page_describes_every_effect_of_the_analyses() -> None:
    told = first_cells(section(page("docs/output.md"), "Effects")) - {"effect_name"}
    code = "".join(path.read_text() for path in (ROOT / "workflow/scripts/reclaim/analyses").glob("*.py"))
    assert told == {name for name in SCALES if f'"{name}"' in code}


def test_output_page_describes_expression_as_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "hgnc.txt").write_bytes(hgnc_complete_set(["TREX1"]))
    data = ad.AnnData(np.array([[1, 2]], np.int32), uns={"unit": "counts"})
    data.var_names = ["TREX1", "no gene"]
    kept = to_symbols(data, SymbolTable.read(tmp_path / "hgnc.txt"), "symbol", Counter())
    text = section(page("docs/output.md"), "Expression")
    rows = dict(re.findall(r"^\| (`.*?`) \| (.*) \|$", text, re.MULTILINE))
    assert all(f"`{column}`" in rows["`var`"] for column in kept.var)
    assert all(f"`{column}`" in rows['`uns["features"]`'] for column in kept.uns["features"])
    assert all(f"`{unit}`" in rows['`uns["unit"]`'] for unit in UNITS)
    how = text[text.index("`how` is") :]
    assert {f"`{word}`" for option in get_args(How) for word in get_args(option) or [option]} <= set(
        re.findall(r"`\w+`", how)
    )


def test_verdict_page_names_the_numbers_of_expression() -> None:
    text = re.sub(r"\s+", " ", section(page("docs/verdicts.md"), "Expression"))
    assert f"independent filtering at {signature(fit_counts).parameters['alpha'].default:g}" in text
    assert f"drawn again {signature(prevalence).parameters['draws'].default:,} times" in text
    assert MIN_SET_SHARE == 0.5
    assert "At least half of the members" in text
    assert f"the margin of a gene is {MARKED_LOG2_FOLD_CHANGE}" in text
    assert (MIN_PER_ARM, "`supported` needs three" in text) == (3, True)
    assert set(SHOWN_ONLY) == {"normalised_enrichment_score"}
    sizes = f"Sets of {MIN_SIZE} to {MAX_SIZE} measured members"
    assert sizes in page("seeds/README.md").replace("\n", " ")


def test_verdict_page_describes_every_verdict_rule_and_margin() -> None:
    text = page("docs/verdicts.md")
    assert first_cells(section(text, "Verdicts")) == set(VERDICTS)
    decision = Study.model_json_schema()["$defs"]["Claim"]["properties"]["decision"]
    rules = next(option for option in decision["anyOf"] if "discriminator" in option)["discriminator"][
        "mapping"
    ]
    assert first_cells(section(text, "Rules")) >= set(rules)
    assert first_cells(section(text, "Margins")) == set(MARGIN)
