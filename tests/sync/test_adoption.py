"""A root that gets a new holding above it: the folder follows, history goes on, and nobody else gets it."""

import json
from pathlib import Path

import pytest

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.replay import replay
from dcycle_pipeline.sync.run import Run
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, ROOT, Synced, assert_equal, settings_for, small_world, sync
from tests.sync.test_trees import Odd, node

__all__ = ["invoke"]
pytestmark = pytest.mark.usefixtures("few_summaries")
HOLDING = "44444444-4444-4444-8444-444444444444"
RUNS = "SELECT root_organization_id, former_root_organization_id FROM sync.runs ORDER BY started_at"
CHANGES = "SELECT change, count(*) FROM history.waste_water_treatments GROUP BY ALL ORDER BY ALL"


def above(world: World) -> Odd:
    """The same world below a new holding. The old root can still be asked for by its id."""
    bought = Odd(HOLDING, "New Holding")
    for id_, (name, parent) in world._organizations.items():
        bought.add_organization(id_, name, parent or HOLDING)
    bought._sites, bought._records, bought._personal = world._sites, world._records, world._personal
    return bought


def after(synced: Synced, sandbox: Sandbox, **overrides: str) -> Settings:
    return settings_for(sandbox, synced.settings.data_dir, **overrides)


@pytest.fixture
def synced(sandbox: Sandbox, tmp_path: Path) -> Synced:
    return sync(settings_for(sandbox, tmp_path / "data"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("asked", [ROOT, CHILD, HOLDING])
def test_the_folder_follows_its_root_and_history_goes_on(synced: Synced, world: World, asked: str) -> None:
    bought = above(world)
    bought.add_record(bought.add_facility(HOLDING, id="f-new"), id="w-new", start_date="2025-01-01", co2e="5")
    known = dict(synced.query(CHANGES))
    with Sandbox(bought) as sandbox:
        again = sync(after(synced, sandbox, organization_id=asked))
        assert_equal(again, bought)
        assert (again.outcome, again.query(RUNS)) == ("published", [(ROOT, None), (HOLDING, ROOT)])
        assert dict(again.query(CHANGES)) == {"new": known["new"] + 1}, "no row begins again"
        depths = dict(again.query("SELECT organization_id, depth FROM dcycle.organizations"))
        assert depths == {HOLDING: 0, ROOT: 1, CHILD: 2}
        quiet = sync(again.settings)
        assert (quiet.outcome, quiet.query(RUNS)[-1]) == ("published", (HOLDING, None))
        (again.settings.data_dir / "working" / "warehouse.duckdb").unlink()
        rebuilt = sync(again.settings)
        assert dict(rebuilt.query(CHANGES)) == dict(again.query(CHANGES))
        run = Run("replayed", again.settings)
        with run:
            replay(run)


@pytest.mark.exhaustive
def test_it_is_said(sandbox: Sandbox, world: World, invoke: Invoke, tmp_path: Path) -> None:
    invoke("sync", **variables(sandbox, tmp_path / "data"))
    with Sandbox(above(world)) as bought:
        doctor = invoke("doctor", **variables(bought, tmp_path / "data"))
        assert "the next sync takes the folder over" in doctor.stdout
        result = invoke("sync", **variables(bought, tmp_path / "data", DCYCLE_ORGANIZATION_ID=ROOT))
        assert result.exit_code == 0, result.output
        (line,) = (line for line in result.stdout.splitlines() if line.startswith("Root:"))
        assert HOLDING in line
        assert ROOT in line
        told = json.loads(invoke("status", "--json", **variables(bought, tmp_path / "data")).stdout)
    assert (told["root_organization_id"], told["former_root_organization_id"]) == (HOLDING, ROOT)


@pytest.mark.exhaustive
def test_a_rebuild_from_landed_pages_keeps_the_root_of_each_run(synced: Synced, world: World) -> None:
    with Sandbox(above(world)) as sandbox:
        again = sync(after(synced, sandbox))
        for snapshot in (again.settings.data_dir / "snapshots").glob("*/*"):
            snapshot.unlink()
        (again.settings.data_dir / "working" / "warehouse.duckdb").unlink()
        rebuilt = sync(again.settings)
    assert rebuilt.query(RUNS) == [(ROOT, None), (HOLDING, ROOT), (HOLDING, None)]


def partial() -> World:
    """What somebody sees who may see a subsidiary only."""
    return World(CHILD, "Water North")


def other_account() -> World:
    world = World(HOLDING, "Another holding")
    world.add_organization("x-1", "Its subsidiary", HOLDING)
    return world


def named_in_passing() -> World:
    """Another account, of which a node that cannot be used bears the root's name or id."""
    world = Odd(HOLDING, "Another holding")
    world.shown = lambda root: root | {"children": [node(f" {ROOT}"), {"name": ROOT}, ROOT]}
    return world


@pytest.mark.quick(1)
@pytest.mark.parametrize("shown", [partial, other_account, named_in_passing])
def test_nobody_else_gets_the_folder(synced: Synced, shown: type[World]) -> None:
    about = (synced.settings.data_dir / "working" / "about.json").read_bytes()
    with Sandbox(shown()) as sandbox, pytest.raises(SettingsError, match=f"{ROOT}.*choose another folder"):
        sync(after(synced, sandbox))
    assert (synced.settings.data_dir / "working" / "about.json").read_bytes() == about


def test_a_part_of_the_new_tree_does_not_take_the_folder_back(synced: Synced, world: World) -> None:
    with Sandbox(above(world)) as sandbox:
        again = sync(after(synced, sandbox))
    with Sandbox(small_world()) as sandbox, pytest.raises(SettingsError, match=f"does not show {HOLDING}"):
        sync(after(again, sandbox))


def test_a_new_root_whose_tree_shows_the_old_one_only_names_the_rest(synced: Synced, world: World) -> None:
    bought = above(world)
    bought.shown = lambda root: root | {"children": [node(ROOT)]}
    with Sandbox(bought) as sandbox:
        again = sync(after(synced, sandbox))
    assert again.unproven_lists().keys() == {(CHILD, "organizations", None)}
    assert again.records() == synced.records()
