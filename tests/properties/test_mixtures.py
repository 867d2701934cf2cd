"""Whatever mixture of misbehaviour the API shows: a scope holds what the API held, or what it held before and says so."""

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.sandbox import DEFORMATIONS, Behaviour, Sandbox, World
from tests.conftest import CHILD, ROOT, Published, Synced, facility_row, record_row, settings_for, sync
from tests.properties.mixtures import ODD, described, random_mixture
from tests.sandbox.deformed import COSTS_A_FIELD, HARMLESS, RECORDS_ONLY

THIRD = "33333333-3333-4333-8333-333333333333"
SEEDS = 80
Items = dict[str, dict[str, dict[str, Any]]]
Row = tuple[Any, ...]


class Watched(World):
    """A world that remembers every state that it was ever in, as facilities by organisation and records by facility."""

    moments: list[tuple[Items, Items]]

    def note(self) -> None:
        with self.lock:
            self.moments.append(
                (
                    {o: {item["id"]: item for item in self.facilities(o)} for o in self.organization_ids()},
                    {f: {item["id"]: item for item in self.facility_records(f)} for f in self.facility_ids()},
                )
            )


def _noting(name: str) -> Callable[..., Any]:
    def change(self: Watched, *args: Any, **fields: Any) -> Any:
        with self.lock:
            result = getattr(World, name)(self, *args, **fields)
            if hasattr(self, "moments"):
                self.note()
            return result

    return change


for _name in ("add_facility", "edit_facility", "delete_facility", "add_records", "edit_record", "delete_record"):
    setattr(Watched, _name, _noting(_name))


