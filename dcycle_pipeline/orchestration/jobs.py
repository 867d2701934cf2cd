"""All definitions put together: the job over every asset, its schedule, one writer at a time."""

import dagster as dg

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.assets import endpoint_asset, organizations_asset, published_asset, summary_assets
from dcycle_pipeline.orchestration.context import Environment
from dcycle_pipeline.orchestration.report_asset import report_asset
from dcycle_pipeline.orchestration.totals_asset import totals_asset
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.sync.organizations import wanted_organizations

JOB = "sync"


def build(environment: Environment, schedule: ScheduleSettings) -> dg.Definitions:
    """Definitions over an environment; nothing is read until a step or a schedule runs.

    Raises SettingsError for a schedule that Dagster does not take.
    """
    endpoints = [endpoint_asset(environment, endpoint) for endpoint in declared()]
    endpoints += [totals_asset(environment, endpoint) for endpoint in YEAR_TOTALS]
    upstream = [*(asset.key.to_user_string() for asset in endpoints), *(summary.name for summary in SUMMARIES)]
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        description="Read every organisation completely, derive the summaries, publish one file.",
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        assets=[
            organizations_asset(environment),
            *endpoints,
            summary_assets(environment),
            published_asset(environment, upstream),
            report_asset(environment),
        ],
        jobs=[job],
        schedules=[_schedule(environment, schedule)],
        executor=dg.in_process_executor,
    )


def _schedule(environment: Environment, schedule: ScheduleSettings) -> dg.ScheduleDefinition:
    try:
        return _daily(environment, schedule)
    except dg.DagsterInvalidDefinitionError as error:
        when = (
            f"DCYCLE_SCHEDULE_CRON {schedule.schedule_cron!r}, DCYCLE_SCHEDULE_TIMEZONE {schedule.schedule_timezone!r}"
        )
        raise SettingsError(f"{when}: {str(error).splitlines()[0]}") from None


def _daily(environment: Environment, schedule: ScheduleSettings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_sync",
        job_name=JOB,
        cron_schedule=schedule.schedule_cron,
        execution_timezone=schedule.schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sync every organisation; DCYCLE_SCHEDULE_CRON and DCYCLE_SCHEDULE_TIMEZONE say when.",
    )
    def daily_sync(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            found = wanted_organizations(environment.settings())
        except DcycleError as error:
            raise dg.Failure(str(error)) from None
        partitions.keep_in_step(context.instance, found)
        if not found:
            return dg.SkipReason(
                "No organisation is left to sync: see include and exclude in DCYCLE_ORGANIZATIONS_FILE."
            )
        return dg.RunRequest(tags=dict(partitions.all_of_them(context.instance)))

    return daily_sync
