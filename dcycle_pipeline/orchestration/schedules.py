"""When the sync runs by itself."""

from collections.abc import Callable

import dagster as dg

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.settings import ScheduleSettings


def daily_sync(job: str, schedule: ScheduleSettings, account: str) -> dg.ScheduleDefinition:
    """The schedule of a full sync. Raises SettingsError if Dagster does not take its cron expression or time zone."""
    cron = schedule.schedule_cron
    return checked("DCYCLE_SCHEDULE_CRON", cron, schedule, lambda: _daily(job, schedule, account))


def checked(
    variable: str, cron: str, schedule: ScheduleSettings, make: Callable[[], dg.ScheduleDefinition]
) -> dg.ScheduleDefinition:
    """What `make` gives. Raises SettingsError, which names the variables, if Dagster does not take the cron expression or time zone."""
    try:
        return make()
    except dg.DagsterInvalidDefinitionError as error:
        when = f"{variable} {cron!r}, DCYCLE_SCHEDULE_TIMEZONE {schedule.schedule_timezone!r}"
        raise SettingsError(f"{when}: {str(error).splitlines()[0]}") from None


def _daily(job: str, schedule: ScheduleSettings, account: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_sync",
        job_name=job,
        cron_schedule=schedule.schedule_cron,
        execution_timezone=schedule.schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sync every organisation; DCYCLE_SCHEDULE_CRON and DCYCLE_SCHEDULE_TIMEZONE say when.",
    )
    def daily_sync(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tags = dict(partitions.whole(context.instance, account))
        return dg.RunRequest(
            tags=tags
        )  # the run asks the API, which can try again: nothing but Dagster may cost the day

    return daily_sync
