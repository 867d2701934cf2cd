"""Says what a command does if it said nothing for five seconds: what it waits for, what comes next, and until when.

What waits is noted by `api.waiting`; what is read, by whoever shows progress.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dcycle_pipeline.api import waiting
from dcycle_pipeline.telemetry import log_lines
from dcycle_pipeline.text import plain

SILENCE_SECONDS = 4.0  # with the time between two looks, and that of a busy machine, less than five
# Who waits for so long has seen that something happens: a log of a night need not say it every five seconds.
OFTEN_SECONDS, RARELY_SECONDS = 60.0, 60.0
_LOOK_SECONDS = 0.5

ALL_READ = "what was read goes into tables, summaries and the published file"
SHOWN_ALREADY = "shown"  # bars move by themselves
State = Callable[[], str]


def _nothing_known() -> str:
    return ""


class Heartbeat:
    """Looks at what was said last, and says more if that is long ago. `clock` counts seconds as `time.monotonic` does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._said_at = self._quiet_since = clock()

    def look(self, state: State = _nothing_known) -> str:
        """What to say now; empty if there is nothing. Whoever gets a text says it."""
        now = self._clock()
        if log_lines.said_at() > self._said_at:
            self._said_at = self._quiet_since = log_lines.said_at()
        often = now - self._quiet_since <= OFTEN_SECONDS
        if now - self._said_at < (SILENCE_SECONDS if often else RARELY_SECONDS):
            return ""
        line = self._line(now, state())
        self._said_at = now if line else self._said_at
        return line

    def _line(self, now: float, known: str) -> str:
        waits = waiting.longest(now, SILENCE_SECONDS)
        if known == SHOWN_ALREADY:
            return waits.told(now) if waits else ""
        facts = [f"Still at work after {now - self._began:.0f} s", known, waits.told(now) if waits else ""]
        return ": ".join(fact for fact in facts if fact).removesuffix(".") + "."


_state: State = _nothing_known
_silenced = threading.Event()


@contextmanager
def beating() -> Iterator[None]:
    """Until the block ends, the command says something every few seconds."""
    over, heart = threading.Event(), Heartbeat()

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if not _silenced.is_set() and (line := heart.look(_state)):
                log_lines.write("info", plain(line), is_news=False)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@contextmanager
def knowing(state: State) -> Iterator[None]:
    """Until the block ends, `state` says what is being done; SHOWN_ALREADY if something else shows it."""
    global _state  # noqa: PLW0603 - a process runs one command
    before, _state = _state, state
    try:
        yield
    finally:
        _state = before


@contextmanager
def silenced() -> Iterator[None]:
    """Until the block ends, nothing is said: the command waits for a person."""
    _silenced.set()
    try:
        yield
    finally:
        _silenced.clear()
