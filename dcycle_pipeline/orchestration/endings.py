"""How a run ends in Dagster's eyes if it cannot say so itself: a signal ended its process, or its process died."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dcycle_pipeline import signals
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.data_folder.lives import forget, found_dead, living

STOPPED = "Stopped. Readers see a whole publication; the next run takes over what landed."
DIED = "The process of this run died. Readers see a whole publication; the next run takes over what landed."
CANCELED = [dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED]
NOT_AGAIN = {"dagster/max_retries": "0"}  # the run that finds it dead takes its place
LOOK_SECONDS = 2
QUERY_INTERRUPTED = "Query interrupted"  # DuckDB's message when a handler raised during a query


@contextmanager
def canceled_at_signals(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """A signal that ends this process cancels the run first, and whoever cancels the run ends the process.

    Dagster itself reaches only processes that it started, and those only where its handlers may raise.
    """
    ended = threading.Event()

    def cancel() -> None:
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_canceled(run, STOPPED)

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            run = instance.get_run_by_id(run_id)
            if run and run.status in CANCELED:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    with signals.last_words(cancel):
        if signals.is_ending():
            threading.Thread(target=look, daemon=True).start()
        try:
            yield
        finally:
            ended.set()


@contextmanager
def seen_alive(instance: dg.DagsterInstance, folder: DataFolder, run_id: str) -> Iterator[None]:
    """Let others see that this run lives, and first end those runs over the same folder whose process is gone."""
    folder.prepare()
    with living(folder.working, run_id):
        for dead in found_dead(folder.working):
            run = instance.get_run_by_id(dead)
            if run and not run.is_finished:
                instance.add_run_tags(dead, NOT_AGAIN)
                end = instance.report_run_canceled if run.status in CANCELED else instance.report_run_failed
                end(run, DIED)
            forget(folder.working, dead)
        yield


def is_interruption(error: BaseException | None) -> bool:
    """Whether somebody's wish to stop is behind an error, in whatever form the libraries on its way gave it."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_interruption(each) for each in error.exceptions)
    if error is None or isinstance(error, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
        return error is not None
    return QUERY_INTERRUPTED in str(error) or is_interruption(error.__cause__ or error.__context__)
