"""Runs that die inside the process: an exception that nothing may catch, at a step of the pipeline's own choosing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from dcycle_pipeline import summaries
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import LandedFile
from dcycle_pipeline.publish import record, snapshots
from dcycle_pipeline.sync import merging, organizations, publication
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.merge import Staging


class Killed(BaseException):
    """The process is gone."""


POINTS: tuple[tuple[Any, str], ...] = (
    (LandedFile, "keep"),
    (LandedFile, "finish"),
    (manifest, "write_tree"),
    (manifest, "write_sweep"),
    (organizations, "merge_tree"),
    (Staging, "load"),
    (Staging, "merge"),
    (Staging, "_insert_last_values"),
    (Staging, "_insert_versions"),
    (Staging, "_end_versions"),
    (run_log, "record_lists"),
    (merging, "merge_sweeps"),
    (run_log, "add_requests"),
    (summaries, "refresh"),
    (record, "content_hash"),
    (run_log, "finish"),
    (snapshots, "_copy"),
    (snapshots, "point"),
    (manifest, "end_run"),
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
