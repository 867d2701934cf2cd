"""The command line as people run it, in this process where that is enough and as a process of its own where it is not."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcycle_pipeline.cli import app
from dcycle_pipeline.sandbox import Sandbox
from tests.conftest import small_world

Invoke = Callable[..., Result]
PROGRAM = Path(sys.executable).with_name("dcycle-pipeline")


def variables(sandbox: Sandbox, data: Path, **overrides: str) -> dict[str, str]:
    """What a user sets, as `dcycle-pipeline sandbox` prints it, and few retries."""
    usual = {
        "DCYCLE_API_KEY": sandbox.api_key,
        "DCYCLE_ORGANIZATION_ID": sandbox.world.root_id,
        "DCYCLE_BASE_URL": sandbox.base_url,
        "DCYCLE_DATA_DIR": str(data),
        "DCYCLE_RETRY_FIRST_WAIT_SECONDS": "0.001",
        "DCYCLE_RETRY_ATTEMPTS": "3",
    }
    return usual | overrides


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """`invoke("sync", "--json", DCYCLE_API_KEY=…)` in this process, with those variables and no other DCYCLE_ one."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def run(*words: str, **environment: str) -> Result:
        return CliRunner().invoke(app, list(words), env=environment)

    return run


def spawn(*words: str, cwd: Path, home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The installed program with a home and temporary folder of its own."""
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_", "XDG_"))}
    return subprocess.run(
        [str(PROGRAM), *words],
        cwd=cwd,
        env=kept | {"HOME": str(home), "TMPDIR": str(home / "tmp")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Account:
    """A sandbox and a data folder that one sync has filled."""

    sandbox: Sandbox
    data: Path
    first: Result

    @property
    def environment(self) -> dict[str, str]:
        return variables(self.sandbox, self.data)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One sync with --json; tests that use it leave folder and world as they are."""
    data = tmp_path_factory.mktemp("synced") / "data"
    with Sandbox(small_world()) as sandbox:
        environment = variables(sandbox, data) | {"DAGSTER_HOME": ""}
        yield Account(sandbox, data, CliRunner().invoke(app, ["sync", "--json"], env=environment))


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
