"""Walking every scope of an endpoint and landing what came: the one place where API, endpoint and landing meet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.paging import walk
from dcycle_pipeline.api.types import Page, Proof, Query, Server, Sink
from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal
from dcycle_pipeline.errors import NotFoundError, ScopeError, TransientError, UnauthorizedError, UnavailableError
from dcycle_pipeline.landing.files import Landing, Walked
from dcycle_pipeline.landing.page_body import read_object, read_page
from dcycle_pipeline.landing.personal_data import Policy

_BY_YEAR = frozenset(total.name for total in YEAR_TOTALS)
_ONE_ANSWER = Proof(proven=True, reason="", counter=1, rows=1, distinct=1, passes=1, pages=1)


@dataclass(frozen=True)
class Scope:
    """What one walk is about: the list of one organisation, or of one parent row (`scope_id`) in it; or one year's total."""

    organization_id: str
    endpoint: str
    scope_id: str | None = None

    def __str__(self) -> str:
        kind = "year" if self.endpoint in _BY_YEAR else "facility"
        scope = f", {kind} {self.scope_id}" if self.scope_id else ""
        return f"organisation {self.organization_id}, {self.endpoint}{scope}"


@dataclass(frozen=True)
class Swept:
    """What became of one scope. `path` is the landed file, of the run `run_id`; only a proven scope has one."""

    scope: Scope
    outcome: str
    reason: str
    proof: Proof | None
    path: Path | None
    started_at: datetime
    finished_at: datetime
    run_id: str = ""

    @property
    def proven(self) -> bool:
        return self.outcome == "proven"


Report = Callable[[Swept], None]


class Sweeper:
    """Sweeps scopes of one endpoint and run through one open connection pool."""

    def __init__(
        self,
        api: DcycleApi,
        landing: Landing,
        endpoint: Endpoint | YearTotal,
        *,
        policy: Policy,
        report: Report,
        resume: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._landing = landing
        self._endpoint = endpoint
        self._policy = policy
        self._report = report
        self._resume = resume
        self._now = now
        self._server = Server()
        self._at_once = asyncio.Semaphore(api.max_connections)
        self._unauthorized: dict[str, UnauthorizedError] = {}

    async def sweep(self, scopes: Iterable[Scope], *, anew: bool = False) -> list[Swept]:
        """Walk all scopes side by side; what fails is in the result, not raised.

        A walk that this run, or one that died a short time ago, has landed already is taken over unless `anew`.
        Raises UnavailableError where pages cannot be written.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._bounded(scope, anew)) for scope in scopes]
        return [task.result() for task in tasks]

    async def _bounded(self, scope: Scope, anew: bool) -> Swept:
        async with self._at_once:
            swept = (None if anew else self._taken_over(scope)) or await self._one(scope)
        self._report(swept)
        return swept

    def _taken_over(self, scope: Scope) -> Swept | None:
        now, where = self._now(), (scope.organization_id, self._endpoint.name, scope.scope_id)
        walked = self._landing.take_over(*where, now - self._resume, now) if self._resume else None
        return self._swept(scope, "proven", "", walked) if walked else None

    def _swept(self, scope: Scope, outcome: str, reason: str, walked: Walked) -> Swept:
        path = self._landing.path(scope.organization_id, self._endpoint.name, scope.scope_id)
        return Swept(
            scope, outcome, reason, walked.proof, path, walked.started_at, walked.finished_at, self._landing.run_id
        )

    async def _one(self, scope: Scope) -> Swept:
        started_at = self._now()
        try:
            if refusal := self._unauthorized.get(scope.organization_id):
                raise refusal
            return await self._walk(scope, started_at)
        except UnauthorizedError as error:
            self._unauthorized[scope.organization_id] = error
            outcome, reason = error.outcome, str(error)
        except ScopeError as error:
            outcome, reason = error.outcome, str(error)
        except TransientError as error:
            outcome, reason = "unproven", str(error)
        except OSError as error:
            raise UnavailableError(
                f"Pages of {scope} cannot be written: {error.strerror}. Nothing was changed; free space and sync again."
            ) from None
        return Swept(scope, outcome, reason, None, None, started_at, self._now(), self._landing.run_id)

    async def _walk(self, scope: Scope, started_at: datetime) -> Swept:
        with self._landing.write(scope.organization_id, self._endpoint.name, scope.scope_id) as file:
            proof = await self._read(scope, Sink(file.keep, file.restart))
            walked = Walked(proof, started_at, self._now())
            if proof.proven:
                file.finish(walked)
                return self._swept(scope, "proven", "", walked)
        return replace(self._swept(scope, "unproven", proof.reason, walked), path=None)

    async def _read(self, scope: Scope, sink: Sink) -> Proof:
        if isinstance(self._endpoint, Endpoint):
            return await walk(self._asker(self._endpoint, scope), self._endpoint.reading, sink, self._server)
        year, path = scope.scope_id or "", self._endpoint.path
        where = f"GET {path} ({scope})"
        body = await self._api.get(path, self._endpoint.query(year), scope.organization_id, where)
        sink.keep(Page(1, (year,), {}, b"[" + read_object(body, self._policy, where) + b"]"))
        return _ONE_ANSWER

    def _asker(self, endpoint: Endpoint, scope: Scope) -> Callable[[Query, int], Awaitable[Page]]:
        reading = endpoint.reading
        fixed = reading.query
        if endpoint.scope_parameter and scope.scope_id is not None:
            fixed = (*fixed, (endpoint.scope_parameter, scope.scope_id))

        async def ask(variant: Query, number: int) -> Page:
            where = f"GET {reading.path} ({scope}, page {number})"
            body = await self._api.get(
                reading.path, (*fixed, *variant, ("page", str(number))), scope.organization_id, where
            )
            page = read_page(body, self._policy, where)
            return Page(number, page.identities, page.envelope, page.payload)

        return ask

    async def exists(self, detail_path: str, organization_id: str, item_id: str) -> bool:
        """Whether the API still has an item that a list no longer shows.

        Raises ScopeError or TransientError where the API does not say.
        """
        path = detail_path.format(id=quote(item_id, safe=""))
        try:
            await self._api.get(path, (), organization_id, f"GET {path} (organisation {organization_id})")
        except NotFoundError:
            return False
        return True
