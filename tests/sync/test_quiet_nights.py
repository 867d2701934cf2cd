"""A night that reuses what the last one read gives what a night that reads everything gives, and asks for each page once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.types import Query
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import RejectedError
from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from dcycle_pipeline.sync import due, run
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse.merge import Staging
from tests.conftest import CHILD, ROOT, Synced, assert_equal, records_of, settings_for, small_world, sync

pytestmark = pytest.mark.usefixtures("few_summaries")
WWT = "waste_water_treatments"
Step = tuple[str, int]

# What must be the same, whichever way it was reached: all but run ids, moments, and how many passes a proof took.
LAST_RUN = "(SELECT arg_max(run_id, started_at) FROM sync.runs)"
COMPARED = {
    "facilities": "SELECT * EXCLUDE (first_seen_at, last_seen_at) FROM dcycle.facilities ORDER BY ALL",
    "records": f"SELECT * EXCLUDE (first_seen_at, last_changed_at) FROM dcycle.{WWT} ORDER BY ALL",
    "projects": "SELECT * FROM dcycle.waste_water_treatment_projects ORDER BY ALL",
    "versions": f"SELECT * EXCLUDE (first_seen_at, valid_from, valid_to, run_id, page), valid_to IS NULL AS valid FROM history.{WWT} ORDER BY ALL",
    "facility versions": "SELECT * EXCLUDE (first_seen_at, valid_from, valid_to, run_id, page), valid_to IS NULL AS valid FROM history.facilities ORDER BY ALL",
    "lists": f"""SELECT organization_id, endpoint, facility_id, outcome, regexp_replace(reason, 'after \\d+ passes', 'after passes'), distinct_ids_count,
        counter, deleted_count, quarantined_count FROM sync.lists WHERE run_id = {LAST_RUN} AND endpoint <> 'total_impacts' ORDER BY ALL""",
    "quarantine": f"""SELECT organization_id, endpoint, facility_id, item_id, reason, item FROM sync.quarantine
        WHERE run_id = {LAST_RUN} AND endpoint <> 'total_impacts' ORDER BY ALL""",
    "doubts": f"SELECT organization_id, endpoint, facility_id, item_id, reason FROM sync.doubtful_rows WHERE run_id = {LAST_RUN} ORDER BY ALL",
    "drift": f"SELECT outcome, drift, rows_count, quarantined_count, doubtful_count FROM sync.runs WHERE run_id = {LAST_RUN}",
}


def contents(synced: Synced) -> dict[str, list[tuple[Any, ...]]]:
    return {name: synced.query(query) for name, query in COMPARED.items()}


@contextmanager
def nothing_reused() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(due, "last_proven", lambda *_: {})
        yield


def change(sandbox: Sandbox, kind: str, which: int) -> None:  # noqa: PLR0912 - one branch a kind
    world = sandbox.world
    facilities = world.facility_ids()
    facility = facilities[which % len(facilities)]
    records = [item["id"] for each in facilities for item in world.facility_records(each)]
    record = records[which * 7 % len(records)] if records else ""
    if kind == "add":
        world.add_records(facility, 1 + which % 2, status=("active", "error", "loading", "review")[which % 4])
    elif kind == "recalculate" and record:
        world.recalculate_record(record, which)
    elif kind == "edit" and record:
        world.edit_record(record, quantity=which)
    elif kind == "delete" and record:
        world.delete_record(record)
    elif kind == "facility":
        world.add_records(world.add_facility((ROOT, CHILD)[which % 2]), which % 3)
    elif kind == "close" and len(facilities) > 1:
        world.delete_facility(facility)
    elif kind == "move":
        world.move_facility(facility, (ROOT, CHILD)[which % 2])
    elif kind in ("not_an_object", "missing_id", "number_garbage", "unreadable") and record:
        how = (lambda item: {**item, "created_at": "31/02/2025"}) if kind == "unreadable" else kind
        sandbox.behaviour = replace(sandbox.behaviour, malformed={record: how})
    elif kind == "sound":
        sandbox.behaviour = Behaviour()
    elif kind == "extra":
        sandbox.behaviour = replace(sandbox.behaviour, extra_fields=True)
    elif kind == "denied":
        sandbox.behaviour = replace(sandbox.behaviour, denied={facility: (403, 404)[which % 2]})
    elif kind == "hidden":
        sandbox.behaviour = replace(sandbox.behaviour, hidden_by_default=("error", "loading")[: 1 + which % 2])
    elif kind == "clamped":
        sandbox.behaviour = replace(sandbox.behaviour, max_size=(50, 100)[which % 2])


KINDS = (
    *("add", "recalculate", "edit", "delete", "facility", "close", "move", "not_an_object", "missing_id", "number_garbage"),
    *("unreadable", "sound", "extra", "denied", "hidden", "clamped"),
)  # fmt: skip
nights = st.lists(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40)), max_size=3), min_size=2, max_size=4)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@example([[], [("recalculate", 3)], []])
@example([[("number_garbage", 0)], [], [("add", 1)], []])
@example([[("denied", 2)], [("delete", 1)], [("sound", 0)], []])
@example([[("hidden", 1)], [("add", 1)], []])
@example([[("extra", 1)], [("sound", 1)], []])
@example([[("unreadable", 1)], [("add", 1)], [("sound", 1)]])
@given(nights)
def test_what_is_reused_is_what_a_new_read_gives(
    tmp_path_factory: pytest.TempPathFactory, life: list[list[Step]]
) -> None:
    folder = tmp_path_factory.mktemp("nights")
    with Sandbox(small_world()) as sandbox:
        reusing, anew = (settings_for(sandbox, folder / name) for name in ("reusing", "anew"))
        for steps in [[], *life]:
            for step in steps:
                change(sandbox, *step)
            found = contents(sync(reusing))
            with nothing_reused():
                assert found == contents(sync(anew))


def lived_in() -> World:
    """A world with a row of each status in each organisation, and a list of several pages."""
    world = small_world()
    for facility in ("f-large", "f-north"):
        for status in ("active", "uploaded", "loading", "error"):
            world.add_record(facility, status=status)
    return world


def pages_asked(sandbox: Sandbox) -> Counter[tuple[str, ...]]:
    asked = [dict(request.query) for request in sandbox.requests if request.path.endswith(WWT.replace("_", "-"))]
    return Counter((query["facility_id"], query["page"]) for query in asked)


def test_a_quiet_night_asks_for_each_page_once(tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data")
        before = sync(where)
        sandbox.clear_requests()
        again = sync(where)
        assert set(pages_asked(sandbox).values()) == {1}
        assert len(pages_asked(sandbox)) == 5, "four lists, one of two pages"
    assert contents(again) == contents(before)


def test_a_quiet_night_decodes_and_merges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged: list[int] = []
    load = Staging.load

    def counting(self: Staging, results: Any, kept: Any = ()) -> None:
        staged.append(len(results))
        load(self, results, kept)

    monkeypatch.setattr(Staging, "load", counting)
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data")
        sync(where)
        staged.clear()
        sync(where)
        assert set(staged) == {0}
        staged.clear()
        sandbox.world.recalculate_record(sandbox.world.facility_records("f-large")[0]["id"], 7)
        assert_equal(sync(where), sandbox.world)
    assert sum(staged) == 1


def test_a_landed_file_that_is_damaged_is_not_relied_on(tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data")
        sync(where)
        for path in (tmp_path / "data" / "landing").rglob("*.ndjson.zst"):
            whole = path.read_bytes()
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        sandbox.clear_requests()
        again = sync(where)
        assert pages_asked(sandbox)["f-large", "1"] == 2, "two passes again"
    assert again.outcome == "published"


def test_another_version_reads_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may clean, decode or judge the same answers in another way."""
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data")
        sync(where)
        monkeypatch.setattr(run, "version", lambda name: "99")
        sandbox.clear_requests()
        sync(where)
        assert pages_asked(sandbox)["f-large", "1"] == 2


