"""Runs that die inside the process: an exception that nothing may catch, at a step of the pipeline's own choosing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from dcycle_pipeline import closing, endpoint_sync, journal, ledger, organization_list, publication, summaries
from dcycle_pipeline.landing import LandedFile
from dcycle_pipeline.merge import Staging
from dcycle_pipeline.publish import duckdb_file


class Killed(BaseException):
    """The process is gone."""


POINTS: tuple[tuple[Any, str], ...] = (
    (LandedFile, "keep"),
    (LandedFile, "finish"),
    (journal, "keep_tree"),
    (journal, "keep_sweep"),
    (organization_list, "settle_tree"),
    (Staging, "load"),
    (Staging, "merge"),
    (Staging, "_bury"),
    (Staging, "_insert"),
    (Staging, "_end"),
    (ledger, "record_scopes"),
    (endpoint_sync, "settle"),
    (ledger, "add_requests"),
    (summaries, "refresh"),
    (closing, "content_hash"),
    (ledger, "finish"),
    (duckdb_file, "_copy"),
    (duckdb_file, "_point"),
    (journal, "end_run"),
    (publication, "forget_runs"),
)


@contextmanager
def killed_at(point: int, time: int, *, before: bool) -> Iterator[None]:
    """Whatever runs inside dies before or after the `time`-th call of one of POINTS."""
    owner, name = POINTS[point]
    with patch.object(owner, name, _deadly(getattr(owner, name), time, before=before)):
        yield


def _deadly(original: Callable[..., Any], time: int, *, before: bool) -> Callable[..., Any]:
    calls = 0

    def call(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == time:
            raise Killed
        result = original(*args, **named)
        if calls == time:
            raise Killed
        return result

    return call


def is_kill(error: BaseException) -> bool:
    """Whether it is a kill, alone or inside a group of what it took along."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(Killed)[0] is not None
    return isinstance(error, Killed)
