"""The private working DuckDB file: opens it, bounds its memory, and gives transactions and tables that take only changed rows.

What the tables are and what is written into them belongs to the other modules of this room.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import duckdb

from dcycle_pipeline.errors import FREE_SPACE, DamagedError, UnavailableError
from dcycle_pipeline.schema import Macro, Rules, Table, View, quoted
from dcycle_pipeline.warehouse.macros import self_contained
from dcycle_pipeline.warehouse.upgrade import upgrade

STORAGE_VERSION = "v1.4.0"  # a format that every DuckDB from 1.4 on reads
THREADS = 2
# DuckDB advises 125 or more (duckdb.org/docs/stable/guides/performance/environment). Summaries of a quarter of a million records at
# a time were measured to take the same processor time with 90 as with 125, and 46 MB less at the peak.
MB_A_THREAD = 90
# Enough for one thread to stage and merge a million rows. More memory was measured to be no faster; with this bound the peak hardly
# grows with the data (312 MB for 100,000 records, 356 MB for a million).
LOADING_MEMORY_MB = 96
T = TypeVar("T")
Declaration = Table | Macro | Rules
# DuckDB has no class of error for either, so its messages decide (seen with 1.5 and 2.0).
_DAMAGE = re.compile(
    "not a valid DuckDB database|[Cc]orrupt|Failure while replaying WAL|[Cc]hecksum|deserialize|not read enough bytes",
    re.IGNORECASE,
)
_FULL = re.compile("File too large|No space left|could not write|failed to offload|disk", re.IGNORECASE)


@contextmanager
def opened(
    file: Path, spill: Path, declarations: Iterable[Declaration], memory_limit_mb: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the working file, with everything that is declared. The caller holds the folder for writing.

    `spill` is the folder for what does not fit the memory. Raises DamagedError if DuckDB cannot read the file, UnavailableError
    if a statement fails in another way, also one that the caller executes.
    """
    connection = duckdb.connect(":memory:", config={"threads": _threads(memory_limit_mb)})
    try:
        for statement in (
            _memory_limit(memory_limit_mb),
            f"SET temp_directory = {quoted(str(spill))}",
            "SET preserve_insertion_order = false",
            "SET TimeZone = 'UTC'",
            "SET enable_progress_bar = false",
        ):
            connection.execute(statement)
        _attach(connection, file)
        declare(connection, tuple(declarations))
        yield connection
    except duckdb.Error as error:
        raise failure(file, error) from error
    finally:
        connection.close()


