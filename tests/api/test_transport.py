"""What carries the requests sends what httpx would send, gives each answer to its own request, and hides neither a fault nor a repetition."""

import asyncio
import gc
import logging
import re
import socket
import ssl
import string
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.line import framed_once
from dcycle_pipeline.api.transport import carried
from dcycle_pipeline.errors import DcycleError, TransientError
from dcycle_pipeline.settings import load
from tests.conftest import ROOT
from tests.kept import HANG_UP, QUIET, RESET, WAIT, KeptWire, Said, kept
from tests.wire import Tls, Wire

KEY = "sk_live_transport_0123"
FIRST, SECOND, THIRD = b'{"items":[1]}', b'{"items":[2]}', b'{"items":[3]}'
pytestmark = pytest.mark.usefixtures("without_network_variables")


async def rest() -> None:
    """Until the server has said what it says later, and as long as it takes to come here."""
    await asyncio.to_thread(QUIET.wait, 10)
    await asyncio.sleep(0.05)


def told(url: str, count: int = 2, between: Callable[[], Any] = rest, **overrides: Any) -> tuple[list[Any], int]:
    """The answers, or errors, of so many requests one after the other, and how many were counted."""
    usual: dict[str, Any] = {"api_key": KEY, "organization_id": ROOT, "base_url": url, "retry_first_wait_seconds": 0}

    async def ask() -> tuple[list[Any], int]:
        answers: list[Any] = []
        async with DcycleApi(load(**usual | {"retry_attempts": 3, "request_seconds": 5} | overrides)) as api:
            for number in range(count):
                try:
                    answers.append(await api.get(f"/v1/{number}", (), ROOT, f"GET /v1/{number}"))
                except DcycleError as error:
                    answers.append(error)
                await between()
            return answers, api.requests_count

    return asyncio.run(ask())


async def at_once() -> None:
    pass


def url(wire: Wire) -> str:
    return f"http://127.0.0.1:{wire.port}"


def one_by_one(*said: Iterable[Said]) -> Callable[[int], Iterable[Said]]:
    """What is sent after each request; after the last one named, always the same."""
    return lambda number: said[min(number, len(said) - 1)]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"
UNASKED: dict[str, Iterable[Said]] = {
    "after chunks": [CHUNKED + b"d\r\n" + FIRST + b"\r\n0\r\n\r\n" + kept(SECOND)],
    "after chunks, half a head later": [
        CHUNKED + b"d\r\n" + FIRST + b"\r\n0\r\n\r\n",
        WAIT,
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ],
    "after chunks, later": [CHUNKED + b"d\r\n" + FIRST + b"\r\n0\r\n\r\n", WAIT, kept(SECOND)],
    "in one piece": [kept(FIRST) + kept(SECOND)],
    "a little later": [kept(FIRST), WAIT, kept(SECOND)],
    "with the rest of the body": [kept(FIRST)[:-3], WAIT, kept(FIRST)[-3:] + kept(SECOND)],
    "half a head a little later": [kept(FIRST), WAIT, b"HTTP/1.1 200 OK\r\nContent-Le"],
    "half a head with the body": [kept(FIRST) + b"HTTP/1.1 200 OK\r\nContent-Le"],
    "two more": [kept(FIRST) + kept(SECOND) * 2],
    "a hint, later": [kept(FIRST), WAIT, b"HTTP/1.1 103 Early Hints\r\n\r\n"],
    "nonsense, later": [kept(FIRST), WAIT, b"nonsense\r\n\r\n"],
    "nonsense with the body": [kept(FIRST) + b"nonsense\r\n\r\n"],
}


@pytest.mark.parametrize("form", UNASKED)
def test_an_answer_that_nobody_asked_for_is_never_given_to_the_next_request(form: str) -> None:
    # Sent later, and asked for again at once, nobody could tell whose it is.
    for between in [rest] if "later" in form else [rest, at_once]:
        with KeptWire(one_by_one(UNASKED[form], [kept(THIRD)])) as wire:
            assert told(url(wire), between=between) == ([FIRST, THIRD], 2)
            assert wire.connections == 2


