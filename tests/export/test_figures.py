"""The figures that tools calculate by themselves are those of the summaries, over random accounts, however rows are grouped."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.export.metrics import OF_EMISSIONS, OF_YEAR_ON_YEAR
from dcycle_pipeline.export.relations import EMISSIONS_WITH_NAMES, YEAR_ON_YEAR_WITH_NAMES
from tests.summaries import worlds
from tests.summaries.worlds import Account

# Rules of a file stand in its own catalog; here that is another one.
SQL = {metric.name: metric.sql.replace("dcycle_warehouse.", "") for metric in (*OF_EMISSIONS, *OF_YEAR_ON_YEAR)}
YEAR_ON_YEAR = f"({YEAR_ON_YEAR_WITH_NAMES.query})"
GROUPED_BY = ("facility_key", "organization", "country_code", "facility_type", "status", "parent_organization", "level")
whole_years = st.fixed_dictionaries(
    {
        "place": worlds.places,
        "id": st.none(),
        "status": st.just("active"),
        "start_date": st.sampled_from([worlds.date(year, 1, 1) for year in (2022, 2023, 2024)]),
        "days": st.sampled_from([365, 731, 1096, 1096]),
        **dict.fromkeys(worlds.MEASURES, st.none() | st.decimals(1, 10**6, places=9)),
    }
)
accounts = st.builds(
    Account,
    st.dictionaries(worlds.places, worlds.facility.map(lambda one: one | {"status": "archived"}), max_size=4),
    st.lists(whole_years, max_size=5),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened:
        yield opened


def differing(connection: duckdb.DuckDBPyConnection, drawn: str, ready_made: str) -> list[tuple[object, ...]]:
    """Rows of key and figure that only one of the two has, leaving out those without a figure."""
    both = [f"SELECT * FROM ({query}) AS asked (k, y, v) WHERE v IS NOT NULL" for query in (drawn, ready_made)]
    return connection.execute(f"({both[0]} EXCEPT {both[1]}) UNION ALL ({both[1]} EXCEPT {both[0]})").fetchall()


def assert_like_summaries(connection: duckdb.DuckDBPyConnection) -> None:
    by_year = f"SELECT {{}}, year, {SQL['co2e_kg_year_on_year']} FROM {YEAR_ON_YEAR} GROUP BY ALL"
    for key, table in (("organization_key", "organization"), ("nullif(country_code, 'not known')", "country")):
        column = "organization_id" if table == "organization" else "country_code"
        ready_made = f"SELECT {column}, year, co2e_kg_year_on_year FROM summaries.emissions_by_{table}_year"
        assert differing(connection, by_year.format(key), ready_made) == []
    for name in ("co2e_kg_per_m3_in", "co2e_kg_per_m3_out", "sludge_kg_per_m3_in"):
        drawn = f"SELECT facility_key, year(month), {SQL[name]} FROM bi.emissions GROUP BY ALL"
        ready_made = (
            f"SELECT organization_id || '·' || facility_id, year, {name} FROM summaries.wwt_intensity_by_facility_year"
        )
        assert differing(connection, drawn, ready_made) == []


Years = dict[tuple[str, int], tuple[bool, Decimal | None]]


def facility_years(connection: duckdb.DuckDBPyConnection) -> Years:
    """Of each facility and year that it owes: whether it is complete, and its kilograms."""
    query = """SELECT facility_key, year(month), sum(covered_days) = sum(due_days) AND sum(pending_months) = 0, sum(co2e_kg)
        FROM bi.emissions GROUP BY ALL"""
    return {(facility, year): (whole, co2e) for facility, year, whole, co2e in connection.execute(query).fetchall()}


def expected(years: Years, facilities: set[str], year: int) -> Decimal | None:
    """The rule in plain Python."""
    sides = [[years[key] for key in years if key[0] in facilities and key[1] == each] for each in (year, year - 1)]
    known = [[co2e for _, co2e in side if co2e is not None] for side in sides]
    if not all(sides) or not all(known) or not all(whole for side in sides for whole, _ in side):
        return None
    now, before = (sum(side, Decimal(0)) for side in known)
    return (now - before) / before if before > 0 else None


def assert_nothing_is_whole_that_lacks_an_organization(connection: duckdb.DuckDBPyConnection) -> None:
    query = f"SELECT facility_key, year, {SQL['co2e_kg_year_on_year']} FROM {YEAR_ON_YEAR} GROUP BY ALL"
    assert {change for _, _, change in connection.execute(query).fetchall()} <= {None}


def assert_rule_of_any_choice(connection: duckdb.DuckDBPyConnection, by: list[str]) -> None:
    years = facility_years(connection)
    key = ", ".join(by)
    query = f"SELECT {key}, year, list(DISTINCT facility_key), {SQL['co2e_kg_year_on_year']} FROM {YEAR_ON_YEAR} GROUP BY {key}, year"
    for *_, year, facilities, found in connection.execute(query).fetchall():
        told = expected(years, set(facilities), year)
        assert (found is None) == (told is None)
        assert found is None or abs(found - told) <= Decimal("1e-9")


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@settings(max_examples=40)
@given(accounts | worlds.accounts, st.lists(st.sampled_from(GROUPED_BY), min_size=1, max_size=3, unique=True))
def test_figures_are_those_of_the_summaries(
    connection: duckdb.DuckDBPyConnection, account: Account, by: list[str]
) -> None:
    worlds.fill(connection, account)
    assert_like_summaries(connection)
    assert_rule_of_any_choice(connection, by)
    worlds.fill(connection, replace(account, refused=frozenset({"other"})))
    assert_nothing_is_whole_that_lacks_an_organization(connection)
    worlds.fill(connection, account)
    for column in EMISSIONS_WITH_NAMES.columns:
        if column.additivity == "sum":
            sums = f"SELECT sum({column.name}) FROM "
            (with_names,) = connection.execute(f"{sums} ({EMISSIONS_WITH_NAMES.query})").fetchall()
            assert connection.execute(f"{sums} bi.emissions").fetchall() == [with_names]
