"""Facilities: the sites of an organisation, from the current API or the legacy one.

Sources: code.dcycle.io/api-reference/facilities/list and docs.dcycle.io/api-reference/legacy/facilities/list.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import msgspec

from dcycle_pipeline.api.types import Paging
from dcycle_pipeline.endpoints.declaration import Endpoint, MultiValue
from dcycle_pipeline.schema import KILOGRAMS_CO2E, QUANTITY, Column, Table

LIST = "GET /v1/facilities"
LEGACY = "GET /api/v1/facilities (legacy only)"
STATUSES = ("active", "archived")


class Facility(msgspec.Struct, gc=False, omit_defaults=True):
    """One item of the list, of either API. `co2e` and `co2e_biomass` are in kg; `logistic_factor` is a share from 0 to 1."""

    id: str
    status: str
    name: str | None = None
    country: str | None = None
    type: str | None = None
    address: str | None = None
    logistic_factor: Decimal | None = None
    co2e: Decimal | None = None
    co2e_biomass: Decimal | None = None
    categories: list[str] | None = None
    cups_list: list[str] | None = None
    facility_fuels_ids: list[str] | None = None
    facility_purpose_type: str | None = None
    facility_id: str | None = None
    hub_category: str | None = None
    invoices_length: int | None = None
    supercharger: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def problem(item: Facility, _facility_id: str | None) -> str | None:
    """Why a facility whose types are right cannot be used; None if it can."""
    if item.status not in STATUSES:
        return f"status is {item.status!r}, expected one of {', '.join(STATUSES)}"
    return None


_KEY = (
    Column("organization_id", "VARCHAR", "Organisation that the facility belongs to", "x-organization-id"),
    Column("facility_id", "VARCHAR", "Facility", f"{LIST}: id", value="id"),
)

_TWICE = "facilities: what several organisations list is here several times"

FACILITIES = Table(
    "dcycle",
    "facilities",
    "One row per facility, active or archived, as last seen",
    ("organization_id", "facility_id"),
    (
        *_KEY,
        Column("name", "VARCHAR", "Name of the facility", f"{LIST}: name"),
        Column("country_code", "VARCHAR", "Country, ISO 3166-1 alpha-2", f"{LIST}: country", value="country"),
        Column(
            "facility_type", "VARCHAR", "Kind of site, e.g. office, warehouse, factory", f"{LIST}: type", value="type"
        ),
        Column("status", "VARCHAR", "active or archived", f"{LIST}: status"),
        Column("address", "VARCHAR", "Postal address", f"{LIST}: address"),
        Column(
            "logistic_factor",
            QUANTITY,
            "Factor for scope 2 in logistics reports, 0 to 1",
            f"{LIST}: logistic_factor",
            "1",
            additivity="none",
        ),
        Column(
            "co2e_kg",
            QUANTITY,
            "Emissions of the facility over all its invoices, which include its waste-water treatments: never add the two. "
            "Null means not known; the legacy API sends 0 instead",
            f"{LIST}: co2e",
            KILOGRAMS_CO2E,
            "co2e",
            role="emission",
            additivity="none",
            never_over=_TWICE,
        ),
        Column(
            "co2e_biomass_kg",
            QUANTITY,
            "Biogenic emissions, separate from co2e_kg: never add the two",
            f"{LIST}: co2e_biomass",
            KILOGRAMS_CO2E,
            "co2e_biomass",
            role="emission",
            additivity="none",
            never_over=_TWICE,
        ),
        Column("facility_purpose_type", "VARCHAR", "Purpose as given", f"{LIST}: facility_purpose_type"),
        Column(
            "external_facility_id",
            "VARCHAR",
            "The company's own code for the site",
            f"{LEGACY}: facility_id",
            value="items.facility_id",
        ),
        Column(
            "hub_category", "VARCHAR", "Kind of logistics hub; null for ordinary facilities", f"{LEGACY}: hub_category"
        ),
        Column(
            "invoices_count",
            "BIGINT",
            "Number of invoices",
            f"{LEGACY}: invoices_length",
            "1",
            "invoices_length",
            additivity="none",
            never_over=_TWICE,
        ),
        Column(
            "has_supercharger",
            "BOOLEAN",
            "Has an electric vehicle supercharger",
            f"{LEGACY}: supercharger",
            value="supercharger",
        ),
        Column("created_at", "TIMESTAMPTZ", "Created in Dcycle", f"{LIST}: created_at"),
        Column(
            "updated_at",
            "TIMESTAMPTZ",
            "Last edited in Dcycle; a recalculation may leave it as it is",
            f"{LIST}: updated_at",
            role="note",
        ),
        Column(
            "first_seen_at", "TIMESTAMPTZ", "When a sweep first saw the facility", "dcycle_pipeline", stamp="first_seen"
        ),
        Column(
            "last_seen_at",
            "TIMESTAMPTZ",
            "When the facilities of its organisation were last read and proven",
            "dcycle_pipeline",
            stamp="last_seen",
        ),
    ),
    LIST,
)


def _multi_value(name: str, plural: str, column: Column, field: str, grain: str) -> MultiValue:
    table = Table("dcycle", name, grain, ("organization_id", "facility_id", column.name), (*_KEY, column), LIST)
    value = f"list_sort(list_distinct({field}))"
    return MultiValue(table, Column(plural, "VARCHAR[]", f"{column.meaning}; all of them", column.source, value=value))


MULTI_VALUES = (
    _multi_value(
        "facility_categories",
        "categories",
        Column("category", "VARCHAR", "Kind of consumption or label, as given", f"{LIST}: categories"),
        "categories",
        "One row per facility and category",
    ),
    _multi_value(
        "facility_cups",
        "cups_codes",
        Column("cups_code", "VARCHAR", "Electricity supply point (CUPS)", f"{LIST}: cups_list"),
        "cups_list",
        "One row per facility and electricity supply point",
    ),
    _multi_value(
        "facility_fuels",
        "fuel_ids",
        Column("fuel_id", "VARCHAR", "Fuel used at the facility", f"{LEGACY}: facility_fuels_ids"),
        "facility_fuels_ids",
        "One row per facility and fuel; filled by the legacy API only",
    ),
)

V1 = Endpoint(
    name="facilities",
    title="Facilities of the organisation, active and archived",
    paging=Paging(
        path="/v1/facilities",
        detail_path="/v1/facilities/{id}",
        counters=("total",),
        filter=tuple(("status[]", status) for status in STATUSES),
    ),
    item=Facility,
    table=FACILITIES,
    multi_values=MULTI_VALUES,
    problem=problem,
    pending_column="co2e_kg",
    unneeded=frozenset(
        {
            *("name", "type", "address", "logistic_factor", "categories", "cups_list", "facility_fuels_ids"),
            *("facility_purpose_type", "facility_id", "hub_category", "invoices_length", "supercharger"),
            *("created_at", "updated_at"),
        }
    ),
)

# What the legacy list hides, only the current one can show: its counters count active and archived facilities that are no hubs.
# `filter_by` with a status is not documented. It comes last, so it is asked only if both sort orders stay short of the counters.
LEGACY_V1 = replace(
    V1,
    paging=Paging(
        path="/api/v1/facilities",
        detail_path="/v1/facilities/{id}",
        counters=("total", "total2"),
        variants=(
            (("sort_by", "created_at:asc"),),
            (("sort_by", "name:asc"),),
            (("sort_by", "name:asc"), ("filter_by", "status:archived")),
        ),
        needs_user_id=True,
        unfiltered_elsewhere=V1.paging.unfiltered,
        statuses=frozenset(STATUSES),
    ),
)

BY_API = {"v1": V1, "legacy": LEGACY_V1}
