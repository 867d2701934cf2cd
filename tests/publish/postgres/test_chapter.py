"""The statements of the chapter on PostgreSQL run as they stand there."""

import psycopg
import pytest
from psycopg import sql

from tests.conftest import CHILD, ROOT
from tests.docs.markdown import CHAPTERS
from tests.publish.postgres.cluster import Cluster
from tests.publish.postgres.publications import Make


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
        "CREATE ROLE analysts",
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


def said(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))
