"""Wrong settings and folders: one clear message, the promised exit code, no traceback, nothing damaged."""

import json
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import Result

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from tests.cli.conftest import Account, Invoke, files_in, variables

WRONG_KEY = "sk_wrong_0123456789"


def said(result: Result, code: int) -> str:
    """The one line on stderr of a command that ended with `code` and printed nothing else."""
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"DCYCLE_BASE_URL": "http://api.dcycle.example"}, ["DCYCLE_BASE_URL", "https"], id="plain-http"),
        pytest.param({"DCYCLE_BASE_URL": "http://127.0.0.1.example"}, ["DCYCLE_BASE_URL", "https"], id="almost-local"),
        pytest.param({"DCYCLE_API_KEY": ""}, ["DCYCLE_API_KEY"], id="empty-key"),
        pytest.param({"DCYCLE_API_KEY": WRONG_KEY}, ["401", "DCYCLE_API_KEY"], id="wrong-key"),
        pytest.param({"DCYCLE_ORGANIZATION_ID": ""}, ["DCYCLE_ORGANIZATION_ID"], id="empty-organisation"),
        pytest.param({"DCYCLE_ORGANIZATION_ID": "nobody"}, ["DCYCLE_ORGANIZATION_ID", "nobody"], id="unknown"),
        pytest.param({"DCYCLE_MAX_CONNECTIONS": "33"}, ["DCYCLE_MAX_CONNECTIONS", "32"], id="too-many-connections"),
    ],
)
def test_a_wrong_setting_is_named(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, change: dict[str, str], words: list[str]
) -> None:
    line = said(invoke("sync", **variables(sandbox, tmp_path / "data", **change)), 2)
    assert all(word in line for word in words)
    assert WRONG_KEY not in line
    assert not (tmp_path / "data" / "dcycle_warehouse.duckdb").exists()


def test_a_missing_key_is_named(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    environment = variables(sandbox, tmp_path / "data")
    del environment["DCYCLE_API_KEY"]
    assert "DCYCLE_API_KEY is not set" in said(invoke("sync", **environment), 2)
    assert sandbox.requests == []
    assert not (tmp_path / "data").exists()


def test_a_folder_below_a_file_cannot_be_written(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    line = said(invoke("sync", **variables(sandbox, tmp_path / "file" / "data")), 2)
    assert "DCYCLE_DATA_DIR" in line
    assert str(tmp_path / "file" / "data") in line
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_a_newer_version_is_left_alone(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    working = tmp_path / "data" / "working"
    working.mkdir(parents=True)
    (working / "about.json").write_text(json.dumps({"layout_version": 99, "root_organization_id": "x"}))
    before = files_in(tmp_path)
    line = said(invoke("sync", **variables(sandbox, tmp_path / "data")), 2)
    assert "newer" in line
    assert "99" in line
    assert files_in(tmp_path) == before


def test_a_folder_of_another_root_organisation_is_left_alone(synced: Account, invoke: Invoke) -> None:
    owned = {name: body for name, body in files_in(synced.data).items() if "lock" not in name}
    with Sandbox(World("99999999-9999-4999-8999-999999999999", "Another holding")) as other:
        line = said(invoke("sync", **variables(other, synced.data)), 2)
    assert synced.sandbox.world.root_id in line
    assert other.world.root_id in line
    assert {name: body for name, body in files_in(synced.data).items() if "lock" not in name} == owned


def test_an_organisation_that_is_not_synced_is_named(synced: Account, invoke: Invoke) -> None:
    line = said(invoke("sync", "--organization", "nobody", **synced.environment), 2)
    assert "nobody" in line
    assert all(name in line for name in synced.sandbox.world.organization_ids())


@pytest.mark.parametrize("fault", ["500", "not_json", "reset"])
def test_an_api_that_cannot_be_read_leaves_the_published_file(synced: Account, invoke: Invoke, fault: str) -> None:
    published = (synced.data / "dcycle_warehouse.duckdb").resolve()
    synced.sandbox.behaviour = Behaviour(faults=(Fault(fault, path="/v2/"),))
    try:
        line = said(invoke("sync", **synced.environment), 3)
    finally:
        synced.sandbox.behaviour = Behaviour()
    assert "/v2/organizations/tree" in line
    assert (synced.data / "dcycle_warehouse.duckdb").resolve() == published


def test_nobody_listening_is_told(synced: Account, invoke: Invoke) -> None:
    with Sandbox(World("r", "R")) as gone:
        address = gone.base_url
    line = said(invoke("sync", **synced.environment | {"DCYCLE_BASE_URL": address}), 3)
    assert "/v2/organizations/tree" in line


def test_a_second_writer_is_refused_and_told_who_writes(synced: Account, invoke: Invoke) -> None:
    published = (synced.data / "dcycle_warehouse.duckdb").resolve()
    (synced.data / "working" / "lock.holder").write_text("the nightly sync, process 4711 on plant")
    with FileLock(synced.data / "working" / "lock", is_singleton=False):
        line = said(invoke("sync", **synced.environment), 3)
    assert "the nightly sync, process 4711 on plant" in line
    assert (synced.data / "dcycle_warehouse.duckdb").resolve() == published


def test_errors_are_one_json_object_too(synced: Account, invoke: Invoke) -> None:
    result = invoke("sync", "--json", **synced.environment | {"DCYCLE_API_KEY": WRONG_KEY})
    answer = json.loads(result.stdout)
    assert result.exit_code == answer["exit_code"] == 2
    assert "DCYCLE_API_KEY" in answer["error"]
    assert WRONG_KEY not in result.output


@pytest.mark.parametrize("words", [["sync", "--nonsense"], ["nonsense"], ["sandbox", "--behave", "nonsense=1"]])
def test_wrong_usage_exits_with_2(invoke: Invoke, words: list[str]) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("verb", ["status", "doctor"])
def test_an_unwritable_folder_is_told_by_the_other_verbs_too(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "file").write_text("mine")
    result = invoke(verb, **variables(sandbox, tmp_path / "file" / "data"))
    assert result.exit_code == {"status": 3, "doctor": 2}[verb]
    assert "Traceback" not in result.output
    assert str(tmp_path / "file" / "data") in result.output


def test_a_damaged_working_file_is_set_aside_and_made_again(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    working = tmp_path / "data" / "working"
    working.mkdir(parents=True)
    (working / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    result = invoke("sync", **variables(sandbox, tmp_path / "data"))
    assert result.exit_code == 0
    assert [path.read_bytes()[:11] for path in working.glob("*.damaged-*")] == [b"no database"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"DCYCLE_SCHEDULE_CRON": "nonsense"}, id="cron"),
        pytest.param({"DCYCLE_SCHEDULE_TIMEZONE": "Mars/Olympus"}, id="time-zone"),
        pytest.param({"DAGSTER_HOME": "/nowhere/dagster"}, id="home-missing"),
        pytest.param({"DAGSTER_HOME": "relative"}, id="home-relative"),
    ],
)
def test_a_wrong_setting_for_dagster_is_named(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, change: dict[str, str]
) -> None:
    (tmp_path / "home").mkdir()
    home = {"DAGSTER_HOME": str(tmp_path / "home")}
    line = said(invoke("sync", **variables(sandbox, tmp_path / "data", **home | change)), 2)
    assert next(iter(change)) in line
