"""The schema `dcycle_delivery`: what of PostgreSQL is ours, what was sent last, and who may see which organisation.

The published tables themselves belong to `structure` and `rows`.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC
from importlib.metadata import version

from psycopg import sql

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError, few
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.postgres.connection import Connection
from dcycle_pipeline.publish.postgres.snapshot import Relation
from dcycle_pipeline.publish.snapshots import shown

SCHEMA = "dcycle_delivery"
_MOST_NAMED = 5
_TABLES = f"""
CREATE SCHEMA {SCHEMA};
COMMENT ON SCHEMA {SCHEMA} IS 'What dcycle_pipeline notes of what it sends here';
CREATE TABLE {SCHEMA}.publication (
    run_id text NOT NULL, published_at timestamptz NOT NULL, content_hash text NOT NULL,
    root_organization_id text, pipeline_version text NOT NULL, sent_at timestamptz NOT NULL);
COMMENT ON TABLE {SCHEMA}.publication IS 'The publication that the tables hold. One row';
CREATE TABLE {SCHEMA}.tables (name text PRIMARY KEY, columns text[] NOT NULL);
COMMENT ON TABLE {SCHEMA}.tables IS 'The tables and columns that dcycle_pipeline made: it touches no others';
CREATE TABLE {SCHEMA}.parts (table_name text, part text, digest text NOT NULL, PRIMARY KEY (table_name, part));
COMMENT ON TABLE {SCHEMA}.parts IS 'A digest of each part of each table: what has not changed is not sent';
CREATE TABLE {SCHEMA}.readers (role_name text, organization_id text, PRIMARY KEY (role_name, organization_id));
COMMENT ON TABLE {SCHEMA}.readers IS
    'Who may see which organisation, with DCYCLE_POSTGRES_ROW_SECURITY. Yours to fill: a role and an organisation, * for all';
ALTER TABLE {SCHEMA}.readers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON {SCHEMA}.readers FOR SELECT USING (
    EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role_name AND pg_has_role(r.oid, 'USAGE')));
GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC;
GRANT SELECT ON {SCHEMA}.readers TO PUBLIC;
"""


def tables_of_ours(connection: Connection, relations: Sequence[Relation]) -> dict[str, list[str]]:
    """The columns of each table that we made, by its name; makes room for the notes in a new database.

    Raises SettingsError if a table of somebody else stands where one of ours has to go.
    """
    standing = _standing(connection, [relation.table.schema for relation in relations])
    ours: dict[str, list[str]] = {}
    if _is_new(connection):
        strangers = sorted(standing)
        connection.execute(sql.SQL(_TABLES))
    else:
        ours = dict(connection.execute(sql.SQL("SELECT name, columns FROM dcycle_delivery.tables")).fetchall())
        strangers = sorted({relation.name for relation in relations} & standing - set(ours))
    if strangers:
        named = few(strangers, _MOST_NAMED, ", ")
        raise SettingsError(
            f"The database of DCYCLE_POSTGRES_URL holds what is not the pipeline's: {named}. Name another database, or move it to another "
            "schema. Nothing was changed."
        )
    return {name: columns for name, columns in ours.items() if name in standing}


def _is_new(connection: Connection) -> bool:
    return connection.execute("SELECT to_regnamespace('dcycle_delivery') IS NULL").fetchall() == [(True,)]


def _standing(connection: Connection, schemas: Iterable[str]) -> set[str]:
    """The tables, views and their like in some schemas."""
    query = """SELECT nspname || '.' || relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
        WHERE nspname = ANY(%s) AND relkind IN ('r', 'p', 'v', 'm', 'f')"""
    return {row[0] for row in connection.execute(query, [sorted(set(schemas))]).fetchall()}


def refuse(connection: Connection, delivery: Delivery, roots: Sequence[str]) -> None:
    """Raise SettingsError if the database holds another account, or a newer publication than one that readers of the file still see."""
    for root, published_at, run_id in connection.execute(
        "SELECT root_organization_id, published_at, run_id FROM dcycle_delivery.publication"
    ).fetchall():
        if root is not None and root not in roots:
            raise SettingsError(
                f"The database of DCYCLE_POSTGRES_URL holds data of root organisation {root}, and this publication is of {roots[0] if roots else 'none'}: "
                "name another database. Nothing was changed."
            )
        is_newer = published_at > delivery.published_at
        if is_newer and shown(DataFolder(delivery.settings.data_dir)) != delivery.snapshot:
            raise SettingsError(
                f"PostgreSQL already has a newer publication, of run {run_id} at {published_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: "
                "one database is for one data folder. Nothing was changed."
            )


def note(connection: Connection, delivery: Delivery, roots: Sequence[str]) -> None:
    """Note which publication the tables hold now."""
    connection.execute("DELETE FROM dcycle_delivery.publication")
    connection.execute(
        "INSERT INTO dcycle_delivery.publication VALUES (%s, %s, %s, %s, %s, now())",
        [
            delivery.run_id,
            delivery.published_at,
            delivery.content_hash,
            roots[0] if roots else None,
            version("dcycle_pipeline"),
        ],
    )


def note_table(connection: Connection, name: str, columns: list[str]) -> None:
    """Note that a table and these columns of it are ours. Columns that were noted stay noted."""
    connection.execute(
        """INSERT INTO dcycle_delivery.tables AS t VALUES (%s, %s) ON CONFLICT (name) DO UPDATE
        SET columns = (SELECT array_agg(DISTINCT each) FROM unnest(t.columns || excluded.columns) AS each)
        WHERE NOT t.columns @> excluded.columns""",
        [name, columns],
    )


def parts_sent(connection: Connection) -> dict[str, dict[str, str]]:
    """By table, the digest of each part that was sent last."""
    found: dict[str, dict[str, str]] = {}
    for name, part, digest in connection.execute(
        "SELECT table_name, part, digest FROM dcycle_delivery.parts"
    ).fetchall():
        found.setdefault(name, {})[part] = digest
    return found


def note_parts(connection: Connection, name: str, changed: dict[str, str], gone: Iterable[str]) -> None:
    """Note the digests of the parts of a table that were sent now, and forget those that are gone."""
    connection.execute("DELETE FROM dcycle_delivery.parts WHERE table_name = %s AND part = ANY(%s)", [name, list(gone)])
    connection.execute(
        """INSERT INTO dcycle_delivery.parts SELECT %s, * FROM unnest(%s::text[], %s::text[])
        ON CONFLICT (table_name, part) DO UPDATE SET digest = excluded.digest""",
        [name, list(changed), list(changed.values())],
    )


def forget_parts(connection: Connection, name: str) -> None:
    """Forget what was sent of a table: it is not there, or it lacks columns."""
    connection.execute("DELETE FROM dcycle_delivery.parts WHERE table_name = %s", [name])
