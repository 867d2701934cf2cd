"""Runs without Dagster: one for each group of organisations, and a second one for those that gave no answer. What is told of them belongs to
`syncing`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.cli import console
from dcycle_pipeline.notify.endings import note_ending, traced
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.outcome import Outcome
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import late_run, sync_late, sync_whole
from dcycle_pipeline.text import counted


@dataclass(frozen=True)
class Asked:
    """What a command asked for. `accepted_drops` are organisations whose rows may vanish in any number."""

    settings: Settings
    shown: Progress
    accepted_drops: frozenset[str]
    with_report: bool


def run_group(asked: Asked, organization_ids: list[str], *, is_hurried: bool) -> dict[str, Outcome]:
    """One run over these organisations (all, if none is named). How the last run ended that published, by its id.

    If it is hurried, those who give no answer are put off, and asked again in a second run once the others are published.
    """
    began = datetime.now(UTC)
    outages = Outages(is_hurried=is_hurried, others_answered=len(organization_ids) > 1)
    run = Run(
        str(uuid4()),
        asked.settings,
        asked.shown,
        wait_for_folder_seconds=0,
        accepted_drops=asked.accepted_drops,
        outages=outages,
    )
    outcome = _ran(asked, run, lambda: sync_whole(run, organization_ids))
    if outcome.published and run.put_off and is_hurried:
        late = run.put_off
        console.say(
            f"Published without {counted(len(late), 'organisation')} that gave no answer; they are asked once more."
        )
        again = late_run(run)
        tried = _ran(asked, again, lambda: sync_late(again, late))
        if tried.published or tried.defect is not None:
            run, outcome = again, tried
        elif tried.failure:
            console.say(f"Asking them once more failed: {tried.failure}", "warning")
    note_ending(asked.settings, run.run_id, began, outcome)
    return {run.run_id: outcome}


def _ran(asked: Asked, run: Run, steps: Callable[[], Publication | None]) -> Outcome:
    outcome = Outcome()
    try:
        with traced(run.run_id, outcome), run:
            outcome.published = steps() is not None
            if outcome.published and asked.with_report:
                write_report(run.folder.published, run.folder.report, asked.settings.look)
    except Exception as error:
        outcome.fail(error)
    return outcome
