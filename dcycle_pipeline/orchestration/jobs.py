"""All definitions put together: the job over every asset, those of backfills and pending records, schedules, and the run that steps share."""

import dagster as dg

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.orchestration.assets import endpoint_asset, organizations_asset, totals_asset
from dcycle_pipeline.orchestration.backfill import backfill_job
from dcycle_pipeline.orchestration.cold_start import first_partitions_sensor
from dcycle_pipeline.orchestration.deaths import ONCE_MORE, death_sensor
from dcycle_pipeline.orchestration.everything_read import everything_read_check
from dcycle_pipeline.orchestration.freshness import freshness_sensor
from dcycle_pipeline.orchestration.pending import pending_job, pending_schedule
from dcycle_pipeline.orchestration.publication_assets import published_asset, report_asset, summary_assets
from dcycle_pipeline.orchestration.schedules import daily_sync
from dcycle_pipeline.orchestration.step import OPEN_RUN, Environment, open_run_resource
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.summaries import SUMMARIES

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
        tags=ONCE_MORE,
    )
    return dg.Definitions(
        assets=dg.with_source_code_references(
            [
                organizations_asset(environment),
                *endpoints,
                summary_assets(environment),
                published_asset(environment, upstream),
                report_asset(environment),
            ]
        ),
        asset_checks=[everything_read_check(environment)],
        jobs=[job, backfill_job(environment), pending_job(environment)],
        schedules=[daily_sync(JOB, schedule, environment.account), pending_schedule(environment, schedule)],
        sensors=[freshness_sensor(environment), death_sensor(environment), first_partitions_sensor(environment)],
        resources={OPEN_RUN: open_run_resource(environment)},
        executor=dg.in_process_executor,
    )
