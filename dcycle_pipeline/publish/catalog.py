"""What the file holds: every table, view and macro, put together from the declarations. Also replaces the working file as a whole.

The declarations themselves belong to `endpoints`, `warehouse` and `summaries`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from dcycle_pipeline import summaries
from dcycle_pipeline.data_folder import LOGS, DataFolder
from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import UnavailableError, after
from dcycle_pipeline.schema import Macro, Table, View
from dcycle_pipeline.summaries import VERSIONED
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.database import Declaration, opened
from dcycle_pipeline.warehouse.history import as_of, as_published, current, versions


def versioned_tables() -> tuple[Table, ...]:
    """The tables that hold every version of their rows."""
    return (*(versions(endpoint) for endpoint in declared()), VERSIONED)


def totals_tables() -> tuple[Table, ...]:
    """The tables that hold the totals of years."""
    return tuple(endpoint.table for endpoint in YEAR_TOTALS)


def all_tables() -> tuple[Table, ...]:
    """Every table and view of the file."""
    views = [view for endpoint in declared() for view in current(endpoint)]
    as_they_were = [as_published(table) for table in versioned_tables()]
    stored = (ORGANIZATIONS, *totals_tables(), *run_tables.TABLES, *versioned_tables())
    return (*stored, *views, *as_they_were, *summaries.DECLARED)


def copied_tables() -> list[Table]:
    """What destinations get: all but the views by publication, which say each version again for every publication that had it."""
    repeating = {as_published(table).qualified for table in versioned_tables()}
    return [table for table in all_tables() if table.qualified not in repeating]


def filled_tables() -> tuple[Table, ...]:
    """The tables that hold rows of their own: all that are not views."""
    return tuple(table for table in all_tables() if not isinstance(table, View))


def all_relations() -> tuple[Table | Macro, ...]:
    """Every table and view, and every macro that can be used like a table."""
    return (*all_tables(), *(as_of(table) for table in versioned_tables()))


def everything() -> tuple[Declaration, ...]:
    """All that is declared in the file, each thing after those that it is made from."""
    return (summaries.RULES, *all_relations())


def bind_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Bind the macros that read tables to the publication that is noted last: they fail in any other file, which DuckDB would read."""
    query = f"SELECT arg_max(run_id, published_at) FROM {run_tables.RUNS.qualified}"
    run_id = connection.execute(query).fetchall()[0][0]
    for table in versioned_tables():
        for statement in as_of(table, run_id).ddl():
            connection.execute(statement)


@contextmanager
def replaced_file(
    folder: DataFolder, memory_limit_mb: int, like: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a new working file, empty or a copy of `like`. If the block ends well, it takes the place of the old one.

    The caller holds the folder for writing. Raises UnavailableError if that fails; then the old file stays.
    """
    beside = folder.warehouse.with_name(".replacing.duckdb.part")
    try:
        _unlink(beside)
        if like is not None:
            shutil.copyfile(like, beside)
        with opened(beside, folder.spill, everything(), memory_limit_mb) as connection:
            yield connection
            connection.execute("FORCE CHECKPOINT warehouse")
        os.replace(beside, folder.warehouse)
    except OSError as error:
        raise UnavailableError(f"Replacing {folder.warehouse} failed: {error.strerror}. {after(error)}") from None
    finally:
        _unlink(beside)


def _unlink(file: Path) -> None:
    """Delete a DuckDB file and its write-ahead logs, if they exist."""
    for path in (file.with_name(f"{file.name}{log}") for log in ("", *LOGS)):
        path.unlink(missing_ok=True)
