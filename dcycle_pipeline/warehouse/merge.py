"""Staged rows → versions: only what was proven is touched, only what differs is written."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import duckdb
import pyarrow as pa

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.fetch import Swept
from dcycle_pipeline.schema import Column
from dcycle_pipeline.warehouse import history
from dcycle_pipeline.warehouse.decode import BadItem, batches

_STAGE = "temp.stage"


class Staging:
    """The rows of one organisation's proven scopes of one endpoint, beside the versions that are known.

    The connection has one at a time.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_id: str) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._organization_id = organization_id
        self._stored = history.versions(endpoint).qualified
        self._columns = (*endpoint.table.content, *(listing.column for listing in endpoint.listings))
        self._id = endpoint.id_column
        self._scope = endpoint.scope_parameter or "NULL::VARCHAR"
        self.bad: list[BadItem] = []

    def load(self, swept: list[Swept]) -> None:
        """Read the landed files of proven scopes; what was staged before is forgotten."""
        self.bad = []
        empty = ", ".join(f"NULL::{c.type} AS {c.name}" for c in (*self._columns, history.RUN, history.PAGE))
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE stage AS SELECT {empty} WHERE false")
        with ThreadPoolExecutor(max_workers=1) as beside:  # DuckDB stores one batch while the next one is decoded
            storing = None
            for batch in batches(self._endpoint, swept):
                self.bad += batch.bad
                if storing is not None:
                    storing.result()
                storing = beside.submit(self._store, batch.items)
            if storing is not None:
                storing.result()
        self._list("stage_scopes", "scope_id", [scope.scope.scope_id for scope in swept])
        self._list("stage_bad", "item_id", [bad.identity for bad in self.bad])

    def _store(self, items: pa.Table) -> None:
        self.connection.register("items", items)
        values = ", ".join(_value(column) for column in self._columns)
        self.connection.execute(f"INSERT INTO {_STAGE} SELECT {values}, landed_run_id, landed_page FROM items")
        self.connection.unregister("items")

    def _list(self, name: str, column: str, values: list[str] | list[str | None]) -> None:
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT unnest(?::VARCHAR[]) AS {column}", [values]
        )

    def current_count(self) -> int:
        """Rows of the organisation that are valid now."""
        query = f"SELECT count(*) FROM {self._stored} WHERE valid_to IS NULL AND organization_id = ?"
        return int(self.connection.execute(query, [self._organization_id]).fetchall()[0][0])

    def vanished(self) -> dict[str, str | None]:
        """Ids of current rows in staged scopes that the API no longer showed, with their scope."""
        rows = self.connection.execute(
            f"""SELECT {self._id}, {self._scope} FROM {self._stored} AS old
            WHERE {history.VALID_NOW} AND organization_id = ?
            AND EXISTS (SELECT 1 FROM stage_scopes WHERE scope_id IS NOT DISTINCT FROM {self._scope})
            AND NOT EXISTS (SELECT 1 FROM {_STAGE} AS new WHERE new.{self._id} = old.{self._id})
            AND NOT EXISTS (SELECT 1 FROM stage_bad WHERE item_id = old.{self._id})""",
            [self._organization_id],
        ).fetchall()
        return dict(rows)

    def merge(self, deleted: list[str], moment: datetime, run_id: str) -> None:
        """Bring the versions to what is staged, without the `deleted`. The caller holds a transaction.

        `moment` is later than that of any version before.
        """
        self._deduplicate()
        self._list("stage_deleted", "item_id", deleted)
        self._insert(moment)
        self._bury(moment, run_id)
        self._end(moment)
        self._follow_persons(moment)

    def _deduplicate(self) -> None:
        """A row that came in two scopes of one sweep (it moved meanwhile) counts once."""
        total, distinct = self.connection.execute(
            f"SELECT count(*), count(DISTINCT hash({self._id})) FROM {_STAGE}"
        ).fetchall()[0]
        if total != distinct:
            self.connection.execute(
                f"DELETE FROM {_STAGE} WHERE rowid NOT IN (SELECT max(rowid) FROM {_STAGE} GROUP BY {self._id})"
            )

    def _insert(self, moment: datetime) -> None:
        """A version for each row that differs from the one that is valid now, with the kind of change."""
        edited, recalculated, noted = (self._differs(role) for role in ("activity", "emission", "note"))
        pending = self._endpoint.pending_column
        names = ", ".join(f"new.{column.name}" for column in self._columns)
        self.connection.execute(
            f"""INSERT INTO {self._stored} BY NAME SELECT {names}, coalesce(old.first_seen_at, buried.first_seen_at, $2) AS first_seen_at,
                $2::TIMESTAMPTZ AS valid_from, NULL::TIMESTAMPTZ AS valid_to,
                CASE WHEN old.{self._id} IS NULL AND buried.{self._id} IS NULL THEN 'new' WHEN old.{self._id} IS NULL THEN 'restored'
                    WHEN {edited} THEN 'edited' WHEN old.{pending} IS NULL AND new.{pending} IS NOT NULL THEN 'settled' WHEN {recalculated} THEN 'recalculated'
                    ELSE 'edited' END AS change, new.run_id, new.page
            FROM {_STAGE} AS new
            LEFT JOIN (SELECT * FROM {self._stored} WHERE {history.VALID_NOW} AND organization_id = $1) AS old USING ({self._id})
            LEFT JOIN (SELECT {self._id}, min(first_seen_at) AS first_seen_at FROM {self._stored}
                WHERE change = 'deleted' AND organization_id = $1 GROUP BY {self._id}) AS buried USING ({self._id})
            WHERE old.{self._id} IS NULL OR {edited} OR {recalculated} OR {noted}""",
            [self._organization_id, moment],
        )

    def _of_role(self, role: str) -> list[str]:
        return [
            column.name
            for column in self._columns
            if column.role == role and column.name not in self._endpoint.table.key
        ]

    def _differs(self, role: str) -> str:
        parts = [f"old.{name} IS DISTINCT FROM new.{name}" for name in self._of_role(role)]
        return f"({' OR '.join(parts)})" if parts else "false"

    def _bury(self, moment: datetime, run_id: str) -> None:
        """Note the end of rows that are confirmed deleted: their last values, valid at no moment."""
        names = ", ".join([*(column.name for column in self._columns), "first_seen_at"])
        self.connection.execute(
            f"""INSERT INTO {self._stored} BY NAME SELECT {names}, $1::TIMESTAMPTZ AS valid_from, $1::TIMESTAMPTZ AS valid_to,
                'deleted' AS change, $2 AS run_id
            FROM {self._stored} WHERE {history.VALID_NOW} AND organization_id = $3 AND valid_from < $1
                AND {self._id} IN (SELECT item_id FROM stage_deleted)""",
            [moment, run_id, self._organization_id],
        )

    def _end(self, moment: datetime) -> None:
        """End the versions that were valid before and of which there is a newer one, or none any more."""
        self.connection.execute(
            f"""UPDATE {self._stored} SET valid_to = $1 WHERE {history.VALID_NOW} AND organization_id = $2 AND valid_from < $1
            AND {self._id} IN (SELECT {self._id} FROM {self._stored} WHERE organization_id = $2 AND valid_from = $1
                AND change NOT IN ('new', 'restored'))""",
            [moment, self._organization_id],
        )

    def _follow_persons(self, moment: datetime) -> None:
        """Ids of persons are no version of their own: the valid one says the present."""
        persons = self._of_role("person")
        if persons:
            sets = ", ".join(f"{name} = new.{name}" for name in persons)
            self.connection.execute(
                f"""UPDATE {self._stored} AS old SET {sets} FROM {_STAGE} AS new WHERE old.{history.VALID_NOW}
                AND old.organization_id = ? AND old.valid_from < ? AND old.{self._id} = new.{self._id} AND {self._differs("person")}""",
                [self._organization_id, moment],
            )


def _value(column: Column) -> str:
    return f"({column.value or column.name})::{column.type}"
