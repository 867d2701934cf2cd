"""`sync --pending` killed anywhere goes on; over random lives it publishes what a full sync would, and a full sync then changes nothing."""

from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.sync import pending
from dcycle_pipeline.sync.run import Run
from tests.backfill.conftest import Folder
from tests.cli.conftest import variables
from tests.conftest import CHILD, ROOT, Published, records_of, settings_for
from tests.properties.aftermath import Contents, Scene, contents, left_over
from tests.properties.nursery import Life
from tests.properties.places import Place

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600)]
PLACES = [
    Place("landing/files.py", "os.replace(self._beside, self.path)", 2, after=True),
    Place("sync/draft.py", "os.replace(draft, run.folder.warehouse)", after=True),
    Place("publish/snapshots.py", "os.replace(link, published)", after=True),
]


def pending_life(stage: Scene, data: Path) -> Life:
    return Life({}, words=("sync", "--pending"), environment=variables(stage.sandbox, data))


@pytest.fixture(scope="module")
def settled(stage: Scene, tmp_path_factory: pytest.TempPathFactory) -> Contents | None:
    """What readers see after a run that nobody disturbed."""
    data = stage.copy(tmp_path_factory.mktemp("undisturbed") / "data")
    run = stage.children.run(pending_life(stage, data))
    assert run.exit_code == 0, run.said
    return contents(data / "dcycle_warehouse.duckdb")


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_killed_anywhere_the_next_one_goes_on(
    stage: Scene, tmp_path: Path, settled: Contents | None, place: Place
) -> None:
    data = stage.copy(tmp_path / "data")
    published = data / "dcycle_warehouse.duckdb"
    assert stage.children.run(pending_life(stage, data), place=place).killed
    assert contents(published) in (stage.before, settled)
    again = stage.children.run(pending_life(stage, data))
    assert (again.signal, again.exit_code) == (0, 0), again.said
    assert contents(published) == settled
    assert left_over(data, stage.children.temporary) == []


PENDING, CALCULATED = ("f-one", "f-child"), "f-calm"
kilograms = st.none() | st.decimals(0, 10**6, places=9).map(str)
# What may happen to a list that holds pending records, and to what is read with it.
acts = st.sampled_from(["calculate", "calculate", "edit", "delete", "add", "total", "facility"])
lives = st.lists(st.tuples(acts, st.integers(0, 20), kilograms), max_size=6)


def account(records: list[Any]) -> World:
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    for facility in (*PENDING, CALCULATED):
        world.add_facility(CHILD if facility == "f-child" else ROOT, id=facility)
        world.add_record(facility, co2e=None if facility in PENDING else "1")
    for place, co2e in records:
        world.add_record((*PENDING, CALCULATED)[place], co2e=co2e if place < 2 else "2")
    return world


def live(world: World, life: list[Any], asked: set[str]) -> None:
    """Let the lists that are asked for go on."""
    for act, which, co2e in life:
        facility = sorted(asked)[which % len(asked)]
        held = [item["id"] for item in world.facility_records(facility)]
        if act == "calculate" and held:
            world.recalculate_record(held[which % len(held)], co2e)
        elif act == "edit" and held:
            world.edit_record(held[which % len(held)], quantity=str(which), co2e=co2e)
        elif act == "delete" and held:
            world.delete_record(held[which % len(held)])
        elif act == "add":
            world.add_record(facility, co2e=co2e)


def changed_with(world: World, life: list[Any], asked: set[str]) -> None:
    """What only a run that saw a row change reads: totals of facilities, and new ones, of the organisations where one did."""
    organizations = sorted({str(world.organization_of(each)) for each in asked})
    for act, which, co2e in life:
        if act == "total":
            world.edit_facility(sorted(asked)[which % len(asked)], co2e=co2e)
        elif act == "facility":
            world.add_record(world.add_facility(organizations[which % len(organizations)]), co2e=co2e)


def held_pending(world: World) -> set[str]:
    items = [item for each in world.organization_ids() for item in world.records(each)]
    return {item["facility_id"] for item in items if item["co2e"] is None and item["status"] == "active"}


@pytest.mark.usefixtures("few_summaries")
def test_it_publishes_what_a_full_sync_would(tmp_path: Path) -> None:
    with Sandbox(account([])) as sandbox, patch.object(pending, "YEAR_TOTALS", ()):
        numbers = iter(range(10_000))

        @settings(max_examples=6)
        @given(st.lists(st.tuples(st.integers(0, 2), kilograms), max_size=5), st.lists(lives, min_size=1, max_size=2))
        def over(records: list[Any], rounds: list[list[Any]]) -> None:
            sandbox.world = world = account(records)
            folder = Folder(sandbox, tmp_path / str(next(numbers)))
            folder.sync()
            for life in rounds:
                check_round(folder, world, life)

        over()


def check_round(folder: Folder, world: World, life: list[Any]) -> None:
    """The world goes on. One run over pending records publishes if a row changed, and a full sync then finds nothing new."""
    asked, before = held_pending(world), records_of(world)
    if not asked:
        return
    live(world, life, asked)
    after, published = records_of(world), folder.file.resolve()
    moved = {
        str((after.get(each) or before[each])[1])
        for each in before.keys() | after
        if before.get(each) != after.get(each)
    }
    if moved:
        changed_with(world, life, moved)
    with Run(str(uuid4()), settings_for(folder.sandbox, folder.data)) as run:
        found = pending.settle(run)
    assert (found.publication is not None, folder.file.resolve() != published) == (bool(moved), bool(moved))
    assert Published(folder.file).records() == records_of(world)
    assert folder.sync().content_changed is False
