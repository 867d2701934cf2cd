"""Landed pages give the same tables again, without the API; what a fix accepts comes in; what is lost is named."""

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from uuid import uuid4

import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import waste_water_treatments
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.replay import replay
from dcycle_pipeline.sync.run import Run
from tests.conftest import CHILD, ROOT, Synced, assert_equal, settings_for, small_world, sync

VERSIONS = "SELECT * EXCLUDE (valid_from, valid_to, first_seen_at, run_id, page) FROM history.waste_water_treatments ORDER BY ALL"


def replayed(settings: Settings) -> Synced:
    run = Run(str(uuid4()), settings)
    publication = replay(run)
    return Synced(publication.snapshot, run.run_id, settings, publication)


def changed(sandbox: Sandbox) -> None:
    """An edit, a recalculation, a deletion and an insertion."""
    ids = [item["id"] for item in sandbox.world.facility_records("f-large")]
    sandbox.world.edit_record(ids[0], quantity="1.000000001", linked_projects=["p-9"])
    sandbox.world.recalculate_record(ids[1], None)
    sandbox.world.delete_record(ids[2])
    sandbox.world.add_record("f-north")


@pytest.mark.exhaustive
def test_a_replay_changes_nothing_and_asks_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path)
    sync(settings)
    changed(sandbox)
    before = sync(settings)
    asked = len(sandbox.requests)
    after = replayed(settings)
    assert len(sandbox.requests) == asked
    assert after.publication.content_hash == before.publication.content_hash
    assert (after.publication.content_changed, after.outcome) == (False, "published")
    assert after.query(VERSIONS) == before.query(VERSIONS)
    assert replayed(settings).publication.content_hash == before.publication.content_hash


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "lost",
    [("working",), ("snapshots", "dcycle_warehouse.duckdb"), ("working", "snapshots", "dcycle_warehouse.duckdb")],
)
def test_what_is_lost_comes_back_from_landed_pages_alone(
    sandbox: Sandbox, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    changed(sandbox)
    before = sync(settings)
    moments = before.query("SELECT published_at FROM sync.runs ORDER BY 1")
    versions = before.query(VERSIONS)
    for name in lost:
        path = settings.data_dir / name
        path.unlink() if path.is_symlink() else shutil.rmtree(path)
    after = replayed(settings)
    assert_equal(after, sandbox.world)
    assert after.publication.content_hash == before.publication.content_hash
    assert after.query(VERSIONS) == versions
    assert after.query("SELECT published_at FROM sync.runs ORDER BY 1")[:2] == moments


@pytest.mark.exhaustive
def test_after_a_fix_quarantined_items_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world()
    odd = world.add_record("f-north", unit={"id": "u", "name": "m3", "type": "volume"})
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        before = sync(settings)
    assert [item for item, _ in before.quarantined()] == [odd]
    monkeypatch.setattr(waste_water_treatments, "UNIT", ANY)
    after = replayed(settings)
    assert (after.outcome, after.quarantined()) == ("published", [])
    assert set(after.records()) - set(before.records()) == {odd}
    change = "SELECT change, valid_from > (SELECT min(published_at) FROM sync.runs) FROM history.waste_water_treatments WHERE waste_water_treatment_id = ?"
    assert after.query(change, odd) == [("new", True)], "what was reported before stays as it was reported"


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.exhaustive
@pytest.mark.parametrize("harm", [damage, Path.unlink])
def test_a_lost_page_leaves_its_list_open_and_its_rows_as_they_were(
    sandbox: Sandbox, tmp_path: Path, harm: Any
) -> None:
    settings = settings_for(sandbox, tmp_path)
    before = sync(settings)
    for path in DataFolder(settings.data_dir).landing.rglob("f-large.ndjson.zst"):
        harm(path)
    after = replayed(settings)
    assert after.unproven_lists().keys() == {(ROOT, "waste_water_treatments", "f-large")}
    assert (after.outcome, after.records()) == ("published_with_gaps", before.records())
    assert_equal(sync(settings), sandbox.world)


def test_nothing_landed_is_nothing_to_replay(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nothing to replay"):
        replayed(settings_for(sandbox, tmp_path))


@pytest.mark.usefixtures("few_summaries")
def test_a_row_that_moved_away_is_in_no_doubt_again(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path)
    sync(settings)
    sandbox.world.move_facility("f-old", CHILD)
    moved = sync(settings)
    assert (moved.outcome, moved.doubtful()) == ("published", {})
    again = replayed(settings)
    assert (again.outcome, again.doubtful()) == ("published", {})
    assert again.publication.content_hash == moved.publication.content_hash
