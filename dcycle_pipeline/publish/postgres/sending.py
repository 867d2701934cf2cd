"""The order in which a publication goes over: what is ours, whose the database is, then each table. The file stays the source: nothing is computed here.

One publication is one transaction, so readers see the state before or after it, and a kill leaves the state before.
"""

from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.postgres import noted, row_security, rows, snapshot, structure
from dcycle_pipeline.publish.postgres.connection import Connection, connected
from dcycle_pipeline.publish.postgres.snapshot import Relation, Snapshot
from dcycle_pipeline.publish.postgres.structure import Standing


def send_publication(delivery: Delivery) -> None:
    """Make the tables in PostgreSQL those of the snapshot. Raises SettingsError or UnavailableError; then nothing changed."""
    with snapshot.opened(delivery) as opened, connected(delivery.settings) as connection:
        ours = noted.tables_of_ours(connection, opened.relations)
        roots = opened.roots()
        noted.refuse(connection, delivery, roots)
        _send_all(connection, opened, ours, delivery.settings.postgres_row_security)
        noted.note(connection, delivery, roots)


def _send_all(connection: Connection, opened: Snapshot, ours: dict[str, list[str]], secured: bool | None) -> None:
    there = structure.standing(connection, ours)
    sent = noted.parts_sent(connection)
    others_secured = any(table.row_security for table in there.values())
    for relation in opened.relations:
        found = there.get(relation.name)
        _send(connection, opened, relation, found, sent.get(relation.name, {}))
        gone = set(ours.get(relation.name, ())) - {field.name for field in relation.fields}
        structure.empty_columns(connection, relation, gone)
        row_security.protect(
            connection, relation, wanted=secured, is_on=bool(found and found.row_security), others_on=others_secured
        )
    for name in set(ours) - {relation.name for relation in opened.relations}:
        structure.empty(connection, name)
        noted.forget_parts(connection, name)


def _send(
    connection: Connection, opened: Snapshot, relation: Relation, found: Standing | None, sent: dict[str, str]
) -> None:
    is_wider = structure.fit(connection, relation, found, opened.key_of(relation))
    if found is None or is_wider:
        noted.forget_parts(connection, relation.name)
        sent = {}
    change = rows.change(opened, relation, sent)
    if found is None:
        rows.fill(connection, opened, change)
    else:
        rows.send_rows(connection, opened, change, whole=is_wider)
        rows.send_last_seen(connection, opened, relation)
    if change.changed or change.gone:
        noted.note_parts(connection, relation.name, change.changed, change.gone)
