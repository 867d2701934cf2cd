"""Every named deformation deforms what it says and nothing else."""

import math

import pytest

from dcycle_pipeline.sandbox import APPROVER, DEFORMATIONS, Behaviour
from tests.sandbox.deformed import HARMLESS, RECORDS_ONLY

RECORDS = "/v1/waste-water-treatments"


def both(opened, small, kind):
    """The same record as it is and as it is served, from the list."""
    good = small.world.facility_records(small.plant)[4]["id"]
    server = opened(small.world)
    position = server.ids(small.plant, sort="start_date").index(good)
    before = server.page(small.plant, sort="start_date")
    server.sandbox.behaviour = Behaviour(malformed={good: kind})
    after = server.page(small.plant, sort="start_date")
    neighbours = [item for index, item in enumerate(before["items"]) if index != position]
    assert [item for index, item in enumerate(after["items"]) if index != position] == neighbours
    assert after["total_general"] == before["total_general"]
    assert server.get(f"{RECORDS}/{good}/detail").json() == after["items"][position]
    return before["items"][position], after["items"][position]


CHANGED = {
    "missing_id": {"id"},
    "id_null": {"id"},
    "number_as_text": {"quantity"},
    "number_garbage": {"quantity"},
    "nan_text": {"quantity"},
    "huge_number": {"quantity"},
    "bool_number": {"quantity"},
    "date_with_time": {"start_date", "end_date"},
    "date_garbage": {"start_date"},
    "end_before_start": {"end_date"},
    "unknown_status": {"status"},
    "missing_optional": {"file_url", "uploaded_by", "linked_projects", "facility_percentages"},
    "wrong_unit": {"unit"},
    "unknown_field": {"approved_by", "methodology_version"},
    "foreign_facility_id": {"facility_id"},
    "out_values_differ": {"m3_water_out"},
}


@pytest.mark.parametrize("kind", sorted(CHANGED))
def test_a_deformation_changes_its_fields_only(small, opened, kind):
    good, bad = both(opened, small, kind)
    absent = object()
    assert {name for name in good.keys() | bad.keys() if good.get(name, absent) != bad.get(name, absent)} == CHANGED[
        kind
    ]


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        ("missing_id", lambda good, bad: "id" not in bad),
        ("id_null", lambda good, bad: bad["id"] is None),
        ("number_as_text", lambda good, bad: float(bad["quantity"]) == good["quantity"]),
        ("nan_text", lambda good, bad: math.isnan(float(bad["quantity"]))),
        ("huge_number", lambda good, bad: math.isinf(bad["quantity"])),
        ("bool_number", lambda good, bad: bad["quantity"] is True),
        ("date_with_time", lambda good, bad: bad["start_date"] == good["start_date"] + "T00:00:00"),
        ("end_before_start", lambda good, bad: bad["end_date"] < bad["start_date"]),
        ("not_an_object", lambda good, bad: isinstance(bad, str)),
        ("null_item", lambda good, bad: bad is None),
        ("wrong_unit", lambda good, bad: bad["unit"]["type"] == "mass"),
        ("unknown_field", lambda good, bad: bad["approved_by"] == APPROVER),
        ("out_values_differ", lambda good, bad: bad["m3_water_out"] != bad["base_quantity"]),
    ],
)
def test_what_a_deformation_is(small, opened, kind, right):
    assert right(*both(opened, small, kind))


def test_every_deformation_is_looked_at_here():
    assert set(DEFORMATIONS) == CHANGED.keys() | {"not_an_object", "null_item"}
    assert set(DEFORMATIONS) > HARMLESS


@pytest.mark.parametrize("kind", sorted(DEFORMATIONS))
@pytest.mark.parametrize("path", ["/v1/facilities", "/api/v1/facilities"])
def test_facilities_are_deformed_too(small, opened, kind, path):
    server = opened(small.world)
    before = server.get(path).json()["items"]
    server.sandbox.behaviour = Behaviour(malformed={small.plant: kind})
    after = server.get(path).json()["items"]
    assert after[1:] == before[1:]
    assert (after[0] == before[0]) == (kind in RECORDS_ONLY)


def test_an_own_deformation(small, opened):
    first = small.world.facility_records(small.plant)[0]["id"]
    server = opened(small.world, Behaviour(malformed={first: lambda item: {"only": item["id"]}}))
    assert server.page(small.plant, sort="start_date")["items"][0] == {"only": first}
    assert "quantity" in small.world.find_record(first)


def test_a_share_of_the_items_is_deformed_for_good(small, opened):
    ids = small.world.add_records(small.hub, 200)
    behaviour = Behaviour(malformed_share=0.25, malformed_kinds=("missing_id", "null_item"), seed=9)
    chosen = {id_: behaviour.deformation_of(id_) for id_ in ids}
    server = opened(small.world, behaviour)
    pages = [server.page(small.hub, size=100, page=number, sort="start_date")["items"] for number in (1, 2, 1)]
    assert pages[0] == pages[2]
    items = pages[0] + pages[1]
    assert sum(item is None for item in items) == sum(how == "null_item" for how in chosen.values()) > 5
    assert sum(item is not None and "id" not in item for item in items) == list(chosen.values()).count("missing_id") > 5
    assert 25 < sum(how is not None for how in chosen.values()) < 80
    assert Behaviour(malformed_share=0.25, seed=10).deformation_of(ids[0]) or chosen != {
        id_: Behaviour(malformed_share=0.25, seed=10).deformation_of(id_) for id_ in ids
    }


def test_unknown_deformations_are_refused():
    with pytest.raises(ValueError, match="malformed is one of"):
        Behaviour(malformed={"x": "melted"})
