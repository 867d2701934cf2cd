"""What a run published, for machines as one result and for people as lines; with the exit code that belongs to it."""

from datetime import date
from pathlib import Path
from typing import Any

from dcycle_pipeline import books, console, published
from dcycle_pipeline.explain import Explanation
from dcycle_pipeline.folder import DataFolder

OK, GAPS, WRONG_SETTINGS, NOTHING_PUBLISHED = 0, 1, 2, 3
_SHARE = (
    "waste_water_treatment_id",
    "record_label",
    "start_date",
    "end_date",
    "record_co2e_kg",
    "days_in_month",
    "days_in_record",
    "co2e_kg",
    "change",
    "version_number",
    "valid_from",
)


def _asked(row: dict[str, Any], organizations: list[str]) -> bool:
    return not organizations or row["organization_id"] in organizations


def result_of(file: Path, run_id: str, organizations: list[str]) -> dict[str, Any]:
    """What one run published, and what is open or quarantined of the organisations asked for (all, where none is named)."""
    facts = published.rows(file, published.RUN, [run_id])[0]
    open_scopes = [row for row in published.rows(file, books.OPEN_SCOPES) if _asked(row, organizations)]
    quarantined = [row for row in published.rows(file, books.QUARANTINED) if _asked(row, organizations)]
    code = GAPS if open_scopes or quarantined else OK
    return {"exit_code": code, "file": file.absolute(), **facts, "open_scopes": open_scopes, "quarantined": quarantined}


def tell(result: dict[str, Any]) -> None:
    for field in result["drift"] if result["drift"] is not None else ():
        console.show(f"New in the API and not read: {field}")
    for item in result["quarantined"]:
        where = f"organisation {item['organization_id']}, {item['endpoint']}, facility {item['facility_id'] or '-'}"
        console.show(f"Quarantined: {where}, item {item['item_id'] or 'without id'}: {item['reason']}")
    for scope in result["open_scopes"]:
        where = f"organisation {scope['organization_id']}, {scope['endpoint']}, facility {scope['facility_id'] or '-'}"
        console.show(f"Open: {where}: {scope['outcome']}: {scope['reason']}")
    changed = "changed" if result["content_changed"] else "unchanged"
    counts = f"{result['rows_count']} rows in {result['scopes_proven_count']} proven lists, {result['requests_count']} requests, content {changed}"
    console.show(f"Published {result['file']} at {result['published_at']:%Y-%m-%d %H:%M:%S} UTC: {counts}.")
    if result["exit_code"] == GAPS:
        scopes = "; ".join(
            f"{s['endpoint']} of {s['facility_id'] or s['organization_id']} {s['outcome']}"
            for s in result["open_scopes"][:5]
        )
        more = f" and {len(result['open_scopes']) - 5} more" if len(result["open_scopes"]) > 5 else ""
        console.show(
            f"With gaps: {len(result['open_scopes'])} open ({scopes}{more}), {len(result['quarantined'])} items quarantined; their last rows stay."
        )


def show_tables(data_dir: Path) -> None:
    file = DataFolder(data_dir).published
    console.table("Tables", published.rows(file, published.TABLES))
    console.table("Organisations", published.rows(file, published.BY_ORGANIZATION))
    console.show(f"Open it read-only with any DuckDB from 1.4 on: {file.absolute()}")


def tell_explanation(facility_id: str, month: date, found: Explanation) -> None:
    """The figure, its records with their shares, and the raw item of each."""
    shares = [{name: record[name] for name in _SHARE} for record in found.records]
    console.table(f"Records of facility {facility_id} in {month:%Y-%m}", shares)
    for record in found.records:
        item = record["item"] or "no longer kept: DCYCLE_KEEP_RUNS says how many runs are"
        where = f"run {record['run_id']}, page {record['page']}, {record['landed_file'] or 'landed file gone'}"
        console.show(f"{record['waste_water_treatment_id']} ({where}): {item}")
    agree = "the records above add up to it" if found.agrees else "the records above do NOT add up to it"
    console.show(
        f"{found.co2e_kg} kg CO2e (biomass {found.co2e_biomass_kg} kg apart, {found.pending_record_count} records pending), "
        f"as published at {found.published_at:%Y-%m-%d %H:%M:%S} UTC; {agree}."
    )
