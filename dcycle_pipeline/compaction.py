"""The working file written anew once it has grown by updates and deletions, which leave holes that DuckDB does not give back.

It happens whenever the file is a fixed share larger than when it was last written anew; as content only grows, the file
then never exceeds a fresh one of the same content by more than that share.
"""

from pathlib import Path

import duckdb

from dcycle_pipeline.folder import DataFolder, write_whole
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.stored import filled_tables, replacing
from dcycle_pipeline.warehouse import without_file

GROWTH_PERCENT = 10


def compact(connection: duckdb.DuckDBPyConnection, folder: DataFolder, memory_limit_mb: int) -> bool:
    """Write the working file of an open connection, after a checkpoint, anew where it has grown enough; whether it was.

    The caller holds the folder for writing.
    """
    size_bytes, last_bytes = folder.warehouse.stat().st_size, _last_size(folder)
    if last_bytes is None:
        write_whole(_note(folder), str(size_bytes).encode())
    if last_bytes is None or last_bytes <= size_bytes <= last_bytes * (100 + GROWTH_PERCENT) // 100:
        return False
    with without_file(connection, folder.warehouse), replacing(folder, memory_limit_mb) as anew:
        anew.execute(f"ATTACH {quoted(str(folder.warehouse))} AS grown (READ_ONLY)")
        for table in filled_tables():
            names = ", ".join(table.names())
            anew.execute(f"INSERT INTO {table.qualified} ({names}) SELECT {names} FROM grown.{table.qualified}")
    write_whole(_note(folder), str(folder.warehouse.stat().st_size).encode())
    return True


def _note(folder: DataFolder) -> Path:
    return folder.working / "compacted_bytes"


def _last_size(folder: DataFolder) -> int | None:
    try:
        return int(_note(folder).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
