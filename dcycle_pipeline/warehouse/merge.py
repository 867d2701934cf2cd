"""From staged rows to versions: changes only lists of which all rows are known, and writes only rows that differ.

Which lists these are, and what is noted of them, belongs to `load`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.lists import Decision, ListResult
from dcycle_pipeline.schema import Column
from dcycle_pipeline.warehouse import history
from dcycle_pipeline.warehouse.changes import compared_columns, differs, is_change, kind_of_change, of_role
from dcycle_pipeline.warehouse.compared import NO_ROWS, STAGED, Comparison
from dcycle_pipeline.warehouse.decode import QuarantinedItem, Unreadable, add_unreadable, batches
from dcycle_pipeline.warehouse.decoded import Decoded
from dcycle_pipeline.warehouse.kept_items import kept_items


class Staging:
    """Stages the rows of one organisation's lists of one endpoint in temporary tables, and merges them into the versions.

    A connection has one staging at a time. `landing` is the folder of landed pages; lists that were `decoded` meanwhile come from there.
    `quarantined` holds the unusable items,
    `unreadable` the names of fields that are null because nobody could read them, by facility; `compared` sets them beside the versions.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        endpoint: Endpoint,
        organization_id: str,
        landing: Path,
        decoded: Decoded | None = None,
    ) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._organization_id = organization_id
        self._landing = landing
        self._decoded = decoded
        self._versions = history.versions(endpoint).qualified
        self._columns = compared_columns(endpoint)
        self._id = endpoint.id_column
        self.compared = Comparison(connection, endpoint, organization_id)
        self.quarantined: list[QuarantinedItem] = []
        self.unreadable: Unreadable = {}
        self.row_prints: dict[str | None, str] = {}
        self._rows_staged = 0

    def load(self, results: list[ListResult], kept: Sequence[ListResult] = ()) -> None:
        """Stage the rows of the landed files of these lists, in place of what was staged before. Of `kept` lists the versions hold
        exactly the rows already; if they do not, they are staged too.

        Raises UnavailableError if a landed file is not whole.
        """
        items = kept_items(self.connection, self._organization_id, self._endpoint.name, kept)
        prints = self.compared.prints_of_versions(items) if kept else {}
        known = {one.key.facility_id: one for one in kept}
        facilities = {each for each, one in known.items() if one.rows_print == prints.get(each, NO_ROWS)}
        results = [*results, *(one for each, one in known.items() if each not in facilities)]
        kept = [known[each] for each in facilities]
        self.row_prints = {each: known[each].rows_print for each in facilities}
        self.quarantined = [item for item in items if item.result.key.facility_id in facilities]
        self.unreadable = {result.key.facility_id: set(result.unreadable) for result in kept if result.unreadable}
        self._ids("kept_lists", "list_facility_id", list(facilities))
        self._rows_staged = 0
        self.compared.lists_are_staged = bool(results)
        empty = ", ".join(f"NULL::{c.type} AS {c.name}" for c in (*self._columns, history.RUN, history.PAGE))
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {empty} WHERE false")
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
        self._ids("staged_lists", "list_facility_id", [result.key.facility_id for result in results])
        self._ids("staged_quarantined", "item_id", [item.identity for item in self.quarantined])
        self.row_prints |= self.compared.prints_of_staged() if results else {}

    def described(self, result: ListResult) -> ListResult:
        """The result of a list with what a later sweep asks of its rows."""
        facility_id = result.key.facility_id
        unreadable = tuple(sorted(self.unreadable.get(facility_id, ())))
        return replace(result, unreadable=unreadable, rows_print=self.row_prints.get(facility_id, NO_ROWS))

    def _store(self, items: pa.Table) -> None:
        self.connection.register("items", items)
        values = ", ".join(_value(column) for column in self._columns)
        self.connection.execute(f"INSERT INTO {STAGED} SELECT {values}, landed_run_id, landed_page FROM items")
        self.connection.unregister("items")

    def _ids(self, name: str, column: str, values: list[str] | list[str | None]) -> None:
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT unnest(?::VARCHAR[]) AS {column}", [values]
        )

    def merge(
        self,
        deleted: list[str],
        moment: datetime,
        run_id: str,
        unlisted: Sequence[str] = (),
        decision: Decision | None = None,
    ) -> None:
        """Bring the versions in step with what is staged; the rows with ids in `deleted` end. The caller holds a transaction.

        `moment` is later than that of any version before. The rows with ids in `unlisted` stay, with a version that says so;
        `decision` is what a person said of the deleted ones.
        """
        if self._rows_staged:
            self._deduplicate()
            self._insert_versions(moment)
        if unlisted:
            self._insert_last_values("unlisted", unlisted, moment, run_id)
        if deleted:
            self._insert_last_values("deleted", deleted, moment, run_id, decision)
        self._end_versions(moment)
        if self._rows_staged:
            self._update_person_ids(moment)

    def _deduplicate(self) -> None:
        """Leave a row once that came in two lists of one sweep, because it moved between them."""
        total, distinct = self.connection.execute(
            f"SELECT count(*), count(DISTINCT hash({self._id})) FROM {STAGED}"
        ).fetchall()[0]
        if total != distinct:
            self.connection.execute(
                f"DELETE FROM {STAGED} WHERE rowid NOT IN (SELECT max(rowid) FROM {STAGED} GROUP BY {self._id})"
            )

    def _insert_versions(self, moment: datetime) -> None:
        """Insert a version for each row that differs from its current version, with the kind of change."""
        change = kind_of_change(self._endpoint, was_there=f"deleted.{self._id} IS NOT NULL")
        names = ", ".join(f"new.{column.name}" for column in self._columns)
        self.connection.execute(
            f"""INSERT INTO {self._versions} BY NAME SELECT {names}, coalesce(old.first_seen_at, deleted.first_seen_at, $2) AS first_seen_at,
                $2::TIMESTAMPTZ AS valid_from, NULL::TIMESTAMPTZ AS valid_to,
                {change} AS change, new.run_id, new.page
            FROM {STAGED} AS new
            LEFT JOIN (SELECT * FROM {self._versions} WHERE {history.VALID_NOW} AND organization_id = $1) AS old USING ({self._id})
            LEFT JOIN (SELECT {self._id}, min(first_seen_at) AS first_seen_at FROM {self._versions}
                WHERE change = 'deleted' AND organization_id = $1 GROUP BY {self._id}) AS deleted USING ({self._id})
            WHERE {is_change(self._endpoint)}""",
            [self._organization_id, moment],
        )

    def _insert_last_values(
        self, change: str, ids: Sequence[str], moment: datetime, run_id: str, decision: Decision | None = None
    ) -> None:
        """Insert a version with the last values of each row: current if it is `unlisted`, unless it is so already; valid at no
        moment if it is `deleted`.
        """
        self._ids("changed", "item_id", list(ids))
        names = ", ".join([*(column.name for column in self._columns), "first_seen_at"])
        valid_to = "$1" if change == "deleted" else "NULL"
        who = (decision.decided_by, decision.reason) if decision else (None, None)
        self.connection.execute(
            f"""INSERT INTO {self._versions} BY NAME SELECT {names}, $1::TIMESTAMPTZ AS valid_from, {valid_to}::TIMESTAMPTZ AS valid_to,
                '{change}' AS change, $2 AS run_id, $4::VARCHAR AS decided_by, $5::VARCHAR AS decision_reason
            FROM {self._versions} WHERE {history.VALID_NOW} AND organization_id = $3 AND valid_from < $1 AND change <> '{change}'
                AND {self._id} IN (SELECT item_id FROM changed)""",
            [moment, run_id, self._organization_id, *who],
        )

    def _end_versions(self, moment: datetime) -> None:
        """End the old version of each row that now has a newer one or a deletion."""
        self.connection.execute(
            f"""UPDATE {self._versions} SET valid_to = $1 WHERE {history.VALID_NOW} AND organization_id = $2 AND valid_from < $1
            AND {self._id} IN (SELECT {self._id} FROM {self._versions} WHERE organization_id = $2 AND valid_from = $1
                AND change <> 'new')""",
            [moment, self._organization_id],
        )

    def _update_person_ids(self, moment: datetime) -> None:
        """Write changed ids of persons into the current version: such a change does not make a new one."""
        persons = of_role(self._endpoint, "person")
        if persons:
            sets = ", ".join(f"{name} = new.{name}" for name in persons)
            self.connection.execute(
                f"""UPDATE {self._versions} AS old SET {sets} FROM {STAGED} AS new WHERE old.{history.VALID_NOW}
                AND old.organization_id = ? AND old.valid_from < ? AND old.{self._id} = new.{self._id} AND {differs(self._endpoint, "person")}""",
                [self._organization_id, moment],
            )


def _value(column: Column) -> str:
    return f"({column.value or column.name})::{column.type}"
