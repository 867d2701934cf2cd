"""What the file remembers, told by example: each kind of change, what is none, and what may delete a row."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest

from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from dcycle_pipeline.sync import rewrite
from tests.conftest import CHILD, ROOT, Synced, records_of, settings_for, sync

pytestmark = pytest.mark.usefixtures("few_summaries")

WWT = "waste_water_treatments"
RECORDS, FACILITIES = f"history.{WWT}", "history.facilities"
CONTENT = (RECORDS, FACILITIES, "history.emissions_by_facility_month", "dcycle.organizations")


class Veiled(World):
    """A world whose lists, and the counters of the records, leave out what is `veiled`; the items' own pages show it."""

    veiled: frozenset[str] = frozenset()

    def peek_records(self, facility_id: str) -> list[dict[str, Any]]:
        return [item for item in super().peek_records(facility_id) if item["id"] not in self.veiled]

    def facility_ids(self, organization_id: str | None = None) -> list[str]:
        return [id_ for id_ in super().facility_ids(organization_id) if id_ not in self.veiled]

    def unveil(self) -> None:
        self.veiled = frozenset()
        for facility_id in self.facility_ids():
            self.derived.forget(facility_id)

    def veil(self, id_: str, facility_id: str) -> None:
        self.veiled = self.veiled | {id_}
        self.derived.forget(facility_id)


def veiled_world() -> Veiled:
    world = Veiled(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_facility(ROOT, id="f-1", co2e=None)
    world.add_facility(CHILD, id="f-2")
    world.add_record("f-1", id="w-1", start_date="2025-01-01", co2e="10.5", uploaded_by="u-1")
    world.add_record("f-1", id="w-2", start_date="2025-02-01", co2e=None)
    world.add_records("f-2", 20, start_date="2024-01-01")
    return world


@pytest.fixture
def world() -> Veiled:
    return veiled_world()


@pytest.fixture(scope="module")
def template(few_summaries: None, tmp_path_factory: pytest.TempPathFactory) -> Synced:
    with Sandbox(veiled_world()) as sandbox:
        return sync(settings_for(sandbox, tmp_path_factory.mktemp("template") / "data"))


@pytest.fixture
def synced(template: Synced, sandbox: Sandbox, tmp_path: Path) -> Synced:
    return template.copied(settings_for(sandbox, tmp_path / "data"))


def life(synced: Synced, id_: str, table: str = RECORDS) -> list[str]:
    """The changes that a row went through."""
    key = "facility_id" if table == FACILITIES else "waste_water_treatment_id"
    return [row[0] for row in synced.query(f"SELECT change FROM {table} WHERE {key} = ? ORDER BY valid_from", id_)]


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    ("id_", "fields", "change"),
    [
        ("w-1", {"quantity": "7.000000001"}, "edited"),
        ("w-1", {"status": "error"}, "edited"),
        ("w-1", {"invoice_id": "another label"}, "edited"),
        ("w-1", {"linked_projects": ["p-1"]}, "edited"),
        ("w-1", {"quantity": "7", "co2e": "8"}, "edited"),
        ("w-1", {"co2e": "10.500000001"}, "recalculated"),
        ("w-1", {"co2e_biomass": "0.1"}, "recalculated"),
        ("w-1", {"co2e": None}, "recalculated"),
        ("w-2", {"co2e": "0"}, "settled"),
        ("w-2", {"co2e": "12", "co2e_biomass": "1"}, "settled"),
        ("w-2", {"co2e": "12", "end_date": "2025-02-27"}, "edited"),
        ("w-2", {"co2e_biomass": "1"}, "recalculated"),
    ],
)
def test_a_change_of_a_record_has_its_kind(
    sandbox: Sandbox, synced: Synced, id_: str, fields: dict[str, Any], change: str
) -> None:
    sandbox.world.edit_record(id_, **fields)
    assert life(sync(synced.settings), id_) == ["new", change]


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"name": "Planta Ñandú"}, "edited"),
        ({"categories": ["heat"]}, "edited"),
        ({"cups_list": None}, "edited"),
        ({"status": "archived", "co2e": "5"}, "edited"),
        ({"co2e": "5"}, "settled"),
        ({"co2e_biomass": "5", "updated_at": "2026-01-02T09:00:00Z"}, "recalculated"),
        ({}, "edited"),
    ],
)
def test_a_change_of_a_facility_has_its_kind(
    sandbox: Sandbox, synced: Synced, fields: dict[str, Any], change: str
) -> None:
    """`updated_at` moves with each of them; alone it is an edit of something that the API does not show."""
    sandbox.world.edit_facility("f-1", **fields)
    assert life(sync(synced.settings), "f-1", FACILITIES) == ["new", change]


