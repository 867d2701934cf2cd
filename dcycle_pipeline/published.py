"""Reading the published file, as anybody may: read-only, with exact numbers, in pandas frames."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from dcycle_pipeline.errors import UnavailableError


def frame(file: Path, query: str, parameters: list[Any] | dict[str, Any] | None = None) -> pd.DataFrame:
    """The rows of a query on the published file; decimals stay decimals (Arrow-backed columns), never floats.

    Raises UnavailableError where nothing is published or the query fails.
    """
    if not file.exists():
        raise UnavailableError(f"Nothing is published at {file} yet: run `dcycle-pipeline sync` (or `demo`) first.")
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            table = connection.execute(query, parameters or []).to_arrow_table()
    except duckdb.Error as error:
        raise UnavailableError(f"{file}: {str(error).splitlines()[0]}") from None
    result: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return result


def rows(file: Path, query: str, parameters: list[Any] | dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The same as plain Python values."""
    found = frame(file, query, parameters)
    return [
        {name: None if value is pd.NA else value for name, value in row.items()} for row in found.to_dict("records")
    ]


TABLES = """SELECT schema_name || '.' || table_name AS "table", estimated_size::BIGINT AS "rows", comment
FROM duckdb_tables() WHERE NOT internal ORDER BY schema_name, table_name"""
LAST_RUN = "SELECT * FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at DESC LIMIT 1"
RUN = "SELECT * FROM sync.runs WHERE run_id = ?"
BY_ORGANIZATION = """SELECT o.organization_id, o.name,
    (SELECT count(*) FROM dcycle.facilities f WHERE f.organization_id = o.organization_id) AS facilities,
    (SELECT count(*) FROM dcycle.waste_water_treatments w WHERE w.organization_id = o.organization_id) AS wwt_records,
    (SELECT sum(co2e_kg) FROM dcycle.waste_water_treatments w
        WHERE w.organization_id = o.organization_id AND w.status = 'active') AS wwt_co2e_kg,
    (SELECT max(finished_at) FROM sync.scopes s WHERE s.organization_id = o.organization_id AND outcome = 'proven'
        AND endpoint <> 'total_impacts') AS read_at
FROM dcycle.organizations o ORDER BY o.depth, o.name"""
