"""How the report looks, as settings: title, logo, language, and how numbers are written. Applying them belongs to `report`.

The verb `report` needs nothing else of the settings, so it reads these alone, without pydantic.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcycle_pipeline.errors import SettingsError

LANGUAGES = {"en": "en_GB", "es": "es_ES"}  # each with the locale that it has if nothing else is said
USUAL_LANGUAGE = "en"
LOGO_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
_LOCALE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class Look:
    """What the settings say of the report's look. An empty title is that of the language, an empty locale that language."""

    title: str = ""
    logo: Path | None = None
    language: str = USUAL_LANGUAGE
    locale: str = ""


def known_language(text: str) -> str:
    """The language, in small letters. Raises ValueError if the report does not speak it."""
    if (found := text.strip().lower()) not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
    return found


def known_locale(text: str) -> str:
    """The locale as CLDR spells it, e.g. es_ES; empty stays empty. Raises ValueError if nobody knows it."""
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - most settings name none

    if not (given := text.strip()):
        return ""
    try:
        if not _LOCALE.fullmatch(given):
            raise UnknownLocaleError(given)
        return str(Locale.parse(given.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        raise ValueError("is no locale that is known: write it like es_ES, de_DE or en_GB") from None


def whole_logo(value: Any) -> Path | None:
    """The path of the logo in full. Raises ValueError if it is no picture that a page can show."""
    if value is None or not (text := str(value).strip()):
        return None
    if (path := Path(text)).suffix.lower() not in LOGO_TYPES:
        raise ValueError(f"must be a file of type {', '.join(sorted(LOGO_TYPES))}")
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"names no file: {error} Name it in full") from None


_READ: dict[str, Callable[[str], Any]] = {
    "title": str.strip,
    "logo": whole_logo,
    "language": known_language,
    "locale": known_locale,
}


def look_in(variables: Mapping[str, str]) -> Look:
    """The look that variables ask for, if no other setting is wanted. Raises SettingsError if one is wrong."""
    found: dict[str, Any] = {}
    for name, read in _READ.items():
        if text := variables.get(variable := f"DCYCLE_REPORT_{name.upper()}"):
            try:
                found[name] = read(text)
            except ValueError as error:
                raise SettingsError(f"{variable} {error}") from None
    return Look(**found)
