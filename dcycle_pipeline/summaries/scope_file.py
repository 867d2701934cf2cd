"""Reads the editable mapping of facilities to scopes: a CSV file, the one in the data folder or else the package's own.

What the mapping's table is, and what follows from it, belongs to `scopes`.
"""

import csv
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.summaries.scopes import SCOPE_MAPPING
from dcycle_pipeline.warehouse.arrow_view import arrow_view
from dcycle_pipeline.warehouse.database import replace_changed_rows

Line = tuple[Any, ...]
_NAMES = SCOPE_MAPPING.names()[1:]
_SCOPES, _CATEGORIES = range(1, 4), range(1, 16)


def adopt(connection: duckdb.DuckDBPyConnection, own: Path | None = None) -> int:
    """Bring `summaries.scope_mapping` in step with the file. Returns how many rows were written. Raises SettingsError as `read` does."""
    with arrow_view(connection, "scope_file", SCOPE_MAPPING, read(own)):
        return replace_changed_rows(connection, SCOPE_MAPPING, "SELECT * FROM scope_file")


def read(own: Path | None = None) -> list[Line]:
    """Rows of `summaries.scope_mapping`, from the file `own` if it exists, else from the package's file.

    The first line names the columns, in any order. A column `line`, as in an exported table, is ignored. Raises SettingsError with
    file and line if the file cannot be read or a line is not a mapping.
    """
    path = own if own is not None and own.exists() else files(__package__) / "scope_mapping.csv"
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        if missing := set(_NAMES) - set(reader.fieldnames or ()):
            raise SettingsError(
                f"{path}: the columns {', '.join(sorted(missing))} are missing from its first line. Add them, or remove the file."
            )
        lines = [(number, *_line(path, reader.line_num, fields)) for number, fields in enumerate(reader, start=1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}. Correct it, or remove it to use the package's mapping."
        ) from None
    if not lines:
        raise SettingsError(
            f"{path} has no line below the first: add a line, or remove the file to use the package's mapping."
        )
    return lines


def _line(path: object, number: int, fields: dict[str, Any]) -> Line:
    texts = [(fields[name] or "").strip() or None for name in _NAMES]
    *conditions, scope, category, meaning = texts
    numbers = (_number(scope), _number(category))
    if numbers[0] not in _SCOPES or (numbers[0] != 3 and category) or numbers[1] not in (None, *_CATEGORIES):
        raise SettingsError(
            f"{path}, line {number}: scope must be 1, 2 or 3, and category empty or, with scope 3, 1 to 15; "
            f"it says {scope!r} and {category!r}."
        )
    return (*conditions, *numbers, meaning)


def _number(text: str | None) -> int | None:
    """The number that a text says; 0, which is neither a scope nor a category, if it says none."""
    return None if text is None else int(text) if text.isascii() and text.isdecimal() else 0
