"""One rule for waiting: at least our own back-off, at most what is left of the budget; and what passes by itself is repeated."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.patience import LONGEST_WAIT_SECONDS, Patience
from dcycle_pipeline.api.responses import read, retry_after_seconds
from dcycle_pipeline.errors import DcycleError, ForbiddenError, ThrottledError, TransientError, UnauthorizedError
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.settings import Settings, load
from tests.api.clock import Clock
from tests.conftest import ROOT, settings_for, sync

PATH = "/v1/facilities"
PASSING = ("408", "425", "429", "500", "501", "503", "520", "error_body", "throttled", "throttled_page")
DAY = 86_400
SETTINGS = load(api_key="sk_live_1", organization_id="o")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def get(settings: Settings, clock: Clock, times: int = 1) -> list[bytes | BaseException]:
    """What as many requests at once come to."""

    async def ask() -> list[bytes | BaseException]:
        async with DcycleApi(settings, Outages(clock, clock.sleep)) as api:
            asked = (api.get(PATH, (("page", str(page)),), ROOT, f"GET {PATH}") for page in range(1, times + 1))
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask())


def patient(sandbox: Sandbox, folder: Path, **overrides: Any) -> Settings:
    """Settings with the patience of a real run; the clock makes it short."""
    return settings_for(
        sandbox, folder, **{"retry_first_wait_seconds": 0.5, "retry_attempts": 8, "retry_seconds": 180} | overrides
    )


def logged_in(sandbox: Sandbox) -> dict[str, Any]:
    return {"auth": "bearer", "api_key": None, "email": sandbox.email, "password": sandbox.password}


@pytest.mark.quick(3)
@pytest.mark.parametrize("path", [PATH, "/auth/login"])
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("kind", ["429", "503", "throttled"])
def test_no_server_makes_a_request_wait_longer_than_its_budget(  # noqa: PLR0917 - one argument a choice
    sandbox: Sandbox, tmp_path: Path, clock: Clock, kind: str, form: str, path: str
) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault(kind, path=path, retry_after=form, retry_after_seconds=3600),))
    (outcome,) = get(patient(sandbox, tmp_path, retry_seconds=5, **logged_in(sandbox)), clock)
    assert isinstance(outcome, TransientError)
    assert sum(clock.slept) == pytest.approx(5)
    assert len([seen for seen in sandbox.requests if seen.path == path]) == 2, (
        "the last try is at the end of the budget"
    )


@pytest.mark.quick(2)
@pytest.mark.parametrize("path", [PATH, "/auth/login"])
@pytest.mark.parametrize(("form", "seconds"), [("seconds", 0), ("date", 0), ("date", -DAY)])
def test_a_retry_after_of_nothing_does_not_burn_all_tries_at_once(  # noqa: PLR0917 - as above
    sandbox: Sandbox, tmp_path: Path, clock: Clock, form: str, seconds: int, path: str
) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("429", path=path, retry_after=form, retry_after_seconds=seconds),))
    get(patient(sandbox, tmp_path, **logged_in(sandbox)), clock)
    assert len([seen for seen in sandbox.requests if seen.path == path]) == 8
    assert clock.now >= 0.5 + 1 + 2 + 4 + 8 + 16 + 30


@pytest.mark.parametrize("ahead", [-DAY, 0, DAY])
def test_a_date_is_read_by_the_servers_own_clock(sandbox: Sandbox, tmp_path: Path, clock: Clock, ahead: int) -> None:
    fault = Fault("503", times=1, retry_after="date", retry_after_seconds=40)
    sandbox.behaviour = Behaviour(clock_ahead_seconds=ahead, faults=(fault,))
    (body,) = get(patient(sandbox, tmp_path), clock)
    assert isinstance(body, bytes)
    assert 39 <= clock.slept[0] <= 41


def test_a_date_without_the_servers_own_is_read_by_ours() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for headers in ({}, {"date": "today"}):
        asked = httpx.Response(429, headers={"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT", **headers})
        assert retry_after_seconds(asked, now) == 9


def test_a_pause_of_the_organisation_ends_with_the_budget_too(sandbox: Sandbox, tmp_path: Path, clock: Clock) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("429", retry_after="seconds", retry_after_seconds=3600),))
    outcomes = get(patient(sandbox, tmp_path, retry_seconds=5), clock, times=3)
    assert all(isinstance(outcome, ThrottledError) for outcome in outcomes)
    assert clock.now == pytest.approx(5)


@given(
    st.integers(1, 12), st.floats(0, 300), st.floats(0, 5), st.lists(st.none() | st.floats(0, 1e6), min_size=12, max_size=12)
)  # fmt: skip
def test_each_wait_is_our_own_at_least_and_what_is_left_at_most(
    attempts: int, budget: float, first: float, asked: list[float | None]
) -> None:
    chosen = {"retry_attempts": attempts, "retry_seconds": budget, "retry_first_wait_seconds": first}
    now, tries = 100.0, 0
    patience = Patience(SETTINGS.model_copy(update=chosen), now)
    while (wait := patience.wait_after(TransientError("", asked[tries]), now)) is not None:
        own = min(LONGEST_WAIT_SECONDS, first * 2**tries)
        left = 100 + budget - now
        assert min(own, left) <= wait <= left
        assert wait >= min(asked[tries] or 0, left)
        now, tries = now + wait, tries + 1
    assert tries <= attempts - 1
    assert now <= 100 + budget + 1e-6


@pytest.mark.quick(4)
@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_by_itself_is_asked_again(sandbox: Sandbox, tmp_path: Path, clock: Clock, kind: str) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault(kind, times=2),))
    (body,) = get(patient(sandbox, tmp_path), clock)
    assert isinstance(body, bytes)
    assert len(sandbox.requests) == 3


@pytest.mark.quick(2)
@pytest.mark.parametrize("kind", PASSING)
def test_so_it_is_at_the_login(sandbox: Sandbox, tmp_path: Path, clock: Clock, kind: str) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault(kind, times=2, path="/auth/login"),))
    (body,) = get(patient(sandbox, tmp_path, **logged_in(sandbox)), clock)
    assert isinstance(body, bytes)


def test_many_requests_that_wait_for_a_login_share_what_it_comes_to(
    sandbox: Sandbox, tmp_path: Path, clock: Clock
) -> None:
    wrong = logged_in(sandbox) | {"password": "another-password"}
    outcomes = get(patient(sandbox, tmp_path, **wrong), clock, times=16)
    assert {type(outcome) for outcome in outcomes} == {UnauthorizedError}
    assert len(sandbox.requests) == 1, "each wrong login may lock the account"


def test_every_5xx_passes() -> None:
    for status in range(500, 600):
        with pytest.raises(TransientError):
            read(httpx.Response(status), "GET /x", str)


@pytest.mark.parametrize("status", [400, 403, 409, 420, 422])
@pytest.mark.parametrize(
    "body",
    [
        b'{"detail":"Rate limit exceeded"}',
        b'{"code":"RATE_LIMIT_EXCEEDED","detail":"no"}',
        b'{"detail":{"code":"ThrottlingException"}}',
        b'{"message":"Too Many Requests"}',
        b'{"error":{"type":"too_many_requests"}}',
        b'{"title":"Slow down"}',
        b"<html>Error 1015: You are being rate limited</html>",
    ],
)
def test_what_says_that_it_throttles_is_throttled(status: int, body: bytes) -> None:
    with pytest.raises(ThrottledError):
        read(httpx.Response(status, content=body, headers={"retry-after": "7"}), "GET /x", str)


def test_a_403_that_says_when_to_ask_again_is_throttled() -> None:
    with pytest.raises(ThrottledError):
        read(httpx.Response(403, headers={"retry-after": "7"}), "GET /x", str)


@pytest.mark.parametrize(
    "body",
    [b'{"detail":"Not authorized","code":"FORBIDDEN"}', b'{"detail":"x","name":"Rate limit plant"}', b"<h1>No</h1>"],
)
def test_any_other_403_is_not(body: bytes) -> None:
    with pytest.raises(ForbiddenError):
        read(httpx.Response(403, content=body), "GET /x", str)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"detail":"Internal error"}', TransientError),
        (b'{"error":{"message":"upstream"},"items":[],"total_general":0}', TransientError),
        (b'{"errors":["x"],"items":[{"id":"a"}],"total":1}', TransientError),
        (b'{"detail":"Too many requests"}', ThrottledError),
    ],
)
def test_an_error_with_status_200_is_none_the_less_one(body: bytes, kind: type[DcycleError]) -> None:
    with pytest.raises(TransientError) as caught:
        read(httpx.Response(200, content=body), "GET /x", str)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "body",
    [b'{"items":[],"detail":null,"error":""}', b'{"items":[{"id":"a","detail":"x"}]}', b'{"id":"a","error":"x"}'],
)
def test_a_field_of_such_a_name_is_no_error(body: bytes) -> None:
    assert read(httpx.Response(200, content=body), "GET /x", str) == body


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["error_body", "throttled_page"])
def test_a_sync_repeats_what_passes_at_every_address(
    sandbox: Sandbox, tmp_path: Path, few_summaries: None, kind: str
) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault(kind, times=1),))
    after = sync(settings_for(sandbox, tmp_path / "data"))
    assert (after.outcome, after.unproven_lists()) == ("published", {})
