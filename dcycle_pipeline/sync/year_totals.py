"""The step of year totals: one request for each organisation and calendar year that has records. It informs, and never blocks."""

import asyncio
from collections.abc import Collection

import duckdb

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.endpoints.declaration import YearTotal
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import ListReader
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.lists import SweepResult, first_error
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB
from dcycle_pipeline.warehouse.year_totals import merge_year_totals

MOST_YEARS = 30
# Nobody waits long for what only informs.
MOST_ATTEMPTS, MOST_SECONDS = 3, 30.0


def sync_totals(run: Run, endpoint: YearTotal, organization_ids: list[str]) -> SweepResult:
    """Ask for the totals of several organisations, side by side, and merge what came.

    What cannot be read is in the result and in `sync.lists`, leaves the last rows and counts as no gap. Totals inform, so no failure
    of theirs fails a sync: it is in the result too.
    """
    run.outages.is_hurried = False  # for want of a total nobody is asked again, so one that takes long is waited for
    try:
        return _sync_totals(run, endpoint, organization_ids)
    except DcycleError as error:
        return SweepResult({}, failure=str(error))


def _sync_totals(run: Run, endpoint: YearTotal, organization_ids: list[str]) -> SweepResult:
    with run.working_file(LOADING_MEMORY_MB) as connection:
        keys = totals_due(connection, endpoint, organization_ids)
        for each in organization_ids:
            run.progress.expect(endpoint.name, each, len(keys[each]))
        policy = Policy(endpoint, run.settings.personal_data, Pseudonyms(run.folder.pseudonym_key()))
        try:
            asked = [key for each in keys.values() for key in each]
            landing = totals_landing(run, connection, endpoint)
            results, requests_count = asyncio.run(_ask(run, endpoint, policy, asked, landing))
        except ExceptionGroup as group:
            raise first_error(group) from None
        merged = _merge(run, connection, endpoint, results) if results else {}
        undeclared = frozenset(policy.undeclared)
        run_log.add_requests(connection, run.run_id, requests_count, {f"{endpoint.name}.{name}" for name in undeclared})
    return SweepResult(merged, dict.fromkeys(merged, undeclared), requests_count)


def totals_due(
    connection: duckdb.DuckDBPyConnection, endpoint: YearTotal, organization_ids: Collection[str]
) -> dict[str, list[ListKey]]:
    """The calendar years that active records of each organisation touch; if they are too many, those of most records."""
    rows = connection.execute(
        """WITH touched AS (
            SELECT organization_id, unnest(range(year(start_date), year(end_date) + 1)) AS year FROM dcycle.waste_water_treatments
            WHERE organization_id IN (SELECT unnest(?::VARCHAR[])) AND status = 'active'
        ), counted AS (SELECT organization_id, year, count(*) AS records_count FROM touched GROUP BY ALL)
        SELECT organization_id, year FROM counted
        QUALIFY row_number() OVER (PARTITION BY organization_id ORDER BY records_count DESC, year DESC) <= ? ORDER BY ALL""",
        [list(organization_ids), MOST_YEARS],
    ).fetchall()
    due: dict[str, list[ListKey]] = {each: [] for each in organization_ids}
    for organization, year in rows:
        due[organization].append(ListKey(organization, endpoint.name, year=year))
    return due


def totals_landing(run: Run, connection: duckdb.DuckDBPyConnection, endpoint: YearTotal) -> Landing:
    """Where the totals of an endpoint land."""
    merged = run_log.last_merged_by(connection, endpoint.name)
    return run.landing(endpoint.path, endpoint.query("0000"), merged)


async def _ask(
    run: Run, endpoint: YearTotal, policy: Policy, keys: list[ListKey], landing: Landing
) -> tuple[list[ListResult], int]:
    async with DcycleApi(_impatient(run.settings), run.outages, run.limits.stopwatch) as api:
        report, resume, limits = run.progress.finished, run.resume, run.limits
        reader = ListReader(api, landing, endpoint, policy=policy, report=report, resume=resume, limits=limits)
        return await reader.read(keys), api.requests_count


def _impatient(settings: Settings) -> Settings:
    patience = {
        "retry_attempts": min(settings.retry_attempts, MOST_ATTEMPTS),
        "retry_seconds": min(settings.retry_seconds, MOST_SECONDS),
    }
    return settings.model_copy(update=patience)


def _merge(
    run: Run, connection: duckdb.DuckDBPyConnection, endpoint: YearTotal, results: list[ListResult]
) -> dict[str, list[ListResult]]:
    """Write the decisions beside the landed answers, then make rows of them."""
    found: dict[str, list[ListResult]] = {}
    for result in results:
        found.setdefault(result.key.organization_id, []).append(result)
    began, moments = run.started_at(connection), run_log.moments(connection, run.now())
    sweeps = [
        SweepManifest(run.run_id, began, moment, each, endpoint.name, answers, {})
        for moment, (each, answers) in zip(moments, found.items(), strict=False)
    ]
    for sweep in sweeps:
        manifest.write_sweep(run.folder.landing, sweep)
    return dict(zip(found, merge_year_totals(connection, sweeps, run.folder.landing), strict=True))
