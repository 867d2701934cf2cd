"""The data dictionary: every table, view and column of the published file in words, from the declarations that made them."""

from dataclasses import dataclass

from dcycle_pipeline.published import Published
from dcycle_pipeline.report.examples import example_of
from dcycle_pipeline.run import all_tables
from dcycle_pipeline.schema import Column, Table


@dataclass(frozen=True)
class Entry:
    """One table or view, with its columns and an example of each."""

    table: Table
    columns: tuple[tuple[Column, str], ...]


def entries(published: Published) -> list[Entry]:
    """What the file holds, in the order of the declarations."""
    there = {row["table"] for row in published.rows(NAMES)}
    return [_entry(table) for table in all_tables() if table.qualified in there]


def _entry(table: Table) -> Entry:
    return Entry(table, tuple((column, example_of(table, column)) for column in table.columns))


NAMES = """SELECT DISTINCT schema_name || '.' || table_name AS "table" FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()"""
