"""The job `backfill`: the same steps as the verb, with the plan and the comparison as metadata."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg
import pytest

from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.backfill import CONFIGURATION, JOB, STEP
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.publish.checks import EVERYTHING_READ
from dcycle_pipeline.sandbox import Behaviour
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.summaries import SUMMARIES
from tests.orchestration.conftest import CHILD, QUIET, ROOT, Pipeline, checks, failures, metadata

PERIOD = {"first_day": "2025-01-01", "last_day": "2025-03-31"}


def launch(pipeline: Pipeline, **config: Any) -> tuple[dg.ExecuteInProcessResult, dict[str, Any]]:
    """A run as the launchpad starts it, and the metadata of its step."""
    asked = {"ops": {STEP: {"config": PERIOD | config}}}
    job = pipeline.definitions.resolve_job_def(JOB)
    result = job.execute_in_process(instance=pipeline.instance, raise_on_error=False, run_config=QUIET | asked)
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    return result, {name: value.value for output in outputs for name, value in output.metadata.items()}


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a table in Markdown, as it is shown."""
    cells = [[cell.strip() for cell in re.sub(r"\\(.)", r"\1", line).split("|")[1:-1]] for line in table.splitlines()]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def said_of(pipeline: Pipeline, result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(str(entry.user_message) for entry in pipeline.instance.all_logs(result.run_id))


@pytest.mark.exhaustive
def test_it_stops_before_it_publishes_unless_it_is_told_to(synced: Pipeline) -> None:
    before = synced.content()
    synced.sandbox.world.add_record("f-empty", start_date="2025-01-31", end_date="2025-02-01", co2e="2.000000002")
    result, told = launch(synced)
    assert result.success
    (january, february) = rows(told["months"])
    assert list(january) == list(february)
    assert list(january)[:4] == ["facility", "organisation", "month", "period"]
    assert (january["month"], january["period"], january["id"]) == ("2025-01-01", "inside", "f-empty")
    assert (january["co2e kg before"], january["co2e kg after"], january["co2e biomass kg difference"]) == (
        "",
        "1.000000001",
        "0",
    )
    for row in (*rows(told["months"]), *rows(told["totals"]), *rows(told["pending"]), *rows(told["plan"])):
        assert row["organisation"] in ("Holding X", "Water North"), row
        assert list(row)[-1] == "id"
        assert not [cell for cell in row.values() if "E-" in cell]
    assert synced.content() == before
    _, plan = launch(synced, up_to="plan", organization_ids=["water nor"])
    assert (plan["lists"], "changes" in plan) == (1, False)
    _, plan = launch(synced, up_to="plan", organization_ids=[CHILD[:8]], facility_ids=["Nordw"])
    assert [(row["facility"], row["id"]) for row in rows(plan["plan"])] == [("Nordwerk", "f-north")]
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
        ({"since_snapshot": "1999"}, "begins with '1999'"),
    ):
        synced.sandbox.clear_requests()
        result, _ = launch(synced, **config)
        assert not result.success
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        error = failed.step_failure_data.error
        assert words in (failed.step_failure_data.user_failure_data.description or "") + (
            error.message if error else ""
        )
    assert synced.sandbox.requests == [], "what can be known without a request is refused without one"
    synced.sandbox.behaviour = Behaviour(denied={"f-large": 403})
    synced.sandbox.world.add_record("f-empty")
    logging = build(Environment(lambda: synced.settings, wait_for_folder_seconds=0), ScheduleSettings())
    result, told = launch(replace(synced, definitions=logging), up_to="publication")
    assert result.success, "a list is missing, no organisation"
    assert synced.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-empty'") == [(1,)]
    (gap,) = rows(told["unproven_lists"])
    assert (gap["facility"], gap["outcome"], gap["id"]) == ("Planta Álamo", "forbidden", "f-large")
    assert "Planta Álamo (f-large): forbidden" in said_of(synced, result)


