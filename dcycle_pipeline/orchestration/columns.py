"""What Dagster's catalogue shows of a table before anything has run: a query to try, the columns, and where each comes from."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.schema import Column, Table
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.summaries.declaration import FACILITIES

SHOWN_ROWS, ROWS_OF_EACH = 10, 3
_NEWEST_FIRST = ("published_at", "month", "year", "end_date", "last_date")
# Columns that name an organisation or facility by id; the query shows its name in front.
_NAMED = {
    "organization_id": ("organization", ORGANIZATIONS.qualified, "organization_id"),
    "tree_organization_id": ("tree", ORGANIZATIONS.qualified, "organization_id"),
    "facility_id": ("facility", FACILITIES, "facility_id"),
}


def described(table: Table, title: str = "") -> str:
    """The description of the asset that makes a table: what a row is, and a query to try on the published file."""
    return with_query(f"{title}. {table.comment}" if title else table.comment, query_to_try(table))


def with_query(text: str, sql: str) -> str:
    """A description in Markdown with a query to try."""
    return f"{text}\n\nA query to try on the published file:\n\n```sql\n{sql}\n```"


def query_to_try(table: Table) -> str:
    """The first rows of a table, the newest first, names in front and ids at the end. It runs in the published and the working file."""
    return f"{_with_names(table, table.qualified)}\nLIMIT {SHOWN_ROWS}"


def query_of_each(table: Table) -> str:
    """The same with a few rows of each organisation."""
    order = ", ".join(_order(table))
    few = f"SELECT * FROM {table.qualified} QUALIFY row_number() OVER (PARTITION BY organization_id ORDER BY {order})"
    return _with_names(table, f"({few} <= {ROWS_OF_EACH})")


def _with_names(table: Table, rows: str) -> str:
    names = list(_names_beside(table))
    ids = [name for name in table.names() if name.endswith("_id")]
    others = f"t.* EXCLUDE ({', '.join(ids)})" if ids else "t.*"
    shown = [*(f"{alias}.name AS {alias}" for _, alias, _, _ in names), others, *(f"t.{name}" for name in ids)]
    joins = "".join(
        f"\nLEFT JOIN {source} AS {alias} ON {alias}.{key} = t.{column}"
        # A facility that several organisations list has a row in each.
        + (f"\n    AND {alias}.organization_id = t.organization_id" if alias == "facility" else "")
        for column, alias, source, key in names
    )
    select, order = ",\n    ".join(shown), ", ".join(f"t.{each}" for each in _order(table))
    return f"SELECT\n    {select}\nFROM {rows} AS t{joins}\nORDER BY {order}"


def _order(table: Table) -> list[str]:
    newest = next((name for name in _NEWEST_FIRST if name in table.names()), "")
    return [*([f"{newest} DESC"] if newest else []), *(name for name in table.key if name != newest)]


def _names_beside(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Each id that has its name elsewhere: the column, what the name is called, the table that has it, and its id there."""
    there = set(table.names())
    for column, (alias, source, key) in _NAMED.items():
        if column in there and source != table.qualified and alias not in there:
            yield column, alias, source, key


def columns(table: Table) -> dict[str, Any]:
    """The name, the columns and their lineage, under the keys that Dagster's catalogue reads."""
    schema = [_column(table, column) for column in table.columns]
    lineage = {column.name: deps for column in table.columns if (deps := _made_from(column))}
    return {
        "dagster/column_schema": dg.TableSchema(schema),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "dagster/table_name": table.qualified,
    }


def _column(table: Table, column: Column) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=column.name not in table.key, unique=table.key == (column.name,))
    return dg.TableColumn(column.name, column.type, table.comment_of(column), constraints)


def _made_from(column: Column) -> list[dg.TableColumnDep]:
    """The columns of other assets from which one is made, as its `source` says: tables, each with the column if it has another name."""
    found = []
    for source in column.source.split(", "):
        table, _, name = source.partition(": ")
        made = _tables().get(table)
        if made and (name or column.name) in made.names():
            found.append(dg.TableColumnDep(dg.AssetKey(made.name), name or column.name))
    return found


def _tables() -> dict[str, Table]:
    """The tables that assets make, by name."""
    made = [ORGANIZATIONS, *(endpoint.table for endpoint in (*declared(), *YEAR_TOTALS)), *SUMMARIES]
    return {table.qualified: table for table in made}
