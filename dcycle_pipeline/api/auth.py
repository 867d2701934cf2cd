"""Puts the credential on a request, and renews the token of a login (docs.dcycle.io/docs/authentication).

Which credential belongs to which organisation is a setting; sending the request belongs to `client`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from math import inf

import httpx
import msgspec

from dcycle_pipeline.api.responses import read
from dcycle_pipeline.api.secrets import Secrets
from dcycle_pipeline.errors import DcycleError, ListError, TransientError, UnauthorizedError
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.settings.network import is_header_text

LOGIN_PATH = "/auth/login"
# A token lasts an hour. A request may be under way for DCYCLE_REQUEST_SECONDS (30), so a token this old is not sent any more.
RENEW_BEFORE_SECONDS = 60.0
TOKEN_SECONDS = 3600.0  # what the documentation says of a token
# A token is used for as long at least, whatever `expires_in` says: a 401 renews it too, and a login for each request locks users out.
LEAST_TOKEN_SECONDS = 300.0


class ApiKey(httpx.Auth):
    """Sends the key as `x-api-key`, or as a Bearer token. It is set on the wire only: httpx would show it in a header's repr."""

    def __init__(self, key: str, *, bearer: bool) -> None:
        self._header = ("authorization", f"Bearer {key}") if bearer else ("x-api-key", key)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers[self._header[0]] = self._header[1]
        yield request


class _LoginAnswer(msgspec.Struct):
    """The body of `POST /auth/login`. `expires_in` is in seconds, in whatever form it comes."""

    access_token: str
    expires_in: msgspec.Raw = msgspec.Raw(b"null")


class Login(httpx.Auth):
    """Sends a token got by e-mail and password. It is renewed shortly before it ends, and once more after a 401. A login that is refused is not tried again.

    `clock` counts seconds; `secrets` learns each token. A request raises UnauthorizedError if the login is refused, TransientError if
    it fails for now.
    """

    def __init__(
        self, base_url: str, email: str, password: str, *, clock: Callable[[], float], secrets: Secrets
    ) -> None:
        self._url = f"{base_url}{LOGIN_PATH}"
        self._body = {"email": email, "password": password}
        self._clock = clock
        self._secrets = secrets
        self._logins = 0
        self._failure: DcycleError | None = None
        self._token = ""
        self._good_until = float("-inf")
        self._renewing = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        for last in (False, True):
            logins = self._logins
            async with self._renewing:
                if self._clock() >= self._good_until:
                    refused = isinstance(self._failure, UnauthorizedError)  # each wrong login may lock the account
                    if self._failure and (refused or logins != self._logins):
                        raise self._failure  # of the login that this request waited for: sixteen more would fail alike
                    answer = yield httpx.Request("POST", self._url, json=self._body)
                    await answer.aread()
                    self._learn(answer)
                token = self._token
            request.headers["authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != 401 or last:
                return
            if token == self._token:
                self._good_until = float("-inf")

    def _learn(self, response: httpx.Response) -> None:
        self._logins += 1
        self._failure = None
        try:
            self._take(self._answer(response))
        except DcycleError as error:
            self._failure = error
            raise

    def _answer(self, response: httpx.Response) -> _LoginAnswer:
        where = f"POST {LOGIN_PATH}"
        try:
            answer = msgspec.json.decode(read(response, where, self._secrets.mask), type=_LoginAnswer)
        except ListError:
            raise UnauthorizedError(
                f"{where}: {response.status_code}: check DCYCLE_EMAIL and DCYCLE_PASSWORD."
            ) from None
        except ValueError:  # msgspec's errors are such too
            answer = None
        if answer is None or not is_header_text(answer.access_token):
            raise TransientError(f"{where}: 200, but no usable token in the body.")
        return answer

    def _take(self, answer: _LoginAnswer) -> None:
        self._secrets.learn(answer.access_token)
        self._token = answer.access_token
        self._good_until = self._clock() + _lifetime(bytes(answer.expires_in)) - RENEW_BEFORE_SECONDS


def _lifetime(expires_in: bytes) -> float:
    """The seconds that a token lasts: what the documentation says, if the answer says nothing that can be."""
    try:
        seconds = float(expires_in.strip(b'"'))
    except ValueError:
        seconds = TOKEN_SECONDS
    return max(seconds, LEAST_TOKEN_SECONDS) if 0 < seconds < inf else TOKEN_SECONDS


def auth_of(settings: Settings, key: str, clock: Callable[[], float], secrets: Secrets) -> httpx.Auth:
    """How requests with this key, empty if there is none, prove who asks: by a login, if the settings name one and the key is theirs."""
    bearer = settings.auth == "bearer"
    is_theirs = key in ("", settings.api_key and settings.api_key.get_secret_value())
    if bearer and settings.email and settings.password and is_theirs:
        password = settings.password.get_secret_value()
        return Login(settings.base_url, settings.email, password, clock=clock, secrets=secrets)
    return ApiKey(key, bearer=bearer)
