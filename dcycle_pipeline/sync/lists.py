"""The step of one endpoint, organisation by organisation: read every list, confirm what vanished, merge.

A list with a row that vanished without being deleted is read again, a bounded number of times. Then that row alone is doubtful.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial

import duckdb

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.types import Server
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import ForbiddenError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import ListReader
from dcycle_pipeline.landing.lists import (
    FACILITIES_NOT_READ,
    FACILITY_DELETED,
    HELD,
    NO_FACILITIES,
    NOT_FOUND,
    UNPROVEN,
    ListKey,
    ListResult,
)
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms
from dcycle_pipeline.sync.decoding import Decoding
from dcycle_pipeline.sync.due import landing_of, last_reads, left_out, lists_due, parents
from dcycle_pipeline.sync.judgement import Judge, Verdict
from dcycle_pipeline.sync.moves import end_moved_rows
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log, run_tables
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB
from dcycle_pipeline.warehouse.load import load_lists, merge_sweep
from dcycle_pipeline.warehouse.merge import Staging

READS_AT_MOST = 3


@dataclass(frozen=True)
class SweepResult:
    """What a step did: the lists of each organisation, the fields that no declaration knows, and the requests that it took.

    `failure` says why a step that may fail without harm did nothing; empty if it did not fail.
    """

    lists: dict[str, list[ListResult]]
    undeclared: dict[str, frozenset[str]] = field(default_factory=dict)
    requests_count: int = 0
    failure: str = ""


def sync_endpoint(
    run: Run, endpoint: Endpoint, organization_ids: list[str], facility_ids: Collection[str] = ()
) -> SweepResult:
    """Sweep one endpoint of several organisations through one pool of connections and merge each as it is complete.

    If `facility_ids` are named, a list of another facility is not asked for as long as its last proven read is there to count.
    What cannot be read is in the result and in `sync.lists`. Raises UnavailableError if the data folder fails.
    """
    with run.working_file(LOADING_MEMORY_MB) as connection:
        try:
            return asyncio.run(_sync_endpoint(run, connection, endpoint, organization_ids, facility_ids))
        except ExceptionGroup as group:
            raise first_error(group) from None


def first_error(error: Exception) -> Exception:
    """What went wrong first, if several things were done side by side."""
    return first_error(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


async def _sync_endpoint(
    run: Run,
    connection: duckdb.DuckDBPyConnection,
    endpoint: Endpoint,
    organization_ids: list[str],
    facility_ids: Collection[str],
) -> SweepResult:
    pseudonyms = Pseudonyms(run.folder.pseudonym_key())
    writing = asyncio.Lock()
    merged = run_log.last_merged_by(connection, endpoint.name)
    landing = landing_of(run, endpoint, merged)
    keys = {each: lists_due(connection, endpoint, each) for each in organization_ids}
    policies = {each: Policy(endpoint, run.settings.personal_data, pseudonyms) for each in organization_ids}
    server = Server()
    async with (
        DcycleApi(run.settings, run.outages) as api,
        Decoding(run, endpoint.name, len(organization_ids)) as decoding,
        asyncio.TaskGroup() as group,
    ):
        tasks = {}
        for each in organization_ids:
            reader = ListReader(
                api,
                landing,
                endpoint,
                policy=policies[each],
                report=partial(_landed, run, decoding),
                resume=run.resume,
                limits=run.limits,
                server=server,
                last=last_reads(connection, landing, keys[each], merged.get(each)),
                not_asked=left_out(keys[each], facility_ids),
            )
            run.progress.expect(endpoint.name, each, len(keys[each]))
            one = _Organization(run, connection, endpoint, each, reader, decoding, writing)
            tasks[each] = group.create_task(one.sync(keys[each]))
    undeclared = {each: frozenset(policy.undeclared) for each, policy in policies.items()}
    drift = {f"{endpoint.name}.{name}" for names in undeclared.values() for name in names}
    run_log.add_requests(connection, run.run_id, api.requests_count, drift)
    end_moved_rows(run, connection, endpoint)
    return SweepResult({each: task.result() for each, task in tasks.items()}, undeclared, api.requests_count)


def _landed(run: Run, decoding: Decoding, result: ListResult) -> None:
    run.progress.finished(result)
    if not result.rows_print:  # else the tables hold the rows already
        decoding.offer(result)


@dataclass
class _Organization:
    """One organisation on its way through the step. `writing` lets one at a time use the connection."""

    run: Run
    connection: duckdb.DuckDBPyConnection
    endpoint: Endpoint
    organization_id: str
    reader: ListReader
    decoding: Decoding
    writing: asyncio.Lock

    async def sync(self, keys: list[ListKey]) -> list[ListResult]:
        results = await self.reader.read(keys)
        await self.decoding.has_decoded(results)
        async with self.writing:
            return await self._merge({result.key: self._with_its_facility(result) for result in results})

    def _with_its_facility(self, result: ListResult) -> ListResult:
        """A list denied for a facility that is confirmed deleted: nothing is left of it, once each of its rows is confirmed too."""
        if result.outcome not in (NOT_FOUND, ForbiddenError.outcome) or self.endpoint.parent is None:
            return result
        listed = self.connection.execute(
            f"SELECT 1 FROM ({parents(self.endpoint)}) WHERE {self.endpoint.parent_parameter} = $2",
            [self.organization_id, result.key.facility_id],
        ).fetchall()
        return result if listed else replace(result, outcome=FACILITY_DELETED, reason="")

    async def _merge(self, results: dict[ListKey, ListResult]) -> list[ListResult]:
        """Stage, judge and merge; a list with news that may be a race with a writer is read again."""
        staging = Staging(
            self.connection, self.endpoint, self.organization_id, self.run.folder.landing, self.decoding.decoded
        )
        orphaned = {key.facility_id for key, found in results.items() if found.outcome == FACILITY_DELETED}
        judge = Judge(self.endpoint, self.organization_id, self.reader, staging.compared, orphaned)
        verdict, contradictions = Verdict(), dict[str | None, str]()
        for read in range(1, READS_AT_MOST + 1):
            await self._load(staging, results)
            vanished, contradictions = staging.compared.vanished(), staging.compared.contradictions()
            news = judge.news(vanished)
            if held := self._why_held(staging, len(news)):
                reasons = {vanished[item]: held for item in news}
                await self._leave_out(staging, results, HELD, reasons)
                vanished = {item: facility for item, facility in vanished.items() if facility not in reasons}
                verdict = await judge.verdict(vanished)
                break
            verdict = await judge.verdict(vanished)
            doubted = contradictions.keys() | {vanished[item] for item in verdict.not_deleted & news}
            if not doubted or read == READS_AT_MOST:
                break
            keys = [key for key in results if key.facility_id in doubted]
            results |= {result.key: result for result in await self.reader.read(keys, again=True)}
        if contradictions:
            await self._leave_out(staging, results, UNPROVEN, contradictions)
        verdict = verdict.without(contradictions.keys())
        return await asyncio.to_thread(self._decide, staging, self._complete(list(results.values())), verdict)

    async def _leave_out(
        self, staging: Staging, results: dict[ListKey, ListResult], outcome: str, reasons: dict[str | None, str]
    ) -> None:
        """Take lists out of what is merged, each for its reason."""
        for key, found in list(results.items()):
            if key.facility_id in reasons:
                results[key] = replace(found, outcome=outcome, reason=reasons[key.facility_id])
        await self._load(staging, results)

    async def _load(self, staging: Staging, results: dict[ListKey, ListResult]) -> None:
        limit = self.run.settings.memory_limit_mb
        await asyncio.to_thread(load_lists, staging, list(results.values()), limit, self.reader.unchanged)

    def _why_held(self, staging: Staging, vanished: int) -> str:
        """Why so many rows may not vanish at once; empty if they are few or the organisation's drop is accepted."""
        settings, known = self.run.settings, staging.compared.current_count()
        few = vanished <= settings.large_drop_rows or vanished * 100 <= known * settings.large_drop_percent
        if few or self.organization_id in self.run.accepted_drops:
            return ""
        return (
            f"{vanished} of {known} {self.endpoint.name} of organisation {self.organization_id} vanished at once, so nothing is deleted. "
            f"If that is right, run `dcycle-pipeline sync --accept-drop {self.organization_id}`; each row is then confirmed first"
        )

    def _complete(self, results: list[ListResult]) -> list[ListResult]:
        """The lists that were read, and a word on those that could not be known."""
        if self.endpoint.parent is None:
            return results
        key, now = ListKey(self.organization_id, self.endpoint.name), self.run.now()
        where = [self.organization_id, self.endpoint.parent]
        unread = self.connection.execute(
            f"SELECT 1 FROM ({run_tables.CURRENT_LISTS}) WHERE organization_id = ? AND endpoint = ? AND is_unproven",
            where,
        ).fetchall()
        nameless = self.connection.execute(
            f"SELECT 1 FROM ({run_tables.CURRENT_QUARANTINE}) WHERE organization_id = ? AND endpoint = ? AND item_id = ''",
            where,
        ).fetchall()
        if unread or nameless:
            why = "could not be read" if unread else f"include {len(nameless)} without an id that can be read"
            reason = f"{self.endpoint.parent} of this organisation {why}, so lists of those are missing here too"
            return [*results, ListResult(key, FACILITIES_NOT_READ, reason, now, now, self.run.run_id)]
        return results or [ListResult(key, NO_FACILITIES, "", now, now, self.run.run_id)]

    def _decide(self, staging: Staging, results: list[ListResult], verdict: Verdict) -> list[ListResult]:
        """Write the decision beside the landed pages, then merge it."""
        moment = run_log.moment(self.connection, self.run.now())
        where = self.organization_id, self.endpoint.name
        began = self.run.started_at(self.connection)
        deleted, unlisted, doubtful = verdict.deleted, verdict.unlisted, verdict.doubtful
        results = [staging.described(result) for result in results]
        sweep = SweepManifest(self.run.run_id, began, moment, *where, results, deleted, unlisted, doubtful)
        manifest.write_sweep(self.run.folder.landing, sweep)
        return merge_sweep(staging, sweep, self.run.settings.memory_limit_mb)
