"""The private working DuckDB file: opening it, one door for transactions, and rows that follow a query without churn."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.folder import DataFolder
from dcycle_pipeline.schema import Table, quoted

STORAGE_VERSION = "v1.4.0"
THREADS = 2


@contextmanager
def opened(folder: DataFolder, tables: Iterable[Table], memory_limit_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """The working file with all declared tables. The caller holds the folder for writing.

    Raises UnavailableError where the file cannot be used.
    """
    connection = duckdb.connect(":memory:", config={"threads": THREADS})
    try:
        for statement in (
            memory_limit(memory_limit_mb),
            f"SET temp_directory = {quoted(str(folder.spill))}",
            "SET preserve_insertion_order = false",
            "SET TimeZone = 'UTC'",
            "SET enable_progress_bar = false",
            f"ATTACH {quoted(str(folder.warehouse))} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')",
            "USE warehouse",
        ):
            connection.execute(statement)
        with transaction(connection):
            declare(connection, tables)
        yield connection
    except duckdb.Error as error:
        raise UnavailableError(f"The working file {folder.warehouse} failed: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def memory_limit(megabytes: int) -> str:
    """The statement that bounds what DuckDB may use before it spills."""
    return f"SET memory_limit = '{megabytes}MB'"


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def declare(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> None:
    """Create the tables that are missing and describe all of them; untouched where they already are as declared."""
    comments = dict(
        connection.execute(
            "SELECT schema_name || '.' || table_name, comment FROM duckdb_tables() WHERE database_name = 'warehouse'"
        ).fetchall()
    )
    for table in tables:
        if comments.get(table.qualified) != table.comment:
            connection.execute("; ".join(table.ddl()))


def follow(connection: duckdb.DuckDBPyConnection, table: Table, query: str, within: str = "true") -> int:
    """Make the rows of `table` (those `within` a condition) equal the rows of `query`; the number of rows touched.

    Only rows that differ are written, so that a sync without changes leaves the file as it is.
    """
    names = ", ".join(table.names())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT {names} FROM ({query})")
    same = " AND ".join(f"old.{name} IS NOT DISTINCT FROM wanted.{name}" for name in table.names())
    gone = connection.execute(
        f"DELETE FROM {table.qualified} AS old WHERE ({within}) AND NOT EXISTS (SELECT 1 FROM wanted WHERE {same})"
    ).fetchall()
    come = connection.execute(
        f"INSERT INTO {table.qualified} SELECT {names} FROM wanted WHERE NOT EXISTS (SELECT 1 FROM {table.qualified} AS old WHERE {same})"
    ).fetchall()
    connection.execute("DROP TABLE wanted")
    return int(gone[0][0]) + int(come[0][0])


def content_hash(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> str:
    """One hash over the content of the tables, whatever the order of their rows; our observation times are no content."""
    parts = []
    for table in sorted(tables, key=lambda table: table.qualified):
        row = ", ".join(f"coalesce({name}::VARCHAR, chr(0))" for name in table.names(content_only=True))
        lower, upper, count = connection.execute(
            f"""SELECT sum(md5_number_lower(line)::HUGEINT), sum(md5_number_upper(line)::HUGEINT), count(*)
            FROM (SELECT concat_ws(chr(31), {row}) AS line FROM {table.qualified})"""
        ).fetchall()[0]
        parts.append(f"{table.qualified}:{count}:{lower}:{upper}")
    digest = connection.execute("SELECT sha256(?)", ["\n".join(parts)]).fetchall()[0][0]
    return str(digest)
