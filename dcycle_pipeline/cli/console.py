"""What every verb says: a plain line on stderr or stdout, or one JSON object with --json. Bars and tables belong to `screen`."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dcycle_pipeline.log_lines import write
from dcycle_pipeline.text import plain


def say(text: str, level: str = "info") -> None:
    """One plain line for people, on stderr; with DCYCLE_LOG=json, one JSON object for who collects logs."""
    write(level, plain(text))


def show(text: str) -> None:
    """One plain line of the result, on stdout."""
    print(plain(text), flush=True)


def as_json(result: dict[str, Any]) -> None:
    """One machine-readable object on stdout; decimals as text, so that nothing is rounded."""
    print(json.dumps(result, default=_jsonable, ensure_ascii=True), flush=True)


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
