"""Emission summaries: one SQL file each, named like its table. Here are their registry and how they are brought up to date."""

from importlib.resources import files

import duckdb

from dcycle_pipeline import ledger
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


def refresh(connection: duckdb.DuckDBPyConnection) -> int:
    """Bring every summary to what its query gives; the number of rows touched. The caller holds a transaction."""
    connection.execute(_text("rules.sql"))
    return sum(follow(connection, summary, query(summary)) for summary in SUMMARIES)


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
