"""Links planted anywhere in the data folder: nothing outside of it is deleted, overwritten or given another mode."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import ROOT, settings_for, small_world, sync

__all__ = ["invoke"]

LISTS = f"landing/*/{ROOT}/waste_water_treatments"
# Everything that a sync makes, each by a pattern; the newest that it fits is the one.
OURS = [
    "landing",
    "working",
    "snapshots",
    "working/spill",
    "working/about.json",
    "working/warehouse.duckdb",
    "working/pseudonym.key",
    "working/snapshots.json",
    "working/compacted_bytes",
    "working/drawings.json",
    "working/lock",
    "working/lock.holder",
    "landing/*",
    f"landing/*/{ROOT}",
    LISTS,
    f"{LISTS}/f-large.ndjson.zst",
    f"landing/*/{ROOT}/facilities.ndjson.zst",
    f"landing/*/{ROOT}/facilities.sweep.json",
    "landing/*/tree.json",
    "landing/*/ended.json",
    "snapshots/*",
    "snapshots/*/dcycle_warehouse.duckdb",
    "report.html",
]
# Names of ours that are not there: what lies outside is overwritten by whoever opens them.
AWAY = [
    "working/warehouse.duckdb.wal",
    "working/.writable",
    "working/.replacing.duckdb.part",
    "working/spill/duckdb_temp_storage_DEFAULT-0.tmp",
    "working/spill/duckdb_temp_block-0.block",
    "landing/.forgotten",
    "dcycle_warehouse.duckdb.wal",
    "landing/mine",
    "snapshots/20200101T000000.000000Z-aaaaaaaa",
    "snapshots/20200101T000000.000000Z-aaaaaaaa.duckdb",
]
REFUSED = ("landing", "working", "snapshots", "working/spill", "working/about.json", "working/warehouse.duckdb")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """A folder that two syncs have filled; tests copy it."""
    data = tmp_path_factory.mktemp("links") / "data"
    with Sandbox(small_world()) as sandbox:
        sync(settings_for(sandbox, data))
        sandbox.world.add_records("f-large", 1)
        sync(settings_for(sandbox, data))
        (data / "report.html").write_text("the last report")
        (data / "working" / "drawings.json").write_text("{}")
        yield sandbox, data


def picture(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that could be seen to have changed outside: what is there, of which mode, since when, with what in it."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        state = path.lstat()
        body = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (state.st_mode, 0 if path == folder else state.st_mtime_ns, body)
    return found


def opened_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def move_out(data: Path, pattern: str, outside: Path) -> Path:
    """Move what is there out of the folder, and leave a link that leads to it."""
    found = max(data.glob(pattern), key=lambda path: path.lstat().st_mtime_ns)
    outside.mkdir()
    shutil.move(found, outside / found.name)
    found.symlink_to(outside / found.name)
    return found


def lead_out(data: Path, name: str, outside: Path) -> Path:
    """A link where nothing was: to a file of somebody else, or to a folder full of what looks like ours."""
    link = data / name
    if name.startswith("landing/"):
        shutil.copytree(data / "landing", outside / "x", symlinks=True)
    else:
        outside.mkdir()
        (outside / "x").write_bytes(b"of somebody else")
    link.symlink_to(outside / "x")
    return link


def run_all(invoke: Invoke, sandbox: Sandbox, data: Path) -> list[int]:
    """Syncs that forget all older runs and snapshots, a replay and a rollback."""
    environment = variables(sandbox, data, DCYCLE_KEEP_RUNS="1", DCYCLE_KEEP_SNAPSHOTS="2")
    codes = []
    for words in (["sync"], ["rollback"]):
        result = invoke(*words, **environment)
        assert result.exit_code in (0, 1, 2, 3), result.output
        assert "Traceback" not in result.output
        codes.append(result.exit_code)
    return codes


@pytest.mark.exhaustive
@pytest.mark.parametrize("pattern", OURS)
def test_what_a_link_leads_to_stays_as_it_is(
    filled: tuple[Sandbox, Path], invoke: Invoke, tmp_path: Path, pattern: str
) -> None:
    sandbox, original = filled
    data = shutil.copytree(original, tmp_path / "data", symlinks=True)
    link = move_out(data, pattern, tmp_path / "outside")
    opened_to_all(data / "working")
    opened_to_all(data / "landing")
    opened_to_all(tmp_path / "outside")
    before = picture(tmp_path / "outside")
    result = invoke("sync", **variables(sandbox, data))
    codes = run_all(invoke, sandbox, data)
    assert picture(tmp_path / "outside") == before
    if pattern in REFUSED:
        assert (result.exit_code, str(link) in result.output) == (2, True), result.output
        link.unlink()
        shutil.move(tmp_path / "outside" / link.name, link)
        assert invoke("sync", **variables(sandbox, data)).exit_code == 0
    elif link.is_symlink():
        assert codes[0] in (0, 2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", AWAY)
def test_a_link_that_waits_for_a_file_of_ours_gets_nothing(
    filled: tuple[Sandbox, Path], invoke: Invoke, tmp_path: Path, name: str
) -> None:
    sandbox, original = filled
    data = shutil.copytree(original, tmp_path / "data", symlinks=True)
    lead_out(data, name, tmp_path / "outside")
    opened_to_all(tmp_path / "outside")
    before = picture(tmp_path / "outside")
    run_all(invoke, sandbox, data)
    assert picture(tmp_path / "outside") == before


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("landing/x", "."),
        ("landing/x", "self"),
        ("snapshots/x.duckdb", ".."),
        ("snapshots/x.duckdb", "nowhere"),
        ("working/spill/x", "."),
        ("dcycle_warehouse.duckdb", "self"),
        ("dcycle_warehouse.duckdb", "nowhere"),
        ("working", "."),
        ("landing", "self"),
        ("report.html", "nowhere"),
    ],
)
def test_links_that_lead_in_circles_or_nowhere_end_in_a_sync_or_in_a_message(
    filled: tuple[Sandbox, Path], invoke: Invoke, tmp_path: Path, name: str, target: str
) -> None:
    sandbox, original = filled
    data = shutil.copytree(original, tmp_path / "data", symlinks=True)
    link = data / name
    if link.is_symlink() or link.is_file():
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)
    link.symlink_to(link.name if target == "self" else target)
    codes = run_all(invoke, sandbox, data)
    for verb in ("status", "report"):
        assert invoke(verb, **variables(sandbox, data)).exit_code in (0, 2, 3)
    # A report that is a folder cannot be written; what is published stays.
    expected = 1 if name == "report.html" and target in (".", "..") else 0
    assert codes[0] == (2 if name in REFUSED else expected)


@pytest.mark.exhaustive
def test_a_backup_made_of_hard_links_stays_as_it_is(
    filled: tuple[Sandbox, Path], invoke: Invoke, tmp_path: Path
) -> None:
    sandbox, original = filled
    data = shutil.copytree(original, tmp_path / "data", symlinks=True)
    opened_to_all(data / "working")
    opened_to_all(data / "landing")
    shutil.copytree(data, tmp_path / "backup", symlinks=True, copy_function=os.link)
    before = picture(tmp_path / "backup")
    sandbox.world.add_records("f-large", 1)
    assert run_all(invoke, sandbox, data) == [0, 0]
    assert picture(tmp_path / "backup") == before


@pytest.mark.exhaustive
def test_a_data_folder_may_be_a_link_itself(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    for _ in range(2):
        assert invoke("sync", **variables(sandbox, tmp_path / "data")).exit_code == 0
    assert (tmp_path / "disk" / "dcycle_warehouse.duckdb").exists()


@pytest.mark.exhaustive
def test_a_run_writes_through_no_link_that_comes_while_it_reads(
    filled: tuple[Sandbox, Path], invoke: Invoke, tmp_path: Path
) -> None:
    from tests.properties.aftermath import query

    sandbox, original = filled
    data = shutil.copytree(original, tmp_path / "data", symlinks=True)
    (tmp_path / "outside").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    from dcycle_pipeline.sandbox import Behaviour
    from dcycle_pipeline.sandbox.world.mutations import Mutation

    def plant(_: object) -> None:
        for run in (data / "landing").iterdir():
            if not (run / "ended.json").exists():
                (run / ROOT).mkdir(exist_ok=True)
                (run / ROOT / "waste_water_treatments").symlink_to(tmp_path / "outside")

    sandbox.behaviour = Behaviour(mutations=(Mutation(1, plant, path="/v1/facilities"),))
    try:
        result = invoke("sync", **variables(sandbox, data))
    finally:
        sandbox.behaviour = Behaviour()
    assert "Traceback" not in result.output
    assert result.exit_code == 3, result.output
    assert os.listdir(tmp_path / "outside") == []
    assert query(data / "dcycle_warehouse.duckdb", "SELECT count(*) FROM dcycle.facilities") == [(4,)]
