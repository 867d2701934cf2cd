"""Items that are not as documented: the named ways in which an item may deviate.

Which item deviates belongs to `behaviour`, what a reader has to make of it to the tests.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dcycle_pipeline.sandbox.world.items import Item, copied

Deformation = Callable[[Item], Any]

APPROVER = {
    "first_name": "Hildegunðe-Sandbox",
    "last_name": "Ó Maolchathaigh",
    "email": "hildegunde.omaolchathaigh@example.org",
}
"""The person in the undocumented fields."""

FOREIGN_ID = "f0f0f0f0-0f0f-4f0f-8f0f-f0f0f0f0f0f0"


def _number_field(item: Item) -> str:
    # Of a record, a facility, or the answer of total impacts.
    return next(name for name in ("quantity", "co2e", "total_co2e") if name in item)


def _date_field(item: Item) -> str:
    return "start_date" if "start_date" in item else "created_at"


def _with_number(value: Any) -> Deformation:
    return lambda item: {**item, _number_field(item): value}


def _missing_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id"}


def numbers_as_text(item: Item) -> Item:
    """Every number of an item as text, without an exponent."""
    numbers = {name: value for name, value in item.items() if isinstance(value, Decimal)}
    return {**item, **{name: f"{value:f}" for name, value in numbers.items()}}


def _one_number_as_text(item: Item) -> Item:
    field = _number_field(item)
    return item if item[field] is None else {**item, field: f"{item[field]:f}"}


def _date_with_time(item: Item) -> Item:
    if "start_date" not in item:
        return {**item, "created_at": item["created_at"].replace("Z", ".000000+00:00")}
    return {**item, "start_date": item["start_date"] + "T00:00:00", "end_date": item["end_date"] + "T00:00:00Z"}


def _end_before_start(item: Item) -> Item:
    if "start_date" not in item:
        return item
    return {**item, "end_date": f"{int(item['start_date'][:4]) - 1}{item['start_date'][4:7]}-01"}


def _missing_optional(item: Item) -> Item:
    optional = {"file_url", "uploaded_by", "linked_projects", "facility_percentages", "address", "cups_list"}
    return {name: value for name, value in item.items() if name not in optional}


def _wrong_unit(item: Item) -> Item:
    if "total_co2e" in item:
        return {**item, "unit": "MWh"}
    return {**item, "unit": {**item["unit"], "name": "kilogram_(kg)", "type": "mass"}} if "unit" in item else item


def unknown_field(item: Item) -> Item:
    """The item with two undocumented fields, one of them a person."""
    return {**item, "approved_by": dict(APPROVER), "methodology_version": "2026.1"}


def _foreign_facility_id(item: Item) -> Item:
    if "total_co2e" in item:
        return {**item, "organization_id": FOREIGN_ID}
    return {**item, "facility_id": FOREIGN_ID} if "unit" in item else item


def _out_values_differ(item: Item) -> Item:
    return {**item, "m3_water_out": (item["base_quantity"] or Decimal(0)) + 1} if "m3_water_out" in item else item


DEFORMATIONS: dict[str, Deformation] = {
    "missing_id": _missing_id,
    "id_null": lambda item: {**item, "id": None},
    "number_as_text": _one_number_as_text,
    "number_garbage": _with_number("12,5 m³ aprox."),
    "nan_text": _with_number("NaN"),
    "huge_number": _with_number(Decimal("1E+400")),
    "bool_number": _with_number(True),
    "date_with_time": _date_with_time,
    "date_garbage": lambda item: {**item, _date_field(item): "31/02/2025"},
    "end_before_start": _end_before_start,
    "unknown_status": lambda item: {**item, "status": "paused"},
    "not_an_object": lambda item: "an item used to be here",
    "null_item": lambda item: None,
    "missing_optional": _missing_optional,
    "wrong_unit": _wrong_unit,
    "unknown_field": unknown_field,
    "foreign_facility_id": _foreign_facility_id,
    "out_values_differ": _out_values_differ,
}


def deform(item: Item, how: str | Deformation) -> Any:
    """A deformed copy. `how` is a function, or a name of DEFORMATIONS: KeyError if it is not one."""
    return (DEFORMATIONS[how] if isinstance(how, str) else how)(copied(item))
