"""What a figure of the report is: a query, the columns that are shown of it, and how it is drawn. Concrete ones: `sections`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from string import Template
from typing import Any

from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.cells import NONE, TEXT, Cell, Kind
from dcycle_pipeline.warehouse.run_tables import CURRENT_LISTS, CURRENT_QUARANTINE

Row = Mapping[str, Any]
_LONG = 15


@dataclass(frozen=True)
class Shown:
    """One column of a figure's table: the query's column, its heading, how its values look, and what stands for none.

    `missing_from` names a column whose text says why there is none, `of` one that the value is a part of.
    """

    column: str
    heading: str
    kind: Kind = TEXT
    missing: str = NONE
    missing_from: str = ""
    of: str = ""

    def whole(self, row: Row) -> tuple["Shown", Cell]:
        """The column `of` and its value, shown alike."""
        column = replace(self, column=self.of, of="")
        return column, column.cell(row)

    def cell(self, row: Row) -> Cell:
        value = row[self.column]
        if value is not None:
            return self.kind.show(value)
        return Cell(str(row[self.missing_from] or self.missing) if self.missing_from else self.missing)


@dataclass(frozen=True)
class Chart:
    """A drawing: what it shows in words, and its Vega-Lite specification for a wide and, where that differs, a narrow page."""

    title: str
    description: str
    wide: Mapping[str, Any]
    narrow: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Figure:
    """One figure: `name` is that of its SQL file; `folded` tables open on demand.

    A query that shows the first of many says in its column `in_all` how many there are: of `limited`, told apart by
    `limited_by` (each row, where that is empty). `needs` is a table that files of older versions lack.
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
        """The column that names a row for screen readers: the first that is words."""
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
    """A figure with the query as it ran and the rows that it gave; `lacks` is the table that the file has not got for it."""

    figure: Figure
    sql: str
    rows: Sequence[Row]
    lacks: str = ""

    @property
    def folded(self) -> bool:
        """Whether the table opens on demand: as declared, and where it would be long."""
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
    """The SQL of a figure, ready to run on the published file by anybody."""
    text = (files(__package__) / "queries" / f"{name}.sql").read_text(encoding="utf-8").strip()
    given = {"year": year or "NULL", "current_lists": CURRENT_LISTS, "current_quarantine": CURRENT_QUARANTINE}
    return Template(text).substitute(given)


def ask(published: Published, figure: Figure, year: int | None) -> Answer:
    """Run a figure's query."""
    sql = query(figure.name, year)
    if figure.needs and not published.rows(HAS_TABLE, [figure.needs]):
        return Answer(figure, sql, [], figure.needs)
    return Answer(figure, sql, published.rows(sql))


HAS_TABLE = (
    "SELECT 1 FROM duckdb_tables() WHERE schema_name || '.' || table_name = ? AND database_name = current_database()"
)
