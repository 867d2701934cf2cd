"""Ctrl-C and SIGTERM end the process at once, at every moment. What a run reports before that belongs to whoever runs it.

A run may be killed anywhere, so nothing has to be unwound. An exception would be lost in callbacks, wrapped by task groups, taken
for the failure of a query, or for a reason to try again.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from dcycle_pipeline.telemetry.log_lines import as_line

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"
# A store that does not answer must not hold up the end.
LAST_WORDS_SECONDS = 5
LANDED = "readers see a whole publication; what landed is taken over by the next sync"
MENDED = "readers see a whole publication; `dcycle-pipeline status` says which"
_at_stake: list[str] = []
_last_words: list[Callable[[], object]] = []
_instead: list[Callable[[], object]] = []
_listening = threading.Event()


@contextmanager
def at_stake(meaning: str) -> Iterator[None]:
    """What it means for data if a signal ends the process, as long as the block lasts; nothing, if nobody says so."""
    _at_stake.append(meaning)
    try:
        yield
    finally:
        _at_stake.remove(meaning)


@contextmanager
def last_words(say: Callable[[], object]) -> Iterator[None]:
    """What to report before a signal ends the process, as long as the block lasts; in a thread of its own."""
    _last_words.append(say)
    try:
        yield
    finally:
        _last_words.remove(say)


@contextmanager
def instead_of_ending(do: Callable[[], object]) -> Iterator[None]:
    """What a signal does as long as the block lasts, where it would end this process: for who waits for another one to end."""
    _instead.append(do)
    try:
        yield
    finally:
        _instead.remove(do)


def end_at_signals() -> Callable[[], None]:
    """From now on a signal ends this process; one that is ignored so far stays ignored. Returns what takes that back.

    Does nothing if that is so already, or outside of the main thread, which alone may say what signals do.
    """
    if _listening.is_set() or threading.current_thread() is not threading.main_thread():
        return lambda: None
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _nothing)
    # Python's own handlers wait for the end of a query; this descriptor is written at once.
    earlier = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _listening.set()
    threading.Thread(target=_listen, args=(reader, heeded), daemon=True).start()

    def take_back() -> None:
        signal.set_wakeup_fd(earlier)
        for number in heeded:
            if signal.getsignal(number) is _nothing:  # another handler is of a library that looks after it
                signal.signal(number, before[number])
        _listening.clear()
        os.close(writer)

    return take_back


def is_ending() -> bool:
    """Whether a signal ends this process."""
    return _listening.is_set()


@contextmanager
def unraised() -> Iterator[None]:
    """Let no handler of a library raise at a signal meanwhile, if it ends the process anyway."""
    with ExitStack() as stack:
        if _listening.is_set() and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                stack.callback(signal.signal, number, signal.signal(number, _nothing))
        yield


def _nothing(*_: object) -> None:
    return None


def _listen(reader: int, heeded: list[signal.Signals]) -> None:
    while data := os.read(reader, 1):
        if data[0] not in heeded:
            continue
        if _instead:
            _instead[-1]()
        else:
            _end(signal.Signals(data[0]))
    os.close(reader)


def _end(number: signal.Signals) -> None:
    cursor = SHOW_CURSOR if os.isatty(2) else b""
    line = f"Stopped by {': '.join([number.name, *_at_stake[-1:]])}."
    try:
        os.write(2, cursor + f"{as_line('warning', line)}\n".encode())
        if _last_words:
            speaking = threading.Thread(target=_speak, daemon=True)
            speaking.start()
            speaking.join(LAST_WORDS_SECONDS)
    finally:
        os._exit(128 + number)


def _speak() -> None:
    for say in reversed(_last_words):
        say()
