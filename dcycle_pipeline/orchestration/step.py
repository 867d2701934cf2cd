"""From a Dagster step to a run: settings, progress, one open working file a process, and errors that people can read."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from dcycle_pipeline import log_lines, signals
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.errors import DcycleError, SettingsError, UnavailableError
from dcycle_pipeline.landing.lists import Backfill, ListResult
from dcycle_pipeline.notify.endings import note_ending, note_failure
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.endings import STOPPED, canceled_at_signals, is_interruption, seen_alive
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.outcome import Outcome
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import plain

PUBLISHED_FILE = "published_file"
PARTITIONED = [endpoint.name for endpoint in (*declared(), *YEAR_TOTALS)]
ACCEPTED_DROPS_TAG = "dcycle_pipeline/accepted_drops"
OPEN_RUN = "open_run"
RETRY = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@dataclass(frozen=True)
class Environment:
    """What the definitions are made with.

    How to get settings; who hears of progress (Dagster's log by default); how long a step waits for the folder; what a step that failed
    does next; whether a run has a process of its own, which a signal may end; whose partitions. `outcomes` is where steps write how each run ends, by run
    id, for a caller in the same process.
    """

    settings: Callable[[], Settings]
    progress: Progress | None = None
    # The folder's lock alone lets one run write, so a run waits here while another one syncs.
    wait_for_folder_seconds: float = 3600
    retry: dg.RetryPolicy | None = RETRY
    ends_at_signals: bool = False
    account: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def outcome_of(self, run_id: str) -> Outcome:
        return self.outcomes.setdefault(run_id, Outcome())


class LogProgress:
    """Progress as lines of the run's log: one for every organisation, one for every list of which something may be missing."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        text = f"{endpoint}: {lists_count} lists to read for organisation {organization_id}"
        self._say("info", text, organization_id=organization_id, endpoint=endpoint)

    def finished(self, result: ListResult) -> None:
        if not result.nothing_missing:
            key, text = result.key, f"{result.key}: {result.outcome}: {result.reason}"
            where = {"organization_id": key.organization_id, "endpoint": key.endpoint, "facility_id": key.facility_id}
            self._say("warning", text, **where)

    def _say(self, level: str, text: str, **where: object) -> None:
        self._log.log(level.upper(), plain(text))
        if log_lines.are_json():
            with log_lines.about(**where):
                log_lines.write(level, plain(text))


class OpenRun:
    """The run of this process: its steps share one open working file, until Dagster lets go of the resource."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._run: Run | None = None
        self._began = datetime.now(UTC)
        self._held = ExitStack()

    def of(self, context: dg.AssetExecutionContext | dg.OpExecutionContext, backfill: Backfill | None = None) -> Run:
        """The run that a step belongs to, with that step's log. `backfill` says what it is for, if it is one."""
        environment = self._environment
        if self._run is None:
            if backfill is None:
                partitions.refuse_none(context.run, PARTITIONED)
            selected = context.run.asset_selection  # none, or an empty one, is all
            settings = self._settings()
            _write_lines(settings)
            self._held.enter_context(seen_alive(context.instance, DataFolder(settings.data_dir), context.run.run_id))
            self._run = Run(
                context.run.run_id,
                settings,
                wait_for_folder_seconds=environment.wait_for_folder_seconds,
                accepted_drops=frozenset(context.run.tags.get(ACCEPTED_DROPS_TAG, "").split()),
                publishes=not selected or dg.AssetKey(PUBLISHED_FILE) in selected,
                backfill=backfill,
            )
        self._run.progress = environment.progress or LogProgress(context.log)
        return self._run

    def _settings(self) -> Settings:
        try:
            return self._environment.settings()
        except SettingsError as error:
            note_failure(error, None, self._began)
            raise

    def close(self) -> None:
        if self._run is not None:
            self._run.close()
        self._held.close()
        if self._run is not None:
            note_ending(
                self._run.settings, self._run.run_id, self._began, self._environment.outcome_of(self._run.run_id)
            )


def _write_lines(settings: Settings) -> None:
    """With DCYCLE_LOG=json, what the package warns of is written to stderr too, beside Dagster's own log."""
    log_lines.choose(settings.log)
    if log_lines.are_json():
        log_lines.show_warnings()


def open_run_resource(environment: Environment) -> dg.ResourceDefinition:
    """The resource that all steps use; Dagster makes one a process and run, and closes it at the end."""

    @dg.resource(description="The run with its open working file; nobody else writes into the data folder meanwhile.")
    def open_run(context: dg.InitResourceContext) -> Iterator[OpenRun]:
        with ExitStack() as stack:
            if environment.ends_at_signals and context.instance and context.run:
                stack.callback(signals.end_at_signals())
                stack.enter_context(canceled_at_signals(context.instance, context.run.run_id))
            held = OpenRun(environment)
            stack.callback(held.close)
            yield held

    return open_run


@contextmanager
def step(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    environment: Environment,
    backfill: Callable[[], Backfill | None] = lambda: None,
) -> Iterator[Run]:
    """The run, to call a step of it; what the step raises becomes a failure in one line, retried only if that can help."""
    outcome = environment.outcome_of(context.run.run_id)
    try:
        with signals.unraised(), log_lines.about(run_id=context.run.run_id):
            yield context.resources.open_run.of(context, backfill())
        outcome.succeed(context.op_def.name)
    except BaseException as error:
        if is_interruption(error):  # Dagster's retry policy would repeat what somebody has stopped
            raise dg.Failure(STOPPED, allow_retries=False) from None
        if isinstance(error, Exception):
            outcome.fail(error, context.op_def.name)
        if isinstance(error, DcycleError):
            raise dg.Failure(plain(str(error)), allow_retries=isinstance(error, UnavailableError)) from None
        raise
