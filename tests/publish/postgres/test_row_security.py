"""With DCYCLE_POSTGRES_ROW_SECURITY, a reader sees the organisations that are noted for it, and nothing that adds up others."""

import psycopg
import pytest
from psycopg import sql

from dcycle_pipeline.publish.postgres.row_security import FOR_EVERYBODY
from tests.conftest import CHILD, ROOT
from tests.publish.postgres.cluster import Cluster
from tests.publish.postgres.publications import Publications, sent_tables

WHOSE = ("organization_id", "organization_key", "facility_key")


def reader(postgres: Cluster, publications: Publications, *organizations: str, group: str = "") -> str:
    """The URL of a role that may read every table, and for which these organisations are noted."""
    role = postgres.new_role()
    names = {"role": sql.Identifier(role), "group": sql.Identifier(group or role)}
    schemas = ("bi", "dcycle", "summaries", "sync")
    for schema in schemas:
        statement = "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
        publications.query(sql.SQL(statement).format(schema=sql.Identifier(schema), **names))
    if group:
        publications.query(sql.SQL("GRANT {group} TO {role}").format(**names))
    for organization in organizations:
        publications.query("INSERT INTO dcycle_delivery.readers VALUES (%s, %s)", group or role, organization)
    return publications.url.replace("postgres@", f"{role}@")


def seen(url: str) -> dict[str, set[str]]:
    """By table, the organisations whose rows a reader sees; of a table without organisations, whether there are any."""
    found = {}
    with psycopg.connect(url) as connection:
        for name in sent_tables():
            cursor = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name.split("."))))
            names = [column.name for column in cursor.description or ()]
            at = next((names.index(each) for each in WHOSE if each in names), None)
            found[name] = {
                row[at] and row[at].partition("·")[0] if at is not None else "rows" for row in cursor.fetchall()
            }
    return found


def test_two_roles_see_their_organisations_only(postgres: Cluster, publications: Publications) -> None:
    publications.send(postgres_row_security=True)
    whole = seen(publications.url)
    group = postgres.new_role("NOLOGIN")
    urls = {
        ROOT: reader(postgres, publications, ROOT),
        CHILD: reader(postgres, publications, CHILD, group=group),
        "": reader(postgres, publications),
        "*": reader(postgres, publications, "*"),
    }
    publications.change("UPDATE history.facilities SET name = name || '!'")
    publications.send()  # the variable was lost: what is shut stays shut
    for who, url in urls.items():
        for name, organizations in seen(url).items():
            allowed = whole[name] if who == "*" or name in FOR_EVERYBODY else {who} & whole[name]
            assert organizations == allowed, (who, name)
    for name in ("dcycle.facilities", "bi.facilities", "bi.emissions"):
        assert {ROOT, CHILD} <= whole[name]


@pytest.mark.exhaustive
def test_readers_see_who_else_reads_nowhere_and_can_note_nothing(postgres: Cluster, publications: Publications) -> None:
    publications.send(postgres_row_security=True)
    one, other = (reader(postgres, publications, organization) for organization in (ROOT, CHILD))
    for url, organization in ((one, ROOT), (other, CHILD)):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT organization_id FROM dcycle_delivery.readers").fetchall() == [
                (organization,)
            ]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("INSERT INTO dcycle_delivery.readers VALUES (current_user, '*')")


@pytest.mark.exhaustive
def test_row_security_is_switched_on_and_off_and_covers_new_tables(
    postgres: Cluster, publications: Publications
) -> None:
    publications.send()
    url = reader(postgres, publications)
    assert seen(url)["dcycle.facilities"] == {ROOT, CHILD}
    publications.send(postgres_row_security=True)
    assert seen(url)["dcycle.facilities"] == set()
    publications.query("DROP TABLE summaries.data_quality")
    publications.send()
    publications.query(sql.SQL("GRANT SELECT ON summaries.data_quality TO PUBLIC"))
    assert seen(url)["summaries.data_quality"] == set()
    publications.send(postgres_row_security=False)
    assert seen(url) == seen(publications.url)
