"""Reads a list, pass by pass, until it is proven that every row was seen. Pure: asking and landing are arguments.

The proof has four parts: the set has exactly as many ids as the counter says; every id was seen again after the set was
complete; the counter never moved; and no other id turned up. So the set *was* the list at the moment between. This holds
even if each request orders ties differently, or if a deletion and an insertion leave the counter as it was. A list that
fits on one page is one answer: it needs no second pass.
"""

from dataclasses import dataclass, field

from dcycle_pipeline.api.asking import ask_side_by_side, may_go_on
from dcycle_pipeline.api.meter import Limits, Meter
from dcycle_pipeline.api.types import Ask, Page, PageSink, Paging, Proof, Query, Server, read_counter
from dcycle_pipeline.errors import ListError, RejectedError

# Pages of one pass under way at once: one long list takes at most half of the default connections. A pass also ends after as many
# pages without a new id, in case a server repeats its last page for ever.
PAGES_AT_ONCE = 8
PASSES_AT_MOST = 40  # ends the read of a list that changes for ever
STALLED_PASSES_AT_MOST = 2  # passes without news before giving up
# A row hidden among ties in every second pass stays hidden in this many passes 1 time in 256.
STALLED_PASSES_AT_MOST_WITH_TIES = 8
RESTARTS_AT_MOST = 6  # a counter that moves again after so many fresh starts moves for ever


async def read_list(
    ask: Ask, paging: Paging, sink: PageSink, server: Server | None = None, meter: Meter | None = None
) -> Proof:
    """Ask for every page until the list is proven, or until another pass would not help. Returns the proof, which says which.

    `ask` gets one page by query variant and number; `sink` receives each page that brings news; `server` carries what the
    reads of one endpoint learn together; `meter` ends what does not end. Raises the ListError or TransientError that `ask` raises.
    """
    return await Read(ask, paging, sink, server or Server(), meter or Meter(Limits())).to_the_end()


