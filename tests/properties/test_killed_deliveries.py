"""SIGKILL while a publication is on its way to a destination: readers find a whole one, and the next run puts all right."""

import errno
from pathlib import Path
from typing import Any

import pytest

from tests.properties.aftermath import Scene, contents, query, snapshots_are_whole
from tests.properties.disks import SYMLINK
from tests.properties.places import Place
from tests.publish.parquet_readers import check_whole, latest, publications

WRITING = [
    Place("publish/parquet_folder.py", "os.rename(part, target)"),
    Place("publish/parquet_folder.py", "os.rename(part, target)", after=True),
    Place("publish/destinations.py", "note(folder, delivery.published_at, sendings.values())", after=True),
    Place("data_folder/files.py", "os.replace(part, path)", within="claim"),
    Place("publish/parquet.py", "rows = connection.execute(", 5),
    Place("publish/parquet.py", "os.fsync(written.fileno())", 9),
    Place("data_folder/files.py", "os.replace(part, path)", within="_write_set"),
]
SWITCHING = [
    Place("publish/parquet_folder.py", "os.replace(link, latest)"),
    Place("publish/parquet_folder.py", "os.replace(link, latest)", after=True),
    Place("data_folder/files.py", "os.replace(part, path)", within="switch"),
    Place("data_folder/files.py", "os.replace(part, path)", within="switch", after=True),
    Place("sync/publication.py", "deliveries.record(connection, sendings)"),
]
FORGETTING = [
    Place("publish/parquet_folder.py", "delete(path / MANIFEST)"),
    Place("publish/parquet_folder.py", "delete(path / MANIFEST)", after=True),
    Place("publish/parquet_folder.py", "Path(within).rmdir()", within="forget_old"),
]
# How many publications there are already when the run comes that dies.
CASES = [*((0, each) for each in WRITING), *((1, each) for each in SWITCHING), *((2, each) for each in FORGETTING)]


def wanted(root: Path) -> dict[str, Any]:
    return {"destinations": "parquet", "parquet_dir": root, "keep_snapshots": 1}


def found(root: Path) -> set[str]:
    """The runs that a reader finds now, by the link and by the manifest; each a whole set."""
    return set(latest(root)) if (root / "latest.json").exists() else set()


def check_healed(stage: Scene, folder: Path, root: Path) -> None:
    """The next run delivers, and leaves nothing half-written."""
    death = stage.children.run(stage.life(folder, **wanted(root)))
    assert (death.signal, death.exit_code, death.error) == (0, 0, ""), death.said
    assert found(root) == {death.run_id}
    assert len(publications(root)) <= 2
    for name in publications(root):
        check_whole(root / "publications" / name)
    there = {"publications", "latest", "latest.json", "dcycle_parquet.json"}
    assert {path.name for path in root.iterdir()} == there
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.exhaustive
@pytest.mark.parametrize(("count", "place"), CASES, ids=str)
def test_killed_on_the_way_to_the_parquet_folder(stage: Scene, tmp_path: Path, count: int, place: Place) -> None:
    folder, root = stage.copy(tmp_path / "data"), tmp_path / "parquet"
    earlier = [stage.children.run(stage.life(folder, **wanted(root))).run_id for _ in range(count)]
    death = stage.children.run(stage.life(folder, **wanted(root)), place=place)
    assert death.killed, f"never came {place}: exit {death.exit_code} {death.error} {death.said}"
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after
    assert snapshots_are_whole(folder)
    newest = query(folder / "dcycle_warehouse.duckdb", "SELECT arg_max(run_id, published_at) FROM sync.runs")[0][0]
    assert found(root) <= {*earlier[-1:], newest}
    assert found(root) or not earlier
    check_healed(stage, folder, root)


@pytest.mark.exhaustive
def test_a_disk_that_is_full_keeps_the_publication_before(stage: Scene, tmp_path: Path) -> None:
    folder, root = stage.copy(tmp_path / "data"), tmp_path / "parquet"
    before = stage.children.run(stage.life(folder, **wanted(root))).run_id
    refused = (("os.rename", errno.ENOSPC),)  # only a folder of Parquet files gets its name so
    full = stage.children.run(stage.life(folder, **wanted(root)), refused=refused)
    assert (full.exit_code, full.error) == (0, "")
    assert found(root) == {before}
    check_healed(stage, folder, root)
    rows = query(
        folder / "dcycle_warehouse.duckdb",
        f"SELECT outcome, reason FROM sync.destinations WHERE run_id = '{full.run_id}'",
    )
    assert [row[0] for row in rows] == ["failed"]
    assert "No space left" in rows[0][1]


@pytest.mark.exhaustive
def test_on_a_disk_without_links_the_manifest_leads_there(stage: Scene, tmp_path: Path) -> None:
    folder, root = stage.copy(tmp_path / "data"), tmp_path / "parquet"
    for _ in range(2):
        death = stage.children.run(stage.life(folder, **wanted(root)), refused=((SYMLINK, errno.EPERM),))
        assert (death.exit_code, death.error) == (0, "")
        assert not (root / "latest").exists()
        named = (root / "latest.json").read_text(encoding="utf-8")
        assert f'"run_id": "{death.run_id}"' in named
        assert check_whole(root / "publications" / publications(root)[-1]) == death.run_id
