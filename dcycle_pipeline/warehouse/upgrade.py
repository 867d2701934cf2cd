"""Brings the tables of an older working file or snapshot to the present names and columns, with every row.

Layout 2 had lists and year totals in `sync.scopes`, with the year of a total in `facility_id`. A list or total without a proof
had an empty one. Layout 3 first had the figures of a tree beside an organisation's own. The next layout adds its statements here;
`declare` then creates what is missing.
"""

import duckdb

_TREE_BESIDE_OWN = "summaries.emissions_by_organization_year.with_subsidiaries_co2e_kg"
_IS_TOTAL = "endpoint = 'total_impacts'"
_FACILITY_AND_YEAR = (
    f"CASE WHEN NOT {_IS_TOTAL} THEN facility_id END AS facility_id, "
    f"CASE WHEN {_IS_TOTAL} THEN TRY_CAST(facility_id AS INTEGER) END AS year"
)
_PROOF = ("rows_count", "distinct_ids_count", "counter", "passes_count", "pages_count")
_HAS_PROOF = f"outcome <> 'proven' OR (NOT {_IS_TOTAL} AND passes_count > 0)"

_FROM_LAYOUT_2 = (
    f"""CREATE TABLE sync.lists AS SELECT run_id, organization_id, endpoint, {_FACILITY_AND_YEAR},
        CASE WHEN outcome <> 'proven' OR endpoint = 'organizations' OR passes_count > 0 AND NOT {_IS_TOTAL} THEN outcome
            WHEN {_IS_TOTAL} THEN 'answered' WHEN facility_id IS NULL THEN 'no_facilities' ELSE 'facility_deleted' END AS outcome,
        reason, {", ".join(f"CASE WHEN {_HAS_PROOF} THEN {name} END AS {name}" for name in _PROOF)},
        deleted_count, quarantined_count, started_at, finished_at, settled_at AS merged_at
    FROM sync.scopes""",
    "DROP TABLE sync.scopes",
    f"""CREATE TABLE sync.quarantine_with_year AS SELECT run_id, organization_id, endpoint, {_FACILITY_AND_YEAR}, item_id, reason, page,
        position, item, landed_file, quarantined_at FROM sync.quarantine""",
    "DROP TABLE sync.quarantine",
    "ALTER TABLE sync.quarantine_with_year RENAME TO quarantine",
    "ALTER TABLE sync.runs RENAME COLUMN scopes_proven_count TO lists_proven_count",
    "ALTER TABLE sync.runs RENAME COLUMN scopes_open_count TO lists_unproven_count",
    # The next publication computes all that these two hold.
    "DROP TABLE IF EXISTS summaries.data_quality",
    "DROP TABLE IF EXISTS summaries.total_impacts_comparison",
    *(
        f"ALTER TABLE summaries.wwt_intensity_by_facility_year RENAME COLUMN settled_{name} TO calculated_months_{name}"
        for name in ("co2e_kg", "water_in_m3", "water_out_m3")
    ),
)


# The next publication computes all that these two hold, and the tables of trees.
_FROM_TREES_BESIDE = tuple(
    f"DROP TABLE IF EXISTS summaries.emissions_by_organization_{period}" for period in ("month", "year")
)


def upgrade(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the attached file to the present layout, all or nothing. A file that has it stays untouched."""
    statements = (
        *(_FROM_LAYOUT_2 if _has(connection, "sync.scopes.run_id") else ()),
        *(_FROM_TREES_BESIDE if _has(connection, _TREE_BESIDE_OWN) else ()),
    )
    if statements:
        connection.execute(f"BEGIN; {'; '.join(statements)}; COMMIT")


def _has(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    found = connection.execute(
        """SELECT 1 FROM duckdb_columns() WHERE database_name = 'warehouse'
        AND schema_name || '.' || table_name || '.' || column_name = ?""",
        [column],
    ).fetchall()
    return bool(found)
