"""Which library modules a script imports, directly or through others: its inputs beside the data."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent


def import_closure(script: Path) -> list[Path]:
    """The script and every module of this library that it may import, sorted.

    Read from the source, nothing is imported. Imports inside functions count.
    """
    found: set[Path] = set()
    queue = [script]
    while queue:
        path = queue.pop()
        if path not in found:
            found.add(path)
            queue.extend(_imports(path))
    return sorted(found)


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    modules: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            modules.update(_files(name))
    return tuple(sorted(modules))


def _files(name: str) -> list[Path]:
    """Files of a module of this library, packages' __init__ included."""
    package, *rest = name.split(".")
    if package != LIBRARY.name:
        return []
    files = [LIBRARY / "__init__.py"]
    folder = LIBRARY
    for part in rest:
        module, folder = folder / f"{part}.py", folder / part
        if module.is_file():
            files.append(module)
        elif (folder / "__init__.py").is_file():
            files.append(folder / "__init__.py")
    return files
