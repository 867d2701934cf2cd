"""What the verb `backfill` does: plan, read and compare, ask, publish; each is told before the next begins."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import uuid4

from dcycle_pipeline.cli import backfill_tables, console, screen
from dcycle_pipeline.cli.results import report_of, tell
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.notify.endings import noted
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.backfill import publish_draft, read_planned
from dcycle_pipeline.sync.draft import drafted
from dcycle_pipeline.sync.naming import facility_ids, known_names, organization_ids
from dcycle_pipeline.sync.organizations import verify_named
from dcycle_pipeline.sync.outcome import GAPS, OK, Outcome
from dcycle_pipeline.sync.plan import Plan, make_plan
from dcycle_pipeline.sync.preview import preview, refuse_unknown_publication, since_when
from dcycle_pipeline.sync.progress import Silent
from dcycle_pipeline.sync.result import result_of, told_gaps
from dcycle_pipeline.sync.run import Run

PLAN, PREVIEW = "plan", "preview"


@dataclass(frozen=True)
class Asked:
    """What somebody asks for. `stops_after` is plan, preview or empty; `is_agreed` publishes without a question."""

    backfill: Backfill
    organization_ids: list[str]
    facility_ids: list[str]
    since_snapshot: str | None
    stops_after: str
    is_agreed: bool


def backfill_and_tell(loaded: Settings, asked: Asked, as_json: bool) -> int:
    """Carry out a backfill as far as it is asked for. Returns the exit code.

    Raises SettingsError for what cannot be asked for, and what the steps of a sync raise.
    """
    started = time.monotonic()
    told: dict[str, Any] = {}
    outcome = Outcome(was_read=False)
    with (
        DataFolder(loaded.data_dir).writing("dcycle-pipeline backfill", wait_seconds=0),
        Run(str(uuid4()), loaded, wait_for_folder_seconds=0, backfill=asked.backfill) as run,
        noted(loaded, run.run_id, outcome),
        drafted(run),
    ):
        if asked.since_snapshot:
            refuse_unknown_publication(run, asked.since_snapshot)
        code = _steps(run, _by_ids(loaded, asked), told, as_json)
        outcome.published = not run.is_draft
        named = list(told["plan"]["organization_ids"])
    if outcome.published:
        code = _tell_published(run, named, told, as_json)
    told |= {"exit_code": code, "duration_seconds": round(time.monotonic() - started, 3)}
    if as_json:
        console.as_json(told)
    return code


def _by_ids(loaded: Settings, asked: Asked) -> Asked:
    """The same with the ids of what is named. The API is asked for the tree."""
    organizations = organization_ids(loaded, asked.organization_ids)
    verify_named(loaded, organizations)
    return replace(asked, organization_ids=organizations, facility_ids=facility_ids(loaded, asked.facility_ids))


def _steps(run: Run, asked: Asked, told: dict[str, Any], as_json: bool) -> int:
    """Plan, read and compare, publish, as far as it is asked for. What came of each is put into `told`."""
    with _watched(run):
        plan = make_plan(run, asked.backfill, asked.organization_ids, asked.facility_ids)
    since = since_when(run, asked.since_snapshot)
    told["plan"] = as_plain(plan)
    if not as_json:
        backfill_tables.tell_plan(plan, known_names(run))
    if asked.stops_after == PLAN:
        return GAPS if plan.unread else OK
    with _watched(run):
        read_planned(run, plan)
    compared = preview(run, asked.backfill, since)
    compared = replace(compared, gaps=told_gaps(compared.gaps, plan.organization_ids))
    told["preview"] = asdict(compared)
    if not as_json:
        backfill_tables.tell_preview(compared, known_names(run))
    if asked.stops_after == PREVIEW or not (asked.is_agreed or console.agrees("Publish this?")):
        if not as_json:
            console.show("Nothing was published.")
        return GAPS if any(compared.gaps.values()) else OK
    publish_draft(run)
    return OK


@contextmanager
def _watched(run: Run) -> Iterator[None]:
    """Show how a step gets on, until the block ends: no bar may be there while tables are printed and a question is asked."""
    with screen.progress() as run.progress:
        yield
    run.progress = Silent()


def as_plain(plan: Plan) -> dict[str, Any]:
    """A plan for machines."""
    return asdict(plan) | {"facility_ids": sorted(plan.facility_ids), "landed_count": plan.landed_count}


def _tell_published(run: Run, organization_ids: list[str], told: dict[str, Any], as_json: bool) -> int:
    """What the run published. Returns the exit code."""
    failure = ""
    try:
        write_report(run.folder.published, run.folder.report, run.settings.look)
    except DcycleError as error:
        failure = str(error)
    result = result_of(run.folder.published, run.run_id, organization_ids)
    result |= report_of(run.folder)
    told |= result
    if not as_json:
        named_before = told["preview"]["gaps"]
        tell(result, {gap: [row for row in result[gap] if row not in rows] for gap, rows in named_before.items()})
    if failure:
        console.say(f"Published, but the report was not written: {failure}")
    return GAPS if failure else int(result["exit_code"])
