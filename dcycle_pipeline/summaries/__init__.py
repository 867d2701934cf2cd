"""Emission summaries: one SQL file each, named like its table. Here they are registered and brought up to date.

What each one is, is declared by theme beside this file; when they are refreshed belongs to `publish`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib.resources import files

import duckdb

from dcycle_pipeline.schema import Rules, Table
from dcycle_pipeline.summaries import scope_file
from dcycle_pipeline.summaries.bi import BI, ORGANIZATION_NAMES
from dcycle_pipeline.summaries.comparison import TOTAL_IMPACTS_COMPARISON
from dcycle_pipeline.summaries.coverage import COVERAGE_BY_FACILITY_MONTH, COVERAGE_GAPS
from dcycle_pipeline.summaries.declaration import Summary
from dcycle_pipeline.summaries.missing import MISSING_MEMBERS
from dcycle_pipeline.summaries.months import (
    EMISSIONS_BY_FACILITY_MONTH,
    EMISSIONS_BY_ORGANIZATION_MONTH,
    ORGANIZATION_TREE,
)
from dcycle_pipeline.summaries.moved import Moved, made_with
from dcycle_pipeline.summaries.pending import PENDING_RECORDS
from dcycle_pipeline.summaries.restated import RESTATEMENTS
from dcycle_pipeline.summaries.scopes import EMISSIONS_BY_SCOPE_YEAR, SCOPE_MAPPING
from dcycle_pipeline.summaries.trees import TREE_EMISSIONS_BY_MONTH, TREE_EMISSIONS_BY_YEAR
from dcycle_pipeline.summaries.trust import DATA_QUALITY, FACILITY_RECONCILIATION
from dcycle_pipeline.summaries.twice import COUNTED_RECORDS, LISTED_TWICE
from dcycle_pipeline.summaries.window import Window
from dcycle_pipeline.summaries.years import (
    EMISSIONS_BY_COUNTRY_YEAR,
    EMISSIONS_BY_ORGANIZATION_YEAR,
    WWT_INTENSITY_BY_FACILITY_YEAR,
)
from dcycle_pipeline.warehouse import last_sweeps
from dcycle_pipeline.warehouse.database import replace_changed_rows, replace_changed_versions
from dcycle_pipeline.warehouse.history import VALID_FROM, VALID_TO, current_of, of_versions
from dcycle_pipeline.warehouse.last_reads import LAST_READS
from dcycle_pipeline.warehouse.prints import Printer


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def query(summary: Table) -> str:
    """The text of a summary's SQL file: one SELECT."""
    return _text(f"{summary.name}.sql").strip().removesuffix(";")


# The macros that the summaries share. The published file holds them too, so that each SQL file runs there as it is.
RULES = Rules(_text("rules.sql"))

# Each summary reads only tables and the summaries before it.
SUMMARIES: tuple[Summary, ...] = (
    LISTED_TWICE,
    COVERAGE_GAPS,
    EMISSIONS_BY_FACILITY_MONTH,
    COVERAGE_BY_FACILITY_MONTH,
    ORGANIZATION_NAMES,
    ORGANIZATION_TREE,
    MISSING_MEMBERS,
    EMISSIONS_BY_ORGANIZATION_MONTH,
    TREE_EMISSIONS_BY_MONTH,
    WWT_INTENSITY_BY_FACILITY_YEAR,
    EMISSIONS_BY_ORGANIZATION_YEAR,
    TREE_EMISSIONS_BY_YEAR,
    EMISSIONS_BY_COUNTRY_YEAR,
    EMISSIONS_BY_SCOPE_YEAR,
    FACILITY_RECONCILIATION,
    DATA_QUALITY,
    RESTATEMENTS,
    TOTAL_IMPACTS_COMPARISON,
)

