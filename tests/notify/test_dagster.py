"""Runs of Dagster notify like those of the command line: once when things turn wrong, once when they are well again."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.orchestration import partitions, publication_assets
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
        definitions = build(Environment(lambda: settings, Silent(), 0, retry), ScheduleSettings())
        yield Pipeline(sandbox, settings, instance, definitions)


def titles(webhook: Webhook) -> list[str]:
    return [said["title"].rpartition(": ")[2] for said in webhook.posted]


@pytest.mark.exhaustive
def test_good_broken_broken_good(pipeline: Pipeline, webhook: Webhook) -> None:
    for denied in ({}, {CHILD: 403}, {CHILD: 403}, {}):
        pipeline.sandbox.behaviour = Behaviour(denied=denied)
        assert pipeline.run_all().success, "gaps fail no run"
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
    job = pipeline.definitions.resolve_job_def(JOB)
    partitions.keep_in_step(pipeline.instance, pipeline.sandbox.world.organization_ids())
    tags = partitions.all_of_them(pipeline.instance)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = job.execute_in_process(instance=pipeline.instance, tags=dict(tags), run_config=quiet, raise_on_error=False)
    assert (result.success, failures, webhook.posted) == (True, [], [])


@pytest.mark.exhaustive
def test_a_schedule_that_cannot_ask_the_api_notifies_although_no_run_begins(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    assert pipeline.run_all().success
    pipeline.sandbox.behaviour = Behaviour(faults=(Fault("500"),))
    (schedule,) = pipeline.definitions.schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    for _ in range(2):
        with (
            dg.build_schedule_context(pipeline.instance) as context,
            pytest.raises(dg.DagsterUserCodeExecutionError, match="daily_sync"),
        ):
            schedule.evaluate_tick(context)
    assert titles(webhook) == ["something is wrong"]
    pipeline.sandbox.behaviour = Behaviour()
    assert pipeline.run_all().success
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
