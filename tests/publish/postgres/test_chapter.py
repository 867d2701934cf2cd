"""The statements of the chapters for PostgreSQL run as they stand there."""

import duckdb
import psycopg
import pytest
from psycopg import sql

from tests.conftest import CHILD, ROOT
from tests.docs.markdown import CHAPTERS
from tests.publish.postgres.cluster import Cluster
from tests.publish.postgres.publications import Make, Publications


@pytest.mark.exhaustive
def test_the_chapter_sets_a_database_up(postgres: Cluster, published_to: Make) -> None:
    blocks = [
        block.text.replace("organization_id = '…'", f"organization_id = '{ROOT}'")
        for block in CHAPTERS["postgres"].code("postgresql")
    ]
    create, grant, note = ([each for each in block.split(";\n") if each] for block in blocks)
    said(
        postgres.url("postgres"),
        *create,
        "CREATE ROLE ana LOGIN IN ROLE analysts",
        "CREATE ROLE holding_south ROLE ana",
    )
    publications = published_to(postgres.url("dcycle", "dcycle_writer"))
    publications.send(postgres_row_security=True)
    said(publications.url, *grant, *note)
    publications.send()
    with psycopg.connect(postgres.url("dcycle", "ana")) as reader:
        seen = reader.execute("SELECT organization_id FROM dcycle.organizations ORDER BY 1").fetchall()
    assert seen == [(ROOT,), (CHILD,)]


@pytest.mark.exhaustive
def test_tools_read_as_the_recipe_says_and_cannot_write(postgres: Cluster, publications: Publications) -> None:
    publications.send()
    ((writer,),) = publications.query("SELECT current_user")
    _, grant, _ = (block.text for block in CHAPTERS["postgres"].code("postgresql"))
    role, query = (block.text for block in CHAPTERS["bi"].code("postgresql"))
    # Roles are those of the whole server, where another test makes these.
    grant, role = (text.replace("dcycle_writer", writer).replace("analysts", "readers") for text in (grant, role))
    said(publications.url, "CREATE ROLE readers", *(each for each in (grant + role).split(";\n") if each))
    database = publications.query("SELECT current_database()")[0][0]
    with psycopg.connect(postgres.url(database, "bi_tools"), autocommit=True) as tool:
        found = tool.execute(sql.SQL(query)).fetchall()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            tool.execute("CREATE TABLE mine (id integer)")
    with duckdb.connect(str(publications.file), read_only=True) as file:
        expected = file.execute(query).fetchall()
    assert [row[:4] for row in found] == [row[:4] for row in expected]
    assert [row[4] and float(row[4]) for row in found] == pytest.approx([row[4] for row in expected])


def said(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))
