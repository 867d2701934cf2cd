"""A login is made once for a token's life, with any password that JSON can carry, whatever the answer says of that life."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.errors import TransientError
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import load
from tests.api.test_client import Clock
from tests.conftest import ROOT, small_world
from tests.wire import EMPTY_LIST, Wire, http

TOKEN = "eyJ.token-0123456789.x"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire() as running:
        yield running


def answering(login: bytes) -> Any:
    return lambda head: http(login if head.startswith("POST ") else EMPTY_LIST)


def ask(wire: Wire, times: int, clock: Clock, pause: float = 0.0, **overrides: Any) -> list[str]:
    """The bodies of the logins that so many requests took, with a pause on the clock before each."""
    usual: dict[str, Any] = {"auth": "bearer", "email": "x@example.org", "password": "word", "retry_attempts": 2}
    where = {"organization_id": ROOT, "base_url": f"http://127.0.0.1:{wire.port}", "retry_first_wait_seconds": 0}
    wire.heads.clear()

    async def several() -> None:
        async with DcycleApi(load(**usual | where | overrides), Outages(clock, clock.sleep)) as api:
            for _ in range(times):
                clock.now += pause
                await api.get("/v1/facilities", (), ROOT, "GET /v1/facilities")

    asyncio.run(several())
    return [head.rpartition("\r\n\r\n")[2] for head in wire.heads if head.startswith("POST ")]


LIVES = [
    "3600",
    '"3600"',
    '" 3600 "',
    "3600.5",
    "null",
    "true",
    "0",
    "-5",
    "1",
    "0.001",
    '""',
    '"soon"',
    '"PT1H"',
    "[]",
    "{}",
    "NaN",
]
ABSURD = ["1e308", "1e400", "-1e400", "9" * 400, '"inf"', '"nan"', '"1e9999"', "[" * 50 + "]" * 50]


@pytest.mark.quick(5)
@pytest.mark.parametrize("life", [*LIVES, *ABSURD])
def test_no_life_of_a_token_means_a_login_per_request(wire: Wire, life: str) -> None:
    wire.answer = answering(f'{{"access_token":"{TOKEN}","expires_in":{life}}}'.encode())
    assert len(ask(wire, 4, Clock(), pause=1.0)) == 1


def test_a_token_without_a_life_lasts_the_documented_hour(wire: Wire) -> None:
    wire.answer = answering(f'{{"access_token":"{TOKEN}"}}'.encode())
    assert len(ask(wire, 5, Clock(), pause=1200)) == 2


@pytest.mark.parametrize("life", ["1000", '"1000"', "1e3"])
def test_a_token_is_renewed_before_the_end_of_its_life(wire: Wire, life: str) -> None:
    wire.answer = answering(f'{{"access_token":"{TOKEN}","expires_in":{life}}}'.encode())
    assert len(ask(wire, 4, Clock(), pause=500)) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"[]", b"", b'"x"', b"<html>", b'{"access_token":null}', b'{"access_token":""}', b'{"access_token":"tok en"}',
        b'{"access_token":"secret\\nx"}', '{"access_token":"señal-secret"}'.encode(), b'{"access_token":["secret"]}',
    ],
)  # fmt: skip
def test_an_answer_without_a_usable_token_is_asked_for_again(wire: Wire, body: bytes) -> None:
    wire.answer = answering(body)
    with pytest.raises(TransientError, match="POST /auth/login: 200, but ") as caught:
        ask(wire, 1, Clock())
    assert len(wire.heads) == 2
    assert "secret" not in str(caught.value)


@hypothesis_settings(max_examples=12)
@given(
    password=st.text(st.characters(codec="utf-8"), min_size=1), email=st.text(st.characters(codec="utf-8"), min_size=1)
)
@example(" pass word ", "ñ@example.org")
@example('"\\\n\t\x00🔑', " ")
def test_any_text_may_be_the_password(wire: Wire, password: str, email: str) -> None:
    wire.answer = answering(f'{{"access_token":"{TOKEN}"}}'.encode())
    (body,) = ask(wire, 1, Clock(), password=password, email=email)
    assert json.loads(body) == {"email": email, "password": password}


@pytest.mark.parametrize("password", ["pass word", "contraseñá", " x\t", '{"a": 1}\\'])
def test_the_variable_holds_the_password_as_it_is(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    with Sandbox(small_world(), password=password) as sandbox:
        given_by_hand = {"AUTH": "bearer", "EMAIL": sandbox.email, "PASSWORD": password, "ORGANIZATION_ID": ROOT}
        for name, value in (given_by_hand | {"BASE_URL": sandbox.base_url}).items():
            monkeypatch.setenv(f"DCYCLE_{name}", value)

        async def once() -> bytes:
            async with DcycleApi(load()) as api:
                return await api.get("/v1/facilities", (), ROOT, "GET /v1/facilities")

        assert b"f-large" in asyncio.run(once())
