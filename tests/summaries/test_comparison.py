"""The comparison with Dcycle's totals equals a slow calculation in fractions over random accounts."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.summaries.comparison import TOTAL_IMPACTS_COMPARISON
from tests.summaries import slow, worlds
from tests.summaries.worlds import Account

BILLIONTH = Fraction(1, 10**9)
OTHER_SOURCES = "their total covers every source, ours waste water alone"
totals = st.dictionaries(
    st.tuples(st.sampled_from([*worlds.PARENTS, "alone"]), st.integers(2022, 2027)),
    st.sampled_from([Decimal(0), Decimal("123456.789"), Decimal(10**13)]),
    max_size=8,
)
Key = tuple[str, int]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened:
        yield opened


class Year:
    """What is known of an organisation in a year, record by record."""

    def __init__(self) -> None:
        self.calculated: list[Fraction] = []
        self.crossing: list[Fraction] = []
        self.counts: dict[str, int] = defaultdict(int)


def by_year(account: Account) -> dict[Key, Year]:
    found: dict[Key, Year] = defaultdict(Year)
    for _, item in slow.once(account):
        days = [day.year for day in slow.days(item)]
        for year in set(days):
            one = found[item["place"][0], year]
            if item["status"] != "active":
                one.counts["not_active_record_count"] += 1
                continue
            one.counts["record_count"] += 1
            one.counts["pending_record_count"] += item["co2e_kg"] is None
            one.counts["prorated_record_count"] += len(set(days)) > 1
            if item["co2e_kg"] is not None:
                part = Fraction(item["co2e_kg"]) * days.count(year) / item["days"]
                one.calculated.append(part)
                one.crossing += [part] if len(set(days)) > 1 else []
    return found


def verdict(ours: Decimal | None, theirs: Decimal | None, records: int) -> str:
    if theirs is None:
        return "total_not_known"
    if not records:
        return "no_records"
    if ours is None:
        return "nothing_calculated"
    return "exceeds_total" if ours > theirs + 1 else "within_total"


def assert_reasons(row: dict[str, Any]) -> None:
    reasons = row["reasons"].split("; ")
    assert (OTHER_SOURCES in reasons) == (row["difference_co2e_kg"] is not None and row["difference_co2e_kg"] > 0)
    told = {
        "records are pending": row["pending_record_count"] > 0,
        "records cross the turn of the year": row["prorated_record_count"] > 0,
        "ours covers": row["covered_days"] < row["due_days"],
        "records are not active": row["not_active_record_count"] > 0,
        "their total is not known: it was not asked for": row["theirs_co2e_kg"] is None,
        "their total is that of an earlier sweep": row["theirs_co2e_kg"] is not None,
    }
    assert {words: any(words in reason for reason in reasons) for words in told} == told


@pytest.mark.exhaustive
@settings(max_examples=10)
@given(account=worlds.accounts, theirs=totals)
def test_it_equals_a_calculation_in_fractions(
    connection: duckdb.DuckDBPyConnection, account: Account, theirs: dict[Key, Decimal]
) -> None:
    connection.execute("DELETE FROM dcycle.total_impacts")
    for key, kilograms in theirs.items():
        connection.execute(
            "INSERT INTO dcycle.total_impacts (organization_id, year, co2e_kg) VALUES (?, ?, ?)", [*key, kilograms]
        )
    worlds.fill(connection, account)
    found, years = worlds.rows(connection, TOTAL_IMPACTS_COMPARISON), by_year(account)
    assert found.keys() == {key for key, year in years.items() if year.counts["record_count"]} | theirs.keys()
    for key, row in found.items():
        year = years.get(key, Year())
        assert (row["ours_co2e_kg"] is None) == (not year.calculated)
        ours, crossing = Fraction(row["ours_co2e_kg"] or 0), Fraction(row["prorated_co2e_kg"])
        assert abs(ours - sum(year.calculated)) <= len(year.calculated) * BILLIONTH
        assert abs(crossing - sum(year.crossing)) <= len(year.crossing) * BILLIONTH
        assert row["theirs_co2e_kg"] == theirs.get(key)
        if row["ours_co2e_kg"] is None or key not in theirs:
            assert row["difference_co2e_kg"] is None
        else:
            assert Fraction(row["difference_co2e_kg"]) == Fraction(theirs[key]) - ours
        for name in ("record_count", "pending_record_count", "not_active_record_count", "prorated_record_count"):
            assert row[name] == year.counts[name]
        assert (row["prorated_share"] is None) == (ours <= 0)
        if row["prorated_share"] is not None:
            assert abs(Fraction(row["prorated_share"]) * ours - crossing) <= abs(ours) * BILLIONTH
        assert row["verdict"] == verdict(row["ours_co2e_kg"], theirs.get(key), year.counts["record_count"])
        assert_reasons(row)


@pytest.mark.exhaustive
@settings(max_examples=40)
@given(account=worlds.accounts, theirs=totals)
def test_many_equal_a_calculation_in_fractions(
    connection: duckdb.DuckDBPyConnection, account: Account, theirs: dict[Key, Decimal]
) -> None:
    test_it_equals_a_calculation_in_fractions.hypothesis.inner_test(connection, account, theirs)  # type: ignore[attr-defined]
