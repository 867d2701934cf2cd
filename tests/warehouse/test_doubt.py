"""Doubt costs a row, never its list: what is listed is merged, and only the API's own word deletes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, ROOT, Synced, quick_only, records_of, settings_for, sync
from tests.warehouse.test_history import FACILITIES, RECORDS, WWT, Veiled, life, veiled_world

__all__ = ["invoke"]
pytestmark = pytest.mark.usefixtures("few_summaries")
DETAIL = {"w-2": "/v1/waste-water-treatments/w-2/detail", "f-1": "/v1/facilities/f-1"}


class Twice(Veiled):
    """A world whose lists show a record, or a facility, a second time elsewhere."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.also: dict[str, list[str]] = {}

    def peek_records(self, facility_id: str) -> list[dict[str, Any]]:
        return [*super().peek_records(facility_id), *(self.peek_record(id_) for id_ in self.also.get(facility_id, []))]


@pytest.fixture
def world() -> Veiled:
    return veiled_world()


@pytest.fixture
def synced(sandbox: Sandbox, tmp_path: Path) -> Synced:
    return sync(settings_for(sandbox, tmp_path / "data"))


def news(world: World) -> None:
    """What must be merged whatever else is in doubt."""
    world.add_facility(ROOT, id="f-new", name="New")
    world.edit_facility("f-2", name="Renamed")
    world.add_record("f-1", id="w-new", start_date="2025-05-01", co2e="3")
    world.edit_record("w-1", quantity="77")


@pytest.mark.exhaustive
def test_an_unlisted_facility_costs_nothing_else(sandbox: Sandbox, synced: Synced, world: Veiled) -> None:
    world.veil("f-1", "f-1")
    world.add_facility(ROOT, id="f-new", name="New")
    world.edit_record("w-1", quantity="77")
    again = sync(synced.settings)
    assert (again.outcome, again.doubtful()) == ("published", {})
    assert life(again, "f-1", FACILITIES) == ["new", "unlisted"]
    assert "f-new" in again.facilities()
    assert life(again, "w-1") == ["new", "edited"], "its records are judged by their own list"
    assert life(sync(synced.settings), "f-1", FACILITIES) == ["new", "unlisted"]
    world.unveil()
    assert life(sync(synced.settings), "f-1", FACILITIES) == ["new", "unlisted", "restored"]
    world.veil("f-1", "f-1")
    sync(synced.settings)
    world.unveil()
    world.delete_facility("f-1")
    assert life(sync(synced.settings), "f-1", FACILITIES)[-2:] == ["unlisted", "deleted"]


@pytest.mark.parametrize("how", quick_only(["null_item"], ["null_item", "not_an_object", "missing_id", "id_null"]))
def test_a_facility_is_not_unlisted_while_a_row_of_its_list_has_no_legible_id(
    sandbox: Sandbox, synced: Synced, how: str
) -> None:
    """That row may be the facility."""
    sandbox.behaviour = Behaviour(malformed={"f-1": how})
    again = sync(synced.settings)
    assert life(again, "f-1", FACILITIES) == ["new"]
    assert again.doubtful().keys() == {"f-1"}
    sandbox.behaviour = Behaviour()
    healed = sync(synced.settings)
    assert (life(healed, "f-1", FACILITIES), healed.doubtful(), healed.outcome) == (["new"], {}, "published")


@pytest.mark.exhaustive
def test_an_unlisted_facility_is_asked_for_once_a_run(sandbox: Sandbox, synced: Synced, world: Veiled) -> None:
    def requests() -> int:
        run = sync(synced.settings)
        (count,) = run.query("SELECT requests_count FROM sync.runs WHERE run_id = ?", run.run_id)[0]
        return int(count)

    world.add_facility(ROOT, id="f-3")
    sync(synced.settings)
    before = requests()
    world.veil("f-1", "f-1")
    sync(synced.settings)
    assert requests() - before == 1


KEPT_FOR = {
    "forbidden": ({"kind": "403"}, "Not authorized"),
    "no route": ({"kind": "no_route"}, "404 Not Found"),
    "page of a proxy": ({"kind": "404_page"}, "404"),
    "gone": ({"kind": "410"}, "410 Gone"),
    "redirected": ({"kind": "redirect"}, "redirected"),
    "down": ({"kind": "500"}, "500"),
}


