"""Reads the published file: read-only, as pandas frames or as plain Python values with exact numbers.

Notebooks use `open_published` (`from dcycle_pipeline import open_published`). The queries of the command line are here;
those of the report belong to `report`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from dcycle_pipeline import settings
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.readers.table_names import did_you_mean, listed, unknown_table
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse.run_tables import RUNS

if TYPE_CHECKING:
    import pandas as pd

Parameters = Sequence[Any] | Mapping[str, Any]
_AT_ONCE = 2_000  # rows


def dicts(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The rows that a query has found, by column."""
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Published:
    """The published file at one moment: all answers come from the snapshot that was current when it was opened.

    It neither waits for a sync nor makes one wait. Use it with `with`, or call `close`. Frames hold ordinary numbers, or decimals
    if `exact`. Raises UnavailableError if nothing is published, or if a query fails.
    """

    def __init__(self, file: Path, *, exact: bool = False) -> None:
        if not file.exists():
            raise UnavailableError(f"Nothing is published at {file} yet: run `dcycle-pipeline sync` (or `demo`) first.")
        self.file = file
        self.exact = exact
        try:
            self._connection = duckdb.connect()
            # Under a name of its own: in a file called dcycle, `dcycle.facilities` could be the file or the schema.
            self._connection.execute(f"ATTACH {quoted(str(file))} AS published (READ_ONLY)")
            self._connection.execute("USE published; SET TimeZone = 'UTC'")
        except duckdb.Error as error:
            raise self._unavailable(error) from None

    def __repr__(self) -> str:
        try:
            names = [row["table"] for row in self.rows(RELATIONS)]
            # These grow with each publication, and counting them would take long.
            counts = self._counts([name for name in names if not name.endswith("_as_published")])
        except UnavailableError as error:
            return f"<Published {error}>"
        return f"<Published {self.file}, tables (rows):\n{listed({name: counts.get(name) for name in names})}>"

    def tables(self) -> "pd.DataFrame":
        """What is in the file: a frame with one row per table or view, and the columns `table` and `comment`.

        Example: `open_published().tables().set_index("table")["comment"]["dcycle.facilities"]`.
        """
        return self.query(RELATIONS)

    def frame(self, table: str, where: str = "true", parameters: Parameters = ()) -> "pd.DataFrame":
        """The rows of one table or view (`schema.name`) that meet the SQL condition `where`, as a frame like that of `query`.

        `parameters` are the values for each `?` of the condition. Raises UnavailableError if there is no such table or column.

        Example: `open_published().frame("summaries.emissions_by_facility_month", "year(month) = ?", [2024])`.
        """
        return self.query(f"FROM {_path(table)} WHERE {where}", parameters)

    def query(self, sql: str, parameters: Parameters = ()) -> "pd.DataFrame":
        """The rows of a query as a frame: kg and m3 are float64, dates are datetime64, times are in UTC.

        If the file was opened with `exact=True`, the columns are Arrow-backed: kg and m3 are exact decimals, dates are dates.
        `parameters` are the values for each `?`, or by name for each `$name`. Raises UnavailableError if the query fails.

        Example: `open_published().query("SELECT sum(co2e_kg) AS co2e_kg FROM summaries.emissions_by_country_year WHERE year = ?", [2024])`.
        """
        from dcycle_pipeline.readers import frames  # noqa: PLC0415 - pandas takes longer to load than most queries

        try:
            table = self._connection.execute(sql, parameters).to_arrow_table()
        except duckdb.Error as error:
            raise self._unavailable(error, sql) from None
        return frames.exact_frame(table) if self.exact else frames.ordinary_frame(table)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """The rows of a query as a list of dicts: plain Python values by column, kg and m3 as Decimal, times in UTC.

        Takes and raises what `query` does, and needs no pandas.

        Example: `open_published().rows("SELECT facility_id, name FROM dcycle.facilities WHERE status = $status", {"status": "active"})`.
        """
        try:
            return dicts(self._connection.execute(sql, parameters))
        except duckdb.Error as error:
            raise self._unavailable(error, sql) from None

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query one after the other, as tuples of what `rows` gives; not all are in memory at once.

        Read them to the end before you ask something else. Takes and raises what `query` does.

        Example: `for facility_id, name in open_published().each("SELECT facility_id, name FROM dcycle.facilities"): ...`.
        """
        try:
            cursor = self._connection.execute(sql, parameters)
            while batch := cursor.fetchmany(_AT_ONCE):
                yield from batch
        except duckdb.Error as error:
            raise self._unavailable(error, sql) from None

    def close(self) -> None:
        """Release the snapshot. Frames and rows that were read stay."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _counts(self, tables: Sequence[str]) -> dict[str, int]:
        """How many rows each table has."""
        each = (f"SELECT {quoted(table)} AS t, count(*) AS n FROM {_path(table)}" for table in tables)
        return {row["t"]: row["n"] for row in self.rows(" UNION ALL ".join(each))} if tables else {}

    def _unavailable(self, error: duckdb.Error, sql: str = "") -> UnavailableError:
        # The second line has DuckDB's own suggestion, if there is one; then it shows the query.
        said = " ".join(str(error).splitlines()[:2]).strip()
        if isinstance(error, duckdb.CatalogException | duckdb.BinderException) and self._is_of_older_layout():
            said = (
                "an older dcycle_pipeline published it, with other names for some tables and columns. "
                "Run `dcycle-pipeline sync`, which takes it over; nothing is lost."
            )
        elif wrong := unknown_table(said, sql):
            tables = [row[0] for row in self._connection.execute(RELATIONS).fetchall()]
            said = f"there is no table {wrong}. {did_you_mean(wrong, tables)}"
        return UnavailableError(f"{self.file}: {said}")

    def _is_of_older_layout(self) -> bool:
        from dcycle_pipeline.summaries.trees import TREE_EMISSIONS_BY_YEAR  # noqa: PLC0415 - it loads all summaries

        query = "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
        tables = {row[0] for row in self._connection.execute(query).fetchall()}
        return RUNS.qualified in tables and TREE_EMISSIONS_BY_YEAR.qualified not in tables


