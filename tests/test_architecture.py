"""One direction of imports, one owner for each outside library, and the size budgets of the design."""

import ast
from pathlib import Path

import pytest

import dcycle_pipeline

ROOT = Path(dcycle_pipeline.__file__).parent

# A module imports only from its own line or from lines above it.
ORDER = (
    ("errors",),
    ("schema",),
    ("settings",),
    ("data_folder",),
    ("api",),
    ("endpoints",),
    ("landing",),
    ("warehouse",),
    ("summaries",),
    ("publish",),
    ("sync",),
    ("readers",),
    ("report",),
    ("sandbox",),
    ("orchestration",),
    ("definitions",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}

OWNERS = {
    "httpx": {"api"},
    "stamina": {"api"},
    "aiolimiter": {"api"},
    "dagster": {"orchestration"},
    "zstandard": {"landing"},
    "pydantic": {"settings"},
    "pydantic_settings": {"settings"},
    "dotenv": {"settings"},
    "filelock": {"data_folder"},
    "rich": {"cli"},
    "typer": {"cli"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox"},
    "pandas": {"readers"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "vl_convert": {"report"},
}

FILES = sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    """The line of ORDER that a file belongs to."""
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upwards_and_libraries_have_owners(path: Path) -> None:
    here = part(path)
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "dcycle_pipeline" and rest and rest[0] in LEVEL and here != "__init__":
            assert LEVEL[rest[0]] <= LEVEL[here], f"{here} imports {name}, which stands below it"
        if top in OWNERS:
            assert here in OWNERS[top], f"{here} imports {top}, which belongs to {OWNERS[top]}"


def test_the_environment_has_one_reader() -> None:
    readers = {part(path) for path in FILES if "os.environ" in path.read_text(encoding="utf-8")}
    assert readers == {"settings"}


def test_every_file_has_a_place_in_the_order() -> None:
    assert {part(path) for path in FILES} - {"__init__"} == set(LEVEL)


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
