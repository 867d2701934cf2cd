"""Connects to PostgreSQL, holds it against other writers, and says in one line what went wrong. What is sent belongs elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import conninfo_to_dict

from dcycle_pipeline.errors import SettingsError, UnavailableError
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.text import plain

Connection = psycopg.Connection[tuple[Any, ...]]
OLDEST = 15  # the first whose keys can hold nulls
LOCK = 0x6463_7963_6C65  # "dcycle" in ASCII: one writer at a time in a database
WAIT_FOR_WRITER = "60s"
# Whoever waits for a table makes readers wait behind: only new columns, keys and row security need more than readers allow.
WAIT_FOR_READERS = "3s"
_FIXED = {
    "application_name": "dcycle_pipeline",
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    "tcp_user_timeout": 60_000,
}
_LATER = "What was there stays; the next sync sends it again."


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """A connection in a transaction, which is committed if the block ends well. Nobody else sends to this database meanwhile.

    Raises SettingsError if URL, database or privileges must change, UnavailableError if it fails otherwise; also for what the block
    executes. No message holds a password.
    """
    with _explained(settings), psycopg.connect(**_parameters(settings), prepare_threshold=None) as connection:
        _check(connection)
        _use(connection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        set_local(connection, "lock_timeout", WAIT_FOR_READERS)
        yield connection


def examine(settings: Settings) -> str:
    """What was found, in one line, if a publication could be sent. It writes nothing. Raises what `connected` does."""
    with _explained(settings), psycopg.connect(**_parameters(settings)) as connection:
        _check(connection)
        query = """SELECT has_database_privilege(current_database(), 'CREATE'), has_database_privilege(current_database(), 'TEMPORARY'),
            pg_is_in_recovery(), to_regnamespace('dcycle_delivery') IS NOT NULL"""
        ((may_create, may_stage, is_standby, is_there),) = connection.execute(query).fetchall()
        if is_standby:
            raise UnavailableError(
                "PostgreSQL is a standby, which takes no changes: name the primary server in DCYCLE_POSTGRES_URL."
            )
        if not may_stage or not (may_create or is_there):
            raise SettingsError(f"PostgreSQL: the role may not create what is needed. {_GRANTS}")
        info = connection.info
        encrypted = "encrypted" if connection.pgconn.ssl_in_use else "not encrypted"
        return f"database {plain(info.dbname)} on {plain(info.host)}, PostgreSQL {info.server_version // 10_000}, {encrypted}"


def set_local(connection: Connection, name: LiteralString, value: str) -> None:
    """Set a parameter of the server until the transaction ends."""
    connection.execute("SELECT set_config(%s, %s, true)", [name, value])


def _parameters(settings: Settings) -> dict[str, Any]:
    """What libpq is given: the URL, and encryption where the URL says nothing and the way leaves this machine."""
    if not settings.postgres_url:
        raise SettingsError(
            "DCYCLE_POSTGRES_URL is not set: name the database, postgresql://user:password@host:5432/database."
        )
    try:
        named = conninfo_to_dict(settings.postgres_url.get_secret_value())
    except psycopg.ProgrammingError:  # its message may hold the password
        raise SettingsError(
            "DCYCLE_POSTGRES_URL cannot be read: percent-encode what is special in user and password."
        ) from None
    host = str(named.get("host") or named.get("hostaddr") or _default("host") or "")
    is_near = host in ("", "localhost", "127.0.0.1", "::1") or host.startswith(("/", "@"))
    return ({} if is_near else {"sslmode": "require"}) | named | _FIXED


def _default(keyword: str) -> str:
    found = next(each.val for each in pq.Conninfo.get_defaults() if each.keyword == keyword.encode())
    return found.decode() if found else ""


def _check(connection: Connection) -> None:
    version = connection.info.server_version
    if version < OLDEST * 10_000:
        raise SettingsError(f"PostgreSQL is {version // 10_000}: it has to be {OLDEST} or newer.")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SettingsError(f"The database's encoding is {encoding}: create one with ENCODING 'UTF8'.")


def _use(connection: Connection) -> None:
    """What the transaction rests on, whatever is set for the role or the database."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    for name, value in (("TimeZone", "UTC"), ("DateStyle", "ISO, YMD"), ("search_path", "pg_catalog")):
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])
    set_local(connection, "lock_timeout", WAIT_FOR_WRITER)


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise SettingsError(f"PostgreSQL refuses: {_said(error, settings)}. {_GRANTS}") from None
    except errors.LockNotAvailable:
        raise UnavailableError(
            "PostgreSQL: another program holds what has to be written, or a table that has to get new columns: end its transaction. "
            f"{_LATER}"
        ) from None
    except psycopg.OperationalError as error:
        advice = "Check the server and DCYCLE_POSTGRES_URL."
        raise UnavailableError(f"PostgreSQL cannot be used: {_said(error, settings)}. {advice} {_LATER}") from None
    except psycopg.Error as error:
        raise UnavailableError(f"PostgreSQL failed: {_said(error, settings)}. {_LATER}") from None


_GRANTS = "Let the role of DCYCLE_POSTGRES_URL own the schemas, or GRANT CREATE, TEMPORARY ON DATABASE to it."


def _said(error: psycopg.Error, settings: Settings) -> str:
    lines = (error.diag.message_primary or str(error)).splitlines()
    text = plain(lines[0] if lines else type(error).__name__).rstrip(".")
    for secret in sorted(settings.postgres_secrets, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text
