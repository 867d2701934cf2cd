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
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms
from dcycle_pipeline.sync.decoding import Decoding
from dcycle_pipeline.sync.due import (
    EVERY_LIST,
    Selection,
    landing_of,
    last_reads,
    lists_due,
    parents_of,
    ran_out_of_time,
    read_in_time,
    why_lists_may_be_missing,
)
from dcycle_pipeline.sync.judgement import Judge, Verdict
from dcycle_pipeline.sync.merging import Merging, Swept
from dcycle_pipeline.sync.moves import end_moved_rows
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.telemetry.open_telemetry import span
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.compared import Seen
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB

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
    run: Run, endpoint: Endpoint, organization_ids: list[str], selection: Selection = EVERY_LIST
) -> SweepResult:
    """Sweep one endpoint of several organisations through one pool of connections and merge each as it is complete.

    `selection` says which of their lists are asked for.
    What cannot be read is in the result and in `sync.lists`. Raises UnavailableError if the data folder fails.
    """
    with run.working_file(LOADING_MEMORY_MB) as connection:
        try:
            return asyncio.run(_sync_endpoint(run, connection, endpoint, organization_ids, selection))
        except ExceptionGroup as group:
            raise first_error(group) from None
        finally:
            if run.outages.is_hurried:
                run.put_off = sorted(run.outages.given_up)


