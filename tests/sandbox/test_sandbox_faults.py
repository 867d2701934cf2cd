"""Faults as a plain httpx client meets them, and when they happen."""

import json
import threading
from email.utils import parsedate_to_datetime

import httpx
import pytest

from dcycle_pipeline.sandbox import FAULT_KINDS, Behaviour, Fault, create_app

FACILITIES, RECORDS = "/v1/facilities", "/v1/waste-water-treatments"


def failing(*faults, seed=0):
    return Behaviour(faults=faults, seed=seed)


@pytest.mark.parametrize("kind", ["401", "403", "404", "429", "500", "502", "503", "504"])
def test_status_faults(small, opened, kind):
    answer = opened(small.world, failing(Fault(kind))).get(FACILITIES)
    assert answer.status_code == int(kind)
    assert answer.headers["content-type"].startswith(
        "text/html" if kind in ("502", "503", "504") else "application/json"
    )
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("reset", times=2), "without sending a response"),
        (Fault("truncated", times=2), "without sending complete message body"),
        (Fault("truncated", times=2, chunked=True), "incomplete chunked read"),
    ],
)
def test_broken_connections_are_real_and_silent(small, opened, capfd, fault, words):
    server = opened(small.world, failing(fault))
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError, match=words):
            server.get(FACILITIES)
    assert server.get(FACILITIES).json()["total"] == 3
    assert [seen.fault for seen in server.sandbox.requests] == [fault.kind, fault.kind, None]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_both_protocols_of_uvicorn_can_be_cut(small, monkeypatch, opened, http):
    pytest.importorskip(http)
    from dcycle_pipeline.sandbox.api import server as module

    usual = module.uvicorn.Config
    monkeypatch.setattr(module.uvicorn, "Config", lambda *args, **named: usual(*args, http=http, **named))
    server = opened(small.world, failing(Fault("reset", times=1), Fault("truncated", times=1)))
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            server.get(FACILITIES)
    assert server.get(FACILITIES).status_code == 200


def test_a_maintenance_page_is_a_success_without_json(small, opened):
    answer = opened(small.world, failing(Fault("not_json"))).get(FACILITIES)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<html>" in answer.text


def test_bad_json_is_a_whole_body_of_half_a_document(small, opened):
    server = opened(small.world)
    good = server.get(FACILITIES).content
    server.sandbox.behaviour = failing(Fault("bad_json"))
    answer = server.get(FACILITIES)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == good[: len(good) // 2]
    assert answer.headers["content-length"] == str(len(answer.content))
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_an_empty_body(small, opened):
    answer = opened(small.world, failing(Fault("empty_body"))).get(FACILITIES)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", "application/json")


def test_a_redirect_leads_to_another_host(small, opened):
    answer = opened(small.world, failing(Fault("redirect", location="http://other.example.org/x"))).get(FACILITIES)
    assert (answer.status_code, answer.headers["location"]) == (302, "http://other.example.org/x")


def test_a_slow_answer_is_too_late_for_the_impatient_and_the_sandbox_still_closes_at_once(small, opened):
    server = opened(small.world, failing(Fault("slow", seconds=3600, path=FACILITIES)))
    with pytest.raises(httpx.ReadTimeout):
        server.client.get(FACILITIES, timeout=0.05)
    assert server.page(small.plant)["total"] == 12


def test_a_slow_answer_is_the_right_answer(small, opened):
    assert opened(small.world, failing(Fault("slow", seconds=0.001))).get(FACILITIES).json()["total"] == 3


def test_latency_leaves_answers_as_they_are(small, opened):
    assert opened(small.world, Behaviour(latency_seconds=0.001)).get(FACILITIES).json()["total"] == 3


@pytest.mark.parametrize("kind", ["429", "503", "500"])
def test_retry_after_in_seconds_and_as_a_date(small, opened, kind):
    server = opened(small.world, failing(Fault(kind, retry_after="seconds", retry_after_seconds=7)))
    assert server.get(FACILITIES).headers["retry-after"] == "7"
    server.sandbox.behaviour = failing(Fault(kind, retry_after="date", retry_after_seconds=60))
    answer = server.get(FACILITIES)
    wait = parsedate_to_datetime(answer.headers["retry-after"]) - parsedate_to_datetime(answer.headers["date"])
    assert 58 <= wait.total_seconds() <= 64


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        (Fault("500"), {"tree", "list", "facility", "first", "second", "other", "child"}),
        (Fault("500", path=RECORDS), {"first", "second", "other"}),
        (Fault("500", path=FACILITIES), {"list", "facility", "child"}),
        (Fault("500", page=2), {"second"}),
        (Fault("500", page=1), {"list", "first", "other", "child"}),
        (Fault("500", organization_id="22222222-2222-4222-8222-222222222222"), {"child"}),
        (Fault("500", page=1, path=RECORDS), {"first", "other"}),
    ],
)
def test_matchers(small, opened, fault, hit):
    server = opened(small.world, failing(fault))
    answers = {
        "tree": server.get("/v2/organizations/tree"),
        "list": server.get(FACILITIES),
        "facility": server.get(f"{FACILITIES}/{small.plant}"),
        "first": server.get(RECORDS, facility_id=small.plant),
        "second": server.get(RECORDS, facility_id=small.plant, page=2),
        "other": server.get(RECORDS, facility_id=small.old),
        "child": server.get(FACILITIES, small.child),
    }
    assert {name for name, answer in answers.items() if answer.status_code == 500} == hit
    assert all(answer.status_code in (200, 500) for answer in answers.values())


