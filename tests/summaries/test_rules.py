"""The rules in SQL against fractions: they are stored in the published file, so anybody may call them."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline import summaries
from tests.summaries import worlds

LARGEST = Decimal("9999999999999999999.999999999")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened, summaries.in_reach(opened):
        yield opened


def asked(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> Any:
    return connection.execute(f"SELECT {sql}", list(parameters)).fetchall()[0][0]


quantities = st.decimals(-LARGEST, LARGEST, places=9) | st.decimals(-(10**9) - 1, 10**9 + 1, places=9)
lengths = st.sampled_from([1, 2, 28, 31, 365, 366, 1096, 3_652_059]) | st.integers(1, 4000)


@given(quantities, lengths, st.lists(st.floats(0, 1), max_size=5))
def test_the_parts_of_a_period_add_up_however_it_is_cut(
    connection: duckdb.DuckDBPyConnection, quantity: Decimal, days: int, cuts: list[float]
) -> None:
    borders = sorted({0, days, *(int(cut * days) for cut in cuts)})
    parts = [
        (asked(connection, "part(?::DECIMAL(28, 9), ?, ?, ?)", quantity, before, until, days), until - before)
        for before, until in pairwise(borders)
    ]
    assert sum(Fraction(part) for part, _ in parts) == Fraction(quantity)
    for part, length in parts:
        assert abs(Fraction(part) - Fraction(quantity) * length / days) < Fraction(1, 10**9)


@given(quantities, quantities)
def test_a_ratio_to_what_is_above_zero_is_right_to_nine_places(
    connection: duckdb.DuckDBPyConnection, numerator: Decimal, denominator: Decimal
) -> None:
    found = asked(connection, "ratio(?::DECIMAL(38, 9), ?::DECIMAL(38, 9))", numerator, denominator)
    if denominator <= 0 or abs(Fraction(numerator) / Fraction(denominator)) >= 10**19:
        assert found is None
    else:
        assert abs(Fraction(found) - Fraction(numerator) / Fraction(denominator)) <= Fraction(1, 2 * 10**9)


@given(st.dates(date(1, 1, 1), date(9990, 1, 1)), st.integers(1, 2000))
def test_a_period_touches_the_months_of_its_days(connection: duckdb.DuckDBPyConnection, first: date, days: int) -> None:
    last = first + timedelta(days=days - 1)
    assert asked(connection, "day_count(?::DATE, ?::DATE)", first, last) == days
    months = asked(connection, "months_touched(?::DATE, ?::DATE)", first, last)
    assert months == sorted({(first + timedelta(days=n)).replace(day=1) for n in range(days)})


@pytest.mark.parametrize(
    ("status", "start", "counts"),
    [("active", "2025-01-01", True), ("uploaded", "2025-01-01", False), ("active", None, False)],
)
def test_only_active_records_with_both_dates_count(
    connection: duckdb.DuckDBPyConnection, status: str, start: str | None, counts: bool
) -> None:
    assert asked(connection, "is_counted(?, ?::DATE, DATE '2025-01-31')", status, start) is counts


complete = st.tuples(st.decimals(-(10**9), 10**9, places=3), st.integers(1, 366))


@given(complete, complete)
def test_a_change_has_the_sign_of_what_happened_or_a_reason(
    connection: duckdb.DuckDBPyConnection, now: tuple[Decimal, int], before: tuple[Decimal, int]
) -> None:
    (figure, days), (figure_before, days_before) = now, before
    reason, change = asked(
        connection,
        "(no_change_reason(2025, f, d, d, 0, g, e, e, 0), ratio(f - g, g)) FROM (SELECT ?::DECIMAL(38, 9) AS f, ?::BIGINT AS d, "
        "?::DECIMAL(38, 9) AS g, ?::BIGINT AS e)",
        figure,
        days,
        figure_before,
        days_before,
    )
    if figure_before > 0:
        assert reason is None
        assert (change > 0) <= (figure > figure_before)
        assert (change < 0) <= (figure < figure_before)
    else:
        assert reason == f"2024: {'negative' if figure_before else 'zero'}, of which nothing is a share"
        assert change is None
