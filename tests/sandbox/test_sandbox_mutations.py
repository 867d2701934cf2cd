"""The world changes while it is read, at the request that the behaviour names."""

import pytest

from dcycle_pipeline.sandbox import Behaviour, Mutation, World

FACILITIES, RECORDS = "/v1/facilities", "/v1/waste-water-treatments"


def totals(server, facility_id, times):
    return [server.page(facility_id)["total_general"] for _ in range(times)]


@pytest.mark.parametrize(("action", "expected"), [("insert", [12, 12, 13, 13]), ("delete", [12, 12, 11, 11])])
def test_records_come_and_go_just_before_the_nth_request(small, opened, action, expected):
    server = opened(small.world, Behaviour(mutations=[Mutation(3, action)]))
    assert totals(server, small.plant, 4) == expected


@pytest.mark.parametrize(("action", "field"), [("recalculate", "co2e"), ("edit", "quantity")])
def test_records_change(small, opened, action, field):
    server = opened(small.world, Behaviour(mutations=[Mutation(2, action)]))
    before, after, still = ({item["id"]: item for item in server.page(small.plant)["items"]} for _ in range(3))
    (changed,) = [id_ for id_ in before if before[id_] != after[id_]]
    assert {name for name in before[changed] if before[changed][name] != after[changed][name]} == {field}
    assert still == after


def test_only_matching_requests_count(small, opened):
    server = opened(small.world, Behaviour(mutations=[Mutation(2, "insert", facility_id=small.plant)]))
    assert totals(server, small.old, 3) == [3, 3, 3]
    server.get(FACILITIES)
    server.get(RECORDS, facility_id="unknown")
    server.get(RECORDS, facility_id=small.plant, page=0)
    assert totals(server, small.plant, 3) == [12, 13, 13]


def test_only_requests_of_the_named_organisation_count(small, opened):
    mutation = Mutation(2, "insert_facility", organization_id=small.child)
    server = opened(small.world, Behaviour(mutations=[mutation]))
    assert [server.get(FACILITIES).json()["total"] for _ in range(3)] == [3, 3, 3]
    assert [server.get(FACILITIES, small.child).json()["total"] for _ in range(3)] == [1, 2, 2]


def test_facilities_come_and_go(small, opened):
    behaviour = Behaviour(mutations=[Mutation(2, "insert_facility", count=2), Mutation(3, "delete_facility")])
    server = opened(small.world, behaviour)
    server.page(small.plant)
    assert [server.get(FACILITIES).json()["total"] for _ in range(4)] == [3, 5, 4, 4]
    assert server.get(FACILITIES, small.child).json()["total"] == 1


def test_a_named_facility_is_deleted_between_two_lists(small, opened):
    gone = Mutation(1, "delete_facility", facility_id=small.plant, path=RECORDS)
    server = opened(small.world, Behaviour(mutations=[gone]))
    assert server.get(RECORDS, facility_id=small.plant).status_code == 404
    assert server.get(FACILITIES).json()["total"] == 2


def test_an_action_of_ones_own(small, opened):
    def archive(world):
        world.edit_facility(small.plant, status="archived")

    server = opened(small.world, Behaviour(mutations=[Mutation(2, archive, path=FACILITIES)]))
    assert [server.get(FACILITIES, status__="archived").json()["total"] for _ in range(3)] == [1, 2, 2]


def test_a_deletion_during_a_pass_hides_a_row_from_the_reader(small, opened):
    """The first row of page one is deleted, so the first row of page two moves up unseen."""
    first, *_ = [item["id"] for item in small.world.facility_records(small.plant)]
    mutation = Mutation(2, lambda world: world.delete_record(first))
    server = opened(small.world, Behaviour(mutations=[mutation]))
    read = {id_ for page in (1, 2, 3) for id_ in server.ids(small.plant, sort="start_date", size=5, page=page)}
    missed = {item["id"] for item in small.world.facility_records(small.plant)} - read
    assert len(missed) == 1


def churned(seed, kind, limit=3, requests=12, path=RECORDS):
    world = World("root", "Root")
    facility_id = world.add_facility("root")
    world.add_facility("root")
    world.add_records(facility_id, 5)
    return world, facility_id, Behaviour(churn=(seed, 2, kind), churn_limit=limit), path, requests


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("insert", [5, 6, 6, 7, 7, 8, 8, 8]),
        ("delete", [5, 4, 4, 3, 3, 2, 2, 2]),
        ("edit", [5] * 8),
        ("insert_facility", [5] * 8),
    ],
)
def test_churn_happens_every_nth_request_and_ends(opened, kind, expected):
    world, facility_id, behaviour, *_ = churned(1, kind)
    assert totals(opened(world, behaviour), facility_id, 8) == expected


@pytest.mark.parametrize("kind", ["mixed", "edit", "recalculate", "delete"])
def test_churn_is_decided_by_its_seed(opened, kind):
    ends = []
    for seed in (1, 1, 2, 3):
        world, facility_id, behaviour, *_ = churned(seed, kind)
        totals(opened(world, behaviour), facility_id, 8)
        ends.append(world.facility_records(facility_id))
    assert ends[0] == ends[1]
    assert ends[2] != ends[0] or ends[3] != ends[0]


def test_churn_of_facilities(opened):
    world, _, behaviour, *_ = churned(1, "delete_facility", limit=9)
    server = opened(world, behaviour)
    assert [server.get(FACILITIES).json()["total"] for _ in range(7)] == [2, 1, 1, 0, 0, 0, 0]


def test_unknown_actions_are_refused(small):
    with pytest.raises(ValueError, match="unknown action 'explode'"):
        Mutation(1, "explode")
    with pytest.raises(ValueError, match="churn is one of"):
        Behaviour(churn=(1, 1, "explode"))