def test_what_is_deleted_may_come_back_and_move(sandbox: Sandbox, synced: Synced) -> None:
    world, item, row = sandbox.world, sandbox.world.find_record("w-1"), synced.records()["w-1"]
    first = synced.query(f"SELECT first_seen_at FROM dcycle.{WWT} WHERE waste_water_treatment_id = 'w-1'")
    assert item is not None
    world.delete_record("w-1")
    gone = sync(synced.settings)
    assert "w-1" not in gone.records()
    del item["facility_id"]
    world.add_record("f-1", **item)
    back = sync(synced.settings)
    world.delete_record("w-1")
    world.add_facility(ROOT, id="f-3")
    world.add_record("f-3", **item)
    moved = sync(synced.settings)
    assert (back.records()["w-1"], moved.records()) == (row, records_of(world))
    assert life(moved, "w-1") == ["new", "deleted", "restored", "edited"]
    told = moved.query(f"SELECT valid_from = valid_to, co2e_kg, first_seen_at FROM {RECORDS} WHERE change = 'deleted'")
    assert told[0][:2] == (True, row[10])
    assert [row[2:] for row in told] == first


def test_what_moves_and_arrives_malformed_keeps_its_last_version_and_is_named(sandbox: Sandbox, synced: Synced) -> None:
    item = sandbox.world.find_record("w-1")
    assert item is not None
    sandbox.world.delete_record("w-1")
    sandbox.world.add_facility(ROOT, id="f-3")
    odd = {**item, "unit": {"id": "u", "name": "m3", "type": "volume"}}
    del odd["facility_id"]
    sandbox.world.add_record("f-3", **odd)
    moved = sync(synced.settings)
    assert moved.outcome == "published_with_gaps"
    assert [id_ for id_, _ in moved.quarantined()] == ["w-1"]
    assert moved.records() == synced.records()
    sandbox.world.edit_record("w-1", unit=item["unit"])
    mended = sync(synced.settings)
    assert (mended.outcome, mended.records()) == ("published", records_of(sandbox.world))
    assert life(mended, "w-1") == ["new", "edited"]


def test_a_deleted_facility_ends_with_its_records(sandbox: Sandbox, synced: Synced) -> None:
    sandbox.world.delete_facility("f-1")
    again = sync(synced.settings)
    assert [life(again, id_) for id_ in ("w-1", "w-2")] == [["new", "deleted"]] * 2
    assert life(again, "f-1", FACILITIES) == ["new", "deleted"]


@pytest.mark.parametrize(
    ("fields", "same_content"),
    [
        ({"user": {"id": "u-9", "first_name": "Ana", "last_name": "B", "email": "ana@example.org"}}, True),
        ({"file_url": "https://files.example.org/signed?token=1"}, True),
        ({"uploaded_by": "u-2"}, False),
    ],
)
def test_what_tells_of_persons_is_no_version(
    sandbox: Sandbox, synced: Synced, fields: dict[str, Any], same_content: bool
) -> None:
    """The id of who uploaded a record is kept up to date where it stands; names and links are not kept at all."""
    sandbox.world.edit_record("w-1", **fields)
    again = sync(synced.settings)
    assert life(again, "w-1") == ["new"]
    assert again.records() == records_of(sandbox.world)
    assert (again.publication.content_hash == synced.publication.content_hash) == same_content


def test_most_rows_vanishing_at_once_is_held_named_and_released(sandbox: Sandbox, synced: Synced) -> None:
    doomed = [item["id"] for item in sandbox.world.facility_records("f-2")[:12]]
    for id_ in doomed:
        sandbox.world.delete_record(id_)
    sandbox.world.edit_record("w-1", quantity="5")
    held = sync(synced.settings)
    ((scope, (outcome, reason)),) = held.unproven_lists().items()
    assert (held.outcome, scope, outcome) == ("published_with_gaps", (CHILD, WWT, "f-2"), "held")
    assert f"12 of 20 {WWT} of organisation {CHILD} vanished" in reason
    assert f"--accept-drop {CHILD}" in reason
    assert set(doomed) < held.records().keys()
    assert life(held, "w-1") == ["new", "edited"], "other organisations go on"
    assert sync(synced.settings, frozenset([ROOT])).unproven_lists().keys() == {scope}
    released = sync(synced.settings, frozenset([CHILD]))
    assert (released.outcome, released.records()) == ("published", records_of(sandbox.world))
    assert released.query(f"SELECT count(*) FROM {RECORDS} WHERE change = 'deleted'") == [(12,)]


