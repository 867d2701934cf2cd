"""Notes in the run log which run a second one completes. What a second run asks for belongs to `sync`."""

from datetime import datetime

import duckdb

from dcycle_pipeline.warehouse.run_tables import RUNS


def note(connection: duckdb.DuckDBPyConnection, run_id: str, completes_run_id: str | None) -> None:
    """Note of a run that is noted already which one it completes. Nothing is noted of a run that completes none."""
    if completes_run_id is not None:
        connection.execute(
            f"UPDATE {RUNS.qualified} SET completes_run_id = ? WHERE run_id = ?", [completes_run_id, run_id]
        )


def published_incomplete(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, datetime]]:
    """Run and moment of each publication in whose place that of a second run came."""
    return connection.execute(
        f"""SELECT run_id, published_at FROM {RUNS.qualified} WHERE published_at IS NOT NULL AND run_id IN (
            SELECT completes_run_id FROM {RUNS.qualified} WHERE published_at IS NOT NULL)"""
    ).fetchall()