@pytest.mark.exhaustive
def test_the_catalogue_has_the_figures_of_the_publication_and_the_report_is_new(synced: Pipeline) -> None:
    before = set(synced.instance.get_dynamic_partitions(partitions.definition("").name or ""))
    synced.sandbox.world.add_record("f-empty", start_date="2025-01-31", end_date="2025-02-01", co2e="2.000000002")
    result, _ = launch(synced)
    assert [event for event in result.all_events if event.is_step_materialization] == [], "nothing is published"
    result, _ = launch(synced, up_to="publication")
    assert result.success
    page = synced.settings.data_dir / "report.html"
    assert result.run_id in page.read_text(encoding="utf-8")
    told = metadata(result, "emissions_report")[None]
    assert (told["published_by_run"], told["size_bytes"]) == (result.run_id, page.stat().st_size)
    assert metadata(result, "published_file")[None]["content_hash"] == told["content_hash"]
    assert metadata(result, "published_file")[None]["content_changed"] is True
    for endpoint in declared():
        found = metadata(result, endpoint.name)
        assert set(found) == {ROOT, CHILD}
        (count,) = synced.query(f"SELECT count(*) FROM {endpoint.table.qualified}")
        assert {each["dagster/row_count"] for each in found.values()} == set(count)
    assert set(metadata(result, "total_impacts")) == {ROOT, CHILD}
    for name in ("organizations", *(summary.name for summary in SUMMARIES)):
        (latest,) = synced.instance.fetch_materializations(dg.AssetKey(name), limit=1).records
        assert latest.run_id == result.run_id
    known = {
        (key.asset_key.to_user_string(), key.name) for key in synced.definitions.resolve_asset_graph().asset_check_keys
    }
    assert checks(result).keys() == known
    assert [name for name, check in checks(result).items() if not check.passed] == []
    assert set(synced.instance.get_dynamic_partitions(partitions.definition("").name or "")) == before


@pytest.mark.exhaustive
def test_a_backfill_of_some_facilities_says_nothing_of_partitions_that_it_did_not_read(synced: Pipeline) -> None:
    result, _ = launch(synced, up_to="publication", facility_ids=["f-north"])
    assert result.success
    for endpoint in declared():
        told = metadata(result, endpoint.name)
        assert CHILD in told
        assert endpoint.parent is None or set(told) == {CHILD}
    assert metadata(result, "waste_water_treatments")[CHILD]["lists"] == 1


@pytest.mark.exhaustive
def test_a_run_that_leaves_an_organisation_out_fails_once_the_rest_is_published(synced: Pipeline) -> None:
    synced.sandbox.behaviour = Behaviour(denied={CHILD: 403})
    synced.sandbox.world.add_record("f-empty")
    result, told = launch(synced, up_to="publication")
    check_left_out(synced, result, "Everything else is published.")
    assert told["outcome"] == "published_with_gaps", "what its output says stays"
    assert synced.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-empty'") == [(1,)]
    assert result.run_id in (synced.settings.data_dir / "report.html").read_text(encoding="utf-8")
    assert checks(result)["published_file", EVERYTHING_READ].severity is dg.AssetCheckSeverity.ERROR
    assert set(metadata(result, "waste_water_treatments")) == {ROOT}
    (observed,) = synced.instance.fetch_observations(dg.AssetKey("facilities"), limit=10).records
    assert partitions.organization_of(observed.partition_key or "") == CHILD
    for stop in ("preview", "plan"):
        result, told = launch(synced, up_to=stop)
        check_left_out(synced, result, "Everything else was read.")
        assert told["lists"] == 4
    assert launch(synced, up_to="publication", organization_ids=[ROOT])[0].success, "nobody asked for the other one"


def check_left_out(pipeline: Pipeline, result: dg.ExecuteInProcessResult, rest: str) -> None:
    assert not result.success
    ((step, said),) = failures(result).items()
    assert step == STEP
    assert said.startswith("Left out: Water North: access refused (403)")
    assert said.endswith(rest)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    run = pipeline.instance.get_run_by_id(result.run_id)
    assert run
    assert (run.tags["left_out"], run.tags["read"]) == ("Water North", "1 of 2 organisations")
    assert run.tags["do_next"] == "ask Dcycle for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE"
    assert run.tags["dagster/retry_on_asset_or_op_failure"] == "false"


def test_the_launchpad_describes_each_field() -> None:
    assert all(field.description for field in CONFIGURATION.values())
