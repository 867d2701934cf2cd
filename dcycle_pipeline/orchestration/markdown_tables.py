"""Rows as a table in Markdown, as Dagster shows it in metadata and descriptions. Whose rows they are belongs to the callers."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dcycle_pipeline.text import markdown

MOST_ROWS = 200


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The first rows as a table, and how many more there are; `none` if there is none.

    >>> print(markdown_table([{"list": "facilities", "records": 3}]))
    | list | records |
    |---|---|
    | facilities | 3 |
    """
    if not rows:
        return "none"
    lines = [_line(rows[0].keys()), "|---" * len(rows[0]) + "|"]
    lines += [_line(row.values()) for row in rows[:MOST_ROWS]]
    more = f"\n\n{len(rows) - MOST_ROWS} more rows." if len(rows) > MOST_ROWS else ""
    return "\n".join(lines) + more


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(markdown(_text(each)) for each in cells)} |"


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "" if value is None else str(value)


def plain_decimal(value: Decimal) -> str:
    """All digits of a decimal as people write it, without an exponent and without zeros at its end.

    >>> plain_decimal(Decimal("0E-9")), plain_decimal(Decimal("1200.500000000"))
    ('0', '1200.5')
    """
    return f"{value:f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
