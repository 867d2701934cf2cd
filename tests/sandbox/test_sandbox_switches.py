"""Every switch of paging and items does what it says."""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from math import ceil

import pytest

from dcycle_pipeline.sandbox import API_KEY, Behaviour, Fault

RECORDS = "/v1/waste-water-treatments"


@pytest.fixture
def many(small):
    small.many = small.world.add_facility(small.root)
    small.ids = small.world.add_records(small.many, 1037, start_date="2024-01-01")
    return small


def read_pass(server, facility_id, *, counter, size=100, **params):
    """The documentation's own loop: until as many rows came as the counter says; at most 50 pages."""
    rows = []
    for number in range(1, 51):
        page = server.page(facility_id, page=number, size=size, **params)
        rows.extend(item["id"] for item in page["items"])
        if len(rows) >= page[counter]:
            break
    return rows


def test_the_documentations_loop_with_total_loses_loading_and_error_rows(many, opened):
    for number, id_ in enumerate(many.ids[:237]):
        many.world.edit_record(id_, status="loading" if number % 2 else "error")
    server = opened(many.world)
    lost = set(many.ids) - set(read_pass(server, many.many, counter="total"))
    page = server.page(many.many)
    assert (page["total"], page["total2"], page["total_general"]) == (800, 118, 1037)
    assert len(lost) == 237
    assert len(set(read_pass(server, many.many, counter="total_general"))) == 1037


def test_shuffled_ties_lose_rows_although_the_count_is_right(many, opened):
    server = opened(many.world, Behaviour(ties="shuffled"))
    by_default = read_pass(server, many.many, counter="total_general")
    assert len(by_default) == 1037
    assert len(set(by_default)) < 1000
    assert server.ids(many.many, size=100) != server.ids(many.many, size=100)


def test_shuffled_ties_keep_the_order_of_different_values(many, opened):
    server = opened(many.world, Behaviour(ties="shuffled"))
    pages = [server.page(many.many, size=100, sort="start_date")["items"] for _ in range(2)]
    assert pages[0] != pages[1]
    starts = [item["start_date"] for item in pages[0]]
    assert starts == sorted(starts)
    unique = [server.ids(many.plant, sort="start_date") for _ in range(2)]
    assert unique[0] == unique[1]


def test_stable_ties_stay(many, opened):
    server = opened(many.world)
    assert server.ids(many.many, size=100) == server.ids(many.many, size=100)
    assert len(set(read_pass(server, many.many, counter="total_general"))) == 1037


def test_an_ignored_sort_is_one_big_tie(many, opened):
    ignoring = opened(many.world, Behaviour(ignore_sort=True))
    assert ignoring.ids(many.many, sort="start_date") == ignoring.ids(many.many, sort="-start_date")
    both = opened(many.world, Behaviour(ignore_sort=True, ties="shuffled"))
    starts = [item["start_date"] for item in both.page(many.many, sort="start_date", size=100)["items"]]
    assert starts != sorted(starts)


def test_facility_lists_are_shuffled_as_one_tie(small, opened):
    for _ in range(30):
        small.world.add_facility(small.root)
    server = opened(small.world, Behaviour(ties="shuffled"))
    for path in ("/v1/facilities", "/api/v1/facilities"):
        first, second = ([item["id"] for item in server.get(path, size=100).json()["items"]] for _ in range(2))
        assert first != second
        assert sorted(first) == sorted(second)
    by_name = [server.get("/api/v1/facilities", sort_by="name:asc").text for _ in range(2)]
    assert by_name[0] == by_name[1]


def test_a_clamped_size_is_echoed_or_not(small, opened):
    honest = opened(small.world, Behaviour(max_size=5)).page(small.plant, size=100)
    lying = opened(small.world, Behaviour(max_size=5, clamp_echo=False)).page(small.plant, size=100)
    assert (len(honest["items"]), honest["size"], honest["total_general"]) == (5, 5, 12)
    assert (len(lying["items"]), lying["size"], lying["total_general"]) == (5, 100, 12)


def test_a_clamping_server_accepts_any_size_and_smaller_ones_stay(small, opened):
    server = opened(small.world, Behaviour(max_size=5))
    assert len(server.ids(small.plant, size=5000)) == 5
    assert len(server.ids(small.plant, size=3)) == 3
    ids = {id_ for number in (1, 2, 3) for id_ in server.ids(small.plant, size=100, page=number)}
    assert len(ids) == 12


