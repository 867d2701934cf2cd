"""README stays true: its commands, variables, tables, queries and dependencies are those of the package."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import typer

from dcycle_pipeline.cli import app
from dcycle_pipeline.orchestration.jobs import JOB
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.sandbox import Sandbox, demo_world
from dcycle_pipeline.settings import Settings
from tests.conftest import settings_for, sync

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows_of_table(header: str) -> list[list[str]]:
    """The rows below the Markdown table header that starts like this."""
    lines = README[README.index(header) :].splitlines()[2:]
    taken = []
    for line in lines:
        if not line.startswith("|"):
            break
        taken.append([cell.strip() for cell in line.strip("|").split("|")])
    return taken


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_settings_table_lists_every_variable_with_its_default() -> None:
    shown = {names(row[0])[0]: row[1].strip("`") for row in rows_of_table("| variable | default |")}
    expected = {}
    for field_name, field in Settings.model_fields.items():
        default = "" if field.is_required() or field.default is None else str(field.default).lower()
        expected[f"DCYCLE_{field_name.upper()}"] = "./data" if field_name == "data_dir" else default
    assert {name: default.lower() for name, default in shown.items()} == {k: v.lower() for k, v in expected.items()}


def test_table_list_is_that_of_the_file() -> None:
    shown = [names(row[0])[0] for row in rows_of_table("| table | one row per |")]
    assert sorted(shown) == sorted(table.qualified for table in all_tables())


def test_commands_are_those_of_the_command_line() -> None:
    shown = {names(row[0])[0] for row in rows_of_table("| command | what it does |")}
    group = typer.main.get_command(app)
    assert shown == set(group.commands)  # type: ignore[attr-defined]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    declared = {re.split(r"[<>=\[]", requirement)[0] for requirement in wanted}
    shown = {name.strip() for row in rows_of_table("| package | reason |") for name in row[0].split(",")}
    assert shown == declared


def test_dependencies_have_bounds_and_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    constraints = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        name = re.split(r"[<>=\[]", requirement)[0]
        assert ">=" in requirement
        assert re.search(rf"^{re.escape(name)}==", constraints, re.MULTILINE | re.IGNORECASE), name
    assert "http://" not in constraints
    assert "https://" not in constraints


def test_layout_table_names_what_is_there() -> None:
    shown = {name for row in rows_of_table("| in `dcycle_pipeline/` |") for name in names(row[0])}
    there = {path.name + ("/" if path.is_dir() else "") for path in (ROOT / "dcycle_pipeline").iterdir()}
    assert shown == there - {"__init__.py", "__main__.py", "__pycache__/"}


def test_dagster_section_names_the_job_and_workspace() -> None:
    assert f"the job `{JOB}`" in README
    assert "dcycle_pipeline.definitions" in (ROOT / "workspace.yaml").read_text(encoding="utf-8")
    assert "enabled: false" in (ROOT / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Sandbox(demo_world()) as sandbox:
        settings = settings_for(sandbox, tmp_path_factory.mktemp("readme"))
        sync(settings)
    return settings.data_dir / "dcycle.duckdb"


QUERIES = re.findall(r"```sql\n(.*?)```\n\n(\|.*?)\n\n", README, re.DOTALL)


def test_there_are_three_queries() -> None:
    assert len(QUERIES) == 3


@pytest.mark.parametrize(("query", "shown"), QUERIES)
def test_queries_give_what_is_shown(demo_file: Path, query: str, shown: str) -> None:
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]
    with duckdb.connect(str(demo_file), read_only=True) as connection:
        cursor = connection.execute(query)
        assert [column[0] for column in cursor.description] == header
        found = [[_text(value) for value in row] for row in cursor.fetchall()]
    assert found == rows


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
