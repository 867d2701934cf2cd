"""The tables of what there is: organisations and facilities, by name. Reading them belongs to `readers`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dcycle_pipeline.cli import console, tables
from dcycle_pipeline.sync.clock import ago
from dcycle_pipeline.text import counted

KG_PER_TONNE = 1000


def tonnes(kilograms: Decimal | None) -> Decimal | None:
    """Kilograms as tonnes, exactly."""
    return None if kilograms is None else kilograms / KG_PER_TONNE


def tell_organizations(rows: Sequence[dict[str, Any]]) -> None:
    """What each organisation has, and since when all of it is proven."""
    now = datetime.now(UTC)
    shown = [
        {
            "organisation": row["name"],
            "facilities": row["facilities"],
            "records": row["wwt_records"],
            "t CO2e": tonnes(row["wwt_co2e_kg"]),
            "proven": ago(row["proven_at"], now) if row["proven_at"] else "never",
            "missing members": row["members_missing"],
            "id": row["organization_id"],
        }
        for row in rows
    ]
    if not any(row["missing members"] for row in shown):
        shown = [{name: row[name] for name in row if name != "missing members"} for row in shown]
    tables.table("Organisations, with the emissions of their waste-water records", shown)


def tell_facilities(rows: Sequence[dict[str, Any]]) -> None:
    """Every facility with what is known of it, by organisation."""
    shown = [
        {
            "facility": row["facility"],
            "organisation": row["organization"],
            "country": row["country_code"],
            "records": row["wwt_records"],
            "pending": row["pending_records"],
            "last day": row["last_record_date"],
            "t CO2e": tonnes(row["wwt_co2e_kg"]),
            "id": row["facility_id"],
        }
        for row in rows
    ]
    if not shown:
        console.show("No facility is published.")
        return
    tables.table("Facilities, with their active waste-water records", shown, spare=("country", "pending"))
    console.show(
        f"{counted(len(shown), 'facility', 'facilities')}. Next: `dcycle-pipeline explain FACILITY MONTH`, by name or the start of an id."
    )