def open_published(path: str | Path | None = None, *, exact: bool = False) -> Published:
    """Open the published file at `path`, which is the file or its data folder; without `path`, the one in DCYCLE_DATA_DIR.

    Frames hold float64 and datetime64, with which pandas calculates. `exact=True` keeps decimals and dates as they are in the
    file: take it for figures that somebody signs. Raises UnavailableError if nothing is published there.

    Example::

        with open_published("./data") as published:
            months = published.frame("summaries.emissions_by_facility_month")
    """
    given = Path(path) if path is not None else settings.data_dir()
    return Published(DataFolder(given).readable if given.is_dir() or path is None else given, exact=exact)


def rows(file: Path, query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """The rows of one query on the file as it is now. Takes and raises what `Published.rows` does."""
    with Published(file) as published:
        return published.rows(query, parameters)


def contents(file: Path) -> list[dict[str, Any]]:
    """What is in the file: each table and view as a dict with `table`, `rows` (how many it has) and `comment`."""
    with Published(file) as published:
        relations = published.rows(RELATIONS)
        counts = published._counts([one["table"] for one in relations])
    return [{"table": one["table"], "rows": counts[one["table"]], "comment": one["comment"]} for one in relations]


def _path(table: str) -> str:
    return ".".join(map(_identifier, table.split(".")))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


RELATIONS = """SELECT schema_name || '.' || table_name AS "table", comment FROM duckdb_tables() WHERE NOT internal
    AND database_name = current_database()
UNION ALL SELECT schema_name || '.' || view_name, comment FROM duckdb_views() WHERE NOT internal
    AND database_name = current_database() ORDER BY ALL"""
LAST_RUN = "SELECT * FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at DESC LIMIT 1"
# A file from before there were backfills, second runs, or runs over pending records, lacks the columns that tell them.
_RUNS = """(SELECT NULL::BOOLEAN AS pending_only, NULL::DATE AS backfill_from, NULL::DATE AS backfill_to, NULL::VARCHAR AS backfill_reason,
    NULL::VARCHAR AS backfill_by, NULL::VARCHAR AS completes_run_id WHERE false UNION ALL BY NAME FROM sync.runs)"""
# A run, or the second one that completed it.
RUN = f"SELECT * FROM {_RUNS} WHERE $1 IN (run_id, completes_run_id) ORDER BY published_at DESC NULLS LAST LIMIT 1"
SECOND_RUNS = f"SELECT run_id FROM {_RUNS} WHERE list_contains($1::VARCHAR[], completes_run_id)"
# A second run that brought nothing, because those whom it asked stayed silent, is no run that died.
LAST_RUNS = f"""SELECT run_id, started_at, published_at, outcome, rows_count, requests_count, lists_proven_count, lists_unproven_count,
    quarantined_count, doubtful_count, content_changed, backfill_from, backfill_to, backfill_reason, backfill_by
FROM {_RUNS}
WHERE pending_only IS NOT TRUE AND (completes_run_id IS NULL OR published_at IS NOT NULL) ORDER BY started_at DESC LIMIT ?"""
# Null if a list of an organisation that is synced was never proven.
PROVEN_AT = """SELECT CASE WHEN count(*) = count(oldest_proof_at) THEN min(oldest_proof_at) END AS proven_at
FROM dcycle.organizations LEFT JOIN summaries.data_quality USING (organization_id)"""
MISSING_MEMBERS = "SELECT * FROM summaries.missing_members ORDER BY ALL"
BY_ORGANIZATION = """SELECT o.organization_id, o.name,
    (SELECT count(*) FROM dcycle.facilities f WHERE f.organization_id = o.organization_id) AS facilities,
    (SELECT count(*) FROM dcycle.waste_water_treatments w WHERE w.organization_id = o.organization_id) AS wwt_records,
    (SELECT sum(co2e_kg) FROM summaries.emissions_by_facility_month m WHERE m.organization_id = o.organization_id) AS wwt_co2e_kg,
    (SELECT count(*) FROM summaries.missing_members m WHERE m.organization_id = o.organization_id) AS members_missing,
    (SELECT max(finished_at) FROM sync.lists s WHERE s.organization_id = o.organization_id AND outcome = 'proven'
        AND endpoint <> 'total_impacts') AS read_at,
    (SELECT oldest_proof_at FROM summaries.data_quality q WHERE q.organization_id = o.organization_id) AS proven_at
FROM dcycle.organizations o ORDER BY o.depth, o.name"""

FACILITIES = """SELECT f.name AS facility, coalesce(o.name, f.organization_id) AS organization, f.country_code, f.status,
    w.wwt_records, w.pending_records, w.last_record_date,
    (SELECT sum(co2e_kg) FROM summaries.emissions_by_facility_month AS m
        WHERE m.organization_id = f.organization_id AND m.facility_id = f.facility_id) AS wwt_co2e_kg,
    f.facility_id, f.organization_id
FROM dcycle.facilities AS f LEFT JOIN dcycle.organizations AS o USING (organization_id), LATERAL (
    SELECT count(*) AS wwt_records, count(*) FILTER (co2e_state = 'pending') AS pending_records, max(end_date) AS last_record_date
    FROM dcycle.waste_water_treatments AS w
    WHERE w.organization_id = f.organization_id AND w.facility_id = f.facility_id AND w.status = 'active') AS w
WHERE f.organization_id = coalesce($organization_id, f.organization_id)
ORDER BY organization, facility, f.facility_id"""
