"""The words for tables: columns, units, meanings, keys, and the DDL that follows from them.

Each table is declared beside its endpoint or summary; running SQL belongs to the warehouse.
"""

from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

KILOGRAMS = "kg"
KILOGRAMS_CO2E = "kg CO2e"
CUBIC_METRES = "m3"
# Decimals, because floats lose kilograms in sums. Nine places are a millionth of a gram; a total has 10^10 times the room of a quantity.
QUANTITY = "DECIMAL(28,9)"
TOTAL = "DECIMAL(38,9)"
QUANTITY_PRECISION, QUANTITY_SCALE = 28, 9
_STEP = Decimal(1).scaleb(-QUANTITY_SCALE)
# 60 digits: more than a column holds, so quantizing rounds once, at the ninth place, and never fails.
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)

Stamp = Literal["first_seen", "last_seen", "last_changed", "valid_from", "valid_to", "origin"]
Role = Literal["activity", "emission", "note", "person"]
Additivity = Literal["sum", "none", "latest"]
_NUMBERS = ("DECIMAL", "BIGINT", "INTEGER")
# What the rows of a table stand for, by the columns of its key: over these a column that adds up does so.
KEY_WORDS = {
    "organization_id": "organisations",
    "organization_key": "organisations",
    "facility_id": "facilities",
    "facility_key": "facilities",
    "month": "months",
    "year": "years",
    "country_code": "countries",
    "scope_name": "GHG scopes",
    "published_at": "publications",
    "cause": "causes",
    "run_id": "runs",
}


@dataclass(frozen=True)
class Column:
    """One column: its DuckDB type, unit, meaning and source.

    `value` is the SQL expression over the landed item that fills the column; None is the item's field of the same name.
    `stamp` marks what we observed (a moment or the origin): it does not belong to the content.
    `role` says what a change of the column is: an edit (`activity`), a recalculation (`emission`), an edit if nothing else
    changed (`note`), or no change at all (`person`).
    `additivity` of a number says what a sum over rows is, as tools make it: right over all rows of the table (`sum`); right only
    over rows of one publication, which is the `latest` if nothing else is said; or wrong (`none`). `never_over` says over what
    nobody may add up, and why, if that is not plain. What is no number never adds up.
    `references` names the column (`schema.table.column`) that holds each value of this one exactly once.
    """

    name: str
    type: str
    meaning: str
    source: str = ""
    unit: str | None = None
    value: str | None = None
    stamp: Stamp | None = None
    example: str = ""
    role: Role = "activity"
    additivity: Additivity | None = None
    never_over: str = ""
    references: str = ""

    @property
    def is_number(self) -> bool:
        """Whether a tool would add it up."""
        return self.type.startswith(_NUMBERS) and not self.type.endswith("[]")


@dataclass(frozen=True)
class Table:
    """One table of the published file. `grain` says what one row is, `key` names the columns that identify it."""

    schema: str
    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    source: str = ""

    @property
    def qualified(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    @property
    def comment(self) -> str:
        """The text of COMMENT ON: grain, key, source."""
        source = f" Source: {self.source}." if self.source else ""
        return f"{self.grain}. Key: {', '.join(self.key)}.{source}"

    def adds_up(self, column: Column) -> str:
        """Over what a number of this table adds up, or that it never does; empty for what is no number."""
        if not column.is_number:
            return ""
        if column.additivity == "sum":
            words = [KEY_WORDS[name] for name in self.key]
            return f"Adds up over {', '.join(words[:-1])}{' and ' if words[1:] else ''}{words[-1]}"
        if column.additivity == "latest":
            return "Never add up over publications or runs: take one"
        return f"Never add up over {column.never_over}" if column.never_over else "Never add up"

    def comment_of(self, column: Column) -> str:
        """The text of COMMENT ON for one of the columns: meaning, unit, over what it adds up, what it refers to, source."""
        unit = f"Unit: {column.unit}" if column.unit else ""
        refers = f"Refers to {column.references}" if column.references else ""
        source = f"Source: {column.source}" if column.source else ""
        said = (column.meaning, unit, self.adds_up(column), refers, source)
        return " ".join(f"{sentence}." for sentence in said if sentence)

    @property
    def content(self) -> tuple[Column, ...]:
        """The columns that make up the content: all but those that say what we observed."""
        return tuple(column for column in self.columns if column.stamp is None)

    @property
    def hashed(self) -> list[str]:
        """SQL expressions for the content of a row; for a version also whether it is valid now."""
        now = ["valid_to IS NULL" for column in self.columns if column.stamp == "valid_to"]
        return [*(column.name for column in self.content), *now]

    def names(self, *, content_only: bool = False) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in (self.content if content_only else self.columns)]

    def ddl(self) -> list[str]:
        """Statements that create the table if it is missing, and set its comments."""
        body = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE TABLE IF NOT EXISTS {self.qualified} ({body})",
            f"COMMENT ON TABLE {self.qualified} IS {quoted(self.comment)}",
            *self._column_comments(),
        ]

    def _column_comments(self) -> list[str]:
        return [f"COMMENT ON COLUMN {self.qualified}.{c.name} IS {quoted(self.comment_of(c))}" for c in self.columns]


@dataclass(frozen=True)
class View(Table):
    """A table that is a query on others, so that it can never disagree with them.

    `query` must not name the schema `dcycle`, which is ambiguous in a copy that somebody calls dcycle. It must not use WITH either:
    DuckDB 1.4 cannot read one that a newer version stored.
    """

    query: str = ""

    def ddl(self) -> list[str]:
        """Statements that create or replace the view, and set its comments."""
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE OR REPLACE VIEW {self.qualified} AS {self.query}",
            f"COMMENT ON VIEW {self.qualified} IS {quoted(self.comment)}",
            *self._column_comments(),
        ]


@dataclass(frozen=True)
class Macro:
    """A table with one parameter, held in the file. Its query reads the database in `USE`, as all macros of DuckDB do."""

    schema: str
    name: str
    parameter: str
    meaning: str
    query: str

    @property
    def qualified(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    def ddl(self) -> list[str]:
        """Statements that create or replace the macro, and set its comment."""
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE OR REPLACE MACRO {self.qualified}({self.parameter}) AS TABLE {self.query}",
            f"COMMENT ON MACRO TABLE {self.qualified} IS {quoted(self.meaning)}",
        ]


@dataclass(frozen=True)
class Rules:
    """Scalar macros that an SQL file of the package declares. They are held in the published file too, each self-contained."""

    script: str

    def ddl(self) -> list[str]:
        """The statements that create or replace them."""
        return [self.script.strip().removesuffix(";")]


def rounded_quantity(value: Decimal) -> Decimal:
    """A finite number of at most 50 digits before the point, as the columns hold it: nine places, half-even."""
    return value.quantize(_STEP, context=_EXACT)


def quoted(text: str) -> str:
    """A text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
