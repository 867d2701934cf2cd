"""The chapter's own commands back a data folder up, check the backup and bring it back with its history."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import PROGRAM, Invoke, invoke, variables
from tests.conftest import Published
from tests.docs.markdown import CHAPTERS
from tests.properties.aftermath import contents

__all__ = ["invoke"]

pytestmark = pytest.mark.exhaustive
VERSIONS = "SELECT change, count(*) FROM history.waste_water_treatments GROUP BY ALL ORDER BY ALL"


def say(marker: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The commands of the chapter below this marker."""
    (commands,) = re.findall(
        rf"^<!-- {marker} -->\n```sh\n(.*?)^```", CHAPTERS["deployment"].text, re.MULTILINE | re.DOTALL
    )
    path = os.pathsep.join([str(PROGRAM.parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def backed_up(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> Path:
    """A data folder with a past, of which there is a backup beside."""
    data = tmp_path / "data"
    assert invoke("sync", **variables(sandbox, data)).exit_code == 0
    sandbox.world.add_record("f-north")
    assert invoke("sync", **variables(sandbox, data)).exit_code == 0
    done = say("backup", tmp_path, DCYCLE_DATA_DIR=str(data))
    assert done.returncode == 0, done.stderr
    return data


def test_a_backup_goes_on_where_the_folder_was(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, backed_up: Path
) -> None:
    found = say("check", tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    restored = tmp_path / "checked"
    assert not list((restored / "working").glob("warehouse.duckdb*"))
    sandbox.world.add_record("f-north")
    for folder in (backed_up, restored):
        done = invoke("sync", **variables(sandbox, folder))
        assert done.exit_code == 0, done.output
    first, second = (folder / "dcycle_warehouse.duckdb" for folder in (backed_up, restored))
    assert contents(second) == contents(first)
    assert Published(second).query(VERSIONS) == Published(first).query(VERSIONS)
    assert invoke("replay", DCYCLE_DATA_DIR=str(restored)).exit_code == 0
    assert contents(second) == contents(first)


def test_the_check_finds_a_damaged_backup(tmp_path: Path, backed_up: Path) -> None:
    damaged = (backed_up / "dcycle_warehouse.duckdb").resolve()
    damaged.chmod(0o600)
    with damaged.open("r+b") as file:
        file.seek(500_000)
        file.write(b"!")
    assert say("backup", tmp_path, DCYCLE_DATA_DIR=str(backed_up)).returncode == 0
    found = say("check", tmp_path)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "was changed after it was published" in found.stdout


def test_the_check_finds_an_empty_backup(tmp_path: Path) -> None:
    (tmp_path / "data" / "working").mkdir(parents=True)
    assert say("backup", tmp_path, DCYCLE_DATA_DIR=str(tmp_path / "data")).returncode == 0
    assert say("check", tmp_path).returncode == 3
