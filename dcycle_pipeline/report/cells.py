"""How a value is shown: short and rounded, or exact, with its unit; and what is shown if there is none.

Which columns a figure shows belongs to `sections` and the chapters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

# 60 digits: more than a total has (38), so a number is rounded once, to the places that are shown.
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_KILOGRAMS_PER_TONNE = 1000
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """A value as shown. `value` is the exact one as text, empty if there is none; `fraction` is shown smaller after `text`.

    `element` is the HTML element that holds it: span, data or time.
    """

    text: str
    value: str = ""
    fraction: str = ""
    unit: str = ""
    element: str = "span"


@dataclass(frozen=True)
class Kind:
    """A way of showing values of one meaning; numeric ones are aligned to the right."""

    show: Callable[[Any], Cell]
    numeric: bool = True


def grouped(value: Decimal | int, places: int = 0) -> str:
    """A number with thousands separators, rounded half-even to `places`."""
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), context=_EXACT)
    return f"{rounded:,f}".replace("-", MINUS)


def tonnes(kilograms: Decimal) -> str:
    """Kilograms as tonnes, with about three significant digits; without decimals from 1,000 t on."""
    value = _EXACT.divide(kilograms, Decimal(_KILOGRAMS_PER_TONNE))
    size = abs(value)
    return grouped(value, 0 if size >= 1000 or not size else 1 if size >= 10 else 3)


def _exact(value: Decimal) -> Cell:
    whole, _, fraction = grouped(value, 9).partition(".")
    return Cell(whole, str(value), f".{fraction}", element="data")


def _tonnes(value: Decimal) -> Cell:
    return Cell(tonnes(value), str(value), unit="t", element="data")


def _volume(value: Decimal) -> Cell:
    return Cell(grouped(value), str(value), unit="m³", element="data")


def _count(value: int) -> Cell:
    return Cell(grouped(value), str(value), element="data")


def _share(value: Decimal) -> Cell:
    return Cell(grouped(value * 100, 1), str(value), unit="%", element="data")


def _change(value: Decimal) -> Cell:
    sign = "+" if value > 0 else ""
    return Cell(sign + grouped(value * 100, 1), str(value), unit="%", element="data")


def _ratio(value: Decimal) -> Cell:
    return Cell(grouped(value, 3), str(value), element="data")


def _moment(value: datetime) -> Cell:
    return Cell(f"{value.day} {value:%b %Y, %H:%M} UTC", value.isoformat(), element="time")


def _day(value: date) -> Cell:
    return Cell(f"{value.day} {value:%b %Y}", value.isoformat(), element="time")


def _month(value: date) -> Cell:
    return Cell(f"{value:%b %Y}", f"{value:%Y-%m}", element="time")


def _text(value: Any) -> Cell:
    return Cell(str(value), str(value))


def _year(value: int) -> Cell:
    return Cell(str(value), str(value), element="data")


def _flag(value: bool) -> Cell:
    return Cell("yes" if value else "no", str(value).lower())


TEXT = Kind(_text, numeric=False)
FLAG = Kind(_flag, numeric=False)
MOMENT = Kind(_moment, numeric=False)
DAY = Kind(_day, numeric=False)
MONTH = Kind(_month, numeric=False)
YEAR = Kind(_year, numeric=False)
COUNT = Kind(_count)
EXACT = Kind(_exact)
TONNES = Kind(_tonnes)
VOLUME = Kind(_volume)
SHARE = Kind(_share)
CHANGE = Kind(_change)
RATIO = Kind(_ratio)
