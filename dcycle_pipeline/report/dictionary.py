"""The data dictionary: every table, view, macro and column of the published file in words, taken from the declarations."""

from dataclasses import dataclass

from dcycle_pipeline.publish.catalog import all_relations
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.examples import example_of
from dcycle_pipeline.schema import Column, Macro, Table, View

_ORDER = ("bi", "summaries", "dcycle", "history", "sync")


@dataclass(frozen=True)
class Entry:
    """One table, view or macro: its name, what it is, and its columns, each with over what it adds up and an example. A macro has no columns."""

    name: str
    kind: str
    meaning: str
    key: tuple[str, ...]
    source: str
    columns: tuple[tuple[Column, str, str], ...]


def entries(published: Published) -> list[Entry]:
    """The entries for all that the file holds: first what people query, then what it rests on."""
    there = {row["name"] for row in published.rows(NAMES)}
    found = [thing for thing in all_relations() if thing.qualified in there]
    return [_entry(thing) for thing in sorted(found, key=lambda thing: _ORDER.index(thing.schema))]


def _entry(thing: Table | Macro) -> Entry:
    if isinstance(thing, Macro):
        return Entry(f"{thing.qualified}({thing.parameter})", "table macro", thing.meaning, (), "", ())
    columns = tuple((column, thing.adds_up(column), example_of(thing, column)) for column in thing.columns)
    kind = "view" if isinstance(thing, View) else "table"
    return Entry(thing.qualified, kind, thing.grain, thing.key, thing.source, columns)


NAMES = """SELECT DISTINCT schema_name || '.' || table_name AS name FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
UNION SELECT schema_name || '.' || function_name FROM duckdb_functions()
WHERE NOT internal AND database_name = current_database()"""
