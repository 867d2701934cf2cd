"""Log lines as JSON, one object a line, for who collects logs (DCYCLE_LOG=json), and what a line is about. Who writes lines belongs to others.

Beside `time`, `level` and `message`, a line has those of `run_id`, `organization_id`, `endpoint`, `facility_id` and `page` that are known.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from dcycle_pipeline.terminal import fitted
from dcycle_pipeline.text import plain

JSON, TEXT = "json", "text"
_format = TEXT
_said_at = time.monotonic()
_about: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - nobody changes it


def choose(log_format: str) -> None:
    """From now on this process writes its lines in that form: `json` or `text`."""
    global _format  # noqa: PLW0603 - a process has one stderr
    _format = log_format


def are_json() -> bool:
    """Whether lines are JSON."""
    return _format == JSON


@contextmanager
def about(**known: object) -> Iterator[None]:
    """What each line is about until the block ends, in this task and those that it starts. What is None is not known."""
    token = _about.set({**_about.get(), **{name: value for name, value in known.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


def known() -> Mapping[str, object]:
    """What lines are about now."""
    return _about.get()


def as_line(level: str, message: str) -> str:
    """One line in the chosen form. `level` is `info`, `warning` or `error`."""
    if not are_json():
        return message
    facts = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "message": message}
    return json.dumps({**facts, **_about.get()})


def said_at() -> float:
    """When something was said last, in seconds of `time.monotonic`."""
    return _said_at


def note_said() -> None:
    """Something was said, on stdout or stderr."""
    global _said_at  # noqa: PLW0603 - a process has one terminal
    _said_at = time.monotonic()


def write(level: str, message: str, *, is_news: bool = True) -> None:
    """Write one line to stderr; on a terminal it fits in, unless it is JSON. What only says that a command still runs is no news."""
    if is_news:
        note_said()
    line = as_line(level, message)
    print(line if are_json() else fitted(line, sys.stderr), file=sys.stderr, flush=True)


def show_warnings() -> None:
    """From now on what the package warns of is a line on stderr, at once."""
    ours = logging.getLogger("dcycle_pipeline")
    if not ours.handlers:
        ours.addHandler(_Logged(logging.WARNING))


class _Logged(logging.Handler):
    """Writes what is logged to stderr, in the chosen form."""

    def emit(self, record: logging.LogRecord) -> None:
        write(record.levelname.lower(), plain(record.getMessage()))
