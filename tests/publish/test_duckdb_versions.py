"""The published file opens in the oldest DuckDB that is promised, installed beside ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.sandbox import Sandbox, demo_world
from tests.conftest import settings_for, sync

OLDEST = "1.4.0"
READ = """
import duckdb, json, sys
connection = duckdb.connect()
connection.execute(f"ATTACH '{sys.argv[1]}' AS published (READ_ONLY)")
connection.execute("USE published")
tables = json.loads(sys.argv[2])
counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables}
total = connection.execute("SELECT sum(co2e_kg)::VARCHAR FROM summaries.emissions_by_facility_month").fetchall()[0][0]
print(json.dumps({"version": duckdb.__version__, "counts": counts, "total": total}))
"""


@pytest.fixture(scope="module")
def oldest_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("duckdb")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--target", str(target), f"duckdb=={OLDEST}"], check=True)
    return target


def test_the_oldest_promised_duckdb_reads_every_table(oldest_duckdb: Path, tmp_path: Path) -> None:
    world = demo_world()
    with Sandbox(world) as sandbox:
        published = sync(settings_for(sandbox, tmp_path))
    names = [table.qualified for table in all_tables()]
    command = [sys.executable, "-c", READ, str(tmp_path / "dcycle.duckdb"), json.dumps(names)]
    environment = {**os.environ, "PYTHONPATH": str(oldest_duckdb)}
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
    assert answer["version"] == OLDEST
    assert answer["counts"] == {name: published.query(f"SELECT count(*) FROM {name}")[0][0] for name in names}
    assert answer["total"] == str(
        published.query("SELECT sum(co2e_kg) FROM summaries.emissions_by_facility_month")[0][0]
    )
