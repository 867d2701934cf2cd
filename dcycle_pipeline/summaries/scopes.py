"""Declares what concerns the scopes of the GHG Protocol: the editable mapping, and emissions by it.

Waste water that others treat is category 5 of scope 3, waste water treated in own plants is not (GHG Protocol, Technical
Guidance for Calculating Scope 3 Emissions, category 5).
"""

from dcycle_pipeline.schema import Column, Table
from dcycle_pipeline.summaries.declaration import (
    DAYS,
    FACILITIES,
    MEASURES,
    RECORDS,
    Conserved,
    Summary,
    coverage,
    measures,
    organization_id,
    records,
    year,
)
from dcycle_pipeline.summaries.years import FACILITY_YEAR

_FILE = "scope_mapping.csv"


def _number(name: str, meaning: str, source: str, example: str) -> Column:
    """A number that names something."""
    return Column(name, "INTEGER", meaning, source, "1", example=example, additivity="none")


SCOPE_MAPPING = Table(
    "summaries",
    "scope_mapping",
    "One row per line of the mapping from facilities to scopes. A facility gets its scope from the first line of which all filled "
    "conditions hold; without such a line it is unmapped",
    ("line",),
    (
        _number("line", "Place in the mapping, from 1: the first that fits counts", _FILE, "1"),
        Column("organization_id", "VARCHAR", "Only facilities of this organisation; null is any", _FILE, example=""),
        Column("facility_id", "VARCHAR", "Only this facility; null is any", _FILE, example=""),
        Column("facility_type", "VARCHAR", "Only facilities of this type; null is any", _FILE, example="factory"),
        _number("scope", "Scope of the GHG Protocol: 1, 2 or 3", _FILE, "1"),
        _number("category", "Category of scope 3, 1 to 15; null for scopes 1 and 2", _FILE, "5"),
        Column("meaning", "VARCHAR", "Why, in words", _FILE, example="Treated in an own plant"),
    ),
    _FILE,
)

EMISSIONS_BY_SCOPE_YEAR = Summary(
    "summaries",
    "emissions_by_scope_year",
    "One row per organisation, scope and calendar year; facilities that no line maps are shown as unmapped",
    ("organization_id", "scope_name", "year"),
    (
        organization_id(FACILITY_YEAR),
        Column(
            "scope_name",
            "VARCHAR",
            "scope 1, scope 2, scope 3 category …, or unmapped",
            SCOPE_MAPPING.qualified,
            example="scope 3 category 5",
        ),
        _number("scope", "Scope; null if unmapped", SCOPE_MAPPING.qualified, "3"),
        _number("category", "Category of scope 3, else null", SCOPE_MAPPING.qualified, "5"),
        year(),
        *measures(FACILITY_YEAR),
        *records(FACILITY_YEAR, "year"),
        *coverage(FACILITY_YEAR, "year"),
    ),
    FACILITY_YEAR,
    sources=(FACILITIES, FACILITY_YEAR, SCOPE_MAPPING.qualified),
    conserves=(Conserved(FACILITY_YEAR, (*MEASURES, *RECORDS, *DAYS)),),
)
