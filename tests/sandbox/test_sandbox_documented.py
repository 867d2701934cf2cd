"""The sandbox's answers have the documentation's keys and JSON types, endpoint by endpoint and error by error."""

import pytest

from dcycle_pipeline.sandbox import demo_world

ANY = "any"


def shape(value, *, stub=False):
    """Names of JSON types; in a schema stub `{}` stands for any type."""
    if isinstance(value, dict):
        return ANY if stub and not value else {name: shape(part, stub=stub) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part, stub=stub) for part in value[:1]]
    if isinstance(value, bool) or value is None:
        return {True: "boolean", False: "boolean", None: "null"}[value]
    return "number" if isinstance(value, int | float) else "string"


def differences(ours, documented, where="$"):
    """The places at which our shape is not the documented one. A documented null says nothing about the type."""
    if documented in (ANY, "null") or ours == documented:
        return []
    if isinstance(ours, dict) and isinstance(documented, dict):
        lost = [f"{where}.{name} only on one side" for name in ours.keys() ^ documented.keys()]
        common = ours.keys() & documented.keys()
        return lost + [line for name in common for line in differences(ours[name], documented[name], f"{where}.{name}")]
    if isinstance(ours, list) and isinstance(documented, list):
        return differences(ours[0], documented[0], f"{where}[0]") if ours and documented else []
    return [f"{where}: {ours!r} instead of {documented!r}"]


def test_shapes_tell_lost_keys_and_other_types():
    assert differences(shape({"a": 1}), shape({"a": 1, "b": None})) == ["$.b only on one side"]
    assert differences(shape({"a": "1"}), shape({"a": 1})) == ["$.a: 'string' instead of 'number'"]
    assert differences(shape([{"a": True}]), shape([{"a": 1}])) == ["$[0].a: 'boolean' instead of 'number'"]
    assert differences(shape({"a": {"b": 1}}), shape({"a": {}}, stub=True)) == []


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("organizations_tree", "/v2/organizations/tree"),
        ("facilities", "/v1/facilities"),
        ("facility", "/v1/facilities/{plant}"),
        ("legacy_facilities", "/api/v1/facilities"),
        ("waste_water_treatments", "/v1/waste-water-treatments?facility_id={plant}"),
    ],
)
def test_answers_have_the_documented_shape(small, opened, documented, name, path):
    answer = opened(small.world).client.get(path.format(**vars(small)))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert differences(shape(answer.json()), shape(documented(name))) == []


def test_every_item_of_the_generated_world_has_the_documented_keys(small, opened, documented):
    world = demo_world()
    record = documented("waste_water_treatments")["items"][0]
    facility = documented("facility")
    legacy = documented("legacy_facilities")["items"][0]
    for organization_id in world.organization_ids():
        assert all(item.keys() == record.keys() for item in world.records(organization_id))
        assert all(item.keys() == facility.keys() for item in world.facilities(organization_id))
        assert all(item.keys() == legacy.keys() for item in world.facilities(organization_id, legacy=True))


def test_the_detail_is_one_item_of_the_list_without_envelope(small, opened, documented):
    server = opened(small.world)
    item = server.page(small.plant)["items"][0]
    detail = server.get(f"/v1/waste-water-treatments/{item['id']}/detail")
    assert (detail.status_code, detail.json()) == (200, item)
    assert differences(shape(item), shape(documented("waste_water_treatments")["items"][0])) == []


def test_the_schema_stubs_agree_with_items_given_as_an_object(small, opened, documented):
    from dcycle_pipeline.sandbox import Behaviour

    server = opened(small.world, Behaviour(items_as_object=True))
    page = server.page(small.plant, size=1)
    assert isinstance(page["items"], dict)
    assert differences(shape(page), shape(documented("waste_water_treatments_stub"), stub=True)) == []
    facility = server.get(f"/v1/facilities/{small.plant}").json()
    assert differences(shape(facility), shape(documented("facility_stub"), stub=True)) == []


def test_login_answers_as_documented(small, opened, documented):
    server = opened(small.world, email="me@example.org", password="secret")
    answer = server.client.post("/auth/login", json={"email": "me@example.org", "password": "secret"})
    assert answer.status_code == 200
    assert differences(shape(answer.json()), shape(documented("login"))) == []
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == 3600


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("waste_water_treatments_401", ("/v1/waste-water-treatments?facility_id={plant}", {"x-api-key": "sk_no"})),
        ("waste_water_treatments_401", ("/v1/facilities", {"x-api-key": "sk_no"})),
        ("waste_water_treatments_403", ("/v1/waste-water-treatments?facility_id={foreign}", {})),
        ("facility_403", ("/v1/facilities/{foreign}", {})),
        ("legacy_facilities_403", ("/api/v1/facilities", {"x-organization-id": "no-such-organisation"})),
        ("legacy_facilities_400", ("/api/v1/facilities?start_date=2024-01-01", {})),
        ("legacy_facilities_400", ("/api/v1/facilities?end_date=yesterday", {})),
    ],
)
def test_errors_are_the_documented_ones_word_for_word(small, opened, documented, name, asked):
    answer = opened(small.world).client.get(asked[0].format(**vars(small)), headers=asked[1])
    assert (answer.status_code, answer.json()) == (int(name[-3:]), documented(name))


def test_an_unknown_facility_is_not_found_with_a_python_like_id(small, opened, documented):
    answer = opened(small.world).get("/v1/facilities/33333333-3333-4333-8333-333333333333")
    expected = documented("facility_404")
    expected["detail"] = expected["detail"].replace("...", "33333333-3333-4333-8333-333333333333")
    assert (answer.status_code, answer.json()) == (404, expected)


def test_a_missing_facility_id_is_a_validation_error(small, opened, documented):
    answer = opened(small.world).get("/v1/waste-water-treatments")
    (ours,), (expected,) = answer.json()["detail"], documented("validation_422_assumed")["detail"]
    assert answer.status_code == 422
    assert {name: ours[name] for name in expected} == expected
