"""What breaks outside of us: a full disk, a clock put back, two syncs at once, files that are gone or damaged."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from uuid import uuid4

import duckdb
import pytest

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from dcycle_pipeline.sandbox.world.mutations import Mutation
from dcycle_pipeline.settings import load
from dcycle_pipeline.sync.run import Run
from tests.cli.conftest import PROGRAM, variables
from tests.conftest import ROOT, assert_equal, settings_for, steps, sync, without_heartbeat
from tests.properties.aftermath import Scene, contents, landed, left_over, moments, query, snapshots_are_whole
from tests.properties.nursery import Death, Life
from tests.properties.places import Place

WORKING = "working/warehouse.duckdb"
SETTLED = Place("sync/lists.py", "run_log.add_requests(connection", 2)


@pytest.fixture
def folder(stage: Scene, tmp_path: Path) -> Path:
    return stage.copy(tmp_path / "data")


def command(stage: Scene, life: Life, *words: str) -> Life:
    environment = variables(stage.sandbox, life.settings["data_dir"])
    return replace(life, words=words, environment=environment)


def check_complete(stage: Scene, folder: Path, death: Death) -> None:
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert "Traceback" not in death.said
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after
    assert left_over(folder, stage.children.temporary) == []
    assert snapshots_are_whole(folder)


def room(folder: Path, most: float) -> int:
    """Bytes, or below 1 a share of the working file."""
    return int(most) if most >= 1 else int(most * (folder / WORKING).stat().st_size)


# Enough for nothing, for small files, for small pages; for half of the working file, and for most of it.
@pytest.mark.quick(1)
@pytest.mark.parametrize("most", [0, 400, 4_000, 0.5, 0.9])
def test_a_full_disk_is_said_in_one_line_and_leaves_what_was_published(stage: Scene, folder: Path, most: float) -> None:
    life = stage.life(folder)
    death = stage.children.run(command(stage, life, "sync"), largest_file_bytes=room(folder, most))
    error = [line for line in death.said.splitlines() if line.startswith("Error: ")]
    assert (death.exit_code, len(error)) == (3, 1), death.said
    assert "Traceback" not in death.said
    assert "ree space" in error[0]
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.before
    check_complete(stage, folder, stage.children.run(life))


@pytest.mark.exhaustive
@pytest.mark.parametrize("most", [400, 4_000, 0.1, 0.8])
def test_killed_in_the_middle_of_a_write(stage: Scene, folder: Path, most: float) -> None:
    life = stage.life(folder)
    assert stage.children.run(life, largest_file_bytes=room(folder, most), dies_when_full=True).signal
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.before
    assert snapshots_are_whole(folder)
    check_complete(stage, folder, stage.children.run(life))


@pytest.mark.exhaustive
@pytest.mark.parametrize("nth", [1, 2])
def test_the_command_killed_on_its_way(stage: Scene, folder: Path, nth: int) -> None:
    life = command(stage, stage.life(folder), "sync", "--json")
    place = Place("warehouse/database.py", 'connection.execute("COMMIT")', nth, within="merge_sweeps")
    assert stage.children.run(life, place=place).killed
    death = stage.children.run(life)
    check_complete(stage, folder, death)


@pytest.mark.exhaustive
@pytest.mark.parametrize("back", [timedelta(hours=2), timedelta(days=366)])
def test_a_clock_that_is_put_back_fools_nobody(sandbox: Sandbox, tmp_path: Path, back: timedelta) -> None:
    settings = settings_for(sandbox, tmp_path / "data", keep_runs=2, keep_snapshots=2)
    start = datetime.now(UTC)
    runs = []
    for number, clock in enumerate([start, start + timedelta(minutes=1), start - back, start - back, start]):
        sandbox.world.add_records("f-large", 1)
        sandbox.world.edit_record(sandbox.world.facility_records("f-north")[0]["id"], quantity=number)
        runs.append(steps(Run(str(uuid4()), settings, now=lambda clock=clock: clock)))  # type: ignore[misc]
        assert_equal(runs[-1], sandbox.world)
    file = tmp_path / "data" / "dcycle_warehouse.duckdb"
    assert len(moments(file)) == len(runs)
    assert moments(file) == sorted(set(moments(file)))
    edited = "SELECT valid_from FROM history.waste_water_treatments WHERE change = 'edited' ORDER BY water_in_m3"
    versions = [row[0] for row in query(file, edited)]
    assert versions == sorted(set(versions))
    assert len(versions) == len(runs) - 1
    kept = sorted(path.name for path in (tmp_path / "data" / "landing").iterdir())
    assert kept == sorted(run.run_id for run in runs[-2:])
    assert sorted((tmp_path / "data" / "snapshots").glob("*/*")) == [run.publication.snapshot for run in runs[-2:]]


@pytest.mark.exhaustive
def test_of_two_syncs_the_second_names_the_first_and_leaves(sandbox: Sandbox, tmp_path: Path) -> None:
    reading, let_go = Event(), Event()

    def hold(world: World) -> None:
        reading.set()
        assert let_go.wait(60)

    sandbox.behaviour = Behaviour(mutations=(Mutation(1, hold, path="/v1/facilities"),))
    environment = variables(sandbox, tmp_path / "data") | {"HOME": str(tmp_path), "PATH": "", "DAGSTER_HOME": ""}
    words = [str(PROGRAM), "sync", "--json"]
    with subprocess.Popen(
        words, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        assert reading.wait(60)
        second = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        let_go.set()
        output, errors = first.communicate(timeout=60)
    assert second.returncode == 3
    (line,) = without_heartbeat(second.stderr.splitlines())
    assert f"process {first.pid}" in line
    assert json.loads(second.stdout)["exit_code"] == 3
    assert (first.returncode, json.loads(output)["outcome"]) == (0, "published"), errors


def remove(*names: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        for path in [path for name in names for path in folder.glob(name)]:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return act


def overwrite(name: str, start: int, content: bytes) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        with (folder / name).open("r+b") as file:
            file.seek(start)
            file.write(content)

    return act


def truncate(name: str, length: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, length)


def dangle(folder: Path) -> None:
    (folder / "dcycle_warehouse.duckdb").unlink()
    (folder / "dcycle_warehouse.duckdb").symlink_to("snapshots/nowhere.duckdb")


NOISE = bytes(range(1, 256)) * 400
LOSSES = {
    "working file": remove(WORKING),
    "working folder": remove("working"),
    "about.json": remove("working/about.json"),
    "snapshots": remove("snapshots"),
    "published name": remove("dcycle_warehouse.duckdb"),
    "published name points nowhere": dangle,
    "landing and working": remove("landing", "working"),
    "all but landing": remove("working", "snapshots", "dcycle_warehouse.duckdb"),
    "working file cut to half": truncate(WORKING, 1_000_000),
    "working file empty": truncate(WORKING, 0),
    "working file's header is noise": overwrite(WORKING, 0, NOISE[:4096]),
    "working file's second header is noise": overwrite(WORKING, 4096, NOISE[:8192]),
    "working file is noise": overwrite(WORKING, 12288, NOISE),
    "working file is all noise": overwrite(WORKING, 0, NOISE * 23),
}


@pytest.mark.quick(1)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_is_made_again(stage: Scene, folder: Path, loss: str) -> None:
    LOSSES[loss](folder)
    death = stage.children.run(stage.life(folder))
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after
    assert death.content_hash == stage.content_hash


def newest(folder: Path) -> str:
    return str((folder / "dcycle_warehouse.duckdb").resolve().relative_to(folder.resolve()))


def two_snapshots(stage: Scene, folder: Path) -> None:
    assert stage.children.run(stage.life(folder)).exit_code == 0
    assert len(list((folder / "snapshots").iterdir())) >= 2


def forge(name: str, folder: Path) -> None:
    (folder / name).chmod(0o600)
    with duckdb.connect(str(folder / name)) as connection:
        connection.execute("UPDATE history.waste_water_treatments SET water_in_m3 = 1")
    (folder / name).chmod(0o444)


def spoil(act: Callable[[Path], None], name: str, folder: Path) -> None:
    (folder / name).chmod(0o600)
    act(folder)


SPOILED: dict[str, Callable[[str, Path], None]] = {
    "changed by somebody": forge,
    "empty": lambda name, folder: spoil(truncate(name, 0), name, folder),
    "cut to half": lambda name, folder: spoil(truncate(name, 1_000_000), name, folder),
    "header is noise": lambda name, folder: spoil(overwrite(name, 0, NOISE[:12288]), name, folder),
    "one byte": lambda name, folder: spoil(overwrite(name, 500_000, b"!"), name, folder),
}
TOLD_BY_THE_NOTE = ("changed by somebody", "one byte")  # and by nothing else


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("way", "noted"),
    [(way, noted) for way in SPOILED for noted in (True, False) if noted or way not in TOLD_BY_THE_NOTE],
)
def test_a_working_file_is_rebuilt_from_the_newest_sound_snapshot(
    stage: Scene, folder: Path, way: str, noted: bool
) -> None:
    two_snapshots(stage, folder)
    SPOILED[way](newest(folder), folder)
    spoiled = newest(folder)
    remove(WORKING, *([] if noted else ["working/snapshots.json"]))(folder)
    death = stage.children.run(command(stage, stage.life(folder), "sync"))
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert Path(spoiled).parent.name in death.said
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", SPOILED)
def test_a_spoiled_snapshot_is_named_and_does_not_stop_a_rollback(stage: Scene, folder: Path, way: str) -> None:
    before = newest(folder)
    two_snapshots(stage, folder)
    assert stage.children.run(stage.life(folder)).exit_code == 0
    middle = sorted(path.name for path in (folder / "snapshots").iterdir())[-2]
    SPOILED[way](f"snapshots/{middle}/dcycle_warehouse.duckdb", folder)
    shown = newest(folder)
    listed = stage.children.run(command(stage, stage.life(folder), "rollback", "--list", "--json"))
    assert listed.exit_code == 1, listed.said
    assert middle in listed.said
    refused = stage.children.run(command(stage, stage.life(folder), "rollback", middle))
    assert refused.exit_code == 3, refused.said
    assert middle in refused.said
    assert newest(folder) == shown
    done = stage.children.run(command(stage, stage.life(folder), "rollback"))
    assert done.exit_code == 0, done.said
    assert newest(folder) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize("share", [step / 12 for step in range(12)])
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_working_file_damaged_anywhere_is_made_again(stage: Scene, folder: Path, damage: str, share: float) -> None:
    # Which table lies in which block differs from machine to machine, so one place would not do.
    size = (folder / WORKING).stat().st_size
    place = int(size * share)
    (truncate(WORKING, place) if damage == "cut" else overwrite(WORKING, place, NOISE[: size - place]))(folder)
    death = stage.children.run(stage.life(folder))
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after
    assert death.content_hash == stage.content_hash


@pytest.mark.exhaustive
@pytest.mark.parametrize("loss", ["working file", "working file is all noise", "working folder"])
def test_versions_that_were_landed_and_not_published_are_kept(stage: Scene, folder: Path, loss: str) -> None:
    assert stage.children.run(stage.life(folder), place=SETTLED).killed
    runs = landed(folder)
    LOSSES[loss](folder)
    stage.asked()
    death = stage.children.run(stage.life(folder))
    assert (death.exit_code, death.error, death.content_hash) == (0, "", stage.content_hash), death.said
    assert runs
    assert stage.asked().isdisjoint(runs)


def test_a_folder_that_forgot_its_owner_still_refuses_another(stage: Scene, folder: Path) -> None:
    for loss in (
        remove("working/about.json"),
        remove("working"),
        remove("working", "snapshots", "dcycle_warehouse.duckdb"),
    ):
        loss(folder)
        with (
            Sandbox(World("99999999-9999-4999-8999-999999999999", "Other")) as other,
            pytest.raises(SettingsError, match="choose another folder"),
        ):
            sync(settings_for(other, folder))


@pytest.mark.exhaustive
def test_swapped_landed_files_are_not_taken_for_each_other(stage: Scene, folder: Path) -> None:
    assert stage.children.run(stage.life(folder), place=SETTLED).killed
    for run in [run for run in (folder / "landing").iterdir() if not (run / "ended.json").exists()]:
        one, other = (run / ROOT / "waste_water_treatments" / f"{name}.ndjson.zst" for name in ("f-large", "f-old"))
        one.rename(run / "between")
        other.rename(one)
        (run / "between").rename(other)
    remove(WORKING)(folder)
    death = stage.children.run(stage.life(folder))
    assert (death.exit_code, death.error, death.content_hash) == (0, "", stage.content_hash), death.said
    assert {(ROOT, "waste_water_treatments", name) for name in ("f-large", "f-old")} <= stage.asked()


@pytest.mark.exhaustive
def test_what_readers_have_counts_as_published_though_its_note_cannot_be_written(stage: Scene, folder: Path) -> None:
    (folder / "landing" / "blocked" / "ended.json" / "x").mkdir(parents=True)
    settings = load(**stage.life(folder).settings)
    assert steps(Run("blocked", settings)).outcome == "published"
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after
    assert sync(settings).publication.content_changed is False


@pytest.mark.exhaustive
@pytest.mark.parametrize("cut", [0.0, 0.3, 0.9])
def test_a_log_of_the_working_file_that_is_cut(stage: Scene, folder: Path, cut: float) -> None:
    assert stage.children.run(stage.life(folder), place=SETTLED).killed
    log = folder / f"{WORKING}.wal"
    size = log.stat().st_size
    assert size
    with log.open("r+b") as file:
        file.truncate(int(size * cut))
    death = stage.children.run(stage.life(folder))
    assert (death.exit_code, death.error, death.content_hash) == (0, "", stage.content_hash), death.said
