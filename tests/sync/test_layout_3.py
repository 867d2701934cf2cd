"""A data folder of layout 3, with another published name and snapshots as files in one folder, goes over by itself."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers.published_file import open_published
from tests.cli.conftest import Invoke, invoke, variables
from tests.properties.aftermath import Scene, contents, left_over
from tests.properties.places import Place

__all__ = ["invoke"]

FACILITIES = "SELECT count(*) AS n FROM dcycle.facilities"
UPGRADE = "publish/upgrade.py"
STEPS = [
    Place(UPGRADE, "link_or_copy(path, folder.snapshot(name))", 2),
    Place(UPGRADE, "snapshots.rename_digests("),
    Place(UPGRADE, "snapshots.point(folder.published"),
    Place("publish/snapshots.py", "os.replace(link, published)"),
    Place(UPGRADE, "folder.note_renamed()"),
    Place(UPGRADE, "delete(folder.published_before)"),
    Place(UPGRADE, "delete(folder.published_before)", after=True),
    Place(UPGRADE, "delete(path)", 2),
    Place(UPGRADE, "sync_folder(folder.snapshots)"),
    Place("sync/begin.py", "folder.note_layout()"),
]


def edit(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


def as_of_layout_3(data: Path, *, has_links: bool = True) -> Path:
    """The folder as layout 3 had it."""
    folder = DataFolder(data)
    shown = folder.published.resolve().parent.name
    folder.published.unlink()
    for snapshot in folder.published_snapshots():
        snapshot.rename(folder.snapshots / f"{snapshot.parent.name}.duckdb")
        snapshot.parent.rmdir()
    if has_links:
        (data / "dcycle.duckdb").symlink_to(f"snapshots/{shown}.duckdb")
    else:
        shutil.copy(folder.snapshots / f"{shown}.duckdb", data / "dcycle.duckdb")
    edit(folder.working / "about.json", lambda about: about | {"layout_version": 3})
    edit(folder.working / "snapshots.json", lambda noted: {f"{name}.duckdb": noted[name] for name in noted})
    return data


@pytest.fixture
def old(stage: Scene, tmp_path: Path) -> Path:
    return as_of_layout_3(stage.copy(tmp_path / "data"))


def names(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".duckdb") for path in (folder / "snapshots").iterdir())


@pytest.mark.exhaustive
def test_the_next_sync_takes_it_over(stage: Scene, invoke: Invoke, old: Path) -> None:
    before = names(old)
    with open_published(old) as reader:
        result = invoke("sync", **variables(stage.sandbox, old))
        assert result.exit_code == 0, result.output
        assert reader.rows(FACILITIES), "who has the old file open reads on"
    assert contents(old / "dcycle_warehouse.duckdb") == stage.after
    assert not os.path.lexists(old / "dcycle.duckdb")
    assert names(old)[:-1] == before
    assert left_over(old, stage.children.temporary) == []
    assert DataFolder(old).about()["layout_version"] == 4
    for verb in ("status", "doctor"):
        said = " ".join(invoke(verb, **variables(stage.sandbox, old)).output.split())
        assert "Older versions published dcycle.duckdb, which is gone: tools must open dcycle_warehouse.duckdb." in said


@pytest.mark.exhaustive
def test_until_then_everything_is_read_as_before(stage: Scene, invoke: Invoke, old: Path) -> None:
    environment = variables(stage.sandbox, old)
    with open_published(old) as reader:
        assert reader.file == old / "dcycle.duckdb"
    for verb in ("status", "doctor"):
        result = invoke(verb, **environment)
        assert result.exit_code == 0, result.output
        assert "The next sync replaces dcycle.duckdb by dcycle_warehouse.duckdb" in " ".join(result.output.split())
    assert invoke("report", **environment).exit_code == 0
    listed = invoke("rollback", "--list", **environment)
    assert listed.exit_code == 2
    assert "takes its snapshots over first" in listed.output


@pytest.mark.exhaustive
def test_a_rollback_takes_it_over_too(stage: Scene, invoke: Invoke, old: Path) -> None:
    *_, target, _ = names(old)
    assert invoke("rollback", **variables(stage.sandbox, old)).exit_code == 0
    assert (old / "dcycle_warehouse.duckdb").resolve().parent.name == target
    assert not os.path.lexists(old / "dcycle.duckdb")


@pytest.mark.exhaustive
def test_a_disk_without_links_goes_over_too(stage: Scene, invoke: Invoke, tmp_path: Path) -> None:
    old = as_of_layout_3(stage.copy(tmp_path / "data"), has_links=False)
    assert invoke("sync", **variables(stage.sandbox, old)).exit_code == 0
    assert contents(old / "dcycle_warehouse.duckdb") == stage.after
    assert not (old / "dcycle.duckdb").exists()


@pytest.mark.exhaustive
def test_a_snapshot_that_was_changed_is_still_found_out(stage: Scene, invoke: Invoke, old: Path) -> None:
    changed = sorted((old / "snapshots").iterdir())[0]
    changed.chmod(0o600)
    with changed.open("r+b") as file:
        file.seek(500_000)
        file.write(b"!")
    assert invoke("sync", **variables(stage.sandbox, old)).exit_code == 0
    listed = invoke("rollback", "--list", "--json", **variables(stage.sandbox, old))
    found = {each["name"]: each["problem"] for each in json.loads(listed.stdout)["snapshots"]}
    assert "was changed after it was published" in found[changed.stem]


@pytest.mark.exhaustive
@pytest.mark.parametrize("lost", [["working/about.json"], ["working"], ["working", "landing"], ["landing"]], ids=str)
def test_what_is_left_of_it_goes_over(stage: Scene, invoke: Invoke, old: Path, lost: list[str]) -> None:
    for name in lost:
        path = old / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert invoke("sync", **variables(stage.sandbox, old)).exit_code == 0
    assert contents(old / "dcycle_warehouse.duckdb") == stage.after
    assert not os.path.lexists(old / "dcycle.duckdb")


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", STEPS, ids=str)
def test_killed_on_the_way_over(stage: Scene, old: Path, place: Place) -> None:
    death = stage.children.run(stage.life(old), place=place)
    assert death.killed, death.said
    assert contents(DataFolder(old).readable) == stage.before
    death = stage.children.run(stage.life(old))
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert contents(old / "dcycle_warehouse.duckdb") == stage.after
    assert left_over(old, stage.children.temporary) == []
    assert not os.path.lexists(old / "dcycle.duckdb")
