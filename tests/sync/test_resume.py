"""What a run that died had landed is not asked for again, unless there is any reason to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import Landing, Trailer
from dcycle_pipeline.landing.landed_file import page_lines as lines
from dcycle_pipeline.landing.lists import ListKey
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import load
from dcycle_pipeline.sync.run import Run
from tests.conftest import assert_equal, settings_for, steps, sync
from tests.properties.aftermath import Scene, contents, landed
from tests.properties.nursery import Life
from tests.properties.places import Place

HALF_LANDED = Place("landing/files.py", "os.replace(self._beside, self.path)", 5, after=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRAILER = Trailer(Proof(True, "", 1, 1, 1, 1, 1), NOW, NOW)
KEY = ListKey("o", "facilities", "s")


@pytest.fixture
def died(stage: Scene, tmp_path: Path) -> Path:
    """A folder in which a run has just died with five lists landed."""
    folder = stage.copy(tmp_path / "data")
    assert stage.children.run(stage.life(folder), place=HALF_LANDED).killed
    assert len(landed(folder)) == 5
    stage.asked()
    return folder


def sync_at(life: Life, moment: datetime, **settings: Any) -> None:
    steps(Run(f"later-{moment:%H%M%S%f}", load(**life.settings | settings), now=lambda: moment))


@pytest.mark.quick(1)
@pytest.mark.parametrize(("hours", "taken_over"), [(0.01, 5), (5.9, 5), (6.1, 0), (-0.5, 0), (-9000, 0)])
def test_only_a_short_time_later(stage: Scene, died: Path, hours: float, taken_over: int) -> None:
    there = landed(died)
    sync_at(stage.life(died), datetime.now(UTC) + timedelta(hours=hours))
    assert len(there - stage.asked()) == taken_over
    assert contents(died / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.exhaustive
@pytest.mark.parametrize("setting", [{"personal_data": "keep"}, {"resume_hours": 0}])
def test_not_under_other_settings(stage: Scene, died: Path, setting: dict[str, Any]) -> None:
    there = landed(died)
    sync_at(stage.life(died), datetime.now(UTC), **setting)
    assert there <= stage.asked()


@pytest.mark.exhaustive
def test_not_from_another_address(stage: Scene, died: Path) -> None:
    with Sandbox(stage.sandbox.world) as other:
        sync_at(stage.life(died, base_url=other.base_url), datetime.now(UTC))
        assert landed(died) <= replace(stage, sandbox=other).asked()
    assert contents(died / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.exhaustive
def test_not_from_another_list(stage: Scene, died: Path) -> None:
    sync_at(stage.life(died), datetime.now(UTC), facilities_api="legacy", user_id="u")
    asked = {request.path for request in stage.sandbox.requests}
    assert any("facilities" in path for path in asked), asked


def damage_all(folder: Path) -> None:
    for path in folder.rglob("*.ndjson.zst"):
        path.write_bytes(path.read_bytes()[:-9])


def end(folder: Path) -> None:
    manifest.end_run(folder.parent, folder.name)


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [damage_all, end])
def test_not_what_is_damaged_or_was_ended(stage: Scene, died: Path, how: Callable[[Path], None]) -> None:
    there = landed(died)
    for run in (died / "landing").iterdir():
        if not (run / "ended.json").exists():
            how(run)
    sync_at(stage.life(died), datetime.now(UTC))
    assert there <= stage.asked()
    assert contents(died / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.exhaustive
def test_not_once_a_later_run_has_settled_the_list(stage: Scene, sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    life = replace(
        stage.life(tmp_path / "data"), settings={**stage.life(tmp_path).settings, "base_url": sandbox.base_url}
    )
    life.settings["data_dir"] = tmp_path / "data"
    assert stage.children.run(life, place=HALF_LANDED).killed
    sync(settings)
    for facility in ("f-large", "f-old", "f-north"):
        sandbox.world.add_records(facility, 1)
    sandbox.world.add_facility(sandbox.world.root_id)
    assert_equal(sync(settings), sandbox.world)


@pytest.mark.exhaustive
def test_not_what_is_half_forgotten(stage: Scene, sandbox: Sandbox, tmp_path: Path) -> None:
    life = stage.life(tmp_path / "data", base_url=sandbox.base_url, keep_runs=1)
    settings = settings_for(sandbox, tmp_path / "data", keep_runs=1)
    sync(settings)
    dies = Place("data_folder/files.py", "path.unlink()", 3, within="forget_runs")
    assert stage.children.run(life, place=dies).killed
    sandbox.world.add_records("f-large", 1)
    sandbox.world.add_records("f-old", 1)
    assert_equal(sync(settings), sandbox.world)


def land(root: Path, run: str, key: ListKey = KEY) -> Path:
    with Landing(root, run, "source").write(key) as file:
        file.keep(Page(1, ("a",), {"total": 1}, b'[{"id":"a","text":"\\n \xc3\xb1"}]'))
        file.finish(TRAILER)
        return file.path


def taken_over(root: Path) -> Trailer | None:
    return Landing(root, "mine", "source").take_over(KEY, NOW, NOW)


def test_no_damaged_file_is_taken_over(tmp_path: Path) -> None:
    path = land(tmp_path, "died")
    whole, pages = path.read_bytes(), list(lines(path))
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [
        whole[: place // 8] + bytes([whole[place // 8] ^ 1 << place % 8]) + whole[place // 8 + 1 :]
        for place in range(len(whole) * 8)
    ]
    damaged += [b"", b"\0" * len(whole), whole[::-1], whole + whole, whole + b"noise"]
    for content in damaged:
        path.write_bytes(content)
        if taken_over(tmp_path) is not None:
            assert list(lines(Landing(tmp_path, "mine").path(KEY))) == pages
            Landing(tmp_path, "mine").path(KEY).unlink()


def test_no_page_of_several_lines_is_taken_over(tmp_path: Path) -> None:
    """A server once printed its JSON over several lines, and a run that landed them so died of it."""
    with Landing(tmp_path, "died", "source").write(KEY) as file:
        file.keep(Page(1, ("a",), {"total": 1}, b'[\n  {"id": "a"}\n]'))
        file.finish(TRAILER)
    assert taken_over(tmp_path) is None


@pytest.mark.parametrize(
    "key", [("o", "facilities", None), ("p", "facilities", "s"), ("o", "other", "s"), ("o", "facilities", "t")]
)
def test_no_file_of_another_list_is_taken_over(tmp_path: Path, key: tuple[str, str, str | None]) -> None:
    strange = land(tmp_path, "elsewhere", ListKey(*key)).read_bytes()
    path = land(tmp_path, "died")
    assert taken_over(tmp_path) == TRAILER
    Landing(tmp_path, "mine").path(KEY).unlink()
    path.write_bytes(strange)
    assert taken_over(tmp_path) is None
