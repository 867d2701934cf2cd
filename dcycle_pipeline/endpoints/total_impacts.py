"""Total impacts: what an organisation emitted in a calendar year from all its sources, as Dcycle totals it.

Source: code.dcycle.io/api-reference/emissions/get-summary.
"""

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import reduce

import msgspec

from dcycle_pipeline.api.types import Query
from dcycle_pipeline.endpoints.declaration import YearTotal
from dcycle_pipeline.schema import KILOGRAMS_CO2E, QUANTITY, Column, Table

PATH = "/v1/total-impacts"
_SOURCE = f"GET {PATH}"
# The unit is documented as a text, and its example is tCO2e; other endpoints say kgco2e. Any other unit is refused, not guessed.
KILOGRAMS_IN = {"t": 1000, "tonne": 1000, "tonnes": 1000, "kg": 1}
# Whether Dcycle counts a facility once that several organisations list is not documented.
NEVER_OVER = "organisations: what several of them list may be in the total of each"
SCOPES = ("1", "2", "3")  # of the GHG Protocol
# Exact for every number that the columns can hold (28 digits); a larger one goes to quarantine afterwards.
_EXACT = Context(prec=80, Emin=MIN_EMIN, Emax=MAX_EMAX)


class Part(msgspec.Struct):
    """One group of the answer. Whether `scope` is a number or a text is not documented. `co2e` is in the unit of the answer."""

    scope: int | str | None = None
    co2e: Decimal | None = None


class TotalImpacts(msgspec.Struct):
    """The answer. `total_co2e` and the parts in `items` are in `unit`."""

    organization_id: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    unit: str | None = None
    total_co2e: Decimal | None = None
    items: list[Part] | None = None


def period(year: str) -> tuple[str, str]:
    """First and last day of a calendar year, as ISO dates."""
    return f"{year:0>4}-01-01", f"{year:0>4}-12-31"


def _query(year: str) -> Query:
    start, end = period(year)
    return (("start_date", start), ("end_date", end), ("group_by", "scope"), ("include_children", "false"))


def kilograms_in(unit: str | None) -> int | None:
    """Kilograms in one unit, e.g. 1000 for tCO2e; None if the unit is not known."""
    plain = (unit or "").lower().replace("₂", "2").replace(" ", "").replace("_", "")
    return KILOGRAMS_IN.get(plain.removesuffix("q").removesuffix("co2e"))


def problem(item: TotalImpacts, organization_id: str, year: str) -> str | None:
    """Why an answer cannot be compared with our figures; None if it can."""
    start, end = period(year)
    if item.organization_id not in (None, organization_id):
        return f"organization_id is {item.organization_id!r}, but the organisation asked for was {organization_id!r}"
    if item.start_date is not None and item.start_date[:10] != start:
        return f"start_date is {item.start_date!r}, but {start} was asked for"
    if item.end_date is not None and item.end_date[:10] != end:
        return f"end_date is {item.end_date!r}, but {end} was asked for"
    if kilograms_in(item.unit) is None:
        return f"unit is {item.unit!r}, expected tCO2e or kgCO2e"
    if item.total_co2e is None:
        return "total_co2e is null"
    return None


def kilograms(item: TotalImpacts) -> tuple[Decimal, ...]:
    """Four exact amounts in kg CO2e: the total, and the parts of scopes 1, 2 and 3. The answer must have no `problem`.

    Raises ArithmeticError if a number is too large or too small to be calculated with.
    """
    factor = Decimal(kilograms_in(item.unit) or 0)
    of_scopes = (_of_scope(item.items or [], scope) for scope in SCOPES)
    return tuple(_EXACT.multiply(amount, factor) for amount in (item.total_co2e or Decimal(0), *of_scopes))


def _of_scope(parts: list[Part], scope: str) -> Decimal:
    amounts = [part.co2e for part in parts if part.co2e is not None and _scope(part) == scope]
    return reduce(_EXACT.add, amounts, Decimal(0))


def _scope(part: Part) -> str:
    return str(part.scope).lower().removeprefix("scope").strip(" _")


def _quantity(name: str, meaning: str, field: str) -> Column:
    source = f"{_SOURCE}: {field}, by unit"
    return Column(
        name,
        QUANTITY,
        meaning,
        source,
        KILOGRAMS_CO2E,
        example="1250000.500000000",
        additivity="none",
        never_over=NEVER_OVER,
    )


TOTAL_IMPACTS = Table(
    "dcycle",
    "total_impacts",
    "One row per organisation and calendar year in which it has active waste-water records: its total from all sources, as "
    "Dcycle gives it, for comparison. It covers those records and everything else: never add it to them",
    ("organization_id", "year"),
    (
        Column(
            "organization_id",
            "VARCHAR",
            "Organisation, without its subsidiaries",
            "x-organization-id",
            example="11111111-1111-4111-8111-111111111111",
        ),
        Column(
            "year", "INTEGER", "Calendar year", f"{_SOURCE}: start_date, end_date", example="2025", additivity="none"
        ),
        _quantity("co2e_kg", "Emissions of the organisation from all sources", "total_co2e"),
        *(
            _quantity(f"scope_{scope}_co2e_kg", f"The part of scope {scope}; 0 if the answer names none", "items.co2e")
            for scope in SCOPES
        ),
        Column(
            "unit", "VARCHAR", "Unit in which Dcycle sent the total and its parts", f"{_SOURCE}: unit", example="tCO2e"
        ),
        Column(
            "total_co2e",
            QUANTITY,
            "The total as Dcycle sent it, in that unit",
            f"{_SOURCE}: total_co2e",
            example="1250.000500000",
            additivity="none",
            never_over="rows: they may be in different units",
        ),
    ),
    _SOURCE,
)

ENDPOINT = YearTotal(
    name="total_impacts",
    title="Emissions of the organisation from all sources as Dcycle totals them, by calendar year",
    path=PATH,
    query=_query,
    item=TotalImpacts,
    table=TOTAL_IMPACTS,
)
