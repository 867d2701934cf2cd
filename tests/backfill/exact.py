"""What two snapshots differ in, by plain SQL and Python, beside what a preview said of it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

FIGURES = ("co2e_kg", "co2e_biomass_kg", "record_count", "pending_record_count")
MONTHS = """SELECT organization_id, facility_id, month::VARCHAR, co2e_kg::VARCHAR, co2e_biomass_kg::VARCHAR, record_count,
    pending_record_count FROM summaries.emissions_by_facility_month"""
NOTHING = (None,) * len(FIGURES)


def by_key(file: Path, sql: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The rows of a query on a snapshot, by their first three columns."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return {row[:3]: row[3:] for row in connection.execute(sql).fetchall()}


def check_months(before: Path, after: Path, seen: dict[str, Any], period: Sequence[date]) -> None:
    """Each month that differs between two snapshots is in the preview, to the last decimal, and no other one."""
    old, new = by_key(before, MONTHS), by_key(after, MONTHS)
    rows = {(row["organization_id"], row["facility_id"], row["month"]): row for row in seen["months"]}
    assert rows.keys() == {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    difference: dict[tuple[str, str], Decimal] = {}
    for key, row in rows.items():
        sides = old.get(key, NOTHING), new.get(key, NOTHING)
        assert [tuple(row[f"{name}_{side}"] for name in FIGURES) for side in ("before", "after")] == list(sides)
        assert row["period"] == ("inside" if has_day_in(row["month"], period) else "outside")
        exact = Decimal(sides[1][0] or 0) - Decimal(sides[0][0] or 0)
        assert Decimal(row["co2e_kg_difference"]) == exact
        place = key[0], row["period"]
        difference[place] = difference.get(place, Decimal(0)) + exact
    for row in seen["totals"]:
        place = row["organization_id"], row["period"]
        assert Decimal(row["co2e_kg_difference"]) == difference.pop(place, Decimal(0))
    assert difference == {}


def has_day_in(month: str, period: Sequence[date]) -> bool:
    """Whether a month, given by its first day, has a day in the period."""
    first, last = ((day.year, day.month) for day in period)
    given = date.fromisoformat(month)
    return first <= (given.year, given.month) <= last


PENDING = """SELECT organization_id, '{endpoint}', {period}, count(*) FROM dcycle.{endpoint} WHERE co2e_kg IS NULL GROUP BY ALL"""
PERIOD_OF_RECORD = """CASE WHEN start_date IS NULL OR end_date IS NULL THEN 'undated'
    WHEN start_date <= DATE '{1}' AND end_date >= DATE '{0}' THEN 'inside' ELSE 'outside' END"""
FACILITIES = "SELECT * EXCLUDE (first_seen_at, last_seen_at) FROM dcycle.facilities"
EMISSIONS, NOTES = {"co2e_kg", "co2e_biomass_kg"}, {"updated_at"}


def check_pending(before: Path, after: Path, seen: dict[str, Any], period: Sequence[date]) -> None:
    """Whose emissions are pending, before and after, is as two snapshots have it."""
    periods = {"facilities": "'undated'", "waste_water_treatments": PERIOD_OF_RECORD.format(*period)}
    old, new = (
        {
            key: count
            for endpoint, where in periods.items()
            for key, (count,) in by_key(file, PENDING.format(endpoint=endpoint, period=where)).items()
        }
        for file in (before, after)
    )
    told = {
        (row["organization_id"], row["endpoint"], row["period"]): (row["pending_before"], row["pending_after"])
        for row in seen["pending"]
    }
    assert told == {key: (old.get(key, 0), new.get(key, 0)) for key in old.keys() | new.keys()}


def check_facilities(before: Path, after: Path, earlier: Sequence[Path], seen: dict[str, Any]) -> None:
    """The kinds of change of facilities are those in which two snapshots differ; `earlier` are those published before both."""
    old, new = facilities(before), facilities(after)
    ever = {key for file in earlier for key in facilities(file)}
    expected: dict[tuple[str, str], int] = {}
    for key in old.keys() | new.keys():
        if old.get(key) != new.get(key):
            kind = kind_of(old.get(key), new.get(key), was_there=key in ever)
            expected[key[0], kind] = expected.get((key[0], kind), 0) + 1
    told = {
        (row["organization_id"], row["change"]): row["rows_count"]
        for row in seen["changes"]
        if row["endpoint"] == "facilities"
    }
    assert told == expected
    assert {row["period"] for row in seen["changes"] if row["endpoint"] == "facilities"} <= {"undated"}


def facilities(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        cursor = connection.execute(FACILITIES)
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {(row["organization_id"], row["facility_id"]): row for row in rows}


def kind_of(old: dict[str, Any] | None, new: dict[str, Any] | None, *, was_there: bool) -> str:
    """The kind of change from one row to another one, either of which may not be there."""
    if new is None:
        return "deleted"
    if old is None:
        return "restored" if was_there else "new"
    moved = {name for name in old if old[name] != new[name]}
    if moved - EMISSIONS - NOTES or not moved & EMISSIONS:
        return "edited"
    return "settled" if old["co2e_kg"] is None and new["co2e_kg"] is not None else "recalculated"
