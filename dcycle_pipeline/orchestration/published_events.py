"""What a job of one step tells Dagster's catalogue of what it published: an event for each asset that it made anew, and the checks.

The assets of the job `sync` say the same each for itself. What is said of a publication belongs to `published_facts`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import duckdb

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.declaration import Declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.landing.lists import ANSWERED, NOTHING_MISSING, PROVEN
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.checks import result_of
from dcycle_pipeline.orchestration.everything_read import check_result
from dcycle_pipeline.orchestration.failures import Context
from dcycle_pipeline.orchestration.freshness import freshness_result
from dcycle_pipeline.orchestration.previews import facts_by_organization, rows_of, table_facts
from dcycle_pipeline.orchestration.published_facts import (
    EMISSIONS_REPORT,
    published_facts,
    reached,
    report_facts,
    summary_facts,
)
from dcycle_pipeline.orchestration.step import PUBLISHED_FILE, Environment, step
from dcycle_pipeline.publish.checks import Finding, total_findings
from dcycle_pipeline.readers.published_file import dicts
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.readings import working_readings
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse.run_tables import LISTS

Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation
# What a run asked for, by organisation and endpoint. A list that another run read, and that counts on, was not asked for.
_ASKED = f"""SELECT organization_id, endpoint, sum(coalesce(rows_count, 0))::BIGINT AS records, count(*) AS lists,
    count(*) FILTER (outcome NOT IN {NOTHING_MISSING}) AS lists_unproven, sum(coalesce(quarantined_count, 0))::BIGINT AS quarantined,
    sum(coalesce(deleted_count, 0))::BIGINT AS deleted,
    bool_or(outcome IN {(PROVEN, ANSWERED)}) OR bool_and(outcome IN {NOTHING_MISSING}) AS was_read
FROM {LISTS.qualified} AS found WHERE run_id = ? AND NOT EXISTS (
    SELECT 1 FROM {LISTS.qualified} AS other WHERE other.run_id <> found.run_id AND other.started_at = found.started_at
        AND other.organization_id = found.organization_id AND other.endpoint = found.endpoint
        AND other.facility_id IS NOT DISTINCT FROM found.facility_id AND other.year IS NOT DISTINCT FROM found.year)
GROUP BY ALL ORDER BY ALL"""


def published_events(
    context: dg.OpExecutionContext, environment: Environment, publication: Publication
) -> Iterator[Event]:
    """An event for each asset that the publication made anew. They rest on its own snapshot, whoever publishes meanwhile.

    The report is written too, once all else is said.
    """
    with step(context, environment) as run:
        yield from [*events_of_tables(context, environment, run, publication), *_of_file(run, publication)]
        written = write_report(run.folder.published, run.folder.report, run.settings.look, with_picture=True)
    yield dg.AssetMaterialization(EMISSIONS_REPORT, metadata=report_facts(written))


@contextmanager
def snapshot_of(publication: Publication) -> Iterator[duckdb.DuckDBPyConnection]:
    """What was published, whoever publishes meanwhile, and whatever a run that failed has merged since."""
    with duckdb.connect(str(publication.snapshot), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def events_of_tables(
    context: Context,
    environment: Environment,
    run: Run,
    publication: Publication,
) -> list[Event]:
    """An event for each table that the run made anew, and the checks of them."""
    with snapshot_of(publication) as connection:
        events: list[Event] = [
            dg.AssetMaterialization(ORGANIZATIONS.name, metadata=table_facts(connection, ORGANIZATIONS)),
            *_partitions_read(context, environment, connection, run.run_id),
        ]
        refreshed = publication.refreshed
        changed, findings = (refreshed.rows_changed, refreshed.findings) if refreshed else (0, list[Finding]())
        for summary in SUMMARIES:
            facts = summary_facts(connection, summary, changed)
            events.append(dg.AssetMaterialization(summary.name, metadata=facts))
        totals = [finding for endpoint in YEAR_TOTALS for finding in total_findings(connection, endpoint)]
    return [*events, *(_evaluation(result_of(finding)) for finding in [*findings, *totals])]


def _of_file(run: Run, publication: Publication) -> list[Event]:
    with snapshot_of(publication) as connection:
        facts = published_facts(connection, run.run_id, publication)
        read = check_result(working_readings(connection))
    results = [result_of(reached(publication)), freshness_result(run.settings), read]
    return [dg.AssetMaterialization(PUBLISHED_FILE, metadata=facts), *map(_evaluation, results)]


def _partitions_read(
    context: Context, environment: Environment, connection: duckdb.DuckDBPyConnection, run_id: str
) -> Iterator[Event]:
    """The partition of each organisation of which the run read a list: materialised, or observed if nothing of it could be read."""
    asked = dicts(connection.execute(_ASKED, [run_id]))
    known = rows_of(connection, f"FROM {ORGANIZATIONS.qualified}")
    called = {row["organization_id"]: row["name"] for row in known if row["name"]}
    partitions.add(
        context.instance, dict.fromkeys(row["organization_id"] for row in asked), environment.account, called
    )
    for endpoint in (*declared(), *YEAR_TOTALS):
        rows = {row["organization_id"]: row for row in asked if row["endpoint"] == endpoint.name}
        yield from _of_endpoint(context, environment, endpoint, rows, facts_by_organization(connection, endpoint.table, rows))  # fmt: skip


def _of_endpoint(
    context: Context,
    environment: Environment,
    endpoint: Declared,
    rows: dict[str, dict[str, Any]],
    facts: dict[str, dict[str, Any]],
) -> Iterable[Event]:
    for organization_id, row in rows.items():
        event = dg.AssetMaterialization if row["was_read"] else dg.AssetObservation
        key = partitions.key_of(context.instance, organization_id, environment.account)
        counts = {name: row[name] for name in ("records", "lists", "lists_unproven", "quarantined", "deleted")}
        yield event(endpoint.name, partition=key, metadata=counts | facts[organization_id])


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """A result in the form that a step may give whose assets are none of its own."""
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key or dg.AssetKey(PUBLISHED_FILE),
        check_name=result.check_name or "",
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )
