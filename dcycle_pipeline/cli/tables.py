"""Rows as a table that fits the terminal, or as plain columns if there is none. No number, date or id is ever folded.

Ids come last, whatever the order of the columns. Where there is no room, their start stands for them if texts fit whole then; else texts
are folded, and then columns are left out that are spare. A table that does not fit even so is shown row by row. Which rows are shown belongs to others.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dcycle_pipeline.cli import console
from dcycle_pipeline.terminal import columns_of, units, width_of, wrapped
from dcycle_pipeline.text import plain

SHORT_ID = 8  # characters: the first block of a UUID
NARROWEST_TEXT = 16  # columns: prose in less is hard to read
_GAP = "  "
_ID = re.compile(r"(?:.*[_ ])?ids?")
_CUT = "…"


@dataclass(frozen=True)
class _Column:
    """One column as text. `least` and `most` are the columns of the terminal that it needs and could use."""

    name: str
    cells: list[str]
    is_number: bool
    is_id: bool

    @property
    def most(self) -> int:
        return max(map(width_of, [self.name, *self.cells]))

    @property
    def least(self) -> int:
        if self.is_number or self.is_id:
            return max(map(width_of, [*units(self.name), *self.cells]))
        longest = max((width_of(unit) for text in [self.name, *self.cells] for unit in units(text)), default=0)
        return max(longest, min(self.most, NARROWEST_TEXT))

    def shortened(self) -> "_Column":
        if not self.is_id:
            return self
        return replace(self, cells=[f"{each[:SHORT_ID]}{_CUT}" if len(each) > SHORT_ID else each for each in self.cells])  # fmt: skip


@dataclass(frozen=True)
class Lines:
    """A table as lines, and the columns that had no room."""

    lines: list[str]
    left_out: list[str] = field(default_factory=list)


def table(title: str, rows: list[dict[str, Any]], *, spare: Sequence[str] = (), whole_ids: bool = False) -> None:
    """Rows as a table on stdout; numbers to the right. As `lines`."""
    shown = lines(rows, columns_of(sys.stdout), spare=spare, whole_ids=whole_ids)
    console.show(title)
    for line in shown.lines:
        console.show_whole(line)
    if shown.left_out:
        console.show(f"No room for {', '.join(shown.left_out)}: a wider terminal or --json shows it.")


def lines(rows: list[dict[str, Any]], room: int | None, *, spare: Sequence[str] = (), whole_ids: bool = False) -> Lines:
    """A table in so many columns of a terminal; as wide as it needs, if `room` is None.

    With `whole_ids`, no id is shortened, because somebody has to copy it. `spare` are the columns that may be left out, in that order.
    """
    if not rows:
        return Lines([])
    columns = sorted((_column(name, [row[name] for row in rows]) for name in rows[0]), key=lambda column: column.is_id)
    for tried, may_fold in _tries(columns, spare, whole_ids):
        if (widths := _widths(tried, room, may_fold)) is not None:
            there = {column.name for column in tried}
            return Lines(list(_grid(tried, widths)), [each.name for each in columns if each.name not in there])
    return Lines(list(_row_by_row(columns, room or 0)))


def _tries(columns: list[_Column], spare: Sequence[str], whole_ids: bool) -> Iterator[tuple[list[_Column], bool]]:
    """The table as it should be, then with what gives room, one thing after the other; and whether texts may be folded for it."""
    short = columns if whole_ids else [column.shortened() for column in columns]
    yield columns, False
    yield short, False  # a name that is whole says more than an id that is
    yield columns, True
    for count in range(len(spare) + 1):
        yield [column for column in short if column.name not in spare[:count]], True


def _column(name: str, values: list[Any]) -> _Column:
    is_number = all(value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)) for value in values)  # fmt: skip
    return _Column(plain(name), [plain(_text(value)) for value in values], is_number, bool(_ID.fullmatch(name)))


def _widths(columns: list[_Column], room: int | None, may_fold: bool) -> list[int] | None:
    """How wide each column is, the widest texts folded first; None if there is no room for what may not be folded."""
    widths, least = [column.most for column in columns], [column.least for column in columns]
    if room is None:
        return widths
    room -= len(_GAP) * (len(columns) - 1)
    while sum(widths) > room:
        foldable = [at for at in range(len(columns)) if may_fold and widths[at] > least[at]]
        if not foldable:
            return None
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths


def _grid(columns: list[_Column], widths: list[int]) -> Iterator[str]:
    yield from _folded(columns, widths, [column.name for column in columns])
    yield _GAP.join("-" * width for width in widths)
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield from _folded(columns, widths, cells)


def _folded(columns: list[_Column], widths: list[int], cells: "tuple[str, ...] | list[str]") -> Iterator[str]:
    """One row in as many lines as its longest cell takes."""
    folded = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for at in range(max(map(len, folded))):
        parts = [each[at] if at < len(each) else "" for each in folded]
        padded = [
            " " * (width - width_of(part)) + part if column.is_number else part + " " * (width - width_of(part))
            for column, width, part in zip(columns, widths, parts, strict=True)
        ]
        yield _GAP.join(padded).rstrip()


def _row_by_row(columns: list[_Column], room: int) -> Iterator[str]:
    """Each row as lines of name and value."""
    longest = max(width_of(column.name) for column in columns)
    for at in range(len(columns[0].cells)):
        for column in columns:
            first, *rest = wrapped(column.cells[at], max(room - longest - len(_GAP), NARROWEST_TEXT))
            yield f"{column.name}{' ' * (longest - width_of(column.name))}{_GAP}{first}".rstrip()
            yield from (f"{' ' * longest}{_GAP}{line}" for line in rest)
        yield ""


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:,.3f}"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:%Y-%m-%d}" if isinstance(value, date) else str(value)
