"""Makes the tables in PostgreSQL fit what is sent: schemas, columns, keys, comments. Nothing that stands is dropped or made anew.

Only what differs is said: each statement that changes a table waits for its readers. Rows belong to `rows`, policies to `row_security`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.publish.postgres.connection import Connection
from dcycle_pipeline.publish.postgres.noted import note_table
from dcycle_pipeline.publish.postgres.snapshot import Field, Relation

NO_LONGER = "No longer filled by dcycle_pipeline"


@dataclass(frozen=True)
class Standing:
    """A table as it stands: the type and comment of each column, its comment, its key and of which kind that is, its policies."""

    columns: dict[str, tuple[str, str]]
    comment: str
    key: tuple[str, ...]
    kind: str | None
    row_security: bool


def standing(connection: Connection, names: Iterable[str]) -> dict[str, Standing]:
    """The tables of these names that stand in the database."""
    rows = connection.execute(
        """SELECT nspname || '.' || relname, coalesce(obj_description(c.oid, 'pg_class'), ''), relrowsecurity, k.contype::text,
            (SELECT array_agg(attname::text ORDER BY at) FROM unnest(k.conkey) WITH ORDINALITY AS key (attnum, at)
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = key.attnum),
            (SELECT json_object_agg(attname, json_build_array(format_type(atttypid, atttypmod), coalesce(col_description(c.oid, attnum), '')))
                FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
        LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.conname = relname || '_key'
        WHERE relkind = 'r' AND nspname || '.' || relname = ANY(%s)""",
        [list(names)],
    ).fetchall()
    return {
        name: Standing(
            {each: tuple(about) for each, about in (columns or {}).items()}, comment, tuple(key or ()), kind, secured
        )
        for name, comment, secured, kind, key, columns in rows
    }


def fit(connection: Connection, relation: Relation, there: Standing | None, key: str | None) -> bool:
    """Make or widen one table. Returns whether it has new columns, so that all its rows have to be sent.

    `key` is the strongest that the rows allow: see `Snapshot.key_of`. Raises SettingsError if only a new table could hold the rows.
    """
    if there is None:
        _create(connection, relation, key)
        there = Standing({}, "", relation.table.key, None, row_security=False)
        _comment(connection, relation, there)
        return False
    _refuse_other_shape(relation, there)
    _loosen(connection, relation, there, key)
    missing = [field for field in relation.fields if field.name not in there.columns]
    for field in missing:
        connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(identifier(relation), _column(field)))
    _comment(connection, relation, there)
    note_table(connection, relation.name, [field.name for field in relation.fields])
    return bool(missing)


def identifier(relation: Relation) -> sql.Identifier:
    """The table's name in SQL."""
    return sql.Identifier(relation.table.schema, relation.table.name)


def columns(names: Iterable[str]) -> sql.Composed:
    """Names of columns in SQL, with commas between."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def declared_columns(fields: Iterable[Field]) -> sql.Composed:
    """Columns with their types, for CREATE TABLE."""
    return sql.SQL(", ").join(map(_column, fields))


def empty(connection: Connection, name: str) -> None:
    """What is no longer published holds no rows, but it stays: a view may rest on it."""
    table = sql.Identifier(*name.split(".", 1))
    if connection.execute(sql.SQL("DELETE FROM {}").format(table)).rowcount:
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, NO_LONGER))


def empty_columns(connection: Connection, relation: Relation, names: Iterable[str]) -> None:
    """Columns of ours that are no longer published hold nothing, but they stay."""
    for name in names:
        parts = {"table": identifier(relation), "column": sql.Identifier(name), "said": NO_LONGER}
        emptied = sql.SQL("UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL").format(**parts)
        if connection.execute(emptied).rowcount:
            connection.execute(sql.SQL("COMMENT ON COLUMN {table}.{column} IS {said}").format(**parts))


def _column(field: Field) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(field.postgres_type))


def _create(connection: Connection, relation: Relation, key: str | None) -> None:
    schema = sql.Identifier(relation.table.schema)
    if not connection.execute("SELECT to_regnamespace(quote_ident(%s))", [relation.table.schema]).fetchall()[0][0]:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(identifier(relation), declared_columns(relation.fields)))
    _add_key(connection, relation, key)
    note_table(connection, relation.name, [field.name for field in relation.fields])


def _add_key(connection: Connection, relation: Relation, key: str | None) -> None:
    # A log may get an entry without a part of its key at any time.
    if key == "primary" and relation.table.schema == "sync" and len(relation.table.key) > 1:
        key = "unique"
    kinds = {"primary": sql.SQL("PRIMARY KEY"), "unique": sql.SQL("UNIQUE NULLS NOT DISTINCT")}
    if key:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} ({})").format(
                identifier(relation), _key_name(relation), kinds[key], columns(relation.table.key)
            )
        )


def _key_name(relation: Relation) -> sql.Identifier:
    return sql.Identifier(f"{relation.table.name}_key")


def _loosen(connection: Connection, relation: Relation, there: Standing, key: str | None) -> None:
    """Weaken a key that the rows no longer allow: nothing that the API can answer may stop a publication."""
    if (there.kind == "p" and key != "primary") or (there.kind == "u" and key is None):
        table = identifier(relation)
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, _key_name(relation)))
        for name in relation.table.key:
            connection.execute(sql.SQL("ALTER TABLE {} ALTER {} DROP NOT NULL").format(table, sql.Identifier(name)))
        _add_key(connection, relation, key)


def _refuse_other_shape(relation: Relation, there: Standing) -> None:
    wanted = {field.name: field.postgres_type for field in relation.fields}
    other = [f"{name} is {kind}" for name, (kind, _) in there.columns.items() if kind != wanted.get(name, kind)]
    if there.kind and there.key != relation.table.key:
        other.append(f"its key is {', '.join(there.key)}")
    if other:
        raise SettingsError(
            f"In PostgreSQL, {relation.name} has another shape than this version of dcycle_pipeline sends: {'; '.join(other)}. "
            f"Say DROP TABLE {relation.name}, with CASCADE if views rest on it; the next sync makes it again. Nothing was changed."
        )


def _comment(connection: Connection, relation: Relation, there: Standing) -> None:
    said = []
    if relation.comment != there.comment:
        said.append(sql.SQL("COMMENT ON TABLE {} IS {}").format(identifier(relation), relation.comment))
    for field in relation.fields:
        if field.comment != there.columns.get(field.name, ("", ""))[1]:
            name = sql.Identifier(relation.table.schema, relation.table.name, field.name)
            said.append(sql.SQL("COMMENT ON COLUMN {} IS {}").format(name, field.comment))
    if said:
        connection.execute(sql.SQL("; ").join(said))
