"""Reads lists of one endpoint and lands their pages. It needs a connection and a place to land, but no working file.

Which lists there are, and what becomes of their rows, belongs to `sync`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.hidden_rows import read_with_hidden_rows
from dcycle_pipeline.api.meter import Limits, Meter
from dcycle_pipeline.api.types import Page, PageSink, Paging, Proof, Query, Server
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal
from dcycle_pipeline.errors import ListError, NotFoundError, TransientError, UnauthorizedError, UnavailableError, after
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.landed_file import Trailer
from dcycle_pipeline.landing.lists import ANSWERED, PROVEN, UNPROVEN, ListKey, ListResult
from dcycle_pipeline.landing.page_body import read_object, read_page
from dcycle_pipeline.landing.personal_data import Policy

UNFILTERED_REFUSED = (
    "status (the API refuses the list without a filter, so rows of a status that nobody knows may hide)"
)


@dataclass(frozen=True)
class Resume:
    """How old a list that a run landed before it died may be, to be taken over. `now` is the clock."""

    within: timedelta
    now: Callable[[], datetime]


class ListReader:
    """Reads lists of one endpoint for one run. `report` is called with the result of each list as soon as it is known."""

    def __init__(
        self,
        api: DcycleApi,
        landing: Landing,
        endpoint: Endpoint | YearTotal,
        *,
        policy: Policy,
        report: Callable[[ListResult], None],
        resume: Resume,
        limits: Limits,
    ) -> None:
        self._api = api
        self._landing = landing
        self._endpoint = endpoint
        self._policy = policy
        self._report = report
        self._resume = resume
        self._limits = limits
        self._server = Server()
        self._at_once = asyncio.Semaphore(api.max_connections)
        self._unauthorized: dict[str, UnauthorizedError] = {}

    async def read(self, keys: Iterable[ListKey], *, again: bool = False) -> list[ListResult]:
        """Read all lists side by side. Returns one result per key, in order; a list that fails has a result that says so.

        If this run, or one that died a short time ago, has landed a list already, it is taken over, unless `again`.
        Raises UnavailableError if pages cannot be written.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(key, again)) for key in keys]
        return [task.result() for task in tasks]

    async def _one(self, key: ListKey, again: bool) -> ListResult:
        async with self._at_once:
            result = (None if again else self._taken_over(key)) or await self._asked(key)
        self._report(result)
        return result

    def _taken_over(self, key: ListKey) -> ListResult | None:
        if not self._resume.within:
            return None
        now = self._resume.now()
        trailer = self._landing.take_over(key, now - self._resume.within, now)
        return self._landed(key, trailer) if trailer else None

    def _landed(self, key: ListKey, trailer: Trailer) -> ListResult:
        outcome = PROVEN if trailer.proof else ANSWERED
        times = trailer.started_at, trailer.finished_at
        return ListResult(key, outcome, "", *times, self._landing.run_id, trailer.proof, self._landing.file(key))

    async def _asked(self, key: ListKey) -> ListResult:
        started_at = self._resume.now()
        try:
            if over := self._limits.run_is_over():
                raise TransientError(over)
            if refusal := self._unauthorized.get(key.organization_id):
                raise refusal
            return await self._read_and_land(key, started_at)
        except UnauthorizedError as error:
            self._unauthorized[key.organization_id] = error
            outcome, reason = error.outcome, str(error)
        except ListError as error:
            outcome, reason = error.outcome, str(error)
        except TransientError as error:
            outcome, reason = UNPROVEN, str(error)
        except OSError as error:
            raise UnavailableError(f"Pages of {key} cannot be written: {error.strerror}. {after(error)}") from None
        return ListResult(key, outcome, reason, started_at, self._resume.now(), self._landing.run_id)

    async def _read_and_land(self, key: ListKey, started_at: datetime) -> ListResult:
        with self._landing.write(key) as file:
            proof = await self._pages(key, PageSink(file.keep, file.restart))
            trailer = Trailer(proof, started_at, self._resume.now())
            if proof is None or proof.proven:
                file.finish(trailer)
                return self._landed(key, trailer)
        return replace(self._landed(key, trailer), outcome=UNPROVEN, reason=proof.reason, landed_file=None)

    async def _pages(self, key: ListKey, sink: PageSink) -> Proof | None:
        """Give the sink every page of a list and return its proof; or the one answer of a total, which has no proof."""
        if isinstance(self._endpoint, Endpoint):
            paging = self._endpoint.paging
            ask, ask_unfiltered = (
                self._asker(self._endpoint, how, key) for how in (paging, paging.unfiltered or paging)
            )
            meter = Meter(self._limits)
            proof = await read_with_hidden_rows(ask, ask_unfiltered, paging, sink, server=self._server, meter=meter)
            if self._server.needs_filter:
                self._policy.undeclared.add(UNFILTERED_REFUSED)
            return proof
        year, path = str(key.year), self._endpoint.path
        where = f"GET {path} ({key})"
        query = self._endpoint.query(year)
        item = await self._api.ask(
            path, query, key.organization_id, where, lambda body: read_object(body, self._policy, where)
        )
        sink.keep(Page(1, (year,), {}, b"[" + item + b"]"))
        return None

    def _asker(self, endpoint: Endpoint, paging: Paging, key: ListKey) -> Callable[[Query, int], Awaitable[Page]]:
        fixed = (*paging.filter, *paging.query)
        if endpoint.parent_parameter and key.facility_id is not None:
            fixed = (*fixed, (endpoint.parent_parameter, key.facility_id))

        async def ask(variant: Query, number: int) -> Page:
            where = f"GET {paging.path} ({key}, page {number})"
            query = (*fixed, *variant, ("page", str(number)))
            page = await self._api.ask(
                paging.path, query, key.organization_id, where, lambda body: read_page(body, self._policy, where)
            )
            return Page(number, page.identities, page.envelope, page.payload)

        return ask

    async def exists(self, detail_path: str, organization_id: str, item_id: str) -> bool:
        """Whether the API has an item, by its id. Only the API's own word says that it has not.

        Raises ListError or TransientError if the API does not tell.
        """
        if over := self._limits.run_is_over():
            raise TransientError(over)
        path = detail_path.format(id=quote(item_id, safe=""))
        try:
            await self._api.get(path, (), organization_id, f"GET {path} (organisation {organization_id})")
        except NotFoundError as error:
            if error.is_the_apis_word:
                return False
            raise
        return True
