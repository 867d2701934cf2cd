"""The assets that read the API: organisations, one asset an endpoint (partitioned by organisation), and the year totals."""

import time
from typing import Any

import dagster as dg

from dcycle_pipeline.endpoints import waste_water_treatments
from dcycle_pipeline.endpoints.declaration import Declared, Endpoint, YearTotal
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.checks import note_blocked, result_of, spec
from dcycle_pipeline.orchestration.step import OPEN_RUN, Environment, step
from dcycle_pipeline.publish import checks
from dcycle_pipeline.publish.checks import Finding
from dcycle_pipeline.schema import Table
from dcycle_pipeline.sync.lists import SweepResult, sync_endpoint
from dcycle_pipeline.sync.organizations import note_unreached, refresh_organizations
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import sync_totals

OWNERS = ["team:sustainability-data"]


def columns(table: Table) -> dict[str, Any]:
    """Column metadata for Dagster's catalogue."""
    schema = [dg.TableColumn(column.name, column.type, table.comment_of(column)) for column in table.columns]
    return {"dagster/column_schema": dg.TableSchema(schema), "dagster/table_name": table.qualified}


def organizations_asset(environment: Environment) -> dg.AssetsDefinition:
    """The tree of organisations; it also keeps the partitions in step."""

    @dg.asset(
        name=ORGANIZATIONS.name,
        description=ORGANIZATIONS.comment,
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        metadata=columns(ORGANIZATIONS),
    )
    def organizations(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            found = [organization.organization_id for organization in refresh_organizations(run)]
            if partitions.FULL_SYNC_TAG in context.run.tags:
                note_unreached(run, sorted(set(found) - set(partitions.known(context.instance, environment.account))))
            partitions.add(context.instance, found, environment.account)
            return dg.MaterializeResult(metadata={"dagster/row_count": len(found)})

    return organizations


def endpoint_asset(environment: Environment, endpoint: Endpoint) -> dg.AssetsDefinition:
    """One endpoint of the API as an asset."""
    names = (checks.EVERY_LIST_PROVEN, checks.COUNTERS_AGREE, checks.KEYS_UNIQUE)

    @dg.asset(
        name=endpoint.name,
        description=f"{endpoint.title}. {endpoint.table.comment}",
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        metadata=columns(endpoint.table),
        partitions_def=partitions.definition(environment.account),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[endpoint.parent or ORGANIZATIONS.name],
        check_specs=[spec(name, endpoint.name) for name in names],
    )
    def sync(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        started = time.monotonic()
        with step(context, environment) as run:
            # The settings of the run say which API the endpoint is read from; the asset is the same.
            read = next(each for each in run.endpoints if each.name == endpoint.name)
            swept = sync_endpoint(run, read, partitions.asked_for(context, run.settings))
            with run.working_file() as connection:
                findings = run.findings[endpoint.name] = checks.endpoint_findings(connection, endpoint)
            if note_blocked(environment.outcome_of(run.run_id), findings) or not run.publishes:
                run.end()
        describe_partitions(context, endpoint, swept)
        return dg.MaterializeResult(
            metadata={
                "step_requests": swept.requests_count,
                "step_duration_s": round(time.monotonic() - started, 3),
            },
            check_results=[result_of(finding) for finding in findings],
        )

    return sync


def describe_partitions(context: dg.AssetExecutionContext, endpoint: Declared, swept: SweepResult) -> None:
    """What the step did for each organisation, as metadata of its partition."""
    for organization_id, results in swept.lists.items():
        context.add_asset_metadata(
            {
                "records": sum(result.rows_count for result in results),
                "lists": len(results),
                "lists_unproven": sum(not result.nothing_missing for result in results),
                "quarantined": sum(result.quarantined_count for result in results),
                "deleted": sum(result.deleted_count for result in results),
                "undeclared_fields": sorted(swept.undeclared.get(organization_id, ())),
            },
            asset_key=endpoint.name,
            partition_key=organization_id,
        )


def totals_asset(environment: Environment, endpoint: YearTotal) -> dg.AssetsDefinition:
    """One endpoint of year totals as an asset, asked once the records say which years there are."""

    @dg.asset(
        name=endpoint.name,
        description=f"{endpoint.title}. {endpoint.table.comment}",
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        metadata=columns(endpoint.table),
        partitions_def=partitions.definition(environment.account),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[waste_water_treatments.ENDPOINT.name],
        check_specs=[spec(checks.EVERY_TOTAL_READ, endpoint.name, blocking=False)],
    )
    def ask(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            findings = _total_findings(run, endpoint, context)
            if not run.publishes:
                run.end()
        return dg.MaterializeResult(check_results=[result_of(finding) for finding in findings])

    return ask


def _total_findings(run: Run, endpoint: YearTotal, context: dg.AssetExecutionContext) -> list[Finding]:
    """What became of the totals."""
    swept = sync_totals(run, endpoint, partitions.asked_for(context, run.settings))
    if swept.failure:
        return [Finding(endpoint.name, checks.EVERY_TOTAL_READ, False, False, swept.failure)]
    describe_partitions(context, endpoint, swept)
    with run.working_file() as connection:
        return checks.total_findings(connection, endpoint)
