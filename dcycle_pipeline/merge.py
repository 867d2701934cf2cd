"""Staged rows → current tables: only what was proven is touched, only what differs is written."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import duckdb
import pyarrow as pa

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.schema import Column, Table, quoted
from dcycle_pipeline.sweep import Swept
from dcycle_pipeline.tables import BadItem, batches
from dcycle_pipeline.warehouse import follow


class Staging:
    """The rows of one organisation's proven scopes of one endpoint, beside the current tables.

    The connection has one at a time.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_id: str) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._organization_id = organization_id
        self._main = endpoint.tables[0]
        self.bad: list[BadItem] = []

    def load(self, swept: list[Swept]) -> None:
        """Read the landed files of proven scopes; what was staged before is forgotten."""
        self.bad = []
        for table in self._endpoint.tables:
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {_stage(table)} AS {_empty(table)}")
        self._connection.execute("CREATE OR REPLACE TEMP TABLE stage_scopes (scope_id VARCHAR)")
        self._connection.execute("CREATE OR REPLACE TEMP TABLE stage_bad (item_id VARCHAR)")
        with ThreadPoolExecutor(max_workers=1) as beside:  # DuckDB stores one batch while the next one is decoded
            storing = None
            for batch in batches(self._endpoint, swept):
                self.bad += batch.bad
                if storing is not None:
                    storing.result()
                storing = beside.submit(self._store, batch.items)
            if storing is not None:
                storing.result()
        self._connection.execute(
            "INSERT INTO stage_scopes SELECT unnest($1::VARCHAR[])", [[scope.scope.scope_id for scope in swept]]
        )
        self._connection.execute(
            "INSERT INTO stage_bad SELECT unnest($1::VARCHAR[])", [[bad.identity for bad in self.bad]]
        )

    def _store(self, items: pa.Table) -> None:
        self._connection.register("items", items)
        for table in self._endpoint.tables:
            values = ", ".join(_value(column) for column in table.content)
            self._connection.execute(f"INSERT INTO {_stage(table)} SELECT {values} FROM {table.rows}")
        self._connection.unregister("items")

    def vanished(self) -> dict[str, str | None]:
        """Ids of current rows in staged scopes that the API no longer showed, with their scope."""
        parent = self._scope_column()
        rows = self._connection.execute(
            f"""SELECT {self._endpoint.id_column}, {parent} FROM {self._main.qualified} AS old WHERE organization_id = ?
            AND EXISTS (SELECT 1 FROM stage_scopes WHERE scope_id IS NOT DISTINCT FROM {parent})
            AND NOT EXISTS (SELECT 1 FROM {_stage(self._main)} AS new WHERE new.{self._endpoint.id_column} = old.{self._endpoint.id_column})
            AND NOT EXISTS (SELECT 1 FROM stage_bad WHERE item_id = old.{self._endpoint.id_column})""",
            [self._organization_id],
        ).fetchall()
        return dict(rows)

    def _scope_column(self) -> str:
        return self._endpoint.scope_parameter or "NULL::VARCHAR"

    def merge(self, deleted: list[str], seen_at: datetime) -> None:
        """Bring the current tables to what is staged, without the `deleted`. The caller holds a transaction."""
        self._deduplicate()
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE stage_deleted AS SELECT unnest(?::VARCHAR[]) AS item_id", [deleted]
        )
        identifier = self._endpoint.id_column
        self._connection.execute(
            f"DELETE FROM {self._main.qualified} WHERE organization_id = ? AND {identifier} IN (SELECT item_id FROM stage_deleted)",
            [self._organization_id],
        )
        self._update(seen_at)
        self._insert(seen_at)
        settled = f"SELECT {identifier} FROM {_stage(self._main)} UNION ALL SELECT item_id FROM stage_deleted"
        for table in self._endpoint.tables[1:]:
            within = f"organization_id = {quoted(self._organization_id)} AND {identifier} IN ({settled})"
            follow(self._connection, table, f"SELECT DISTINCT * FROM {_stage(table)}", within)

    def _deduplicate(self) -> None:
        """A row that came in two scopes of one sweep (it moved meanwhile) counts once."""
        stage, identifier = _stage(self._main), self._endpoint.id_column
        self._connection.execute(
            f"DELETE FROM {stage} WHERE rowid NOT IN (SELECT max(rowid) FROM {stage} GROUP BY {identifier})"
            if self._has_duplicates(stage, identifier)
            else "SELECT 1"
        )

    def _has_duplicates(self, stage: str, identifier: str) -> bool:
        total, distinct = self._connection.execute(
            f"SELECT count(*), count(DISTINCT hash({identifier})) FROM {stage}"
        ).fetchall()[0]
        return bool(total != distinct)

    def _update(self, seen_at: datetime) -> None:
        key = " AND ".join(f"old.{name} = new.{name}" for name in self._main.key)
        content = [name for name in self._main.names(content_only=True) if name not in self._main.key]
        differs = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in content)
        sets = ", ".join(
            [
                *(f"{name} = new.{name}" for name in content),
                *(f"{name} = ${i}" for i, name in self._stamps("last_changed")),
            ]
        )
        self._stamped(
            f"UPDATE {self._main.qualified} AS old SET {sets} FROM {_stage(self._main)} AS new WHERE {key} AND ({differs})",
            "last_changed",
            seen_at,
        )
        if self._stamps("last_seen"):
            seen = ", ".join(f"{name} = ${i}" for i, name in self._stamps("last_seen"))
            self._stamped(
                f"UPDATE {self._main.qualified} AS old SET {seen} FROM {_stage(self._main)} AS new WHERE {key}",
                "last_seen",
                seen_at,
            )

    def _stamps(self, stamp: str) -> list[tuple[int, str]]:
        names = [column.name for column in self._main.columns if column.stamp == stamp]
        return list(enumerate(names, start=1))

    def _stamped(self, statement: str, stamp: str, seen_at: datetime) -> None:
        self._connection.execute(statement, [seen_at] * len(self._stamps(stamp)))

    def _insert(self, seen_at: datetime) -> None:
        key = " AND ".join(f"old.{name} = new.{name}" for name in self._main.key)
        values = ", ".join("$1::TIMESTAMPTZ" if column.stamp else f"new.{column.name}" for column in self._main.columns)
        self._connection.execute(
            f"INSERT INTO {self._main.qualified} SELECT {values} FROM {_stage(self._main)} AS new "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self._main.qualified} AS old WHERE {key})",
            [seen_at],
        )


def _stage(table: Table) -> str:
    return f"temp.stage_{table.name}"


def _empty(table: Table) -> str:
    return "SELECT " + ", ".join(f"NULL::{column.type} AS {column.name}" for column in table.content) + " WHERE false"


def _value(column: Column) -> str:
    return f"({column.value or column.name})::{column.type}"
