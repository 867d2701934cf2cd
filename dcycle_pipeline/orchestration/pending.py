"""The job `pending_records` and its schedule: what `sync --pending` does, every two hours unless told otherwise."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dcycle_pipeline.errors import BusyError
from dcycle_pipeline.orchestration.failures import or_skipped
from dcycle_pipeline.orchestration.previews import shown
from dcycle_pipeline.orchestration.published_events import Event, published_events
from dcycle_pipeline.orchestration.schedules import checked
from dcycle_pipeline.orchestration.step import OPEN_RUN, Environment, step
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.naming import published_organization_ids
from dcycle_pipeline.sync.pending import Settled, is_anything_pending, place_of, settle, unread_rows
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import plain

JOB, STEP, SCHEDULE = "pending_records", "ask_again", "pending_schedule"  # Dagster wants three names
NOTHING_PENDING = "Nothing is pending, so nothing was asked for."


def pending_job(environment: Environment) -> dg.JobDefinition:
    """The job, of one step. If another run is writing, it does nothing and ends well: the next tick asks again."""

    @dg.op(
        name=STEP,
        description="Ask for the lists with pending records; publish if a row of them changed. The metadata of its output says what settled.",
        config_schema={
            "organization_ids": dg.Field(
                [str],
                default_value=[],
                description="Only these organisations, by name, id or the start of either; all if none is named.",
            )
        },
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        out=dg.Out(dg.Nothing),
    )
    def ask_again(context: dg.OpExecutionContext) -> Iterator[Event | dg.Output[None]]:
        with step(context, environment) as run:
            found = _settled(context, run)
            told = _told(context, run, found) if found else {"outcome": "another run was writing"}
            environment.outcome_of(run.run_id).was_read = found is not None
            environment.outcome_of(run.run_id).published = found is not None and found.publication is not None
        yield dg.Output(None, metadata=told)
        if found and found.publication:
            yield from published_events(context, environment, found.publication)

    @dg.job(
        name=JOB,
        description="Ask only for the lists that hold records whose emissions are pending, and publish what settled.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        ask_again()

    return job


def _settled(context: dg.OpExecutionContext, run: Run) -> Settled | None:
    """What came of it; None if another run is writing. Whatever could not be read is a warning: the next sync fails for it, not this run."""
    run.wait_for_folder_seconds = 0
    try:
        return settle(run, published_organization_ids(run.settings, context.op_config["organization_ids"]))
    except BusyError as error:
        context.log.info(plain(str(error)))
        return None


def _told(context: dg.OpExecutionContext, run: Run, found: Settled) -> dict[str, Any]:
    """Say in the log what is missing. What came of it, as metadata."""
    unread = unread_rows(run.folder.published, found)
    if not found.asked_count:
        context.log.info(NOTHING_PENDING)
    for one in unread:
        context.log.warning(plain(f"Not read: {place_of(one)}: {one['outcome']}: {one['reason']}"))
    for one in found.doubtful_rows:
        context.log.warning(plain(f"In doubt: {place_of(one)}, record {one['item_id']}: {one['reason']}"))
    outcome = found.publication.outcome if found.publication else "nothing published"
    since = [row["pending_since"].timestamp() for row in found.pending]
    return {
        "outcome": outcome,
        "lists_asked": found.asked_count,
        "lists_unread": len(unread),
        **({"unread": shown(unread)} if unread else {}),
        "rows_in_doubt": len(found.doubtful_rows),
        "records_settled": found.settled_count,
        "records_pending": sum(row["pending_record_count"] for row in found.pending),
        **({"oldest_pending_since": dg.MetadataValue.timestamp(min(since))} if since else {}),
    }


def pending_schedule(environment: Environment, schedule: ScheduleSettings) -> dg.ScheduleDefinition:
    """The schedule of that job. Raises SettingsError if Dagster does not take its cron expression or time zone."""
    return checked("DCYCLE_PENDING_CRON", schedule.pending_schedule, schedule, lambda: _schedule(environment, schedule))


def _schedule(environment: Environment, schedule: ScheduleSettings) -> dg.ScheduleDefinition:
    status = dg.DefaultScheduleStatus

    @dg.schedule(
        name=SCHEDULE,
        job_name=JOB,
        cron_schedule=schedule.pending_schedule,
        execution_timezone=schedule.schedule_timezone,
        default_status=status.RUNNING if schedule.asks_for_pending else status.STOPPED,
        description="Ask again for pending records, if there are any; DCYCLE_PENDING_CRON says when.",
    )
    def tick(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        is_anything = or_skipped(lambda: is_anything_pending(environment.settings()))
        if isinstance(is_anything, dg.SkipReason):  # nothing is published yet
            return is_anything
        return dg.RunRequest() if is_anything else dg.SkipReason(NOTHING_PENDING)

    return tick
