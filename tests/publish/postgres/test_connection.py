"""What can be wrong with the database is said in one line that says what to do, and never with the password."""

import logging
from collections.abc import Callable

import pytest
from psycopg import sql

from dcycle_pipeline import settings
from dcycle_pipeline.errors import DcycleError, SettingsError, UnavailableError
from dcycle_pipeline.publish.postgres import attempt
from tests.publish.postgres.cluster import PASSWORD, Cluster, version
from tests.publish.postgres.publications import Make, Publications


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:{}@127.0.0.1:1/db", "cannot be used.*Check the server and DCYCLE_POSTGRES_URL"),
        ("postgresql://u:{}@127.0.0.1:{port}/db", "cannot be used.*password authentication failed"),
        ("postgresql://u:{}@127.0.0.1:{port}/db?sslmode={}", "cannot be used.*invalid sslmode value"),
        ("postgresql://u:{}@127.0.0.1:port/db", "cannot be used"),
        ("postgresql://u:{}%zz@127.0.0.1/db", "cannot be read: percent-encode"),
        ("postgresql://u:{}@127.0.0.1/db?word={}", "cannot be read: percent-encode"),
    ],
)
def test_no_message_shows_the_password(
    postgres: Cluster, published_to: Make, url: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = "s3cr3tword"
    publications = published_to(url.replace("{}", password).replace("{port}", str(postgres.port)))
    with pytest.raises(DcycleError, match=said) as caught:
        publications.send()
    with pytest.raises(DcycleError, match=said) as attempted:
        attempt(publications.settings())
    shown = f"{caught.value}{caught.value.__cause__}{attempted.value}{caplog.text}{publications.settings()!r}"
    assert password not in shown
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "url", ["mysql://u:s3cr3tword@h/d", "host=h password=s3cr3tword", "postgresql://u:s3cr3tword@h/d\n"]
)
def test_what_is_no_url_is_refused_when_settings_are_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCYCLE_POSTGRES_URL", url)
    with pytest.raises(SettingsError, match="DCYCLE_POSTGRES_URL must look like postgresql://") as caught:
        settings.load(api_key="k" * 20, organization_id="o")
    assert "s3cr3tword" not in str(caught.value)
    assert url in settings.secrets_in_reach()


def test_passwords_are_masked_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCYCLE_POSTGRES_URL", "postgresql://u:a%40b@h/d?sslpassword=other")
    assert {"a%40b", "a@b", "other"} <= set(settings.secrets_in_reach())


@pytest.mark.exhaustive
def test_a_role_that_may_not_write_is_told_what_it_needs(
    postgres: Cluster, new_database: Callable[..., str], published_to: Make
) -> None:
    url = new_database()
    publications = published_to(url.replace("postgres@", f"{postgres.new_role()}@"))
    with pytest.raises(
        SettingsError, match=r"PostgreSQL refuses: permission denied for database .* GRANT CREATE, TEMPORARY"
    ):
        publications.send()
    with pytest.raises(SettingsError, match=r"the role may not create what is needed. Let the role"):
        attempt(publications.settings())


@pytest.mark.exhaustive
def test_a_role_with_a_password_and_the_privileges_suffices(
    postgres: Cluster, new_database: Callable[..., str], published_to: Make
) -> None:
    url = new_database()
    name = url.split("@/")[1].split("?")[0]
    role = postgres.new_role(f"LOGIN PASSWORD '{PASSWORD}'")
    privileges = sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}")
    published_to(url).query(privileges.format(sql.Identifier(name), sql.Identifier(role)))
    publications = published_to(postgres.tcp(name, role, "s3cr%25t%40word"))
    assert attempt(publications.settings()) == f"database {name} on 127.0.0.1, PostgreSQL {version()}, not encrypted"
    publications.send()
    publications.assert_sent()


@pytest.mark.exhaustive
def test_a_database_in_another_encoding_is_refused(new_database: Callable[..., str], published_to: Make) -> None:
    publications = published_to(new_database("ENCODING 'LATIN1' LOCALE 'C'"))
    with pytest.raises(SettingsError, match="encoding is LATIN1: create one with ENCODING 'UTF8'"):
        publications.send()


@pytest.mark.exhaustive
def test_another_writer_is_waited_for(publications: Publications, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcycle_pipeline.publish.postgres import connection

    monkeypatch.setattr(connection, "WAIT_FOR_WRITER", "100ms")
    with (
        connection.connected(publications.settings()),
        pytest.raises(UnavailableError, match="another program holds what has to be written"),
    ):
        publications.send()
    publications.send()
