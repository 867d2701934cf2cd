"""What a figure of the report consists of: a query, the columns that are shown of it, and its charts. Also runs the query.

The figures themselves are declared in `sections` and the chapters, what an answer shows is in `answers`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from string import Template
from typing import Any

from dcycle_pipeline.report.cells import NONE, TEXT, Kind
from dcycle_pipeline.warehouse.last_sweeps import CURRENT_DOUBTFUL_ROWS, CURRENT_LISTS, CURRENT_QUARANTINE

Row = Mapping[str, Any]
# Parts that several queries share: what an endpoint is called, which months with a record each year has, and how many days each facility
# should have in a year: in one that is not over, up to its last month with a record.
_DATA = """CASE endpoint WHEN 'waste_water_treatments' THEN 'waste-water records' WHEN 'organizations' THEN 'organisations'
        ELSE endpoint END"""
_YEARS_HELD = """SELECT year(month) AS year, min(month) AS first_month, max(month) AS last_month,
        year(month) >= (SELECT year(max(published_at)) FROM sync.runs) AS is_open
    FROM summaries.emissions_by_organization_month WHERE covered_days > 0 GROUP BY year(month)"""
_DUE = f"""SELECT organization_id, facility_id, year(month) AS year, coalesce(bool_or(is_open), false) AS is_open,
        sum(due_days)::BIGINT AS due_days
    FROM summaries.coverage_by_facility_month LEFT JOIN ({_YEARS_HELD}) AS held ON held.year = year(month)
    WHERE NOT coalesce(is_open, false) OR month <= last_month GROUP BY organization_id, facility_id, year(month)"""


@dataclass(frozen=True)
class Shown:
    """One column of a figure's table: the query's column, its heading, how its values look, and what is shown for null.

    `missing_from` names a column that says why a value is null; `of` names a column of which the value is a part, and `until` one
    with which a period ends that the value begins.
    """

    column: str
    heading: str
    kind: Kind = TEXT
    missing: str = NONE
    missing_from: str = ""
    of: str = ""
    until: str = ""

    @cached_property
    def other(self) -> "Shown | None":
        """The column that is shown beside this one, in the same way; None if there is none."""
        name = self.of or self.until
        return replace(self, column=name, of="", until="") if name else None

    @property
    def names(self) -> tuple[str, ...]:
        """The query's columns that this one shows."""
        return tuple(name for name in (self.column, self.of, self.until, self.missing_from) if name)


@dataclass(frozen=True)
class Chart:
    """A drawing: what it shows, in words, and its Vega-Lite specification for a wide page, and for a narrow one if it differs.

    Of `row_count` things that its table has, it may draw the first `drawn_count`, and on a narrow page `narrow_count`.
    """

    title: str
    description: str
    wide: Mapping[str, Any]
    narrow: Mapping[str, Any] | None = None
    row_count: int = 0
    drawn_count: int = 0
    narrow_count: int = 0


@dataclass(frozen=True)
class Figure:
    """One figure. `name` is that of its SQL file; a `folded` table opens on demand.

    A query may return only the first of many things. Then its column `in_all` says how many there are, `limited` what they are
    called, and `limited_by` which columns identify one (if it is empty, each row is one). `needs` names a table that files of
    older versions lack. `legend` says what colours mean: pairs of a CSS class and a text. `charts` draws an
    answer (`answers.Answer`). A figure `of_group` is of all organisations together, so it says which of them are missing.
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
    legend: tuple[tuple[str, str], ...] = ()
    charts: Callable[[Any], list[Chart]] | None = None
    of_group: bool = False

    @property
    def row_header(self) -> str:
        """The column that names a row for screen readers: the first that is not a number."""
        return next(column.column for column in self.columns if not column.kind.numeric)

    @property
    def has_exact(self) -> bool:
        """Whether some columns show exact values, which are seen on demand."""
        return any(column.kind.exact for column in self.columns)


@dataclass(frozen=True)
class Section:
    """A chapter of the page; `paragraphs` are pairs of a heading and a text, after the figures."""

    name: str
    title: str
    lead: str
    figures: tuple[Figure, ...]
    paragraphs: tuple[tuple[str, str], ...] = ()


def query(name: str, year: int | None) -> str:
    """The SQL of a figure, which anybody can run on the published file.

    Counts over all rows say PARTITION BY true: with an empty window, each DuckDB before 1.5.6 fails at random, in one of 250 queries
    (https://github.com/duckdb/duckdb/issues/25713).
    """
    text = (files(__package__) / "queries" / f"{name}.sql").read_text(encoding="utf-8").strip()
    return Template(text).substitute(
        year=year or "NULL",
        current_lists=CURRENT_LISTS,
        current_quarantine=CURRENT_QUARANTINE,
        current_doubtful_rows=CURRENT_DOUBTFUL_ROWS,
        data=_DATA,
        years_held=_YEARS_HELD,
        due=_DUE,
    )


def texts(sections: Sequence[Section], figures: Sequence[Figure]) -> set[str]:
    """Every text that the declarations hold, as a translator needs them."""
    found = {text for section in sections for text in (section.title, section.lead, *sum(section.paragraphs, ()))}
    for figure in figures:
        found |= {figure.title, figure.note, figure.empty, figure.limited, *(text for _, text in figure.legend)}
        for column in figure.columns:
            found |= {column.heading, column.missing}
    return found - {"", NONE}
