"""What a run published, for machines as one result and for people as lines; with the exit code that belongs to it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcycle_pipeline.cli import console
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import few
from dcycle_pipeline.landing.lists import NOT_READ
from dcycle_pipeline.publish.sendings import last_sendings
from dcycle_pipeline.readers.published_file import RUN, Published
from dcycle_pipeline.sync.clock import noted_ahead
from dcycle_pipeline.sync.outcome import GAPS, OK
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.deliveries import DELIVERED


def _asked(row: dict[str, Any], organizations: list[str]) -> bool:
    return not organizations or row["organization_id"] in organizations


def _is_told(row: dict[str, Any], organizations: list[str]) -> bool:
    """What no run has read, and what of the tree cannot be used, is missing from the file whoever was asked for."""
    return row.get("outcome") == NOT_READ or row["endpoint"] == ORGANIZATIONS.name or _asked(row, organizations)


def result_of(file: Path, run_id: str, organizations: list[str]) -> dict[str, Any]:
    """What `result_in` says of the file as it is now."""
    with Published(file) as published:
        return result_in(published, run_id, organizations)


def result_in(published: Published, run_id: str, organizations: list[str]) -> dict[str, Any]:
    """What one run published, what is unproven or quarantined of the organisations asked for (all, if none is named), and what the
    destinations have of it.
    """
    facts = published.rows(RUN, [run_id])[0]
    gaps = told_gaps({name: published.rows(query) for name, query in run_tables.GAPS.items()}, organizations)
    sent = last_sendings(DataFolder(published.file.parent), facts["published_at"]) if facts["published_at"] else []
    undelivered = _undelivered(sent)
    return {
        "exit_code": GAPS if any(gaps.values()) or undelivered else OK,
        "file": published.file.absolute(),
        "clock": noted_ahead(facts["published_at"], datetime.now(UTC)) if facts["published_at"] else "",
        **facts,
        **gaps,
        "destinations": sent,
    }


def told_gaps(gaps: dict[str, list[dict[str, Any]]], organizations: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Of what a file may lack, by the names of `run_tables.GAPS`, that which concerns the organisations asked for (all, if none is named)."""

    def is_told(name: str, row: dict[str, Any]) -> bool:
        if name == "listed_twice":
            return not organizations or not set(organizations).isdisjoint(row["organization_ids"])
        return _asked(row, organizations) if name == "doubtful_rows" else _is_told(row, organizations)

    return {name: [row for row in rows if is_told(name, row)] for name, rows in gaps.items()}


def _undelivered(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in sent if one["outcome"] != DELIVERED]


def tell(result: dict[str, Any]) -> None:
    """What one run published, a line each, and last what may be missing."""
    for field in result["drift"] if result["drift"] is not None else ():
        console.show(f"Not read: {field}")
    tell_gaps(result)
    if former := result.get("former_root_organization_id"):
        console.show(f"Root: {result['root_organization_id']} now stands above {former}; history goes on.")
    changed = "changed" if result["content_changed"] else "unchanged"
    if result["clock"]:
        console.show(f"Clock: {result['clock']}")
    for one in result["destinations"]:
        if one["outcome"] == DELIVERED:
            console.show(f"Delivered to {one['destination']} at {one['finished_at']:%Y-%m-%d %H:%M:%S} UTC.")
    counts = f"{result['rows_count']} rows in {result['lists_proven_count']} proven lists, {result['requests_count']} requests, content {changed}"
    console.show(f"Published {result['file']} at {result['published_at']:%Y-%m-%d %H:%M:%S} UTC: {counts}.")
    if any(result[gap] for gap in run_tables.GAPS):
        named = [
            f"{found['endpoint']} of {found['facility_id'] or found['organization_id']} {found['outcome']}"
            for found in result["unproven_lists"]
        ]
        console.show(
            f"With gaps: {len(result['unproven_lists'])} lists unproven ({few(named, 5)}), {len(result['quarantined'])} items quarantined, "
            f"{len(result['doubtful_rows'])} rows in doubt, {len(result['listed_twice'])} listed twice; the last rows stay, and each counts once."
        )
    if undelivered := _undelivered(result["destinations"]):
        failed = "; ".join(f"{one['destination']} ({one['outcome']}: {one['reason']})" for one in undelivered)
        console.show(f"Not delivered: {failed}. The published file is in place.")


def tell_gaps(gaps: dict[str, Any]) -> None:
    """What a file lacks, by the names of `run_tables.GAPS`, a line each."""
    for item in gaps["quarantined"]:
        where = f"organisation {item['organization_id']}, {item['endpoint']}, facility {item['facility_id'] or '-'}"
        console.show(f"Quarantined: {where}, item {item['item_id'] or 'without id'}: {item['reason']}")
    for row in gaps["doubtful_rows"]:
        where = f"organisation {row['organization_id']}, {row['endpoint']}, row {row['item_id']}"
        console.show(
            f"Doubtful since {row['doubtful_since']:%Y-%m-%d}: {where}: {row['reason']}. If you know, say so: `dcycle-pipeline resolve`."
        )
    for row in gaps["listed_twice"]:
        console.show(
            f"Listed twice: {row['endpoint']}, {row['item_id']}, by organisations {', '.join(row['organization_ids'])}: it counts once, in "
            f"{row['counted_organization_id']}. Ask Dcycle whose it is."
        )
    for found in gaps["unproven_lists"]:
        where = f"organisation {found['organization_id']}, {found['endpoint']}, facility {found['facility_id'] or '-'}"
        console.show(f"Unproven: {where}: {found['outcome']}: {found['reason']}")


def renaming(folder: DataFolder) -> str:
    """What tools must know of the published file's name, which was another one until layout 3; empty for a folder that never had it."""
    before, now = folder.published_before.name, folder.published.name
    if folder.readable == folder.published_before:
        return f"The next sync replaces {before} by {now}: from then on, tools must open that."
    return f"Older versions published {before}, which is gone: tools must open {now}." if folder.was_renamed else ""
