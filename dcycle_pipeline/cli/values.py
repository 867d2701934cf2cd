"""Spans, months, moments and numbers as people write them on the command line. A wrong one is told with an example, not with a format."""

import re
from datetime import UTC, date, datetime, timedelta

from dcycle_pipeline.errors import SettingsError

LARGEST_PORT, LARGEST_SEED = 65_535, 999_999_999
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)([mhd])")
_WHOLE = re.compile(r"[0-9]{1,18}")


def duration(option: str, text: str) -> timedelta:
    """The span that a text like `26h`, `90m` or `2d` names. Raises SettingsError for any other, and for none at all (`0h`)."""
    found = _SPAN.fullmatch(text.strip())
    span = timedelta(**{_UNITS[found[2]]: float(found[1])}) if found else timedelta(0)
    if not span:
        raise _wrong(option, text, "a number with m, h or d for its unit: 90m, 26h or 2d")
    return span


def month(option: str, text: str) -> date:
    """The first day of the month that a text like `2026-08` names. Raises SettingsError for any other."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise _wrong(option, text, "a month like 2026-08") from None


def moment(option: str, text: str) -> datetime:
    """The moment that a text names, of UTC if it names no other time: the first one of a day alone. Raises SettingsError for any other."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _wrong(option, text, "a day or a moment like 2026-01-31 or 2026-01-31T12:00:00, in UTC") from None


def whole_number(option: str, text: str, least: int, most: int) -> int:
    """The number that a text names, from `least` to `most`. Raises SettingsError for any other."""
    if not _WHOLE.fullmatch(text.strip()) or not least <= int(text) <= most:
        raise _wrong(option, text, f"a whole number from {least} to {most}")
    return int(text)


def _wrong(option: str, text: str, must_be: str) -> SettingsError:
    return SettingsError(f"{option} is {text!r}; it must be {must_be}.")
