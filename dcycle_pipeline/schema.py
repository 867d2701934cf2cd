"""The one vocabulary for tables: columns, units, meanings, keys, and the DDL that follows from them.

Declarations of concrete tables live beside their endpoint or summary; running SQL belongs to the warehouse.
"""

from dataclasses import dataclass
from typing import Literal

KILOGRAMS = "kg"
KILOGRAMS_CO2E = "kg CO2e"
CUBIC_METRES = "m3"
QUANTITY = "DECIMAL(28,9)"
TOTAL = "DECIMAL(38,9)"
QUANTITY_PRECISION, QUANTITY_SCALE = 28, 9

Stamp = Literal["first_seen", "last_seen", "last_changed", "valid_from", "valid_to", "origin"]
Role = Literal["activity", "emission", "note", "person"]


@dataclass(frozen=True)
class Column:
    """One column: its DuckDB type, unit, meaning and source.

    `value` is the SQL expression over the landed item that fills it (the item's field of the same name when empty);
    `stamp` marks a moment (or the origin) of our own observation, which is no part of the content. `role` says what a
    change of it is: an edit (`activity`), a recalculation (`emission`), an edit only where nothing else changed (`note`),
    or no change at all (`person`).
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

    @property
    def comment(self) -> str:
        unit = f" Unit: {self.unit}." if self.unit else ""
        source = f" Source: {self.source}." if self.source else ""
        return f"{self.meaning}.{unit}{source}"


@dataclass(frozen=True)
class Table:
    """One table of the published file.

    `key` names the columns that identify a row.
    """

    schema: str
    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    source: str = ""

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def comment(self) -> str:
        source = f" Source: {self.source}." if self.source else ""
        return f"{self.grain}. Key: {', '.join(self.key)}.{source}"

    @property
    def content(self) -> tuple[Column, ...]:
        """The columns that make up the content: all but our own observation times."""
        return tuple(column for column in self.columns if column.stamp is None)

    @property
    def hashed(self) -> list[str]:
        """SQL for what makes up the content, of versions also whether they are valid now."""
        now = ["valid_to IS NULL" for column in self.columns if column.stamp == "valid_to"]
        return [*(column.name for column in self.content), *now]

    def names(self, *, content_only: bool = False) -> list[str]:
        return [column.name for column in (self.content if content_only else self.columns)]

    def ddl(self) -> list[str]:
        """Statements that create the table, where it is missing, with its comments."""
        body = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE TABLE IF NOT EXISTS {self.qualified} ({body})",
            f"COMMENT ON TABLE {self.qualified} IS {quoted(self.comment)}",
            *self._column_comments(),
        ]

    def _column_comments(self) -> list[str]:
        return [f"COMMENT ON COLUMN {self.qualified}.{c.name} IS {quoted(c.comment)}" for c in self.columns]


@dataclass(frozen=True)
class View(Table):
    """A table that is a query on others, so that it can never disagree with them.

    `query` names no schema `dcycle` (ambiguous in a file called dcycle) and has no WITH (DuckDB 1.4 cannot read a newer one's).
    """

    query: str = ""

    def ddl(self) -> list[str]:
        """Statements that create the view, or put its present form in place, with its comments."""
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE OR REPLACE VIEW {self.qualified} AS {self.query}",
            f"COMMENT ON VIEW {self.qualified} IS {quoted(self.comment)}",
            *self._column_comments(),
        ]


@dataclass(frozen=True)
class Macro:
    """A table with one parameter, stored in the file. Readers attach the file under any name only after `USE`."""

    schema: str
    name: str
    parameter: str
    meaning: str
    query: str

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    def ddl(self) -> list[str]:
        """Statements that create the macro, or put its present form in place, with its comment."""
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE OR REPLACE MACRO {self.qualified}({self.parameter}) AS TABLE {self.query}",
            f"COMMENT ON MACRO TABLE {self.qualified} IS {quoted(self.meaning)}",
        ]


@dataclass(frozen=True)
class Rules:
    """Scalar macros that stand in an SQL file of their own, stored in the file."""

    script: str

    def ddl(self) -> list[str]:
        """The statements that create them, or put their present form in place."""
        return [self.script.strip().removesuffix(";")]


def quoted(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
