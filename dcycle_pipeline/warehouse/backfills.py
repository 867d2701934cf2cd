"""Notes in the run log what a backfill was for. What a backfill does belongs to `sync`."""

import duckdb

from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.warehouse.run_tables import RUNS


def note(connection: duckdb.DuckDBPyConnection, run_id: str, backfill: Backfill | None) -> None:
    """Note the period, reason and person of a run that is noted already. Nothing is noted of a run that is no backfill."""
    if backfill is not None:
        connection.execute(
            f"""UPDATE {RUNS.qualified} SET backfill_from = $2, backfill_to = $3, backfill_reason = nullif($4, ''),
            backfill_by = nullif($5, '') WHERE run_id = $1""",
            [run_id, backfill.first_day, backfill.last_day, backfill.reason, backfill.by],
        )
