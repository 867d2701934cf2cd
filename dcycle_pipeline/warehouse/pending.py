"""Which lists hold pending records, and the note that a run asked for these alone. Asking for them belongs to `sync`."""

from datetime import datetime

import duckdb

from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.endpoints.waste_water_treatments import ENDPOINT
from dcycle_pipeline.warehouse.last_sweeps import CURRENT_LISTS
from dcycle_pipeline.warehouse.run_tables import RUNS

# A record that the summaries count and that has no emissions yet. Without their macros: a view of the file has it too.
IS_PENDING = "status = 'active' AND start_date IS NOT NULL AND end_date IS NOT NULL AND co2e_state = 'pending'"
# An organisation that the tree no longer shows would only be denied.
PENDING_LISTS = f"""SELECT organization_id, facility_id, count(*) AS pending_record_count
FROM {ENDPOINT.table.qualified} AS record
WHERE {IS_PENDING} AND organization_id IN (SELECT organization_id FROM {ORGANIZATIONS.qualified}) AND NOT EXISTS (
    SELECT 1 FROM ({CURRENT_LISTS}) AS list
    WHERE list.endpoint = '{ORGANIZATIONS.name}' AND list.is_unproven AND list.organization_id = record.organization_id)
GROUP BY ALL ORDER BY ALL"""


def note_pending_only(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Note of a run that is noted already that it asked only for lists with pending records."""
    connection.execute(f"UPDATE {RUNS.qualified} SET pending_only = true WHERE run_id = ?", [run_id])


def published_pending(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, datetime]]:
    """Run and moment of each publication of such a run."""
    return connection.execute(
        f"SELECT run_id, published_at FROM {RUNS.qualified} WHERE pending_only AND published_at IS NOT NULL"
    ).fetchall()
