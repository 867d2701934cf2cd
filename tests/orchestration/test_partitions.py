"""One partition an organisation, in step with the tree; the schedule's run over all of them; failures that are told."""

import os
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.settings import ScheduleSettings, Settings, load
from dcycle_pipeline.sync.outcome import WRONG_SETTINGS
from dcycle_pipeline.sync.progress import Silent
from tests.cli.conftest import PROGRAM, variables
from tests.conftest import NOTHING_MISSING, settings_for, sync
from tests.orchestration.conftest import CHILD, QUIET, ROOT, Pipeline, metadata

WRONG_KEY = "sk_wrong_0123456789"
NEW = "33333333-3333-4333-8333-333333333333"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture(scope="module")
def home() -> Iterator[dg.DagsterInstance]:
    """A schedule reaches its instance by reference only, which one in memory has not."""
    with dg.instance_for_test(set_dagster_home=False) as instance:
        yield instance


@pytest.fixture
def instance(home: dg.DagsterInstance) -> dg.DagsterInstance:
    """Without partitions."""
    partitions.keep_in_step(home, [])
    return home


def tick(instance: dg.DagsterInstance, settings: Settings) -> Any:
    schedule = build(Environment(lambda: settings), ScheduleSettings()).resolve_schedule_def("daily_sync")
    with dg.build_schedule_context(instance=instance) as context:
        return schedule(context)


def keys_in(instance: dg.DagsterInstance, request: dg.RunRequest) -> list[str]:
    known = partitions.known(instance)
    return known[known.index(request.tags[START]) : known.index(request.tags[END]) + 1]


