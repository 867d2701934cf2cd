"""The days of a backfill's period, as people give them."""

from datetime import date

from dcycle_pipeline.errors import UsageError


def period_of(given: dict[str, str]) -> tuple[date, date]:
    """The first and the last day, given as text by the names of their options, in this order. Raises UsageError if they are no period."""
    first, last = (_day(name, text) for name, text in given.items())
    if first > last:
        names = list(given)
        raise UsageError(f"{names[0]} {first} is after {names[1]} {last}: give the first day of the period first.")
    return first, last


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name} is {text!r}; it must be a day like 2023-01-31.") from None
