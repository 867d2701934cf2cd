"""Spans of time as people write them on the command line: a number and its unit."""

import re
from datetime import timedelta

from dcycle_pipeline.errors import SettingsError

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)([mhd])")


def duration(option: str, text: str) -> timedelta:
    """The span that a text like `26h`, `90m` or `2d` names. Raises SettingsError for any other, and for none at all (`0h`)."""
    found = _SPAN.fullmatch(text.strip())
    span = timedelta(**{_UNITS[found[2]]: float(found[1])}) if found else timedelta(0)
    if not span:
        raise SettingsError(f"{option} is {text!r}; it must be a number with m, h or d for its unit: 90m, 26h or 2d.")
    return span
