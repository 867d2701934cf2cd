"""What is decided about rows apart from their lists: written beside the landed pages as a part of a sweep, and merged."""

import duckdb

from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.lists import Decision
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.load import merge_landed


def merge_part(
    run: Run,
    connection: duckdb.DuckDBPyConnection,
    where: tuple[str, str],
    deleted: dict[str, str | None],
    *,
    part: str,
    decision: Decision | None = None,
) -> None:
    """End the `deleted` rows (ids with the facility of their list) of an organisation and endpoint, and note the decision.

    `part` names what decided. A run that decides in this way once more, after another sweep, replaces nothing that it decided before.
    """
    part = manifest.unused_part(run.folder.landing, run.run_id, *where, part)
    began, moment = run.started_at(connection), run_log.moment(connection, run.now())
    sweep = SweepManifest(run.run_id, began, moment, *where, results=[], deleted=deleted, part=part, decision=decision)
    manifest.write_sweep(run.folder.landing, sweep)
    merge_landed(connection, sweep, run.folder.landing, run.settings.memory_limit_mb)
