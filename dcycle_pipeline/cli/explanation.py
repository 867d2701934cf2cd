"""Shows where a figure comes from. Finding it out belongs to `readers`."""

from datetime import date
from decimal import Decimal
from typing import Any

from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.readers.explain import Explanation


def tell_explanation(facility_id: str, month: date, found: Explanation) -> None:
    """The figure, its records with their shares, and the raw item of each."""
    screen.table(f"Facility {facility_id} in {month:%Y-%m}", [_share(record) for record in found.records])
    for record in found.records:
        item = record["item"] or "its pages are no longer kept, DCYCLE_KEEP_RUNS says how long they are"
        where = f"run {record['run_id']}, page {record['page']} of {record['landed_file'] or 'a landed file'}"
        console.show(f"{record['waste_water_treatment_id']}, {where}: {item}")
    agree = "the shares above add up to it" if found.agrees else "the shares above do NOT add up to it"
    console.show(
        f"{_exact(found.co2e_kg)} kg CO2e (biogenic, separate: {_exact(found.co2e_biomass_kg)} kg; {found.pending_record_count} of "
        f"{len(found.records)} records pending), as published at {found.published_at:%Y-%m-%d %H:%M:%S} UTC: {agree}."
    )


def _share(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "record": record["waste_water_treatment_id"],
        "label": record["record_label"],
        "period": f"{record['start_date']} – {record['end_date']}",
        "days": f"{record['days_in_month']} of {record['days_in_record']}",
        "kg of the record": _exact(record["record_co2e_kg"]),
        "kg of the month": _exact(record["co2e_kg"]),
        "version": f"{record['version_number']}, {record['change']} {record['valid_from']:%Y-%m-%d %H:%M}",
    }


def _exact(quantity: Decimal | None) -> str:
    return "pending" if quantity is None else f"{quantity:f}"
