"""Putting the credential on a request, and renewing the token of a login (api docs, authentication)."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import httpx
import msgspec

from dcycle_pipeline.errors import TransientError, UnauthorizedError

LOGIN_PATH = "/auth/login"
RENEW_BEFORE_SECONDS = 60.0


class ApiKey(httpx.Auth):
    """The key in `x-api-key`, or as a Bearer token; set on the wire only, so that no header object shows it."""

    def __init__(self, key: str, *, bearer: bool) -> None:
        self._header = ("authorization", f"Bearer {key}") if bearer else ("x-api-key", key)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers[self._header[0]] = self._header[1]
        yield request


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0


class Login(httpx.Auth):
    """A token by e-mail and password, renewed shortly before it ends and once more after a 401."""

    def __init__(self, base_url: str, email: str, password: str, clock: Callable[[], float]) -> None:
        self._url = f"{base_url}{LOGIN_PATH}"
        self._body = {"email": email, "password": password}
        self._clock = clock
        self._token = ""
        self._good_until = float("-inf")
        self._renewing = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        for last in (False, True):
            async with self._renewing:
                if self._clock() >= self._good_until:
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
        where = f"POST {LOGIN_PATH}"
        if response.status_code >= 500 or response.status_code == 429:
            raise TransientError(f"{where}: {response.status_code}.")
        if response.status_code != 200:
            raise UnauthorizedError(f"{where}: {response.status_code}: check DCYCLE_EMAIL and DCYCLE_PASSWORD.")
        try:
            token = msgspec.json.decode(response.content, type=_Token)
        except msgspec.DecodeError:
            raise TransientError(f"{where}: 200, but no token in the body.") from None
        self._token = token.access_token
        self._good_until = self._clock() + token.expires_in - min(RENEW_BEFORE_SECONDS, token.expires_in / 2)
