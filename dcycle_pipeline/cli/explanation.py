"""Shows where a figure comes from. Finding it out belongs to `readers`."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from dcycle_pipeline.cli import console, tables
from dcycle_pipeline.readers.explain import Explanation
from dcycle_pipeline.text import counted


def tell_explanation(facility: str, month: date, found: Explanation) -> None:
    """The figure, its records with their shares, and the raw item of each."""
    shares = [_share(record) for record in found.records]
    tables.table(f"{facility} in {month:%Y-%m}", shares, spare=("version", "since", "kg of the record"))
    for record in found.records:
        _tell_raw(record)
    console.show("")
    agree = "the shares above add up to it" if found.agrees else "the shares above do NOT add up to it"
    console.show(
        f"{_exact(found.co2e_kg)} kg CO2e (biogenic, separate: {_exact(found.co2e_biomass_kg)} kg; {found.pending_record_count} of "
        f"{counted(len(found.records), 'record')} pending), as published at {found.published_at:%Y-%m-%d %H:%M:%S} UTC: {agree}."
    )


def _share(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": record["record_label"],
        "period": f"{record['start_date']} – {record['end_date']}",
        "days": f"{record['days_in_month']} of {record['days_in_record']}",
        "kg of the record": _exact(record["record_co2e_kg"]),
        "kg of the month": _exact(record["co2e_kg"]),
        "version": f"{record['version_number']}, {record['change']}",
        "since": record["valid_from"].date(),
    }


def _tell_raw(record: dict[str, Any]) -> None:
    """What the API said of a record, indented, and in which page of which run."""
    console.show("")
    console.show(f"{record['record_label'] or 'Record'} ({record['waste_water_treatment_id']})")
    console.show_whole(f"  run {record['run_id']}, page {record['page']} of")
    console.show_whole(f"  {record['landed_file'] or 'a landed file'}")
    if record["item"] is None:
        console.show("  its pages are no longer kept, DCYCLE_KEEP_RUNS says how long they are")
        return
    for line in _indented(record["item"]):
        console.show_whole(f"  {line}")


def _indented(item: str) -> list[str]:
    """An item as people read JSON, each number as the API wrote it; as it came, if it is none."""
    try:
        return msgspec.json.format(item, indent=2).splitlines()
    except msgspec.DecodeError:
        return [item]


def _exact(quantity: Decimal | None) -> str:
    return "pending" if quantity is None else f"{quantity:f}"
