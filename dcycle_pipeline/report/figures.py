"""What a figure of the report consists of: a query, the columns that are shown of it, and its charts. Also runs the query.

The figures themselves are declared in `sections` and the chapters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from string import Template
from typing import Any

from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.cells import NONE, TEXT, Cell, Kind
from dcycle_pipeline.text import plain
from dcycle_pipeline.warehouse.run_tables import CURRENT_DOUBTFUL_ROWS, CURRENT_LISTS, CURRENT_QUARANTINE

Row = Mapping[str, Any]
_LONG = 15  # rows: a longer table hides the next figure, so it opens on demand


@dataclass(frozen=True)
class Shown:
    """One column of a figure's table: the query's column, its heading, how its values look, and what is shown for null.

    `missing_from` names a column that says why a value is null; `of` names a column of which the value is a part.
    """

    column: str
    heading: str
    kind: Kind = TEXT
    missing: str = NONE
    missing_from: str = ""
    of: str = ""

    def whole(self, row: Row) -> tuple["Shown", Cell]:
        """The column `of` and its value, shown in the same way."""
        column = replace(self, column=self.of, of="")
        return column, column.cell(row)

    def cell(self, row: Row) -> Cell:
        """The value of this column in a row, as shown."""
        value = row[self.column]
        if value is not None:
            return self.kind.show(value)
        return Cell(str(row[self.missing_from] or self.missing) if self.missing_from else self.missing)


@dataclass(frozen=True)
class Chart:
    """A drawing: what it shows, in words, and its Vega-Lite specification for a wide page, and for a narrow one if it differs."""

    title: str
    description: str
    wide: Mapping[str, Any]
    narrow: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Figure:
    """One figure. `name` is that of its SQL file; a `folded` table opens on demand.

    A query may return only the first of many things. Then its column `in_all` says how many there are, `limited` what they are
    called, and `limited_by` which columns identify one (if it is empty, each row is one). `needs` names a table that files of
    older versions lack.
    """

    name: str
    title: str
    columns: tuple[Shown, ...]
    note: str = ""
    empty: str = "Nothing to show."
    limited: str = ""
    limited_by: tuple[str, ...] = ()
    needs: str = ""
    folded: bool = False
    layout: str = "table"
    charts: Callable[[Sequence[Row]], list[Chart]] | None = None

    @property
    def row_header(self) -> str:
        """The column that names a row for screen readers: the first that is not a number."""
        return next(column.column for column in self.columns if not column.kind.numeric)


@dataclass(frozen=True)
class Section:
    """A chapter of the page."""

    name: str
    title: str
    lead: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Answer:
    """A figure with the query as it ran and its rows. `lacks` names the table that the figure needs and the file does not have."""

    figure: Figure
    sql: str
    rows: Sequence[Row]
    lacks: str = ""

    @property
    def folded(self) -> bool:
        """Whether the table opens on demand: if it is declared so, or if it is long."""
        return self.figure.folded or len(self.rows) > _LONG

    @property
    def shown_count(self) -> int:
        """How many of `limited` are shown."""
        key = self.figure.limited_by
        return len({tuple(row[name] for name in key) for row in self.rows}) if key else len(self.rows)

    @property
    def left_out_count(self) -> int:
        """How many of `limited` the query leaves out."""
        return self.rows[0]["in_all"] - self.shown_count if self.figure.limited and self.rows else 0


def query(name: str, year: int | None) -> str:
    """The SQL of a figure, which anybody can run on the published file."""
    text = (files(__package__) / "queries" / f"{name}.sql").read_text(encoding="utf-8").strip()
    given = {"year": year or "NULL", "current_lists": CURRENT_LISTS, "current_quarantine": CURRENT_QUARANTINE}
    given["current_doubtful_rows"] = CURRENT_DOUBTFUL_ROWS
    return Template(text).substitute(given)


def ask(published: Published, figure: Figure, year: int | None) -> Answer:
    """Run a figure's query for the year of the report. Raises UnavailableError if it fails."""
    sql = query(figure.name, year)
    if figure.needs and not published.rows(HAS_TABLE, [figure.needs]):
        return Answer(figure, sql, [], figure.needs)
    return Answer(figure, sql, [_shown(row) for row in published.rows(sql)])


def _shown(row: Row) -> Row:
    """The row with its texts as they may be shown: what people wrote hides nothing and turns nothing."""
    return {name: plain(value) if isinstance(value, str) else value for name, value in row.items()}


HAS_TABLE = (
    "SELECT 1 FROM duckdb_tables() WHERE schema_name || '.' || table_name = ? AND database_name = current_database()"
)
