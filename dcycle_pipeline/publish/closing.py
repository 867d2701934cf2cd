"""The books of a run closed: summaries brought up to date, the checks that must hold, and the hash of all content."""

from datetime import datetime

import duckdb

from dcycle_pipeline import summaries
from dcycle_pipeline.publish import checks
from dcycle_pipeline.publish.catalog import content_tables
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import content_hash


def close_books(connection: duckdb.DuckDBPyConnection, run_id: str, published_at: datetime) -> None:
    """Note that a run publishes at a moment, with everything that follows from that. The caller holds a transaction.

    Raises UnsoundError where a check forbids the publication.
    """
    run_log.mark_published(connection, run_id, published_at)
    summaries.refresh(connection, published_at)
    checks.demand_publishable(connection)
    run_log.finish(connection, run_id, content_hash(connection, content_tables()))