@pytest.mark.quick(1)
@pytest.mark.parametrize("why", KEPT_FOR)
@pytest.mark.parametrize("id_", sorted(DETAIL))
def test_only_the_apis_own_word_deletes(sandbox: Sandbox, synced: Synced, world: Veiled, id_: str, why: str) -> None:
    fault, said = KEPT_FOR[why]
    if id_ == "w-2":
        world.delete_record(id_)
        world.edit_record("w-1", quantity="77")
    else:
        world.add_facility(ROOT, id="f-3")
        sync(synced.settings)
        world.delete_facility(id_)
        world.edit_facility("f-3", name="Renamed")
    sandbox.behaviour = Behaviour(faults=(Fault(path=DETAIL[id_], **fault),))
    again = sync(synced.settings)
    assert (again.outcome, again.doubtful().keys()) == ("published_with_gaps", {id_})
    assert said in again.doubtful()[id_]
    known = again.records() if id_ == "w-2" else again.facilities()
    assert id_ in known
    assert life(again, "w-1") == ["new", "edited"] if id_ == "w-2" else known["f-3"][2] == "Renamed"
    sandbox.behaviour = Behaviour()
    assert life(sync(synced.settings), id_, RECORDS if id_ == "w-2" else FACILITIES) == ["new", "deleted"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["404", "no_route", "403", "500"])
def test_not_found_is_not_believed_of_a_route_that_finds_nothing(
    sandbox: Sandbox, synced: Synced, world: Veiled, kind: str
) -> None:
    world.delete_record("w-2")
    sandbox.behaviour = Behaviour(faults=(Fault(kind, path="/v1/waste-water-treatments/w-"),))
    again = sync(synced.settings)
    assert (again.outcome, again.doubtful().keys()) == ("published_with_gaps", {"w-2"})
    assert "w-2" in again.records()


@pytest.mark.exhaustive
def test_a_doubtful_row_says_since_when_until_it_is_known(sandbox: Sandbox, synced: Synced, world: Veiled) -> None:
    world.veil("w-2", "f-1")
    news(world)
    first = sync(synced.settings)
    assert (first.outcome, first.unproven_lists(), first.doubtful().keys()) == ("published_with_gaps", {}, {"w-2"})
    assert {"w-new", "w-1"} <= first.records().keys()
    assert life(first, "w-1") == ["new", "edited"]
    since = first.query("SELECT doubtful_since, noted_at FROM sync.doubtful_rows")
    assert since[0][0] == since[0][1]
    again = sync(synced.settings)
    told = again.query("SELECT doubtful_since FROM sync.doubtful_rows ORDER BY noted_at")
    assert told == [(since[0][0],)] * 2
    world.unveil()
    clean = sync(synced.settings)
    assert (clean.outcome, clean.doubtful()) == ("published", {})
    assert life(clean, "w-2") == ["new"]


@dataclass
class Door:
    """The command line of one account."""

    invoke: Invoke
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __call__(self, *words: str) -> int:
        result = self.invoke(*words, **self.environment)
        self.said.append(result.output)
        return int(result.exit_code)


@pytest.fixture
def door(invoke: Invoke, sandbox: Sandbox, synced: Synced) -> Door:
    return Door(invoke, variables(sandbox, synced.settings.data_dir))


def decision(what: str, **other: str) -> list[str]:
    given = {"organization": ROOT, "endpoint": WWT, "id": "w-2", "as": what, "by": "Ana", "reason": "sold"} | other
    return ["resolve", *(part for name, value in given.items() for part in (f"--{name}", value))]


def shown(synced: Synced, sql: str) -> list[tuple[Any, ...]]:
    return Synced(synced.settings.data_dir / "dcycle_warehouse.duckdb", "", synced.settings, synced.publication).query(
        sql
    )


