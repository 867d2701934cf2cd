"""The summary by facility and month equals a slow calculation in fractions, written without looking at the SQL."""

import calendar
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline import summaries
from tests.summaries import worlds
from tests.summaries.worlds import MEASURES

SUMMARY = summaries.EMISSIONS_BY_FACILITY_MONTH


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened:
        yield opened


amounts = st.none() | st.decimals(-(10**6), 10**12, places=9, allow_nan=False)
records = st.lists(
    st.fixed_dictionaries(
        {
            "facility_id": st.sampled_from(["f", "g"]),
            "status": st.sampled_from(["active", "active", "active", "uploaded", "loading", "error"]),
            "start_date": st.dates(date(2019, 12, 1), date(2025, 3, 1)) | st.sampled_from([date(2024, 2, 29)]),
            "days": st.sampled_from([1, 1, 2, 28, 29, 30, 31, 35, 366, 731]) | st.integers(1, 900),
            **dict.fromkeys(MEASURES, amounts),
        }
    ),
    max_size=6,
)


def filled(
    connection: duckdb.DuckDBPyConnection, items: list[dict[str, Any]]
) -> dict[tuple[str, date], dict[str, Any]]:
    connection.execute("DELETE FROM dcycle.waste_water_treatments")
    for number, item in enumerate(items):
        end = item["start_date"] + timedelta(days=item["days"] - 1)
        state = "pending" if item["co2e_kg"] is None else "calculated"
        connection.execute(
            "INSERT INTO dcycle.waste_water_treatments (organization_id, facility_id, waste_water_treatment_id, status, "
            f"start_date, end_date, co2e_state, {', '.join(MEASURES)}) VALUES ('o', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [item["facility_id"], str(number), item["status"], item["start_date"], end, state]
            + [item[name] for name in MEASURES],
        )
    worlds.refresh(connection)
    found = connection.execute(f"SELECT {', '.join(SUMMARY.names())} FROM {SUMMARY.qualified}").fetchall()
    rows = [dict(zip(SUMMARY.names(), row, strict=True)) for row in found]
    return {(row["facility_id"], row["month"]): row for row in rows}


def slowly(items: list[dict[str, Any]]) -> dict[tuple[str, date], dict[str, Any]]:
    months: dict[tuple[str, date], dict[str, Any]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if item["status"] != "active":
            continue
        days = [item["start_date"] + timedelta(days=n) for n in range(item["days"])]
        for month in {day.replace(day=1) for day in days}:
            there = [day for day in days if day.replace(day=1) == month]
            row = months[item["facility_id"], month]
            row["records"].append(item)
            row["days"] += there
            for name in MEASURES:
                if item[name] is not None:
                    row[name].append(Fraction(item[name]) * len(there) / len(days))
    return months


@pytest.mark.exhaustive
@settings(max_examples=12)
@given(records)
def test_it_equals_a_slow_calculation(connection: duckdb.DuckDBPyConnection, items: list[dict[str, Any]]) -> None:
    rows, truth = filled(connection, items), slowly(items)
    assert rows.keys() == truth.keys()
    for key, row in rows.items():
        expected = truth[key]
        assert row["covered_days"] == len(set(expected["days"]))
        assert row["days_in_month"] == calendar.monthrange(key[1].year, key[1].month)[1]
        assert row["record_count"] == len(expected["records"])
        assert row["pending_record_count"] == sum(item["co2e_kg"] is None for item in expected["records"])
        for name in MEASURES:
            assert (row[name] is None) == (not expected[name])
            if expected[name]:
                parts = len(expected[name])
                assert abs(Fraction(row[name]) - sum(expected[name])) <= parts * Fraction(1, 10**9)


@pytest.mark.exhaustive
@settings(max_examples=25)
@given(records)
def test_many_equal_a_slow_calculation(connection: duckdb.DuckDBPyConnection, items: list[dict[str, Any]]) -> None:
    test_it_equals_a_slow_calculation.hypothesis.inner_test(connection, items)  # type: ignore[attr-defined]


@pytest.mark.exhaustive
@settings(max_examples=12)
@given(records.filter(len))
def test_the_months_of_a_record_add_up_to_it(
    connection: duckdb.DuckDBPyConnection, items: list[dict[str, Any]]
) -> None:
    rows = filled(connection, [item | {"status": "active"} for item in items])
    for name in MEASURES:
        given = [item[name] for item in items if item[name] is not None]
        assert sum((row[name] or Decimal(0) for row in rows.values()), Decimal(0)) == sum(given, Decimal(0))


@pytest.mark.exhaustive
@settings(max_examples=25)
@given(records.filter(len))
def test_the_months_of_many_records_add_up_to_them(
    connection: duckdb.DuckDBPyConnection, items: list[dict[str, Any]]
) -> None:
    test_the_months_of_a_record_add_up_to_it.hypothesis.inner_test(connection, items)  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, 2, 20])
def test_the_largest_quantities_that_a_record_may_hold_do_not_stop_the_summary(
    connection: duckdb.DuckDBPyConnection, count: int
) -> None:
    """Each record is legal for itself; together they must not leave everybody without a publication."""
    largest = Decimal("9999999999999999999.999999999")
    item = {"facility_id": "f", "status": "active", "start_date": date(2025, 1, 1), "days": 31}
    filled(connection, [item | dict.fromkeys(MEASURES, largest) for _ in range(count)])


@pytest.mark.parametrize(("start", "days"), [(date(1, 1, 1), 40), (date(9999, 12, 1), 31), (date(1900, 1, 1), 73049)])
def test_the_borders_of_the_calendar_hold(connection: duckdb.DuckDBPyConnection, start: date, days: int) -> None:
    item = {"facility_id": "f", "status": "active", "start_date": start, "days": days}
    rows = filled(connection, [item | dict.fromkeys(MEASURES, Decimal("1.000000001"))])
    assert sum(row["covered_days"] for row in rows.values()) == days
    assert sum(row["co2e_kg"] for row in rows.values()) == Decimal("1.000000001")


def test_a_second_refresh_touches_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    item = {"facility_id": "f", "status": "active", "start_date": date(2025, 1, 1), "days": 40}
    filled(connection, [item | dict.fromkeys(MEASURES, Decimal(7))])
    assert summaries.refresh(connection, worlds.NOW) == 0
