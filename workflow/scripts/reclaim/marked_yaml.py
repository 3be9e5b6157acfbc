"""YAML 1.2 with the line of every key, so that an error can point at its place in the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt
from ruamel.yaml.scalarstring import ScalarString

from reclaim.errors import UserError

Step = str | int


class MarkedDocument:
    """A parsed document: `data` in plain Python types, `line(path)` for the place of any key.

    YAML 1.2 rules apply: `no` is a string, `1e-5` a number, and a key that stands twice is an error.
    """

    def __init__(self, path: Path, tree: Any) -> None:
        self.path = path
        self.data = _plain(tree)
        self._tree = tree

    def line(self, path: Sequence[Step]) -> int:
        """Line (from 1) of the deepest part of `path` that is in the document."""
        node, line = self._tree, 1
        for step in path:
            if isinstance(node, CommentedMap) and step in node:
                line = node.lc.key(step)[0] + 1
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                line = node.lc.item(step)[0] + 1
            else:
                continue  # a step of the model that the file does not spell, such as a union's tag
            node = node[step]
        return line

    def place(self, path: Sequence[Step]) -> str:
        """`file:line: dotted.path`, list entries by their id where they have one."""
        names: list[str] = []
        node: Any = self.data
        for step in path:
            if isinstance(node, dict) and step in node:
                node = node[step]
                names.append(str(step))
            elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                node = node[step]
                names.append(str(node.get("id", step)) if isinstance(node, dict) else str(step))
        return f"{self.path}:{self.line(path)}: {'.'.join(names)}".removesuffix(": ")


def read_marked_yaml(path: Path) -> MarkedDocument:
    """Read one YAML document; raises UserError with file and line for anything unreadable."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; give the path of a YAML file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a readable YAML file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}:{line}: byte 0x{error.object[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8 (for example: iconv -f latin1 -t utf-8)"
        ) from None
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = (error.problem or "not YAML").splitlines()[0]
        raise UserError(f"{path}:{line}: {problem}; expected YAML 1.2: mend this line") from None
    if not isinstance(tree, CommentedMap):
        raise UserError(f"{path}:1: found no keys; expected a YAML mapping (key: value)")
    return MarkedDocument(path, tree)


def _plain(node: Any) -> Any:
    if isinstance(node, CommentedMap):
        return {_plain(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, ScalarBoolean):
        return bool(node)
    if isinstance(node, ScalarFloat):
        return float(node)
    if isinstance(node, ScalarInt):
        return int(node)
    if isinstance(node, ScalarString):
        return str(node)
    return node
