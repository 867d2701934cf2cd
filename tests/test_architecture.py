"""The contracts on imports of pyproject.toml, what they cannot see, and the size budgets of the design."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import dcycle_pipeline

ROOT = Path(dcycle_pipeline.__file__).parent
PRIVATE = re.compile("_(?!_)")

FILES = sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    """The room that a file belongs to."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_imports_keep_their_contracts() -> None:
    # In a process of its own: it switches off the loggers that other tests listen to.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    told = subprocess.run(command, cwd=ROOT.parent, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_nothing_private_is_imported_of_libraries_or_of_each_other() -> None:
    names = [(str(path.relative_to(ROOT)), name) for path in FILES for name in imported(path)]
    assert [(path, name) for path, name in names if any(PRIVATE.match(part) for part in name.split("."))] == []


def test_the_environment_has_one_reader() -> None:
    readers = {part(path) for path in FILES if "os.environ" in path.read_text(encoding="utf-8")}
    assert readers == {"settings"}


def test_files_and_functions_are_small() -> None:
    long_files = {str(path): n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 260}
    assert not long_files
    lengths = sorted(node.end_lineno - node.lineno + 1 for path in FILES for node in functions(path) if node.end_lineno)
    assert lengths[-1] <= 60
    assert lengths[len(lengths) * 9 // 10] <= 30
    assert lengths[len(lengths) // 2] <= 10


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        path
        for path in FILES
        if path.read_text(encoding="utf-8") and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent
