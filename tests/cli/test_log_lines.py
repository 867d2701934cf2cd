"""DCYCLE_LOG=json: each line on stderr is one JSON object that says what it is about, and none holds a secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.telemetry import log_lines
from tests.cli.conftest import Invoke, spawn, variables
from tests.conftest import CHILD, ROOT

PLACES = {"run_id", "organization_id", "endpoint", "facility_id", "page"}


@pytest.fixture(autouse=True)
def _text_again() -> Any:
    yield
    log_lines.choose("text")


def objects(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        assert set(each) - PLACES == {"time", "level", "message"}
        assert each["level"] in ("info", "warning", "error")
    return found


def test_each_line_of_a_sync_is_an_object_that_says_what_it_is_about(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    sandbox.behaviour = Behaviour(denied={"f-large": 403})
    settings = variables(sandbox, tmp_path / "data", DCYCLE_LOG="json")
    result = invoke("sync", "--json", **settings)
    assert result.exit_code == 1
    run_id = json.loads(result.stdout)["run_id"]
    lines = objects(result.stderr)
    (denied,) = [line for line in lines if line["level"] == "warning"]
    about = {name: denied[name] for name in PLACES & denied.keys()}
    assert about == {
        "run_id": run_id,
        "organization_id": ROOT,
        "endpoint": "waste_water_treatments",
        "facility_id": "f-large",
    }
    read = {(line["organization_id"], line["endpoint"]) for line in lines if "facility_id" not in line}
    endpoints = ("facilities", "waste_water_treatments")
    assert read >= {(organization, endpoint) for organization in (ROOT, CHILD) for endpoint in endpoints}
    assert {line["run_id"] for line in lines} == {run_id}
    assert sandbox.api_key not in result.output


def test_a_fault_names_its_page(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("503", facility_id="f-large", page=2, times=1),))
    patient = {"DCYCLE_RETRY_FIRST_WAIT_SECONDS": "0.3", "DCYCLE_RETRY_ATTEMPTS": "8"}  # who waits is told why
    result = invoke("sync", **variables(sandbox, tmp_path / "data", DCYCLE_LOG="json", **patient))
    assert result.exit_code == 0, result.output
    (fault,) = [line for line in objects(result.stderr) if line["level"] == "warning" and "Trying again" in line["message"]]  # fmt: skip
    assert (fault["endpoint"], fault["facility_id"], fault["page"]) == ("waste_water_treatments", "f-large", 2)
    assert fault["organization_id"] == ROOT


def test_an_error_is_an_object_too_and_text_is_the_default(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    wrong = variables(sandbox, tmp_path / "data", DCYCLE_API_KEY="sk_live_wrong_1")
    (line,) = objects(invoke("sync", **wrong, DCYCLE_LOG="json").stderr)
    assert line["level"] == "error"
    assert "401" in line["message"]
    assert "sk_live_wrong_1" not in line["message"]
    assert invoke("sync", **wrong).stderr.startswith("Error: ")
    refused = invoke("sync", **wrong, DCYCLE_LOG="xml")
    assert refused.exit_code == 2
    assert "DCYCLE_LOG" in refused.stderr


@pytest.mark.exhaustive
def test_the_program_itself_writes_objects(sandbox: Sandbox, tmp_path: Path) -> None:
    done = spawn("sync", cwd=tmp_path, home=tmp_path, **variables(sandbox, tmp_path / "data", DCYCLE_LOG="json"))
    assert done.returncode == 0
    assert len([line for line in objects(done.stderr) if "endpoint" in line]) == 6
