"""The installed program as a process of its own: what it prints where, and that it leaves nothing behind."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import PROGRAM, spawn, variables
from tests.conftest import CHILD, ROOT


def everything_below(*folders: Path) -> set[str]:
    return {str(path) for folder in folders for path in folder.rglob("*")}


def test_demo_shows_its_tables_and_leaves_nothing_but_the_data_folder(tmp_path: Path) -> None:
    home, here, data = tmp_path / "home", tmp_path / "here", tmp_path / "data"
    here.mkdir()
    (home / "tmp").mkdir(parents=True)
    before = everything_below(home, here)
    # Variables of a real account must not reach the demo.
    mine = {"DCYCLE_API_KEY": "sk_real_9876543210", "DCYCLE_ORGANIZATION_ID": "mine"}
    result = spawn("demo", cwd=here, home=home, DCYCLE_DATA_DIR=str(data), **mine)
    assert result.returncode == 0, result.stderr
    for schema in ("dcycle: facilities (39)", "summaries: counted_records (", "sync: decisions (0)"):
        assert schema in result.stdout
    assert_its_end_leads_on(result.stdout, data, here, home)
    assert everything_below(home, here) == before
    assert "Traceback" not in result.stderr
    assert "sk_real_9876543210" not in result.stdout + result.stderr
    with duckdb.connect(str((data / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        runs = connection.execute("SELECT outcome, lists_unproven_count FROM sync.runs").fetchall()
    assert runs == [("published", 0)] * 2


@pytest.mark.exhaustive
def test_demo_in_the_same_folder_finds_that_nothing_has_changed(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        result = spawn("demo", "--json", cwd=tmp_path, home=tmp_path / "home", DCYCLE_DATA_DIR=str(tmp_path / "data"))
        assert result.returncode == 0, result.stderr
        (line,) = result.stdout.splitlines()
        said.append(json.loads(line))
    assert [answer["content_changed"] for answer in said] == [True, False]
    assert said[0]["content_hash"] == said[1]["content_hash"]
    with duckdb.connect(str((tmp_path / "data" / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        (runs,) = connection.execute("SELECT count(*) FROM sync.runs").fetchall()[0]
    assert runs == 3


def assert_its_end_leads_on(told: str, data: Path, here: Path, home: Path) -> None:
    """The last screen has tonnes by organisation, the file, the report, and three commands that work as they stand there."""
    *_, end = told.partition("\nOrganisations")
    (total,) = [line for line in end.splitlines() if line.startswith("Together ")]
    with duckdb.connect(str((data / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        query = "SELECT sum(co2e_kg) / 1000 FROM summaries.emissions_by_organization_year"
        assert total.startswith(f"Together {connection.execute(query).fetchall()[0][0]:,.3f} t CO2e")
    assert str(data / "dcycle_warehouse.duckdb") in end
    (report,) = [line.partition(": ")[2] for line in end.splitlines() if line.startswith("Report: ")]
    assert Path(report).read_text(encoding="utf-8").startswith("<!doctype html>")
    commands = end.partition("Next:\n")[2].splitlines()
    assert len(commands) == 3
    for command in commands:
        program, *words = shlex.split(command)
        assert program == str(PROGRAM)
        again = spawn(*words, cwd=here, home=home, DCYCLE_DATA_DIR=str(data))
        assert again.returncode == 0, again.stderr


@pytest.mark.exhaustive
def test_sync_prints_json_alone_and_is_seen_in_dagster(sandbox: Sandbox, tmp_path: Path) -> None:
    home, here, data, dagster_home = (tmp_path / name for name in ("home", "here", "data", "dagster"))
    here.mkdir()
    dagster_home.mkdir()
    (dagster_home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    result = spawn("sync", "--json", cwd=here, home=home, DAGSTER_HOME=str(dagster_home), **variables(sandbox, data))
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    answer = json.loads(line)
    assert (answer["exit_code"], answer["outcome"], answer["rows_count"]) == (0, "published", 142)
    assert list(here.iterdir()) == []
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        (run,) = instance.get_runs()
        assert (run.run_id, run.job_name, run.status) == (answer["run_id"], "sync", dg.DagsterRunStatus.SUCCESS)
        made = instance.get_materialized_partitions(dg.AssetKey("facilities"))
        assert {partitions.organization_of(key) for key in made} == {ROOT, CHILD}
        events = [record.event_log_entry for record in instance.get_records_for_run(run.run_id).records]
        results = [event.dagster_event.event_specific_data for event in events if event.dagster_event]
        checks = [data for data in results if isinstance(data, dg.AssetCheckEvaluation)]
        assert {check.asset_key.to_user_string() for check in checks} >= {"facilities", "waste_water_treatments"}
        assert all(check.passed for check in checks)
    hidden = [sandbox.api_key, *sandbox.personal_strings()]
    for path in (path for path in dagster_home.rglob("*") if path.is_file()):
        body = path.read_bytes()
        assert not [text for text in hidden if text.encode() in body], path


def test_the_module_has_the_same_help() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "dcycle_pipeline", "--help"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    for verb in ("demo", "sync", "status", "doctor", "sandbox"):
        assert f"  {verb} " in result.stdout
