"""A run that leaves an organisation out: the rest is published, and whoever looks at Dagster sees at once who is missing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from logging import WARNING
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from dcycle_pipeline.cli import app
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.publish.checks import EVERYTHING_READ
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.endings import read_endings
from tests.cli.conftest import variables
from tests.orchestration.conftest import CHILD, ROOT, Pipeline, checks, failures, metadata, pipeline_in

ENDPOINTS = ("facilities", "waste_water_treatments", "total_impacts")
CHECK = ("published_file", EVERYTHING_READ)
DENIED = Behaviour(denied={CHILD: 403})


def rows(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """The table of the check, by organisation."""
    table = checks(result)[CHECK].metadata["by_organization"]
    assert isinstance(table, dg.TableMetadataValue)
    return {record.data["id"]: dict(record.data) for record in table.records}  # type: ignore[misc]


def tags(pipeline: Pipeline, result: dg.ExecuteInProcessResult) -> dict[str, str]:
    run = pipeline.instance.get_run_by_id(result.run_id)
    assert run
    return dict(run.tags)


@pytest.fixture(scope="module")
def left_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, dg.ExecuteInProcessResult]]:
    with pipeline_in(tmp_path_factory.mktemp("left_out")) as pipeline:
        pipeline.sandbox.behaviour = DENIED
        yield pipeline, pipeline.run_all()


def test_the_run_fails_after_it_published_and_says_whom_it_left_out(
    left_out: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    pipeline, result = left_out
    assert not result.success
    ((step, said),) = failures(result).items()
    assert step == EVERYTHING_READ
    assert said.startswith("Left out: Water North: access refused (403) since 20")
    assert "ask Dcycle for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE. Everything else is published." in said
    assert "\n" not in said
    assert pipeline.query("SELECT outcome FROM sync.runs") == [("published_with_gaps",)]
    assert pipeline.query("SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments") == [(ROOT,)]
    assert set(metadata(result, "emissions_report")) == {None}
    assert metadata(result, "published_file")[None]["left_out"] == "Water North: access refused (403)"


def test_only_partitions_that_were_read_are_materialised(
    left_out: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    pipeline, result = left_out
    for name in ENDPOINTS:
        assert set(metadata(result, name)) == {ROOT}
        made = pipeline.instance.get_materialized_partitions(dg.AssetKey(name))
        assert {partitions.organization_of(key) for key in made} == {ROOT}
        observed = pipeline.instance.fetch_observations(dg.AssetKey(name), limit=10).records
        assert {partitions.organization_of(record.partition_key or "") for record in observed} == {CHILD}


def test_one_check_names_each_organisation_and_counts(left_out: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    _, result = left_out
    check = checks(result)[CHECK]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, False)
    assert "Water North: access refused" in (check.description or "")
    found = rows(result)
    assert found[CHILD] == {
        "organisation": "Water North",
        "read": "left out",
        "what happened": "access refused (403)",
        "what to do": "ask Dcycle for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE",
        "unproven": "2 of 2 lists",
        "id": CHILD,
    }
    assert (found[ROOT]["read"], found[ROOT]["what to do"]) == ("whole", "nothing")
    numbers = {name: value.value for name, value in check.metadata.items() if name != "by_organization"}
    assert all(isinstance(number, int) for number in numbers.values()), "others are not plotted"
    assert (numbers["organizations"], numbers["organizations_left_out"], numbers["lists_unproven"]) == (2, 1, 2)


def test_the_list_of_runs_shows_the_name_and_nothing_is_tried_again(
    left_out: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    pipeline, result = left_out
    told = tags(pipeline, result)
    assert (told["left_out"], told["read"]) == ("Water North", "1 of 2 organisations")
    assert told["do_next"] == "ask Dcycle for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE"
    assert told["dagster/retry_on_asset_or_op_failure"] == "false"
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


@pytest.mark.exhaustive
def test_a_run_is_not_repeated_for_a_denial_however_often_the_instance_repeats_runs(pipeline: Pipeline) -> None:
    pipeline.sandbox.behaviour = DENIED
    with dg.instance_for_test(overrides={"run_retries": {"enabled": True, "max_retries": 3}}) as instance:
        repeating = Pipeline(pipeline.sandbox, pipeline.settings, instance, pipeline.definitions)
        assert tags(repeating, repeating.run_all())["dagster/will_retry"] == "false"


@pytest.mark.exhaustive
def test_the_partition_is_made_and_the_check_passes_once_access_is_given(pipeline: Pipeline) -> None:
    pipeline.sandbox.behaviour = DENIED
    assert not pipeline.run_all().success
    pipeline.sandbox.behaviour = Behaviour()
    result = pipeline.run_all()
    assert result.success
    assert checks(result)[CHECK].passed
    assert checks(result)[CHECK].description == "Everything of all 2 organisations was read."
    assert {row["read"] for row in rows(result).values()} == {"whole"}
    assert "left_out" not in tags(pipeline, result)
    for name in ENDPOINTS:
        made = pipeline.instance.get_materialized_partitions(dg.AssetKey(name))
        assert {partitions.organization_of(key) for key in made} == {ROOT, CHILD}


@pytest.mark.exhaustive
def test_a_run_over_another_organisation_succeeds_and_the_check_still_names_who_is_left_out(pipeline: Pipeline) -> None:
    pipeline.sandbox.behaviour = DENIED
    assert not pipeline.run_all().success
    root, child = (partitions.key_of(pipeline.instance, each) for each in (ROOT, CHILD))
    result = pipeline.run(partitions.only(root))
    assert result.success
    assert "Water North" in (checks(result)[CHECK].description or "")
    assert not pipeline.run(partitions.only(child)).success


@pytest.mark.exhaustive
def test_rows_of_an_organisation_that_was_read_before_stay_and_its_many_lists_are_one_line(synced: Pipeline) -> None:
    before = synced.content()
    synced.sandbox.behaviour = Behaviour(denied={ROOT: 403})
    result = synced.run_all()
    ((_, said),) = failures(result).items()
    assert said.count("access refused") == 1
    assert rows(result)[ROOT]["unproven"] == "5 of 6 lists", "the sixth is of a facility that is gone"
    after = synced.content()
    assert {key: after[key] for key in after if ROOT in key} == {key: before[key] for key in before if ROOT in key}
    for name in ENDPOINTS:
        assert set(metadata(result, name)) == {CHILD}


@pytest.mark.exhaustive
def test_a_run_that_only_reads_fails_at_its_last_step_so_that_it_is_not_green(pipeline: Pipeline) -> None:
    pipeline.sandbox.behaviour = DENIED
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    reading = ["organizations", "facilities", "waste_water_treatments"]
    result = pipeline.run(partitions.all_of_them(pipeline.instance), reading)
    ((step, said),) = failures(result).items()
    assert step == "waste_water_treatments"
    assert "Water North: access refused" in said
    assert said.endswith("Everything else was read.")
    assert set(metadata(result, "facilities")) == set(metadata(result, "waste_water_treatments")) == {ROOT}


@pytest.mark.exhaustive
def test_the_command_line_says_it_by_its_exit_code_as_without_dagster(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.behaviour = DENIED
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    environment = variables(sandbox, tmp_path / "data") | {"DAGSTER_HOME": str(home)}
    result = CliRunner().invoke(app, ["sync", "--json"], env=environment)
    assert result.exit_code == 1, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["outcome"], {row["organization_id"] for row in answer["unproven_lists"]}) == (
        "published_with_gaps",
        {CHILD},
    )
    assert "report was not written" not in result.stderr
    assert [ending.reason for ending in read_endings(DataFolder(tmp_path / "data")).runs] == [""]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs()
    assert (run.status, run.tags["left_out"]) == (dg.DagsterRunStatus.FAILURE, "Water North")


@pytest.mark.exhaustive
def test_one_denial_is_one_warning_in_the_log_of_the_run(synced: Pipeline) -> None:
    synced.sandbox.behaviour = Behaviour(denied={ROOT: 403})
    logging = build(Environment(lambda: synced.settings, wait_for_folder_seconds=0), ScheduleSettings())
    result = replace(synced, definitions=logging).run_all()
    assert rows(result)[ROOT]["unproven"] == "5 of 6 lists"
    warnings = [entry.user_message for entry in synced.instance.all_logs(result.run_id) if entry.level == WARNING]
    (warning,) = [line for line in warnings if "Holding X" in line or ROOT in line]
    assert "forbidden" in warning