def first_error(error: Exception) -> Exception:
    """What went wrong first, if several things were done side by side."""
    return first_error(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


async def _sync_endpoint(
    run: Run,
    connection: duckdb.DuckDBPyConnection,
    endpoint: Endpoint,
    organization_ids: list[str],
    selection: Selection,
) -> SweepResult:
    pseudonyms = Pseudonyms(run.folder.pseudonym_key())
    merged = run_log.last_merged_by(connection, endpoint.name)
    landing = landing_of(run, connection, endpoint, merged)
    keys = lists_due(connection, endpoint, organization_ids)
    parents = parents_of(connection, endpoint, organization_ids)
    why_missing = why_lists_may_be_missing(connection, endpoint, organization_ids)
    policies = {each: Policy(endpoint, run.settings.personal_data, pseudonyms) for each in organization_ids}
    server = Server()
    async with (
        DcycleApi(run.settings, run.outages, run.limits.stopwatch) as api,
        Decoding(run, endpoint.name, len(organization_ids)) as decoding,
        asyncio.TaskGroup() as group,
    ):
        merging, tasks = Merging(run, connection, endpoint, decoding), {}
        for each in organization_ids:
            reads = last_reads(connection, landing, keys[each], merged.get(each))
            stands = selection.stands(connection, landing, keys[each], merged.get(each), reads)
            is_short = ran_out_of_time(landing, keys[each], merged.get(each), reads)
            stands |= read_in_time(run, reads) if is_short else {}
            reader = ListReader(
                api,
                landing,
                endpoint,
                policy=policies[each],
                report=partial(_landed, run, decoding),
                resume=run.resume,
                limits=run.limits,
                server=server,
                last=reads,
                stands=stands,
                is_short_of_time=is_short,
            )
            run.progress.expect(endpoint.name, each, len(keys[each]))
            is_again = each in merged and merged[each][0] == run.run_id
            settled = {key.facility_id for key in stands} if is_again else set[str | None]()
            one = _Organization(
                run, endpoint, each, reader, decoding, merging, parents[each], why_missing.get(each, ""), settled
            )
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
    """One organisation on its way through the step. `parents` are the facilities whose lists it has; `why_missing` says why there may
    be more of them. `settled` are those whose lists this run has merged before and does not ask for again: what it said of them stays.
    """

    run: Run
    endpoint: Endpoint
    organization_id: str
    reader: ListReader
    decoding: Decoding
    merging: Merging
    parents: Collection[str]
    why_missing: str
    settled: Collection[str | None] = ()

    async def sync(self, keys: list[ListKey]) -> list[ListResult]:
        with span("organization", organization_id=self.organization_id, endpoint=self.endpoint.name):
            results = await self.reader.read(keys)
        await self.decoding.has_decoded(results)
        return await self._merge({result.key: self._with_its_facility(result) for result in results})

    def _with_its_facility(self, result: ListResult) -> ListResult:
        """A list denied for a facility that is confirmed deleted: nothing is left of it, once each of its rows is confirmed too."""
        if result.outcome not in (NOT_FOUND, ForbiddenError.outcome) or self.endpoint.parent is None:
            return result
        is_listed = result.key.facility_id in self.parents
        return result if is_listed else replace(result, outcome=FACILITY_DELETED, reason="")

    async def _merge(self, results: dict[ListKey, ListResult]) -> list[ListResult]:
        """Compare, judge and merge; a list with news that may be a race with a writer is read again."""
        orphaned = {key.facility_id for key, found in results.items() if found.outcome == FACILITY_DELETED}
        judge = Judge(self.endpoint, self.organization_id, self.reader, orphaned)
        swept, verdict, seen = self._swept(results), Verdict(), Seen()
        for read in range(1, READS_AT_MOST + 1):
            seen, merged = await self.merging.compare(swept)
            if merged is not None:
                return merged
            vanished, news = seen.vanished, seen.vanished.keys() - seen.off_the_list
            if held := self._why_held(seen, len(news)):
                reasons: dict[str | None, str] = {vanished[item]: held for item in news}
                swept = self._without(swept, HELD, reasons)
                vanished = {item: facility for item, facility in vanished.items() if facility not in reasons}
                verdict = await judge.verdict(vanished, seen)
                break
            verdict = await judge.verdict(vanished, seen)
            doubted = seen.contradictions.keys() | {vanished[item] for item in verdict.not_deleted & news}
            doubted -= set(self.settled)
            if not doubted or read == READS_AT_MOST or self.run.limits.time_is_up(self.organization_id):
                break
            keys = [key for key in results if key.facility_id in doubted]
            timely = [one for one in await self.reader.read(keys, again=True) if not one.is_out_of_time]
            # If there was no time for that, the first read counts, and doubt costs a row.
            results |= {result.key: self._with_its_facility(result) for result in timely}
            swept = self._swept(results)
        contradictory = {facility: why for facility, why in seen.contradictions.items() if facility not in self.settled}
        if contradictory:
            swept = self._without(swept, UNPROVEN, contradictory)
        return await self.merging.merge(swept, verdict.without(contradictory.keys()))

    def _swept(self, results: dict[ListKey, ListResult]) -> Swept:
        """What was read, and a word on what could not be known."""
        unchanged, beside = frozenset(self.reader.unchanged), self._beside(results)
        return Swept(self.organization_id, dict(results), unchanged, beside, self._deleted_before())

    def _beside(self, results: dict[ListKey, ListResult]) -> tuple[ListResult, ...]:
        key, now = ListKey(self.organization_id, self.endpoint.name), self.run.now()
        if self.why_missing:
            return (ListResult(key, FACILITIES_NOT_READ, self.why_missing, now, now, self.run.run_id),)
        is_without_lists = self.endpoint.parent is not None and not results
        return (ListResult(key, NO_FACILITIES, "", now, now, self.run.run_id),) if is_without_lists else ()

    def _without(self, swept: Swept, outcome: str, reasons: dict[str | None, str]) -> Swept:
        """The same without some facilities' lists: they are not merged, each for its reason."""
        left_out = {
            key: replace(found, outcome=outcome, reason=reasons[key.facility_id])
            for key, found in swept.results.items()
            if key.facility_id in reasons
        }
        return replace(swept, results={**swept.results, **left_out})

    def _why_held(self, seen: Seen, vanished: int) -> str:
        """Why so many rows may not vanish at once; empty if they are few or the organisation's drop is accepted."""
        settings, known = self.run.settings, seen.current_count
        few = vanished <= settings.large_drop_rows or vanished * 100 <= known * settings.large_drop_percent
        if few or self.organization_id in self.run.accepted_drops:
            return ""
        return (
            f"{vanished} of {known} {self.endpoint.name} of organisation {self.organization_id} vanished at once, so nothing is deleted. "
            f"If that is right, run `dcycle-pipeline sync --accept-drop {self.organization_id}`; each row is then confirmed first"
        )

    def _deleted_before(self) -> dict[str, str | None]:
        """What this run decided about lists that it swept already and does not read again: its manifest is to say that too."""
        before = manifest.sweep_of(self.run.folder.landing, self.run.run_id, self.organization_id, self.endpoint.name)
        same = {key.facility_id for key in self.reader.unchanged}
        return {item: facility for item, facility in before.deleted.items() if facility in same} if before else {}
