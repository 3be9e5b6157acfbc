"""What is shipped: the lock, the conda environment, licences, and what stands at the top level."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "config/README.md",
    "seeds/README.md",
    "docs/output.md",
    "docs/verdicts.md",
]
HOSTS = {
    "datahub.assets.cbioportal.org",
    "keepachangelog.com",
    "semver.org",
    "host",
    "data.example.org",
}
"""Hosts that the documentation may name: none of them serves packages."""

CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal"}
OTHER_LICENCE = {"docutils": "public domain and BSD; single files that are not imported are GPL"}


def normal(name: str) -> str:
    """A package name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def lock_text() -> str:
    return (ROOT / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def locked(lock_text: str) -> dict[str, str]:
    """Package -> version on Python 3.11 and Linux."""
    found = {}
    for name, version, marker in re.findall(
        r"^([a-z0-9._-]+)==(\S+)(?: ; (.*?))? \\$", lock_text, re.MULTILINE
    ):
        if "python_full_version >= '3.12'" not in marker and "win32" not in marker:
            assert normal(name) not in found, name
            found[normal(name)] = version
    return found


def direct(requirements: list[str]) -> list[str]:
    return [normal(re.split(r"[\[=<>~! ]", requirement)[0]) for requirement in requirements]


def test_lock_holds_every_direct_dependency(project: dict, locked: dict[str, str]) -> None:
    wanted = direct(project["project"]["dependencies"] + project["dependency-groups"]["dev"])
    assert set(wanted) <= set(locked)


def test_every_locked_package_has_hashes(lock_text: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock_text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_lock_names_no_place_to_fetch_from(lock_text: str) -> None:
    assert "://" not in lock_text
    assert set(re.findall(r"--[a-z-]+", re.sub(r"#.*", "", lock_text))) == {"--hash"}


def test_conda_environment_has_the_versions_of_the_lock(project: dict, locked: dict[str, str]) -> None:
    environment = YAML(typ="safe").load((ROOT / "envs" / "reclaim.yaml").read_text())
    assert environment["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    pins = dict(entry.split("=") for entry in environment["dependencies"])
    assert pins.pop("python") == "3.11"
    wanted = direct(project["project"]["dependencies"])
    assert {normal(name): version for name, version in pins.items()} == {
        CONDA_NAMES.get(name, name): locked[name] for name in wanted
    }


def test_no_locked_package_is_gpl_only(locked: dict[str, str]) -> None:
    copyleft = {}
    for name in locked:
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform
        classifiers = [entry for entry in about.get_all("Classifier") or [] if entry.startswith("License")]
        licence = about.get("License-Expression") or " ".join(classifiers) or about.get("License") or ""
        if re.search(r"GPL|General Public", licence) and not re.search(r"Lesser|LGPL", licence):
            copyleft[name] = licence
    assert set(copyleft) <= set(OTHER_LICENCE)


def test_the_environment_is_the_locked_one(locked: dict[str, str]) -> None:
    """At least for what is imported: another version would test something else than what is shipped."""
    for name in ("numpy", "pandas", "scipy", "snakemake", "statsmodels", "pydantic"):
        marker = metadata.version(name)
        assert re.search(
            rf"^{name}=={re.escape(marker)}\b", (ROOT / "requirements.lock").read_text(), re.MULTILINE
        )


@pytest.mark.parametrize("page", DOCS)
def test_documentation_names_known_hosts_only(page: str) -> None:
    hosts = set(re.findall(r"https?://([^/\s)\"'>]+)", (ROOT / page).read_text(encoding="utf-8")))
    assert hosts <= HOSTS


@pytest.mark.parametrize("page", [page for page in DOCS if page.endswith(".md")])
def test_links_of_the_documentation_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert anchor in anchors, target


def test_top_level() -> None:
    """What a visitor sees; everything that a run makes is ignored by git."""
    there = {path.name for path in ROOT.iterdir()}
    assert there >= {
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "Snakefile",
        "pyproject.toml",
        "requirements.lock",
        "config",
        "docs",
        "envs",
        "profiles",
        "seeds",
        "tests",
        "workflow",
    }
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"results/", "simulated/", "logs/", ".snakemake/", ".venv/"} <= set(ignored)


def test_one_version_everywhere(project: dict) -> None:
    import reclaim

    version = project["project"]["version"]
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    assert reclaim.__version__ == citation["version"] == version
    assert version in (ROOT / "CHANGELOG.md").read_text()
    assert citation["license"] == project["project"]["license"]


def test_citation_has_what_the_format_demands() -> None:
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert all(citation[key] for key in ("message", "title", "authors"))


def test_readme_names_every_target_of_the_makefile_that_users_need() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"help", "run", "worlds", "test", "lint", "lock", "schemas"} <= set(targets)
    named = set(re.findall(r"(?<!install )\bmake ([a-z]+)", (ROOT / "README.md").read_text()))
    assert {"run", "test", "worlds"} <= named <= set(targets)


def test_ci_runs_the_command_of_the_readme_last() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert commands[-1] == "make test"
    assert "run: bash .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
