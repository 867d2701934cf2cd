"""The world itself: defaults, changes, copies, and the generated holding."""

import re
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Thread

import pytest

from dcycle_pipeline.sandbox import World, a_month_later, demo_world

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def world():
    world = World("root", "Root")
    world.facility_id = world.add_facility("root")
    return world


@pytest.fixture(scope="module")
def holding():
    return demo_world()


@pytest.fixture(scope="module")
def later():
    """The holding a month later."""
    world = demo_world()
    a_month_later(world)
    return world


def everything(world):
    return [
        (world.tree(), world.facilities(id_), world.facilities(id_, legacy=True), world.records(id_))
        for id_ in world.organization_ids()
    ]


def starts(world, facility_id):
    return [item["start_date"] for item in world.facility_records(facility_id)]


def test_records_are_consecutive_months(world):
    world.add_records(world.facility_id, 14)
    world.add_record(world.facility_id)
    items = world.facility_records(world.facility_id)
    assert (items[0]["start_date"], items[0]["end_date"]) == ("2024-01-01", "2024-01-31")
    for before, after in pairwise(items):
        assert date.fromisoformat(before["end_date"]) + timedelta(days=1) == date.fromisoformat(after["start_date"])


def test_records_start_on_the_given_day(world):
    world.add_records(world.facility_id, 3, start_date=date(2022, 11, 15))
    assert starts(world, world.facility_id) == ["2022-11-15", "2022-12-15", "2023-01-15"]
    world.add_record(world.facility_id, start_date="2020-02-10", end_date="2020-02-10")
    assert world.facility_records(world.facility_id)[-1]["end_date"] == "2020-02-10"


def test_a_great_many_records_stay_in_the_past(world):
    world.add_records(world.facility_id, 1000)
    assert (min(starts(world, world.facility_id)), max(starts(world, world.facility_id))) == (
        "2006-01-01",
        "2025-12-01",
    )


def test_numbers_become_exact_decimals(world):
    id_ = world.add_record(world.facility_id, quantity=10, co2e="0.100000001", kg_sludge=0.1)
    item = world.find_record(id_)
    assert (item["quantity"], item["co2e"], item["kg_sludge"]) == (10, Decimal("0.100000001"), Decimal("0.1"))
    assert all(isinstance(item[name], Decimal) for name in ("quantity", "co2e", "kg_sludge", "percentage"))


def test_water_out_has_two_names_and_one_value(world):
    id_ = world.add_record(world.facility_id, m3_water_out=5)
    assert world.find_record(id_)["base_quantity"] == 5
    world.edit_record(id_, base_quantity=6)
    assert world.find_record(id_)["m3_water_out"] == 6
    world.edit_record(id_, base_quantity=7, m3_water_out=8)
    assert (world.find_record(id_)["base_quantity"], world.find_record(id_)["m3_water_out"]) == (7, 8)


def test_unprocessed_statuses_have_no_emissions_unless_given(world):
    assert world.find_record(world.add_record(world.facility_id, status="loading"))["co2e"] is None
    assert world.find_record(world.add_record(world.facility_id, status="loading", co2e=1))["co2e"] == 1
    assert world.find_record(world.add_record(world.facility_id, co2e=None))["co2e"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda world: world.add_record(world.facility_id, colour="red"),
        lambda world: world.add_facility("root", colour="red"),
        lambda world: world.edit_facility(world.facility_id, colour="red"),
        lambda world: world.edit_facility(world.facility_id, id="other"),
        lambda world: world.add_record(world.facility_id, quantity=True),
        lambda world: world.edit_record(world.add_record(world.facility_id), facility_id="other"),
    ],
)
def test_unknown_fields_and_wrong_values_are_refused(world, wrong):
    with pytest.raises(TypeError):
        wrong(world)


def test_ids_are_unique_and_places_exist(world):
    world.add_record(world.facility_id, id="r")
    with pytest.raises(ValueError, match="r exists already"):
        world.add_record(world.facility_id, id="r")
    with pytest.raises(ValueError, match="exists already"):
        world.add_facility("root", id=world.facility_id)
    with pytest.raises(KeyError):
        world.add_organization("x", "X", "nobody")
    with pytest.raises(KeyError):
        world.add_facility("nobody")


def test_what_is_handed_out_is_a_copy(world):
    id_ = world.add_record(world.facility_id)
    for item in (world.find_record(id_), world.facility_records(world.facility_id)[0], world.records("root")[0]):
        item["user"]["email"] = "changed"
        item["linked_projects"].append("changed")
    for item in (world.find_facility(world.facility_id), world.facilities("root")[0]):
        item["categories"].append("changed")
    assert "changed" not in repr(everything(world))


