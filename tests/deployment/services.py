"""Dagster's services as `init` wrote them: the commands of compose.yaml and of the Dockerfile, as processes of this machine.

Only addresses and ports are other ones. Whether a service is up, its own health check says.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import yaml
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict

from tests.properties.dev import end_group, free_ports, others
from tests.publish.postgres.cluster import Cluster

DEADLINE_SECONDS = 90
_PROGRAMS = Path(sys.executable).parent


@dataclass
class Services:
    """A folder of `init` with its services. `home` stands for the image's folder; `for_code` is what only the code server gets."""

    written: Path
    home: Path
    postgres: Cluster
    for_code: dict[str, str]
    ports: dict[str, str] = field(
        default_factory=lambda: dict(zip(("3000", "4000"), map(str, free_ports(2)), strict=True))
    )
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['3000']}"

    @cached_property
    def environment(self) -> dict[str, str]:
        """What compose.yaml gives every service, with the places of this machine; for the database, a role that .env names."""
        given: dict[str, str] = dict(self._compose["x-environment"])
        password = dotenv_values(self.written / ".env")["DAGSTER_POSTGRES_PASSWORD"]
        role = self.postgres.new_role(f"LOGIN PASSWORD '{password}'")
        database = conninfo_to_dict(self.postgres.new_database(f"OWNER {role}"))["dbname"]
        here = {
            "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": self.ports["4000"],
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.postgres.port),
            "DAGSTER_POSTGRES_USER": role,
            "DAGSTER_POSTGRES_DB": str(database),
            "DAGSTER_POSTGRES_PASSWORD": str(password),
        }
        assert given.keys() == here.keys()
        return here | {"DAGSTER_HOME": str(self.home)}

    @cached_property
    def _compose(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.written / "compose.yaml").read_text())
        return found

    def _of_image(self, step: str) -> list[str]:
        """The last command of this kind in the Dockerfile."""
        found: list[str] = json.loads(re.findall(rf"\b{step} (\[.*\])$", self._dockerfile, re.MULTILINE)[-1])
        return found

    @cached_property
    def _dockerfile(self) -> str:
        return (self.written / "Dockerfile").read_text().replace("\\\n", " ")

    def fill_home(self) -> None:
        """Copy what the Dockerfile copies into the image."""
        self.home.mkdir()
        (names,) = re.findall(r"^COPY --chown=\S+ (.+) \S+$", self._dockerfile, re.MULTILINE)
        for name in names.split():
            shutil.copy(self.written / name, self.home)

    def command(self, name: str) -> list[str]:
        """What runs in the container of this name."""
        return self._here(self._compose["services"][name].get("command") or self._of_image("^CMD"))

    def health_check(self, name: str) -> list[str]:
        """What says whether it is up."""
        written = self._compose["services"][name].get("healthcheck")
        return self._here(written["test"][1:] if written else self._of_image("HEALTHCHECK .*CMD"))

    def _here(self, words: list[str]) -> list[str]:
        program, *rest = words
        for there, here in {"0.0.0.0": "127.0.0.1", **self.ports}.items():
            rest = [re.sub(rf"\b{re.escape(there)}\b", here, word) for word in rest]
        return [str(_PROGRAMS / program), *rest]

    def run(self, *words: str, within: str = "webserver") -> "subprocess.CompletedProcess[str]":
        """A program as in the container of this name."""
        return subprocess.run(
            [str(_PROGRAMS / words[0]), *words[1:]],
            cwd=self.home,
            env=self.environment_of(within),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )

    def environment_of(self, name: str) -> dict[str, str]:
        """What the container of this name gets."""
        return others() | self.environment | (self.for_code if name == "code" else {})

    def start(self, name: str) -> None:
        """Start a service and wait until its health check says that it is up."""
        with (self.home.parent / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.command(name),
                cwd=self.home,
                env=self.environment_of(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: self.run(*self.health_check(name)).returncode == 0, f"{name} is up", self.log)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal to each process of the service, as compose.yaml has it, and wait for the first one to end."""
        process = self.running.pop(name)
        os.killpg(process.pid, how)
        try:
            process.wait(DEADLINE_SECONDS)
        finally:
            end_group(process.pid)

    def log(self) -> str:
        """What all services printed."""
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-5000:]}"
            for path in sorted(self.home.parent.glob("*.log"))
        )


def until(is_so: Callable[[], bool], what: str, log: Callable[[], str]) -> None:
    """Ask until it is so; fail at the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < end, f"never: {what}\n{log()}"
        Event().wait(0.1)


@contextmanager
def services(
    written: Path, home: Path, postgres: Cluster, for_code: dict[str, str], kind: type[Services] = Services
) -> Iterator[Services]:
    """All services of the folder, up, until the block ends."""
    found = kind(written, home, postgres, for_code)
    found.fill_home()
    try:
        for name in ("code", "webserver", "daemon"):
            found.start(name)
        yield found
    finally:
        for name in reversed(list(found.running)):
            found.stop(name)
