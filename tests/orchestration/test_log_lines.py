"""With DCYCLE_LOG=json, the process of a run of Dagster writes its lines to stderr as objects; Dagster's own log keeps them too."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.telemetry import log_lines
from tests.conftest import CHILD, ROOT, settings_for
from tests.orchestration.conftest import Pipeline


@pytest.fixture(autouse=True)
def _text_again() -> Iterator[None]:
    ours = logging.getLogger("dcycle_pipeline")
    before = list(ours.handlers)
    yield
    log_lines.choose("text")
    ours.handlers[:] = before


@pytest.mark.exhaustive
def test_a_run_writes_objects(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sandbox.behaviour = Behaviour(denied={"f-large": 403})
    settings = settings_for(sandbox, tmp_path / "data", log="json")
    with dg.DagsterInstance.ephemeral(str(tmp_path / "dagster")) as instance:
        definitions = build(Environment(lambda: settings, wait_for_folder_seconds=0), ScheduleSettings())
        result = Pipeline(sandbox, settings, instance, definitions).run_all()
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert {line["run_id"] for line in lines} == {result.run_id}
    assert {line["organization_id"] for line in lines} == {ROOT, CHILD}
    (denied,) = [line for line in lines if line["level"] == "warning"]
    assert (denied["endpoint"], denied["facility_id"]) == ("waste_water_treatments", "f-large")
    said = [event.message for event in result.all_events]
    assert result.success, said
