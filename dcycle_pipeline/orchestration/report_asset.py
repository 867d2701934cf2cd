"""The report as an asset, with its picture, after the file that it is made from."""

import dagster as dg

from dcycle_pipeline.orchestration.assets import OWNERS, POOL
from dcycle_pipeline.orchestration.context import PUBLISHED_FILE, Environment, stage
from dcycle_pipeline.report.writing import write_report

EMISSIONS_REPORT = "emissions_report"


def report_asset(environment: Environment) -> dg.AssetsDefinition:
    """One HTML page over the published file."""

    @dg.asset(
        name=EMISSIONS_REPORT,
        description="report.html: totals, months, facilities, coverage and what is missing; one page that works offline.",
        group_name="publish",
        kinds={"html"},
        owners=OWNERS,
        pool=POOL,
        retry_policy=environment.retry,
        deps=[PUBLISHED_FILE],
    )
    def emissions_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with stage(context, environment) as run:
            written = write_report(run.folder.published, run.folder.report)
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
