"""What the published file answers to a figure's query, and how each value of it is shown in the language of the report."""

import csv
import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.cells import Cell
from dcycle_pipeline.report.figures import Figure, Row, Shown, query
from dcycle_pipeline.report.language import Language
from dcycle_pipeline.text import plain

_LONG = 15  # rows: a longer table hides the next figure, so it opens on demand
_PRINTED = 60  # rows: a longer table does not print unless it is open
_ACTS = ("=", "+", "-", "@")  # what a spreadsheet would calculate


@dataclass(frozen=True)
class Answer:
    """A figure with the query as it ran and its rows. `lacks` names the table that the figure needs and the file does not have."""

    figure: Figure
    sql: str
    rows: Sequence[Row]
    lacks: str = ""
    language: Language = field(default_factory=Language)

    @property
    def folded(self) -> bool:
        """Whether the table opens on demand: if it is declared so, or if it is long."""
        return self.figure.folded or len(self.rows) > _LONG

    @property
    def printed(self) -> bool:
        """Whether a folded table is short enough to be printed all the same."""
        return len(self.rows) <= _PRINTED

    @property
    def shown_count(self) -> int:
        """How many of `limited` are shown."""
        key = self.figure.limited_by
        return len({tuple(row[name] for name in key) for row in self.rows}) if key else len(self.rows)

    @property
    def left_out_count(self) -> int:
        """How many of `limited` the query leaves out."""
        return self.rows[0]["in_all"] - self.shown_count if self.figure.limited and self.rows else 0

    def cell(self, column: Shown, row: Row) -> Cell:
        """The value of a column in a row, as shown; if it is null, what is shown in its place."""
        value = row[column.column]
        if value is not None:
            return column.kind.show(value, self.language, self._places[column.column, id(column.kind)])
        why = row[column.missing_from] if column.missing_from else None
        return Cell(self.language.words(why) if why else self.language.say(column.missing))

    def text(self, name: str, row: Row) -> str:
        """The value of a column as the table shows it, which a chart shows too."""
        column = next(each for each in self.figure.columns if each.column == name)
        return self.cell(column, row).text

    def csv(self) -> str:
        """The shown columns with exact values as a `data:` URL of a CSV file, as the locale's spreadsheets read it."""
        names = list(dict.fromkeys(name for column in self.figure.columns for name in column.names))
        symbol = self.language.decimal_symbol
        written = io.StringIO()
        lines = csv.writer(written, delimiter=";" if symbol == "," else ",", lineterminator="\r\n")
        lines.writerow(names)
        lines.writerows([_in_csv(row[name], symbol) for name in names] for row in self.rows)
        return f"data:text/csv;charset=utf-8;base64,{b64encode(written.getvalue().encode('utf-8-sig')).decode()}"

    @cached_property
    def _places(self) -> dict[tuple[str, int], int]:
        """How many places each column has, by the column and its kind."""
        found: dict[tuple[str, int], int] = {}
        for column in self.figure.columns:
            for each in (column, column.other):
                if each:
                    values = [row[each.column] for row in self.rows if row[each.column] is not None]
                    found[each.column, id(each.kind)] = each.kind.places(values)
        return found


def ask(published: Published, figure: Figure, year: int | None, language: Language) -> Answer:
    """Run a figure's query for the year of the report. Raises UnavailableError if it fails."""
    sql = query(figure.name, year)
    return Answer(figure, sql, [_shown(row) for row in published.rows(sql)], language=language)


def _shown(row: Row) -> Row:
    """The row with its texts as they may be shown: what people wrote hides nothing and turns nothing."""
    return {name: plain(value) if isinstance(value, str) else value for name, value in row.items()}


def _in_csv(value: Any, symbol: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", symbol)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_ACTS) else text
