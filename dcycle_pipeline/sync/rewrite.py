"""The working file rewritten once it has grown by updates and deletions, which leave holes that DuckDB does not give back.

It happens whenever the file is a fixed share larger than after the last rewrite; as content only grows, the file then never
exceeds a fresh one of the same content by more than that share.
"""

import logging
from pathlib import Path

import duckdb

from dcycle_pipeline.data_folder import DataFolder, write_whole
from dcycle_pipeline.errors import DamagedError, UnavailableError
from dcycle_pipeline.publish.catalog import bind_macros, filled_tables, replaced_file
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse import kept
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, without_file

GROWTH_PERCENT = 10
_log = logging.getLogger(__name__)


def rewrite_if_grown(connection: duckdb.DuckDBPyConnection, folder: DataFolder) -> bool:
    """Rewrite the working file of an open connection, after a checkpoint, if it has grown enough; whether it did.

    If that is not possible it stays as it is: a larger file is no reason to publish nothing. The caller holds the folder
    for writing.
    """
    size_bytes, last_bytes = folder.warehouse.stat().st_size, _last_size(folder)
    if last_bytes is None:
        write_whole(_note(folder), str(size_bytes).encode())
    if last_bytes is None or last_bytes <= size_bytes <= last_bytes * (100 + GROWTH_PERCENT) // 100:
        return False
    with without_file(connection, folder.warehouse):
        try:
            _rewrite(folder)
        except DamagedError:
            raise
        except UnavailableError as error:
            _log.warning("The working file could not be rewritten and stays as it is: %s", error)
            return False
    write_whole(_note(folder), str(folder.warehouse.stat().st_size).encode())
    return True


def _rewrite(folder: DataFolder) -> None:
    # One thread: several leave holes between what they write at a time, up to a quarter of the file.
    with replaced_file(folder, LOADING_MEMORY_MB) as anew:
        anew.execute(f"ATTACH {quoted(str(folder.warehouse))} AS grown (READ_ONLY)")
        for table in filled_tables():
            names, old = ", ".join(table.names()), f"grown.{table.qualified}"
            anew.execute(f"INSERT INTO {table.qualified} ({names}) SELECT {names} FROM {old}")
            counts = f"SELECT (SELECT count(*) FROM {table.qualified}), (SELECT count(*) FROM {old})"
            if len(set(anew.execute(counts).fetchall()[0])) > 1:
                raise UnavailableError(f"{table.qualified} did not come over whole.")
        kept.copy(anew, "grown")
        bind_macros(anew)


def _note(folder: DataFolder) -> Path:
    return folder.working / "compacted_bytes"


def _last_size(folder: DataFolder) -> int | None:
    try:
        return int(_note(folder).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
