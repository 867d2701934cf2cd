"""Emission summaries: one SQL file each, named like its table. Here are their registry and how they are brought up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import duckdb

from dcycle_pipeline import ledger
from dcycle_pipeline.summaries import scope_file
from dcycle_pipeline.summaries.coverage import COVERAGE_BY_FACILITY_MONTH, COVERAGE_GAPS
from dcycle_pipeline.summaries.declaration import Summary
from dcycle_pipeline.summaries.months import (
    EMISSIONS_BY_FACILITY_MONTH,
    EMISSIONS_BY_ORGANIZATION_MONTH,
    ORGANIZATION_TREE,
)
from dcycle_pipeline.summaries.scopes import EMISSIONS_BY_SCOPE_YEAR, SCOPE_MAPPING
from dcycle_pipeline.summaries.trust import DATA_QUALITY, FACILITY_RECONCILIATION
from dcycle_pipeline.summaries.years import (
    EMISSIONS_BY_COUNTRY_YEAR,
    EMISSIONS_BY_ORGANIZATION_YEAR,
    WWT_INTENSITY_BY_FACILITY_YEAR,
)
from dcycle_pipeline.warehouse import follow

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
)
TABLES = (SCOPE_MAPPING, *SUMMARIES)


def query(summary: Summary) -> str:
    """The SQL file of a summary: one SELECT."""
    return _text(f"{summary.name}.sql").strip().removesuffix(";")


def refresh(connection: duckdb.DuckDBPyConnection, own_mapping: Path | None = None) -> int:
    """Bring every summary to what its query gives; the number of rows touched. The caller holds a transaction.

    `own_mapping` is the file that replaces the package's mapping of scopes, where it exists. Raises SettingsError for one
    that is no mapping.
    """
    with in_reach(connection, own_mapping):
        changed = follow(connection, SCOPE_MAPPING, "SELECT * FROM scope_file")
        return changed + sum(follow(connection, summary, query(summary)) for summary in SUMMARIES)


@contextmanager
def in_reach(connection: duckdb.DuckDBPyConnection, own_mapping: Path | None = None) -> Iterator[None]:
    """What the SQL files name beside tables: the rules, the lines of the scope file, and what the last reading left."""
    connection.execute(_text("rules.sql"))
    connection.execute(f"CREATE OR REPLACE TEMP VIEW current_scopes AS {ledger.CURRENT_SCOPES}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW current_quarantine AS {ledger.CURRENT_QUARANTINE}")
    with ledger.arrow_view(connection, "scope_file", SCOPE_MAPPING, scope_file.read(own_mapping)):
        yield


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
