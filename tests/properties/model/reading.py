"""What a published file says now, and what it says that it said before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tests.conftest import BUSINESS, NOTHING_MISSING
from tests.properties.model.remembered import COLUMNS, SettledScope, Version

Row = tuple[Any, ...]
SUMMARY = "emissions_by_facility_month"
SUMMARY_COLUMNS = (
    "organization_id, facility_id, country_code, month, co2e_kg, co2e_biomass_kg, water_in_m3, water_out_m3, sludge_kg, "
    "record_count, pending_record_count, covered_days, days_in_month"
)
# Ids of persons are kept up to date in place, so the past does not keep them.
KEPT = BUSINESS | {"waste_water_treatments": BUSINESS["waste_water_treatments"].replace("uploaded_by_user_id, ", "")}
CHILDREN = {
    "facility_categories": ("facilities", "organization_id, facility_id, unnest(categories)"),
    "facility_cups": ("facilities", "organization_id, facility_id, unnest(cups_codes)"),
    "waste_water_treatment_projects": ("waste_water_treatments", "organization_id, waste_water_treatment_id, unnest(projects)"),
}  # fmt: skip
TABLES = {**KEPT, SUMMARY: SUMMARY_COLUMNS}


@dataclass(frozen=True)
class Said:
    """What a publication said: rows of each table in order, business columns only."""

    published_at: datetime
    run_id: str
    outcome: str
    content_hash: str
    tables: dict[str, list[Row]]


class Reader:
    """One DuckDB that looks at published files one after another, as a BI tool would."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def at(self, file: Path) -> Iterator["Reader"]:
        self._connection.execute(f"ATTACH '{file.resolve()}' AS published (READ_ONLY)")
        self._connection.execute("USE published")
        try:
            yield self
        finally:
            self._connection.execute("USE memory")
            self._connection.execute("DETACH published")

    def query(self, sql: str, *parameters: object) -> list[Row]:
        return self._connection.execute(sql, list(parameters)).fetchall()

    def said(self) -> Said:
        """What the file says as its own publication."""
        published_at, run_id, outcome, content_hash = self.query(
            "SELECT published_at, run_id, outcome, content_hash FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at"
        )[-1]
        tables = {
            table: self.query(f"SELECT {columns} FROM dcycle.{table} ORDER BY ALL") for table, columns in KEPT.items()
        }
        tables[SUMMARY] = self.query(f"SELECT {SUMMARY_COLUMNS} FROM summaries.{SUMMARY} ORDER BY ALL")
        tables |= {child: self.query(f"SELECT * FROM dcycle.{child} ORDER BY ALL") for child in CHILDREN}
        return Said(published_at, run_id, outcome, content_hash, tables)

    def current(self, table: str) -> dict[str, Row]:
        """Business columns of the current table by id, persons included."""
        place = 1 if table == "facilities" else 2
        return {row[place]: row for row in self.query(f"SELECT {BUSINESS[table]} FROM dcycle.{table}")}

    def unproven_lists(self, run_id: str) -> list[Row]:
        return self.query(
            f"SELECT organization_id, endpoint, facility_id, outcome FROM sync.lists WHERE run_id = ? AND outcome NOT IN {NOTHING_MISSING}",
            run_id,
        )

    def by_macro(self, moment: datetime) -> dict[str, list[Row]]:
        said = {
            table: self.query(f"SELECT {columns} FROM history.{table}_as_of(?) ORDER BY ALL", moment)
            for table, columns in TABLES.items()
        }
        for child, (table, columns) in CHILDREN.items():
            said[child] = self.query(f"SELECT {columns} FROM history.{table}_as_of(?) ORDER BY ALL", moment)
        return said

    def by_plain_sql(self, moment: datetime) -> dict[str, list[Row]]:
        return {
            table: self.query(
                f"SELECT {columns} FROM history.{table} WHERE valid_from <= $1 AND (valid_to IS NULL OR $1 < valid_to) ORDER BY ALL",
                moment,
            )
            for table, columns in TABLES.items()
        }

    def by_publication(self) -> dict[datetime, dict[str, list[Row]]]:
        """The same from the views that name each publication, for all publications at once."""
        moments = [row[0] for row in self.query("SELECT published_at FROM sync.runs WHERE outcome LIKE 'published%'")]
        said: dict[datetime, dict[str, list[Row]]] = {moment: {table: [] for table in TABLES} for moment in moments}
        for table, columns in TABLES.items():
            for moment, *row in self.query(
                f"SELECT published_at, {columns} FROM history.{table}_as_published ORDER BY ALL"
            ):
                said[moment][table].append(tuple(row))
        return said

    def versions(self, table: str) -> list[Version]:
        columns = ", ".join(COLUMNS[table]).replace("uploaded_by_user_id", "'-'")
        found = self.query(
            f"SELECT {columns}, first_seen_at, valid_from, valid_to, change, run_id FROM history.{table}"
        )
        return [Version(row[:-5], *row[-5:]) for row in found]

    def scopes(self, table: str) -> list[SettledScope]:
        columns = "run_id, organization_id, facility_id, outcome, started_at, finished_at, merged_at"
        return [SettledScope(*row) for row in self.query(f"SELECT {columns} FROM sync.lists WHERE endpoint = ?", table)]

    def doubtful(self, table: str) -> dict[tuple[str, str], frozenset[str]]:
        """The ids of the rows of each run and organisation that were in doubt."""
        query = "SELECT run_id, organization_id, list(item_id) FROM sync.doubtful_rows WHERE endpoint = ? GROUP BY ALL"
        return {(run, organization): frozenset(ids) for run, organization, ids in self.query(query, table)}

    def whole_history(self) -> dict[str, list[Row]]:
        return {table: self.query(f"SELECT * FROM history.{table} ORDER BY ALL") for table in TABLES}
