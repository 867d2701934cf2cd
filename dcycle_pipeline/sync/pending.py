"""A run over pending records: it asks only for the lists that hold some, and publishes only if a row of them changed.

It works on a draft. So a run that found nothing new leaves nothing behind: no publication, no line in the run log, no list that looks
fresher than it is. All other lists of an organisation stay as the last sweep left them. Where a record changed, what moves with it is
asked for too: the facilities with their totals, the lists of new facilities, and Dcycle's totals of the years.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.endpoints.waste_water_treatments import ENDPOINT
from dcycle_pipeline.errors import UsageError
from dcycle_pipeline.landing.lists import NOT_READ, ListResult
from dcycle_pipeline.readers import lookup
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.backfill import publish_draft
from dcycle_pipeline.sync.draft import drafted
from dcycle_pipeline.sync.due import EVERY_LIST, Selection, lists_due
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.naming import known_names
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import sync_totals
from dcycle_pipeline.text import with_id
from dcycle_pipeline.warehouse.history import VALID_NOW, versions
from dcycle_pipeline.warehouse.last_sweeps import CURRENT_LISTS, DOUBTFUL
from dcycle_pipeline.warehouse.pending import PENDING_LISTS
from dcycle_pipeline.warehouse.run_tables import PUBLISHED, RUNS

_VERSIONS = versions(ENDPOINT).qualified
# Versions that readers have not seen, by organisation, and how many of them gave a pending record its emissions, whatever else they
# changed. Not those of this run alone: one that was killed may have loaded some, and published none.
_CHANGED = f"""SELECT organization_id, count(*) FILTER (co2e_state = 'calculated' AND {VALID_NOW} AND EXISTS (
    SELECT 1 FROM {_VERSIONS} AS old WHERE old.valid_to = new.valid_from AND old.co2e_state = 'pending'
        AND old.organization_id = new.organization_id AND old.waste_water_treatment_id = new.waste_water_treatment_id))
FROM {_VERSIONS} AS new WHERE valid_from > (
    SELECT coalesce(max(published_at), '-infinity') FROM {RUNS.qualified} WHERE outcome IN {PUBLISHED}) GROUP BY ALL ORDER BY ALL"""
_STILL_PENDING = """SELECT organization_id, o.name AS organization, facility_id, f.name AS facility, count(*) AS pending_record_count,
    min(pending_since) AS pending_since
