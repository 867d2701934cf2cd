"""What every verb says: a plain line on stderr or stdout, or one JSON object with --json. Lines fit the terminal.

Bars belong to `screen`, tables to `tables`.
"""

import json
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any

from dcycle_pipeline.cli import heartbeat
from dcycle_pipeline.telemetry.log_lines import note_said, write
from dcycle_pipeline.terminal import cut, fitted
from dcycle_pipeline.text import plain


def say(text: str, level: str = "info") -> None:
    """One plain line for people, on stderr; with DCYCLE_LOG=json, one JSON object for who collects logs."""
    write(level, plain(text))


def show(text: str) -> None:
    """One plain line of the result, on stdout."""
    _print(fitted(plain(text), sys.stdout))


def show_whole(text: str) -> None:
    """One line that somebody copies, or that has its place in a picture: it is never folded."""
    _print(plain(text))


def show_start(text: str) -> None:
    """One line of many: on a terminal it ends where the line does, and other ways show the rest."""
    _print(cut(plain(text), sys.stdout))


def _print(text: str) -> None:
    note_said()
    print(text, flush=True)


def somebody_is_there() -> bool:
    """Whether a terminal can ask a question and be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agrees(question: str) -> bool:
    """Whether the person at the terminal says yes; no is what any other answer means."""
    print(f"{fitted(plain(question), sys.stderr)} [y/N] ", file=sys.stderr, end="", flush=True)
    with heartbeat.silenced():
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def as_json(result: dict[str, Any]) -> None:
    """One machine-readable object on stdout; decimals as text, so that nothing is rounded."""
    print(json.dumps(result, default=_jsonable, ensure_ascii=True), flush=True)


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"  # str() would say 0E-9
    return value.tolist() if hasattr(value, "tolist") else str(value)
