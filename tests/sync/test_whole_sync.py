"""A sync over real HTTP ends with exactly what the API holds, and never with less unless it says so."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.errors import SettingsError, UnavailableError
from dcycle_pipeline.sandbox import DEFORMATIONS, Behaviour, Sandbox, World, parse_behaviour
from dcycle_pipeline.summaries import SUMMARIES
from tests.conftest import CHILD, ROOT, Synced, assert_equal, records_of, settings_for, small_world, sync
from tests.sandbox.deformed import COSTS_A_FIELD, HARMLESS, RECORDS_ONLY

pytestmark = pytest.mark.usefixtures("few_summaries")

WWT = "waste_water_treatments"
LARGE = (ROOT, WWT, "f-large")


def assert_clean(synced: Synced, world: World, *, legacy: bool = False) -> None:
    assert_equal(synced, world, legacy=legacy)
    assert (synced.outcome, synced.unproven_lists(), synced.quarantined()) == ("published", {}, [])


def test_every_column_of_every_row_is_what_the_api_holds(sandbox: Sandbox, synced: Synced) -> None:
    assert_clean(synced, sandbox.world)
    projects = synced.query("SELECT project FROM dcycle.waste_water_treatment_projects")
    assert sorted((p[0] if p[0][0] != "{" else json.loads(p[0])["id"]) for p in projects) == ["p-1", "p-2"]
    assert synced.query("SELECT count(*) FROM dcycle.facility_cups") == [(3,)]
    assert synced.query("SELECT organization_id, depth FROM dcycle.organizations ORDER BY 2") == [(ROOT, 0), (CHILD, 1)]


def test_a_second_sync_without_changes_changes_nothing(sandbox: Sandbox, synced: Synced) -> None:
    tables = [row[0] for row in synced.query("SELECT schema_name || '.' || table_name FROM duckdb_tables()")]
    told = [summary.qualified for summary in SUMMARIES if not summary.is_content]  # how fresh, how complete
    contents = [name for name in tables if not name.startswith("sync.") and name not in ("dcycle.facilities", *told)]
    before = [synced.query(f"SELECT * FROM {name} ORDER BY ALL") for name in contents]
    again = sync(synced.settings)
    assert [again.query(f"SELECT * FROM {name} ORDER BY ALL") for name in contents] == before
    assert (again.publication.content_changed, again.facilities()) == (False, synced.facilities())
    assert again.publication.content_hash == synced.publication.content_hash


def test_edits_deletions_and_insertions_arrive(sandbox: Sandbox, synced: Synced) -> None:
    world, ids = sandbox.world, [item["id"] for item in sandbox.world.facility_records("f-large")]
    world.edit_record(ids[0], quantity="1.000000001", linked_projects=["p-9"])
    world.recalculate_record(ids[1], None)
    world.delete_record(ids[2])
    world.delete_record(ids[129])
    world.add_records("f-large", 3)
    world.add_record(world.add_facility(CHILD, id="f-new"))
    world.edit_facility("f-old", status="active", categories=["heat"])
    again = sync(synced.settings)
    assert_clean(again, world)
    deleted = again.query("SELECT sum(deleted_count) FROM sync.lists WHERE run_id = ?", again.run_id)
    assert (deleted, again.publication.content_changed) == ([(2,)], True)
    assert again.query("SELECT category FROM dcycle.facility_categories WHERE facility_id = 'f-old'") == [("heat",)]


@pytest.mark.quick(1)
@pytest.mark.parametrize("facility", ["f-large", "f-old", "f-empty", "f-north"])
def test_a_deleted_facility_goes_with_its_records(sandbox: Sandbox, synced: Synced, facility: str) -> None:
    sandbox.world.delete_facility(facility)
    accepted = frozenset([ROOT]) if facility == "f-large" else frozenset()
    assert_clean(sync(synced.settings, accepted), sandbox.world)


@pytest.mark.quick(1)
@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("denied", [CHILD, "f-large"])
def test_what_is_denied_keeps_its_last_rows_and_is_named(
    sandbox: Sandbox, synced: Synced, denied: str, status: int
) -> None:
    sandbox.world.add_records("f-large", 1)
    sandbox.world.add_records("f-north", 1)
    sandbox.behaviour = Behaviour(denied={denied: status})
    again = sync(synced.settings)
    assert again.outcome == "published_with_gaps"
    truth = synced.records() | again.records()
    assert again.records().keys() == truth.keys()
    stays = "f-north" if denied == CHILD else "f-large"
    lost = [id_ for id_, row in records_of(sandbox.world).items() if id_ not in again.records() and row[1] != stays]
    said = {401: "unauthorized", 403: "forbidden", 404: "not_found"}[status]
    assert said in {outcome for outcome, _ in again.unproven_lists().values()}
    if status != 401 or denied == CHILD:
        assert lost == []
    sandbox.behaviour = Behaviour()
    assert_clean(sync(synced.settings), sandbox.world)


def test_an_unproven_scope_keeps_its_rows_while_its_neighbours_move_on(sandbox: Sandbox, synced: Synced) -> None:
    world = sandbox.world
    world.edit_record(world.facility_records("f-large")[0]["id"], quantity=1)
    world.edit_record(world.facility_records("f-north")[0]["id"], quantity=1)
    sandbox.behaviour = parse_behaviour(["fault=500,facility_id=f-large,page=2"])
    again = sync(synced.settings)
    assert again.unproven_lists().keys() == {LARGE}
    part = {id_: row for id_, row in again.records().items() if row[1] != "f-large"}
    assert part == {id_: row for id_, row in records_of(world).items() if row[1] != "f-large"}
    assert {row for row in again.records().values() if row[1] == "f-large"} == {
        row for row in synced.records().values() if row[1] == "f-large"
    }


def test_an_organisation_that_left_the_tree_keeps_its_rows_and_is_reported(tmp_path: Path) -> None:
    with Sandbox(small_world()) as sandbox:
        first = sync(settings_for(sandbox, tmp_path / "data"))
    smaller = World(ROOT, "Holding X")
    smaller.add_records(smaller.add_facility(ROOT, id="f-large"), 1)
    for facility in ("f-old", "f-empty"):
        smaller.add_facility(ROOT, id=facility)
    with Sandbox(smaller) as sandbox:
        again = sync(settings_for(sandbox, tmp_path / "data"))
    assert again.outcome == "published_with_gaps"
    assert again.unproven_lists()[CHILD, "organizations", None][0] == "not_found"
    north = {id_: row for id_, row in first.records().items() if row[0] == CHILD}
    assert north.items() <= again.records().items()
    assert (CHILD,) in again.query("SELECT organization_id FROM dcycle.organizations")


@pytest.mark.quick(1)
@pytest.mark.parametrize("hidden", [False, True])
def test_the_legacy_list_of_facilities_gives_the_same_rows(tmp_path: Path, hidden: bool) -> None:
    with Sandbox(small_world(), Behaviour(legacy_archived_hidden=hidden)) as sandbox:
        settings = settings_for(sandbox, tmp_path / "data", facilities_api="legacy", user_id="u-1")
        assert_clean(sync(settings), sandbox.world, legacy=True)


@pytest.mark.quick(2)
@pytest.mark.parametrize("how", sorted(DEFORMATIONS))
def test_a_bad_item_is_set_aside_and_its_last_good_version_stays(sandbox: Sandbox, synced: Synced, how: str) -> None:
    world, id_ = sandbox.world, sandbox.world.facility_records("f-north")[2]["id"]
    good = synced.records()
    world.edit_record(id_, quantity="3.25", co2e=7)
    world.add_records("f-north", 1)
    sandbox.behaviour = Behaviour(malformed={id_: how})
    again = sync(synced.settings)
    if how in HARMLESS:
        assert (again.outcome, again.records()[id_][7]) == ("published", Decimal("3.25"))
        return
    assert again.outcome == "published_with_gaps"
    assert again.records()[id_] == good[id_]
    if (CHILD, WWT, "f-north") not in again.unproven_lists():
        assert again.records().keys() == records_of(world).keys()
        named = [row[0] for row in again.quarantined()]
        assert (named, again.doubtful().keys()) in (([id_], set()), ([""], {id_})), "without an id, the row is in doubt"


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", sorted(set(DEFORMATIONS) - HARMLESS - RECORDS_ONLY - COSTS_A_FIELD))
def test_a_bad_facility_is_set_aside_and_its_last_good_version_stays(
    sandbox: Sandbox, synced: Synced, how: str
) -> None:
    good = synced.facilities()
    sandbox.world.edit_facility("f-old", name="Renamed")
    sandbox.world.edit_facility("f-large", name="Renamed too")
    sandbox.behaviour = Behaviour(malformed={"f-old": how})
    again = sync(synced.settings)
    assert again.outcome == "published_with_gaps"
    assert again.facilities()["f-old"] == good["f-old"]
    assert again.records() == records_of(sandbox.world)


@pytest.mark.exhaustive
def test_a_bad_item_among_many_is_not_counted_as_gone_for_ever(sandbox: Sandbox, synced: Synced) -> None:
    bad = sandbox.world.facility_records("f-large")[7]["id"]
    sandbox.behaviour = Behaviour(malformed={bad: "date_garbage"})
    assert sync(synced.settings).quarantined()[0][0] == bad
    sandbox.behaviour = Behaviour()
    assert_clean(sync(synced.settings), sandbox.world)


def test_the_folder_of_another_root_is_refused_untouched(synced: Synced) -> None:
    before = {path: path.read_bytes() for path in synced.settings.data_dir.rglob("*") if path.is_file()}
    other = World("99999999-9999-4999-8999-999999999999", "Other")
    with Sandbox(other) as sandbox, pytest.raises(SettingsError, match="choose another folder"):
        sync(settings_for(sandbox, synced.settings.data_dir))
    after = {path: path.read_bytes() for path in synced.settings.data_dir.rglob("*") if path.is_file()}
    changed = {path.name for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed <= {"lock", "lock.holder"}


@pytest.mark.parametrize(
    "about", ['{"layout_version": 5}', '{"layout_version": 1}', '{"layout_version": "x"}', "[]", "{", ""]
)
def test_a_folder_of_a_newer_layout_or_damaged_is_refused(synced: Synced, about: str) -> None:
    (synced.settings.data_dir / "working" / "about.json").write_text(about)
    published = synced.publication.file.resolve()
    with pytest.raises(SettingsError):
        sync(synced.settings)
    assert synced.publication.file.resolve() == published


def test_a_second_writer_is_told_who_writes(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    program = (
        "import sys, pathlib; from dcycle_pipeline.data_folder import DataFolder\n"
        "with DataFolder(pathlib.Path(sys.argv[1])).writing('backup of Ana'): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(settings.data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "held\n"
        from dcycle_pipeline.sync.organizations import refresh_organizations
        from dcycle_pipeline.sync.run import Run

        with pytest.raises(UnavailableError, match="backup of Ana"):
            refresh_organizations(Run("r", settings, wait_for_folder_seconds=0))
        holder.stdin.close()
    sync(settings)


@pytest.mark.exhaustive
def test_more_than_a_thousand_records_in_shuffled_ties_arrive_exactly(tmp_path: Path) -> None:
    world = World(ROOT, "Holding X")
    facility = world.add_facility(ROOT)
    world.add_records(facility, 800)
    world.add_records(facility, 237, status="error", co2e=None)
    with Sandbox(world, Behaviour(ties="shuffled", ignore_sort=True)) as sandbox:
        assert_clean(sync(settings_for(sandbox, tmp_path / "data")), world)


def odd_text(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "invoice_id": "\x00\x01'; DROP TABLE x; -- \U0001f4a7"}


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    "deformed",
    [
        odd_text,
        lambda item: {**item, "id": ""},
        lambda item: {**item, "end_date": "9999-12-31"},
        lambda item: {**item, "start_date": "0001-01-01"},
        lambda item: {**item, "created_at": "9999-12-31T23:59:59-12:00"},
        lambda item: {**item, "created_at": "0001-01-01T00:00:00+12:00"},
        lambda item: {**item, "quantity": Decimal("1e-9999999")},
        lambda item: {**item, "quantity": Decimal("1e9999999")},
        lambda item: {**item, "quantity": "9999999999999999999.9999999999"},
        lambda item: {**item, "co2e": Decimal("9999999999999999999")},
        lambda item: {**item, "linked_projects": [None, 1, True, {"a": 1}, "x", "x"]},
    ],
    ids=["text", "empty id", "9999", "0001", "late", "early", "tiny", "huge", "round up", "large", "projects"],
)
@pytest.mark.parametrize("both", [False, True])
def test_an_odd_item_harms_nobody_else(
    sandbox: Sandbox, tmp_path: Path, deformed: Callable[[dict[str, Any]], dict[str, Any]], both: bool
) -> None:
    ids = [item["id"] for item in sandbox.world.facility_records("f-north")]
    sandbox.behaviour = Behaviour(malformed=dict.fromkeys(ids[: 2 if both else 1], deformed))
    synced = sync(settings_for(sandbox, tmp_path / "data"))
    others = {id_: row for id_, row in records_of(sandbox.world).items() if row[1] != "f-north"}
    assert others.items() <= synced.records().items()
    assert "" not in synced.records()
    if synced.outcome == "published":
        assert synced.records().keys() == records_of(sandbox.world).keys()
