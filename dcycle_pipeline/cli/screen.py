"""What takes a terminal's measure: bars or lines while lists are read, and tables. It loads rich, which plain lines do not need."""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dcycle_pipeline import log_lines
from dcycle_pipeline.cli import console
from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.text import plain

if TYPE_CHECKING:
    from dcycle_pipeline.cli.bars import Bars


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
        with log_lines.about(organization_id=key[1], endpoint=key[0]):
            if not result.nothing_missing:
                with log_lines.about(facility_id=result.key.facility_id):
                    console.say(f"{result.key}: {result.outcome}: {result.reason}", "warning")
            if self._left[key] == 0:
                seconds = time.monotonic() - self._started
                console.say(
                    f"organisation {key[1]}, {key[0]}: {self._total[key]} lists, {self._rows[key]} rows ({seconds:.1f} s)"
                )

    def stop(self) -> None:
        return None


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on a terminal, lines elsewhere and in logs; all on stderr, so that stdout holds the result alone."""
    terminal = Console(stderr=True)
    shown = _bars(terminal) if terminal.is_terminal and not log_lines.are_json() else Lines()
    try:
        yield shown
    finally:
        shown.stop()


def _bars(terminal: Console) -> "Bars":
    from dcycle_pipeline.cli.bars import Bars

    return Bars(terminal)


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Rows as a table on stdout; numbers to the right."""
    terminal = Console(width=None if sys.stdout.isatty() else 160)
    shown = RichTable(title=Text(plain(title)), title_justify="left", title_style="bold")
    for name in rows[0] if rows else ():
        numeric = all(isinstance(row[name], int | float | Decimal) or row[name] is None for row in rows)
        shown.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(plain(_cell(value))) for value in row.values()))
    terminal.print(shown)


def organizations(rows: list[dict[str, Any]]) -> None:
    """What each organisation has. When it was last read is left out: since when it is proven says more, and both do not fit 160 columns."""
    table("Organisations", [{name: row[name] for name in row if name != "read_at"} for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.3f}"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
