"""What the catalogue shows of a table that was just filled: how many rows it has, and the first of them. What it is belongs to `columns`."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb

from dcycle_pipeline.orchestration.columns import query_of_each, query_to_try
from dcycle_pipeline.orchestration.markdown_tables import plain_decimal
from dcycle_pipeline.readers.published_file import dicts
from dcycle_pipeline.schema import Table
from dcycle_pipeline.text import plain


def table_facts(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, Any]:
    """The number of all rows of the table and a preview, under the keys that Dagster's catalogue reads."""
    count = connection.execute(f"SELECT count(*) FROM {table.qualified}").fetchall()[0][0]
    return {"dagster/row_count": count, "preview": shown(rows_of(connection, query_to_try(table)))}


def facts_by_organization(
    connection: duckdb.DuckDBPyConnection, table: Table, organization_ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """The same for each organisation: its own rows, and how many rows the whole table has."""
    counts = dict(
        connection.execute(f"SELECT organization_id, count(*) FROM {table.qualified} GROUP BY ALL").fetchall()
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(connection, query_of_each(table)):
        rows.setdefault(row["organization_id"], []).append(row)
    total = sum(counts.values())
    return {
        each: {
            "dagster/row_count": total,
            "dagster/partition_row_count": counts.get(each, 0),
            "preview": shown(rows.get(each, [])),
        }
        for each in organization_ids
    }


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    return dicts(connection.execute(sql))


def shown(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue[Any]:
    """Rows as a table that the catalogue shows at once, where Markdown waits for a click."""
    records = [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows]
    # Without a row Dagster cannot tell the columns, and there is nothing to show.
    return dg.MetadataValue.table(records) if records else dg.MetadataValue.text("no row")


def _cell(value: Any) -> str | int | float | bool | None:
    """A value as Dagster's tables take it; a decimal as text, so that nothing is rounded."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return plain_decimal(value)
    return plain(str(value))
