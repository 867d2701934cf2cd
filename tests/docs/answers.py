"""What DuckDB answers to a block of SQL of the chapters, held against the table below it."""

from decimal import Decimal

import duckdb

from tests.docs.markdown import Block


def check(block: Block) -> None:
    """Run a block on the published file in the working directory: each query has rows, and the last those that are shown."""
    # A block that attaches the file itself starts from an empty database.
    attaches = block.text.startswith("ATTACH")
    with duckdb.connect(":memory:" if attaches else "dcycle_warehouse.duckdb", read_only=not attaches) as connection:
        for statement in connection.extract_statements(block.text):
            cursor = connection.execute(statement)
            found = [[_text(value) for value in row] for row in cursor.fetchall()]
            assert found or statement.type != duckdb.StatementType.SELECT, statement.query
        if block.table is not None:
            assert [[column[0] for column in cursor.description], *found] == block.table


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