def test_pages_follow_the_echoed_size(small, opened):
    for echo, pages in ((True, 2), (False, 1)):
        server = opened(small.world, Behaviour(max_size=2, clamp_echo=echo))
        assert server.get("/v1/facilities", size=100).json()["pages"] == pages


@pytest.mark.parametrize(
    "path", ["/v1/facilities?size=2", RECORDS + "?size=10&facility_id={plant}", "/api/v1/facilities?size=1"]
)
def test_past_the_end(small, opened, path):
    server = opened(small.world)
    url = path.format(**vars(small))

    def ask(page, **switches):
        server.sandbox.behaviour = Behaviour(**switches)
        return server.client.get(f"{url}&page={page}")

    assert ask(9).json()["items"] == []
    repeated = ask(9, past_end="repeat").json()
    assert repeated["items"] == ask(2).json()["items"] != []
    assert repeated["page"] == 9
    assert ask(9, past_end="404").status_code == 404
    assert ask(9, past_end="422").status_code == 422
    for past_end in ("repeat", "404", "422"):
        assert len(ask(2, past_end=past_end).json()["items"]) > 0


@pytest.mark.parametrize("past_end", ["empty", "repeat", "404", "422"])
def test_page_one_of_nothing_is_no_page_past_the_end(small, opened, past_end):
    page = opened(small.world, Behaviour(past_end=past_end)).page(small.hub)
    assert (page["items"], page["total_general"]) == ([], 0)


@pytest.mark.parametrize("offset", [-3, 4])
def test_counters_may_be_wrong(small, opened, offset):
    server = opened(small.world, Behaviour(counter_offset=offset))
    page = server.page(small.plant)
    assert (page["total_general"], page["total"], len(page["items"])) == (12 + offset, 12, 12)
    new = server.get("/v1/facilities", size=1).json()
    assert (new["total"], new["pages"]) == (max(0, 3 + offset),) * 2
    assert server.get("/api/v1/facilities").json()["total"] == max(0, 1 + offset)


def test_counters_may_be_missing(small, opened):
    server = opened(small.world, Behaviour(missing_counter=True))
    assert server.page(small.plant).keys() == {"items", "total", "total2", "page", "size"}
    assert server.get("/v1/facilities").json().keys() == {"items", "page", "size"}
    assert server.get("/api/v1/facilities").json().keys() == {"items", "page", "size"}


def test_only_active_by_default(small, opened):
    small.world.add_record(small.plant, status="error")
    server = opened(small.world, Behaviour(only_active_by_default=True))
    assert server.page(small.plant)["total_general"] == 12
    assert server.page(small.plant, status__=["active", "error"])["total_general"] == 13


def test_items_as_object_only_for_one_item(small, opened):
    server = opened(small.world, Behaviour(items_as_object=True))
    assert isinstance(server.page(small.plant, size=2)["items"], list)
    assert isinstance(server.page(small.plant, size=1)["items"], dict)
    assert server.page(small.hub)["items"] == []


def test_numbers_as_text(small, opened):
    small.world.edit_record(small.world.facility_records(small.plant)[0]["id"], co2e=Decimal("1E-9"))
    server = opened(small.world, Behaviour(numbers_as_text=True))
    item = server.page(small.plant, sort="start_date")["items"][0]
    assert (item["co2e"], item["percentage"]) == ("0.000000001", "1")
    assert isinstance(server.get("/v1/facilities").json()["items"][0]["co2e"], str)
    assert isinstance(server.page(small.plant)["total"], int)


def test_extra_fields_hold_a_person_that_the_sandbox_knows_of(small, opened):
    server = opened(small.world, Behaviour(extra_fields=True))
    for item in (server.page(small.plant)["items"][0], server.get("/v1/facilities").json()["items"][0]):
        assert set(item["approved_by"].values()) <= server.sandbox.personal_strings()


def test_validation_as_text(small, opened):
    answer = opened(small.world, Behaviour(validation_as_text=True)).get(RECORDS)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "facility_id: Field required"


def test_switches_work_together(small, opened):
    behaviour = Behaviour(
        max_size=5, clamp_echo=False, ties="shuffled", counter_offset=1, numbers_as_text=True, extra_fields=True,
        past_end="repeat", items_as_object=True, malformed={small.plant: "unknown_field"},
    )  # fmt: skip
    server = opened(small.world, behaviour)
    page = server.page(small.plant, page=99, size=100)
    assert (len(page["items"]), page["size"], page["total_general"]) == (ceil(12 % 5), 100, 13)
    assert isinstance(page["items"][0]["quantity"], str)
    assert "approved_by" in page["items"][0]


