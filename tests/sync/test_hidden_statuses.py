"""A row of a status that nobody asks for is named: it cannot hide behind the filter."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Sandbox, World, parse_behaviour
from tests.conftest import ROOT, Synced, facilities_of, quick_only, records_of, settings_for, small_world, sync

pytestmark = pytest.mark.usefixtures("few_summaries")

WWT = "waste_water_treatments"
LEGACY = {"facilities_api": "legacy", "user_id": "u-1"}
KNOWN = {"active", "archived", "uploaded", "loading", "error"}
# What a server may show without the filter. Its default is not documented.
DEFAULTS = {
    "all": Behaviour(),
    "without error": Behaviour(hidden_by_default=("error", "loading", "archived")),
    "two rows a page": Behaviour(max_size=2),
}


def odd_world() -> World:
    """Seven of eight records of one facility, and one facility of three, have a status that no documentation names."""
    world = World(ROOT, "Holding X")
    world.add_record(world.add_facility(ROOT, id="f-plain", status="archived"), status="error")
    world.add_record(world.add_facility(ROOT, id="f-review"))
    world.add_records("f-review", 7, status="review")
    world.add_records(world.add_facility(ROOT, id="f-inactive", status="inactive"), 4)
    return world


def strange(world: World) -> set[str]:
    rows = [*world.facilities(ROOT), *world.records(ROOT)]
    return {item["id"] for item in rows if item["status"] not in KNOWN}


def assert_named(synced: Synced, world: World, hidden: Collection[str]) -> None:
    """Every row that can be used is there, and each other is quarantined by its id."""
    assert synced.outcome == "published_with_gaps"
    assert sorted(item for item, _ in synced.quarantined()) == sorted(hidden)
    assert all("status is" in reason for _, reason in synced.quarantined())
    assert synced.unproven_lists() == {}
    assert synced.records() == {item: row for item, row in records_of(world).items() if item not in hidden}
    (quality,) = synced.query("SELECT sum(quarantined_count) FROM sync.runs")
    assert quality == (len(hidden),)


@pytest.mark.parametrize("default", quick_only(("all",), DEFAULTS))
def test_rows_of_a_status_that_nobody_asks_for_are_named(default: str, tmp_path: Path) -> None:
    world = odd_world()
    with Sandbox(world, DEFAULTS[default]) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert len(strange(world)) == 8
    assert_named(synced, world, strange(world))
    assert synced.facilities().keys() == {"f-plain", "f-review"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["404", "401", "403"])
def test_a_legacy_list_does_not_need_the_current_one(kind: str, tmp_path: Path) -> None:
    with Sandbox(small_world(), parse_behaviour([f"fault={kind},path=/v1/facilities"])) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data", **LEGACY))
        assert synced.records() == records_of(sandbox.world)
        assert (synced.outcome, synced.facilities()) == ("published", facilities_of(sandbox.world, legacy=True))


def test_a_row_that_goes_to_such_a_status_keeps_its_last_version_until_it_comes_back(tmp_path: Path) -> None:
    with Sandbox(small_world()) as sandbox:
        settings, world = settings_for(sandbox, tmp_path / "data"), sandbox.world
        before = sync(settings)
        moved = world.facility_records("f-north")[0]["id"]
        world.edit_record(moved, status="review", co2e=1)
        world.add_record("f-north")
        again = sync(settings)
        assert [item for item, _ in again.quarantined()] == [moved]
        assert again.records() == records_of(world) | {moved: before.records()[moved]}
        world.edit_record(moved, status="active")
        last = sync(settings)
    assert (last.outcome, last.records()) == ("published", records_of(world))


@pytest.mark.parametrize("hidden", quick_only((True,), [False, True]))
def test_the_legacy_list_of_facilities_hides_none_either(hidden: bool, tmp_path: Path) -> None:
    world = odd_world()
    world.add_facility(ROOT, id="f-hub", hub_category="warehouse_ambient")
    with Sandbox(world, Behaviour(legacy_archived_hidden=hidden)) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data", **LEGACY))
    assert_named(synced, world, strange(world))
    assert synced.facilities().keys() == {"f-plain", "f-review"}


@pytest.mark.exhaustive
def test_a_server_that_refuses_a_list_without_filter_is_read_and_named(tmp_path: Path) -> None:
    with Sandbox(small_world(), Behaviour(filter_needed=True)) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
        assert synced.facilities() == facilities_of(sandbox.world)
        assert synced.records() == records_of(sandbox.world)
    (drift,) = synced.query("SELECT drift FROM sync.runs")[0]
    assert [name.split(" ")[0] for name in drift] == ["facilities.status", f"{WWT}.status"]


def test_the_look_without_filter_costs_one_request_and_none_of_a_longer_list(tmp_path: Path) -> None:
    with Sandbox(small_world()) as sandbox:
        assert sync(settings_for(sandbox, tmp_path / "data")).outcome == "published"
        asked = [dict(request.query) | {"o": request.organization_id} for request in sandbox.requests]
        lists = Counter(query.get("facility_id", query["o"]) for query in asked if "page" in query)
        without = [query for query in asked if "page" in query and "status[]" not in query]
        looks = Counter(query.get("facility_id", query["o"]) for query in without)
    assert (looks.pop("f-large"), lists.pop("f-large")) == (2, 4), "two pages, and the look is the second pass"
    behind = Counter(query.get("facility_id", query["o"]) for query in without if query["page"] == "2")
    assert set((looks - behind).values()) == {1}, "and one behind a page as long as the longest so far"
