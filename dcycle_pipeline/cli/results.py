"""What a run published, told to people as lines. What it published, and the exit code, belong to `sync.result`."""

from typing import Any

from dcycle_pipeline.cli import console
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import few
from dcycle_pipeline.sync.result import undelivered
from dcycle_pipeline.warehouse.deliveries import DELIVERED
from dcycle_pipeline.warehouse.gaps import GAPS


def tell(result: dict[str, Any]) -> None:
    """What one run published, a line each, and last what may be missing."""
    for field in result["drift"] if result["drift"] is not None else ():
        console.show(f"Not read: {field}")
    tell_gaps(result)
    tell_publication(result)


def tell_publication(result: dict[str, Any]) -> None:
    """What one run published as a whole, a line for each thing to know, and last what may be missing in numbers."""
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
    if any(result[gap] for gap in GAPS):
        named = [
            f"{found['endpoint']} of {found['facility_id'] or found['organization_id']} {found['outcome']}"
            for found in result["unproven_lists"]
        ]
        console.show(
            f"With gaps: {len(result['unproven_lists'])} lists unproven ({few(named, 5)}), {len(result['quarantined'])} items quarantined, "
            f"{len(result['doubtful_rows'])} rows in doubt, {len(result['listed_twice'])} listed twice; the last rows stay, and each counts once."
        )
    if lacking := undelivered(result["destinations"]):
        failed = "; ".join(f"{one['destination']} ({one['outcome']}: {one['reason']})" for one in lacking)
        console.show(f"Not delivered: {failed}. The published file is in place.")


def tell_gaps(gaps: dict[str, Any]) -> None:
    """What a file lacks, by the names of `warehouse/gaps.py`, a line each."""
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