def test_a_person_decides_that_a_row_is_gone(sandbox: Sandbox, synced: Synced, world: Veiled, door: Door) -> None:
    world.veil("w-2", "f-1")
    assert door("sync") == 1
    assert "Doubtful since" in door.said[-1]
    assert "1 row in doubt" in door.said[-1]
    assert door("resolve") == 1
    assert "w-2" in door.said[-1]
    assert door(*decision("deleted")) == 0
    told = shown(synced, f"SELECT change, decided_by, decision_reason FROM {RECORDS} WHERE decided_by IS NOT NULL")
    assert told == [("deleted", "Ana", "sold")]
    assert door("sync") == 0
    assert door("resolve") == 0
    world.unveil()
    assert door("sync") == 0
    query = f"SELECT change FROM {RECORDS} WHERE waste_water_treatment_id = 'w-2' ORDER BY valid_from"
    assert shown(synced, query) == [("new",), ("deleted",), ("restored",)]


@pytest.mark.exhaustive
def test_a_person_decides_that_a_row_stays(sandbox: Sandbox, synced: Synced, world: Veiled, door: Door) -> None:
    world.veil("w-2", "f-1")
    assert door("sync") == 1
    assert door(*decision("kept")) == 0
    assert door("sync") == 0
    assert shown(synced, "SELECT count(*) FROM sync.doubtful_rows") == [(2,)]
    world.unveil()
    assert door("sync") == 0
    world.veil("w-2", "f-1")
    assert door("sync") == 1, "the decision was about the doubt before"


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (decision("deleted", id="w-1"), "not in doubt"),
        (decision("gone"), "must be deleted or kept"),
        (decision("kept", by=" "), "needs --by too"),
        (["resolve", "--id", "w-2"], "--organization, --endpoint, --as, --by, --reason"),
    ],
)
def test_a_decision_that_cannot_be_carried_out_is_refused(
    synced: Synced, door: Door, words: list[str], said: str
) -> None:
    assert door(*words) == 2
    assert said in door.said[-1]


def test_a_row_is_decided_by_the_start_of_its_id_and_a_name(
    sandbox: Sandbox, synced: Synced, world: Veiled, door: Door
) -> None:
    world.veil("w-2", "f-1")
    assert door("sync") == 1
    by_start = decision("kept", organization="holding", id="w-")
    world.veil("w-1", "f-1")
    assert door("sync") == 1
    assert door(*by_start) == 2
    assert f"may be w-1 of organisation {ROOT}; w-2 of organisation {ROOT}" in " ".join(door.said[-1].split())
    assert door(*decision("deleted", organization="Holding X", id="w-1")) == 1, "the other one is in doubt"
    assert door(*by_start) == 0
    assert shown(synced, "SELECT item_id, decision FROM sync.decisions ORDER BY ALL") == [
        ("w-1", "deleted"),
        ("w-2", "kept"),
    ]


def test_a_whole_id_never_means_a_longer_one(sandbox: Sandbox, synced: Synced, world: Veiled, door: Door) -> None:
    world.add_record("f-1", id="w-22")
    assert door("sync") == 0
    world.veil("w-22", "f-1")
    assert door("sync") == 1
    assert door(*decision("deleted", id="w-2")) == 2
    assert "Row w-2 of waste_water_treatments" in door.said[-1]
    assert "is not in doubt" in door.said[-1]


@pytest.mark.exhaustive
def test_a_decision_outlives_the_working_file_and_a_replay(
    sandbox: Sandbox, synced: Synced, world: Veiled, door: Door
) -> None:
    world.veil("w-2", "f-1")
    assert door("sync") == 1
    assert door(*decision("deleted")) == 0
    before = shown(synced, f"SELECT * EXCLUDE (run_id, page) FROM {RECORDS} ORDER BY ALL")
    (synced.settings.data_dir / "working" / "warehouse.duckdb").unlink()
    assert door("replay") == 0
    assert shown(synced, f"SELECT * EXCLUDE (run_id, page) FROM {RECORDS} ORDER BY ALL") == before
    (synced.settings.data_dir / "working" / "warehouse.duckdb").unlink()
    for path in (*synced.settings.data_dir.glob("snapshots/*/*"), synced.settings.data_dir / "dcycle_warehouse.duckdb"):
        path.unlink()
    assert door("sync") == 0
    query = f"SELECT change, decided_by FROM {RECORDS} WHERE waste_water_treatment_id = 'w-2' ORDER BY valid_from"
    assert shown(synced, query) == [("new", None), ("deleted", "Ana")]


