"""The editable mapping of facilities to scopes: a CSV file, the package's own or the one that stands in the data folder."""

import csv
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.summaries.scopes import SCOPE_MAPPING
from dcycle_pipeline.warehouse.database import replace_changed_rows
from dcycle_pipeline.warehouse.run_log import arrow_view

Line = tuple[Any, ...]
_NAMES = SCOPE_MAPPING.names()[1:]
_SCOPES, _CATEGORIES = range(1, 4), range(1, 16)


def adopt(connection: duckdb.DuckDBPyConnection, own: Path | None = None) -> int:
    """Bring `summaries.scope_mapping` in step with the file; the number of rows touched. Raises as `read` does."""
    with arrow_view(connection, "scope_file", SCOPE_MAPPING, read(own)):
        return replace_changed_rows(connection, SCOPE_MAPPING, "SELECT * FROM scope_file")


def read(own: Path | None = None) -> list[Line]:
    """Rows of `summaries.scope_mapping`: of the file `own` where it exists, else those of the package.

    Columns are told by their names; `line` may be there, as in an exported table, and counts for nothing. Raises SettingsError
    with file and line for what is no mapping.
    """
    path = own if own is not None and own.exists() else files(__package__) / "scope_mapping.csv"
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        if missing := set(_NAMES) - set(reader.fieldnames or ()):
            raise SettingsError(f"{path}: the columns {', '.join(sorted(missing))} are missing from its first line.")
        lines = [(number, *_line(path, reader.line_num, fields)) for number, fields in enumerate(reader, start=1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from None
    if not lines:
        raise SettingsError(
            f"{path} has no line below the first: map something, or remove the file to use the package's."
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
    """0 for what is no number, which no scope and no category is."""
    return None if text is None else int(text) if text.isascii() and text.isdecimal() else 0
