"""What every summary should say: day by day, in fractions, from the records alone, written without looking at the SQL."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby
from typing import Any

from tests.summaries.worlds import MEASURES, PARENTS, Account, depth, record_id

Place = tuple[str, str]
Cell = tuple[Place, date]


@dataclass
class Sum:
    """What is known of some facilities in some months."""

    amounts: dict[str, list[Fraction]] = field(default_factory=lambda: defaultdict(list))
    records: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    facilities: set[Place] = field(default_factory=set)
    covered: int = 0
    due: int = 0

    def add(self, other: "Sum") -> None:
        for name in MEASURES:
            self.amounts[name] += other.amounts[name]
        self.records |= other.records
        self.pending |= other.pending
        self.facilities |= other.facilities
        self.covered += other.covered
        self.due += other.due


def days(item: dict[str, Any]) -> list[date]:
    return [item["start_date"] + timedelta(days=n) for n in range(item["days"])]


def home(account: Account, place: Place) -> str:
    """Where a facility counts that an organisation lists: in the deepest of all that do, and of several in the first."""
    organization_id, facility_id = place
    listing = [other for other, facility in account.facilities if facility == facility_id]
    if organization_id not in listing:
        return organization_id
    return min(listing, key=lambda other: (-depth(other), other))


def once(account: Account) -> list[tuple[int, dict[str, Any]]]:
    """Every record once, where it counts: best in its facility's own organisation, then in one that lists its facility."""
    same: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for number, item in enumerate(account.records):
        same[record_id(number, item)].append((number, item))

    def worth(row: tuple[int, dict[str, Any]]) -> tuple[bool, bool, int, str]:
        organization_id = row[1]["place"][0]
        elsewhere = home(account, row[1]["place"]) != organization_id
        return elsewhere, row[1]["place"] not in account.facilities, -depth(organization_id), organization_id

    best = [min(rows, key=worth) for rows in same.values()]
    return [(number, item | {"place": (home(account, item["place"]), item["place"][1])}) for number, item in best]


def counted(account: Account) -> list[tuple[int, dict[str, Any]]]:
    return [(number, item) for number, item in once(account) if item["status"] == "active"]


def month_of(day: date) -> date:
    return day.replace(day=1)


def cells(account: Account) -> dict[Cell, Sum]:
    """Facility and month, for every month that is owed."""
    found: dict[Cell, Sum] = {cell: Sum(facilities={cell[0]}, due=_length(cell[1])) for cell in owed(account)}
    covered = defaultdict(set)
    for number, item in counted(account):
        by_month = defaultdict(list)
        for day in days(item):
            by_month[month_of(day)].append(day)
        for month, there in by_month.items():
            cell = found[item["place"], month]
            covered[item["place"], month] |= set(there)
            cell.records.add(number)
            if item["co2e_kg"] is None:
                cell.pending.add(number)
            for name in MEASURES:
                if item[name] is not None:
                    cell.amounts[name].append(Fraction(item[name]) * len(there) / item["days"])
    for key, there in covered.items():
        found[key].covered = len(there)
    return found


def _length(month: date) -> int:
    return (month_of(month + timedelta(days=31)) - month).days


def owed(account: Account) -> set[Cell]:
    years: dict[Place, set[int]] = defaultdict(set)
    for _, item in counted(account):
        years[item["place"]] |= {day.year for day in days(item)}
    owing = set()
    for place, own in years.items():
        of_organization = set().union(*(found for other, found in years.items() if other[0] == place[0]))
        still_active = account.facilities.get(place, {}).get("status") == "active"
        begun = {item["start_date"].year for _, item in counted(account) if item["place"][0] == place[0]}
        last = max(*begun, *own) if still_active else max(own)
        for year in of_organization:
            if min(own) <= year <= last:
                owing |= {(place, date(year, month, 1)) for month in range(1, 13)}
    return owing


def added_up(found: dict[Cell, Sum], keys: Callable[[Cell], Iterable[Any]]) -> dict[Any, Sum]:
    """Cells summed by the keys that each one belongs to."""
    sums: dict[Any, Sum] = defaultdict(Sum)
    for cell, amount in found.items():
        for key in keys(cell):
            sums[key].add(amount)
    return sums


def above(organization_id: str) -> list[str]:
    """An organisation and all those above it."""
    parent = PARENTS.get(organization_id)
    return [organization_id, *(above(parent) if parent else [])]


def stretches(account: Account) -> dict[tuple[str, str, date], tuple[str, date, int, list[str]]]:
    """By organisation, facility and first day: kind, last day, number of records, their ids."""
    found = {}
    for place in {item["place"] for _, item in counted(account)}:
        touching: dict[date, set[int]] = defaultdict(set)
        for number, item in counted(account):
            if item["place"] == place:
                for day in days(item):
                    touching[day].add(number)
        every = [min(touching) + timedelta(days=n) for n in range((max(touching) - min(touching)).days + 1)]
        for times, grouped in groupby(every, key=lambda day: min(len(touching.get(day, ())), 2)):
            stretch = list(grouped)
            numbers = set().union(*(touching.get(day, set()) for day in stretch))
            ids = sorted(record_id(number, account.records[number]) for number in numbers)
            if times != 1:
                kind = "gap" if times == 0 else "overlap"
                found[(*place, stretch[0])] = (kind, stretch[-1], len(ids), ids[:20])
    return found


def lacks(whole: str, missing: set[str]) -> str | None:
    """Why there is no year-on-year of what lacks organisations: of one itself, or of several together."""
    if not missing:
        return None
    return "not received completely" if whole == "own" else f"organisations missing or incomplete: {len(missing)}"


def reason(year: int, now: Sum, before: Sum | None, figure: object, figure_before: Any) -> str | None:
    """Why there is no year-on-year."""
    for when, one in ((year - 1, before), (year, now)):
        if one is None or not one.due:
            return f"{when}: no data"
        if one.covered < one.due:
            return f"{when}: {one.covered} of {one.due} days covered"
        if one.pending:
            return f"{when}: {len(one.pending)} pending"
    if figure_before is None or figure is None:
        return f"{year - 1 if figure_before is None else year}: no figure"
    if figure_before > 0:
        return None
    return f"{year - 1}: {'negative' if figure_before else 'zero'}, of which nothing is a share"
