"""Makes publications without a sync each, by changing a copy of a snapshot, and compares what PostgreSQL holds with it."""

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg import sql

from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.postgres import send
from dcycle_pipeline.settings import Settings, load
from tests.conftest import Synced

Rows = Counter[tuple[str, ...]]


class Publications:
    """One account's publications on their way to a database."""

    def __init__(self, synced: Synced, url: str, file: Path, **overrides: Any) -> None:
        self.url, self.file = url, file
        self._synced, self._overrides = synced, overrides
        shutil.copyfile(synced.publication.snapshot, file)
        with duckdb.connect(str(file), read_only=True) as connection:
            query = "SELECT run_id, published_at, content_hash FROM sync.runs"
            self.run_id, self.published_at, self.content_hash = connection.execute(query).fetchall()[0]

    def settings(self, **overrides: Any) -> Settings:
        usual = {"api_key": "k" * 20, "organization_id": "o", "data_dir": self._synced.settings.data_dir}
        return load(**usual | {"postgres_url": self.url} | self._overrides | overrides)

    def delivery(self, **overrides: Any) -> Delivery:
        return Delivery(self.file, self.settings(**overrides), self.run_id, self.published_at, self.content_hash)

    def change(self, *statements: str) -> None:
        """Make the next publication, with what the statements change."""
        self.published_at += timedelta(minutes=1)
        self.run_id = f"run-{self.published_at:%Y%m%d%H%M}"
        with duckdb.connect(str(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO sync.runs BY NAME SELECT * REPLACE ($1 AS run_id, $2 AS published_at) FROM sync.runs LIMIT 1",
                [self.run_id, self.published_at],
            )

    def send(self, **overrides: Any) -> None:
        send(self.delivery(**overrides))

    def query(self, statement: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def in_file(self) -> dict[str, Rows]:
        """The rows of each table in the file, as text."""
        with duckdb.connect() as connection:
            connection.execute(f"SET TimeZone = 'UTC'; ATTACH '{self.file}' AS published (READ_ONLY)")
            texts = {name: _texts(connection, name) for name in sent_tables()}
            query = "SELECT {} FROM published.{}"
            return {
                name: Counter(connection.execute(query.format(text, name)).fetchall()) for name, text in texts.items()
            }

    def in_postgres(self) -> dict[str, Rows]:
        """The rows of each table in PostgreSQL, as text, in one transaction."""
        with psycopg.connect(self.url, options="-c TimeZone=UTC -c DateStyle=ISO") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            found = {}
            for name in sent_tables():
                table = sql.Identifier(*name.split("."))
                names = [
                    each.name
                    for each in connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
                ]
                texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(each)) for each in names)
                found[name] = Counter(connection.execute(sql.SQL("SELECT {} FROM {}").format(texts, table)).fetchall())
            return found

    def assert_sent(self) -> None:
        """Each table is that of the file, to the last digit."""
        here, there = self.in_postgres(), self.in_file()
        for name in sent_tables():
            assert here[name] == there[name], name


Make = Callable[[str], Publications]


def sent_tables() -> list[str]:
    return [table.qualified for table in all_tables() if table.schema != "history"]


def _texts(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """Each column as PostgreSQL writes it: a list in braces; no text here needs quotes in one, see `test_text`."""
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name || '.' || table_name = $1 ORDER BY column_index",
        [name],
    ).fetchall()
    shapes = {"VARCHAR[]": "'{{' || array_to_string({0}, ',') || '}}'", "BOOLEAN": "{0}::VARCHAR"}
    return ", ".join(shapes.get(kind, "{0}::VARCHAR").format(f'"{column}"') for column, kind in found)
