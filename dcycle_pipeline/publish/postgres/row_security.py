"""Row-level security by organisation: who sees which rows of the tables in PostgreSQL. `noted` holds the table of readers."""

from psycopg import sql

from dcycle_pipeline.publish.postgres.connection import Connection
from dcycle_pipeline.publish.postgres.snapshot import Relation
from dcycle_pipeline.publish.postgres.structure import identifier
from dcycle_pipeline.summaries.bi import BETWEEN_IDS, BI_FACILITIES

POLICY = sql.Identifier("dcycle_readers")
# No figure of any organisation is in these. What else names no organisation adds up several: only who may see all sees it.
FOR_EVERYBODY = ("sync.runs", "bi.dates")
# Its key begins with the organisation, so whoever sees figures of a facility sees its name.
_OF_A_KEY = sql.SQL("split_part(facility_key, {}, 1)").format(BETWEEN_IDS)
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
    if relation.name == BI_FACILITIES.qualified:
        return _sees(_OF_A_KEY)
    return _sees(sql.Identifier(relation.organization)) if relation.organization else sql.SQL(_SEES_ALL)


def _sees(organization: sql.Composable) -> sql.Composable:
    return sql.SQL(_SEES_ALL + " OR {} IN (SELECT organization_id FROM dcycle_delivery.readers)").format(organization)