@dataclass
class Read:
    """One list while it is read: what `read_list` does, pass by pass.

    `known` are the ids that it has so far, `confirmed` those that it saw again after the set was complete; `seen_again`
    says that there was such a pass, if only over an empty list. A list that is `on_one_page` is proven without that. `counter` is
    the API's; a read that `looks_beyond` asks if there is more than it says.
    """

    ask: Ask
    paging: Paging
    sink: PageSink
    server: Server
    meter: Meter
    looks_beyond: bool = True
    counter: int | None = None
    known: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    on_one_page: bool = False
    seen_again: bool = False
    fingerprints: dict[tuple[Query, int], int] = field(default_factory=dict)
    refused: dict[Query, ListError] = field(default_factory=dict)
    passes: int = 0
    restarts: int = 0
    stalled: int = 0
    served: int = 0
    ties: bool = False
    pages: int = 0
    rows: int = 0
    trouble: str = ""

    @property
    def used_up(self) -> str:
        """Which budget is used up; empty if none is."""
        return self.meter.used_up(len(self.known))

    @property
    def complete(self) -> bool:
        """Whether the set has as many ids as the counter says."""
        return self.counter is not None and len(self.known) == self.counter

    async def until_complete(self) -> Proof | None:
        """Pass over the list until the set is complete. If the read gives up instead, its proof."""
        while not self.complete:
            if (proof := self.verdict()) is not None:
                return proof
            await self.one_pass()
        return None

    async def to_the_end(self) -> Proof:
        """Pass over the list until it is proven or the read gives up. Returns the proof, which says which."""
        while (proof := self.verdict()) is None:
            await self.one_pass()
        return proof

    def verdict(self) -> Proof | None:
        """A proof, whether it holds or the read gives up; None for one more pass."""
        if self.complete and (self.on_one_page or (self.seen_again and len(self.confirmed) == self.counter)):
            return self._proof("")
        if used_up := self.used_up:
            return self._proof(used_up)
        if self.restarts > RESTARTS_AT_MOST:
            return self._proof(f"{self.trouble} on each of {self.restarts} attempts")
        if self.passes and self.counter is None and not self.trouble:
            return self._proof(f"the answer has no usable counter ({' + '.join(self.paging.counters)})")
        patience = (
            STALLED_PASSES_AT_MOST_WITH_TIES if self.ties else max(STALLED_PASSES_AT_MOST, len(self.paging.variants))
        )
        if self.stalled >= patience or self.passes >= PASSES_AT_MOST:
            return self._proof(
                f"{len(self.known)} distinct rows after {self.passes} passes, but the counter says {self.counter}"
            )
        return None

    def _proof(self, reason: str) -> Proof:
        return Proof(not reason, reason, self.counter, self.rows, len(self.known), self.passes, self.pages)

    async def one_pass(self) -> None:
        variant = self._next_variant()
        self.trouble = ""
        try:
            first = await self._page(variant, 1)
        except RejectedError as error:
            self.refused[variant] = error
            if len(self.refused) == len(set(self.paging.variants)):
                raise
            return
        self.passes += 1
        before = len(self.known), len(self.confirmed)
        was_complete = self.complete
        seen = await self._pages(variant, first)
        if self.trouble:
            self._restart()
        else:
            self._judge(seen, was_complete, before)

    def _next_variant(self) -> Query:
        usable = [variant for variant in self.paging.variants if variant not in self.refused]
        return usable[self.passes % len(usable)]

    def _restart(self) -> None:
        self.restarts += 1
        self.counter, self.known, self.confirmed, self.fingerprints = None, set(), set(), {}
        self.stalled = self.rows = 0
        self.on_one_page = self.seen_again = False
        self.sink.restart()

    def _judge(self, seen: set[str], was_complete: bool, before: tuple[int, int]) -> None:
        if self.counter is not None and len(self.known) > self.counter:
            self.trouble = f"{len(self.known)} distinct rows came, but the counter says {self.counter}"
            self._restart()
            return
        if was_complete:
            self.confirmed |= seen
            self.seen_again = True
        self.ties = self.counter is not None and self.served >= self.counter > len(seen)
        self.stalled = 0 if (len(self.known), len(self.confirmed)) != before else self.stalled + 1

    async def _pages(self, variant: Query, first: Page) -> set[str]:
        """Take every page of one pass. Returns the ids that it saw."""
        seen: set[str] = set()
        self.served = 0
        self._take(variant, first, seen)
        self.on_one_page = self.counter is not None and len(seen) == len(first.identities) == self.counter
        size, barren, number, previous = len(first.identities), 0, 2, first.identities
        while (
            size
            and not self.trouble
            and self.counter is not None
            and len(seen) < self.counter
            and barren < PAGES_AT_ONCE
            and not self.used_up
        ):
            due = -(-self.counter // size)
            upto = min(max(due, number), number + min(PAGES_AT_ONCE, self.meter.pages_left) - 1)
            for page in await self._ask_several(variant, range(number, upto + 1)):
                if page is None or not page.identities or page.identities == previous:
                    return seen
                previous = page.identities
                barren = 0 if self._take(variant, page, seen) else barren + 1
            number = upto + 1
        if (
            self.looks_beyond
            and size
            and not (self.trouble or self.used_up)
            and may_go_on(self.paging, self.server, first.envelope, size, len(previous))
        ):
            await self._look_beyond(variant, number, previous, seen)
        return seen

    async def _look_beyond(self, variant: Query, number: int, previous: tuple[str, ...], seen: set[str]) -> None:
        (page,) = await self._ask_several(variant, range(number, number + 1))
        if page is not None and page.identities and page.identities != previous:
            self._take(variant, page, seen)

    async def _page(self, variant: Query, number: int) -> Page:
        self.meter.pages += 1
        return await self.ask(variant, number)

    async def _ask_several(self, variant: Query, numbers: range) -> list[Page | None]:
        return await ask_side_by_side(lambda number: self._page(variant, number), numbers)

    def _take(self, variant: Query, page: Page, seen: set[str]) -> bool:
        """Count one page in, and land it if it says anything new. Returns whether it brought ids that are new to this pass."""
        self.pages += 1
        counter = read_counter(page.envelope, self.paging.counters)
        if self.counter is None and page.number == 1:
            self.counter = counter
        elif counter != self.counter:
            self.trouble = f"the counter moved from {self.counter} to {counter} during the read"
            return False
        floor = read_counter(page.envelope, self.paging.floor)
        if floor is not None and counter is not None and floor > counter:
            self.trouble = f"the counter says {counter}, but {' + '.join(self.paging.floor)} are {floor}"
            return False
        before = len(seen)
        self.server.longest_page = max(self.server.longest_page, len(page.identities))
        self.served += len(page.identities)
        seen.update(page.identities)
        fingerprint = hash(page.payload)
        earlier = self.fingerprints.get((variant, page.number), fingerprint)
        if not self.known.issuperset(page.identities) or earlier != fingerprint:
            self.sink.keep(page)
            self.meter.landed += len(page.payload)
            self.rows += len(page.identities)
        self.fingerprints[variant, page.number] = fingerprint
        self.known.update(page.identities)
        return len(seen) > before
