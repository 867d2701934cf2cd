"""Declares the schema `bi`: figures by facility and month that a tool may sum as it likes, and what it may group them by.

Keys are one column each and never null, and each fact finds exactly one row of each dimension. All are views: what they are made
from is declared by the other modules.
"""

from dataclasses import replace

from dcycle_pipeline.schema import Column, View
from dcycle_pipeline.summaries.coverage import COVERAGE_BY_FACILITY_MONTH
from dcycle_pipeline.summaries.declaration import (
    FACILITIES,
    ORGANIZATIONS,
    Summary,
    count,
    days,
    measures,
    month,
    organization_id,
)
from dcycle_pipeline.summaries.missing import MISSING, missing_member_count
from dcycle_pipeline.summaries.months import COVERAGE, EMISSIONS_BY_FACILITY_MONTH, FACILITY_MONTH
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.warehouse.history import VALID_NOW

NOT_KNOWN = "not known"
BETWEEN_IDS = "·"
_FACILITY_VERSIONS = "history.facilities"
_TONNES = "DECIMAL(38,12)"  # a kilogram's nine places, three further right
_IN_TONNES = ("co2e_kg", "co2e_biomass_kg", "sludge_kg")
_EXAMPLE = "Áurea Ibérica de Aguas, S.A."


def _facility_key(of: str) -> str:
    # The id of an organisation is ASCII, so what stands before the first dot in the middle is always that id.
    return f"coalesce({of}.organization_id || '{BETWEEN_IDS}' || {of}.facility_id, '{NOT_KNOWN}')"


def _text(name: str, meaning: str, source: str, example: str, references: str = "") -> Column:
    return Column(name, "VARCHAR", meaning, source, example=example, references=references)


def _number(name: str, meaning: str, source: str, example: str) -> Column:
    """A number that names something."""
    return Column(name, "INTEGER", meaning, source, "1", example=example, additivity="none")


ORGANIZATION_NAMES = Summary(
    "summaries",
    "organization_names",
    "One row per organisation that is synced, lists a facility or has a figure: how people read it. Two of the same name have their "
    "ids beside it",
    ("organization_id",),
    (
        organization_id(ORGANIZATIONS),
        _text("organization", "Its name; its id if it is no longer in the tree", f"{ORGANIZATIONS}: name", _EXAMPLE),
        _text("parent_organization", "The one above it; null if there is none", ORGANIZATIONS, "Grupo Áureo Global"),
        _number("depth", "Steps below the root of the tree; 0 for the root, null outside", ORGANIZATIONS, "1"),
    ),
    ORGANIZATIONS,
    sources=(ORGANIZATIONS, FACILITIES, COVERAGE),
)
_NAMES = ORGANIZATION_NAMES.qualified

BI_ORGANIZATIONS = View(
    "bi",
    "organizations",
    f"One row per organisation, and one that stands for any that is {NOT_KNOWN}",
    ("organization_key",),
    (
        _text("organization_key", f"Its id, or {NOT_KNOWN}", ORGANIZATIONS, "fb8d621f-f9fc-4969-981f-02898d76b2b3"),
        _text("organization", "Its name; with its id if several have that name", _NAMES, _EXAMPLE),
        _text("parent_organization", "Name of the one above it, its own if none is", _NAMES, "Grupo Áureo Global"),
        _number("level", "Steps below the root of the tree; 0 for the root, null outside of the tree", _NAMES, "1"),
        missing_member_count(),
    ),
    ORGANIZATIONS,
    f"""SELECT organization_id AS organization_key, organization, coalesce(parent_organization, organization) AS parent_organization,
    depth AS level, (SELECT count(*) FROM {MISSING} AS m WHERE m.organization_id = named.organization_id) AS missing_member_count
    FROM {_NAMES} AS named
    UNION ALL SELECT '{NOT_KNOWN}', '{NOT_KNOWN}', '{NOT_KNOWN}', NULL, 0""",
)

_PLACES = f"""SELECT organization_id, facility_id FROM {_FACILITY_VERSIONS} AS listed WHERE {VALID_NOW} AND NOT EXISTS (
    SELECT 1 FROM {LISTED_TWICE.qualified} AS twice WHERE twice.endpoint = 'facilities' AND NOT twice.is_counted
        AND twice.organization_id = listed.organization_id AND twice.item_id = listed.facility_id)
UNION SELECT organization_id, facility_id FROM {COVERAGE}"""