@pytest.mark.quick(1)
@pytest.mark.parametrize("choice", ["keep", "pseudonymise"])
def test_other_choices_for_personal_data_are_as_right(choice: str, tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data", personal_data=choice)
        sync(where)
        sandbox.world.add_record("f-large")
        again = sync(where)
        assert again.records().keys() == records_of(sandbox.world).keys()
        assert contents(again) == contents(sync(where))


def moved(world: World, record: str, facility: str) -> None:
    """The same record in the list of another facility."""
    item = deepcopy(world.find_record(record))
    assert item is not None
    world.delete_record(record)
    item.pop("facility_id")
    world.add_record(facility, **item)


def test_a_row_that_lies_under_a_list_which_does_not_show_it_is_not_kept_for_ever(tmp_path: Path) -> None:
    """It moved and could not be used there, so its last version stayed; then it is deleted there, and its old list is as it was."""
    with Sandbox(lived_in()) as sandbox:
        where, world = settings_for(sandbox, tmp_path / "data"), sandbox.world
        unusable, row = world.add_record("f-old"), world.facility_records("f-old")[0]["id"]
        sandbox.behaviour = Behaviour(malformed={unusable: "number_garbage"})
        sync(where)
        moved(world, row, "f-large")
        sandbox.behaviour = Behaviour(malformed=dict.fromkeys((unusable, row), "number_garbage"))
        assert row in sync(where).records()
        world.delete_record(row)
        last = sync(where)
    assert row not in last.records()
    assert last.outcome == "published_with_gaps"


@pytest.mark.parametrize("offset", [1, -1])
def test_a_counter_that_disagrees_with_the_rows_of_last_night_proves_nothing(offset: int, tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data")
        sync(where)
        sandbox.behaviour = Behaviour(counter_offset=offset)
        again = sync(where)
    assert again.outcome == "published_with_gaps"
    assert {key[2] for key in again.unproven_lists()} >= {"f-large"}


@pytest.mark.exhaustive
def test_a_facility_that_left_an_organisation_and_came_back_is_there_again(tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(f'exclude = ["{CHILD}"]')
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data")
        sync(where)
        sync(where)
        sandbox.world.move_facility("f-north", ROOT)
        sync(settings_for(sandbox, tmp_path / "data", organizations_file=file))
        sandbox.world.move_facility("f-north", CHILD)
        assert_equal(sync(where), sandbox.world)


@pytest.mark.exhaustive
def test_a_list_that_a_rebuild_could_not_read_is_merged_once_its_pages_are_back(tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where, folder = settings_for(sandbox, tmp_path / "data"), DataFolder(tmp_path / "data")
        sync(where)
        record = sandbox.world.facility_records("f-old")[0]["id"]
        sandbox.world.recalculate_record(record, "777")
        second = sync(where)
        snapshot = second.publication.snapshot.resolve()
        snapshot.chmod(0o600)
        snapshot.write_bytes(b"damaged")
        (landed,) = (folder.landing / second.run_id).rglob("f-old.ndjson.zst")
        landed.rename(tmp_path / "away")
        folder.warehouse.unlink()
        with Run("rebuilds", where) as rebuilding, rebuilding.working_file():
            (tmp_path / "away").rename(landed)
        assert_equal(sync(where), sandbox.world)


def test_a_new_key_for_pseudonyms_gives_each_person_one_name(tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data", personal_data="pseudonymise")
        sync(where)
        (DataFolder(tmp_path / "data").working / "pseudonym.key").unlink()
        person = sandbox.world.facility_records("f-large")[0]["uploaded_by"]
        sandbox.world.add_record("f-old", uploaded_by=person)
        again = sync(where)
        people = {
            item["id"]: item["uploaded_by"]
            for each in ("f-large", "f-old")
            for item in sandbox.world.facility_records(each)
        }
    names = {row[-2] for record, row in again.records().items() if people.get(record) == person}
    assert len(names) == 1


def test_one_list_that_the_api_refuses_says_nothing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = DcycleApi.ask

    async def refusing(self: DcycleApi, path: str, query: Query, *rest: Any, **named: Any) -> Any:
        if ("facility_id", "f-old") in query:
            raise RejectedError("422: no")
        return await ask(self, path, query, *rest, **named)

    monkeypatch.setattr(DcycleApi, "ask", refusing)
    with Sandbox(lived_in()) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert synced.query("SELECT drift FROM sync.runs") == [([],)]
    assert [key[2] for key in synced.unproven_lists()] == ["f-old"]


@pytest.mark.exhaustive
def test_a_rebuild_from_an_old_snapshot_without_the_pages_since_does_not_stop_the_next_sync(tmp_path: Path) -> None:
    with Sandbox(lived_in()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data", keep_runs=1, keep_snapshots=5)
        sync(where)
        sandbox.world.delete_record(sandbox.world.facility_records("f-old")[0]["id"])
        for later in (sync(where), sync(where)):
            snapshot = later.publication.snapshot.resolve()
            snapshot.chmod(0o600)
            snapshot.write_bytes(b"damaged")
        DataFolder(tmp_path / "data").warehouse.unlink()
        assert_equal(sync(where), sandbox.world)
