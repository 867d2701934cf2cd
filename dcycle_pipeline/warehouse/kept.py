"""What the pipeline remembers of its own work, inside the working file: texts that commit and roll back with the rows they speak of.

Each is a macro that gives one text, so it costs readers neither a table nor a row. What is remembered belongs to its users.
"""

import base64
import json
import zlib
from typing import Any

import duckdb

from dcycle_pipeline.schema import quoted

SUMMARISED, HASHED = "summarised_from", "hashed_from"
NAMES = (SUMMARISED, HASHED)


def read(connection: duckdb.DuckDBPyConnection, name: str, database: str | None = None) -> dict[str, Any]:
    """What the database in `USE`, or another one, remembers under that name.

    It is empty if nothing is there or it cannot be understood: then all is done again.
    """
    # Not by calling it: where it is missing, that would abort the transaction.
    found = connection.execute(
        """SELECT macro_definition FROM duckdb_functions()
        WHERE database_name = coalesce(?, current_database()) AND schema_name = 'sync' AND function_name = ?""",
        [database, name],
    ).fetchall()
    try:
        known = json.loads(zlib.decompress(base64.b64decode(found[0][0].strip("'")))) if found else {}
    except (ValueError, zlib.error):
        return {}
    return known if isinstance(known, dict) else {}


def write(connection: duckdb.DuckDBPyConnection, name: str, known: dict[str, Any]) -> None:
    """Remember it instead of what was there."""
    text = base64.b64encode(zlib.compress(json.dumps(known, separators=(",", ":")).encode())).decode()
    connection.execute(f"CREATE OR REPLACE MACRO sync.{name}() AS {quoted(text)}")


def copy(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Take over all that another attached database remembers."""
    for name in NAMES:
        if known := read(connection, name, database):
            write(connection, name, known)
