"""A folder is ours once it says so: an old one is recognised, one with strangers' files in it is refused untouched."""

import json
import shutil
from pathlib import Path

import pytest

from dcycle_pipeline.data_folder.folder import LAYOUT_VERSION
from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import Invoke, files_in, invoke, variables
from tests.conftest import settings_for, sync
from tests.properties.aftermath import Scene

__all__ = ["invoke"]

STRANGE = ["notes.txt", "src/main.py", "working/plan.txt", "landing/page.html", "snapshots/copy.duckdb", ".git/HEAD"]
STRANGE += ["report.html", "dcycle_warehouse.duckdb"]
HARMLESS = ["lost+found/", ".DS_Store", "._x", "desktop.ini", "Thumbs.db", ".nfs000001", ".env", "scope_mapping.csv"]
LOSSES = [["working/about.json"], ["working"], ["working", "snapshots"], ["working", "landing"], ["landing"]]


def put(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if name.endswith("/") else path.write_bytes(b"")


def everything(folder: Path) -> tuple[list[Path], dict[str, bytes]]:
    return sorted(folder.rglob("*")), files_in(folder)


@pytest.mark.quick(2)
@pytest.mark.parametrize("through_link", [False, True])
@pytest.mark.parametrize("name", STRANGE)
def test_a_folder_with_files_of_somebody_else_is_refused_untouched(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, name: str, through_link: bool
) -> None:
    put(tmp_path / "theirs", name)
    data = tmp_path / "theirs"
    if through_link:
        data = tmp_path / "link"
        data.symlink_to("theirs")
    before = everything(tmp_path)
    for verb in ("sync", "rollback", "doctor"):
        result = invoke(verb, **variables(sandbox, data))
        assert (result.exit_code, "Traceback" in result.output) == (2, False), result.output
        assert all(said in result.output for said in ("DCYCLE_DATA_DIR", str(data), name.split("/", maxsplit=1)[0])), (
            result.output
        )
        assert everything(tmp_path) == before


@pytest.mark.quick(1)
@pytest.mark.parametrize("there", [[], HARMLESS, ["working/", "landing/", "snapshots/", "working/spill/"]])
def test_a_folder_that_holds_nothing_of_anybody_is_filled(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, there: list[str]
) -> None:
    (tmp_path / "data").mkdir()
    for name in there:
        if name != "scope_mapping.csv":
            put(tmp_path / "data", name)
    result = invoke("sync", **variables(sandbox, tmp_path / "data"))
    assert result.exit_code == 0, result.output
    assert all((tmp_path / "data" / name).exists() for name in there if name != "scope_mapping.csv")


@pytest.mark.exhaustive
@pytest.mark.parametrize("lost", LOSSES)
def test_an_older_folder_is_recognised_and_marked_whatever_else_lies_in_it(
    stage: Scene, invoke: Invoke, tmp_path: Path, lost: list[str]
) -> None:
    data = stage.copy(tmp_path / "data")
    for name in lost:
        shutil.rmtree(data / name) if (data / name).is_dir() else (data / name).unlink()
    put(data, "notes.txt")
    result = invoke("sync", **variables(stage.sandbox, data))
    assert result.exit_code == 0, result.output
    assert json.loads((data / "working" / "about.json").read_text())["layout_version"] == LAYOUT_VERSION
    assert (data / "notes.txt").exists()


@pytest.mark.exhaustive
def test_a_first_sync_that_failed_marks_the_folder(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    environment = variables(sandbox, tmp_path / "data")
    assert invoke("sync", **environment | {"DCYCLE_API_KEY": "wrong"}).exit_code == 2
    put(tmp_path / "data", "notes.txt")
    assert invoke("sync", **environment).exit_code == 0


@pytest.mark.exhaustive
def test_nothing_is_deleted_that_no_run_made(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    data = tmp_path / "data"
    sync(settings_for(sandbox, data))
    theirs = [
        "notes.part",
        ".notes.part",
        ".copy.link",
        "snapshots/.copy.part",
        "working/.plan.part",
        "working/warehouse.duckdb.damaged-mine",
        "working/spill/other.tmp",
        "landing/mine/",
        "landing/mine too/notes.json",
        "landing/export/data.ndjson.zst",
        "landing/.forgotten/mine/notes.txt",
        "landing/half.part",
    ]
    for name in theirs:
        put(data, name)
    for _ in range(2):
        result = invoke("sync", **variables(sandbox, data, DCYCLE_KEEP_RUNS="1", DCYCLE_KEEP_SNAPSHOTS="1"))
        assert result.exit_code == 0, result.output
    assert [name for name in theirs if not (data / name).exists()] == []
