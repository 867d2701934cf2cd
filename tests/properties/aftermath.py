"""What a data folder must be like after runs that ended any way: what readers see, what is left over, what was asked for."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dcycle_pipeline.sandbox import Sandbox, World
from tests.conftest import CHILD, ROOT, settings_for, small_world, sync
from tests.properties.nursery import Life, Nursery, nursery

Contents = dict[str, list[tuple[Any, ...]]]
OURS = {
    "oldest_proof_at",
    "newest_proof_at",
    "oldest_pending_since",
    "pending_since",
    "first_seen_at",
    "last_seen_at",
    "last_changed_at",
    "valid_from",
    "run_id",
    "page",
    "published_at",
}
LISTS = {"/v1/facilities": "facilities", "/v1/waste-water-treatments": "waste_water_treatments"}


def query(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file.resolve()), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def contents(file: Path) -> Contents | None:
    """All that a published file says of the world and its past, without our moments and runs; None where there is none."""
    if not file.exists():
        return None
    with duckdb.connect(str(file.resolve()), read_only=True) as connection:
        columns = connection.execute(
            """SELECT schema_name || '.' || table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
            WHERE NOT internal AND schema_name IN ('dcycle', 'history', 'summaries') AND NOT table_name LIKE '%as_published'
            GROUP BY ALL ORDER BY 1"""
        ).fetchall()
        found = {}
        for table, names in columns:
            shown = [f"{name} IS NULL" if name == "valid_to" else name for name in names if name not in OURS]
            found[table] = connection.execute(f"SELECT {', '.join(shown)} FROM {table} ORDER BY ALL").fetchall()
        return found


@dataclass(frozen=True)
class Scene:
    """A world, a folder that two syncs filled before the world went on, and what an undisturbed sync makes of it."""

    sandbox: Sandbox
    children: Nursery
    base: Path
    before: Contents
    after: Contents
    content_hash: str
    from_nothing: Contents
    hash_from_nothing: str

    def life(self, folder: Path, refused: tuple[tuple[str, int], ...] = (), **settings: Any) -> Life:
        usual: dict[str, Any] = {
            "api_key": self.sandbox.api_key,
            "organization_id": self.sandbox.world.root_id,
            "base_url": self.sandbox.base_url,
            "data_dir": folder,
            "retry_first_wait_seconds": 0.001,
            "retry_attempts": 4,
        }
        return Life(usual | settings, refused=refused)

    def copy(self, folder: Path) -> Path:
        shutil.copytree(self.base, folder, symlinks=True, dirs_exist_ok=True)  # a sensor may have made some again
        return folder

    def asked(self) -> set[tuple[str, str, str | None]]:
        """The lists and year totals that were asked for since this was asked last."""
        seen = {
            (str(request.organization_id), LISTS[request.path], dict(request.query).get("facility_id"))
            for request in self.sandbox.requests
            if request.path in LISTS
        }
        seen |= {
            (str(request.organization_id), "total_impacts", dict(request.query)["start_date"][:4])
            for request in self.sandbox.requests
            if request.path == "/v1/total-impacts"
        }
        self.sandbox.clear_requests()
        return seen


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """A scene below `folder`, with its sandbox and nursery, until the block ends."""
    with Sandbox(small_world()) as sandbox, nursery(folder / "tmp") as children:
        settings = settings_for(sandbox, folder / "base")
        sync(settings)
        sandbox.world.add_records("f-old", 2, co2e=None)
        before = sync(settings)
        _go_on(sandbox.world)
        undisturbed = shutil.copytree(folder / "base", folder / "undisturbed", symlinks=True)
        after = sync(settings_for(sandbox, undisturbed))
        anew = sync(settings_for(sandbox, folder / "anew"))
        seen = [contents(DATA / "dcycle_warehouse.duckdb") for DATA in (folder / "base", undisturbed, folder / "anew")]
        assert all(seen)
        assert (
            len({before.publication.content_hash, after.publication.content_hash, anew.publication.content_hash}) == 3
        )
        sandbox.clear_requests()
        yield Scene(
            sandbox,
            children,
            folder / "base",
            seen[0] or {},
            seen[1] or {},
            after.publication.content_hash,
            seen[2] or {},
            anew.publication.content_hash,
        )


def _go_on(world: World) -> None:
    """A change of every kind."""
    large, old = ([item["id"] for item in world.facility_records(name)] for name in ("f-large", "f-old"))
    world.edit_record(large[0], quantity="1.000000001")
    world.recalculate_record(large[1], "77.5")
    world.recalculate_record(old[-1], "3.25")
    world.delete_record(large[2])
    world.delete_record(large[120])
    world.add_records("f-large", 3)
    world.add_record(world.add_facility(CHILD, id="f-new"))
    world.edit_facility("f-old", status="active", categories=["heat"])
    world.delete_facility("f-empty")
    world.add_record(world.add_facility(ROOT, id="f-later"))


def left_over(folder: Path, temporary: Path) -> list[str]:
    """Files below a data folder and a folder for temporary files that no run that ended well leaves."""
    kept = (
        "about.json",
        "pseudonym.key",
        "lock",
        "lock.holder",
        "compacted_bytes",
        "snapshots.json",
        "destinations.json",
        "drawings.json",
        "endings.json",
        "endings.lock",
        "warehouse.duckdb",
        "dcycle_warehouse.duckdb",
        "report.html",
    )
    odd = []
    for path in folder.rglob("*"):
        name, place = path.name, path.relative_to(folder).parts[0]
        ours = {
            "landing": path.is_dir() or (name.endswith((".ndjson.zst", ".json")) and not name.startswith(".")),
            "snapshots": name == "dcycle_warehouse.duckdb" or (path.is_dir() and any(path.iterdir())),
            "working": name in kept or name == "spill",
        }
        if place != name and not ours.get(place, False):
            odd.append(str(path.relative_to(folder)))
        elif place == name and name not in (*ours, *kept):
            odd.append(name)
    return odd + [str(path) for path in temporary.rglob("*")]


def landed(folder: Path) -> set[tuple[str, str, str | None]]:
    """The lists that runs which never ended, nor were shown to readers, have landed wholly."""
    found: set[tuple[str, str, str | None]] = set()
    shown = (folder / "dcycle_warehouse.duckdb").resolve().parent.name[-8:]
    for run in (folder / "landing").glob("[!.]*"):
        if not (run / "ended.json").exists() and not run.name.startswith(shown):
            for path in run.rglob("*.ndjson.zst"):
                organization, *rest = path.relative_to(run).parts
                name = rest[-1].removesuffix(".ndjson.zst")
                found.add((organization, rest[0] if len(rest) == 2 else name, name if len(rest) == 2 else None))
    return found


def snapshots_are_whole(folder: Path) -> bool:
    """Whether every snapshot that could be put back can be read, and says that it was published."""
    files = list((folder / "snapshots").glob("*/dcycle_warehouse.duckdb"))
    return all(query(file, "SELECT count(*) > 0 FROM sync.runs WHERE published_at IS NOT NULL")[0][0] for file in files)


def moments(file: Path) -> list[Any]:
    """When publications were, in the order in which their runs began."""
    sql = "SELECT published_at FROM sync.runs WHERE published_at IS NOT NULL ORDER BY started_at"
    return [row[0] for row in query(file, sql)]


def said_as_json(text: str) -> dict[str, Any]:
    """The one JSON object that a command printed."""
    result: dict[str, Any] = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    return result
