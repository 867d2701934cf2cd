"""The tables of the published file by name: which one a mistyped name means, and a short list of all with their rows."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import groupby

_UNKNOWN = re.compile(r'Table with name "?(.+?)"? does not exist')
_WIDTH = 100  # characters


def unknown_table(said: str, sql: str) -> str | None:
    """The table that a query names and that is not there, as the query writes it; None if DuckDB says something else."""
    found = _UNKNOWN.search(said)
    if found is None:
        return None
    # DuckDB leaves out the schema if there is one of that name.
    written = re.search(rf'(?:[\w"]+\.)*"?{re.escape(found[1])}', sql, re.IGNORECASE)
    return (written[0] if written else found[1]).replace('"', "")


def did_you_mean(wrong: str, tables: Iterable[str]) -> str:
    """A question with up to three tables that the wrong name may mean, or else where all are listed."""
    by_name: dict[str, list[str]] = {}
    for table in tables:
        by_name.setdefault(_parts(table)[1], []).append(table)
    close = [table for name in get_close_matches(_parts(wrong)[1].lower(), by_name, n=3) for table in by_name[name]]
    nearest = get_close_matches(wrong.lower(), close, n=3, cutoff=0)
    if not nearest:
        return "`tables()` lists all of them."
    *others, last = nearest
    return f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def listed(counts: Mapping[str, int | None], columns: int = _WIDTH) -> str:
    """The tables, a paragraph for each schema, with their rows where they are counted; `counts` is sorted by name.

    A line has so many `columns` at most.
    """
    return "\n".join(
        textwrap.fill(
            f"{schema}: " + ", ".join(_with_rows(_parts(table)[1], counts[table]) for table in tables),
            columns,
            initial_indent="  ",
            subsequent_indent="    ",
        )
        for schema, tables in groupby(counts, lambda table: _parts(table)[0])
    )


def _with_rows(name: str, rows: int | None) -> str:
    # A space that does not break keeps the number beside its name.
    return name if rows is None else f"{name}\u00a0({rows:,})"


def _parts(table: str) -> tuple[str, str]:
    schema, _, name = table.rpartition(".")
    return schema, name
