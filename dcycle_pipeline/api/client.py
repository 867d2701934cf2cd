"""The only door to the API. It bounds what is under way, and retries what passes by itself.

The connections belong to `connection`; what an answer means belongs to `responses`; how a list is read page by page, to `paging`.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx
import stamina

from dcycle_pipeline.api.auth import ApiKey, Login
from dcycle_pipeline.api.connection import BROKEN, failure, open_connections
from dcycle_pipeline.api.rate_limit import Pace
from dcycle_pipeline.api.responses import read
from dcycle_pipeline.api.types import Query
from dcycle_pipeline.errors import ContractError, ThrottledError, TransientError
from dcycle_pipeline.settings import Settings

# Waits between tries double up to this; a Retry-After may be longer.
LONGEST_WAIT_SECONDS = 30.0
# The default hook of stamina prints to stdout if structlog is installed, and stdout is for results.
stamina.instrumentation.set_on_retry_hooks((stamina.instrumentation.LoggingOnRetryHook,))


class DcycleApi:
    """A connection pool to the API; use it with `async with`. `clock` counts seconds, as `time.monotonic` does.

    `requests_count` counts the requests sent, repetitions included; `server_date` is the last Date header.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._auths: dict[str, httpx.Auth] = {}
        self.max_connections = settings.max_connections
        self._slots = asyncio.Semaphore(settings.max_connections)
        self.requests_count = 0
        self.server_date = ""
        self._http = open_connections(settings)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def get(self, path: str, query: Query, organization_id: str, where: str) -> bytes:
        """The body of `GET path`, known to be JSON. Faults that pass by themselves are retried.

        `where` names endpoint, organisation, facility and page for messages. Raises TransientError if the fault lasts longer than
        DCYCLE_RETRY_ATTEMPTS and DCYCLE_RETRY_SECONDS allow. Raises the ListError that the answer stands for at once.
        """
        tries = stamina.retry_context(
            on=_how_long_to_wait,
            attempts=self._settings.retry_attempts,
            timeout=self._settings.retry_seconds,
            wait_initial=self._settings.retry_first_wait_seconds,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=min(1.0, self._settings.retry_first_wait_seconds),
        )
        async for attempt in tries:
            with attempt:
                return await self._once(path, query, organization_id, where)
        raise AssertionError("unreachable: stamina raises the last error")

    async def _once(self, path: str, query: Query, organization_id: str, where: str) -> bytes:
        pace = self._paces.setdefault(organization_id, Pace(self._clock))
        asked_at = await pace.turn()
        try:
            async with self._slots:
                self.requests_count += 1
                async with asyncio.timeout(self._settings.request_seconds):
                    response = await self._http.get(
                        path,
                        params=list(query),
                        headers=self._headers(organization_id),
                        auth=self._auth(organization_id),
                        extensions={"where": where},
                    )
            self.server_date = response.headers.get("date", self.server_date)
            body = read(response, where, self._mask)
        except ThrottledError as error:
            pace.throttled(asked_at, error.retry_after_seconds)
            raise
        except TimeoutError:
            raise TransientError(f"{where}: no whole answer within {self._settings.request_seconds:g} s.") from None
        except UnicodeEncodeError:
            raise ContractError(f"{where}: the id holds characters that a request cannot carry.") from None
        except BROKEN as error:
            raise failure(error, where, self._settings, self._mask) from None
        pace.answered()
        return body

    def _headers(self, organization_id: str) -> dict[str, str]:
        headers = {"x-organization-id": organization_id, "accept": "application/json"}
        if self._settings.user_id:
            headers["x-user-id"] = self._settings.user_id
        return headers

    def _auth(self, organization_id: str) -> httpx.Auth:
        key = self._settings.key_for(organization_id)
        return self._auths.setdefault(key, self._new_auth(key))

    def _new_auth(self, key: str) -> httpx.Auth:
        settings = self._settings
        bearer = settings.auth == "bearer"
        if (
            bearer
            and settings.email
            and settings.password
            and key in ("", settings.api_key and settings.api_key.get_secret_value())
        ):
            return Login(settings.base_url, settings.email, settings.password.get_secret_value(), self._clock)
        return ApiKey(key, bearer=bearer)

    def _mask(self, text: str) -> str:
        for secret in self._settings.secrets:
            text = text.replace(secret, "[secret]")
        return text


def _how_long_to_wait(error: Exception) -> bool | float:
    if isinstance(error, TransientError):
        return True if error.retry_after_seconds is None else error.retry_after_seconds
    return False