def test_a_deleted_facility_takes_its_records_along(world):
    (id_,) = world.add_records(world.facility_id, 1)
    world.delete_facility(world.facility_id)
    assert (world.find_record(id_), world.find_facility(world.facility_id), world.records("root")) == (None, None, [])


def test_an_edit_moves_updated_at_unless_it_says_otherwise(world):
    before = world.find_facility(world.facility_id)["updated_at"]
    world.edit_facility(world.facility_id, name="New")
    assert world.find_facility(world.facility_id)["updated_at"] > before
    world.edit_facility(world.facility_id, updated_at=None)
    assert world.find_facility(world.facility_id)["updated_at"] is None


def test_personal_strings_remember_people_who_left(world):
    user = {"id": "u", "first_name": "Ünal", "last_name": "Ærøskøbing", "email": "u@example.org"}
    id_ = world.add_record(world.facility_id, user=user, file_url="https://files.example.org/a?sig=1")
    world.edit_record(id_, file_url="https://files.example.org/a?sig=2")
    world.delete_record(id_)
    assert world.personal_strings() == {
        "Ünal", "Ærøskøbing", "u@example.org", "https://files.example.org/a?sig=1", "https://files.example.org/a?sig=2",
    }  # fmt: skip


def test_the_same_calls_give_the_same_world():
    def build():
        world = World("root", "Root")
        world.add_records(world.add_facility("root"), 3)
        return everything(world)

    assert build() == build()


