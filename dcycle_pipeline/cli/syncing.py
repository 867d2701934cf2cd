"""What the verbs `sync` and `demo` do: run the steps, with Dagster or without, and tell what came of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.cli.results import report_of, tell
from dcycle_pipeline.cli.running import Asked, run_group
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DcycleError, SettingsError, few
from dcycle_pipeline.notify.endings import note_failure
from dcycle_pipeline.publish import destinations
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.failed import organizations_left_unread, organizations_with_gaps
from dcycle_pipeline.sync.naming import organization_ids
from dcycle_pipeline.sync.organizations import verify_named
from dcycle_pipeline.sync.outcome import GAPS, OK, WRONG_SETTINGS, Outcome
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.sync.result import result_of

NONE_LEFT_UNREAD = "Nothing to read again: the last run left no organisation unread. What was published stays."
MOST_NAMED = 5


def sync_and_tell(
    load: Callable[[], Settings],
    organizations: list[str],
    as_json: bool,
    accepted_drops: Sequence[str] = (),
    *,
    only_failed: bool = False,
) -> int:
    """Sync what `load` says, with Dagster if it has a home, and tell what was published. Returns the exit code.

    With `only_failed`, only what the last run left unread, in one run.
    """
    result = synced(load, organizations, accepted_drops, only_failed=only_failed)
    if as_json:
        console.as_json(result)
    elif "message" in result:
        console.show(result["message"])
    else:
        tell(result)
    return int(result["exit_code"])


def synced(
    load: Callable[[], Settings],
    organizations: list[str],
    accepted_drops: Sequence[str] = (),
    *,
    with_report: bool = True,
    only_failed: bool = False,
) -> dict[str, Any]:
    """Sync what `load` says, with Dagster if it has a home. The result of the worst run, and of all in `runs` if there are several; a
    `message` if there was nothing to read.

    Without `with_report` only Dagster writes the report, to which it is an asset like the others.
    """
    started = time.monotonic()
    loaded = _loaded(load)
    with _told_if_none_begins(loaded):
        organizations, accepted_drops = (organization_ids(loaded, named) for named in (organizations, accepted_drops))
    folder = DataFolder(loaded.data_dir)
    with folder.writing("dcycle-pipeline", wait_seconds=0), screen.progress() as shown:
        groups = [[each] for each in organizations] or [[]]
        if only_failed:
            groups = _groups_left_unread(loaded)
            organizations = [each for group in groups for each in group]
        if not groups:
            return {"exit_code": OK, "message": _why_none_is_read_again(loaded)}
        if settings.dagster_home():
            outcomes = _run_in_dagster(loaded, shown, organizations, accepted_drops)
        else:
            asked = Asked(loaded, shown, frozenset(accepted_drops), with_report)
            outcomes = _run_here(asked, groups, is_hurried=not only_failed)
    for failed in (outcome for outcome in outcomes.values() if outcome.failure and not outcome.published):
        if failed.defect is not None:
            raise failed.defect
        raise SettingsError(failed.failure) if failed.exit_code == WRONG_SETTINGS else DcycleError(failed.failure)
    runs = [result_of(folder.published, run_id, organizations) for run_id in outcomes]
    worst = max(runs, key=lambda run: run["exit_code"])
    for failed in (outcome for outcome in outcomes.values() if outcome.failure):
        console.say(f"Published, but the report was not written: {failed.failure}", "warning")
        worst["exit_code"] = GAPS
    worst |= report_of(folder)
    worst["duration_seconds"] = round(time.monotonic() - started, 3)
    return worst if len(runs) == 1 else {**worst, "runs": runs}


def _groups_left_unread(loaded: Settings) -> list[list[str]]:
    with _told_if_none_begins(loaded):
        unread = organizations_left_unread(loaded)
    if unread is None:
        console.say(
            "The last run published nothing: every organisation is read, and what that run landed is taken over."
        )
        return [[]]
    return [unread] if unread else []


def _why_none_is_read_again(loaded: Settings) -> str:
    if not (others := organizations_with_gaps(loaded)):
        return NONE_LEFT_UNREAD
    return (
        f"Nothing to read again: what is published has gaps only of organisations that are excluded, or no longer in the tree: "
        f"{few(others, MOST_NAMED, ', ')}. The next `dcycle-pipeline sync` leaves out who is excluded."
    )


def _loaded(load: Callable[[], Settings]) -> Settings:
    began = datetime.now(UTC)
    try:
        loaded = load()
    except SettingsError as error:
        note_failure(error, None, began)
        raise
    with _told_if_none_begins(loaded):
        destinations.chosen(loaded)
    return loaded


@contextmanager
def _told_if_none_begins(loaded: Settings) -> Iterator[None]:
    """What is raised here keeps every run from beginning, so no run can tell of it."""
    began = datetime.now(UTC)
    try:
        yield
    except DcycleError as error:
        note_failure(error, loaded, began)
        raise


def _run_in_dagster(
    loaded: Settings, shown: Progress, organizations: list[str], accepted_drops: Sequence[str]
) -> Mapping[str, Outcome]:
    """The Dagster job, so that its runs and checks show in the UI of DAGSTER_HOME."""
    # Dagster takes a second of processor time to load: only a run that somebody will look at pays for that.
    from dcycle_pipeline.orchestration.in_process import run_job
    from dcycle_pipeline.orchestration.step import Environment

    environment = Environment(lambda: loaded, shown, wait_for_folder_seconds=0)
    with _told_if_none_begins(loaded):
        return run_job(environment, organizations, accepted_drops)


def _run_here(asked: Asked, groups: list[list[str]], *, is_hurried: bool) -> Mapping[str, Outcome]:
    """The same steps without Dagster, which nobody could look at without a DAGSTER_HOME. One run for each group of organisations."""
    with _told_if_none_begins(asked.settings):
        verify_named(asked.settings, [*(each for group in groups for each in group), *asked.accepted_drops])
    outcomes: dict[str, Outcome] = {}
    for named in groups:
        outcomes |= run_group(asked, named, is_hurried=is_hurried)
    return outcomes