def test_a_row_listed_twice_is_named_and_stops_nothing_else(tmp_path: Path) -> None:
    world = Twice(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_record(world.add_facility(CHILD, id="f-4"), id="w-5", start_date="2025-01-01", co2e="10")
    for number in (1, 2, 3):
        world.add_facility(ROOT, id=f"f-{number}")
        world.add_record(f"f-{number}", id=f"w-{number}", start_date="2025-01-01", co2e="10")
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path / "data")
        first = sync(settings)
        world.also["f-2"] = ["w-1"]
        world.derived.forget("f-2")
        world.add_record("f-3", id="w-4", start_date="2025-02-01", co2e="5")
        world.add_record("f-4", id="w-6", start_date="2025-02-01", co2e="5")
        again = sync(settings)
    assert again.outcome == "published_with_gaps"
    assert again.records().keys() == {*first.records(), "w-4", "w-6"}
    assert [item for item, _ in again.quarantined()] == ["w-1"]


def test_a_facility_that_moved_is_counted_where_it_is(sandbox: Sandbox, synced: Synced, world: Veiled) -> None:
    """Its old organisation answers the documented 403 for the facility, its list and its records."""
    world.add_facility(ROOT, id="f-3")
    sync(synced.settings)
    world.move_facility("f-1", CHILD)
    again = sync(synced.settings)
    assert again.records() == records_of(world)
    assert again.query("SELECT organization_id FROM dcycle.facilities WHERE facility_id = 'f-1'") == [(CHILD,)]
    assert (again.outcome, again.doubtful()) == ("published", {})


def test_one_row_in_doubt_keeps_no_other_of_a_deleted_facility(sandbox: Sandbox, synced: Synced, world: Veiled) -> None:
    world.delete_facility("f-1")
    sandbox.behaviour = Behaviour(faults=(Fault("503", path=DETAIL["w-2"]),))
    again = sync(synced.settings)
    assert again.doubtful().keys() == {"w-2"}, "so `resolve` can decide it"
    assert again.records().keys() == {*records_of(world), "w-2"}
    assert again.unproven_lists() == {}


@pytest.mark.exhaustive
def test_a_deleted_facility_whose_list_is_of_another_organization_is_gone_with_its_records(
    sandbox: Sandbox, synced: Synced, world: Veiled
) -> None:
    world.add_facility(ROOT, id="f-3")
    world.add_record("f-3", id="w-9", start_date="2025-01-01", co2e="1")
    sync(synced.settings)
    world.delete_facility("f-1")
    foreign = Behaviour(
        faults=(
            Fault("foreign", path="/v1/waste-water-treatments", facility_id="f-1"),
            Fault("foreign", path="/v1/waste-water-treatments/w-1/"),
            Fault("foreign", path="/v1/waste-water-treatments/w-2/"),
        )
    )
    sandbox.behaviour = foreign
    again = sync(synced.settings)
    assert (again.outcome, again.doubtful()) == ("published", {})
    assert again.records() == records_of(world)


@pytest.mark.parametrize(
    "behaviour",
    quick_only(
        [Behaviour(faults=(Fault("404", path=DETAIL["w-2"]),))],
        [Behaviour(), Behaviour(faults=(Fault("404", path=DETAIL["w-2"]),)), Behaviour(denied={"f-1": 403})],
    ),
    ids=["as it was", "its detail lags", "denied"],
)
def test_a_doubtful_row_that_is_seen_elsewhere_is_in_doubt_no_more(
    sandbox: Sandbox, synced: Synced, world: Veiled, behaviour: Behaviour
) -> None:
    """Its old list is as it was, or cannot be read at that moment; its detail may lag."""
    world.add_facility(ROOT, id="f-3")
    world.veil("w-2", "f-1")
    assert sync(synced.settings).doubtful().keys() == {"w-2"}
    world.unveil()
    item = world.find_record("w-2")
    assert item is not None
    world.delete_record("w-2")
    del item["facility_id"]
    world.add_record("f-3", **item)
    sandbox.behaviour = behaviour
    again = sync(synced.settings)
    assert again.doubtful() == {}
    assert again.records()["w-2"][1] == "f-3"
    assert life(again, "w-2") == ["new", "edited"]