def test_an_assigned_behaviour_holds_from_the_next_request(small, opened):
    server = opened(small.world)
    assert server.page(small.plant)["total_general"] == 12
    server.sandbox.behaviour = Behaviour(counter_offset=5)
    assert server.page(small.plant)["total_general"] == 17


def test_a_status_of_no_documentation_shows_without_the_filter_only(small, opened):
    small.world.add_record(small.plant, status="review")
    small.world.add_facility(small.root, status="inactive")
    server = opened(small.world)
    assert (server.page(small.plant)["total_general"], server.page(small.plant)["total"]) == (13, 12)
    assert server.page(small.plant, status__=["active", "error"])["total_general"] == 12
    assert server.get("/v1/facilities").json()["total"] == 4
    assert server.get("/v1/facilities", status__=["active", "archived"]).json()["total"] == 3
    legacy = server.get("/api/v1/facilities").json()
    assert (legacy["total"], legacy["total2"], len(legacy["items"])) == (1, 1, 3)


def test_statuses_hidden_by_default(small, opened):
    small.world.add_record(small.plant, status="review")
    server = opened(small.world, Behaviour(hidden_by_default=("review", "archived")))
    assert server.page(small.plant)["total_general"] == 12
    assert server.get("/v1/facilities").json()["total"] == 2
    assert server.get("/v1/facilities", status__="archived").json()["total"] == 1
    assert len(server.get("/api/v1/facilities").json()["items"]) == 1


def test_a_list_that_needs_its_filter(small, opened):
    server = opened(small.world, Behaviour(filter_needed=True))
    assert server.get(RECORDS, facility_id=small.plant).status_code == 422
    assert server.get("/v1/facilities").status_code == 422
    assert server.page(small.plant, status__="active")["total_general"] == 12


def test_endless_lists(small, opened):
    behaviour = Behaviour(endless={small.plant: "rows", small.old: "growing", small.root: "counter"})
    server = opened(small.world, behaviour)
    pages = [server.page(small.plant, page=page, size=100) for page in (1, 2)]
    assert {page["total_general"] for page in pages} == {10**17}
    assert len({item["id"] for page in pages for item in page["items"]}) == 200
    assert [len(server.page(small.old, page=page, size=2)["items"]) for page in (1, 2, 3)] == [2, 4, 6]
    facilities = [server.get("/v1/facilities", page=page).json() for page in (1, 2)]
    assert facilities[0]["total"] < facilities[1]["total"]
    assert server.page(small.foreign, small.child)["total_general"] == 2


def test_answers_may_show_the_key_of_their_request(small, opened):
    server = opened(small.world, Behaviour(echo=True))
    record = small.world.facility_records(small.plant)[0]["id"]
    named = ("/v2/organizations/tree", "/v1/facilities", "/api/v1/facilities", "/v1/facilities/none")
    for path in (*named, f"{RECORDS}?facility_id={small.plant}", f"{RECORDS}/{record}/detail"):
        text = server.client.get(path).text
        assert all(form in text for form in (API_KEY, "%73%6B", "\\u0073\\u006b", "dXNlcjpza19")), path
    assert server.page(small.plant)["items"][0]["unit"]["name"] == "cubic_meter_(m3)"
    server.sandbox.behaviour = Behaviour()
    assert API_KEY not in server.page(small.plant)["items"][0].values()


def test_answers_may_set_a_cookie_and_requests_show_whether_it_comes_back(small, opened):
    server = opened(small.world, Behaviour(set_cookie=True))
    assert server.get("/v1/facilities").cookies["session"] == f"of-{small.root}"
    server.get("/v1/facilities")
    assert ["cookie" in seen.header_names for seen in server.sandbox.requests] == [False, True]


def test_the_servers_clock_may_be_off(small, opened):
    fault = Fault("429", times=1, retry_after="date", retry_after_seconds=60)
    server = opened(small.world, Behaviour(clock_ahead_seconds=-86_400, faults=(fault,)))
    refused = server.get("/v1/facilities").headers
    wait = parsedate_to_datetime(refused["retry-after"]) - parsedate_to_datetime(refused["date"])
    assert 60 <= wait.total_seconds() <= 62
    assert (datetime.now(UTC) - parsedate_to_datetime(server.get("/v1/facilities").headers["date"])).days == 1
