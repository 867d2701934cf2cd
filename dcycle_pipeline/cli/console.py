"""What the command line shows: bars and tables on a terminal, plain lines elsewhere, one JSON object with --json."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.text import plain


class Bars:
    """A bar for every organisation and endpoint, with counts and the time that is left."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rows]} rows"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=False)
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._rows: dict[tuple[str, str], int] = defaultdict(int)

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        self._progress.start()
        self._tasks[endpoint, organization_id] = self._progress.add_task(
            escape(plain(f"{organization_id[:13]} {endpoint}")), total=lists_count, rows=0
        )

    def finished(self, result: ListResult) -> None:
        key = (result.key.endpoint, result.key.organization_id)
        self._rows[key] += result.rows_count
        self._progress.update(self._tasks[key], advance=1, rows=self._rows[key])
        if not result.nothing_missing:
            self._progress.console.print(
                Text(plain(f"{result.key}: {result.outcome}: {result.reason}"), style="yellow")
            )

    def stop(self) -> None:
        self._progress.stop()


class Lines:
    """One line when an endpoint of an organisation is read, with the time since the start; one for a list that stays unproven."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._left: dict[tuple[str, str], int] = {}
        self._total: dict[tuple[str, str], int] = {}
        self._rows: dict[tuple[str, str], int] = defaultdict(int)

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        self._left[endpoint, organization_id] = self._total[endpoint, organization_id] = lists_count

    def finished(self, result: ListResult) -> None:
        key = (result.key.endpoint, result.key.organization_id)
        self._left[key] -= 1
        self._rows[key] += result.rows_count
        if not result.nothing_missing:
            say(f"{result.key}: {result.outcome}: {result.reason}")
        if self._left[key] == 0:
            seconds = time.monotonic() - self._started
            say(f"organisation {key[1]}, {key[0]}: {self._total[key]} lists, {self._rows[key]} rows ({seconds:.1f} s)")

    def stop(self) -> None:
        return None


@contextmanager
def progress() -> Iterator[Bars | Lines]:
    """Bars on a terminal, lines elsewhere; both on stderr, so that stdout holds the result alone."""
    console = Console(stderr=True)
    shown = Bars(console) if console.is_terminal else Lines()
    try:
        yield shown
    finally:
        shown.stop()


def say(text: str) -> None:
    """One plain line for people, on stderr."""
    print(plain(text), file=sys.stderr, flush=True)


def show(text: str) -> None:
    """One plain line of the result, on stdout."""
    print(plain(text), flush=True)


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Rows as a table on stdout; numbers to the right."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    shown = RichTable(title=Text(plain(title)), title_justify="left", title_style="bold")
    for name in rows[0] if rows else ():
        numeric = all(isinstance(row[name], int | float | Decimal) or row[name] is None for row in rows)
        shown.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(plain(_cell(value))) for value in row.values()))
    console.print(shown)


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.3f}"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def as_json(result: dict[str, Any]) -> None:
    """One machine-readable object on stdout; decimals as text, so that nothing is rounded."""
    print(json.dumps(result, default=_jsonable, ensure_ascii=True), flush=True)


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
