"""Who may read what a sync leaves, whatever the umask of the user is."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import variables

PRIVATE = ("landing", "working")


def sync(sandbox: Sandbox, home: Path, umask: int, **more: str) -> Path:
    environment = variables(sandbox, home / "data", **more) | {"HOME": str(home), "PATH": "", "DAGSTER_HOME": ""}
    words = [sys.executable, "-m", "dcycle_pipeline", "sync"]
    kept = {name: value for name, value in os.environ.items() if name == "PYTHONPATH"}
    done = subprocess.run(
        words, env=kept | environment, cwd=home, umask=umask, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return home / "data"


def modes(path: Path) -> dict[str, int]:
    found = [path, *path.rglob("*")]
    return {str(each.relative_to(path.parent)): stat.S_IMODE(each.lstat().st_mode) for each in found}


def check_private(data: Path) -> None:
    for name in PRIVATE:
        found = modes(data / name)
        wanted = {path: 0o700 if (data / path).is_dir() else 0o600 for path in found}
        assert found == wanted
    assert (data / "working" / "warehouse.duckdb").exists()
    assert (data / "working" / "pseudonym.key").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("umask", "persons"), [(0o000, "drop"), (0o022, "drop"), (0o022, "keep"), (0o027, "drop"), (0o077, "drop")]
)
def test_only_what_is_published_follows_the_umask(sandbox: Sandbox, tmp_path: Path, umask: int, persons: str) -> None:
    data = sync(sandbox, tmp_path, umask, DCYCLE_PERSONAL_DATA=persons)
    check_private(data)
    assert modes(data)["data"] == 0o777 & ~umask
    assert modes(data)["data/snapshots"] == 0o777 & ~umask
    (snapshot,) = (data / "snapshots").glob("*/*")
    assert stat.S_IMODE(snapshot.parent.stat().st_mode) == 0o755 & ~umask
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o444 & ~umask
    assert stat.S_IMODE((data / "report.html").stat().st_mode) == 0o644 & ~umask


@pytest.mark.exhaustive
def test_what_an_older_version_left_open_is_private_after_the_next_sync(sandbox: Sandbox, tmp_path: Path) -> None:
    data = sync(sandbox, tmp_path, 0o022)
    outside = tmp_path / "outside"
    outside.write_text("of somebody else")
    outside.chmod(0o644)
    for name in PRIVATE:
        for path in [data / name, *(data / name).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    (data / "landing" / "link").symlink_to(outside)
    sync(sandbox, tmp_path, 0o022)
    (data / "landing" / "link").unlink()
    check_private(data)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