# Views that the SQL files read beside tables: the rows of sync.lists and sync.quarantine that the last sweeps left, of lists and of
# year totals; and of each list the last proven reading.
LAST_SWEEP_VIEWS = {
    "current_lists": last_sweeps.CURRENT_LISTS,
    "current_quarantine": last_sweeps.CURRENT_QUARANTINE,
    "current_doubtful_rows": last_sweeps.CURRENT_DOUBTFUL_ROWS,
    "last_doubtful_rows": last_sweeps.LAST_DOUBTFUL_ROWS,
    "last_reads": LAST_READS,
    "current_year_totals": last_sweeps.CURRENT_YEAR_TOTALS,
    "year_totals_quarantine": last_sweeps.YEAR_TOTALS_QUARANTINE,
}

# What we reported stays as it was reported, even if a later version of this code would calculate something else.
VERSIONED = Table(
    "history",
    EMISSIONS_BY_FACILITY_MONTH.name,
    f"One row per version of a row of {EMISSIONS_BY_FACILITY_MONTH.qualified}, the current one included",
    (*EMISSIONS_BY_FACILITY_MONTH.key, "valid_from"),
    (*of_versions(EMISSIONS_BY_FACILITY_MONTH.columns), VALID_FROM, VALID_TO),
    EMISSIONS_BY_FACILITY_MONTH.source,
)

# The tables and views of the file. A summary that has versions is a view over the current ones.
STORED: tuple[Table, ...] = (
    SCOPE_MAPPING,
    *(current_of(summary, VERSIONED) if summary.name == VERSIONED.name else summary for summary in SUMMARIES),
)
# Everything that is declared, each thing after those that it is made from.
DECLARED: tuple[Table, ...] = (*STORED, COUNTED_RECORDS, PENDING_RECORDS, *BI)


# The table that holds the rows of each summary.
_STORED_IN: dict[str, Table] = {
    summary.name: VERSIONED if summary.name == VERSIONED.name else summary for summary in SUMMARIES
}


def refresh(connection: duckdb.DuckDBPyConnection, moment: datetime, printer: Printer | None = None) -> int:
    """Bring every summary in step with its query. Returns how many rows were written. The caller holds a transaction.

    Only what its sources changed is made again. `moment` is later than any moment that is noted; rows that change are valid from
    then on. Raises SettingsError if no mapping of scopes was adopted yet and the package's own cannot be read.
    """
    if not connection.execute(f"SELECT 1 FROM {SCOPE_MAPPING.qualified}").fetchall():
        scope_file.adopt(connection)
    moved = Moved.since_last(connection, printer or Printer(connection), moment, _made_with(SUMMARIES), _STORED_IN)
    rows_changed = 0
    with in_reach(connection):
        window = Window(connection)
        for summary in SUMMARIES:
            if moved.concerns(summary):
                changed = _refresh(connection, summary, moment, moved, window)
                rows_changed += changed
                moved.made(connection, summary, changed)
                window.changed(summary.qualified)
        window.close()
    moved.remember(connection)
    return rows_changed


@cache
def _made_with(made: tuple[Summary, ...]) -> str:
    declared = [statement for each in DECLARED for statement in each.ddl()]
    return made_with((RULES.script, *declared, *(query(summary) for summary in made)))


def _refresh(
    connection: duckdb.DuckDBPyConnection, summary: Summary, moment: datetime, moved: Moved, window: Window
) -> int:
    text, changed = query(summary), 0
    if not summary.of_facility:
        return _replace(connection, summary, text, moment)
    for within in moved.conditions:
        seen = window.query(text, summary.of_facility, within, few=moved.is_few)
        changed += _replace(connection, summary, seen, moment, within)
    return changed


def _replace(
    connection: duckdb.DuckDBPyConnection, summary: Summary, text: str, moment: datetime, within: str = "true"
) -> int:
    if summary.name == VERSIONED.name:
        return replace_changed_versions(connection, VERSIONED, text, moment, within)
    return replace_changed_rows(connection, summary, text, within)


@contextmanager
def in_reach(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let the connection find the views that the SQL files read beside tables, until the block ends."""
    for name, view in LAST_SWEEP_VIEWS.items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {view}")
    try:
        yield
    finally:
        connection.execute("; ".join(f"DROP VIEW {name}" for name in LAST_SWEEP_VIEWS))
