"""Runs of Dagster notify like those of the command line: once when things turn wrong, once when they are well again."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.orchestration import publication_assets
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.endings import read_endings
from dcycle_pipeline.sync.progress import Silent
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, settings_for, small_world
from tests.notify.receivers import Webhook, webhook
from tests.orchestration.conftest import Pipeline

__all__ = ["invoke", "webhook"]


@pytest.fixture
def pipeline(tmp_path: Path, webhook: Webhook) -> Iterator[Pipeline]:
    with (
        Sandbox(small_world()) as sandbox,
        dg.DagsterInstance.ephemeral(str(tmp_path / "dagster")) as instance,
    ):
        settings = settings_for(sandbox, tmp_path / "data", notify=webhook.url)
        retry = dg.RetryPolicy(max_retries=1)
        definitions = build(Environment(lambda: settings, Silent(), 0, retry, retry), ScheduleSettings())
        yield Pipeline(sandbox, settings, instance, definitions)


def titles(webhook: Webhook) -> list[str]:
    return [said["title"].rpartition(": ")[2] for said in webhook.posted]


@pytest.mark.exhaustive
def test_good_broken_broken_good(pipeline: Pipeline, webhook: Webhook) -> None:
    for denied in ({}, {CHILD: 403}, {CHILD: 403}, {}):
        pipeline.sandbox.behaviour = Behaviour(denied=denied)
        assert pipeline.run_all().success is not bool(denied), "it publishes, and is told as a gap, not as a failure"
    assert titles(webhook) == ["something is wrong", "all is well again"]
    assert f"Water North ({CHILD})" in webhook.posted[0]["text"]
    ended = read_endings(DataFolder(pipeline.settings.data_dir)).runs
    assert [one.reason for one in ended] == ["", "", "", ""]
    assert len({one.run_id for one in ended}) == 4


@pytest.mark.exhaustive
def test_a_step_that_is_tried_again_with_success_is_no_failure(
    pipeline: Pipeline, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, failures = publication_assets.publish, [UnavailableError("the disk was full for a moment")]

    def once(run: object) -> object:
        if failures:
            raise failures.pop()
        return publish(run)  # type: ignore[arg-type]

    monkeypatch.setattr(publication_assets, "publish", once)
    result = pipeline.run({}, retries=True)
    assert (result.success, failures, webhook.posted) == (True, [], [])


@pytest.mark.exhaustive
def test_runs_that_find_the_api_down_notify_once_when_they_give_up(pipeline: Pipeline, webhook: Webhook) -> None:
    for behaviour in (Behaviour(), Behaviour(faults=(Fault("500"),)), Behaviour(faults=(Fault("500"),)), Behaviour()):
        pipeline.sandbox.behaviour = behaviour
        pipeline.run_all()
    ended = read_endings(DataFolder(pipeline.settings.data_dir)).runs
    assert [bool(one.reason) for one in ended] == [False, True, True, False]
    assert titles(webhook) == ["something is wrong", "all is well again"]


@pytest.mark.exhaustive
def test_the_command_with_a_dagster_home_notifies_once_a_turn(
    sandbox: Sandbox, invoke: Invoke, webhook: Webhook, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    settings = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=webhook.url, DAGSTER_HOME=str(tmp_path / "home"))
    down = Behaviour(faults=(Fault("500"),))
    for behaviour, code in ((Behaviour(), 0), (Behaviour(denied={CHILD: 403}), 1), (down, 3), (Behaviour(), 0)):
        sandbox.behaviour = behaviour
        assert invoke("sync", **settings).exit_code == code
    ended = read_endings(DataFolder(tmp_path / "data")).runs
    assert [bool(one.reason) for one in ended] == [False, False, True, False], "each run ends once"
    assert titles(webhook) == ["something is wrong", "all is well again"]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("tags", "titles_told"),
    [
        ({"dagster/failure_reason": "UNEXPECTED_TERMINATION", "dagster/will_retry": "true"}, []),
        ({"dagster/failure_reason": "STEP_FAILURE"}, []),
        ({"dagster/failure_reason": "UNEXPECTED_TERMINATION"}, ["something is wrong"]),
        ({}, ["something is wrong"]),
    ],
    ids=["begins again", "failed in a step", "died", "never began"],
)
def test_a_run_whose_process_died_is_told_by_a_sensor(
    pipeline: Pipeline, webhook: Webhook, tags: dict[str, str], titles_told: list[str]
) -> None:
    assert pipeline.run_all().success
    run = pipeline.instance.create_run_for_job(pipeline.definitions.resolve_job_def(JOB), tags=tags)
    event = pipeline.instance.report_run_failed(run, "Run execution process unexpectedly exited with exit code -9")
    (sensor,) = (each for each in pipeline.definitions.sensors or () if each.name == "dead_runs")
    context = dg.build_run_status_sensor_context("dead_runs", event, pipeline.instance, run).for_run_failure()
    for _ in range(2):
        sensor(context)
    assert titles(webhook) == titles_told
    assert pipeline.run_all().success
    assert titles(webhook) == [*titles_told, *(["all is well again"] if titles_told else [])]
