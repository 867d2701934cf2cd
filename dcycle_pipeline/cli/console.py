"""What every verb says: a plain line on stderr or stdout, or one JSON object with --json. Bars and tables belong to `screen`."""

import json
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any

from dcycle_pipeline.log_lines import write
from dcycle_pipeline.text import plain


def say(text: str, level: str = "info") -> None:
    """One plain line for people, on stderr; with DCYCLE_LOG=json, one JSON object for who collects logs."""
    write(level, plain(text))


def show(text: str) -> None:
    """One plain line of the result, on stdout."""
    print(plain(text), flush=True)


def somebody_is_there() -> bool:
    """Whether a terminal can ask a question and be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agrees(question: str) -> bool:
    """Whether the person at the terminal says yes; no is what any other answer means."""
    print(f"{plain(question)} [y/N] ", file=sys.stderr, end="", flush=True)
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
