"""Which modules a script depends on, read from its source."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reclaim.closure import LIBRARY, import_closure

SCRIPTS = sorted(LIBRARY.parent.glob("*.py"))


def test_a_script_needs_itself_and_what_it_imports_through_others() -> None:
    names = {
        path.relative_to(LIBRARY.parent).as_posix() for path in import_closure(LIBRARY.parent / "assess.py")
    }
    assert {"assess.py", "reclaim/__init__.py", "reclaim/verdict.py", "reclaim/pooling.py"} <= names
    assert not any(
        name.startswith(("reclaim/sources", "reclaim/simulate", "reclaim/report")) for name in names
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_closure_holds_every_module_that_is_really_loaded(script: Path) -> None:
    """Run the script's imports in a fresh interpreter and compare."""
    code = (
        "import ast, sys; tree = ast.parse(open(sys.argv[1]).read());"
        "tree.body = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))];"
        "exec(compile(tree, 'imports', 'exec'));"
        "print('\\n'.join(m.__file__ for n, m in list(sys.modules.items()) if n.split('.')[0] == 'reclaim'))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code, str(script)],
        cwd=LIBRARY.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {Path(path) for path in loaded} <= set(import_closure(script))


def test_planning_loads_no_heavy_library() -> None:
    code = "import sys, reclaim.plan, reclaim.closure; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=LIBRARY.parent, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "pandas", "scipy", "scanpy", "pandera", "matplotlib", "statsmodels"} & set(loaded)


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("analyses", ("reclaim.sources", "reclaim.report", "reclaim.verdict")),
        ("sources", ("reclaim.analyses", "reclaim.verdict", "reclaim.report")),
        ("report", ("reclaim.sources", "reclaim.analyses", "reclaim.simulate")),
    ],
)
def test_imports_run_one_way(module: str, never: tuple[str, ...]) -> None:
    for path in (LIBRARY / module).rglob("*.py"):
        for name in never:
            assert f"from {name}" not in path.read_text(), f"{path} imports {name}"


def test_no_study_is_named_in_code() -> None:
    words = ("KRAS", "RB1", "TP53", "TREX1", "GPNMB", "IKZF1", "pdac", "cdk46")
    allowed = {"claim_tests.py"}  # one docstring shows how an alteration is written
    for path in LIBRARY.rglob("*.py"):
        text = path.read_text()
        assert path.name in allowed or not re.findall(rf"\b({'|'.join(words)})", text), path
