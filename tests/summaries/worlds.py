"""Small random accounts, and a DuckDB that holds one with every summary brought up to date."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import strategies as st

from dcycle_pipeline import summaries
from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.history import versions

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEASURES = ("co2e_kg", "co2e_biomass_kg", "water_in_m3", "water_out_m3", "sludge_kg")
# `alone` is no longer in the tree: its rows stayed.
PARENTS = {"root": None, "child": "root", "grandchild": "child", "other": "root"}
TABLES = (
    summaries.RULES,
    ORGANIZATIONS,
    *(table for endpoint in declared() for table in (*endpoint.tables, versions(endpoint))),
    *(endpoint.table for endpoint in YEAR_TOTALS),
    *run_tables.TABLES,
    summaries.VERSIONED,
    *summaries.DECLARED,
)


@dataclass(frozen=True)
class Account:
    """Facilities by organisation and id, and records. Organisations may list the same ones; `refused` ones were not received."""

    facilities: dict[tuple[str, str], dict[str, Any]]
    records: list[dict[str, Any]]
    refused: frozenset[str] = frozenset()


amounts = st.none() | st.just(Decimal(0)) | st.decimals(-(10**6), 10**12, places=9, allow_nan=False)
facility = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["active", "active", "archived"]),
        "country_code": st.sampled_from(["ES", "PT", None]),
        "facility_type": st.sampled_from(["factory", "office", "hub", None]),
        "co2e_kg": st.none() | st.sampled_from([Decimal(0), Decimal(10**6), Decimal(10**13)]),
    }
)
places = st.tuples(st.sampled_from([*PARENTS, "alone"]), st.sampled_from(["f", "g"]))
starts = st.dates(date(2022, 12, 1), date(2025, 3, 1)) | st.sampled_from(
    [date(2024, 2, 29), date(2023, 1, 1), date(2024, 1, 1), date(2025, 1, 1)]
)
lengths = st.sampled_from([1, 1, 2, 28, 29, 30, 31, 32, 365, 366, 366, 731, 1096]) | st.integers(1, 900)
record = st.fixed_dictionaries(
    {
        "place": places,
        "id": st.none() | st.sampled_from(["twice", "thrice"]),
        "status": st.sampled_from(["active", "active", "active", "active", "uploaded", "loading", "error"]),
        "start_date": starts,
        "days": lengths,
        **dict.fromkeys(MEASURES, amounts),
    }
)
records = st.lists(record, max_size=9, unique_by=lambda item: (item["place"][0], item["id"] or id(item)))
accounts = st.builds(Account, st.dictionaries(places, facility, max_size=6), records)
some_refused = st.just(frozenset[str]()) | st.frozensets(st.sampled_from([*PARENTS]), max_size=2)


def opened() -> duckdb.DuckDBPyConnection:
    """A DuckDB with every table as declared; those of `dcycle` plain, so that rows can be put in."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        for statement in table.ddl():
            connection.execute(statement)
    for name, parent in PARENTS.items():
        connection.execute("INSERT INTO dcycle.organizations VALUES (?, ?, ?, ?)", [name, name, parent, depth(name)])
    return connection


def _above(name: str) -> list[str]:
    parent = PARENTS.get(name)
    return [parent, *_above(parent)] if parent else []


def depth(name: str) -> int:
    """Steps below the root; below any for an organisation that is not in the tree."""
    return len(_above(name)) if name in PARENTS else -1


def record_id(number: int, item: dict[str, Any]) -> str:
    """The id of a record: its own, or its place in the account."""
    return item.get("id") or str(number)


def fill(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Put an account in place of what was there, and follow."""
    connection.execute("DELETE FROM dcycle.waste_water_treatments; DELETE FROM dcycle.facilities")
    for (organization_id, facility_id), fields in account.facilities.items():
        named = {"organization_id": organization_id, "facility_id": facility_id, **fields}
        connection.execute(
            f"INSERT INTO dcycle.facilities ({', '.join(named)}) VALUES (?, ?, ?, ?, ?, ?)", list(named.values())
        )
    for number, item in enumerate(account.records):
        connection.execute(
            "INSERT INTO dcycle.waste_water_treatments (waste_water_treatment_id, organization_id, facility_id, status, "
            f"start_date, end_date, co2e_state, {', '.join(MEASURES)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [record_id(number, item), *item["place"], item["status"], item["start_date"], last_day(item), state(item)]
            + [item[name] for name in MEASURES],
        )
    sweep(connection, account)
    refresh(connection)


def sweep(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Note what the last sweep received."""
    connection.execute("DELETE FROM sync.lists")
    lists: list[tuple[str, str, str | None]] = [(name, "facilities", None) for name in PARENTS]
    for name in PARENTS:
        listed = [place for organization_id, place in account.facilities if organization_id == name]
        lists += [(name, "waste_water_treatments", place) for place in listed or [None]]
    for name, endpoint, place in lists:
        outcome = (
            "forbidden"
            if name in account.refused
            else "proven"
            if place or endpoint == "facilities"
            else "no_facilities"
        )
        connection.execute(
            "INSERT INTO sync.lists (run_id, organization_id, endpoint, facility_id, outcome, merged_at) VALUES ('run', ?, ?, ?, ?, ?)",
            [name, endpoint, place, outcome, NOW],
        )


def refresh(connection: duckdb.DuckDBPyConnection) -> None:
    """Make a version of each record in `dcycle`, and follow."""
    connection.execute(
        "DELETE FROM history.waste_water_treatments; INSERT INTO history.waste_water_treatments BY NAME "
        "SELECT * EXCLUDE (first_seen_at, last_changed_at), TIMESTAMPTZ '2025-12-31' AS valid_from FROM dcycle.waste_water_treatments"
    )
    connection.execute(
        "DELETE FROM history.facilities; INSERT INTO history.facilities BY NAME "
        "SELECT * EXCLUDE (first_seen_at, last_seen_at), TIMESTAMPTZ '2025-12-31' AS valid_from FROM dcycle.facilities"
    )
    summaries.refresh(connection, NOW)


def last_day(item: dict[str, Any]) -> date:
    last: date = item["start_date"] + timedelta(days=item["days"] - 1)
    return last


def state(item: dict[str, Any]) -> str:
    return "pending" if item["co2e_kg"] is None else "calculated"


def rows(connection: duckdb.DuckDBPyConnection, summary: summaries.Summary) -> dict[Any, dict[str, Any]]:
    """The rows of a summary by key."""
    names = summary.names()
    found = connection.execute(f"SELECT {', '.join(names)} FROM {summary.qualified}").fetchall()
    by_key = {}
    for values in found:
        row = dict(zip(names, values, strict=True))
        by_key[tuple(row[name] for name in summary.key)] = row
    assert len(by_key) == len(found)
    return by_key
