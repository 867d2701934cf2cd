"""What `sync --pending` does: ask for the lists with pending records, publish what changed, and tell what is pending still."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.cli.results import report_of, tell
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.landing.lists import without_request
from dcycle_pipeline.notify.endings import noted
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.naming import published_organization_ids
from dcycle_pipeline.sync.outcome import GAPS, OK, Outcome
from dcycle_pipeline.sync.pending import Settled, place_of, settle, unread_rows
from dcycle_pipeline.sync.result import result_of
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import counted

MOST_PLACES = 10


def settle_and_tell(
    load: Callable[[], Settings], organization_ids: list[str], as_json: bool, accepted_drops: list[str]
) -> int:
    """Ask once more for what is pending, and tell what came of it. Returns the exit code. Raises what `settle` does."""
    started, outcome = time.monotonic(), Outcome()
    loaded = load()
    organization_ids, accepted_drops = (
        published_organization_ids(loaded, named) for named in (organization_ids, accepted_drops)
    )
    with screen.progress() as shown:
        accepted = frozenset(accepted_drops)
        run = Run(str(uuid4()), loaded, shown, wait_for_folder_seconds=0, accepted_drops=accepted)
        with noted(loaded, run.run_id, outcome, pending_only=True):
            found = _carry_out(run, organization_ids, outcome)
    told = _told(run, found)
    if outcome.failure:
        console.say(f"Published, but the report was not written: {outcome.failure}", "warning")
        told["exit_code"] = GAPS
    told["duration_seconds"] = round(time.monotonic() - started, 3)
    if as_json:
        console.as_json(told)
    else:
        _tell(found, told)
    return int(told["exit_code"])


def _carry_out(run: Run, organization_ids: list[str], outcome: Outcome) -> Settled:
    with run:
        found = settle(run, organization_ids)
        outcome.published = found.publication is not None
        if outcome.published:
            try:
                write_report(run.folder.published, run.folder.report, run.settings.look)
            except DcycleError as error:
                outcome.fail(error)
    return found


def _told(run: Run, found: Settled) -> dict[str, Any]:
    """What came of it for machines; if something was published, with all that a sync says of that."""
    unread = unread_rows(run.folder.published, found)
    code = GAPS if unread or found.doubtful_rows else OK
    published = result_of(run.folder.published, run.run_id, found.organization_ids) if found.publication else {}
    published |= report_of(run.folder) if found.publication else {}
    told = {"exit_code": code, "doubtful_rows": found.doubtful_rows} | published
    counts = {"asked_count": found.asked_count, "settled_count": found.settled_count}
    return {**told, **counts, "pending": found.pending, "unread": unread}


def _tell(found: Settled, told: dict[str, Any]) -> None:
    for row in found.pending[:MOST_PLACES]:
        console.show(
            f"Pending since {row['pending_since']:%Y-%m-%d %H:%M} UTC: {counted(row['pending_record_count'], 'record')} of facility "
            f"{row['facility'] or row['facility_id']}, {row['organization'] or row['organization_id']}"
        )
    if len(found.pending) > MOST_PLACES:
        console.show(f"… and {len(found.pending) - MOST_PLACES} more: `dcycle-pipeline sync --pending --json` has all.")
    if found.publication:
        console.show(f"Settled: {counted(found.settled_count, 'record')}.")
        tell(told)
        return
    for one in told["unread"]:
        console.show(f"Not read: {place_of(one)}: {one['outcome']}: {without_request(one['reason'])}")
    for one in found.doubtful_rows:
        console.show(f"In doubt: {place_of(one)}, record {one['item_id']}: {one['reason']}")
    if found.asked_count:
        console.show(
            f"Nothing changed in {counted(found.asked_count, 'list')} with pending records. Nothing was published."
        )
    else:
        console.show("Nothing is pending. Nothing was asked for, and nothing was published.")
