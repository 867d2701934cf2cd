"""Every summary equals a slow calculation in fractions over random accounts, and parts always add up to their wholes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline import summaries
from dcycle_pipeline.publish import checks
from tests.summaries import slow, worlds
from tests.summaries.slow import Sum
from tests.summaries.worlds import MEASURES, Account

BILLIONTH = Fraction(1, 10**9)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened:
        yield opened


def assert_sums(row: dict[str, Any], expected: Sum) -> None:
    for name in MEASURES:
        parts = expected.amounts[name]
        assert (row[name] is None) == (not parts)
        if parts:
            assert abs(Fraction(row[name]) - sum(parts)) <= len(parts) * BILLIONTH
    assert row["record_count"] == len(expected.records)
    assert row["pending_record_count"] == len(expected.pending)


def assert_coverage(row: dict[str, Any], expected: Sum) -> None:
    assert row["covered_days"] == expected.covered
    assert row["due_days"] == expected.due
    if "facility_count" in row:
        assert row["facility_count"] == len(expected.facilities)


def assert_ratio(found: Decimal | None, numerator: Decimal | None, denominator: Decimal | None) -> None:
    if numerator is None or denominator is None or denominator <= 0:
        assert found is None
        return
    exact = Fraction(numerator) / Fraction(denominator)
    if found is None:
        assert abs(exact) >= 10**19
    else:
        assert abs(Fraction(found) - exact) <= BILLIONTH / 2


def assert_year_on_year(
    by_key: dict[Any, Any], sums: dict[Any, Sum], key: tuple[Any, ...], figure: str, lacking: str | None = None
) -> None:
    *rest, year = key
    row, before = by_key[key], by_key.get((*rest, year - 1), {})
    now_figure, before_figure = row[figure], before.get(figure)
    expected = lacking or slow.reason(
        year, sums.get(key, Sum()), sums.get((*rest, year - 1)), now_figure, before_figure
    )
    assert row["year_on_year_reason"] == expected
    found = row[f"{figure}_year_on_year"]
    if expected is None:
        assert_ratio(found, now_figure - before_figure, before_figure)
    else:
        assert found is None


def assert_months(connection: duckdb.DuckDBPyConnection, cells: dict[slow.Cell, Sum]) -> None:
    covered = {(*place, month): cell for (place, month), cell in cells.items() if cell.covered}
    found = worlds.rows(connection, summaries.EMISSIONS_BY_FACILITY_MONTH)
    assert found.keys() == covered.keys()
    for key, row in found.items():
        assert_sums(row, covered[key])
        assert (row["covered_days"], row["days_in_month"]) == (covered[key].covered, covered[key].due)
    calendar = worlds.rows(connection, summaries.COVERAGE_BY_FACILITY_MONTH)
    assert calendar.keys() == {(*place, month) for place, month in cells}
    for (place, month), cell in cells.items():
        assert_coverage(calendar[(*place, month)], cell)


def assert_organizations(
    connection: duckdb.DuckDBPyConnection,
    summary: summaries.Summary,
    expected: dict[Any, Sum],
    refused: frozenset[str],
) -> None:
    found = worlds.rows(connection, summary)
    assert found.keys() == expected.keys()
    whole = "tree" if summary.key[0] == "tree_organization_id" else "own"
    for key, row in found.items():
        assert_sums(row, expected[key])
        assert_coverage(row, expected[key])
        missing = {name for name in refused if key[0] in (slow.above(name) if whole == "tree" else [name])}
        if whole == "tree":
            assert row["missing_member_count"] == len(missing)
        if "year" in row:
            assert_year_on_year(found, expected, key, "co2e_kg", slow.lacks(whole, missing))


def assert_stretches(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    found = worlds.rows(connection, summaries.COVERAGE_GAPS)
    said = {key: (row["kind"], row["last_date"], row["record_count"], row["record_ids"]) for key, row in found.items()}
    assert said == slow.stretches(account)
    assert all(row["days"] == (row["last_date"] - row["first_date"]).days + 1 for row in found.values())
    overlapping = sum(row["days"] for row in found.values() if row["kind"] == "overlap")
    calendar = worlds.rows(connection, summaries.COVERAGE_BY_FACILITY_MONTH)
    assert sum(row["overlap_days"] for row in calendar.values()) == overlapping


def assert_intensity(connection: duckdb.DuckDBPyConnection, account: Account, cells: dict[slow.Cell, Sum]) -> None:
    sums = slow.added_up(cells, lambda cell: [(*cell[0], cell[1].year)])
    calculated = slow.added_up(
        {cell: found for cell, found in cells.items() if found.covered and not found.pending},
        lambda cell: [(*cell[0], cell[1].year)],
    )
    found = worlds.rows(connection, summaries.WWT_INTENSITY_BY_FACILITY_YEAR)
    assert found.keys() == sums.keys()
    for key, row in found.items():
        assert_sums(row, sums[key])
        assert_coverage(row, sums[key])
        assert row["country_code"] == account.facilities.get(key[:2], {}).get("country_code")
        for name in ("co2e_kg", "water_in_m3", "water_out_m3"):
            parts = calculated[key].amounts[name]
            assert abs(Fraction(row[f"calculated_months_{name}"] or 0) - sum(parts)) <= len(parts) * BILLIONTH
        assert_ratio(row["co2e_kg_per_m3_in"], row["calculated_months_co2e_kg"], row["calculated_months_water_in_m3"])
        assert_ratio(row["co2e_kg_per_m3_out"], row["calculated_months_co2e_kg"], row["calculated_months_water_out_m3"])
        assert_ratio(row["sludge_kg_per_m3_in"], row["sludge_kg"], row["water_in_m3"])
        assert_year_on_year(found, sums, key, "co2e_kg_per_m3_in")


def assert_by_facility(
    connection: duckdb.DuckDBPyConnection,
    summary: summaries.Summary,
    cells: dict[slow.Cell, Sum],
    group: dict[slow.Place, tuple[Any, ...]],
    refused: frozenset[str],
) -> None:
    sums = slow.added_up(cells, lambda cell: [(*group[cell[0]], cell[1].year)])
    found = worlds.rows(connection, summary)
    assert found.keys() == sums.keys()
    for key, row in found.items():
        assert_sums(row, sums[key])
        assert_coverage(row, sums[key])
        if "year_on_year_reason" in row:
            assert_year_on_year(found, sums, key, "co2e_kg", slow.lacks("countries", set(refused)))


SCOPES = {"factory": "scope 1", "office": "scope 3 category 5"}


def groups(account: Account, cells: dict[slow.Cell, Sum]) -> Iterator[tuple[summaries.Summary, dict[Any, Any]]]:
    places = {place for place, _ in cells}
    known = {place: account.facilities.get(place, {}) for place in places}
    yield summaries.EMISSIONS_BY_COUNTRY_YEAR, {place: (known[place].get("country_code"),) for place in places}
    scopes = {place: SCOPES.get(known[place].get("facility_type"), "unmapped") for place in places}
    yield summaries.EMISSIONS_BY_SCOPE_YEAR, {place: (place[0], scope) for place, scope in scopes.items()}


def assert_reconciled(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    found = worlds.rows(connection, summaries.FACILITY_RECONCILIATION)
    records = [item for _, item in slow.counted(account)]
    at_home = {place for place in account.facilities if slow.home(account, place) == place[0]}
    assert found.keys() == at_home | {item["place"] for item in records}
    for place, row in found.items():
        own = [item["co2e_kg"] for item in records if item["place"] == place]
        calculated = [amount for amount in own if amount is not None]
        total = account.facilities.get(place, {}).get("co2e_kg")
        assert row["wwt_co2e_kg"] == (sum(calculated) if calculated else None)
        assert (row["record_count"], row["pending_record_count"]) == (len(own), len(own) - len(calculated))
        if not own:
            expected = "no_records"
        elif not calculated:
            expected = "nothing_calculated"
        elif total is None or (total == 0 and sum(calculated) > 0):
            expected = "total_not_known"
        else:
            expected = "exceeds_total" if sum(calculated) > total + Decimal("0.001") else "within_total"
            assert row["remainder_co2e_kg"] == total - sum(calculated)
        assert row["verdict"] == expected
        assert row["explanation"]


def assert_quality(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    found = worlds.rows(connection, summaries.DATA_QUALITY)
    places = [*account.facilities, *(item["place"] for item in account.records)]
    assert {key[0] for key in found} == {place[0] for place in places} | worlds.PARENTS.keys()
    for (organization_id,), row in found.items():
        own = [item for item in account.records if item["place"][0] == organization_id]
        assert row["record_count"] == len(own)
        for status in ("active", "uploaded", "loading", "error"):
            assert row[f"{status}_record_count"] == sum(item["status"] == status for item in own)
        pending = [item["place"] for item in own if item["status"] == "active" and item["co2e_kg"] is None]
        assert (row["pending_record_count"], row["pending_facility_count"]) == (len(pending), len(set(pending)))
        assert row["oldest_pending_since"] == (datetime(2025, 12, 31, tzinfo=UTC) if pending else None)
        assert_ratio(row["pending_share"], Decimal(len(pending)), Decimal(row["active_record_count"]))
        facilities = [place for place in account.facilities if place[0] == organization_id]
        others = {place[1] for place in account.facilities if place[0] != organization_id}
        assert row["twice_listed_facility_count"] == sum(place[1] in others for place in facilities)
        ids = [item["id"] for item in account.records if item["place"][0] != organization_id]
        assert row["twice_listed_record_count"] == sum(item["id"] is not None and item["id"] in ids for item in own)
        kinds = [said[0] for key, said in slow.stretches(account).items() if key[0] == organization_id]
        assert (row["gap_count"], row["overlap_count"]) == (kinds.count("gap"), kinds.count("overlap"))


def assert_calendar_lacks(
    connection: duckdb.DuckDBPyConnection, cells: dict[slow.Cell, Sum], refused: frozenset[str]
) -> None:
    """No month is called complete of which an organisation is missing."""
    owed = slow.added_up(cells, lambda cell: [cell[1]])
    whole = {month for month, one in owed.items() if one.covered == one.due and not one.pending and not refused}
    found = connection.execute("SELECT month FROM bi.dates WHERE is_complete").fetchall()
    assert {month for (month,) in found} == whole


def assert_conserved(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Every roll-up is exactly the sum of its parts, and all of them the sum of the records."""
    for summary in summaries.SUMMARIES:
        for finding in checks.summary_findings(connection, summary):
            assert finding.passed or not finding.blocks, f"{summary.name}: {finding.what}"
    records = [item for _, item in slow.counted(account)]
    months = worlds.rows(connection, summaries.TREE_EMISSIONS_BY_MONTH)
    for name in MEASURES:
        given = sum((item[name] for item in records if item[name] is not None), Decimal(0))
        for summary in (summaries.EMISSIONS_BY_FACILITY_MONTH, summaries.EMISSIONS_BY_COUNTRY_YEAR):
            rows = worlds.rows(connection, summary).values()
            assert sum((row[name] or Decimal(0) for row in rows), Decimal(0)) == given
        in_tree = [item[name] for item in records if item["place"][0] != "alone" and item[name] is not None]
        of_root = [row[name] or 0 for key, row in months.items() if key[0] == "root"]
        assert sum(of_root, Decimal(0)) == sum(in_tree, Decimal(0))


