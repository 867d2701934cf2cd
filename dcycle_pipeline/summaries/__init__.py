"""Emission summaries: one SQL file each, named like its table. Here are their registry and how they are brought up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files

import duckdb

from dcycle_pipeline.schema import Rules, Table
from dcycle_pipeline.summaries import scope_file
from dcycle_pipeline.summaries.comparison import TOTAL_IMPACTS_COMPARISON
from dcycle_pipeline.summaries.coverage import COVERAGE_BY_FACILITY_MONTH, COVERAGE_GAPS
from dcycle_pipeline.summaries.declaration import Summary
from dcycle_pipeline.summaries.months import (
    EMISSIONS_BY_FACILITY_MONTH,
    EMISSIONS_BY_ORGANIZATION_MONTH,
    ORGANIZATION_TREE,
)
from dcycle_pipeline.summaries.restated import RESTATEMENTS
from dcycle_pipeline.summaries.scopes import EMISSIONS_BY_SCOPE_YEAR, SCOPE_MAPPING
from dcycle_pipeline.summaries.trust import DATA_QUALITY, FACILITY_RECONCILIATION
from dcycle_pipeline.summaries.years import (
    EMISSIONS_BY_COUNTRY_YEAR,
    EMISSIONS_BY_ORGANIZATION_YEAR,
    WWT_INTENSITY_BY_FACILITY_YEAR,
)
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.database import replace_changed_rows, replace_changed_versions
from dcycle_pipeline.warehouse.history import VALID_FROM, VALID_TO, current_of


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def query(summary: Table) -> str:
    """The SQL file of a summary: one SELECT."""
    return _text(f"{summary.name}.sql").strip().removesuffix(";")


# What they share, stored in the file as well, so that each of the SQL files runs there as it stands.
RULES = Rules(_text("rules.sql"))

# Each one reads only tables and what stands before it.
SUMMARIES: tuple[Summary, ...] = (
    COVERAGE_GAPS,
    EMISSIONS_BY_FACILITY_MONTH,
    COVERAGE_BY_FACILITY_MONTH,
    ORGANIZATION_TREE,
    EMISSIONS_BY_ORGANIZATION_MONTH,
    WWT_INTENSITY_BY_FACILITY_YEAR,
    EMISSIONS_BY_ORGANIZATION_YEAR,
    EMISSIONS_BY_COUNTRY_YEAR,
    EMISSIONS_BY_SCOPE_YEAR,
    FACILITY_RECONCILIATION,
    DATA_QUALITY,
    RESTATEMENTS,
    TOTAL_IMPACTS_COMPARISON,
)

# Beside tables the SQL files name these: what the last reading left of scopes and quarantine, of lists and of year totals.
READINGS = {
    "current_lists": run_tables.CURRENT_LISTS,
    "current_quarantine": run_tables.CURRENT_QUARANTINE,
    "current_year_totals": run_tables.CURRENT_YEAR_TOTALS,
    "year_totals_quarantine": run_tables.YEAR_TOTALS_QUARANTINE,
}

# What we reported at a moment is kept as it was reported, also where a later version of this code would compute otherwise.
VERSIONED = Table(
    "history",
    EMISSIONS_BY_FACILITY_MONTH.name,
    f"Every version of each row of {EMISSIONS_BY_FACILITY_MONTH.qualified}",
    (*EMISSIONS_BY_FACILITY_MONTH.key, "valid_from"),
    (*EMISSIONS_BY_FACILITY_MONTH.columns, VALID_FROM, VALID_TO),
    EMISSIONS_BY_FACILITY_MONTH.source,
)

# As they stand in the file: what keeps versions is a view on the current ones.
STORED: tuple[Table, ...] = (
    SCOPE_MAPPING,
    *(current_of(summary, VERSIONED) if summary.name == VERSIONED.name else summary for summary in SUMMARIES),
)


def refresh(connection: duckdb.DuckDBPyConnection, moment: datetime) -> int:
    """Bring every summary to what its query gives; the number of rows touched. The caller holds a transaction.

    `moment` is later than every one before; what changes is valid from then on.
    """
    if not connection.execute(f"SELECT 1 FROM {SCOPE_MAPPING.qualified}").fetchall():
        scope_file.adopt(connection)
    with in_reach(connection):
        return sum(_refresh(connection, summary, moment) for summary in SUMMARIES)


def _refresh(connection: duckdb.DuckDBPyConnection, summary: Summary, moment: datetime) -> int:
    if summary.name == VERSIONED.name:
        return replace_changed_versions(connection, VERSIONED, query(summary), moment)
    return replace_changed_rows(connection, summary, query(summary))


@contextmanager
def in_reach(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """The readings, which the SQL files name beside tables."""
    for name, reading in READINGS.items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {reading}")
    try:
        yield
    finally:
        connection.execute("; ".join(f"DROP VIEW {name}" for name in READINGS))
