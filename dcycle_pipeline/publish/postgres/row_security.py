"""Row-level security by organisation: who sees which rows of the tables in PostgreSQL. `noted` holds the table of readers."""

from psycopg import sql

from dcycle_pipeline.publish.postgres.connection import Connection
from dcycle_pipeline.publish.postgres.snapshot import Relation
from dcycle_pipeline.publish.postgres.structure import identifier

POLICY = sql.Identifier("dcycle_readers")
# No figure of any organisation is in these. What else names no organisation adds up several: only who may see all sees it.
FOR_EVERYBODY = ("sync.runs", "bi.dates")
_SEES_ALL = "EXISTS (SELECT FROM dcycle_delivery.readers WHERE organization_id = '*')"


def protect(connection: Connection, relation: Relation, *, wanted: bool | None, is_on: bool, others_on: bool) -> None:
    """Switch row security of one table on or off. If nothing is `wanted`, a table does as the others do, so that a lost variable opens no door."""
    on = others_on if wanted is None else wanted
    if on == is_on:
        return
    table = identifier(relation)
    connection.execute(sql.SQL("DROP POLICY IF EXISTS {} ON {}").format(POLICY, table))
    if on:
        connection.execute(
            sql.SQL("CREATE POLICY {} ON {} FOR SELECT USING ({})").format(POLICY, table, _condition(relation))
        )
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table))
    else:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(table))


def _condition(relation: Relation) -> sql.Composable:
    if relation.name in FOR_EVERYBODY:
        return sql.SQL("true")
    if relation.organization is None:
        return sql.SQL(_SEES_ALL)
    own = sql.SQL("{} IN (SELECT organization_id FROM dcycle_delivery.readers)")
    return sql.SQL(_SEES_ALL + " OR {}").format(own.format(sql.Identifier(relation.organization)))