accounts = st.builds(replace, worlds.accounts, refused=worlds.some_refused)


@settings(max_examples=5)
@given(accounts)
def test_each_summary_equals_a_slow_calculation(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    worlds.fill(connection, account)
    cells = slow.cells(account)
    assert_months(connection, cells)
    for own, tree, period in (
        (summaries.EMISSIONS_BY_ORGANIZATION_MONTH, summaries.TREE_EMISSIONS_BY_MONTH, lambda month: month),
        (summaries.EMISSIONS_BY_ORGANIZATION_YEAR, summaries.TREE_EMISSIONS_BY_YEAR, lambda month: month.year),
    ):
        sums = slow.added_up(cells, lambda cell, period=period: [(cell[0][0], period(cell[1]))])  # type: ignore[misc]
        assert_organizations(connection, own, sums, account.refused)
        sums = slow.added_up(
            cells,
            lambda cell, period=period: [(name, period(cell[1])) for name in slow.above(cell[0][0])],  # type: ignore[misc]
        )
        assert_organizations(connection, tree, sums, account.refused)
    assert_stretches(connection, account)
    assert_intensity(connection, account, cells)
    for summary, group in groups(account, cells):
        assert_by_facility(connection, summary, cells, group, account.refused)
    assert_calendar_lacks(connection, cells, account.refused)
    assert_reconciled(connection, account)
    assert_quality(connection, account)
    assert_conserved(connection, account)


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@settings(max_examples=20)
@given(accounts)
def test_each_summary_of_many_accounts(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    test_each_summary_equals_a_slow_calculation.hypothesis.inner_test(connection, account)  # type: ignore[attr-defined]


def test_a_record_between_three_years_is_in_every_month_of_them(connection: duckdb.DuckDBPyConnection) -> None:
    item = {"place": ("root", "f"), "status": "active", "start_date": worlds.date(2023, 12, 31), "days": 367}
    worlds.fill(connection, Account({}, [item | dict.fromkeys(MEASURES, Decimal("1.000000001"))]))
    found = worlds.rows(connection, summaries.EMISSIONS_BY_FACILITY_MONTH)
    assert len(found) == 13
    assert sum(row["covered_days"] for row in found.values()) == 367
    assert worlds.last_day(item) == worlds.date(2024, 12, 31)
    assert worlds.last_day(item) + timedelta(days=1) not in [key[2] for key in found]
