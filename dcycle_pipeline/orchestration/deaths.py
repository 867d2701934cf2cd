"""What follows if the process of a run dies: Dagster starts the run once more, and if that dies too, DCYCLE_NOTIFY is told.

A run that fails in a step has a process that tells of it. One that died has none, so a sensor tells.
"""

from datetime import UTC, datetime

import dagster as dg

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.notify.endings import note_death
from dcycle_pipeline.orchestration.pending import JOB as PENDING_RECORDS
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.text import plain

# Run tags that Dagster documents, without a public constant: docs.dagster.io/deployment/execution/run-retries
ONCE_MORE = {
    "dagster/max_retries": "1",
    "dagster/retry_on_asset_or_op_failure": "false",  # a step has retries of its own, and they wait
    "dagster/retry_strategy": "ALL_STEPS",  # it takes over what landed, as any other run does
}
_WILL_RETRY, _FAILURE_REASON, _STEP_FAILURE = "dagster/will_retry", "dagster/failure_reason", "STEP_FAILURE"
LOOK_SECONDS = 30


def death_sensor(environment: Environment) -> dg.SensorDefinition:
    """The sensor that looks for runs whose process died, or never began."""

    @dg.run_failure_sensor(
        name="dead_runs",
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tell DCYCLE_NOTIFY of a run whose process died, unless Dagster starts it once more.",
    )
    def look(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        if run.job_name == PENDING_RECORDS:  # its next tick asks again
            return
        if run.tags.get(_FAILURE_REASON) == _STEP_FAILURE or run.tags.get(_WILL_RETRY) == "true":
            return
        noted = context.instance.get_run_record_by_id(run.run_id)
        began = datetime.fromtimestamp(noted.start_time, UTC) if noted and noted.start_time else datetime.now(UTC)
        try:
            notified = environment.settings()
        except SettingsError:
            notified = None
        note_death(notified, run.run_id, began, plain(context.failure_event.message or "").splitlines()[0])

    return look
