"""The assets over the tables: the summaries, the published file, and the report on it."""

from collections.abc import Iterator, Sequence

import dagster as dg
import duckdb

from dcycle_pipeline.data_folder import PUBLISHED
from dcycle_pipeline.errors import UnsoundError
from dcycle_pipeline.orchestration.assets import OWNERS
from dcycle_pipeline.orchestration.checks import note_blocked, result_of, spec
from dcycle_pipeline.orchestration.columns import columns, described, with_query
from dcycle_pipeline.orchestration.freshness import freshness_result
from dcycle_pipeline.orchestration.late import asked_once_more
from dcycle_pipeline.orchestration.published_events import snapshot_of
from dcycle_pipeline.orchestration.published_facts import (
    BY_YEAR,
    EMISSIONS_REPORT,
    LAST_RUNS,
    NONE,
    published_facts,
    reached,
    report_facts,
    summary_facts,
)
from dcycle_pipeline.orchestration.references import made_in
from dcycle_pipeline.orchestration.step import OPEN_RUN, PUBLISHED_FILE, Environment, step
from dcycle_pipeline.publish.checks import (
    DATA_IS_FRESH,
    DESTINATIONS_REACHED,
    Finding,
    is_blocking,
    summary_checks,
)
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.summaries.declaration import COUNTED, Summary
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.sync.publication import publish, refuse_outdated, summarise
from dcycle_pipeline.sync.run import Run


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
        description=described(summary),
        group_name="summaries",
        kinds={"sql", "duckdb"},
        owners=OWNERS,
        metadata=columns(summary) | made_in(summary),
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
        metadata=summary_facts(connection, summary, changed),
        check_results=[result_of(finding) for finding in findings if finding.subject == summary.name],
    )


def published_asset(environment: Environment, upstream: list[str]) -> dg.AssetsDefinition:
    """The file that BI tools read."""

    @dg.asset(
        name=PUBLISHED_FILE,
        description=with_query(
            f"{PUBLISHED}: a snapshot of all tables, swapped in at once and never locked by the pipeline", LAST_RUNS
        ),
        metadata=made_in(publish),
        group_name="publish",
        kinds={"duckdb", "file"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        deps=upstream,
        check_specs=[spec(name, PUBLISHED_FILE, blocking=False) for name in (DESTINATIONS_REACHED, DATA_IS_FRESH)],
    )
    def published_file(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run, run.folder.writing(f"run {run.run_id}", run.wait_for_folder_seconds):
            _refuse_outdated(context, run)
            publication = publish(run)
            environment.outcome_of(run.run_id).published = True
            run_id, publication = asked_once_more(context, environment, run) or (run.run_id, publication)
            with snapshot_of(publication) as connection:
                facts = published_facts(connection, run_id, publication)
            if (earlier := facts["read_earlier"]) != NONE:
                context.log.warning(earlier)
        return dg.MaterializeResult(
            metadata=facts,
            check_results=[result_of(reached(publication)), freshness_result(run.settings)],
        )

    return published_file


def _refuse_outdated(context: dg.AssetExecutionContext, run: Run) -> None:
    if context.run.parent_run_id:  # re-executed from failure: people take it for the same as a new run
        refuse_outdated(run)


def report_asset(environment: Environment) -> dg.AssetsDefinition:
    """One HTML page over the published file."""

    @dg.asset(
        name=EMISSIONS_REPORT,
        description=with_query(
            "report.html: totals, months, facilities, coverage and what is missing; one page that works offline.",
            BY_YEAR,
        ),
        metadata=made_in(write_report),
        group_name="publish",
        kinds={"html"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        deps=[PUBLISHED_FILE],
    )
    def emissions_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            written = write_report(run.folder.published, run.folder.report, run.settings.look, with_picture=True)
        return dg.MaterializeResult(metadata=report_facts(written))

    return emissions_report
