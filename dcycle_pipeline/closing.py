"""The books of a run closed: summaries brought up to date, the checks that must hold, and the hash of all content."""

from datetime import datetime

import duckdb

from dcycle_pipeline import checks, ledger, summaries
from dcycle_pipeline.stored import content_tables
from dcycle_pipeline.warehouse import content_hash


def close_books(connection: duckdb.DuckDBPyConnection, run_id: str, published_at: datetime) -> None:
    """Note that a run publishes at a moment, with everything that follows from that. The caller holds a transaction.

    Raises UnsoundError where a check forbids the publication.
    """
    ledger.mark_published(connection, run_id, published_at)
    summaries.refresh(connection, published_at)
    checks.demand_publishable(connection)
    ledger.finish(connection, run_id, content_hash(connection, content_tables()))
