"""Every number says what its sum is, and a tool that sums what is marked `sum` counts nothing twice."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings

from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.schema import KEY_WORDS, Table
from tests.conftest import CHILD, ROOT, Published, settings_for, sync
from tests.summaries import worlds
from tests.summaries.worlds import MEASURES, Account
from tests.sync.test_listed_twice import KILOGRAMS, OWNER, SISTER, Shared

EVERY = pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.qualified)
TOP = "99999999-9999-4999-8999-999999999999"
SUMMED = {
    f"{table.qualified}.{column.name}"
    for table in all_tables()
    for column in table.columns
    if column.additivity == "sum"
}
NUMBERS = {f"{table.qualified}.{column.name}" for table in all_tables() for column in table.columns if column.is_number}
# Each of these grows with every run, list and organisation, and so does what it counts.
EVENTS = {"sync.runs.requests_count", "summaries.data_quality.proven_list_count"}
DAYS = {"covered_days": "covered_days", "due_days": "due_days"}
Sums = dict[str, Decimal | int | None]


@EVERY
def test_every_number_says_what_its_sum_is(table: Table) -> None:
    assert [column.name for column in table.columns if column.is_number and column.additivity is None] == []
    assert [column.name for column in table.columns if not column.is_number and column.additivity] == []
    for column in table.columns:
        said = table.comment_of(column)
        assert ("Adds up over " in said) == (column.additivity == "sum")
        assert ("Never add up" in said) == (column.additivity in ("none", "latest"))
        if column.additivity == "sum":
            assert set(table.key) <= KEY_WORDS.keys()


@EVERY
def test_what_several_publications_say_never_adds_up_over_them(table: Table) -> None:
    if table.schema == "history":
        assert [column.name for column in table.columns if column.additivity == "sum"] == []


def test_a_comment_says_it_in_words() -> None:
    tables = {table.qualified: table for table in all_tables()}
    said = {
        name: table.comment_of(column)
        for name, table in tables.items()
        for column in table.columns
        if column.name == "co2e_kg"
    }
    assert "Adds up over facilities and months." in said["bi.emissions"]
    assert "Adds up over organisations, facilities and months." in said["summaries.emissions_by_facility_month"]
    assert (
        "Never add up over publications or runs: take one." in said["history.emissions_by_facility_month_as_published"]
    )
    assert (
        "Never add up over organisations: each tree holds those below it." in said["summaries.tree_emissions_by_year"]
    )
    (key,) = [column for column in tables["bi.emissions"].columns if column.name == "facility_key"]
    assert "Refers to bi.facilities.facility_key." in tables["bi.emissions"].comment_of(key)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened:
        yield opened


@settings(max_examples=2)
@given(worlds.accounts)
def test_what_adds_up_is_the_same_in_every_table(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    worlds.fill(connection, account)
    sums = "SELECT {} FROM {}"
    (expected,) = connection.execute(
        sums.format(", ".join(f"sum({name})" for name in MEASURES), "summaries.emissions_by_facility_month")
    ).fetchall()
    (days,) = connection.execute(
        sums.format(", ".join(f"sum({name})" for name in DAYS), "summaries.coverage_by_facility_month")
    ).fetchall()
    truth = dict(zip((*MEASURES, *DAYS), (*expected, *days), strict=True))
    for table in all_tables():
        if table.schema not in ("summaries", "bi") or table.name in ("restatements", "total_impacts_comparison"):
            continue
        for name in [name for name in table.names() if name in truth and f"{table.qualified}.{name}" in SUMMED]:
            assert connection.execute(sums.format(f"sum({name})", table.qualified)).fetchall() == [(truth[name],)], (
                table.name
            )


def shared(*, top: bool = False, also: dict[str, list[str]] | None = None) -> Shared:
    """A holding with two subsidiaries, as it is, below another holding, or with facilities that are listed twice."""
    world = Shared(*((TOP, "On top") if top else (ROOT, "Holding X")))
    if top:
        world.add_organization(ROOT, "Holding X", TOP)
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_organization(SISTER, "Water South", ROOT)
    for facility, organization in OWNER.items():
        world.add_facility(organization, id=facility, country="ES" if facility == "f-root" else "PT", co2e="1000")
        world.add_record(
            facility, id=f"r-{facility}", start_date="2024-12-16", end_date="2025-02-28", co2e=KILOGRAMS[facility]
        )
    world.also = also or {}
    return world


def sums(published: Published) -> Sums:
    """What a tool shows that sums every number of every table."""
    found: Sums = {}
    for table in all_tables():
        names = [column.name for column in table.columns if column.is_number]
        if names:
            (row,) = published.query(f"SELECT {', '.join(f'sum({name})' for name in names)} FROM {table.qualified}")
            found |= {f"{table.qualified}.{name}": value for name, value in zip(names, row, strict=True)}
    return found


def synced(world: Shared, folder: Path, times: int = 1) -> Sums:
    with Sandbox(world) as sandbox:
        for _ in range(times):
            published = sync(settings_for(sandbox, folder))
    return sums(published)


@pytest.mark.exhaustive
def test_a_tool_that_sums_every_number_counts_nothing_twice(tmp_path: Path) -> None:
    """One account in four forms that differ in nothing that was emitted: what is marked `sum` stays what it is."""
    plain = synced(shared(), tmp_path / "plain")
    assert plain.keys() == NUMBERS
    assert plain["bi.emissions.co2e_kg"] == sum(KILOGRAMS.values())
    forms = {
        "published twice": synced(shared(), tmp_path / "again", times=2),
        "below a holding": synced(shared(top=True), tmp_path / "top"),
        "listed twice": synced(shared(also={ROOT: ["f-child"]}), tmp_path / "shared"),
    }
    for form, found in forms.items():
        assert {name: found[name] for name in SUMMED - EVENTS} == {name: plain[name] for name in SUMMED - EVENTS}, form
    # The forms do bring out what must not be summed.
    doubled = {form: {name for name in NUMBERS if found[name] != plain[name]} for form, found in forms.items()}
    assert "history.emissions_by_facility_month_as_published.co2e_kg" in doubled["published twice"]
    assert "summaries.tree_emissions_by_year.co2e_kg" in doubled["below a holding"]
    assert {"dcycle.facilities.co2e_kg", "summaries.data_quality.facility_count"} <= doubled["listed twice"]
