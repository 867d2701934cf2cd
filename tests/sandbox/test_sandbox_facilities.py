"""The facility lists, new and legacy: filters, pages, counters."""

from datetime import UTC, datetime

import pytest

from dcycle_pipeline.sandbox import Behaviour

NEW, LEGACY = "/v1/facilities", "/api/v1/facilities"


def names(answer):
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["Planta Álamo", "Ancienne Station", "Nave"]),
        ({"status__": "active"}, ["Planta Álamo", "Nave"]),
        ({"status__": ["archived"]}, ["Ancienne Station"]),
        ({"status__": ["active", "archived"]}, ["Planta Álamo", "Ancienne Station", "Nave"]),
        ({"name": "ÁLAMO"}, ["Planta Álamo"]),
        ({"country": "FR"}, ["Ancienne Station"]),
        ({"type": "warehouse"}, ["Nave"]),
        ({"type": "factory", "country": "ES"}, ["Planta Álamo"]),
    ],
)
def test_filters_of_the_new_list(small, opened, params, expected):
    answer = opened(small.world).get(NEW, **params)
    assert names(answer) == expected
    assert answer.json()["total"] == len(expected)


def test_pages_of_the_new_list(small, opened):
    small.world.add_records(small.plant, 1)
    for _ in range(18):
        small.world.add_facility(small.root)
    server = opened(small.world)
    first, last = server.get(NEW).json(), server.get(NEW, page=3).json()
    assert {name: first[name] for name in ("total", "page", "size", "pages")} == {
        "total": 21, "page": 1, "size": 10, "pages": 3,
    }  # fmt: skip
    assert (len(first["items"]), len(last["items"]), last["page"]) == (10, 1, 3)


@pytest.mark.parametrize(
    "params", [{"size": 101}, {"size": 0}, {"page": 0}, {"page": -1}, {"page": "two"}, {"status__": "x"}]
)
def test_wrong_parameters_of_the_new_list(small, opened, params):
    answer = opened(small.world).get(NEW, **params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(params)).replace("__", "[]")]


def test_an_item_is_what_the_world_says(small, opened):
    server = opened(small.world)
    small.world.edit_facility(small.plant, co2e="0.100000001", address=None, cups_list=None)
    (wire,) = [item for item in small.world.facilities(small.root) if item["id"] == small.plant]
    text = server.get(f"{NEW}/{small.plant}").text
    assert '"co2e":0.100000001' in text
    assert server.get(f"{NEW}/{small.plant}").json()["address"] is None
    assert str(wire["co2e"]) == "0.100000001"
    assert (
        not {"supercharger", "hub_category", "facility_id", "invoices_length"}
        & server.get(NEW).json()["items"][0].keys()
    )


def test_legacy_counters_count_neither_hubs_nor_matches(small, opened):
    answer = opened(small.world).get(LEGACY, filter_by="country:FR").json()
    assert [item["name"] for item in answer["items"]] == ["Ancienne Station"]
    assert (answer["total"], answer["total2"], answer["size"]) == (1, 1, 50)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["Planta Álamo", "Ancienne Station"]),
        ({"filter_by": "status:archived"}, ["Ancienne Station"]),
        ({"filter_by": "name:Planta Álamo"}, ["Planta Álamo"]),
        ({"name": "station"}, ["Ancienne Station"]),
        ({"sort_by": "name:asc"}, ["Ancienne Station", "Planta Álamo"]),
        ({"sort_by": "name:desc"}, ["Planta Álamo", "Ancienne Station"]),
        ({"sort_by": "created_at:asc"}, ["Ancienne Station", "Planta Álamo"]),
        ({"start_date": int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())}, ["Planta Álamo"]),
        ({"end_date": int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())}, ["Ancienne Station"]),
    ],
)
def test_filters_and_sorts_of_the_legacy_list(small, opened, params, expected):
    assert names(opened(small.world).get(LEGACY, **params)) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"page": 0},
        {"size": 101},
        {"size": "x"},
        {"filter_by": "country"},
        {"filter_by": "colour:red"},
        {"sort_by": "name:up"},
    ],
)
def test_wrong_parameters_of_the_legacy_list(small, opened, params):
    answer = opened(small.world).get(LEGACY, **params)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_legacy_numbers_and_stamps_are_never_null(small, opened):
    small.world.edit_facility(small.plant, co2e=None, updated_at=None)
    server = opened(small.world)
    item = server.get(LEGACY, filter_by="name:Planta Álamo").json()["items"][0]
    assert (item["co2e"], item["updated_at"]) == (0.0, "2024-01-15T10:30:00Z")
    assert server.get(f"{NEW}/{small.plant}").json()["co2e"] is None


def test_the_documentations_legacy_loop_stops_early_when_archived_rows_come_too(small, opened):
    for number in range(180):
        small.world.add_facility(small.root, status="archived" if number < 120 else "active")
    server = opened(small.world)
    fetched, page = [], 1
    while True:
        data = server.get(LEGACY, page=page, size=100).json()
        fetched.extend(data["items"])
        if len(fetched) >= data["total"]:
            break
        page += 1
    assert (len(fetched), data["total"] + data["total2"]) == (100, 182)


def test_switches_of_the_lists(small, opened):
    assert names(opened(small.world, Behaviour(only_active_by_default=True)).get(NEW)) == ["Planta Álamo", "Nave"]
    assert names(opened(small.world, Behaviour(hubs_hidden=True)).get(NEW)) == ["Planta Álamo", "Ancienne Station"]
    hidden = opened(small.world, Behaviour(legacy_archived_hidden=True))
    assert names(hidden.get(LEGACY)) == ["Planta Álamo"]
    assert names(hidden.get(LEGACY, filter_by="status:archived")) == ["Ancienne Station"]
    assert hidden.get(LEGACY).json()["total2"] == 1
