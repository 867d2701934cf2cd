"""SIGKILL anywhere: readers never notice, and the next run ends as if nothing had happened."""

from pathlib import Path
from typing import Any

import pytest

from tests.properties.aftermath import (
    Contents,
    Scene,
    contents,
    landed,
    left_over,
    moments,
    query,
    snapshots_are_whole,
)
from tests.properties.nursery import Death
from tests.properties.places import Place, Touch

KEEP_ONE = {"keep_runs": 1, "keep_snapshots": 1}


def at(file: str, text: str, nth: int = 1, within: str = "") -> list[Place]:
    """Before and after a line."""
    return [Place(file, text, nth, after, within) for after in (False, True)]


# Steps of a run on a folder with a past, in their order.
USUAL = [
    Place("sync/organizations.py", "tree, requests_count, server_date = read_tree(run.settings)"),
    Place("data_folder/files.py", "os.replace(part, path)", 1, within="writing"),
    Place("warehouse/database.py", "_attach(connection, file)", after=True),
    Place("sync/organizations.py", "manifest.write_tree("),
    Place("warehouse/database.py", 'connection.execute("COMMIT")', within="merge_tree", after=True),
    Place("landing/files.py", 'self._file = self._beside.open("xb")', 1, after=True),
    Place("landing/files.py", 'self._lines += line + b"\\n"', 2),
    Place("landing/files.py", "self._file.write(self._compressor", 3, within="finish"),
    Place("landing/files.py", "os.replace(self._beside, self.path)", 2, after=True),
    Place("landing/files.py", "os.replace(self._beside, self.path)", 5),
    Place("warehouse/merge.py", 'self._pairs("staged_lists"', 2),
    Place("sync/judgement.py", "reasons = {item: task.result()"),
    Place("data_folder/files.py", "os.fsync(file.fileno())", 4, within="write_sweep"),
    Place("data_folder/files.py", "os.replace(part, path)", 1, within="write_sweep", after=True),
    Place("warehouse/merge.py", "self._insert_last_values(change, rows)"),
    Place("warehouse/merge.py", "self._insert_versions()", 2, after=True),
    Place("warehouse/load.py", "run_log.record_lists(connection, first.run_id"),
    *at("warehouse/database.py", 'connection.execute("COMMIT")', 1, within="merge_sweeps"),
    Place("warehouse/database.py", 'connection.execute("COMMIT")', 2, within="merge_sweeps"),
    Place("sync/lists.py", "run_log.add_requests(connection", 1),
    Place("publish/record.py", "summaries.refresh("),
    Place("publish/record.py", "verify_publishable(", after=True),
    Place("publish/record.py", "finish(connection", after=True),
    *at("warehouse/database.py", 'connection.execute("COMMIT")', within="record_publication"),
    Place("sync/publication.py", 'connection.execute("FORCE CHECKPOINT warehouse")', after=True),
    Place("publish/snapshots.py", "new.write(block)", 1),
    Place("publish/snapshots.py", "os.fsync(new.fileno())"),
    *at("publish/snapshots.py", "os.replace(part, target)"),
    Place("publish/snapshots.py", "link.symlink_to("),
    *at("publish/snapshots.py", "os.replace(link, published)"),
    Place("data_folder/files.py", "os.replace(part, path)", within="end_with_all_before"),
    Place("sync/publication.py", "forget_runs(run.folder.landing"),
]
FORGETTING = [
    *at("publish/snapshots.py", "_forget(old.parent)"),
    Place("publish/snapshots.py", "folder.rmdir()"),
    *at("landing/forgetting.py", "os.replace(folder, forgotten / folder.name)"),
    Place("data_folder/files.py", "path.unlink()", 5, within="forget_runs"),
]
FROM_NOTHING = [
    Place("data_folder/folder.py", "folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)", 2),
    Place("data_folder/files.py", "file.write(content)", within="claim"),
    Place("data_folder/files.py", "os.replace(part, path)", 1, after=True, within="claim"),
    Place("data_folder/files.py", "os.replace(part, path)", within="pseudonym_key"),
    Place("warehouse/database.py", 'connection.execute("COMMIT")', 1, after=True),
    Place("warehouse/database.py", 'connection.execute("COMMIT")', 1, within="merge_sweeps"),
    Place("publish/snapshots.py", "os.replace(link, published)", after=True),
]
COMPACTING = [
    Place("sync/rewrite.py", 'anew.execute(f"ATTACH', after=True),
    Place("sync/rewrite.py", 'anew.execute(f"INSERT INTO {table.qualified}', 3),
    *at("publish/catalog.py", "os.replace(beside, folder.warehouse)"),
    Place("data_folder/files.py", "os.replace(part, path)", within="rewrite_if_grown"),
]
REBUILDING = [
    Place("publish/catalog.py", "shutil.copyfile(like, beside)", after=True),
    Place("publish/catalog.py", 'connection.execute("FORCE CHECKPOINT warehouse")'),
    *at("publish/catalog.py", "os.replace(beside, folder.warehouse)"),
]
TAKING_OVER = [
    *at("data_folder/files.py", "os.replace(part, target)", 2, within="link_or_copy"),
    Place("data_folder/files.py", "os.replace(part, target)", 4, within="link_or_copy"),
]
AGAIN = [
    Place("sync/organizations.py", "manifest.write_tree(", after=True),
    Place("landing/files.py", "os.replace(self._beside, self.path)", 1),
    Place("warehouse/load.py", "run_log.record_lists(connection, first.run_id", 2),
    Place("warehouse/database.py", 'connection.execute("COMMIT")', after=True, within="record_publication"),
]


