"""The list of waste water treatments: filters, sorts, pages, counters."""

from itertools import chain

import pytest

RECORDS = "/v1/waste-water-treatments"


@pytest.fixture
def mixed(small):
    """Statuses, pending and calculated, projects, and a record across two years."""
    world, plant = small.world, small.plant
    small.across = world.add_record(plant, start_date="2025-12-20", end_date="2026-01-18", status="uploaded")
    small.loading = world.add_record(plant, start_date="2026-02-01", status="loading")
    small.error = world.add_record(plant, start_date="2026-03-01", status="error", linked_projects=["p-1"])
    small.pending = world.add_record(
        plant, start_date="2026-04-01", co2e=None, linked_projects=[{"id": "p-1", "name": "Uno"}]
    )
    return small


def test_counters(mixed, opened):
    page = opened(mixed.world).page(mixed.plant, status__="error")
    assert (page["total"], page["total2"], page["total_general"]) == (14, 1, 1)
    assert (page["page"], page["size"]) == (1, 50)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"status__": ["loading", "error"]}, {"loading", "error"}),
        ({"co2e_status": "not_calculated"}, {"loading", "error", "pending"}),
        ({"co2e_status": "calculated", "start_date": "2025-12-02"}, {"across"}),
        ({"project_id": "p-1"}, {"error", "pending"}),
        ({"start_date": "2026-02-01"}, {"loading", "error", "pending"}),
        ({"start_date": "2025-12-20", "end_date": "2026-02-28"}, {"across", "loading"}),
        ({"start_date": "2025-12-02", "end_date": "2025-12-31"}, set()),
        ({"start_date": "2026-01-01", "end_date": "2026-01-31"}, set()),
    ],
)
def test_filters_contain_whole_periods(mixed, opened, params, expected):
    page = opened(mixed.world).page(mixed.plant, size=100, **params)
    assert {item["id"] for item in page["items"]} == {vars(mixed)[name] for name in expected}
    assert page["total_general"] == len(expected)


@pytest.mark.parametrize("field", ["start_date", "end_date", "invoice_id", "created_at", "quantity"])
def test_sorts(mixed, opened, field):
    server = opened(mixed.world)
    up = [item[field] for item in server.page(mixed.plant, sort=field)["items"]]
    down = [item[field] for item in server.page(mixed.plant, sort=f"-{field}")["items"]]
    assert up == sorted(up)
    assert down == sorted(up, reverse=True)
    assert len(set(up)) > 2


def test_the_default_sort_is_newest_first(mixed, opened):
    stamps = [item["created_at"] for item in opened(mixed.world).page(mixed.plant)["items"]]
    assert stamps == sorted(stamps, reverse=True)


def test_pages_are_the_whole_list_once(small, opened):
    small.world.add_records(small.plant, 240)
    server = opened(small.world)
    pages = [server.ids(small.plant, size=100, page=number, sort="-start_date") for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [100, 100, 52, 0]
    assert sorted(chain.from_iterable(pages)) == sorted(
        item["id"] for item in small.world.facility_records(small.plant)
    )


def test_items_are_the_worlds_with_exact_numbers(small, opened):
    id_ = small.world.add_record(
        small.plant, co2e="0.123456789", quantity="98765432109876.000000001", start_date="2030-01-01"
    )
    text = opened(small.world).get(f"{RECORDS}/{id_}/detail").text
    assert '"co2e":0.123456789,' in text
    assert '"quantity":98765432109876.000000001,' in text
    assert '"percentage":1,' in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status[]", "done"), ("co2e_status", "maybe"), ("sort", "colour"), ("sort", "-co2e"), ("page", "0"),
        ("page", "1.5"), ("size", "101"), ("size", "-5"), ("start_date", "2025-13-01"), ("end_date", "1735689600"),
    ],
)  # fmt: skip
def test_wrong_parameters(small, opened, name, value):
    answer = opened(small.world).client.get(RECORDS, params={"facility_id": small.plant, name: value})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", name]
    assert answer.json()["detail"][0]["input"] == value


def test_unknown_parameters_are_ignored(small, opened):
    assert len(opened(small.world).ids(small.plant, status="error", include_children="true")) == 12


def test_unknown_and_foreign_ids(small, opened):
    server = opened(small.world)
    foreign = small.world.facility_records(small.foreign)[0]["id"]
    assert server.get(RECORDS, facility_id="nobody").json()["code"] == "NOT_FOUND"
    assert server.get(f"{RECORDS}/nobody/detail").json()["code"] == "NOT_FOUND"
    assert server.get(f"{RECORDS}/nobody/detail").status_code == 404
    assert server.get(f"{RECORDS}/{foreign}/detail").status_code == 403
    assert server.get(f"{RECORDS}/{foreign}/detail", small.child).status_code == 200


def test_changes_of_the_world_are_seen_at_once(small, opened):
    world, server = small.world, opened(small.world)
    first, second, *_ = server.ids(small.plant, sort="start_date")
    world.delete_record(first)
    world.recalculate_record(second, "7.5")
    page = server.page(small.plant, sort="start_date")
    assert (page["total"], page["total_general"]) == (11, 11)
    assert (page["items"][0]["id"], page["items"][0]["co2e"]) == (second, 7.5)
    assert server.get(f"{RECORDS}/{first}/detail").status_code == 404
    world.edit_record(second, base_quantity=3)
    assert server.page(small.plant, sort="start_date")["items"][0]["m3_water_out"] == 3
    world.delete_facility(small.plant)
    assert server.get(RECORDS, facility_id=small.plant).status_code == 404
    assert server.get(f"{RECORDS}/{second}/detail").status_code == 404
    assert server.get("/v1/facilities").json()["total"] == 2
