"""The plan of a backfill: which lists it asks for, and by what the last runs took, how many requests and how long.

A record that overlaps the period may lie in any list. It may be new; it may have been edited into the period from any other day;
and Dcycle recalculates backwards. Nothing about a list that is known here excludes that: not the days of the records that were seen
in it, not the day on which its facility was created, not that it was empty. So no list is left out because of the period. The API's
date filters do not help either: they contain a record, they do not overlap it, and one at the edge would be lost.

What may be left out is what nobody asked for: other organisations, and lists of other facilities. Of these the last proven read
counts on. If there is none, or its pages are gone, the list is in.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import UsageError
from dcycle_pipeline.landing.fetch import Resume
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.lists import Backfill, ListKey
from dcycle_pipeline.sync.due import Selection, landing_of, last_reads, lists_due
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import totals_due, totals_landing
from dcycle_pipeline.warehouse import run_log, run_tables

_LAST_RUNS = 5
# What the last runs took: requests a page, with those that no list counts as a page; and seconds a request, merging included.
_PACE = f"""SELECT median(requests_count / pages), median(seconds / requests_count) FROM (
    SELECT any_value(requests_count) AS requests_count, epoch(max(merged_at)) - epoch(any_value(run.started_at)) AS seconds,
        sum(coalesce(pages_count, 1)) FILTER (list.started_at >= run.started_at) AS pages
    FROM {run_tables.RUNS.qualified} AS run JOIN {run_tables.LISTS.qualified} AS list USING (run_id)
    WHERE requests_count > 0 AND run.outcome IN {run_tables.PUBLISHED} AND pending_only IS NOT TRUE
    GROUP BY run_id ORDER BY max(merged_at) DESC LIMIT {_LAST_RUNS})"""


@dataclass(frozen=True)
class PlannedList:
    """A list that will be read: how many known records of it overlap the period, and the pages of its last read (1 if it was never read).
    One that `is_landed` is not asked for again: a run that died has landed it, and this one takes it over.
    """

    key: ListKey
    overlapping_count: int
    pages_count: int
    is_landed: bool = False


@dataclass(frozen=True)
class Plan:
    """What a backfill of `organization_ids` will read. `kept_count` are the lists of other facilities of which the last read counts.

    `asked_count` are the requests that the plan itself took, `requests_count` those to come by what the last reads took, and `seconds`
    their time by what the last runs took; None if nothing was read yet. `unread` says of which organisations facilities may be missing.
    """

    backfill: Backfill
    organization_ids: list[str]
    facility_ids: frozenset[str]
    lists: list[PlannedList]
    kept_count: int
    asked_count: int
    requests_count: int
    seconds: float | None
    unread: list[tuple[str, str]]

    @property
    def landed_count(self) -> int:
        """How many of the lists landed already, and are taken over."""
        return sum(each.is_landed for each in self.lists)


def make_plan(
    run: Run, backfill: Backfill, organization_ids: Collection[str] = (), facility_ids: Collection[str] = ()
) -> Plan:
    """Read the tree and the facilities, which say what lists there are, and plan the rest.

    Raises UsageError for a facility that nobody lists, and what `refresh_organizations` raises.
    """
    found = [organization.organization_id for organization in refresh_organizations(run)]
    asked, wanted = list(organization_ids) or _owners(run, facility_ids, found), frozenset(facility_ids)
    for endpoint in run.endpoints:
        if endpoint.parent is None:
            sync_endpoint(run, endpoint, asked)
    with run.working_file() as connection:
        due = {each: _due(run, connection, each) for each in asked}
        owners = _with_facilities(due, wanted) if wanted else asked
        reads = [_Reads.of(run, connection, endpoint) for endpoint in run.endpoints]
        lists = [one for each in owners for one in _planned(connection, reads, due[each], wanted, backfill)]
        due_count = sum(len(keys) for each in owners for keys in due[each].values())
        asked_count = run_log.run_facts(connection, run.run_id)["requests_count"]
        requests_count, seconds = _cost(run, connection, lists, owners)
        unread = [(row[0], row[4]) for row in run_log.unproven_lists(connection) if _is_unread(run, row, owners)]
    kept_count = due_count - len(lists)
    return Plan(backfill, owners, wanted, lists, kept_count, asked_count, requests_count, seconds, unread)


def _cost(
    run: Run, connection: duckdb.DuckDBPyConnection, lists: list[PlannedList], organization_ids: list[str]
) -> tuple[int, float | None]:
    """The requests to come, those for year totals included, and their seconds; None if nothing was read yet. What landed needs none."""
    pages_count = sum(each.pages_count for each in lists if not each.is_landed)
    for total in YEAR_TOTALS:
        keys = [key for each in totals_due(connection, total, organization_ids).values() for key in each]
        pages_count += len(keys) - len(run.resume.landed(totals_landing(run, connection, total), keys))
    requests_a_page, seconds_a_request = connection.execute(_PACE).fetchall()[0]
    requests_count = math.ceil(pages_count * (requests_a_page or 1))
    return requests_count, None if seconds_a_request is None else seconds_a_request * requests_count


def _is_unread(run: Run, row: tuple[str, str, str | None, str, str], owners: Collection[str]) -> bool:
    parents = {endpoint.name for endpoint in run.endpoints if endpoint.parent is None}
    return row[0] in owners and row[1] in parents


def _owners(run: Run, facility_ids: Collection[str], organization_ids: list[str]) -> list[str]:
    """The organisations that can list the facilities: those of which we know it, or all if we do not know it of each facility."""
    with run.working_file() as connection:
        rows = connection.execute(
            "SELECT facility_id, organization_id FROM dcycle.facilities WHERE facility_id IN (SELECT unnest(?::VARCHAR[]))",
            [list(facility_ids)],
        ).fetchall()
    known = {organization for _, organization in rows}
    is_known = facility_ids and {facility for facility, _ in rows} == set(facility_ids)
    return [each for each in organization_ids if each in known] if is_known else organization_ids


def _due(run: Run, connection: duckdb.DuckDBPyConnection, organization_id: str) -> dict[str, list[ListKey]]:
    """The lists of an organisation that are still to be read, by endpoint: those of its facilities."""
    return {
        endpoint.name: lists_due(connection, endpoint, [organization_id])[organization_id]
        for endpoint in run.endpoints
        if endpoint.parent is not None
    }


def _with_facilities(due: dict[str, dict[str, list[ListKey]]], facility_ids: frozenset[str]) -> list[str]:
    """The organisations that have one of the facilities. Raises UsageError if none has one of them."""
    has = {
        each: {key.facility_id for keys in lists.values() for key in keys} & facility_ids for each, lists in due.items()
    }
    if unknown := sorted(facility_ids - set[str | None]().union(*has.values())):
        raise UsageError(
            f"Facility {', '.join(map(str, unknown))} is not among those of organisation {', '.join(due)}. Nothing was changed."
        )
    return [each for each, found in has.items() if found]


@dataclass(frozen=True)
class _Reads:
    """What all organisations share of an endpoint: which run merged each of them last, and when; where lists land; what is taken over."""

    endpoint: Endpoint
    merged: Mapping[str, tuple[str, datetime]]
    landing: Landing
    resume: Resume

    @classmethod
    def of(cls, run: Run, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> "_Reads":
        merged = run_log.last_merged_by(connection, endpoint.name)
        return cls(endpoint, merged, landing_of(run, connection, endpoint, merged), run.resume)


def _to_ask(
    connection: duckdb.DuckDBPyConnection, reads: _Reads, keys: list[ListKey], wanted: frozenset[str]
) -> list[ListKey]:
    if not wanted or not keys:
        return keys
    landing, last = reads.landing, reads.merged.get(keys[0].organization_id)
    stands = Selection(wanted).stands(connection, landing, keys, last, last_reads(connection, landing, keys, last))
    return [key for key in keys if key not in stands]


def _planned(
    connection: duckdb.DuckDBPyConnection,
    reads: Sequence[_Reads],
    due: dict[str, list[ListKey]],
    wanted: frozenset[str],
    backfill: Backfill,
) -> Iterator[PlannedList]:
    """The lists of one organisation that will be asked for, with what is known of each."""
    for read in reads:
        endpoint = read.endpoint
        keys = _to_ask(connection, read, due.get(endpoint.name, []), wanted)
        if keys:
            where = [keys[0].organization_id]
            overlapping = connection.execute(
                f"""SELECT {endpoint.parent_parameter}, count(*) FROM {endpoint.table.qualified}
                WHERE organization_id = ? AND start_date <= ? AND end_date >= ? GROUP BY ALL""",
                [*where, backfill.last_day, backfill.first_day],
            ).fetchall()
            pages = connection.execute(
                f"""SELECT facility_id, arg_max(pages_count, merged_at) FROM {run_tables.LISTS.qualified}
                WHERE organization_id = ? AND endpoint = ? AND pages_count > 0 GROUP BY ALL""",
                [*where, endpoint.name],
            ).fetchall()
            known, took = dict(overlapping), dict(pages)
            landed = read.resume.landed(read.landing, keys)
            for key in keys:
                yield PlannedList(key, known.get(key.facility_id, 0), took.get(key.facility_id, 1), key in landed)
