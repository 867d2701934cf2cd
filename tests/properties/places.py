"""Places in the code where a process stops itself by a signal: a line of a file, met for the nth time, before or after it ran."""

import linecache
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType, FrameType
from typing import Any


@dataclass(frozen=True)
class Place:
    """A line by its text, so that the place is lost, and the test fails, when the code no longer has that step.

    `within` is a function that must be under way. `after` is the moment at which that line has run and the next one of
    the same function has not.
    """

    file: str
    text: str
    nth: int = 1
    after: bool = False
    within: str = ""

    def __str__(self) -> str:
        within = f" within {self.within}" if self.within else ""
        return f"{'after' if self.after else 'before'} {self.file}: {self.text}{within}, {self.nth}"


@dataclass(frozen=True)
class Touch:
    """The nth time that a file is opened for writing, renamed, linked or deleted, as Python's audit events tell."""

    nth: int

    def __str__(self) -> str:
        return f"before touching a file, {self.nth}"


_TOUCHES = ("os.rename", "os.remove", "os.symlink", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod")


def die_at(place: Place | Touch, number: int) -> None:
    """From now on, this process sends itself a signal when it comes to the place, in whichever thread, and goes no further there."""
    at_place(place, partial(_die, number))


def at_place(place: Place | Touch, act: Callable[[], None]) -> None:
    """From now on, this process calls `act` when it comes to the place, in whichever thread."""
    if isinstance(place, Touch):
        sys.addaudithook(_Touches(place, act).hear)
    else:
        tracer = _Tracer(place, act)
        threading.settrace(tracer.entered)
        sys.settrace(tracer.entered)


def _die(number: int) -> None:
    os.kill(os.getpid(), number)
    threading.Event().wait()


class _Touches:
    def __init__(self, touch: Touch, die: Callable[[], None]) -> None:
        self._left, self._die = touch.nth, die

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in _TOUCHES:
            self._left -= 1
            if self._left == 0:
                self._die()


class _Tracer:
    def __init__(self, place: Place, die: Callable[[], None]) -> None:
        self._place, self._die = place, die
        self._left = place.nth
        self._passed: FrameType | None = None
        self._lines = cache(self._lines_of)

    def _lines_of(self, code: CodeType) -> frozenset[int]:
        lines = {line for _, _, line in code.co_lines() if line}
        return frozenset(line for line in lines if self._place.text in linecache.getline(code.co_filename, line))

    def entered(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if code.co_filename.endswith(f"/{self._place.file}") and self._lines(code):
            return self.moved
        return None

    def moved(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame is self._passed:
            self._die()
        if event == "line" and frame.f_lineno in self._lines(frame.f_code) and self._is_within(frame):
            self._left -= 1
            if self._left == 0:
                if not self._place.after:
                    self._die()
                self._passed = frame
        return self.moved

    def _is_within(self, frame: FrameType | None) -> bool:
        while self._place.within and frame is not None:
            if frame.f_code.co_name == self._place.within:
                return True
            frame = frame.f_back
        return not self._place.within
