"""The step of year totals: one request for each organisation and calendar year that has records. It informs, and never blocks."""

import asyncio

import duckdb

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.endpoints.declaration import YearTotal
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import ListReader
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
    try:
        return _sync_totals(run, endpoint, organization_ids)
    except DcycleError as error:
        return SweepResult({}, failure=str(error))


def _sync_totals(run: Run, endpoint: YearTotal, organization_ids: list[str]) -> SweepResult:
    with run.working_file(LOADING_MEMORY_MB) as connection:
        keys = {each: totals_due(connection, endpoint, each) for each in organization_ids}
        for each in organization_ids:
            run.progress.expect(endpoint.name, each, len(keys[each]))
        policy = Policy(endpoint, run.settings.personal_data, Pseudonyms(run.folder.pseudonym_key()))
        try:
            results, requests_count = asyncio.run(
                _ask(run, endpoint, policy, [key for each in keys.values() for key in each])
            )
        except ExceptionGroup as group:
            raise first_error(group) from None
        merged = {
            each: _merge(run, connection, endpoint, [one for one in results if one.key.organization_id == each])
            for each in organization_ids
            if keys[each]
        }
        undeclared = frozenset(policy.undeclared)
        run_log.add_requests(connection, run.run_id, requests_count, {f"{endpoint.name}.{name}" for name in undeclared})
    return SweepResult(merged, dict.fromkeys(merged, undeclared), requests_count)


def totals_due(connection: duckdb.DuckDBPyConnection, endpoint: YearTotal, organization_id: str) -> list[ListKey]:
    """The calendar years that active records of an organisation touch; if they are too many, those of most records."""
    rows = connection.execute(
        """SELECT year FROM (SELECT unnest(range(year(start_date), year(end_date) + 1)) AS year
            FROM dcycle.waste_water_treatments WHERE organization_id = ? AND status = 'active')
        GROUP BY year ORDER BY count(*) DESC, year DESC LIMIT ?""",
        [organization_id, MOST_YEARS],
    ).fetchall()
    return [ListKey(organization_id, endpoint.name, year=year) for year in sorted(row[0] for row in rows)]


async def _ask(run: Run, endpoint: YearTotal, policy: Policy, keys: list[ListKey]) -> tuple[list[ListResult], int]:
    landing = run.landing(endpoint.path, endpoint.query("0000"))
    async with DcycleApi(_impatient(run.settings), run.outages) as api:
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
) -> list[ListResult]:
    """Write the decision beside the landed answers, then make rows of them."""
    where = results[0].key.organization_id, endpoint.name
    times = run.started_at(connection), run_log.moment(connection, run.now())
    sweep = SweepManifest(run.run_id, *times, *where, results, {})
    manifest.write_sweep(run.folder.landing, sweep)
    return merge_year_totals(connection, sweep, run.folder.landing)
