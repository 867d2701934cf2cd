"""Sends the parts of a table that changed: stages them beside it, then deletes, updates and inserts the rows that differ, no others.

Readers keep what they see until the transaction ends, and nothing here waits for them. What a table looks like belongs to `structure`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from dcycle_pipeline.publish.postgres.connection import Connection
from dcycle_pipeline.publish.postgres.snapshot import Relation, Row, Snapshot
from dcycle_pipeline.publish.postgres.structure import columns, declared_columns, identifier

_STAGED, _PARTS, _SEEN = (sql.Identifier("pg_temp", name) for name in ("staged", "staged_parts", "staged_seen"))


@dataclass(frozen=True)
class Change:
    """What of a relation is sent: the digests of the parts that are new or differ, and the parts that are gone."""

    relation: Relation
    changed: dict[str, str]
    gone: tuple[str, ...]


def change(snapshot: Snapshot, relation: Relation, sent: dict[str, str]) -> Change:
    """What differs between the snapshot and the parts that were sent last."""
    parts = snapshot.parts(relation)
    changed = {part: digest for part, digest in parts.items() if sent.get(part) != digest}
    return Change(relation, changed, tuple(part for part in sent if part not in parts))


def send_rows(connection: Connection, snapshot: Snapshot, change: Change, *, whole: bool) -> None:
    """Make the rows of the changed parts, or with `whole` of all, those of the snapshot. Every part of the snapshot has to be in `change` then."""
    if change.changed or change.gone or whole:
        _stage(connection, snapshot, change)
        _delete(connection, change.relation, whole=whole)
        _update(connection, change.relation)
        _insert(connection, change.relation)
        connection.execute(sql.SQL("DROP TABLE {}, {}").format(_STAGED, _PARTS))


def fill(connection: Connection, snapshot: Snapshot, change: Change) -> None:
    """Send all rows to a table that was made in this transaction."""
    _copy(connection, identifier(change.relation), snapshot.rows(change.relation, change.changed))


def send_last_seen(connection: Connection, snapshot: Snapshot, relation: Relation) -> None:
    """Bring the column that says when an organisation's rows were seen last up to date, in the rows that were not sent too."""
    if relation.seen is None or relation.organization is None:
        return
    names = {
        "table": identifier(relation),
        "seen": sql.Identifier(relation.seen),
        "whose": sql.Identifier(relation.organization),
    }
    connection.execute(sql.SQL("CREATE TEMP TABLE staged_seen (whose text, seen timestamptz) ON COMMIT DROP"))
    _copy(connection, _SEEN, snapshot.last_seen(relation))
    connection.execute(
        sql.SQL(
            """UPDATE {table} AS t SET {seen} = s.seen FROM {staged} AS s
            WHERE t.{whose} = s.whose AND t.{seen} IS DISTINCT FROM s.seen"""
        ).format(staged=_SEEN, **names)
    )
    connection.execute(sql.SQL("DROP TABLE {}").format(_SEEN))


def _stage(connection: Connection, snapshot: Snapshot, change: Change) -> None:
    relation = change.relation
    create = sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP")
    connection.execute(create.format(sql.Identifier("staged"), declared_columns(relation.fields)))
    _copy(connection, _STAGED, snapshot.rows(relation, change.changed))
    types = {field.name: field for field in relation.fields}
    named = [types[name] for name in relation.part_columns]
    digest = [sql.SQL("digest text")] if relation.has_digest_in_part else []
    listed = [*([declared_columns(named)] if named else []), *digest]
    connection.execute(create.format(sql.Identifier("staged_parts"), sql.SQL(", ").join(listed)))
    parts = (json.loads(part) for part in (*change.changed, *change.gone))
    _copy(connection, _PARTS, parts)
    connection.execute(sql.SQL("ANALYZE {}, {}").format(_STAGED, _PARTS))


def _copy(connection: Connection, table: sql.Identifier, rows: Iterable[Row]) -> None:
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
        for row in rows:
            copy.write_row(row)


def _delete(connection: Connection, relation: Relation, *, whole: bool) -> None:
    """Delete what is in the changed parts and was not sent. With `whole`, all that was not sent."""
    table = identifier(relation)
    unsent = sql.SQL("NOT EXISTS (SELECT FROM {} AS s WHERE {})").format(_STAGED, _same(relation.table.key, "t", "s"))
    if whole:
        connection.execute(sql.SQL("DELETE FROM {} AS t WHERE {}").format(table, unsent))
        return
    names = [sql.Identifier(name) for name in relation.part_columns]
    mine, theirs = (_texts([sql.SQL("{}.{}").format(sql.Identifier(of), name) for name in names]) for of in ("t", "p"))
    if relation.has_digest_in_part:
        last = sql.SQL("left(md5(t.{}::text), 2)").format(sql.Identifier(relation.table.key[-1]))
        mine, theirs = mine + sql.SQL(" || ") + last, theirs + sql.SQL(" || p.digest")
    part = sql.SQL("EXISTS (SELECT FROM {} AS p WHERE {} = {})").format(_PARTS, mine, theirs)
    connection.execute(sql.SQL("DELETE FROM {} AS t WHERE {} AND {}").format(table, part, unsent))


def _update(connection: Connection, relation: Relation) -> None:
    names = [field.name for field in relation.fields if field.name not in relation.table.key]
    if not names:
        return
    differ = [sql.SQL("t.{0} IS DISTINCT FROM s.{0}").format(sql.Identifier(name)) for name in names]
    set_ = [sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in names]
    connection.execute(
        sql.SQL("UPDATE {} AS t SET {} FROM {} AS s WHERE {} AND ({})").format(
            identifier(relation),
            sql.SQL(", ").join(set_),
            _STAGED,
            _same(relation.table.key, "t", "s"),
            sql.SQL(" OR ").join(differ),
        )
    )


def _insert(connection: Connection, relation: Relation) -> None:
    table, names = identifier(relation), columns(field.name for field in relation.fields)
    new = sql.SQL("NOT EXISTS (SELECT FROM {} AS t WHERE {})").format(table, _same(relation.table.key, "t", "s"))
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} AS s WHERE {}").format(table, names, names, _STAGED, new)
    )


def _same(key: Iterable[str], one: str, other: str) -> sql.Composed:
    """Whether the keys of two rows are the same. As arrays, because equality of arrays takes null for null and can be hashed."""
    mine, theirs = (
        _texts([sql.SQL("{}.{}").format(sql.Identifier(of), sql.Identifier(name)) for name in key])
        for of in (one, other)
    )
    return sql.SQL("{} = {}").format(mine, theirs)


def _texts(values: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL("ARRAY[{}]::text[]").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(value) for value in values)
    )
