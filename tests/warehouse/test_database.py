"""A file of an older version gets what is declared since: tables, and columns of tables that it has."""

from dataclasses import replace
from pathlib import Path

from dcycle_pipeline.schema import Column
from dcycle_pipeline.warehouse.database import opened, replace_changed_rows
from dcycle_pipeline.warehouse.run_tables import QUARANTINE


def test_an_older_table_gets_the_columns_that_are_new(tmp_path: Path) -> None:
    first, *others = QUARANTINE.columns
    new = Column("said_at", "TIMESTAMPTZ", "When it was said.")
    file, spill = tmp_path / "warehouse.duckdb", tmp_path / "spill"
    with opened(file, spill, [QUARANTINE], 125) as connection:
        connection.execute(f"INSERT INTO {QUARANTINE.qualified} BY NAME SELECT 'old' AS {first.name}")
    grown = replace(QUARANTINE, columns=(first, new, *others))
    names = ", ".join(f"NULL AS {column.name}" for column in others)
    with opened(file, spill, [grown], 125) as connection:
        query = f"SELECT 'new' AS {first.name}, TIMESTAMPTZ '2026-01-01' AS said_at, {names}"
        replace_changed_rows(connection, grown, query, f"{first.name} <> 'old'")
        rows = connection.execute(
            f"SELECT {first.name}, year(said_at) FROM {QUARANTINE.qualified} ORDER BY 2 NULLS FIRST"
        ).fetchall()
    assert rows == [("old", None), ("new", 2026)]
