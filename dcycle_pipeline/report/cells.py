"""How a value is shown: rounded to the places of its column, or exact, with its unit; and what is shown if there is none.

Which columns a figure shows belongs to `sections` and the chapters, how a number is written in a language to `language`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dcycle_pipeline.report.language import EXACT as WITHOUT_LOSS
from dcycle_pipeline.report.language import NOT_KNOWN, Language

_KILOGRAMS_PER_TONNE = 1000
NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """A value as shown. `value` is the exact one as text, empty if there is none; `fraction` is shown smaller after `text`.

    `element` is the HTML element that holds it: span, data or time. `is_number` says whether `text` is one.
    """

    text: str
    value: str = ""
    fraction: str = ""
    unit: str = ""
    element: str = "span"
    is_number: bool = False


@dataclass(frozen=True)
class Kind:
    """A way of showing values of one meaning; numeric ones are aligned to the right.

    `show` takes a value, the language, and how many places all values of the column have, which `places` chooses from them.
    """

    show: Callable[[Any, Language, int], Cell]
    numeric: bool = True
    places: Callable[[Iterable[Any]], int] = lambda _: 0
    exact: bool = False


def tonnes(kilograms: Decimal) -> Decimal:
    """Kilograms as tonnes, exactly."""
    return WITHOUT_LOSS.divide(kilograms, Decimal(_KILOGRAMS_PER_TONNE))


def places_of(values: Iterable[Decimal], *, whole_from: int | None = None) -> int:
    """How many places the values of one column have: fewer, the larger the largest is, and never three.

    A reader of another country could take three for thousands. From `whole_from` on there are none.
    """
    largest = max((abs(value) for value in values), default=Decimal(0))
    if whole_from is not None and largest >= whole_from:
        return 0
    return 1 if largest >= 10 or not largest else 2 if largest >= Decimal("0.1") else 5


def _tonnes_places(values: Iterable[Decimal]) -> int:
    return places_of(map(tonnes, values))


def _amount_places(values: Iterable[Decimal]) -> int:
    return places_of(values, whole_from=1000)


def _exact(value: Decimal, language: Language, _: int) -> Cell:
    whole, symbol, fraction = language.number(value, 9).partition(language.decimal_symbol)
    return Cell(whole, str(value), symbol + fraction, element="data", is_number=True)


def _rounded(value: Decimal, exact: Decimal, language: Language, places: int, *, unit: str, sign: bool = False) -> Cell:
    """A number to the places of its column. If it would look like zero and is none, the smallest that shows is named instead."""
    smallest = Decimal(1).scaleb(-places)
    text = language.number(value, places)
    if value and abs(value) * 2 <= smallest:
        text = f"< {language.number(smallest, places)}" if value > 0 else f"> {language.number(-smallest, places)}"
    elif sign and value > 0:
        text = f"+{text}"
    return Cell(text, str(exact), unit=unit, element="data", is_number=True)


def _number(unit: str = "") -> Callable[[Any, Language, int], Cell]:
    def show(value: Decimal, language: Language, places: int) -> Cell:
        return _rounded(Decimal(value), value, language, places, unit=unit)

    return show


def _tonnes(value: Decimal, language: Language, places: int) -> Cell:
    return _rounded(tonnes(value), value, language, places, unit="t")


def _tonnes_change(value: Decimal, language: Language, places: int) -> Cell:
    return _rounded(tonnes(value), value, language, places, unit="t", sign=True)


def _share(value: Decimal, language: Language, places: int) -> Cell:
    return _rounded(value * 100, value, language, places, unit="%")


def _change(value: Decimal, language: Language, places: int) -> Cell:
    return _rounded(value * 100, value, language, places, unit="%", sign=True)


def _moment(value: datetime, language: Language, _: int) -> Cell:
    return Cell(language.moment(value), value.isoformat(), element="time")


def _day(value: date, language: Language, _: int) -> Cell:
    return Cell(language.day(value), value.isoformat(), element="time")


def _month(value: date, language: Language, _: int) -> Cell:
    return Cell(language.month(value), f"{value:%Y-%m}", element="time")


def _month_name(value: date, language: Language, _: int) -> Cell:
    return Cell(language.month_name(value), f"{value:%Y-%m}", element="time")


def _text(value: Any, _language: Language, _: int) -> Cell:
    return Cell(str(value), str(value))


def _words(value: str, language: Language, _: int) -> Cell:
    return Cell(language.words(value), value)


def _phrase(value: str, language: Language, _: int) -> Cell:
    return Cell(language.say(value), value)


def _country(value: str, language: Language, _: int) -> Cell:
    return Cell(language.say(value) if value == NOT_KNOWN else language.country(value), value, element="data")


def _year(value: int, _language: Language, _: int) -> Cell:
    return Cell(str(value), str(value), element="data", is_number=True)


def _flag(value: bool, language: Language, _: int) -> Cell:
    return Cell(language.say("yes" if value else "no"), str(value).lower())


TEXT = Kind(_text, numeric=False)
WORDS = Kind(_words, numeric=False)
PHRASE = Kind(_phrase, numeric=False)  # a name of theirs, or a text of ours without numbers
COUNTRY = Kind(_country, numeric=False)
FLAG = Kind(_flag, numeric=False)
MOMENT = Kind(_moment, numeric=False)
DAY = Kind(_day, numeric=False)
MONTH = Kind(_month, numeric=False)
MONTH_NAME = Kind(_month_name, numeric=False)
YEAR = Kind(_year, numeric=False)
COUNT = Kind(_number())
EXACT = Kind(_exact, exact=True)
TONNES = Kind(_tonnes, places=_tonnes_places)
TONNES_CHANGE = Kind(_tonnes_change, places=_tonnes_places)
KILOGRAMS = Kind(_number("kg"), places=_amount_places)
VOLUME = Kind(_number("m³"), places=_amount_places)
SHARE = Kind(_share, places=lambda _: 1)
CHANGE = Kind(_change, places=lambda _: 1)
RATIO = Kind(_number(), places=lambda _: 4)
