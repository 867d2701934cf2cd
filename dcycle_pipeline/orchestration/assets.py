"""The assets: organisations, one asset an endpoint (partitioned by organisation), summaries, the published file."""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb

from dcycle_pipeline.endpoints.declaration import Declared, Endpoint
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.context import PUBLISHED_FILE, Environment, stage
from dcycle_pipeline.publish import checks
from dcycle_pipeline.schema import Table
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.summaries.declaration import Summary
from dcycle_pipeline.sync.lists import StageOutcome, sync_endpoint
from dcycle_pipeline.sync.organizations import leave_open, refresh_organizations
from dcycle_pipeline.sync.publication import publish, summarise
from dcycle_pipeline.warehouse import run_log

POOL = "dcycle_warehouse"
OWNERS = ["team:sustainability-data"]


def columns(table: Table) -> dict[str, Any]:
    """Column metadata for Dagster's catalogue."""
    schema = [dg.TableColumn(column.name, column.type, column.comment) for column in table.columns]
    return {"dagster/column_schema": dg.TableSchema(schema), "dagster/table_name": table.qualified}


def organizations_asset(environment: Environment) -> dg.AssetsDefinition:
    """The tree of organisations; it also keeps the partitions in step."""

    @dg.asset(
        name=ORGANIZATIONS.name,
        description=ORGANIZATIONS.comment,
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        pool=POOL,
        retry_policy=environment.retry,
        metadata=columns(ORGANIZATIONS),
    )
    def organizations(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with stage(context, environment) as run:
            found = [organization.organization_id for organization in refresh_organizations(run)]
            if partitions.FULL_SYNC_TAG in context.run.tags:
                leave_open(run, sorted(set(found) - set(partitions.known(context.instance))))
            partitions.add(context.instance, found)
            return dg.MaterializeResult(metadata={"dagster/row_count": len(found)})

    return organizations


def endpoint_asset(environment: Environment, endpoint: Endpoint) -> dg.AssetsDefinition:
    """One endpoint of the API as an asset."""
    names = (checks.EVERY_SCOPE_PROVEN, checks.COUNTERS_AGREE, checks.KEYS_UNIQUE)

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
        deps=[endpoint.parent or ORGANIZATIONS.name],
        check_specs=[_spec(name, endpoint.name) for name in names],
    )
    def sync(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        started = time.monotonic()
        with stage(context, environment) as run:
            outcome = sync_endpoint(run, endpoint, list(context.partition_keys))
            with run.warehouse() as connection:
                findings = checks.endpoint_findings(connection, endpoint)
            if not run.publishes or any(finding.blocks and not finding.passed for finding in findings):
                run.end()
        describe_partitions(context, endpoint, outcome)
        return dg.MaterializeResult(
            metadata={
                "stage_requests": outcome.requests_count,
                "stage_duration_s": round(time.monotonic() - started, 3),
            },
            check_results=[result_of(finding, endpoint.name) for finding in findings],
        )

    return sync


def describe_partitions(context: dg.AssetExecutionContext, endpoint: Declared, outcome: StageOutcome) -> None:
    """What the stage did for each organisation, as metadata of its partition."""
    for one in outcome.organizations:
        open_scopes = [record.swept for record in one.records if not record.swept.proven]
        context.add_asset_metadata(
            {
                "records": one.rows_count,
                "scopes": len(one.records),
                "scopes_open": len(open_scopes),
                "quarantined": sum(record.quarantined_count for record in one.records),
                "deleted": sum(record.deleted_count for record in one.records),
                "undeclared_fields": sorted(one.undeclared),
            },
            asset_key=endpoint.name,
            partition_key=one.organization_id,
        )


def _spec(check: str, asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(check, asset=asset, blocking=True, description=checks.MEANINGS[check])


def result_of(finding: checks.Finding, asset: str) -> dg.AssetCheckResult:
    """A finding as Dagster shows it: what does not block warns."""
    severity = dg.AssetCheckSeverity.ERROR if finding.blocks else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=finding.check, asset_key=asset, passed=finding.passed, severity=severity, description=finding.what
    )


def summary_assets(environment: Environment) -> dg.AssetsDefinition:
    """The summaries: an asset each, made by one step whichever are selected, so that all rest on the same tables."""

    @dg.multi_asset(
        name="summaries",
        can_subset=True,
        specs=[_summary_spec(summary) for summary in SUMMARIES],
        pool=POOL,
        retry_policy=environment.retry,
        check_specs=[_spec(name, s.name) for s in SUMMARIES for name in checks.summary_checks(s)],
    )
    def summarised(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster reads this annotation
        with stage(context, environment) as run:
            changed = summarise(run)
            with run.warehouse() as connection:
                wanted = [s for s in SUMMARIES if dg.AssetKey(s.name) in context.selected_asset_keys]
                results = [_summary_result(connection, summary, changed) for summary in wanted]
        yield from results

    return summarised


def _summary_spec(summary: Summary) -> dg.AssetSpec:
    return dg.AssetSpec(
        summary.name,
        skippable=True,
        description=summary.comment,
        group_name="summaries",
        kinds={"sql", "duckdb"},
        owners=OWNERS,
        metadata=columns(summary),
        deps=sorted(_asset_of(source) for source in summary.sources if _asset_of(source)),
    )


def _asset_of(table: str) -> str:
    """The asset that makes a table; empty where none does."""
    schema, name = table.split(".")
    return name if schema in ("dcycle", "history") or name in [summary.name for summary in SUMMARIES] else ""


def _summary_result(
    connection: duckdb.DuckDBPyConnection, summary: Summary, changed: int
) -> dg.MaterializeResult[None]:
    findings = checks.summary_findings(connection, summary)
    return dg.MaterializeResult(
        asset_key=summary.name,
        metadata={"rows_changed_in_all_summaries": changed, **_totals(connection, summary)},
        check_results=[result_of(finding, summary.name) for finding in findings],
    )


def _totals(connection: duckdb.DuckDBPyConnection, summary: Summary) -> dict[str, Any]:
    quantities = [name for conserved in summary.conserves for name in conserved.columns]
    sums = ", ".join(["count(*)", *(f"coalesce(sum({name}), 0)::DOUBLE" for name in quantities)])
    count, *values = connection.execute(f"SELECT {sums} FROM {summary.qualified}").fetchall()[0]
    return {"dagster/row_count": count, **dict(zip(quantities, values, strict=True))}


def published_asset(environment: Environment, upstream: list[str]) -> dg.AssetsDefinition:
    """The file that BI tools read."""

    @dg.asset(
        name=PUBLISHED_FILE,
        description="dcycle.duckdb: a complete snapshot of all tables, swapped in at once and never locked by the pipeline.",
        group_name="publish",
        kinds={"duckdb", "file"},
        owners=OWNERS,
        pool=POOL,
        retry_policy=environment.retry,
        deps=upstream,
    )
    def published_file(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with stage(context, environment) as run:
            publication = publish(run)
            with run.warehouse() as connection:
                facts = run_log.run_facts(connection, run.run_id)
                open_scopes = run_log.open_scopes(connection)
        rows = "\n".join(
            f"| {' | '.join(str(part or '') for part in scope)} |" for scope in open_scopes[: checks.MOST_NAMED]
        )
        table = f"| organisation | endpoint | facility | outcome | reason |\n|---|---|---|---|---|\n{rows}"
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(publication.file)),
                "size_bytes": publication.snapshot.stat().st_size,
                "content_hash": publication.content_hash,
                "content_changed": publication.content_changed,
                "outcome": publication.outcome,
                "open_scopes": dg.MetadataValue.md(table if open_scopes else "none"),
                **{
                    name: facts[name]
                    for name in ("requests_count", "rows_count", "scopes_open_count", "quarantined_count")
                },
            }
        )

    return published_file
