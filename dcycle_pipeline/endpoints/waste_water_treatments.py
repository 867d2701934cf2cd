"""Waste-water treatments (WWT): the treatment periods of one facility, with water, sludge and emissions.

Source: code.dcycle.io/api-reference/waste-water-treatments/list.
"""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from dcycle_pipeline.api.types import Paging
from dcycle_pipeline.endpoints.declaration import Endpoint, MultiValue
from dcycle_pipeline.schema import (
    CUBIC_METRES,
    KILOGRAMS,
    KILOGRAMS_CO2E,
    QUANTITY,
    QUANTITY_PRECISION,
    Column,
    Table,
    rounded_quantity,
)

LIST = "GET /v1/waste-water-treatments"
STATUSES = ("uploaded", "active", "loading", "error")
UNIT = "cubic_meter_(m3)"
# No company has records from before, and a plan does not reach beyond: 9999-12-31 stands for "no end".
FIRST_YEAR, LAST_YEAR, LONGEST_DAYS = 1900, 2099, 36_525  # a century at most


class Unit(msgspec.Struct, gc=False):
    """The unit of an item's water volumes."""

    id: str | None = None
    name: str | None = None
    type: str | None = None


class WasteWaterTreatment(msgspec.Struct, gc=False):
    """One item of the list. Water is in m3: `quantity` in, `m3_water_out` (or `base_quantity`) out. Sludge, `co2e` and
    `co2e_biomass` are in kg.
    """

    id: str
    status: str
    type: str | None = None
    invoice_id: str | None = None
    start_date: date | None = None
    end_date: date | None = None
    facility_id: str | None = None
    quantity: Decimal | None = None
    base_quantity: Decimal | None = None
    m3_water_out: Decimal | None = None
    kg_sludge: Decimal | None = None
    percentage: Decimal | None = None
    co2e: Decimal | None = None
    co2e_biomass: Decimal | None = None
    unit: Unit | None = None
    uploaded_by: str | None = None
    linked_projects: tuple[msgspec.Raw, ...] | None = None
    created_at: datetime | None = None


def problem(item: WasteWaterTreatment, facility_id: str | None) -> str | None:
    """Why a record whose types are right cannot be used; None if it can."""
    if item.status not in STATUSES:
        return f"status is {item.status!r}, expected one of {', '.join(STATUSES)}"
    if item.type is not None and item.type != "waste_water_treatment":
        return f"type is {item.type!r}, expected 'waste_water_treatment'"
    if item.facility_id is not None and item.facility_id != facility_id:
        return f"facility_id is {item.facility_id!r}, but the facility asked for was {facility_id!r}"
    if item.unit is not None and item.unit.name is not None and item.unit.name != UNIT:
        return f"unit is {item.unit.name!r}, expected {UNIT!r}"
    if item.start_date is None or item.end_date is None:
        return "an active record has no start_date or no end_date" if item.status == "active" else None
    if reason := _no_period(item.start_date, item.end_date):
        return reason
    out, base = item.m3_water_out, item.base_quantity
    if out is not None and base is not None and out != base and _differ(out, base):
        return f"m3_water_out {out} and base_quantity {base} both mean water out and differ"
    return None


def _no_period(start: date, end: date) -> str:
    """Why two days are no period of treatment: a slip of the keyboard would spread its emissions over centuries."""
    if end < start:
        return f"end_date {end} is before start_date {start}"
    if start.year < FIRST_YEAR or end.year > LAST_YEAR:
        return f"the period {start} to {end} is not within {FIRST_YEAR} to {LAST_YEAR}"
    if (end - start).days > LONGEST_DAYS:
        return f"the period {start} to {end} is longer than a century"
    return ""


def _differ(one: Decimal, other: Decimal) -> bool:
    """Whether two numbers differ in the nine places that are kept. One that no column holds has another problem."""
    sound = all(each.is_finite() and each.adjusted() < QUANTITY_PRECISION for each in (one, other))
    return not sound or rounded_quantity(one) != rounded_quantity(other)


_KEY = (
    Column("organization_id", "VARCHAR", "Organisation that the record belongs to", "x-organization-id"),
    Column("waste_water_treatment_id", "VARCHAR", "Waste-water treatment record", f"{LIST}: id", value="id"),
)


def _text(name: str, meaning: str, field: str, value: str | None = None) -> Column:
    return Column(name, "VARCHAR", meaning, f"{LIST}: {field}", value=value)


def _quantity(name: str, meaning: str, field: str, unit: str, value: str = "") -> Column:
    """A quantity of a record. The summaries say what records add up to: which of them count, and each once."""
    return Column(
        name,
        QUANTITY,
        meaning,
        f"{LIST}: {field}",
        unit,
        value or field,
        role="emission" if unit == KILOGRAMS_CO2E else "activity",
        additivity="none",
        never_over="records: only active ones count, and what several organisations list counts once",
    )


