"""A data folder of layout 2 goes over by itself: same versions, same restatements, same content but for the new names."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.upgrade import upgrade_manifests
from dcycle_pipeline.readers.published_file import Published, open_published
from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import settings_for, small_world, sync
from tests.sync.layout_2.account import ROOT, account, behaviour, uid

__all__ = ["invoke"]

HERE = Path(__file__).parent / "layout_2"
EXPECTED: dict[str, Any] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
CONTENT = [table for table in EXPECTED["tables"] if not table.startswith("sync.")]
RENAMED = {"lists_proven_count": "scopes_proven_count", "lists_unproven_count": "scopes_open_count"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    with tarfile.open(HERE / "folder.tar.xz") as archive:
        archive.extractall(tmp_path, filter="tar")
    return tmp_path / "old_folder"


@pytest.fixture(scope="module")
def api() -> Iterator[Sandbox]:
    with Sandbox(account(), behaviour()) as sandbox:
        yield sandbox


def rows(file: Path, table: str, columns: list[str]) -> list[list[str | None]]:
    """The rows of a table as text, sorted as in `expected.json`."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file}' AS published (READ_ONLY); USE published; SET TimeZone = 'UTC'")
        selected = ", ".join(f"({column})::VARCHAR" for column in columns)
        return sorted(map(list, connection.execute(f"SELECT {selected} FROM {table}").fetchall()), key=str)


def expected(table: str) -> tuple[list[str], list[list[str | None]]]:
    said = EXPECTED["tables"][table]
    return said["columns"], sorted(said["rows"], key=str)


def check_content(folder: Path) -> None:
    file = folder / "dcycle_warehouse.duckdb"
    for table in CONTENT:
        columns, before = expected(table)
        assert rows(file, table, columns) == before, table
    hashes = rows(file, "sync.runs", ["content_hash", "content_changed"])
    assert hashes.count([EXPECTED["content_hash"], "false"]) >= 1, (
        "the content hash is that of the last publication before"
    )


def synced(invoke: Invoke, api: Sandbox, folder: Path) -> None:
    result = invoke("sync", **variables(api, folder, DCYCLE_ORGANIZATION_ID=ROOT))
    assert result.exit_code == 1, result.output
    assert "1 list unproven" in result.output


@pytest.mark.exhaustive
def test_the_next_sync_takes_it_over(invoke: Invoke, api: Sandbox, old: Path) -> None:
    synced(invoke, api, old)
    check_content(old)
    assert DataFolder(old).about() == {"layout_version": 4, "root_organization_id": ROOT, "was_renamed": True}


@pytest.mark.exhaustive
def test_what_its_runs_did_is_kept_under_the_new_names(invoke: Invoke, api: Sandbox, old: Path) -> None:
    synced(invoke, api, old)
    file = old / "dcycle_warehouse.duckdb"
    columns, runs = expected("sync.runs")
    renamed = [next((new for new, was in RENAMED.items() if was == column), column) for column in columns]
    assert all(run in rows(file, "sync.runs", renamed) for run in runs)
    columns, scopes = expected("sync.scopes")
    with Published(file) as published:
        lists = published.rows("SELECT * REPLACE (merged_at::VARCHAR AS merged_at) FROM sync.lists")
    found = {
        (
            row["run_id"],
            row["organization_id"],
            row["endpoint"],
            row["facility_id"] or (row["year"] and str(row["year"])),
        ): row
        for row in lists
    }
    for scope in (dict(zip(columns, row, strict=True)) for row in scopes):
        row = found[scope["run_id"], scope["organization_id"], scope["endpoint"], scope["facility_id"]]
        is_total = scope["endpoint"] == "total_impacts"
        assert row["outcome"] == ("answered" if is_total else scope["outcome"])
        assert row["merged_at"] == scope["settled_at"]
        assert row["reason"] == scope["reason"]
        assert (row["year"] is not None) == is_total
        if not is_total:
            assert str(row["counter"]) == str(scope["counter"])
    columns, quarantined = expected("sync.quarantine")
    assert all(item in rows(file, "sync.quarantine", columns) for item in quarantined)


@pytest.mark.exhaustive
def test_a_replay_takes_it_over(invoke: Invoke, api: Sandbox, old: Path) -> None:
    assert invoke("replay", **variables(api, old, DCYCLE_ORGANIZATION_ID=ROOT)).exit_code == 1
    check_content(old)


