"""The data dictionary: every table, view, macro and column of the published file in words, taken from the declarations."""

import re
from dataclasses import dataclass

from dcycle_pipeline.publish.catalog import all_relations
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.examples import example_of
from dcycle_pipeline.schema import Column, Macro, Table, View

# What the declarations name for auditors as a request of the API, as a reader would say it.
_REQUEST = re.compile(r"GET (?:/api)?/v\d/([\w/-]+)( \(legacy only\))?(: )?")
_DATA = {
    "facilities": "facilities",
    "organizations/tree": "tree of organisations",
    "total-impacts": "totals of a year",
    "waste-water-treatments": "waste-water records",
}
_ORDER = ("bi", "summaries", "dcycle", "history", "sync")


@dataclass(frozen=True)
class Entry:
    """One table, view or macro: its name, what it is, and its columns, each with over what it adds up, its source and an example. A macro has no columns."""

    name: str
    kind: str
    meaning: str
    key: tuple[str, ...]
    source: str
    columns: tuple[tuple[Column, str, str, str], ...]


def relations(published: Published) -> set[str]:
    """The names of all tables, views and macros of the file."""
    return {row["name"] for row in published.rows(NAMES)}


def entries(there: set[str]) -> list[Entry]:
    """The entries for all that the file holds: first what people query, then what it rests on."""
    found = [thing for thing in all_relations() if thing.qualified in there]
    return [_entry(thing) for thing in sorted(found, key=lambda thing: _ORDER.index(thing.schema))]


def _entry(thing: Table | Macro) -> Entry:
    if isinstance(thing, Macro):
        return Entry(f"{thing.qualified}({thing.parameter})", "table macro", thing.meaning, (), "", ())
    columns = tuple(
        (column, thing.adds_up(column), readable(column.source), example_of(thing, column)) for column in thing.columns
    )
    kind = "view" if isinstance(thing, View) else "table"
    return Entry(thing.qualified, kind, thing.grain, thing.key, readable(thing.source), columns)


def readable(source: str) -> str:
    """Where a value comes from, in a reader's words."""
    return _REQUEST.sub(_in_words, source).replace("x-organization-id", "the organisation that was asked for")


def _in_words(found: re.Match[str]) -> str:
    data = _DATA[found[1]] + (" of the older API" if found[2] else "")
    return f"Dcycle, {data}{', field ' if found[3] else ''}"


NAMES = """SELECT DISTINCT schema_name || '.' || table_name AS name FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
UNION SELECT schema_name || '.' || function_name FROM duckdb_functions()
WHERE NOT internal AND database_name = current_database()"""