WASTE_WATER_TREATMENTS = Table(
    "dcycle",
    "waste_water_treatments",
    "One row per waste-water treatment record, of every status, as last seen",
    ("organization_id", "waste_water_treatment_id"),
    (
        _KEY[0],
        _text("facility_id", "Facility where the water was treated", "facility_id", "list_facility_id"),
        _KEY[1],
        _text("record_label", "Label or number of the record; not a key", "invoice_id", "invoice_id"),
        _text("status", "uploaded, active, loading or error; only active records count in summaries", "status"),
        Column("start_date", "DATE", "First day of the treatment period, inclusive", f"{LIST}: start_date"),
        Column("end_date", "DATE", "Last day of the treatment period, inclusive", f"{LIST}: end_date"),
        _quantity("water_in_m3", "Water entering the plant", "quantity", CUBIC_METRES),
        _quantity(
            "water_out_m3",
            "Water leaving the plant",
            "m3_water_out, else base_quantity",
            CUBIC_METRES,
            "coalesce(m3_water_out, base_quantity)",
        ),
        _quantity("sludge_kg", "Sludge produced", "kg_sludge", KILOGRAMS),
        _quantity("co2e_kg", "Emissions (CH4 and N2O as CO2e). Null means pending, never zero", "co2e", KILOGRAMS_CO2E),
        _quantity(
            "co2e_biomass_kg",
            "Biogenic emissions, separate from co2e_kg: never add the two",
            "co2e_biomass",
            KILOGRAMS_CO2E,
        ),
        Column(
            "co2e_state",
            "VARCHAR",
            "calculated, or pending if Dcycle has not calculated co2e_kg yet",
            "derived from co2e",
            value="CASE WHEN co2e IS NULL THEN 'pending' ELSE 'calculated' END",
            role="emission",
        ),
        Column(
            "percentage",
            QUANTITY,
            "Share of the record that belongs to the facility; always 1 for WWT",
            f"{LIST}: percentage",
            "1",
            additivity="none",
        ),
        _text("unit_name", "Unit of the water volumes; always cubic metres", "unit.name", "unit.name"),
        Column(
            "uploaded_by_user_id",
            "VARCHAR",
            "Id of the user who uploaded the record",
            f"{LIST}: uploaded_by",
            value="uploaded_by",
            role="person",
        ),
        Column("created_at", "TIMESTAMPTZ", "Created in Dcycle", f"{LIST}: created_at"),
        Column(
            "first_seen_at", "TIMESTAMPTZ", "When a sweep first saw the record", "dcycle_pipeline", stamp="first_seen"
        ),
        Column(
            "last_changed_at",
            "TIMESTAMPTZ",
            "When a sweep last saw other values than before",
            "dcycle_pipeline",
            stamp="last_changed",
        ),
    ),
    LIST,
)

PROJECTS = Table(
    "dcycle",
    "waste_water_treatment_projects",
    "One row per record and linked project",
    ("organization_id", "waste_water_treatment_id", "project"),
    (
        *_KEY,
        Column(
            "project",
            "VARCHAR",
            "Project as given: its id, or the JSON that the API sent",
            f"{LIST}: linked_projects",
        ),
    ),
    LIST,
)

ENDPOINT = Endpoint(
    name="waste_water_treatments",
    title="Waste-water treatment records of every facility of the organisation, of all four statuses",
    paging=Paging(
        path="/v1/waste-water-treatments",
        detail_path="/v1/waste-water-treatments/{id}/detail",
        counters=("total_general",),
        floor=("total", "total2"),
        counted=(("total", frozenset({"active", "uploaded"})), ("total2", frozenset({"loading"}))),
        filter=tuple(("status[]", status) for status in STATUSES),
        variants=((("sort", "-start_date"),), (("sort", "invoice_id"),)),
    ),
    item=WasteWaterTreatment,
    table=WASTE_WATER_TREATMENTS,
    multi_values=(
        MultiValue(
            PROJECTS,
            Column(
                "projects",
                "VARCHAR[]",
                "Linked projects as given, each once, in order",
                f"{LIST}: linked_projects",
                value="list_sort(list_distinct(linked_projects))",
            ),
        ),
    ),
    problem=problem,
    pending_column="co2e_kg",
    parent="facilities",
    parent_parameter="facility_id",
    withheld=frozenset({"user", "file_url"}),
    person_ids=frozenset({"uploaded_by"}),
    id_lists=frozenset({"linked_projects"}),
    unused=frozenset({"source_invoice_id", "facility_percentages"}),
    unneeded=frozenset({"invoice_id", "uploaded_by", "linked_projects", "created_at"}),
)
