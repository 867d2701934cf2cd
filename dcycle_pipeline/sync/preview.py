"""What a publication would change, by the very rows and figures that it would publish: rehearsed on a draft, compared, taken back.

Both sides come from the versions of the draft: what readers see is what was valid at the moment of that publication. So any published
moment can be compared with, whether its snapshot is kept or not.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import UsageError
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.publish import snapshots
from dcycle_pipeline.publish.record import rehearsed
from dcycle_pipeline.summaries import VERSIONED
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import history, run_log, run_tables
from dcycle_pipeline.warehouse.changes import differs, kind_of_change
from dcycle_pipeline.warehouse.gaps import GAPS

INSIDE, OUTSIDE, UNDATED = "inside", "outside", "undated"
Rows = list[dict[str, Any]]
_NOTHING_YET = datetime(1970, 1, 1, tzinfo=UTC)
_FIGURES = ("co2e_kg", "co2e_biomass_kg", "record_count", "pending_record_count")
_PUBLICATIONS = (
    f"SELECT run_id, published_at FROM {run_tables.RUNS.qualified} WHERE outcome IN {run_tables.PUBLISHED} ORDER BY 2"
)


@dataclass(frozen=True)
class Since:
    """The publication that is compared with: its run and moment; no run if nothing was published before."""

    run_id: str | None
    published_at: datetime


@dataclass(frozen=True)
class Preview:
    """What the publication changes since another one, each row with a `period`: inside, outside or undated.

    `changes` counts rows by kind of change; `months` has each facility's month of which a figure differs, and `totals` the kg of all
    months of each organisation, before and after; `pending` counts rows of which co2e is null. Inside are records and months that
    have a day in the period. Facilities, and records without days, are undated. `gaps` is what the publication would
    lack, by the names of `warehouse/gaps.py`.
    """

    since: Since
    changes: Rows
    totals: Rows
    months: Rows
    pending: Rows
    gaps: dict[str, Rows]


def since_when(run: Run, name: str | None = None) -> Since:
    """The publication that readers see now; or the one whose snapshot, run or moment begins with `name`.

    Raises UsageError if there is not one such publication.
    """
    shown = snapshots.shown(run.folder)
    with run.working_file() as connection:
        published = _publications(connection)
    if name is None:
        of_shown = [one for one in published if shown and snapshots.name_of(shown).endswith((one.run_id or "")[:8])]
        return of_shown[-1] if of_shown else Since(None, _NOTHING_YET)
    return _named(published, name)


def refuse_unknown_publication(run: Run, name: str) -> None:
    """Raises UsageError as `since_when` does, of a draft that the run has not opened yet: so nobody is asked for anything before."""
    with duckdb.connect(str(run.folder.warehouse), read_only=True) as connection:
        _named(_publications(connection), name)


def _publications(connection: duckdb.DuckDBPyConnection) -> list[Since]:
    return [Since(*row) for row in connection.execute(_PUBLICATIONS).fetchall()]


def _named(published: list[Since], name: str) -> Since:
    found = [one for one in published if any(each.startswith(name) for each in _names(one))]
    if len(found) != 1:
        there = ", ".join(_names(one)[0] for one in published[-10:]) or "none"
        raise UsageError(
            f"There is not one publication that begins with {name!r}; the last ones are: {there}. Nothing was changed."
        )
    return found[0]


def _names(one: Since) -> tuple[str, str, str]:
    run_id = one.run_id or ""
    return snapshots.publication_name(run_id, one.published_at), run_id, one.published_at.astimezone(UTC).isoformat()


def preview(run: Run, backfill: Backfill, since: Since) -> Preview:
    """Rehearse the publication of a draft and compare it. Raises UnsoundError if a check forbids the publication."""
    with run.working_file() as connection:
        moment = run_log.moment(connection, run.now())
        with rehearsed(connection, run.run_id, moment, run.folder.scope_mapping):
            names = {"since": since.published_at, "first": backfill.first_day, "last": backfill.last_day}
            return Preview(
                since,
                [row for each in run.endpoints for row in _rows(connection, _changes(each), names)],
                _rows(connection, _totals(), names),
                _rows(connection, _months(), names),
                [row for each in run.endpoints for row in _rows(connection, _pending(each), names)],
                {gap: _rows(connection, query, {}) for gap, query in GAPS.items()},
            )


def _rows(connection: duckdb.DuckDBPyConnection, query: str, names: dict[str, Any]) -> Rows:
    cursor = connection.execute(query, {name: value for name, value in names.items() if f"${name}" in query})
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _changes(endpoint: Endpoint) -> str:
    stored, item = history.versions(endpoint).qualified, endpoint.id_column
    changed = " OR ".join(differs(endpoint, role) for role in ("activity", "emission", "note"))
    kind = kind_of_change(endpoint, was_there=f"ended.{item} IS NOT NULL")
    return f"""WITH old AS (FROM {stored} WHERE {history.valid_at("$since")}), new AS (FROM {stored} WHERE {history.VALID_NOW}),
    ended AS (SELECT DISTINCT organization_id, {item} FROM {stored} WHERE change = 'deleted' AND valid_from <= $since),
    compared AS (
        SELECT coalesce(new.organization_id, old.organization_id) AS organization_id, {_period(endpoint, "old", "new")} AS period,
            CASE WHEN new.{item} IS NULL THEN 'deleted'
                WHEN new.change = 'unlisted' AND old.change <> 'unlisted' THEN 'unlisted' ELSE {kind} END AS change
        FROM new FULL JOIN old ON new.organization_id = old.organization_id AND new.{item} = old.{item}
        LEFT JOIN ended ON new.organization_id = ended.organization_id AND new.{item} = ended.{item}
        WHERE old.{item} IS NULL OR new.{item} IS NULL OR (old.change = 'unlisted') <> (new.change = 'unlisted') OR {changed}
    ) SELECT organization_id, '{endpoint.name}' AS endpoint, period, change, count(*) AS rows_count
    FROM compared GROUP BY ALL ORDER BY ALL"""


def _period(endpoint: Endpoint, *versions: str) -> str:
    """SQL for the period of a row: inside if any of its versions has a day in it."""
    if "start_date" not in endpoint.table.names():
        return f"'{UNDATED}'"
    overlaps = " OR ".join(f"({each}.start_date <= $last AND {each}.end_date >= $first)" for each in versions)
    undated = " AND ".join(f"({each}.start_date IS NULL OR {each}.end_date IS NULL)" for each in versions)
    return f"CASE WHEN {overlaps} THEN '{INSIDE}' WHEN {undated} THEN '{UNDATED}' ELSE '{OUTSIDE}' END"


def _pending(endpoint: Endpoint) -> str:
    stored, state = history.versions(endpoint).qualified, f"{endpoint.pending_column} IS NULL"
    return f"""WITH both_sides AS (
        SELECT *, true AS is_before FROM {stored} WHERE {history.valid_at("$since")} AND {state}
        UNION ALL SELECT *, false AS is_before FROM {stored} WHERE {history.VALID_NOW} AND {state}
    ) SELECT organization_id, '{endpoint.name}' AS endpoint, {_period(endpoint, "both_sides")} AS period,
        count(*) FILTER (is_before) AS pending_before, count(*) FILTER (NOT is_before) AS pending_after
    FROM both_sides GROUP BY ALL ORDER BY ALL"""


def _figures() -> str:
    """SQL for the figures of each facility's month, before and after."""
    stored = VERSIONED.qualified
    sides = ", ".join(f"old.{name} AS {name}_before, new.{name} AS {name}_after" for name in _FIGURES)
    key = ", ".join(
        f"coalesce(new.{name}, old.{name}) AS {name}" for name in ("organization_id", "facility_id", "month")
    )
    return f"""WITH old AS (FROM {stored} WHERE {history.valid_at("$since")}), new AS (FROM {stored} WHERE {history.VALID_NOW}),
    figures AS (
        SELECT {key}, {sides} FROM new FULL JOIN old ON new.organization_id = old.organization_id
            AND new.facility_id = old.facility_id AND new.month = old.month
    ), placed AS (
        SELECT *, CASE WHEN month <= $last AND last_day(month) >= $first THEN '{INSIDE}' ELSE '{OUTSIDE}' END AS period FROM figures
    )"""


def _months() -> str:
    shown = ", ".join(f"{name}_before, {name}_after, {_difference(name)}" for name in _FIGURES)
    differ = " OR ".join(f"{name}_before IS DISTINCT FROM {name}_after" for name in _FIGURES)
    return f"""{_figures()} SELECT organization_id, facility_id, month, period, {shown} FROM placed WHERE {differ} ORDER BY ALL"""


def _totals() -> str:
    kilograms = _FIGURES[:2]
    sums = ", ".join(f"sum({name}_before) AS {name}_before, sum({name}_after) AS {name}_after" for name in kilograms)
    shown = ", ".join(f"{name}_before, {name}_after, {_difference(name)}" for name in kilograms)
    return f"""{_figures()} SELECT organization_id, period, {shown}
        FROM (SELECT organization_id, period, {sums} FROM placed GROUP BY ALL) ORDER BY ALL"""


def _difference(name: str) -> str:
    return f"coalesce({name}_after, 0) - coalesce({name}_before, 0) AS {name}_difference"
