"""The published file, opened as a user opens it: by every DuckDB that is promised, with names that hold over the next syncs."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.report import figures
from dcycle_pipeline.sandbox import Sandbox, demo_world
from tests.conftest import Synced, settings_for, sync
from tests.docs.markdown import ROOT
from tests.docs.test_queries import QUERIES as DOCS

# The oldest that is promised, the last of its line, the first that resolves the link, and the newest two lines.
PYTHON = ("1.4.0", "1.4.4", "1.5.0", "1.5.6", "2.0.1")
COMMAND_LINE = "1.5.6"
SAVED = "SELECT count(*) FROM dcycle_warehouse.dcycle.facilities"
TOTAL = "SELECT sum(co2e_kg)::VARCHAR FROM summaries.emissions_by_facility_month"
CATALOG = "SELECT current_database()"
# Before DuckDB 1.5.6, an aggregate over all rows fails at random, in one of 250 queries: https://github.com/duckdb/duckdb/issues/25713
AGGREGATE_OF_ALL = re.compile(r"(?<!row_number\(\)) over *\( *\)", re.IGNORECASE)
FAILS_BEFORE = """WITH one AS (SELECT 1 AS x), rows AS (
    SELECT * FROM one WHERE x > 1 UNION ALL SELECT * FROM one WHERE NOT EXISTS (FROM one WHERE x > 1)
) SELECT count(*) OVER () FROM rows ORDER BY x"""
IN_PYTHON = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    answers = [str(connection.execute(query).fetchall()[0][0]) for query in json.load(sys.stdin)]
print(json.dumps([duckdb.__version__, answers]))
"""


@dataclass(frozen=True)
class Client:
    """A DuckDB of some version in a process of its own."""

    version: str
    installed: Path
    is_command_line: bool

    def ask(self, file: Path, queries: list[str]) -> list[str]:
        """The first value of each query's answer, as text."""
        if self.is_command_line:
            return self._ask_command_line(file, queries)
        command = [sys.executable, "-c", IN_PYTHON, str(file)]
        environment = {**os.environ, "PYTHONPATH": str(self.installed)}
        said = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, input=json.dumps(queries)
        )
        version, answers = json.loads(said.stdout)
        assert version == self.version
        return list(answers)

    def _ask_command_line(self, file: Path, queries: list[str]) -> list[str]:
        program = self.installed / "duckdb_cli" / "duckdb"
        answers = []
        for query in queries:
            command = [str(program), "-readonly", "-bail", "-jsonlines", str(file), "-c", query]
            said = subprocess.run(command, check=True, capture_output=True, text=True)
            assert not said.stderr, said.stderr
            lines = said.stdout.splitlines()
            answers.append(str(next(iter(json.loads(lines[0]).values()))) if lines else "")
        return answers


@pytest.fixture(scope="module", params=[*PYTHON, "command line"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    is_command_line = request.param == "command line"
    version = COMMAND_LINE if is_command_line else request.param
    target = tmp_path_factory.mktemp("duckdb")
    wanted = f"duckdb-cli=={version}" if is_command_line else f"duckdb=={version}"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--target", str(target), wanted], check=True)
    return Client(version, target, is_command_line)


def test_no_query_that_we_show_or_publish_needs_the_newest_duckdb() -> None:
    """Whoever runs it may have any DuckDB that is promised."""
    ours = [file for file in (ROOT / "dcycle_pipeline").rglob("*") if file.suffix in (".sql", ".py", ".md", ".j2")]
    assert len(ours) > 300
    assert [file.name for file in ours if AGGREGATE_OF_ALL.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.exhaustive
def test_our_own_duckdb_does_not_fail_at_random() -> None:
    with duckdb.connect(config={"threads": 2}) as connection:
        for _ in range(2_000):
            assert connection.execute(FAILS_BEFORE).fetchall() == [(1,)]


def counting(query: str) -> str:
    return f"SELECT count(*) FROM ({query.strip()}) AS asked"


@pytest.mark.exhaustive
def test_every_table_and_every_query_that_we_show_can_be_read(client: Client, demo: Synced) -> None:
    blocks = [block.text for _, block in DOCS if not block.text.startswith(("ATTACH", "COPY"))]
    shown = [statement for block in blocks for statement in block.split(";") if statement.strip()]
    queries = [f"SELECT count(*) FROM {table.qualified}" for table in all_tables()]
    names = [file.stem for file in (Path(figures.__file__).parent / "queries").iterdir()]
    of_the_report = [figures.query(name, 2025) for name in names]
    queries += [counting(query) for query in (*shown, *of_the_report)]
    wanted = [str(demo.query(query)[0][0]) for query in [*queries, TOTAL]]
    assert client.ask(DataFolder(demo.settings.data_dir).published, [*queries, TOTAL]) == wanted


@pytest.mark.exhaustive
def test_saved_names_hold_over_syncs(client: Client, tmp_path: Path) -> None:
    world = demo_world()
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        published = sync(settings)
        (first,) = published.query(SAVED)[0]
        assert client.ask(tmp_path / "dcycle_warehouse.duckdb", [CATALOG, SAVED]) == ["dcycle_warehouse", str(first)]
        for count in (1, 2):
            world.add_facility(world.root_id)
            sync(settings)
            answers = client.ask(tmp_path / "dcycle_warehouse.duckdb", [CATALOG, SAVED])
            assert answers == ["dcycle_warehouse", str(first + count)]
