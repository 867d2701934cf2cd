"""Summaries that are made again only where their sources moved hold the same rows as if all of them were made anew.

Each is compared with its own SQL file over the whole of what it reads, to the last decimal, after any changes in any order.
"""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline import summaries
from dcycle_pipeline.publish.catalog import everything, filled_tables
from dcycle_pipeline.publish.content import content_tables
from dcycle_pipeline.summaries import moved
from dcycle_pipeline.warehouse import kept, prints
from dcycle_pipeline.warehouse.database import declare, transaction
from dcycle_pipeline.warehouse.prints import content_hash
from dcycle_pipeline.warehouse.run_log import moment as next_moment
from tests.summaries.worlds import MEASURES, lengths, starts

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATIONS = ("root", "child", "grandchild", "other", "alone")
FACILITIES = tuple(f"f{number}" for number in range(6))
STORED = [table.qualified for table in summaries.STORED if table.qualified != "summaries.emissions_by_facility_month"]
RECORD, FACILITY = "history.waste_water_treatments", "history.facilities"

organization, facility = st.sampled_from(ORGANIZATIONS), st.sampled_from(FACILITIES)
amounts = st.none() | st.decimals(-10, 10**7, places=9, allow_nan=False)
identifier = st.sampled_from([f"r{number}" for number in range(12)])
changes = st.sampled_from(["new", "edited", "recalculated", "settled", "restored"])
status = st.sampled_from(["active", "active", "active", "uploaded", "error"])
record = st.tuples(
    st.just("record"), organization, identifier, facility, status, starts, lengths, st.tuples(*[amounts] * 5), changes
)
action = st.one_of(
    record,
    record,
    st.tuples(st.just("recalculated"), organization, identifier, amounts),
    st.tuples(st.just("deleted"), organization, identifier),
    st.tuples(st.just("moves"), identifier, organization, organization),
    st.tuples(st.just("person"), identifier, st.sampled_from("ab")),
    st.tuples(
        st.just("facility"),
        organization,
        facility,
        st.sampled_from(["active", "archived"]),
        st.sampled_from(["ES", "PT", None]),
        st.sampled_from(["factory", "office", None]),
        amounts,
        st.sampled_from(["edited", "unlisted"]),
    ),
    st.tuples(st.just("facility_deleted"), organization, facility),
    st.tuples(st.just("tree"), organization, st.none() | organization, st.integers(0, 3), st.sampled_from(["A", "B"])),
    st.tuples(st.just("leaves"), organization),
    st.tuples(st.just("mapping"), st.none() | facility, st.sampled_from([1, 2])),
    st.tuples(st.just("list"), organization, st.sampled_from(["proven", "unproven"]), st.none() | facility),
    st.tuples(st.just("excluded"), organization),
    st.tuples(st.just("total"), organization, st.sampled_from([2023, 2024]), amounts),
    st.tuples(st.just("taken_back")),
    st.tuples(st.just("tampered"), st.sampled_from(STORED)),
    st.tuples(st.just("redated")),
    st.tuples(st.just("other_version")),
    st.tuples(st.just("forgotten"), st.sampled_from(kept.NAMES)),
    st.tuples(st.just("killed")),
    st.tuples(st.just("refreshed")),
    st.tuples(st.just("published")),
    st.tuples(st.just("published")),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(moved, "MOST_SHARE", 1)  # so that a few facilities are few
        patch.setattr(moved, "AT_ONCE", 4)  # so that a few records are many
        opened.execute("ATTACH ':memory:' AS warehouse; USE warehouse; SET TimeZone = 'UTC'")
        declare(opened, everything())
        yield opened


class Account:
    """What a sync would write, in the working file: at each moment one thing happens."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection, self.runs, self.now = connection, 0, BEGIN
        for table in filled_tables():
            connection.execute(f"DELETE FROM {table.qualified}")
        for name in kept.NAMES:
            connection.execute(f"DROP MACRO IF EXISTS sync.{name}")
        for name, parent, depth in (
            ("root", None, 0),
            ("child", "root", 1),
            ("grandchild", "child", 2),
            ("other", "root", 1),
        ):
            self.tree(name, parent, depth, name)
        for number, name in enumerate(FACILITIES):
            place = ORGANIZATIONS[number % len(ORGANIZATIONS)]
            self.facility(place, name, "active", "ES", "factory", 10**6, "new")
            self.record(place, f"always-{number}", name, "active", date(2024, 2, 1), 300, (number,) * 5, "new")

    def sql(self, query: str, *values: object) -> None:
        self.connection.execute(query, list(values))

    def do(self, kind: str, *values: Any) -> None:
        self.now += timedelta(hours=1)
        getattr(self, kind)(*values)

    def _version(self, table: str, change: str, where: dict[str, Any], values: dict[str, Any]) -> None:
        keys = " AND ".join(f"{name} = '{value}'" for name, value in where.items())
        self.sql(f"UPDATE {table} SET valid_to = ? WHERE valid_to IS NULL AND {keys}", self.now)
        row = where | values | {"valid_from": self.now, "change": change}
        self.sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values())

    def record(self, *fields: Any) -> None:
        place, item, site, state, start, days, amount, change = fields
        values = {
            "facility_id": site,
            "status": state,
            "start_date": start,
            "end_date": start + timedelta(days=days - 1),
        }
        values |= dict(zip(MEASURES, amount, strict=True))
        values["co2e_state"] = "pending" if values["co2e_kg"] is None else "calculated"
        self._version(RECORD, change, {"organization_id": place, "waste_water_treatment_id": item}, values)

    def recalculated(self, place: str, item: str, amount: Any) -> None:
        self._copies(
            RECORD,
            f"organization_id = '{place}' AND waste_water_treatment_id = '{item}'",
            "recalculated",
            "co2e_kg",
            amount,
        )

    def moves(self, item: str, source: str, target: str) -> None:
        self._copies(
            RECORD,
            f"organization_id = '{source}' AND waste_water_treatment_id = '{item}'",
            "new",
            "organization_id",
            target,
        )

    def _copies(self, table: str, where: str, change: str, column: str, value: Any) -> None:
        """Another version of the rows that are valid, with one value changed."""
        if column == "organization_id" and self.connection.execute(
            f"SELECT 1 FROM {table} AS there JOIN {table} AS here USING (waste_water_treatment_id) WHERE here.valid_to IS NULL "
            f"AND there.valid_to IS NULL AND here.{where} AND there.organization_id = ?", [value]
        ).fetchall():  # fmt: skip
            return
        self.sql(
            f"""CREATE OR REPLACE TEMP TABLE copied AS SELECT * REPLACE (?::{"VARCHAR" if column == "organization_id" else "DECIMAL(28,9)"} AS {column},
            ?::TIMESTAMPTZ AS valid_from, '{change}' AS change) FROM {table} WHERE valid_to IS NULL AND {where}""",
            value,
            self.now,
        )
        self.sql(f"UPDATE {table} SET valid_to = ? WHERE valid_to IS NULL AND {where}", self.now)
        self.sql(f"INSERT INTO {table} SELECT * FROM copied")

    def deleted(self, place: str, item: str) -> None:
        where = f"organization_id = '{place}' AND waste_water_treatment_id = '{item}' AND valid_to IS NULL"
        ended = "'deleted' AS change, $1::TIMESTAMPTZ AS valid_from, $1::TIMESTAMPTZ AS valid_to"
        self.sql(f"INSERT INTO {RECORD} SELECT * REPLACE ({ended}) FROM {RECORD} WHERE {where}", self.now)
        self.sql(f"UPDATE {RECORD} SET valid_to = ? WHERE {where}", self.now)

    def person(self, item: str, name: str) -> None:
        self.sql(
            f"UPDATE {RECORD} SET uploaded_by_user_id = ? WHERE waste_water_treatment_id = ? AND valid_to IS NULL",
            name,
            item,
        )

    def facility(self, *fields: Any) -> None:
        place, site, state, country, kind, total, change = fields
        values = {"status": state, "country_code": country, "facility_type": kind, "co2e_kg": total, "name": site}
        self._version(FACILITY, change, {"organization_id": place, "facility_id": site}, values)

    def facility_deleted(self, place: str, site: str) -> None:
        self.sql(f"UPDATE {FACILITY} SET valid_to = ? WHERE organization_id = ? AND facility_id = ? AND valid_to IS NULL", self.now, place, site)  # fmt: skip

    def tree(self, place: str, parent: str | None, depth: int, name: str) -> None:
        self.leaves(place)
        self.sql("INSERT INTO dcycle.organizations VALUES (?, ?, ?, ?)", place, name, parent, depth)

    def leaves(self, place: str) -> None:
        self.sql("DELETE FROM dcycle.organizations WHERE organization_id = ?", place)

    def mapping(self, site: str | None, scope: int) -> None:
        self.sql("DELETE FROM summaries.scope_mapping WHERE line = 1")
        self.sql("INSERT INTO summaries.scope_mapping (line, facility_id, scope) VALUES (1, ?, ?)", site, scope)

    def list(self, place: str, outcome: str, site: str | None) -> None:
        run = f"run-{self.now}"
        self.sql(
            """INSERT INTO sync.lists (run_id, organization_id, endpoint, facility_id, outcome, quarantined_count, merged_at, finished_at)
            VALUES ($1, $2, 'waste_water_treatments', $3, $4, 1, $5, $5)""", run, place, site, outcome, self.now
        )  # fmt: skip
        self.sql(
            """INSERT INTO sync.quarantine (run_id, organization_id, endpoint, item_id)
            VALUES (?, ?, 'waste_water_treatments', 'x')""", run, place
        )  # fmt: skip

    def excluded(self, place: str) -> None:
        self.sql("DELETE FROM sync.excluded_organizations")
        self.sql("INSERT INTO sync.excluded_organizations VALUES (?, ?, 'root', 1)", place, place)

    def total(self, place: str, year: int, amount: Any) -> None:
        self.sql("DELETE FROM dcycle.total_impacts WHERE organization_id = ? AND year = ?", place, year)
        self.sql(
            "INSERT INTO dcycle.total_impacts (organization_id, year, co2e_kg) VALUES (?, ?, ?)", place, year, amount
        )

    def taken_back(self) -> None:
        self.sql("UPDATE sync.runs SET published_at = NULL, outcome = 'loaded' WHERE published_at = (SELECT max(published_at) FROM sync.runs)")  # fmt: skip

    def tampered(self, table: str) -> None:
        self.sql(f"DELETE FROM {table} WHERE rowid = (SELECT min(rowid) FROM {table})")

    def redated(self) -> None:
        for table in (RECORD, FACILITY, "history.emissions_by_facility_month"):
            self.sql(
                f"UPDATE {table} SET valid_from = valid_from - INTERVAL 1 SECOND, valid_to = valid_to - INTERVAL 1 SECOND"
            )

    def other_version(self) -> None:
        if known := kept.read(self.connection, kept.SUMMARISED):
            kept.write(self.connection, kept.SUMMARISED, known | {"made_with": "another version"})

    def forgotten(self, name: str) -> None:
        self.sql(f"DROP MACRO IF EXISTS sync.{name}")

    def killed(self) -> None:
        """A run that dies after its refresh and before it commits."""
        self.sql("BEGIN")
        self._refresh("killed")
        self.sql("ROLLBACK")

    def refreshed(self) -> None:
        with transaction(self.connection):
            self._refresh("loaded")

    def published(self) -> None:
        with transaction(self.connection):
            self._refresh("published")
            self.verify_hash()
        with transaction(self.connection):
            assert summaries.refresh(self.connection, self.now + timedelta(seconds=1)) == 0

    def _refresh(self, outcome: str) -> None:
        self.runs += 1
        self.sql(
            "INSERT INTO sync.runs (run_id, started_at, published_at, outcome) VALUES (?, ?, ?, ?)",
            f"run-{self.runs}", self.now, self.now if outcome == "published" else None, outcome,
        )  # fmt: skip
        assert next_moment(self.connection, self.now) >= self.now
        summaries.refresh(self.connection, self.now)
        self.verify()

    def verify(self) -> None:
        """Each summary is what its SQL file gives."""
        with summaries.in_reach(self.connection):
            for summary in summaries.SUMMARIES:
                names = ", ".join(summary.names())
                stored, anew = (
                    f"SELECT {names} FROM {summary.qualified}",
                    f"SELECT {names} FROM ({summaries.query(summary)})",
                )
                for one, other in ((stored, anew), (anew, stored)):
                    assert self.connection.execute(f"{one} EXCEPT ALL {other}").fetchall() == [], summary.name

    def verify_hash(self) -> None:
        """The hash is the same as one that remembers nothing."""
        found = content_hash(self.connection, content_tables())
        assert content_hash(self.connection, content_tables()) == found
        self.forgotten(kept.HASHED)
        assert content_hash(self.connection, content_tables()) == found


@settings(max_examples=1, deadline=None)  # three to four seconds each
@given(st.lists(action, min_size=3, max_size=14))
def test_what_is_made_again_where_it_moved_is_what_all_of_it_would_be(
    connection: duckdb.DuckDBPyConnection, actions: list[tuple[Any, ...]]
) -> None:
    after_each_made_again(connection, actions)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@settings(max_examples=int(os.environ.get("MOVED_EXAMPLES", "16")), deadline=None)
@given(st.lists(action, min_size=3, max_size=14))
def test_that_holds_after_many_other_changes(
    connection: duckdb.DuckDBPyConnection, actions: list[tuple[Any, ...]]
) -> None:
    after_each_made_again(connection, actions)


def after_each_made_again(connection: duckdb.DuckDBPyConnection, actions: list[tuple[Any, ...]]) -> None:
    account = Account(connection)
    account.do("published")
    for kind, *values in actions:
        account.do(kind, *values)
    account.do("published")


def test_every_source_that_a_query_reads_is_declared() -> None:
    for summary in summaries.SUMMARIES:
        text = summaries.query(summary)
        for table in (*everything(), *summaries.SUMMARIES):
            name = getattr(table, "qualified", "")
            if f"{name} " in f"{text} ".replace("\n", " ").replace(")", " ") and name and name != summary.qualified:
                assert name in summary.sources, (summary.name, name)
        assert set(summary.of_facility) <= set(summary.sources)


def test_parts_of_the_hash_that_another_rule_made_are_not_used(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(connection)
    account.do("published")
    content_hash(connection, content_tables())
    monkeypatch.setattr(prints, "_in_64_bits", lambda name: f"'another' || {name}::VARCHAR, ")
    account.verify_hash()
