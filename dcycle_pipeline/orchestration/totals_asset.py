"""The asset of year totals. It informs: neither what it cannot read nor its check ever keeps a file from being published."""

import dagster as dg

from dcycle_pipeline.endpoints import waste_water_treatments
from dcycle_pipeline.endpoints.declaration import YearTotal
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.assets import OWNERS, POOL, columns, describe_partitions, result_of
from dcycle_pipeline.orchestration.context import Environment, stage
from dcycle_pipeline.publish import checks
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import sync_totals


def totals_asset(environment: Environment, endpoint: YearTotal) -> dg.AssetsDefinition:
    """One endpoint of year totals as an asset, asked once the records say which years there are."""

    @dg.asset(
        name=endpoint.name,
        description=f"{endpoint.title}. {endpoint.table.comment}",
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        pool=POOL,
        retry_policy=environment.retry,
        metadata=columns(endpoint.table),
        partitions_def=partitions.ORGANIZATIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[waste_water_treatments.ENDPOINT.name],
        check_specs=[
            dg.AssetCheckSpec(
                checks.EVERY_TOTAL_READ,
                asset=endpoint.name,
                blocking=False,
                description=checks.MEANINGS[checks.EVERY_TOTAL_READ],
            )
        ],
    )
    def ask(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with stage(context, environment) as run:
            findings = _findings(run, endpoint, context)
            if not run.publishes:
                run.end()
        return dg.MaterializeResult(check_results=[result_of(finding, endpoint.name) for finding in findings])

    return ask


def _findings(run: Run, endpoint: YearTotal, context: dg.AssetExecutionContext) -> list[checks.Finding]:
    try:
        outcome = sync_totals(run, endpoint, list(context.partition_keys))
        with run.warehouse() as connection:
            findings = checks.total_findings(connection, endpoint)
    except DcycleError as error:
        return [checks.Finding(checks.EVERY_TOTAL_READ, False, False, str(error))]
    describe_partitions(context, endpoint, outcome)
    return findings
