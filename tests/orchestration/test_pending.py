"""The job `pending_records` and its schedule: no request if nothing is pending, no collision with a run that writes, no false freshness."""

import subprocess
import sys
from logging import WARNING
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.pending import JOB, SCHEDULE, STEP
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.publish.checks import EVERYTHING_READ
from dcycle_pipeline.sandbox import Behaviour
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.endings import read_endings
from tests.conftest import sync
from tests.orchestration.conftest import CHILD, QUIET, Pipeline, checks, metadata
from tests.orchestration.test_two_runs import HOLDER


@pytest.fixture
def filled(pipeline: Pipeline) -> Pipeline:
    """After one full sync, which nobody made with Dagster."""
    sync(pipeline.settings)
    pipeline.sandbox.clear_requests()
    return pipeline


def tick(pipeline: Pipeline) -> dg.SkipReason | dg.RunRequest:
    schedule = pipeline.definitions.resolve_schedule_def(SCHEDULE)
    with dg.build_schedule_context(pipeline.instance) as context:
        told = schedule(context)
    assert isinstance(told, dg.SkipReason | dg.RunRequest)
    return told


def launch(pipeline: Pipeline, *organization_ids: str) -> tuple[dg.ExecuteInProcessResult, dict[str, Any]]:
    asked = {"ops": {STEP: {"config": {"organization_ids": list(organization_ids)}}}}
    job = pipeline.definitions.resolve_job_def(JOB)
    result = job.execute_in_process(instance=pipeline.instance, raise_on_error=False, run_config=QUIET | asked)
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    return result, {name: value.value for output in outputs for name, value in output.metadata.items()}


def calculate_all(pipeline: Pipeline) -> None:
    for item in pipeline.sandbox.world.facility_records("f-north"):
        pipeline.sandbox.world.recalculate_record(item["id"], "2.5")


def test_it_settles_what_is_pending_and_then_asks_for_nothing(filled: Pipeline) -> None:
    assert isinstance(tick(filled), dg.RunRequest)
    assert filled.sandbox.requests == [], "a tick asks nobody"
    calculate_all(filled)
    result, told = launch(filled)
    assert result.success
    assert (told["outcome"], told["records_settled"], told["records_pending"]) == ("published", 4, 0)
    assert filled.query("SELECT pending_only FROM sync.runs WHERE run_id = ?", result.run_id) == [(True,)]
    assert metadata(result, "emissions_report")[None]["published_by_run"] == result.run_id
    assert metadata(result, "published_file")[None]["pending_record_count"] == 0
    assert set(metadata(result, "waste_water_treatments")) == set(metadata(result, "facilities")) == {CHILD}
    assert checks(result)["published_file", EVERYTHING_READ].passed
    assert result.run_id in (filled.settings.data_dir / "report.html").read_text(encoding="utf-8")
    filled.sandbox.clear_requests()
    skipped = tick(filled)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "Nothing is pending, so nothing was asked for."
    assert filled.sandbox.requests == []


@pytest.mark.exhaustive
def test_it_does_nothing_while_another_run_writes(filled: Pipeline) -> None:
    calculate_all(filled)
    command = [sys.executable, "-c", HOLDER, str(filled.settings.data_dir)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        result, told = launch(filled)
        assert isinstance(tick(filled), dg.RunRequest), "the next tick asks again"
        holder.communicate("")
    assert (result.success, told) == (True, {"outcome": "another run was writing"})
    assert filled.sandbox.requests == []
    assert read_endings(DataFolder(filled.settings.data_dir)).runs == []
    assert launch(filled)[1]["records_settled"] == 4


@pytest.mark.exhaustive
def test_before_the_first_sync_it_skips(pipeline: Pipeline) -> None:
    skipped = tick(pipeline)
    assert isinstance(skipped, dg.SkipReason)
    assert "Nothing is published" in (skipped.skip_message or "")
    assert pipeline.sandbox.requests == []


@pytest.mark.exhaustive
def test_what_cannot_be_read_fails_no_run_and_publishes_nothing(filled: Pipeline) -> None:
    calculate_all(filled)
    filled.sandbox.behaviour = Behaviour(denied={"f-north": 403})
    result, told = launch(filled, "water nor")
    assert result.success
    assert [event for event in result.all_events if event.is_step_materialization] == []
    (unread,) = told["unread"].records
    assert (unread.data["organization"], unread.data["facility"], unread.data["outcome"]) == (
        "Water North", "Nordwerk", "forbidden",
    )  # fmt: skip
    (warning,) = [entry.user_message for entry in filled.instance.all_logs(result.run_id) if entry.level == WARNING]
    assert f"Not read: Water North ({CHILD}), Nordwerk (f-north): forbidden" in warning
    assert not launch(filled, "nobody")[0].success
    assert (told["outcome"], told["lists_unread"], told["records_pending"]) == ("nothing published", 1, 4)
    assert told["oldest_pending_since"] > 0
    assert read_endings(DataFolder(filled.settings.data_dir)).runs == [], "it is no ending that anybody must know"
    assert filled.query("SELECT count(*) FROM sync.runs") == [(1,)]


@pytest.mark.exhaustive
def test_a_row_in_doubt_is_told_without_a_publication(filled: Pipeline) -> None:
    world, peek = filled.sandbox.world, filled.sandbox.world.peek_records
    veiled = world.facility_records("f-north")[0]["id"]
    world.peek_records = lambda facility: [item for item in peek(facility) if item["id"] != veiled]  # type: ignore[method-assign]
    world.derived.forget("f-north")
    result, told = launch(filled)
    assert result.success
    assert (told["outcome"], told["lists_unread"], told["rows_in_doubt"]) == ("nothing published", 0, 1)


def no_settings() -> Any:
    raise SettingsError("DCYCLE_API_KEY is not set")


def test_the_schedule_is_on_unless_told_otherwise(tmp_path: Path) -> None:
    def made(**given: str) -> dg.ScheduleDefinition:
        definitions = build(Environment(no_settings), ScheduleSettings(**given))  # type: ignore[arg-type]
        return definitions.resolve_schedule_def(SCHEDULE)

    status = dg.DefaultScheduleStatus
    assert (made().cron_schedule, made().default_status, made().job_name) == ("30 */2 * * *", status.RUNNING, JOB)
    assert made(pending_cron="0 * * * *").cron_schedule == "0 * * * *"
    assert made(pending_cron="off").default_status is status.STOPPED
    with pytest.raises(SettingsError, match="DCYCLE_PENDING_CRON 'nonsense'"):
        made(pending_cron="nonsense")
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_schedule_context(instance) as context,
        pytest.raises(dg.Failure, match="DCYCLE_API_KEY is not set"),
    ):
        made()(context)