def check_readers(folder: Path, *allowed: Contents | None) -> None:
    """Readers see one of the allowed states, whole; so does whoever puts an earlier snapshot back."""
    assert contents(folder / "dcycle_warehouse.duckdb") in allowed
    assert snapshots_are_whole(folder)


def kill(stage: Scene, folder: Path, place: Place | Touch, **settings: Any) -> None:
    """A run that must come to the place, and dies there."""
    death = stage.children.run(stage.life(folder, **settings), place=place)
    assert death.killed, f"never came {place}: exit {death.exit_code} {death.error} {death.said}"


def go_on(stage: Scene, folder: Path, **settings: Any) -> Death:
    """The next run: clean, complete, asks for exactly what had not landed, and leaves nothing lying about."""
    there = landed(folder)
    stage.asked()
    published_before = (
        len(moments(folder / "dcycle_warehouse.duckdb")) if (folder / "dcycle_warehouse.duckdb").is_symlink() else 0
    )
    death = stage.children.run(stage.life(folder, **settings))
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert "Traceback" not in death.said
    asked = stage.asked()
    assert asked.isdisjoint(there)
    published = folder / "dcycle_warehouse.duckdb"
    scopes = "SELECT organization_id, endpoint, facility_id FROM sync.lists WHERE endpoint IN ('facilities', 'waste_water_treatments') AND outcome = 'proven'"
    assert asked | there >= set(query(published, f"{scopes} AND run_id = '{death.run_id}'"))
    assert left_over(folder, stage.children.temporary) == []
    at_moments = moments(published)
    assert at_moments == sorted(set(at_moments))
    assert len(at_moments) == published_before + 1
    return death


def check_as_undisturbed(stage: Scene, folder: Path, death: Death) -> None:
    assert death.content_hash == stage.content_hash
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.quick(1)
@pytest.mark.parametrize("place", USUAL, ids=str)
def test_killed_on_the_way(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = stage.copy(tmp_path / "data")
    kill(stage, folder, place)
    check_readers(folder, stage.before, stage.after)
    check_as_undisturbed(stage, folder, go_on(stage, folder))


@pytest.mark.exhaustive
@pytest.mark.parametrize("nth", [9, 41, 77, 92])
def test_killed_when_about_to_touch_a_file(stage: Scene, tmp_path: Path, nth: int) -> None:
    folder = stage.copy(tmp_path / "data")
    kill(stage, folder, Touch(nth))
    check_readers(folder, stage.before, stage.after)
    check_as_undisturbed(stage, folder, go_on(stage, folder))


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", FORGETTING, ids=str)
def test_killed_while_forgetting(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = stage.copy(tmp_path / "data")
    kill(stage, folder, place, **KEEP_ONE)
    check_readers(folder, stage.after)
    check_as_undisturbed(stage, folder, go_on(stage, folder, **KEEP_ONE))
    assert len(list((folder / "snapshots").iterdir())) == len(list((folder / "landing").iterdir())) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", FROM_NOTHING, ids=str)
def test_killed_in_the_first_sync_of_all(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = tmp_path / "data"
    kill(stage, folder, place)
    check_readers(folder, None, stage.from_nothing)
    assert go_on(stage, folder).content_hash == stage.hash_from_nothing
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.from_nothing


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", COMPACTING, ids=str)
def test_killed_while_the_working_file_is_written_anew(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = stage.copy(tmp_path / "data")
    (folder / "working" / "compacted_bytes").write_text("1")
    kill(stage, folder, place)
    check_readers(folder, stage.before)
    check_as_undisturbed(stage, folder, go_on(stage, folder))


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", REBUILDING, ids=str)
def test_killed_while_the_working_file_is_made_again(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = stage.copy(tmp_path / "data")
    (folder / "working" / "warehouse.duckdb").unlink()
    kill(stage, folder, place)
    check_readers(folder, stage.before)
    check_as_undisturbed(stage, folder, go_on(stage, folder))


@pytest.mark.exhaustive
@pytest.mark.parametrize("second", [*TAKING_OVER, *AGAIN], ids=str)
def test_killed_twice_in_a_row(stage: Scene, tmp_path: Path, second: Place) -> None:
    folder = stage.copy(tmp_path / "data")
    kill(stage, folder, Place("landing/files.py", "os.replace(self._beside, self.path)", 5, after=True))
    kill(stage, folder, second)
    check_readers(folder, stage.before, stage.after)
    check_as_undisturbed(stage, folder, go_on(stage, folder))
