"""A command on a terminal of so many columns: a process of its own behind a pseudo-terminal, and the screen that it leaves."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

ROWS = 1000  # so that nothing scrolls off


class _Screen(pyte.Screen):
    """A screen that remembers which of its lines the terminal broke off because they were too long."""

    def __init__(self, columns: int) -> None:
        self.folded: set[int] = set()
        self._is_drawing = False
        super().__init__(columns, ROWS)

    def draw(self, data: str) -> None:
        self._is_drawing = True
        super().draw(data)
        self._is_drawing = False

    def linefeed(self) -> None:
        if self._is_drawing:
            self.folded.add(self.cursor.y)
        super().linefeed()


@dataclass(frozen=True)
class Captured:
    """What a command left to see, line by line. `is_folded` says of each line whether the terminal broke it off at its edge."""

    code: int
    lines: list[str]
    is_folded: list[bool]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def on_a_terminal(words: Sequence[str], columns: int, cwd: Path, environment: Mapping[str, str]) -> Captured:
    """What the command shows on a terminal of so many columns, stdout and stderr together as people see them."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        list(words),
        cwd=cwd,
        env=dict(environment) | {"TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    screen = _Screen(columns)
    stream = pyte.ByteStream(screen)
    for part in iter(lambda: _read(master), b""):
        stream.feed(part)
    os.close(master)
    shown = [line.rstrip() for line in screen.display]
    last = max((at for at, line in enumerate(shown) if line), default=-1) + 1
    return Captured(process.wait(timeout=60), shown[:last], [at in screen.folded for at in range(last)])


def in_a_pipe(words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Captured:
    """What the command writes where nobody looks: stderr, then stdout."""
    done = subprocess.run(
        list(words), cwd=cwd, env=dict(environment), capture_output=True, text=True, timeout=60, check=False
    )
    lines = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    return Captured(done.returncode, lines, [False] * len(lines))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux says so when the last writer is gone
        return b""
