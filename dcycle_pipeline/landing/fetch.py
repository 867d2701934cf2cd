"""Reads lists of one endpoint and lands their pages. It needs a connection and a place to land, but no working file.

Which lists there are, and what becomes of their rows, belongs to `sync`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.fingerprint import digest
from dcycle_pipeline.api.meter import Limits
from dcycle_pipeline.api.types import Page, Server
from dcycle_pipeline.api.window import Window
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal
from dcycle_pipeline.errors import ListError, NotFoundError, TransientError, UnauthorizedError, UnavailableError, after
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.landed_file import Trailer
from dcycle_pipeline.landing.last_proven import LastProven
from dcycle_pipeline.landing.lists import ANSWERED, PROVEN, UNPROVEN, ListKey, ListResult
from dcycle_pipeline.landing.one_list import OneList
from dcycle_pipeline.landing.page_body import read_object
from dcycle_pipeline.landing.personal_data import Policy
from dcycle_pipeline.telemetry.open_telemetry import span, tell

FIRST_LISTS = 4  # at once, until an organisation has answered: one that hangs holds so many of the lists that all share
UNFILTERED_REFUSED = (
    "status (the API refuses the list without a filter, so rows of a status that nobody knows may hide)"
)


@dataclass(frozen=True)
class Resume:
    """How old a list that a run landed before it died may be, to be taken over. `now` is the clock."""

    within: timedelta
    now: Callable[[], datetime]

    def landed(self, landing: Landing, keys: Iterable[ListKey]) -> set[ListKey]:
        """Those lists that would be taken over now, and not asked for."""
        now = self.now()
        return {key for key in keys if landing.has_landed(key, now - self.within, now)} if self.within else set()


class ListReader:
    """Reads lists of one organisation and endpoint for one run. `report` is called with each result as soon as it is known.

    `last` are the last proven reads. `stands` are lists that are not asked for, with the result that counts on; all others are
    asked for. If `is_short_of_time`, what the last sweep did not prove goes first, so that each list gets its turn. `unchanged` are the
    lists of which nothing differs from what the tables hold.
    """

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
        server: Server | None = None,
        last: Mapping[ListKey, LastProven] | None = None,
        stands: Mapping[ListKey, ListResult] | None = None,
        is_short_of_time: bool = False,
    ) -> None:
        self._api = api
        self._landing = landing
        self._endpoint = endpoint
        self._policy = policy
        self._report = report
        self._resume = resume
        self._limits = limits
        self._server = server or Server()
        self._last = last or {}
        self.stands = stands or {}
        self._is_short_of_time = is_short_of_time
        self._at_once = Window(api.max_connections, FIRST_LISTS)
        self._unauthorized: dict[str, UnauthorizedError] = {}
        self.unchanged: set[ListKey] = set()

    async def read(self, keys: Iterable[ListKey], *, again: bool = False) -> list[ListResult]:
        """Read all lists side by side. Returns one result per key, in order; a list that fails has a result that says so.

        If this run, or one that died a short time ago, has landed a list already, it is taken over, unless `again`; then nothing
        that was read before counts. Raises UnavailableError if pages cannot be written.
        """
        wanted = list(keys)
        found: dict[ListKey, ListResult] = {}
        for some in (self._behind_first(wanted),) if self._is_short_of_time else (*self._witnesses(wanted), wanted):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(key, again)) for key in some if key not in found]
            found |= {result.key: result for result in (task.result() for task in tasks)}
        return [found[key] for key in wanted]

    def _witnesses(self, keys: list[ListKey]) -> tuple[list[ListKey], list[ListKey]]:
        """The list that had the longest page at its last read, and one with rows of each status: read first, they spare the others
        requests, see `few_passes`.
        """
        by_status: dict[str, ListKey] = {}
        longest, rows = list[ListKey](), 0
        for key in keys:
            for page in last.fingerprint.pages if (last := self._last.get(key)) and key not in self.stands else ():
                by_status |= dict.fromkeys(page.statuses, key)
                longest, rows = ([key], page.rows) if page.rows > rows else (longest, rows)
        return longest, list(dict.fromkeys(by_status.values()))

    def _behind_first(self, keys: list[ListKey]) -> list[ListKey]:
        """The lists that the last sweep did not prove, the longest ago before the others; then the rest in its order."""
        never = datetime.min.replace(tzinfo=UTC)

        def turn(key: ListKey) -> tuple[bool, datetime]:
            last = self._last.get(key)
            is_behind = last is None or not last.is_merged
            return not is_behind, last.result.finished_at if last and is_behind else never

        return sorted(keys, key=turn)

    async def _one(self, key: ListKey, again: bool) -> ListResult:
        async with self._at_once, self._api.lists_at_once:
            self.unchanged.discard(key)
            known = None if again else self._standing(key) or self._taken_over(key)
            with span("list", organization_id=key.organization_id, endpoint=key.endpoint, facility_id=key.facility_id):
                result = known or await self._asked(key, again)
                if result.outcome == UNPROVEN and not known and self._limits.time_is_up(key.organization_id):
                    result = replace(result, is_out_of_time=True)
                tell(outcome=result.outcome, rows=result.rows_count)
        self._report(result)
        return result

    def _standing(self, key: ListKey) -> ListResult | None:
        """The result of a list that is not asked for, with its pages, if it has any, in this run's folder too."""
        result = self.stands.get(key)
        if result is None or result.landed_file is None:
            return result and replace(result, run_id=self._landing.run_id)
        if not self._landing.link(self._landing.root / result.landed_file, key):
            return None
        self.unchanged.add(key)
        return replace(result, run_id=self._landing.run_id, landed_file=self._landing.file(key))

    def _taken_over(self, key: ListKey) -> ListResult | None:
        if not self._resume.within:
            return None
        now = self._resume.now()
        trailer = self._landing.take_over(key, now - self._resume.within, now)
        return self._landed(key, trailer) if trailer else None

    def _landed(self, key: ListKey, trailer: Trailer) -> ListResult:
        outcome = PROVEN if trailer.proof else ANSWERED
        times = trailer.started_at, trailer.finished_at
        fingerprint = trailer.fingerprint
        if fingerprint is not None:
            fingerprint = replace(fingerprint, file=digest(self._landing.path(key).read_bytes()))
        file = self._landing.file(key)
        return ListResult(key, outcome, "", *times, self._landing.run_id, trailer.proof, file, fingerprint=fingerprint)

    async def _asked(self, key: ListKey, again: bool) -> ListResult:
        started_at = self._resume.now()
        try:
            if over := self._limits.time_is_up(key.organization_id):
                raise TransientError(over)
            if refusal := self._unauthorized.get(key.organization_id):
                raise refusal
            if isinstance(self._endpoint, YearTotal):
                return await self._total(self._endpoint, key, started_at)
            last = None if again else self._last.get(key)
            return await self._list(self._endpoint, key, started_at, last)
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

    async def _list(
        self, endpoint: Endpoint, key: ListKey, started_at: datetime, last: LastProven | None
    ) -> ListResult:
        one = OneList(self._api, endpoint, key, self._policy, self._server, self._limits, self._landing.source)
        last = last if last and last.is_whole() else None
        with self._landing.write(key) as file:
            read = await one.read(file, last)
            trailer = Trailer(read.proof, started_at, self._resume.now(), read.fingerprint)
            if last and read.is_same:
                file.keep_all_of(last.path, last.fingerprint.pages_at)
            if read.proof.proven:
                trailer = file.finish(trailer)
        if self._server.needs_filter:
            self._policy.undeclared.add(UNFILTERED_REFUSED)
        if not read.proof.proven:
            times = trailer.started_at, trailer.finished_at
            return ListResult(key, UNPROVEN, read.proof.reason, *times, self._landing.run_id, read.proof)
        landed = self._landed(key, trailer)
        if last and last.is_merged and read.is_same:
            self.unchanged.add(key)
            return replace(landed, unreadable=last.result.unreadable, rows_print=last.result.rows_print)
        return landed

    async def _total(self, endpoint: YearTotal, key: ListKey, started_at: datetime) -> ListResult:
        """The one answer of a total, which has no proof."""
        year = str(key.year)
        where = f"GET {endpoint.path} ({key})"
        item = await self._api.ask(
            endpoint.path,
            endpoint.query(year),
            key.organization_id,
            where,
            lambda body: read_object(body, self._policy, where),
        )
        trailer = Trailer(None, started_at, self._resume.now())
        with self._landing.write(key) as file:
            file.keep(Page(1, (year,), {}, b"[" + item + b"]"))
            file.finish(trailer)
        return self._landed(key, trailer)

    async def exists(self, detail_path: str, organization_id: str, item_id: str) -> bool:
        """Whether the API has an item, by its id. Only the API's own word says that it has not.

        Raises ListError or TransientError if the API does not tell.
        """
        if over := self._limits.time_is_up(organization_id):
            raise TransientError(over)
        path = detail_path.format(id=quote(item_id, safe=""))
        try:
            await self._api.get(path, (), organization_id, f"GET {path} (organisation {organization_id})")
        except NotFoundError as error:
            if error.is_the_apis_word:
                return False
            raise
        return True
