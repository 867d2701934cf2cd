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