def test_a_facility_is_matched_wherever_it_is_asked_for(small, opened):
    server = opened(small.world, failing(Fault("500", facility_id=small.plant)))
    record = small.world.facility_records(small.plant)[0]["id"]
    assert server.get(RECORDS, facility_id=small.plant).status_code == 500
    assert server.get(f"{FACILITIES}/{small.plant}").status_code == 500
    assert server.get(f"{RECORDS}/{record}/detail").status_code == 500
    assert server.get(RECORDS, facility_id=small.old).status_code == 200


def test_times_counts_each_address_and_each_organisation(small, opened):
    server = opened(small.world, failing(Fault("503", times=2)))
    statuses = [server.get(FACILITIES).status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
    assert server.get(FACILITIES, small.child).status_code == 503
    assert server.get(FACILITIES, page=1).status_code == 503
    assert server.get(FACILITIES).status_code == 200


def test_a_fault_without_times_never_ends(small, opened):
    server = opened(small.world, failing(Fault("500")))
    assert {server.get(FACILITIES).status_code for _ in range(6)} == {500}


def test_the_first_matching_fault_is_given(small, opened):
    server = opened(small.world, failing(Fault("502", times=1), Fault("504", times=1)))
    assert [server.get(FACILITIES).status_code for _ in range(3)] == [502, 504, 200]


def outcomes(server, seed, order):
    server.sandbox.behaviour = failing(Fault("500", probability=0.4), seed=seed)
    return {number: server.get(FACILITIES, page=number).status_code for number in order}


def test_probability_depends_on_the_address_not_on_the_order(small, opened):
    server = opened(small.world)
    forward = outcomes(server, 3, range(1, 61))
    assert outcomes(server, 3, reversed(range(1, 61))) == forward
    assert outcomes(server, 4, range(1, 61)) != forward
    assert 10 < sum(status == 500 for status in forward.values()) < 40


def test_probability_does_not_depend_on_concurrency(small, opened):
    server = opened(small.world)
    alone = outcomes(server, 3, range(1, 41))
    server.sandbox.behaviour = failing(Fault("500", probability=0.4), seed=3)
    together = {}

    def ask(numbers):
        for number in numbers:
            together[number] = server.get(FACILITIES, page=number).status_code

    threads = [threading.Thread(target=ask, args=(range(1 + start, 41, 4),)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_asking_again_throws_the_dice_again(small, opened):
    server = opened(small.world, failing(Fault("500", probability=0.5), seed=1))
    assert {server.get(FACILITIES).status_code for _ in range(30)} == {200, 500}


def test_the_query_order_does_not_matter(small, opened):
    server = opened(small.world, failing(Fault("500", times=1)))
    assert server.client.get(f"{FACILITIES}?page=1&size=5").status_code == 500
    assert server.client.get(f"{FACILITIES}?size=5&page=1").status_code == 200


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kind": "418"}, "unknown fault '418'; known: 429, 500"),
        ({"kind": "429", "retry_after": "soon"}, "retry_after is"),
        ({"kind": "500", "probability": 2}, "probability is between"),
    ],
)
def test_wrong_faults_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Fault(**wrong)


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_no_fault_is_noise_or_a_crash(small, opened, capfd, kind):
    server = opened(small.world, failing(Fault(kind, times=1)))
    try:
        assert server.get(FACILITIES).status_code in range(200, 600)
    except httpx.RemoteProtocolError:
        assert kind in ("reset", "truncated")
    assert server.get(FACILITIES).status_code == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["reset", "truncated"])
def test_without_a_server_a_cut_connection_is_an_error(small, kind):
    import asyncio

    async def ask():
        transport = httpx.ASGITransport(create_app(small.world, failing(Fault(kind))))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            await client.get(FACILITIES)

    with pytest.raises(ConnectionResetError):
        asyncio.run(ask())