FROM summaries.pending_records
LEFT JOIN dcycle.organizations AS o USING (organization_id) LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
GROUP BY ALL ORDER BY pending_since, organization_id, facility_id"""


@dataclass(frozen=True)
class Settled:
    """What came of a run over pending records. `organization_ids` are those that hold some, `asked_count` the lists that were asked for.

    `settled_count` records got their emissions. `pending` are the places of those that did not, the longest first, with the columns
    `organization_id`, `organization`, `facility_id`, `facility`, `pending_record_count` and `pending_since`. `unread` are the lists of
    which something may be missing now. `doubtful_rows` are the rows that lists which were asked for do not show although the API does
    not say that they are gone, with the columns of `DOUBTFUL` and the names. `publication` is None if nothing changed.
    """

    organization_ids: list[str] = field(default_factory=list)
    asked_count: int = 0
    settled_count: int = 0
    pending: list[dict[str, Any]] = field(default_factory=list)
    unread: list[ListResult] = field(default_factory=list)
    doubtful_rows: list[dict[str, Any]] = field(default_factory=list)
    publication: Publication | None = None


def is_anything_pending(settings: Settings, organization_ids: Collection[str] = ()) -> bool:
    """Whether the published file has a pending record in an organisation that is synced (or in those named). It asks nobody else.

    Raises UnavailableError if nothing is published, UsageError for an organisation that is not there.
    """
    with Published(DataFolder(settings.data_dir).readable) as published:
        known = {row["organization_id"] for row in published.rows(f"FROM {ORGANIZATIONS.qualified}")}
        if unknown := sorted(set(organization_ids) - known):
            raise UsageError(f"Organisation {', '.join(unknown)} is not published: sync it first. Nothing was done.")
        places = [(row["organization_id"], row["facility_id"]) for row in published.rows(PENDING_LISTS)]
    return bool(_wanted(settings, places, organization_ids))


def settle(run: Run, organization_ids: Collection[str] = ()) -> Settled:
    """Ask for the lists with pending records of every organisation (or of those named), and publish if a row of them changed.

    If nothing is pending, no request is sent. What cannot be read is in the result, and in `sync.lists` if the rest is published.
    Raises what `is_anything_pending`, `drafted` and a publication do.
    """
    run.pending_only = True
    if not is_anything_pending(run.settings, organization_ids):
        return Settled()
    with drafted(run):
        found, has_changed = _read(run, organization_ids)
        return replace(found, publication=publish_draft(run)) if has_changed else found


def unread_rows(published_file: Path, found: Settled) -> list[dict[str, Any]]:
    """The lists of which something may be missing, with the names of organisation and facility as they are published."""
    if not found.unread:
        return []
    with Published(published_file) as published:
        names = lookup.names(published)
    return [
        {
            "organization": names.get(one.key.organization_id),
            "facility": names.get(one.key.facility_id or ""),
            "outcome": one.outcome,
            "reason": one.reason,
            "organization_id": one.key.organization_id,
            "facility_id": one.key.facility_id,
        }
        for one in found.unread
    ]


def place_of(row: Mapping[str, Any]) -> str:
    """Where a list of `unread_rows`, or a row in doubt, is: organisation and facility by name, for people."""
    return ", ".join(with_id(row[part], row[f"{part}_id"]) for part in ("organization", "facility"))


def _wanted(
    settings: Settings, places: Collection[tuple[str, str]], organization_ids: Collection[str]
) -> dict[str, set[str]]:
    """The facilities whose lists are asked for, by organisation."""
    wanted: dict[str, set[str]] = {}
    for organization_id, facility_id in places:
        if settings.organizations.wants(organization_id) and organization_id in (organization_ids or [organization_id]):
            wanted.setdefault(organization_id, set()).add(facility_id)
    return wanted


def _read(run: Run, organization_ids: Collection[str]) -> tuple[Settled, bool]:
    """Read and merge into the draft. What came of it, and whether a row changed that readers have not seen."""
    with run.working_file() as connection:
        places = [(row[0], row[1]) for row in connection.execute(PENDING_LISTS).fetchall()]
    wanted = _wanted(run.settings, places, organization_ids)
    facility_ids = {each for facilities in wanted.values() for each in facilities}
    names = known_names(run)
    run.progress.called(names)
    swept = sync_endpoint(run, ENDPOINT, list(wanted), Selection(facility_ids, only_these=True))
    with run.working_file() as connection:
        changed = {
            each: count
            for each, count in connection.execute(_CHANGED).fetchall()
            if run.settings.organizations.wants(each) and each in (organization_ids or [each])
        }
    _read_what_moved(run, list(changed))
    asked = [one for results in swept.lists.values() for one in results if one.key.facility_id in facility_ids]
    unread = [one for one in asked if not one.nothing_missing]
    pending = [row for row in _rows(run, _STILL_PENDING) if row["organization_id"] in wanted]
    places_asked = {(one.key.organization_id, one.key.endpoint, one.key.facility_id) for one in asked}
    doubtful = [
        row | {"organization": names.get(row["organization_id"]), "facility": names.get(row["facility_id"] or "")}
        for row in _rows(run, DOUBTFUL)
        if (row["organization_id"], row["endpoint"], row["facility_id"]) in places_asked
    ]
    return Settled(list(wanted), len(asked), sum(changed.values()), pending, unread, doubtful), bool(changed)


def _read_what_moved(run: Run, organization_ids: list[str]) -> None:
    if not organization_ids:
        return
    for endpoint in run.endpoints:
        if endpoint.parent is None:
            sync_endpoint(run, endpoint, organization_ids, EVERY_LIST)
    if other := [each for each in organization_ids if _has_other_lists(run, each)]:
        sync_endpoint(run, ENDPOINT, other, Selection(only_these=True))
    for total in YEAR_TOTALS:
        sync_totals(run, total, organization_ids)


def _has_other_lists(run: Run, organization_id: str) -> bool:
    """Whether facilities came or went since the lists of their records were swept."""
    with run.working_file() as connection:
        due = {key.facility_id for key in lists_due(connection, ENDPOINT, [organization_id])[organization_id]}
        swept = connection.execute(
            f"""SELECT facility_id FROM ({CURRENT_LISTS}) WHERE organization_id = ? AND endpoint = '{ENDPOINT.name}'
            AND outcome <> '{NOT_READ}' AND facility_id IS NOT NULL""",
            [organization_id],
        ).fetchall()
    return due != {row[0] for row in swept}


def _rows(run: Run, query: str) -> list[dict[str, Any]]:
    with run.working_file() as connection:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
