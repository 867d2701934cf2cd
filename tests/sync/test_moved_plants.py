"""A plant that moved to another organisation while its old one is not read: what was proven last counts, and each record once."""

from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers.explain import explain
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.pending import settle
from dcycle_pipeline.sync.replay import replay
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import sync_whole
from tests.conftest import CHILD, FEW, ROOT, Synced, only, settings_for, sync
from tests.summaries.worlds import date
from tests.sync.test_listed_twice import said_and_moved

FIRST = date(2025, 1, 1)


class Group(World):
    """A holding with one plant of its own and one of its subsidiary, whose records are of January 2025."""

    def __init__(self) -> None:
        super().__init__(ROOT, "Holding X")
        self.add_organization(CHILD, "Water North", ROOT)
        for plant, owner in (("f-root", ROOT), ("f-north", CHILD)):
            self.add_facility(owner, id=plant)
        self.add(100, "f-root")
        self.records_north = [self.add(10) for _ in range(3)]

    def add(self, co2e: int, plant: str = "f-north") -> str:
        return self.add_record(plant, start_date="2025-01-01", end_date="2025-01-31", co2e=str(co2e))

    def dissolve(self, organization_id: str) -> None:
        """The tree no longer shows it, and nobody can ask for it."""
        del self._organizations[organization_id]

    def correct(self) -> None:
        """One record is recalculated, one deleted, one added: 1117 kg in all."""
        self.recalculate_record(self.records_north[0], "1000")
        self.delete_record(self.records_north[1])
        self.add(7)


@pytest.fixture
def world() -> Group:
    return Group()


@pytest.fixture(autouse=True)
def _few_summaries() -> Iterator[None]:
    with only((*FEW, "restatements")):
        yield


def sync_only(settings: Settings, organization_ids: Collection[str]) -> Synced:
    with Run(str(uuid4()), settings) as run:
        publication = sync_whole(run, list(organization_ids))
    return Synced(publication.snapshot, run.run_id, settings, publication)


def total(synced: Synced) -> dict[str, Decimal]:
    query = "SELECT organization_id, sum(co2e_kg) FROM summaries.emissions_by_facility_month GROUP BY ALL"
    return dict(synced.query(query))


def assert_explained(synced: Synced) -> None:
    """What changed is explained, and the records say what the figures say."""
    said, restated = said_and_moved(synced)
    assert said == restated
    assert explain(DataFolder(synced.settings.data_dir), "f-north", FIRST).agrees


def holders(synced: Synced) -> set[str]:
    return {
        row[0] for row in synced.query("SELECT organization_id FROM dcycle.facilities WHERE facility_id = 'f-north'")
    }


def listed_twice(synced: Synced) -> int:
    return len(synced.query("SELECT * FROM summaries.listed_twice"))


