"""Reads a snapshot for PostgreSQL: its relations, a digest of each part of one, and the rows of parts, as text.

Text is exact: DuckDB's text of a decimal, date or moment is that of PostgreSQL. What PostgreSQL does with it belongs to the other modules.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.schema import Table, quoted
from dcycle_pipeline.warehouse.database import set_memory

LEFT_OUT = ("history",)  # every version of every row stays in the file
ORGANIZATION = ("organization_id", "organization_key")
ROWS_AT_ONCE = 5_000
NUL, ITS_PICTURE = "chr(0)", "'\u2400'"  # PostgreSQL's text cannot hold a NUL
# A page of a B-tree takes keys of about 2,700 bytes, and a letter has up to four.
LONGEST_KEY = 600
_TYPES = {
    "VARCHAR": "text",
    "VARCHAR[]": "text[]",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "DATE": "date",
    "BOOLEAN": "boolean",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "numeric(39,0)",
    "DOUBLE": "double precision",
}
Row = Sequence[str | list[str] | None]


@dataclass(frozen=True)
class Field:
    """A column with its type in DuckDB and its comment."""

    name: str
    type: str
    comment: str

    @property
    def postgres_type(self) -> str:
        """Its type in PostgreSQL, as `format_type` writes it."""
        return self.type.lower().replace("decimal", "numeric") if "DECIMAL" in self.type else _TYPES[self.type]

    @property
    def text(self) -> str:
        """An SQL expression for its value as PostgreSQL takes it."""
        name = name_of(self.name)
        if self.type == "VARCHAR":
            return f"replace({name}, {NUL}, {ITS_PICTURE})"
        if self.type == "VARCHAR[]":
            return f"list_transform({name}, lambda each: replace(each, {NUL}, {ITS_PICTURE}))"
        return f"{name}::VARCHAR"


@dataclass(frozen=True)
class Relation:
    """A table or view of the snapshot, which becomes a table.

    A row belongs to one part: that of the first two columns of its key or, of a shorter key, of all columns but the last and a
    digest of that. If a part changes, the whole part is sent. `seen` names a column that says when the last sweep saw the
    organisation's rows: it changes with each sync, so it is no reason to send a row.
    """

    table: Table
    fields: tuple[Field, ...]
    comment: str

    @property
    def name(self) -> str:
        return self.table.qualified

    @cached_property
    def seen(self) -> str | None:
        return next((column.name for column in self.table.columns if column.stamp == "last_seen"), None)

    @property
    def organization(self) -> str | None:
        """The column that says whose the row is."""
        names = [field.name for field in self.fields]
        return next((name for name in ORGANIZATION if name in names), None)

    @property
    def part_columns(self) -> tuple[str, ...]:
        return self.table.key[:-1][:2]

    @property
    def has_digest_in_part(self) -> bool:
        return len(self.part_columns) < 2

    def part(self) -> str:
        """An SQL expression of DuckDB: the part of a row, a list of texts as JSON."""
        text = {field.name: field.text for field in self.fields}
        words = [text[name] for name in self.part_columns]
        last = [f"left(md5({text[self.table.key[-1]]}), 2)"] if self.has_digest_in_part else []
        return f"to_json([{', '.join([*words, *last])}])::VARCHAR"


class Snapshot:
    """An open snapshot. It is read-only, and no one changes it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """What is sent, as far as the snapshot holds it: one that an older version published lacks some tables and columns."""
        tables = (
            "SELECT schema_name || '.' || table_name, comment FROM duckdb_tables() WHERE database_name = 'published'"
        )
        comments = dict(
            self._rows(f"{tables} UNION ALL {tables.replace('table_name', 'view_name').replace('tables()', 'views()')}")
        )
        found: dict[str, list[Field]] = {}
        for name, column, kind, comment in self._rows(
            """SELECT schema_name || '.' || table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns()
            WHERE database_name = 'published' ORDER BY column_index"""
        ):
            found.setdefault(name, []).append(Field(column, kind, comment))
        sent = [table for table in all_tables() if table.schema not in LEFT_OUT and table.qualified in found]
        return tuple(Relation(table, tuple(found[table.qualified]), comments[table.qualified] or "") for table in sent)

    def roots(self) -> list[str]:
        """Every root organisation that the account had, the last one first."""
        query = "SELECT root_organization_id FROM published.sync.runs WHERE root_organization_id IS NOT NULL"
        return [row[0] for row in self._rows(f"{query} GROUP BY ALL ORDER BY max(started_at) DESC")]

    def parts(self, relation: Relation) -> dict[str, str]:
        """The digest of each part: of its rows in any order, without the column `seen`."""
        texts = (f"{field.text}::VARCHAR" for field in relation.fields if field.name != relation.seen)
        return dict(
            self._rows(
                f"""SELECT part, md5(concat_ws(':', count(*), sum(md5_number_lower(line)::HUGEINT), sum(md5_number_upper(line)::HUGEINT)))
                FROM (SELECT {relation.part()} AS part, to_json([{", ".join(texts)}])::VARCHAR AS line FROM published.{relation.name})
                GROUP BY part"""
            )
        )

    def rows(self, relation: Relation, parts: Iterable[str]) -> Iterator[Row]:
        """The rows of some parts."""
        texts = ", ".join(field.text for field in relation.fields)
        # Not as a parameter: at the first one, DuckDB loads pandas.
        wanted = f"SELECT unnest(from_json({quoted(json.dumps(list(parts)))}, '[\"VARCHAR\"]'))"
        cursor = self._connection.execute(
            f"SELECT {texts} FROM published.{relation.name} WHERE {relation.part()} IN ({wanted})"
        )
        while found := cursor.fetchmany(ROWS_AT_ONCE):
            yield from found

    def last_seen(self, relation: Relation) -> list[tuple[str, str | None]]:
        """By organisation, when the last sweep saw its rows."""
        whose, seen = relation.organization, relation.seen
        return self._rows(f"SELECT {whose}, max({seen})::VARCHAR FROM published.{relation.name} GROUP BY ALL")

    def key_of(self, relation: Relation) -> str | None:
        """The strongest key that holds: `primary`; `unique` if a part of the key may be null; None if a key is too long for an index."""
        names = [name_of(name) for name in relation.table.key]
        nulls = " OR ".join(f"{name} IS NULL" for name in names)
        length = " + ".join(f"coalesce(length({name}::VARCHAR), 0)" for name in names)
        query = f"SELECT coalesce(bool_or({nulls}), false), coalesce(max({length}), 0) FROM published.{relation.name}"
        ((has_nulls, longest),) = self._rows(query)
        if longest > LONGEST_KEY:
            return None
        return "unique" if has_nulls else "primary"

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(query).fetchall()
        return rows


@contextmanager
def opened(delivery: Delivery) -> Iterator[Snapshot]:
    """The snapshot of a delivery until the block ends. Raises UnavailableError if it cannot be read."""
    try:
        # Not in the data folder's own place for that: the working file is open beside, and DuckDB would use the same names twice.
        with TemporaryDirectory(prefix="dcycle-postgres-") as spill, duckdb.connect() as connection:
            set_memory(connection, delivery.settings.memory_limit_mb)
            connection.execute(f"SET temp_directory = {quoted(spill)}; SET TimeZone = 'UTC'")
            connection.execute(f"ATTACH {quoted(str(delivery.snapshot))} AS published (READ_ONLY); USE published")
            yield Snapshot(connection)
    except duckdb.Error as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise UnavailableError(f"Snapshot {delivery.snapshot} cannot be sent: {said}. Sync again.") from None


def name_of(text: str) -> str:
    """A name in SQL, whatever is in it."""
    return '"' + text.replace('"', '""') + '"'