BI_FACILITIES = View(
    "bi",
    "facilities",
    f"One row per facility, at the organisation in which it counts, and one that stands for any that is {NOT_KNOWN}",
    ("facility_key",),
    (
        _text("facility_key", f"Organisation and facility, or {NOT_KNOWN}", FACILITIES, "fb8d621f·ba31c85c"),
        _text("facility", "Its name; with its id if several have that name", f"{FACILITIES}: name", "EDAR La Cartuja"),
        _text("facility_id", "Its id in Dcycle", f"{FACILITIES}: facility_id", "ba31c85c-da55-49ee-9082-e049e3cbf940"),
        _text("country_code", f"Country, ISO 3166-1 alpha-2, or {NOT_KNOWN}", f"{FACILITIES}: country_code", "ES"),
        _text("facility_type", f"Kind of site, or {NOT_KNOWN}", f"{FACILITIES}: facility_type", "factory"),
        _text("status", f"active or archived; {NOT_KNOWN} if no list shows it", f"{FACILITIES}: status", "active"),
        _text("organization", "Name of the organisation in which it counts", _NAMES, _EXAMPLE),
    ),
    FACILITIES,
    f"""SELECT facility_key, CASE WHEN count(*) OVER (PARTITION BY name) > 1 AND name <> facility_id
        THEN name || ' (' || facility_id || ')' ELSE name END AS facility, facility_id, country_code, facility_type, status, organization
    FROM (
        SELECT {_facility_key("place")} AS facility_key, coalesce(nullif(trim(named.name), ''), place.facility_id) AS name,
            place.facility_id, coalesce(named.country_code, '{NOT_KNOWN}') AS country_code,
            coalesce(named.facility_type, '{NOT_KNOWN}') AS facility_type, coalesce(named.status, '{NOT_KNOWN}') AS status,
            coalesce(owner.organization, '{NOT_KNOWN}') AS organization
        FROM ({_PLACES}) AS place
        LEFT JOIN {_FACILITY_VERSIONS} AS named ON named.organization_id = place.organization_id
            AND named.facility_id = place.facility_id AND named.{VALID_NOW}
        LEFT JOIN {_NAMES} AS owner ON owner.organization_id = place.organization_id
    )
    UNION ALL SELECT {", ".join([f"'{NOT_KNOWN}'"] * 7)}""",
)


def _in_tonnes(column: Column) -> Column:
    name = column.name.removesuffix("kg") + "t"
    unit = (column.unit or "").replace("kg", "t", 1)
    meaning = f"{column.name} in tonnes, exactly: take one of the two"
    return replace(column, name=name, type=_TONNES, unit=unit, meaning=meaning, example="4.521300000000")


def _measured() -> tuple[Column, ...]:
    kilograms = measures(FACILITY_MONTH)
    return tuple(
        each
        for column in kilograms
        for each in ((column, _in_tonnes(column)) if column.name in _IN_TONNES else (column,))
    )


def _value(column: Column) -> str:
    if column.type == _TONNES:
        return f"(emissions.{column.name.removesuffix('t')}kg * 0.001::DECIMAL(4,3))::{_TONNES} AS {column.name}"
    return f"emissions.{column.name}"


_KEY = ("organization_id", "facility_id", "month")
BI_EMISSIONS = View(
    "bi",
    "emissions",
    "One row per facility and calendar month for which records are expected. Every number adds up, over any choice of rows",
    ("facility_key", "month"),
    (
        replace(month(), references="bi.dates.month"),
        replace(BI_FACILITIES.columns[0], references="bi.facilities.facility_key"),
        replace(BI_ORGANIZATIONS.columns[0], references="bi.organizations.organization_key"),
        *_measured(),
        days("covered_days", "Days of the month with at least one active record", COVERAGE, "29"),
        days(
            "due_days",
            "Days of the month, all of which should have a record; all are covered if covered_days is the same",
            COVERAGE,
            "31",
        ),
        count(
            "pending_months",
            "1 if emissions of a record are pending, so that co2e_kg lacks them; else 0",
            FACILITY_MONTH,
            "0",
        ),
    ),
    FACILITY_MONTH,
    f"""SELECT coverage.month, {_facility_key("coverage")} AS facility_key,
    coalesce(coverage.organization_id, '{NOT_KNOWN}') AS organization_key, {", ".join(map(_value, _measured()))},
    coverage.covered_days, coverage.due_days, (coalesce(emissions.pending_record_count, 0) > 0)::BIGINT AS pending_months
    FROM {COVERAGE_BY_FACILITY_MONTH.qualified} AS coverage LEFT JOIN {EMISSIONS_BY_FACILITY_MONTH.qualified} AS emissions
        ON {" AND ".join(f"emissions.{name} = coverage.{name}" for name in _KEY)}""",
)

BI_DATES = View(
    "bi",
    "dates",
    "One row per calendar month, of all years from the first to the last for which records are expected",
    ("month",),
    (
        month(),
        Column("last_day", "DATE", "Last day of the month", "derived", example="2025-03-31"),
        _number("year", "Calendar year", "derived", "2025"),
        _text("quarter", "Calendar quarter with its year", "derived", "2025 Q1"),
        _text("year_month", "Year and month; its order is that of the months", "derived", "2025-03"),
        _number("month_number", "Month of the year, 1 to 12", "derived", "3"),
        _text("month_name", "Name of the month, in English", "derived", "March"),
        Column(
            "is_complete",
            "BOOLEAN",
            "Whether every day of the month of which a record is expected is covered, nothing is pending, and no organisation is missing or "
            "incomplete; false if none is expected",
            "bi.emissions",
            example="true",
        ),
    ),
    "derived",
    f"""SELECT month, last_day(month) AS last_day, year(month)::INTEGER AS year, year(month) || ' Q' || quarter(month) AS quarter,
    strftime(month, '%Y-%m') AS year_month, month(month)::INTEGER AS month_number, monthname(month) AS month_name,
    coalesce(is_complete, false) AND NOT EXISTS (FROM {MISSING}) AS is_complete
    FROM (SELECT unnest(generate_series(make_date(min(year(month)), 1, 1), make_date(max(year(month)), 12, 1), INTERVAL 1 MONTH))::DATE
        AS month FROM {COVERAGE_BY_FACILITY_MONTH.qualified}) AS calendar
    LEFT JOIN (SELECT month, bool_and(covered_days = due_days AND pending_months = 0) AS is_complete FROM bi.emissions GROUP BY month)
        AS owed USING (month)""",
)

BI = (BI_ORGANIZATIONS, BI_FACILITIES, BI_EMISSIONS, BI_DATES)
