"""Items as the API sends them: their fields, defaults and JSON text.

Which items exist belongs to `world`, how they are deformed to `faults`. The fields come from
code.dcycle.io/api-reference/facilities/list, docs.dcycle.io/api-reference/legacy/facilities/list and
code.dcycle.io/api-reference/waste-water-treatments/list.
"""

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

Item = dict[str, Any]

FACILITY_FIELDS = (
    "id", "name", "address", "country", "type", "status", "co2e", "co2e_biomass", "logistic_factor", "categories",
    "cups_list", "facility_purpose_type", "created_at", "updated_at",
)  # fmt: skip
LEGACY_FACILITY_FIELDS = (
    "id", "name", "country", "type", "address", "logistic_factor", "categories", "cups_list", "status",
    "facility_fuels_ids", "co2e", "co2e_biomass", "invoices_length", "created_at", "updated_at",
    "facility_purpose_type", "supercharger", "facility_id", "hub_category",
)  # fmt: skip
RECORD_NUMBERS = frozenset(
    {"quantity", "base_quantity", "m3_water_out", "kg_sludge", "percentage", "co2e", "co2e_biomass"}
)
FACILITY_NUMBERS = frozenset({"co2e", "co2e_biomass", "logistic_factor"})
DEFAULT_USER = {
    "id": "5a1d0e57-0000-4000-8000-00000000a11c",
    "first_name": "Zuriñe-Sandbox",
    "last_name": "Etxeberrigoitia",
    "email": "zurine.etxeberrigoitia@example.org",
}
CUBIC_METRE = {"id": "0c0b1c3e-7d5a-4b7e-9f30-2f6f0a6d3b11", "name": "cubic_meter_(m3)", "type": "volume"}

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """JSON, in which a Decimal is a number with all its digits."""
    return _encoder.encode(value)


def facility_item(facility_id: str, number: int, now: str, fields: Mapping[str, Any]) -> Item:
    """A facility with the fields of both forms, emissions in kg CO2e. `number` is in its default name.

    Raises TypeError on an unknown field.
    """
    item: Item = {
        "id": facility_id,
        "name": f"Planta {number}",
        "address": "Camino del Agua 1, Zaragoza",
        "country": "ES",
        "type": "factory",
        "status": "active",
        "co2e": Decimal("125000.5"),
        "co2e_biomass": Decimal("0.0"),
        "logistic_factor": Decimal("0.8"),
        "categories": ["electricity", "water"],
        "cups_list": ["ES0021000000000001AA"],
        "facility_purpose_type": "facilities",
        "created_at": now,
        "updated_at": now,
        "facility_fuels_ids": [],
        "invoices_length": 12,
        "supercharger": False,
        "facility_id": f"FAC-2024-{number:03d}",
        "hub_category": None,
    }
    return changed(item, fields, FACILITY_NUMBERS)


def record_item(record_id: str, facility_id: str, now: str, number: int, fields: Mapping[str, Any]) -> Item:
    """A treatment of one month: water in m³, sludge in kg, emissions in kg CO2e, pending if it is not yet processed.

    `number` makes the default figures differ from record to record. Raises TypeError on an unknown field.
    """
    start = as_date(fields.get("start_date", "2025-01-01"))
    calculated = fields.get("status", "active") in ("active", "uploaded")
    water_in = as_number(fields.get("quantity", Decimal(10_000 + number * 37 % 5_000) + Decimal("0.25")))
    usual = Decimal(0) if water_in is None else water_in
    water_out = round(usual * Decimal("0.96"), 3)
    item: Item = {
        "id": record_id,
        "type": "waste_water_treatment",
        "status": "active",
        "invoice_id": f"WWT-{start:%Y-%m}-{number}",
        "start_date": start.isoformat(),
        "end_date": (month_after(start) - timedelta(days=1)).isoformat(),
        "facility_id": facility_id,
        "quantity": water_in,
        "base_quantity": water_out,
        "m3_water_out": water_out,
        "kg_sludge": round(usual * Decimal("0.07"), 2),
        "percentage": Decimal(1),
        "co2e": round(usual * Decimal("0.3617"), 4) if calculated else None,
        "co2e_biomass": Decimal("0.0"),
        "unit": dict(CUBIC_METRE),
        "user": dict(DEFAULT_USER),
        "uploaded_by": DEFAULT_USER["id"],
        "source_invoice_id": record_id,
        "file_url": None,
        "linked_projects": [],
        "facility_percentages": [],
        "created_at": now,
    }
    return changed(item, fields, RECORD_NUMBERS)


def changed(item: Item, fields: Mapping[str, Any], numbers: frozenset[str]) -> Item:
    """The item with other values. Raises TypeError on an unknown field: it is a typing error of the caller."""
    if unknown := fields.keys() - item.keys():
        raise TypeError(f"no such field: {', '.join(sorted(unknown))}")
    new = {name: as_number(value) if name in numbers else as_text(value) for name, value in fields.items()}
    if len(new.keys() & {"base_quantity", "m3_water_out"}) == 1:
        new["base_quantity"] = new["m3_water_out"] = new.get("base_quantity", new.get("m3_water_out"))
    return {**item, **new}


def facility_form(item: Item, *, legacy: bool) -> Item:
    """The fields of a facility that the new list shows, or the legacy one."""
    if not legacy:
        return {name: item[name] for name in FACILITY_FIELDS}
    # The legacy page gives these a type without null.
    filled = {**item, "co2e": item["co2e"] or Decimal("0.0"), "updated_at": item["updated_at"] or item["created_at"]}
    return {name: filled[name] for name in LEGACY_FACILITY_FIELDS}


def personal_strings(record: Item) -> set[str]:
    """The names, the e-mail and the signed address that a record shows."""
    user = record["user"] or {}
    texts = [record["file_url"], *(user.get(name) for name in ("first_name", "last_name", "email"))]
    return {text for text in texts if text}


def copied(item: Item) -> Item:
    """What copy.deepcopy gives, at less cost: items hold only JSON."""
    return {name: _copied(part) for name, part in item.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return copied(value) if isinstance(value, dict) else value


def as_number(value: Any) -> Decimal | None:
    """The exact number, never a float. Raises TypeError on a truth value."""
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    return Decimal(str(value))


def as_text(value: Any) -> Any:
    """A date as YYYY-MM-DD, anything else as it is."""
    return value.isoformat() if isinstance(value, date) else value


def as_date(value: str | date) -> date:
    """The day of a date or of ISO text with or without a time."""
    return value if isinstance(value, date) else date.fromisoformat(value[:10])


def month_after(day: date) -> date:
    """The same day of the next month, or that month's last day."""
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
