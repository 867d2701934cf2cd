"""A command loads only what it needs, and none loads what libraries only take along because it is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcycle_pipeline.__main__ import UNUSED
from tests.cli.conftest import Account

ASKED = """
import json, sys
sys.argv = ["dcycle-pipeline", *{words!r}]
from dcycle_pipeline.__main__ import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(list(sys.modules)))
"""
VERBS = [
    "backfill",
    "demo",
    "doctor",
    "explain",
    "export",
    "facilities",
    "init",
    "redate",
    "replay",
    "report",
    "resolve",
    "rollback",
    "sandbox",
    "status",
    "sync",
]
FIGURE = ["explain", "f-large", "2025-03"]
# What no command without a DAGSTER_HOME loads, but the one that is made for it; what looks and what only helps load less.
HEAVY = {
    "apprise",
    "dagster",
    "opentelemetry",
    "starlette",
    "uvicorn",
    "vl_convert",
    "xlsxwriter",
    "yaml",
    "psycopg",
    *UNUSED,
}
NOT_TO_READ = HEAVY | {"aiohttp", "httpx", "httpx_aiohttp", "jinja2", "pyarrow", "pydantic", "rich.progress"}
NOT_TO_HELP = NOT_TO_READ | {"duckdb", "filelock", "msgspec", "rich", "zstandard"}


def loaded(words: list[str], cwd: Path, **environment: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    result = subprocess.run(
        [sys.executable, "-c", ASKED.format(words=words)],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.quick(2)
@pytest.mark.parametrize("words", [[], *([verb] for verb in VERBS)], ids=" ".join)
def test_help_loads_nothing_that_works(words: list[str], tmp_path: Path) -> None:
    assert not loaded([*words, "--help"], tmp_path) & NOT_TO_HELP


@pytest.mark.quick(3)
@pytest.mark.parametrize("words", [["status"], ["facilities"], FIGURE, ["status", "--json"], ["resolve"]], ids=" ".join)
def test_what_reads_the_published_file_loads_neither_the_api_nor_what_writes(
    words: list[str], synced: Account, tmp_path: Path
) -> None:
    found = loaded(words, tmp_path, **synced.environment)
    assert "duckdb" in found
    assert not found & NOT_TO_READ


@pytest.mark.quick(1)
@pytest.mark.parametrize("words", [["doctor"], ["rollback", "--list"], ["init", "new"]], ids=" ".join)
def test_what_looks_further_loads_neither_dagster_nor_a_server_nor_a_drawing_engine(
    words: list[str], synced: Account, tmp_path: Path
) -> None:
    assert not loaded(words, tmp_path, **synced.environment) & HEAVY


@pytest.mark.quick(1)
@pytest.mark.parametrize("words", [["sync"], ["report", "--output", "report.html"]], ids=" ".join)
def test_what_works_loads_no_dagster_and_nothing_unused(words: list[str], synced: Account, tmp_path: Path) -> None:
    data = tmp_path / "data" if words == ["sync"] else synced.data
    assert not loaded(words, tmp_path, **synced.environment | {"DCYCLE_DATA_DIR": str(data)}) & HEAVY
    assert (tmp_path / "report.html").exists() or (data / "report.html").exists()
