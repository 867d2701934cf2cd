"""The endpoint of total impacts: the emissions of an organisation in a period from all sources, in tonnes of CO2e.

The records behind them belong to `world`. Only the other sources are invented here.
"""

import calendar
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request

from dcycle_pipeline.sandbox.api.refusals import bad_period, invalid, missing
from dcycle_pipeline.sandbox.api.service import Service
from dcycle_pipeline.sandbox.world.chance import chance
from dcycle_pipeline.sandbox.world.items import Item, as_date
from dcycle_pipeline.sandbox.world.world import World

UNIT = "tCO2e"
# code.dcycle.io/api-reference/emissions/get-summary: two years at most.
LONGEST_DAYS = 730
GROUPINGS = ("scope", "category", "month")
TREATMENT = (1, "waste_water_treatments")
# GHG Protocol scope, category, and the most kg CO2e that a facility emits from it in a month. All invented.
OTHER_SOURCES = ((1, "heat", 900), (2, "electricity", 4_000), (3, "purchases", 3_000))
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class Share(NamedTuple):
    """Kilograms of CO2e from one source in one calendar month. `scope` is that of the GHG Protocol."""

    scope: int
    category: str
    year: int
    month: int
    kilograms: Fraction


async def show_totals(service: Service, request: Request) -> bytes:
    """GET /v1/total-impacts (code.dcycle.io/api-reference/emissions/get-summary): tonnes by scope, category or month.

    `{organization_id, start_date, end_date, unit, total_co2e, items: [{scope, co2e, category, year, month}]}`. The keys
    that an item is not grouped by are null. Refusals: 400, 401, 403, 422.
    """
    world, query = service.world, request.query_params
    organization_id = service.gate.organization(request.headers, world, service.behaviour)
    start, end = _day(query, "start_date"), _day(query, "end_date")
    if start > end or (end - start).days > LONGEST_DAYS:
        raise bad_period()
    grouping = query.get("group_by", GROUPINGS[0])
    if grouping not in GROUPINGS:
        raise invalid("query", "group_by", f"Input should be one of {', '.join(GROUPINGS)}", grouping, "enum")
    with world.lock:
        members = _below(world, organization_id) if _truth(query, "include_children") else [organization_id]
        shares = [share for member in members for share in shares_of(world, member, start, end)]
    items = _grouped(shares, grouping)
    answer: Item = {
        "organization_id": organization_id,
        "start_date": start.isoformat(),
        "end_date": end.isoformat(),
        "unit": UNIT,
        "total_co2e": sum((item["co2e"] for item in items), Decimal(0)),
        "items": items,
    }
    return service.shown(organization_id, answer)


def shares_of(world: World, organization_id: str, start: date, end: date) -> Iterator[Share]:
    """What an organisation emits from `start` to `end`, both inclusive.

    Active, calculated records are spread over their days; the other sources are invented by `chance`.
    """
    for facility_id in world.facility_ids(organization_id):
        for record in world.peek_records(facility_id):
            if record["status"] == "active" and record["co2e"] is not None:
                first, last = as_date(record["start_date"]), as_date(record["end_date"])
                for day, days in _months(max(first, start), min(last, end)):
                    kilograms = Fraction(record["co2e"]) * days / ((last - first).days + 1)
                    yield Share(*TREATMENT, day.year, day.month, kilograms)
        for day, days in _months(start, end):
            for scope, category, most in OTHER_SOURCES:
                month = day.replace(day=1)
                kilograms = Fraction(round(chance(facility_id, category, month) * most * 100), 100)
                yield Share(scope, category, day.year, day.month, kilograms * days / _length(day))


def _months(first: date, last: date) -> Iterator[tuple[date, int]]:
    """The parts of a period by calendar month: the first day of each, and its number of days."""
    while first <= last:
        until = min(first.replace(day=_length(first)), last)
        yield first, (until - first).days + 1
        if until == last:
            return
        first = until + timedelta(days=1)


def _length(day: date) -> int:
    """How many days the month of a day has."""
    return calendar.monthrange(day.year, day.month)[1]


def _grouped(shares: list[Share], grouping: str) -> list[dict[str, Any]]:
    sums: dict[tuple[Any, ...], Fraction] = defaultdict(Fraction)
    for share in shares:
        key = {
            "scope": (share.scope, None, None, None),
            "category": (share.scope, share.category, None, None),
            "month": (None, None, share.year, share.month),
        }[grouping]
        sums[key] += share.kilograms
    return [
        {"scope": scope, "co2e": _tonnes(sums[key]), "category": category, "year": year, "month": month}
        for key in sorted(sums, key=str)
        for scope, category, year, month in [key]
    ]


def _tonnes(kilograms: Fraction) -> Decimal:
    return Decimal(round(kilograms * 10**6)).scaleb(-9)


def _below(world: World, organization_id: str) -> list[str]:
    waiting, found = [world.tree()], []
    while waiting:
        node = waiting.pop()
        inside = node["id"] == organization_id or node.get("inside", False)
        waiting += [{**child, "inside": inside} for child in node["children"]]
        found += [node["id"]] if inside else []
    return found


def _day(query: QueryParams, name: str) -> date:
    if (text := query.get(name)) is None:
        raise missing("query", name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid("query", name, "Input should be a valid date", text, "date_from_datetime_parsing") from None


def _truth(query: QueryParams, name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in _TRUTHS:
        raise invalid("query", name, "Input should be a valid boolean", text, "bool_parsing")
    return _TRUTHS[text]
