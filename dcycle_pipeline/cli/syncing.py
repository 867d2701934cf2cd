"""What the verbs `sync` and `demo` do: run the steps, with Dagster or without, and tell what came of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from dcycle_pipeline import log_lines, settings
from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.cli.results import tell
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.notify.endings import note_ending, note_failure
from dcycle_pipeline.publish import destinations
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.organizations import organizations_to_sync
from dcycle_pipeline.sync.outcome import GAPS, WRONG_SETTINGS, Outcome
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.sync.result import result_of
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import sync_whole


def sync_and_tell(
    load: Callable[[], Settings], organizations: list[str], as_json: bool, accepted_drops: Sequence[str] = ()
) -> int:
    """Sync what `load` says, with Dagster if it has a home, and tell what was published. Returns the exit code."""
    started = time.monotonic()
    loaded = _loaded(load)
    folder = DataFolder(loaded.data_dir)
    with folder.writing("dcycle-pipeline", wait_seconds=0), screen.progress() as shown:
        run = _run_in_dagster if settings.dagster_home() else _run_here
        outcomes = run(loaded, shown, organizations, accepted_drops)
    for failed in (outcome for outcome in outcomes.values() if outcome.failure and not outcome.published):
        if failed.defect is not None:
            raise failed.defect
        raise SettingsError(failed.failure) if failed.exit_code == WRONG_SETTINGS else DcycleError(failed.failure)
    runs = [result_of(folder.published, run_id, organizations) for run_id in outcomes]
    worst = max(runs, key=lambda run: run["exit_code"])
    for failed in (outcome for outcome in outcomes.values() if outcome.failure):
        console.say(f"Published, but the report was not written: {failed.failure}", "warning")
        worst["exit_code"] = GAPS
    worst["duration_seconds"] = round(time.monotonic() - started, 3)
    if as_json:
        console.as_json(worst if len(runs) == 1 else {**worst, "runs": runs})
    else:
        tell(worst)
    return int(worst["exit_code"])


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


def _run_here(
    loaded: Settings, shown: Progress, organizations: list[str], accepted_drops: Sequence[str]
) -> Mapping[str, Outcome]:
    """The same steps without Dagster, which nobody could look at without a DAGSTER_HOME."""
    with _told_if_none_begins(loaded):
        organizations_to_sync(loaded, [*organizations, *accepted_drops])
    outcomes = {}
    for named in [[each] for each in organizations] or [[]]:
        accepted, began = frozenset(accepted_drops), datetime.now(UTC)
        run = Run(str(uuid4()), loaded, shown, wait_for_folder_seconds=0, accepted_drops=accepted)
        outcome = outcomes[run.run_id] = Outcome()
        with log_lines.about(run_id=run.run_id):
            try:
                with run:
                    sync_whole(run, named)
                    outcome.published = True
                    write_report(run.folder.published, run.folder.report)
            except Exception as error:
                outcome.fail(error)
            note_ending(loaded, run.run_id, began, outcome)
    return outcomes


def show_tables(data_dir: Path) -> None:
    """Every table with its number of rows, and what each organisation has."""
    file = DataFolder(data_dir).readable
    screen.table("Tables", published_file.contents(file))
    screen.organizations(published_file.rows(file, published_file.BY_ORGANIZATION))
    console.show(f"Open it read-only with any DuckDB from 1.4 on: {file.absolute()}")
