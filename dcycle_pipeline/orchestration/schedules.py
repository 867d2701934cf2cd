"""When the sync runs by itself."""

from datetime import UTC, datetime

import dagster as dg

from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.notify.endings import note_failure
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.organizations import NONE_LEFT, wanted_organizations
from dcycle_pipeline.text import plain


def daily_sync(environment: Environment, job: str, schedule: ScheduleSettings) -> dg.ScheduleDefinition:
    """The schedule of a full sync. Raises SettingsError if Dagster does not take its cron expression or time zone."""
    try:
        return _daily(environment, job, schedule)
    except dg.DagsterInvalidDefinitionError as error:
        when = (
            f"DCYCLE_SCHEDULE_CRON {schedule.schedule_cron!r}, DCYCLE_SCHEDULE_TIMEZONE {schedule.schedule_timezone!r}"
        )
        raise SettingsError(f"{when}: {str(error).splitlines()[0]}") from None


def _daily(environment: Environment, job: str, schedule: ScheduleSettings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_sync",
        job_name=job,
        cron_schedule=schedule.schedule_cron,
        execution_timezone=schedule.schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sync every organisation; DCYCLE_SCHEDULE_CRON and DCYCLE_SCHEDULE_TIMEZONE say when.",
    )
    def daily_sync(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        began, loaded = datetime.now(UTC), None
        try:
            loaded = environment.settings()
            found = wanted_organizations(loaded)
        except DcycleError as error:  # no run begins, so none can tell of it
            note_failure(error, loaded, began)
            raise dg.Failure(plain(str(error))) from None
        partitions.keep_in_step(context.instance, found, environment.account)
        if not found:
            return dg.SkipReason(NONE_LEFT)
        return dg.RunRequest(tags=dict(partitions.all_of_them(context.instance, environment.account)))

    return daily_sync
