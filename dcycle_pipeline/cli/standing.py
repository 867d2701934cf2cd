"""What `status` says: what is published, how fresh, what is wrong since when, the last runs, and what to do next, on one screen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.cli.results import renaming, tell_publication
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import few
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.sync.clock import in_words
from dcycle_pipeline.sync.freshness import freshness
from dcycle_pipeline.sync.outcome import GAPS, OK
from dcycle_pipeline.sync.result import result_in
from dcycle_pipeline.sync.trouble import NOTHING_TO_DO, SYNC, next_command, troubles

RUNS_SHOWN = 7
MOST_ORGANIZATIONS, MOST_TROUBLES = 12, 10  # with seven runs and the last lines, they fill a screen


def standing(folder: DataFolder, max_age: timedelta | None) -> dict[str, Any]:
    """Everything that `status` says, for machines. With `max_age`, the exit code says whether all was proven within it, and only that."""
    with published_file.Published(folder.readable) as published:
        result = result_in(published, published.rows(published_file.LAST_RUN)[0]["run_id"], [])
        result["organizations"] = published.rows(published_file.BY_ORGANIZATION)
        result["missing_members"] = published.rows(published_file.MISSING_MEMBERS)
        result["runs"] = published.rows(published_file.LAST_RUNS, [RUNS_SHOWN])
        fresh = freshness(published, datetime.now(UTC))
    found = troubles(result)
    result |= fresh.as_facts() | {"freshness": str(fresh), "troubles": [vars(one) for one in found]}
    result["next_command"] = next_command(found)
    if max_age is not None:
        is_fresh = fresh.is_within(max_age)
        result |= {
            "max_age_seconds": max_age.total_seconds(),
            "is_fresh": is_fresh,
            "exit_code": OK if is_fresh else GAPS,
        }
        if not is_fresh and not found:
            result["next_command"] = SYNC
    return result


def tell_standing(folder: DataFolder, result: dict[str, Any]) -> None:
    """The same for people."""
    organizations = result["organizations"]
    screen.table("Organisations", organizations[:MOST_ORGANIZATIONS])
    _tell_rest(organizations, MOST_ORGANIZATIONS)
    for run in result["runs"]:
        console.show(_run_line(run))
    for row in result["missing_members"][:MOST_TROUBLES]:
        console.show(
            f"Incomplete: figures of {row['organization_id']} lack {row['member_organization_id']}: {row['reason']}"
        )
    _tell_rest(result["missing_members"], MOST_TROUBLES)
    for found in troubles(result)[:MOST_TROUBLES]:
        console.show(f"Wrong: {found}")
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
    began = f"Run {run['started_at']:%Y-%m-%d %H:%M} UTC"
    if run["published_at"] is None:
        return f"{began}: nothing published"
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
    return f"{began}: {', '.join([run['outcome'].replace('_', ' '), counts, *wrong])}"
