"""The run table `sync.destinations`: what each sending of a publication to a destination came to. Sending belongs to `publish`."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import datetime

import duckdb

from dcycle_pipeline.schema import Column, Table

_OURS = "dcycle_pipeline"
DELIVERED, FAILED, UNFINISHED = "delivered", "failed", "unfinished"

DESTINATIONS = Table(
    "sync",
    "destinations",
    "One row per publication and destination beside this file, for earlier publications: a file is in place before it is sent anywhere, "
    "so it cannot know how its own sending ended; `dcycle-pipeline status` does",
    ("run_id", "destination"),
    (
        Column("run_id", "VARCHAR", "Run whose publication was sent", _OURS),
        Column("destination", "VARCHAR", "Name of the destination, as in DCYCLE_DESTINATIONS", _OURS),
        Column("outcome", "VARCHAR", "delivered or failed; a failed one is sent again by the next publication", _OURS),
        Column("reason", "VARCHAR", "Why it failed, and what to do; empty if it did not", _OURS),
        Column("started_at", "TIMESTAMPTZ", "When the sending began", _OURS),
        Column("finished_at", "TIMESTAMPTZ", "When the sending ended", _OURS),
    ),
)


@dataclass(frozen=True)
class Sending:
    """A row of `sync.destinations`. While it is under way, its outcome is `unfinished` and it has no end."""

    run_id: str
    destination: str
    outcome: str
    reason: str
    started_at: datetime
    finished_at: datetime | None


def record(connection: duckdb.DuckDBPyConnection, sendings: Iterable[Sending]) -> None:
    """Note what was sent. A publication that is sent again, because its step was repeated, has the later row."""
    for sending in sendings:
        connection.execute(
            f"DELETE FROM {DESTINATIONS.qualified} WHERE run_id = ? AND destination = ?",
            [sending.run_id, sending.destination],
        )
        connection.execute(f"INSERT INTO {DESTINATIONS.qualified} VALUES (?, ?, ?, ?, ?, ?)", list(astuple(sending)))
