"""The assets over the tables: the summaries, the published file, and the report on it."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import duckdb

from dcycle_pipeline.errors import UnsoundError
from dcycle_pipeline.orchestration.assets import OWNERS, columns
from dcycle_pipeline.orchestration.checks import note_blocked, result_of, spec
from dcycle_pipeline.orchestration.freshness import freshness_result
from dcycle_pipeline.orchestration.step import OPEN_RUN, PUBLISHED_FILE, Environment, step
from dcycle_pipeline.publish.checks import (
    DATA_IS_FRESH,
    DESTINATIONS_REACHED,
    MOST_NAMED,
    Finding,
    is_blocking,
    summary_checks,
)
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.summaries.declaration import COUNTED, Summary
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.sync.publication import Publication, publish, read_earlier, refuse_outdated, summarise
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import markdown
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.deliveries import DELIVERED

EMISSIONS_REPORT = "emissions_report"


def summary_assets(environment: Environment) -> dg.AssetsDefinition:
    """The summaries: an asset each, made by one step whichever are selected, so that all rest on the same tables."""

    @dg.multi_asset(
        name="summaries",
        can_subset=True,
        specs=[_summary_spec(summary) for summary in SUMMARIES],
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        check_specs=[spec(name, s.name) for s in SUMMARIES for name in summary_checks(s)],
    )
    def summarised(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            _refuse_outdated(context, run)
            wanted = [s for s in SUMMARIES if dg.AssetKey(s.name) in context.selected_asset_keys]
            changed, findings = _summarised(run, {summary.name for summary in wanted})
            note_blocked(environment.outcome_of(run.run_id), findings)
            with run.working_file() as connection:
                results = [_summary_result(connection, summary, changed, findings) for summary in wanted]
        yield from results

    return summarised


def _summarised(run: Run, wanted: set[str]) -> tuple[int, Sequence[Finding]]:
    """Rows that changed, and findings. A check that fails on an asset of this step is that asset's; any other fails the step."""
    try:
        refreshed = summarise(run)
    except UnsoundError as error:
        found = [finding for finding in error.findings if isinstance(finding, Finding)]
        if not {finding.subject for finding in found if is_blocking(finding)} <= wanted:
            raise
        return 0, [finding for finding in found if finding.subject in wanted]
    return refreshed.rows_changed, refreshed.findings


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
    """The asset that makes a table; empty if none does."""
    if table == COUNTED:
        return LISTED_TWICE.name  # a view on what this one and the records say
    schema, name = table.split(".")
    return name if schema in ("dcycle", "history") or name in [summary.name for summary in SUMMARIES] else ""


def _summary_result(
    connection: duckdb.DuckDBPyConnection, summary: Summary, changed: int, findings: Sequence[Finding]
) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        asset_key=summary.name,
        metadata={"rows_changed_in_all_summaries": changed, **_totals(connection, summary)},
        check_results=[result_of(finding) for finding in findings if finding.subject == summary.name],
    )


def _totals(connection: duckdb.DuckDBPyConnection, summary: Summary) -> dict[str, Any]:
    never = [column.name for column in summary.columns if column.additivity == "none"]
    quantities = [name for conserved in summary.conserves for name in conserved.columns if name not in never]
    sums = ", ".join(["count(*)", *(f"coalesce(sum({name}), 0)::DOUBLE" for name in quantities)])
    count, *values = connection.execute(f"SELECT {sums} FROM {summary.qualified}").fetchall()[0]
    return {"dagster/row_count": count, **dict(zip(quantities, values, strict=True))}


def published_asset(environment: Environment, upstream: list[str]) -> dg.AssetsDefinition:
    """The file that BI tools read."""

    @dg.asset(
        name=PUBLISHED_FILE,
        description="dcycle_warehouse.duckdb: a complete snapshot of all tables, swapped in at once and never locked by the pipeline.",
        group_name="publish",
        kinds={"duckdb", "file"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        deps=upstream,
        check_specs=[spec(name, PUBLISHED_FILE, blocking=False) for name in (DESTINATIONS_REACHED, DATA_IS_FRESH)],
    )
    def published_file(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            _refuse_outdated(context, run)
            publication = publish(run)
            environment.outcome_of(run.run_id).published = True
            with run.working_file() as connection:
                facts = run_log.run_facts(connection, run.run_id)
                unproven = run_log.unproven_lists(connection)
            if earlier := read_earlier(run):
                context.log.warning(str(earlier))
        counts = ("requests_count", "rows_count", "lists_unproven_count", "quarantined_count")
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(publication.file)),
                "size_bytes": publication.snapshot.stat().st_size,
                "content_hash": publication.content_hash,
                "content_changed": publication.content_changed,
                "outcome": publication.outcome,
                "read_earlier": str(earlier or "none"),
                "unproven_lists": dg.MetadataValue.md(_as_table(unproven) if unproven else "none"),
                "destinations": ", ".join(f"{each.destination} {each.outcome}" for each in publication.sendings)
                or "none",
                **{name: facts[name] for name in counts},
            },
            check_results=[result_of(_reached(publication)), freshness_result(run.settings)],
        )

    return published_file


def _reached(publication: Publication) -> Finding:
    """Whether each destination that is set got the publication."""
    missed = [f"{each.destination}: {each.reason}" for each in publication.sendings if each.outcome != DELIVERED]
    reached = ", ".join(each.destination for each in publication.sendings)
    said = "; ".join(missed) or (f"delivered to {reached}" if reached else "no destination is set")
    return Finding(PUBLISHED_FILE, DESTINATIONS_REACHED, not missed, False, said)


def _refuse_outdated(context: dg.AssetExecutionContext, run: Run) -> None:
    if context.run.parent_run_id:  # re-executed from failure: people take it for the same as a new run
        refuse_outdated(run)


def _as_table(unproven: list[tuple[str, str, str | None, str, str]]) -> str:
    rows = "\n".join(f"| {' | '.join(markdown(part or '') for part in found)} |" for found in unproven[:MOST_NAMED])
    return f"| organisation | endpoint | facility | outcome | reason |\n|---|---|---|---|---|\n{rows}"


def report_asset(environment: Environment) -> dg.AssetsDefinition:
    """One HTML page over the published file."""

    @dg.asset(
        name=EMISSIONS_REPORT,
        description="report.html: totals, months, facilities, coverage and what is missing; one page that works offline.",
        group_name="publish",
        kinds={"html"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        deps=[PUBLISHED_FILE],
    )
    def emissions_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            written = write_report(run.folder.published, run.folder.report, with_picture=True)
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(written.file)),
                "size_bytes": written.size_bytes,
                "published_by_run": written.run_id,
                "content_hash": written.content_hash,
                "monthly_emissions": dg.MetadataValue.md(written.picture or "No month has a record."),
            }
        )

    return emissions_report
