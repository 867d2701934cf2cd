"""The stage of year totals: one request for each organisation and calendar year that has records. It informs, and never blocks."""

import asyncio
from datetime import timedelta

import duckdb

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.endpoints.declaration import YearTotal
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import Scope, Sweeper, Swept
from dcycle_pipeline.landing.manifest import LandedSweep, landed_scope
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.lists import EndpointOutcome, StageOutcome, first_error
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB
from dcycle_pipeline.warehouse.year_totals import settle_totals

MOST_YEARS = 30
# Nobody waits long for what only informs.
MOST_ATTEMPTS, MOST_SECONDS = 3, 30.0


def sync_totals(run: Run, endpoint: YearTotal, organization_ids: list[str]) -> StageOutcome:
    """Ask for the totals of several organisations, side by side, and settle what came.

    What cannot be read is in the outcome and in `sync.scopes`, leaves the last rows and counts as no gap. Raises
    UnavailableError where the data folder fails.
    """
    with run.warehouse(LOADING_MEMORY_MB) as connection:
        years = {identifier: _years(connection, identifier) for identifier in organization_ids}
        for identifier in organization_ids:
            run.progress.expect(endpoint.name, identifier, len(years[identifier]))
        scopes = [Scope(identifier, endpoint.name, year) for identifier in years for year in years[identifier]]
        policy = Policy(endpoint, run.settings.personal_data, Pseudonyms(run.folder.pseudonym_key()))
        try:
            swept, requests_count = asyncio.run(_ask(run, endpoint, policy, scopes))
        except ExceptionGroup as group:
            raise first_error(group) from None
        outcomes = [
            EndpointOutcome(
                identifier,
                _settle(run, connection, endpoint, [one for one in swept if one.scope.organization_id == identifier]),
                frozenset(policy.undeclared),
            )
            for identifier in organization_ids
            if years[identifier]
        ]
        drift = {f"{endpoint.name}.{name}" for name in policy.undeclared}
        run_log.add_requests(connection, run.run_id, requests_count, drift)
    return StageOutcome(outcomes, requests_count)


def _years(connection: duckdb.DuckDBPyConnection, organization_id: str) -> list[str]:
    """The calendar years that active records of an organisation touch; where they are too many, those of most records."""
    rows = connection.execute(
        """SELECT year FROM (SELECT unnest(range(year(start_date), year(end_date) + 1)) AS year
            FROM dcycle.waste_water_treatments WHERE organization_id = ? AND status = 'active')
        GROUP BY year ORDER BY count(*) DESC, year DESC LIMIT ?""",
        [organization_id, MOST_YEARS],
    ).fetchall()
    return sorted(str(row[0]) for row in rows)


async def _ask(run: Run, endpoint: YearTotal, policy: Policy, scopes: list[Scope]) -> tuple[list[Swept], int]:
    landing = run.landing(endpoint.path, endpoint.query("0000"))
    resume = timedelta(hours=run.settings.resume_hours)
    async with DcycleApi(_impatient(run.settings)) as api:
        sweeper = Sweeper(api, landing, endpoint, policy=policy, report=run.progress.swept, resume=resume, now=run.now)
        return await sweeper.sweep(scopes), api.requests_count


def _impatient(settings: Settings) -> Settings:
    patience = {
        "retry_attempts": min(settings.retry_attempts, MOST_ATTEMPTS),
        "retry_seconds": min(settings.retry_seconds, MOST_SECONDS),
    }
    return settings.model_copy(update=patience)


def _settle(
    run: Run, connection: duckdb.DuckDBPyConnection, endpoint: YearTotal, swept: list[Swept]
) -> list[run_log.ScopeRecord]:
    """Write the decision beside the landed answers, then make rows of them."""
    where = swept[0].scope.organization_id, endpoint.name
    times = run.started_at(connection), run_log.moment(connection, run.now())
    sweep = LandedSweep(run.run_id, *times, *where, [landed_scope(one) for one in swept], {})
    manifest.keep_sweep(run.folder.landing, sweep)
    return settle_totals(connection, sweep, swept)