@pytest.mark.exhaustive
@pytest.mark.parametrize("lost", ["working/warehouse.duckdb", "working", "snapshots"])
def test_it_is_rebuilt_from_what_is_left(invoke: Invoke, api: Sandbox, old: Path, lost: str) -> None:
    path = old / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    synced(invoke, api, old)
    check_content(old)


def test_until_then_readers_are_told_what_to_do_and_a_notebook_reads_on(
    invoke: Invoke, api: Sandbox, old: Path
) -> None:
    result = invoke("status", **variables(api, old, DCYCLE_ORGANIZATION_ID=ROOT))
    assert result.exit_code == 3
    assert "an older dcycle_pipeline published it" in result.output
    assert "dcycle-pipeline sync" in result.output
    with open_published(old) as published:
        assert published.rows("SELECT count(*) AS n FROM dcycle.facilities")[0]["n"] == 7


@pytest.mark.exhaustive
def test_a_rollback_to_an_older_snapshot_is_still_possible(invoke: Invoke, api: Sandbox, old: Path) -> None:
    before = (old / "dcycle.duckdb").resolve()
    synced(invoke, api, old)
    environment = variables(api, old, DCYCLE_ORGANIZATION_ID=ROOT)
    assert invoke("rollback", **environment).exit_code == 0
    assert (old / "dcycle_warehouse.duckdb").resolve().parent.name == before.stem
    synced(invoke, api, old)
    check_content(old)


@pytest.mark.exhaustive
def test_a_figure_is_explained_from_a_page_that_the_old_version_landed(invoke: Invoke, api: Sandbox, old: Path) -> None:
    synced(invoke, api, old)
    result = invoke("explain", uid("Alta"), "2024-05", **variables(api, old, DCYCLE_ORGANIZATION_ID=ROOT))
    assert result.exit_code == 0
    assert "the shares above add up to it" in result.output
    assert "Alta 2024-05" in result.output


def test_manifests_that_were_brought_over_in_part_are_brought_over_whole(old: Path) -> None:
    root = old / "landing"
    assert not list(manifest.sweeps(root))
    paths = sorted([*manifest.tree_paths(root), *manifest.sweep_paths(root)])
    untouched = {path: path.read_bytes() for path in paths}
    upgrade_manifests(root)
    whole = {path: path.read_bytes() for path in paths}
    assert all(untouched[path] != whole[path] for path in paths)
    for path in paths[::2]:
        path.write_bytes(untouched[path])
    upgrade_manifests(root)
    assert {path: path.read_bytes() for path in paths} == whole
    assert len(list(manifest.trees(root))) + len(list(manifest.sweeps(root))) == len(paths)


@pytest.mark.exhaustive
def test_trees_beside_own_figures_move_to_their_tables_and_the_content_keeps_its_hash(tmp_path: Path) -> None:
    """As layout 3 first had them: columns of the tree beside an organisation's own, and no schema bi."""
    with Sandbox(small_world()) as sandbox:
        first = sync(settings_for(sandbox, tmp_path))
        with duckdb.connect(str(DataFolder(tmp_path).warehouse)) as connection:
            connection.execute("DROP SCHEMA bi CASCADE; DROP TABLE summaries.organization_names")
            for period in ("month", "year"):
                own = f"summaries.emissions_by_organization_{period}"
                connection.execute(f"ALTER TABLE {own} ADD COLUMN with_subsidiaries_co2e_kg DECIMAL(38,9) DEFAULT 7")
                connection.execute(f"DROP TABLE summaries.tree_emissions_by_{period}")
            connection.execute("CREATE OR REPLACE MACRO sync.layout_digest() AS 'older'")
        again = sync(first.settings)
    hashes = again.query("SELECT DISTINCT content_hash FROM sync.runs")
    assert len(hashes) == 1
    assert again.query("SELECT column_name FROM duckdb_columns() WHERE column_name LIKE 'with_subsidiaries%'") == []
    for table in ("summaries.emissions_by_organization_year", "summaries.tree_emissions_by_year", "bi.emissions"):
        assert again.query(f"FROM {table} ORDER BY ALL") == first.query(f"FROM {table} ORDER BY ALL") != []
