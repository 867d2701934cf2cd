"""A PostgreSQL of the test's own: Debian's programs, a cluster in a temporary folder, a database a test."""

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

PROGRAMS = max(
    (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")),
    key=lambda folder: int(folder.parent.name),
    default=None,
)
PASSWORD = "s3cr%t@word"
# Nothing has to survive a power cut, and others may be at work on this machine.
_QUICK = "fsync=off\nfull_page_writes=off\nshared_buffers=32MB\nautovacuum_naptime=1s\nmax_connections=40\n"


_MEMORY = "/dev/shm"


@dataclass(frozen=True)
class Cluster:
    """A running server. Over its socket everybody comes in, over TCP only who has a password."""

    folder: Path
    port: int

    def url(self, database: str, role: str = "postgres") -> str:
        return f"postgresql://{role}@/{database}?host={self.folder}&port={self.port}"

    def tcp(self, database: str, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, options: str = "") -> str:
        """The URL of an empty database."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 " + options).format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop what `new_database` made: each takes 8 MB."""
        name = conninfo_to_dict(url)["dbname"]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def new_role(self, options: str = "LOGIN") -> str:
        """The name of a role; roles belong to the whole cluster."""
        name = f"role_{uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(name)))
        return name


def version() -> int:
    """The server's major version."""
    assert PROGRAMS
    return int(PROGRAMS.parent.name)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster until the block ends. PostgreSQL refuses to be root, so it is somebody else then."""
    assert PROGRAMS
    with tempfile.TemporaryDirectory(prefix="pg-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as name:
        folder, who = Path(name), _somebody()
        if who:
            os.chown(folder, who["user"], who["group"])
        _say(
            who,
            "initdb",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
            "-D",
            folder / "data",
        )
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        settings = folder / "data" / "postgresql.conf"
        settings.write_text(f"{_QUICK}listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories='{folder}'\n")
        (folder / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        control = ("pg_ctl", "-D", folder / "data", "-w", "-s")
        _say(who, *control, "-l", folder / "log", "start")
        try:
            yield Cluster(folder, port)
        finally:
            _say(who, *control, "-m", "immediate", "stop")


def _somebody() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = next(each for each in pwd.getpwall() if each.pw_name in ("postgres", "nobody"))
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _say(who: dict[str, Any], program: str, *words: str | Path) -> None:
    assert PROGRAMS
    # The server outlives pg_ctl and keeps what it is given: it must not be a pipe that somebody reads to its end.
    subprocess.run(
        [PROGRAMS / program, *words],
        **who,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