def test_a_drop_that_is_accepted_is_confirmed_all_the_same(sandbox: Sandbox, synced: Synced, world: Veiled) -> None:
    hidden, *doomed = [item["id"] for item in world.facility_records("f-2")[:12]]
    for id_ in doomed:
        world.delete_record(id_)
    world.veil(hidden, "f-2")
    again = sync(synced.settings, frozenset([CHILD]))
    assert (again.outcome, again.unproven_lists(), again.doubtful().keys()) == ("published_with_gaps", {}, {hidden})
    assert again.records() == {id_: row for id_, row in synced.records().items() if id_ not in doomed}


@pytest.mark.quick(2)
@pytest.mark.parametrize("counter_offset", [0, 1, -1])
@pytest.mark.parametrize(("id_", "scope"), [("w-2", (ROOT, WWT, "f-1")), ("f-1", (ROOT, "facilities", None))])
def test_what_the_list_hides_but_the_api_still_has_is_never_deleted(
    sandbox: Sandbox,
    synced: Synced,
    world: Veiled,
    *,
    id_: str,
    scope: tuple[str, str, str | None],
    counter_offset: int,
) -> None:
    world.veil(id_, "f-1")
    sandbox.behaviour = Behaviour(counter_offset=counter_offset)
    again = sync(synced.settings)
    assert (again.facilities(), again.records()) == (synced.facilities(), synced.records())
    changes = {row[0] for table in (RECORDS, FACILITIES) for row in again.query(f"SELECT change FROM {table}")}
    if found := again.unproven_lists().get(scope):
        assert (found[0], changes, counter_offset != 0) == ("unproven", {"new"}, True)
    elif id_ == "f-1":
        assert (changes, again.doubtful()) == ({"new", "unlisted"}, {})
    else:
        assert (again.outcome, changes) == ("published_with_gaps", {"new"})
        assert "still has it" in again.doubtful()[id_]


@pytest.mark.exhaustive
def test_three_quiet_syncs_add_nothing_but_their_own_books(sandbox: Sandbox, synced: Synced) -> None:
    told = [synced.query(f"SELECT * FROM {table} ORDER BY ALL") for table in CONTENT]
    sizes = []
    for runs in (2, 3, 4):
        with patch.object(rewrite, "GROWTH_PERCENT", 10):  # as the product has it
            again = sync(synced.settings)
        assert [again.query(f"SELECT * FROM {table} ORDER BY ALL") for table in CONTENT] == told
        assert again.publication.content_hash == synced.publication.content_hash
        found = again.query("SELECT run_id, content_changed, outcome FROM sync.runs ORDER BY started_at")
        assert (len(found), found[-1]) == (runs, (again.run_id, False, "published"))
        sizes.append((again.file.stat().st_size, (again.settings.data_dir / "working/warehouse.duckdb").stat().st_size))
    assert len(set(sizes)) == 1


ASKED = {
    "macro": f"{RECORDS}_as_of($1) WHERE true",
    "view": f"{RECORDS}_as_published WHERE published_at = $1",
    "plain": f"{RECORDS} WHERE valid_from <= $1 AND (valid_to IS NULL OR $1 < valid_to)",
}


@pytest.mark.parametrize("how", ASKED)
def test_any_reader_can_ask_what_was_published_then(sandbox: Sandbox, synced: Synced, how: str) -> None:
    sandbox.world.recalculate_record("w-1", "99.25")
    sandbox.world.delete_record("w-2")
    again = sync(synced.settings)
    query = f"SELECT count(*), sum(co2e_kg)::VARCHAR FROM {ASKED[how]} AND facility_id = 'f-1'"
    with duckdb.connect(str(synced.settings.data_dir / "dcycle_warehouse.duckdb"), read_only=True) as connection:
        moments = connection.execute("SELECT published_at FROM sync.runs ORDER BY published_at").fetchall()
        answers = [connection.execute(query, list(moment)).fetchall() for moment in moments]
    assert answers == [[(2, "10.500000000")], [(1, "99.250000000")]]
    assert len(again.records()) == 21


def test_the_monthly_summary_of_then_is_kept_too(sandbox: Sandbox, synced: Synced) -> None:
    before = datetime.now(UTC)
    sandbox.world.edit_record("w-1", co2e="31")
    again = sync(synced.settings)
    month = "month = DATE '2025-01-01' AND facility_id = 'f-1'"
    then = again.query(f"SELECT co2e_kg FROM history.emissions_by_facility_month_as_of(?) WHERE {month}", before)
    now = again.query(f"SELECT co2e_kg FROM summaries.emissions_by_facility_month WHERE {month}")
    assert [str(rows[0][0]) for rows in (then, now)] == ["10.500000000", "31.000000000"]
