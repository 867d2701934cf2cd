"""What killed runs and damaged files leave goes away by itself, and `doctor` says what the disk is used for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, invoke, variables
from tests.properties.aftermath import Scene, left_over
from tests.properties.places import Place

__all__ = ["invoke"]

FIRST_FOLDER = Place("landing/files.py", 'self._file = self._beside.open("xb")', 1)
FIRST_PART = Place("landing/files.py", 'self._file = self._beside.open("xb")', 1, after=True)
REPORTED = Place("data_folder/files.py", "os.replace(part, path)", within="write_report")


def folders(data: Path) -> set[Path]:
    return {path for path in (data / "landing").rglob("*") if path.is_dir() and not any(path.iterdir())}


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", [FIRST_PART, FIRST_FOLDER])
def test_the_next_run_deletes_what_a_killed_one_left(
    stage: Scene, invoke: Invoke, tmp_path: Path, place: Place
) -> None:
    data = stage.copy(tmp_path / "data")
    assert stage.children.run(stage.life(data), place=place).killed
    assert folders(data) or list(data.rglob("*.part"))
    left = [
        "landing/11111111-2222-4333-8444-555555555555/x/waste_water_treatments/f.ndjson.zst.part",
        "landing/11111111-2222-4333-8444-666666666666/x/.facilities.sweep.json.4711.part",
        ".report.html.4711.part",
        ".report.html.0a1b2c3d.part",
        "working/.about.json.0a1b2c3d.part",
        "working/.writableabc",
        "working/.replacing.duckdb.part.wal",
        "snapshots/.20260101T000000.000000Z-aaaaaaaa.duckdb.part",
        "snapshots/20260101T000000.000000Z-aaaaaaaa/.dcycle_warehouse.duckdb.part",
        "snapshots/20260101T000000.000000Z-bbbbbbbb/dcycle_warehouse.duckdb.wal",
        "working/spill/duckdb_temp_block-1.block",
    ]
    for name in left:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    (data / "landing/11111111-2222-4333-8444-777777777777/x").mkdir(parents=True)
    (data / ".dcycle.duckdb.4711.link").symlink_to("snapshots/20260101T000000.000000Z-aaaaaaaa.duckdb")
    target = "snapshots/20260101T000000.000000Z-aaaaaaaa/dcycle_warehouse.duckdb"
    (data / ".dcycle_warehouse.duckdb.0a1b2c3d.link").symlink_to(target)
    result = invoke("sync", **variables(stage.sandbox, data))
    assert result.exit_code == 0, result.output
    assert left_over(data, stage.children.temporary) == []
    assert folders(data) == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("days", "stay"),
    [
        pytest.param([0], [0], marks=pytest.mark.exhaustive),
        pytest.param([0, 1, 29, 3], [0, 1], marks=pytest.mark.exhaustive),
        ([1, 31, 400], [1]),
    ],
)
def test_damaged_working_files_are_kept_for_a_while(
    stage: Scene, invoke: Invoke, tmp_path: Path, days: list[int], stay: list[int]
) -> None:
    data = stage.copy(tmp_path / "data")

    def named(ago: int) -> set[str]:
        stamp = f"{datetime.now(UTC) - timedelta(days=ago):%Y%m%dT}120000"
        return {f"warehouse.duckdb.damaged-{stamp}", f"warehouse.duckdb.wal.damaged-{stamp}"}

    for name in set().union(*map(named, days)):
        (data / "working" / name).write_bytes(bytes(4 << 20))
    told = invoke("doctor", **variables(stage.sandbox, data))
    assert f"damaged working files {8 * len(days)}.0 MiB" in told.output
    assert invoke("sync", **variables(stage.sandbox, data)).exit_code == 0
    assert {path.name for path in (data / "working").glob("*.damaged-*")} == set().union(*map(named, stay))


@pytest.mark.exhaustive
def test_doctor_says_what_the_disk_is_used_for(stage: Scene, invoke: Invoke, tmp_path: Path) -> None:
    data = stage.copy(tmp_path / "data")
    for name in ("landing/big.bin", "landing/big too.bin"):
        (data / name).write_bytes(bytes(30 << 20))
    (data / "landing" / "linked").hardlink_to(data / "landing" / "big.bin")  # counts once
    used = next(
        line for line in invoke("doctor", **variables(stage.sandbox, data)).output.splitlines() if "used " in line
    )
    assert all(part in used for part in ("landing 6", "working file", "snapshots")), used
