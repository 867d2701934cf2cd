"""Schema `bi`: however a tool groups and sums it, nothing is lost and nothing counts twice."""

from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.schema import View
from dcycle_pipeline.summaries.bi import BI, BI_EMISSIONS
from tests.summaries import worlds
from tests.summaries.worlds import MEASURES, Account

ADDITIVE = [column.name for column in BI_EMISSIONS.columns if column.additivity == "sum"]
JOINED = """bi.emissions AS e JOIN bi.facilities AS f USING (facility_key) JOIN bi.organizations AS o USING (organization_key)
JOIN bi.dates AS d USING (month)"""
DIMENSIONS = [
    f"{alias}.{column.name}"
    for alias, view in zip("ofd", (view for view in BI if view != BI_EMISSIONS), strict=True)
    for column in view.columns
    if not (alias == "f" and column.name == "facility_id")
]
months = (
    f"SELECT {', '.join(f'sum({name})' for name in MEASURES)}, coalesce(sum(covered_days), 0) FROM "
    "summaries.emissions_by_facility_month"
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened:
        # Names that people cannot tell apart, and none at all.
        opened.execute("UPDATE dcycle.organizations SET name = 'Water' WHERE organization_id IN ('child', 'other')")
        opened.execute("UPDATE dcycle.organizations SET name = ' ' WHERE organization_id = 'grandchild'")
        yield opened


def grouped(connection: duckdb.DuckDBPyConnection, dimensions: list[str]) -> list[tuple[Decimal | None, ...]]:
    """Sums as a tool asks for them, by some dimensions."""
    sums = ", ".join(f"sum(e.{name})" for name in ADDITIVE)
    by = f"GROUP BY {', '.join(dimensions)}" if dimensions else ""
    return connection.execute(f"SELECT {sums} FROM {JOINED} {by}").fetchall()


def added_up(rows: list[tuple[Decimal | None, ...]]) -> list[Decimal | None]:
    """Sums of sums; null where there is none."""
    columns = list(zip(*rows, strict=True)) or [()] * len(ADDITIVE)
    known = [[value for value in column if value is not None] for column in columns]
    return [sum(values, Decimal(0)) if values else None for values in known]


def assert_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """No key is null or there twice, and each reference finds exactly one row."""
    for view in BI:
        key = ", ".join(view.key)
        known = " AND ".join(f"{name} IS NOT NULL" for name in view.key)
        counts = f"SELECT count(*), count(DISTINCT ({key})), count(*) FILTER ({known}) FROM {view.qualified}"
        assert len(set(connection.execute(counts).fetchall()[0])) == 1, view.qualified
        for column in view.columns:
            if column.references:
                table, _, name = column.references.rpartition(".")
                orphans = f"SELECT {column.name} FROM {view.qualified} WHERE {column.name} NOT IN (SELECT {name} FROM {table})"
                assert connection.execute(orphans).fetchall() == []


@settings(max_examples=2)
@given(worlds.accounts, st.lists(st.lists(st.sampled_from(DIMENSIONS), unique=True), min_size=6, max_size=6))
def test_every_choice_of_dimensions_adds_up_to_the_facility_months(
    connection: duckdb.DuckDBPyConnection, account: Account, choices: list[list[str]]
) -> None:
    worlds.fill(connection, account)
    assert_keys(connection)
    whole = dict(zip(ADDITIVE, added_up(grouped(connection, [])), strict=True))
    *expected, covered = connection.execute(months).fetchall()[0]
    assert [whole[name] for name in MEASURES] == expected
    assert (whole["covered_days"] or 0) == covered
    for name in ("co2e", "co2e_biomass", "sludge"):
        kilograms = whole[f"{name}_kg"]
        assert whole[f"{name}_t"] == (None if kilograms is None else kilograms.scaleb(-3))
    for dimensions in choices:
        assert dict(zip(ADDITIVE, added_up(grouped(connection, dimensions)), strict=True)) == whole


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@settings(max_examples=30)
@given(worlds.accounts, st.lists(st.lists(st.sampled_from(DIMENSIONS), unique=True), min_size=6, max_size=6))
def test_every_choice_of_many_accounts(
    connection: duckdb.DuckDBPyConnection, account: Account, choices: list[list[str]]
) -> None:
    test_every_choice_of_dimensions_adds_up_to_the_facility_months.hypothesis.inner_test(connection, account, choices)  # type: ignore[attr-defined]


def test_people_can_tell_names_apart(connection: duckdb.DuckDBPyConnection) -> None:
    places = [("root", "f"), ("child", "g"), ("child", "h")]
    names = dict(zip(places, ["Plant", "Plant", None], strict=True))
    facts = {"status": "active", "country_code": None, "facility_type": None, "co2e_kg": None}
    worlds.fill(connection, Account(dict.fromkeys(places, facts), []))
    for (organization_id, facility_id), name in names.items():
        connection.execute(
            "UPDATE history.facilities SET name = ? WHERE organization_id = ? AND facility_id = ?",
            [name, organization_id, facility_id],
        )
    found = connection.execute("SELECT facility, country_code FROM bi.facilities ORDER BY facility").fetchall()
    assert found == [(name, "not known") for name in ("Plant (f)", "Plant (g)", "h", "not known")]
    named = connection.execute("SELECT organization FROM bi.organizations ORDER BY organization").fetchall()
    assert named == [("Water (child)",), ("Water (other)",), ("grandchild",), ("not known",), ("root",)]


def test_the_calendar_has_no_hole(connection: duckdb.DuckDBPyConnection) -> None:
    day = {"status": "active", "days": 1, "id": None, **dict.fromkeys(MEASURES, Decimal(1))}
    items = [
        {**day, "place": (name, "f"), "start_date": worlds.date(year, 5, 3)}
        for name, year in (("root", 2021), ("other", 2024))
    ]
    worlds.fill(connection, Account({}, items))
    found = connection.execute(
        "SELECT year_month, month_name, quarter, is_complete FROM bi.dates ORDER BY month"
    ).fetchall()
    assert [row[0] for row in found] == [f"{year}-{month:02}" for year in range(2021, 2025) for month in range(1, 13)]
    assert found[4] == ("2021-05", "May", "2021 Q2", False)


@pytest.mark.parametrize("view", BI, ids=lambda view: view.name)
def test_the_views_give_the_declared_columns(connection: duckdb.DuckDBPyConnection, view: View) -> None:
    given_columns = [(name, type_) for name, type_, *_ in connection.execute(f"DESCRIBE {view.qualified}").fetchall()]
    assert given_columns == [(column.name, column.type) for column in view.columns]
    assert "dcycle." not in view.query
    assert "WITH" not in view.query