@pytest.mark.exhaustive
def test_what_left_the_tree_lists_nothing(sandbox: Sandbox, world: Group, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    world.move_facility("f-north", ROOT)
    world.dissolve(CHILD)
    moved = sync(settings)
    assert (total(moved), holders(moved), listed_twice(moved)) == ({ROOT: 130}, {ROOT}, 0)
    assert_explained(moved)
    world.correct()
    again = sync(settings)
    assert total(again) == {ROOT: 1117}
    assert_explained(again)
    assert moved.outcome == "published_with_gaps", "that an organisation left is said until it is excluded"


@pytest.mark.exhaustive
def test_what_no_one_else_lists_stays_with_the_organisation_that_left(
    sandbox: Sandbox, world: Group, tmp_path: Path
) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    world.dissolve(CHILD)
    for _ in range(2):
        assert total(sync(settings)) == {ROOT: 100, CHILD: 30}


@pytest.mark.exhaustive
def test_what_was_deleted_as_the_plant_moved_counts_no_more(sandbox: Sandbox, world: Group, tmp_path: Path) -> None:
    """No list ever showed the record in its new place, and nobody can ask in the old one."""
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    world.move_facility("f-north", ROOT)
    world.dissolve(CHILD)
    world.correct()
    moved = sync(settings)
    assert total(moved) == {ROOT: 1117}
    assert listed_twice(moved) == 1, "the record is named"
    assert_explained(moved)
    again = sync(settings)
    assert (total(again), listed_twice(again)) == ({ROOT: 1117}, 0)
    assert_explained(again)


@pytest.mark.exhaustive
def test_an_excluded_organisation_lists_nothing(sandbox: Sandbox, world: Group, tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(f'exclude = ["{CHILD}"]\n')
    sync(settings_for(sandbox, tmp_path / "data"))
    settings = settings_for(sandbox, tmp_path / "data", organizations_file=file)
    world.move_facility("f-north", ROOT)
    assert total(sync(settings)) == {ROOT: 130}
    world.correct()
    for _ in range(2):
        again = sync(settings)
        assert (total(again), holders(again), again.outcome) == ({ROOT: 1117}, {ROOT}, "published")


@pytest.mark.exhaustive
def test_one_that_comes_back_stops_no_publication(sandbox: Sandbox, world: Group, tmp_path: Path) -> None:
    """Its old list counts rows that moved away meanwhile, and nobody reads it now."""
    file = tmp_path / "organizations.toml"
    file.write_text(f'exclude = ["{CHILD}"]\n')
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    world.move_facility("f-north", ROOT)
    sync(settings_for(sandbox, tmp_path / "data", organizations_file=file))
    assert total(sync_only(settings, [ROOT])) == {ROOT: 130}
    back = sync(settings)
    assert (total(back), back.outcome) == ({ROOT: 130}, "published")


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", ["not asked", "silent", "denied", "its records are silent"])
def test_the_list_that_was_proven_last_wins(sandbox: Sandbox, world: Group, tmp_path: Path, how: str) -> None:
    settings = settings_for(sandbox, tmp_path / "data", retry_attempts=1)
    sync(settings)
    world.move_facility("f-north", ROOT)
    world.correct()
    if how != "not asked":
        path = "/v1/waste-water" if how == "its records are silent" else "/v1/"
        denied = {CHILD: 403} if how == "denied" else {}
        faults = () if denied else (Fault("503", organization_id=CHILD, path=path),)
        sandbox.behaviour = Behaviour(faults=faults, denied=denied)
    for _ in range(2):
        moved = sync_only(settings, [ROOT] if how == "not asked" else ())
        assert total(moved) == {ROOT: 1117}
        assert moved.outcome == "published_with_gaps", "what is not sure is named"
        assert_explained(moved)
    sandbox.behaviour = Behaviour()
    whole = sync(settings)
    assert (total(whole), holders(whole), whole.outcome) == ({ROOT: 1117}, {ROOT}, "published")
    assert_explained(whole)


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["replay", "no working file"])
def test_what_is_made_again_without_the_api_says_the_same(
    sandbox: Sandbox, world: Group, tmp_path: Path, how: str
) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    world.move_facility("f-north", ROOT)
    world.correct()
    before = sync_only(settings, [ROOT])
    moment = before.query("SELECT max(published_at) FROM sync.runs")[0][0]
    if how == "replay":
        with Run(str(uuid4()), settings) as run:
            publication = replay(run)
        again = Synced(publication.snapshot, run.run_id, settings, publication)
    else:
        DataFolder(settings.data_dir).warehouse.unlink()
        again = sync_only(settings, [ROOT])
    assert total(again) == total(before) == {ROOT: 1117}
    said = "SELECT organization_id, sum(co2e_kg) FROM history.emissions_by_facility_month_as_of(?) GROUP BY ALL"
    assert dict(again.query(said, moment)) == total(before)


@pytest.mark.exhaustive
def test_a_list_that_is_not_asked_for_again_gets_no_fresher(sandbox: Sandbox, world: Group, tmp_path: Path) -> None:
    """A run over pending records notes what it did not ask for once more: as old as it was."""
    world.add_facility(CHILD, id="f-pending")
    world.add_record("f-pending", start_date="2025-01-01", end_date="2025-01-31", co2e=None)
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    world.move_facility("f-north", ROOT)
    world.correct()
    sync_only(settings, [ROOT])
    settled(settings, world)
    again = sync_only(settings, [ROOT])
    assert sum(total(again).values()) == 1117 + 5
    assert sum(total(sync(settings)).values()) == 1117 + 5


def settled(settings: Settings, world: World) -> None:
    (pending,) = (item["id"] for item in world.facility_records("f-pending"))
    world.recalculate_record(pending, "5")
    with Run(str(uuid4()), settings) as run:
        assert settle(run).publication is not None
