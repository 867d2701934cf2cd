"""The sandbox's total impacts: the documented shape and refusals, and sums that a plain calculation gives too."""

import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault
from tests.sandbox.test_sandbox_documented import differences, shape

PATH = "/v1/total-impacts"
YEAR = {"start_date": "2025-01-01", "end_date": "2025-12-31"}


def ask(server, organization_id=None, **asked):
    answer = server.get(PATH, organization_id, **YEAR | asked)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def by_category(answer):
    return {item["category"]: item["co2e"] for item in answer["items"]}


@pytest.mark.parametrize(
    ("group_by", "without"),
    [("scope", {"category", "year", "month"}), ("category", {"year", "month"}), ("month", {"scope", "category"})],
)
def test_answers_have_the_documented_keys_and_types(small, opened, documented, group_by, without):
    answer = opened(small.world).get(PATH, **YEAR, group_by=group_by).json()
    expected = documented("total_impacts_stub")
    for item in answer["items"]:
        assert item.keys() == expected["items"][0].keys()
        assert {name for name, value in item.items() if value is None} == without
        kept = {name: value for name, value in item.items() if value is not None}
        assert differences(shape(kept), shape({name: expected["items"][0][name] for name in kept})) == []
    assert differences(shape({**answer, "items": []}), shape(expected)) == []
    assert answer["unit"] == "tCO2e"


def test_grouping_by_scope_is_the_default_and_every_grouping_has_the_same_total(small, opened):
    server = opened(small.world)
    assert ask(server) == ask(server, group_by="scope")
    for grouping in ("scope", "category", "month"):
        answer = ask(server, group_by=grouping)
        assert sum(item["co2e"] for item in answer["items"]) == answer["total_co2e"]
        assert answer["total_co2e"] == pytest.approx(ask(server)["total_co2e"], abs=Decimal("1e-7"))
    assert {item["scope"] for item in ask(server)["items"]} == {1, 2, 3}
    assert [item["month"] for item in ask(server, group_by="month")["items"]] == [1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "period",
    [("2025-12-31", "2025-01-01"), ("2023-01-01", "2025-01-01"), ("2020-01-01", "2025-12-31")],
)
def test_a_period_that_runs_backwards_or_is_too_long_is_refused(small, opened, documented, period):
    answer = opened(small.world).get(PATH, start_date=period[0], end_date=period[1])
    assert (answer.status_code, answer.json()) == (400, documented("total_impacts_400_assumed"))


def test_two_years_are_answered(small, opened):
    assert opened(small.world).get(PATH, start_date="2023-01-01", end_date="2024-12-31").status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"start_date": "2025-01-01"},
        {"end_date": "2025-01-01"},
        YEAR | {"start_date": "01/01/2025"},
        YEAR | {"group_by": "facility"},
        YEAR | {"include_children": "perhaps"},
    ],
)
def test_what_is_missing_or_unknown_is_a_validation_error(small, opened, asked):
    assert opened(small.world).get(PATH, **asked).status_code == 422


def test_treatments_are_those_that_are_active_and_calculated_by_days(small, opened):
    server, world = opened(small.world), small.world
    for item in world.facility_records(small.plant):
        world.delete_record(item["id"])
    assert "waste_water_treatments" not in by_category(ask(server, group_by="category"))
    world.add_record(small.plant, start_date="2024-12-22", end_date="2025-01-10", co2e="2000")
    world.add_record(small.plant, start_date="2025-03-01", end_date="2025-03-01", co2e="0.5")
    world.add_record(small.plant, start_date="2025-12-31", end_date="2026-01-01", co2e="3")
    for status in ("uploaded", "loading", "error"):
        world.add_record(small.plant, start_date="2025-04-01", status=status, co2e="1000")
    world.add_record(small.plant, start_date="2025-05-01", co2e=None)
    found = by_category(ask(server, group_by="category"))["waste_water_treatments"]
    assert found == (Decimal(2000) / 20 * 10 + Decimal("0.5") + Decimal("1.5")) / 1000


def test_the_parts_of_a_period_add_up(small, opened):
    server, world = opened(small.world), small.world
    world.add_record(small.plant, start_date="2024-02-29", end_date="2025-03-01", co2e="123456.789")
    total, day = Fraction(0), date(2025, 1, 1)
    while day.year == 2025:
        after = day + timedelta(days=83)
        last = min(after - timedelta(days=1), date(2025, 12, 31))
        total += Fraction(ask(server, start_date=day.isoformat(), end_date=last.isoformat())["total_co2e"])
        day = after
    assert abs(total - Fraction(ask(server)["total_co2e"])) < Fraction(1, 10**7)


def test_children_are_left_out_unless_asked_for(small, opened):
    server = opened(small.world)
    mine, theirs = ask(server, group_by="category"), ask(server, small.child, group_by="category")
    both = ask(server, group_by="category", include_children="true")
    for category in by_category(both):
        together = by_category(mine)[category] + by_category(theirs)[category]
        assert by_category(both)[category] == pytest.approx(together, abs=Decimal("1e-8"))
    assert ask(server, include_children="false")["total_co2e"] == ask(server)["total_co2e"] < both["total_co2e"]
    assert ask(server, small.child, include_children="true") == ask(server, small.child)


def test_it_is_guarded_and_fails_like_every_other_endpoint(small, opened):
    foreign = opened(small.world, organization_keys={"sk_child": {small.child}})
    refused = foreign.client.get(PATH, params=YEAR, headers={"x-api-key": "sk_child"})
    assert (refused.status_code, refused.json()) == (403, {"detail": "Not authorized", "code": "FORBIDDEN"})
    assert foreign.client.get(PATH, params=YEAR, headers={"x-api-key": "sk_no"}).status_code == 401
    assert foreign.get(PATH, "no-such-organisation", **YEAR).status_code == 403
    for kind in ("403", "404", "500"):
        server = opened(small.world, Behaviour(faults=(Fault(kind, path=PATH),)))
        assert server.get(PATH, **YEAR).status_code == int(kind)
        assert server.get("/v1/facilities").status_code == 200


@pytest.mark.parametrize(
    ("how", "field", "value"),
    [
        ("wrong_unit", "unit", "MWh"),
        ("number_garbage", "total_co2e", "12,5 m³ aprox."),
        ("nan_text", "total_co2e", "NaN"),
    ],
)
def test_an_answer_may_be_malformed(small, opened, how, field, value):
    usual = ask(opened(small.world))
    deformed = ask(opened(small.world, Behaviour(malformed={small.root: how})))
    assert deformed == usual | {field: value}
