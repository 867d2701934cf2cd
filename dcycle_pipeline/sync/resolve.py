"""A person decides what became of a doubtful row. The decision is a run of its own, which publishes at once."""

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.lists import Decision
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log, run_tables
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB
from dcycle_pipeline.warehouse.load import merge_landed

DELETED, KEPT = "deleted", "kept"


def resolve(run: Run, organization_id: str, endpoint: str, decision: Decision) -> Publication:
    """Carry out the decision on a row that the last sweep left in doubt, and publish.

    The row ends if it is `deleted`; if it is `kept`, it is no gap any more. If the API shows it again, the decision no longer holds.
    Raises SettingsError if the row is not in doubt.
    """
    with run.working_file(LOADING_MEMORY_MB) as connection:
        found = connection.execute(
            f"SELECT facility_id FROM ({run_tables.CURRENT_DOUBTFUL_ROWS}) WHERE organization_id = ? AND endpoint = ? AND item_id = ?",
            [organization_id, endpoint, decision.item_id],
        ).fetchall()
        if not found:
            raise SettingsError(
                f"Row {decision.item_id} of {endpoint} of organisation {organization_id} is not in doubt. "
                "`dcycle-pipeline resolve` lists the rows that are."
            )
        deleted = {decision.item_id: found[0][0]} if decision.decision == DELETED else {}
        moment = run_log.moment(connection, run.now())
        where = organization_id, endpoint
        began = run.started_at(connection)
        sweep = SweepManifest(
            run.run_id, began, moment, *where, results=[], deleted=deleted, part="decided", decision=decision
        )
        manifest.write_sweep(run.folder.landing, sweep)
        merge_landed(connection, sweep, run.folder.landing, run.settings.memory_limit_mb)
        return publish(run)
