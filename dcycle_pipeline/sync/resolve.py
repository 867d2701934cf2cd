"""A person decides what became of a doubtful row. The decision is a run of its own, which publishes at once."""

from collections.abc import Iterable
from dataclasses import replace

import duckdb

from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.errors import UsageError, few
from dcycle_pipeline.landing.lists import Decision
from dcycle_pipeline.readers import lookup
from dcycle_pipeline.readers.lookup import Known
from dcycle_pipeline.sync.parts import merge_part
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import last_sweeps
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB

DELETED, KEPT = "deleted", "kept"
MOST_NAMED = 5


def resolve(run: Run, organization: str, endpoint: str, decision: Decision) -> Publication:
    """Carry out the decision on a row that the last sweep left in doubt, and publish.

    Organisation and row are given by id, name or the start of either. The row ends if it is `deleted`; if it is `kept`, it is no gap any
    more. If the API shows it again, the decision no longer holds. Raises UsageError if the row is not in doubt, or may be several.
    """
    with run.working_file(LOADING_MEMORY_MB) as connection:
        organization_id, item_id, facility_id = _meant(connection, organization, endpoint, decision.item_id)
        deleted = {item_id: facility_id} if decision.decision == DELETED else {}
        decided = replace(decision, item_id=item_id)
        merge_part(run, connection, (organization_id, endpoint), deleted, part="decided", decision=decided)
        return publish(run)


def _meant(
    connection: duckdb.DuckDBPyConnection, organization: str, endpoint: str, item: str
) -> tuple[str, str, str | None]:
    """Organisation, id and facility of the row in doubt that somebody means."""
    names = dict(connection.execute(lookup.NAMES).fetchall())
    rows = connection.execute(
        f"SELECT organization_id, item_id, facility_id FROM ({last_sweeps.CURRENT_DOUBTFUL_ROWS}) WHERE endpoint = ? ORDER BY ALL",
        [endpoint],
    ).fetchall()

    def meant(text: str, in_doubt: Iterable[str], there: Iterable[str]) -> set[str]:
        """What is called so is meant, in doubt or not: one thing's whole id may be the start of another's."""
        known, doubtful = (
            [Known(each, names.get(each), "") for each in dict.fromkeys(ids)] for ids in (there, in_doubt)
        )
        return {each.identifier for each in lookup.called(text, known) or lookup.beginning(text, doubtful)}

    organizations = meant(organization, [row[0] for row in rows], names)
    rows = [row for row in rows if row[0] in organizations]
    items = meant(item, [row[1] for row in rows], [*names, *_known_items(connection, endpoint, item)])
    found = [row for row in rows if row[1] in items]
    if len(found) > 1:
        each = [f"{row[1]} of organisation {row[0]}" for row in found]
        raise UsageError(f"{item!r} may be {few(each, MOST_NAMED)}. Give more of the ids.")
    if not found:
        raise UsageError(
            f"Row {item} of {endpoint} of organisation {organization} is not in doubt. "
            "`dcycle-pipeline resolve` lists the rows that are."
        )
    return found[0]


def _known_items(connection: duckdb.DuckDBPyConnection, endpoint: str, item: str) -> list[str]:
    """The id itself, if a row of the endpoint ever had it."""
    for each in declared():
        if each.name == endpoint:
            query = f"SELECT 1 FROM history.{each.table.name} WHERE {each.id_column} = ? LIMIT 1"
            return [item] if connection.execute(query, [item]).fetchall() else []
    return []
