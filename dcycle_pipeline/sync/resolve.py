"""A person decides what became of a doubtful row. The decision is a run of its own, which publishes at once."""

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.landing.lists import Decision
from dcycle_pipeline.sync.parts import merge_part
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB

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
        merge_part(run, connection, (organization_id, endpoint), deleted, part="decided", decision=decision)
        return publish(run)
