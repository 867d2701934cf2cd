"""Walking a list page by page until there is proof that every row was seen. Pure: asking and keeping are arguments.

The proof: every id was seen again after the set was complete, the set has exactly as many ids as the counter says,
the counter never moved and no foreign id turned up. So at the moment between, the set *was* the list, even where ties
are ordered anew at every request or where a deletion and an insertion leave the counter as it was. A list that fits
on one page is one answer and needs no second look.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dcycle_pipeline.errors import NotFoundError, RejectedError, ScopeError

PAGE_SIZE = 100
PAGES_AT_ONCE = 8
PASSES_AT_MOST = 40
STALLED_PASSES_AT_MOST = 2
STALLED_PASSES_AT_MOST_WITH_TIES = 8
RESTARTS_AT_MOST = 6

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reading:
    """How the list of an endpoint is asked for, and which of its counters proves that all of it came.

    `variants` are query parts that are taken in turn, pass by pass, where the first alone does not give every row;
    `counters` are the envelope's fields whose sum is the number of rows that exist; `floor` are other counters whose
    sum can never be above that, which unmasks a counter that is too low.
    """

    path: str
    detail_path: str
    counters: tuple[str, ...]
    floor: tuple[str, ...] = ()
    query: Query = ()
    variants: tuple[Query, ...] = ((),)
    needs_user_id: bool = False


@dataclass(frozen=True)
class Page:
    """One answer: the identity of each item in order, the envelope without items, and what is to be kept of it."""

    number: int
    identities: tuple[str, ...]
    envelope: Mapping[str, Any]
    payload: bytes


@dataclass(frozen=True)
class Proof:
    """What a walk can say about a scope. `reason` is empty when it is proven."""

    proven: bool
    reason: str
    counter: int | None
    rows: int
    distinct: int
    passes: int
    pages: int


Ask = Callable[[Query, int], Awaitable[Page]]


@dataclass
class Sink:
    """Where the pages of a walk go: `keep` one more, or `restart` because what was kept no longer counts."""

    keep: Callable[[Page], None]
    restart: Callable[[], None]


async def walk(ask: Ask, reading: Reading, sink: Sink) -> Proof:
    """Ask for every page until the rows are proven complete, or until another pass would not help.

    Raises ScopeError (unauthorized, forbidden, not found, rejected) and TransientError as `ask` raises them.
    """
    walker = _Walk(ask, reading, sink)
    while (proof := walker.verdict()) is None:
        await walker.one_pass()
    return proof


@dataclass
class _Walk:
    ask: Ask
    reading: Reading
    sink: Sink
    counter: int | None = None
    known: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    on_one_page: bool = False
    kept: dict[tuple[Query, int], int] = field(default_factory=dict)
    refused: dict[Query, ScopeError] = field(default_factory=dict)
    passes: int = 0
    restarts: int = 0
    stalled: int = 0
    served: int = 0
    ties: bool = False
    pages: int = 0
    rows: int = 0
    trouble: str = ""

    def verdict(self) -> Proof | None:
        """Proven, given up, or None for one more pass."""
        complete = self.passes > 0 and self.counter is not None and len(self.known) == self.counter
        if complete and (self.on_one_page or len(self.confirmed) == self.counter):
            return self._proof("")
        if self.restarts > RESTARTS_AT_MOST:
            return self._proof(f"{self.trouble} on each of {self.restarts} attempts")
        if self.passes and self.counter is None and not self.trouble:
            return self._proof(f"the answer has no usable counter ({' + '.join(self.reading.counters)})")
        patience = (
            STALLED_PASSES_AT_MOST_WITH_TIES if self.ties else max(STALLED_PASSES_AT_MOST, len(self.reading.variants))
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
            first = await self.ask(variant, 1)
        except RejectedError as error:
            self.refused[variant] = error
            if len(self.refused) == len(set(self.reading.variants)):
                raise
            return
        self.passes += 1
        before = len(self.known), len(self.confirmed)
        was_complete = self.counter is not None and len(self.known) == self.counter
        seen = await self._pages(variant, first)
        if self.trouble:
            self._restart()
        else:
            self._judge(seen, was_complete, before)

    def _next_variant(self) -> Query:
        usable = [variant for variant in self.reading.variants if variant not in self.refused]
        return usable[self.passes % len(usable)]

    def _restart(self) -> None:
        self.restarts += 1
        self.counter, self.known, self.confirmed, self.kept = None, set(), set(), {}
        self.stalled = self.rows = 0
        self.on_one_page = False
        self.sink.restart()

    def _judge(self, seen: set[str], was_complete: bool, before: tuple[int, int]) -> None:
        if self.counter is not None and len(self.known) > self.counter:
            self.trouble = f"{len(self.known)} distinct rows came, but the counter says {self.counter}"
            self._restart()
            return
        if was_complete:
            self.confirmed |= seen
        self.ties = self.counter is not None and self.served >= self.counter > len(seen)
        self.stalled = 0 if (len(self.known), len(self.confirmed)) != before else self.stalled + 1

    async def _pages(self, variant: Query, first: Page) -> set[str]:
        """Every page of one pass; the ids that it saw."""
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
        ):
            due = -(-self.counter // size)
            upto = min(max(due, number), number + PAGES_AT_ONCE - 1)
            for page in await self._ask_several(variant, range(number, upto + 1)):
                if page is None or not page.identities or page.identities == previous:
                    return seen
                previous = page.identities
                barren = 0 if self._take(variant, page, seen) else barren + 1
            number = upto + 1
        if size and not self.trouble and self._may_go_on(first, size, len(previous)):
            await self._look_beyond(variant, number, previous, seen)
        return seen

    def _may_go_on(self, first: Page, size: int, last: int) -> bool:
        """Whether rows could stand behind the last page, were the counter too low."""
        echoed = read_counter(first.envelope, ("size",)) or PAGE_SIZE
        return not self.reading.floor or last >= min(echoed, PAGE_SIZE) or (size < (self.counter or 0) and last >= size)

    async def _look_beyond(self, variant: Query, number: int, previous: tuple[str, ...], seen: set[str]) -> None:
        (page,) = await self._ask_several(variant, range(number, number + 1))
        if page is not None and page.identities and page.identities != previous:
            self._take(variant, page, seen)

    async def _ask_several(self, variant: Query, numbers: range) -> list[Page | None]:
        async def one(number: int) -> Page | None:
            try:
                return await self.ask(variant, number)
            except (NotFoundError, RejectedError):
                return None  # past the end, as some servers say it

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(number)) for number in numbers]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    def _take(self, variant: Query, page: Page, seen: set[str]) -> bool:
        """Count one page in and keep it where it says anything new; whether it brought ids new to this pass."""
        self.pages += 1
        counter = read_counter(page.envelope, self.reading.counters)
        if self.counter is None and page.number == 1:
            self.counter = counter
        elif counter != self.counter:
            self.trouble = f"the counter moved from {self.counter} to {counter} during the walk"
            return False
        floor = read_counter(page.envelope, self.reading.floor)
        if floor is not None and counter is not None and floor > counter:
            self.trouble = f"the counter says {counter}, but {' + '.join(self.reading.floor)} are {floor}"
            return False
        before = len(seen)
        self.served += len(page.identities)
        seen.update(page.identities)
        fingerprint = hash(page.payload)
        if not self.known.issuperset(page.identities) or self.kept.get((variant, page.number)) not in (
            None,
            fingerprint,
        ):
            self.sink.keep(page)
            self.rows += len(page.identities)
        self.kept[variant, page.number] = fingerprint
        self.known.update(page.identities)
        return len(seen) > before


def read_counter(envelope: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The sum of the named counters; None where one is missing or no count."""
    total = 0
    for name in names:
        value = envelope.get(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return None
        total += value
    return total
