"""The door to the API: patient with what passes, quick with what does not, silent about secrets, unable to write."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from dcycle_pipeline.api.auth import ApiKey
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.rate_limit import Pace
from dcycle_pipeline.errors import (
    ContractError,
    DcycleError,
    ForbiddenError,
    NotFoundError,
    TransientError,
    UnauthorizedError,
)
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import Settings
from tests.conftest import CHILD, ROOT, settings_for, small_world

PATH = "/v1/facilities"
PASSING = ["429", "500", "502", "503", "504", "reset", "truncated", "not_json", "bad_json", "empty_body"]


def get(settings: Settings, path: str = PATH, organization: str = ROOT) -> bytes:
    async def once() -> bytes:
        async with DcycleApi(settings) as api:
            return await api.get(path, (("size", "100"),), organization, f"GET {path}")

    return asyncio.run(once())


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    return settings_for(sandbox, tmp_path / "data")


@pytest.mark.parametrize("retry_after", [None, "seconds"])
@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_by_itself_is_asked_again(
    sandbox: Sandbox, settings: Settings, kind: str, retry_after: str | None
) -> None:
    sandbox.behaviour = Behaviour(
        faults=(Fault(kind, times=2, retry_after=retry_after, retry_after_seconds=0, chunked=kind == "truncated"),)
    )
    assert b"f-large" in get(settings)
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize("kind", PASSING)
def test_patience_ends(sandbox: Sandbox, settings: Settings, kind: str) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault(kind),))
    with pytest.raises(TransientError, match=PATH):
        get(settings)
    assert len(sandbox.requests) == 4


def test_an_answer_that_never_ends_is_given_up(sandbox: Sandbox, settings: Settings) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("slow", seconds=3600),))
    quick = settings.model_copy(update={"request_seconds": 0.05, "retry_attempts": 2})
    with pytest.raises(TransientError, match="no whole answer"):
        get(quick)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("401", UnauthorizedError), ("403", ForbiddenError), ("404", NotFoundError), ("redirect", ContractError)],
)
def test_what_does_not_pass_is_asked_once(
    sandbox: Sandbox, settings: Settings, kind: str, error: type[DcycleError]
) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault(kind),))
    with pytest.raises(error):
        get(settings)
    assert len(sandbox.requests) == 1


def test_a_redirect_is_not_followed_and_its_target_hears_nothing(sandbox: Sandbox, settings: Settings) -> None:
    with Sandbox(World(ROOT, "Other")) as other:
        location = f"{other.base_url}{PATH}"
        sandbox.behaviour = Behaviour(faults=(Fault("redirect", location=location),))
        with pytest.raises(ContractError):
            get(settings)
        sandbox.behaviour = Behaviour(faults=(Fault("redirect", location=f"{sandbox.base_url}/auth/login"),))
        with pytest.raises(ContractError):
            get(settings)
        assert other.requests == []
        assert len(sandbox.requests) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_only_get_leaves_the_process(sandbox: Sandbox, settings: Settings, method: str) -> None:
    async def write() -> None:
        async with DcycleApi(settings) as api:
            await api._http._transport.handle_async_request(httpx.Request(method, settings.base_url + PATH))

    with pytest.raises(ContractError, match=method):
        asyncio.run(write())
    assert sandbox.requests == []


@pytest.mark.parametrize("path", ["https://evil.example/x", "http://127.0.0.1:1/x", "https://127.0.0.1/x"])
def test_no_path_leads_to_another_host(sandbox: Sandbox, settings: Settings, path: str) -> None:
    with pytest.raises(ContractError):
        get(settings, path)
    assert sandbox.requests == []


@pytest.mark.parametrize("organization", ["ö", "a\nb", "\ud800", " a "])
def test_an_organisation_id_that_no_header_can_carry_is_an_error_of_ours(settings: Settings, organization: str) -> None:
    with pytest.raises(DcycleError):
        get(settings, PATH, organization)


@pytest.mark.parametrize("auth", ["api-key", "bearer"])
@pytest.mark.parametrize("kind", [None, "401", "500", "reset", "redirect"])
def test_the_key_shows_nowhere(  # noqa: PLR0917 - one argument a choice
    sandbox: Sandbox, settings: Settings, kind: str | None, auth: str, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    sandbox.behaviour = Behaviour(faults=(Fault(kind),) if kind else ())
    shown = ""
    try:
        get(settings.model_copy(update={"auth": auth}))
    except DcycleError as error:
        shown = f"{error!r}{error}{error.__cause__!r}{error.__context__!r}"
    streams = capfd.readouterr()
    shown += caplog.text + repr(caplog.records) + streams.out + streams.err + repr(settings) + repr(DcycleApi(settings))
    assert sandbox.api_key not in shown
    assert streams.out == "", "stdout belongs to the results"


@pytest.mark.parametrize("key", ["sk_live_secret ", " sk_live_secret", "sk_live_secret\t"])
@pytest.mark.parametrize("auth", ["api-key", "bearer"])
def test_a_key_that_no_header_can_carry_is_not_shown_in_the_error(
    sandbox: Sandbox, tmp_path: Path, key: str, auth: str
) -> None:
    with pytest.raises(DcycleError) as caught:
        get(settings_for(sandbox, tmp_path, api_key=key, auth=auth, retry_attempts=1))
    assert "sk_live_secret" not in str(caught.value)


def test_the_key_is_in_no_header_object_that_somebody_might_print() -> None:
    request = httpx.Request("GET", "https://api.dcycle.io/")
    assert "secret" not in repr(request.headers) + repr(request) + repr(ApiKey("secret", bearer=False))


def test_a_token_that_expires_is_renewed(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(token_requests=2)
    login: dict[str, Any] = {"auth": "bearer", "api_key": None, "email": sandbox.email, "password": sandbox.password}
    settings = settings_for(sandbox, tmp_path, **login)

    async def seven() -> None:
        async with DcycleApi(settings) as api:
            for _ in range(7):
                await api.get(PATH, (), ROOT, "GET")

    asyncio.run(seven())
    logins = [seen for seen in sandbox.requests if seen.path == "/auth/login"]
    assert len(logins) == 4


def test_a_wrong_password_is_told_without_showing_it(sandbox: Sandbox, tmp_path: Path) -> None:
    login: dict[str, Any] = {"auth": "bearer", "api_key": None, "email": sandbox.email, "password": "wrong-word"}
    with pytest.raises(UnauthorizedError, match="DCYCLE_PASSWORD") as caught:
        get(settings_for(sandbox, tmp_path, **login))
    assert "wrong-word" not in str(caught.value)


def test_an_organisation_is_asked_with_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTH_KEY", "sk_north")
    (tmp_path / "o.toml").write_text(f"[[organization]]\nid = '{CHILD}'\napi_key_variable = 'NORTH_KEY'")
    with Sandbox(small_world(), organization_keys={"sk_north": {CHILD}}) as sandbox:
        settings = settings_for(sandbox, tmp_path, organizations_file=tmp_path / "o.toml")
        assert b"f-north" in get(settings, organization=CHILD)
        assert b"f-large" in get(settings)
        with pytest.raises(ForbiddenError):
            get(settings.model_copy(update={"api_key": settings._own_keys[CHILD]}))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_429_pauses_the_whole_organisation() -> None:
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    assert asyncio.run(pace.turn()) == 0.0
    pace.throttled(0.0, 30.0)
    pace.throttled(0.0, 10.0)
    assert asyncio.run(pace.turn()) == 30.0
    assert clock.slept == [30.0]
