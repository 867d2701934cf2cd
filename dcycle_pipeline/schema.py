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

Stamp = Literal["first_seen", "last_seen", "last_changed"]


@dataclass(frozen=True)
class Column:
    """One column: its DuckDB type, unit, meaning and source.

    `value` is the SQL expression over the landed item that fills it (the item's field of the same name when empty);
    `stamp` marks a moment of our own observation, which is no part of the content.
    """

    name: str
    type: str
    meaning: str
    source: str = ""
    unit: str | None = None
    value: str | None = None
    stamp: Stamp | None = None
    example: str = ""

    @property
    def comment(self) -> str:
        unit = f" Unit: {self.unit}." if self.unit else ""
        source = f" Source: {self.source}." if self.source else ""
        return f"{self.meaning}.{unit}{source}"


@dataclass(frozen=True)
class Table:
    """One table of the published file.

    `rows` is, for a table fed from an endpoint, the FROM clause over the landed items (`items` when every item is
    one row); `key` names the columns that identify a row.
    """

    schema: str
    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    source: str = ""
    rows: str = "items"

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

    def names(self, *, content_only: bool = False) -> list[str]:
        return [column.name for column in (self.content if content_only else self.columns)]

    def ddl(self) -> list[str]:
        """Statements that create the table, where it is missing, with its comments."""
        body = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        comments = [f"COMMENT ON COLUMN {self.qualified}.{c.name} IS {quoted(c.comment)}" for c in self.columns]
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE TABLE IF NOT EXISTS {self.qualified} ({body})",
            f"COMMENT ON TABLE {self.qualified} IS {quoted(self.comment)}",
            *comments,
        ]


def quoted(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