def test_the_schedule_asks_for_one_run_over_every_organisation(
    sandbox: Sandbox, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    request = tick(instance, settings)
    assert keys_in(instance, request) == partitions.known(instance) == [ROOT, CHILD]
    assert partitions.FULL_SYNC_TAG in request.tags
    sandbox.world.add_organization(NEW, "Water South", ROOT)
    request = tick(instance, settings)
    assert set(keys_in(instance, request)) == set(partitions.known(instance)) == {ROOT, CHILD, NEW}
    assert not (tmp_path / "data").exists(), "a tick writes nothing"


def test_the_schedule_leaves_out_excluded_organisations(
    sandbox: Sandbox, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    choice = tmp_path / "organizations.toml"
    choice.write_text(f'exclude = ["{ROOT}"]\n')
    tick(instance, settings_for(sandbox, tmp_path / "data"))
    request = tick(instance, settings_for(sandbox, tmp_path / "data", organizations_file=choice))
    assert keys_in(instance, request) == partitions.known(instance) == [CHILD]
    choice.write_text("include = []\n")
    skipped = tick(instance, settings_for(sandbox, tmp_path / "data", organizations_file=choice))
    assert isinstance(skipped, dg.SkipReason)
    assert "DCYCLE_ORGANIZATIONS_FILE" in (skipped.skip_message or "")


def test_a_schedule_with_a_wrong_key_says_so_and_keeps_the_partitions(
    sandbox: Sandbox, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    partitions.keep_in_step(instance, [ROOT, CHILD])
    with pytest.raises(dg.Failure) as caught:
        tick(instance, settings_for(sandbox, tmp_path / "data", api_key=WRONG_KEY))
    assert "DCYCLE_API_KEY" in (caught.value.description or "")
    assert WRONG_KEY not in "".join(traceback.format_exception(caught.value))
    assert partitions.known(instance) == [ROOT, CHILD]


@pytest.mark.exhaustive
def test_an_organisation_that_appears_while_a_run_starts_is_told_and_read_by_the_next(pipeline: Pipeline) -> None:
    world = pipeline.sandbox.world
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    tags = partitions.all_of_them(pipeline.instance)
    world.add_organization(NEW, "Water South", ROOT)
    world.add_record(world.add_facility(NEW, id="f-south"))
    assert pipeline.run(tags).success
    unproven = f"SELECT organization_id, outcome FROM sync.lists WHERE outcome NOT IN {NOTHING_MISSING}"
    assert pipeline.query(unproven) == [(NEW, "not_found")]
    assert pipeline.query("SELECT outcome FROM sync.runs") == [("published_with_gaps",)]
    assert partitions.known(pipeline.instance) == [ROOT, CHILD, NEW]
    result = pipeline.run_all()
    assert metadata(result, "facilities").keys() == {ROOT, CHILD, NEW}
    assert pipeline.query("SELECT facility_id FROM dcycle.waste_water_treatments WHERE organization_id = ?", NEW) == [
        ("f-south",)
    ]
    assert pipeline.query("SELECT outcome FROM sync.runs WHERE run_id = ?", result.run_id) == [("published",)]


@pytest.mark.exhaustive
def test_an_organisation_that_vanishes_while_a_run_starts_does_not_stop_the_others(pipeline: Pipeline) -> None:
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    tags = partitions.all_of_them(pipeline.instance)
    del pipeline.sandbox.world._organizations[CHILD]  # a World has no door for this: organisations do not go away
    assert pipeline.run(tags).success
    assert pipeline.query("SELECT count(*) FROM dcycle.facilities WHERE organization_id = ?", ROOT) == [(3,)]


@pytest.mark.exhaustive
def test_all_organisations_but_the_root_can_be_excluded_later(sandbox: Sandbox, tmp_path: Path) -> None:
    sync(settings_for(sandbox, tmp_path / "data"))
    choice = tmp_path / "organizations.toml"
    choice.write_text(f'exclude = ["{CHILD}"]\n')
    again = sync(settings_for(sandbox, tmp_path / "data", organizations_file=choice))
    assert again.query("SELECT organization_id FROM dcycle.organizations") == [(ROOT,)]


@pytest.mark.parametrize("where", ["loading", "asking"])
def test_wrong_settings_fail_the_run_at_once_with_one_message(pipeline: Pipeline, tmp_path: Path, where: str) -> None:
    def missing() -> Settings:
        raise SettingsError("DCYCLE_API_KEY is not set: create a key")

    refused = settings_for(pipeline.sandbox, tmp_path / "data", api_key=WRONG_KEY)
    environment = Environment(missing if where == "loading" else lambda: refused, Silent(), 0)
    partitions.keep_in_step(pipeline.instance, [ROOT])
    result = (
        build(environment, ScheduleSettings())
        .resolve_job_def(JOB)
        .execute_in_process(
            instance=pipeline.instance,
            tags=dict(partitions.only(ROOT)),
            raise_on_error=False,
            run_config={"loggers": QUIET["loggers"]},  # retries are on
        )
    )
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "DCYCLE_API_KEY" in failure.user_failure_data.description
    assert WRONG_KEY not in str(result.all_events)
    assert environment.outcome_of(result.run_id).exit_code == WRONG_SETTINGS
    assert not (tmp_path / "data" / "dcycle_warehouse.duckdb").exists()


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("tags", "assets", "told"),
    [
        ({}, None, "launch `sync` again with all partitions"),
        ({}, ["facilities"], "launch `sync` again with all partitions"),
        (partitions.only("gone"), ["facilities"], "Partition gone is no organisation"),
        ({}, ["published_file"], "launch the job `sync`"),
    ],
    ids=["no partition", "one asset without", "a partition that is no more", "nothing read yet"],
)
def test_what_cannot_be_launched_says_at_once_what_can(
    pipeline: Pipeline, tags: dict[str, str], assets: list[str] | None, told: str
) -> None:
    environment = Environment(lambda: pipeline.settings, Silent(), 0)
    result = (
        build(environment, ScheduleSettings())
        .resolve_job_def(JOB)
        .execute_in_process(
            instance=pipeline.instance,
            tags=dict(tags),
            raise_on_error=False,
            run_config={"loggers": QUIET["loggers"]},  # retries are on
            asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
        )
    )
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert told in failure.user_failure_data.description
    assert environment.outcome_of(result.run_id).exit_code == WRONG_SETTINGS


def test_an_excluded_organisation_is_not_read_though_its_partition_is_still_there(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    choice = tmp_path / "organizations.toml"
    choice.write_text(f'exclude = ["{CHILD}"]\n')
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    settings = settings_for(pipeline.sandbox, tmp_path / "data", organizations_file=choice)
    definitions = build(Environment(lambda: settings, Silent(), 0), ScheduleSettings())
    pipeline.sandbox.clear_requests()
    tags = partitions.all_of_them(pipeline.instance)
    assert replace(pipeline, definitions=definitions).run(tags, ["organizations", "facilities"]).success
    assert {request.organization_id for request in pipeline.sandbox.requests if "/v1/" in request.path} == {ROOT}


@pytest.mark.exhaustive
def test_no_partition_is_removed_that_a_run_may_still_use(instance: dg.DagsterInstance) -> None:
    partitions.keep_in_step(instance, [ROOT, CHILD])
    job = build(Environment(load), ScheduleSettings()).resolve_job_def(JOB)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    partitions.keep_in_step(instance, [ROOT])
    assert partitions.known(instance) == [ROOT, CHILD]
    instance.report_run_failed(run)
    partitions.keep_in_step(instance, [ROOT])
    assert partitions.known(instance) == [ROOT]


@pytest.mark.exhaustive
def test_two_accounts_sync_at_once_under_one_home(sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        # Dagster 1.13 itself fails if two processes make the same new database at once.
        instance.get_runs()
        instance.all_instigator_state()
        partitions.known(instance)
    other = World(NEW, "Another holding")
    other.add_record(other.add_facility(NEW, id="f-other"))
    with Sandbox(other) as elsewhere, ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [PROGRAM, "sync"],
                    env=os.environ | variables(each, tmp_path / name) | {"DAGSTER_HOME": str(home)},
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for name, each in (("one", sandbox), ("two", elsewhere))
        ]
        for process in running:
            _, said = process.communicate(timeout=120)
            assert process.returncode == 0, said
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert partitions.known(instance, ROOT) == [ROOT, CHILD]
        assert partitions.known(instance, NEW) == [NEW]