def test_many_threads_may_change_a_world(world):
    threads = [Thread(target=lambda: [world.add_record(world.facility_id) for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.facility_records(world.facility_id)) == 800


def test_a_seed_decides_the_holding(holding):
    assert everything(demo_world(7)) == everything(holding)
    other = demo_world(8)
    assert other.root_id != holding.root_id
    assert other.tree() != holding.tree()
    assert len(other.facility_ids()) == len(holding.facility_ids())


def test_the_holding_is_a_group_of_companies(holding):
    tree = holding.tree()
    assert tree["id"] == holding.root_id
    assert 4 <= len(holding.organization_ids()) - 1 <= 6
    assert any(grandchild for child in tree["children"] for grandchild in child["children"])
    assert any(node["name"].startswith("Proyecto") for node in tree["children"])
    countries = {item["country"] for id_ in holding.organization_ids() for item in holding.facilities(id_)}
    assert countries == {"ES", "PT", "FR", "DE", "PL", "MX"}


def test_the_holding_has_facilities_of_all_kinds(holding):
    facilities = [holding.find_facility(id_) for id_ in holding.facility_ids()]
    records = {item["id"]: holding.facility_records(item["id"]) for item in facilities}
    assert 35 <= len(facilities) <= 45
    assert any(item["status"] == "archived" and records[item["id"]] for item in facilities)
    assert sum(not records[item["id"]] for item in facilities) > 5
    assert sum(item["hub_category"] is not None for item in facilities) == 2
    assert any(item["co2e"] is None for item in facilities)
    assert any(not item["name"].isascii() for item in facilities)
    assert max(map(len, records.values())) > 300
    means = [sum(r["quantity"] for r in rows) / len(rows) for rows in records.values() if rows]
    assert min(means) < 10
    assert max(means) > 80_000
    assert_totals_hold(holding)


def assert_totals_hold(world):
    """The API's total of a facility covers all its invoices, so it is never less than its own records."""
    for id_ in world.facility_ids():
        item, records = world.find_facility(id_), world.facility_records(id_)
        for name in ("co2e", "co2e_biomass"):
            assert item[name] is None or item[name] >= sum(record[name] or 0 for record in records)


def test_the_holding_has_records_of_all_kinds(holding):
    records = [record for id_ in holding.organization_ids() for record in holding.records(id_)]
    days = [(date.fromisoformat(r["end_date"]) - date.fromisoformat(r["start_date"])).days + 1 for r in records]
    assert 1_700 <= len(records) <= 2_300
    assert {record["status"] for record in records} == {"active", "uploaded", "loading", "error"}
    assert 0.03 < sum(record["co2e"] is None for record in records) / len(records) < 0.06
    assert any(record["co2e"] == 0 for record in records)
    assert any(record["co2e_biomass"] > 0 for record in records)
    assert max(-record["co2e"].as_tuple().exponent for record in records if record["co2e"] is not None) == 9
    assert sum(28 <= length <= 35 for length in days) > 1_300
    assert min(days) == 1
    assert max(days) > 80
    assert sum(record["start_date"][:7] != record["end_date"][:7] for record in records) > 1_000
    assert any(record["start_date"][:4] != record["end_date"][:4] for record in records)
    projects = [part for record in records for part in record["linked_projects"]]
    assert {type(part) for part in projects} == {str, dict}
    assert max(record["end_date"] for record in records) <= "2026-09-30"


def test_the_holding_has_gaps_and_overlaps(holding):
    distances = Counter()
    for facility_id in holding.facility_ids():
        rows = sorted(holding.facility_records(facility_id), key=lambda item: item["start_date"])
        for before, after in pairwise(rows):
            days = date.fromisoformat(after["start_date"]) - date.fromisoformat(before["end_date"])
            distances["gap" if days.days > 1 else "overlap" if days.days < 1 else "seamless"] += 1
    assert distances["seamless"] > 1_500
    assert 10 < distances["overlap"] < 150
    assert 10 < distances["gap"] < 150


def test_two_years_of_the_holding_are_complete(holding):
    """Every plant that had begun by then: so a year can be compared with the one before."""
    reported = {date(2024, 1, 1) + timedelta(days=day) for day in range(366 + 365)}
    for facility_id in holding.facility_ids():
        records = holding.facility_records(facility_id)
        days, pending = set(), []
        for record in records:
            first, last = (date.fromisoformat(record[name]) for name in ("start_date", "end_date"))
            if reported & {first, last}:
                pending += [record["id"]] if record["status"] != "active" or record["co2e"] is None else []
            days |= {first + timedelta(days=day) for day in range((last - first).days + 1)}
        assert not pending
        assert reported <= days or max(days, default=date.min) < min(reported)


def test_large_plants_of_the_holding_burn_biogas(holding):
    """By and large half to all of what else they emit; small ones report none."""
    shares = {}
    for facility_id in holding.facility_ids():
        records = [record for record in holding.facility_records(facility_id) if record["co2e"]]
        if records:
            water = sum(record["quantity"] for record in records) / len(records)
            shares[water] = sum(r["co2e_biomass"] for r in records) / sum(r["co2e"] for r in records)
    assert all(Decimal("0.4") < share < 1 for water, share in shares.items() if water > 30_000)
    assert {share for water, share in shares.items() if water < 10_000} == {0}


def changes_of(before, after):
    """The fields of each record that differ, by its id."""
    return {
        id_: {name for name in before[id_] if before[id_][name] != after[id_][name]}
        for id_ in before.keys() & after.keys()
        if before[id_] != after[id_]
    }


def test_a_month_later_something_of_every_kind_has_changed(holding, later):
    before, after = (
        {item["id"]: item for id_ in world.organization_ids() for item in world.records(id_)}
        for world in (holding, later)
    )
    changed = changes_of(before, after)
    settled = {id_ for id_ in changed if before[id_]["co2e"] is None}
    edited = {id_ for id_, names in changed.items() if "quantity" in names}
    recalculated = changed.keys() - settled - edited
    assert (len(settled), len(edited)) == (22, 1)
    assert all(after[id_]["co2e"] > 0 and changed[id_] <= {"co2e", "co2e_biomass"} for id_ in settled)
    countries = {later.find_facility(before[id_]["facility_id"])["country"] for id_ in recalculated}
    years = {before[id_]["start_date"][:4] for id_ in recalculated}
    assert (countries, years) == ({"PL"}, {"2025"})
    assert all(changed[id_] == {"co2e"} for id_ in recalculated)
    (gone,) = before.keys() - after.keys()
    twin = [
        r
        for r in after.values()
        if r["invoice_id"] == before[gone]["invoice_id"] and r["facility_id"] == before[gone]["facility_id"]
    ]
    assert [(r["start_date"], r["co2e"]) for r in twin] == [(before[gone]["start_date"], before[gone]["co2e"])]
    (new,) = (after[id_] for id_ in after.keys() - before.keys())
    assert new["end_date"] == "2026-09-30"
    assert_totals_hold(later)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(8, 40))
def test_every_seed_has_two_complete_years_and_a_month_later(seed):
    world = demo_world(seed)
    test_two_years_of_the_holding_are_complete(world)
    a_month_later(world)
    test_two_years_of_the_holding_are_complete(world)
    assert_totals_hold(world)


def test_a_month_later_is_the_same_each_time(holding, later):
    again = demo_world()
    a_month_later(again)
    assert everything(again) == everything(later) != everything(holding)


def test_the_holdings_ids_look_like_uuid4_and_its_people_are_findable(holding):
    records = [record for id_ in holding.organization_ids() for record in holding.records(id_)]
    ids = [record["id"] for record in records] + holding.facility_ids() + holding.organization_ids()
    assert all(UUID4.fullmatch(id_) for id_ in ids)
    assert len(set(ids)) == len(ids)
    people = {record["user"][name] for record in records for name in ("first_name", "last_name", "email")}
    urls = {record["file_url"] for record in records} - {None}
    assert holding.personal_strings() == people | urls
    assert all(email.endswith("@example.org") for email in people if "@" in email)
    assert any(not name.isascii() for name in people)
    assert all("X-Amz-Signature=" in url for url in urls)