def _attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    try:
        connection.execute(
            f"ATTACH IF NOT EXISTS {quoted(str(file))} AS warehouse (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
        connection.execute("USE warehouse")
    except duckdb.Error as error:
        raise failure(file, error) from error


@contextmanager
def without_file(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    """Release the file until the block ends, so that another one can take its place. Everything must be committed."""
    try:
        connection.execute("USE memory; DETACH warehouse")
        yield
    finally:
        _attach(connection, file)


def failure(file: Path, error: duckdb.Error) -> UnavailableError:
    """The error that a failed statement stands for: the working file is damaged, or cannot be used now."""
    said = str(error).splitlines()[0].rstrip(".")
    if _DAMAGE.search(said):
        return DamagedError(f"The working file {file} is damaged: {said}")
    next_step = FREE_SPACE if _FULL.search(said) else "Sync again; what was published stays."
    return UnavailableError(f"The working file {file} failed: {said}. {next_step}")


def set_memory(connection: duckdb.DuckDBPyConnection, megabytes: int) -> None:
    """Bound the memory that DuckDB may use before it spills, and the threads that share it."""
    try:
        connection.execute(_memory_limit(megabytes))
    except duckdb.OutOfMemoryException:
        return  # DuckDB holds more at this moment and cannot release it: the old bound stays
    connection.execute(f"SET threads = {_threads(megabytes)}")


def give_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the system have what DuckDB has freed and keeps beside its bound: 170 MB were measured after a load.

    Only setting the bound does that; here it is set to what it is.
    """
    with suppress(duckdb.OutOfMemoryException):
        bound = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
        connection.execute(f"SET memory_limit = {quoted(bound)}")


def _memory_limit(megabytes: int) -> str:
    return f"SET memory_limit = '{megabytes}MB'"


def _threads(memory_limit_mb: int) -> int:
    return max(1, min(THREADS, memory_limit_mb // MB_A_THREAD))


def with_room(connection: duckdb.DuckDBPyConnection, memory_limit_mb: int, step: Callable[[], T]) -> T:
    """Do a step in the memory that the connection has. If that is not enough, do it once more with `memory_limit_mb`."""
    try:
        return step()
    except duckdb.OutOfMemoryException:
        connection.execute(_memory_limit(memory_limit_mb))
        return step()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit the block if it ends well, else roll it back."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def declare(connection: duckdb.DuckDBPyConnection, declarations: tuple[Declaration, ...]) -> None:
    """Bring an older file to the present layout, create what is missing, columns too, and replace views, macros and comments.

    If all is as declared, the file stays untouched. A macro in the file holds the digest of what was last declared: it costs neither a table nor a row.
    """
    digest = _digest(declarations)
    try:  # not in a transaction: a query that fails would abort it
        found = connection.execute("SELECT sync.layout_digest()").fetchall()
    except duckdb.CatalogException:
        found = []
    if found != [(digest,)]:
        upgrade(connection)
        with transaction(connection):
            _add_columns(connection, declarations)
            statements = "; ".join(statement for each in declarations for statement in _statements(each))
            connection.execute(f"{statements}; CREATE OR REPLACE MACRO sync.layout_digest() AS {quoted(digest)}")


def _add_columns(connection: duckdb.DuckDBPyConnection, declarations: tuple[Declaration, ...]) -> None:
    """Add the columns that the tables of an older file lack. They are empty in its rows."""
    found = connection.execute(
        """SELECT schema_name || '.' || table_name, list(column_name) FROM duckdb_columns()
        WHERE database_name = 'warehouse' AND NOT internal GROUP BY ALL"""
    ).fetchall()
    present = dict(found)
    tables = [each for each in declarations if isinstance(each, Table) and not isinstance(each, View)]
    for table in tables:
        for column in table.columns:
            if column.name not in present.get(table.qualified, [column.name]):
                connection.execute(f"ALTER TABLE {table.qualified} ADD COLUMN {column.name} {column.type}")


@lru_cache(maxsize=8)
def _digest(declarations: tuple[Declaration, ...]) -> str:
    statements = "; ".join(statement for declaration in declarations for statement in declaration.ddl())
    return hashlib.sha256(statements.encode()).hexdigest()


def _statements(declaration: Declaration) -> list[str]:
    return self_contained(declaration.script) if isinstance(declaration, Rules) else declaration.ddl()


def replace_changed_rows(connection: duckdb.DuckDBPyConnection, table: Table, query: str, within: str = "true") -> int:
    """Make the rows of `table` equal to the rows of `query`. Returns how many rows were deleted and inserted.

    `within` is an SQL condition: rows that do not meet it stay. Only rows that differ are written, so that a sync without
    changes leaves the file as it is.

    Example: `replace_changed_rows(connection, ORGANIZATIONS, "SELECT * FROM fresh_organizations")`.
    """
    names = ", ".join(table.names())
    if _is_empty(connection, table, within):
        come = connection.execute(f"INSERT INTO {table.qualified} ({names}) SELECT {names} FROM ({query})").fetchall()
        return int(come[0][0])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT {names} FROM ({query})")
    same = " AND ".join(f"old.{name} IS NOT DISTINCT FROM wanted.{name}" for name in table.names())
    gone = connection.execute(
        f"DELETE FROM {table.qualified} AS old WHERE ({within}) AND NOT EXISTS (SELECT 1 FROM wanted WHERE {same})"
    ).fetchall()
    come = connection.execute(
        f"INSERT INTO {table.qualified} ({names}) SELECT {names} FROM wanted WHERE NOT EXISTS (SELECT 1 FROM {table.qualified} AS old WHERE {same})"
    ).fetchall()
    connection.execute("DROP TABLE wanted")
    return int(gone[0][0]) + int(come[0][0])


def replace_changed_versions(
    connection: duckdb.DuckDBPyConnection, table: Table, query: str, moment: datetime, within: str = "true"
) -> int:
    """Bring a table of versions in step with `query`: versions that no longer hold end at `moment`, new ones begin then.

    `within` is an SQL condition that all rows of the query meet: versions that do not meet it stay. Returns how many versions ended and began.
    """
    names = [column.name for column in table.columns if column.stamp is None]
    listed = ", ".join(names)
    if _is_empty(connection, table, f"valid_to IS NULL AND ({within})"):
        insert = f"INSERT INTO {table.qualified} BY NAME SELECT {listed}, $1::TIMESTAMPTZ AS valid_from FROM ({query})"
        return int(connection.execute(insert, [moment]).fetchall()[0][0])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT {listed} FROM ({query})")
    same = " AND ".join(f"old.{name} IS NOT DISTINCT FROM wanted.{name}" for name in names)
    ended = connection.execute(
        f"UPDATE {table.qualified} AS old SET valid_to = $1 WHERE valid_to IS NULL AND ({within}) AND NOT EXISTS (SELECT 1 FROM wanted WHERE {same})",
        [moment],
    ).fetchall()
    begun = connection.execute(
        f"""INSERT INTO {table.qualified} BY NAME SELECT {listed}, $1::TIMESTAMPTZ AS valid_from FROM wanted
        WHERE NOT EXISTS (SELECT 1 FROM (FROM {table.qualified} WHERE valid_to IS NULL AND ({within})) AS old WHERE {same})""",
        [moment],
    ).fetchall()
    connection.execute("DROP TABLE wanted")
    return int(ended[0][0]) + int(begun[0][0])


def _is_empty(connection: duckdb.DuckDBPyConnection, table: Table, within: str) -> bool:
    """Whether there is nothing to compare with, as in a first sync: then rows need not be held before they are written."""
    return not connection.execute(f"SELECT 1 FROM {table.qualified} WHERE {within} LIMIT 1").fetchall()
