"""From a Dagster step to a run: settings, progress, one open working file a process, and errors that people can read."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from dcycle_pipeline import signals
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.notify.endings import note_ending, note_failure
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.endings import STOPPED, canceled_at_signals, is_interruption, seen_alive
from dcycle_pipeline.orchestration.failures import Context, failure_of
from dcycle_pipeline.orchestration.log_progress import LogProgress
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.settings import open_telemetry as telemetry_asked_for
from dcycle_pipeline.sync.outcome import Outcome
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.telemetry import log_lines, open_telemetry

PUBLISHED_FILE = "published_file"
OPEN_RUN = "open_run"
ACCEPTED_DROPS = "accepted_drops"
# What a person may say of one run in the launchpad.
RUN_CONFIGURATION = {
    ACCEPTED_DROPS: dg.Field(
        [str],
        default_value=[],
        description="Ids of organisations whose rows may vanish in any number. Without it, a sync holds a list that loses more than "
        "a fifth of its rows, until somebody has looked. The API still has to confirm each row.",
    )
}
RETRY = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
# Nothing is held while a run waits for the API: so it waits some four hours, and an outage in the night costs no day.
API_RETRY = dg.RetryPolicy(max_retries=7, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@dataclass(frozen=True)
class Environment:
    """What the definitions are made with.

    How to get settings; who hears of progress (Dagster's log by default); how long a step waits for the folder; what a step that failed
    does next, and one that got no answer from the API before anything was read; whether a run has a process of its own, which a signal
    may end; whose partitions. `outcomes` is where steps write how each run ends, by run id, for a caller in the same process.
    """

    settings: Callable[[], Settings]
    progress: Progress | None = None
    # The folder's lock alone lets one run write, so a run waits here while another one syncs.
    wait_for_folder_seconds: float = 3600
    retry: dg.RetryPolicy | None = RETRY
    api_retry: dg.RetryPolicy | None = API_RETRY
    ends_at_signals: bool = False
    account: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def outcome_of(self, run_id: str) -> Outcome:
        return self.outcomes.setdefault(run_id, Outcome())


class OpenRun:
    """The run of this process: its steps share one open working file, until Dagster lets go of the resource."""

    def __init__(self, environment: Environment, accepted_drops: Iterable[str] = ()) -> None:
        self._environment = environment
        self._accepted_drops = frozenset(accepted_drops)
        self._run: Run | None = None
        self._told: set[tuple[str, str]] = set()
        self._began = datetime.now(UTC)
        self._held = ExitStack()

    def of(self, context: Context, backfill: Backfill | None = None) -> Run:
        """The run that a step belongs to, with that step's log. `backfill` says what it is for, if it is one."""
        environment = self._environment
        if self._run is None:
            selected = context.run.asset_selection  # none, or an empty one, is all
            settings = self._settings()
            _write_lines(settings)
            self._held.enter_context(seen_alive(context.instance, DataFolder(settings.data_dir), context.run.run_id))
            self._run = Run(
                context.run.run_id,
                settings,
                wait_for_folder_seconds=environment.wait_for_folder_seconds,
                accepted_drops=self._accepted_drops,
                publishes=not selected or dg.AssetKey(PUBLISHED_FILE) in selected,
                backfill=backfill,
            )
        names = partitions.names(context.instance, environment.account)
        self._run.progress = environment.progress or LogProgress(context.log, names, self._told)
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
        open_telemetry.send()
        if self._run is not None:
            outcome, pending_only = self._environment.outcome_of(self._run.run_id), self._run.pending_only
            note_ending(self._run.settings, self._run.run_id, self._began, outcome, pending_only=pending_only)


def _write_lines(settings: Settings) -> None:
    """With DCYCLE_LOG=json, what the package warns of is written to stderr too, beside Dagster's own log."""
    log_lines.choose(settings.log)
    if log_lines.are_json():
        log_lines.show_warnings()


def open_run_resource(environment: Environment) -> dg.ResourceDefinition:
    """The resource that all steps use; Dagster makes one a process and run, and closes it at the end."""

    @dg.resource(
        config_schema=RUN_CONFIGURATION,
        description="The run with its open working file; nobody else writes into the data folder meanwhile.",
    )
    def open_run(context: dg.InitResourceContext) -> Iterator[OpenRun]:
        with ExitStack() as stack:
            if environment.ends_at_signals and context.instance and context.run:
                stack.callback(signals.end_at_signals())
                stack.enter_context(signals.at_stake(signals.LANDED))
                stack.enter_context(canceled_at_signals(context.instance, context.run.run_id))
            held = OpenRun(environment, context.resource_config[ACCEPTED_DROPS])
            stack.callback(held.close)
            yield held

    return open_run


@contextmanager
def step(
    context: Context,
    environment: Environment,
    backfill: Callable[[], Backfill | None] = lambda: None,
) -> Iterator[Run]:
    """The run, to call a step of it; what the step raises becomes a failure that says what to do next."""
    outcome = environment.outcome_of(context.run.run_id)
    open_telemetry.start(telemetry_asked_for())
    try:
        with signals.unraised(), open_telemetry.span(context.op_def.name, run_id=context.run.run_id):
            yield context.resources.open_run.of(context, backfill())
        outcome.succeed(context.op_def.name)
    except BaseException as error:
        if is_interruption(error):  # Dagster's retry policy would repeat what somebody has stopped
            raise dg.Failure(STOPPED, allow_retries=False) from None
        if isinstance(error, Exception):
            outcome.fail(error, context.op_def.name)
        if isinstance(error, DcycleError):
            raise failure_of(error, context) from None
        raise