def watched_world() -> Watched:
    world = Watched(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_organization(THIRD, "Water South", ROOT)
    world.add_records(world.add_facility(ROOT, id="f-large"), 60)
    world.add_records(world.add_facility(ROOT, id="f-old", status="archived"), 11, status="error")
    world.add_facility(CHILD, id="f-empty", type="office")
    world.add_records(world.add_facility(CHILD, id="f-north"), 9)
    world.add_records(world.add_facility(THIRD, id="f-south", co2e=None), 4, status="uploaded", co2e=None)
    world.add_records(world.add_facility(THIRD, id="f-gone"), 3)
    return world


def change(world: Watched) -> None:
    world.moments = []
    world.add_records("f-large", 52)
    large = [item["id"] for item in world.facility_records("f-large")]
    world.delete_record(large[3])
    world.recalculate_record(large[5], "77.125")
    world.edit_record(large[50], quantity="5.5", status="error")
    world.add_record(world.add_facility(CHILD, id="f-new"))
    world.delete_record(world.facility_records("f-north")[0]["id"])
    world.edit_facility("f-north", name="Nordwerk II")
    world.delete_facility("f-gone")
    world.moments = world.moments[-1:]


def add_odd_rows(world: Watched) -> None:
    """Rows of a status that nobody asks for."""
    world.add_records("f-large", 2, status=ODD)
    world.edit_record(world.facility_records("f-north")[1]["id"], status=ODD)
    world.add_record(world.add_facility(CHILD, id="f-odd", status=ODD))
    world.moments = world.moments[-1:]


def swift(behaviour: Behaviour) -> Behaviour:
    """The same mixture without seconds of waiting: pauses and the slower pace after a 429 have tests of their own."""
    faults = tuple(
        replace(
            fault,
            kind="503" if fault.kind == "429" else fault.kind,
            retry_after="seconds" if fault.retry_after else None,
            retry_after_seconds=0,
        )
        for fault in behaviour.faults
    )
    return replace(behaviour, faults=faults)


@dataclass
class Judge:
    """Compares what two syncs left with every state that the world was in during the second."""

    world: Watched
    behaviour: Behaviour
    before: Published
    after: Synced

    def __post_init__(self) -> None:
        self.open = self.after.unproven_lists()
        asked = "SELECT organization_id, endpoint, facility_id FROM sync.lists WHERE run_id = ?"
        self.asked = set(self.after.query(asked, self.after.run_id))
        self.bad: set[str] = set()

    def everything(self) -> None:
        self._facilities()
        self._records()
        if self.bad or self.open or self.after.doubtful():
            assert self.after.outcome == "published_with_gaps"
        if self.after.outcome == "published":
            assert not self.open
            assert not self.after.doubtful()

    def _facilities(self) -> None:
        old, new = self.before.facilities(), self.after.facilities()
        for organization in self.world.organization_ids():
            moments = [facilities[organization] for facilities, _ in self.world.moments]
            scope = (organization, "facilities", None)
            assert scope in self.asked
            self._scope(scope, _of(old, 0, organization), _of(new, 0, organization), moments, facility_row)

    def _records(self) -> None:
        old, new = self.before.records(), self.after.records()
        for facility, row in (self.before.facilities() | self.after.facilities()).items():
            scope = (row[0], "waste_water_treatments", facility)
            moments = [records.get(facility, {}) for _, records in self.world.moments]
            if facility in self.after.facilities():
                assert scope in self.asked, f"{scope} was never asked for"
            self._scope(scope, _of(old, 1, facility), _of(new, 1, facility), moments, record_row)

    def _scope(
        self,
        scope: tuple[str, str, str | None],
        old: dict[str, Row],
        new: dict[str, Row],
        moments: list[dict[str, dict[str, Any]]],
        as_row: Callable[[str, dict[str, Any]], Row],
    ) -> None:
        if scope in self.open:
            assert new == old, f"{scope} is open ({self.open[scope]}), but its rows changed"
            return
        kind = scope[1]
        bad = {id_ for items in moments for id_ in items if self._is_bad(id_, kind) or self._is_odd(id_, moments)}
        doubtful = self.after.doubtful().keys()
        assert {id_: row for id_, row in new.items() if id_ in doubtful}.items() <= old.items(), (
            "a doubtful row changed"
        )
        new = {id_: row for id_, row in new.items() if id_ not in doubtful}
        seen = bad if self._shows_odd() else {id_ for id_ in bad if not self._is_odd(id_, moments)}
        self.bad |= seen & {id_ for items in moments[-1:] for id_ in items if all(id_ in there for there in moments)}
        assert {id_: row for id_, row in new.items() if id_ in bad}.items() <= old.items(), "a bad item was taken"
        good = [items.keys() - bad - doubtful for items in moments]
        assert new.keys() - bad in good, f"{scope} holds no set of rows that the API ever had; said: proven"
        for id_, row in new.items():
            if id_ not in bad:
                truth = [as_row(scope[0], self._served(items[id_], kind)) for items in moments if id_ in items]
                assert row in truth, f"{scope} {id_}"

    def _is_bad(self, id_: str, kind: str) -> bool:
        how = self.behaviour.deformation_of(id_)
        return (
            how is not None
            and how not in HARMLESS
            and not (kind == "facilities" and how in RECORDS_ONLY | COSTS_A_FIELD)
        )

    def _is_odd(self, id_: str, moments: list[dict[str, dict[str, Any]]]) -> bool:
        return any(items[id_]["status"] == ODD for items in moments if id_ in items)

    def _shows_odd(self) -> bool:
        """Whether the server tells of a row with a status that nobody asks for."""
        how = self.behaviour
        return not (how.filter_needed or how.only_active_by_default or ODD in how.hidden_by_default)

    def _served(self, item: dict[str, Any], kind: str) -> dict[str, Any]:
        how = self.behaviour.deformation_of(item["id"])
        if how in COSTS_A_FIELD and kind == "facilities":
            return {**item, "created_at": None}
        if how != "missing_optional":
            return item
        return DEFORMATIONS["missing_optional"](deepcopy(item))


def _of(rows: dict[str, Row], column: int, value: str) -> dict[str, Row]:
    return {id_: row for id_, row in rows.items() if row[column] == value}


def cleanly_synced(folder: Path) -> Path:
    """The folder, after one clean sync of the world into it."""
    with Sandbox(watched_world()) as sandbox:
        assert sync(settings_for(sandbox, folder)).outcome == "published"
    return folder


@pytest.fixture(scope="module")
def template(few_summaries: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after one clean sync of the world, to be copied: the world is the same whenever it is made."""
    return cleanly_synced(tmp_path_factory.mktemp("template") / "data")


@pytest.mark.quick(3)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_mixture_never_ends_in_a_wrong_row_that_nobody_is_told_of(seed: int, template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "data", symlinks=True)
    world, behaviour = watched_world(), swift(random_mixture(seed))
    print(described(behaviour))
    change(world)
    if seed % 3 == 0:
        add_odd_rows(world)
    with Sandbox(world, behaviour) as sandbox:
        before, after = Published(template / "dcycle_warehouse.duckdb"), sync(settings_for(sandbox, tmp_path / "data"))
        Judge(world, behaviour, before, after).everything()
