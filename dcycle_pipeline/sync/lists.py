"""The stage of one endpoint: sweep every scope, stage, confirm what vanished, merge; organisation by organisation."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import duckdb

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.types import Proof
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import ScopeError, TransientError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import Scope, Sweeper, Swept
from dcycle_pipeline.landing.manifest import LandedSweep, landed_scope
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log, run_tables
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, with_room
from dcycle_pipeline.warehouse.load import settle
from dcycle_pipeline.warehouse.merge import Staging
from dcycle_pipeline.warehouse.run_log import ScopeRecord

WALKS_AT_MOST = 3
_NOTHING_LEFT = Proof(proven=True, reason="", counter=0, rows=0, distinct=0, passes=0, pages=0)


@dataclass(frozen=True)
class EndpointOutcome:
    """What the stage did for one organisation."""

    organization_id: str
    records: list[ScopeRecord]
    undeclared: frozenset[str]

    @property
    def rows_count(self) -> int:
        return sum(record.swept.proof.distinct for record in self.records if record.swept.proof and record.swept.proven)


@dataclass(frozen=True)
class StageOutcome:
    """What the stage did for all its organisations."""

    organizations: list[EndpointOutcome]
    requests_count: int


def sync_endpoint(run: Run, endpoint: Endpoint, organization_ids: list[str]) -> StageOutcome:
    """Sweep one endpoint of several organisations through one pool of connections and merge each as it is complete.

    What cannot be read is in the outcome and in `sync.scopes`. Raises UnavailableError where the data folder fails.
    """
    with run.warehouse(LOADING_MEMORY_MB) as connection:
        try:
            return asyncio.run(_sync_endpoint(run, connection, endpoint, organization_ids))
        except ExceptionGroup as group:
            raise first_error(group) from None


def first_error(error: Exception) -> Exception:
    """What went wrong first, where several things done side by side did."""
    return first_error(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


async def _sync_endpoint(
    run: Run, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_ids: list[str]
) -> StageOutcome:
    pseudonyms = Pseudonyms(run.folder.pseudonym_key())
    writing = asyncio.Lock()
    settled = run_log.last_settled_by(connection, endpoint.name)
    landing = run.landing(endpoint.reading.path, endpoint.reading.query, settled)
    resume = timedelta(hours=run.settings.resume_hours)
    scopes = {organization_id: _scopes(connection, endpoint, organization_id) for organization_id in organization_ids}
    async with DcycleApi(run.settings) as api, asyncio.TaskGroup() as group:
        tasks = []
        for organization_id in organization_ids:
            policy = Policy(endpoint, run.settings.personal_data, pseudonyms)
            told = run.progress.swept
            sweeper = Sweeper(api, landing, endpoint, policy=policy, report=told, resume=resume, now=run.now)
            run.progress.expect(endpoint.name, organization_id, len(scopes[organization_id]))
            one = _Organization(run, connection, endpoint, organization_id, sweeper, writing)
            tasks.append(group.create_task(one.sync(scopes[organization_id], policy)))
    outcomes = [task.result() for task in tasks]
    drift = {f"{endpoint.name}.{name}" for outcome in outcomes for name in outcome.undeclared}
    run_log.add_requests(connection, run.run_id, api.requests_count, drift)
    return StageOutcome(outcomes, api.requests_count)


def _scopes(connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_id: str) -> list[Scope]:
    """What to walk: the one list of the organisation, or one for every parent row and every parent of a known row."""
    if endpoint.parent is None:
        return [Scope(organization_id, endpoint.name)]
    rows = connection.execute(
        f"""SELECT {endpoint.scope_parameter} FROM dcycle.{endpoint.parent} WHERE organization_id = $1
        UNION SELECT {endpoint.scope_parameter} FROM {endpoint.table.qualified} WHERE organization_id = $1 ORDER BY 1""",
        [organization_id],
    ).fetchall()
    return [Scope(organization_id, endpoint.name, row[0]) for row in rows]


@dataclass
class _Organization:
    """One organisation on its way through the stage. `writing` lets one at a time use the connection."""

    run: Run
    connection: duckdb.DuckDBPyConnection
    endpoint: Endpoint
    organization_id: str
    sweeper: Sweeper
    writing: asyncio.Lock

    async def sync(self, scopes: list[Scope], policy: Policy) -> EndpointOutcome:
        results = await self.sweeper.sweep(scopes)
        async with self.writing:
            swept = {result.scope: self._gone_with_its_parent(result) for result in results}
            records = await self._settle(swept)
        return EndpointOutcome(self.organization_id, records, frozenset(policy.undeclared))

    def _gone_with_its_parent(self, swept: Swept) -> Swept:
        """404 for a facility that is confirmed deleted: nothing is left of it, once each of its rows is confirmed too."""
        if swept.outcome != "not_found" or self.endpoint.parent is None:
            return swept
        listed = self.connection.execute(
            f"SELECT 1 FROM dcycle.{self.endpoint.parent} WHERE organization_id = ? AND {self.endpoint.scope_parameter} = ?",
            [self.organization_id, swept.scope.scope_id],
        ).fetchall()
        return swept if listed else replace(swept, outcome="proven", reason="", proof=_NOTHING_LEFT)

    async def _settle(self, swept: dict[Scope, Swept]) -> list[ScopeRecord]:
        """Stage, confirm and merge; scopes with a row that vanished without being deleted are walked again."""
        staging = Staging(self.connection, self.endpoint, self.organization_id)
        deleted: dict[str, str | None] = {}
        for walk in range(1, WALKS_AT_MOST + 1):
            await self._load(staging, swept)
            vanished = staging.vanished()
            if held := self._held(staging, vanished):
                await self._leave_open(staging, swept, "held", dict.fromkeys(vanished.values(), held))
                break
            deleted, doubts = await self._confirm(vanished)
            if not doubts:
                break
            doubted = [scope for scope in swept if scope.scope_id in doubts]
            if walk < WALKS_AT_MOST:
                swept |= {result.scope: result for result in await self.sweeper.sweep(doubted, anew=True)}
            else:
                await self._leave_open(staging, swept, "unproven", doubts)
                deleted = {item: scope_id for item, scope_id in deleted.items() if scope_id not in doubts}
        everything = [*swept.values(), *self._unlisted()] or self._closed()
        return await asyncio.to_thread(self._keep, staging, everything, deleted)

    async def _leave_open(
        self, staging: Staging, swept: dict[Scope, Swept], outcome: str, reasons: dict[str | None, str]
    ) -> None:
        """Take scopes out of what is merged, each for its reason."""
        for scope, found in list(swept.items()):
            if scope.scope_id in reasons:
                swept[scope] = replace(found, outcome=outcome, reason=reasons[scope.scope_id])
        await self._load(staging, swept)

    async def _load(self, staging: Staging, swept: dict[Scope, Swept]) -> None:
        proven = [result for result in swept.values() if result.proven]
        limit = self.run.settings.memory_limit_mb
        await asyncio.to_thread(with_room, self.connection, limit, lambda: staging.load(proven))

    def _held(self, staging: Staging, vanished: dict[str, str | None]) -> str:
        """Why so many rows may not vanish at once; empty where they are few or the organisation's drop is accepted."""
        settings, known = self.run.settings, staging.current_count()
        few = len(vanished) <= settings.large_drop_rows or len(vanished) * 100 <= known * settings.large_drop_percent
        if few or self.organization_id in self.run.accepted_drops:
            return ""
        return (
            f"{len(vanished)} of {known} {self.endpoint.name} of organisation {self.organization_id} vanished at once, so nothing is deleted. "
            f"If that is right, run `dcycle-pipeline sync --accept-drop {self.organization_id}`; each row is then confirmed first"
        )

    async def _confirm(self, vanished: dict[str, str | None]) -> tuple[dict[str, str | None], dict[str | None, str]]:
        """The vanished rows that are deleted, and for every scope with another one what is doubtful."""
        async with asyncio.TaskGroup() as group:
            answers = {item: group.create_task(self._doubt(item)) for item in vanished}
        doubts = {vanished[item]: reason for item, task in answers.items() if (reason := task.result())}
        return {item: scope for item, scope in vanished.items() if not answers[item].result()}, doubts

    async def _doubt(self, item_id: str) -> str:
        """Why a row that the list no longer shows cannot be taken for deleted; empty when the API says that it is."""
        try:
            exists = await self.sweeper.exists(self.endpoint.reading.detail_path, self.organization_id, item_id)
        except (ScopeError, TransientError) as error:
            return f"row {item_id} vanished from the list, and whether it is deleted is not known: {error}"
        return f"the list does not show row {item_id}, but the API still has it" if exists else ""

    def _unlisted(self) -> list[Swept]:
        """Where the parents could not be read in this run, rows of unknown parents may be missing: say so."""
        if self.endpoint.parent is None:
            return []
        now = self.run.now()
        rows = self.connection.execute(
            f"SELECT outcome FROM ({run_tables.CURRENT_SCOPES}) WHERE organization_id = ? AND endpoint = ? AND outcome <> 'proven'",
            [self.organization_id, self.endpoint.parent],
        ).fetchall()
        reason = f"{self.endpoint.parent} of this organisation could not be read, so those not known yet are missing here too"
        return [
            Swept(Scope(self.organization_id, self.endpoint.name), row[0], reason, None, None, now, now) for row in rows
        ]

    def _closed(self) -> list[Swept]:
        """Where no parent is left to ask for, what stayed open in an earlier sweep is not open any more."""
        now = self.run.now()
        rows = self.connection.execute(
            f"SELECT 1 FROM ({run_tables.CURRENT_SCOPES}) WHERE organization_id = ? AND endpoint = ? AND outcome <> 'proven' LIMIT 1",
            [self.organization_id, self.endpoint.name],
        ).fetchall()
        scope = Scope(self.organization_id, self.endpoint.name)
        return [Swept(scope, "proven", "", _NOTHING_LEFT, None, now, now, self.run.run_id) for _ in rows]

    def _keep(self, staging: Staging, swept: list[Swept], deleted: dict[str, str | None]) -> list[ScopeRecord]:
        """Write the decision beside the landed pages, then merge it."""
        moment = run_log.moment(self.connection, self.run.now())
        scopes = [landed_scope(one) for one in swept]
        where = self.organization_id, self.endpoint.name
        sweep = LandedSweep(self.run.run_id, self.run.started_at(self.connection), moment, *where, scopes, deleted)
        manifest.keep_sweep(self.run.folder.landing, sweep)
        return with_room(self.connection, self.run.settings.memory_limit_mb, lambda: settle(staging, sweep, swept))
