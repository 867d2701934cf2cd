"""The only door to the API. It bounds what is under way, and retries what passes by itself.

The connections belong to `connection`, secrets to `masking`; what an answer means belongs to `responses`; how long to try, to
`patience` and `breaker`; how a list is read page by page, to `paging`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import httpx

from dcycle_pipeline.api import waiting
from dcycle_pipeline.api.auth import auth_of
from dcycle_pipeline.api.breaker import PROBE_SECONDS, Gate, OpenError, Outages
from dcycle_pipeline.api.connection import BROKEN, Connections, failure
from dcycle_pipeline.api.latecomers import Latecomers
from dcycle_pipeline.api.masking import Masking
from dcycle_pipeline.api.patience import Patience
from dcycle_pipeline.api.rate_limit import Pace
from dcycle_pipeline.api.responses import misunderstood, read
from dcycle_pipeline.api.slots import Slots
from dcycle_pipeline.api.stopwatch import Stopwatch
from dcycle_pipeline.api.trying import within
from dcycle_pipeline.api.types import Query
from dcycle_pipeline.api.window import Window
from dcycle_pipeline.errors import ContractError, ListError, ThrottledError, TransientError
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.telemetry import open_telemetry

T = TypeVar("T")
_OF_A_PAGE = ("page", "size", "sort")
# Of all organisations together, so that open files and what waits in memory do not grow with their number. Each that hangs holds a few.
LISTS_A_CONNECTION = 16
LONGEST_PLACE = 300  # characters of a message that name the list: an id may be longer than a URL


class _Overtaken(Exception):
    """A breaker opened while the request waited for its turn: back to the gate."""


class _Request(NamedTuple):
    path: str
    query: Query
    organization_id: str
    where: str

    @property
    def its_list(self) -> tuple[object, ...]:
        """What all pages of a list have in common."""
        return self.organization_id, self.path, tuple(one for one in self.query if one[0] not in _OF_A_PAGE)


class _Way(NamedTuple):
    """What each request of one organisation passes, in this order."""

    gate: Gate
    pace: Pace
    window: Window


class DcycleApi:
    """A connection pool to the API; use it with `async with`. `outages` is what the run knows of who does not answer.

    `requests_count` counts the requests sent, repetitions included; `server_date` is the last Date header. Whoever reads a list holds
    one of `lists_at_once`. `stopwatch` measures how long each organisation is asked; the wait for a free connection does not count.
    Raises SettingsError if a key is too short to be one.
    """

    def __init__(self, settings: Settings, outages: Outages | None = None, stopwatch: Stopwatch | None = None) -> None:
        self._settings = settings
        self._masking = Masking(settings)
        self._outages = outages or Outages()
        self._clock = self._outages.clock
        self._stopwatch = stopwatch or Stopwatch(self._clock)
        self._ways: dict[str, _Way] = {}
        self._latecomers = Latecomers(settings.late_seconds, self._clock, self._outages)
        self._auths: dict[str, httpx.Auth] = {}
        self.max_connections = settings.max_connections
        self._slots = Slots(settings.max_connections)
        self.lists_at_once = asyncio.Semaphore(LISTS_A_CONNECTION * settings.max_connections)
        self.requests_count = 0
        self.server_date = ""
        self._http = Connections(settings)
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._held.enter_context(self._masking.of_log_lines())
        await self._held.enter_async_context(self._http)
        await self._held.enter_async_context(self._latecomers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._held.__aexit__(kind, error, trace)

    async def get(self, path: str, query: Query, organization_id: str, where: str) -> bytes:
        """The body of `GET path`, known to be JSON. As `ask`."""
        return await self.ask(path, query, organization_id, where, bytes)

    async def ask(
        self,
        path: str,
        query: Query,
        organization_id: str,
        where: str,
        understand: Callable[[bytes], T],
        *,
        recognise: Callable[[bytes], T | None] = lambda body: None,
    ) -> T:
        """What `understand` makes of the body of `GET path`, which is JSON without secrets. What passes by itself is tried again.

        `recognise` gets the body of a 200 first, as it came. If that is one that was understood before, it says what it meant: the same
        bytes mean the same.

        `where` names endpoint, organisation, facility and page for messages. Raises TransientError if the fault (or that of
        `understand`) lasts longer than DCYCLE_RETRY_ATTEMPTS and DCYCLE_RETRY_SECONDS allow, or if nobody answers any more. Raises the
        ListError that the answer stands for at once.
        """
        request = _Request(path, query, organization_id, where)
        async with self._latecomers.asking(organization_id, where):
            return await self._with_patience(request, understand, recognise)

    async def _with_patience(
        self, request: _Request, understand: Callable[[bytes], T], recognise: Callable[[bytes], T | None]
    ) -> T:
        organization_id, where = request.organization_id, request.where
        patience, (gate, pace, window) = Patience(self._settings, self._clock()), self._way_of(organization_id)
        answers_before = gate.answers_counts()

        def outlook() -> str:
            return patience.outlook(self._clock())

        while True:
            asked_at = self._clock()
            try:
                async with gate.passage(where) as is_probe:
                    with self._stopwatch.running(organization_id):
                        asked_at = await pace.turn(asked_at if is_probe else patience.deadline)
                    async with window, self._slot(organization_id):
                        if gate.why_open() and not is_probe:
                            raise _Overtaken
                        with waiting.Waiting(where, outlook), self._stopwatch.running(organization_id):
                            understood = await self._once(request, understand, recognise, is_probe)
                pace.answered()
                self._latecomers.heard(organization_id)
                return understood
            except _Overtaken:
                continue
            except OpenError:
                raise
            except ListError as error:
                if not isinstance(error, ContractError):
                    self._latecomers.heard(organization_id)
                raise
            except TransientError as error:
                wait = None if is_probe else patience.wait_after(error, self._clock())
                if isinstance(error, ThrottledError):
                    pace.throttled(asked_at, wait or 0)
                if is_probe:
                    raise OpenError(f"{error} It was asked only once, because {gate.why_open()}") from None
                if wait is None:
                    gate.gave_up(request.its_list, answers_before, error, where)
                    raise
                gate.tell(error, patience.longest_seconds, outlook())
                self._latecomers.failed(organization_id, error, wait)
            with waiting.Waiting(where, outlook, wait), self._stopwatch.running(organization_id):
                await self._outages.sleep(wait)

    @asynccontextmanager
    async def _slot(self, organization_id: str) -> AsyncIterator[None]:
        """One of the connections that all organisations share."""
        with self._latecomers.queued(organization_id):
            await self._slots.take(last=self._latecomers.failed_last(organization_id))
        try:
            yield
        finally:
            self._slots.give_back()

    def _way_of(self, organization_id: str) -> _Way:
        if organization_id not in self._ways:
            host = self._outages.of(self._settings.base_url)
            throttle = self._outages.of(f"{self._settings.base_url} for organisation {organization_id}")
            pace = Pace(self._clock, self._outages.sleep)
            self._ways[organization_id] = _Way(Gate(host, throttle, self._clock), pace, Window(self.max_connections))
        return self._ways[organization_id]

    async def _once(
        self,
        request: _Request,
        understand: Callable[[bytes], T],
        recognise: Callable[[bytes], T | None],
        is_probe: bool,
    ) -> T:
        path, query, organization_id, where = request
        seconds = min(self._settings.request_seconds, PROBE_SECONDS if is_probe else float("inf"))

        def others_wait() -> bool:
            return self._slots.are_wanted and not self._latecomers.is_known(organization_id)

        try:
            self.requests_count += 1
            async with within(seconds, where, others_wait):
                url, headers = self._settings.base_url + path, self._headers(organization_id)
                with open_telemetry.request(self._settings.address.host, organization_id) as answered:
                    response = await self._http.get(url, query, headers, auth=self._auth(organization_id), where=where)
                    answered(response.status_code)
            self.server_date = response.headers.get("date", self.server_date)
            if response.status_code == 200 and (known := recognise(response.content)) is not None:
                return known
            body = self._masking.cleaned(read(response, where, self._masking.mask), where)
        except (UnicodeEncodeError, httpx.InvalidURL):
            raise ContractError(
                f"{where[:LONGEST_PLACE]}: the id is too long, or holds characters, for a request to carry."
            ) from None
        except BROKEN as error:
            raise failure(error, where, self._settings, self._masking.mask) from None
        try:
            return understand(body)
        except TransientError as error:
            raise misunderstood(response, str(error).removesuffix("."), self._masking.mask) from None

    def _headers(self, organization_id: str) -> dict[str, str]:
        headers = {"x-organization-id": organization_id}
        if self._settings.user_id:
            headers["x-user-id"] = self._settings.user_id
        return headers

    def _auth(self, organization_id: str) -> httpx.Auth:
        key = self._settings.key_for(organization_id)
        if key not in self._auths:
            self._auths[key] = auth_of(self._settings, key, self._clock, self._masking.secrets)
        return self._auths[key]
