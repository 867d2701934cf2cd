"""One partition an organisation, in step with the tree; the schedule's run, which finds them; failures that are told."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.endpoints.organizations import PATH
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.failures import DO_NEXT_TAG
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import API_RETRY, Environment
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import ScheduleSettings, Settings, load
from dcycle_pipeline.sync.outcome import WRONG_SETTINGS
from dcycle_pipeline.sync.progress import Silent
from tests.cli.conftest import PROGRAM, variables
from tests.conftest import NOTHING_MISSING, settings_for, sync
from tests.orchestration.conftest import CHILD, QUIET, ROOT, Pipeline, failures, metadata

WRONG_KEY = "sk_wrong_0123456789"
NEW = "33333333-3333-4333-8333-333333333333"


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


def tick(instance: dg.DagsterInstance, environment: Environment) -> dg.RunRequest:
    schedule = build(environment, ScheduleSettings()).resolve_schedule_def("daily_sync")
    with dg.build_schedule_context(instance=instance) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
        return request


def excluding(pipeline: Pipeline, organization_id: str, choice: Path) -> Pipeline:
    """The same without one organisation."""
    choice.write_text(f'exclude = ["{organization_id}"]\n')
    settings = settings_for(pipeline.sandbox, pipeline.settings.data_dir, organizations_file=choice)
    definitions = build(Environment(lambda: settings, Silent(), 0), ScheduleSettings())
    return replace(pipeline, settings=settings, definitions=definitions)


def read(result: dg.ExecuteInProcessResult) -> set[str | None]:
    """The partitions that a run made."""
    return set(metadata(result, "facilities"))


def test_the_schedule_asks_for_a_run_whatever_is_wrong(instance: dg.DagsterInstance) -> None:
    def wrong() -> Settings:
        raise SettingsError("DCYCLE_API_KEY is not set: create a key")

    asked = {**partitions.whole(instance), "dagster/schedule_name": "daily_sync"}
    assert tick(instance, Environment(wrong)).tags == asked
    assert partitions.known(instance) == []


@pytest.mark.exhaustive
def test_a_run_that_the_schedule_asks_for_while_the_api_is_down_goes_through_when_it_is_back(
    pipeline: Pipeline, home: dg.DagsterInstance
) -> None:
    settings = settings_for(pipeline.sandbox, pipeline.settings.data_dir, retry_attempts=1)
    at_once = dg.RetryPolicy(max_retries=API_RETRY.max_retries)
    environment = Environment(lambda: settings, Silent(), 0, api_retry=at_once)
    pipeline.sandbox.behaviour = Behaviour(
        faults=(Fault("reset", path=PATH, times=3), Fault("500", path=PATH, times=3))
    )
    request = tick(home, environment)
    pipeline = replace(pipeline, definitions=build(environment, ScheduleSettings()))
    result = pipeline.run(request.tags, retries=True)
    tries = [event for event in result.all_events if event.is_step_up_for_retry]
    assert (result.success, len(tries)) == (True, 6)
    assert read(result) == {ROOT, CHILD}
    assert pipeline.query("SELECT outcome FROM sync.runs") == [("published",)]


def test_partitions_fill_themselves_and_a_new_organisation_is_read_at_once(pipeline: Pipeline) -> None:
    world = pipeline.sandbox.world
    assert read(pipeline.run({}, ["organizations", "facilities"])) == {ROOT, CHILD}
    world.add_organization(NEW, "Water South", ROOT)
    assert read(pipeline.run({}, ["organizations", "facilities"])) == {ROOT, CHILD, NEW}
    assert partitions.known(pipeline.instance) == [ROOT, CHILD, NEW]


@pytest.mark.exhaustive
def test_an_organisation_that_vanishes_keeps_its_partition_and_loses_it_when_it_is_excluded(
    synced: Pipeline, tmp_path: Path
) -> None:
    del synced.sandbox.world._organizations[CHILD]  # a World has no door for this: organisations do not go away
    synced.sandbox.clear_requests()
    ((step, said),) = failures(synced.run_all()).items()
    assert (step, "Left out: Water North: not found" in said) == ("everything_read", True)
    assert {request.organization_id for request in synced.sandbox.requests} == {ROOT}, "nobody asks for what is gone"
    assert partitions.known(synced.instance) == [ROOT, CHILD]
    gap = f"SELECT organization_id, outcome FROM sync.lists WHERE outcome NOT IN {NOTHING_MISSING}"
    assert synced.query(gap) == [(CHILD, "not_found")]
    assert excluding(synced, CHILD, tmp_path / "organizations.toml").run_all().success
    assert partitions.known(synced.instance) == [ROOT]


@pytest.mark.exhaustive
def test_an_organisation_that_vanishes_while_a_run_starts_does_not_stop_the_others(pipeline: Pipeline) -> None:
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    tags = partitions.all_of_them(pipeline.instance)
    del pipeline.sandbox.world._organizations[CHILD]  # as above
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
    do_next, happened = failure.user_failure_data.description.splitlines()
    assert do_next.startswith("Correct what is named below, then launch again.")
    assert "DCYCLE_API_KEY" in happened
    stored = pipeline.instance.get_run_by_id(result.run_id)
    assert stored
    assert stored.tags[DO_NEXT_TAG] == do_next, "the list of runs shows it"
    assert WRONG_KEY not in str(result.all_events)
    assert environment.outcome_of(result.run_id).exit_code == WRONG_SETTINGS
    assert not (tmp_path / "data" / "dcycle_warehouse.duckdb").exists()


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("tags", "assets", "told"),
    [
        ({}, ["facilities"], "launch the whole job `sync`"),
        (partitions.only("gone"), ["facilities"], "Partition gone is no organisation"),
        ({}, ["published_file"], "launch the job `sync`"),
    ],
    ids=["one asset without", "a partition that is no more", "nothing read yet"],
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
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    tags = partitions.all_of_them(pipeline.instance)
    pipeline.sandbox.clear_requests()
    assert excluding(pipeline, CHILD, tmp_path / "choice.toml").run(tags, ["organizations", "facilities"]).success
    assert {request.organization_id for request in pipeline.sandbox.requests if "/v1/" in request.path} == {ROOT}


def test_if_every_organisation_is_excluded_the_run_says_so(pipeline: Pipeline, tmp_path: Path) -> None:
    none = excluding(pipeline, f'{ROOT}", "{CHILD}', tmp_path / "choice.toml").run_all()
    (failure,) = [event.step_failure_data for event in none.all_events if event.is_step_failure]
    assert "DCYCLE_ORGANIZATIONS_FILE" in failure.user_failure_data.description


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


def test_a_partition_has_the_name_of_its_organisation_and_follows_it(instance: dg.DagsterInstance) -> None:
    def keys() -> list[str]:
        return list(instance.get_dynamic_partitions("dcycle_organizations"))

    partitions.keep_in_step(instance, [ROOT, CHILD])
    assert keys() == [ROOT, CHILD], "as an older version made them"
    partitions.keep_in_step(instance, [ROOT, CHILD], called={ROOT: "Holding X", CHILD: "Water · North, S.A."})
    assert keys() == [f"Holding X · {ROOT}", f"Water · North, S.A. · {CHILD}"]
    assert partitions.known(instance) == [ROOT, CHILD]
    assert partitions.names(instance) == {ROOT: "Holding X", CHILD: "Water · North, S.A."}
    partitions.keep_in_step(instance, [ROOT, CHILD])
    assert keys() == [f"Holding X · {ROOT}", f"Water · North, S.A. · {CHILD}"], "a name that is not told again stays"
    partitions.keep_in_step(instance, [ROOT], called={ROOT: "Renamed...\x1b[31m"})
    assert keys() == [f"Renamed…\\x1b[31m · {ROOT}"]
    partitions.keep_in_step(instance, [ROOT], called={ROOT: ROOT})
    assert keys() == [ROOT], "an organisation without a name is shown by its id"
