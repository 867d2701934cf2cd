"""Keys, tokens, organisations, and what is refused whoever asks."""

import pytest

from dcycle_pipeline.sandbox import EMAIL, PASSWORD, Behaviour

TREE, FACILITIES, RECORDS = "/v2/organizations/tree", "/v1/facilities", "/v1/waste-water-treatments"


def bearer(server, credential, path=FACILITIES, **headers):
    del server.client.headers["x-api-key"]
    try:
        return server.client.get(path, headers={"authorization": f"Bearer {credential}", **headers})
    finally:
        server.client.headers["x-api-key"] = server.sandbox.api_key


def log_in(server, email=EMAIL, password=PASSWORD):
    return server.client.post("/auth/login", json={"email": email, "password": password})


@pytest.mark.parametrize(
    "path", [TREE, FACILITIES, f"{FACILITIES}/x", "/api/v1/facilities", RECORDS, f"{RECORDS}/x/detail"]
)
def test_every_read_wants_a_valid_key(small, opened, path):
    server = opened(small.world)
    assert server.client.get(path, headers={"x-api-key": "sk_live_wrong"}).status_code == 401
    assert bearer(server, "sk_live_wrong", path).status_code == 401
    del server.client.headers["x-api-key"]
    assert server.client.get(path).status_code == 401


@pytest.mark.parametrize("path", [TREE, FACILITIES, "/api/v1/facilities", RECORDS])
def test_every_read_wants_an_organisation(small, opened, path):
    server = opened(small.world)
    del server.client.headers["x-organization-id"]
    answer = server.client.get(path)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "x-organization-id"]


def test_the_key_is_also_taken_as_bearer(small, opened):
    assert bearer(server := opened(small.world), server.sandbox.api_key).json()["total"] == 3


def test_a_token_opens_what_the_key_opens(small, opened):
    server = opened(small.world)
    assert bearer(server, log_in(server).json()["access_token"]).json()["total"] == 3


def test_a_token_dies_after_the_requests_it_was_given(small, opened):
    server = opened(small.world, Behaviour(token_requests=2))
    token = log_in(server).json()["access_token"]
    assert [bearer(server, token).status_code for _ in range(4)] == [200, 200, 401, 401]
    assert bearer(server, log_in(server).json()["access_token"]).status_code == 200


def test_a_token_dies_of_age(small, opened):
    server = opened(small.world, Behaviour(token_seconds=0))
    answer = log_in(server)
    assert answer.json()["expires_in"] == 0
    assert bearer(server, answer.json()["access_token"]).status_code == 401


def test_wrong_logins_get_no_token(small, opened):
    server = opened(small.world)
    assert log_in(server, password="guess").status_code == 401
    assert log_in(server, email="other@example.org").status_code == 401
    assert server.client.post("/auth/login", json={"email": EMAIL}).json()["detail"][0]["loc"] == ["body", "password"]
    assert server.client.post("/auth/login", content=b"not json").status_code == 422


def test_a_key_of_one_organisation_does_not_open_another(small, opened):
    server = opened(small.world, organization_keys={"sk_north": {small.child}})
    own = server.client.get(FACILITIES, headers={"x-api-key": "sk_north", "x-organization-id": small.child})
    assert [item["id"] for item in own.json()["items"]] == [small.foreign]
    for path in (FACILITIES, "/api/v1/facilities", f"{RECORDS}?facility_id={small.plant}"):
        answer = server.client.get(path, headers={"x-api-key": "sk_north"})
        assert (answer.status_code, answer.json()) == (403, {"detail": "Not authorized", "code": "FORBIDDEN"})
    assert bearer(server, "sk_north").status_code == 403


@pytest.mark.parametrize("asked", ["root", "child"])
def test_the_tree_is_the_whole_group_whoever_asks(small, opened, asked):
    server = opened(small.world, organization_keys={"sk_north": {small.child}})
    headers = {"x-api-key": "sk_north", "x-organization-id": vars(small)[asked]}
    leaf = {"id": small.child, "name": "Water North", "children": []}
    assert server.client.get(TREE, headers=headers).json() == {
        "id": small.root,
        "name": "Holding X",
        "children": [leaf],
    }


def test_the_tree_of_an_unknown_organisation_is_not_found(small, opened):
    answer = opened(small.world).get(TREE, "33333333-3333-4333-8333-333333333333")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"
    assert "33333333-3333-4333-8333-333333333333" in answer.json()["detail"]


def test_the_legacy_list_wants_a_user(small, opened):
    server = opened(small.world)
    del server.client.headers["x-user-id"]
    answer = server.client.get("/api/v1/facilities")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "x-user-id"]


@pytest.mark.parametrize("path", [FACILITIES, f"{FACILITIES}/x", "/api/v1/waste_water_treatments/x", TREE, "/nowhere"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_are_refused(small, opened, method, path):
    server = opened(small.world)
    before = server.get(FACILITIES).json()
    answer = server.client.request(method, path)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert server.get(FACILITIES).json() == before


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/waste-water-treatments/x", "/v1/facilities/", "/v1/invoices"])
def test_other_addresses_do_not_exist(small, opened, path):
    answer = opened(small.world).client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_requests_are_noted_without_secrets(small, opened):
    server = opened(small.world)
    server.get(FACILITIES, status__=["active", "archived"], page=2)
    server.client.get("/v1/facilities/x", headers={"x-organization-id": small.child})
    first, second = server.sandbox.requests
    assert (first.method, first.path, first.organization_id, first.status) == ("GET", FACILITIES, small.root, 200)
    assert first.query == [("status[]", "active"), ("status[]", "archived"), ("page", "2")]
    assert (second.path, second.organization_id, second.status, second.query) == (
        "/v1/facilities/x",
        small.child,
        404,
        [],
    )
    assert {"x-api-key", "x-organization-id"} <= set(first.header_names)
    assert server.sandbox.api_key not in repr(server.sandbox.requests)
    server.sandbox.clear_requests()
    assert server.sandbox.requests == []


def test_denied_organisations_and_facilities_stay_denied(small, opened):
    server = opened(small.world, Behaviour(denied={small.child: 401, small.plant: 403, small.old: 404}))
    for _ in range(3):
        assert server.get(FACILITIES, small.child).status_code == 401
        assert server.get(f"{FACILITIES}/{small.plant}").json() == {"detail": "Facility doesn't belong to organization"}
        assert server.get(RECORDS, facility_id=small.plant).json()["code"] == "FACILITY_NOT_BELONG_TO_ORGANIZATION"
        assert server.get(RECORDS, facility_id=small.old).status_code == 404
    assert server.get(TREE, small.child).status_code == 200
    assert server.get(RECORDS, facility_id=small.hub).json()["items"] == []


def test_a_denied_share_denies_the_same_facilities_every_time(small, opened):
    ids = [small.world.add_facility(small.root) for _ in range(40)]
    behaviour = Behaviour(denied_share=0.3, seed=5)
    server = opened(small.world, behaviour)
    denied = {id_ for id_ in ids if server.get(RECORDS, facility_id=id_).status_code == 403}
    assert denied == {id_ for id_ in ids if behaviour.denial_of(id_, facility=True)}
    assert 3 < len(denied) < 25
