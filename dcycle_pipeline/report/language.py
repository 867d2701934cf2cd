"""How a report says things: its words, and how it writes numbers, dates and names of countries (CLDR, by Babel).

English texts stand in the declarations, the queries and the templates. What they are in another language stands in
`translations/`, a catalogue of gettext for each. Rounding belongs to `cells`.
"""

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache, cached_property, lru_cache
from importlib.resources import files

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import NumberPattern, get_decimal_symbol

from dcycle_pipeline.settings import LANGUAGES

# 60 digits: more than a total has (38), so a number is rounded once, to the places that are shown.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
MINUS = "\N{MINUS SIGN}"
NOT_KNOWN = "not known"
_NUMBER = re.compile(r"\d+")
_BETWEEN = ("; ", ": ", ", ")  # parts of a reason, e.g. 2 lists: access refused, not read yet
# A count that our words hold: no year, which stands before a colon, and no part of a date, of an id or of a decimal number.
_COUNT = re.compile(r"(?<![\w.:-])\d{4,}(?![\w:-]|\.\d)")


@dataclass(frozen=True)
class Language:
    """The words of one language, and the numbers of one locale."""

    code: str = "en"
    locale: str = ""

    @cached_property
    def messages(self) -> Mapping[str, str]:
        """What each English text is in this language; empty for English."""
        return _translations(self.code)

    def say(self, text: str) -> str:
        """A text of ours in this language. If nobody has translated it, it stays English."""
        return self.messages.get(text, text)

    def words(self, text: str) -> str:
        """A text that a query returns, whose words are ours: with its numbers, the catalogue has it with {} for each."""
        return _COUNT.sub(lambda found: self.number(int(found[0])), self._translated(text))

    def _translated(self, text: str) -> str:
        """The text in this language; one that is strung together and not in the catalogue, part by part."""
        if pattern := self.messages.get(_NUMBER.sub("{}", text)):
            return pattern.format(*_NUMBER.findall(text))
        between = next((each for each in _BETWEEN if self.messages and each in text), None)
        return between.join(map(self._translated, text.split(between))) if between else text

    def number(self, value: Decimal | int, places: int = 0) -> str:
        """A number, rounded half-even to `places`, with the separators of the locale."""
        return _written(self._numbers, Decimal(value), places)

    @property
    def decimal_symbol(self) -> str:
        """What stands between whole and fraction."""
        return get_decimal_symbol(self._numbers)

    def country(self, code: str) -> str:
        """The name of a country by its ISO code; the code itself if it has no name."""
        return str(self._calendar.territories.get(code.upper(), code))

    def day(self, value: date) -> str:
        """A day, e.g. 3 Nov 2026."""
        return format_date(value, "medium", locale=self._calendar)

    def month(self, value: date) -> str:
        """A month with its year, e.g. Nov 2026."""
        return format_skeleton("yMMM", value, locale=self._calendar)

    def month_name(self, value: date) -> str:
        """A month without its year, e.g. Nov."""
        return format_date(value, "LLL", locale=self._calendar).removesuffix(".")

    def whole_month(self, value: date) -> str:
        """A month in full, e.g. November 2026."""
        return format_skeleton("yMMMM", value, locale=self._calendar)

    def moment(self, value: datetime) -> str:
        """A moment to the minute, in UTC."""
        return f"{self.day(value)}, {value:%H:%M} UTC"

    @cached_property
    def _numbers(self) -> Locale:
        return Locale.parse(self.locale or LANGUAGES[self.code])

    @cached_property
    def _calendar(self) -> Locale:
        return Locale.parse(LANGUAGES[self.code])


@lru_cache(maxsize=4096)  # counts of days are most of the numbers, and the same ones
def _written(locale: Locale, value: Decimal, places: int) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-places), context=EXACT)
    with localcontext(EXACT):
        return str(_pattern(locale, places).apply(rounded, locale)).replace("-", MINUS)


@cache
def _pattern(locale: Locale, places: int) -> NumberPattern:
    """The pattern of the locale, which knows its groups, with as many places."""
    found: NumberPattern = copy(locale.decimal_formats[None])
    found.frac_prec = (places, places)
    return found


@cache
def _translations(code: str) -> Mapping[str, str]:
    file = files(__package__) / "translations" / f"{code}.po"
    if not file.is_file():
        return {}
    from babel.messages.pofile import read_po  # noqa: PLC0415 - English needs none

    with file.open("rb") as opened:
        return {str(each.id): str(each.string) for each in read_po(opened, locale=code) if each.id and each.string}
