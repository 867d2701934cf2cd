"""The job `backfill`: the same steps as the verb, with the plan and the comparison as metadata."""

from datetime import date
from typing import Any

import dagster as dg
import pytest

from dcycle_pipeline.orchestration.backfill import CONFIGURATION, JOB, STEP
from dcycle_pipeline.sandbox import Behaviour
from tests.orchestration.conftest import CHILD, QUIET, ROOT, Pipeline

PERIOD = {"first_day": "2025-01-01", "last_day": "2025-03-31"}


def launch(pipeline: Pipeline, **config: Any) -> tuple[dg.ExecuteInProcessResult, dict[str, Any]]:
    """A run as the launchpad starts it, and the metadata of its step."""
    asked = {"ops": {STEP: {"config": PERIOD | config}}}
    job = pipeline.definitions.resolve_job_def(JOB)
    result = job.execute_in_process(instance=pipeline.instance, raise_on_error=False, run_config=QUIET | asked)
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    return result, {name: value.value for output in outputs for name, value in output.metadata.items()}


@pytest.mark.exhaustive
def test_it_stops_before_it_publishes_unless_it_is_told_to(synced: Pipeline) -> None:
    before = synced.content()
    synced.sandbox.world.add_record("f-empty", start_date="2025-01-31", end_date="2025-02-01", co2e="2.000000002")
    result, told = launch(synced)
    assert result.success
    assert "| f-empty | 2025-01-01 | inside |" in told["months"].replace("\\-", "-")
    assert "1.000000001" in told["months"]
    assert synced.content() == before
    _, plan = launch(synced, up_to="plan", organization_ids=[CHILD])
    assert (plan["lists"], "changes" in plan) == (1, False)
    result, told = launch(synced, up_to="publication", reason="audit", by="Ana")
    assert result.success
    assert (told["outcome"], told["content_changed"]) == ("published", True)
    noted = "SELECT backfill_from, backfill_to, backfill_reason, backfill_by FROM sync.runs WHERE run_id = ?"
    assert synced.query(noted, result.run_id) == [(date(2025, 1, 1), date(2025, 3, 31), "audit", "Ana")]
    assert synced.run_all().success
    assert synced.query("SELECT content_changed FROM sync.runs ORDER BY started_at DESC LIMIT 1") == [(False,)]


@pytest.mark.exhaustive
def test_what_fails_is_one_line_and_what_can_be_read_is_published(synced: Pipeline) -> None:
    for config, words in (
        ({"organization_ids": ["nobody"]}, "nobody"),
        ({"first_day": "2025-13-01"}, "2025-13-01"),
        ({"facility_ids": ["nowhere"]}, "Facility nowhere"),
    ):
        result, _ = launch(synced, **config)
        assert not result.success
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        error = failed.step_failure_data.error
        assert words in (failed.step_failure_data.user_failure_data.description or "") + (
            error.message if error else ""
        )
    synced.sandbox.behaviour = Behaviour(denied={"f-north": 403})
    synced.sandbox.world.add_record("f-empty")
    result, told = launch(synced, up_to="publication")
    assert result.success
    assert "forbidden" in told["unproven_lists"]
    assert synced.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-empty'") == [(1,)]
    assert ROOT in str(told["plan"]).replace("\\-", "-")


def test_the_launchpad_describes_each_field() -> None:
    assert all(field.description for field in CONFIGURATION.values())
