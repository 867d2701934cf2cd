"""Reads one list and lands its pages: in few passes if that proves it, else pass by pass.

Which lists are read, and what becomes of one that fails, belongs to `fetch`.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.few_passes import Found, LastRead, read_in_few_passes
from dcycle_pipeline.api.fingerprint import Fingerprint, PagePrint, digest, digest_of_ids
from dcycle_pipeline.api.hidden_rows import read_with_hidden_rows
from dcycle_pipeline.api.meter import Limits, Meter
from dcycle_pipeline.api.one_pass import Answer, AskAgain
from dcycle_pipeline.api.types import Page, PageSink, Paging, Proof, Query, Server
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.files import LandedFile
from dcycle_pipeline.landing.last_proven import LastProven
from dcycle_pipeline.landing.lists import ListKey
from dcycle_pipeline.landing.page_body import PageBody, read_page
from dcycle_pipeline.landing.personal_data import Policy
from dcycle_pipeline.telemetry.open_telemetry import span


@dataclass(frozen=True)
class Read:
    """The proof of a list, its fingerprint, and whether no page differs from the last read; then nothing was written."""

    proof: Proof
    fingerprint: Fingerprint | None
    is_same: bool = False


@dataclass(frozen=True)
class OneList:
    """A list of an endpoint. `policy` gets the names of undeclared fields; `server` carries what the reads of an endpoint learn
    together; `source` stands for all that decides what a read gives.
    """

    api: DcycleApi
    endpoint: Endpoint
    key: ListKey
    policy: Policy
    server: Server
    limits: Limits
    source: str

    async def read(self, file: LandedFile, last: LastProven | None) -> Read:
        """Give the file every page of the list, unless all are as they were `last`. Raises the ListError or TransientError of a request."""
        meter, paging = Meter(self.limits, self.key.organization_id), self.endpoint.paging
        if paging.filter and not paging.statuses:
            if (found := await self._in_few_passes(file, last, meter)) is not None:
                return self._landed(file, last, found)
            file.restart()
        return await self._pass_by_pass(file, meter)

    async def _in_few_passes(self, file: LandedFile, last: LastProven | None, meter: Meter) -> Found | None:
        paging = self.endpoint.paging
        before = LastRead(last.fingerprint, last.ids_of) if last else None
        sink = PageSink(file.keep, file.restart)
        return await read_in_few_passes(self._again, paging, sink, before, server=self.server, meter=meter)

    def _landed(self, file: LandedFile, last: LastProven | None, found: Found) -> Read:
        if not found.proof.proven:
            return Read(found.proof, None)
        for page in found.pages:
            self.policy.undeclared.update(page.undeclared)
        if last and not found.is_same and found.same_pages:
            for line in last.lines(found.same_pages):
                file.keep_line(line)
        fingerprint = Fingerprint(self.source, found.ids, found.proof.distinct, found.envelope, found.pages)
        return Read(found.proof, fingerprint, found.is_same)

    async def _pass_by_pass(self, file: LandedFile, meter: Meter) -> Read:
        paging, ids = self.endpoint.paging, set[str]()
        sink = _Noting(file, ids)
        ask, unfiltered = self._asker(paging), self._asker(paging.unfiltered or paging)
        proof = await read_with_hidden_rows(
            ask, unfiltered, paging, PageSink(sink.keep, sink.restart), server=self.server, meter=meter
        )
        return Read(proof, Fingerprint(self.source, digest_of_ids(ids), len(ids), {}, []) if proof.proven else None)

    def _asker(self, paging: Paging) -> Callable[[Query, int], Awaitable[Page]]:
        async def ask(variant: Query, number: int) -> Page:
            where, query = self._where(paging, number), self._query(paging, variant, number)
            with self._about(number):
                return await self.api.ask(
                    paging.path, query, self.key.organization_id, where, lambda body: self._page(number, body, where)
                )

        return ask

    def _again(self, statuses: Query) -> AskAgain:
        paging = replace(self.endpoint.paging, filter=statuses)

        async def ask(number: int, before: PagePrint | None) -> Answer:
            where, query = self._where(paging, number), self._query(paging, paging.variants[0], number)
            came = ""

            def recognise(body: bytes) -> Answer | None:
                nonlocal came
                came = digest(self.policy.without_what_never_lands(body))
                return Answer(number, None, before, None) if before and before.came == came else None

            def understand(body: bytes) -> Answer:
                return self._answer(number, body, came, before, where)

            with self._about(number):
                return await self.api.ask(
                    paging.path, query, self.key.organization_id, where, understand, recognise=recognise
                )

        return ask

    def _about(self, page: int) -> AbstractContextManager[None]:
        key = self.key
        return span(
            "page", organization_id=key.organization_id, endpoint=key.endpoint, facility_id=key.facility_id, page=page
        )

    def _where(self, paging: Paging, number: int) -> str:
        return f"GET {paging.path} ({self.key}, page {number})"

    def _query(self, paging: Paging, variant: Query, number: int) -> Query:
        return (*self._fixed(paging), *variant, ("page", str(number)))

    def _fixed(self, paging: Paging) -> Query:
        fixed = (*paging.filter, *paging.query)
        if self.endpoint.parent_parameter and self.key.facility_id is not None:
            fixed = (*fixed, (self.endpoint.parent_parameter, self.key.facility_id))
        return fixed

    def _page(self, number: int, body: bytes, where: str) -> Page:
        page = read_page(body, self.policy, where)
        return Page(number, page.identities, page.envelope, page.payload, page.statuses)

    def _answer(self, number: int, body: bytes, came: str, before: PagePrint | None, where: str) -> Answer:
        policy = self.policy.for_a_page()
        found = read_page(body, policy, where)
        printed = _print(came, found, policy)
        is_same = before is not None and printed.landed == before.landed != ""
        page = None if is_same else Page(number, found.identities, found.envelope, found.payload, found.statuses)
        return Answer(number, found.envelope, printed, page)


def _print(came: str, page: PageBody, policy: Policy) -> PagePrint:
    """The print of a page. One that has a row without an id of its own is looked at each time."""
    landed = digest(page.payload) if page.all_have_ids else ""
    return PagePrint(came if landed else "", landed, page.statuses, tuple(sorted(policy.undeclared)))


@dataclass
class _Noting:
    """Writes pages and notes their ids."""

    file: LandedFile
    ids: set[str]

    def keep(self, page: Page) -> None:
        self.ids.update(page.identities)
        self.file.keep(page)

    def restart(self) -> None:
        self.ids.clear()
        self.file.restart()