def test_an_answer_that_nobody_asked_for_is_dropped_over_tls_too(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
    for form in list(UNASKED.values())[:4]:
        with KeptWire(one_by_one(form, [kept(THIRD)]), tls=tls[1]) as wire:
            assert told(f"https://127.0.0.1:{wire.port}")[0] == [FIRST, THIRD]


def test_unasked_bytes_that_the_event_loop_has_not_seen_end_the_connection_too() -> None:
    async def blind() -> None:
        assert QUIET.wait(10)  # they wait in the kernel

    with KeptWire(one_by_one([kept(FIRST), WAIT, kept(SECOND)], [kept(THIRD)])) as wire:
        assert told(url(wire), between=blind) == ([FIRST, THIRD], 2)
        assert wire.connections == 2


def test_a_connection_that_was_good_is_used_again(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
    for scheme, context in (("http", None), ("https", tls[1])):
        with KeptWire(one_by_one([kept(FIRST)]), tls=context) as wire:
            assert told(f"{scheme}://127.0.0.1:{wire.port}", 5) == ([FIRST] * 5, 5)
            assert wire.connections == 1


def test_a_kept_connection_that_the_server_ended_costs_no_request() -> None:
    with KeptWire(one_by_one([kept(FIRST), HANG_UP])) as wire:
        assert told(url(wire), 4, retry_attempts=1) == ([FIRST] * 4, 4)
        assert (wire.connections, len(wire.heads)) == (4, 4)


def test_each_repetition_after_a_lost_connection_is_counted() -> None:
    lost: list[Iterable[Said]] = [[kept(FIRST)], [HANG_UP], [RESET], [kept(SECOND)]]
    with KeptWire(one_by_one(*lost)) as wire:
        assert told(url(wire)) == ([FIRST, SECOND], 4)
        assert len(wire.heads) == 4


@pytest.mark.parametrize("end", [HANG_UP, RESET])
def test_nothing_is_repeated_that_the_client_did_not_ask_to_repeat(end: Said) -> None:
    with KeptWire(one_by_one([kept(FIRST)], [end])) as wire:
        (_, error), count = told(url(wire), retry_attempts=1)
        assert len(wire.heads) == count == 2
    assert isinstance(error, TransientError)
    assert ("Server disconnected without sending a response" in str(error)) == (end is HANG_UP)
    assert ("ReadError" in str(error)) == (end is RESET)
    assert "Timeout" not in str(error)


BROKEN: dict[str, Iterable[Said]] = {
    "no chunk, with the head": [CHUNKED + b"5\r\n[1,2,\r\nnonsense\r\n"],
    "no chunk, later": [CHUNKED + b"5\r\n[1,2,\r\n", WAIT, b"nonsense\r\n"],
    "no chunk at all": [CHUNKED, WAIT, b"nonsense\r\n"],
    "a chunk too long": [CHUNKED, WAIT, b"3\r\n[1,2,3]\r\n0\r\n\r\n"],
    "chunks without an end": [CHUNKED + b"5\r\n[1,2,\r\n", WAIT, HANG_UP],
    "chunks cut off": [CHUNKED + b"5\r\n[1", WAIT, RESET],
    "shorter than announced": [kept(FIRST)[:-2], WAIT, HANG_UP],
    "shorter than announced, reset": [kept(FIRST)[:-2], WAIT, RESET],
    "without a length, reset": [NO_LENGTH + FIRST, WAIT, RESET],
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_body_that_breaks_is_asked_for_again_at_once(form: str) -> None:
    began = time.monotonic()
    with KeptWire(one_by_one(BROKEN[form], [kept(SECOND)])) as wire:
        assert told(url(wire), 1, request_seconds=30) == ([SECOND], 2)
    with KeptWire(one_by_one(BROKEN[form])) as wire:
        (error,), count = told(url(wire), 1, request_seconds=30)
    assert isinstance(error, TransientError)
    assert count == 3
    assert "Timeout" not in str(error)
    assert time.monotonic() - began < 5


UNREADABLE = {
    "no status": b"HTTP/1.1 two hundred\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nX-Odd\r\nContent-Length: 2\r\n\r\n[]",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n[]",
    "no end of the head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    "a secret": f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(),
}


@pytest.mark.parametrize("form", UNREADABLE)
def test_a_head_that_nobody_can_read_is_asked_for_again_and_counted(form: str) -> None:
    with KeptWire(one_by_one([UNREADABLE[form], HANG_UP])) as wire:
        (error,), count = told(url(wire), 1)
        assert count == len(wire.heads) == 3
    assert isinstance(error, TransientError)
    assert "RemoteProtocolError" in str(error)
    assert KEY not in str(error)


def test_heads_that_only_httpx_can_read_are_read_its_way_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    many = "\r\n".join(f"x-{n}:" for n in range(2_500))
    odd = f"HTTP/1.1 200 OK\r\n{many}\r\nContent-Length: {len(FIRST)}\r\n\r\n".encode() + FIRST
    caplog.set_level(logging.INFO, "dcycle_pipeline.api")
    with KeptWire(one_by_one([odd], [odd + kept(SECOND)])) as wire:
        assert told(url(wire), 3) == ([FIRST] * 3, 4)
    assert [record.name for record in caplog.records if "head of an answer" in record.getMessage()] == [
        "dcycle_pipeline.api.transport"
    ]


@pytest.mark.parametrize(
    "headers",
    [
        ["X: " + "y" * 90_000],
        [f"X-{n}: y" for n in range(1_500)],
        ["Content-Length: 13"],
        ["content-length:13,13"],
        ["Set-Cookie: a=ñ", "Set-Cookie: ;;="],
    ],
    ids=["long", "many", "length twice", "length three times", "cookies"],
)
def test_a_head_that_h11_reads_is_read(headers: list[str]) -> None:
    with KeptWire(one_by_one([kept(FIRST, *headers)])) as wire:
        assert told(url(wire), 2, retry_attempts=1) == ([FIRST] * 2, 2)
    with KeptWire(one_by_one([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\n" + kept(FIRST, *headers)])) as wire:
        assert told(url(wire), 2, retry_attempts=1) == ([FIRST] * 2, 2)


def test_a_head_comes_in_any_pieces() -> None:
    answer = kept(FIRST, status="200 Canción")
    for at in range(1, len(answer), 7):
        with KeptWire(one_by_one([answer[:at], WAIT, answer[at:]])) as wire:
            assert told(url(wire), 1, at_once, retry_attempts=1) == ([FIRST], 1)


def test_framing_is_told_once_and_never_changed() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Content-Length: 3\r\nContent-Length: 5\r\n\r\n"
    assert framed_once(head) == b"HTTP/1.1 200 OK\r\nX-Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    for other in (b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: x, x", b"Content-Length: 5", b"X: y"):
        assert framed_once(head := b"HTTP/1.1 200 OK\r\n" + other + b"\r\n\r\n") == head


def test_a_head_without_an_end_costs_little_memory() -> None:
    def endless() -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X: y\r\n" * 10_000

    with Wire(lambda _: endless()) as wire:
        (error,), _ = told(url(wire), 1, retry_attempts=1)
        assert wire.sent < 8 << 20
    assert "RemoteProtocolError" in str(error)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_faults_of_a_connection_have_the_names_that_they_had() -> None:
    (refused,), _ = told(f"http://127.0.0.1:{free_port()}", 1, retry_attempts=1)
    assert "ConnectError: [Errno 111]" in str(refused)
    (nowhere,), _ = told("https://nowhere.invalid", 1, retry_attempts=1, request_seconds=60)
    assert "ConnectError: [Errno -" in str(nowhere)
    with KeptWire(one_by_one([WAIT] * 40)) as wire:
        (silent,), _ = told(url(wire), 1, request_seconds=0.2, retry_attempts=1)
    assert str(silent) == "GET /v1/0: no whole answer within 0.2 s."


@pytest.fixture(scope="module")
def echo() -> Iterable[Wire]:
    with KeptWire(one_by_one([kept(b"[]")])) as wire:
        yield wire


Values = list[tuple[str, str]]
IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30) | st.text(string.punctuation + "aZ09", min_size=1)


async def heads(wire: Wire, transport: httpx.AsyncBaseTransport, path: str, values: Values, value: str) -> list[str]:
    """What the server gets of a GET and of a POST, or the error instead."""
    wire.heads.clear()
    address = f"http://{'[::1]' if ':' in wire.host else wire.host}:{wire.port}"
    async with httpx.AsyncClient(transport=transport, base_url=address) as client:
        for method, extra in (("GET", {}), ("POST", {"json": {"email": path}})):
            try:
                await client.request(method, f"/v1/{path}", params=values, headers={"x-id": value}, **extra)
            except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeEncodeError) as error:
                wire.heads.append(type(error).__name__)
    return list(wire.heads)


def by_both(wire: Wire, path: str, values: Values, value: str) -> list[list[str]]:
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ways = carried(nobody, None, 2), httpx.AsyncHTTPTransport(verify=nobody, trust_env=False)
    return [asyncio.run(heads(wire, way, path, values, value)) for way in ways]


@hypothesis_settings(max_examples=80)
@given(path=IDS, values=st.lists(st.tuples(IDS, IDS), max_size=3), value=IDS)
@example(path="a;b%3Bc/%2F", values=[("status[]", "a b+c"), ("sort", "name:asc")], value="plain")
@example(path="?", values=[], value=" led")
@example(path="a/../b", values=[("", "")], value="a\tb")
@example(path="~%7E", values=[("%", "%zz")], value="\x01")
@example(path="a\nb", values=[("a\r", "\n")], value="a\r\nx-evil: 1")
def test_the_server_gets_the_bytes_that_httpx_would_send(echo: Wire, path: str, values: Values, value: str) -> None:
    ours, theirs = by_both(echo, path, values, value)
    assert ours == theirs


def test_an_address_of_ipv6_is_asked_alike() -> None:
    class Six(KeptWire):
        host = "::1"

    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Six(one_by_one([kept(FIRST)])) as wire:
        ours, theirs = by_both(wire, "x", [], "y")
        assert ours == theirs
        assert f"Host: [::1]:{wire.port}" in ours[0]
        assert told(f"http://[::1]:{wire.port}", 1)[0] == [FIRST]


def test_the_usual_requests_go_over_aiohttp(echo: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> httpx.Response:
        raise AssertionError

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", never)

    async def ask() -> bytes:
        usual: dict[str, Any] = {"api_key": KEY, "organization_id": ROOT, "base_url": url(echo)}
        query = (("page", "1"), ("status[]", "active"), ("status[]", "error"), ("sort", "created_at:asc"))
        async with DcycleApi(load(**usual)) as api:
            return await api.get(f"/v1/facilities/{ROOT}%3B", query, ROOT, "GET")

    assert asyncio.run(ask()) == b"[]"


def test_an_answer_that_took_too_long_is_not_given_to_the_next_request() -> None:
    slow = [kept(FIRST)[:-3], *[WAIT] * 40, kept(FIRST)[-3:]]
    with KeptWire(one_by_one(slow, [kept(SECOND)])) as wire:
        assert told(url(wire), 1, request_seconds=1) == ([SECOND], 2)
    with KeptWire(one_by_one([*[WAIT] * 40, kept(FIRST)], [kept(SECOND)])) as wire:
        assert told(url(wire), 2, request_seconds=1) == ([SECOND] * 2, 3)


def test_no_connection_is_left_open(caplog: pytest.LogCaptureFixture) -> None:
    said: list[Iterable[Said]] = [[kept(FIRST)], [RESET], [kept(b"{")], [CHUNKED, b"x"], [kept(SECOND)]]
    with warnings.catch_warnings(record=True) as caught, KeptWire(one_by_one(*said)) as wire:
        warnings.simplefilter("always")
        told(url(wire), 3, request_seconds=1)
        told(url(wire), 0)
        gc.collect()
    assert not [str(each.message) for each in caught if "Unclosed" in str(each.message)]  # aiohttp says it so
    assert not [record.getMessage() for record in caplog.records if "Unclosed" in record.getMessage()]


def test_words_on_faults_are_those_of_httpx() -> None:
    for form, words in {
        "shorter than announced": "peer closed connection without sending complete message body .*11 of 13",
        "chunks without an end": "peer closed connection without sending complete message body",
        "chunks cut off": "ReadError: .*reset",
        "no chunk, later": "RemoteProtocolError: the body",
    }.items():
        with KeptWire(one_by_one(BROKEN[form])) as wire:
            (error,), _ = told(url(wire), 1, at_once, retry_attempts=1)
        assert re.search(words, str(error)), str(error)
    with KeptWire(one_by_one([b"HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], [kept(FIRST)])) as wire:
        assert told(url(wire), 1) == ([FIRST], 2)
