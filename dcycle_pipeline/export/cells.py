"""Cells of an Excel workbook: numbers as numbers, dates as dates, and text that never becomes a formula or a link."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from dcycle_pipeline.schema import Column
from dcycle_pipeline.text import plain

# What a sheet and a cell take: support.microsoft.com, "Excel specifications and limits". One row is the header.
MOST_ROWS = 1_048_575
MOST_CHARACTERS = 32_767
_LARGEST_EXACT = 2**53  # Excel's numbers are doubles
_FIRST_YEAR = 1900  # Excel knows no date before
_ACTING = ("=", "+", "-", "@", "\t", "\r")  # what Excel takes for the start of a formula once somebody edits the cell
_WIDTH = 18  # characters


class Cells:
    """The sheets of a workbook that is open for writing in constant memory."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._bold = book.add_format({"bold": True})
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._decimal = book.add_format({"num_format": "#,##0.000"})
        self._quoted = book.add_format({"quote_prefix": True})

    def table(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> None:
        """A sheet with the rows of a table. Beside each decimal stands its exact text."""
        exact = [column.type.startswith("DECIMAL") for column in columns]
        heads = [
            head
            for column, twice in zip(columns, exact, strict=True)
            for head in ((column.name, f"{column.name} exact") if twice else (column.name,))
        ]
        self.sheet(name, heads, (tuple(_doubled(row, exact)) for row in rows))

    def sheet(self, name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A sheet with a header that stays in sight, and a row for each of `rows`."""
        sheet = self._book.add_worksheet(name)
        sheet.set_column(0, len(heads) - 1, _WIDTH)
        sheet.freeze_panes(1, 0)
        for at, head in enumerate(heads):
            sheet.write_string(0, at, head, self._bold)
        last = 0
        for last, row in enumerate(rows, 1):
            for at, value in enumerate(row):
                self._write(sheet, last, at, value)
        sheet.autofilter(0, 0, last, len(heads) - 1)

    def _write(self, sheet: Worksheet, row: int, at: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, at, value)
        elif isinstance(value, Decimal):
            sheet.write_number(row, at, float(value), self._decimal)
        elif isinstance(value, int) and abs(value) <= _LARGEST_EXACT:
            sheet.write_number(row, at, value)
        elif isinstance(value, datetime) and value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, at, value.astimezone(UTC).replace(tzinfo=None), self._moment)
        elif isinstance(value, date) and not isinstance(value, datetime) and value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, at, value, self._day)
        else:
            text = _shown(value)
            sheet.write_string(row, at, text, self._quoted if text.startswith(_ACTING) else None)


def _doubled(row: Sequence[Any], exact: Sequence[bool]) -> Iterator[Any]:
    for value, twice in zip(row, exact, strict=True):
        yield value
        if twice:
            yield None if value is None else f"{value:f}"


def _shown(value: Any) -> str:
    """Text as it can be shown. What is longer than a cell is cut, and says so."""
    text = plain(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    if len(text) <= MOST_CHARACTERS:
        return text
    mark = f" … [cut: {len(text)} characters]"
    return text[: MOST_CHARACTERS - len(mark)] + mark
