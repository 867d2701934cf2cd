"""The stage of one endpoint: sweep every scope, stage, confirm what vanished, merge; organisation by organisation."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import duckdb

from dcycle_pipeline import ledger
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.reading import Proof
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import ScopeError, TransientError
from dcycle_pipeline.landing import Landing
from dcycle_pipeline.ledger import ScopeRecord
from dcycle_pipeline.merge import Staging
from dcycle_pipeline.personal_data import Policy, Pseudonyms
from dcycle_pipeline.run import Run
from dcycle_pipeline.sweep import Scope, Sweeper, Swept
from dcycle_pipeline.warehouse import memory_limit, transaction

WALKS_AT_MOST = 3
# Enough for staging and merging a million rows, measured as fast as any more; memory then hardly grows with the data.
LOADING_MEMORY_MB = 64
T = TypeVar("T")
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

    What cannot be read is in the outcome and in `sync.scopes`. Raises UnavailableError where the working file fails.
    """
    with run.warehouse(LOADING_MEMORY_MB) as connection:
        return asyncio.run(_sync_endpoint(run, connection, endpoint, organization_ids))


async def _sync_endpoint(
    run: Run, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_ids: list[str]
) -> StageOutcome:
    pseudonyms = Pseudonyms(run.folder.pseudonym_key())
    writing = asyncio.Lock()
    landing = Landing(run.folder.landing, run.run_id)
    scopes = {organization_id: _scopes(connection, endpoint, organization_id) for organization_id in organization_ids}
    async with DcycleApi(run.settings) as api, asyncio.TaskGroup() as group:
        tasks = []
        for organization_id in organization_ids:
            policy = Policy(endpoint, run.settings.personal_data, pseudonyms)
            sweeper = Sweeper(api, landing, endpoint, policy, run.progress.swept)
            run.progress.expect(endpoint.name, organization_id, len(scopes[organization_id]))
            one = _Organization(run, connection, endpoint, organization_id, sweeper, writing)
            tasks.append(group.create_task(one.sync(scopes[organization_id], policy)))
    outcomes = [task.result() for task in tasks]
    drift = {f"{endpoint.name}.{name}" for outcome in outcomes for name in outcome.undeclared}
    ledger.add_requests(connection, run.run_id, api.requests_count, drift)
    return StageOutcome(outcomes, api.requests_count)


def _scopes(connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_id: str) -> list[Scope]:
    """What to walk: the one list of the organisation, or one for every parent row and every parent of a known row."""
    if endpoint.parent is None:
        return [Scope(organization_id, endpoint.name)]
    rows = connection.execute(
        f"""SELECT {endpoint.scope_parameter} FROM dcycle.{endpoint.parent} WHERE organization_id = $1
        UNION SELECT {endpoint.scope_parameter} FROM {endpoint.tables[0].qualified} WHERE organization_id = $1 ORDER BY 1""",
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
        for walk in range(1, WALKS_AT_MOST + 1):
            await self._load(staging, [result for result in swept.values() if result.proven])
            deleted, doubts = await self._confirm(staging.vanished())
            if not doubts:
                break
            doubted = [scope for scope in swept if scope.scope_id in doubts]
            if walk < WALKS_AT_MOST:
                swept |= {result.scope: result for result in await self.sweeper.sweep(doubted)}
            else:
                swept |= {
                    scope: replace(swept[scope], outcome="unproven", reason=doubts[scope.scope_id]) for scope in doubted
                }
                await self._load(staging, [result for result in swept.values() if result.proven])
                deleted = {item: scope for item, scope in deleted.items() if scope not in doubts}
        everything = [*swept.values(), *self._unlisted()]
        return await asyncio.to_thread(self._with_room, lambda: self._merge(staging, everything, deleted))

    async def _load(self, staging: Staging, swept: list[Swept]) -> None:
        await asyncio.to_thread(self._with_room, lambda: staging.load(swept))

    def _with_room(self, step: Callable[[], T]) -> T:
        """Do a step in little memory; where that is not enough, once more with all that the settings grant."""
        try:
            return step()
        except duckdb.OutOfMemoryException:
            self.connection.execute(memory_limit(self.run.settings.memory_limit_mb))
            return step()

    async def _confirm(self, vanished: dict[str, str | None]) -> tuple[dict[str, str | None], dict[str | None, str]]:
        """The vanished rows that are deleted, and for every scope with another one what is doubtful."""
        async with asyncio.TaskGroup() as group:
            answers = {item: group.create_task(self._doubt(item)) for item in vanished}
        doubts = {vanished[item]: reason for item, task in answers.items() if (reason := task.result())}
        return {item: scope for item, scope in vanished.items() if not answers[item].result()}, doubts

    async def _doubt(self, item_id: str) -> str:
        """Why a row that the list no longer shows cannot be taken for deleted; empty when the API says that it is."""
        try:
            exists = await self.sweeper.exists(self.organization_id, item_id)
        except (ScopeError, TransientError) as error:
            return f"row {item_id} vanished from the list, and whether it is deleted is not known: {error}"
        return f"the list does not show row {item_id}, but the API still has it" if exists else ""

    def _unlisted(self) -> list[Swept]:
        """Where the parents could not be read in this run, rows of unknown parents may be missing: say so."""
        if self.endpoint.parent is None:
            return []
        now = self.run.now()
        rows = self.connection.execute(
            f"SELECT outcome FROM ({ledger.CURRENT_SCOPES}) WHERE organization_id = ? AND endpoint = ? AND outcome <> 'proven'",
            [self.organization_id, self.endpoint.parent],
        ).fetchall()
        reason = f"{self.endpoint.parent} of this organisation could not be read, so those not known yet are missing here too"
        return [
            Swept(Scope(self.organization_id, self.endpoint.name), row[0], reason, None, None, now, now) for row in rows
        ]

    def _merge(self, staging: Staging, swept: list[Swept], deleted: dict[str, str | None]) -> list[ScopeRecord]:
        bad = [item.swept.scope for item in staging.bad]
        gone = list(deleted.values())
        records = [
            ScopeRecord(result, gone.count(result.scope.scope_id) if result.proven else 0, bad.count(result.scope))
            for result in swept
        ]
        with transaction(self.connection):
            staging.merge(list(deleted), self.run.now())
            ledger.record_scopes(self.connection, self.run.run_id, records)
            ledger.record_quarantine(self.connection, self.run.run_id, staging.bad, self.run.now())
        return records
