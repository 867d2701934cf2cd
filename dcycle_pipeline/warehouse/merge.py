"""From staged rows to versions: changes only lists of which all rows are known, and writes only rows that differ.

Which lists these are, and what is noted of them, belongs to `load`.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.schema import Column
from dcycle_pipeline.warehouse import history
from dcycle_pipeline.warehouse.changes import compared_columns, differs, is_change, kind_of_change, of_role
from dcycle_pipeline.warehouse.compared import NO_ROWS, STAGED, Comparison, Place, within
from dcycle_pipeline.warehouse.decode import QuarantinedItem, Unreadable, add_unreadable, batches
from dcycle_pipeline.warehouse.decoded import Decoded
from dcycle_pipeline.warehouse.kept_items import kept_items


class Staging:
    """Stages the rows of some organisations' lists of one endpoint in temporary tables, and merges them into the versions.

    Of several organisations at once, because a statement has its price, however few rows it is for. A connection has one staging at a
    time. `landing` is the folder of landed pages; lists that were `decoded` meanwhile come from there. `quarantined` holds the unusable
    items, `unreadable` the names of fields that are null because nobody could read them, by list; `compared` sets them beside the
    versions.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        endpoint: Endpoint,
        organization_ids: Collection[str],
        landing: Path,
        decoded: Decoded | None = None,
    ) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._landing = landing
        self._decoded = decoded
        self._versions = history.versions(endpoint).qualified
        self._columns = compared_columns(endpoint)
        self._id = endpoint.id_column
        # Without the organisation where there is but one: a million rows are matched in less memory.
        self._key = ("organization_id", self._id) if len(organization_ids) > 1 else (self._id,)
        self.compared = Comparison(connection, endpoint, organization_ids)
        self.quarantined: list[QuarantinedItem] = []
        self.unreadable: Unreadable = {}
        self.row_prints: dict[Place, str] = {}
        self._rows_staged = 0

    def load(self, results: list[ListResult], kept: Sequence[ListResult] = ()) -> None:
        """Stage the rows of the landed files of these lists, in place of what was staged before. Of `kept` lists the versions hold
        exactly the rows already; if they do not, they are staged too.

        Raises UnavailableError if a landed file is not whole.
        """
        items = kept_items(self.connection, self._endpoint.name, kept)
        prints = self.compared.prints_of_versions(items) if kept else {}
        known = {place_of(one): one for one in kept}
        same = {place for place, one in known.items() if one.rows_print == prints.get(place, NO_ROWS)}
        results = [*results, *(one for place, one in known.items() if place not in same)]
        kept = [known[place] for place in same]
        self.row_prints = {place: known[place].rows_print for place in same}
        self.quarantined = [item for item in items if place_of(item.result) in same]
        self.unreadable = {result.key: set(result.unreadable) for result in kept if result.unreadable}
        self.compared.staged, self.compared.kept = {place_of(result) for result in results}, same
        self._rows_staged = 0
        self._pairs("kept_lists", "list_facility_id", list(same))
        empty = ", ".join(f"NULL::{c.type} AS {c.name}" for c in (*self._columns, history.RUN, history.PAGE))
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {empty} WHERE false")
        self._stage_rows(results)
        self._pairs("staged_lists", "list_facility_id", [place_of(result) for result in results])
        bad = [(item.result.key.organization_id, item.identity) for item in self.quarantined]
        self._pairs("staged_quarantined", "item_id", bad)
        self.row_prints |= self.compared.prints_of_staged() if results else {}

    def _stage_rows(self, results: list[ListResult]) -> None:
        with ThreadPoolExecutor(max_workers=1) as beside:  # DuckDB inserts one batch while the next one is decoded
            storing = None
            for batch in batches(self._endpoint, results, self._landing, self._decoded):
                self.quarantined += batch.quarantined
                add_unreadable(self.unreadable, batch.unreadable)
                self._rows_staged += batch.items.num_rows
                if storing is not None:
                    storing.result()
                storing = beside.submit(self._store, batch.items)
            if storing is not None:
                storing.result()

    def described(self, result: ListResult) -> ListResult:
        """The result of a list with what a later sweep asks of its rows."""
        unreadable = tuple(sorted(self.unreadable.get(result.key, ())))
        return replace(result, unreadable=unreadable, rows_print=self.row_prints.get(place_of(result), NO_ROWS))

    def _store(self, items: pa.Table) -> None:
        self.connection.register("items", items)
        values = ", ".join(_value(column) for column in self._columns)
        self.connection.execute(f"INSERT INTO {STAGED} SELECT {values}, landed_run_id, landed_page FROM items")
        self.connection.unregister("items")

    def _pairs(self, name: str, column: str, rows: Sequence[tuple[str, str | None]]) -> None:
        """A temporary table of these rows: an organisation, and a column of that name."""
        columns = [list(values) for values in zip(*rows, strict=True)] or [[], []]
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT unnest(?::VARCHAR[]) AS organization_id, unnest(?::VARCHAR[]) AS {column}",
            columns,
        )

    def merge(self, sweeps: Sequence[SweepManifest]) -> None:
        """Bring the versions in step with what is staged of these organisations. The caller holds a transaction.

        Rows that a sweep says to be deleted end; what a person decided of them stands there too. `unlisted` rows stay, with a version
        that says so. Each sweep is merged at a moment of its own, later than that of any version before.
        """
        self._note_merging(sweeps)
        if self._rows_staged:
            self._deduplicate()
            self._insert_versions()
        unlisted = [(sweep.organization_id, item) for sweep in sweeps for item in sweep.unlisted]
        deleted = [(sweep.organization_id, item) for sweep in sweeps for item in sweep.deleted]
        for change, rows in (("unlisted", unlisted), ("deleted", deleted)):
            if rows:
                self._insert_last_values(change, rows)
        self._end_versions()
        if self._rows_staged:
            self._update_person_ids()

    def _note_merging(self, sweeps: Sequence[SweepManifest]) -> None:
        decisions = [sweep.decision for sweep in sweeps]
        self._first_moment = min(sweep.merged_at for sweep in sweeps)
        self._within = within([sweep.organization_id for sweep in sweeps])
        self.connection.execute(
            """CREATE OR REPLACE TEMP TABLE merging AS SELECT unnest(?::VARCHAR[]) AS organization_id, unnest(?::VARCHAR[]) AS run_id,
                unnest(?::TIMESTAMPTZ[]) AS moment, unnest(?::VARCHAR[]) AS decided_by, unnest(?::VARCHAR[]) AS decision_reason""",
            [
                [sweep.organization_id for sweep in sweeps],
                [sweep.run_id for sweep in sweeps],
                [sweep.merged_at for sweep in sweeps],
                [decision and decision.decided_by for decision in decisions],
                [decision and decision.reason for decision in decisions],
            ],
        )

    def _same_row(self, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{name} = {other}.{name}" for name in self._key)

    def _deduplicate(self) -> None:
        """Leave a row once that came in two lists of one sweep, because it moved between them."""
        key = ", ".join(self._key)
        total, distinct = self.connection.execute(
            f"SELECT count(*), count(DISTINCT hash({key})) FROM {STAGED}"
        ).fetchall()[0]
        if total != distinct:
            self.connection.execute(
                f"DELETE FROM {STAGED} WHERE rowid NOT IN (SELECT max(rowid) FROM {STAGED} GROUP BY {key})"
            )

    def _insert_versions(self) -> None:
        """Insert a version for each row that differs from its current version, with the kind of change."""
        change = kind_of_change(self._endpoint, was_there=f"deleted.{self._id} IS NOT NULL")
        names = ", ".join(f"new.{column.name}" for column in self._columns)
        key = ", ".join(self._key)
        self.connection.execute(
            f"""INSERT INTO {self._versions} BY NAME SELECT {names}, coalesce(old.first_seen_at, deleted.first_seen_at, moment) AS first_seen_at,
                moment AS valid_from, NULL::TIMESTAMPTZ AS valid_to,
                {change} AS change, new.run_id, new.page
            FROM {STAGED} AS new JOIN merging USING (organization_id)
            LEFT JOIN (SELECT * FROM {self._versions} WHERE {history.VALID_NOW} AND {self._within}) AS old ON {self._same_row("old", "new")}
            LEFT JOIN (SELECT {key}, min(first_seen_at) AS first_seen_at FROM {self._versions}
                WHERE change = 'deleted' AND {self._within} GROUP BY ALL) AS deleted ON {self._same_row("deleted", "new")}
            WHERE {is_change(self._endpoint)}"""
        )

    def _insert_last_values(self, change: str, rows: list[tuple[str, str]]) -> None:
        """Insert a version with the last values of each row: current if it is `unlisted`, unless it is so already; valid at no
        moment if it is `deleted`.
        """
        self._pairs("changed", "item_id", rows)
        names = ", ".join(f"old.{name}" for name in [*(column.name for column in self._columns), "first_seen_at"])
        # Only a deletion can be somebody's decision.
        deletion = ("moment", "merging.decided_by", "merging.decision_reason")
        valid_to, by, why = deletion if change == "deleted" else ("NULL",) * 3
        self.connection.execute(
            f"""INSERT INTO {self._versions} BY NAME SELECT {names}, moment AS valid_from, {valid_to}::TIMESTAMPTZ AS valid_to,
                '{change}' AS change, merging.run_id, {by}::VARCHAR AS decided_by, {why}::VARCHAR AS decision_reason
            FROM {self._versions} AS old JOIN merging USING (organization_id)
            WHERE {history.VALID_NOW} AND old.{self._within} AND valid_from < $1 AND change <> '{change}' AND EXISTS (
                FROM changed WHERE changed.organization_id = old.organization_id AND item_id = old.{self._id})""",
            [self._first_moment],
        )

    def _end_versions(self) -> None:
        """End the old version of each row that now has a newer one or a deletion."""
        key = ", ".join(self._key)
        self.connection.execute(
            f"""UPDATE {self._versions} AS old SET valid_to = newer.valid_from FROM (
                SELECT {key}, valid_from FROM {self._versions} WHERE {self._within} AND valid_from >= $1 AND change <> 'new') AS newer
            WHERE {history.VALID_NOW} AND old.{self._within} AND old.valid_from < $1 AND {self._same_row("old", "newer")}""",
            [self._first_moment],
        )

    def _update_person_ids(self) -> None:
        """Write changed ids of persons into the current version: such a change does not make a new one."""
        persons = of_role(self._endpoint, "person")
        if persons:
            sets = ", ".join(f"{name} = new.{name}" for name in persons)
            self.connection.execute(
                f"""UPDATE {self._versions} AS old SET {sets} FROM {STAGED} AS new WHERE old.{history.VALID_NOW}
                AND old.{self._within} AND old.valid_from < ? AND {self._same_row("old", "new")} AND {differs(self._endpoint, "person")}""",
                [self._first_moment],
            )


def place_of(result: ListResult) -> Place:
    """Organisation and facility of a list."""
    return result.key.organization_id, result.key.facility_id


def _value(column: Column) -> str:
    return f"({column.value or column.name})::{column.type}"
