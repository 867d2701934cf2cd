"""What somebody stopped is not tried again, in whatever form the wish to stop comes out of a step; and runs whose process died."""

from unittest.mock import patch

import dagster as dg
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.data_folder.lives import living
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.orchestration import assets, partitions
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.progress import Silent
from tests.orchestration.conftest import QUIET, ROOT, Pipeline


def wrapped() -> UnavailableError:
    try:
        raise RuntimeError("Query interrupted")
    except RuntimeError as error:
        said = UnavailableError("The working file cannot be used")
        said.__cause__ = error
        return said


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        dg.DagsterExecutionInterruptedError(),
        BaseExceptionGroup("a task group", [ValueError("x"), dg.DagsterExecutionInterruptedError()]),
        wrapped(),
    ],
    ids=["Ctrl-C", "terminated", "in a task group", "in a query"],
)
def test_an_interruption_is_not_tried_again(pipeline: Pipeline, error: BaseException) -> None:
    partitions.keep_in_step(pipeline.instance, [ROOT])
    job = build(Environment(lambda: pipeline.settings, Silent(), 0), ScheduleSettings()).resolve_job_def(JOB)
    with patch.object(assets, "refresh_organizations", side_effect=error):
        result = job.execute_in_process(
            instance=pipeline.instance,
            tags=dict(partitions.only(ROOT)),
            raise_on_error=False,
            run_config={"loggers": QUIET["loggers"]},  # retries are on
        )
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["organizations"]


def test_a_run_fails_those_whose_process_died_and_no_others(pipeline: Pipeline) -> None:
    folder = DataFolder(pipeline.settings.data_dir)
    job = pipeline.definitions.resolve_job_def(JOB)

    def seems_under_way() -> dg.DagsterRun:
        return pipeline.instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, asset_selection=frozenset()
        )

    died, alive, elsewhere = (seems_under_way() for _ in range(3))
    folder.prepare()
    (folder.working / f"alive-{died.run_id}").touch()
    with living(folder.working, alive.run_id):
        assert pipeline.run({}, ["organizations"]).success
    found = [pipeline.instance.get_run_by_id(run.run_id) for run in (died, alive, elsewhere)]
    started = dg.DagsterRunStatus.STARTED
    assert [run and run.status for run in found] == [dg.DagsterRunStatus.FAILURE, started, started]
    assert not list(folder.working.glob("alive-*"))
