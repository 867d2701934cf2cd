"""What `status` shows people, on one screen. What it says belongs to `sync.standing`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.cli.results import renaming, tell_publication
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import few
from dcycle_pipeline.sync.clock import in_words
from dcycle_pipeline.sync.trouble import NOTHING_TO_DO, Trouble

MOST_ORGANIZATIONS, MOST_TROUBLES = 12, 10  # with seven runs and the last lines, they fill a screen


def tell_standing(folder: DataFolder, result: dict[str, Any]) -> None:
    """How things stand, in lines; `sync.standing` gave the result."""
    organizations = result["organizations"]
    screen.organizations(organizations[:MOST_ORGANIZATIONS])
    _tell_rest(organizations, MOST_ORGANIZATIONS)
    for run in result["runs"]:
        console.show(_run_line(run))
    for row in result["missing_members"][:MOST_TROUBLES]:
        console.show(
            f"Incomplete: figures of {row['organization_id']} lack {row['member_organization_id']}: {row['reason']}"
        )
    _tell_rest(result["missing_members"], MOST_TROUBLES)
    for found in result["troubles"][:MOST_TROUBLES]:
        console.show(f"Wrong: {Trouble(**found)}")
    _tell_rest(result["troubles"], MOST_TROUBLES)
    if result["drift"]:
        console.show(f"Not read: {few(result['drift'], MOST_TROUBLES, ', ')}")
    tell_publication(result)
    if said := renaming(folder):
        console.show(said)
    console.show(f"Fresh: {result['freshness']}{_asked(result)}.")
    do = result["next_command"]
    console.show(f"Next: {do}." if do == NOTHING_TO_DO else f"Next: `{do}`")


def _tell_rest(rows: Sequence[Any], shown: int) -> None:
    if len(rows) > shown:
        console.show(f"… and {len(rows) - shown} more: `dcycle-pipeline status --json` has all.")


def _asked(result: dict[str, Any]) -> str:
    if "max_age_seconds" not in result:
        return ""
    wanted = in_words(timedelta(seconds=result["max_age_seconds"]))
    return f", within {wanted}" if result["is_fresh"] else f"; that is not within {wanted}"


def _run_line(run: dict[str, Any]) -> str:
    began, why = f"Run {run['started_at']:%Y-%m-%d %H:%M} UTC", f": {run['reason']}" if run["reason"] else ""
    if run["published_at"] is None:
        return f"{began}: nothing published{why}"
    counts = f"{run['rows_count']} rows, {run['requests_count']} requests"
    wrong = [
        f"{run[name]} {what}"
        for name, what in (
            ("lists_unproven_count", "lists unproven"),
            ("quarantined_count", "items quarantined"),
            ("doubtful_count", "rows in doubt"),
        )
        if run[name]
    ]
    return f"{began}: {', '.join([run['outcome'].replace('_', ' '), counts, *wrong])}{why}"
