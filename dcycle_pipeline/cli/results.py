"""What a run published, told to people as lines. What it published, and the exit code, belong to `sync.result`."""

from collections.abc import Mapping
from typing import Any

from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.names import named
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import few
from dcycle_pipeline.landing.lists import without_request
from dcycle_pipeline.readers import lookup
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.sync.result import undelivered
from dcycle_pipeline.text import counted
from dcycle_pipeline.warehouse.deliveries import DELIVERED
from dcycle_pipeline.warehouse.gaps import GAPS

MOST_NAMED, MOST_SUMMED_UP = 20, 3


def tell(result: dict[str, Any], gaps: dict[str, Any] | None = None) -> None:
    """What one run published, a line each, and last what may be missing. `gaps` are those to name, if some were named before."""
    for field in result["drift"] if result["drift"] is not None else ():
        console.show(f"Not read: {field}")
    tell_gaps(result if gaps is None else gaps, _names(result))
    tell_publication(result)


def report_of(folder: DataFolder) -> dict[str, Any]:
    """Where the report on what is published is, for a result; nothing if there is none."""
    return {"report": folder.report.absolute()} if folder.report.exists() else {}


def _names(result: dict[str, Any]) -> dict[str, str]:
    """What people call what is missing; nothing is missing as a rule."""
    if not any(result[gap] for gap in GAPS):
        return {}
    with Published(result["file"]) as published:
        return lookup.names(published)


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
    lists, requests = counted(result["lists_proven_count"], "proven list"), counted(result["requests_count"], "request")
    counts = f"{counted(result['rows_count'], 'row')} in {lists}, {requests}, content {changed}"
    console.show(f"Published {result['file']} at {result['published_at']:%Y-%m-%d %H:%M:%S} UTC: {counts}.")
    if result.get("report"):
        console.show(f"Report: {result['report']}")
    if any(result[gap] for gap in GAPS):
        unproven = [f"{found['endpoint']} of {_whose(found)} {found['outcome']}" for found in result["unproven_lists"]]
        console.show(
            f"With gaps: {counted(len(result['unproven_lists']), 'list')} unproven ({few(unproven, MOST_SUMMED_UP)}), "
            f"{counted(len(result['quarantined']), 'item')} quarantined, {counted(len(result['doubtful_rows']), 'row')} in doubt, "
            f"{len(result['listed_twice'])} listed twice; the last rows stay, and each counts once."
        )
    if lacking := undelivered(result["destinations"]):
        failed = "; ".join(f"{one['destination']} ({one['outcome']}: {one['reason']})" for one in lacking)
        console.show(f"Not delivered: {failed}. The published file is in place.")


def _whose(found: dict[str, Any]) -> str:
    """The facility or organisation of an unproven list, by name."""
    part = "facility" if found["facility_id"] else "organization"
    return named({found[f"{part}_id"]: found[part] or ""}, found[f"{part}_id"])


def tell_gaps(gaps: dict[str, Any], names: Mapping[str, str]) -> None:
    """What a file lacks, by the names of `warehouse/gaps.py`, a line each. `names` are those of organisations and facilities by id."""
    for item in gaps["quarantined"]:
        console.show(f"Quarantined: {_where(item, names)}, item {item['item_id'] or 'without id'}: {item['reason']}")
    for row in gaps["doubtful_rows"]:
        where = f"{named(names, row['organization_id'])}, {row['endpoint']}, row {named(names, row['item_id'])}"
        console.show(
            f"Doubtful since {row['doubtful_since']:%Y-%m-%d}: {where}: {row['reason']}. If you know, say so: `dcycle-pipeline resolve`."
        )
    for row in gaps["listed_twice"]:
        listing = ", ".join(named(names, each) for each in row["organization_ids"])
        console.show(
            f"Listed twice: {row['endpoint']}, {named(names, row['item_id'])}, by organisations {listing}: it counts once, in "
            f"{named(names, row['counted_organization_id'])}. Ask Dcycle whose it is."
        )
    for alike in _by_kind(gaps["unproven_lists"]):
        first = alike[0]
        others = [named(names, one["facility_id"]) for one in alike[1:]]
        too = f" The same for {len(others)} more: {few(others, MOST_NAMED)}." if others else ""
        console.show(f"Unproven: {_where(first, names)}: {first['outcome']}: {without_request(first['reason'])}{too}")


def _by_kind(lists: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Unproven lists of one organisation and endpoint with one outcome, together."""
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in lists:
        kinds.setdefault((one["organization_id"], one["endpoint"], one["outcome"]), []).append(one)
    return list(kinds.values())


def _where(row: dict[str, Any], names: Mapping[str, str]) -> str:
    """Organisation, endpoint and facility of a gap."""
    facility = f", facility {named(names, row['facility_id'])}" if row["facility_id"] else ""
    return f"{named(names, row['organization_id'])}, {row['endpoint']}{facility}"


def renaming(folder: DataFolder) -> str:
    """What tools must know of the published file's name, which was another one until layout 3; empty for a folder that never had it."""
    before, now = folder.published_before.name, folder.published.name
    if folder.readable == folder.published_before:
        return f"The next sync replaces {before} by {now}: from then on, tools must open that."
    return f"Older versions published {before}, which is gone: tools must open {now}." if folder.was_renamed else ""
