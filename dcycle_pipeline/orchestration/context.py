"""From a Dagster step to a run of the stages: settings, progress, and errors that people can read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from dcycle_pipeline.errors import DcycleError, SettingsError, UnavailableError
from dcycle_pipeline.landing.fetch import Swept
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.run import Progress, Run

NOTHING_PUBLISHED, WRONG_SETTINGS = 3, 2
EXIT_CODE = "exit_code"
PUBLISHED_FILE = "published_file"
ACCEPTED_DROPS_TAG = "dcycle_pipeline/accepted_drops"
RETRY = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@dataclass(frozen=True)
class Environment:
    """What the definitions are made with: how to get settings, and who is told of progress (Dagster's log by default),
    and what a step that failed does next."""

    settings: Callable[[], Settings]
    progress: Progress | None = None
    wait_for_folder_seconds: float = 600
    retry: dg.RetryPolicy | None = RETRY


class LogProgress:
    """Progress as lines of the run's log: one for every organisation, one for every scope that stays open."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log

    def expect(self, endpoint: str, organization_id: str, total: int) -> None:
        self._log.info(f"{endpoint}: {total} lists to read for organisation {organization_id}")

    def swept(self, swept: Swept) -> None:
        if not swept.proven:
            self._log.warning(f"{swept.scope}: {swept.outcome}: {swept.reason}")


@contextmanager
def stage(context: dg.AssetExecutionContext, environment: Environment) -> Iterator[Run]:
    """A run to call stages with; what they raise becomes a failure in one line, retried only where that can help."""
    try:
        progress = environment.progress or LogProgress(context.log)
        selected = context.run.asset_selection
        yield Run(
            context.run.run_id,
            environment.settings(),
            progress,
            wait_for_folder_seconds=environment.wait_for_folder_seconds,
            accepted_drops=frozenset(context.run.tags.get(ACCEPTED_DROPS_TAG, "").split()),
            publishes=selected is None or dg.AssetKey(PUBLISHED_FILE) in selected,
        )
    except SettingsError as error:
        raise dg.Failure(str(error), metadata={EXIT_CODE: WRONG_SETTINGS}, allow_retries=False) from None
    except DcycleError as error:
        may_pass = isinstance(error, UnavailableError)
        raise dg.Failure(str(error), metadata={EXIT_CODE: NOTHING_PUBLISHED}, allow_retries=may_pass) from None
