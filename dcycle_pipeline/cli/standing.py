"""What `status` shows people, on one screen. What it says belongs to `sync.standing`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.figures import tell_organizations
from dcycle_pipeline.cli.names import named
from dcycle_pipeline.cli.results import renaming, report_of, tell_publication
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import few
from dcycle_pipeline.landing.lists import without_request
from dcycle_pipeline.sync.clock import in_words
from dcycle_pipeline.sync.trouble import NOTHING_TO_DO, Trouble
from dcycle_pipeline.text import counted

MOST_ORGANIZATIONS, MOST_TROUBLES = 12, 10  # with seven runs and the last lines, they fill a screen


def tell_standing(folder: DataFolder, result: dict[str, Any]) -> None:
    """How things stand, in lines; `sync.standing` gave the result."""
    organizations = result["organizations"]
    tell_organizations(organizations[:MOST_ORGANIZATIONS])
    _tell_rest(organizations, MOST_ORGANIZATIONS)
    for run in result["runs"]:
        console.show_start(_run_line(run))
    names = {row["organization_id"]: row["name"] for row in organizations}
    # What an organisation lacks of its own is among the troubles.
    lacking = [row for row in result["missing_members"] if row["organization_id"] != row["member_organization_id"]]
    for row in lacking[:MOST_TROUBLES]:
        whose, lacks = (named(names, row[name]) for name in ("organization_id", "member_organization_id"))
        console.show(f"Incomplete: figures of {whose} lack {lacks}: {row['reason']}")
    _tell_rest(lacking, MOST_TROUBLES)
    for found in result["troubles"][:MOST_TROUBLES]:
        console.show(without_request(f"Wrong: {Trouble(**found)}"))
    _tell_rest(result["troubles"], MOST_TROUBLES)
    if result["drift"]:
        console.show(f"Not read: {few(result['drift'], MOST_TROUBLES, ', ')}")
    tell_publication(result | report_of(folder))
    if said := renaming(folder):
        console.show(said)
    console.show(f"Fresh: {result['freshness']}{_asked(result)}.")
    do = result["next_command"]
    console.show_whole(f"Next: {do}." if do == NOTHING_TO_DO else f"Next: `{do}`")


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
        return f"{began}: {', '.join(['nothing published', *_backfill_of(run)])}{why}"
    counts = [counted(run[f"{what}s_count"], what) for what in ("row", "request") if run[f"{what}s_count"] is not None]
    wrong = [
        f"{counted(run[name], what)} {how}"
        for name, what, how in (
            ("lists_unproven_count", "list", "unproven"),
            ("quarantined_count", "item", "quarantined"),
            ("doubtful_count", "row", "in doubt"),
        )
        if run[name]
    ]
    return f"{began}: {', '.join([run['outcome'].replace('_', ' '), *_backfill_of(run), *counts, *wrong])}{why}"


def _backfill_of(run: dict[str, Any]) -> list[str]:
    """The period of a backfill, why it was asked for and by whom, as far as somebody said so; nothing for any other run."""
    if run["backfill_from"] is None:
        return []
    given = [run[name] for name in ("backfill_reason", "backfill_by") if run[name]]
    return [f"backfill {run['backfill_from']} to {run['backfill_to']}", *given]
