"""Every example of the documentation is run: YAML blocks through the readers, file formats against the models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from ruamel.yaml import YAML
from running import snakemake

from reclaim.claim_tests import NEEDS, MutationFrequency, MutualExclusivity, Role
from reclaim.config import WORLDS, Config, Data, check_config
from reclaim.dataset import CbioportalDataset, DatasetBase, FileDataset, MutationCalls
from reclaim.errors import UserError
from reclaim.evidence import FLAGS, OUTCOMES, EvidenceRow
from reclaim.plan import ANALYSES, make_plan
from reclaim.rules import MARGIN
from reclaim.simulate.truth import LOW_CONTENT, ODDS_RATIO, SHARE
from reclaim.study import RESERVED_IDS, Claim, Source, Study, read_study
from reclaim.verdict import VERDICTS, ClaimRow

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
DATASETS = {
    "cohort_a": f"{{source: cbioportal, study: a, patients: a, independent: true, {TIER}}}",
    "cohort_b": f"{{source: cbioportal, study: b, patients: b, independent: true, {TIER}}}",
    "counts": f"{{source: file, format: count_matrix, path: c.tsv, {SAMPLE_TABLE}, independent: true, {TIER}}}",
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
    named = [name for name in DATASETS if re.search(rf"datasets: \[[^]]*\b{name}\b", claims)]
    datasets = "".join(f"  {name}: {DATASETS[name]}\n" for name in named)
    return study_file(folder, f"{HEAD}datasets:\n{datasets}claims:\n{indent(claims, 2)}")


def with_datasets(folder: Path, datasets: str) -> Path:
    """A study whose one claim uses each of these data sets."""
    names = ", ".join(re.findall(r"^(\w+):", datasets, re.MULTILINE))
    claim = f"""\
claims:
  - id: C1
    statement: KRAS is mutated in nearly all.
    where: page 1
    gap: none
    tests:
      - {{id: share, role: primary, analysis: mutation_frequency, datasets: [{names}], feature: {{gene: KRAS}}}}
    decision: {{rule: bound, bound: nearly_all}}
"""
    return study_file(folder, f"{HEAD}datasets:\n{indent(datasets, 2)}{claim}")


def runs(path: Path) -> Study:
    """The study, read and planned: this version would run it."""
    plan = make_plan({"studies": [str(path)]}, ROOT / "seeds")
    return next(iter(plan.studies.values()))


def test_every_yaml_block_is_run() -> None:
    tags = {block.tag for block in blocks() if block.tag.startswith("yaml")}
    assert tags == {"yaml study", "yaml claim", "yaml dataset", "yaml samples", "yaml format", "yaml config"}


@pytest.mark.parametrize("block", tagged("yaml study"))
def test_whole_study(block: Block, tmp_path: Path) -> None:
    runs(study_file(tmp_path, block.text))


@pytest.mark.parametrize("block", tagged("yaml claim"))
def test_claims(block: Block, tmp_path: Path) -> None:
    assert runs(with_claims(tmp_path, block.text)).claims


@pytest.mark.parametrize("block", tagged("yaml dataset"))
def test_datasets(block: Block, tmp_path: Path) -> None:
    assert runs(with_datasets(tmp_path, block.text)).datasets


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
    for model in (*models, MutationFrequency, MutualExclusivity):
        keys = {field.alias or name for name, field in model.model_fields.items()} - {"with"}
        assert keys <= words, model
    assert set(get_args(Role)) <= first_cells(section(text, "6"))


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


def test_every_documented_error_is_tried() -> None:
    listed = first_cells(section(page("seeds/README.md"), "9"))
    assert listed == set(MISTAKES) | {"is not run by this version"}


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


def test_verdict_page_describes_every_verdict_rule_and_margin() -> None:
    text = page("docs/verdicts.md")
    assert first_cells(section(text, "Verdicts")) == set(VERDICTS)
    decision = Study.model_json_schema()["$defs"]["Claim"]["properties"]["decision"]
    rules = next(option for option in decision["anyOf"] if "discriminator" in option)["discriminator"][
        "mapping"
    ]
    assert first_cells(section(text, "Rules")) >= set(rules)
    assert first_cells(section(text, "Margins")) == set(MARGIN)


def test_readme_shows_the_verdicts_of_the_default_run(tmp_path: Path) -> None:
    done = snakemake(tmp_path / "work", "results/as_claimed/claims.tsv")
    assert done.returncode == 0, done.stdout
    table = pd.read_csv(tmp_path / "work" / "results" / "as_claimed" / "claims.tsv", sep="\t")
    shown = next(block.text for block in blocks() if block.text.startswith("claim  verdict"))
    rows = [re.split("  +", line) for line in shown.splitlines()[1:]]
    assert rows
    for claim, verdict, *rule_and_numbers, statement in rows:
        row = table.set_index("claim").loc[claim]
        assert row["verdict"] == verdict
        assert row["statement"].startswith(statement.removesuffix(" ..."))
        if rule_and_numbers:
            rule, *numbers = rule_and_numbers
            assert rule == row["rule"]
            digits = 3 if rule == "bound" else 2
            assert numbers == [f"{row[name]:.{digits}f}" for name in ("effect", "ci_low", "ci_high")]
