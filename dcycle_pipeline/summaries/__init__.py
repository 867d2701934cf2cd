"""Emission summaries: one SQL file each, named like its table; the declarations here give columns, units and meaning."""

from datetime import datetime
from importlib.resources import files

import duckdb

from dcycle_pipeline.history import VALID_FROM, VALID_TO, current_of
from dcycle_pipeline.schema import CUBIC_METRES, KILOGRAMS, KILOGRAMS_CO2E, TOTAL, Column, Table
from dcycle_pipeline.summaries.restated import RESTATEMENTS
from dcycle_pipeline.warehouse import follow, follow_versions

_WWT = "dcycle.waste_water_treatments"

EMISSIONS_BY_FACILITY_MONTH = Table(
    "summaries",
    "emissions_by_facility_month",
    "One row per facility and calendar month that an active waste-water record covers; records are spread by days, exactly",
    ("organization_id", "facility_id", "month"),
    (
        Column("organization_id", "VARCHAR", "Organisation", _WWT),
        Column("facility_id", "VARCHAR", "Facility", _WWT),
        Column(
            "country_code",
            "VARCHAR",
            "Country of the facility, ISO 3166-1 alpha-2, null where the facility is not known",
            "dcycle.facilities",
        ),
        Column("month", "DATE", "First day of the calendar month", "derived"),
        Column(
            "co2e_kg",
            TOTAL,
            "Emissions of calculated records; null where all are pending",
            f"{_WWT}: co2e_kg",
            KILOGRAMS_CO2E,
        ),
        Column(
            "co2e_biomass_kg",
            TOTAL,
            "Biogenic emissions, never added to co2e_kg",
            f"{_WWT}: co2e_biomass_kg",
            KILOGRAMS_CO2E,
        ),
        Column("water_in_m3", TOTAL, "Water entering the plant", f"{_WWT}: water_in_m3", CUBIC_METRES),
        Column("water_out_m3", TOTAL, "Water leaving the plant", f"{_WWT}: water_out_m3", CUBIC_METRES),
        Column("sludge_kg", TOTAL, "Sludge produced", f"{_WWT}: sludge_kg", KILOGRAMS),
        Column("record_count", "BIGINT", "Active records that cover a day of the month", _WWT, "1"),
        Column(
            "pending_record_count",
            "BIGINT",
            "Those among them without calculated emissions",
            f"{_WWT}: co2e_state",
            "1",
        ),
        Column("covered_days", "BIGINT", "Days of the month with at least one active record", "derived", "d"),
        Column("days_in_month", "BIGINT", "Days of the month", "derived", "d"),
    ),
    _WWT,
)

# What we reported at a moment is kept as it was reported, also where a later version of this code would compute otherwise.
VERSIONED = Table(
    "history",
    EMISSIONS_BY_FACILITY_MONTH.name,
    f"Every version of each row of {EMISSIONS_BY_FACILITY_MONTH.qualified}",
    (*EMISSIONS_BY_FACILITY_MONTH.key, "valid_from"),
    (*EMISSIONS_BY_FACILITY_MONTH.columns, VALID_FROM, VALID_TO),
    EMISSIONS_BY_FACILITY_MONTH.source,
)
SUMMARIES: tuple[Table, ...] = (current_of(EMISSIONS_BY_FACILITY_MONTH, VERSIONED), RESTATEMENTS)


def query(summary: Table) -> str:
    """The SQL file of a summary: one SELECT."""
    return (files(__package__) / f"{summary.name}.sql").read_text(encoding="utf-8").strip().removesuffix(";")


def refresh(connection: duckdb.DuckDBPyConnection, moment: datetime) -> int:
    """Bring every summary to what its query gives; the number of rows touched. The caller holds a transaction.

    `moment` is later than every one before; what changes is valid from then on.
    """
    connection.execute((files(__package__) / "rules.sql").read_text(encoding="utf-8"))
    return sum(_refresh(connection, summary, moment) for summary in SUMMARIES)


def _refresh(connection: duckdb.DuckDBPyConnection, summary: Table, moment: datetime) -> int:
    if summary.name == VERSIONED.name:
        return follow_versions(connection, VERSIONED, query(summary), moment)
    return follow(connection, summary, query(summary))
